//! Every row of AWS's table of settings: just inside is taken, just outside is not. // spec: 1.2

use std::sync::Arc;

use serde_json::{Value, json};

use super::{CONSUMER, FIFO, QUEUE, STREAM, TABLE, empty, request, try_create};
use crate::config::Config;

fn accepted(source: &str, settings: Value) -> Result<(), String> {
    let change = try_create(&empty(), &request(source, settings), 1);
    change.map(|_| ()).map_err(|refusal| refusal.message)
}

#[test]
fn a_setting_is_taken_to_its_bounds_and_not_beyond() {
    let at_most = |max: i64| format!("Member must have value less than or equal to {max}");
    let at_least = |min: i64| format!("Member must have value greater than or equal to {min}");
    let ranges: [(&str, &str, i64, i64); 13] = [
        (QUEUE, "MaximumBatchingWindowInSeconds", 0, 300),
        (STREAM, "MaximumBatchingWindowInSeconds", 0, 300),
        (STREAM, "BatchSize", 1, 10_000),
        (TABLE, "BatchSize", 1, 10_000),
        (STREAM, "ParallelizationFactor", 1, 10),
        (TABLE, "ParallelizationFactor", 1, 10),
        (STREAM, "MaximumRetryAttempts", -1, 10_000),
        (TABLE, "MaximumRetryAttempts", -1, 10_000),
        (STREAM, "MaximumRecordAgeInSeconds", -1, 604_800),
        (TABLE, "MaximumRecordAgeInSeconds", -1, 604_800),
        (STREAM, "TumblingWindowInSeconds", 0, 900),
        (CONSUMER, "TumblingWindowInSeconds", 0, 900),
        (TABLE, "TumblingWindowInSeconds", 0, 900),
    ];
    for (source, key, min, max) in ranges {
        let (first, rest) = key.split_at(1);
        let member = format!("{}{rest}", first.to_lowercase());
        let refused = |value: i64, why: &str| {
            Err(format!(
                "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {why}"
            ))
        };
        for value in [min, max] {
            assert_eq!(
                accepted(source, json!({ key: value })),
                Ok(()),
                "{key} {value}"
            );
        }
        let too_large = accepted(source, json!({ key: max + 1 }));
        assert_eq!(too_large, refused(max + 1, &at_most(max)));
        let too_small = accepted(source, json!({ key: min - 1 }));
        assert_eq!(too_small, refused(min - 1, &at_least(min)));
        for wrong in [
            json!("1"),
            json!(1.5),
            json!(true),
            json!([]),
            json!({}),
            json!(1e20),
        ] {
            let error = accepted(source, json!({ key: wrong })).unwrap_err();
            assert!(error.ends_with("Member must be an integer"), "{error}");
        }
    }
    for age in [0, 1, 59] {
        let error = accepted(STREAM, json!({ "MaximumRecordAgeInSeconds": age })).unwrap_err();
        let expected = format!(
            "MaximumRecordAgeInSeconds: {age} is less than 60; expected 60 to 604800, or -1 for no limit"
        );
        assert_eq!(error, expected);
    }
    assert_eq!(
        accepted(STREAM, json!({ "MaximumRecordAgeInSeconds": 60 })),
        Ok(())
    );
}

