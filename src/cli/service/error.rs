//! Why a running service did not do what a verb asked it for, in one line.

use std::time::Duration;

use serde_json::Value;

use crate::aws::control::Answer;
use crate::config::error::one_line;

/// Each displays as one line, whatever the service wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// Nobody answers there.
    #[error(
        "failed to ask {address}: {why}; is this where the service listens? --service URL names another place"
    )]
    Unreached {
        /// Scheme, host and port.
        address: String,
        /// The network's words.
        why: String,
    },
    /// Nothing came in time.
    #[error("{address} does not answer within {limit} s{}", unknown(*changing), limit = .limit.as_secs())]
    Late {
        /// Scheme, host and port.
        address: String,
        /// How long it was waited for.
        limit: Duration,
        /// Something was to be changed, and may have been.
        changing: bool,
    },
    /// Whoever answers there is somebody else.
    #[error(
        "{address} is no Sluicegate, or stands behind something else: it answers {found}, not {expected}"
    )]
    Stranger {
        /// Scheme, host and port.
        address: String,
        /// What it answers.
        found: String,
        /// What was asked for.
        expected: &'static str,
    },
    /// It does not know what was asked for.
    #[error(
        "{address} does not know how to do this: the service there is another version than this program"
    )]
    Older {
        /// Scheme, host and port.
        address: String,
    },
    /// It wants to know who asks, and nobody can tell.
    #[error(
        "{address} wants to know who asks; give --token-file FILE, or the service's --config FILE, or {why}"
    )]
    Nobody {
        /// Scheme, host and port.
        address: String,
        /// Why the environment has no key.
        why: String,
    },
    /// It does not let the caller in, or lets him look alone.
    #[error("{address} does not let you: {message}")]
    Forbidden {
        /// Scheme, host and port.
        address: String,
        /// The service's words.
        message: String,
    },
    /// It refuses just this.
    #[error("{address} refuses: {message}")]
    Refused {
        /// Scheme, host and port.
        address: String,
        /// The service's words.
        message: String,
    },
    /// It failed itself.
    #[error("{address} failed with status {status}: {message}")]
    Failed {
        /// Scheme, host and port.
        address: String,
        /// Of HTTP.
        status: u16,
        /// The service's words.
        message: String,
    },
    /// It had too many requests, again and again.
    #[error("{address} has too many requests: it was asked {attempts} times; try again later")]
    Busy {
        /// Scheme, host and port.
        address: String,
        /// How often it was asked.
        attempts: usize,
    },
}

fn unknown(changing: bool) -> &'static str {
    match changing {
        true => "; it may be done all the same: look before you ask again",
        false => "",
    }
}

impl ServiceError {
    /// Whoever refuses one mapping is there to be asked about the next one.
    pub fn is_of_one_mapping(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Failed { .. } => true,
            Self::Unreached { .. }
            | Self::Late { .. }
            | Self::Stranger { .. }
            | Self::Older { .. }
            | Self::Nobody { .. }
            | Self::Forbidden { .. }
            | Self::Busy { .. } => false,
        }
    }

    /// What an error of the API says.
    pub(super) fn refused(address: &str, answer: &Answer) -> Self {
        let address = address.to_owned();
        let message = message(answer);
        let code = answer.error.as_deref().unwrap_or_default();
        match answer.status {
            401 | 403 => Self::Forbidden { address, message },
            404 | 405
                if matches!(
                    code,
                    "UnknownOperationException" | "MethodNotAllowedException"
                ) =>
            {
                Self::Older { address }
            }
            status @ 500.. => Self::Failed {
                address,
                status,
                message,
            },
            _ => Self::Refused { address, message },
        }
    }
}

/// What an answer is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reading {
    /// A success.
    Json(Value),
    /// Come again later.
    TooOften,
    /// It wants to know who asks, and was not told.
    Unsigned,
    /// An error in AWS's style.
    Refused,
    /// Nothing that a Sluicegate says; what it is instead.
    Strange(String),
}

impl Reading {
    pub fn of(answer: &Answer) -> Self {
        let Answer {
            status,
            error,
            body,
            ..
        } = answer;
        match (status, error.as_deref()) {
            (429, _) => return Self::TooOften,
            (403, Some("MissingAuthenticationTokenException")) => return Self::Unsigned,
            (400.., Some(_)) => return Self::Refused,
            (..400, _) | (_, None) => {}
        }
        if !(200..300).contains(status) {
            return Self::Strange(format!("{}{}", titled(*status), kind(answer)));
        }
        match serde_json::from_slice(body) {
            Ok(value @ Value::Object(_)) => Self::Json(value),
            Ok(_) | Err(_) => Self::Strange(format!("{}{}", titled(*status), kind(answer))),
        }
    }
}

