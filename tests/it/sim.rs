//! The embedded AWS, asked by the real SDK clients: each rule that the engine relies on.

#![allow(clippy::unwrap_used)]

mod dynamodb_items;
mod dynamodb_streams;
mod faults;
mod kinesis_faults;
mod kinesis_records;
mod kinesis_streams;
mod kinesis_subscribe;
mod lambda;
mod mishaps;
mod sns_s3;
mod sqs_fifo;
mod sqs_queues;
mod sqs_standard;
mod tcp;

use std::time::Duration;

use aws_sdk_sqs::{Client, types::Message};
use sluicegate::sim::{Event, World};
use tokio::time::sleep;

const SECOND: Duration = Duration::from_secs(1);

/// A world with one queue of these attributes, a client for it, and the queue's URL.
fn queue(name: &str, attributes: &[(&str, &str)]) -> (World, Client, String) {
    let world = World::new(1);
    let url = world.create_queue(name, attributes).unwrap();
    let client = world.sqs_client();
    (world, client, url)
}

/// Receives up to ten messages at once, without waiting.
async fn receive(client: &Client, url: &str) -> Vec<Message> {
    client
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(10)
        .send()
        .await
        .unwrap()
        .messages
        .unwrap_or_default()
}

async fn receive_one(client: &Client, url: &str) -> Message {
    let mut messages = receive(client, url).await;
    assert_eq!(messages.len(), 1);
    messages.remove(0)
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.body().unwrap())
        .collect()
}

/// The names of what happened, in order.
fn events(world: &World) -> Vec<&'static str> {
    let name = |event: &Event| match event {
        Event::Sent { .. } => "sent",
        Event::Received { .. } => "received",
        Event::Reappeared { .. } => "reappeared",
        Event::VisibilityChanged { .. } => "changed",
        Event::Deleted { .. } => "deleted",
        Event::Expired { .. } => "expired",
        Event::MovedToDlq { .. } => "moved",
        Event::Purged { .. } => "purged",
        Event::Streamed { .. } => "streamed",
        Event::RecordsTrimmed { .. } => "trimmed",
        Event::Published { .. } => "published",
        Event::Stored { .. } => "stored",
        Event::Invoked { .. } => "invoked",
        Event::Replied { .. } => "replied",
        Event::RecordPut { .. } => "put",
        Event::RecordsRead { .. } => "read",
        Event::Resharded { .. } => "resharded",
        Event::Faulted { .. } => "faulted",
        Event::Crashed { .. } => "crashed",
    };
    world
        .history()
        .iter()
        .map(|entry| name(&entry.event))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_run_to_the_byte() {
    async fn run(seed: u64) -> (String, u64) {
        fastrand::seed(seed);
        let world = World::new(seed);
        let url = world.create_queue("q", &[]).unwrap();
        let client = world.sqs_client();
        world.fault_chance(None, sluicegate::sim::Fault::Slow, 0.3);
        let mut seen = String::new();
        for n in 0..20 {
            let _ = client
                .send_message()
                .queue_url(&url)
                .message_body(n.to_string())
                .send()
                .await;
            seen += &format!("{:?}", receive(&client, &url).await);
            sleep(SECOND).await;
        }
        (seen + &format!("{:?}", world.history()), world.trace())
    }
    let first = run(7).await;
    assert_eq!(first, run(7).await);
    assert_ne!(first, run(8).await);
}
