//! Tables and streams from the test's side: made, filled, split and looked at without a client, beside all faults and crash points.

use serde_json::Value;

use super::{
    Call,
    attribute::Item,
    error::{Code, DynamoError},
    items::{Write, apply},
    manage::{self, CreateTable, StreamSpecification, UpdateTable, enabled_stream},
    no_table,
    record::ViewType,
    table::{AttributeDefinition, KeyKind, KeySchemaElement, Role},
};
use crate::sim::world::World;

/// A table at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableView {
    /// How many items it has.
    pub items: usize,
    /// The ARN of its latest stream, also of a disabled one.
    pub stream_arn: Option<String>,
    /// The shards of that stream that are not trimmed, parents before their children.
    pub shards: Vec<ShardView>,
}

/// A shard of a DynamoDB stream at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardView {
    /// Its id.
    pub id: String,
    /// The id of its parent, which may be trimmed.
    pub parent: Option<String>,
    /// Whether records may still come.
    pub open: bool,
    /// The sequence numbers of its records, in order.
    pub records: Vec<String>,
}

impl World {
    /// Creates a table of one partition whose key is one text attribute, with a stream, and returns the stream's ARN.
    ///
    /// # Errors
    /// As CreateTable.
    pub fn create_table(
        &self,
        name: &str,
        key: &str,
        view: ViewType,
    ) -> Result<String, DynamoError> {
        self.create_partitioned_table(name, key, view, 1)
    }

    /// Creates a table of so many partitions (at least one), each with a shard of its own; otherwise as `create_table`.
    ///
    /// # Errors
    /// As CreateTable.
    pub fn create_partitioned_table(
        &self,
        name: &str,
        key: &str,
        view: ViewType,
        partitions: u32,
    ) -> Result<String, DynamoError> {
        let mut call = Call::new(self, None);
        let input = CreateTable {
            table_name: name.to_owned(),
            key_schema: vec![KeySchemaElement {
                attribute_name: key.to_owned(),
                key_type: Role::Hash,
            }],
            attribute_definitions: vec![AttributeDefinition {
                attribute_name: key.to_owned(),
                attribute_type: KeyKind::S,
            }],
            stream_specification: Some(specification(Some(view))),
            _billing_mode: None,
            _provisioned_throughput: None,
            partitions: Some(partitions),
        };
        manage::create(&mut call, input)?;
        streamed(&mut call, name)
    }

    /// Gives a table a new stream, of which it returns the ARN, or disables the one it has.
    ///
    /// # Errors
    /// As UpdateTable: also when that is how things are already.
    pub fn set_table_stream(
        &self,
        name: &str,
        view: Option<ViewType>,
    ) -> Result<Option<String>, DynamoError> {
        let mut call = Call::new(self, None);
        let input = UpdateTable {
            table_name: name.to_owned(),
            stream_specification: specification(view),
        };
        manage::update(&mut call, &input)?;
        enabled_stream(&mut call, name)
    }

    /// Puts an item, as in `{"id":{"S":"a"}}`, and returns the sequence number of its record; none if it changes nothing.
    ///
    /// # Errors
    /// As PutItem.
    pub fn put_item(&self, table: &str, item: &Value) -> Result<Option<String>, DynamoError> {
        let mut call = Call::new(self, None);
        let item = item_of(item)?;
        let write = Write {
            key: call.table(table)?.schema.key(&item)?,
            item: Some(item),
            by_service: false,
        };
        numbered(&mut call, table, write)
    }

    /// Deletes the item of a key, as in `{"id":{"S":"a"}}`, and returns the sequence number of its record; none if it is not there.
    ///
    /// # Errors
    /// As DeleteItem.
    pub fn delete_item(&self, table: &str, key: &Value) -> Result<Option<String>, DynamoError> {
        self.remove(table, key, false)
    }

    /// Deletes an item as the service does when its time to live ran out; otherwise as `delete_item`.
    ///
    /// # Errors
    /// As DeleteItem.
    pub fn expire_item(&self, table: &str, key: &Value) -> Result<Option<String>, DynamoError> {
        self.remove(table, key, true)
    }

