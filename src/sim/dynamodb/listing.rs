//! ListStreams and DescribeStream: which streams and shards there are.

use std::ops::Bound;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Call,
    error::{Code, DynamoError},
    stream::Shard,
    table_name,
};
use crate::sim::faults::Fault;

/// How many streams or shards a page has at most.
// API: DynamoDB Streams DescribeStream and ListStreams, Limit
const PAGE_MAX: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ListStreams {
    table_name: Option<String>,
    limit: Option<usize>,
    exclusive_start_stream_arn: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct DescribeStream {
    stream_arn: String,
    limit: Option<usize>,
    exclusive_start_shard_id: Option<String>,
    shard_filter: Option<ShardFilter>,
}

/// Only the children of a shard.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ShardFilter {
    #[serde(rename = "Type")]
    kind: FilterKind,
    shard_id: String,
}

#[derive(Debug, Deserialize)]
enum FilterKind {
    #[serde(rename = "CHILD_SHARDS")]
    ChildShards,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListedShard {
    shard_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_shard_id: Option<String>,
    sequence_number_range: Range,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Range {
    starting_sequence_number: String,
    /// Of closed shards only.
    #[serde(skip_serializing_if = "Option::is_none")]
    ending_sequence_number: Option<String>,
}

fn page(limit: Option<usize>) -> Result<usize, DynamoError> {
    let limit = limit.unwrap_or(PAGE_MAX);
    if (1..=PAGE_MAX).contains(&limit) {
        return Ok(limit);
    }
    let text = format!(
        "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have value between 1 and 100"
    );
    Err(Code::Validation.because(text))
}

// API: DynamoDB Streams ListStreams
pub(super) fn list(call: &mut Call<'_>, input: &ListStreams) -> Result<Value, DynamoError> {
    let limit = page(input.limit)?;
    let start = match &input.exclusive_start_stream_arn {
        Some(arn) => Bound::Excluded(arn.clone()),
        None => Bound::Unbounded,
    };
    let only = input.table_name.as_deref().map(table_name);
    let mut streams = call
        .state
        .dynamodb
        .streams
        .range((start, Bound::Unbounded))
        .filter(|(_, stream)| only.is_none_or(|only| stream.table == only))
        .map(|(arn, stream)| json!({ "StreamArn": arn, "TableName": stream.table, "StreamLabel": stream.label }));
    let page: Vec<Value> = streams.by_ref().take(limit).collect();
    let more = streams.next().is_some();
    let mut output = json!({ "Streams": page });
    if let Some(last) = page.last().filter(|_| more) {
        output["LastEvaluatedStreamArn"] = last["StreamArn"].clone();
    }
    Ok(output)
}

// API: DynamoDB Streams DescribeStream
pub(super) fn describe(call: &mut Call<'_>, input: &DescribeStream) -> Result<Value, DynamoError> {
    let limit = page(input.limit)?;
    let incomplete = call.fault == Some(Fault::IncompleteListing);
    let stream = call.stream(&input.stream_arn)?;
    // A page may start after a shard that was trimmed since.
    let start = match &input.exclusive_start_shard_id {
        Some(id) => Bound::Excluded(id.clone()),
        None => Bound::Unbounded,
    };
    let parent = input.shard_filter.as_ref().map(|filter| match filter.kind {
        FilterKind::ChildShards => filter.shard_id.as_str(),
    });
    let mut shards = stream
        .shards
        .range((start, Bound::Unbounded))
        .filter(|(_, shard)| parent.is_none() || shard.parent.as_deref() == parent);
    let mut page: Vec<ListedShard> = shards.by_ref().take(limit).map(listed).collect();
    let mut more = shards.next().is_some();
    if incomplete {
        // As when the listing lags behind the shards: the newest are missing, and nothing says so.
        page.truncate(page.len() / 2);
        more = false;
    }
    let last = page.last().filter(|_| more);
    let mut description = json!({
        "StreamArn": input.stream_arn,
        "StreamLabel": stream.label,
        "StreamStatus": if stream.disabled_ms.is_none() { "ENABLED" } else { "DISABLED" },
        "StreamViewType": stream.view,
        "CreationRequestDateTime": stream.created_ms / 1000,
        "TableName": stream.table,
        "KeySchema": stream.schema.elements(),
        "Shards": page,
    });
    if let Some(last) = last {
        description["LastEvaluatedShardId"] = last.shard_id.as_str().into();
    }
    Ok(json!({ "StreamDescription": description }))
}

fn listed((id, shard): (&String, &Shard)) -> ListedShard {
    ListedShard {
        shard_id: id.clone(),
        parent_shard_id: shard.parent.clone(),
        sequence_number_range: Range {
            starting_sequence_number: shard.first.to_string(),
            ending_sequence_number: shard.closed.map(|closed| closed.last.to_string()),
        },
    }
}
