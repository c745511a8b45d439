//! The judge: reads what happened in the world, in order, and names each promise that was broken. The numbers are those
//! of the design's invariants.

mod discards;
mod offers;
pub mod positions;
mod windows;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sluicegate::model::progress::{Position, ShardProgress};
use sluicegate::sim::{Ending, Entry, Event, Fault, Operation};

use super::function::{Call, Inner};
use super::plan::{Plan, Presence, Settings, Weather};
use super::source::Line;
use crate::engine::FUNCTION;

/// How long after a reload something may still begin that was decided before it.
const RELOAD_MAX: Duration = Duration::from_secs(1);

/// What the judge is told beside the world's history. Moments are places in the history.
#[derive(Debug)]
pub struct Evidence<'a> {
    pub plan: &'a Plan,
    pub known: &'a Inner,
    /// What the history calls the stream, and those before it.
    pub streams: &'a [String],
    pub lines: &'a BTreeMap<String, Line>,
    /// The bodies of the on-failure records by message id.
    pub told: &'a BTreeMap<String, String>,
    pub lives: &'a [Life],
    pub kept: &'a [Kept],
    pub stood_still: &'a [Pause],
    /// Records discarded without an on-failure record, as counted.
    pub dropped: u64,
}

/// What the store held between two lives, or would have held behind a commit, had the process ended there.
#[derive(Clone, Debug)]
pub struct Kept {
    pub place: usize,
    pub at: Duration,
    pub shards: BTreeMap<String, ShardProgress>,
    /// What follows builds on it: it never goes back behind it.
    pub goes_on: bool,
}

/// A time in which nothing of the service moved.
#[derive(Clone, Copy, Debug)]
pub struct Pause {
    pub place: usize,
    pub at: Duration,
    pub length: Duration,
}

/// A life of the process, or a part of one under some settings.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    pub began: usize,
    pub at: Duration,
    pub settings: Settings,
    pub how: How,
}

/// How a life began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Started,
    AfterKill,
    /// The process goes on, and was given other settings.
    Reloaded,
}

/// What is to be compared with the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    pub put: u64,
    pub filtered: u64,
    pub read: u64,
    pub handled: u64,
    pub discarded: u64,
    pub invoked: u64,
    pub lost: u64,
    pub gone_unseen: u64,
    /// How often the source trimmed what it had not given out.
    pub trims: u64,
}

/// What became of a user record so far.
#[derive(Clone, Debug, Default)]
struct Fate {
    arrived: Duration,
    handled: bool,
    discarded: u32,
    trimmed: bool,
    /// The source gave it out, though nobody may have heard it.
    read: bool,
    /// Runs that ended without any progress.
    failures: u32,
}

#[derive(Clone, Debug)]
struct Run {
    request_id: String,
    shard: String,
    users: Vec<usize>,
    is_final: bool,
    life: usize,
}

#[derive(Debug)]
pub struct Judge<'a> {
    evidence: Evidence<'a>,
    fates: Vec<Fate>,
    /// The user records of each shard, in order, and where each is.
    shards: BTreeMap<String, Vec<usize>>,
    shard_of: BTreeMap<usize, String>,
    sequence: BTreeMap<usize, String>,
    running: Vec<Run>,
    /// By what exactly was delivered: failures, and when it ended last.
    batches: BTreeMap<Vec<usize>, (u32, Duration)>,
    windows: windows::Windows,
    positions: BTreeMap<String, Position>,
    /// Calls of the function whose outcome the engine may not have heard.
    unheard: u32,
    life: usize,
    kept: usize,
    stood_still: usize,
    truth: Truth,
    broken: Vec<String>,
}

impl<'a> Judge<'a> {
    pub fn new(evidence: Evidence<'a>) -> Self {
        let fates = vec![Fate::default(); evidence.known.users.len()];
        Self {
            evidence,
            fates,
            shards: BTreeMap::new(),
            shard_of: BTreeMap::new(),
            sequence: BTreeMap::new(),
            running: Vec::new(),
            batches: BTreeMap::new(),
            windows: windows::Windows::default(),
            positions: BTreeMap::new(),
            unheard: 0,
            life: 0,
            kept: 0,
            stood_still: 0,
            truth: Truth::default(),
            broken: Vec::new(),
        }
    }

    /// The promises that were broken until now, and the numbers.
    pub fn judge(mut self, history: &[Entry], now: Duration) -> (Vec<String>, Truth) {
        for (index, entry) in history.iter().enumerate() {
            self.between(index);
            self.read(entry);
        }
        self.between(usize::MAX);
        self.ended(now);
        (self.broken, self.truth)
    }

