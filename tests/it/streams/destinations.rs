//! Where the records of discards go, and what happens while they can not go there. // spec: 6

use std::time::Duration;

use serde_json::{Value, json};
use sluicegate::sim::{Fault, Operation, Reply};
use sluicegate::status::State;

use super::{FAILED, SOON, StreamStage, event, failing_to, fails_on, pass, seconds};

const ONCE: &str = "MaximumRetryAttempts: 0";
const UUID: &str = "11111111-2222-4333-8444-555555555555";

fn stage(seed: u64) -> StreamStage {
    let stage = StreamStage::kinesis(seed, 1);
    stage.answers(fails_on(1));
    stage.put("k", 0..3);
    stage
}

/// What a record of the discard of all three says, apart from its ids and the time.
fn check(stage: &StreamStage, record: &Value) {
    let shard = &stage.shards()[0];
    let invocation = &stage.stage.invocations()[0];
    let [first, last] = [0, 2].map(|index| &shard.records[index]);
    let mut expected = json!({
        "requestContext": {
            "requestId": invocation.request_id,
            "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:process",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 1,
        },
        "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
        "version": "1.0",
        "timestamp": record["timestamp"],
        "KinesisBatchInfo": {
            "shardId": shard.id,
            "startSequenceNumber": first.sequence_number,
            "endSequenceNumber": last.sequence_number,
            "approximateArrivalOfFirstRecord": record["KinesisBatchInfo"]["approximateArrivalOfFirstRecord"],
            "approximateArrivalOfLastRecord": record["KinesisBatchInfo"]["approximateArrivalOfLastRecord"],
            "batchSize": 3,
            "streamArn": "arn:aws:kinesis:us-east-1:000000000000:stream/clicks",
        },
    });
    if let Some(payload) = record.get("payload") {
        let text = payload.as_str().expect("a text inside of JSON");
        assert_eq!(text.as_bytes(), &invocation.event[..]);
        expected["payload"] = payload.clone();
    }
    assert_eq!(record, &expected);
    let time = record["timestamp"].as_str().unwrap();
    assert_eq!((time.len(), &time[23..]), (24, "Z"), "{time}");
}

#[tokio::test(start_paused = true)]
async fn a_queue_gets_the_record_of_aws() {
    let stage = stage(1);
    let running = stage.start_failing_to_queue(&[ONCE]);
    stage
        .until("told", SOON, || !stage.failed().is_empty())
        .await;
    running.stop().await;
    let record = &stage.failed()[0];
    assert_eq!(record.get("payload"), None);
    check(&stage, record);
    assert_eq!(stage.counted("events_on_failure_delivered_total"), 3.0);
    assert_eq!(
        stage.labelled("destination_deliveries_total", "outcome", "success"),
        1.0
    );
}

