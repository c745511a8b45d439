//! The judge: reads what happened in the world, in order, and names each promise that was broken. The numbers are those
//! of the design's invariants.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sluicegate::sim::{Ending, Entry, Event, Fault, Operation};

use super::function::DECOY;
use super::plan::{Plan, Presence, Settings};
use super::spell::{Spell, Weather};
use crate::engine::FUNCTION;

/// How long after a reload something may still begin that was decided before it.
const RELOAD_MAX: Duration = Duration::from_secs(1);
/// A receive that was begun before is waited for: what it brings would be hidden from everybody. It goes back at once.
pub const POLL_MAX: Duration = Duration::from_secs(20);

/// Nothing is invoked with, once a drain has begun.
const DRAINED_MAX: Duration = Duration::from_secs(1);
/// A call that was begun before may wait so long for credentials.
const SIGNED_MAX: Duration = Duration::from_secs(30);
/// A delete is tried so often before it is given up, at least, and so is an extension.
const TRIES_MIN: u32 = 2;
/// The queue to which an operator moves messages.
pub const AWAY: &str = "away";

/// What the function meant by each answer: the messages that it handled, by request id.
pub type Meant = BTreeMap<String, BTreeSet<String>>;

/// From when on which settings hold.
#[derive(Clone, Copy, Debug)]
pub struct Term {
    pub at: Duration,
    pub settings: Settings,
}

#[derive(Debug, Default)]
struct Message {
    /// Its place in its group, and the group.
    group: Option<(String, usize)>,
    handled: bool,
    gone: bool,
    receives: u32,
    /// Runs that ended without handling it for good.
    failed: u32,
    handed_back: u32,
    running: u32,
    /// It was received, and nothing was done with it since.
    untried: bool,
    /// The function did not run, so that it is kept for another try.
    refused: bool,
    /// Calls that extend leases and failed since its own was granted; `None` when nobody knows how long that is.
    extensions_failed: Option<u32>,
    /// A copy of it came while another was in hand, so that nobody knows which receipt its holder has; or an invocation went wrong,
    /// of which nobody knows whether it was one with this.
    copied: bool,
    /// Deletes that failed since it was handled.
    deletes_failed: Option<u32>,
}

impl Message {
    /// Somebody runs with it, or will.
    fn in_hand(&self) -> bool {
        self.running > 0 || self.refused
    }
}

/// Judges a run that ended with an empty queue. `dropped` are the messages that the filter does not let through.
#[derive(Debug)]
pub struct Judge<'a> {
    plan: &'a Plan,
    spell: &'a Spell,
    meant: &'a Meant,
    dropped: &'a BTreeSet<String>,
    terms: &'a [Term],
    /// From when to when the process was asked to end.
    drains: &'a [(Duration, Duration)],
    messages: BTreeMap<String, Message>,
    groups: BTreeMap<String, Vec<String>>,
    /// When each began, by request id.
    running: BTreeMap<String, Duration>,
    /// The drains that are over.
    drained: usize,
    /// Leases may run out early from now on.
    early: bool,
    broken: Vec<String>,
}

/// What is to be compared with the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    pub received: u64,
    pub deleted: u64,
    pub handed_back: u64,
    pub events_invoked: u64,
    pub invocations: u64,
}

impl<'a> Judge<'a> {
    pub fn new(
        (plan, spell): (&'a Plan, &'a Spell),
        meant: &'a Meant,
        dropped: &'a BTreeSet<String>,
        terms: &'a [Term],
        drains: &'a [(Duration, Duration)],
    ) -> Self {
        Self {
            plan,
            spell,
            meant,
            dropped,
            terms,
            drains,
            messages: BTreeMap::new(),
            groups: BTreeMap::new(),
            running: BTreeMap::new(),
            drained: 0,
            early: false,
            broken: Vec::new(),
        }
    }

    /// The promises that were broken, and the numbers.
    pub fn judge(mut self, history: &[Entry]) -> (Vec<String>, Truth) {
        let mut truth = Truth::default();
        for entry in history {
            self.drained_until(entry.at);
            self.read(entry, &mut truth);
        }
        self.drained_until(Duration::MAX);
        let left: Vec<String> = self
            .messages
            .iter()
            .filter(|(_, message)| !message.gone)
            .map(|(id, _)| id.clone())
            .collect();
        for id in left {
            self.breach(
                Duration::MAX,
                "I2",
                format!("{id} is neither deleted nor dead"),
            );
        }
        (self.broken, truth)
    }