    /// What lies between two lives.
    fn between(&mut self, index: usize) {
        let evidence_kept = self.evidence.kept;
        while let Some(kept) = evidence_kept
            .get(self.kept)
            .filter(|kept| kept.place <= index)
        {
            self.kept += 1;
            self.kept_so(kept);
        }
        while let Some(pause) = self.evidence.stood_still.get(self.stood_still)
            && pause.place <= index
        {
            self.stood_still += 1;
            // By then nobody waits for them any more.
            self.unheard += self.running.len() as u32;
        }
        while let Some(next) = self
            .evidence
            .lives
            .get(self.life + 1)
            .filter(|next| next.began <= index)
        {
            self.life += 1;
            match next.how {
                How::Started => self.running.clear(),
                How::AfterKill => {
                    self.running.clear();
                    self.unheard += 1;
                }
                // What did not end in time was cut off.
                How::Reloaded => self.unheard += u32::from(!self.fair()),
            }
        }
    }

    fn read(&mut self, entry: &Entry) {
        let at = entry.at;
        match &entry.event {
            Event::RecordPut {
                stream,
                shard,
                sequence_number,
                ..
            }
            | Event::Streamed {
                stream,
                shard,
                sequence_number,
                ..
            } if self.is_ours(stream) => self.put(at, shard, sequence_number),
            Event::RecordsRead {
                stream,
                shard,
                count,
                first,
                last,
                ..
            } if self.is_ours(stream) => {
                // It may have been somebody else.
                if self.evidence.plan.rival == 0 && self.in_force(at).next().is_none() {
                    self.breach(at, "I14", "read, and it is not to work".to_owned());
                }
                self.truth.read += *count as u64;
                if let (Some(first), Some(last)) = (first, last) {
                    self.given_out(shard, first, last);
                }
            }
            Event::RecordsTrimmed {
                stream,
                shard,
                through,
                ..
            } if self.is_ours(stream) => self.trimmed(shard, through),
            Event::Invoked {
                function,
                request_id,
                event,
                ..
            } if function == FUNCTION => {
                // A call that was refused by the function's own word did not run, and is not known by its end.
                let call = self.evidence.known.calls[request_id].clone();
                self.invoked(at, request_id, &call, event.len());
            }
            Event::Replied {
                function,
                request_id,
                ending,
                ..
            } if function == FUNCTION => {
                let call = self.evidence.known.calls[request_id].clone();
                self.replied(at, request_id, &call, ending);
            }
            Event::Sent { queue: to, id, .. }
            | Event::Published {
                topic: to,
                message_id: id,
            }
            | Event::Stored {
                bucket: to,
                key: id,
            } if to == super::FAILED => {
                let told = self.evidence.told[id].clone();
                self.told(at, &told);
            }
            Event::Faulted {
                operation: Operation::Invoke,
                fault,
            } if loses_answers(*fault) => self.unheard += 1,
            _ => {}
        }
    }

    fn put(&mut self, at: Duration, shard: &str, number: &str) {
        for user in &self.evidence.known.numbers[number] {
            self.truth.put += 1;
            self.truth.filtered += u64::from(!self.evidence.known.users[*user].keep);
            self.fates[*user].arrived = at;
            self.sequence.insert(*user, number.to_owned());
            self.shard_of.insert(*user, shard.to_owned());
            self.shards.entry(shard.to_owned()).or_default().push(*user);
        }
    }

    fn given_out(&mut self, shard: &str, first: &str, last: &str) {
        let range = positions::number(first)..=positions::number(last);
        for user in self.shards.get(shard).into_iter().flatten() {
            let fate = &mut self.fates[*user];
            fate.read |= !fate.trimmed && range.contains(&positions::number(&self.sequence[user]));
        }
    }

    fn trimmed(&mut self, shard: &str, through: &str) {
        let through = positions::number(through);
        let mut unseen = false;
        for user in self.shards.get(shard).into_iter().flatten() {
            let fate = &mut self.fates[*user];
            if positions::number(&self.sequence[user]) <= through {
                let old = self.evidence.known.users[*user].old;
                unseen |= !fate.read && !fate.trimmed && !old;
                fate.trimmed = true;
            }
        }
        self.truth.trims += u64::from(unseen);
    }

    fn replied(&mut self, at: Duration, request_id: &str, call: &Call, ending: &Ending) {
        self.running.retain(|run| run.request_id != request_id);
        let handled = match ending {
            Ending::Succeeded { .. } => call.handled,
            Ending::Failed { .. } | Ending::TimedOut => 0,
            Ending::Refused { .. } => return,
        };
        let failed = match &call.window {
            Some(window) if window.is_final => {
                // It can not hold a record that failed.
                let named = |payload: &[u8]| {
                    let reply = serde_json::from_slice::<serde_json::Value>(payload);
                    reply.is_ok_and(|reply| reply["batchItemFailures"][0].is_object())
                };
                let partial = self.evidence.plan.partial;
                if matches!(ending, Ending::Succeeded { payload } if !partial || !named(payload)) {
                    self.window_ended(window);
                }
                return;
            }
            _ => handled == 0,
        };
        for user in &call.users[..handled] {
            self.fates[*user].handled = true;
        }
        self.window_handled(call, handled);
        if failed {
            for user in &call.users {
                self.fates[*user].failures += 1;
            }
            let batch = self.batches.entry(call.users.clone()).or_default();
            *batch = (batch.0 + 1, at);
        }
    }

