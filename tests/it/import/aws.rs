//! Against a server that answers as AWS Lambda does, over HTTP, with the program as it is run.

use std::collections::VecDeque;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{in_folder, read};
use crate::cli::program::Ended;
use crate::support::PATIENCE;

/// Answers what it was told, in order, and keeps the targets of what it was asked.
struct Lambda {
    endpoint: String,
    asked: Arc<Mutex<Vec<String>>>,
    _server: JoinSet<()>,
}

impl Lambda {
    async fn answering(answers: &[(u16, Value)]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let mut answers: VecDeque<(u16, Value)> = answers.to_vec().into();
        let mut server = JoinSet::new();
        let seen = Arc::clone(&asked);
        server.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let answer = answers.pop_front().unwrap_or((400, json!({})));
                let target = exchange(stream, answer).await;
                seen.lock().unwrap().push(target);
            }
        });
        Self {
            endpoint,
            asked,
            _server: server,
        }
    }
}

/// One request, one answer, and the end of the connection.
async fn exchange(mut stream: TcpStream, (status, body): (u16, Value)) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        assert_eq!(stream.read(&mut byte).await.unwrap(), 1, "a whole request");
        head.push(byte[0]);
    }
    let body = body.to_string();
    let code = match status {
        200 => "",
        403 => "x-amzn-errortype: AccessDeniedException\r\n",
        429 => "x-amzn-errortype: TooManyRequestsException\r\nretry-after: 0\r\n",
        _ => "x-amzn-errortype: InvalidParameterValueException\r\n",
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} x\r\n{code}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
    stream.shutdown().await.ok();
    let head = String::from_utf8(head).unwrap();
    let line = head.lines().next().unwrap_or_default();
    line.trim_end_matches(" HTTP/1.1").to_owned()
}

async fn run(args: &[&str]) -> Ended {
    let mut command = tokio::process::Command::from(in_folder(args));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// What the operator's own export in `config/` holds.
fn exported() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/managed-export.json");
    let text = std::fs::read_to_string(path).unwrap();
    let mut list: Value = serde_json::from_str(&text).unwrap();
    let mut mappings: Vec<Value> = list["EventSourceMappings"].as_array_mut().unwrap().clone();
    for mapping in &mut mappings {
        // On the wire a time is a number; the tool prints some as text.
        mapping["LastModified"] = json!(1789650000.0);
        if mapping["StartingPositionTimestamp"].is_string() {
            mapping["StartingPositionTimestamp"] = json!(1789650000.0);
        }
    }
    mappings
}

fn page(mappings: &[Value], marker: Option<&str>) -> (u16, Value) {
    (
        200,
        json!({ "EventSourceMappings": mappings, "NextMarker": marker }),
    )
}

const LIST: &str = "GET /2015-03-31/event-source-mappings";

#[tokio::test]
async fn what_aws_lists_page_by_page_becomes_a_configuration() {
    let mut mappings = exported();
    mappings[1]["KMSKeyArn"] = json!("arn:aws:kms:us-east-1:123456789012:key/k");
    let kafka = json!({
        "UUID": "9a1c64d9-2c0e-4f4b-9a39-0d4f7e0b6c18",
        "EventSourceArn": "arn:aws:kafka:us-east-1:123456789012:cluster/c/1",
        "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:f",
        "Topics": ["t"],
        "State": "Enabled",
    });
    let mut own = mappings[1].clone();
    own["FilterCriteria"] = json!({ "Filters": [{ "Pattern": "{\"body\":{\"paid\":[true]}}" }] });
    let lambda = Lambda::answering(&[
        (
            429,
            json!({ "Reason": "CallerRateLimitExceeded", "message": "Rate Exceeded." }),
        ),
        page(&mappings[..2], Some("more")),
        (200, own),
        page(&[mappings[2].clone(), mappings[3].clone(), kafka], None),
    ])
    .await;
    let args = [
        "import",
        "aws",
        "--region",
        "us-east-1",
        "--endpoint-url",
        &lambda.endpoint,
    ];
    let Ended { code, out, err } = run(&args).await;
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out, IMPORTED);
    assert_eq!(read(&out, &[]).mappings.len(), 4);
    assert_eq!(
        *lambda.asked.lock().unwrap(),
        [
            LIST.to_owned(),
            LIST.to_owned(),
            format!("{LIST}/b7d4c4b0-9d1c-4f1b-8f3a-6f0f5b0e7a55"),
            format!("{LIST}?Marker=more"),
        ]
    );
}

