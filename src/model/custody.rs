//! The messages in our hands: each one's receipt, how long its lease lasts, and when to extend it.
//!
//! A queue's lease on a message (its visibility time-out) is the only fence that it has. While a message is in custody
//! its lease is extended, so that a slow function never causes a duplicate; and a copy of a message that is in custody
//! already, which a standard queue may hand out at any time, is not invoked a second time but lends its newer receipt.
//!
//! A group of an ordered queue is in one batch at a time. The queue hands out the next of it as soon as a delete takes
//! effect, which is before the answer to the delete is here: until then the next is held for the batch that deletes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::lease::HIDDEN_MAX;

/// The queue received a message before its answer came to us: so much is left off the longest, lest the last extension
/// asks for more than the queue grants and is refused like that of a lost lease.
const ANSWER_AGE_MAX: Duration = Duration::from_secs(10);

/// How long a refused extension waits before it is tried again.
const EXTENSION_RETRY: Duration = Duration::from_secs(1);
const EXTENSION_RETRY_SHORTEST: Duration = Duration::from_millis(100);

/// What became of a message that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is ours now.
    New,
    /// It was ours already: its newer receipt is kept, its older copy goes on.
    Again,
    /// All messages of its group that are in hand are being deleted: it is held for their batch, which takes it up when
    /// that is done.
    Follows {
        /// The batch.
        batch: u64,
    },
    /// Another batch holds messages of its group, so this one must wait its turn in the queue.
    GroupBusy,
}

/// How far a held message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Its batch is gathered, delivered, or handed back.
    InHand,
    /// It is being deleted.
    Leaving,
    /// It waits until those of its group that are leaving are gone.
    Following,
}

/// A group of which messages are held.
#[derive(Debug)]
struct Group {
    batch: u64,
    in_hand: usize,
    leaving: usize,
    following: usize,
}

impl Group {
    fn of(batch: u64) -> Self {
        Self {
            batch,
            in_hand: 0,
            leaving: 0,
            following: 0,
        }
    }

    /// How many of its messages are in this stage.
    fn count(&mut self, stage: Stage) -> &mut usize {
        match stage {
            Stage::InHand => &mut self.in_hand,
            Stage::Leaving => &mut self.leaving,
            Stage::Following => &mut self.following,
        }
    }

    fn held(&self) -> usize {
        self.in_hand + self.leaving + self.following
    }
}

/// An extension that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The message.
    pub id: Arc<str>,
    /// Its newest receipt.
    pub receipt: Arc<str>,
    /// The visibility time-out to set, in whole seconds, at least 1.
    pub seconds: u64,
}

#[derive(Debug)]
struct Held {
    batch: u64,
    group: Option<Arc<str>>,
    stage: Stage,
    receipt: Arc<str>,
    received: Duration,
    /// The queue hides the message at least until then.
    until: Duration,
    /// When to extend; `None` once the lease is lost or has reached its longest.
    extend: Option<Duration>,
    lost: bool,
}

/// Everything that one mapping holds.
#[derive(Debug)]
pub struct Custody {
    lease: Duration,
    ordered: bool,
    held: BTreeMap<Arc<str>, Held>,
    extensions: BTreeSet<(Duration, Arc<str>)>,
    groups: BTreeMap<Arc<str>, Group>,
    /// How many messages each batch holds; no entry is zero.
    batches: BTreeMap<u64, usize>,
}

impl Custody {
    /// `ordered`: a group of messages is never in two batches (a FIFO queue).
    pub fn new(ordered: bool) -> Self {
        Self {
            lease: Duration::ZERO,
            ordered,
            held: BTreeMap::new(),
            extensions: BTreeSet::new(),
            groups: BTreeMap::new(),
            batches: BTreeMap::new(),
        }
    }

    /// How long extensions hide a message from now on.
    pub fn set_lease(&mut self, lease: Duration) {
        self.lease = lease;
    }

