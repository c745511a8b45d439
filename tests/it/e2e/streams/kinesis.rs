//! Kinesis.

use std::time::Duration;

use serde_json::json;

use super::{POISON, by_key, delivered, of, report, settled, throws};
use crate::support::cloud::Cloud;
use crate::support::collector::{Collector, Reply};
use crate::support::queue::QueueShape;
use crate::support::stream::{sequence_numbers, texts};

crate::support::scenarios! {
    on others_with_kinesis:
    every_record_is_delivered_in_the_order_of_its_key,
    poison_is_isolated_by_bisection_and_reported,
    a_restart_goes_on_behind_what_is_settled,
    a_split_and_a_merge_in_the_middle_keep_the_order,
    latest_begins_with_what_comes_after_the_mapping_is_enabled,
    a_drain_in_the_middle_of_repeats_keeps_their_count,
}

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

async fn every_record_is_delivered_in_the_order_of_its_key(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let stream = cloud.stream("clicks", 2).await;
    let function = cloud.function("count", &collector).await;
    for key in KEYS {
        stream.put(key, &of(key, 0..10)).await;
    }
    let settings = "StartingPosition: TRIM_HORIZON, BatchSize: 7";
    let gate = cloud
        .config()
        .mapping("clicks", &stream.arn, &function, settings)
        .start()
        .await;
    for key in KEYS {
        stream.put(key, &of(key, 10..20)).await;
    }
    let calls = collector
        .wait_for("all records", |calls| delivered(calls).len() == 80)
        .await;
    for (key, texts) in by_key(&calls) {
        assert_eq!(texts, of(&key, 0..20));
    }
    assert!(
        calls.iter().all(|call| texts(call).len() <= 7),
        "{calls:#?}"
    );
    let record = &calls[0].event["Records"][0];
    assert_eq!(
        (&record["eventSource"], &record["eventSourceARN"]),
        (&json!("aws:kinesis"), &json!(stream.arn))
    );
    let role = record["invokeIdentityArn"].as_str().unwrap_or_default();
    assert!(role.ends_with(":role/function"), "{record}");
    assert_eq!(gate.stop().await, settled(80, 0));
}

// spec: 3.4, 6.1
async fn poison_is_isolated_by_bisection_and_reported(cloud: Cloud) {
    let collector = Collector::start(throws).await;
    let stream = cloud.stream("clicks", 1).await;
    let failed = cloud.queue("failed", QueueShape::default()).await;
    let function = cloud.function("count", &collector).await;
    stream.put("a", &of("a", 0..5)).await;
    stream.put("a", &[POISON.to_owned()]).await;
    stream.put("a", &of("a", 5..7)).await;
    let settings = format!(
        "StartingPosition: TRIM_HORIZON, BisectBatchOnFunctionError: true, MaximumRetryAttempts: 1, \
         DestinationConfig: {{ OnFailure: {{ Destination: \"{}\" }} }}",
        failed.arn
    );
    let gate = cloud
        .config()
        .mapping("clicks", &stream.arn, &function, &settings)
        .start()
        .await;
    let report = report(&failed).await;
    let calls = collector
        .wait_for("the end", |calls| {
            delivered(calls).iter().any(|text| text == "a 006")
                && calls.last().is_some_and(|call| {
                    call.answered.is_some() && !texts(call).contains(&POISON.to_owned())
                })
        })
        .await;
    let batches: Vec<_> = calls.iter().map(|call| texts(call).join(",")).collect();
    assert_eq!(
        batches,
        [
            "a 000,a 001,a 002,a 003,a 004,poison,a 005,a 006",
            "a 000,a 001,a 002,a 003",
            "a 004,poison,a 005,a 006",
            "a 004,poison",
            "a 004",
            "poison",
            "poison",
            "a 005,a 006",
        ]
    );
    let number = &sequence_numbers(&calls[5])[0];
    let info = &report["KinesisBatchInfo"];
    assert_eq!(
        report["requestContext"]["condition"],
        "RetryAttemptsExhausted"
    );
    assert_eq!(report["requestContext"]["approximateInvokeCount"], 2);
    assert_eq!(report["requestContext"]["functionArn"], json!(function));
    assert_eq!(report["responseContext"]["functionError"], "Unhandled");
    assert_eq!(
        (&info["batchSize"], &info["streamArn"]),
        (&json!(1), &json!(stream.arn))
    );
    assert_eq!(
        (&info["startSequenceNumber"], &info["endSequenceNumber"]),
        (&json!(number), &json!(number))
    );
    assert_eq!(gate.stop().await, settled(8, 1));
}

