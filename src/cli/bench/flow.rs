//! When records arrive: so many a second, evenly, or as many as are asked for.

use tokio::time::{Duration, Instant};

/// A stream of arrivals, counted from 0. Those of a rate are handed out once each.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    began: Instant,
    /// None: there is always a backlog.
    per_second: Option<f64>,
}

impl Flow {
    /// From now on; without a rate, without end.
    pub fn new(per_second: Option<f64>) -> Self {
        Self {
            began: Instant::now(),
            per_second,
        }
    }

    /// How many of the `wanted` records from number `next` on are there.
    pub fn there(&self, next: u64, wanted: usize) -> usize {
        let Some(per_second) = self.per_second else {
            return wanted;
        };
        let arrived = (self.began.elapsed().as_secs_f64() * per_second) as u64;
        usize::try_from(arrived.saturating_sub(next)).map_or(wanted, |there| there.min(wanted))
    }

    /// When record `number` arrives, in microseconds since `began_us`, the moment at which the flow began; 0 where records have no
    /// time of their own.
    pub fn arrival_us(&self, began_us: u64, number: u64) -> u64 {
        self.offset_s(number)
            .map_or(0, |seconds| began_us + (seconds * 1_000_000.0) as u64)
    }

    /// The moment at which record `number` is there.
    pub fn arrival(&self, number: u64) -> Instant {
        let offset = self.offset_s(number).map(Duration::from_secs_f64);
        self.began + offset.unwrap_or_default()
    }

    /// How long after the beginning record `number` arrives.
    fn offset_s(&self, number: u64) -> Option<f64> {
        self.per_second
            .map(|per_second| (number as f64 + 1.0) / per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn records_are_there_when_they_have_arrived_and_without_a_rate_always() {
        let flow = Flow::new(Some(100.0));
        assert_eq!(flow.there(0, 10), 0);
        tokio::time::advance(Duration::from_millis(55)).await;
        assert_eq!(
            (
                flow.there(0, 10),
                flow.there(0, 3),
                flow.there(4, 10),
                flow.there(9, 10)
            ),
            (5, 3, 1, 0)
        );
        assert_eq!(flow.arrival_us(1_000, 0), 11_000);
        assert_eq!(flow.arrival(5) - Instant::now(), Duration::from_millis(5));
        let backlog = Flow::new(None);
        assert_eq!(
            (backlog.there(1_000_000, 10), backlog.arrival_us(1_000, 7)),
            (10, 0)
        );
    }
}
