//! Engine 1: one queue, one function. Permit, receive, invoke, settle; visibility is extended meanwhile.
//!
//! A *turn* is one batch's way: a slot is taken before the receive (`slots`), messages are received (`receive`) until the
//! batch is due (`gather`), the function is invoked until it ran (`deliver`), and each message is deleted or left (`settle`).
//! Beside the turns `heartbeat` extends the leases of everything in custody. The queue keeps the progress, so there is
//! no checkpoint: what this process forgets comes again when its lease ends.

mod deliver;
mod gather;
pub mod heartbeat;
mod receive;
mod settle;
mod slots;
mod terms;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::aws::clients::Clients;
use crate::aws::fault::{Failure, Fault};
use crate::aws::sqs::Queue;
use crate::config::arn::Arn;
use crate::config::mapping::Mapping;
use crate::function::Function;
use crate::metrics::{MappingMetrics, Operation};
use crate::model::backoff::Backoff;
use crate::model::custody::Custody;
use crate::model::event::{Piece, QueueStamp};
use crate::model::filter::Filters;
use crate::model::scaling::Scaling;
use crate::model::settlement::{Fate, Member, Outcome, settle};
use crate::model::window::Window;

use crate::reports::{Account, Reports};
use deliver::Delivered;
use gather::{Dropped, Gathered};
use receive::Accepted;
use slots::{Slot, Slots};
use terms::Terms;

/// A long poll waits at most this long on the queue. // spec: 4.5, 10
const WAIT_MAX_S: u64 = 20;
/// A drain must have time left after the last long poll came back.
const GRACE_AFTER_POLL_S: u64 = 5;
/// Repeats of a failed receive: the first delay and the longest.
const RECEIVE_REPEAT_FIRST: Duration = Duration::from_millis(200);
const RECEIVE_REPEAT_LONGEST: Duration = Duration::from_secs(30);
/// Repeats of a receive of which every message had to be passed over, or that came back empty long before its wait was
/// over: a queue that hands out what is in hand already, or does not wait, would be asked as fast as it answers.
const IDLE_REPEAT_FIRST: Duration = Duration::from_millis(100);
const IDLE_REPEAT_LONGEST: Duration = Duration::from_secs(5);
/// After a panic in a batch the next one is begun this much later.
const PANIC_REST: Duration = Duration::from_secs(1);

/// A message on its way: what is left of it once its event record is written.
#[derive(Debug)]
struct Item {
    id: Arc<str>,
    /// None where no order is kept.
    group: Option<Arc<str>>,
    trace: Option<String>,
    record: Piece,
    arrived: Duration,
}

/// Why an engine does not start: who did not do what is needed of him, and how.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The queue can not be found, or does not tell its visibility time-out.
    #[error("the queue {0}: {1}")]
    Queue(Arn, Failure),
    /// The function can not be found.
    #[error("the function {0}: {1}")]
    Function(String, Failure),
}

/// One mapping's engine.
#[derive(Debug)]
pub struct Engine {
    mapping: Arc<Mapping>,
    queue: Queue,
    function: Function,
    filters: Filters,
    stamp: QueueStamp,
    window: Window,
    wait_max_s: u64,
    metrics: MappingMetrics,
    reports: Reports,
    slots: Arc<Slots>,
    custody: Mutex<Custody>,
    /// What came for a batch while it deleted those before them in their groups. Locked inside the custody's lock.
    followers: Mutex<BTreeMap<u64, Vec<Accepted>>>,
    leases_changed: Notify,
    terms: Mutex<Terms>,
    /// The last extension was refused for want of a permission: said once, and not for every message.
    extension_denied: AtomicBool,
    receive_repeats: Mutex<Backoff>,
    /// Receives that brought nothing to do with what they brought.
    idle_repeats: Mutex<Backoff>,
    /// How many receives are under way.
    receiving: AtomicUsize,
    /// None is any more. Those who wait are woken in the order in which they came: a watch channel would draw lots.
    received: Notify,
    chance: Mutex<fastrand::Rng>,
    account: Mutex<Account>,
    began: Instant,
}

