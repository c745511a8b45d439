//! What the load's side of a test sees: invocations, and how long each record took from its arrival to its invocation.
//!
//! A record begins with the microsecond of its arrival, as sixteen digits. Both ends of that time are taken here, so that it
//! needs no second clock.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::plan::Source;
use super::usage;

/// How a record begins.
const OPENING: &str = "{\"at\":\"";
/// Digits of a microsecond.
const DIGITS: usize = 16;
/// Opening, digits and the quotation mark behind them, in base64.
const STAMP_BASE64: usize = (OPENING.len() + DIGITS + 1) / 3 * 4;
/// More are not kept: four bytes each.
const LATENCIES_MAX: usize = 16_000_000;

/// Counts, from the start of the process on.
#[derive(Debug)]
pub struct Gauge {
    source: Source,
    /// Whether records say when they arrived.
    stamped: bool,
    began: Instant,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    since: Instant,
    cpu_s: f64,
    records: u64,
    invocations: u64,
    events: u64,
    latencies_us: Vec<u32>,
}

/// What was counted between two looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Seconds between them.
    pub seconds: f64,
    /// CPU seconds of the load's side, where it is ours.
    pub cpu_s: Option<f64>,
    /// Records that canned answers gave out.
    pub records: u64,
    /// Invocations that reached the function.
    pub invocations: u64,
    /// From a record's arrival to the start of its invocation; none where nothing arrived at a time.
    pub latency: Option<Latency>,
}

/// Milliseconds that a share of the records took at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of them.
    pub p50_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// 999 of 1,000.
    pub p999_ms: f64,
    /// All.
    pub max_ms: f64,
}

impl Gauge {
    /// For records of this kind; `stamped`: they say when they arrived.
    pub fn new(source: Source, stamped: bool) -> Self {
        Self {
            source,
            stamped,
            began: Instant::now(),
            counts: Mutex::new(Counts {
                since: Instant::now(),
                cpu_s: usage::cpu_s().unwrap_or_default(),
                records: 0,
                invocations: 0,
                events: 0,
                latencies_us: Vec::new(),
            }),
        }
    }

    /// Microseconds since the start.
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// So many records are given out.
    pub fn gave(&self, records: usize) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.records += records as u64;
    }

    /// An invocation arrived. Returns its number, from 1.
    pub fn invoked(&self, event: &[u8]) -> u64 {
        let now_us = self.now_us();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.invocations += 1;
        if self.stamped {
            for stamp in stamps(self.source, event) {
                counts.events += 1;
                let latency = u32::try_from(now_us.saturating_sub(stamp)).unwrap_or(u32::MAX);
                if counts.latencies_us.len() < LATENCIES_MAX {
                    counts.latencies_us.push(latency);
                }
            }
        }
        counts.invocations
    }

    /// How many stamped records were invoked, counted again with each repeat, since the last look.
    pub fn events(&self) -> u64 {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.events
    }

    /// What was counted since the last look; `latency`: whether arrivals mean anything.
    pub fn look(&self, latency: bool) -> Figures {
        let (now, cpu_s) = (Instant::now(), usage::cpu_s().unwrap_or_default());
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let latencies = std::mem::take(&mut counts.latencies_us);
        let figures = Figures {
            seconds: (now - counts.since).as_secs_f64(),
            cpu_s: Some(cpu_s - counts.cpu_s),
            records: std::mem::take(&mut counts.records),
            invocations: counts.invocations,
            latency: latency.then(|| Latency::of(latencies)).flatten(),
        };
        (counts.since, counts.cpu_s, counts.invocations) = (now, cpu_s, 0);
        figures
    }
}

impl Figures {
    /// Of a side that tells nothing.
    pub fn unseen(time: Duration) -> Self {
        Self {
            seconds: time.as_secs_f64(),
            cpu_s: None,
            records: 0,
            invocations: 0,
            latency: None,
        }
    }
}

impl Latency {
    fn of(mut us: Vec<u32>) -> Option<Self> {
        us.sort_unstable();
        let last = us.len().checked_sub(1)?;
        // The rank of so many of a thousand, rounded up: the least that is true of all of them.
        let at = |of_1000: usize| {
            f64::from(us[(us.len() * of_1000).div_ceil(1000).clamp(1, us.len()) - 1]) / 1000.0
        };
        Some(Self {
            p50_ms: at(500),
            p99_ms: at(990),
            p999_ms: at(999),
            max_ms: f64::from(us[last]) / 1000.0,
        })
    }
}

