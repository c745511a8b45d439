//! What a load test came to: one table, or one JSON object.

use std::fmt::Write as _;

use serde::Serialize;

use super::elsewhere::Elsewhere;
use super::gauge::Latency;
use super::plan::Plan;

/// One line of the table: a setting of the concurrency.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Invocations at once, of a queue; of each shard of a stream.
    pub concurrency: u32,
    /// Events that were handled, in a second.
    pub events_per_s: f64,
    /// Megabytes (10^6) of records, in a second, where their length is known.
    pub mb_per_s: Option<f64>,
    /// Invocations in a second.
    pub invocations_per_s: f64,
    /// From a record's arrival in the source to the start of its invocation; of a paced load.
    pub latency: Option<Latency>,
    /// CPU seconds of this process for a million events.
    pub cpu_s_per_million: f64,
    /// CPU seconds of this process in a second.
    pub cpu_share: f64,
    /// CPU seconds of the load's side in a second, where it is ours: it has one thread.
    pub load_cpu_share: Option<f64>,
    /// The most memory that this process had, in bytes.
    pub peak_bytes: u64,
}

/// The whole of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Where the records came from.
    pub source: super::plan::Source,
    /// What stood where AWS would: `canned`, `embedded`, or the endpoint that was given.
    pub against: String,
    /// Bytes of a record, where they are known.
    pub record_bytes: Option<usize>,
    /// Records of a batch at most.
    pub batch_size: usize,
    /// Message groups, of a FIFO queue.
    pub groups: Option<u32>,
    /// Shards, of a stream.
    pub shards: Option<u32>,
    /// What the function did.
    pub function: String,
    /// Records a second; none: a backlog.
    pub rate: Option<u64>,
    /// Threads of the engine.
    pub threads: usize,
    /// How long each line was measured, in seconds.
    pub seconds: f64,
    /// For each setting.
    pub rows: Vec<Row>,
}

impl Report {
    /// Of a plan, with no line yet.
    pub fn new(plan: &Plan, batch_size: usize, threads: usize, seconds: f64) -> Self {
        let fifo = plan.source == super::plan::Source::Fifo;
        Self {
            source: plan.source,
            against: plan.against.to_string(),
            record_bytes: Some(plan.bytes()),
            batch_size,
            groups: fifo.then_some(plan.groups),
            shards: (!plan.source.is_queue()).then_some(plan.shards),
            function: plan.function.to_string(),
            rate: plan.rate,
            threads,
            seconds,
            rows: Vec::new(),
        }
    }

    /// Nothing is known but where it was.
    pub fn is_elsewhere(&mut self, there: &Elsewhere) {
        self.source = there.source;
        self.against.clone_from(&there.endpoint);
        self.function.clone_from(&there.function);
        (self.record_bytes, self.groups, self.shards) = (None, None, None);
    }

    /// For machines.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut out = format!(
            "{:>11} {:>11} {:>9} {:>13} {:>9} {:>9} {:>9} {:>12} {:>9} {:>7} {:>7}\n",
            "concurrency",
            "events/s",
            "MB/s",
            "invocations/s",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "CPU s/10^6",
            "peak MB",
            "CPU",
            "load's"
        );
        for row in &self.rows {
            let ms = |pick: fn(&Latency) -> f64| {
                row.latency
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), |latency| format!("{:.2}", pick(latency)))
            };
            // Writing into a text does not fail.
            let _ = writeln!(
                out,
                "{:>11} {:>11.0} {:>9} {:>13.0} {:>9} {:>9} {:>9} {:>12.2} {:>9.1} {:>6.0}% {:>7}",
                row.concurrency,
                row.events_per_s,
                known(row.mb_per_s, |mb| format!("{mb:.1}")),
                row.invocations_per_s,
                ms(|latency| latency.p50_ms),
                ms(|latency| latency.p99_ms),
                ms(|latency| latency.p999_ms),
                row.cpu_s_per_million,
                row.peak_bytes as f64 / 1e6,
                row.cpu_share * 100.0,
                known(row.load_cpu_share, |share| format!("{:.0}%", share * 100.0)),
            );
        }
        out
    }
}

fn known(figure: Option<f64>, written: impl Fn(f64) -> String) -> String {
    figure.map_or_else(|| "-".to_owned(), written)
}
