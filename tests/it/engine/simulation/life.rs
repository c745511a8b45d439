//! One whole life: the service is started, killed, drained and given other settings while the world has its spells; each spell is
//! judged when all is quiet again.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::json;
use sluicegate::model::scaling::START;
use sluicegate::reports::Account;
use sluicegate::sim::mishaps::Issuing;
use sluicegate::sim::{Entry, Event, Fault, Mishap, Operation, World};
use sluicegate::status::{State, Status};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::beside;
use super::books::{self, Counted};
use super::function::{self, Notes};
use super::ledger::{AWAY, Judge, POLL_MAX, Term};
use super::plan::{Plan, Presence, Settings};
use super::sometimes;
use super::spell::{Spell, Weather, Woe};
use crate::engine::{FUNCTION, Running, Stage};
use crate::support::policy::Actions;

/// How long it may take, once the world has healed, until a queue is empty whose messages do not wait for each other.
const RECOVERY_MAX: Duration = Duration::from_secs(3600);
/// How long a start takes, with all that goes before it.
const FOLLOWS: Duration = Duration::from_secs(5);
/// How long the process may take to end, which is its grace period and a moment.
const STOP_MAX: Duration = Duration::from_secs(31);
/// After the last that was to be done, all that repeats itself has come to its end.
const REST: Duration = Duration::from_secs(90);
/// How often the producer looks when the time of the spell is over.
const PACE_LAST: Duration = Duration::from_secs(8);
/// So many receives may fail in a minute, of the five that a mapping begins with and of those of the mapping beside it: one a second.
const FAILED_RECEIVES_MAX: u64 = 60 * 2 * START as u64;
const MINUTE: Duration = Duration::from_secs(60);
/// A process that was stopped misses this much at once: others go on meanwhile.
const PAUSED_STEP: Duration = Duration::from_secs(10);

/// What a life came to.
#[derive(Debug, Default)]
pub struct Run {
    pub broken: Vec<String>,
    pub lasted: Duration,
    pub faults: BTreeMap<(Operation, Fault), u64>,
    pub mishaps: BTreeMap<Mishap, u64>,
    /// What the function and the test did to the service, by name.
    pub deeds: BTreeMap<&'static str, u64>,
    pub sometimes: BTreeMap<&'static str, u64>,
    pub hash: u64,
    /// What was called, by the names of policies.
    pub actions: Actions,
    /// What happened in the spell that broke a promise.
    pub story: Vec<Entry>,
}

/// A life that goes on.
struct Life<'a> {
    plan: &'a Plan,
    stage: Stage,
    world: World,
    notes: Arc<Mutex<Notes>>,
    rng: fastrand::Rng,
    began: Instant,
    terms: Vec<Term>,
    /// When the process was started.
    starts: Vec<Duration>,
    /// From when to when it was asked to end.
    drains: Vec<(Duration, Duration)>,
    running: Option<Running>,
    account: Account,
    /// What the filter drops.
    dropped: BTreeSet<String>,
    number: usize,
    /// Reloads that are to come in this spell.
    reloads: usize,
    /// When a minute began, and how many receives had failed by then.
    minute: (Duration, u64),
    run: Run,
    hasher: DefaultHasher,
}

/// What is going on in a spell.
struct Now {
    from: Duration,
    crashes: usize,
    crash: Arc<Notify>,
    drains: usize,
    drain: Arc<Notify>,
    restarts: usize,
    woes: Vec<(Duration, Woe)>,
    /// What comes to its end, and when.
    ends: Vec<(Duration, Woe)>,
    sent: usize,
    healed: bool,
    healed_at: Duration,
}

/// Lives a plan.
pub async fn live(plan: &Plan) -> Run {
    let mut life = Life::new(plan);
    life.begin();
    let last = plan.spells.len() - 1;
    for (index, spell) in plan.spells.iter().enumerate() {
        life.spell(spell, index == last).await;
        if !life.run.broken.is_empty() {
            break;
        }
    }
    life.end().await
}

