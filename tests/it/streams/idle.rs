//! What a mapping with nothing to do costs: the bound of the README, in requests an hour.

use std::time::Duration;

use sluicegate::sim::Reply;

use super::{StreamStage, seconds};

fn requests(stage: &StreamStage, operation: &str) -> f64 {
    let series = format!(
        "sluicegate_source_requests_total{{mapping=\"m\",operation=\"{operation}\",outcome=\"success\"}}"
    );
    stage.stage.metric(&series)
}

/// Requests in ten minutes after the first minutes, made an hour's.
async fn in_an_hour(stage: &StreamStage, operations: &[&str]) -> Vec<f64> {
    stage.answers(|_| Reply::ok("{}"));
    let running = stage.start("LATEST", &[]);
    seconds(120).await;
    let before: Vec<f64> = operations
        .iter()
        .map(|name| requests(stage, name))
        .collect();
    tokio::time::sleep(Duration::from_secs(600)).await;
    let after = operations.iter().map(|name| requests(stage, name));
    let in_an_hour = after
        .zip(before)
        .map(|(after, before)| (after - before) * 6.0)
        .collect();
    running.stop().await;
    in_an_hour
}

#[tokio::test(start_paused = true)]
async fn an_idle_kinesis_shard_is_read_once_a_second_and_its_stream_listed_once_a_minute() {
    let stage = StreamStage::kinesis(1, 2);
    let operations = [
        "GetRecords",
        "GetShardIterator",
        "ListShards",
        "DescribeStreamSummary",
    ];
    let counts = in_an_hour(&stage, &operations).await;
    assert!((7_000.0..=7_204.0).contains(&counts[0]), "{counts:?}");
    assert_eq!(counts[1], 0.0);
    assert!((54.0..=126.0).contains(&counts[2]), "{counts:?}");
    assert_eq!(counts[3], 12.0);
}

#[tokio::test(start_paused = true)]
async fn an_idle_dynamodb_shard_is_read_once_a_second_and_its_stream_listed_twice_a_minute() {
    let stage = StreamStage::dynamodb(2, 2);
    let operations = ["GetRecords", "GetShardIterator", "DescribeStream"];
    let counts = in_an_hour(&stage, &operations).await;
    assert!((7_000.0..=7_204.0).contains(&counts[0]), "{counts:?}");
    assert_eq!(counts[1], 0.0);
    assert!((120.0..=270.0).contains(&counts[2]), "{counts:?}");
}
