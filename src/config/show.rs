//! The effective configuration for `validate`: a table to read, or JSON under AWS's names.

use serde_json::{Map, Value, json};

use super::Config;
use super::aws::Aws;
use super::checkpoints::Checkpoints;
use super::function::{FunctionEntry, Target};
use super::mapping::Mapping;
use super::url::without_query;

const HEADINGS: [&str; 10] = [
    "NAME",
    "STATE",
    "SOURCE",
    "FUNCTION",
    "RUNS AT",
    "BATCH",
    "WINDOW",
    "CONCURRENCY",
    "FILTERS",
    "REPLY",
];

/// The mappings with every default filled in, one a line below a line of headings; ends in a line break.
pub fn table(config: &Config) -> String {
    let headings = HEADINGS.map(str::to_owned);
    let rows: Vec<[String; 10]> = [headings]
        .into_iter()
        .chain(config.mappings.iter().map(row))
        .collect();
    let widths: Vec<usize> = (0..HEADINGS.len())
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

fn row(mapping: &Mapping) -> [String; 10] {
    [
        mapping.name.clone(),
        state(mapping).to_owned(),
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
        match mapping.maximum_concurrency {
            Some(count) => format!("at most {count}"),
            None => "automatic".to_owned(),
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
    let mappings: Vec<Value> = config.mappings.iter().map(mapping).collect();
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
    let scaling = match mapping.maximum_concurrency {
        Some(count) => json!({ "MaximumConcurrency": count }),
        None => json!({}),
    };
    json!({
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
        "ScalingConfig": scaling,
    })
}
