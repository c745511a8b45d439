//! A shard's progress, and its way into the store: what is settled here is settled for ever.
//!
//! Lanes change it beside each other; whoever wants his change kept waits for a commit that holds it. One commit is on
//! its way at a time, and holds everything that was changed before it was begun: lanes share them.

use std::sync::{Mutex, MutexGuard};

use super::Engine;
use super::window::windows;
use crate::checkpoint::{Claim, CommitError, Revision, Saved, Store};
use crate::metrics::{CommitOutcome, MappingMetrics};
use crate::model::lanes::Lanes;
use crate::model::progress::ShardProgress;
use crate::model::tumbling::Tumbling;

/// The progress of one shard.
#[derive(Debug)]
pub(super) struct Book {
    store: Store,
    claim: Claim,
    shard: String,
    metrics: MappingMetrics,
    page: Mutex<Page>,
    kept: tokio::sync::Mutex<Kept>,
}

/// What is to be kept.
#[derive(Debug)]
pub(super) struct Page {
    pub lanes: Lanes,
    pub windows: Option<Tumbling>,
    version: u64,
}

/// What is.
#[derive(Debug)]
struct Kept {
    version: u64,
    revision: Revision,
}

impl Book {
    /// As the store has it.
    pub fn open(engine: &Engine, shard: &str, saved: &Saved) -> Self {
        let stream = &engine.stream;
        let progress = &saved.progress;
        Self {
            store: engine.store.clone(),
            claim: engine.claim.clone(),
            shard: shard.to_owned(),
            metrics: engine.metrics.clone(),
            page: Mutex::new(Page {
                lanes: Lanes::resume(progress, stream.parallelization_factor),
                windows: windows(stream.tumbling_window, progress),
                version: 0,
            }),
            kept: tokio::sync::Mutex::new(Kept {
                version: 0,
                revision: saved.revision,
            }),
        }
    }

    /// What the next reader of the shard goes on with. Everything must be kept.
    pub async fn saved(&self) -> Saved {
        let revision = self.kept.lock().await.revision;
        let progress = progress(&self.page());
        Saved { revision, progress }
    }

    /// Look something up.
    pub fn read<T>(&self, look: impl FnOnce(&Page) -> T) -> T {
        look(&self.page())
    }

    /// Change something; it is kept with the next commit.
    pub fn write<T>(&self, change: impl FnOnce(&mut Page) -> T) -> T {
        let mut page = self.page();
        page.version += 1;
        change(&mut page)
    }

    /// Returns when everything that was written before is kept.
    pub async fn commit(&self) -> Result<(), CommitError> {
        let wanted = self.page().version;
        let mut kept = self.kept.lock().await;
        if wanted <= kept.version {
            return Ok(());
        }
        let (version, progress) = {
            let page = self.page();
            (page.version, progress(&page))
        };
        let committed = self
            .store
            .commit(&self.claim, &self.shard, Some(kept.revision), &progress)
            .await;
        self.metrics.record_checkpoint_commit(match &committed {
            Ok(_) => CommitOutcome::Success,
            Err(CommitError::Stale { .. }) => CommitOutcome::Stale,
            Err(_) => CommitOutcome::Failure,
        });
        *kept = Kept {
            version,
            revision: committed?,
        };
        Ok(())
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().expect(
            "nothing panics while it holds the page; a lane that does takes its shard with it",
        )
    }
}

fn progress(page: &Page) -> ShardProgress {
    ShardProgress {
        window: page.windows.as_ref().and_then(Tumbling::progress).cloned(),
        windows_from_ms: page.windows.as_ref().and_then(Tumbling::from_ms),
        ..page.lanes.progress()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::progress::{Position, WindowProgress};

    // An open window, and how far windows are closed: whose clock is behind ours would open one of these again.
    #[test]
    fn what_is_kept_is_what_it_goes_on_with() {
        let was = ShardProgress {
            window: Some(WindowProgress {
                start_ms: 60_000,
                length_ms: 60_000,
                state: "{}".to_owned(),
                terminated_early: false,
                final_failures: 1,
                final_first_failed_ms: Some(130_000),
                final_last: None,
            }),
            windows_from_ms: Some(60_000),
            ..ShardProgress::beginning(Position::Horizon, 1)
        };
        let page = Page {
            lanes: Lanes::resume(&was, 1),
            windows: windows(Some(Duration::from_secs(60)), &was),
            version: 0,
        };
        assert_eq!(progress(&page), was);
    }
}
