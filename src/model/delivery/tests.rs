//! The policy by example, its safety by exhaustion, and both against the algorithm as the spec tells it.

use std::collections::BTreeSet;

use super::*;

const PLAIN: Policy = Policy {
    bisect: false,
    retries_max: Some(1),
    discard_only_failing: false,
};

fn retries(retries_max: u32) -> Policy {
    Policy {
        retries_max: Some(retries_max),
        ..PLAIN
    }
}

fn bisect(retries_max: u32) -> Policy {
    Policy {
        bisect: true,
        ..retries(retries_max)
    }
}

fn only_failing(retries_max: u32) -> Policy {
    Policy {
        discard_only_failing: true,
        ..retries(retries_max)
    }
}

const FOR_EVER: Policy = Policy {
    retries_max: None,
    ..PLAIN
};

fn never(_: usize) -> Option<Reason> {
    None
}

fn too_old(records: &[usize]) -> impl Fn(usize) -> Option<Reason> {
    move |record| {
        records
            .contains(&record)
            .then_some(Reason::RecordAgeExceeded)
    }
}

/// How a function treats the records that it can not handle.
#[derive(Clone, Copy, Debug)]
enum Function {
    /// It throws, or names an identifier that is not in the batch.
    Throws,
    /// It reports the first of them.
    Reports,
    /// What holds one of them is too large.
    Overflows,
}

/// Delivers records 1 to `count`, and writes down what was delivered and what was discarded.
fn trace(policy: Policy, count: usize, function: Function, poison: &[usize]) -> String {
    let mut delivery = Delivery::new(policy, count);
    let mut trace = Vec::new();
    let shown = |records: &Range<usize>| {
        let numbers: Vec<_> = records.clone().map(|i| (i + 1).to_string()).collect();
        numbers.join(",")
    };
    for _ in 0..100 {
        match delivery.next(never) {
            Step::Deliver { records, .. } => {
                trace.push(format!("[{}]", shown(&records)));
                let bad = records.clone().find(|i| poison.contains(&(i + 1)));
                let outcome = match (bad, function) {
                    (None, _) => Outcome::Delivered,
                    (Some(_), Function::Throws) => Outcome::Failed,
                    (Some(handled), Function::Reports) => Outcome::Stopped { handled },
                    (Some(_), Function::Overflows) => Outcome::Refused,
                };
                delivery.delivered(outcome, 0);
            }
            Step::Discard {
                records,
                reason,
                invoke_count,
            } => {
                assert_eq!(reason, Reason::RetryAttemptsExhausted);
                trace.push(format!("-{} x{invoke_count}", shown(&records)));
                delivery.discarded(records.len());
            }
            Step::Done => return trace.join(" "),
        }
    }
    panic!("no end: {trace:?}")
}

// spec: 5.3, 5.4
#[test]
fn a_record_is_too_old_when_it_is_older_than_a_limit() {
    let seconds = Duration::from_secs;
    for (age, age_max, kept, reason) in [
        (60, Some(60), None, None),
        (61, Some(60), None, Some(Reason::RecordAgeExceeded)),
        (86_400, None, Some(86_400), None),
        (86_401, None, Some(86_400), Some(Reason::ExpiredAtSource)),
        (
            86_401,
            Some(86_401),
            Some(86_400),
            Some(Reason::ExpiredAtSource),
        ),
        (
            86_401,
            Some(60),
            Some(86_400),
            Some(Reason::RecordAgeExceeded),
        ),
        (1_000_000, None, None, None),
    ] {
        let found = Reason::of_age(seconds(age), age_max.map(seconds), kept.map(seconds));
        assert_eq!(found, reason, "{age} {age_max:?} {kept:?}");
    }
}

