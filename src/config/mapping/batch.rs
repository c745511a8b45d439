//! `BatchSize` and `MaximumBatchingWindowInSeconds`, which bound each other.

use std::time::Duration;

use super::source::Family;
use crate::config::cursor::Fields;
use crate::config::error::Report;
use crate::config::service::seconds;

/// When a batch is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub size: usize,
    pub window: Duration,
}

// spec: 1.2
const SIZE_DEFAULT_QUEUE: i64 = 10;
const SIZE_DEFAULT_STREAM: i64 = 100;
const SIZE_MAX: i64 = 10_000;
const WINDOW_S_MAX: i64 = 300;
/// The largest batch of a FIFO queue, and of a standard queue without a window: what one receive can bring. // spec: 1.6
const SIZE_MAX_OF_ONE_RECEIVE: i64 = 10;

/// Of what kind the source is may not be known: then only the bounds are judged that all kinds have.
pub(super) fn read(
    fields: &Fields<'_>,
    family: Option<Family>,
    report: &mut Report,
) -> Option<Batch> {
    let default = match family {
        Some(Family::Queue { .. }) | None => SIZE_DEFAULT_QUEUE,
        Some(Family::Kinesis | Family::DynamoDb) => SIZE_DEFAULT_STREAM,
    };
    let size = fields.integer("BatchSize", 1..=SIZE_MAX, default, report);
    let window = fields.integer(
        "MaximumBatchingWindowInSeconds",
        0..=WINDOW_S_MAX,
        0,
        report,
    );
    if let Some(Family::Queue { fifo }) = family {
        check_queue(fields, fifo, size, window, report);
    }
    Some(Batch {
        size: usize::try_from(size?).ok()?,
        window: seconds(window?),
    })
}

/// A queue's batch is bounded by what one receive brings, unless there is time for several; a stream's is not. // spec: 1.6 note (c)
fn check_queue(
    fields: &Fields<'_>,
    fifo: bool,
    size: Option<i64>,
    window: Option<i64>,
    report: &mut Report,
) {
    let large = size.is_some_and(|size| size > SIZE_MAX_OF_ONE_RECEIVE);
    // spec: 1.6, AWS's own sentences
    if fifo && large {
        refuse(
            fields,
            "BatchSize",
            "Batch size must not exceed 10 for FIFO queues",
            report,
        );
    }
    if fifo && window.is_some_and(|window| window > 0) {
        let what = "Batching window is not supported for FIFO queues";
        refuse(fields, "MaximumBatchingWindowInSeconds", what, report);
    }
    if !fifo && large && window == Some(0) {
        let what = "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10";
        refuse(fields, "BatchSize", what, report);
    }
}

fn refuse(fields: &Fields<'_>, key: &str, what: &str, report: &mut Report) {
    if let Some(at) = fields.get(key) {
        let found = at.node.value.describe();
        at.error(report, format!("{what} (found {found})"));
    }
}
