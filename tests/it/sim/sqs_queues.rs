//! Queues as such: create, find, list, attributes, purge, delete.

use aws_sdk_sqs::{
    error::ProvideErrorMetadata,
    types::QueueAttributeName::{self as Name, All},
};
use sluicegate::sim::World;
use tokio::time::sleep;

use super::{SECOND, events, queue, receive};

// API: SQS CreateQueue
#[tokio::test(start_paused = true)]
async fn creating_a_queue_again_finds_it_unless_the_attributes_differ() {
    let (world, client, url) = queue("q", &[("VisibilityTimeout", "60")]);
    assert_eq!(url, "http://sqs.us-east-1.amazonaws.com/000000000000/q");
    let create = |seconds: &str| {
        client
            .create_queue()
            .queue_name("q")
            .attributes(Name::VisibilityTimeout, seconds)
            .send()
    };
    assert!(
        create("60")
            .await
            .unwrap()
            .queue_url()
            .unwrap()
            .ends_with("/000000000000/q")
    );
    assert!(
        create("61")
            .await
            .unwrap_err()
            .into_service_error()
            .is_queue_name_exists()
    );
    // A default counts as set.
    world.create_queue("plain", &[]).unwrap();
    assert!(
        world
            .create_queue("plain", &[("VisibilityTimeout", "30")])
            .is_ok()
    );
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_sqs_would_refuse_is_refused() {
    let world = World::new(1);
    let long = "x".repeat(81);
    for (name, attributes) in [
        ("", &[][..]),
        ("a b", &[]),
        (long.as_str(), &[]),
        ("q.fifo", &[]),
        ("q", &[("FifoQueue", "true")]),
        ("q", &[("VisibilityTimeout", "43201")]),
        ("q", &[("Nonsense", "1")]),
        (
            "q",
            &[(
                "RedrivePolicy",
                r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:none","maxReceiveCount":3}"#,
            )],
        ),
    ] {
        assert!(
            world.create_queue(name, attributes).is_err(),
            "{name} {attributes:?}"
        );
    }
}

// API: SQS GetQueueUrl, ListQueues
#[tokio::test(start_paused = true)]
async fn queues_are_found_by_name_and_by_prefix() {
    let (world, client, url) = queue("orders", &[]);
    for name in ["orders-dlq", "payments"] {
        world.create_queue(name, &[]).unwrap();
    }
    let found = client
        .get_queue_url()
        .queue_name("orders")
        .queue_owner_aws_account_id("123456789012")
        .send()
        .await
        .unwrap();
    assert_eq!(found.queue_url(), Some(url.as_str()));
    assert!(
        client
            .get_queue_url()
            .queue_name("none")
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_queue_does_not_exist()
    );
    let list = client
        .list_queues()
        .queue_name_prefix("orders")
        .send()
        .await
        .unwrap();
    assert_eq!(list.queue_urls().len(), 2);
    let page = client.list_queues().max_results(2).send().await.unwrap();
    let rest = client
        .list_queues()
        .max_results(2)
        .set_next_token(page.next_token)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            page.queue_urls.unwrap().len(),
            rest.queue_urls.unwrap().len(),
            rest.next_token
        ),
        (2, 1, None)
    );
}

