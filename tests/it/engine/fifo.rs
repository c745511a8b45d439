//! Ordered queues: within a group nothing overtakes, whatever fails; between groups nothing waits.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sluicegate::reports::Account;
use sluicegate::sim::{Entry, Event, Fault, FunctionConfig, Operation, Reply};
use tokio::time::sleep;

use super::{Stage, of_mapping};

const QUEUE: &str = "q.fifo";
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// Messages that were left to the queue for the sake of their group.
const BUSY: &str = "sluicegate_messages_passed_over_total{mapping=\"m\",reason=\"group_busy\"}";
const PARTIAL: &str = "FunctionResponseTypes: [ReportBatchItemFailures]";

fn stage(seed: u64) -> Stage {
    let stage = Stage::new(seed);
    let attributes = [("FifoQueue", "true"), ("VisibilityTimeout", "20")];
    stage.world.create_queue(QUEUE, &attributes).unwrap();
    stage
}

/// Sends `a0 b0 a1 b1 ...` for these groups.
fn send(stage: &Stage, groups: &[&str], numbers: std::ops::Range<usize>) {
    for number in numbers {
        for group in groups {
            let body = format!("{group}{number}");
            stage.world.send_to_group(QUEUE, group, &body).unwrap();
        }
    }
}

/// The batches, each as one text.
fn batches(stage: &Stage) -> Vec<String> {
    stage
        .calls()
        .iter()
        .map(|bodies| bodies.join(" "))
        .collect()
}

/// The bodies in the order in which they were deleted.
fn deleted(stage: &Stage) -> Vec<String> {
    let calls = stage.invocations();
    let bodies: BTreeMap<String, String> = calls
        .iter()
        .flat_map(|call| call.message_ids().into_iter().zip(call.bodies()))
        .collect();
    let deleted = |entry: Entry| match entry.event {
        Event::Deleted { id, .. } => Some(bodies[&id].clone()),
        _ => None,
    };
    stage
        .world
        .history()
        .into_iter()
        .filter_map(deleted)
        .collect()
}

/// Those of one group.
fn of<'a>(group: &str, bodies: &'a [String]) -> Vec<&'a str> {
    let bodies = bodies.iter().map(String::as_str);
    bodies.filter(|body| body.starts_with(group)).collect()
}

// spec: 4.6
#[tokio::test(start_paused = true)]
async fn a_batch_mixes_groups_and_keeps_the_order_of_each() {
    let stage = stage(1);
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    send(&stage, &["a", "b", "c"], 0..3);
    let running = stage.start(QUEUE, &[]);
    stage.emptied(QUEUE, MINUTE).await;
    assert_eq!(batches(&stage), ["a0 b0 c0 a1 b1 c1 a2 b2 c2"]);
    running.stop().await;
}

// spec: 4.6: concurrency is the number of groups; reliability: I6
#[tokio::test(start_paused = true)]
async fn as_many_batches_run_as_there_are_groups_and_never_two_of_one() {
    let stage = stage(2);
    stage.function(FunctionConfig::default(), |_| Reply::ok("").after(SECOND));
    send(&stage, &["a", "b", "c"], 0..8);
    let running = stage.start(QUEUE, &["BatchSize: 1"]);
    stage.emptied(QUEUE, MINUTE).await;
    let mut running_groups: Vec<char> = Vec::new();
    let mut most = 0;
    for Entry { event, .. } in stage.world.history() {
        match event {
            Event::Invoked { message_ids, .. } => {
                let group = group_of(&stage, &message_ids[0]);
                assert!(!running_groups.contains(&group), "two of {group} at once");
                running_groups.push(group);
                most = most.max(running_groups.len());
            }
            Event::Replied { message_ids, .. } => {
                let group = group_of(&stage, &message_ids[0]);
                running_groups.retain(|running| *running != group);
            }
            _ => {}
        }
    }
    assert_eq!(most, 3);
    running.stop().await;
}

fn group_of(stage: &Stage, id: &str) -> char {
    let sent = |entry: &Entry| match &entry.event {
        Event::Sent {
            id: sent, group, ..
        } if sent == id => group.as_ref()?.chars().next(),
        _ => None,
    };
    stage.world.history().iter().find_map(sent).unwrap()
}

