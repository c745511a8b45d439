//! FIFO queues: within a group nothing overtakes, whatever fails.

use std::collections::BTreeMap;

use crate::e2e::{LEASE_S, impatient};
use crate::support::cloud::Cloud;
use crate::support::collector::{Call, Collector, Reply};
use crate::support::gate::Config;
use crate::support::queue::{EMPTY, QueueShape};

crate::support::scenarios! { a_group_stays_in_order_when_its_messages_fail }

/// Fail when they come first: one in the middle of its group, and the last of another.
const FAILING: [&str; 2] = ["a2", "b5"];

fn failed(call: &Call) -> Vec<String> {
    let first =
        |record: &&serde_json::Value| record["attributes"]["ApproximateReceiveCount"] == "1";
    let records = call.event["Records"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let failing = records
        .iter()
        .filter(first)
        .filter(|record| FAILING.iter().any(|body| record["body"] == *body));
    failing
        .filter_map(|record| record["messageId"].as_str().map(str::to_owned))
        .collect()
}

// spec: 3.2, 11.8
async fn a_group_stays_in_order_when_its_messages_fail(cloud: Cloud) {
    let collector = Collector::start(|call| Reply::failures(&failed(call))).await;
    let queue = cloud
        .queue(
            "orders.fifo",
            QueueShape {
                fifo: true,
                ..impatient()
            },
        )
        .await;
    let function = cloud.function_within("process", &collector, LEASE_S).await;
    for number in 1..=5 {
        for group in ["a", "b"] {
            queue.send_grouped(group, &format!("{group}{number}")).await;
        }
    }
    let settings = "BatchSize: 4, FunctionResponseTypes: [ReportBatchItemFailures]";
    let _gate = Config::at(&cloud.endpoint)
        .mapping("orders", &queue.arn, &function, settings)
        .start()
        .await;

    queue.wait_for(EMPTY).await;
    // The next one that each group owes; behind a failure it is that one again.
    let mut owed = BTreeMap::from([("a", 1), ("b", 1)]);
    for call in collector.calls() {
        let mut stopped = BTreeMap::new();
        for (body, id) in call.bodies().iter().zip(call.message_ids()) {
            let (group, number) = body.split_at(1);
            let next = owed.get_mut(group).expect("two groups");
            assert_eq!(
                number.parse(),
                Ok(*next),
                "out of order: {:#?}",
                collector.calls()
            );
            *next += 1;
            if failed(&call).contains(&id) {
                stopped.entry(group.to_owned()).or_insert(*next - 1);
            }
        }
        for (group, number) in stopped {
            owed.insert(if group == "a" { "a" } else { "b" }, number);
        }
    }
    assert_eq!(owed, BTreeMap::from([("a", 6), ("b", 6)]));
}