    fn read(&mut self, entry: &Entry, truth: &mut Truth) {
        let at = entry.at;
        match &entry.event {
            Event::Sent { queue, id, group } if queue == self.plan.queue() => {
                let place = group.clone().filter(|_| self.plan.fifo).map(|group| {
                    let members = self.groups.entry(group.clone()).or_default();
                    members.push(id.clone());
                    (group, members.len() - 1)
                });
                self.messages.insert(
                    id.clone(),
                    Message {
                        group: place,
                        ..Message::default()
                    },
                );
            }
            Event::Received { queue, id, .. } => {
                truth.received += 1;
                if queue == self.plan.queue() {
                    self.received(at, id);
                }
            }
            Event::VisibilityChanged {
                queue,
                id,
                visibility,
            } if visibility.is_zero() => {
                truth.handed_back += 1;
                if queue == self.plan.queue() {
                    let message = self.message(id);
                    message.handed_back += 1;
                    (message.untried, message.refused) = (false, false);
                }
            }
            Event::VisibilityChanged { queue, id, .. } if queue == self.plan.queue() => {
                self.message(id).extensions_failed = Some(0);
            }
            Event::Reappeared { queue, id } if queue == self.plan.queue() => {
                self.reappeared(at, id);
            }
            Event::Faulted { operation, fault } => self.faulted(*operation, *fault),
            Event::Deleted { queue, id } => {
                truth.deleted += 1;
                if queue == self.plan.queue() {
                    self.deleted(at, id);
                }
            }
            Event::MovedToDlq { queue, id, dlq } if queue == self.plan.queue() => {
                if dlq == AWAY {
                    self.message(id).gone = true;
                } else {
                    self.moved(at, id);
                }
            }
            Event::Purged { queue } if queue == self.plan.queue() => {
                self.messages
                    .values_mut()
                    .for_each(|message| message.gone = true);
            }
            Event::Invoked {
                function,
                request_id,
                message_ids,
                event,
                ..
            } => {
                truth.invocations += 1;
                truth.events_invoked += message_ids.len() as u64;
                if function == DECOY {
                    self.breach(at, "redirect", "somebody followed it".to_owned());
                }
                if function == FUNCTION {
                    self.between_settings(at);
                    self.running.insert(request_id.clone(), at);
                    self.invoked(at, message_ids, event.len());
                }
            }
            Event::Replied {
                function,
                request_id,
                message_ids,
                ending,
            } if function == FUNCTION => self.replied(request_id, message_ids, ending),
            Event::Expired { id, .. } => self.breach(at, "I2", format!("{id} expired")),
            Event::Sent { .. }
            | Event::Replied { .. }
            | Event::Reappeared { .. }
            | Event::VisibilityChanged { .. }
            | Event::MovedToDlq { .. }
            | Event::Purged { .. }
            | Event::RecordPut { .. }
            | Event::RecordsRead { .. }
            | Event::RecordsTrimmed { .. }
            | Event::Resharded { .. }
            | Event::Crashed { .. }
            | Event::Streamed { .. }
            | Event::Published { .. }
            | Event::Stored { .. } => {}
        }
    }

    // I10: in fair weather each receive but the first follows a failure, or a drain that handed the message back.
    fn received(&mut self, at: Duration, id: &str) {
        let fair = self.spell.weather() == Weather::Fair && !self.zombies();
        let asked = POLL_MAX + self.spell.paused_max();
        if self.in_force(at, asked).next().is_none() {
            self.breach(
                at,
                "I14",
                format!("{id} is received, and nobody is to work"),
            );
        }
        self.after_drain(at, POLL_MAX, || format!("{id} is received"));
        let early = self.early;
        let message = self.message(id);
        message.receives += 1;
        message.untried = true;
        message.copied = message.in_hand() || message.deletes_failed.is_some();
        message.extensions_failed = (!message.copied && !early).then_some(0);
        message.deletes_failed = None;
        let explained = message.failed + message.handed_back + 1;
        if fair && message.receives > explained {
            let count = message.receives;
            self.breach(
                at,
                "I10",
                format!("{id} was received {count} times, explained {explained}"),
            );
        }
    }

    // I14: what begins later than this after the process was asked to end was begun after it.
    fn after_drain(&mut self, at: Duration, at_most: Duration, what: impl FnOnce() -> String) {
        let at_most = at_most
            + match self.spell.weather() {
                Weather::Fair => DRAINED_MAX,
                Weather::Faults | Weather::Storm => SIGNED_MAX,
            };
        let late = |(from, to): &&(Duration, Duration)| *from + at_most < at && at <= *to;
        if let Some((from, _)) = self.drains.iter().find(late) {
            let text = format!("{} and since {from:?} it is to end", what());
            self.breach(at, "I14", text);
        }
    }

