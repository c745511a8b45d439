//! Tumbling windows: a state that is handed on, and a last invocation. // spec: 2.4, 5.8

use std::time::Duration;

use serde_json::{Value, json};
use sluicegate::sim::{Fault, Invocation, Operation, Reply};

use super::{FAILED, SOON, StreamStage, event, fails_on, numbers, seconds};

const TEN: &str = "TumblingWindowInSeconds: 10";
const REPORTS: &str = "FunctionResponseTypes: [ReportBatchItemFailures]";

/// Adds the numbers of its records to its state.
fn sum(invocation: &Invocation) -> Reply {
    let before = event(invocation)["state"]["sum"].as_u64().unwrap_or(0);
    let sum = before + numbers(invocation).iter().sum::<u32>() as u64;
    Reply::ok(json!({ "state": { "sum": sum } }).to_string())
}

/// The same, and refuses to end a window.
fn failing_at_the_end(invocation: &Invocation) -> Reply {
    match numbers(invocation).is_empty() {
        true => Reply::error("at the end"),
        false => sum(invocation),
    }
}

type Told = (Vec<u32>, Value, bool, bool);

/// Records, state, whether it is the last, whether it is early; of each invocation that has a window.
fn told(stage: &StreamStage) -> Vec<Told> {
    let flag = |event: &Value, name: &str| event[name].as_bool().expect("a flag");
    let told = |invocation: &Invocation| {
        let event = event(invocation);
        (
            numbers(invocation),
            event["state"]["sum"].clone(),
            flag(&event, "isFinalInvokeForWindow"),
            flag(&event, "isWindowTerminatedEarly"),
        )
    };
    let windowed = |invocation: &&Invocation| event(invocation).get("window").is_some();
    let invocations = stage.stage.invocations();
    invocations.iter().filter(windowed).map(told).collect()
}

fn stage(seed: u64) -> StreamStage {
    let stage = StreamStage::kinesis(seed, 1);
    stage.answers(sum);
    stage
}

#[tokio::test(start_paused = true)]
async fn a_later_record_ends_the_window_before_it_is_delivered_itself() {
    let stage = stage(1);
    stage.put("k", 1..4);
    let running = stage.start("TRIM_HORIZON", &[TEN, "BatchSize: 2"]);
    seconds(12).await;
    stage.put("k", 4..5);
    seconds(5).await;
    running.stop().await;
    let expected: [Told; 4] = [
        (vec![1, 2], Value::Null, false, false),
        (vec![3], json!(3), false, false),
        (vec![], json!(6), true, false),
        (vec![4], Value::Null, false, false),
    ];
    assert_eq!(told(&stage), expected);
}

