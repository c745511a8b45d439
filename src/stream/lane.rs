//! What waits in a lane for its batch, and when that is due: by count, by bytes, by time. // spec: 5.2

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::delivery::Slice;
use crate::model::event::{Piece, Sheets, Spot, event_bytes};
use crate::model::progress::{LastInvocation, Owed};
use crate::model::record::SequenceNumber;

/// A record on its way: what is left of it once its event record is written. While it waits, that is a spot on its lane's sheets.
#[derive(Clone, Debug)]
pub(super) struct Item<R = Piece> {
    /// Names it when it is settled.
    pub place: u64,
    pub number: SequenceNumber,
    /// Which of an aggregate's user records it is, from 0.
    pub inner: Option<u32>,
    /// When it arrived at the source, in milliseconds since 1970.
    pub arrived_ms: u64,
    /// The beginning of its tumbling window, likewise; the same for all where there are no windows.
    pub window_start_ms: u64,
    pub record: R,
}

impl Item<Spot> {
    fn taken(self, sheets: &mut Sheets) -> Item {
        Item {
            place: self.place,
            number: self.number,
            inner: self.inner,
            arrived_ms: self.arrived_ms,
            window_start_ms: self.window_start_ms,
            record: sheets.piece(self.record),
        }
    }
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
    waiting: VecDeque<Item<Spot>>,
    /// Where they are written.
    sheets: Sheets,
    record_bytes: usize,
    /// Since when something waits and no batch is on its way.
    opened: Option<Duration>,
    /// A batch is on its way.
    busy: bool,
    /// The bytes of its records.
    in_hand: usize,
    /// What a checkpoint says of the batch that was in hand when it was written.
    resumed: Vec<Owed>,
    /// And of the invocation that failed last with the first of it.
    last: Option<LastInvocation>,
}

impl Lane {
    /// A lane that owes this since before a restart.
    pub fn resume(owed: &[Owed], last: Option<&LastInvocation>) -> Self {
        Self {
            resumed: owed.to_vec(),
            last: last.cloned(),
            ..Self::default()
        }
    }

    /// Where its records are written.
    pub fn sheets(&mut self) -> &mut Sheets {
        &mut self.sheets
    }

    /// A record that was written on its sheets.
    pub fn push(&mut self, item: Item<Spot>, now: Duration) {
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

    /// The bytes of what is on its way.
    pub fn in_hand(&self) -> usize {
        self.in_hand
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
                .is_some_and(|last| owed.is_before(&last.number, last.inner)),
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
                .take_while(|item| !owed.is_before(&item.number, item.inner))
                .count();
            // Of none, the source has trimmed them, or a filter drops them now: the caller forgets them.
            return if read { Due::Now(count) } else { Due::Not };
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
    pub fn take(
        &mut self,
        count: usize,
        rule: &Rule,
    ) -> (Vec<Item>, Vec<Slice>, Option<LastInvocation>) {
        let taken = self.waiting.drain(..count);
        let batch: Vec<Item> = taken.map(|item| item.taken(&mut self.sheets)).collect();
        self.sheets
            .forget_before(self.waiting.front().map(|item| &item.record));
        self.in_hand = batch.iter().map(|item| item.record.len()).sum();
        self.record_bytes -= self.in_hand;
        let slices = slices(&batch, &std::mem::take(&mut self.resumed), rule.count_max);
        if !batch.is_empty() {
            self.opened = None;
            self.busy = true;
        }
        (batch, slices, self.last.take())
    }

    /// The batch that was taken is settled: the window of the next begins now. // spec: 5.2
    pub fn freed(&mut self, now: Duration) {
        (self.busy, self.in_hand) = (false, 0);
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
        let fits = |item: &&Item<Spot>| {
            bytes += item.record.len() + 1;
            // The last record has no comma behind it.
            bytes - 1 <= rule.bytes_max && together(first, item)
        };
        let count = self.waiting.iter().take_while(fits).count();
        count.clamp(1, rule.count_max.max(1))
    }
}

/// Both belong into the same tumbling window.
fn together(first: &Item<Spot>, other: &Item<Spot>) -> bool {
    first.window_start_ms == other.window_start_ms
}

/// The slices of a batch as a checkpoint knows them; the whole batch as one where it knows nothing. None is longer than
/// a batch may be: the setting may be smaller by now, and aggregates taken apart that were not.
fn slices(batch: &[Item], owed: &[Owed], count_max: usize) -> Vec<Slice> {
    if owed.is_empty() {
        return vec![Slice::untried(0..batch.len())];
    }
    let mut slices = Vec::new();
    let mut start = 0;
    for owed in owed {
        let end = batch.partition_point(|item| !owed.is_before(&item.number, item.inner));
        while start < end {
            let piece = start..end.min(start + count_max.max(1));
            start = piece.end;
            slices.push(Slice::resumed(piece, owed));
        }
    }
    slices
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const RULE: Rule = Rule {
        count_max: 3,
        window: Duration::from_secs(5),
        bytes_max: 100,
    };
    const ALL: Reading<'_> = Reading {
        through: None,
        ended: true,
    };
    const MORE: Reading<'_> = Reading {
        through: None,
        ended: false,
    };

    fn number(place: u64) -> SequenceNumber {
        SequenceNumber::try_from(place.to_string()).unwrap()
    }

    /// A record of so many bytes in the window of this second.
    fn push(lane: &mut Lane, place: u64, bytes: usize, window_start_ms: u64, now: Duration) {
        let write = |out: &mut Vec<u8>| out.resize(out.len() + bytes, b'x');
        let item = Item {
            place,
            number: number(place),
            inner: None,
            arrived_ms: 0,
            window_start_ms,
            record: lane.sheets().write(bytes, 1, write),
        };
        lane.push(item, now);
    }

