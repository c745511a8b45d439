//! SubscribeToShard: events are pushed for five minutes, or until the shard ends or another subscription takes over.

use std::pin::pin;

use bytes::Bytes;
use futures_util::stream::unfold;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{sync::futures::OwnedNotified, time::sleep_until};

use super::{
    Call,
    consumers::{consumer_in, no_consumer},
    error::{Code, KinesisError},
    frame,
    read::{Wanted, tell},
    sequence::Sequence,
    shard::{Page, Record, transfer_ms},
    shown,
};
use crate::sim::{
    faults::Fault,
    wire::{Feed, Request, response},
    world::World,
};

/// How long a subscription lasts.
// API: SubscribeToShard: up to 5 minutes
const LIFE_MS: u64 = 300_000;
/// How soon the next subscription may take over.
// API: SubscribeToShard: ResourceInUseException within 5 seconds of a successful call
const TAKEOVER_MS: u64 = 5_000;
/// How often an event comes though there are no records.
const BEAT_MS: u64 = 5_000;
/// About how many bytes an event has at most.
const EVENT_BYTES: usize = 1024 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SubscribeToShard {
    #[serde(rename = "ConsumerARN")]
    consumer_arn: Option<String>,
    shard_id: Option<String>,
    starting_position: Option<StartingPosition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StartingPosition {
    r#type: Option<String>,
    sequence_number: Option<String>,
    timestamp: Option<f64>,
}

/// One subscription and how far it came.
struct Subscription {
    world: World,
    /// The life of its caller; see `crash`.
    life: Option<u64>,
    stream: String,
    /// Tells the stream from another of the same name.
    created_ms: u64,
    consumer: String,
    shard: String,
    /// Tells the subscription from one that took over.
    number: u64,
    from: Sequence,
    ends_ms: u64,
    /// When an event is due though it be empty.
    beat_ms: u64,
    /// When the shard's throughput allows the next event.
    free_ms: u64,
    /// The next event's frame is to be spoilt.
    broken: bool,
    /// Nothing comes after the first event.
    silent: bool,
    /// An event was sent.
    begun: bool,
    over: bool,
}

/// What a look at the shard finds.
enum Found {
    Frame(Bytes),
    /// Nothing before this time, unless the stream changes.
    Until(u64, OwnedNotified),
    /// The subscription ends without a word.
    End,
}

/// Serves one call: the head of the answer with its first frame, and the events that follow.
pub(super) fn subscribe(
    world: &World,
    life: Option<u64>,
    request: &Request,
    fault: Option<Fault>,
) -> (http::Response<Bytes>, Option<Feed>) {
    match open(world, life, request.body(), fault) {
        Ok(subscription) => (
            response(200, frame::EVENT_STREAM, frame::initial()),
            Some(Feed::new(unfold(subscription, Subscription::next))),
        ),
        Err(error) => (error.response(), None),
    }
}

fn open(
    world: &World,
    life: Option<u64>,
    body: &Bytes,
    fault: Option<Fault>,
) -> Result<Subscription, KinesisError> {
    let input: SubscribeToShard = super::read(body)?;
    let missing = KinesisError::missing;
    let arn = input.consumer_arn.ok_or_else(|| missing("consumerARN"))?;
    let shard_id = input.shard_id.ok_or_else(|| missing("shardId"))?;
    let position = input
        .starting_position
        .ok_or_else(|| missing("startingPosition"))?;
    let (stream_name, consumer, created_s) = consumer_in(&arn).ok_or_else(|| no_consumer(&arn))?;
    let call = &mut Call::new(world, fault);
    let from = Wanted {
        kind: position.r#type.as_deref(),
        sequence_number: position.sequence_number.as_deref(),
        timestamp: position.timestamp,
    }
    .place(call, stream_name, &shard_id)?;
    let (now_ms, number) = (call.now_ms, call.state.next_serial());
    let stream = call.stream(stream_name)?;
    let (created_ms, wake) = (stream.created_ms, stream.wake.clone());
    let registered = stream
        .consumers
        .get_mut(consumer)
        .filter(|registered| registered.created_s() == created_s)
        .ok_or_else(|| no_consumer(consumer))?;
    let earlier = registered.subscriptions.get(&shard_id);
    if earlier.is_some_and(|(began_ms, _)| now_ms < began_ms + TAKEOVER_MS) {
        return Err(in_use(&shard_id));
    }
    registered
        .subscriptions
        .insert(shard_id.clone(), (now_ms, number));
    wake.notify_waiters();
    Ok(Subscription {
        world: world.clone(),
        life,
        stream: stream_name.to_owned(),
        created_ms,
        consumer: consumer.to_owned(),
        shard: shard_id,
        number,
        from,
        ends_ms: now_ms + LIFE_MS,
        beat_ms: now_ms,
        free_ms: now_ms,
        broken: fault == Some(Fault::BrokenEventStream),
        silent: fault == Some(Fault::SilentEventStream),
        begun: false,
        over: false,
    })
}

fn in_use(shard: &str) -> KinesisError {
    Code::ResourceInUseException.because(format!(
        "Another active subscription exists for this consumer and shard {shard}."
    ))
}

impl Subscription {
    /// The next frame, when there is one.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        loop {
            let dead = self.life.is_some_and(|life| life < self.world.life());
            if dead || self.silent && self.begun {
                // The dead get no answers.
                std::future::pending::<()>().await;
            }
            match self.look() {
                Found::Frame(bytes) => {
                    self.begun = true;
                    if self.life.is_some() {
                        self.world.trace_frame(&bytes);
                    }
                    return Some((bytes, self));
                }
                Found::End => return None,
                Found::Until(at_ms, change) => {
                    let due = self.world.clock().instant(at_ms);
                    let mut change = pin!(change);
                    tokio::select! {
                        biased;
                        () = &mut change => {}
                        () = sleep_until(due) => {}
                    }
                }
            }
        }
    }

    fn look(&mut self) -> Found {
        let world = self.world.clone();
        let call = &mut Call::new(&world, None);
        if self.over || call.now_ms >= self.ends_ms {
            return Found::End;
        }
        self.find(call).unwrap_or_else(|error| {
            self.over = true;
            Found::Frame(frame::exception(&error))
        })
    }

    fn find(&mut self, call: &mut Call<'_>) -> Result<Found, KinesisError> {
        let now_ms = call.now_ms;
        let stream = call.stream(&self.stream)?;
        let consumer = stream
            .consumers
            .get(&self.consumer)
            .filter(|_| stream.created_ms == self.created_ms)
            .ok_or_else(|| no_consumer(&self.consumer))?;
        // API: SubscribeToShard: the second call takes over, and the previous connection fails with ResourceInUseException
        if consumer
            .subscriptions
            .get(&self.shard)
            .map(|(_, number)| *number)
            != Some(self.number)
        {
            return Err(in_use(&self.shard));
        }
        let change = stream.wake.clone().notified_owned();
        if now_ms < self.free_ms {
            return Ok(Found::Until(self.free_ms.min(self.ends_ms), change));
        }
        let shard = stream.shard(&self.shard)?;
        let page = shard.page(self.from, usize::MAX, EVENT_BYTES, now_ms);
        let number = shard.number;
        if page.records.is_empty() && !page.ended && now_ms < self.beat_ms {
            return Ok(Found::Until(self.beat_ms.min(self.ends_ms), change));
        }
        let children = page.ended.then(|| shown::children(stream, number));
        self.from = page.next;
        self.beat_ms = now_ms + BEAT_MS;
        let bytes = page.records.iter().map(Record::size).sum();
        self.free_ms = now_ms + transfer_ms(bytes);
        self.over = page.ended;
        tell(call, &self.stream, &self.shard, &page);
        let frame = frame::event(&shown_event(&page, children));
        Ok(Found::Frame(if std::mem::take(&mut self.broken) {
            frame::broken(&frame)
        } else {
            frame
        }))
    }
}

// API: SubscribeToShardEvent: ChildShards only at the end of the shard, ContinuationSequenceNumber until then
fn shown_event(page: &Page, children: Option<Vec<Value>>) -> Value {
    let mut event = json!({
        "Records": page.records.iter().map(shown::record).collect::<Vec<Value>>(),
        "MillisBehindLatest": page.behind_ms,
        "ContinuationSequenceNumber": page.next.previous().to_string(),
    });
    if let Some(children) = children {
        event["ContinuationSequenceNumber"] = Value::Null;
        event["ChildShards"] = children.into();
    }
    event
}