/// A record of this length that arrived at `at_us`: JSON, so that a filter could read it.
pub fn payload(at_us: u64, bytes: usize) -> String {
    let mut text = format!("{OPENING}{at_us:0DIGITS$}\",\"text\":\"");
    let filling = bytes.saturating_sub(text.len() + 2);
    text.extend(std::iter::repeat_n('x', filling));
    text.push_str("\"}");
    text
}

/// The arrivals that an event tells of.
fn stamps(source: Source, event: &[u8]) -> impl Iterator<Item = u64> {
    let text = std::str::from_utf8(event).unwrap_or_default();
    let needle = match source {
        Source::Queue | Source::Fifo => "\"body\":\"{\\\"at\\\":\\\"",
        Source::Kinesis => "\"data\":\"",
        Source::Dynamodb => "\"at\":{\"S\":\"",
    };
    text.match_indices(needle)
        .filter_map(move |(at, _)| stamp(source, &text[at + needle.len()..]))
}

fn stamp(source: Source, rest: &str) -> Option<u64> {
    if source == Source::Kinesis {
        let bytes = STANDARD.decode(rest.get(..STAMP_BASE64)?).ok()?;
        let digits = bytes.get(OPENING.len()..OPENING.len() + DIGITS)?;
        return std::str::from_utf8(digits).ok()?.parse().ok();
    }
    rest.get(..DIGITS)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_its_length_and_is_json() {
        for bytes in [64, 256, 1024] {
            let text = payload(1_234_567, bytes);
            assert_eq!(text.len(), bytes);
            let read: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(read["at"], "0000000001234567");
        }
    }

    #[test]
    fn an_event_tells_when_its_records_arrived() {
        let payloads = [payload(7, 64), payload(1_000_000, 64)];
        let queue: Vec<_> = payloads
            .iter()
            .map(|body| serde_json::json!({ "body": body }))
            .collect();
        let kinesis: Vec<_> = payloads
            .iter()
            .map(|data| serde_json::json!({ "kinesis": { "data": STANDARD.encode(data) } }))
            .collect();
        let dynamo = ["0000000000000007", "0000000001000000"]
            .map(|at| serde_json::json!({ "dynamodb": { "NewImage": { "at": { "S": at } } } }));
        for (source, records) in [
            (Source::Queue, queue),
            (Source::Kinesis, kinesis),
            (Source::Dynamodb, dynamo.to_vec()),
        ] {
            let event = serde_json::json!({ "Records": records }).to_string();
            let found: Vec<u64> = stamps(source, event.as_bytes()).collect();
            assert_eq!(found, [7, 1_000_000], "{source:?}");
        }
    }

    #[test]
    fn percentiles_are_the_least_that_is_true_of_so_many() {
        assert_eq!(Latency::of(Vec::new()), None);
        let us: Vec<u32> = (1..=1_000).rev().map(|ms| ms * 1_000).collect();
        let latency = Latency::of(us).unwrap();
        assert_eq!(
            (
                latency.p50_ms,
                latency.p99_ms,
                latency.p999_ms,
                latency.max_ms
            ),
            (500.0, 990.0, 999.0, 1_000.0)
        );
        let one = Latency::of(vec![2_000]).unwrap();
        assert_eq!((one.p50_ms, one.p999_ms), (2.0, 2.0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_tells_what_came_since_the_last_one() {
        let gauge = Gauge::new(Source::Queue, true);
        tokio::time::advance(Duration::from_millis(30)).await;
        let event = serde_json::json!({ "Records": [{ "body": payload(10_000, 64) }] }).to_string();
        assert_eq!(gauge.invoked(event.as_bytes()), 1);
        assert_eq!(gauge.events(), 1);
        gauge.gave(10);
        let figures = gauge.look(true);
        assert_eq!((figures.records, figures.invocations), (10, 1));
        assert_eq!(figures.latency.map(|latency| latency.p50_ms), Some(20.0));
        let nothing = gauge.look(true);
        assert_eq!((nothing.invocations, nothing.latency), (0, None));
    }
}
