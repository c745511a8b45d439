//! Batches: how they are formed, delivered and settled.

use std::time::Duration;

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{MessageAttributeValue, MessageSystemAttributeNameForSends};
use sluicegate::reports::Account;
use sluicegate::sim::{Entry, Event, Fault, FunctionConfig, Operation, Reply};

use super::{Stage, of_mapping};

const SECOND: Duration = Duration::from_secs(1);
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
    assert_eq!(stage.metric(&of_mapping("events_failed_invoke_total")), 0.0);
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

// spec: 4.7: by the window's end, and not much later
#[tokio::test(start_paused = true)]
async fn a_batch_is_invoked_when_its_window_ends() {
    for window in [1, 2, 5, 30, 300] {
        let stage = Stage::new(10);
        stage.world.create_queue("q", &[]).unwrap();
        stage.function(FunctionConfig::default(), |_| Reply::ok(""));
        let length = format!("MaximumBatchingWindowInSeconds: {window}");
        let running = stage.start("q", &["BatchSize: 100", &length]);
        tokio::time::sleep(7 * SECOND).await;
        // Messages drip in all the while: the window counts from the first.
        let length = Duration::from_secs(window);
        let mut sent = Vec::new();
        for number in 0..20 {
            sent.push(stage.world.clock().elapsed());
            stage.world.send("q", &number.to_string()).unwrap();
            tokio::time::sleep(length / 10).await;
        }
        stage.emptied("q", 2 * length + SECOND).await;
        let (first, _) = invocations(&stage)[0];
        let waited = first - sent[0];
        let slack = SECOND / 10;
        assert!(
            (length..length + slack).contains(&waited),
            "{window}: {waited:?}"
        );
        for (at, bodies) in invocations(&stage) {
            for body in bodies {
                let waited = at - sent[body.parse::<usize>().unwrap()];
                assert!(
                    waited <= length + SECOND + slack,
                    "{window}: {body} waited for {waited:?}"
                );
            }
        }
        running.stop().await;
    }
}

// A receive that fails inside a window must not hold the batch past its end.
#[tokio::test(start_paused = true)]
async fn a_queue_that_fails_inside_a_window_delays_nobody() {
    let stage = Stage::new(11);
    stage.world.create_queue("q", &[]).unwrap();
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    let settings = ["BatchSize: 100", "MaximumBatchingWindowInSeconds: 60"];
    let running = stage.start("q", &settings);
    tokio::time::sleep(SECOND).await;
    let began = stage.world.clock().elapsed();
    stage.world.send("q", "a").unwrap();
    tokio::time::sleep(SECOND / 10).await;
    stage
        .world
        .fault_chance(Some(Operation::ReceiveMessage), Fault::Throttled, 1.0);
    stage.emptied("q", 70 * SECOND).await;
    let waited = invocations(&stage)[0].0 - began;
    assert!((MINUTE..MINUTE + SECOND).contains(&waited), "{waited:?}");
    running.stop().await;
}

// spec: 4.7, 10: the limit is that of the event, not that of the messages
#[tokio::test(start_paused = true)]
async fn an_event_stays_within_six_megabytes_and_nothing_is_lost_or_reordered() {
    for (queue, attributes, settings) in [
        (
            "q",
            &[][..],
            &["BatchSize: 100", "MaximumBatchingWindowInSeconds: 20"][..],
        ),
        ("q.fifo", &[("FifoQueue", "true")][..], &[][..]),
    ] {
        let stage = Stage::new(12);
        stage.world.create_queue(queue, attributes).unwrap();
        stage.function(FunctionConfig::default(), |_| Reply::ok("").after(SECOND));
        let began = stage.world.clock().elapsed();
        for number in 0..14 {
            let length = 700_000 + number * 25_000;
            let body = format!("{number:02}{}", "x".repeat(length));
            stage.world.send_to_group(queue, "g", &body).unwrap();
        }
        let running = stage.start(queue, settings);
        stage.emptied(queue, MINUTE).await;
        let numbers: Vec<Vec<String>> = stage
            .calls()
            .into_iter()
            .map(|bodies| bodies.iter().map(|body| body[..2].to_owned()).collect())
            .collect();
        let mut sorted = numbers.concat();
        if queue == "q" {
            sorted.sort();
        }
        let all: Vec<String> = (0..14).map(|number| format!("{number:02}")).collect();
        assert_eq!(sorted, all, "{queue}: {numbers:?}");
        for call in stage.invocations() {
            assert!(call.event.len() <= 6 * 1024 * 1024);
        }
        assert!(numbers.iter().any(|batch| batch.len() >= 6), "{numbers:?}");
        // What did not fit keeps the window that began when it came.
        for (at, _) in invocations(&stage) {
            assert!(at - began < 22 * SECOND, "{queue}: {:?}", at - began);
        }
        running.stop().await;
    }
}

