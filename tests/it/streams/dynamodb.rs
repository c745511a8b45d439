//! What is peculiar to DynamoDB streams: shards that roll over, partitions, deletes, streams that are switched off.

use std::time::Duration;

use serde_json::{Value, json};
use sluicegate::checkpoint::Owner;
use sluicegate::sim::dynamodb::ViewType;
use sluicegate::sim::{Fault, Invocation, Operation, Reply};
use sluicegate::status::State;

use super::{SOON, StreamStage, TABLE, event, seconds};

/// For each record its event name and, where there is a new image, its number.
fn told(invocations: &[Invocation]) -> Vec<(String, Option<u32>)> {
    let told = |record: &Value| {
        let name = record["eventName"].as_str().expect("a name").to_owned();
        let number = record["dynamodb"]["NewImage"]["n"]["N"].as_str();
        (name, number.map(|number| number.parse().unwrap()))
    };
    let records = |invocation| event(invocation)["Records"].as_array().unwrap().clone();
    invocations
        .iter()
        .flat_map(records)
        .map(|record| told(&record))
        .collect()
}

fn delete(stage: &StreamStage, key: &str) {
    stage
        .world()
        .delete_item(TABLE, &json!({ "id": { "S": key } }))
        .unwrap();
}

fn inserted(stage: &StreamStage) -> Vec<u32> {
    let told = told(&stage.stage.invocations());
    told.into_iter().filter_map(|(_, number)| number).collect()
}

#[tokio::test(start_paused = true)]
async fn inserts_changes_and_deletes_come_in_their_order() {
    let stage = StreamStage::dynamodb(1, 1);
    stage.answers(|_| Reply::ok("{}"));
    stage.put("a", 1..3);
    // The same once more is no change.
    stage.put("a", 2..3);
    delete(&stage, "a");
    stage.put("a", 3..4);
    let key = json!({ "id": { "S": "a" } });
    stage.world().expire_item(TABLE, &key).unwrap();
    let running = stage.start("TRIM_HORIZON", &[]);
    seconds(5).await;
    running.stop().await;
    let told = told(&stage.stage.invocations());
    let told: Vec<_> = told
        .iter()
        .map(|(name, number)| (name.as_str(), *number))
        .collect();
    assert_eq!(
        told,
        [
            ("INSERT", Some(1)),
            ("MODIFY", Some(2)),
            ("REMOVE", None),
            ("INSERT", Some(3)),
            ("REMOVE", None),
        ]
    );
    let records = event(&stage.stage.invocations()[0])["Records"].clone();
    let identity = |index: usize| records[index].get("userIdentity").is_some();
    assert_eq!([identity(2), identity(4)], [false, true]);
}

