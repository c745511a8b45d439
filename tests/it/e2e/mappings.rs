//! Several mappings in one process: each does its own work, whatever becomes of the others.

use serde_json::json;

use crate::e2e::{bodies, count, numbers, receives};
use crate::support::cloud::Cloud;
use crate::support::collector::{Collector, Reply};
use crate::support::gate::Config;
use crate::support::queue::{Counts, EMPTY, QueueShape};

crate::support::scenarios! {
    two_mappings_serve_two_queues,
    a_disabled_mapping_leaves_its_queue_alone,
    a_missing_queue_is_named_and_stops_no_other_mapping,
    a_missing_function_is_named_and_its_messages_wait,
}

async fn two_mappings_serve_two_queues(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let orders = cloud.queue("orders", QueueShape::default()).await;
    let offers = cloud.queue("offers", QueueShape::default()).await;
    let process = cloud.function("process", &collector).await;
    let gate = Config::at(&cloud.endpoint)
        .function("decide", &collector.url("decide"), 10)
        .mapping("orders", &orders.arn, &process, "")
        .mapping("offers", &offers.arn, "decide", "")
        .start()
        .await;
    orders.send_all(&numbers(5)).await;
    offers.send_all(&numbers(3)).await;

    orders.wait_for(EMPTY).await;
    offers.wait_for(EMPTY).await;
    let (process, decide): (Vec<_>, Vec<_>) = collector
        .calls()
        .into_iter()
        .partition(|call| call.function == "process");
    assert_eq!(
        (bodies(&process), bodies(&decide)),
        (numbers(5), numbers(3))
    );
    for (mapping, deleted) in [("orders", 5.0), ("offers", 3.0)] {
        let series = format!("events_deleted_total{{mapping=\"{mapping}\"}}");
        gate.wait_for_metric(&series, deleted).await;
    }
    assert_eq!(gate.stop().await.deleted, 8);
}

async fn a_disabled_mapping_leaves_its_queue_alone(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let off = cloud.queue("off", QueueShape::default()).await;
    let on = cloud.queue("on", QueueShape::default()).await;
    off.send_all(&numbers(2)).await;
    let gate = Config::at(&cloud.endpoint)
        .function("process", &collector.url("process"), 10)
        .mapping("off", &off.arn, "process", "Enabled: false")
        .mapping("on", &on.arn, "process", "")
        .start()
        .await;
    let page = gate.ready().await;
    assert_eq!(
        page.mapping("off"),
        json!({"name": "off", "state": "Disabled", "started": false, "reason": null})
    );
    assert_eq!(
        page.mapping("on"),
        json!({"name": "on", "state": "Enabled", "started": true, "reason": null})
    );
    on.send("on").await;

    on.wait_for(EMPTY).await;
    assert_eq!(bodies(&collector.calls()), ["on"]);
    assert_eq!(
        off.counts().await,
        Counts {
            visible: 2,
            in_flight: 0
        }
    );
    let mut asked = gate.metrics().await;
    asked
        .retain(|series, _| series.starts_with("sluicegate_source_requests_total{mapping=\"off\""));
    assert!(
        !asked.is_empty() && asked.values().all(|count| *count == 0.0),
        "{asked:?}"
    );
}

// contract: 3
async fn a_missing_queue_is_named_and_stops_no_other_mapping(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let there = cloud.queue("there", QueueShape::default()).await;
    let gate = Config::at(&cloud.endpoint)
        .function("process", &collector.url("process"), 10)
        .mapping("there", &there.arn, "process", "")
        .mapping(
            "missing",
            "arn:aws:sqs:us-east-1:000000000000:missing",
            "process",
            "",
        )
        .start()
        .await;
    there.send("000").await;
    there.wait_for(EMPTY).await;
    let page = gate
        .wait_for("/readyz", "a reason", |page| {
            page.mapping("missing")["state"] == "Failing"
        })
        .await;
    assert_eq!(
        (page.status, page.json()["ready"].as_bool()),
        (503, Some(false))
    );
    assert_eq!(page.mapping("missing")["started"], false);
    let reason = page.mapping("missing")["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(
        reason
            .starts_with("failed to start: the queue arn:aws:sqs:us-east-1:000000000000:missing: ")
            && reason.contains("does not exist"),
        "{reason}"
    );
    assert_eq!(page.mapping("there")["state"], "Enabled");

    let missing = cloud.queue("missing", QueueShape::default()).await;
    gate.ready().await;
    missing.send("001").await;
    let calls = collector
        .wait_for("both messages", |calls| count(calls) == 2)
        .await;
    assert_eq!(bodies(&calls), numbers(2));

    // What was ready once stays so.
    missing.wait_for(EMPTY).await;
    missing.end().await;
    let page = gate
        .wait_for("/readyz", "a reason", |page| {
            page.mapping("missing")["state"] == "Failing"
        })
        .await;
    assert_eq!(page.status, 200);
    let reason = page.mapping("missing")["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(
        reason.starts_with("failed to receive: ") && reason.contains("does not exist"),
        "{reason}"
    );
    there.send("002").await;
    collector
        .wait_for("the other mapping's message", |calls| count(calls) == 3)
        .await;
}

async fn a_missing_function_is_named_and_its_messages_wait(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let queue = cloud.queue("orders", QueueShape::default()).await;
    queue.send_all(&numbers(3)).await;
    let function = "arn:aws:lambda:us-east-1:000000000000:function:process";
    let gate = Config::at(&cloud.endpoint)
        .mapping("orders", &queue.arn, function, "")
        .start()
        .await;
    let page = gate
        .wait_for("/readyz", "a reason", |page| {
            page.mapping("orders")["state"] == "Failing"
        })
        .await;
    let reason = page.mapping("orders")["reason"].to_string();
    assert!(reason.contains("Function not found"), "{reason}");

    assert_eq!(cloud.function("process", &collector).await, function);
    queue.wait_for(EMPTY).await;
    let calls = collector.calls();
    assert_eq!(bodies(&calls), numbers(3));
    assert!(
        calls.iter().flat_map(receives).all(|count| count == "1"),
        "{calls:#?}"
    );
    gate.ready().await;
}
