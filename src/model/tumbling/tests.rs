//! Windows by example, and a shard that lives through everything with a function that counts.

use super::super::delivery::{Outcome, Reason, Step};
use super::*;

const POLICY: Policy = Policy {
    bisect: false,
    retries_max: Some(1),
    discard_only_failing: false,
};

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn tumbling() -> Tumbling {
    Tumbling::new(seconds(10), None, None)
}

fn record(window_start_ms: u64) -> Ahead {
    Ahead::Record { window_start_ms }
}

fn nothing(quiet: u64, now_ms: u64) -> Ahead {
    Ahead::Nothing {
        quiet: seconds(quiet),
        now_ms,
    }
}

/// With a window open that began at 20 s.
fn opened() -> Tumbling {
    let mut tumbling = tumbling();
    tumbling.returned(20_000, r#"{"n":1}"#.into());
    tumbling
}

// spec: 5.8, aligned multiples of the size on arrival time
#[test]
fn a_window_begins_at_a_multiple_of_its_length() {
    for (length, arrived_ms, expected) in [
        (10, 0, 0),
        (10, 9_999, 0),
        (10, 10_000, 10_000),
        // 2026-09-17T14:11:14.5Z is in 14:11:10 to 14:11:20.
        (10, 1_789_654_274_500, 1_789_654_270_000),
        (900, 1_789_654_274_500, 1_789_653_600_000),
        (1, 1_789_654_274_500, 1_789_654_274_000),
    ] {
        let tumbling = Tumbling::new(seconds(length), None, None);
        assert_eq!(tumbling.assign(None, arrived_ms), expected);
    }
}

#[test]
fn a_late_record_joins_the_window_of_the_record_before_it() {
    assert_eq!(tumbling().assign(Some(20_000), 19_999), 20_000);
    assert_eq!(tumbling().assign(Some(20_000), 30_001), 30_000);
    // The first after a restart: that of the window which is open.
    assert_eq!(opened().assign(None, 19_999), 20_000);
    assert_eq!(opened().assign(None, 31_000), 30_000);
    assert_eq!(opened().assign(Some(40_000), 31_000), 40_000);
}

// spec: 5.8
#[test]
fn the_state_goes_from_one_invocation_to_the_next_of_its_window() {
    let mut tumbling = tumbling();
    let told = |start_ms, state| Invocation {
        start_ms,
        end_ms: start_ms + 10_000,
        state,
        is_final: false,
        terminated_early: false,
    };
    assert_eq!(tumbling.invocation(20_000), told(20_000, "{}"));
    tumbling.returned(20_000, r#"{ "n" : 1.0 }"#.into());
    assert_eq!(
        tumbling.invocation(20_000),
        told(20_000, r#"{ "n" : 1.0 }"#)
    );
    // A failure reports nothing: a repeat is told the same.
    assert_eq!(
        tumbling.invocation(20_000),
        told(20_000, r#"{ "n" : 1.0 }"#)
    );
    tumbling.returned(20_000, r#"{"n":2}"#.into());
    assert_eq!(tumbling.invocation(20_000), told(20_000, r#"{"n":2}"#));
    assert_eq!(tumbling.invocation(30_000), told(30_000, "{}"));
}

// spec: 5.8, what triggers the close
#[test]
fn a_window_ends_with_a_record_of_a_later_one_with_the_shard_or_with_quiet() {
    let wait = |at_most| Next::Wait {
        at_most: seconds(at_most),
    };
    for (ahead, expected) in [
        (record(20_000), Next::Deliver),
        (record(30_000), Next::Close),
        (record(90_000), Next::Close),
        (Ahead::End, Next::Close),
        (nothing(0, 21_000), wait(120)),
        (nothing(119, 300_000), wait(1)),
        (nothing(120, 300_000), Next::Close),
        // Quiet, but records of this window may still arrive.
        (nothing(120, 29_000), wait(1)),
        (nothing(500, 20_000), wait(10)),
        (
            nothing(120, 29_999),
            Next::Wait {
                at_most: Duration::from_millis(1),
            },
        ),
        (nothing(120, 30_000), Next::Close),
        (nothing(100, 29_000), wait(20)),
        (nothing(115, 20_000), wait(10)),
    ] {
        assert_eq!(opened().next(ahead), expected, "{ahead:?}");
    }
}

#[test]
fn where_no_window_is_open_there_is_none_to_end() {
    for (ahead, expected) in [
        (record(20_000), Next::Deliver),
        (nothing(999, 99_000), Next::Nothing),
        (Ahead::End, Next::Nothing),
    ] {
        assert_eq!(tumbling().next(ahead), expected);
    }
    assert_eq!(tumbling().final_invocation(), None);
    assert_eq!(tumbling().progress(), None);
    assert_eq!(tumbling().closing(POLICY).next(|_| None), Step::Done);
}

// spec: 5.8, 2.4
#[test]
fn the_final_invocation_has_the_whole_state_and_the_next_window_a_fresh_one() {
    let mut tumbling = opened();
    assert_eq!(
        tumbling.final_invocation(),
        Some(Invocation {
            start_ms: 20_000,
            end_ms: 30_000,
            state: r#"{"n":1}"#,
            is_final: true,
            terminated_early: false,
        })
    );
    let mut closing = tumbling.closing(POLICY);
    closing.delivered(Outcome::Delivered, 0);
    tumbling.closed_so_far(&closing, None);
    assert_eq!(tumbling, Tumbling::new(seconds(10), None, Some(30_000)));
    assert_eq!(tumbling.invocation(30_000).state, "{}");
}

// Whatever closed it, there may be nothing open behind it to tell: a dropped record, or one that was discarded.
#[test]
fn a_late_record_does_not_open_a_window_again_that_was_closed_before_a_restart() {
    let mut tumbling = opened();
    let mut closing = tumbling.closing(POLICY);
    closing.delivered(Outcome::Delivered, 0);
    tumbling.closed_so_far(&closing, None);
    let (open, from_ms) = (tumbling.progress().cloned(), tumbling.from_ms());
    assert_eq!((&open, from_ms), (&None, Some(30_000)));
    let restarted = Tumbling::new(seconds(10), open.clone(), from_ms);
    assert_eq!(restarted.assign(None, 29_999), 30_000);
    assert_eq!(restarted.assign(Some(30_000), 45_000), 40_000);
    // Of another length it is the window that holds what is not closed.
    let longer = Tumbling::new(seconds(60), open, from_ms);
    assert_eq!(longer.assign(None, 29_999), 0);
}

// spec: 5.8, state over 1 MB
#[test]
fn a_state_that_is_too_long_ends_its_window_early_and_the_window_goes_on_afresh() {
    for (length, expected) in [
        (1_048_576, Next::Deliver),
        (1_048_577, Next::Close),
        (1_048_640, Next::Close),
    ] {
        let mut tumbling = opened();
        let state = format!("\"{}\"", "x".repeat(length - 2));
        tumbling.returned(20_000, state.clone());
        assert_eq!(tumbling.next(record(20_000)), expected, "{length}");
        assert_eq!(
            tumbling.next(nothing(0, 0)) == Next::Close,
            expected == Next::Close
        );
        let early = tumbling.final_invocation().unwrap();
        assert_eq!(early.terminated_early, expected == Next::Close);
        assert!(early.is_final && early.state == state);
        // The invocations before it are not told.
        assert!(!tumbling.invocation(20_000).terminated_early);

        let mut closing = tumbling.closing(POLICY);
        closing.delivered(Outcome::Delivered, 0);
        tumbling.closed_so_far(&closing, None);
        assert_eq!(tumbling.next(record(20_000)), Next::Deliver);
        assert_eq!(tumbling.invocation(20_000).state, "{}");
        let goes_on = expected == Next::Close;
        let from_ms = if goes_on { 20_000 } else { 30_000 };
        assert_eq!(tumbling.assign(None, 29_999), from_ms);
    }
}

// spec: 5.8, failed final invocation; 5.3
#[test]
fn a_final_invocation_that_fails_is_repeated_within_the_limits_and_across_restarts() {
    let mut tumbling = opened();
    for (failures, now_ms) in [(1, 5_000), (2, 9_000)] {
        let mut closing = tumbling.closing(POLICY);
        assert!(matches!(closing.next(|_| None), Step::Deliver { .. }));
        closing.delivered(Outcome::Failed, now_ms);
        tumbling.closed_so_far(&closing, None);
        let kept = serde_json::to_string(tumbling.progress().unwrap()).unwrap();
        let kept: WindowProgress = serde_json::from_str(&kept).unwrap();
        assert_eq!(kept.final_failures, failures);
        assert_eq!(kept.state, r#"{"n":1}"#);
        assert_eq!(Tumbling::new(seconds(10), Some(kept), None), tumbling);
        // It ran: no record joins the window any more.
        assert_eq!(tumbling.next(record(20_000)), Next::Close);
        assert_eq!(tumbling.next(nothing(0, 0)), Next::Close);
    }
    let mut closing = tumbling.closing(POLICY);
    assert_eq!(
        closing.next(|_| None),
        Step::Discard {
            records: 0..1,
            reason: Reason::RetryAttemptsExhausted,
            invoke_count: 2
        }
    );
    closing.discarded(1);
    tumbling.closed_so_far(&closing, None);
    assert_eq!(tumbling.progress(), None);
}

#[test]
fn what_a_final_invocation_answered_is_kept_once_it_failed() {
    let last = LastInvocation {
        request_id: Some("9e0a".into()),
        response: None,
    };
    let mut tumbling = opened();
    let mut closing = tumbling.closing(POLICY);
    let final_last = |tumbling: &Tumbling| tumbling.progress().unwrap().final_last.clone();
    tumbling.closed_so_far(&closing, Some(last.clone()));
    assert_eq!(final_last(&tumbling), None, "it did not fail");
    assert!(matches!(closing.next(|_| None), Step::Deliver { .. }));
    closing.delivered(Outcome::Failed, 5_000);
    tumbling.closed_so_far(&closing, Some(last.clone()));
    assert_eq!(final_last(&tumbling), Some(last));
}

#[test]
fn the_age_of_a_final_invocation_counts_from_its_first_failure() {
    let mut tumbling = opened();
    assert_eq!(tumbling.closing_age(999_000), Duration::ZERO);
    for (now_ms, age_ms) in [(100_000, 0), (130_000, 30_000), (90_000, 0)] {
        let mut closing = tumbling.closing(POLICY);
        closing.delivered(Outcome::Failed, now_ms);
        tumbling.closed_so_far(&closing, None);
        assert_eq!(tumbling.closing_age(now_ms), Duration::from_millis(age_ms));
    }
}

#[test]
fn a_window_of_another_length_than_the_setting_is_ended_early() {
    let kept = opened().progress().cloned();
    let mut tumbling = Tumbling::new(seconds(15), kept.clone(), None);
    for ahead in [record(15_000), record(30_000), nothing(0, 0), Ahead::End] {
        assert_eq!(tumbling.next(ahead), Next::Close);
    }
    let told = tumbling.final_invocation().unwrap();
    assert_eq!((told.start_ms, told.end_ms), (20_000, 30_000));
    assert!(told.terminated_early);
    // Windows keep their order, and begin at multiples of the length that holds now.
    assert_eq!(tumbling.assign(None, 3_000), 15_000);
    let mut closing = tumbling.closing(POLICY);
    closing.delivered(Outcome::Delivered, 0);
    tumbling.closed_so_far(&closing, None);
    assert_eq!(tumbling.next(record(15_000)), Next::Deliver);
    assert_eq!(tumbling.invocation(15_000).end_ms, 30_000);

    let same = Tumbling::new(seconds(10), kept, None);
    assert_eq!(same.next(record(20_000)), Next::Deliver);
}

/// A shard whose function counts its records in the state: `{"n":3}`.
struct Life {
    random: fastrand::Rng,
    arrivals: Vec<u64>,
    /// What the checkpoint holds: how many are settled, and the window.
    settled: usize,
    window: Option<WindowProgress>,
    from_ms: Option<u64>,
    handled: usize,
    discarded: usize,
    /// The window of the last record that is settled; a process that starts does not know it.
    before: Option<u64>,
    starts: usize,
    /// What final invocations told: which process, the window's beginning, its count, whether it was ended early.
    told: Vec<(usize, u64, usize, bool)>,
    lost: usize,
}

impl Life {
    fn counted(state: &str) -> usize {
        let count = state.strip_prefix("{\"n\":").unwrap_or("0}");
        let (digits, _) = count.split_once('}').expect("an object ends");
        digits.parse().expect("a count is a number")
    }

    /// The windows of all records, as they are assigned when they are read from the settled on.
    fn windows(&self, tumbling: &Tumbling) -> Vec<u64> {
        let mut before = self.before;
        let read = self.arrivals[self.settled..].iter();
        read.map(|&arrived_ms| *before.insert(tumbling.assign(before, arrived_ms)))
            .collect()
    }

    fn outcome(&mut self, records: std::ops::Range<usize>) -> Outcome {
        match self.random.u8(0..4) {
            0 => Outcome::Failed,
            1 => Outcome::Stopped {
                handled: self.random.usize(records.start..=records.end),
            },
            _ => Outcome::Delivered,
        }
    }

    fn close(&mut self, tumbling: &mut Tumbling, policy: Policy) {
        let told = tumbling.final_invocation().expect("a window is open");
        let told = (
            self.starts,
            told.start_ms,
            Self::counted(told.state),
            told.terminated_early,
        );
        let mut closing = tumbling.closing(policy);
        match closing.next(|_| None) {
            Step::Deliver { .. } => {
                let outcome = match self.random.bool() {
                    true => Outcome::Delivered,
                    false => Outcome::Failed,
                };
                closing.delivered(outcome, 0);
                if outcome == Outcome::Delivered {
                    self.told.push(told);
                }
            }
            Step::Discard { records, .. } => {
                closing.discarded(records.len());
                self.lost += told.2;
            }
            Step::Done => panic!("a window that is open is closed by an invocation"),
        }
        tumbling.closed_so_far(&closing, None);
        self.window = tumbling.progress().cloned();
        self.from_ms = tumbling.from_ms();
    }

    /// One batch of one window, step by step; ends early where the process dies or the window must be closed first.
    fn deliver(&mut self, tumbling: &mut Tumbling, policy: Policy, window: u64, count: usize) {
        let mut delivery = Delivery::new(policy, count);
        let first = self.settled;
        loop {
            if tumbling.next(record(window)) == Next::Close {
                self.close(tumbling, policy);
                continue;
            }
            match delivery.next(|_| None) {
                Step::Done => return,
                Step::Discard { records, .. } => {
                    self.discarded += records.len();
                    delivery.discarded(records.len());
                }
                Step::Deliver { records, .. } => {
                    let counted = Self::counted(tumbling.invocation(window).state);
                    let outcome = self.outcome(records.clone());
                    let before = delivery.settled();
                    delivery.delivered(outcome, 0);
                    let handled = delivery.settled() - before;
                    if 0 < handled {
                        self.handled += handled;
                        let mut state = format!("{{\"n\":{}}}", counted + handled);
                        if self.random.u8(0..50) == 0 {
                            state.push_str(&" ".repeat(STATE_BYTES_MAX));
                        }
                        tumbling.returned(window, state);
                    }
                }
            }
            self.settled = first + delivery.settled();
            self.window = tumbling.progress().cloned();
            self.before = Some(window);
            if self.random.u8(0..8) == 0 {
                (self.before, self.starts) = (None, self.starts + 1);
                return;
            }
        }
    }

    fn live(&mut self, policy: Policy) {
        let length = seconds(10);
        loop {
            // From the checkpoint, whether a process starts or not.
            let mut tumbling = Tumbling::new(length, self.window.clone(), self.from_ms);
            let windows = self.windows(&tumbling);
            assert!(windows.is_sorted(), "windows follow each other");
            let ahead = windows.first().map_or(Ahead::End, |&start| record(start));
            match tumbling.next(ahead) {
                Next::Nothing => return,
                Next::Close => self.close(&mut tumbling, policy),
                Next::Deliver => {
                    let window = windows[0];
                    let members = windows.iter().take_while(|&&start| start == window);
                    let count = members.count().min(self.random.usize(1..6));
                    self.deliver(&mut tumbling, policy, window, count);
                }
                Next::Wait { .. } => panic!("there is something ahead"),
            }
        }
    }
}

#[test]
fn whatever_happens_the_final_states_hold_each_handled_record_once() {
    let (mut early, mut restarted) = (0, 0);
    for seed in 0..1_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut now = 1_000_000;
        let arrivals: Vec<u64> = (0..random.usize(0..60))
            .map(|_| {
                now += random.u64(0..6_000);
                now - random.u64(0..9_000)
            })
            .collect();
        let policy = Policy {
            bisect: random.bool(),
            retries_max: [Some(0), Some(2), None][random.usize(0..3)],
            discard_only_failing: random.bool(),
        };
        let count = arrivals.len();
        let mut life = Life {
            random,
            arrivals,
            settled: 0,
            window: None,
            from_ms: None,
            before: None,
            starts: 0,
            handled: 0,
            discarded: 0,
            told: Vec::new(),
            lost: 0,
        };
        life.live(policy);
        assert_eq!(life.handled + life.discarded, count, "{seed}");
        let told: usize = life.told.iter().map(|(_, _, counted, _)| counted).sum();
        assert_eq!(told + life.lost, life.handled, "{seed}");
        if policy.retries_max.is_none() {
            assert_eq!((life.discarded, life.lost), (0, 0), "{seed}");
        }
        for pair in life.told.windows(2) {
            let ((process, before, _, is_early), (other, after, ..)) = (pair[0], pair[1]);
            let in_order = before < after || (is_early && before == after);
            assert!(in_order, "{seed}");
            restarted += usize::from(process != other);
        }
        early += life.told.iter().filter(|told| told.3).count();
    }
    assert!(50 < early && 500 < restarted, "{early} {restarted}");
}
