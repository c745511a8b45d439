//! For tests: a server that answers what it was told, in order, at the seam where the SDK's HTTP client sits, and keeps
//! what it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt as _;

use super::clients::Clients;
use crate::clock::Clock;
use crate::config::aws::Aws;

/// What the clients of [`serve`] sign with.
pub const KEY: (&str, &str) = ("anyone", "anything");

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// With scheme and host.
    pub uri: String,
    /// By name in lower case.
    pub headers: BTreeMap<String, String>,
    /// A text in every protocol that is spoken here.
    pub body: String,
}

/// What it was told to answer, and what it was asked.
#[derive(Clone, Debug)]
pub struct Canned {
    answers: Arc<Mutex<VecDeque<http::Response<SdkBody>>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// An answer with this status and body.
pub fn answer(status: u16, body: &str) -> http::Response<SdkBody> {
    http::Response::builder()
        .status(status)
        .body(SdkBody::from(body))
        .unwrap()
}

/// An error of the JSON protocols.
pub fn refusal(code: &str) -> http::Response<SdkBody> {
    answer(400, &format!(r#"{{"__type":"{code}","message":"no"}}"#))
}

/// JSON text of `text` in which every character may be escaped, as some servers do.
pub fn spelled(chance: &mut fastrand::Rng, text: &str) -> String {
    let escaped: String = text
        .encode_utf16()
        .map(|unit| format!("\\u{unit:04x}"))
        .collect();
    let plain = serde_json::to_string(text).unwrap();
    if chance.bool() {
        format!("\"{escaped}\"")
    } else {
        plain
    }
}

/// Clients that reach nothing but a server with these answers; one request more than answers is refused a connection.
pub fn serve(
    answers: impl IntoIterator<Item = http::Response<SdkBody>>,
    aws: &Aws,
) -> (Clients, Canned) {
    let credentials = Credentials::new(KEY.0, KEY.1, None, None, "canned");
    serve_as(SharedCredentialsProvider::new(credentials), answers, aws)
}

/// The same for clients with credentials of their own.
pub fn serve_as(
    credentials: SharedCredentialsProvider,
    answers: impl IntoIterator<Item = http::Response<SdkBody>>,
    aws: &Aws,
) -> (Clients, Canned) {
    let server = Canned {
        answers: Arc::new(Mutex::new(answers.into_iter().collect())),
        seen: Arc::default(),
    };
    let connector = SharedHttpConnector::new(server.clone());
    (on(connector, credentials, aws), server)
}

/// Clients on a connector of the test's own.
pub fn on(
    connector: SharedHttpConnector,
    credentials: SharedCredentialsProvider,
    aws: &Aws,
) -> Clients {
    let own = connector.clone();
    let clock = Clock::starting_at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000));
    let base = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http_client_fn(move |_, _| own.clone()))
        .time_source(SharedTimeSource::new(clock))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .credentials_provider(credentials)
        .build();
    Clients::new(aws, base, connector)
}

impl Canned {
    /// Every request so far, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The bodies of every request so far, as JSON.
    pub fn asked(&self) -> Vec<serde_json::Value> {
        let bodies = self.seen().into_iter().map(|seen| seen.body);
        bodies
            .map(|body| serde_json::from_str(&body).unwrap())
            .collect()
    }

    async fn serve(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let (parts, body) = request.try_into_http1x().unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = |name: &http::HeaderName, value: &http::HeaderValue| {
            (name.to_string(), value.to_str().unwrap().to_owned())
        };
        self.seen.lock().unwrap().push(Seen {
            uri: parts.uri.to_string(),
            headers: parts
                .headers
                .iter()
                .map(|(name, value)| text(name, value))
                .collect(),
            body: String::from_utf8(body.to_vec()).unwrap(),
        });
        let answer = self.answers.lock().unwrap().pop_front();
        let answer = answer.ok_or_else(|| ConnectorError::io("no more answers".into()))?;
        Ok(HttpResponse::try_from(answer).unwrap())
    }
}

impl HttpConnector for Canned {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().serve(request))
    }
}
