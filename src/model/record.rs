//! What a source hands over, in our own words: SDK types are converted at the edge (`aws/`).

use std::collections::BTreeMap;

/// One message of a queue, as ReceiveMessage returned it. Maps are sorted, so that a run repeats to the byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Identifies the message through all its receives.
    pub id: String,
    /// The right to extend or delete it, good for one receive.
    pub receipt: String,
    /// Delivered to the function byte for byte.
    pub body: String,
    /// System attributes by AWS's name (`SentTimestamp`, `MessageGroupId`, ...); every value is a string.
    pub attributes: BTreeMap<String, String>,
    /// What the sender attached.
    pub message_attributes: BTreeMap<String, MessageAttribute>,
    /// Hexadecimal MD5 of the body, as the queue states it.
    pub md5_of_body: String,
    /// Hexadecimal MD5 of the message attributes; none where the message carries none.
    pub md5_of_message_attributes: Option<String>,
}

/// An attribute that the sender attached to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageAttribute {
    /// `String`, `Number` or `Binary`, with a custom suffix where the sender gave one (`Number.int`).
    pub data_type: String,
    /// Its one value.
    pub value: AttributeValue,
}

/// SQS supports one scalar value an attribute; lists are reserved by AWS and never filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// `StringValue`: also numbers, as SQS normalised them.
    Text(String),
    /// `BinaryValue`, kept as the standard base64 text that the function receives.
    Binary(String),
}

impl Message {
    /// The FIFO message group; a standard queue's message may carry one too (fair queues), without any order.
    pub fn group(&self) -> Option<&str> {
        self.attributes.get("MessageGroupId").map(String::as_str)
    }
}
