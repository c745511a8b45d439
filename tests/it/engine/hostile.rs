//! Answers of the queue that are broken, or that bring nothing to do: nothing is lost, nobody panics, nobody spins.

use std::time::Duration;

use sluicegate::sim::{Fault, FunctionConfig, Operation, Reply};
use tokio::time::sleep;

use super::{Stage, of_mapping};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn stage(seed: u64, queue: &str, visibility_s: u64) -> Stage {
    let stage = Stage::new(seed);
    let visibility = visibility_s.to_string();
    let mut attributes = vec![("VisibilityTimeout", visibility.as_str())];
    if queue.ends_with(".fifo") {
        attributes.push(("FifoQueue", "true"));
    }
    stage.world.create_queue(queue, &attributes).unwrap();
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    stage
}

/// How many receives were made, whatever came of them.
fn receives(stage: &Stage) -> f64 {
    let outcome = |outcome| {
        stage.metric(&format!(
            "sluicegate_source_requests_total{{mapping=\"m\",operation=\"ReceiveMessage\",outcome=\"{outcome}\"}}"
        ))
    };
    ["success", "partial", "throttled", "error"]
        .map(outcome)
        .iter()
        .sum()
}

fn passed_over(stage: &Stage, reason: &str) -> f64 {
    stage.metric(&format!(
        "sluicegate_messages_passed_over_total{{mapping=\"m\",reason=\"{reason}\"}}"
    ))
}

#[tokio::test(start_paused = true)]
async fn each_broken_answer_of_each_call_is_survived_without_a_loss() {
    for fault in Fault::ALL {
        for operation in [
            Operation::ReceiveMessage,
            Operation::DeleteMessageBatch,
            Operation::GetQueueUrl,
            Operation::GetQueueAttributes,
            Operation::Invoke,
        ] {
            if !fault.fits(operation) {
                continue;
            }
            let stage = stage(1, "q", 20);
            stage.world.fault_next(operation, fault, 2);
            for number in 0..15 {
                stage.world.send("q", &number.to_string()).unwrap();
            }
            let running = stage.start("q", &[]);
            stage.emptied("q", 10 * MINUTE).await;
            let mut delivered = stage.calls().concat();
            delivered.sort();
            delivered.dedup();
            assert_eq!(delivered.len(), 15, "{operation:?} {fault:?}");
            running.stop().await;
            assert_eq!(
                stage.metric(&of_mapping("messages_held")),
                0.0,
                "{operation:?} {fault:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_can_not_be_used_is_left_to_the_queue_and_its_neighbours_are_not() {
    for fault in [Fault::WrongMd5, Fault::MissingBody, Fault::MissingReceipt] {
        let stage = stage(2, "q", 20);
        stage.world.fault_next(Operation::ReceiveMessage, fault, 1);
        for body in ["a", "b", "c"] {
            stage.world.send("q", body).unwrap();
        }
        let running = stage.start("q", &[]);
        sleep(SECOND).await;
        let first = stage.calls().concat();
        assert_eq!(first.len(), 2, "{fault:?}");
        assert_eq!(passed_over(&stage, "unusable"), 1.0, "{fault:?}");
        stage.emptied("q", MINUTE).await;
        assert_eq!(stage.calls().len(), 2, "{fault:?}");
        let mut delivered = stage.calls().concat();
        delivered.sort();
        assert_eq!(delivered, ["a", "b", "c"], "{fault:?}");
        running.stop().await;
    }
}

// A queue that keeps handing out what is in hand already, or what can not be used, as fast as it is asked.
#[tokio::test(start_paused = true)]
async fn a_queue_that_gives_nothing_to_do_is_asked_ever_more_slowly() {
    const NO_WINDOW: &str = "MaximumBatchingWindowInSeconds: 0";
    const SHORT_WINDOW: &str = "MaximumBatchingWindowInSeconds: 1";
    for (fault, reason, visibility, window) in [
        (Fault::DuplicateDelivery, "duplicate", 30, NO_WINDOW),
        (Fault::DuplicateDelivery, "duplicate", 30, SHORT_WINDOW),
        (Fault::WrongMd5, "unusable", 1, NO_WINDOW),
    ] {
        let stage = stage(3, "q", visibility);
        stage
            .world
            .fault_chance(Some(Operation::ReceiveMessage), fault, 1.0);
        let config = FunctionConfig {
            timeout: MINUTE,
            ..FunctionConfig::default()
        };
        stage.function(config, |_| Reply::ok("").after(59 * SECOND));
        stage.world.send("q", "a").unwrap();
        let running = stage.start("q", &[window]);
        sleep(MINUTE).await;
        let asked = receives(&stage);
        assert!(
            asked < 40.0,
            "{fault:?} {window}: {asked} receives in a minute"
        );
        assert!(passed_over(&stage, reason) >= 1.0, "{fault:?}");
        stage.world.heal();
        stage.emptied("q", 3 * MINUTE).await;
        running.stop().await;
    }
}

// Good messages among those that can not be used are not slowed down by them.
#[tokio::test(start_paused = true)]
async fn a_queue_with_something_to_do_is_asked_at_full_speed() {
    let stage = stage(4, "q", 30);
    stage
        .world
        .fault_chance(Some(Operation::ReceiveMessage), Fault::WrongMd5, 0.5);
    for number in 0..500 {
        stage.world.send("q", &number.to_string()).unwrap();
    }
    let running = stage.start("q", &[]);
    sleep(2 * SECOND).await;
    let delivered = stage.calls().concat().len();
    assert!(delivered > 450, "{delivered}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn empty_receives_of_a_full_queue_cost_time_and_nothing_else() {
    let stage = stage(5, "q", 30);
    stage
        .world
        .fault_next(Operation::ReceiveMessage, Fault::EmptyReceive, 5);
    stage.world.send("q", "a").unwrap();
    let running = stage.start("q", &[]);
    stage.emptied("q", 2 * MINUTE).await;
    assert_eq!(receives(&stage), 6.0);
    running.stop().await;
}
