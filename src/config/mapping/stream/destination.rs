//! `DestinationConfig`: where the record of a discard goes. // spec: 1.2, 6

use super::Destination;
use crate::config::arn::Arn;
use crate::config::cursor::{At, Fields};
use crate::config::error::{Report, quoted};
use crate::config::mapping::source::is_queue_name;

// spec: 1.2
const DESTINATION_CHARS_MAX: usize = 350;

const EXPECTED: &str = "expected the ARN of a standard queue, a standard topic or a bucket, such as arn:aws:sqs:us-east-1:123456789012:failed";

/// `Some(None)` where there is none: no `DestinationConfig`, `{}`, and an empty text are the same. The region of a queue
/// or a topic may be another than the stream's.
pub(super) fn read(fields: &Fields<'_>, report: &mut Report) -> Option<Option<Destination>> {
    let Some(config) = fields.get("DestinationConfig") else {
        return Some(None);
    };
    let config = config.fields(&["OnFailure", "OnSuccess"], report)?;
    if let Some(at) = config.get("OnSuccess").filter(|at| !at.node.value.hollow()) {
        // spec: 1.6, 14: AWS's own sentence
        let what = "Unsupported DestinationConfig parameter for given event source mapping type. A stream's mapping has OnFailure only; remove it";
        at.error(report, what);
    }
    let Some(on_failure) = config.get("OnFailure") else {
        return Some(None);
    };
    let Some(at) = on_failure
        .fields(&["Destination"], report)?
        .get("Destination")
    else {
        return Some(None);
    };
    match at.text(report)? {
        "" => Some(None),
        text => destination(&at, text, report).map(Some),
    }
}

fn destination(at: &At<'_>, text: &str, report: &mut Report) -> Option<Destination> {
    match parse(text) {
        Ok(destination) => Some(destination),
        Err(what) => {
            at.error(report, what);
            None
        }
    }
}

fn parse(text: &str) -> Result<Destination, String> {
    let length = text.chars().count();
    if length > DESTINATION_CHARS_MAX {
        return Err(format!(
            "{length} characters; a destination has at most {DESTINATION_CHARS_MAX}"
        ));
    }
    let found = quoted(text);
    if text.starts_with("kafka://") {
        return Err(format!(
            "{found} is a topic of Kafka, for sources of Kafka only; {EXPECTED}"
        ));
    }
    if let Some(bucket) = bucket(text) {
        return match is_bucket_name(bucket) {
            true => Ok(Destination::S3 {
                arn: text.to_owned(),
                bucket: bucket.to_owned(),
            }),
            false => Err(format!(
                "{found} is no ARN of a bucket; expected arn:aws:s3::: and 3 to 63 lowercase letters, digits, - and ., without a key"
            )),
        };
    }
    let arn: Arn = text
        .parse()
        .map_err(|error| format!("{error}; {EXPECTED}"))?;
    let fifo = arn.resource.ends_with(".fifo");
    let service = arn.service.as_str();
    match service {
        "sqs" | "sns" if arn.region.is_empty() => {
            Err(format!("{found} names no region; {EXPECTED}"))
        }
        "sqs" if fifo => Err(format!(
            "{found} is a FIFO queue, which is no destination of failures; use a standard queue"
        )),
        "sns" if fifo => Err(format!(
            "{found} is a FIFO topic, which is no destination of failures; use a standard topic"
        )),
        "sqs" if is_queue_name(&arn.resource) => Ok(Destination::Sqs(arn)),
        "sns" if is_topic_name(&arn.resource) => Ok(Destination::Sns(arn)),
        "sqs" => Err(format!("{found} is no ARN of a queue; {EXPECTED}")),
        "sns" => Err(format!("{found} is no ARN of a topic; {EXPECTED}")),
        _ => Err(format!("{found} is no destination; {EXPECTED}")),
    }
}

/// The last part of `arn:aws:s3:::bucket`: the ARN of a bucket has neither region nor account.
fn bucket(text: &str) -> Option<&str> {
    let (partition, rest) = text.strip_prefix("arn:")?.split_once(':')?;
    let labels = partition
        .chars()
        .all(|c| c.is_ascii_lowercase() || c == '-');
    let rest = rest.strip_prefix("s3:")?;
    (partition.starts_with("aws") && labels).then(|| rest.strip_prefix("::").unwrap_or(""))
}

fn is_bucket_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.chars().all(|c| inner(c) || matches!(c, '-' | '.'))
        && name.starts_with(inner)
        && name.ends_with(inner)
}

const TOPIC_NAME_CHARS_MAX: usize = 256;

fn is_topic_name(name: &str) -> bool {
    let letters = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    (1..=TOPIC_NAME_CHARS_MAX).contains(&name.len()) && letters
}
