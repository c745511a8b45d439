//! What only the mapping of a stream has: where it starts, and what becomes of records that fail. // spec: 1.2

mod destination;
mod position;

use std::time::Duration;

use super::extensions::Extensions;
use super::source::{Family, Source};
use crate::config::arn::Arn;
use crate::config::cursor::Fields;
use crate::config::error::Report;
use crate::config::service::seconds;

/// The settings of a mapping whose source is a Kinesis stream or a DynamoDB stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Which of the two.
    pub kind: Kind,
    /// `StartingPosition`: applies once, before there is a checkpoint.
    pub starting_position: StartingPosition,
    /// `ParallelizationFactor`: 1-10 batches of a shard at once, a key's records always in order; 1 by default.
    pub parallelization_factor: u32,
    /// `BisectBatchOnFunctionError`.
    pub bisect: bool,
    /// `MaximumRetryAttempts`: 0-10,000; `None` (AWS: -1) repeats until the records leave the stream.
    pub retries_max: Option<u32>,
    /// `MaximumRecordAgeInSeconds`: 60-604,800 s; `None` (AWS: -1) is no limit.
    pub age_max: Option<Duration>,
    /// `TumblingWindowInSeconds`: 1-900 s; `None` (AWS: 0) is no window.
    pub tumbling_window: Option<Duration>,
    /// `DestinationConfig.OnFailure.Destination`.
    pub on_failure: Option<Destination>,
    /// `Extensions.DiscardOnlyFailing`: when the retries are used up, isolate the records that fail before discarding.
    pub discard_only_failing: bool,
    /// `Extensions.OnFailureIncludePayload`: the event goes into the on-failure record of SQS and SNS too, where it fits.
    pub on_failure_include_payload: bool,
    /// `Extensions.DeaggregateKpl`: records that the Kinesis Producer Library packed into one are delivered one by one. By
    /// default as AWS does it: for a consumer (enhanced fan-out), and not for a stream. // spec: 2.2
    pub deaggregate_kpl: bool,
}

/// A kind of stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A Kinesis stream: its ARN, and the consumer's where the mapping names one (enhanced fan-out).
    Kinesis {
        /// The stream's own ARN.
        stream: Arn,
        /// Whether `EventSourceArn` is that of a consumer of it.
        consumer: bool,
    },
    /// A DynamoDB stream.
    DynamoDb,
}

/// Where a mapping begins to read. // spec: 5.6
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartingPosition {
    /// `TRIM_HORIZON`: at the oldest record of every shard.
    TrimHorizon,
    /// `LATEST`: at what arrives from now on.
    Latest,
    /// `AT_TIMESTAMP`, Kinesis only: at what arrived then or later; milliseconds since 1970.
    AtTimestamp {
        /// Milliseconds since 1970.
        ms: u64,
    },
}

/// Where the record of a discard goes. // spec: 6
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A standard queue.
    Sqs(Arn),
    /// A standard topic.
    Sns(Arn),
    /// A bucket's name.
    S3 {
        /// The ARN as given.
        arn: String,
        /// The bucket's name.
        bucket: String,
    },
}

/// What a mapping says of its stream; which stream that is comes from its ARN.
pub(super) struct Settings {
    starting_position: StartingPosition,
    parallelization_factor: u32,
    bisect: bool,
    retries_max: Option<u32>,
    age_max: Option<Duration>,
    tumbling_window: Option<Duration>,
    on_failure: Option<Destination>,
}

// spec: 1.2
const FACTOR_MAX: i64 = 10;
const RETRIES_MAX: i64 = 10_000;
const AGE_S_MIN: i64 = 60;
const AGE_S_MAX: i64 = 604_800;
const TUMBLING_S_MAX: i64 = 900;
/// In place of a limit: there is none.
const NO_LIMIT: i64 = -1;

