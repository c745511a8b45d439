//! Records of Kinesis: where they go, in which order they are read, and how much at once.

use aws_sdk_kinesis::{
    Client,
    error::ProvideErrorMetadata,
    operation::get_records::GetRecordsOutput,
    primitives::{Blob, DateTime},
    types::{PutRecordsRequestEntry, ShardIteratorType},
};
use sluicegate::sim::{Event, World};
use tokio::time::sleep;

use super::SECOND;

const SHARD: &str = "shardId-000000000000";

fn stream(shards: u32) -> (World, Client) {
    let world = World::new(1);
    world.create_stream("s", shards).unwrap();
    let client = world.kinesis_client();
    (world, client)
}

async fn iterator(client: &Client, kind: ShardIteratorType, number: Option<&str>) -> String {
    let get = client
        .get_shard_iterator()
        .stream_name("s")
        .shard_id(SHARD)
        .shard_iterator_type(kind);
    let got = get
        .set_starting_sequence_number(number.map(str::to_owned))
        .send()
        .await
        .unwrap();
    got.shard_iterator.unwrap()
}

async fn horizon(client: &Client) -> String {
    iterator(client, ShardIteratorType::TrimHorizon, None).await
}

async fn read(client: &Client, iterator: &str) -> GetRecordsOutput {
    client
        .get_records()
        .shard_iterator(iterator)
        .send()
        .await
        .unwrap()
}

fn data(output: &GetRecordsOutput) -> Vec<&str> {
    output
        .records()
        .iter()
        .map(|record| std::str::from_utf8(record.data().as_ref()).unwrap())
        .collect()
}

// API: PutRecord, PartitionKey, ExplicitHashKey
#[tokio::test(start_paused = true)]
async fn a_record_goes_to_the_shard_of_its_hash_key() {
    let (world, client) = stream(2);
    // md5("a") = 0cc1..., md5("b") = 92eb...
    for (key, explicit, shard) in [
        ("a", None, 0),
        ("b", None, 1),
        ("b", Some("0"), 0),
        ("a", Some("340282366920938463463374607431768211455"), 1),
    ] {
        let put = client
            .put_record()
            .stream_name("s")
            .partition_key(key)
            .data(Blob::new("x"));
        let put = put
            .set_explicit_hash_key(explicit.map(str::to_owned))
            .send()
            .await
            .unwrap();
        assert_eq!(
            put.shard_id(),
            format!("shardId-00000000000{shard}"),
            "{key} {explicit:?}"
        );
        assert_eq!(put.sequence_number().len(), 56);
        let told = world.history();
        let Event::RecordPut {
            sequence_number,
            partition_key,
            ..
        } = &told.last().unwrap().event
        else {
            panic!("{told:?}");
        };
        assert_eq!(
            (sequence_number.as_str(), partition_key.as_str()),
            (put.sequence_number(), key)
        );
    }
    for explicit in ["340282366920938463463374607431768211456", "-1", "01", ""] {
        let put = client
            .put_record()
            .stream_name("s")
            .partition_key("a")
            .data(Blob::new("x"))
            .explicit_hash_key(explicit);
        assert_eq!(
            put.send().await.unwrap_err().code(),
            Some("InvalidArgumentException"),
            "{explicit}"
        );
    }
}

// API: PutRecord, Data: 1 MiB unless the stream takes more; PartitionKey: 1 to 256 characters
#[tokio::test(start_paused = true)]
async fn records_keep_their_bounds() {
    let world = World::new(1);
    let client = world.kinesis_client();
    client
        .create_stream()
        .stream_name("s")
        .shard_count(1)
        .send()
        .await
        .unwrap();
    let put = |key: String, bytes: usize| {
        client
            .put_record()
            .stream_name("s")
            .partition_key(key)
            .data(Blob::new(vec![0; bytes]))
            .send()
    };
    put("k".to_owned(), 1024 * 1024 - 1).await.unwrap();
    put("é".repeat(256), 0).await.unwrap();
    for (key, bytes) in [
        ("k".to_owned(), 1024 * 1024),
        (String::new(), 1),
        ("é".repeat(257), 0),
    ] {
        let chars = key.chars().count();
        assert_eq!(
            put(key, bytes).await.unwrap_err().code(),
            Some("ValidationException"),
            "{chars} {bytes}"
        );
    }
    world.create_stream("large", 1).unwrap();
    world
        .put_record("large", "k", vec![0; 10 * 1024 * 1024 - 1])
        .unwrap();
    assert!(
        world
            .put_record("large", "k", vec![0; 10 * 1024 * 1024])
            .is_err()
    );
}

