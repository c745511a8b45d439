//! Where a shard is read, and how often: continuously when behind, ever more slowly when idle. // spec: 5.1

use std::time::Duration;

use tracing::{debug, warn};

use super::Engine;
use super::complaints::Matter;
use super::fetch::{Brought, Fetched, Next};
use crate::aws::fault::{Failure, Fault};
use crate::aws::stream::{Amount, Opened, Records, Start};
use crate::config::mapping::stream::Kind;
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

/// A shard is subscribed to no sooner after the last time: earlier calls are refused as in use. // spec: 5.1
const SUBSCRIBE_GAP: Duration = Duration::from_secs(5);
/// Two who take a shard from each other again and again do it this slowly at least.
const TAKEN_PAUSE: Duration = Duration::from_secs(15);

/// The reading of one shard.
#[derive(Debug)]
pub(super) struct Reader {
    start: Start,
    /// Records that arrived before were there before the mapping: they are passed over.
    since_ms: Option<u64>,
    opened: Option<Opened>,
    /// How many records the next read asks for, and the most that one may.
    limit: usize,
    limit_max: usize,
    /// The source pushes what comes, to a subscription.
    pushed: bool,
    /// Before, the shard is not to be subscribed to.
    subscribe_at: Duration,
    gap_min: Duration,
    gap: Duration,
    next_at: Duration,
    repeats: Backoff,
    failures: u32,
    throttled_by_bytes: bool,
    /// Since when reads reach the end of what the shard holds and bring nothing.
    quiet_since: Option<Duration>,
    /// What is known of what is not read.
    unread: Option<Unread>,
}

/// What a read left in the shard; times in milliseconds since 1970.
#[derive(Debug)]
struct Unread {
    /// It arrived then or later.
    since_ms: u64,
    /// When the read was begun.
    read_ms: u64,
}

impl Unread {
    /// Whether records may have been trimmed before a read that begins now; it brought a first record that arrived then,
    /// or none. A source that keeps records for longer than it says has no gap where it still gives them.
    fn was_trimmed(&self, now_ms: u64, kept_ms: u64, first_ms: Option<u64>) -> bool {
        let is_kept = |arrived_ms: u64, at_ms| arrived_ms.saturating_add(kept_ms) >= at_ms;
        is_kept(self.since_ms, self.read_ms)
            && !is_kept(self.since_ms, now_ms)
            && first_ms.is_none_or(|first_ms| is_kept(first_ms, now_ms))
    }
}

/// What came, for the shard.
#[derive(Debug)]
pub(super) struct Came {
    pub records: Records,
    /// How far behind the newest record this is, in milliseconds, where the source says so.
    pub behind_ms: Option<u64>,
    /// The shard is closed, and was read to its end.
    pub ended: bool,
    amount: Amount,
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
    /// Reading that goes on at this position, up to `limit` records at once; `latest` is a way to it that was opened already.
    pub fn new(position: &Position, kind: &Kind, limit: usize, latest: Option<Opened>) -> Self {
        let (start, since_ms) = match (position, kind) {
            (Position::Horizon | Position::End, _) => (Start::Horizon, None),
            (Position::At { ms }, Kind::Kinesis { .. }) => (Start::Moment { ms: *ms }, None),
            // The arrival times of a DynamoDB stream are whole seconds. // spec: 2.3
            (Position::At { ms }, Kind::DynamoDb) => (Start::Horizon, Some(ms / 1000 * 1000)),
            (Position::From { sequence_number }, _) => (Start::From(sequence_number.clone()), None),
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
            opened: latest,
            limit,
            limit_max: limit,
            pushed: matches!(kind, Kind::Kinesis { consumer: true, .. }),
            subscribe_at: Duration::ZERO,
            gap_min,
            gap: gap_min,
            next_at: Duration::ZERO,
            repeats: Backoff::new(REPEAT_FIRST, REPEAT_LONGEST),
            failures: 0,
            quiet_since: None,
            unread: None,
            throttled_by_bytes: matches!(kind, Kind::Kinesis { .. }),
        }
    }

    /// The next read is not to begin before.
    pub fn next_at(&self) -> Duration {
        match self.opened {
            Some(_) => self.next_at,
            None => self.next_at.max(self.subscribe_at),
        }
    }

