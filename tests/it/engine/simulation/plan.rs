//! What a seed stands for: a queue, a mapping, a function's moods, and what goes wrong.

use std::time::Duration;

use sluicegate::sim::{Fault, Operation};

/// One run, drawn from its seed.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub fifo: bool,
    /// maxReceiveCount of the redrive policy; without one nothing is poison.
    pub receives_max: Option<u32>,
    pub visibility_s: u32,
    pub settings: Settings,
    pub partial: bool,
    /// Behind a URL that gives up long before the function does: it may succeed and nobody hears of it.
    pub http: bool,
    pub filter: bool,
    pub messages: usize,
    pub groups: usize,
    pub timeout_s: u64,
    /// The function takes its time.
    pub busy: bool,
    /// Of each hundred invocations.
    pub moods: Moods,
    pub faults: Vec<(Option<Operation>, Fault, f64)>,
    /// How often the process is killed.
    pub crashes: usize,
    /// A stop and a new start in the middle.
    pub restarts: usize,
    /// How often it is given other settings while it runs, beside a mapping that stays the same.
    pub reloads: usize,
}

/// What may change while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub presence: Presence,
    pub batch_size: usize,
    pub window_s: u64,
    pub maximum: Option<usize>,
}

/// Whether a mapping is to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Enabled,
    Disabled,
    /// It is not in the configuration.
    Out,
}

impl Settings {
    fn draw(rng: &mut fastrand::Rng, fifo: bool) -> Self {
        let window_s = if fifo || rng.bool() {
            0
        } else {
            rng.u64(1..30)
        };
        let sizes: &[usize] = match (fifo, window_s) {
            (true, _) | (_, 0) => &[1, 2, 5, 10],
            _ => &[1, 3, 10, 25, 100, 10_000],
        };
        Self {
            presence: Presence::Enabled,
            batch_size: sizes[rng.usize(..sizes.len())],
            window_s,
            maximum: [None, Some(1), Some(2), Some(3)][rng.usize(..4)],
        }
    }
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
    /// Of each hundred messages, where failures may be reported.
    pub failed_items: u64,
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

impl Plan {
    pub fn weather(&self) -> Weather {
        match (self.faults.is_empty(), self.crashes) {
            (true, 0) => Weather::Fair,
            (false, 0) => Weather::Faults,
            (_, _) => Weather::Storm,
        }
    }

    /// A function may run on while its caller has given up on it.
    pub fn zombies(&self) -> bool {
        let invoke = |(operation, _, _): &(Option<Operation>, Fault, f64)| {
            operation.is_none_or(|operation| operation == Operation::Invoke)
        };
        self.http || self.crashes > 0 || self.faults.iter().any(invoke)
    }

    /// A calm ordered queue that reports failures and has a poison message now and then.
    pub fn small() -> Self {
        Self {
            seed: 0,
            fifo: true,
            receives_max: Some(3),
            visibility_s: 10,
            settings: Settings {
                presence: Presence::Enabled,
                batch_size: 4,
                window_s: 0,
                maximum: Some(2),
            },
            partial: true,
            http: false,
            filter: false,
            messages: 0,
            groups: 1,
            timeout_s: 3,
            busy: false,
            moods: Moods {
                throttled: 15,
                failed_items: 10,
                ..Moods::default()
            },
            faults: Vec::new(),
            crashes: 0,
            restarts: 0,
            reloads: 0,
        }
    }

