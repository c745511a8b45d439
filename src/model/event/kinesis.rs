//! A record of a Kinesis stream as an element of `Records`. // spec: 2.2

use super::{PushStr as _, StreamStamp, text, text_of, utf8};
use crate::model::record::KinesisRecord;

/// What is the same in every record of every stream, and the arrival.
const FIXED_BYTES: usize = 320;

/// One record of a shard. A record without a partition key has an empty one, so that it stays a string.
pub fn kinesis_record(record: &KinesisRecord, shard_id: &str, stamp: &StreamStamp) -> String {
    let mut out = Vec::with_capacity(kinesis_record_bytes(record, shard_id, stamp));
    write_kinesis_record(&mut out, record, shard_id, stamp);
    utf8(out)
}

/// How long it is about: a little less than this where nothing is escaped.
pub fn kinesis_record_bytes(record: &KinesisRecord, shard_id: &str, stamp: &StreamStamp) -> usize {
    let lengths = [
        FIXED_BYTES,
        record.data.base64_len(),
        record.partition_key.as_bytes().len(),
        2 * record.sequence_number.as_bytes().len(),
        shard_id.len(),
        stamp.identity_arn.as_ref().map_or(0, String::len),
        stamp.region.len(),
        stamp.arn.len(),
    ];
    lengths.iter().sum()
}

/// The same text, at the end of `out`.
pub fn write_kinesis_record(
    out: &mut Vec<u8>,
    record: &KinesisRecord,
    shard_id: &str,
    stamp: &StreamStamp,
) {
    out.push_str("{\"kinesis\":{\"kinesisSchemaVersion\":\"1.0\",\"partitionKey\":");
    text_of(out, record.partition_key.as_bytes());
    out.push_str(",\"sequenceNumber\":");
    text_of(out, record.sequence_number.as_bytes());
    out.push_str(",\"data\":\"");
    record.data.write_base64(out);
    out.push_str("\",\"approximateArrivalTimestamp\":");
    write_seconds(out, record.arrived_ms);
    out.push_str("},\"eventSource\":\"aws:kinesis\",\"eventVersion\":\"1.0\",\"eventID\":");
    text(out, shard_id);
    // One string of two.
    out.pop();
    out.push(b':');
    out.extend_from_slice(record.sequence_number.as_bytes());
    out.push_str("\",\"eventName\":\"aws:kinesis:record\",\"invokeIdentityArn\":");
    text(out, stamp.identity_arn.as_deref().unwrap_or_default());
    out.push_str(",\"awsRegion\":");
    text(out, &stamp.region);
    out.push_str(",\"eventSourceARN\":");
    text(out, &stamp.arn);
    out.push(b'}');
}

/// Milliseconds as seconds: no more digits behind the point than it takes and never none, as a double is printed, so that
/// a parser that tells integers from fractions sees one type always.
pub(in crate::model) fn seconds(ms: u64) -> String {
    let mut out = Vec::new();
    write_seconds(&mut out, ms);
    utf8(out)
}

/// By hand: the machinery of formats takes longer than all texts around it.
fn write_seconds(out: &mut Vec<u8>, ms: u64) {
    let mut digits = [0; 20];
    let (mut at, mut left) = (digits.len(), ms / 1000);
    while at == digits.len() || 0 < left {
        at -= 1;
        digits[at] = digit(left);
        left /= 10;
    }
    out.extend_from_slice(&digits[at..]);
    let millis = ms % 1000;
    let fraction = [b'.', digit(millis / 100), digit(millis / 10), digit(millis)];
    let length = match (millis % 100, millis % 10) {
        (0, _) => 2,
        (_, 0) => 3,
        _ => 4,
    };
    out.extend_from_slice(&fraction[..length]);
}

/// The last digit of a number.
fn digit(number: u64) -> u8 {
    b"0123456789"[(number % 10) as usize]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::record::SequenceNumber;

    const NUMBER: &str = "49701234567890123456789012345678901234567890123456789012";

    fn stamp(identity_arn: Option<&str>) -> StreamStamp {
        StreamStamp {
            arn: "arn:aws:kinesis:us-east-1:111111111111:stream/clicks".into(),
            region: "us-east-1".into(),
            identity_arn: identity_arn.map(Into::into),
        }
    }

    fn record(data: &'static [u8]) -> KinesisRecord {
        KinesisRecord {
            sequence_number: SequenceNumber::try_from(NUMBER.to_owned()).unwrap(),
            partition_key: "user-1".into(),
            data: Bytes::from_static(data).into(),
            arrived_ms: 1_789_809_023_187,
        }
    }

    // spec: 2.2
    #[test]
    fn a_record_is_written_as_aws_writes_it() {
        let stamp = stamp(Some("arn:aws:iam::111111111111:role/lambda-role"));
        assert_eq!(
            kinesis_record(&record(b"hello"), "shardId-000000000003", &stamp),
            r#"{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"user-1","sequenceNumber":"49701234567890123456789012345678901234567890123456789012","data":"aGVsbG8=","approximateArrivalTimestamp":1789809023.187},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"shardId-000000000003:49701234567890123456789012345678901234567890123456789012","eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::111111111111:role/lambda-role","awsRegion":"us-east-1","eventSourceARN":"arn:aws:kinesis:us-east-1:111111111111:stream/clicks"}"#
        );
    }

    #[test]
    fn what_is_not_known_is_an_empty_string() {
        let mut keyless = record(b"");
        keyless.partition_key = "".into();
        let written = kinesis_record(&keyless, "shardId-000000000003", &stamp(None));
        assert!(written.contains(r#""partitionKey":"","#), "{written}");
        assert!(written.contains(r#""data":"","#), "{written}");
        assert!(written.contains(r#""invokeIdentityArn":"","#), "{written}");
    }

    #[test]
    fn data_of_any_bytes_is_padded_standard_base64_and_a_key_of_any_text_is_escaped() {
        for (data, expected) in [
            (&b"\xff\xfe\xfb"[..], "//77"),
            (b"\x00", "AA=="),
            (b"\x00\x01", "AAE="),
        ] {
            let mut record = record(data);
            record.partition_key = "a\"\\\u{1}é😀".into();
            let written = kinesis_record(&record, "shardId-000000000003", &stamp(None));
            let read: serde_json::Value = serde_json::from_str(&written).unwrap();
            assert_eq!(read["kinesis"]["data"], expected);
            assert_eq!(read["kinesis"]["partitionKey"], "a\"\\\u{1}é😀");
        }
    }

    // spec: 2.2 seconds with millisecond fraction
    #[test]
    fn arrival_is_a_number_of_seconds_with_its_milliseconds() {
        for (ms, expected) in [
            (0, "0.0"),
            (7, "0.007"),
            (1_789_809_023_187, "1789809023.187"),
            (1_789_809_023_080, "1789809023.08"),
            (1_789_809_023_500, "1789809023.5"),
            (1_789_809_023_000, "1789809023.0"),
            (1_789_809_020_000, "1789809020.0"),
            (u64::MAX, "18446744073709551.615"),
        ] {
            assert_eq!(seconds(ms), expected);
        }
    }
}
