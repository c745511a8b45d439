//! A part of a life: what goes wrong in it, and how much there is to do. Between two of them the queue is empty and all is quiet, so
//! that each is judged alone.

use std::time::Duration;

use sluicegate::sim::{Fault, Operation};

/// Which promises a spell must keep besides those that it always must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Nothing goes wrong but the function.
    Fair,
    /// Faults, and no crash.
    Faults,
    /// Faults and crashes.
    Storm,
}

/// A part of a life.
#[derive(Clone, Debug)]
pub struct Spell {
    /// Until the world heals; what is left of the backlog is worked off after it.
    pub lasts: Duration,
    pub messages: usize,
    /// The longest time between two looks of the producer.
    pub pace: Duration,
    pub faults: Vec<(Option<Operation>, Fault, f64)>,
    /// What befalls the world, and when.
    pub woes: Vec<(Duration, Woe)>,
    /// How often the process is killed.
    pub crashes: usize,
    /// Stops and new starts.
    pub restarts: usize,
    /// Stops in the middle of a call, and new starts.
    pub drains: usize,
    /// How often it is given other settings while it runs, beside a mapping that stays the same.
    pub reloads: usize,
}

/// What befalls the world in a spell, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woe {
    Outage(Duration),
    CredentialsDown(Duration),
    CredentialsSilent(Duration),
    CredentialsExpired(Duration),
    ClockJump {
        by_ms: i64,
        length: Duration,
    },
    ClockDrift {
        ms_per_s: i64,
        length: Duration,
    },
    /// It is there again after this.
    QueueDeleted(Duration),
    QueuePurged,
    MessagesMoved,
    FunctionAway(Duration),
    /// The process is stopped and goes on, as by SIGSTOP and SIGCONT.
    Paused(Duration),
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR_MS: i64 = 3_600_000;

/// The calls that the engine makes.
const OPERATIONS: [Operation; 7] = [
    Operation::ReceiveMessage,
    Operation::DeleteMessageBatch,
    Operation::ChangeMessageVisibilityBatch,
    Operation::GetQueueAttributes,
    Operation::GetQueueUrl,
    Operation::GetFunctionConfiguration,
    Operation::Invoke,
];

impl Spell {
    /// Nothing happens.
    pub fn quiet(lasts: Duration) -> Self {
        Self {
            lasts,
            messages: 0,
            pace: 8 * SECOND,
            faults: Vec::new(),
            woes: Vec::new(),
            crashes: 0,
            restarts: 0,
            drains: 0,
            reloads: 0,
        }
    }

    pub fn weather(&self) -> Weather {
        match (self.faults.is_empty() && self.woes.is_empty(), self.crashes) {
            (true, 0) => Weather::Fair,
            (false, 0) => Weather::Faults,
            (_, _) => Weather::Storm,
        }
    }

    /// How long the process is stopped at most: what it had asked for before comes so much later.
    pub fn paused_max(&self) -> Duration {
        let paused = |(_, woe): &(Duration, Woe)| match woe {
            Woe::Paused(length) => *length,
            _ => Duration::ZERO,
        };
        self.woes.iter().map(paused).max().unwrap_or_default()
    }

    /// A function may run on while its caller has given up on it.
    pub fn zombies(&self) -> bool {
        let invoke = |(operation, _, _): &(Option<Operation>, Fault, f64)| {
            operation.is_none_or(|operation| operation == Operation::Invoke)
        };
        self.crashes > 0 || !self.woes.is_empty() || self.faults.iter().any(invoke)
    }

    /// A long time in which now and then something comes.
    pub fn draw_calm(rng: &mut fastrand::Rng, quick: bool) -> Self {
        let lasts = MINUTE * rng.u32(10..50);
        let messages = rng.usize(3..16);
        Self {
            messages,
            pace: lasts / messages as u32,
            restarts: usize::from(quick && rng.u32(..3) == 0),
            drains: usize::from(quick && rng.u32(..3) == 0),
            reloads: if quick && rng.u32(..2) == 0 { 1 } else { 0 },
            ..Self::quiet(lasts)
        }
    }

    /// A short time in which much goes wrong.
    pub fn draw_trouble(rng: &mut fastrand::Rng, quick: bool) -> Self {
        let lasts = SECOND * rng.u32(120..600);
        let woes = (0..rng.usize(..4)).map(|_| {
            let at = lasts.mul_f64(0.8 * rng.f64());
            (at, Woe::draw(rng))
        });
        let mut woes: Vec<(Duration, Woe)> = woes.collect();
        woes.sort_by_key(|(at, _)| *at);
        Self {
            messages: rng.usize(20..70),
            faults: (0..rng.usize(3..9))
                .filter_map(|_| fault(rng, 0.05, 0.2))
                .collect(),
            woes,
            crashes: if rng.u32(..2) == 0 {
                rng.usize(1..5)
            } else {
                0
            },
            restarts: usize::from(quick && rng.u32(..3) == 0),
            drains: if quick { rng.usize(..3) } else { 0 },
            reloads: if quick { rng.usize(..3) } else { 0 },
            ..Self::quiet(lasts)
        }
    }
}

/// A kind of fault, whom it befalls, and how often.
pub fn fault(
    rng: &mut fastrand::Rng,
    least: f64,
    more: f64,
) -> Option<(Option<Operation>, Fault, f64)> {
    let fault = Fault::ALL[rng.usize(..Fault::ALL.len())];
    let fitting: Vec<Operation> = OPERATIONS
        .into_iter()
        .filter(|operation| fault.fits(*operation))
        .collect();
    let operation = *fitting.get(rng.usize(..fitting.len().max(1)))?;
    let everywhere = rng.u32(..4) == 0 && operation != Operation::Invoke;
    let concerned = (!everywhere).then_some(operation);
    Some((concerned, fault, least + more * rng.f64()))
}

impl Woe {
    pub fn draw(rng: &mut fastrand::Rng) -> Self {
        let minutes = |rng: &mut fastrand::Rng, most: u32| MINUTE * rng.u32(1..=most);
        match rng.u32(..12) {
            0 => {
                Self::Outage(MINUTE.max(Duration::from_secs(rng.u64(60..3_600)).mul_f64(rng.f64())))
            }
            1 => Self::CredentialsDown(minutes(rng, 20)),
            2 => Self::CredentialsSilent(minutes(rng, 10)),
            3 => Self::CredentialsExpired(minutes(rng, 20)),
            4 | 5 => Self::ClockJump {
                by_ms: if rng.bool() { HOUR_MS } else { -HOUR_MS },
                length: minutes(rng, 15),
            },
            6 => Self::ClockDrift {
                ms_per_s: rng.i64(-900..900),
                length: minutes(rng, 20),
            },
            7 => Self::QueueDeleted(Duration::from_secs(rng.u64(60..240))),
            8 => Self::QueuePurged,
            9 => Self::MessagesMoved,
            10 => Self::FunctionAway(minutes(rng, 10)),
            _ => Self::Paused(Duration::from_secs(1).max(minutes(rng, 10).mul_f64(rng.f64()))),
        }
    }
}
