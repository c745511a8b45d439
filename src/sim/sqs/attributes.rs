//! Queue attributes: what may be set, in which bounds, and what they mean.

use std::{collections::BTreeMap, ops::RangeInclusive};

use serde::Deserialize;
use serde_json::Value;

use super::error::{Code, SqsError};

/// The attributes of a queue, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Config {
    pub(super) fifo: bool,
    pub(super) delay_seconds: u32,
    pub(super) visibility_seconds: u32,
    pub(super) wait_seconds: u32,
    pub(super) retention_seconds: u32,
    pub(super) message_bytes_max: usize,
    pub(super) content_deduplication: bool,
    /// Deduplication ids count within their message group only.
    pub(super) deduplication_by_group: bool,
    pub(super) redrive: Option<Redrive>,
}

/// Where messages go that were received too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Redrive {
    /// The name of the dead-letter queue.
    pub(super) target: String,
    /// How many receives a message has.
    pub(super) receives_max: u32,
}

/// The seconds of a visibility timeout: at most 12 hours.
// API: SQS ChangeMessageVisibility, VisibilityTimeout
pub(super) const VISIBILITY_SECONDS: RangeInclusive<u32> = 0..=43_200;
/// The seconds of a long poll.
// API: SQS ReceiveMessage, WaitTimeSeconds
pub(super) const WAIT_SECONDS: RangeInclusive<u32> = 0..=20;
/// The seconds of a delay.
// API: SQS SendMessage, DelaySeconds
pub(super) const DELAY_SECONDS: RangeInclusive<u32> = 0..=900;
// API: SQS SetQueueAttributes, MessageRetentionPeriod
const RETENTION_SECONDS: RangeInclusive<u32> = 60..=1_209_600;
// API: SQS SetQueueAttributes, MaximumMessageSize
const MESSAGE_BYTES: RangeInclusive<u32> = 1_024..=1_048_576;

/// The numeric attributes: name, bounds, default.
// API: SQS SetQueueAttributes
const NUMBERS: [(&str, RangeInclusive<u32>, u32); 5] = [
    ("DelaySeconds", DELAY_SECONDS, 0),
    ("MaximumMessageSize", MESSAGE_BYTES, 1_048_576),
    ("MessageRetentionPeriod", RETENTION_SECONDS, 345_600),
    ("ReceiveMessageWaitTimeSeconds", WAIT_SECONDS, 0),
    ("VisibilityTimeout", VISIBILITY_SECONDS, 30),
];

/// Attributes that are kept and given back without any meaning here.
const KEPT: [&str; 6] = [
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "Policy",
    "RedriveAllowPolicy",
    "SqsManagedSseEnabled",
];

impl Config {
    /// Reads attributes; those that are absent take AWS's defaults.
    ///
    /// # Errors
    /// `InvalidAttributeName` and `InvalidAttributeValue`, as CreateQueue and SetQueueAttributes have them.
    pub(super) fn read(attributes: &BTreeMap<String, String>) -> Result<Self, SqsError> {
        if let Some(name) = attributes.keys().find(|name| !known(name)) {
            return Err(Code::InvalidAttributeName.because(format!("Unknown Attribute {name}.")));
        }
        let mut numbers = [0; 5];
        for (number, (name, bounds, default)) in numbers.iter_mut().zip(&NUMBERS) {
            *number = match attributes.get(*name) {
                None => *default,
                Some(text) => text
                    .parse()
                    .ok()
                    .filter(|n| bounds.contains(n))
                    .ok_or_else(|| invalid(name))?,
            };
        }
        let [
            delay_seconds,
            message_bytes_max,
            retention_seconds,
            wait_seconds,
            visibility_seconds,
        ] = numbers;
        Ok(Self {
            fifo: flag(attributes, "FifoQueue")?,
            delay_seconds,
            visibility_seconds,
            wait_seconds,
            retention_seconds,
            message_bytes_max: message_bytes_max as usize,
            content_deduplication: flag(attributes, "ContentBasedDeduplication")?,
            deduplication_by_group: match attributes.get("DeduplicationScope").map(String::as_str) {
                None | Some("queue") => false,
                Some("messageGroup") => true,
                Some(_) => return Err(invalid("DeduplicationScope")),
            },
            // API: SQS SetQueueAttributes: an empty policy removes it
            redrive: attributes
                .get("RedrivePolicy")
                .filter(|text| !text.is_empty())
                .map(|text| redrive(text))
                .transpose()?,
        })
    }

