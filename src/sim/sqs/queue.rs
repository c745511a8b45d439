//! One queue: which messages are visible, in flight, delayed, and when that changes. Time comes in as an argument.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use tokio::sync::Notify;

use super::{
    attributes::Config,
    message::{Message, Phase},
};
use crate::sim::clock::seconds_ms;

/// How long a FIFO queue remembers deduplication ids.
// API: SQS SendMessage, MessageDeduplicationId: 5 minutes
const DEDUPLICATION_MS: u64 = 5 * 60 * 1000;

/// A queue and its messages, which are numbered in the order of their arrival.
#[derive(Debug)]
pub(in crate::sim) struct Queue {
    pub(super) arn: String,
    /// Tells this queue from an earlier one of its name: part of every receipt handle.
    pub(super) serial: u64,
    /// As they were set.
    pub(super) attributes: BTreeMap<String, String>,
    /// As they are understood.
    pub(super) config: Config,
    pub(super) created_ms: u64,
    pub(super) modified_ms: u64,
    pub(super) purged_ms: Option<u64>,
    /// Given when a message may have become visible, or will sooner than waiting receives expect.
    pub(super) wake: Arc<Notify>,
    pub(super) counts: Counts,
    messages: BTreeMap<u64, Message>,
    visible: BTreeSet<u64>,
    /// Delayed and in-flight messages by the time they become visible.
    hidden: BTreeSet<(u64, u64)>,
    by_age: BTreeSet<(u64, u64)>,
    in_flight: usize,
    /// How many messages of each group are in flight; no entry is zero.
    locked: BTreeMap<Arc<str>, usize>,
    deduplication: BTreeMap<String, Sent>,
    deduplication_ends: VecDeque<(u64, String)>,
}

/// What became of messages, since the queue was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accepted from senders or moved in.
    pub sent: u64,
    /// Handed out, repeats included.
    pub received: u64,
    /// Deleted by consumers.
    pub deleted: u64,
    /// Outlived the retention period.
    pub expired: u64,
    /// Moved to the dead-letter queue.
    pub moved: u64,
    /// Purged.
    pub purged: u64,
}

/// The answer to a send, kept for deduplication.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) id: String,
    pub(super) sequence: Option<String>,
}

/// What `settle` found.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Ids whose visibility timeout ran out.
    pub(super) reappeared: Vec<String>,
    /// Ids that outlived the retention period.
    pub(super) expired: Vec<String>,
}

impl Queue {
    pub(super) fn new(
        arn: String,
        serial: u64,
        attributes: BTreeMap<String, String>,
        config: Config,
        now_ms: u64,
    ) -> Self {
        Self {
            arn,
            serial,
            attributes,
            config,
            created_ms: now_ms,
            modified_ms: now_ms,
            purged_ms: None,
            wake: Arc::new(Notify::new()),
            counts: Counts::default(),
            messages: BTreeMap::new(),
            visible: BTreeSet::new(),
            hidden: BTreeSet::new(),
            by_age: BTreeSet::new(),
            in_flight: 0,
            locked: BTreeMap::new(),
            deduplication: BTreeMap::new(),
            deduplication_ends: VecDeque::new(),
        }
    }

    /// Brings the queue up to `now_ms`: what is due becomes visible, what is too old goes.
    pub(super) fn settle(&mut self, now_ms: u64) -> Settled {
        let mut settled = Settled::default();
        while let Some(&(until_ms, number)) = self.hidden.first()
            && until_ms <= now_ms
        {
            let was = self.set_phase(number, Phase::Visible);
            if let (Some(Phase::InFlight { .. }), Some(message)) = (was, self.messages.get(&number))
            {
                settled.reappeared.push(message.id.clone());
            }
        }
        // API: SQS SetQueueAttributes, MessageRetentionPeriod
        let retention_ms = seconds_ms(self.config.retention_seconds);
        while let Some(&(sent_ms, number)) = self.by_age.first()
            && sent_ms + retention_ms <= now_ms
        {
            settled
                .expired
                .extend(self.remove(number).map(|message| message.id));
            self.counts.expired += 1;
        }
        while let Some((end_ms, _)) = self.deduplication_ends.front()
            && *end_ms <= now_ms
        {
            let ended = self.deduplication_ends.pop_front();
            ended.and_then(|(_, key)| self.deduplication.remove(&key));
        }
        self.invariants();
        settled
    }

    /// Takes a message in, visible or delayed as its phase says, and wakes a waiting receive.
    pub(super) fn insert(&mut self, number: u64, message: Message) {
        let phase = message.phase;
        self.by_age.insert((message.sent_ms, number));
        self.messages.insert(
            number,
            Message {
                phase: Phase::Visible,
                ..message
            },
        );
        self.visible.insert(number);
        self.counts.sent += 1;
        match phase {
            Phase::Visible => self.wake.notify_one(),
            Phase::Delayed { .. } | Phase::InFlight { .. } => {
                self.set_phase(number, phase);
            }
        }
        self.invariants();
    }

