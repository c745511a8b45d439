//! SendMessage and SendMessageBatch: what a message must be, delay, FIFO deduplication.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Call,
    attributes::{Config, DELAY_SECONDS},
    batch::{Batch, Entry, Fates},
    error::{Code, SqsError},
    md5,
    message::{Attribute, Draft, Message, Phase, Value},
    queue::Sent,
    sha256,
};
use crate::sim::{clock::seconds_ms, history::Event, world::uuid};

/// The most that one request may carry in all.
// API: SQS SendMessageBatch: 1 MiB for the sum of all messages
const BATCH_BYTES_MAX: usize = 1_048_576;
/// The first sequence number of a FIFO queue: 20 digits, as AWS's are.
const SEQUENCE_START: u128 = 18_849_496_460_467_696_128;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendMessage {
    queue_url: Option<String>,
    #[serde(flatten)]
    content: Content,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendEntry {
    id: String,
    #[serde(flatten)]
    content: Content,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    #[serde(default)]
    message_body: String,
    delay_seconds: Option<i64>,
    #[serde(default)]
    message_attributes: BTreeMap<String, Attribute>,
    #[serde(default)]
    message_system_attributes: BTreeMap<String, Attribute>,
    message_deduplication_id: Option<String>,
    message_group_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Accepted {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "MD5OfMessageBody")]
    md5_of_message_body: String,
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_message_attributes: Option<String>,
    #[serde(
        rename = "MD5OfMessageSystemAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_message_system_attributes: Option<String>,
    pub(super) message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
}

impl Entry for SendEntry {
    fn id(&self) -> &str {
        &self.id
    }
}

pub(super) fn send(call: &mut Call<'_>, input: SendMessage) -> Result<Accepted, SqsError> {
    let queue = call.queue(input.queue_url.as_deref())?;
    put(call, &queue, input.content.draft()?)
}

pub(super) fn send_batch(
    call: &mut Call<'_>,
    input: Batch<SendEntry>,
) -> Result<Fates<Accepted>, SqsError> {
    let queue = call.queue(input.queue_url.as_deref())?;
    input.check("SendMessageBatchRequestEntry")?;
    let bytes: usize = input
        .entries
        .iter()
        .map(|entry| {
            size(
                &entry.content.message_body,
                &entry.content.message_attributes,
            )
        })
        .sum();
    if bytes > BATCH_BYTES_MAX {
        let text = format!(
            "Batch requests cannot be longer than {BATCH_BYTES_MAX} bytes. You have sent {bytes} bytes."
        );
        return Err(Code::BatchRequestTooLong.because(text));
    }
    Ok(input.each(call, |call, entry| {
        let accepted = put(call, &queue, entry.content.clone().draft()?)?;
        Ok(Accepted {
            id: Some(entry.id.clone()),
            ..accepted
        })
    }))
}

impl Content {
    fn draft(self) -> Result<Draft, SqsError> {
        // API: SQS SendMessage, MessageSystemAttributes: only AWSTraceHeader, a string
        let mut system = self.message_system_attributes;
        let trace = match system
            .remove("AWSTraceHeader")
            .map(|attribute| attribute.value)
        {
            None => None,
            Some(Value::Text(text)) => Some(text),
            Some(Value::Binary(_)) => {
                return Err(SqsError::value(
                    "Binary",
                    "AWSTraceHeader",
                    "It must be of type String.",
                ));
            }
        };
        if let Some(name) = system.keys().next() {
            return Err(SqsError::value(
                name,
                "MessageSystemAttributes",
                "Unknown message system attribute.",
            ));
        }
        let delay = self.delay_seconds.map(|seconds| {
            let valid = u32::try_from(seconds)
                .ok()
                .filter(|seconds| DELAY_SECONDS.contains(seconds));
            valid.ok_or_else(|| {
                SqsError::value(
                    seconds,
                    "DelaySeconds",
                    "DelaySeconds must be >= 0 and <= 900.",
                )
            })
        });
        Ok(Draft {
            body: self.message_body,
            group: self.message_group_id,
            deduplication: self.message_deduplication_id,
            attributes: self.message_attributes,
            trace,
            delay_seconds: delay.transpose()?,
        })
    }
}

