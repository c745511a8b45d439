//! `BatchSize` and `MaximumBatchingWindowInSeconds`, which bound each other.

use std::time::Duration;

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
const SIZE_DEFAULT: i64 = 10;
const SIZE_MAX: i64 = 10_000;
const WINDOW_S_MAX: i64 = 300;
/// The largest batch of a FIFO queue, and of a standard queue without a window: what one receive can bring. // spec: 1.6
const SIZE_MAX_OF_ONE_RECEIVE: i64 = 10;

pub(super) fn read(fields: &Fields<'_>, fifo: bool, report: &mut Report) -> Option<Batch> {
    let size = fields.integer("BatchSize", 1..=SIZE_MAX, SIZE_DEFAULT, report);
    let window = fields.integer(
        "MaximumBatchingWindowInSeconds",
        0..=WINDOW_S_MAX,
        0,
        report,
    );
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
    Some(Batch {
        size: usize::try_from(size?).ok()?,
        window: seconds(window?),
    })
}

fn refuse(fields: &Fields<'_>, key: &str, what: &str, report: &mut Report) {
    if let Some(at) = fields.get(key) {
        let found = at.node.value.describe();
        at.error(report, format!("{what} (found {found})"));
    }
}
