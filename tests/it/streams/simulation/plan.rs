//! What a seed stands for: a stream, a mapping, a function's moods, and what goes wrong.

mod draw;
mod text;

pub use draw::calls;

use std::time::Duration;

use crate::support::policy::{DESTINATION, Place};
use sluicegate::aws::stream::ReadBounds;
use sluicegate::sim::{Fault, Operation};

/// One run, drawn from its seed.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub kind: Kind,
    pub from: From,
    pub shards: u32,
    pub keys: usize,
    pub records: usize,
    /// Something is put, or happens, about so often.
    pub pace_ms: u64,
    pub settings: Settings,
    /// Each life draws its settings anew.
    pub changes: bool,
    pub retries: Option<u32>,
    pub age_s: Option<u64>,
    pub only_failing: bool,
    pub tumbling_s: Option<u64>,
    pub partial: bool,
    pub filter: bool,
    /// Some records are aggregates, and are taken apart.
    pub kpl: bool,
    /// Records of up to 5 MiB, of which few make an event and some are too large for any.
    pub heavy: bool,
    /// One record of so many; 0 for none.
    pub poison: u32,
    /// Where the records of discards go.
    pub to: To,
    /// The on-failure record holds the event.
    pub payload: bool,
    pub timeout_s: u64,
    pub concurrency: Option<u32>,
    /// Of each hundred invocations.
    pub moods: Moods,
    pub faults: Vec<(Option<Operation>, Fault, f64)>,
    /// The source trims records that nobody has read.
    pub loss: bool,
    /// Somebody else subscribes as the same consumer, one time of so many; 0 for nobody.
    pub rival: u32,
    /// How often shards are split, merged or rolled over.
    pub reshards: usize,
    /// How often the process is killed.
    pub crashes: usize,
    /// How often it is stopped and started.
    pub restarts: usize,
    /// How often it is given other settings while it runs, beside a mapping that stays the same.
    pub reloads: usize,
    /// Checkpoints are kept in the format of the file.
    pub file: bool,
    /// How often trouble comes and is over; in between everything is settled, and nothing comes for a while.
    pub acts: usize,
    pub quiet: Quiet,
    /// How often the process stands still, for a second to ten minutes, and goes on as if nothing had been.
    pub pauses: usize,
    /// How often the disk fails under the checkpoint file.
    pub disk_faults: usize,
    /// How often nothing at all answers, for some minutes.
    pub outages: usize,
    pub ending: Ending,
    /// Logs are read, to their last level.
    pub overheard: bool,
    /// A read of a few records brings more than is kept of it.
    pub reads: Option<ReadBounds>,
}

/// The place of on-failure records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    Nowhere,
    Queue,
    /// One that takes hardly more than a record without its event.
    NarrowQueue,
    Topic,
    Bucket,
}

/// What is between two times of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quiet {
    /// The process runs.
    Idle { s: u64 },
    /// It does not. Where the stream keeps its records for long enough, or where some may be lost, some come meanwhile.
    Away { s: u64 },
}

/// What becomes of the stream behind it all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Calm,
    /// It is deleted, and another is made under its name: nobody reads that.
    MadeAnew,
    /// It is switched off and on again, so that it has another ARN, which the mapping is told, and everything begins
    /// once more.
    Switched,
}

/// How long a stream keeps what comes, at the least.
const KEPT: Duration = Duration::from_hours(24);
/// From here on the source may trim what was settled long before.
const OLD: Duration = Duration::from_hours(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Kinesis,
    /// A Kinesis stream, by a consumer of its own: enhanced fan-out.
    FanOut,
    Dynamo,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Kinesis, Self::FanOut, Self::Dynamo];

    pub fn name(self) -> &'static str {
        match self {
            Self::Kinesis => "kinesis",
            Self::FanOut => "fan_out",
            Self::Dynamo => "dynamodb",
        }
    }
}

/// `StartingPosition`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    Horizon,
    Latest,
    Moment,
}

/// What may change between lives, and within one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub presence: Presence,
    pub batch_size: usize,
    pub window_s: u64,
    pub factor: u32,
    pub bisect: bool,
}

/// Whether a mapping is to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Enabled,
    Disabled,
    /// It is not in the configuration.
    Out,
}

/// How often a function does what, of each hundred invocations.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moods {
    pub error: u64,
    pub slow: u64,
    pub late: u64,
    pub throttled: u64,
    pub unavailable: u64,
    pub garbage: u64,
    /// It stops at a record, where failures may be reported.
    pub stops: u64,
}

/// Which promises a run must keep besides those that it always must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Nothing goes wrong but the function.
    Fair,
    /// Faults, and no crash.
    Faults,
    /// Faults and crashes.
    Storm,
}

