//! What waits in a lane for its batch, and when that is due: by count, by bytes, by time. // spec: 5.2

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::delivery::Slice;
use crate::model::event::event_bytes;
use crate::model::progress::Owed;
use crate::model::record::SequenceNumber;

/// A record on its way: what is left of it once its event record is written.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Names it when it is settled.
    pub place: u64,
    pub number: SequenceNumber,
    /// When it arrived at the source, in milliseconds since 1970.
    pub arrived_ms: u64,
    /// The beginning of its tumbling window, likewise; the same for all where there are no windows.
    pub window_start_ms: u64,
    pub record: String,
}

/// A mapping's rule for when to invoke.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// `BatchSize`.
    pub count_max: usize,
    /// `MaximumBatchingWindowInSeconds`.
    pub window: Duration,
    /// The longest event: with a tumbling window, its state needs room beside the records.
    pub bytes_max: usize,
}

/// Whether a batch is to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Now: the first so many of what waits.
    Now(usize),
    /// Then, unless it is full before.
    At(Duration),
    /// More must be read first.
    Not,
}

/// How far the shard was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'a> {
    /// The last record that was read.
    pub through: Option<&'a SequenceNumber>,
    /// The shard is closed, and was read to its end.
    pub ended: bool,
}

/// One lane.
#[derive(Debug, Default)]
pub(super) struct Lane {
    waiting: VecDeque<Item>,
    record_bytes: usize,
    /// Since when something waits and no batch is on its way.
    opened: Option<Duration>,
    /// A batch is on its way.
    busy: bool,
    /// What a checkpoint says of the batch that was in hand when it was written.
    resumed: Vec<Owed>,
}

impl Lane {
    /// A lane that owes this since before a restart.
    pub fn resume(owed: &[Owed]) -> Self {
        Self {
            resumed: owed.to_vec(),
            ..Self::default()
        }
    }

    pub fn push(&mut self, item: Item, now: Duration) {
        self.record_bytes += item.record.len();
        self.waiting.push_back(item);
        if !self.busy {
            self.opened.get_or_insert(now);
        }
    }

    /// The bytes of what waits.
    pub fn bytes(&self) -> usize {
        self.record_bytes
    }

    pub fn busy(&self) -> bool {
        self.busy
    }

    /// The window of what waits longest.
    pub fn ahead(&self) -> Option<u64> {
        self.waiting.front().map(|item| item.window_start_ms)
    }

    /// It goes on with a batch from before a restart.
    pub fn resuming(&self) -> bool {
        !self.resumed.is_empty()
    }

    /// Something else than a batch is on its way.
    pub fn begin_other(&mut self) {
        self.busy = true;
    }

    /// Nothing waits, and nothing is on its way.
    pub fn idle(&self) -> bool {
        self.waiting.is_empty() && !self.busy
    }

    /// More would not make the next batch larger.
    pub fn full(&self, rule: &Rule) -> bool {
        match self.resumed.last() {
            Some(owed) => self
                .waiting
                .back()
                .is_some_and(|last| owed.through < last.number),
            None => self.limited(rule),
        }
    }

    /// Whether the next batch is due.
    pub fn due(&self, rule: &Rule, reading: Reading<'_>, now: Duration) -> Due {
        if self.busy {
            return Due::Not;
        }
        if let Some(owed) = self.resumed.last() {
            let read = reading.ended
                || reading
                    .through
                    .is_some_and(|through| owed.through <= *through);
            let count = self
                .waiting
                .iter()
                .take_while(|item| item.number <= owed.through)
                .count();
            return match (read, count) {
                (true, 1..) => Due::Now(count),
                // The source has trimmed them, or a filter drops them now: the caller forgets them.
                (true, 0) => Due::Now(0),
                (false, _) => Due::Not,
            };
        }
        let Some(opened) = self.opened else {
            return Due::Not;
        };
        let ends = opened + rule.window;
        if self.limited(rule) || ends <= now || reading.ended {
            return Due::Now(self.fitting(rule));
        }
        Due::At(ends)
    }

    /// Take a batch that is due, and what is known of it from before a restart.
    pub fn take(&mut self, count: usize) -> (Vec<Item>, Vec<Slice>) {
        let batch: Vec<Item> = self.waiting.drain(..count).collect();
        self.record_bytes -= batch.iter().map(|item| item.record.len()).sum::<usize>();
        let slices = slices(&batch, &std::mem::take(&mut self.resumed));
        if !batch.is_empty() {
            self.opened = None;
            self.busy = true;
        }
        (batch, slices)
    }

