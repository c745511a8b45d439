//! Kinesis streams as such: their shards, how they are listed, split, merged, scaled and trimmed; and their consumers.

use aws_sdk_kinesis::{
    Client,
    error::ProvideErrorMetadata,
    primitives::DateTime,
    types::{ScalingType, Shard, ShardFilter, ShardFilterType},
};
use sluicegate::sim::{Event, World};
use tokio::time::sleep;

use super::SECOND;

const HOUR: std::time::Duration = SECOND.saturating_mul(3600);

fn stream(shards: u32) -> (World, Client) {
    let world = World::new(1);
    world.create_stream("s", shards).unwrap();
    let client = world.kinesis_client();
    (world, client)
}

/// The last two digits of each.
fn ids(shards: &[Shard]) -> Vec<&str> {
    shards
        .iter()
        .map(|shard| shard.shard_id().trim_start_matches("shardId-0000000000"))
        .collect()
}

async fn listed(client: &Client, filter: Option<ShardFilter>) -> Vec<Shard> {
    let list = client
        .list_shards()
        .stream_name("s")
        .set_shard_filter(filter);
    list.send().await.unwrap().shards.unwrap_or_default()
}

fn filter(kind: ShardFilterType) -> aws_sdk_kinesis::types::builders::ShardFilterBuilder {
    ShardFilter::builder().r#type(kind)
}

// API: CreateStream, DescribeStream, DescribeStreamSummary, ListStreams, DeleteStream
#[tokio::test(start_paused = true)]
async fn a_stream_is_created_described_listed_and_deleted() {
    let world = World::new(1);
    let client = world.kinesis_client();
    for name in ["b", "a", "c"] {
        client
            .create_stream()
            .stream_name(name)
            .shard_count(2)
            .send()
            .await
            .unwrap();
    }
    let again = client
        .create_stream()
        .stream_name("a")
        .shard_count(1)
        .send()
        .await;
    assert!(
        again
            .unwrap_err()
            .into_service_error()
            .is_resource_in_use_exception()
    );

    let page = client.list_streams().limit(2).send().await.unwrap();
    assert_eq!(
        (page.stream_names(), page.has_more_streams()),
        (["a".to_owned(), "b".to_owned()].as_slice(), true)
    );
    let rest = client
        .list_streams()
        .set_next_token(page.next_token)
        .send()
        .await
        .unwrap();
    assert_eq!(rest.stream_names(), ["c"]);

    let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/a";
    let described = client
        .describe_stream()
        .stream_arn(arn)
        .send()
        .await
        .unwrap();
    let described = described.stream_description().unwrap();
    assert_eq!(
        (described.stream_name(), described.stream_arn()),
        ("a", arn)
    );
    assert_eq!(
        (
            described.stream_status().as_str(),
            described.retention_period_hours()
        ),
        ("ACTIVE", 24)
    );
    assert_eq!(described.stream_creation_timestamp().secs(), 1_767_225_600);
    let ranges: Vec<&str> = described
        .shards()
        .iter()
        .map(|shard| shard.hash_key_range().unwrap().starting_hash_key())
        .collect();
    assert_eq!(ranges, ["0", "170141183460469231731687303715884105728"]);

    let summary = client
        .describe_stream_summary()
        .stream_name("a")
        .send()
        .await
        .unwrap();
    assert_eq!(
        summary
            .stream_description_summary()
            .unwrap()
            .open_shard_count(),
        2
    );

    client
        .delete_stream()
        .stream_name("a")
        .send()
        .await
        .unwrap();
    let gone = client
        .describe_stream_summary()
        .stream_name("a")
        .send()
        .await
        .unwrap_err();
    assert!(gone.into_service_error().is_resource_not_found_exception());
}

// API: CreateStream, Request parameters
#[tokio::test(start_paused = true)]
async fn what_makes_no_stream_is_refused() {
    let world = World::new(1);
    let client = world.kinesis_client();
    for (name, shards, code) in [
        ("a/b", 1, "ValidationException"),
        ("s", 0, "InvalidArgumentException"),
        ("s", -1, "InvalidArgumentException"),
    ] {
        let error = client
            .create_stream()
            .stream_name(name)
            .shard_count(shards)
            .send()
            .await
            .unwrap_err();
        assert_eq!(error.code(), Some(code), "{name} {shards}");
    }
    let unnamed = client.list_shards().send().await.unwrap_err();
    assert_eq!(unnamed.code(), Some("InvalidArgumentException"));
    let other = client
        .list_shards()
        .stream_name("s")
        .stream_arn(world.stream_arn("t"))
        .send()
        .await;
    assert_eq!(other.unwrap_err().code(), Some("InvalidArgumentException"));
}

