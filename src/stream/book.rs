//! A shard's progress, and its way into the store: what is settled here is settled for ever.
//!
//! Lanes change it beside each other; whoever wants his change kept waits for a commit that holds it. One commit is on
//! its way at a time, and holds everything that was changed before it was begun: lanes share them.

use std::sync::Mutex;

use crate::checkpoint::{Claim, CommitError, Revision, Store};
use crate::metrics::{CommitOutcome, MappingMetrics};
use crate::model::lanes::Lanes;
use crate::model::progress::{ShardProgress, WindowProgress};

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
    pub window: Option<WindowProgress>,
    version: u64,
}

/// What is.
#[derive(Debug)]
struct Kept {
    version: u64,
    revision: Option<Revision>,
}

impl Book {
    /// As the store has it: `progress` is what was saved under `revision`.
    pub fn open(
        store: Store,
        claim: Claim,
        shard: &str,
        metrics: MappingMetrics,
        progress: &ShardProgress,
        revision: Option<Revision>,
        factor: u32,
    ) -> Self {
        Self {
            store,
            claim,
            shard: shard.to_owned(),
            metrics,
            page: Mutex::new(Page {
                lanes: Lanes::resume(progress, factor),
                window: progress.window.clone(),
                version: 0,
            }),
            kept: tokio::sync::Mutex::new(Kept {
                version: 0,
                revision,
            }),
        }
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
            let progress = ShardProgress {
                window: page.window.clone(),
                ..page.lanes.progress()
            };
            (page.version, progress)
        };
        let committed = self
            .store
            .commit(&self.claim, &self.shard, kept.revision, &progress)
            .await;
        self.metrics.record_checkpoint_commit(match &committed {
            Ok(_) => CommitOutcome::Success,
            Err(CommitError::Stale(_)) => CommitOutcome::Stale,
            Err(_) => CommitOutcome::Failure,
        });
        *kept = Kept {
            version,
            revision: Some(committed?),
        };
        Ok(())
    }

    /// Nothing was changed since the last commit.
    pub async fn clean(&self) -> bool {
        let version = self.page().version;
        self.kept.lock().await.version == version
    }

    fn page(&self) -> std::sync::MutexGuard<'_, Page> {
        self.page
            .lock()
            .expect("nothing panics while it holds the page; a lane that does takes its shard with it")
    }
}
