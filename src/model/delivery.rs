//! What of a batch is still owed, and the next step: the failure policy of streams. // spec: 3.3, 3.4, 5.3, 5.4, 5.7
//!
//! The state is a stack of contiguous slices, the earliest on top. A loop asks [`Delivery::next`], acts, and reports
//! back; whatever it reports, each record leaves once, in order, as delivered or as discarded. Records are counted by
//! their place in the batch. Records that share a sequence number (an aggregate taken apart) are one record here: a
//! position can not lie between them.
//!
//! A throttle or a service error is no outcome: the loop waits and asks again, with the ages of then. // spec: 5.3

use std::ops::Range;
use std::time::Duration;

use super::progress::Owed;
use super::record::SequenceNumber;

/// The limits of a mapping. Ages are the caller's to know: [`Reason::of_age`], by way of the `expired` of
/// [`Delivery::next`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `BisectBatchOnFunctionError`: what fails is halved at once, and only a single record is retried.
    pub bisect: bool,
    /// `MaximumRetryAttempts`, 0 to 10,000: a slice is delivered once more than that. `None` has no limit.
    pub retries_max: Option<u32>,
    /// `Extensions.DiscardOnlyFailing`: a slice whose retries are used up is halved instead of discarded.
    pub discard_only_failing: bool,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The function handled the whole slice.
    Delivered,
    /// A partial success. // spec: 3.3
    Stopped {
        /// The first record that is not handled. Unless it lies behind the slice's first record and within the slice,
        /// there was no progress, and the slice failed.
        handled: usize,
    },
    /// A function error, a time-out, or an answer that can not be read.
    Failed,
    /// The slice is too large to be invoked. A smaller slice may fit, so it is halved whatever the settings: no record
    /// of it was tried. For a single record no repeat can help, so the whole allowance is spent at once. // spec: 5.7
    Refused,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Invoke with these records, then report to [`Delivery::delivered`].
    Deliver {
        /// Places in the batch.
        records: Range<usize>,
        /// How often it failed since it was last cut or halved.
        failures: u32,
        /// Just these records were not delivered before, so the request needs an id of its own; a repeat shares the
        /// id of the delivery before. After a restart it is always fresh. // spec: 3.5
        fresh: bool,
    },
    /// Send these records to the on-failure destination, then report to [`Delivery::discarded`].
    Discard {
        /// Places in the batch.
        records: Range<usize>,
        /// Why.
        reason: Reason,
        /// `approximateInvokeCount`. // spec: 6.1, 14
        invoke_count: u32,
    },
    /// All is settled.
    Done,
}

/// Why records are discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The delivery before was the last that the retries allow; a response that it had belongs into the record.
    RetryAttemptsExhausted,
    /// Older than `MaximumRecordAgeInSeconds`; the record of this has no response. // spec: 5.4
    RecordAgeExceeded,
    /// The source keeps the records no longer. // spec: 5.3
    ExpiredAtSource,
}

impl Reason {
    /// Why a record of this age may not be delivered any more: `age_max` is the mapping's, `kept` for how long the source
    /// keeps a record, where that counts.
    pub fn of_age(
        age: Duration,
        age_max: Option<Duration>,
        kept: Option<Duration>,
    ) -> Option<Self> {
        let beyond = |most: Duration| most < age;
        if age_max.is_some_and(beyond) {
            return Some(Self::RecordAgeExceeded);
        }
        kept.is_some_and(beyond).then_some(Self::ExpiredAtSource)
    }
}

/// Records that are delivered together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Places in the batch; never empty.
    pub records: Range<usize>,
    /// How often it failed since it was last cut or halved.
    pub failures: u32,
    /// Its retries are used up, and it is being taken apart to find the record that fails.
    pub isolating: bool,
    /// When a delivery of these records failed first, without progress since; milliseconds since 1970.
    pub first_failed_ms: Option<u64>,
}

