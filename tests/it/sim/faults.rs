//! Faults in process: what a client sees of each, whether the effect happened, and the counts; and crash points.

use std::collections::BTreeMap;

use aws_sdk_sqs::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::DeleteMessageBatchRequestEntry,
};
use aws_smithy_types::timeout::TimeoutConfig;
use sluicegate::sim::{Fault, FunctionConfig, Operation, Reply, World, crash::Moment};
use tokio::time::{Instant, sleep};

use super::{SECOND, bodies, events, queue, receive, receive_one};

/// What a client sees of a fault.
fn seen<E: ProvideErrorMetadata>(
    error: &SdkError<E, aws_smithy_runtime_api::http::Response>,
) -> String {
    match error {
        SdkError::DispatchFailure(failure) if failure.is_io() => "io".to_owned(),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => "timeout".to_owned(),
        SdkError::ResponseError(_) => "unreadable".to_owned(),
        SdkError::ServiceError(service) => format!(
            "{} {}",
            service.raw().status().as_u16(),
            error.code().unwrap_or("-")
        ),
        _ => "other".to_owned(),
    }
}

fn impatient(world: &World) -> Client {
    let limits = TimeoutConfig::builder()
        .connect_timeout(3 * SECOND)
        .read_timeout(25 * SECOND)
        .build();
    Client::from_conf(
        aws_sdk_sqs::config::Builder::from(&world.sdk_config())
            .timeout_config(limits)
            .build(),
    )
}

