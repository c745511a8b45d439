//! SubscribeToShard: what a subscriber is sent, when its subscription ends, and how it breaks.

use std::time::Duration;

use aws_sdk_kinesis::{
    Client,
    error::SdkError,
    operation::subscribe_to_shard::{SubscribeToShardError, SubscribeToShardOutput},
    types::{ShardIteratorType, StartingPosition, SubscribeToShardEvent},
};
use aws_smithy_runtime_api::http::Response;
use sluicegate::sim::{Fault, KinesisOperation, Operation, World};
use tokio::time::{Instant, sleep, timeout};

use super::SECOND;

const SHARD: &str = "shardId-000000000000";
const SUBSCRIBE: Operation = Operation::Kinesis(KinesisOperation::SubscribeToShard);

fn stream() -> (World, Client, String) {
    let world = World::new(1);
    world.create_stream("s", 1).unwrap();
    let consumer = world.register_consumer("s", "c").unwrap();
    let client = world.kinesis_client();
    (world, client, consumer)
}

async fn subscribe(
    client: &Client,
    consumer: &str,
    kind: ShardIteratorType,
    number: Option<&str>,
) -> Result<SubscribeToShardOutput, SdkError<SubscribeToShardError, Response>> {
    let position = StartingPosition::builder()
        .r#type(kind)
        .set_sequence_number(number.map(str::to_owned))
        .build()
        .unwrap();
    let call = client
        .subscribe_to_shard()
        .consumer_arn(consumer)
        .shard_id(SHARD);
    call.starting_position(position).send().await
}

async fn from_horizon(client: &Client, consumer: &str) -> SubscribeToShardOutput {
    subscribe(client, consumer, ShardIteratorType::TrimHorizon, None)
        .await
        .unwrap()
}

/// The next event; none at the end.
async fn next(subscription: &mut SubscribeToShardOutput) -> Option<SubscribeToShardEvent> {
    let event = subscription.event_stream.recv().await.unwrap()?;
    Some(event.as_subscribe_to_shard_event().unwrap().clone())
}

fn data(event: &SubscribeToShardEvent) -> Vec<&str> {
    event
        .records()
        .iter()
        .map(|record| std::str::from_utf8(record.data().as_ref()).unwrap())
        .collect()
}

