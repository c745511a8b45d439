//! A mapping beside the one that is reloaded: it has a stream and a function of its own, never changes, and is to notice
//! nothing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sluicegate::sim::dynamodb::ViewType;
use sluicegate::sim::{Event, FunctionConfig, Invocation, Reply, World};
use tokio::time::{Instant, sleep};

use super::judge::{How, Life};
use super::plan::{Kind, Plan, Weather};

const NAME: &str = "beside";
/// How long its function takes.
const WORK: Duration = Duration::from_millis(300);
/// How long a record may wait where nothing is in its way: an idle shard is read every second.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// A process that follows another at once waits until it may subscribe, and longer where it is refused.
const SUBSCRIBE_MAX: Duration = Duration::from_secs(40);

pub struct Beside {
    world: World,
    kind: Kind,
    arn: String,
    began: Instant,
    /// When each record was put; they hold their numbers.
    put: Vec<Duration>,
    /// When each was offered.
    offered: Arc<Mutex<Vec<(Duration, usize)>>>,
}

impl Beside {
    pub fn new(world: &World, kind: Kind) -> Self {
        let arn = match kind {
            Kind::Kinesis => world.create_stream(NAME, 1).unwrap(),
            Kind::FanOut => {
                world.create_stream(NAME, 1).unwrap();
                world.register_consumer(NAME, "c").unwrap()
            }
            Kind::Dynamo => world
                .create_partitioned_table(NAME, "id", ViewType::NewImage, 1)
                .unwrap(),
        };
        let began = Instant::now();
        let offered = Arc::<Mutex<Vec<_>>>::default();
        let calls = offered.clone();
        world.register(NAME, FunctionConfig::default(), move |call: Invocation| {
            calls.lock().unwrap().push((began.elapsed(), number(&call)));
            async {
                sleep(WORK).await;
                Reply::ok("{}")
            }
        });
        Self {
            world: world.clone(),
            kind,
            arn,
            began,
            put: Vec::new(),
            offered,
        }
    }

    pub fn put_one(&mut self) {
        let number = self.put.len();
        match self.kind {
            Kind::Kinesis | Kind::FanOut => {
                let data = format!("{{\"n\":{number}}}");
                self.world.put_record(NAME, "key", data).unwrap();
            }
            Kind::Dynamo => {
                let item = json!({ "id": { "S": "key" }, "n": { "N": number.to_string() } });
                self.world.put_item(NAME, &item).unwrap();
            }
        }
        self.put.push(self.began.elapsed());
    }

    /// Its part of the configuration.
    pub fn config(&self) -> String {
        format!(
            "  - Name: {NAME}\n    EventSourceArn: {}\n    FunctionName: {NAME}\n    BatchSize: 1\n    StartingPosition: TRIM_HORIZON\n",
            self.arn
        )
    }

    pub fn count(&self) -> u64 {
        self.put.len() as u64
    }

    /// Each was offered, as far as none was lost to the source.
    pub fn done(&self, plan: &Plan) -> bool {
        let offered = self.offered.lock().unwrap();
        let last = offered.iter().map(|(_, number)| *number).max();
        plan.loss || last.map_or(0, |last| last + 1) == self.put.len()
    }

    /// A process was there, in fair weather: its shard was opened once, and behind each read that brought more than is kept; no reload
    /// began anything anew.
    pub fn undisturbed(&self, plan: &Plan, metrics: &str) -> bool {
        let operation = match self.kind {
            Kind::Kinesis | Kind::Dynamo => "GetShardIterator",
            // One for each start; a subscription is renewed.
            Kind::FanOut => "DescribeStreamConsumer",
        };
        let series = format!(
            "sluicegate_source_requests_total{{mapping=\"{NAME}\",operation=\"{operation}\",outcome=\"success\"}} "
        );
        let count = metrics.lines().find_map(|line| line.strip_prefix(&series));
        // A table's shard rolls over every four hours.
        let shards = match self.kind {
            Kind::Kinesis if plan.reads.is_some() => 1 + self.reads_of_several(),
            Kind::Kinesis | Kind::FanOut => 1,
            Kind::Dynamo => self.world.table(NAME).map_or(0, |table| table.shards.len()),
        };
        count.is_none_or(|count| count.parse::<usize>().is_ok_and(|count| count <= shards))
    }

    /// Reads that brought more than one record: the first is kept in any case.
    fn reads_of_several(&self) -> usize {
        let history = self.world.history();
        let several = history.iter().filter(|entry| {
            matches!(&entry.event, Event::RecordsRead { stream, count, .. } if stream == NAME && 1 < *count)
        });
        several.count()
    }

    /// What it noticed.
    pub fn judge(&self, plan: &Plan, lives: &[Life], broken: &mut Vec<String>) {
        let mut breach = |at: Duration, what: String| {
            broken.push(format!("beside at {at:?}: {what}"));
        };
        if !self.done(plan) {
            breach(self.began.elapsed(), "records are not settled".to_owned());
        }
        let offered = self.offered.lock().unwrap();
        let (mut next, mut free) = (0, Duration::ZERO);
        for (at, number) in offered.iter().copied() {
            if number > next && !plan.loss {
                breach(at, format!("{number} was offered before {next}"));
            }
            if number < next && !plan.deaf() {
                breach(at, format!("{number} was offered twice"));
            }
            next = next.max(number + 1);
            let starts = lives.iter().rev().filter(|life| life.how != How::Reloaded);
            let (start, count) = starts
                .clone()
                .find(|life| life.at <= at)
                .map_or((Duration::ZERO, 0), |life| (life.at, starts.count()));
            let again = self.kind == Kind::FanOut && count > 1;
            let start = start + if again { SUBSCRIBE_MAX } else { Duration::ZERO };
            let ready = self.put[number].max(free).max(start);
            if plan.weather() == Weather::Fair && ready + WAIT_MAX < at {
                breach(at, format!("{number} waited since {ready:?}"));
            }
            free = at + WORK;
        }
    }
}

fn number(call: &Invocation) -> usize {
    let event: Value = serde_json::from_slice(&call.event).unwrap();
    let record = &event["Records"][0];
    match record["kinesis"]["data"].as_str() {
        Some(data) => {
            let data: Value = serde_json::from_slice(&STANDARD.decode(data).unwrap()).unwrap();
            data["n"].as_u64().unwrap() as usize
        }
        None => {
            let number = record["dynamodb"]["NewImage"]["n"]["N"].as_str();
            number.unwrap().parse().unwrap()
        }
    }
}
