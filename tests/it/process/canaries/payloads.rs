//! A service with every kind of source, whose messages, records, items, replies and errors are canaries, and whose own keys
//! and tokens are: put through what can happen to them, with its log at the last level.

use std::fs::File;
use std::time::Duration;

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::MessageAttributeValue;
use serde_json::json;
use tokio::process::Command;

use super::{canary, heard, quiet};
use crate::process::ORDERS;
use crate::support::cloud::Cloud;
use crate::support::collector::{Call, Collector, Reply};
use crate::support::gate::{Config, Gate, program};
use crate::support::queue::{EMPTY, Queue, QueueShape};

const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const MAPPINGS: &str = "/2015-03-31/event-source-mappings";

/// What a function's runtime says of an exception.
fn exception() -> String {
    let trace = [format!("at {} (handler.js:1)", canary('c'))];
    json!({ "errorType": "Error", "errorMessage": canary('b'), "stackTrace": trace }).to_string()
}

/// How many there are below, success among them.
const WAYS: usize = 11;

/// Every way to fail, one after the other, and then success.
fn reply(nth: usize, call: &Call) -> Reply {
    let failures = |id: &str| Reply::failures(&[id.to_owned()]);
    match nth {
        0 => Reply::text(&canary('Z')),
        1 => Reply::text(&format!("{{\"batchItemFailures\": \"{}\"}}", canary('Z'))),
        2 => failures(&canary('Z')),
        3 => Reply::function_error(&exception()),
        4 => Reply::status(500, &canary('f')),
        5 => Reply::status(400, &canary('f')),
        6 => Reply::status(404, &canary('f')),
        7 => Reply::refused(),
        8 => Reply::cut(&canary('Z')),
        9 => failures(&call.message_ids()[0]),
        _ => Reply::text(&format!("{{\"said\":\"{}\"}}", canary('Z'))),
    }
}

async fn fill(queue: &Queue) {
    let attribute = |kind: &str| MessageAttributeValue::builder().data_type(kind);
    let text = attribute("String")
        .string_value(canary('L'))
        .build()
        .unwrap();
    let bytes = Blob::new(canary('L').into_bytes());
    let bytes = attribute("Binary").binary_value(bytes).build().unwrap();
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793";
    let attributes = [("text", text), ("bytes", bytes)];
    let body = json!({ "kind": "order", "text": canary('K') }).to_string();
    queue.send_with(&body, &attributes, trace).await;
}

/// The answers of every page and route to somebody with this head.
async fn ask_everything(gate: &Gate, head: &str, uuid: &str) {
    let one = format!("{MAPPINGS}/{uuid}");
    let cookie = canary('J');
    let bad = format!("{{\"FunctionName\": {}", canary('J'));
    for (method, path, body) in [
        ("GET", "/".to_owned(), ""),
        ("GET", "/livez?key=1".to_owned(), ""),
        ("GET", "/readyz".to_owned(), ""),
        ("GET", "/metrics".to_owned(), ""),
        ("GET", "/version".to_owned(), ""),
        ("POST", "/metrics".to_owned(), "x"),
        ("GET", format!("/{cookie}"), ""),
        ("GET", MAPPINGS.to_owned(), ""),
        ("GET", one.clone(), ""),
        ("GET", format!("{one}/position"), ""),
        ("PUT", format!("{one}/position"), "{\"Undo\":true}"),
        ("PUT", one.clone(), "{\"BatchSize\":3}"),
        ("DELETE", one.clone(), ""),
        ("POST", format!("{one}/pause"), ""),
        ("POST", format!("{one}/resume"), ""),
        ("POST", MAPPINGS.to_owned(), &bad),
        (
            "GET",
            format!("{MAPPINGS}?X-Amz-Security-Token={cookie}"),
            "",
        ),
    ] {
        let head = format!("{head}Cookie: {cookie}\r\nX-Amz-Security-Token: {cookie}\r\n");
        let (page, _) = gate.ask(method, &path, &head, body).await;
        quiet(&format!("{method} {path}"), &page.body);
    }
}