// spec: 3.4, 3.3, 5.7, 14
#[test]
fn what_was_captured_of_aws_is_repeated() {
    use Function::{Overflows, Reports, Throws};
    for (policy, count, function, poison, expected) in [
        // 3.4: partial, no bisect
        (
            retries(1),
            4,
            Reports,
            2,
            "[1,2,3,4] [2,3,4] [2,3,4] -2,3,4 x2",
        ),
        // 3.4: partial and bisect
        (
            bisect(1),
            4,
            Reports,
            2,
            "[1,2,3,4] [2,3,4] [2] [2] -2 x2 [3,4]",
        ),
        // 3.4: throw and bisect
        (
            bisect(1),
            4,
            Throws,
            2,
            "[1,2,3,4] [1,2] [1] [2] [2] -2 x2 [3,4]",
        ),
        // 3.4: throw, no bisect, retries 2
        (
            retries(2),
            4,
            Throws,
            2,
            "[1,2,3,4] [1,2,3,4] [1,2,3,4] -1,2,3,4 x3",
        ),
        // 3.4: an invalid identifier, retries 0
        (retries(0), 4, Throws, 1, "[1,2,3,4] -1,2,3,4 x1"),
        // 3.3 and 14: the second of two batches of three, its last record failing, retries 3
        (retries(3), 3, Reports, 3, "[1,2,3] [3] [3] [3] [3] -3 x4"),
        // 5.7: an oversized record, retries 0 and 2; the next record goes on
        (retries(0), 1, Overflows, 1, "[1] -1 x1"),
        (retries(2), 1, Overflows, 1, "[1] -1 x3"),
    ] {
        assert_eq!(
            trace(policy, count, function, &[poison]),
            expected,
            "{policy:?}"
        );
    }
}

// spec: 3.4
#[test]
fn a_slice_is_halved_with_the_shorter_half_first_and_depth_first() {
    for (count, poison, expected) in [
        (2, 1, "[1,2] [1] -1 x1 [2]"),
        (3, 2, "[1,2,3] [1] [2,3] [2] -2 x1 [3]"),
        (3, 1, "[1,2,3] [1] -1 x1 [2,3]"),
        (5, 5, "[1,2,3,4,5] [1,2] [3,4,5] [3] [4,5] [4] [5] -5 x1"),
        (7, 1, "[1,2,3,4,5,6,7] [1,2,3] [1] -1 x1 [2,3] [4,5,6,7]"),
    ] {
        assert_eq!(
            trace(bisect(0), count, Function::Throws, &[poison]),
            expected
        );
    }
}

#[test]
fn with_discard_only_failing_no_good_record_is_discarded() {
    use Function::{Reports, Throws};
    for (policy, function, poison, expected) in [
        (
            only_failing(0),
            Throws,
            &[2_usize] as &[_],
            "[1,2,3,4] [1,2] [1] [2] -2 x1 [3,4]",
        ),
        (
            only_failing(1),
            Throws,
            &[2],
            "[1,2,3,4] [1,2,3,4] [1,2] [1] [2] [2] -2 x2 [3,4]",
        ),
        (
            only_failing(1),
            Reports,
            &[2],
            "[1,2,3,4] [2,3,4] [2,3,4] [2] [2] -2 x2 [3,4]",
        ),
        (
            only_failing(1),
            Throws,
            &[1, 4],
            "[1,2,3,4] [1,2,3,4] [1,2] [1] [1] -1 x2 [2] [3,4] [3] [4] [4] -4 x2",
        ),
        // Progress while it is being isolated: what is left of the slice is taken apart, too.
        (
            only_failing(1),
            Reports,
            &[1, 4],
            "[1,2,3,4] [1,2,3,4] [1,2] [1] [1] -1 x2 [2] [3,4] [4] [4] -4 x2",
        ),
        // Bisection does it anyway.
        (
            Policy {
                bisect: true,
                ..only_failing(1)
            },
            Throws,
            &[2],
            "[1,2,3,4] [1,2] [1] [2] [2] -2 x2 [3,4]",
        ),
    ] {
        assert_eq!(trace(policy, 4, function, poison), expected, "{policy:?}");
    }
}

// spec: 5.7, 1.7
#[test]
fn a_slice_that_is_too_large_is_halved_whatever_the_settings() {
    for (policy, expected) in [
        (retries(2), "[1,2,3] [1] [2,3] [2] -2 x3 [3]"),
        (bisect(2), "[1,2,3] [1] [2,3] [2] -2 x3 [3]"),
        (only_failing(0), "[1,2,3] [1] [2,3] [2] -2 x1 [3]"),
    ] {
        assert_eq!(trace(policy, 3, Function::Overflows, &[2]), expected);
    }
}

// spec: 5.7
#[test]
fn what_is_too_large_waits_only_where_nothing_else_ends_it() {
    let mut delivery = Delivery::new(retries(5), 1);
    delivery.delivered(Outcome::Refused, 0);
    assert_eq!(delivery.repeat_after(), None);

    let mut delivery = Delivery::new(FOR_EVER, 1);
    for failures in 1..4 {
        delivery.delivered(Outcome::Refused, 0);
        assert_eq!(delivery.repeat_after(), Some(failures));
    }
    assert_eq!(
        delivery.next(too_old(&[0])),
        Step::Discard {
            records: 0..1,
            reason: Reason::RecordAgeExceeded,
            invoke_count: 4
        }
    );
}