// spec: 3.2, 4.6; reliability: I4, I12: what follows a failed message waits for it, other groups do not
#[tokio::test(start_paused = true)]
async fn a_reported_failure_holds_back_its_group_and_no_other() {
    let stage = stage(3);
    stage.function(FunctionConfig::default(), |call| {
        let failed = call.bodies().iter().position(|body| body == "a1");
        match failed.filter(|_| call.number == 1) {
            Some(index) => Reply::batch_item_failures(&call.message_ids()[index..=index]),
            None => Reply::ok(""),
        }
    });
    send(&stage, &["a", "b"], 0..4);
    let running = stage.start(QUEUE, &[PARTIAL]);
    sleep(SECOND).await;
    let mut first = deleted(&stage);
    first.sort();
    assert_eq!(first, ["a0", "b0", "b1", "b2", "b3"]);
    send(&stage, &["b"], 4..5);
    stage.emptied(QUEUE, MINUTE).await;
    assert_eq!(
        batches(&stage),
        ["a0 b0 a1 b1 a2 b2 a3 b3", "b4", "a1 a2 a3"]
    );
    assert_eq!(of("a", &deleted(&stage)), ["a0", "a1", "a2", "a3"]);
    running.stop().await;
}

// spec: 4.3, 4.4; reliability: I4
#[tokio::test(start_paused = true)]
async fn order_survives_what_the_function_does() {
    type Mood = fn(u64) -> Reply;
    let moods: [(&str, Mood); 5] = [
        ("errors", |_| Reply::error("no")),
        ("time-outs", |_| Reply::ok("").after(MINUTE)),
        ("throttles", |_| Reply::refused(429, "no")),
        ("outages", |_| Reply::refused(503, "no")),
        ("garbage", |_| Reply::ok("{\"batchItemFailures\":1}")),
    ];
    for (name, mood) in moods {
        for maximum in [1, 3] {
            let stage = stage(4);
            stage.function(FunctionConfig::default(), move |call| {
                if call.number % 3 == 1 {
                    mood(call.number)
                } else {
                    Reply::ok("{}").after(SECOND / 5)
                }
            });
            send(&stage, &["a", "b"], 0..6);
            let capped = format!("ScalingConfig: {{ MaximumConcurrency: {maximum} }}");
            let running = stage.start(QUEUE, &[PARTIAL, "BatchSize: 2", &capped]);
            stage.emptied(QUEUE, 20 * MINUTE).await;
            let deleted = deleted(&stage);
            for group in ["a", "b"] {
                let expected: Vec<String> =
                    (0..6).map(|number| format!("{group}{number}")).collect();
                assert_eq!(of(group, &deleted), expected, "{name} {maximum}");
                // First offers come in order, and each after the one before it was done.
                let mut first: Vec<String> = Vec::new();
                for body in stage.calls().concat() {
                    if body.starts_with(group) && !first.contains(&body) {
                        first.push(body);
                    }
                }
                assert_eq!(first, expected, "{name} {maximum}");
            }
            running.stop().await;
        }
    }
}

// A message that can not be used is the queue's again, and with it what stands behind it in its group: not what stands before
// it, and no other group.
#[tokio::test(start_paused = true)]
async fn a_message_that_can_not_be_used_holds_back_those_behind_it_in_its_group() {
    let sent = ["a0", "b0", "a1", "b1", "a2", "b2"];
    let mut struck = BTreeSet::new();
    for seed in 0..30 {
        for fault in [Fault::WrongMd5, Fault::MissingBody, Fault::MissingReceipt] {
            let stage = stage(seed);
            stage.function(FunctionConfig::default(), |_| Reply::ok(""));
            stage.world.fault_next(Operation::ReceiveMessage, fault, 1);
            send(&stage, &["a", "b"], 0..3);
            let running = stage.start(QUEUE, &[]);
            stage.emptied(QUEUE, MINUTE).await;
            let calls = stage.calls();
            assert_eq!(calls.concat().len(), sent.len(), "{fault:?} {calls:?}");
            let behind = calls[1].first().unwrap();
            let group = &behind[..1];
            let (held_back, first): (Vec<&str>, Vec<&str>) = sent
                .iter()
                .partition(|body| body.starts_with(group) && **body >= &**behind);
            assert_eq!(calls, [first, held_back], "{fault:?}");
            struck.insert(behind.clone());
            running.stop().await;
        }
    }
    assert_eq!(struck.len(), sent.len(), "{struck:?}");
}

