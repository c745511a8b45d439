//! Shards that split and merge: parents first, nothing lost, nothing twice. // spec: 5.6

use std::collections::BTreeMap;
use std::time::Duration;

use sluicegate::sim::{Fault, FunctionConfig, Invocation, Reply};

use super::{LIST_SHARDS, STREAM, StreamStage, event, fails_on, numbers, seconds};

/// Records have keys by turns.
const KEYS: u32 = 12;
const LONG: Duration = Duration::from_secs(1_200);

fn put(stage: &StreamStage, records: std::ops::Range<u32>) {
    for number in records {
        stage.put(&format!("key-{}", number % KEYS), number..number + 1);
    }
}

fn open(stage: &StreamStage) -> Vec<String> {
    let mut open: Vec<_> = stage
        .shards()
        .into_iter()
        .filter(|shard| shard.open)
        .collect();
    open.sort_by_key(|shard| shard.hash_keys.first);
    open.into_iter().map(|shard| shard.id).collect()
}

fn split(stage: &StreamStage, shard: &str) -> [String; 2] {
    stage.world().split_shard(STREAM, shard).unwrap()
}

fn merge(stage: &StreamStage, one: &str, other: &str) -> String {
    stage.world().merge_shards(STREAM, one, other).unwrap()
}

fn shard_of(invocation: &Invocation) -> String {
    let event = event(invocation);
    let id = event["Records"][0]["eventID"].as_str().expect("an id");
    id.split(':').next().unwrap().to_owned()
}

/// Everything came once, each key in order, and no child before its parents were done.
#[track_caller]
fn check(stage: &StreamStage, count: u32) {
    let delivered = stage.delivered();
    let mut sorted = delivered.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..count).collect::<Vec<_>>());
    for key in 0..KEYS {
        let of_key: Vec<_> = delivered
            .iter()
            .filter(|number| *number % KEYS == key)
            .collect();
        assert!(of_key.is_sorted(), "key {key}: {of_key:?}");
    }
    parents_first(stage);
}

#[track_caller]
fn parents_first(stage: &StreamStage) {
    let (mut first, mut last) = (BTreeMap::new(), BTreeMap::new());
    for (at, invocation) in stage.stage.invocations().iter().enumerate() {
        let shard = shard_of(invocation);
        first.entry(shard.clone()).or_insert(at);
        last.insert(shard, at);
    }
    for shard in stage.shards() {
        for parent in &shard.parents {
            if let (Some(child), Some(parent)) = (first.get(&shard.id), last.get(parent)) {
                assert!(parent < child, "{} before its parent", shard.id);
            }
        }
    }
}

async fn all(stage: &StreamStage, count: usize) {
    stage
        .until("all", LONG, || stage.delivered().len() >= count)
        .await;
    seconds(20).await;
}

#[tokio::test(start_paused = true)]
async fn the_children_of_a_lagging_parent_wait() {
    let stage = StreamStage::kinesis(1, 1);
    stage.stage.function(FunctionConfig::default(), |_| {
        Reply::ok("{}").after(Duration::from_secs(1))
    });
    put(&stage, 0..100);
    let running = stage.start("TRIM_HORIZON", &["BatchSize: 5"]);
    seconds(3).await;
    split(&stage, &open(&stage)[0]);
    put(&stage, 100..200);
    seconds(5).await;
    let waiting = stage.counted("shards_waiting");
    all(&stage, 200).await;
    let account = running.stop().await;
    check(&stage, 200);
    assert_eq!(account.settled, 200);
    assert!(waiting <= 2.0);
}

#[tokio::test(start_paused = true)]
async fn a_parent_that_fails_holds_up_its_children_and_no_other() {
    let stage = StreamStage::kinesis(2, 2);
    put(&stage, 0..48);
    let shards = stage.shards();
    let (failing, well) = (&shards[0], &shards[1]);
    let poison: u32 = std::str::from_utf8(&failing.records[0].data)
        .unwrap()
        .parse()
        .unwrap();
    stage.answers(fails_on(poison));
    let running = stage.start("TRIM_HORIZON", &["BatchSize: 1"]);
    seconds(5).await;
    split(&stage, &failing.id);
    split(&stage, &well.id);
    put(&stage, 48..96);
    seconds(300).await;
    let delivered: Vec<String> = stage.stage.invocations().iter().map(shard_of).collect();
    for shard in stage.shards() {
        let is_read = delivered.contains(&shard.id);
        let waits = shard.parents.contains(&failing.id);
        assert_eq!(is_read, !waits || shard.records.is_empty(), "{}", shard.id);
    }
    assert_eq!(stage.counted("shards_waiting"), 2.0);
    stage.answers(|_| Reply::ok("{}"));
    let settled = || {
        let delivered = stage.delivered();
        (0..96).all(|number| delivered.contains(&number))
    };
    stage.until("all", LONG, settled).await;
    running.stop().await;
    parents_first(&stage);
}

