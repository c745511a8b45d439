//! The other side of a queue: send messages, as any application would. The demo's traffic comes from here.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;

use super::clients::Clients;
use super::fault::{Failure, Fault};

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Distinguishes it in its batch, and on a FIFO queue from repeats of it.
    pub id: String,
    /// The body.
    pub body: String,
    /// Its message group, on a FIFO queue.
    pub group: Option<String>,
}

/// Sends to one queue.
#[derive(Clone, Debug)]
pub struct Producer {
    client: Client,
    url: String,
}

impl Producer {
    /// For the queue at this URL.
    pub fn new(clients: &Clients, region: &str, url: &str) -> Self {
        Self {
            client: clients.sqs(region),
            url: url.to_string(),
        }
    }

    /// SendMessageBatch of up to 10 messages: how many the queue took.
    pub async fn send(&self, drafts: impl Iterator<Item = Draft>) -> Result<usize, Failure> {
        let mut call = self.client.send_message_batch().queue_url(&self.url);
        for draft in drafts {
            let once = draft.group.is_some().then(|| draft.id.clone());
            let entry = SendMessageBatchRequestEntry::builder()
                .id(draft.id)
                .message_body(draft.body)
                .set_message_group_id(draft.group)
                .set_message_deduplication_id(once)
                .build()
                .map_err(|error| Failure::new(Fault::Invalid, "not sent", &error.to_string()))?;
            call = call.entries(entry);
        }
        Ok(call.send().await?.successful().len())
    }
}
