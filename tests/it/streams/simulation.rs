//! Whole lives of the service, drawn from seeds: any stream, any mapping, a moody function, faults of every kind, reshard
//! storms, kills and restarts; then the world heals, and the ledger is judged. `SLUICEGATE_SEED=n` replays one
//! (and `SLUICEGATE_STORY=1` tells of it), `SLUICEGATE_SEEDS=n` runs more of them.

mod beside;
mod books;
mod disk;
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

use judge::Truth;
use life::{Kill, Theatre};
use plan::{Kind, Plan, Weather};

/// How many seeds each kind of stream gets, unless told otherwise.
const SEEDS: u64 = 40;
/// The queue for the records of discards.
const FAILED: &str = "failed";

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    broken: Vec<String>,
    lasted: Duration,
    faults: BTreeMap<(Operation, Fault), u64>,
    hash: u64,
    truth: Truth,
    sometimes: BTreeMap<&'static str, u64>,
    /// The crash points of the last life.
    points: u64,
    /// The syncs of its disk.
    syncs: u64,
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

/// Runs these seeds and says what came of all of them.
fn seeds(kind: Kind) {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let replay = number("SLUICEGATE_SEED");
    let seeds = replay.map_or(0..number("SLUICEGATE_SEEDS").unwrap_or(SEEDS), |seed| {
        seed..seed + 1
    });
    let mut failures = Vec::new();
    let (mut lasted, mut longest) = (Duration::ZERO, (Duration::ZERO, 0));
    let mut faults: BTreeMap<Fault, u64> = BTreeMap::new();
    let mut sometimes: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in seeds {
        let plan = Plan::draw(seed, kind);
        let broken = match catch_unwind(AssertUnwindSafe(|| run(&plan))) {
            Ok(run) => {
                lasted += run.lasted;
                longest = longest.max((run.lasted, seed));
                for ((_, fault), count) in run.faults {
                    *faults.entry(fault).or_default() += count;
                }
                for (what, count) in run.sometimes {
                    *sometimes.entry(what).or_default() += count;
                }
                run.broken
            }
            Err(_) => vec!["panicked".to_owned()],
        };
        if !broken.is_empty() {
            let shown = broken[..broken.len().min(6)].join("\n  ");
            failures.push(format!("seed {seed}: {plan:?}\n  {shown}"));
        }
    }
    let name = kind.name();
    let hours = lasted.as_secs_f64() / 3600.0;
    tell(&format!(
        "{name}: {hours:.1} simulated hours, the longest run was {longest:?}\n  {sometimes:?}\n  {faults:?}"
    ));
    assert!(
        failures.is_empty(),
        "{} of the seeds failed; to replay one: SLUICEGATE_SEED=n cargo test --test it streams::simulation::{name}\n{}",
        failures.len(),
        failures.join("\n")
    );
    // The usual seeds are enough for everything to happen.
    if number("SLUICEGATE_SEEDS").or(replay).is_none() {
        let never: Vec<_> = sometimes.iter().filter(|(_, count)| **count == 0).collect();
        assert!(never.is_empty(), "never: {never:?}");
        let total: u64 = faults.values().sum();
        assert!(total > 100, "hardly anything went wrong: {total}");
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