/// Every setting is read, also after a wrong one: a run shows all errors.
pub(super) fn read(fields: &Fields<'_>, family: Family, report: &mut Report) -> Option<Settings> {
    let starting_position = position::read(fields, family, report);
    let factor = fields.integer("ParallelizationFactor", 1..=FACTOR_MAX, 1, report);
    let bisect = fields.boolean("BisectBatchOnFunctionError", report);
    let retries = fields.integer(
        "MaximumRetryAttempts",
        NO_LIMIT..=RETRIES_MAX,
        NO_LIMIT,
        report,
    );
    let age = age_s(fields, report);
    let tumbling = fields.integer("TumblingWindowInSeconds", 0..=TUMBLING_S_MAX, 0, report);
    if factor.is_some_and(|factor| factor > 1)
        && tumbling.is_some_and(|window| window > 0)
        && let Some(at) = fields.get("ParallelizationFactor")
    {
        // spec: 1.6, AWS refuses it too; its sentence is not known
        let what = "not together with TumblingWindowInSeconds, whose state is handed from batch to batch of a shard; set one of the two";
        at.error(report, what);
    }
    let on_failure = destination::read(fields, report);
    Some(Settings {
        starting_position: starting_position?,
        parallelization_factor: u32::try_from(factor?).ok()?,
        bisect: bisect?,
        retries_max: u32::try_from(retries?).ok(),
        age_max: limit(age?),
        tumbling_window: limit(tumbling?),
        on_failure: on_failure?,
    })
}

fn age_s(fields: &Fields<'_>, report: &mut Report) -> Option<i64> {
    let Some(at) = fields.get("MaximumRecordAgeInSeconds") else {
        return Some(NO_LIMIT);
    };
    let age = at.integer(NO_LIMIT..=AGE_S_MAX, report)?;
    if (0..AGE_S_MIN).contains(&age) {
        let what = format!(
            "{age} is less than {AGE_S_MIN}; expected {AGE_S_MIN} to {AGE_S_MAX}, or {NO_LIMIT} for no limit"
        );
        at.error(report, what);
        return None;
    }
    Some(age)
}

/// Both ways to say that there is none: -1 and, of windows, 0.
fn limit(count: i64) -> Option<Duration> {
    (count > 0).then(|| seconds(count))
}

impl Settings {
    /// With the source that they are about; `None` for a queue.
    pub fn of(self, source: &Source, extensions: Extensions) -> Option<Stream> {
        let consumed = source.consumed();
        let consumer = consumed.is_some();
        let kind = match source.family {
            Family::Queue { .. } => return None,
            Family::Kinesis => Kind::Kinesis {
                stream: consumed.unwrap_or_else(|| source.arn.clone()),
                consumer,
            },
            Family::DynamoDb => Kind::DynamoDb,
        };
        Some(Stream {
            kind,
            starting_position: self.starting_position,
            parallelization_factor: self.parallelization_factor,
            bisect: self.bisect,
            retries_max: self.retries_max,
            age_max: self.age_max,
            tumbling_window: self.tumbling_window,
            on_failure: self.on_failure,
            discard_only_failing: extensions.discard_only_failing,
            on_failure_include_payload: extensions.on_failure_include_payload,
            deaggregate_kpl: extensions.deaggregate_kpl.unwrap_or(consumer),
        })
    }

    /// What the extensions ask for and these settings never come to.
    pub fn warn_of_idle(&self, extensions: &Extensions, fields: &Fields<'_>, report: &mut Report) {
        let Some(at) = fields.get("Extensions") else {
            return;
        };
        let mut warn = |key: &str, what: &str| at.below(key).warn(report, what);
        if extensions.discard_only_failing && self.retries_max.is_none() {
            let what = "does nothing while MaximumRetryAttempts is -1: no record is ever discarded for failing";
            warn("DiscardOnlyFailing", what);
        }
        if extensions.on_failure_include_payload {
            let what = match self.on_failure {
                Some(Destination::Sqs(_) | Destination::Sns(_)) => return,
                Some(Destination::S3 { .. }) => {
                    "does nothing more: an object in S3 always has the payload"
                }
                None => "does nothing without DestinationConfig.OnFailure.Destination",
            };
            warn("OnFailureIncludePayload", what);
        }
    }
}

impl Destination {
    /// Its ARN, as given.
    pub fn arn(&self) -> String {
        match self {
            Destination::Sqs(arn) | Destination::Sns(arn) => arn.to_string(),
            Destination::S3 { arn, .. } => arn.clone(),
        }
    }
}

impl StartingPosition {
    /// AWS's word.
    pub fn name(self) -> &'static str {
        match self {
            StartingPosition::TrimHorizon => "TRIM_HORIZON",
            StartingPosition::Latest => "LATEST",
            StartingPosition::AtTimestamp { .. } => "AT_TIMESTAMP",
        }
    }
}
