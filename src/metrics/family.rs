//! The table of families: name, kind, labels, AWS's name, meaning, and where each reads its values.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use prometheus::core::Metric as _;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Histogram, HistogramOpts};

use super::label::{
    CommitOutcome, DeliveryOutcome, Dropped, Label, Malformed, Operation, Outcome, PassedOver,
    RequestOutcome, Source, State,
};
use super::mapping::Cells;

/// Up to the 900 s that a function may run. // spec: 10
pub(super) const DURATION_SECONDS: [f64; 16] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0,
];
/// Up to the largest `BatchSize`. // spec: 1.2
pub(super) const BATCH_EVENTS: [f64; 13] = [
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0,
];
/// 1 KiB to the 6 MiB of an event. // spec: 10
pub(super) const BATCH_BYTES: [f64; 9] = [
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    2_097_152.0,
    4_194_304.0,
    6_291_456.0,
];

/// A histogram with these upper bounds; its name is the family's, set when it is written.
pub(super) fn histogram(buckets: &[f64]) -> Histogram {
    let options = HistogramOpts::new("histogram", "histogram").buckets(buckets.to_vec());
    Histogram::with_opts(options)
        .expect("the buckets are constants of this file, sorted, and the name is valid")
}

/// A family: one name, one series or more for each mapping.
pub struct Family {
    /// As Prometheus shows it.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: MetricType,
    /// The labels beside `mapping`.
    pub labels: &'static [&'static str],
    /// What CloudWatch calls it; empty where AWS has nothing like it.
    pub aws: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// Which mappings have it; all, where none is named.
    pub source: Option<Source>,
    read: fn(&Cells, &mut Series<'_>),
}

impl Family {
    /// The family with the series of these mappings, each by its name.
    pub(super) fn collect<'a>(
        &self,
        mappings: impl Iterator<Item = (&'a str, &'a Cells)>,
        now_ms: u64,
    ) -> MetricFamily {
        let mut series = Series {
            mapping: "",
            now_ms,
            metrics: Vec::new(),
        };
        for (mapping, cells) in mappings {
            if self.source.is_some_and(|source| source != cells.source) {
                continue;
            }
            series.mapping = mapping;
            (self.read)(cells, &mut series);
        }
        let mut family = MetricFamily::default();
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        family.set_field_type(self.kind);
        family.set_metric(series.metrics);
        family
    }
}

/// Takes the series of a family, one after the other.
struct Series<'a> {
    mapping: &'a str,
    /// The time of the scrape, in milliseconds since 1970.
    now_ms: u64,
    metrics: Vec<Metric>,
}

impl Series<'_> {
    fn counter(&mut self, labels: &[(&str, &str)], value: &AtomicU64) {
        let mut counter = Counter::default();
        counter.set_value(value.load(Relaxed) as f64);
        let mut metric = Metric::default();
        metric.set_counter(counter);
        self.push(labels, metric);
    }

    fn gauge(&mut self, labels: &[(&str, &str)], value: usize) {
        self.gauge_of(labels, value as f64);
    }

    fn gauge_of(&mut self, labels: &[(&str, &str)], value: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = Metric::default();
        metric.set_gauge(gauge);
        self.push(labels, metric);
    }

    fn histogram(&mut self, histogram: &Histogram) {
        self.push(&[], histogram.metric());
    }

    fn by<L: Label>(&mut self, label: &str, counters: &[AtomicU64]) {
        for value in L::ALL {
            self.counter(&[(label, value.label())], &counters[value.index()]);
        }
    }

    fn push(&mut self, labels: &[(&str, &str)], mut metric: Metric) {
        let pair = |(name, value): (&str, &str)| {
            let mut pair = LabelPair::default();
            pair.set_name(name.to_owned());
            pair.set_value(value.to_owned());
            pair
        };
        let all = [("mapping", self.mapping)]
            .into_iter()
            .chain(labels.iter().copied());
        metric.set_label(all.map(pair).collect());
        self.metrics.push(metric);
    }
}

fn load(gauge: &AtomicUsize) -> usize {
    gauge.load(Relaxed)
}

