//! Shards that never end, of a Kinesis stream or of a DynamoDB table's: a record's number is its place.

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::{Said, ok, unknown};
use crate::cli::bench::flow::Flow;
use crate::cli::bench::gauge::{Gauge, payload};
use crate::cli::bench::plan::{ACCOUNT, NAME, Plan, REGION, Source};
use crate::clock::Clock;

/// What one read gives at most. // spec: 5.1
const READ_RECORDS_MAX: usize = 10_000;
const READ_BYTES_MAX: usize = 10 * 1024 * 1024;
const READ_DYNAMODB_MAX: usize = 1_000;
/// Sequence numbers of Kinesis have 56 digits.
const NUMBER_PREFIX: &str = "49600000000000000000000000000000000000";
const NUMBER_DIGITS: usize = 18;

/// A stream.
#[derive(Debug)]
pub(super) struct Stream {
    kinesis: bool,
    shards: u32,
    bytes: usize,
    /// Of one shard.
    flow: Flow,
    gauge: Arc<Gauge>,
    began_us: u64,
    began_ms: u64,
    clock: Clock,
    /// A record's data where it has no time of its own: base64 of Kinesis, filling of an item.
    usual: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Open<'a> {
    shard_id: &'a str,
    starting_sequence_number: Option<&'a str>,
    sequence_number: Option<&'a str>,
    shard_iterator_type: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Read<'a> {
    shard_iterator: &'a str,
    limit: Option<usize>,
}

impl Stream {
    pub(super) fn new(plan: &Plan, gauge: Arc<Gauge>, clock: Clock) -> Self {
        let kinesis = plan.source == Source::Kinesis;
        let bytes = plan.bytes();
        Self {
            kinesis,
            shards: plan.shards,
            bytes,
            flow: Flow::new(plan.rate.map(|rate| rate as f64 / f64::from(plan.shards))),
            began_us: gauge.now_us(),
            gauge,
            began_ms: clock.now_ms(),
            clock,
            usual: match kinesis {
                true => STANDARD.encode(payload(0, bytes)),
                false => "x".repeat(bytes.saturating_sub(40)),
            },
        }
    }

    pub(super) fn arn(&self) -> String {
        match self.kinesis {
            true => format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{NAME}"),
            false => format!(
                "arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{NAME}/stream/2026-01-01T00:00:00.000"
            ),
        }
    }

    pub(super) fn answer(&self, operation: &str, body: &[u8]) -> Said {
        match operation {
            "GetRecords" => self.read(body),
            "GetShardIterator" => self.open(body),
            "ListShards" => ok(format!("{{\"Shards\":[{}]}}", self.listed())),
            "DescribeStreamSummary" => ok(self.summary()),
            "DescribeStream" => ok(format!(
                "{{\"StreamDescription\":{{\"StreamArn\":\"{}\",\"StreamStatus\":\"ENABLED\",\"StreamViewType\":\"NEW_IMAGE\",\
                 \"CreationRequestDateTime\":1767225600,\"TableName\":\"{NAME}\",\"Shards\":[{}]}}}}",
                self.arn(),
                self.listed()
            )),
            other => unknown(other),
        }
    }

    fn summary(&self) -> String {
        format!(
            "{{\"StreamDescriptionSummary\":{{\"StreamName\":\"{NAME}\",\"StreamARN\":\"{}\",\"StreamStatus\":\"ACTIVE\",\
             \"RetentionPeriodHours\":24,\"StreamCreationTimestamp\":1767225600,\"EnhancedMonitoring\":[],\"OpenShardCount\":{}}}}}",
            self.arn(),
            self.shards
        )
    }

    fn listed(&self) -> String {
        let mut out = String::new();
        for shard in 0..self.shards {
            let comma = if shard > 0 { "," } else { "" };
            let _ = write!(
                out,
                "{comma}{{\"ShardId\":\"{}\",{}\"SequenceNumberRange\":{{\"StartingSequenceNumber\":\"{}\"}}}}",
                shard_id(shard),
                self.hash_keys(shard),
                number(0)
            );
        }
        out
    }

    /// The shard's part of all hash keys: some readers look for what no shard has.
    fn hash_keys(&self, shard: u32) -> String {
        if !self.kinesis {
            return String::new();
        }
        let width = u128::MAX / u128::from(self.shards);
        let start = width * u128::from(shard);
        let end = match shard + 1 == self.shards {
            true => u128::MAX,
            false => start + width - 1,
        };
        format!("\"HashKeyRange\":{{\"StartingHashKey\":\"{start}\",\"EndingHashKey\":\"{end}\"}},")
    }

