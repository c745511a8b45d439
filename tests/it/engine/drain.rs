//! Drain: at whatever moment the service is told to stop, nothing is received after, what was not tried goes back at
//! once, what runs ends, and the account is what the world saw.

use std::time::Duration;

use sluicegate::reports::Account;
use sluicegate::sim::{Entry, Event, Fault, FunctionConfig, Operation, Reply};
use sluicegate::status::State;
use tokio::time::{Instant, sleep};

use super::{Stage, of_mapping};

const SECOND: Duration = Duration::from_secs(1);

fn receive_calls(stage: &Stage) -> f64 {
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

/// What the history says became of the messages.
fn truth(history: &[Entry]) -> (u64, u64, u64) {
    let mut counts = (0, 0, 0);
    for Entry { event, .. } in history {
        match event {
            Event::Received { .. } => counts.0 += 1,
            Event::Deleted { .. } => counts.1 += 1,
            Event::VisibilityChanged { visibility, .. } if visibility.is_zero() => counts.2 += 1,
            _ => {}
        }
    }
    counts
}

/// A busy scenario: a window, a function that is slow, fails, is throttled, and messages that keep coming.
async fn drained_after(moment: Duration, settings: &[&str], queue: &str) {
    let fifo = queue.ends_with(".fifo");
    let stage = Stage::new(1);
    let attributes: &[(&str, &str)] = if fifo { &[("FifoQueue", "true")] } else { &[] };
    stage.world.create_queue(queue, attributes).unwrap();
    stage.function(FunctionConfig::default(), |call| match call.number % 7 {
        1 => Reply::ok("").after(2 * SECOND),
        2 => Reply::refused(429, "Rate Exceeded."),
        3 => Reply::error("no"),
        4 => Reply::ok("").after(60 * SECOND),
        _ => Reply::ok("").after(SECOND / 10),
    });
    let running = stage.start(queue, settings);
    let began = Instant::now();
    let mut number = 0;
    while began.elapsed() < moment {
        if number < 60 {
            for _ in 0..3 {
                let body = number.to_string();
                let group = format!("g{}", number % 4);
                stage.world.send_to_group(queue, &group, &body).unwrap();
                number += 1;
            }
        }
        sleep((SECOND / 2).min(moment - began.elapsed())).await;
    }
    let told = stage.world.clock().elapsed();
    let polls = receive_calls(&stage);
    let before = Instant::now();
    let account = running.stop().await;
    let took = before.elapsed();
    // The function's time-out is 3 s; a long poll takes 20 s at most.
    assert!(
        took <= Duration::from_millis(20_100),
        "{moment:?}: {took:?}"
    );
    assert!(
        receive_calls(&stage) - polls <= 5.0,
        "{moment:?}: it went on receiving"
    );
    let history = stage.world.history();
    let (received, deleted, handed_back) = truth(&history);
    let counted = Account {
        deleted,
        left: received - deleted - handed_back,
        handed_back,
        ..Account::default()
    };
    assert_eq!(account, counted, "{moment:?}");
    assert_eq!(
        stage.metric(&of_mapping("messages_held")),
        0.0,
        "{moment:?}"
    );
    // What came after the word was given was handed back, not tried.
    let mut late: Vec<&str> = Vec::new();
    for Entry { at, event } in &history {
        match event {
            Event::Received { id, .. } if told < *at => late.push(id),
            Event::Invoked { message_ids, .. } if told < *at => {
                let tried = message_ids.iter().any(|id| late.contains(&id.as_str()));
                assert!(!tried, "{moment:?}: invoked with what came after the word");
                // On its way to the function when the word was given.
                assert!(
                    *at - told <= Duration::from_millis(1),
                    "{moment:?}: invoked {:?} late",
                    *at - told
                );
            }
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_at_any_moment_accounts_for_every_message() {
    for step in 1..=80 {
        drained_after(step * Duration::from_millis(125), &["BatchSize: 2"], "q").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_inside_a_window_hands_the_batch_back() {
    let settings = ["BatchSize: 40", "MaximumBatchingWindowInSeconds: 3"];
    for step in 1..=40 {
        drained_after(step * Duration::from_millis(225), &settings, "q").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_of_an_ordered_queue_accounts_for_every_message() {
    for step in 1..=40 {
        drained_after(step * Duration::from_millis(225), &[], "q.fifo").await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_handed_back_may_be_received_at_once() {
    let stage = Stage::new(2);
    stage
        .world
        .create_queue("q", &[("VisibilityTimeout", "3600")])
        .unwrap();
    stage.function(FunctionConfig::default(), |_| Reply::refused(429, "no"));
    for number in 0..25 {
        stage.world.send("q", &number.to_string()).unwrap();
    }
    let running = stage.start("q", &[]);
    sleep(5 * SECOND).await;
    assert!(stage.world.queue("q").unwrap().in_flight > 0);
    let account = running.stop().await;
    let queue = stage.world.queue("q").unwrap();
    assert_eq!((queue.visible, queue.in_flight), (25, 0));
    assert_eq!(
        (account.deleted, account.left, account.abandoned),
        (0, 0, 0)
    );
    assert_eq!(
        stage.metric(&of_mapping("messages_handed_back_total")),
        account.handed_back as f64
    );
}

#[tokio::test(start_paused = true)]
async fn a_hand_back_that_fails_is_repeated() {
    for fault in [
        Fault::Throttled,
        Fault::ResetBefore,
        Fault::PartialRetryable,
    ] {
        let stage = Stage::new(3);
        stage.world.create_queue("q", &[]).unwrap();
        stage.function(FunctionConfig::default(), |_| Reply::refused(429, "no"));
        stage.world.send("q", "a").unwrap();
        let running = stage.start("q", &[]);
        sleep(SECOND).await;
        stage
            .world
            .fault_next(Operation::ChangeMessageVisibilityBatch, fault, 2);
        assert_eq!(running.stop().await.handed_back, 1, "{fault:?}");
        assert_eq!(stage.world.queue("q").unwrap().visible, 1, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_grace_period_is_over_what_still_runs_is_abandoned_and_counted() {
    let stage = Stage::new(4);
    stage.world.create_queue("q", &[]).unwrap();
    let slow = FunctionConfig {
        timeout: 900 * SECOND,
        ..FunctionConfig::default()
    };
    stage.function(slow, |_| Reply::ok("").after(800 * SECOND));
    for body in ["a", "b", "c"] {
        stage.world.send("q", body).unwrap();
    }
    let running = stage.start("q", &[]);
    sleep(SECOND).await;
    let began = Instant::now();
    let account = running.stop().await;
    assert_eq!(began.elapsed(), 30 * SECOND);
    let abandoned = Account {
        abandoned: 3,
        ..Account::default()
    };
    assert_eq!(account, abandoned);
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_for_a_repeat_or_a_failing_queue() {
    let stage = Stage::new(5);
    stage.world.create_queue("q", &[]).unwrap();
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    stage
        .world
        .fault_chance(Some(Operation::ReceiveMessage), Fault::AccessDenied, 1.0);
    let running = stage.start("q", &[]);
    sleep(600 * SECOND).await;
    let began = Instant::now();
    running.stop().await;
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_state_follows_the_drain() {
    let stage = Stage::new(6);
    stage.world.create_queue("q", &[]).unwrap();
    stage.function(FunctionConfig::default(), |_| {
        Reply::ok("").after(2 * SECOND)
    });
    stage.world.send("q", "a").unwrap();
    let running = stage.start("q", &[]);
    sleep(SECOND).await;
    let state = || stage.status.readiness().mappings.remove(0).state;
    assert_eq!(state(), State::Enabled);
    let (account, during) = tokio::join!(running.stop(), async {
        sleep(SECOND / 2).await;
        (state(), stage.status.readiness().draining)
    });
    assert_eq!(during, (State::Disabling, true));
    assert_eq!(account.deleted, 1);
    assert_eq!(state(), State::Disabled);
}
