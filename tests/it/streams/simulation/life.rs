//! A whole run: traffic, lives and deaths of the service, healing, and the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sluicegate::checkpoint::{Owner, Store};
use sluicegate::config::Config;
use sluicegate::metrics::Metrics;
use sluicegate::reports::Account;
use sluicegate::sim::{Entry, Event};
use sluicegate::status::{State, Status};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::beside::Beside;
use super::disk::{Disk, When};
use super::function::{Inner, Known, register};
use super::judge::{Evidence, How, Judge, Kept, Life, Truth};
use super::plan::{From, Kind, Plan, Presence, Settings, Weather};
use super::rival::Rival;
use super::source::{Source, User};
use super::{FAILED, Outcome, books};
use crate::engine::{FUNCTION, Running, Stage};

/// When the world heals, and how long it may then take until everything is settled.
const TROUBLE: Duration = Duration::from_secs(240);
const RECOVERY_MAX: Duration = Duration::from_secs(900);
/// The grace of a drain, and how long a call that was under way may still have an effect.
const GRACE: Duration = Duration::from_secs(30);
const UNDER_WAY: Duration = Duration::from_secs(1);
/// How long a start takes, with all that goes before it.
const FOLLOWS: Duration = Duration::from_secs(5);
/// Calls a second and shard, besides those that deliver something: reading, listing, opening, and repeats of them.
const CALLS_MAX: u64 = 10;

/// Where the first life ends.
#[derive(Clone, Copy, Debug)]
pub enum Kill {
    Nowhere,
    /// At this crash point of the world, from 1.
    Point(u64),
    /// At this sync of the disk, from 1.
    Sync(u64, When),
}

/// A run under way.
pub struct Theatre {
    pub plan: Plan,
    pub stage: Stage,
    known: Known,
    pub source: Source,
    disk: Option<Disk>,
    pub rival: Rival,
    /// Where reloads are planned.
    pub beside: Option<Beside>,
    /// Reloads that are to come.
    reloads: usize,
    rng: fastrand::Rng,
    moment_s: u64,
    began: Instant,
    pub lives: Vec<Life>,
    kept: Vec<Kept>,
    pub dropped: u64,
    pub gaps: u64,
    /// Subscriptions that the service was given.
    pub subscribed: u64,
    pub account: Account,
    /// Counters of the lives that ended by themselves.
    pub counted: BTreeMap<&'static str, u64>,
    left: usize,
    pub broken: Vec<String>,
}

impl Theatre {
    pub fn new(plan: &Plan) -> Self {
        let mut stage = Stage::new(plan.seed);
        stage.world.create_queue(FAILED, &[]).unwrap();
        let known = Known::default();
        register(&stage, plan, known.clone());
        let source = Source::new(&stage.world, plan);
        let beside = (plan.reloads > 0).then(|| Beside::new(&stage.world, plan.kind));
        let disk = plan.file.then(|| Disk::holding(Vec::new()));
        if let Some(disk) = &disk {
            stage.store = Store::on(disk.clone()).unwrap();
        }
        for (operation, fault, probability) in &plan.faults {
            stage.world.fault_chance(*operation, *fault, *probability);
        }
        Self {
            plan: plan.clone(),
            stage,
            known,
            source,
            disk,
            rival: Rival::default(),
            beside,
            reloads: plan.reloads,
            rng: fastrand::Rng::with_seed(plan.seed ^ 0xcafe),
            moment_s: 0,
            began: Instant::now(),
            lives: Vec::new(),
            kept: Vec::new(),
            dropped: 0,
            gaps: 0,
            subscribed: 0,
            account: Account::default(),
            counted: BTreeMap::new(),
            left: plan.records,
            broken: Vec::new(),
        }
    }