// reliability: I4: a lease that is lost while the batch waits for its turn takes those behind it along
#[tokio::test(start_paused = true)]
async fn a_lost_lease_takes_those_behind_it_along() {
    let stage = stage(6);
    stage.function(FunctionConfig::default(), |call| {
        if call.number < 8 {
            Reply::refused(429, "no").after(2 * SECOND)
        } else {
            Reply::ok("")
        }
    });
    stage.world.fault_next(
        Operation::ChangeMessageVisibilityBatch,
        Fault::ReceiptHandleInvalid,
        1,
    );
    send(&stage, &["a", "b"], 0..4);
    let running = stage.start(QUEUE, &[]);
    stage.emptied(QUEUE, 10 * MINUTE).await;
    assert!(stage.metric(&of_mapping("messages_lease_lost_total")) >= 1.0);
    for group in ["a", "b"] {
        let expected: Vec<String> = (0..4).map(|number| format!("{group}{number}")).collect();
        assert_eq!(of(group, &deleted(&stage)), expected);
    }
    for bodies in stage.calls() {
        for group in ["a", "b"] {
            let numbers = of(group, &bodies);
            assert!(numbers.is_sorted(), "{bodies:?}");
        }
    }
    running.stop().await;
}

// reliability: I12: a delete that fails is no reason to hold back those behind it, which were handled after it
#[tokio::test(start_paused = true)]
async fn a_handled_message_that_can_not_be_deleted_comes_again_before_any_later_one() {
    let stage = stage(7);
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    stage.world.fault_next(
        Operation::DeleteMessageBatch,
        Fault::ReceiptHandleInvalid,
        1,
    );
    send(&stage, &["a"], 0..4);
    let running = stage.start(QUEUE, &[]);
    sleep(SECOND).await;
    send(&stage, &["a"], 4..8);
    stage.emptied(QUEUE, MINUTE).await;
    let calls = stage.calls();
    assert_eq!(calls[0], ["a0", "a1", "a2", "a3"]);
    let again = calls[1..].concat();
    assert!(again.is_sorted(), "{again:?}");
    assert!(again.len() > 4 && again.ends_with(&["a7".to_owned()]));
    running.stop().await;
}

// spec: 4.2
#[tokio::test(start_paused = true)]
async fn a_poison_message_blocks_its_group_until_it_is_dead_and_no_other() {
    let stage = Stage::new(8);
    let attributes = [("FifoQueue", "true"), ("VisibilityTimeout", "10")];
    stage
        .world
        .create_queue_with_dlq(QUEUE, 3, &attributes)
        .unwrap();
    stage.function(FunctionConfig::default(), |call| {
        if call.bodies().contains(&"a0".to_owned()) {
            Reply::error("poison")
        } else {
            Reply::ok("")
        }
    });
    send(&stage, &["a", "b"], 0..2);
    let running = stage.start(QUEUE, &["BatchSize: 1"]);
    sleep(SECOND).await;
    assert_eq!(deleted(&stage), ["b0", "b1"]);
    stage.emptied(QUEUE, MINUTE).await;
    assert_eq!(of("a", &stage.calls().concat()), ["a0", "a0", "a0", "a1"]);
    assert_eq!(stage.world.dlq(QUEUE).unwrap().messages[0].body, "a0");
    running.stop().await;
}

// reliability: I4, I6: its lease is gone, the queue hands it out again, and with it one that came later
#[tokio::test(start_paused = true)]
async fn what_comes_behind_a_held_message_of_its_group_is_left_to_the_queue() {
    let stage = stage(10);
    let slow = FunctionConfig {
        timeout: MINUTE,
        ..FunctionConfig::default()
    };
    stage.function(slow, |_| Reply::ok("").after(50 * SECOND));
    stage
        .world
        .fault_next(Operation::ReceiveMessage, Fault::EarlyVisibility, 1);
    send(&stage, &["a"], 0..1);
    let running = stage.start(QUEUE, &[]);
    sleep(SECOND).await;
    send(&stage, &["a"], 1..2);
    stage.emptied(QUEUE, 5 * MINUTE).await;
    assert_eq!(batches(&stage), ["a0", "a1"]);
    assert_eq!(stage.metric(BUSY), 1.0);
    running.stop().await;
}