// A mebibyte of what must be escaped: with all its metadata it is far from the limit, whatever SQS accepts.
#[tokio::test(start_paused = true)]
async fn the_longest_message_is_delivered_however_it_is_escaped() {
    let stage = Stage::new(13);
    stage.world.create_queue("q", &[]).unwrap();
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    let settings = ["BatchSize: 100", "MaximumBatchingWindowInSeconds: 2"];
    for filling in ["\t", "\"", "\\", "x"] {
        stage.world.send("q", &filling.repeat(1 << 20)).unwrap();
    }
    let running = stage.start("q", &settings);
    stage.emptied("q", MINUTE).await;
    let sizes: Vec<usize> = stage.calls().iter().map(Vec::len).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 4);
    assert!(sizes.len() > 1, "seven megabytes are two events");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn every_batch_size_is_reached_and_none_is_passed() {
    for (size, count, invocations_least) in [(1, 30, 30), (10, 30, 3), (10_000, 1_200, 1)] {
        let stage = Stage::new(14);
        stage.world.create_queue("q", &[]).unwrap();
        stage.function(FunctionConfig::default(), |_| Reply::ok(""));
        for body in bodies(count) {
            stage.world.send("q", &body).unwrap();
        }
        let size_line = format!("BatchSize: {size}");
        let settings = [
            &size_line,
            "MaximumBatchingWindowInSeconds: 20",
            "ScalingConfig: { MaximumConcurrency: 1 }",
        ];
        let running = stage.start("q", &settings);
        stage.emptied("q", 5 * MINUTE).await;
        let sizes: Vec<usize> = stage.calls().iter().map(Vec::len).collect();
        assert_eq!(sizes.len(), invocations_least, "{size}: {sizes:?}");
        assert!(sizes.iter().all(|found| *found <= size));
        assert_eq!(running.stop().await.deleted, count as u64);
    }
}

