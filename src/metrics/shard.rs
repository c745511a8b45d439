//! What one shard shows while it is read: how old its oldest unsettled record is, and how often that failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::mapping::Cells;

/// The series of one shard. They end when it is dropped.
#[derive(Debug)]
pub struct ShardMetrics {
    mapping: Arc<Cells>,
    id: String,
    cells: Arc<ShardCells>,
}

#[derive(Debug, Default)]
pub(super) struct ShardCells {
    /// When the oldest unsettled record arrived, in milliseconds since 1970; 0 for none.
    oldest_ms: AtomicU64,
    /// How far reading was behind the shard's tip when it last looked.
    behind_ms: AtomicU64,
    /// Since when reads fail, in milliseconds since 1970; 0 while they do not.
    unreadable_ms: AtomicU64,
    failures: AtomicUsize,
}

impl ShardMetrics {
    pub(super) fn begin(mapping: &Arc<Cells>, id: &str) -> Self {
        let cells = Arc::<ShardCells>::default();
        mapping.shards().insert(id.to_owned(), cells.clone());
        Self {
            mapping: mapping.clone(),
            id: id.to_owned(),
            cells,
        }
    }

    /// The oldest record that is read and not settled arrived then; none when all is settled.
    pub fn set_oldest(&self, arrived_ms: Option<u64>) {
        self.cells
            .oldest_ms
            .store(arrived_ms.unwrap_or_default(), Relaxed);
    }

    /// Reading is so far behind the shard's tip.
    pub fn set_behind(&self, behind_ms: u64) {
        self.cells.behind_ms.store(behind_ms, Relaxed);
    }

    /// Reads fail, at this time; none when one succeeded.
    pub fn set_unreadable(&self, now_ms: Option<u64>) {
        let cell = &self.cells.unreadable_ms;
        match now_ms {
            // The first of several failures stays. One reader alone calls this.
            Some(now_ms) if cell.load(Relaxed) == 0 => cell.store(now_ms, Relaxed),
            Some(_) => {}
            None => cell.store(0, Relaxed),
        }
    }

    /// The records that the shard is at failed so often in a row.
    pub fn set_failures(&self, failures: usize) {
        self.cells.failures.store(failures, Relaxed);
    }
}

impl Drop for ShardMetrics {
    fn drop(&mut self) {
        let mut shards = self.mapping.shards();
        // A newer reader of the same shard has its own.
        if shards
            .get(&self.id)
            .is_some_and(|cells| Arc::ptr_eq(cells, &self.cells))
        {
            shards.remove(&self.id);
        }
    }
}

impl ShardCells {
    /// Computed when asked, so that it rises also while the shard stands still.
    pub(super) fn age_seconds(&self, now_ms: u64) -> f64 {
        let age_ms = match self.oldest_ms.load(Relaxed) {
            // What is not read may be as old as the trouble.
            0 => match self.unreadable_ms.load(Relaxed) {
                0 => self.behind_ms.load(Relaxed),
                since => self.behind_ms.load(Relaxed) + now_ms.saturating_sub(since),
            },
            oldest => now_ms.saturating_sub(oldest),
        };
        age_ms as f64 / 1000.0
    }

    pub(super) fn failures(&self) -> usize {
        self.failures.load(Relaxed)
    }
}
