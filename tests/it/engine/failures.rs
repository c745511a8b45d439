//! What fails around a batch: the function, the service before it, the queue. Nothing is lost, nothing is tried in a hot
//! loop, and what was whole again is seen again.

use std::time::Duration;

use sluicegate::reports::Account;
use sluicegate::sim::mishaps::Issuing;
use sluicegate::sim::{Ending, Entry, Event, Fault, FunctionConfig, Operation, Reply};
use sluicegate::status::State;
use tokio::time::{Instant, sleep};

use super::{Stage, of_mapping};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A stage with a queue of this visibility.
fn stage(seed: u64, visibility_s: u64) -> Stage {
    let stage = Stage::new(seed);
    let visibility = visibility_s.to_string();
    stage
        .world
        .create_queue("q", &[("VisibilityTimeout", &visibility)])
        .unwrap();
    stage
}

fn invocations(stage: &Stage, outcome: &str) -> f64 {
    stage.metric(&format!(
        "sluicegate_invocations_total{{mapping=\"m\",outcome=\"{outcome}\"}}"
    ))
}

fn receives(stage: &Stage) -> u32 {
    stage.receives().values().sum()
}

/// What the mapping's state is, and why.
fn state(stage: &Stage) -> (State, String) {
    let mapping = stage.status.readiness().mappings.remove(0);
    (mapping.state, mapping.reason.unwrap_or_default())
}

/// An answer of the function, how its invocation counts, and whether the batch stays in hand.
struct Case {
    name: &'static str,
    answer: fn() -> Reply,
    outcome: &'static str,
    kept: bool,
}

// spec: 1.7, 3.1, 4.3, 4.4
#[tokio::test(start_paused = true)]
async fn an_answer_other_than_success_either_keeps_the_batch_or_leaves_it_to_the_queue() {
    let case = |name, answer, outcome, kept| Case {
        name,
        answer,
        outcome,
        kept,
    };
    for Case {
        name,
        answer,
        outcome,
        kept,
    } in [
        case("error", || Reply::error("no"), "function_error", false),
        case("time-out", || Reply::ok("").after(MINUTE), "timeout", false),
        case("throttle", || Reply::refused(429, "no"), "throttled", true),
        case("500", || Reply::refused(500, "no"), "service_error", true),
        case("502", || Reply::refused(502, "no"), "service_error", true),
        case("503", || Reply::refused(503, "no"), "service_error", true),
        case("403", || Reply::refused(403, "no"), "service_error", true),
        case("404", || Reply::refused(404, "no"), "service_error", true),
        case("400", || Reply::refused(400, "no"), "service_error", false),
        case("413", || Reply::refused(413, "no"), "service_error", false),
        case("415", || Reply::refused(415, "no"), "service_error", false),
    ] {
        let stage = stage(1, 20);
        stage.function(FunctionConfig::default(), move |call| {
            if call.number == 1 {
                answer()
            } else {
                Reply::ok("")
            }
        });
        stage.world.send("q", "a").unwrap();
        let running = stage.start("q", &[]);
        stage.emptied("q", MINUTE).await;
        assert_eq!(invocations(&stage, outcome), 1.0, "{name}");
        assert_eq!(invocations(&stage, "success"), 1.0, "{name}");
        assert_eq!(receives(&stage), if kept { 1 } else { 2 }, "{name}");
        assert_eq!(
            stage.metric(&of_mapping("events_failed_invoke_total")),
            1.0,
            "{name}"
        );
        let left = u64::from(!kept);
        let account = Account {
            deleted: 1,
            left,
            ..Account::default()
        };
        assert_eq!(running.stop().await, account, "{name}");
    }
}

