//! What `terraform show -json` prints of a state or a plan -> mappings that were found.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::text::{Names, Text, Variable};
use super::value::Value;
use super::{Absence, Found, Kind};
use crate::config::error::ConfigError;

const MAPPING: &str = "aws_lambda_event_source_mapping";

/// Attributes and AWS's keys of those that are values as such.
const PLAIN: [(&str, &str); 18] = [
    ("uuid", "UUID"),
    ("enabled", "Enabled"),
    ("event_source_arn", "EventSourceArn"),
    ("function_arn", "FunctionArn"),
    ("function_name", "FunctionName"),
    ("starting_position", "StartingPosition"),
    ("starting_position_timestamp", "StartingPositionTimestamp"),
    ("batch_size", "BatchSize"),
    (
        "maximum_batching_window_in_seconds",
        "MaximumBatchingWindowInSeconds",
    ),
    ("parallelization_factor", "ParallelizationFactor"),
    ("tumbling_window_in_seconds", "TumblingWindowInSeconds"),
    ("function_response_types", "FunctionResponseTypes"),
    (
        "bisect_batch_on_function_error",
        "BisectBatchOnFunctionError",
    ),
    ("maximum_retry_attempts", "MaximumRetryAttempts"),
    ("maximum_record_age_in_seconds", "MaximumRecordAgeInSeconds"),
    ("kms_key_arn", "KMSKeyArn"),
    ("topics", "Topics"),
    ("queues", "Queues"),
];

/// What AWS gives where the configuration does not: not known before, and a default here too.
const COMPUTED: [&str; 5] = [
    "uuid",
    "function_arn",
    "parallelization_factor",
    "maximum_retry_attempts",
    "maximum_record_age_in_seconds",
];

/// Blocks, which Terraform keeps as lists, and AWS's keys of those of which nothing is taken over.
const BLOCKS: [(&str, &str); 6] = [
    (
        "amazon_managed_kafka_event_source_config",
        "AmazonManagedKafkaEventSourceConfig",
    ),
    (
        "document_db_event_source_config",
        "DocumentDBEventSourceConfig",
    ),
    ("metrics_config", "MetricsConfig"),
    ("provisioned_poller_config", "ProvisionedPollerConfig"),
    ("self_managed_event_source", "SelfManagedEventSource"),
    (
        "self_managed_kafka_event_source_config",
        "SelfManagedKafkaEventSourceConfig",
    ),
];

/// What only streams have; the state of a queue's mapping holds zeros for it.
const OF_STREAMS: [&str; 6] = [
    "starting_position",
    "parallelization_factor",
    "tumbling_window_in_seconds",
    "bisect_batch_on_function_error",
    "maximum_retry_attempts",
    "maximum_record_age_in_seconds",
];

/// The mappings of a state or a plan, in its order. `file` names it in messages.
///
/// # Errors
/// What is no such output, or has no mapping.
pub fn found(file: &str, text: &str) -> Result<Vec<Found>, ConfigError> {
    let wrong = |line: usize, what: String| ConfigError {
        file: file.to_owned(),
        line,
        path: String::new(),
        what,
    };
    if text.trim().is_empty() {
        let what = "the file is empty; expected the output of `terraform show -json`";
        return Err(wrong(0, what.to_owned()));
    }
    let output: Json = serde_json::from_str(text)
        .map_err(|error| wrong(error.line(), format!("not valid JSON: {error}")))?;
    let values = match (output.get("planned_values"), output.get("values")) {
        (Some(values), _) | (None, Some(values)) => values,
        (None, None) if output.get("lineage").is_some() => {
            let what = "a state file itself; expected what `terraform show -json` prints of it";
            return Err(wrong(0, what.to_owned()));
        }
        // So an empty state is printed.
        (None, None) if output.get("format_version").is_some() => &Json::Null,
        (None, None) => {
            let what =
                "neither values nor planned_values; expected the output of `terraform show -json`";
            return Err(wrong(0, what.to_owned()));
        }
    };
    let mut reader = Reader {
        file,
        unknown: unknown(&output),
        names: Names::default(),
        found: Vec::new(),
    };
    reader.module(&values["root_module"]);
    match reader.found.is_empty() {
        true => Err(wrong(0, format!("no {MAPPING}"))),
        false => Ok(reader.found),
    }
}

/// By address, what of a plan is known only after it was applied.
fn unknown(output: &Json) -> BTreeMap<&str, &Json> {
    let changes = output["resource_changes"].as_array().into_iter().flatten();
    let unknown = changes.filter_map(|resource| {
        let address = resource["address"].as_str()?;
        Some((address, resource.get("change")?.get("after_unknown")?))
    });
    unknown.collect()
}

struct Reader<'a> {
    file: &'a str,
    unknown: BTreeMap<&'a str, &'a Json>,
    names: Names,
    found: Vec<Found>,
}

