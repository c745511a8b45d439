//! A small scenario with a poison record, bisection, a destination and a split, killed at every point of every call and
//! at every commit to the store. With `SLUICEGATE_SEEDS` set nothing is left out.

use super::life::{Kill, Theatre};
use super::plan::{Kind, Plan};
use super::{Outcome, block_on};
use crate::streams::simulation::disk::When;

fn killed(plan: &Plan, kill: Kill) -> Outcome {
    let plan = Plan {
        crashes: usize::from(!matches!(kill, Kill::Nowhere)),
        ..plan.clone()
    };
    block_on(async { Theatre::new(&plan).play(kill).await })
}

/// Killed at every point of every call, or at every `stride`-th, and at every commit.
fn sweep(kind: Kind, stride: usize) {
    let plan = Plan::small(kind);
    let stride = match std::env::var_os("SLUICEGATE_SEEDS") {
        Some(_) => 1,
        None => stride,
    };
    let whole = killed(&plan, Kill::Nowhere);
    assert_eq!(whole.broken, Vec::<String>::new(), "{plan:?}");
    assert!(whole.truth.discarded > 0, "{:?}", whole.truth);
    assert!(whole.points > 60, "{}", whole.points);
    for number in (1..=whole.points).step_by(stride) {
        dies(&plan, Kill::Point(number));
    }
    let plan = Plan { file: true, ..plan };
    let whole = killed(&plan, Kill::Nowhere);
    assert!(whole.syncs > 20, "{}", whole.syncs);
    for number in (1..=whole.syncs).step_by(stride) {
        for when in [When::Lost, When::Kept] {
            dies(&plan, Kill::Sync(number, when));
        }
    }
}

fn dies(plan: &Plan, kill: Kill) {
    let run = killed(plan, kill);
    assert!(run.broken.is_empty(), "{kill:?}: {:?}", run.broken);
}

#[test]
fn a_kill_at_every_point_and_every_commit_on_a_kinesis_stream_loses_nothing_and_breaks_no_order() {
    sweep(Kind::Kinesis, 1);
}

#[test]
fn a_kill_at_many_points_and_commits_of_a_consumer_loses_nothing_and_breaks_no_order() {
    sweep(Kind::FanOut, 8);
}

#[test]
fn a_kill_at_many_points_and_commits_on_a_dynamodb_stream_loses_nothing_and_breaks_no_order() {
    sweep(Kind::Dynamo, 8);
}