// spec: 5.3, function error, time-out or bad response
#[test]
fn so_many_retries_are_one_delivery_more() {
    for (retries_max, deliveries) in [(0, 1), (1, 2), (2, 3), (3, 4), (10_000, 10_001)] {
        let mut delivery = Delivery::new(retries(retries_max), 2);
        let mut count = 0;
        while let Step::Deliver { failures, .. } = delivery.next(never) {
            assert_eq!(failures, count);
            delivery.delivered(Outcome::Failed, 0);
            count += 1;
        }
        assert_eq!(count, deliveries);
        assert_eq!(
            delivery.next(never),
            Step::Discard {
                records: 0..2,
                reason: Reason::RetryAttemptsExhausted,
                invoke_count: deliveries
            }
        );
    }
}

// spec: 5.3, throttle and service error
#[test]
fn a_throttle_is_no_outcome_and_asking_again_gives_the_same() {
    let mut delivery = Delivery::new(retries(0), 2);
    let first = delivery.next(never);
    for _ in 0..1_000 {
        assert_eq!(delivery.next(never), first);
    }
    delivery.delivered(Outcome::Delivered, 0);
    assert_eq!(delivery.next(never), Step::Done);
}

// spec: 5.3, defaults
#[test]
fn without_limits_a_slice_is_repeated_until_the_source_gives_it_up() {
    let mut delivery = Delivery::new(FOR_EVER, 2);
    for failures in 0..20_000 {
        let Step::Deliver { failures: seen, .. } = delivery.next(never) else {
            panic!("given up after {failures}")
        };
        assert_eq!(seen, failures);
        delivery.delivered(Outcome::Failed, 0);
    }
    let gone = delivery.next(|_| Some(Reason::ExpiredAtSource));
    assert_eq!(
        gone,
        Step::Discard {
            records: 0..2,
            reason: Reason::ExpiredAtSource,
            invoke_count: 20_001
        }
    );
}

// spec: 5.3, split by bisect
#[test]
fn a_split_costs_no_retry() {
    assert_eq!(
        trace(bisect(1), 4, Function::Throws, &[1, 2, 3, 4]),
        "[1,2,3,4] [1,2] [1] [1] -1 x2 [2] [2] -2 x2 [3,4] [3] [3] -3 x2 [4] [4] -4 x2"
    );
}

// spec: 5.4
#[test]
fn records_that_expired_at_the_head_are_a_discard_of_their_own() {
    let age = |records, invoke_count| Step::Discard {
        records,
        reason: Reason::RecordAgeExceeded,
        invoke_count,
    };
    let deliver = |records, failures, fresh| Step::Deliver {
        records,
        failures,
        fresh,
    };
    for (claim, failed, expired, expected) in [
        ("none is", 0, &[] as &[_], deliver(0..4, 0, true)),
        ("never invoked counts as once", 0, &[0], age(0..1, 1)),
        ("the run from the head on", 0, &[0, 1], age(0..2, 1)),
        ("not behind the head", 0, &[1, 3], deliver(0..4, 0, true)),
        ("up to the first that is not", 0, &[0, 1, 3], age(0..2, 1)),
        ("all of it", 0, &[0, 1, 2, 3], age(0..4, 1)),
        ("between retries", 7, &[0], age(0..1, 8)),
        ("not yet", 7, &[2], deliver(0..4, 7, false)),
    ] {
        let mut delivery = Delivery::new(FOR_EVER, 4);
        for _ in 0..failed {
            delivery.delivered(Outcome::Failed, 0);
        }
        assert_eq!(delivery.next(too_old(expired)), expected, "{claim}");
    }
}

// spec: 5.4, 14
#[test]
fn what_is_left_behind_an_expired_head_keeps_its_failures() {
    let mut delivery = Delivery::new(retries(1), 3);
    delivery.delivered(Outcome::Failed, 5);
    delivery.discarded(1);
    assert_eq!(delivery.settled(), 1);
    // Other records than before, so the request is another.
    let rest = Step::Deliver {
        records: 1..3,
        failures: 1,
        fresh: true,
    };
    assert_eq!(delivery.next(too_old(&[0])), rest);
    delivery.delivered(Outcome::Failed, 9);
    assert_eq!(
        delivery.next(never),
        Step::Discard {
            records: 1..3,
            reason: Reason::RetryAttemptsExhausted,
            invoke_count: 2
        }
    );
    assert_eq!(delivery.owed().next().unwrap().first_failed_ms, Some(5));
}

