//! Whole lives of the service, drawn from seeds: any queue, any mapping, a moody function, faults and mishaps of every kind, kills,
//! drains and restarts; then the world heals, and the ledger is judged. Short lives are over with the first trouble, long ones go on.
//! `SLUICEGATE_SEED=n` replays one, `SLUICEGATE_SEEDS=n` runs more of them.

mod beside;
mod books;
mod cuts;
mod function;
mod ledger;
mod life;
mod plan;
mod sometimes;
mod spell;
mod story;
mod sweep;

use std::io::Write as _;
use std::time::Duration;

use sluicegate::sim::{Fault, Mishap};

use crate::support::bars::{Figures, number};
use crate::support::lives;
use crate::support::policy::{Ledger, Place};
use life::Run;
use plan::Plan;
use spell::Weather;

/// How many short lives each kind of queue gets, unless told otherwise.
const SHORT: u64 = 40;
/// How many long ones, usually and as this suite's share of the bars.
const LONG: u64 = 2;
const LONG_BAR: u64 = 350;

/// Faults of other services.
const ELSEWHERE: [Fault; 7] = [
    Fault::IteratorExpired,
    Fault::TrimmedPosition,
    Fault::ReadThrottled,
    Fault::EmptyRead,
    Fault::IncompleteListing,
    Fault::BrokenEventStream,
    Fault::SilentEventStream,
];
/// What the test does to the process.
const DEEDS: [&str; 5] = ["Drain", "Kill", "ProcessPaused", "Reload", "Restart"];
/// What the service's credentials allow.
const POLICY: Place = ("sqs-policy.json", None);
/// What cannot happen in an ordered queue.
const OF_STANDARD: Fault = Fault::DuplicateDelivery;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

fn run(plan: &Plan) -> Run {
    block_on(life::live(plan))
}

/// A line on stderr, past the capture of the test's output.
fn tell(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr is open");
}

/// A suite: which lives, of which queues.
#[derive(Clone, Copy)]
struct Suite {
    fifo: bool,
    long: bool,
}

impl Suite {
    fn plan(self, seed: u64) -> Plan {
        match self.long {
            true => Plan::draw_long(seed, self.fifo),
            false => Plan::draw(seed, self.fifo),
        }
    }

    fn name(self) -> &'static str {
        match (self.fifo, self.long) {
            (false, false) => "standard_queues_keep_every_promise_in_any_weather",
            (true, false) => "ordered_queues_keep_every_promise_in_any_weather",
            (false, true) => "standard_queues_keep_every_promise_through_long_lives",
            (true, true) => "ordered_queues_keep_every_promise_through_long_lives",
        }
    }

    /// Lives them and says what came of all of them.
    fn live(self) {
        let (usual, bar) = match self.long {
            true => (LONG, LONG_BAR),
            false => (SHORT, SHORT),
        };
        let seeds = lives::seeds(usual, bar);
        let lived = lives::live(seeds.clone(), |seed| {
            let mut plan = self.plan(seed);
            cuts::told(&mut plan);
            run(&plan)
        });
        let mut figures = Figures::default();
        self.expect(&mut figures);
        let mut longest = (Duration::ZERO, 0);
        let mut failed = Vec::new();
        let mut policies = Ledger::default();
        for (seed, run) in lived {
            figures.seeds += 1;
            let Some(mut run) = run else {
                failed.push((seed, vec!["panicked".to_owned()]));
                continue;
            };
            figures.hours += run.lasted.as_secs_f64() / 3600.0;
            longest = longest.max((run.lasted, seed));
            let unallowed = policies.ran(&[POLICY], &run.actions).into_iter();
            run.broken
                .extend(unallowed.map(|action| format!("no policy allows {action}")));
            figures.count(
                run.faults
                    .iter()
                    .map(|((_, fault), count)| (*fault, *count)),
            );
            let mishaps = run.mishaps.iter();
            let mishaps = mishaps.map(|(mishap, count)| (format!("{mishap:?}"), *count));
            let deeds = run
                .deeds
                .iter()
                .map(|(deed, count)| ((*deed).to_owned(), *count));
            for (name, count) in mishaps.chain(deeds) {
                *figures.faults.entry(name).or_default() += count;
            }
            // A short life is not long enough for everything.
            let reached = run.sometimes.into_iter();
            for (what, count) in reached.filter(|(_, count)| self.long || *count > 0) {
                *figures.reached.entry(what.to_owned()).or_default() += count;
            }
            if !run.broken.is_empty() {
                failed.push((seed, run.broken));
            }
        }
        figures.violations = failed.len() as u64;
        let count: u64 = figures.faults.values().sum();
        tell(&format!(
            "{}: {} lives, {:.1} simulated hours, {count} faults, the longest life was {longest:?}\n  {:?}\n  {:?}",
            self.name(),
            figures.seeds,
            figures.hours,
            figures.faults,
            figures.reached
        ));
        let kind = if self.fifo { "ordered" } else { "standard" };
        let length = if self.long { "long" } else { "short" };
        figures.leave(&format!("queues-{kind}-{length}"));
        assert!(failed.is_empty(), "{}", cuts::report(self, &failed));
        let whole = number("SLUICEGATE_SEED").is_none();
        assert!(
            !whole || policies.idle().is_empty(),
            "allowed, and never called: {:?}",
            policies.idle()
        );
        assert!(
            !whole || count > 100,
            "hardly anything happened: {count} faults"
        );
    }

    /// Everything that has to happen in the suite, never yet.
    fn expect(self, figures: &mut Figures) {
        if !self.long {
            return;
        }
        let faults = Fault::ALL
            .into_iter()
            .filter(|fault| !ELSEWHERE.contains(fault));
        figures.count(
            faults
                .filter(|fault| !self.fifo || *fault != OF_STANDARD)
                .map(|fault| (fault, 0)),
        );
        let mishaps = Mishap::ALL.into_iter().map(|mishap| format!("{mishap:?}"));
        let names = function::NAMES.into_iter().chain(DEEDS).map(str::to_owned);
        for name in mishaps.chain(names) {
            figures.faults.entry(name).or_default();
        }
    }
}