    /// Plays it to the end. The first life ends at `first`, where it is told to.
    pub async fn play(mut self, first: Kill) -> Outcome {
        self.begin().await;
        let mut kills = self.plan.crashes;
        let mut restarts = self.plan.restarts;
        let mut reshards = self.plan.reshards;
        let mut running = self.start(How::Started);
        let mut notice = match first {
            Kill::Nowhere => self.arm(kills > 0),
            Kill::Point(number) => self.stage.world.crash_at(number),
            Kill::Sync(number, when) => {
                let disk = self.disk.as_ref().expect("a plan with a file");
                disk.kill_at(&self.stage.world, number, when)
            }
        };
        let (mut points, mut syncs) = (0, 0);
        let mut healed = false;
        let mut started = false;
        let mut settled_since = None;
        let mut busy_until = Duration::ZERO;
        loop {
            let since = (Instant::now(), self.stage.world.crash_points());
            started |= self.plan.from != From::Latest || self.ready();
            if started {
                self.traffic();
            }
            if reshards > 0 && started && self.rng.u32(..8) == 0 {
                reshards -= 1;
                self.source.reshard(&mut self.rng);
            }
            if self.plan.loss && !healed && self.rng.u32(..6) == 0 {
                self.source.trim(&mut self.rng);
            }
            if self.plan.rival > 0 && !healed && self.rng.u32(..self.plan.rival) == 0 {
                self.rival_comes();
            }
            let pause = Duration::from_millis(self.rng.u64(1..self.plan.pace_ms));
            tokio::select! {
                biased;
                () = notice.notified() => {
                    drop(running);
                    kills = kills.saturating_sub(1);
                    self.buried().await;
                    sleep(Duration::from_millis(self.rng.u64(1..self.plan.pace_ms * 2))).await;
                    notice = self.arm(kills > 0 && !healed);
                    running = self.start(How::AfterKill);
                    continue;
                }
                () = sleep(pause) => self.manners(since),
            }
            self.follows();
            if started {
                self.reload(&running).await;
            }
            let lasted = self.began.elapsed();
            if restarts > 0 && started && self.rng.u32(..10) == 0 {
                restarts -= 1;
                let cut = self.stop(running).await;
                notice = self.arm(kills > 0 && !healed);
                running = self.start(if cut { How::AfterKill } else { How::Started });
            }
            if !healed && TROUBLE <= lasted {
                healed = true;
                self.stage.world.heal();
                self.rival.leave();
                self.known.with(|known| known.healed = true);
                // A kill that is armed at the disk has its notice, too.
                self.disarm();
            }
            if !healed || self.left + reshards + self.reloads > 0 {
                busy_until = lasted;
            }
            let quiet = self.left + reshards + self.reloads == 0 && (healed || kills == 0);
            if !(quiet && self.settled()) {
                settled_since = None;
            } else if settled_since.is_none() {
                settled_since = Some(lasted);
                points = self.stage.world.crash_points();
                syncs = self.disk.as_ref().map_or(0, Disk::syncs);
            } else if settled_since.is_some_and(|since| since + self.calm() <= lasted) {
                break;
            }
            if busy_until + RECOVERY_MAX < lasted {
                let text = "I13: there are records that are not settled".to_owned();
                self.broken.push(text);
                break;
            }
        }
        let lasted = self.began.elapsed();
        self.stage.world.heal();
        self.rival.leave();
        self.disarm();
        self.stop(running).await;
        self.stage.world.idle().await;
        self.ended(lasted, points, syncs)
    }

    /// What was there before the mapping.
    async fn begin(&mut self) {
        if self.plan.from != From::Horizon {
            for _ in 0..self.rng.usize(..10) {
                self.put_one(true);
            }
            sleep(Duration::from_secs(3)).await;
            let epoch = self.stage.world.settings().epoch;
            self.moment_s = epoch.as_secs() + self.began.elapsed().as_secs();
        }
        if self.plan.from != From::Latest {
            for _ in 0..self.left / 3 {
                self.left -= 1;
                self.put_one(false);
            }
        }
    }

    fn traffic(&mut self) {
        for _ in 0..self.rng.usize(..8).min(self.left) {
            self.left -= 1;
            self.put_one(false);
        }
        let busy = self.left + self.reloads > 0;
        if let Some(beside) = self.beside.as_mut().filter(|_| busy && self.rng.bool()) {
            beside.put_one();
        }
    }

    fn rival_comes(&mut self) {
        let lines: Vec<&String> = self.source.lines.keys().collect();
        let shard = lines[self.rng.usize(..lines.len())];
        let keeps = Duration::from_secs(self.rng.u64(1..40));
        let world = &self.stage.world;
        self.rival.take(world, &self.source.arn, shard, keeps);
    }

