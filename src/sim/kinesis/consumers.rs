//! Consumers with throughput of their own: register, describe, list, deregister.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Call, StreamOf,
    error::{Code, KinesisError},
    list::next_page,
    manage::check_name,
    nothing, shown, token,
    token::NextPage,
    within,
};

/// How many consumers a stream may have.
// API: RegisterStreamConsumer: 20 with the standard limits
const CONSUMERS_MAX: usize = 20;
/// How many consumers a page has at most, and by default.
// API: ListStreamConsumers, MaxResults
const PAGE_MAX: usize = 100;

/// A registered consumer. It is ACTIVE at once.
#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) created_ms: u64,
    /// By shard id, the subscription that is in force: when it began, and its number.
    pub(super) subscriptions: BTreeMap<String, (u64, u64)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ConsumerOf {
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    consumer_name: Option<String>,
    #[serde(rename = "ConsumerARN")]
    consumer_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListConsumers {
    #[serde(flatten)]
    of: StreamOf,
    max_results: Option<i64>,
    next_token: Option<String>,
}

/// The stream and the consumer that a consumer's ARN names, and the second of its registration.
pub(super) fn consumer_in(arn: &str) -> Option<(&str, &str, u64)> {
    let stream = super::stream_in(arn)?;
    let (name, created) = arn.split_once("/consumer/")?.1.rsplit_once(':')?;
    Some((stream, name, created.parse().ok()?))
}

/// There is no consumer of this name or ARN.
pub(super) fn no_consumer(name: &str) -> KinesisError {
    Code::ResourceNotFoundException.because(format!("Consumer {name} not found."))
}

// API: RegisterStreamConsumer
pub(super) fn register(call: &mut Call<'_>, input: &ConsumerOf) -> Result<Value, KinesisError> {
    let of = StreamOf {
        stream_name: None,
        stream_arn: input.stream_arn.clone(),
    };
    let stream_name = of.name()?;
    let name = input
        .consumer_name
        .as_deref()
        .ok_or_else(|| KinesisError::missing("consumerName"))?;
    check_name(name)?;
    let now_ms = call.now_ms;
    let stream = call.stream(stream_name)?;
    if stream.consumers.contains_key(name) {
        let text = format!("Consumer {name} under stream {stream_name} already exists.");
        return Err(Code::ResourceInUseException.because(text));
    }
    if stream.consumers.len() == CONSUMERS_MAX {
        let text = format!("Stream {stream_name} already has {CONSUMERS_MAX} consumers.");
        return Err(Code::LimitExceededException.because(text));
    }
    let consumer = Consumer {
        created_ms: now_ms,
        subscriptions: BTreeMap::new(),
    };
    stream.consumers.insert(name.to_owned(), consumer);
    let shown = shown_in(call, stream_name, name)?;
    Ok(json!({ "Consumer": shown }))
}

// API: DescribeStreamConsumer
pub(super) fn describe(call: &mut Call<'_>, input: &ConsumerOf) -> Result<Value, KinesisError> {
    let (stream, name) = input.find(call)?;
    let mut shown = shown_in(call, &stream, &name)?;
    shown["StreamARN"] = call.world.stream_arn(&stream).into();
    Ok(json!({ "ConsumerDescription": shown }))
}

// API: DeregisterStreamConsumer
pub(super) fn deregister(call: &mut Call<'_>, input: &ConsumerOf) -> Result<Value, KinesisError> {
    let (stream, name) = input.find(call)?;
    let stream = call.stream(&stream)?;
    stream.consumers.remove(&name);
    stream.wake.notify_waiters();
    Ok(nothing())
}

// API: ListStreamConsumers
pub(super) fn list(call: &mut Call<'_>, input: &ListConsumers) -> Result<Value, KinesisError> {
    let max = within(input.max_results, 1..=10_000, "maxResults")?
        .unwrap_or(PAGE_MAX)
        .min(PAGE_MAX);
    let stream = input.of.name()?;
    let after = match &input.next_token {
        Some(token) => next_page::<()>(token, call.now_ms)?.after,
        None => String::new(),
    };
    let names: Vec<String> = call
        .stream(stream)?
        .consumers
        .keys()
        .filter(|name| **name > after)
        .take(max + 1)
        .cloned()
        .collect();
    let page = &names[..names.len().min(max)];
    let shown: Vec<Value> = page
        .iter()
        .map(|name| shown_in(call, stream, name))
        .collect::<Result<_, _>>()?;
    let mut answer = json!({ "Consumers": shown });
    if let (true, Some(last)) = (names.len() > max, page.last()) {
        answer["NextToken"] = token::seal(&NextPage {
            stream: stream.to_owned(),
            after: last.clone(),
            issued_ms: call.now_ms,
            wanted: (),
        })
        .into();
    }
    Ok(answer)
}

impl ConsumerOf {
    /// The names of the stream and of the consumer, which exists.
    fn find(&self, call: &mut Call<'_>) -> Result<(String, String), KinesisError> {
        let (stream, name, created_s) = match (&self.consumer_arn, &self.stream_arn) {
            (Some(arn), _) => {
                let (stream, name, created_s) = consumer_in(arn).ok_or_else(|| no_consumer(arn))?;
                (stream, name, Some(created_s))
            }
            (None, Some(arn)) => {
                let stream = super::stream_in(arn).ok_or_else(|| {
                    Code::InvalidArgumentException.because(format!("{arn} is no stream ARN"))
                })?;
                let name = self.consumer_name.as_deref();
                (
                    stream,
                    name.ok_or_else(|| KinesisError::missing("consumerName"))?,
                    None,
                )
            }
            (None, None) => return Err(KinesisError::missing("streamARN")),
        };
        let consumer = call.stream(stream)?.consumers.get(name);
        let found = consumer
            .filter(|consumer| created_s.is_none_or(|created| created == consumer.created_s()));
        found.ok_or_else(|| no_consumer(name))?;
        Ok((stream.to_owned(), name.to_owned()))
    }
}

impl Consumer {
    /// The part of the ARN that tells the consumer from another of the same name.
    pub(super) fn created_s(&self) -> u64 {
        self.created_ms / 1000
    }
}

fn shown_in(call: &mut Call<'_>, stream: &str, name: &str) -> Result<Value, KinesisError> {
    let arn = call.world.stream_arn(stream);
    let consumer = call
        .stream(stream)?
        .consumers
        .get(name)
        .ok_or_else(|| no_consumer(name))?;
    Ok(json!({
        "ConsumerName": name,
        "ConsumerARN": format!("{arn}/consumer/{name}:{}", consumer.created_s()),
        "ConsumerStatus": "ACTIVE",
        "ConsumerCreationTimestamp": shown::timestamp(consumer.created_ms),
    }))
}

/// Registers a consumer for a test, and returns its ARN.
pub(super) fn register_named(
    call: &mut Call<'_>,
    stream: &str,
    name: &str,
) -> Result<String, KinesisError> {
    let input = ConsumerOf {
        stream_arn: Some(call.world.stream_arn(stream)),
        consumer_name: Some(name.to_owned()),
        consumer_arn: None,
    };
    let shown = register(call, &input)?;
    Ok(shown["Consumer"]["ConsumerARN"]
        .as_str()
        .unwrap_or_default()
        .to_owned())
}
