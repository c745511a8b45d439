//! An event as a function gets it, read back into the records that filters are asked about.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::filter::{Source, Subject};
use crate::model::record::{
    AttributeValue, DynamoRecord, KinesisRecord, Message, MessageAttribute, SequenceNumber,
};

/// Records of one source, at least one.
#[derive(Debug)]
pub struct Event {
    pub source: Source,
    pub records: Vec<Record>,
}

/// A record and by what a reply would name it: message id or sequence number; empty where the event has none.
#[derive(Debug)]
pub struct Record {
    pub id: String,
    data: Data,
}

#[derive(Debug)]
enum Data {
    Message(Message<'static>),
    Kinesis(KinesisRecord),
    DynamoDb(DynamoRecord),
}

/// What is wrong with an event, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct EventError {
    /// Counted from 1.
    line: usize,
    /// The way to it, such as `Records[2]`; empty for the event as a whole.
    path: String,
    what: String,
}

impl EventError {
    pub fn in_file(&self, file: &str) -> String {
        let EventError { line, path, what } = self;
        match path.as_str() {
            "" => format!("{file}:{line}: {what}"),
            path => format!("{file}:{line}: {path}: {what}"),
        }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<&'a RawValue>,
}

impl Event {
    /// Reads an event.
    ///
    /// # Errors
    /// Everything that is wrong with its records, in their order; or the first thing that makes it no event at all.
    pub fn parse(text: &str) -> Result<Self, Vec<EventError>> {
        let whole = |line, what: String| {
            vec![EventError {
                line,
                path: String::new(),
                what,
            }]
        };
        let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|error| {
            let what = format!("{} at column {}", without_place(&error), error.column());
            whole(error.line(), what)
        })?;
        if envelope.records.is_empty() {
            let what = "Records is empty: there is nothing to ask about";
            return Err(whole(1, what.to_owned()));
        }
        let (mut records, mut errors) = (Vec::new(), Vec::new());
        let mut of = None;
        for (index, raw) in envelope.records.iter().enumerate() {
            let source = source(raw).and_then(|found| match *of.get_or_insert(found) {
                expected if expected == found => Ok(found),
                expected => Err(Wrong::here(format!(
                    "{found} in an event of {expected}s: an event is of one source"
                ))),
            });
            match source.and_then(|source| record(raw, source)) {
                Ok(record) => records.push(record),
                Err(Wrong { line, key, what }) => errors.push(EventError {
                    line: line_of(text, raw) + line,
                    path: format!("Records[{index}]{key}"),
                    what,
                }),
            }
        }
        match of {
            Some(source) if errors.is_empty() => Ok(Event { source, records }),
            Some(_) | None => Err(errors),
        }
    }
}

impl Record {
    pub fn subject(&self) -> Subject<'_> {
        match &self.data {
            Data::Message(message) => Subject::Message(message),
            Data::Kinesis(record) => Subject::Kinesis(record),
            Data::DynamoDb(record) => Subject::DynamoDb(record),
        }
    }
}

/// What is wrong with one record: lines below its first, and the key where it is known.
struct Wrong {
    line: usize,
    key: &'static str,
    what: String,
}

impl Wrong {
    fn here(what: String) -> Self {
        Self::at("", what)
    }

    fn at(key: &'static str, what: String) -> Self {
        Wrong { line: 0, key, what }
    }
}

impl From<serde_json::Error> for Wrong {
    fn from(error: serde_json::Error) -> Self {
        Wrong {
            line: error.line().saturating_sub(1),
            key: "",
            what: without_place(&error),
        }
    }
}

/// serde_json counts lines from the start of what it was given, which may be one record.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text
        .rfind(" at line ")
        .map_or(text.as_str(), |at| &text[..at]);
    what.to_owned()
}

fn line_of(text: &str, raw: &RawValue) -> usize {
    let start = raw.get().as_ptr().addr() - text.as_ptr().addr();
    1 + text[..start].bytes().filter(|byte| *byte == b'\n').count()
}

