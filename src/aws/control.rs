//! Requests to the control API of a running Sluicegate: as nobody, with a bearer token, or signed with a key. Every answer
//! is bounded, in bytes and in time.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{Method, Uri};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::timeout;

use super::clients::Clients;
use super::fault::{chain, seconds};
use super::sigv4;
use crate::clock::Clock;

/// More is no answer: a page has 100 mappings, each with ten filters of 4,096 characters at most, escaped.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long the environment, a profile or a machine's role may take to say who we are.
const KEY_TIME_MAX: Duration = Duration::from_secs(10);
/// Every region is as good: the service looks at its own keys alone.
const REGION: &str = "us-east-1";

/// Where requests go.
#[derive(Clone, Debug)]
pub struct Door {
    connector: SharedHttpConnector,
    clients: Clients,
    clock: Clock,
    /// Scheme, host and port.
    address: String,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Who {
    /// Whoever is on this machine.
    Anybody,
    /// The holder of a token, which is sent.
    Token(String),
    /// The holder of a key, whose secret is not sent.
    Key {
        /// `AKIAIOSFODNN7EXAMPLE`.
        id: String,
        /// What requests are signed with.
        secret: String,
    },
}

/// An answer, whatever it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// `content-type`.
    pub kind: Option<String>,
    /// `x-amzn-errortype`, AWS's name of an error.
    pub error: Option<String>,
    /// `retry-after`.
    pub retry_after: Option<Duration>,
    /// All of it.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    /// No connection, or one that ended too early.
    #[error("{0}")]
    Connection(String),
    /// Nothing in this time.
    #[error("no answer within {limit} s", limit = .0.as_secs())]
    Late(Duration),
    /// More than is read.
    #[error("more than {ANSWER_BYTES_MAX} bytes")]
    Long,
    /// The request could not be made.
    #[error("{0}")]
    Unsent(String),
}

impl Door {
    /// The service at this address: scheme, host and port, no path. Nothing is sent yet.
    pub fn new(address: &str, clients: Clients, clock: Clock) -> Self {
        Self {
            connector: clients.connector(),
            clients,
            clock,
            address: address.trim_end_matches('/').to_owned(),
        }
    }

    /// Scheme, host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The key of the environment, a profile or the machine's role, as for every AWS tool.
    ///
    /// # Errors
    /// None has one: why.
    pub async fn key(&self) -> Result<Who, String> {
        let (id, secret) = match timeout(KEY_TIME_MAX, self.clients.key()).await {
            Ok(key) => key?,
            Err(_) => {
                let limit = KEY_TIME_MAX.as_secs();
                return Err(format!(
                    "who keeps the credentials does not answer within {limit} s"
                ));
            }
        };
        Ok(Who::Key { id, secret })
    }

    /// One request; `target` is path and query, encoded. Nothing is repeated, no redirect is followed.
    ///
    /// # Errors
    /// See [`Silence`].
    pub async fn ask(
        &self,
        method: &Method,
        target: &str,
        body: &str,
        who: &Who,
        patience: Duration,
    ) -> Result<Answer, Silence> {
        let request = self.request(method, target, body, who)?;
        let answered = async {
            let response = self.connector.call(request).await;
            read(response.map_err(|error| Silence::Connection(innermost(&error)))?).await
        };
        match timeout(patience, answered).await {
            Ok(answer) => answer,
            Err(_) => Err(Silence::Late(patience)),
        }
    }

    fn request(
        &self,
        method: &Method,
        target: &str,
        body: &str,
        who: &Who,
    ) -> Result<HttpRequest, Silence> {
        let unsent = |error: &dyn std::fmt::Display| Silence::Unsent(error.to_string());
        let url = format!("{}{target}", self.address);
        let uri: Uri = url.parse().map_err(|error| unsent(&error))?;
        let host = uri.authority().map(|authority| authority.as_str());
        let mut headers = vec![("host", host.unwrap_or_default())];
        if !body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        let proof = match who {
            Who::Anybody => Vec::new(),
            Who::Token(token) => vec![("authorization".to_owned(), format!("Bearer {token}"))],
            Who::Key { id, secret } => {
                let request = sigv4::Request {
                    method: method.as_str(),
                    target,
                    headers: &headers,
                    body: body.as_bytes(),
                };
                let signed = request.signed((id, secret), REGION, self.clock.now());
                signed.map_err(|error| unsent(&error))?
            }
        };
        let mut request = http::Request::builder().method(method).uri(&uri);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        for (name, value) in &proof {
            request = request.header(name, value);
        }
        let request = request.body(SdkBody::from(body));
        let request = request.map_err(|error| unsent(&error))?;
        HttpRequest::try_from(request).map_err(|error| unsent(&error))
    }
}

/// The last two causes of an error: those before them say no more than that there was no connection.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut causes = (error, error.source());
    while let Some((inner, innermost)) = causes.1.and_then(|inner| Some((inner, inner.source()?))) {
        causes = (inner, Some(innermost));
    }
    chain(causes.0)
}