#[tokio::test(start_paused = true)]
async fn a_merged_child_waits_for_both_parents() {
    let stage = StreamStage::kinesis(3, 2);
    let slow = open(&stage)[0].clone();
    let config = FunctionConfig::default();
    stage.stage.function(config, move |invocation| {
        let is_slow = shard_of(invocation) == slow;
        Reply::ok("{}").after(Duration::from_secs(if is_slow { 2 } else { 0 }))
    });
    put(&stage, 0..60);
    let running = stage.start("TRIM_HORIZON", &["BatchSize: 2"]);
    seconds(2).await;
    let [one, other] = <[String; 2]>::try_from(open(&stage)).unwrap();
    merge(&stage, &one, &other);
    put(&stage, 60..120);
    all(&stage, 120).await;
    running.stop().await;
    check(&stage, 120);
}

/// Splits and merges in the midst of it all, three generations deep.
async fn storm(stage: &StreamStage, seed: u64) -> u32 {
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut count = 0;
    for _ in 0..6 {
        put(stage, count..count + 40);
        count += 40;
        let open = open(stage);
        if chance.bool() || open.len() < 2 {
            split(stage, &open[chance.usize(..open.len())]);
        } else {
            let at = chance.usize(..open.len() - 1);
            merge(stage, &open[at], &open[at + 1]);
        }
        tokio::time::sleep(Duration::from_millis(chance.u64(0..4_000))).await;
    }
    count
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_splits_and_merges_loses_nothing_and_keeps_every_order() {
    for seed in 0..6 {
        let stage = StreamStage::kinesis(seed, 2);
        stage
            .stage
            .function(FunctionConfig::default(), |invocation| {
                Reply::ok("{}").after(Duration::from_millis(
                    u64::from(numbers(invocation)[0]) * 7 % 900,
                ))
            });
        let running = stage.start("TRIM_HORIZON", &["BatchSize: 7"]);
        let count = storm(&stage, seed).await;
        all(&stage, count as usize).await;
        let account = running.stop().await;
        check(&stage, count);
        assert_eq!(account.settled, u64::from(count));
    }
}

#[tokio::test(start_paused = true)]
async fn a_backlog_of_generations_is_read_from_the_oldest_on() {
    let stage = StreamStage::kinesis(20, 2);
    stage.answers(|_| Reply::ok("{}"));
    let count = storm(&stage, 20).await;
    let running = stage.start("TRIM_HORIZON", &["BatchSize: 3"]);
    all(&stage, count as usize).await;
    running.stop().await;
    check(&stage, count);
}

#[tokio::test(start_paused = true)]
async fn a_storm_with_restarts_in_between_repeats_nothing() {
    for seed in 0..4 {
        let stage = StreamStage::kinesis(40 + seed, 2);
        stage.answers(|_| Reply::ok("{}").after(Duration::from_millis(300)));
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut count = 0;
        for round in 0..6 {
            put(&stage, count..count + 30);
            count += 30;
            let running = stage.start("TRIM_HORIZON", &["BatchSize: 4"]);
            tokio::time::sleep(Duration::from_millis(chance.u64(100..3_000))).await;
            let open = open(&stage);
            match round % 3 {
                0 | 1 => drop(split(&stage, &open[chance.usize(..open.len())])),
                _ => drop(merge(&stage, &open[0], &open[1])),
            }
            tokio::time::sleep(Duration::from_millis(chance.u64(100..3_000))).await;
            running.stop().await;
        }
        let running = stage.start("TRIM_HORIZON", &["BatchSize: 4"]);
        all(&stage, count as usize).await;
        running.stop().await;
        check(&stage, count);
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_lags_behind_loses_no_shard_and_breaks_no_order() {
    for seed in 0..4 {
        let stage = StreamStage::kinesis(60 + seed, 1);
        stage.answers(|_| Reply::ok("{}").after(Duration::from_millis(200)));
        let lag = Fault::IncompleteListing;
        stage.world().fault_chance(Some(LIST_SHARDS), lag, 0.7);
        let running = stage.start("TRIM_HORIZON", &["BatchSize: 4"]);
        let mut count = storm(&stage, seed).await;
        running.stop().await;
        // And over a restart.
        put(&stage, count..count + 40);
        count += 40;
        let running = stage.start("TRIM_HORIZON", &["BatchSize: 4"]);
        all(&stage, count as usize).await;
        running.stop().await;
        check(&stage, count);
        assert_eq!(stage.counted("stream_gaps_total"), 0.0);
    }
}

#[tokio::test(start_paused = true)]
async fn children_are_read_soon_after_their_parent_has_ended() {
    let stage = StreamStage::kinesis(80, 1);
    stage.answers(|_| Reply::ok("{}"));
    put(&stage, 0..10);
    let running = stage.start("TRIM_HORIZON", &[]);
    seconds(200).await;
    split(&stage, &open(&stage)[0]);
    put(&stage, 10..30);
    seconds(4).await;
    running.stop().await;
    check(&stage, 30);
}
