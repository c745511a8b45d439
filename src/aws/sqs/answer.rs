//! SQS's answers, read from their own text. The same comes of them as of the SDK's reading, which tests hold against each other.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde::Deserialize;

use super::{Flaw, Unusable};
use crate::aws::fault::{Failure, classify};
use crate::aws::text::{Text, texts};
use crate::model::hex::{hex, is_hex_of};
use crate::model::record::{AttributeValue, Message, MessageAttribute};

/// What ReceiveMessage says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer<'a> {
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
    #[serde(borrow, default, deserialize_with = "texts")]
    attributes: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    #[serde(borrow, default)]
    message_attributes: Option<BTreeMap<Text<'a>, Attribute<'a>>>,
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

/// A message of an answer, or why that one can not be used.
pub(super) type Usable<'a> = Result<Message<'a>, Unusable>;

impl<'a> Answer<'a> {
    /// Read it.
    ///
    /// # Errors
    /// It is not what ReceiveMessage answers.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Failure> {
        read(body)
    }

    /// Its messages, each by itself: one that can not be used keeps no other from its way.
    pub(super) fn messages(self) -> impl Iterator<Item = Usable<'a>> {
        self.messages.into_iter().flatten().map(message)
    }
}

/// A message that stands alone.
///
/// # Errors
/// It is none.
pub(super) fn alone(text: &[u8]) -> Result<Usable<'_>, Failure> {
    read(text).map(message)
}

fn read<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(text)
        .map_err(|error| Failure::unreadable(&format!("ReceiveMessage: {error}")))
}

/// What became of the entries of a batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch<'a> {
    #[serde(borrow, default)]
    successful: Option<Vec<Done<'a>>>,
    #[serde(borrow, default)]
    failed: Option<Vec<Failed<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Done<'a> {
    #[serde(borrow, default)]
    id: Text<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Failed<'a> {
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(default)]
    sender_fault: Option<bool>,
    #[serde(borrow, default)]
    code: Text<'a>,
    #[serde(borrow, default)]
    message: Text<'a>,
}

/// The result of each entry by its number; an entry that the answer does not speak of has not succeeded.
///
/// # Errors
/// It is not what a batch is answered.
pub(super) fn by_entry(count: usize, body: &[u8]) -> Result<Vec<Result<(), Failure>>, Failure> {
    let batch: Batch = serde_json::from_slice(body)
        .map_err(|error| Failure::unreadable(&format!("a batch: {error}")))?;
    let mut results = vec![None; count];
    let slot = |id: Text| {
        let index = id.there()?.parse().ok();
        index.filter(|index: &usize| *index < count)
    };
    for index in batch
        .successful
        .into_iter()
        .flatten()
        .filter_map(|done| slot(done.id))
    {
        results[index] = Some(Ok(()));
    }
    for entry in batch.failed.into_iter().flatten() {
        let Some(index) = slot(entry.id) else {
            continue;
        };
        let status = if entry.sender_fault == Some(true) {
            400
        } else {
            500
        };
        let code = entry.code.there().unwrap_or_default();
        let message = entry.message.there().unwrap_or_default();
        let fault = classify(&code, status, None);
        results[index] = Some(Err(Failure::new(fault, &code, &message)));
    }
    let unanswered = || Err(Failure::unreadable("no result for an entry"));
    let results = results.into_iter();
    Ok(results
        .map(|result| result.unwrap_or_else(unanswered))
        .collect())
}

fn message(mut from: Wire<'_>) -> Usable<'_> {
    let attributes = std::mem::take(&mut from.attributes);
    match usable(from) {
        Ok(message) => Ok(Message {
            attributes,
            ..message
        }),
        Err(why) => Err(Unusable {
            group: attributes
                .get("MessageGroupId")
                .map(|group| group.to_string()),
            why,
        }),
    }
}

/// All but its system attributes.
fn usable(from: Wire<'_>) -> Result<Message<'_>, Flaw> {
    let id = from.message_id.there().unwrap_or_default();
    let missing = |field| Flaw::Incomplete {
        id: id.to_string(),
        field,
    };
    if id.is_empty() {
        return Err(missing("a MessageId"));
    }
    let receipt = from
        .receipt_handle
        .there()
        .filter(|receipt| !receipt.is_empty())
        .ok_or_else(|| missing("a ReceiptHandle"))?;
    let body = from.body.there().ok_or_else(|| missing("a Body"))?;
    let found = Md5::digest(body.as_bytes());
    let md5_of_body = match from.md5_of_body.there() {
        Some(stated) if is_hex_of(&stated, &found) => stated,
        Some(stated) => {
            return Err(Flaw::Corrupt {
                id: id.into_owned(),
                stated: stated.into_owned(),
                found: hex(&found),
            });
        }
        None => hex(&found).into(),
    };
    let mut message_attributes = BTreeMap::new();
    for (name, attribute) in from.message_attributes.unwrap_or_default() {
        let name = name.there().unwrap_or_default();
        let data_type = attribute.data_type.clone().there().unwrap_or_default();
        let value = attribute.value();
        let value = value.ok_or_else(|| missing("the value of a message attribute"))?;
        message_attributes.insert(name, MessageAttribute { data_type, value });
    }
    Ok(Message {
        receipt,
        body,
        attributes: BTreeMap::new(),
        message_attributes,
        md5_of_body,
        md5_of_message_attributes: from.md5_of_message_attributes.there(),
        id,
    })
}

impl<'a> Attribute<'a> {
    /// Its one value. Bytes stay the base64 that they came as, if a function can decode it.
    fn value(self) -> Option<AttributeValue<'a>> {
        if let Some(text) = self.string_value.there() {
            return Some(AttributeValue::Text(text));
        }
        let coded = self.binary_value.there()?;
        let readable = STANDARD.decode(coded.as_bytes()).is_ok();
        readable.then_some(AttributeValue::Binary(coded))
    }
}

#[cfg(test)]
pub(super) mod tests;
