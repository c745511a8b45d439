//! A queue as a test uses it: made, filled, looked at.

use aws_sdk_sqs::types::{
    Message, MessageAttributeValue, MessageSystemAttributeName, MessageSystemAttributeNameForSends,
    MessageSystemAttributeValue, QueueAttributeName, SendMessageBatchRequestEntry,
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::support::{PATIENCE, POLL};

/// How a queue is made. The default is a standard queue with AWS's visibility of 30 s and no dead-letter queue.
#[derive(Clone, Debug, Default)]
pub struct QueueShape {
    /// Its name must end with `.fifo`; duplicates are told by content.
    pub fifo: bool,
    pub visibility_s: Option<u32>,
    /// The ARN of the dead-letter queue, and how many receives a message gets before it goes there.
    pub dead_letters: Option<(String, u32)>,
}

/// How many messages a queue holds, by what they are doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    pub visible: u32,
    pub in_flight: u32,
}

/// Nothing is left.
pub const EMPTY: Counts = Counts {
    visible: 0,
    in_flight: 0,
};

/// A queue of a [`crate::support::cloud::Cloud`].
pub struct Queue {
    pub url: String,
    pub arn: String,
    sqs: aws_sdk_sqs::Client,
}

impl Queue {
    pub(super) async fn create(sqs: &aws_sdk_sqs::Client, name: &str, shape: &QueueShape) -> Self {
        let visibility = shape
            .visibility_s
            .map(|s| (QueueAttributeName::VisibilityTimeout, s.to_string()));
        let redrive = shape.dead_letters.as_ref().map(|(arn, receives_max)| {
            let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": receives_max});
            (QueueAttributeName::RedrivePolicy, policy.to_string())
        });
        let fifo = [
            QueueAttributeName::FifoQueue,
            QueueAttributeName::ContentBasedDeduplication,
        ]
        .into_iter()
        .filter(|_| shape.fifo)
        .map(|name| (name, "true".to_owned()));
        let mut request = sqs.create_queue().queue_name(name);
        for (key, value) in fifo.chain(visibility).chain(redrive) {
            request = request.attributes(key, value);
        }
        let url = request
            .send()
            .await
            .expect("a queue is made")
            .queue_url
            .expect("a queue has a URL");
        let mut queue = Self {
            url,
            arn: String::new(),
            sqs: sqs.clone(),
        };
        [queue.arn] = queue.attributes([QueueAttributeName::QueueArn]).await;
        queue
    }

    /// Sends one message; its id.
    pub async fn send(&self, body: &str) -> String {
        let sent = self
            .sqs
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .send()
            .await;
        sent.expect("a message is sent")
            .message_id
            .expect("a message has an id")
    }

    /// Sends one message into a group of a FIFO queue; its id.
    pub async fn send_grouped(&self, group: &str, body: &str) -> String {
        let request = self
            .sqs
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .message_group_id(group);
        request
            .send()
            .await
            .expect("a message is sent")
            .message_id
            .expect("a message has an id")
    }

    /// Sends one message with these attributes, and with this trace to continue; its id.
    pub async fn send_with(
        &self,
        body: &str,
        attributes: &[(&str, MessageAttributeValue)],
        trace: &str,
    ) -> String {
        let trace = MessageSystemAttributeValue::builder()
            .data_type("String")
            .string_value(trace)
            .build()
            .expect("an attribute has a type");
        let mut request = self
            .sqs
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace);
        for (name, value) in attributes {
            request = request.message_attributes(*name, value.clone());
        }
        request
            .send()
            .await
            .expect("a message is sent")
            .message_id
            .expect("a message has an id")
    }

    /// The queue ends, with all that is in it.
    pub async fn end(&self) {
        let ended = self.sqs.delete_queue().queue_url(&self.url).send().await;
        ended.expect("a queue is deleted");
    }

    /// Sends many; their ids in the same order.
    pub async fn send_all(&self, bodies: &[String]) -> Vec<String> {
        let mut ids = Vec::new();
        for batch in bodies.chunks(10) {
            let entries = batch.iter().enumerate().map(|(index, body)| {
                let entry = SendMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .message_body(body);
                entry.build().expect("an entry has an id and a body")
            });
            let request = self
                .sqs
                .send_message_batch()
                .queue_url(&self.url)
                .set_entries(Some(entries.collect()));
            let mut sent = request.send().await.expect("messages are sent");
            assert_eq!(
                sent.successful.len(),
                batch.len(),
                "refused: {:?}",
                sent.failed
            );
            sent.successful
                .sort_by_key(|entry| entry.id.parse::<usize>().expect("our own index"));
            ids.extend(sent.successful.into_iter().map(|entry| entry.message_id));
        }
        ids
    }

    /// One receive of up to 10, with all attributes, that waits up to this many whole seconds for the first message.
    pub async fn receive(&self, wait_s: i32) -> Vec<Message> {
        let request = self
            .sqs
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(10)
            .wait_time_seconds(wait_s)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All");
        request
            .send()
            .await
            .expect("a receive succeeds")
            .messages
            .unwrap_or_default()
    }

    pub async fn delete(&self, message: &Message) {
        let receipt = message
            .receipt_handle()
            .expect("a received message has a receipt");
        let deleted = self
            .sqs
            .delete_message()
            .queue_url(&self.url)
            .receipt_handle(receipt)
            .send()
            .await;
        deleted.expect("a message is deleted");
    }

    /// Both at one moment: a message that changes its state between two questions would be in neither answer.
    pub async fn counts(&self) -> Counts {
        use QueueAttributeName::{
            ApproximateNumberOfMessages as Visible,
            ApproximateNumberOfMessagesNotVisible as InFlight,
        };
        let [visible, in_flight] = self
            .attributes([Visible, InFlight])
            .await
            .map(|count| count.parse().expect("a count is a number"));
        Counts { visible, in_flight }
    }

    /// Returns when the queue holds so many; fails with what it holds where that takes more than [`PATIENCE`].
    pub async fn wait_for(&self, wished: Counts) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let counts = self.counts().await;
            if counts == wished {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{} holds {counts:?}, not {wished:?}",
                self.arn
            );
            sleep(POLL).await;
        }
    }

    async fn attributes<const COUNT: usize>(
        &self,
        names: [QueueAttributeName; COUNT],
    ) -> [String; COUNT] {
        let request = self
            .sqs
            .get_queue_attributes()
            .queue_url(&self.url)
            .set_attribute_names(Some(names.to_vec()));
        let attributes = request
            .send()
            .await
            .expect("attributes are read")
            .attributes
            .unwrap_or_default();
        names.map(|name| {
            attributes
                .get(&name)
                .unwrap_or_else(|| panic!("no {name:?} in {attributes:?}"))
                .clone()
        })
    }
}
