//! `Functions`: functions that run elsewhere than in AWS Lambda, and how a mapping names its function.

use std::time::Duration;

/// An entry of `Functions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionEntry {
    /// The key: a function name or ARN.
    pub key: String,
    /// `Http.Url`: where the event is posted.
    pub url: String,
    /// `TimeoutInSeconds`, 1 to 900, 60 by default: after that the invocation counts as a function error.
    pub timeout: Duration,
}

/// Where a mapping's function runs, resolved against `Functions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// AWS Lambda's Invoke API.
    Lambda {
        /// Name or ARN without qualifier, as Invoke takes it.
        function: String,
        /// Version or alias.
        qualifier: Option<String>,
        /// The function's region: that of its ARN, else that of the source.
        region: String,
    },
    /// The event is posted to a URL; the reply is read as Lambda's Invoke API is read.
    Http { url: String, timeout: Duration },
}