// spec: 3.4: the quota is looked at before the ages
#[test]
fn what_has_no_retry_left_does_not_expire() {
    let mut delivery = Delivery::new(retries(0), 2);
    delivery.delivered(Outcome::Failed, 0);
    assert_eq!(
        delivery.next(too_old(&[0, 1])),
        Step::Discard {
            records: 0..2,
            reason: Reason::RetryAttemptsExhausted,
            invoke_count: 1
        }
    );
}

#[test]
fn each_reason_has_a_discard_of_its_own() {
    let expired = |record| {
        Some(match record {
            0 => Reason::ExpiredAtSource,
            _ => Reason::RecordAgeExceeded,
        })
    };
    let mut delivery = Delivery::new(retries(0), 3);
    for (records, reason) in [
        (0..1, Reason::ExpiredAtSource),
        (1..3, Reason::RecordAgeExceeded),
    ] {
        let step = Step::Discard {
            records: records.clone(),
            reason,
            invoke_count: 1,
        };
        assert_eq!(delivery.next(expired), step);
        delivery.discarded(records.len());
    }
    assert_eq!(delivery.next(expired), Step::Done);
}

// spec: 3.3
#[test]
fn a_partial_success_without_progress_within_the_slice_is_a_failure() {
    for handled in [0, 1, 4, 5, usize::MAX] {
        let mut delivery = Delivery::new(retries(3), 4);
        delivery.delivered(Outcome::Stopped { handled: 1 }, 0);
        delivery.delivered(Outcome::Stopped { handled }, 0);
        assert_eq!(delivery.settled(), 1, "{handled}");
        assert_eq!(delivery.repeat_after(), Some(1), "{handled}");
    }
}

// spec: 3.5
#[test]
fn a_repeat_keeps_its_identity_and_what_was_cut_or_halved_has_a_new_one() {
    let fresh = |delivery: &Delivery| match delivery.next(never) {
        Step::Deliver { fresh, .. } => fresh,
        step => panic!("{step:?}"),
    };
    let mut delivery = Delivery::new(bisect(3), 4);
    let mut seen = vec![fresh(&delivery)];
    for outcome in [
        Outcome::Stopped { handled: 1 }, // leaves [2,3,4]
        Outcome::Failed,                 // halves: [2] [3,4]
        Outcome::Failed,                 // repeats [2]
        Outcome::Failed,                 // repeats [2]
        Outcome::Delivered,              // leaves [3,4]
    ] {
        delivery.delivered(outcome, 0);
        seen.push(fresh(&delivery));
    }
    assert_eq!(seen, [true, true, true, false, false, true]);
}

// spec: 3.5
#[test]
fn only_a_repeat_waits_and_only_once() {
    let mut delivery = Delivery::new(bisect(2), 2);
    assert_eq!(delivery.repeat_after(), None);
    delivery.delivered(Outcome::Failed, 0);
    assert_eq!(delivery.repeat_after(), None, "the halves go at once");
    delivery.delivered(Outcome::Failed, 0);
    assert_eq!(delivery.repeat_after(), Some(1));
    delivery.rested();
    assert_eq!(delivery.repeat_after(), None);
    delivery.delivered(Outcome::Failed, 0);
    assert_eq!(delivery.repeat_after(), Some(2), "each failure waits anew");
    delivery.delivered(Outcome::Failed, 0);
    assert_eq!(delivery.repeat_after(), None, "a discard does not wait");
    delivery.discarded(1);
    assert_eq!(delivery.repeat_after(), None, "nor does the other half");
}

#[test]
fn after_a_restart_a_slice_that_failed_waits_before_it_is_repeated() {
    let mut delivery = Delivery::new(FOR_EVER, 2);
    for _ in 0..3 {
        delivery.delivered(Outcome::Failed, 0);
    }
    delivery.rested();
    let resumed = Delivery::resume(FOR_EVER, delivery.owed().cloned());
    assert_eq!(resumed.repeat_after(), Some(3));
}