    /// The batch that was taken is settled: the window of the next begins now. // spec: 5.2
    pub fn freed(&mut self, now: Duration) {
        self.busy = false;
        self.opened = (!self.waiting.is_empty()).then_some(now);
    }

    /// A batch can take no more of what comes: by count, by bytes, or because a tumbling window is over.
    fn limited(&self, rule: &Rule) -> bool {
        let (Some(first), Some(last)) = (self.waiting.front(), self.waiting.back()) else {
            return false;
        };
        let count = self.waiting.len();
        let bytes = event_bytes([self.record_bytes].into_iter()) + count - 1;
        rule.count_max <= count || rule.bytes_max < bytes || !together(first, last)
    }

    /// How many of what waits make one batch. The first always does: it can not be made smaller, and what is to become
    /// of it is the policy's to say.
    fn fitting(&self, rule: &Rule) -> usize {
        let Some(first) = self.waiting.front() else {
            return 0;
        };
        let mut bytes = event_bytes([].into_iter());
        let fits = |item: &&Item| {
            bytes += item.record.len() + 1;
            // The last record has no comma behind it.
            bytes - 1 <= rule.bytes_max && together(first, item)
        };
        let count = self.waiting.iter().take_while(fits).count();
        count.clamp(1, rule.count_max.max(1))
    }
}

/// Both belong into the same tumbling window.
fn together(first: &Item, other: &Item) -> bool {
    first.window_start_ms == other.window_start_ms
}

/// The slices of a batch as a checkpoint knows them; the whole batch as one where it knows nothing.
fn slices(batch: &[Item], owed: &[Owed]) -> Vec<Slice> {
    if owed.is_empty() {
        return vec![Slice::untried(0..batch.len())];
    }
    let mut slices = Vec::new();
    let mut start = 0;
    for owed in owed {
        let end = batch.partition_point(|item| item.number <= owed.through);
        if start < end {
            slices.push(Slice::resumed(start..end, owed));
            start = end;
        }
    }
    slices
}

