//! One receive: what the queue hands out, made into items as it comes, and taken into custody when all of it has come.
//!
//! A message is written for the event where its text still stands in the answer, beside the others of its receive: from then on
//! nothing of it is in memory but that, its id and its receipt.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tracing::{debug, warn};

use super::{Engine, Item};
use crate::aws::sqs::{Flaw, Unusable};
use crate::metrics::{Operation, PassedOver};
use crate::model::custody::Taken;
use crate::model::event::{Sheets, Spot, queue_record_bytes, write_queue_record};
use crate::model::record::Message;

/// What an answer brought, in its order.
#[derive(Debug, Default)]
pub(super) struct Received {
    messages: Vec<Result<Read, Unusable>>,
    /// Where they are written.
    sheets: Sheets,
}

impl Received {
    /// How many messages.
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }
}

/// A message that is to be taken.
#[derive(Debug)]
struct Read {
    id: Arc<str>,
    receipt: Arc<str>,
    /// None where no order is kept.
    group: Option<Arc<str>>,
    trace: Option<String>,
    /// None of what the filter drops.
    record: Option<Spot>,
}

impl Read {
    fn accepted(self, sheets: &mut Sheets, arrived: Duration) -> Accepted {
        match self.record {
            Some(spot) => Accepted::Kept(Item {
                id: self.id,
                group: self.group,
                trace: self.trace,
                record: sheets.piece(spot),
                arrived,
            }),
            None => Accepted::Dropped(self.id),
        }
    }
}

/// A receive that is under way: counted until it is over, also by a panic.
struct UnderWay<'a>(&'a Engine);

impl<'a> UnderWay<'a> {
    fn begun(engine: &'a Engine) -> Self {
        engine.receiving.fetch_add(1, Ordering::Relaxed);
        Self(engine)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if self.0.receiving.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.received.notify_waiters();
        }
    }
}

/// A message that was not taken, and why.
#[derive(Debug)]
enum Left {
    Duplicate(Arc<str>),
    GroupBusy(Arc<str>),
    Unusable(Flaw),
}

/// A message that was taken, by what the filter says of it.
#[derive(Debug)]
pub(super) enum Accepted {
    Kept(Item),
    Dropped(Arc<str>),
}

impl Accepted {
    pub(super) fn id(&self) -> &Arc<str> {
        match self {
            Self::Kept(item) => &item.id,
            Self::Dropped(id) => id,
        }
    }
}

impl Engine {
    /// One receive, or how long to wait before the next.
    pub(super) async fn receive(
        &self,
        count: usize,
        wait_s: u64,
        lease: Duration,
    ) -> Result<Received, Duration> {
        let under_way = UnderWay::begun(self);
        let mut sheets = Sheets::default();
        let mut left = count;
        let reader = |message: Message<'_>| {
            let read = self.read(&message, left, &mut sheets);
            left = left.saturating_sub(1);
            read
        };
        let answer = self.queue.receive(count, wait_s, lease, reader).await;
        drop(under_way);
        self.reports.request(Operation::ReceiveMessage, &answer);
        match answer {
            Ok(messages) => {
                self.source_answered();
                self.metrics.record_polled(messages.len());
                Ok(Received { messages, sheets })
            }
            Err(failure) => Err(self.source_failed(&failure)),
        }
    }

    /// A message, written on these sheets, on which it is the first of so many at most.
    fn read(&self, message: &Message<'_>, left: usize, sheets: &mut Sheets) -> Read {
        let group = message.group().filter(|_| self.mapping.fifo());
        let trace = message.attributes.get("AWSTraceHeader");
        Read {
            id: Arc::from(&*message.id),
            receipt: Arc::from(&*message.receipt),
            group: group.map(Arc::from),
            trace: trace.map(|trace| trace.to_string()),
            record: self.filters.keeps(message).then(|| {
                let bytes = queue_record_bytes(message, &self.stamp);
                sheets.write(bytes, left, |out| {
                    write_queue_record(out, message, &self.stamp);
                })
            }),
        }
    }

    /// What an answer brought for this batch, in its order, and whether any of its messages was taken, for this batch or to
    /// follow those of another.
    pub(super) fn accept(
        &self,
        number: u64,
        received: Received,
        lease: Duration,
    ) -> (Vec<Accepted>, bool) {
        let arrived = self.now();
        let Received {
            messages,
            mut sheets,
        } = received;
        let mut accepted = Vec::with_capacity(messages.len());
        let mut passed_over = Vec::new();
        // The groups of which a message was not taken: those behind it in the answer wait too.
        let mut stopped = BTreeSet::new();
        let mut follows = false;
        // All at once: a group must not change hands between two of its messages.
        self.in_custody(|custody, _| {
            for message in messages {
                let read = match message {
                    Ok(read) => read,
                    Err(Unusable { group, why }) => {
                        stopped.extend(group.map(Arc::from));
                        passed_over.push(Left::Unusable(why));
                        continue;
                    }
                };
                let group = read.group.as_ref();
                let taken = if group.is_some_and(|group| stopped.contains(group)) {
                    Taken::GroupBusy
                } else {
                    let receipt = read.receipt.clone();
                    custody.take(number, &read.id, receipt, group, lease, arrived)
                };
                match taken {
                    Taken::New => accepted.push(read.accepted(&mut sheets, arrived)),
                    Taken::Follows { batch } => {
                        follows = true;
                        let mut followers = self.followers();
                        let item = read.accepted(&mut sheets, arrived);
                        followers.entry(batch).or_default().push(item);
                    }
                    Taken::Again => passed_over.push(Left::Duplicate(read.id)),
                    Taken::GroupBusy => {
                        stopped.extend(read.group);
                        passed_over.push(Left::GroupBusy(read.id));
                    }
                }
            }
        });
        for message in passed_over {
            self.passed_over(&message);
        }
        let used = follows || !accepted.is_empty();
        (accepted, used)
    }

    fn passed_over(&self, message: &Left) {
        let mapping = self.mapping.name.as_str();
        let reason = match message {
            Left::Duplicate(message) => {
                debug!(mapping, %message, "a message that is in hand came again");
                PassedOver::Duplicate
            }
            Left::GroupBusy(message) => {
                warn!(
                    mapping,
                    %message, "left to the queue: others of its group go before it"
                );
                PassedOver::GroupBusy
            }
            Left::Unusable(why) => {
                warn!(mapping, %why, "message left to the queue");
                PassedOver::Unusable
            }
        };
        self.metrics.record_passed_over(reason);
    }
}
