//! A Kinesis record as patterns see it: what is under `kinesis` in the event (spec: 2.2), its data decoded.

use super::source::Holds;
use super::value::{Fields, Value, Wanted, project};
use crate::model::event::seconds;
use crate::model::record::KinesisRecord;

/// What a record has at a path. `kinesis` itself is no key, nor is what AWS adds after filtering. // spec: 7.2
pub(super) fn holds(path: &str) -> Holds {
    match path.split_once('.') {
        None => match path {
            "data" => Holds::Object,
            "partitionKey" | "sequenceNumber" => Holds::Text,
            "kinesisSchemaVersion" => Holds::OneOf(&["1.0"]),
            "approximateArrivalTimestamp" => Holds::Number,
            _ => Holds::Nothing,
        },
        Some(("data", _)) => Holds::Anything,
        Some(_) => Holds::Nothing,
    }
}

/// What the wanted keys hold.
pub(super) fn view<'a>(wanted: &Wanted, record: &'a KinesisRecord) -> Fields<'a> {
    let mut fields = Fields::default();
    fields.set(wanted, "kinesisSchemaVersion", |_| Value::text("1.0"));
    fields.set(wanted, "partitionKey", |_| {
        Value::text(&record.partition_key)
    });
    fields.set(wanted, "sequenceNumber", |_| {
        Value::text(record.sequence_number.as_str())
    });
    fields.set(wanted, "data", |wanted| data(wanted, record.data.plain()));
    fields.set(wanted, "approximateArrivalTimestamp", |_| {
        Value::Number(seconds(record.arrived_ms).into())
    });
    fields
}

/// Any JSON is compared as JSON, a lone scalar too: a string pattern, for which it could count as a string, is refused.
/// What is no JSON, or no text at all, satisfies nothing that asks for a key inside. // spec: 7.3
fn data<'a>(wanted: &Wanted, data: &'a [u8]) -> Value<'a> {
    let Ok(text) = str::from_utf8(data) else {
        return Value::Plain("");
    };
    project(text, wanted).unwrap_or(Value::Plain(text))
}
