//! What of a message a receive shows: the attributes that were asked for, and the faults that spoil it.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Serialize;

use super::{
    md5,
    message::{Attribute, Message},
    receive::ReceiveMessage,
};
use crate::sim::faults::Fault;

/// The answer of ReceiveMessage.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Received<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) messages: Vec<Shown<'a>>,
}

/// A message as its receiver sees it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Shown<'a> {
    message_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt_handle: Option<String>,
    #[serde(rename = "MD5OfBody")]
    md5_of_body: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, Cow<'a, str>>,
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_message_attributes: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    message_attributes: BTreeMap<&'a String, &'a Attribute>,
}

/// What of a message its receiver asked for.
pub(super) fn show<'a>(
    message: &'a Message,
    receipt_handle: String,
    input: &ReceiveMessage,
) -> Shown<'a> {
    let asked = |name: &str| wants(&input.message_attribute_names, name);
    let message_attributes: BTreeMap<&String, &Attribute> = message
        .attributes
        .iter()
        .filter(|(name, _)| asked(name))
        .collect();
    Shown {
        message_id: &message.id,
        receipt_handle: Some(receipt_handle),
        md5_of_body: &message.md5,
        body: Some(&message.body),
        attributes: system_attributes(message, input),
        md5_of_message_attributes: md5::of_attributes(
            message_attributes
                .iter()
                .map(|(name, attribute)| (*name, *attribute)),
        ),
        message_attributes,
    }
}

// API: SQS ReceiveMessage, MessageSystemAttributeNames
fn system_attributes<'a>(
    message: &'a Message,
    input: &ReceiveMessage,
) -> BTreeMap<&'static str, Cow<'a, str>> {
    let all: [(&'static str, Option<Cow<'a, str>>); 9] = [
        (
            "ApproximateFirstReceiveTimestamp",
            message.first_received_ms.map(|ms| ms.to_string().into()),
        ),
        (
            "ApproximateReceiveCount",
            Some(message.receives.to_string().into()),
        ),
        ("AWSTraceHeader", message.trace.as_deref().map(Cow::from)),
        (
            "DeadLetterQueueSourceArn",
            message.dead_letter_source.as_deref().map(Cow::from),
        ),
        (
            "MessageDeduplicationId",
            message.deduplication.as_deref().map(Cow::from),
        ),
        ("MessageGroupId", message.group.as_deref().map(Cow::from)),
        ("SenderId", Some("AIDAEXAMPLE".into())),
        ("SentTimestamp", Some(message.sent_ms.to_string().into())),
        ("SequenceNumber", message.sequence.as_deref().map(Cow::from)),
    ];
    let asked = |name: &str| {
        [
            &input.attribute_names,
            &input.message_system_attribute_names,
        ]
        .iter()
        .any(|names| wants(names, name))
    };
    all.into_iter()
        .filter_map(|(name, value)| Some((name, value.filter(|_| asked(name))?)))
        .collect()
}

/// `All`, a name, or a prefix before `.*`.
// API: SQS ReceiveMessage, MessageAttributeNames
fn wants(names: &[String], name: &str) -> bool {
    names.iter().any(|wanted| match wanted.strip_suffix(".*") {
        Some(prefix) => name.starts_with(prefix),
        None => wanted == "All" || wanted == name,
    })
}

/// The faults that spoil a message on its way.
pub(super) fn spoil(message: Option<&mut Shown<'_>>, fault: Option<Fault>) {
    let Some(message) = message else { return };
    match fault {
        Some(Fault::WrongMd5) => message.md5_of_body = "00000000000000000000000000000000",
        Some(Fault::MissingBody) => message.body = None,
        Some(Fault::MissingReceipt) => message.receipt_handle = None,
        _ => {}
    }
}