// API: SplitShard, ListShards
#[tokio::test(start_paused = true)]
async fn a_split_closes_the_parent_and_its_children_start_above_its_end() {
    let (world, client) = stream(1);
    world.put_record("s", "k", "1").unwrap();
    client
        .split_shard()
        .stream_name("s")
        .shard_to_split("shardId-000000000000")
        .new_starting_hash_key("100")
        .send()
        .await
        .unwrap();
    world.put_record("s", "k", "2").unwrap();
    let shards = listed(&client, None).await;
    assert_eq!(ids(&shards), ["00", "01", "02"]);
    let end = shards[0]
        .sequence_number_range()
        .unwrap()
        .ending_sequence_number()
        .unwrap();
    for (child, first, last) in [
        (1, "0", "99"),
        (2, "100", "340282366920938463463374607431768211455"),
    ] {
        let range = shards[child].hash_key_range().unwrap();
        assert_eq!(
            (range.starting_hash_key(), range.ending_hash_key()),
            (first, last)
        );
        assert_eq!(
            shards[child].parent_shard_id(),
            Some("shardId-000000000000")
        );
        let numbers = shards[child].sequence_number_range().unwrap();
        assert!(numbers.starting_sequence_number() > end);
        assert_eq!(numbers.ending_sequence_number(), None);
    }
    let view = world.stream("s").unwrap();
    let counts: Vec<usize> = view
        .shards
        .iter()
        .map(|shard| shard.records.len())
        .collect();
    assert_eq!(counts, [1, 0, 1]);
    let (first, second) = (&view.shards[0].records[0], &view.shards[2].records[0]);
    assert!(first.sequence_number.as_str() < end && end < second.sequence_number.as_str());

    for (shard, key, code) in [
        ("shardId-000000000000", "50", "InvalidArgumentException"),
        ("shardId-000000000001", "0", "InvalidArgumentException"),
        ("shardId-000000000001", "100", "InvalidArgumentException"),
        ("shardId-000000000001", "x", "InvalidArgumentException"),
        ("shardId-000000000009", "50", "ResourceNotFoundException"),
    ] {
        let split = client
            .split_shard()
            .stream_name("s")
            .shard_to_split(shard)
            .new_starting_hash_key(key);
        assert_eq!(
            split.send().await.unwrap_err().code(),
            Some(code),
            "{shard} {key}"
        );
    }
}

// API: MergeShards
#[tokio::test(start_paused = true)]
async fn neighbours_are_merged_into_one_with_two_parents() {
    let (world, client) = stream(3);
    let merge = |one: &str, other: &str| {
        client
            .merge_shards()
            .stream_name("s")
            .shard_to_merge(format!("shardId-00000000000{one}"))
            .adjacent_shard_to_merge(format!("shardId-00000000000{other}"))
            .send()
    };
    assert_eq!(
        merge("0", "2").await.unwrap_err().code(),
        Some("InvalidArgumentException")
    );
    merge("1", "0").await.unwrap();
    let shards = listed(
        &client,
        Some(filter(ShardFilterType::AtLatest).build().unwrap()),
    )
    .await;
    assert_eq!(ids(&shards), ["02", "03"]);
    assert_eq!(
        (
            shards[1].parent_shard_id(),
            shards[1].adjacent_parent_shard_id()
        ),
        (Some("shardId-000000000001"), Some("shardId-000000000000"))
    );
    assert_eq!(
        merge("1", "2").await.unwrap_err().code(),
        Some("InvalidArgumentException")
    );
    let told = world.history();
    assert!(
        matches!(&told[0].event, Event::Resharded { closed, opened, .. } if closed.len() == 2 && opened.len() == 1)
    );
}

