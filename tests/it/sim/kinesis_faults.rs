//! Faults of Kinesis: its own, and the general ones in its form.

use aws_sdk_kinesis::{
    Client, error::ProvideErrorMetadata, primitives::Blob, types::ShardIteratorType,
};
use sluicegate::sim::{Event, Fault, KinesisOperation, Operation, World};
use tokio::time::sleep;

use super::SECOND;

const SHARD: &str = "shardId-000000000000";

fn stream(shards: u32, records: u32) -> (World, Client) {
    let world = World::new(1);
    world.create_stream("s", shards).unwrap();
    for n in 0..records {
        world.put_record("s", "k", n.to_string()).unwrap();
    }
    let client = world.kinesis_client();
    (world, client)
}

async fn horizon(client: &Client) -> String {
    let get = client.get_shard_iterator().stream_name("s").shard_id(SHARD);
    let got = get
        .shard_iterator_type(ShardIteratorType::TrimHorizon)
        .send()
        .await
        .unwrap();
    got.shard_iterator.unwrap()
}

fn next(world: &World, operation: KinesisOperation, fault: Fault) {
    world.fault_next(Operation::Kinesis(operation), fault, 1);
}

#[tokio::test(start_paused = true)]
async fn the_general_faults_look_as_kinesis_has_them() {
    let (world, client) = stream(1, 0);
    for (fault, code, put) in [
        (
            Fault::Throttled,
            Some("ProvisionedThroughputExceededException"),
            0,
        ),
        (Fault::InternalError, Some("InternalFailure"), 0),
        (Fault::Unavailable, Some("ServiceUnavailable"), 0),
        (Fault::AccessDenied, Some("AccessDeniedException"), 0),
        (Fault::ExpiredToken, Some("ExpiredTokenException"), 0),
        (Fault::BareUnavailable, None, 0),
        (Fault::ResetBefore, None, 0),
        (Fault::ResetAfter, None, 1),
        (Fault::TruncatedBody, None, 1),
        (Fault::MalformedJson, None, 1),
        (Fault::InvalidUtf8, None, 1),
    ] {
        let count = || world.stream("s").unwrap().shards[0].records.len();
        let before = count();
        next(&world, KinesisOperation::PutRecord, fault);
        let answer = client
            .put_record()
            .stream_name("s")
            .partition_key("k")
            .data(Blob::new("x"))
            .send()
            .await;
        assert_eq!(
            (answer.unwrap_err().code(), count() - before),
            (code, put),
            "{fault:?}"
        );
    }
    next(&world, KinesisOperation::ListShards, Fault::Throttled);
    let error = client
        .list_shards()
        .stream_name("s")
        .send()
        .await
        .unwrap_err();
    assert!(error.into_service_error().is_limit_exceeded_exception());
}

#[tokio::test(start_paused = true)]
async fn a_read_can_be_refused() {
    let (world, client) = stream(1, 1);
    let at = horizon(&client).await;
    let read = || client.get_records().shard_iterator(&at).send();
    next(&world, KinesisOperation::GetRecords, Fault::IteratorExpired);
    assert!(
        read()
            .await
            .unwrap_err()
            .into_service_error()
            .is_expired_iterator_exception()
    );
    next(&world, KinesisOperation::GetRecords, Fault::ReadThrottled);
    assert!(
        read()
            .await
            .unwrap_err()
            .into_service_error()
            .is_provisioned_throughput_exceeded_exception()
    );
    next(
        &world,
        KinesisOperation::GetShardIterator,
        Fault::ReadThrottled,
    );
    let get = client
        .get_shard_iterator()
        .stream_name("s")
        .shard_id(SHARD)
        .shard_iterator_type(ShardIteratorType::Latest);
    assert!(
        get.send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_provisioned_throughput_exceeded_exception()
    );
    assert_eq!(read().await.unwrap().records().len(), 1);
    assert_eq!(world.fault_counts().values().sum::<u64>(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_read_can_be_empty_though_it_is_behind() {
    let (world, client) = stream(1, 1);
    let at = horizon(&client).await;
    next(&world, KinesisOperation::GetRecords, Fault::EmptyRead);
    let empty = client
        .get_records()
        .shard_iterator(at)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (empty.records().len(), empty.millis_behind_latest()),
        (0, Some(1000))
    );
    let full = client
        .get_records()
        .shard_iterator(empty.next_shard_iterator.unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(full.records().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn records_can_be_trimmed_before_they_are_read() {
    let (world, client) = stream(1, 100);
    let numbers: Vec<String> = world.stream("s").unwrap().shards[0]
        .records
        .iter()
        .map(|r| r.sequence_number.clone())
        .collect();
    let at = horizon(&client).await;
    next(&world, KinesisOperation::GetRecords, Fault::TrimmedPosition);
    let rest = client
        .get_records()
        .shard_iterator(at)
        .send()
        .await
        .unwrap();
    let lost = 100 - rest.records().len();
    let told = world.history();
    let trimmed = told.iter().find_map(|entry| match &entry.event {
        Event::RecordsTrimmed { count, through, .. } => Some((*count, through)),
        _ => None,
    });
    assert_eq!(trimmed, Some((lost, &numbers[lost - 1])));

    next(
        &world,
        KinesisOperation::GetShardIterator,
        Fault::TrimmedPosition,
    );
    let after = || {
        let get = client
            .get_shard_iterator()
            .stream_name("s")
            .shard_id(SHARD)
            .starting_sequence_number(&numbers[0]);
        get.shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
            .send()
    };
    assert_eq!(
        after().await.unwrap_err().code(),
        Some("InvalidArgumentException")
    );
    after().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_listing_can_lack_the_newest_shards() {
    let (world, client) = stream(2, 0);
    let list = async || {
        let listed = client.list_shards().stream_name("s").send().await.unwrap();
        listed
            .shards()
            .iter()
            .map(|shard| shard.shard_id()[18..].to_owned())
            .collect::<Vec<String>>()
    };
    next(
        &world,
        KinesisOperation::ListShards,
        Fault::IncompleteListing,
    );
    assert_eq!(list().await, ["00"]);
    sleep(SECOND).await;
    world.split_shard("s", SHARD).unwrap();
    next(
        &world,
        KinesisOperation::ListShards,
        Fault::IncompleteListing,
    );
    assert_eq!(list().await, ["00", "01"]);
    assert_eq!(list().await, ["00", "01", "02", "03"]);
}

#[tokio::test(start_paused = true)]
async fn an_unread_answer_has_its_crash_points_as_any_other() {
    let (world, client) = stream(1, 1);
    let at = horizon(&client).await;
    let crash = world.crash_at(2);
    tokio::select! {
        biased;
        () = crash.notified() => {}
        _ = client.get_records().shard_iterator(&at).send() => panic!("survived"),
    }
    let point = world.last_crash().unwrap();
    assert_eq!(
        point.operation,
        Operation::Kinesis(KinesisOperation::GetRecords)
    );
    let reborn = world
        .kinesis_client()
        .get_records()
        .shard_iterator(at)
        .send()
        .await
        .unwrap();
    assert_eq!(reborn.records().len(), 1);
}