/// A batch on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    policy: Policy,
    /// The length of the batch.
    count: usize,
    /// From the batch's end to its first record that is not settled: the head is last.
    owed: Vec<Slice>,
    /// What the delivery before held.
    tried: Option<Range<usize>>,
    /// The wait that the failure before asks for is over.
    rested: bool,
}

impl Delivery {
    /// A batch of so many records, none of them tried.
    pub fn new(policy: Policy, count: usize) -> Self {
        Self::resume(policy, [Slice::untried(0..count)])
    }

    /// A batch of which this is owed, in order: where [`Delivery::owed`] left it. The policy may be another by now.
    pub fn resume(policy: Policy, slices: impl IntoIterator<Item = Slice>) -> Self {
        let mut delivery = Self {
            policy,
            count: 0,
            owed: Vec::new(),
            tried: None,
            rested: false,
        };
        for slice in slices {
            debug_assert!(
                delivery.owed.is_empty() || slice.records.start == delivery.count,
                "slices follow each other"
            );
            delivery.count = slice.records.end;
            if slice.records.is_empty() {
                continue;
            }
            // A slice that failed under another policy may have to be taken apart under this one.
            match delivery.taken_apart(&slice) {
                Some((left, right)) => delivery.owed.extend([left, right]),
                None => delivery.owed.push(slice),
            }
        }
        delivery.owed.reverse();
        delivery.invariants();
        delivery
    }

    /// The next step. A question: it changes nothing, and a change of the ages may change the answer, so it is asked
    /// after every wait. `expired` tells which records may not be delivered any more; those at the head are cut off as a
    /// group of their own, and what is left keeps its failures. // spec: 5.4
    pub fn next(&self, expired: impl Fn(usize) -> Option<Reason>) -> Step {
        let Some(head) = self.owed.last() else {
            return Step::Done;
        };
        let records = head.records.clone();
        if self.spent(head) {
            return Step::Discard {
                records,
                reason: Reason::RetryAttemptsExhausted,
                invoke_count: head.failures,
            };
        }
        if let Some(reason) = expired(records.start) {
            let end = records
                .clone()
                .find(|&record| expired(record) != Some(reason))
                .unwrap_or(records.end);
            return Step::Discard {
                records: records.start..end,
                reason,
                // spec: 14, invocations + 1
                invoke_count: head.failures.saturating_add(1),
            };
        }
        Step::Deliver {
            failures: head.failures,
            fresh: self.tried.as_ref() != Some(&records),
            records,
        }
    }

    /// Reports what became of the delivery that [`Delivery::next`] asked for; `now_ms` in milliseconds since 1970.
    pub fn delivered(&mut self, outcome: Outcome, now_ms: u64) {
        let Some(mut head) = self.owed.pop() else {
            debug_assert!(false, "nothing was to be delivered");
            return;
        };
        self.tried = Some(head.records.clone());
        self.rested = false;
        match outcome {
            Outcome::Delivered => {}
            Outcome::Stopped { handled } if head.progressed(handled) => {
                head.records.start = handled;
                head.failures = 0;
                head.first_failed_ms = None;
                self.owed.push(head);
            }
            Outcome::Stopped { .. } | Outcome::Failed => {
                head.failures = head.failures.saturating_add(1);
                head.first_failed_ms.get_or_insert(now_ms);
                match self.taken_apart(&head) {
                    Some((left, right)) => self.owed.extend([right, left]),
                    None => self.owed.push(head),
                }
            }
            Outcome::Refused => {
                head.first_failed_ms.get_or_insert(now_ms);
                match head.halves(head.isolating) {
                    Some((left, right)) => self.owed.extend([right, left]),
                    None => {
                        let spent = self.policy.retries_max.unwrap_or(head.failures);
                        head.failures = spent.saturating_add(1);
                        self.owed.push(head);
                    }
                }
            }
        }
        self.invariants();
    }

    /// Reports that so many records of the discard that [`Delivery::next`] asked for are out of our care.
    pub fn discarded(&mut self, count: usize) {
        let Some(head) = self.owed.last_mut() else {
            debug_assert!(count == 0, "nothing was to be discarded");
            return;
        };
        debug_assert!(count <= head.records.len(), "a discard is of one slice");
        head.records.start = (head.records.start + count).min(head.records.end);
        if head.records.is_empty() {
            self.owed.pop();
        }
        self.invariants();
    }

