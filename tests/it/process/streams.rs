//! Killed at random moments, from a seed, two hundred times on one checkpoint file, while records keep coming and shards
//! are split and merged: nothing is lost, nothing overtakes, nothing good is discarded, and a limit is exceeded by no
//! more than the invocations that a kill cut off. Streams and the functions' ledger are outside of the process that dies.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use sluicegate::sim::World;
use sluicegate::sim::dynamodb::ViewType;
use tokio::time::{Instant, sleep};

use super::life::{SEED, SEED_VARIABLE};
use crate::support::cloud::Cloud;
use crate::support::collector::{Call, Collector, Reply};
use crate::support::gate::Config;
use crate::support::queue::QueueShape;
use crate::support::stream::{sequence_numbers, texts};
use crate::support::{PATIENCE, POLL};

const KILLS: usize = 200;
/// Most lives are short: starting and reading take some 100 ms of them.
const LIFE_MS: u64 = 250;
/// One in six may be so long, so that repeats come to their turn.
const LONG_LIFE_MS: u64 = 1_500;
/// `MaximumRetryAttempts`.
const RETRIES: usize = 1;
/// One record of a key in so many can not be handled.
const A_POISON: u32 = 16;
/// How long a function takes at most.
const CALL_MS: u64 = 30;
/// After so many kills the stream gets another shape.
const A_RESHARD: usize = 40;

/// Its name is of the stream, the table, the mapping and the function alike.
const CLICKS: &str = "clicks";
const ORDERS: &str = "orders";
const KEYS: [&str; 3] = ["a", "b", "c"];

/// A text is `KEY NUMBER`.
fn parsed(text: &str) -> (&str, u32) {
    let (key, number) = text.split_once(' ').expect("a key and a number");
    (key, number.parse().expect("a number"))
}

fn poison(text: &str) -> bool {
    parsed(text).1 % A_POISON == A_POISON / 2
}

/// The function of the stream throws an exception where there is poison; that of the table names the first such record.
fn reply(call: &Call) -> Reply {
    let texts = texts(call);
    let Some(first) = texts.iter().position(|text| poison(text)) else {
        return Reply::success();
    };
    if call.function.starts_with(CLICKS) {
        Reply::function_error("boom")
    } else {
        Reply::failures(&sequence_numbers(call)[first..=first])
    }
}

/// What a call's reply says was handled.
fn handled(call: &Call) -> Vec<String> {
    let texts = texts(call);
    match texts.iter().position(|text| poison(text)) {
        None => texts,
        Some(_) if call.function.starts_with(CLICKS) => Vec::new(),
        Some(first) => texts[..first].to_vec(),
    }
}

/// The calls of one of the functions, each with the life it was in.
fn of<'a>(calls: &'a [Call], name: &str) -> Vec<(usize, &'a Call)> {
    let life = |call: &Call| {
        call.function
            .strip_prefix(name)?
            .strip_prefix('/')?
            .parse()
            .ok()
    };
    calls
        .iter()
        .filter_map(|call| Some((life(call)?, call)))
        .collect()
}

/// When each text was out of our care: handled, or given up after as many failures as the limit allows.
fn done(calls: &[(usize, &Call)]) -> BTreeMap<String, Instant> {
    let mut done = BTreeMap::new();
    let mut failures = BTreeMap::<String, usize>::new();
    for (_, call) in calls {
        let Some(answered) = call.answered else {
            continue;
        };
        for text in handled(call) {
            let at = done.entry(text).or_insert(answered);
            *at = answered.min(*at);
        }
        if let [alone] = texts(call).as_slice()
            && poison(alone)
        {
            let failures = failures.entry(alone.clone()).or_default();
            *failures += 1;
            if *failures == RETRIES + 1 {
                done.insert(alone.clone(), answered);
            }
        }
    }
    done
}

