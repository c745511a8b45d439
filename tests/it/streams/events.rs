//! What the function is given, byte for byte. // spec: 2.2, 2.3, 2.4

use sluicegate::sim::{Fault, FunctionConfig, Operation, Reply};

use super::{STREAM, StreamStage, TABLE, event};
const ROLE: &str = "arn:aws:iam::111111111111:role/lambda-role";

fn as_role() -> FunctionConfig {
    FunctionConfig {
        role: ROLE.to_owned(),
        ..FunctionConfig::default()
    }
}

fn sent(stage: &StreamStage, call: usize) -> String {
    String::from_utf8(stage.stage.invocations()[call].event.to_vec()).unwrap()
}

/// Seconds with the milliseconds that are not trailing zeros.
fn decimal(ms: u64) -> String {
    let text = format!("{}.{:03}", ms / 1000, ms % 1000);
    match text.trim_end_matches('0') {
        whole if whole.ends_with('.') => format!("{whole}0"),
        text => text.to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_of_kinesis_is_that_of_aws() {
    let stage = StreamStage::kinesis(1, 1);
    stage.stage.function(as_role(), |_| Reply::ok("{}"));
    tokio::time::sleep(std::time::Duration::from_millis(1_187)).await;
    stage.put("user-\"1\"", 7..9);
    let running = stage.start("TRIM_HORIZON", &[]);
    stage.until_delivered(2).await;
    running.stop().await;
    let shard = &stage.shards()[0];
    let record = |index: usize, data: &str| {
        let (id, record) = (&shard.id, &shard.records[index]);
        let (number, at) = (&record.sequence_number, decimal(record.arrived_ms));
        format!(
            r#"{{"kinesis":{{"kinesisSchemaVersion":"1.0","partitionKey":"user-\"1\"","sequenceNumber":"{number}","data":"{data}","approximateArrivalTimestamp":{at}}},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"{id}:{number}","eventName":"aws:kinesis:record","invokeIdentityArn":"{ROLE}","awsRegion":"us-east-1","eventSourceARN":"arn:aws:kinesis:us-east-1:000000000000:stream/{STREAM}"}}"#
        )
    };
    let expected = format!(
        r#"{{"Records":[{},{}]}}"#,
        record(0, "Nw=="),
        record(1, "OA==")
    );
    assert_eq!(sent(&stage, 0), expected);
}

#[tokio::test(start_paused = true)]
async fn a_role_that_may_not_be_asked_is_an_empty_text() {
    let stage = StreamStage::kinesis(2, 1);
    stage.stage.function(as_role(), |_| Reply::ok("{}"));
    let ask = Operation::GetFunctionConfiguration;
    stage
        .world()
        .fault_chance(Some(ask), Fault::AccessDenied, 1.0);
    stage.put("k", 0..1);
    let running = stage.start("TRIM_HORIZON", &[]);
    stage.until_delivered(1).await;
    running.stop().await;
    let invocation = &stage.stage.invocations()[0];
    assert_eq!(event(invocation)["Records"][0]["invokeIdentityArn"], "");
}

#[tokio::test(start_paused = true)]
async fn an_event_of_dynamodb_is_that_of_aws() {
    let stage = StreamStage::dynamodb(3, 1);
    stage.answers(|_| Reply::ok("{}"));
    stage.put("a", 1..3);
    let key = serde_json::json!({ "id": { "S": "a" } });
    stage.world().expire_item(TABLE, &key).unwrap();
    let running = stage.start("TRIM_HORIZON", &[]);
    let invoked = || !stage.stage.invocations().is_empty();
    stage.until("invoked", super::SOON, invoked).await;
    running.stop().await;
    let records = event(&stage.stage.invocations()[0])["Records"].clone();
    let of = |index: usize, field: &str| records[index][field].as_str().unwrap().to_owned();
    let numbers = &stage.world().table(TABLE).unwrap().shards[0].records;
    let arn = stage.world().table(TABLE).unwrap().stream_arn.unwrap();
    let (one, two) = (
        r#"{"id":{"S":"a"},"n":{"N":"1"}}"#,
        r#"{"id":{"S":"a"},"n":{"N":"2"}}"#,
    );
    let images = [
        format!(r#""NewImage":{one},"#),
        format!(r#""NewImage":{two},"OldImage":{one},"#),
        format!(r#""OldImage":{two},"#),
    ];
    let identity = r#","userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"}"#;
    let expected: Vec<String> = images
        .iter()
        .enumerate()
        .map(|(index, images)| {
            let (id, name) = (of(index, "eventID"), ["INSERT", "MODIFY", "REMOVE"][index]);
            assert_eq!(id.len(), 32);
            let identity = if index == 2 { identity } else { "" };
            let inner = &records[index]["dynamodb"];
            let (number, size) = (&numbers[index], &inner["SizeBytes"]);
            let at = inner["ApproximateCreationDateTime"].as_f64().unwrap() as u64;
            let digits = at.to_string();
            let at = format!("{}.{}E9", &digits[..1], digits[1..].trim_end_matches('0'));
            format!(
                r#"{{"eventID":"{id}","eventName":"{name}","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"us-east-1"{identity},"dynamodb":{{"ApproximateCreationDateTime":{at},"Keys":{{"id":{{"S":"a"}}}},{images}"SequenceNumber":"{number}","SizeBytes":{size},"StreamViewType":"NEW_AND_OLD_IMAGES"}},"eventSourceARN":"{arn}"}}"#
            )
        })
        .collect();
    assert_eq!(
        sent(&stage, 0),
        format!(r#"{{"Records":[{}]}}"#, expected.join(","))
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_of_a_window_names_the_window_its_state_and_the_shard() {
    let stage = StreamStage::kinesis(4, 1);
    stage.stage.function(as_role(), |_| {
        Reply::ok(r#"{"state":{"count":41,"b":[1, 2.50]}}"#)
    });
    stage.put("k", 0..2);
    let running = stage.start(
        "TRIM_HORIZON",
        &["TumblingWindowInSeconds: 10", "BatchSize: 1"],
    );
    let closed = || stage.calls().len() >= 3;
    stage
        .until("closed", std::time::Duration::from_secs(300), closed)
        .await;
    running.stop().await;
    let shard = &stage.shards()[0];
    let start = shard.records[0].arrived_ms / 10_000 * 10;
    let time = |seconds: u64| {
        let of_day = seconds % 86_400;
        let clock = format!(
            "{:02}:{:02}:{:02}Z",
            of_day / 3600,
            of_day / 60 % 60,
            of_day % 60
        );
        clock
    };
    let tail = |state: &str, last: bool| {
        let (id, date) = (
            &shard.id,
            event(&stage.stage.invocations()[0])["window"]["start"].clone(),
        );
        let date = date.as_str().unwrap()[..11].to_owned();
        let (start, end) = (time(start), time(start + 10));
        format!(
            r#"],"shardId":"{id}","eventSourceARN":"arn:aws:kinesis:us-east-1:000000000000:stream/{STREAM}","window":{{"start":"{date}{start}","end":"{date}{end}"}},"state":{state},"isFinalInvokeForWindow":{last},"isWindowTerminatedEarly":false}}"#
        )
    };
    let state = r#"{"count":41,"b":[1, 2.50]}"#;
    let first = sent(&stage, 0);
    assert!(first.ends_with(&tail("{}", false)), "{first}");
    assert!(sent(&stage, 1).ends_with(&tail(state, false)));
    assert_eq!(
        sent(&stage, 2),
        format!(r#"{{"Records":[{}"#, tail(state, true))
    );
}
