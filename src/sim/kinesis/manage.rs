//! Streams as such: create, describe, change the retention, delete.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Call, StreamOf,
    error::{Code, KinesisError},
    nothing,
    shard::shard_number,
    shown,
    stream::Stream,
    within,
};
use crate::sim::world::World;

/// How many shards a new stream may have.
const SHARDS_MAX: usize = 10_000;
/// What a stream on demand begins with.
// API: CreateStream, StreamModeDetails
const SHARDS_ON_DEMAND: usize = 4;
/// How many shards DescribeStream shows by default.
// API: DescribeStream, Limit
const SHARDS_SHOWN: usize = 100;
/// The hours of a retention period.
// API: IncreaseStreamRetentionPeriod, RetentionPeriodHours: 24 hours to 365 days
const RETENTION_HOURS: std::ops::RangeInclusive<usize> = 24..=8760;
/// The largest that records of a stream may be made, and the smallest.
// API: CreateStream, MaxRecordSizeInKiB
const RECORD_KIB: std::ops::RangeInclusive<usize> = 1024..=10_240;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateStream {
    stream_name: Option<String>,
    shard_count: Option<i64>,
    stream_mode_details: Option<Mode>,
    #[serde(rename = "MaxRecordSizeInKiB")]
    max_record_size_in_kib: Option<i64>,
}

