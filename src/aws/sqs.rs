//! One SQS queue: the five calls that the engine makes, in our own words.

mod answer;
mod incoming;
mod question;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;

use self::incoming::Incoming;
use super::clients::{CALL_TIMEOUT, Clients};
use super::direct::Direct;
use super::fault::{Failure, Fault};
use crate::config::arn::Arn;
use crate::model::custody::Extension;
use crate::model::record::Message;

/// The most entries that a batch call takes. // spec: 10
pub const BATCH_ENTRIES_MAX: usize = 10;

/// What the engine must know of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// The queue's own visibility time-out.
    pub visibility: Duration,
    /// Messages that are there to be received, about.
    pub visible: u64,
}

/// A message that can not be used as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// Its message group, as far as it is known: those behind it in the group must wait for it.
    pub group: Option<String>,
    /// What is wrong with it.
    pub why: Flaw,
}

/// What is wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The answer lacks a field without which a message can be neither delivered nor deleted.
    #[error("message {id} came without {field}")]
    Incomplete {
        /// The message, where it has at least an id.
        id: String,
        /// What is missing, with its article.
        field: &'static str,
    },
    /// The body is not the one that the queue took the digest of.
    #[error("message {id}: the body's MD5 is {found}, the queue says {stated}")]
    Corrupt {
        /// The message.
        id: String,
        /// The digest that the queue states.
        stated: String,
        /// The digest of what came.
        found: String,
    },
}

/// A queue, found.
#[derive(Clone, Debug)]
pub struct Queue {
    calls: Client,
    receiving: Direct,
    deleting: Direct,
    extending: Direct,
    url: String,
}

impl Queue {
    /// Find the queue by its ARN.
    pub async fn find(clients: &Clients, arn: &Arn) -> Result<Self, Failure> {
        let calls = clients.sqs(&arn.region);
        let url = address(&calls, arn).await?;
        let direct = |operation| clients.direct(operation, &arn.region);
        Ok(Self {
            calls,
            receiving: direct("sqs ReceiveMessage"),
            deleting: direct("sqs DeleteMessageBatch"),
            extending: direct("sqs ChangeMessageVisibilityBatch"),
            url,
        })
    }

    /// GetQueueAttributes.
    pub async fn attributes(&self) -> Result<Attributes, Failure> {
        let answer = self
            .calls
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(QueueAttributeName::VisibilityTimeout)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
            .send()
            .await?;
        let number = |name: QueueAttributeName| -> Option<u64> {
            answer.attributes()?.get(&name)?.parse().ok()
        };
        let visibility = number(QueueAttributeName::VisibilityTimeout).ok_or_else(|| {
            Failure::unreadable("GetQueueAttributes returned no VisibilityTimeout")
        })?;
        let visible = number(QueueAttributeName::ApproximateNumberOfMessages).unwrap_or(0);
        Ok(Attributes {
            visibility: Duration::from_secs(visibility),
            visible,
        })
    }

    /// ReceiveMessage: up to `count` (1-10) messages, waiting up to `wait_s` (0-20) seconds for the first.
    /// They are hidden for `visibility`, whatever the queue's own is. Each is handed to `reader` as it comes, in their order: what
    /// that makes of them counts when the whole answer has come.
    pub async fn receive<T>(
        &self,
        count: usize,
        wait_s: u64,
        visibility: Duration,
        reader: impl FnMut(Message<'_>) -> T,
    ) -> Result<Vec<Result<T, Unusable>>, Failure> {
        let body = question::receive(&self.url, count, wait_s, visibility);
        let at_most = Duration::from_secs(wait_s) + CALL_TIMEOUT;
        let ask = |learning| {
            let call = self.calls.receive_message().queue_url(&self.url);
            call.customize().interceptor(learning).send()
        };
        let mut incoming = Incoming::new(reader);
        self.receiving
            .send_to(&mut incoming, body, None, at_most, ask)
            .await?;
        incoming.read()
    }

    /// DeleteMessageBatch of up to 10 receipts: what became of each, in their order.
    pub async fn delete(&self, receipts: &[Arc<str>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let body = question::delete(&self.url, receipts);
        let ask = |learning| {
            let call = self.calls.delete_message_batch().queue_url(&self.url);
            call.customize().interceptor(learning).send()
        };
        let answer = self.deleting.send(body, None, CALL_TIMEOUT, ask).await?;
        answer::by_entry(receipts.len(), &answer.body)
    }

    /// ChangeMessageVisibilityBatch of up to 10 messages: what became of each, in their order.
    pub async fn extend(
        &self,
        extensions: &[Extension],
    ) -> Result<Vec<Result<(), Failure>>, Failure> {
        let body = question::extend(&self.url, extensions);
        let ask = |learning| {
            let call = self.calls.change_message_visibility_batch();
            let call = call.queue_url(&self.url);
            call.customize().interceptor(learning).send()
        };
        let answer = self.extending.send(body, None, CALL_TIMEOUT, ask).await?;
        answer::by_entry(extensions.len(), &answer.body)
    }
}

/// GetQueueUrl, or where that may not be asked, the address that AWS has for it. The ARN's own queue, also of another
/// account.
pub async fn address(calls: &Client, arn: &Arn) -> Result<String, Failure> {
    let asked = calls
        .get_queue_url()
        .queue_name(&arn.resource)
        .queue_owner_aws_account_id(&arn.account)
        .send()
        .await
        .map_err(Failure::from);
    match asked {
        Ok(answer) => answer
            .queue_url
            .ok_or_else(|| Failure::unreadable("GetQueueUrl returned no URL")),
        // The execution roles that AWS ships and describes do not allow GetQueueUrl. // spec: 9
        Err(failure) if failure.fault == Fault::Denied && failure.status.is_some() => {
            plain_url(arn).ok_or(failure)
        }
        Err(failure) => Err(failure),
    }
}

/// The queue's address where AWS has always put it; other partitions than these must be asked.
fn plain_url(arn: &Arn) -> Option<String> {
    let suffix = match arn.partition.as_str() {
        "aws" | "aws-us-gov" => "amazonaws.com",
        "aws-cn" => "amazonaws.com.cn",
        _ => return None,
    };
    Some(format!(
        "https://sqs.{}.{suffix}/{}/{}",
        arn.region, arn.account, arn.resource
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arn(partition: &str) -> Arn {
        Arn {
            partition: partition.into(),
            service: "sqs".into(),
            region: "eu-west-1".into(),
            account: "111111111111".into(),
            resource: "orders".into(),
        }
    }

    #[test]
    fn a_queue_that_may_not_be_asked_for_is_where_aws_puts_it() {
        let url = Some("https://sqs.eu-west-1.amazonaws.com/111111111111/orders".to_string());
        assert_eq!(plain_url(&arn("aws")), url);
        assert_eq!(
            plain_url(&arn("aws-cn")),
            Some("https://sqs.eu-west-1.amazonaws.com.cn/111111111111/orders".to_string())
        );
        assert_eq!(plain_url(&arn("aws-iso")), None);
    }
}
