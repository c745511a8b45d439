//! A table: its key, its items, and how its keys are spread over partitions.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    attribute::{Attribute, Item, size},
    error::{Code, DynamoError},
};

/// A table.
#[derive(Debug)]
pub(in crate::sim) struct Table {
    pub(super) schema: Schema,
    pub(super) created_ms: u64,
    /// Items by the values of their keys.
    pub(super) items: BTreeMap<Vec<Attribute>, Item>,
    /// The first key hash of each partition; the first is 0.
    pub(super) partitions: BTreeSet<u64>,
    /// Its latest stream, also a disabled one.
    pub(super) stream: Option<String>,
}

/// The key: one attribute or two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schema(Vec<KeyAttribute>);

/// An attribute of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct KeyAttribute {
    name: String,
    kind: KeyKind,
}

/// What a key may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum KeyKind {
    S,
    N,
    B,
}

/// An element of a key schema, as it travels.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KeySchemaElement {
    pub(super) attribute_name: String,
    pub(super) key_type: Role,
}

/// What an attribute is to the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Role {
    Hash,
    Range,
}

/// The definition of a key's attribute, as it travels.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttributeDefinition {
    pub(super) attribute_name: String,
    pub(super) attribute_type: KeyKind,
}

// API: DynamoDB PutItem, Item; Quotas: Item size
const ITEM_BYTES_MAX: usize = 400 * 1024;

impl Schema {
    // API: DynamoDB CreateTable, KeySchema and AttributeDefinitions
    pub(super) fn new(
        elements: &[KeySchemaElement],
        definitions: &[AttributeDefinition],
    ) -> Result<Self, DynamoError> {
        let roles: Vec<Role> = elements.iter().map(|element| element.key_type).collect();
        if !matches!(roles[..], [Role::Hash] | [Role::Hash, Role::Range]) {
            return Err(Code::Validation.because("Invalid KeySchema: The first KeySchemaElement is a HASH key type, the second a RANGE key type"));
        }
        let define = |element: &KeySchemaElement| {
            let definition = definitions
                .iter()
                .find(|definition| definition.attribute_name == element.attribute_name);
            let definition = definition.ok_or_else(|| Code::Validation.because(
                "One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions.",
            ))?;
            Ok(KeyAttribute {
                name: element.attribute_name.clone(),
                kind: definition.attribute_type,
            })
        };
        let attributes = elements
            .iter()
            .map(define)
            .collect::<Result<Vec<_>, DynamoError>>()?;
        if definitions.len() != attributes.len() {
            return Err(Code::Validation.because("One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions"));
        }
        Ok(Self(attributes))
    }

    pub(super) fn elements(&self) -> Vec<KeySchemaElement> {
        let roles = [Role::Hash, Role::Range];
        let element = |(attribute, key_type): (&KeyAttribute, Role)| KeySchemaElement {
            attribute_name: attribute.name.clone(),
            key_type,
        };
        self.0.iter().zip(roles).map(element).collect()
    }

    pub(super) fn definitions(&self) -> Vec<AttributeDefinition> {
        let definition = |attribute: &KeyAttribute| AttributeDefinition {
            attribute_name: attribute.name.clone(),
            attribute_type: attribute.kind,
        };
        self.0.iter().map(definition).collect()
    }

    pub(super) fn names(&self, name: &str) -> bool {
        self.0.iter().any(|attribute| attribute.name == name)
    }

    /// The key of an item.
    // API: DynamoDB PutItem: all of the primary key, of the right types, not empty
    pub(super) fn key(&self, item: &Item) -> Result<Item, DynamoError> {
        let invalid = |why: String| {
            Code::Validation.because(format!("One or more parameter values were invalid: {why}"))
        };
        let mut key = Item::new();
        for KeyAttribute { name, kind } in &self.0 {
            let Some(value) = item.get(name) else {
                return Err(invalid(format!("Missing the key {name} in the item")));
            };
            let wanted = match kind {
                KeyKind::S => "S",
                KeyKind::N => "N",
                KeyKind::B => "B",
            };
            if value.kind() != wanted {
                return Err(invalid(format!(
                    "Type mismatch for key {name} expected: {wanted} actual: {}",
                    value.kind()
                )));
            }
            if value.is_blank() {
                return Err(invalid(format!(
                    "The AttributeValue for a key attribute cannot contain an empty value. Key: {name}"
                )));
            }
            key.insert(name.clone(), value.clone());
        }
        Ok(key)
    }

    /// What is given as a key: the key's attributes and no others.
    pub(super) fn exact_key(&self, given: &Item) -> Result<Item, DynamoError> {
        let key = self.key(given);
        match key {
            Ok(key) if key.len() == given.len() => Ok(key),
            _ => {
                Err(Code::Validation.because("The provided key element does not match the schema"))
            }
        }
    }

    /// Where a key lies among the partitions: a stable hash of its first attribute.
    pub(super) fn hash(&self, key: &Item) -> u64 {
        let text = self.0.first().and_then(|first| key.get(&first.name));
        let text = text.and_then(|value| serde_json::to_string(value).ok());
        let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = text
            .unwrap_or_default()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, fnv);
        // Partitions are ranges: the last byte must reach the highest bits.
        let mixed = (hash ^ (hash >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 29)
    }
}

impl Table {
    pub(super) fn new(schema: Schema, partitions: u32, now_ms: u64) -> Self {
        let width = u64::MAX / u64::from(partitions.max(1));
        Self {
            schema,
            created_ms: now_ms,
            items: BTreeMap::new(),
            partitions: (0..u64::from(partitions.max(1)))
                .map(|n| n * width)
                .collect(),
            stream: None,
        }
    }

    /// Puts an item in place of what has its key, or removes that: what was there before.
    pub(super) fn replace(
        &mut self,
        key: &Item,
        item: Option<Item>,
    ) -> Result<Option<Item>, DynamoError> {
        let at: Vec<Attribute> = key.values().cloned().collect();
        let Some(item) = item else {
            return Ok(self.items.remove(&at));
        };
        if size(&item) > ITEM_BYTES_MAX {
            return Err(Code::Validation.because("Item size has exceeded the maximum allowed size"));
        }
        Ok(self.items.insert(at, item))
    }

    pub(super) fn get(&self, key: &Item) -> Option<&Item> {
        self.items
            .get(&key.values().cloned().collect::<Vec<Attribute>>())
    }

    /// Cuts a partition in two and returns where the second begins.
    pub(super) fn split(&mut self, partition: u64) -> Option<u64> {
        let next = self.partitions.range(partition + 1..).next().copied();
        let middle = partition + (next.unwrap_or(u64::MAX) - partition) / 2;
        self.partitions.insert(middle).then_some(middle)
    }
}
