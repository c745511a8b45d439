//! Enhanced fan-out: the stream pushes a shard's records to a registered consumer. // spec: 5.1
//!
//! A subscription lasts 5 minutes. Events come every few seconds, empty ones where nothing arrives, so that a connection
//! which died unnoticed is told from a quiet shard.

use std::time::Duration;

use aws_sdk_kinesis::primitives::event_stream::EventReceiver;
use aws_sdk_kinesis::types::error::SubscribeToShardEventStreamError;
use aws_sdk_kinesis::types::{
    StartingPosition, SubscribeToShardEvent, SubscribeToShardEventStream,
};
use tokio::time::timeout;

use super::{Kinesis, children, position, records};
use crate::aws::clients::CALL_TIMEOUT;
use crate::aws::fault::Failure;
use crate::aws::stream::{Shard, Start, number};
use crate::model::record::{KinesisRecord, SequenceNumber};

/// Longer without any event, and the subscription is dead. AWS sends one about every 5 s; its own client waits 35 s.
/// The SDK's guard against stalled downloads does not watch event streams, so that this is the only bound.
const IDLE_MAX: Duration = Duration::from_secs(35);

/// A shard's records as they come. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription {
    events: EventReceiver<SubscribeToShardEventStream, SubscribeToShardEventStreamError>,
}

/// What came at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// In order; often empty.
    pub records: Vec<KinesisRecord>,
    /// A new subscription goes on after this number, which may be beyond the last record; `None`: the shard is closed and
    /// this was the last of it.
    pub continuation: Option<SequenceNumber>,
    /// How far behind the newest record the subscription is, in milliseconds.
    pub behind_ms: u64,
    /// With the end of the shard: the shards that follow it.
    pub children: Vec<Shard>,
}

impl Kinesis {
    /// SubscribeToShard, for the consumer with this ARN. One call in 5 s is allowed for a shard and consumer: one sooner is
    /// refused as ResourceInUseException, which is `Fault::Transient`; a later one ends the subscription before it.
    pub async fn subscribe(
        &self,
        consumer: &str,
        shard: &str,
        start: &Start,
    ) -> Result<Subscription, Failure> {
        let (kind, number, moment) = position(start);
        let start = StartingPosition::builder()
            .r#type(kind)
            .set_sequence_number(number)
            .set_timestamp(moment)
            .build()
            .map_err(|error| Failure::unreadable(&error.to_string()))?;
        let call = self
            .calls
            .subscribe_to_shard()
            .consumer_arn(consumer)
            .shard_id(shard)
            .starting_position(start);
        // The client's own time-out is over with the head of the answer; the SDK then waits for the first frame.
        match timeout(CALL_TIMEOUT, call.send()).await {
            Ok(answered) => Ok(Subscription {
                events: answered?.event_stream,
            }),
            Err(_) => Err(Failure::unanswered()),
        }
    }
}

impl Subscription {
    /// The next event; `None`: the 5 minutes are over, subscribe again. A call may be dropped and repeated: nothing is lost.
    pub async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            let Ok(received) = timeout(IDLE_MAX, self.events.recv()).await else {
                return Err(Failure::unanswered());
            };
            match received? {
                Some(SubscribeToShardEventStream::SubscribeToShardEvent(from)) => {
                    return event(from).map(Some);
                }
                // A kind of event that did not exist when this was built: it can not carry records.
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }
}

fn event(from: SubscribeToShardEvent) -> Result<Event, Failure> {
    let children = children(from.child_shards)?;
    // The SDK makes an empty text of one that is missing, as it is at the end of a shard.
    let continuation = match from.continuation_sequence_number {
        text if !text.is_empty() => Some(number(text, "ContinuationSequenceNumber")?),
        _ if !children.is_empty() => None,
        _ => {
            return Err(Failure::unreadable(
                "an event came with neither ContinuationSequenceNumber nor ChildShards",
            ));
        }
    };
    Ok(Event {
        records: records(from.records)?,
        continuation,
        behind_ms: u64::try_from(from.millis_behind_latest).unwrap_or(0),
        children,
    })
}