// reliability: I4: what did not fit into the event waits with those before it in its group, and only with them
#[tokio::test(start_paused = true)]
async fn what_did_not_fit_behind_a_failed_message_of_its_group_is_not_tried_before_it() {
    let stage = stage(11);
    stage.function(FunctionConfig::default(), |call| {
        if call.number == 1 {
            Reply::batch_item_failures(&call.message_ids()[2..3])
        } else {
            Reply::ok("")
        }
    });
    for number in 0..5 {
        for group in ["a", "b"] {
            let body = format!("{group}{number}{}", "x".repeat(850_000));
            stage.world.send_to_group(QUEUE, group, &body).unwrap();
        }
    }
    let running = stage.start(QUEUE, &[PARTIAL]);
    stage.emptied(QUEUE, MINUTE).await;
    let short = |bodies: &Vec<String>| bodies.iter().map(|body| body[..2].to_owned()).collect();
    let batches: Vec<Vec<String>> = stage.calls().iter().map(short).collect();
    assert_eq!(
        batches
            .iter()
            .map(|batch| batch.join(" "))
            .collect::<Vec<_>>(),
        ["a0 b0 a1 b1 a2 b2 a3", "b3 b4", "a1 a2 a3 a4"]
    );
    let account = Account {
        deleted: 10,
        left: 4,
        ..Account::default()
    };
    assert_eq!(running.stop().await, account, "each of them is left once");
}

/// The next delete takes effect at once and is answered within this time, not before a tenth of it.
fn slow_delete(stage: &Stage, at_most: Duration) {
    stage.world.fault_slowness(at_most);
    stage
        .world
        .fault_next(Operation::DeleteMessageBatch, Fault::Slow, 1);
}

