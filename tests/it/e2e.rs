//! The program itself, end to end: `sluicegate run` as a child process between a cloud with queues and functions behind
//! the Lambda Invoke API, or functions behind a URL. Scenarios run on our embedded AWS and on a server of others.
//!
//! Nothing is waited for by the clock: a test waits for what the functions' ledger, the queue's counts, the program's
//! pages or its log show.

mod control;
mod delivery;
mod failure;
mod hostile;
mod mappings;
mod order;
mod outage;
mod pages;
mod positions;
mod stop;
mod streams;

use crate::support::collector::Call;
use crate::support::queue::QueueShape;

/// The time-out of a function of whose failed messages a test waits for the next delivery, and their queue's visibility:
/// long enough for a function of others to start on a busy machine.
const LEASE_S: u16 = 2;

/// A queue that delivers a failed message again after [`LEASE_S`].
fn impatient() -> QueueShape {
    QueueShape {
        visibility_s: Some(LEASE_S.into()),
        ..QueueShape::default()
    }
}

/// So many bodies, each another number.
pub fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{number:03}")).collect()
}

/// The bodies of these calls in ascending order.
pub fn bodies(calls: &[Call]) -> Vec<String> {
    let mut bodies: Vec<_> = calls.iter().flat_map(Call::bodies).collect();
    bodies.sort();
    bodies
}

/// How many messages these calls brought.
fn count(calls: &[Call]) -> usize {
    calls.iter().map(|call| call.bodies().len()).sum()
}

/// The `ApproximateReceiveCount` of each message of a call.
fn receives(call: &Call) -> Vec<String> {
    let records = call.event["Records"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let receive = |record: &serde_json::Value| {
        let count = record["attributes"]["ApproximateReceiveCount"].as_str();
        count
            .expect("each record says how often it was received")
            .to_owned()
    };
    records.iter().map(receive).collect()
}