/// Whose record it is: as it says, or else by the key that only one source has.
fn source(raw: &RawValue) -> Result<Source, Wrong> {
    #[derive(Deserialize)]
    struct Shape<'a> {
        #[serde(rename = "eventSource")]
        source: Option<String>,
        #[serde(borrow)]
        kinesis: Option<&'a RawValue>,
        #[serde(borrow)]
        dynamodb: Option<&'a RawValue>,
        #[serde(borrow)]
        body: Option<&'a RawValue>,
    }
    let shape: Shape<'_> = serde_json::from_str(raw.get())?;
    match shape.source.as_deref() {
        Some("aws:sqs") => Ok(Source::Sqs),
        Some("aws:kinesis") => Ok(Source::Kinesis),
        Some("aws:dynamodb") => Ok(Source::DynamoDb),
        Some(other) => Err(Wrong::at(
            ".eventSource",
            format!("{other:?}; expected \"aws:sqs\", \"aws:kinesis\" or \"aws:dynamodb\""),
        )),
        None => match (shape.kinesis, shape.dynamodb, shape.body) {
            (Some(_), None, None) => Ok(Source::Kinesis),
            (None, Some(_), None) => Ok(Source::DynamoDb),
            (None, None, Some(_)) => Ok(Source::Sqs),
            _ => Err(Wrong::here(
                "of no known source: expected eventSource, or one of body, kinesis and dynamodb"
                    .into(),
            )),
        },
    }
}

fn record(raw: &RawValue, source: Source) -> Result<Record, Wrong> {
    match source {
        Source::Sqs => message(raw),
        Source::Kinesis => kinesis(raw),
        Source::DynamoDb => dynamodb(raw),
    }
}

fn message(raw: &RawValue) -> Result<Record, Wrong> {
    type Text = Cow<'static, str>;
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Read {
        #[serde(default)]
        message_id: Text,
        #[serde(default)]
        receipt_handle: Text,
        body: Text,
        #[serde(default)]
        attributes: BTreeMap<Text, Text>,
        #[serde(default)]
        message_attributes: BTreeMap<Text, Attribute>,
        #[serde(default)]
        md5_of_body: Text,
        md5_of_message_attributes: Option<Text>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Attribute {
        string_value: Option<Text>,
        binary_value: Option<Text>,
        #[serde(default)]
        data_type: Text,
    }
    let read: Read = serde_json::from_str(raw.get())?;
    let attributes = read.message_attributes.into_iter().map(|(name, read)| {
        let value = match (read.string_value, read.binary_value) {
            (Some(text), None) => AttributeValue::Text(text),
            (None, Some(base64)) => AttributeValue::Binary(base64),
            (Some(_), Some(_)) | (None, None) => {
                let what = format!("{name:?}: expected either stringValue or binaryValue");
                return Err(Wrong::at(".messageAttributes", what));
            }
        };
        let data_type = read.data_type;
        Ok((name, MessageAttribute { data_type, value }))
    });
    Ok(Record {
        id: read.message_id.to_string(),
        data: Data::Message(Message {
            id: read.message_id,
            receipt: read.receipt_handle,
            body: read.body,
            attributes: read.attributes,
            message_attributes: attributes.collect::<Result<_, _>>()?,
            md5_of_body: read.md5_of_body,
            md5_of_message_attributes: read.md5_of_message_attributes,
        }),
    })
}

fn kinesis(raw: &RawValue) -> Result<Record, Wrong> {
    #[derive(Deserialize)]
    struct Read {
        kinesis: Inner,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Inner {
        #[serde(default)]
        partition_key: String,
        sequence_number: Option<SequenceNumber>,
        data: String,
        approximate_arrival_timestamp: Option<f64>,
    }
    let Read { kinesis: read } = serde_json::from_str(raw.get())?;
    let data = STANDARD
        .decode(&read.data)
        .map_err(|error| Wrong::at(".kinesis.data", format!("expected base64: {error}")))?;
    let arrived_ms = milliseconds(read.approximate_arrival_timestamp)
        .map_err(|what| Wrong::at(".kinesis.approximateArrivalTimestamp", what))?;
    let (id, sequence_number) = numbered(read.sequence_number);
    Ok(Record {
        id,
        data: Data::Kinesis(KinesisRecord {
            sequence_number,
            partition_key: read.partition_key.into(),
            data: data.into(),
            arrived_ms,
        }),
    })
}

fn dynamodb(raw: &RawValue) -> Result<Record, Wrong> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Read<'a> {
        #[serde(rename = "eventID", default)]
        event_id: String,
        #[serde(default)]
        event_name: String,
        #[serde(default)]
        event_version: String,
        user_identity: Option<Identity>,
        #[serde(borrow)]
        dynamodb: Change<'a>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Identity {
        #[serde(rename = "type", default)]
        kind: String,
        #[serde(default)]
        principal_id: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Change<'a> {
        approximate_creation_date_time: Option<f64>,
        #[serde(borrow)]
        keys: Option<&'a RawValue>,
        #[serde(borrow)]
        new_image: Option<&'a RawValue>,
        #[serde(borrow)]
        old_image: Option<&'a RawValue>,
        sequence_number: Option<SequenceNumber>,
        #[serde(default)]
        size_bytes: i64,
        #[serde(default)]
        stream_view_type: String,
    }
    let read: Read<'_> = serde_json::from_str(raw.get())?;
    let change = read.dynamodb;
    let arrived_ms = milliseconds(change.approximate_creation_date_time)
        .map_err(|what| Wrong::at(".dynamodb.ApproximateCreationDateTime", what))?;
    let (id, sequence_number) = numbered(change.sequence_number);
    let item = |raw: &RawValue| raw.get().to_owned();
    Ok(Record {
        id,
        data: Data::DynamoDb(DynamoRecord {
            event_id: read.event_id,
            event_name: read.event_name,
            event_version: read.event_version,
            sequence_number,
            arrived_ms,
            keys: change.keys.map_or_else(|| "{}".to_owned(), item),
            new_image: change.new_image.map(item),
            old_image: change.old_image.map(item),
            size_bytes: change.size_bytes,
            view_type: change.stream_view_type,
            user_identity: read.user_identity.map(|who| (who.kind, who.principal_id)),
        }),
    })
}