impl<'a> Life<'a> {
    fn new(plan: &'a Plan) -> Self {
        let stage = Stage::on_machine(plan.seed);
        let world = stage.world.clone();
        let notes = function::function(&stage, plan);
        let life = Self {
            plan,
            stage,
            notes,
            rng: fastrand::Rng::with_seed(plan.seed ^ 0xcafe),
            began: Instant::now(),
            terms: Vec::new(),
            starts: Vec::new(),
            drains: Vec::new(),
            running: None,
            account: Account::default(),
            dropped: BTreeSet::new(),
            number: 0,
            reloads: 0,
            minute: (Duration::ZERO, 0),
            run: Run::default(),
            hasher: DefaultHasher::new(),
            world,
        };
        life.create_queue();
        life.world.create_queue(AWAY, &[]).unwrap();
        if plan.reloads() {
            beside::prepare(&life.world);
        }
        life
    }

    fn create_queue(&self) -> bool {
        let attributes = self.plan.attributes();
        let attributes: Vec<(&str, &str)> = attributes
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let queue = self.plan.queue();
        match self.plan.receives_max {
            Some(most) => self.world.create_queue_with_dlq(queue, most, &attributes),
            None => self.world.create_queue(queue, &attributes),
        }
        .is_ok()
    }

    fn begin(&mut self) {
        let settings = self.plan.settings;
        self.start(settings);
    }

    fn at(&self) -> Duration {
        self.began.elapsed()
    }

    fn did(&mut self, what: &'static str) {
        *self.run.deeds.entry(what).or_default() += 1;
    }

    /// How many messages the queue holds.
    fn left(&self) -> usize {
        let queue = self.world.queue(self.plan.queue());
        queue.map_or(0, |queue| queue.messages.len())
    }

    /// Sends the next message, if there is a queue to take it.
    fn send(&mut self, harmless: bool) -> bool {
        let rng = &mut self.rng;
        let keep = harmless || !self.plan.filter || rng.u32(..3) > 0;
        let poison = !harmless && self.plan.receives_max.is_some() && rng.u32(..8) == 0;
        let body = json!({ "keep": keep, "poison": poison, "number": self.number }).to_string();
        let group = format!("g{}", rng.usize(..self.plan.groups));
        let id = match self.plan.fifo {
            true => self.world.send_to_group(self.plan.queue(), &group, &body),
            false => self.world.send(self.plan.queue(), &body),
        };
        let Ok(id) = id else {
            return false;
        };
        self.number += 1;
        if !keep {
            self.dropped.insert(id);
        }
        true
    }

    /// One spell from its beginning until all is quiet and judged.
    async fn spell(&mut self, spell: &Spell, last: bool) {
        for (operation, fault, probability) in &spell.faults {
            self.world.fault_chance(*operation, *fault, *probability);
        }
        self.reloads = spell.reloads;
        let before = Counted::now(&self.stage);
        let mut now = Now {
            from: self.at(),
            crashes: spell.crashes,
            crash: Arc::default(),
            drains: spell.drains,
            drain: Arc::default(),
            restarts: spell.restarts,
            woes: spell.woes.clone(),
            ends: Vec::new(),
            sent: 0,
            healed: false,
            healed_at: Duration::MAX,
        };
        self.arm(&mut now);
        loop {
            self.produce(spell, &mut now);
            let pause = self.pause(spell, &now);
            tokio::select! {
                biased;
                () = now.crash.notified() => self.kill(&mut now).await,
                () = now.drain.notified() => {
                    now.drains -= 1;
                    self.did("Drain");
                    self.restart(&mut now).await;
                    self.arm(&mut now);
                }
                () = sleep(pause) => {}
            }
            let lasted = self.at() - now.from;
            if now.restarts > 0 && lasted > spell.lasts / 20 {
                now.restarts -= 1;
                self.did("Restart");
                self.restart(&mut now).await;
            }
            self.reload().await;
            self.follows(spell);
            self.suffer(&mut now).await;
            if !now.healed && spell.lasts <= lasted && now.ends.is_empty() {
                now.healed = true;
                now.healed_at = self.at();
                self.world.heal();
                now.crash = self.world.crash_at(u64::MAX);
            }
            if self.hot() {
                break;
            }
            if now.over(spell, self.plan.spells.len() == 1) && self.done(spell, &now) {
                break;
            }
            let recovery_max = RECOVERY_MAX + self.plan.in_turn(spell.messages);
            if now.healed_at.saturating_add(recovery_max) < self.at() {
                self.run.broken.push("I13: the queue is not empty".into());
                break;
            }
        }
        self.world.heal();
        if last {
            self.stop().await;
            self.world.idle().await;
        } else {
            self.settle(spell).await;
        }
        self.judge(spell, &now, before);
    }

