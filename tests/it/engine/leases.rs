//! Leases: a message that is held is not delivered again, whatever the queue's visibility, the function's slowness and
//! the mood of ChangeMessageVisibility; and a message whose lease is gone is not invoked with twice.

use std::time::Duration;

use sluicegate::sim::{Fault, FunctionConfig, Invocation, Operation, Reply, Settings};

use super::{Running, Stage, of_mapping};

const SECOND: Duration = Duration::from_secs(1);

/// A stage whose queue has this visibility and holds one message, and whose function takes so long each time.
fn slow(seed: u64, visibility_s: u64, takes: Duration) -> Stage {
    let stage = Stage::new(seed);
    prepare(&stage, visibility_s, takes);
    stage
}

fn prepare(stage: &Stage, visibility_s: u64, takes: Duration) {
    let visibility = visibility_s.to_string();
    stage
        .world
        .create_queue("q", &[("VisibilityTimeout", &visibility)])
        .unwrap();
    answer_after(stage, takes);
    stage.world.send("q", "a").unwrap();
}

fn answer_after(stage: &Stage, takes: Duration) {
    let config = FunctionConfig {
        timeout: takes.max(SECOND),
        ..FunctionConfig::default()
    };
    stage.function(config, move |_| {
        Reply::ok("").after(takes.saturating_sub(Duration::from_millis(10)))
    });
}

/// A function that is throttled for a minute from now.
fn throttle_for_a_minute(stage: &Stage) {
    let began = tokio::time::Instant::now();
    stage.function(FunctionConfig::default(), move |_| {
        if began.elapsed() < 60 * SECOND {
            Reply::refused(429, "Rate Exceeded.")
        } else {
            Reply::ok("")
        }
    });
}

/// A throttled function, to which each throttle comes late: hours pass in few calls.
fn refuse_slowly(stage: &Stage) {
    let config = FunctionConfig {
        timeout: 900 * SECOND,
        ..FunctionConfig::default()
    };
    stage.function(config, |_| {
        Reply::refused(429, "Rate Exceeded.").after(800 * SECOND)
    });
}

fn receives(stage: &Stage) -> u32 {
    stage.receives().values().sum()
}

#[tokio::test(start_paused = true)]
async fn however_short_the_visibility_a_slow_function_sees_its_message_once() {
    for visibility_s in [0, 1, 2, 5, 30] {
        for takes_s in [1, 4, 29, 300] {
            let stage = slow(1, visibility_s, takes_s * SECOND);
            let running = stage.start("q", &[]);
            stage.emptied("q", (takes_s + 1) * SECOND).await;
            assert_eq!(receives(&stage), 1, "{visibility_s} {takes_s}");
            assert_eq!(stage.calls().len(), 1, "{visibility_s} {takes_s}");
            running.stop().await;
        }
    }
}

