//! Enhanced fan-out: a consumer's mapping is pushed what comes, whatever happens to its subscriptions. // spec: 5.1, 5.2

mod trouble;
mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sluicegate::sim::{Event, FunctionConfig, Invocation, KinesisOperation, Operation, Reply};
use sluicegate::status::State;
use tokio::time::{Instant, sleep};

use super::{STREAM, StreamStage};
use crate::engine::{FUNCTION, Running};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const SUBSCRIBE: Operation = Operation::Kinesis(KinesisOperation::SubscribeToShard);

/// Keys enough that every shard gets some.
const KEYS: u32 = 8;

/// A stream with a consumer, and records that hold their own number, whose key is that number's remainder.
struct FanOut {
    stage: StreamStage,
    consumer: String,
    /// What was delivered, in order.
    come: Arc<Mutex<Vec<u32>>>,
}

impl FanOut {
    fn new(seed: u64, shards: u32) -> Self {
        let stage = StreamStage::kinesis(seed, shards);
        let consumer = stage.world().register_consumer(STREAM, "c").unwrap();
        let this = Self {
            stage,
            consumer,
            come: Arc::default(),
        };
        this.function(|_| Reply::ok("{}"));
        this
    }

    fn function(&self, answer: impl Fn(&Invocation) -> Reply + Send + Sync + 'static) {
        let come = self.come.clone();
        let answer = move |invocation: &Invocation| {
            come.lock().unwrap().extend(numbers(invocation));
            answer(invocation)
        };
        self.stage.stage.function(FunctionConfig::default(), answer);
    }

    fn configuration(&self, position: &str, more: &[&str]) -> String {
        let mut text = format!(
            "EventSourceMappings:\n  - Name: m\n    EventSourceArn: {}\n    FunctionName: {FUNCTION}\n    StartingPosition: {position}\n",
            self.consumer
        );
        for line in more {
            text.push_str(&format!("    {line}\n"));
        }
        text
    }

    fn start(&self, position: &str, more: &[&str]) -> Running {
        let text = self.configuration(position, more);
        self.stage.stage.start_with(&text)
    }

    async fn enabled(&self) {
        let enabled = || self.state().0 == State::Enabled;
        self.until("enabled", MINUTE, enabled).await;
    }

    fn put(&self, number: u32) {
        self.put_padded(number, 0);
    }

    /// Put a record with blanks behind its number.
    fn put_padded(&self, number: u32, bytes: usize) {
        let data = format!("{number}{}", " ".repeat(bytes));
        let key = format!("key {}", number % KEYS);
        self.stage.world().put_record(STREAM, &key, data).unwrap();
    }

    /// Wait until so many records were delivered.
    async fn delivered(&self, count: usize, at_most: Duration) {
        let came = || self.come.lock().unwrap().len() >= count;
        self.until("delivered", at_most, came).await;
    }

