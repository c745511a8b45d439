//! What AWS lists -> mappings that were found.

use serde_json::Value as Json;

use super::value::Value;
use super::{Absence, Found};
use crate::config::error::quoted;

/// The mappings of a list under the keys that AWS prints, ordered by source, function and UUID: AWS's own order is none.
pub fn found(listed: &[Json]) -> Vec<Found> {
    let mut listed: Vec<&Json> = listed.iter().collect();
    let text = |mapping: &Json, key: &str| mapping[key].as_str().unwrap_or_default().to_owned();
    listed.sort_by_key(|mapping| {
        ["EventSourceArn", "FunctionArn", "UUID"].map(|key| text(mapping, key))
    });
    let found = listed.into_iter().map(|mapping| {
        let settings = match Value::from_json(mapping) {
            Some(Value::Map(entries)) => Some(entries),
            Some(_) | None => None,
        };
        let absent = match (&settings, mapping["State"].as_str()) {
            (None, _) => Some(Absence::Unknown("it is no mapping".to_owned())),
            (Some(_), Some("Deleting")) => Some(Absence::NotMade("it is being deleted".to_owned())),
            (Some(_), _) => None,
        };
        Found {
            origin: origin(mapping),
            // AWS has none, a running service has.
            name: mapping["Name"].as_str().map(str::to_owned),
            kind: None,
            settings: settings.unwrap_or_default(),
            notes: Vec::new(),
            absent,
        }
    });
    found.collect()
}

/// `UUID, SOURCE to FUNCTION`, as far as it has them.
fn origin(mapping: &Json) -> String {
    let text = |key: &str| mapping[key].as_str();
    let Some(uuid) = text("UUID") else {
        return quoted(&mapping.to_string());
    };
    let source = text("EventSourceArn").map(|arn| format!(", {arn}"));
    let function = text("FunctionArn").map(|arn| format!(" to {arn}"));
    let [source, function] = [source, function].map(Option::unwrap_or_default);
    format!("{uuid}{source}{function}")
}