    /// The order of a record's place: all of its shard, or its key's.
    fn earlier(&self, user: usize) -> Vec<usize> {
        let users = &self.evidence.known.users;
        let whole = self.whole_shards();
        let same = |other: &usize| whole || users[*other].key == users[user].key;
        let shard = &self.shards[&self.shard_of[&user]];
        let before = shard.iter().take_while(|other| **other != user);
        before.copied().filter(same).collect()
    }

    /// Nobody has to care about it any more.
    fn settled(&self, user: usize, at: Duration) -> bool {
        let (fate, known) = (&self.fates[user], &self.evidence.known.users[user]);
        let filtered = self.evidence.plan.filter && !known.keep;
        fate.handled || fate.discarded > 0 || fate.trimmed || known.old || filtered || {
            !self.evidence.plan.tells() && self.may_be_dropped(user, at)
        }
    }

    /// No batch was ever made of less than a shard's records.
    fn whole_shards(&self) -> bool {
        let lives = &self.evidence.lives[..=self.life];
        lives.iter().all(|life| life.settings.factor == 1)
    }

    fn factor_max(&self) -> u32 {
        let lives = &self.evidence.lives[..=self.life];
        lives.iter().map(|life| life.settings.factor).max().unwrap()
    }

    /// The settings that may be in force: what begins now began at the latest between the decision and its effect.
    fn in_force(&self, at: Duration) -> impl Iterator<Item = &Settings> {
        let at = at.saturating_sub(self.stood_still(at));
        let lives = &self.evidence.lives[..=self.life];
        let later = lives.iter().skip(1).map(Some).chain([None]);
        let still = move |(_, next): &(&Life, Option<&Life>)| {
            next.is_none_or(|next| next.how == How::Reloaded && at <= next.at + RELOAD_MAX)
        };
        let force = lives.iter().zip(later).filter(still);
        let settings = force.map(|(life, _)| &life.settings);
        settings.filter(|settings| settings.presence == Presence::Enabled)
    }

    fn is_ours(&self, stream: &String) -> bool {
        self.evidence.streams.contains(stream)
    }

    /// How much later than it was decided something may happen, because everything stood still in between.
    fn stood_still(&self, at: Duration) -> Duration {
        let pauses = &self.evidence.stood_still[..self.stood_still];
        let recent = |pause: &&Pause| at <= pause.at + pause.length + RELOAD_MAX;
        pauses.iter().filter(recent).map(|pause| pause.length).sum()
    }

    fn fair(&self) -> bool {
        self.evidence.plan.weather() == Weather::Fair
    }

    /// Where every fate is known: I2, I13, I16.
    fn ended(&mut self, at: Duration) {
        let users = 0..self.fates.len();
        let open: Vec<usize> = users
            .clone()
            .filter(|user| !self.settled(*user, at))
            .collect();
        for user in open {
            self.breach(at, "I2", format!("record {user} was never settled"));
        }
        let plan = self.evidence.plan;
        let count = |holds: &dyn Fn(usize) -> bool| users.clone().filter(|u| holds(*u)).count();
        let unseen = |user: usize| {
            let (fate, known) = (&self.fates[user], &self.evidence.known.users[user]);
            let filtered = plan.filter && !known.keep;
            !filtered && !known.old && !fate.handled && fate.discarded == 0
        };
        let gone = count(&|user| unseen(user) && !self.fates[user].trimmed) as u64;
        let lost = count(&|user| unseen(user) && self.fates[user].trimmed) as u64;
        self.truth.handled = count(&|user| self.fates[user].handled) as u64;
        self.truth.discarded = count(&|user| self.fates[user].discarded > 0) as u64;
        self.truth.lost = lost;
        self.truth.gone_unseen = gone;
        if gone > self.evidence.dropped {
            let dropped = self.evidence.dropped;
            let text = format!("{gone} records are gone, {dropped} were counted");
            self.breach(at, "I2", text);
        }
        for window in self.windows_left_open(at) {
            self.breach(at, "I13", format!("{window} was never ended"));
        }
        let repeated = self.repeated();
        if !repeated.is_empty() {
            self.breach(at, "I3", format!("a restart would repeat {repeated:?}"));
        }
    }

    fn breach(&mut self, at: Duration, promise: &str, what: String) {
        self.broken.push(format!("{promise} at {at:?}: {what}"));
    }

    /// The shards that a shard came from, as far back as they go.
    fn ancestors(&self, shard: &str) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        let mut open = vec![shard.to_owned()];
        while let Some(shard) = open.pop() {
            for parent in self
                .evidence
                .lines
                .get(&shard)
                .into_iter()
                .flat_map(|line| &line.parents)
            {
                if all.insert(parent.clone()) {
                    open.push(parent.clone());
                }
            }
        }
        all
    }
}

/// What the function says is not heard as it was said, or nothing is, which counts as a failure.
fn loses_answers(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::NeverAnswers
            | Fault::ResetAfter
            | Fault::AnswerLost
            | Fault::Slow
            | Fault::StalledBody
            | Fault::TruncatedBody
            | Fault::MalformedJson
            | Fault::InvalidUtf8
            | Fault::WrongContentType
    )
}
