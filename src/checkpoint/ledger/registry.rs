//! What was registered: mappings that no file of configuration defines, kept with their checkpoints and not by them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::error::StoreError;
use super::super::value::{Key, is_mapping};
use super::Ledger;

/// What a registration may take as JSON.
pub const REGISTRATION_BYTES_MAX: usize = 64 * 1024;

/// How many arrays and objects may lie in each other: JSON is read back to a depth of 128, and an export adds its own.
pub const REGISTRATION_DEPTH_MAX: usize = 32;

impl Ledger {
    /// Replaces what is registered under the mapping's id; none: removes it.
    pub fn register(&mut self, mapping: &str, entry: Option<Value>) -> Result<(), StoreError> {
        if !is_mapping(mapping) {
            return Err(StoreError::Mapping(mapping.to_owned()));
        }
        match entry {
            Some(entry) => {
                fits(mapping, &entry)?;
                self.registry.insert(mapping.to_owned(), entry);
            }
            None => drop(self.registry.remove(mapping)),
        }
        self.touched.insert(Key::Format);
        self.touched.insert(Key::Registration(mapping.to_owned()));
        Ok(())
    }

    /// All that is registered, by the mapping's id.
    pub fn registered(&self) -> BTreeMap<String, Value> {
        self.registry.clone()
    }
}

/// Within the bounds, so that it can be read back from the file and from an export.
fn fits(mapping: &str, entry: &Value) -> Result<(), StoreError> {
    if !is_within(entry, REGISTRATION_DEPTH_MAX) {
        let mapping = mapping.to_owned();
        return Err(StoreError::RegistrationDepth { mapping });
    }
    let bytes = entry.to_string().len();
    if bytes > REGISTRATION_BYTES_MAX {
        let mapping = mapping.to_owned();
        return Err(StoreError::RegistrationSize { mapping, bytes });
    }
    Ok(())
}

fn is_within(value: &Value, levels: usize) -> bool {
    let Some(inner) = levels.checked_sub(1) else {
        return !(value.is_array() || value.is_object());
    };
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        Value::Array(items) => items.iter().all(|item| is_within(item, inner)),
        Value::Object(fields) => fields.values().all(|field| is_within(field, inner)),
    }
}
