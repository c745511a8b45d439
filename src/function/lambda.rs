//! A function in AWS Lambda: `Invoke` with `RequestResponse`. // spec: 1.7

use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::InvocationType;

use super::{Answer, Invoked, Settings, TIMEOUT_MAX, replied, word};
use crate::aws::clients::{CALL_TIMEOUT, Clients};
use crate::aws::direct::Direct;
use crate::aws::fault::{Failure, Fault};
use crate::model::event::Event;

/// A function by name or ARN, with the version or alias that is invoked.
#[derive(Clone, Debug)]
pub struct Lambda {
    client: Client,
    invoking: Direct,
    function: String,
    qualifier: Option<String>,
}

impl Lambda {
    /// Lambda itself ends a function at its time-out, which may be changed at any time: our own wait covers the longest.
    pub fn new(clients: &Clients, function: &str, qualifier: Option<&str>, region: &str) -> Self {
        Self {
            client: clients.lambda(region),
            invoking: clients.direct_of_its_own(),
            function: function.to_string(),
            qualifier: qualifier.map(str::to_string),
        }
    }

    /// GetFunctionConfiguration; nothing is known when we may invoke but not look.
    pub async fn settings(&self) -> Result<Settings, Failure> {
        let asked = self
            .client
            .get_function_configuration()
            .function_name(&self.function)
            .set_qualifier(self.qualifier.clone())
            .send()
            .await
            .map_err(Failure::from);
        match asked {
            Ok(found) => Ok(Settings {
                timeout: found
                    .timeout
                    .and_then(|s| u64::try_from(s).ok())
                    .map(Duration::from_secs),
                role: found.role.filter(|role| !role.is_empty()),
            }),
            Err(failure) if unknowable(&failure) => Ok(Settings::default()),
            Err(failure) => Err(failure),
        }
    }

    /// One invocation.
    pub async fn invoke(&self, event: Event, trace: Option<&str>) -> Invoked {
        let header = trace.map(|trace| ("x-amzn-trace-id", trace.to_owned()));
        let ask = |learning| {
            let call = self.client.invoke().function_name(&self.function);
            let call = call.set_qualifier(self.qualifier.clone());
            let call = call.invocation_type(InvocationType::RequestResponse);
            call.customize().interceptor(learning).send()
        };
        let at_most = TIMEOUT_MAX + CALL_TIMEOUT;
        let sent = self.invoking.send(event, header, at_most, ask).await;
        match sent {
            Ok(reply) => {
                let header = |name| reply.header(name);
                let request_id = header("x-amzn-requestid").and_then(word);
                let executed_version = header("x-amz-executed-version").and_then(word);
                let answer = match header("x-amz-function-error") {
                    Some(kind) => Answer::Errored {
                        timeout: timed_out(&reply.body),
                        kind: kind.to_owned(),
                    },
                    None => replied(reply.body),
                };
                Invoked {
                    answer,
                    request_id,
                    executed_version,
                }
            }
            Err(failure) => Invoked::from(unanswered(failure)),
        }
    }
}

/// The question was answered, but not by saying that the function does not exist: we may invoke and not look, or what
/// answers is an emulator that knows Invoke alone.
fn unknowable(failure: &Failure) -> bool {
    match failure.fault {
        Fault::Denied | Fault::Invalid | Fault::Expired | Fault::Trimmed => {
            failure.status.is_some()
        }
        Fault::Gone => failure.code != "ResourceNotFoundException",
        Fault::Transient => failure.status == Some(501),
        Fault::Throttled { .. } => false,
    }
}

/// Lambda names the type of the error that it makes of a time-out.
fn timed_out(payload: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Error<'a> {
        #[serde(borrow, default)]
        error_type: std::borrow::Cow<'a, str>,
    }
    serde_json::from_slice::<Error<'_>>(payload)
        .is_ok_and(|error| error.error_type == "Sandbox.Timedout")
}

/// Refusals under status 400 that speak of the function's own state, which passes. // spec: 1.7
const OF_THE_FUNCTION: [&str; 3] = [
    "SnapStartException",
    "NoPublishedVersionException",
    "ModeNotSupportedException",
];