#[tokio::test(start_paused = true)]
async fn shards_that_roll_over_for_two_days_lose_nothing() {
    let stage = StreamStage::dynamodb(2, 2);
    stage.answers(|_| Reply::ok("{}"));
    let mut count = 0;
    // Two days in strides of two hours, at the end of each of which the service runs for some minutes: shards close at
    // every other, with traffic before and behind.
    for stride in 0..24 {
        let running = stage.start("TRIM_HORIZON", &[]);
        for _ in 0..3 {
            stage.put(&format!("key-{}", count % 5), count..count + 2);
            count += 2;
            seconds(20).await;
        }
        let open = stage.world().table(TABLE).unwrap().shards;
        if stride == 9 {
            let open = open.iter().find(|shard| shard.open).unwrap();
            stage.world().split_partition(TABLE, &open.id).unwrap();
        }
        running.stop().await;
        stage.put(&format!("key-{}", count % 5), count..count + 2);
        count += 2;
        tokio::time::sleep(Duration::from_hours(2)).await;
    }
    let running = stage.start("TRIM_HORIZON", &[]);
    let all = || inserted(&stage).len() >= count as usize;
    stage.until("all", Duration::from_secs(300), all).await;
    seconds(60).await;
    running.stop().await;
    let mut inserted = inserted(&stage);
    for key in 0..5 {
        let of_key: Vec<_> = inserted
            .iter()
            .filter(|number| (*number / 2 * 2) % 5 == key)
            .collect();
        assert!(of_key.is_sorted(), "{of_key:?}");
    }
    inserted.sort_unstable();
    assert_eq!(inserted, (0..count).collect::<Vec<_>>());
    assert_eq!(stage.counted("stream_gaps_total"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn checkpoints_of_shards_that_the_source_forgot_are_forgotten_an_hour_later() {
    let stage = StreamStage::dynamodb(8, 1);
    stage.answers(|_| Reply::ok("{}"));
    let running = stage.start("TRIM_HORIZON", &[]);
    for number in 0..5 {
        stage.put("k", number..number + 1);
        seconds(5).await;
        stage.world().roll_shards(TABLE).unwrap();
        seconds(5).await;
    }
    running.stop().await;
    tokio::time::sleep(Duration::from_hours(25)).await;
    let listed = stage.world().table(TABLE).unwrap().shards.len();
    let uuid = stage.uuid();
    let running = stage.start("TRIM_HORIZON", &[]);
    seconds(61 * 60).await;
    running.stop().await;
    let taken = stage.stage.store.take(&uuid, &Owner::new("test")).await;
    assert_eq!(taken.unwrap().shards.len(), listed);
    assert_eq!(inserted(&stage), [0, 1, 2, 3, 4]);
    assert_eq!(stage.counted("stream_gaps_total"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_roll_over_is_followed_while_records_come() {
    let stage = StreamStage::dynamodb(3, 3);
    stage.answers(|_| Reply::ok("{}"));
    let running = stage.start("TRIM_HORIZON", &["BatchSize: 3"]);
    let mut count = 0;
    for round in 0..30 {
        for _ in 0..4 {
            stage.put(&format!("key-{}", count % 7), count..count + 1);
            count += 1;
        }
        if round % 3 == 2 {
            stage.world().roll_shards(TABLE).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    let all = || inserted(&stage).len() >= count as usize;
    stage.until("all", Duration::from_secs(300), all).await;
    seconds(60).await;
    running.stop().await;
    let mut inserted = inserted(&stage);
    for key in 0..7 {
        let of_key: Vec<_> = inserted
            .iter()
            .filter(|number| *number % 7 == key)
            .collect();
        assert!(of_key.is_sorted(), "{of_key:?}");
    }
    inserted.sort_unstable();
    assert_eq!(inserted, (0..count).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_position_that_was_trimmed_is_a_gap_and_reading_goes_on() {
    let stage = StreamStage::dynamodb(4, 1);
    stage.answers(|_| Reply::ok("{}"));
    stage.put("k", 0..3);
    let running = stage.start("TRIM_HORIZON", &[]);
    stage.until_delivered(3).await;
    running.stop().await;
    stage.put("k", 3..6);
    tokio::time::sleep(Duration::from_hours(25)).await;
    stage.put("k", 6..9);
    let running = stage.start("TRIM_HORIZON", &[]);
    let last = || stage.delivered().ends_with(&[6, 7, 8]);
    stage
        .until("the last", Duration::from_secs(600), last)
        .await;
    running.stop().await;
    assert_eq!(stage.delivered(), [0, 1, 2, 6, 7, 8]);
    assert!(stage.counted("stream_gaps_total") >= 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_trimmed_iterator_goes_on_at_the_oldest_that_is_left() {
    let stage = StreamStage::dynamodb(5, 1);
    stage.answers(|_| Reply::ok("{}"));
    let running = stage.start("TRIM_HORIZON", &[]);
    stage.put("k", 0..3);
    stage.until_delivered(3).await;
    stage.put("k", 3..6);
    let trimmed = Fault::TrimmedPosition;
    stage
        .world()
        .fault_next(Operation::StreamsGetRecords, trimmed, 1);
    seconds(5).await;
    stage.put("k", 6..9);
    let last = || stage.delivered().ends_with(&[6, 7, 8]);
    stage.until("the last", SOON, last).await;
    running.stop().await;
    assert!(stage.delivered().is_sorted());
    assert_eq!(stage.counted("stream_gaps_total"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_was_switched_off_is_read_to_its_end() {
    let stage = StreamStage::dynamodb(6, 2);
    stage.answers(|_| Reply::ok("{}"));
    let running = stage.start("TRIM_HORIZON", &[]);
    stage.put_apart(0..10);
    stage.world().set_table_stream(TABLE, None).unwrap();
    stage.until_delivered(10).await;
    seconds(60).await;
    // From then on nothing more comes.
    assert_eq!(stage.status().state, State::Failing);
    running.stop().await;
    // Switched on again it is another stream, with an ARN of its own.
    stage
        .world()
        .set_table_stream(TABLE, Some(ViewType::NewAndOldImages))
        .unwrap();
    stage.put("k", 10..13);
    let running = stage.start("TRIM_HORIZON", &[]);
    seconds(60).await;
    running.stop().await;
    assert_eq!(stage.delivered().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_shard_has_at_most_four_reads_a_second() {
    let stage = StreamStage::dynamodb(7, 1);
    stage.answers(|_| Reply::ok("{}"));
    stage.put("k", 0..3_000);
    let running = stage.start("TRIM_HORIZON", &["BatchSize: 1000"]);
    let began = tokio::time::Instant::now();
    stage
        .until("all", SOON, || stage.delivered().len() == 3_000)
        .await;
    let took = began.elapsed();
    running.stop().await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    let refused = "sluicegate_source_requests_total{mapping=\"m\",operation=\"GetRecords\",outcome=\"throttled\"}";
    assert_eq!(stage.stage.metric(refused), 0.0);
}
