//! The embedded Kinesis, AWS JSON 1.1 protocol: streams, shards and their lineage, shard iterators, enhanced fan-out.

pub mod error;

mod consumers;
mod direct;
mod frame;
mod list;
mod manage;
mod operation;
mod put;
mod range;
mod read;
mod reshard;
mod sequence;
mod shard;
mod shown;
pub(super) mod stream;
mod subscribe;
mod token;

pub use direct::{RecordView, ShardView, StreamView};
pub use operation::KinesisOperation;
pub use range::HashKeys;

use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use self::{
    error::{Code, JSON, KinesisError},
    shard::{Trimmed, shard_id},
    stream::Stream,
};
use super::{
    faults::Fault,
    history::Event,
    wire::{Feed, Request, response},
    world::{State, World},
};

/// Serves one call; what is subscribed to follows the answer. `life` is the caller's, see `crash`.
pub(super) fn call(
    world: &World,
    life: Option<u64>,
    operation: KinesisOperation,
    request: &Request,
    fault: Option<Fault>,
) -> (http::Response<Bytes>, Option<Feed>) {
    if operation == KinesisOperation::SubscribeToShard {
        return subscribe::subscribe(world, life, request, fault);
    }
    let response = match effect(world, operation, request.body(), fault) {
        Ok(Value::Null) => response(200, JSON, Bytes::new()),
        Ok(body) => response(200, JSON, body.to_string().into()),
        Err(error) => error.response(),
    };
    (response, None)
}

/// What an operation does and answers; `Null` is an empty body.
fn effect(
    world: &World,
    operation: KinesisOperation,
    body: &Bytes,
    fault: Option<Fault>,
) -> Result<Value, KinesisError> {
    let call = &mut Call::new(world, fault);
    match operation {
        KinesisOperation::CreateStream => manage::create(call, read(body)?),
        KinesisOperation::DecreaseStreamRetentionPeriod => manage::decrease(call, &read(body)?),
        KinesisOperation::DeleteStream => manage::delete(call, &read(body)?),
        KinesisOperation::DeregisterStreamConsumer => consumers::deregister(call, &read(body)?),
        KinesisOperation::DescribeStream => manage::describe(call, &read(body)?),
        KinesisOperation::DescribeStreamConsumer => consumers::describe(call, &read(body)?),
        KinesisOperation::DescribeStreamSummary => manage::summary(call, &read(body)?),
        KinesisOperation::GetRecords => read::records(call, &read(body)?),
        KinesisOperation::GetShardIterator => read::iterator(call, &read(body)?),
        KinesisOperation::IncreaseStreamRetentionPeriod => manage::increase(call, &read(body)?),
        KinesisOperation::ListShards => list::shards(call, read(body)?),
        KinesisOperation::ListStreamConsumers => consumers::list(call, &read(body)?),
        KinesisOperation::ListStreams => list::streams(call, &read(body)?),
        KinesisOperation::MergeShards => reshard::merge(call, &read(body)?),
        KinesisOperation::PutRecord => put::one(call, read(body)?),
        KinesisOperation::PutRecords => put::many(call, read(body)?),
        KinesisOperation::RegisterStreamConsumer => consumers::register(call, &read(body)?),
        KinesisOperation::SplitShard => reshard::split(call, &read(body)?),
        KinesisOperation::UpdateShardCount => reshard::update(call, &read(body)?),
        // Its answer is a stream: `call` has it.
        KinesisOperation::SubscribeToShard => {
            Err(Code::UnknownOperationException.because("SubscribeToShard has no single answer"))
        }
    }
}

/// How a request names a stream.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamOf {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
}

impl StreamOf {
    /// The name by itself or out of the ARN. Region and account are not looked at.
    // API: all operations: StreamName or StreamARN
    fn name(&self) -> Result<&str, KinesisError> {
        let of_arn = self.stream_arn.as_deref().map(|arn| {
            stream_in(arn).ok_or_else(|| {
                Code::InvalidArgumentException.because(format!("{arn} is no stream ARN"))
            })
        });
        match (self.stream_name.as_deref(), of_arn.transpose()?) {
            (Some(name), Some(other)) if name != other => Err(Code::InvalidArgumentException
                .because("StreamARN and StreamName name different streams")),
            (Some(name), _) | (None, Some(name)) => Ok(name),
            (None, None) => Err(Code::InvalidArgumentException
                .because("Either the StreamARN or the StreamName must be provided")),
        }
    }
}

/// The stream's name in its own ARN or in a consumer's.
fn stream_in(arn: &str) -> Option<&str> {
    let (service, resource) = arn.split_once(":stream/")?;
    let known = service.starts_with("arn:") && service.contains(":kinesis:");
    known.then(|| resource.split('/').next())?
}

/// What an operation works with: the whole state for its duration, and the time at which it takes effect.
struct Call<'a> {
    world: &'a World,
    state: std::sync::MutexGuard<'a, State>,
    now_ms: u64,
    fault: Option<Fault>,
}

impl<'a> Call<'a> {
    fn new(world: &'a World, fault: Option<Fault>) -> Self {
        Self {
            world,
            state: world.lock(),
            now_ms: world.clock().now_ms(),
            fault,
        }
    }

    /// A stream that exists and is up to date.
    fn stream(&mut self, name: &str) -> Result<&mut Stream, KinesisError> {
        settle(self.world, &mut self.state, name, self.now_ms)
    }

    fn record(&mut self, event: impl FnOnce() -> Event) {
        self.state
            .history
            .record(self.world.clock().elapsed(), event);
    }

    fn record_trimmed(&mut self, stream: &str, trimmed: &Trimmed) {
        self.record(|| trimmed_event(stream, trimmed));
    }
}

/// Brings a stream up to date and returns it.
fn settle<'s>(
    world: &World,
    state: &'s mut State,
    name: &str,
    now_ms: u64,
) -> Result<&'s mut Stream, KinesisError> {
    let stream = state.streams.get_mut(name).ok_or_else(|| {
        Code::ResourceNotFoundException.because(format!(
            "Stream {name} under account {} not found.",
            world.settings().account
        ))
    })?;
    let at = world.clock().elapsed();
    for trimmed in stream.settle(now_ms) {
        state.history.record(at, || trimmed_event(name, &trimmed));
    }
    Ok(stream)
}

fn trimmed_event(stream: &str, trimmed: &Trimmed) -> Event {
    Event::RecordsTrimmed {
        stream: stream.to_owned(),
        shard: shard_id(trimmed.shard),
        count: trimmed.count,
        through: trimmed.through.to_string(),
    }
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, KinesisError> {
    serde_json::from_slice(body).map_err(|error| {
        Code::SerializationException.because(format!("failed to read the request: {error}"))
    })
}

/// A number of a request that has bounds.
fn within(
    value: Option<i64>,
    bounds: std::ops::RangeInclusive<usize>,
    name: &str,
) -> Result<Option<usize>, KinesisError> {
    let read = |n: i64| {
        usize::try_from(n).ok().filter(|n| bounds.contains(n)).ok_or_else(|| {
            Code::InvalidArgumentException.because(format!(
                "Value '{n}' at '{name}' failed to satisfy constraint: Member must be between {} and {}",
                bounds.start(),
                bounds.end()
            ))
        })
    };
    value.map(read).transpose()
}

/// The answer of operations that have nothing to say.
fn nothing() -> Value {
    Value::Null
}
