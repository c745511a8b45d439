//! One Kinesis stream: list its shards, open a position, read; and subscribe to a shard (`consumer`, `subscription`).

mod answer;
pub mod consumer;
mod incoming;
mod plain;
pub mod subscription;

use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{
    ChildShard, Record as SdkRecord, Shard as SdkShard, ShardIteratorType, StreamStatus,
};

use serde::Serialize;

use self::incoming::Incoming;
use super::clients::{CALL_TIMEOUT, Clients};
use super::direct::Direct;
use super::fault::{Failure, Fault};
use super::stream::{
    Description, Read, ReadBounds, Shard, ShardIterator, Start, Status, milliseconds, number,
};
use super::text::json;
use crate::config::arn::Arn;
use crate::model::record::{Data, KinesisRecord, PartitionKey};

/// Up to 10 MiB come with one answer. // spec: 5.1
const READ_WAIT: Duration = Duration::from_secs(20);
/// What GetRecords takes. // spec: 5.1
const READ_LIMIT_MAX: usize = 10_000;
/// A page holds 1,000 shards: more than any stream of AWS has in all of them. // spec: 5.1
const PAGES_MAX: usize = 100;
/// A token lives 300 s: one that expires while pages are turned was held up somewhere, and may be again. // spec: 5.1
const LISTS_MAX: usize = 3;
const LIST_PAUSE: Duration = Duration::from_secs(1);

/// A stream, by its ARN.
#[derive(Clone, Debug)]
pub struct Kinesis {
    calls: Client,
    reading: Direct,
    bounds: ReadBounds,
    stream: String,
}

/// GetRecords, as JSON.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Question<'a> {
    shard_iterator: &'a str,
    limit: usize,
    #[serde(rename = "StreamARN")]
    stream_arn: &'a str,
}

impl Kinesis {
    /// `stream` is the stream's own ARN, also where the mapping names a consumer.
    pub fn new(clients: &Clients, stream: &Arn) -> Self {
        Self {
            calls: clients.kinesis(&stream.region),
            reading: clients.direct("kinesis GetRecords", &stream.region),
            bounds: clients.read_bounds(),
            stream: stream.to_string(),
        }
    }

    /// DescribeStreamSummary.
    pub async fn describe(&self) -> Result<Description, Failure> {
        let call = self
            .calls
            .describe_stream_summary()
            .stream_arn(&self.stream);
        let summary = call
            .send()
            .await?
            .stream_description_summary
            .ok_or_else(|| Failure::unreadable("DescribeStreamSummary returned no summary"))?;
        // The SDK makes a 0 of hours that are missing; a day is the least that there is.
        let hours = u64::try_from(summary.retention_period_hours)
            .ok()
            .filter(|hours| *hours > 0)
            .ok_or_else(|| {
                Failure::unreadable("DescribeStreamSummary returned no RetentionPeriodHours")
            })?;
        Ok(Description {
            retention: Duration::from_hours(hours),
            status: status(&summary.stream_status)?,
            created_ms: created(summary.stream_creation_timestamp),
        })
    }

    /// ListShards, every page.
    pub async fn list_shards(&self) -> Result<Vec<Shard>, Failure> {
        for _ in 1..LISTS_MAX {
            match self.list_pages().await {
                Err(failure) if failure.fault == Fault::Expired => {
                    tokio::time::sleep(LIST_PAUSE).await;
                }
                listed => return listed,
            }
        }
        self.list_pages().await
    }

    async fn list_pages(&self) -> Result<Vec<Shard>, Failure> {
        let mut shards = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..PAGES_MAX {
            // A token stands for the stream that it came from, and is refused beside another name of it.
            let call = match token {
                Some(token) => self.calls.list_shards().next_token(token),
                None => self.calls.list_shards().stream_arn(&self.stream),
            };
            let page = call.send().await?;
            let listed = page
                .shards
                .ok_or_else(|| Failure::unreadable("ListShards returned no Shards"))?;
            for listed in listed {
                shards.push(shard(listed)?);
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(shards);
            }
        }
        let endless = format!("ListShards has more than {PAGES_MAX} pages");
        Err(Failure::unreadable(&endless))
    }

    /// GetShardIterator.
    pub async fn open(&self, shard: &str, start: &Start) -> Result<ShardIterator, Failure> {
        let (kind, number, moment) = position(start);
        let answer = self
            .calls
            .get_shard_iterator()
            .stream_arn(&self.stream)
            .shard_id(shard)
            .shard_iterator_type(kind)
            .set_starting_sequence_number(number)
            .set_timestamp(moment)
            .send()
            .await?;
        answer
            .shard_iterator
            .map(ShardIterator)
            .ok_or_else(|| Failure::unreadable("GetShardIterator returned no ShardIterator"))
    }

