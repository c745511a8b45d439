//! Whole lives of the service, drawn from seeds: any stream, any mapping, a moody function, faults of every kind, reshard
//! storms, kills and restarts, a failing disk, a process that stands still; then the world heals, perhaps to be troubled
//! again hours later, and the ledger is judged. `SLUICEGATE_SEED=n` replays one (with `SLUICEGATE_CUTS` what a failure was
//! made smaller by, and `SLUICEGATE_STORY=1` tells of it), `SLUICEGATE_SEEDS=n` runs more of them.
//!
//! Where each invariant of the design is judged, as far as it concerns streams:
//!
//! | | judged in | how |
//! |---|---|---|
//! | I1 | `judge/discards` | nothing is discarded that was handled; what is settled is what was handled, or told and taken |
//! | I2 | `judge` (`ended`), `books` | every record is handled, told, filtered, or counted as lost or dropped |
//! | I3 | `judge/positions` | at a third of all commits, drawn by the seed, at each end of a life and for four ends of power: never ahead, never back |
//! | I4 | `judge/offers` | nothing is offered before what comes before it, in its shard or of its key |
//! | I5 | `judge/offers` | no shard is offered before all of its ancestors are settled |
//! | I6 | `judge/offers` | one invocation a shard, or a key; none under settings that are not in force |
//! | I7 | `judge/offers` | records and bytes of a batch, one shard, nothing twice |
//! | I8 | `judge/offers`, `judge/discards` | attempts and ages, and the reason for each discard |
//! | I9 | `function`, `judge` | answers of every kind; what one meant is what it is judged by |
//! | I10 | `judge/offers`, `beside` | nothing comes twice in fair weather |
//! | I11 | `life/ending`, `disk` | a stream made anew is not read; what a crash leaves is opened, and goes on |
//! | I12 | | queues |
//! | I13 | `life`, `judge` | in a quarter of an hour after each healing everything is settled, no shard waits, each window is ended |
//! | I14 | `life/harm` | a stop, in the middle of any call, begins nothing and ends in time |
//! | I15 | `life/checks`, `life/steps`, `life/harm` | calls of any step, of hours of rest, and in outages one a second and lane |
//! | I16 | `books` | the counters against each other and against the world |
//! | I17 | `ear`, `life/steps` | what records hold is neither logged, measured, nor told by the status |
//! | I18 | below | the same seed, the same bytes, in another process too |

mod beside;
mod books;
mod cuts;
mod disk;
mod ear;
mod figures;
mod function;
mod judge;
mod life;
mod plan;
mod rival;
mod sometimes;
mod source;
mod sweep;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use sluicegate::sim::{Entry, Event, Fault, Operation};

use crate::support::policy::{Actions, Ledger};
use crate::support::{bars, lives};
use judge::Truth;
use life::{Kill, Theatre};
use plan::{Kind, Plan, Weather};

/// How many seeds each kind of stream gets, and for the bars.
const SEEDS: u64 = 40;
const SEEDS_FOR_BARS: u64 = 120;
/// In the usual runs one life of so many is lived to its end, and the others are made shorter by these cuts.
const WHOLE_OF: u64 = 8;
const SHORT: &str = "acts,ending";
/// Where the records of discards go, be it a queue, a topic or a bucket.
const FAILED: &str = "failed";

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    broken: Vec<String>,
    lasted: Duration,
    faults: BTreeMap<(Operation, Fault), u64>,
    /// What went wrong beside the faults of calls.
    harm: BTreeMap<&'static str, u64>,
    /// What crashes left of the checkpoint file, each opened.
    images: u64,
    /// What was called, by the names of policies.
    actions: Actions,
    hash: u64,
    truth: Truth,
    sometimes: BTreeMap<&'static str, u64>,
    /// The crash points of the last life.
    points: u64,
    /// The writes and syncs of its disk.
    writes: u64,
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

fn run(plan: &Plan) -> Outcome {
    block_on(async { Theatre::new(plan).play(Kill::Nowhere).await })
}

/// Of what happened, and of what was said to the world and by it.
fn hash(history: &[Entry], trace: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    trace.hash(&mut hasher);
    for Entry { at, event } in history {
        match event {
            // The bytes themselves: their debug form takes longer than the run.
            Event::Invoked { event, .. } => (at, event).hash(&mut hasher),
            other => (at, format!("{other:?}")).hash(&mut hasher),
        }
    }
    hasher.finish()
}

/// A line on stderr, past the capture of the test's output.
fn tell(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr is open");
}

/// What is broken in a run, a panic among it; and the run where there was none.
fn tried(plan: &Plan) -> (Vec<String>, Option<Outcome>) {
    match catch_unwind(AssertUnwindSafe(|| run(plan))) {
        Ok(run) => (run.broken.clone(), Some(run)),
        Err(_) => (vec!["panicked".to_owned()], None),
    }
}