// spec: 2.1, 14: the record to the byte, as a client of the queue sent it
#[tokio::test(start_paused = true)]
async fn the_function_receives_the_event_as_aws_writes_it() {
    let stage = Stage::new(15);
    stage
        .world
        .create_queue("q.fifo", &[("FifoQueue", "true")])
        .unwrap();
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    let client = stage.world.sqs_client();
    let attribute = |kind: &str| MessageAttributeValue::builder().data_type(kind);
    client
        .send_message()
        .queue_url("q.fifo")
        .message_group_id("g")
        .message_deduplication_id("d")
        .message_body("{\"a\":\"é\\n\"}")
        .message_attributes(
            "Text",
            attribute("String").string_value("v").build().unwrap(),
        )
        .message_attributes(
            "Bytes",
            attribute("Binary")
                .binary_value(Blob::new([0, 1, 2]))
                .build()
                .unwrap(),
        )
        .message_system_attributes(
            MessageSystemAttributeNameForSends::AwsTraceHeader,
            aws_sdk_sqs::types::MessageSystemAttributeValue::builder()
                .data_type("String")
                .string_value("Root=1-5759e988-bd862e3fe1be46a994272793")
                .build()
                .unwrap(),
        )
        .send()
        .await
        .unwrap();
    let running = stage.start("q.fifo", &[]);
    stage.emptied("q.fifo", MINUTE).await;
    let call = stage.invocations().remove(0);
    let found: serde_json::Value = serde_json::from_slice(&call.event).unwrap();
    let record = &found["Records"][0];
    let text = |pointer: &str| {
        record
            .pointer(pointer)
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    };
    let expected = format!(
        r#"{{"Records":[{{"messageId":"{}","receiptHandle":"{}","body":"{{\"a\":\"é\\n\"}}","attributes":{{"ApproximateReceiveCount":"1","SentTimestamp":"1767225600001","SequenceNumber":"{}","MessageGroupId":"g","SenderId":"AIDAEXAMPLE","MessageDeduplicationId":"d","ApproximateFirstReceiveTimestamp":"{}","AWSTraceHeader":"Root=1-5759e988-bd862e3fe1be46a994272793"}},"messageAttributes":{{"Bytes":{{"binaryValue":"AAEC","stringListValues":[],"binaryListValues":[],"dataType":"Binary"}},"Text":{{"stringValue":"v","stringListValues":[],"binaryListValues":[],"dataType":"String"}}}},"md5OfMessageAttributes":"{}","md5OfBody":"{}","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:000000000000:q.fifo","awsRegion":"us-east-1"}}]}}"#,
        text("/messageId"),
        text("/receiptHandle"),
        text("/attributes/SequenceNumber"),
        text("/attributes/ApproximateFirstReceiveTimestamp"),
        text("/md5OfMessageAttributes"),
        text("/md5OfBody"),
    );
    assert_eq!(String::from_utf8(call.event.to_vec()).unwrap(), expected);
    assert_eq!(
        call.trace.as_deref(),
        Some("Root=1-5759e988-bd862e3fe1be46a994272793")
    );
    running.stop().await;
}

// spec: 14
#[tokio::test(start_paused = true)]
async fn without_attributes_their_digest_is_null_with_a_window_and_absent_without() {
    for (settings, expected) in [
        (&[][..], false),
        (&["MaximumBatchingWindowInSeconds: 1"][..], true),
    ] {
        let stage = Stage::new(16);
        stage.world.create_queue("q", &[]).unwrap();
        stage.function(FunctionConfig::default(), |_| Reply::ok(""));
        stage.world.send("q", "a").unwrap();
        let running = stage.start("q", settings);
        stage.emptied("q", MINUTE).await;
        let event = String::from_utf8(stage.invocations()[0].event.to_vec()).unwrap();
        assert_eq!(event.contains("\"md5OfMessageAttributes\":null"), expected);
        assert_eq!(event.contains("md5OfMessageAttributes"), expected);
        running.stop().await;
    }
}

// spec: 4.7: what the filter drops is deleted at once, and a queue of nothing else is read on
#[tokio::test(start_paused = true)]
async fn what_the_filter_drops_is_deleted_without_waiting_for_a_batch() {
    let stage = Stage::new(17);
    stage.world.create_queue("q", &[]).unwrap();
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    for number in 0..100 {
        let body = format!("{{\"keep\":{}}}", number == 50);
        stage.world.send("q", &body).unwrap();
    }
    let settings = [
        "FilterCriteria: { Filters: [ { Pattern: '{\"body\":{\"keep\":[true]}}' } ] }",
        "BatchSize: 20",
        "MaximumBatchingWindowInSeconds: 30",
    ];
    let running = stage.start("q", &settings);
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(stage.left("q"), 1, "the kept one waits for its window");
    stage.emptied("q", MINUTE).await;
    assert_eq!(stage.calls(), [["{\"keep\":true}"]]);
    assert_eq!(stage.metric(&of_mapping("events_filtered_out_total")), 99.0);
    assert_eq!(running.stop().await.deleted, 100);
}

