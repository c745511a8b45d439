//! What SQS is asked a thousand times a second, as JSON.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Serialize, Serializer};

use crate::aws::text::json;
use crate::model::custody::Extension;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Receive<'a> {
    queue_url: &'a str,
    max_number_of_messages: usize,
    wait_time_seconds: u64,
    visibility_timeout: u64,
    message_system_attribute_names: [&'static str; 1],
    message_attribute_names: [&'static str; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Batch<'a, E> {
    queue_url: &'a str,
    entries: Vec<E>,
}

/// Entries are named by their number.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Delete<'a> {
    #[serde(serialize_with = "text")]
    id: usize,
    receipt_handle: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Extend<'a> {
    #[serde(serialize_with = "text")]
    id: usize,
    receipt_handle: &'a str,
    visibility_timeout: u64,
}

/// A number as a text.
fn text<S: Serializer>(number: &usize, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

/// ReceiveMessage, with all attributes.
pub(super) fn receive(url: &str, count: usize, wait_s: u64, visibility: Duration) -> Bytes {
    json(&Receive {
        queue_url: url,
        max_number_of_messages: count,
        wait_time_seconds: wait_s,
        visibility_timeout: visibility.as_secs(),
        message_system_attribute_names: ["All"],
        message_attribute_names: ["All"],
    })
}

/// DeleteMessageBatch.
pub(super) fn delete(url: &str, receipts: &[Arc<str>]) -> Bytes {
    let entries = receipts.iter().enumerate().map(|(index, receipt)| Delete {
        id: index,
        receipt_handle: receipt,
    });
    json(&Batch {
        queue_url: url,
        entries: entries.collect(),
    })
}

/// ChangeMessageVisibilityBatch.
pub(super) fn extend(url: &str, extensions: &[Extension]) -> Bytes {
    let entries = extensions
        .iter()
        .enumerate()
        .map(|(index, extension)| Extend {
            id: index,
            receipt_handle: &extension.receipt,
            visibility_timeout: extension.seconds,
        });
    json(&Batch {
        queue_url: url,
        entries: entries.collect(),
    })
}