// API: SubscribeToShardEvent
#[tokio::test(start_paused = true)]
async fn records_are_pushed_when_they_come_and_the_continuation_resumes_without_loss() {
    let (world, client, consumer) = stream();
    world.put_record("s", "k", "1").unwrap();
    let mut subscription = from_horizon(&client, &consumer).await;
    assert_eq!(data(&next(&mut subscription).await.unwrap()), ["1"]);
    sleep(SECOND).await;
    let put = world.put_record("s", "k", "2").unwrap().1;
    let began = Instant::now();
    let event = next(&mut subscription).await.unwrap();
    assert_eq!(
        (
            data(&event),
            event.millis_behind_latest(),
            event.continuation_sequence_number()
        ),
        (vec!["2"], 0, put.as_str())
    );
    assert_eq!(began.elapsed(), Duration::ZERO);
    // Without records, an event comes all the same, and where it goes on is before what comes next.
    let beat = next(&mut subscription).await.unwrap();
    assert_eq!((data(&beat), began.elapsed().as_secs()), (vec![], 5));
    drop(subscription);
    world.put_record("s", "k", "3").unwrap();
    let number = Some(beat.continuation_sequence_number());
    let mut resumed = subscribe(
        &client,
        &consumer,
        ShardIteratorType::AfterSequenceNumber,
        number,
    )
    .await
    .unwrap();
    assert_eq!(data(&next(&mut resumed).await.unwrap()), ["3"]);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_to_the_latest_resumes_from_its_first_empty_event() {
    let (world, client, consumer) = stream();
    world.put_record("s", "k", "old").unwrap();
    let mut subscription = subscribe(&client, &consumer, ShardIteratorType::Latest, None)
        .await
        .unwrap();
    let first = next(&mut subscription).await.unwrap();
    assert_eq!(data(&first), Vec::<&str>::new());
    world.put_record("s", "k", "new").unwrap();
    sleep(5 * SECOND).await;
    let number = Some(first.continuation_sequence_number());
    let mut resumed = subscribe(
        &client,
        &consumer,
        ShardIteratorType::AfterSequenceNumber,
        number,
    )
    .await
    .unwrap();
    assert_eq!(data(&next(&mut resumed).await.unwrap()), ["new"]);
}

// API: SubscribeToShard: up to 5 minutes
#[tokio::test(start_paused = true)]
async fn a_subscription_lives_five_minutes() {
    let (_world, client, consumer) = stream();
    let began = Instant::now();
    let mut subscription = from_horizon(&client, &consumer).await;
    let mut events = 0;
    while next(&mut subscription).await.is_some() {
        events += 1;
    }
    assert_eq!((events, began.elapsed().as_secs()), (60, 300));
}

// API: SubscribeToShardEvent, ChildShards
#[tokio::test(start_paused = true)]
async fn the_last_event_of_a_closed_shard_names_its_children() {
    let (world, client, consumer) = stream();
    let mut subscription = from_horizon(&client, &consumer).await;
    assert_eq!(
        data(&next(&mut subscription).await.unwrap()),
        Vec::<&str>::new()
    );
    world.put_record("s", "k", "1").unwrap();
    let children = world.split_shard("s", SHARD).unwrap();
    let last = next(&mut subscription).await.unwrap();
    let told: Vec<&str> = last
        .child_shards()
        .iter()
        .map(|child| child.shard_id())
        .collect();
    assert_eq!(
        (data(&last), told),
        (vec!["1"], children.iter().map(String::as_str).collect())
    );
    assert_eq!(last.continuation_sequence_number(), "");
    assert_eq!(next(&mut subscription).await, None);
}

// API: SubscribeToShard, ResourceInUseException
#[tokio::test(start_paused = true)]
async fn a_second_subscription_takes_over_after_five_seconds_and_not_before() {
    let (world, client, consumer) = stream();
    let mut first = from_horizon(&client, &consumer).await;
    next(&mut first).await.unwrap();
    let early = subscribe(&client, &consumer, ShardIteratorType::Latest, None)
        .await
        .unwrap_err();
    assert!(early.into_service_error().is_resource_in_use_exception());
    // Another consumer has its own.
    let other = world.register_consumer("s", "d").unwrap();
    from_horizon(&client, &other).await;
    sleep(5 * SECOND).await;
    let mut second = from_horizon(&client, &consumer).await;
    let ended = first.event_stream.recv().await.unwrap_err();
    assert!(
        ended
            .as_service_error()
            .unwrap()
            .is_resource_in_use_exception()
    );
    next(&mut second).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_subscription_ends_with_its_consumer() {
    let (_world, client, consumer) = stream();
    let mut subscription = from_horizon(&client, &consumer).await;
    next(&mut subscription).await.unwrap();
    client
        .deregister_stream_consumer()
        .consumer_arn(&consumer)
        .send()
        .await
        .unwrap();
    let ended = subscription.event_stream.recv().await.unwrap_err();
    assert!(
        ended
            .as_service_error()
            .unwrap()
            .is_resource_not_found_exception()
    );
    let again = subscribe(&client, &consumer, ShardIteratorType::Latest, None)
        .await
        .unwrap_err();
    assert!(again.into_service_error().is_resource_not_found_exception());
}

// API: SubscribeToShard: 2 MiB per second and shard
#[tokio::test(start_paused = true)]
async fn events_come_no_faster_than_the_shard_gives() {
    let (world, client, consumer) = stream();
    for _ in 0..8 {
        world
            .put_record("s", "k", vec![0; 1024 * 1024 - 1])
            .unwrap();
    }
    let began = Instant::now();
    let mut subscription = from_horizon(&client, &consumer).await;
    for left in (0..8).rev() {
        let event = next(&mut subscription).await.unwrap();
        assert_eq!(
            (event.records().len(), event.millis_behind_latest() > 0),
            (1, left > 0)
        );
    }
    assert_eq!(began.elapsed().as_millis() / 100, 35);
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_events_can_break() {
    for (fault, first_arrives) in [
        (Fault::BrokenEventStream, false),
        (Fault::MalformedJson, false),
        (Fault::InvalidUtf8, false),
        (Fault::TruncatedBody, false),
        (Fault::Slow, true),
        (Fault::WrongContentType, true),
    ] {
        let (world, client, consumer) = stream();
        world.put_record("s", "k", "1").unwrap();
        world.fault_next(SUBSCRIBE, fault, 1);
        let came = match subscribe(&client, &consumer, ShardIteratorType::TrimHorizon, None).await {
            Ok(mut subscription) => subscription.event_stream.recv().await.is_ok(),
            Err(_) => false,
        };
        assert_eq!(came, first_arrives, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_events_can_fall_silent_after_its_first() {
    let (world, client, consumer) = stream();
    world.fault_next(SUBSCRIBE, Fault::SilentEventStream, 1);
    let mut subscription = from_horizon(&client, &consumer).await;
    next(&mut subscription).await.unwrap();
    world.put_record("s", "k", "1").unwrap();
    let silence = timeout(400 * SECOND, subscription.event_stream.recv()).await;
    assert!(silence.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_subscription_counts_although_its_events_broke() {
    let (world, client, consumer) = stream();
    world.fault_next(SUBSCRIBE, Fault::BrokenEventStream, 1);
    let mut broken = from_horizon(&client, &consumer).await;
    broken.event_stream.recv().await.unwrap_err();
    let early = subscribe(&client, &consumer, ShardIteratorType::TrimHorizon, None).await;
    assert!(
        early
            .unwrap_err()
            .into_service_error()
            .is_resource_in_use_exception()
    );
    sleep(5 * SECOND).await;
    next(&mut from_horizon(&client, &consumer).await)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_dead_get_no_more_events() {
    let (world, client, consumer) = stream();
    let mut subscription = from_horizon(&client, &consumer).await;
    next(&mut subscription).await.unwrap();
    let crash = world.crash_at(1);
    tokio::select! {
        biased;
        () = crash.notified() => {}
        _ = client.list_streams().send() => panic!("survived"),
    }
    world.put_record("s", "k", "1").unwrap();
    assert!(
        timeout(100 * SECOND, subscription.event_stream.recv())
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn the_events_of_a_run_repeat_to_the_byte() {
    async fn run(seed: u64) -> u64 {
        fastrand::seed(seed);
        let world = World::new(seed);
        world.create_stream("s", 1).unwrap();
        let consumer = world.register_consumer("s", "c").unwrap();
        let mut subscription = from_horizon(&world.kinesis_client(), &consumer).await;
        for n in 0..5 {
            world.put_record("s", "k", format!("{seed}{n}")).unwrap();
            next(&mut subscription).await.unwrap();
        }
        world.trace()
    }
    let first = run(7).await;
    assert_eq!(first, run(7).await);
    assert_ne!(first, run(8).await);
}
