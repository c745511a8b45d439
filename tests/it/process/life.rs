//! Killed, ended and paused at random moments, from a seed, while messages keep coming: nothing is lost, nothing is
//! deleted before a function handled it, and in a FIFO queue nothing overtakes. The queues and the functions' ledger are
//! outside of the process that suffers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep};

use crate::support::cloud::Cloud;
use crate::support::collector::{Call, Collector, Reply};
use crate::support::gate::{Config, Gate};
use crate::support::queue::{EMPTY, QueueShape};

/// Where the environment holds a number by this name, seeds are counted from it.
pub const SEED_VARIABLE: &str = "SLUICEGATE_IT_SEED";
pub const SEED: u64 = 20_261_121;
/// Of each test.
const LIVES: usize = 10;
/// A process lives so long at most; starting takes some 50 ms of it.
const LIFE_MS: u64 = 600;
/// Longer than the queue's visibility of a second, now and then.
const PAUSE_MS: u64 = 1_200;
/// How long a function takes at most.
const CALL_MS: u64 = 60;

/// A message of the ledger. Bodies are `GROUP NUMBER`, the number counts within the group.
struct Delivered {
    id: String,
    group: String,
    number: u32,
    fails: bool,
}

/// Each message of a call; one in eight fails at its first receive.
fn delivered(call: &Call) -> Vec<Delivered> {
    let records = call.event["Records"].as_array().expect("records");
    let delivered = |record: &serde_json::Value| {
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        let body = text(&record["body"]);
        let (group, number) = body.split_once(' ').expect("a group and a number");
        let number = number.parse().expect("a number");
        Delivered {
            id: text(&record["messageId"]),
            group: group.to_owned(),
            number,
            fails: number % 8 == 5 && record["attributes"]["ApproximateReceiveCount"] == "1",
        }
    };
    records.iter().map(delivered).collect()
}

/// What a call's reply says was handled. In order, that is what comes before the first failure of the group.
fn handled(call: &Call, ordered: bool) -> Vec<Delivered> {
    let mut stopped = BTreeSet::new();
    let mut messages = delivered(call);
    messages.retain(|message| {
        if message.fails {
            stopped.insert(message.group.clone());
        }
        let behind = ordered && stopped.contains(&message.group);
        !message.fails && !behind
    });
    messages
}

/// Messages of these calls that arrived before their predecessor in the group was handled.
fn overtaking(calls: &[Call]) -> Vec<String> {
    let mut handled_at = BTreeMap::<(String, u32), Instant>::new();
    for call in calls {
        let Some(answered) = call.answered else {
            continue;
        };
        for message in handled(call, true) {
            let at = handled_at
                .entry((message.group, message.number))
                .or_insert(answered);
            *at = answered.min(*at);
        }
    }
    let mut overtaking = Vec::new();
    for call in calls {
        let mut before = BTreeMap::<String, u32>::new();
        for Delivered { group, number, .. } in delivered(call) {
            // In one call it is enough to stand behind.
            let previous = number.checked_sub(1);
            let in_turn = previous.is_none_or(|previous| {
                before.get(&group) == Some(&previous)
                    || handled_at
                        .get(&(group.clone(), previous))
                        .is_some_and(|at| *at <= call.arrived)
            });
            if !in_turn {
                overtaking.push(format!("{group} {number}"));
            }
            before.insert(group, number);
        }
    }
    overtaking
}

/// One end of a process, or a pause and then an end.
async fn suffer(mut gate: Gate, chance: &mut Rng) {
    sleep(Duration::from_millis(chance.u64(..LIFE_MS))).await;
    match chance.u8(..3) {
        0 => gate.kill().await,
        1 => {
            gate.signal("TERM").await;
            let code = gate.ended().await.code();
            let started = gate.log().iter().any(|line| line.contains("\"started\""));
            // Without a code it was ended before it took signals over, with nothing in hand.
            assert!(code == Some(0) || (code.is_none() && !started), "{code:?}");
        }
        _ => {
            gate.signal("STOP").await;
            sleep(Duration::from_millis(chance.u64(..PAUSE_MS))).await;
            gate.signal("CONT").await;
            sleep(Duration::from_millis(chance.u64(..200))).await;
            gate.kill().await;
        }
    }
}

#[tokio::test]
async fn ten_hard_lives_lose_nothing_and_delete_nothing_early() {
    live(0).await;
}

// Beside the first ten, not after them: they wait more than they work.
#[tokio::test]
async fn ten_more_hard_lives_lose_nothing_and_delete_nothing_early() {
    live(1).await;
}

async fn live(nth: u64) {
    let cloud = Cloud::embedded().await;
    let seed = std::env::var(SEED_VARIABLE).map_or(SEED, |seed| seed.parse().expect("a number"));
    let mut chance = Rng::with_seed(seed + nth);
    let mut of_functions = chance.fork();
    let collector = Collector::start(move |call| {
        let failed = delivered(call).into_iter().filter(|message| message.fails);
        let failed: Vec<_> = failed.map(|message| message.id).collect();
        Reply::failures(&failed).after(Duration::from_millis(of_functions.u64(..CALL_MS)))
    })
    .await;
    let shape = |fifo| QueueShape {
        fifo,
        visibility_s: Some(1),
        ..QueueShape::default()
    };
    let plain = cloud.queue("plain", shape(false)).await;
    let ordered = cloud.queue("ordered.fifo", shape(true)).await;
    let settings = "BatchSize: 3, FunctionResponseTypes: [ReportBatchItemFailures]";
    let config = Config::at(&cloud.endpoint)
        .function("plain", &collector.url("plain"), 1)
        .function("ordered", &collector.url("ordered"), 1)
        .mapping("plain", &plain.arn, "plain", settings)
        .mapping("ordered", &ordered.arn, "ordered", settings);

    let mut sent = BTreeSet::new();
    let nothing_early = |sent: &BTreeSet<String>| {
        // The queues first: what is gone from them by then must have been handled by then.
        let left = |name| cloud.world().queue(name).expect("a queue").messages;
        let mut accounted: BTreeSet<_> = left("plain")
            .into_iter()
            .chain(left("ordered.fifo"))
            .map(|message| message.id)
            .collect();
        let calls = collector.calls();
        let answered = calls.iter().filter(|call| call.answered.is_some());
        accounted.extend(
            answered
                .flat_map(|call| handled(call, call.function == "ordered"))
                .map(|message| message.id),
        );
        let lost: Vec<_> = sent.difference(&accounted).collect();
        assert!(lost.is_empty(), "deleted and never handled: {lost:?}");
    };
    let mut next = BTreeMap::<&str, u32>::new();
    let mut number = |group| {
        let next = next.entry(group).or_default();
        *next += 1;
        *next - 1
    };
    for _ in 0..LIVES {
        let bodies: Vec<_> = (0..chance.usize(1..15))
            .map(|_| format!("plain {}", number("plain")))
            .collect();
        sent.extend(plain.send_all(&bodies).await);
        for _ in 0..chance.usize(1..8) {
            let group = ["a", "b", "c"][chance.usize(..3)];
            sent.insert(
                ordered
                    .send_grouped(group, &format!("{group} {}", number(group)))
                    .await,
            );
        }
        suffer(config.program().launch(), &mut chance).await;
        nothing_early(&sent);
    }

    let gate = config.start().await;
    plain.wait_for(EMPTY).await;
    ordered.wait_for(EMPTY).await;
    nothing_early(&sent);
    let mut calls = collector.calls();
    calls.retain(|call| call.function == "ordered");
    assert_eq!(overtaking(&calls), [""; 0]);
    gate.stop().await;
}
