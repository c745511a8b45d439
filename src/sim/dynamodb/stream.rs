//! A stream: shards that roll over by time and split with their table's partitions, and the records in them until they are trimmed.

use std::collections::{BTreeMap, VecDeque};

use fastrand::Rng;
use serde_json::value::RawValue;

use super::{
    error::{Code, DynamoError},
    record::ViewType,
    table::Schema,
};

/// Shards are closed at this age, traffic or not.
// spec: 5.6
const ROLLOVER_MS: u64 = 4 * 60 * 60 * 1000;
/// Records are trimmed at this age, and a shard with the last that it could hold.
// API: DynamoDB Streams, Data retention limit; spec: 5.1
pub(super) const RETENTION_MS: u64 = 24 * 60 * 60 * 1000;

/// A stream of a table, also one that was disabled and can still be read.
#[derive(Debug)]
pub(in crate::sim) struct Stream {
    pub(super) table: String,
    pub(super) label: String,
    pub(super) view: ViewType,
    pub(super) schema: Schema,
    pub(super) created_ms: u64,
    pub(super) disabled_ms: Option<u64>,
    /// All that are not trimmed, by id; a parent comes before its children.
    pub(super) shards: BTreeMap<String, Shard>,
    /// The open shard of each partition, by the first key hash of the partition.
    open: BTreeMap<u64, String>,
}

/// A shard.
#[derive(Debug)]
pub(super) struct Shard {
    /// Also when the parent is trimmed.
    pub(super) parent: Option<String>,
    created_ms: u64,
    /// The time in its id: a parent's is lower than its children's.
    stamp_ms: u64,
    /// Where it starts.
    pub(super) first: u128,
    /// Where it ends, and since when: none while it is open.
    pub(super) closed: Option<Closed>,
    pub(super) records: VecDeque<Record>,
    /// The last record that was trimmed.
    pub(super) trimmed: Option<u128>,
    /// The reads of the last second: when, and by which reader.
    pub(super) reads: VecDeque<(u64, u64)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Closed {
    pub(super) last: u128,
    at_ms: u64,
}

/// Records that were trimmed from a shard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trimmed {
    pub(super) count: usize,
    /// The last of them.
    pub(super) through: u128,
}

/// A record, ready to be read.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) number: u128,
    pub(super) at_ms: u64,
    pub(super) bytes: usize,
    pub(super) json: Box<RawValue>,
}

/// Where identifiers come from.
pub(super) struct Mint<'a> {
    pub(super) rng: &'a mut Rng,
    /// The last sequence number given.
    pub(super) number: &'a mut u128,
}

/// Sequence numbers begin shortly before they need a digit more, so that whoever compares them as texts is found out.
// API: DynamoDB Streams, StreamRecord SequenceNumber: 21 to 40 digits
pub(super) const FIRST_NUMBER: u128 = 999_999_999_999_999_990_000;

impl Mint<'_> {
    /// A sequence number that is higher than all before, by how much nobody knows.
    pub(super) fn number(&mut self) -> u128 {
        *self.number += u128::from(self.rng.u16(1..1000));
        *self.number
    }
}

impl Stream {
    /// A new stream with an open shard for each partition.
    pub(super) fn new(
        table: &str,
        label: String,
        view: ViewType,
        schema: Schema,
        partitions: impl Iterator<Item = u64>,
        now_ms: u64,
        mint: &mut Mint<'_>,
    ) -> Self {
        let mut stream = Self {
            table: table.to_owned(),
            label,
            view,
            schema,
            created_ms: now_ms,
            disabled_ms: None,
            shards: BTreeMap::new(),
            open: BTreeMap::new(),
        };
        for partition in partitions {
            stream.begin(partition, None, now_ms, mint);
        }
        stream
    }

    /// Brings the stream up to date: shards roll over, what is too old is trimmed, and told by its shard.
    pub(super) fn settle(&mut self, now_ms: u64, mint: &mut Mint<'_>) -> Vec<(String, Trimmed)> {
        while let Some((partition, at_ms)) = self.due(now_ms) {
            self.roll(partition, at_ms, mint);
        }
        let old = |at_ms: u64| at_ms + RETENTION_MS <= now_ms;
        let mut told = Vec::new();
        for (id, shard) in &mut self.shards {
            let count = shard.records.partition_point(|record| old(record.at_ms));
            told.extend(shard.trim(count).map(|trimmed| (id.clone(), trimmed)));
        }
        self.shards
            .retain(|_, shard| shard.closed.is_none_or(|closed| !old(closed.at_ms)));
        told
    }

    /// The open shard that is to roll over first, if its time has come.
    fn due(&self, now_ms: u64) -> Option<(u64, u64)> {
        let open = self
            .open
            .iter()
            .filter_map(|(partition, id)| Some((*partition, self.shards.get(id)?)));
        let (partition, shard) = open.min_by_key(|(_, shard)| shard.created_ms)?;
        let at_ms = shard.created_ms + ROLLOVER_MS;
        (at_ms <= now_ms).then_some((partition, at_ms))
    }

