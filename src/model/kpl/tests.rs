//! Aggregates as the library writes them, and everything else that may stand in their place.
#![allow(clippy::unwrap_used)]

use super::super::record::{Data, SequenceNumber};
use super::*;

/// Two partition keys, an explicit hash key, and two records, the second with a tag; the digest is not of our making.
const AGGREGATE: &[u8] = b"\xf3\x89\x9a\xc2\
    \x0a\x01a\x0a\x02bc\x12\x0212\
    \x1a\x09\x08\x00\x1a\x05hello\
    \x1a\x0a\x08\x01\x10\x00\x1a\x00\x22\x02\x0a\x00\
    \x9e\x74\x92\xa9\x4d\x57\x33\x3b\xe7\x1c\xbd\x2e\x0f\xf0\x39\xa9";

fn record(data: impl Into<Data>) -> KinesisRecord {
    let number = "49701234567890123456789012345678901234567890123456789012";
    KinesisRecord {
        sequence_number: SequenceNumber::try_from(number.to_owned()).unwrap(),
        partition_key: "a".into(),
        data: data.into(),
        arrived_ms: 1_789_809_023_187,
    }
}

/// A message with the magic and the digest that belong to it.
fn sealed(message: &[u8]) -> KinesisRecord {
    record([&MAGIC, message, &Md5::digest(message)].concat())
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag], varint(content.len()).as_slice(), content].concat()
}

/// A record of the first key.
fn packed(data: &[u8]) -> Vec<u8> {
    field(0x1a, &[b"\x08\x00", field(0x1a, data).as_slice()].concat())
}

/// Partition key, explicit hash key, data.
type Shown = (String, Option<String>, Vec<u8>);

fn shown(record: &KinesisRecord) -> Option<Vec<Shown>> {
    let inner = deaggregate(record)?;
    let shown = inner.iter().map(|inner| {
        (
            inner.partition_key.to_owned(),
            inner.explicit_hash_key.map(str::to_owned),
            inner.data.to_vec(),
        )
    });
    Some(shown.collect())
}

// spec: 2.2 KPL aggregation
#[test]
fn an_aggregate_is_its_records_in_their_order() {
    assert_eq!(
        shown(&record(AGGREGATE)).unwrap(),
        [
            ("a".into(), None, b"hello".to_vec()),
            ("bc".into(), Some("12".into()), b"".to_vec()),
        ]
    );
}

// spec: 2.2 all carry the same outer sequence number
#[test]
fn an_inner_record_stands_where_its_aggregate_stood() {
    let aggregate = record(AGGREGATE);
    let inner = deaggregate(&aggregate).unwrap();
    assert_eq!(
        inner[1].record(&aggregate),
        KinesisRecord {
            partition_key: "bc".into(),
            data: Bytes::new().into(),
            ..record("")
        }
    );
}

#[test]
fn nothing_of_the_data_is_copied() {
    let aggregate = record(AGGREGATE.to_vec());
    let inner = deaggregate(&aggregate).unwrap();
    let whole = aggregate.data.plain().as_ptr_range();
    assert!(whole.contains(&inner[0].data.as_ptr()));
    assert!(whole.contains(&inner[0].partition_key.as_ptr()));
}

#[test]
fn fields_may_come_in_any_order_and_unknown_ones_are_passed_over() {
    let key = field(0x0a, b"k");
    for message in [
        [packed(b"x"), key.clone()].concat(),
        [key.clone(), field(0x22, b"newer"), packed(b"x")].concat(),
        [key.clone(), b"\x28\x07".to_vec(), packed(b"x")].concat(),
        [
            key.clone(),
            b"\x29\x00\x00\x00\x00\x00\x00\x00\x00".to_vec(),
            packed(b"x"),
        ]
        .concat(),
        // A known number with a type that is not its own.
        [key.clone(), b"\x08\x07".to_vec(), packed(b"x")].concat(),
        // The last of a single field counts.
        [
            key.clone(),
            field(0x1a, b"\x08\x07\x1a\x01y\x08\x00\x1a\x01x"),
        ]
        .concat(),
    ] {
        assert_eq!(
            shown(&sealed(&message)).unwrap(),
            [("k".into(), None, b"x".to_vec())],
            "{}",
            message.escape_ascii()
        );
    }
}

