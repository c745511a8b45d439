//! What is to happen now and then: a simulation in which it never does proves nothing.

use std::collections::BTreeMap;

use sluicegate::sim::{Ending, Entry, Event, Fault};

use super::judge::{Life, Truth};
use super::life::Theatre;
use super::plan::{Kind, Plan, Weather};

/// How often each happened in a run.
pub fn seen(
    plan: &Plan,
    history: &[Entry],
    lives: &[Life],
    truth: Truth,
) -> BTreeMap<&'static str, u64> {
    let mut seen = BTreeMap::new();
    let mut add = |what, count: u64| *seen.entry(what).or_default() += count;
    add("runs", 1);
    add("fair runs", u64::from(plan.weather() == Weather::Fair));
    add(
        "runs with lanes",
        u64::from(lives.iter().any(|life| life.settings.factor > 1)),
    );
    let changed = |pair: &[Life]| pair[0].settings.factor != pair[1].settings.factor;
    add(
        "factor changed",
        lives.windows(2).filter(|pair| changed(pair)).count() as u64,
    );
    add("windows of time", u64::from(plan.tumbling_s.is_some()));
    add("on a file", u64::from(plan.file));
    add(
        "kills",
        lives.iter().filter(|life| life.after_kill).count() as u64,
    );
    if plan.kind != Kind::Dynamo {
        add("aggregates", u64::from(plan.kpl));
        let resharded = |entry: &&Entry| matches!(entry.event, Event::Resharded { .. });
        add("reshards", history.iter().filter(resharded).count() as u64);
    }
    let restarts = lives.iter().skip(1).filter(|life| !life.after_kill);
    add("restarts", restarts.count() as u64);
    add("records", truth.put);
    add("handled", truth.handled);
    add("filtered out", truth.filtered);
    add("discarded and told", truth.discarded);
    add("discarded, and nobody told", truth.gone_unseen);
    add("lost to the source", truth.lost);
    for Entry { event, .. } in history {
        match event {
            Event::Invoked { .. } => add("invocations", 1),
            Event::Replied { ending, .. } => match ending {
                Ending::Succeeded { .. } => {}
                Ending::Failed { .. } => add("function errors", 1),
                Ending::TimedOut => add("time-outs", 1),
                Ending::Refused { .. } => add("refusals", 1),
            },
            _ => {}
        }
    }
    seen
}

/// Where the source pushes.
pub fn pushed(theatre: &Theatre, history: &[Entry], seen: &mut BTreeMap<&'static str, u64>) {
    let mut add = |what, count: u64| *seen.entry(what).or_default() += count;
    add("subscriptions", theatre.subscribed);
    add("shards taken by somebody else", theatre.rival.taken());
    // Each shard has one subscription for each life, and more only where they end.
    let first = (theatre.source.lines.len() * theatre.lives.len()) as u64;
    let fair = theatre.plan.weather() == Weather::Fair;
    let renewed = theatre.subscribed.saturating_sub(first);
    add(
        "subscriptions that ended in fair weather",
        if fair { renewed } else { 0 },
    );
    for (what, which) in [
        ("subscriptions that fell silent", Fault::SilentEventStream),
        ("broken frames", Fault::BrokenEventStream),
    ] {
        let of = |entry: &&Entry| matches!(&entry.event, Event::Faulted { fault, .. } if *fault == which);
        add(what, history.iter().filter(of).count() as u64);
    }
}
