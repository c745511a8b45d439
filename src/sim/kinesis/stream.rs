//! One stream: its shards past and present, how they come from each other, and what its retention leaves.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{
    consumers::Consumer,
    error::{Code, KinesisError},
    range::{HashKeys, uniform},
    sequence::Sequence,
    shard::{Record, Shard, Trimmed, shard_number},
};

/// A stream.
#[derive(Debug)]
pub(in crate::sim) struct Stream {
    pub(super) created_ms: u64,
    pub(super) retention_hours: u32,
    /// The most that a record's data and partition key may have.
    pub(super) record_bytes_max: usize,
    /// `PROVISIONED` or `ON_DEMAND`; nothing else depends on it here.
    pub(super) mode: String,
    pub(super) shards: BTreeMap<u64, Shard>,
    pub(super) consumers: BTreeMap<String, Consumer>,
    /// Told whenever subscribers may find something new.
    pub(super) wake: Arc<Notify>,
    shards_ever: u64,
    records_ever: u64,
}

/// A shard of this stream that is gone or never was.
fn no_shard(id: &str) -> KinesisError {
    Code::ResourceNotFoundException.because(format!("Shard {id} in stream does not exist"))
}

impl Stream {
    pub(super) fn new(shard_count: u64, now_ms: u64) -> Self {
        let mut stream = Self {
            created_ms: now_ms,
            // API: CreateStream: 24 hours
            retention_hours: 24,
            // API: CreateStream, MaxRecordSizeInKiB: 1 MiB
            record_bytes_max: 1024 * 1024,
            mode: "PROVISIONED".to_owned(),
            shards: BTreeMap::new(),
            consumers: BTreeMap::new(),
            wake: Arc::new(Notify::new()),
            shards_ever: 0,
            records_ever: 0,
        };
        for keys in uniform(shard_count) {
            stream.open(Vec::new(), keys, now_ms);
        }
        stream
    }

    /// The oldest time of which records are kept.
    pub(super) fn horizon_ms(&self, now_ms: u64) -> u64 {
        let kept_ms = u64::from(self.retention_hours) * 3_600_000;
        now_ms.saturating_sub(kept_ms).max(self.created_ms)
    }

    /// Drops what the retention period leaves behind: records, and closed shards with all of theirs.
    // API: DecreaseStreamRetentionPeriod; ListShards: a shard is listed until its records have expired
    pub(super) fn settle(&mut self, now_ms: u64) -> Vec<Trimmed> {
        let kept_ms = u64::from(self.retention_hours) * 3_600_000;
        let Some(horizon_ms) = now_ms.checked_sub(kept_ms) else {
            return Vec::new();
        };
        let trim = |shard: &mut Shard| {
            let expired = shard
                .records
                .partition_point(|record| record.sequence.ms <= horizon_ms);
            shard.trim(expired)
        };
        let trimmed = self.shards.values_mut().filter_map(trim).collect();
        self.shards.retain(|_, shard| {
            shard
                .closed_ms
                .is_none_or(|closed_ms| horizon_ms < closed_ms)
        });
        trimmed
    }

