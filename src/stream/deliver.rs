//! Deliver a batch until every record of it is handled or discarded: ask the policy, act, report back, keep. // spec: 3, 5

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Engine;
use super::book::Book;
use super::complaints::Work;
use super::judge::Judged;
use super::lane::Item;
use super::shard::DELIVERY;
use crate::checkpoint::CommitError;
use crate::metrics::{self, ShardMetrics};
use crate::model::backoff::Backoff;
use crate::model::delivery::{Delivery, Outcome, Reason, Slice, Step};
use crate::model::event::{EVENT_BYTES_MAX, Event};
use crate::model::progress::{LastInvocation, Owed};
use crate::model::tumbling::{Ahead, Next};

/// Repeats of records that failed: the first delay and the longest. With these, and jitter that takes a quarter at most,
/// seven invocations fit into the minute of AWS's recording, whatever chance says. // spec: 3.5, 14
const REPEAT_FIRST: Duration = Duration::from_millis(700);
const REPEAT_LONGEST: Duration = Duration::from_secs(60);
/// Repeats of an invocation that did not run: they do not count. // spec: 5.3
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_LONGEST: Duration = Duration::from_secs(20);
/// A service that asks for a longer wait than this is asked again all the same.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// So many halves in a row may fail before they wait like repeats: enough to find one record in the largest batch.
const HALVINGS_AT_ONCE: u32 = 14;
/// After so many failures in a row the shard is said to stand still.
pub(super) const FAILURES_TOLD: u32 = 3;

/// What the lanes of a shard share.
#[derive(Debug)]
pub(super) struct Line {
    pub engine: Arc<Engine>,
    pub id: String,
    pub book: Book,
    pub metrics: ShardMetrics,
    /// What keeps each lane from going on.
    pub troubles: Mutex<BTreeMap<u32, Trouble>>,
}

/// What keeps a lane from going on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Trouble {
    /// Failures in a row of what it is at.
    pub failures: u32,
    /// In words, where it is worth telling.
    pub told: Option<String>,
}

/// How the delivery of a batch ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// Nothing of it is owed.
    Settled,
    /// The mapping drains: what is owed stays in the stream, and its counts in the checkpoint.
    Stopped,
    /// Its progress can not be kept: nobody may go on with the shard here.
    Lost(CommitError),
}

impl Line {
    /// Deliver one batch of a lane.
    pub async fn deliver(
        &self,
        lane: u32,
        items: &mut [Item],
        slices: Vec<Slice>,
        last: Option<LastInvocation>,
        drain: &CancellationToken,
    ) -> Ended {
        let mut delivery = Delivery::resume(self.engine.policy, slices);
        let mut last = last.unwrap_or_default();
        let mut pace = Pace::default();
        let mut calls = Calls::default();
        // The last event, for its repeats.
        let mut written = None;
        loop {
            let now_ms = self.engine.clock.now_ms();
            let before = delivery.settled();
            let mut returned = None;
            let failed = delivery.owed().next().is_some_and(|head| 0 < head.failures);
            match delivery.next(|record| self.expired(&items[record], failed, now_ms)) {
                Step::Done => {
                    self.stands(lane, Trouble::default());
                    return Ended::Settled;
                }
                Step::Discard {
                    records,
                    reason,
                    invoke_count,
                } => {
                    let count = records.len();
                    if records.end == items.len() {
                        self.waits_no_more(&mut calls);
                    }
                    // What came before it is not theirs. // spec: 6.1
                    if !was_invoked(reason, invoke_count) {
                        last = LastInvocation::default();
                    }
                    let discard = Discard {
                        lane,
                        items: &items[records],
                        reason,
                        invoke_count,
                        last: &last,
                    };
                    if !self.discard(discard, drain).await {
                        return Ended::Stopped;
                    }
                    delivery.discarded(count);
                }
                Step::Deliver { .. } if drain.is_cancelled() => return Ended::Stopped,
                Step::Deliver { records, fresh, .. } => {
                    let window_start_ms = items[records.start].window_start_ms;
                    // A state may outgrow its limit between the slices of a batch.
                    if self.window_next(Ahead::Record { window_start_ms }) == Next::Close {
                        match self.close_window(drain).await {
                            Ended::Settled => continue,
                            Ended::Stopped => return Ended::Stopped,
                            Ended::Lost(lost) => return Ended::Lost(lost),
                        }
                    }
                    if let Some(delay) = pace.before(&mut delivery, self.engine.jitter()) {
                        self.engine.rest(delay, drain).await;
                        // Time has passed: the ages are asked anew.
                        continue;
                    }
                    if fresh {
                        last = LastInvocation::default();
                    }
                    let batch = &mut items[records.clone()];
                    let event = match written.take() {
                        // Also within a window: its state changes only with what is settled, and that is not repeated.
                        Some((of, event)) if of == records => event,
                        _ => {
                            let records = batch.iter_mut().map(|item| &mut item.record);
                            let mut records: Vec<_> = records.collect();
                            self.windowed_event(&mut records, window_start_ms)
                        }
                    };
                    written = Some((records.clone(), event.clone()));
                    if pace.first() {
                        self.engine.metrics.record_batch(batch.len(), event.len());
                    }
                    let called = self.invoke(batch, event, &mut last, &mut calls, drain);
                    let Some(ran) = called.await else {
                        continue;
                    };
                    let outcome = ran.outcome.at(records.start);
                    delivery.delivered(outcome, self.engine.clock.now_ms());
                    let progressed = before < delivery.settled();
                    pace.after(outcome, progressed, &delivery);
                    // What came back counts as far as the records that it is made of.
                    returned = ran.state.filter(|_| progressed);
                }
            }
            let noted = Noted {
                lane,
                items,
                before,
                delivery: &delivery,
                last: &last,
                returned,
            };
            self.note(noted);
            if let Err(lost) = self.book.commit().await {
                return Ended::Lost(lost);
            }
        }
    }

