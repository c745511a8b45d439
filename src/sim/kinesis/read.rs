//! GetShardIterator and GetRecords: where a reader stands, and what it gets from there.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Call, StreamOf,
    error::{Code, KinesisError},
    sequence::Sequence,
    shard::{Page, READS_PER_SECOND, Record},
    shown, token,
    token::{ShardIterator, TOKEN_LIFE_MS},
    within,
};
use crate::sim::{faults::Fault, history::Event};

/// How many records a GetRecords returns, and its default.
// API: GetRecords, Limit
const RECORDS_MAX: usize = 10_000;
/// How many bytes it returns.
// API: GetRecords: up to 10 MiB per call
const BYTES_MAX: usize = 10 * 1024 * 1024;
/// How far behind an answer claims to be that is empty by a fault.
const BEHIND_MS: u64 = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetShardIterator {
    #[serde(flatten)]
    of: StreamOf,
    shard_id: Option<String>,
    shard_iterator_type: Option<String>,
    starting_sequence_number: Option<String>,
    timestamp: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetRecords {
    shard_iterator: Option<String>,
    limit: Option<i64>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
}

/// Where a reader wants to begin.
// API: GetShardIterator, ShardIteratorType; SubscribeToShard, StartingPosition
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) kind: Option<&'a str>,
    pub(super) sequence_number: Option<&'a str>,
    pub(super) timestamp: Option<f64>,
}

impl Wanted<'_> {
    /// The place of the first record that is wanted.
    pub(super) fn place(
        self,
        call: &mut Call<'_>,
        stream: &str,
        shard_id: &str,
    ) -> Result<Sequence, KinesisError> {
        let now_ms = call.now_ms;
        let stream = call.stream(stream)?;
        let shard = stream.shard(shard_id)?;
        match (self.kind, self.sequence_number, self.timestamp) {
            (Some("TRIM_HORIZON"), None, None) => Ok(shard.starting()),
            (Some("LATEST"), None, None) => Ok(stream.latest(shard, now_ms)),
            (Some("AT_SEQUENCE_NUMBER"), Some(text), None) => shard.place(text),
            (Some("AFTER_SEQUENCE_NUMBER"), Some(text), None) => Ok(shard.place(text)?.next()),
            // API: GetShardIterator, Timestamp: no exact match is the next record; before the horizon is the horizon
            (Some("AT_TIMESTAMP"), None, Some(seconds)) => {
                let at_ms = shown::milliseconds(seconds);
                if at_ms > now_ms {
                    return Err(Code::InvalidArgumentException.because(
                        "The timestamp parameter cannot be greater than the current timestamp.",
                    ));
                }
                Ok(Sequence::at(at_ms, shard.number).max(shard.starting()))
            }
            (kind, ..) => Err(Code::InvalidArgumentException.because(format!(
                "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber or (3) AT_TIMESTAMP and Timestamp. Request specified {}.",
                kind.unwrap_or("nothing")
            ))),
        }
    }
}

pub(super) fn iterator(
    call: &mut Call<'_>,
    input: &GetShardIterator,
) -> Result<Value, KinesisError> {
    let stream = input.of.name()?;
    let shard_id = input
        .shard_id
        .as_deref()
        .ok_or_else(|| KinesisError::missing("shardId"))?;
    let wanted = Wanted {
        kind: input.shard_iterator_type.as_deref(),
        sequence_number: input.starting_sequence_number.as_deref(),
        timestamp: input.timestamp,
    };
    let from = wanted.place(call, stream, shard_id)?;
    if call.fault == Some(Fault::ReadThrottled) {
        return Err(throttled(shard_id));
    }
    if call.fault == Some(Fault::TrimmedPosition) {
        trim(call, stream, shard_id, from)?;
        if let Some(text) = wanted.sequence_number {
            return Err(Code::InvalidArgumentException.because(format!(
                "StartingSequenceNumber {text} used in GetShardIterator on shard {shard_id} is invalid because it was trimmed."
            )));
        }
    }
    Ok(json!({ "ShardIterator": issue(call, stream, shard_id, from)? }))
}

