//! Receive until the batch is due: by count, by bytes, by time. // spec: 4.7

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::slots::Slot;
use super::{Engine, Item};
use crate::aws::sqs::Unusable;
use crate::metrics::{Operation, PassedOver};
use crate::model::custody::Taken;
use crate::model::event::queue_record;
use crate::model::record::Message;
use crate::model::window::{Gathering, Next};

/// What came of gathering.
#[derive(Debug)]
pub(super) enum Gathered {
    /// Invoke with these, at least one. What did not fit waits behind, under the same slot.
    Due {
        batch: Vec<Item>,
        overflow: VecDeque<Item>,
    },
    /// The mapping drains: these were received and are not to be invoked.
    Stopped {
        batch: Vec<Item>,
        overflow: VecDeque<Item>,
    },
    /// The queue had nothing for us.
    Nothing,
}

/// How many rounds of deletes of what the filter dropped may be under way while a batch is gathered: behind a queue that
/// takes no deletes nothing more is received.
const DROPPED_ROUNDS_MAX: usize = 8;

/// The deletes of what the filter dropped, a task for each receive's.
#[derive(Debug, Default)]
pub(super) struct Dropped(JoinSet<()>);

impl Dropped {
    /// Wait until one round is over.
    async fn one_deleted(&mut self) {
        if let Some(Err(ended)) = self.0.join_next().await {
            std::panic::resume_unwind(ended.into_panic());
        }
    }

    /// Wait until all are over.
    pub(super) async fn deleted(&mut self) {
        while !self.0.is_empty() {
            self.one_deleted().await;
        }
    }

    /// Whether another round may begin.
    fn has_room(&mut self) -> bool {
        while !self.0.is_empty() && self.one_deleted().now_or_never().is_some() {}
        self.0.len() < DROPPED_ROUNDS_MAX
    }
}

impl Engine {
    /// Gather one batch, beginning with what is waiting already. What the filter drops goes into `dropped`.
    pub(super) async fn gather(
        self: &Arc<Self>,
        number: u64,
        slot: &mut Slot,
        waiting: VecDeque<Item>,
        dropped: &mut Dropped,
        drain: &CancellationToken,
    ) -> Gathered {
        let mut gathering = Gathering::default();
        let mut batch = Vec::new();
        let mut overflow = VecDeque::new();
        for item in waiting {
            self.join(item, &mut gathering, &mut batch, &mut overflow);
        }
        loop {
            if drain.is_cancelled() {
                return Gathered::Stopped { batch, overflow };
            }
            match gathering.next(
                self.window,
                self.wait_max_s,
                !overflow.is_empty(),
                self.now(),
            ) {
                Next::Due => {
                    slot.complete();
                    return Gathered::Due { batch, overflow };
                }
                Next::Rest { until } => self.rest(until.saturating_sub(self.now()), drain).await,
                Next::Receive { .. } if !dropped.has_room() => {
                    let ends = gathering.ends(self.window);
                    self.one_deleted(dropped, ends, drain).await;
                }
                Next::Receive { count, wait_s } => {
                    // Awaited to its end, also while draining: an answer that nobody reads hides its messages for a
                    // whole visibility time-out.
                    let sent = self.now();
                    // Always asked for, also where it is the queue's own: that may be changed between two looks at it,
                    // and a lease that is shorter than we think makes duplicates.
                    let lease = self.terms().lease;
                    let (received, failed) = match self.receive(count, wait_s, lease).await {
                        Ok(received) => (received, None),
                        Err(delay) => (Vec::new(), Some(delay)),
                    };
                    let early = self.now() - sent < Duration::from_secs(wait_s) / 2;
                    if received.is_empty() {
                        gathering.received_nothing(wait_s == 0);
                    }
                    let (got, before) = (received.len(), batch.len() + overflow.len());
                    let mut unwanted = Vec::new();
                    let mut passed_over = BTreeSet::new();
                    for message in received {
                        match self.accept(number, message, lease, &mut passed_over) {
                            Accepted::Kept(item) => {
                                self.join(item, &mut gathering, &mut batch, &mut overflow)
                            }
                            Accepted::Dropped(id) => unwanted.push(id),
                            Accepted::Not => {}
                        }
                    }
                    let filtered = unwanted.len();
                    let taken = batch.len() + overflow.len() - before + filtered;
                    // What had to be passed over is no backlog.
                    self.slots
                        .received(count, if taken > 0 { got } else { 0 }, self.now());
                    self.metrics.set_concurrency_limit(self.slots.limit());
                    // What the filter dropped is deleted at once and does not wait for a batch. // spec: 4.7
                    if filtered > 0 {
                        self.metrics.record_filtered_out(filtered);
                        let engine = self.clone();
                        dropped
                            .0
                            .spawn(async move { engine.delete(unwanted).await });
                    }
                    if let Some(delay) = failed.or_else(|| self.useful(got, taken, early)) {
                        // What was gathered is due all the same when its window ends.
                        let left = gathering
                            .ends(self.window)
                            .map(|ends| ends.saturating_sub(self.now()));
                        self.rest(left.map_or(delay, |left| left.min(delay)), drain)
                            .await;
                    }
                    if batch.is_empty() && !drain.is_cancelled() {
                        return Gathered::Nothing;
                    }
                }
            }
        }
    }

