//! I16: what was counted adds up, and in fair weather it is what the world saw.

use sluicegate::reports::Account;

use super::beside;
use super::ledger::Truth;
use crate::engine::Stage;

/// What the metrics say, of all mappings, as the account is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    polled: u64,
    deleted: u64,
    handed_back: u64,
    invoked: u64,
    passed_over: u64,
    in_flight: u64,
    held: u64,
    /// How often the mapping beside was begun.
    pub begun: u64,
}

impl Counted {
    pub fn now(stage: &Stage) -> Self {
        let text = stage.metrics.encode();
        let metric = |family: &str| {
            let series = format!("sluicegate_{family}{{");
            let of_family = text.lines().filter(|line| line.starts_with(&series));
            let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
            of_family.map(value).sum::<f64>() as u64
        };
        Self {
            polled: metric("events_polled_total"),
            deleted: metric("events_deleted_total"),
            handed_back: metric("messages_handed_back_total"),
            invoked: metric("events_invoked_total"),
            passed_over: metric("messages_passed_over_total"),
            in_flight: metric("invocations_in_flight"),
            held: metric("messages_held"),
            begun: beside::begun(&text),
        }
    }
}

/// How many messages the service says that it holds.
pub fn held(stage: &Stage) -> u64 {
    Counted::now(stage).held
}

/// A fair spell between two looks at the metrics, against what the world saw.
pub fn judge(before: Counted, after: Counted, truth: Truth, broken: &mut Vec<String>) {
    let mut equal = |what: &str, before: u64, after: u64, true_: u64| {
        if after != before + true_ {
            broken.push(format!(
                "I16: {what}: {after} is not {before} and {true_} ({truth:?})"
            ));
        }
    };
    equal("polled", before.polled, after.polled, truth.received);
    equal("deleted", before.deleted, after.deleted, truth.deleted);
    equal(
        "handed back",
        before.handed_back,
        after.handed_back,
        truth.handed_back,
    );
    equal(
        "invoked",
        before.invoked,
        after.invoked,
        truth.events_invoked,
    );
}

/// At the end of a life: the account of the last process against its metrics.
pub fn close(stage: &Stage, account: Account, fair: bool, was_out: bool, broken: &mut Vec<String>) {
    let counted = Counted::now(stage);
    let mut equal = |what: &str, one: u64, other: u64| {
        if one != other {
            broken.push(format!(
                "I16: {what}: {one} is not {other} ({account}, {counted:?})"
            ));
        }
    };
    let Account {
        deleted,
        left,
        handed_back,
        abandoned,
        settled,
        discarded,
        cut_off,
    } = account;
    equal("of streams", settled + discarded + cut_off, 0);
    equal("held", counted.held, 0);
    equal("in flight", counted.in_flight, 0);
    if fair {
        equal("abandoned", abandoned, 0);
    }
    // Counters go with a mapping that is taken out.
    if was_out {
        return;
    }
    let went = deleted + left + handed_back + abandoned + counted.passed_over;
    equal("polled", counted.polled, went);
    equal("deleted", counted.deleted, deleted);
    equal("handed back", counted.handed_back, handed_back);
}
