//! What each kind of destination is sent, through the real clients.

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::aws::canned::{Canned, Seen, answer, refusal, serve};
use crate::config::aws::{Aws, Endpoints};
use crate::model::on_failure::{Condition, Response, Source};

const MAPPING: &str = "14e0db71-5d35-4eb5-b481-8945cf9d10c2";
const URL: &str = "https://sqs.eu-west-1.amazonaws.com/111111111111/failed";

fn record(event: &str) -> OnFailure {
    OnFailure {
        request_id: "5d0c7f52".into(),
        function_arn: "arn:aws:lambda:us-east-1:111111111111:function:f".into(),
        condition: Condition::RetryAttemptsExhausted,
        invoke_count: 2,
        response: Some(Response {
            executed_version: "$LATEST".into(),
            function_error: None,
        }),
        at_ms: 1_791_018_944_310,
        source: Source::Kinesis,
        shard: "s0".into(),
        stream_arn: "arn:aws:kinesis:us-east-1:111111111111:stream/clicks".into(),
        records: None,
        window: None,
        event: Some(Bytes::copy_from_slice(event.as_bytes()).into()),
        object_id: "0d7e2c44".into(),
    }
}

fn sqs() -> Configured {
    Configured::Sqs("arn:aws:sqs:eu-west-1:111111111111:failed".parse().unwrap())
}

fn sns() -> Configured {
    Configured::Sns("arn:aws:sns:eu-west-1:111111111111:failed".parse().unwrap())
}

fn s3() -> Configured {
    Configured::S3 {
        arn: "arn:aws:s3:::failed".into(),
        bucket: "failed".into(),
    }
}

fn destination(
    configured: &Configured,
    with_event: bool,
    answers: impl IntoIterator<Item = http::Response<SdkBody>>,
    aws: &Aws,
) -> (Destination, Canned) {
    let (clients, server) = serve(answers, aws);
    let destination = Destination::new(&clients, configured, "us-east-1", MAPPING, with_event);
    (destination, server)
}

