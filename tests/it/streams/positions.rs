//! Where a mapping begins: once, and then at its checkpoints. // spec: 5.6

use std::time::Duration;

use sluicegate::sim::Reply;
use sluicegate::status::State;

use super::{SOON, STREAM, StreamStage, seconds};

fn answering(stage: StreamStage) -> StreamStage {
    stage.answers(|_| Reply::ok("{}"));
    stage
}

async fn enabled(stage: &StreamStage) {
    let enabled = || stage.stage.status.readiness().mappings[0].state == State::Enabled;
    let began = tokio::time::Instant::now();
    while stage.stage.status.readiness().mappings.is_empty() || !enabled() {
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(began.elapsed() < SOON);
    }
}

#[tokio::test(start_paused = true)]
async fn the_horizon_is_the_oldest_record_of_every_shard() {
    for stage in [StreamStage::kinesis(1, 3), StreamStage::dynamodb(1, 3)] {
        let stage = answering(stage);
        stage.put_apart(0..60);
        let running = stage.start("TRIM_HORIZON", &[]);
        stage.until_delivered(60).await;
        running.stop().await;
        let mut delivered = stage.delivered();
        delivered.sort_unstable();
        assert_eq!(delivered, (0..60).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn latest_is_what_comes_once_the_mapping_is_called_enabled() {
    for stage in StreamStage::both(2) {
        let stage = answering(stage);
        stage.put("k", 0..3);
        let running = stage.start("LATEST", &[]);
        enabled(&stage).await;
        // At that very moment.
        stage.put("k", 3..6);
        stage.until_delivered(3).await;
        seconds(30).await;
        running.stop().await;
        assert_eq!(stage.delivered(), [3, 4, 5]);
    }
}

#[tokio::test(start_paused = true)]
async fn latest_passes_over_what_closed_shards_hold_and_reads_their_children() {
    let stage = answering(StreamStage::kinesis(3, 1));
    stage.put("k", 0..3);
    let shard = stage.shards()[0].id.clone();
    seconds(60).await;
    stage.world().split_shard(STREAM, &shard).unwrap();
    stage.put("k", 3..6);
    seconds(60).await;
    let running = stage.start("LATEST", &[]);
    enabled(&stage).await;
    stage.put("k", 6..9);
    stage.until_delivered(3).await;
    seconds(120).await;
    running.stop().await;
    assert_eq!(stage.delivered(), [6, 7, 8]);
    let opened = r#"sluicegate_source_requests_total{mapping="m",operation="GetShardIterator",outcome="success"}"#;
    assert_eq!(stage.stage.metric(opened), 2.0, "the children alone");
}

#[tokio::test(start_paused = true)]
async fn a_moment_is_the_first_record_from_then_on() {
    let stage = answering(StreamStage::kinesis(4, 1));
    stage.put("k", 0..3);
    seconds(10).await;
    let moment = stage.world().clock().now_ms() as f64 / 1000.0;
    stage.put("k", 3..6);
    seconds(10).await;
    let at = format!("StartingPositionTimestamp: {moment}");
    let running = stage.start("AT_TIMESTAMP", &[&at]);
    stage.until_delivered(3).await;
    running.stop().await;
    assert_eq!(stage.delivered(), [3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_moment_may_be_now_and_no_later() {
    for (later_ms, state, told) in [
        (0, State::Enabled, ""),
        (600_000, State::Failing, "lies in the future"),
    ] {
        let stage = answering(StreamStage::kinesis(9, 1));
        let moment = stage.world().clock().now_ms() + later_ms;
        let at = format!("StartingPositionTimestamp: {}", moment as f64 / 1000.0);
        let running = stage.start("AT_TIMESTAMP", &[&at]);
        seconds(5).await;
        let status = stage.status();
        assert_eq!(status.state, state, "{status:?}");
        let reason = status.reason.unwrap_or_default();
        assert!(reason.contains(told), "{reason}");
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn latest_misses_nothing_when_the_service_ends_before_the_first_record() {
    for crash in [true, false] {
        for stage in StreamStage::both(5) {
            let stage = answering(stage);
            stage.put("k", 0..3);
            seconds(120).await;
            let running = stage.start("LATEST", &[]);
            seconds(5).await;
            if crash {
                drop(running);
            } else {
                running.stop().await;
            }
            stage.put("k", 3..6);
            seconds(600).await;
            let running = stage.start("LATEST", &[]);
            stage.until_delivered(3).await;
            seconds(10).await;
            running.stop().await;
            assert_eq!(stage.delivered(), [3, 4, 5], "crash: {crash}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_starting_position_applies_once() {
    for stage in StreamStage::both(6) {
        let stage = answering(stage);
        stage.put("k", 0..3);
        let running = stage.start("TRIM_HORIZON", &[]);
        stage.until_delivered(3).await;
        running.stop().await;
        stage.put("k", 3..6);
        let running = stage.start("LATEST", &[]);
        stage.until_delivered(6).await;
        running.stop().await;
        let running = stage.start("TRIM_HORIZON", &[]);
        seconds(30).await;
        running.stop().await;
        assert_eq!(stage.delivered(), (0..6).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn checkpoints_of_another_stream_are_refused_in_words() {
    let stage = answering(StreamStage::kinesis(7, 1));
    stage.world().create_stream("other", 1).unwrap();
    let uuid = "UUID: 11111111-2222-4333-8444-555555555555";
    stage.put("k", 0..3);
    let running = stage.start("TRIM_HORIZON", &[uuid]);
    stage.until_delivered(3).await;
    running.stop().await;
    let other = stage
        .configuration("TRIM_HORIZON", &[uuid])
        .replace(STREAM, "other");
    stage.world().put_record("other", "k", "7").unwrap();
    let running = stage.stage.start_with(&other);
    seconds(300).await;
    let status = stage.status();
    running.stop().await;
    assert_eq!(status.state, State::Failing);
    let reason = status.reason.unwrap();
    assert!(reason.contains("are those of another stream"), "{reason}");
    assert_eq!(stage.delivered(), [0, 1, 2]);
}
