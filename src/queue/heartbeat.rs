//! What goes on beside the batches: leases are extended before they end, and the queue's and the function's terms are
//! looked at again from time to time, since a change of either silently breaks what was right at the start. // spec: 11.5

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::stream::{self, FuturesUnordered, StreamExt as _};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Engine;
use super::terms::Terms;
use crate::aws::clients::CALL_TIMEOUT;
use crate::aws::fault::{Failure, Fault};
use crate::aws::sqs::BATCH_ENTRIES_MAX;
use crate::metrics::Operation;
use crate::model::custody::Extension;

/// How often the terms are looked at again. // the README's idle cost counts these requests
pub const LOOK_AGAIN: Duration = Duration::from_secs(300);
/// How many extension calls the heartbeat, or one batch, runs at once.
const CALLS_AT_ONCE: usize = 8;

impl Engine {
    /// Extend leases as they come due, until all batches are settled. A call that hangs holds up no other.
    pub(super) async fn extend_leases(&self, stop: &CancellationToken) {
        let mut calls = FuturesUnordered::new();
        loop {
            let room = CALLS_AT_ONCE - calls.len();
            let next = self.in_custody(|custody, now| {
                let next = custody.next_extension().filter(|_| room > 0);
                next.map(|at| at.saturating_sub(now))
            });
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.leases_changed.notified() => continue,
                Some(()) = calls.next() => continue,
                () = wait(next) => {}
            }
            // What is due very soon goes along: fewer calls, each with more entries.
            let soon = self.terms().lease / 16;
            let due =
                self.in_custody(|custody, now| custody.due(now, soon, room * BATCH_ENTRIES_MAX));
            for chunk in due.chunks(BATCH_ENTRIES_MAX) {
                // Boxed: even without a call there is room for one.
                calls.push(Box::pin(self.extend_chunk(chunk.to_vec())));
            }
        }
    }

    /// Send these extensions, and note what became of each.
    pub(super) async fn extend(&self, extensions: Vec<Extension>) {
        let calls: Vec<_> = extensions
            .chunks(BATCH_ENTRIES_MAX)
            .map(|chunk| self.extend_chunk(chunk.to_vec()))
            .collect();
        stream::iter(calls)
            .buffered(CALLS_AT_ONCE)
            .collect::<Vec<()>>()
            .await;
    }

    async fn extend_chunk(&self, extensions: Vec<Extension>) {
        let sent = self.now();
        // Half of a lease is left for it, and there must be time for another try.
        let at_most = (self.terms().lease / 4).min(CALL_TIMEOUT);
        let call = tokio::time::timeout(at_most, self.queue.extend(&extensions));
        let answer = call
            .await
            .unwrap_or_else(|_| Err(Failure::unanswered(None)));
        self.reports
            .batch_request(Operation::ChangeMessageVisibilityBatch, &answer);
        if let Err(failure) = &answer
            && failure.fault == Fault::Denied
            && failure.status.is_some()
            && !self.extension_denied.swap(true, Ordering::Relaxed)
        {
            // The role that AWS ships for SQS mappings lacks it: AWS itself never extends. // spec: 9
            warn!(
                mapping = %self.mapping.name, %failure,
                "visibility can not be extended, so a slow or throttled function will cause duplicates: \
                 allow sqs:ChangeMessageVisibility"
            );
        }
        let results = answer.unwrap_or_else(|failure| vec![Err(failure); extensions.len()]);
        let mut extended = 0;
        for (extension, result) in extensions.iter().zip(results) {
            let Err(failure) = result else {
                extended += 1;
                self.in_custody(|custody, _| custody.extended(extension, sent));
                continue;
            };
            debug!(mapping = %self.mapping.name, message = %extension.id, %failure, "visibility not extended");
            let lost = match failure.fault {
                Fault::Throttled { .. } | Fault::Transient | Fault::Denied => {
                    self.in_custody(|custody, now| custody.not_extended(extension, now))
                }
                Fault::Expired | Fault::Trimmed | Fault::Gone | Fault::Invalid => {
                    self.in_custody(|custody, _| custody.lost(extension))
                }
            };
            if lost {
                self.metrics.record_lease_lost(1);
                warn!(
                    mapping = %self.mapping.name, message = %extension.id, %failure,
                    "the lease is lost: the queue may deliver the message again"
                );
            }
        }
        if extended > 0 {
            self.extension_denied.store(false, Ordering::Relaxed);
        }
        self.metrics.record_visibility_extended(extended);
    }

    /// Look at the queue's visibility time-out and the function's time-out again and again.
    pub(super) async fn watch_terms(&self, stop: &CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.look_again() => {}
            }
        }
    }

    /// Look at both now.
    pub(super) async fn look_again(&self) {
        let looked = Terms::look(&self.queue, &self.function, &self.mapping, &self.reports);
        // Boxed: between two looks it takes no room.
        match Box::pin(looked).await {
            Ok(terms) => self.set_terms(terms),
            Err(failure) => {
                debug!(mapping = %self.mapping.name, %failure, "could not look at the queue and the function again");
            }
        }
    }
}

async fn wait(next: Option<Duration>) {
    match next {
        Some(delay) => tokio::time::sleep(delay).await,
        None => std::future::pending().await,
    }
}