impl Engine {
    /// Find the queue and the function, and agree on their terms. Nothing is received yet.
    ///
    /// `grace` is how long a drain may take: no long poll is begun that it could not outlast.
    pub async fn start(
        mapping: Arc<Mapping>,
        filters: Filters,
        clients: &Clients,
        reports: Reports,
        grace: Duration,
        chance: fastrand::Rng,
    ) -> Result<Arc<Self>, StartError> {
        let wait_max_s = grace
            .as_secs()
            .saturating_sub(GRACE_AFTER_POLL_S)
            .clamp(1, WAIT_MAX_S);
        let found = Queue::find(clients, &mapping.source).await;
        reports.request(Operation::GetQueueUrl, &found);
        let queue = found.map_err(|failure| StartError::Queue(mapping.source.clone(), failure))?;
        let function = Function::new(clients, &mapping.target);
        let terms = Terms::look(&queue, &function, &mapping, &reports).await?;
        let stamp = QueueStamp {
            arn: mapping.source.to_string(),
            region: mapping.source.region.clone(),
            null_attributes_digest: !mapping.window.is_zero(),
        };
        let window = Window {
            count_max: mapping.batch_size,
            length: mapping.window,
        };
        let patient = !mapping.window.is_zero();
        let engine = Self {
            slots: Slots::new(Scaling::new(mapping.maximum_concurrency, patient)),
            custody: Mutex::new(Custody::new(mapping.fifo())),
            followers: Mutex::default(),
            leases_changed: Notify::new(),
            terms: Mutex::new(terms),
            extension_denied: AtomicBool::new(false),
            receive_repeats: Mutex::new(Backoff::new(RECEIVE_REPEAT_FIRST, RECEIVE_REPEAT_LONGEST)),
            idle_repeats: Mutex::new(Backoff::new(IDLE_REPEAT_FIRST, IDLE_REPEAT_LONGEST)),
            receiving: AtomicUsize::new(0),
            received: Notify::new(),
            chance: Mutex::new(chance),
            account: Mutex::default(),
            began: Instant::now(),
            mapping,
            queue,
            function,
            filters,
            stamp,
            window,
            wait_max_s,
            metrics: reports.metrics.clone(),
            reports,
        };
        engine.set_terms(terms);
        engine.metrics.set_concurrency_limit(engine.slots.limit());
        terms.warn_if_too_short(&engine.mapping);
        Ok(Arc::new(engine))
    }

    /// Run until `drain` is cancelled and everything in hand is settled.
    pub async fn run(self: Arc<Self>, drain: CancellationToken) -> Account {
        let settled = CancellationToken::new();
        let mut keepers = JoinSet::new();
        let (engine, stop) = (self.clone(), settled.clone());
        keepers.spawn(async move { engine.extend_leases(&stop).await });
        let (engine, stop) = (self.clone(), settled.clone());
        keepers.spawn(async move { engine.watch_terms(&stop).await });

        let mut turns = JoinSet::new();
        for number in 0.. {
            let mut panicked = false;
            while let Some(ended) = turns.try_join_next() {
                panicked |= self.panicked(ended);
            }
            if panicked {
                self.rest(PANIC_REST, &drain).await;
            }
            let slot = tokio::select! {
                biased;
                () = drain.cancelled() => break,
                // Without its heartbeat the mapping would lose every lease: it is started anew.
                Some(Err(ended)) = keepers.join_next() => std::panic::resume_unwind(ended.into_panic()),
                slot = self.slots.slot(|| self.now()) => slot,
            };
            turns.spawn(self.clone().turn(number, slot, drain.clone()));
        }
        self.reports.draining();
        while let Some(ended) = turns.join_next().await {
            self.panicked(ended);
        }
        settled.cancel();
        while let Some(ended) = keepers.join_next().await {
            self.panicked(ended);
        }
        self.account_now()
    }

    /// What became of the messages so far; what is in hand counts as abandoned.
    pub fn account_now(&self) -> Account {
        let in_hand = self.in_custody(|custody, _| custody.len()) as u64;
        Account {
            abandoned: in_hand,
            ..*self
                .account
                .lock()
                .expect("nothing panics while it holds the account")
        }
    }