// API: UpdateShardCount
#[tokio::test(start_paused = true)]
async fn a_stream_is_scaled_to_equal_shards_at_most_to_the_double_or_the_half() {
    let (world, client) = stream(2);
    let scale = |target| {
        client
            .update_shard_count()
            .stream_name("s")
            .target_shard_count(target)
            .scaling_type(ScalingType::UniformScaling)
            .send()
    };
    for target in [5, 0] {
        assert!(scale(target).await.is_err(), "{target}");
    }
    for target in [3, 6, 4, 2, 1] {
        let done = scale(target).await.unwrap();
        assert_eq!(done.target_shard_count(), Some(target));
        let mut open: Vec<_> = world.stream("s").unwrap().shards;
        open.retain(|shard| shard.open);
        open.sort_by_key(|shard| shard.hash_keys);
        assert_eq!(open.len(), usize::try_from(target).unwrap());
        assert_eq!(
            (open[0].hash_keys.first, open.last().unwrap().hash_keys.last),
            (0, u128::MAX)
        );
        assert!(
            open.windows(2)
                .all(|pair| pair[0].hash_keys.last + 1 == pair[1].hash_keys.first)
        );
    }
}

// API: ListShards, MaxResults, NextToken, ExclusiveStartShardId
#[tokio::test(start_paused = true)]
async fn shards_are_listed_page_by_page_and_the_token_lives_five_minutes() {
    let (_world, client) = stream(5);
    let page = client
        .list_shards()
        .stream_name("s")
        .max_results(2)
        .send()
        .await
        .unwrap();
    assert_eq!(ids(page.shards()), ["00", "01"]);
    let next = |token: &Option<String>| client.list_shards().set_next_token(token.clone());
    let second = next(&page.next_token).max_results(2).send().await.unwrap();
    assert_eq!(ids(second.shards()), ["02", "03"]);
    let third = next(&second.next_token).send().await.unwrap();
    assert_eq!(
        (ids(third.shards()), third.next_token()),
        (vec!["04"], None)
    );

    let both = next(&page.next_token)
        .stream_name("s")
        .send()
        .await
        .unwrap_err();
    assert_eq!(both.code(), Some("InvalidArgumentException"));
    let after = client
        .list_shards()
        .stream_name("s")
        .exclusive_start_shard_id("shardId-000000000003");
    assert_eq!(ids(after.send().await.unwrap().shards()), ["04"]);
    sleep(300 * SECOND).await;
    let late = next(&page.next_token).send().await.unwrap_err();
    assert!(late.into_service_error().is_expired_next_token_exception());
}

// API: ShardFilter
#[tokio::test(start_paused = true)]
async fn a_filter_lists_the_shards_of_a_time() {
    let (world, client) = stream(1);
    sleep(HOUR).await;
    world.split_shard("s", "shardId-000000000000").unwrap();
    sleep(HOUR).await;
    world
        .merge_shards("s", "shardId-000000000001", "shardId-000000000002")
        .unwrap();
    let at = |kind, hours: i64| {
        filter(kind)
            .timestamp(DateTime::from_secs(1_767_225_600 + hours * 3600 + 1800))
            .build()
            .unwrap()
    };
    let plain = |kind| filter(kind).build().unwrap();
    let after = filter(ShardFilterType::AfterShardId)
        .shard_id("shardId-000000000001")
        .build()
        .unwrap();
    for (filter, expected) in [
        (plain(ShardFilterType::AtLatest), vec!["03"]),
        (plain(ShardFilterType::AtTrimHorizon), vec!["00"]),
        (
            plain(ShardFilterType::FromTrimHorizon),
            vec!["00", "01", "02", "03"],
        ),
        (after, vec!["02", "03"]),
        (at(ShardFilterType::AtTimestamp, 0), vec!["00"]),
        (at(ShardFilterType::AtTimestamp, 1), vec!["01", "02"]),
        (at(ShardFilterType::AtTimestamp, 2), vec!["03"]),
        (
            at(ShardFilterType::FromTimestamp, 1),
            vec!["01", "02", "03"],
        ),
    ] {
        assert_eq!(
            ids(&listed(&client, Some(filter.clone())).await),
            expected,
            "{filter:?}"
        );
    }
    let lacking = client
        .list_shards()
        .stream_name("s")
        .shard_filter(plain(ShardFilterType::AtTimestamp));
    assert_eq!(
        lacking.send().await.unwrap_err().code(),
        Some("InvalidArgumentException")
    );
}

