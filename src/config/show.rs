//! The effective configuration for `validate`: a table to read, or JSON under AWS's names.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Config;
use super::aws::Aws;
use super::checkpoints::Checkpoints;
use super::function::{FunctionEntry, Target};
use super::mapping::Mapping;
use super::mapping::stream::{Kind, StartingPosition, Stream};
use super::url::without_query;

/// The columns of a queue's mapping; those of a stream's come behind them, where there is one.
const HEADINGS: [&str; 11] = [
    "NAME",
    "STATE",
    "KIND",
    "SOURCE",
    "FUNCTION",
    "RUNS AT",
    "BATCH",
    "WINDOW",
    "CONCURRENCY",
    "FILTERS",
    "REPLY",
];
const STREAM_HEADINGS: [&str; 5] = ["STARTS AT", "RETRIES", "AGE", "TUMBLING", "ON FAILURE"];

/// The mappings with every default filled in, one a line below a line of headings; ends in a line break.
pub fn table(config: &Config) -> String {
    let mappings = &config.mappings;
    let streams = mappings.iter().any(|mapping| mapping.stream.is_some());
    let mut headings = HEADINGS.to_vec();
    if streams {
        headings.extend(STREAM_HEADINGS);
    }
    let headings: Vec<String> = headings.into_iter().map(str::to_owned).collect();
    let columns = headings.len();
    let row = |mapping: &Arc<Mapping>| {
        let cells = row(mapping).into_iter().chain(stream_row(mapping));
        cells.take(columns).collect()
    };
    let rows: Vec<Vec<String>> = [headings]
        .into_iter()
        .chain(mappings.iter().map(row))
        .collect();
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut table = String::new();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        table.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        table.push('\n');
    }
    table
}

fn row(mapping: &Mapping) -> [String; 11] {
    [
        mapping.name.clone(),
        state(mapping).to_owned(),
        kind(mapping).to_owned(),
        mapping.source.to_string(),
        mapping.function_name.clone(),
        match &mapping.target {
            Target::Lambda { region, .. } => format!("AWS Lambda, {region}"),
            Target::Http { url, timeout, .. } => {
                format!("{}, {} s", without_query(url), timeout.as_secs())
            }
        },
        mapping.batch_size.to_string(),
        format!("{} s", mapping.window.as_secs()),
        match (&mapping.stream, mapping.maximum_concurrency) {
            (Some(stream), _) => format!("{} a shard", stream.parallelization_factor),
            (None, Some(count)) => format!("at most {count}"),
            (None, None) => "automatic".to_owned(),
        },
        match mapping.filter_patterns.len() {
            0 => "none".to_owned(),
            count => count.to_string(),
        },
        match mapping.reports_item_failures {
            true => "item failures".to_owned(),
            false => "whole batch".to_owned(),
        },
    ]
}

fn kind(mapping: &Mapping) -> &'static str {
    match mapping.stream.as_ref().map(|stream| &stream.kind) {
        None if mapping.fifo() => "SQS FIFO",
        None => "SQS",
        Some(Kind::Kinesis {
            consumer: false, ..
        }) => "Kinesis",
        Some(Kind::Kinesis { consumer: true, .. }) => "Kinesis fan-out",
        Some(Kind::DynamoDb) => "DynamoDB",
    }
}

fn stream_row(mapping: &Mapping) -> [String; 5] {
    let Some(stream) = &mapping.stream else {
        return std::array::from_fn(|_| "-".to_owned());
    };
    let seconds = |span: Option<Duration>, none: &str| match span {
        Some(span) => format!("{} s", span.as_secs()),
        None => none.to_owned(),
    };
    let retries = stream
        .retries_max
        .map_or_else(|| "unlimited".to_owned(), |retries| retries.to_string());
    [
        match stream.starting_position {
            position @ (StartingPosition::TrimHorizon | StartingPosition::Latest) => {
                position.name().to_owned()
            }
            position @ StartingPosition::AtTimestamp { ms } => {
                format!("{} {}", position.name(), epoch_seconds(ms))
            }
        },
        match stream.bisect {
            true => format!("{retries}, bisecting"),
            false => retries,
        },
        seconds(stream.age_max, "unlimited"),
        seconds(stream.tumbling_window, "none"),
        match &stream.on_failure {
            Some(destination) => destination.arn(),
            None => "none".to_owned(),
        },
    ]
}

fn state(mapping: &Mapping) -> &'static str {
    match mapping.enabled {
        true => "Enabled",
        false => "Disabled",
    }
}

