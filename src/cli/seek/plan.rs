//! What a seek would do: each shard from where to where, what that means for its records, and what the service is asked for.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::position::{At, Positions, Shard};
use super::target::{Start, Target};
use crate::cli::service::table;
use crate::config::error::one_line;

/// A seek that can be asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    target: Target,
    /// Those that move.
    shards: Vec<Moved>,
    /// All shards are meant, also those that are not known yet.
    whole: bool,
}

/// A shard, and where it is; `None` where the service has not begun with it. Whether the stream has it, it will find out.
#[derive(Clone, Debug, PartialEq)]
struct Moved {
    id: String,
    from: Option<At>,
    unsettled: u64,
}

impl From<&Shard> for Moved {
    fn from(shard: &Shard) -> Self {
        Self {
            id: shard.id.clone(),
            from: Some(shard.at.clone()),
            unsettled: shard.unsettled,
        }
    }
}

/// Why there is no such seek.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// A sequence number is one of a shard.
    #[error("a sequence number is that of a record of one shard; say which with --shard ID: {0}")]
    WhichShard(String),
    /// DynamoDB Streams have no positions by time.
    #[error(
        "a DynamoDB stream has no positions by time; trim-horizon, latest and sequence numbers are"
    )]
    NoTimes,
    /// Nothing is there yet.
    #[error("the time {0} is yet to come; latest begins now")]
    ToCome(String),
}

/// A message lists so many shards, and a plan shows so many.
const LISTED_MAX: usize = 10;
pub(super) const SHOWN_MAX: usize = 20;

impl Plan {
    /// All of the mapping's shards, or the ones that are named.
    ///
    /// # Errors
    /// See [`Impossible`].
    pub fn of(
        target: &Target,
        named: &[String],
        positions: &Positions,
        now_ms: u64,
    ) -> Result<Self, Impossible> {
        if let Target::Start(start @ Start::Time(ms)) = target {
            if positions.of_a_table() {
                return Err(Impossible::NoTimes);
            }
            if now_ms < *ms {
                let time = start.to_string();
                let time = time.trim_start_matches("AT_TIMESTAMP ").to_owned();
                return Err(Impossible::ToCome(time));
            }
        }
        let all = &positions.shards;
        let mut shards: Vec<Moved> = Vec::new();
        for id in named {
            if shards.iter().all(|shard| shard.id != *id) {
                let known = all.iter().find(|shard| shard.id == *id);
                let begun = Moved {
                    id: id.clone(),
                    from: None,
                    unsettled: 0,
                };
                shards.push(known.map_or(begun, Moved::from));
            }
        }
        let of_a_record = match target {
            Target::Start(_) => false,
            Target::From(_) | Target::After(_) => true,
        };
        let whole = named.is_empty() && !of_a_record;
        match (of_a_record, named, all.as_slice()) {
            (true, [], [only]) => shards.push(only.into()),
            (true, _, _) if shards.len() != 1 => {
                return Err(Impossible::WhichShard(listed(all)));
            }
            (false, [], all) => shards.extend(all.iter().map(Moved::from)),
            (true | false, _, _) => {}
        }
        Ok(Self {
            target: target.clone(),
            shards,
            whole,
        })
    }

    /// What the service is asked for.
    pub fn request(&self) -> Value {
        let place = match &self.target {
            Target::Start(Start::TrimHorizon) => json!({ "StartingPosition": "TRIM_HORIZON" }),
            Target::Start(Start::Latest) => json!({ "StartingPosition": "LATEST" }),
            Target::Start(Start::Time(ms)) => json!({
                "StartingPosition": "AT_TIMESTAMP",
                "StartingPositionTimestamp": *ms as f64 / 1000.0,
            }),
            Target::From(number) => json!({ "SequenceNumber": number }),
            Target::After(number) => json!({ "AfterSequenceNumber": number }),
        };
        if self.whole {
            return place;
        }
        let shards = self.shards.iter().map(|shard| {
            let mut wanted = place.clone();
            wanted["ShardId"] = json!(shard.id);
            wanted
        });
        json!({ "Shards": shards.collect::<Vec<_>>() })
    }