// API: IncreaseStreamRetentionPeriod, DecreaseStreamRetentionPeriod
#[tokio::test(start_paused = true)]
async fn retention_trims_records_and_then_the_closed_shards_that_held_them() {
    let (world, client) = stream(1);
    world.put_record("s", "k", "old").unwrap();
    sleep(10 * HOUR).await;
    world.split_shard("s", "shardId-000000000000").unwrap();
    sleep(14 * HOUR - SECOND).await;
    assert_eq!(world.stream("s").unwrap().shards[0].records.len(), 1);
    sleep(SECOND).await;
    assert_eq!(world.stream("s").unwrap().shards[0].records.len(), 0);
    assert!(matches!(
        &world.history().last().unwrap().event,
        Event::RecordsTrimmed { count: 1, .. }
    ));
    assert_eq!(ids(&listed(&client, None).await), ["00", "01", "02"]);
    sleep(10 * HOUR).await;
    let shards = listed(&client, None).await;
    assert_eq!(ids(&shards), ["01", "02"]);
    // The children still name the parent that is gone.
    assert_eq!(shards[0].parent_shard_id(), Some("shardId-000000000000"));

    let increase = client
        .increase_stream_retention_period()
        .stream_name("s")
        .retention_period_hours(48);
    increase.send().await.unwrap();
    world.put_record("s", "k", "kept").unwrap();
    sleep(47 * HOUR).await;
    let kept = || -> usize {
        world
            .stream("s")
            .unwrap()
            .shards
            .iter()
            .map(|shard| shard.records.len())
            .sum()
    };
    assert_eq!(kept(), 1);
    let decrease = |hours| {
        client
            .decrease_stream_retention_period()
            .stream_name("s")
            .retention_period_hours(hours)
            .send()
    };
    for hours in [23, 49] {
        assert_eq!(
            decrease(hours).await.unwrap_err().code(),
            Some("InvalidArgumentException"),
            "{hours}"
        );
    }
    decrease(24).await.unwrap();
    assert_eq!(kept(), 0);
}

// API: RegisterStreamConsumer, DescribeStreamConsumer, ListStreamConsumers, DeregisterStreamConsumer
#[tokio::test(start_paused = true)]
async fn consumers_are_registered_described_listed_and_deregistered() {
    let (world, client) = stream(1);
    let arn = world.stream_arn("s");
    let registered = client
        .register_stream_consumer()
        .stream_arn(&arn)
        .consumer_name("c")
        .send()
        .await
        .unwrap();
    let consumer = registered.consumer().unwrap();
    assert_eq!(
        consumer.consumer_arn(),
        format!("{arn}/consumer/c:1767225600")
    );
    assert_eq!(consumer.consumer_status().as_str(), "ACTIVE");
    let again = client
        .register_stream_consumer()
        .stream_arn(&arn)
        .consumer_name("c")
        .send()
        .await;
    assert!(
        again
            .unwrap_err()
            .into_service_error()
            .is_resource_in_use_exception()
    );

    let by_arn = client
        .describe_stream_consumer()
        .consumer_arn(consumer.consumer_arn())
        .send()
        .await
        .unwrap();
    assert_eq!(by_arn.consumer_description().unwrap().stream_arn(), arn);
    let by_name = client
        .describe_stream_consumer()
        .stream_arn(&arn)
        .consumer_name("c")
        .send()
        .await
        .unwrap();
    assert_eq!(
        by_name.consumer_description(),
        by_arn.consumer_description()
    );
    let elder = client
        .describe_stream_consumer()
        .consumer_arn(format!("{arn}/consumer/c:1"))
        .send()
        .await;
    assert!(
        elder
            .unwrap_err()
            .into_service_error()
            .is_resource_not_found_exception()
    );

    for n in 1..20 {
        world.register_consumer("s", &format!("c{n:02}")).unwrap();
    }
    let one_more = client
        .register_stream_consumer()
        .stream_arn(&arn)
        .consumer_name("z")
        .send()
        .await;
    assert!(
        one_more
            .unwrap_err()
            .into_service_error()
            .is_limit_exceeded_exception()
    );
    let page = client
        .list_stream_consumers()
        .stream_arn(&arn)
        .max_results(15)
        .send()
        .await
        .unwrap();
    let rest = client
        .list_stream_consumers()
        .stream_arn(&arn)
        .set_next_token(page.next_token.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            page.consumers().len(),
            rest.consumers().len(),
            rest.next_token()
        ),
        (15, 5, None)
    );

    assert!(
        client
            .delete_stream()
            .stream_name("s")
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_resource_in_use_exception()
    );
    client
        .deregister_stream_consumer()
        .consumer_arn(consumer.consumer_arn())
        .send()
        .await
        .unwrap();
    assert_eq!(world.stream("s").unwrap().consumers.len(), 19);
    client
        .delete_stream()
        .stream_name("s")
        .enforce_consumer_deletion(true)
        .send()
        .await
        .unwrap();
    assert_eq!(world.stream("s"), None);
}
