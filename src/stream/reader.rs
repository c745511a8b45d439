//! Where a shard is read, and how often: continuously when behind, ever more slowly when idle. // spec: 5.1

use std::time::Duration;

use tracing::{info, warn};

use super::Engine;
use crate::aws::fault::{Failure, Fault};
use crate::aws::stream::{Read, Records, ShardIterator, Start};
use crate::config::mapping::stream::Kind;
use crate::metrics::Operation;
use crate::model::backoff::Backoff;
use crate::model::progress::Position;
use crate::model::record::SequenceNumber;

/// Five reads a second and shard are what Kinesis grants; a DynamoDB stream is polled four times. // spec: 5.1
const GAP_KINESIS: Duration = Duration::from_millis(200);
const GAP_DYNAMODB: Duration = Duration::from_millis(250);
/// An idle shard is read as often as this, which bounds what it costs: 3,600 requests an hour. // spec: 5.1
const GAP_IDLE: Duration = Duration::from_secs(1);
/// What a Kinesis shard gives in a second: after a larger read it refuses the next ones. // spec: 5.1
const BYTES_PER_SECOND: u64 = 2 * 1024 * 1024;
/// Repeats of a failed read: the first delay and the longest.
const REPEAT_FIRST: Duration = Duration::from_millis(200);
const REPEAT_LONGEST: Duration = Duration::from_secs(30);
/// So many failures in a row are told in the mapping's state; one throttled read is no trouble.
const FAILURES_TOLD: u32 = 3;
/// Few enough records that a read is no burden, enough to keep up with what a shard takes: 1,000 a second.
const LIMIT_MIN: usize = 1_000;
/// What GetRecords takes. // spec: 5.1
const LIMIT_MAX: usize = 10_000;

/// The reading of one shard.
#[derive(Debug)]
pub(super) struct Reader {
    start: Start,
    /// Records that arrived before were there before the mapping: they are passed over.
    since_ms: Option<u64>,
    iterator: Option<ShardIterator>,
    gap_min: Duration,
    gap: Duration,
    next_at: Duration,
    repeats: Backoff,
    failures: u32,
    throttled_by_bytes: bool,
    /// Since when reads reach the end of what the shard holds and bring nothing.
    quiet_since: Option<Duration>,
}

/// What one attempt to read brought.
#[derive(Debug)]
pub(super) struct Fetched {
    began: Duration,
    /// Where the attempt began, should it be made again.
    iterator: Option<ShardIterator>,
    read: Result<Read, Failure>,
}

impl Fetched {
    /// The last record that it brought.
    pub fn last(&self) -> Option<&SequenceNumber> {
        match &self.read.as_ref().ok()?.records {
            Records::Kinesis(records) => records.last().map(|record| &record.sequence_number),
            Records::Dynamo(records) => records.last().map(|record| &record.sequence_number),
        }
    }
}

/// What a failed read asks of the shard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It is read again after a while; told where it lasts.
    Wait { told: Option<String> },
    /// The shard, or the whole stream, is not there any more.
    Gone,
}

impl Reader {
    /// Reading that goes on at this position; `latest` is an iterator at it that was opened already.
    pub fn new(position: &Position, kind: &Kind, latest: Option<ShardIterator>) -> Self {
        let (start, since_ms) = match (position, kind) {
            (Position::Horizon | Position::End, _) => (Start::Horizon, None),
            (Position::At { ms }, Kind::Kinesis { .. }) => (Start::Moment { ms: *ms }, None),
            // The arrival times of a DynamoDB stream are whole seconds. // spec: 2.3
            (Position::At { ms }, Kind::DynamoDb) => (Start::Horizon, Some(ms / 1000 * 1000)),
            (Position::After { sequence_number }, _) => {
                (Start::After(sequence_number.clone()), None)
            }
        };
        let gap_min = match kind {
            Kind::Kinesis { .. } => GAP_KINESIS,
            Kind::DynamoDb => GAP_DYNAMODB,
        };
        Self {
            start,
            since_ms,
            iterator: latest,
            gap_min,
            gap: gap_min,
            next_at: Duration::ZERO,
            repeats: Backoff::new(REPEAT_FIRST, REPEAT_LONGEST),
            failures: 0,
            quiet_since: None,
            throttled_by_bytes: matches!(kind, Kind::Kinesis { .. }),
        }
    }

    /// The next read is not to begin before.
    pub fn next_at(&self) -> Duration {
        self.next_at
    }

    /// For how long nothing has come from a shard that was read to its newest record.
    pub fn quiet(&self, now: Duration) -> Duration {
        self.quiet_since
            .map_or(Duration::ZERO, |since| now.saturating_sub(since))
    }

    /// Whether a record that arrived then was there before the mapping.
    pub fn too_old(&self, arrived_ms: u64) -> bool {
        self.since_ms.is_some_and(|since_ms| arrived_ms < since_ms)
    }

    /// What the next attempt needs to know.
    pub fn place(&mut self) -> (Option<ShardIterator>, Start) {
        (self.iterator.take(), self.start.clone())
    }