#[cfg(test)]
mod tests {
    use crate::model::event::EVENT_BYTES_MAX;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const OPEN: Reading<'static> = Reading {
        through: None,
        ended: false,
    };

    fn number(n: u64) -> SequenceNumber {
        SequenceNumber::try_from(n.to_string()).unwrap()
    }

    fn item(n: u64, bytes: usize) -> Item {
        Item {
            place: n,
            number: number(n),
            arrived_ms: 0,
            window_start_ms: 0,
            record: "r".repeat(bytes),
        }
    }

    fn rule(count_max: usize, window: Duration) -> Rule {
        Rule {
            count_max,
            window,
            bytes_max: EVENT_BYTES_MAX,
        }
    }

    fn waiting(items: impl IntoIterator<Item = Item>) -> Lane {
        let mut lane = Lane::default();
        for item in items {
            lane.push(item, SECOND);
        }
        lane
    }

    fn owed(through: u64, failures: u32) -> Owed {
        Owed {
            through: number(through),
            failures,
            isolating: false,
            first_failed_ms: Some(5),
        }
    }

    fn numbers(batch: &[Item]) -> Vec<u64> {
        batch.iter().map(|item| item.place).collect()
    }

    // spec: 5.2 count, window, 6 MB
    #[test]
    fn a_batch_is_due_by_count_by_bytes_and_by_time() {
        let small = |count| (1..=count).map(|n| item(n, 10));
        let half = EVENT_BYTES_MAX / 2;
        for (what, lane, rule, now, due) in [
            (
                "nothing waits",
                waiting([]),
                rule(2, SECOND),
                SECOND,
                Due::Not,
            ),
            (
                "no window: what there is",
                waiting(small(1)),
                rule(2, Duration::ZERO),
                SECOND,
                Due::Now(1),
            ),
            (
                "the window is open",
                waiting(small(1)),
                rule(2, SECOND),
                SECOND,
                Due::At(2 * SECOND),
            ),
            (
                "the window is over",
                waiting(small(1)),
                rule(2, SECOND),
                2 * SECOND,
                Due::Now(1),
            ),
            (
                "by count, and no more than that",
                waiting(small(5)),
                rule(2, SECOND),
                SECOND,
                Due::Now(2),
            ),
            (
                "two that just fit",
                waiting([item(1, half), item(2, EVENT_BYTES_MAX - half - 15)]),
                rule(10, SECOND),
                SECOND,
                Due::At(2 * SECOND),
            ),
            (
                "two that do not fit by one byte",
                waiting([item(1, half), item(2, EVENT_BYTES_MAX - half - 14)]),
                rule(10, SECOND),
                SECOND,
                Due::Now(1),
            ),
            (
                "one that fits nowhere goes alone",
                waiting([item(1, 2 * EVENT_BYTES_MAX), item(2, 1)]),
                rule(10, SECOND),
                SECOND,
                Due::Now(1),
            ),
        ] {
            assert_eq!(lane.due(&rule, OPEN, now), due, "{what}");
        }
    }

    #[test]
    fn two_records_that_just_fit_make_the_longest_event() {
        let half = EVENT_BYTES_MAX / 2;
        let lengths = [half, EVENT_BYTES_MAX - half - 15];
        assert_eq!(event_bytes(lengths.into_iter()), EVENT_BYTES_MAX);
    }

    #[test]
    fn at_the_end_of_a_shard_nothing_waits_for_its_window() {
        let ended = Reading {
            through: None,
            ended: true,
        };
        let lane = waiting([item(1, 1)]);
        assert_eq!(lane.due(&rule(9, 300 * SECOND), ended, SECOND), Due::Now(1));
    }

    // spec: 5.2 the window for the next batch starts after the previous invocation
    #[test]
    fn the_next_window_begins_when_the_batch_before_is_settled() {
        let rule = rule(2, 5 * SECOND);
        let mut lane = waiting([item(1, 1), item(2, 1), item(3, 1)]);
        let (batch, _) = lane.take(2);
        assert_eq!(numbers(&batch), [1, 2]);
        assert_eq!(
            lane.due(&rule, OPEN, 60 * SECOND),
            Due::Not,
            "one batch at a time"
        );
        lane.freed(60 * SECOND);
        assert_eq!(lane.due(&rule, OPEN, 60 * SECOND), Due::At(65 * SECOND));
        assert_eq!(lane.bytes(), 1);
    }

    #[test]
    fn a_batch_holds_records_of_one_tumbling_window() {
        let mut late = item(3, 1);
        late.window_start_ms = 10_000;
        let mut lane = waiting([item(1, 1), item(2, 1), late]);
        let rule = rule(10, 300 * SECOND);
        assert_eq!(lane.due(&rule, OPEN, SECOND), Due::Now(2));
        assert!(lane.full(&rule));
        assert_eq!(numbers(&lane.take(2).0), [1, 2]);
        assert_eq!(lane.ahead(), Some(10_000));
    }

    #[test]
    fn a_batch_from_before_a_restart_is_made_again_as_it_was() {
        let rule = rule(1, Duration::ZERO);
        let mut lane = Lane::resume(&[owed(2, 3), owed(5, 0)]);
        for n in 1..=4 {
            lane.push(item(n, 1), SECOND);
        }
        assert!(!lane.full(&rule), "all of it must be read first");
        let due = |lane: &Lane, through: u64| {
            let through = number(through);
            let reading = Reading {
                through: Some(&through),
                ended: false,
            };
            lane.due(&rule, reading, SECOND)
        };
        assert_eq!(due(&lane, 4), Due::Not);
        lane.push(item(5, 1), SECOND);
        lane.push(item(6, 1), SECOND);
        assert_eq!(due(&lane, 6), Due::Now(5));
        let (batch, slices) = lane.take(5);
        assert_eq!(numbers(&batch), [1, 2, 3, 4, 5]);
        let told: Vec<_> = slices
            .iter()
            .map(|slice| (slice.records.clone(), slice.failures))
            .collect();
        assert_eq!(told, [(0..2, 3), (2..5, 0)]);
        assert!(!lane.resuming());
    }

    #[test]
    fn what_was_trimmed_or_is_dropped_now_is_missing_from_a_batch_made_again() {
        let rule = rule(10, Duration::ZERO);
        let mut lane = Lane::resume(&[owed(2, 1), owed(5, 2)]);
        lane.push(item(4, 1), SECOND);
        lane.push(item(7, 1), SECOND);
        let seven = number(7);
        let reading = Reading {
            through: Some(&seven),
            ended: false,
        };
        assert_eq!(lane.due(&rule, reading, SECOND), Due::Now(1));
        let (batch, slices) = lane.take(1);
        assert_eq!((numbers(&batch), slices.len()), (vec![4], 1));
        assert_eq!(slices[0].failures, 2);

        // All of it.
        let mut lane = Lane::resume(&[owed(5, 2)]);
        lane.push(item(7, 1), SECOND);
        assert_eq!(lane.due(&rule, reading, SECOND), Due::Now(0));
        let (batch, _) = lane.take(0);
        assert!(batch.is_empty() && !lane.busy() && !lane.resuming());
        assert_eq!(
            lane.due(&rule, reading, SECOND),
            Due::Now(1),
            "and the rest goes on"
        );
    }
}
