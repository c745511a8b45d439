//! Invoke with a batch until the function ran, and read what it made of it. // spec: 3.1, 4.3, 4.4

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{Engine, Item};
use crate::function::Answer;
use crate::metrics;
use crate::model::backoff::Backoff;
use crate::model::custody::Extension;
use crate::model::event::Event;
use crate::model::response::{self, Reply};
use crate::model::scaling::Ended;
use crate::model::settlement::Outcome;
use crate::reports::malformed;

/// Repeats of an invocation that did not run: the first delay and the longest. // spec: 3.5 (about 0.2 s, doubling)
const REPEAT_FIRST: Duration = Duration::from_millis(200);
const REPEAT_LONGEST: Duration = Duration::from_secs(20);
/// A service that asks for a longer wait than this is asked again all the same.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// How much later than its time-out a function's answer may come: it may have started cold, and the answer travels.
const ANSWER_MARGIN: Duration = Duration::from_secs(60);

/// An extension without which a batch can not be dispatched is tried again after this.
const SECURE_AGAIN: Duration = Duration::from_millis(500);

/// How the delivery of a batch ended.
#[derive(Debug)]
pub(super) enum Delivered {
    /// The function ran, or refused the event for good.
    Settled(Outcome),
    /// The mapping drains and the function has not run: these go back to the queue.
    Stopped,
}

/// One answer, judged.
enum Judged {
    Settled(Outcome),
    Repeat { after: Option<Duration> },
}

impl Engine {
    /// Deliver the batch. Items whose lease was lost on the way leave it, with those behind them in their group: the
    /// queue has them again, and `stopped` the group.
    pub(super) async fn deliver(
        &self,
        batch: &mut Vec<Item>,
        stopped: &mut BTreeSet<Arc<str>>,
        drain: &CancellationToken,
    ) -> Delivered {
        let mut repeats = Backoff::new(REPEAT_FIRST, REPEAT_LONGEST);
        let mut measured = false;
        let mut written = None;
        loop {
            self.secure(batch, stopped, drain).await;
            if batch.is_empty() {
                return Delivered::Settled(Outcome::Failed);
            }
            if drain.is_cancelled() {
                return Delivered::Stopped;
            }
            // The same for each try, unless items have left the batch: none joins it.
            let event = match written.take() {
                Some((count, event)) if count == batch.len() => event,
                _ => {
                    let records = batch.iter_mut().map(|item| &mut item.record);
                    Event::of(&mut records.collect::<Vec<_>>())
                }
            };
            written = Some((batch.len(), event.clone()));
            if !measured {
                self.metrics.record_batch(batch.len(), event.len());
                measured = true;
            }
            match self.invoke(batch, event).await {
                Judged::Settled(outcome) => return Delivered::Settled(outcome),
                Judged::Repeat { after } => {
                    // Throttled or not served: the batch is kept and its leases are extended meanwhile. // spec: 4.3
                    let delay = repeats
                        .delay(self.jitter())
                        .max(after.unwrap_or_default().min(RETRY_AFTER_MAX));
                    self.rest(delay, drain).await;
                }
            }
        }
    }

    async fn invoke(&self, batch: &[Item], event: Event) -> Judged {
        let count = batch.len();
        let in_flight = self.metrics.in_flight();
        self.metrics.record_invoked(count);
        let sent = self.now();
        let answer = self.answer(event, trace_of(batch)).await;
        drop(in_flight);
        self.reports.function(match &answer {
            Answer::Unavailable(failure) => Some(format!("failed to invoke: {failure}")),
            Answer::Replied(_)
            | Answer::Errored { .. }
            | Answer::Throttled { .. }
            | Answer::Refused(_) => None,
        });
        self.reports
            .throttled(matches!(answer, Answer::Throttled { .. }));
        let (judged, outcome) = self.judge(batch, answer);
        let now = self.now();
        self.metrics.record_invocation(outcome, now - sent);
        if outcome.ran() {
            let well = match outcome {
                metrics::Outcome::Success | metrics::Outcome::Partial => true,
                metrics::Outcome::FunctionError
                | metrics::Outcome::Timeout
                | metrics::Outcome::Throttled
                | metrics::Outcome::ServiceError => false,
            };
            self.reports.ran(well);
        }
        let ended = match outcome {
            metrics::Outcome::Success | metrics::Outcome::Partial => Ended::Well,
            metrics::Outcome::FunctionError | metrics::Outcome::Timeout => Ended::Badly,
            metrics::Outcome::Throttled | metrics::Outcome::ServiceError => Ended::Refused,
        };
        if outcome != metrics::Outcome::Success {
            self.metrics.record_failed_invoke(count);
        }
        self.slots.ended(ended, now);
        self.metrics.set_concurrency_limit(self.slots.limit());
        judged
    }

    /// What the function answers, or that it can not answer any more: Lambda ends it at its time-out, so what has not
    /// come long after that got lost. The time-out may have been raised since it was last looked at.
    async fn answer(&self, event: Event, trace: Option<&str>) -> Answer {
        let invoked = self.function.invoke(event, trace);
        let mut answer = pin!(invoked.map(|invoked| invoked.answer));
        let sent = Instant::now();
        loop {
            let Some(timeout) = self.terms().timeout else {
                return answer.await;
            };
            let until = sent + timeout + ANSWER_MARGIN;
            if let Ok(answer) = tokio::time::timeout_at(until, &mut answer).await {
                return answer;
            }
            self.look_again().await;
            if self.terms().timeout.is_none_or(|now| now > timeout) {
                continue;
            }
            let lost = || Answer::Errored {
                kind: "no answer long after the function's time-out".into(),
                timeout: true,
            };
            return answer.now_or_never().unwrap_or_else(lost);
        }
    }

