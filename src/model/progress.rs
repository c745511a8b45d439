//! How far a shard is settled: what a checkpoint holds, and no more than that.
//!
//! A reader that begins at `position` and leaves out what `lanes` says is settled meets exactly the records that are
//! still owed, in their order; `owed` gives those of them that were tried already their counts back.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::on_failure::Response;
use super::record::SequenceNumber;
use super::utc::Utc;

/// Where reading goes on. Ordered: a shard's position never moves back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Position {
    /// At the oldest record that the shard still has.
    Horizon,
    /// At the first record that arrived then or later, in milliseconds since 1970.
    At {
        /// Milliseconds since 1970.
        ms: u64,
    },
    /// At this record: where someone has set the shard by hand.
    From {
        /// The first record that is not settled.
        sequence_number: SequenceNumber,
    },
    /// Behind this record.
    After {
        /// The last record that is settled, as are all before it.
        sequence_number: SequenceNumber,
    },
    /// The shard is closed, and everything in it is settled.
    End,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Horizon => f.write_str("the oldest record that is left"),
            Self::At { ms } => write!(
                f,
                "the first record from {} on",
                Utc::at(*ms).milliseconds()
            ),
            Self::From { sequence_number } => write!(f, "record {sequence_number}"),
            Self::After { sequence_number } => write!(f, "behind record {sequence_number}"),
            Self::End => f.write_str("the end of the shard"),
        }
    }
}

/// The checkpoint of one shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardProgress {
    /// Everything before it is settled, in every lane.
    pub position: Position,
    /// `ParallelizationFactor` when this was written, 1 to 10: a key's lane depends on it.
    pub factor: u32,
    /// The lanes that are ahead of the position, or that owe something that was tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<LaneProgress>,
    /// The tumbling window that is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowProgress>,
    /// All tumbling windows that begin before it are closed, in milliseconds since 1970. // spec: 5.8
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows_from_ms: Option<u64>,
}

/// How far a lane is, and what it owes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneProgress {
    /// Its number, from 0.
    pub lane: u32,
    /// Every record of the lane up to this one is settled; none where the position says it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<SequenceNumber>,
    /// The aggregate behind it of which some user records are settled, and others are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Begun>,
    /// The batch in hand, where it was tried and failed: its slices in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owed: Vec<Owed>,
    /// The last invocation with the first of them, where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastInvocation>,
}

/// An aggregate of the Kinesis Producer Library that is settled in part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The record that holds it.
    pub sequence_number: SequenceNumber,
    /// How many of its user records are settled, those that a filter drops included: from 1.
    pub records: u32,
}

/// Records that are delivered together: from the end of the slice before to `through`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// The slice's last record.
    pub through: SequenceNumber,
    /// Which user record of that one, from 0, where it is an aggregate that the slice may not hold to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner: Option<u32>,
    /// How often the function failed on exactly this slice.
    pub failures: u32,
    /// Retries are used up, and the slice is being taken apart to find the record that fails.
    #[serde(default)]
    pub isolating: bool,
    /// When it failed first, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failed_ms: Option<u64>,
}

/// A tumbling window that is open. // spec: 5.8
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowProgress {
    /// Its beginning in milliseconds since 1970, a multiple of its length.
    pub start_ms: u64,
    /// Its length in milliseconds.
    pub length_ms: u64,
    /// What the function returned last, a JSON text; `{}` at the beginning.
    pub state: String,
    /// The state grew past its limit: the window ends early. // spec: 5.8
    #[serde(default)]
    pub terminated_early: bool,
    /// How often the final invocation failed.
    #[serde(default)]
    pub final_failures: u32,
    /// When it failed first, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_first_failed_ms: Option<u64>,
    /// The last of these, where one failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_last: Option<LastInvocation>,
}

/// What is known of an invocation that failed: should its records be discarded, their on-failure record tells of it,
/// whichever process writes that. // spec: 6.1
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastInvocation {
    /// Its id, where the answer had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What it answered; `None` where it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
}

impl Owed {
    /// A record lies behind the slice's last: `inner` is its place in an aggregate.
    pub fn is_before(&self, number: &SequenceNumber, inner: Option<u32>) -> bool {
        let last = (&self.through, self.inner.unwrap_or(u32::MAX));
        last < (number, inner.unwrap_or(0))
    }
}

impl ShardProgress {
    /// Nothing is settled from this position on.
    pub fn beginning(position: Position, factor: u32) -> Self {
        Self {
            position,
            factor,
            lanes: Vec::new(),
            window: None,
            windows_from_ms: None,
        }
    }

    /// The shard is closed and settled.
    pub fn ended(&self) -> bool {
        self.position == Position::End
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_said_in_words() {
        let sequence_number = SequenceNumber::try_from("495".to_owned()).unwrap();
        for (position, words) in [
            (Position::Horizon, "the oldest record that is left"),
            (
                Position::At { ms: 1_500 },
                "the first record from 1970-01-01T00:00:01.500Z on",
            ),
            (
                Position::From {
                    sequence_number: sequence_number.clone(),
                },
                "record 495",
            ),
            (Position::After { sequence_number }, "behind record 495"),
            (Position::End, "the end of the shard"),
        ] {
            assert_eq!(position.to_string(), words);
        }
    }

    #[test]
    fn a_slice_ends_with_its_last_record_or_within_an_aggregate() {
        let number = |text: &str| SequenceNumber::try_from(text.to_owned()).unwrap();
        for (inner, record, before) in [
            (None, ("9", None), false),
            (None, ("10", None), false),
            // All of the aggregate is the slice's.
            (None, ("10", Some(7)), false),
            (None, ("11", None), true),
            (None, ("11", Some(0)), true),
            (Some(2), ("10", Some(2)), false),
            (Some(2), ("10", Some(3)), true),
            (Some(2), ("9", Some(3)), false),
        ] {
            let owed = Owed {
                through: number("10"),
                inner,
                failures: 1,
                isolating: false,
                first_failed_ms: None,
            };
            assert_eq!(
                owed.is_before(&number(record.0), record.1),
                before,
                "{inner:?}, {record:?}"
            );
        }
    }

    #[test]
    fn only_a_shard_at_its_end_has_ended() {
        assert!(ShardProgress::beginning(Position::End, 1).ended());
        assert!(!ShardProgress::beginning(Position::Horizon, 1).ended());
    }
}
