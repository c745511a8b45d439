//! An SQS message as patterns see it: the record of the event (spec: 2.1) without what AWS adds after filtering.

use super::source::Holds;
use super::value::{Fields, Value, Wanted, project};
use crate::model::record::{AttributeValue, Message, MessageAttribute};

/// The keys of a message's record. eventSource, eventSourceARN and awsRegion are not there yet. // spec: 7.2
const KEYS: [&str; 7] = [
    "messageId",
    "receiptHandle",
    "body",
    "attributes",
    "messageAttributes",
    "md5OfMessageAttributes",
    "md5OfBody",
];

/// What a message has at a path: a string wherever its sender does not decide.
pub(super) fn holds(path: &str) -> Holds {
    let (top, below) = match path.split_once('.') {
        Some((top, below)) => (top, Some(below)),
        None => (path, None),
    };
    match (top, below) {
        ("attributes" | "messageAttributes", None) => Holds::Object,
        ("messageAttributes", Some(name)) if !name.contains('.') => Holds::Object,
        ("body", None) => Holds::Body,
        ("body", Some(_)) => Holds::Anything,
        _ if KEYS.contains(&top) => Holds::Text,
        _ => Holds::Nothing,
    }
}

/// What the wanted keys hold.
pub(super) fn view<'a>(wanted: &Wanted, message: &'a Message<'a>) -> Fields<'a> {
    let mut fields = Fields::default();
    fields.set(wanted, "messageId", |_| Value::text(&message.id));
    fields.set(wanted, "receiptHandle", |_| Value::text(&message.receipt));
    fields.set(wanted, "body", |wanted| body(wanted, &message.body));
    fields.set(wanted, "attributes", |wanted| {
        let mut attributes = Fields::default();
        for (name, value) in &message.attributes {
            attributes.set(wanted, name, |_| Value::text(value));
        }
        Value::Object(attributes)
    });
    fields.set(wanted, "messageAttributes", |wanted| {
        let mut attributes = Fields::default();
        for (name, value) in &message.message_attributes {
            attributes.set(wanted, name, |wanted| attribute(wanted, value));
        }
        Value::Object(attributes)
    });
    if let Some(md5) = &message.md5_of_message_attributes {
        fields.set(wanted, "md5OfMessageAttributes", |_| Value::text(md5));
    }
    fields.set(wanted, "md5OfBody", |_| Value::text(&message.md5_of_body));
    fields
}

/// The two lists of the event's shape are always empty, so that to a pattern they are not there.
fn attribute<'a>(wanted: &Wanted, attribute: &'a MessageAttribute<'a>) -> Value<'a> {
    let mut fields = Fields::default();
    let (key, value) = match &attribute.value {
        AttributeValue::Text(value) => ("stringValue", value),
        AttributeValue::Binary(value) => ("binaryValue", value),
    };
    fields.set(wanted, key, |_| Value::text(value));
    fields.set(wanted, "dataType", |_| Value::text(&attribute.data_type));
    Value::Object(fields)
}

/// A JSON object or array is compared as JSON, any other text as the string it is. A lone scalar (`5`, `"x"`, `true`)
/// counts as a string: nothing tells that its sender meant JSON. // spec: 7.3
fn body<'a>(wanted: &Wanted, body: &'a str) -> Value<'a> {
    let structured = body
        .trim_start_matches([' ', '\t', '\n', '\r'])
        .starts_with(['{', '[']);
    if !structured {
        return Value::Plain(body);
    }
    match project(body, wanted) {
        Ok(Value::List(mut items)) => {
            // spec: 7.3 JSON body and string pattern: drop. So an array offers its objects, never its strings.
            items.retain(|item| matches!(item, Value::Object(_)));
            Value::List(items)
        }
        Ok(value) => value,
        Err(_) => Value::Plain(body),
    }
}
