//! DynamoDB Streams by the real client: shards and their lineage, iterators, records, limits and faults.

use std::time::Duration;

use aws_sdk_dynamodbstreams::{
    Client,
    error::ProvideErrorMetadata,
    primitives::DateTime,
    types::{
        AttributeValue, OperationType, Record, Shard, ShardFilter, ShardFilterType,
        ShardIteratorType, StreamStatus,
    },
};
use serde_json::json;
use sluicegate::sim::{Event, Fault, Operation, World, dynamodb::ViewType};
use tokio::time::sleep;

use super::SECOND;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// A table with a stream, a client, and the stream's ARN.
fn table(view: ViewType) -> (World, Client, String) {
    let world = World::new(1);
    let arn = world.create_table("orders", "id", view).unwrap();
    let client = world.dynamodbstreams_client();
    (world, client, arn)
}

fn put(world: &World, id: &str, n: u32) -> Option<String> {
    let item = json!({ "id": { "S": id }, "n": { "N": n.to_string() } });
    world.put_item("orders", &item).unwrap()
}

async fn shards(client: &Client, arn: &str) -> Vec<Shard> {
    let described = client.describe_stream().stream_arn(arn).send().await;
    described
        .unwrap()
        .stream_description
        .unwrap()
        .shards
        .unwrap()
}

async fn shard(client: &Client, arn: &str) -> String {
    let mut shards = shards(client, arn).await;
    assert_eq!(shards.len(), 1);
    shards.remove(0).shard_id.unwrap()
}

/// The iterator, or the code of the error.
async fn iterator(
    client: &Client,
    (arn, shard): (&str, &str),
    kind: ShardIteratorType,
    number: Option<&str>,
) -> Result<String, String> {
    let request = client
        .get_shard_iterator()
        .stream_arn(arn)
        .shard_id(shard)
        .shard_iterator_type(kind)
        .set_sequence_number(number.map(str::to_owned));
    match request.send().await {
        Ok(output) => Ok(output.shard_iterator.unwrap()),
        Err(error) => Err(error.code().unwrap().to_owned()),
    }
}

/// The records and the next iterator, or the code of the error.
async fn read(client: &Client, iterator: &str) -> Result<(Vec<Record>, Option<String>), String> {
    match client.get_records().shard_iterator(iterator).send().await {
        Ok(output) => Ok((output.records.unwrap(), output.next_shard_iterator)),
        Err(error) => Err(error.code().unwrap().to_owned()),
    }
}

