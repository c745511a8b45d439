//! Positions of a stream's mapping, beyond AWS: how they are shown, and what a request to set them means for each shard.
//!
//! A position is a durable thing: `LATEST` is the moment at which it was asked for, whenever the mapping runs, and reads as
//! such. So it may repeat what came in the half minute before, by which clocks may differ, and misses nothing.

mod asked;
mod shown;

use std::collections::{BTreeMap, BTreeSet};

use super::refusal::Refusal;
use crate::config::mapping::Mapping;
use crate::config::mapping::stream::{Kind, Stream};
use crate::model::progress::{Position, ShardProgress};
use crate::model::record::SequenceNumber;
use crate::model::shards::Listed;

pub use shown::{Page, page};

/// Our clock and the source's differ by no more than this.
const CLOCKS_DIFFER_MAX_MS: u64 = 30_000;

/// Where a shard, or all of them, is to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// `TRIM_HORIZON`: at the oldest record that is left.
    Horizon,
    /// `LATEST`: at what arrives from now on.
    Latest,
    /// `AT_TIMESTAMP`, Kinesis only: at the first record that arrived then or later, in milliseconds since 1970.
    Moment {
        /// Milliseconds since 1970.
        ms: u64,
    },
    /// `SequenceNumber`: at this record.
    From(SequenceNumber),
    /// `AfterSequenceNumber`: behind this record.
    After(SequenceNumber),
}

/// What a request to set positions asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seek {
    /// Every shard, those that are not known yet included: a number is of one shard, and none of these.
    All(To),
    /// These shards; the others keep theirs.
    Shards(BTreeMap<String, To>),
    /// What was set last is taken back.
    Undo,
}

/// How far a mapping is, as the store has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// By the shard's id; none before the mapping was started.
    pub shards: BTreeMap<String, ShardProgress>,
    /// Others were replaced then, in milliseconds since 1970, and can be put back.
    pub replaced_ms: Option<u64>,
}

/// What a request to set positions comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Move {
    /// These shards go on here instead. What of the others is known stays.
    Set(BTreeMap<String, ShardProgress>),
    /// What was set aside is put back.
    Back,
}

/// The stream of a mapping.
///
/// # Errors
/// It is one of a queue.
pub fn stream(mapping: &Mapping) -> Result<&Stream, Refusal> {
    mapping.stream.as_ref().ok_or_else(|| {
        Refusal::invalid(format!(
            "The event source mapping with UUID {} is of a queue ({}), which has no positions: the queue knows what was not handled yet.",
            mapping.uuid, mapping.source
        ))
    })
}

impl Seek {
    /// Whether the source is asked for its shards.
    pub fn needs_listing(&self) -> bool {
        match self {
            Self::All(_) | Self::Shards(_) => true,
            Self::Undo => false,
        }
    }

    /// Every shard, and so also those that come while the mapping does not run.
    pub fn concerns_all(&self) -> bool {
        match self {
            Self::All(_) => true,
            Self::Shards(_) | Self::Undo => false,
        }
    }

    /// The numbers that the source is to know, with their shards.
    pub fn numbers(&self) -> Vec<(&str, &To)> {
        let Self::Shards(shards) = self else {
            return Vec::new();
        };
        let of_number = |to: &To| match to {
            To::From(_) | To::After(_) => true,
            To::Horizon | To::Latest | To::Moment { .. } => false,
        };
        let shards = shards.iter().filter(|(_, to)| of_number(to));
        shards.map(|(shard, to)| (shard.as_str(), to)).collect()
    }