async fn read(response: HttpResponse) -> Result<Answer, Silence> {
    let header = |name: &str| response.headers().get(name).map(str::to_owned);
    let (kind, error) = (header("content-type"), header("x-amzn-errortype"));
    let retry_after = header("retry-after").as_deref().and_then(seconds);
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect();
    let body = match body.await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(Silence::Long),
        Err(error) => return Err(Silence::Connection(chain(error.as_ref()))),
    };
    Ok(Answer {
        status,
        kind,
        error,
        retry_after,
        body,
    })
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
    use hyper::body as http_body;

    use super::*;
    use crate::aws::canned::{answer, serve};
    use crate::config::aws::Aws;

    const PATIENCE: Duration = Duration::from_secs(10);
    const TARGET: &str = "/2015-03-31/event-source-mappings?Marker=a%3D";

    fn key() -> Who {
        Who::Key {
            id: "AKIDEXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI".to_owned(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_is_said_with_a_token_or_by_a_signature_that_holds() {
        let clock = Clock::starting_at(std::time::SystemTime::UNIX_EPOCH + PATIENCE);
        let token = Who::Token("a-token-of-sixteen".to_owned());
        for who in [Who::Anybody, token, key()] {
            let (clients, server) = serve([answer(200, "{}")], &Aws::default());
            let door = Door::new("http://gate:9480/", clients, clock.clone());
            let answered = door.ask(&Method::PUT, TARGET, "{\"a\":1}", &who, PATIENCE);
            assert_eq!(answered.await.unwrap().status, 200);
            let seen = server.seen().remove(0);
            assert_eq!(seen.uri, format!("http://gate:9480{TARGET}"));
            assert_eq!(seen.body, "{\"a\":1}");
            let said = seen.headers.get("authorization").map(String::as_str);
            match &who {
                Who::Anybody => assert_eq!(said, None),
                Who::Token(_) => assert_eq!(said, Some("Bearer a-token-of-sixteen")),
                Who::Key { id, secret } => {
                    let headers = seen.headers.iter();
                    let headers: Vec<_> = headers.map(|(k, v)| (k.as_str(), v.as_str())).collect();
                    let came = sigv4::Request {
                        method: "PUT",
                        target: TARGET,
                        headers: &headers,
                        body: seen.body.as_bytes(),
                    };
                    let signer = came.signer([(id.as_str(), secret.as_str())], clock.now());
                    assert_eq!(signer, Ok("AKIDEXAMPLE"));
                }
            }
            assert!(!format!("{:?}", seen.headers).contains("wJalr"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_bounded_and_none_is_awaited_for_ever() {
        let long = "x".repeat(ANSWER_BYTES_MAX + 1);
        let (clients, _) = serve([answer(200, &long)], &Aws::default());
        let door = Door::new("http://gate:9480", clients, Clock::machine());
        let ask = || door.ask(&Method::GET, "/", "", &Who::Anybody, PATIENCE);
        assert_eq!(ask().await, Err(Silence::Long));
        let refused = ask().await;
        assert!(
            matches!(refused, Err(Silence::Connection(_))),
            "{refused:?}"
        );
    }

    /// Accepts, and says nothing; then answers with a body that never ends.
    #[derive(Debug)]
    struct Slow;

    impl HttpConnector for Slow {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let silent = request.method() == "GET";
            HttpConnectorFuture::new(async move {
                match silent {
                    true => std::future::pending().await,
                    false => {
                        let body = futures_util::stream::pending::<
                            Result<http_body::Frame<Bytes>, std::io::Error>,
                        >();
                        let body = SdkBody::from_body_1_x(http_body_util::StreamBody::new(body));
                        let answer = http::Response::new(body);
                        Ok(HttpResponse::try_from(answer).unwrap())
                    }
                }
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_says_nothing_or_never_ends_is_late() {
        let (clients, _) = serve([], &Aws::default());
        let door = Door {
            connector: SharedHttpConnector::new(Slow),
            ..Door::new("http://gate:9480", clients, Clock::machine())
        };
        for method in [Method::GET, Method::POST] {
            let answer = door.ask(&method, "/", "", &Who::Anybody, PATIENCE).await;
            let silence = answer.unwrap_err();
            assert_eq!(silence, Silence::Late(PATIENCE));
            assert_eq!(silence.to_string(), "no answer within 10 s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_says_how_it_failed() {
        let refusal = http::Response::builder()
            .status(429)
            .header("x-amzn-ErrorType", "TooManyRequestsException")
            .header("content-type", "application/json")
            .header("retry-after", "3")
            .body(SdkBody::from("{}"))
            .unwrap();
        let (clients, _) = serve([refusal], &Aws::default());
        let door = Door::new("http://gate:9480", clients, Clock::machine());
        let answered = door.ask(&Method::GET, "/", "", &Who::Anybody, PATIENCE);
        assert_eq!(
            answered.await,
            Ok(Answer {
                status: 429,
                kind: Some("application/json".to_owned()),
                error: Some("TooManyRequestsException".to_owned()),
                retry_after: Some(Duration::from_secs(3)),
                body: Bytes::from_static(b"{}"),
            })
        );
    }
}
