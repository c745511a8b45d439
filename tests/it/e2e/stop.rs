//! The end: a drain that settles what is in hand, signals that cut it short, and no chance to do anything at all.

use std::time::Duration;

use sluicegate::reports::Account;

use crate::e2e::{bodies, numbers};
use crate::support::cloud::Cloud;
use crate::support::collector::{Collector, Reply};
use crate::support::gate::{Config, Gate};
use crate::support::queue::{Counts, EMPTY, Queue, QueueShape};

crate::support::scenarios! {
    a_drain_ends_what_runs_and_hands_back_what_was_not_tried,
    a_drain_without_a_message_in_hand_is_quick_and_clean,
    a_second_signal_ends_the_drain_with_its_own_code,
    a_drain_ends_with_the_grace_period,
    a_killed_process_loses_nothing,
}

async fn a_drain_ends_what_runs_and_hands_back_what_was_not_tried(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success().after(Duration::from_secs(2))).await;
    let running = cloud.queue("running", QueueShape::default()).await;
    let gathering = cloud.queue("gathering", QueueShape::default()).await;
    let mut gate = Config::at(&cloud.endpoint)
        .function("process", &collector.url("process"), 10)
        .mapping("running", &running.arn, "process", "")
        .mapping(
            "gathering",
            &gathering.arn,
            "process",
            "BatchSize: 100, MaximumBatchingWindowInSeconds: 300",
        )
        .start()
        .await;
    gathering.send_all(&numbers(5)).await;
    gathering
        .wait_for(Counts {
            visible: 0,
            in_flight: 5,
        })
        .await;
    running.send("runs").await;
    collector.wait_for("a call", |calls| calls.len() == 1).await;

    gate.signal("TERM").await;
    let page = gate
        .wait_for("/readyz", "the drain", |page| {
            page.json()["draining"] == true
        })
        .await;
    assert_eq!(
        (page.status, page.json()["ready"].as_bool()),
        (503, Some(false))
    );
    assert_eq!(gate.ended().await.code(), Some(0));
    let settled = Account {
        deleted: 1,
        handed_back: 5,
        ..Account::default()
    };
    assert_eq!(gate.account(), settled);
    assert_eq!(running.counts().await, EMPTY);
    assert_eq!(
        gathering.counts().await,
        Counts {
            visible: 5,
            in_flight: 0
        }
    );
    assert_eq!(bodies(&collector.calls()), ["runs"]);
}

async fn a_drain_without_a_message_in_hand_is_quick_and_clean(cloud: Cloud) {
    let queue = cloud.queue("orders", QueueShape::default()).await;
    for signal in ["TERM", "INT"] {
        let mut gate = Config::at(&cloud.endpoint)
            .function("process", "http://127.0.0.1:9/", 10)
            .mapping("orders", &queue.arn, "process", "")
            .start()
            .await;
        gate.ready().await;
        gate.signal(signal).await;
        assert_eq!(gate.ended().await.code(), Some(0), "{signal}");
        assert_eq!(gate.account(), Account::default());
    }
}

/// A program in the middle of a call that takes longer than the test.
async fn stuck(cloud: &Cloud, queue: &Queue, grace_s: u32) -> (Gate, Collector) {
    let collector = Collector::start(|_| Reply::success().after(Duration::from_secs(300))).await;
    let gate = Config::at(&cloud.endpoint)
        .grace_s(grace_s)
        .function("process", &collector.url("process"), 900)
        .mapping("orders", &queue.arn, "process", "")
        .start()
        .await;
    queue.send("000").await;
    collector.wait_for("a call", |calls| calls.len() == 1).await;
    (gate, collector)
}

// contract: 1
async fn a_second_signal_ends_the_drain_with_its_own_code(cloud: Cloud) {
    for (number, (first, second, code)) in [
        ("INT", "TERM", 143),
        ("TERM", "INT", 130),
        ("TERM", "TERM", 143),
        ("INT", "INT", 130),
    ]
    .into_iter()
    .enumerate()
    {
        let queue = cloud
            .queue(&format!("orders-{number}"), QueueShape::default())
            .await;
        let (mut gate, _collector) = stuck(&cloud, &queue, 300).await;
        gate.signal(first).await;
        gate.wait_for("/readyz", "the drain", |page| {
            page.json()["draining"] == true
        })
        .await;
        assert_eq!(
            gate.ended_by(second).await.code(),
            Some(code),
            "{first} {second}"
        );
        assert_eq!(
            queue.counts().await,
            Counts {
                visible: 0,
                in_flight: 1
            }
        );
    }
}

async fn a_drain_ends_with_the_grace_period(cloud: Cloud) {
    let queue = cloud.queue("orders", QueueShape::default()).await;
    let (mut gate, _collector) = stuck(&cloud, &queue, 1).await;
    gate.signal("TERM").await;
    assert_eq!(gate.ended().await.code(), Some(1), "it was not clean");
    let abandoned = Account {
        abandoned: 1,
        ..Account::default()
    };
    assert_eq!(gate.account(), abandoned);
    assert_eq!(
        queue.counts().await,
        Counts {
            visible: 0,
            in_flight: 1
        }
    );
}

// contract: 5
async fn a_killed_process_loses_nothing(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success().after(Duration::from_millis(300))).await;
    let queue = cloud
        .queue(
            "orders",
            QueueShape {
                visibility_s: Some(1),
                ..QueueShape::default()
            },
        )
        .await;
    let config = Config::at(&cloud.endpoint)
        .function("process", &collector.url("process"), 1)
        .mapping("orders", &queue.arn, "process", "BatchSize: 2");
    queue.send_all(&numbers(20)).await;
    let gate = config.start().await;
    collector
        .wait_for("a reply while others run", |calls| {
            calls.len() > 2 && calls.iter().any(|call| call.answered.is_some())
        })
        .await;
    gate.kill().await;
    let at_death = collector.calls();
    let counts = queue.counts().await;
    let handled = at_death
        .iter()
        .filter(|call| call.answered.is_some())
        .map(|call| call.bodies().len())
        .sum::<usize>();
    assert!(
        counts.visible as usize + counts.in_flight as usize >= 20 - handled,
        "deleted early: {counts:?} {at_death:#?}"
    );

    let _gate = config.start().await;
    queue.wait_for(EMPTY).await;
    let mut delivered = bodies(&collector.calls()[at_death.len()..]);
    delivered.extend(bodies(
        &at_death
            .into_iter()
            .filter(|call| call.answered.is_some())
            .collect::<Vec<_>>(),
    ));
    delivered.sort();
    delivered.dedup();
    assert_eq!(delivered, numbers(20));
}
