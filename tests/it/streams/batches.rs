//! When the function is invoked, and with how much. // spec: 5.2

use std::time::Duration;

use sluicegate::sim::{FunctionConfig, Reply};

use super::{SOON, STREAM, StreamStage, numbers, pass, seconds};

fn stage(seed: u64) -> StreamStage {
    let stage = StreamStage::kinesis(seed, 1);
    stage.answers(|_| Reply::ok("{}"));
    stage
}

fn sizes(stage: &StreamStage) -> Vec<usize> {
    stage.calls().iter().map(Vec::len).collect()
}

#[tokio::test(start_paused = true)]
async fn a_batch_holds_batch_size_records_at_most() {
    for (size, expected) in [("1", vec![1; 5]), ("2", vec![2, 2, 1]), ("10000", vec![5])] {
        for stage in StreamStage::both(1) {
            stage.answers(|_| Reply::ok("{}"));
            stage.put("k", 0..5);
            let running = stage.start("TRIM_HORIZON", &[&format!("BatchSize: {size}")]);
            stage.until_delivered(5).await;
            running.stop().await;
            assert_eq!(sizes(&stage), expected);
            assert_eq!(stage.delivered(), [0, 1, 2, 3, 4]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_window_whatever_is_there_goes() {
    let stage = stage(2);
    let running = stage.start("TRIM_HORIZON", &[]);
    seconds(5).await;
    stage.put("k", 0..1);
    pass(Duration::from_millis(1_100)).await;
    assert_eq!(sizes(&stage), [1]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_window_gathers_from_its_first_record_on() {
    let stage = stage(3);
    let window = "MaximumBatchingWindowInSeconds: 5";
    let running = stage.start("TRIM_HORIZON", &[window]);
    seconds(3).await;
    for number in 0..4 {
        stage.put("k", number..number + 1);
        seconds(1).await;
    }
    assert_eq!(stage.calls(), Vec::<Vec<u32>>::new());
    seconds(3).await;
    running.stop().await;
    assert_eq!(stage.calls(), [[0, 1, 2, 3]]);
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_does_not_wait_for_its_window() {
    let stage = stage(4);
    let settings = ["MaximumBatchingWindowInSeconds: 300", "BatchSize: 3"];
    let running = stage.start("TRIM_HORIZON", &settings);
    stage.put("k", 0..7);
    seconds(5).await;
    assert_eq!(stage.calls(), [[0, 1, 2], [3, 4, 5]]);
    let account = running.stop().await;
    // The seventh waits in the stream for the next run.
    assert_eq!(account.settled, 6);
}

#[tokio::test(start_paused = true)]
async fn the_next_window_begins_when_the_batch_before_is_settled() {
    let stage = StreamStage::kinesis(5, 1);
    let config = FunctionConfig {
        timeout: Duration::from_secs(60),
        ..FunctionConfig::default()
    };
    let slow = |invocation: &_| match numbers(invocation)[0] {
        0 => Reply::ok("{}").after(Duration::from_secs(20)),
        _ => Reply::ok("{}"),
    };
    stage.stage.function(config, slow);
    let settings = ["MaximumBatchingWindowInSeconds: 5", "BatchSize: 100"];
    let running = stage.start("TRIM_HORIZON", &settings);
    stage.put("k", 0..1);
    seconds(10).await;
    stage.put("k", 1..2);
    // The first batch began about 5 s in, and ends about 25 s in; the next window ends 5 s later.
    seconds(17).await;
    assert_eq!(stage.calls(), [[0]]);
    seconds(5).await;
    assert_eq!(stage.calls(), [[0], [1]]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_is_no_longer_than_lambda_takes() {
    let stage = stage(6);
    let text = "x".repeat(900_000);
    for number in 0..10 {
        let data = format!("{number} {text}");
        stage.world().put_record(STREAM, "k", data).unwrap();
    }
    let running = stage.start("TRIM_HORIZON", &[]);
    stage.until_delivered(10).await;
    running.stop().await;
    // 1.2 MB each as base64: five fit.
    assert_eq!(sizes(&stage), [5, 5]);
    assert_eq!(stage.delivered(), (0..10).collect::<Vec<_>>());
    for invocation in stage.stage.invocations() {
        assert!(invocation.event.len() <= 6 * 1024 * 1024);
    }
}

#[tokio::test(start_paused = true)]
async fn a_backlog_is_read_as_fast_as_the_shard_gives() {
    let stage = stage(7);
    stage.put("k", 0..6_000);
    let began = tokio::time::Instant::now();
    let running = stage.start("TRIM_HORIZON", &["BatchSize: 1000"]);
    stage.until_delivered(6_000).await;
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    running.stop().await;
    assert_eq!(sizes(&stage), [1_000; 6]);
}

#[tokio::test(start_paused = true)]
async fn shards_are_worked_off_beside_each_other_and_each_in_order() {
    let stage = StreamStage::kinesis(8, 4);
    let config = FunctionConfig::default();
    stage
        .stage
        .function(config, |_| Reply::ok("{}").after(Duration::from_secs(1)));
    for number in 0..160 {
        stage.put(&format!("key-{}", number % 32), number..number + 1);
    }
    let running = stage.start("TRIM_HORIZON", &["BatchSize: 1"]);
    seconds(12).await;
    assert_eq!(stage.counted("invocations_in_flight"), 4.0);
    stage
        .until("all", Duration::from_secs(120), || {
            stage.delivered().len() == 160
        })
        .await;
    running.stop().await;
    for key in 0..32 {
        let of_key: Vec<u32> = stage
            .delivered()
            .into_iter()
            .filter(|n| n % 32 == key)
            .collect();
        assert!(of_key.is_sorted(), "{of_key:?}");
        assert_eq!(of_key.len(), 5);
    }
}

#[tokio::test(start_paused = true)]
async fn two_mappings_of_one_stream_each_get_every_record() {
    let stage = stage(9);
    stage.put("k", 0..250);
    let one = stage.configuration("TRIM_HORIZON", &[]);
    let other = "  - Name: n\n    EventSourceArn: arn:aws:kinesis:us-east-1:000000000000:stream/clicks\n    FunctionName: process:live\n    StartingPosition: TRIM_HORIZON\n";
    let running = stage.stage.start_with(&format!("{one}{other}"));
    stage
        .until("both", SOON, || stage.delivered().len() >= 500)
        .await;
    seconds(30).await;
    let account = running.stop().await;
    assert_eq!(account.settled, 500);
    for qualifier in [None, Some("live".to_owned())] {
        let invocations = stage.stage.invocations();
        let of = invocations
            .iter()
            .filter(|invocation| invocation.qualifier == qualifier);
        let delivered: Vec<u32> = of.flat_map(numbers).collect();
        assert_eq!(delivered, (0..250).collect::<Vec<_>>());
    }
}
