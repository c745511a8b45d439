//! Where the record of a discard goes: a queue, a topic or a bucket. // spec: 6
//!
//! A delivery is one call; whoever asks for it repeats it. The same record told again has the same key in S3, so that a
//! repeat after a lost answer writes the same object; a queue or topic gets it twice.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use tokio::sync::OnceCell;
use tracing::info;

use crate::aws::clients::Clients;
use crate::aws::fault::{Failure, Fault};
use crate::aws::sqs::address;
use crate::config::arn::Arn;
use crate::config::mapping::stream::Destination as Configured;
use crate::model::event::Event;
use crate::model::on_failure::OnFailure;

/// What a queue takes at most; one that is set to less refuses the rest. // spec: 10
const SQS_BYTES_MAX: usize = 1024 * 1024;
/// What a topic takes at most. // spec: 6.3
const SNS_BYTES_MAX: usize = 256 * 1024;
/// An object carries the event, 6 MiB and what its escaping adds. // spec: 6.2
const S3_WAIT: Duration = Duration::from_secs(20);

/// A mapping's on-failure destination.
#[derive(Clone, Debug)]
pub struct Destination(Place);

#[derive(Clone, Debug)]
enum Place {
    Messages {
        to: Messages,
        with_event: bool,
    },
    Bucket {
        client: aws_sdk_s3::Client,
        bucket: String,
        mapping: String,
    },
}

#[derive(Clone, Debug)]
enum Messages {
    Sqs {
        client: aws_sdk_sqs::Client,
        queue: Arn,
        url: Arc<OnceCell<String>>,
    },
    Sns {
        client: aws_sdk_sns::Client,
        topic: String,
    },
}

impl Destination {
    /// Nothing is sent yet. `region` is the mapping's: the ARN of a bucket names none. `mapping` is the mapping's UUID.
    /// `with_event` is `Extensions.OnFailureIncludePayload`; S3 gets the event always.
    pub fn new(
        clients: &Clients,
        configured: &Configured,
        region: &str,
        mapping: &str,
        with_event: bool,
    ) -> Self {
        let to = match configured {
            Configured::Sqs(queue) => Messages::Sqs {
                client: clients.sqs(&queue.region),
                queue: queue.clone(),
                url: Arc::default(),
            },
            Configured::Sns(topic) => Messages::Sns {
                client: clients.sns(&topic.region),
                topic: topic.to_string(),
            },
            Configured::S3 { bucket, .. } => {
                return Self(Place::Bucket {
                    client: clients.s3(region, S3_WAIT),
                    bucket: bucket.clone(),
                    mapping: mapping.to_owned(),
                });
            }
        };
        Self(Place::Messages { to, with_event })
    }

    /// Deliver the record. A queue or topic gets its event with it where that is wanted, and where it fits and is taken;
    /// else the record goes without.
    pub async fn deliver(&self, record: &OnFailure) -> Result<(), Failure> {
        match &self.0 {
            Place::Bucket {
                client,
                bucket,
                mapping,
            } => {
                let body = record.text_with_event().into_bytes();
                let call = client
                    .put_object()
                    .bucket(bucket)
                    .key(record.key(mapping))
                    .content_type("application/octet-stream")
                    .body(ByteStream::from(body));
                call.send().await?;
                Ok(())
            }
            Place::Messages {
                to,
                with_event: true,
            } => to.send_with_event(record).await,
            Place::Messages {
                to,
                with_event: false,
            } => to.send(record.text()).await,
        }
    }
}

impl Messages {
    async fn send_with_event(&self, record: &OnFailure) -> Result<(), Failure> {
        let bytes_max = match self {
            Self::Sqs { .. } => SQS_BYTES_MAX,
            Self::Sns { .. } => SNS_BYTES_MAX,
        };
        let event_bytes = record.event.as_ref().map_or(0, Event::len);
        let may_fit = event_bytes <= bytes_max;
        let text = may_fit.then(|| record.text_with_event());
        let Some(text) = text.filter(|text| text.len() <= bytes_max) else {
            return self.send(record.text()).await;
        };
        match self.send(text).await {
            // A queue may be set to take less, and none takes every character that an event may have.
            Err(failure) if failure.fault == Fault::Invalid => {
                info!(%failure, "the on-failure record is refused with its event, and goes without");
                self.send(record.text()).await
            }
            sent => sent,
        }
    }

    async fn send(&self, text: String) -> Result<(), Failure> {
        match self {
            Self::Sqs { client, queue, url } => {
                let url = url.get_or_try_init(|| address(client, queue)).await?;
                let call = client.send_message().queue_url(url).message_body(text);
                call.send().await?;
            }
            Self::Sns { client, topic } => {
                let call = client.publish().topic_arn(topic).message(text);
                call.send().await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