    // I14: in fair weather what a drain had not tried is back in the queue when it is over. In an ordered queue what stands behind a
    // failed message stays hidden with it.
    fn drained_until(&mut self, at: Duration) {
        while let Some((_, to)) = self.drains.get(self.drained).filter(|(_, to)| *to < at) {
            self.drained += 1;
            if self.plan.fifo || self.spell.weather() != Weather::Fair {
                continue;
            }
            let kept = |(id, message): &(&String, &Message)| {
                message.untried && !message.gone && !self.dropped.contains(*id)
            };
            let kept = self.messages.iter().find(kept).map(|(id, _)| id.clone());
            if let Some(id) = kept {
                self.breach(
                    *to,
                    "I14",
                    format!("it ended, and keeps {id} hidden untried"),
                );
            }
        }
    }

    // I10: what is in hand stays there, and what was handled does not come again, unless the calls that see to it fail.
    fn reappeared(&mut self, at: Duration, id: &str) {
        let drained = self.drains.iter().any(|(from, _)| *from <= at);
        let spell = self.spell;
        let explained = drained || self.plan.http || spell.crashes > 0 || !spell.woes.is_empty();
        let message = self.message(id);
        let (in_hand, deletes) = (message.in_hand(), message.deletes_failed);
        let copied = message.copied;
        message.copied |= in_hand;
        let extensions = message.extensions_failed;
        let Some(extensions) = extensions.filter(|failed| !explained && *failed < TRIES_MIN) else {
            return;
        };
        if in_hand && !copied {
            let text = format!(
                "{id} is in hand, {extensions} extensions have failed, and its lease ran out"
            );
            self.breach(at, "I10", text);
        }
        if let Some(deletes) = deletes.filter(|failed| *failed < TRIES_MIN) {
            let text = format!("{id} was handled and comes again, {deletes} deletes have failed");
            self.breach(at, "I10", text);
        }
    }

    fn faulted(&mut self, operation: Operation, fault: Fault) {
        self.early |= fault == Fault::EarlyVisibility;
        let for_good = matches!(
            fault,
            Fault::PartialFinal | Fault::ReceiptHandleInvalid | Fault::VisibilityCap
        );
        // As long as a lease, or longer.
        let long = matches!(
            fault,
            Fault::ConnectHangs
                | Fault::NeverAnswers
                | Fault::AnswerLost
                | Fault::Slow
                | Fault::StalledBody
        );
        for message in self.messages.values_mut() {
            let (failed, is_last) = match operation {
                Operation::Invoke => {
                    message.copied |= message.untried || message.in_hand();
                    continue;
                }
                // A call is given up while there is time for another.
                Operation::ChangeMessageVisibilityBatch => {
                    (&mut message.extensions_failed, for_good)
                }
                Operation::DeleteMessageBatch => (&mut message.deletes_failed, for_good || long),
                _ => return,
            };
            if let Some(failed) = failed {
                *failed += if is_last { TRIES_MIN } else { 1 };
            }
        }
    }

    fn zombies(&self) -> bool {
        self.plan.http || self.spell.zombies()
    }

    // I4, I6, I7, I10, I14
    fn invoked(&mut self, at: Duration, ids: &[String], bytes: usize) {
        self.after_drain(at, Duration::ZERO, || {
            format!("{} are invoked with", ids.len())
        });
        let count_max = self
            .in_force(at, Duration::ZERO)
            .map(|settings| settings.batch_size)
            .max();
        let limits = self
            .in_force(at, Duration::ZERO)
            .map(|settings| settings.maximum.unwrap_or(1_250));
        let limit = limits.max().unwrap_or_default();
        if ids.is_empty() || Some(ids.len()) > count_max || bytes > 6 * 1024 * 1024 {
            self.breach(
                at,
                "I7",
                format!("a batch of {} messages, {bytes} bytes", ids.len()),
            );
        }
        if !self.zombies() && self.running.len() > limit {
            self.breach(
                at,
                "I7",
                format!("{} invocations at once", self.running.len()),
            );
        }
        for (index, id) in ids.iter().enumerate() {
            if self.dropped.contains(id) {
                self.breach(at, "filter", format!("{id} was invoked with"));
            }
            if ids[..index].contains(id) {
                self.breach(at, "I10", format!("{id} is twice in a batch"));
            }
            let message = self.message(id);
            let (running, gone, handled) = (message.running, message.gone, message.handled);
            message.running += 1;
            (message.untried, message.refused) = (false, false);
            if !self.zombies() && running > 0 {
                self.breach(at, "I10", format!("{id} runs twice at once"));
            }
            if handled && !self.zombies() && self.spell.weather() == Weather::Fair {
                self.breach(
                    at,
                    "I10",
                    format!("{id} was invoked with after it was handled"),
                );
            }
            if gone && !self.zombies() && self.spell.weather() == Weather::Fair {
                self.breach(at, "I10", format!("{id} was invoked with after its end"));
            }
            for earlier in self.earlier(id) {
                let before = &self.messages[&earlier];
                let done = before.gone || before.handled;
                if !done && !ids[..index].contains(&earlier) {
                    self.breach(
                        at,
                        "I4",
                        format!("{id} was offered before {earlier} was done"),
                    );
                }
                if self.messages[&earlier].running > 0 && !ids.contains(&earlier) && !self.zombies()
                {
                    self.breach(at, "I6", format!("{id} runs beside {earlier} of its group"));
                }
            }
        }
    }

