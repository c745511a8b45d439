//! Makes a failing plan smaller, one cut after the other, for as long as it still fails: what is left is the shortest
//! history that was found, and its replay.

use std::collections::BTreeSet;

use super::plan::{Ending, Kind, Moods, Plan, Quiet};
use super::{tell, tried};

/// A cut that changes nothing is none.
type Cut = fn(&mut Plan);

/// By name: a replay lists them. The large ones come first.
const CUTS: [(&str, Cut); 26] = [
    ("acts", |plan| plan.acts = 1),
    ("ending", |plan| plan.ending = Ending::Calm),
    ("reloads", |plan| plan.reloads = 0),
    ("restarts", |plan| plan.restarts = 0),
    ("crashes", |plan| plan.crashes = 0),
    ("pauses", |plan| plan.pauses = 0),
    ("outages", |plan| plan.outages = 0),
    ("disk-faults", |plan| plan.disk_faults = 0),
    ("file", |plan| plan.file = plan.disk_faults > 0),
    ("reshards", |plan| plan.reshards = 0),
    ("rival", |plan| plan.rival = 0),
    ("faults", |plan| plan.faults.clear()),
    ("first-fault", |plan| {
        drop(plan.faults.drain(..1.min(plan.faults.len())))
    }),
    ("last-fault", |plan| {
        plan.faults.truncate(plan.faults.len().saturating_sub(1))
    }),
    ("moods", |plan| plan.moods = Moods::default()),
    ("changes", |plan| plan.changes = false),
    ("records", |plan| plan.records = plan.records.div_ceil(2)),
    ("shards", |plan| plan.shards = 1),
    ("keys", |plan| plan.keys = plan.keys.div_ceil(2)),
    ("crash", |plan| plan.crashes = plan.crashes.min(1)),
    ("restart", |plan| plan.restarts = plan.restarts.min(1)),
    ("reload", |plan| plan.reloads = plan.reloads.min(1)),
    ("reshard", |plan| plan.reshards = plan.reshards.min(1)),
    ("short-quiet", |plan| plan.quiet = Quiet::Idle { s: 60 }),
    ("unheard", |plan| plan.overheard = false),
    ("reads", |plan| plan.reads = None),
];
/// So many smaller plans are tried at the most.
const TRIES_MAX: usize = 120;

/// The plan with these cuts, by name.
pub fn made(mut plan: Plan, cuts: &str) -> Plan {
    for name in cuts.split(',').filter(|name| !name.is_empty()) {
        let cut = CUTS.iter().find(|(other, _)| *other == name);
        let (_, cut) = cut.unwrap_or_else(|| panic!("there is no cut {name}"));
        cut(&mut plan);
    }
    plan
}

/// Which promises these are about.
fn promises(broken: &[String]) -> BTreeSet<&str> {
    let word = |text: &String| text.len().min(text.find([' ', ':']).unwrap_or(text.len()));
    broken.iter().map(|text| &text[..word(text)]).collect()
}

/// The smallest that is found to break one of the same promises, and how to replay it.
/// `cuts`: those that the plan has already.
pub fn smallest(plan: &Plan, cuts: &str) -> String {
    let before = cuts;
    let (broken, _) = tried(plan);
    let (small, cuts) = shrunk(plan, TRIES_MAX, |smaller| {
        let (again, _) = tried(smaller);
        !promises(&again).is_disjoint(&promises(&broken))
    });
    tell(&format!("{} cuts of seed {}", cuts.len(), plan.seed));
    let (broken, _) = tried(&small);
    let test = match plan.kind {
        Kind::Kinesis => "kinesis_streams",
        Kind::FanOut => "fan_out",
        Kind::Dynamo => "dynamodb_streams",
    };
    format!(
        "{small:?}\n  {}\nto replay it: SLUICEGATE_SEED={} SLUICEGATE_CUTS={} SLUICEGATE_STORY=1 cargo test --locked --test it -- streams::simulation::{test}",
        broken[..broken.len().min(6)].join("\n  "),
        plan.seed,
        [&[before], &cuts[..]]
            .concat()
            .join(",")
            .trim_start_matches(',')
    )
}

/// The smallest plan that still fails, and the names of the cuts that lead there.
fn shrunk(
    plan: &Plan,
    tries_max: usize,
    fails: impl Fn(&Plan) -> bool,
) -> (Plan, Vec<&'static str>) {
    let (mut small, mut made) = (plan.clone(), Vec::new());
    let mut tries = 0;
    loop {
        let before = made.len();
        for (name, cut) in CUTS {
            let mut smaller = small.clone();
            cut(&mut smaller);
            if format!("{smaller:?}") == format!("{small:?}") || tries == tries_max {
                continue;
            }
            tries += 1;
            if fails(&smaller) {
                small = smaller;
                made.push(name);
            }
        }
        if made.len() == before {
            return (small, made);
        }
    }
}

#[test]
fn a_failing_plan_is_cut_down_to_what_it_needs_and_its_replay_makes_the_same() {
    let plan = (0..)
        .map(|seed| Plan::draw(seed, Kind::Kinesis))
        .find(|plan| plan.crashes > 1 && plan.records > 40 && plan.faults.len() > 2)
        .expect("some plan has all that");
    let needed = |plan: &Plan| plan.crashes > 0 && plan.records >= 7;
    let (small, cuts) = shrunk(&plan, 1_000, needed);
    assert_eq!((small.crashes, small.faults.len()), (1, 0));
    assert!((7..14).contains(&small.records), "{}", small.records);
    assert!((small.acts, small.reloads, small.keys) == (1, 0, 1));
    let again = made(plan, &cuts.join(","));
    assert_eq!(format!("{again:?}"), format!("{small:?}"));
}