    /// The producer's turn.
    fn produce(&mut self, spell: &Spell, now: &mut Now) {
        let count = match now.sent {
            0 => (spell.messages / 3).max(1),
            _ => self.rng.usize(..3),
        };
        for _ in 0..count.min(spell.messages - now.sent) {
            now.sent += usize::from(self.send(false));
        }
        if self.plan.reloads() && (now.sent < spell.messages || self.reloads > 0) {
            for _ in 0..self.rng.usize(..=beside::SENT_MAX) {
                beside::send(&self.world);
            }
        }
    }

    fn pause(&mut self, spell: &Spell, now: &Now) -> Duration {
        let lasted = self.at() - now.from;
        let pace = if lasted < spell.lasts {
            spell.pace
        } else {
            PACE_LAST
        };
        let pace_ms = u64::try_from(pace.as_millis()).unwrap_or(u64::MAX);
        let pause = Duration::from_millis(self.rng.u64(1..pace_ms));
        let woes = now.woes.iter().chain(&now.ends);
        match woes.map(|(at, _)| *at).min() {
            Some(next) => pause.min(next.saturating_sub(lasted)),
            None => pause,
        }
    }

    /// I15: who receives in vain asks ever more seldom. A life in which somebody does not is as long as it is dull: it ends here.
    fn hot(&mut self) -> bool {
        let (began, before) = self.minute;
        let lasted = self.at() - began;
        let of_receives =
            |(operation, _): &(Operation, Fault)| *operation == Operation::ReceiveMessage;
        let faults = self.world.fault_counts().into_iter();
        let failed: u64 = faults
            .filter(|(fault, _)| of_receives(fault))
            .map(|(_, count)| count)
            .sum();
        let minutes = lasted.as_secs() / MINUTE.as_secs();
        let hot = FAILED_RECEIVES_MAX * (minutes + 1) < failed - before;
        if minutes > 0 {
            self.minute = (self.at(), failed);
        }
        if hot {
            let text = format!("I15: {} receives failed in {lasted:?}", failed - before);
            self.run.broken.push(text);
        }
        hot
    }

    /// Everything that was to happen has happened, and nobody waits.
    fn done(&self, spell: &Spell, now: &Now) -> bool {
        now.sent == spell.messages
            && self.left() == 0
            && self.reloads == 0
            && self.settings().presence == Presence::Enabled
            && (!self.plan.reloads() || beside::done(&self.world))
    }

    /// The next call in which the process is killed, or asked to end.
    fn arm(&mut self, now: &mut Now) {
        let points = 1..if self.plan.spells.len() == 1 {
            150
        } else {
            300
        };
        let rng = &mut self.rng;
        let mut point = |left: usize| match left {
            0 => u64::MAX,
            _ => rng.u64(points.clone()),
        };
        let (crash, drain) = (point(now.crashes), point(now.drains));
        now.crash = self
            .world
            .crash_at(if now.healed { u64::MAX } else { crash });
        now.drain = self.world.notice_at(drain);
    }

