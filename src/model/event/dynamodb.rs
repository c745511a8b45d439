//! A record of a DynamoDB stream as an element of `Records`. // spec: 2.3

use super::{PushStr as _, StreamStamp, text, text_of, utf8};
use crate::model::record::DynamoRecord;

/// All that is neither keys nor images: about 450 bytes with an ARN of usual length.
const REST_BYTES: usize = 768;

/// From here on a Java double, which AWS prints, is written with an exponent.
const PLAIN_SECONDS_MAX: u64 = 10_000_000;

/// One change of an item. Images that the record lacks are absent, and so is the identity of who made the change.
pub fn dynamodb_record(record: &DynamoRecord, stamp: &StreamStamp) -> String {
    let mut out = Vec::with_capacity(dynamodb_record_bytes(record));
    write_dynamodb_record(&mut out, record, stamp);
    utf8(out)
}

/// How long it is at most, with an ARN of usual length.
pub fn dynamodb_record_bytes(record: &DynamoRecord) -> usize {
    let image_bytes = |image: &Option<String>| image.as_ref().map_or(0, String::len);
    let lengths = [
        record.keys.len(),
        image_bytes(&record.new_image),
        image_bytes(&record.old_image),
        REST_BYTES,
    ];
    lengths.iter().sum()
}

/// The same text, at the end of `out`.
pub fn write_dynamodb_record(out: &mut Vec<u8>, record: &DynamoRecord, stamp: &StreamStamp) {
    out.push_str("{\"eventID\":");
    text(out, &record.event_id);
    out.push_str(",\"eventName\":");
    text(out, &record.event_name);
    out.push_str(",\"eventVersion\":");
    text(out, &record.event_version);
    out.push_str(",\"eventSource\":\"aws:dynamodb\",\"awsRegion\":");
    text(out, &stamp.region);
    // No recording has one; this is where AWS's own sample of the event has it.
    if let Some((kind, principal_id)) = &record.user_identity {
        out.push_str(",\"userIdentity\":{\"type\":");
        text(out, kind);
        out.push_str(",\"principalId\":");
        text(out, principal_id);
        out.push(b'}');
    }
    out.push_str(",\"dynamodb\":{\"ApproximateCreationDateTime\":");
    out.push_str(&whole_seconds(record.arrived_ms));
    out.push_str(",\"Keys\":");
    out.push_str(&record.keys);
    let images = [
        (",\"NewImage\":", &record.new_image),
        (",\"OldImage\":", &record.old_image),
    ];
    for (key, image) in images {
        if let Some(image) = image {
            out.push_str(key);
            out.push_str(image);
        }
    }
    out.push_str(",\"SequenceNumber\":");
    text_of(out, record.sequence_number.as_bytes());
    out.push_str(",\"SizeBytes\":");
    out.push_str(&record.size_bytes.to_string());
    out.push_str(",\"StreamViewType\":");
    text(out, &record.view_type);
    out.push_str("},\"eventSourceARN\":");
    text(out, &stamp.arn);
    out.push(b'}');
}

