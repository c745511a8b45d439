//! DynamoDB Streams.

use serde_json::json;

use super::{POISON, by_key, delivered, of, report, settled, throws};
use crate::support::cloud::Cloud;
use crate::support::collector::{Collector, Reply};
use crate::support::queue::QueueShape;
use crate::support::stream::{sequence_numbers, texts};

crate::support::scenarios! {
    every_change_is_delivered_in_the_order_of_its_key,
    a_poison_change_is_isolated_by_bisection_and_reported,
    a_restart_goes_on_behind_what_is_settled,
    latest_begins_with_what_comes_after_the_mapping_is_enabled,
}

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

async fn every_change_is_delivered_in_the_order_of_its_key(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let table = cloud.table("orders").await;
    let function = cloud.function("index", &collector).await;
    for key in KEYS {
        table.put(key, &of(key, 0..5)).await;
    }
    let gate = cloud
        .config()
        .mapping(
            "orders",
            &table.arn,
            &function,
            "StartingPosition: TRIM_HORIZON, BatchSize: 7",
        )
        .start()
        .await;
    for key in KEYS {
        table.put(key, &of(key, 5..10)).await;
    }
    let calls = collector
        .wait_for("all changes", |calls| delivered(calls).len() == 40)
        .await;
    for (key, texts) in by_key(&calls) {
        assert_eq!(texts, of(&key, 0..10));
    }
    let records = calls.iter().flat_map(|call| {
        let records = call.event["Records"].as_array();
        records.cloned().unwrap_or_default()
    });
    for record in records {
        let first = record["dynamodb"]["NewImage"]["text"]["S"]
            .as_str()
            .is_some_and(|text| text.ends_with(" 000"));
        let name = if first { "INSERT" } else { "MODIFY" };
        assert_eq!(
            (&record["eventName"], &record["eventSourceARN"]),
            (&json!(name), &json!(table.arn))
        );
    }
    assert_eq!(gate.stop().await, settled(40, 0));
}

// spec: 3.4, 6.1
async fn a_poison_change_is_isolated_by_bisection_and_reported(cloud: Cloud) {
    let collector = Collector::start(throws).await;
    let table = cloud.table("orders").await;
    let failed = cloud.queue("failed", QueueShape::default()).await;
    let function = cloud.function("index", &collector).await;
    table.put("a", &of("a", 0..1)).await;
    table.put("a", &[POISON.to_owned()]).await;
    table.put("a", &of("a", 1..3)).await;
    let settings = format!(
        "StartingPosition: TRIM_HORIZON, BisectBatchOnFunctionError: true, MaximumRetryAttempts: 1, \
         DestinationConfig: {{ OnFailure: {{ Destination: \"{}\" }} }}",
        failed.arn
    );
    let gate = cloud
        .config()
        .mapping("orders", &table.arn, &function, &settings)
        .start()
        .await;
    let report = report(&failed).await;
    let calls = collector
        .wait_for("the end", |calls| {
            calls.len() == 6 && calls[5].answered.is_some()
        })
        .await;
    let batches: Vec<_> = calls.iter().map(|call| texts(call).join(",")).collect();
    assert_eq!(
        batches,
        [
            "a 000,poison,a 001,a 002",
            "a 000,poison",
            "a 000",
            "poison",
            "poison",
            "a 001,a 002",
        ]
    );
    let number = &sequence_numbers(&calls[3])[0];
    let info = &report["DDBStreamBatchInfo"];
    assert_eq!(
        report["requestContext"]["condition"],
        "RetryAttemptsExhausted"
    );
    assert_eq!(
        (
            &info["batchSize"],
            &info["streamArn"],
            &info["startSequenceNumber"],
            &info["endSequenceNumber"]
        ),
        (&json!(1), &json!(table.arn), &json!(number), &json!(number))
    );
    assert_eq!(gate.stop().await, settled(4, 1));
}

async fn a_restart_goes_on_behind_what_is_settled(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let table = cloud.table("orders").await;
    let function = cloud.function("index", &collector).await;
    let home = tempfile::tempdir().unwrap();
    let config = cloud
        .config()
        .checkpoints(&home.path().join("checkpoints.db"))
        .mapping(
            "orders",
            &table.arn,
            &function,
            "StartingPosition: TRIM_HORIZON",
        );
    for life in 0..3 {
        table.put("a", &of("a", life * 5..(life + 1) * 5)).await;
        let gate = config.start().await;
        collector
            .wait_for("all changes", |calls| {
                delivered(calls).len() >= (life + 1) * 5
            })
            .await;
        assert_eq!(gate.stop().await, settled(5, 0), "life {life}");
    }
    assert_eq!(delivered(&collector.calls()), of("a", 0..15), "none twice");
}

// spec: 5.6
async fn latest_begins_with_what_comes_after_the_mapping_is_enabled(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let table = cloud.table("orders").await;
    let function = cloud.function("index", &collector).await;
    table.put("a", &of("a", 0..3)).await;
    let gate = cloud
        .config()
        .mapping("orders", &table.arn, &function, "StartingPosition: LATEST")
        .start()
        .await;
    gate.ready().await;
    table.put("a", &of("a", 3..6)).await;
    let calls = collector
        .wait_for("the later ones", |calls| delivered(calls).len() >= 3)
        .await;
    assert_eq!(delivered(&calls), of("a", 3..6));
    assert_eq!(gate.stop().await, settled(3, 0));
}
