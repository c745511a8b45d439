//! Amazon Resource Names of the sources and functions that a mapping may name.

use std::fmt;
use std::str::FromStr;

use super::error::quoted;

/// `arn:<partition>:<service>:<region>:<account>:<resource>`, split and checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arn {
    /// `aws`, `aws-cn`, `aws-us-gov`, ...
    pub partition: String,
    /// `sqs`, `lambda`, ...
    pub service: String,
    /// `us-east-1`, ...; empty for what has no region, such as a role.
    pub region: String,
    /// Twelve digits.
    pub account: String,
    /// All that follows the account: for a queue its name.
    pub resource: String,
}

/// Why a text is no ARN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArnError {
    /// Not six parts, or the first is not `arn`.
    #[error("{0} is no ARN")]
    Shape(String),
    /// A part is empty or holds what it cannot hold.
    #[error("{arn} is no ARN: {found} is no {part}")]
    Part {
        /// The whole text, quoted.
        arn: String,
        /// The part, quoted.
        found: String,
        /// What the part should be.
        part: &'static str,
    },
}

/// Longer texts are no ARN of a source, a function or a role.
const ARN_CHARS_MAX: usize = 2048;

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let shape = || ArnError::Shape(quoted(text));
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().ok_or_else(shape);
        let (scheme, partition, service, region, account, resource) =
            (next()?, next()?, next()?, next()?, next()?, next()?);
        if scheme != "arn" || text.len() > ARN_CHARS_MAX {
            return Err(shape());
        }
        let label = |text: &str| !text.is_empty() && text.chars().all(is_label);
        let resource_holds = !resource.is_empty() && resource.chars().all(|c| c.is_ascii_graphic());
        let checks = [
            (
                partition.starts_with("aws") && label(partition),
                partition,
                "partition",
            ),
            (label(service), service, "service"),
            (region.chars().all(is_label), region, "region"),
            (is_account(account), account, "account of 12 digits"),
            (resource_holds, resource, "resource"),
        ];
        for (holds, found, part) in checks {
            if !holds {
                let (arn, found) = (quoted(text), quoted(found));
                return Err(ArnError::Part { arn, found, part });
            }
        }
        Ok(Arn {
            partition: partition.to_owned(),
            service: service.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            resource: resource.to_owned(),
        })
    }
}

fn is_label(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}

/// An AWS account: twelve digits.
pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The name of a region, as far as its letters go: new regions appear, and local servers have names of their own.
pub(super) fn is_region(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_label)
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Arn {
            partition,
            service,
            region,
            account,
            resource,
        } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_is_split_and_put_together_again() {
        let cases = [
            "arn:aws:sqs:us-east-1:123456789012:orders.fifo",
            "arn:aws-cn:lambda:cn-north-1:000000000000:function:f:live",
            "arn:aws-us-gov:dynamodb:us-gov-west-1:123456789012:table/t/stream/2026-01-01T00:00:00.000",
            "arn:aws:iam::123456789012:role/service-role/r",
        ];
        for text in cases {
            assert_eq!(text.parse::<Arn>().unwrap().to_string(), text);
        }
        let arn: Arn = cases[2].parse().unwrap();
        assert_eq!(arn.resource, "table/t/stream/2026-01-01T00:00:00.000");
    }

    #[test]
    fn what_is_no_arn_is_refused_with_its_part() {
        let cases = [
            ("", "\"\" is no ARN"),
            ("orders", "\"orders\" is no ARN"),
            (
                "ARN:aws:sqs:r:123456789012:q",
                "\"ARN:aws:sqs:r:123456789012:q\" is no ARN",
            ),
            (
                "arn:gcp:sqs:r:123456789012:q",
                "\"arn:gcp:sqs:r:123456789012:q\" is no ARN: \"gcp\" is no partition",
            ),
            (
                "arn:aws:SQS:r:123456789012:q",
                "\"arn:aws:SQS:r:123456789012:q\" is no ARN: \"SQS\" is no service",
            ),
            (
                "arn:aws:sqs:us east:123456789012:q",
                "\"arn:aws:sqs:us east:123456789012:q\" is no ARN: \"us east\" is no region",
            ),
            (
                "arn:aws:sqs:r:12345:q",
                "\"arn:aws:sqs:r:12345:q\" is no ARN: \"12345\" is no account of 12 digits",
            ),
            (
                "arn:aws:sqs:r:123456789012:",
                "\"arn:aws:sqs:r:123456789012:\" is no ARN: \"\" is no resource",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Arn>().unwrap_err().to_string(), expected);
        }
    }
}
