//! Queues as such: create, find, list, change, purge, delete.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Call, Empty,
    attributes::{self, Config},
    error::{Code, SqsError},
    queue::Queue,
};
use crate::sim::history::Event;

/// How long a deleted queue's name stays taken.
// API: SQS CreateQueue, QueueDeletedRecently
const NAME_FREE_AFTER_MS: u64 = 60_000;
/// The least time between two purges.
// API: SQS PurgeQueue, PurgeQueueInProgress
const PURGE_EVERY_MS: u64 = 60_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateQueue {
    queue_name: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueOf {
    queue_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetAttributes {
    queue_url: Option<String>,
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetAttributes {
    queue_url: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetUrl {
    queue_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListQueues {
    #[serde(default)]
    queue_name_prefix: String,
    max_results: Option<usize>,
    next_token: Option<String>,
}

impl CreateQueue {
    pub(super) fn new(name: &str, attributes: BTreeMap<String, String>) -> Self {
        Self {
            queue_name: Some(name.to_owned()),
            attributes,
        }
    }
}

impl SetAttributes {
    pub(super) fn new(queue: &str, attributes: BTreeMap<String, String>) -> Self {
        Self {
            queue_url: Some(queue.to_owned()),
            attributes,
        }
    }
}

impl QueueOf {
    pub(super) fn new(queue: &str) -> Self {
        Self {
            queue_url: Some(queue.to_owned()),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Url {
    pub(super) queue_url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Urls {
    queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attributes {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
}

pub(super) fn create(call: &mut Call<'_>, input: CreateQueue) -> Result<Url, SqsError> {
    let name = input
        .queue_name
        .ok_or_else(|| SqsError::missing("QueueName"))?;
    let config = Config::read(&input.attributes)?;
    check_name(&name, config.fifo)?;
    let url = Url {
        queue_url: call.url(&name),
    };
    if let Some(queue) = call.state.queues.get(&name) {
        // API: SQS CreateQueue: the same attributes give the URL, others QueueNameExists
        return same(queue, &input.attributes).map(|()| url);
    }
    let now_ms = call.now_ms;
    if call
        .state
        .deleted
        .get(&name)
        .is_some_and(|gone_ms| now_ms < gone_ms + NAME_FREE_AFTER_MS)
    {
        let text = "You must wait 60 seconds after deleting a queue before you can create another with the same name.";
        return Err(Code::QueueDeletedRecently.because(text));
    }
    check_redrive(call, &config)?;
    let settings = call.world.settings();
    let arn = format!(
        "arn:aws:sqs:{}:{}:{name}",
        settings.region, settings.account
    );
    let serial = call.state.next_serial();
    let queue = Queue::new(arn, serial, input.attributes, config, now_ms);
    call.state.queues.insert(name, queue);
    Ok(url)
}

// API: SQS CreateQueue, QueueName: up to 80 letters, digits, hyphens, underscores; FIFO queues end in .fifo
fn check_name(name: &str, fifo: bool) -> Result<(), SqsError> {
    let stem = name.strip_suffix(".fifo");
    let plain = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if name.len() <= 80 && plain(stem.unwrap_or(name)) && stem.is_some() == fifo {
        return Ok(());
    }
    let text = if fifo {
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length."
    } else {
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
    };
    Err(Code::InvalidParameterValue.because(text))
}

fn same(queue: &Queue, asked: &BTreeMap<String, String>) -> Result<(), SqsError> {
    let defaults = queue.config.defaults();
    let now = |name: &String| queue.attributes.get(name).or_else(|| defaults.get(name));
    match asked.iter().find(|(name, value)| now(name) != Some(*value)) {
        None => Ok(()),
        Some((name, _)) => {
            let text = format!(
                "A queue already exists with the same name and a different value for attribute {name}"
            );
            Err(Code::QueueNameExists.because(text))
        }
    }
}

// API: SQS SetQueueAttributes, RedrivePolicy: the target exists and is of the same type
fn check_redrive(call: &Call<'_>, config: &Config) -> Result<(), SqsError> {
    let Some(redrive) = &config.redrive else {
        return Ok(());
    };
    let wrong = |reason| Err(SqsError::value(&redrive.target, "RedrivePolicy", reason));
    match call.state.queues.get(&redrive.target) {
        None => wrong("Dead letter target does not exist."),
        Some(target) if target.config.fifo != config.fifo => {
            wrong("Dead-letter queue must be same type of queue as the source.")
        }
        Some(_) => Ok(()),
    }
}

pub(super) fn url(call: &mut Call<'_>, input: &GetUrl) -> Result<Url, SqsError> {
    let name = input
        .queue_name
        .as_deref()
        .ok_or_else(|| SqsError::missing("QueueName"))?;
    if !call.state.queues.contains_key(name) {
        return Err(super::no_queue());
    }
    Ok(Url {
        queue_url: call.url(name),
    })
}

// API: SQS ListQueues: 1,000 at most; the token is where to go on
pub(super) fn list(call: &mut Call<'_>, input: &ListQueues) -> Result<Urls, SqsError> {
    let most = input.max_results.unwrap_or(1000).clamp(1, 1000);
    let after = input.next_token.as_deref().unwrap_or_default();
    let fits = |name: &&String| name.starts_with(&input.queue_name_prefix) && name.as_str() > after;
    let mut names: Vec<&String> = call
        .state
        .queues
        .keys()
        .filter(fits)
        .take(most + 1)
        .collect();
    let more = names.len() > most;
    names.truncate(most);
    let next_token = names
        .last()
        .filter(|_| more && input.max_results.is_some())
        .map(|name| (*name).clone());
    Ok(Urls {
        queue_urls: names.into_iter().map(|name| call.url(name)).collect(),
        next_token,
    })
}

pub(super) fn get_attributes(
    call: &mut Call<'_>,
    input: &GetAttributes,
) -> Result<Attributes, SqsError> {
    let name = call.queue(input.queue_url.as_deref())?;
    let queue = call.state.queues.get(&name).ok_or_else(super::no_queue)?;
    let all = all_attributes(queue);
    // API: SQS GetQueueAttributes, AttributeNames
    let known = |name: &str| name == "All" || all.contains_key(name) || attributes::known(name);
    if let Some(unknown) = input.attribute_names.iter().find(|name| !known(name)) {
        return Err(Code::InvalidAttributeName.because(format!("Unknown Attribute {unknown}.")));
    }
    let asked = |name: &String| {
        input
            .attribute_names
            .iter()
            .any(|wanted| wanted == "All" || wanted == name)
    };
    Ok(Attributes {
        attributes: all.into_iter().filter(|(name, _)| asked(name)).collect(),
    })
}

// API: SQS GetQueueAttributes
fn all_attributes(queue: &Queue) -> BTreeMap<String, String> {
    let mut all = queue.config.defaults();
    all.extend(queue.attributes.clone());
    all.retain(|_, value| !value.is_empty());
    for (name, value) in [
        ("ApproximateNumberOfMessages", queue.visible().to_string()),
        (
            "ApproximateNumberOfMessagesDelayed",
            queue.delayed().to_string(),
        ),
        (
            "ApproximateNumberOfMessagesNotVisible",
            queue.in_flight().to_string(),
        ),
        ("CreatedTimestamp", (queue.created_ms / 1000).to_string()),
        (
            "LastModifiedTimestamp",
            (queue.modified_ms / 1000).to_string(),
        ),
        ("QueueArn", queue.arn.clone()),
    ] {
        all.insert(name.to_owned(), value);
    }
    all
}

pub(super) fn set_attributes(call: &mut Call<'_>, input: SetAttributes) -> Result<Empty, SqsError> {
    let name = call.queue(input.queue_url.as_deref())?;
    let queue = call.state.queues.get(&name).ok_or_else(super::no_queue)?;
    let mut attributes = queue.attributes.clone();
    attributes.extend(input.attributes);
    let config = Config::read(&attributes)?;
    // API: SQS SetQueueAttributes: a queue's type cannot be changed
    if config.fifo != queue.config.fifo {
        return Err(Code::InvalidAttributeName.because("Unknown Attribute FifoQueue."));
    }
    check_redrive(call, &config)?;
    let now_ms = call.now_ms;
    let queue = call
        .state
        .queues
        .get_mut(&name)
        .ok_or_else(super::no_queue)?;
    queue.attributes = attributes;
    queue.config = config;
    queue.modified_ms = now_ms;
    Ok(Empty {})
}

pub(super) fn purge(call: &mut Call<'_>, input: &QueueOf) -> Result<Empty, SqsError> {
    let name = call.queue(input.queue_url.as_deref())?;
    let now_ms = call.now_ms;
    let queue = call
        .state
        .queues
        .get_mut(&name)
        .ok_or_else(super::no_queue)?;
    if queue
        .purged_ms
        .is_some_and(|purged_ms| now_ms < purged_ms + PURGE_EVERY_MS)
    {
        let text = format!("Only one PurgeQueue operation on {name} is allowed every 60 seconds.");
        return Err(Code::PurgeQueueInProgress.because(text));
    }
    queue.purged_ms = Some(now_ms);
    for number in queue.numbers() {
        queue.remove(number);
        queue.counts.purged += 1;
    }
    call.record(|| Event::Purged { queue: name });
    Ok(Empty {})
}

pub(super) fn delete(call: &mut Call<'_>, input: &QueueOf) -> Result<Empty, SqsError> {
    let name = super::queue_name(input.queue_url.as_deref())?;
    let queue = call.state.queues.remove(name).ok_or_else(super::no_queue)?;
    // Receives that wait for it find out that it is gone.
    queue.wake.notify_waiters();
    let now_ms = call.now_ms;
    call.state.deleted.insert(name.to_owned(), now_ms);
    call.record(|| Event::Purged {
        queue: name.to_owned(),
    });
    Ok(Empty {})
}