/// Records that arrived while their predecessor of the same key was still in our care, and not before them in the batch.
fn overtaking(calls: &[(usize, &Call)]) -> Vec<String> {
    let done = done(calls);
    let mut overtaking = Vec::new();
    for (_, call) in calls {
        let mut before = BTreeMap::<String, u32>::new();
        for text in texts(call) {
            let (key, number) = parsed(&text);
            let in_turn = number.checked_sub(1).is_none_or(|previous| {
                let at = done.get(&format!("{key} {previous}"));
                before.get(key) == Some(&previous) || at.is_some_and(|at| *at <= call.arrived)
            });
            before.insert(key.to_owned(), number);
            if !in_turn {
                overtaking.push(text);
            }
        }
    }
    overtaking
}

/// Poison that was tried more often than its limit and the kills allow: each life may end in one try that is not counted.
fn tried_too_often(calls: &[(usize, &Call)]) -> Vec<(String, usize)> {
    let mut tries = BTreeMap::<String, (usize, BTreeSet<usize>)>::new();
    for (life, call) in calls {
        if let [alone] = texts(call).as_slice()
            && poison(alone)
        {
            let (count, lives) = tries.entry(alone.clone()).or_default();
            *count += 1;
            lives.insert(*life);
        }
    }
    let most = |lives: &BTreeSet<usize>| {
        let killed = lives.iter().filter(|life| **life < KILLS).count();
        RETRIES + 1 + killed
    };
    tries
        .into_iter()
        .filter(|(_, (count, lives))| *count > most(lives))
        .map(|(text, (count, _))| (text, count))
        .collect()
}

/// The sequence numbers of the records that were reported as discarded, each of them alone and after all its repeats.
fn reported(world: &World, queue: &str, info: &str) -> BTreeSet<String> {
    let queue = world.queue(queue).expect("a queue");
    let number = |message: &sluicegate::sim::sqs::MessageView| {
        let report: Value = serde_json::from_str(&message.body).expect("a report is JSON");
        assert_eq!(report[info]["batchSize"], 1, "{report}");
        let count = &report["requestContext"]["approximateInvokeCount"];
        assert_eq!(*count, json!(RETRIES + 1), "{report}");
        let number = report[info]["startSequenceNumber"].as_str();
        number.expect("a sequence number").to_owned()
    };
    queue.messages.iter().map(number).collect()
}

/// Splits the first open shard, or merges the first two that can be.
fn reshard(world: &World, split: bool) {
    let view = world.stream(CLICKS).expect("a stream");
    let mut open: Vec<_> = view.shards.iter().filter(|shard| shard.open).collect();
    open.sort_by_key(|shard| shard.parents.len());
    if split {
        world.split_shard(CLICKS, &open[0].id).expect("a split");
        return;
    }
    let pairs = open
        .iter()
        .flat_map(|one| open.iter().map(move |other| (one, other)));
    let mut merged = pairs.filter(|(one, other)| {
        one.id != other.id && world.merge_shards(CLICKS, &one.id, &other.id).is_ok()
    });
    merged.next().expect("two neighbours");
}

