//! One message as the queue keeps it, and its attributes as they travel.

use std::{collections::BTreeMap, sync::Arc};

use aws_smithy_types::base64;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap};

/// A user's attribute of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Attribute {
    /// `String`, `Number` or `Binary`, perhaps with a custom suffix.
    pub(super) data_type: String,
    pub(super) value: Value,
}

/// SQS has no list values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim) enum Value {
    Text(String),
    Binary(Vec<u8>),
}

impl Attribute {
    /// How much it adds to a message's size, without its name.
    // API: SQS SendMessage, MessageAttributes: name, type and value count
    pub(super) fn size(&self) -> usize {
        let value = match &self.value {
            Value::Text(text) => text.len(),
            Value::Binary(bytes) => bytes.len(),
        };
        self.data_type.len() + value
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    data_type: String,
    string_value: Option<String>,
    binary_value: Option<String>,
}

impl<'de> Deserialize<'de> for Attribute {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let wire = Wire::deserialize(input)?;
        let value = match (wire.string_value, wire.binary_value) {
            (Some(text), None) => Value::Text(text),
            (None, Some(text)) => Value::Binary(base64::decode(text).map_err(D::Error::custom)?),
            _ => {
                return Err(D::Error::custom(
                    "a message attribute must have exactly one value",
                ));
            }
        };
        Ok(Self {
            data_type: wire.data_type,
            value,
        })
    }
}

impl Serialize for Attribute {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        let mut map = output.serialize_map(Some(2))?;
        match &self.value {
            Value::Text(text) => map.serialize_entry("StringValue", text)?,
            Value::Binary(bytes) => map.serialize_entry("BinaryValue", &base64::encode(bytes))?,
        }
        map.serialize_entry("DataType", &self.data_type)?;
        map.end()
    }
}

/// What a sender gives.
#[derive(Clone, Debug, Default)]
pub(in crate::sim) struct Draft {
    pub(in crate::sim) body: String,
    pub(in crate::sim) group: Option<String>,
    pub(in crate::sim) deduplication: Option<String>,
    pub(in crate::sim) attributes: BTreeMap<String, Attribute>,
    pub(in crate::sim) trace: Option<String>,
    pub(in crate::sim) delay_seconds: Option<u32>,
}

/// A message in a queue.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Message {
    pub(super) id: String,
    pub(super) body: Arc<str>,
    pub(super) md5: String,
    pub(super) group: Option<Arc<str>>,
    pub(super) deduplication: Option<String>,
    /// FIFO: larger for each later message.
    pub(super) sequence: Option<String>,
    pub(super) attributes: BTreeMap<String, Attribute>,
    /// The AWSTraceHeader system attribute.
    pub(super) trace: Option<String>,
    /// The ARN of the queue from which it was moved to this dead-letter queue.
    pub(super) dead_letter_source: Option<String>,
    pub(super) sent_ms: u64,
    pub(super) first_received_ms: Option<u64>,
    /// ApproximateReceiveCount.
    pub(super) receives: u32,
    pub(super) phase: Phase,
}

/// Where in its life a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// May be received.
    Visible,
    /// Not yet visible for the first time.
    Delayed { until_ms: u64 },
    /// Received at `since_ms`, hidden until `until_ms`.
    InFlight { since_ms: u64, until_ms: u64 },
}
