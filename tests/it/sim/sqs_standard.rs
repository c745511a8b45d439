//! Standard queues: send, receive, delete, visibility, long polling, redrive.

use aws_sdk_sqs::{
    error::ProvideErrorMetadata,
    operation::RequestId,
    primitives::Blob,
    types::{
        ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
        MessageAttributeValue, MessageSystemAttributeName as System,
        MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
        SendMessageBatchRequestEntry,
    },
};
use sluicegate::sim::{Settings, World};
use tokio::time::{Duration, Instant, sleep};

use super::{SECOND, bodies, events, queue, receive, receive_one};

#[tokio::test(start_paused = true)]
async fn what_is_sent_is_received_with_its_digests_and_deleted_for_good() {
    let (world, client, url) = queue("q", &[]);
    let sent = client
        .send_message()
        .queue_url(&url)
        .message_body("hello")
        .send()
        .await
        .unwrap();
    assert_eq!(
        sent.md5_of_message_body(),
        Some("5d41402abc4b2a76b9719d911017c592")
    );
    assert!(sent.request_id().is_some());

    let message = receive_one(&client, &url).await;
    assert_eq!(message.message_id(), sent.message_id());
    assert_eq!(
        (message.body(), message.md5_of_body()),
        (Some("hello"), Some("5d41402abc4b2a76b9719d911017c592"))
    );
    assert_eq!(message.attributes(), None);

    client
        .delete_message()
        .queue_url(&url)
        .receipt_handle(message.receipt_handle().unwrap())
        .send()
        .await
        .unwrap();
    sleep(60 * SECOND).await;
    assert_eq!(receive(&client, &url).await, []);
    assert_eq!(events(&world), ["sent", "received", "deleted"]);
}