    /// Invoke with these records. None when the function did not run: nothing is known, and nothing counts.
    pub(super) async fn invoke(
        &self,
        batch: &[Item],
        event: Event,
        last: &mut LastInvocation,
        calls: &mut Calls,
        drain: &CancellationToken,
    ) -> Option<Ran> {
        let engine = &*self.engine;
        if EVENT_BYTES_MAX < event.len() {
            // spec: 5.7
            warn!(
                mapping = %engine.mapping.name, shard = %self.id, events = batch.len(), bytes = event.len(),
                "{}", too_large(batch.len())
            );
            last.response = None;
            return Some(Ran {
                outcome: Outcome::Refused,
                state: None,
            });
        }
        let in_flight = engine.metrics.in_flight();
        engine.metrics.record_invoked(batch.len());
        let sent = engine.now();
        let invoked = engine.answer(event).await;
        drop(in_flight);
        if invoked.request_id.is_some() {
            last.request_id.clone_from(&invoked.request_id);
        }
        let (judged, kind) = engine.judge(&self.id, batch, invoked);
        engine.metrics.record_invocation(kind, engine.now() - sent);
        if kind != metrics::Outcome::Success {
            engine.metrics.record_failed_invoke(batch.len());
        }
        if kind.ran() {
            engine.reports.ran(match kind {
                metrics::Outcome::Success | metrics::Outcome::Partial => true,
                metrics::Outcome::FunctionError
                | metrics::Outcome::Timeout
                | metrics::Outcome::Throttled
                | metrics::Outcome::ServiceError => false,
            });
        }
        match judged {
            Judged::Ran { ran, response } => {
                last.response = response;
                self.waits_no_more(calls);
                calls.backoff.reset();
                Some(ran)
            }
            Judged::Repeat { after } => {
                if !std::mem::replace(&mut calls.waits, true) {
                    engine.waiting.fetch_add(1, Relaxed);
                }
                let delay = calls
                    .backoff
                    .delay(engine.jitter())
                    .max(after.unwrap_or_default().min(RETRY_AFTER_MAX));
                engine.rest(delay, drain).await;
                None
            }
        }
    }

    /// What could not be invoked was, or is not to be any more. Nobody waits for the function behind the last of these,
    /// so that its state is no trouble.
    fn waits_no_more(&self, calls: &mut Calls) {
        if !std::mem::take(&mut calls.waits) {
            return;
        }
        let engine = &*self.engine;
        engine.leaves(Work::Invoking, &self.id);
        if engine.waiting.fetch_sub(1, Relaxed) == 1 {
            engine.reports.function(None);
            engine.reports.throttled(false);
        }
    }

    /// Why a record may not be delivered any more. What the source keeps no longer is given up only where it failed, and
    /// not its other half with it: what could be read, late as it is, is tried. // spec: 5.3, 5.4
    fn expired(&self, item: &Item, failed: bool, now_ms: u64) -> Option<Reason> {
        let age = Duration::from_millis(now_ms.saturating_sub(item.arrived_ms));
        let engine = &self.engine;
        let kept = failed.then(|| engine.retention());
        Reason::of_age(age, engine.stream.age_max, kept)
    }