#[test]
fn the_time_of_the_first_failure_stays_until_there_is_progress() {
    let first = |delivery: &Delivery| delivery.owed().next().and_then(|s| s.first_failed_ms);
    let mut delivery = Delivery::new(bisect(9), 5);
    assert_eq!(first(&delivery), None);
    delivery.delivered(Outcome::Failed, 10);
    assert_eq!(first(&delivery), Some(10), "the halves failed as one");
    delivery.delivered(Outcome::Delivered, 20);
    assert_eq!(first(&delivery), Some(10));
    delivery.delivered(Outcome::Stopped { handled: 3 }, 30);
    assert_eq!(first(&delivery), None);
    delivery.delivered(Outcome::Refused, 40);
    assert_eq!(first(&delivery), Some(40));
    delivery.delivered(Outcome::Failed, 50);
    assert_eq!(first(&delivery), Some(40));
}

#[test]
fn another_policy_after_a_restart_applies_to_what_is_owed() {
    let failed = Slice {
        failures: 3,
        ..Slice::untried(0..4)
    };
    let resumed = |policy| Delivery::resume(policy, [failed.clone(), Slice::untried(4..5)]);
    let deliver = |records, failures| Step::Deliver {
        records,
        failures,
        fresh: true,
    };
    for (policy, expected) in [
        (retries(3), deliver(0..4, 3)),
        (
            retries(2),
            Step::Discard {
                records: 0..4,
                reason: Reason::RetryAttemptsExhausted,
                invoke_count: 3,
            },
        ),
        (FOR_EVER, deliver(0..4, 3)),
        (only_failing(3), deliver(0..4, 3)),
        (only_failing(2), deliver(0..2, 0)),
        (bisect(3), deliver(0..2, 0)),
    ] {
        let delivery = resumed(policy);
        assert_eq!(delivery.next(never), expected, "{policy:?}");
        assert_eq!(delivery.owed().last(), Some(&Slice::untried(4..5)));
    }
}

#[test]
fn a_batch_is_untried_until_something_would_be_lost() {
    let mut delivery = Delivery::new(bisect(1), 5);
    assert!(delivery.is_untried());
    delivery.delivered(Outcome::Stopped { handled: 1 }, 0);
    assert!(delivery.is_untried(), "only the position moved");
    delivery.delivered(Outcome::Failed, 0);
    assert!(!delivery.is_untried(), "where it was halved");
    delivery.delivered(Outcome::Delivered, 0);
    assert!(delivery.is_untried(), "the last half is all that is left");
    delivery.delivered(Outcome::Stopped { handled: 4 }, 0);
    delivery.delivered(Outcome::Failed, 0);
    assert!(!delivery.is_untried(), "a failure counts");
    delivery.delivered(Outcome::Delivered, 0);
    assert!(delivery.is_untried(), "nothing is owed");

    let mut delivery = Delivery::new(only_failing(0), 2);
    delivery.delivered(Outcome::Failed, 0);
    delivery.delivered(Outcome::Delivered, 0);
    assert!(!delivery.is_untried(), "it is being isolated");
}

#[test]
fn an_empty_batch_is_done() {
    let delivery = Delivery::new(PLAIN, 0);
    assert_eq!(delivery.next(never), Step::Done);
    assert_eq!(delivery.settled(), 0);
    assert_eq!(delivery.owed().count(), 0);
}

/// Every policy that matters.
fn policies() -> Vec<Policy> {
    let mut policies = Vec::new();
    for bisect in [false, true] {
        for discard_only_failing in [false, true] {
            for retries_max in [Some(0), Some(1), Some(2), None] {
                policies.push(Policy {
                    bisect,
                    retries_max,
                    discard_only_failing,
                });
            }
        }
    }
    policies
}

fn number(record: usize) -> SequenceNumber {
    SequenceNumber::try_from(format!("{}", 100 + record)).unwrap()
}

/// Kept in a checkpoint, and read back from it.
fn restarted(delivery: &Delivery) -> Delivery {
    let kept: Vec<_> = delivery
        .owed()
        .map(|slice| slice.kept(number(slice.records.end - 1), None))
        .collect();
    let text = serde_json::to_string(&kept).unwrap();
    let kept: Vec<Owed> = serde_json::from_str(&text).unwrap();
    let mut start = delivery.settled();
    let slices = kept.iter().map(|owed| {
        let end = (start..).find(|&i| number(i) == owed.through).unwrap() + 1;
        let slice = Slice::resumed(start..end, owed);
        start = end;
        slice
    });
    Delivery::resume(delivery.policy, slices)
}

/// What became of each record, written down by what was asked for and reported, not by what the delivery says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Owed,
    Handled,
    Discarded,
}

