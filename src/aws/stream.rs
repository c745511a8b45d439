//! A stream, whatever its kind: the few calls in which Kinesis and DynamoDB Streams differ, in our own words.

use std::fmt;
use std::time::Duration;

use super::clients::Clients;
use super::dynamodbstreams::DynamoDbStream;
use super::fault::Failure;
use super::kinesis::Kinesis;
use super::kinesis::consumer::Consumer;
use super::kinesis::subscription::Subscription;
use crate::config::arn::Arn;
use crate::config::mapping::stream::Kind;
use crate::model::event::EVENT_BYTES_MAX;
use crate::model::progress::Position;
use crate::model::record::{DynamoRecord, KinesisRecord, SequenceNumber};
use crate::model::shards::Listed;

/// A shard, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Unique in its stream, for ever.
    pub id: String,
    /// None for a first shard, one after a split or a roll-over, two after a merge. They may be gone already.
    pub parents: Vec<String>,
    /// The last number that it can hold, where it is closed: nothing is added to it any more. A shard that a read names as
    /// a child does not say.
    pub ending: Option<SequenceNumber>,
}

impl Shard {
    /// Whether it is known that nothing is added to it any more.
    pub fn closed(&self) -> bool {
        self.ending.is_some()
    }
}

impl From<Shard> for Listed {
    fn from(shard: Shard) -> Self {
        Self {
            closed: shard.closed(),
            id: shard.id,
            parents: shard.parents,
        }
    }
}

/// Where in a shard to begin. // spec: 5.6
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record that is still there.
    Horizon,
    /// At what arrives from now on.
    Latest,
    /// At the first record that arrived then or later. AWS's DynamoDB streams know it, most other servers' do not and
    /// answer `Fault::Invalid`.
    Moment {
        /// Milliseconds since 1970.
        ms: u64,
    },
    /// At this record.
    From(SequenceNumber),
    /// Behind this record.
    After(SequenceNumber),
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Horizon => Position::Horizon.fmt(f),
            Self::Latest => f.write_str("what arrives from now on"),
            Self::Moment { ms } => Position::At { ms: *ms }.fmt(f),
            Self::From(number) => write!(f, "record {number}"),
            Self::After(number) => write!(f, "behind record {number}"),
        }
    }
}

/// A place in a shard, good for the next read and for some minutes: 5 in Kinesis, 15 in DynamoDB. // spec: 5.1
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardIterator(pub(super) String);

/// A way into a shard that was opened.
#[derive(Debug)]
pub enum Opened {
    /// To be read from.
    Iterator(ShardIterator),
    /// Pushes what comes.
    Subscription(Subscription),
}

/// What one read brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// In order; empty is usual, also with more to come.
    pub records: Records,
    /// Where the next read goes on; `None`: the shard is closed and was read to its end.
    pub next: Option<ShardIterator>,
    /// How far behind the newest record the read is, in milliseconds, where the stream says so (Kinesis does).
    pub behind_ms: Option<u64>,
    /// With the end of a Kinesis shard: the shards that follow it.
    pub children: Vec<Shard>,
    /// How much came.
    pub amount: Amount,
}

/// How much a read brought, by what one read keeps ([`ReadBounds`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// A half of it at most.
    Little,
    /// More than a half.
    Much,
    /// More than all of it: what came behind the records, of which there is one at least, was dropped. `next` is behind that,
    /// and so is `behind_ms`, where they are there at all: who goes on opens the position behind the last record anew.
    Beyond {
        /// About so many bytes of data and keys, which the source counts as read.
        dropped_bytes: usize,
        /// The one record that is kept is more by itself: it does not tell how many others would be kept.
        oversized: bool,
    },
}

/// How much of an answer is in memory, in bytes: a shard may give more at once than an event can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadBounds {
    /// Records are kept while they take no more than that in an event, and the first always.
    pub keep_bytes_max: usize,
}

impl Default for ReadBounds {
    /// One event.
    fn default() -> Self {
        Self {
            keep_bytes_max: EVENT_BYTES_MAX,
        }
    }
}

/// Records of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    /// Of a Kinesis stream.
    Kinesis(Vec<KinesisRecord>),
    /// Of a DynamoDB stream.
    Dynamo(Vec<DynamoRecord>),
}

impl Records {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Kinesis(records) => records.len(),
            Self::Dynamo(records) => records.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The last one's number, and when it arrived, in milliseconds since 1970.
    pub fn last(&self) -> Option<(&SequenceNumber, u64)> {
        match self {
            Self::Kinesis(records) => {
                let last = records.last()?;
                Some((&last.sequence_number, last.arrived_ms))
            }
            Self::Dynamo(records) => {
                let last = records.last()?;
                Some((&last.sequence_number, last.arrived_ms))
            }
        }
    }
}

/// What the engine must know of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// How long a record stays: 24 h to 365 d. // spec: 5.1
    pub retention: Duration,
    /// What it is good for.
    pub status: Status,
    /// When it was made, in milliseconds since 1970, where the source says so: a stream of the same name that was made
    /// at another time is another one. The ARN of a DynamoDB stream names it already.
    pub created_ms: Option<u64>,
}

/// What a stream is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Being made: it can not be read yet.
    Starting,
    /// It takes records and gives them.
    Active,
    /// A DynamoDB stream that was switched off: all its shards are closed, what they hold stays for 24 h. Switched on
    /// again the table has another stream with another ARN.
    Disabled,
    /// Being deleted: what it holds can not be relied on any more.
    Deleting,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "being made",
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Deleting => "being deleted",
        })
    }
}

