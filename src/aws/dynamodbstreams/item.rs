//! An item of a table as JSON text with its types (`{"id":{"S":"a"}}`), keys sorted, so that a run repeats to the byte.

use std::collections::BTreeMap;

use aws_sdk_dynamodbstreams::types::AttributeValue;
use aws_smithy_types::base64;
use serde::ser::{Error as _, Serialize, SerializeMap as _, Serializer};

use crate::aws::fault::Failure;

/// The text of an item, or of its keys. A value of a type that did not exist when this was built is an error: to leave it
/// out would change the item.
pub(super) fn text<'a, I>(attributes: I) -> Result<String, Failure>
where
    I: IntoIterator<Item = (&'a String, &'a AttributeValue)>,
{
    serde_json::to_string(&sorted(attributes)).map_err(|error| {
        Failure::unreadable(&format!("an item can not be written as JSON: {error}"))
    })
}

fn sorted<'a, I>(attributes: I) -> BTreeMap<&'a str, Typed<'a>>
where
    I: IntoIterator<Item = (&'a String, &'a AttributeValue)>,
{
    attributes
        .into_iter()
        .map(|(name, value)| (name.as_str(), Typed(value)))
        .collect()
}

/// A value with its type.
struct Typed<'a>(&'a AttributeValue);

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self.0 {
            AttributeValue::S(text) => map.serialize_entry("S", text)?,
            AttributeValue::N(number) => map.serialize_entry("N", number)?,
            AttributeValue::B(bytes) => map.serialize_entry("B", &base64::encode(bytes))?,
            AttributeValue::Bool(value) => map.serialize_entry("BOOL", value)?,
            AttributeValue::Null(value) => map.serialize_entry("NULL", value)?,
            AttributeValue::Ss(texts) => map.serialize_entry("SS", texts)?,
            AttributeValue::Ns(numbers) => map.serialize_entry("NS", numbers)?,
            AttributeValue::Bs(several) => {
                let texts: Vec<String> = several.iter().map(base64::encode).collect();
                map.serialize_entry("BS", &texts)?;
            }
            AttributeValue::L(values) => {
                let values: Vec<Typed<'_>> = values.iter().map(Typed).collect();
                map.serialize_entry("L", &values)?;
            }
            AttributeValue::M(members) => map.serialize_entry("M", &sorted(members))?,
            _ => return Err(S::Error::custom("a value of an unknown type")),
        }
        map.end()
    }
}
