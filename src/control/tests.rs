//! The room as its user sees it: requests in, answers and refusals out.

mod answers;
mod fields;
mod files;
mod holds;
mod pages;
mod positions;
mod refusals;
mod routes;
mod tags;
mod updates;

use http::Method;
use serde_json::{Value, json};

use super::{Call, Change, Refusal, Registry, route};
use crate::config::Config;

const MAPPINGS: &str = "/2015-03-31/event-source-mappings";
const NOW_MS: u64 = 1_789_650_000_123;
const QUEUE: &str = "arn:aws:sqs:us-east-1:111111111111:orders";
const FIFO: &str = "arn:aws:sqs:us-east-1:111111111111:orders.fifo";
const STREAM: &str = "arn:aws:kinesis:us-east-1:111111111111:stream/clicks";
const CONSUMER: &str =
    "arn:aws:kinesis:us-east-1:111111111111:stream/clicks/consumer/app:1789650000";
const TABLE: &str =
    "arn:aws:dynamodb:us-east-1:111111111111:table/users/stream/2026-09-17T12:00:00.000";

/// The UUID that the n-th create is given.
fn uuid(n: usize) -> String {
    format!("{n:08x}-0000-4000-8000-000000000000")
}

fn config(text: &str) -> Config {
    Config::parse("mappings.yaml", text, &|_| None).expect("the configuration is valid")
}

/// No files.
fn empty() -> Registry {
    Registry::new(&config("{}"), Vec::new(), NOW_MS).0
}

/// Of one of the sources, with what every mapping needs and these settings.
fn request(source: &str, settings: Value) -> Value {
    let mut request = json!({ "EventSourceArn": source, "FunctionName": "f" });
    if source != QUEUE && source != FIFO {
        request["StartingPosition"] = json!("TRIM_HORIZON");
    }
    for (key, value) in settings.as_object().expect("settings are an object") {
        request[key] = value.clone();
    }
    request
}

fn called(method: Method, path: &str, body: &Value) -> Result<Call, Refusal> {
    route(&method, path, None, body.to_string().as_bytes())
}

fn try_create(registry: &Registry, body: &Value, n: usize) -> Result<Change, Refusal> {
    match called(Method::POST, MAPPINGS, body)? {
        Call::Create(properties) => registry.create(&properties, &uuid(n), NOW_MS),
        other => panic!("{other:?} is no create"),
    }
}

fn try_update(registry: &Registry, n: usize, body: &Value) -> Result<Change, Refusal> {
    match called(Method::PUT, &format!("{MAPPINGS}/{}", uuid(n)), body)? {
        Call::Update { uuid, properties } => {
            registry.update(&uuid, &properties, NOW_MS + 60_000, |_| None)
        }
        other => panic!("{other:?} is no update"),
    }
}

/// Creates it, and answers.
fn create(registry: &mut Registry, body: &Value, n: usize) -> Value {
    let change = try_create(registry, body, n).expect("the mapping is created");
    answered(registry, change)
}

fn update(registry: &mut Registry, n: usize, body: &Value) -> Value {
    let change = try_update(registry, n, body).expect("the mapping is updated");
    answered(registry, change)
}

fn answered(registry: &mut Registry, change: Change) -> Value {
    let answer = change.answer.clone().expect("it has an answer");
    registry.apply(change);
    answer
}
