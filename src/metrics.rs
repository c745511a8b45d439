//! The metric families and one `record_*` for each thing that happens. Labels come from the configuration and from
//! enums alone, so the number of series is known; all series of a mapping exist from its start, at zero, so that rates work.
//!
//! Every family of the table has the label `mapping`, the mapping's name.
//!
//! | name | further labels | AWS's name | meaning |
//! | --- | --- | --- | --- |
//! | `sluicegate_events_polled_total` | | PolledEventCount | Events read from the source. |
//! | `sluicegate_events_filtered_out_total` | | FilteredOutEventCount | Events that match no filter. |
//! | `sluicegate_events_invoked_total` | | InvokedEventCount | Events handed to the function; each repeat counts again. |
//! | `sluicegate_events_failed_invoke_total` | | FailedInvokeEventCount | Events of invocations that did not handle all of their batch. |
//! | `sluicegate_events_deleted_total` | | DeletedEventCount | Messages deleted from the queue, handled or filtered out. |
//! | `sluicegate_events_delete_failed_total` | | | Messages that were to be deleted and could not be while their lease lasted: they come again. |
//! | `sluicegate_invocations_total` | outcome | Invocations, Errors, Throttles | Invocations of the function by how they ended. |
//! | `sluicegate_invocation_duration_seconds` | | Duration | Time from sending the event to the end of the answer, where the function ran. |
//! | `sluicegate_invocations_in_flight` | | ConcurrentExecutions | Invocations that run now. |
//! | `sluicegate_concurrency_limit` | | | Invocations that may run at once, as scaling decided. |
//! | `sluicegate_batch_events` | | | Events in a batch. |
//! | `sluicegate_batch_bytes` | | | Length of the event that a batch makes. |
//! | `sluicegate_source_requests_total` | operation, outcome | | Calls to the source: what the bill counts. |
//! | `sluicegate_mapping_state` | state | State | 1 for the state that the mapping is in, 0 for the others. |
//! | `sluicegate_messages_held` | | | Messages received and not yet settled. |
//! | `sluicegate_messages_handed_back_total` | | | Messages received, not dispatched, and made visible again at once. |
//! | `sluicegate_messages_lease_lost_total` | | | Messages whose visibility ended before they were settled: they may be handled twice. |
//! | `sluicegate_messages_visibility_extended_total` | | | Extensions of a message's visibility. |
//! | `sluicegate_messages_passed_over_total` | reason | | Messages received and left to the queue, or in hand already. |
//! | `sluicegate_replies_ignored_total` | | | Answers with batchItemFailures that nobody reads: FunctionResponseTypes lacks ReportBatchItemFailures, and the messages named in them are deleted. |
//! | `sluicegate_replies_malformed_total` | reason | | Answers that cannot be read as a report of failed items: the whole batch counts as failed. |
//! | `sluicegate_events_dropped_total` | reason | DroppedEventCount | Records discarded by a limit, of which no on-failure record tells; the final invocation of a window holds none. |
//! | `sluicegate_events_on_failure_delivered_total` | | OnFailureDestinationDeliveredEventCount | Records discarded by a limit, whose on-failure record was delivered; the final invocation of a window holds none. |
//! | `sluicegate_windows_discarded_total` | | | Tumbling windows whose final invocation was discarded by a limit: their records were handled, what became of the state is not known. |
//! | `sluicegate_destination_deliveries_total` | outcome | DestinationDeliveryFailures and its complement | Attempts to deliver an on-failure record; a failed one is repeated. |
//! | `sluicegate_iterator_age_seconds` | shard | IteratorAge | Age of the oldest record of the shard that is read and not settled, or how far reading is behind, which grows while reads fail; 0 when all is settled. |
//! | `sluicegate_shard_failures` | shard | | Failures in a row on the records that the shard is at: above 0 it stands still. |
//! | `sluicegate_shards_waiting` | | | Shards that wait for their parents to be settled. |
//! | `sluicegate_stream_gaps_total` | | | Times that the source had trimmed records before they were read: they are lost. |
//! | `sluicegate_checkpoint_commits_total` | outcome | | Attempts to write a checkpoint. |
//!
//! Beside them `sluicegate_build_info` (label `version`), `sluicegate_config_reloads_total` (label `outcome`),
//! `sluicegate_config_last_reload_successful` and, on Linux, the `process_*` families that every Prometheus client has.
//!
//! Of the `prometheus` crate we use the process's own families and their encoder. Its counters and histograms keep name,
//! help and labels with each series, which a thousand idle mappings of a hundred series would pay for, and a scrape makes a
//! copy of each: theirs are plain numbers, written straight into the text, and a mapping costs some 1 KB.