fn titled(status: u16) -> String {
    let name = http::StatusCode::from_u16(status);
    let name = name.ok().and_then(|status| status.canonical_reason());
    match name {
        Some(name) => format!("{status} {name}"),
        None => status.to_string(),
    }
}

fn kind(answer: &Answer) -> String {
    match &answer.kind {
        Some(kind) if !kind.starts_with("application/json") => {
            format!(" with {}", cut(&one_line(kind)))
        }
        Some(_) => " with JSON of another kind".to_owned(),
        None => String::new(),
    }
}

/// The sentence of an error, under either of AWS's spellings; of whoever has none the code.
fn message(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = ["Message", "message"]
        .iter()
        .find_map(|key| body[*key].as_str());
    let said = said.filter(|said| !said.is_empty());
    let said = said
        .or(answer.error.as_deref())
        .unwrap_or("no reason is given");
    cut(&one_line(said))
}

/// Longer sentences are not read by anybody.
const CHARS_MAX: usize = 500;

fn cut(text: &str) -> String {
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn answer(status: u16, error: Option<&str>, kind: Option<&str>, body: &str) -> Answer {
        Answer {
            status,
            kind: kind.map(str::to_owned),
            error: error.map(str::to_owned),
            retry_after: None,
            body: Bytes::from(body.to_owned()),
        }
    }

    #[test]
    fn an_answer_is_a_success_an_error_of_ours_or_somebody_elses() {
        let html = Some("text/html; charset=utf-8");
        let json = Some("application/json");
        let strange = |what: &str| Reading::Strange(what.to_owned());
        for (answer, expected) in [
            (
                answer(200, None, json, "{}"),
                Reading::Json(serde_json::json!({})),
            ),
            (
                answer(202, None, None, "{}"),
                Reading::Json(serde_json::json!({})),
            ),
            (
                answer(200, None, json, "[]"),
                strange("200 OK with JSON of another kind"),
            ),
            (answer(200, None, None, "{"), strange("200 OK")),
            (
                answer(200, None, html, "<html>"),
                strange("200 OK with text/html; charset=utf-8"),
            ),
            (
                answer(301, None, None, ""),
                strange("301 Moved Permanently"),
            ),
            (
                answer(404, None, html, ""),
                strange("404 Not Found with text/html; charset=utf-8"),
            ),
            (answer(502, None, None, ""), strange("502 Bad Gateway")),
            (answer(799, None, None, ""), strange("799")),
            (
                answer(403, Some("MissingAuthenticationTokenException"), json, "{}"),
                Reading::Unsigned,
            ),
            (
                answer(403, Some("AccessDeniedException"), json, "{}"),
                Reading::Refused,
            ),
            (
                answer(404, Some("ResourceNotFoundException"), json, "{}"),
                Reading::Refused,
            ),
            (
                answer(503, Some("ServiceException"), json, "{}"),
                Reading::Refused,
            ),
            (
                answer(429, Some("TooManyRequestsException"), json, "{}"),
                Reading::TooOften,
            ),
        ] {
            assert_eq!(Reading::of(&answer), expected, "{answer:?}");
        }
    }

    #[test]
    fn an_error_is_one_line_with_the_services_own_words() {
        for (status, code, body, expected) in [
            (
                403,
                "AccessDeniedException",
                r#"{"message":"this key or token may look, and change nothing"}"#,
                "http://a does not let you: this key or token may look, and change nothing",
            ),
            (
                404,
                "ResourceNotFoundException",
                r#"{"Type":"User","Message":"The resource you requested does not exist."}"#,
                "http://a refuses: The resource you requested does not exist.",
            ),
            (
                404,
                "UnknownOperationException",
                "{}",
                "http://a does not know how to do this: the service there is another version than this program",
            ),
            (
                400,
                "InvalidParameterValueException",
                "{\"message\":\"no\\n\\u001b[2J\"}",
                r"http://a refuses: no\n\u{1b}[2J",
            ),
            (
                503,
                "ServiceException",
                r#"{"Message":"the service is starting or ending"}"#,
                "http://a failed with status 503: the service is starting or ending",
            ),
            (
                500,
                "ServiceException",
                "<html>",
                "http://a failed with status 500: ServiceException",
            ),
            (400, "", r#"{"message":""}"#, "http://a refuses: "),
        ] {
            let error = ServiceError::refused("http://a", &answer(status, Some(code), None, body));
            assert_eq!(error.to_string(), expected);
        }
        let long = format!(r#"{{"message":"{}"}}"#, "é".repeat(501));
        let error = ServiceError::refused("http://a", &answer(400, Some("E"), None, &long));
        assert!(error.to_string().ends_with("é..."));
    }
}