    /// A message came from the queue at `now`, for this batch. The receive hid it for `hidden`, which is not the lease
    /// of today when the terms changed while it waited.
    pub fn take(
        &mut self,
        batch: u64,
        id: &Arc<str>,
        receipt: Arc<str>,
        group: Option<&Arc<str>>,
        hidden: Duration,
        now: Duration,
    ) -> Taken {
        if let Some(held) = self.held.get_mut(id) {
            if let Some(extend) = held.extend.take() {
                self.extensions.remove(&(extend, id.clone()));
            }
            held.receipt = receipt;
            held.until = now + hidden;
            held.received = now;
            held.lost = false;
            let extend = now + hidden / 2;
            held.extend = Some(extend);
            self.extensions.insert((extend, id.clone()));
            self.invariants();
            return Taken::Again;
        }
        let group = if self.ordered { group.cloned() } else { None };
        let mut taken = Taken::New;
        let (mut holder, mut stage) = (batch, Stage::InHand);
        if let Some(group) = &group {
            let entry = self.groups.entry(group.clone());
            let entry = entry.or_insert_with(|| Group::of(batch));
            if entry.batch != batch && entry.in_hand > 0 {
                return Taken::GroupBusy;
            }
            // Behind one that follows its later ones follow too, also in its own batch.
            if entry.batch != batch || entry.following > 0 {
                holder = entry.batch;
                taken = Taken::Follows { batch: holder };
                stage = Stage::Following;
            }
            *entry.count(stage) += 1;
        }
        let extend = now + hidden / 2;
        self.extensions.insert((extend, id.clone()));
        let until = now + hidden;
        *self.batches.entry(holder).or_default() += 1;
        self.held.insert(
            id.clone(),
            Held {
                batch: holder,
                group,
                stage,
                receipt,
                received: now,
                until,
                extend: Some(extend),
                lost: false,
            },
        );
        self.invariants();
        taken
    }

    /// The message is handled or was dropped, and is being deleted from now on.
    pub fn leaving(&mut self, id: &Arc<str>) {
        self.move_to(id, Stage::Leaving);
    }

    /// Its batch has taken up the message that followed.
    pub fn taken_up(&mut self, id: &Arc<str>) {
        self.move_to(id, Stage::InHand);
    }

    fn move_to(&mut self, id: &Arc<str>, stage: Stage) {
        if !self.ordered {
            return;
        }
        let Some(held) = self.held.get_mut(id) else {
            return;
        };
        let before = std::mem::replace(&mut held.stage, stage);
        let Some(group) = &held.group else {
            return;
        };
        let entry = self.groups.get_mut(group);
        let entry = entry.expect("a held message's group is counted");
        *entry.count(before) -= 1;
        *entry.count(stage) += 1;
        self.invariants();
    }

    /// The message is settled, handed back or left: its lease is no longer ours to extend.
    pub fn release(&mut self, id: &Arc<str>) {
        self.let_go(id);
        self.invariants();
    }

    fn let_go(&mut self, id: &Arc<str>) {
        let Some(held) = self.held.remove(id) else {
            return;
        };
        if let Some(extend) = held.extend {
            self.extensions.remove(&(extend, id.clone()));
        }
        let members = self
            .batches
            .get_mut(&held.batch)
            .expect("a held message's batch is counted");
        *members -= 1;
        if *members == 0 {
            self.batches.remove(&held.batch);
        }
        if let Some(group) = held.group {
            let entry = self
                .groups
                .get_mut(&group)
                .expect("a held message's group is counted");
            *entry.count(held.stage) -= 1;
            if entry.held() == 0 {
                self.groups.remove(&group);
            }
        }
    }

    /// Whatever is still held for this batch is let go: nobody will settle it. This may be on the way out of a panic, where a second one
    /// would end the process without a word: what is held is not looked through here.
    pub fn release_batch(&mut self, batch: u64) -> usize {
        // As a rule all of it was settled: everything that is held is looked through only when something is left.
        if !self.batches.contains_key(&batch) {
            return 0;
        }
        let members = self.held.iter().filter(|(_, held)| held.batch == batch);
        let ids: Vec<Arc<str>> = members.map(|(id, _)| id.clone()).collect();
        ids.iter().for_each(|id| self.let_go(id));
        ids.len()
    }

    /// The newest receipt of a held message.
    pub fn receipt(&self, id: &str) -> Option<Arc<str>> {
        self.held.get(id).map(|held| held.receipt.clone())
    }

    /// How long the queue hides the message from now on, as far as we know; nothing when the lease is lost.
    pub fn remaining(&self, id: &str, now: Duration) -> Option<Duration> {
        let held = self.held.get(id)?;
        if held.lost || held.until <= now {
            None
        } else {
            Some(held.until - now)
        }
    }

    /// An extension of this message will be tried, or tried again.
    pub fn extends(&self, id: &str) -> bool {
        let held = self.held.get(id);
        held.is_some_and(|held| !held.lost && held.extend.is_some())
    }

    /// When the next extension is due.
    pub fn next_extension(&self) -> Option<Duration> {
        self.extensions.first().map(|(at, _)| *at)
    }

