//! The embedded DynamoDB, AWS JSON 1.0 protocol: tables and the item operations that feed streams, and the streams themselves.

pub mod error;

mod attribute;
mod direct;
mod expression;
mod items;
mod iterator;
mod listing;
mod manage;
mod number;
mod read;
mod record;
mod stream;
mod table;

pub use direct::{ShardView, TableView};
pub use record::ViewType;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use self::{
    error::{Code, DynamoError, JSON},
    stream::{FIRST_NUMBER, Mint, Stream, Trimmed},
    table::Table,
};
use super::{
    faults::{Fault, Operation},
    history::Event,
    wire::{Request, response},
    world::{State, World},
};

/// All that DynamoDB holds.
#[derive(Debug)]
pub(super) struct DynamoDb {
    tables: BTreeMap<String, Table>,
    /// By ARN; those of disabled streams and deleted tables as long as they can be read.
    streams: BTreeMap<String, Stream>,
    /// The last sequence number given.
    number: u128,
}

impl Default for DynamoDb {
    fn default() -> Self {
        Self {
            tables: BTreeMap::new(),
            streams: BTreeMap::new(),
            number: FIRST_NUMBER,
        }
    }
}

/// Serves one call, of DynamoDB or of its streams.
pub(super) fn call(
    world: &World,
    operation: Operation,
    request: &Request,
    fault: Option<Fault>,
) -> http::Response<Bytes> {
    match effect(&mut Call::new(world, fault), operation, request.body()) {
        Ok(body) => response(200, JSON, body),
        Err(error) => error.response(),
    }
}

fn effect(call: &mut Call<'_>, operation: Operation, body: &Bytes) -> Result<Bytes, DynamoError> {
    match operation {
        Operation::BatchWriteItem => write(&items::batch_write(call, read(body)?)?),
        Operation::CreateTable => write(&manage::create(call, read(body)?)?),
        Operation::DeleteItem => write(&items::delete(call, read(body)?)?),
        Operation::DeleteTable => write(&manage::delete(call, &read(body)?)?),
        Operation::DescribeTable => write(&manage::describe(call, &read(body)?)?),
        Operation::GetItem => write(&items::get(call, &read(body)?)?),
        Operation::PutItem => write(&items::put(call, read(body)?)?),
        Operation::UpdateItem => write(&items::update(call, &read(body)?)?),
        Operation::UpdateTable => write(&manage::update(call, &read(body)?)?),
        Operation::StreamsDescribeStream => write(&listing::describe(call, &read(body)?)?),
        Operation::StreamsGetRecords => read::records(call, &read(body)?),
        Operation::StreamsGetShardIterator => write(&read::iterator(call, &read(body)?)?),
        Operation::StreamsListStreams => write(&listing::list(call, &read(body)?)?),
        _ => Err(Code::UnknownOperation
            .because("The requested operation is not one of the embedded AWS.")),
    }
}

/// What an operation works with: the whole state for its duration, and the time at which it takes effect.
struct Call<'a> {
    world: &'a World,
    state: std::sync::MutexGuard<'a, State>,
    now_ms: u64,
    fault: Option<Fault>,
}

impl<'a> Call<'a> {
    /// Begins an operation: all streams are brought up to date.
    fn new(world: &'a World, fault: Option<Fault>) -> Self {
        let mut call = Self {
            world,
            state: world.lock(),
            now_ms: world.clock().now_ms(),
            fault,
        };
        let now_ms = call.now_ms;
        let (_, streams, mut mint) = call.parts();
        streams.retain(|_, stream| !stream.is_gone(now_ms));
        let mut told = Vec::new();
        for (arn, stream) in streams {
            let trimmed = stream.settle(now_ms, &mut mint).into_iter();
            told.extend(trimmed.map(|(shard, trimmed)| (arn.clone(), shard, trimmed)));
        }
        for (arn, shard, trimmed) in told {
            call.record_trimmed(&arn, &shard, trimmed);
        }
        call
    }

    /// The tables, the streams, and where identifiers come from.
    fn parts(
        &mut self,
    ) -> (
        &mut BTreeMap<String, Table>,
        &mut BTreeMap<String, Stream>,
        Mint<'_>,
    ) {
        let state = &mut *self.state;
        let DynamoDb {
            tables,
            streams,
            number,
        } = &mut state.dynamodb;
        let mint = Mint {
            rng: &mut state.rng,
            number,
        };
        (tables, streams, mint)
    }

    /// The table of this name or ARN.
    fn table(&mut self, name: &str) -> Result<&mut Table, DynamoError> {
        let name = table_name(name);
        let found = self.state.dynamodb.tables.get_mut(name);
        found.ok_or_else(|| no_table(name))
    }

    /// The stream of this ARN.
    fn stream(&mut self, arn: &str) -> Result<&mut Stream, DynamoError> {
        let found = self.state.dynamodb.streams.get_mut(arn);
        found.ok_or_else(|| {
            Code::ResourceNotFound.because(format!(
                "Requested resource not found: Stream: {arn} not found"
            ))
        })
    }

    fn record_read(&mut self, stream: &str, shard: &str, read: &read::RecordsRead) {
        if read.count == 0 && !read.ended {
            return;
        }
        self.record(|| Event::RecordsRead {
            stream: stream.to_owned(),
            shard: shard.to_owned(),
            count: read.count,
            first: read.first.map(|number| number.to_string()),
            last: read.last.map(|number| number.to_string()),
            ended: read.ended,
        });
    }

    fn record_trimmed(&mut self, stream: &str, shard: &str, trimmed: Trimmed) {
        self.record(|| Event::RecordsTrimmed {
            stream: stream.to_owned(),
            shard: shard.to_owned(),
            count: trimmed.count,
            through: trimmed.through.to_string(),
        });
    }

    fn record(&mut self, event: impl FnOnce() -> Event) {
        self.state
            .history
            .record(self.world.clock().elapsed(), event);
    }
}

/// `TableName` may be an ARN.
// API: DynamoDB PutItem, TableName
fn table_name(name: &str) -> &str {
    name.rsplit_once(":table/").map_or(name, |(_, name)| name)
}

fn no_table(name: &str) -> DynamoError {
    Code::ResourceNotFound.because(format!(
        "Requested resource not found: Table: {name} not found"
    ))
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, DynamoError> {
    serde_json::from_slice(body).map_err(|error| {
        Code::Serialization.because(format!("failed to read the request: {error}"))
    })
}

fn write<T: Serialize>(output: &T) -> Result<Bytes, DynamoError> {
    let bytes = serde_json::to_vec(output)
        .map_err(|error| Code::InternalServerError.because(error.to_string()))?;
    Ok(bytes.into())
}