    async fn until(&self, what: &str, at_most: Duration, holds: impl Fn() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(
                began.elapsed() < at_most,
                "{what}: not after {at_most:?}: {:?}, {:?}",
                self.state(),
                self.come()
            );
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// What was delivered of each key, in order.
    fn come(&self) -> BTreeMap<u32, Vec<u32>> {
        let mut come = BTreeMap::<u32, Vec<u32>>::new();
        for number in self.come.lock().unwrap().iter() {
            come.entry(number % KEYS).or_default().push(*number);
        }
        come
    }

    /// Each of these came once, and each key's in order.
    fn came_once_in_order(&self, all: std::ops::Range<u32>) {
        let mut put = BTreeMap::<u32, Vec<u32>>::new();
        for number in all {
            put.entry(number % KEYS).or_default().push(number);
        }
        assert_eq!(self.come(), put);
    }

    fn requests(&self, operation: &str, outcome: &str) -> f64 {
        self.stage.stage.metric(&format!(
            "sluicegate_source_requests_total{{mapping=\"m\",operation=\"{operation}\",outcome=\"{outcome}\"}}"
        ))
    }

    fn state(&self) -> (State, String) {
        let mappings = self.stage.stage.status.readiness().mappings;
        let told = |mapping: sluicegate::status::MappingStatus| {
            (mapping.state, mapping.reason.unwrap_or_default())
        };
        let first = mappings.into_iter().next();
        first.map_or((State::Creating, String::new()), told)
    }
}

/// The numbers in an invocation; large records are slow to take apart by a parser of JSON that is not optimised.
fn numbers(invocation: &Invocation) -> Vec<u32> {
    let event: Value = serde_json::from_slice(&invocation.event).unwrap();
    let number = |record: &Value| {
        let data = record["kinesis"]["data"].as_str().unwrap();
        // 4 letters hold 3 bytes.
        let head = STANDARD.decode(&data[..data.len().min(12)]).unwrap();
        String::from_utf8(head).unwrap().trim().parse().unwrap()
    };
    event["Records"]
        .as_array()
        .unwrap()
        .iter()
        .map(number)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn records_of_an_hour_come_at_once_in_order_and_once() {
    let fan = FanOut::new(1, 2);
    let running = fan.start("TRIM_HORIZON", &[]);
    fan.enabled().await;
    let began = Instant::now();
    let mut next = 0;
    while began.elapsed() < 60 * MINUTE {
        fan.put(next);
        next += 1;
        sleep(Duration::from_millis(1_700)).await;
    }
    let account = running.stop().await;
    fan.came_once_in_order(0..next);
    assert_eq!(account.settled, u64::from(next));

    // Also while one subscription ends and the next begins.
    let (mut put, mut slowest) = (Vec::new(), Duration::ZERO);
    for entry in fan.stage.world().history() {
        match entry.event {
            Event::RecordPut { .. } => put.push(entry.at),
            Event::Invoked { event, .. } => {
                let event: Value = serde_json::from_slice(&event).unwrap();
                for _ in event["Records"].as_array().unwrap() {
                    slowest = slowest.max(entry.at - put.remove(0));
                }
            }
            _ => {}
        }
    }
    assert!(slowest < SECOND, "{slowest:?}");
    assert_eq!(fan.requests("SubscribeToShard", "error"), 0.0);
    // Twelve an hour and shard, and the one that is open.
    assert_eq!(fan.requests("SubscribeToShard", "success"), 2.0 * 13.0);
}

#[tokio::test(start_paused = true)]
async fn an_idle_shard_costs_twelve_subscriptions_an_hour_and_no_reads() {
    let fan = FanOut::new(2, 1);
    let running = fan.start("TRIM_HORIZON", &[]);
    fan.enabled().await;
    let counted = || {
        [
            "SubscribeToShard",
            "GetShardIterator",
            "GetRecords",
            "ListShards",
            "DescribeStreamSummary",
            "DescribeStreamConsumer",
        ]
        .map(|operation| fan.requests(operation, "success"))
    };
    sleep(SECOND).await;
    let before = counted();
    sleep(60 * MINUTE).await;
    let after = counted();
    let cost = |at: usize| after[at] - before[at];
    assert_eq!([0, 1, 2, 4, 5].map(cost), [12.0, 0.0, 0.0, 12.0, 0.0]);
    // Every minute or, by chance, a little sooner; of the whole stream.
    assert!((60.0..=90.0).contains(&cost(3)), "{}", cost(3));
    assert_eq!(fan.state(), (State::Enabled, String::new()));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn latest_is_what_comes_after_the_mapping_is_enabled() {
    // At once, and when the first subscriptions have ended without a record.
    for pause in [Duration::ZERO, 6 * MINUTE] {
        let fan = FanOut::new(3, 4);
        for number in 1_000..1_100 {
            fan.put(number);
        }
        let running = fan.start("LATEST", &[]);
        fan.enabled().await;
        sleep(pause).await;
        for number in 0..100 {
            fan.put(number);
        }
        fan.delivered(100, 10 * SECOND).await;
        sleep(MINUTE).await;
        running.stop().await;
        fan.came_once_in_order(0..100);
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_before_the_first_record_misses_none() {
    let fan = FanOut::new(4, 1);
    fan.put(1_000);
    sleep(10 * MINUTE).await;
    let running = fan.start("LATEST", &[]);
    fan.enabled().await;
    sleep(10 * MINUTE).await;
    running.stop().await;
    fan.put(0);
    let running = fan.start("LATEST", &[]);
    fan.delivered(1, MINUTE).await;
    running.stop().await;
    fan.came_once_in_order(0..1);
}

#[tokio::test(start_paused = true)]
async fn order_holds_through_splits_and_merges() {
    let fan = FanOut::new(5, 2);
    let running = fan.start("TRIM_HORIZON", &["ParallelizationFactor: 3"]);
    let mut next = 0;
    let mut put = async |count: u32| {
        for _ in 0..count {
            fan.put(next);
            next += 1;
            sleep(Duration::from_millis(130)).await;
        }
    };
    put(300).await;
    let world = fan.stage.world();
    let open = || {
        let shards = world.stream(STREAM).unwrap().shards;
        let open = shards.into_iter().filter(|shard| shard.open);
        open.map(|shard| shard.id).collect::<Vec<_>>()
    };
    world.split_shard(STREAM, &open()[0]).unwrap();
    put(300).await;
    for shard in open() {
        world.split_shard(STREAM, &shard).unwrap();
    }
    put(300).await;
    // Neighbours by their hash keys are those of one parent.
    let [left, right] = world.split_shard(STREAM, &open()[0]).unwrap();
    world.merge_shards(STREAM, &left, &right).unwrap();
    put(300).await;
    fan.delivered(1_200, MINUTE).await;
    running.stop().await;
    fan.came_once_in_order(0..1_200);
}

#[tokio::test(start_paused = true)]
async fn a_slow_function_is_not_flooded() {
    const RECORDS: u32 = 400;
    const RECORD_BYTES: usize = 100 * 1024;
    let fan = FanOut::new(6, 1);
    fan.function(|_| Reply::ok("{}").after(2 * SECOND));
    for number in 0..RECORDS {
        fan.put_padded(number, RECORD_BYTES);
    }
    let running = fan.start("TRIM_HORIZON", &["BatchSize: 10"]);
    fan.delivered(RECORDS as usize, 5 * MINUTE).await;
    running.stop().await;
    fan.came_once_in_order(0..RECORDS);

    // What the source was asked for, beyond what the function had got: two events, and one of the source's.
    let (mut read, mut invoked, mut ahead_max) = (0, 0, 0);
    for entry in fan.stage.world().history() {
        match entry.event {
            Event::RecordsRead { count, .. } => read += count,
            Event::Invoked { .. } => invoked += 10,
            _ => {}
        }
        ahead_max = ahead_max.max(read.saturating_sub(invoked));
    }
    // An event record is a third longer than what it holds.
    let bytes = ahead_max * RECORD_BYTES * 4 / 3;
    assert!(bytes < 14 * 1024 * 1024, "{ahead_max} records ahead");
    let subscriptions = fan.requests("SubscribeToShard", "success");
    assert!((2.0..=6.0).contains(&subscriptions), "{subscriptions}");
    assert_eq!(fan.requests("SubscribeToShard", "error"), 0.0);
}
