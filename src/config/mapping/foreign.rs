//! AWS's keys that an SQS mapping does not have, or that nothing here can serve.

use crate::config::cursor::Fields;
use crate::config::error::Report;
use crate::config::tree::Value;

/// A key, the value that says nothing (lists of AWS print some), and what to do about any other.
pub(super) struct Key {
    pub name: &'static str,
    neutral: Neutral,
    reaction: Reaction,
}

/// A value that asks for nothing; null always is one.
enum Neutral {
    Int(i64),
    Bool(bool),
    /// Empty text, list or mapping.
    Hollow,
}

enum Reaction {
    Refuse(&'static str),
    Ignore(&'static str),
}

const STREAMS_ONLY: &str = "for streams only, and this source is an SQS queue; remove it";
const RETRIES: &str = "for streams only; how often a queue's message is tried is the maxReceiveCount of the queue's redrive policy; remove it";
const AGE: &str = "for streams only; how long a queue keeps a message is the queue's MessageRetentionPeriod; remove it";
const KAFKA_ONLY: &str = "for Kafka only, and this source is an SQS queue; remove it";
const BROKERS_ONLY: &str = "for message brokers only, and this source is an SQS queue; remove it";
const DOCUMENTS_ONLY: &str = "for DocumentDB only, and this source is an SQS queue; remove it";
/// AWS's own sentence, and what to do. // spec: 1.6
const DESTINATION: &str = "Unsupported DestinationConfig parameter for given event source mapping type. Failed messages go where the queue's redrive policy says; remove it";
const PROVISIONED: &str = "no pollers are provisioned here, they follow the backlog; remove it, and cap them by ScalingConfig.MaximumConcurrency";
const ENCRYPTED: &str =
    "filters stand in this file as plain text; write FilterCriteria and remove the key";

const fn refuse(name: &'static str, neutral: Neutral, why: &'static str) -> Key {
    let reaction = Reaction::Refuse(why);
    Key {
        name,
        neutral,
        reaction,
    }
}

const fn ignore(name: &'static str, why: &'static str) -> Key {
    let (neutral, reaction) = (Neutral::Hollow, Reaction::Ignore(why));
    Key {
        name,
        neutral,
        reaction,
    }
}

// spec: 1.2
pub(super) const KEYS: [Key; 20] = [
    refuse("DestinationConfig", Neutral::Hollow, DESTINATION),
    refuse("StartingPosition", Neutral::Hollow, STREAMS_ONLY),
    refuse("StartingPositionTimestamp", Neutral::Hollow, STREAMS_ONLY),
    refuse("ParallelizationFactor", Neutral::Int(1), STREAMS_ONLY),
    refuse("MaximumRecordAgeInSeconds", Neutral::Int(-1), AGE),
    refuse("MaximumRetryAttempts", Neutral::Int(-1), RETRIES),
    refuse(
        "BisectBatchOnFunctionError",
        Neutral::Bool(false),
        STREAMS_ONLY,
    ),
    refuse("TumblingWindowInSeconds", Neutral::Int(0), STREAMS_ONLY),
    refuse("Topics", Neutral::Hollow, KAFKA_ONLY),
    refuse("Queues", Neutral::Hollow, BROKERS_ONLY),
    refuse("SourceAccessConfigurations", Neutral::Hollow, BROKERS_ONLY),
    refuse("SelfManagedEventSource", Neutral::Hollow, KAFKA_ONLY),
    refuse(
        "AmazonManagedKafkaEventSourceConfig",
        Neutral::Hollow,
        KAFKA_ONLY,
    ),
    refuse(
        "SelfManagedKafkaEventSourceConfig",
        Neutral::Hollow,
        KAFKA_ONLY,
    ),
    refuse(
        "DocumentDBEventSourceConfig",
        Neutral::Hollow,
        DOCUMENTS_ONLY,
    ),
    refuse("ProvisionedPollerConfig", Neutral::Hollow, PROVISIONED),
    refuse("KMSKeyArn", Neutral::Hollow, ENCRYPTED),
    ignore(
        "MetricsConfig",
        "not needed here: every metric is always exported",
    ),
    ignore(
        "LoggingConfig",
        "not needed here: the environment variable RUST_LOG sets the level of the log",
    ),
    ignore("Tags", "not kept here: mappings are told apart by Name"),
];

/// Reports each of these keys that asks for something.
pub(super) fn check(fields: &Fields<'_>, report: &mut Report) {
    for key in &KEYS {
        let Some(at) = fields.get(key.name) else {
            continue;
        };
        let neutral = match key.neutral {
            Neutral::Int(neutral) => at.node.value == Value::Int(neutral),
            Neutral::Bool(neutral) => at.node.value == Value::Bool(neutral),
            Neutral::Hollow => at.node.value.hollow(),
        };
        match key.reaction {
            _ if neutral => {}
            Reaction::Refuse(why) => at.error(report, why),
            Reaction::Ignore(why) => at.warn(report, why),
        }
    }
}
