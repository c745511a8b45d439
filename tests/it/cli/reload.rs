//! Reload as an operator does it: another configuration in the file, and SIGHUP, or nothing but the file.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::program::{Running, get};
use super::{GOOD, written};
use crate::support::PATIENCE;

const ANOTHER: &str = "  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:invoices
    FunctionName: process
";
const OF_A_STREAM: &str = "  - EventSourceArn: arn:aws:kinesis:us-east-1:123456789012:stream/clicks
    FunctionName: count
    StartingPosition: LATEST
";

struct Gate {
    service: Running,
    address: String,
}

impl Gate {
    async fn start(path: &Path, more: &[&str]) -> Self {
        let path = path.to_str().expect("a plain name");
        let arguments: Vec<&str> = ["run", "--config", path]
            .iter()
            .chain(more)
            .copied()
            .collect();
        let mut service = Running::start(&arguments);
        let started = service.event("started").await;
        let address = started["listen"].as_str().expect("an address").to_owned();
        Self { service, address }
    }

    async fn reloaded(&mut self) -> (u64, u64, u64, u64) {
        let event = self.service.event("configuration reloaded").await;
        Self::counts(&event)
    }

    fn counts(event: &Value) -> (u64, u64, u64, u64) {
        let count = |name: &str| event[name].as_u64().expect("a count");
        (
            count("added"),
            count("changed"),
            count("removed"),
            count("unchanged"),
        )
    }

    fn readiness(&self) -> Value {
        let (_, body) = get(&self.address, "/readyz");
        serde_json::from_str(&body).expect("JSON")
    }

    /// Returns when these mappings are there, and no others.
    async fn mappings(&self, expected: &[&str]) {
        let mut there = Vec::new();
        let named = async {
            while there != *expected {
                tokio::time::sleep(Duration::from_millis(10)).await;
                let mappings = self.readiness()["mappings"].as_array().cloned();
                let mappings = mappings.into_iter().flatten();
                let name = |mapping: Value| mapping["name"].as_str().unwrap_or("").to_owned();
                there = mappings.map(name).collect::<Vec<_>>();
            }
        };
        let named = timeout(PATIENCE, named).await;
        assert!(named.is_ok(), "{there:?} are not {expected:?}");
    }

    fn metric(&self, series: &str) -> String {
        let (_, text) = get(&self.address, "/metrics");
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {series}")).to_owned()
    }

    /// Reloads taken, reloads refused, and whether the last was taken.
    fn reloads(&self) -> [String; 3] {
        [
            "sluicegate_config_reloads_total{outcome=\"success\"}",
            "sluicegate_config_reloads_total{outcome=\"failure\"}",
            "sluicegate_config_last_reload_successful",
        ]
        .map(|series| self.metric(series))
    }

    async fn stop(mut self) {
        self.service.signal("TERM");
        self.service.event("stopped").await;
        assert_eq!(self.service.end().await, Some(0));
    }
}

#[tokio::test]
async fn at_sighup_a_valid_configuration_takes_the_place_of_the_one_in_force() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = written(folder.path(), "good.yaml", GOOD);
    let mut gate = Gate::start(&path, &[]).await;
    assert_eq!(gate.reloads(), ["0", "0", "1"]);
    fs::write(&path, GOOD.to_owned() + ANOTHER).expect("the file is ours");
    gate.service.signal("HUP");
    assert_eq!(gate.reloaded().await, (1, 0, 0, 1));
    gate.mappings(&["invoices-process", "orders-process"]).await;
    fs::write(&path, GOOD.to_owned() + "    BatchSize: 3\n").expect("the file is ours");
    gate.service.signal("HUP");
    // A mapping may be gone before the reload is told of.
    let told = ["configuration reloaded", "gone"];
    let [reloaded, gone] = gate.service.events(told).await;
    assert_eq!(Gate::counts(&reloaded), (0, 1, 1, 0));
    assert_eq!(gone["mapping"], "invoices-process");
    gate.mappings(&["orders-process"]).await;
    assert_eq!(gate.reloads(), ["2", "0", "1"]);
    gate.stop().await;
}

