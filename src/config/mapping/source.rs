//! `EventSourceArn`: which source a mapping reads, and of which kind it is.

use std::fmt;

use crate::config::arn::Arn;
use crate::config::cursor::{At, Fields};
use crate::config::error::{Report, quoted};
use crate::model::filter;

/// The kind of a source: it decides which settings a mapping has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Queue { fifo: bool },
    Kinesis,
    DynamoDb,
}

/// A source that is served here, its ARN checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub arn: Arn,
    pub family: Family,
}

/// What `EventSourceArn` names.
pub(super) enum Found {
    Served(Source),
    /// A source of events of a kind that is not served; reported.
    Unserved,
    /// No ARN, or a wrong one; reported. Its kind, where that can be told, judges the other settings.
    Wrong(Option<Family>),
}

const QUEUE_EXAMPLE: &str = "arn:aws:sqs:us-east-1:123456789012:orders";
const KINESIS_EXAMPLE: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks";
const DYNAMODB_EXAMPLE: &str =
    "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-09-17T12:00:00.000";
const SERVED: &str = "served are SQS queues, Kinesis streams and DynamoDB streams";

pub(super) fn read(fields: &Fields<'_>, report: &mut Report) -> Found {
    let Some(at) = fields.get("EventSourceArn") else {
        if let Some(at) = fields
            .get("SelfManagedEventSource")
            .filter(|at| !at.node.value.hollow())
        {
            at.error(report, format!("a self-managed Kafka cluster; {SERVED}"));
            return Found::Unserved;
        }
        // spec: 1.6, AWS's own sentence
        let what = format!(
            "Unrecognized event source. EventSourceArn is missing: the ARN of a queue or a stream, such as {QUEUE_EXAMPLE}"
        );
        fields.at.error(report, what);
        return Found::Wrong(None);
    };
    let Some(text) = at.text(report) else {
        return Found::Wrong(None);
    };
    // Of a broken ARN, too: its other settings are judged by what was meant.
    let service = text.split(':').nth(2).unwrap_or_default();
    let family = Family::of(service, text);
    let arn: Arn = match text.parse() {
        Ok(arn) => arn,
        Err(error) => {
            at.error(report, format!("{error}; {}", expected(family)));
            return Found::Wrong(family);
        }
    };
    let Some(family) = family else {
        let kind = other_kind(&arn.service);
        at.error(report, format!("{} is {kind}; {SERVED}", quoted(text)));
        return Found::Unserved;
    };
    match check(&at, &arn, family, report) {
        Some(()) => Found::Served(Source { arn, family }),
        None => Found::Wrong(Some(family)),
    }
}

fn expected(family: Option<Family>) -> String {
    let example = match family {
        Some(Family::Queue { .. }) | None => QUEUE_EXAMPLE,
        Some(Family::Kinesis) => KINESIS_EXAMPLE,
        Some(Family::DynamoDb) => DYNAMODB_EXAMPLE,
    };
    format!("expected such as {example}")
}

fn other_kind(service: &str) -> &'static str {
    match service {
        "kafka" => "an Amazon MSK cluster",
        "mq" => "an Amazon MQ broker",
        "rds" => "a DocumentDB cluster",
        _ => "no source of events",
    }
}

fn check(at: &At<'_>, arn: &Arn, family: Family, report: &mut Report) -> Option<()> {
    let what = if arn.region.is_empty() {
        let found = quoted(&arn.to_string());
        format!("{found} names no region; {}", expected(Some(family)))
    } else {
        match family {
            Family::Queue { .. } if is_queue_name(&arn.resource) => return Some(()),
            Family::Kinesis if is_stream(&arn.resource) => return Some(()),
            Family::DynamoDb if is_table_stream(&arn.resource) => return Some(()),
            Family::Queue { .. } => format!(
                "{} is no name of a queue; expected 1 to 80 letters, digits, - and _, with .fifo at the end of a FIFO queue's",
                quoted(&arn.resource)
            ),
            Family::Kinesis => format!(
                "{} is no stream; expected stream/NAME, or stream/NAME/consumer/NAME:NUMBER for a registered consumer of it",
                quoted(&arn.resource)
            ),
            Family::DynamoDb if is_table(&arn.resource) => format!(
                "{} is a table; expected its stream, table/NAME/stream/LABEL, which is the table's LatestStreamArn",
                quoted(&arn.resource)
            ),
            Family::DynamoDb => format!(
                "{} is no stream of a table; expected table/NAME/stream/LABEL",
                quoted(&arn.resource)
            ),
        }
    };
    at.error(report, what);
    None
}