// API: SQS ReceiveMessage, VisibilityTimeout
#[tokio::test(start_paused = true)]
async fn a_received_message_is_hidden_for_its_visibility_timeout_and_comes_back_with_a_new_handle()
{
    let (world, client, url) = queue("q", &[("VisibilityTimeout", "30")]);
    world.send("q", "a").unwrap();
    let first = receive_one(&client, &url).await;
    sleep(29 * SECOND).await;
    assert_eq!(receive(&client, &url).await, []);
    sleep(SECOND).await;
    let second = receive_one(&client, &url).await;
    assert_eq!(first.message_id(), second.message_id());
    assert_ne!(first.receipt_handle(), second.receipt_handle());
    assert_eq!(
        events(&world),
        ["sent", "received", "reappeared", "received"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_receive_may_ask_for_a_visibility_timeout_of_its_own() {
    let (world, client, url) = queue("q", &[]);
    world.send("q", "a").unwrap();
    client
        .receive_message()
        .queue_url(&url)
        .visibility_timeout(5)
        .send()
        .await
        .unwrap();
    sleep(5 * SECOND).await;
    assert_eq!(receive(&client, &url).await.len(), 1);
}

// API: SQS ReceiveMessage, MaxNumberOfMessages
#[tokio::test(start_paused = true)]
async fn a_receive_gives_one_message_unless_asked_for_up_to_ten() {
    let (world, client, url) = queue("q", &[]);
    for n in 0..12 {
        world.send("q", &n.to_string()).unwrap();
    }
    let one = client
        .receive_message()
        .queue_url(&url)
        .send()
        .await
        .unwrap();
    assert_eq!(bodies(one.messages()), ["0"]);
    assert_eq!(
        bodies(&receive(&client, &url).await),
        ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]
    );
    for wrong in [0, 11] {
        let error = client
            .receive_message()
            .queue_url(&url)
            .max_number_of_messages(wrong)
            .send()
            .await
            .unwrap_err();
        assert_eq!(error.code(), Some("InvalidParameterValue"), "{wrong}");
    }
}

// API: SQS ReceiveMessage, WaitTimeSeconds
#[tokio::test(start_paused = true)]
async fn a_long_poll_ends_with_the_first_message_or_with_its_time() {
    let (world, client, url) = queue("q", &[]);
    let poll = client
        .receive_message()
        .queue_url(&url)
        .wait_time_seconds(20);

    let began = Instant::now();
    assert_eq!(poll.clone().send().await.unwrap().messages, None);
    assert_eq!(began.elapsed(), 20 * SECOND + Duration::from_millis(2));

    let began = Instant::now();
    let (answer, ()) = tokio::join!(poll.clone().send(), async {
        sleep(7 * SECOND).await;
        world.send("q", "late").unwrap();
    });
    assert_eq!(bodies(answer.unwrap().messages()), ["late"]);
    assert_eq!(began.elapsed(), 7 * SECOND + Duration::from_millis(1));

    // The message received above reappears 30 s after its receive.
    sleep(15 * SECOND).await;
    let began = Instant::now();
    assert_eq!(bodies(poll.send().await.unwrap().messages()), ["late"]);
    assert_eq!(began.elapsed(), 15 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn every_waiting_poll_wakes_when_its_own_message_comes() {
    let (world, client, url) = queue("q", &[("ReceiveMessageWaitTimeSeconds", "20")]);
    let poll = || client.receive_message().queue_url(&url).send();
    let (first, second, ()) = tokio::join!(poll(), poll(), async {
        sleep(SECOND).await;
        world.send("q", "a").unwrap();
        sleep(SECOND).await;
        world.send("q", "b").unwrap();
    });
    let mut both = [
        first.unwrap().messages.unwrap(),
        second.unwrap().messages.unwrap(),
    ]
    .concat();
    both.sort_by(|a, b| a.body.cmp(&b.body));
    assert_eq!(bodies(&both), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_began_first_still_sees_a_visibility_timeout_that_began_later() {
    let (world, client, url) = queue("q", &[("VisibilityTimeout", "5")]);
    let began = Instant::now();
    let (polled, ()) = tokio::join!(
        client
            .receive_message()
            .queue_url(&url)
            .wait_time_seconds(20)
            .send(),
        async {
            sleep(SECOND).await;
            world.send("q", "a").unwrap();
        }
    );
    assert_eq!(polled.unwrap().messages().len(), 1);
    assert_eq!(began.elapsed(), SECOND + Duration::from_millis(1));
    let polled = client
        .receive_message()
        .queue_url(&url)
        .wait_time_seconds(20)
        .send()
        .await
        .unwrap();
    assert_eq!(bodies(polled.messages()), ["a"]);
    assert_eq!(began.elapsed(), 6 * SECOND + Duration::from_millis(1));
}

// API: SQS SendMessage, DelaySeconds
#[tokio::test(start_paused = true)]
async fn a_delayed_message_is_hidden_until_its_time_and_wakes_a_poll() {
    let (_world, client, url) = queue("q", &[("DelaySeconds", "3")]);
    client
        .send_message()
        .queue_url(&url)
        .message_body("queue")
        .send()
        .await
        .unwrap();
    client
        .send_message()
        .queue_url(&url)
        .message_body("own")
        .delay_seconds(8)
        .send()
        .await
        .unwrap();
    assert_eq!(receive(&client, &url).await, []);
    let began = Instant::now();
    for (body, at) in [("queue", 3), ("own", 8)] {
        let polled = client
            .receive_message()
            .queue_url(&url)
            .wait_time_seconds(20)
            .send()
            .await
            .unwrap();
        assert_eq!(bodies(polled.messages()), [body]);
        assert_eq!(began.elapsed().as_secs_f64().round() as u64, at);
    }
    let error = client
        .send_message()
        .queue_url(&url)
        .message_body("a")
        .delay_seconds(901)
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("InvalidParameterValue"));
}

// API: SQS ReceiveMessage, MessageSystemAttributeNames
#[tokio::test(start_paused = true)]
async fn system_attributes_tell_of_sending_and_receives() {
    let (world, client, url) = queue("q", &[("VisibilityTimeout", "10")]);
    let trace = MessageSystemAttributeValue::builder()
        .data_type("String")
        .string_value("Root=1-5759e988-bd862e3fe1be46a994272793")
        .build();
    client
        .send_message()
        .queue_url(&url)
        .message_body("a")
        .message_group_id("tenant-1")
        .message_system_attributes(
            MessageSystemAttributeNameForSends::AwsTraceHeader,
            trace.unwrap(),
        )
        .send()
        .await
        .unwrap();
    receive(&client, &url).await;
    sleep(10 * SECOND).await;
    let all = client
        .receive_message()
        .queue_url(&url)
        .message_system_attribute_names(System::All)
        .send()
        .await
        .unwrap();
    let epoch = world.settings().epoch.as_millis() as u64;
    let attributes = all.messages()[0].attributes().unwrap();
    let ms = |name| attributes[&name].parse::<u64>().unwrap() - epoch;
    assert_eq!(attributes[&System::ApproximateReceiveCount], "2");
    assert_eq!(
        (
            ms(System::SentTimestamp),
            ms(System::ApproximateFirstReceiveTimestamp)
        ),
        (1, 3)
    );
    assert_eq!(
        attributes[&System::AwsTraceHeader],
        "Root=1-5759e988-bd862e3fe1be46a994272793"
    );
    assert_eq!(attributes[&System::MessageGroupId], "tenant-1");
    assert!(attributes.contains_key(&System::SenderId));
    assert_eq!(attributes.len(), 6);

    sleep(10 * SECOND).await;
    let one = client
        .receive_message()
        .queue_url(&url)
        .message_system_attribute_names(System::ApproximateReceiveCount)
        .send()
        .await
        .unwrap();
    assert_eq!(one.messages()[0].attributes().unwrap().len(), 1);
}

// API: SQS ReceiveMessage, MessageAttributeNames
#[tokio::test(start_paused = true)]
async fn message_attributes_come_as_asked_for_with_the_digest_of_what_came() {
    let (_world, client, url) = queue("q", &[("VisibilityTimeout", "0")]);
    let text = |kind: &str, value: &str| {
        MessageAttributeValue::builder()
            .data_type(kind)
            .string_value(value)
            .build()
            .unwrap()
    };
    let binary = MessageAttributeValue::builder()
        .data_type("Binary")
        .binary_value(Blob::new([0, 1, 2]))
        .build()
        .unwrap();
    let sent = client
        .send_message()
        .queue_url(&url)
        .message_body("a")
        .message_attributes("a", text("String", "jo"))
        .message_attributes("b", text("Number.int", "6"))
        .message_attributes("c", binary)
        .send()
        .await
        .unwrap();
    // Computed with an independent implementation of the published algorithm.
    assert_eq!(
        sent.md5_of_message_attributes(),
        Some("b1c621420eecd673646cf02e53df3601")
    );

    for (asked, names) in [
        (vec!["All"], "a b c"),
        (vec![".*"], "a b c"),
        (vec!["b", "c"], "b c"),
        (vec!["a.*"], "a"),
        (vec![], ""),
    ] {
        let set =
            (!asked.is_empty()).then(|| asked.iter().map(|name| (*name).to_owned()).collect());
        let got = client
            .receive_message()
            .queue_url(&url)
            .set_message_attribute_names(set)
            .send()
            .await
            .unwrap();
        let message = &got.messages()[0];
        let mut came: Vec<&str> = message
            .message_attributes()
            .map(|map| map.keys().map(String::as_str).collect())
            .unwrap_or_default();
        came.sort_unstable();
        assert_eq!(came.join(" "), names, "{asked:?}");
        assert_eq!(
            message.md5_of_message_attributes().is_some(),
            !names.is_empty(),
            "{asked:?}"
        );
        if names == "a b c" {
            assert_eq!(
                message.md5_of_message_attributes(),
                sent.md5_of_message_attributes()
            );
            assert_eq!(
                message.message_attributes().unwrap()["c"]
                    .binary_value()
                    .unwrap()
                    .as_ref(),
                [0, 1, 2]
            );
        }
    }
}

// API: SQS SendMessage, Errors
#[tokio::test(start_paused = true)]
async fn a_message_that_sqs_would_refuse_is_refused() {
    let (_world, client, url) = queue("q", &[]);
    let send = |body: &str| client.send_message().queue_url(&url).message_body(body);
    let most = "x".repeat(1_048_576);
    assert!(send(&most).send().await.is_ok());
    let none = MessageAttributeValue::builder()
        .data_type("String")
        .string_value("")
        .build()
        .unwrap();
    for (request, code) in [
        (send(""), "MissingParameter"),
        (send("\u{0}"), "InvalidMessageContents"),
        (send(&format!("{most}x")), "InvalidParameterValue"),
        (
            send("a").message_attributes("empty", none),
            "InvalidParameterValue",
        ),
        (
            send("a").message_deduplication_id("d"),
            "InvalidParameterValue",
        ),
        (
            send("a").queue_url("http://x/000000000000/none"),
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
    ] {
        assert_eq!(request.send().await.unwrap_err().code(), Some(code));
    }
}

// API: SQS SendMessageBatch
#[tokio::test(start_paused = true)]
async fn a_batch_of_sends_has_a_fate_for_each_entry() {
    let (world, client, url) = queue("q", &[]);
    let entry = |id: &str, body: &str| {
        SendMessageBatchRequestEntry::builder()
            .id(id)
            .message_body(body)
            .build()
            .unwrap()
    };
    let sent = client
        .send_message_batch()
        .queue_url(&url)
        .entries(entry("1", "a"))
        .entries(entry("2", ""))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (sent.successful().len(), sent.successful()[0].id()),
        (1, "1")
    );
    assert_eq!(
        (
            sent.failed()[0].id(),
            sent.failed()[0].code(),
            sent.failed()[0].sender_fault()
        ),
        ("2", "MissingParameter", true)
    );
    assert_eq!(world.queue("q").unwrap().visible, 1);

    let half = "x".repeat(600_000);
    let error = client
        .send_message_batch()
        .queue_url(&url)
        .entries(entry("1", &half))
        .entries(entry("2", &half))
        .send()
        .await
        .unwrap_err();
    assert_eq!(
        error.code(),
        Some("AWS.SimpleQueueService.BatchRequestTooLong")
    );
}

// API: SQS DeleteMessageBatch, Errors
#[tokio::test(start_paused = true)]
async fn a_batch_as_such_is_checked_before_its_entries() {
    let (_world, client, url) = queue("q", &[]);
    let entry = |id: &str| {
        DeleteMessageBatchRequestEntry::builder()
            .id(id)
            .receipt_handle("r")
            .build()
            .unwrap()
    };
    let numbered: Vec<String> = (0..11).map(|n| n.to_string()).collect();
    for (ids, code) in [
        (vec![], "AWS.SimpleQueueService.EmptyBatchRequest"),
        (
            numbered.iter().map(String::as_str).collect(),
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        ),
        (
            vec!["a", "a"],
            "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        ),
        (vec!["a b"], "AWS.SimpleQueueService.InvalidBatchEntryId"),
    ] {
        let entries = ids.iter().map(|id| entry(id)).collect();
        let error = client
            .delete_message_batch()
            .queue_url(&url)
            .set_entries(Some(entries))
            .send()
            .await
            .unwrap_err();
        assert_eq!(error.code(), Some(code), "{ids:?}");
    }
}

// API: SQS DeleteMessageBatch
#[tokio::test(start_paused = true)]
async fn a_batch_of_deletes_reports_each_entry() {
    let (world, client, url) = queue("q", &[]);
    world.send("q", "a").unwrap();
    world.send("q", "b").unwrap();
    let messages = receive(&client, &url).await;
    let entry = |id: &str, handle: &str| {
        DeleteMessageBatchRequestEntry::builder()
            .id(id)
            .receipt_handle(handle)
            .build()
            .unwrap()
    };
    let deleted = client
        .delete_message_batch()
        .queue_url(&url)
        .entries(entry("good", messages[0].receipt_handle().unwrap()))
        .entries(entry("bad", "nonsense"))
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.successful()[0].id(), "good");
    assert_eq!(
        (deleted.failed()[0].id(), deleted.failed()[0].code()),
        ("bad", "ReceiptHandleIsInvalid")
    );
    let view = world.queue("q").unwrap();
    assert_eq!((view.in_flight, view.counts.deleted), (1, 1));
}

// API: SQS DeleteMessage, ReceiptHandle
#[tokio::test(start_paused = true)]
async fn an_old_handle_deletes_on_a_standard_queue_or_is_ignored_as_the_world_says() {
    for (stale_receipt_deletes, left) in [(true, 0), (false, 1)] {
        let world = World::with(Settings {
            stale_receipt_deletes,
            ..Settings::default()
        });
        let (url, client) = (world.create_queue("q", &[]).unwrap(), world.sqs_client());
        world.send("q", "a").unwrap();
        let old = receive_one(&client, &url).await;
        sleep(30 * SECOND).await;
        receive_one(&client, &url).await;
        client
            .delete_message()
            .queue_url(&url)
            .receipt_handle(old.receipt_handle().unwrap())
            .send()
            .await
            .unwrap();
        assert_eq!(world.queue("q").unwrap().in_flight, left);
    }
}

#[tokio::test(start_paused = true)]
async fn deleting_twice_succeeds_and_deleting_nonsense_does_not() {
    let (world, client, url) = queue("q", &[]);
    world.create_queue("other", &[]).unwrap();
    world.send("q", "a").unwrap();
    let handle = receive_one(&client, &url).await.receipt_handle.unwrap();
    for _ in 0..2 {
        client
            .delete_message()
            .queue_url(&url)
            .receipt_handle(&handle)
            .send()
            .await
            .unwrap();
    }
    assert_eq!(world.queue("q").unwrap().counts.deleted, 1);
    for (queue, handle) in [("q", "nonsense"), ("other", handle.as_str())] {
        let error = client
            .delete_message()
            .queue_url(queue)
            .receipt_handle(handle)
            .send()
            .await
            .unwrap_err();
        assert_eq!(error.code(), Some("ReceiptHandleIsInvalid"));
    }
}

// API: SQS ChangeMessageVisibility
#[tokio::test(start_paused = true)]
async fn visibility_can_be_extended_shortened_and_given_up() {
    let (world, client, url) = queue("q", &[("VisibilityTimeout", "10")]);
    world.send("q", "a").unwrap();
    let change = |handle: &str, seconds| {
        client
            .change_message_visibility()
            .queue_url(&url)
            .receipt_handle(handle)
            .visibility_timeout(seconds)
            .send()
    };

    let handle = receive_one(&client, &url).await.receipt_handle.unwrap();
    change(&handle, 60).await.unwrap();
    sleep(59 * SECOND).await;
    assert_eq!(receive(&client, &url).await, []);
    sleep(SECOND).await;

    let handle = receive_one(&client, &url).await.receipt_handle.unwrap();
    let began = Instant::now();
    let poll = client
        .receive_message()
        .queue_url(&url)
        .wait_time_seconds(20)
        .send();
    let (polled, changed) = tokio::join!(poll, change(&handle, 0));
    changed.unwrap();
    assert_eq!(polled.unwrap().messages().len(), 1);
    assert!(began.elapsed() < SECOND);
    let view = world.queue("q").unwrap();
    assert_eq!((view.in_flight, view.messages[0].receives), (1, 3));
}

// API: SQS ChangeMessageVisibility, Errors
#[tokio::test(start_paused = true)]
async fn visibility_cannot_be_changed_out_of_flight_or_bounds() {
    let (world, client, url) = queue("q", &[]);
    world.send("q", "a").unwrap();
    let change = |handle: &str, seconds| {
        client
            .change_message_visibility()
            .queue_url(&url)
            .receipt_handle(handle)
            .visibility_timeout(seconds)
            .send()
    };
    let code = |error: aws_sdk_sqs::error::SdkError<_>| {
        ProvideErrorMetadata::code(&error)
            .map(str::to_owned)
            .unwrap()
    };

    let handle = receive_one(&client, &url).await.receipt_handle.unwrap();
    assert_eq!(
        code(change(&handle, 43_201).await.unwrap_err()),
        "InvalidParameterValue"
    );
    assert_eq!(
        code(change(&handle, -1).await.unwrap_err()),
        "InvalidParameterValue"
    );
    assert_eq!(
        code(change("nonsense", 1).await.unwrap_err()),
        "ReceiptHandleIsInvalid"
    );
    sleep(30 * SECOND).await;
    assert_eq!(
        code(change(&handle, 1).await.unwrap_err()),
        "AWS.SimpleQueueService.MessageNotInflight"
    );
    let handle = receive_one(&client, &url).await.receipt_handle.unwrap();
    client
        .delete_message()
        .queue_url(&url)
        .receipt_handle(&handle)
        .send()
        .await
        .unwrap();
    assert_eq!(
        code(change(&handle, 1).await.unwrap_err()),
        "InvalidParameterValue"
    );
}

// API: SQS ChangeMessageVisibility: 12 hours in all
#[tokio::test(start_paused = true)]
async fn visibility_ends_twelve_hours_after_the_receive_whatever_is_asked() {
    let (world, client, url) = queue("q", &[]);
    world.send("q", "a").unwrap();
    let handle = receive_one(&client, &url).await.receipt_handle.unwrap();
    let change = |seconds| {
        client
            .change_message_visibility()
            .queue_url(&url)
            .receipt_handle(&handle)
            .visibility_timeout(seconds)
            .send()
    };
    change(40_000).await.unwrap();
    sleep(39_000 * SECOND).await;
    assert!(change(4_000).await.is_ok());
    let error = change(4_201).await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidParameterValue"));
    assert!(
        error
            .message()
            .unwrap()
            .contains("beyond the limit [43200 seconds]")
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_visibility_changes_reports_each_entry() {
    let (world, client, url) = queue("q", &[]);
    world.send("q", "a").unwrap();
    let handle = receive_one(&client, &url).await.receipt_handle.unwrap();
    let entry = |id: &str, handle: &str, seconds| {
        ChangeMessageVisibilityBatchRequestEntry::builder()
            .id(id)
            .receipt_handle(handle)
            .visibility_timeout(seconds)
            .build()
            .unwrap()
    };
    let entries = vec![
        entry("back", &handle, 0),
        entry("again", &handle, 5),
        entry("bad", "nonsense", 5),
    ];
    let changed = client
        .change_message_visibility_batch()
        .queue_url(&url)
        .set_entries(Some(entries))
        .send()
        .await
        .unwrap();
    assert_eq!(changed.successful()[0].id(), "back");
    let failed: Vec<(&str, &str)> = changed
        .failed()
        .iter()
        .map(|failed| (failed.id(), failed.code()))
        .collect();
    assert_eq!(
        failed,
        [
            ("again", "AWS.SimpleQueueService.MessageNotInflight"),
            ("bad", "ReceiptHandleIsInvalid")
        ]
    );
    assert_eq!(world.queue("q").unwrap().visible, 1);
}

// API: SQS SetQueueAttributes, RedrivePolicy
#[tokio::test(start_paused = true)]
async fn after_its_receives_a_message_goes_to_the_dead_letter_queue_with_all_it_has() {
    let world = World::new(1);
    let url = world
        .create_queue_with_dlq("q", 2, &[("VisibilityTimeout", "1")])
        .unwrap();
    let client = world.sqs_client();
    let attribute = MessageAttributeValue::builder()
        .data_type("String")
        .string_value("v")
        .build()
        .unwrap();
    let sent = client
        .send_message()
        .queue_url(&url)
        .message_body("poison")
        .message_attributes("k", attribute)
        .send()
        .await
        .unwrap();
    for _ in 0..2 {
        assert_eq!(receive(&client, &url).await.len(), 1);
        sleep(SECOND).await;
    }
    // It goes with the next attempt, not before.
    assert_eq!(
        (
            world.queue("q").unwrap().visible,
            world.dlq("q").unwrap().visible
        ),
        (1, 0)
    );
    assert_eq!(receive(&client, &url).await, []);
    assert_eq!(
        (
            world.queue("q").unwrap().visible,
            world.dlq("q").unwrap().visible
        ),
        (0, 1)
    );
    assert_eq!(world.queue("q").unwrap().counts.moved, 1);

    let dead = client
        .receive_message()
        .queue_url("q-dlq")
        .message_system_attribute_names(System::All)
        .message_attribute_names("All")
        .send()
        .await;
    let dead = dead.unwrap().messages.unwrap().remove(0);
    assert_eq!(
        (dead.message_id(), dead.body()),
        (sent.message_id(), Some("poison"))
    );
    assert_eq!(
        dead.message_attributes().unwrap()["k"].string_value(),
        Some("v")
    );
    let attributes = dead.attributes().unwrap();
    assert_eq!(
        attributes[&System::DeadLetterQueueSourceArn],
        world.queue_arn("q")
    );
    assert_eq!(attributes[&System::ApproximateReceiveCount], "3");
    assert_eq!(
        events(&world),
        [
            "sent",
            "received",
            "reappeared",
            "received",
            "reappeared",
            "moved",
            "received"
        ]
    );
}

// API: SQS SetQueueAttributes, MessageRetentionPeriod
#[tokio::test(start_paused = true)]
async fn a_message_is_gone_after_the_retention_period_even_in_flight() {
    let (world, client, url) = queue(
        "q",
        &[
            ("MessageRetentionPeriod", "60"),
            ("VisibilityTimeout", "100"),
        ],
    );
    world.send("q", "a").unwrap();
    receive_one(&client, &url).await;
    sleep(60 * SECOND).await;
    let view = world.queue("q").unwrap();
    assert_eq!(
        (view.visible, view.in_flight, view.counts.expired),
        (0, 0, 1)
    );
    assert_eq!(events(&world), ["sent", "received", "expired"]);
}

// API: SQS ReceiveMessage, OverLimit
#[tokio::test(start_paused = true)]
async fn a_standard_queue_refuses_when_too_much_is_in_flight() {
    let world = World::with(Settings {
        in_flight_max: 2,
        ..Settings::default()
    });
    let (url, client) = (world.create_queue("q", &[]).unwrap(), world.sqs_client());
    for body in ["a", "b", "c"] {
        world.send("q", body).unwrap();
    }
    assert_eq!(bodies(&receive(&client, &url).await), ["a", "b"]);
    let error = client
        .receive_message()
        .queue_url(&url)
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(error.is_over_limit());
}
