//! What Kinesis is asked and what its answers become, through the real client.

mod parts;

use std::time::Duration;

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde_json::json;
use tokio::time::Instant;

use super::consumer::Consumer;
use super::subscription::Event;
use super::*;
use crate::aws::canned::{Canned, answer, refusal, serve, spelled};
use crate::aws::stream::{Amount, Records};
use crate::config::aws::{Aws, Endpoints};
use crate::model::record::SequenceNumber;

const STREAM: &str = "arn:aws:kinesis:us-east-1:111111111111:stream/clicks";
const CONSUMER: &str = "arn:aws:kinesis:us-east-1:111111111111:stream/clicks/consumer/c:1";

fn stream(answers: impl IntoIterator<Item = http::Response<SdkBody>>) -> (Kinesis, Canned) {
    let (clients, server) = serve(answers, &Aws::default());
    (Kinesis::new(&clients, &STREAM.parse().unwrap()), server)
}

fn consumed(answers: impl IntoIterator<Item = http::Response<SdkBody>>) -> (Consumer, Canned) {
    let (clients, server) = serve(answers, &Aws::default());
    let (stream, consumer) = (STREAM.parse().unwrap(), CONSUMER.parse().unwrap());
    (Consumer::new(&clients, &stream, &consumer), server)
}

fn at(text: &str) -> SequenceNumber {
    SequenceNumber::try_from(text.to_owned()).unwrap()
}

fn shown<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
    result.unwrap_err().to_string()
}

