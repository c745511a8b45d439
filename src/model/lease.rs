//! How long a receive hides its messages: the lease that a batch needs. // spec: 4.1

use std::time::Duration;

/// The queue refuses to hide a message for longer than this after it was received. // spec: 10
pub const HIDDEN_MAX: Duration = Duration::from_secs(12 * 60 * 60);

/// What is added to a function's time-out where the queue's own visibility is too short for it. // spec: 4.1
const LEASE_MARGIN: Duration = Duration::from_secs(30);

/// The lease that a batch needs: how long a receive hides its messages, and each extension again. // spec: 4.1
///
/// The queue's own visibility time-out serves when it covers the window and the function's time-out; otherwise their
/// sum and 30 s, as AWS does (AWS only with a window: without one it refuses such a mapping).
pub fn lease(visibility: Duration, window: Duration, timeout: Duration) -> Duration {
    let needed = window + timeout;
    let serves = needed <= visibility && !visibility.is_zero();
    let length = if serves {
        visibility
    } else {
        needed + LEASE_MARGIN
    };
    length.min(HIDDEN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    // spec: 4.1
    #[test]
    fn the_lease_is_the_queues_own_unless_it_is_too_short_for_window_and_function() {
        for (visibility, window, timeout, length) in [
            (30, 0, 3, 30),
            (30, 0, 30, 30),
            (30, 10, 20, 30),
            (30, 11, 20, 61),
            (30, 0, 60, 90),
            (0, 0, 0, 30),
            (43_200, 0, 900, 43_200),
            (50, 300, 900, 1230),
        ] {
            assert_eq!(
                lease(visibility * SECOND, window * SECOND, timeout * SECOND),
                length * SECOND,
                "{visibility} {window} {timeout}"
            );
        }
    }
}