    /// Whether nothing of it can be read any more.
    pub(super) fn is_gone(&self, now_ms: u64) -> bool {
        self.disabled_ms
            .is_some_and(|at_ms| at_ms + RETENTION_MS <= now_ms)
    }

    /// Disables the stream: its shards are closed and stay readable.
    // API: DynamoDB Streams, Disabling a stream
    pub(super) fn disable(&mut self, now_ms: u64, mint: &mut Mint<'_>) {
        self.disabled_ms = Some(now_ms);
        for id in std::mem::take(&mut self.open).into_values() {
            self.end(&id, now_ms, mint);
        }
    }

    /// Closes every open shard in favour of one child each, and returns the children.
    pub(super) fn roll_all(&mut self, now_ms: u64, mint: &mut Mint<'_>) -> Vec<String> {
        let partitions: Vec<u64> = self.open.keys().copied().collect();
        let roll = |partition| self.roll(partition, now_ms, mint);
        partitions.into_iter().map(roll).collect()
    }

    fn roll(&mut self, partition: u64, at_ms: u64, mint: &mut Mint<'_>) -> String {
        let parent = self.open.remove(&partition);
        if let Some(id) = &parent {
            self.end(id, at_ms, mint);
        }
        self.begin(partition, parent, at_ms, mint)
    }

    /// Which partition an open shard belongs to.
    pub(super) fn partition(&self, shard: &str) -> Option<u64> {
        let open = self.open.iter().find(|(_, id)| *id == shard);
        open.map(|(partition, _)| *partition)
    }

    /// Follows the split of a partition: its shard is closed in favour of two children.
    pub(super) fn split(
        &mut self,
        partition: u64,
        middle: u64,
        now_ms: u64,
        mint: &mut Mint<'_>,
    ) -> [String; 2] {
        let parent = self.open.remove(&partition);
        if let Some(id) = &parent {
            self.end(id, now_ms, mint);
        }
        [
            self.begin(partition, parent.clone(), now_ms, mint),
            self.begin(middle, parent, now_ms, mint),
        ]
    }

    /// The oldest shard, if it is closed, goes with all that it holds: its id, and what that was.
    pub(super) fn trim_oldest(&mut self) -> Option<(String, Option<Trimmed>)> {
        let (id, shard) = self.shards.iter_mut().next()?;
        shard.closed?;
        let (id, count) = (id.clone(), shard.records.len());
        let trimmed = shard.trim(count);
        self.shards.remove(&id);
        Some((id, trimmed))
    }

    fn end(&mut self, id: &str, at_ms: u64, mint: &mut Mint<'_>) {
        let last = mint.number();
        if let Some(shard) = self.shards.get_mut(id) {
            shard.closed = Some(Closed { last, at_ms });
        }
    }

    fn begin(
        &mut self,
        partition: u64,
        parent: Option<String>,
        at_ms: u64,
        mint: &mut Mint<'_>,
    ) -> String {
        let older = parent.as_ref().and_then(|parent| self.shards.get(parent));
        let stamp_ms = older.map_or(at_ms, |parent| at_ms.max(parent.stamp_ms + 1));
        // spec: 2.4, the form of the id
        let id = format!("shardId-{stamp_ms:020}-{:08x}", mint.rng.u32(..));
        self.open.insert(partition, id.clone());
        let shard = Shard {
            parent,
            created_ms: at_ms,
            stamp_ms,
            first: mint.number(),
            closed: None,
            records: VecDeque::new(),
            trimmed: None,
            reads: VecDeque::new(),
        };
        self.shards.insert(id.clone(), shard);
        id
    }

    /// Appends to the shard of a key, and returns its id.
    pub(super) fn append(&mut self, hash: u64, record: Record) -> Option<String> {
        let (_, id) = self.open.range(..=hash).next_back()?;
        self.shards.get_mut(id)?.records.push_back(record);
        Some(id.clone())
    }

    /// The shard of this id.
    pub(super) fn shard(&mut self, id: &str) -> Result<&mut Shard, DynamoError> {
        self.shards.get_mut(id).ok_or_else(|| {
            Code::ResourceNotFound.because(format!(
                "Requested resource not found: Shard: {id} not found"
            ))
        })
    }
}

impl Shard {
    /// Trims the oldest records.
    fn trim(&mut self, count: usize) -> Option<Trimmed> {
        let through = self.records.drain(..count).next_back()?.number;
        self.trimmed = Some(through);
        Some(Trimmed { count, through })
    }

    /// Trims what a reader who stands at `from` has seen, and of what it has not seen from one record to all, by `chance`.
    pub(super) fn trim_unseen(&mut self, from: u128, chance: usize) -> Option<Trimmed> {
        let seen = self.records.partition_point(|record| record.number < from);
        let unseen = self.records.len() - seen;
        let lost = chance.checked_rem(unseen).map_or(0, |n| n + 1);
        self.trim(seen + lost)
    }
}