#[tokio::test]
async fn a_configuration_with_errors_changes_nothing_and_is_told_of_everywhere() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = written(folder.path(), "good.yaml", GOOD);
    let mut gate = Gate::start(&path, &[]).await;
    let wrong = GOOD.to_owned() + "    BatchSize: 0\n    BatchSise: 1\n";
    fs::write(&path, wrong).expect("the file is ours");
    gate.service.signal("HUP");
    let name = path.to_str().expect("a plain name");
    let errors = [
        format!("{name}:6: EventSourceMappings[0].BatchSize: 0 is less than 1"),
        format!("{name}:7: EventSourceMappings[0].BatchSise: unknown key; did you mean BatchSize?"),
    ];
    for error in &errors {
        let event = gate.service.event("configuration").await;
        assert_eq!(
            (&event["error"], &event["level"]),
            (&json!(error), &json!("ERROR"))
        );
    }
    let refused = "the configuration is refused: the one in force stays as it is";
    assert_eq!(gate.service.event(refused).await["errors"], 2);
    assert_eq!(gate.readiness()["configuration_errors"], json!(errors));
    gate.mappings(&["orders-process"]).await;
    assert_eq!(gate.reloads(), ["0", "1", "0"]);

    // A file that is gone is no empty configuration.
    fs::remove_file(&path).expect("the file is ours");
    gate.service.signal("HUP");
    gate.service.event(refused).await;
    gate.mappings(&["orders-process"]).await;

    fs::write(&path, GOOD).expect("the file is ours");
    gate.service.signal("HUP");
    assert_eq!(gate.reloaded().await, (0, 0, 0, 1));
    assert_eq!(gate.readiness()["configuration_errors"], Value::Null);
    assert_eq!(gate.reloads(), ["1", "2", "1"]);
    gate.stop().await;
}

#[tokio::test]
async fn watched_files_need_no_signal() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    written(folder.path(), "a.yaml", GOOD);
    let mut gate = Gate::start(folder.path(), &["--watch"]).await;
    let more = format!("EventSourceMappings:\n{ANOTHER}");
    written(folder.path(), "b.yaml", &more);
    assert_eq!(gate.reloaded().await, (1, 0, 0, 1));
    gate.mappings(&["invoices-process", "orders-process"]).await;
    gate.stop().await;
}

#[tokio::test]
async fn the_first_stream_opens_the_checkpoint_file_or_is_refused() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let file = folder.path().join("checkpoints.db");
    fs::create_dir(&file).expect("the folder is ours");
    let name = file.to_str().expect("a plain name");
    let good = format!("Checkpoints: {{ File: '{name}' }}\n{GOOD}");
    let path = written(folder.path(), "good.yaml", &good);
    let mut gate = Gate::start(&path, &[]).await;
    fs::write(&path, format!("{good}{OF_A_STREAM}")).expect("the file is ours");
    gate.service.signal("HUP");
    let error = gate.service.event("configuration").await["error"].to_string();
    assert!(error.contains(name), "{error}");
    gate.mappings(&["orders-process"]).await;

    fs::remove_dir(&file).expect("nobody has it");
    gate.service.signal("HUP");
    assert_eq!(gate.reloaded().await, (1, 0, 0, 1));
    assert!(file.is_file());
    gate.mappings(&["clicks-count", "orders-process"]).await;
    // It is opened once.
    gate.service.signal("HUP");
    assert_eq!(gate.reloaded().await, (0, 0, 0, 2));
    gate.stop().await;
}

#[tokio::test]
async fn what_can_not_change_under_way_says_so() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = written(folder.path(), "good.yaml", GOOD);
    let mut gate = Gate::start(&path, &[]).await;
    let other = GOOD.replace("127.0.0.1:0", "127.0.0.1:1");
    fs::write(&path, other.replace("us-east-1, E", "eu-west-1, E")).expect("the file is ours");
    gate.service.signal("HUP");
    let later = "differs from what is in force, and takes effect at the next start";
    for element in ["Service", "Aws"] {
        assert_eq!(gate.service.event(later).await["element"], element);
    }
    assert_eq!(gate.reloaded().await, (0, 0, 0, 1));
    gate.stop().await;
}
