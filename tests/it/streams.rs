//! The stream engine under a paused clock: the real service and the real SDK clients against the embedded AWS in
//! process, in one thread, so that hours pass in milliseconds and a seed repeats a run.

mod batches;
mod control;
mod destinations;
mod dynamodb;
mod events;
mod exported;
mod fanout;
mod filters;
mod idle;
mod lanes;
mod large;
mod limits;
mod policy;
mod positions;
mod reading;
mod reload;
mod replies;
mod reshard;
mod simulation;
mod stop;
mod troubles;
mod windows;

use std::ops::Range;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sluicegate::config::Config;
use sluicegate::sim::dynamodb::ViewType;
use sluicegate::sim::kinesis::ShardView;
use sluicegate::sim::{
    FunctionConfig, Invocation, KinesisOperation, Operation, Reply, Settings, World,
};
use sluicegate::status::MappingStatus;

use crate::engine::{FUNCTION, Running, Stage, of_mapping};

/// A stage with a stream, and a function whose answers a test scripts.
pub struct StreamStage {
    pub stage: Stage,
    source: String,
}

pub const STREAM: &str = "clicks";
pub const TABLE: &str = "orders";
/// The queue that on-failure records go to.
pub const FAILED: &str = "failed";
/// Long enough for whatever a test waits for.
pub const SOON: Duration = Duration::from_secs(60);

pub const GET_RECORDS: Operation = Operation::Kinesis(KinesisOperation::GetRecords);
pub const GET_SHARD_ITERATOR: Operation = Operation::Kinesis(KinesisOperation::GetShardIterator);
pub const LIST_SHARDS: Operation = Operation::Kinesis(KinesisOperation::ListShards);

impl StreamStage {
    /// A Kinesis stream of so many shards.
    pub fn kinesis(seed: u64, shards: u32) -> Self {
        let stage = stage(seed);
        let source = stage.world.create_stream(STREAM, shards);
        let source = source.expect("a new stream");
        Self { stage, source }
    }

    /// A table with a stream of so many shards.
    pub fn dynamodb(seed: u64, partitions: u32) -> Self {
        let stage = stage(seed);
        let view = ViewType::NewAndOldImages;
        let source = stage
            .world
            .create_partitioned_table(TABLE, "id", view, partitions);
        let source = source.expect("a new table");
        Self { stage, source }
    }

    /// One of each, with one shard.
    pub fn both(seed: u64) -> [Self; 2] {
        [Self::kinesis(seed, 1), Self::dynamodb(seed, 1)]
    }

    pub fn world(&self) -> &World {
        &self.stage.world
    }

    fn is_kinesis(&self) -> bool {
        self.source.contains(":kinesis:")
    }

    /// From now on the function answers so.
    pub fn answers(&self, answer: impl Fn(&Invocation) -> Reply + Send + Sync + 'static) {
        self.stage.function(FunctionConfig::default(), answer);
    }

    /// It handles everything, and takes this long for the first call.
    pub fn takes_at_first(&self, time: Duration) {
        let config = FunctionConfig {
            timeout: time * 2,
            ..FunctionConfig::default()
        };
        self.stage.function(config, move |call| match call.number {
            1 => Reply::ok("{}").after(time),
            _ => Reply::ok("{}"),
        });
    }

    /// Start the service with one mapping of the stream; `more` are further keys, a line each.
    pub fn start(&self, position: &str, more: &[&str]) -> Running {
        self.stage.start_with(&self.configuration(position, more))
    }

    /// Start at the horizon; discards go to the queue.
    pub fn start_failing_to_queue(&self, more: &[&str]) -> Running {
        let destination = self.failing_to_queue();
        let more: Vec<&str> = more.iter().copied().chain([destination.as_str()]).collect();
        self.start("TRIM_HORIZON", &more)
    }

    /// The setting by which discards go to the queue, which is made if it is not there.
    pub fn failing_to_queue(&self) -> String {
        if self.world().queue(FAILED).is_none() {
            self.world().create_queue(FAILED, &[]).unwrap();
        }
        failing_to(&self.world().queue_arn(FAILED))
    }

    pub fn configuration(&self, position: &str, more: &[&str]) -> String {
        let mut text = format!(
            "EventSourceMappings:\n  - Name: m\n    EventSourceArn: {}\n    FunctionName: {FUNCTION}\n    StartingPosition: {position}\n",
            self.source
        );
        for line in more {
            text.push_str(&format!("    {line}\n"));
        }
        text
    }

    /// Put records that hold their own numbers, with this key.
    pub fn put(&self, key: &str, numbers: Range<u32>) {
        for number in numbers {
            if self.is_kinesis() {
                self.world()
                    .put_record(STREAM, key, number.to_string())
                    .expect("the stream takes it");
            } else {
                let item = json!({ "id": { "S": key }, "n": { "N": number.to_string() } });
                self.world().put_item(TABLE, &item).expect("a table");
            }
        }
    }

