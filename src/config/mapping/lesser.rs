//! The settings of a mapping that stand alone: `Enabled`, `FunctionResponseTypes`, `ScalingConfig`.

use crate::config::cursor::{Fields, one_of};
use crate::config::error::{Report, quoted};

// spec: 1.4
const STATES: [&str; 7] = [
    "Creating",
    "Enabling",
    "Enabled",
    "Disabling",
    "Disabled",
    "Updating",
    "Deleting",
];

/// `Enabled`; where it is absent, what the `State` of an exported mapping comes to; else true.
pub(super) fn enabled(fields: &Fields<'_>, report: &mut Report) -> Option<bool> {
    let by_state = match fields.get("State") {
        None => Some(true),
        Some(at) => match at.text(report)? {
            "Disabling" | "Disabled" | "Deleting" => Some(false),
            "Creating" | "Enabling" | "Enabled" | "Updating" => Some(true),
            other => {
                let found = quoted(other);
                at.error(
                    report,
                    format!("{found} is no state; expected {}", one_of(&STATES)),
                );
                None
            }
        },
    };
    match fields.get("Enabled") {
        Some(at) => at.boolean(report),
        None => by_state,
    }
}

const REPORT_ITEM_FAILURES: &str = "ReportBatchItemFailures";

/// Whether the list holds its one possible entry. // spec: 1.2
pub(super) fn reports_item_failures(fields: &Fields<'_>, report: &mut Report) -> Option<bool> {
    let Some(at) = fields.get("FunctionResponseTypes") else {
        return Some(false);
    };
    let items = at.list(report)?;
    if items.len() > 1 {
        at.error(
            report,
            format!("{} entries; at most 1 is allowed", items.len()),
        );
    }
    let mut reports = false;
    for item in items {
        let text = item.text(report)?;
        if text != REPORT_ITEM_FAILURES {
            item.error(
                report,
                format!(
                    "{} is unknown; expected {REPORT_ITEM_FAILURES}",
                    quoted(text)
                ),
            );
            return None;
        }
        reports = true;
    }
    Some(reports)
}

/// AWS's minimum is 2; a queue that must be read by one worker needs 1. // spec: 1.2, 11.2
const CONCURRENCY_MAX: i64 = 1_000;

/// `ScalingConfig.MaximumConcurrency`; `Some(None)` where none is set.
pub(super) fn maximum_concurrency(
    fields: &Fields<'_>,
    report: &mut Report,
) -> Option<Option<usize>> {
    let Some(at) = fields.get("ScalingConfig") else {
        return Some(None);
    };
    match at
        .fields(&["MaximumConcurrency"], report)?
        .get("MaximumConcurrency")
    {
        None => Some(None),
        Some(at) => {
            let count = at.integer(1..=CONCURRENCY_MAX, report)?;
            usize::try_from(count).ok().map(Some)
        }
    }
}