/// A batch somewhere in its history.
#[derive(Clone)]
struct Moment {
    delivery: Delivery,
    fates: Vec<Fate>,
    /// A bit for each record.
    expired: u32,
    /// The last that was delivered, and how often in a row.
    tried: (Range<usize>, u32),
}

type Key = (
    Vec<(usize, usize, u32, bool)>,
    Vec<Fate>,
    u32,
    (usize, usize, u32),
);

impl Moment {
    fn key(&self) -> Key {
        let slices = self.delivery.owed();
        (
            slices
                .map(|s| (s.records.start, s.records.end, s.failures, s.isolating))
                .collect(),
            self.fates.clone(),
            self.expired,
            (self.tried.0.start, self.tried.0.end, self.tried.1),
        )
    }

    fn settle(&mut self, records: Range<usize>, fate: Fate) {
        for record in records {
            assert_eq!(self.fates[record], Fate::Owed, "settled once");
            self.fates[record] = fate;
        }
    }

    fn step(&self) -> Step {
        let expired =
            |record: usize| (self.expired >> record & 1 == 1).then_some(Reason::RecordAgeExceeded);
        let step = self.delivery.next(expired);
        assert_eq!(step, self.delivery.next(expired), "asking changes nothing");
        step
    }

    /// What holds at every moment.
    fn check(&self) {
        let settled = self.fates.iter().take_while(|&&f| f != Fate::Owed).count();
        assert_eq!(self.delivery.settled(), settled);
        assert!(self.fates[settled..].iter().all(|&fate| fate == Fate::Owed));
        // The lengths of the slices add up to what is owed.
        let owed: usize = self.delivery.owed().map(|s| s.records.len()).sum();
        assert_eq!(owed, self.fates.len() - settled);
        if 0 < owed {
            let remembered = Delivery {
                tried: None,
                rested: false,
                ..self.delivery.clone()
            };
            assert_eq!(restarted(&self.delivery), remembered);
        }
    }
}

/// Walks through everything that can happen to a batch, to whatever depth: equal moments have equal futures, so each is
/// looked at once. A moment that leads back to itself would be a policy without an end.
struct Walk {
    seen: BTreeSet<Key>,
    path: BTreeSet<Key>,
    ends: usize,
}

/// How often a slice may fail where the policy has no limit of its own.
const FAILURES_SEEN: u32 = 3;

impl Walk {
    fn walk(&mut self, moment: &Moment) {
        let key = moment.key();
        assert!(!self.path.contains(&key), "no end: {key:?}");
        if !self.seen.insert(key.clone()) {
            return;
        }
        self.path.insert(key.clone());
        moment.check();
        let count = moment.fates.len();
        // Any records may have expired by now, besides those that had.
        for expired in (0..1 << count).filter(|set| set & moment.expired == moment.expired) {
            let mut moment = moment.clone();
            moment.expired = expired;
            self.act(&moment);
        }
        self.path.remove(&key);
    }

    fn act(&mut self, before: &Moment) {
        let settled = before.delivery.settled();
        match before.step() {
            Step::Done => {
                assert!(!before.fates.contains(&Fate::Owed), "none was skipped");
                self.ends += 1;
            }
            Step::Discard {
                records,
                reason,
                invoke_count,
            } => {
                assert_eq!(records.start, settled, "in order");
                assert!(!records.is_empty());
                match reason {
                    Reason::RecordAgeExceeded => {
                        assert!(records.clone().all(|r| before.expired >> r & 1 == 1));
                    }
                    Reason::RetryAttemptsExhausted => {
                        let policy = before.delivery.policy;
                        assert_eq!(policy.retries_max.map(|r| r + 1), Some(invoke_count));
                        assert_eq!(before.tried.0, records, "discarded as it was tried");
                        if policy.bisect || policy.discard_only_failing {
                            assert_eq!(records.len(), 1, "no good record is discarded");
                        }
                    }
                    Reason::ExpiredAtSource => panic!("nothing told so"),
                }
                let mut after = before.clone();
                after.settle(records.clone(), Fate::Discarded);
                after.delivery.discarded(records.len());
                assert_eq!(after.delivery.settled(), records.end);
                self.walk(&after);
            }
            Step::Deliver {
                records,
                failures,
                fresh,
            } => {
                // Order: everything before is settled, and nothing of it is.
                assert_eq!(records.start, settled);
                assert!(records.start < records.end && records.end <= before.fates.len());
                assert_eq!(before.expired >> records.start & 1, 0, "not the expired");
                assert_eq!(fresh, before.tried.0 != records);
                let attempts = if fresh { 1 } else { before.tried.1 + 1 };
                if let Some(retries_max) = before.delivery.policy.retries_max {
                    assert!(attempts <= retries_max + 1, "attempts are limited");
                    assert!(failures <= retries_max);
                } else if failures == FAILURES_SEEN {
                    return;
                }
                let mut outcomes = vec![Outcome::Delivered, Outcome::Failed, Outcome::Refused];
                let places = 0..before.fates.len() + 2;
                outcomes.extend(places.map(|handled| Outcome::Stopped { handled }));
                for outcome in outcomes {
                    let mut after = before.clone();
                    after.tried = (records.clone(), attempts);
                    let handled = match outcome {
                        Outcome::Delivered => records.end,
                        Outcome::Stopped { handled } if handled < records.end => {
                            handled.max(records.start)
                        }
                        Outcome::Stopped { .. } | Outcome::Failed | Outcome::Refused => {
                            records.start
                        }
                    };
                    after.settle(records.start..handled, Fate::Handled);
                    after.delivery.delivered(outcome, 0);
                    assert_eq!(after.delivery.settled(), handled);
                    self.walk(&after);
                }
            }
        }
    }
}

