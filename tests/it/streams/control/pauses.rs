//! A hold outlives the process, and whatever the files say meanwhile.

use http::Method;
use serde_json::{Value, json};
use sluicegate::sim::Reply;
use sluicegate::status::State;

use super::{Attended, to};
use crate::streams::{SOON, StreamStage, pass, seconds};

fn states(stage: &StreamStage) -> (bool, State, String) {
    let readiness = stage.stage.status.readiness();
    let reason = readiness.mappings[0].reason.clone();
    (
        readiness.ready,
        readiness.mappings[0].state,
        reason.unwrap_or_default(),
    )
}

const PAUSED: &str = "paused by the control API";

#[tokio::test(start_paused = true)]
async fn a_paused_mapping_rests_over_a_restart_and_goes_on_where_it_was() {
    for stage in StreamStage::both(1) {
        stage.answers(|_| Reply::ok("{}"));
        stage.put("a", 0..10);
        let text = stage.configuration("TRIM_HORIZON", &[]);
        let attended = Attended::start(&stage, &text).await;
        stage.until_delivered(10).await;
        let uuid = stage.uuid();
        let shown = attended.get(&uuid).await;
        assert_eq!(
            (&shown["State"], shown.get("Paused")),
            (&json!("Enabled"), None)
        );
        for _ in 0..2 {
            let paused = attended.pause(&uuid).await;
            assert_eq!(paused["Paused"], true);
            assert_eq!(paused["StateTransitionReason"], "Paused by the control API");
            seconds(1).await;
        }
        assert_eq!(states(&stage), (true, State::Disabled, PAUSED.to_owned()));
        assert_eq!(stage.labelled("mapping_state", "state", "Disabled"), 1.0);
        stage.put("a", 10..20);
        drop(attended);

        let attended = Attended::start(&stage, &text).await;
        seconds(600).await;
        assert_eq!(stage.delivered().len(), 10);
        assert_eq!(states(&stage), (true, State::Disabled, PAUSED.to_owned()));
        let shown = attended.get(&uuid).await;
        assert_eq!(
            (&shown["State"], &shown["Paused"]),
            (&json!("Disabled"), &json!(true))
        );
        for state in ["Enabling", "Enabled"] {
            let resumed = attended.resume(&uuid).await;
            assert_eq!(
                (&resumed["State"], &resumed["Paused"]),
                (&json!(state), &json!(false))
            );
            assert_eq!(resumed["StateTransitionReason"], "User action");
            seconds(1).await;
        }
        stage.until_delivered(20).await;
        drop(attended);

        let attended = Attended::start(&stage, &text).await;
        stage.put("a", 20..25);
        stage.until_delivered(25).await;
        attended.stop().await;
        assert_eq!(stage.delivered(), (0..25).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn no_reload_ends_a_pause_not_even_one_that_takes_the_mapping_out_for_a_while() {
    let stage = StreamStage::kinesis(2, 1);
    stage.answers(|_| Reply::ok("{}"));
    let text = |more: &[&str]| stage.configuration("TRIM_HORIZON", more);
    let attended = Attended::start(&stage, &text(&[])).await;
    let uuid = stage.uuid();
    seconds(1).await;
    attended.pause(&uuid).await;
    stage.put("a", 0..10);
    for text in [
        text(&["BatchSize: 3"]),
        text(&["Enabled: false"]),
        text(&["BatchSize: 4"]),
        "EventSourceMappings: []".to_owned(),
        text(&["BatchSize: 5"]),
    ] {
        attended.reload(&text).await;
        seconds(30).await;
        assert_eq!(stage.delivered().len(), 0, "{text}");
        if text.contains("Name") {
            assert_eq!(attended.get(&uuid).await["Paused"], true);
            assert_eq!(states(&stage), (true, State::Disabled, PAUSED.to_owned()));
        }
    }
    attended.reload(&text(&["Enabled: false"])).await;
    assert_eq!(attended.resume(&uuid).await["State"], "Disabled");
    seconds(30).await;
    assert_eq!(states(&stage), (true, State::Disabled, String::new()));
    attended.reload(&text(&[])).await;
    stage.until_delivered(10).await;
    attended.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_runs_when_a_mapping_is_paused_is_settled() {
    let stage = StreamStage::kinesis(3, 1);
    stage.answers(|_| Reply::ok("{}").after(SOON / 30));
    stage.put("a", 0..10);
    let attended = Attended::start(
        &stage,
        &stage.configuration("TRIM_HORIZON", &["BatchSize: 5"]),
    )
    .await;
    let uuid = stage.uuid();
    seconds(1).await;
    assert_eq!(attended.pause(&uuid).await["State"], "Disabling");
    pass(SOON).await;
    assert_eq!(stage.calls().len(), 1);
    assert_eq!(attended.pause(&uuid).await["State"], "Disabled");
    // Its position may be set meanwhile, and it stays paused.
    attended.seek(&uuid, to("TRIM_HORIZON")).await;
    pass(SOON).await;
    assert_eq!(states(&stage).1, State::Disabled);
    attended.resume(&uuid).await;
    stage.until_delivered(15).await;
    attended.stop().await;
    let expected: Vec<u32> = (0..5).chain(0..10).collect();
    assert_eq!(stage.delivered(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_mapping_that_was_made_through_the_api_is_held_through_its_updates_and_let_go_by_its_delete()
 {
    let stage = StreamStage::kinesis(4, 1);
    stage.answers(|_| Reply::ok("{}"));
    stage.put("a", 0..10);
    let attended = Attended::start(&stage, "EventSourceMappings: []").await;
    let create = json!({
        "EventSourceArn": stage.source, "FunctionName": crate::engine::FUNCTION, "StartingPosition": "TRIM_HORIZON",
    });
    let (status, created) = attended.ask(Method::POST, "", "", &create).await;
    assert_eq!(status, 202, "{created}");
    let uuid = created["UUID"].as_str().unwrap().to_owned();
    attended.pause(&uuid).await;
    let came = stage.delivered().len();
    let (_, updated) = attended
        .ask(
            Method::PUT,
            &uuid,
            "",
            &json!({ "BatchSize": 7, "Enabled": true }),
        )
        .await;
    assert_eq!(
        (&updated["State"], &updated["Paused"], &updated["BatchSize"]),
        (&json!("Disabled"), &json!(true), &json!(7))
    );
    stage.put("a", 10..20);
    seconds(60).await;
    drop(attended);
    let attended = Attended::start(&stage, "EventSourceMappings: []").await;
    seconds(60).await;
    assert_eq!(stage.delivered().len(), came);
    let (_, listed) = attended.ask(Method::GET, "", "", &Value::Null).await;
    let listed = &listed["EventSourceMappings"][0];
    assert_eq!(
        (&listed["Paused"], &listed["BatchSize"]),
        (&json!(true), &json!(7))
    );
    attended.ask(Method::DELETE, &uuid, "", &Value::Null).await;
    seconds(1).await;
    drop(attended);
    assert!(stage.stage.store.registered().await.unwrap().is_empty());
}