impl Reader<'_> {
    fn module(&mut self, module: &Json) {
        for resource in module["resources"].as_array().into_iter().flatten() {
            if resource["type"] == MAPPING && resource["mode"] != "data" {
                self.resource(resource);
            }
        }
        for child in module["child_modules"].as_array().into_iter().flatten() {
            self.module(child);
        }
    }

    fn resource(&mut self, resource: &Json) {
        let address = resource["address"].as_str().unwrap_or(MAPPING).to_owned();
        let nothing = Map::new();
        let values = resource["values"].as_object().unwrap_or(&nothing);
        let unknown = self.unknown.get(address.as_str()).copied();
        let is_unknown = |name: &str| unknown.is_some_and(|unknown| unknown[name] == true);
        let queue = values
            .get("event_source_arn")
            .and_then(Json::as_str)
            .is_some_and(|arn| arn.split(':').nth(2) == Some("sqs"));
        let mut settings = Vec::new();
        for (name, key) in PLAIN {
            let value = match values.get(name) {
                Some(value) if says_nothing(name, value, queue) => None,
                Some(value) => Value::from_json(value),
                None if is_unknown(name) && !COMPUTED.contains(&name) => {
                    Some(self.not_known(&address, name))
                }
                None => None,
            };
            settings.extend(value.map(|value| (key.to_owned(), value)));
        }
        // With its qualifier and its account, which a name leaves open.
        if settings.iter().any(|(key, _)| key == "FunctionArn") {
            settings.retain(|(key, _)| key != "FunctionName");
        }
        for (name, key) in BLOCKS {
            let block = values.get(name).and_then(|block| block.get(0));
            let block = block.and_then(Value::from_json);
            settings.extend(block.map(|block| (key.to_owned(), block)));
        }
        settings.extend(blocks(values));
        if any_unknown(unknown, "destination_config") {
            let arn = self.not_known(&address, "destination_config.on_failure.destination_arn");
            settings.retain(|(key, _)| key != "DestinationConfig");
            settings.push(destination_config(arn));
        }
        if any_unknown(unknown, "scaling_config") {
            let count = self.not_known(&address, "scaling_config.maximum_concurrency");
            settings.retain(|(key, _)| key != "ScalingConfig");
            settings.push(scaling_config(count));
        }
        let absent = any_unknown(unknown, "filter_criteria").then(|| {
            let why = "its filter is known after apply, and without it the function would get what the filter keeps away";
            Absence::Unknown(why.to_owned())
        });
        let tagged = ["tags", "tags_all"].map(|name| values.get(name).and_then(Value::from_json));
        let tags = tagged.into_iter().flatten().find(|tags| !tags.hollow());
        settings.extend(tags.map(|tags| ("Tags".to_owned(), tags)));
        self.found.push(Found {
            origin: format!("{address}, {}", self.file),
            name: Some(name(resource, &address)),
            kind: queue.then_some(Kind::Queue),
            settings,
            notes: Vec::new(),
            absent,
        });
    }

    fn not_known(&mut self, address: &str, attribute: &str) -> Value {
        let attribute_of = format!("{address}.{attribute}");
        let short = attribute_of.replace(&format!("{MAPPING}."), "");
        Value::Text(Text::variable(Variable {
            name: self.names.of(&short, &attribute_of),
            stands_for: format!("{attribute_of}, known after apply, {}", self.file),
            sample: None,
        }))
    }
}

/// Whether anything in it is not known: blocks are nested.
fn any_unknown(unknown: Option<&Json>, name: &str) -> bool {
    fn any(unknown: &Json) -> bool {
        match unknown {
            Json::Bool(unknown) => *unknown,
            Json::Array(items) => items.iter().any(any),
            Json::Object(entries) => entries.values().any(any),
            Json::Null | Json::Number(_) | Json::String(_) => false,
        }
    }
    unknown.is_some_and(|unknown| any(&unknown[name]))
}

/// A zero or an empty text that stands for nothing: Terraform keeps one for every attribute.
fn says_nothing(name: &str, value: &Json, queue: bool) -> bool {
    let zero = value == 0 || value == false || value == "";
    let zero_is_none = matches!(
        name,
        "parallelization_factor" | "maximum_record_age_in_seconds"
    );
    zero && (zero_is_none || (queue && OF_STREAMS.contains(&name)))
}

fn blocks(values: &Map<String, Json>) -> Vec<(String, Value)> {
    let mut settings = Vec::new();
    let first = |name: &str| values.get(name).and_then(|block| block.get(0));
    let destination = first("destination_config")
        .and_then(|config| Value::from_json(config["on_failure"][0].get("destination_arn")?));
    settings.extend(destination.map(destination_config));
    let concurrency = first("scaling_config")
        .and_then(|config| Value::from_json(config.get("maximum_concurrency")?))
        .filter(|count| *count != Value::Int(0));
    settings.extend(concurrency.map(scaling_config));
    let filters = first("filter_criteria").and_then(|criteria| criteria["filter"].as_array());
    settings.extend(filters.map(|filters| {
        let pattern = |filter: &Json| {
            let pattern = Value::from_json(filter.get("pattern")?)?;
            Some(Value::Map(vec![("Pattern".to_owned(), pattern)]))
        };
        let filters = Value::List(filters.iter().filter_map(pattern).collect());
        let criteria = Value::Map(vec![("Filters".to_owned(), filters)]);
        ("FilterCriteria".to_owned(), criteria)
    }));
    settings
}

fn scaling_config(count: Value) -> (String, Value) {
    let config = vec![("MaximumConcurrency".to_owned(), count)];
    ("ScalingConfig".to_owned(), Value::Map(config))
}

fn destination_config(arn: Value) -> (String, Value) {
    let destination = Value::Map(vec![("Destination".to_owned(), arn)]);
    let on_failure = Value::Map(vec![("OnFailure".to_owned(), destination)]);
    ("DestinationConfig".to_owned(), on_failure)
}

/// Its name in the module, with its index, and behind the modules that it is in.
fn name(resource: &Json, address: &str) -> String {
    let modules = address.split(&format!("{MAPPING}.")).next();
    let modules = modules.unwrap_or_default().replace("module.", "");
    let index = match &resource["index"] {
        Json::String(index) => format!("-{index}"),
        Json::Number(index) => format!("-{index}"),
        _ => String::new(),
    };
    let name = resource["name"].as_str().unwrap_or_default();
    let name = format!("{modules}{name}{index}");
    // An address has indexes of modules in it: `workers["eu"].orders`.
    name.replace(['"', ']'], "").replace('[', "-")
}
