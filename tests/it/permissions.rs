//! The policies in `deploy/` allow what the service calls, and nothing else: a whole run of each kind of source, with a
//! discard, against the actions of its files.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde_json::{Value, json};
use sluicegate::aws::clients::Clients;
use sluicegate::config::Config;
use sluicegate::sim::dynamodb::ViewType;
use sluicegate::sim::{Connector, FunctionConfig, Reply};
use tokio::time::sleep;

use crate::engine::{FUNCTION, Stage};

/// A connection that notes which action of IAM each request needs.
#[derive(Clone)]
struct Noting {
    inner: Connector,
    called: Arc<Mutex<BTreeSet<String>>>,
}

impl fmt::Debug for Noting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Noting")
    }
}

impl HttpConnector for Noting {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.called.lock().unwrap().insert(action(&request));
        self.inner.call(request)
    }
}

fn action(request: &HttpRequest) -> String {
    if let Some(target) = request.headers().get("x-amz-target") {
        let (service, operation) = target.split_once('.').unwrap();
        let service = match service {
            "AmazonSQS" => "sqs",
            "Kinesis_20131202" => "kinesis",
            "DynamoDBStreams_20120810" => "dynamodb",
            other => panic!("{other} is no service that we call"),
        };
        // One permission is for an operation and for its batches.
        return format!("{service}:{}", operation.trim_end_matches("Batch"));
    }
    let body = request.body().bytes().unwrap_or_default();
    match (request.method(), request.uri()) {
        ("POST", uri) if uri.ends_with("/invocations") => "lambda:InvokeFunction".to_owned(),
        ("GET", uri) if uri.contains("/configuration") => {
            "lambda:GetFunctionConfiguration".to_owned()
        }
        ("POST", _) if body.starts_with(b"Action=Publish&") => "sns:Publish".to_owned(),
        ("PUT", _) => "s3:PutObject".to_owned(),
        (method, uri) => panic!("{method} {uri} is not known here"),
    }
}

/// The actions of a policy's statements: all, or the one of this name.
fn allowed(file: &str, sid: Option<&str>) -> BTreeSet<String> {
    let path = format!("{}/deploy/{file}", env!("CARGO_MANIFEST_DIR"));
    let policy: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(policy["Version"], "2012-10-17");
    let mut actions = BTreeSet::new();
    for statement in policy["Statement"].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow");
        let resources = statement["Resource"].to_string();
        assert!(resources.contains("\"arn:aws:"), "{resources}");
        if sid.is_some_and(|sid| statement["Sid"] != sid) {
            continue;
        }
        match &statement["Action"] {
            Value::Array(all) => {
                actions.extend(all.iter().map(|action| action.as_str().unwrap().to_owned()));
            }
            one => drop(actions.insert(one.as_str().unwrap().to_owned())),
        }
    }
    assert!(!actions.is_empty(), "{file} {sid:?}");
    actions
}

/// Run a mapping of this source for two minutes, and say what it called.
async fn called(stage: &Stage, source: &str, more: &[&str]) -> BTreeSet<String> {
    let mut text = format!(
        "EventSourceMappings:\n  - Name: m\n    EventSourceArn: {source}\n    FunctionName: {FUNCTION}\n"
    );
    for line in more {
        text.push_str(&format!("    {line}\n"));
    }
    let config = Config::parse("test.yaml", &text, &|_| None).unwrap();
    let noting = Noting {
        inner: stage.world.connector(),
        called: Arc::default(),
    };
    let connector = SharedHttpConnector::new(noting.clone());
    let shared = connector.clone();
    let base = stage.world.sdk_config().into_builder();
    let base = base.http_client(http_client_fn(move |_, _| shared.clone()));
    let clients = Clients::new(&config.aws, base.build(), connector);
    let running = stage.start_on(config, clients);
    sleep(Duration::from_secs(120)).await;
    running.stop().await;
    let called = noting.called.lock().unwrap();
    called.clone()
}

const DISCARDING: [&str; 2] = ["StartingPosition: TRIM_HORIZON", "MaximumRetryAttempts: 0"];

fn to(destination: &str) -> String {
    format!("DestinationConfig: {{ OnFailure: {{ Destination: '{destination}' }} }}")
}

fn failing(seed: u64) -> Stage {
    let stage = Stage::new(seed);
    stage.function(FunctionConfig::default(), |_| Reply::error("no"));
    stage
}

#[tokio::test(start_paused = true)]
async fn a_queue_needs_what_its_policy_allows() {
    let stage = Stage::new(1);
    let config = FunctionConfig {
        timeout: Duration::from_secs(60),
        ..FunctionConfig::default()
    };
    // So long that the lease is extended.
    stage.function(config, |_| Reply::ok("{}").after(Duration::from_secs(50)));
    let visibility = [("VisibilityTimeout", "60")];
    stage.world.create_queue("orders", &visibility).unwrap();
    stage.world.send("orders", "hello").unwrap();
    let called = called(&stage, &stage.world.queue_arn("orders"), &[]).await;
    assert_eq!(called, allowed("sqs-policy.json", None));
}

#[tokio::test(start_paused = true)]
async fn a_stream_needs_what_its_policy_allows_and_a_queue_for_its_discards() {
    let stage = failing(2);
    let stream = stage.world.create_stream("clicks", 1).unwrap();
    stage.world.create_queue("failed", &[]).unwrap();
    stage.world.put_record("clicks", "k", "hello").unwrap();
    let to = to(&stage.world.queue_arn("failed"));
    let called = called(&stage, &stream, &[DISCARDING[0], DISCARDING[1], &to]).await;
    let mut expected = allowed("kinesis-policy.json", None);
    expected.extend(allowed("destination-policy.json", Some("TheQueue")));
    assert_eq!(called, expected);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_needs_what_its_policy_allows_and_a_topic_for_its_discards() {
    let stage = failing(3);
    stage.world.create_stream("clicks", 1).unwrap();
    let consumer = stage.world.register_consumer("clicks", "alerts").unwrap();
    let topic = stage.world.create_topic("failed").unwrap();
    stage.world.put_record("clicks", "k", "hello").unwrap();
    let to = to(&topic);
    let called = called(&stage, &consumer, &[DISCARDING[0], DISCARDING[1], &to]).await;
    let mut expected = allowed("kinesis-consumer-policy.json", None);
    expected.extend(allowed("destination-policy.json", Some("TheTopic")));
    assert_eq!(called, expected);
}

#[tokio::test(start_paused = true)]
async fn a_table_needs_what_its_policy_allows_and_a_bucket_for_its_discards() {
    let stage = failing(4);
    let view = ViewType::NewAndOldImages;
    let stream = stage.world.create_table("orders", "id", view).unwrap();
    stage.world.create_bucket("failed").unwrap();
    let item = json!({"id": {"S": "a"}});
    stage.world.put_item("orders", &item).unwrap();
    let to = to("arn:aws:s3:::failed");
    let called = called(&stage, &stream, &[DISCARDING[0], DISCARDING[1], &to]).await;
    let mut expected = allowed("dynamodb-policy.json", None);
    expected.extend(allowed("destination-policy.json", Some("TheBucket")));
    assert_eq!(called, expected);
}