// spec: 4.6: a delete frees the group at once; that it did is known a moment later
#[tokio::test(start_paused = true)]
async fn the_next_of_a_group_may_come_before_the_answer_to_the_delete() {
    for more in [&["BatchSize: 1"][..], &[]] {
        let stage = stage(12);
        stage.function(FunctionConfig::default(), |_| Reply::ok(""));
        slow_delete(&stage, 4 * SECOND);
        send(&stage, &["a"], 0..1);
        let running = stage.start(QUEUE, more);
        sleep(2 * SECOND).await;
        send(&stage, &["a"], 1..4);
        stage.emptied(QUEUE, 10 * SECOND).await;
        assert_eq!(stage.calls().concat(), ["a0", "a1", "a2", "a3"], "{more:?}");
        assert_eq!(stage.metric(BUSY), 0.0, "{more:?}");
        assert!(stage.receives().values().all(|count| *count == 1));
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_whose_delete_is_not_answered_holds_up_no_other() {
    let stage = stage(13);
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    slow_delete(&stage, 10 * SECOND);
    send(&stage, &["a"], 0..1);
    let running = stage.start(QUEUE, &[]);
    sleep(SECOND / 10).await;
    send(&stage, &["a", "b"], 1..3);
    sleep(SECOND / 10).await;
    assert_eq!(batches(&stage), ["a0", "b1 b2"], "at once");
    stage.emptied(QUEUE, 15 * SECOND).await;
    assert_eq!(batches(&stage), ["a0", "b1 b2", "a1 a2"]);
    running.stop().await;
}

// reliability: I12: the delete is not answered, the lease ran out over it, and the queue hands out both
#[tokio::test(start_paused = true)]
async fn behind_a_handled_message_that_was_not_deleted_nothing_is_tried() {
    let stage = stage(15);
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    stage
        .world
        .fault_next(Operation::ReceiveMessage, Fault::EarlyVisibility, 1);
    let script = [Fault::NeverAnswers, Fault::ReceiptHandleInvalid].map(Some);
    stage
        .world
        .fault_script(Operation::DeleteMessageBatch, script);
    send(&stage, &["a"], 0..1);
    let running = stage.start(QUEUE, &[]);
    sleep(SECOND).await;
    send(&stage, &["a"], 1..2);
    stage.emptied(QUEUE, 5 * MINUTE).await;
    assert_eq!(batches(&stage), ["a0", "a0 a1"]);
    let account = Account {
        deleted: 2,
        left: 2,
        ..Account::default()
    };
    assert_eq!(running.stop().await, account);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_answer_to_a_delete_is_handed_back_by_a_drain() {
    let stage = stage(17);
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    slow_delete(&stage, 10 * SECOND);
    send(&stage, &["a"], 0..1);
    let running = stage.start(QUEUE, &[]);
    sleep(SECOND / 10).await;
    send(&stage, &["a"], 1..3);
    sleep(SECOND / 10).await;
    let account = Account {
        deleted: 1,
        handed_back: 2,
        ..Account::default()
    };
    assert_eq!(running.stop().await, account);
    assert_eq!(batches(&stage), ["a0"]);
    assert_eq!(stage.left(QUEUE), 2);
}

// What the filter drops frees its group in the same way, and what comes behind it may be dropped as well.
#[tokio::test(start_paused = true)]
async fn the_next_of_a_group_may_come_before_what_the_filter_dropped_is_known_to_be_deleted() {
    const FILTER: &str =
        "FilterCriteria: { Filters: [ { Pattern: '{\"body\":{\"keep\":[true]}}' } ] }";
    let stage = stage(16);
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    let send = |kept: &[bool]| {
        for keep in kept {
            let body = format!("{{\"keep\":{keep}}}");
            stage.world.send_to_group(QUEUE, "a", &body).unwrap();
        }
    };
    slow_delete(&stage, 4 * SECOND);
    send(&[false]);
    let running = stage.start(QUEUE, &[FILTER]);
    sleep(SECOND / 10).await;
    send(&[false]);
    stage.emptied(QUEUE, 5 * SECOND).await;
    slow_delete(&stage, 4 * SECOND);
    send(&[false]);
    sleep(SECOND / 10).await;
    send(&[false, true, false]);
    stage.emptied(QUEUE, 5 * SECOND).await;
    assert_eq!(stage.calls(), [["{\"keep\":true}"]]);
    assert_eq!(stage.metric(BUSY), 0.0);
    assert_eq!(stage.metric(&of_mapping("events_filtered_out_total")), 5.0);
    let account = Account {
        deleted: 6,
        ..Account::default()
    };
    assert_eq!(running.stop().await, account);
}

// More may follow in the groups of a batch than it may hold.
#[tokio::test(start_paused = true)]
async fn what_followed_during_a_delete_makes_no_batch_larger_than_it_may_be() {
    let stage = stage(18);
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    slow_delete(&stage, 10 * SECOND);
    send(&stage, &["a", "b"], 0..1);
    let running = stage.start(QUEUE, &["BatchSize: 3"]);
    sleep(SECOND / 10).await;
    send(&stage, &["a"], 1..4);
    sleep(SECOND / 10).await;
    send(&stage, &["b"], 1..3);
    sleep(SECOND / 10).await;
    assert_eq!(batches(&stage), ["a0 b0"]);
    stage.emptied(QUEUE, 15 * SECOND).await;
    assert_eq!(batches(&stage), ["a0 b0", "a1 a2 a3", "b1 b2"]);
    assert_eq!(stage.metric(BUSY), 0.0);
    running.stop().await;
}

// reliability: I4
#[tokio::test(start_paused = true)]
async fn a_small_message_does_not_overtake_the_large_one_that_did_not_fit() {
    let stage = stage(19);
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    for number in 0..8 {
        let body = format!("a{number}{}", "x".repeat(850_000));
        stage.world.send_to_group(QUEUE, "a", &body).unwrap();
    }
    send(&stage, &["a"], 8..9);
    let running = stage.start(QUEUE, &[]);
    stage.emptied(QUEUE, MINUTE).await;
    let first = |bodies: &Vec<String>| bodies[0][..2].to_owned();
    let batches: Vec<(String, usize)> = stage
        .calls()
        .iter()
        .map(|bodies| (first(bodies), bodies.len()))
        .collect();
    assert_eq!(batches, [("a0".to_owned(), 7), ("a7".to_owned(), 2)]);
    running.stop().await;
}