/// Puts a message into a queue, unless a FIFO queue has it already.
pub(super) fn put(
    call: &mut Call<'_>,
    queue_name: &str,
    draft: Draft,
) -> Result<Accepted, SqsError> {
    let now_ms = call.now_ms;
    let state = &mut *call.state;
    let queue = state
        .queues
        .get_mut(queue_name)
        .ok_or_else(super::no_queue)?;
    check(&draft, &queue.config)?;
    let deduplication = deduplication(&draft, &queue.config)?;
    let mut accepted = Accepted {
        id: None,
        md5_of_message_body: md5::of_text(&draft.body),
        md5_of_message_attributes: md5::of_attributes(&draft.attributes),
        md5_of_message_system_attributes: draft.trace.as_ref().and_then(|trace| {
            let value = Attribute {
                data_type: "String".to_owned(),
                value: Value::Text(trace.clone()),
            };
            md5::of_attributes([(&"AWSTraceHeader".to_owned(), &value)])
        }),
        message_id: uuid(&mut state.rng),
        sequence_number: None,
    };
    let key = deduplication.as_ref().map(|id| {
        match (&draft.group, queue.config.deduplication_by_group) {
            (Some(group), true) => format!("{group}\n{id}"),
            _ => id.clone(),
        }
    });
    // API: SQS SendMessage, MessageDeduplicationId: a repeat within 5 minutes is accepted and not delivered
    if let Some(sent) = key.as_ref().and_then(|key| queue.earlier(key)) {
        return Ok(Accepted {
            message_id: sent.id,
            sequence_number: sent.sequence,
            ..accepted
        });
    }
    state.serial += 1;
    let number = state.serial;
    accepted.sequence_number = queue
        .config
        .fifo
        .then(|| (SEQUENCE_START + u128::from(number) * 256).to_string());
    let delay_ms = seconds_ms(draft.delay_seconds.unwrap_or(queue.config.delay_seconds));
    if let Some(key) = key {
        queue.remember(
            key,
            Sent {
                id: accepted.message_id.clone(),
                sequence: accepted.sequence_number.clone(),
            },
            now_ms,
        );
    }
    let group = draft.group.clone();
    queue.insert(
        number,
        Message {
            id: accepted.message_id.clone(),
            body: draft.body.into(),
            md5: accepted.md5_of_message_body.clone(),
            group: draft.group.map(Into::into),
            deduplication,
            sequence: accepted.sequence_number.clone(),
            attributes: draft.attributes,
            trace: draft.trace,
            dead_letter_source: None,
            sent_ms: now_ms,
            first_received_ms: None,
            receives: 0,
            phase: if delay_ms == 0 {
                Phase::Visible
            } else {
                Phase::Delayed {
                    until_ms: now_ms + delay_ms,
                }
            },
        },
    );
    call.record(|| Event::Sent {
        queue: queue_name.to_owned(),
        id: accepted.message_id.clone(),
        group,
    });
    Ok(accepted)
}

fn size(body: &str, attributes: &BTreeMap<String, Attribute>) -> usize {
    body.len()
        + attributes
            .iter()
            .map(|(name, attribute)| name.len() + attribute.size())
            .sum::<usize>()
}

// API: SQS SendMessage, Request parameters and Errors
fn check(draft: &Draft, config: &Config) -> Result<(), SqsError> {
    if draft.body.is_empty() {
        return Err(SqsError::missing("MessageBody"));
    }
    if let Some(bad) = draft.body.chars().find(|c| !allowed(*c)) {
        let text = format!(
            "Invalid binary character '#x{:x}' was found in the message body, the set of allowed characters is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
            u32::from(bad)
        );
        return Err(Code::InvalidMessageContents.because(text));
    }
    if size(&draft.body, &draft.attributes) > config.message_bytes_max {
        let text = format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {} bytes.",
            config.message_bytes_max
        );
        return Err(Code::InvalidParameterValue.because(text));
    }
    // API: SQS SendMessage, MessageAttributes: at most 10, of type String, Number or Binary with an optional suffix
    if draft.attributes.len() > 10 {
        let text = format!(
            "Number of message attributes [{}] exceeds the allowed maximum [10].",
            draft.attributes.len()
        );
        return Err(Code::InvalidParameterValue.because(text));
    }
    for (name, attribute) in &draft.attributes {
        let kind = attribute.data_type.split('.').next().unwrap_or_default();
        let fits = match &attribute.value {
            Value::Text(text) => matches!(kind, "String" | "Number") && !text.is_empty(),
            Value::Binary(bytes) => kind == "Binary" && !bytes.is_empty(),
        };
        if !fits {
            let text = format!(
                "The message attribute '{name}' with type '{}' must use field '{kind}'.",
                attribute.data_type
            );
            return Err(Code::InvalidParameterValue.because(text));
        }
    }
    let unfit = "The request include parameter that is not valid for this queue type.";
    match (config.fifo, &draft.group) {
        (true, None) => return Err(SqsError::missing("MessageGroupId")),
        (_, Some(group)) if group.is_empty() || group.len() > 128 => {
            return Err(SqsError::value(
                group,
                "MessageGroupId",
                "MessageGroupId can only include 1 to 128 characters.",
            ));
        }
        (true, Some(_)) | (false, _) => {}
    }
    // API: SQS SendMessage, DelaySeconds: on a FIFO queue only for the whole queue
    if let (true, Some(seconds @ 1..)) = (config.fifo, draft.delay_seconds) {
        return Err(SqsError::value(seconds, "DelaySeconds", unfit));
    }
    if let (false, Some(id)) = (config.fifo, &draft.deduplication) {
        return Err(SqsError::value(id, "MessageDeduplicationId", unfit));
    }
    Ok(())
}

fn allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// What tells a FIFO message from its repeats.
// API: SQS SendMessage, MessageDeduplicationId
fn deduplication(draft: &Draft, config: &Config) -> Result<Option<String>, SqsError> {
    match (&draft.deduplication, config.fifo) {
        (_, false) => Ok(None),
        (Some(id), true) => Ok(Some(id.clone())),
        (None, true) if config.content_deduplication => Ok(Some(sha256::of_text(&draft.body))),
        (None, true) => Err(Code::InvalidParameterValue.because(
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
        )),
    }
}