    fn open(&self, body: &[u8]) -> Said {
        let Ok(asked) = serde_json::from_slice::<Open>(body) else {
            return unknown("GetShardIterator");
        };
        let named = asked.starting_sequence_number.or(asked.sequence_number);
        let place = named.and_then(|text| text.get(NUMBER_PREFIX.len()..)?.parse::<u64>().ok());
        let next = match (place, asked.shard_iterator_type) {
            (Some(place), "AFTER_SEQUENCE_NUMBER") => place + 1,
            (place, _) => place.unwrap_or(0),
        };
        ok(format!(
            "{{\"ShardIterator\":\"{}:{next}\"}}",
            asked.shard_id
        ))
    }

    fn read(&self, body: &[u8]) -> Said {
        let Ok(asked) = serde_json::from_slice::<Read>(body) else {
            return unknown("GetRecords");
        };
        let place = asked.shard_iterator.rsplit_once(':');
        let Some((shard, first)) =
            place.and_then(|(shard, next)| Some((shard, next.parse::<u64>().ok()?)))
        else {
            return unknown("GetRecords at no place");
        };
        let most = match self.kinesis {
            true => READ_RECORDS_MAX.min((READ_BYTES_MAX / self.bytes).max(1)),
            false => READ_DYNAMODB_MAX,
        };
        let wanted = asked.limit.unwrap_or(most).clamp(1, most);
        let count = self.flow.there(first, wanted);
        self.gauge.gave(count);
        let mut out = String::with_capacity(256 + count * (self.bytes * 4 / 3 + 700));
        out.push_str("{\"Records\":[");
        let next = first + count as u64;
        for place in first..next {
            if place > first {
                out.push(',');
            }
            self.record(&mut out, shard, place);
        }
        let _ = write!(out, "],\"NextShardIterator\":\"{shard}:{next}\"");
        if self.kinesis {
            let behind_ms = if self.flow.there(next, 1) > 0 {
                1_000
            } else {
                0
            };
            let _ = write!(out, ",\"MillisBehindLatest\":{behind_ms}");
        }
        out.push('}');
        ok(out)
    }

    fn record(&self, out: &mut String, shard: &str, place: u64) {
        let at_us = self.flow.arrival_us(self.began_us, place);
        let arrived_ms = match at_us {
            0 => self.clock.now_ms(),
            at_us => self.began_ms + at_us.saturating_sub(self.began_us) / 1000,
        };
        let (s, ms, number) = (arrived_ms / 1000, arrived_ms % 1000, number(place));
        // Writing into a text does not fail.
        let _ = match self.kinesis {
            true => write!(
                out,
                "{{\"SequenceNumber\":\"{number}\",\"ApproximateArrivalTimestamp\":{s}.{ms:03},\"PartitionKey\":\"key-{place}\",\"Data\":\""
            ),
            false => write!(
                out,
                "{{\"eventID\":\"{shard}{place:032}\",\"eventName\":\"INSERT\",\"eventVersion\":\"1.1\",\"eventSource\":\"aws:dynamodb\",\
                 \"awsRegion\":\"{REGION}\",\"dynamodb\":{{\"ApproximateCreationDateTime\":{s},\"Keys\":{{\"id\":{{\"S\":\"{place}\"}}}},\
                 \"NewImage\":{{\"id\":{{\"S\":\"{place}\"}},\"at\":{{\"S\":\"{at_us:016}\"}},\"text\":{{\"S\":\"{}\"}}}},\
                 \"SequenceNumber\":\"{number}\",\"SizeBytes\":{},\"StreamViewType\":\"NEW_IMAGE\"}}}}",
                self.usual, self.bytes
            ),
        };
        if self.kinesis {
            match at_us {
                0 => out.push_str(&self.usual),
                at_us => STANDARD.encode_string(payload(at_us, self.bytes), out),
            }
            out.push_str("\"}");
        }
    }
}

fn shard_id(shard: u32) -> String {
    format!("shardId-{shard:012}")
}

fn number(place: u64) -> String {
    format!("{NUMBER_PREFIX}{place:0NUMBER_DIGITS$}")
}
