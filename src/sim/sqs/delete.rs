//! DeleteMessage and DeleteMessageBatch: what a receipt handle, fresh or old, may delete.

use serde::Deserialize;

use super::{
    Call, Empty,
    batch::{Batch, Done, Entry, Fates},
    error::{Code, SqsError},
    message::Phase,
    receipt::Receipt,
};
use crate::sim::{faults::Fault, history::Event};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteMessage {
    queue_url: Option<String>,
    receipt_handle: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteEntry {
    id: String,
    receipt_handle: Option<String>,
}

impl Entry for DeleteEntry {
    fn id(&self) -> &str {
        &self.id
    }
}

pub(super) fn delete(call: &mut Call<'_>, input: &DeleteMessage) -> Result<Empty, SqsError> {
    let queue = call.queue(input.queue_url.as_deref())?;
    if call.fault == Some(Fault::ReceiptHandleInvalid) {
        return Err(Code::ReceiptHandleIsInvalid.because("The input receipt handle is invalid."));
    }
    remove(call, &queue, input.receipt_handle.as_deref())?;
    Ok(Empty {})
}

pub(super) fn delete_batch(
    call: &mut Call<'_>,
    input: &Batch<DeleteEntry>,
) -> Result<Fates<Done>, SqsError> {
    let queue = call.queue(input.queue_url.as_deref())?;
    input.check("DeleteMessageBatchRequestEntry")?;
    Ok(input.each(call, |call, entry| {
        remove(call, &queue, entry.receipt_handle.as_deref())?;
        Ok(Done {
            id: entry.id.clone(),
        })
    }))
}

fn remove(call: &mut Call<'_>, queue_name: &str, handle: Option<&str>) -> Result<(), SqsError> {
    let handle = handle.ok_or_else(|| SqsError::missing("ReceiptHandle"))?;
    let receipt = Receipt::parse(handle)?;
    let stale_deletes = call.world.settings().stale_receipt_deletes;
    let queue = call
        .state
        .queues
        .get_mut(queue_name)
        .ok_or_else(super::no_queue)?;
    if receipt.queue != queue.serial {
        return Err(Code::ReceiptHandleIsInvalid.because("The input receipt handle is invalid."));
    }
    // API: SQS DeleteMessage: deleting what is deleted already succeeds
    let Some(message) = queue.get(receipt.number) else {
        return Ok(());
    };
    let fresh = message.receives == receipt.receive;
    if queue.config.fifo {
        // API: SQS DeleteMessage, FIFO: a handle is good only until its visibility timeout has run out
        if !fresh || !matches!(message.phase, Phase::InFlight { .. }) {
            return Err(SqsError::value(
                handle,
                "ReceiptHandle",
                "The receipt handle has expired.",
            ));
        }
    } else if !fresh && !stale_deletes {
        // API: SQS DeleteMessage, ReceiptHandle: with an older handle the request succeeds and the message may stay
        return Ok(());
    }
    let id = message.id.clone();
    queue.remove(receipt.number);
    queue.counts.deleted += 1;
    call.record(|| Event::Deleted {
        queue: queue_name.to_owned(),
        id,
    });
    Ok(())
}