    /// The plan of a seed for a kind of queue.
    pub fn draw(seed: u64, fifo: bool) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed.wrapping_mul(2).wrapping_add(fifo.into()));
        let chance = |rng: &mut fastrand::Rng, of: u32| rng.u32(..of) == 0;
        let weather = rng.u32(..4);
        let mut faults = Vec::new();
        if weather > 0 {
            for _ in 0..rng.usize(1..6) {
                let fault = Fault::ALL[rng.usize(..Fault::ALL.len())];
                let fitting: Vec<Operation> = OPERATIONS
                    .into_iter()
                    .filter(|operation| fault.fits(*operation))
                    .collect();
                let operation = fitting.get(rng.usize(..fitting.len().max(1))).copied();
                if operation.is_some() {
                    let everywhere = chance(&mut rng, 4) && operation != Some(Operation::Invoke);
                    let operation = operation.filter(|_| !everywhere);
                    faults.push((operation, fault, 0.01 + 0.15 * rng.f64()));
                }
            }
        }
        let calm = chance(&mut rng, 6);
        let upto = |rng: &mut fastrand::Rng, most: u64| if calm { 0 } else { rng.u64(..=most) };
        let moods = Moods {
            error: upto(&mut rng, 15),
            slow: upto(&mut rng, 15),
            late: upto(&mut rng, 5),
            throttled: upto(&mut rng, 15),
            unavailable: upto(&mut rng, 10),
            garbage: upto(&mut rng, 5),
            failed_items: upto(&mut rng, 15),
        };
        let timeout_s = [1, 3, 10, 60][rng.usize(..4)];
        // A restart that cuts a long invocation off leaves it running.
        // In fair weather more can be told.
        let of = if weather == 0 { 4 } else { 2 };
        let reloads = if timeout_s < 20 && rng.u32(..of) > 0 {
            rng.usize(1..6)
        } else {
            0
        };
        let http = chance(&mut rng, 6);
        let restarts = usize::from(timeout_s < 20 && chance(&mut rng, 4));
        Self {
            seed,
            fifo,
            receives_max: chance(&mut rng, 3).then(|| rng.u32(2..6)),
            visibility_s: [1, 5, 10, 30, 60][rng.usize(..5)],
            settings: Settings::draw(&mut rng, fifo),
            partial: rng.bool(),
            http,
            // Behind a URL nobody would wait for it.
            busy: timeout_s < 20 && !http && rng.bool(),
            filter: chance(&mut rng, 4),
            messages: rng.usize(5..80),
            groups: rng.usize(1..6),
            timeout_s,
            moods,
            faults,
            crashes: if weather == 3 { rng.usize(1..4) } else { 0 },
            restarts,
            reloads,
        }
    }

    /// The attributes of the queue.
    pub fn attributes(&self) -> Vec<(&'static str, String)> {
        let mut attributes = vec![("VisibilityTimeout", self.visibility_s.to_string())];
        if self.fifo {
            attributes.push(("FifoQueue", "true".into()));
        }
        attributes
    }

    pub fn queue(&self) -> &'static str {
        if self.fifo { "q.fifo" } else { "q" }
    }

    /// Other settings.
    pub fn other(&self, rng: &mut fastrand::Rng) -> Settings {
        Settings::draw(rng, self.fifo)
    }

    /// The configuration of the service, with what stands beside the mapping.
    pub fn config(&self, arn: &str, now: Settings, beside: &str) -> String {
        let mut text = String::new();
        if self.http {
            text += "Functions:\n  process:\n    Http: { Url: \"http://lambda/2015-03-31/functions/process/invocations\" }\n    TimeoutInSeconds: 2\n";
        }
        text += "EventSourceMappings:\n";
        text += beside;
        if now.presence == Presence::Out {
            return text;
        }
        text += &format!(
            "  - Name: m\n    EventSourceArn: {arn}\n    FunctionName: process\n    BatchSize: {}\n",
            now.batch_size
        );
        if now.presence == Presence::Disabled {
            text += "    Enabled: false\n";
        }
        if now.window_s > 0 {
            text += &format!("    MaximumBatchingWindowInSeconds: {}\n", now.window_s);
        }
        if self.partial {
            text += "    FunctionResponseTypes: [ReportBatchItemFailures]\n";
        }
        if let Some(maximum) = now.maximum {
            text += &format!("    ScalingConfig: {{ MaximumConcurrency: {maximum} }}\n");
        }
        if self.filter {
            text += "    FilterCriteria: { Filters: [ { Pattern: '{\"body\":{\"keep\":[true]}}' } ] }\n";
        }
        text
    }

    /// How long the function takes at most where nothing is wrong.
    pub fn work(&self) -> Duration {
        match self.busy {
            true => self.timeout().mul_f64(0.8),
            false => Duration::from_millis(50),
        }
    }

    /// How long the function may run.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_s)
    }
}

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
