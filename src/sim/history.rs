//! The ledger: what happened in the world, in order, with its virtual time. Tests judge a run by it.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;

use super::{
    crash::CrashPoint,
    faults::{Fault, Operation},
};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Virtual time since the world began.
    pub at: Duration,
    /// What happened.
    pub event: Event,
}

/// What can happen. Queues, streams and functions are given by name, messages by their message id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The field names are the whole story.
pub enum Event {
    /// A message entered a queue.
    Sent {
        queue: String,
        id: String,
        group: Option<String>,
    },
    /// A receive handed a message out; `count` is its ApproximateReceiveCount, `visibility` what the receive asked for.
    Received {
        queue: String,
        id: String,
        count: u32,
        visibility: Duration,
    },
    /// The visibility timeout of a received message ran out.
    Reappeared { queue: String, id: String },
    /// ChangeMessageVisibility took effect; zero hands the message back at once.
    VisibilityChanged {
        queue: String,
        id: String,
        visibility: Duration,
    },
    /// A message was deleted by its consumer.
    Deleted { queue: String, id: String },
    /// A message was dropped because it outlived the retention period.
    Expired { queue: String, id: String },
    /// A message had its maxReceiveCount of receives and went to the dead-letter queue.
    MovedToDlq {
        queue: String,
        dlq: String,
        id: String,
    },
    /// A queue was emptied, or deleted with what was in it.
    Purged { queue: String },
    /// A change of an item entered a DynamoDB stream, given by ARN; `keys` is the item's key as JSON.
    Streamed {
        stream: String,
        shard: String,
        sequence_number: String,
        event_name: &'static str,
        keys: String,
    },
    /// Records outlived the retention period, or were trimmed on purpose; `through` is the last sequence number that went.
    RecordsTrimmed {
        stream: String,
        shard: String,
        count: usize,
        through: String,
    },
    /// A message was published to an SNS topic.
    Published { topic: String, message_id: String },
    /// An object was put into an S3 bucket.
    Stored { bucket: String, key: String },
    /// A function started. `message_ids` are the ids of the event's SQS records, in order.
    Invoked {
        function: String,
        request_id: String,
        message_ids: Vec<String>,
        event: Bytes,
    },
    /// A function ended, also when its caller had gone.
    Replied {
        function: String,
        request_id: String,
        message_ids: Vec<String>,
        ending: Ending,
    },
    /// A record entered a shard of a Kinesis stream.
    RecordPut {
        stream: String,
        shard: String,
        sequence_number: String,
        partition_key: String,
    },
    /// GetRecords or a subscription handed out records; `first` and `last` are their sequence numbers. `ended`: the shard is closed,
    /// and the reader was told that nothing follows. Answers without either are not told.
    RecordsRead {
        stream: String,
        shard: String,
        count: usize,
        first: Option<String>,
        last: Option<String>,
        ended: bool,
    },
    /// Shards were closed, and others took over their hash keys.
    Resharded {
        stream: String,
        closed: Vec<String>,
        opened: Vec<String>,
    },
    /// A fault was injected into a call.
    Faulted { operation: Operation, fault: Fault },
    /// A crash point fired: every connector made before it is dead.
    Crashed { point: CrashPoint },
}

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The handler returned its payload.
    Succeeded {
        /// The payload.
        payload: Bytes,
    },
    /// The handler returned a function error.
    Failed {
        /// `Handled` or `Unhandled`.
        function_error: String,
    },
    /// The function outlived its time-out.
    TimedOut,
    /// The handler answered as Lambda itself does when the function did not run.
    Refused {
        /// The HTTP status.
        status: u16,
    },
}

/// The ledger, bounded: when it is full the oldest entries go.
#[derive(Debug)]
pub(super) struct History {
    entries: VecDeque<Entry>,
    entries_max: usize,
    dropped: u64,
}

impl History {
    pub(super) fn new(entries_max: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            entries_max,
            dropped: 0,
        }
    }

    /// Records what `event` returns; it is not called when no ledger is kept.
    pub(super) fn record(&mut self, at: Duration, event: impl FnOnce() -> Event) {
        if self.entries_max == 0 {
            return;
        }
        if self.entries.len() == self.entries_max {
            self.entries.pop_front();
            self.dropped += 1;
        }
        self.entries.push_back(Entry { at, event: event() });
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        self.entries.iter().cloned().collect()
    }

    pub(super) fn take(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries).into()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn since(&self, first: usize) -> Vec<Entry> {
        self.entries
            .range(first.min(self.entries.len())..)
            .cloned()
            .collect()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}
