//! Records of streams against patterns: which keys there are, what the payload is, which patterns are refused.

use bytes::Bytes;

use super::super::{Filters, Source, Trap, Why};
use crate::model::record::{DynamoRecord, KinesisRecord, SequenceNumber};

fn number(text: &str) -> SequenceNumber {
    SequenceNumber::try_from(text.to_owned()).unwrap()
}

pub(super) fn kinesis(data: &[u8]) -> KinesisRecord {
    KinesisRecord {
        sequence_number: number("49701234567890123456789012345678901234567890123456789012"),
        partition_key: "user-1".into(),
        data: Bytes::copy_from_slice(data).into(),
        arrived_ms: 1_789_809_023_187,
    }
}

pub(super) fn dynamodb(
    event_name: &str,
    keys: &str,
    new: Option<&str>,
    old: Option<&str>,
) -> DynamoRecord {
    DynamoRecord {
        event_id: "0f1e2d3c4b5a69788796a5b4c3d2e1f0".into(),
        event_name: event_name.into(),
        event_version: "1.1".into(),
        sequence_number: number("12345600000000000123456789"),
        arrived_ms: 1_789_651_658_000,
        keys: keys.into(),
        new_image: new.map(Into::into),
        old_image: old.map(Into::into),
        size_bytes: 39,
        view_type: "NEW_AND_OLD_IMAGES".into(),
        user_identity: None,
    }
}