pub mod family;
mod histogram;
pub mod label;
pub mod mapping;
pub mod shard;
mod text;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::core::Collector;
use prometheus::{IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

pub use family::{FAMILIES, Family};
pub use label::{
    CommitOutcome, DeliveryOutcome, Dropped, Label, Malformed, Operation, Outcome, PassedOver,
    RequestOutcome, Source, State,
};
pub use mapping::{InFlight, MappingMetrics};
pub use shard::ShardMetrics;
pub use text::Kind;

use crate::clock::Clock;

/// The outcomes of a reload.
const RELOADS: [&str; 2] = ["success", "failure"];

/// What `Metrics::encode` writes, for `Content-Type`.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every metric of the process. Cheap to clone: all clones are the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    clock: Clock,
    process: Registry,
    reloads: IntCounterVec,
    last_reload: IntGauge,
    mappings: Arc<Mutex<BTreeMap<String, MappingMetrics>>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// No mappings yet; the process's own metrics are there. Ages are those of the machine's clock.
    pub fn new() -> Self {
        Self::at(Clock::machine())
    }

    /// The same, with ages as this clock has them.
    pub fn at(clock: Clock) -> Self {
        let metrics = Self::without_process(clock);
        #[cfg(target_os = "linux")]
        metrics
            .process
            .register(Box::new(
                prometheus::process_collector::ProcessCollector::for_self(),
            ))
            .expect("the registry is new, and nothing else has these names");
        metrics
    }

    fn without_process(clock: Clock) -> Self {
        let process = Registry::new();
        let options = Opts::new("sluicegate_build_info", "1; the version is in the label.")
            .const_label("version", env!("CARGO_PKG_VERSION"));
        let build = IntGauge::with_opts(options).expect("name and label are constants, and valid");
        build.set(1);
        process
            .register(Box::new(build))
            .expect("the registry is new");
        let reloads = IntCounterVec::new(
            Opts::new(
                "sluicegate_config_reloads_total",
                "Configurations that were to take the place of the one in force.",
            ),
            &["outcome"],
        );
        let reloads = reloads.expect("name and label are constants, and valid");
        for outcome in RELOADS {
            reloads.with_label_values(&[outcome]);
        }
        let last_reload = IntGauge::new(
            "sluicegate_config_last_reload_successful",
            "0 while the last configuration that was read is refused.",
        );
        let last_reload = last_reload.expect("the name is a constant, and valid");
        last_reload.set(1);
        for collector in [
            Box::new(reloads.clone()) as Box<dyn Collector>,
            Box::new(last_reload.clone()),
        ] {
            process
                .register(collector)
                .expect("nothing else has these names");
        }
        Self {
            clock,
            process,
            reloads,
            last_reload,
            mappings: Arc::default(),
        }
    }

    /// A configuration was to take the place of the one in force, and did or was refused.
    pub fn record_reload(&self, taken: bool) {
        let [success, failure] = RELOADS;
        let outcome = if taken { success } else { failure };
        self.reloads.with_label_values(&[outcome]).inc();
        self.last_reload.set(taken.into());
    }

    /// The series of a mapping of such a source, made at zero if they are not there.
    pub fn mapping(&self, name: &str, source: Source) -> MappingMetrics {
        self.mappings()
            .entry(name.to_owned())
            .or_insert_with(|| MappingMetrics::new(source))
            .clone()
    }

    /// Ends the series of a mapping. Whoever still holds them counts for nobody.
    pub fn remove(&self, name: &str) {
        self.mappings().remove(name);
    }

    /// Everything in Prometheus' text format.
    pub fn encode(&self) -> String {
        let mappings = self.mappings().clone();
        let mut text = String::new();
        let now_ms = self.clock.now_ms();
        for family in FAMILIES {
            let cells = mappings
                .iter()
                .map(|(name, metrics)| (name.as_str(), metrics.cells()));
            family.write(cells, now_ms, &mut text);
        }
        TextEncoder::new()
            .encode_utf8(&self.process.gather(), &mut text)
            .expect("writing to a string cannot fail, and no family is empty");
        text
    }

    fn mappings(&self) -> MutexGuard<'_, BTreeMap<String, MappingMetrics>> {
        // Each change is one insertion or removal: a panic of its holder leaves nothing half written.
        self.mappings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
