//! One DynamoDB stream: list its shards, open a position, read.

mod item;

use std::time::Duration;

use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::primitives::DateTime;
use aws_sdk_dynamodbstreams::types::{
    Record as SdkRecord, Shard as SdkShard, ShardIteratorType, StreamDescription, StreamStatus,
};

use super::clients::Clients;
use super::fault::Failure;
use super::stream::{
    Amount, Description, Read, Records, Shard, ShardIterator, Start, Status, milliseconds, number,
};
use crate::config::arn::Arn;
use crate::model::record::DynamoRecord;

/// Up to 1 MB of items comes with one answer. // spec: 5.1
const READ_WAIT: Duration = Duration::from_secs(10);
/// What GetRecords takes. // spec: 5.1
const READ_LIMIT_MAX: usize = 1_000;
/// A day of any stream. // spec: 5.1
const RETENTION: Duration = Duration::from_hours(24);
/// A page holds 100 shards; partitions roll over every 4 h, so this is a table of more than 10,000 of them. // spec: 5.6
const PAGES_MAX: usize = 1_000;
/// DescribeStream may be called 10 times a second: a list of many pages must not throttle itself. // spec: 5.1
const PAGE_PAUSE: Duration = Duration::from_millis(100);

/// A stream, by its ARN.
#[derive(Clone, Debug)]
pub struct DynamoDbStream {
    calls: Client,
    reads: Client,
    stream: String,
}

impl DynamoDbStream {
    /// `stream` is the stream's ARN, with its label.
    pub fn new(clients: &Clients, stream: &Arn) -> Self {
        Self {
            calls: clients.dynamodb_streams(&stream.region, Duration::ZERO),
            reads: clients.dynamodb_streams(&stream.region, READ_WAIT),
            stream: stream.to_string(),
        }
    }

    /// DescribeStream, for its status alone.
    pub async fn describe(&self) -> Result<Description, Failure> {
        let found = self.describe_stream(None, Some(1)).await?;
        let status = found
            .stream_status
            .ok_or_else(|| Failure::unreadable("DescribeStream returned no StreamStatus"))?;
        let status = match status {
            StreamStatus::Enabling => Status::Starting,
            StreamStatus::Enabled => Status::Active,
            StreamStatus::Disabling | StreamStatus::Disabled => Status::Disabled,
            other => {
                let unknown = format!("the stream's status is {other}");
                return Err(Failure::unreadable(&unknown));
            }
        };
        Ok(Description {
            created_ms: None,
            retention: RETENTION,
            status,
        })
    }

    /// DescribeStream, every page.
    pub async fn list_shards(&self) -> Result<Vec<Shard>, Failure> {
        let mut shards = Vec::new();
        let mut after: Option<String> = None;
        for page in 0..PAGES_MAX {
            if page > 0 {
                tokio::time::sleep(PAGE_PAUSE).await;
            }
            let found = self.describe_stream(after, None).await?;
            let listed = found
                .shards
                .ok_or_else(|| Failure::unreadable("DescribeStream returned no Shards"))?;
            for listed in listed {
                shards.push(shard(listed)?);
            }
            after = found.last_evaluated_shard_id;
            if after.is_none() {
                return Ok(shards);
            }
        }
        let endless = format!("DescribeStream has more than {PAGES_MAX} pages");
        Err(Failure::unreadable(&endless))
    }

    async fn describe_stream(
        &self,
        after: Option<String>,
        limit: Option<i32>,
    ) -> Result<StreamDescription, Failure> {
        let call = self
            .calls
            .describe_stream()
            .stream_arn(&self.stream)
            .set_exclusive_start_shard_id(after)
            .set_limit(limit);
        call.send()
            .await?
            .stream_description
            .ok_or_else(|| Failure::unreadable("DescribeStream returned no StreamDescription"))
    }