// reliability: I2, I3, I4, I8; architecture: under a finite policy every batch ends
#[test]
fn whatever_happens_each_record_is_settled_once_and_in_order() {
    for policy in policies() {
        for count in 1..=4 {
            let mut walk = Walk {
                seen: BTreeSet::new(),
                path: BTreeSet::new(),
                ends: 0,
            };
            walk.walk(&Moment {
                delivery: Delivery::new(policy, count),
                fates: vec![Fate::Owed; count],
                expired: 0,
                tried: (0..0, 0),
            });
            assert!(0 < walk.ends, "{policy:?}");
        }
    }
}

/// What happens at a delivery: this many of the first records have expired before it, and this comes of it.
#[derive(Clone, Copy, Debug)]
struct Happening {
    expired: usize,
    outcome: Outcome,
}

/// A history, and where in it we are; behind its end everything succeeds.
struct History<'a> {
    happenings: &'a [Happening],
    deliveries: usize,
    steps: Vec<Step>,
}

impl<'a> History<'a> {
    fn new(happenings: &'a [Happening]) -> Self {
        Self {
            happenings,
            deliveries: 0,
            steps: Vec::new(),
        }
    }

    fn expired(&self) -> usize {
        let so_far = self.happenings.iter().take(self.deliveries + 1);
        so_far.map(|h| h.expired).max().unwrap_or(0)
    }

    fn outcome(&mut self) -> Outcome {
        let happening = self.happenings.get(self.deliveries);
        self.deliveries += 1;
        happening.map_or(Outcome::Delivered, |h| h.outcome)
    }

    fn deliver(&mut self, records: &Range<usize>, failures: u32, fresh: bool) -> Outcome {
        self.steps.push(Step::Deliver {
            records: records.clone(),
            failures,
            fresh,
        });
        self.outcome()
    }

    fn discard(&mut self, records: Range<usize>, reason: Reason, invoke_count: u32) {
        self.steps.push(Step::Discard {
            records,
            reason,
            invoke_count,
        });
    }

    /// The algorithm of spec 3.4 with the rules of 3.3, 5.4 and 5.7, as one recursion without any state to keep.
    fn process(&mut self, policy: Policy, mut batch: Range<usize>, isolating: bool) {
        let mut failures = 0;
        let mut fresh = true;
        loop {
            let alive = self.expired().clamp(batch.start, batch.end);
            if batch.start < alive {
                let expired = batch.start..alive;
                self.discard(expired, Reason::RecordAgeExceeded, failures + 1);
                (batch.start, fresh) = (alive, true);
                if batch.is_empty() {
                    return;
                }
            }
            let outcome = self.deliver(&batch, failures, fresh);
            fresh = false;
            let mut split = None;
            match outcome {
                Outcome::Delivered => return,
                Outcome::Stopped { handled } if handled > batch.start && handled < batch.end => {
                    (batch.start, failures, fresh) = (handled, 0, true);
                    continue;
                }
                Outcome::Refused if batch.len() > 1 => split = Some(isolating),
                Outcome::Refused => match policy.retries_max {
                    Some(retries_max) => {
                        return self.discard(
                            batch,
                            Reason::RetryAttemptsExhausted,
                            retries_max + 1,
                        );
                    }
                    None => failures += 1,
                },
                Outcome::Stopped { .. } | Outcome::Failed => {
                    failures += 1;
                    let spent = policy.retries_max.is_some_and(|max| failures > max);
                    if batch.len() > 1 && (policy.bisect || isolating) {
                        split = Some(isolating || (spent && policy.discard_only_failing));
                    } else if batch.len() > 1 && spent && policy.discard_only_failing {
                        split = Some(true);
                    } else if spent {
                        return self.discard(batch, Reason::RetryAttemptsExhausted, failures);
                    }
                }
            }
            if let Some(isolating) = split {
                let middle = batch.start + batch.len() / 2;
                self.process(policy, batch.start..middle, isolating);
                self.process(policy, middle..batch.end, isolating);
                return;
            }
        }
    }