    /// GetRecords.
    pub async fn read(&self, at: &ShardIterator, limit: usize) -> Result<Read, Failure> {
        let question = json(&Question {
            shard_iterator: &at.0,
            limit: limit.clamp(1, READ_LIMIT_MAX),
            stream_arn: &self.stream,
        });
        let ask = |learning| {
            let call = self.calls.get_records().stream_arn(&self.stream);
            let call = call.shard_iterator(&at.0).customize();
            call.interceptor(learning).send()
        };
        let at_most = READ_WAIT + CALL_TIMEOUT;
        let mut incoming = Incoming::new(self.bounds);
        let sent = self
            .reading
            .send_to(&mut incoming, question, None, at_most, ask);
        sent.await?;
        incoming.read()
    }
}

/// The same three members serve GetShardIterator and SubscribeToShard.
fn position(start: &Start) -> (ShardIteratorType, Option<String>, Option<DateTime>) {
    match start {
        Start::Horizon => (ShardIteratorType::TrimHorizon, None, None),
        Start::Latest => (ShardIteratorType::Latest, None, None),
        Start::Moment { ms } => {
            let time = DateTime::from_millis(i64::try_from(*ms).unwrap_or(i64::MAX));
            (ShardIteratorType::AtTimestamp, None, Some(time))
        }
        Start::From(number) => (
            ShardIteratorType::AtSequenceNumber,
            Some(number.as_str().to_owned()),
            None,
        ),
        Start::After(number) => (
            ShardIteratorType::AfterSequenceNumber,
            Some(number.as_str().to_owned()),
            None,
        ),
    }
}

/// The SDK makes 1970 of a time that is missing.
fn created(time: DateTime) -> Option<u64> {
    let ms = time.to_millis().ok().and_then(|ms| u64::try_from(ms).ok());
    ms.filter(|ms| *ms > 0)
}

fn status(status: &StreamStatus) -> Result<Status, Failure> {
    match status {
        StreamStatus::Creating => Ok(Status::Starting),
        StreamStatus::Active | StreamStatus::Updating => Ok(Status::Active),
        StreamStatus::Deleting => Ok(Status::Deleting),
        other => {
            let unknown = format!("the stream's status is {other}");
            Err(Failure::unreadable(&unknown))
        }
    }
}

fn shard(listed: SdkShard) -> Result<Shard, Failure> {
    let id = identifier(listed.shard_id)?;
    let range = listed
        .sequence_number_range
        .ok_or_else(|| Failure::unreadable("a shard came without a SequenceNumberRange"))?;
    let parents = [listed.parent_shard_id, listed.adjacent_parent_shard_id];
    Ok(Shard {
        id,
        parents: parents.into_iter().flatten().collect(),
        ending: range
            .ending_sequence_number
            .map(|text| number(text, "EndingSequenceNumber"))
            .transpose()?,
    })
}

fn children(from: Option<Vec<ChildShard>>) -> Result<Vec<Shard>, Failure> {
    let children = from.unwrap_or_default().into_iter();
    children
        .map(|child| following(child.shard_id, child.parent_shards))
        .collect()
}

/// A shard that goes on where others end.
fn following(id: String, parents: Vec<String>) -> Result<Shard, Failure> {
    Ok(Shard {
        id: identifier(id)?,
        parents,
        ending: None,
    })
}

/// The SDK makes an empty text of one that is missing.
fn identifier(id: String) -> Result<String, Failure> {
    match id.is_empty() {
        true => Err(Failure::unreadable("a shard came without a ShardId")),
        false => Ok(id),
    }
}

fn records(from: Vec<SdkRecord>) -> Result<Vec<KinesisRecord>, Failure> {
    from.into_iter()
        .map(|from| {
            record(
                from.sequence_number,
                from.partition_key.map(PartitionKey::from),
                from.data.into_inner().into(),
                from.approximate_arrival_timestamp,
            )
        })
        .collect()
}

/// Data may be empty in Kinesis too, and the SDK does not tell that from data that are missing.
fn record(
    place: impl AsRef<str>,
    key: Option<PartitionKey>,
    data: Data,
    arrived: Option<DateTime>,
) -> Result<KinesisRecord, Failure> {
    Ok(KinesisRecord {
        sequence_number: number(place, "SequenceNumber")?,
        partition_key: key.unwrap_or_default(),
        data,
        arrived_ms: milliseconds(arrived, "an ApproximateArrivalTimestamp")?,
    })
}

#[cfg(test)]
mod tests;
