//! Small scenarios, each killed at every point of every call and in every write to the store, and asked to stop at every
//! point. For the bars nothing is left out; else every so many are tried.

use super::disk::{LOSSES, Loss};
use super::life::{Kill, Theatre};
use super::plan::{Kind, Plan, To};
use super::{Outcome, block_on};
use crate::support::bars::{Figures, number};

/// One that is tried of so many.
const STRIDE: usize = 32;

fn played(plan: &Plan, kill: Kill) -> Outcome {
    let (crashes, restarts) = match kill {
        Kill::Nowhere => (0, 0),
        Kill::Asked(_) => (0, 1),
        Kill::Point(_) | Kill::Write(..) => (1, 0),
    };
    let plan = Plan {
        crashes,
        restarts,
        ..plan.clone()
    };
    block_on(async { Theatre::new(&plan).play(kill).await })
}

/// Ends the first life of this plan everywhere, and says what that came to.
fn sweep(name: &str, plan: Plan) {
    let whole =
        std::env::var_os("SLUICEGATE_BARS").is_some() || number("SLUICEGATE_SEEDS").is_some();
    let stride = if whole { 1 } else { STRIDE };
    let mut figures = Figures::default();
    let mut dies = |plan: &Plan, kill: Kill| {
        let run = played(plan, kill);
        assert!(run.broken.is_empty(), "{name}, {kill:?}: {:?}", run.broken);
        figures.crash_points += 1;
        figures.crash_images += run.images;
        for (what, count) in run.harm {
            *figures.faults.entry(what.to_owned()).or_default() += count;
        }
    };
    let calm = played(&plan, Kill::Nowhere);
    assert_eq!(calm.broken, Vec::<String>::new(), "{plan:?}");
    assert!(calm.points > 30, "{}", calm.points);
    let told = calm.truth.discarded > 0;
    assert_eq!(told, plan.poison > 0, "{:?}", calm.truth);
    for number in (1..=calm.points).step_by(stride) {
        dies(&plan, Kill::Point(number));
    }
    // Of the three points of a call one after the other is enough for what does not die.
    for number in (1..=calm.points).step_by(2 * stride) {
        dies(&plan, Kill::Asked(number));
    }
    let plan = Plan { file: true, ..plan };
    let calm = played(&plan, Kill::Nowhere);
    assert!(calm.writes > 60, "{}", calm.writes);
    for number in (1..=calm.writes).step_by(stride) {
        dies(
            &plan,
            Kill::Write(number, LOSSES[number as usize % LOSSES.len()]),
        );
    }
    for loss in [Loss::All, Loss::Torn] {
        dies(&plan, Kill::Write(calm.writes / 2, loss));
    }
    figures.crash_scenarios = u64::from(whole);
    figures.leave(&format!("ends_of_{name}"));
}

/// A test for each scenario: its name, and what differs from the small plan of its kind.
macro_rules! scenarios {
    ($($name:ident: $kind:expr, $change:expr;)+) => { $(
        #[test]
        fn $name() {
            let mut plan = Plan::small($kind);
            let change: fn(&mut Plan) = $change;
            change(&mut plan);
            sweep(stringify!($name), plan);
        }
    )+ };
}

scenarios! {
    a_stream_with_poison_that_is_bisected_and_told_of: Kind::Kinesis, |_| {};
    a_stream_that_is_read_in_its_order: Kind::Kinesis, |plan| {
        plan.poison = 0;
        plan.settings.bisect = false;
        plan.reshards = 0;
        plan.shards = 2;
    };
    lanes_of_a_shard: Kind::Kinesis, |plan| plan.settings.factor = 3;
    aggregates_of_the_producer_library: Kind::Kinesis, |plan| {
        plan.kpl = true;
        plan.partial = true;
        plan.payload = true;
    };
    windows_of_time_with_their_states: Kind::Kinesis, |plan| {
        plan.tumbling_s = Some(5);
        plan.poison = 0;
        plan.moods.error = 20;
    };
    a_storm_of_reshards: Kind::Kinesis, |plan| {
        plan.reshards = 8;
        plan.records = 24;
        plan.to = To::Topic;
    };
    a_mapping_that_is_reloaded: Kind::Kinesis, |plan| {
        plan.reloads = 3;
        plan.to = To::Bucket;
    };
    a_consumer_of_its_own: Kind::FanOut, |_| {};
    a_stream_of_a_table: Kind::Dynamo, |_| {};
}
