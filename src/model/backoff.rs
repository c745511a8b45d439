//! The delay before the n-th repeat, given the jitter.
//!
//! The arithmetic is the `backoff` crate's. Its own randomness is switched off: the jitter is an argument, so that a
//! simulated run repeats from its seed. (The crate adds at most a nanosecond of its own, which is cut off.)

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;

/// Doubling delays between two bounds, with the last half of each left to chance.
#[derive(Debug)]
pub struct Backoff {
    steps: ExponentialBackoff,
}

impl Backoff {
    /// The first delay is `first` at most, no delay is longer than `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        let steps = ExponentialBackoff {
            current_interval: first,
            initial_interval: first,
            randomization_factor: 0.0,
            multiplier: 2.0,
            max_interval: longest,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        Self { steps }
    }

    /// The delay before the next repeat: between half of this step and the whole of it, as `jitter` (0.0..1.0) says.
    pub fn delay(&mut self, jitter: f64) -> Duration {
        let step = self
            .steps
            .next_backoff()
            .expect("without a limit on the elapsed time there is always a next step");
        let spread = 0.5 + 0.5 * jitter.clamp(0.0, 1.0);
        Duration::from_millis((step.as_millis() as f64 * spread).round() as u64)
    }

    /// After a success the next failure waits for the first delay again.
    pub fn reset(&mut self) {
        self.steps.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(backoff: &mut Backoff, count: usize, jitter: f64) -> Vec<u64> {
        (0..count)
            .map(|_| backoff.delay(jitter).as_millis() as u64)
            .collect()
    }

    #[test]
    fn delays_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(2));
        assert_eq!(
            delays(&mut backoff, 6, 1.0),
            [200, 400, 800, 1600, 2000, 2000]
        );
    }

    #[test]
    fn jitter_takes_at_most_half_of_a_delay() {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(2));
        assert_eq!(delays(&mut backoff, 3, 0.0), [100, 200, 400]);
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(2));
        assert_eq!(delays(&mut backoff, 3, 0.5), [150, 300, 600]);
    }

    #[test]
    fn a_success_starts_over() {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(2));
        delays(&mut backoff, 4, 1.0);
        backoff.reset();
        assert_eq!(delays(&mut backoff, 2, 1.0), [200, 400]);
    }
}
