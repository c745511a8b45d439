//! Items and what they hold, as DynamoDB's JSON writes it: `{"id":{"S":"a"}}`.

use std::collections::{BTreeMap, BTreeSet};

use aws_smithy_types::base64;
use serde::{Deserialize, Serialize};

use super::number::Number;

/// An item, or its key: attributes by name, sorted.
pub(super) type Item = BTreeMap<String, Attribute>;

/// The value of an attribute. Sets are sorted, so that equal sets are written the same way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Attribute {
    S(String),
    N(Number),
    B(Binary),
    #[serde(rename = "BOOL")]
    Bool(bool),
    #[serde(rename = "NULL")]
    Null(bool),
    #[serde(rename = "SS")]
    Strings(BTreeSet<String>),
    #[serde(rename = "NS")]
    Numbers(BTreeSet<Number>),
    #[serde(rename = "BS")]
    Binaries(BTreeSet<Binary>),
    L(Vec<Attribute>),
    M(Item),
}

/// Bytes, which travel as base64.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Binary(Vec<u8>);

impl TryFrom<String> for Binary {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        base64::decode(text).map(Self).map_err(|_| "invalid base64")
    }
}

impl From<Binary> for String {
    fn from(bytes: Binary) -> String {
        base64::encode(bytes.0)
    }
}

impl Attribute {
    /// The name of its type.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::S(_) => "S",
            Self::N(_) => "N",
            Self::B(_) => "B",
            Self::Bool(_) => "BOOL",
            Self::Null(_) => "NULL",
            Self::Strings(_) => "SS",
            Self::Numbers(_) => "NS",
            Self::Binaries(_) => "BS",
            Self::L(_) => "L",
            Self::M(_) => "M",
        }
    }

    /// Whether it is an empty string or empty bytes, which a key must not be.
    pub(super) fn is_blank(&self) -> bool {
        match self {
            Self::S(text) => text.is_empty(),
            Self::B(bytes) => bytes.0.is_empty(),
            _ => false,
        }
    }

    // API: DynamoDB, Item sizes and formats
    fn size(&self) -> usize {
        /// What a list or a map costs by itself.
        const NESTING: usize = 3;
        match self {
            Self::S(text) => text.len(),
            Self::N(number) => number_size(number),
            Self::B(bytes) => bytes.0.len(),
            Self::Bool(_) | Self::Null(_) => 1,
            Self::Strings(texts) => texts.iter().map(String::len).sum(),
            Self::Numbers(numbers) => numbers.iter().map(number_size).sum(),
            Self::Binaries(all) => all.iter().map(|bytes| bytes.0.len()).sum(),
            Self::L(list) => NESTING + list.iter().map(|value| 1 + value.size()).sum::<usize>(),
            Self::M(map) => NESTING + map.len() + size(map),
        }
    }
}

fn number_size(number: &Number) -> usize {
    number.digits().div_ceil(2) + 1
}

/// The size of an item or a key, in bytes as DynamoDB counts them.
pub(super) fn size(item: &Item) -> usize {
    item.iter()
        .map(|(name, value)| name.len() + value.size())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::{Item, size};

    fn item(json: &str) -> serde_json::Result<Item> {
        serde_json::from_str(json)
    }

    #[test]
    fn every_type_is_read_and_written_back() {
        let json = r#"{"b":{"B":"AAEC"},"bs":{"BS":["AA=="]},"l":{"L":[{"S":"x"}]},"m":{"M":{"k":{"N":"1"}}},"n":{"N":"101"},"ns":{"NS":["1"]},"ok":{"BOOL":true},"s":{"S":"a"},"ss":{"SS":["a","b"]},"z":{"NULL":true}}"#;
        assert_eq!(serde_json::to_string(&item(json).unwrap()).unwrap(), json);
    }

    #[test]
    fn items_are_equal_whatever_the_order_of_sets_and_the_form_of_numbers() {
        assert_eq!(
            item(r#"{"a":{"SS":["x","y"]},"n":{"N":"1.0"}}"#).unwrap(),
            item(r#"{"n":{"N":"1"},"a":{"SS":["y","x"]}}"#).unwrap()
        );
    }

    #[test]
    fn what_is_no_attribute_is_refused() {
        for json in [
            r#"{"a":"x"}"#,
            r#"{"a":{"X":"x"}}"#,
            r#"{"a":{}}"#,
            r#"{"a":{"N":"x"}}"#,
            r#"{"a":{"B":"!"}}"#,
            r#"{"a":{"S":"x","N":"1"}}"#,
        ] {
            assert!(item(json).is_err(), "{json}");
        }
    }

    #[test]
    fn sizes_are_counted_as_dynamodb_does() {
        for (json, bytes) in [
            (r#"{"id":{"S":"a"}}"#, 3),
            (r#"{"id":{"S":"ä"}}"#, 4),
            (r#"{"n":{"N":"12345"}}"#, 5),
            (r#"{"n":{"N":"1000"}}"#, 3),
            (r#"{"b":{"B":"AAEC"},"z":{"NULL":true}}"#, 6),
            (r#"{"l":{"L":[{"S":"xy"}]}}"#, 7),
            (r#"{"m":{"M":{"k":{"S":"v"}}}}"#, 7),
        ] {
            assert_eq!(size(&item(json).unwrap()), bytes, "{json}");
        }
    }
}
