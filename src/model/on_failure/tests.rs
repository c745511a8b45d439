//! The record and its key, to the byte.

use bytes::Bytes;

use super::*;

const KINESIS: &str = "arn:aws:kinesis:us-east-1:111111111111:stream/clicks";

fn number(text: &str) -> SequenceNumber {
    SequenceNumber::try_from(text.to_owned()).unwrap()
}

/// Kinesis, function error.
fn record() -> OnFailure {
    OnFailure {
        request_id: "5d0c7f52-31ab-4e0e-9a57-2f6c1b8a7710".into(),
        function_arn: "arn:aws:lambda:us-east-1:111111111111:function:f".into(),
        condition: Condition::RetryAttemptsExhausted,
        invoke_count: 2,
        response: Some(Response {
            executed_version: "$LATEST".into(),
            function_error: Some("Unhandled".into()),
        }),
        at_ms: 1_791_018_944_310,
        source: Source::Kinesis,
        shard: "shardId-000000000000".into(),
        stream_arn: KINESIS.into(),
        records: Some(Records {
            first: number("49701"),
            last: number("49707"),
            first_arrived_ms: 1_791_018_941_902,
            last_arrived_ms: 1_791_018_942_077,
            count: 3,
        }),
        window: None,
        event: None,
        object_id: "0d7e2c44-8f5e-4f0a-9a39-6a1d2c3b4e5f".into(),
    }
}

const REQUEST: &str = r#"{"requestContext":{"requestId":"5d0c7f52-31ab-4e0e-9a57-2f6c1b8a7710","functionArn":"arn:aws:lambda:us-east-1:111111111111:function:f","condition":"RetryAttemptsExhausted","approximateInvokeCount":2},"#;
const RESPONSE: &str = r#""responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"#;
const MOMENT: &str = r#""version":"1.0","timestamp":"2026-10-03T09:15:44.310Z","#;
const BATCH: &str = r#""KinesisBatchInfo":{"shardId":"shardId-000000000000","startSequenceNumber":"49701","endSequenceNumber":"49707","approximateArrivalOfFirstRecord":"2026-10-03T09:15:41.902Z","approximateArrivalOfLastRecord":"2026-10-03T09:15:42.077Z","batchSize":3,"streamArn":"arn:aws:kinesis:us-east-1:111111111111:stream/clicks"}"#;

