//! Invoke a function with an event, and say what came of it: the one effect that both engines share.

pub mod http;
pub mod lambda;

use std::time::Duration;

use bytes::Bytes;

use crate::aws::clients::Clients;
use crate::aws::fault::Failure;
use crate::config::function::Target;

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

/// A mapping's function.
#[derive(Clone, Debug)]
pub enum Function {
    /// In AWS Lambda.
    Lambda(lambda::Lambda),
    /// Behind a URL.
    Http(http::Http),
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
            Target::Http { url, timeout } => Self::Http(http::Http::new(clients, url, *timeout)),
        }
    }

    /// How long it may run; `None` when that may not be asked.
    pub async fn timeout(&self) -> Result<Option<Duration>, Failure> {
        match self {
            Self::Lambda(lambda) => lambda.timeout().await,
            Self::Http(http) => Ok(Some(http.timeout())),
        }
    }

    /// Run it once with this event. `trace` is the X-Ray trace header to continue.
    pub async fn invoke(&self, event: Bytes, trace: Option<&str>) -> Answer {
        match self {
            Self::Lambda(lambda) => lambda.invoke(event, trace).await,
            Self::Http(http) => http.invoke(event, trace).await,
        }
    }
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
