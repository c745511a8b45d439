//! What counts as a failure, how often is repeated, and how old a record may grow. // spec: 5.3, 5.4, 5.7

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use sluicegate::sim::Reply;
use sluicegate::status::State;
use tokio::time::Instant;

use super::{FAILED, SOON, STREAM, StreamStage, fails_on, pass, seconds};
use crate::engine::FUNCTION;

const DAY: Duration = Duration::from_hours(24);

fn condition(record: &Value) -> (&str, u64) {
    let context = &record["requestContext"];
    let condition = context["condition"].as_str().expect("a condition");
    let count = context["approximateInvokeCount"].as_u64().expect("a count");
    (condition, count)
}

#[tokio::test(start_paused = true)]
async fn a_failing_batch_is_invoked_once_more_than_it_may_be_retried() {
    for retries in [0, 1, 2, 3] {
        let stage = StreamStage::kinesis(1, 1);
        stage.answers(fails_on(0));
        stage.put("k", 0..2);
        let running = stage.start_failing_to_queue(&[&format!("MaximumRetryAttempts: {retries}")]);
        stage
            .until("discarded", SOON, || !stage.failed().is_empty())
            .await;
        seconds(120).await;
        running.stop().await;
        assert_eq!(stage.calls().len(), retries + 1);
        let failed = stage.failed();
        assert_eq!(failed.len(), 1);
        assert_eq!(
            condition(&failed[0]),
            ("RetryAttemptsExhausted", retries as u64 + 1)
        );
        // However often it is repeated.
        assert_eq!(stage.counted("batch_events_count"), 1.0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_did_not_run_does_not_count() {
    let refusals = [
        Reply::refused(429, "Rate Exceeded."),
        Reply::refused(500, "internal"),
        Reply::refused(503, "unavailable"),
        Reply::refused(502, "EC2 throttled"),
        Reply::refused(409, "not ready"),
        Reply::refused(403, "denied"),
        Reply::refused(404, "Function not found"),
        Reply::refused(410, "EFS"),
    ];
    for refusal in refusals {
        let stage = StreamStage::kinesis(2, 1);
        let (status, answer) = (refusal.status, refusal.clone());
        stage.answers(move |invocation| match invocation.number {
            1..=9 => answer.clone(),
            10 => Reply::error("and once it runs and fails"),
            _ => Reply::ok("{}"),
        });
        stage.put("k", 0..2);
        let running = stage.start_failing_to_queue(&["MaximumRetryAttempts: 1"]);
        let account = {
            stage
                .until("eleven calls", Duration::from_secs(600), || {
                    stage.calls().len() >= 11
                })
                .await;
            seconds(60).await;
            running.stop().await
        };
        assert_eq!(stage.calls(), [[0, 1]; 11], "{status}");
        assert_eq!((account.settled, account.discarded), (2, 0), "{status}");
        let kind = if status == 429 {
            "throttled"
        } else {
            "service_error"
        };
        assert_eq!(
            stage.labelled("invocations_total", "outcome", kind),
            9.0,
            "{status}"
        );
        // spec: 8, throttled tries count as invoked
        assert_eq!(stage.counted("events_invoked_total"), 22.0, "{status}");
        assert_eq!(
            stage.counted("events_failed_invoke_total"),
            20.0,
            "{status}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_that_was_deleted_is_waited_for_and_the_status_says_so() {
    let stage = StreamStage::kinesis(3, 1);
    stage.answers(|_| Reply::ok("{}"));
    let running = stage.start_failing_to_queue(&["MaximumRetryAttempts: 0"]);
    seconds(5).await;
    stage.world().unregister(FUNCTION);
    stage.put("k", 0..3);
    seconds(900).await;
    let status = stage.status();
    assert_eq!(status.state, State::Failing);
    let reason = status.reason.expect("a reason");
    assert!(reason.contains("Function not found"), "{reason}");
    stage.answers(|_| Reply::ok("{}"));
    stage.until_delivered(3).await;
    let settled = || stage.status().state == State::Enabled;
    stage.until("well again", SOON, settled).await;
    let account = running.stop().await;
    assert_eq!((account.settled, account.discarded), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_throttled_function_is_told_in_the_status() {
    let stage = StreamStage::kinesis(4, 1);
    stage.answers(|_| Reply::refused(429, "Rate Exceeded."));
    stage.put("k", 0..3);
    let running = stage.start("TRIM_HORIZON", &[]);
    seconds(60).await;
    let status = stage.status();
    assert_eq!(status.state, State::Enabled);
    assert_eq!(status.reason.as_deref(), Some("the function is throttled"));
    stage.answers(|_| Reply::ok("{}"));
    let well = || stage.status().reason.is_none();
    stage.until("not throttled", SOON, well).await;
    running.stop().await;
}

/// A record of 5 MiB makes an event that no function may be given: 6.99 MB. // spec: 5.7
fn put_oversized(stage: &StreamStage) {
    let data = vec![b'x'; 5 * 1024 * 1024];
    stage.world().put_record(STREAM, "k", data).unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_oversized_record_spends_its_retries_without_being_invoked() {
    for retries in [0, 2] {
        let stage = StreamStage::kinesis(5, 1);
        stage.answers(|_| Reply::ok("{}"));
        stage.put("k", 0..2);
        put_oversized(&stage);
        stage.put("k", 2..4);
        let running = stage.start_failing_to_queue(&[&format!("MaximumRetryAttempts: {retries}")]);
        stage.until_delivered(4).await;
        seconds(60).await;
        let account = running.stop().await;
        assert_eq!(stage.calls(), [[0, 1], [2, 3]]);
        let failed = stage.failed();
        assert_eq!(failed.len(), 1);
        assert_eq!(
            condition(&failed[0]),
            ("RetryAttemptsExhausted", retries as u64 + 1)
        );
        assert_eq!(failed[0].get("responseContext"), None);
        assert_eq!(failed[0]["KinesisBatchInfo"]["batchSize"], 1);
        assert_eq!((account.settled, account.discarded), (5, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn an_oversized_record_without_a_limit_blocks_until_it_leaves_the_stream() {
    let stage = StreamStage::kinesis(6, 1);
    stage.answers(|_| Reply::ok("{}"));
    put_oversized(&stage);
    pass(DAY - Duration::from_secs(300)).await;
    stage.put("k", 2..3);
    let running = stage.start_failing_to_queue(&[]);
    seconds(240).await;
    assert_eq!(stage.calls(), Vec::<Vec<u32>>::new());
    let gone = || !stage.failed().is_empty();
    stage
        .until("expired", Duration::from_secs(1_200), gone)
        .await;
    stage
        .until("the next", SOON, || stage.delivered() == [2])
        .await;
    running.stop().await;
    assert_eq!(condition(&stage.failed()[0]).0, "RecordAgeExceeded");
}

/// The event of one record with a key and data of so many bytes; none where the function is not invoked with it.
async fn event_of(key: usize, data: usize) -> Option<usize> {
    let stage = StreamStage::kinesis(19, 1);
    stage.answers(|_| Reply::ok("{}"));
    let put = stage
        .world()
        .put_record(STREAM, &"k".repeat(key), vec![b'x'; data]);
    put.unwrap();
    let running = stage.start_failing_to_queue(&["MaximumRetryAttempts: 0"]);
    seconds(5).await;
    let account = running.stop().await;
    let events = stage.stage.invocations();
    assert_eq!(account.settled, 1);
    assert_eq!(account.discarded, u64::from(events.is_empty()));
    events.first().map(|invocation| invocation.event.len())
}

// spec: 1.7, 5.7
#[tokio::test(start_paused = true)]
async fn an_event_of_six_mebibytes_is_delivered_and_one_of_a_byte_more_is_not() {
    const MOST: usize = 6 * 1024 * 1024;
    let room = MOST - event_of(1, 3).await.expect("a small one is delivered");
    // Three bytes of data are four of the event, one of the key is one.
    let (key, data) = (1 + room % 4, 3 + room / 4 * 3);
    assert_eq!(event_of(key, data).await, Some(MOST));
    assert_eq!(event_of(key + 1, data).await, None);
}

#[tokio::test(start_paused = true)]
async fn how_long_invocations_took_is_counted() {
    let stage = StreamStage::kinesis(20, 1);
    stage.answers(|_| Reply::ok("{}").after(Duration::from_secs(2)));
    let running = stage.start("TRIM_HORIZON", &["BatchSize: 1"]);
    seconds(100).await;
    stage.put("k", 0..3);
    stage.until_delivered(3).await;
    running.stop().await;
    let took = stage.counted("invocation_duration_seconds_sum");
    assert!((6.0..6.1).contains(&took), "{took}");
}

// spec: 1.7, 413: it does consume the retries
#[tokio::test(start_paused = true)]
async fn an_event_that_lambda_refuses_as_too_large_is_taken_apart_and_then_spends_its_retries() {
    let stage = StreamStage::kinesis(7, 1);
    stage.answers(|invocation| match super::numbers(invocation).contains(&2) {
        true => Reply::refused(413, "Request must be smaller"),
        false => Reply::ok("{}"),
    });
    stage.put("k", 0..4);
    let running = stage.start_failing_to_queue(&["MaximumRetryAttempts: 2"]);
    stage
        .until("discarded", SOON, || !stage.failed().is_empty())
        .await;
    stage.until("all", SOON, || stage.calls().len() == 5).await;
    let account = running.stop().await;
    let calls: [&[u32]; 5] = [&[0, 1, 2, 3], &[0, 1], &[2, 3], &[2], &[3]];
    assert_eq!(stage.calls(), calls);
    assert_eq!(condition(&stage.failed()[0]), ("RetryAttemptsExhausted", 3));
    assert_eq!(stage.failed()[0].get("responseContext"), None);
    assert_eq!((account.settled, account.discarded), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_before_it_was_ever_invoked_goes_alone() {
    for stage in StreamStage::both(8) {
        stage.answers(|_| Reply::ok("{}"));
        stage.put("k", 0..1);
        seconds(62).await;
        stage.put("k", 1..4);
        let settings = ["MaximumRecordAgeInSeconds: 60", "MaximumRetryAttempts: 0"];
        let running = stage.start_failing_to_queue(&settings);
        stage.until_delivered(3).await;
        let account = running.stop().await;
        assert_eq!(stage.calls(), [[1, 2, 3]]);
        let failed = stage.failed();
        assert_eq!(failed.len(), 1);
        assert_eq!(condition(&failed[0]), ("RecordAgeExceeded", 1));
        assert_eq!(failed[0].get("responseContext"), None);
        let info = ["KinesisBatchInfo", "DDBStreamBatchInfo"]
            .map(|name| failed[0][name]["batchSize"].clone());
        assert!(info.contains(&json!(1)), "{info:?}");
        assert_eq!((account.settled, account.discarded), (4, 1));
    }
}

// spec: 14, the recording: 8 at 60 s
#[tokio::test(start_paused = true)]
async fn what_grows_too_old_while_it_fails_says_eight_invocations_after_a_minute() {
    for stage in StreamStage::both(9) {
        stage.answers(|_| Reply::error("always"));
        stage.put("k", 0..1);
        let running = stage.start_failing_to_queue(&["MaximumRecordAgeInSeconds: 60"]);
        let gone = || !stage.failed().is_empty();
        stage.until("expired", Duration::from_secs(200), gone).await;
        running.stop().await;
        let failed = stage.failed();
        assert_eq!(condition(&failed[0]), ("RecordAgeExceeded", 8));
        assert_eq!(stage.calls().len(), 7);
        assert_eq!(failed[0].get("responseContext"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn an_age_is_asked_anew_after_a_throttle() {
    let stage = StreamStage::kinesis(10, 1);
    stage.answers(|_| Reply::refused(429, "Rate Exceeded."));
    stage.put("k", 0..1);
    seconds(30).await;
    stage.put("k", 1..2);
    let running = stage.start_failing_to_queue(&["MaximumRecordAgeInSeconds: 60"]);
    let gone = || stage.failed().len() == 2;
    stage
        .until("both expired", Duration::from_secs(200), gone)
        .await;
    let account = running.stop().await;
    for failed in stage.failed() {
        assert_eq!(condition(&failed), ("RecordAgeExceeded", 1));
        assert_eq!(failed["KinesisBatchInfo"]["batchSize"], 1);
    }
    assert_eq!((account.settled, account.discarded), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn without_limits_it_is_repeated_until_the_stream_keeps_it_no_longer() {
    let stage = StreamStage::kinesis(11, 1);
    stage.answers(fails_on(0));
    stage.put("k", 0..1);
    pass(DAY - Duration::from_secs(1_500)).await;
    let running = stage.start("TRIM_HORIZON", &["BatchSize: 1"]);
    seconds(1_260).await;
    stage.put("k", 1..3);
    assert!(stage.calls().iter().all(|call| *call == [0]));
    let calls = stage.calls().len();
    // Seven in the first minute, then one a minute or a little more.
    assert!((25..=38).contains(&calls), "{calls} calls in 21 minutes");
    let next = || stage.delivered().ends_with(&[1, 2]);
    stage
        .until("the next", Duration::from_secs(600), next)
        .await;
    let account = running.stop().await;
    assert_eq!((account.settled, account.discarded), (3, 1));
    assert_eq!(
        stage.labelled("events_dropped_total", "reason", "expired_at_source"),
        1.0
    );
}

#[tokio::test(start_paused = true)]
async fn what_never_failed_alone_is_tried_though_the_stream_keeps_it_no_longer() {
    let stage = StreamStage::kinesis(17, 1);
    stage.answers(fails_on(0));
    stage.put("k", 0..4);
    pass(DAY - Duration::from_secs(300)).await;
    let running = stage.start_failing_to_queue(&["BisectBatchOnFunctionError: true"]);
    let gone = || !stage.failed().is_empty();
    stage.until("expired", Duration::from_secs(600), gone).await;
    seconds(60).await;
    let account = running.stop().await;
    assert!(
        stage.calls().ends_with(&[vec![1], vec![2, 3]]),
        "{:?}",
        stage.calls()
    );
    assert_eq!(stage.failed().len(), 1);
    assert_eq!(stage.failed()[0]["KinesisBatchInfo"]["batchSize"], 1);
    assert_eq!((account.settled, account.discarded), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn retries_grow_and_are_not_reset_by_a_restart() {
    let stage = StreamStage::kinesis(12, 1);
    stage.answers(fails_on(0));
    stage.put("k", 0..2);
    let settings = ["MaximumRetryAttempts: 5"];
    for _ in 0..3 {
        let before = stage.calls().len();
        let running = stage.start_failing_to_queue(&settings);
        let two_more = || stage.calls().len() >= before + 2;
        stage
            .until("two more", Duration::from_secs(300), two_more)
            .await;
        running.stop().await;
    }
    let running = stage.start_failing_to_queue(&settings);
    seconds(300).await;
    running.stop().await;
    assert_eq!(stage.calls().len(), 6);
    assert_eq!(condition(&stage.failed()[0]), ("RetryAttemptsExhausted", 6));
    assert_eq!(stage.stage.left(FAILED), 1);
}

#[tokio::test(start_paused = true)]
async fn a_half_goes_at_once_however_often_the_one_before_was_repeated() {
    let stage = StreamStage::kinesis(14, 1);
    stage.answers(fails_on(0));
    stage.put("k", 0..4);
    let settings = [
        "BisectBatchOnFunctionError: true",
        "MaximumRetryAttempts: 20",
    ];
    let running = stage.start_failing_to_queue(&settings);
    let gone = || !stage.failed().is_empty();
    stage
        .until("discarded", Duration::from_secs(1_800), gone)
        .await;
    seconds(1).await;
    running.stop().await;
    assert!(stage.calls().ends_with(&[vec![1], vec![2, 3]]));
    assert_eq!(
        condition(&stage.failed()[0]),
        ("RetryAttemptsExhausted", 21)
    );
}

#[tokio::test(start_paused = true)]
async fn discarding_only_what_fails_alone_spares_the_rest() {
    let stage = StreamStage::kinesis(13, 1);
    stage.answers(|invocation| {
        let held = super::numbers(invocation);
        match held.contains(&2) || held.contains(&6) {
            true => Reply::error("poison"),
            false => Reply::ok("{}"),
        }
    });
    stage.put("k", 0..8);
    let settings = [
        "MaximumRetryAttempts: 1",
        "Extensions: { DiscardOnlyFailing: true }",
    ];
    let running = stage.start_failing_to_queue(&settings);
    let both = || stage.failed().len() == 2;
    stage.until("both", SOON, both).await;
    let all =
        || stage.delivered().contains(&7) && stage.calls().last().is_some_and(|call| *call == [7]);
    stage.until("all", SOON, all).await;
    let account = running.stop().await;
    let calls: [&[u32]; 14] = [
        &[0, 1, 2, 3, 4, 5, 6, 7],
        &[0, 1, 2, 3, 4, 5, 6, 7],
        &[0, 1, 2, 3],
        &[0, 1],
        &[2, 3],
        &[2],
        &[2],
        &[3],
        &[4, 5, 6, 7],
        &[4, 5],
        &[6, 7],
        &[6],
        &[6],
        &[7],
    ];
    assert_eq!(stage.calls(), calls);
    for failed in stage.failed() {
        assert_eq!(condition(&failed), ("RetryAttemptsExhausted", 2));
        assert_eq!(failed["KinesisBatchInfo"]["batchSize"], 1);
    }
    assert_eq!((account.settled, account.discarded), (8, 2));
}

#[tokio::test(start_paused = true)]
async fn records_on_which_the_function_fails_again_and_again_are_told_of() {
    let stage = StreamStage::kinesis(22, 1);
    stage.answers(|_| Reply::error("always"));
    stage.put("k", 0..2);
    let running = stage.start("TRIM_HORIZON", &[]);
    for (calls, told) in [(2, false), (4, true)] {
        let called = || stage.calls().len() == calls;
        stage.until("called", SOON, called).await;
        let reason = stage.status().reason.unwrap_or_default();
        let is_told = reason.contains("times in a row on the 2 records from");
        assert_eq!(is_told, told, "{calls}: {reason}");
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_failed_together_is_not_repeated_together() {
    const LANES: u32 = 10;
    let stage = StreamStage::kinesis(21, 1);
    let calls = Arc::new(Mutex::new(BTreeMap::<u32, Vec<Instant>>::new()));
    let kept = calls.clone();
    stage.answers(move |invocation| {
        let number = super::numbers(invocation)[0];
        let mut kept = kept.lock().unwrap();
        kept.entry(number).or_default().push(Instant::now());
        Reply::error("always")
    });
    stage.put_apart(0..LANES);
    let settings = ["BatchSize: 1", "ParallelizationFactor: 10"];
    let running = stage.start("TRIM_HORIZON", &settings);
    seconds(3).await;
    running.stop().await;
    let calls = calls.lock().unwrap();
    let first = |calls: &Vec<Instant>| Some(*calls.get(1)? - *calls.first()?);
    let waits: BTreeSet<Duration> = calls.values().filter_map(first).collect();
    assert!(waits.len() > 2, "{waits:?}");
    let range = Duration::from_millis(525)..Duration::from_millis(750);
    assert!(waits.iter().all(|wait| range.contains(wait)), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn halves_do_not_wait_however_many_there_are_while_some_of_them_succeed() {
    let stage = StreamStage::kinesis(17, 1);
    stage.answers(|invocation| {
        let poison = |number: &u32| number % 10 == 7;
        match super::numbers(invocation).iter().any(poison) {
            true => Reply::error("poison"),
            false => Reply::ok("{}"),
        }
    });
    stage.put("k", 0..100);
    let settings = [
        "MaximumRetryAttempts: 0",
        "Extensions: { DiscardOnlyFailing: true }",
    ];
    let running = stage.start_failing_to_queue(&settings);
    seconds(3).await;
    let account = running.stop().await;
    assert_eq!((account.settled, account.discarded), (100, 10));
    assert_eq!(stage.failed().len(), 10);
}

// reliability: I15
#[tokio::test(start_paused = true)]
async fn a_function_that_fails_on_everything_is_not_called_for_every_half_as_fast_as_it_fails() {
    for naming in [false, true] {
        let stage = StreamStage::kinesis(15, 1);
        stage.answers(move |invocation| match naming {
            true => Reply::batch_item_failures([super::sequence_number(invocation, 0)]),
            false => Reply::error("always"),
        });
        stage.put("k", 0..500);
        let settings = [
            "BatchSize: 500",
            "BisectBatchOnFunctionError: true",
            "MaximumRetryAttempts: 0",
            "FunctionResponseTypes: [ReportBatchItemFailures]",
        ];
        let running = stage.start_failing_to_queue(&settings);
        seconds(600).await;
        running.stop().await;
        let calls = stage.calls().len();
        assert!((20..60).contains(&calls), "naming: {naming}, {calls} calls");
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_that_keeps_failing_is_told_of_though_every_batch_is_given_up_at_once() {
    let stage = StreamStage::kinesis(16, 1);
    stage.answers(|_| Reply::error("always"));
    stage.put("k", 0..20);
    let running = stage.start_failing_to_queue(&["BatchSize: 1", "MaximumRetryAttempts: 0"]);
    let gone = || stage.failed().len() == 20;
    stage.until("all discarded", SOON, gone).await;
    let status = stage.status();
    assert_eq!(status.state, State::Enabled);
    let reason = status.reason.expect("a reason");
    assert_eq!(reason, "the function failed 20 times in a row");
    stage.answers(|_| Reply::ok("{}"));
    stage.put("k", 20..21);
    stage
        .until("well", SOON, || stage.status().reason.is_none())
        .await;
    running.stop().await;
}