    fn put_one(&mut self, old: bool) {
        let (plan, rng) = (&self.plan, &mut self.rng);
        let name = format!("k{}", rng.usize(..plan.keys));
        let key = match plan.kind {
            Kind::Kinesis | Kind::FanOut => name.clone(),
            Kind::Dynamo => json!({ "id": { "S": name } }).to_string(),
        };
        let count = match plan.kpl && rng.bool() {
            true => rng.usize(1..6),
            false => 1,
        };
        let mut user = || User {
            name: name.clone(),
            key: key.clone(),
            keep: !plan.filter || rng.u32(..3) > 0,
            poison: plan.poison > 0 && rng.u32(..plan.poison) == 0,
            old,
            large: plan.heavy && rng.u32(..6) == 0,
        };
        let users: Vec<User> = (0..count).map(|_| user()).collect();
        let first = self.known.with(|known| known.users.len());
        let number = self.source.put(first, &users);
        self.known.with(|known| {
            let numbers = (first..first + count).collect();
            known.numbers.insert(number, numbers);
            known.users.extend(users);
        });
    }

    fn start(&mut self, how: How) -> Running {
        let before = self.lives.last().map(|life| life.settings);
        let settings = match before {
            Some(before) => self.plan.next(&mut self.rng, before),
            None => self.plan.settings,
        };
        self.lives_on(settings, how);
        self.stage.start_with(&self.config(settings))
    }

    fn lives_on(&mut self, settings: Settings, how: How) {
        let first = self.lives.is_empty();
        self.lives.push(Life {
            began: if first {
                0
            } else {
                self.stage.world.history().len()
            },
            at: self.began.elapsed(),
            settings,
            how,
        });
    }

    fn settings(&self) -> Settings {
        self.lives.last().expect("a life has begun").settings
    }

    fn config(&self, settings: Settings) -> String {
        let mut text = "EventSourceMappings:\n".to_owned();
        if settings.presence != Presence::Out {
            let destination = self.stage.world.queue_arn(FAILED);
            let arn = &self.source.arn;
            text += &self.plan.config(arn, &destination, settings, self.moment_s);
        }
        if let Some(beside) = &self.beside {
            text += &beside.config();
        }
        text
    }

    /// Now and then the service is given other settings, or several in a row.
    async fn reload(&mut self, running: &Running) {
        let away = self.settings().presence != Presence::Enabled;
        if away && self.rng.u32(..3) == 0 {
            self.replace(running, Presence::Enabled);
        } else if self.reloads > 0 && self.rng.u32(..6) == 0 {
            self.reloads -= 1;
            let more = if self.rng.u32(..4) == 0 { 3 } else { 0 };
            for _ in 0..more {
                let presence = self.presence();
                self.replace(running, presence);
                let pause = [0, 10, 1_000][self.rng.usize(..3)];
                sleep(Duration::from_millis(self.rng.u64(..=pause))).await;
            }
            let presence = self.presence();
            self.replace(running, presence);
        }
    }

    fn presence(&mut self) -> Presence {
        match self.rng.u32(..6) {
            0 => Presence::Disabled,
            1 if self.plan.may_go() => Presence::Out,
            _ => Presence::Enabled,
        }
    }

    fn replace(&mut self, running: &Running, presence: Presence) {
        let settings = Settings {
            presence,
            ..self.plan.other(&mut self.rng)
        };
        self.lives_on(settings, How::Reloaded);
        running.reload(&self.config(settings));
    }

    /// In fair weather a reload takes no longer than what is in hand.
    fn follows(&mut self) {
        let last = self.lives.last().expect("a life has begun");
        let late = last.at + self.plan.timeout() + FOLLOWS < self.began.elapsed();
        let fair = self.plan.weather() == Weather::Fair;
        let state = self.state();
        let there = match (last.settings.presence, state) {
            (Presence::Enabled, Some(state)) => {
                matches!(state, State::Enabled | State::Failing)
            }
            (Presence::Disabled, Some(state)) => state == State::Disabled,
            (Presence::Out, None) => true,
            (Presence::Enabled | Presence::Disabled, None) | (Presence::Out, Some(_)) => false,
        };
        if fair && late && !there && last.how == How::Reloaded {
            let text = format!(
                "reload: since {:?} it is {state:?}: {:?}",
                last.at, last.settings
            );
            self.broken.push(text);
        }
    }

    /// What the mapping is said to be doing.
    fn state(&self) -> Option<State> {
        let mappings = self.stage.status.readiness().mappings;
        let ours = mappings.into_iter().find(|mapping| mapping.name == "m");
        ours.map(|mapping| mapping.state)
    }

    fn ready(&self) -> bool {
        let mappings = self.stage.status.readiness().mappings;
        let mut ours = mappings.iter().filter(|mapping| mapping.name == "m");
        ours.any(|mapping| mapping.started)
    }

