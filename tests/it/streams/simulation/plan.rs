//! What a seed stands for: a stream, a mapping, a function's moods, and what goes wrong.

use std::time::Duration;

use sluicegate::sim::{Fault, KinesisOperation, Operation};

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
    pub destination: bool,
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
}

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
    pub fn weather(&self) -> Weather {
        let calm = self.faults.is_empty() && !self.loss && self.rival == 0;
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
        self.crashes > 0 || self.faults.iter().any(invoke)
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
        !self.loss && (self.destination || !limited)
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
            destination: true,
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
        }
    }

    /// The plan of a seed for a kind of stream.
    pub fn draw(seed: u64, kind: Kind) -> Self {
        let kinesis = kind != Kind::Dynamo;
        let mut rng = fastrand::Rng::with_seed(match kind {
            Kind::Dynamo => seed.wrapping_mul(2),
            Kind::Kinesis => seed.wrapping_mul(2).wrapping_add(1),
            Kind::FanOut => !seed,
        });
        let rng = &mut rng;
        let chance = |rng: &mut fastrand::Rng, of: u32| rng.u32(..of) == 0;
        let weather = rng.u32(..4);
        let loss = weather > 0 && chance(rng, 5);
        let faults = match weather {
            0 => Vec::new(),
            _ => faults(rng, kind, loss),
        };
        let calm = chance(rng, 6);
        let upto = |rng: &mut fastrand::Rng, most: u64| if calm { 0 } else { rng.u64(..=most) };
        let moods = Moods {
            error: upto(rng, 20),
            slow: upto(rng, 10),
            late: upto(rng, 4),
            throttled: upto(rng, 15),
            unavailable: upto(rng, 8),
            garbage: upto(rng, 5),
            stops: upto(rng, 30),
        };
        let tumbling_s = chance(rng, 5).then(|| rng.u64(5..60));
        let retries = [None, Some(0), Some(1), Some(2), Some(5)][rng.usize(..5)];
        let age_s = chance(rng, 5).then(|| rng.u64(60..120));
        let limited = retries.is_some() || age_s.is_some();
        let kpl = kinesis && chance(rng, 6);
        let heavy = kinesis && !kpl && limited && chance(rng, 16);
        let destination = rng.u32(..3) > 0;
        let from = match rng.u32(..6) {
            0 => From::Latest,
            1 if kinesis => From::Moment,
            _ => From::Horizon,
        };
        Self {
            seed,
            kind,
            from,
            shards: rng.u32(1..4),
            keys: rng.usize(1..12),
            records: if heavy { 20 } else { rng.usize(10..140) },
            // A subscription lasts 5 minutes: some runs are longer.
            pace_ms: match kind {
                Kind::FanOut if chance(rng, 3) => 20_000,
                Kind::FanOut | Kind::Kinesis | Kind::Dynamo => 3_000,
            },
            settings: Settings::draw(rng, tumbling_s.is_some()),
            changes: chance(rng, 2),
            retries,
            age_s,
            only_failing: chance(rng, 5),
            tumbling_s,
            partial: rng.bool(),
            filter: chance(rng, 3),
            kpl,
            heavy,
            poison: if limited && rng.bool() { 10 } else { 0 },
            destination,
            payload: destination && !heavy && (kpl || rng.bool()),
            timeout_s: [1, 3, 10][rng.usize(..3)],
            concurrency: chance(rng, 8).then(|| rng.u32(1..3)),
            moods,
            faults,
            loss,
            rival: if kind == Kind::FanOut && weather > 0 && !loss && rng.bool() {
                6
            } else {
                0
            },
            reshards: if chance(rng, 3) { 0 } else { rng.usize(1..6) },
            crashes: if weather == 3 { rng.usize(1..6) } else { 0 },
            restarts: if rng.bool() { 0 } else { rng.usize(1..4) },
            // In fair weather more can be told.
            reloads: if rng.u32(..if weather == 0 { 4 } else { 2 }) == 0 {
                0
            } else {
                rng.usize(1..6)
            },
            file: chance(rng, 3),
        }
    }

    /// The mapping, as the configuration of the service has it.
    pub fn config(&self, arn: &str, destination: &str, now: Settings, moment_s: u64) -> String {
        let mut text = format!(
            "  - Name: m\n    EventSourceArn: {arn}\n    FunctionName: process\n    BatchSize: {}\n",
            now.batch_size
        );
        let mut line = |key: &str, value: String| text += &format!("    {key}: {value}\n");
        match self.from {
            From::Horizon => line("StartingPosition", "TRIM_HORIZON".into()),
            From::Latest => line("StartingPosition", "LATEST".into()),
            From::Moment => {
                line("StartingPosition", "AT_TIMESTAMP".into());
                line("StartingPositionTimestamp", moment_s.to_string());
            }
        }
        if now.presence == Presence::Disabled {
            line("Enabled", "false".into());
        }
        if now.factor > 1 {
            line("ParallelizationFactor", now.factor.to_string());
        }
        if now.bisect {
            line("BisectBatchOnFunctionError", "true".into());
        }
        if now.window_s > 0 {
            line("MaximumBatchingWindowInSeconds", now.window_s.to_string());
        }
        if let Some(retries) = self.retries {
            line("MaximumRetryAttempts", retries.to_string());
        }
        if let Some(age_s) = self.age_s {
            line("MaximumRecordAgeInSeconds", age_s.to_string());
        }
        if let Some(length_s) = self.tumbling_s {
            line("TumblingWindowInSeconds", length_s.to_string());
        }
        if self.partial {
            line("FunctionResponseTypes", "[ReportBatchItemFailures]".into());
        }
        if self.filter {
            let pattern = match self.kind {
                Kind::Kinesis | Kind::FanOut => r#"{"data":{"keep":[true]}}"#,
                Kind::Dynamo => r#"{"dynamodb":{"NewImage":{"keep":{"BOOL":[true]}}}}"#,
            };
            let filters = format!("{{ Filters: [ {{ Pattern: '{pattern}' }} ] }}");
            line("FilterCriteria", filters);
        }
        if self.destination {
            let to = format!("{{ OnFailure: {{ Destination: \"{destination}\" }} }}");
            line("DestinationConfig", to);
        }
        let mut extensions = Vec::new();
        for (on, name) in [
            (self.only_failing, "DiscardOnlyFailing"),
            (self.payload, "OnFailureIncludePayload"),
            (self.kpl, "DeaggregateKpl"),
        ] {
            if on {
                extensions.push(format!("{name}: true"));
            }
        }
        if !extensions.is_empty() {
            line("Extensions", format!("{{ {} }}", extensions.join(", ")));
        }
        text
    }
}

