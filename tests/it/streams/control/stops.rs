//! What a seek meets: batches in flight, lanes, windows, aggregates, other requests, and the end of the process.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use sluicegate::sim::{FunctionConfig, Reply};
use sluicegate::status::State;

use super::{Attended, to, undo};
use crate::streams::{SOON, StreamStage, event, fails_on, numbers, seconds};

/// The function takes so long.
fn patient(stage: &StreamStage, takes: Duration) {
    let config = FunctionConfig {
        timeout: SOON,
        ..FunctionConfig::default()
    };
    stage
        .stage
        .function(config, move |_| Reply::ok("{}").after(takes));
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_is_settled_before_the_position_is_set_and_nobody_else_waits() {
    let stage = StreamStage::kinesis(1, 1);
    patient(&stage, SOON / 6);
    stage.put("a", 0..10);
    let attended = Attended::start(
        &stage,
        &stage.configuration("TRIM_HORIZON", &["BatchSize: 5"]),
    )
    .await;
    let uuid = stage.uuid();
    seconds(2).await;
    let began = tokio::time::Instant::now();
    let seek = attended.seek(&uuid, to("TRIM_HORIZON"));
    let others = async {
        seconds(1).await;
        let asked = tokio::time::Instant::now();
        assert_eq!(attended.get(&uuid).await["State"], "Disabling");
        let (status, body) = attended.ask(Method::PUT, &uuid, "/position", &undo()).await;
        // There is nothing to undo, and whoever asks for something else waits for nobody either.
        assert_eq!(status, 400, "{body}");
        for (verb, ask) in [("/pause", "pause"), ("/resume", "resume")] {
            let (status, body) = attended.ask(Method::POST, &uuid, verb, &Value::Null).await;
            assert_eq!(status, 400, "{body}");
            assert_eq!(
                body["message"],
                format!("Cannot {ask} the event source mapping because it is in use.")
            );
        }
        let again = attended.refused(&uuid, to("LATEST")).await;
        assert_eq!(
            again,
            "Cannot set the positions of the event source mapping because it is in use."
        );
        // The source is looked at on the way.
        assert!(
            asked.elapsed() < Duration::from_millis(100),
            "{:?}",
            asked.elapsed()
        );
    };
    tokio::join!(seek, others);
    assert!(
        (8..10).contains(&began.elapsed().as_secs()),
        "{:?}",
        began.elapsed()
    );
    stage.until_delivered(15).await;
    attended.stop().await;
    let expected: Vec<u32> = (0..5).chain(0..10).collect();
    assert_eq!(stage.delivered(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_mapping_that_does_not_come_to_rest_in_time_goes_on_as_it_was() {
    let stage = StreamStage::kinesis(2, 1);
    patient(&stage, SOON / 3);
    stage.put("a", 0..10);
    let attended = Attended::start(
        &stage,
        &stage.configuration("TRIM_HORIZON", &["BatchSize: 5"]),
    )
    .await;
    let uuid = stage.uuid();
    seconds(2).await;
    let refused = attended.refused(&uuid, to("TRIM_HORIZON")).await;
    assert_eq!(
        refused,
        "Cannot set the positions of the event source mapping because it is in use. What it has in hand is not settled after 15 seconds. Pause it, and try again once it is Disabled."
    );
    stage.until_delivered(10).await;
    seconds(30).await;
    assert_eq!(stage.delivered(), (0..10).collect::<Vec<_>>());
    // As it says.
    attended.pause(&uuid).await;
    attended.seek(&uuid, to("TRIM_HORIZON")).await;
    attended.resume(&uuid).await;
    stage.until_delivered(20).await;
    attended.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_killed_at_any_moment_of_a_seek_has_the_old_positions_or_the_new_ones() {
    let mut found = [0, 0];
    for millis in (0..4_000).step_by(125) {
        let stage = StreamStage::kinesis(3, 2);
        stage.answers(|_| Reply::ok("{}").after(Duration::from_millis(1_500)));
        stage.put_apart(0..20);
        let text = stage.configuration("TRIM_HORIZON", &[]);
        let attended = Attended::start(&stage, &text).await;
        let uuid = stage.uuid();
        stage.until_delivered(20).await;
        seconds(2).await;
        stage.put("key-0", 20..21);
        stage.until_delivered(21).await;
        let horizon = to("TRIM_HORIZON");
        let seek = attended.ask(Method::PUT, &uuid, "/position", &horizon);
        let answered = tokio::time::timeout(Duration::from_millis(millis), seek).await;
        drop(attended);

        let attended = Attended::start(&stage, &text).await;
        seconds(60).await;
        attended.stop().await;
        let again = stage
            .delivered()
            .iter()
            .filter(|number| **number == 1)
            .count()
            - 1;
        found[again.min(1)] += 1;
        if answered.is_ok() {
            assert!(again >= 1, "what was answered is done: {millis}");
        }
        for number in 0..21 {
            assert!(
                stage.delivered().contains(&number),
                "{number} is lost: {millis}"
            );
        }
    }
    assert!(found[0] > 3 && found[1] > 3, "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn lanes_that_are_ahead_are_set_aside_with_the_position() {
    let stage = StreamStage::kinesis(4, 1);
    stage.answers(fails_on(0));
    for key in ["a", "b", "c", "d", "e"] {
        let from = 10 * (u32::from(key.as_bytes()[0]) - u32::from(b'a'));
        stage.put(key, from..from + 10);
    }
    let more = ["ParallelizationFactor: 4", "BatchSize: 1"];
    let attended = Attended::start(&stage, &stage.configuration("TRIM_HORIZON", &more)).await;
    let uuid = stage.uuid();
    seconds(60).await;
    let stuck = attended.position(&uuid).await;
    let came = stage.delivered();
    let others = came.iter().filter(|number| **number >= 10).count();
    assert!(others >= 20, "other lanes are ahead: {came:?}");
    // All again, and the lanes from the beginning.
    attended.seek(&uuid, to("TRIM_HORIZON")).await;
    seconds(60).await;
    let again = stage.delivered().len() - came.len();
    assert!(again > others, "{again}");
    attended.seek(&uuid, undo()).await;
    assert_eq!(attended.position(&uuid).await["Shards"], stuck["Shards"]);
    let before = stage.delivered().len();
    stage.answers(|_| Reply::ok("{}"));
    seconds(120).await;
    attended.stop().await;
    // What the other lanes had settled is settled again.
    let after = stage.delivered()[before..].to_vec();
    let settled: Vec<u32> = came.into_iter().filter(|number| *number >= 10).collect();
    assert!(
        after.iter().all(|number| !settled.contains(number)),
        "{after:?}"
    );
    assert!((0..10).all(|number| after.contains(&number)), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn the_state_of_a_window_goes_with_the_position_and_comes_back_with_it() {
    let stage = StreamStage::kinesis(5, 1);
    // Counts the records of a window.
    stage.answers(|invocation| {
        let state = &event(invocation)["state"];
        let count = state["count"].as_u64().unwrap_or(0) + numbers(invocation).len() as u64;
        Reply::ok(json!({ "state": { "count": count } }).to_string())
    });
    let more = ["TumblingWindowInSeconds: 600"];
    let attended = Attended::start(&stage, &stage.configuration("TRIM_HORIZON", &more)).await;
    let uuid = stage.uuid();
    stage.put("a", 0..4);
    stage.until_delivered(4).await;
    seconds(2).await;
    let last = || {
        let call = stage.stage.invocations().pop().unwrap();
        (numbers(&call), event(&call)["state"].clone())
    };
    attended.seek(&uuid, to("TRIM_HORIZON")).await;
    stage.until_delivered(8).await;
    assert_eq!(last(), (vec![0, 1, 2, 3], json!({})));
    attended.seek(&uuid, undo()).await;
    stage.put("a", 4..5);
    stage.until_delivered(9).await;
    assert_eq!(last(), (vec![4], json!({ "count": 4 })));
    attended.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_ends_answers_nobody_and_has_changed_nothing_by_halves() {
    let stage = StreamStage::kinesis(6, 1);
    patient(&stage, SOON / 6);
    stage.put("a", 0..5);
    let text = stage.configuration("TRIM_HORIZON", &[]);
    let attended = Attended::start(&stage, &text).await;
    let uuid = stage.uuid();
    seconds(2).await;
    let horizon = to("TRIM_HORIZON");
    let seek = attended.ask(Method::PUT, &uuid, "/position", &horizon);
    assert!(tokio::time::timeout(SOON / 60, seek).await.is_err());
    let account = attended.stop().await;
    assert_eq!(account.settled, 5);
    let attended = Attended::start(&stage, &text).await;
    seconds(60).await;
    assert_eq!(stage.status().state, State::Enabled);
    attended.stop().await;
    assert_eq!(stage.delivered(), [0, 1, 2, 3, 4]);
}
