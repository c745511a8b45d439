//! What `aws lambda list-event-source-mappings` printed of a managed account, unedited, is the configuration of a service: each
//! of its mappings does here what it did there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use sluicegate::sim::dynamodb::ViewType;
use sluicegate::sim::{FunctionConfig, Reply, Settings};
use sluicegate::status::State;

use super::{SOON, event, pass, seconds};
use crate::engine::Stage;

const EXPORTED: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/config/managed-export.json"
));
/// 2026-09-17T12:00:00Z: when the table's stream was switched on. The consumer was registered an hour later.
const STREAM_MADE: Duration = Duration::from_secs(1_789_646_400);
const CONSUMER_MADE_AFTER: Duration = Duration::from_secs(3_600);

/// The source of each mapping, in the order of the export.
fn sources() -> Vec<String> {
    let exported: Value = serde_json::from_str(EXPORTED).unwrap();
    let mappings = exported["EventSourceMappings"].as_array().unwrap();
    let source = |mapping: &Value| mapping["EventSourceArn"].as_str().unwrap().to_owned();
    mappings.iter().map(source).collect()
}

#[tokio::test(start_paused = true)]
async fn the_unedited_export_of_managed_mappings_runs() {
    let stage = Stage::with(Settings {
        seed: 11,
        epoch: STREAM_MADE,
        account: "123456789012".to_owned(),
        ..Settings::default()
    });
    let world = &stage.world;
    let table = world.create_table("orders", "id", ViewType::NewAndOldImages);
    let table = table.unwrap();
    for (queue, attributes) in [
        ("orders", &[("VisibilityTimeout", "60")][..]),
        ("payments.fifo", &[("FifoQueue", "true")]),
        ("clicks-failed", &[]),
    ] {
        world.create_queue(queue, attributes).unwrap();
    }
    world.create_stream("clicks", 2).unwrap();
    let put = |text: &'static str| world.put_record("clicks", "k", text).unwrap();
    put("before the moment");
    pass(CONSUMER_MADE_AFTER).await;
    let consumer = world.register_consumer("clicks", "alerts").unwrap();
    let queues = ["orders", "payments.fifo"].map(|queue| world.queue_arn(queue));
    let [orders, payments] = queues;
    assert_eq!(sources(), [orders, payments, consumer, table]);

    let calls: Arc<Mutex<BTreeMap<String, Vec<Value>>>> = Arc::default();
    for function in [
        "process-orders",
        "book-payment",
        "count-clicks",
        "index-orders",
    ] {
        let calls = calls.clone();
        world.register(function, FunctionConfig::default(), move |invocation| {
            let records = event(&invocation)["Records"].as_array().unwrap().clone();
            let poison = records
                .iter()
                .any(|record| record["kinesis"]["data"] == "cG9pc29u");
            let mut calls = calls.lock().unwrap();
            calls
                .entry(function.to_owned())
                .or_default()
                .extend(records);
            std::future::ready(if poison {
                Reply::error("poison")
            } else {
                Reply::ok("")
            })
        });
    }
    world
        .put_item("orders", &json!({ "id": { "S": "before" } }))
        .unwrap();
    let running = stage.start_with(EXPORTED);
    seconds(10).await;
    put("clicked");
    put("poison");
    world
        .put_item("orders", &json!({ "id": { "S": "after" } }))
        .unwrap();
    for body in [r#"{"kind":"order"}"#, r#"{"kind":"offer"}"#] {
        world.send("orders", body).unwrap();
    }
    world.send_to_group("payments.fifo", "g", "{}").unwrap();

    let began = tokio::time::Instant::now();
    while world.queue("clicks-failed").unwrap().messages.is_empty() {
        assert!(began.elapsed() < SOON, "{:?}", calls.lock().unwrap());
        seconds(1).await;
    }
    seconds(20).await;
    let calls = calls.lock().unwrap().clone();
    let told = |function: &str, of: &dyn Fn(&Value) -> Value| -> Vec<Value> {
        calls.get(function).into_iter().flatten().map(of).collect()
    };
    assert_eq!(
        told("process-orders", &|record| record["body"].clone()),
        [r#"{"kind":"order"}"#]
    );
    assert_eq!(
        stage.left("orders"),
        0,
        "what the filter dropped is deleted"
    );
    assert_eq!(calls.get("book-payment"), None, "it is disabled");
    assert_eq!(stage.left("payments.fifo"), 1);
    let clicks = told("count-clicks", &|record| record["kinesis"]["data"].clone());
    // "clicked", and what failed alone: once, and its three retries.
    assert_eq!(
        clicks.iter().filter(|data| *data == "Y2xpY2tlZA==").count(),
        2
    );
    assert!(clicks.iter().filter(|data| *data == "cG9pc29u").count() >= 4);
    assert_eq!(
        clicks
            .iter()
            .filter(|data| data.as_str().unwrap().starts_with("YmVmb3Jl"))
            .count(),
        0
    );
    assert_eq!(
        told("index-orders", &|record| {
            record["dynamodb"]["Keys"]["id"]["S"].clone()
        }),
        ["after"]
    );
    let states: Vec<State> = stage
        .status
        .readiness()
        .mappings
        .iter()
        .map(|mapping| mapping.state)
        .collect();
    assert_eq!(
        states
            .iter()
            .filter(|state| **state == State::Enabled)
            .count(),
        3
    );
    assert_eq!(
        states
            .iter()
            .filter(|state| **state == State::Disabled)
            .count(),
        1
    );
    running.stop().await;
}
