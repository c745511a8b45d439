//! PutRecord and PutRecords.

use aws_smithy_types::base64;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Call, StreamOf,
    error::{Code, KinesisError},
    range::hash_key,
    sequence::Sequence,
    shard::shard_id,
};
use crate::sim::history::Event;

/// How many records a PutRecords may have.
// API: PutRecords, Records
const RECORDS_MAX: usize = 500;
/// How many bytes they may have together, partition keys included.
// API: PutRecords: 10 MiB for the entire request
const REQUEST_BYTES_MAX: usize = 10 * 1024 * 1024;
// API: PutRecord, PartitionKey
const PARTITION_KEY_CHARS_MAX: usize = 256;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutRecord {
    #[serde(flatten)]
    of: StreamOf,
    #[serde(flatten)]
    entry: Entry,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutRecords {
    #[serde(flatten)]
    of: StreamOf,
    #[serde(default)]
    records: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    data: Option<String>,
    partition_key: Option<String>,
    explicit_hash_key: Option<String>,
}

/// A record before it has a place.
pub(super) struct Draft {
    pub(super) data: Bytes,
    pub(super) partition_key: String,
    pub(super) hash_key: u128,
}

pub(super) fn one(call: &mut Call<'_>, input: PutRecord) -> Result<Value, KinesisError> {
    let stream = input.of.name()?;
    let draft = input.entry.draft()?;
    check(call, stream, &draft)?;
    Ok(placed(put(call, stream, draft)?))
}

// API: PutRecords: one result for each record, in the same order
pub(super) fn many(call: &mut Call<'_>, input: PutRecords) -> Result<Value, KinesisError> {
    let stream = input.of.name()?;
    let count = input.records.len();
    if !(1..=RECORDS_MAX).contains(&count) {
        let text = format!("{count} records: a request has 1 to {RECORDS_MAX}");
        return Err(Code::ValidationException.because(text));
    }
    let drafts: Vec<Draft> = input
        .records
        .into_iter()
        .map(Entry::draft)
        .collect::<Result<_, _>>()?;
    for draft in &drafts {
        check(call, stream, draft)?;
    }
    let bytes: usize = drafts.iter().map(Draft::size).sum();
    if bytes > REQUEST_BYTES_MAX {
        let text = format!("Records size exceeds {REQUEST_BYTES_MAX} bytes: {bytes}");
        return Err(Code::InvalidArgumentException.because(text));
    }
    let results = drafts
        .into_iter()
        .map(|draft| put(call, stream, draft).map(placed))
        .collect::<Result<Vec<Value>, _>>()?;
    Ok(json!({ "FailedRecordCount": 0, "Records": results, "EncryptionType": "NONE" }))
}

impl Draft {
    pub(super) fn new(partition_key: &str, data: Bytes) -> Self {
        Self {
            data,
            hash_key: hash_key(partition_key),
            partition_key: partition_key.to_owned(),
        }
    }

    fn size(&self) -> usize {
        self.data.len() + self.partition_key.len()
    }
}

impl Entry {
    // API: PutRecord, Request parameters
    fn draft(self) -> Result<Draft, KinesisError> {
        let data = self.data.ok_or_else(|| KinesisError::missing("data"))?;
        let data = base64::decode(data)
            .map_err(|error| Code::SerializationException.because(error.to_string()))?;
        let partition_key = self
            .partition_key
            .ok_or_else(|| KinesisError::missing("partitionKey"))?;
        let mut draft = Draft::new(&partition_key, data.into());
        if let Some(text) = &self.explicit_hash_key {
            draft.hash_key = explicit(text)?;
        }
        Ok(draft)
    }
}

/// A hash key in a request.
// API: PutRecord, ExplicitHashKey; SplitShard, NewStartingHashKey: 0|([1-9]\d{0,38})
pub(super) fn explicit(text: &str) -> Result<u128, KinesisError> {
    let canonical = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| canonical).ok_or_else(|| {
        Code::InvalidArgumentException
            .because(format!("Invalid hash key {text}: not in [0, 2^128 - 1]"))
    })
}

/// Whether the stream takes the record.
// API: PutRecord, Data and PartitionKey
pub(super) fn check(call: &mut Call<'_>, stream: &str, draft: &Draft) -> Result<(), KinesisError> {
    let bytes_max = call.stream(stream)?.record_bytes_max;
    let chars = draft.partition_key.chars().count();
    if !(1..=PARTITION_KEY_CHARS_MAX).contains(&chars) {
        let text = format!("a partition key has 1 to {PARTITION_KEY_CHARS_MAX} characters");
        return Err(Code::ValidationException.because(text));
    }
    if draft.size() > bytes_max {
        let text = format!("a record has at most {bytes_max} bytes: {}", draft.size());
        return Err(Code::ValidationException.because(text));
    }
    Ok(())
}

/// Puts a record that was checked.
pub(super) fn put(
    call: &mut Call<'_>,
    stream: &str,
    draft: Draft,
) -> Result<Sequence, KinesisError> {
    let (now_ms, partition_key) = (call.now_ms, draft.partition_key.clone());
    let place = call
        .stream(stream)?
        .put(draft.hash_key, draft.partition_key, draft.data, now_ms);
    call.record(|| Event::RecordPut {
        stream: stream.to_owned(),
        shard: shard_id(place.shard),
        sequence_number: place.to_string(),
        partition_key,
    });
    Ok(place)
}

fn placed(place: Sequence) -> Value {
    json!({
        "ShardId": shard_id(place.shard),
        "SequenceNumber": place.to_string(),
        "EncryptionType": "NONE",
    })
}