/// An answer other than 200, or none. // spec: 1.7
fn unanswered(failure: Failure) -> Answer {
    if failure.timed_out() {
        // The longest time-out that a function may have is over, and some: it may still run.
        return Answer::Errored {
            kind: "no answer within the function's longest time-out".into(),
            timeout: true,
        };
    }
    match failure.fault {
        Fault::Throttled { after } => Answer::Throttled { after },
        // These speak of the event, not of the function: it would be refused again.
        Fault::Invalid
            if matches!(failure.status, Some(400 | 413 | 415))
                && !OF_THE_FUNCTION.contains(&failure.code.as_str()) =>
        {
            Answer::Refused(failure)
        }
        Fault::Transient
        | Fault::Expired
        | Fault::Trimmed
        | Fault::Denied
        | Fault::Gone
        | Fault::Invalid => Answer::Unavailable(failure),
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use bytes::Bytes;

    use super::*;
    use crate::aws::canned::{answer, refusal, serve};
    use crate::config::aws::Aws;

    fn failure(fault: Fault, status: Option<u16>) -> Failure {
        Failure {
            status,
            ..Failure::new(fault, "Code", "")
        }
    }

    // spec: 1.7
    #[test]
    fn an_answer_other_than_200_means_that_the_function_did_not_run() {
        let after = Some(Duration::from_secs(2));
        let coded = |code: &str| Failure {
            status: Some(400),
            ..Failure::new(Fault::Invalid, code, "")
        };
        let unavailable = |failure: Failure| (failure.clone(), Answer::Unavailable(failure));
        let refused = |failure: Failure| (failure.clone(), Answer::Refused(failure));
        for (failure, answer) in [
            (
                failure(Fault::Throttled { after }, Some(429)),
                Answer::Throttled { after },
            ),
            unavailable(failure(Fault::Transient, Some(500))),
            unavailable(failure(Fault::Transient, Some(502))),
            unavailable(failure(Fault::Denied, Some(403))),
            unavailable(failure(Fault::Gone, Some(404))),
            unavailable(failure(Fault::Invalid, Some(409))),
            unavailable(failure(Fault::Transient, None)),
            refused(failure(Fault::Invalid, Some(400))),
            refused(failure(Fault::Invalid, Some(413))),
            refused(failure(Fault::Invalid, Some(415))),
            refused(coded("InvalidRequestContentException")),
            refused(coded("RecursiveInvocationException")),
            unavailable(coded("SnapStartException")),
            unavailable(coded("NoPublishedVersionException")),
            unavailable(coded("ModeNotSupportedException")),
        ] {
            assert_eq!(unanswered(failure.clone()), answer, "{failure:?}");
        }
    }

    #[test]
    fn a_function_is_missing_only_when_lambda_says_so() {
        let coded = |fault, code: &str, status| Failure {
            status,
            ..Failure::new(fault, code, "")
        };
        for (failure, unknown) in [
            (
                coded(Fault::Gone, "ResourceNotFoundException", Some(404)),
                false,
            ),
            (coded(Fault::Gone, "HTTP 404", Some(404)), true),
            (
                coded(Fault::Denied, "AccessDeniedException", Some(403)),
                true,
            ),
            (coded(Fault::Denied, "not sent", None), false),
            (coded(Fault::Invalid, "HTTP 405", Some(405)), true),
            (coded(Fault::Transient, "HTTP 501", Some(501)), true),
            (
                coded(Fault::Transient, "ServiceException", Some(500)),
                false,
            ),
            (coded(Fault::Transient, "no answer", None), false),
            (
                coded(
                    Fault::Throttled { after: None },
                    "TooManyRequestsException",
                    Some(429),
                ),
                false,
            ),
        ] {
            assert_eq!(unknowable(&failure), unknown, "{failure:?}");
        }
    }

    #[test]
    fn a_time_out_is_known_by_the_type_of_the_error() {
        assert!(timed_out(br#"{"errorType":"Sandbox.Timedout","errorMessage":"x Task timed out after 3.00 seconds"}"#));
        assert!(!timed_out(
            br#"{"errorType":"Error","errorMessage":"Task timed out after 3.00 seconds"}"#
        ));
        assert!(!timed_out(b"garbage"));
    }

    fn function(response: http::Response<SdkBody>) -> Lambda {
        let (clients, _) = serve([response], &Aws::default());
        Lambda::new(&clients, "f", None, "us-east-1")
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_says_which_invocation_it_was_and_of_which_version() {
        let response = |error: bool| {
            let mut response = http::Response::builder()
                .header("x-amzn-requestid", "5d0c7f52")
                .header("x-amz-executed-version", "$LATEST");
            if error {
                response = response.header("x-amz-function-error", "Unhandled");
            }
            response.body(SdkBody::from("{}")).unwrap()
        };
        let errored = Answer::Errored {
            kind: "Unhandled".into(),
            timeout: false,
        };
        for (error, answer) in [
            (false, Answer::Replied(Bytes::from_static(b"{}"))),
            (true, errored),
        ] {
            let invoked = function(response(error))
                .invoke(Event::default(), None)
                .await;
            assert_eq!(
                invoked,
                Invoked {
                    answer,
                    request_id: Some("5d0c7f52".into()),
                    executed_version: Some("$LATEST".into()),
                }
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_question_brings_time_out_and_role_and_a_refusal_leaves_both_open() {
        let role = "arn:aws:iam::111111111111:role/r";
        let body = format!(r#"{{"FunctionName":"f","Timeout":30,"Role":"{role}"}}"#);
        let known = Settings {
            timeout: Some(Duration::from_secs(30)),
            role: Some(role.into()),
        };
        for (response, settings) in [
            (answer(200, &body), known),
            (answer(200, "{}"), Settings::default()),
            (refusal("AccessDeniedException"), Settings::default()),
        ] {
            assert_eq!(function(response).settings().await, Ok(settings));
        }
        let gone = refusal("ResourceNotFoundException");
        let failure = function(gone).settings().await.unwrap_err();
        assert_eq!(failure.fault, Fault::Gone);
    }
}