    fn judge(&self, batch: &[Item], answer: Answer) -> (Judged, metrics::Outcome) {
        let mapping = self.mapping.name.as_str();
        let events = batch.len();
        let failed = Judged::Settled(Outcome::Failed);
        match answer {
            Answer::Replied(body) if !self.mapping.reports_item_failures => {
                if response::reports_failures_unasked(&body) {
                    self.metrics.record_reply_ignored();
                    warn!(
                        mapping,
                        "the function returned batchItemFailures, which are ignored: \
                         FunctionResponseTypes does not contain ReportBatchItemFailures"
                    );
                }
                (Judged::Settled(Outcome::Handled), metrics::Outcome::Success)
            }
            Answer::Replied(body) => {
                let ids: BTreeSet<&str> = batch.iter().map(|item| item.id.as_ref()).collect();
                match response::items_failed(&body, |id| ids.contains(id)) {
                    Reply::AllHandled => {
                        (Judged::Settled(Outcome::Handled), metrics::Outcome::Success)
                    }
                    Reply::Failed { ids } => {
                        debug!(
                            mapping,
                            events,
                            failed = ids.len(),
                            "the function reported failures"
                        );
                        (
                            Judged::Settled(Outcome::Partly { failed: ids }),
                            metrics::Outcome::Partial,
                        )
                    }
                    Reply::Malformed { why } => {
                        self.metrics.record_malformed_reply(malformed(why));
                        warn!(mapping, events, %why, "the function's answer can not be read: the whole batch failed");
                        (failed, metrics::Outcome::FunctionError)
                    }
                }
            }
            Answer::Errored {
                kind,
                timeout: true,
            } => {
                warn!(mapping, events, kind, "the function timed out");
                (failed, metrics::Outcome::Timeout)
            }
            Answer::Errored {
                kind,
                timeout: false,
            } => {
                warn!(mapping, events, kind, "the function failed");
                (failed, metrics::Outcome::FunctionError)
            }
            Answer::Throttled { after } => {
                info!(mapping, events, "the function is throttled");
                (Judged::Repeat { after }, metrics::Outcome::Throttled)
            }
            Answer::Unavailable(failure) => {
                warn!(mapping, events, %failure, "the function could not be invoked");
                (
                    Judged::Repeat { after: None },
                    metrics::Outcome::ServiceError,
                )
            }
            Answer::Refused(failure) => {
                warn!(mapping, events, %failure, "the event was refused: the batch is left to the queue");
                (failed, metrics::Outcome::ServiceError)
            }
        }
    }

    /// See to it that each item's lease lasts for the invocation, and let go of those whose lease can not be had.
    ///
    /// From half of a lease on the heartbeat renews it; an invocation that needs more than that relies on it anyway.
    async fn secure(
        &self,
        batch: &mut Vec<Item>,
        stopped: &mut BTreeSet<Arc<str>>,
        drain: &CancellationToken,
    ) {
        let terms = self.terms();
        let needed = terms.timeout.unwrap_or_default().min(terms.lease / 2);
        let covers = |left: Option<Duration>| left.is_some_and(|left| left >= needed);
        loop {
            let short: Vec<Extension> = self.in_custody(|custody, now| {
                let lacking = batch
                    .iter()
                    .filter(|item| !covers(custody.remaining(&item.id, now)))
                    .collect::<Vec<_>>();
                lacking
                    .into_iter()
                    .filter_map(|item| custody.extension(&item.id, now))
                    .collect()
            });
            if short.is_empty() {
                break;
            }
            self.extend(short).await;
            // To let go costs a receive: a failure that may pass is waited out while there is a lease to extend.
            let may_pass = !self.extension_denied.load(Ordering::Relaxed)
                && self.in_custody(|custody, now| {
                    batch.iter().any(|item| {
                        !covers(custody.remaining(&item.id, now)) && custody.extends(&item.id)
                    })
                });
            if !may_pass {
                break;
            }
            self.rest(SECURE_AGAIN, drain).await;
            if drain.is_cancelled() {
                return;
            }
        }
        let mut let_go = Vec::new();
        batch.retain(|item| {
            let behind = item
                .group
                .as_ref()
                .is_some_and(|group| stopped.contains(group));
            let kept =
                !behind && self.in_custody(|custody, now| covers(custody.remaining(&item.id, now)));
            if !kept {
                stopped.extend(item.group.clone());
                let_go.push(item.id.clone());
            }
            kept
        });
        if !let_go.is_empty() {
            warn!(
                mapping = %self.mapping.name, messages = let_go.len(),
                "left to the queue: their visibility could not be extended before the invocation"
            );
            self.leave(&let_go);
        }
    }
}

/// The trace to continue: the one that the batch's messages agree on. Where they differ each keeps its own in its
/// `AWSTraceHeader` attribute, since an invocation can continue only one.
fn trace_of(batch: &[Item]) -> Option<&str> {
    let mut traces = batch.iter().filter_map(|item| item.trace.as_deref());
    let first = traces.next()?;
    traces.all(|trace| trace == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(trace: Option<&str>) -> Item {
        Item {
            id: Arc::from("m"),
            group: None,
            trace: trace.map(str::to_string),
            record: Vec::new().into(),
            arrived: Duration::ZERO,
        }
    }

    #[test]
    fn the_trace_travels_when_there_is_one_to_continue() {
        assert_eq!(trace_of(&[item(None)]), None);
        assert_eq!(
            trace_of(&[item(None), item(Some("Root=1"))]),
            Some("Root=1")
        );
        assert_eq!(
            trace_of(&[item(Some("Root=1")), item(Some("Root=1"))]),
            Some("Root=1")
        );
        assert_eq!(
            trace_of(&[item(Some("Root=1")), item(Some("Root=2"))]),
            None
        );
    }
}
