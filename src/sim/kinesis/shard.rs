//! One shard: its hash keys, its records in order, and how much may be read from it.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{error::Code, error::KinesisError, range::HashKeys, sequence::Sequence};

/// A shard of a stream. Its number tells it from all others of the stream, also from those that are gone.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) number: u64,
    /// The parent, and for a merged shard the adjacent parent. They may be gone.
    pub(super) parents: Vec<u64>,
    pub(super) keys: HashKeys,
    pub(super) opened_ms: u64,
    pub(super) closed_ms: Option<u64>,
    /// By sequence number.
    pub(super) records: VecDeque<Record>,
    pub(super) reads: Reads,
}

/// A record in a shard. It arrived when its sequence number says.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) sequence: Sequence,
    pub(super) partition_key: String,
    pub(super) data: Bytes,
}

/// What one look at a shard finds.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) records: Vec<Record>,
    /// Where to go on.
    pub(super) next: Sequence,
    /// How far behind the tip `next` is; 0 when nothing more is there.
    pub(super) behind_ms: u64,
    /// The shard is closed and has nothing after these records.
    pub(super) ended: bool,
}

/// Records that left a shard before anybody had to read them.
#[derive(Debug)]
pub(super) struct Trimmed {
    pub(super) shard: u64,
    pub(super) count: usize,
    /// The last of them.
    pub(super) through: Sequence,
}

/// The reads of the last second.
#[derive(Debug, Default)]
pub(super) struct Reads {
    recent: VecDeque<(u64, usize)>,
    free_ms: u64,
}

/// How many calls of GetRecords a shard bears in a second.
// API: GetRecords: 5 read transactions per second per shard
pub(super) const READS_PER_SECOND: usize = 5;
/// How many bytes of data a shard gives in a second.
// API: GetRecords: 2 MiB per second per shard
pub(super) const READ_BYTES_PER_SECOND: usize = 2 * 1024 * 1024;

/// The id of the shard of this number.
pub(super) fn shard_id(number: u64) -> String {
    format!("shardId-{number:012}")
}

/// The number in a shard's id.
pub(super) fn shard_number(id: &str) -> Option<u64> {
    let digits = id.strip_prefix("shardId-")?;
    let known = digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_digit());
    known.then(|| digits.parse().ok())?
}

impl Shard {
    pub(super) fn new(number: u64, parents: Vec<u64>, keys: HashKeys, opened_ms: u64) -> Self {
        Self {
            number,
            parents,
            keys,
            opened_ms,
            closed_ms: None,
            records: VecDeque::new(),
            reads: Reads::default(),
        }
    }

    pub(super) fn id(&self) -> String {
        shard_id(self.number)
    }

    pub(super) fn is_open(&self) -> bool {
        self.closed_ms.is_none()
    }

    /// Whether it took records at this time.
    pub(super) fn was_open(&self, at_ms: u64) -> bool {
        self.opened_ms <= at_ms && self.closed_ms.is_none_or(|closed_ms| at_ms < closed_ms)
    }

    /// Before all of its records.
    pub(super) fn starting(&self) -> Sequence {
        Sequence::at(self.opened_ms, self.number)
    }

    /// After all of its records, once it is closed.
    pub(super) fn ending(&self) -> Option<Sequence> {
        self.closed_ms
            .map(|closed_ms| Sequence::until(closed_ms, self.number))
    }

    /// What there is from this place on: at most `count_max` records and about `bytes_max` bytes, but one record at least.
    pub(super) fn page(
        &self,
        from: Sequence,
        count_max: usize,
        bytes_max: usize,
        now_ms: u64,
    ) -> Page {
        let mut bytes = 0;
        let fits = |record: &&Record| {
            let first = bytes == 0;
            bytes += record.size();
            first || bytes <= bytes_max
        };
        let start = self.index(from);
        let records: Vec<Record> = self
            .records
            .range(start..)
            .take(count_max)
            .take_while(fits)
            .cloned()
            .collect();
        let behind = self.records.get(start + records.len());
        // A full page does not look further: the end is then told by the next, empty one.
        let ended = behind.is_none() && records.len() < count_max && !self.is_open();
        Page {
            next: records.last().map_or(from, |last| last.sequence.next()),
            behind_ms: behind.map_or(0, |next| now_ms.saturating_sub(next.sequence.ms).max(1)),
            ended,
            records,
        }
    }

    /// The index of the first record from this place on.
    pub(super) fn index(&self, from: Sequence) -> usize {
        self.records
            .partition_point(|record| record.sequence < from)
    }

    /// Drops the first `count` records.
    pub(super) fn trim(&mut self, count: usize) -> Option<Trimmed> {
        let through = self
            .records
            .drain(..count.min(self.records.len()))
            .last()?
            .sequence;
        Some(Trimmed {
            shard: self.number,
            count,
            through,
        })
    }

