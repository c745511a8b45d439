//! The demo's producers: they send through the real SQS API, as any application would.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::aws::producer::{Draft, Producer};

/// How often each producer sends a batch.
const TICK: Duration = Duration::from_millis(50);

/// What is sent to one queue.
pub struct Traffic {
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
pub async fn send(traffic: Traffic, end: CancellationToken) {
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
