//! Pause, resume and positions over HTTP, from outside of a process that is killed now and then.

use serde_json::{Value, json};

use crate::e2e::numbers;
use crate::e2e::streams::delivered;
use crate::support::cloud::Cloud;
use crate::support::collector::{Collector, Reply};
use crate::support::gate::{Gate, Page};
use crate::support::queue::{EMPTY, QueueShape};

crate::support::scenarios! {
    whoever_asks_must_be_let_in_and_whoever_only_looks_changes_nothing,
    a_pause_is_kept_in_a_file_that_was_not_there_and_outlives_the_process,
    a_position_is_set_and_taken_back_over_deaths_of_the_process,
}

const MAPPINGS: &str = "/2015-03-31/event-source-mappings";

async fn ask(gate: &Gate, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let path = format!("{MAPPINGS}/{path}");
    let (page, _) = gate.ask(method, &path, "", &body).await;
    (page.status, page.json())
}

async fn uuid(gate: &Gate) -> String {
    let (_, listed) = ask(gate, "GET", "", &Value::Null).await;
    let uuid = listed["EventSourceMappings"][0]["UUID"].as_str();
    uuid.expect("a mapping").to_owned()
}

async fn whoever_asks_must_be_let_in_and_whoever_only_looks_changes_nothing(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let stream = cloud.stream("clicks", 1).await;
    let function = cloud.function("count", &collector).await;
    let config = cloud
        .config()
        .api("TokenFile: write.token, ReadOnlyTokenFile: read.token")
        .mapping(
            "clicks",
            &stream.arn,
            &function,
            "StartingPosition: LATEST, Enabled: false",
        );
    let program = config.program();
    let program = program.file("write.token", "a-token-that-may-do-all");
    let gate = program
        .file("read.token", "a-token-that-may-look")
        .start()
        .await;
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let (nobody, other) = (String::new(), bearer("a-token-that-nobody-has"));
    let (reader, writer) = (
        bearer("a-token-that-may-look"),
        bearer("a-token-that-may-do-all"),
    );
    let look = async |path: String| gate.ask("GET", &path, &reader, "").await.0.json();
    let listed = look(MAPPINGS.to_owned()).await;
    let uuid = listed["EventSourceMappings"][0]["UUID"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = |verb: &str| format!("{MAPPINGS}/{uuid}{verb}");
    let before = look(path("")).await;
    let latest = r#"{"StartingPosition":"LATEST"}"#;
    for (method, verb, body, granted) in [
        ("GET", "/position", "", 200),
        ("PUT", "/position", latest, 200),
        ("PUT", "/position", r#"{"Undo":true}"#, 200),
        ("POST", "/pause", "", 202),
        ("POST", "/resume", "", 202),
    ] {
        let asked = |head: String| {
            let path = path(verb);
            let gate = &gate;
            async move { gate.ask(method, &path, &head, body).await.0 }
        };
        for stranger in [&nobody, &other] {
            assert_eq!(asked(stranger.clone()).await.status, 403, "{method} {verb}");
        }
        let read: Page = asked(reader.clone()).await;
        let looks = method == "GET";
        assert_eq!(
            read.status,
            if looks { 200 } else { 403 },
            "{method} {verb}: {}",
            read.body
        );
        let after = look(path("")).await;
        assert_eq!(after, before, "{method} {verb}");
        let written = asked(writer.clone()).await;
        assert_eq!(written.status, granted, "{method} {verb}: {}", written.body);
        if verb == "/pause" {
            let (resumed, _) = gate.ask("POST", &path("/resume"), &writer, "").await;
            assert_eq!(resumed.json()["State"], "Disabled");
        }
    }
    // Wrong everything.
    let unknown = format!("{MAPPINGS}/{}/pause", "0".repeat(36));
    for (method, path, body, status, code) in [
        (
            "POST",
            unknown.clone(),
            "",
            404,
            "ResourceNotFoundException",
        ),
        ("GET", unknown, "", 405, "MethodNotAllowedException"),
        (
            "POST",
            path("/resume"),
            "{\"a\":1}",
            400,
            "InvalidParameterValueException",
        ),
        (
            "PUT",
            path("/position"),
            "{",
            400,
            "InvalidRequestContentException",
        ),
        (
            "PUT",
            path("/position"),
            "{}",
            400,
            "InvalidParameterValueException",
        ),
        (
            "PUT",
            path("/position"),
            r#"{"StartingPosition":"x"}"#,
            400,
            "ValidationException",
        ),
        (
            "PUT",
            path("/position"),
            r#"{"Undo":true}"#,
            400,
            "InvalidParameterValueException",
        ),
        (
            "GET",
            path("/position?MaxItems=0"),
            "",
            400,
            "ValidationException",
        ),
        (
            "GET",
            path("/position?Marker=%25"),
            "",
            400,
            "InvalidParameterValueException",
        ),
        (
            "PATCH",
            path("/position"),
            "",
            405,
            "MethodNotAllowedException",
        ),
        (
            "GET",
            path("/positions"),
            "",
            404,
            "UnknownOperationException",
        ),
    ] {
        let (page, told) = gate.ask(method, &path, &writer, body).await;
        assert_eq!(page.status, status, "{method} {path} {body}: {}", page.body);
        assert_eq!(told.as_deref(), Some(code), "{method} {path} {body}");
    }
    gate.stop().await;
}

async fn a_pause_is_kept_in_a_file_that_was_not_there_and_outlives_the_process(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    // A server may give messages to the long poll of a process that was killed: they are there again soon.
    let shape = QueueShape {
        visibility_s: Some(5),
        ..QueueShape::default()
    };
    let queue = cloud.queue("orders", shape).await;
    let function = cloud.function("process", &collector).await;
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("checkpoints.db");
    let config =
        cloud
            .config()
            .checkpoints(&file)
            .mapping("orders", &queue.arn, &function, "BatchSize: 3");
    let gate = config.start().await;
    gate.ready().await;
    assert!(!file.exists(), "there is nothing to keep yet");
    let uuid = uuid(&gate).await;
    let (status, paused) = ask(&gate, "POST", &format!("{uuid}/pause"), &Value::Null).await;
    assert_eq!(
        (status, &paused["State"], &paused["Paused"]),
        (202, &json!("Disabling"), &json!(true))
    );
    assert!(file.exists(), "a pause is kept before it is answered");
    let (status, body) = ask(&gate, "GET", &format!("{uuid}/position"), &Value::Null).await;
    assert_eq!(status, 400);
    assert!(
        body["message"].as_str().unwrap().contains("is of a queue"),
        "{body}"
    );
    gate.kill().await;

    queue.send_all(&numbers(5)).await;
    let mut gate = config.start().await;
    let told = |line: &Value| line["level"] == "WARN" && line["uuid"] == uuid.as_str();
    let line = gate.wait_for_log("the pause", told).await;
    let message = line["message"].as_str().unwrap();
    assert!(message.starts_with("the mapping is paused"), "{message}");
    let page = gate.ready().await;
    let mapping = page.mapping("orders");
    assert_eq!(
        (&mapping["state"], &mapping["reason"]),
        (&json!("Disabled"), &json!("paused by the control API"))
    );
    // From when it is resumed, they may be here before the answer.
    assert!(
        collector.calls().is_empty(),
        "nothing came while it was paused"
    );
    let (status, resumed) = ask(&gate, "POST", &format!("{uuid}/resume"), &Value::Null).await;
    assert_eq!(
        (status, &resumed["State"], &resumed["Paused"]),
        (202, &json!("Enabling"), &json!(false))
    );
    queue.wait_for(EMPTY).await;
    gate.kill().await;

    let gate = config.start().await;
    let (status, shown) = ask(&gate, "GET", &uuid, &Value::Null).await;
    assert_eq!((status, shown.get("Paused")), (200, None));
    gate.stop().await;
}

async fn a_position_is_set_and_taken_back_over_deaths_of_the_process(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let stream = cloud.stream("clicks", 1).await;
    let function = cloud.function("count", &collector).await;
    let texts = numbers(5);
    stream.put("a", &texts).await;
    let home = tempfile::tempdir().unwrap();
    let config = cloud
        .config()
        .checkpoints(&home.path().join("checkpoints.db"))
        .mapping(
            "clicks",
            &stream.arn,
            &function,
            "StartingPosition: TRIM_HORIZON",
        );
    let gate = config.start().await;
    let seen = |count: usize| {
        collector.wait_for("all records", move |calls| delivered(calls).len() >= count)
    };
    seen(5).await;
    let uuid = uuid(&gate).await;
    let path = format!("{uuid}/position");
    let settled = async {
        loop {
            let (status, at) = ask(&gate, "GET", &path, &Value::Null).await;
            assert_eq!(status, 200, "{at}");
            if at["Shards"][0].get("AfterSequenceNumber").is_some() {
                return at;
            }
            tokio::time::sleep(crate::support::POLL).await;
        }
    };
    let settled = settled.await;
    let horizon = json!({ "StartingPosition": "TRIM_HORIZON" });
    let (status, set) = ask(&gate, "PUT", &path, &horizon).await;
    assert_eq!(
        (status, &set["Shards"][0]["StartingPosition"]),
        (200, &json!("TRIM_HORIZON"))
    );
    gate.kill().await;

    let gate = config.start().await;
    seen(10).await;
    let (status, back) = ask(&gate, "PUT", &path, &json!({ "Undo": true })).await;
    assert_eq!((status, &back["Shards"]), (200, &settled["Shards"]));
    gate.kill().await;

    let before = delivered(&collector.calls()).len();
    let gate = config.start().await;
    stream.put("a", &["more".to_owned()]).await;
    seen(before + 1).await;
    gate.stop().await;
    let came = delivered(&collector.calls());
    assert_eq!(came[before..], ["more"]);
}
