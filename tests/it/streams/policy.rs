//! The failure policy end to end: the captured traces of AWS. // spec: 3.3, 3.4, 14

use std::time::Duration;

use serde_json::{Value, json};
use sluicegate::sim::{FunctionConfig, Invocation, Reply};

use super::{STREAM, StreamStage, numbers};

/// Fails on this record: by an exception, or by naming it.
fn poisoned(record: u32, naming: bool) -> impl Fn(&Invocation) -> Reply {
    move |invocation| {
        let held = numbers(invocation);
        match held.contains(&record) {
            true if naming => {
                let event: Value = serde_json::from_slice(&invocation.event).unwrap();
                let index = held.iter().position(|number| *number == record).unwrap();
                let id = event["Records"][index]["kinesis"]["sequenceNumber"].as_str();
                Reply::batch_item_failures(id)
            }
            true => Reply::error("poison"),
            false => Reply::ok("{}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_put_is_delivered_in_order_and_once() {
    let stage = StreamStage::kinesis(1, 1);
    stage
        .stage
        .function(FunctionConfig::default(), |_| Reply::ok("{}"));
    stage.put("k", 0..250);
    let running = stage.start("TRIM_HORIZON", &[]);
    let all = || stage.calls().concat().len() >= 250;
    stage
        .until("all delivered", Duration::from_secs(60), all)
        .await;
    let account = running.stop().await;
    assert_eq!(stage.calls().concat(), (0..250).collect::<Vec<_>>());
    assert_eq!(
        stage.calls().iter().map(Vec::len).collect::<Vec<_>>(),
        [100, 100, 50]
    );
    assert_eq!((account.settled, account.discarded), (250, 0));
}

#[tokio::test(start_paused = true)]
async fn the_captured_traces() {
    // What, whether the function names the record, settings, invocations, what is discarded.
    type Row = (
        &'static str,
        bool,
        &'static [&'static str],
        &'static [&'static [u32]],
        &'static [u32],
    );
    let table: &[Row] = &[
        (
            "partial, no bisect",
            true,
            &[
                "FunctionResponseTypes: [ReportBatchItemFailures]",
                "MaximumRetryAttempts: 1",
            ],
            &[&[1, 2, 3, 4], &[2, 3, 4], &[2, 3, 4]],
            &[2, 3, 4],
        ),
        (
            "partial and bisect",
            true,
            &[
                "FunctionResponseTypes: [ReportBatchItemFailures]",
                "MaximumRetryAttempts: 1",
                "BisectBatchOnFunctionError: true",
            ],
            &[&[1, 2, 3, 4], &[2, 3, 4], &[2], &[2], &[3, 4]],
            &[2],
        ),
        (
            "throw and bisect",
            false,
            &[
                "MaximumRetryAttempts: 1",
                "BisectBatchOnFunctionError: true",
            ],
            &[&[1, 2, 3, 4], &[1, 2], &[1], &[2], &[2], &[3, 4]],
            &[2],
        ),
        (
            "throw, no bisect",
            false,
            &["MaximumRetryAttempts: 2"],
            &[&[1, 2, 3, 4], &[1, 2, 3, 4], &[1, 2, 3, 4]],
            &[1, 2, 3, 4],
        ),
    ];
    for (what, naming, settings, calls, discarded) in table {
        let stage = StreamStage::kinesis(7, 1);
        stage.world().create_queue("failed", &[]).unwrap();
        stage
            .stage
            .function(FunctionConfig::default(), poisoned(2, *naming));
        stage.put("k", 1..5);
        let queue = stage.world().queue_arn("failed");
        let destination = format!("DestinationConfig: {{ OnFailure: {{ Destination: {queue} }} }}");
        let mut settings = settings.to_vec();
        settings.push(&destination);
        let running = stage.start("TRIM_HORIZON", &settings);
        let done = || stage.calls().len() >= calls.len() && stage.stage.left("failed") == 1;
        stage.until(what, Duration::from_secs(60), done).await;
        tokio::time::sleep(Duration::from_secs(120)).await;
        let account = running.stop().await;
        assert_eq!(stage.calls(), *calls, "{what}");
        assert_eq!(account.settled, 4, "{what}");
        assert_eq!(account.discarded, discarded.len() as u64, "{what}");

        let failed = stage.world().queue("failed").unwrap();
        let record: Value = serde_json::from_str(&failed.messages[0].body).unwrap();
        assert_eq!(
            record["KinesisBatchInfo"]["batchSize"],
            json!(discarded.len()),
            "{what}"
        );
        assert_eq!(
            record["requestContext"]["condition"], "RetryAttemptsExhausted",
            "{what}"
        );
        let view = stage.world().stream(STREAM).unwrap();
        assert_eq!(
            record["KinesisBatchInfo"]["shardId"],
            view.shards[0].id.as_str(),
            "{what}"
        );
    }
}