fn inserted(image: &str) -> DynamoRecord {
    dynamodb("INSERT", r#"{"id":{"S":"a"}}"#, Some(image), None)
}

fn compiled(pattern: &str, source: Source) -> Filters {
    Filters::parse(&[pattern], source).unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

#[test]
fn no_filter_keeps_every_record() {
    let none: [&str; 0] = [];
    let filters = Filters::parse(&none, Source::Kinesis).unwrap();
    assert!(filters.keeps(&kinesis(b"\xff")));
    assert!(filters.keeps(&inserted("{}")));
}

// spec: 7.3, the rows of Kinesis
#[test]
fn kinesis_data_is_compared_as_json_and_what_is_no_json_is_dropped() {
    for (pattern, data, expected) in [
        // JSON, JSON object: compare
        (r#"{"data":{"a":[1]}}"#, &br#"{"a":1}"#[..], true),
        (r#"{"data":{"a":[1]}}"#, b" \r\n\t{\"a\":1} ", true),
        (r#"{"data":{"a":[1]}}"#, br#"{"a":2}"#, false),
        (r#"{"data.a":[1]}"#, br#"{"a":1}"#, true),
        (r#"{"data":{"a":[1]}}"#, br#"[{"a":2},{"a":1}]"#, true),
        (r#"{"data":{"a":["x"]}}"#, br#"{"a":"\u0078"}"#, true),
        (r#"{"data":{"a":[{"exists":false}]}}"#, br#"{"b":1}"#, true),
        // JSON, none: metadata
        (r#"{"partitionKey":["user-1"]}"#, br#"{"a":1}"#, true),
        // string, none: metadata
        (r#"{"partitionKey":["user-1"]}"#, b"abc", true),
        (r#"{"partitionKey":["user-1"]}"#, b"\xff\xfe", true),
        // string, JSON object: drop, whatever the object asks
        (r#"{"data":{"a":[1]}}"#, b"abc", false),
        (r#"{"data":{"a":[{"exists":false}]}}"#, b"abc", false),
        (r#"{"data":{"a":[{"exists":false}]}}"#, b"", false),
        (r#"{"data":{"a":[{"exists":false}]}}"#, br#"{"a":1"#, false),
        (
            r#"{"data":{"a":[{"exists":false}]}}"#,
            br#"{"b":1} x"#,
            false,
        ),
        // No text at all, in a string of what would be JSON or alone.
        (
            r#"{"data":{"a":["x"]}}"#,
            b"{\"a\":\"x\",\"b\":\"\xff\"}",
            false,
        ),
        (r#"{"data":{"a":[{"exists":false}]}}"#, b"\xff", false),
        // Base64 is taken off once, and JSON within a string is a string.
        (r#"{"data":{"a":[1]}}"#, b"eyJhIjoxfQ==", false),
        (r#"{"data":{"a":[1]}}"#, br#""{\"a\":1}""#, false),
        // A lone scalar is JSON that has no key.
        (r#"{"data":{"a":[{"exists":false}]}}"#, b"5", true),
        (r#"{"data":{"a":[5]}}"#, b"5", false),
    ] {
        assert_eq!(
            compiled(pattern, Source::Kinesis).keeps(&kinesis(data)),
            expected,
            "{pattern} on {}",
            data.escape_ascii()
        );
    }
}

// spec: 7.2
#[test]
fn kinesis_metadata_stands_beside_data_without_what_is_added_later() {
    for (pattern, expected) in [
        (r#"{"partitionKey":[{"prefix":"user-"}]}"#, true),
        (r#"{"partitionKey":["user-2"]}"#, false),
        (r#"{"PartitionKey":["user-1"]}"#, false),
        (r#"{"data":{"a":[1]}}"#, true),
        (r#"{"data":{"a":[1]},"partitionKey":["user-2"]}"#, false),
        (r#"{"kinesisSchemaVersion":["1.0"]}"#, true),
        (r#"{"sequenceNumber":[{"prefix":"4970"}]}"#, true),
        (r#"{"sequenceNumber":[{"numeric":[">",0]}]}"#, false),
        (r#"{"approximateArrivalTimestamp":[1789809023.187]}"#, true),
        (
            r#"{"approximateArrivalTimestamp":[{"numeric":[">",1789809023,"<",1789809024]}]}"#,
            true,
        ),
        (
            r#"{"approximateArrivalTimestamp":[{"numeric":[">",1789809023187]}]}"#,
            false,
        ),
        (
            r#"{"approximateArrivalTimestamp":["1789809023.187"]}"#,
            false,
        ),
        (r#"{"kinesis":{"partitionKey":["user-1"]}}"#, false),
        (r#"{"kinesis":{"data":{"a":[1]}}}"#, false),
        (r#"{"eventSource":["aws:kinesis"]}"#, false),
        (r#"{"eventName":["aws:kinesis:record"]}"#, false),
        (r#"{"awsRegion":["us-east-1"]}"#, false),
        (r#"{"awsRegion":[{"exists":false}]}"#, true),
        (r#"{"eventSourceARN":[{"exists":false}]}"#, true),
    ] {
        assert_eq!(
            compiled(pattern, Source::Kinesis).keeps(&kinesis(br#"{"a":1}"#)),
            expected,
            "{pattern}"
        );
    }
}

// spec: 7.4 DynamoDB specifics; each row is a pattern that was recorded, its two items, and which of them came through
#[test]
fn recorded_dynamodb_filters_keep_what_they_kept_at_aws() {
    let modified = |image: &str| {
        let before = Some(r#"{"id":{"S":"a"}}"#);
        dynamodb("MODIFY", r#"{"id":{"S":"a"}}"#, Some(image), before)
    };
    let with = |attribute: &str| inserted(&format!(r#"{{"id":{{"S":"a"}},{attribute}}}"#));
    let plain = || inserted(r#"{"id":{"S":"a"}}"#);
    let present = || with(r#""presentKey":{"S":"presentValue"}"#);
    for (pattern, first, second, expected) in [
        // an insert, then the same key once more
        (
            r#"{"eventName":["INSERT"]}"#,
            plain(),
            modified(r#"{"id":{"S":"a"},"v":{"S":"2"}}"#),
            [true, false],
        ),
        (
            r#"{"eventName":["INSERT","MODIFY"]}"#,
            plain(),
            modified(r#"{"id":{"S":"a"},"v":{"S":"2"}}"#),
            [true, true],
        ),
        // the type is written
        (
            r#"{"dynamodb":{"NewImage":{"presentKey":{"S":["presentValue"]}}}}"#,
            present(),
            plain(),
            [true, false],
        ),
        (
            r#"{"dynamodb":{"NewImage":{"presentKey":{"S":[{"exists":true}]}}}}"#,
            present(),
            plain(),
            [true, false],
        ),
        // the type is left out: no value matches, nor does exists
        (
            r#"{"dynamodb":{"NewImage":{"presentKey":["presentValue"]}}}"#,
            present(),
            plain(),
            [false, false],
        ),
        (
            r#"{"dynamodb":{"NewImage":{"presentKey":[{"exists":true}]}}}"#,
            present(),
            plain(),
            [false, false],
        ),
        // exists_false_filter: 2 calls
        (
            r#"{"dynamodb":{"NewImage":{"presentKey":[{"exists":false}]}}}"#,
            plain(),
            present(),
            [true, true],
        ),
        // numeric_filter: 42 passes through anything-but, 101 through nothing
        (
            r#"{"dynamodb":{"NewImage":{"n":{"N":[{"numeric":[">",100]},{"anything-but":"101"}]}}}}"#,
            with(r#""n":{"N":"42"}"#),
            with(r#""n":{"N":"101"}"#),
            [true, false],
        ),
        (
            r#"{"dynamodb":{"NewImage":{"p":{"S":[{"prefix":"us-1"}]}}}}"#,
            with(r#""p":{"S":"us-1-testtest"}"#),
            with(r#""p":{"S":"testtest"}"#),
            [true, false],
        ),
        // date_time_conversion
        (
            r#"{"dynamodb":{"ApproximateCreationDateTime":[{"numeric":[">",0]}]}}"#,
            plain(),
            present(),
            [true, true],
        ),
    ] {
        let filters = compiled(pattern, Source::DynamoDb);
        assert_eq!(
            [filters.keeps(&first), filters.keeps(&second)],
            expected,
            "{pattern}"
        );
    }
}

// spec: 7.2, 2.3
#[test]
fn dynamodb_records_are_seen_with_their_metadata_and_without_what_is_added_later() {
    let image = r#"{"id":{"S":"a"},"n":{"N":"101"},"b":{"B":"AAEC"},"bs":{"BS":["AA==","AQ=="]},"ss":{"SS":["x","y"]},"ok":{"BOOL":true},"z":{"NULL":true},"l":{"L":[{"S":"x"},{"M":{"k":{"N":"2"}}}]},"m":{"M":{"k":{"N":"1"}}},"dot.ted":{"S":"d"}}"#;
    let mut record = dynamodb("REMOVE", r#"{"id":{"S":"a"}}"#, None, Some(image));
    record.user_identity = Some(("Service".into(), "dynamodb.amazonaws.com".into()));
    for (pattern, expected) in [
        (r#"{"eventName":["REMOVE"]}"#, true),
        (r#"{"eventID":[{"prefix":"0f1e"}]}"#, true),
        (r#"{"eventVersion":["1.1"]}"#, true),
        (
            r#"{"userIdentity":{"type":["Service"],"principalId":["dynamodb.amazonaws.com"]}}"#,
            true,
        ),
        (r#"{"userIdentity":{"Type":["Service"]}}"#, false),
        (r#"{"userIdentity":{"type":[{"exists":false}]}}"#, false),
        (r#"{"dynamodb":{"Keys":{"id":{"S":["a"]}}}}"#, true),
        (r#"{"dynamodb.Keys.id.S":["a"]}"#, true),
        (r#"{"dynamodb":{"Keys":{"id":["a"]}}}"#, false),
        (r#"{"dynamodb":{"NewImage":{"id":{"S":["a"]}}}}"#, false),
        (
            r#"{"dynamodb":{"NewImage":{"id":{"S":[{"exists":false}]}}}}"#,
            true,
        ),
        (r#"{"dynamodb":{"OldImage":{"n":{"N":["101"]}}}}"#, true),
        (r#"{"dynamodb":{"OldImage":{"n":{"N":[101]}}}}"#, false),
        (
            r#"{"dynamodb":{"OldImage":{"n":{"N":[{"numeric":["=",101]}]}}}}"#,
            false,
        ),
        (r#"{"dynamodb":{"OldImage":{"b":{"B":["AAEC"]}}}}"#, true),
        (r#"{"dynamodb":{"OldImage":{"bs":{"BS":["AQ=="]}}}}"#, true),
        (r#"{"dynamodb":{"OldImage":{"ss":{"SS":["y"]}}}}"#, true),
        (r#"{"dynamodb":{"OldImage":{"ok":{"BOOL":[true]}}}}"#, true),
        (
            r#"{"dynamodb":{"OldImage":{"ok":{"BOOL":["true"]}}}}"#,
            false,
        ),
        (r#"{"dynamodb":{"OldImage":{"z":{"NULL":[true]}}}}"#, true),
        (r#"{"dynamodb":{"OldImage":{"z":[null]}}}"#, false),
        (r#"{"dynamodb":{"OldImage":{"l":{"L":{"S":["x"]}}}}}"#, true),
        (
            r#"{"dynamodb":{"OldImage":{"l":{"L":{"M":{"k":{"N":["2"]}}}}}}}"#,
            true,
        ),
        (
            r#"{"dynamodb":{"OldImage":{"m":{"M":{"k":{"N":["1"]}}}}}}"#,
            true,
        ),
        (
            r#"{"dynamodb":{"OldImage":{"m":{"k":{"N":["1"]}}}}}"#,
            false,
        ),
        (r#"{"dynamodb":{"OldImage":{"dot.ted":{"S":["d"]}}}}"#, true),
        (r#"{"dynamodb":{"SizeBytes":[39]}}"#, true),
        (r#"{"dynamodb":{"SizeBytes":["39"]}}"#, false),
        (
            r#"{"dynamodb":{"ApproximateCreationDateTime":[1789651658]}}"#,
            true,
        ),
        (
            r#"{"dynamodb":{"SequenceNumber":["12345600000000000123456789"]}}"#,
            true,
        ),
        (
            r#"{"dynamodb":{"StreamViewType":["NEW_AND_OLD_IMAGES"]}}"#,
            true,
        ),
        (r#"{"eventSource":["aws:dynamodb"]}"#, false),
        (r#"{"eventSource":[{"exists":false}]}"#, true),
        (r#"{"eventSourceARN":[{"prefix":"arn:"}]}"#, false),
        (r#"{"awsRegion":["us-east-1"]}"#, false),
        (r#"{"eventname":["REMOVE"]}"#, false),
        (
            r#"{"eventName":["REMOVE"],"eventSource":["aws:dynamodb"]}"#,
            false,
        ),
        (r#"{"eventSourceARN":[{"exists":false}]}"#, true),
        (r#"{"awsRegion":[{"exists":true}]}"#, false),
    ] {
        assert_eq!(
            compiled(pattern, Source::DynamoDb).keeps(&record),
            expected,
            "{pattern}"
        );
    }
}

#[test]
fn a_change_made_by_a_client_has_no_user_identity() {
    let record = inserted("{}");
    for (pattern, expected) in [
        (r#"{"userIdentity":{"type":["Service"]}}"#, false),
        (r#"{"userIdentity":{"type":[{"exists":false}]}}"#, true),
    ] {
        assert_eq!(
            compiled(pattern, Source::DynamoDb).keeps(&record),
            expected,
            "{pattern}"
        );
    }
}

// spec: 7.3 string pattern refused
#[test]
fn a_stream_has_no_payload_to_compare_as_a_string() {
    let reason = |pattern: &str, source| match Filters::parse(&[pattern], source) {
        Ok(_) => "accepted".into(),
        Err(error) => error.to_string(),
    };
    let data = "filter 0, key data: \"data\" must be an object: its value is matched as JSON only, never as a string";
    let change = "filter 0, key dynamodb: \"dynamodb\" must be an object: its value is matched as JSON only, never as a string";
    for (source, pattern, expected) in [
        (Source::Kinesis, r#"{"data":["abc"]}"#, data),
        (Source::Kinesis, r#"{"data":[{"prefix":"a"}]}"#, data),
        (Source::Kinesis, r#"{"data":[5]}"#, data),
        (Source::Kinesis, r#"{"data":[{"exists":true}]}"#, data),
        (
            Source::Kinesis,
            r#"{"$or":[{"data":{"a":[1]}},{"data":["abc"]}]}"#,
            data,
        ),
        (
            Source::Kinesis,
            r#"{"data":{"a":[1]},"$or":[{"data":["abc"]},{"partitionKey":["x"]}]}"#,
            data,
        ),
        (
            Source::Kinesis,
            r#"{"data":"abc"}"#,
            "filter 0, key data: \"data\" must be an object or an array",
        ),
        (Source::Kinesis, r#"{"data":{"data":["abc"]}}"#, "accepted"),
        (Source::Kinesis, r#"{"dynamodb":["abc"]}"#, "accepted"),
        (Source::DynamoDb, r#"{"dynamodb":["abc"]}"#, change),
        (
            Source::DynamoDb,
            r#"{"dynamodb":[{"exists":true}]}"#,
            change,
        ),
        (Source::DynamoDb, r#"{"data":["abc"]}"#, "accepted"),
        (Source::Sqs, r#"{"body":["abc"]}"#, "accepted"),
        // spec: 7.4 refusals seen at AWS
        (
            Source::DynamoDb,
            "simple string",
            "filter 0: Filter is not valid JSON: expected value at line 1 column 1",
        ),
        (
            Source::DynamoDb,
            r#"[{"eventName": ["INSERT"=123}]"#,
            "filter 0: Filter is not valid JSON: expected `,` or `]` at line 1 column 25",
        ),
    ] {
        assert_eq!(reason(pattern, source), expected, "{pattern}");
    }
}

// pitfalls 11.17, 11.18, 11.20
#[test]
fn traps_of_streams_are_told() {
    let warnings = |pattern: &str, source: Source| -> Vec<(String, Trap)> {
        compiled(pattern, source)
            .warnings()
            .iter()
            .map(|warning| (warning.key.clone(), warning.trap))
            .collect()
    };
    let nothing: Option<(&str, Trap)> = None;
    for (source, pattern, expected) in [
        (Source::Kinesis, r#"{"data":{"a":[1]}}"#, nothing),
        (Source::Kinesis, r#"{"partitionKey":["a"]}"#, nothing),
        (
            Source::Kinesis,
            r#"{"kinesis":{"data":{"a":[1]}}}"#,
            Some(("kinesis.data.a", Trap::NeverThere(Source::Kinesis))),
        ),
        (
            Source::Kinesis,
            r#"{"body":{"a":[1]}}"#,
            Some(("body.a", Trap::NeverThere(Source::Kinesis))),
        ),
        (
            Source::Kinesis,
            r#"{"sequenceNumber":[{"numeric":[">",1]}]}"#,
            Some(("sequenceNumber", Trap::StringsOnly)),
        ),
        (
            Source::Kinesis,
            r#"{"approximateArrivalTimestamp":["1"]}"#,
            Some(("approximateArrivalTimestamp", Trap::NumbersOnly)),
        ),
        (
            Source::Kinesis,
            r#"{"approximateArrivalTimestamp":[{"numeric":[">",1]}]}"#,
            nothing,
        ),
        (
            Source::Kinesis,
            r#"{"data":{"a":[{"exists":true}],"a.b":[1]}}"#,
            Some(("data.a", Trap::NotALeaf)),
        ),
        (
            Source::DynamoDb,
            r#"{"eventName":["INSERT"],"dynamodb":{"NewImage":{"a":{"S":["x"]}}}}"#,
            nothing,
        ),
        (
            Source::DynamoDb,
            r#"{"eventName":["INSERT"],"eventSource":["aws:dynamodb"]}"#,
            Some(("eventSource", Trap::NeverThere(Source::DynamoDb))),
        ),
        (
            Source::Kinesis,
            r#"{"kinesisSchemaVersion":["1"]}"#,
            Some(("kinesisSchemaVersion", Trap::NoneOf(&["1.0"]))),
        ),
        (
            Source::DynamoDb,
            r#"{"eventName":["insert"]}"#,
            Some(("eventName", Trap::NoneOf(&["INSERT", "MODIFY", "REMOVE"]))),
        ),
        (
            Source::DynamoDb,
            r#"{"eventName":["DELETE",{"prefix":"REM"}]}"#,
            nothing,
        ),
        (
            Source::DynamoDb,
            r#"{"eventName":[{"anything-but":["INSERT","MODIFY","REMOVE"]}]}"#,
            Some(("eventName", Trap::NoneOf(&["INSERT", "MODIFY", "REMOVE"]))),
        ),
        (
            Source::DynamoDb,
            r#"{"eventName":[{"exists":true}]}"#,
            nothing,
        ),
        (
            Source::DynamoDb,
            r#"{"eventName":[1,null]}"#,
            Some(("eventName", Trap::StringsOnly)),
        ),
        (
            Source::DynamoDb,
            r#"{"dynamodb":{"StreamViewType":["NEW_IMAGES"]}}"#,
            Some((
                "dynamodb.StreamViewType",
                Trap::NoneOf(&["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"]),
            )),
        ),
        (
            Source::DynamoDb,
            r#"{"dynamodb":{"newImage":{"a":{"S":["x"]}}}}"#,
            Some(("dynamodb.newImage.a.S", Trap::NeverThere(Source::DynamoDb))),
        ),
        (
            Source::DynamoDb,
            r#"{"eventID":[7]}"#,
            Some(("eventID", Trap::StringsOnly)),
        ),
        (
            Source::DynamoDb,
            r#"{"dynamodb":{"SequenceNumber":[7]}}"#,
            Some(("dynamodb.SequenceNumber", Trap::StringsOnly)),
        ),
        (
            Source::DynamoDb,
            r#"{"userIdentity":[{"exists":true}]}"#,
            Some(("userIdentity", Trap::NotALeaf)),
        ),
        (
            Source::DynamoDb,
            r#"{"userIdentity":{"principalId":[7]}}"#,
            Some(("userIdentity.principalId", Trap::StringsOnly)),
        ),
        (
            Source::DynamoDb,
            r#"{"dynamodb":{"NewImage":{"ok":{"BOOL":[true]}}}}"#,
            nothing,
        ),
        (
            Source::DynamoDb,
            r#"{"userIdentity":{"Type":["Service"]}}"#,
            Some(("userIdentity.Type", Trap::NeverThere(Source::DynamoDb))),
        ),
        (
            Source::DynamoDb,
            r#"{"dynamodb":{"NewImage":{"a":["x"]}}}"#,
            Some(("dynamodb.NewImage.a", Trap::NoType)),
        ),
        (
            Source::DynamoDb,
            r#"{"dynamodb":{"NewImage":{"a":[{"exists":false}]}}}"#,
            Some(("dynamodb.NewImage.a", Trap::NoType)),
        ),
        (
            Source::DynamoDb,
            r#"{"dynamodb":{"OldImage":{"address":{"city":["x"]}}}}"#,
            Some(("dynamodb.OldImage.address.city", Trap::NoType)),
        ),
        (
            Source::DynamoDb,
            r#"{"dynamodb":{"Keys":[{"exists":true}]}}"#,
            Some(("dynamodb.Keys", Trap::NotALeaf)),
        ),
        (
            Source::DynamoDb,
            r#"{"dynamodb":{"NewImage":{"a":{"M":[{"exists":true}]}}}}"#,
            Some(("dynamodb.NewImage.a.M", Trap::NotALeaf)),
        ),
        (
            Source::DynamoDb,
            r#"{"dynamodb":{"NewImage":{"n":{"N":[{"numeric":[">",100]}]}}}}"#,
            Some(("dynamodb.NewImage.n.N", Trap::NumberIsText)),
        ),
        (
            Source::DynamoDb,
            r#"{"dynamodb":{"NewImage":{"n":{"N":[{"numeric":[">",100]},{"anything-but":"101"}]}}}}"#,
            Some(("dynamodb.NewImage.n.N", Trap::NumberIsText)),
        ),
        (
            Source::DynamoDb,
            r#"{"dynamodb":{"NewImage":{"n":{"NS":[{"anything-but":[1,2]}]}}}}"#,
            Some(("dynamodb.NewImage.n.NS", Trap::NumberIsText)),
        ),
        (
            Source::DynamoDb,
            r#"{"dynamodb":{"NewImage":{"n":{"N":["100",{"exists":false}]}}}}"#,
            nothing,
        ),
        (
            Source::DynamoDb,
            r#"{"dynamodb":{"NewImage":{"n":{"N":[null]}}}}"#,
            Some(("dynamodb.NewImage.n.N", Trap::StringsOnly)),
        ),
        (
            Source::DynamoDb,
            r#"{"dynamodb":{"NewImage":{"s":{"S":[5]}}}}"#,
            Some(("dynamodb.NewImage.s.S", Trap::StringsOnly)),
        ),
        (
            Source::DynamoDb,
            r#"{"dynamodb":{"NewImage":{"ok":{"BOOL":["true"]}}}}"#,
            Some(("dynamodb.NewImage.ok.BOOL", Trap::BooleansOnly)),
        ),
        (
            Source::DynamoDb,
            r#"{"dynamodb":{"SizeBytes":["39"]}}"#,
            Some(("dynamodb.SizeBytes", Trap::NumbersOnly)),
        ),
    ] {
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(key, trap)| (key.to_owned(), trap))
            .collect();
        assert_eq!(warnings(pattern, source), expected, "{pattern}");
    }
    let filters = compiled(r#"{"kinesis":{"data":{"a":[1]}}}"#, Source::Kinesis);
    assert_eq!(
        filters.warnings()[0].to_string(),
        "filter 0, key kinesis.data.a: no Kinesis record has this key when filters run, so that only exists: false can hold"
    );
}

#[test]
fn a_refusal_of_a_record_names_its_key() {
    for (pattern, data, key, why) in [
        (
            r#"{"data":{"a":[1]}}"#,
            &b"plain"[..],
            "data",
            Why::PayloadIsNotJson,
        ),
        (
            r#"{"data":{"a":[1]}}"#,
            b"\xff",
            "data",
            Why::PayloadIsNotJson,
        ),
        (r#"{"data":{"a":[1]}}"#, b"{}", "data.a", Why::Missing),
        (
            r#"{"partitionKey":["x"]}"#,
            b"{}",
            "partitionKey",
            Why::NoMatch,
        ),
    ] {
        let refusal = compiled(pattern, Source::Kinesis)
            .refusals(&kinesis(data))
            .remove(0);
        assert_eq!((refusal.key.as_str(), refusal.why), (key, why), "{pattern}");
    }
    let untyped = r#"{"dynamodb":{"NewImage":{"a":["x"]}}}"#;
    let refusal = compiled(untyped, Source::DynamoDb)
        .refusals(&inserted(r#"{"a":{"S":"x"}}"#))
        .remove(0);
    assert_eq!(refusal.key, "dynamodb.NewImage.a");
    assert_eq!(refusal.why, Why::NotALeaf);
}
