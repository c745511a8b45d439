//! Somebody else who subscribes as the same consumer, now and then, and leaves again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use aws_sdk_kinesis::types::{ShardIteratorType, StartingPosition};
use sluicegate::sim::World;
use tokio::task::JoinSet;
use tokio::time::timeout;

#[derive(Debug, Default)]
pub struct Rival {
    tasks: JoinSet<()>,
    taken: Arc<AtomicU64>,
}

impl Rival {
    /// Takes the shard at its tip, and keeps it for so long, unless it is taken back.
    pub fn take(&mut self, world: &World, consumer: &str, shard: &str, keeps: Duration) {
        let from = StartingPosition::builder().r#type(ShardIteratorType::Latest);
        let call = world
            .kinesis_client()
            .subscribe_to_shard()
            .consumer_arn(consumer)
            .shard_id(shard)
            .starting_position(from.build().unwrap());
        let taken = self.taken.clone();
        self.tasks.spawn(async move {
            let hold = async {
                let Ok(mut theirs) = call.send().await else {
                    return;
                };
                taken.fetch_add(1, Relaxed);
                while let Ok(Some(_)) = theirs.event_stream.recv().await {}
            };
            let _ = timeout(keeps, hold).await;
        });
    }

    /// It does not come again.
    pub fn leave(&mut self) {
        self.tasks.abort_all();
    }

    /// How often it had a shard.
    pub fn taken(&self) -> u64 {
        self.taken.load(Relaxed)
    }
}
