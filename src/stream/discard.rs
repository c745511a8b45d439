//! Records go out of our care: first their on-failure record is delivered, then the shard goes on. // spec: 5.5, 6
//!
//! AWS drops the record of a discard that can not be delivered; here the shard waits until it can. // spec: 6.3

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::deliver::{Discard, Line, Trouble};
use super::lane::Item;
use crate::config::mapping::stream::Kind;
use crate::metrics::{DeliveryOutcome, Dropped};
use crate::model::backoff::Backoff;
use crate::model::delivery::Reason;
use crate::model::on_failure::{Condition, OnFailure, Records, Source};

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
        let number = |item: Option<&Item>| item.map(|item| item.number.to_string());
        let first = number(discard.items.first()).unwrap_or_default();
        let last = number(discard.items.last()).unwrap_or_default();
        let Some(destination) = &engine.destination else {
            warn!(
                mapping,
                shard,
                events,
                first,
                last,
                ?reason,
                invocations = count,
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
                    mapping,
                    shard,
                    events,
                    first,
                    last,
                    ?reason,
                    invocations = count,
                    "records are discarded; their on-failure record is delivered"
                );
                engine.metrics.record_on_failure_delivered(events);
                engine.account(|account| account.discarded += events as u64);
                self.stands(discard.lane, Trouble::default());
                return true;
            };
            let delay = repeats.delay(engine.jitter());
            warn!(
                mapping, shard, events, %failure, delay_ms = delay.as_millis() as u64,
                "the on-failure record was not delivered: the shard waits"
            );
            let told = format!(
                "the on-failure record of {events} records can not be delivered: {failure}"
            );
            let trouble = Trouble {
                failures: count,
                told: Some(told),
            };
            self.stands(discard.lane, trouble);
            engine.rest(delay, drain).await;
            if drain.is_cancelled() {
                return false;
            }
        }
    }
}

impl Line {
    /// The record that tells of a discard; told again it is the same. // spec: 6.1
    fn on_failure(&self, discard: &Discard<'_>) -> OnFailure {
        let engine = &*self.engine;
        let first = discard.items.first();
        let records = first
            .zip(discard.items.last())
            .map(|(first, last)| Records {
                first: first.number.clone(),
                last: last.number.clone(),
                first_arrived_ms: first.arrived_ms,
                last_arrived_ms: last.arrived_ms,
                count: discard.items.len(),
            });
        let written = discard.items.iter().map(|item| item.record.as_str());
        let event = match first {
            Some(first) => Some(self.windowed_event(written, first.window_start_ms)),
            None => self.final_event(),
        };
        // What expired has no response, also where it was tried before. // spec: 5.4
        let exhausted = discard.reason == Reason::RetryAttemptsExhausted;
        OnFailure {
            request_id: discard
                .last
                .request_id
                .clone()
                .unwrap_or_else(|| engine.uuid()),
            function_arn: engine.mapping.function_arn(),
            condition: match discard.reason {
                Reason::RetryAttemptsExhausted => Condition::RetryAttemptsExhausted,
                // AWS has no word for records that the stream keeps no longer: their age it is.
                Reason::RecordAgeExceeded | Reason::ExpiredAtSource => Condition::RecordAgeExceeded,
            },
            invoke_count: discard.invoke_count,
            response: discard.last.response.clone().filter(|_| exhausted),
            at_ms: engine.clock.now_ms(),
            source: match engine.stream.kind {
                Kind::Kinesis { .. } => Source::Kinesis,
                Kind::DynamoDb => Source::DynamoDb,
            },
            shard: self.id.clone(),
            stream_arn: engine.mapping.source.to_string(),
            window: self.window_told(first.map(|first| first.window_start_ms)),
            // Of a window's final invocation there is nothing but the window. // spec: 5.8
            records,
            event,
            object_id: engine.uuid(),
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
