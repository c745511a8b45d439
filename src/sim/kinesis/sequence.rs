//! Sequence numbers: 56 digits that hold the time of arrival, the shard and a count, so that they grow with time.
//!
//! A child shard's number is higher than its parent's, so its first number follows the parent's last even in the same millisecond.

use std::{fmt, str::FromStr};

/// A place in a shard. What is smaller came earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sequence {
    /// Unix milliseconds.
    pub(super) ms: u64,
    /// The shard's number.
    pub(super) shard: u64,
    /// Counts the records of the stream from 1; 0 is before the records of this millisecond.
    pub(super) serial: u64,
}

/// A text that is no sequence number of the embedded Kinesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Foreign;

/// Every sequence number begins so: today's of AWS do.
// API: Kinesis PutRecord, SequenceNumber, and its example: 56 digits, growing over time, to be compared within a shard alone
const PREFIX: &str = "49";

impl Sequence {
    /// Before all that arrives in the shard at `ms` or later.
    pub(super) fn at(ms: u64, shard: u64) -> Self {
        Self {
            ms,
            shard,
            serial: 0,
        }
    }

    /// After all that arrived in the shard until `ms`.
    pub(super) fn until(ms: u64, shard: u64) -> Self {
        let serial = u64::MAX;
        Self { ms, shard, serial }
    }

    /// The place right behind this one.
    pub(super) fn next(self) -> Self {
        let serial = self.serial.saturating_add(1);
        Self { serial, ..self }
    }

    /// The place right before this one; itself where no record can be before it in its millisecond.
    pub(super) fn previous(self) -> Self {
        let serial = self.serial.saturating_sub(1);
        Self { serial, ..self }
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ms, shard, serial } = self;
        write!(out, "{PREFIX}{ms:014}{:08}{shard:012}{serial:020}", 0)
    }
}

impl FromStr for Sequence {
    type Err = Foreign;

    fn from_str(text: &str) -> Result<Self, Foreign> {
        let part = |digits: &str| digits.parse().map_err(|_| Foreign);
        if text.len() != 56
            || !text.starts_with(PREFIX)
            || !text.bytes().all(|b| b.is_ascii_digit())
        {
            return Err(Foreign);
        }
        Ok(Self {
            ms: part(&text[2..16])?,
            shard: part(&text[24..36])?,
            serial: part(&text[36..])?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Foreign, Sequence};

    fn text(ms: u64, shard: u64, serial: u64) -> String {
        Sequence { ms, shard, serial }.to_string()
    }

    #[test]
    fn numbers_have_56_digits_and_their_texts_are_ordered_as_they_are() {
        let ascending = [
            text(1_767_225_600_000, 0, 1),
            text(1_767_225_600_000, 0, u64::MAX),
            text(1_767_225_600_000, 1, 0),
            text(1_767_225_600_001, 0, 2),
            text(99_767_225_600_001, 999_999_999_999, 1),
        ];
        for pair in ascending.windows(2) {
            assert_eq!(pair[0].len(), 56);
            assert!(pair[0] < pair[1], "{pair:?}");
            assert!(pair[0].parse::<Sequence>().unwrap() < pair[1].parse().unwrap());
        }
        assert_eq!(
            ascending[0],
            "49017672256000000000000000000000000000000000000000000001"
        );
    }

    #[test]
    fn a_number_is_read_as_it_was_written_and_nothing_else_is() {
        let number = Sequence::until(1_767_225_600_000, 7);
        assert_eq!(number.to_string().parse(), Ok(number));
        for foreign in ["", "0", "LATEST", &"4".repeat(56), &"9".repeat(55)] {
            assert_eq!(foreign.parse::<Sequence>(), Err(Foreign), "{foreign}");
        }
    }
}
