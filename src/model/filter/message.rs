//! An SQS message as patterns see it: the record of the event (spec: 2.1) without what AWS adds after filtering.

use std::convert::Infallible;

use super::value::{Fields, Value, Wanted, project};
use crate::model::json;
use crate::model::record::{AttributeValue, Message, MessageAttribute};

/// The keys of a message's record. eventSource, eventSourceARN and awsRegion are not there yet. // spec: 7.2
pub(super) const KEYS: [&str; 7] = [
    "messageId",
    "receiptHandle",
    "body",
    "attributes",
    "messageAttributes",
    "md5OfMessageAttributes",
    "md5OfBody",
];

/// Whether a path is known to hold an object, in which only the keys are leaves.
pub(super) fn is_object(path: &str) -> bool {
    let attribute = path
        .strip_prefix("messageAttributes.")
        .is_some_and(|name| !name.contains('.'));
    attribute || path == "attributes" || path == "messageAttributes"
}

/// What the wanted keys hold.
pub(super) fn view<'a>(wanted: &'a Wanted, message: &'a Message) -> Fields<'a> {
    let mut fields = Fields::default();
    set(&mut fields, wanted, "messageId", |_| text(&message.id));
    set(&mut fields, wanted, "receiptHandle", |_| {
        text(&message.receipt)
    });
    set(&mut fields, wanted, "body", |wanted| {
        body(wanted, &message.body)
    });
    set(&mut fields, wanted, "attributes", |wanted| {
        let mut attributes = Fields::default();
        for (name, value) in &message.attributes {
            set(&mut attributes, wanted, name, |_| text(value));
        }
        Value::Object(attributes)
    });
    set(&mut fields, wanted, "messageAttributes", |wanted| {
        let mut attributes = Fields::default();
        for (name, value) in &message.message_attributes {
            set(&mut attributes, wanted, name, |wanted| {
                attribute(wanted, value)
            });
        }
        Value::Object(attributes)
    });
    if let Some(md5) = &message.md5_of_message_attributes {
        set(&mut fields, wanted, "md5OfMessageAttributes", |_| text(md5));
    }
    set(&mut fields, wanted, "md5OfBody", |_| {
        text(&message.md5_of_body)
    });
    fields
}

/// The two lists of the event's shape are always empty, so that to a pattern they are not there.
fn attribute<'a>(wanted: &'a Wanted, attribute: &'a MessageAttribute) -> Value<'a> {
    let mut fields = Fields::default();
    let (key, value) = match &attribute.value {
        AttributeValue::Text(value) => ("stringValue", value),
        AttributeValue::Binary(value) => ("binaryValue", value),
    };
    set(&mut fields, wanted, key, |_| text(value));
    set(&mut fields, wanted, "dataType", |_| {
        text(&attribute.data_type)
    });
    Value::Object(fields)
}

/// A JSON object or array is compared as JSON, any other text as the string it is. A lone scalar (`5`, `"x"`, `true`)
/// counts as a string: nothing tells that its sender meant JSON. // spec: 7.3
fn body<'a>(wanted: &'a Wanted, body: &'a str) -> Value<'a> {
    let structured = body
        .trim_start_matches([' ', '\t', '\n', '\r'])
        .starts_with(['{', '[']);
    if !structured {
        return Value::Plain(body);
    }
    match json::check(body).and_then(|raw| project(raw, wanted)) {
        Ok(Value::List(mut items)) => {
            // spec: 7.3 JSON body and string pattern: drop. So an array offers its objects, never its strings.
            items.retain(|item| matches!(item, Value::Object(_)));
            Value::List(items)
        }
        Ok(value) => value,
        Err(_) => Value::Plain(body),
    }
}

fn text(text: &str) -> Value<'_> {
    Value::Text(text.into())
}

fn set<'a>(
    fields: &mut Fields<'a>,
    wanted: &'a Wanted,
    key: &str,
    value: impl FnOnce(&'a Wanted) -> Value<'a>,
) {
    let Ok(()) = fields.put(wanted, key, |wanted| Ok::<_, Infallible>(value(wanted)));
}
