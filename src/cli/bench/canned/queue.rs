//! A queue that never ends: messages with ids of their own, handed out once.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use md5::{Digest as _, Md5};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Said, ok, unknown};
use crate::cli::bench::flow::Flow;
use crate::cli::bench::gauge::{Gauge, payload};
use crate::cli::bench::plan::{ACCOUNT, NAME, Plan, REGION, Source};
use crate::clock::Clock;
use crate::model::hex::hex;

/// A long poll of SQS.
const WAIT_MAX_S: u64 = 20;
/// The next message of a group is handed out so long after the one before it was deleted: later than the answer to the delete.
const FREED_AFTER: Duration = Duration::from_millis(5);
/// What was not deleted after this time is forgotten, and its group goes on.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(1);
/// The length of receipts as AWS gives them, about.
const RECEIPT_FILLING: usize = 200;

/// A queue.
#[derive(Debug)]
pub(super) struct Queue {
    fifo: bool,
    bytes: usize,
    flow: Flow,
    gauge: Arc<Gauge>,
    began_us: u64,
    began_ms: u64,
    /// What a message is where it has no time of its own.
    usual: Body,
    state: Mutex<State>,
    /// A group is free again.
    freed: Notify,
}

/// What a message says.
#[derive(Debug)]
struct Body {
    /// As a JSON text, quotation marks included.
    text: String,
    /// Of what the text stands for.
    digest: String,
}

#[derive(Debug)]
struct State {
    next: u64,
    /// Groups of a FIFO queue with nothing in hand, and from when on they may go on, in that order.
    free: VecDeque<(Instant, u32)>,
    /// What is in hand of each group, and since when.
    held: Vec<(usize, Instant)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Receive {
    max_number_of_messages: Option<usize>,
    wait_time_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entries<'a> {
    #[serde(borrow)]
    entries: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    id: &'a str,
    receipt_handle: &'a str,
}

/// Messages that are handed out: the numbers from `first` on.
struct Taken {
    first: u64,
    count: usize,
    group: u32,
}

impl Queue {
    pub(super) fn new(plan: &Plan, gauge: Arc<Gauge>, clock: &Clock) -> Self {
        let fifo = plan.source == Source::Fifo;
        let groups = if fifo { plan.groups } else { 0 };
        Self {
            fifo,
            bytes: plan.bytes(),
            flow: Flow::new(plan.rate.map(|rate| rate as f64)),
            began_us: gauge.now_us(),
            gauge,
            began_ms: clock.now_ms(),
            usual: Body::new(0, plan.bytes()),
            state: Mutex::new(State {
                next: 0,
                free: (0..groups).map(|group| (Instant::now(), group)).collect(),
                held: vec![(0, Instant::now()); groups as usize],
            }),
            freed: Notify::new(),
        }
    }

    pub(super) fn arn(&self) -> String {
        let suffix = if self.fifo { ".fifo" } else { "" };
        format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{NAME}{suffix}")
    }

    pub(super) async fn answer(&self, operation: &str, body: &[u8]) -> Said {
        match operation {
            "ReceiveMessage" => self.receive(body).await,
            "DeleteMessageBatch" => self.settle(body, true),
            "ChangeMessageVisibilityBatch" => self.settle(body, false),
            "GetQueueUrl" => ok(format!("{{\"QueueUrl\":\"http://127.0.0.1/{ACCOUNT}/{NAME}\"}}")),
            "GetQueueAttributes" => ok(
                "{\"Attributes\":{\"VisibilityTimeout\":\"360\",\"ApproximateNumberOfMessages\":\"0\"}}".to_owned(),
            ),
            other => unknown(other),
        }
    }

    async fn receive(&self, body: &[u8]) -> Said {
        let Ok(asked) = serde_json::from_slice::<Receive>(body) else {
            return unknown("ReceiveMessage");
        };
        let most = asked.max_number_of_messages.unwrap_or(1).clamp(1, 10);
        let wait_s = asked.wait_time_seconds.unwrap_or(0).min(WAIT_MAX_S);
        let until = Instant::now() + Duration::from_secs(wait_s);
        loop {
            let freed = self.freed.notified();
            let next = match self.take(most) {
                Ok(taken) => {
                    self.gauge.gave(taken.count);
                    return ok(self.written(&taken));
                }
                Err(next) => next,
            };
            if until <= Instant::now() {
                return ok("{}".to_owned());
            }
            // It is time, or somebody deletes.
            let _ = tokio::time::timeout_at(next.min(until), freed).await;
        }
    }