    /// What it comes to. `listed` is what the source has: a shard that it has no more can not be read again, and one that is
    /// known and not settled is read if it is there, whether or not a listing that lags behind says so.
    ///
    /// # Errors
    /// A shard that is not there, a moment that this stream can not be read from, or nothing to put back.
    pub fn decide(
        &self,
        mapping: &Mapping,
        standing: &Standing,
        listed: &[Listed],
        now_ms: u64,
    ) -> Result<Move, Refusal> {
        let stream = stream(mapping)?;
        let progress = |position| {
            // What was in retry, taken apart, or the state of a window goes with the position it belongs to.
            ShardProgress::beginning(position, stream.parallelization_factor)
        };
        let targets = match self {
            Self::All(to) => vec![to],
            Self::Shards(shards) => shards.values().collect(),
            Self::Undo => Vec::new(),
        };
        for to in targets {
            to.fits(mapping, &stream.kind, now_ms)?;
        }
        let closed = |id: &str| listed.iter().any(|shard| shard.id == id && shard.closed);
        match self {
            Self::All(to) => {
                let open = standing.shards.iter();
                let open = open.filter(|(_, progress)| !progress.ended());
                let known = open.map(|(id, _)| id.as_str());
                let listed_ids = listed.iter().map(|shard| shard.id.as_str());
                let ids: BTreeSet<&str> = known.chain(listed_ids).collect();
                let set = ids.into_iter().map(|id| {
                    let position = to.position(closed(id), now_ms);
                    (id.to_owned(), progress(position))
                });
                Ok(Move::Set(set.collect()))
            }
            Self::Shards(shards) => {
                let there: BTreeSet<&str> = listed.iter().map(|shard| shard.id.as_str()).collect();
                if let Some(id) = shards.keys().find(|id| !there.contains(id.as_str())) {
                    let why = match standing.shards.contains_key(id) {
                        true => "the stream has no such shard any more",
                        false => "the stream has no such shard",
                    };
                    return Err(Refusal::invalid(format!("ShardId: {id}: {why}")));
                }
                let set = shards.iter().map(|(id, to)| {
                    let position = to.position(closed(id), now_ms);
                    (id.clone(), progress(position))
                });
                Ok(Move::Set(set.collect()))
            }
            Self::Undo => match standing.replaced_ms {
                Some(_) => Ok(Move::Back),
                None => Err(Refusal::invalid(
                    "Undo: true: there is nothing to undo; what was undone, and what was set before what was set last, is not kept",
                )),
            },
        }
    }

    /// In words, for a log.
    pub fn told(&self) -> String {
        match self {
            Self::All(to) => to.told(),
            Self::Shards(shards) => match shards.first_key_value() {
                Some((shard, to)) if shards.len() == 1 => format!("{shard}: {}", to.told()),
                Some((shard, to)) => format!("{shard}: {}, and others", to.told()),
                None => "nothing".to_owned(),
            },
            Self::Undo => "as before what was set last".to_owned(),
        }
    }
}

impl To {
    /// Whether this stream can be read from there. // spec: 1.2, 1.6
    fn fits(&self, mapping: &Mapping, kind: &Kind, now_ms: u64) -> Result<(), Refusal> {
        match (self, kind) {
            (Self::Moment { .. }, Kind::DynamoDb) => Err(Refusal::invalid(format!(
                "Unsupported starting position for arn type: {} (StartingPosition: AT_TIMESTAMP; TRIM_HORIZON, LATEST and sequence numbers are supported)",
                mapping.source
            ))),
            (Self::Moment { ms }, Kind::Kinesis { .. }) if *ms > now_ms => {
                Err(Refusal::invalid(format!(
                    "StartingPositionTimestamp: {}: it is in the future",
                    *ms as f64 / 1000.0
                )))
            }
            (
                Self::Horizon | Self::Latest | Self::Moment { .. } | Self::From(_) | Self::After(_),
                _,
            ) => Ok(()),
        }
    }

    fn position(&self, closed: bool, now_ms: u64) -> Position {
        match self {
            Self::Horizon => Position::Horizon,
            // What a closed shard holds was there before.
            Self::Latest if closed => Position::End,
            Self::Latest => Position::At {
                ms: now_ms.saturating_sub(CLOCKS_DIFFER_MAX_MS),
            },
            Self::Moment { ms } => Position::At { ms: *ms },
            Self::From(number) => Position::From {
                sequence_number: number.clone(),
            },
            Self::After(number) => Position::After {
                sequence_number: number.clone(),
            },
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Latest => "what arrives from now on".to_owned(),
            Self::Horizon | Self::Moment { .. } | Self::From(_) | Self::After(_) => {
                self.position(false, 0).to_string()
            }
        }
    }
}
