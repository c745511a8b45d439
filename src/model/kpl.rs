//! Records that the Kinesis Producer Library packed into one, taken apart again. // spec: 2.2, pitfall 11.25
//!
//! Layout: a magic of 4 bytes, an `AggregatedRecord` of Protocol Buffers (two tables of keys, and the records, which name
//! their keys by index), and the MD5 of that message. Whoever writes to the stream writes these bytes: what is not
//! exactly such a record is no aggregate and is delivered as it came, so that nothing is ever lost here.

mod wire;

use bytes::Bytes;
use md5::{Digest, Md5};

use self::wire::{Fields, Value};
use super::record::KinesisRecord;

const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];
const DIGEST_BYTES: usize = 16;

/// Records of an aggregate, and entries of either of its tables; ours. It bounds what a record can make us hold
/// (about 20 MB): an aggregate of 1 MiB that exceeds it has less than 5 bytes of data a record.
pub const INNER_RECORDS_MAX: usize = 100_000;

/// Characters of a partition key, as Kinesis bounds it. // API: Kinesis PutRecord
const PARTITION_KEY_CHARS_MAX: usize = 256;

/// One record of an aggregate; nothing of it is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inner<'a> {
    /// The producer's key: what orders these records, where the outer key is but the first one's.
    pub partition_key: &'a str,
    /// The hash that the producer gave in the key's stead, decimal. It is told and not judged: AWS drops a whole
    /// aggregate when one is outside of the shard, which happens to aggregates under way while a shard is split.
    pub explicit_hash_key: Option<&'a str>,
    /// The producer's data.
    pub data: Bytes,
}

impl Inner<'_> {
    /// The inner record as a record of its own, at the place and the time of the aggregate that held it, as AWS delivers
    /// it: all inner records share its sequence number.
    pub fn record(&self, aggregate: &KinesisRecord) -> KinesisRecord {
        KinesisRecord {
            sequence_number: aggregate.sequence_number.clone(),
            partition_key: self.partition_key.into(),
            data: self.data.clone().into(),
            arrived_ms: aggregate.arrived_ms,
        }
    }
}

/// The records of an aggregate in their order, at least one; nothing for a record that is no aggregate, is corrupt or
/// exceeds a bound: it is to be delivered as it is.
pub fn deaggregate(record: &KinesisRecord) -> Option<Vec<Inner<'_>>> {
    if !record.data.starts_with(&MAGIC) {
        return None;
    }
    let data = record.data.plain();
    let rest = data.strip_prefix(&MAGIC)?;
    let (message, digest) = rest.split_at_checked(rest.len().checked_sub(DIGEST_BYTES)?)?;
    if Md5::digest(message)[..] != *digest {
        return None;
    }
    let aggregate = Aggregate::read(message)?;
    let inner: Option<Vec<_>> = aggregate
        .records
        .iter()
        .map(|packed| aggregate.inner(packed, data))
        .collect();
    // An aggregate of nothing stays the record that it is: somebody wrote it.
    inner.filter(|inner| !inner.is_empty())
}

/// `AggregatedRecord`, whose records are read once the tables are complete: fields may come in any order.
#[derive(Default)]
struct Aggregate<'a> {
    partition_keys: Vec<&'a str>,
    explicit_hash_keys: Vec<&'a str>,
    records: Vec<&'a [u8]>,
}

impl<'a> Aggregate<'a> {
    fn read(message: &'a [u8]) -> Option<Self> {
        let mut aggregate = Aggregate::default();
        for field in Fields::of(message) {
            match field? {
                (1, Value::Bytes(key)) => bounded(&mut aggregate.partition_keys, key_text(key)?)?,
                (2, Value::Bytes(key)) => {
                    bounded(&mut aggregate.explicit_hash_keys, key_text(key)?)?;
                }
                (3, Value::Bytes(packed)) => bounded(&mut aggregate.records, packed)?,
                // A newer library's field, or a known number with another type, which Protocol Buffers skip alike.
                (_, Value::Bytes(_) | Value::Number(_) | Value::Fixed) => {}
            }
        }
        Some(aggregate)
    }

    /// `Record`: key and data are required, tags are nobody's.
    fn inner(&self, packed: &'a [u8], data: &Bytes) -> Option<Inner<'a>> {
        let (mut key, mut hash_key, mut payload) = (None, None, None);
        for field in Fields::of(packed) {
            match field? {
                (1, Value::Number(index)) => key = Some(index),
                (2, Value::Number(index)) => hash_key = Some(index),
                (3, Value::Bytes(bytes)) => payload = Some(bytes),
                (_, Value::Bytes(_) | Value::Number(_) | Value::Fixed) => {}
            }
        }
        Some(Inner {
            partition_key: at(&self.partition_keys, key?)?,
            explicit_hash_key: match hash_key {
                None => None,
                Some(index) => Some(at(&self.explicit_hash_keys, index)?),
            },
            data: data.slice_ref(payload?),
        })
    }
}

fn bounded<T>(entries: &mut Vec<T>, entry: T) -> Option<()> {
    if entries.len() == INNER_RECORDS_MAX {
        return None;
    }
    entries.push(entry);
    Some(())
}

fn key_text(bytes: &[u8]) -> Option<&str> {
    let text = str::from_utf8(bytes).ok()?;
    (text.chars().count() <= PARTITION_KEY_CHARS_MAX).then_some(text)
}

fn at<'a>(table: &[&'a str], index: u64) -> Option<&'a str> {
    table.get(usize::try_from(index).ok()?).copied()
}

#[cfg(test)]
mod tests;