/// Runs these seeds and says what came of all of them.
fn seeds(kind: Kind) {
    let replay = bars::number("SLUICEGATE_SEED");
    let seeds = lives::seeds(SEEDS, SEEDS_FOR_BARS);
    let told = std::env::var("SLUICEGATE_CUTS").ok();
    let whole = std::env::var_os("SLUICEGATE_BARS").is_some()
        || bars::number("SLUICEGATE_SEEDS").or(replay).is_some();
    let cuts = |seed: u64| match &told {
        Some(cuts) => cuts,
        None if whole || seed.is_multiple_of(WHOLE_OF) => "",
        None => SHORT,
    };
    let plan = |seed| cuts::made(Plan::draw(seed, kind), cuts(seed));
    let lives = lives::live(seeds, |seed| {
        let plan = plan(seed);
        let (broken, run) = tried(&plan);
        (plan, broken, run)
    });
    let mut failures = Vec::new();
    let mut longest = (Duration::ZERO, 0);
    let mut sum = figures::Sum::new(kind);
    let mut policies = Ledger::default();
    for (plan, mut broken, run) in lives.into_iter().filter_map(|(_, life)| life) {
        if let Some(run) = run {
            longest = longest.max((run.lasted, plan.seed));
            let unallowed = policies.ran(&plan.policies(), &run.actions);
            broken.extend(
                unallowed
                    .iter()
                    .map(|action| format!("no policy allows {action}")),
            );
            sum.add(run);
        }
        if !broken.is_empty() {
            sum.figures.violations += 1;
            failures.push((plan, broken));
        }
    }
    let name = kind.name();
    let figures = &sum.figures;
    let (hours, reached, faults) = (figures.hours, &figures.reached, &figures.faults);
    tell(&format!(
        "{name}: {hours:.1} simulated hours, the longest run was {longest:?}, {} images\n  {reached:?}\n  {faults:?}",
        figures.crash_images
    ));
    figures.leave(name);
    let told: Vec<String> = failures
        .iter()
        .take(10)
        .map(|(plan, broken)| {
            let shown = broken[..broken.len().min(6)].join("\n  ");
            format!("seed {}: {plan:?}\n  {shown}", plan.seed)
        })
        .collect();
    let smallest = failures
        .first()
        .map(|(plan, _)| cuts::smallest(plan, cuts(plan.seed)));
    assert!(
        failures.is_empty(),
        "{} of the seeds failed:\n{}\nthe first of them made smaller: {}",
        failures.len(),
        told.join("\n"),
        smallest.unwrap_or_default()
    );
    // The usual seeds are enough for everything to happen.
    if bars::number("SLUICEGATE_SEEDS").or(replay).is_none() {
        let never: Vec<_> = reached.iter().filter(|(_, count)| **count == 0).collect();
        assert!(never.is_empty(), "never: {never:?}");
        assert_eq!(policies.idle(), [], "allowed, and never called");
        let total: u64 = faults.values().sum();
        assert!(total > 1_000, "hardly anything went wrong: {total}");
    }
}

#[test]
fn kinesis_streams_keep_every_promise_in_any_weather() {
    seeds(Kind::Kinesis);
}

#[test]
fn fan_out_keeps_every_promise_in_any_weather() {
    seeds(Kind::FanOut);
}

#[test]
fn dynamodb_streams_keep_every_promise_in_any_weather() {
    seeds(Kind::Dynamo);
}

/// The hash of a stormy run.
fn stormy_hash(kind: Kind) -> u64 {
    let storm = |seed: &u64| {
        let plan = Plan::draw(*seed, kind);
        plan.weather() == Weather::Storm && !plan.heavy
    };
    let seed = (0..).find(storm).expect("some seed is stormy");
    run(&Plan::draw(seed, kind)).hash
}

// reliability: I18
#[test]
fn the_same_seed_gives_the_same_run_to_the_byte() {
    for kind in Kind::ALL {
        assert_eq!(stormy_hash(kind), stormy_hash(kind));
    }
}

// reliability: I18: another process has other hash seeds, other addresses, another clock.
#[test]
fn the_same_seed_gives_the_same_run_in_another_process() {
    const CHILD: &str = "SLUICEGATE_TEST_STREAM_HASH";
    let hashes = Kind::ALL.map(stormy_hash);
    let mine = format!("hash {hashes:x?}");
    if std::env::var_os(CHILD).is_some() {
        tell(&mine);
        return;
    }
    let name = "streams::simulation::the_same_seed_gives_the_same_run_in_another_process";
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr);
    assert!(
        said.lines().any(|line| line.ends_with(&mine)),
        "{mine} is not in {said}"
    );
}
