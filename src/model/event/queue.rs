//! A message of a queue as an element of `Records`. // spec: 2.1

use super::{PushStr as _, escapes, text, utf8};
use crate::model::record::{AttributeValue, Message};

/// The order in which AWS writes the system attributes; others follow in the order of their names. // spec: 2.1
const ATTRIBUTES_IN_ORDER: [&str; 9] = [
    "ApproximateReceiveCount",
    "SentTimestamp",
    "SequenceNumber",
    "MessageGroupId",
    "SenderId",
    "MessageDeduplicationId",
    "ApproximateFirstReceiveTimestamp",
    "DeadLetterQueueSourceArn",
    "AWSTraceHeader",
];

/// What is the same in every record of a mapping.
#[derive(Clone, Debug)]
pub struct QueueStamp {
    /// The mapping's `EventSourceArn`.
    pub arn: String,
    /// The queue's region.
    pub region: String,
    /// AWS omits `md5OfMessageAttributes` of a message without attributes when the mapping has no batching window,
    /// and writes null when it has one. // spec: 14
    pub null_attributes_digest: bool,
}

/// What is the same in every record of every queue, and the names of system attributes.
const FIXED_BYTES: usize = 480;
/// What a message attribute has beside its texts.
const ATTRIBUTE_BYTES: usize = 80;

/// One message as an element of `Records`.
pub fn queue_record(message: &Message<'_>, stamp: &QueueStamp) -> String {
    let mut out = Vec::with_capacity(queue_record_bytes(message, stamp));
    write_queue_record(&mut out, message, stamp);
    utf8(out)
}

/// How long it is about: a little less than this where nothing is escaped but what a body's JSON has.
pub fn queue_record_bytes(message: &Message<'_>, stamp: &QueueStamp) -> usize {
    let system = message.attributes.values().map(|value| value.len());
    let attached = message.message_attributes.iter().map(|(name, attribute)| {
        let (AttributeValue::Text(value) | AttributeValue::Binary(value)) = &attribute.value;
        ATTRIBUTE_BYTES + name.len() + attribute.data_type.len() + value.len()
    });
    let lengths = [
        FIXED_BYTES,
        message.id.len(),
        message.receipt.len(),
        message.body.len() + escapes(&message.body),
        system.chain(attached).sum(),
        stamp.region.len(),
        stamp.arn.len(),
    ];
    lengths.iter().sum()
}

/// The same text, at the end of `out`.
pub fn write_queue_record(out: &mut Vec<u8>, message: &Message<'_>, stamp: &QueueStamp) {
    out.push_str("{\"messageId\":");
    text(out, &message.id);
    out.push_str(",\"receiptHandle\":");
    text(out, &message.receipt);
    out.push_str(",\"body\":");
    text(out, &message.body);
    out.push_str(",\"attributes\":{");
    system_attributes(out, message);
    out.push_str("},\"messageAttributes\":{");
    message_attributes(out, message);
    out.push(b'}');
    match &message.md5_of_message_attributes {
        Some(digest) => {
            out.push_str(",\"md5OfMessageAttributes\":");
            text(out, digest);
        }
        None if stamp.null_attributes_digest => out.push_str(",\"md5OfMessageAttributes\":null"),
        None => {}
    }
    out.push_str(",\"md5OfBody\":");
    text(out, &message.md5_of_body);
    out.push_str(",\"eventSource\":\"aws:sqs\",\"eventSourceARN\":");
    text(out, &stamp.arn);
    out.push_str(",\"awsRegion\":");
    text(out, &stamp.region);
    out.push(b'}');
}

fn system_attributes(out: &mut Vec<u8>, message: &Message<'_>) {
    let known = ATTRIBUTES_IN_ORDER
        .iter()
        .filter_map(|name| message.attributes.get_key_value(*name));
    let others = message
        .attributes
        .iter()
        .filter(|(name, _)| !ATTRIBUTES_IN_ORDER.contains(&&***name));
    for (index, (name, value)) in known.chain(others).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        text(out, name);
        out.push(b':');
        text(out, value);
    }
}