// spec: 4.7: nor does what is kept wait for the deletes of what is not, and these are repeated all the same
#[tokio::test(start_paused = true)]
async fn a_batch_does_not_wait_for_the_deletes_of_what_the_filter_dropped() {
    for fault in [Fault::Throttled, Fault::AccessDenied, Fault::NeverAnswers] {
        let stage = Stage::new(19);
        stage.world.create_queue("q", &[]).unwrap();
        stage.function(FunctionConfig::default(), |_| Reply::ok(""));
        for keep in [false, true, false, false] {
            let body = format!("{{\"keep\":{keep}}}");
            stage.world.send("q", &body).unwrap();
        }
        stage
            .world
            .fault_chance(Some(Operation::DeleteMessageBatch), fault, 1.0);
        let filter = "FilterCriteria: { Filters: [ { Pattern: '{\"body\":{\"keep\":[true]}}' } ] }";
        let running = stage.start("q", &[filter]);
        tokio::time::sleep(SECOND).await;
        assert_eq!(stage.calls(), [["{\"keep\":true}"]], "{fault:?}");
        stage.world.heal();
        stage.emptied("q", 25 * SECOND).await;
        assert!(
            stage.receives().values().all(|count| *count == 1),
            "{fault:?}: {:?}",
            stage.receives()
        );
        assert_eq!(running.stop().await.deleted, 4, "{fault:?}");
    }
}

// A queue that takes no deletes is not read on for ever beside them, and the batch keeps its window all the same.
#[tokio::test(start_paused = true)]
async fn what_the_filter_drops_and_can_not_be_deleted_is_bounded_and_holds_no_batch() {
    let stage = Stage::new(21);
    stage.world.create_queue("q", &[]).unwrap();
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    for number in 0..300 {
        let body = format!("{{\"keep\":{}}}", number == 0);
        stage.world.send("q", &body).unwrap();
    }
    stage
        .world
        .fault_chance(Some(Operation::DeleteMessageBatch), Fault::Throttled, 1.0);
    let settings = [
        "FilterCriteria: { Filters: [ { Pattern: '{\"body\":{\"keep\":[true]}}' } ] }",
        "BatchSize: 20",
        "MaximumBatchingWindowInSeconds: 5",
        "ScalingConfig: { MaximumConcurrency: 1 }",
    ];
    let running = stage.start("q", &settings);
    tokio::time::sleep(4 * SECOND).await;
    assert_eq!(stage.metric(&of_mapping("messages_held")), 80.0);
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(stage.calls(), [["{\"keep\":true}"]]);
    stage.world.heal();
    stage.emptied("q", MINUTE).await;
    assert_eq!(running.stop().await.deleted, 300);
}

// A receive that hangs is given up soon after the wait that it was asked for, not after the longest there is.
#[tokio::test(start_paused = true)]
async fn a_receive_that_hangs_inside_a_window_holds_its_batch_for_ten_seconds_at_most() {
    for fault in [Fault::NeverAnswers, Fault::ConnectHangs, Fault::StalledBody] {
        let stage = Stage::new(20);
        stage.world.create_queue("q", &[]).unwrap();
        stage.function(FunctionConfig::default(), |_| Reply::ok(""));
        stage.world.send("q", "a").unwrap();
        stage
            .world
            .fault_script(Operation::ReceiveMessage, [None, Some(fault)]);
        let settings = ["BatchSize: 100", "MaximumBatchingWindowInSeconds: 2"];
        let running = stage.start("q", &settings);
        tokio::time::sleep(13 * SECOND).await;
        assert_eq!(stage.calls(), [["a"]], "{fault:?}");
        running.stop().await;
    }
}

/// When each invocation began, and the bodies of its messages.
fn invocations(stage: &Stage) -> Vec<(Duration, Vec<String>)> {
    let began = |Entry { at, event }| matches!(event, Event::Invoked { .. }).then_some(at);
    let began = stage.world.history().into_iter().filter_map(began);
    began.zip(stage.calls()).collect()
}