// spec: 4.3; a batch is measured once, however often it is sent
#[tokio::test(start_paused = true)]
async fn ten_minutes_of_service_errors_cost_no_receive_and_no_hot_loop() {
    let stage = stage(2, 30);
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    let running = stage.start("q", &[]);
    sleep(SECOND).await;
    for operation in [Operation::Invoke, Operation::GetFunctionConfiguration] {
        stage
            .world
            .fault_chance(Some(operation), Fault::Unavailable, 1.0);
    }
    stage.world.send("q", "a").unwrap();
    sleep(10 * MINUTE).await;
    let failed = invocations(&stage, "service_error");
    assert!((30.0..60.0).contains(&failed), "{failed}");
    stage.world.heal();
    stage.emptied("q", MINUTE).await;
    assert_eq!(receives(&stage), 1);
    assert_eq!(
        stage.metric("sluicegate_batch_events_count{mapping=\"m\"}"),
        1.0
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_function_that_is_deleted_and_made_again_gets_its_messages() {
    let stage = stage(3, 30);
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    let running = stage.start("q", &[]);
    sleep(SECOND).await;
    stage.world.unregister("process");
    stage.world.send("q", "a").unwrap();
    sleep(10 * MINUTE).await;
    assert_eq!(stage.left("q"), 1);
    let (now, why) = state(&stage);
    assert_eq!(now, State::Failing);
    assert!(
        why.starts_with("failed to invoke: ResourceNotFoundException"),
        "{why}"
    );
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    stage.emptied("q", MINUTE).await;
    assert_eq!(receives(&stage), 1);
    assert_eq!(state(&stage), (State::Enabled, String::new()));
    running.stop().await;
}

// A connection that dies silently must not hold a slot for the fifteen minutes that a function may take at most.
#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_is_awaited_as_long_as_the_function_may_run_and_a_minute() {
    for fault in [Fault::AnswerLost, Fault::NeverAnswers, Fault::ConnectHangs] {
        let stage = stage(4, 30);
        stage.function(FunctionConfig::default(), |_| Reply::ok(""));
        stage.world.fault_next(Operation::Invoke, fault, 1);
        stage.world.send("q", "a").unwrap();
        let running = stage.start("q", &["ScalingConfig: { MaximumConcurrency: 1 }"]);
        stage.emptied("q", 2 * MINUTE).await;
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_whose_time_out_was_raised_since_the_last_look_is_awaited() {
    let stage = stage(5, 30);
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    let running = stage.start("q", &[]);
    sleep(SECOND).await;
    let longer = FunctionConfig {
        timeout: 250 * SECOND,
        ..FunctionConfig::default()
    };
    stage.function(longer, |_| Reply::ok("").after(240 * SECOND));
    stage.world.send("q", "a").unwrap();
    stage.emptied("q", 250 * SECOND).await;
    assert_eq!(stage.calls().len(), 1);
    assert_eq!(invocations(&stage, "success"), 1.0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_start_whose_questions_are_not_answered_is_repeated_within_seconds() {
    for operation in [
        Operation::GetQueueUrl,
        Operation::GetQueueAttributes,
        Operation::GetFunctionConfiguration,
    ] {
        for fault in [
            Fault::NeverAnswers,
            Fault::Throttled,
            Fault::ProxyHtml,
            Fault::ExpiredToken,
            Fault::TruncatedBody,
        ] {
            let stage = stage(6, 30);
            stage.function(FunctionConfig::default(), |_| Reply::ok(""));
            stage.world.fault_next(operation, fault, 1);
            stage.world.send("q", "a").unwrap();
            let running = stage.start("q", &[]);
            stage.emptied("q", 15 * SECOND).await;
            assert_eq!(
                state(&stage),
                (State::Enabled, String::new()),
                "{operation:?} {fault:?}"
            );
            running.stop().await;
        }
    }
}

// spec: 4.2
#[tokio::test(start_paused = true)]
async fn a_poison_message_is_delivered_exactly_as_often_as_its_redrive_policy_allows() {
    for most in [1, 2, 5] {
        let stage = Stage::new(7);
        stage
            .world
            .create_queue_with_dlq("q", most, &[("VisibilityTimeout", "10")])
            .unwrap();
        stage.function(FunctionConfig::default(), |call| {
            if call.bodies().contains(&"poison".to_owned()) {
                Reply::error("poison")
            } else {
                Reply::ok("")
            }
        });
        let running = stage.start("q", &["BatchSize: 1"]);
        for body in ["a", "poison", "b"] {
            stage.world.send("q", body).unwrap();
        }
        stage.emptied("q", 10 * MINUTE).await;
        let dead = stage.world.dlq("q").unwrap();
        assert_eq!(dead.messages.len(), 1, "{most}");
        assert_eq!(dead.messages[0].receives, most, "{most}");
        let calls = stage.calls();
        let poisoned = calls.iter().filter(|bodies| bodies[0] == "poison").count();
        assert_eq!(poisoned, most as usize);
        assert_eq!(running.stop().await.deleted, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_delete_is_repeated_while_the_lease_lasts() {
    for fault in [
        Fault::Throttled,
        Fault::InternalError,
        Fault::AccessDenied,
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::AnswerLost,
        Fault::PartialRetryable,
        Fault::MalformedJson,
    ] {
        let stage = stage(8, 60);
        stage.function(FunctionConfig::default(), |_| Reply::ok(""));
        stage
            .world
            .fault_next(Operation::DeleteMessageBatch, fault, 3);
        for body in ["a", "b", "c"] {
            stage.world.send("q", body).unwrap();
        }
        let running = stage.start("q", &[]);
        stage.emptied("q", MINUTE).await;
        sleep(MINUTE).await;
        assert_eq!(stage.calls().len(), 1, "{fault:?}");
        assert_eq!(running.stop().await.deleted, 3, "{fault:?}");
        assert_eq!(
            stage.metric(&of_mapping("events_deleted_total")),
            3.0,
            "{fault:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_fails_for_as_long_as_the_lease_is_counted_and_comes_again() {
    let stage = stage(9, 30);
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    stage.world.fault_chance(
        Some(Operation::DeleteMessageBatch),
        Fault::AccessDenied,
        1.0,
    );
    stage.world.send("q", "a").unwrap();
    let running = stage.start("q", &[]);
    sleep(40 * SECOND).await;
    assert_eq!(stage.metric(&of_mapping("events_delete_failed_total")), 1.0);
    assert_eq!(stage.metric(&of_mapping("messages_held")), 0.0);
    let tries = stage.metric(
        "sluicegate_source_requests_total{mapping=\"m\",operation=\"DeleteMessageBatch\",outcome=\"error\"}",
    );
    assert!((8.0..20.0).contains(&tries), "{tries}");
    stage.world.heal();
    stage.emptied("q", 2 * MINUTE).await;
    assert_eq!(stage.calls(), [["a"], ["a"]]);
    running.stop().await;
}

// reliability: I15; contract: the state says so, and it passes
#[tokio::test(start_paused = true)]
async fn receives_that_fail_are_repeated_ever_more_slowly_and_the_state_says_so() {
    for (fault, reason) in [
        (Fault::AccessDenied, "AccessDeniedException"),
        (Fault::Throttled, "RequestThrottled"),
        (Fault::OverLimit, "OverLimit"),
        (Fault::Unavailable, "ServiceUnavailable"),
        (Fault::BareUnavailable, "HTTP 503"),
        (Fault::ProxyHtml, "502"),
        (Fault::ResetBefore, "no answer"),
        (Fault::MalformedJson, "unreadable answer"),
        (Fault::InvalidUtf8, "unreadable answer"),
    ] {
        let stage = stage(10, 30);
        stage.function(FunctionConfig::default(), |_| Reply::ok(""));
        let running = stage.start("q", &[]);
        sleep(SECOND).await;
        stage
            .world
            .fault_chance(Some(Operation::ReceiveMessage), fault, 1.0);
        // Some faults spoil an answer that has messages in it: these come again when their visibility ends.
        stage.world.send("q", "a").unwrap();
        sleep(10 * MINUTE).await;
        let (now, why) = state(&stage);
        assert_eq!(now, State::Failing, "{fault:?}");
        assert!(
            why.starts_with("failed to receive: ") && why.contains(reason),
            "{fault:?}: {why}"
        );
        let failed: u64 = stage.world.fault_counts().values().sum();
        assert!(
            (10..60).contains(&failed),
            "{fault:?}: {failed} in ten minutes"
        );
        stage.world.heal();
        stage.world.send("q", "b").unwrap();
        stage.emptied("q", 2 * MINUTE).await;
        assert_eq!(state(&stage), (State::Enabled, String::new()), "{fault:?}");
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_deleted_and_made_again_is_read_again() {
    let stage = stage(11, 30);
    stage.function(FunctionConfig::default(), |_| {
        Reply::ok("").after(2 * SECOND)
    });
    stage.world.send("q", "a").unwrap();
    let running = stage.start("q", &[]);
    sleep(SECOND).await;
    let client = stage.world.sqs_client();
    client.delete_queue().queue_url("q").send().await.unwrap();
    sleep(5 * MINUTE).await;
    assert_eq!(state(&stage).0, State::Failing);
    assert!(
        state(&stage).1.contains("does not exist"),
        "{:?}",
        state(&stage)
    );
    stage.world.create_queue("q", &[]).unwrap();
    stage.world.send("q", "b").unwrap();
    stage.emptied("q", MINUTE).await;
    assert_eq!(state(&stage).0, State::Enabled);
    assert_eq!(stage.calls(), [["a"], ["b"]]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_mapping_whose_function_is_not_there_says_that_it_is_the_function() {
    let stage = stage(14, 30);
    let running = stage.start("q", &[]);
    sleep(MINUTE).await;
    let (now, why) = state(&stage);
    assert_eq!(now, State::Failing);
    let function = "failed to start: the function process: ResourceNotFoundException: ";
    assert!(why.starts_with(function), "{why}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_throttled_mapping_says_why_it_waits_and_counts_as_healthy() {
    let stage = stage(15, 30);
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    let running = stage.start("q", &[]);
    sleep(SECOND).await;
    stage
        .world
        .fault_chance(Some(Operation::Invoke), Fault::Throttled, 1.0);
    stage.world.send("q", "a").unwrap();
    sleep(MINUTE).await;
    let waits = (State::Enabled, "the function is throttled".to_owned());
    assert_eq!(state(&stage), waits);
    stage.world.heal();
    stage.emptied("q", MINUTE).await;
    assert_eq!(state(&stage), (State::Enabled, String::new()));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_mapping_whose_queue_is_not_there_starts_when_it_comes() {
    let stage = Stage::new(12);
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    let running = stage.start("q", &[]);
    sleep(10 * MINUTE).await;
    let (now, why) = state(&stage);
    assert_eq!(now, State::Failing);
    let queue = "failed to start: the queue arn:aws:sqs:us-east-1:000000000000:q: ";
    assert!(why.starts_with(queue), "{why}");
    assert!(!stage.status.readiness().ready);
    stage.world.create_queue("q", &[]).unwrap();
    stage.world.send("q", "a").unwrap();
    stage.emptied("q", 2 * MINUTE).await;
    assert!(stage.status.readiness().ready);
    running.stop().await;
}

// Behind a URL we are the ones who give up; the function may still succeed, and nobody hears of it.
#[tokio::test(start_paused = true)]
async fn a_url_that_answers_too_late_is_a_time_out_and_its_messages_come_again() {
    let stage = stage(13, 20);
    let config = FunctionConfig {
        timeout: MINUTE,
        ..FunctionConfig::default()
    };
    stage.function(config, |call| {
        Reply::ok("").after(if call.number == 1 {
            10 * SECOND
        } else {
            SECOND
        })
    });
    stage.world.send("q", "a").unwrap();
    let arn = stage.world.queue_arn("q");
    let running = stage.start_with(&format!(
        "Functions:\n  process:\n    Http: {{ Url: \"http://lambda/2015-03-31/functions/process/invocations\" }}\n    TimeoutInSeconds: 5\n\
         EventSourceMappings:\n  - Name: m\n    EventSourceArn: {arn}\n    FunctionName: process\n"
    ));
    let began = Instant::now();
    stage.emptied("q", MINUTE).await;
    assert!(began.elapsed() >= 20 * SECOND);
    assert_eq!(invocations(&stage, "timeout"), 1.0);
    let succeeded = stage.world.history().into_iter().filter(|entry| {
        matches!(
            &entry.event,
            Event::Replied {
                ending: Ending::Succeeded { .. },
                ..
            }
        )
    });
    assert_eq!(succeeded.count(), 2);
    running.stop().await;
}

// A role's credentials can end before the time that came with them: the role was changed, or this machine's clock was wrong.
#[tokio::test(start_paused = true)]
async fn credentials_that_aws_calls_expired_are_asked_for_anew_and_not_all_the_time() {
    let stage = Stage::on_machine(29);
    stage.world.create_queue("q", &[]).unwrap();
    stage.function(FunctionConfig::default(), |_| Reply::ok("null"));
    // What is handed out has ended; by the chain it is good for ten minutes more, at the least.
    stage.world.credentials(Issuing::Expired);
    let running = stage.start("q", &[]);
    sleep(5 * MINUTE).await;
    let (state, reason) = state(&stage);
    assert_eq!(state, State::Failing);
    assert!(reason.contains("ExpiredToken"), "{reason}");
    let asked = stage.world.credentials_asked();
    assert!((2..=31).contains(&asked), "{asked} times in 5 min");
    stage.world.send("q", "a").unwrap();
    stage.world.credentials(Issuing::Well);
    stage.emptied("q", 2 * MINUTE).await;
    running.stop().await;
}

// What is left is the queue's from then on, however long the way of what did not fit into the same event.
#[tokio::test(start_paused = true)]
async fn what_a_failed_batch_leaves_is_not_held_by_the_batch_behind_it() {
    let stage = stage(24, 90);
    let slow = FunctionConfig {
        timeout: 80 * SECOND,
        ..FunctionConfig::default()
    };
    stage.function(slow, |call| match call.number {
        1 => Reply::error("no"),
        2 => Reply::ok("").after(70 * SECOND),
        _ => Reply::ok(""),
    });
    for number in 0..8 {
        let body = format!("{number}{}", "x".repeat(850_000));
        stage.world.send("q", &body).unwrap();
    }
    let running = stage.start("q", &[]);
    sleep(SECOND).await;
    assert_eq!(stage.metric(&of_mapping("messages_held")), 1.0);
    // A lease that was extended on the way would last longer.
    stage.emptied("q", 91 * SECOND).await;
    let sizes: Vec<usize> = stage.calls().iter().map(Vec::len).collect();
    assert_eq!(sizes, [7, 1, 7]);
    let account = Account {
        deleted: 8,
        left: 7,
        ..Account::default()
    };
    assert_eq!(running.stop().await, account);
}

// Those who fail together must not come again together.
#[tokio::test(start_paused = true)]
async fn no_two_processes_repeat_at_the_same_times() {
    let mut repeats = Vec::new();
    for seed in [25, 26] {
        let stage = stage(seed, 30);
        stage.function(FunctionConfig::default(), |_| Reply::refused(429, "no"));
        stage.world.send("q", "a").unwrap();
        let running = stage.start("q", &[]);
        sleep(MINUTE).await;
        let invoked = |Entry { at, event }| matches!(event, Event::Invoked { .. }).then_some(at);
        let history = stage.world.history().into_iter();
        repeats.push(history.filter_map(invoked).collect::<Vec<_>>());
        running.stop().await;
    }
    assert!(repeats[0].len() > 5, "{repeats:?}");
    assert_eq!(repeats[0][0], repeats[1][0]);
    assert!(repeats[0][1..4] != repeats[1][1..4], "{repeats:?}");
}