    /// A batch's way, and that of what followed it; with the deletes of what the filter dropped, for which no batch waits.
    async fn turn(self: Arc<Self>, number: u64, mut slot: Slot, drain: CancellationToken) {
        let _hands = Hands {
            engine: &self,
            number,
        };
        let mut dropped = Dropped::default();
        let mut waiting = VecDeque::new();
        loop {
            self.batches(number, &mut slot, waiting, &mut dropped, &drain)
                .await;
            slot.complete();
            waiting = loop {
                dropped.deleted().await;
                let followers = self.take_up(number, &mut dropped);
                if !followers.is_empty() || dropped.is_empty() {
                    break followers;
                }
            };
            if waiting.is_empty() {
                return;
            }
        }
    }

    /// One batch's way, beginning with what is waiting already, and then that of what did not fit into it.
    async fn batches(
        self: &Arc<Self>,
        number: u64,
        slot: &mut Slot,
        mut waiting: VecDeque<Item>,
        dropped: &mut Dropped,
        drain: &CancellationToken,
    ) {
        loop {
            let gathered = self.gather(number, slot, waiting, dropped, drain).await;
            let (mut batch, mut overflow) = match gathered {
                Gathered::Nothing => return,
                Gathered::Stopped { batch, overflow } => {
                    return self.untried(batch, overflow).await;
                }
                Gathered::Due { batch, overflow } => (batch, overflow),
            };
            // The groups that stand still: a message of theirs is in the queue again.
            let mut stopped = BTreeSet::new();
            // Boxed: while there is nothing to deliver it takes no room.
            match Box::pin(self.deliver(&mut batch, &mut stopped, drain)).await {
                Delivered::Settled(outcome) => {
                    Box::pin(self.settle(batch, &outcome, &mut stopped)).await;
                }
                Delivered::Stopped => return self.untried(batch, overflow).await,
            }
            overflow.extend(self.take_up(number, dropped));
            // Behind a failed message of its group nothing is tried before the failed one was.
            let behind = |item: &Item| {
                item.group
                    .as_ref()
                    .is_some_and(|group| stopped.contains(group))
            };
            let left: Vec<Arc<str>> = overflow
                .iter()
                .filter(|item| behind(item))
                .map(|item| item.id.clone())
                .collect();
            self.leave(&left);
            overflow.retain(|item| !behind(item));
            if overflow.is_empty() {
                return;
            }
            waiting = overflow;
        }
    }

    /// The mapping drains: the queue has these again at once.
    async fn untried(&self, batch: Vec<Item>, overflow: VecDeque<Item>) {
        let ids = batch.into_iter().chain(overflow).map(|item| item.id);
        self.hand_back(ids.collect()).await;
    }

    /// Delete and leave as the outcome says.
    async fn settle(&self, batch: Vec<Item>, outcome: &Outcome, stopped: &mut BTreeSet<Arc<str>>) {
        let members = batch.iter().map(|item| Member {
            id: &item.id,
            group: item.group.as_deref(),
        });
        let fates = settle(members, outcome);
        let mut delete = Vec::new();
        let mut groups = BTreeMap::new();
        let mut leave = Vec::new();
        for (item, fate) in batch.into_iter().zip(fates) {
            match fate {
                Fate::Delete => {
                    groups.extend(item.group.map(|group| (item.id.clone(), group)));
                    delete.push(item.id);
                }
                Fate::Leave => {
                    leave.push(item.id);
                    stopped.extend(item.group);
                }
            }
        }
        self.leave(&leave);
        if !delete.is_empty() {
            let left = self.delete(delete).await;
            stopped.extend(left.iter().filter_map(|id| groups.remove(id)));
        }
    }

    /// The batch that deleted those before them takes up what followed in their groups.
    fn take_up(self: &Arc<Self>, number: u64, dropped: &mut Dropped) -> VecDeque<Item> {
        let mut items = VecDeque::new();
        if !self.mapping.fifo() {
            return items;
        }
        let mut unwanted = Vec::new();
        let followers = self.in_custody(|custody, _| {
            let followers = self.followers().remove(&number).unwrap_or_default();
            followers
                .iter()
                .for_each(|message| custody.taken_up(message.id()));
            followers
        });
        for message in followers {
            match message {
                Accepted::Kept(item) => items.push_back(item),
                Accepted::Dropped(id) => unwanted.push(id),
            }
        }
        self.drop_unwanted(unwanted, dropped);
        items
    }