#[test]
fn standard_queues_keep_every_promise_in_any_weather() {
    let (fifo, long) = (false, false);
    Suite { fifo, long }.live();
}

#[test]
fn ordered_queues_keep_every_promise_in_any_weather() {
    let (fifo, long) = (true, false);
    Suite { fifo, long }.live();
}

#[test]
fn standard_queues_keep_every_promise_through_long_lives() {
    let (fifo, long) = (false, true);
    Suite { fifo, long }.live();
}

#[test]
fn ordered_queues_keep_every_promise_through_long_lives() {
    let (fifo, long) = (true, true);
    Suite { fifo, long }.live();
}

/// The hashes of a stormy short life and of a long one.
fn stormy_hashes(fifo: bool) -> [u64; 2] {
    let storm = |seed: &u64| Plan::draw(*seed, fifo).spells[0].weather() == Weather::Storm;
    let seed = (0..).find(storm).expect("some seed is stormy");
    let stormy = |seed: &u64| {
        let spells = Plan::draw_long(*seed, fifo).spells;
        spells[0].weather() == Weather::Storm && spells[0].woes.len() > 1
    };
    let long = (1..).find(stormy).expect("some seed is stormy");
    let plans = [Plan::draw(seed, fifo), Plan::draw_long(long, fifo)];
    plans.map(|plan| run(&plan).hash)
}

// reliability: I18
#[test]
fn the_same_seed_gives_the_same_run_to_the_byte() {
    for fifo in [false, true] {
        assert_eq!(stormy_hashes(fifo), stormy_hashes(fifo));
    }
}

// reliability: I18: what lives beside it, and what its thread lived before, is nothing to a life.
#[test]
fn a_life_is_the_same_alone_and_among_others() {
    let hash = |seed: u64| run(&Plan::draw_long(seed, seed.is_multiple_of(2))).hash;
    let among: Vec<u64> = lives::live(1..6, hash)
        .into_iter()
        .map(|(_, hash)| hash.expect("nothing panics"))
        .collect();
    let alone: Vec<u64> = (1..6).rev().map(hash).collect();
    assert_eq!(among, alone.into_iter().rev().collect::<Vec<_>>());
}

// reliability: I18: another process has other hash seeds, other addresses, another clock.
#[test]
fn the_same_seed_gives_the_same_run_in_another_process() {
    const CHILD: &str = "SLUICEGATE_TEST_HASH";
    let mine = format!(
        "hash {:x?} {:x?}",
        stormy_hashes(false),
        stormy_hashes(true)
    );
    if std::env::var_os(CHILD).is_some() {
        tell(&mine);
        return;
    }
    let name = "engine::simulation::the_same_seed_gives_the_same_run_in_another_process";
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