#[tokio::test]
async fn only_the_mappings_of_a_function_and_a_source_are_asked_for() {
    let lambda = Lambda::answering(&[page(&exported()[..1], None)]).await;
    let args = [
        "import",
        "aws",
        "--check",
        "--function",
        "process-orders:live",
        "--source",
        "arn:aws:sqs:us-east-1:123456789012:orders",
        "--region",
        "us-east-1",
        "--endpoint-url",
        &lambda.endpoint,
    ];
    let Ended { code, out, err } = run(&args).await;
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(
        out,
        "taken over: 14e0db71-5d35-4eb5-b481-8945cf9d10c2, arn:aws:sqs:us-east-1:123456789012:orders to arn:aws:lambda:us-east-1:123456789012:function:process-orders:live\neverything has a counterpart\n"
    );
    assert_eq!(
        *lambda.asked.lock().unwrap(),
        [format!(
            "{LIST}?EventSourceArn=arn%3Aaws%3Asqs%3Aus-east-1%3A123456789012%3Aorders&FunctionName=process-orders%3Alive"
        )]
    );
}

#[tokio::test]
async fn a_call_that_fails_is_told_and_ends_with_1() {
    let cases: [(&[(u16, Value)], &str); 3] = [
        (
            &[(403, json!({ "Message": "not allowed" }))],
            "failed to list the event source mappings of us-east-1: AccessDeniedException: not allowed\n",
        ),
        (
            &[
                page(&exported()[..1], Some("m")),
                (400, json!({ "Type": "User", "message": "bad marker" })),
            ],
            "failed to list the event source mappings of us-east-1: InvalidParameterValueException: bad marker\n",
        ),
        (
            &[page(&[], None)],
            "AWS Lambda in us-east-1 lists no such event source mapping\n",
        ),
    ];
    for (answers, told) in cases {
        let lambda = Lambda::answering(answers).await;
        let args = [
            "import",
            "aws",
            "--region",
            "us-east-1",
            "--endpoint-url",
            &lambda.endpoint,
        ];
        let Ended { code, out, err } = run(&args).await;
        assert_eq!((code, out.as_str(), err.as_str()), (Some(1), "", told));
    }
    let Ended { code, err, .. } = run(&["import", "aws"]).await;
    assert_eq!(code, Some(1));
    assert_eq!(
        err,
        "failed to list event source mappings: no region is named; give --region, or set AWS_REGION\n"
    );
}

#[tokio::test]
async fn a_configuration_is_held_against_what_aws_has() {
    let mappings = exported();
    let lambda = Lambda::answering(&[page(&mappings, None), page(&mappings, None)]).await;
    let folder = tempfile::tempdir().expect("a folder for the test");
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).to_str().unwrap().to_owned()
    };
    let aws = format!(
        "Aws: {{ Endpoints: {{ Lambda: '{}' }} }}\n",
        lambda.endpoint
    );
    let same = file(
        "same.json",
        &json!({
            "Aws": { "Endpoints": { "Lambda": lambda.endpoint } },
            "EventSourceMappings": mappings,
        })
        .to_string(),
    );
    let Ended { code, out, err } = run(&["diff", "--config", &same, "--against", "aws"]).await;
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert_eq!(
        out,
        format!("same: 4, different: 0, only in {same}: 0, only in AWS Lambda in us-east-1: 0\n")
    );
    // No UUID: found by source and function. A name and an extension are not AWS's to have.
    let other = aws
        + "EventSourceMappings:
  - Name: incoming
    EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: process-orders:live
    BatchSize: 10
    MaximumBatchingWindowInSeconds: 5
    FunctionResponseTypes: [ReportBatchItemFailures]
    ScalingConfig: { MaximumConcurrency: 50 }
    FilterCriteria: { Filters: [ { Pattern: '{ \"body\": { \"kind\": [\"order\"] } }' } ] }
    Extensions: {}