    /// The extensions that are due by `now`, and with them those that are due within `soon`, `most` at most. They are out
    /// of the agenda until [`Self::extended`], [`Self::not_extended`] or [`Self::lost`] tells what became of each.
    pub fn due(&mut self, now: Duration, soon: Duration, most: usize) -> Vec<Extension> {
        let mut due = Vec::new();
        if self.next_extension().is_none_or(|at| now < at) {
            return due;
        }
        while due.len() < most && self.next_extension().is_some_and(|at| at <= now + soon) {
            let (_, id) = self
                .extensions
                .pop_first()
                .expect("there is a first one: its time was just read");
            due.extend(self.extension(&id, now));
        }
        due
    }

    /// An extension of this message now, whether or not it is due; `None` when it is not held, lost, or at its longest.
    pub fn extension(&mut self, id: &Arc<str>, now: Duration) -> Option<Extension> {
        let held = self.held.get_mut(id)?;
        if let Some(extend) = held.extend.take() {
            self.extensions.remove(&(extend, id.clone()));
        }
        if held.lost {
            return None;
        }
        let longest = (held.received + HIDDEN_MAX - ANSWER_AGE_MAX).saturating_sub(now);
        let length = self.lease.min(longest);
        // Rounded up, but never over the longest that the queue accepts.
        let seconds = if length == longest {
            length.as_secs()
        } else {
            length.as_millis().div_ceil(1000) as u64
        };
        let until = held.until;
        if until < now + Duration::from_secs(seconds) {
            return Some(Extension {
                id: id.clone(),
                receipt: held.receipt.clone(),
                seconds,
            });
        }
        // An extension would gain nothing. At its longest a lease just runs out; one that is longer than those of today,
        // since the terms changed, is extended when half of one of today's is left of it.
        if length < longest {
            self.schedule(id, until - length / 2);
        }
        None
    }

    /// The queue accepted the extension that was sent at `sent`.
    pub fn extended(&mut self, extension: &Extension, sent: Duration) {
        let length = Duration::from_secs(extension.seconds);
        let Some(held) = self.held.get_mut(&extension.id) else {
            return;
        };
        if held.receipt != extension.receipt {
            return;
        }
        held.until = sent + length;
        held.lost = false;
        self.schedule(&extension.id, sent + length / 2);
    }

    /// The extension failed in a way that may pass: it is tried again shortly, as long as there is a lease to extend.
    /// True when the lease ran out over it.
    pub fn not_extended(&mut self, extension: &Extension, now: Duration) -> bool {
        let Some(held) = self.held.get_mut(&extension.id) else {
            return false;
        };
        if held.receipt != extension.receipt || held.lost {
            return false;
        }
        let left = held.until.saturating_sub(now);
        held.lost = left.is_zero();
        if held.lost {
            return true;
        }
        // A short lease is not waited out between two tries.
        let gap = EXTENSION_RETRY.min(left / 2).max(EXTENSION_RETRY_SHORTEST);
        self.schedule(&extension.id, now + gap);
        false
    }

    /// The queue says that the lease is gone. True when that is news.
    pub fn lost(&mut self, extension: &Extension) -> bool {
        let Some(held) = self.held.get_mut(&extension.id) else {
            return false;
        };
        if held.receipt != extension.receipt || held.lost {
            return false;
        }
        held.lost = true;
        true
    }

    /// How many messages are held.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Nothing is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// How many message groups are held: a FIFO mapping's concurrency is bounded by it. // spec: 4.6
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    fn schedule(&mut self, id: &Arc<str>, at: Duration) {
        let Some(held) = self.held.get_mut(id) else {
            return;
        };
        if let Some(before) = held.extend.replace(at) {
            self.extensions.remove(&(before, id.clone()));
        }
        self.extensions.insert((at, id.clone()));
    }

    fn invariants(&self) {
        if cfg!(debug_assertions) && self.held.len() <= 64 {
            let agenda = self
                .held
                .values()
                .filter(|held| held.extend.is_some())
                .count();
            debug_assert!(
                self.extensions.len() <= agenda.max(self.extensions.len().min(self.held.len()))
            );
            for (at, id) in &self.extensions {
                debug_assert_eq!(
                    self.held.get(id).and_then(|held| held.extend),
                    Some(*at),
                    "the agenda is true"
                );
            }
            debug_assert_eq!(
                self.batches.values().sum::<usize>(),
                self.held.len(),
                "the batches' counts are true"
            );
            for (name, group) in &self.groups {
                let members = self
                    .held
                    .values()
                    .filter(|held| held.group.as_ref() == Some(name));
                let of = |stage| members.clone().filter(|held| held.stage == stage).count();
                debug_assert_eq!(
                    [Stage::InHand, Stage::Leaving, Stage::Following].map(of),
                    [group.in_hand, group.leaving, group.following],
                    "a group's counts are true"
                );
                debug_assert!(
                    members.clone().all(|held| held.batch == group.batch),
                    "a group is in one batch"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests;