    /// Whether the source pushes; and if so, whether a subscription is open.
    pub fn subscription(&self) -> Option<bool> {
        self.pushed.then_some(self.opened.is_some())
    }

    /// There is no room for more. A subscription that is not read is not kept: what it pushes would wait in the
    /// connection, which others share.
    pub fn pause(&mut self) {
        if self.pushed && self.opened.take().is_some() {
            self.quiet_since = None;
        }
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

    /// What the next attempt needs to know: the way in, where to open one, and how many records to ask for.
    pub fn place(&mut self) -> (Option<Opened>, Start, usize) {
        (self.opened.take(), self.start.clone(), self.limit)
    }

    /// Kinesis goes on silently where a position was trimmed: what stood still for longer than it keeps records has a
    /// gap, if anything came then. A DynamoDB stream says so itself. // spec: 5.1
    pub fn tell_gap(&mut self, engine: &Engine, shard: &str, fetched: &Fetched) {
        let Ok(Brought {
            records: Records::Kinesis(records),
            behind_ms,
            ..
        }) = &fetched.read
        else {
            return;
        };
        let since = engine.now().saturating_sub(fetched.began);
        let began_ms = engine.clock.now_ms().saturating_sub(milliseconds(since));
        let kept_ms = milliseconds(engine.retention());
        let first_ms = records.first().map(|first| first.arrived_ms);
        if let Some(unread) = &self.unread
            && unread.was_trimmed(began_ms, kept_ms, first_ms)
        {
            engine.metrics.record_gap();
            warn!(
                mapping = %engine.mapping.name, shard, still_s = (began_ms - unread.read_ms) / 1000,
                "the shard was not read for longer than the stream keeps records: what came and went meanwhile is lost"
            );
        }
        let since_ms = match (behind_ms, records.last()) {
            (Some(0), _) => Some(began_ms),
            (_, Some(last)) => Some(last.arrived_ms),
            (_, None) => None,
        };
        if let Some(since_ms) = since_ms {
            let read_ms = began_ms;
            self.unread = Some(Unread { since_ms, read_ms });
        }
    }

    /// A read brought something, or nothing. Returns it, with where to go on noted.
    pub fn answered(
        &mut self,
        fetched: Fetched,
        through: Option<&SequenceNumber>,
        now: Duration,
    ) -> Result<Came, (Failure, Option<Opened>)> {
        if let Some(subscribed) = fetched.subscribed {
            self.subscribe_at = subscribed + SUBSCRIBE_GAP;
        }
        let read = match fetched.read {
            Ok(read) => read,
            Err(failure) => {
                self.quiet_since = None;
                return Err((failure, fetched.opened));
            }
        };
        if let Some(number) = read.continuation.as_ref().or(through) {
            self.start = Start::After(number.clone());
        }
        let came = Came {
            ended: matches!(read.next, Next::End),
            records: read.records,
            behind_ms: read.behind_ms,
            amount: read.amount,
        };
        self.next_at = now;
        match read.next {
            Next::Read(opened) => self.opened = Some(opened),
            // A subscription that is over tells nothing of the shard.
            Next::Open => return Ok(came),
            Next::Behind | Next::End => {}
        }
        self.adapt(&came);
        self.failures = 0;
        self.repeats.reset();
        self.pace(&came, fetched.began, now);
        Ok(came)
    }

    /// How many records the next read asks for. What is read and dropped is paid for, so that it happens once for records that
    /// are larger than those before; a read that brought all that it asked for, and little, may ask for more.
    fn adapt(&mut self, read: &Came) {
        let count = read.records.len();
        self.limit = match read.amount {
            Amount::Beyond {
                oversized: false, ..
            } => count.max(1),
            Amount::Little if self.limit <= count => (self.limit * 2).min(self.limit_max),
            Amount::Little | Amount::Much | Amount::Beyond { .. } => self.limit,
        };
    }

    /// When to read again, and whether the shard is quiet.
    fn pace(&mut self, read: &Came, began: Duration, now: Duration) {
        // A record that a filter drops is a record; and what lags behind may bring some.
        let busy = !read.records.is_empty() || read.behind_ms.is_some_and(|behind| behind > 0);
        if busy {
            self.gap = self.gap_min;
            self.quiet_since = None;
        } else {
            self.gap = (self.gap * 2).min(GAP_IDLE);
            self.quiet_since.get_or_insert(now);
        }
        // What pushes has a pace of its own.
        if self.pushed {
            return;
        }
        let mut gap = self.gap;
        if self.throttled_by_bytes {
            let bytes = bytes(read) as u64;
            gap = gap.max(Duration::from_millis(bytes * 1000 / BYTES_PER_SECOND));
        }
        self.next_at = (began + gap).max(now);
    }

    /// A read failed. Says what that asks of the shard; where and when to read again is noted.
    pub fn failed(
        &mut self,
        engine: &Engine,
        shard: &str,
        failure: &Failure,
        opened: Option<Opened>,
    ) -> Trouble {
        if failure.in_use() {
            return self.in_use(engine, shard, failure);
        }
        let mapping = engine.mapping.name.as_str();
        self.failures += 1;
        let mut delay = self.repeats.delay(engine.jitter());
        let mut told = FAILURES_TOLD <= self.failures;
        match failure.fault {
            Fault::Throttled { after } => {
                self.opened = opened;
                delay = delay.max(after.unwrap_or_default().min(REPEAT_LONGEST));
            }
            Fault::Transient => self.opened = opened,
            // It is opened anew behind what was read. // spec: 5.1
            Fault::Expired => {}
            Fault::Trimmed => {
                engine.metrics.record_gap();
                warn!(
                    mapping, shard, %failure, position = %self.start,
                    "the source trimmed records before they were read: they are lost; reading goes on at the oldest that is left"
                );
                self.start = Start::Horizon;
                self.since_ms = None;
                self.unread = None;
                told = false;
            }
            // Nobody knows what would be lost by going on somewhere else. // reliability: I11
            Fault::Denied | Fault::Invalid => told = true,
            Fault::Gone => return Trouble::Gone,
        }
        self.next_at = engine.now() + delay;
        if told {
            let matter = Matter::of_read(failure.fault);
            engine.complain(matter, shard, failure, Some(delay));
        } else {
            let delay_ms = delay.as_millis() as u64;
            debug!(mapping, shard, %failure, delay_ms, "a read failed: it is tried again");
        }
        Trouble::Wait {
            told: told.then(|| match failure.fault {
                Fault::Invalid => format!(
                    "the source refuses its position ({}): {failure}; was the stream made anew?",
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

    /// The shard has another subscription of the same consumer: perhaps our own of a moment ago, which a crash or a lost
    /// answer left behind; somebody else's, if that lasts or if it ended ours.
    fn in_use(&mut self, engine: &Engine, shard: &str, failure: &Failure) -> Trouble {
        let mapping = engine.mapping.name.as_str();
        // An error within a subscription has no status of its own.
        let ended = failure.status.is_none();
        self.failures += 1;
        let told = ended || FAILURES_TOLD <= self.failures;
        let delay = if told { TAKEN_PAUSE } else { SUBSCRIBE_GAP }.mul_f64(1.0 + engine.jitter());
        self.next_at = engine.now() + delay;
        if !told {
            let delay_ms = delay.as_millis() as u64;
            debug!(mapping, shard, %failure, delay_ms, "the shard was subscribed to a moment ago");
            return Trouble::Wait { told: None };
        }
        engine.complain(Matter::Taken, shard, failure, Some(delay));
        let told = format!("somebody else subscribes as the same consumer: {failure}");
        Trouble::Wait { told: Some(told) }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// How many records a read asks for.
pub(super) fn limit(batch_size: usize, factor: u32) -> usize {
    batch_size
        .saturating_mul(factor as usize)
        .clamp(LIMIT_MIN, LIMIT_MAX)
}

/// What the read counts as at the source: data and keys, also of what was dropped.
fn bytes(read: &Came) -> usize {
    let dropped = match read.amount {
        Amount::Beyond { dropped_bytes, .. } => dropped_bytes,
        Amount::Little | Amount::Much => 0,
    };
    let kept: usize = match &read.records {
        Records::Kinesis(records) => records
            .iter()
            .map(|record| record.data.len() + record.partition_key.as_bytes().len())
            .sum(),
        Records::Dynamo(records) => records
            .iter()
            .map(|record| usize::try_from(record.size_bytes).unwrap_or_default())
            .sum(),
    };
    kept + dropped
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
