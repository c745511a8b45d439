//! What an invocation's answer means for a batch of a stream. // spec: 3.1, 5.3

use std::time::Duration;

use tracing::{debug, warn};

use super::Engine;
use super::complaints::{Matter, Work};
use super::deliver::Ran;
use super::lane::Item;
use crate::function::{Answer, Invoked};
use crate::metrics;
use crate::model::delivery::Outcome;
use crate::model::on_failure::Response;
use crate::model::record::SequenceNumber;
use crate::model::response::{self, Malformed, StreamReply};
use crate::reports::malformed;

/// One answer, judged.
#[derive(Debug)]
pub(super) enum Judged {
    /// It ran, or never will with this event.
    Ran {
        ran: Ran,
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
        let ran_with = |outcome, state, function_error: Option<&str>| Judged::Ran {
            ran: Ran { outcome, state },
            response: Some(Response {
                executed_version: executed_version.clone(),
                function_error: function_error.map(str::to_owned),
            }),
        };
        let ran = |outcome, function_error| ran_with(outcome, None, function_error);
        self.reports.function(match &invoked.answer {
            Answer::Unavailable(failure) => Some(format!("failed to invoke: {failure}")),
            Answer::Replied(_)
            | Answer::Errored { .. }
            | Answer::Throttled { .. }
            | Answer::Refused(_) => None,
        });
        self.reports
            .throttled(matches!(invoked.answer, Answer::Throttled { .. }));
        match &invoked.answer {
            Answer::Throttled { .. } => {
                self.complain(Matter::FunctionThrottled, shard, &"too many requests", None);
            }
            Answer::Unavailable(failure) => {
                self.complain(Matter::FunctionUnavailable, shard, failure, None);
            }
            Answer::Replied(_) | Answer::Errored { .. } | Answer::Refused(_) => {
                self.gets_on(Work::Invoking, shard);
            }
        }
        match invoked.answer {
            Answer::Replied(body) => match self.read_reply(shard, batch, &body) {
                Ok((outcome, state)) => {
                    let kind = match outcome {
                        Outcome::Stopped { .. } => metrics::Outcome::Partial,
                        Outcome::Delivered | Outcome::Failed | Outcome::Refused => {
                            metrics::Outcome::Success
                        }
                    };
                    (ran_with(outcome, state, None), kind)
                }
                Err(why) => {
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
            Answer::Throttled { after } => (Judged::Repeat { after }, metrics::Outcome::Throttled),
            Answer::Unavailable(_) => (
                Judged::Repeat { after: None },
                metrics::Outcome::ServiceError,
            ),
            Answer::Refused(failure) => {
                warn!(mapping, shard, events, %failure, "the event was refused");
                let ran = Ran {
                    outcome: Outcome::Refused,
                    state: None,
                };
                let judged = Judged::Ran {
                    ran,
                    response: None,
                };
                (judged, metrics::Outcome::ServiceError)
            }
        }
    }
}

impl Engine {
    /// What an answer says, and the state that it returns for a tumbling window. The final invocation of a window has no
    /// records, and its state is dropped.
    fn read_reply(
        &self,
        shard: &str,
        batch: &[Item],
        body: &[u8],
    ) -> Result<(Outcome, Option<String>), Malformed> {
        let mapping = self.mapping.name.as_str();
        let windowed = self.stream.tumbling_window.is_some() && !batch.is_empty();
        let state = match windowed {
            true => Some(response::window_state(body)?.to_owned()),
            false => None,
        };
        if !self.mapping.reports_item_failures {
            if response::reports_failures_unasked(body) {
                self.metrics.record_reply_ignored();
                warn!(
                    mapping,
                    shard,
                    "the function returned batchItemFailures, which are ignored: \
                     FunctionResponseTypes does not contain ReportBatchItemFailures"
                );
            }
            return Ok((Outcome::Delivered, state));
        }
        let shared = self.stream.deaggregate_kpl;
        match response::lowest_failed(body, shared, |id| place(batch, id)) {
            StreamReply::AllHandled => Ok((Outcome::Delivered, state)),
            StreamReply::Stopped { handled } => {
                let events = batch.len();
                debug!(
                    mapping,
                    shard, events, handled, "the function stopped at a record"
                );
                Ok((Outcome::Stopped { handled }, state))
            }
            StreamReply::Malformed { why } => Err(why),
        }
    }
}

/// The record that an answer names: the first of those that share its number, since a position can not lie between
/// user records that were packed into one.
fn place(batch: &[Item], id: &str) -> Option<usize> {
    // Numbers grow along a batch, and an id is one of them to the letter.
    let number = SequenceNumber::try_from(id.to_owned()).ok()?;
    let index = batch.partition_point(|item| item.number < number);
    batch
        .get(index)
        .is_some_and(|item| item.number == number)
        .then_some(index)
}
