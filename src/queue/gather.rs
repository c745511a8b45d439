//! Receive until the batch is due: by count, by bytes, by time. // spec: 4.7

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::receive::{Accepted, Received};
use super::slots::Slot;
use super::{Engine, Item};
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
                        Err(delay) => (Received::default(), Some(delay)),
                    };
                    let early = self.now() - sent < Duration::from_secs(wait_s) / 2;
                    let got = received.len();
                    if got == 0 {
                        gathering.received_nothing(wait_s == 0);
                    }
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