const QUEUE_NAME_CHARS_MAX: usize = 80;

/// The name of a standard queue or, with its ending, of a FIFO queue.
pub(super) fn is_queue_name(resource: &str) -> bool {
    let name = resource.strip_suffix(".fifo").unwrap_or(resource);
    let letters = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    !name.is_empty() && letters && resource.len() <= QUEUE_NAME_CHARS_MAX
}

const STREAM_NAME_CHARS_MAX: usize = 128;
const TABLE_NAME_CHARS_MAX: usize = 255;

/// `stream/NAME`, or a consumer's `stream/NAME/consumer/NAME:EPOCH`.
fn is_stream(resource: &str) -> bool {
    let name = |text: &str| is_name(text, STREAM_NAME_CHARS_MAX);
    match resource.split('/').collect::<Vec<_>>().as_slice() {
        ["stream", stream] => name(stream),
        ["stream", stream, "consumer", consumer] => {
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            let consumer = consumer.split_once(':');
            name(stream)
                && consumer.is_some_and(|(consumer, registered)| {
                    name(consumer) && !registered.is_empty() && digits(registered)
                })
        }
        _ => false,
    }
}

fn is_table_stream(resource: &str) -> bool {
    match resource.split('/').collect::<Vec<_>>().as_slice() {
        ["table", table, "stream", label] => {
            is_name(table, TABLE_NAME_CHARS_MAX) && !label.is_empty()
        }
        _ => false,
    }
}

fn is_table(resource: &str) -> bool {
    match resource.split('/').collect::<Vec<_>>().as_slice() {
        ["table", table] => is_name(table, TABLE_NAME_CHARS_MAX),
        _ => false,
    }
}

fn is_name(text: &str, chars_max: usize) -> bool {
    let letters = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    (1..=chars_max).contains(&text.len()) && letters
}

impl Family {
    fn of(service: &str, arn: &str) -> Option<Family> {
        match service {
            "sqs" => Some(Family::Queue {
                fifo: arn.ends_with(".fifo"),
            }),
            "kinesis" => Some(Family::Kinesis),
            "dynamodb" => Some(Family::DynamoDb),
            _ => None,
        }
    }

    pub fn is_stream(self) -> bool {
        match self {
            Family::Queue { .. } => false,
            Family::Kinesis | Family::DynamoDb => true,
        }
    }

    /// Whose records filters are asked about.
    pub fn filtered(self) -> filter::Source {
        match self {
            Family::Queue { .. } => filter::Source::Sqs,
            Family::Kinesis => filter::Source::Kinesis,
            Family::DynamoDb => filter::Source::DynamoDb,
        }
    }
}

/// As a message calls such a source.
impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::Queue { .. } => "an SQS queue",
            Family::Kinesis => "a Kinesis stream",
            Family::DynamoDb => "a DynamoDB stream",
        })
    }
}

impl Source {
    /// The name of the queue, the stream or the table.
    pub fn name(&self) -> &str {
        match self.family {
            Family::Queue { .. } => &self.arn.resource,
            Family::Kinesis | Family::DynamoDb => {
                self.arn.resource.split('/').nth(1).unwrap_or_default()
            }
        }
    }

    /// The ARN of the stream that a consumer is registered with.
    pub fn consumed(&self) -> Option<Arn> {
        let (stream, _) = self.arn.resource.split_once("/consumer/")?;
        let resource = stream.to_owned();
        let consumed = Arn {
            resource,
            ..self.arn.clone()
        };
        (self.family == Family::Kinesis).then_some(consumed)
    }
}
