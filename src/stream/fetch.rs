//! One attempt to read a shard: a way into it is opened where there is none, and asked for what comes next.
//!
//! Two ways: an iterator, which is read from as often as we like, and a consumer's subscription, which pushes. // spec: 5.1

use std::time::Duration;

use super::Engine;
use crate::aws::fault::{Failure, Fault};
use crate::aws::kinesis::subscription::Subscription;
use crate::aws::stream::{Amount, Opened, Records, ShardIterator, Start};
use crate::metrics::Operation;
use crate::model::record::SequenceNumber;

/// What one attempt to read brought.
#[derive(Debug)]
pub(super) struct Fetched {
    /// When the source was asked for records.
    pub began: Duration,
    /// When a call of SubscribeToShard was answered, if there was one.
    pub subscribed: Option<Duration>,
    /// A failed attempt: what it used, should it be made again.
    pub opened: Option<Opened>,
    pub read: Result<Brought, Failure>,
}

/// What came, and how to go on.
#[derive(Debug)]
pub(super) struct Brought {
    /// In order; empty is usual, also with more to come.
    pub records: Records,
    pub next: Next,
    /// How far behind the newest record this is, in milliseconds, where the source says so.
    pub behind_ms: Option<u64>,
    /// A subscription's word on where to go on: it may be beyond the last record.
    pub continuation: Option<SequenceNumber>,
    pub amount: Amount,
}

/// How to go on after a read.
#[derive(Debug)]
pub(super) enum Next {
    Read(Opened),
    /// This way is at its end, the shard is not.
    Open,
    /// This way is beyond the last record: what came behind it was dropped.
    Behind,
    /// The shard is closed, and was read to its end.
    End,
}

impl Fetched {
    /// The last record that it brought.
    pub fn last(&self) -> Option<&SequenceNumber> {
        let (number, _) = self.read.as_ref().ok()?.records.last()?;
        Some(number)
    }
}

impl Engine {
    /// Open a way into the shard.
    pub(super) async fn open(&self, shard: &str, start: &Start) -> Result<Opened, Failure> {
        let opened = self.source.open(shard, start).await;
        let operation = match self.source.consumer() {
            Some(_) => Operation::SubscribeToShard,
            None => Operation::GetShardIterator,
        };
        self.reports.request(operation, &opened);
        opened
    }

    /// One attempt to read, up to `limit` records.
    pub(super) async fn fetch(
        &self,
        shard: &str,
        opened: Option<Opened>,
        start: Start,
        limit: usize,
    ) -> Fetched {
        let mut subscribed = None;
        let opened = match opened {
            Some(opened) => Ok(opened),
            None => {
                let opened = self.open(shard, &start).await;
                let opened = match opened {
                    Err(failure) => Err(self.what_is_refused(failure, &start).await),
                    opened => opened,
                };
                subscribed = self.source.consumer().map(|_| self.now());
                opened
            }
        };
        // The source counts a read from here on.
        let began = self.now();
        let (read, opened) = match opened {
            Ok(Opened::Iterator(iterator)) => self.poll(iterator, limit).await,
            Ok(Opened::Subscription(subscription)) => (listen(subscription).await, None),
            Err(failure) => (Err(failure), None),
        };
        let read = match read {
            Err(failure) if failure.fault == Fault::Gone => Err(self.what_is_gone(failure).await),
            read => read,
        };
        Fetched {
            began,
            subscribed,
            opened,
            read,
        }
    }

    async fn poll(
        &self,
        iterator: ShardIterator,
        limit: usize,
    ) -> (Result<Brought, Failure>, Option<Opened>) {
        let read = self.source.read(&iterator, limit).await;
        self.reports.request(Operation::GetRecords, &read);
        let read = match read {
            Ok(read) => read,
            Err(failure) => return (Err(failure), Some(Opened::Iterator(iterator))),
        };
        let next = match (read.amount, read.next) {
            (Amount::Beyond { .. }, _) => Next::Behind,
            (Amount::Little | Amount::Much, Some(next)) => Next::Read(Opened::Iterator(next)),
            (Amount::Little | Amount::Much, None) => Next::End,
        };
        let behind_ms = match next {
            Next::Behind => Some(self.behind_ms(&read.records)),
            Next::Read(_) | Next::Open | Next::End => read.behind_ms,
        };
        let brought = Brought {
            records: read.records,
            next,
            behind_ms,
            continuation: None,
            amount: read.amount,
        };
        (Ok(brought), None)
    }

    /// How far behind the newest record these are, of which the source says nothing: as far as the last is old. They are not
    /// the newest.
    fn behind_ms(&self, records: &Records) -> u64 {
        let last_ms = records.last().map(|(_, arrived_ms)| arrived_ms);
        let now_ms = self.clock.now_ms();
        now_ms.saturating_sub(last_ms.unwrap_or(now_ms)).max(1)
    }

    /// Of this very stream, a number that has no place any more was trimmed; of another of the same name it says nothing,
    /// nor does a refusal that can not be read: who would begin at the horizon for that would repeat everything.
    /// // spec: 5.1
    async fn what_is_refused(&self, failure: Failure, start: &Start) -> Failure {
        let is_number = matches!(start, Start::After(_) | Start::From(_));
        let refused = failure.fault == Fault::Invalid && failure.names_an_argument();
        if refused && is_number && self.is_same().await {
            return Failure {
                fault: Fault::Trimmed,
                ..failure
            };
        }
        failure
    }

    /// To a consumer, shard, stream and consumer are gone in the same words.
    async fn what_is_gone(&self, failure: Failure) -> Failure {
        let Some(consumer) = self.source.consumer() else {
            return failure;
        };
        let active = consumer.active().await;
        self.reports
            .request(Operation::DescribeStreamConsumer, &active);
        active.err().unwrap_or(failure)
    }
}

/// What a subscription pushes next.
async fn listen(mut subscription: Subscription) -> Result<Brought, Failure> {
    let event = subscription.next().await?;
    let Some(event) = event else {
        return Ok(Brought {
            records: Records::Kinesis(Vec::new()),
            next: Next::Open,
            behind_ms: None,
            continuation: None,
            amount: Amount::Little,
        });
    };
    let more = event.continuation.is_some();
    Ok(Brought {
        records: Records::Kinesis(event.records),
        next: if more {
            Next::Read(Opened::Subscription(subscription))
        } else {
            Next::End
        },
        behind_ms: Some(event.behind_ms),
        continuation: event.continuation,
        amount: Amount::Little,
    })
}
