//! A registered consumer of a stream: whether it is active, and its subscriptions to shards. // spec: 5.1
//!
//! Subscriptions have connections of their own, some for each: over HTTP/2 the client would put all calls to Kinesis on
//! one, where a server's limit of streams makes the rest wait, and where a connection that died unnoticed would be tried
//! again and again, since nothing but TCP's own patience of a quarter of an hour ends it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::types::{ConsumerStatus, StartingPosition};
use tokio::time::timeout;

use super::subscription::Subscription;
use super::{Kinesis, position};
use crate::aws::clients::{CALL_TIMEOUT, Clients};
use crate::aws::fault::{Failure, Fault};
use crate::aws::stream::Start;
use crate::config::arn::Arn;

/// So many subscriptions share a connection: servers commonly take 100 streams on one, and what waits to be read of one
/// takes from the room that all of them have.
const SUBSCRIPTIONS_PER_LINE: usize = 10;

/// A consumer, by its ARN.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// What it consumes.
    pub stream: Kinesis,
    clients: Clients,
    region: String,
    arn: String,
    lines: Arc<Mutex<Vec<Arc<Line>>>>,
}

/// Connections of some subscriptions; they are closed when the last of these is dropped.
#[derive(Debug)]
pub(super) struct Line {
    client: Client,
    /// Something on it was not answered: nothing new is begun on it.
    spoilt: AtomicBool,
}

impl Line {
    /// Nothing new is to be begun on it.
    pub(super) fn spoil(&self) {
        self.spoilt.store(true, Relaxed);
    }
}

impl Consumer {
    /// The consumer `arn` of this stream.
    pub fn new(clients: &Clients, stream: &Arn, arn: &Arn) -> Self {
        Self {
            stream: Kinesis::new(clients, stream),
            clients: clients.clone(),
            region: stream.region.clone(),
            arn: arn.to_string(),
            lines: Arc::default(),
        }
    }

    /// DescribeStreamConsumer: an error unless it is registered and active. `Fault::Denied`: it is not registered (any
    /// more); registered again it has another ARN.
    pub async fn active(&self) -> Result<(), Failure> {
        let call = self.stream.calls.describe_stream_consumer();
        let described = call.consumer_arn(&self.arn).send().await;
        let described = described.map_err(|error| match Failure::from(error) {
            failure if failure.fault == Fault::Gone => unregistered(failure),
            failure => failure,
        })?;
        let description = described.consumer_description.ok_or_else(|| {
            Failure::unreadable("DescribeStreamConsumer returned no ConsumerDescription")
        })?;
        match description.consumer_status {
            ConsumerStatus::Active => Ok(()),
            other => {
                let text = format!("the consumer is {other}");
                Err(Failure::new(Fault::Transient, "not active", &text))
            }
        }
    }

    /// SubscribeToShard. One call in 5 s is allowed for a shard: one sooner is refused as in use ([`Failure::in_use`]), a
    /// later one ends the subscription before it.
    pub async fn subscribe(&self, shard: &str, start: &Start) -> Result<Subscription, Failure> {
        let (kind, number, moment) = position(start);
        let start = StartingPosition::builder()
            .r#type(kind)
            .set_sequence_number(number)
            .set_timestamp(moment)
            .build()
            .map_err(|error| Failure::unreadable(&error.to_string()))?;
        let line = self.line();
        let call = line
            .client
            .subscribe_to_shard()
            .consumer_arn(&self.arn)
            .shard_id(shard)
            .starting_position(start);
        // The client's own time-out is over with the head of the answer; the SDK then waits for the first frame.
        let answered = match timeout(CALL_TIMEOUT, call.send()).await {
            Ok(answered) => answered.map_err(Failure::from),
            Err(_) => Err(Failure::unanswered(None)),
        };
        match answered {
            Ok(answered) => Ok(Subscription::new(answered.event_stream, line)),
            Err(failure) => {
                if failure.timed_out() {
                    line.spoil();
                }
                Err(failure)
            }
        }
    }

    /// A line with room for one more.
    fn line(&self) -> Arc<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|line| !line.spoilt.load(Relaxed));
        // The list holds each once.
        let room = |line: &&Arc<Line>| Arc::strong_count(line) <= SUBSCRIPTIONS_PER_LINE;
        if let Some(line) = lines.iter().find(room) {
            return line.clone();
        }
        let apart = self.clients.apart();
        let line = Arc::new(Line {
            client: apart.kinesis(&self.region),
            spoilt: AtomicBool::new(false),
        });
        lines.push(line.clone());
        line
    }
}

fn unregistered(failure: Failure) -> Failure {
    let text = format!(
        "{}; register it (aws kinesis register-stream-consumer), which gives it a new ARN",
        failure.message
    );
    Failure {
        status: failure.status,
        ..Failure::new(Fault::Denied, "no such consumer", &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::canned::serve;
    use crate::config::aws::Aws;

    #[test]
    fn a_line_takes_so_many_subscriptions_and_none_once_it_is_spoilt() {
        let (clients, _) = serve([], &Aws::default());
        let stream = "arn:aws:kinesis:us-east-1:111111111111:stream/clicks";
        let arn = format!("{stream}/consumer/c:1").parse().unwrap();
        let consumer = Consumer::new(&clients, &stream.parse().unwrap(), &arn);
        let first: Vec<_> = (0..10).map(|_| consumer.line()).collect();
        assert!(first.iter().all(|line| Arc::ptr_eq(line, &first[0])));
        let second = consumer.line();
        assert!(!Arc::ptr_eq(&second, &first[0]));
        second.spoil();
        let third = consumer.line();
        assert!(!Arc::ptr_eq(&third, &second) && !Arc::ptr_eq(&third, &first[0]));
        // One that ends makes room.
        drop(first);
        assert_eq!(consumer.lines.lock().unwrap().len(), 2);
        assert!(!Arc::ptr_eq(&consumer.line(), &third));
    }
}
