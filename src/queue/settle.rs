//! Delete what was handled, leave what was not, hand back what was not tried.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use tracing::{debug, warn};

use super::Engine;
use crate::aws::fault::{Failure, Fault};
use crate::aws::sqs::BATCH_ENTRIES_MAX;
use crate::metrics::Operation;
use crate::model::backoff::Backoff;
use crate::model::custody::Extension;

/// How many batch calls of one kind run at once for one batch.
const CALLS_AT_ONCE: usize = 8;
/// Repeats of a failed delete: the first delay and the longest.
const REPEAT_FIRST: Duration = Duration::from_millis(100);
const REPEAT_LONGEST: Duration = Duration::from_secs(5);
/// How often a message is handed back before it is left to its lease.
const HAND_BACK_TRIES: usize = 4;

impl Engine {
    /// Delete these messages. Failures are repeated for as long as a lease lasts, also of a message whose lease was
    /// reported lost: an older delete may have done it, and an old receipt often still deletes. What then remains, which
    /// is told, comes again, as the queue promises at least one delivery, not exactly one.
    pub(super) async fn delete(&self, mut ids: Vec<Arc<str>>) -> Vec<Arc<str>> {
        self.in_custody(|custody, _| ids.iter().for_each(|id| custody.leaving(id)));
        let mut left = Vec::new();
        let mut repeats = Backoff::new(REPEAT_FIRST, REPEAT_LONGEST);
        let until = self.now() + self.terms().lease;
        loop {
            ids = self.delete_once(ids, &mut left).await;
            if ids.is_empty() {
                return left;
            }
            let delay = repeats.delay(self.jitter());
            if until <= self.now() + delay {
                self.metrics.record_delete_failed(ids.len());
                warn!(
                    mapping = %self.mapping.name, messages = ids.len(),
                    "handled but not deleted: the lease is over and the queue will deliver them again"
                );
                self.leave(&ids);
                left.append(&mut ids);
                return left;
            }
            tokio::time::sleep(delay).await;
        }
    }

    /// One round of deletes: the messages that are to be tried again. Those that it gave up go to `left`.
    async fn delete_once(&self, ids: Vec<Arc<str>>, left: &mut Vec<Arc<str>>) -> Vec<Arc<str>> {
        let calls: Vec<_> = ids
            .chunks(BATCH_ENTRIES_MAX)
            .map(|chunk| self.delete_chunk(chunk))
            .collect();
        let mut calls = stream::iter(calls).buffered(CALLS_AT_ONCE);
        let mut all_again = Vec::new();
        while let Some((mut again, mut given_up)) = calls.next().await {
            all_again.append(&mut again);
            left.append(&mut given_up);
        }
        all_again
    }

