//! How many invocations and how many receives may run at once, from what was seen. // spec: 4.4, 4.5
//!
//! AWS documents the frame: five concurrent batches at the start, 300 more a minute while there is a backlog, at most
//! 1,250, fewer when idle or failing. How fast it falls is not published; the constants below say what we chose.
//! Unlike AWS, an idle queue costs one long poll, not five (spec: 11.3).

use std::time::Duration;

/// Concurrent invocations at the start. // spec: 4.5
pub const START: usize = 5;
/// The most concurrent invocations of a mapping. // spec: 4.5
pub const CEILING: usize = 1_250;
/// 300 a minute. // spec: 4.5
const GROWTH_PER_SECOND: f64 = 5.0;
/// A quiet time between two observations earns no more growth than this.
const GROWTH_SPAN_MAX: Duration = Duration::from_secs(1);
/// The limit is halved at most this often.
const FALL_GAP: Duration = Duration::from_secs(1);
/// After a failure the limit does not grow for this long.
const GROWTH_PAUSE: Duration = Duration::from_secs(5);
/// Weight of the newest invocation in the share of failures.
const FAILURE_WEIGHT: f64 = 0.1;
/// Errors are sustained when more than this share of the recent invocations failed. One poison message among good ones
/// does not slow a mapping down.
const FAILURE_SHARE_MAX: f64 = 0.5;

/// How an invocation ended, as far as scaling is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Handled, or a clean partial failure. // spec: 3.2
    Well,
    /// Function error, time-out, or an unreadable answer.
    Badly,
    /// The function did not run: throttled, or the service failed.
    Refused,
}

/// The limits of one mapping.
#[derive(Clone, Debug)]
pub struct Scaling {
    ceiling: usize,
    patient: bool,
    limit: f64,
    polls: usize,
    /// The last receive brought something: there may be a backlog.
    fed: bool,
    failure_share: f64,
    grown: Duration,
    fell: Option<Duration>,
    failed: Option<Duration>,
}

impl Scaling {
    /// `maximum` is `ScalingConfig.MaximumConcurrency`, 1 or more. `patient`: the mapping has a batching window, so
    /// that a receive that came back half full is no reason to gather a second batch beside the first.
    pub fn new(maximum: Option<usize>, patient: bool) -> Self {
        let ceiling = maximum.unwrap_or(CEILING).clamp(1, CEILING);
        Self {
            ceiling,
            patient,
            limit: START.min(ceiling) as f64,
            polls: 1,
            fed: false,
            failure_share: 0.0,
            grown: Duration::ZERO,
            fell: None,
            failed: None,
        }
    }

    /// How many batches may be in hand, being gathered or invoked: 1 to the ceiling.
    pub fn limit(&self) -> usize {
        (self.limit as usize).clamp(1, self.ceiling)
    }

    /// How many of them may be without a message yet, waiting on the queue: 1 to [`Self::limit`].
    pub fn polls(&self) -> usize {
        self.polls.clamp(1, self.limit())
    }

    /// A receive asked for `asked` messages and got `got`, while `in_hand` batches were there.
    pub fn received(&mut self, asked: usize, got: usize, in_hand: usize, now: Duration) {
        self.fed = got > 0;
        if got == 0 {
            self.polls = 1;
            let floor = START.min(self.ceiling) as f64;
            if self.limit > floor {
                self.limit = (self.limit / 2.0).max(floor);
            }
            self.grown = now;
            return;
        }
        let more = if asked <= got {
            self.polls * 2
        } else if self.patient {
            self.polls
        } else {
            self.polls + 1
        };
        self.polls = more.min(self.limit());
        self.grow(in_hand, now);
    }

    /// Another batch would be gathered, and `in_hand` are there. While all slots are taken and the queue gave something
    /// last, the limit grows with time. Says how long to wait for the next slot that comes of it; `None` when none will.
    pub fn waited(&mut self, in_hand: usize, now: Duration) -> Option<Duration> {
        let growing = self.fed && self.limit() <= in_hand && self.limit() < self.ceiling;
        if !growing {
            return None;
        }
        self.grow(in_hand, now);
        if let Some(until) = self.paused(now) {
            return Some(until - now);
        }
        let missing = (in_hand + 1) as f64 - self.limit;
        Some(Duration::from_secs_f64(
            (missing / GROWTH_PER_SECOND).max(0.001),
        ))
    }

