//! The only reader of the wall clock. Ages and signatures need it; waits use tokio's clock, which this one can follow,
//! so that a test with a paused clock moves both.

use std::time::{Duration, SystemTime};

use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use tokio::time::Instant;

/// A wall clock: the machine's, or one that stands and moves with tokio's. Cheap to clone, all clones agree.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// Asked each time: a clock that was only read at the start would be wrong for ever after the machine slept or was
    /// set, and AWS refuses a signature that is five minutes off.
    Machine,
    /// What it showed at an instant of tokio's clock.
    Following { shown: SystemTime, at: Instant },
    /// Somebody else's, right or wrong.
    Borrowed(SharedTimeSource),
}

impl Clock {
    /// The machine's clock.
    pub fn machine() -> Self {
        Self(Kind::Machine)
    }

    /// A clock that shows `time` now and from here on follows tokio's clock.
    pub fn starting_at(time: SystemTime) -> Self {
        Self(Kind::Following {
            shown: time,
            at: Instant::now(),
        })
    }

    /// A clock that shows what another shows, such as one that a simulation sets wrong.
    pub fn shown_by(other: impl TimeSource + 'static) -> Self {
        Self(Kind::Borrowed(SharedTimeSource::new(other)))
    }

    /// What time it is.
    #[allow(clippy::disallowed_methods, reason = "the one place")]
    pub fn now(&self) -> SystemTime {
        match &self.0 {
            Kind::Machine => SystemTime::now(),
            Kind::Following { shown, at } => *shown + at.elapsed(),
            Kind::Borrowed(other) => other.now(),
        }
    }

    /// Milliseconds since 1970, rounded down; 0 for any time before it.
    pub fn now_ms(&self) -> u64 {
        let since = self.now().duration_since(SystemTime::UNIX_EPOCH);
        u64::try_from(since.unwrap_or(Duration::ZERO).as_millis()).unwrap_or(u64::MAX)
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        Clock::now(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH_MS: u64 = 1_767_225_600_123;

    #[tokio::test(start_paused = true)]
    async fn a_paused_clock_is_moved_by_waiting_and_by_nothing_else() {
        let clock = Clock::starting_at(SystemTime::UNIX_EPOCH + Duration::from_millis(EPOCH_MS));
        assert_eq!(clock.now_ms(), EPOCH_MS);
        tokio::time::sleep(Duration::from_hours(12)).await;
        assert_eq!(clock.now_ms(), EPOCH_MS + 12 * 3_600_000);
        let copy = clock.clone();
        assert_eq!(TimeSource::now(&copy), Clock::now(&clock));
    }

    #[tokio::test(start_paused = true)]
    async fn a_borrowed_clock_shows_what_the_other_shows() {
        let other = Clock::starting_at(SystemTime::UNIX_EPOCH + Duration::from_millis(EPOCH_MS));
        let clock = Clock::shown_by(other.clone());
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert_eq!(
            (clock.now_ms(), clock.now()),
            (EPOCH_MS + 3_600_000, other.now())
        );
    }

    #[test]
    fn the_machines_clock_has_left_the_year_of_this_test_behind() {
        assert!(Clock::machine().now_ms() > 1_767_225_600_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_before_1970_is_0() {
        let clock = Clock::starting_at(SystemTime::UNIX_EPOCH - Duration::from_secs(1));
        assert_eq!(clock.now_ms(), 0);
    }
}
