//! What all batch operations share: the checks on the whole, the fate of each entry, and partial failures on purpose.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    Call,
    error::{Code, SqsError},
};
use crate::sim::faults::Fault;

/// A batch request.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch<E> {
    pub(super) queue_url: Option<String>,
    #[serde(default = "Vec::new")]
    pub(super) entries: Vec<E>,
}

/// An entry has an id of the caller's choice.
pub(super) trait Entry {
    fn id(&self) -> &str;
}

/// A batch answer: HTTP 200, also when every entry failed.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Fates<T> {
    successful: Vec<T>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<Failed>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    id: String,
    sender_fault: bool,
    code: &'static str,
    message: String,
}

/// An entry's success when there is nothing to say about it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Done {
    pub(super) id: String,
}

impl<E: Entry> Batch<E> {
    // API: SQS DeleteMessageBatch, Errors (the same for the other batches)
    pub(super) fn check(&self, kind: &str) -> Result<(), SqsError> {
        let count = self.entries.len();
        if count == 0 {
            return Err(Code::EmptyBatchRequest.because(format!(
                "There should be at least one {kind} in the request."
            )));
        }
        if count > 10 {
            let text =
                format!("Maximum number of entries per request are 10. You have sent {count}.");
            return Err(Code::TooManyEntriesInBatchRequest.because(text));
        }
        let mut seen = BTreeSet::new();
        for id in self.entries.iter().map(Entry::id) {
            if id.is_empty()
                || id.len() > 80
                || !id
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            {
                let text = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.";
                return Err(Code::InvalidBatchEntryId.because(text));
            }
            if !seen.insert(id) {
                return Err(Code::BatchEntryIdsNotDistinct.because(format!("Id {id} repeated.")));
            }
        }
        Ok(())
    }

    /// Does `one` for each entry, in order, and collects what became of it.
    pub(super) fn each<T>(
        &self,
        call: &mut Call<'_>,
        mut one: impl FnMut(&mut Call<'_>, &E) -> Result<T, SqsError>,
    ) -> Fates<T> {
        let broken = self.broken(call);
        let mut fates = Fates {
            successful: Vec::new(),
            failed: Vec::new(),
        };
        for (index, entry) in self.entries.iter().enumerate() {
            let id = entry.id().to_owned();
            if broken.contains(&index) {
                fates.failed.push(injected(id, call.fault));
                continue;
            }
            match one(call, entry) {
                Ok(done) => fates.successful.push(done),
                Err(SqsError { code, message }) => {
                    fates.failed.push(Failed {
                        id,
                        sender_fault: true,
                        code: code.entry_code(),
                        message,
                    });
                }
            }
        }
        fates
    }

    /// The entries that fail by an injected fault: one at least, and each other by the toss of a coin.
    fn broken(&self, call: &mut Call<'_>) -> BTreeSet<usize> {
        if !matches!(
            call.fault,
            Some(
                Fault::PartialRetryable
                    | Fault::PartialFinal
                    | Fault::ReceiptHandleInvalid
                    | Fault::VisibilityCap
            )
        ) {
            return BTreeSet::new();
        }
        let rng = &mut call.state.rng;
        let certain = rng.usize(..self.entries.len());
        (0..self.entries.len())
            .filter(|index| *index == certain || rng.bool())
            .collect()
    }
}

fn injected(id: String, fault: Option<Fault>) -> Failed {
    let (sender_fault, code, message) = match fault {
        Some(Fault::ReceiptHandleInvalid) => (
            true,
            "ReceiptHandleIsInvalid",
            "The input receipt handle is invalid.",
        ),
        // API: SQS ChangeMessageVisibility: 12 hours at most from the receive
        Some(Fault::VisibilityCap) => (
            true,
            "InvalidParameterValue",
            "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
        ),
        Some(Fault::PartialFinal) => (true, "InvalidParameterValue", "The entry was refused."),
        _ => (
            false,
            "InternalError",
            "We encountered an internal error. Please try again.",
        ),
    };
    Failed {
        id,
        sender_fault,
        code,
        message: message.to_owned(),
    }
}