    /// The values of the attributes that were not set.
    pub(super) fn defaults(&self) -> BTreeMap<String, String> {
        let mut defaults: BTreeMap<String, String> = NUMBERS
            .iter()
            .map(|(name, _, default)| ((*name).to_owned(), default.to_string()))
            .collect();
        defaults.insert("SqsManagedSseEnabled".to_owned(), "true".to_owned());
        if self.fifo {
            for (name, value) in [
                ("ContentBasedDeduplication", "false"),
                ("DeduplicationScope", "queue"),
                ("FifoThroughputLimit", "perQueue"),
            ] {
                defaults.insert(name.to_owned(), value.to_owned());
            }
        }
        defaults
    }
}

/// Whether an attribute of this name may be set.
pub(super) fn known(name: &str) -> bool {
    NUMBERS.iter().any(|(number, ..)| *number == name)
        || KEPT.contains(&name)
        || matches!(
            name,
            "ContentBasedDeduplication" | "DeduplicationScope" | "FifoQueue" | "RedrivePolicy"
        )
}

fn flag(attributes: &BTreeMap<String, String>, name: &str) -> Result<bool, SqsError> {
    match attributes.get(name).map(String::as_str) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(invalid(name)),
    }
}

fn redrive(text: &str) -> Result<Redrive, SqsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Policy {
        dead_letter_target_arn: String,
        /// A number; AWS also takes it as a string.
        max_receive_count: Value,
    }
    let policy: Policy = serde_json::from_str(text).map_err(|_| invalid("RedrivePolicy"))?;
    let receives_max = match &policy.max_receive_count {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    // API: SQS SetQueueAttributes, RedrivePolicy: 1 to 1,000
    let receives_max = receives_max
        .filter(|n| (1..=1000).contains(n))
        .and_then(|n| u32::try_from(n).ok());
    let target = policy
        .dead_letter_target_arn
        .rsplit(':')
        .next()
        .unwrap_or_default()
        .to_owned();
    Ok(Redrive {
        target,
        receives_max: receives_max.ok_or_else(|| invalid("RedrivePolicy"))?,
    })
}

fn invalid(name: &str) -> SqsError {
    Code::InvalidAttributeValue.because(format!("Invalid value for the parameter {name}."))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Code, Config, Redrive};

    fn read(pairs: &[(&str, &str)]) -> Result<Config, Code> {
        let attributes: BTreeMap<String, String> = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Config::read(&attributes).map_err(|error| error.code)
    }

    #[test]
    fn absent_attributes_take_the_defaults_of_aws() {
        let config = read(&[]).unwrap();
        assert_eq!(
            (
                config.visibility_seconds,
                config.wait_seconds,
                config.delay_seconds
            ),
            (30, 0, 0)
        );
        assert_eq!(
            (config.retention_seconds, config.message_bytes_max),
            (345_600, 1_048_576)
        );
        assert_eq!((config.fifo, config.redrive), (false, None));
    }

    #[test]
    fn each_attribute_keeps_its_bounds() {
        for (name, good, bad) in [
            ("VisibilityTimeout", "43200", "43201"),
            ("ReceiveMessageWaitTimeSeconds", "20", "21"),
            ("DelaySeconds", "900", "901"),
            ("MessageRetentionPeriod", "60", "59"),
            ("MaximumMessageSize", "1024", "1023"),
            ("FifoQueue", "true", "yes"),
            ("DeduplicationScope", "messageGroup", "group"),
            ("RedrivePolicy", "", "{}"),
        ] {
            assert!(read(&[(name, good)]).is_ok(), "{name}={good}");
            assert_eq!(
                read(&[(name, bad)]),
                Err(Code::InvalidAttributeValue),
                "{name}={bad}"
            );
        }
        assert_eq!(
            read(&[("Visibility", "1")]),
            Err(Code::InvalidAttributeName)
        );
    }

    #[test]
    fn a_redrive_policy_takes_its_count_as_number_or_text() {
        for count in ["3", "\"3\""] {
            let policy = format!(
                r#"{{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:0:dead","maxReceiveCount":{count}}}"#
            );
            let redrive = read(&[("RedrivePolicy", &policy)]).unwrap().redrive;
            assert_eq!(
                redrive,
                Some(Redrive {
                    target: "dead".to_owned(),
                    receives_max: 3
                })
            );
        }
    }
}