/// Every effective value under its name in a configuration file, mappings also with the names that AWS prints. It is a valid
/// configuration file itself, but for queries in URLs, which are left out since they may be keys.
pub fn json(config: &Config) -> Value {
    let functions: Map<String, Value> = config.functions.iter().map(function).collect();
    let mappings: Vec<Value> = config.mappings.iter().map(|one| mapping(one)).collect();
    json!({
        "Service": {
            "Listen": config.service.listen.to_string(),
            "ShutdownGraceInSeconds": config.service.shutdown_grace.as_secs(),
        },
        "Checkpoints": match &config.checkpoints {
            Checkpoints::File(path) => json!({ "File": path }),
            Checkpoints::Memory => json!({ "Memory": true }),
        },
        "Aws": aws(&config.aws),
        "Functions": functions,
        "EventSourceMappings": mappings,
    })
}

/// Null where the usual environment of AWS tools decides.
fn aws(aws: &Aws) -> Value {
    let endpoints = &aws.endpoints;
    json!({
        "Region": aws.region,
        "EndpointUrl": aws.endpoint_url,
        "Endpoints": {
            "Sqs": endpoints.sqs,
            "Kinesis": endpoints.kinesis,
            "DynamoDb": endpoints.dynamodb,
            "DynamoDbStreams": endpoints.dynamodb_streams,
            "Lambda": endpoints.lambda,
            "Sns": endpoints.sns,
            "S3": endpoints.s3,
        },
    })
}

fn function(entry: &FunctionEntry) -> (String, Value) {
    let value = json!({
        "Http": { "Url": entry.url.split('?').next() },
        "TimeoutInSeconds": entry.timeout.as_secs(),
        "RoleArn": entry.role.as_ref().map(ToString::to_string),
    });
    (entry.key.clone(), value)
}

fn mapping(mapping: &Mapping) -> Value {
    let filters = mapping
        .filter_patterns
        .iter()
        .map(|pattern| json!({ "Pattern": pattern }));
    let response_types: &[&str] = match mapping.reports_item_failures {
        true => &["ReportBatchItemFailures"],
        false => &[],
    };
    let mut shown = json!({
        "Name": mapping.name,
        "UUID": mapping.uuid,
        "State": state(mapping),
        "Enabled": mapping.enabled,
        "EventSourceArn": mapping.source.to_string(),
        "FunctionName": mapping.function_name,
        "FunctionArn": mapping.function_arn(),
        "BatchSize": mapping.batch_size,
        "MaximumBatchingWindowInSeconds": mapping.window.as_secs(),
        "FunctionResponseTypes": response_types,
        "FilterCriteria": { "Filters": filters.collect::<Vec<_>>() },
    });
    match &mapping.stream {
        Some(stream) => stream_settings(stream, &mut shown),
        None => {
            shown["ScalingConfig"] = match mapping.maximum_concurrency {
                Some(count) => json!({ "MaximumConcurrency": count }),
                None => json!({}),
            };
        }
    }
    shown
}

fn stream_settings(stream: &Stream, shown: &mut Value) {
    let position = stream.starting_position;
    shown["StartingPosition"] = json!(position.name());
    if let StartingPosition::AtTimestamp { ms } = position {
        shown["StartingPositionTimestamp"] = json!(epoch_seconds(ms));
    }
    shown["ParallelizationFactor"] = json!(stream.parallelization_factor);
    shown["BisectBatchOnFunctionError"] = json!(stream.bisect);
    shown["MaximumRetryAttempts"] = json!(stream.retries_max.map_or(-1, i64::from));
    shown["MaximumRecordAgeInSeconds"] = match stream.age_max {
        Some(age) => json!(age.as_secs()),
        None => json!(-1),
    };
    let tumbling = stream.tumbling_window.unwrap_or_default();
    shown["TumblingWindowInSeconds"] = json!(tumbling.as_secs());
    shown["DestinationConfig"] = match &stream.on_failure {
        Some(destination) => json!({ "OnFailure": { "Destination": destination.arn() } }),
        None => json!({ "OnFailure": {} }),
    };
    shown["Extensions"] = json!({
        "DiscardOnlyFailing": stream.discard_only_failing,
        "OnFailureIncludePayload": stream.on_failure_include_payload,
    });
    match stream.kind {
        Kind::Kinesis { .. } => {
            shown["Extensions"]["DeaggregateKpl"] = json!(stream.deaggregate_kpl);
        }
        Kind::DynamoDb => {}
    }
}

/// As AWS prints a point in time: a double holds every millisecond of these years apart.
fn epoch_seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
