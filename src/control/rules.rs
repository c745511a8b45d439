//! What AWS's shapes do not say: rules between settings, in AWS's order and words, and then the checks of a file. // spec: 1.6

use serde_json::{Value, json};

use super::properties::{Properties, hollow};
use super::refusal::Refusal;
use crate::config::error::ConfigError;
use crate::config::function::FunctionEntry;
use crate::config::mapping::Mapping;
use crate::config::mapping::stream::StartingPosition;
use crate::config::request;

/// The kind of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Queue { fifo: bool },
    Kinesis,
    DynamoDb,
}

/// The mapping that these settings make.
///
/// # Errors
/// The first rule that they break.
pub(super) fn mapping(
    settings: &Properties,
    functions: &[FunctionEntry],
    now_ms: u64,
) -> Result<Mapping, Refusal> {
    let kind = source(settings)?;
    unserved(settings)?;
    foreign(settings, kind)?;
    match kind {
        Kind::Queue { fifo } => batch(settings, fifo)?,
        Kind::Kinesis | Kind::DynamoDb => position(settings, kind)?,
    }
    let mapping = request::mapping(settings.settings(), functions).map_err(translated)?;
    let start = mapping
        .stream
        .as_ref()
        .map(|stream| stream.starting_position);
    match start {
        Some(StartingPosition::AtTimestamp { ms }) if ms > now_ms => Err(Refusal::invalid(
            "StartingPositionTimestamp: it is in the future",
        )),
        Some(_) | None => Ok(mapping),
    }
}

/// An empty ProvisionedPollerConfig clears it in an update, and is an error in a create.
pub(super) fn of_create(given: &Properties) -> Result<(), Refusal> {
    match given.get("ProvisionedPollerConfig") {
        Some(config) if hollow(config) => Err(Refusal::invalid(
            "Either MinimumPollers or MaximumPollers are required if ProvisionedPollerConfig is provided.",
        )),
        Some(_) | None => Ok(()),
    }
}

fn source(settings: &Properties) -> Result<Kind, Refusal> {
    if settings.get("SelfManagedEventSource").is_some() {
        return Err(match settings.get("SourceAccessConfigurations") {
            Some(_) => not_served("self-managed Kafka clusters"),
            None => Refusal::invalid("Required 'sourceAccessConfigurations' parameter is missing."),
        });
    }
    let Some(arn) = settings.text("EventSourceArn") else {
        return Err(unrecognized());
    };
    match arn.split(':').nth(2).unwrap_or_default() {
        "sqs" => Ok(Kind::Queue {
            fifo: arn.ends_with(".fifo"),
        }),
        "kinesis" => Ok(Kind::Kinesis),
        "dynamodb" => Ok(Kind::DynamoDb),
        "kafka" => Err(not_served("Amazon MSK clusters")),
        "mq" => Err(not_served("Amazon MQ brokers")),
        "rds" => Err(not_served("DocumentDB clusters")),
        _ => Err(unrecognized()),
    }
}

fn unrecognized() -> Refusal {
    Refusal::invalid("Unrecognized event source.")
}

fn not_served(what: &str) -> Refusal {
    Refusal::invalid(format!(
        "Sluicegate does not serve {what}: it serves SQS queues, Kinesis streams and DynamoDB streams."
    ))
}

/// AWS's settings that nothing here can follow.
fn unserved(settings: &Properties) -> Result<(), Refusal> {
    if settings.get("KMSKeyArn").is_some() {
        return Err(Refusal::invalid(
            "Sluicegate does not serve KMSKeyArn: filters are kept as plain text.",
        ));
    }
    let Some(pollers) = settings.get("ProvisionedPollerConfig") else {
        return Ok(());
    };
    // spec: 1.2, the defaults of a queue
    let pollers = |key: &str, default| pollers.get(key).and_then(Value::as_i64).unwrap_or(default);
    let (min, max) = (pollers("MinimumPollers", 2), pollers("MaximumPollers", 200));
    let concurrency = settings
        .get("ScalingConfig")
        .is_some_and(|config| !hollow(config));
    Err(Refusal::invalid(if concurrency {
        "Provisioned mode for SQS ESM does not support maximum concurrency feature. Use MaximumPollers as the control mechanism and remove maximum concurrency."
    } else if !(2..=200).contains(&min) || !(min..=10_000).contains(&max) {
        "MinimumPollers should be between [2, 200] and MaximumPollers should be between [MinimumPollers, 10000]"
    } else {
        "Sluicegate does not serve ProvisionedPollerConfig: its pollers follow the backlog, and ScalingConfig.MaximumConcurrency caps them."
    }))
}

