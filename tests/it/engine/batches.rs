//! Batches: how they are formed, delivered and settled.

use std::time::Duration;

use sluicegate::queue::Account;
use sluicegate::sim::{FunctionConfig, Reply};

use super::{Stage, of_mapping};

const MINUTE: Duration = Duration::from_secs(60);

fn bodies(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn messages_are_delivered_once_and_deleted() {
    let stage = Stage::new(1);
    stage.world.create_queue("q", &[]).unwrap();
    stage.function(FunctionConfig::default(), |_| Reply::ok("null"));
    for body in bodies(95) {
        stage.world.send("q", &body).unwrap();
    }
    let running = stage.start("q", &[]);
    stage.emptied("q", MINUTE).await;
    let mut delivered = stage.calls().concat();
    delivered.sort_by_key(|body| body.parse::<usize>().unwrap());
    assert_eq!(delivered, bodies(95));
    let account = running.stop().await;
    assert_eq!(
        account,
        Account {
            deleted: 95,
            ..Account::default()
        }
    );
    assert_eq!(stage.metric(&of_mapping("events_polled_total")), 95.0);
    assert_eq!(stage.metric(&of_mapping("events_deleted_total")), 95.0);
    assert_eq!(stage.metric(&of_mapping("messages_held")), 0.0);
}

// spec: 14 MaximumConcurrency 2, BatchSize 20, window 1, 30 waiting messages: exactly two invocations
#[tokio::test(start_paused = true)]
async fn thirty_waiting_messages_in_batches_of_twenty_are_two_invocations() {
    let stage = Stage::new(2);
    stage.world.create_queue("q", &[]).unwrap();
    stage.function(FunctionConfig::default(), |_| Reply::ok("null"));
    for body in bodies(30) {
        stage.world.send("q", &body).unwrap();
    }
    let settings = [
        "BatchSize: 20",
        "MaximumBatchingWindowInSeconds: 1",
        "ScalingConfig: { MaximumConcurrency: 2 }",
    ];
    let running = stage.start("q", &settings);
    stage.emptied("q", MINUTE).await;
    let mut sizes: Vec<usize> = stage.calls().iter().map(Vec::len).collect();
    sizes.sort();
    assert_eq!(sizes, [10, 20]);
    running.stop().await;
}

// spec: 4.1, 4.4
#[tokio::test(start_paused = true)]
async fn after_a_function_error_the_queues_visibility_decides() {
    let stage = Stage::new(3);
    stage
        .world
        .create_queue("q", &[("VisibilityTimeout", "60")])
        .unwrap();
    stage.function(FunctionConfig::default(), |call| {
        if call.number == 1 {
            Reply::error("no")
        } else {
            Reply::ok("")
        }
    });
    stage.world.send("q", "a").unwrap();
    let began = tokio::time::Instant::now();
    let running = stage.start("q", &[]);
    stage.emptied("q", 2 * MINUTE).await;
    assert_eq!(stage.calls().len(), 2);
    let waited = began.elapsed();
    assert!(
        (MINUTE..MINUTE + Duration::from_secs(1)).contains(&waited),
        "{waited:?}"
    );
    let account = running.stop().await;
    assert_eq!(
        account,
        Account {
            deleted: 1,
            left: 1,
            ..Account::default()
        }
    );
}

// spec: 4.3; the queue's visibility would have ended ten times over
#[tokio::test(start_paused = true)]
async fn a_throttled_function_never_costs_a_message_a_receive() {
    let stage = Stage::new(4);
    stage
        .world
        .create_queue("q", &[("VisibilityTimeout", "10")])
        .unwrap();
    let began = tokio::time::Instant::now();
    stage.function(FunctionConfig::default(), move |_| {
        if began.elapsed() < 2 * MINUTE {
            Reply::refused(429, "Rate Exceeded.")
        } else {
            Reply::ok("")
        }
    });
    for body in bodies(20) {
        stage.world.send("q", &body).unwrap();
    }
    let running = stage.start("q", &[]);
    stage.emptied("q", 5 * MINUTE).await;
    assert!(
        stage.receives().values().all(|count| *count == 1),
        "{:?}",
        stage.receives()
    );
    assert_eq!(running.stop().await.deleted, 20);
}

#[tokio::test(start_paused = true)]
async fn a_slow_function_never_causes_a_duplicate() {
    let stage = Stage::new(5);
    stage
        .world
        .create_queue("q", &[("VisibilityTimeout", "20")])
        .unwrap();
    let slow = FunctionConfig {
        timeout: Duration::from_secs(900),
        ..FunctionConfig::default()
    };
    stage.function(slow, |_| Reply::ok("").after(Duration::from_secs(890)));
    stage.world.send("q", "a").unwrap();
    let running = stage.start("q", &[]);
    stage.emptied("q", 20 * MINUTE).await;
    assert_eq!(stage.calls(), [["a"]]);
    assert_eq!(stage.receives().values().copied().collect::<Vec<_>>(), [1]);
    running.stop().await;
}