async fn a_restart_goes_on_behind_what_is_settled(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let stream = cloud.stream("clicks", 2).await;
    let function = cloud.function("count", &collector).await;
    let home = tempfile::tempdir().unwrap();
    let config = cloud
        .config()
        .checkpoints(&home.path().join("checkpoints.db"))
        .mapping(
            "clicks",
            &stream.arn,
            &function,
            "StartingPosition: TRIM_HORIZON",
        );
    for (number, lives) in [(0, "first"), (1, "second"), (2, "third")] {
        for key in KEYS {
            stream
                .put(key, &of(key, number * 5..(number + 1) * 5))
                .await;
        }
        let gate = config.start().await;
        let all = (number + 1) * 20;
        collector
            .wait_for(lives, |calls| delivered(calls).len() >= all)
            .await;
        assert_eq!(gate.stop().await, settled(20, 0), "{lives}");
    }
    for (key, texts) in by_key(&collector.calls()) {
        assert_eq!(texts, of(&key, 0..15), "none twice");
    }
}

// spec: 5.6
async fn a_split_and_a_merge_in_the_middle_keep_the_order(cloud: Cloud) {
    // Slow enough for parents to have something left when their children are there.
    let collector = Collector::start(|_| Reply::success().after(Duration::from_millis(30))).await;
    let stream = cloud.stream("clicks", 2).await;
    let function = cloud.function("count", &collector).await;
    let put = async |numbers: std::ops::Range<usize>| {
        for key in KEYS {
            stream.put(key, &of(key, numbers.clone())).await;
        }
    };
    put(0..10).await;
    let gate = cloud
        .config()
        .mapping(
            "clicks",
            &stream.arn,
            &function,
            "StartingPosition: TRIM_HORIZON, BatchSize: 3",
        )
        .start()
        .await;
    collector
        .wait_for("a call", |calls| !calls.is_empty())
        .await;
    let [(low, _), (high, from)] = <[_; 2]>::try_from(stream.open_shards().await).unwrap();
    stream.split(&low, from / 2).await;
    stream.split(&high, from + (u128::MAX - from) / 2).await;
    put(10..20).await;
    // The two in the middle, which have different parents.
    let open = stream.open_shards().await;
    assert_eq!(open.len(), 4, "{open:?}");
    stream.merge(&open[1].0, &open[2].0).await;
    put(20..30).await;
    let calls = collector
        .wait_for("all records", |calls| delivered(calls).len() >= 120)
        .await;
    for (key, texts) in by_key(&calls) {
        assert_eq!(texts, of(&key, 0..30));
    }
    assert_eq!(gate.stop().await, settled(120, 0));
}

// spec: 5.6
async fn latest_begins_with_what_comes_after_the_mapping_is_enabled(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let stream = cloud.stream("clicks", 2).await;
    let function = cloud.function("count", &collector).await;
    for key in KEYS {
        stream.put(key, &of(key, 0..3)).await;
    }
    let gate = cloud
        .config()
        .mapping("clicks", &stream.arn, &function, "StartingPosition: LATEST")
        .start()
        .await;
    gate.ready().await;
    for key in KEYS {
        stream.put(key, &of(key, 3..6)).await;
    }
    let calls = collector
        .wait_for("the later ones", |calls| delivered(calls).len() >= 12)
        .await;
    for (key, texts) in by_key(&calls) {
        assert_eq!(texts, of(&key, 3..6));
    }
    assert_eq!(gate.stop().await, settled(12, 0));
}

// contract: 5
async fn a_drain_in_the_middle_of_repeats_keeps_their_count(cloud: Cloud) {
    let collector = Collector::start(throws).await;
    let stream = cloud.stream("clicks", 1).await;
    let failed = cloud.queue("failed", QueueShape::default()).await;
    let function = cloud.function("count", &collector).await;
    stream.put("a", &[POISON.to_owned()]).await;
    stream.put("a", &of("a", 0..2)).await;
    let home = tempfile::tempdir().unwrap();
    let settings = format!(
        "StartingPosition: TRIM_HORIZON, BatchSize: 1, MaximumRetryAttempts: 3, \
         DestinationConfig: {{ OnFailure: {{ Destination: \"{}\" }} }}",
        failed.arn
    );
    let config = cloud
        .config()
        .checkpoints(&home.path().join("checkpoints.db"))
        .mapping("clicks", &stream.arn, &function, &settings);
    let gate = config.start().await;
    collector
        .wait_for("two failures", |calls| {
            calls.len() >= 2 && calls[1].answered.is_some()
        })
        .await;
    // It waits for the next repeat: nothing is in hand that could be ended, and nothing is abandoned.
    assert_eq!(gate.stop().await, settled(0, 0));
    let before = collector.calls().len();
    let gate = config.start().await;
    let report = report(&failed).await;
    let calls = collector
        .wait_for("the others", |calls| {
            delivered(calls).last().is_some_and(|text| text == "a 001")
        })
        .await;
    let poisoned = calls.iter().filter(|call| texts(call) == [POISON]).count();
    assert_eq!(
        poisoned, 4,
        "one and three repeats, {before} before the drain"
    );
    assert_eq!(report["requestContext"]["approximateInvokeCount"], 4);
    assert_eq!(gate.stop().await, settled(3, 1));
}
