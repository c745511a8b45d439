//! A function behind a URL: the event is posted, the reply is read exactly as Lambda's Invoke API is read.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::{Answer, Invoked, REPLY_BYTES_MAX, replied, too_long, word};
use crate::aws::clients::Clients;
use crate::aws::event::body;
use crate::aws::fault::{Failure, Fault, chain, seconds};
use crate::aws::named::whom;
use crate::model::event::Event;

/// A URL and how long its function may take.
#[derive(Clone, Debug)]
pub struct Http {
    connector: SharedHttpConnector,
    url: String,
    timeout: Duration,
}

/// The head of a reply, and its body where that says more.
struct Reply {
    status: u16,
    function_error: Option<String>,
    retry_after: Option<Duration>,
    request_id: Option<String>,
    executed_version: Option<String>,
    body: Bytes,
}

impl Http {
    /// The connections are the process's own; redirects are not followed.
    pub fn new(clients: &Clients, url: &str, timeout: Duration) -> Self {
        Self {
            connector: clients.connector(),
            url: url.to_string(),
            timeout,
        }
    }

    /// One invocation. A time-out covers connection, run and reply together.
    pub async fn invoke(&self, event: Event, trace: Option<&str>) -> Invoked {
        match tokio::time::timeout(self.timeout, self.post(event, trace)).await {
            Err(_) => Invoked::from(Answer::Errored {
                kind: "no answer within TimeoutInSeconds".into(),
                timeout: true,
            }),
            Ok(Err(answer)) => Invoked::from(answer),
            Ok(Ok(reply)) => read(reply),
        }
    }

    async fn post(&self, event: Event, trace: Option<&str>) -> Result<Reply, Answer> {
        let mut request = http::Request::post(&self.url)
            .header("content-type", "application/json")
            .header("x-amz-invocation-type", "RequestResponse");
        if let Some(trace) = trace.and_then(|trace| http::HeaderValue::from_str(trace).ok()) {
            request = request.header("x-amzn-trace-id", trace);
        }
        let request = request.body(body(event)).map_err(|error| unsent(&error))?;
        let request = HttpRequest::try_from(request).map_err(|error| unsent(&error))?;
        let response = self
            .connector
            .call(request)
            .await
            .map_err(|error| Answer::Unavailable(unconnected(&error)))?;
        let header = |name: &str| response.headers().get(name).map(str::to_string);
        let status = response.status().as_u16();
        let function_error = header("x-amz-function-error");
        let request_id = header("x-amzn-requestid").as_deref().and_then(word);
        let executed_version = header("x-amz-executed-version").as_deref().and_then(word);
        let retry_after = header("retry-after").as_deref().and_then(seconds);
        // Where the head decides the body is not waited for: one that is too long, or never ends, must not make a function
        // error of a throttle.
        if !is_success(status) || function_error.is_some() {
            return Ok(Reply {
                status,
                function_error,
                retry_after,
                body: Bytes::new(),
                request_id,
                executed_version,
            });
        }
        let body = match Limited::new(response.into_body(), REPLY_BYTES_MAX)
            .collect()
            .await
        {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(too_long()),
            Err(error) => {
                let whom = whom(&self.url).unwrap_or_default();
                let why = format!("{whom}: {}", chain(error.as_ref()));
                let failure = Failure::new(Fault::Transient, "answer cut short", &why);
                return Err(Answer::Unavailable(failure));
            }
        };
        Ok(Reply {
            status,
            function_error,
            retry_after,
            request_id,
            executed_version,
            body,
        })
    }
}

fn is_success(status: u16) -> bool {
    (200..=299).contains(&status)
}

/// Contract section 2: 429 and 503 are throttles; every other status but 200 to 299 is a service error, as in Lambda.
fn read(reply: Reply) -> Invoked {
    let refused = |fault| Failure {
        status: Some(reply.status),
        ..Failure::new(fault, &format!("HTTP {}", reply.status), "")
    };
    let answer = match reply.status {
        status if is_success(status) => match reply.function_error {
            Some(kind) => Answer::Errored {
                kind,
                timeout: false,
            },
            None => replied(reply.body),
        },
        429 | 503 => Answer::Throttled {
            after: reply.retry_after,
        },
        400 | 413 | 415 => Answer::Refused(refused(Fault::Invalid)),
        401 | 403 => Answer::Unavailable(refused(Fault::Denied)),
        404 => Answer::Unavailable(refused(Fault::Gone)),
        _ => Answer::Unavailable(refused(Fault::Transient)),
    };
    Invoked {
        answer,
        request_id: reply.request_id,
        executed_version: reply.executed_version,
    }
}

fn unsent(error: &(dyn std::error::Error + 'static)) -> Answer {
    Answer::Unavailable(Failure::new(Fault::Invalid, "not sent", &chain(error)))
}

fn unconnected(error: &ConnectorError) -> Failure {
    Failure::new(Fault::Transient, "no answer", &chain(error))
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;
    use crate::aws::canned::serve;
    use crate::config::aws::Aws;

    fn reply(status: u16, function_error: Option<&str>) -> Reply {
        Reply {
            status,
            function_error: function_error.map(str::to_string),
            retry_after: Some(Duration::from_secs(5)),
            request_id: Some("5d0c7f52".into()),
            executed_version: None,
            body: Bytes::from_static(b"{}"),
        }
    }

    fn kind(answer: &Answer) -> &'static str {
        match answer {
            Answer::Replied(_) => "replied",
            Answer::Errored { .. } => "errored",
            Answer::Throttled { .. } => "throttled",
            Answer::Unavailable(_) => "unavailable",
            Answer::Refused(_) => "refused",
        }
    }

    #[test]
    fn a_reply_is_read_as_lambdas_invoke_api_is_read() {
        for (status, function_error, expected) in [
            (200, None, "replied"),
            (202, None, "replied"),
            (200, Some("Unhandled"), "errored"),
            (429, None, "throttled"),
            (503, None, "throttled"),
            (500, None, "unavailable"),
            (500, Some("Unhandled"), "unavailable"),
            (502, None, "unavailable"),
            (301, None, "unavailable"),
            (404, None, "unavailable"),
            (401, None, "unavailable"),
            (400, None, "refused"),
            (413, None, "refused"),
        ] {
            assert_eq!(
                kind(&read(reply(status, function_error)).answer),
                expected,
                "{status} {function_error:?}"
            );
        }
        assert_eq!(
            read(reply(429, None)),
            Invoked {
                answer: Answer::Throttled {
                    after: Some(Duration::from_secs(5))
                },
                request_id: Some("5d0c7f52".into()),
                executed_version: None,
            }
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_says_which_invocation_it_was_and_of_which_version() {
        let of = |id: &str, version: &str| {
            http::Response::builder()
                .header("X-Amzn-RequestId", id)
                .header("X-Amz-Executed-Version", version)
                .body(SdkBody::from("{}"))
                .unwrap()
        };
        let long = "x".repeat(129);
        let word = |text: &str| Some(text.to_owned());
        for (response, request_id, executed_version) in [
            (of("5d0c7f52", "7"), word("5d0c7f52"), word("7")),
            (of("", &long), None, None),
            (http::Response::new(SdkBody::from("{}")), None, None),
        ] {
            let (clients, _) = serve([response], &Aws::default());
            let function = Http::new(&clients, "http://function/", Duration::from_secs(1));
            assert_eq!(
                function.invoke(Event::default(), None).await,
                Invoked {
                    answer: Answer::Replied(Bytes::from_static(b"{}")),
                    request_id,
                    executed_version,
                }
            );
        }
    }
}