pub(super) fn records(call: &mut Call<'_>, input: &GetRecords) -> Result<Value, KinesisError> {
    let limit = within(input.limit, 1..=RECORDS_MAX, "limit")?.unwrap_or(RECORDS_MAX);
    let token = input
        .shard_iterator
        .as_deref()
        .ok_or_else(|| KinesisError::missing("shardIterator"))?;
    let invalid = || Code::InvalidArgumentException.because("Invalid ShardIterator.");
    let position: ShardIterator = token::unseal(token).ok_or_else(invalid)?;
    let from: Sequence = position.from.parse().map_err(|_| invalid())?;
    let (stream, shard_id) = (position.stream.as_str(), position.shard.as_str());
    let now_ms = call.now_ms;
    let other = input.stream_arn.as_deref().and_then(super::stream_in);
    if other.is_some_and(|other| other != stream)
        || call.stream(stream)?.created_ms != position.created_ms
    {
        return Err(invalid());
    }
    // API: GetRecords, ExpiredIteratorException
    if now_ms >= position.issued_ms + TOKEN_LIFE_MS || call.fault == Some(Fault::IteratorExpired) {
        return Err(Code::ExpiredIteratorException.because(format!(
            "Iterator expired. The iterator was created at time {} while right now it is {now_ms} which is further in the future than the tolerated delay of {TOKEN_LIFE_MS} milliseconds.",
            position.issued_ms
        )));
    }
    let fault = call.fault;
    let reads = &mut call.stream(stream)?.shard_mut(shard_id)?.reads;
    match fault {
        Some(Fault::ReadsSpent) => (0..READS_PER_SECOND).for_each(|_| reads.spend(now_ms, 0)),
        Some(Fault::BytesSpent) => reads.spend(now_ms, BYTES_MAX),
        _ => {}
    }
    let exceeded = reads.exceeded(now_ms);
    if exceeded || call.fault == Some(Fault::ReadThrottled) {
        return Err(throttled(shard_id));
    }
    if call.fault == Some(Fault::TrimmedPosition) {
        trim(call, stream, shard_id, from)?;
    }
    let hidden = call.fault == Some(Fault::EmptyRead);
    let shard = call.stream(stream)?.shard_mut(shard_id)?;
    let page = if hidden {
        nothing_yet(from)
    } else {
        shard.page(from, limit, BYTES_MAX, now_ms)
    };
    shard
        .reads
        .spend(now_ms, page.records.iter().map(Record::size).sum());
    let number = shard.number;
    tell(call, stream, shard_id, &page);
    let mut answer = json!({
        "Records": page.records.iter().map(shown::record).collect::<Vec<Value>>(),
        "MillisBehindLatest": page.behind_ms,
    });
    // API: GetRecords, NextShardIterator: null once the shard is closed and read; ChildShards only then
    if page.ended {
        answer["NextShardIterator"] = Value::Null;
        answer["ChildShards"] = shown::children(call.stream(stream)?, number).into();
    } else {
        answer["NextShardIterator"] = issue(call, stream, shard_id, page.next)?.into();
    }
    Ok(answer)
}

/// Enters into the ledger what a reader got.
pub(super) fn tell(call: &mut Call<'_>, stream: &str, shard: &str, page: &Page) {
    if page.records.is_empty() && !page.ended {
        return;
    }
    let number = |record: &Record| record.sequence.to_string();
    call.record(|| Event::RecordsRead {
        stream: stream.to_owned(),
        shard: shard.to_owned(),
        count: page.records.len(),
        first: page.records.first().map(number),
        last: page.records.last().map(number),
        ended: page.ended,
    });
}

fn nothing_yet(from: Sequence) -> Page {
    Page {
        records: Vec::new(),
        next: from,
        behind_ms: BEHIND_MS,
        ended: false,
    }
}

/// The fault: the records before a point at or behind the reader's place leave the shard now.
fn trim(
    call: &mut Call<'_>,
    stream: &str,
    shard_id: &str,
    from: Sequence,
) -> Result<(), KinesisError> {
    let shard = call.stream(stream)?.shard(shard_id)?;
    let (unread_from, count) = (shard.index(from), shard.records.len());
    // One at least is lost, where there is one.
    let cut = call.state.rng.usize((unread_from + 1).min(count)..=count);
    if let Some(trimmed) = call.stream(stream)?.shard_mut(shard_id)?.trim(cut) {
        call.record_trimmed(stream, &trimmed);
    }
    Ok(())
}

fn issue(
    call: &mut Call<'_>,
    stream: &str,
    shard: &str,
    from: Sequence,
) -> Result<String, KinesisError> {
    let issued_ms = call.now_ms;
    Ok(token::seal(&ShardIterator {
        created_ms: call.stream(stream)?.created_ms,
        stream: stream.to_owned(),
        shard: shard.to_owned(),
        from: from.to_string(),
        issued_ms,
    }))
}

fn throttled(shard: &str) -> KinesisError {
    Code::ProvisionedThroughputExceededException
        .because(format!("Rate exceeded for shard {shard}."))
}