    /// Note what is settled and what is owed; it is kept with the next commit. The state that came back for what is
    /// settled is noted in the same moment: a commit in between would count it twice after a crash.
    fn note(&self, noted: Noted<'_>) {
        let Noted {
            lane,
            items,
            before,
            delivery,
            last,
            returned,
        } = noted;
        let settled = delivery.settled();
        let owed: Vec<Owed> = if delivery.is_untried() {
            Vec::new()
        } else {
            let kept = |slice: &Slice| {
                let last = &items[slice.records.end - 1];
                slice.kept(last.number.clone(), last.inner)
            };
            delivery.owed().map(kept).collect()
        };
        let head = delivery.owed().next();
        let failures = head.map_or(0, |slice| slice.failures);
        let oldest = self.book.write(|page| {
            if let (Some(windows), Some(state)) = (&mut page.windows, returned) {
                windows.returned(items[before].window_start_ms, state);
            }
            for item in &items[before..settled] {
                page.lanes.settled(item.place, item.inner);
            }
            let last = (0 < failures).then(|| last.clone());
            page.lanes.owes(lane, owed, last);
            page.lanes.oldest_ms()
        });
        self.engine
            .account(|account| account.settled += (settled - before) as u64);
        self.metrics.set_oldest(oldest);
        let told = head.filter(|_| FAILURES_TOLD <= failures).map(|slice| {
            let (first, count) = (&items[slice.records.start].number, slice.records.len());
            format!(
                "the function failed {failures} times in a row on the {count} records from {first} on"
            )
        });
        self.stands(lane, Trouble { failures, told });
    }

    /// Say why a lane does not move, or that it does. The shard stands as its worst lane does.
    pub(super) fn stands(&self, lane: u32, trouble: Trouble) {
        let (failures, told) = {
            let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
            let is_well = trouble == Trouble::default();
            if is_well && troubles.is_empty() {
                return;
            }
            match is_well {
                true => troubles.remove(&lane),
                false => troubles.insert(lane, trouble),
            };
            let failures = troubles.values().map(|trouble| trouble.failures).max();
            let told = troubles.values().find_map(|trouble| trouble.told.clone());
            (failures.unwrap_or(0), told)
        };
        self.metrics.set_failures(failures as usize);
        self.engine.reports.shard(&self.id, DELIVERY, told);
    }
}

/// The invocations of a batch that did not run.
#[derive(Debug)]
pub(super) struct Calls {
    /// The delays between them.
    backoff: Backoff,
    /// The last one did not, and is to be repeated.
    waits: bool,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            backoff: Backoff::new(RETRY_FIRST, RETRY_LONGEST),
            waits: false,
        }
    }
}

/// How far a batch is.
#[derive(Debug)]
struct Noted<'a> {
    lane: u32,
    items: &'a [Item],
    /// What was settled before this step.
    before: usize,
    delivery: &'a Delivery,
    last: &'a LastInvocation,
    /// The state that came back for what this step settled.
    returned: Option<String>,
}

/// What an invocation came to.
#[derive(Debug)]
pub(super) struct Ran {
    /// `Stopped` counts from the first record that the invocation had.
    pub outcome: Outcome,
    /// What the function returned for its tumbling window.
    pub state: Option<String>,
}

impl Outcome {
    /// Counted from the batch's beginning, where the slice begins at `start`.
    fn at(self, start: usize) -> Self {
        match self {
            Self::Stopped { handled } => Self::Stopped {
                handled: start + handled,
            },
            Self::Delivered | Self::Failed | Self::Refused => self,
        }
    }
}

/// How soon a failure is followed by the next invocation. A repeat waits, a half does not: but a function that fails on
/// everything would be called for every half of a large batch as fast as it fails.
#[derive(Debug, Default)]
struct Pace {
    /// Halvings since the last success.
    halvings: u32,
    waited: bool,
    begun: bool,
}

impl Pace {
    /// Whether this is the first invocation with the batch.
    fn first(&mut self) -> bool {
        !std::mem::replace(&mut self.begun, true)
    }

    /// The wait before what is next, once.
    fn before(&mut self, delivery: &mut Delivery, jitter: f64) -> Option<Duration> {
        if std::mem::replace(&mut self.waited, true) {
            return None;
        }
        let step = delivery.repeat_after().or_else(|| {
            let beyond = self.halvings.saturating_sub(HALVINGS_AT_ONCE);
            (beyond > 0).then_some(beyond)
        });
        delivery.rested();
        step.map(|step| repeat_delay(step, jitter))
    }

    fn after(&mut self, outcome: Outcome, progressed: bool, delivery: &Delivery) {
        self.waited = false;
        self.halvings = match outcome {
            _ if progressed => 0,
            // It was not called where it was refused.
            Outcome::Refused => self.halvings,
            // Repeats wait by themselves, and what comes behind them has nothing to do with them.
            _ if delivery.repeat_after().is_some() => self.halvings,
            // An answer that names the first record is a failure like any other. // spec: 3.3
            Outcome::Failed | Outcome::Stopped { .. } | Outcome::Delivered => self.halvings + 1,
        };
    }
}

