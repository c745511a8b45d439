//! How many batches run at once and how much is asked of the queue: what an idle queue costs, how a backlog is met, what
//! MaximumConcurrency caps, and that nothing is asked for that could not be invoked with.

use std::time::Duration;

use sluicegate::sim::{Entry, Event, FunctionConfig, Reply};
use tokio::time::sleep;

use super::{Stage, of_mapping};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn stage(seed: u64, takes: Duration) -> Stage {
    let stage = Stage::new(seed);
    stage.world.create_queue("q", &[]).unwrap();
    let config = FunctionConfig {
        timeout: 30 * SECOND,
        ..FunctionConfig::default()
    };
    stage.function(config, move |_| Reply::ok("").after(takes));
    stage
}

fn requests(stage: &Stage, operation: &str) -> f64 {
    let outcome = |outcome| {
        stage.metric(&format!(
            "sluicegate_source_requests_total{{mapping=\"m\",operation=\"{operation}\",outcome=\"{outcome}\"}}"
        ))
    };
    ["success", "partial", "throttled", "error"]
        .map(outcome)
        .iter()
        .sum()
}

/// The most invocations that ran at once, and when that was first so.
fn most_at_once(history: &[Entry]) -> (usize, Duration) {
    let (mut running, mut most) = (0_usize, (0, Duration::ZERO));
    for Entry { at, event } in history {
        match event {
            Event::Invoked { .. } => running += 1,
            Event::Replied { .. } => running -= 1,
            _ => {}
        }
        if running > most.0 {
            most = (running, *at);
        }
    }
    most
}

/// Sends so many messages.
fn send(stage: &Stage, count: usize) {
    for number in 0..count {
        stage.world.send("q", &number.to_string()).unwrap();
    }
}

// The README's idle cost: one long poll at a time, and a look at the queue's attributes every five minutes.
#[tokio::test(start_paused = true)]
async fn an_idle_queue_costs_180_receives_and_12_looks_an_hour() {
    let stage = stage(1, SECOND);
    let running = stage.start("q", &[]);
    sleep(MINUTE).await;
    let before = (
        requests(&stage, "ReceiveMessage"),
        requests(&stage, "GetQueueAttributes"),
    );
    sleep(60 * MINUTE).await;
    let receives = requests(&stage, "ReceiveMessage") - before.0;
    // Each takes 20 s and the way there and back.
    assert_eq!(receives, 180.0);
    assert_eq!(requests(&stage, "GetQueueAttributes") - before.1, 12.0);
    assert_eq!(requests(&stage, "GetQueueUrl"), 1.0);
    assert_eq!(requests(&stage, "DeleteMessageBatch"), 0.0);
    assert_eq!(requests(&stage, "ChangeMessageVisibilityBatch"), 0.0);
    running.stop().await;
}

// After a burst the queue is as cheap as before it.
#[tokio::test(start_paused = true)]
async fn a_burst_leaves_no_further_polls_behind() {
    let stage = stage(2, SECOND / 10);
    let running = stage.start("q", &[]);
    send(&stage, 500);
    stage.emptied("q", 5 * MINUTE).await;
    sleep(MINUTE).await;
    let before = requests(&stage, "ReceiveMessage");
    sleep(60 * MINUTE).await;
    let receives = requests(&stage, "ReceiveMessage") - before;
    assert!((179.0..=181.0).contains(&receives), "{receives}");
    assert_eq!(stage.metric(&of_mapping("concurrency_limit")), 5.0);
    running.stop().await;
}

// spec: 4.5: five at the start, 300 more a minute
#[tokio::test(start_paused = true)]
async fn a_backlog_is_met_by_five_more_invocations_a_second() {
    let stage = stage(3, 5 * SECOND);
    send(&stage, 1500);
    let running = stage.start("q", &["BatchSize: 5"]);
    sleep(5 * SECOND).await;
    let (first, _) = most_at_once(&stage.world.history());
    assert!((25..=31).contains(&first), "{first}");
    sleep(15 * SECOND).await;
    let limit = stage.metric(&of_mapping("concurrency_limit"));
    let (most, _) = most_at_once(&stage.world.history());
    assert!(most as f64 <= limit);
    assert!((95..=106).contains(&most), "{most}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn maximum_concurrency_is_reached_and_never_passed() {
    for maximum in [1, 2, 7] {
        let stage = stage(4, SECOND / 4);
        send(&stage, 200);
        let capped = format!("ScalingConfig: {{ MaximumConcurrency: {maximum} }}");
        let running = stage.start("q", &[&capped, "BatchSize: 2"]);
        stage.emptied("q", 2 * MINUTE).await;
        let (most, _) = most_at_once(&stage.world.history());
        assert_eq!(most, maximum);
        assert_eq!(running.stop().await.deleted, 200);
    }
}

// Permit first: what is received and not yet invoked with is one batch a poll, not the backlog.
#[tokio::test(start_paused = true)]
async fn nothing_is_received_that_could_not_be_invoked_with() {
    let stage = stage(5, 20 * SECOND);
    send(&stage, 100);
    let settings = ["ScalingConfig: { MaximumConcurrency: 2 }", "BatchSize: 3"];
    let running = stage.start("q", &settings);
    for _ in 0..60 {
        sleep(SECOND).await;
        let held = stage.metric(&of_mapping("messages_held"));
        assert!(held <= 6.0, "{held}");
    }
    running.stop().await;
}

// spec: 4.3, 4.4
#[tokio::test(start_paused = true)]
async fn a_throttled_function_is_asked_ever_less_and_gets_its_concurrency_back() {
    let stage = stage(6, 2 * SECOND);
    let limited = FunctionConfig {
        concurrency: Some(2),
        ..FunctionConfig::default()
    };
    stage.function(limited, |_| Reply::ok("").after(SECOND));
    send(&stage, 300);
    let running = stage.start("q", &["BatchSize: 1"]);
    sleep(30 * SECOND).await;
    let limit = stage.metric(&of_mapping("concurrency_limit"));
    assert!(limit <= 5.0, "{limit}");
    assert!(stage.receives().values().all(|count| *count == 1));
    let free = FunctionConfig::default();
    stage.function(free, |_| Reply::ok("").after(SECOND));
    let before = stage.calls().len();
    sleep(30 * SECOND).await;
    let after = stage.calls().len() - before;
    assert!(after > 150, "{after}");
    stage.emptied("q", 10 * MINUTE).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_limit_is_shown_before_the_first_receive_and_after_each_fall() {
    let stage = stage(7, SECOND);
    let running = stage.start("q", &[]);
    sleep(SECOND).await;
    assert_eq!(stage.metric(&of_mapping("concurrency_limit")), 5.0);
    stage.function(FunctionConfig::default(), |_| {
        Reply::refused(429, "Rate Exceeded.")
    });
    send(&stage, 1);
    sleep(18 * SECOND).await;
    assert_eq!(stage.metric(&of_mapping("concurrency_limit")), 1.0);
    running.stop().await;
}