// spec: 6.1
#[test]
fn each_kind_of_discard_is_told_to_the_byte() {
    let age = r#"{"requestContext":{"requestId":"5d0c7f52-31ab-4e0e-9a57-2f6c1b8a7710","functionArn":"arn:aws:lambda:us-east-1:111111111111:function:f","condition":"RecordAgeExceeded","approximateInvokeCount":1},"#;
    let qualified = r#"{"requestContext":{"requestId":"5d0c7f52-31ab-4e0e-9a57-2f6c1b8a7710","functionArn":"arn:aws:lambda:us-east-1:111111111111:function:f:live","condition":"RetryAttemptsExhausted","approximateInvokeCount":2},"#;
    let malformed =
        r#""responseContext":{"statusCode":200,"executedVersion":"7","functionError":null},"#;
    let dynamodb = r#""DDBStreamBatchInfo":{"shardId":"shardId-00000001","startSequenceNumber":"49701","endSequenceNumber":"49707","approximateArrivalOfFirstRecord":"2026-10-03T09:15:41Z","approximateArrivalOfLastRecord":"2026-10-03T09:15:42Z","batchSize":3,"streamArn":"arn:aws:dynamodb:us-east-1:111111111111:table/t/stream/2026-09-17T10:00:00.000"}"#;
    let consumer = BATCH.replace("stream/clicks", "stream/clicks/consumer/c:1789650000");
    let final_batch = r#""KinesisBatchInfo":{"shardId":"shardId-000000000000","streamArn":"arn:aws:kinesis:us-east-1:111111111111:stream/clicks"},"timeWindowInfo":{"window":{"start":"2026-10-03T09:15:40Z","end":"2026-10-03T09:15:50Z"},"isFinalInvokeForWindow":true,"isWindowTerminatedEarly":false}"#;
    let in_window = format!(
        r#"{BATCH},"timeWindowInfo":{{"window":{{"start":"2026-10-03T09:15:40Z","end":"2026-10-03T09:15:50Z"}},"isFinalInvokeForWindow":false,"isWindowTerminatedEarly":true}}"#
    );
    let window = Window {
        start_ms: 1_791_018_940_000,
        end_ms: 1_791_018_950_000,
        final_invoke: true,
        terminated_early: false,
    };
    for (what, record, expected) in [
        (
            "a function error",
            record(),
            format!("{REQUEST}{RESPONSE}{MOMENT}{BATCH}}}"),
        ),
        (
            "an answer that is no success, of a version behind an alias",
            OnFailure {
                function_arn: "arn:aws:lambda:us-east-1:111111111111:function:f:live".into(),
                response: Some(Response {
                    executed_version: "7".into(),
                    function_error: None,
                }),
                ..record()
            },
            format!("{qualified}{malformed}{MOMENT}{BATCH}}}"),
        ),
        (
            "too old",
            OnFailure {
                condition: Condition::RecordAgeExceeded,
                invoke_count: 1,
                response: None,
                ..record()
            },
            format!("{age}{MOMENT}{BATCH}}}"),
        ),
        (
            "too large",
            OnFailure {
                response: None,
                ..record()
            },
            format!("{REQUEST}{MOMENT}{BATCH}}}"),
        ),
        (
            "of a DynamoDB stream",
            OnFailure {
                source: Source::DynamoDb,
                shard: "shardId-00000001".into(),
                stream_arn:
                    "arn:aws:dynamodb:us-east-1:111111111111:table/t/stream/2026-09-17T10:00:00.000"
                        .into(),
                ..record()
            },
            format!("{REQUEST}{RESPONSE}{MOMENT}{dynamodb}}}"),
        ),
        (
            "of a consumer",
            OnFailure {
                stream_arn: format!("{KINESIS}/consumer/c:1789650000"),
                ..record()
            },
            format!("{REQUEST}{RESPONSE}{MOMENT}{consumer}}}"),
        ),
        (
            "the final invocation of a window",
            OnFailure {
                records: None,
                window: Some(window),
                ..record()
            },
            format!("{REQUEST}{RESPONSE}{MOMENT}{final_batch}}}"),
        ),
        (
            "records within a window",
            OnFailure {
                window: Some(Window {
                    final_invoke: false,
                    terminated_early: true,
                    ..window
                }),
                ..record()
            },
            format!("{REQUEST}{RESPONSE}{MOMENT}{in_window}}}"),
        ),
    ] {
        assert_eq!(record.text(), expected, "{what}");
    }
}

// spec: 6.2
#[test]
fn the_event_is_an_escaped_string_at_the_end() {
    let event = "{\"Records\":[{\"kinesis\":{\"partitionKey\":\"\\\"é\u{1f600}\\u0007\"}}]}";
    let told = OnFailure {
        event: Some(Bytes::from_static(event.as_bytes()).into()),
        ..record()
    };
    let payload = "\"payload\":\"{\\\"Records\\\":[{\\\"kinesis\\\":{\\\"partitionKey\\\":\\\"\\\\\\\"é\u{1f600}\\\\u0007\\\"}}]}\"";
    assert_eq!(
        told.text_with_event(),
        format!("{REQUEST}{RESPONSE}{MOMENT}{BATCH},{payload}}}")
    );
    let read: serde_json::Value = serde_json::from_str(&told.text_with_event()).unwrap();
    assert_eq!(read["payload"], event);
    assert_eq!(told.text(), record().text());
    assert_eq!(record().text_with_event(), record().text());
}

// spec: 6.2
#[test]
fn the_key_has_mapping_shard_and_moment() {
    assert_eq!(
        record().key("14e0db71-5d35-4eb5-b481-8945cf9d10c2"),
        "aws/lambda/14e0db71-5d35-4eb5-b481-8945cf9d10c2/shardId-000000000000/2026/10/03/2026-10-03T09.15.44-0d7e2c44-8f5e-4f0a-9a39-6a1d2c3b4e5f"
    );
}