    /// A shard a line, from where to where, the first ones; below it what becomes of records. Ends in a line break.
    pub fn text(&self) -> String {
        let to = self.target.to_string();
        let shown = self.shards.iter().take(SHOWN_MAX);
        let rows = shown.map(|shard| [shard.id.clone(), said(shard.from.as_ref()), to.clone()]);
        let mut text = match self.shards.is_empty() {
            true => format!("no shard is begun yet; all will begin at {to}\n"),
            false => moved(rows),
        };
        let more = self.shards.len().saturating_sub(SHOWN_MAX);
        if more > 0 {
            text.push_str(&format!("and {more} more shards, to {to} as well\n"));
        }
        let owed: u64 = self.shards.iter().map(|shard| shard.unsettled).sum();
        if owed > 0 {
            text.push_str(&format!(
                "failed batches that are owed beyond these positions: {owed}; they are set aside with them\n"
            ));
        }
        text.push_str(self.meaning());
        text.push('\n');
        text
    }

    /// How many shards, in words.
    pub fn count(&self) -> String {
        match (self.whole, self.shards.len()) {
            (true, 0) => "all shards".to_owned(),
            (true, 1) => "the one shard".to_owned(),
            (true, count) => format!("all {count} shards"),
            (false, 1) => format!("shard {}", one_line(&self.shards[0].id)),
            (false, count) => format!("{count} shards"),
        }
    }

    fn meaning(&self) -> &'static str {
        match &self.target {
            Target::Start(Start::TrimHorizon) => {
                "everything that the stream still has is delivered, again where it was delivered before"
            }
            Target::Start(Start::Latest) => {
                "what is in the stream now and was not delivered is passed over"
            }
            Target::Start(Start::Time(_)) => {
                "records of that time and later are delivered, again where they were delivered before; earlier ones are passed over"
            }
            Target::From(number) | Target::After(number) => match self.shards.as_slice() {
                [
                    Moved {
                        from: Some(At::After(settled)),
                        ..
                    },
                ] => match order(number).cmp(&order(settled)) {
                    std::cmp::Ordering::Greater => {
                        "it lies ahead: the records in between that were not delivered are passed over"
                    }
                    std::cmp::Ordering::Less => {
                        "it lies behind: the records in between are delivered again"
                    }
                    std::cmp::Ordering::Equal => "that is the record which was settled last",
                },
                _ => "records before it are passed over",
            },
        }
    }
}

/// A shard a line, the first ones, from where to where an undo has put it; ends in a line break.
pub fn put_back(before: &Positions, after: &Positions) -> String {
    let at = |positions: &Positions, id: &str| {
        let shard = positions.shards.iter().find(|shard| shard.id == id);
        said(shard.map(|shard| &shard.at))
    };
    let gone = before.shards.iter().map(|shard| &shard.id);
    let ids: BTreeSet<&String> = gone
        .chain(after.shards.iter().map(|shard| &shard.id))
        .collect();
    let shown = ids.iter().take(SHOWN_MAX);
    let rows = shown.map(|id| [(*id).clone(), at(before, id), at(after, id)]);
    let mut text = moved(rows);
    let more = ids.len().saturating_sub(SHOWN_MAX);
    if more > 0 {
        text.push_str(&format!("and {more} more shards\n"));
    }
    text
}

fn moved(rows: impl Iterator<Item = [String; 3]>) -> String {
    let headings = ["SHARD", "FROM", "TO"].map(str::to_owned);
    let rows: Vec<Vec<String>> = [headings].into_iter().chain(rows).map(Vec::from).collect();
    table::aligned(&rows)
}

fn said(at: Option<&At>) -> String {
    at.map_or_else(|| "not begun".to_owned(), At::to_string)
}

/// Sequence numbers of a shard by their size.
fn order(number: &str) -> (usize, &str) {
    let digits = number.trim_start_matches('0');
    (digits.len(), digits)
}

fn listed(shards: &[Shard]) -> String {
    let ids = shards.iter().take(LISTED_MAX);
    let ids: Vec<String> = ids.map(|shard| one_line(&shard.id)).collect();
    match shards.len().saturating_sub(LISTED_MAX) {
        0 if ids.is_empty() => "none is begun yet".to_owned(),
        0 => ids.join(", "),
        more => format!("{} and {more} more", ids.join(", ")),
    }
}

#[cfg(test)]
mod tests;
