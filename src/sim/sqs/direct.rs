//! Queues from the test's side: made, filled and looked at without a client, beside all faults and crash points.

use std::collections::BTreeMap;

use super::{
    Call,
    error::SqsError,
    manage,
    message::{Draft, Phase},
    queue::Counts,
    send, settle,
};
use crate::sim::{history::Event, world::World};

/// A queue at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueView {
    /// Messages that may be received.
    pub visible: usize,
    /// Messages that were received and not deleted yet.
    pub in_flight: usize,
    /// Messages that are delayed.
    pub delayed: usize,
    /// What became of messages since the queue was created.
    pub counts: Counts,
    /// The messages, in the order of their arrival.
    pub messages: Vec<MessageView>,
}

/// A message at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageView {
    /// The message id.
    pub id: String,
    /// The body.
    pub body: String,
    /// The message group.
    pub group: Option<String>,
    /// ApproximateReceiveCount.
    pub receives: u32,
    /// Whether it is hidden because it was received.
    pub in_flight: bool,
}

impl World {
    /// Creates a queue with these attributes, or finds it, and returns its URL.
    ///
    /// # Errors
    /// As CreateQueue.
    pub fn create_queue(
        &self,
        name: &str,
        attributes: &[(&str, &str)],
    ) -> Result<String, SqsError> {
        let attributes = attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let url = manage::create(
            &mut Call::direct(self, None),
            manage::CreateQueue::new(name, attributes),
        )?;
        Ok(url.queue_url)
    }

    /// Creates a queue and its dead-letter queue, which gets the name with `-dlq` before any `.fifo`; returns the queue's URL.
    ///
    /// # Errors
    /// As CreateQueue.
    pub fn create_queue_with_dlq(
        &self,
        name: &str,
        receives_max: u32,
        attributes: &[(&str, &str)],
    ) -> Result<String, SqsError> {
        let (dlq, kind): (String, &[(&str, &str)]) = match name.strip_suffix(".fifo") {
            Some(stem) => (format!("{stem}-dlq.fifo"), &[("FifoQueue", "true")]),
            None => (format!("{name}-dlq"), &[]),
        };
        self.create_queue(&dlq, kind)?;
        let policy = serde_json::json!({ "deadLetterTargetArn": self.queue_arn(&dlq), "maxReceiveCount": receives_max }).to_string();
        self.create_queue(name, &[attributes, &[("RedrivePolicy", &policy)]].concat())
    }

    /// The ARN of a queue of this name.
    pub fn queue_arn(&self, name: &str) -> String {
        format!(
            "arn:aws:sqs:{}:{}:{name}",
            self.settings().region,
            self.settings().account
        )
    }

    /// Sends a message and returns its id.
    ///
    /// # Errors
    /// As SendMessage.
    pub fn send(&self, queue: &str, body: &str) -> Result<String, SqsError> {
        self.send_draft(
            queue,
            Draft {
                body: body.to_owned(),
                ..Draft::default()
            },
        )
    }

    /// Sends a message of a group and returns its id. On a FIFO queue the message is never taken for a repeat.
    ///
    /// # Errors
    /// As SendMessage.
    pub fn send_to_group(&self, queue: &str, group: &str, body: &str) -> Result<String, SqsError> {
        let fifo = queue.ends_with(".fifo");
        let deduplication = fifo.then(|| self.lock().next_serial().to_string());
        self.send_draft(
            queue,
            Draft {
                body: body.to_owned(),
                group: Some(group.to_owned()),
                deduplication,
                ..Draft::default()
            },
        )
    }

    fn send_draft(&self, queue: &str, draft: Draft) -> Result<String, SqsError> {
        let mut call = Call::direct(self, None);
        let name = call.queue(Some(queue))?;
        Ok(send::put(&mut call, &name, draft)?.message_id)
    }

    /// A queue at this moment; none if there is none of this name.
    pub fn queue(&self, name: &str) -> Option<QueueView> {
        let mut state = self.lock();
        let queue = settle(self, &mut state, name, self.clock().now_ms()).ok()?;
        let messages = queue
            .numbers()
            .into_iter()
            .filter_map(|number| queue.get(number));
        let view = |message: &super::message::Message| MessageView {
            id: message.id.clone(),
            body: message.body.to_string(),
            group: message.group.as_deref().map(str::to_owned),
            receives: message.receives,
            in_flight: matches!(message.phase, Phase::InFlight { .. }),
        };
        Some(QueueView {
            visible: queue.visible(),
            in_flight: queue.in_flight(),
            delayed: queue.delayed(),
            counts: queue.counts,
            messages: messages.map(view).collect(),
        })
    }

    /// The dead-letter queue of a queue at this moment.
    pub fn dlq(&self, name: &str) -> Option<QueueView> {
        let target = self
            .lock()
            .queues
            .get(name)?
            .config
            .redrive
            .as_ref()?
            .target
            .clone();
        self.queue(&target)
    }

    pub(in crate::sim) fn drop_queue(&self, name: &str) -> Result<(), SqsError> {
        let asked = manage::QueueOf::new(name);
        manage::delete(&mut Call::direct(self, None), &asked).map(|_| ())
    }

    pub(in crate::sim) fn empty_queue(&self, name: &str) -> Result<(), SqsError> {
        let asked = manage::QueueOf::new(name);
        manage::purge(&mut Call::direct(self, None), &asked).map(|_| ())
    }

    /// Moves up to `most` visible messages of one queue to another, the oldest first.
    pub(in crate::sim) fn shift(
        &self,
        from: &str,
        to: &str,
        most: usize,
    ) -> Result<usize, SqsError> {
        let mut call = Call::direct(self, None);
        let from = call.queue(Some(from))?;
        let to = call.queue(Some(to))?;
        let queue = call
            .state
            .queues
            .get_mut(&from)
            .ok_or_else(super::no_queue)?;
        let numbers = queue.receivable(most);
        let moved: Vec<_> = numbers
            .into_iter()
            .filter_map(|number| queue.remove(number))
            .collect();
        queue.counts.moved += moved.len() as u64;
        for message in &moved {
            call.record(|| Event::MovedToDlq {
                queue: from.clone(),
                dlq: to.clone(),
                id: message.id.clone(),
            });
        }
        let count = moved.len();
        for message in moved {
            let number = call.state.next_serial();
            if let Some(target) = call.state.queues.get_mut(&to) {
                let phase = Phase::Visible;
                target.insert(number, super::message::Message { phase, ..message });
            }
        }
        Ok(count)
    }

    /// Changes attributes of a queue.
    ///
    /// # Errors
    /// As SetQueueAttributes.
    pub fn set_queue(&self, name: &str, attributes: &[(&str, &str)]) -> Result<(), SqsError> {
        let attributes: BTreeMap<String, String> = attributes
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        manage::set_attributes(
            &mut Call::direct(self, None),
            manage::SetAttributes::new(name, attributes),
        )
        .map(|_| ())
    }
}
