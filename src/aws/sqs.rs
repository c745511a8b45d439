//! One SQS queue: the five calls that the engine makes, in our own words.

mod answer;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry,
    DeleteMessageBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName,
};
use aws_sdk_sqs::{Client, operation::RequestId as _};

use super::clients::{CALL_TIMEOUT, Clients};
use super::diverted::Diverted;
use super::fault::{Failure, Fault, classify};
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
    polls: Client,
    calls: Client,
    url: String,
}

impl Queue {
    /// Find the queue by its ARN. `wait_max` is the longest that a receive will be asked to wait.
    pub async fn find(clients: &Clients, arn: &Arn, wait_max: Duration) -> Result<Self, Failure> {
        let calls = clients.sqs(&arn.region, Duration::ZERO);
        let url = address(&calls, arn).await?;
        Ok(Self {
            polls: clients.sqs(&arn.region, wait_max),
            calls,
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
    /// They are hidden for `visibility`, whatever the queue's own is. The SDK makes the call; its answer is read here.
    pub async fn receive(
        &self,
        count: usize,
        wait_s: u64,
        visibility: Duration,
    ) -> Result<Vec<Result<Message, Unusable>>, Failure> {
        let diverted = Diverted::default();
        let asking = self
            .polls
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(count as i32)
            .wait_time_seconds(wait_s as i32)
            .visibility_timeout(visibility.as_secs() as i32)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .customize()
            .interceptor(diverted.clone())
            .send();
        // The client's own time-out is that of the longest poll.
        let at_most = Duration::from_secs(wait_s) + CALL_TIMEOUT;
        let answer = match tokio::time::timeout(at_most, asking).await {
            Ok(answer) => answer?,
            Err(_) => return Err(Failure::unanswered()),
        };
        tracing::trace!(
            request = answer.request_id().unwrap_or_default(),
            "received"
        );
        answer::messages(&diverted.body())
    }

    /// DeleteMessageBatch of up to 10 receipts: what became of each, in their order.
    pub async fn delete(&self, receipts: &[Arc<str>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let mut call = self.calls.delete_message_batch().queue_url(&self.url);
        for (index, receipt) in receipts.iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(receipt.as_ref());
            call = call.entries(entry.build().map_err(unbuildable)?);
        }
        let answer = call.send().await?;
        let done = answer.successful().iter().map(|entry| entry.id());
        Ok(by_entry(receipts.len(), done, answer.failed()))
    }

    /// ChangeMessageVisibilityBatch of up to 10 messages: what became of each, in their order.
    pub async fn extend(
        &self,
        extensions: &[Extension],
    ) -> Result<Vec<Result<(), Failure>>, Failure> {
        let mut call = self
            .calls
            .change_message_visibility_batch()
            .queue_url(&self.url);
        for (index, extension) in extensions.iter().enumerate() {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(extension.receipt.as_ref())
                .visibility_timeout(extension.seconds as i32);
            call = call.entries(entry.build().map_err(unbuildable)?);
        }
        let answer = call.send().await?;
        let done = answer.successful().iter().map(|entry| entry.id());
        Ok(by_entry(extensions.len(), done, answer.failed()))
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

fn unbuildable(error: aws_smithy_types::error::operation::BuildError) -> Failure {
    Failure::new(Fault::Invalid, "not sent", &error.to_string())
}

/// The result of each entry by its number; an entry that the answer does not speak of has not succeeded.
fn by_entry<'a>(
    count: usize,
    done: impl Iterator<Item = &'a str>,
    failed: &[BatchResultErrorEntry],
) -> Vec<Result<(), Failure>> {
    let unanswered = || Err(Failure::unreadable("no result for an entry"));
    let mut results: Vec<_> = std::iter::repeat_with(unanswered).take(count).collect();
    let slot = |id: &str| id.parse().ok().filter(|index: &usize| *index < count);
    for index in done.filter_map(slot) {
        results[index] = Ok(());
    }
    for entry in failed {
        let Some(index) = slot(entry.id()) else {
            continue;
        };
        let status = if entry.sender_fault() { 400 } else { 500 };
        let fault = classify(entry.code(), status, None);
        results[index] = Err(Failure::new(
            fault,
            entry.code(),
            entry.message().unwrap_or_default(),
        ));
    }
    results
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

    #[test]
    fn every_entry_has_a_result_whatever_the_answer_says() {
        let failed = |id: &str, code: &str, sender: bool| {
            BatchResultErrorEntry::builder()
                .id(id)
                .code(code)
                .sender_fault(sender)
                .build()
                .unwrap()
        };
        let results = by_entry(
            5,
            ["0", "9", "x"].into_iter(),
            &[
                failed("1", "ReceiptHandleIsInvalid", true),
                failed("2", "InternalError", false),
                failed("4", "Odd", true),
            ],
        );
        let faults: Vec<_> = results
            .iter()
            .map(|result| result.as_ref().map_err(|failure| failure.fault).copied())
            .collect();
        assert_eq!(
            faults,
            [
                Ok(()),
                Err(Fault::Expired),
                Err(Fault::Transient),
                Err(Fault::Transient),
                Err(Fault::Invalid)
            ]
        );
    }
}