    fn remove(
        &self,
        table: &str,
        key: &Value,
        by_service: bool,
    ) -> Result<Option<String>, DynamoError> {
        let mut call = Call::new(self, None);
        let key = call.table(table)?.schema.exact_key(&item_of(key)?)?;
        let item = None;
        let write = Write {
            key,
            item,
            by_service,
        };
        numbered(&mut call, table, write)
    }

    /// Closes every open shard of a table's stream in favour of one child each, whose ids it returns, as happens every four hours.
    ///
    /// # Errors
    /// When the table has no stream.
    pub fn roll_shards(&self, table: &str) -> Result<Vec<String>, DynamoError> {
        let mut call = Call::new(self, None);
        let (arn, now_ms) = (streamed(&mut call, table)?, call.now_ms);
        let (_, streams, mut mint) = call.parts();
        let rolled = streams
            .get_mut(&arn)
            .map(|stream| stream.roll_all(now_ms, &mut mint));
        Ok(rolled.unwrap_or_default())
    }

    /// Splits the partition of an open shard of a table's stream, and returns the two children that take its place.
    ///
    /// # Errors
    /// When the table has no stream, or the shard is not open.
    pub fn split_partition(&self, table: &str, shard: &str) -> Result<[String; 2], DynamoError> {
        let mut call = Call::new(self, None);
        let (arn, now_ms) = (streamed(&mut call, table)?, call.now_ms);
        let (tables, streams, mut mint) = call.parts();
        let found = tables.get_mut(table).zip(streams.get_mut(&arn));
        let (table, stream) = found.ok_or_else(|| no_table(table))?;
        let cut = stream
            .partition(shard)
            .and_then(|partition| Some((partition, table.split(partition)?)));
        let (partition, middle) =
            cut.ok_or_else(|| Code::Validation.because(format!("shard {shard} cannot be split")))?;
        Ok(stream.split(partition, middle, now_ms, &mut mint))
    }

    /// The oldest shard of a table's stream goes with its records, as it does a day after it was closed; returns its id. None where
    /// no shard is closed.
    ///
    /// # Errors
    /// When the table has no stream.
    pub fn trim_oldest_shard(&self, table: &str) -> Result<Option<String>, DynamoError> {
        let mut call = Call::new(self, None);
        let arn = streamed(&mut call, table)?;
        let Some((shard, trimmed)) = call.stream(&arn)?.trim_oldest() else {
            return Ok(None);
        };
        if let Some(trimmed) = trimmed {
            call.record_trimmed(&arn, &shard, trimmed);
        }
        Ok(Some(shard))
    }

    /// A table at this moment; none if there is none of this name.
    pub fn table(&self, name: &str) -> Option<TableView> {
        let mut call = Call::new(self, None);
        let table = call.table(name).ok()?;
        let (items, stream_arn) = (table.items.len(), table.stream.clone());
        let stream = stream_arn.as_ref().and_then(|arn| call.stream(arn).ok());
        let shards = stream.iter().flat_map(|stream| stream.shards.iter());
        let shards = shards.map(|(id, shard)| ShardView {
            id: id.clone(),
            parent: shard.parent.clone(),
            open: shard.closed.is_none(),
            records: shard
                .records
                .iter()
                .map(|record| record.number.to_string())
                .collect(),
        });
        let shards = shards.collect();
        Some(TableView {
            items,
            stream_arn,
            shards,
        })
    }
}

fn specification(view: Option<ViewType>) -> StreamSpecification {
    StreamSpecification {
        stream_enabled: view.is_some(),
        stream_view_type: view,
    }
}

fn item_of(json: &Value) -> Result<Item, DynamoError> {
    serde_json::from_value(json.clone())
        .map_err(|error| Code::Serialization.because(format!("failed to read the item: {error}")))
}

fn streamed(call: &mut Call<'_>, table: &str) -> Result<String, DynamoError> {
    enabled_stream(call, table)?
        .ok_or_else(|| Code::Validation.because(format!("table {table} has no stream")))
}

fn numbered(call: &mut Call<'_>, table: &str, write: Write) -> Result<Option<String>, DynamoError> {
    let number = apply(call, table, write)?.number;
    Ok(number.map(|number| number.to_string()))
}