/// Some faults at some of the calls that the engine makes, or at all of them.
fn faults(rng: &mut fastrand::Rng, kind: Kind, loss: bool) -> Vec<(Option<Operation>, Fault, f64)> {
    let operations = operations(kind);
    let mut faults = Vec::new();
    for _ in 0..rng.usize(1..7) {
        let fault = Fault::ALL[rng.usize(..Fault::ALL.len())];
        let fits: Vec<Operation> = operations
            .iter()
            .copied()
            .filter(|operation| fault.fits(*operation))
            .collect();
        if fits.is_empty() || fault == Fault::TrimmedPosition && !loss {
            continue;
        }
        let operation = fits[rng.usize(..fits.len())];
        let everywhere = rng.u32(..4) == 0 && operation != Operation::Invoke;
        faults.push((
            (!everywhere).then_some(operation),
            fault,
            0.01 + 0.15 * rng.f64(),
        ));
    }
    // A subscription is seldom begun: what may happen to it must be likely.
    if kind == Kind::FanOut {
        for fault in [Fault::SilentEventStream, Fault::BrokenEventStream] {
            if rng.bool() {
                faults.push((Some(operations[2]), fault, 0.3 * rng.f64()));
            }
        }
    }
    let read = operations[2];
    if loss && Fault::TrimmedPosition.fits(read) && rng.bool() {
        faults.push((Some(read), Fault::TrimmedPosition, 0.02));
    }
    faults
}

/// The calls that the engine makes; reading is the third.
fn operations(kind: Kind) -> Vec<Operation> {
    let mut operations = match kind {
        Kind::Kinesis => vec![
            Operation::Kinesis(KinesisOperation::ListShards),
            Operation::Kinesis(KinesisOperation::GetShardIterator),
            Operation::Kinesis(KinesisOperation::GetRecords),
            Operation::Kinesis(KinesisOperation::DescribeStreamSummary),
        ],
        Kind::FanOut => vec![
            Operation::Kinesis(KinesisOperation::ListShards),
            Operation::Kinesis(KinesisOperation::DescribeStreamConsumer),
            Operation::Kinesis(KinesisOperation::SubscribeToShard),
            Operation::Kinesis(KinesisOperation::SubscribeToShard),
            Operation::Kinesis(KinesisOperation::SubscribeToShard),
            Operation::Kinesis(KinesisOperation::DescribeStreamSummary),
        ],
        Kind::Dynamo => vec![
            Operation::StreamsDescribeStream,
            Operation::StreamsGetShardIterator,
            Operation::StreamsGetRecords,
        ],
    };
    operations.extend([
        Operation::Invoke,
        Operation::Invoke,
        Operation::GetFunctionConfiguration,
        Operation::SendMessage,
        Operation::GetQueueUrl,
    ]);
    operations
}