fn message_attributes(out: &mut Vec<u8>, message: &Message<'_>) {
    for (index, (name, attribute)) in message.message_attributes.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        text(out, name);
        // The scalar that does not apply is absent; the lists are there and always empty. // spec: 2.1
        let (key, value) = match &attribute.value {
            AttributeValue::Text(value) => (":{\"stringValue\":", value),
            AttributeValue::Binary(value) => (":{\"binaryValue\":", value),
        };
        out.push_str(key);
        text(out, value);
        out.push_str(",\"stringListValues\":[],\"binaryListValues\":[],\"dataType\":");
        text(out, &attribute.data_type);
        out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::record::MessageAttribute;

    fn stamp(null_attributes_digest: bool) -> QueueStamp {
        QueueStamp {
            arn: "arn:aws:sqs:us-east-1:111111111111:orders".into(),
            region: "us-east-1".into(),
            null_attributes_digest,
        }
    }

    type Text = Cow<'static, str>;

    fn attributes(pairs: &[(&'static str, &'static str)]) -> BTreeMap<Text, Text> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    }

    fn message() -> Message<'static> {
        Message {
            id: "8f0a3c6e".into(),
            receipt: "AQEB+/=".into(),
            body: "{\"order\":7}".into(),
            attributes: attributes(&[
                ("SentTimestamp", "1789650001123"),
                ("ApproximateReceiveCount", "1"),
                ("SenderId", "AIDAEXAMPLE:session"),
                ("ApproximateFirstReceiveTimestamp", "1789650001130"),
            ]),
            message_attributes: BTreeMap::new(),
            md5_of_body: "0cc1".into(),
            md5_of_message_attributes: None,
        }
    }

    // spec: 2.1, 14
    #[test]
    fn a_plain_message_is_written_as_aws_writes_it() {
        assert_eq!(
            queue_record(&message(), &stamp(false)),
            r#"{"messageId":"8f0a3c6e","receiptHandle":"AQEB+/=","body":"{\"order\":7}","attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"1789650001123","SenderId":"AIDAEXAMPLE:session","ApproximateFirstReceiveTimestamp":"1789650001130"},"messageAttributes":{},"md5OfBody":"0cc1","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:111111111111:orders","awsRegion":"us-east-1"}"#
        );
    }

    // spec: 14 md5OfMessageAttributes
    #[test]
    fn the_digest_of_no_attributes_is_null_with_a_window_and_absent_without() {
        assert!(
            queue_record(&message(), &stamp(true))
                .contains(r#""messageAttributes":{},"md5OfMessageAttributes":null,"md5OfBody""#)
        );
        assert!(!queue_record(&message(), &stamp(false)).contains("md5OfMessageAttributes"));
    }

    // spec: 2.1
    #[test]
    fn a_fifo_message_carries_its_group_and_its_number() {
        let mut fifo = message();
        fifo.attributes.extend(attributes(&[
            ("SequenceNumber", "18849496460467696128"),
            ("MessageGroupId", "g1"),
            ("MessageDeduplicationId", "d1"),
            ("AWSTraceHeader", "Root=1-5"),
            ("DeadLetterQueueSourceArn", "arn:q"),
            ("Newer", "x"),
        ]));
        assert!(queue_record(&fifo, &stamp(false)).contains(
            r#""attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"1789650001123","SequenceNumber":"18849496460467696128","MessageGroupId":"g1","SenderId":"AIDAEXAMPLE:session","MessageDeduplicationId":"d1","ApproximateFirstReceiveTimestamp":"1789650001130","DeadLetterQueueSourceArn":"arn:q","AWSTraceHeader":"Root=1-5","Newer":"x"}"#
        ));
    }

    // spec: 2.1
    #[test]
    fn message_attributes_keep_their_type_and_leave_out_the_scalar_that_does_not_apply() {
        let attribute = |data_type: &'static str, value| MessageAttribute {
            data_type: data_type.into(),
            value,
        };
        let mut with = message();
        with.message_attributes = BTreeMap::from([
            (
                "Author".into(),
                attribute("String", AttributeValue::Text("jo".into())),
            ),
            (
                "Weeks".into(),
                attribute("Number.int", AttributeValue::Text("6".into())),
            ),
            (
                "Blob".into(),
                attribute("Binary", AttributeValue::Binary("AAEC".into())),
            ),
        ]);
        with.md5_of_message_attributes = Some("d25a".into());
        assert!(queue_record(&with, &stamp(false)).contains(
            r#""messageAttributes":{"Author":{"stringValue":"jo","stringListValues":[],"binaryListValues":[],"dataType":"String"},"Blob":{"binaryValue":"AAEC","stringListValues":[],"binaryListValues":[],"dataType":"Binary"},"Weeks":{"stringValue":"6","stringListValues":[],"binaryListValues":[],"dataType":"Number.int"}},"md5OfMessageAttributes":"d25a","md5OfBody""#
        ));
    }

    #[test]
    fn its_length_is_foretold() {
        let mut fifo = message();
        fifo.attributes = attributes(&ATTRIBUTES_IN_ORDER.map(|name| (name, "1")));
        let mut escaped = message();
        escaped.body = "{\"a\":\"b\\\\c\"}\n".repeat(1_000).into();
        let mut with = message();
        let names = (0..10).map(|number| format!("Attribute-{number}"));
        with.message_attributes = names
            .map(|name| {
                let attribute = MessageAttribute {
                    data_type: "String".into(),
                    value: AttributeValue::Text("x".into()),
                };
                (name.into(), attribute)
            })
            .collect();
        with.md5_of_message_attributes = Some("5d41402abc4b2a76b9719d911017c592".into());
        for message in [message(), fifo, escaped, with] {
            let stamp = stamp(true);
            let (foretold, written) = (
                queue_record_bytes(&message, &stamp),
                queue_record(&message, &stamp).len(),
            );
            let all_names = 300;
            assert!(
                (written..written + all_names).contains(&foretold),
                "{foretold}, {written}"
            );
        }
    }

    #[test]
    fn every_character_of_a_body_comes_back_from_the_json() {
        let body: String = (0..=0x2ff)
            .filter_map(char::from_u32)
            .chain("\u{2028}\u{ffff}😀\"\\".chars())
            .collect();
        let mut strange = message();
        strange.body = body.clone().into();
        let record: serde_json::Value =
            serde_json::from_str(&queue_record(&strange, &stamp(false))).unwrap();
        assert_eq!(record["body"], serde_json::Value::String(body));
    }
}