/// Milliseconds as whole seconds in AWS's wire text, `1.789651658E9`: to a JSON parser the number 1789651658.0.
/// A source that is not AWS may know the milliseconds; the function sees seconds all the same. // spec: 2.3
pub(in crate::model) fn whole_seconds(ms: u64) -> String {
    let seconds = ms / 1000;
    if seconds < PLAIN_SECONDS_MAX {
        return format!("{seconds}.0");
    }
    let digits = seconds.to_string();
    let (first, rest) = digits.split_at(1);
    let fraction = match rest.trim_end_matches('0') {
        "" => "0",
        fraction => fraction,
    };
    format!("{first}.{fraction}E{}", rest.len())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::record::SequenceNumber;

    fn stamp() -> StreamStamp {
        StreamStamp {
            arn: "arn:aws:dynamodb:us-east-1:111111111111:table/t/stream/2026-09-17T10:00:00.000"
                .into(),
            region: "us-east-1".into(),
            identity_arn: Some("arn:aws:iam::111111111111:role/lambda-role".into()),
        }
    }

    fn record() -> DynamoRecord {
        let number = "12345600000000000123456789".to_owned();
        DynamoRecord {
            event_id: "0f1e2d3c4b5a69788796a5b4c3d2e1f0".into(),
            event_name: "MODIFY".into(),
            event_version: "1.1".into(),
            sequence_number: SequenceNumber::try_from(number).unwrap(),
            arrived_ms: 1_789_651_658_000,
            keys: r#"{"id":{"S":"a"}}"#.into(),
            new_image: Some(r#"{"id":{"S":"a"},"n":{"N":"101"},"b":{"B":"AAEC"},"bs":{"BS":["AA=="]},"ok":{"BOOL":true},"z":{"NULL":true},"l":{"L":[{"S":"x"}]},"m":{"M":{"k":{"N":"1"}}}}"#.into()),
            old_image: Some(r#"{"id":{"S":"a"}}"#.into()),
            size_bytes: 39,
            view_type: "NEW_AND_OLD_IMAGES".into(),
            user_identity: None,
        }
    }

    // spec: 2.3
    #[test]
    fn a_record_is_written_as_aws_writes_it() {
        assert_eq!(
            dynamodb_record(&record(), &stamp()),
            r#"{"eventID":"0f1e2d3c4b5a69788796a5b4c3d2e1f0","eventName":"MODIFY","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"us-east-1","dynamodb":{"ApproximateCreationDateTime":1.789651658E9,"Keys":{"id":{"S":"a"}},"NewImage":{"id":{"S":"a"},"n":{"N":"101"},"b":{"B":"AAEC"},"bs":{"BS":["AA=="]},"ok":{"BOOL":true},"z":{"NULL":true},"l":{"L":[{"S":"x"}]},"m":{"M":{"k":{"N":"1"}}}},"OldImage":{"id":{"S":"a"}},"SequenceNumber":"12345600000000000123456789","SizeBytes":39,"StreamViewType":"NEW_AND_OLD_IMAGES"},"eventSourceARN":"arn:aws:dynamodb:us-east-1:111111111111:table/t/stream/2026-09-17T10:00:00.000"}"#
        );
    }

    // spec: 2.3 images by view type and event
    #[test]
    fn an_image_that_is_not_there_is_absent() {
        let mut keys_only = record();
        (keys_only.new_image, keys_only.old_image) = (None, None);
        let written = dynamodb_record(&keys_only, &stamp());
        assert!(
            written.contains(r#""Keys":{"id":{"S":"a"}},"SequenceNumber":"#),
            "{written}"
        );
        let mut removed = record();
        removed.new_image = None;
        let written = dynamodb_record(&removed, &stamp());
        assert!(
            written.contains(
                r#""Keys":{"id":{"S":"a"}},"OldImage":{"id":{"S":"a"}},"SequenceNumber":"#
            ),
            "{written}"
        );
    }

    // spec: 2.3 TTL deletes
    #[test]
    fn a_delete_by_the_service_says_so_in_camel_case() {
        let mut expired = record();
        expired.user_identity = Some(("Service".into(), "dynamodb.amazonaws.com".into()));
        let written = dynamodb_record(&expired, &stamp());
        assert!(
            written.contains(
                r#""awsRegion":"us-east-1","userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"},"dynamodb":{"#
            ),
            "{written}"
        );
    }

    // spec: 2.3 ApproximateCreationDateTime
    #[test]
    fn creation_is_whole_seconds_in_the_text_of_a_java_double() {
        for (ms, expected) in [
            (0, "0.0"),
            (999, "0.0"),
            (9_999_999_999, "9999999.0"),
            (10_000_000_000, "1.0E7"),
            (1_789_651_658_000, "1.789651658E9"),
            (1_789_651_658_999, "1.789651658E9"),
            (1_789_651_600_000, "1.7896516E9"),
            (2_000_000_000_000, "2.0E9"),
            (10_000_000_000_000, "1.0E10"),
        ] {
            assert_eq!(whole_seconds(ms), expected);
            let read: f64 = serde_json::from_str(expected).unwrap();
            assert_eq!(read, (ms / 1000) as f64, "{expected}");
        }
    }
}
