//! The positions of a stream's mapping as a service shows them.

use std::fmt;

use serde_json::Value;

use super::target::Start;
use crate::cli::service::table;
use crate::config::error::one_line;

/// Where a mapping is in its stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Positions {
    /// The ARN of the stream.
    pub source: String,
    /// Those that the service knows, in its order.
    pub shards: Vec<Shard>,
    /// When the positions were replaced that an undo would put back, in epoch seconds.
    pub undo: Option<f64>,
}

/// Where a mapping is in a shard.
#[derive(Clone, Debug, PartialEq)]
pub struct Shard {
    /// `shardId-000000000000`.
    pub id: String,
    /// Where.
    pub at: At,
    /// Batches that failed and are owed beyond it, in retry or bisection.
    pub unsettled: u64,
}

/// A position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// Everything up to this record is settled.
    After(String),
    /// It was set to this record, and nothing is settled since.
    From(String),
    /// Nothing is settled yet.
    Start(Start),
    /// Everything is.
    End,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(number) => write!(f, "after {}", one_line(number)),
            Self::From(number) => write!(f, "from {} on", one_line(number)),
            Self::Start(start) => start.fmt(f),
            Self::End => f.write_str("read to its end"),
        }
    }
}

impl Positions {
    /// `None`, where it is nothing that a service shows.
    pub fn read(shown: &Value) -> Option<Self> {
        let shards = shown["Shards"].as_array()?.iter().map(shard);
        Some(Self {
            source: shown["EventSourceArn"].as_str()?.to_owned(),
            shards: shards.collect::<Option<Vec<_>>>()?,
            undo: shown["Undo"]["Replaced"].as_f64(),
        })
    }

    /// Whether the stream is that of a table, which has no positions by time.
    pub fn of_a_table(&self) -> bool {
        self.source.split(':').nth(2) == Some("dynamodb")
    }

    /// A shard a line, and what an undo would do; ends in a line break.
    pub fn text(&self) -> String {
        let mut text = self.rows(usize::MAX);
        if let Some(replaced) = self.undo {
            let when = table::moment(replaced);
            text.push_str(&format!(
                "--undo puts back the positions that were replaced at {when}\n"
            ));
        }
        text
    }

    /// A shard a line, the first ones; ends in a line break.
    pub fn rows(&self, most: usize) -> String {
        if self.shards.is_empty() {
            return "no shard is begun yet\n".to_owned();
        }
        let owed = self.shards.iter().any(|shard| shard.unsettled > 0);
        let mut rows = vec![vec!["SHARD".to_owned(), "POSITION".to_owned()]];
        if owed {
            rows[0].push("UNSETTLED".to_owned());
        }
        for shard in self.shards.iter().take(most) {
            let mut row = vec![shard.id.clone(), shard.at.to_string()];
            if owed {
                row.push(shard.unsettled.to_string());
            }
            rows.push(row);
        }
        let mut text = table::aligned(&rows);
        let more = self.shards.len().saturating_sub(most);
        if more > 0 {
            text.push_str(&format!("and {more} more shards\n"));
        }
        text
    }
}

fn shard(shown: &Value) -> Option<Shard> {
    let text = |key: &str| shown[key].as_str();
    let numbers = (text("AfterSequenceNumber"), text("SequenceNumber"));
    let at = match (numbers, text("StartingPosition")) {
        ((Some(number), _), _) => At::After(number.to_owned()),
        ((None, Some(number)), _) => At::From(number.to_owned()),
        (_, Some(word)) => At::Start(match word {
            "TRIM_HORIZON" => Start::TrimHorizon,
            "LATEST" => Start::Latest,
            "AT_TIMESTAMP" => {
                let seconds = shown["StartingPositionTimestamp"].as_f64()?;
                Start::Time((seconds * 1000.0).round() as u64)
            }
            _ => return None,
        }),
        _ if shown["Completed"] == true => At::End,
        _ => return None,
    };
    Some(Shard {
        id: shown["ShardId"].as_str()?.to_owned(),
        at,
        unsettled: shown["Unsettled"].as_u64().unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_position_is_a_line() {
        let mut shown = json!({
            "UUID": "u", "EventSourceArn": "arn:aws:kinesis:us-east-1:1:stream/clicks",
            "Shards": [
                { "ShardId": "a", "AfterSequenceNumber": "4956" },
                { "ShardId": "b", "StartingPosition": "TRIM_HORIZON" },
                { "ShardId": "c", "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1700000000.5 },
                { "ShardId": "d", "Completed": true },
                { "ShardId": "e", "SequenceNumber": "4957" },
            ],
            "Undo": null,
        });
        let positions = Positions::read(&shown).unwrap();
        assert!(!positions.of_a_table());
        let expected = "SHARD  POSITION\na      after 4956\nb      TRIM_HORIZON\nc      AT_TIMESTAMP 2023-11-14T22:13:20.500Z\nd      read to its end\ne      from 4957 on\n";
        assert_eq!(positions.text(), expected);
        shown["Shards"] = json!([
            { "ShardId": "a", "AfterSequenceNumber": "4956", "Unsettled": 7 },
            { "ShardId": "b", "StartingPosition": "LATEST" },
        ]);
        shown["Undo"] = json!({ "Replaced": 1_700_000_000 });
        shown["EventSourceArn"] = json!("arn:aws:dynamodb:us-east-1:1:table/t/stream/s");
        let positions = Positions::read(&shown).unwrap();
        assert!(positions.of_a_table());
        let expected = "SHARD  POSITION    UNSETTLED\na      after 4956  7\nb      LATEST      0\n\
                        --undo puts back the positions that were replaced at 2023-11-14T22:13:20Z\n";
        assert_eq!(positions.text(), expected);
        shown["Shards"] = json!([]);
        shown["Undo"] = json!(null);
        let positions = Positions::read(&shown).unwrap();
        assert_eq!(positions.text(), "no shard is begun yet\n");
    }

    #[test]
    fn what_is_no_position_is_not_guessed() {
        for shard in [
            json!({}),
            json!({ "ShardId": "a" }),
            json!({ "ShardId": "a", "Completed": false }),
            json!({ "ShardId": "a", "StartingPosition": "NOW" }),
            json!({ "ShardId": "a", "StartingPosition": "AT_TIMESTAMP" }),
            json!({ "AfterSequenceNumber": "1" }),
            json!({ "ShardId": "a", "AfterSequenceNumber": 1 }),
        ] {
            let shown = json!({ "EventSourceArn": "arn", "Shards": [shard] });
            assert_eq!(Positions::read(&shown), None, "{shown}");
        }
        assert_eq!(Positions::read(&json!({ "Shards": [] })), None);
        assert_eq!(Positions::read(&json!({ "EventSourceArn": "arn" })), None);
    }
}