    async fn kill(&mut self, now: &mut Now) {
        self.running = None;
        // It may have been about to end.
        let at = self.at();
        if let Some(last) = self.drains.last_mut() {
            last.1 = last.1.min(at);
        }
        now.crashes -= 1;
        self.did("Kill");
        let away = Duration::from_millis(self.rng.u64(1..5_000));
        sleep(away).await;
        self.arm(now);
        self.stage.begin_anew();
        self.account = Account::default();
        self.start(self.settings());
    }

    /// Asks the process to end and starts another, unless it is killed meanwhile.
    async fn restart(&mut self, now: &mut Now) {
        tokio::select! {
            biased;
            () = now.crash.notified() => return self.kill(now).await,
            () = self.stop() => {}
        }
        // Another process; the counters are added up, as those who watch it do.
        self.stage.status = Status::default();
        self.start(self.settings());
    }

    async fn stop(&mut self) {
        let Some(running) = self.running.take() else {
            return;
        };
        let from = self.at();
        self.drains.push((from, Duration::MAX));
        let account = running.stop().await;
        let to = self.at();
        if let Some(last) = self.drains.last_mut() {
            last.1 = to;
        }
        if from + STOP_MAX < to {
            let text = format!("I14: asked to end at {from:?} it ended at {to:?}");
            self.run.broken.push(text);
        }
        self.account = self.account.and(account);
    }

    fn settings(&self) -> Settings {
        self.terms.last().expect("it was started").settings
    }

    fn config(&mut self, settings: Settings) -> String {
        let at = self.at();
        self.terms.push(Term { at, settings });
        let arn = self.world.queue_arn(self.plan.queue());
        let beside = match self.plan.reloads() {
            false => String::new(),
            true => beside::config(&self.world),
        };
        self.plan.config(&arn, settings, &beside)
    }

    fn start(&mut self, settings: Settings) {
        self.starts.push(self.at());
        let config = self.config(settings);
        self.running = Some(self.stage.start_with(&config));
    }

    /// Now and then the service is given other settings, or several in a row.
    async fn reload(&mut self) {
        let away = self.settings().presence != Presence::Enabled;
        if away && self.rng.u32(..3) == 0 {
            self.replace(Presence::Enabled);
        } else if self.reloads > 0 && self.rng.u32(..6) == 0 {
            self.reloads -= 1;
            let more = if self.rng.u32(..4) == 0 { 3 } else { 0 };
            for _ in 0..more {
                let presence = presence(&mut self.rng);
                self.replace(presence);
                let pause = [0, 10, 1_000][self.rng.usize(..3)];
                sleep(Duration::from_millis(self.rng.u64(..=pause))).await;
            }
            let presence = presence(&mut self.rng);
            self.replace(presence);
        }
    }

    fn replace(&mut self, presence: Presence) {
        self.did("Reload");
        let settings = Settings {
            presence,
            ..self.plan.other(&mut self.rng)
        };
        let config = self.config(settings);
        if let Some(running) = &self.running {
            running.reload(&config);
        }
    }

    /// In fair weather a reload takes no longer than what is in hand, and a receive that waits.
    fn follows(&mut self, spell: &Spell) {
        if spell.weather() != Weather::Fair || self.plan.http {
            return;
        }
        let last = self.terms.last().expect("it was started");
        if self.at() <= last.at + self.plan.timeout() + POLL_MAX + FOLLOWS {
            return;
        }
        let mappings = self.stage.status.readiness().mappings;
        let ours = mappings.into_iter().find(|mapping| mapping.name == "m");
        let state = ours.map(|mapping| mapping.state);
        let there = match (last.settings.presence, state) {
            (Presence::Enabled, Some(state)) => {
                matches!(state, State::Enabled | State::Failing)
            }
            (Presence::Disabled, Some(state)) => state == State::Disabled,
            (Presence::Out, None) => true,
            (Presence::Enabled | Presence::Disabled, None) | (Presence::Out, Some(_)) => false,
        };
        if !there {
            let text = format!(
                "reload: since {:?} it is {state:?}: {:?}",
                last.at, last.settings
            );
            self.run.broken.push(text);
        }
    }