    /// The same, each with a key of its own: `key-7`.
    pub fn put_apart(&self, numbers: Range<u32>) {
        for number in numbers {
            self.put(&format!("key-{number}"), number..number + 1);
        }
    }

    /// The numbers in each invocation so far.
    pub fn calls(&self) -> Vec<Vec<u32>> {
        self.stage.invocations().iter().map(numbers).collect()
    }

    /// All numbers that were delivered, in the order of that.
    pub fn delivered(&self) -> Vec<u32> {
        self.calls().concat()
    }

    /// The on-failure records in the queue.
    pub fn failed(&self) -> Vec<Value> {
        let queue = self.world().queue(FAILED).expect("the queue");
        let records = queue.messages.iter();
        records
            .map(|message| serde_json::from_str(&message.body).expect("a record is JSON"))
            .collect()
    }

    /// The mapping's status.
    pub fn status(&self) -> MappingStatus {
        self.stage.status.readiness().mappings.remove(0)
    }

    /// A family of the mapping without further labels.
    pub fn counted(&self, family: &str) -> f64 {
        self.stage.metric(&of_mapping(family))
    }

    /// A series of the mapping with one more label.
    pub fn labelled(&self, family: &str, label: &str, value: &str) -> f64 {
        let series = format!("sluicegate_{family}{{mapping=\"m\",{label}=\"{value}\"}}");
        self.stage.metric(&series)
    }

    pub fn shards(&self) -> Vec<ShardView> {
        self.world().stream(STREAM).expect("the stream").shards
    }

    /// The mapping's UUID, as the configuration without one makes it.
    pub fn uuid(&self) -> String {
        let text = self.configuration("TRIM_HORIZON", &[]);
        let config = Config::parse("test.yaml", &text, &|_| None).expect("it is right");
        config.mappings[0].uuid.clone()
    }

    /// Let time pass until this holds, at most this long.
    pub async fn until(&self, what: &str, at_most: Duration, holds: impl Fn() -> bool) {
        let began = tokio::time::Instant::now();
        while !holds() {
            assert!(
                began.elapsed() < at_most,
                "{what}: not after {at_most:?}: {:?}, {:?}",
                self.calls(),
                self.status()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Let time pass until so many records were delivered.
    pub async fn until_delivered(&self, count: usize) {
        let all = || self.delivered().len() >= count;
        self.until(&format!("{count} delivered"), SOON, all).await;
    }
}

fn stage(seed: u64) -> Stage {
    Stage::with(Settings {
        seed,
        ..Settings::default()
    })
}

/// The setting by which discards go there.
pub fn failing_to(arn: &str) -> String {
    format!("DestinationConfig: {{ OnFailure: {{ Destination: \"{arn}\" }} }}")
}

pub async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

pub async fn seconds(count: u64) {
    pass(Duration::from_secs(count)).await;
}

pub fn event(invocation: &Invocation) -> Value {
    serde_json::from_slice(&invocation.event).expect("an event is JSON")
}

/// The numbers that the records of an invocation hold.
pub fn numbers(invocation: &Invocation) -> Vec<u32> {
    let event = event(invocation);
    let records = event["Records"].as_array().expect("an event has records");
    records.iter().map(number).collect()
}

fn number(record: &Value) -> u32 {
    let text = match record["kinesis"]["data"].as_str() {
        Some(data) => String::from_utf8(STANDARD.decode(data).expect("base64")).unwrap(),
        None => record["dynamodb"]["NewImage"]["n"]["N"]
            .as_str()
            .expect("a new image with a number")
            .to_owned(),
    };
    text.split(' ').next().unwrap().parse().unwrap()
}

/// The sequence number of a record of an invocation.
pub fn sequence_number(invocation: &Invocation, index: usize) -> String {
    let record = &event(invocation)["Records"][index];
    let number = [
        &record["kinesis"]["sequenceNumber"],
        &record["dynamodb"]["SequenceNumber"],
    ];
    let number = number.into_iter().find_map(Value::as_str);
    number.expect("a sequence number").to_owned()
}

/// Fails by an exception whenever it is given this record.
pub fn fails_on(record: u32) -> impl Fn(&Invocation) -> Reply {
    move |invocation| match numbers(invocation).contains(&record) {
        true => Reply::error("poison"),
        false => Reply::ok("{}"),
    }
}

/// Names this record whenever it is given it.
pub fn names(record: u32) -> impl Fn(&Invocation) -> Reply {
    move |invocation| {
        let held = numbers(invocation);
        let index = held.iter().position(|number| *number == record);
        let id = index.map(|index| sequence_number(invocation, index));
        Reply::batch_item_failures(id)
    }
}
