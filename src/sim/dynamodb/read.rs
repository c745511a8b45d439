//! GetShardIterator and GetRecords.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Call,
    error::{Code, DynamoError},
    iterator::{ShardIterator, expired},
    stream::Shard,
    write,
};
use crate::sim::faults::Fault;

/// How much one read returns at most.
// API: DynamoDB Streams GetRecords: 1 MB or 1,000 records; spec: 5.1
const RECORDS_MAX: usize = 1000;
const BYTES_MAX: usize = 1_000_000;
/// How many may read from a shard at the same time, here: within a second.
// API: DynamoDB Streams, LimitExceededException: no more than two processes; spec: 5.1
const READERS_MAX: usize = 2;
/// How many reads a shard serves in a second. AWS does not say; Lambda makes four.
const READS_MAX: usize = 10;
const READS_WITHIN_MS: u64 = 1000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GetShardIterator {
    stream_arn: String,
    shard_id: String,
    shard_iterator_type: IteratorType,
    sequence_number: Option<String>,
    /// Seconds since 1970.
    timestamp: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum IteratorType {
    TrimHorizon,
    Latest,
    AtSequenceNumber,
    AfterSequenceNumber,
    AtTimestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GotIterator {
    shard_iterator: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GetRecords {
    shard_iterator: String,
    limit: Option<usize>,
}

/// What a reader got.
#[derive(Debug)]
pub(super) struct RecordsRead {
    pub count: usize,
    pub first: Option<u128>,
    pub last: Option<u128>,
    pub ended: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GotRecords<'a> {
    records: Vec<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_shard_iterator: Option<String>,
}

// API: DynamoDB Streams GetShardIterator
pub(super) fn iterator(
    call: &mut Call<'_>,
    input: &GetShardIterator,
) -> Result<GotIterator, DynamoError> {
    let (now_ms, fault) = (call.now_ms, call.fault);
    let next_number = call.state.dynamodb.number + 1;
    let shard = call.stream(&input.stream_arn)?.shard(&input.shard_id)?;
    let horizon = shard.trimmed.map_or(shard.first, |trimmed| trimmed + 1);
    let from = match input.shard_iterator_type {
        IteratorType::TrimHorizon => horizon,
        IteratorType::Latest => next_number,
        IteratorType::AtTimestamp => at_timestamp(shard, input.timestamp, now_ms, next_number)?,
        kind @ (IteratorType::AtSequenceNumber | IteratorType::AfterSequenceNumber) => {
            let number = number(shard, input.sequence_number.as_deref(), next_number)?;
            let from = number + u128::from(kind == IteratorType::AfterSequenceNumber);
            if fault == Some(Fault::TrimmedPosition) {
                trim(call, &input.stream_arn, &input.shard_id, from)?;
                return Err(trimmed());
            }
            if number < horizon && shard.trimmed.is_some() {
                return Err(trimmed());
            }
            from
        }
    };
    let iterator = ShardIterator {
        stream: input.stream_arn.clone(),
        shard: input.shard_id.clone(),
        from,
        issued_ms: now_ms,
        reader: call.state.rng.u64(..),
    };
    Ok(GotIterator {
        shard_iterator: iterator.text(),
    })
}

/// The sequence number that was given, which is one of the shard.
fn number(shard: &Shard, given: Option<&str>, next_number: u128) -> Result<u128, DynamoError> {
    let number = given.and_then(|given| given.parse::<u128>().ok());
    let end = shard.closed.map_or(next_number, |closed| closed.last + 1);
    number
        .filter(|number| (shard.first..end).contains(number))
        .ok_or_else(|| {
            Code::Validation.because(format!(
                "Invalid SequenceNumber: {}",
                given.unwrap_or("null")
            ))
        })
}

/// The first record at or after a time, by its ApproximateCreationDateTime.
// API: DynamoDB Streams GetShardIterator, Timestamp
fn at_timestamp(
    shard: &Shard,
    given: Option<f64>,
    now_ms: u64,
    next_number: u128,
) -> Result<u128, DynamoError> {
    let seconds = |ms: u64| std::time::Duration::from_millis(ms).as_secs_f64();
    let Some(given) = given.filter(|given| *given <= seconds(now_ms)) else {
        return Err(Code::Validation.because("Timestamp is required and must not be in the future"));
    };
    let found = shard
        .records
        .iter()
        .find(|record| seconds(record.at_ms / 1000 * 1000) >= given);
    Ok(found.map_or(next_number, |record| record.number))
}

/// Trims for the fault what a reader at this position has not seen, in part or whole; nothing if it has seen all.
fn trim(call: &mut Call<'_>, stream: &str, shard: &str, from: u128) -> Result<(), DynamoError> {
    let chance = call.state.rng.usize(..);
    let gone = call.stream(stream)?.shard(shard)?.trim_unseen(from, chance);
    if let Some(gone) = gone {
        call.record_trimmed(stream, shard, gone);
    }
    Ok(())
}

fn trimmed() -> DynamoError {
    Code::TrimmedDataAccess.because(
        "The operation attempted to read past the oldest stream record in a shard: it is past the 24 hour limit",
    )
}

// API: DynamoDB Streams GetRecords
pub(super) fn records(call: &mut Call<'_>, input: &GetRecords) -> Result<Bytes, DynamoError> {
    let (now_ms, fault) = (call.now_ms, call.fault);
    let limit = input.limit.unwrap_or(RECORDS_MAX);
    if !(1..=RECORDS_MAX).contains(&limit) {
        let text = format!(
            "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have value between 1 and 1000"
        );
        return Err(Code::Validation.because(text));
    }
    let iterator = ShardIterator::parse(&input.shard_iterator, now_ms)?;
    match fault {
        Some(Fault::IteratorExpired) => return Err(expired()),
        Some(Fault::ReadThrottled) => return Err(too_fast()),
        Some(Fault::TrimmedPosition) => {
            trim(call, &iterator.stream, &iterator.shard, iterator.from)?;
        }
        _ => {}
    }
    let shard = call.stream(&iterator.stream)?.shard(&iterator.shard)?;
    admit(shard, iterator.reader, now_ms)?;
    if shard.trimmed.is_some_and(|gone| gone >= iterator.from) {
        return Err(trimmed());
    }
    let limit = if fault == Some(Fault::EmptyRead) {
        0
    } else {
        limit
    };
    let start = shard
        .records
        .partition_point(|record| record.number < iterator.from);
    let mut bytes = 0;
    let mut page: Vec<&RawValue> = Vec::new();
    let mut from = iterator.from;
    for record in shard.records.range(start..).take(limit) {
        bytes += record.bytes;
        // One record may be larger than a page.
        if bytes > BYTES_MAX && !page.is_empty() {
            break;
        }
        page.push(&record.json);
        from = record.number + 1;
    }
    // A closed shard ends with its last record, in the same answer.
    let ended = shard.closed.is_some() && start + page.len() == shard.records.len();
    let number = |index: usize| shard.records.get(index).map(|record| record.number);
    let read = RecordsRead {
        count: page.len(),
        first: number(start).filter(|_| !page.is_empty()),
        last: page
            .len()
            .checked_sub(1)
            .and_then(|last| number(start + last)),
        ended,
    };
    let next = ShardIterator {
        from,
        issued_ms: now_ms,
        ..iterator
    };
    let answer = write(&GotRecords {
        records: page,
        next_shard_iterator: (!ended).then(|| next.text()),
    })?;
    call.record_read(&next.stream, &next.shard, &read);
    Ok(answer)
}

/// Lets a reader read, unless there are two others or the shard was read too often.
fn admit(shard: &mut Shard, reader: u64, now_ms: u64) -> Result<(), DynamoError> {
    let reads = &mut shard.reads;
    while reads
        .pop_front_if(|(at_ms, _)| *at_ms + READS_WITHIN_MS <= now_ms)
        .is_some()
    {}
    let mut others: Vec<u64> = reads.iter().map(|(_, other)| *other).collect();
    others.retain(|other| *other != reader);
    others.sort_unstable();
    others.dedup();
    if others.len() >= READERS_MAX || reads.len() >= READS_MAX {
        return Err(too_fast());
    }
    reads.push_back((now_ms, reader));
    Ok(())
}

fn too_fast() -> DynamoError {
    Code::LimitExceeded
        .because("There are too many concurrent readers of the shard, or it is read too often")
}