    fn grow(&mut self, in_hand: usize, now: Duration) {
        if in_hand >= self.limit() && self.paused(now).is_none() {
            let span = now.saturating_sub(self.grown).min(GROWTH_SPAN_MAX);
            self.limit =
                (self.limit + GROWTH_PER_SECOND * span.as_secs_f64()).min(self.ceiling as f64);
        }
        self.grown = now;
    }

    /// Until when failures keep the limit from growing.
    fn paused(&self, now: Duration) -> Option<Duration> {
        let until = self.failed? + GROWTH_PAUSE;
        (now < until).then_some(until)
    }

    /// An invocation ended.
    pub fn ended(&mut self, how: Ended, now: Duration) {
        let failed = match how {
            Ended::Well => 0.0,
            Ended::Badly | Ended::Refused => 1.0,
        };
        self.failure_share += FAILURE_WEIGHT * (failed - self.failure_share);
        let fall = match how {
            Ended::Well => false,
            Ended::Badly => self.failure_share > FAILURE_SHARE_MAX,
            Ended::Refused => true,
        };
        if !fall {
            return;
        }
        self.failed = Some(now);
        if self.fell.is_none_or(|fell| fell + FALL_GAP <= now) {
            self.limit = (self.limit / 2.0).max(1.0);
            self.polls = 1;
            self.fell = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Full receives every 100 ms with all permits in use.
    fn busy(scaling: &mut Scaling, from_s: u64, seconds: u64) {
        for tick in 0..seconds * 10 {
            let limit = scaling.limit();
            scaling.received(10, 10, limit, at(from_s * 1000 + tick * 100));
        }
    }

    // spec: 4.5
    #[test]
    fn it_starts_with_five_and_one_long_poll() {
        let scaling = Scaling::new(None, false);
        assert_eq!((scaling.limit(), scaling.polls()), (5, 1));
    }

    // spec: 4.5 +300 concurrent invokes a minute, cap 1,250
    #[test]
    fn a_backlog_adds_three_hundred_a_minute_up_to_the_cap() {
        let mut scaling = Scaling::new(None, false);
        busy(&mut scaling, 0, 60);
        assert!(
            (300..=305).contains(&scaling.limit()),
            "{}",
            scaling.limit()
        );
        busy(&mut scaling, 60, 300);
        assert_eq!(scaling.limit(), 1_250);
    }

    // Nothing is received while all slots are taken: with slow functions it is time itself that must let the limit grow.
    #[test]
    fn functions_that_all_run_for_long_do_not_hold_the_growth_up() {
        let mut scaling = Scaling::new(None, false);
        assert_eq!(scaling.waited(5, at(0)), None, "nothing was received yet");
        scaling.received(10, 10, 5, at(0));
        assert_eq!(scaling.waited(4, at(0)), None, "a slot is free");
        let sixth = scaling.waited(5, at(0));
        assert_eq!(sixth, Some(at(200)), "five a second");
        let (mut now, mut in_hand) = (at(0), 5);
        while now < at(60_000) {
            now += scaling.waited(in_hand, now).expect("it grows");
            in_hand = in_hand.max(scaling.limit());
        }
        assert!((290..=310).contains(&in_hand), "{in_hand}");
        scaling.ended(Ended::Refused, now);
        assert_eq!(scaling.waited(in_hand, now), Some(GROWTH_PAUSE));
        let over = scaling.waited(in_hand, now + GROWTH_PAUSE);
        assert!(over > Some(Duration::ZERO), "{over:?}");
        scaling.received(10, 0, in_hand, now);
        assert_eq!(scaling.waited(in_hand, now), None, "the backlog is gone");
        let mut capped = Scaling::new(Some(2), false);
        capped.received(10, 10, 2, at(0));
        assert_eq!(capped.waited(2, at(0)), None, "it may grow no further");
    }

    #[test]
    fn without_saturation_the_limit_stays() {
        let mut scaling = Scaling::new(None, false);
        for tick in 0..600 {
            scaling.received(10, 10, 2, at(tick * 100));
        }
        assert_eq!(scaling.limit(), 5);
    }

    #[test]
    fn the_maximum_caps_it_and_one_is_allowed() {
        for maximum in [1, 2, 7] {
            let mut scaling = Scaling::new(Some(maximum), false);
            busy(&mut scaling, 0, 60);
            assert_eq!(scaling.limit(), maximum);
            assert!(scaling.polls() <= maximum);
        }
    }

    #[test]
    fn polls_multiply_with_full_receives_and_fall_to_one_on_an_empty_one() {
        let mut scaling = Scaling::new(None, false);
        scaling.received(10, 10, 1, at(0));
        assert_eq!(scaling.polls(), 2);
        scaling.received(10, 10, 2, at(10));
        assert_eq!(scaling.polls(), 4);
        scaling.received(10, 3, 3, at(20));
        assert_eq!(scaling.polls(), 5);
        scaling.received(10, 0, 3, at(30));
        assert_eq!(scaling.polls(), 1);
    }

    #[test]
    fn with_a_window_only_full_receives_call_for_another_poll() {
        let mut scaling = Scaling::new(None, true);
        scaling.received(10, 3, 1, at(0));
        assert_eq!(scaling.polls(), 1);
        scaling.received(10, 10, 1, at(10));
        assert_eq!(scaling.polls(), 2);
    }

    #[test]
    fn an_empty_queue_brings_the_limit_back_to_the_start() {
        let mut scaling = Scaling::new(None, false);
        busy(&mut scaling, 0, 60);
        for poll in 0..7 {
            scaling.received(10, 0, 1, at(60_000 + poll * 20_000));
        }
        assert_eq!(scaling.limit(), 5);
    }

    // spec: 4.3, 4.4
    #[test]
    fn sustained_errors_halve_it_a_second_and_a_single_poison_does_not() {
        let mut scaling = Scaling::new(Some(40), false);
        busy(&mut scaling, 0, 60);
        for tick in 0..100 {
            scaling.ended(
                if tick % 10 == 0 {
                    Ended::Badly
                } else {
                    Ended::Well
                },
                at(60_000 + tick * 100),
            );
        }
        assert_eq!(scaling.limit(), 40, "one in ten fails");
        for tick in 0..60 {
            scaling.ended(Ended::Badly, at(70_000 + tick * 100));
        }
        assert!(scaling.limit() <= 2, "{}", scaling.limit());
    }

    #[test]
    fn a_throttle_halves_it_at_once_and_growth_waits_until_they_stop() {
        let mut scaling = Scaling::new(Some(40), false);
        busy(&mut scaling, 0, 60);
        scaling.ended(Ended::Refused, at(60_000));
        scaling.ended(Ended::Refused, at(60_100));
        assert_eq!(
            scaling.limit(),
            20,
            "two throttles within a second are one event"
        );
        busy(&mut scaling, 60, 4);
        assert_eq!(scaling.limit(), 20);
        busy(&mut scaling, 65, 60);
        assert_eq!(scaling.limit(), 40);
    }

    #[test]
    fn however_bad_it_gets_one_batch_may_run() {
        let mut scaling = Scaling::new(None, false);
        for tick in 0..100 {
            scaling.ended(Ended::Refused, at(tick * 1_000));
        }
        assert_eq!((scaling.limit(), scaling.polls()), (1, 1));
    }

    #[test]
    fn each_empty_receive_halves_the_limit_down_to_the_start() {
        let mut scaling = Scaling::new(Some(41), false);
        busy(&mut scaling, 0, 60);
        for (poll, limit) in [(0, 20), (1, 10), (2, 5), (3, 5)] {
            scaling.received(10, 0, 1, at(60_000 + poll * 20_000));
            assert_eq!(scaling.limit(), limit, "after {poll}");
        }
    }
}
