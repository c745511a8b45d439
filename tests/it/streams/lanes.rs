//! Lanes: batches of a shard beside each other, a key's records in order. // spec: 5.2

use std::collections::BTreeMap;
use std::time::Duration;

use sluicegate::sim::{FunctionConfig, Reply};

use super::{SOON, StreamStage, fails_on, numbers, seconds};

const TEN: &str = "ParallelizationFactor: 10";
/// Records have keys by turns.
const KEYS: u32 = 20;

fn stage(seed: u64, count: u32) -> StreamStage {
    let stage = StreamStage::kinesis(seed, 1);
    put(&stage, 0..count);
    stage
}

fn put(stage: &StreamStage, records: std::ops::Range<u32>) {
    for number in records {
        stage.put(&format!("key-{}", number % KEYS), number..number + 1);
    }
}

fn by_key(delivered: &[u32]) -> BTreeMap<u32, Vec<u32>> {
    let mut keys: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for number in delivered {
        keys.entry(number % KEYS).or_default().push(*number);
    }
    keys
}

#[track_caller]
fn in_order(delivered: &[u32]) {
    for (key, numbers) in by_key(delivered) {
        assert!(numbers.is_sorted(), "key {key}: {numbers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn as_many_batches_run_as_the_factor_says_and_no_key_is_in_two() {
    let stage = stage(1, 400);
    stage.stage.function(FunctionConfig::default(), |_| {
        Reply::ok("{}").after(Duration::from_secs(1))
    });
    let running = stage.start(
        "TRIM_HORIZON",
        &["ParallelizationFactor: 4", "BatchSize: 10"],
    );
    seconds(5).await;
    assert_eq!(stage.counted("invocations_in_flight"), 4.0);
    stage
        .until("all", Duration::from_secs(120), || {
            stage.delivered().len() == 400
        })
        .await;
    let account = running.stop().await;
    in_order(&stage.delivered());
    assert_eq!(account.settled, 400);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_fails_holds_up_its_lane_alone() {
    let stage = stage(2, 200);
    stage.answers(fails_on(0));
    let running = stage.start("TRIM_HORIZON", &[TEN, "BatchSize: 1"]);
    seconds(120).await;
    let delivered = stage.delivered();
    let stuck = delivered.iter().filter(|number| **number == 0).count();
    assert!(stuck > 5, "{stuck}");
    let keys = by_key(&delivered);
    let whole = keys.values().filter(|numbers| numbers.len() == 10).count();
    // Two keys a lane on average: most of the twenty are in other lanes.
    assert!(whole >= 15, "{keys:?}");
    assert_eq!(
        keys[&0]
            .iter()
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        1
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_repeats_nothing_that_a_lane_settled_beyond_the_watermark() {
    let stage = stage(3, 200);
    stage.answers(fails_on(0));
    let settings = [TEN, "BatchSize: 7"];
    let running = stage.start("TRIM_HORIZON", &settings);
    seconds(60).await;
    running.stop().await;
    let first = stage.calls();
    stage.answers(|_| Reply::ok("{}"));
    let running = stage.start("TRIM_HORIZON", &settings);
    seconds(60).await;
    let account = running.stop().await;
    let handled = |calls: &[Vec<u32>]| -> Vec<u32> {
        calls
            .iter()
            .filter(|call| !call.contains(&0))
            .flatten()
            .copied()
            .collect()
    };
    let all = stage.calls();
    let mut once = handled(&first);
    let again: Vec<u32> = all[first.len()..].concat();
    assert!(
        again.iter().all(|number| !once.contains(number)),
        "{again:?}"
    );
    once.extend(&again);
    in_order(&once);
    once.sort_unstable();
    assert_eq!(once, (0..200).collect::<Vec<_>>());
    assert!(account.settled < 200);
}

#[tokio::test(start_paused = true)]
async fn another_factor_keeps_the_order_of_keys_and_repeats_nothing() {
    for (before, after) in [(10, 1), (1, 10), (3, 7), (7, 3)] {
        let stage = stage(4, 150);
        stage.answers(fails_on(3));
        let settings = [
            format!("ParallelizationFactor: {before}"),
            "BatchSize: 5".to_owned(),
        ];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let running = stage.start("TRIM_HORIZON", &settings);
        seconds(30).await;
        running.stop().await;
        let first = stage.calls().len();
        stage.answers(|_| Reply::ok("{}"));
        put(&stage, 150..300);
        let settings = [
            format!("ParallelizationFactor: {after}"),
            "BatchSize: 5".to_owned(),
        ];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let running = stage.start("TRIM_HORIZON", &settings);
        seconds(60).await;
        running.stop().await;
        let calls = stage.calls();
        let failed = |call: &Vec<u32>| call.contains(&3);
        let mut handled = calls[..first]
            .iter()
            .filter(|call| !failed(call))
            .flatten()
            .copied()
            .collect::<Vec<_>>();
        handled.extend(calls[first..].concat());
        in_order(&handled);
        handled.sort_unstable();
        assert_eq!(handled, (0..300).collect::<Vec<_>>(), "{before} to {after}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_factor_may_change_while_old_batches_are_under_way() {
    for seed in 0..12 {
        let stage = stage(100 + seed, 300);
        let config = FunctionConfig::default();
        stage.stage.function(config, move |invocation| {
            let first = u64::from(numbers(invocation)[0]);
            Reply::ok("{}").after(Duration::from_millis((first * 37 + seed * 91) % 1_000))
        });
        let mut stops = 0;
        for factor in [10, 2, 9, 1, 8] {
            let settings = [
                format!("ParallelizationFactor: {factor}"),
                "BatchSize: 3".to_owned(),
            ];
            let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
            let running = stage.start("TRIM_HORIZON", &settings);
            tokio::time::sleep(Duration::from_millis(1_700 + seed * 130)).await;
            running.stop().await;
            stops += 1;
        }
        let running = stage.start("TRIM_HORIZON", &["ParallelizationFactor: 5"]);
        let all = || stage.delivered().len() >= 300;
        stage.until("all", Duration::from_secs(300), all).await;
        running.stop().await;
        assert_eq!(stops, 5);
        let mut delivered = stage.delivered();
        in_order(&delivered);
        delivered.sort_unstable();
        assert_eq!(delivered, (0..300).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn lanes_of_a_dynamodb_stream_go_by_the_item() {
    let stage = StreamStage::dynamodb(5, 1);
    put(&stage, 0..100);
    stage.answers(fails_on(0));
    let running = stage.start_failing_to_queue(&[TEN, "MaximumRetryAttempts: 3", "BatchSize: 1"]);
    stage
        .until("discarded", SOON, || !stage.failed().is_empty())
        .await;
    seconds(60).await;
    let account = running.stop().await;
    assert_eq!((account.settled, account.discarded), (100, 1));
    in_order(&stage.delivered());
}