// spec: 6.1
#[tokio::test(start_paused = true)]
async fn an_error_is_told_as_lambda_names_it_and_any_other_as_unhandled() {
    for (said, told) in [
        ("Handled", "Handled"),
        ("Unhandled", "Unhandled"),
        ("Unheard of", "Unhandled"),
    ] {
        let stage = stage(18);
        stage.answers(move |_| Reply {
            function_error: Some(said.to_owned()),
            ..Reply::error("no")
        });
        let running = stage.start_failing_to_queue(&[ONCE]);
        stage
            .until("told", SOON, || !stage.failed().is_empty())
            .await;
        running.stop().await;
        let response = &stage.failed()[0]["responseContext"];
        assert_eq!(response["functionError"], told, "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_gets_it_as_its_message() {
    let stage = stage(2);
    let topic = stage.world().create_topic("gone").unwrap();
    let running = stage.start("TRIM_HORIZON", &[ONCE, &failing_to(&topic)]);
    let published = || stage.world().published("gone");
    stage.until("told", SOON, || !published().is_empty()).await;
    running.stop().await;
    let record: Value = serde_json::from_str(&published()[0].message).unwrap();
    check(&stage, &record);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_gets_it_with_the_event_under_the_key_of_aws() {
    let stage = stage(3);
    stage.world().create_bucket("gone-for-good").unwrap();
    let uuid = format!("UUID: {UUID}");
    let destination = failing_to("arn:aws:s3:::gone-for-good");
    let running = stage.start("TRIM_HORIZON", &[ONCE, &uuid, &destination]);
    let objects = || stage.world().objects("gone-for-good");
    stage.until("told", SOON, || !objects().is_empty()).await;
    running.stop().await;
    let (key, object) = objects().into_iter().next().unwrap();
    let record: Value = serde_json::from_slice(&object.body).unwrap();
    assert!(record["payload"].is_string());
    check(&stage, &record);
    assert_eq!(object.content_type, "application/octet-stream");
    let time = record["timestamp"].as_str().unwrap();
    let (date, clock) = (&time[..10], time[11..19].replace(':', "."));
    let folder = date.replace('-', "/");
    let start = format!(
        "aws/lambda/{UUID}/{}/{folder}/{date}T{clock}-",
        stage.shards()[0].id
    );
    let id = key.strip_prefix(&start).unwrap_or_else(|| panic!("{key}"));
    assert_eq!((id.len(), &id[14..15]), (36, "4"), "{key}");
}

#[tokio::test(start_paused = true)]
async fn the_payload_goes_with_it_where_that_is_wanted_and_fits() {
    for (bytes, fits) in [(100, true), (1_100_000, false)] {
        let stage = StreamStage::kinesis(4, 1);
        stage.answers(|_| Reply::error("always"));
        let data = format!("0 {}", "x".repeat(bytes));
        stage.world().put_record(super::STREAM, "k", data).unwrap();
        let with = "Extensions: { OnFailureIncludePayload: true }";
        let running = stage.start_failing_to_queue(&[ONCE, with]);
        stage
            .until("told", SOON, || !stage.failed().is_empty())
            .await;
        running.stop().await;
        let record = &stage.failed()[0];
        assert_eq!(record.get("payload").is_some(), fits, "{bytes}");
        assert_eq!(record["KinesisBatchInfo"]["batchSize"], 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_of_dynamodb_has_whole_seconds_and_its_own_name() {
    let stage = StreamStage::dynamodb(5, 1);
    stage.answers(|_| Reply::error("always"));
    stage.put("k", 0..2);
    let running = stage.start_failing_to_queue(&[ONCE]);
    stage
        .until("told", SOON, || !stage.failed().is_empty())
        .await;
    running.stop().await;
    let record = &stage.failed()[0];
    assert_eq!(record.get("KinesisBatchInfo"), None);
    let info = &record["DDBStreamBatchInfo"];
    let records = event(&stage.stage.invocations()[0])["Records"].clone();
    assert_eq!(
        info["startSequenceNumber"],
        records[0]["dynamodb"]["SequenceNumber"]
    );
    assert_eq!(
        info["endSequenceNumber"],
        records[1]["dynamodb"]["SequenceNumber"]
    );
    assert_eq!(info["streamArn"], records[0]["eventSourceARN"]);
    let time = info["approximateArrivalOfFirstRecord"].as_str().unwrap();
    assert_eq!((time.len(), &time[19..]), (20, "Z"), "{time}");
}

#[tokio::test(start_paused = true)]
async fn while_the_destination_is_down_the_shard_waits_and_says_why_and_nothing_is_lost() {
    let stage = stage(6);
    let down = Some(Operation::SendMessage);
    stage.world().fault_chance(down, Fault::Unavailable, 1.0);
    let running = stage.start_failing_to_queue(&[ONCE]);
    stage
        .until("failed", SOON, || stage.calls().len() == 1)
        .await;
    stage.put("k", 3..5);
    pass(Duration::from_secs(3_600)).await;
    assert_eq!(
        stage.calls(),
        [[0, 1, 2]],
        "it is not invoked again, and no other is"
    );
    let status = stage.status();
    assert_eq!(status.state, State::Failing);
    let reason = status.reason.expect("a reason");
    assert!(
        reason.contains("the on-failure record of 3 records can not be delivered"),
        "{reason}"
    );
    assert_eq!(stage.counted("events_on_failure_delivered_total"), 0.0);
    let refused = stage.labelled("destination_deliveries_total", "outcome", "failure");
    // Half a second at first, then a minute at most.
    assert!(
        (60.0..=135.0).contains(&refused),
        "{refused} attempts in an hour"
    );
    let age = stage.labelled("iterator_age_seconds", "shard", &stage.shards()[0].id);
    assert!(age > 3_590.0, "{age}");

    stage.world().heal();
    let goes_on = || stage.calls().len() == 2;
    stage
        .until("goes on", Duration::from_secs(90), goes_on)
        .await;
    seconds(5).await;
    assert_eq!(stage.status().state, State::Enabled);
    let account = running.stop().await;
    assert_eq!(stage.calls(), [vec![0, 1, 2], vec![3, 4]]);
    assert_eq!(stage.stage.left(FAILED), 1);
    check(&stage, &stage.failed()[0]);
    assert_eq!((account.settled, account.discarded), (5, 3));
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_destination_that_is_lost_may_tell_twice_but_never_not_at_all() {
    let stage = stage(7);
    stage.world().create_bucket("gone-for-good").unwrap();
    stage
        .world()
        .fault_next(Operation::PutObject, Fault::ResetAfter, 3);
    let destination = failing_to("arn:aws:s3:::gone-for-good");
    let running = stage.start("TRIM_HORIZON", &[ONCE, &destination]);
    seconds(1).await;
    let settled = || stage.counted("events_on_failure_delivered_total") == 3.0;
    stage.until("told", SOON, settled).await;
    running.stop().await;
    // Told again it is the same object.
    assert_eq!(stage.world().objects("gone-for-good").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_destination_a_discard_is_counted_by_its_reason() {
    let stage = stage(8);
    let running = stage.start("TRIM_HORIZON", &[ONCE]);
    seconds(1).await;
    let dropped = || stage.labelled("events_dropped_total", "reason", "retry_attempts_exhausted");
    stage.until("dropped", SOON, || dropped() == 3.0).await;
    stage.put("k", 3..5);
    stage.until_delivered(5).await;
    let account = running.stop().await;
    assert_eq!(dropped(), 3.0);
    assert_eq!(
        stage.labelled("events_dropped_total", "reason", "record_age_exceeded"),
        0.0
    );
    assert_eq!(stage.counted("events_on_failure_delivered_total"), 0.0);
    assert_eq!((account.settled, account.discarded), (5, 3));
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_waits_for_the_destination_says_so_though_others_go_on() {
    let stage = StreamStage::kinesis(9, 1);
    stage.answers(fails_on(0));
    let down = Some(Operation::SendMessage);
    stage.world().fault_chance(down, Fault::AccessDenied, 1.0);
    stage.put("bad", 0..1);
    let running = stage.start_failing_to_queue(&[ONCE, "ParallelizationFactor: 10"]);
    seconds(10).await;
    for number in 1..200 {
        stage.put(&format!("good-{number}"), number..number + 1);
        seconds(1).await;
        assert_eq!(stage.status().state, State::Failing, "after {number}");
    }
    stage.world().heal();
    seconds(120).await;
    assert_eq!(stage.status().state, State::Enabled);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_never_invoked_has_a_request_id_of_its_own() {
    let stage = StreamStage::kinesis(20, 1);
    stage.answers(fails_on(0));
    stage.put("k", 0..2);
    let settings = [
        "BisectBatchOnFunctionError: true",
        "MaximumRecordAgeInSeconds: 60",
    ];
    let running = stage.start_failing_to_queue(&settings);
    let both = || stage.failed().len() == 2;
    stage.until("both", Duration::from_secs(200), both).await;
    running.stop().await;
    assert_eq!(stage.calls()[..2], [vec![0, 1], vec![0]]);
    assert!(!stage.calls().contains(&vec![1]));
    let told = |index: usize, what: &str| stage.failed()[index]["requestContext"][what].clone();
    assert_eq!(told(1, "approximateInvokeCount"), 1);
    assert_ne!(told(0, "requestId"), told(1, "requestId"));
}