/// What a verb says that asks the service, with a token or without.
fn verb(gate: &Gate, args: &[&str], envs: &[(&str, String)]) {
    let service = format!("http://{}", gate.admin());
    let ended = std::process::Command::new(program())
        .args(args)
        .args(["--service", &service])
        .env_clear()
        .envs(envs.iter().cloned())
        .env("RUST_LOG", "trace")
        .output()
        .unwrap();
    for said in [ended.stdout, ended.stderr] {
        let said = String::from_utf8(said).unwrap();
        quiet(&format!("{args:?}"), &said);
    }
}

// reliability: I17
#[tokio::test]
async fn no_secret_and_no_payload_is_in_anything_that_the_program_says() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let token = |name: &str, letter: char| {
        std::fs::write(at(name), canary(letter)).unwrap();
        at(name).display().to_string()
    };
    let (all, look, wrong) = (token("all", 'E'), token("look", 'F'), token("wrong", 'G'));

    let mut tried = 0;
    let collector = Collector::start(move |call| match call.function.as_str() {
        "orders" => {
            tried += 1;
            reply(tried - 1, call)
        }
        "clicks" | "lost" | "lambda" => Reply::function_error(&exception()),
        "items" => Reply::failures(&[canary('Z')]),
        _ => Reply::success(),
    })
    .await;
    let cloud = Cloud::embedded().await;
    let world = cloud.world();
    let shape = |fifo| QueueShape {
        fifo,
        visibility_s: Some(1),
        ..QueueShape::default()
    };
    let orders = cloud.queue("orders", shape(false)).await;
    let grouped = cloud.queue("grouped.fifo", shape(true)).await;
    let failed = cloud.queue("failed", shape(false)).await;
    let handled = cloud.queue("handled", shape(false)).await;
    let clicks = cloud.stream("clicks", 1).await;
    let items = cloud.table("items").await;
    let lambda = cloud.function("lambda", &collector).await;
    world.create_topic("failed").unwrap();

    let to = |arn: &str| {
        format!(
            "StartingPosition: TRIM_HORIZON, MaximumRetryAttempts: 1, BisectBatchOnFunctionError: true, \
             DestinationConfig: {{ OnFailure: {{ Destination: \"{arn}\" }} }}, Extensions: {{ OnFailureIncludePayload: true }}"
        )
    };
    let keyed = |name: &str| format!("{}?code={}", collector.url(name), canary('H'));
    let nowhere = "arn:aws:sns:us-east-1:000000000000:nowhere";
    let partial = "FunctionResponseTypes: [ReportBatchItemFailures]";
    let keys = format!(
        "AccessKeys: [ {{ AccessKeyId: {KEY_ID}, SecretAccessKey: {} }} ], TokenFile: \"{all}\", ReadOnlyTokenFile: \"{look}\"",
        canary('D')
    );
    let file = at("checkpoints.db");
    let filter = r#"FilterCriteria: { Filters: [ { Pattern: '{"body":{"kind":["order"]}}' } ] }"#;
    let config = Config::at(&cloud.endpoint)
        .api(&keys)
        .checkpoints(&file)
        .function("orders", &keyed("orders"), 1)
        .function("grouped", &keyed("grouped"), 1)
        .function("clicks", &keyed("clicks"), 1)
        .function("lost", &keyed("lost"), 1)
        .function("items", &keyed("items"), 1)
        .function(
            "silent",
            "http://127.0.0.1:9/?code=HHHHHHHHHHHHHHHHHHHHHHHH",
            1,
        )
        .mapping(
            "orders",
            &orders.arn,
            "orders",
            &format!("BatchSize: 1, {partial}, {filter}"),
        )
        .mapping("grouped", &grouped.arn, "grouped", "")
        .mapping("handled", &handled.arn, "silent", "")
        .mapping("gone", &ORDERS.replace("orders", "gone"), "orders", "")
        .mapping("clicks", &clicks.arn, "clicks", &to(&failed.arn))
        .mapping("lambda", &clicks.arn, &lambda, &to(&failed.arn))
        .mapping("lost", &clicks.arn, "lost", &to(nowhere))
        .mapping(
            "items",
            &items.arn,
            "items",
            &format!("StartingPosition: TRIM_HORIZON, MaximumRetryAttempts: 0, {partial}"),
        );

    for _ in 0..WAYS {
        fill(&orders).await;
    }
    orders
        .send(&json!({ "kind": canary('K') }).to_string())
        .await;
    orders.send(&canary('K')).await;
    handled.send(&canary('K')).await;
    grouped.send_grouped(&canary('M'), &canary('K')).await;
    clicks.put(&canary('O'), &[canary('N'), canary('N')]).await;
    items.put(&canary('h'), &[canary('h')]).await;

    let own = [
        ("AWS_ACCESS_KEY_ID", canary('A')),
        ("AWS_SECRET_ACCESS_KEY", canary('B')),
        ("AWS_SESSION_TOKEN", canary('C')),
    ];
    let stdout = at("stdout");
    let out = File::create(&stdout).unwrap();
    let change = |command: &mut Command| {
        command
            .envs(own.clone())
            .env("RUST_LOG", "trace")
            .stdout(out);
    };
    let gate = config
        .program()
        .but(|command| {
            change(command);
            command
        })
        .start()
        .await;

    // All of it comes to where it belongs.
    orders.wait_for(EMPTY).await;
    grouped.wait_for(EMPTY).await;
    gate.wait_for_metric("events_on_failure_delivered_total{mapping=\"clicks\"}", 2.0)
        .await;
    gate.wait_for_metric("events_on_failure_delivered_total{mapping=\"lambda\"}", 2.0)
        .await;
    gate.wait_for_metric(
        "events_dropped_total{mapping=\"items\",reason=\"retry_attempts_exhausted\"}",
        1.0,
    )
    .await;
    gate.wait_for_metric(
        "destination_deliveries_total{mapping=\"lost\",outcome=\"failure\"}",
        1.0,
    )
    .await;
    let invoked: String = collector
        .calls()
        .iter()
        .map(|call| String::from_utf8_lossy(&call.body).into_owned())
        .collect();
    assert_eq!(
        heard(&invoked),
        [
            "a message's body",
            "a message's attribute",
            "a group of messages",
            "a record's data",
            "a partition key",
            "an item"
        ]
    );
    let told = failed.receive(1).await;
    let told: String = told.iter().filter_map(|message| message.body()).collect();
    assert_eq!(heard(&told), ["a record's data", "a partition key"]);

    // And to nowhere else.
    let bearer = |letter: char| format!("Authorization: Bearer {}\r\n", canary(letter));
    let signed = format!(
        "Authorization: AWS4-HMAC-SHA256 Credential={KEY_ID}/20261121/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature={}\r\n",
        canary('G')
    );
    let (page, _) = gate.ask("GET", MAPPINGS, &bearer('E'), "").await;
    let listed = page.json();
    let listed = listed["EventSourceMappings"].as_array().unwrap();
    assert_eq!(listed.len(), 8, "{page:?}");
    let named = |name: &str| {
        let found = listed.iter().find(|mapping| mapping["Name"] == name);
        found.unwrap()["UUID"].as_str().unwrap().to_owned()
    };
    for (head, name) in [
        (String::new(), "clicks"),
        (bearer('G'), "clicks"),
        (signed, "clicks"),
        (bearer('F'), "clicks"),
        (bearer('E'), "clicks"),
    ] {
        ask_everything(&gate, &head, &named(name)).await;
        // As many as are let in at once.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    for (args, envs) in [
        (vec!["list", "--token-file", all.as_str()], vec![]),
        (vec!["list", "--token-file", &wrong], vec![]),
        (
            vec!["list", "--format", "json", "--token-file", &look],
            vec![],
        ),
        (vec!["pause", "orders", "--token-file", &look], vec![]),
        (vec!["pause", "orders", "--token-file", &all], vec![]),
        (vec!["seek", "clicks", "--token-file", &all], vec![]),
        (vec!["list"], own.to_vec()),
        (vec!["list"], vec![]),
    ] {
        verb(&gate, &args, &envs);
    }
    for path in ["/readyz", "/metrics"] {
        quiet(path, &gate.get(path).await.body);
    }
    let mut gate = gate;
    gate.signal("TERM").await;
    gate.ended().await;
    let log = gate.log();
    assert!(log.len() > 50, "it says what it does");
    for line in &log {
        quiet("the log", line);
    }
    quiet("stdout", &std::fs::read_to_string(&stdout).unwrap());
    // Positions are kept, not what stood there.
    let kept = std::fs::read(&file).unwrap();
    quiet("the checkpoint file", &String::from_utf8_lossy(&kept));
}
