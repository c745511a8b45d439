//! A whole run: traffic, lives and deaths of the service, trouble and healing, again and again, and the end.

mod checks;
mod ending;
mod harm;
mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sluicegate::checkpoint::Store;
use sluicegate::reports::Account;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::beside::Beside;
use super::disk::{Disk, Loss};
use super::ear::Ear;
use super::function::{Known, register};
use super::judge::{How, Kept, Life, Pause};
use super::plan::{From, Plan, To};
use super::rival::Rival;
use super::source::Source;
use super::{FAILED, Outcome};
use crate::engine::{Running, Stage};

/// How long trouble lasts, and how long it may then take until everything is settled.
const TROUBLE: Duration = Duration::from_secs(240);
const RECOVERY_MAX: Duration = Duration::from_secs(900);

/// Where the first life ends.
#[derive(Clone, Copy, Debug)]
pub enum Kill {
    Nowhere,
    /// At this crash point of the world, from 1.
    Point(u64),
    /// At this write or sync of the disk, from 1.
    Write(u64, Loss),
    /// It is asked to stop at this crash point.
    Asked(u64),
}

/// What is still to come.
#[derive(Clone, Copy, Debug, Default)]
struct Budget {
    /// Of this act.
    records: usize,
    reshards: usize,
    reloads: usize,
    /// Of all.
    kills: usize,
    restarts: usize,
    pauses: usize,
    disk_faults: usize,
    outages: usize,
}

/// What interrupts a life.
enum Alarm {
    Killed,
    /// SIGTERM.
    Asked,
    /// The service has ended by itself.
    Ended(Account),
    Nothing,
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
    budget: Budget,
    rng: fastrand::Rng,
    moment_s: u64,
    began: Instant,
    /// The mapping has begun: what comes from now on is its.
    started: bool,
    act: usize,
    /// When this act's trouble began, were it not for the time in which nothing could happen.
    trouble_since: Duration,
    healed: bool,
    outage: Option<harm::Outage>,
    kill: Arc<Notify>,
    ask: Arc<Notify>,
    pub lives: Vec<Life>,
    kept: Vec<Kept>,
    stood_still: Vec<Pause>,
    pub dropped: u64,
    pub gaps: u64,
    /// Subscriptions that the service was given.
    pub subscribed: u64,
    pub account: Account,
    /// Counters of the lives that ended by themselves.
    pub counted: BTreeMap<&'static str, u64>,
    /// What befell it beside the faults of calls.
    pub harm: BTreeMap<&'static str, u64>,
    /// What crashes left of the checkpoint file, each opened.
    images: u64,
    /// Crash points and writes until everything was settled.
    points: u64,
    writes: u64,
    ear: Option<Ear>,
    pub broken: Vec<String>,
}

impl Theatre {
    pub fn new(plan: &Plan) -> Self {
        let ear = plan.overheard.then(Ear::open);
        let mut stage = Stage::new(plan.seed);
        stage.reads = plan.reads;
        let narrow: &[(&str, &str)] = match plan.to {
            To::NarrowQueue => &[("MaximumMessageSize", "1024")],
            To::Nowhere | To::Queue | To::Topic | To::Bucket => &[],
        };
        stage.world.create_queue(FAILED, narrow).unwrap();
        stage.world.create_topic(FAILED).unwrap();
        stage.world.create_bucket(FAILED).unwrap();
        let known = Known::default();
        register(&stage, plan, known.clone());
        let source = Source::new(&stage.world, plan);
        let beside = (plan.reloads > 0).then(|| Beside::new(&stage.world, plan.kind));
        let disk = plan.file.then(|| Disk::new(&stage.world, plan.seed));
        if let Some(disk) = &disk {
            stage.store = Store::on(disk.clone()).unwrap();
        }
        Self {
            plan: plan.clone(),
            known,
            source,
            disk,
            rival: Rival::default(),
            beside,
            budget: Budget {
                kills: plan.crashes,
                restarts: plan.restarts,
                pauses: plan.pauses,
                disk_faults: plan.disk_faults,
                outages: plan.outages,
                ..Budget::default()
            },
            rng: fastrand::Rng::with_seed(plan.seed ^ 0xcafe),
            moment_s: 0,
            began: Instant::now(),
            started: false,
            act: 0,
            trouble_since: Duration::ZERO,
            healed: false,
            outage: None,
            kill: Arc::default(),
            ask: Arc::default(),
            lives: Vec::new(),
            kept: Vec::new(),
            stood_still: Vec::new(),
            dropped: 0,
            gaps: 0,
            subscribed: 0,
            account: Account::default(),
            counted: BTreeMap::new(),
            harm: BTreeMap::new(),
            images: 0,
            points: 0,
            writes: 0,
            ear,
            broken: Vec::new(),
            stage,
        }
    }

