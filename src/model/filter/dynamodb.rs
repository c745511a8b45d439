//! A record of a DynamoDB stream as patterns see it: the record of the event (spec: 2.3), types of attributes included.

use super::source::Holds;
use super::value::{Fields, Value, Wanted, project};
use crate::model::event::whole_seconds;
use crate::model::record::DynamoRecord;

/// What a stream may show of an item.
const VIEWS: [&str; 4] = ["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"];

/// What a record has at a path. eventSource, eventSourceARN and awsRegion are not there yet. // spec: 7.2
pub(super) fn holds(path: &str) -> Holds {
    let keys: Vec<&str> = path.split('.').collect();
    match keys.as_slice() {
        ["eventID" | "eventVersion"] => Holds::Text,
        ["eventName"] => Holds::OneOf(&["INSERT", "MODIFY", "REMOVE"]),
        ["userIdentity"] => Holds::Object,
        ["userIdentity", "type" | "principalId"] => Holds::Text,
        ["dynamodb"] => Holds::Object,
        ["dynamodb", "SequenceNumber"] => Holds::Text,
        ["dynamodb", "StreamViewType"] => Holds::OneOf(&VIEWS),
        ["dynamodb", "SizeBytes" | "ApproximateCreationDateTime"] => Holds::Number,
        ["dynamodb", "Keys" | "NewImage" | "OldImage", item @ ..] => in_item(item),
        _ => Holds::Nothing,
    }
}

/// What an item has: below the attribute's name its type, and below that the value. A name may have dots of its own, so
/// that only the last key tells.
fn in_item(keys: &[&str]) -> Holds {
    match keys {
        [] => Holds::Object,
        [_attribute] => Holds::Untyped,
        [_, .., last] => match *last {
            "S" | "SS" | "B" | "BS" => Holds::Text,
            "N" | "NS" => Holds::NumberText,
            "BOOL" | "NULL" => Holds::Bool,
            "M" | "L" => Holds::Object,
            _ => Holds::Untyped,
        },
    }
}

/// What the wanted keys hold.
pub(super) fn view<'a>(wanted: &Wanted, record: &'a DynamoRecord) -> Fields<'a> {
    let mut fields = Fields::default();
    fields.set(wanted, "eventID", |_| Value::text(&record.event_id));
    fields.set(wanted, "eventName", |_| Value::text(&record.event_name));
    fields.set(wanted, "eventVersion", |_| {
        Value::text(&record.event_version)
    });
    fields.set(wanted, "dynamodb", |wanted| {
        Value::Object(change(wanted, record))
    });
    if let Some((kind, principal_id)) = &record.user_identity {
        fields.set(wanted, "userIdentity", |wanted| {
            let mut identity = Fields::default();
            identity.set(wanted, "type", |_| Value::text(kind));
            identity.set(wanted, "principalId", |_| Value::text(principal_id));
            Value::Object(identity)
        });
    }
    fields
}

fn change<'a>(wanted: &Wanted, record: &'a DynamoRecord) -> Fields<'a> {
    let mut fields = Fields::default();
    fields.set(wanted, "ApproximateCreationDateTime", |_| {
        Value::Number(whole_seconds(record.arrived_ms).into())
    });
    let items = [
        ("Keys", Some(&record.keys)),
        ("NewImage", record.new_image.as_ref()),
        ("OldImage", record.old_image.as_ref()),
    ];
    for (key, item) in items {
        if let Some(text) = item {
            fields.set(wanted, key, |wanted| {
                project(text, wanted).unwrap_or(Value::Plain(text))
            });
        }
    }
    fields.set(wanted, "SequenceNumber", |_| {
        Value::text(record.sequence_number.as_str())
    });
    fields.set(wanted, "SizeBytes", |_| {
        Value::Number(record.size_bytes.to_string().into())
    });
    fields.set(wanted, "StreamViewType", |_| Value::text(&record.view_type));
    fields
}