#[tokio::test(start_paused = true)]
async fn each_fault_looks_right_and_has_its_effect_or_not() {
    let (world, _, url) = queue("q", &[]);
    let client = impatient(&world);
    world.fault_slowness(SECOND);
    for (fault, looks, sent, at_most_ms) in [
        (Fault::Throttled, "400 RequestThrottled", 0, 2),
        (Fault::InternalError, "500 InternalFailure", 0, 2),
        (Fault::Unavailable, "503 ServiceUnavailable", 0, 2),
        (Fault::BareUnavailable, "503 -", 0, 2),
        (Fault::AccessDenied, "403 AccessDeniedException", 0, 2),
        (Fault::ExpiredToken, "403 ExpiredTokenException", 0, 2),
        (Fault::ProxyHtml, "502 -", 0, 2),
        (Fault::ConnectHangs, "timeout", 0, 3_002),
        (Fault::ResetBefore, "io", 0, 2),
        (Fault::NeverAnswers, "timeout", 0, 25_000),
        (Fault::ResetAfter, "io", 1, 2),
        (Fault::AnswerLost, "timeout", 1, 25_000),
        (Fault::Slow, "", 1, 1_002),
        (Fault::StalledBody, "unreadable", 1, 21_002),
        (Fault::TruncatedBody, "unreadable", 1, 2),
        (Fault::MalformedJson, "200 -", 1, 2),
        (Fault::InvalidUtf8, "200 -", 1, 2),
        (Fault::WrongContentType, "", 1, 2),
    ] {
        let (before, began) = (world.queue("q").unwrap().counts.sent, Instant::now());
        world.fault_next(Operation::SendMessage, fault, 1);
        let answer = client
            .send_message()
            .queue_url(&url)
            .message_body("a")
            .send()
            .await;
        assert_eq!(
            answer.as_ref().err().map(seen).unwrap_or_default(),
            looks,
            "{fault:?} {answer:?}"
        );
        assert_eq!(
            world.queue("q").unwrap().counts.sent - before,
            sent,
            "{fault:?}"
        );
        assert!(
            began.elapsed().as_millis() <= at_most_ms,
            "{fault:?} took {:?}",
            began.elapsed()
        );
        assert_eq!(
            world.fault_counts()[&(Operation::SendMessage, fault)],
            1,
            "{fault:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn lambda_has_faults_in_its_own_form() {
    let world = World::new(1);
    world.register("f", FunctionConfig::default(), |_| async { Reply::ok("1") });
    let client = world.lambda_client();
    for (fault, looks) in [
        (Fault::Throttled, "429 TooManyRequestsException"),
        (Fault::InternalError, "500 InternalFailure"),
        (Fault::AccessDenied, "403 AccessDeniedException"),
        (Fault::ResetAfter, "io"),
    ] {
        world.fault_next(Operation::Invoke, fault, 1);
        assert_eq!(
            seen(&client.invoke().function_name("f").send().await.unwrap_err()),
            looks,
            "{fault:?}"
        );
    }
    // Only the last of them ran.
    assert_eq!(
        events(&world),
        [
            "faulted", "faulted", "faulted", "faulted", "invoked", "replied"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_messages_of_a_receive_can_be_spoilt() {
    for fault in [Fault::WrongMd5, Fault::MissingBody, Fault::MissingReceipt] {
        let (world, client, url) = queue("q", &[]);
        world.send("q", "hello").unwrap();
        world.fault_next(Operation::ReceiveMessage, fault, 1);
        let message = receive_one(&client, &url).await;
        let good = (
            Some("hello"),
            Some("5d41402abc4b2a76b9719d911017c592"),
            true,
        );
        let came = (
            message.body(),
            message.md5_of_body(),
            message.receipt_handle().is_some(),
        );
        let expected = match fault {
            Fault::WrongMd5 => (good.0, Some("00000000000000000000000000000000"), true),
            Fault::MissingBody => (None, good.1, true),
            _ => (good.0, good.1, false),
        };
        assert_eq!(came, expected, "{fault:?}");
        assert_eq!(world.queue("q").unwrap().in_flight, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_is_delivered_while_the_first_is_in_flight() {
    let (world, client, url) = queue("q", &[]);
    world.send("q", "a").unwrap();
    world.fault_next(Operation::ReceiveMessage, Fault::DuplicateDelivery, 1);
    let first = receive_one(&client, &url).await;
    let second = receive_one(&client, &url).await;
    assert_eq!(first.message_id(), second.message_id());
    assert_ne!(first.receipt_handle(), second.receipt_handle());
    assert_eq!(receive(&client, &url).await, []);
}

#[tokio::test(start_paused = true)]
async fn visibility_can_run_out_early() {
    let (world, client, url) = queue("q", &[("VisibilityTimeout", "20")]);
    world.send("q", "a").unwrap();
    world.fault_next(Operation::ReceiveMessage, Fault::EarlyVisibility, 1);
    receive_one(&client, &url).await;
    client
        .receive_message()
        .queue_url(&url)
        .wait_time_seconds(20)
        .send()
        .await
        .unwrap();
    assert!(world.clock().elapsed() < 20 * SECOND);
    assert_eq!(world.queue("q").unwrap().messages[0].receives, 2);
}

#[tokio::test(start_paused = true)]
async fn a_receive_can_be_empty_or_refused_though_there_are_messages() {
    let (world, client, url) = queue("q", &[]);
    world.send("q", "a").unwrap();
    world.fault_script(
        Operation::ReceiveMessage,
        [Some(Fault::EmptyReceive), Some(Fault::OverLimit), None],
    );
    let began = Instant::now();
    let empty = client
        .receive_message()
        .queue_url(&url)
        .wait_time_seconds(5)
        .send()
        .await
        .unwrap();
    assert_eq!((empty.messages, began.elapsed().as_secs()), (None, 5));
    assert!(
        client
            .receive_message()
            .queue_url(&url)
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_over_limit()
    );
    assert_eq!(bodies(&receive(&client, &url).await), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_can_fail_in_part() {
    for (fault, sender_fault, code) in [
        (Fault::PartialRetryable, false, "InternalError"),
        (Fault::PartialFinal, true, "InvalidParameterValue"),
        (Fault::ReceiptHandleInvalid, true, "ReceiptHandleIsInvalid"),
    ] {
        let (world, client, url) = queue("q", &[]);
        for n in 0..10 {
            world.send("q", &n.to_string()).unwrap();
        }
        let messages = receive(&client, &url).await;
        let entry = |(id, handle): (usize, &str)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(id.to_string())
                .receipt_handle(handle)
                .build()
                .unwrap()
        };
        let entries = messages
            .iter()
            .map(|message| message.receipt_handle().unwrap())
            .enumerate()
            .map(entry)
            .collect();
        world.fault_next(Operation::DeleteMessageBatch, fault, 1);
        let deleted = client
            .delete_message_batch()
            .queue_url(&url)
            .set_entries(Some(entries))
            .send()
            .await
            .unwrap();
        assert_eq!(deleted.successful().len() + deleted.failed().len(), 10);
        assert!(!deleted.failed().is_empty(), "{fault:?}");
        assert!(
            deleted
                .failed()
                .iter()
                .all(|failed| (failed.sender_fault(), failed.code()) == (sender_fault, code)),
            "{fault:?}"
        );
        assert_eq!(
            world.queue("q").unwrap().counts.deleted as usize,
            deleted.successful().len()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_receipt_handle_can_be_refused() {
    let (world, client, url) = queue("q", &[]);
    world.send("q", "a").unwrap();
    let handle = receive_one(&client, &url).await.receipt_handle.unwrap();
    world.fault_next(Operation::DeleteMessage, Fault::ReceiptHandleInvalid, 1);
    world.fault_next(
        Operation::ChangeMessageVisibility,
        Fault::ReceiptHandleInvalid,
        1,
    );
    let error = client
        .delete_message()
        .queue_url(&url)
        .receipt_handle(&handle)
        .send()
        .await
        .unwrap_err();
    assert_eq!(seen(&error), "400 ReceiptHandleIsInvalid");
    let change = client
        .change_message_visibility()
        .queue_url(&url)
        .receipt_handle(&handle)
        .visibility_timeout(0);
    assert_eq!(
        seen(&change.send().await.unwrap_err()),
        "400 ReceiptHandleIsInvalid"
    );
    assert_eq!(world.queue("q").unwrap().in_flight, 1);
}

#[tokio::test(start_paused = true)]
async fn chance_follows_the_seed_and_ends_with_healing() {
    async fn count(seed: u64) -> BTreeMap<(Operation, Fault), u64> {
        let world = World::new(seed);
        let url = world.create_queue("q", &[]).unwrap();
        let client = world.sqs_client();
        world.fault_chance(None, Fault::Throttled, 0.2);
        world.fault_chance(Some(Operation::ReceiveMessage), Fault::EmptyReceive, 0.5);
        for _ in 0..200 {
            let _ = client
                .send_message()
                .queue_url(&url)
                .message_body("a")
                .send()
                .await;
            let _ = client.receive_message().queue_url(&url).send().await;
        }
        let counts = world.fault_counts();
        world.heal();
        for _ in 0..50 {
            client
                .send_message()
                .queue_url(&url)
                .message_body("a")
                .send()
                .await
                .unwrap();
        }
        assert_eq!(world.fault_counts(), counts);
        counts
    }
    let counts = count(3).await;
    assert_eq!(counts, count(3).await);
    assert_ne!(counts, count(4).await);
    let throttled = counts[&(Operation::SendMessage, Fault::Throttled)];
    assert!((20..=60).contains(&throttled), "{throttled} of 200 at 20 %");
    assert!(
        counts
            .keys()
            .all(|(operation, fault)| fault.fits(*operation))
    );
}

#[tokio::test(start_paused = true)]
async fn every_call_has_three_crash_points_and_the_dead_get_no_answer() {
    // A sends twice: each crash point decides how many messages arrived and what the caller knew.
    for (number, moment, sent, known) in [
        (1, Moment::BeforeEffect, 0, 0),
        (2, Moment::AfterEffect, 1, 0),
        (3, Moment::Delivered, 1, 1),
        (4, Moment::BeforeEffect, 1, 1),
        (5, Moment::AfterEffect, 2, 1),
        (6, Moment::Delivered, 2, 2),
    ] {
        let (world, client, url) = queue("q", &[]);
        let crash = world.crash_at(number);
        let mut answers = 0;
        tokio::select! {
            biased;
            () = crash.notified() => {}
            () = async {
                for _ in 0..3 {
                    client.send_message().queue_url(&url).message_body("a").send().await.unwrap();
                    answers += 1;
                }
            } => panic!("survived crash point {number}"),
        }
        // What is in the caller's hands when it dies may or may not have been looked at.
        assert!(
            answers == known || moment == Moment::Delivered && answers + 1 == known,
            "{number}: {answers}"
        );
        assert_eq!(world.queue("q").unwrap().counts.sent, sent, "{number}");
        let point = world.last_crash().unwrap();
        assert_eq!(
            (point.number, point.operation, point.moment),
            (number, Operation::SendMessage, moment)
        );

        let dead = client
            .send_message()
            .queue_url(&url)
            .message_body("from the dead")
            .send();
        assert!(tokio::time::timeout(100 * SECOND, dead).await.is_err());
        let reborn = world.sqs_client();
        assert!(
            reborn
                .send_message()
                .queue_url(&url)
                .message_body("a")
                .send()
                .await
                .is_ok()
        );
        assert_eq!(world.queue("q").unwrap().counts.sent, sent + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unarmed_world_counts_its_crash_points() {
    let (world, client, url) = queue("q", &[]);
    assert_eq!(world.crash_points(), 0);
    receive(&client, &url).await;
    assert_eq!(world.crash_points(), 3);
    sleep(SECOND).await;
    assert_eq!(world.last_crash(), None);
}