    /// One call: the messages that are to be tried again, and those that it gave up.
    async fn delete_chunk(&self, ids: &[Arc<str>]) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
        let receipts: Vec<Arc<str>> = self.in_custody(|custody, _| {
            ids.iter()
                .map(|id| custody.receipt(id).unwrap_or_default())
                .collect()
        });
        let answer = self.queue.delete(&receipts).await;
        self.reports
            .batch_request(Operation::DeleteMessageBatch, &answer);
        let results = answer.unwrap_or_else(|failure| vec![Err(failure); ids.len()]);
        let (mut again, mut given_up) = (Vec::new(), Vec::new());
        let mut deleted = Vec::new();
        for ((id, receipt), result) in ids.iter().zip(&receipts).zip(results) {
            let Err(failure) = result else {
                deleted.push(id.clone());
                continue;
            };
            debug!(mapping = %self.mapping.name, message = %id, %failure, "not deleted");
            match failure.fault {
                Fault::Throttled { .. } | Fault::Transient | Fault::Denied | Fault::Gone => {
                    again.push(id.clone())
                }
                // A newer receipt may have come meanwhile; the same one would be refused again.
                Fault::Expired | Fault::Trimmed | Fault::Invalid => {
                    if self
                        .in_custody(|custody, _| custody.receipt(id))
                        .is_some_and(|newest| newest != *receipt)
                    {
                        again.push(id.clone());
                    } else {
                        self.metrics.record_delete_failed(1);
                        warn!(
                            mapping = %self.mapping.name, message = %id, %failure,
                            "handled but not deleted: the queue will deliver it again"
                        );
                        given_up.push(id.clone());
                    }
                }
            }
        }
        self.metrics.record_deleted(deleted.len());
        self.account(|account| account.deleted += deleted.len() as u64);
        self.release(&deleted);
        self.leave(&given_up);
        (again, given_up)
    }

    /// These stay in the queue: their leases run out, and it delivers them again or dead-letters them.
    pub(super) fn leave(&self, ids: &[Arc<str>]) {
        self.account(|account| account.left += ids.len() as u64);
        self.release(ids);
    }

    /// These were not tried and the mapping drains: the queue may deliver them again.
    pub(super) async fn hand_back(&self, mut ids: Vec<Arc<str>>) {
        if ids.is_empty() {
            return;
        }
        self.received_all().await;
        let mut repeats = Backoff::new(REPEAT_FIRST, REPEAT_LONGEST);
        for _ in 0..HAND_BACK_TRIES {
            let calls: Vec<_> = ids
                .chunks(BATCH_ENTRIES_MAX)
                .map(|chunk| self.hand_back_chunk(chunk))
                .collect();
            let again: Vec<Vec<Arc<str>>> =
                stream::iter(calls).buffered(CALLS_AT_ONCE).collect().await;
            ids = again.concat();
            if ids.is_empty() {
                return;
            }
            tokio::time::sleep(repeats.delay(self.jitter())).await;
        }
        warn!(
            mapping = %self.mapping.name, messages = ids.len(),
            "not handed back: the queue delivers them again when their leases end"
        );
        self.leave(&ids);
    }

    /// Wait until no receive is under way: a long poll of our own would take at once what is handed back, and each such
    /// round costs the message a receive. A receive that takes longer than it was asked to is not waited for.
    async fn received_all(&self) {
        let none = async {
            loop {
                // Before the look, so that no notice is missed between the two.
                let received = self.received.notified();
                if self.receiving.load(Ordering::Relaxed) == 0 {
                    return;
                }
                received.await;
            }
        };
        let at_most = Duration::from_secs(self.wait_max_s + 1);
        if tokio::time::timeout(at_most, none).await.is_err() {
            debug!(mapping = %self.mapping.name, "a receive is still under way: not waited for any longer");
        }
    }

    async fn hand_back_chunk(&self, ids: &[Arc<str>]) -> Vec<Arc<str>> {
        let receipts = self.in_custody(|custody, _| {
            let at_once = |id: &Arc<str>| Extension {
                id: id.clone(),
                receipt: custody.receipt(id).unwrap_or_default(),
                seconds: 0,
            };
            ids.iter().map(at_once).collect::<Vec<_>>()
        });
        let answer = self.queue.extend(&receipts).await;
        self.reports
            .batch_request(Operation::ChangeMessageVisibilityBatch, &answer);
        let results: Vec<Result<(), Failure>> =
            answer.unwrap_or_else(|failure| vec![Err(failure); ids.len()]);
        let mut again = Vec::new();
        for (id, result) in ids.iter().zip(results) {
            match result.map_err(|failure| failure.fault) {
                Ok(()) => {
                    self.metrics.record_handed_back(1);
                    self.account(|account| account.handed_back += 1);
                    self.release(std::slice::from_ref(id));
                }
                // The queue has it already.
                Err(Fault::Expired | Fault::Trimmed | Fault::Invalid | Fault::Gone) => {
                    self.leave(std::slice::from_ref(id))
                }
                Err(Fault::Throttled { .. } | Fault::Transient | Fault::Denied) => {
                    again.push(id.clone())
                }
            }
        }
        again
    }

    fn release(&self, ids: &[Arc<str>]) {
        self.in_custody(|custody, _| ids.iter().for_each(|id| custody.release(id)));
    }
}