/// A stream.
#[derive(Clone, Debug)]
pub enum Stream {
    /// A Kinesis stream.
    Kinesis(Kinesis),
    /// A consumer that is registered with a Kinesis stream (enhanced fan-out).
    Consumer(Box<Consumer>),
    /// A DynamoDB stream.
    Dynamo(DynamoDbStream),
}

impl Stream {
    /// The stream of a mapping whose `EventSourceArn` is `source`. Nothing is sent yet.
    pub fn new(clients: &Clients, source: &Arn, kind: &Kind) -> Self {
        match kind {
            Kind::Kinesis {
                stream,
                consumer: true,
            } => Self::Consumer(Box::new(Consumer::new(clients, stream, source))),
            Kind::Kinesis {
                stream,
                consumer: false,
            } => Self::Kinesis(Kinesis::new(clients, stream)),
            Kind::DynamoDb => Self::Dynamo(DynamoDbStream::new(clients, source)),
        }
    }

    /// Whether it can be read, and how long a record stays.
    pub async fn describe(&self) -> Result<Description, Failure> {
        match self {
            Self::Kinesis(stream) => stream.describe().await,
            Self::Consumer(consumer) => consumer.stream.describe().await,
            Self::Dynamo(stream) => stream.describe().await,
        }
    }

    /// Every shard that the stream still knows, closed ones too, in its order.
    pub async fn list_shards(&self) -> Result<Vec<Shard>, Failure> {
        match self {
            Self::Kinesis(stream) => stream.list_shards().await,
            Self::Consumer(consumer) => consumer.stream.list_shards().await,
            Self::Dynamo(stream) => stream.list_shards().await,
        }
    }

    /// The consumer, where that is the source.
    pub fn consumer(&self) -> Option<&Consumer> {
        match self {
            Self::Consumer(consumer) => Some(consumer),
            Self::Kinesis(_) | Self::Dynamo(_) => None,
        }
    }

    /// An iterator at `start`, or a consumer's subscription. `Fault::Trimmed`: the position is older than what is left; `Fault::Gone`: the shard is, or the
    /// stream; `Fault::Invalid`: a number that the shard can not place, such as one of a stream of the same name before.
    pub async fn open(&self, shard: &str, start: &Start) -> Result<Opened, Failure> {
        match self {
            Self::Kinesis(stream) => stream.open(shard, start).await.map(Opened::Iterator),
            Self::Consumer(consumer) => {
                let subscription = consumer.subscribe(shard, start).await;
                subscription.map(Opened::Subscription)
            }
            Self::Dynamo(stream) => stream.open(shard, start).await.map(Opened::Iterator),
        }
    }

    /// Whether the source can place `start` in the shard: nothing is read, nor subscribed to. Faults as of `open`; a consumer's
    /// reader may have no right to ask.
    pub async fn places(&self, shard: &str, start: &Start) -> Result<(), Failure> {
        match self {
            Self::Kinesis(stream) => stream.open(shard, start).await.map(drop),
            Self::Consumer(consumer) => consumer.stream.open(shard, start).await.map(drop),
            Self::Dynamo(stream) => stream.open(shard, start).await.map(drop),
        }
    }

    /// Up to `limit` records: at least 1, at most 10,000 of Kinesis and 1,000 of DynamoDB; more is taken for that most.
    /// `Fault::Expired`: open the position anew.
    pub async fn read(&self, at: &ShardIterator, limit: usize) -> Result<Read, Failure> {
        match self {
            Self::Kinesis(stream) => stream.read(at, limit).await,
            Self::Consumer(consumer) => consumer.stream.read(at, limit).await,
            Self::Dynamo(stream) => stream.read(at, limit).await,
        }
    }
}

/// The number that an answer calls `what`.
pub(super) fn number(text: impl AsRef<str>, what: &str) -> Result<SequenceNumber, Failure> {
    SequenceNumber::try_from(text.as_ref())
        .map_err(|error| Failure::unreadable(&format!("{what}: {error}")))
}

/// Milliseconds since 1970, to the nearest: the wire has seconds as a decimal that no float hits exactly.
pub(super) fn milliseconds(
    time: Option<aws_smithy_types::DateTime>,
    what: &str,
) -> Result<u64, Failure> {
    let nearest = |time: aws_smithy_types::DateTime| (time.as_nanos() + 500_000) / 1_000_000;
    time.map(nearest)
        .and_then(|ms| u64::try_from(ms).ok())
        .ok_or_else(|| Failure::unreadable(&format!("a record came without {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_said_in_words() {
        let number = SequenceNumber::try_from("495".to_owned()).unwrap();
        for (start, words) in [
            (Start::Horizon, "the oldest record that is left"),
            (Start::Latest, "what arrives from now on"),
            (
                Start::Moment { ms: 0 },
                "the first record from 1970-01-01T00:00:00.000Z on",
            ),
            (Start::From(number.clone()), "record 495"),
            (Start::After(number), "behind record 495"),
        ] {
            assert_eq!(start.to_string(), words);
        }
    }

    #[test]
    fn a_decimal_time_is_its_nearest_millisecond() {
        for (seconds, ms) in [
            (1_789_809_023.187, 1_789_809_023_187),
            (1_789_809_023.999, 1_789_809_023_999),
            (1_789_651_658.0, 1_789_651_658_000),
            (0.0, 0),
        ] {
            let time = aws_smithy_types::DateTime::from_secs_f64(seconds);
            assert_eq!(milliseconds(Some(time), "a time"), Ok(ms), "{seconds}");
        }
        let before = aws_smithy_types::DateTime::from_secs(-5);
        for wrong in [None, Some(before)] {
            let failure = milliseconds(wrong, "a time").unwrap_err();
            assert_eq!(
                failure.to_string(),
                "unreadable answer: a record came without a time"
            );
        }
    }
}