impl CreateStream {
    /// A provisioned stream whose records may be as large as any.
    pub(super) fn large(name: &str, shards: u32) -> Self {
        Self {
            stream_name: Some(name.to_owned()),
            shard_count: Some(shards.into()),
            stream_mode_details: None,
            max_record_size_in_kib: Some(10_240),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mode {
    stream_mode: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Delete {
    #[serde(flatten)]
    of: StreamOf,
    enforce_consumer_deletion: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Describe {
    #[serde(flatten)]
    of: StreamOf,
    limit: Option<i64>,
    exclusive_start_shard_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Retention {
    #[serde(flatten)]
    of: StreamOf,
    retention_period_hours: Option<i64>,
}

// API: CreateStream; here a stream is ACTIVE at once
pub(super) fn create(call: &mut Call<'_>, input: CreateStream) -> Result<Value, KinesisError> {
    let name = input
        .stream_name
        .ok_or_else(|| KinesisError::missing("streamName"))?;
    check_name(&name)?;
    let mode = input
        .stream_mode_details
        .map_or_else(|| "PROVISIONED".to_owned(), |mode| mode.stream_mode);
    let count = within(input.shard_count, 1..=SHARDS_MAX, "shardCount")?;
    let count = match (mode.as_str(), count) {
        ("ON_DEMAND", count) => count.unwrap_or(SHARDS_ON_DEMAND),
        ("PROVISIONED", Some(count)) => count,
        _ => return Err(KinesisError::missing("shardCount")),
    };
    let record_kib = within(
        input.max_record_size_in_kib,
        RECORD_KIB,
        "maxRecordSizeInKiB",
    )?;
    if call.state.streams.contains_key(&name) {
        let text = format!(
            "Stream {name} under account {} already exists.",
            call.world.settings().account
        );
        return Err(Code::ResourceInUseException.because(text));
    }
    let mut stream = Stream::new(count as u64, call.now_ms);
    stream.mode = mode;
    stream.record_bytes_max = record_kib.unwrap_or(*RECORD_KIB.start()) * 1024;
    call.state.streams.insert(name, stream);
    Ok(nothing())
}

/// Names of streams and of consumers.
// API: CreateStream, StreamName; RegisterStreamConsumer, ConsumerName: [a-zA-Z0-9_.-]{1,128}
pub(super) fn check_name(name: &str) -> Result<(), KinesisError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    if (1..=128).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(Code::ValidationException.because(format!(
        "Value '{name}' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
    )))
}

// API: DeleteStream
pub(super) fn delete(call: &mut Call<'_>, input: &Delete) -> Result<Value, KinesisError> {
    let name = input.of.name()?;
    let stream = call.stream(name)?;
    if !stream.consumers.is_empty() && input.enforce_consumer_deletion != Some(true) {
        let text = format!("Stream {name} has consumers registered; deregister them first.");
        return Err(Code::ResourceInUseException.because(text));
    }
    stream.wake.notify_waiters();
    call.state.streams.remove(name);
    Ok(nothing())
}

// API: DescribeStream
pub(super) fn describe(call: &mut Call<'_>, input: &Describe) -> Result<Value, KinesisError> {
    let name = input.of.name()?;
    let max = within(input.limit, 1..=10_000, "limit")?
        .unwrap_or(SHARDS_SHOWN)
        .min(SHARDS_SHOWN);
    let after = input.exclusive_start_shard_id.as_deref();
    let world = call.world;
    let stream = call.stream(name)?;
    let listed = stream.shards.values().filter(|shard| {
        after
            .and_then(shard_number)
            .is_none_or(|after| after < shard.number)
    });
    let shards: Vec<Value> = listed.take(max + 1).map(shown::shard).collect();
    let mut description = described(world, name, stream);
    description["HasMoreShards"] = (shards.len() > max).into();
    description["Shards"] = shards.into_iter().take(max).collect();
    Ok(json!({ "StreamDescription": description }))
}

// API: DescribeStreamSummary
pub(super) fn summary(call: &mut Call<'_>, input: &StreamOf) -> Result<Value, KinesisError> {
    let name = input.name()?;
    let world = call.world;
    let stream = call.stream(name)?;
    let mut description = described(world, name, stream);
    description["OpenShardCount"] = stream.open_shards().len().into();
    description["ConsumerCount"] = stream.consumers.len().into();
    description["MaxRecordSizeInKiB"] = (stream.record_bytes_max / 1024).into();
    Ok(json!({ "StreamDescriptionSummary": description }))
}

fn described(world: &World, name: &str, stream: &Stream) -> Value {
    let mut described = listed(world, name, stream);
    described["RetentionPeriodHours"] = stream.retention_hours.into();
    described["EnhancedMonitoring"] = json!([{ "ShardLevelMetrics": [] }]);
    described["EncryptionType"] = "NONE".into();
    described
}

/// What ListStreams says of a stream.
// API: StreamSummary
pub(super) fn listed(world: &World, name: &str, stream: &Stream) -> Value {
    json!({
        "StreamName": name,
        "StreamARN": world.stream_arn(name),
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": { "StreamMode": stream.mode },
        "StreamCreationTimestamp": shown::timestamp(stream.created_ms),
    })
}

pub(super) fn increase(call: &mut Call<'_>, input: &Retention) -> Result<Value, KinesisError> {
    retain(call, input, |now, wanted| now <= wanted)
}

pub(super) fn decrease(call: &mut Call<'_>, input: &Retention) -> Result<Value, KinesisError> {
    retain(call, input, |now, wanted| wanted <= now)
}

// API: IncreaseStreamRetentionPeriod, DecreaseStreamRetentionPeriod
fn retain(
    call: &mut Call<'_>,
    input: &Retention,
    right_way: fn(u32, u32) -> bool,
) -> Result<Value, KinesisError> {
    let hours = within(
        input.retention_period_hours,
        RETENTION_HOURS,
        "retentionPeriodHours",
    )?
    .and_then(|hours| u32::try_from(hours).ok())
    .ok_or_else(|| KinesisError::missing("retentionPeriodHours"))?;
    let name = input.of.name()?;
    let stream = call.stream(name)?;
    if !right_way(stream.retention_hours, hours) {
        return Err(Code::InvalidArgumentException.because(format!(
            "Requested retention period ({hours} hours) for stream {name} is on the wrong side of the existing retention period ({} hours).",
            stream.retention_hours
        )));
    }
    stream.retention_hours = hours;
    call.stream(name)?;
    Ok(nothing())
}
