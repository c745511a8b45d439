//! The demo's figures at a moment: counts of the embedded AWS and of the ledgers, invocations from the service's metrics.

use serde::Deserialize;

use super::ledger::Ledger;
use super::{CLICKS, CLICKS_FAILED, CUSTOMERS};
use crate::metrics::Metrics;
use crate::sim::World;

/// Where figures come from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The embedded AWS.
    pub world: World,
    /// The service's.
    pub metrics: Metrics,
    /// What became of the clicks.
    pub clicks: Ledger,
    /// What became of the changes of customers.
    pub customers: Ledger,
}

/// All of them.
#[derive(Clone, Debug)]
pub struct Figures {
    /// The queues'.
    pub queues: Vec<Queue>,
    /// The streams'.
    pub streams: Vec<Stream>,
}

/// One queue's.
#[derive(Clone, Copy, Debug)]
pub struct Queue {
    /// Its name.
    pub name: &'static str,
    /// Accepted from the producer.
    pub sent: u64,
    /// Deleted by the service.
    pub deleted: u64,
    /// Gone to the dead-letter queue.
    pub moved: u64,
    /// Still in the queue, waiting or in flight.
    pub left: u64,
    /// Received and not settled.
    pub in_flight: u64,
    /// How its invocations ended.
    pub invocations: Invocations,
}

/// One stream's.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// Its name.
    pub name: &'static str,
    /// Records that it took.
    pub put: u64,
    /// Of them, handled.
    pub handled: u64,
    /// Handled when they had been already.
    pub again: u64,
    /// Passed over when a later one of their key was handled.
    pub disorder: u64,
    /// Reported to the on-failure queue.
    pub discarded: u64,
    /// How many of its shards are read.
    pub shards: usize,
    /// The oldest record that is read and not settled, in seconds, of all shards; none while none is read.
    pub age_s: Option<f64>,
    /// How its invocations ended.
    pub invocations: Invocations,
}

/// How the invocations of a mapping ended.
#[derive(Clone, Copy, Debug)]
pub struct Invocations {
    /// Everything was handled.
    pub succeeded: u64,
    /// Something was.
    pub partly: u64,
    /// Nothing was.
    pub failed: u64,
}

impl Stream {
    /// Neither handled nor discarded yet.
    pub fn left(&self) -> u64 {
        self.put.saturating_sub(self.handled + self.discarded)
    }
}

impl Figures {
    /// Nothing waits anywhere, and no iterator has an age.
    pub fn settled(&self) -> bool {
        self.queues.iter().all(|queue| queue.left == 0)
            && self
                .streams
                .iter()
                .all(|stream| stream.left() == 0 && stream.age_s == Some(0.0))
    }
}

impl Sources {
    /// The present figures.
    pub fn figures(&self) -> Figures {
        let text = self.metrics.encode();
        Figures {
            queues: super::QUEUES
                .map(|name| self.queue(&text, name))
                .into_iter()
                .collect(),
            streams: vec![
                stream(&text, CLICKS, &self.clicks, self.discarded()),
                stream(&text, CUSTOMERS, &self.customers, 0),
            ],
        }
    }

    fn queue(&self, text: &str, name: &'static str) -> Queue {
        let view = self
            .world
            .queue(name)
            .expect("the demo made its queues and deletes none");
        Queue {
            name,
            sent: view.counts.sent,
            deleted: view.counts.deleted,
            moved: view.counts.moved,
            left: view.messages.len() as u64,
            in_flight: view.in_flight as u64,
            invocations: invocations(text, name.trim_end_matches(".fifo")),
        }
    }

    /// How many records the on-failure queue tells of.
    fn discarded(&self) -> u64 {
        let queue = self.world.queue(CLICKS_FAILED);
        let told = queue.iter().flat_map(|queue| &queue.messages);
        told.filter_map(|message| serde_json::from_str::<Told>(&message.body).ok())
            .map(|told| told.batch.size)
            .sum()
    }
}

/// An on-failure record, as far as it matters here.
#[derive(Deserialize)]
struct Told {
    #[serde(rename = "KinesisBatchInfo")]
    batch: Batch,
}

#[derive(Deserialize)]
struct Batch {
    #[serde(rename = "batchSize")]
    size: u64,
}

fn stream(text: &str, name: &'static str, ledger: &Ledger, discarded: u64) -> Stream {
    let sums = ledger.sums();
    let ages_s = ages_s(text, name);
    Stream {
        name,
        put: sums.put,
        handled: sums.handled,
        again: sums.again,
        disorder: sums.disorder,
        discarded,
        shards: ages_s.len(),
        age_s: ages_s.into_iter().reduce(f64::max),
        invocations: invocations(text, name),
    }
}

fn invocations(text: &str, mapping: &str) -> Invocations {
    let ended = |outcome: &str| {
        let series =
            format!("sluicegate_invocations_total{{mapping=\"{mapping}\",outcome=\"{outcome}\"}} ");
        text.lines()
            .find_map(|line| line.strip_prefix(&series)?.parse().ok())
            .unwrap_or(0)
    };
    Invocations {
        succeeded: ended("success"),
        partly: ended("partial"),
        failed: ["function_error", "timeout", "throttled", "service_error"]
            .map(ended)
            .iter()
            .sum(),
    }
}

/// Of each shard that is read.
fn ages_s(text: &str, mapping: &str) -> Vec<f64> {
    let series = format!("sluicegate_iterator_age_seconds{{mapping=\"{mapping}\",");
    let ages = text.lines().filter(|line| line.starts_with(&series));
    ages.filter_map(|line| line.rsplit_once(' ')?.1.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_has_an_age_for_each_of_its_shards() {
        let text = "sluicegate_iterator_age_seconds{mapping=\"clicks\",shard=\"a\"} 0.25\n\
                    sluicegate_iterator_age_seconds{mapping=\"clicks\",shard=\"b\"} 2\n\
                    sluicegate_iterator_age_seconds{mapping=\"other\",shard=\"a\"} 9\n";
        assert_eq!(ages_s(text, "clicks"), [0.25, 2.0]);
        assert_eq!(ages_s(text, "nothing"), [0.0; 0]);
    }
}
