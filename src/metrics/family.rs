//! The table of families: name, kind, labels, AWS's name, meaning, and where each reads its values.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::label::{
    CommitOutcome, DeliveryOutcome, Dropped, Label, Malformed, Operation, Outcome, PassedOver,
    RequestOutcome, Source, State,
};
use super::mapping::Cells;
use super::text::{Kind, Series};

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

/// A family: one name, one series or more for each mapping.
pub struct Family {
    /// As Prometheus shows it.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
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
    /// Write the family with the samples of these mappings, each by its name; nothing where none has any.
    pub(super) fn write<'a>(
        &self,
        mappings: impl Iterator<Item = (&'a str, &'a Cells)>,
        now_ms: u64,
        text: &mut String,
    ) {
        let before = text.len();
        let mut series = Series::begin(text, (self.name, self.help, self.kind), now_ms);
        let head = series.len();
        for (mapping, cells) in mappings {
            if self.source.is_none_or(|source| source == cells.source) {
                series.of(mapping);
                (self.read)(cells, &mut series);
            }
        }
        if series.len() == head {
            text.truncate(before);
        }
    }
}

fn load(gauge: &AtomicUsize) -> usize {
    gauge.load(Relaxed)
}

/// Every family that a mapping has, in the order in which they are written.
pub const FAMILIES: &[Family] = &[
    Family {
        name: "sluicegate_events_polled_total",
        kind: Kind::Counter,
        labels: &[],
        aws: "PolledEventCount",
        help: "Events read from the source.",
        source: None,
        read: |cells, series| series.counter(&[], &cells.polled),
    },
    Family {
        name: "sluicegate_events_filtered_out_total",
        kind: Kind::Counter,
        labels: &[],
        aws: "FilteredOutEventCount",
        help: "Events that match no filter.",
        source: None,
        read: |cells, series| series.counter(&[], &cells.filtered_out),
    },
    Family {
        name: "sluicegate_events_invoked_total",
        kind: Kind::Counter,
        labels: &[],
        aws: "InvokedEventCount",
        help: "Events handed to the function; each repeat counts again.",
        source: None,
        read: |cells, series| series.counter(&[], &cells.invoked),
    },
    Family {
        name: "sluicegate_events_failed_invoke_total",
        kind: Kind::Counter,
        labels: &[],
        aws: "FailedInvokeEventCount",
        help: "Events of invocations that did not handle all of their batch.",
        source: None,
        read: |cells, series| series.counter(&[], &cells.failed_invoke),
    },
    Family {
        name: "sluicegate_events_deleted_total",
        kind: Kind::Counter,
        labels: &[],
        aws: "DeletedEventCount",
        help: "Messages deleted from the queue, handled or filtered out.",
        source: Some(Source::Queue),
        read: |cells, series| series.counter(&[], &cells.deleted),
    },
    Family {
        name: "sluicegate_events_delete_failed_total",
        kind: Kind::Counter,
        labels: &[],
        aws: "",
        help: "Messages that were to be deleted and could not be while their lease lasted: they come again.",
        source: Some(Source::Queue),
        read: |cells, series| series.counter(&[], &cells.delete_failed),
    },
    Family {
        name: "sluicegate_invocations_total",
        kind: Kind::Counter,
        labels: &["outcome"],
        aws: "Invocations, Errors, Throttles",
        help: "Invocations of the function by how they ended.",
        source: None,
        read: |cells, series| series.by::<Outcome>("outcome", &cells.invocations),
    },
    Family {
        name: "sluicegate_invocation_duration_seconds",
        kind: Kind::Histogram,
        labels: &[],
        aws: "Duration",
        help: "Time from sending the event to the end of the answer, where the function ran.",
        source: None,
        read: |cells, series| series.histogram(&cells.invocation_duration),
    },
    Family {
        name: "sluicegate_invocations_in_flight",
        kind: Kind::Gauge,
        labels: &[],
        aws: "ConcurrentExecutions",
        help: "Invocations that run now.",
        source: None,
        read: |cells, series| series.gauge(&[], load(&cells.in_flight)),
    },
    Family {
        name: "sluicegate_concurrency_limit",
        kind: Kind::Gauge,
        labels: &[],
        aws: "",
        help: "Invocations that may run at once, as scaling decided.",
        source: Some(Source::Queue),
        read: |cells, series| series.gauge(&[], load(&cells.concurrency_limit)),
    },
    Family {
        name: "sluicegate_batch_events",
        kind: Kind::Histogram,
        labels: &[],
        aws: "",
        help: "Events in a batch.",
        source: None,
        read: |cells, series| series.histogram(&cells.batch_events),
    },
    Family {
        name: "sluicegate_batch_bytes",
        kind: Kind::Histogram,
        labels: &[],
        aws: "",
        help: "Length of the event that a batch makes.",
        source: None,
        read: |cells, series| series.histogram(&cells.batch_bytes),
    },
    Family {
        name: "sluicegate_source_requests_total",
        kind: Kind::Counter,
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
        kind: Kind::Gauge,
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
        kind: Kind::Gauge,
        labels: &[],
        aws: "",
        help: "Messages received and not yet settled.",
        source: Some(Source::Queue),
        read: |cells, series| series.gauge(&[], load(&cells.held)),
    },
    Family {
        name: "sluicegate_messages_handed_back_total",
        kind: Kind::Counter,
        labels: &[],
        aws: "",
        help: "Messages received, not dispatched, and made visible again at once.",
        source: Some(Source::Queue),
        read: |cells, series| series.counter(&[], &cells.handed_back),
    },
    Family {
        name: "sluicegate_messages_lease_lost_total",
        kind: Kind::Counter,
        labels: &[],
        aws: "",
        help: "Messages whose visibility ended before they were settled: they may be handled twice.",
        source: Some(Source::Queue),
        read: |cells, series| series.counter(&[], &cells.lease_lost),
    },
    Family {
        name: "sluicegate_messages_visibility_extended_total",
        kind: Kind::Counter,
        labels: &[],
        aws: "",
        help: "Extensions of a message's visibility.",
        source: Some(Source::Queue),
        read: |cells, series| series.counter(&[], &cells.visibility_extended),
    },
    Family {
        name: "sluicegate_messages_passed_over_total",
        kind: Kind::Counter,
        labels: &["reason"],
        aws: "",
        help: "Messages received and left to the queue, or in hand already.",
        source: Some(Source::Queue),
        read: |cells, series| series.by::<PassedOver>("reason", &cells.passed_over),
    },
    Family {
        name: "sluicegate_replies_ignored_total",
        kind: Kind::Counter,
        labels: &[],
        aws: "",
        help: "Answers with batchItemFailures that nobody reads: FunctionResponseTypes lacks ReportBatchItemFailures, \
               and the messages named in them are deleted.",
        source: None,
        read: |cells, series| series.counter(&[], &cells.replies_ignored),
    },
    Family {
        name: "sluicegate_replies_malformed_total",
        kind: Kind::Counter,
        labels: &["reason"],
        aws: "",
        help: "Answers that cannot be read as a report of failed items: the whole batch counts as failed.",
        source: None,
        read: |cells, series| series.by::<Malformed>("reason", &cells.replies_malformed),
    },
    Family {
        name: "sluicegate_events_dropped_total",
        kind: Kind::Counter,
        labels: &["reason"],
        aws: "DroppedEventCount",
        help: "Records discarded by a limit, of which no on-failure record tells; the final invocation of a window holds none.",
        source: Some(Source::Stream),
        read: |cells, series| series.by::<Dropped>("reason", &cells.dropped),
    },
    Family {
        name: "sluicegate_events_on_failure_delivered_total",
        kind: Kind::Counter,
        labels: &[],
        aws: "OnFailureDestinationDeliveredEventCount",
        help: "Records discarded by a limit, whose on-failure record was delivered; the final invocation of a window holds none.",
        source: Some(Source::Stream),
        read: |cells, series| series.counter(&[], &cells.on_failure_delivered),
    },
    Family {
        name: "sluicegate_windows_discarded_total",
        kind: Kind::Counter,
        labels: &[],
        aws: "",
        help: "Tumbling windows whose final invocation was discarded by a limit: their records were handled, what became of the state is not known.",
        source: Some(Source::Stream),
        read: |cells, series| series.counter(&[], &cells.windows_discarded),
    },
    Family {
        name: "sluicegate_destination_deliveries_total",
        kind: Kind::Counter,
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
        kind: Kind::Gauge,
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
        kind: Kind::Gauge,
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
        kind: Kind::Gauge,
        labels: &[],
        aws: "",
        help: "Shards that wait for their parents to be settled.",
        source: Some(Source::Stream),
        read: |cells, series| series.gauge(&[], load(&cells.shards_waiting)),
    },
    Family {
        name: "sluicegate_stream_gaps_total",
        kind: Kind::Counter,
        labels: &[],
        aws: "",
        help: "Times that the source had trimmed records before they were read: they are lost.",
        source: Some(Source::Stream),
        read: |cells, series| series.counter(&[], &cells.gaps),
    },
    Family {
        name: "sluicegate_checkpoint_commits_total",
        kind: Kind::Counter,
        labels: &["outcome"],
        aws: "",
        help: "Attempts to write a checkpoint.",
        source: Some(Source::Stream),
        read: |cells, series| series.by::<CommitOutcome>("outcome", &cells.checkpoint_commits),
    },
];
