//! Aggregates of the Kinesis Producer Library, and what is almost one: nothing is invented, and what comes apart can be put together
//! again. Magic and digest are ours, since no fuzzer finds an MD5.
#![no_main]

use libfuzzer_sys::fuzz_target;
use md5::{Digest, Md5};
use sluicegate_fuzz::model::kpl::{INNER_RECORDS_MAX, Inner, deaggregate};
use sluicegate_fuzz::model::record::{KinesisRecord, SequenceNumber};

const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];

fuzz_target!(|message: &[u8]| {
    let bare = record(message.to_vec());
    if let Some(inner) = deaggregate(&bare) {
        bounded(&inner, &bare);
    }
    let aggregate = record(sealed(message));
    let Some(inner) = deaggregate(&aggregate) else {
        return;
    };
    bounded(&inner, &aggregate);
    let again = record(sealed(&put_together(&inner)));
    assert_eq!(deaggregate(&again).as_deref(), Some(&inner[..]));

    // Without its digest it is no aggregate, and is delivered as it came.
    let mut other = aggregate.data.plain().to_vec();
    if let Some(last) = other.last_mut() {
        *last ^= 1;
    }
    assert_eq!(deaggregate(&record(other)), None);
});

fn record(data: Vec<u8>) -> KinesisRecord {
    KinesisRecord {
        sequence_number: SequenceNumber::try_from("495".to_owned()).expect("digits"),
        partition_key: "outer".into(),
        data: data.into(),
        arrived_ms: 1_789_809_023_187,
    }
}

fn sealed(message: &[u8]) -> Vec<u8> {
    [&MAGIC, message, &Md5::digest(message)[..]].concat()
}

/// Nothing that the record does not hold.
fn bounded(inner: &[Inner<'_>], from: &KinesisRecord) {
    assert!((1..=INNER_RECORDS_MAX).contains(&inner.len()));
    let data: usize = inner.iter().map(|inner| inner.data.len()).sum();
    assert!(data < from.data.len(), "data is given out twice");
    let range = from.data.plain().as_ptr_range();
    for inner in inner {
        assert!(inner.partition_key.chars().count() <= 256);
        let of = inner.data.as_ptr_range();
        assert!(inner.data.is_empty() || (range.start <= of.start && of.end <= range.end));
        let record = inner.record(from);
        assert_eq!(record.sequence_number, from.sequence_number);
        assert_eq!(record.arrived_ms, from.arrived_ms);
    }
}

/// As a producer would write it: each record with keys of its own.
fn put_together(inner: &[Inner<'_>]) -> Vec<u8> {
    let mut message = Vec::new();
    let (mut keys, mut hash_keys) = (0, 0);
    for inner in inner {
        field(&mut message, 1, inner.partition_key.as_bytes());
        let mut packed = Vec::new();
        number(&mut packed, 1, keys);
        keys += 1;
        if let Some(hash_key) = inner.explicit_hash_key {
            field(&mut message, 2, hash_key.as_bytes());
            number(&mut packed, 2, hash_keys);
            hash_keys += 1;
        }
        field(&mut packed, 3, &inner.data);
        field(&mut message, 3, &packed);
    }
    message
}

fn field(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(out, number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