// API: SQS GetQueueAttributes, SetQueueAttributes
#[tokio::test(start_paused = true)]
async fn attributes_tell_of_settings_and_of_messages() {
    let (world, client, url) = queue("q", &[("VisibilityTimeout", "60")]);
    world.send("q", "visible").unwrap();
    world.send("q", "visible").unwrap();
    world.send("q", "in flight").unwrap();
    client
        .receive_message()
        .queue_url(&url)
        .send()
        .await
        .unwrap();
    client
        .send_message()
        .queue_url(&url)
        .message_body("delayed")
        .delay_seconds(5)
        .send()
        .await
        .unwrap();

    let get = || client.get_queue_attributes().queue_url(&url);
    let all = get()
        .attribute_names(All)
        .send()
        .await
        .unwrap()
        .attributes
        .unwrap();
    for (name, value) in [
        (Name::ApproximateNumberOfMessages, "2"),
        (Name::ApproximateNumberOfMessagesNotVisible, "1"),
        (Name::ApproximateNumberOfMessagesDelayed, "1"),
        (Name::VisibilityTimeout, "60"),
        (Name::QueueArn, "arn:aws:sqs:us-east-1:000000000000:q"),
        (Name::MaximumMessageSize, "1048576"),
        (Name::MessageRetentionPeriod, "345600"),
        (Name::ReceiveMessageWaitTimeSeconds, "0"),
        (Name::CreatedTimestamp, "1767225600"),
    ] {
        assert_eq!(all.get(&name).map(String::as_str), Some(value), "{name}");
    }
    assert!(!all.contains_key(&Name::FifoQueue) && !all.contains_key(&Name::RedrivePolicy));

    client
        .set_queue_attributes()
        .queue_url(&url)
        .attributes(Name::VisibilityTimeout, "5")
        .send()
        .await
        .unwrap();
    let one = get()
        .attribute_names(Name::VisibilityTimeout)
        .attribute_names(Name::FifoQueue)
        .send()
        .await
        .unwrap()
        .attributes
        .unwrap();
    assert_eq!(
        (one.len(), one[&Name::VisibilityTimeout].as_str()),
        (1, "5")
    );
    assert_eq!(
        get()
            .attribute_names("Nonsense".into())
            .send()
            .await
            .unwrap_err()
            .code(),
        Some("InvalidAttributeName")
    );
    assert!(
        client
            .set_queue_attributes()
            .queue_url(&url)
            .attributes(Name::FifoQueue, "true")
            .send()
            .await
            .is_err()
    );
}

// API: SQS PurgeQueue
#[tokio::test(start_paused = true)]
async fn a_purge_takes_everything_and_may_not_follow_another_within_a_minute() {
    let (world, client, url) = queue("q", &[]);
    world.send("q", "a").unwrap();
    world.send("q", "b").unwrap();
    client
        .receive_message()
        .queue_url(&url)
        .send()
        .await
        .unwrap();
    client.purge_queue().queue_url(&url).send().await.unwrap();
    let view = world.queue("q").unwrap();
    assert_eq!(
        (view.visible, view.in_flight, view.counts.purged),
        (0, 0, 2)
    );
    let purge = || client.purge_queue().queue_url(&url).send();
    assert!(
        purge()
            .await
            .unwrap_err()
            .into_service_error()
            .is_purge_queue_in_progress()
    );
    sleep(60 * SECOND).await;
    assert!(purge().await.is_ok());
    assert_eq!(
        events(&world),
        ["sent", "sent", "received", "purged", "purged"]
    );
}

// API: SQS DeleteQueue; CreateQueue, QueueDeletedRecently
#[tokio::test(start_paused = true)]
async fn a_deleted_queue_is_gone_also_for_a_waiting_poll_and_its_name_stays_taken_for_a_minute() {
    let (world, client, url) = queue("q", &[]);
    let poll = client
        .receive_message()
        .queue_url(&url)
        .wait_time_seconds(20)
        .send();
    let (polled, ()) = tokio::join!(poll, async {
        sleep(SECOND).await;
        client.delete_queue().queue_url(&url).send().await.unwrap();
    });
    assert!(
        polled
            .unwrap_err()
            .into_service_error()
            .is_queue_does_not_exist()
    );
    assert!(world.clock().elapsed() < 2 * SECOND);
    assert_eq!(world.queue("q"), None);
    assert!(
        client
            .create_queue()
            .queue_name("q")
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_queue_deleted_recently()
    );
    sleep(60 * SECOND).await;
    assert!(client.create_queue().queue_name("q").send().await.is_ok());
    assert_eq!(receive(&client, &url).await, []);
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_is_not_there_is_refused() {
    let (_world, client, url) = queue("q", &[]);
    let error = client
        .list_queue_tags()
        .queue_url(&url)
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("InvalidAction"));
}