    /// What was to befall the world by now, and what was to end.
    async fn suffer(&mut self, now: &mut Now) {
        let lasted = self.at() - now.from;
        while let Some((_, woe)) = now.woes.first().copied().filter(|(at, _)| *at <= lasted) {
            now.woes.remove(0);
            if let Some(length) = self.befall(woe).await {
                now.ends.push((lasted + length, woe));
            }
        }
        let lasted = self.at() - now.from;
        let mut ends = std::mem::take(&mut now.ends);
        // A queue that cannot be made yet is made later.
        ends.retain(|(at, woe)| lasted < *at || !self.relieve(*woe));
        now.ends = ends;
    }

    /// What befalls the world, and how long until it must be put right.
    async fn befall(&mut self, woe: Woe) -> Option<Duration> {
        let world = &self.world;
        match woe {
            Woe::Outage(length) => {
                world.outage(length);
                return Some(length);
            }
            Woe::CredentialsDown(length) => {
                world.credentials(Issuing::Down);
                return Some(length);
            }
            Woe::CredentialsSilent(length) => {
                world.credentials(Issuing::Silent);
                return Some(length);
            }
            Woe::CredentialsExpired(length) => {
                world.credentials(Issuing::Expired);
                return Some(length);
            }
            Woe::ClockJump { by_ms, length } => {
                // One hour off, and no more.
                world.clock_right();
                world.clock_jump(by_ms);
                return Some(length);
            }
            Woe::ClockDrift { ms_per_s, length } => {
                world.clock_drift(ms_per_s);
                return Some(length);
            }
            Woe::QueueDeleted(length) => {
                // It may be gone already.
                if world.delete_queue(self.plan.queue()).is_ok() {
                    return Some(length);
                }
            }
            // Only once a minute, and not while there is none.
            Woe::QueuePurged => drop(world.purge_queue(self.plan.queue())),
            Woe::MessagesMoved => {
                let most = self.rng.usize(1..10);
                drop(world.move_messages(self.plan.queue(), AWAY, most));
            }
            Woe::FunctionAway(length) => world.function_away(FUNCTION, length),
            Woe::Paused(length) => {
                self.did("ProcessPaused");
                self.paused(length);
            }
        }
        None
    }

    /// Puts it right; false when that cannot be done yet.
    fn relieve(&self, woe: Woe) -> bool {
        match woe {
            Woe::CredentialsDown(_) | Woe::CredentialsSilent(_) | Woe::CredentialsExpired(_) => {
                self.world.credentials(Issuing::Well);
            }
            Woe::ClockJump { .. } | Woe::ClockDrift { .. } => self.world.clock_right(),
            Woe::QueueDeleted(_) => return self.create_queue(),
            Woe::Outage(_)
            | Woe::QueuePurged
            | Woe::MessagesMoved
            | Woe::FunctionAway(_)
            | Woe::Paused(_) => {}
        }
        true
    }

    /// The clock moves, and no task of the process does, as between SIGSTOP and SIGCONT.
    fn paused(&mut self, length: Duration) {
        let mut left = length;
        while !left.is_zero() {
            let step = left.min(PAUSED_STEP);
            // Polled once: the clock is moved, and the turn that it would give to the others is not taken.
            let _ = tokio::time::advance(step).now_or_never();
            left -= step;
        }
    }

