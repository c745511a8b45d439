//! Functions that fail: what failed comes again, what was handled does not, and nothing else decides but the queue.

use std::time::Duration;

use sluicegate::reports::Account;

use crate::e2e::{LEASE_S, bodies, count, impatient, numbers, receives};
use crate::support::cloud::Cloud;
use crate::support::collector::{Collector, Reply};
use crate::support::gate::Config;
use crate::support::queue::{Counts, EMPTY, QueueShape};

crate::support::scenarios! {
    only_the_messages_that_failed_come_back,
    a_message_whose_function_always_fails_goes_to_the_dead_letter_queue,
    an_unreadable_reply_brings_the_whole_batch_back,
    a_throttled_function_costs_no_receive,
    a_function_that_is_too_slow_has_failed,
}

const REPORTS: &str = "FunctionResponseTypes: [ReportBatchItemFailures]";

async fn only_the_messages_that_failed_come_back(cloud: Cloud) {
    let collector = Collector::start(|call| {
        let bodies = call.bodies().into_iter().zip(call.message_ids());
        let failed: Vec<_> = bodies
            .filter(|(body, _)| body == "001" || body == "003")
            .map(|(_, id)| id)
            .collect();
        if receives(call)[0] == "1" {
            Reply::failures(&failed)
        } else {
            Reply::success()
        }
    })
    .await;
    let queue = cloud.queue("orders", impatient()).await;
    let function = cloud.function_within("process", &collector, LEASE_S).await;
    queue.send_all(&numbers(5)).await;
    let gate = Config::at(&cloud.endpoint)
        .mapping("orders", &queue.arn, &function, REPORTS)
        .start()
        .await;

    queue.wait_for(EMPTY).await;
    let calls = collector.calls();
    let (first, again): (Vec<_>, Vec<_>) =
        calls.into_iter().partition(|call| receives(call)[0] == "1");
    assert_eq!(bodies(&first), numbers(5));
    assert_eq!(bodies(&again), ["001", "003"]);
    assert!(
        again.iter().flat_map(receives).all(|count| count == "2"),
        "{again:#?}"
    );
    let handled = Account {
        deleted: 5,
        left: 2,
        ..Account::default()
    };
    assert_eq!(gate.stop().await, handled);
}

async fn a_message_whose_function_always_fails_goes_to_the_dead_letter_queue(cloud: Cloud) {
    let collector = Collector::start(|call| {
        if call.bodies() == ["poison"] {
            Reply::function_error("boom")
        } else {
            Reply::success()
        }
    })
    .await;
    let dead = cloud.queue("dead", QueueShape::default()).await;
    let shape = QueueShape {
        dead_letters: Some((dead.arn.clone(), 2)),
        ..impatient()
    };
    let queue = cloud.queue("orders", shape).await;
    let function = cloud.function_within("process", &collector, LEASE_S).await;
    let gate = Config::at(&cloud.endpoint)
        .mapping("orders", &queue.arn, &function, "BatchSize: 1")
        .start()
        .await;
    let id = queue.send("poison").await;
    queue.send("good").await;

    dead.wait_for(Counts {
        visible: 1,
        in_flight: 0,
    })
    .await;
    let letters = dead.receive(0).await;
    assert_eq!(
        letters
            .iter()
            .map(|letter| letter.message_id())
            .collect::<Vec<_>>(),
        [Some(id.as_str())]
    );
    queue.wait_for(EMPTY).await;
    assert_eq!(bodies(&collector.calls()), ["good", "poison", "poison"]);
    let handled = Account {
        deleted: 1,
        left: 2,
        ..Account::default()
    };
    assert_eq!(gate.stop().await, handled);
}

async fn an_unreadable_reply_brings_the_whole_batch_back(cloud: Cloud) {
    let collector = Collector::start(|call| {
        if receives(call)[0] == "1" {
            Reply::text("garbage")
        } else {
            Reply::success()
        }
    })
    .await;
    let queue = cloud.queue("orders", impatient()).await;
    let function = cloud.function_within("process", &collector, LEASE_S).await;
    queue.send_all(&numbers(3)).await;
    let gate = Config::at(&cloud.endpoint)
        .mapping("orders", &queue.arn, &function, REPORTS)
        .start()
        .await;

    queue.wait_for(EMPTY).await;
    let (first, again): (Vec<_>, Vec<_>) = collector
        .calls()
        .into_iter()
        .partition(|call| receives(call)[0] == "1");
    assert_eq!((bodies(&first), bodies(&again)), (numbers(3), numbers(3)));
    let handled = Account {
        deleted: 3,
        left: 3,
        ..Account::default()
    };
    assert_eq!(gate.stop().await, handled);
}

// spec: 4.3, 11.1
async fn a_throttled_function_costs_no_receive(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let queue = cloud.queue("orders", impatient()).await;
    let function = cloud.function_within("process", &collector, LEASE_S).await;
    cloud.throttle("process", true).await;
    queue.send_all(&numbers(3)).await;
    let gate = Config::at(&cloud.endpoint)
        .mapping("orders", &queue.arn, &function, "")
        .start()
        .await;

    gate.wait_for_metric(
        "invocations_total{mapping=\"orders\",outcome=\"throttled\"}",
        2.0,
    )
    .await;
    // By then the queue's own visibility is half over, and would end before the function is free.
    gate.wait_for_metric(
        "messages_visibility_extended_total{mapping=\"orders\"}",
        3.0,
    )
    .await;
    assert!(collector.calls().is_empty());
    cloud.throttle("process", false).await;

    let calls = collector
        .wait_for("the messages", |calls| count(calls) == 3)
        .await;
    assert_eq!(bodies(&calls), numbers(3));
    assert!(
        calls.iter().flat_map(receives).all(|count| count == "1"),
        "{calls:#?}"
    );
    queue.wait_for(EMPTY).await;
    let handled = Account {
        deleted: 3,
        ..Account::default()
    };
    assert_eq!(gate.stop().await, handled);
}

async fn a_function_that_is_too_slow_has_failed(cloud: Cloud) {
    let collector = Collector::start(|call| {
        let late = Duration::from_secs(60);
        if receives(call) == ["1"] {
            Reply::success().after(late)
        } else {
            Reply::success()
        }
    })
    .await;
    let behind_url = cloud.queue("behind-url", impatient()).await;
    let in_lambda = cloud.queue("in-lambda", impatient()).await;
    let function = cloud.function_within("lambda", &collector, LEASE_S).await;
    let gate = Config::at(&cloud.endpoint)
        .function("http", &collector.url("http"), LEASE_S.into())
        .mapping("behind-url", &behind_url.arn, "http", "")
        .mapping("in-lambda", &in_lambda.arn, &function, "")
        .start()
        .await;
    behind_url.send("000").await;
    in_lambda.send("000").await;

    behind_url.wait_for(EMPTY).await;
    in_lambda.wait_for(EMPTY).await;
    for (mapping, function) in [("behind-url", "http"), ("in-lambda", "lambda")] {
        let mut calls = collector.calls();
        calls.retain(|call| call.function == function);
        let tries: Vec<_> = calls.iter().map(receives).collect();
        assert_eq!(tries, [["1"], ["2"]], "{function}");
        let timeouts = format!("invocations_total{{mapping=\"{mapping}\",outcome=\"timeout\"}}");
        gate.wait_for_metric(&timeouts, 1.0).await;
    }
    let handled = Account {
        deleted: 2,
        left: 2,
        ..Account::default()
    };
    assert_eq!(gate.stop().await, handled);
}
