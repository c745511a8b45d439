//! The embedded AWS under load: it is filled as the plan says, and its function is the plan's.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::flow::Flow;
use super::gauge::{Gauge, payload};
use super::plan::{ACCOUNT, Function, NAME, Plan, REGION, Source, TIMEOUT};
use crate::clock::Clock;
use crate::sim::dynamodb::ViewType;
use crate::sim::{FunctionConfig, Reply, Settings, World};

/// How much is kept in store where there is a backlog.
const BACKLOG: u64 = 20_000;
/// So many records at once, and a look at what was taken.
const ROUND: u64 = 200;
/// A full store is looked at again after this.
const LOOK: Duration = Duration::from_millis(2);

/// What is filled.
#[derive(Debug)]
pub struct Embedded {
    world: World,
    plan: Plan,
    gauge: Arc<Gauge>,
    source_arn: String,
}

impl Embedded {
    /// A world with the plan's queue, stream or table, and its function.
    ///
    /// # Errors
    /// The embedded AWS refuses one of them: why.
    pub fn new(plan: &Plan, gauge: Arc<Gauge>) -> Result<Self, String> {
        let world = World::with(Settings {
            epoch: Duration::from_millis(Clock::machine().now_ms()),
            region: REGION.to_owned(),
            account: ACCOUNT.to_owned(),
            history_max: 0,
            ..Settings::default()
        });
        let source_arn = match plan.source {
            Source::Queue => world
                .create_queue(NAME, &[("VisibilityTimeout", "360")])
                .map(|_| world.queue_arn(NAME))
                .map_err(|error| error.to_string())?,
            Source::Fifo => {
                let name = queue(plan.source);
                let fifo = [("FifoQueue", "true"), ("VisibilityTimeout", "360")];
                let made = world.create_queue(name, &fifo);
                made.map_err(|error| error.to_string())?;
                world.queue_arn(name)
            }
            Source::Kinesis => world
                .create_stream(NAME, plan.shards)
                .map_err(|error| error.to_string())?,
            Source::Dynamodb => world
                .create_partitioned_table(NAME, "id", ViewType::NewImage, plan.shards)
                .map_err(|error| error.to_string())?,
        };
        let config = FunctionConfig {
            timeout: TIMEOUT,
            ..FunctionConfig::default()
        };
        let (function, counted) = (plan.function, gauge.clone());
        world.register(NAME, config, move |invocation| {
            let number = counted.invoked(&invocation.event);
            std::future::ready(reply(function, number))
        });
        Ok(Self {
            world,
            plan: plan.clone(),
            gauge,
            source_arn,
        })
    }

    /// Where the records come from.
    pub fn source_arn(&self) -> &str {
        &self.source_arn
    }

    /// To be served.
    pub fn world(&self) -> World {
        self.world.clone()
    }

    /// Fill it for as long as this is polled.
    ///
    /// # Errors
    /// It takes no more: why.
    pub async fn fill(self) -> String {
        let flow = Flow::new(self.plan.rate.map(|rate| rate as f64));
        let began_us = self.gauge.now_us();
        let mut next: u64 = 0;
        loop {
            let room = match self.plan.rate {
                Some(_) => ROUND,
                None => (self.gauge.events() + BACKLOG)
                    .saturating_sub(next)
                    .min(ROUND),
            };
            let count = flow.there(next, room as usize) as u64;
            for number in next..next + count {
                let at_us = flow.arrival_us(began_us, number);
                if let Err(why) = self.put(number, at_us) {
                    return why;
                }
            }
            next += count;
            let until = match self.plan.rate {
                Some(_) => flow.arrival(next),
                None if count > 0 => Instant::now(),
                None => Instant::now() + LOOK,
            };
            tokio::time::sleep_until(until).await;
            tokio::task::yield_now().await;
        }
    }

    fn put(&self, number: u64, at_us: u64) -> Result<(), String> {
        let bytes = self.plan.bytes();
        match self.plan.source {
            Source::Queue => {
                let sent = self.world.send(NAME, &payload(at_us, bytes));
                sent.map(drop).map_err(|error| error.to_string())
            }
            Source::Fifo => {
                let group = format!("group-{}", number % u64::from(self.plan.groups));
                let body = payload(at_us, bytes);
                let sent = self
                    .world
                    .send_to_group(queue(self.plan.source), &group, &body);
                sent.map(drop).map_err(|error| error.to_string())
            }
            Source::Kinesis => {
                let key = format!("key-{number}");
                let put = self.world.put_record(NAME, &key, payload(at_us, bytes));
                put.map(drop).map_err(|error| error.to_string())
            }
            Source::Dynamodb => {
                let text = "x".repeat(bytes.saturating_sub(40));
                // Items come again, so that the table does not grow; each time they are others.
                let id = (number % BACKLOG).to_string();
                let item = json!({
                    "id": { "S": id }, "at": { "S": format!("{at_us:016}") }, "number": { "N": number.to_string() }, "text": { "S": text }
                });
                let put = self.world.put_item(NAME, &item);
                put.map(drop).map_err(|error| error.to_string())
            }
        }
    }
}

fn queue(source: Source) -> &'static str {
    match source {
        Source::Fifo => "bench.fifo",
        Source::Queue | Source::Kinesis | Source::Dynamodb => NAME,
    }
}

fn reply(function: Function, number: u64) -> Reply {
    if function.fails(number) {
        return Reply::error("as asked for");
    }
    let reply = Reply::batch_item_failures([""; 0]);
    match function {
        Function::Slow(time) => reply.after(time),
        Function::Fast | Function::Failing(_) => reply,
    }
}
