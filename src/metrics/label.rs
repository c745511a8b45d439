//! The values that a label may have: closed lists, so that the number of series is known from the configuration.

/// An enum of which every value is known, each with the text that a label shows.
pub trait Label: Copy + 'static {
    /// Every value, in the order of declaration.
    const ALL: &'static [Self];

    /// As the label's value.
    fn label(self) -> &'static str;

    /// Place in `ALL`.
    fn index(self) -> usize;
}

/// Declares an enum and its texts in one list, so that none can be forgotten in the other.
macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$value_doc])* $value,)* }

        impl Label for $name {
            const ALL: &'static [Self] = &[$(Self::$value,)*];

            fn label(self) -> &'static str {
                match self { $(Self::$value => $text,)* }
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

labels! {
    /// How an invocation ended.
    Outcome {
        /// Everything in the batch was handled.
        Success = "success",
        /// The function named messages that failed, and handled the rest.
        Partial = "partial",
        /// It ran and failed, or its answer cannot be read.
        FunctionError = "function_error",
        /// It did not run: too many invocations.
        Throttled = "throttled",
        /// It did not run, or nobody can know: the service failed.
        ServiceError = "service_error",
        /// It ran out of time.
        Timeout = "timeout",
    }
}

impl Outcome {
    /// The function ran: its duration says something about the function.
    pub fn ran(self) -> bool {
        match self {
            Self::Success | Self::Partial | Self::FunctionError | Self::Timeout => true,
            Self::Throttled | Self::ServiceError => false,
        }
    }
}

labels! {
    /// A call to a source, by AWS's name: what a bill counts.
    Operation {
        /// One receive, long poll or not.
        ReceiveMessage = "ReceiveMessage",
        /// One batch of up to ten deletes.
        DeleteMessageBatch = "DeleteMessageBatch",
        /// One batch of up to ten extensions or hand-backs.
        ChangeMessageVisibilityBatch = "ChangeMessageVisibilityBatch",
        /// The queue's address, asked at the start.
        GetQueueUrl = "GetQueueUrl",
        /// The queue's visibility time-out.
        GetQueueAttributes = "GetQueueAttributes",
        /// What a Kinesis stream is: its retention.
        DescribeStreamSummary = "DescribeStreamSummary",
        /// Whether a consumer of a Kinesis stream is active (enhanced fan-out).
        DescribeStreamConsumer = "DescribeStreamConsumer",
        /// One page of a Kinesis stream's shards.
        ListShards = "ListShards",
        /// One page of a DynamoDB stream's shards, and what the stream is.
        DescribeStream = "DescribeStream",
        /// A place in a shard to read from.
        GetShardIterator = "GetShardIterator",
        /// One read of a shard.
        GetRecords = "GetRecords",
        /// One subscription to a shard, of at most five minutes (enhanced fan-out).
        SubscribeToShard = "SubscribeToShard",
    }
}

impl Operation {
    /// The kind of source that has it.
    pub fn source(self) -> Source {
        match self {
            Self::ReceiveMessage
            | Self::DeleteMessageBatch
            | Self::ChangeMessageVisibilityBatch
            | Self::GetQueueUrl
            | Self::GetQueueAttributes => Source::Queue,
            Self::DescribeStreamSummary
            | Self::DescribeStreamConsumer
            | Self::ListShards
            | Self::DescribeStream
            | Self::GetShardIterator
            | Self::GetRecords
            | Self::SubscribeToShard => Source::Stream,
        }
    }
}

/// What a mapping reads: series that make no sense for it are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An SQS queue.
    Queue,
    /// A Kinesis stream or a DynamoDB stream.
    Stream,
}

labels! {
    /// Why records of a stream were discarded without an on-failure record of them.
    Dropped {
        /// `MaximumRetryAttempts` are used up.
        RetryAttemptsExhausted = "retry_attempts_exhausted",
        /// Older than `MaximumRecordAgeInSeconds`.
        RecordAgeExceeded = "record_age_exceeded",
        /// Older than the stream keeps its records.
        ExpiredAtSource = "expired_at_source",
    }
}

labels! {
    /// How an attempt to deliver an on-failure record ended.
    DeliveryOutcome {
        /// The destination has it.
        Success = "success",
        /// It is tried again.
        Failure = "failure",
    }
}

labels! {
    /// How an attempt to write a checkpoint ended.
    CommitOutcome {
        /// It is on the disk.
        Success = "success",
        /// Somebody else owns the shard now.
        Stale = "stale",
        /// The store can not be written.
        Failure = "failure",
    }
}

labels! {
    /// How a call to a source ended.
    RequestOutcome {
        /// Done.
        Success = "success",
        /// Done for some entries of the batch, refused for others.
        Partial = "partial",
        /// Too many calls.
        Throttled = "throttled",
        /// Anything else.
        Error = "error",
    }
}

labels! {
    /// Why a message that was received is not invoked with, nor dropped.
    PassedOver {
        /// It is in hand already; the copy only lends its newer receipt.
        Duplicate = "duplicate",
        /// Another batch holds messages of its FIFO group: it is left to the queue.
        GroupBusy = "group_busy",
        /// It came incomplete or corrupt: it is left to the queue.
        Unusable = "unusable",
    }
}

labels! {
    /// Why an answer of a function cannot be read although it should report failed items.
    Malformed {
        /// It is no JSON, or has a key twice.
        NotJson = "not_json",
        /// A value has not the type that it should have: an entry is no object, the list is no list.
        WrongType = "wrong_type",
        /// An entry has no `itemIdentifier`, or an empty one, or null.
        NoIdentifier = "no_identifier",
        /// An entry names no message of the batch.
        UnknownIdentifier = "unknown_identifier",
    }
}

labels! {
    /// A mapping's state, in AWS's words where AWS has one. // spec: 1.4
    State {
        /// Not yet started.
        Creating = "Creating",
        /// It was disabled, and is being started.
        Enabling = "Enabling",
        /// It polls, or waits for work.
        Enabled = "Enabled",
        /// Started and unable to go on for now: the reason says why. AWS calls this `Enabled`.
        Failing = "Failing",
        /// It settles what is in hand, and goes on with other settings.
        Updating = "Updating",
        /// It settles what is in hand and reads no more.
        Disabling = "Disabling",
        /// It does nothing.
        Disabled = "Disabled",
        /// It settles what is in hand, and is gone then.
        Deleting = "Deleting",
    }
}
