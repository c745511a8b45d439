//! What an invocation's answer means for a batch of a stream. // spec: 3.1, 5.3

use std::time::Duration;

use tracing::{debug, info, warn};

use super::Engine;
use super::lane::Item;
use crate::function::{Answer, Invoked};
use crate::metrics;
use crate::model::delivery::Outcome;
use crate::model::response::{self, StreamReply};
use crate::reports::malformed;

/// What the function answered, for the record of a discard. // spec: 6.1
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub executed_version: String,
    /// None for an answer that can not be read, or that names what failed.
    pub function_error: Option<String>,
}

/// One answer, judged.
#[derive(Debug)]
pub(super) enum Judged {
    /// It ran, or never will with this event. `Stopped` counts from the slice's beginning.
    Ran {
        outcome: Outcome,
        response: Option<Response>,
    },
    /// It did not run: that does not count. // spec: 5.3
    Repeat { after: Option<Duration> },
}

impl Engine {
    pub(super) fn judge(
        &self,
        shard: &str,
        batch: &[Item],
        invoked: Invoked,
    ) -> (Judged, metrics::Outcome) {
        let mapping = self.mapping.name.as_str();
        let events = batch.len();
        let executed_version = invoked
            .executed_version
            .unwrap_or_else(|| self.version.clone());
        let ran = |outcome, function_error: Option<&str>| Judged::Ran {
            outcome,
            response: Some(Response {
                executed_version: executed_version.clone(),
                function_error: function_error.map(str::to_owned),
            }),
        };
        self.reports.function(match &invoked.answer {
            Answer::Unavailable(failure) => Some(format!("failed to invoke: {failure}")),
            Answer::Replied(_)
            | Answer::Errored { .. }
            | Answer::Throttled { .. }
            | Answer::Refused(_) => None,
        });
        match invoked.answer {
            Answer::Replied(body) if !self.mapping.reports_item_failures => {
                if response::reports_failures_unasked(&body) {
                    self.metrics.record_reply_ignored();
                    warn!(
                        mapping,
                        shard,
                        "the function returned batchItemFailures, which are ignored: \
                         FunctionResponseTypes does not contain ReportBatchItemFailures"
                    );
                }
                (ran(Outcome::Delivered, None), metrics::Outcome::Success)
            }
            Answer::Replied(body) => match response::lowest_failed(&body, |id| place(batch, id)) {
                StreamReply::AllHandled => {
                    (ran(Outcome::Delivered, None), metrics::Outcome::Success)
                }
                StreamReply::FailedFrom { index } => {
                    debug!(mapping, shard, events, handled = index, "the function stopped at a record");
                    (
                        ran(Outcome::Stopped { handled: index }, None),
                        metrics::Outcome::Partial,
                    )
                }
                StreamReply::Malformed { why } => {
                    self.metrics.record_malformed_reply(malformed(why));
                    warn!(mapping, shard, events, %why, "the function's answer can not be read: the whole batch failed");
                    (ran(Outcome::Failed, None), metrics::Outcome::FunctionError)
                }
            },
            Answer::Errored { kind, timeout } => {
                let (text, outcome) = if timeout {
                    ("the function timed out", metrics::Outcome::Timeout)
                } else {
                    ("the function failed", metrics::Outcome::FunctionError)
                };
                warn!(mapping, shard, events, kind, "{text}");
                // What is no error that Lambda names is one all the same. // spec: 6.1
                let named = match kind.as_str() {
                    "Handled" => "Handled",
                    _ => "Unhandled",
                };
                (ran(Outcome::Failed, Some(named)), outcome)
            }
            Answer::Throttled { after } => {
                info!(mapping, shard, events, "the function is throttled");
                (Judged::Repeat { after }, metrics::Outcome::Throttled)
            }
            Answer::Unavailable(failure) => {
                warn!(mapping, shard, events, %failure, "the function could not be invoked");
                (
                    Judged::Repeat { after: None },
                    metrics::Outcome::ServiceError,
                )
            }
            Answer::Refused(failure) => {
                warn!(mapping, shard, events, %failure, "the event was refused");
                let judged = Judged::Ran {
                    outcome: Outcome::Refused,
                    response: None,
                };
                (judged, metrics::Outcome::ServiceError)
            }
        }
    }
}

/// The record that an answer names: the first of those that share its number, since a position can not lie between
/// user records that were packed into one.
fn place(batch: &[Item], id: &str) -> Option<usize> {
    // Numbers grow along a batch, and an id is one of them to the letter.
    let number = crate::model::record::SequenceNumber::try_from(id.to_owned()).ok()?;
    let index = batch.partition_point(|item| item.number < number);
    batch
        .get(index)
        .is_some_and(|item| item.number == number)
        .then_some(index)
}