// spec: 2.2 a corrupt aggregate is delivered raw
#[test]
fn what_is_no_whole_aggregate_stays_the_record_that_it_is() {
    let key = field(0x0a, b"k");
    let with = |field: &[u8]| sealed(&[key.as_slice(), field].concat());
    for (case, record) in [
        ("empty", record("")),
        ("plain", record("{\"a\":1}")),
        ("the magic alone", record(&MAGIC[..])),
        ("too short for a digest", record(&AGGREGATE[..19])),
        ("truncated", record(&AGGREGATE[..AGGREGATE.len() - 1])),
        ("continued", record([AGGREGATE, b"x"].concat())),
        ("without records", sealed(&key)),
        ("without anything", sealed(b"")),
        ("no message", sealed(b"\xff")),
        ("a record without key", with(&field(0x1a, b"\x1a\x01x"))),
        ("a record without data", with(&field(0x1a, b"\x08\x00"))),
        (
            "a key beyond the table",
            with(&field(0x1a, b"\x08\x01\x1a\x01x")),
        ),
        (
            "a hash key beyond the table",
            with(&field(0x1a, b"\x08\x00\x10\x00\x1a\x01x")),
        ),
        (
            "the largest index",
            with(&field(
                0x1a,
                b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x1a\x01x",
            )),
        ),
        ("a length beyond the end", with(b"\x1a\xff\xff\xff\xff\x0f")),
        ("an index without end", with(&field(0x1a, &[0x88; 30]))),
        (
            "one bad record after a good one",
            with(&[packed(b"x"), field(0x1a, b"\x08")].concat()),
        ),
        (
            "a key that is no text",
            sealed(&[field(0x0a, b"\xff"), packed(b"x")].concat()),
        ),
        (
            "a key longer than Kinesis takes",
            sealed(&[field(0x0a, &[b'k'; 257]), packed(b"x")].concat()),
        ),
    ] {
        assert_eq!(deaggregate(&record), None, "{case}");
    }
    let every_byte_counts = (0..AGGREGATE.len()).all(|at| {
        let mut spoiled = AGGREGATE.to_vec();
        spoiled[at] ^= 1;
        deaggregate(&record(spoiled)).is_none()
    });
    assert!(every_byte_counts);
}

#[test]
fn an_aggregate_within_the_bounds_is_read_and_one_beyond_stays_whole() {
    let key = field(0x0a, b"k");
    let many = |what: &[u8], count: usize| {
        sealed(&[&key, packed(b"").as_slice(), &what.repeat(count)].concat())
    };
    for (what, limit) in [
        (packed(b""), INNER_RECORDS_MAX - 1),
        (b"\x0a\x00".to_vec(), INNER_RECORDS_MAX - 1),
        (b"\x12\x00".to_vec(), INNER_RECORDS_MAX),
    ] {
        assert!(deaggregate(&many(&what, limit)).is_some());
        assert_eq!(deaggregate(&many(&what, limit + 1)), None);
    }
    let longest = sealed(&[field(0x0a, "é".repeat(256).as_bytes()), packed(b"x")].concat());
    assert!(deaggregate(&longest).is_some());
}

#[test]
fn no_mutation_panics_or_yields_more_than_its_bytes_can_hold() {
    let message = &AGGREGATE[MAGIC.len()..AGGREGATE.len() - DIGEST_BYTES];
    let splices: [&[u8]; 10] = [
        b"",
        b"\x00",
        b"\xff",
        b"\x80\x80",
        b"\x0a\x01z",
        b"\x12\x00",
        b"\x1a\x05\x08\x00\x1a\x01x",
        b"\x10\x01",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x1d1234",
    ];
    let mut random = fastrand::Rng::with_seed(11);
    let (mut whole, mut corrupt) = (0, 0);
    for _ in 0..100_000 {
        let mut mutated = message.to_vec();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(0..=mutated.len());
            let until = (at + random.usize(0..3)).min(mutated.len());
            if random.bool() {
                mutated.splice(
                    at..until,
                    splices[random.usize(0..splices.len())].iter().copied(),
                );
            } else if at < mutated.len() {
                mutated[at] = random.u8(..);
            }
        }
        // The digest is right: what is inside must stand by itself.
        let record = sealed(&mutated);
        match deaggregate(&record) {
            None => corrupt += 1,
            Some(inner) => {
                whole += 1;
                // Each takes 6 bytes at least, and their data do not overlap.
                assert!(!inner.is_empty() && inner.len() * 6 <= mutated.len());
                let data: usize = inner.iter().map(|inner| inner.data.len()).sum();
                assert!(data < mutated.len());
            }
        }
    }
    // The walk is worth something only if it reaches both sides.
    assert!(
        5_000 < whole && 5_000 < corrupt,
        "{whole} whole, {corrupt} corrupt"
    );
}