fn numbered(number: Option<SequenceNumber>) -> (String, SequenceNumber) {
    match number {
        Some(number) => (number.to_string(), number),
        None => {
            let zero = SequenceNumber::try_from("0".to_owned()).expect("0 is a digit");
            (String::new(), zero)
        }
    }
}

fn milliseconds(seconds: Option<f64>) -> Result<u64, String> {
    match seconds.unwrap_or_default() {
        seconds if seconds < 0.0 => Err(format!("expected seconds since 1970, found {seconds}")),
        seconds => Ok((seconds * 1000.0).round() as u64),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::event::{
        self, Piece, QueueStamp, StreamStamp, dynamodb_record, kinesis_record, queue_record,
    };

    fn written(record: &str) -> String {
        let mut piece = Piece::from(record.as_bytes().to_vec());
        let event = event::Event::of(&mut [&mut piece]);
        String::from_utf8(event.text().to_vec()).unwrap()
    }

    fn number() -> SequenceNumber {
        SequenceNumber::try_from("4970".to_owned()).unwrap()
    }

    #[test]
    fn an_event_that_we_wrote_is_read_back_as_it_was() {
        let message = Message {
            id: "8f0a".into(),
            receipt: "AQEB".into(),
            body: "{\"é\":\"\\n\"}".into(),
            attributes: BTreeMap::from([("SentTimestamp".into(), "1789650001123".into())]),
            message_attributes: BTreeMap::from([
                ("a".into(), attribute(AttributeValue::Text("x".into()))),
                ("b".into(), attribute(AttributeValue::Binary("AAEC".into()))),
            ]),
            md5_of_body: "0cc1".into(),
            md5_of_message_attributes: Some("d25a".into()),
        };
        let stamp = QueueStamp {
            arn: "arn:aws:sqs:us-east-1:111111111111:q".into(),
            region: "us-east-1".into(),
            null_attributes_digest: true,
        };
        let read = Event::parse(&written(&queue_record(&message, &stamp))).unwrap();
        assert_eq!(
            (read.source, read.records[0].id.as_str()),
            (Source::Sqs, "8f0a")
        );
        let Data::Message(read) = &read.records[0].data else {
            panic!("{read:?}")
        };
        assert_eq!(*read, message);

        let stamp = StreamStamp {
            arn: "arn:aws:kinesis:us-east-1:111111111111:stream/s".into(),
            region: "us-east-1".into(),
            identity_arn: None,
        };
        let record = KinesisRecord {
            sequence_number: number(),
            partition_key: "user-1".into(),
            data: b"\xff\x00{}".to_vec().into(),
            arrived_ms: 1_789_809_023_187,
        };
        let read = Event::parse(&written(&kinesis_record(&record, "shardId-0", &stamp))).unwrap();
        assert_eq!(
            (read.source, read.records[0].id.as_str()),
            (Source::Kinesis, "4970")
        );
        let Data::Kinesis(read) = &read.records[0].data else {
            panic!("{read:?}")
        };
        assert_eq!(*read, record);

        let record = DynamoRecord {
            event_id: "0f1e".into(),
            event_name: "MODIFY".into(),
            event_version: "1.1".into(),
            sequence_number: number(),
            arrived_ms: 1_789_651_658_000,
            keys: r#"{"id":{"S":"a"}}"#.into(),
            new_image: Some(r#"{"n":{"N":"101"}}"#.into()),
            old_image: None,
            size_bytes: 39,
            view_type: "NEW_IMAGE".into(),
            user_identity: Some(("Service".into(), "dynamodb.amazonaws.com".into())),
        };
        let read = Event::parse(&written(&dynamodb_record(&record, &stamp))).unwrap();
        assert_eq!(
            (read.source, read.records[0].id.as_str()),
            (Source::DynamoDb, "4970")
        );
        let Data::DynamoDb(read) = &read.records[0].data else {
            panic!("{read:?}")
        };
        assert_eq!(*read, record);
    }

    fn attribute(value: AttributeValue<'_>) -> MessageAttribute<'_> {
        MessageAttribute {
            data_type: "String".into(),
            value,
        }
    }

    #[test]
    fn the_source_is_what_the_record_says_or_what_it_has() {
        for (record, expected) in [
            (r#"{"body":""}"#, Source::Sqs),
            (r#"{"kinesis":{"data":""}}"#, Source::Kinesis),
            (r#"{"dynamodb":{}}"#, Source::DynamoDb),
            (
                r#"{"eventSource":"aws:sqs","body":"","dynamodb":{}}"#,
                Source::Sqs,
            ),
        ] {
            let read = Event::parse(&format!(r#"{{"Records":[{record}]}}"#)).unwrap();
            assert_eq!(read.source, expected, "{record}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let told = |text: &str| -> Vec<String> {
            let errors = Event::parse(text).unwrap_err();
            errors.iter().map(|error| error.in_file("e.json")).collect()
        };
        for (text, expected) in [
            ("", "e.json:1: EOF while parsing a value at column 0"),
            ("{}", "e.json:1: missing field `Records` at column 2"),
            (
                "{\n\"Records\":[1,}",
                "e.json:2: expected value at column 14",
            ),
            (
                r#"{"Records":[]}"#,
                "e.json:1: Records is empty: there is nothing to ask about",
            ),
            (
                r#"{"Records":[{}]}"#,
                "e.json:1: Records[0]: of no known source: expected eventSource, or one of body, kinesis and dynamodb",
            ),
            (
                r#"{"Records":[{"eventSource":"aws:s3"}]}"#,
                "e.json:1: Records[0].eventSource: \"aws:s3\"; expected \"aws:sqs\", \"aws:kinesis\" or \"aws:dynamodb\"",
            ),
            (
                "{\"Records\":[\n{\"body\":\n5}]}",
                "e.json:3: Records[0]: invalid type: integer `5`, expected a string",
            ),
            (
                r#"{"Records":[{"eventSource":"aws:sqs"}]}"#,
                "e.json:1: Records[0]: missing field `body`",
            ),
            (
                r#"{"Records":[{"body":"","messageAttributes":{"a":{"dataType":"String"}}}]}"#,
                "e.json:1: Records[0].messageAttributes: \"a\": expected either stringValue or binaryValue",
            ),
            (
                r#"{"Records":[{"kinesis":{"data":"?"}}]}"#,
                "e.json:1: Records[0].kinesis.data: expected base64: Invalid symbol 63, offset 0.",
            ),
            (
                r#"{"Records":[{"kinesis":{"data":"","approximateArrivalTimestamp":-1}}]}"#,
                "e.json:1: Records[0].kinesis.approximateArrivalTimestamp: expected seconds since 1970, found -1",
            ),
            (
                r#"{"Records":[{"dynamodb":{"SequenceNumber":"x"}}]}"#,
                "e.json:1: Records[0]: \"x\" is no sequence number: expected 1 to 129 digits",
            ),
        ] {
            assert_eq!(told(text), [expected], "{text}");
        }
        assert_eq!(
            told("{\"Records\":[{\"body\":\"\"},\n{\"dynamodb\":{}},\n\n{\"body\":1}]}"),
            [
                "e.json:2: Records[1]: DynamoDB record in an event of SQS messages: an event is of one source",
                "e.json:4: Records[2]: invalid type: integer `1`, expected a string",
            ]
        );
    }
}