#[tokio::test(start_paused = true)]
async fn a_window_ends_when_nothing_comes_for_two_minutes() {
    let stage = stage(2);
    stage.put("k", 1..2);
    let running = stage.start("TRIM_HORIZON", &[TEN]);
    seconds(115).await;
    assert_eq!(told(&stage).len(), 1);
    seconds(15).await;
    let account = running.stop().await;
    let expected = (vec![], json!(1), true, false);
    assert_eq!(told(&stage)[1..], [expected]);
    assert_eq!(account.settled, 1);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_shard_ends_its_window_and_children_begin_afresh() {
    let stage = stage(3);
    stage.put("k", 1..3);
    let running = stage.start("TRIM_HORIZON", &[TEN]);
    seconds(3).await;
    let shard = stage.shards()[0].id.clone();
    stage.world().split_shard(super::STREAM, &shard).unwrap();
    stage.put("k", 5..6);
    seconds(5).await;
    running.stop().await;
    let expected: [Told; 3] = [
        (vec![1, 2], Value::Null, false, false),
        (vec![], json!(3), true, false),
        (vec![5], Value::Null, false, false),
    ];
    assert_eq!(told(&stage), expected);
}

#[tokio::test(start_paused = true)]
async fn a_state_of_more_than_a_megabyte_ends_its_window_early() {
    let stage = StreamStage::kinesis(4, 1);
    stage.answers(|invocation| {
        let long = numbers(invocation).contains(&2);
        let pad = if long {
            "x".repeat(1024 * 1024)
        } else {
            String::new()
        };
        Reply::ok(json!({ "state": { "sum": 7, "pad": pad } }).to_string())
    });
    stage.put("k", 1..4);
    let running = stage.start("TRIM_HORIZON", &[TEN, "BatchSize: 1"]);
    seconds(3).await;
    running.stop().await;
    let expected: [Told; 4] = [
        (vec![1], Value::Null, false, false),
        (vec![2], json!(7), false, false),
        (vec![], json!(7), true, true),
        (vec![3], Value::Null, false, false),
    ];
    assert_eq!(told(&stage), expected);
    let last = &stage.stage.invocations()[2];
    assert!(
        last.event.len() > 1024 * 1024,
        "the whole state is given back"
    );
}

#[tokio::test(start_paused = true)]
async fn the_last_invocation_has_the_retries_of_a_record_and_its_discard_tells_of_the_window() {
    let stage = StreamStage::kinesis(5, 1);
    stage.answers(failing_at_the_end);
    stage.put("k", 1..3);
    let running = stage.start_failing_to_queue(&[TEN, "MaximumRetryAttempts: 2"]);
    seconds(11).await;
    stage.put("k", 3..4);
    stage
        .until("told", SOON, || !stage.failed().is_empty())
        .await;
    seconds(5).await;
    let account = running.stop().await;
    let last: Told = (vec![], json!(3), true, false);
    let expected = [
        (vec![1, 2], Value::Null, false, false),
        last.clone(),
        last.clone(),
        last,
        (vec![3], Value::Null, false, false),
    ];
    assert_eq!(told(&stage), expected);
    let record = &stage.failed()[0];
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 3);
    let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks";
    let info = json!({ "shardId": stage.shards()[0].id, "streamArn": arn });
    assert_eq!(record["KinesisBatchInfo"], info);
    let window = event(&stage.stage.invocations()[0])["window"].clone();
    let info = json!({ "window": window, "isFinalInvokeForWindow": true, "isWindowTerminatedEarly": false });
    assert_eq!(record["timeWindowInfo"], info);
    assert_eq!((account.settled, account.discarded), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_last_invocation_that_fails_is_not_repeated_in_a_drain() {
    let stage = StreamStage::kinesis(13, 1);
    stage.answers(failing_at_the_end);
    stage.put("k", 1..3);
    let running = stage.start("TRIM_HORIZON", &[TEN]);
    seconds(11).await;
    stage.put("k", 3..4);
    // The next try is more than a second away by then.
    let failed = || told(&stage).len() == 6;
    stage.until("five failures", SOON, failed).await;
    seconds(1).await;
    let reason = stage.status().reason.unwrap_or_default();
    let told_of = "the function failed 5 times in a row on the end of a window";
    assert!(reason.contains(told_of), "{reason}");
    running.stop().await;
    assert_eq!(told(&stage).len(), 6);
}

#[tokio::test(start_paused = true)]
async fn the_discard_of_a_last_invocation_is_told_alike_by_the_next_process() {
    let stage = StreamStage::kinesis(15, 1);
    stage.answers(failing_at_the_end);
    stage.put("k", 1..3);
    let down = Some(Operation::SendMessage);
    stage.world().fault_chance(down, Fault::Unavailable, 1.0);
    let settings = [TEN, "MaximumRetryAttempts: 0"];
    let running = stage.start_failing_to_queue(&settings);
    seconds(11).await;
    stage.put("k", 3..4);
    seconds(30).await;
    let reason = stage.status().reason.expect("a reason");
    let told = "the on-failure record of the end of a window can not be delivered";
    assert!(reason.contains(told), "{reason}");
    running.stop().await;
    stage.world().heal();
    let running = stage.start_failing_to_queue(&settings);
    stage
        .until("told", SOON, || !stage.failed().is_empty())
        .await;
    running.stop().await;
    let (record, last) = (&stage.failed()[0], &stage.stage.invocations()[1]);
    assert_eq!(record["requestContext"]["requestId"], last.request_id);
    assert_eq!(record["responseContext"]["functionError"], "Unhandled");
    assert_eq!(record["timeWindowInfo"]["isFinalInvokeForWindow"], true);
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_state_is_a_failure() {
    for answer in ["{}", "", "null", "[]", "7"] {
        let stage = StreamStage::kinesis(6, 1);
        stage.answers(move |_| Reply::ok(answer));
        stage.put("k", 1..3);
        let running = stage.start_failing_to_queue(&[TEN, "MaximumRetryAttempts: 0"]);
        seconds(5).await;
        running.stop().await;
        assert_eq!(stage.calls(), [[1, 2]], "{answer}");
        assert_eq!(stage.stage.left(FAILED), 1, "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeat_is_given_the_state_from_before_the_failure() {
    let stage = StreamStage::kinesis(7, 1);
    stage.answers(|invocation| match invocation.number {
        2..=4 => Reply::error("for a while"),
        _ => sum(invocation),
    });
    stage.put("k", 1..3);
    let running = stage.start("TRIM_HORIZON", &[TEN, "BatchSize: 1"]);
    seconds(9).await;
    running.stop().await;
    let second: Told = (vec![2], json!(1), false, false);
    let expected = [
        (vec![1], Value::Null, false, false),
        second.clone(),
        second.clone(),
        second.clone(),
        second,
    ];
    assert_eq!(told(&stage), expected);
}

#[tokio::test(start_paused = true)]
async fn a_partial_answer_has_a_state_for_what_it_handled() {
    let stage = StreamStage::kinesis(8, 1);
    stage.answers(|invocation| {
        let held = numbers(invocation);
        if invocation.number > 1 {
            return sum(invocation);
        }
        let id = super::sequence_number(invocation, 2);
        let sum: u32 = held[..2].iter().sum();
        let reply =
            json!({ "state": { "sum": sum }, "batchItemFailures": [{ "itemIdentifier": id }] });
        Reply::ok(reply.to_string())
    });
    stage.put("k", 1..5);
    let running = stage.start("TRIM_HORIZON", &[TEN, REPORTS]);
    seconds(12).await;
    stage.put("k", 9..10);
    seconds(3).await;
    running.stop().await;
    let expected: [Told; 4] = [
        (vec![1, 2, 3, 4], Value::Null, false, false),
        (vec![3, 4], json!(3), false, false),
        (vec![], json!(10), true, false),
        (vec![9], Value::Null, false, false),
    ];
    assert_eq!(told(&stage), expected);
}

// AWS excludes the two from each other. // spec: pitfall 11.21
#[tokio::test(start_paused = true)]
async fn a_record_that_a_filter_drops_moves_the_time_on_too() {
    let stage = stage(9);
    stage.put("keep", 1..3);
    stage.put("drop", 3..4);
    let filter = r#"FilterCriteria: { Filters: [ { Pattern: '{"partitionKey":["keep"]}' } ] }"#;
    let running = stage.start("TRIM_HORIZON", &[TEN, filter]);
    seconds(12).await;
    assert_eq!(told(&stage).len(), 1);
    stage.put("drop", 4..5);
    seconds(3).await;
    running.stop().await;
    let expected: [Told; 2] = [
        (vec![1, 2], Value::Null, false, false),
        (vec![], json!(3), true, false),
    ];
    assert_eq!(told(&stage), expected);
}

#[tokio::test(start_paused = true)]
async fn an_open_window_and_its_state_survive_a_drain_and_a_crash() {
    for crash in [false, true] {
        let stage = stage(10);
        stage.put("k", 1..3);
        let running = stage.start("TRIM_HORIZON", &[TEN, "BatchSize: 1"]);
        seconds(3).await;
        if crash {
            drop(running);
        } else {
            running.stop().await;
        }
        stage.put("k", 3..4);
        let running = stage.start("TRIM_HORIZON", &[TEN]);
        seconds(15).await;
        stage.put("k", 4..5);
        seconds(3).await;
        running.stop().await;
        let expected: [Told; 5] = [
            (vec![1], Value::Null, false, false),
            (vec![2], json!(1), false, false),
            (vec![3], json!(3), false, false),
            (vec![], json!(6), true, false),
            (vec![4], Value::Null, false, false),
        ];
        assert_eq!(told(&stage), expected, "crash: {crash}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_setting_what_it_left_open_is_ended_and_events_have_no_window() {
    for factor in [1, 10] {
        let stage = stage(11);
        stage.put("k", 1..3);
        let running = stage.start("TRIM_HORIZON", &[TEN]);
        seconds(2).await;
        running.stop().await;
        for number in 3..40 {
            stage.put_apart(number..number + 1);
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        let factor = format!("ParallelizationFactor: {factor}");
        let running = stage.start("TRIM_HORIZON", &[&factor]);
        seconds(5).await;
        let account = running.stop().await;
        let invocations = stage.stage.invocations();
        let last = event(&invocations[1]);
        assert_eq!(numbers(&invocations[1]), Vec::<u32>::new());
        assert_eq!(last["state"]["sum"], 3);
        assert_eq!(last["isFinalInvokeForWindow"], true);
        let rest = &invocations[2..];
        assert!(
            !rest.is_empty() && rest.len() <= 10,
            "{} batches",
            rest.len()
        );
        for plain in rest {
            let event = event(plain);
            assert_eq!(
                event.as_object().unwrap().keys().collect::<Vec<_>>(),
                ["Records"]
            );
        }
        assert_eq!(account.settled, 37);
    }
}

#[tokio::test(start_paused = true)]
async fn another_length_ends_the_open_window_early() {
    let stage = stage(12);
    stage.put("k", 1..3);
    let running = stage.start("TRIM_HORIZON", &[TEN]);
    seconds(2).await;
    running.stop().await;
    stage.put("k", 3..4);
    let running = stage.start("TRIM_HORIZON", &["TumblingWindowInSeconds: 60"]);
    seconds(5).await;
    running.stop().await;
    let expected: [Told; 3] = [
        (vec![1, 2], Value::Null, false, false),
        (vec![], json!(3), true, true),
        (vec![3], Value::Null, false, false),
    ];
    assert_eq!(told(&stage), expected);
}

#[tokio::test(start_paused = true)]
async fn a_batch_does_not_reach_over_the_end_of_a_window() {
    let stage = stage(13);
    stage.put("k", 1..3);
    seconds(11).await;
    stage.put("k", 3..5);
    seconds(11).await;
    stage.put("k", 5..6);
    let running = stage.start("TRIM_HORIZON", &[TEN]);
    seconds(3).await;
    running.stop().await;
    let expected: [Told; 5] = [
        (vec![1, 2], Value::Null, false, false),
        (vec![], json!(3), true, false),
        (vec![3, 4], Value::Null, false, false),
        (vec![], json!(7), true, false),
        (vec![5], Value::Null, false, false),
    ];
    assert_eq!(told(&stage), expected);
}

#[tokio::test(start_paused = true)]
async fn a_discard_inside_of_a_window_keeps_the_state() {
    let stage = StreamStage::kinesis(14, 1);
    stage.answers(|invocation| match fails_on(2)(invocation) {
        reply if reply.function_error.is_some() => reply,
        _ => sum(invocation),
    });
    stage.put("k", 1..4);
    let settings = [TEN, "BatchSize: 1", "MaximumRetryAttempts: 1"];
    let running = stage.start_failing_to_queue(&settings);
    seconds(8).await;
    running.stop().await;
    let expected: [Told; 4] = [
        (vec![1], Value::Null, false, false),
        (vec![2], json!(1), false, false),
        (vec![2], json!(1), false, false),
        (vec![3], json!(1), false, false),
    ];
    assert_eq!(told(&stage), expected);
    let window = &stage.failed()[0]["timeWindowInfo"];
    assert_eq!(window["isFinalInvokeForWindow"], false);
}

#[tokio::test(start_paused = true)]
async fn a_window_that_is_switched_on_where_lanes_were_loses_no_state() {
    for seed in 0..3 {
        let stage = StreamStage::kinesis(20 + seed, 1);
        let config = sluicegate::sim::FunctionConfig::default();
        stage.stage.function(config, |invocation| {
            let after = match numbers(invocation).first() {
                Some(first) => u64::from(first % 12) * 100,
                None => 10,
            };
            sum(invocation).after(Duration::from_millis(after))
        });
        let put = |numbers: std::ops::Range<u32>| {
            for number in numbers {
                stage.put(&format!("key-{}", number % 12), number..number + 1);
            }
        };
        put(0..120);
        let running = stage.start(
            "TRIM_HORIZON",
            &["ParallelizationFactor: 4", "BatchSize: 2"],
        );
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        running.stop().await;
        let before = stage.delivered();
        assert!(before.len() < 120);
        seconds(15).await;
        put(120..150);
        let running = stage.start("TRIM_HORIZON", &[TEN, "BatchSize: 2"]);
        let all = || stage.delivered().len() >= 150;
        stage.until("all", SOON, all).await;
        seconds(150).await;
        running.stop().await;
        let told = told(&stage);
        let sums = told
            .iter()
            .filter(|told| told.2)
            .map(|told| told.1.as_u64());
        let total: u64 = sums.map(Option::unwrap).sum();
        let within: u32 = stage.delivered()[before.len()..].iter().sum();
        assert_eq!(total, u64::from(within), "{told:?}");
    }
}