#[tokio::test]
async fn two_hundred_kills_lose_nothing_reorder_nothing_and_keep_the_limits() {
    let seed = std::env::var(SEED_VARIABLE).map_or(SEED, |seed| seed.parse().expect("a number"));
    #[allow(
        clippy::disallowed_macros,
        reason = "what is printed so is shown with the test that failed"
    )]
    {
        println!("{SEED_VARIABLE}={seed}");
    }
    let mut chance = Rng::with_seed(seed);
    let cloud = Cloud::embedded().await;
    let world = cloud.world();
    let mut of_functions = chance.fork();
    let collector = Collector::start(move |call| {
        reply(call).after(Duration::from_millis(of_functions.u64(..CALL_MS)))
    })
    .await;
    world.create_stream(CLICKS, 2).expect("a stream");
    let table = world
        .create_partitioned_table(ORDERS, "id", ViewType::NewImage, 2)
        .expect("a table");
    let failed_clicks = cloud.queue("failed-clicks", QueueShape::default()).await;
    let failed_orders = cloud.queue("failed-orders", QueueShape::default()).await;
    let home = tempfile::tempdir().unwrap();
    let settings = |destination: &str, more: &str| {
        format!(
            "StartingPosition: TRIM_HORIZON, BatchSize: 5, BisectBatchOnFunctionError: true, \
             MaximumRetryAttempts: {RETRIES}, {more} \
             DestinationConfig: {{ OnFailure: {{ Destination: \"{destination}\" }} }}"
        )
    };
    let config = |life: usize| -> Config {
        let url = |name: &str| collector.url(&format!("{name}/{life}"));
        let parallel =
            "ParallelizationFactor: 2, FunctionResponseTypes: [ReportBatchItemFailures],";
        cloud
            .config()
            .checkpoints(&home.path().join("checkpoints.db"))
            .function(CLICKS, &url(CLICKS), 5)
            .function(ORDERS, &url(ORDERS), 5)
            .mapping(
                CLICKS,
                &world.stream_arn(CLICKS),
                CLICKS,
                &settings(&failed_clicks.arn, ""),
            )
            .mapping(
                ORDERS,
                &table,
                ORDERS,
                &settings(&failed_orders.arn, parallel),
            )
    };

    // By sequence number.
    let mut clicks = BTreeMap::<String, String>::new();
    let mut orders = BTreeMap::<String, String>::new();
    let mut next = BTreeMap::<(&str, &str), u32>::new();
    let mut text = |source: &'static str, key: &'static str| {
        let next = next.entry((source, key)).or_default();
        *next += 1;
        format!("{key} {}", *next - 1)
    };
    for life in 0..KILLS {
        for _ in 0..chance.usize(1..5) {
            let key = KEYS[chance.usize(..KEYS.len())];
            let put = text(CLICKS, key);
            let (_, number) = world.put_record(CLICKS, key, put.clone()).expect("put");
            clicks.insert(number, put);
            let put = text(ORDERS, key);
            let item = json!({ "id": { "S": key }, "text": { "S": put } });
            let number = world.put_item(ORDERS, &item).expect("put");
            orders.insert(number.expect("a change"), put);
        }
        if life % A_RESHARD == A_RESHARD / 2 {
            reshard(world, life / A_RESHARD % 2 == 0);
            world.roll_shards(ORDERS).expect("a stream");
        }
        let gate = config(life).program().launch();
        let longest = if chance.u8(..6) == 0 {
            LONG_LIFE_MS
        } else {
            LIFE_MS
        };
        sleep(Duration::from_millis(chance.u64(..longest))).await;
        gate.kill().await;
    }

    let gate = config(KILLS).start().await;
    let sources = [
        (CLICKS, &clicks, "failed-clicks", "KinesisBatchInfo"),
        (ORDERS, &orders, "failed-orders", "DDBStreamBatchInfo"),
    ];
    let owed = || {
        let calls = collector.calls();
        let mut owed = Vec::new();
        for (name, put, failed, info) in sources {
            let done = done(&of(&calls, name));
            let reported = reported(world, failed, info);
            owed.extend(put.iter().filter_map(|(number, text)| {
                let out = if poison(text) {
                    reported.contains(number)
                } else {
                    done.contains_key(text)
                };
                (!out).then(|| format!("{name} {text}"))
            }));
        }
        owed
    };
    let deadline = Instant::now() + 2 * PATIENCE;
    while !owed().is_empty() {
        assert!(Instant::now() < deadline, "lost: {:?}", owed());
        sleep(POLL).await;
    }
    gate.stop().await;

    let calls = collector.calls();
    for (name, put, failed, info) in sources {
        let calls = of(&calls, name);
        assert_eq!(overtaking(&calls), [""; 0], "{name}");
        assert_eq!(tried_too_often(&calls), [], "{name}");
        let good: Vec<_> = reported(world, failed, info)
            .into_iter()
            .filter(|number| !put.get(number).is_some_and(|text| poison(text)))
            .collect();
        assert_eq!(good, [""; 0], "{name}: discarded, and was not poison");
        assert!(put.values().any(|text| poison(text)), "{name}: no poison");
    }
}