/// Text, lists and structures: a value, and the end of what is said of it; "" where it is taken.
#[test]
fn every_other_setting_has_its_shape() {
    let pattern = |chars: usize| {
        let filler = "x".repeat(chars - r#"{"body":[""]}"#.len());
        format!(r#"{{"body":["{filler}"]}}"#)
    };
    let filters = |count: usize| {
        let filters = vec![json!({ "Pattern": r#"{"body":["a"]}"# }); count];
        json!({ "Filters": filters })
    };
    let destination = |text: String| json!({ "OnFailure": { "Destination": text } });
    let named = |chars: usize| format!("arn:aws:sqs:us-east-1:111111111111:{}", "q".repeat(chars));
    let metrics = |names: &[&str]| json!({ "Metrics": names });
    let cases: Vec<(&str, &str, Value, &str)> = vec![
        (QUEUE, "FunctionName", json!("f".repeat(64)), ""),
        (
            QUEUE,
            "FunctionName",
            json!("f".repeat(65)),
            "length less than or equal to 64",
        ),
        (
            QUEUE,
            "FunctionName",
            json!(format!("f:{}", "a".repeat(128))),
            "",
        ),
        (
            QUEUE,
            "FunctionName",
            json!(format!("f:{}", "a".repeat(255))),
            "length less than or equal to 256",
        ),
        (
            QUEUE,
            "FunctionName",
            json!(""),
            "length greater than or equal to 1",
        ),
        (
            QUEUE,
            "FunctionName",
            json!("my function"),
            r"(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?",
        ),
        (QUEUE, "FunctionName", json!(7), "Member must be a string"),
        (
            QUEUE,
            "FunctionName",
            json!(null),
            "Value null at 'functionName' failed to satisfy constraint: Member must not be null",
        ),
        (QUEUE, "EventSourceArn", json!("orders"), r"(\d{12})?:(.*)"),
        (
            QUEUE,
            "EventSourceArn",
            json!("arn:aws:sqs:us-east-1:1:orders"),
            r"(\d{12})?:(.*)",
        ),
        (
            QUEUE,
            "EventSourceArn",
            json!("arn:aws:sqs::111111111111:orders"),
            "names no region; expected such as arn:aws:sqs:us-east-1:123456789012:orders",
        ),
        (QUEUE, "Enabled", json!(false), ""),
        (QUEUE, "Enabled", json!("false"), "Member must be a boolean"),
        (QUEUE, "BatchSize", json!(10), ""),
        (FIFO, "BatchSize", json!(10), ""),
        (FIFO, "MaximumBatchingWindowInSeconds", json!(0), ""),
        (QUEUE, "FilterCriteria", filters(10), ""),
        (
            QUEUE,
            "FilterCriteria",
            filters(11),
            "FilterCriteria.Filters: 11 filters; at most 10 are allowed",
        ),
        (
            QUEUE,
            "FilterCriteria",
            json!({ "Filters": [{ "Pattern": pattern(4_096) }] }),
            "",
        ),
        (
            QUEUE,
            "FilterCriteria",
            json!({ "Filters": [{ "Pattern": pattern(4_097) }] }),
            "length less than or equal to 4096",
        ),
        (
            QUEUE,
            "FilterCriteria",
            json!({ "Filters": [{ "Pattern": {} }] }),
            "Value '{}' at 'filterCriteria.filters.1.member.pattern' failed to satisfy constraint: Member must be a string",
        ),
        (
            QUEUE,
            "FilterCriteria",
            json!({ "Filters": {} }),
            "Value '{}' at 'filterCriteria.filters' failed to satisfy constraint: Member must be a list",
        ),
        (
            QUEUE,
            "FilterCriteria",
            json!({ "Filters": ["a"] }),
            "Value 'a' at 'filterCriteria.filters.1.member' failed to satisfy constraint: Member must be a structure",
        ),
        (
            QUEUE,
            "FilterCriteria",
            json!({ "Filter": [1] }),
            "FilterCriteria.Filter: unknown key; did you mean Filters?",
        ),
        (
            QUEUE,
            "FilterCriteria",
            json!([]),
            "Member must be a structure",
        ),
        (QUEUE, "FilterCriteria", json!({}), ""),
        (QUEUE, "FilterCriteria", json!({ "Filters": [] }), ""),
        (QUEUE, "KMSKeyArn", json!(""), ""),
        (
            QUEUE,
            "KMSKeyArn",
            json!("key"),
            r"(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()",
        ),
        (
            QUEUE,
            "MetricsConfig",
            metrics(&["EventCount", "ErrorCount", "KafkaMetrics"]),
            "",
        ),
        (
            QUEUE,
            "MetricsConfig",
            metrics(&["EventCount"; 4]),
            "Value '[EventCount, EventCount, EventCount, EventCount]' at 'metricsConfig.metrics' failed to satisfy constraint: Member must have length less than or equal to 3",
        ),
        (
            QUEUE,
            "MetricsConfig",
            metrics(&["Other"]),
            "Value '[Other]' at 'metricsConfig.metrics' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [EventCount, ErrorCount, KafkaMetrics], Member must not be null]",
        ),
        (
            QUEUE,
            "LoggingConfig",
            json!({ "SystemLogLevel": "WARN" }),
            "",
        ),
        (
            QUEUE,
            "LoggingConfig",
            json!({ "SystemLogLevel": "ERROR" }),
            "enum value set: [DEBUG, INFO, WARN]",
        ),
        (
            QUEUE,
            "ScalingConfig",
            json!({ "MaximumConcurrency": 1 }),
            "",
        ),
        (
            QUEUE,
            "ScalingConfig",
            json!({ "MaximumConcurrency": 1_000 }),
            "",
        ),
        (
            QUEUE,
            "ScalingConfig",
            json!({ "MaximumConcurrency": 0 }),
            "Value '0' at 'scalingConfig.maximumConcurrency' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            QUEUE,
            "ScalingConfig",
            json!({ "MaximumConcurrency": 1_001 }),
            "Member must have value less than or equal to 1000",
        ),
        (QUEUE, "ScalingConfig", json!({}), ""),
        (STREAM, "ScalingConfig", json!({}), ""),
        (
            STREAM,
            "ScalingConfig",
            json!({ "MaximumConcurrency": 2 }),
            "Unsupported ScalingConfig parameter for given event source mapping type.",
        ),
        (
            QUEUE,
            "ProvisionedPollerConfig",
            json!({ "MinimumPollers": 0 }),
            "Member must have value greater than or equal to 1",
        ),
        (
            QUEUE,
            "ProvisionedPollerConfig",
            json!({ "MinimumPollers": 201 }),
            "Member must have value less than or equal to 200",
        ),
        (
            QUEUE,
            "ProvisionedPollerConfig",
            json!({ "MaximumPollers": 10_001 }),
            "Member must have value less than or equal to 10000",
        ),
        (
            QUEUE,
            "FunctionResponseTypes",
            json!(["ReportBatchItemFailures"]),
            "",
        ),
        (QUEUE, "FunctionResponseTypes", json!([]), ""),
        (
            QUEUE,
            "FunctionResponseTypes",
            json!(vec!["ReportBatchItemFailures"; 2]),
            "Member must have length less than or equal to 1",
        ),
        (
            QUEUE,
            "FunctionResponseTypes",
            json!(["Report"]),
            "Member must satisfy constraint: [Member must satisfy enum value set: [ReportBatchItemFailures], Member must not be null]",
        ),
        (
            QUEUE,
            "FunctionResponseTypes",
            json!([null]),
            "Member must not be null]",
        ),
        (
            STREAM,
            "FunctionResponseTypes",
            json!(["ReportBatchItemFailures"]),
            "",
        ),
        (STREAM, "StartingPosition", json!("LATEST"), ""),
        (TABLE, "StartingPosition", json!("TRIM_HORIZON"), ""),
        (
            TABLE,
            "StartingPosition",
            json!("latest"),
            "enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
        ),
        (
            STREAM,
            "StartingPosition",
            json!("AT_TIMESTAMP"),
            "AT_TIMESTAMP needs StartingPositionTimestamp, which is missing: seconds since 1970 such as 1789650000, or 2026-09-17T12:00:00Z with its offset",
        ),
        (
            STREAM,
            "StartingPositionTimestamp",
            json!(1),
            "for StartingPosition AT_TIMESTAMP only, and this mapping's is TRIM_HORIZON; remove it",
        ),
        (
            STREAM,
            "StartingPositionTimestamp",
            json!(true),
            "Member must be a timestamp",
        ),
        (
            QUEUE,
            "StartingPosition",
            json!("LATEST"),
            "Unsupported StartingPosition parameter for given event source mapping type.",
        ),
        (
            STREAM,
            "DestinationConfig",
            destination(QUEUE.to_owned()),
            "",
        ),
        (
            STREAM,
            "DestinationConfig",
            destination("arn:aws:s3:::bucket".to_owned()),
            "",
        ),
        (
            TABLE,
            "DestinationConfig",
            destination("arn:aws:sns:us-east-1:111111111111:failed".to_owned()),
            "",
        ),
        (STREAM, "DestinationConfig", destination(String::new()), ""),
        (
            STREAM,
            "DestinationConfig",
            destination("failed".to_owned()),
            r"(\d{12})?:(.*)",
        ),
        (
            STREAM,
            "DestinationConfig",
            destination(named(316)),
            "Member must have length less than or equal to 350",
        ),
        (
            STREAM,
            "DestinationConfig",
            destination("kafka://topic".to_owned()),
            "is a topic of Kafka, for sources of Kafka only; expected the ARN of a standard queue, a standard topic or a bucket, such as arn:aws:sqs:us-east-1:123456789012:failed",
        ),
        (
            STREAM,
            "DestinationConfig",
            destination(FIFO.to_owned()),
            "is a FIFO queue, which is no destination of failures; use a standard queue",
        ),
        (QUEUE, "DestinationConfig", json!({}), ""),
        (STREAM, "BisectBatchOnFunctionError", json!(true), ""),
        (
            STREAM,
            "BisectBatchOnFunctionError",
            json!(1),
            "Member must be a boolean",
        ),
        (QUEUE, "BisectBatchOnFunctionError", json!(false), ""),
        (
            QUEUE,
            "BisectBatchOnFunctionError",
            json!(true),
            "Unsupported BisectBatchOnFunctionError parameter for given event source mapping type.",
        ),
        (QUEUE, "MaximumRetryAttempts", json!(-1), ""),
        (
            QUEUE,
            "MaximumRetryAttempts",
            json!(0),
            "Unsupported MaximumRetryAttempts parameter for given event source mapping type.",
        ),
        (
            QUEUE,
            "MaximumRecordAgeInSeconds",
            json!(60),
            "Unsupported MaximumRecordAgeInSeconds parameter for given event source mapping type.",
        ),
        (
            QUEUE,
            "TumblingWindowInSeconds",
            json!(1),
            "Unsupported TumblingWindowInSeconds parameter for given event source mapping type.",
        ),
        (QUEUE, "Tags", json!({ "a": "" }), ""),
        (
            QUEUE,
            "Tags",
            json!({ "a": 1 }),
            "Map value must satisfy constraint: [Member must be a string, Member must not be null]",
        ),
        (QUEUE, "Tags", json!(["a"]), "Member must be a map"),
        (
            QUEUE,
            "Topics",
            json!(["t"]),
            "Unsupported Topics parameter for given event source mapping type.",
        ),
        (
            QUEUE,
            "Topics",
            json!([]),
            "Member must have length greater than or equal to 1",
        ),
        (
            QUEUE,
            "Topics",
            json!(["t", "u"]),
            "Member must have length less than or equal to 1",
        ),
        (
            QUEUE,
            "Topics",
            json!(["t".repeat(250)]),
            "Member must satisfy constraint: [Member must have length less than or equal to 249, Member must have length greater than or equal to 1, Member must not be null]",
        ),
        (
            QUEUE,
            "Queues",
            json!(["q"]),
            "Unsupported Queues parameter for given event source mapping type.",
        ),
        (
            QUEUE,
            "Queues",
            json!(["q".repeat(1_001)]),
            "Member must satisfy constraint: [Member must have length less than or equal to 1000, Member must have length greater than or equal to 1, Member must not be null]",
        ),
        (
            QUEUE,
            "SourceAccessConfigurations",
            json!([{ "Type": "VIRTUAL_HOST", "URI": "/" }]),
            "Unsupported SourceAccessConfigurations parameter for given event source mapping type.",
        ),
        (
            QUEUE,
            "SourceAccessConfigurations",
            json!(vec![json!({}); 24]),
            "Member must have length less than or equal to 23",
        ),
        (
            QUEUE,
            "SourceAccessConfigurations",
            json!([{ "Type": "BASIC_AUTH" }, { "URI": "" }]),
            "Value '' at 'sourceAccessConfigurations.2.member.uRI' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            QUEUE,
            "SelfManagedEventSource",
            json!([]),
            "Member must be a structure",
        ),
        (
            QUEUE,
            "AmazonManagedKafkaEventSourceConfig",
            json!({ "ConsumerGroupId": "" }),
            "length greater than or equal to 1",
        ),
        (
            QUEUE,
            "AmazonManagedKafkaEventSourceConfig",
            json!({ "ConsumerGroupId": "g" }),
            "Unsupported AmazonManagedKafkaEventSourceConfig parameter for given event source mapping type.",
        ),
        (
            QUEUE,
            "SelfManagedKafkaEventSourceConfig",
            json!({ "ConsumerGroupId": "g" }),
            "Unsupported SelfManagedKafkaEventSourceConfig parameter for given event source mapping type.",
        ),
        (
            QUEUE,
            "DocumentDBEventSourceConfig",
            json!({ "FullDocument": "Default" }),
            "Unsupported DocumentDBEventSourceConfig parameter for given event source mapping type.",
        ),
        (
            QUEUE,
            "DocumentDBEventSourceConfig",
            json!({ "FullDocument": "All" }),
            "enum value set: [UpdateLookup, Default]",
        ),
        // Ours.
        (QUEUE, "Name", json!("orders"), ""),
        (QUEUE, "Name", json!("my orders"), "a letter or digit first"),
        (STREAM, "Extensions", json!({ "DeaggregateKpl": true }), ""),
        (
            STREAM,
            "Extensions",
            json!({ "DeaggregateKpl": 1 }),
            "Value '1' at 'extensions.deaggregateKpl' failed to satisfy constraint: Member must be a boolean",
        ),
        (
            STREAM,
            "Extensions",
            json!({ "Other": true }),
            "Extensions.Other: unknown key; expected DiscardOnlyFailing, OnFailureIncludePayload or DeaggregateKpl",
        ),
        (
            QUEUE,
            "Extensions",
            json!({ "DeaggregateKpl": true }),
            "for Kinesis streams only, and this source is an SQS queue; remove it",
        ),
    ];
    for (source, key, value, end) in cases {
        let shown: String = value.to_string().chars().take(80).collect();
        match accepted(source, json!({ key: value })) {
            Ok(()) => assert_eq!(end, "", "{key}: {shown}"),
            Err(error) => assert!(
                !end.is_empty() && error.ends_with(end),
                "{key}: {shown}: {error}"
            ),
        }
    }
}

/// What the API takes a file can hold, as the same mapping; what it refuses for any of a file's reasons a file refuses, too.
#[test]
fn the_api_takes_what_a_file_can_hold() {
    let values = |key: &str| -> Vec<Value> {
        match key {
            "BatchSize" => vec![json!(1), json!(10), json!(11), json!(10_000), json!(10_001)],
            "MaximumBatchingWindowInSeconds" => vec![json!(0), json!(1), json!(300), json!(301)],
            "ParallelizationFactor" => vec![json!(1), json!(10), json!(11)],
            "TumblingWindowInSeconds" => vec![json!(0), json!(900), json!(901)],
            "MaximumRecordAgeInSeconds" => vec![json!(-1), json!(0), json!(59), json!(60)],
            "MaximumRetryAttempts" => vec![json!(-2), json!(-1), json!(0), json!(10_001)],
            "ScalingConfig" => vec![json!({}), json!({ "MaximumConcurrency": 1 })],
            _ => vec![json!({}), json!({ "OnFailure": { "Destination": QUEUE } })],
        }
    };
    let keys = [
        "BatchSize",
        "MaximumBatchingWindowInSeconds",
        "ParallelizationFactor",
        "TumblingWindowInSeconds",
        "MaximumRecordAgeInSeconds",
        "MaximumRetryAttempts",
        "ScalingConfig",
        "DestinationConfig",
    ];
    let mut taken = 0;
    for source in [QUEUE, FIFO, STREAM, TABLE] {
        for (one, other) in keys
            .iter()
            .flat_map(|one| keys.iter().map(move |other| (one, other)))
        {
            for (value, second) in values(one).into_iter().flat_map(|value| {
                values(other)
                    .into_iter()
                    .map(move |second| (value.clone(), second))
            }) {
                let mut settings = json!({});
                settings[*one] = value;
                settings[*other] = second;
                let request = request(source, settings);
                let file = json!({ "EventSourceMappings": [request] }).to_string();
                let file = Config::parse("file", &file, &|_| None);
                let api = try_create(&empty(), &request, 1);
                match (file, api) {
                    (Ok(mut file), Ok(change)) => {
                        let mapping = change.needs.unwrap().mapping;
                        Arc::make_mut(&mut file.mappings[0])
                            .uuid
                            .clone_from(&mapping.uuid);
                        assert_eq!(mapping, *file.mappings[0], "{request}");
                        taken += 1;
                    }
                    (Err(_), Err(_)) => {}
                    (file, api) => panic!("{request}: {:?} and {:?}", file.err(), api.err()),
                }
            }
        }
    }
    assert!(taken > 500, "{taken} were taken");
}
