//! Reload: a mapping of a stream goes on at its checkpoints with other settings, in order, and with what it owes.

use sluicegate::sim::{Invocation, Reply};
use sluicegate::status::State;

use super::{SOON, StreamStage, event, fails_on, numbers, pass, seconds};

/// The numbers that an invocation holds of a key.
fn of_key(invocation: &Invocation, key: &str) -> Vec<u32> {
    let event = event(invocation);
    let records = event["Records"].as_array().unwrap().iter();
    let is_of_key = records.map(|record| match record["kinesis"]["partitionKey"].as_str() {
        Some(partition_key) => partition_key == key,
        None => record["dynamodb"]["Keys"]["id"]["S"] == key,
    });
    let numbered = numbers(invocation).into_iter().zip(is_of_key);
    numbered
        .filter(|(_, is)| *is)
        .map(|(number, _)| number)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_update_repeats_nothing_and_keeps_the_order() {
    for stage in StreamStage::both(1) {
        stage.answers(|_| Reply::ok("{}").after(SOON / 100));
        for key in ["a", "b", "c", "d"] {
            stage.put(key, 0..50);
        }
        let text = |more: &[&str]| stage.configuration("TRIM_HORIZON", more);
        let running = stage.start("TRIM_HORIZON", &["BatchSize: 3"]);
        for more in [
            &["BatchSize: 5"] as &[_],
            &["BatchSize: 5", "ParallelizationFactor: 4"],
            &["BatchSize: 7", "ParallelizationFactor: 2"],
            &["BatchSize: 2"],
        ] {
            seconds(2).await;
            running.reload(&text(more));
        }
        stage.until_delivered(200).await;
        let account = running.stop().await;
        assert_eq!((account.settled, account.abandoned), (200, 0));
        assert_eq!(stage.delivered().len(), 200, "nothing came twice");
        let order: Vec<u32> = (0..50).collect();
        for key in ["a", "b", "c", "d"] {
            let calls = stage.stage.invocations();
            let came: Vec<u32> = calls.iter().flat_map(|call| of_key(call, key)).collect();
            assert_eq!(came, order, "{key}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_disabled_mapping_keeps_its_position_and_one_that_is_gone_for_a_while_too() {
    for stage in StreamStage::both(2) {
        stage.answers(|_| Reply::ok("{}"));
        stage.put("a", 0..10);
        let enabled = stage.configuration("TRIM_HORIZON", &[]);
        let running = stage.stage.start_with(&enabled);
        stage.until_delivered(10).await;
        for rest in [
            stage.configuration("TRIM_HORIZON", &["Enabled: false"]),
            "EventSourceMappings: []".to_owned(),
        ] {
            let before = stage.delivered().len() as u32;
            running.reload(&rest);
            seconds(2).await;
            stage.put("a", before..before + 5);
            seconds(60).await;
            assert_eq!(stage.delivered().len() as u32, before);
            running.reload(&enabled);
            stage.until_delivered(before as usize + 5).await;
        }
        running.stop().await;
        assert_eq!(stage.delivered(), (0..20).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn what_failed_is_counted_on_after_an_update() {
    let stage = StreamStage::kinesis(3, 1);
    stage.answers(fails_on(0));
    stage.put("a", 0..2);
    let destination = stage.failing_to_queue();
    let text = |more: &'static str| {
        let more = [
            more,
            "MaximumRetryAttempts: 3",
            "BatchSize: 1",
            &destination,
        ];
        stage.configuration("TRIM_HORIZON", &more)
    };
    let running = stage
        .stage
        .start_with(&text("MaximumBatchingWindowInSeconds: 0"));
    let failed = |count: usize| stage.calls().iter().filter(|call| **call == [0]).count() == count;
    stage.until("two failures", SOON, || failed(2)).await;
    running.reload(&text("MaximumBatchingWindowInSeconds: 1"));
    stage
        .until("the other", SOON, || stage.delivered().contains(&1))
        .await;
    running.stop().await;
    assert!(failed(4), "{:?}", stage.calls());
    assert_eq!(stage.failed().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_mapping_beside_it_on_the_same_stream_notices_nothing() {
    let stage = StreamStage::kinesis(4, 1);
    stage.answers(|_| Reply::ok("{}").after(SOON / 100));
    let second = |batch: u32| {
        let other = stage.configuration("TRIM_HORIZON", &[&format!("BatchSize: {batch}")]);
        let other = other.replace("Name: m\n", "Name: other\n");
        let other = other.replace("FunctionName: process", "FunctionName: \"process:$LATEST\"");
        let first = stage.configuration("TRIM_HORIZON", &["BatchSize: 1"]);
        first + other.trim_start_matches("EventSourceMappings:\n")
    };
    stage.put("a", 0..40);
    let running = stage.stage.start_with(&second(4));
    for batch in [5, 6, 7, 8] {
        pass(SOON / 50).await;
        running.reload(&second(batch));
    }
    stage.until_delivered(80).await;
    assert_eq!(stage.status().state, State::Enabled);
    running.stop().await;
    let calls = stage.stage.invocations();
    let of = |alone: bool| -> Vec<u32> {
        let calls = calls
            .iter()
            .filter(|call| call.qualifier.is_none() == alone);
        calls.flat_map(numbers).collect()
    };
    assert_eq!(of(true), (0..40).collect::<Vec<_>>());
    assert_eq!(of(false), (0..40).collect::<Vec<_>>());
}
