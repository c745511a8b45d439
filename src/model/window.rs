//! Is the batch due: by count, by bytes, by time. // spec: 4.7

use std::time::Duration;

use super::event::{EVENT_BYTES_MAX, event_bytes};

/// The most that one ReceiveMessage returns. // spec: 10
pub const RECEIVE_MESSAGES_MAX: usize = 10;

/// A mapping's rule for when to invoke.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Invoke with this many messages, 1 to 10,000.
    pub count_max: usize,
    /// Invoke this long after the first message arrived; zero invokes with what one receive brought.
    pub length: Duration,
}

/// What is to be done next about a batch that is being gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Receive up to this many messages, waiting on the queue for up to `wait_s` seconds.
    Receive {
        /// 1 to 10 messages.
        count: usize,
        /// 0 to 20 seconds.
        wait_s: u64,
    },
    /// Nothing more is to be had before the window ends: let it run out.
    Rest {
        /// When the window ends.
        until: Duration,
    },
    /// Invoke.
    Due,
}

/// A batch that is being gathered: what it holds, and since when.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gathering {
    count: usize,
    record_bytes: usize,
    opened: Option<Duration>,
    /// The last receive was a short poll and brought nothing: the queue has no more just now.
    dry: bool,
}

impl Gathering {
    /// A receive came back with nothing that the batch could use; `short` when it did not wait on the queue.
    pub fn received_nothing(&mut self, short: bool) {
        self.dry = short;
    }

    /// Would the event still be within the payload limit with this record? The first record always fits: it can not
    /// be made smaller, and what is to become of it is the invocation's answer.
    pub fn fits(&self, record_bytes: usize) -> bool {
        self.count == 0 || self.bytes_with(record_bytes) <= EVENT_BYTES_MAX
    }

    /// A record joined the batch, which arrived at that time.
    pub fn joined(&mut self, record_bytes: usize, arrived: Duration) {
        self.count += 1;
        self.record_bytes += record_bytes;
        self.opened.get_or_insert(arrived);
        self.dry = false;
    }

    /// When the window ends; `None` while nothing was gathered.
    pub fn ends(&self, window: Window) -> Option<Duration> {
        self.opened.map(|opened| opened + window.length)
    }

    /// The next step. `wait_max_s` bounds a long poll; `overflow` tells that a record is waiting that did not fit.
    pub fn next(&self, window: Window, wait_max_s: u64, overflow: bool, now: Duration) -> Next {
        let Some(ends) = self.ends(window) else {
            return Next::Receive {
                count: window.count_max.min(RECEIVE_MESSAGES_MAX),
                wait_s: wait_max_s,
            };
        };
        let full =
            overflow || self.count >= window.count_max || self.bytes_with(1) > EVENT_BYTES_MAX;
        if full || ends <= now {
            return Next::Due;
        }
        // Whole seconds are all that the API takes: rounded down, so that a poll never outlasts the window; a batch
        // that still grows is topped up with short polls until the queue runs dry.
        let wait_s = (ends - now).as_secs().min(wait_max_s);
        if wait_s == 0 && self.dry {
            return Next::Rest { until: ends };
        }
        Next::Receive {
            count: (window.count_max - self.count).min(RECEIVE_MESSAGES_MAX),
            wait_s,
        }
    }

    fn bytes_with(&self, record_bytes: usize) -> usize {
        event_bytes([self.record_bytes, record_bytes].into_iter()) + self.count.saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn gathered(records: &[usize]) -> Gathering {
        let mut gathering = Gathering::default();
        for record in records {
            gathering.joined(*record, SECOND);
        }
        gathering
    }

    #[test]
    fn an_empty_batch_waits_on_the_queue_as_long_as_it_may() {
        for (count_max, count) in [(1, 1), (10, 10), (10_000, 10)] {
            let window = Window {
                count_max,
                length: Duration::ZERO,
            };
            let next = Gathering::default().next(window, 20, false, SECOND);
            assert_eq!(next, Next::Receive { count, wait_s: 20 });
        }
    }

    // spec: 4.7 invoke when the count, the window or the payload limit is reached
    #[test]
    fn a_batch_is_due_by_count_by_bytes_and_by_time() {
        let window = |count_max, length| Window { count_max, length };
        let big = EVENT_BYTES_MAX - 15;
        let table = [
            (
                "no window: what one receive brought",
                &[1][..],
                window(10, Duration::ZERO),
                false,
                SECOND,
                Next::Due,
            ),
            (
                "count reached",
                &[1, 1],
                window(2, 300 * SECOND),
                false,
                SECOND,
                Next::Due,
            ),
            (
                "window over",
                &[1],
                window(100, 2 * SECOND),
                false,
                3 * SECOND,
                Next::Due,
            ),
            (
                "a record did not fit",
                &[1],
                window(100, 2 * SECOND),
                true,
                SECOND,
                Next::Due,
            ),
            (
                "not one byte more fits",
                &[big],
                window(100, 2 * SECOND),
                false,
                SECOND,
                Next::Due,
            ),
            (
                "one byte more fits",
                &[big - 1],
                window(100, 2 * SECOND),
                false,
                SECOND,
                Next::Receive {
                    count: 10,
                    wait_s: 2,
                },
            ),
            (
                "the window is the wait",
                &[1],
                window(100, 5 * SECOND),
                false,
                2 * SECOND,
                Next::Receive {
                    count: 10,
                    wait_s: 4,
                },
            ),
            (
                "a long window is polled in long polls",
                &[1],
                window(100, 300 * SECOND),
                false,
                SECOND,
                Next::Receive {
                    count: 10,
                    wait_s: 20,
                },
            ),
            (
                "only what is missing is asked for",
                &[1; 97],
                window(100, 5 * SECOND),
                false,
                SECOND,
                Next::Receive {
                    count: 3,
                    wait_s: 5,
                },
            ),
        ];
        for (claim, records, window, overflow, now, expected) in table {
            assert_eq!(
                gathered(records).next(window, 20, overflow, now),
                expected,
                "{claim}"
            );
        }
    }

    #[test]
    fn below_a_second_the_queue_is_drained_by_short_polls_and_then_left_alone() {
        let window = Window {
            count_max: 100,
            length: SECOND,
        };
        let now = SECOND + Duration::from_millis(300);
        let mut gathering = gathered(&[1; 10]);
        assert_eq!(
            gathering.next(window, 20, false, now),
            Next::Receive {
                count: 10,
                wait_s: 0
            }
        );
        gathering.received_nothing(true);
        assert_eq!(
            gathering.next(window, 20, false, now),
            Next::Rest { until: 2 * SECOND }
        );
        assert_eq!(gathering.next(window, 20, false, 2 * SECOND), Next::Due);
    }

    #[test]
    fn what_fits_is_measured_on_the_event_to_the_byte() {
        let overhead = event_bytes([0].into_iter());
        let half = (EVENT_BYTES_MAX - overhead - 1) / 2;
        let rest = EVENT_BYTES_MAX - overhead - 1 - half;
        assert!(gathered(&[half]).fits(rest));
        assert!(!gathered(&[half]).fits(rest + 1));
        assert_eq!(event_bytes([half, rest].into_iter()), 6_291_456);
        assert!(gathered(&[half / 2, half - half / 2 - 1]).fits(rest));
        assert!(!gathered(&[half / 2, half - half / 2 - 1]).fits(rest + 1));
        assert!(
            Gathering::default().fits(EVENT_BYTES_MAX * 2),
            "a record that is too large goes alone"
        );
    }
}