    // I6: whoever has other settings begins when the one before has ended.
    fn between_settings(&mut self, at: Duration) {
        let term_at = |at: Duration| self.terms.iter().rev().find(|term| term.at <= at);
        let now = term_at(at).expect("it was started before");
        let under_others = |began: &&Duration| {
            let then = term_at(**began).expect("it was started before");
            **began < now.at && then.settings != now.settings
        };
        let other = self.running.values().find(under_others).copied();
        if let Some(began) = other
            && now.at + RELOAD_MAX < at
            && !self.zombies()
        {
            let text = format!("what was begun at {began:?} under other settings still runs");
            self.breach(at, "I6", text);
        }
    }

    fn replied(&mut self, request_id: &str, ids: &[String], ending: &Ending) {
        self.running.remove(request_id);
        let none = BTreeSet::new();
        let (ran, handled) = match ending {
            Ending::Succeeded { .. } => (true, self.meant.get(request_id).unwrap_or(&none)),
            Ending::Failed { .. } | Ending::TimedOut => (true, &none),
            // The event is at fault: the batch is left to the queue. // spec: 1.7
            Ending::Refused { status } => (matches!(status, 400 | 413 | 415), &none),
        };
        let mut stopped = BTreeSet::new();
        for id in ids {
            let message = self.message(id);
            message.running -= 1;
            let group = message.group.clone().map(|(group, _)| group);
            let behind = group.as_ref().is_some_and(|group| stopped.contains(group));
            message.refused = !ran;
            if handled.contains(id) && !behind {
                message.handled = true;
                message.deletes_failed = (!message.copied).then_some(0);
            } else {
                message.failed += u32::from(ran);
                stopped.extend(group);
            }
        }
    }

    // I1, I12
    fn deleted(&mut self, at: Duration, id: &str) {
        let message = self.message(id);
        let handled = message.handled;
        message.gone = true;
        if !handled && !self.dropped.contains(id) {
            self.breach(at, "I1", format!("{id} was deleted and never handled"));
        }
        for earlier in self.earlier(id) {
            let before = &self.messages[&earlier];
            let done = before.gone || before.handled || self.dropped.contains(&earlier);
            if !done && !self.dropped.contains(id) {
                self.breach(
                    at,
                    "I12",
                    format!("{id} was deleted before {earlier} was done"),
                );
            }
        }
    }

    fn moved(&mut self, at: Duration, id: &str) {
        let most = self.plan.receives_max;
        let message = self.message(id);
        message.gone = true;
        let receives = message.receives;
        if most != Some(receives) {
            self.breach(at, "I2", format!("{id} died after {receives} receives"));
        }
    }

    /// The settings that may be in force: what begins now was decided on at most a moment ago.
    fn in_force(&self, at: Duration, more: Duration) -> impl Iterator<Item = &Settings> {
        let ends = self
            .terms
            .iter()
            .skip(1)
            .map(move |term| term.at + RELOAD_MAX + more);
        let ends = ends.chain([Duration::MAX]);
        let holds = move |(term, end): &(&Term, Duration)| term.at <= at && at <= *end;
        let terms = self.terms.iter().zip(ends).filter(holds);
        let settings = terms.map(|(term, _)| &term.settings);
        settings.filter(|settings| settings.presence == Presence::Enabled)
    }

    /// The messages of its group that were sent before it and that the filter lets through.
    fn earlier(&self, id: &str) -> Vec<String> {
        let Some(Some((group, place))) = self.messages.get(id).map(|message| &message.group) else {
            return Vec::new();
        };
        self.groups[group][..*place]
            .iter()
            .filter(|earlier| !self.dropped.contains(*earlier))
            .cloned()
            .collect()
    }

    fn message(&mut self, id: &str) -> &mut Message {
        self.messages.entry(id.to_owned()).or_default()
    }

    fn breach(&mut self, at: Duration, promise: &str, what: String) {
        self.broken.push(format!("{promise} at {at:?}: {what}"));
    }
}