    /// The shard of this id.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub(super) fn shard(&self, id: &str) -> Result<&Shard, KinesisError> {
        shard_number(id)
            .and_then(|number| self.shards.get(&number))
            .ok_or_else(|| no_shard(id))
    }

    /// The same, to change it.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub(super) fn shard_mut(&mut self, id: &str) -> Result<&mut Shard, KinesisError> {
        shard_number(id)
            .and_then(|number| self.shards.get_mut(&number))
            .ok_or_else(|| no_shard(id))
    }

    /// The shards that take records, by hash key.
    pub(super) fn open_shards(&self) -> Vec<&Shard> {
        let mut open: Vec<&Shard> = self
            .shards
            .values()
            .filter(|shard| shard.is_open())
            .collect();
        open.sort_by_key(|shard| shard.keys);
        open
    }

    /// The shards that came from this one.
    pub(super) fn children(&self, number: u64) -> impl Iterator<Item = &Shard> {
        self.shards
            .values()
            .filter(move |shard| shard.parents.contains(&number))
    }

    /// Puts a record into the shard of its hash key.
    pub(super) fn put(
        &mut self,
        key: u128,
        partition_key: String,
        data: Bytes,
        now_ms: u64,
    ) -> Sequence {
        self.records_ever += 1;
        let shard = self
            .shards
            .values_mut()
            .find(|shard| shard.is_open() && shard.keys.contains(key))
            .expect("the open shards cover every hash key");
        let sequence = Sequence {
            ms: now_ms,
            shard: shard.number,
            serial: self.records_ever,
        };
        shard.records.push_back(Record {
            sequence,
            partition_key,
            data,
        });
        self.wake.notify_waiters();
        sequence
    }

    /// Right behind the newest record that there is.
    pub(super) fn latest(&self, shard: &Shard, now_ms: u64) -> Sequence {
        let behind_all = Sequence {
            ms: now_ms,
            shard: shard.number,
            serial: self.records_ever + 1,
        };
        shard.ending().unwrap_or(behind_all)
    }

    /// Splits an open shard before this hash key; returns the numbers of the two that take its place.
    ///
    /// # Errors
    /// `InvalidArgumentException` for a closed shard, or a hash key that leaves one half empty.
    // API: SplitShard
    pub(super) fn split(
        &mut self,
        number: u64,
        key: u128,
        now_ms: u64,
    ) -> Result<[u64; 2], KinesisError> {
        let shard = self.open_shard(number)?;
        let halves = shard.keys.split(key).ok_or_else(|| {
            Code::InvalidArgumentException.because(format!(
                "NewStartingHashKey {key} used in SplitShard() on shard {} is not both greater than one plus the shard's StartingHashKey {} and less than the shard's EndingHashKey {}.",
                shard.id(), shard.keys.first, shard.keys.last
            ))
        })?;
        self.close(number, now_ms);
        Ok(halves.map(|keys| self.open(vec![number], keys, now_ms)))
    }

    /// Merges two open neighbours; returns the number of the one that takes their place.
    ///
    /// # Errors
    /// `InvalidArgumentException` for closed shards and for those that are no neighbours.
    // API: MergeShards
    pub(super) fn merge(
        &mut self,
        number: u64,
        adjacent: u64,
        now_ms: u64,
    ) -> Result<u64, KinesisError> {
        let (one, other) = (self.open_shard(number)?, self.open_shard(adjacent)?);
        let keys = one.keys.join(other.keys).ok_or_else(|| {
            Code::InvalidArgumentException.because(format!(
                "Shards {} and {} are not an adjacent pair of shards eligible for merging",
                one.id(),
                other.id()
            ))
        })?;
        self.close(number, now_ms);
        self.close(adjacent, now_ms);
        Ok(self.open(vec![number, adjacent], keys, now_ms))
    }

    fn open_shard(&self, number: u64) -> Result<&Shard, KinesisError> {
        let shard = self
            .shards
            .get(&number)
            .ok_or_else(|| no_shard(&super::shard::shard_id(number)))?;
        if shard.is_open() {
            return Ok(shard);
        }
        Err(Code::InvalidArgumentException.because(format!(
            "Shard {} has already been merged or split, and thus is not eligible for merging or splitting.",
            shard.id()
        )))
    }

    fn close(&mut self, number: u64, now_ms: u64) {
        if let Some(shard) = self.shards.get_mut(&number) {
            shard.closed_ms = Some(now_ms);
        }
        self.wake.notify_waiters();
    }

    fn open(&mut self, parents: Vec<u64>, keys: HashKeys, now_ms: u64) -> u64 {
        let number = self.shards_ever;
        self.shards_ever += 1;
        self.shards
            .insert(number, Shard::new(number, parents, keys, now_ms));
        number
    }
}
