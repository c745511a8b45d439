//! Records go out of our care: first their on-failure record is delivered, then the shard goes on. // spec: 5.5, 6
//!
//! AWS drops the record of a discard that can not be delivered; here the shard waits until it can. // spec: 6.3

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::deliver::{Discard, Line, Trouble};
use crate::config::mapping::stream::Kind;
use crate::metrics::{DeliveryOutcome, Dropped};
use crate::model::backoff::Backoff;
use crate::model::delivery::Reason;
use crate::model::on_failure::{Condition, OnFailure, Records, Source};
use crate::model::utc::Utc;

/// Repeats of a delivery: the first delay and the longest.
const REPEAT_FIRST: Duration = Duration::from_millis(500);
const REPEAT_LONGEST: Duration = Duration::from_secs(60);

impl Line {
    /// True when the records are out of our care, false when the mapping drains before.
    pub(super) async fn discard(&self, discard: Discard<'_>, drain: &CancellationToken) -> bool {
        let engine = &*self.engine;
        let (mapping, shard) = (engine.mapping.name.as_str(), self.id.as_str());
        let events = discard.items.len();
        let Some(destination) = &engine.destination else {
            self.discarded(&discard, false);
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
                self.discarded(&discard, true);
                self.stands(discard.lane, Trouble::default());
                return true;
            };
            let delay = repeats.delay(engine.jitter());
            warn!(
                mapping, shard, events, %failure, delay_ms = delay.as_millis() as u64,
                "the on-failure record was not delivered: the shard waits"
            );
            let of = match events {
                0 => "the end of a window".to_owned(),
                _ => format!("{events} records"),
            };
            let told = format!("the on-failure record of {of} can not be delivered: {failure}");
            let trouble = Trouble {
                failures: discard.invoke_count,
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
    /// Count it, and say so: `delivered`, whether an on-failure record tells of it.
    fn discarded(&self, discard: &Discard<'_>, delivered: bool) {
        let engine = &*self.engine;
        let (mapping, shard) = (engine.mapping.name.as_str(), self.id.as_str());
        let (invocations, reason) = (discard.invoke_count, dropped(discard.reason));
        let told = match delivered {
            true => "the on-failure record is delivered",
            false => "no on-failure destination is configured",
        };
        let (Some(first), Some(last)) = (discard.items.first(), discard.items.last()) else {
            engine.metrics.record_window_discarded();
            let window = self.window_told(None);
            let window = window.map(|window| Utc::at(window.start_ms).milliseconds());
            warn!(
                mapping,
                shard,
                window,
                ?reason,
                invocations,
                "the final invocation of a window is discarded; {told}"
            );
            return;
        };
        let events = discard.items.len();
        let (first, last) = (&first.number, &last.number);
        if delivered {
            engine.metrics.record_on_failure_delivered(events);
            info!(
                mapping, shard, events, %first, %last, ?reason, invocations,
                "records are discarded; {told}"
            );
        } else {
            engine.metrics.record_dropped(reason, events);
            warn!(
                mapping, shard, events, %first, %last, ?reason, invocations,
                "records are discarded; {told}"
            );
        }
        engine.account(|account| account.discarded += events as u64);
    }

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
        let mut written: Vec<_> = discard
            .items
            .iter()
            .map(|item| item.record.clone())
            .collect();
        let event = match first {
            Some(first) => {
                let mut records: Vec<_> = written.iter_mut().collect();
                Some(self.windowed_event(&mut records, first.window_start_ms))
            }
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
