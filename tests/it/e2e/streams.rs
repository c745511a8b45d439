//! Streams, end to end: scenarios of Kinesis (on the server of others too, with split and merge) and of DynamoDB Streams.
//! Each record is a text `KEY NUMBER`, and the numbers of a key ascend.

mod dynamodb;
mod kinesis;
mod store;

use std::collections::BTreeMap;

use serde_json::Value;
use sluicegate::reports::Account;

use crate::support::collector::{Call, Reply};
use crate::support::queue::{Counts, Queue};
use crate::support::stream::texts;

/// What the function can not handle.
const POISON: &str = "poison";

/// So many texts of this key.
fn of(key: &str, numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("{key} {number:03}")).collect()
}

/// The texts of all calls, in the order of their arrival.
pub fn delivered(calls: &[Call]) -> Vec<String> {
    calls.iter().flat_map(texts).collect()
}

/// The texts of a key in the order in which they were delivered.
fn by_key(calls: &[Call]) -> BTreeMap<String, Vec<String>> {
    let mut keys = BTreeMap::<String, Vec<String>>::new();
    for text in delivered(calls) {
        let (key, _) = text.split_once(' ').expect("a key and a number");
        keys.entry(key.to_owned()).or_default().push(text);
    }
    keys
}

/// A function that raises an exception where the poison is in its batch.
fn throws(call: &Call) -> Reply {
    if texts(call).iter().any(|text| text == POISON) {
        Reply::function_error("boom")
    } else {
        Reply::success()
    }
}

/// So many records settled, and of them so many discarded; nothing of queues.
fn settled(settled: u64, discarded: u64) -> Account {
    Account {
        settled,
        discarded,
        ..Account::default()
    }
}

/// The one record of a discard in this queue, once it is there.
async fn report(queue: &Queue) -> Value {
    queue
        .wait_for(Counts {
            visible: 1,
            in_flight: 0,
        })
        .await;
    let messages = queue.receive(0).await;
    let body = messages[0].body().expect("a body");
    serde_json::from_str(body).expect("a record of a discard is JSON")
}