// API: PutRecords
#[tokio::test(start_paused = true)]
async fn many_records_are_put_and_answered_in_order() {
    let (world, client) = stream(2);
    let entry = |key: &str| {
        PutRecordsRequestEntry::builder()
            .partition_key(key)
            .data(Blob::new(key))
            .build()
            .unwrap()
    };
    let put = client
        .put_records()
        .stream_name("s")
        .set_records(Some(["a", "b", "a"].map(entry).to_vec()))
        .send()
        .await
        .unwrap();
    let shards: Vec<&str> = put
        .records()
        .iter()
        .map(|result| result.shard_id().unwrap())
        .collect();
    assert_eq!(
        shards,
        [
            "shardId-000000000000",
            "shardId-000000000001",
            "shardId-000000000000"
        ]
    );
    assert_eq!(put.failed_record_count(), Some(0));
    assert!(put.records()[0].sequence_number() < put.records()[2].sequence_number());
    assert_eq!(world.stream("s").unwrap().shards[0].records.len(), 2);
    let too_many = client
        .put_records()
        .stream_name("s")
        .set_records(Some(vec![entry("a"); 501]))
        .send()
        .await;
    assert_eq!(too_many.unwrap_err().code(), Some("ValidationException"));
}

// API: GetShardIterator, ShardIteratorType
#[tokio::test(start_paused = true)]
async fn an_iterator_begins_where_its_type_says() {
    let (world, client) = stream(1);
    let mut numbers = Vec::new();
    for n in 0..4 {
        numbers.push(world.put_record("s", "k", n.to_string()).unwrap().1);
        sleep(10 * SECOND).await;
    }
    let latest = iterator(&client, ShardIteratorType::Latest, None).await;
    for (kind, number, expected) in [
        (
            ShardIteratorType::TrimHorizon,
            None,
            vec!["0", "1", "2", "3"],
        ),
        (
            ShardIteratorType::AtSequenceNumber,
            Some(&numbers[1]),
            vec!["1", "2", "3"],
        ),
        (
            ShardIteratorType::AfterSequenceNumber,
            Some(&numbers[1]),
            vec!["2", "3"],
        ),
        (
            ShardIteratorType::AfterSequenceNumber,
            Some(&numbers[3]),
            vec![],
        ),
    ] {
        let at = iterator(&client, kind.clone(), number.map(String::as_str)).await;
        assert_eq!(
            data(&read(&client, &at).await),
            expected,
            "{kind} {number:?}"
        );
    }
    sleep(SECOND).await;
    for (seconds, expected) in [
        (0, vec!["0", "1", "2", "3"]),
        (10, vec!["1", "2", "3"]),
        (11, vec!["2", "3"]),
        (-99_999, vec!["0", "1", "2", "3"]),
    ] {
        let at = DateTime::from_secs(1_767_225_600 + seconds);
        let get = client
            .get_shard_iterator()
            .stream_arn(world.stream_arn("s"))
            .shard_id(SHARD);
        let got = get
            .shard_iterator_type(ShardIteratorType::AtTimestamp)
            .timestamp(at)
            .send()
            .await
            .unwrap();
        assert_eq!(
            data(&read(&client, &got.shard_iterator.unwrap()).await),
            expected,
            "{seconds}"
        );
    }
    sleep(SECOND).await;
    world.put_record("s", "k", "new").unwrap();
    assert_eq!(data(&read(&client, &latest).await), ["new"]);
}

