//! What one mapping counts: a flat block of atomics, so that counting is one addition and an idle mapping costs little.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::family::{BATCH_BYTES, BATCH_EVENTS, DURATION_SECONDS};
use super::histogram::Histogram;
use super::label::{
    CommitOutcome, DeliveryOutcome, Dropped, Label, Malformed, Operation, Outcome, PassedOver,
    RequestOutcome, Source, State,
};
use super::shard::{ShardCells, ShardMetrics};

/// The series of one mapping. Cheap to clone: all clones count into the same ones.
#[derive(Clone, Debug)]
pub struct MappingMetrics(Arc<Cells>);

/// The values behind the series, each named like its family.
#[derive(Debug)]
pub(super) struct Cells {
    pub(super) polled: AtomicU64,
    pub(super) filtered_out: AtomicU64,
    pub(super) invoked: AtomicU64,
    pub(super) failed_invoke: AtomicU64,
    pub(super) deleted: AtomicU64,
    pub(super) delete_failed: AtomicU64,
    pub(super) invocations: [AtomicU64; Outcome::ALL.len()],
    pub(super) invocation_duration: Histogram<{ DURATION_SECONDS.len() }>,
    pub(super) in_flight: AtomicUsize,
    pub(super) batch_events: Histogram<{ BATCH_EVENTS.len() }>,
    pub(super) batch_bytes: Histogram<{ BATCH_BYTES.len() }>,
    pub(super) source_requests: [[AtomicU64; RequestOutcome::ALL.len()]; Operation::ALL.len()],
    pub(super) state: AtomicUsize,
    pub(super) held: AtomicUsize,
    pub(super) handed_back: AtomicU64,
    pub(super) lease_lost: AtomicU64,
    pub(super) visibility_extended: AtomicU64,
    pub(super) concurrency_limit: AtomicUsize,
    pub(super) replies_ignored: AtomicU64,
    pub(super) replies_malformed: [AtomicU64; Malformed::ALL.len()],
    pub(super) passed_over: [AtomicU64; PassedOver::ALL.len()],
    pub(super) source: Source,
    pub(super) dropped: [AtomicU64; Dropped::ALL.len()],
    pub(super) on_failure_delivered: AtomicU64,
    pub(super) windows_discarded: AtomicU64,
    pub(super) destination_deliveries: [AtomicU64; DeliveryOutcome::ALL.len()],
    pub(super) checkpoint_commits: [AtomicU64; CommitOutcome::ALL.len()],
    pub(super) gaps: AtomicU64,
    pub(super) shards_waiting: AtomicUsize,
    pub(super) shards: Mutex<BTreeMap<String, Arc<ShardCells>>>,
}