    /// The next kill, somewhere in the next minutes.
    fn arm(&mut self, wanted: bool) -> Arc<Notify> {
        let world = &self.stage.world;
        let number = (1 << self.rng.u32(..12)) + self.rng.u64(..100);
        match &self.disk {
            _ if !wanted => world.crash_at(u64::MAX),
            Some(disk) if self.rng.bool() => {
                world.crash_at(u64::MAX);
                let when = if self.rng.bool() {
                    When::Lost
                } else {
                    When::Kept
                };
                disk.kill_at(world, number / 16 + 1, when)
            }
            _ => world.crash_at(number),
        }
    }

    fn disarm(&mut self) {
        self.stage.world.crash_at(u64::MAX);
        if let Some(disk) = &self.disk {
            disk.disarm();
        }
    }

    /// I14: a drain ends in time, and begins nothing. True when it was cut off by the end of the grace.
    async fn stop(&mut self, running: Running) -> bool {
        let (world, asked) = (self.stage.world.clone(), Instant::now());
        let at = self.began.elapsed();
        self.account = self.account.and(running.stop().await);
        let cut = GRACE <= asked.elapsed();
        if asked.elapsed() > GRACE + UNDER_WAY {
            let text = format!("I14 at {at:?}: the drain took {:?}", asked.elapsed());
            self.broken.push(text);
        }
        let late = |entry: &&Entry| {
            let begins = matches!(entry.event, Event::Invoked { .. });
            begins && at + UNDER_WAY < entry.at
        };
        if let Some(entry) = world.history().iter().find(late) {
            let text = format!("I14: drained at {at:?}: {:?}", entry.at);
            self.broken.push(text);
        }
        books::close(self, cut);
        self.buried().await;
        cut
    }

    /// The process is gone, or has ended. Takes note of what it left, and of what it counted.
    async fn buried(&mut self) {
        self.dropped += self.metric("events_dropped_total");
        self.gaps += self.metric("stream_gaps_total");
        self.subscribed += self.subscriptions();
        let text = self.stage.metrics.encode();
        let undisturbed = |beside: &Beside| beside.undisturbed(&text);
        let fair = self.plan.weather() == Weather::Fair;
        if fair && !self.beside.as_ref().is_none_or(undisturbed) {
            self.broken.push("beside: it was begun anew".to_owned());
        }
        self.stage.metrics = Metrics::new();
        self.stage.status = Status::default();
        if let Some(disk) = &mut self.disk {
            *disk = disk.left();
            self.stage.store = Store::on(disk.clone()).unwrap();
        }
        let text = self.config(self.plan.settings);
        let config = Config::parse("test.yaml", &text, &|_| None).unwrap();
        let mapping = &config.mappings[0].uuid;
        let judge = Owner::new("judge");
        let taken = self.stage.store.take(mapping, &judge).await.unwrap();
        let shards = taken.shards.into_iter();
        self.kept.push(Kept {
            place: self.stage.world.history().len(),
            at: self.began.elapsed(),
            shards: shards.map(|(id, saved)| (id, saved.progress)).collect(),
        });
    }

    /// How many lives were cut off.
    pub fn kills(&self) -> u64 {
        let kills = self.lives.iter().filter(|life| life.how == How::AfterKill);
        kills.count() as u64
    }

    /// All series of the mapping's family together.
    pub fn metric(&self, family: &str) -> u64 {
        summed(&self.stage.metrics.encode(), family)
    }

    fn subscriptions(&self) -> u64 {
        let text = self.stage.metrics.encode();
        let given = text.lines().find_map(|line| {
            let labels = line.strip_prefix("sluicegate_source_requests_total{mapping=\"m\",")?;
            labels.strip_prefix("operation=\"SubscribeToShard\",outcome=\"success\"} ")
        });
        given.map_or(0, |count| count.parse::<f64>().unwrap() as u64)
    }

    /// I15: calls that bring nothing are bounded.
    fn manners(&mut self, (since, points): (Instant, u64)) {
        self.source.look();
        let calls = self.stage.world.crash_points().saturating_sub(points) / 3;
        let seconds = since.elapsed().as_secs() + 2;
        let now = self.began.elapsed();
        let history = self.stage.world.history();
        let recent = history.iter().rev().take_while(|entry| {
            // What was under way when it began counts, too.
            now <= entry.at + since.elapsed() + UNDER_WAY
        });
        let brings = |entry: &&Entry| {
            matches!(
                entry.event,
                Event::Invoked { .. } | Event::Sent { .. } | Event::RecordsRead { .. }
            )
        };
        let useful = recent.filter(brings).count() as u64;
        let shards = (self.source.lines.len() + self.beside.iter().len()) as u64;
        if calls > useful + seconds * shards * CALLS_MAX {
            let text = format!("I15 at {now:?}: {calls} calls in {seconds} s, {useful} useful");
            self.broken.push(text);
        }
    }

