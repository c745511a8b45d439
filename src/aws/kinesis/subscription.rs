//! Enhanced fan-out: the stream pushes a shard's records to a registered consumer. // spec: 5.1
//!
//! A subscription lasts 5 minutes. Events come every few seconds, empty ones where nothing arrives, so that a connection
//! which died unnoticed is told from a quiet shard.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kinesis::primitives::event_stream::EventReceiver;
use aws_sdk_kinesis::types::error::SubscribeToShardEventStreamError;
use aws_sdk_kinesis::types::{SubscribeToShardEvent, SubscribeToShardEventStream};
use tokio::time::timeout;

use super::consumer::Line;
use super::{children, records};
use crate::aws::fault::Failure;
use crate::aws::stream::{Shard, number};
use crate::model::record::{KinesisRecord, SequenceNumber};

/// Longer without any event, and the subscription is dead. AWS sends one about every 5 s; its own client waits 35 s.
/// The SDK's guard against stalled downloads does not watch event streams, so that this is the only bound.
const IDLE_MAX: Duration = Duration::from_secs(35);

/// A shard's records as they come. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription {
    events: Box<EventReceiver<SubscribeToShardEventStream, SubscribeToShardEventStreamError>>,
    line: Arc<Line>,
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

impl Subscription {
    pub(super) fn new(
        events: EventReceiver<SubscribeToShardEventStream, SubscribeToShardEventStreamError>,
        line: Arc<Line>,
    ) -> Self {
        Self {
            events: Box::new(events),
            line,
        }
    }

    /// The next event; `None`: the 5 minutes are over, subscribe again. A call may be dropped and repeated: nothing is lost.
    pub async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            let Ok(received) = timeout(IDLE_MAX, self.events.recv()).await else {
                self.line.spoil();
                return Err(Failure::unanswered(None));
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
