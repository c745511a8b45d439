//! What a DynamoDB stream is asked and what its answers become, through the real client.

use aws_smithy_types::body::SdkBody;
use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::aws::canned::{Canned, answer, refusal, serve};
use crate::aws::fault::Fault;
use crate::config::aws::{Aws, Endpoints};
use crate::model::record::SequenceNumber;

const STREAM: &str =
    "arn:aws:dynamodb:us-east-1:111111111111:table/t/stream/2026-09-17T10:00:00.000";

fn stream(answers: impl IntoIterator<Item = http::Response<SdkBody>>) -> (DynamoDbStream, Canned) {
    let (clients, server) = serve(answers, &Aws::default());
    let stream = DynamoDbStream::new(&clients, &STREAM.parse().unwrap());
    (stream, server)
}

fn at(text: &str) -> SequenceNumber {
    SequenceNumber::try_from(text.to_owned()).unwrap()
}

async fn read(body: &str) -> Result<Read, Failure> {
    let (stream, _) = stream([answer(200, body)]);
    stream.read(&ShardIterator("i".to_owned()), 100).await
}

#[tokio::test(start_paused = true)]
async fn every_page_of_shards_is_listed_at_the_pace_that_the_stream_allows() {
    let (stream, server) = stream([
        answer(
            200,
            r#"{"StreamDescription":{"StreamStatus":"ENABLED","Shards":[
                {"ShardId":"s0","SequenceNumberRange":{"StartingSequenceNumber":"1","EndingSequenceNumber":"7"}}],
                "LastEvaluatedShardId":"s0"}}"#,
        ),
        answer(
            200,
            r#"{"StreamDescription":{"Shards":[
                {"ShardId":"s1","ParentShardId":"s0","SequenceNumberRange":{"StartingSequenceNumber":"8"}}]}}"#,
        ),
    ]);
    let began = Instant::now();
    assert_eq!(
        stream.list_shards().await,
        Ok(vec![
            Shard {
                id: "s0".to_owned(),
                parents: Vec::new(),
                ending: Some(at("7")),
            },
            Shard {
                id: "s1".to_owned(),
                parents: vec!["s0".to_owned()],
                ending: None,
            },
        ])
    );
    assert_eq!(began.elapsed(), PAGE_PAUSE);
    assert_eq!(
        server.asked(),
        [
            json!({"StreamArn": STREAM}),
            json!({"StreamArn": STREAM, "ExclusiveStartShardId": "s0"})
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_without_end_is_given_up() {
    let page = r#"{"StreamDescription":{"Shards":[],"LastEvaluatedShardId":"s0"}}"#;
    let (stream, server) = stream((0..1_001).map(|_| answer(200, page)));
    assert_eq!(
        stream.list_shards().await.unwrap_err().to_string(),
        "unreadable answer: DescribeStream has more than 1000 pages"
    );
    assert_eq!(server.seen().len(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_position_is_opened_in_the_words_of_the_stream() {
    let cases = [
        (Start::Horizon, json!({"ShardIteratorType": "TRIM_HORIZON"})),
        (Start::Latest, json!({"ShardIteratorType": "LATEST"})),
        (
            Start::Moment {
                ms: 1_789_809_023_000,
            },
            json!({"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 1_789_809_023}),
        ),
        (
            Start::From(at("7")),
            json!({"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": "7"}),
        ),
        (
            Start::After(at("7")),
            json!({"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "7"}),
        ),
    ];
    for (start, mut asked) in cases {
        asked["StreamArn"] = STREAM.into();
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
async fn a_read_brings_changes_with_their_items_to_the_letter() {
    let (stream, server) = stream([answer(
        200,
        r#"{"Records":[
          {"eventID":"0f1e","eventName":"MODIFY","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"us-east-1",
           "dynamodb":{"ApproximateCreationDateTime":1.789651658E9,"Keys":{"id":{"S":"a\n\"é"}},
             "NewImage":{"z":{"NULL":true},"n":{"N":"1.50"},"b":{"B":"AAEC"},"bs":{"BS":["AA==","Af8="]},"ok":{"BOOL":false},
               "l":{"L":[{"S":"x"},{"L":[]}]},"m":{"M":{"k2":{"N":"1"},"k1":{"M":{}}}},"ss":{"SS":["p","q"]},"ns":{"NS":["1","2"]}},
             "OldImage":{},"SequenceNumber":"12345600000000000123456789","SizeBytes":39,"StreamViewType":"NEW_AND_OLD_IMAGES"}},
          {"eventID":"0f1f","eventName":"REMOVE","eventVersion":"1.1",
           "dynamodb":{"ApproximateCreationDateTime":1789651659,"Keys":{"id":{"S":"b"}},"SequenceNumber":"7","SizeBytes":3,
             "StreamViewType":"KEYS_ONLY"},
           "userIdentity":{"Type":"Service","PrincipalId":"dynamodb.amazonaws.com"}}],
          "NextShardIterator":"n"}"#,
    )]);
    let read = stream.read(&ShardIterator("i".to_owned()), 10_000).await;
    let modified = DynamoRecord {
        event_id: "0f1e".to_owned(),
        event_name: "MODIFY".to_owned(),
        event_version: "1.1".to_owned(),
        sequence_number: at("12345600000000000123456789"),
        arrived_ms: 1_789_651_658_000,
        keys: r#"{"id":{"S":"a\n\"é"}}"#.to_owned(),
        new_image: Some(
            concat!(
                r#"{"b":{"B":"AAEC"},"bs":{"BS":["AA==","Af8="]},"l":{"L":[{"S":"x"},{"L":[]}]},"#,
                r#""m":{"M":{"k1":{"M":{}},"k2":{"N":"1"}}},"n":{"N":"1.50"},"ns":{"NS":["1","2"]},"#,
                r#""ok":{"BOOL":false},"ss":{"SS":["p","q"]},"z":{"NULL":true}}"#
            )
            .to_owned(),
        ),
        old_image: Some("{}".to_owned()),
        size_bytes: 39,
        view_type: "NEW_AND_OLD_IMAGES".to_owned(),
        user_identity: None,
    };
    let removed = DynamoRecord {
        event_id: "0f1f".to_owned(),
        event_name: "REMOVE".to_owned(),
        event_version: "1.1".to_owned(),
        sequence_number: at("7"),
        arrived_ms: 1_789_651_659_000,
        keys: r#"{"id":{"S":"b"}}"#.to_owned(),
        new_image: None,
        old_image: None,
        size_bytes: 3,
        view_type: "KEYS_ONLY".to_owned(),
        user_identity: Some(("Service".to_owned(), "dynamodb.amazonaws.com".to_owned())),
    };
    assert_eq!(
        read,
        Ok(Read {
            records: Records::Dynamo(vec![modified, removed]),
            next: Some(ShardIterator("n".to_owned())),
            behind_ms: None,
            children: Vec::new(),
            amount: Amount::Little,
        })
    );
    assert_eq!(
        server.asked(),
        [json!({"ShardIterator": "i", "Limit": 1_000})]
    );
}

#[tokio::test(start_paused = true)]
async fn a_shard_ends_without_a_next_iterator() {
    let ended = read(r#"{"Records":[]}"#).await.unwrap();
    assert_eq!((ended.records.is_empty(), ended.next), (true, None));
}

#[tokio::test(start_paused = true)]
async fn what_an_answer_lacks_is_never_made_up() {
    let record = json!({
        "eventID": "e", "eventName": "INSERT", "eventVersion": "1.1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1, "Keys": {"id": {"S": "a"}}, "SequenceNumber": "7",
            "SizeBytes": 3, "StreamViewType": "KEYS_ONLY"
        },
        "userIdentity": {"Type": "Service", "PrincipalId": "p"}
    });
    let body = |record: &serde_json::Value| {
        json!({"Records": [record], "NextShardIterator": "n"}).to_string()
    };
    assert!(read(&body(&record)).await.is_ok());
    for path in [
        "/eventID",
        "/eventName",
        "/eventVersion",
        "/dynamodb",
        "/dynamodb/ApproximateCreationDateTime",
        "/dynamodb/Keys",
        "/dynamodb/SequenceNumber",
        "/dynamodb/SizeBytes",
        "/dynamodb/StreamViewType",
        "/userIdentity/Type",
        "/userIdentity/PrincipalId",
    ] {
        let mut lacking = record.clone();
        let (parent, member) = path.rsplit_once('/').unwrap();
        let members = lacking.pointer_mut(parent).unwrap();
        members.as_object_mut().unwrap().remove(member);
        let failure = read(&body(&lacking)).await.unwrap_err();
        assert_eq!(
            (failure.fault, failure.code.as_str()),
            (Fault::Transient, "unreadable answer"),
            "{path}"
        );
    }
    let mut odd = record.clone();
    odd["dynamodb"]["NewImage"] = json!({"id": {"S": "a"}, "new": {"X": "?"}});
    assert!(read(&body(&odd)).await.is_err());
    assert!(read("{}").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn errors_tell_what_to_do() {
    for (code, fault) in [
        ("TrimmedDataAccessException", Fault::Trimmed),
        ("ExpiredIteratorException", Fault::Expired),
        ("LimitExceededException", Fault::Throttled { after: None }),
        ("ResourceNotFoundException", Fault::Gone),
        ("InternalServerError", Fault::Transient),
        ("ValidationException", Fault::Invalid),
    ] {
        let (stream, _) = stream([
            refusal(&format!("com.amazonaws.dynamodb.v20120810#{code}")),
            refusal(code),
        ]);
        let opened = stream.open("s0", &Start::After(at("7"))).await;
        assert_eq!(opened.unwrap_err().fault, fault, "{code}");
        let read = stream.read(&ShardIterator("i".to_owned()), 10).await;
        assert_eq!(read.unwrap_err().fault, fault, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_says_what_it_is_good_for() {
    for (word, status) in [
        ("ENABLING", Status::Starting),
        ("ENABLED", Status::Active),
        ("DISABLING", Status::Disabled),
        ("DISABLED", Status::Disabled),
    ] {
        let body = format!(r#"{{"StreamDescription":{{"StreamStatus":"{word}","Shards":[]}}}}"#);
        let (stream, server) = stream([answer(200, &body)]);
        assert_eq!(
            stream.describe().await,
            Ok(Description {
                created_ms: None,
                retention: Duration::from_hours(24),
                status
            })
        );
        assert_eq!(server.asked(), [json!({"StreamArn": STREAM, "Limit": 1})]);
    }
    for wrong in [
        "{}",
        r#"{"StreamDescription":{}}"#,
        r#"{"StreamDescription":{"StreamStatus":"ODD"}}"#,
    ] {
        let (stream, _) = stream([answer(200, wrong)]);
        assert_eq!(
            stream.describe().await.unwrap_err().code,
            "unreadable answer"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_address_of_dynamodb_is_not_that_of_its_streams() {
    let table = Some("http://dynamodb:1".to_owned());
    let own = Some("http://streams:2".to_owned());
    for (dynamodb_streams, uri) in [
        (own, "http://streams:2/"),
        (None, "https://streams.dynamodb.us-east-1.amazonaws.com/"),
    ] {
        let endpoints = Endpoints {
            dynamodb: table.clone(),
            dynamodb_streams,
            ..Endpoints::default()
        };
        let aws = Aws {
            endpoints,
            ..Aws::default()
        };
        let (clients, server) = serve([answer(200, r#"{"ShardIterator":"i"}"#)], &aws);
        let stream = DynamoDbStream::new(&clients, &STREAM.parse().unwrap());
        stream.open("s0", &Start::Horizon).await.unwrap();
        assert_eq!(server.seen()[0].uri, uri);
    }
}
