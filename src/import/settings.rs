//! What of a mapping's settings has a counterpart here: defaults are left out, what has none is noted with the reason.

use super::text::Text;
use super::value::Value;
use super::{Absence, Found, Kind, Note};

/// What is taken over of a mapping.
#[derive(Debug)]
pub(super) struct Settings {
    pub kind: Option<Kind>,
    /// In the order in which they are written.
    pub settings: Vec<(&'static str, Value)>,
    pub notes: Vec<Note>,
}

/// How a setting's value looks.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Number,
    Switch,
    /// A mapping of numbers.
    Numbers,
    /// A list or a mapping: of one that is not known nothing can be written.
    Whole,
}

// spec: 1.2
const KEYS: [(&str, Shape); 17] = [
    ("UUID", Shape::Text),
    ("Enabled", Shape::Switch),
    ("EventSourceArn", Shape::Text),
    ("FunctionName", Shape::Text),
    ("StartingPosition", Shape::Text),
    ("StartingPositionTimestamp", Shape::Number),
    ("BatchSize", Shape::Number),
    ("MaximumBatchingWindowInSeconds", Shape::Number),
    ("ParallelizationFactor", Shape::Number),
    ("TumblingWindowInSeconds", Shape::Number),
    ("FunctionResponseTypes", Shape::Whole),
    ("BisectBatchOnFunctionError", Shape::Switch),
    ("MaximumRetryAttempts", Shape::Number),
    ("MaximumRecordAgeInSeconds", Shape::Number),
    ("DestinationConfig", Shape::Whole),
    ("ScalingConfig", Shape::Numbers),
    ("FilterCriteria", Shape::Whole),
];

/// What AWS prints and nobody sets, or what was read already when the others are; and what a running service prints beside
/// it. // spec: 1.3
const READ_ONLY: [&str; 10] = [
    "FunctionArn",
    "EventSourceMappingArn",
    "State",
    "StateTransitionReason",
    "LastModified",
    "LastProcessingResult",
    "FilterCriteriaError",
    "Name",
    "Paused",
    "DefinedIn",
];

/// Sorts what was found; the reason where nothing of it can be taken over.
pub(super) fn sort(found: &Found) -> Result<Settings, Absence> {
    if let Some(absence) = &found.absent {
        return Err(absence.clone());
    }
    let kind = kind(found);
    if let Some(Kind::Foreign(what)) = kind {
        return Err(Absence::Unknown(format!(
            "{what} is no source here; SQS queues, Kinesis streams and DynamoDB streams are"
        )));
    }
    if let Some(error) = found
        .get("FilterCriteriaError")
        .filter(|value| !value.hollow())
    {
        let why = error.get("Message").and_then(Value::known).unwrap_or("");
        return Err(Absence::Unknown(format!(
            "AWS could not show its filter, without which the function would get what the filter keeps away: {why}"
        )));
    }
    let mut settings = Vec::new();
    for (key, shape) in KEYS {
        let Some(value) = given(key, found) else {
            continue;
        };
        let value = shaped(value, shape);
        if let (Shape::Whole | Shape::Numbers, Value::Text(text)) = (shape, &value)
            && let Some(variable) = text.variables().next()
        {
            let what = &variable.stands_for;
            return Err(Absence::Unknown(format!("{key} can not be known: {what}")));
        }
        if !says_nothing(key, &value, kind) {
            settings.push((key, pruned(value)));
        }
    }
    let mut notes = found.notes.clone();
    for (key, value) in &found.settings {
        let taken = KEYS.iter().any(|(name, _)| name == key) || READ_ONLY.contains(&key.as_str());
        if !taken && !value.hollow() {
            notes.push(left_out(key, kind));
        }
    }
    Ok(Settings {
        kind,
        settings,
        notes,
    })
}

fn given(key: &str, found: &Found) -> Option<Value> {
    let value = found.get(key).cloned();
    match key {
        "FunctionName" => value.or_else(|| found.get("FunctionArn").cloned()),
        "Enabled" => value.or_else(|| {
            let state = found.get("State").and_then(Value::known)?;
            // spec: 1.4
            let off = matches!(state, "Disabling" | "Disabled" | "Deleting");
            Some(Value::Bool(!off))
        }),
        _ => value,
    }
}

