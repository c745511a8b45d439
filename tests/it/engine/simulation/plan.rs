//! What a seed stands for: a queue, a mapping, a function's moods, and what goes wrong.

use std::time::Duration;

use super::spell::{self, Spell, Woe};

/// When the world heals in a short life.
pub const TROUBLE: Duration = Duration::from_secs(600);

/// One life, drawn from its seed.
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
    pub groups: usize,
    pub timeout_s: u64,
    /// The function takes its time.
    pub busy: bool,
    /// Of each hundred invocations.
    pub moods: Moods,
    /// From when to when others have all of the account's concurrency.
    pub jam: Option<(Duration, Duration)>,
    /// What happens, in turn.
    pub spells: Vec<Spell>,
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

/// Of so many long lives one has a function that is gone for half a day.
const HALF_DAYS: u64 = 50;

/// How often a function does what, of each hundred invocations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moods {
    pub error: u64,
    pub slow: u64,
    pub late: u64,
    pub throttled: u64,
    pub unavailable: u64,
    /// For good, or sent elsewhere: behind a URL only.
    pub refused: u64,
    /// An answer that cannot be read, or names nobody of the batch.
    pub garbage: u64,
    /// `null`, `{}`, or nothing.
    pub nothing: u64,
    /// An answer of more than 6 MB.
    pub oversize: u64,
    /// Headers that are far too long.
    pub headers: u64,
    /// Of each hundred messages, where failures may be reported.
    pub failed_items: u64,
}

impl Plan {
    /// Whether it is given other settings at some time.
    pub fn reloads(&self) -> bool {
        self.spells.iter().any(|spell| spell.reloads > 0)
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
            groups: 1,
            timeout_s: 3,
            busy: false,
            moods: Moods {
                throttled: 15,
                failed_items: 10,
                ..Moods::default()
            },
            jam: None,
            spells: vec![Spell::quiet(TROUBLE)],
        }
    }

    /// The short life of a seed for a kind of queue.
    pub fn draw(seed: u64, fifo: bool) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed.wrapping_mul(2).wrapping_add(fifo.into()));
        let rng = &mut rng;
        let weather = rng.u32(..4);
        let mut plan = Self::house(seed, fifo, rng);
        let quick = plan.timeout_s < 20;
        let faults = if weather > 0 { rng.usize(1..6) } else { 0 };
        // In fair weather more can be told.
        let of = if weather == 0 { 4 } else { 2 };
        plan.spells = vec![Spell {
            messages: rng.usize(5..80),
            faults: (0..faults)
                .filter_map(|_| spell::fault(rng, 0.01, 0.15))
                .collect(),
            crashes: if weather == 3 { rng.usize(1..4) } else { 0 },
            restarts: usize::from(quick && rng.u32(..4) == 0),
            reloads: if quick && rng.u32(..of) > 0 {
                rng.usize(1..6)
            } else {
                0
            },
            ..Spell::quiet(TROUBLE)
        }];
        plan
    }

    /// The long life of a seed: trouble and calm in turn. Now and then a function is gone for half a day.
    pub fn draw_long(seed: u64, fifo: bool) -> Self {
        let mut rng =
            fastrand::Rng::with_seed((seed ^ 0x10_0000_0000).wrapping_mul(2) + u64::from(fifo));
        let rng = &mut rng;
        let mut plan = Self::house(seed, fifo, rng);
        let quick = plan.timeout_s < 20;
        if seed.is_multiple_of(HALF_DAYS) {
            let mut spell = Spell::quiet(Duration::from_secs(13 * 3600));
            spell.messages = 12;
            spell.woes = vec![(
                Duration::from_secs(2),
                Woe::FunctionAway(Duration::from_secs(25 * 1800)),
            )];
            plan.http = false;
            plan.spells = vec![spell, Spell::draw_calm(rng, quick)];
            return plan;
        }
        for _ in 0..rng.usize(3..6) {
            plan.spells.push(Spell::draw_trouble(rng, quick));
            plan.spells.push(Spell::draw_calm(rng, quick));
        }
        plan
    }

    /// A queue, a mapping and a function, to which nothing happens yet.
    fn house(seed: u64, fifo: bool, rng: &mut fastrand::Rng) -> Self {
        let chance = |rng: &mut fastrand::Rng, of: u32| rng.u32(..of) == 0;
        let calm = chance(rng, 6);
        let upto = |rng: &mut fastrand::Rng, most: u64| if calm { 0 } else { rng.u64(..=most) };
        let moods = Moods {
            error: upto(rng, 15),
            slow: upto(rng, 15),
            late: upto(rng, 5),
            throttled: upto(rng, 15),
            unavailable: upto(rng, 10),
            refused: upto(rng, 4),
            garbage: upto(rng, 5),
            nothing: upto(rng, 5),
            oversize: upto(rng, 2),
            headers: upto(rng, 4),
            failed_items: upto(rng, 15),
        };
        // A restart that cuts a long invocation off leaves it running.
        let timeout_s = [1, 3, 10, 60][rng.usize(..4)];
        let http = chance(rng, 6);
        Self {
            seed,
            fifo,
            receives_max: chance(rng, 3).then(|| rng.u32(2..6)),
            visibility_s: [1, 5, 10, 30, 60][rng.usize(..5)],
            settings: Settings::draw(rng, fifo),
            partial: rng.bool(),
            http,
            // Behind a URL nobody would wait for it.
            busy: timeout_s < 20 && !http && rng.bool(),
            filter: chance(rng, 4),
            groups: rng.usize(1..6),
            timeout_s,
            moods,
            jam: jam(seed),
            spells: Vec::new(),
        }
    }

    /// Whether nobody but others may run the function then, that long after the life began.
    pub fn jammed(&self, at: Duration) -> bool {
        self.jam.is_some_and(|(from, to)| from <= at && at < to)
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

    /// How long so many messages may wait for each other beside that: in a group, behind one that failed, for its lease.
    pub fn in_turn(&self, messages: usize) -> Duration {
        if !self.fifo {
            return Duration::ZERO;
        }
        let lease_s = u64::from(self.visibility_s) + self.timeout_s + self.settings.window_s + 30;
        let of_a_group = messages.div_ceil(self.groups.max(1));
        Duration::from_secs(lease_s * of_a_group as u64)
    }

    /// How long the function may run.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_s)
    }
}

/// One life of three has such a time in its first minutes.
fn jam(seed: u64) -> Option<(Duration, Duration)> {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x1a3);
    let from = Duration::from_secs(rng.u64(..60));
    let length = Duration::from_secs(rng.u64(60..240));
    (rng.u32(..3) == 0).then_some((from, from + length))
}