/// Settings of streams, each with the value that asks for nothing.
fn of_streams() -> [(&'static str, Value); 8] {
    [
        ("DestinationConfig", Value::Null),
        ("StartingPosition", Value::Null),
        ("StartingPositionTimestamp", Value::Null),
        ("ParallelizationFactor", json!(1)),
        ("MaximumRecordAgeInSeconds", json!(-1)),
        ("MaximumRetryAttempts", json!(-1)),
        ("BisectBatchOnFunctionError", json!(false)),
        ("TumblingWindowInSeconds", json!(0)),
    ]
}

/// Settings of sources that are not served.
const OF_OTHERS: [&str; 6] = [
    "Topics",
    "Queues",
    "SourceAccessConfigurations",
    "AmazonManagedKafkaEventSourceConfig",
    "SelfManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
];

/// What this kind of source does not have.
fn foreign(settings: &Properties, kind: Kind) -> Result<(), Refusal> {
    let asks = |key: &str, neutral: &Value| {
        settings
            .get(key)
            .is_some_and(|value| !hollow(value) && value != neutral)
    };
    let queue = matches!(kind, Kind::Queue { .. });
    let of_streams = of_streams();
    let of_streams = of_streams
        .iter()
        .filter(|(key, neutral)| queue && asks(key, neutral))
        .map(|(key, _)| *key);
    let scaling = ["ScalingConfig"].into_iter().filter(|_| !queue);
    let others = OF_OTHERS
        .into_iter()
        .chain(scaling)
        .filter(|key| asks(key, &Value::Null));
    if let Some(key) = of_streams.chain(others).next() {
        return Err(unsupported(key));
    }
    let on_success = settings
        .get("DestinationConfig")
        .and_then(|config| config.get("OnSuccess"));
    match on_success {
        Some(destination) if !hollow(destination) => Err(unsupported("DestinationConfig")),
        Some(_) | None => Ok(()),
    }
}

fn unsupported(key: &str) -> Refusal {
    Refusal::invalid(format!(
        "Unsupported {key} parameter for given event source mapping type."
    ))
}

const BATCH_OF_ONE_RECEIVE: i64 = 10;

fn batch(settings: &Properties, fifo: bool) -> Result<(), Refusal> {
    let large = settings
        .int("BatchSize")
        .is_some_and(|size| size > BATCH_OF_ONE_RECEIVE);
    let window = settings
        .int("MaximumBatchingWindowInSeconds")
        .unwrap_or_default();
    let refused = match (fifo, large, window > 0) {
        (true, _, true) => "Batching window is not supported for FIFO queues",
        (true, true, false) => "Batch size must not exceed 10 for FIFO queues",
        (false, true, false) => {
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
        }
        (true, false, false) | (false, true, true) | (false, false, _) => return Ok(()),
    };
    Err(Refusal::invalid(refused))
}

fn position(settings: &Properties, kind: Kind) -> Result<(), Refusal> {
    match (settings.text("StartingPosition"), kind) {
        // The service says this and not the model: it is no ValidationException, and ends in a full stop.
        (None, _) => Err(Refusal::invalid(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.",
        )),
        (Some("AT_TIMESTAMP"), Kind::DynamoDb) => {
            let arn = settings.text("EventSourceArn").unwrap_or_default();
            Err(Refusal::invalid(format!(
                "Unsupported starting position for arn type: {arn}"
            )))
        }
        (Some(_), _) => Ok(()),
    }
}

/// So many findings are told of.
const FINDINGS_TOLD_MAX: usize = 10;

/// What the checks of a file found, as an answer.
fn translated(findings: Vec<ConfigError>) -> Refusal {
    let filter = |finding: &ConfigError| finding.path.starts_with("FilterCriteria.Filters[");
    if findings.iter().any(filter) {
        return Refusal::invalid("Invalid filter pattern definition.");
    }
    let told = findings.iter().take(FINDINGS_TOLD_MAX);
    let told: Vec<String> = told.map(ToString::to_string).collect();
    Refusal::invalid(told.join("; "))
}
