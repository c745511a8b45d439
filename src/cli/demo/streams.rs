//! The demo's two functions of streams, both in the embedded Lambda: one refuses every batch with a poison record in it,
//! as a function that throws an exception does; the other follows a table.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::ledger::Ledger;
use crate::sim::{FunctionConfig, Reply, World};

/// The function that counts clicks.
pub const CLICKS_FUNCTION: &str = "count-clicks";
/// The function that follows the table.
pub const CUSTOMERS_FUNCTION: &str = "index-customers";

/// How long a function works on a batch.
const WORK: Duration = Duration::from_millis(50);

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    kinesis: Option<Click>,
    dynamodb: Option<Change>,
}

#[derive(Deserialize)]
struct Click {
    data: String,
}

#[derive(Deserialize)]
struct Data {
    number: u64,
}

#[derive(Deserialize)]
struct Change {
    #[serde(rename = "NewImage")]
    new: Image,
}

#[derive(Deserialize)]
struct Image {
    number: Number,
}

#[derive(Deserialize)]
struct Number {
    #[serde(rename = "N")]
    text: String,
}

impl Record {
    fn number(self) -> Option<u64> {
        match self {
            Self {
                kinesis: Some(click),
                ..
            } => {
                let data = STANDARD.decode(click.data).ok()?;
                let data: Data = serde_json::from_slice(&data).ok()?;
                Some(data.number)
            }
            Self {
                dynamodb: Some(change),
                ..
            } => change.new.number.text.parse().ok(),
            Self { .. } => None,
        }
    }
}

/// The numbers of an event's records; none where one can not be read.
fn numbers(event: &[u8]) -> Option<Vec<u64>> {
    let event: Event = serde_json::from_slice(event).ok()?;
    event.records.into_iter().map(Record::number).collect()
}

/// A function that handles its whole batch, or nothing of it.
pub fn register(world: &World, name: &str, ledger: Ledger) {
    let config = FunctionConfig {
        timeout: Duration::from_secs(5),
        ..FunctionConfig::default()
    };
    world.register(name, config, move |invocation| {
        let reply = match numbers(&invocation.event) {
            None => Reply::error("the event can not be read"),
            Some(numbers) if numbers.iter().any(|number| ledger.poison(*number)) => {
                Reply::error("one of these can not be handled")
            }
            Some(numbers) => {
                numbers.iter().for_each(|number| ledger.handled(*number));
                Reply::ok("{}")
            }
        };
        std::future::ready(reply.after(WORK))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_events_are_read() {
        let click = r#"{"Records":[{"kinesis":{"data":"eyJudW1iZXIiOjd9","partitionKey":"k"}}]}"#;
        assert_eq!(numbers(click.as_bytes()), Some(vec![7]));
        let change = r#"{"Records":[{"dynamodb":{"NewImage":{"number":{"N":"8"}}}}]}"#;
        assert_eq!(numbers(change.as_bytes()), Some(vec![8]));
        for unreadable in ["", "{}", r#"{"Records":[{}]}"#] {
            assert_eq!(numbers(unreadable.as_bytes()), None, "{unreadable}");
        }
    }
}
