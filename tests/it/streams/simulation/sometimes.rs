//! What is to happen now and then: a simulation in which it never does proves nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use sluicegate::sim::{Ending, Entry, Event, Fault};

use super::judge::positions::number;
use super::judge::{How, Life, Truth};
use super::life::Theatre;
use super::plan::{Kind, Plan, Presence, Weather};

/// How long a subscription lasts. // spec: 5.1
const SUBSCRIPTION: Duration = Duration::from_secs(300);

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
        lives
            .iter()
            .filter(|life| life.how == How::AfterKill)
            .count() as u64,
    );
    if plan.kind != Kind::Dynamo {
        add("aggregates", u64::from(plan.kpl));
        let resharded = |entry: &&Entry| matches!(entry.event, Event::Resharded { .. });
        add("reshards", history.iter().filter(resharded).count() as u64);
    }
    if plan.kind == Kind::Kinesis {
        add(
            "reads beyond what is kept",
            read_again(plan, history, lives),
        );
    }
    let restarts = lives.iter().skip(1).filter(|life| life.how == How::Started);
    add("restarts", restarts.count() as u64);
    let reloads = lives.iter().filter(|life| life.how == How::Reloaded);
    add("reloads", reloads.clone().count() as u64);
    let fair = plan.weather() == Weather::Fair;
    let in_fair = reloads.clone().filter(|_| fair).count() as u64;
    add("reloads in fair weather", in_fair);
    for (what, which) in [
        ("disabled", Presence::Disabled),
        ("taken out", Presence::Out),
    ] {
        let of = |life: &&Life| life.settings.presence == which;
        add(what, reloads.clone().filter(of).count() as u64);
    }
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

/// How often a life that nothing goes wrong in was given records once more: it kept no more of a read.
fn read_again(plan: &Plan, history: &[Entry], lives: &[Life]) -> u64 {
    if plan.reads.is_none() || plan.weather() != Weather::Fair {
        return 0;
    }
    let life = |at: Duration| lives.partition_point(|life| life.at <= at);
    let mut last_read = BTreeMap::new();
    let mut again = 0;
    for Entry { at, event } in history {
        if let Event::RecordsRead {
            shard,
            first: Some(first),
            last: Some(last),
            ..
        } = event
        {
            let (first, last) = (number(first), number(last));
            let before = last_read.insert((shard, life(*at)), last);
            again += u64::from(before.is_some_and(|before| first <= before));
        }
    }
    again
}

/// What befell the stream by itself: shards that went on in others though they were not read to their end, and for a
/// table's stream those that were closed for their age, and records that went for theirs.
pub fn befell(history: &[Entry], kind: Kind, harm: &mut BTreeMap<&'static str, u64>) {
    let mut put: BTreeMap<&String, &String> = BTreeMap::new();
    let mut read: BTreeMap<&String, &String> = BTreeMap::new();
    let mut add = |what, count: u64| *harm.entry(what).or_default() += count;
    for Entry { event, .. } in history {
        match event {
            Event::RecordPut {
                shard,
                sequence_number,
                ..
            } => {
                put.insert(shard, sequence_number);
            }
            Event::RecordsRead {
                shard,
                last: Some(last),
                ..
            } => {
                read.insert(shard, last);
            }
            Event::Resharded { closed, .. } => {
                let lags = |shard: &&String| put.get(shard) != read.get(shard);
                add("LaggingReshard", closed.iter().filter(lags).count() as u64);
            }
            Event::RecordsTrimmed { .. } if kind == Kind::Dynamo => add("RecordsOutOfDate", 1),
            _ => {}
        }
    }
}

/// Where the source pushes.
pub fn pushed(
    theatre: &Theatre,
    history: &[Entry],
    lasted: Duration,
    seen: &mut BTreeMap<&'static str, u64>,
) {
    let mut add = |what, count: u64| *seen.entry(what).or_default() += count;
    add("subscriptions", theatre.subscribed);
    add("shards taken by somebody else", theatre.rival.taken());
    let ends = theatre.lives.iter().skip(1).map(|life| life.at);
    let ends = ends.chain([lasted]);
    let lives = theatre.lives.iter().zip(ends);
    let long = lives.filter(|(life, end)| SUBSCRIPTION < *end - life.at);
    add("lives longer than a subscription", long.count() as u64);
    for (what, which) in [
        ("subscriptions that fell silent", Fault::SilentEventStream),
        ("broken frames", Fault::BrokenEventStream),
    ] {
        let of = |entry: &&Entry| matches!(&entry.event, Event::Faulted { fault, .. } if *fault == which);
        add(what, history.iter().filter(of).count() as u64);
    }
}