    /// Up to `most` messages, or when to look again.
    fn take(&self, most: usize) -> Result<Taken, Instant> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let first = state.next;
        let count = self.flow.there(first, most);
        if count == 0 {
            return Err(self.flow.arrival(first));
        }
        let mut group = 0;
        if self.fifo {
            group = state.free_group(Instant::now())?;
            state.held[group as usize] = (count, Instant::now());
        }
        state.next += count as u64;
        Ok(Taken {
            first,
            count,
            group,
        })
    }

    fn written(&self, taken: &Taken) -> String {
        let mut out = String::with_capacity(taken.count * (self.bytes + self.bytes / 8 + 900));
        out.push_str("{\"Messages\":[");
        for number in taken.first..taken.first + taken.count as u64 {
            if number > taken.first {
                out.push(',');
            }
            self.message(&mut out, number, taken.group);
        }
        out.push_str("]}");
        out
    }

    fn message(&self, out: &mut String, number: u64, group: u32) {
        let at_us = self.flow.arrival_us(self.began_us, number);
        let made;
        let Body { text, digest } = match at_us {
            0 => &self.usual,
            at_us => {
                made = Body::new(at_us, self.bytes);
                &made
            }
        };
        let sent_ms = self.began_ms + at_us.saturating_sub(self.began_us) / 1000;
        let filling = RECEIPT_FILLING;
        // Writing into a text does not fail.
        let _ = write!(
            out,
            "{{\"MessageId\":\"00000000-0000-4000-8000-{number:012x}\",\"ReceiptHandle\":\"AQEB{group:08}{number:0filling$}\",\
             \"MD5OfBody\":\"{digest}\",\"Body\":{text},\
             \"Attributes\":{{\"SenderId\":\"AIDAEXAMPLE:bench\",\"ApproximateFirstReceiveTimestamp\":\"{sent_ms}\",\
             \"ApproximateReceiveCount\":\"1\",\"SentTimestamp\":\"{sent_ms}\""
        );
        if self.fifo {
            let _ = write!(
                out,
                ",\"SequenceNumber\":\"{number:020}\",\"MessageDeduplicationId\":\"{number}\",\"MessageGroupId\":\"group-{group}\""
            );
        }
        out.push_str("}}");
    }

    /// A batch of deletes, or of other visibilities, which change nothing here.
    fn settle(&self, body: &[u8], deletes: bool) -> Said {
        let Ok(asked) = serde_json::from_slice::<Entries>(body) else {
            return unknown("a batch without entries");
        };
        if self.fifo && deletes {
            self.release(asked.entries.iter().map(|entry| entry.receipt_handle));
        }
        let mut out = String::from("{\"Failed\":[],\"Successful\":[");
        for (index, entry) in asked.entries.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let _ = write!(out, "{comma}{{\"Id\":\"{}\"}}", entry.id);
        }
        out.push_str("]}");
        ok(out)
    }

    fn release<'a>(&self, receipts: impl Iterator<Item = &'a str>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for receipt in receipts {
            let group: Option<u32> = receipt.get(4..12).and_then(|group| group.parse().ok());
            let Some(group) = group.filter(|group| (*group as usize) < state.held.len()) else {
                continue;
            };
            let held = &mut state.held[group as usize].0;
            let before = *held;
            *held = before.saturating_sub(1);
            if before == 1 {
                state.free.push_back((Instant::now() + FREED_AFTER, group));
                self.freed.notify_one();
            }
        }
    }
}

impl State {
    /// The group whose turn it is, or when to look again.
    fn free_group(&mut self, now: Instant) -> Result<u32, Instant> {
        if let Some(&(from, group)) = self.free.front() {
            if now < from {
                return Err(from);
            }
            self.free.pop_front();
            return Ok(group);
        }
        let lost = |(held, since): &(usize, Instant)| 0 < *held && FORGOTTEN_AFTER < now - *since;
        let group = self.held.iter().position(lost);
        group
            .and_then(|group| u32::try_from(group).ok())
            .ok_or(now + FORGOTTEN_AFTER)
    }
}

impl Body {
    fn new(at_us: u64, bytes: usize) -> Self {
        let body = payload(at_us, bytes);
        Self {
            digest: hex(&Md5::digest(body.as_bytes())),
            text: Value::from(body).to_string(),
        }
    }
}
