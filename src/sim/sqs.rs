//! The embedded SQS, AWS JSON 1.0 protocol: standard and FIFO queues, dead-letter queues, visibility, long polling.

pub mod error;

mod attributes;
mod batch;
mod delete;
mod direct;
mod manage;
mod md5;
pub(super) mod message;
pub(super) mod queue;
mod receipt;
mod receive;
mod send;
mod sha256;
mod shown;
mod visibility;

pub use direct::{MessageView, QueueView};
pub use queue::Counts;

use bytes::Bytes;
use http::header::HOST;
use serde::{Serialize, de::DeserializeOwned};

use self::{
    error::{Code, JSON, SqsError},
    queue::Queue,
};
use super::{
    faults::{Fault, Operation},
    history::Event,
    wire::{Request, response},
    world::{State, World},
};

/// Serves one call.
pub(super) async fn call(
    world: &World,
    operation: Operation,
    request: Request,
    fault: Option<Fault>,
) -> http::Response<Bytes> {
    match effect(world, operation, &request, fault).await {
        Ok(body) => response(200, JSON, body),
        Err(error) => error.response(),
    }
}

async fn effect(
    world: &World,
    operation: Operation,
    request: &Request,
    fault: Option<Fault>,
) -> Result<Bytes, SqsError> {
    let body = request.body();
    if operation == Operation::ReceiveMessage {
        return receive::receive(world, read(body)?, fault).await;
    }
    let mut call = Call::new(world, request, fault);
    let call = &mut call;
    match operation {
        Operation::ChangeMessageVisibility => write(&visibility::change(call, &read(body)?)?),
        Operation::ChangeMessageVisibilityBatch => {
            write(&visibility::change_batch(call, &read(body)?)?)
        }
        Operation::CreateQueue => write(&manage::create(call, read(body)?)?),
        Operation::DeleteMessage => write(&delete::delete(call, &read(body)?)?),
        Operation::DeleteMessageBatch => write(&delete::delete_batch(call, &read(body)?)?),
        Operation::DeleteQueue => write(&manage::delete(call, &read(body)?)?),
        Operation::GetQueueAttributes => write(&manage::get_attributes(call, &read(body)?)?),
        Operation::GetQueueUrl => write(&manage::url(call, &read(body)?)?),
        Operation::ListQueues => write(&manage::list(call, &read(body)?)?),
        Operation::PurgeQueue => write(&manage::purge(call, &read(body)?)?),
        Operation::SendMessage => write(&send::send(call, read(body)?)?),
        Operation::SendMessageBatch => write(&send::send_batch(call, read(body)?)?),
        Operation::SetQueueAttributes => write(&manage::set_attributes(call, read(body)?)?),
        _ => {
            Err(Code::InvalidAction
                .because("The requested operation is not one of the embedded AWS."))
        }
    }
}

/// What an operation works with: the whole state for its duration, and the time at which it takes effect.
struct Call<'a> {
    world: &'a World,
    state: std::sync::MutexGuard<'a, State>,
    now_ms: u64,
    fault: Option<Fault>,
    /// What the client called us, for queue URLs.
    host: &'a str,
}

impl<'a> Call<'a> {
    fn new(world: &'a World, request: &'a Request, fault: Option<Fault>) -> Self {
        let host = request
            .headers()
            .get(HOST)
            .and_then(|host| host.to_str().ok());
        // The SDK in process sends no Host header: the authority is in the URI then.
        let host = host
            .or_else(|| request.uri().authority().map(http::uri::Authority::as_str))
            .unwrap_or(DEFAULT_HOST);
        Self {
            host,
            ..Self::direct(world, fault)
        }
    }

    /// A call by the test itself, not over the wire.
    fn direct(world: &'a World, fault: Option<Fault>) -> Self {
        Self {
            world,
            state: world.lock(),
            now_ms: world.clock().now_ms(),
            fault,
            host: DEFAULT_HOST,
        }
    }

    fn url(&self, name: &str) -> String {
        format!(
            "http://{}/{}/{name}",
            self.host,
            self.world.settings().account
        )
    }

    /// The name of the queue of this URL, which exists and is up to date. Host and account are not looked at.
    fn queue(&mut self, url: Option<&str>) -> Result<String, SqsError> {
        let name = queue_name(url)?;
        settle(self.world, &mut self.state, name, self.now_ms)?;
        Ok(name.to_owned())
    }

    fn record(&mut self, event: impl FnOnce() -> Event) {
        self.state
            .history
            .record(self.world.clock().elapsed(), event);
    }
}

const DEFAULT_HOST: &str = "sqs.us-east-1.amazonaws.com";

/// A queue URL ends in the account and the queue's name; a bare name does as well.
fn queue_name(url: Option<&str>) -> Result<&str, SqsError> {
    let url = url.ok_or_else(|| SqsError::missing("QueueUrl"))?;
    Ok(url.rsplit('/').next().unwrap_or(url))
}

/// Brings a queue up to date and returns it.
fn settle<'s>(
    world: &World,
    state: &'s mut State,
    name: &str,
    now_ms: u64,
) -> Result<&'s mut Queue, SqsError> {
    let queue = state.queues.get_mut(name).ok_or_else(no_queue)?;
    let settled = queue.settle(now_ms);
    let at = world.clock().elapsed();
    for id in settled.reappeared {
        state.history.record(at, || Event::Reappeared {
            queue: name.to_owned(),
            id,
        });
    }
    for id in settled.expired {
        state.history.record(at, || Event::Expired {
            queue: name.to_owned(),
            id,
        });
    }
    Ok(queue)
}

fn no_queue() -> SqsError {
    Code::QueueDoesNotExist.because("The specified queue does not exist.")
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, SqsError> {
    serde_json::from_slice(body).map_err(|error| {
        Code::Serialization.because(format!("failed to read the request: {error}"))
    })
}

fn write<T: Serialize>(output: &T) -> Result<Bytes, SqsError> {
    let bytes = serde_json::to_vec(output)
        .map_err(|error| Code::InternalFailure.because(error.to_string()))?;
    Ok(bytes.into())
}

/// The answer of operations that have nothing to say.
#[derive(Serialize)]
struct Empty {}