impl Cells {
    /// The shards that are read now, by their names.
    pub(super) fn shards(&self) -> MutexGuard<'_, BTreeMap<String, Arc<ShardCells>>> {
        // Each change is one insertion or removal: a panic of its holder leaves nothing half written.
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MappingMetrics {
    pub(super) fn new(source: Source) -> Self {
        Self(Arc::new(Cells {
            polled: AtomicU64::default(),
            filtered_out: AtomicU64::default(),
            invoked: AtomicU64::default(),
            failed_invoke: AtomicU64::default(),
            deleted: AtomicU64::default(),
            delete_failed: AtomicU64::default(),
            invocations: Default::default(),
            invocation_duration: Histogram::new(&DURATION_SECONDS),
            in_flight: AtomicUsize::default(),
            batch_events: Histogram::new(&BATCH_EVENTS),
            batch_bytes: Histogram::new(&BATCH_BYTES),
            source_requests: Default::default(),
            state: AtomicUsize::new(State::Creating.index()),
            held: AtomicUsize::default(),
            handed_back: AtomicU64::default(),
            lease_lost: AtomicU64::default(),
            visibility_extended: AtomicU64::default(),
            concurrency_limit: AtomicUsize::default(),
            replies_ignored: AtomicU64::default(),
            replies_malformed: Default::default(),
            passed_over: Default::default(),
            source,
            dropped: Default::default(),
            on_failure_delivered: AtomicU64::default(),
            windows_discarded: AtomicU64::default(),
            destination_deliveries: Default::default(),
            checkpoint_commits: Default::default(),
            gaps: AtomicU64::default(),
            shards_waiting: AtomicUsize::default(),
            shards: Mutex::default(),
        }))
    }

    pub(super) fn cells(&self) -> &Cells {
        &self.0
    }

    /// `count` messages were received.
    pub fn record_polled(&self, count: usize) {
        add(&self.0.polled, count);
    }

    /// `count` messages match no filter.
    pub fn record_filtered_out(&self, count: usize) {
        add(&self.0.filtered_out, count);
    }

    /// `count` messages are about to be handed to the function; each repeat counts again.
    pub fn record_invoked(&self, count: usize) {
        add(&self.0.invoked, count);
    }

    /// `count` messages were in an invocation that did not handle all of them.
    pub fn record_failed_invoke(&self, count: usize) {
        add(&self.0.failed_invoke, count);
    }

    /// The queue confirmed that it deleted `count` messages.
    pub fn record_deleted(&self, count: usize) {
        add(&self.0.deleted, count);
    }

    /// `count` handled messages could not be deleted while their lease lasted: they come again.
    pub fn record_delete_failed(&self, count: usize) {
        add(&self.0.delete_failed, count);
    }

    /// An invocation ended. Its duration counts only where the function ran.
    pub fn record_invocation(&self, outcome: Outcome, duration: Duration) {
        add(&self.0.invocations[outcome.index()], 1);
        if outcome.ran() {
            self.0.invocation_duration.observe(duration.as_secs_f64());
        }
    }

    /// A batch was made: how many messages, and how long its event is. Once a batch, however often it is sent.
    pub fn record_batch(&self, events: usize, bytes: usize) {
        self.0.batch_events.observe(events as f64);
        self.0.batch_bytes.observe(bytes as f64);
    }

    /// An invocation runs until the guard is dropped.
    #[must_use = "the invocation counts as running while the guard lives"]
    pub fn in_flight(&self) -> InFlight {
        self.0.in_flight.fetch_add(1, Relaxed);
        InFlight(Arc::clone(&self.0))
    }

    /// Invocations that run now.
    pub fn invocations_running(&self) -> usize {
        self.0.in_flight.load(Relaxed)
    }

    /// A call to the source ended.
    pub fn record_source_request(&self, operation: Operation, outcome: RequestOutcome) {
        add(
            &self.0.source_requests[operation.index()][outcome.index()],
            1,
        );
    }

    /// The mapping is in this state from now on.
    pub fn set_state(&self, state: State) {
        self.0.state.store(state.index(), Relaxed);
    }

    /// `count` messages are in our hands: received and not yet settled.
    pub fn set_held(&self, count: usize) {
        self.0.held.store(count, Relaxed);
    }

    /// `count` messages that were received and not dispatched were given back to the queue.
    pub fn record_handed_back(&self, count: usize) {
        add(&self.0.handed_back, count);
    }

    /// The lease of `count` messages ended before they were settled: somebody else may have them.
    pub fn record_lease_lost(&self, count: usize) {
        add(&self.0.lease_lost, count);
    }

    /// The lease of `count` messages was extended.
    pub fn record_visibility_extended(&self, count: usize) {
        add(&self.0.visibility_extended, count);
    }

    /// So many invocations may run at once.
    pub fn set_concurrency_limit(&self, limit: usize) {
        self.0.concurrency_limit.store(limit, Relaxed);
    }

    /// The function returned `batchItemFailures` although the mapping does not ask for reports: the failed messages
    /// are deleted. // spec: 11.6
    pub fn record_reply_ignored(&self) {
        add(&self.0.replies_ignored, 1);
    }

    /// The function's answer cannot be read: the batch counts as failed. // spec: 3.1
    pub fn record_malformed_reply(&self, reason: Malformed) {
        add(&self.0.replies_malformed[reason.index()], 1);
    }

    /// The series of a shard, there until the handle is dropped.
    pub fn shard(&self, id: &str) -> ShardMetrics {
        ShardMetrics::begin(&self.0, id)
    }

    /// So many shards wait for their parents to be settled.
    pub fn set_shards_waiting(&self, count: usize) {
        self.0.shards_waiting.store(count, Relaxed);
    }

    /// `count` records were discarded, and no on-failure record tells of them. The final invocation of a window has no
    /// record, and counts by itself: AWS counts events here, and those of the window were handled. // spec: 5.8, 8
    pub fn record_dropped(&self, reason: Dropped, count: usize) {
        add(&self.0.dropped[reason.index()], count);
    }

    /// The on-failure record of `count` records was delivered.
    pub fn record_on_failure_delivered(&self, count: usize) {
        add(&self.0.on_failure_delivered, count);
    }

    /// The final invocation of a tumbling window was discarded, whether or not an on-failure record tells of it.
    pub fn record_window_discarded(&self) {
        add(&self.0.windows_discarded, 1);
    }

    /// An attempt to deliver an on-failure record ended.
    pub fn record_destination_delivery(&self, outcome: DeliveryOutcome) {
        add(&self.0.destination_deliveries[outcome.index()], 1);
    }

    /// An attempt to write a checkpoint ended.
    pub fn record_checkpoint_commit(&self, outcome: CommitOutcome) {
        add(&self.0.checkpoint_commits[outcome.index()], 1);
    }

    /// Records were trimmed by the source before they were read.
    pub fn record_gap(&self) {
        add(&self.0.gaps, 1);
    }

    /// A message that was received is neither invoked with nor dropped.
    pub fn record_passed_over(&self, reason: PassedOver) {
        add(&self.0.passed_over[reason.index()], 1);
    }
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Relaxed);
}

/// One running invocation; dropping it ends it, also when its task is aborted.
#[derive(Debug)]
pub struct InFlight(Arc<Cells>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}
