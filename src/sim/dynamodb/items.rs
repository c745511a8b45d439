//! PutItem, UpdateItem, DeleteItem, BatchWriteItem, GetItem: what changes an item leaves a record in the table's stream.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Call,
    attribute::Item,
    error::{Code, DynamoError},
    expression::{Placeholders, changes},
    manage::enabled_stream,
    no_table,
    record::Change,
    table_name,
};
use crate::sim::history::Event;

/// Which attributes an answer shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum ReturnValues {
    #[default]
    None,
    AllOld,
    AllNew,
}

/// Conditions and what else is not here are refused: the embedded DynamoDB does not have them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct PutItem {
    table_name: String,
    item: Item,
    #[serde(default)]
    return_values: ReturnValues,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct DeleteItem {
    table_name: String,
    key: Item,
    #[serde(default)]
    return_values: ReturnValues,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct UpdateItem {
    table_name: String,
    key: Item,
    update_expression: Option<String>,
    #[serde(default)]
    expression_attribute_names: BTreeMap<String, String>,
    #[serde(default)]
    expression_attribute_values: Item,
    #[serde(default)]
    return_values: ReturnValues,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GetItem {
    table_name: String,
    key: Item,
    #[serde(rename = "ConsistentRead")]
    _consistent_read: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct BatchWriteItem {
    request_items: BTreeMap<String, Vec<WriteRequest>>,
}

#[derive(Debug, Deserialize)]
enum WriteRequest {
    #[serde(rename = "PutRequest")]
    Put {
        #[serde(rename = "Item")]
        item: Item,
    },
    #[serde(rename = "DeleteRequest")]
    Delete {
        #[serde(rename = "Key")]
        key: Item,
    },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<Item>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Got {
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<Item>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchWritten {
    unprocessed_items: BTreeMap<String, ()>,
}

/// A change to be made: the whole item as it shall be, or none to delete it.
pub(super) struct Write {
    pub(super) key: Item,
    pub(super) item: Option<Item>,
    /// Whether the item's time to live ran out.
    pub(super) by_service: bool,
}

/// What a change did.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) old: Option<Item>,
    /// The sequence number of its record, if there is one.
    pub(super) number: Option<u128>,
}

// API: DynamoDB PutItem
pub(super) fn put(call: &mut Call<'_>, input: PutItem) -> Result<Written, DynamoError> {
    if input.return_values == ReturnValues::AllNew {
        return Err(Code::Validation.because("Return values set to invalid value"));
    }
    let key = call.table(&input.table_name)?.schema.key(&input.item)?;
    let write = Write {
        key,
        item: Some(input.item),
        by_service: false,
    };
    let old = apply(call, &input.table_name, write)?.old;
    let attributes = old.filter(|_| input.return_values == ReturnValues::AllOld);
    Ok(Written { attributes })
}

// API: DynamoDB DeleteItem: deleting what is not there is no error, and leaves no record
pub(super) fn delete(call: &mut Call<'_>, input: DeleteItem) -> Result<Written, DynamoError> {
    if input.return_values == ReturnValues::AllNew {
        return Err(Code::Validation.because("Return values set to invalid value"));
    }
    let write = Write {
        key: call
            .table(&input.table_name)?
            .schema
            .exact_key(&input.key)?,
        item: None,
        by_service: false,
    };
    let old = apply(call, &input.table_name, write)?.old;
    let attributes = old.filter(|_| input.return_values == ReturnValues::AllOld);
    Ok(Written { attributes })
}

// API: DynamoDB UpdateItem: an item that is not there is made
pub(super) fn update(call: &mut Call<'_>, input: &UpdateItem) -> Result<Written, DynamoError> {
    let table = call.table(&input.table_name)?;
    let key = table.schema.exact_key(&input.key)?;
    let mut item = table.get(&key).cloned().unwrap_or_else(|| key.clone());
    let placeholders = Placeholders {
        names: &input.expression_attribute_names,
        values: &input.expression_attribute_values,
    };
    let changes = match &input.update_expression {
        Some(expression) => changes(expression, &placeholders)?,
        None => Vec::new(),
    };
    for (name, value) in changes {
        if table.schema.names(&name) {
            return Err(Code::Validation.because(format!("One or more parameter values were invalid: Cannot update attribute {name}. This attribute is part of the key")));
        }
        match value {
            Some(value) => item.insert(name, value),
            None => item.remove(&name),
        };
    }
    let write = Write {
        key,
        item: Some(item.clone()),
        by_service: false,
    };
    let old = apply(call, &input.table_name, write)?.old;
    let attributes = match input.return_values {
        ReturnValues::None => None,
        ReturnValues::AllOld => old,
        ReturnValues::AllNew => Some(item),
    };
    Ok(Written { attributes })
}

// API: DynamoDB GetItem
pub(super) fn get(call: &mut Call<'_>, input: &GetItem) -> Result<Got, DynamoError> {
    let table = call.table(&input.table_name)?;
    let key = table.schema.exact_key(&input.key)?;
    Ok(Got {
        item: table.get(&key).cloned(),
    })
}

// API: DynamoDB BatchWriteItem: 1 to 25 requests, each item once; nothing is written when one is invalid
pub(super) fn batch_write(
    call: &mut Call<'_>,
    input: BatchWriteItem,
) -> Result<BatchWritten, DynamoError> {
    let count: usize = input.request_items.values().map(Vec::len).sum();
    if !(1..=25).contains(&count) {
        return Err(Code::Validation
            .because("The batch write request must have from 1 to 25 write requests"));
    }
    let mut writes: Vec<(String, Write)> = Vec::new();
    for (name, requests) in input.request_items {
        let schema = call.table(&name)?.schema.clone();
        for request in requests {
            let (key, item) = match request {
                WriteRequest::Put { item } => (schema.key(&item)?, Some(item)),
                WriteRequest::Delete { key } => (schema.exact_key(&key)?, None),
            };
            if writes
                .iter()
                .any(|(at, write)| *at == name && write.key == key)
            {
                return Err(
                    Code::Validation.because("Provided list of item keys contains duplicates")
                );
            }
            let by_service = false;
            writes.push((
                name.clone(),
                Write {
                    key,
                    item,
                    by_service,
                },
            ));
        }
    }
    for (name, write) in writes {
        apply(call, &name, write)?;
    }
    Ok(BatchWritten {
        unprocessed_items: BTreeMap::new(),
    })
}

/// Makes a change, and its record where the table has a stream.
pub(super) fn apply(
    call: &mut Call<'_>,
    table: &str,
    write: Write,
) -> Result<Outcome, DynamoError> {
    let name = table_name(table);
    let arn = enabled_stream(call, name)?;
    let (now_ms, region) = (call.now_ms, call.world.settings().region.clone());
    let (tables, streams, mut mint) = call.parts();
    let table = tables.get_mut(name).ok_or_else(|| no_table(name))?;
    let Write {
        key,
        item,
        by_service,
    } = write;
    let new = item.clone();
    let old = table.replace(&key, item)?;
    let Some((arn, stream)) = arn.and_then(|arn| Some((arn.clone(), streams.get_mut(&arn)?)))
    else {
        return Ok(Outcome { old, number: None });
    };
    let change = Change {
        key: &key,
        old: old.as_ref(),
        new: new.as_ref(),
        by_service,
    };
    let Some(record) = change.record(stream.view, &region, now_ms, &mut mint)? else {
        return Ok(Outcome { old, number: None });
    };
    let number = record.number;
    let event_name = change.event_name().unwrap_or_default();
    let shard = stream.append(table.schema.hash(&key), record);
    call.record(|| Event::Streamed {
        stream: arn,
        shard: shard.unwrap_or_default(),
        sequence_number: number.to_string(),
        event_name,
        keys: serde_json::to_string(&key).unwrap_or_default(),
    });
    let number = Some(number);
    Ok(Outcome { old, number })
}