fn shaped(value: Value, shape: Shape) -> Value {
    match shape {
        Shape::Number => value.as_number(),
        Shape::Switch => value.as_boolean(),
        // A name of digits, or a pattern that is written as a number, is text all the same.
        Shape::Text => match value {
            Value::Int(number) => Value::text(&number.to_string()),
            value => value,
        },
        Shape::Numbers => match value {
            Value::Map(entries) => {
                let entries = entries.into_iter();
                Value::Map(
                    entries
                        .map(|(key, value)| (key, value.as_number()))
                        .collect(),
                )
            }
            value => value,
        },
        Shape::Whole => value,
    }
}

/// What the source is: by its ARN, by what reads it, or by settings that only such a source has.
fn kind(found: &Found) -> Option<Kind> {
    let set = |key: &str| found.get(key).is_some_and(|value| !value.hollow());
    let by_arn = match found.get("EventSourceArn") {
        Some(Value::Text(arn)) => service(arn),
        Some(_) | None => None,
    };
    if set("SelfManagedEventSource") {
        return Some(Kind::Foreign("a Kafka cluster of your own"));
    }
    let foreign = [
        ("DocumentDBEventSourceConfig", DOCUMENTS),
        ("Queues", BROKER),
        ("Topics", KAFKA),
        ("AmazonManagedKafkaEventSourceConfig", KAFKA),
    ];
    let by_setting = || {
        let found = foreign.into_iter().find(|(key, _)| set(key));
        found.map(|(_, what)| Kind::Foreign(what))
    };
    by_arn.or(found.kind).or_else(by_setting)
}

const KAFKA: &str = "an Amazon MSK cluster";
const BROKER: &str = "an Amazon MQ broker";
const DOCUMENTS: &str = "a DocumentDB cluster";

fn service(arn: &Text) -> Option<Kind> {
    let filled = arn.filled(&|variable| {
        let sample = variable.sample.clone();
        sample.unwrap_or_else(|| "x".to_owned())
    });
    Some(match filled.split(':').nth(2)? {
        "sqs" => Kind::Queue,
        "kinesis" => Kind::Kinesis,
        "dynamodb" => Kind::DynamoDb,
        "kafka" => Kind::Foreign(KAFKA),
        "mq" => Kind::Foreign(BROKER),
        "rds" => Kind::Foreign(DOCUMENTS),
        _ => return None,
    })
}

/// A default, or nothing at all. // spec: 1.2
fn says_nothing(key: &str, value: &Value, kind: Option<Kind>) -> bool {
    match (key, value) {
        ("Enabled", value) => *value == Value::Bool(true),
        ("BisectBatchOnFunctionError", value) => *value == Value::Bool(false),
        ("BatchSize", Value::Int(size)) => match kind {
            Some(Kind::Queue) => *size == 10,
            Some(Kind::Kinesis | Kind::DynamoDb) => *size == 100,
            Some(Kind::Foreign(_)) | None => false,
        },
        ("MaximumBatchingWindowInSeconds" | "TumblingWindowInSeconds", Value::Int(0))
        | ("ParallelizationFactor", Value::Int(1))
        | ("MaximumRetryAttempts" | "MaximumRecordAgeInSeconds", Value::Int(-1)) => true,
        (_, value) => value.hollow(),
    }
}

/// Without the entries that say nothing, such as `OnSuccess: {}`.
fn pruned(value: Value) -> Value {
    match value {
        Value::Map(entries) => {
            let kept = entries.into_iter().filter(|(_, value)| !value.hollow());
            Value::Map(kept.map(|(key, value)| (key, pruned(value))).collect())
        }
        Value::List(items) => Value::List(items.into_iter().map(pruned).collect()),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) => value,
    }
}

fn left_out(key: &str, kind: Option<Kind>) -> Note {
    match key {
        "ProvisionedPollerConfig" => match kind {
            Some(Kind::Kinesis | Kind::DynamoDb) => Note::lost(
                "ProvisionedPollerConfig is left out: no pollers are provisioned here, each shard has its own",
            ),
            Some(Kind::Queue | Kind::Foreign(_)) | None => Note::lost(
                "ProvisionedPollerConfig is left out: no pollers are provisioned here, they follow the backlog; ScalingConfig.MaximumConcurrency caps them",
            ),
        },
        "KMSKeyArn" => {
            Note::lost("KMSKeyArn is left out: filters stand in this file as plain text")
        }
        "Tags" => Note::lost("Tags are left out: mappings are told apart by Name"),
        "MetricsConfig" => {
            Note::remark("MetricsConfig is left out: every metric is always exported")
        }
        "LoggingConfig" => Note::remark(
            "LoggingConfig is left out: the environment variable RUST_LOG sets the level of the log",
        ),
        key => Note::lost(format!("{key} is left out: nothing here has it")),
    }
}
