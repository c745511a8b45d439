//! Shards that were split, that are not known yet, that are gone; consumers; and mappings that were never started.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sluicegate::sim::Reply;
use sluicegate::status::State;

use super::{Attended, to, undo};
use crate::streams::{STREAM, StreamStage, event, numbers, seconds, sequence_number};

/// The numbers of each key in the order of their delivery.
fn by_key(stage: &StreamStage, from: usize) -> BTreeMap<String, Vec<u32>> {
    let mut keys = BTreeMap::<String, Vec<u32>>::new();
    for call in &stage.stage.invocations()[from..] {
        let event = event(call);
        let records = event["Records"].as_array().unwrap().iter();
        for (record, number) in records.zip(numbers(call)) {
            let key = record["kinesis"]["partitionKey"].as_str().unwrap();
            keys.entry(key.to_owned()).or_default().push(number);
        }
    }
    keys
}

/// Ten keys with ten records each before a split, and ten behind it.
fn split(stage: &StreamStage) {
    for round in 0..20 {
        if round == 10 {
            let shard = stage.shards()[0].id.clone();
            stage.world().split_shard(STREAM, &shard).unwrap();
        }
        for key in 0..10 {
            stage.put(&format!("key-{key}"), round..round + 1);
        }
    }
}

fn states(positions: &Value) -> Vec<Option<bool>> {
    let shards = positions["Shards"].as_array().unwrap().iter();
    shards.map(|shard| shard["Completed"].as_bool()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_whole_mapping_that_is_sent_back_reads_parents_before_children_again() {
    let stage = StreamStage::kinesis(1, 1);
    stage.answers(|_| Reply::ok("{}").after(std::time::Duration::from_millis(300)));
    let attended = Attended::start(
        &stage,
        &stage.configuration("TRIM_HORIZON", &["BatchSize: 7"]),
    )
    .await;
    let uuid = stage.uuid();
    seconds(2).await;
    split(&stage);
    stage.until_delivered(200).await;
    seconds(30).await;
    assert_eq!(
        states(&attended.position(&uuid).await),
        [Some(true), None, None]
    );
    let calls = stage.calls().len();
    let set = attended.seek(&uuid, to("TRIM_HORIZON")).await;
    assert_eq!(states(&set), [None, None, None]);
    stage.until_delivered(400).await;
    seconds(30).await;
    attended.stop().await;
    for (key, came) in by_key(&stage, calls) {
        assert_eq!(came, (0..20).collect::<Vec<_>>(), "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_sent_somewhere_waits_for_its_parent_all_the_same() {
    let stage = StreamStage::kinesis(2, 1);
    stage.answers(|_| Reply::error("no"));
    let attended = Attended::start(&stage, &stage.configuration("TRIM_HORIZON", &[])).await;
    let uuid = stage.uuid();
    seconds(2).await;
    split(&stage);
    seconds(120).await;
    let positions = attended.position(&uuid).await;
    let child = positions["Shards"][1]["ShardId"].as_str().unwrap();
    let seek = json!({ "Shards": [{ "ShardId": child, "StartingPosition": "TRIM_HORIZON" }] });
    attended.seek(&uuid, seek).await;
    seconds(120).await;
    assert!(
        stage.delivered().iter().all(|number| *number < 10),
        "the parent is not done"
    );
    let calls = stage.calls().len();
    stage.answers(|_| Reply::ok("{}"));
    seconds(240).await;
    // And a parent that is read again holds its children back: they go on where they were.
    let parent = positions["Shards"][0]["ShardId"].as_str().unwrap();
    let (before, now) = (stage.calls().len(), by_key(&stage, calls));
    for (key, came) in now {
        assert_eq!(came, (0..20).collect::<Vec<_>>(), "{key}");
    }
    let seek = json!({ "Shards": [{ "ShardId": parent, "StartingPosition": "TRIM_HORIZON" }] });
    attended.seek(&uuid, seek).await;
    for key in 0..10 {
        stage.put(&format!("key-{key}"), 20..21);
    }
    seconds(120).await;
    attended.stop().await;
    let expected: Vec<u32> = (0..10).chain([20]).collect();
    for (key, came) in by_key(&stage, before) {
        assert_eq!(came, expected, "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_latest_of_a_closed_shard_is_its_end_and_shards_that_are_not_known_yet_follow_the_rule()
{
    let stage = StreamStage::kinesis(3, 1);
    stage.answers(|_| Reply::ok("{}"));
    let attended = Attended::start(&stage, &stage.configuration("TRIM_HORIZON", &[])).await;
    let uuid = stage.uuid();
    seconds(2).await;
    attended.pause(&uuid).await;
    seconds(2).await;
    // Nobody sees this.
    split(&stage);
    seconds(120).await;
    assert_eq!(states(&attended.position(&uuid).await), [None]);
    let set = attended.seek(&uuid, to("LATEST")).await;
    assert_eq!(states(&set), [Some(true), None, None]);
    attended.resume(&uuid).await;
    for key in 0..10 {
        stage.put(&format!("key-{key}"), 20..21);
    }
    stage.until_delivered(10).await;
    seconds(60).await;
    assert_eq!(stage.delivered(), [20; 10]);
    // The way back knows the first shard alone; the others come to it as they would have.
    attended.seek(&uuid, undo()).await;
    stage.until_delivered(220).await;
    seconds(60).await;
    attended.stop().await;
    assert_eq!(stage.delivered().len(), 220);
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_the_source_trimmed_stays_settled_and_can_not_be_asked_for() {
    let stage = StreamStage::kinesis(4, 1);
    stage.answers(|_| Reply::ok("{}"));
    let attended = Attended::start(&stage, &stage.configuration("TRIM_HORIZON", &[])).await;
    let uuid = stage.uuid();
    seconds(2).await;
    split(&stage);
    stage.until_delivered(200).await;
    seconds(30).await;
    let before = attended.position(&uuid).await;
    assert_eq!(states(&before), [Some(true), None, None]);
    attended.pause(&uuid).await;
    seconds(26 * 60 * 60).await;
    stage.put("key-0", 20..21);
    let parent = before["Shards"][0]["ShardId"].as_str().unwrap();
    let seek = json!({ "Shards": [{ "ShardId": parent, "StartingPosition": "TRIM_HORIZON" }] });
    let refused = attended.refused(&uuid, seek).await;
    assert_eq!(
        refused,
        format!("ShardId: {parent}: the stream has no such shard any more")
    );
    let set = attended.seek(&uuid, to("TRIM_HORIZON")).await;
    assert_eq!(states(&set), [Some(true), None, None]);
    attended.resume(&uuid).await;
    stage.until_delivered(201).await;
    seconds(60).await;
    attended.stop().await;
    assert_eq!(stage.delivered()[200..], [20]);
}

#[tokio::test(start_paused = true)]
async fn a_mapping_that_was_never_started_begins_where_it_was_sent_and_its_undo_is_to_begin_as_it_says()
 {
    for undone in [false, true] {
        for stage in StreamStage::both(5) {
            stage.answers(|_| Reply::ok("{}"));
            stage.put("a", 0..5);
            seconds(120).await;
            let text =
                |enabled: &str| stage.configuration("LATEST", &[&format!("Enabled: {enabled}")]);
            let attended = Attended::start(&stage, &text("false")).await;
            let uuid = stage.uuid();
            let nothing = attended.position(&uuid).await;
            assert_eq!(
                (&nothing["Shards"], &nothing["Undo"]),
                (&json!([]), &Value::Null)
            );
            let set = attended.seek(&uuid, to("TRIM_HORIZON")).await;
            assert_eq!(set["Shards"][0]["StartingPosition"], "TRIM_HORIZON");
            assert_eq!(stage.status().state, State::Disabled);
            if undone {
                attended.seek(&uuid, undo()).await;
                assert_eq!(attended.position(&uuid).await, nothing);
            }
            attended.reload(&text("true")).await;
            seconds(10).await;
            stage.put("a", 5..8);
            seconds(60).await;
            attended.stop().await;
            let expected: Vec<u32> = (if undone { 5 } else { 0 }..8).collect();
            assert_eq!(stage.delivered(), expected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_consumer_is_sent_to_a_record_a_moment_and_the_horizon() {
    let stage = StreamStage::kinesis(6, 1);
    stage.answers(|_| Reply::ok("{}"));
    let consumer = stage.world().register_consumer(STREAM, "c").unwrap();
    let text = stage.configuration("TRIM_HORIZON", &[]);
    let text = text.replace(&stage.source, &consumer);
    let uuid = crate::engine::parsed(&text).mappings[0].uuid.clone();
    stage.put("a", 0..3);
    seconds(100).await;
    let moment = stage.world().clock().now_ms() as f64 / 1000.0;
    stage.put("a", 3..6);
    let attended = Attended::start(&stage, &text).await;
    stage.until_delivered(6).await;
    seconds(10).await;
    let calls = stage.stage.invocations();
    let (call, index) = (0..6)
        .flat_map(|index| calls.iter().map(move |call| (call, index)))
        .find(|(call, index)| numbers(call).get(*index) == Some(&4))
        .unwrap();
    let fifth = sequence_number(call, index);
    let shard = stage.shards()[0].id.clone();
    for (seek, expected) in [
        (
            json!({ "StartingPosition": "TRIM_HORIZON" }),
            vec![0, 1, 2, 3, 4, 5],
        ),
        (
            json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": moment }),
            vec![3, 4, 5],
        ),
        (
            json!({ "Shards": [{ "ShardId": shard, "SequenceNumber": fifth }] }),
            vec![4, 5],
        ),
        (
            json!({ "Shards": [{ "ShardId": shard, "AfterSequenceNumber": fifth }] }),
            vec![5],
        ),
    ] {
        let before = stage.delivered().len();
        attended.seek(&uuid, seek.clone()).await;
        stage.until_delivered(before + expected.len()).await;
        seconds(20).await;
        assert_eq!(stage.delivered()[before..], expected, "{seek}");
    }
    attended.stop().await;
}
