//! A mapping as AWS shows it. // spec: 1.3, 1.5

use serde_json::{Map, Value, json};

use super::registration::Registration;
use crate::config::arn::Arn;
use crate::config::mapping::Mapping;
use crate::config::mapping::stream::{StartingPosition, Stream};
use crate::status::State;

/// What a mapping is at, as the service tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What it is doing now.
    pub state: State,
    /// How its last batch ended; AWS shows it of streams only.
    pub last: Last,
}

/// How it went last.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Last {
    /// Nothing was invoked yet.
    #[default]
    Nothing,
    /// The function handled a batch, or told which of its records it did not.
    Handled,
    /// The function failed.
    FunctionFailed,
    /// The source cannot be read: its error.
    SourceFailed(String),
}

/// What of a mapping is shown beside its settings.
pub(super) struct Shown<'a> {
    pub mapping: &'a Mapping,
    pub state: State,
    pub last: &'a Last,
    pub last_modified_ms: u64,
    /// `None`: it stands in a file.
    pub registration: Option<&'a Registration>,
    /// An operator holds it.
    pub paused: bool,
}

/// In place of AWS's reason.
const PAUSED: &str = "Paused by the control API";

/// Settings that nothing here follows, and that are shown to whoever set them; and ours, to whoever knows them.
const SHOWN_AS_GIVEN: [&str; 4] = ["MetricsConfig", "LoggingConfig", "Name", "Extensions"];

impl Shown<'_> {
    pub fn json(&self) -> Value {
        let mapping = self.mapping;
        let function = mapping.function_arn();
        let response_types: &[&str] = match mapping.reports_item_failures {
            true => &["ReportBatchItemFailures"],
            false => &[],
        };
        let mut shown = Map::new();
        let mut set = |key: &str, value: Value| shown.insert(key.to_owned(), value);
        set("BatchSize", json!(mapping.batch_size));
        set("EventSourceArn", json!(mapping.source.to_string()));
        set("EventSourceMappingArn", json!(arn(mapping)));
        set("FunctionArn", json!(function));
        set("FunctionResponseTypes", json!(response_types));
        set("LastModified", json!(self.last_modified()));
        let window = mapping.window.as_secs();
        set("MaximumBatchingWindowInSeconds", json!(window));
        set("State", json!(state(self.state)));
        set("UUID", json!(mapping.uuid));
        if !mapping.filter_patterns.is_empty() {
            let patterns = mapping.filter_patterns.iter();
            let filters: Vec<Value> = patterns.map(|text| json!({ "Pattern": text })).collect();
            set("FilterCriteria", json!({ "Filters": filters }));
        }
        if let Some(count) = mapping.maximum_concurrency {
            set("ScalingConfig", json!({ "MaximumConcurrency": count }));
        }
        if let Some(registration) = self.registration {
            for key in SHOWN_AS_GIVEN {
                if let Some(value) = registration.properties.get(key) {
                    set(key, value.clone());
                }
            }
        }
        let reason = match &mapping.stream {
            _ if self.paused => PAUSED,
            None => "USER_INITIATED",
            Some(_) => "User action",
        };
        set("StateTransitionReason", json!(reason));
        if self.paused {
            set("Paused", json!(true));
        }
        match &mapping.stream {
            None => {}
            Some(stream) => {
                set("LastProcessingResult", json!(last(self.last)));
                for (key, value) in stream_settings(stream) {
                    set(key, value);
                }
            }
        }
        Value::Object(shown)
    }

    /// Epoch seconds; of a stream's mapping that has settled, of the minute.
    fn last_modified(&self) -> f64 {
        let ms = self.last_modified_ms;
        let resting = matches!(state(self.state), "Enabled" | "Disabled");
        match self.mapping.stream {
            Some(_) if resting => epoch_seconds(ms - ms % 60_000),
            Some(_) | None => epoch_seconds(ms),
        }
    }
}

/// A registration that is held back: as it was asked for, and why.
pub(super) fn held(registration: &Registration, why: &str, paused: bool) -> Value {
    let mut shown = registration.properties.settings().clone();
    let mut set = |key: &str, value: Value| shown.insert(key.to_owned(), value);
    set(
        "LastModified",
        json!(epoch_seconds(registration.last_modified_ms)),
    );
    set("State", json!("Disabled"));
    set("StateTransitionReason", json!(why));
    set("UUID", json!(registration.uuid));
    if paused {
        set("Paused", json!(true));
    }
    Value::Object(shown)
}

/// `arn:aws:lambda:<region>:<account>:event-source-mapping:<uuid>`, region and account those of the function.
pub(super) fn arn(mapping: &Mapping) -> String {
    let function = mapping.function_arn();
    let home = function
        .parse::<Arn>()
        .unwrap_or_else(|_| mapping.source.clone());
    let Arn {
        partition,
        region,
        account,
        ..
    } = home;
    let uuid = &mapping.uuid;
    format!("arn:{partition}:lambda:{region}:{account}:event-source-mapping:{uuid}")
}

fn stream_settings(stream: &Stream) -> Vec<(&'static str, Value)> {
    let on_failure = match &stream.on_failure {
        Some(destination) => json!({ "Destination": destination.arn() }),
        None => json!({}),
    };
    let age = stream.age_max.map(|age| age.as_secs());
    let tumbling = stream.tumbling_window.unwrap_or_default();
    let mut settings = vec![
        ("BisectBatchOnFunctionError", json!(stream.bisect)),
        ("DestinationConfig", json!({ "OnFailure": on_failure })),
        (
            "MaximumRecordAgeInSeconds",
            age.map_or_else(|| json!(-1), |age| json!(age)),
        ),
        (
            "MaximumRetryAttempts",
            json!(stream.retries_max.map_or(-1, i64::from)),
        ),
        (
            "ParallelizationFactor",
            json!(stream.parallelization_factor),
        ),
        ("StartingPosition", json!(stream.starting_position.name())),
        ("TumblingWindowInSeconds", json!(tumbling.as_secs())),
    ];
    if let StartingPosition::AtTimestamp { ms } = stream.starting_position {
        settings.push(("StartingPositionTimestamp", json!(epoch_seconds(ms))));
    }
    settings
}

/// AWS's word.
fn state(state: State) -> &'static str {
    match state {
        State::Creating => "Creating",
        State::Enabling => "Enabling",
        State::Enabled | State::Failing => "Enabled",
        State::Updating => "Updating",
        State::Disabling => "Disabling",
        State::Disabled => "Disabled",
        State::Deleting => "Deleting",
    }
}

fn last(last: &Last) -> &str {
    match last {
        Last::Nothing => "No records processed",
        Last::Handled => "OK",
        Last::FunctionFailed => "PROBLEM: Function call failed",
        Last::SourceFailed(error) => error,
    }
}

/// A double holds every millisecond of these years apart.
pub(super) fn epoch_seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
