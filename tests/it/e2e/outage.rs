//! A cloud that is not there, or not all the time. On our embedded AWS alone: the server of others forgets its queues when
//! it ends, and its port cannot be kept for it while it is away.

use std::time::Duration;

use sluicegate::queue::Account;

use crate::e2e::{bodies, numbers};
use crate::support::cloud::Cloud;
use crate::support::collector::{Collector, Reply};
use crate::support::door::Door;
use crate::support::gate::Config;
use crate::support::queue::{EMPTY, QueueShape};

const ORDERS: &str = "arn:aws:sqs:us-east-1:000000000000:orders";

#[tokio::test]
async fn a_server_that_comes_up_late_is_waited_for() {
    let door = Door::new();
    let mut cloud = Cloud::behind(door.address);
    let collector = Collector::start(|_| Reply::success()).await;
    let gate = Config::at(&cloud.endpoint)
        .function("process", &collector.url("process"), 10)
        .mapping("orders", ORDERS, "process", "")
        .start()
        .await;
    let page = gate
        .wait_for("/readyz", "a reason", |page| {
            page.mapping("orders")["state"] == "Failing"
        })
        .await;
    assert_eq!(page.status, 503);
    let reason = page.mapping("orders")["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(
        reason.starts_with(&format!("failed to start: the queue {ORDERS}: no answer: "))
            && reason.contains("Connection refused"),
        "{reason}"
    );
    assert_eq!(gate.get("/livez").await.status, 200);

    cloud.open(door.open());
    let queue = cloud.queue("orders", QueueShape::default()).await;
    queue.send("000").await;
    gate.ready().await;
    queue.wait_for(EMPTY).await;
    assert_eq!(bodies(&collector.calls()), numbers(1));
}

#[tokio::test]
async fn a_server_that_goes_away_in_the_middle_costs_no_second_delivery() {
    let door = Door::new();
    let mut cloud = Cloud::behind(door.address);
    cloud.open(door.open());
    let collector = Collector::start(|_| Reply::success().after(Duration::from_millis(500))).await;
    let queue = cloud.queue("orders", QueueShape::default()).await;
    let gate = Config::at(&cloud.endpoint)
        .function("process", &collector.url("process"), 10)
        .mapping("orders", &queue.arn, "process", "")
        .start()
        .await;
    queue.send("000").await;
    collector.wait_for("a call", |calls| calls.len() == 1).await;
    cloud.shut().await;

    let page = gate
        .wait_for("/readyz", "a reason", |page| {
            page.mapping("orders")["state"] == "Failing"
        })
        .await;
    assert_eq!(page.status, 200, "what was ready once stays so");
    collector
        .wait_for("its reply", |calls| calls[0].answered.is_some())
        .await;
    gate.wait_for_metric("source_requests_total{mapping=\"orders\",operation=\"DeleteMessageBatch\",outcome=\"error\"}", 1.0).await;

    cloud.open(door.open());
    queue.wait_for(EMPTY).await;
    gate.wait_for("/readyz", "recovery", |page| {
        page.mapping("orders")["state"] == "Enabled"
    })
    .await;
    queue.send("001").await;
    queue.wait_for(EMPTY).await;
    assert_eq!(bodies(&collector.calls()), numbers(2));
    let handled = Account {
        deleted: 2,
        ..Account::default()
    };
    assert_eq!(gate.stop().await, handled);
}