    /// Takes a message out for good. A lock that it held on its group goes with it.
    pub(super) fn remove(&mut self, number: u64) -> Option<Message> {
        self.set_phase(number, Phase::Visible)?;
        self.visible.remove(&number);
        let message = self.messages.remove(&number)?;
        self.by_age.remove(&(message.sent_ms, number));
        Some(message)
    }

    /// Moves a message to another phase and returns the one it was in.
    pub(super) fn set_phase(&mut self, number: u64, phase: Phase) -> Option<Phase> {
        let message = self.messages.get_mut(&number)?;
        let was = std::mem::replace(&mut message.phase, phase);
        let group = message.group.clone();
        match was {
            Phase::Visible => {
                self.visible.remove(&number);
            }
            Phase::Delayed { until_ms } => {
                self.hidden.remove(&(until_ms, number));
            }
            Phase::InFlight { until_ms, .. } => {
                self.hidden.remove(&(until_ms, number));
                self.in_flight -= 1;
                self.unlock(group.as_ref());
            }
        }
        match phase {
            Phase::Visible => {
                self.visible.insert(number);
                if was != Phase::Visible {
                    self.wake.notify_one();
                }
            }
            Phase::Delayed { until_ms } => self.hide(until_ms, number),
            Phase::InFlight { until_ms, .. } => {
                self.hide(until_ms, number);
                self.in_flight += 1;
                if let Some(group) = group.filter(|_| self.config.fifo) {
                    *self.locked.entry(group).or_default() += 1;
                }
            }
        }
        Some(was)
    }

    fn hide(&mut self, until_ms: u64, number: u64) {
        self.hidden.insert((until_ms, number));
        if self.hidden.first() == Some(&(until_ms, number)) {
            // Waiting receives sleep until the first of these; it has just come nearer.
            self.wake.notify_waiters();
        }
    }

    fn unlock(&mut self, group: Option<&Arc<str>>) {
        let Some((group, held)) =
            group.and_then(|group| Some((group, self.locked.get_mut(group)?)))
        else {
            return;
        };
        *held -= 1;
        if *held == 0 {
            self.locked.remove(group);
            self.wake.notify_one();
        }
    }

    /// The numbers of up to `most` messages that may be received now, in order.
    ///
    /// API: SQS ReceiveMessage, FIFO: while messages of a group are in flight no other of that group is returned; one receive may
    /// return several of a group, in order.
    pub(super) fn receivable(&self, most: usize) -> Vec<u64> {
        let free = |number: &u64| {
            let group = self
                .messages
                .get(number)
                .and_then(|message| message.group.as_ref());
            !self.config.fifo || group.is_none_or(|group| !self.locked.contains_key(group))
        };
        self.visible
            .iter()
            .copied()
            .filter(free)
            .take(most)
            .collect()
    }

    pub(super) fn get(&self, number: u64) -> Option<&Message> {
        self.messages.get(&number)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Message> {
        self.messages.get_mut(&number)
    }

    pub(super) fn numbers(&self) -> Vec<u64> {
        self.messages.keys().copied().collect()
    }

    /// When the next hidden message becomes visible, in Unix milliseconds.
    pub(super) fn next_change_ms(&self) -> Option<u64> {
        self.hidden.first().map(|(until_ms, _)| *until_ms)
    }

    pub(super) fn visible(&self) -> usize {
        self.visible.len()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) fn delayed(&self) -> usize {
        self.hidden.len() - self.in_flight
    }

    /// The answer to the earlier send of the same deduplication key.
    pub(super) fn earlier(&self, key: &str) -> Option<Sent> {
        self.deduplication.get(key).cloned()
    }

    pub(super) fn remember(&mut self, key: String, sent: Sent, now_ms: u64) {
        self.deduplication_ends
            .push_back((now_ms + DEDUPLICATION_MS, key.clone()));
        self.deduplication.insert(key, sent);
    }

    fn invariants(&self) {
        debug_assert_eq!(
            self.visible.len() + self.hidden.len(),
            self.messages.len(),
            "every message is in one phase"
        );
        debug_assert_eq!(
            self.by_age.len(),
            self.messages.len(),
            "every message has an age"
        );
        debug_assert!(
            self.locked.values().sum::<usize>() <= self.in_flight,
            "locks are held by messages in flight"
        );
        debug_assert!(
            self.in_flight <= self.hidden.len(),
            "what is in flight is hidden"
        );
    }
}