fn found() -> http::Response<SdkBody> {
    answer(200, &format!(r#"{{"QueueUrl":"{URL}"}}"#))
}

fn taken() -> http::Response<SdkBody> {
    answer(200, r#"{"MessageId":"m"}"#)
}

fn published() -> http::Response<SdkBody> {
    answer(
        200,
        r#"<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m</MessageId>
           </PublishResult></PublishResponse>"#,
    )
}

fn refused_topic(code: &str) -> http::Response<SdkBody> {
    let body = format!(
        r#"<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>{code}</Code>
           <Message>no</Message></Error></ErrorResponse>"#
    );
    answer(400, &body)
}

/// The bodies that a queue was sent, after the question where it is.
fn messages(server: &Canned) -> Vec<String> {
    let sent = server.asked().into_iter().skip(1);
    sent.map(|asked| asked["MessageBody"].as_str().unwrap().to_owned())
        .collect()
}

/// The member of a form that a topic was sent.
fn member(seen: &Seen, name: &str) -> String {
    let members = seen.body.split('&');
    let value = members
        .filter_map(|member| member.split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
        .unwrap();
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let hex = [rest.next().unwrap(), rest.next().unwrap()];
                let hex = std::str::from_utf8(&hex).unwrap();
                bytes.push(u8::from_str_radix(hex, 16).unwrap());
            }
            b'+' => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_looked_up_once_and_sent_the_record_alone() {
    let (to, server) = destination(&sqs(), false, [found(), taken(), taken()], &Aws::default());
    let record = record("{}");
    assert_eq!(to.deliver(&record).await, Ok(()));
    assert_eq!(to.deliver(&record).await, Ok(()));
    let sent = json!({"QueueUrl": URL, "MessageBody": record.text()});
    assert_eq!(
        server.asked(),
        [
            json!({"QueueName": "failed", "QueueOwnerAWSAccountId": "111111111111"}),
            sent.clone(),
            sent
        ]
    );
    assert_eq!(server.seen()[0].uri, "https://sqs.eu-west-1.amazonaws.com/");
}

// spec: 6.3
#[tokio::test(start_paused = true)]
async fn a_role_that_may_only_send_is_enough() {
    let answers = [refusal("AccessDeniedException"), taken()];
    let (to, server) = destination(&sqs(), false, answers, &Aws::default());
    assert_eq!(to.deliver(&record("{}")).await, Ok(()));
    assert_eq!(server.asked()[1]["QueueUrl"], URL);
}

#[tokio::test(start_paused = true)]
async fn a_failed_delivery_says_so_and_may_be_repeated() {
    let answers = [
        refusal("AWS.SimpleQueueService.NonExistentQueue"),
        found(),
        refusal("RequestThrottled"),
        taken(),
    ];
    let (to, _) = destination(&sqs(), false, answers, &Aws::default());
    let record = record("{}");
    for fault in [
        Some(Fault::Gone),
        Some(Fault::Throttled { after: None }),
        None,
        Some(Fault::Transient),
    ] {
        let delivered = to.deliver(&record).await;
        assert_eq!(delivered.err().map(|failure| failure.fault), fault);
    }
}

#[tokio::test(start_paused = true)]
async fn the_event_goes_with_the_record_where_it_is_wanted_and_fits() {
    let overhead = record("").text_with_event().len();
    let fitting = |bytes_max: usize| record(&"x".repeat(bytes_max - overhead));
    let longer = |bytes_max: usize| record(&"x".repeat(bytes_max - overhead + 1));
    let far_longer = |bytes_max: usize| record(&"x".repeat(2 * bytes_max));
    for (record, with_event) in [
        (fitting(SQS_BYTES_MAX), true),
        (longer(SQS_BYTES_MAX), false),
        (far_longer(SQS_BYTES_MAX), false),
    ] {
        let (to, server) = destination(&sqs(), true, [found(), taken()], &Aws::default());
        assert_eq!(to.deliver(&record).await, Ok(()));
        let expected = match with_event {
            true => record.text_with_event(),
            false => record.text(),
        };
        assert!(messages(&server) == [expected], "{with_event}");
    }
    for (record, with_event) in [
        (fitting(SNS_BYTES_MAX), true),
        (longer(SNS_BYTES_MAX), false),
    ] {
        let (to, server) = destination(&sns(), true, [published()], &Aws::default());
        assert_eq!(to.deliver(&record).await, Ok(()));
        let expected = match with_event {
            true => record.text_with_event(),
            false => record.text(),
        };
        assert!(
            member(&server.seen()[0], "Message") == expected,
            "{with_event}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_refused_with_its_event_goes_without() {
    let answers = [found(), refusal("InvalidParameterValue"), taken()];
    let (to, server) = destination(&sqs(), true, answers, &Aws::default());
    let record = record(r#"{"Records":[]}"#);
    assert_eq!(to.deliver(&record).await, Ok(()));
    assert_eq!(messages(&server), [record.text_with_event(), record.text()]);

    let answers = [refused_topic("InvalidParameter"), published()];
    let (to, server) = destination(&sns(), true, answers, &Aws::default());
    assert_eq!(to.deliver(&record).await, Ok(()));
    assert_eq!(member(&server.seen()[1], "Message"), record.text());
}

#[tokio::test(start_paused = true)]
async fn a_topic_is_sent_the_record_alone() {
    let answers = [published(), refused_topic("AuthorizationError")];
    let (to, server) = destination(&sns(), false, answers, &Aws::default());
    let record = record("{}");
    assert_eq!(to.deliver(&record).await, Ok(()));
    let seen = &server.seen()[0];
    assert_eq!(seen.uri, "https://sns.eu-west-1.amazonaws.com/");
    assert_eq!(member(seen, "Action"), "Publish");
    assert_eq!(
        member(seen, "TopicArn"),
        "arn:aws:sns:eu-west-1:111111111111:failed"
    );
    assert_eq!(member(seen, "Message"), record.text());
    let failure = to.deliver(&record).await.unwrap_err();
    assert_eq!(
        (failure.fault, failure.code.as_str()),
        (Fault::Denied, "AuthorizationError")
    );
}

// spec: 6.2
#[tokio::test(start_paused = true)]
async fn a_bucket_gets_an_object_with_the_event() {
    let record = record(r#"{"Records":[]}"#);
    let key = record.key(MAPPING);
    let own = Endpoints {
        s3: Some("http://127.0.0.1:9000".into()),
        ..Endpoints::default()
    };
    let own = Aws {
        endpoints: own,
        ..Aws::default()
    };
    for (aws, before_key) in [
        (Aws::default(), "https://failed.s3.us-east-1.amazonaws.com/"),
        (own, "http://127.0.0.1:9000/failed/"),
    ] {
        let (to, server) = destination(&s3(), false, [answer(200, "")], &aws);
        assert_eq!(to.deliver(&record).await, Ok(()));
        let seen = &server.seen()[0];
        assert_eq!(seen.uri, format!("{before_key}{key}?x-id=PutObject"));
        assert_eq!(seen.headers["content-type"], "application/octet-stream");
        assert_eq!(seen.body, record.text_with_event());
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_bucket_refuses_is_told_by_its_code() {
    let refused = |status, code: &str| {
        answer(
            status,
            &format!("<Error><Code>{code}</Code><Message>no</Message></Error>"),
        )
    };
    for (status, code, fault) in [
        (301, "PermanentRedirect", Fault::Transient),
        (403, "AccessDenied", Fault::Denied),
        (404, "NoSuchBucket", Fault::Gone),
        (503, "SlowDown", Fault::Throttled { after: None }),
        (500, "InternalError", Fault::Transient),
    ] {
        let answers = [refused(status, code)];
        let (to, _) = destination(&s3(), false, answers, &Aws::default());
        let failure = to.deliver(&record("{}")).await.unwrap_err();
        assert_eq!((failure.fault, failure.code.as_str()), (fault, code));
    }
}