    /// Nothing is open, as far as the world tells and the service says.
    fn settled(&self) -> bool {
        let on = self.settings().presence == Presence::Enabled;
        let there = matches!(self.state(), Some(State::Enabled | State::Failing));
        let beside = self.beside.as_ref();
        if !on || !there || beside.is_some_and(|beside| !beside.done(&self.plan)) {
            return false;
        }
        let handled = self.known.with(|known| known.unhandled(self.plan.filter));
        let metrics = self.stage.metrics.encode();
        let dropped = self.dropped + summed(&metrics, "events_dropped_total");
        let told = self.stage.left(FAILED);
        if handled > 0 && dropped == 0 && told == 0 && !self.plan.loss {
            return false;
        }
        let busy = [
            "invocations_in_flight",
            "shards_waiting",
            "iterator_age_seconds",
        ];
        if !busy.iter().all(|family| summed(&metrics, family) == 0) {
            return false;
        }
        let (broken, _) = self.judge(dropped);
        let open = |text: &String| text.starts_with("I2") || text.starts_with("I13");
        !broken.iter().any(open)
    }

    /// How long nothing must be open until nothing will be: a read may still wait for its repeat.
    fn calm(&self) -> Duration {
        match self.plan.faults.is_empty() {
            true => Duration::from_secs(2),
            false => Duration::from_secs(40),
        }
    }

    fn judge(&self, dropped: u64) -> (Vec<String>, Truth) {
        let queue = self.stage.world.queue(FAILED).expect("it is there");
        let told = queue.messages.into_iter();
        let told = told.map(|message| (message.id, message.body)).collect();
        let history = self.stage.world.history();
        self.known.with(|known| {
            let evidence = Evidence {
                plan: &self.plan,
                known,
                stream: &self.source.name,
                lines: &self.source.lines,
                told: &told,
                lives: &self.lives,
                kept: &self.kept,
                dropped,
            };
            Judge::new(evidence).judge(&history, self.began.elapsed())
        })
    }

    fn ended(mut self, lasted: Duration, points: u64, syncs: u64) -> Outcome {
        self.source.look();
        let (broken, truth) = self.judge(self.dropped);
        let mut broken = [std::mem::take(&mut self.broken), broken].concat();
        books::compare(&self, truth, &mut broken);
        if let Some(beside) = &self.beside {
            beside.judge(&self.plan, &self.lives, &mut broken);
        }
        let history = self.stage.world.history();
        if std::env::var_os("SLUICEGATE_STORY").is_some() {
            self.known.with(|known| story(known, &history));
        }
        let mut sometimes = super::sometimes::seen(&self.plan, &history, &self.lives, truth);
        if self.plan.kind == Kind::FanOut {
            super::sometimes::pushed(&self, &history, lasted, &mut sometimes);
        }
        Outcome {
            broken,
            lasted,
            faults: self.stage.world.fault_counts(),
            hash: super::hash(&history, self.stage.world.trace()),
            sometimes,
            truth,
            points,
            syncs,
        }
    }
}

/// All series of the mapping's family together, in the exported text.
fn summed(metrics: &str, family: &str) -> u64 {
    let series = format!("sluicegate_{family}{{mapping=\"m\"");
    let of_family = metrics.lines().filter(|line| line.starts_with(&series));
    let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
    of_family.map(value).sum::<f64>() as u64
}

/// What happened, for people: each invocation by the numbers of its records and by how many of them it handled.
fn story(known: &mut Inner, history: &[Entry]) {
    for Entry { at, event } in history {
        let call = |id: &String| {
            let call = &known.calls[id];
            format!(
                "{:?} handles {}, {:?}",
                call.users, call.handled, call.window
            )
        };
        let line = match event {
            Event::Invoked {
                request_id,
                function,
                ..
            } if function == FUNCTION => format!("invoked {}", call(request_id)),
            Event::Replied {
                request_id,
                ending,
                function,
                ..
            } if function == FUNCTION => format!("replied {} {ending:?}", call(request_id)),
            Event::RecordPut {
                sequence_number, ..
            }
            | Event::Streamed {
                sequence_number, ..
            } => format!("{:?}: {event:?}", known.numbers.get(sequence_number)),
            event => format!("{event:?}"),
        };
        super::tell(&format!("{at:?} {line}"));
    }
}
