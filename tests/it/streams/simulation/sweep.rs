//! A small scenario with a poison record, bisection, a destination and a split, killed at every point of every call and
//! at every commit to the store.

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

/// Every one of the scenario's plans, and all that it may be killed at.
fn sweep(plan: &Plan) {
    let whole = killed(plan, Kill::Nowhere);
    super::tell(&format!(
        "{} points, {} syncs, {:?}, {:?}",
        whole.points, whole.syncs, whole.lasted, whole.truth
    ));
    assert_eq!(whole.broken, Vec::<String>::new(), "{plan:?}");
    assert!(whole.truth.discarded > 0, "{:?}", whole.truth);
    // With a file, the points of the calls are those without.
    let points = if plan.file { 0 } else { whole.points };
    let points = (1..=points).map(Kill::Point);
    let syncs = (1..=whole.syncs)
        .flat_map(|number| [When::Lost, When::Kept].map(|when| Kill::Sync(number, when)));
    let kills: Vec<Kill> = points.chain(syncs).collect();
    assert!(kills.len() > 60, "{}", kills.len());
    for kill in kills {
        let run = killed(plan, kill);
        assert!(run.broken.is_empty(), "{plan:?} {kill:?}: {:?}", run.broken);
    }
}

#[test]
fn a_kill_at_every_point_and_every_commit_loses_nothing_and_breaks_no_order() {
    for kind in [Kind::Kinesis, Kind::Dynamo] {
        for file in [false, true] {
            sweep(&Plan {
                file,
                ..Plan::small(kind)
            });
        }
    }
}