    /// The receive after a failure waits as long as this.
    fn source_failed(&self, failure: &Failure) -> Duration {
        let mut delay = self
            .receive_repeats
            .lock()
            .expect("nothing panics while it holds the backoff")
            .delay(self.jitter());
        if let Fault::Throttled { after: Some(after) } = failure.fault {
            delay = delay.max(after.min(RECEIVE_REPEAT_LONGEST));
        }
        warn!(mapping = %self.mapping.name, %failure, delay_ms = delay.as_millis() as u64, "receive failed");
        self.reports
            .source(Some(format!("failed to receive: {failure}")));
        delay
    }

    fn source_answered(&self) {
        self.receive_repeats
            .lock()
            .expect("nothing panics while it holds the backoff")
            .reset();
        self.reports.source(None);
    }

    /// How long to wait after a receive that brought `got` messages; `used`: one of them at least was of use; `early`: it
    /// came back long before its wait was over.
    fn useful(&self, got: usize, used: bool, early: bool) -> Option<Duration> {
        let mut repeats = self
            .idle_repeats
            .lock()
            .expect("nothing panics while it holds the backoff");
        if used {
            repeats.reset();
        }
        let useless = !used && (got > 0 || early);
        useless.then(|| repeats.delay(self.jitter()))
    }

    /// Sleep, unless the mapping drains.
    async fn rest(&self, delay: Duration, drain: &CancellationToken) {
        tokio::select! {
            biased;
            () = drain.cancelled() => {}
            () = tokio::time::sleep(delay) => {}
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn jitter(&self) -> f64 {
        self.chance
            .lock()
            .expect("nothing panics while it draws")
            .f64()
    }

    fn terms(&self) -> Terms {
        *self
            .terms
            .lock()
            .expect("nothing panics while it holds the terms")
    }

    fn set_terms(&self, terms: Terms) {
        let before = std::mem::replace(
            &mut *self
                .terms
                .lock()
                .expect("nothing panics while it holds the terms"),
            terms,
        );
        self.in_custody(|custody, _| custody.set_lease(terms.lease));
        if before != terms {
            info!(mapping = %self.mapping.name, lease_s = terms.lease.as_secs(), "the terms changed");
            terms.warn_if_too_short(&self.mapping);
        }
    }

    /// Look into or change what is held, and wake the heartbeat when its next beat moved forward.
    fn in_custody<T>(&self, act: impl FnOnce(&mut Custody, Duration) -> T) -> T {
        let now = self.now();
        // After a panic in here the mapping is started anew; until then the hands of the turn that panicked let go
        // through here, which must not panic a second time.
        let mut custody = self.custody.lock().unwrap_or_else(PoisonError::into_inner);
        let before = custody.next_extension();
        let result = act(&mut custody, now);
        let after = custody.next_extension();
        self.metrics.set_held(custody.len());
        drop(custody);
        if after.is_some_and(|after| before.is_none_or(|before| after < before)) {
            self.leases_changed.notify_one();
        }
        result
    }

    /// Only ever locked within [`Self::in_custody`].
    fn followers(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<Accepted>>> {
        self.followers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn account(&self, change: impl FnOnce(&mut Account)) {
        change(
            &mut self
                .account
                .lock()
                .expect("nothing panics while it holds the account"),
        );
    }

    /// Whether a task ended in a panic, which is told.
    fn panicked(&self, ended: Result<(), tokio::task::JoinError>) -> bool {
        let panicked = ended.is_err_and(|ended| ended.is_panic());
        if panicked {
            error!(mapping = %self.mapping.name, "a batch ended in a panic; its messages are left to the queue");
        }
        assert!(
            !self.custody.is_poisoned(),
            "what is held is not known any more: the mapping is started anew"
        );
        panicked
    }
}

/// However a turn ends, nothing stays in custody for it: a lease that nobody will settle must not be extended.
struct Hands<'a> {
    engine: &'a Engine,
    number: u64,
}

impl Drop for Hands<'_> {
    fn drop(&mut self) {
        let left = self.engine.in_custody(|custody, _| {
            self.engine.followers().remove(&self.number);
            custody.release_batch(self.number)
        });
        self.engine.account(|account| account.left += left as u64);
    }
}
