//! The stream engine under a paused clock: the real service and the real SDK clients against the embedded AWS in
//! process, in one thread, so that hours pass in milliseconds and a seed repeats a run.

mod policy;
mod simulation;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sluicegate::sim::{Invocation, Settings, World};

use crate::engine::{FUNCTION, Running, Stage};

/// A stage with a stream, and a function whose answers a test scripts.
pub struct StreamStage {
    pub stage: Stage,
}

pub const STREAM: &str = "clicks";

impl StreamStage {
    /// A Kinesis stream of so many shards.
    pub fn kinesis(seed: u64, shards: u32) -> Self {
        let stage = Stage::with(Settings {
            seed,
            ..Settings::default()
        });
        stage
            .world
            .create_stream(STREAM, shards)
            .expect("a new stream");
        Self { stage }
    }

    pub fn world(&self) -> &World {
        &self.stage.world
    }

    /// Start the service with one mapping of the stream; `more` are further keys, a line each.
    pub fn start(&self, position: &str, more: &[&str]) -> Running {
        self.stage.start_with(&self.configuration(position, more))
    }

    pub fn configuration(&self, position: &str, more: &[&str]) -> String {
        let mut text = format!(
            "EventSourceMappings:\n  - Name: m\n    EventSourceArn: {}\n    FunctionName: {FUNCTION}\n    StartingPosition: {position}\n",
            self.world().stream_arn(STREAM)
        );
        for line in more {
            text.push_str(&format!("    {line}\n"));
        }
        text
    }

    /// Put records that hold their own numbers, with this key.
    pub fn put(&self, key: &str, numbers: std::ops::Range<u32>) {
        for number in numbers {
            self.world()
                .put_record(STREAM, key, number.to_string())
                .expect("the stream takes it");
        }
    }

    /// The numbers in each invocation so far.
    pub fn calls(&self) -> Vec<Vec<u32>> {
        self.stage.invocations().iter().map(numbers).collect()
    }

    /// Let time pass until this holds, at most this long.
    pub async fn until(&self, what: &str, at_most: Duration, holds: impl Fn() -> bool) {
        let began = tokio::time::Instant::now();
        while !holds() {
            assert!(
                began.elapsed() < at_most,
                "{what}: not after {at_most:?}: {:?}",
                self.calls()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// The numbers that the records of an invocation hold.
pub fn numbers(invocation: &Invocation) -> Vec<u32> {
    let event: Value = serde_json::from_slice(&invocation.event).expect("an event is JSON");
    let records = event["Records"].as_array().expect("an event has records");
    records
        .iter()
        .map(|record| {
            let data = record["kinesis"]["data"].as_str().expect("data");
            let data = STANDARD.decode(data).expect("base64");
            String::from_utf8(data).unwrap().parse().unwrap()
        })
        .collect()
}
