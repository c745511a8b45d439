//! How an answer is read. // spec: 3.1

use std::time::Duration;

use serde_json::Value;
use sluicegate::sim::{FunctionConfig, Reply};

use super::{SOON, StreamStage, seconds, sequence_number};

const REPORTS: &str = "FunctionResponseTypes: [ReportBatchItemFailures]";
const ONCE: &str = "MaximumRetryAttempts: 0";

#[tokio::test(start_paused = true)]
async fn answers_that_mean_success_settle_the_batch() {
    let answers = [
        "",
        "\"\"",
        "[]",
        "null",
        "{}",
        "{\"batchItemFailures\":[]}",
        "{\"batchItemFailures\":null}",
    ];
    for answer in answers {
        for stage in StreamStage::both(1) {
            stage.answers(move |_| Reply::ok(answer));
            stage.put("k", 0..3);
            let running = stage.start_failing_to_queue(&[REPORTS, ONCE]);
            stage.until_delivered(3).await;
            seconds(30).await;
            let account = running.stop().await;
            assert_eq!(stage.calls(), [[0, 1, 2]], "{answer}");
            assert_eq!((account.settled, account.discarded), (3, 0), "{answer}");
            assert_eq!(stage.failed(), Vec::<Value>::new(), "{answer}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_can_not_be_read_fail_the_whole_batch() {
    // `$` stands for the sequence number of the second record.
    let answers = [
        (
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            "no_identifier",
        ),
        (
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            "no_identifier",
        ),
        (
            r#"{"batchItemFailures":[{"itemIdentifier":"4960"}]}"#,
            "unknown_identifier",
        ),
        (
            r#"{"batchItemFailures":[{"itemIdentifier":"four"}]}"#,
            "unknown_identifier",
        ),
        (r#"{"batchItemFailures":[{"foo":123}]}"#, "no_identifier"),
        (r#"{"batchItemFailures":[{"foo":null}]}"#, "no_identifier"),
        (r#"{"batchItemFailures":[{}]}"#, "no_identifier"),
        (
            r#"{"batchItemFailures":[{"itemIdentifier":7}]}"#,
            "wrong_type",
        ),
        (r#"{"batchItemFailures":"all"}"#, "wrong_type"),
        (
            r#"{"batchItemFailures":[{"itemIdentifier":"$"},{"itemIdentifier":"4960"}]}"#,
            "unknown_identifier",
        ),
        ("not JSON", "not_json"),
    ];
    for (answer, reason) in answers {
        for stage in StreamStage::both(2) {
            stage.answers(move |invocation| {
                Reply::ok(answer.replace('$', &sequence_number(invocation, 1)))
            });
            stage.put("k", 0..3);
            let running = stage.start_failing_to_queue(&[REPORTS, ONCE]);
            stage
                .until("discarded", SOON, || !stage.failed().is_empty())
                .await;
            let account = running.stop().await;
            assert_eq!(stage.calls(), [[0, 1, 2]], "{answer}");
            assert_eq!((account.settled, account.discarded), (3, 3), "{answer}");
            let record = &stage.failed()[0];
            assert_eq!(
                record["responseContext"]["functionError"],
                Value::Null,
                "{answer}"
            );
            assert_eq!(record["responseContext"]["statusCode"], 200, "{answer}");
            assert_eq!(
                stage.labelled("replies_malformed_total", "reason", reason),
                1.0,
                "{answer}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_named_record_is_where_the_next_batch_begins_and_batches_are_not_refilled() {
    for stage in StreamStage::both(3) {
        // The second record fails once, then the third.
        stage.answers(|invocation| match invocation.number {
            number @ 1..=2 => {
                let failed = [3, 1].map(|index| sequence_number(invocation, index));
                match number {
                    1 => Reply::batch_item_failures(failed),
                    _ => Reply::batch_item_failures([&failed[1]]),
                }
            }
            _ => Reply::ok("{}"),
        });
        stage.put("k", 0..10);
        let running = stage.start_failing_to_queue(&[REPORTS, ONCE, "BatchSize: 5"]);
        stage.until_delivered(17).await;
        let account = running.stop().await;
        let calls: [&[u32]; 4] = [
            &[0, 1, 2, 3, 4],
            &[1, 2, 3, 4],
            &[2, 3, 4],
            &[5, 6, 7, 8, 9],
        ];
        assert_eq!(stage.calls(), calls);
        assert_eq!((account.settled, account.discarded), (10, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_named_first_record_is_no_progress() {
    for stage in StreamStage::both(4) {
        stage.answers(super::names(0));
        stage.put("k", 0..2);
        let running = stage.start_failing_to_queue(&[REPORTS, "MaximumRetryAttempts: 2"]);
        stage
            .until("discarded", SOON, || !stage.failed().is_empty())
            .await;
        running.stop().await;
        assert_eq!(stage.calls(), [[0, 1]; 3]);
        assert_eq!(
            stage.failed()[0]["requestContext"]["approximateInvokeCount"],
            3
        );
    }
}

// spec: 14, the recorded trace
#[tokio::test(start_paused = true)]
async fn progress_gives_a_fresh_allowance() {
    for stage in StreamStage::both(5) {
        stage.answers(super::names(5));
        stage.put("k", 0..6);
        let settings = [REPORTS, "MaximumRetryAttempts: 3", "BatchSize: 3"];
        let running = stage.start_failing_to_queue(&settings);
        stage
            .until("discarded", SOON, || !stage.failed().is_empty())
            .await;
        running.stop().await;
        let calls: [&[u32]; 6] = [&[0, 1, 2], &[3, 4, 5], &[5], &[5], &[5], &[5]];
        assert_eq!(stage.calls(), calls);
        let record = &stage.failed()[0];
        assert_eq!(record["requestContext"]["approximateInvokeCount"], 4);
    }
}

#[tokio::test(start_paused = true)]
async fn the_payload_of_a_function_error_is_not_read() {
    let stage = StreamStage::kinesis(6, 1);
    stage.answers(|invocation| {
        let id = sequence_number(invocation, 1);
        Reply {
            function_error: Some("Unhandled".to_owned()),
            ..Reply::batch_item_failures([id])
        }
    });
    stage.put("k", 0..3);
    let running = stage.start_failing_to_queue(&[REPORTS, ONCE]);
    stage
        .until("discarded", SOON, || !stage.failed().is_empty())
        .await;
    running.stop().await;
    assert_eq!(stage.calls(), [[0, 1, 2]]);
    let record = &stage.failed()[0];
    assert_eq!(record["responseContext"]["functionError"], "Unhandled");
    assert_eq!(record["KinesisBatchInfo"]["batchSize"], 3);
}

#[tokio::test(start_paused = true)]
async fn failures_that_nobody_asked_for_are_ignored_and_counted() {
    let stage = StreamStage::kinesis(7, 1);
    stage.answers(super::names(1));
    stage.put("k", 0..3);
    let running = stage.start_failing_to_queue(&[ONCE]);
    stage.until_delivered(3).await;
    seconds(30).await;
    let account = running.stop().await;
    assert_eq!(stage.calls(), [[0, 1, 2]]);
    assert_eq!((account.settled, account.discarded), (3, 0));
    assert_eq!(stage.counted("replies_ignored_total"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_time_out_is_a_failure_of_the_function() {
    let stage = StreamStage::kinesis(8, 1);
    let config = FunctionConfig {
        timeout: Duration::from_secs(3),
        ..FunctionConfig::default()
    };
    stage
        .stage
        .function(config, |_| Reply::ok("{}").after(Duration::from_secs(900)));
    stage.put("k", 0..3);
    let running = stage.start_failing_to_queue(&["MaximumRetryAttempts: 1"]);
    stage
        .until("discarded", SOON, || !stage.failed().is_empty())
        .await;
    running.stop().await;
    assert_eq!(stage.calls(), [[0, 1, 2]; 2]);
    let record = &stage.failed()[0];
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 2);
    assert_eq!(record["responseContext"]["functionError"], "Unhandled");
    assert_eq!(
        stage.labelled("invocations_total", "outcome", "timeout"),
        2.0
    );
}
