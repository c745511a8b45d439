//! GetRecords' answer, read from its own text: data stays the base64 that it is. The same records come of it as of the SDK's reading,
//! which a test holds against each other.

use std::borrow::Cow;

use aws_smithy_types::DateTime;
use bytes::Bytes;
use serde::Deserialize;

use super::plain::Plain;
use crate::aws::fault::Failure;
use crate::aws::stream::Shard;
use crate::aws::text::Text;
use crate::model::record::{Base64, Data, KinesisRecord, PartitionKey};

/// What GetRecords says.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer<'a> {
    #[serde(borrow, default)]
    records: Option<Vec<Record<'a>>>,
    pub(super) next_shard_iterator: Option<String>,
    pub(super) millis_behind_latest: Option<i64>,
    child_shards: Option<Vec<Child>>,
}

/// One of its records.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Record<'a> {
    #[serde(borrow, default)]
    sequence_number: Text<'a>,
    approximate_arrival_timestamp: Option<f64>,
    #[serde(borrow, default)]
    data: Text<'a>,
    #[serde(borrow, default)]
    partition_key: Text<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Child {
    #[serde(default)]
    shard_id: String,
    #[serde(default)]
    parent_shards: Option<Vec<String>>,
}

impl<'a> Answer<'a> {
    /// Read it.
    ///
    /// # Errors
    /// It is not what GetRecords answers.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Failure> {
        read(body)
    }

    /// The records, once.
    pub(super) fn records(&mut self) -> Vec<Record<'a>> {
        self.records.take().unwrap_or_default()
    }

    /// The shards that follow.
    pub(super) fn children(&mut self) -> Result<Vec<Shard>, Failure> {
        let children = self.child_shards.take().unwrap_or_default().into_iter();
        children
            .map(|child| super::following(child.shard_id, child.parent_shards.unwrap_or_default()))
            .collect()
    }
}

/// A record that stands alone; it shares `sheet`, which `text` is a part of.
///
/// # Errors
/// It is none, lacks something, or has what it can not have.
pub(super) fn record(text: &[u8], sheet: &Bytes) -> Result<KinesisRecord, Failure> {
    let plain = Plain::read(text).and_then(Plain::usable);
    match plain {
        Some((record, data)) => Ok(KinesisRecord {
            data: Data::from_checked(sheet.slice_ref(data.text())),
            ..record
        }),
        None => read::<Record<'_>>(text)?.usable(sheet),
    }
}

impl<'a> Plain<'a> {
    /// The record without its data, and those. Nothing where something is wrong with it: what that is, the other way says.
    pub(super) fn usable(self) -> Option<(KinesisRecord, Base64<'a>)> {
        let key = self.partition_key.map(PartitionKey::from);
        let record = usable(
            self.sequence_number?,
            key,
            Data::from(Bytes::new()),
            self.arrived_s,
        );
        Some((record.ok()?, self.data.unwrap_or_default()))
    }
}

impl Record<'_> {
    /// The record, which shares `body`, the text that this was read from.
    ///
    /// # Errors
    /// It lacks something, or has what it can not have.
    pub(super) fn usable(self, body: &Bytes) -> Result<KinesisRecord, Failure> {
        let number = self.sequence_number.there().unwrap_or_default();
        let data = match self.data.there().unwrap_or_default() {
            Cow::Borrowed(text) => body.slice_ref(text.as_bytes()),
            Cow::Owned(text) => Bytes::from(text),
        };
        let data = Data::from_base64(data);
        let data = data.map_err(|error| Failure::unreadable(&error.to_string()))?;
        let arrived_s = self.approximate_arrival_timestamp;
        let key = self.partition_key.there().map(|key| (*key).into());
        usable(&number, key, data, arrived_s)
    }
}

fn usable(
    number: &str,
    key: Option<PartitionKey>,
    data: Data,
    arrived_s: Option<f64>,
) -> Result<KinesisRecord, Failure> {
    super::record(number, key, data, arrived_s.map(DateTime::from_secs_f64))
}

fn read<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(text)
        .map_err(|error| Failure::unreadable(&format!("GetRecords: {error}")))
}
