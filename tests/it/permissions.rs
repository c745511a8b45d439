//! The policies in `deploy/` allow what the service calls, and nothing else: a whole run of each kind of source, with a
//! discard, against the actions of its files. Whole lives of the simulation are held against them, too.

use std::time::Duration;

use serde_json::json;
use sluicegate::sim::dynamodb::ViewType;
use sluicegate::sim::{FunctionConfig, Reply};
use tokio::time::sleep;

use crate::engine::{FUNCTION, Stage};
use crate::support::policy::{Actions, DESTINATION, Ledger, Place};

/// Run a mapping of this source for two minutes, and say what it called.
async fn called(stage: &Stage, source: &str, more: &[&str]) -> Actions {
    let mut text = format!(
        "EventSourceMappings:\n  - Name: m\n    EventSourceArn: {source}\n    FunctionName: {FUNCTION}\n"
    );
    for line in more {
        text.push_str(&format!("    {line}\n"));
    }
    let running = stage.start_with(&text);
    sleep(Duration::from_secs(120)).await;
    running.stop().await;
    stage.world.actions()
}

/// No more and no less was called than these allow.
fn fits(called: &Actions, policies: &[Place]) {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.ran(policies, called), [""; 0], "not allowed");
    assert_eq!(ledger.idle(), [], "allowed, and never called");
}

const DISCARDING: [&str; 2] = ["StartingPosition: TRIM_HORIZON", "MaximumRetryAttempts: 0"];

fn to(destination: &str) -> String {
    format!("DestinationConfig: {{ OnFailure: {{ Destination: '{destination}' }} }}")
}

fn failing(seed: u64) -> Stage {
    let stage = Stage::new(seed);
    stage.function(FunctionConfig::default(), |_| Reply::error("no"));
    stage
}

#[tokio::test(start_paused = true)]
async fn a_queue_needs_what_its_policy_allows() {
    let stage = Stage::new(1);
    let config = FunctionConfig {
        timeout: Duration::from_secs(60),
        ..FunctionConfig::default()
    };
    // So long that the lease is extended.
    stage.function(config, |_| Reply::ok("{}").after(Duration::from_secs(50)));
    let visibility = [("VisibilityTimeout", "60")];
    stage.world.create_queue("orders", &visibility).unwrap();
    stage.world.send("orders", "hello").unwrap();
    let called = called(&stage, &stage.world.queue_arn("orders"), &[]).await;
    fits(&called, &[("sqs-policy.json", None)]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_needs_what_its_policy_allows_and_a_queue_for_its_discards() {
    let stage = failing(2);
    let stream = stage.world.create_stream("clicks", 1).unwrap();
    stage.world.create_queue("failed", &[]).unwrap();
    stage.world.put_record("clicks", "k", "hello").unwrap();
    let to = to(&stage.world.queue_arn("failed"));
    let called = called(&stage, &stream, &[DISCARDING[0], DISCARDING[1], &to]).await;
    fits(
        &called,
        &[
            ("kinesis-policy.json", None),
            (DESTINATION, Some("TheQueue")),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn a_consumer_needs_what_its_policy_allows_and_a_topic_for_its_discards() {
    let stage = failing(3);
    stage.world.create_stream("clicks", 1).unwrap();
    let consumer = stage.world.register_consumer("clicks", "alerts").unwrap();
    let topic = stage.world.create_topic("failed").unwrap();
    stage.world.put_record("clicks", "k", "hello").unwrap();
    let to = to(&topic);
    let called = called(&stage, &consumer, &[DISCARDING[0], DISCARDING[1], &to]).await;
    fits(
        &called,
        &[
            ("kinesis-consumer-policy.json", None),
            (DESTINATION, Some("TheTopic")),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn a_table_needs_what_its_policy_allows_and_a_bucket_for_its_discards() {
    let stage = failing(4);
    let view = ViewType::NewAndOldImages;
    let stream = stage.world.create_table("orders", "id", view).unwrap();
    stage.world.create_bucket("failed").unwrap();
    let item = json!({"id": {"S": "a"}});
    stage.world.put_item("orders", &item).unwrap();
    let to = to("arn:aws:s3:::failed");
    let called = called(&stage, &stream, &[DISCARDING[0], DISCARDING[1], &to]).await;
    fits(
        &called,
        &[
            ("dynamodb-policy.json", None),
            (DESTINATION, Some("TheBucket")),
        ],
    );
}
