//! The world's time: tokio's clock for waits, and a wall clock that is derived from it.
//! Under a paused runtime both stand still until every task waits, so hours pass in milliseconds.

use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;
use tokio::time::Instant;

/// What the wall clock shows when a world begins, unless told otherwise: 2026-01-01T00:00:00Z.
pub const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// A wall clock that follows tokio's. Hand it to SDK clients as their time source.
#[derive(Clone, Copy, Debug)]
pub struct SimTime {
    start: Instant,
    epoch: Duration,
}

impl SimTime {
    /// A clock that shows `epoch` (since 1970) now.
    pub fn starting_at(epoch: Duration) -> Self {
        Self {
            start: Instant::now(),
            epoch,
        }
    }

    /// How long ago this clock was started.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Milliseconds since 1970, rounded down: the unit of every time stamp of SQS.
    pub fn now_ms(&self) -> u64 {
        whole_ms(self.epoch + self.elapsed())
    }

    /// The instant at which `now_ms` first shows `at_ms`; the start for a time before it.
    pub fn instant(&self, at_ms: u64) -> Instant {
        self.start + Duration::from_millis(at_ms).saturating_sub(self.epoch)
    }
}

impl TimeSource for SimTime {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.epoch + self.elapsed()
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// `seconds` as milliseconds.
pub(super) fn seconds_ms(seconds: u32) -> u64 {
    u64::from(seconds) * 1000
}
