//! The checkpoint file with 10,000 shards in it: `cargo bench --bench checkpoint`. The disk under the system's folder
//! for temporary files decides; what has to be kept up with is 1,000 commits a second.

use std::collections::BTreeMap;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::try_join_all;
use sluicegate::checkpoint::{Claim, Owner, Revision, Store};
use sluicegate::model::progress::{Position, ShardProgress};
use sluicegate::model::record::SequenceNumber;

const SHARDS: usize = 10_000;
const MAPPING: &str = "14e0db71-5d35-4eb5-b481-8945cf9d10c2";

fn progress(number: u64) -> ShardProgress {
    let digits = format!("49638298700000000000000000000000000{number:020}");
    let sequence_number = SequenceNumber::try_from(digits).expect("55 digits are a number");
    ShardProgress::beginning(Position::After { sequence_number }, 1)
}

/// Shards that commit in turn, each on top of its last commit.
struct Shards {
    store: Store,
    claim: Claim,
    revisions: BTreeMap<usize, Revision>,
    next: usize,
    number: u64,
}

impl Shards {
    async fn new(store: Store) -> Self {
        let owner = Owner::new("bench");
        let taken = store.take(MAPPING, &owner).await.expect("the store is new");
        let mut shards = Self {
            store,
            claim: taken.claim,
            revisions: BTreeMap::new(),
            next: 0,
            number: 0,
        };
        shards.commit(SHARDS).await;
        shards
    }

    /// As many shards, each once and all at a time.
    async fn commit(&mut self, count: usize) {
        self.number += 1;
        let progress = progress(self.number);
        let commits = (0..count).map(|index| {
            let shard = (self.next + index) % SHARDS;
            let previous = self.revisions.get(&shard).copied();
            let (store, claim, progress) = (&self.store, &self.claim, &progress);
            async move {
                let name = format!("shardId-{shard:012}");
                let committed = store.commit(claim, &name, previous, progress).await;
                committed.map(|revision| (shard, revision))
            }
        });
        let committed = try_join_all(commits).await.expect("nobody else commits");
        self.revisions.extend(committed);
        self.next = (self.next + count) % SHARDS;
    }
}

fn commit(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime without drivers can be had");
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let path = folder.path().join("checkpoints.db");
    let store = Store::open(&path).expect("the folder is new");
    let mut shards = runtime.block_on(Shards::new(store));
    let mut group = criterion.benchmark_group("commits at a time of 10,000 shards");
    group.measurement_time(Duration::from_secs(10));
    for count in [1, 10, 100, 1000] {
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |bench| {
            bench.iter(|| runtime.block_on(shards.commit(count)));
        });
    }
    group.finish();
    drop(shards);
    criterion.bench_function("open with 10,000 shards", |bench| {
        bench.iter_batched(
            || (),
            |()| Store::open(&path).expect("the file is whole"),
            BatchSize::PerIteration,
        );
    });
}

criterion_group!(checkpoint, commit);
criterion_main!(checkpoint);
