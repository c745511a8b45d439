//! Streams from the test's side: made, filled, resharded and looked at without a client, beside all faults and crash points.

use bytes::Bytes;

use super::{
    Call, HashKeys, consumers,
    error::KinesisError,
    manage::{self, CreateStream},
    put::{self, Draft},
    reshard, settle,
    shard::{Record, Shard, shard_id},
};
use crate::sim::world::World;

/// A stream at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamView {
    /// How long records are kept.
    pub retention_hours: u32,
    /// The names of the registered consumers.
    pub consumers: Vec<String>,
    /// The shards that are still listed, by id: the open ones and the closed.
    pub shards: Vec<ShardView>,
}

/// A shard at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardView {
    /// The id.
    pub id: String,
    /// The ids of its parent and its adjacent parent, where it has them.
    pub parents: Vec<String>,
    /// The hash keys that it owns.
    pub hash_keys: HashKeys,
    /// Whether it takes records.
    pub open: bool,
    /// The records that were not trimmed, in order.
    pub records: Vec<RecordView>,
}

/// A record of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordView {
    /// The sequence number.
    pub sequence_number: String,
    /// The partition key.
    pub partition_key: String,
    /// The data, decoded.
    pub data: Bytes,
    /// When it arrived, in Unix milliseconds.
    pub arrived_ms: u64,
}

impl World {
    /// Creates a stream whose records may have up to 10 MiB, and returns its ARN.
    ///
    /// # Errors
    /// As CreateStream.
    pub fn create_stream(&self, name: &str, shards: u32) -> Result<String, KinesisError> {
        manage::create(
            &mut Call::new(self, None),
            CreateStream::large(name, shards),
        )?;
        Ok(self.stream_arn(name))
    }

    /// The ARN of a stream of this name.
    pub fn stream_arn(&self, name: &str) -> String {
        format!(
            "arn:aws:kinesis:{}:{}:stream/{name}",
            self.settings().region,
            self.settings().account
        )
    }

    /// Puts a record; returns the id of its shard and its sequence number.
    ///
    /// # Errors
    /// As PutRecord.
    pub fn put_record(
        &self,
        stream: &str,
        partition_key: &str,
        data: impl Into<Bytes>,
    ) -> Result<(String, String), KinesisError> {
        let call = &mut Call::new(self, None);
        let draft = Draft::new(partition_key, data.into());
        put::check(call, stream, &draft)?;
        let place = put::put(call, stream, draft)?;
        Ok((shard_id(place.shard), place.to_string()))
    }

    /// Splits a shard in the middle; returns the ids of the two that take its place.
    ///
    /// # Errors
    /// As SplitShard.
    pub fn split_shard(&self, stream: &str, shard: &str) -> Result<[String; 2], KinesisError> {
        let children = reshard::split_at(&mut Call::new(self, None), stream, shard, None)?;
        Ok(children.map(shard_id))
    }

    /// Merges two neighbouring shards; returns the id of the one that takes their place.
    ///
    /// # Errors
    /// As MergeShards.
    pub fn merge_shards(
        &self,
        stream: &str,
        shard: &str,
        adjacent: &str,
    ) -> Result<String, KinesisError> {
        let child = reshard::merge_both(&mut Call::new(self, None), stream, shard, adjacent)?;
        Ok(shard_id(child))
    }

    /// Drops the `count` oldest records of a shard, as if they had outlived the retention period.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub fn trim_shard(&self, stream: &str, shard: &str, count: usize) -> Result<(), KinesisError> {
        let call = &mut Call::new(self, None);
        if let Some(trimmed) = call.stream(stream)?.shard_mut(shard)?.trim(count) {
            call.record_trimmed(stream, &trimmed);
        }
        Ok(())
    }

    /// Sets how long records are kept; what is older goes.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub fn keep_records(&self, stream: &str, hours: u32) -> Result<(), KinesisError> {
        settle(self, &mut self.lock(), stream, self.clock().now_ms())?.retention_hours = hours;
        settle(self, &mut self.lock(), stream, self.clock().now_ms())?;
        Ok(())
    }

    /// Deletes a stream with its consumers, and makes one of the same name.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub fn remake_stream(&self, name: &str, shards: u32) -> Result<(), KinesisError> {
        let call = &mut Call::new(self, None);
        call.stream(name)?.wake.notify_waiters();
        call.state.streams.remove(name);
        manage::create(call, CreateStream::large(name, shards))?;
        Ok(())
    }

    /// Registers a consumer, and returns its ARN.
    ///
    /// # Errors
    /// As RegisterStreamConsumer.
    pub fn register_consumer(&self, stream: &str, name: &str) -> Result<String, KinesisError> {
        consumers::register_named(&mut Call::new(self, None), stream, name)
    }

    /// A stream at this moment; none if there is none of this name.
    pub fn stream(&self, name: &str) -> Option<StreamView> {
        let mut state = self.lock();
        let stream = settle(self, &mut state, name, self.clock().now_ms()).ok()?;
        Some(StreamView {
            retention_hours: stream.retention_hours,
            consumers: stream.consumers.keys().cloned().collect(),
            shards: stream.shards.values().map(ShardView::of).collect(),
        })
    }
}

impl ShardView {
    fn of(shard: &Shard) -> Self {
        Self {
            id: shard.id(),
            parents: shard.parents.iter().copied().map(shard_id).collect(),
            hash_keys: shard.keys,
            open: shard.is_open(),
            records: shard.records.iter().map(RecordView::of).collect(),
        }
    }
}

impl RecordView {
    fn of(record: &Record) -> Self {
        Self {
            sequence_number: record.sequence.to_string(),
            partition_key: record.partition_key.clone(),
            data: record.data.clone(),
            arrived_ms: record.sequence.ms,
        }
    }
}
