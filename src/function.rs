//! Invoke a function with an event, and say what came of it: the one effect that both engines share.

pub mod http;
pub mod lambda;

use std::time::Duration;

use bytes::Bytes;

use crate::aws::clients::Clients;
use crate::aws::fault::Failure;
use crate::config::function::Target;
use crate::model::event::Event;

/// The longest answer that a function may give: AWS's synchronous payload limit. // spec: 1.7
pub const REPLY_BYTES_MAX: usize = 6 * 1024 * 1024;

/// The longest time-out that a function may have. // spec: 10
pub const TIMEOUT_MAX: Duration = Duration::from_secs(900);

/// What came of an invocation. // spec: 1.7, 3.1
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The function returned this; what it means is for `model/response` to say.
    Replied(Bytes),
    /// It ran and failed: the answer carries `X-Amz-Function-Error`. // spec: 3.1 rule 2
    Errored {
        /// `Unhandled`, `Handled`, or why we count it as an error.
        kind: String,
        /// It ran out of time.
        timeout: bool,
    },
    /// It did not run: too many invocations. // spec: 4.3
    Throttled {
        /// The wait that the service asked for.
        after: Option<Duration>,
    },
    /// It did not run, or we can not know: the service failed. // spec: 1.7
    Unavailable(Failure),
    /// The service refuses this very event, and would do so again. // spec: 1.7 (413)
    Refused(Failure),
}

/// An invocation, with what its answer says of itself. // spec: 1.7, 6.1
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoked {
    /// What came of it.
    pub answer: Answer,
    /// `x-amzn-requestid`: where the function ran, the id that it saw. At most 128 bytes.
    pub request_id: Option<String>,
    /// `X-Amz-Executed-Version`: `$LATEST` or a number, where the function ran and the answer says so. At most 128 bytes.
    pub executed_version: Option<String>,
}

impl From<Answer> for Invoked {
    /// There was no answer that could say anything of itself.
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            request_id: None,
            executed_version: None,
        }
    }
}

/// What is configured of a function, as far as it may be known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// How long it may run.
    pub timeout: Option<Duration>,
    /// The ARN of its execution role, which events of a stream name as their invoker. // spec: 2.2
    pub role: Option<String>,
}

/// A mapping's function.
#[derive(Clone, Debug)]
pub enum Function {
    /// In AWS Lambda.
    Lambda(lambda::Lambda),
    /// Behind a URL, with what its entry in `Functions` says.
    Http(http::Http, Settings),
}

impl Function {
    /// The function that a mapping names. Nothing is sent yet.
    pub fn new(clients: &Clients, target: &Target) -> Self {
        match target {
            Target::Lambda {
                function,
                qualifier,
                region,
            } => Self::Lambda(lambda::Lambda::new(
                clients,
                function,
                qualifier.as_deref(),
                region,
            )),
            Target::Http { url, timeout, role } => {
                let settings = Settings {
                    timeout: Some(*timeout),
                    role: role.as_ref().map(ToString::to_string),
                };
                Self::Http(http::Http::new(clients, url, *timeout), settings)
            }
        }
    }

    /// Its time-out and role; what may not be asked is `None`.
    pub async fn settings(&self) -> Result<Settings, Failure> {
        match self {
            Self::Lambda(lambda) => lambda.settings().await,
            Self::Http(_, settings) => Ok(settings.clone()),
        }
    }

    /// Run it once with this event. `trace` is the X-Ray trace header to continue.
    pub async fn invoke(&self, event: Event, trace: Option<&str>) -> Invoked {
        match self {
            Self::Lambda(lambda) => lambda.invoke(event, trace).await,
            Self::Http(http, _) => http.invoke(event, trace).await,
        }
    }
}

/// Ids and versions are words; what is longer is none, and goes nowhere.
const WORD_BYTES_MAX: usize = 128;

fn word(text: &str) -> Option<String> {
    let is_word = !text.is_empty() && text.len() <= WORD_BYTES_MAX;
    is_word.then(|| text.to_owned())
}

/// A reply within the limit, or the error that Lambda makes of a longer one.
fn replied(body: Bytes) -> Answer {
    if body.len() > REPLY_BYTES_MAX {
        too_long()
    } else {
        Answer::Replied(body)
    }
}

fn too_long() -> Answer {
    Answer::Errored {
        kind: "the response is larger than 6 MB".into(),
        timeout: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_over_six_megabytes_is_a_function_error() {
        let longest = Bytes::from(vec![b'x'; REPLY_BYTES_MAX]);
        assert_eq!(replied(longest.clone()), Answer::Replied(longest));
        assert_eq!(
            replied(Bytes::from(vec![b'x'; REPLY_BYTES_MAX + 1])),
            too_long()
        );
    }
}
