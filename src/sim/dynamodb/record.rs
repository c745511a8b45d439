//! Stream records: a change of an item, as GetRecords shows it.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::{
    attribute::{Item, size},
    error::{Code, DynamoError},
    stream::{Mint, Record},
};
use crate::sim::world::uuid;

/// What of a changed item its record shows.
// API: DynamoDB StreamSpecification, StreamViewType
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ViewType {
    /// The key.
    KeysOnly,
    /// The item after the change.
    NewImage,
    /// The item before the change.
    OldImage,
    /// Both.
    NewAndOldImages,
}

/// A change of an item.
pub(super) struct Change<'a> {
    pub(super) key: &'a Item,
    pub(super) old: Option<&'a Item>,
    pub(super) new: Option<&'a Item>,
    /// Whether the service made it: the item's time to live ran out.
    pub(super) by_service: bool,
}

impl Change<'_> {
    /// AWS's name for it; none for a change that changes nothing and leaves no record.
    // spec: 2.3
    pub(super) fn event_name(&self) -> Option<&'static str> {
        match (self.old, self.new) {
            (None, None) => None,
            (None, Some(_)) => Some("INSERT"),
            (Some(_), None) => Some("REMOVE"),
            (Some(old), Some(new)) => (old != new).then_some("MODIFY"),
        }
    }

    /// Its record; none for a change that changes nothing.
    // API: DynamoDB Streams, Record and StreamRecord
    pub(super) fn record(
        &self,
        view: ViewType,
        region: &str,
        now_ms: u64,
        mint: &mut Mint<'_>,
    ) -> Result<Option<Record>, DynamoError> {
        let Some(event_name) = self.event_name() else {
            return Ok(None);
        };
        let shows_new = matches!(view, ViewType::NewImage | ViewType::NewAndOldImages);
        let shows_old = matches!(view, ViewType::OldImage | ViewType::NewAndOldImages);
        let (new, old) = (
            self.new.filter(|_| shows_new),
            self.old.filter(|_| shows_old),
        );
        let bytes = size(self.key) + new.map_or(0, size) + old.map_or(0, size);
        let number = mint.number();
        let json = to_raw_value(&Shown {
            event_id: uuid(mint.rng).replace('-', ""),
            event_name,
            event_version: "1.1",
            event_source: "aws:dynamodb",
            region,
            dynamodb: StreamRecord {
                // Whole seconds; written with a fraction, as a floating-point number.
                created: std::time::Duration::from_secs(now_ms / 1000).as_secs_f64(),
                keys: self.key,
                new_image: new,
                old_image: old,
                sequence_number: number.to_string(),
                size_bytes: bytes,
                stream_view_type: view,
            },
            // API: DynamoDB, Streams and Time to Live
            user_identity: self.by_service.then_some(Identity {
                kind: "Service",
                principal_id: "dynamodb.amazonaws.com",
            }),
        });
        let json: Box<RawValue> =
            json.map_err(|error| Code::InternalServerError.because(error.to_string()))?;
        Ok(Some(Record {
            number,
            at_ms: now_ms,
            bytes,
            json,
        }))
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(rename = "eventID")]
    event_id: String,
    #[serde(rename = "eventName")]
    event_name: &'static str,
    #[serde(rename = "eventVersion")]
    event_version: &'static str,
    #[serde(rename = "eventSource")]
    event_source: &'static str,
    #[serde(rename = "awsRegion")]
    region: &'a str,
    dynamodb: StreamRecord<'a>,
    #[serde(rename = "userIdentity", skip_serializing_if = "Option::is_none")]
    user_identity: Option<Identity>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct StreamRecord<'a> {
    #[serde(rename = "ApproximateCreationDateTime")]
    created: f64,
    keys: &'a Item,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_image: Option<&'a Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_image: Option<&'a Item>,
    sequence_number: String,
    size_bytes: usize,
    stream_view_type: ViewType,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Identity {
    #[serde(rename = "Type")]
    kind: &'static str,
    principal_id: &'static str,
}
