//! Back, forward, to a record, to a moment, and the way back from each.

use serde_json::{Value, json};
use sluicegate::sim::Reply;
use sluicegate::status::State;

use super::{Attended, to, undo};
use crate::streams::{SOON, StreamStage, fails_on, numbers, seconds, sequence_number};

/// A stage whose ten records were delivered, of a mapping that begins at the horizon.
async fn delivered(stage: StreamStage, more: &[&str]) -> (StreamStage, Attended) {
    stage.answers(|_| Reply::ok("{}"));
    stage.put("a", 0..10);
    let text = stage.configuration("TRIM_HORIZON", more);
    let attended = Attended::start(&stage, &text).await;
    stage.until_delivered(10).await;
    seconds(2).await;
    (stage, attended)
}

fn shard_id(positions: &Value) -> &str {
    positions["Shards"][0]["ShardId"].as_str().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_mapping_that_is_sent_back_delivers_again_and_in_order() {
    for stage in StreamStage::both(1) {
        let (stage, attended) = delivered(stage, &[]).await;
        let uuid = stage.uuid();
        let set = attended.seek(&uuid, to("TRIM_HORIZON")).await;
        assert_eq!(set["Shards"][0]["StartingPosition"], "TRIM_HORIZON");
        assert_eq!(set["UUID"], uuid.as_str());
        assert!(set["Undo"]["Replaced"].as_f64().unwrap() > 1.7e9);
        stage.put("a", 10..12);
        stage.until_delivered(22).await;
        seconds(30).await;
        assert_eq!(stage.status().state, State::Enabled);
        attended.stop().await;
        let expected: Vec<u32> = (0..10).chain(0..12).collect();
        assert_eq!(stage.delivered(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_mapping_that_is_sent_to_the_latest_leaves_what_it_was_stuck_at() {
    for stage in StreamStage::both(2) {
        stage.answers(fails_on(0));
        stage.put("a", 0..10);
        let text = stage.configuration("TRIM_HORIZON", &["BisectBatchOnFunctionError: true"]);
        let attended = Attended::start(&stage, &text).await;
        let uuid = stage.uuid();
        seconds(300).await;
        let stuck = attended.position(&uuid).await;
        assert!(
            stuck["Shards"][0]["Unsettled"].as_u64() > Some(1),
            "{stuck}"
        );
        let set = attended.seek(&uuid, to("LATEST")).await;
        assert_eq!(set["Shards"][0]["StartingPosition"], "AT_TIMESTAMP");
        assert_eq!(set["Shards"][0].get("Unsettled"), None);
        let before = stage.delivered().len();
        stage.put("a", 10..13);
        stage.until_delivered(before + 3).await;
        seconds(60).await;
        assert_eq!(stage.delivered()[before..], [10, 11, 12]);
        // What was skipped, with its counts, comes back.
        let back = attended.seek(&uuid, undo()).await;
        assert_eq!(back["Shards"], stuck["Shards"]);
        assert_eq!(back["Undo"], Value::Null);
        stage.answers(|_| Reply::ok("{}"));
        stage.until_delivered(before + 16).await;
        seconds(60).await;
        attended.stop().await;
        let after: Vec<u32> = stage.delivered()[before + 3..].to_vec();
        let all: Vec<u32> = (0..13).collect();
        let first = after.iter().rposition(|number| *number == 0).unwrap();
        assert_eq!(after[first..], all, "{after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn failures_that_were_counted_before_a_seek_are_counted_on_after_its_undo() {
    let stage = StreamStage::kinesis(3, 1);
    stage.answers(fails_on(0));
    stage.put("a", 0..1);
    let destination = stage.failing_to_queue();
    let more = ["MaximumRetryAttempts: 4", destination.as_str()];
    let text = stage.configuration("TRIM_HORIZON", &more);
    let attended = Attended::start(&stage, &text).await;
    let uuid = stage.uuid();
    stage
        .until("two failures", SOON, || stage.calls().len() == 2)
        .await;
    seconds(60 * 60).await;
    assert_eq!(stage.calls().len(), 5);
    attended.seek(&uuid, to("TRIM_HORIZON")).await;
    stage
        .until("two more", SOON, || stage.calls().len() == 7)
        .await;
    attended.seek(&uuid, to("LATEST")).await;
    seconds(120).await;
    assert_eq!(stage.calls().len(), 7);
    attended.seek(&uuid, undo()).await;
    seconds(120).await;
    attended.stop().await;
    assert_eq!(stage.calls().len(), 10, "five in all of the second time");
    assert_eq!(stage.failed().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_shard_is_sent_to_a_record_or_behind_it_and_the_others_stay() {
    for (key, first) in [("SequenceNumber", 2), ("AfterSequenceNumber", 3)] {
        for stage in [StreamStage::kinesis(4, 2), StreamStage::dynamodb(4, 2)] {
            stage.answers(|_| Reply::ok("{}"));
            stage.put_apart(0..40);
            let text = stage.configuration("TRIM_HORIZON", &[]);
            let attended = Attended::start(&stage, &text).await;
            stage.until_delivered(40).await;
            seconds(2).await;
            let uuid = stage.uuid();
            let before = attended.position(&uuid).await;
            // The call with the last record of the first shard has the whole shard.
            let shard = shard_id(&before);
            let end = before["Shards"][0]["AfterSequenceNumber"].as_str();
            let calls = stage.stage.invocations();
            let call = calls.iter().find(|call| {
                let last = numbers(call).len() - 1;
                Some(sequence_number(call, last).as_str()) == end
            });
            let call = call.expect("someone was given it");
            let held = numbers(call);
            assert!((4..40).contains(&held.len()), "{held:?}");

            let number = sequence_number(call, 2);
            let seek = json!({ "Shards": [{ "ShardId": shard, key: number }] });
            let set = attended.seek(&uuid, seek).await;
            assert_eq!(set["Shards"][0][key], number.as_str());
            assert_eq!(set["Shards"][1], before["Shards"][1]);
            stage.until_delivered(40 + held.len() - first).await;
            seconds(30).await;
            attended.stop().await;
            assert_eq!(stage.delivered()[40..], held[first..]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_moment_is_the_first_record_from_then_on_and_a_dynamodb_stream_knows_none() {
    for stage in StreamStage::both(6) {
        stage.answers(|_| Reply::ok("{}"));
        stage.put("a", 0..3);
        seconds(100).await;
        let moment = stage.world().clock().now_ms() as f64 / 1000.0;
        stage.put("a", 3..6);
        let kinesis = stage.is_kinesis();
        let text = stage.configuration("TRIM_HORIZON", &[]);
        let attended = Attended::start(&stage, &text).await;
        stage.until_delivered(6).await;
        seconds(100).await;
        let uuid = stage.uuid();
        let at = |moment: f64| json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": moment });
        if kinesis {
            let late = attended.refused(&uuid, at(moment + 1e6)).await;
            assert!(late.ends_with("it is in the future"), "{late}");
            let set = attended.seek(&uuid, at(moment)).await;
            assert_eq!(set["Shards"][0]["StartingPositionTimestamp"], moment);
            stage.until_delivered(9).await;
            seconds(30).await;
            assert_eq!(stage.delivered()[6..], [3, 4, 5]);
        } else {
            let refused = attended.refused(&uuid, at(moment)).await;
            assert!(
                refused.starts_with("Unsupported starting position for arn type: arn:"),
                "{refused}"
            );
            seconds(30).await;
            assert_eq!(stage.delivered().len(), 6);
        }
        attended.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_undo_is_for_once_and_may_follow_a_restart_and_deliveries() {
    for stage in StreamStage::both(7) {
        let (stage, attended) = delivered(stage, &[]).await;
        let uuid = stage.uuid();
        let nothing = attended.refused(&uuid, undo()).await;
        assert!(
            nothing.starts_with("Undo: true: there is nothing to undo"),
            "{nothing}"
        );
        let before = attended.position(&uuid).await;
        attended.seek(&uuid, to("TRIM_HORIZON")).await;
        stage.until_delivered(20).await;
        stage.put("a", 10..15);
        stage.until_delivered(25).await;
        drop(attended);

        let text = stage.configuration("TRIM_HORIZON", &[]);
        let attended = Attended::start(&stage, &text).await;
        seconds(5).await;
        let came = stage.delivered().len();
        let back = attended.seek(&uuid, undo()).await;
        assert_eq!(back["Shards"], before["Shards"]);
        stage.until_delivered(came + 5).await;
        seconds(30).await;
        // What came behind the position that is put back comes again, and nothing before it.
        assert_eq!(stage.delivered()[came..], [10, 11, 12, 13, 14]);
        attended.refused(&uuid, undo()).await;
        attended.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_set_is_refused_in_words_and_disturbs_nobody() {
    let (stage, attended) = delivered(StreamStage::kinesis(8, 1), &[]).await;
    let uuid = stage.uuid();
    let positions = attended.position(&uuid).await;
    let shard = shard_id(&positions).to_owned();
    let of = |key: &str, value: &str| json!({ "Shards": [{ "ShardId": shard, key: value }] });
    let unknown =
        json!({ "Shards": [{ "ShardId": "shardId-000000000009", "StartingPosition": "LATEST" }] });
    for (seek, expected) in [
        (
            unknown,
            "ShardId: shardId-000000000009: the stream has no such shard",
        ),
        (
            of("SequenceNumber", "12x"),
            "Shards[0].SequenceNumber: \"12x\" is no sequence number: expected 1 to 129 digits",
        ),
        (
            of("AfterSequenceNumber", "12"),
            "AfterSequenceNumber: behind record 12 of shardId-000000000000: the stream refuses it: InvalidArgumentException",
        ),
    ] {
        let refused = attended.refused(&uuid, seek).await;
        assert!(refused.starts_with(expected), "{refused}");
    }
    assert_eq!(attended.position(&uuid).await, positions);
    let (status, body) = attended
        .ask(
            http::Method::GET,
            &uuid.replace('-', "0"),
            "/position",
            &Value::Null,
        )
        .await;
    assert_eq!(status, 404, "{body}");
    attended.stop().await;
    assert_eq!(stage.delivered().len(), 10);
}