    /// Until nothing is left of the spell: neither messages, nor functions that run, nor anything that repeats itself.
    async fn settle(&mut self, spell: &Spell) {
        if spell.weather() != Weather::Fair {
            // That nothing is left may be because nobody can work.
            self.send(true);
        }
        let from = self.at();
        loop {
            sleep(Duration::from_secs(1)).await;
            let quiet = self.left() == 0
                && self.world.running(FUNCTION) == 0
                && (!self.plan.reloads() || beside::done(&self.world));
            if quiet && books::held(&self.stage) == 0 {
                break;
            }
            if from + RECOVERY_MAX < self.at() {
                self.run.broken.push("I13: it does not come to rest".into());
                return;
            }
        }
        sleep(REST).await;
        if books::held(&self.stage) > 0 || self.world.running(FUNCTION) > 0 {
            self.run
                .broken
                .push("I10: something is held that nobody sent".into());
        }
    }

    fn judge(&mut self, spell: &Spell, now: &Now, before: Counted) {
        let history = self.world.take_history();
        let meant = std::mem::take(&mut self.notes.lock().unwrap().meant);
        let judge = Judge::new(
            (self.plan, spell),
            &meant,
            &self.dropped,
            &self.terms,
            &self.drains,
        );
        let (mut broken, truth) = judge.judge(&history);
        let after = Counted::now(&self.stage);
        let since = self.starts.iter().rposition(|start| *start <= now.from);
        let starts = &self.starts[since.unwrap_or(0)..];
        if self.plan.reloads() {
            let anew = after.begun.saturating_sub(before.begun);
            beside::judge(spell, &history, starts, anew, &mut broken);
        }
        let out = |term: &&Term| term.settings.presence == Presence::Out;
        let was_out = self
            .terms
            .iter()
            .filter(out)
            .any(|term| now.from <= term.at);
        // The first invocation after trouble with the clock may be refused for its credentials, which are asked for anew then: it was
        // counted, and nobody saw what was in it.
        let unseen = history.iter().any(|entry| {
            let invoke = Operation::Invoke;
            matches!(&entry.event, Event::Faulted { operation, .. } if *operation == invoke)
        });
        if spell.weather() == Weather::Fair && !was_out && !unseen {
            books::judge(before, after, truth, &mut broken);
        }
        sometimes::seen(self.plan, spell, &history, truth, &mut self.run.sometimes);
        for Entry { at, event } in &history {
            match event {
                // The bytes themselves: their debug form takes longer than the run.
                Event::Invoked { event, .. } => (at, event).hash(&mut self.hasher),
                other => (at, format!("{other:?}")).hash(&mut self.hasher),
            }
        }
        self.run.broken.append(&mut broken);
        if !self.run.broken.is_empty() {
            self.run.story = history;
        }
        self.dropped.clear();
        self.drains.clear();
    }

    async fn end(mut self) -> Run {
        self.stop().await;
        let out = |term: &Term| term.settings.presence == Presence::Out;
        let was_out = self.terms.iter().any(out);
        let fair = self
            .plan
            .spells
            .iter()
            .all(|spell| spell.weather() == Weather::Fair);
        books::close(
            &self.stage,
            self.account,
            fair,
            was_out,
            &mut self.run.broken,
        );
        self.world.trace().hash(&mut self.hasher);
        for (name, count) in std::mem::take(&mut self.notes.lock().unwrap().moods) {
            *self.run.deeds.entry(name).or_default() += count;
        }
        Run {
            lasted: self.at(),
            faults: self.world.fault_counts(),
            mishaps: self.world.mishap_counts(),
            actions: self.world.actions(),
            hash: std::hash::Hasher::finish(&self.hasher),
            ..self.run
        }
    }
}

impl Now {
    /// Nothing more is to go wrong. A short life ends as soon as there is nothing more to do.
    fn over(&self, spell: &Spell, short: bool) -> bool {
        self.healed || short && self.crashes == 0 && spell.woes.is_empty()
    }
}

fn presence(rng: &mut fastrand::Rng) -> Presence {
    match rng.u32(..6) {
        0 => Presence::Disabled,
        1 => Presence::Out,
        _ => Presence::Enabled,
    }
}
