//! A mapping that was made through the API, as the store keeps it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::properties::Properties;

/// What a mapping was asked to be; kept as JSON. Whether it still can be is asked anew of each configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Registration {
    pub(super) version: u32,
    /// 36 characters.
    #[serde(rename = "UUID")]
    pub uuid: String,
    /// Its label in metrics and logs: derived when it was made, and the same ever since unless it is given.
    pub name: String,
    /// Of its creation or its last update, in milliseconds since 1970.
    pub last_modified_ms: u64,
    /// The settings that were given, under AWS's names; the others are as AWS has them.
    pub properties: Properties,
    /// By key.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

const VERSION: u32 = 1;

/// What the store holds is no registration that this program knows.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Written by a later version of this program.
    #[error("a registration of version {found}, and this program knows version {VERSION}")]
    Version {
        /// The version it has.
        found: u32,
    },
    /// Not what was written.
    #[error("no registration: {0}")]
    Json(#[from] serde_json::Error),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Versioned {
    version: u32,
}

impl Registration {
    pub(super) fn new(uuid: String, name: String, now_ms: u64, properties: Properties) -> Self {
        Registration {
            version: VERSION,
            uuid,
            name,
            last_modified_ms: now_ms,
            properties,
            tags: BTreeMap::new(),
        }
    }

    /// As the store keeps it.
    ///
    /// # Errors
    /// None that is known: it holds nothing that JSON does not.
    pub fn encode(&self) -> Result<Vec<u8>, Unreadable> {
        Ok(serde_json::to_vec(self)?)
    }

    /// What `encode` wrote.
    ///
    /// # Errors
    /// It is no registration, or one of a later version.
    pub fn decode(stored: &[u8]) -> Result<Self, Unreadable> {
        let Versioned { version: found } = serde_json::from_slice(stored)?;
        if found != VERSION {
            return Err(Unreadable::Version { found });
        }
        Ok(serde_json::from_slice(stored)?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_registration_is_read_as_it_was_written() {
        let properties =
            json!({"FunctionName": "f", "BatchSize": 7, "Extensions": {"DeaggregateKpl": true}});
        let properties: Properties = serde_json::from_value(properties).unwrap();
        let uuid = "14e0db71-5d35-4eb5-b481-8945cf9d10c2".to_owned();
        let mut registration =
            Registration::new(uuid, "q-f".to_owned(), 1_789_650_000_123, properties);
        registration.tags.insert("team".to_owned(), "é".to_owned());
        let stored = registration.encode().unwrap();
        let text = r#"{"Version":1,"UUID":"14e0db71-5d35-4eb5-b481-8945cf9d10c2","Name":"q-f","LastModifiedMs":1789650000123,"Properties":{"BatchSize":7,"Extensions":{"DeaggregateKpl":true},"FunctionName":"f"},"Tags":{"team":"é"}}"#;
        assert_eq!(String::from_utf8(stored.clone()).unwrap(), text);
        assert_eq!(Registration::decode(&stored).unwrap(), registration);
    }

    #[test]
    fn what_is_of_another_version_or_damaged_is_refused() {
        let cases = [
            (
                r#"{"Version":2,"Something":"else"}"#,
                "a registration of version 2, and this program knows version 1",
            ),
            (
                "{}",
                "no registration: missing field `Version` at line 1 column 2",
            ),
            (
                r#"{"Version":1}"#,
                "no registration: missing field `UUID` at line 1 column 13",
            ),
            (
                "",
                "no registration: EOF while parsing a value at line 1 column 0",
            ),
        ];
        for (stored, why) in cases {
            let error = Registration::decode(stored.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), why, "{stored}");
        }
    }
}
