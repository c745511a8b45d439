//! Shards and records as answers show them.

use aws_smithy_types::base64;
use serde_json::{Value, json};

use super::{
    range::HashKeys,
    shard::{Record, Shard, shard_id},
    stream::Stream,
};

/// A time as the AWS JSON protocol writes it: seconds since 1970 with a fraction.
pub(super) fn timestamp(ms: u64) -> Value {
    json!(ms as f64 / 1000.0)
}

/// The reverse: a time in a request, as Unix milliseconds; what is before 1970 is 1970.
pub(super) fn milliseconds(seconds: f64) -> u64 {
    // The cast saturates.
    (seconds * 1000.0).round() as u64
}

// API: ListShards, Shard
pub(super) fn shard(shard: &Shard) -> Value {
    let mut numbers = json!({ "StartingSequenceNumber": shard.starting().to_string() });
    if let Some(ending) = shard.ending() {
        numbers["EndingSequenceNumber"] = ending.to_string().into();
    }
    let mut shown = json!({
        "ShardId": shard.id(),
        "HashKeyRange": range(&shard.keys),
        "SequenceNumberRange": numbers,
    });
    for (name, parent) in ["ParentShardId", "AdjacentParentShardId"]
        .into_iter()
        .zip(&shard.parents)
    {
        shown[name] = shard_id(*parent).into();
    }
    shown
}

/// What follows a shard that ended.
// API: GetRecords, ChildShards
pub(super) fn children(stream: &Stream, number: u64) -> Vec<Value> {
    let child = |child: &Shard| {
        let parents: Vec<String> = child.parents.iter().copied().map(shard_id).collect();
        json!({ "ShardId": child.id(), "ParentShards": parents, "HashKeyRange": range(&child.keys) })
    };
    stream.children(number).map(child).collect()
}

// API: GetRecords, Record
pub(super) fn record(record: &Record) -> Value {
    json!({
        "SequenceNumber": record.sequence.to_string(),
        "ApproximateArrivalTimestamp": timestamp(record.sequence.ms),
        "Data": base64::encode(&record.data),
        "PartitionKey": record.partition_key,
        "EncryptionType": "NONE",
    })
}

fn range(keys: &HashKeys) -> Value {
    json!({ "StartingHashKey": keys.first.to_string(), "EndingHashKey": keys.last.to_string() })
}
