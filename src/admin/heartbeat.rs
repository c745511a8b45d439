//! Whether the data plane still gets its turn: a task of the main runtime beats, the admin thread looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often it beats.
const BEAT: Duration = Duration::from_secs(1);
/// A process whose last beat is older is not responsive.
pub const BEAT_AGE_MAX: Duration = Duration::from_secs(10);

/// The last sign of life. Cheap to clone: all clones are the same.
#[derive(Clone, Debug)]
pub struct Heartbeat(Arc<Beats>);

#[derive(Debug)]
struct Beats {
    start: Instant,
    last_ms: AtomicU64,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::new()
    }
}

impl Heartbeat {
    /// Beaten just now, so that a process that starts counts as alive.
    pub fn new() -> Self {
        Self(Arc::new(Beats {
            start: Instant::now(),
            last_ms: AtomicU64::new(0),
        }))
    }

    /// A sign of life.
    pub fn beat(&self) {
        let since = self.0.start.elapsed().as_millis();
        self.0
            .last_ms
            .store(u64::try_from(since).unwrap_or(u64::MAX), Relaxed);
    }

    /// Beats every second until cancelled. To be run as a task of the runtime that is watched, through the drain too.
    pub async fn run(self, cancel: CancellationToken) {
        loop {
            self.beat();
            tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(BEAT) => {}
            }
        }
    }

    /// How long ago the last beat was.
    pub fn age(&self) -> Duration {
        let last = Duration::from_millis(self.0.last_ms.load(Relaxed));
        self.0.start.elapsed().saturating_sub(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_beats_while_the_runtime_turns_and_ages_when_it_does_not() {
        let heartbeat = Heartbeat::new();
        let cancel = CancellationToken::new();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(heartbeat.clone().run(cancel.clone()));
        tokio::time::sleep(Duration::from_millis(3_600_500)).await;
        assert_eq!(heartbeat.age(), Duration::from_millis(500));
        cancel.cancel();
        tasks.join_next().await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(heartbeat.age(), Duration::from_millis(60_500));
    }
}