    /// The same by asking and reporting; at each delivery, the process restarts if `crash` says so.
    fn drive(&mut self, policy: Policy, count: usize, mut crash: impl FnMut() -> bool) {
        let mut delivery = Delivery::new(policy, count);
        loop {
            let limit = self.expired();
            let step =
                delivery.next(|record| (record < limit).then_some(Reason::RecordAgeExceeded));
            match step {
                Step::Done => return,
                Step::Discard {
                    records,
                    reason,
                    invoke_count,
                } => {
                    let count = records.len();
                    self.discard(records, reason, invoke_count);
                    delivery.discarded(count);
                }
                Step::Deliver {
                    records,
                    failures,
                    fresh,
                } => {
                    let outcome = self.deliver(&records, failures, fresh);
                    delivery.delivered(outcome, 0);
                    if crash() && delivery.owed().next().is_some() {
                        delivery = restarted(&delivery);
                    }
                }
            }
        }
    }
}

/// Compares the steps of a history; `crash` leaves the identity of requests out, which does not survive a restart.
fn agree(
    policy: Policy,
    count: usize,
    happenings: &[Happening],
    crash: Option<&mut fastrand::Rng>,
) {
    let mut told = History::new(happenings);
    told.process(policy, 0..count, false);
    let mut driven = History::new(happenings);
    match crash {
        None => driven.drive(policy, count, || false),
        Some(random) => {
            driven.drive(policy, count, || random.bool());
            for step in driven.steps.iter_mut().chain(&mut told.steps) {
                if let Step::Deliver { fresh, .. } = step {
                    *fresh = true;
                }
            }
        }
    }
    assert_eq!(driven.steps, told.steps, "{policy:?} {happenings:?}");
}

fn outcomes(count: usize) -> Vec<Outcome> {
    let mut outcomes = vec![Outcome::Delivered, Outcome::Failed, Outcome::Refused];
    outcomes.extend((1..count).map(|handled| Outcome::Stopped { handled }));
    outcomes
}

// spec: 3.4
#[test]
fn every_short_history_goes_as_the_spec_tells_it() {
    const LENGTH: u32 = 5;
    for policy in policies() {
        for count in 1..=4 {
            let outcomes = outcomes(count);
            for history in 0..outcomes.len().pow(LENGTH) {
                let happenings: Vec<_> = (0..LENGTH)
                    .map(|i| Happening {
                        expired: 0,
                        outcome: outcomes[history / outcomes.len().pow(i) % outcomes.len()],
                    })
                    .collect();
                agree(policy, count, &happenings, None);
            }
        }
    }
}

// spec: 3.4, 5.4
#[test]
fn long_histories_with_expiry_and_restarts_go_as_the_spec_tells_it() {
    let mut random = fastrand::Rng::with_seed(7);
    let policies = policies();
    for round in 0..6_000 {
        let policy = policies[round % policies.len()];
        let count = random.usize(1..12);
        let outcomes = outcomes(count);
        let mut happenings = Vec::new();
        for _ in 0..random.usize(0..40) {
            // Mostly failures, so that it goes deep.
            let outcome = match random.u8(0..8) {
                0..5 => Outcome::Failed,
                _ => outcomes[random.usize(0..outcomes.len())],
            };
            let expired = match random.u8(0..10) {
                0 => random.usize(0..=count),
                _ => 0,
            };
            happenings.push(Happening { expired, outcome });
        }
        agree(policy, count, &happenings, None);
        agree(policy, count, &happenings, Some(&mut random));
    }
}
