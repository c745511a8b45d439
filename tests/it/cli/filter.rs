//! `sluicegate filter`: what is said of each record of an event, and how wrong events and patterns are refused.

use std::path::Path;

use crate::cli::program::{Ended, run, run_with};
use crate::cli::written;

const KIND: &str = r#"{"body":{"kind":["order"]}}"#;

fn queue_event(bodies: &[&str]) -> String {
    let record = |(index, body): (usize, &&str)| {
        serde_json::json!({
            "messageId": format!("m-{index}"),
            "receiptHandle": "AQEB",
            "body": body,
            "attributes": { "ApproximateReceiveCount": "1" },
            "messageAttributes": {},
            "md5OfBody": "0cc1",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:orders",
            "awsRegion": "us-east-1",
        })
    };
    let records: Vec<_> = bodies.iter().enumerate().map(record).collect();
    serde_json::json!({ "Records": records }).to_string()
}

fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = written(folder, name, text);
    path.to_str().expect("a plain name").to_owned()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

#[test]
fn each_record_is_kept_or_refused_at_a_key() {
    let bodies = [
        r#"{"kind":"order"}"#,
        r#"{"kind":"canary"}"#,
        r#"{"id":1}"#,
        "canary in plain text",
    ];
    let ended = run_with(
        &["filter", "--pattern", KIND, "--event", "-"],
        &queue_event(&bodies),
    );
    let expected = "\
Records[0] m-0: kept
Records[1] m-1: refused at body.kind: nothing that the pattern lists accepts its value
Records[2] m-2: refused at body.kind: the key is not there
Records[3] m-3: refused at body: the payload is no JSON object
1 kept, 3 refused
";
    assert_eq!(
        ended,
        Ended {
            code: Some(0),
            out: expected.to_owned(),
            err: String::new()
        }
    );
}

#[test]
fn every_filter_says_where_it_refused() {
    let other = r#"{"body":{"total":[{"numeric":[">",100]}]},"messageId":["m-9"]}"#;
    let event = queue_event(&[r#"{"kind":"x","total":7}"#, r#"{"kind":"order"}"#]);
    let args = [
        "filter",
        "--pattern",
        KIND,
        "--pattern",
        other,
        "--event",
        "-",
    ];
    let text = run_with(&args, &event);
    assert_eq!((text.code, text.err.as_str()), (Some(0), ""));
    assert_eq!(
        text.out,
        "\
Records[0] m-0: refused, filter 0 at body.kind: nothing that the pattern lists accepts its value; \
filter 1 at body.total: nothing that the pattern lists accepts its value
Records[1] m-1: kept
1 kept, 1 refused
"
    );
    let json = run_with(&[args.as_slice(), &["--format", "json"]].concat(), &event);
    assert_eq!((json.code, json.err.as_str()), (Some(0), ""));
    let value: serde_json::Value = serde_json::from_str(&json.out).expect("one JSON value");
    let no_match = "nothing that the pattern lists accepts its value";
    let refusal = |filter: usize, key: &str| serde_json::json!({ "filter": filter, "key": key, "reason": "no_match", "text": no_match });
    let expected = serde_json::json!({
        "kept": 1,
        "refused": 1,
        "records": [
            {
                "index": 0, "id": "m-0", "kept": false,
                "refusals": [refusal(0, "body.kind"), refusal(1, "body.total")],
            },
            { "index": 1, "id": "m-1", "kept": true, "refusals": [] },
        ],
    });
    assert_eq!(value, expected);
}

#[test]
fn records_of_streams_are_asked_by_their_own_keys() {
    let kinesis = r#"{"Records":[
        {"eventSource":"aws:kinesis","kinesis":{"partitionKey":"a","sequenceNumber":"495","data":"eyJrIjoxfQ==","approximateArrivalTimestamp":1545084650.987}},
        {"eventSource":"aws:kinesis","kinesis":{"partitionKey":"a","sequenceNumber":"496","data":"cGxhaW4=","approximateArrivalTimestamp":1545084650.987}}]}"#;
    let pattern = r#"{"data":{"k":[1]},"approximateArrivalTimestamp":[1545084650.987]}"#;
    let ended = run_with(&["filter", "--pattern", pattern, "--event", "-"], kinesis);
    assert_eq!(
        ended.out,
        "Records[0] 495: kept\nRecords[1] 496: refused at data: the payload is no JSON object\n1 kept, 1 refused\n"
    );
    let change = r#"{"Records":[{"eventSource":"aws:dynamodb","eventName":"INSERT","dynamodb":{"NewImage":{"n":{"N":"101"}},"SequenceNumber":"111"}}]}"#;
    let pattern = r#"{"dynamodb":{"NewImage":{"n":{"N":[{"numeric":[">",100]}]}}}}"#;
    let ended = run_with(&["filter", "--pattern", pattern, "--event", "-"], change);
    assert_eq!(
        ended,
        Ended {
            code: Some(0),
            out: "Records[0] 111: refused at dynamodb.NewImage.n.N: nothing that the pattern lists accepts its value\n0 kept, 1 refused\n".to_owned(),
            err: "warning: filter 0, key dynamodb.NewImage.n.N: DynamoDB's numbers are strings of digits, which no number and no numeric ever matches\n".to_owned(),
        }
    );
}