";
    let other = file("other.yaml", &other);
    let Ended { code, out, err } = run(&["diff", "--config", &other, "--against", "aws"]).await;
    assert_eq!((code, err.as_str()), (Some(1), ""), "{out}");
    let different: Vec<&str> = out
        .lines()
        .skip_while(|line| !line.starts_with("different: "))
        .collect();
    assert_eq!(
        different,
        [
            "different: incoming, arn:aws:sqs:us-east-1:123456789012:orders to arn:aws:lambda:us-east-1:123456789012:function:process-orders:live".to_owned(),
            format!("    BatchSize: 10 in {other}, 100 in AWS Lambda in us-east-1"),
            format!("same: 0, different: 1, only in {other}: 0, only in AWS Lambda in us-east-1: 3"),
        ]
    );
}

const IMPORTED: &str = r##"# Made by `sluicegate import aws`.
# Mappings taken over: 4; not taken over: 1.
EventSourceMappings:
  # 5f2c64d9-2c0e-4f4b-9a39-0d4f7e0b6c18, arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-09-17T12:00:00.000 to arn:aws:lambda:us-east-1:123456789012:function:index-orders
  - UUID: 5f2c64d9-2c0e-4f4b-9a39-0d4f7e0b6c18
    EventSourceArn: arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-09-17T12:00:00.000
    FunctionName: arn:aws:lambda:us-east-1:123456789012:function:index-orders
    StartingPosition: LATEST
  # Not taken over: 9a1c64d9-2c0e-4f4b-9a39-0d4f7e0b6c18, arn:aws:kafka:us-east-1:123456789012:cluster/c/1 to arn:aws:lambda:us-east-1:123456789012:function:f
  #   an Amazon MSK cluster is no source here; SQS queues, Kinesis streams and DynamoDB streams are
  # 2b733adc-7c1e-4d59-8a44-3b9f4b0c2f61, arn:aws:kinesis:us-east-1:123456789012:stream/clicks/consumer/alerts:1789650000 to arn:aws:lambda:us-east-1:123456789012:function:count-clicks
  - UUID: 2b733adc-7c1e-4d59-8a44-3b9f4b0c2f61
    EventSourceArn: arn:aws:kinesis:us-east-1:123456789012:stream/clicks/consumer/alerts:1789650000
    FunctionName: arn:aws:lambda:us-east-1:123456789012:function:count-clicks
    StartingPosition: AT_TIMESTAMP
    StartingPositionTimestamp: 1789650000
    ParallelizationFactor: 2
    FunctionResponseTypes: [ReportBatchItemFailures]
    BisectBatchOnFunctionError: true
    MaximumRetryAttempts: 3
    MaximumRecordAgeInSeconds: 604800
    DestinationConfig:
      OnFailure:
        Destination: arn:aws:sqs:us-east-1:123456789012:clicks-failed
  # 14e0db71-5d35-4eb5-b481-8945cf9d10c2, arn:aws:sqs:us-east-1:123456789012:orders to arn:aws:lambda:us-east-1:123456789012:function:process-orders:live
  - UUID: 14e0db71-5d35-4eb5-b481-8945cf9d10c2
    EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: arn:aws:lambda:us-east-1:123456789012:function:process-orders:live
    BatchSize: 100
    MaximumBatchingWindowInSeconds: 5
    FunctionResponseTypes: [ReportBatchItemFailures]
    ScalingConfig:
      MaximumConcurrency: 50
    FilterCriteria:
      Filters:
        - Pattern: '{"body":{"kind":["order"]}}'
  # b7d4c4b0-9d1c-4f1b-8f3a-6f0f5b0e7a55, arn:aws:sqs:us-east-1:123456789012:payments.fifo to arn:aws:lambda:us-east-1:123456789012:function:book-payment
  #   KMSKeyArn is left out: filters stand in this file as plain text
  - UUID: b7d4c4b0-9d1c-4f1b-8f3a-6f0f5b0e7a55
    Enabled: false
    EventSourceArn: arn:aws:sqs:us-east-1:123456789012:payments.fifo
    FunctionName: arn:aws:lambda:us-east-1:123456789012:function:book-payment
    FilterCriteria:
      Filters:
        - Pattern: '{"body":{"paid":[true]}}'
"##;