fn number(record: &Record) -> &str {
    record.dynamodb().unwrap().sequence_number().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_record_shows_what_its_view_type_asks_for() {
    for (view, new, old, bytes) in [
        (ViewType::KeysOnly, false, false, 3),
        (ViewType::NewImage, true, false, 9),
        (ViewType::OldImage, false, true, 9),
        (ViewType::NewAndOldImages, true, true, 15),
    ] {
        let (world, client, arn) = table(view);
        put(&world, "a", 1);
        sleep(SECOND / 2 * 3).await;
        let changed = put(&world, "a", 2).unwrap();
        let shard = shard(&client, &arn).await;
        let kind = ShardIteratorType::AtSequenceNumber;
        let at = iterator(&client, (&arn, &shard), kind, Some(&changed)).await;
        let (records, next) = read(&client, &at.unwrap()).await.unwrap();
        assert!(records.len() == 1 && next.is_some());
        let record = &records[0];
        assert_eq!(record.event_id().unwrap().len(), 32);
        assert_eq!(record.event_name(), Some(&OperationType::Modify));
        assert_eq!(record.event_version(), Some("1.1"));
        assert_eq!(record.event_source(), Some("aws:dynamodb"));
        assert_eq!(record.aws_region(), Some("us-east-1"));
        assert_eq!(record.user_identity(), None);
        let change = record.dynamodb().unwrap();
        assert_eq!(change.sequence_number(), Some(changed.as_str()));
        // spec: 2.3, whole seconds
        let created = DateTime::from_secs(1_767_225_601);
        assert_eq!(change.approximate_creation_date_time(), Some(&created));
        assert_eq!(change.keys().unwrap()["id"], AttributeValue::S("a".into()));
        let expected = |shown: bool, value: &str| shown.then(|| AttributeValue::N(value.into()));
        assert_eq!(
            change.new_image().map(|image| image["n"].clone()),
            expected(new, "2"),
            "{view:?}"
        );
        assert_eq!(
            change.old_image().map(|image| image["n"].clone()),
            expected(old, "1"),
            "{view:?}"
        );
        assert_eq!(change.size_bytes(), Some(bytes), "{view:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_whose_time_ran_out_is_deleted_by_the_service() {
    let (world, client, arn) = table(ViewType::NewAndOldImages);
    let key = json!({ "id": { "S": "a" } });
    assert_eq!(world.expire_item("orders", &key).unwrap(), None);
    put(&world, "a", 1);
    world.expire_item("orders", &key).unwrap().unwrap();
    put(&world, "a", 1);
    world.delete_item("orders", &key).unwrap().unwrap();
    let shard = shard(&client, &arn).await;
    let kind = ShardIteratorType::TrimHorizon;
    let at = iterator(&client, (&arn, &shard), kind, None).await.unwrap();
    let (records, _) = read(&client, &at).await.unwrap();
    let identity = |record: &Record| {
        let identity = record.user_identity()?;
        Some((
            identity.r#type()?.to_owned(),
            identity.principal_id()?.to_owned(),
        ))
    };
    let service = ("Service".to_owned(), "dynamodb.amazonaws.com".to_owned());
    assert_eq!(
        records.iter().map(identity).collect::<Vec<_>>(),
        [None, Some(service), None, None]
    );
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_iterator_begins_where_it_says() {
    let (world, client, arn) = table(ViewType::KeysOnly);
    let numbers: Vec<String> = (0..4)
        .map(|n| put(&world, &n.to_string(), 0).unwrap())
        .collect();
    let shard = shard(&client, &arn).await;
    for (kind, given, first) in [
        (ShardIteratorType::TrimHorizon, None, 0),
        (
            ShardIteratorType::AtSequenceNumber,
            Some(numbers[2].as_str()),
            2,
        ),
        (ShardIteratorType::AfterSequenceNumber, Some(&numbers[2]), 3),
        (ShardIteratorType::AfterSequenceNumber, Some(&numbers[3]), 4),
        (ShardIteratorType::Latest, None, 4),
    ] {
        sleep(SECOND).await;
        let at = iterator(&client, (&arn, &shard), kind.clone(), given).await;
        let (records, next) = read(&client, &at.unwrap()).await.unwrap();
        let came: Vec<&str> = records.iter().map(number).collect();
        assert_eq!(came, numbers[first..], "{kind} {given:?}");
        assert!(next.is_some());
    }
    let at = iterator(&client, (&arn, &shard), ShardIteratorType::Latest, None).await;
    let fifth = put(&world, "5", 0).unwrap();
    sleep(SECOND).await;
    let (records, next) = read(&client, &at.unwrap()).await.unwrap();
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), [fifth]);
    sleep(SECOND).await;
    assert_eq!(read(&client, &next.unwrap()).await.unwrap().0, []);
}

#[tokio::test(start_paused = true)]
async fn a_position_that_is_none_of_the_shard_is_refused() {
    let (world, client, arn) = table(ViewType::KeysOnly);
    put(&world, "a", 1);
    let shard = shard(&client, &arn).await;
    let kind = ShardIteratorType::AtSequenceNumber;
    for given in [None, Some("1"), Some("x"), Some(&*"9".repeat(38))] {
        let refused = iterator(&client, (&arn, &shard), kind.clone(), given).await;
        assert_eq!(refused, Err("ValidationException".to_owned()), "{given:?}");
    }
    let kind = ShardIteratorType::TrimHorizon;
    let gone = Err("ResourceNotFoundException".to_owned());
    for place in [(arn.as_str(), "shardId-x"), ("arn:aws:dynamodb:x", &shard)] {
        assert_eq!(iterator(&client, place, kind.clone(), None).await, gone);
    }
    assert_eq!(
        read(&client, "nonsense").await.unwrap_err(),
        "ValidationException"
    );
}

#[tokio::test(start_paused = true)]
async fn an_iterator_at_a_time_begins_with_the_first_record_of_that_second() {
    let (world, client, arn) = table(ViewType::KeysOnly);
    let numbers: Vec<String> = {
        let mut numbers = Vec::new();
        for n in 0..3 {
            numbers.push(put(&world, &n.to_string(), 0).unwrap());
            sleep(10 * SECOND).await;
        }
        numbers
    };
    let shard = shard(&client, &arn).await;
    for (seconds, first) in [(0, 0), (1, 1), (10, 1), (11, 2), (25, 3)] {
        let got = client
            .get_shard_iterator()
            .stream_arn(&arn)
            .shard_id(&shard)
            .shard_iterator_type(ShardIteratorType::AtTimestamp)
            .timestamp(DateTime::from_secs(1_767_225_600 + seconds))
            .send()
            .await
            .unwrap();
        sleep(SECOND).await;
        let (records, _) = read(&client, got.shard_iterator().unwrap()).await.unwrap();
        let came: Vec<&str> = records.iter().map(number).collect();
        assert_eq!(came, numbers[first..], "{seconds}");
    }
    let future = client
        .get_shard_iterator()
        .stream_arn(&arn)
        .shard_id(&shard)
        .shard_iterator_type(ShardIteratorType::AtTimestamp)
        .timestamp(DateTime::from_secs(1_767_225_600 + 3600));
    let refused = future.send().await.unwrap_err();
    assert_eq!(refused.code(), Some("ValidationException"));
}

#[tokio::test(start_paused = true)]
async fn a_read_is_bounded_by_its_limit_and_by_a_thousand_records_and_a_megabyte() {
    let (world, client, arn) = table(ViewType::NewImage);
    for n in 0..1001 {
        put(&world, &n.to_string(), 0);
    }
    for id in ["x", "y", "z"] {
        let item = json!({ "id": { "S": id }, "b": { "S": "b".repeat(400_000) } });
        world.put_item("orders", &item).unwrap();
    }
    let shard = shard(&client, &arn).await;
    let kind = ShardIteratorType::TrimHorizon;
    let mut at = iterator(&client, (&arn, &shard), kind, None).await.ok();
    for count in [1000, 3, 1, 0] {
        let (records, next) = read(&client, &at.unwrap()).await.unwrap();
        assert_eq!(records.len(), count);
        at = next;
        sleep(SECOND).await;
    }
    let kind = ShardIteratorType::TrimHorizon;
    let at = iterator(&client, (&arn, &shard), kind, None).await.unwrap();
    let few = client.get_records().shard_iterator(&at).limit(7).send();
    assert_eq!(few.await.unwrap().records().len(), 7);
    let many = client.get_records().shard_iterator(&at).limit(1001).send();
    assert_eq!(many.await.unwrap_err().code(), Some("ValidationException"));
}

#[tokio::test(start_paused = true)]
async fn shards_roll_over_every_four_hours_and_end_with_no_iterator() {
    let (world, client, arn) = table(ViewType::KeysOnly);
    let first = put(&world, "a", 1).unwrap();
    sleep(9 * HOUR).await;
    let last = put(&world, "a", 2).unwrap();
    let listed = shards(&client, &arn).await;
    let parents: Vec<_> = listed.iter().map(Shard::parent_shard_id).collect();
    let ids: Vec<_> = listed.iter().map(Shard::shard_id).collect();
    assert_eq!(parents, [None, ids[0], ids[1]]);
    assert!(ids[0].unwrap().starts_with("shardId-00000001767225600000-"));
    // Without traffic it was at its own time, to the hour.
    assert!(ids[1].unwrap().starts_with("shardId-00000001767240000000-"));
    assert!(ids[2].unwrap().starts_with("shardId-00000001767254400000-"));
    let ends = listed.iter().map(|shard| {
        let range = shard.sequence_number_range().unwrap();
        let of = |text: &str| text.parse::<u128>().unwrap();
        (
            of(range.starting_sequence_number().unwrap()),
            range.ending_sequence_number().map(of),
        )
    });
    let mut lowest = 0;
    for (n, (start, end)) in ends.enumerate() {
        assert!(start > lowest && (21..=40).contains(&start.to_string().len()));
        lowest = end.unwrap_or(start);
        assert_eq!(end.is_none(), n == 2);
    }
    for (n, expected) in [vec![first], vec![], vec![last]].into_iter().enumerate() {
        let kind = ShardIteratorType::TrimHorizon;
        let at = iterator(&client, (&arn, ids[n].unwrap()), kind, None).await;
        let (records, next) = read(&client, &at.unwrap()).await.unwrap();
        assert_eq!(records.iter().map(number).collect::<Vec<_>>(), expected);
        assert_eq!(next.is_some(), n == 2, "shard {n}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_is_closed_while_it_is_read_ends_too() {
    let (world, client, arn) = table(ViewType::KeysOnly);
    let shard = shard(&client, &arn).await;
    let kind = ShardIteratorType::Latest;
    let at = iterator(&client, (&arn, &shard), kind, None).await.unwrap();
    let next = read(&client, &at).await.unwrap().1.unwrap();
    let child = world.roll_shards("orders").unwrap();
    put(&world, "a", 1);
    assert_eq!(read(&client, &next).await, Ok((vec![], None)));
    let view = world.table("orders").unwrap();
    let open: Vec<_> = view.shards.iter().map(|shard| shard.open).collect();
    assert_eq!(open, [false, true]);
    assert_eq!(
        (&view.shards[1].id, view.shards[1].records.len()),
        (&child[0], 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_partition_keeps_its_keys_and_a_split_parts_them() {
    let world = World::new(1);
    let arn = world
        .create_partitioned_table("orders", "id", ViewType::KeysOnly, 2)
        .unwrap();
    let client = world.dynamodbstreams_client();
    let write = |round: u32| {
        for key in 0..40 {
            put(&world, &key.to_string(), round);
        }
    };
    let of_key = |since: usize| {
        let mut places: Vec<(String, String)> = world
            .history()
            .into_iter()
            .skip(since)
            .filter_map(|entry| match entry.event {
                Event::Streamed { shard, keys, .. } => Some((keys, shard)),
                _ => None,
            })
            .collect();
        places.sort();
        places
    };
    write(1);
    let before = of_key(0);
    write(2);
    assert_eq!(of_key(40), before);
    let ids: Vec<String> = world
        .table("orders")
        .unwrap()
        .shards
        .into_iter()
        .map(|shard| shard.id)
        .collect();
    assert!(
        ids.iter()
            .all(|id| before.iter().any(|(_, shard)| shard == id))
    );
    let children = world.split_partition("orders", &ids[0]).unwrap();
    assert!(world.split_partition("orders", &ids[0]).is_err());
    write(3);
    let after = of_key(80);
    for ((key, shard), (_, then)) in before.iter().zip(&after) {
        let stays = shard == then;
        assert_eq!(stays, *shard == ids[1], "{key}");
        assert!(stays || children.contains(then), "{key}");
    }
    assert!(
        children
            .iter()
            .all(|id| after.iter().any(|(_, shard)| shard == id))
    );
    let filter = ShardFilter::builder()
        .r#type(ShardFilterType::ChildShards)
        .shard_id(&ids[0])
        .build();
    let request = client
        .describe_stream()
        .stream_arn(&arn)
        .shard_filter(filter);
    let listed = request.send().await.unwrap().stream_description.unwrap();
    let mut listed: Vec<_> = listed
        .shards()
        .iter()
        .map(|s| s.shard_id().unwrap())
        .collect();
    listed.sort_unstable();
    let mut expected: Vec<&str> = children.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(listed, expected);
    // A stream that begins later has a shard for each of the three partitions.
    world.set_table_stream("orders", None).unwrap();
    world
        .set_table_stream("orders", Some(ViewType::KeysOnly))
        .unwrap();
    assert_eq!(world.table("orders").unwrap().shards.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn after_a_day_records_are_trimmed_and_then_their_shards() {
    let (world, client, arn) = table(ViewType::KeysOnly);
    let early = put(&world, "a", 1).unwrap();
    sleep(HOUR).await;
    let late = put(&world, "a", 2).unwrap();
    let parent = shard(&client, &arn).await;
    sleep(22 * HOUR + HOUR / 2).await;
    let place = (arn.as_str(), parent.as_str());
    let horizon = ShardIteratorType::TrimHorizon;
    let early_on = iterator(&client, place, horizon.clone(), None)
        .await
        .unwrap();
    // The iterator is ten minutes old when its first record is trimmed.
    let before = client
        .get_records()
        .shard_iterator(&early_on)
        .limit(1)
        .send()
        .await
        .unwrap();
    assert_eq!(number(&before.records()[0]), early);
    sleep(HOUR / 2 - SECOND).await;
    let stale = iterator(&client, place, horizon.clone(), None)
        .await
        .unwrap();
    sleep(2 * SECOND).await;
    let refusal = "TrimmedDataAccessException".to_owned();
    assert_eq!(read(&client, &stale).await, Err(refusal.clone()));
    for kind in [
        ShardIteratorType::AtSequenceNumber,
        ShardIteratorType::AfterSequenceNumber,
    ] {
        let refused = iterator(&client, place, kind, Some(&early)).await;
        assert_eq!(refused, Err(refusal.clone()));
    }
    let at = iterator(&client, place, horizon.clone(), None)
        .await
        .unwrap();
    let (records, next) = read(&client, &at).await.unwrap();
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), [&late]);
    assert_eq!(next, None);
    // The shard was closed after four hours: a day later it is gone, and its child still names it.
    sleep(4 * HOUR).await;
    let gone = iterator(&client, place, horizon, None).await;
    assert_eq!(gone, Err("ResourceNotFoundException".to_owned()));
    let listed = shards(&client, &arn).await;
    assert_eq!(listed[0].parent_shard_id(), Some(parent.as_str()));
    assert!(listed.iter().all(|shard| shard.shard_id() != Some(&parent)));
    assert_eq!(listed.len(), 7);
    assert_eq!(trimmed(&world), [(1, early), (1, late)]);
}

#[tokio::test(start_paused = true)]
async fn an_iterator_expires_after_a_quarter_of_an_hour() {
    let (_, client, arn) = table(ViewType::KeysOnly);
    let shard = shard(&client, &arn).await;
    let kind = ShardIteratorType::Latest;
    let at = iterator(&client, (&arn, &shard), kind, None).await.unwrap();
    sleep(HOUR / 4 - SECOND).await;
    let next = read(&client, &at).await.unwrap().1.unwrap();
    sleep(2 * SECOND).await;
    let expired = Err("ExpiredIteratorException".to_owned());
    assert_eq!(read(&client, &at).await, expired);
    assert!(read(&client, &next).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_third_reader_and_a_fast_one_are_refused() {
    let (_, client, arn) = table(ViewType::KeysOnly);
    let shard = shard(&client, &arn).await;
    let mut readers = Vec::new();
    for _ in 0..3 {
        let kind = ShardIteratorType::TrimHorizon;
        readers.push(iterator(&client, (&arn, &shard), kind, None).await.unwrap());
    }
    let limited = Err("LimitExceededException".to_owned());
    assert!(read(&client, &readers[0]).await.is_ok());
    assert!(read(&client, &readers[1]).await.is_ok());
    assert_eq!(read(&client, &readers[2]).await, limited);
    sleep(SECOND).await;
    assert!(read(&client, &readers[2]).await.is_ok());
    for _ in 0..9 {
        assert!(read(&client, &readers[2]).await.is_ok());
    }
    assert_eq!(read(&client, &readers[2]).await, limited);
}

#[tokio::test(start_paused = true)]
async fn listings_come_in_pages() {
    let (world, client, arn) = table(ViewType::KeysOnly);
    for _ in 0..204 {
        world.roll_shards("orders").unwrap();
    }
    let all: Vec<String> = world
        .table("orders")
        .unwrap()
        .shards
        .into_iter()
        .map(|shard| shard.id)
        .collect();
    let (mut listed, mut pages, mut start) = (Vec::new(), Vec::new(), None);
    loop {
        let request = client.describe_stream().stream_arn(&arn);
        let page = request.set_exclusive_start_shard_id(start).send().await;
        let page = page.unwrap().stream_description.unwrap();
        pages.push(page.shards().len());
        listed.extend(
            page.shards()
                .iter()
                .map(|s| s.shard_id().unwrap().to_owned()),
        );
        start = page.last_evaluated_shard_id;
        if start.is_none() {
            break;
        }
    }
    assert_eq!((listed, pages), (all, vec![100, 100, 5]));
    let page = client.describe_stream().stream_arn(&arn).limit(101).send();
    assert_eq!(page.await.unwrap_err().code(), Some("ValidationException"));

    world
        .create_table("other", "id", ViewType::KeysOnly)
        .unwrap();
    let page = client.list_streams().limit(1).send().await.unwrap();
    assert_eq!(page.streams()[0].stream_arn(), Some(arn.as_str()));
    assert_eq!(page.last_evaluated_stream_arn(), Some(arn.as_str()));
    let rest = client.list_streams().exclusive_start_stream_arn(arn).send();
    let rest = rest.await.unwrap();
    assert_eq!(rest.streams()[0].table_name(), Some("other"));
    assert_eq!(rest.last_evaluated_stream_arn(), None);
    let only = client.list_streams().table_name("other").send().await;
    assert_eq!(only.unwrap().streams().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_disabled_stream_can_be_read_for_a_day() {
    let (world, client, arn) = table(ViewType::KeysOnly);
    put(&world, "a", 1);
    world.set_table_stream("orders", None).unwrap();
    assert_eq!(put(&world, "a", 2), None);
    sleep(23 * HOUR).await;
    let described = client.describe_stream().stream_arn(&arn).send().await;
    let described = described.unwrap().stream_description.unwrap();
    assert_eq!(described.stream_status(), Some(&StreamStatus::Disabled));
    let shard = described.shards()[0].shard_id().unwrap();
    let kind = ShardIteratorType::TrimHorizon;
    let at = iterator(&client, (&arn, shard), kind, None).await.unwrap();
    let (records, next) = read(&client, &at).await.unwrap();
    assert_eq!((records.len(), next), (1, None));
    sleep(HOUR).await;
    let gone = client.describe_stream().stream_arn(&arn).send().await;
    assert_eq!(gone.unwrap_err().code(), Some("ResourceNotFoundException"));
}

#[tokio::test(start_paused = true)]
async fn faults_of_reading_look_as_they_do_in_aws() {
    let (world, client, arn) = table(ViewType::KeysOnly);
    let first = put(&world, "a", 1).unwrap();
    let shard = shard(&client, &arn).await;
    let place = (arn.as_str(), shard.as_str());
    let horizon = ShardIteratorType::TrimHorizon;
    let at = iterator(&client, place, horizon.clone(), None)
        .await
        .unwrap();
    for (fault, code) in [
        (Fault::IteratorExpired, "ExpiredIteratorException"),
        (Fault::ReadThrottled, "LimitExceededException"),
        (Fault::Throttled, "ThrottlingException"),
        (Fault::InternalError, "InternalServerError"),
    ] {
        world.fault_next(Operation::StreamsGetRecords, fault, 1);
        assert_eq!(read(&client, &at).await, Err(code.to_owned()), "{fault:?}");
    }
    world.fault_next(Operation::StreamsGetRecords, Fault::EmptyRead, 1);
    let (records, next) = read(&client, &at).await.unwrap();
    assert_eq!(records, []);
    let (records, _) = read(&client, &next.unwrap()).await.unwrap();
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), [&first]);
}

/// What the ledger says was trimmed: how many records, and the last of them.
fn trimmed(world: &World) -> Vec<(usize, String)> {
    let entries = world.history().into_iter();
    let told = entries.filter_map(|entry| match entry.event {
        Event::RecordsTrimmed { count, through, .. } => Some((count, through)),
        _ => None,
    });
    told.collect()
}

#[tokio::test(start_paused = true)]
async fn a_trimmed_position_really_loses_records_and_the_ledger_tells_which() {
    let horizon = ShardIteratorType::TrimHorizon;
    let refused = "TrimmedDataAccessException".to_owned();
    for (operation, seen) in [
        (Operation::StreamsGetShardIterator, 3),
        (Operation::StreamsGetRecords, 0),
    ] {
        let (world, client, arn) = table(ViewType::KeysOnly);
        let numbers: Vec<String> = (0..9)
            .filter_map(|n| put(&world, &n.to_string(), 0))
            .collect();
        let shard = shard(&client, &arn).await;
        let place = (arn.as_str(), shard.as_str());
        world.fault_next(operation, Fault::TrimmedPosition, 1);
        if operation == Operation::StreamsGetShardIterator {
            let kind = ShardIteratorType::AfterSequenceNumber;
            let after = iterator(&client, place, kind, Some(&numbers[2])).await;
            assert_eq!(after, Err(refused.clone()));
        } else {
            let at = iterator(&client, place, horizon.clone(), None).await;
            assert_eq!(read(&client, &at.unwrap()).await, Err(refused.clone()));
        }
        let told = trimmed(&world);
        let (count, through) = &told[0];
        assert!((seen + 1..=9).contains(count) && *through == numbers[count - 1]);
        let at = iterator(&client, place, horizon.clone(), None).await;
        let (left, _) = read(&client, &at.unwrap()).await.unwrap();
        let left: Vec<&str> = left.iter().map(number).collect();
        assert_eq!(left, numbers[*count..], "{operation:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_who_has_seen_all_is_not_told_of_what_is_trimmed() {
    let (world, client, arn) = table(ViewType::KeysOnly);
    let last = put(&world, "a", 1).unwrap();
    let shard = shard(&client, &arn).await;
    let kind = ShardIteratorType::TrimHorizon;
    let at = iterator(&client, (&arn, &shard), kind, None).await.unwrap();
    let next = read(&client, &at).await.unwrap().1.unwrap();
    let operation = Operation::StreamsGetRecords;
    world.fault_next(operation, Fault::TrimmedPosition, 1);
    assert_eq!(read(&client, &next).await.unwrap().0, []);
    assert_eq!(trimmed(&world), [(1, last)]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_read_does_not_end_a_closed_shard() {
    let (world, client, arn) = table(ViewType::KeysOnly);
    put(&world, "a", 1);
    let shard = shard(&client, &arn).await;
    world.roll_shards("orders").unwrap();
    let kind = ShardIteratorType::TrimHorizon;
    let at = iterator(&client, (&arn, &shard), kind, None).await.unwrap();
    world.fault_next(Operation::StreamsGetRecords, Fault::EmptyRead, 1);
    let (records, next) = read(&client, &at).await.unwrap();
    assert_eq!(records, []);
    let (records, end) = read(&client, &next.unwrap()).await.unwrap();
    assert_eq!((records.len(), end), (1, None));
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_listing_lacks_the_newest_shards() {
    let (world, client, arn) = table(ViewType::KeysOnly);
    world.roll_shards("orders").unwrap();
    let whole = shards(&client, &arn).await;
    world.fault_next(
        Operation::StreamsDescribeStream,
        Fault::IncompleteListing,
        1,
    );
    assert_eq!(shards(&client, &arn).await, whole[..1]);
    assert_eq!(shards(&client, &arn).await, whole);
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_shards_and_numbers() {
    fn run(seed: u64) -> String {
        let world = World::new(seed);
        world
            .create_partitioned_table("orders", "id", ViewType::KeysOnly, 3)
            .unwrap();
        for n in 0..20 {
            put(&world, &n.to_string(), n);
        }
        world.roll_shards("orders").unwrap();
        format!("{:?}", world.table("orders").unwrap())
    }
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}