    /// Wait for a round of deletes, but not past the end of the batch's window.
    async fn one_deleted(
        &self,
        dropped: &mut Dropped,
        ends: Option<Duration>,
        drain: &CancellationToken,
    ) {
        let ended = async {
            match ends {
                Some(ends) => tokio::time::sleep(ends.saturating_sub(self.now())).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = drain.cancelled() => {}
            () = dropped.one_deleted() => {}
            () = ended => {}
        }
    }

    /// One receive, or how long to wait before the next.
    async fn receive(
        &self,
        count: usize,
        wait_s: u64,
        lease: Duration,
    ) -> Result<Vec<Result<Message, Unusable>>, Duration> {
        self.receiving.fetch_add(1, Ordering::Relaxed);
        let answer = self.queue.receive(count, wait_s, lease).await;
        if self.receiving.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.received.notify_waiters();
        }
        self.reports.request(Operation::ReceiveMessage, &answer);
        match answer {
            Ok(messages) => {
                self.source_answered();
                self.metrics.record_polled(messages.len());
                Ok(messages)
            }
            Err(failure) => Err(self.source_failed(&failure)),
        }
    }

    /// `passed_over` are the groups of this receive of which a message could not be taken: those behind it wait too.
    fn accept(
        &self,
        number: u64,
        message: Result<Message, Unusable>,
        lease: Duration,
        passed_over: &mut BTreeSet<String>,
    ) -> Accepted {
        let mapping = self.mapping.name.as_str();
        let message = match message {
            Ok(message) => message,
            Err(Unusable { group, why }) => {
                self.metrics.record_passed_over(PassedOver::Unusable);
                warn!(mapping, %why, "message left to the queue");
                passed_over.extend(group);
                return Accepted::Not;
            }
        };
        let group = message.group().filter(|_| self.mapping.fifo());
        if group.is_some_and(|group| passed_over.contains(group)) {
            self.metrics.record_passed_over(PassedOver::GroupBusy);
            return Accepted::Not;
        }
        let id: Arc<str> = Arc::from(message.id.as_str());
        let receipt = Arc::from(message.receipt.as_str());
        let group: Option<Arc<str>> = group.map(Arc::from);
        match self.in_custody(|custody, now| {
            custody.take(number, &id, receipt, group.as_ref(), lease, now)
        }) {
            Taken::Again => {
                self.metrics.record_passed_over(PassedOver::Duplicate);
                debug!(mapping, message = %id, "a message that is in hand came again");
                Accepted::Not
            }
            Taken::GroupBusy => {
                self.metrics.record_passed_over(PassedOver::GroupBusy);
                warn!(mapping, message = %id, "left to the queue: its group is in another batch");
                passed_over.extend(group.map(|group| group.to_string()));
                Accepted::Not
            }
            Taken::New if self.filters.keeps(&message) => {
                let record = queue_record(&message, &self.stamp);
                let trace = message.attributes.get("AWSTraceHeader").cloned();
                Accepted::Kept(Item {
                    id,
                    group,
                    trace,
                    record,
                    arrived: self.now(),
                })
            }
            Taken::New => Accepted::Dropped(id),
        }
    }

    /// Order is kept: once one item had to wait, those behind it wait too.
    fn join(
        &self,
        item: Item,
        gathering: &mut Gathering,
        batch: &mut Vec<Item>,
        overflow: &mut VecDeque<Item>,
    ) {
        let bytes = item.record.len();
        if overflow.is_empty() && batch.len() < self.window.count_max && gathering.fits(bytes) {
            gathering.joined(bytes, item.arrived);
            batch.push(item);
        } else {
            overflow.push_back(item);
        }
    }
}

enum Accepted {
    Kept(Item),
    Dropped(Arc<str>),
    Not,
}