    /// Records to this place that failed together so many times.
    fn owed(through: u64, failures: u32) -> Owed {
        Owed {
            through: number(through),
            inner: None,
            failures,
            isolating: false,
            first_failed_ms: None,
        }
    }

    fn lane(items: &[(usize, u64)]) -> Lane {
        let mut lane = Lane::default();
        for (place, (bytes, window_start_ms)) in (1..).zip(items) {
            push(&mut lane, place, *bytes, *window_start_ms, Duration::ZERO);
        }
        lane
    }

    // spec: 5.2
    #[test]
    fn a_batch_is_due_when_it_can_take_no_more_or_its_window_ends() {
        // The event is 14 bytes longer than its records, and one for each comma.
        for (what, items, full, count) in [
            ("nothing waits", &[][..], false, None),
            ("there is room", &[(10, 0), (10, 0)], false, Some(2)),
            ("by count", &[(1, 0), (1, 0), (1, 0)], true, Some(3)),
            ("more than a batch", &[(1, 0); 4], true, Some(3)),
            ("it just fits", &[(43, 0), (42, 0)], false, Some(2)),
            ("by bytes", &[(43, 0), (43, 0)], true, Some(1)),
            ("one that never fits", &[(200, 0)], true, Some(1)),
            (
                "by its tumbling window",
                &[(1, 0), (1, 1_000)],
                true,
                Some(1),
            ),
        ] {
            let lane = lane(items);
            assert_eq!(lane.full(&RULE), full, "{what}");
            let now = match (count, full) {
                (Some(count), true) => Due::Now(count),
                (Some(_), false) => Due::At(RULE.window),
                (None, _) => Due::Not,
            };
            assert_eq!(lane.due(&RULE, MORE, Duration::from_secs(4)), now, "{what}");
            let in_the_end = count.map_or(Due::Not, Due::Now);
            assert_eq!(lane.due(&RULE, MORE, RULE.window), in_the_end, "{what}");
            assert_eq!(lane.due(&RULE, ALL, Duration::ZERO), in_the_end, "{what}");
        }
    }

    #[test]
    fn a_lane_is_idle_while_nothing_waits_and_nothing_is_on_its_way() {
        let mut lane = lane(&[(1, 0)]);
        assert!(!lane.idle() && !lane.busy(), "a record waits");
        let (batch, _, _) = lane.take(1, &RULE);
        assert_eq!(batch.len(), 1);
        assert!(!lane.idle() && lane.busy(), "a batch is on its way");
        assert_eq!((lane.bytes(), lane.in_hand()), (0, 1));
        assert_eq!(lane.due(&RULE, ALL, RULE.window), Due::Not);
        lane.freed(RULE.window);
        assert!(lane.idle() && !lane.busy());
        assert_eq!((lane.bytes(), lane.in_hand()), (0, 0));
        lane.begin_other();
        assert!(!lane.idle());
    }

    #[test]
    fn a_lane_resumes_until_its_batch_from_before_is_taken() {
        let mut lane = Lane::resume(&[owed(2, 1)], None);
        assert!(lane.resuming());
        for place in 1..=3 {
            assert!(!lane.full(&RULE), "{place}");
            push(&mut lane, place, 1, 0, Duration::ZERO);
        }
        assert!(lane.full(&RULE), "the third is behind it");
        assert_eq!(lane.due(&RULE, MORE, RULE.window), Due::Not);
        let through = number(2);
        let read = Reading {
            through: Some(&through),
            ended: false,
        };
        assert_eq!(lane.due(&RULE, read, Duration::ZERO), Due::Now(2));
        let (batch, slices, _) = lane.take(2, &RULE);
        assert_eq!((batch.len(), slices.len(), slices[0].failures), (2, 1, 1));
        assert!(!lane.resuming());
        assert!(!Lane::default().resuming());
    }

    #[test]
    fn a_batch_from_before_keeps_its_slices_and_none_is_longer_than_a_batch_may_be() {
        let (batch, _, _) = lane(&[(1, 0); 9]).take(9, &RULE);
        // The third is gone from the stream by now, whole.
        let owed = [owed(1, 4), owed(8, 2), owed(8, 7), owed(20, 0)];
        let slices = slices(&batch, &owed, 3);
        let slices: Vec<_> = slices
            .into_iter()
            .map(|slice| (slice.records, slice.failures))
            .collect();
        assert_eq!(
            slices,
            [(0..1, 4), (1..4, 2), (4..7, 2), (7..8, 2), (8..9, 0)]
        );
    }

    #[test]
    fn what_is_owed_and_gone_from_the_stream_is_due_as_nothing() {
        let mut lane = Lane::resume(&[owed(2, 1)], None);
        assert_eq!(lane.due(&RULE, MORE, RULE.window), Due::Not);
        assert_eq!(lane.due(&RULE, ALL, Duration::ZERO), Due::Now(0));
        push(&mut lane, 3, 1, 0, Duration::ZERO);
        let through = number(3);
        let read = Reading {
            through: Some(&through),
            ended: false,
        };
        assert_eq!(lane.due(&RULE, read, Duration::ZERO), Due::Now(0));
        let (batch, _, _) = lane.take(0, &RULE);
        assert!(batch.is_empty() && !lane.busy() && !lane.resuming());
        assert_eq!(lane.due(&RULE, read, Duration::ZERO), Due::At(RULE.window));
    }
}