    /// GetShardIterator.
    pub async fn open(&self, shard: &str, start: &Start) -> Result<ShardIterator, Failure> {
        let call = self
            .calls
            .get_shard_iterator()
            .stream_arn(&self.stream)
            .shard_id(shard);
        let call = match start {
            Start::Horizon => call.shard_iterator_type(ShardIteratorType::TrimHorizon),
            Start::Latest => call.shard_iterator_type(ShardIteratorType::Latest),
            Start::Moment { ms } => call
                .shard_iterator_type(ShardIteratorType::AtTimestamp)
                .timestamp(DateTime::from_millis(
                    i64::try_from(*ms).unwrap_or(i64::MAX),
                )),
            Start::From(number) => call
                .shard_iterator_type(ShardIteratorType::AtSequenceNumber)
                .sequence_number(number.as_str()),
            Start::After(number) => call
                .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
                .sequence_number(number.as_str()),
        };
        call.send()
            .await?
            .shard_iterator
            .map(ShardIterator)
            .ok_or_else(|| Failure::unreadable("GetShardIterator returned no ShardIterator"))
    }

    /// GetRecords. The stream does not say how far behind a read is, nor what follows a shard.
    pub async fn read(&self, at: &ShardIterator, limit: usize) -> Result<Read, Failure> {
        let answer = self
            .reads
            .get_records()
            .shard_iterator(&at.0)
            .limit(limit.clamp(1, READ_LIMIT_MAX) as i32)
            .send()
            .await?;
        // An answer that says nothing at all must not pass for the end of the shard.
        let found = answer
            .records
            .ok_or_else(|| Failure::unreadable("GetRecords returned no Records"))?;
        let records = found.into_iter().map(record).collect::<Result<_, _>>()?;
        Ok(Read {
            records: Records::Dynamo(records),
            next: answer.next_shard_iterator.map(ShardIterator),
            behind_ms: None,
            children: Vec::new(),
            amount: Amount::Little,
        })
    }
}

fn shard(listed: SdkShard) -> Result<Shard, Failure> {
    let id = listed
        .shard_id
        .ok_or_else(|| Failure::unreadable("a shard came without a ShardId"))?;
    let range = listed
        .sequence_number_range
        .ok_or_else(|| Failure::unreadable("a shard came without a SequenceNumberRange"))?;
    Ok(Shard {
        id,
        parents: listed.parent_shard_id.into_iter().collect(),
        ending: range
            .ending_sequence_number
            .map(|text| number(text, "EndingSequenceNumber"))
            .transpose()?,
    })
}

fn record(from: SdkRecord) -> Result<DynamoRecord, Failure> {
    let change = needed(from.dynamodb, "a dynamodb member")?;
    let user_identity = match from.user_identity {
        Some(identity) => Some((
            needed(identity.r#type, "the Type of its userIdentity")?,
            needed(identity.principal_id, "the PrincipalId of its userIdentity")?,
        )),
        None => None,
    };
    Ok(DynamoRecord {
        event_id: needed(from.event_id, "an eventID")?,
        event_name: needed(from.event_name, "an eventName")?.as_str().to_owned(),
        event_version: needed(from.event_version, "an eventVersion")?,
        sequence_number: number(
            needed(change.sequence_number, "a SequenceNumber")?,
            "SequenceNumber",
        )?,
        arrived_ms: milliseconds(
            change.approximate_creation_date_time,
            "an ApproximateCreationDateTime",
        )?,
        keys: item::text(&needed(change.keys, "Keys")?)?,
        new_image: change
            .new_image
            .map(|image| item::text(&image))
            .transpose()?,
        old_image: change
            .old_image
            .map(|image| item::text(&image))
            .transpose()?,
        size_bytes: needed(change.size_bytes, "SizeBytes")?,
        view_type: needed(change.stream_view_type, "a StreamViewType")?
            .as_str()
            .to_owned(),
        user_identity,
    })
}

fn needed<T>(value: Option<T>, what: &str) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::unreadable(&format!("a record came without {what}")))
}

#[cfg(test)]
mod tests;
