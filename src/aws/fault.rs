//! What to do about an error of an AWS call: its text is for the log, its kind is for the engine.

mod code;
mod refusal;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::event_stream::RawMessage;

use super::credentials::wanting;
pub use code::{Fault, classify, expired_token, seconds};
use code::{NO_STATUS, legible};

/// A failed call: its kind, and what the service said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What to do about it.
    pub fault: Fault,
    /// The service's error code, or ours in lower case where there was no answer to have one.
    pub code: String,
    /// The service's words, cut to 300 bytes, control characters replaced.
    pub message: String,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl Error for Failure {}

impl Failure {
    /// A failure with these words.
    pub fn new(fault: Fault, code: &str, message: &str) -> Self {
        Self {
            fault,
            code: legible(code),
            message: legible(message),
            status: None,
        }
    }

    /// A successful answer that lacks something, or that says what can not be.
    pub fn unreadable(what: &str) -> Self {
        Self::new(Fault::Transient, "unreadable answer", what)
    }

    /// We waited no longer for an answer: whose, where that is known.
    pub fn unanswered(whom: Option<&str>) -> Self {
        Self::new(Fault::Transient, TIMED_OUT, whom.unwrap_or_default())
    }

    /// An answer that is no success. Where it has no code, its status is all that there is to be told.
    fn refused(status: u16, code: &str, message: &str, after: Option<Duration>) -> Self {
        let fault = classify(code, status, after);
        let code = match code {
            "" => format!("HTTP {status}"),
            code => code.to_owned(),
        };
        Self {
            status: Some(status),
            ..Self::new(fault, &code, message)
        }
    }

    /// An answer with this status ended before its end. The status decides where the body can not: what a proxy says with 503 is an
    /// error of the service.
    pub fn broken_off(status: u16, why: &str) -> Self {
        let fault = if status < 400 {
            Fault::Transient
        } else {
            classify("", status, None)
        };
        Self {
            status: Some(status),
            ..Self::new(fault, "unreadable answer", why)
        }
    }

    /// AWS says that what the call was signed with has expired.
    pub fn expired_token(&self) -> bool {
        expired_token(&self.code)
    }

    /// Somebody uses what was asked for: of a shard, another subscription of the same consumer.
    pub fn in_use(&self) -> bool {
        self.code.ends_with("ResourceInUseException")
    }

    /// The service says in so many words that something in the request is wrong: Kinesis and DynamoDB Streams name it so.
    pub fn names_an_argument(&self) -> bool {
        let names = ["InvalidArgumentException", "ValidationException"];
        names.iter().any(|name| self.code.ends_with(name))
    }

    /// No answer came within the time-out of the attempt.
    pub fn timed_out(&self) -> bool {
        self.status.is_none() && self.code == TIMED_OUT
    }
}

const TIMED_OUT: &str = "timed out";

impl<E> From<SdkError<E, HttpResponse>> for Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        match &error {
            // A success that the SDK can not read; without a code it would be told as "HTTP 200".
            SdkError::ServiceError(service) if service.raw().status().is_success() => Self {
                status: Some(service.raw().status().as_u16()),
                ..Self::new(Fault::Transient, "unreadable answer", &chain(service.err()))
            },
            SdkError::ServiceError(service) => {
                let status = service.raw().status().as_u16();
                let after = service.raw().headers().get("retry-after").and_then(seconds);
                let code = service.err().code().unwrap_or_default();
                let message = service.err().message().unwrap_or_default();
                Self::refused(status, code, message, after)
            }
            SdkError::ResponseError(response) => {
                Self::broken_off(response.raw().status().as_u16(), &chain(&error))
            }
            SdkError::TimeoutError(_) => {
                let why = error.source().map(chain).unwrap_or_default();
                Self::new(Fault::Transient, TIMED_OUT, &why)
            }
            SdkError::DispatchFailure(dispatch) if dispatch.is_timeout() => {
                Self::new(Fault::Transient, "no connection", &chain(&error))
            }
            SdkError::DispatchFailure(_) => match wanting(&error) {
                Some(why) => Self::new(Fault::Denied, "no credentials", &why),
                None => Self::new(Fault::Transient, "no answer", &chain(&error)),
            },
            SdkError::ConstructionFailure(_) => {
                Self::new(Fault::Denied, "not sent", &chain(&error))
            }
            // The enum is the SDK's and open: an unknown kind is treated as one that may pass.
            _ => Self::new(Fault::Transient, "unknown error", &chain(&error)),
        }
    }
}

/// A connection that did not come about, or ended before an answer.
impl From<ConnectorError> for Failure {
    fn from(error: ConnectorError) -> Self {
        let code = if error.is_timeout() {
            "no connection"
        } else {
            "no answer"
        };
        Self::new(Fault::Transient, code, &chain(&error))
    }
}

/// An error inside an event stream that was well when it began: there is no status any more, only a code.
impl<E> From<SdkError<E, RawMessage>> for Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    fn from(error: SdkError<E, RawMessage>) -> Self {
        let SdkError::ServiceError(service) = &error else {
            return Self::new(Fault::Transient, "stream broken", &chain(&error));
        };
        // The code stands in a header of the frame, where the SDK leaves it.
        let code = exception_type(service.raw()).unwrap_or_default();
        let message = service.err().message().unwrap_or_default();
        Self::new(classify(code, NO_STATUS, None), code, message)
    }
}

fn exception_type(frame: &RawMessage) -> Option<&str> {
    let RawMessage::Decoded(frame) = frame else {
        return None;
    };
    let mut headers = frame.headers().iter();
    let header = headers.find(|header| header.name().as_str() == ":exception-type")?;
    header.value().as_string().ok().map(|text| text.as_str())
}

/// The texts of an error and its causes, without the debug form, which would print payloads.
pub fn chain(error: &dyn Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        next = cause.source();
    }
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_are_cut_and_cleaned() {
        let failure = Failure::new(
            Fault::Invalid,
            "Code",
            &format!("a\nb\u{1b}[31m{}", "é".repeat(400)),
        );
        assert_eq!(
            failure
                .to_string()
                .chars()
                .filter(|c| c.is_control())
                .count(),
            0
        );
        assert!(failure.message.len() <= 300, "{}", failure.message.len());
        assert!(failure.to_string().starts_with("Code: a b [31mé"));
    }
}
