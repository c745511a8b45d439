//! ChangeMessageVisibility and its batch: extend, shorten, hand back.

use std::time::Duration;

use serde::Deserialize;

use super::{
    Call, Empty,
    attributes::VISIBILITY_SECONDS,
    batch::{Batch, Done, Entry, Fates},
    error::{Code, SqsError},
    message::Phase,
    receipt::Receipt,
};
use crate::sim::{clock::seconds_ms, faults::Fault, history::Event};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeVisibility {
    queue_url: Option<String>,
    receipt_handle: Option<String>,
    visibility_timeout: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeEntry {
    id: String,
    receipt_handle: Option<String>,
    visibility_timeout: Option<i64>,
}

impl Entry for ChangeEntry {
    fn id(&self) -> &str {
        &self.id
    }
}

pub(super) fn change(call: &mut Call<'_>, input: &ChangeVisibility) -> Result<Empty, SqsError> {
    let queue = call.queue(input.queue_url.as_deref())?;
    if call.fault == Some(Fault::ReceiptHandleInvalid) {
        return Err(Code::ReceiptHandleIsInvalid.because("The input receipt handle is invalid."));
    }
    if call.fault == Some(Fault::VisibilityCap) {
        return Err(beyond(input.visibility_timeout.unwrap_or_default()));
    }
    hide(
        call,
        &queue,
        input.receipt_handle.as_deref(),
        input.visibility_timeout,
    )?;
    Ok(Empty {})
}

pub(super) fn change_batch(
    call: &mut Call<'_>,
    input: &Batch<ChangeEntry>,
) -> Result<Fates<Done>, SqsError> {
    let queue = call.queue(input.queue_url.as_deref())?;
    input.check("ChangeMessageVisibilityBatchRequestEntry")?;
    Ok(input.each(call, |call, entry| {
        hide(
            call,
            &queue,
            entry.receipt_handle.as_deref(),
            entry.visibility_timeout,
        )?;
        Ok(Done {
            id: entry.id.clone(),
        })
    }))
}

fn beyond(seconds: impl std::fmt::Display) -> SqsError {
    let reason = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]";
    SqsError::value(seconds, "VisibilityTimeout", reason)
}

fn hide(
    call: &mut Call<'_>,
    queue_name: &str,
    handle: Option<&str>,
    seconds: Option<i64>,
) -> Result<(), SqsError> {
    let handle = handle.ok_or_else(|| SqsError::missing("ReceiptHandle"))?;
    let seconds = seconds.ok_or_else(|| SqsError::missing("VisibilityTimeout"))?;
    // API: SQS ChangeMessageVisibility, VisibilityTimeout: 0 to 43,200
    let valid = u32::try_from(seconds)
        .ok()
        .filter(|seconds| VISIBILITY_SECONDS.contains(seconds));
    let seconds = valid.ok_or_else(|| {
        SqsError::value(
            seconds,
            "VisibilityTimeout",
            "Must be between 0 and 43200, if provided.",
        )
    })?;
    let receipt = Receipt::parse(handle)?;
    let now_ms = call.now_ms;
    let queue = call
        .state
        .queues
        .get_mut(queue_name)
        .ok_or_else(super::no_queue)?;
    if receipt.queue != queue.serial {
        return Err(Code::ReceiptHandleIsInvalid.because("The input receipt handle is invalid."));
    }
    let unavailable = "Message does not exist or is not available for visibility timeout change.";
    let Some(message) = queue.get(receipt.number) else {
        return Err(SqsError::value(handle, "ReceiptHandle", unavailable));
    };
    let since_ms = match message.phase {
        Phase::InFlight { since_ms, .. } if message.receives == receipt.receive => since_ms,
        // Somebody else holds the message by now.
        Phase::InFlight { .. } => {
            return Err(SqsError::value(handle, "ReceiptHandle", unavailable));
        }
        // API: SQS ChangeMessageVisibility, MessageNotInflight
        Phase::Visible | Phase::Delayed { .. } => {
            return Err(Code::MessageNotInflight.because("The specified message isn't in flight."));
        }
    };
    let until_ms = now_ms + seconds_ms(seconds);
    // API: SQS ChangeMessageVisibility: 12 hours at most from the receive, which extending does not start anew
    if until_ms > since_ms + seconds_ms(*VISIBILITY_SECONDS.end()) {
        return Err(beyond(seconds));
    }
    let id = message.id.clone();
    // API: SQS ChangeMessageVisibility: zero makes it visible at once
    let phase = if seconds == 0 {
        Phase::Visible
    } else {
        Phase::InFlight { since_ms, until_ms }
    };
    queue.set_phase(receipt.number, phase);
    let visibility = Duration::from_secs(seconds.into());
    call.record(|| Event::VisibilityChanged {
        queue: queue_name.to_owned(),
        id,
        visibility,
    });
    Ok(())
}