// API: GetShardIterator, Errors
#[tokio::test(start_paused = true)]
async fn an_iterator_that_makes_no_sense_is_refused() {
    let (world, client) = stream(2);
    let (_, foreign) = world.put_record("s", "b", "x").unwrap();
    let get = |shard: &str, kind: ShardIteratorType, number: Option<&str>| {
        let get = client
            .get_shard_iterator()
            .stream_name("s")
            .shard_id(shard)
            .shard_iterator_type(kind);
        get.set_starting_sequence_number(number.map(str::to_owned))
            .send()
    };
    for (shard, kind, number, code) in [
        (
            SHARD,
            ShardIteratorType::AfterSequenceNumber,
            Some(foreign.as_str()),
            "InvalidArgumentException",
        ),
        (
            SHARD,
            ShardIteratorType::AfterSequenceNumber,
            Some("0"),
            "InvalidArgumentException",
        ),
        (
            SHARD,
            ShardIteratorType::AfterSequenceNumber,
            None,
            "InvalidArgumentException",
        ),
        (
            SHARD,
            ShardIteratorType::TrimHorizon,
            Some(foreign.as_str()),
            "InvalidArgumentException",
        ),
        (
            "shardId-000000000009",
            ShardIteratorType::Latest,
            None,
            "ResourceNotFoundException",
        ),
    ] {
        assert_eq!(
            get(shard, kind.clone(), number).await.unwrap_err().code(),
            Some(code),
            "{shard} {kind} {number:?}"
        );
    }
    let future = client
        .get_shard_iterator()
        .stream_name("s")
        .shard_id(SHARD)
        .shard_iterator_type(ShardIteratorType::AtTimestamp);
    let future = future
        .timestamp(DateTime::from_secs(1_767_225_600 + 99))
        .send()
        .await;
    assert_eq!(future.unwrap_err().code(), Some("InvalidArgumentException"));
    let nonsense = client
        .get_records()
        .shard_iterator("x")
        .send()
        .await
        .unwrap_err();
    assert_eq!(nonsense.code(), Some("InvalidArgumentException"));
    // The iterator of a stream is not good for another of the same name.
    let at = horizon(&client).await;
    client
        .delete_stream()
        .stream_name("s")
        .send()
        .await
        .unwrap();
    world.create_stream("s", 1).unwrap();
    let other = client
        .get_records()
        .shard_iterator(at)
        .send()
        .await
        .unwrap_err();
    assert_eq!(other.code(), Some("InvalidArgumentException"));
}

