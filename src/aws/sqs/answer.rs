//! ReceiveMessage's answer, read from its own text. The same messages come of it as of the SDK's reading, which a test holds against
//! each other.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde::Deserialize;

use super::{Flaw, Unusable};
use crate::aws::fault::Failure;
use crate::aws::text::Text;
use crate::model::record::{AttributeValue, Message, MessageAttribute};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    #[serde(borrow, default)]
    messages: Option<Vec<Wire<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire<'a> {
    #[serde(borrow, default)]
    message_id: Text<'a>,
    #[serde(borrow, default)]
    receipt_handle: Text<'a>,
    #[serde(borrow, default)]
    body: Text<'a>,
    #[serde(borrow, default, rename = "MD5OfBody")]
    md5_of_body: Text<'a>,
    #[serde(borrow, default)]
    attributes: Option<BTreeMap<String, Text<'a>>>,
    #[serde(borrow, default)]
    message_attributes: Option<BTreeMap<String, Attribute<'a>>>,
    #[serde(borrow, default, rename = "MD5OfMessageAttributes")]
    md5_of_message_attributes: Text<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute<'a> {
    #[serde(borrow, default)]
    string_value: Text<'a>,
    #[serde(borrow, default)]
    binary_value: Text<'a>,
    #[serde(borrow, default)]
    data_type: Text<'a>,
}

/// The messages of an answer, each by itself: one that can not be used keeps no other from its way.
///
/// # Errors
/// It is not what ReceiveMessage answers.
pub(super) fn messages(body: &[u8]) -> Result<Vec<Result<Message, Unusable>>, Failure> {
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|error| Failure::unreadable(&format!("ReceiveMessage: {error}")))?;
    let messages = answer.messages.unwrap_or_default();
    Ok(messages.into_iter().map(message).collect())
}

fn message(mut from: Wire) -> Result<Message, Unusable> {
    let attributes: BTreeMap<String, String> = from
        .attributes
        .take()
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.owned()?)))
        .collect();
    let group = attributes.get("MessageGroupId").cloned();
    usable(from, attributes).map_err(|why| Unusable { group, why })
}

fn usable(from: Wire, attributes: BTreeMap<String, String>) -> Result<Message, Flaw> {
    let id = from.message_id.owned().unwrap_or_default();
    let missing = |field| Flaw::Incomplete {
        id: id.clone(),
        field,
    };
    if id.is_empty() {
        return Err(missing("a MessageId"));
    }
    let receipt = from
        .receipt_handle
        .owned()
        .filter(|receipt| !receipt.is_empty())
        .ok_or_else(|| missing("a ReceiptHandle"))?;
    let body = from.body.owned().ok_or_else(|| missing("a Body"))?;
    let found = hexadecimal(&Md5::digest(body.as_bytes()));
    let stated = from.md5_of_body.owned().unwrap_or_else(|| found.clone());
    if !stated.eq_ignore_ascii_case(&found) {
        return Err(Flaw::Corrupt { id, stated, found });
    }
    let mut message_attributes = BTreeMap::new();
    for (name, attribute) in from.message_attributes.unwrap_or_default() {
        let value = attribute.value();
        let value = value.ok_or_else(|| missing("the value of a message attribute"))?;
        let data_type = attribute.data_type.owned().unwrap_or_default();
        message_attributes.insert(name, MessageAttribute { data_type, value });
    }
    Ok(Message {
        receipt,
        body,
        attributes,
        message_attributes,
        md5_of_body: stated,
        md5_of_message_attributes: from.md5_of_message_attributes.owned(),
        id,
    })
}

impl Attribute<'_> {
    /// Its one value. Bytes stay the base64 that they came as, if a function can decode it.
    fn value(&self) -> Option<AttributeValue> {
        if let Some(text) = self.string_value.clone().owned() {
            return Some(AttributeValue::Text(text));
        }
        let coded: Cow<str> = self.binary_value.clone().there()?;
        let readable = STANDARD.decode(coded.as_bytes()).is_ok();
        readable.then(|| AttributeValue::Binary(coded.into_owned()))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

#[cfg(test)]
mod tests;