#[test]
fn the_filters_may_be_those_of_a_mapping() {
    let folder = folder();
    let config = "EventSourceMappings:
  - Name: orders
    EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: process
    FilterCriteria: { Filters: [ { Pattern: '{\"body\":{\"kind\":[\"order\"]}}' } ] }
  - Name: all
    EventSourceArn: arn:aws:sqs:us-east-1:123456789012:all
    FunctionName: process
  - Name: clicks
    EventSourceArn: arn:aws:kinesis:us-east-1:123456789012:stream/clicks
    FunctionName: count
    StartingPosition: LATEST
";
    let config = file(folder.path(), "mappings.yaml", config);
    let event = queue_event(&[r#"{"kind":"order"}"#, r#"{"kind":"refund"}"#]);
    let event = file(folder.path(), "event.json", &event);
    let asked = |mapping: &str| {
        run(&[
            "filter",
            "--config",
            &config,
            "--mapping",
            mapping,
            "--event",
            &event,
        ])
    };
    assert!(asked("orders").out.ends_with("\n1 kept, 1 refused\n"));
    assert!(asked("all").out.ends_with("\n2 kept, 0 refused\n"));
    for (mapping, expected) in [
        (
            "ordres",
            "--mapping: there is no \"ordres\"; there are: orders, all, clicks\n".to_owned(),
        ),
        (
            "clicks",
            format!("{event}: holds SQS messages; mapping clicks filters Kinesis records\n"),
        ),
    ] {
        let Ended { code, out, err } = asked(mapping);
        assert_eq!((code, out, err), (Some(2), String::new(), expected));
    }
    let wrong = file(folder.path(), "wrong.yaml", "EventSourceMapings: []\n");
    let Ended { code, err, .. } = run(&[
        "filter",
        "--config",
        &wrong,
        "--mapping",
        "orders",
        "--event",
        &event,
    ]);
    assert_eq!(code, Some(2));
    assert!(
        err.starts_with(&format!("{wrong}:1: EventSourceMapings: unknown key")),
        "{err}"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_ends_with_2() {
    let folder = folder();
    let good = file(folder.path(), "good.json", &queue_event(&["text"]));
    let bad = "{\"Records\":[{\"body\":\"x\"},\n {\"body\":5},\n {\"kinesis\":{\"data\":\"\"}}]}";
    let bad = file(folder.path(), "bad.json", bad);
    let torn = file(folder.path(), "torn.json", "{\"Records\":\n [");
    let missing = folder.path().join("missing.json");
    let missing = missing.to_str().expect("a plain name");
    let cases: [(&[&str], &str, String); 5] = [
        (&[KIND], &bad, format!("{bad}:2: Records[1]: invalid type: integer `5`, expected a string\n{bad}:3: Records[2]: Kinesis record in an event of SQS messages: an event is of one source\n")),
        (&[KIND], &torn, format!("{torn}:2: EOF while parsing a list at column 2\n")),
        (&[KIND], missing, format!("{missing}: cannot be read: No such file or directory (os error 2)\n")),
        (
            &[r#"{"body":"x"}"#, KIND, "[]"],
            &good,
            "--pattern: filter 0, key body: \"body\" must be an object or an array\n--pattern: filter 2: Filter is not an object\n".to_owned(),
        ),
        (
            &[r#"{"data":{"a":[1]}}"#, r#"{"body":{"a":[]}}"#],
            &good,
            "--pattern: filter 1, key body.a: Empty arrays are not allowed\n".to_owned(),
        ),
    ];
    for (patterns, event, expected) in cases {
        let mut args = vec!["filter", "--event", event];
        args.extend(patterns.iter().flat_map(|pattern| ["--pattern", pattern]));
        let Ended { code, out, err } = run(&args);
        assert_eq!((code, out, err), (Some(2), String::new(), expected));
    }
}

#[test]
fn an_event_is_bounded_and_is_text() {
    let folder = folder();
    let large = file(
        folder.path(),
        "large.json",
        &" ".repeat(6 * 1024 * 1024 + 1),
    );
    let binary = folder.path().join("binary.json");
    std::fs::write(&binary, b"{\xff").expect("the folder is ours");
    let binary = binary.to_str().expect("a plain name");
    for (event, expected) in [
        (
            large.as_str(),
            "more than the 6291456 bytes that an event may have",
        ),
        (binary, "is no text: byte 1 is no UTF-8"),
    ] {
        let Ended { code, out, err } = run(&["filter", "--pattern", KIND, "--event", event]);
        assert_eq!((code, out), (Some(2), String::new()));
        assert_eq!(err, format!("{event}: {expected}\n"));
    }
}

#[test]
fn what_a_sender_wrote_moves_no_cursor() {
    let event = r#"{"Records":[{"messageId":"\u001b[2J\n","body":"x"}]}"#;
    let Ended { code, out, .. } = run_with(&["filter", "--pattern", KIND, "--event", "-"], event);
    assert_eq!(code, Some(0));
    assert!(
        out.starts_with("Records[0] \\u{1b}[2J\\n: refused"),
        "{out}"
    );
}
