//! AWS's keys that a kind of source does not have, or that nothing here can serve.

use super::source::Family;
use crate::config::cursor::Fields;
use crate::config::error::Report;
use crate::config::tree::Value;

/// A key, the value that says nothing (lists of AWS print some), and what to do about any other.
struct Key {
    name: &'static str,
    neutral: Neutral,
    queue: Reaction,
    stream: Reaction,
}

/// A value that asks for nothing; null always is one.
enum Neutral {
    Int(i64),
    Bool(bool),
    /// Empty text, list or mapping.
    Hollow,
}

#[derive(Clone, Copy)]
enum Reaction {
    /// This kind of source has the key: it is read where it belongs.
    Serve,
    /// It is of other sources only: these.
    Only(&'static str),
    Refuse(&'static str),
    Ignore(&'static str),
}

const RETRIES: &str = "for streams only; how often a queue's message is tried is the maxReceiveCount of the queue's redrive policy; remove it";
const AGE: &str = "for streams only; how long a queue keeps a message is the queue's MessageRetentionPeriod; remove it";
/// AWS's own sentence, and what to do. // spec: 1.6
const DESTINATION: &str = "Unsupported DestinationConfig parameter for given event source mapping type. Failed messages go where the queue's redrive policy says; remove it";
/// In AWS's words, and what to do.
const SCALING: &str = "Unsupported ScalingConfig parameter for given event source mapping type. A stream runs as many batches at once as it has shards, times ParallelizationFactor; remove it";
const PROVISIONED: &str = "no pollers are provisioned here, they follow the backlog; remove it, and cap them by ScalingConfig.MaximumConcurrency";
const PROVISIONED_STREAM: &str =
    "no pollers are provisioned here, each shard has its own; remove it";
const ENCRYPTED: &str =
    "filters stand in this file as plain text; write FilterCriteria and remove the key";
const METRICS: &str = "not needed here: every metric is always exported";
const LOGGING: &str =
    "not needed here: the environment variable RUST_LOG sets the level of the log";
const TAGS: &str = "not kept here: mappings are told apart by Name";

const fn streams(name: &'static str, neutral: Neutral, queue: Reaction) -> Key {
    let stream = Reaction::Serve;
    Key {
        name,
        neutral,
        queue,
        stream,
    }
}

const fn nobody(name: &'static str, reaction: Reaction) -> Key {
    Key {
        name,
        neutral: Neutral::Hollow,
        queue: reaction,
        stream: reaction,
    }
}

const fn per_kind(name: &'static str, queue: Reaction, stream: Reaction) -> Key {
    Key {
        name,
        neutral: Neutral::Hollow,
        queue,
        stream,
    }
}

const STREAMS: Reaction = Reaction::Only("streams");
const KAFKA: Reaction = Reaction::Only("Kafka");
const BROKERS: Reaction = Reaction::Only("message brokers");
const DOCUMENTS: Reaction = Reaction::Only("DocumentDB");

// spec: 1.2
const KEYS: [Key; 21] = [
    streams(
        "DestinationConfig",
        Neutral::Hollow,
        Reaction::Refuse(DESTINATION),
    ),
    streams("StartingPosition", Neutral::Hollow, STREAMS),
    streams("StartingPositionTimestamp", Neutral::Hollow, STREAMS),
    streams("ParallelizationFactor", Neutral::Int(1), STREAMS),
    streams(
        "MaximumRecordAgeInSeconds",
        Neutral::Int(-1),
        Reaction::Refuse(AGE),
    ),
    streams(
        "MaximumRetryAttempts",
        Neutral::Int(-1),
        Reaction::Refuse(RETRIES),
    ),
    streams("BisectBatchOnFunctionError", Neutral::Bool(false), STREAMS),
    streams("TumblingWindowInSeconds", Neutral::Int(0), STREAMS),
    per_kind("ScalingConfig", Reaction::Serve, Reaction::Refuse(SCALING)),
    nobody("Topics", KAFKA),
    nobody("Queues", BROKERS),
    nobody("SourceAccessConfigurations", BROKERS),
    nobody("SelfManagedEventSource", KAFKA),
    nobody("AmazonManagedKafkaEventSourceConfig", KAFKA),
    nobody("SelfManagedKafkaEventSourceConfig", KAFKA),
    nobody("DocumentDBEventSourceConfig", DOCUMENTS),
    per_kind(
        "ProvisionedPollerConfig",
        Reaction::Refuse(PROVISIONED),
        Reaction::Refuse(PROVISIONED_STREAM),
    ),
    nobody("KMSKeyArn", Reaction::Refuse(ENCRYPTED)),
    nobody("MetricsConfig", Reaction::Ignore(METRICS)),
    nobody("LoggingConfig", Reaction::Ignore(LOGGING)),
    nobody("Tags", Reaction::Ignore(TAGS)),
];

/// The names of these keys.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|key| key.name)
}

/// Those of them that this kind of source has.
pub(super) fn served(family: Family) -> impl Iterator<Item = &'static str> {
    KEYS.iter()
        .filter(move |key| matches!(key.reaction(family), Reaction::Serve))
        .map(|key| key.name)
}

/// Reports each of these keys that asks for something which this kind of source has not.
pub(super) fn check(fields: &Fields<'_>, family: Family, report: &mut Report) {
    for key in &KEYS {
        let Some(at) = fields.get(key.name) else {
            continue;
        };
        let neutral = match key.neutral {
            Neutral::Int(neutral) => at.node.value == Value::Int(neutral),
            Neutral::Bool(neutral) => at.node.value == Value::Bool(neutral),
            Neutral::Hollow => at.node.value.hollow(),
        };
        match key.reaction(family) {
            Reaction::Serve => {}
            _ if neutral => {}
            Reaction::Only(kinds) => at.error(
                report,
                format!("for {kinds} only, and this source is {family}; remove it"),
            ),
            Reaction::Refuse(why) => at.error(report, why),
            Reaction::Ignore(why) => at.warn(report, why),
        }
    }
}

impl Key {
    fn reaction(&self, family: Family) -> Reaction {
        match family.is_stream() {
            true => self.stream,
            false => self.queue,
        }
    }
}
