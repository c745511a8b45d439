//! Records go out of our care: first their on-failure record is delivered, then the shard goes on. // spec: 5.5, 6
//!
//! AWS drops the record of a discard that can not be delivered; here the shard waits until it can. // spec: 6.3

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::deliver::{Discard, Line};
use crate::destination::OnFailure;
use crate::metrics::{DeliveryOutcome, Dropped};
use crate::model::backoff::Backoff;
use crate::model::delivery::Reason;
use crate::model::event::event;

/// Repeats of a delivery: the first delay and the longest.
const REPEAT_FIRST: Duration = Duration::from_millis(500);
const REPEAT_LONGEST: Duration = Duration::from_secs(60);

impl Line {
    /// True when the records are out of our care, false when the mapping drains before.
    pub(super) async fn discard(&self, discard: Discard<'_>, drain: &CancellationToken) -> bool {
        let engine = &*self.engine;
        let (mapping, shard) = (engine.mapping.name.as_str(), self.id.as_str());
        let (events, count) = (discard.items.len(), discard.invoke_count);
        let reason = dropped(discard.reason);
        let (first, last) = (&discard.items[0].number, &discard.items[events - 1].number);
        let Some(destination) = &engine.destination else {
            warn!(
                mapping, shard, events, %first, %last, ?reason, invocations = count,
                "records are discarded; no on-failure destination is configured"
            );
            engine.metrics.record_dropped(reason, events);
            engine.account(|account| account.discarded += events as u64);
            return true;
        };
        let record = self.on_failure(&discard);
        let mut repeats = Backoff::new(REPEAT_FIRST, REPEAT_LONGEST);
        loop {
            let sent = destination.deliver(&record).await;
            engine.metrics.record_destination_delivery(match sent {
                Ok(()) => DeliveryOutcome::Success,
                Err(_) => DeliveryOutcome::Failure,
            });
            let Err(failure) = sent else {
                info!(
                    mapping, shard, events, %first, %last, ?reason, invocations = count,
                    "records are discarded; their on-failure record is delivered"
                );
                engine.metrics.record_on_failure_delivered(events);
                engine.account(|account| account.discarded += events as u64);
                self.stands_still(None);
                return true;
            };
            let delay = repeats.delay(engine.jitter());
            warn!(
                mapping, shard, events, %failure, delay_ms = delay.as_millis() as u64,
                "the on-failure record was not delivered: the shard waits"
            );
            self.stands_still(Some(format!(
                "the on-failure record of {events} records can not be delivered: {failure}"
            )));
            engine.rest(delay, drain).await;
            if drain.is_cancelled() {
                return false;
            }
        }
    }
}

fn dropped(reason: Reason) -> Dropped {
    match reason {
        Reason::RetryAttemptsExhausted => Dropped::RetryAttemptsExhausted,
        Reason::RecordAgeExceeded => Dropped::RecordAgeExceeded,
        Reason::ExpiredAtSource => Dropped::ExpiredAtSource,
    }
}
