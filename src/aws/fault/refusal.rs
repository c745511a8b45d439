//! An answer that is no success, as the JSON protocols of AWS say it: read without the SDK, and as it reads it.

use aws_smithy_runtime_api::http::Headers;
use serde_json::Value;

use super::{Failure, seconds};

impl Failure {
    /// What an answer with a status other than 2xx says.
    pub fn refusal(status: u16, headers: &Headers, body: &[u8]) -> Self {
        // A page of a proxy says no more than its status.
        let said: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| said.get(name).and_then(Value::as_str);
        let code = of_the_old_protocol(headers)
            .or_else(|| headers.get("x-amzn-errortype").map(plain))
            .or_else(|| text("code").or_else(|| text("__type")).map(plain))
            .unwrap_or_default();
        let message = ["message", "Message", "errorMessage"];
        let message = message.into_iter().find_map(text).unwrap_or_default();
        let after = headers.get("retry-after").and_then(seconds);
        Self::refused(status, code, message, after)
    }
}

/// SQS's codes of before it spoke JSON, which it says as `code;who` when it is asked to.
fn of_the_old_protocol(headers: &Headers) -> Option<&str> {
    let said = headers.get("x-amzn-query-error")?;
    said.split_once(';').map(|(code, _)| code)
}

/// A code without the namespace before it and the address behind it.
fn plain(code: &str) -> &str {
    let code = code.split(':').next().unwrap_or(code);
    code.split_once('#').map_or(code, |(_, code)| code)
}
