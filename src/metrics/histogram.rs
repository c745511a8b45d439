//! Observations by size. The buckets alone, next to each other: most mappings are idle, and have three of these.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A histogram of `N` buckets, and one for what is above the last.
#[derive(Debug)]
pub(super) struct Histogram<const N: usize> {
    bounds: &'static [f64; N],
    counts: Mutex<Counts<N>>,
}

/// What was observed so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts<const N: usize> {
    /// Each by itself, not with those below it.
    buckets: [u64; N],
    above: u64,
    sum: f64,
}

impl<const N: usize> Histogram<N> {
    /// With these upper bounds, in rising order; each bound is in its bucket.
    pub fn new(bounds: &'static [f64; N]) -> Self {
        Self {
            bounds,
            counts: Mutex::new(Counts {
                buckets: [0; N],
                above: 0,
                sum: 0.0,
            }),
        }
    }

    /// One more.
    pub fn observe(&self, value: f64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        let mut counts = self.counts();
        match counts.buckets.get_mut(at) {
            Some(bucket) => *bucket += 1,
            None => counts.above += 1,
        }
        counts.sum += value;
    }

    /// How many are at most as large as each bound, how many there are, and their sum: of one moment.
    pub fn read(&self) -> (impl Iterator<Item = (f64, u64)>, u64, f64) {
        let counts = *self.counts();
        let count = counts.buckets.iter().sum::<u64>() + counts.above;
        let mut so_far = 0;
        let bounds = self.bounds.iter().zip(counts.buckets);
        let cumulative = bounds.map(move |(bound, count)| {
            so_far += count;
            (*bound, so_far)
        });
        (cumulative, count, counts.sum)
    }

    fn counts(&self) -> MutexGuard<'_, Counts<N>> {
        // Nothing in it panics.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket_and_what_is_above_the_last_counts() {
        let histogram = Histogram::new(&[1.0, 2.5, 10.0]);
        for value in [0.0, 1.0, 1.1, 2.5, 9.0, 10.5] {
            histogram.observe(value);
        }
        let (buckets, count, sum) = histogram.read();
        let buckets: Vec<(f64, u64)> = buckets.collect();
        assert_eq!(buckets, [(1.0, 2), (2.5, 4), (10.0, 5)]);
        assert_eq!((count, sum), (6, 24.1));
    }
}