    /// A read brought something, or nothing. Returns it, with where to go on noted.
    pub fn answered(
        &mut self,
        fetched: Fetched,
        through: Option<&SequenceNumber>,
        now: Duration,
    ) -> Result<Read, (Failure, Option<ShardIterator>)> {
        let read = match fetched.read {
            Ok(read) => read,
            Err(failure) => {
                self.quiet_since = None;
                return Err((failure, fetched.iterator));
            }
        };
        self.failures = 0;
        self.repeats.reset();
        self.iterator.clone_from(&read.next);
        if let Some(through) = through {
            self.start = Start::After(through.clone());
        }
        // A record that a filter drops is a record; and what lags behind may bring some.
        let busy = !read.records.is_empty() || read.behind_ms.is_some_and(|behind| behind > 0);
        if busy {
            self.gap = self.gap_min;
            self.quiet_since = None;
        } else {
            self.gap = (self.gap * 2).min(GAP_IDLE);
            self.quiet_since.get_or_insert(now);
        }
        let mut gap = self.gap;
        if self.throttled_by_bytes {
            let bytes = bytes(&read.records) as u64;
            gap = gap.max(Duration::from_millis(bytes * 1000 / BYTES_PER_SECOND));
        }
        self.next_at = (fetched.began + gap).max(now);
        Ok(read)
    }

    /// A read failed. Says what that asks of the shard; where and when to read again is noted.
    pub fn failed(
        &mut self,
        engine: &Engine,
        shard: &str,
        failure: &Failure,
        iterator: Option<ShardIterator>,
    ) -> Trouble {
        let mapping = engine.mapping.name.as_str();
        self.failures += 1;
        let mut delay = self.repeats.delay(engine.jitter());
        let mut told = FAILURES_TOLD <= self.failures;
        match failure.fault {
            Fault::Throttled { after } => {
                self.iterator = iterator;
                delay = delay.max(after.unwrap_or_default().min(REPEAT_LONGEST));
            }
            Fault::Transient => self.iterator = iterator,
            // It is opened anew behind what was read. // spec: 5.1
            Fault::Expired => {
                info!(mapping, shard, %failure, "the shard's iterator expired: it is opened anew");
                told = false;
            }
            Fault::Trimmed => {
                engine.metrics.record_gap();
                warn!(
                    mapping, shard, %failure, position = ?self.start,
                    "the source trimmed records before they were read: they are lost; reading goes on at the oldest that is left"
                );
                self.start = Start::Horizon;
                self.since_ms = None;
                told = false;
            }
            // Nobody knows what would be lost by going on somewhere else. // reliability: I11
            Fault::Denied | Fault::Invalid => told = true,
            Fault::Gone => return Trouble::Gone,
        }
        warn!(mapping, shard, %failure, delay_ms = delay.as_millis() as u64, "read failed");
        self.next_at = engine.now() + delay;
        Trouble::Wait {
            told: told.then(|| match failure.fault {
                Fault::Invalid => format!(
                    "the source refuses its position {:?}: {failure}; was the stream made anew?",
                    self.start
                ),
                Fault::Throttled { .. }
                | Fault::Transient
                | Fault::Expired
                | Fault::Trimmed
                | Fault::Denied
                | Fault::Gone => format!("failed to read: {failure}"),
            }),
        }
    }
}

impl Engine {
    /// One attempt to read; an iterator is opened first where there is none.
    pub(super) async fn fetch(
        &self,
        shard: &str,
        iterator: Option<ShardIterator>,
        start: Start,
    ) -> Fetched {
        let began = self.now();
        let iterator = match iterator {
            Some(iterator) => iterator,
            None => {
                let opened = self.source.open(shard, &start).await;
                self.reports.request(Operation::GetShardIterator, &opened);
                match opened {
                    Ok(iterator) => iterator,
                    Err(mut failure) => {
                        // Of this very stream, a number that has no place any more was trimmed. // spec: 5.1
                        let refused = failure.fault == Fault::Invalid;
                        if refused && matches!(start, Start::After(_)) && self.is_same().await {
                            failure.fault = Fault::Trimmed;
                        }
                        return Fetched {
                            began,
                            iterator: None,
                            read: Err(failure),
                        };
                    }
                }
            }
        };
        let read = self.source.read(&iterator, self.read_limit).await;
        self.reports.request(Operation::GetRecords, &read);
        Fetched {
            began,
            iterator: Some(iterator),
            read,
        }
    }
}

/// How many records a read asks for.
pub(super) fn limit(batch_size: usize, factor: u32) -> usize {
    batch_size
        .saturating_mul(factor as usize)
        .clamp(LIMIT_MIN, LIMIT_MAX)
}

/// What the read counts as at the source: data and keys.
fn bytes(records: &Records) -> usize {
    match records {
        Records::Kinesis(records) => records
            .iter()
            .map(|record| record.data.len() + record.partition_key.len())
            .sum(),
        Records::Dynamo(records) => records
            .iter()
            .map(|record| usize::try_from(record.size_bytes).unwrap_or_default())
            .sum(),
    }
}
