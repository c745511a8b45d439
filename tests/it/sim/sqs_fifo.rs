//! FIFO queues: order and locks by group, deduplication, strict receipt handles, redrive.

use aws_sdk_sqs::{error::ProvideErrorMetadata, types::MessageSystemAttributeName as System};
use sluicegate::sim::{Settings, World};
use tokio::time::sleep;

use super::{SECOND, bodies, queue, receive, receive_one};

const FIFO: (&str, &str) = ("FifoQueue", "true");

// API: SQS ReceiveMessage, FIFO: one receive may return several messages of a group, in order
#[tokio::test(start_paused = true)]
async fn one_receive_mixes_groups_and_keeps_the_order_of_each() {
    let (world, client, url) = queue("q.fifo", &[FIFO]);
    for (group, body) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("b", "b2")] {
        world.send_to_group("q.fifo", group, body).unwrap();
    }
    assert_eq!(
        bodies(&receive(&client, &url).await),
        ["a1", "b1", "a2", "b2"]
    );
}

// API: SQS ReceiveMessage, FIFO: nothing of a group is returned while messages of it are in flight
#[tokio::test(start_paused = true)]
async fn a_group_in_flight_is_locked_until_all_its_messages_are_deleted_or_visible_again() {
    let (world, client, url) = queue("q.fifo", &[FIFO, ("VisibilityTimeout", "30")]);
    for body in ["1", "2", "3"] {
        world.send_to_group("q.fifo", "a", body).unwrap();
    }
    let two = client
        .receive_message()
        .queue_url(&url)
        .max_number_of_messages(2)
        .send()
        .await
        .unwrap();
    assert_eq!(bodies(two.messages()), ["1", "2"]);
    world.send_to_group("q.fifo", "b", "other").unwrap();
    assert_eq!(bodies(&receive(&client, &url).await), ["other"]);

    let delete = |n: usize| {
        client
            .delete_message()
            .queue_url(&url)
            .receipt_handle(two.messages()[n].receipt_handle().unwrap())
            .send()
    };
    delete(0).await.unwrap();
    assert_eq!(receive(&client, &url).await, []);
    sleep(30 * SECOND).await;
    assert_eq!(bodies(&receive(&client, &url).await), ["2", "3", "other"]);
}

