//! The demo's producers: they send through the real SQS API, as any application would.

use std::net::SocketAddr;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{ORDERS, PAYMENTS};
use crate::sim::World;

/// 200 orders and 40 payments a second.
const TICK: Duration = Duration::from_millis(50);
const ORDERS_A_TICK: u64 = 10;
const PAYMENTS_A_TICK: u64 = 2;
/// One order in 100 and one payment in 200 can not be handled.
const ORDERS_A_POISON: u64 = 100;
const PAYMENTS_A_POISON: u64 = 200;
/// The FIFO queue's message groups.
const CUSTOMERS: u64 = 8;

/// Send until `end` is cancelled.
pub async fn send(client: Client, aws: SocketAddr, world: World, end: CancellationToken) {
    let account = &world.settings().account;
    let url = |queue: &str| format!("http://{aws}/{account}/{queue}");
    let (orders, payments) = (url(ORDERS), url(PAYMENTS));
    let mut ticks = tokio::time::interval(TICK);
    for tick in 0_u64.. {
        tokio::select! {
            biased;
            () = end.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let batch = |count: u64, poison: u64, groups: Option<u64>| {
            (tick * count..(tick + 1) * count)
                .filter_map(move |number| entry(number, poison, groups))
                .collect()
        };
        send_batch(
            &client,
            &orders,
            batch(ORDERS_A_TICK, ORDERS_A_POISON, None),
        )
        .await;
        send_batch(
            &client,
            &payments,
            batch(PAYMENTS_A_TICK, PAYMENTS_A_POISON, Some(CUSTOMERS)),
        )
        .await;
    }
}

fn entry(number: u64, poison: u64, groups: Option<u64>) -> Option<SendMessageBatchRequestEntry> {
    let poison = number % poison == poison / 2;
    let group = groups.map(|groups| format!("customer-{}", number % groups));
    let once = groups.map(|_| number.to_string());
    SendMessageBatchRequestEntry::builder()
        .id(number.to_string())
        .message_body(format!("{{\"number\":{number},\"poison\":{poison}}}"))
        .set_message_group_id(group)
        .set_message_deduplication_id(once)
        .build()
        .ok()
}

async fn send_batch(client: &Client, url: &str, entries: Vec<SendMessageBatchRequestEntry>) {
    if let Err(error) = client
        .send_message_batch()
        .queue_url(url)
        .set_entries(Some(entries))
        .send()
        .await
    {
        let error = crate::aws::fault::Failure::from(error);
        warn!(%error, "the demo's producer could not send");
    }
}