impl Settings {
    fn draw(rng: &mut fastrand::Rng, tumbling: bool) -> Self {
        let factor = if tumbling || rng.bool() {
            1
        } else {
            rng.u32(2..6)
        };
        Self {
            presence: Presence::Enabled,
            batch_size: [1, 2, 3, 5, 10, 100][rng.usize(..6)],
            window_s: if rng.bool() { 0 } else { rng.u64(1..20) },
            factor,
            bisect: rng.bool(),
        }
    }
}

impl Plan {
    /// What the service's credentials allow in such a life.
    pub fn policies(&self) -> Vec<Place> {
        let source = match self.kind {
            Kind::Kinesis => "kinesis-policy.json",
            Kind::FanOut => "kinesis-consumer-policy.json",
            Kind::Dynamo => "dynamodb-policy.json",
        };
        let destination = match self.to {
            To::Nowhere => None,
            To::Queue | To::NarrowQueue => Some("TheQueue"),
            To::Topic => Some("TheTopic"),
            To::Bucket => Some("TheBucket"),
        };
        let destination = destination.map(|sid| (DESTINATION, Some(sid)));
        [Some((source, None)), destination]
            .into_iter()
            .flatten()
            .collect()
    }

    pub fn weather(&self) -> Weather {
        let troubles = self.rival as usize + self.pauses + self.disk_faults + self.outages;
        let calm = self.faults.is_empty() && !self.loss && troubles == 0 && !self.grows_old();
        match (calm, self.crashes) {
            (true, 0) => Weather::Fair,
            (false, 0) => Weather::Faults,
            (_, _) => Weather::Storm,
        }
    }

    /// What the function did and what the engine hears of it may differ.
    pub fn deaf(&self) -> bool {
        let invoke = |(operation, _, _): &(Option<Operation>, Fault, f64)| {
            operation.is_none_or(|operation| operation == Operation::Invoke)
        };
        let cut_off = self.crashes + self.pauses + self.disk_faults + self.outages;
        cut_off > 0 || self.faults.iter().any(invoke)
    }

    /// It lasts so long that the source trims what is settled.
    pub fn grows_old(&self) -> bool {
        let (Quiet::Idle { s } | Quiet::Away { s }) = self.quiet;
        self.acts > 1 && OLD < Duration::from_secs(s)
    }

    /// Somebody is told of discards.
    pub fn tells(&self) -> bool {
        self.to != To::Nowhere
    }

    /// How long a Kinesis stream keeps records at first, in hours.
    pub fn kept_hours(&self) -> u32 {
        if self.weather() == Weather::Fair {
            24
        } else {
            96
        }
    }

    /// Whether something comes while the process is away.
    pub fn comes_while_away(&self) -> bool {
        let Quiet::Away { s } = self.quiet else {
            return false;
        };
        let kept = self.kind != Kind::Dynamo || Duration::from_secs(s) < KEPT;
        self.loss || kept
    }

    /// A listing may lack shards.
    pub fn lists_badly(&self) -> bool {
        let mut faults = self.faults.iter();
        faults.any(|(_, fault, _)| *fault == Fault::IncompleteListing)
    }

    /// How long the function may run.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_s)
    }

    /// The settings of the next life.
    pub fn next(&self, rng: &mut fastrand::Rng, now: Settings) -> Settings {
        match self.changes {
            true => Settings {
                presence: now.presence,
                ..self.other(rng)
            },
            false => now,
        }
    }

    /// Some settings.
    pub fn other(&self, rng: &mut fastrand::Rng) -> Settings {
        Settings::draw(rng, self.tumbling_s.is_some())
    }

    /// Taken out, a mapping's counters go with it: only where none is needed to tell what was lost.
    pub fn may_go(&self) -> bool {
        let limited = self.retries.is_some() || self.age_s.is_some();
        !self.loss && (self.tells() || !limited)
    }

    /// One shard, split under way, with a poison record, bisection and a destination: for the sweeps.
    pub fn small(kind: Kind) -> Self {
        Self {
            seed: 7,
            kind,
            from: From::Horizon,
            shards: 1,
            keys: 3,
            records: 12,
            pace_ms: 300,
            settings: Settings {
                presence: Presence::Enabled,
                batch_size: 4,
                window_s: 0,
                factor: 1,
                bisect: true,
            },
            changes: false,
            retries: Some(1),
            age_s: None,
            only_failing: false,
            tumbling_s: None,
            partial: false,
            filter: false,
            kpl: false,
            heavy: false,
            poison: 4,
            to: To::Queue,
            payload: false,
            timeout_s: 3,
            concurrency: None,
            moods: Moods::default(),
            faults: Vec::new(),
            loss: false,
            rival: 0,
            reshards: 2,
            crashes: 0,
            restarts: 0,
            // Not where every point is tried: beside it stands a mapping with points of its own.
            reloads: if kind == Kind::Kinesis { 0 } else { 2 },
            file: false,
            acts: 1,
            quiet: Quiet::Idle { s: 0 },
            pauses: 0,
            disk_faults: 0,
            outages: 0,
            ending: Ending::Calm,
            overheard: false,
            reads: None,
        }
    }
}