/// Every family that a mapping has, in the order in which they are written.
pub const FAMILIES: &[Family] = &[
    Family {
        name: "sluicegate_events_polled_total",
        kind: MetricType::COUNTER,
        labels: &[],
        aws: "PolledEventCount",
        help: "Events read from the source.",
        source: None,
        read: |cells, series| series.counter(&[], &cells.polled),
    },
    Family {
        name: "sluicegate_events_filtered_out_total",
        kind: MetricType::COUNTER,
        labels: &[],
        aws: "FilteredOutEventCount",
        help: "Events that match no filter.",
        source: None,
        read: |cells, series| series.counter(&[], &cells.filtered_out),
    },
    Family {
        name: "sluicegate_events_invoked_total",
        kind: MetricType::COUNTER,
        labels: &[],
        aws: "InvokedEventCount",
        help: "Events handed to the function; each repeat counts again.",
        source: None,
        read: |cells, series| series.counter(&[], &cells.invoked),
    },
    Family {
        name: "sluicegate_events_failed_invoke_total",
        kind: MetricType::COUNTER,
        labels: &[],
        aws: "FailedInvokeEventCount",
        help: "Events of invocations that did not handle all of their batch.",
        source: None,
        read: |cells, series| series.counter(&[], &cells.failed_invoke),
    },
    Family {
        name: "sluicegate_events_deleted_total",
        kind: MetricType::COUNTER,
        labels: &[],
        aws: "DeletedEventCount",
        help: "Messages deleted from the queue, handled or filtered out.",
        source: Some(Source::Queue),
        read: |cells, series| series.counter(&[], &cells.deleted),
    },
    Family {
        name: "sluicegate_events_delete_failed_total",
        kind: MetricType::COUNTER,
        labels: &[],
        aws: "",
        help: "Messages that were to be deleted and could not be while their lease lasted: they come again.",
        source: Some(Source::Queue),
        read: |cells, series| series.counter(&[], &cells.delete_failed),
    },
    Family {
        name: "sluicegate_invocations_total",
        kind: MetricType::COUNTER,
        labels: &["outcome"],
        aws: "Invocations, Errors, Throttles",
        help: "Invocations of the function by how they ended.",
        source: None,
        read: |cells, series| series.by::<Outcome>("outcome", &cells.invocations),
    },
    Family {
        name: "sluicegate_invocation_duration_seconds",
        kind: MetricType::HISTOGRAM,
        labels: &[],
        aws: "Duration",
        help: "Time from sending the event to the end of the answer, where the function ran.",
        source: None,
        read: |cells, series| series.histogram(&cells.invocation_duration),
    },
    Family {
        name: "sluicegate_invocations_in_flight",
        kind: MetricType::GAUGE,
        labels: &[],
        aws: "ConcurrentExecutions",
        help: "Invocations that run now.",
        source: None,
        read: |cells, series| series.gauge(&[], load(&cells.in_flight)),
    },
    Family {
        name: "sluicegate_concurrency_limit",
        kind: MetricType::GAUGE,
        labels: &[],
        aws: "",
        help: "Invocations that may run at once, as scaling decided.",
        source: Some(Source::Queue),
        read: |cells, series| series.gauge(&[], load(&cells.concurrency_limit)),
    },
    Family {
        name: "sluicegate_batch_events",
        kind: MetricType::HISTOGRAM,
        labels: &[],
        aws: "",
        help: "Events in a batch.",
        source: None,
        read: |cells, series| series.histogram(&cells.batch_events),
    },
    Family {
        name: "sluicegate_batch_bytes",
        kind: MetricType::HISTOGRAM,
        labels: &[],
        aws: "",
        help: "Length of the event that a batch makes.",
        source: None,
        read: |cells, series| series.histogram(&cells.batch_bytes),
    },
    Family {
        name: "sluicegate_source_requests_total",
        kind: MetricType::COUNTER,
        labels: &["operation", "outcome"],
        aws: "",
        help: "Calls to the source: what the bill counts.",
        source: None,
        read: |cells, series| {
            let has = |operation: &&Operation| operation.source() == cells.source;
            for operation in Operation::ALL.iter().filter(has) {
                for outcome in RequestOutcome::ALL {
                    let labels = [
                        ("operation", operation.label()),
                        ("outcome", outcome.label()),
                    ];
                    series.counter(
                        &labels,
                        &cells.source_requests[operation.index()][outcome.index()],
                    );
                }
            }
        },
    },
    Family {
        name: "sluicegate_mapping_state",
        kind: MetricType::GAUGE,
        labels: &["state"],
        aws: "State",
        help: "1 for the state that the mapping is in, 0 for the others.",
        source: None,
        read: |cells, series| {
            let current = load(&cells.state);
            for state in State::ALL {
                series.gauge(
                    &[("state", state.label())],
                    usize::from(state.index() == current),
                );
            }
        },
    },
    Family {
        name: "sluicegate_messages_held",
        kind: MetricType::GAUGE,
        labels: &[],
        aws: "",
        help: "Messages received and not yet settled.",
        source: Some(Source::Queue),
        read: |cells, series| series.gauge(&[], load(&cells.held)),
    },
    Family {
        name: "sluicegate_messages_handed_back_total",
        kind: MetricType::COUNTER,
        labels: &[],
        aws: "",
        help: "Messages received, not dispatched, and made visible again at once.",
        source: Some(Source::Queue),
        read: |cells, series| series.counter(&[], &cells.handed_back),
    },
    Family {
        name: "sluicegate_messages_lease_lost_total",
        kind: MetricType::COUNTER,
        labels: &[],
        aws: "",
        help: "Messages whose visibility ended before they were settled: they may be handled twice.",
        source: Some(Source::Queue),
        read: |cells, series| series.counter(&[], &cells.lease_lost),
    },
    Family {
        name: "sluicegate_messages_visibility_extended_total",
        kind: MetricType::COUNTER,
        labels: &[],
        aws: "",
        help: "Extensions of a message's visibility.",
        source: Some(Source::Queue),
        read: |cells, series| series.counter(&[], &cells.visibility_extended),
    },
    Family {
        name: "sluicegate_messages_passed_over_total",
        kind: MetricType::COUNTER,
        labels: &["reason"],
        aws: "",
        help: "Messages received and left to the queue, or in hand already.",
        source: Some(Source::Queue),
        read: |cells, series| series.by::<PassedOver>("reason", &cells.passed_over),
    },
    Family {
        name: "sluicegate_replies_ignored_total",
        kind: MetricType::COUNTER,
        labels: &[],
        aws: "",
        help: "Answers with batchItemFailures that nobody reads: FunctionResponseTypes lacks ReportBatchItemFailures, \
               and the messages named in them are deleted.",
        source: None,
        read: |cells, series| series.counter(&[], &cells.replies_ignored),
    },
    Family {
        name: "sluicegate_replies_malformed_total",
        kind: MetricType::COUNTER,
        labels: &["reason"],
        aws: "",
        help: "Answers that cannot be read as a report of failed items: the whole batch counts as failed.",
        source: None,
        read: |cells, series| series.by::<Malformed>("reason", &cells.replies_malformed),
    },
    Family {
        name: "sluicegate_events_dropped_total",
        kind: MetricType::COUNTER,
        labels: &["reason"],
        aws: "DroppedEventCount",
        help: "Records discarded by a limit, of which no on-failure record tells; the final invocation of a window holds none.",
        source: Some(Source::Stream),
        read: |cells, series| series.by::<Dropped>("reason", &cells.dropped),
    },
    Family {
        name: "sluicegate_events_on_failure_delivered_total",
        kind: MetricType::COUNTER,
        labels: &[],
        aws: "OnFailureDestinationDeliveredEventCount",
        help: "Records discarded by a limit, whose on-failure record was delivered; the final invocation of a window holds none.",
        source: Some(Source::Stream),
        read: |cells, series| series.counter(&[], &cells.on_failure_delivered),
    },
    Family {
        name: "sluicegate_windows_discarded_total",
        kind: MetricType::COUNTER,
        labels: &[],
        aws: "",
        help: "Tumbling windows whose final invocation was discarded by a limit: their records were handled, what became of the state is not known.",
        source: Some(Source::Stream),
        read: |cells, series| series.counter(&[], &cells.windows_discarded),
    },
    Family {
        name: "sluicegate_destination_deliveries_total",
        kind: MetricType::COUNTER,
        labels: &["outcome"],
        aws: "DestinationDeliveryFailures and its complement",
        help: "Attempts to deliver an on-failure record; a failed one is repeated.",
        source: Some(Source::Stream),
        read: |cells, series| {
            series.by::<DeliveryOutcome>("outcome", &cells.destination_deliveries)
        },
    },
    Family {
        name: "sluicegate_iterator_age_seconds",
        kind: MetricType::GAUGE,
        labels: &["shard"],
        aws: "IteratorAge",
        help: "Age of the oldest record of the shard that is read and not settled, or how far reading is behind, which grows while reads fail; 0 when all is settled.",
        source: Some(Source::Stream),
        read: |cells, series| {
            for (id, shard) in cells.shards().iter() {
                series.gauge_of(&[("shard", id)], shard.age_seconds(series.now_ms));
            }
        },
    },
    Family {
        name: "sluicegate_shard_failures",
        kind: MetricType::GAUGE,
        labels: &["shard"],
        aws: "",
        help: "Failures in a row on the records that the shard is at: above 0 it stands still.",
        source: Some(Source::Stream),
        read: |cells, series| {
            for (id, shard) in cells.shards().iter() {
                series.gauge(&[("shard", id)], shard.failures());
            }
        },
    },
    Family {
        name: "sluicegate_shards_waiting",
        kind: MetricType::GAUGE,
        labels: &[],
        aws: "",
        help: "Shards that wait for their parents to be settled.",
        source: Some(Source::Stream),
        read: |cells, series| series.gauge(&[], load(&cells.shards_waiting)),
    },
    Family {
        name: "sluicegate_stream_gaps_total",
        kind: MetricType::COUNTER,
        labels: &[],
        aws: "",
        help: "Times that the source had trimmed records before they were read: they are lost.",
        source: Some(Source::Stream),
        read: |cells, series| series.counter(&[], &cells.gaps),
    },
    Family {
        name: "sluicegate_checkpoint_commits_total",
        kind: MetricType::COUNTER,
        labels: &["outcome"],
        aws: "",
        help: "Attempts to write a checkpoint.",
        source: Some(Source::Stream),
        read: |cells, series| series.by::<CommitOutcome>("outcome", &cells.checkpoint_commits),
    },
];
