//! A request that is refused: AWS's code, status and body. // spec: 1.1, 1.6

use serde::Serialize;

use crate::config::mapping::Mapping;

/// An error of the API as AWS sends it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// The status of HTTP.
    pub status: u16,
    /// Header `x-amzn-ErrorType`.
    pub code: &'static str,
    /// The sentence of the body.
    pub message: String,
    /// Header `Retry-After`, in seconds.
    pub retry_after_s: Option<u64>,
}

/// The body, its keys in AWS's order. The message begins with a capital where nothing was found or we failed, and with a small
/// letter elsewhere, as AWS has it.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "Type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(rename = "Message", skip_serializing_if = "Option::is_none")]
    upper: Option<&'a str>,
    #[serde(rename = "message", skip_serializing_if = "Option::is_none")]
    lower: Option<&'a str>,
    #[serde(rename = "Reason", skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

const INVALID_PARAMETER: &str = "InvalidParameterValueException";
const NOT_FOUND: &str = "ResourceNotFoundException";
const VALIDATION: &str = "ValidationException";
const THROTTLED: &str = "TooManyRequestsException";

impl Refusal {
    /// Any other than those below; the form of the body follows from status and code.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Refusal {
            status,
            code,
            message: message.into(),
            retry_after_s: None,
        }
    }

    /// What is asked for cannot be.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, INVALID_PARAMETER, message)
    }

    /// The request has not the shape that AWS's model gives it.
    pub fn shape(message: impl Into<String>) -> Self {
        Self::new(400, VALIDATION, message)
    }

    /// What is there already stands in the way.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "ResourceConflictException", message)
    }

    /// The body is no JSON that can be read.
    pub fn unreadable(why: impl std::fmt::Display) -> Self {
        let message = format!("Could not parse request body into json: {why}");
        Self::new(400, "InvalidRequestContentException", message)
    }

    /// No mapping has this UUID.
    pub fn unknown_mapping() -> Self {
        Self::not_found("The resource you requested does not exist.")
    }

    /// What a path names is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, NOT_FOUND, message)
    }

    /// Nobody runs the function that a mapping names.
    pub fn function_missing() -> Self {
        Self::invalid("Function does not exist")
    }

    /// The source of a mapping is not there.
    pub fn source_missing(mapping: &Mapping) -> Self {
        match mapping.stream {
            Some(_) => Self::invalid(format!("Stream not found: {}", mapping.source)),
            None => Self::invalid(
                "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.",
            ),
        }
    }

    /// A message would be visible again while its function still runs; both in seconds.
    pub fn visibility(queue_s: u64, function_s: u64) -> Self {
        Self::invalid(format!(
            "Queue visibility timeout: {queue_s} seconds is less than Function timeout: {function_s} seconds"
        ))
    }

    /// The positions of the mapping are being set; `verb` is `update`, `delete` or another change. // spec: 1.1
    pub fn in_use(verb: &str) -> Self {
        let message = format!("Cannot {verb} the event source mapping because it is in use.");
        Self::new(400, "ResourceInUseException", message)
    }

    /// What the mapping has in hand is not settled after so many seconds.
    pub fn still_in_use(verb: &str, seconds: u64) -> Self {
        let Self { message, .. } = Self::in_use(verb);
        let message = format!(
            "{message} What it has in hand is not settled after {seconds} seconds. Pause it, and try again once it is Disabled."
        );
        Self::new(400, "ResourceInUseException", message)
    }

    /// The caller asks too often.
    pub fn throttled(retry_after_s: u64) -> Self {
        Refusal {
            retry_after_s: Some(retry_after_s),
            ..Self::new(429, THROTTLED, "Rate exceeded")
        }
    }

    /// We failed, not the caller.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "ServiceException", message)
    }

    /// The JSON of the answer.
    pub fn body(&self) -> String {
        let upper = matches!(self.status, 404 | 500..);
        let message = self.message.as_str();
        let body = Body {
            kind: match self.status {
                _ if self.code == VALIDATION => None,
                // Who is asking was not known yet.
                401 | 403 => None,
                500.. => Some("Service"),
                _ => Some("User"),
            },
            upper: upper.then_some(message),
            lower: (!upper).then_some(message),
            reason: (self.code == THROTTLED).then_some("CallerRateLimitExceeded"),
        };
        // Texts and nothing else: it cannot fail.
        serde_json::to_string(&body).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_the_capitals_of_aws() {
        let cases = [
            (
                Refusal::unknown_mapping(),
                404,
                "ResourceNotFoundException",
                r#"{"Type":"User","Message":"The resource you requested does not exist."}"#,
            ),
            (
                Refusal::invalid("a"),
                400,
                "InvalidParameterValueException",
                r#"{"Type":"User","message":"a"}"#,
            ),
            (
                Refusal::conflict("a \"b\""),
                409,
                "ResourceConflictException",
                r#"{"Type":"User","message":"a \"b\""}"#,
            ),
            (
                Refusal::shape("a"),
                400,
                "ValidationException",
                r#"{"message":"a"}"#,
            ),
            (
                Refusal::in_use("delete"),
                400,
                "ResourceInUseException",
                r#"{"Type":"User","message":"Cannot delete the event source mapping because it is in use."}"#,
            ),
            (
                Refusal::internal("a"),
                500,
                "ServiceException",
                r#"{"Type":"Service","Message":"a"}"#,
            ),
            (
                Refusal::throttled(2),
                429,
                "TooManyRequestsException",
                r#"{"Type":"User","message":"Rate exceeded","Reason":"CallerRateLimitExceeded"}"#,
            ),
            (
                Refusal::new(403, "AccessDeniedException", "a"),
                403,
                "AccessDeniedException",
                r#"{"message":"a"}"#,
            ),
        ];
        for (refusal, status, code, body) in cases {
            assert_eq!((refusal.status, refusal.code), (status, code));
            assert_eq!(refusal.body(), body);
        }
        assert_eq!(Refusal::throttled(2).retry_after_s, Some(2));
    }
}