// The heartbeat of many must not hang on the call for one.
#[tokio::test(start_paused = true)]
async fn an_extension_that_is_never_answered_costs_no_lease() {
    for fault in [Fault::NeverAnswers, Fault::ConnectHangs, Fault::StalledBody] {
        let stage = slow(2, 8, SECOND);
        throttle_for_a_minute(&stage);
        stage
            .world
            .fault_next(Operation::ChangeMessageVisibilityBatch, fault, 1);
        let running = stage.start("q", &[]);
        tokio::time::sleep(2 * SECOND).await;
        stage.world.send("q", "b").unwrap();
        stage.emptied("q", 100 * SECOND).await;
        assert_eq!(receives(&stage), 2, "{fault:?}");
        assert_eq!(
            stage.metric(&of_mapping("messages_lease_lost_total")),
            0.0,
            "{fault:?}"
        );
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_extension_that_fails_for_a_while_is_repeated() {
    for fault in [
        Fault::Throttled,
        Fault::InternalError,
        Fault::AccessDenied,
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::PartialRetryable,
        Fault::MalformedJson,
        Fault::ProxyHtml,
    ] {
        let stage = slow(3, 30, 200 * SECOND);
        stage
            .world
            .fault_next(Operation::ChangeMessageVisibilityBatch, fault, 5);
        let running = stage.start("q", &[]);
        stage.emptied("q", 210 * SECOND).await;
        assert_eq!(receives(&stage), 1, "{fault:?}");
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_again_while_held_is_not_invoked_with_twice_and_its_newest_receipt_deletes()
 {
    for (queue, attributes, fault) in [
        ("q", &[][..], Fault::DuplicateDelivery),
        (
            "q.fifo",
            &[("FifoQueue", "true")][..],
            Fault::EarlyVisibility,
        ),
    ] {
        let stage = Stage::with(Settings {
            seed: 7,
            stale_receipt_deletes: false,
            ..Settings::default()
        });
        stage.world.create_queue(queue, attributes).unwrap();
        answer_after(&stage, 400 * SECOND);
        stage.world.fault_next(Operation::ReceiveMessage, fault, 1);
        stage.world.send_to_group(queue, "g", "a").unwrap();
        let running = stage.start(queue, &[]);
        stage.emptied(queue, 401 * SECOND).await;
        assert_eq!(receives(&stage), 2, "{queue}");
        assert_eq!(stage.calls().len(), 1, "{queue}");
        let duplicates =
            "sluicegate_messages_passed_over_total{mapping=\"m\",reason=\"duplicate\"}";
        assert_eq!(stage.metric(duplicates), 1.0, "{queue}");
        assert_eq!(running.stop().await.deleted, 1, "{queue}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_receipt_that_is_refused_for_good_is_news_once_and_the_function_runs_on() {
    let stage = slow(5, 30, 100 * SECOND);
    stage.world.fault_chance(
        Some(Operation::ChangeMessageVisibilityBatch),
        Fault::ReceiptHandleInvalid,
        1.0,
    );
    let running = stage.start("q", &[]);
    tokio::time::sleep(99 * SECOND).await;
    assert_eq!(stage.metric(&of_mapping("messages_lease_lost_total")), 1.0);
    stage.emptied("q", 10 * SECOND).await;
    assert_eq!(stage.calls().len(), 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_without_a_lease_is_not_dispatched() {
    let stage = Stage::new(6);
    stage
        .world
        .create_queue("q", &[("VisibilityTimeout", "10")])
        .unwrap();
    throttle_for_a_minute(&stage);
    stage.world.fault_chance(
        Some(Operation::ChangeMessageVisibilityBatch),
        Fault::ReceiptHandleInvalid,
        1.0,
    );
    stage.world.send("q", "a").unwrap();
    let running = stage.start("q", &[]);
    stage.emptied("q", 300 * SECOND).await;
    // Each lease allows some tries; none is made on a lease that is gone.
    let mut leased = Duration::ZERO;
    for entry in stage.world.history() {
        match entry.event {
            sluicegate::sim::Event::Received { .. } => leased = entry.at + 10 * SECOND,
            sluicegate::sim::Event::Invoked { .. } => assert!(entry.at < leased, "{:?}", entry.at),
            _ => {}
        }
    }
    assert!(receives(&stage) > 3);
    running.stop().await;
}

// spec: 10: twelve hours at most; a late answer of the receive must not spoil the last extension
#[tokio::test(start_paused = true)]
async fn a_message_is_held_for_twelve_hours_and_no_longer() {
    for latency in [Duration::from_millis(1), Duration::from_millis(900)] {
        let stage = Stage::with(Settings {
            seed: 7,
            latency,
            ..Settings::default()
        });
        stage
            .world
            .create_queue("q", &[("VisibilityTimeout", "900")])
            .unwrap();
        refuse_slowly(&stage);
        stage.world.send("q", "a").unwrap();
        let running = stage.start("q", &[]);
        tokio::time::sleep(Duration::from_secs(12 * 3600 - 60)).await;
        assert_eq!(receives(&stage), 1, "{latency:?}");
        // The throttled function is left one slot, which its last invocation has for 800 s.
        tokio::time::sleep(Duration::from_secs(900)).await;
        assert_eq!(receives(&stage), 2, "{latency:?}");
        running.stop().await;
    }
}

// spec: 1.6, 4.1; pitfall 11.5
#[tokio::test(start_paused = true)]
async fn terms_that_change_are_kept_to_from_the_next_look_on() {
    let stage = slow(8, 600, SECOND);
    let running = stage.start("q", &[]);
    stage.emptied("q", 10 * SECOND).await;
    // The function may take longer than the visibility from now on: the receive asks for more.
    answer_after(&stage, 700 * SECOND);
    tokio::time::sleep(301 * SECOND).await;
    stage.world.send("q", "b").unwrap();
    stage.emptied("q", 750 * SECOND).await;
    let asked: Vec<u64> = stage
        .world
        .history()
        .into_iter()
        .filter_map(|entry| match entry.event {
            sluicegate::sim::Event::Received { visibility, .. } => Some(visibility.as_secs()),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [600, 730]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_visibility_that_falls_under_a_held_message_does_not_end_its_extensions() {
    let stage = slow(9, 3600, SECOND);
    refuse_slowly(&stage);
    let running = stage.start("q", &[]);
    tokio::time::sleep(60 * SECOND).await;
    stage
        .world
        .set_queue("q", &[("VisibilityTimeout", "900")])
        .unwrap();
    tokio::time::sleep(7200 * SECOND).await;
    assert_eq!(receives(&stage), 1);
    running.stop().await;
}

// The role that AWS ships for SQS mappings: it may not change a message's visibility. // spec: 9
#[tokio::test(start_paused = true)]
async fn a_role_that_may_not_extend_leases_serves_functions_that_need_no_more() {
    let stage = Stage::new(19);
    stage
        .world
        .create_queue("q", &[("VisibilityTimeout", "30")])
        .unwrap();
    stage.world.fault_chance(
        Some(Operation::ChangeMessageVisibilityBatch),
        Fault::AccessDenied,
        1.0,
    );
    stage.function(FunctionConfig::default(), |_| {
        Reply::ok("").after(Duration::from_secs(2))
    });
    for number in 0..40 {
        stage.world.send("q", &number.to_string()).unwrap();
    }
    let running = stage.start("q", &["BatchSize: 5"]);
    stage.emptied("q", Duration::from_secs(120)).await;
    assert!(stage.receives().values().all(|count| *count == 1));
    assert_eq!(running.stop().await.deleted, 40);
}

// A long poll that was sent before the terms changed hides its messages as it was asked to, not as the new terms say.
#[tokio::test(start_paused = true)]
async fn a_message_of_a_poll_from_before_the_terms_changed_keeps_its_lease() {
    let stage = slow(20, 30, SECOND);
    let running = stage.start("q", &[]);
    stage.emptied("q", 10 * SECOND).await;
    // Polls of 20 s follow this message; the terms are looked at after 300 s, in the middle of one.
    tokio::time::sleep(8 * SECOND).await;
    stage.world.send("q", "b").unwrap();
    tokio::time::sleep(280 * SECOND).await;
    answer_after(&stage, 700 * SECOND);
    tokio::time::sleep(14 * SECOND).await;
    stage.world.send("q", "c").unwrap();
    stage.emptied("q", 750 * SECOND).await;
    let asked: Vec<u64> = stage
        .world
        .history()
        .into_iter()
        .filter_map(|entry| match entry.event {
            sluicegate::sim::Event::Received { visibility, .. } => Some(visibility.as_secs()),
            _ => None,
        })
        .collect();
    assert_eq!(
        asked,
        [30, 30, 30],
        "the last was received on the old terms"
    );
    assert_eq!(stage.calls(), [["a"], ["b"], ["c"]]);
    running.stop().await;
}

/// One message on a lease of 20 s, and a function that takes half of it to refuse such calls.
fn throttled_at_half_of_the_lease(seed: u64, refused: fn(&Invocation) -> bool) -> Stage {
    let stage = Stage::new(seed);
    stage
        .world
        .create_queue("q", &[("VisibilityTimeout", "20")])
        .unwrap();
    let config = FunctionConfig {
        timeout: 20 * SECOND,
        ..FunctionConfig::default()
    };
    stage.function(config, move |call| match refused(call) {
        true => Reply::refused(429, "Rate Exceeded.").after(10 * SECOND),
        false => Reply::ok(""),
    });
    stage.world.send("q", "a").unwrap();
    stage
}

// spec: 4.3: a batch that waits for its function is not given up for a failure that passes
#[tokio::test(start_paused = true)]
async fn a_passing_failure_of_an_extension_costs_a_throttled_batch_no_receive() {
    for (fault, times) in [
        (Fault::InternalError, 6),
        (Fault::Throttled, 6),
        (Fault::ResetBefore, 6),
        (Fault::NeverAnswers, 2),
    ] {
        let stage = throttled_at_half_of_the_lease(21, |call| call.number == 1);
        // It has failed already when the throttle comes.
        let extensions = Operation::ChangeMessageVisibilityBatch;
        stage.world.fault_next(extensions, fault, times);
        let running = stage.start("q", &[]);
        stage.emptied("q", 60 * SECOND).await;
        assert_eq!(receives(&stage), 1, "{fault:?}");
        assert_eq!(running.stop().await.left, 0, "{fault:?}");
    }
}

/// The same, whose lease can not be extended either.
fn refused_without_extensions(seed: u64, fault: Fault) -> Stage {
    let stage = throttled_at_half_of_the_lease(seed, |_| true);
    let extensions = Some(Operation::ChangeMessageVisibilityBatch);
    stage.world.fault_chance(extensions, fault, 1.0);
    stage
}

// No repeat helps where the permission is missing: the slot is of more use to another batch.
#[tokio::test(start_paused = true)]
async fn a_lease_that_may_not_be_extended_is_not_waited_for() {
    for (fault, held) in [(Fault::AccessDenied, 0.0), (Fault::Throttled, 1.0)] {
        let stage = refused_without_extensions(23, fault);
        let running = stage.start("q", &["ScalingConfig: { MaximumConcurrency: 1 }"]);
        tokio::time::sleep(12 * SECOND).await;
        let held_now = stage.metric(&of_mapping("messages_held"));
        assert_eq!(held_now, held, "{fault:?}");
        running.stop().await;
    }
}

// A drain ends the wait for a lease that can not be had: the batch goes back, and nothing is asked in a hot loop.
#[tokio::test(start_paused = true)]
async fn a_drain_while_an_extension_is_repeated_hands_the_batch_back() {
    let stage = refused_without_extensions(22, Fault::Throttled);
    // Without a window a second poll waits on the queue, which a hand-back would wait for.
    let running = stage.start("q", &["ScalingConfig: { MaximumConcurrency: 1 }"]);
    tokio::time::sleep(12 * SECOND).await;
    let asked = || stage.metric(&extension_calls("throttled"));
    let before = asked();
    assert!((2.0..10.0).contains(&before), "{before}");
    let heal = async {
        tokio::time::sleep(SECOND / 4).await;
        stage.world.heal();
    };
    let (account, ()) = tokio::join!(running.stop(), heal);
    assert_eq!(account.handed_back, 1);
    assert!(asked() - before < 5.0, "{}", asked() - before);
}

// reliability: I4: the event of the next try is that of what is left
#[tokio::test(start_paused = true)]
async fn a_throttled_batch_goes_on_without_the_message_whose_lease_is_lost() {
    let stage = Stage::new(24);
    stage
        .world
        .create_queue("q", &[("VisibilityTimeout", "30")])
        .unwrap();
    throttle_for_a_minute(&stage);
    stage
        .world
        .fault_next(Operation::ReceiveMessage, Fault::EarlyVisibility, 1);
    stage.world.send("q", "a").unwrap();
    stage.world.send("q", "b").unwrap();
    // No other batch may take it meanwhile.
    let running = stage.start("q", &["ScalingConfig: { MaximumConcurrency: 1 }"]);
    tokio::time::sleep(50 * SECOND).await;
    assert_eq!(stage.metric(&of_mapping("messages_held")), 1.0);
    stage.emptied("q", 60 * SECOND).await;
    let mut batches = stage.calls();
    batches.dedup();
    assert_eq!(batches, [vec!["a", "b"], vec!["b"], vec!["a"]]);
    // The extension at half of the lease is refused.
    for entry in stage.world.history() {
        if let sluicegate::sim::Event::Invoked { message_ids, .. } = entry.event {
            let whole = message_ids.len() == 2;
            assert!(!whole || entry.at < 16 * SECOND, "{:?}", entry.at);
        }
    }
    let account = running.stop().await;
    assert_eq!((account.deleted, account.left), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_batch_whose_lease_was_extended_before_the_invocation_waits_no_longer() {
    let stage = throttled_at_half_of_the_lease(25, |call| call.number == 1);
    // The heartbeat's own; it is the batch that tries again.
    let extensions = Operation::ChangeMessageVisibilityBatch;
    stage.world.fault_next(extensions, Fault::Throttled, 1);
    let running = stage.start("q", &[]);
    // The first delay is 0.2 s at most.
    stage.emptied("q", 10 * SECOND + SECOND / 3).await;
    assert_eq!(stage.metric(&extension_calls("throttled")), 1.0);
    assert_eq!(stage.metric(&extension_calls("success")), 1.0);
    running.stop().await;
}

// The heartbeat sleeps until the next lease is half over, which may be one that it does not know yet.
#[tokio::test(start_paused = true)]
async fn a_lease_that_is_shorter_than_those_held_is_extended_in_time() {
    let stage = slow(26, 3600, 900 * SECOND);
    let running = stage.start("q", &["BatchSize: 1"]);
    tokio::time::sleep(SECOND).await;
    answer_after(&stage, 300 * SECOND);
    stage
        .world
        .set_queue("q", &[("VisibilityTimeout", "300")])
        .unwrap();
    // The terms are looked at after 300 s; the poll that is under way ends.
    tokio::time::sleep(325 * SECOND).await;
    answer_after(&stage, 900 * SECOND);
    stage.world.send("q", "b").unwrap();
    tokio::time::sleep(200 * SECOND).await;
    assert_eq!(
        stage.metric(&extension_calls("success")),
        1.0,
        "half of its lease is over, not half of the other's"
    );
    stage.emptied("q", 800 * SECOND).await;
    assert_eq!(receives(&stage), 2);
    running.stop().await;
}

fn extension_calls(outcome: &str) -> String {
    format!(
        "sluicegate_source_requests_total{{mapping=\"m\",operation=\"ChangeMessageVisibilityBatch\",outcome=\"{outcome}\"}}"
    )
}

/// A batch of so many messages on leases of 90 s, which its function needs for 80 s.
async fn one_batch(seed: u64, count: usize) -> (Stage, Running) {
    let stage = Stage::new(seed);
    stage
        .world
        .create_queue("q", &[("VisibilityTimeout", "90")])
        .unwrap();
    answer_after(&stage, 80 * SECOND);
    for number in 0..count {
        stage.world.send("q", &number.to_string()).unwrap();
    }
    let size = format!("BatchSize: {count}");
    let running = stage.start("q", &[&size, "MaximumBatchingWindowInSeconds: 5"]);
    tokio::time::sleep(44 * SECOND).await;
    assert_eq!(stage.metric(&of_mapping("messages_held")), count as f64);
    (stage, running)
}

#[tokio::test(start_paused = true)]
async fn the_leases_of_a_large_batch_are_extended_ten_by_call() {
    let (stage, running) = one_batch(27, 80).await;
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(stage.metric(&extension_calls("success")), 8.0);
    stage.emptied("q", 40 * SECOND).await;
    assert_eq!(receives(&stage), 80);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn eight_extensions_are_under_way_at_once_and_no_more() {
    let (stage, running) = one_batch(28, 200).await;
    let extensions = Operation::ChangeMessageVisibilityBatch;
    stage.world.fault_next(extensions, Fault::NeverAnswers, 8);
    // They are given up after 10 s; the rest were waiting for that.
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(stage.metric(&extension_calls("success")), 0.0);
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(stage.metric(&extension_calls("error")), 8.0);
    assert!(stage.metric(&extension_calls("success")) >= 12.0);
    stage.emptied("q", 40 * SECOND).await;
    assert_eq!(receives(&stage), 200);
    running.stop().await;
}
