//! Amazon Resource Names of the sources and functions that a mapping may name.

/// `arn:<partition>:<service>:<region>:<account>:<resource>`, split and checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arn {
    /// `aws`, `aws-cn`, `aws-us-gov`, ...
    pub partition: String,
    /// `sqs`, `lambda`, ...
    pub service: String,
    /// `us-east-1`, ...
    pub region: String,
    /// Twelve digits.
    pub account: String,
    /// All that follows the account: for a queue its name.
    pub resource: String,
}

impl std::fmt::Display for Arn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "arn:{}:{}:{}:{}:{}", self.partition, self.service, self.region, self.account, self.resource)
    }
}