// What did not fit into an event keeps the window that began when it came.
#[tokio::test(start_paused = true)]
async fn what_waits_behind_a_full_event_waits_no_longer_than_its_window() {
    let stage = Stage::new(18);
    stage.world.create_queue("q", &[]).unwrap();
    let slow = FunctionConfig {
        timeout: MINUTE,
        ..FunctionConfig::default()
    };
    stage.function(slow, |_| Reply::ok("").after(15 * SECOND));
    for _ in 0..9 {
        stage.world.send("q", &"x".repeat(850_000)).unwrap();
    }
    let settings = [
        "BatchSize: 100",
        "MaximumBatchingWindowInSeconds: 20",
        "ScalingConfig: { MaximumConcurrency: 1 }",
    ];
    let running = stage.start("q", &settings);
    stage.emptied("q", MINUTE).await;
    let invoked: Vec<(u64, usize)> = invocations(&stage)
        .into_iter()
        .map(|(at, bodies)| (at.as_secs(), bodies.len()))
        .collect();
    assert_eq!(invoked, [(0, 7), (20, 2)]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_invocation_is_as_long_as_the_function_took() {
    let stage = Stage::new(11);
    stage.world.create_queue("q", &[]).unwrap();
    stage.function(FunctionConfig::default(), |_| {
        Reply::ok("").after(Duration::from_millis(1_500))
    });
    let running = stage.start("q", &[]);
    // Not at the start, where every moment is near to zero.
    tokio::time::sleep(Duration::from_secs(100)).await;
    stage.world.send("q", "a").unwrap();
    stage.emptied("q", Duration::from_secs(10)).await;
    let took = stage.metric(&of_mapping("invocation_duration_seconds_sum"));
    assert!((1.5..1.6).contains(&took), "{took} s");
    running.stop().await;
}

// A large batch of a backlog is as many receives as it takes, one right behind the other.
#[tokio::test(start_paused = true)]
async fn a_window_is_filled_from_a_backlog_without_a_pause() {
    let stage = Stage::new(20);
    stage.world.create_queue("q", &[]).unwrap();
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    for body in bodies(500) {
        stage.world.send("q", &body).unwrap();
    }
    let running = stage.start(
        "q",
        &[
            "BatchSize: 500",
            "MaximumBatchingWindowInSeconds: 60",
            "ScalingConfig: { MaximumConcurrency: 1 }",
        ],
    );
    // Fifty receives, 2 ms of travel each.
    tokio::time::sleep(SECOND / 2).await;
    let sizes: Vec<usize> = stage.calls().iter().map(Vec::len).collect();
    assert_eq!(sizes, [500]);
    running.stop().await;
}

// spec: 4.7: a poll waits for whole seconds; what is left of a window is waited out once the queue has no more
#[tokio::test(start_paused = true)]
async fn the_last_moment_of_a_window_costs_one_receive() {
    let stage = Stage::new(21);
    stage.world.create_queue("q", &[]).unwrap();
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    let running = stage.start(
        "q",
        &[
            "BatchSize: 100",
            "MaximumBatchingWindowInSeconds: 2",
            "ScalingConfig: { MaximumConcurrency: 1 }",
        ],
    );
    stage.world.send("q", "a").unwrap();
    tokio::time::sleep(3 * SECOND / 2).await;
    stage.world.send("q", "b").unwrap();
    tokio::time::sleep(SECOND / 4).await;
    assert_eq!(stage.calls().len(), 0, "the window is open");
    let receives = stage.metric(
        "sluicegate_source_requests_total{mapping=\"m\",operation=\"ReceiveMessage\",outcome=\"success\"}",
    );
    assert_eq!(receives, 3.0, "one for each message, and one in vain");
    tokio::time::sleep(SECOND / 2).await;
    assert_eq!(stage.calls(), [["a", "b"]]);
    running.stop().await;
}