// API: GetRecords, Limit, MillisBehindLatest
#[tokio::test(start_paused = true)]
async fn a_shard_is_read_in_order_page_by_page_until_its_tip() {
    let (world, client) = stream(1);
    for n in 0..5 {
        world.put_record("s", "k", n.to_string()).unwrap();
        sleep(SECOND).await;
    }
    let mut at = horizon(&client).await;
    for (expected, behind) in [
        (vec!["0", "1"], true),
        (vec!["2", "3"], true),
        (vec!["4"], false),
        (vec![], false),
    ] {
        let page = client
            .get_records()
            .shard_iterator(&at)
            .limit(2)
            .send()
            .await
            .unwrap();
        assert_eq!(data(&page), expected);
        assert_eq!(
            page.millis_behind_latest().unwrap() > 0,
            behind,
            "{expected:?}"
        );
        at = page.next_shard_iterator.unwrap();
    }
    let told: Vec<_> = world
        .history()
        .into_iter()
        .filter_map(|entry| match entry.event {
            Event::RecordsRead { count, ended, .. } => Some((count, ended)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(2, false), (2, false), (1, false)]);
    for limit in [0, 10_001] {
        let error = client
            .get_records()
            .shard_iterator(&at)
            .limit(limit)
            .send()
            .await
            .unwrap_err();
        assert_eq!(error.code(), Some("InvalidArgumentException"), "{limit}");
    }
    let record = &read(&client, &horizon(&client).await).await.records[1];
    assert_eq!(
        (
            record.partition_key(),
            record.approximate_arrival_timestamp().unwrap().secs()
        ),
        (Some("k"), 1_767_225_601)
    );
}

// API: GetRecords, NextShardIterator, ChildShards
#[tokio::test(start_paused = true)]
async fn the_end_of_a_closed_shard_names_its_children() {
    let (world, client) = stream(1);
    world.put_record("s", "k", "1").unwrap();
    let at = horizon(&client).await;
    let children = world.split_shard("s", SHARD).unwrap();
    // A full page is not the end yet.
    let page = client
        .get_records()
        .shard_iterator(&at)
        .limit(1)
        .send()
        .await
        .unwrap();
    assert_eq!((data(&page), page.child_shards().len()), (vec!["1"], 0));
    let end = read(&client, page.next_shard_iterator().unwrap()).await;
    assert_eq!(
        (
            data(&end),
            end.next_shard_iterator(),
            end.millis_behind_latest()
        ),
        (vec![], None, Some(0))
    );
    let whole = read(&client, &at).await;
    assert_eq!(
        (data(&whole), whole.next_shard_iterator()),
        (vec!["1"], None)
    );
    let told: Vec<&str> = whole
        .child_shards()
        .iter()
        .map(|child| child.shard_id())
        .collect();
    assert_eq!(told, children);
    assert_eq!(whole.child_shards()[0].parent_shards(), [SHARD]);
    let latest = iterator(&client, ShardIteratorType::Latest, None).await;
    assert_eq!(read(&client, &latest).await.next_shard_iterator(), None);
    // When retention has taken the shard, it is not found.
    sleep(24 * 3600 * SECOND).await;
    let gone = client
        .get_shard_iterator()
        .stream_name("s")
        .shard_id(SHARD)
        .shard_iterator_type(ShardIteratorType::Latest);
    assert!(
        gone.send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_resource_not_found_exception()
    );
}

// API: GetRecords, ExpiredIteratorException
#[tokio::test(start_paused = true)]
async fn an_iterator_lives_five_minutes() {
    let (_world, client) = stream(1);
    let at = horizon(&client).await;
    sleep(299 * SECOND).await;
    let next = read(&client, &at).await.next_shard_iterator.unwrap();
    sleep(SECOND).await;
    let late = client
        .get_records()
        .shard_iterator(&at)
        .send()
        .await
        .unwrap_err();
    assert!(late.into_service_error().is_expired_iterator_exception());
    read(&client, &next).await;
}

// API: GetRecords, ProvisionedThroughputExceededException
#[tokio::test(start_paused = true)]
async fn a_shard_bears_five_reads_and_two_mebibytes_a_second() {
    let (world, client) = stream(2);
    let at = horizon(&client).await;
    for _ in 0..5 {
        read(&client, &at).await;
    }
    let sixth = client
        .get_records()
        .shard_iterator(&at)
        .send()
        .await
        .unwrap_err();
    assert!(
        sixth
            .into_service_error()
            .is_provisioned_throughput_exceeded_exception()
    );
    // The other shard has its own.
    let other = client
        .get_shard_iterator()
        .stream_name("s")
        .shard_id("shardId-000000000001");
    let other = other
        .shard_iterator_type(ShardIteratorType::Latest)
        .send()
        .await
        .unwrap();
    read(&client, &other.shard_iterator.unwrap()).await;

    for _ in 0..12 {
        world
            .put_record("s", "a", vec![0; 1024 * 1024 - 1])
            .unwrap();
    }
    sleep(SECOND).await;
    let page = read(&client, &at).await;
    assert_eq!(page.records().len(), 10);
    let next = page.next_shard_iterator.unwrap();
    sleep(4 * SECOND).await;
    assert!(
        client
            .get_records()
            .shard_iterator(&next)
            .send()
            .await
            .is_err()
    );
    sleep(SECOND).await;
    assert_eq!(read(&client, &next).await.records().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_reader_behind_the_trim_horizon_goes_on_with_the_oldest() {
    let (world, client) = stream(1);
    let numbers: Vec<String> = (0..3)
        .map(|n| world.put_record("s", "k", n.to_string()).unwrap().1)
        .collect();
    let (first, at) = (
        horizon(&client).await,
        iterator(
            &client,
            ShardIteratorType::AtSequenceNumber,
            Some(&numbers[0]),
        )
        .await,
    );
    world.trim_shard("s", SHARD, 2).unwrap();
    for at in [
        first,
        at,
        iterator(
            &client,
            ShardIteratorType::AfterSequenceNumber,
            Some(&numbers[0]),
        )
        .await,
    ] {
        assert_eq!(data(&read(&client, &at).await), ["2"]);
    }
}

// API: GetRecords, ApproximateArrivalTimestamp: seconds with a fraction, so that a reader must round to milliseconds
#[tokio::test(start_paused = true)]
async fn the_time_of_arrival_has_milliseconds() {
    let (world, client) = stream(1);
    for ms in [1, 122, 555] {
        sleep(std::time::Duration::from_millis(ms)).await;
        world.put_record("s", "k", "x").unwrap();
    }
    let page = read(&client, &horizon(&client).await).await;
    let arrived: Vec<f64> = page
        .records()
        .iter()
        .map(|record| {
            record
                .approximate_arrival_timestamp()
                .unwrap()
                .as_secs_f64()
        })
        .collect();
    for (arrived, ms) in arrived.into_iter().zip([1.0, 123.0, 678.0]) {
        assert_eq!((arrived * 1000.0).round(), 1_767_225_600_000.0 + ms);
    }
}