    /// Plays it to the end. The first life ends at `first`, where it is told to.
    pub async fn play(mut self, first: Kill) -> Outcome {
        self.trouble_comes();
        self.begin().await;
        let mut running = self.start(How::Started);
        match first {
            Kill::Nowhere => self.arm(),
            Kill::Point(number) => self.kill = self.stage.world.crash_at(number),
            Kill::Write(number, loss) => {
                let disk = self.disk.as_ref().expect("a plan with a file");
                self.kill = disk.kill_at(number, loss);
            }
            Kill::Asked(number) => {
                self.budget.restarts = 0;
                self.ask = self.stage.world.notice_at(number);
            }
        }
        loop {
            running = self.act(running).await;
            if self.broken.iter().any(|text| text.starts_with("I13")) {
                break;
            }
            self.act += 1;
            if self.plan.acts <= self.act {
                break;
            }
            running = self.quiet(running).await;
            self.trouble_comes();
            self.arm();
        }
        self.heal();
        running = self.switched(running).await;
        let lasted = self.began.elapsed();
        let judged = self.stage.world.history_len();
        self.ends(running).await;
        self.stage.world.idle().await;
        self.ended(lasted, judged)
    }

    /// Trouble until the world heals, and until everything is settled then.
    async fn act(&mut self, mut running: Running) -> Running {
        let mut settled_since = None;
        let mut busy_until = self.began.elapsed();
        loop {
            let before = self.mark();
            self.started |= self.plan.from != From::Latest || self.ready();
            let started = self.started;
            if started {
                self.happens();
            }
            let pause = Duration::from_millis(self.rng.u64(1..self.plan.pace_ms));
            let alarm = tokio::select! {
                biased;
                () = self.kill.notified() => Alarm::Killed,
                () = self.ask.notified() => Alarm::Asked,
                account = running.ended() => Alarm::Ended(account),
                () = sleep(pause) => Alarm::Nothing,
            };
            match alarm {
                Alarm::Killed => {
                    running = self.killed(running).await;
                    continue;
                }
                Alarm::Asked => running = self.asked(running).await,
                Alarm::Ended(account) => running = self.ended_by_itself(account).await,
                Alarm::Nothing => self.manners(before),
            }
            self.follows();
            if started {
                self.reload(&running).await;
            }
            self.outage_ends();
            if !self.healed && started {
                self.misfortune().await;
            }
            let lasted = self.began.elapsed();
            if self.budget.restarts > 0 && started && self.rng.u32(..10) == 0 {
                self.budget.restarts -= 1;
                running = self.restart(running).await;
            }
            if !self.healed && self.trouble_since + TROUBLE <= lasted {
                self.heal();
            }
            let busy = self.budget.records + self.budget.reshards + self.budget.reloads > 0;
            if !self.healed || busy {
                busy_until = lasted;
            }
            if busy || !self.healed && self.has_more_trouble() || !self.settled() {
                settled_since = None;
            } else if settled_since.is_none() {
                settled_since = Some(lasted);
                self.points = self.stage.world.crash_points();
                self.writes = self.disk.as_ref().map_or(0, Disk::done);
            } else if settled_since.is_some_and(|since| since + self.calm() <= lasted) {
                return running;
            }
            if busy_until + RECOVERY_MAX < lasted {
                let text = "I13: there are records that are not settled".to_owned();
                self.broken.push(text);
                return running;
            }
        }
    }

    /// How long nothing must be open until nothing will be: a read may still wait for its repeat.
    fn calm(&self) -> Duration {
        match self.plan.faults.is_empty() && self.plan.outages == 0 {
            true => Duration::from_secs(2),
            false => Duration::from_secs(40),
        }
    }
}
