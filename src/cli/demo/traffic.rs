//! The demo's producers. Messages of queues are sent through the real SQS API, as any application would; records are put
//! and items written right into the embedded AWS.

use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::ledger::Ledger;
use crate::aws::producer::{Draft, Producer};
use crate::sim::World;

/// How often each producer sends a batch.
const TICK: Duration = Duration::from_millis(50);

/// What is sent to one queue.
pub struct Messages {
    /// Where to.
    pub producer: Producer,
    /// Messages each twentieth of a second, 1 to 10.
    pub a_tick: u64,
    /// One in this many can not be handled.
    pub a_poison: u64,
    /// Message groups; none on a standard queue.
    pub groups: Option<u64>,
}

/// Send until `end` is cancelled.
pub async fn send(traffic: Messages, end: CancellationToken) {
    let mut ticks = tokio::time::interval(TICK);
    for tick in 0_u64.. {
        tokio::select! {
            biased;
            () = end.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let numbers = tick * traffic.a_tick..(tick + 1) * traffic.a_tick;
        let drafts = numbers.map(|number| Draft {
            id: number.to_string(),
            body: format!(
                "{{\"number\":{number},\"poison\":{}}}",
                number % traffic.a_poison == traffic.a_poison / 2
            ),
            group: traffic
                .groups
                .map(|groups| format!("customer-{}", number % groups)),
        });
        if let Err(failure) = traffic.producer.send(drafts).await {
            warn!(%failure, "the demo's producer could not send");
        }
    }
}

/// Where numbered records go.
#[derive(Clone, Copy, Debug)]
pub enum Into {
    /// A Kinesis stream of this name.
    Stream(&'static str),
    /// A table of this name, whose stream tells of each write.
    Table(&'static str),
}

/// What is put into one stream.
#[derive(Clone, Debug)]
pub struct Records {
    /// The embedded AWS.
    pub world: World,
    /// Where to.
    pub into: Into,
    /// Keys, and what is counted.
    pub ledger: Ledger,
    /// Records each twentieth of a second.
    pub a_tick: u64,
    /// So many are there before the first tick.
    pub backlog: u64,
}

impl Records {
    /// Put what is to wait for the service, and return the number that comes next.
    pub fn put_backlog(&self) -> u64 {
        (0..self.backlog).for_each(|number| self.put(number));
        self.backlog
    }

    fn put(&self, number: u64) {
        let key = self.ledger.key(number);
        let text = format!("{{\"number\":{number}}}");
        let refused = match self.into {
            Into::Stream(name) => self
                .world
                .put_record(name, &key, text)
                .err()
                .map(|error| error.to_string()),
            Into::Table(name) => {
                let item =
                    json!({ "customer": { "S": key }, "number": { "N": number.to_string() } });
                let written = self.world.put_item(name, &item);
                written.err().map(|error| error.to_string())
            }
        };
        match refused {
            None => self.ledger.put(),
            Some(refused) => warn!(refused, "the demo's producer could not put a record"),
        }
    }
}

/// Put records until `end` is cancelled, from this number on.
pub async fn put(traffic: Records, first: u64, end: CancellationToken) {
    let mut ticks = tokio::time::interval(TICK);
    for tick in 0_u64.. {
        tokio::select! {
            biased;
            () = end.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let from = first + tick * traffic.a_tick;
        (from..from + traffic.a_tick).for_each(|number| traffic.put(number));
    }
}