/// Records that go out of our care, and why.
#[derive(Debug)]
pub(super) struct Discard<'a> {
    pub lane: u32,
    pub items: &'a [Item],
    pub reason: Reason,
    pub invoke_count: u32,
    pub last: &'a LastInvocation,
}

/// Whether these very records were ever tried: the count of what grew too old is one more than that. // spec: 14
fn was_invoked(reason: Reason, invoke_count: u32) -> bool {
    match reason {
        Reason::RetryAttemptsExhausted => true,
        Reason::RecordAgeExceeded | Reason::ExpiredAtSource => 1 < invoke_count,
    }
}

/// The delay before the repeat after so many failures.
pub(super) fn repeat_delay(failures: u32, jitter: f64) -> Duration {
    let jitter = 0.5 + jitter / 2.0;
    let mut backoff = Backoff::new(REPEAT_FIRST, REPEAT_LONGEST);
    // Doubling has long reached the longest by then.
    for _ in 1..failures.clamp(1, 32) {
        backoff.delay(jitter);
    }
    backoff.delay(jitter)
}

/// What is said of an event that is too large, with so many records.
fn too_large(records: usize) -> &'static str {
    match records {
        0 => {
            "the state of a window makes a larger event than any function may be given: it is not invoked"
        }
        1 => "a record makes a larger event than any function may be given: it is not invoked",
        _ => "records make a larger event than any function may be given: they are taken apart",
    }
}

/// A batch that was in hand when the process ended.
pub(super) fn told_of_resumption(mapping: &str, shard: &str, slices: &[Slice]) {
    if let Some(failures) = failed_before(slices) {
        info!(
            mapping,
            shard,
            slices = slices.len(),
            failures,
            "goes on with a batch that failed before the restart"
        );
    }
}

/// How often it failed, if it did: once it was taken apart, perhaps none of its slices has yet.
fn failed_before(slices: &[Slice]) -> Option<u32> {
    let failures = slices.iter().map(|slice| slice.failures).max();
    let whole = slices.len() < 2;
    failures.filter(|failures| 0 < *failures || !whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_failed_is_told_from_a_new_one() {
        let slice = |failures| Slice {
            failures,
            ..Slice::untried(0..1)
        };
        for (failures, told) in [
            (&[][..], None),
            (&[0], None),
            (&[1], Some(1)),
            (&[0, 0], Some(0)),
            (&[0, 3, 2], Some(3)),
        ] {
            let slices: Vec<Slice> = failures.iter().copied().map(slice).collect();
            assert_eq!(failed_before(&slices), told, "{failures:?}");
        }
    }

    #[test]
    fn repeats_wait_for_most_of_a_second_at_first_and_for_a_minute_at_most() {
        let delays: Vec<u128> = (1..=9).map(|n| repeat_delay(n, 1.0).as_millis()).collect();
        assert_eq!(
            delays,
            [
                700, 1_400, 2_800, 5_600, 11_200, 22_400, 44_800, 60_000, 60_000
            ]
        );
        assert_eq!(repeat_delay(10_000, 1.0), REPEAT_LONGEST);
        assert_eq!(repeat_delay(1, 0.0).as_millis(), 525);
    }

    // spec: 14
    #[test]
    fn the_count_of_what_grew_too_old_is_one_more_than_its_invocations() {
        for (reason, invoke_count, invoked) in [
            (Reason::RetryAttemptsExhausted, 1, true),
            (Reason::RecordAgeExceeded, 1, false),
            (Reason::RecordAgeExceeded, 2, true),
            (Reason::ExpiredAtSource, 1, false),
            (Reason::ExpiredAtSource, 2, true),
        ] {
            assert_eq!(was_invoked(reason, invoke_count), invoked, "{reason:?}");
        }
    }

    #[test]
    fn records_that_are_too_large_together_are_not_called_one() {
        for (records, start) in [(0, "the state"), (1, "a record"), (2, "records")] {
            assert!(too_large(records).starts_with(start), "{records}");
        }
    }

    // spec: 14: the recording says 8, which is invocations + 1
    #[test]
    fn seven_invocations_and_no_eighth_fit_into_a_minute() {
        let waits = |repeats: u32, jitter| -> Duration {
            (1..=repeats).map(|n| repeat_delay(n, jitter)).sum()
        };
        assert_eq!(waits(6, 1.0).as_millis(), 44_100, "the slowest seventh");
        assert_eq!(waits(7, 0.0).as_millis(), 66_675, "the fastest eighth");
    }
}