    /// How many records from the batch's beginning on are settled: a checkpoint may cover them. Never decreases.
    pub fn settled(&self) -> usize {
        self.owed
            .last()
            .map_or(self.count, |head| head.records.start)
    }

    /// What is owed, in order: enough to [`Delivery::resume`].
    pub fn owed(&self) -> impl Iterator<Item = &Slice> {
        self.owed.iter().rev()
    }

    /// Whether nothing would be lost if what is owed were read anew as a batch that was never tried.
    pub fn is_untried(&self) -> bool {
        let untried = |slice: &Slice| slice.failures == 0 && !slice.isolating;
        self.owed.len() < 2 && self.owed.iter().all(untried)
    }

    /// Which wait precedes the next step, counted from 1 since the slice was last cut or halved; `None` is no wait.
    /// Only a repeat waits: halves are no repeats, and go at once. // spec: 3.4, 3.5
    pub fn repeat_after(&self) -> Option<u32> {
        let head = self.owed.last()?;
        let repeats = head.failures > 0 && !self.spent(head) && !self.rested;
        repeats.then_some(head.failures)
    }

    /// Reports that the wait is over; the next failure asks for one again.
    pub fn rested(&mut self) {
        self.rested = true;
    }

    fn spent(&self, slice: &Slice) -> bool {
        self.policy
            .retries_max
            .is_some_and(|retries_max| retries_max < slice.failures)
    }

    /// The halves of a slice that failed, where it is not to be repeated or discarded as a whole. // spec: 3.4
    fn taken_apart(&self, slice: &Slice) -> Option<(Slice, Slice)> {
        let isolating = slice.isolating || (self.policy.discard_only_failing && self.spent(slice));
        let apart = slice.failures > 0 && (self.policy.bisect || isolating);
        apart.then(|| slice.halves(isolating)).flatten()
    }

    fn invariants(&self) {
        let ends = self.owed.iter().skip(1).map(|slice| slice.records.end);
        let starts = self.owed.iter().map(|slice| slice.records.start);
        debug_assert!(ends.zip(starts).all(|(end, start)| end == start));
        debug_assert!(self.owed.iter().all(|slice| !slice.records.is_empty()));
        debug_assert!(
            self.owed
                .first()
                .is_none_or(|last| last.records.end == self.count)
        );
    }
}

impl Slice {
    /// Records that were never delivered.
    pub fn untried(records: Range<usize>) -> Self {
        Self {
            records,
            failures: 0,
            isolating: false,
            first_failed_ms: None,
        }
    }

    /// The slice as a checkpoint says it of these records of a batch that was read anew.
    pub fn resumed(records: Range<usize>, owed: &Owed) -> Self {
        Self {
            records,
            failures: owed.failures,
            isolating: owed.isolating,
            first_failed_ms: owed.first_failed_ms,
        }
    }

    /// The slice as a checkpoint says it, given the number of its last record, and its place in an aggregate.
    pub fn kept(&self, through: SequenceNumber, inner: Option<u32>) -> Owed {
        Owed {
            through,
            inner,
            failures: self.failures,
            isolating: self.isolating,
            first_failed_ms: self.first_failed_ms,
        }
    }

    fn progressed(&self, handled: usize) -> bool {
        self.records.start < handled && handled < self.records.end
    }

    /// Each with a fresh allowance, the shorter first; a single record has none. // spec: 3.4
    fn halves(&self, isolating: bool) -> Option<(Slice, Slice)> {
        let middle = self.records.start + self.records.len() / 2;
        let half = |records| Slice {
            records,
            failures: 0,
            isolating,
            first_failed_ms: self.first_failed_ms,
        };
        (self.records.len() > 1).then(|| {
            (
                half(self.records.start..middle),
                half(middle..self.records.end),
            )
        })
    }
}

#[cfg(test)]
mod tests;