#[tokio::test(start_paused = true)]
async fn every_page_of_shards_is_listed_with_parents_and_endings() {
    let (stream, server) = stream([
        answer(
            200,
            r#"{"Shards":[
                {"ShardId":"s0","HashKeyRange":{"StartingHashKey":"0","EndingHashKey":"9"},
                 "SequenceNumberRange":{"StartingSequenceNumber":"1","EndingSequenceNumber":"7"}},
                {"ShardId":"s1","SequenceNumberRange":{"StartingSequenceNumber":"1","EndingSequenceNumber":"8"}}],
               "NextToken":"more"}"#,
        ),
        answer(
            200,
            r#"{"Shards":[{"ShardId":"s2","ParentShardId":"s0","AdjacentParentShardId":"s1",
               "SequenceNumberRange":{"StartingSequenceNumber":"9"}}]}"#,
        ),
    ]);
    let shard = |id: &str, parents: &[&str], ending: Option<&str>| Shard {
        id: id.to_owned(),
        parents: parents.iter().map(|parent| (*parent).to_owned()).collect(),
        ending: ending.map(at),
    };
    let listed = stream.list_shards().await.unwrap();
    assert_eq!(
        listed,
        [
            shard("s0", &[], Some("7")),
            shard("s1", &[], Some("8")),
            shard("s2", &["s0", "s1"], None)
        ]
    );
    assert_eq!(
        listed.iter().map(Shard::closed).collect::<Vec<_>>(),
        [true, true, false]
    );
    assert_eq!(
        server.asked(),
        [json!({"StreamARN": STREAM}), json!({"NextToken": "more"})]
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_begins_anew_when_its_token_expires_and_gives_up_after_three() {
    let page = || answer(200, r#"{"Shards":[],"NextToken":"t"}"#);
    let expired = || refusal("ExpiredNextTokenException");
    let (lucky, server) = stream([page(), expired(), answer(200, r#"{"Shards":[]}"#)]);
    assert_eq!(lucky.list_shards().await, Ok(Vec::new()));
    assert_eq!(server.seen().len(), 3);

    let (unlucky, server) = stream((0..4).flat_map(|_| [page(), expired()]));
    let failure = unlucky.list_shards().await.unwrap_err();
    assert_eq!(failure.fault, Fault::Expired);
    assert_eq!(server.seen().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_list_without_end_is_given_up() {
    let endless = (0..101).map(|_| answer(200, r#"{"Shards":[],"NextToken":"t"}"#));
    let (stream, server) = stream(endless);
    assert_eq!(
        shown(stream.list_shards().await),
        "unreadable answer: ListShards has more than 100 pages"
    );
    assert_eq!(server.seen().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_position_is_opened_in_kinesis_words() {
    let cases = [
        (Start::Horizon, json!({"ShardIteratorType": "TRIM_HORIZON"})),
        (Start::Latest, json!({"ShardIteratorType": "LATEST"})),
        (
            Start::Moment {
                ms: 1_789_809_023_187,
            },
            json!({"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 1_789_809_023.187}),
        ),
        (
            Start::From(at("7")),
            json!({"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": "7"}),
        ),
        (
            Start::After(at("7")),
            json!({"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": "7"}),
        ),
    ];
    for (start, mut asked) in cases {
        asked["StreamARN"] = STREAM.into();
        asked["ShardId"] = "s0".into();
        let (stream, server) = stream([answer(200, r#"{"ShardIterator":"i"}"#)]);
        assert_eq!(
            stream.open("s0", &start).await,
            Ok(ShardIterator("i".to_owned()))
        );
        assert_eq!(server.asked(), [asked]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_brings_records_and_the_way_on() {
    let (stream, server) = stream([answer(
        200,
        r#"{"Records":[
            {"SequenceNumber":"12","PartitionKey":"k","Data":"aGVsbG8=","ApproximateArrivalTimestamp":1789809023.187},
            {"SequenceNumber":"13","Data":"","ApproximateArrivalTimestamp":1.789809024E9}],
           "NextShardIterator":"n","MillisBehindLatest":4100}"#,
    )]);
    let record = |number: &str, key: &str, data: &'static [u8], arrived_ms| KinesisRecord {
        sequence_number: at(number),
        partition_key: key.into(),
        data: Bytes::from_static(data).into(),
        arrived_ms,
    };
    assert_eq!(
        stream.read(&ShardIterator("i".to_owned()), 20_000).await,
        Ok(Read {
            records: Records::Kinesis(vec![
                record("12", "k", b"hello", 1_789_809_023_187),
                record("13", "", b"", 1_789_809_024_000)
            ]),
            next: Some(ShardIterator("n".to_owned())),
            behind_ms: Some(4100),
            children: Vec::new(),
            amount: Amount::Little,
        })
    );
    assert_eq!(
        server.asked(),
        [json!({"StreamARN": STREAM, "ShardIterator": "i", "Limit": 10_000})]
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_shard_names_its_children() {
    let child = Shard {
        id: "s2".to_owned(),
        parents: vec!["s0".to_owned(), "s1".to_owned()],
        ending: None,
    };
    for (body, children) in [
        (
            r#"{"Records":[],"NextShardIterator":null,"MillisBehindLatest":0,
                "ChildShards":[{"ShardId":"s2","ParentShards":["s0","s1"],
                "HashKeyRange":{"StartingHashKey":"0","EndingHashKey":"9"}}]}"#,
            vec![child],
        ),
        (r#"{"Records":[],"MillisBehindLatest":0}"#, Vec::new()),
    ] {
        let (stream, _) = stream([answer(200, body)]);
        let read = stream.read(&ShardIterator("i".to_owned()), 10).await;
        assert_eq!(
            read,
            Ok(Read {
                records: Records::Kinesis(Vec::new()),
                next: None,
                behind_ms: Some(0),
                children,
                amount: Amount::Little,
            })
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_answer_lacks_is_never_made_up() {
    for body in [
        "{}",
        r#"{"Records":[]}"#,
        r#"{"Records":[{"Data":"","ApproximateArrivalTimestamp":1.0}],"NextShardIterator":"n"}"#,
        r#"{"Records":[{"SequenceNumber":"x","Data":"","ApproximateArrivalTimestamp":1.0}],"NextShardIterator":"n"}"#,
        r#"{"Records":[{"SequenceNumber":"1","Data":""}],"NextShardIterator":"n"}"#,
        r#"{"Records":[],"ChildShards":[{"ParentShards":["s0"]}]}"#,
        r#"{"Records":[{"#,
        "<html>",
    ] {
        let (stream, _) = stream([answer(200, body)]);
        let failure = stream
            .read(&ShardIterator("i".to_owned()), 10)
            .await
            .unwrap_err();
        assert_eq!(
            (failure.fault, failure.code.as_str()),
            (Fault::Transient, "unreadable answer"),
            "{body}"
        );
    }
    for body in [
        "{}",
        r#"{"Shards":[{"SequenceNumberRange":{"StartingSequenceNumber":"1"}}]}"#,
        r#"{"Shards":[{"ShardId":"s0"}]}"#,
        r#"{"Shards":[{"ShardId":"s0","SequenceNumberRange":{"StartingSequenceNumber":"1","EndingSequenceNumber":""}}]}"#,
    ] {
        let (stream, _) = stream([answer(200, body)]);
        assert!(
            shown(stream.list_shards().await).starts_with("unreadable answer"),
            "{body}"
        );
    }
    let (stream, _) = stream([answer(200, "{}")]);
    assert_eq!(
        shown(stream.open("s0", &Start::Horizon).await),
        "unreadable answer: GetShardIterator returned no ShardIterator"
    );
}

#[tokio::test(start_paused = true)]
async fn errors_tell_what_to_do() {
    for (code, fault) in [
        ("ExpiredIteratorException", Fault::Expired),
        (
            "ProvisionedThroughputExceededException",
            Fault::Throttled { after: None },
        ),
        ("LimitExceededException", Fault::Throttled { after: None }),
        ("ResourceNotFoundException", Fault::Gone),
        ("InvalidArgumentException", Fault::Invalid),
        ("KMSDisabledException", Fault::Denied),
        ("AccessDeniedException", Fault::Denied),
        ("ResourceInUseException", Fault::Transient),
    ] {
        let (stream, _) = stream([refusal(code)]);
        let failure = stream
            .read(&ShardIterator("i".to_owned()), 10)
            .await
            .unwrap_err();
        assert_eq!((failure.fault, failure.code.as_str()), (fault, code));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_says_its_retention_and_what_it_is_good_for() {
    let summary = |status: &str, hours: &str| {
        answer(
            200,
            &format!(
                r#"{{"StreamDescriptionSummary":{{"StreamName":"clicks","StreamARN":"{STREAM}",
                "StreamStatus":"{status}",{hours}"StreamCreationTimestamp":1.0,"EnhancedMonitoring":[],
                "OpenShardCount":1}}}}"#
            ),
        )
    };
    for (word, status) in [
        ("CREATING", Status::Starting),
        ("ACTIVE", Status::Active),
        ("UPDATING", Status::Active),
        ("DELETING", Status::Deleting),
    ] {
        let (stream, _) = stream([summary(word, r#""RetentionPeriodHours":168,"#)]);
        assert_eq!(
            stream.describe().await,
            Ok(Description {
                retention: Duration::from_hours(168),
                status,
                created_ms: Some(1000),
            })
        );
    }
    for wrong in [
        summary("ACTIVE", ""),
        summary("ODD", r#""RetentionPeriodHours":24,"#),
        answer(200, "{}"),
    ] {
        let (stream, _) = stream([wrong]);
        assert!(shown(stream.describe().await).starts_with("unreadable answer"));
    }
}

#[tokio::test(start_paused = true)]
async fn calls_go_to_the_address_that_is_configured() {
    let aws = Aws {
        endpoint_url: Some("http://everything:1".to_owned()),
        endpoints: Endpoints {
            kinesis: Some("http://kinesis:2".to_owned()),
            ..Endpoints::default()
        },
        ..Aws::default()
    };
    let (clients, server) = serve([answer(200, r#"{"Shards":[]}"#)], &aws);
    let stream = Kinesis::new(&clients, &STREAM.parse().unwrap());
    assert_eq!(stream.list_shards().await, Ok(Vec::new()));
    assert_eq!(server.seen()[0].uri, "http://kinesis:2/");
}

/// A message of an event stream: lengths, headers and payload, each part with its CRC-32.
fn frame(kind: &str, name: &str, payload: &str) -> Bytes {
    let named = match kind {
        "exception" => ":exception-type",
        _ => ":event-type",
    };
    let mut headers = Vec::new();
    for (header, value) in [(":message-type", kind), (named, name)] {
        headers.push(header.len() as u8);
        headers.extend(header.as_bytes());
        headers.push(7); // a string
        headers.extend((value.len() as u16).to_be_bytes());
        headers.extend(value.as_bytes());
    }
    let mut out = Vec::new();
    out.extend((16 + headers.len() as u32 + payload.len() as u32).to_be_bytes());
    out.extend((headers.len() as u32).to_be_bytes());
    out.extend(crc32(&out).to_be_bytes());
    out.extend(headers);
    out.extend(payload.as_bytes());
    out.extend(crc32(&out).to_be_bytes());
    out.into()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1))
        })
    })
}

/// What a subscription sends, and the pause before it; then the end, or silence.
fn pushed(frames: Vec<(Duration, Bytes)>, ends: bool) -> http::Response<SdkBody> {
    let stream = futures_util::stream::unfold(frames.into_iter(), move |mut frames| async move {
        match frames.next() {
            Some((pause, bytes)) => {
                tokio::time::sleep(pause).await;
                Some((Ok::<_, std::io::Error>(Frame::data(bytes)), frames))
            }
            None if ends => None,
            None => std::future::pending().await,
        }
    });
    http::Response::new(SdkBody::from_body_1_x(StreamBody::new(stream.fuse())))
}

const HELLO: Duration = Duration::ZERO;

fn initial() -> (Duration, Bytes) {
    (HELLO, frame("event", "initial-response", "{}"))
}

fn empty(continuation: &str) -> Bytes {
    let payload = format!(
        r#"{{"Records":[],"ContinuationSequenceNumber":"{continuation}","MillisBehindLatest":0}}"#
    );
    frame("event", "SubscribeToShardEvent", &payload)
}

#[tokio::test(start_paused = true)]
async fn a_subscription_brings_records_and_says_where_the_next_one_goes_on() {
    let records = r#"{"Records":[{"SequenceNumber":"12","PartitionKey":"k","Data":"aGVsbG8=",
        "ApproximateArrivalTimestamp":1789809023.187}],"ContinuationSequenceNumber":"15","MillisBehindLatest":70}"#;
    let end = r#"{"Records":[],"ContinuationSequenceNumber":null,"MillisBehindLatest":0,
        "ChildShards":[{"ShardId":"s2","ParentShards":["s0"],"HashKeyRange":{"StartingHashKey":"0","EndingHashKey":"9"}}]}"#;
    let (consumer, server) = consumed([pushed(
        vec![
            initial(),
            (HELLO, frame("event", "SubscribeToShardEvent", records)),
            (HELLO, frame("event", "SomethingNew", "{}")),
            (HELLO, frame("event", "SubscribeToShardEvent", end)),
        ],
        true,
    )]);
    let mut subscription = consumer
        .subscribe("s0", &Start::After(at("11")))
        .await
        .unwrap();
    assert_eq!(
        subscription.next().await,
        Ok(Some(Event {
            records: vec![KinesisRecord {
                sequence_number: at("12"),
                partition_key: "k".into(),
                data: Bytes::from_static(b"hello").into(),
                arrived_ms: 1_789_809_023_187,
            }],
            continuation: Some(at("15")),
            behind_ms: 70,
            children: Vec::new(),
        }))
    );
    assert_eq!(
        subscription.next().await,
        Ok(Some(Event {
            records: Vec::new(),
            continuation: None,
            behind_ms: 0,
            children: vec![Shard {
                id: "s2".to_owned(),
                parents: vec!["s0".to_owned()],
                ending: None,
            }],
        }))
    );
    assert_eq!(subscription.next().await, Ok(None));
    assert_eq!(
        server.asked(),
        [json!({
            "ConsumerARN": CONSUMER, "ShardId": "s0",
            "StartingPosition": {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "11"}
        })]
    );
}

#[tokio::test(start_paused = true)]
async fn a_quiet_subscription_lives_its_five_minutes() {
    let mut frames = vec![initial()];
    // A sign of life every 30 s: far below the byte a second at which the SDK gives up other downloads.
    frames.extend((0..10).map(|_| (Duration::from_secs(30), empty("15"))));
    let (consumer, _) = consumed([pushed(frames, true)]);
    let began = Instant::now();
    let mut subscription = consumer.subscribe("s0", &Start::Latest).await.unwrap();
    let mut events = 0;
    while subscription.next().await.unwrap().is_some() {
        events += 1;
    }
    assert_eq!((events, began.elapsed().as_secs()), (10, 300));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_falls_silent_is_dead_after_35_seconds() {
    let (consumer, _) = consumed([pushed(vec![initial(), (HELLO, empty("15"))], false)]);
    let mut subscription = consumer.subscribe("s0", &Start::Horizon).await.unwrap();
    assert!(subscription.next().await.unwrap().is_some());
    let began = Instant::now();
    let failure = subscription.next().await.unwrap_err();
    assert_eq!((failure.timed_out(), began.elapsed().as_secs()), (true, 35));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_without_a_first_frame_is_given_up_after_the_time_of_a_call() {
    let (consumer, _) = consumed([pushed(Vec::new(), false)]);
    let began = Instant::now();
    let failure = consumer.subscribe("s0", &Start::Horizon).await.unwrap_err();
    assert_eq!((failure.timed_out(), began.elapsed().as_secs()), (true, 10));
}

#[tokio::test(start_paused = true)]
async fn an_error_inside_a_subscription_tells_what_to_do() {
    let message = r#"{"message":"no"}"#;
    for (frame, fault, code) in [
        (
            frame("exception", "ResourceNotFoundException", message),
            Fault::Gone,
            "ResourceNotFoundException",
        ),
        (
            frame("exception", "KMSThrottlingException", message),
            Fault::Throttled { after: None },
            "KMSThrottlingException",
        ),
        (
            frame("exception", "InternalFailureException", message),
            Fault::Transient,
            "InternalFailureException",
        ),
        (
            frame("exception", "SomethingNewException", message),
            Fault::Transient,
            "SomethingNewException",
        ),
        (
            frame("event", "SubscribeToShardEvent", r#"{"Records":[]}"#),
            Fault::Transient,
            "unreadable answer",
        ),
        (
            frame("event", "SubscribeToShardEvent", "<html>"),
            Fault::Transient,
            "stream broken",
        ),
        (
            Bytes::from_static(b"\0\0\0\x10\0\0\0\0garbage!"),
            Fault::Transient,
            "stream broken",
        ),
    ] {
        let (consumer, _) = consumed([pushed(vec![initial(), (HELLO, frame)], true)]);
        let mut subscription = consumer.subscribe("s0", &Start::Horizon).await.unwrap();
        let failure = subscription.next().await.unwrap_err();
        assert_eq!((failure.fault, failure.code.as_str()), (fault, code));
    }
    let (consumer, _) = consumed([refusal("ResourceInUseException")]);
    let failure = consumer.subscribe("s0", &Start::Horizon).await.unwrap_err();
    assert_eq!(failure.fault, Fault::Transient);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_is_good_when_it_is_active() {
    let described = |status: &str| {
        answer(
            200,
            &format!(
                r#"{{"ConsumerDescription":{{"ConsumerName":"c","ConsumerStatus":"{status}"}}}}"#
            ),
        )
    };
    let (consumer, server) = consumed([described("ACTIVE"), described("CREATING")]);
    assert_eq!(consumer.active().await, Ok(()));
    assert_eq!(server.asked(), [json!({"ConsumerARN": CONSUMER})]);
    let failure = consumer.active().await.unwrap_err();
    assert_eq!(failure.fault, Fault::Transient);
    assert_eq!(failure.to_string(), "not active: the consumer is CREATING");
    let (consumer, _) = consumed([refusal("ResourceNotFoundException")]);
    let failure = consumer.active().await.unwrap_err();
    assert_eq!(failure.fault, Fault::Denied);
    assert_eq!(
        failure.to_string(),
        "no such consumer: no; register it (aws kinesis register-stream-consumer), which gives it a new ARN"
    );
}

#[tokio::test(start_paused = true)]
async fn the_sdk_reads_the_same_records() {
    const PIECES: [&str; 8] = [
        "",
        "a",
        "\"",
        "\\/",
        "\n\u{1}",
        "é😀",
        "{\"k\":1}",
        "plain words ",
    ];
    let mut chance = fastrand::Rng::with_seed(7);
    for round in 0..200 {
        let mut listed = Vec::new();
        for number in 0..chance.usize(0..4) {
            let mut word = || -> String {
                (0..chance.usize(0..4))
                    .map(|_| PIECES[chance.usize(0..PIECES.len())])
                    .collect()
            };
            let (data, key) = (aws_smithy_types::base64::encode(word()), word());
            let ms = chance.u64(0..2_000_000_000_000);
            let mut members = [
                format!("\"SequenceNumber\":\"4970{number}\""),
                format!("\"Data\":{}", spelled(&mut chance, &data)),
                format!("\"PartitionKey\" : {}", spelled(&mut chance, &key)),
                format!(
                    "\"ApproximateArrivalTimestamp\":{}.{:03}",
                    ms / 1000,
                    ms % 1000
                ),
                "\"EncryptionType\":\"KMS\",\"Newer\":[{}]".to_owned(),
            ];
            chance.shuffle(&mut members);
            listed.push(format!("{{{}}}", members.join(",\n")));
        }
        let body = format!(
            "{{\"NextShardIterator\":{},\"MillisBehindLatest\":{},\"Records\":[{}],\"ChildShards\":{}}}",
            ["null", "\"AAA=\""][chance.usize(0..2)],
            chance.u32(..),
            listed.join(" , "),
            [
                "null",
                "[]",
                r#"[{"ShardId":"s","ParentShards":["p","q"],"HashKeyRange":{"StartingHashKey":"0","EndingHashKey":"1"}}]"#
            ][chance.usize(0..3)],
        );
        let (kinesis, _) = stream([answer(200, &body), answer(200, &body)]);
        let ours = kinesis
            .read(&ShardIterator("i".to_owned()), 10)
            .await
            .unwrap();
        let theirs = kinesis
            .calls
            .get_records()
            .shard_iterator("i")
            .send()
            .await
            .unwrap();
        assert_eq!(
            ours.records,
            Records::Kinesis(records(theirs.records).unwrap()),
            "round {round}: {body}"
        );
        assert_eq!(
            ours.next.map(|next| next.0),
            theirs.next_shard_iterator,
            "{body}"
        );
        assert_eq!(
            ours.behind_ms.map(|ms| ms as i64),
            theirs.millis_behind_latest,
            "{body}"
        );
        assert_eq!(
            ours.children,
            children(theirs.child_shards).unwrap(),
            "{body}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_can_not_be_read_brings_no_record() {
    for (body, words) in [
        (
            "",
            "GetRecords: EOF while parsing a value at line 1 column 0",
        ),
        ("<html>", "GetRecords: expected value at line 1 column 1"),
        (
            r#"{"Records":[{"SequenceNumber":"7","Data":"?","ApproximateArrivalTimestamp":1}],"NextShardIterator":"i"}"#,
            "the data is not base64",
        ),
        (
            r#"{"Records":[{"SequenceNumber":"seven","Data":"","ApproximateArrivalTimestamp":1}],"NextShardIterator":"i"}"#,
            "SequenceNumber: ",
        ),
        (
            r#"{"Records":[{"SequenceNumber":"7","Data":""}],"NextShardIterator":"i"}"#,
            "a record came without an ApproximateArrivalTimestamp",
        ),
        (
            r#"{"ChildShards":[{"ParentShards":[]}]}"#,
            "a shard came without a ShardId",
        ),
    ] {
        let (kinesis, _) = stream([answer(200, body)]);
        let failure = kinesis
            .read(&ShardIterator("i".to_owned()), 10)
            .await
            .unwrap_err();
        assert!(
            failure
                .to_string()
                .starts_with(&format!("unreadable answer: {words}")),
            "{failure}"
        );
        assert_eq!(failure.fault, Fault::Transient);
    }
}