#[tokio::test(start_paused = true)]
async fn deleting_the_last_message_in_flight_wakes_a_poll_for_the_rest_of_the_group() {
    let (world, client, url) = queue("q.fifo", &[FIFO]);
    world.send_to_group("q.fifo", "a", "1").unwrap();
    let first = receive_one(&client, &url).await;
    world.send_to_group("q.fifo", "a", "2").unwrap();
    let poll = client
        .receive_message()
        .queue_url(&url)
        .wait_time_seconds(20)
        .send();
    let (polled, ()) = tokio::join!(poll, async {
        sleep(SECOND).await;
        client
            .delete_message()
            .queue_url(&url)
            .receipt_handle(first.receipt_handle().unwrap())
            .send()
            .await
            .unwrap();
    });
    assert_eq!(bodies(polled.unwrap().messages()), ["2"]);
    assert!(world.clock().elapsed() < 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_handed_back_keeps_its_place() {
    let (world, client, url) = queue("q.fifo", &[FIFO]);
    for body in ["1", "2"] {
        world.send_to_group("q.fifo", "a", body).unwrap();
    }
    for message in receive(&client, &url).await {
        let handle = message.receipt_handle().unwrap();
        client
            .change_message_visibility()
            .queue_url(&url)
            .receipt_handle(handle)
            .visibility_timeout(0)
            .send()
            .await
            .unwrap();
    }
    assert_eq!(bodies(&receive(&client, &url).await), ["1", "2"]);
}

// API: SQS SendMessage, MessageDeduplicationId
#[tokio::test(start_paused = true)]
async fn a_repeat_within_five_minutes_is_accepted_and_not_delivered() {
    let (world, client, url) = queue("q.fifo", &[FIFO]);
    let send = |id: &str| {
        client
            .send_message()
            .queue_url(&url)
            .message_body("a")
            .message_group_id("g")
            .message_deduplication_id(id)
            .send()
    };
    let first = send("1").await.unwrap();
    let repeat = send("1").await.unwrap();
    assert_eq!(
        (repeat.message_id(), repeat.sequence_number()),
        (first.message_id(), first.sequence_number())
    );
    let other = send("2").await.unwrap();
    assert!(other.sequence_number() > first.sequence_number());
    assert_eq!(first.sequence_number().unwrap().len(), 20);
    assert_eq!(world.queue("q.fifo").unwrap().counts.sent, 2);
    sleep(300 * SECOND).await;
    assert_ne!(send("1").await.unwrap().message_id(), first.message_id());
}

// API: SQS SetQueueAttributes, ContentBasedDeduplication, DeduplicationScope
#[tokio::test(start_paused = true)]
async fn content_stands_in_for_the_deduplication_id_per_queue_or_per_group() {
    for (scope, sent) in [("queue", 1), ("messageGroup", 2)] {
        let (world, client, url) = queue(
            "q.fifo",
            &[
                FIFO,
                ("ContentBasedDeduplication", "true"),
                ("DeduplicationScope", scope),
            ],
        );
        for group in ["a", "a", "b"] {
            client
                .send_message()
                .queue_url(&url)
                .message_body("abc")
                .message_group_id(group)
                .send()
                .await
                .unwrap();
        }
        assert_eq!(world.queue("q.fifo").unwrap().counts.sent, sent, "{scope}");
        let got = client
            .receive_message()
            .queue_url(&url)
            .message_system_attribute_names(System::All)
            .send()
            .await
            .unwrap();
        let attributes = got.messages()[0].attributes().unwrap();
        assert_eq!(
            attributes[&System::MessageDeduplicationId],
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(attributes[&System::MessageGroupId], "a");
        assert!(attributes.contains_key(&System::SequenceNumber));
    }
}

// API: SQS SendMessage, MessageGroupId, MessageDeduplicationId, DelaySeconds
#[tokio::test(start_paused = true)]
async fn a_fifo_send_without_its_parameters_is_refused() {
    let (_world, client, url) = queue("q.fifo", &[FIFO]);
    let send = client.send_message().queue_url(&url).message_body("a");
    for (request, code) in [
        (send.clone(), "MissingParameter"),
        (send.clone().message_group_id("g"), "InvalidParameterValue"),
        (
            send.message_group_id("g")
                .message_deduplication_id("d")
                .delay_seconds(1),
            "InvalidParameterValue",
        ),
    ] {
        assert_eq!(request.send().await.unwrap_err().code(), Some(code));
    }
}

// API: SQS DeleteMessage, FIFO
#[tokio::test(start_paused = true)]
async fn an_expired_handle_deletes_nothing() {
    let (world, client, url) = queue("q.fifo", &[FIFO, ("VisibilityTimeout", "5")]);
    world.send_to_group("q.fifo", "a", "1").unwrap();
    let handle = receive_one(&client, &url).await.receipt_handle.unwrap();
    let delete = || {
        client
            .delete_message()
            .queue_url(&url)
            .receipt_handle(&handle)
            .send()
    };
    sleep(5 * SECOND).await;
    let error = delete().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidParameterValue"));
    assert!(
        error
            .message()
            .unwrap()
            .ends_with("Reason: The receipt handle has expired.")
    );
    receive_one(&client, &url).await;
    assert!(delete().await.is_err());
    assert_eq!(world.queue("q.fifo").unwrap().counts.deleted, 0);
}

#[tokio::test(start_paused = true)]
async fn redrive_takes_the_poison_away_and_lets_the_group_go_on() {
    let world = World::new(1);
    let url = world
        .create_queue_with_dlq("q.fifo", 1, &[FIFO, ("VisibilityTimeout", "1")])
        .unwrap();
    let client = world.sqs_client();
    for body in ["poison", "good"] {
        world.send_to_group("q.fifo", "a", body).unwrap();
    }
    let one = client
        .receive_message()
        .queue_url(&url)
        .send()
        .await
        .unwrap();
    assert_eq!(bodies(one.messages()), ["poison"]);
    sleep(SECOND).await;
    assert_eq!(bodies(&receive(&client, &url).await), ["good"]);
    let dead = receive_one(&client, "q-dlq.fifo").await;
    assert_eq!(dead.body(), Some("poison"));
}

// API: SQS ReceiveMessage: a FIFO queue at its in-flight limit returns nothing, and no error
#[tokio::test(start_paused = true)]
async fn a_fifo_queue_with_too_much_in_flight_returns_nothing() {
    let world = World::with(Settings {
        in_flight_max: 1,
        ..Settings::default()
    });
    let (url, client) = (
        world.create_queue("q.fifo", &[FIFO]).unwrap(),
        world.sqs_client(),
    );
    world.send_to_group("q.fifo", "a", "1").unwrap();
    world.send_to_group("q.fifo", "b", "2").unwrap();
    assert_eq!(bodies(&receive(&client, &url).await), ["1"]);
    assert_eq!(receive(&client, &url).await, []);
}