    /// The place that a consumer names by a sequence number.
    ///
    /// # Errors
    /// `InvalidArgumentException` for a number that this shard of this stream never gave.
    // API: GetShardIterator, StartingSequenceNumber
    pub(super) fn place(&self, text: &str) -> Result<Sequence, KinesisError> {
        let foreign = || {
            Code::InvalidArgumentException.because(format!(
                "StartingSequenceNumber {text} used in GetShardIterator on shard {} is invalid because it did not come from this stream.",
                self.id()
            ))
        };
        let place: Sequence = text.parse().map_err(|_| foreign())?;
        if place.shard != self.number {
            return Err(Code::InvalidArgumentException.because(format!(
                "Invalid StartingSequenceNumber. It encodes {}, while it was used in a call to a shard with {}",
                shard_id(place.shard),
                self.id()
            )));
        }
        let own = self.starting() <= place && self.ending().is_none_or(|ending| place <= ending);
        if own { Ok(place) } else { Err(foreign()) }
    }
}

impl Record {
    /// What counts against the limits of reads.
    pub(super) fn size(&self) -> usize {
        self.data.len() + self.partition_key.len()
    }
}

impl Reads {
    /// Whether another read is refused now.
    // API: GetRecords, ProvisionedThroughputExceededException
    pub(super) fn exceeded(&mut self, now_ms: u64) -> bool {
        while self
            .recent
            .front()
            .is_some_and(|(at_ms, _)| at_ms + 1000 <= now_ms)
        {
            self.recent.pop_front();
        }
        now_ms < self.free_ms || self.recent.len() >= READS_PER_SECOND
    }

    /// Counts a read of so many bytes.
    // API: GetRecords: after 10 MiB, calls within the next 5 seconds throw
    pub(super) fn spend(&mut self, now_ms: u64, bytes: usize) {
        self.recent.push_back((now_ms, bytes));
        let sum: usize = self.recent.iter().map(|(_, bytes)| bytes).sum();
        let since_ms = self.recent.front().map_or(now_ms, |(at_ms, _)| *at_ms);
        if sum >= READ_BYTES_PER_SECOND {
            self.free_ms = since_ms + transfer_ms(sum);
        }
    }
}

/// How long a shard takes to give so many bytes.
pub(super) fn transfer_ms(bytes: usize) -> u64 {
    (bytes as u64).saturating_mul(1000) / READ_BYTES_PER_SECOND as u64
}

#[cfg(test)]
mod tests {
    use super::{HashKeys, Reads, Record, Sequence, Shard, shard_id, shard_number};
    use bytes::Bytes;

    fn shard(records: u64) -> Shard {
        let mut shard = Shard::new(3, Vec::new(), HashKeys::ALL, 10);
        shard.records = (1..=records)
            .map(|serial| Record {
                sequence: Sequence {
                    ms: 10 + serial,
                    shard: 3,
                    serial,
                },
                partition_key: "k".to_owned(),
                data: Bytes::from_static(b"1234"),
            })
            .collect();
        shard
    }

    #[test]
    fn ids_are_numbers_of_twelve_digits() {
        assert_eq!(shard_id(7), "shardId-000000000007");
        assert_eq!(shard_number("shardId-000000000007"), Some(7));
        for id in [
            "shardId-7",
            "shard-000000000007",
            "shardId-00000000000x",
            "",
        ] {
            assert_eq!(shard_number(id), None, "{id}");
        }
    }

    #[test]
    fn a_page_ends_by_count_or_by_bytes_and_says_how_far_behind_it_is() {
        let shard = shard(4);
        for (count_max, bytes_max, got, behind_ms) in [
            (10, 1000, 4, 0),
            (2, 1000, 2, 100 - 13),
            (10, 11, 2, 100 - 13),
            (10, 0, 1, 100 - 12),
        ] {
            let page = shard.page(shard.starting(), count_max, bytes_max, 100);
            assert_eq!((page.records.len(), page.behind_ms), (got, behind_ms));
        }
    }

    #[test]
    fn the_end_of_a_closed_shard_is_told_once_a_page_is_not_full() {
        let mut shard = shard(4);
        let ended = |shard: &Shard, count_max| shard.page(shard.starting(), count_max, 99, 9).ended;
        assert!(!ended(&shard, 5));
        shard.closed_ms = Some(20);
        assert!(!ended(&shard, 4));
        assert!(ended(&shard, 5));
    }

    #[test]
    fn a_place_is_taken_only_from_the_shard_that_gave_it() {
        let mut shard = shard(1);
        let first = shard.records[0].sequence;
        assert_eq!(shard.place(&first.to_string()), Ok(first));
        shard.closed_ms = Some(20);
        for number in [Sequence::at(12, 4), Sequence::at(9, 3), Sequence::at(21, 3)] {
            assert!(shard.place(&number.to_string()).is_err(), "{number}");
        }
        assert!(shard.place("0").is_err());
    }

    #[test]
    fn a_second_has_five_reads_and_two_mebibytes() {
        const MIB: usize = 1024 * 1024;
        let mut reads = Reads::default();
        for at_ms in [0, 10, 20, 30, 40] {
            assert!(!reads.exceeded(at_ms));
            reads.spend(at_ms, 1);
        }
        assert!(reads.exceeded(999));
        assert!(!reads.exceeded(1000));

        let mut reads = Reads::default();
        reads.spend(0, 10 * MIB);
        assert!(reads.exceeded(4_999));
        assert!(!reads.exceeded(5_000));
        reads.spend(5_000, MIB);
        assert!(!reads.exceeded(5_100));
        reads.spend(5_100, MIB);
        assert!(reads.exceeded(5_999));
        assert!(!reads.exceeded(6_000));
    }
}
