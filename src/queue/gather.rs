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
use crate::model::event::{Piece, write_queue_record};
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
        while !self.is_empty() {
            self.one_deleted().await;
        }
    }

    /// None is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether another round may begin.
    fn has_room(&mut self) -> bool {
        while !self.is_empty() && self.one_deleted().now_or_never().is_some() {}
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
                    let got = received.len();
                    let mut unwanted = Vec::new();
                    let (accepted, used) = self.accept(number, received, lease);
                    for message in accepted {
                        match message {
                            Accepted::Kept(item) => {
                                self.join(item, &mut gathering, &mut batch, &mut overflow)
                            }
                            Accepted::Dropped(id) => unwanted.push(id),
                        }
                    }
                    // What had to be passed over is no backlog.
                    self.slots
                        .received(count, if used { got } else { 0 }, self.now());
                    self.metrics.set_concurrency_limit(self.slots.limit());
                    self.drop_unwanted(unwanted, dropped);
                    if let Some(delay) = failed.or_else(|| self.useful(got, used, early)) {
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

    /// What an answer brought for this batch, in its order, and whether any of its messages was taken, for this batch or to
    /// follow those of another.
    fn accept(
        &self,
        number: u64,
        received: Vec<Result<Message, Unusable>>,
        lease: Duration,
    ) -> (Vec<Accepted>, bool) {
        let arrived = self.now();
        // The groups of which a message could not be taken: those behind it in the answer wait too.
        let mut stopped = BTreeSet::new();
        let read: Vec<Read> = received
            .into_iter()
            .filter_map(|message| self.read(message, arrived, &mut stopped))
            .collect();
        let mut accepted = Vec::with_capacity(read.len());
        let mut passed_over = Vec::new();
        let mut follows = false;
        // All at once: a group must not change hands between two of its messages.
        self.in_custody(|custody, _| {
            for read in read {
                let (id, group) = (read.message.id(), read.group.as_ref());
                let taken = if group.is_some_and(|group| stopped.contains(&**group)) {
                    Taken::GroupBusy
                } else {
                    custody.take(number, id, read.receipt, group, lease, arrived)
                };
                match taken {
                    Taken::New => accepted.push(read.message),
                    Taken::Follows { batch } => {
                        follows = true;
                        let mut followers = self.followers();
                        followers.entry(batch).or_default().push(read.message);
                    }
                    Taken::Again => passed_over.push((id.clone(), PassedOver::Duplicate)),
                    Taken::GroupBusy => {
                        passed_over.push((id.clone(), PassedOver::GroupBusy));
                        stopped.extend(group.map(|group| group.to_string()));
                    }
                }
            }
        });
        for (message, why) in passed_over {
            self.passed_over(&message, why);
        }
        let used = follows || !accepted.is_empty();
        (accepted, used)
    }

    /// A message as it is to be taken; nothing where it can not be, or stands behind such a one in its group.
    fn read(
        &self,
        message: Result<Message, Unusable>,
        arrived: Duration,
        stopped: &mut BTreeSet<String>,
    ) -> Option<Read> {
        let message = match message {
            Ok(message) => message,
            Err(Unusable { group, why }) => {
                self.metrics.record_passed_over(PassedOver::Unusable);
                warn!(mapping = %self.mapping.name, %why, "message left to the queue");
                stopped.extend(group);
                return None;
            }
        };
        let group = message.group().filter(|_| self.mapping.fifo());
        if group.is_some_and(|group| stopped.contains(group)) {
            self.metrics.record_passed_over(PassedOver::GroupBusy);
            return None;
        }
        let group: Option<Arc<str>> = group.map(Arc::from);
        let id: Arc<str> = Arc::from(message.id.as_str());
        let accepted = match self.filters.keeps(&message) {
            true => Accepted::Kept(Item {
                id,
                group: group.clone(),
                trace: message.attributes.get("AWSTraceHeader").cloned(),
                record: self.written(&message),
                arrived,
            }),
            false => Accepted::Dropped(id),
        };
        Some(Read {
            receipt: Arc::from(message.receipt.as_str()),
            group,
            message: accepted,
        })
    }

    fn written(&self, message: &Message) -> Piece {
        let mut written = Vec::new();
        write_queue_record(&mut written, message, &self.stamp);
        written.into()
    }

    fn passed_over(&self, message: &str, why: PassedOver) {
        let mapping = self.mapping.name.as_str();
        self.metrics.record_passed_over(why);
        match why {
            PassedOver::Duplicate => {
                debug!(mapping, message, "a message that is in hand came again");
            }
            PassedOver::GroupBusy | PassedOver::Unusable => {
                warn!(
                    mapping,
                    message, "left to the queue: its group is in another batch"
                );
            }
        }
    }

    /// What the filter dropped is deleted at once and does not wait for a batch. // spec: 4.7
    pub(super) fn drop_unwanted(self: &Arc<Self>, unwanted: Vec<Arc<str>>, dropped: &mut Dropped) {
        if unwanted.is_empty() {
            return;
        }
        self.metrics.record_filtered_out(unwanted.len());
        let engine = self.clone();
        dropped.0.spawn(async move {
            engine.delete(unwanted).await;
        });
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

/// A message that is to be taken.
struct Read {
    receipt: Arc<str>,
    /// None where no order is kept.
    group: Option<Arc<str>>,
    message: Accepted,
}

/// A message that was taken, by what the filter says of it.
#[derive(Debug)]
pub(super) enum Accepted {
    Kept(Item),
    Dropped(Arc<str>),
}

impl Accepted {
    pub(super) fn id(&self) -> &Arc<str> {
        match self {
            Self::Kept(item) => &item.id,
            Self::Dropped(id) => id,
        }
    }
}
