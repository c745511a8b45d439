//! What only the mapping of a stream has: where it starts, and what becomes of records that fail. // spec: 1.2

use std::time::Duration;

use crate::config::arn::Arn;

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
    /// `Extensions.DeaggregateKpl`: records that the Kinesis Producer Library packed into one are delivered one by one.
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
