//! Many lives at once: each in one thread from its first moment to its last, so that a life is the same whatever runs beside it.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::bars::number;

/// How many lives run at once where the machine does not say how many it can.
const AT_ONCE: usize = 2;

/// Lives those of these seeds, as many at once as the machine has cores. The results come in the order of the seeds; a panic leaves none.
#[allow(
    clippy::disallowed_methods,
    reason = "each life has a runtime of its own, and the test awaits them all"
)]
pub fn live<T: Send>(seeds: Range<u64>, life: impl Fn(u64) -> T + Sync) -> Vec<(u64, Option<T>)> {
    let cores = std::thread::available_parallelism().map_or(AT_ONCE, usize::from);
    let count = usize::try_from(seeds.end.saturating_sub(seeds.start)).unwrap_or(usize::MAX);
    let (next, results) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let came = catch_unwind(AssertUnwindSafe(|| life(seed))).ok();
            results.lock().unwrap().push((seed, came));
        }
    };
    std::thread::scope(|threads| {
        for _ in 0..cores.min(count) {
            threads.spawn(work);
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(seed, _)| *seed);
    results
}

/// The seeds that a suite is to live: the one that is to be replayed (`SLUICEGATE_SEED`), or as many as usual, or what its share of
/// the bars takes, or as told (`SLUICEGATE_SEEDS`), from `SLUICEGATE_FIRST` on.
pub fn seeds(usual: u64, bar: u64) -> Range<u64> {
    if let Some(seed) = number("SLUICEGATE_SEED") {
        return seed..seed + 1;
    }
    let first = number("SLUICEGATE_FIRST").unwrap_or(0);
    first..first + super::bars::seeds(usual, bar)
}
