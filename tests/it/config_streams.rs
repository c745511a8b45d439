//! Mappings of streams that hold: what every setting comes to, and what is shown of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sluicegate::config::mapping::Mapping;
use sluicegate::config::mapping::stream::{Destination, Kind, StartingPosition, Stream};
use sluicegate::config::{Config, json, table};
use sluicegate::model::filter::Source;

const KINESIS: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks";
const CONSUMER: &str =
    "arn:aws:kinesis:us-east-1:123456789012:stream/clicks/consumer/alerts:1789650000";
const DYNAMODB: &str =
    "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-09-17T12:00:00.000";

fn parse(text: &str) -> Config {
    Config::parse("a.yaml", text, &|_| None).unwrap_or_else(|errors| panic!("{text}\n{errors:?}"))
}

fn warnings(text: &str) -> Vec<String> {
    let warnings = parse(text).warnings;
    warnings.iter().map(ToString::to_string).collect()
}

/// A mapping of this source; `settings` begin at line 5.
fn text(source: &str, settings: &str) -> String {
    format!(
        "EventSourceMappings:\n  - EventSourceArn: {source}\n    FunctionName: f\n    StartingPosition: LATEST\n    {settings}\n"
    )
}

fn mapping(source: &str, settings: &str) -> Mapping {
    Arc::unwrap_or_clone(parse(&text(source, settings)).mappings.remove(0))
}

fn stream(source: &str, settings: &str) -> Stream {
    mapping(source, settings).stream.unwrap()
}

fn several(mappings: &[(&str, &str)]) -> String {
    let mut text = "EventSourceMappings:\n".to_owned();
    for (source, function) in mappings {
        text.push_str(&format!(
            "  - EventSourceArn: {source}\n    FunctionName: {function}\n    StartingPosition: LATEST\n"
        ));
    }
    text
}

fn plain(kind: Kind) -> Stream {
    Stream {
        kind,
        starting_position: StartingPosition::Latest,
        parallelization_factor: 1,
        bisect: false,
        retries_max: None,
        age_max: None,
        tumbling_window: None,
        on_failure: None,
        discard_only_failing: false,
        on_failure_include_payload: false,
        deaggregate_kpl: false,
    }
}

fn kinesis(consumer: bool) -> Kind {
    Kind::Kinesis {
        stream: KINESIS.parse().unwrap(),
        consumer,
    }
}

// spec: 1.2, 2.2
#[test]
fn defaults_of_a_stream_are_filled_in() {
    let fan_out = Stream {
        deaggregate_kpl: true,
        ..plain(kinesis(true))
    };
    let cases = [
        (KINESIS, plain(kinesis(false)), "clicks-f", Source::Kinesis),
        (CONSUMER, fan_out, "clicks-f", Source::Kinesis),
        (
            DYNAMODB,
            plain(Kind::DynamoDb),
            "orders-f",
            Source::DynamoDb,
        ),
    ];
    for (source, expected, name, filtered) in cases {
        let mapping = mapping(source, "");
        assert_eq!(mapping.source.to_string(), source);
        assert_eq!(mapping.name, name);
        assert_eq!(mapping.filtered(), filtered);
        assert_eq!(mapping.batch_size, 100);
        assert_eq!(mapping.window, Duration::ZERO);
        assert_eq!(mapping.maximum_concurrency, None);
        assert_eq!(mapping.stream, Some(expected), "{source}");
        assert!(!mapping.fifo());
    }
}

#[test]
fn every_setting_of_a_stream_reaches_its_place() {
    let config = Config::load(&[PathBuf::from("config/everything.yaml")], &|_| None).unwrap();
    let clicks = &config.mappings[1];
    assert_eq!(clicks.batch_size, 1000);
    assert_eq!(clicks.window, Duration::from_secs(5));
    assert!(clicks.reports_item_failures);
    assert_eq!(clicks.filter_patterns, [r#"{"data":{"kind":["click"]}}"#]);
    let failed = "arn:aws:sqs:us-east-1:123456789012:clicks-failed";
    assert_eq!(
        clicks.stream,
        Some(Stream {
            kind: kinesis(false),
            starting_position: StartingPosition::AtTimestamp {
                ms: 1_789_650_000_000
            },
            parallelization_factor: 1,
            bisect: true,
            retries_max: Some(3),
            age_max: Some(Duration::from_secs(3600)),
            tumbling_window: Some(Duration::from_secs(60)),
            on_failure: Some(Destination::Sqs(failed.parse().unwrap())),
            discard_only_failing: true,
            on_failure_include_payload: true,
            deaggregate_kpl: true,
        })
    );
}

// spec: 1.2, 1.6 note (c): a batch above 10 needs no window
#[test]
fn the_bounds_themselves_are_allowed() {
    for source in [KINESIS, CONSUMER, DYNAMODB] {
        for settings in [
            "BatchSize: 1",
            "BatchSize: 10000",
            "MaximumBatchingWindowInSeconds: 300",
            "ParallelizationFactor: 10",
            "MaximumRetryAttempts: 10000",
            "MaximumRecordAgeInSeconds: 60",
            "MaximumRecordAgeInSeconds: 604800",
            "TumblingWindowInSeconds: 900",
            "TumblingWindowInSeconds: 0\n    ParallelizationFactor: 10",
            "TumblingWindowInSeconds: 1\n    ParallelizationFactor: 1",
        ] {
            assert_eq!(warnings(&text(source, settings)), [""; 0], "{settings}");
        }
    }
    assert_eq!(
        stream(KINESIS, "MaximumRetryAttempts: 0").retries_max,
        Some(0)
    );
    let name = "a".repeat(128);
    let long = format!("arn:aws:kinesis:us-east-1:123456789012:stream/{name}");
    assert_eq!(mapping(&long, "").source.to_string(), long);
}

/// AWS refuses the two together. // spec: 1.6
#[test]
fn a_filter_goes_with_a_tumbling_window() {
    let mapping = mapping(
        DYNAMODB,
        "TumblingWindowInSeconds: 30\n    FilterCriteria: {Filters: [{Pattern: '{\"eventName\":[\"INSERT\"]}'}]}",
    );
    assert_eq!(mapping.filter_patterns, [r#"{"eventName":["INSERT"]}"#]);
    let window = mapping.stream.unwrap().tumbling_window;
    assert_eq!(window, Some(Duration::from_secs(30)));
}

#[test]
fn what_says_nothing_is_the_same_as_nothing() {
    for settings in [
        "DestinationConfig: {}",
        "DestinationConfig: {OnFailure: {}}",
        "DestinationConfig: {OnFailure: {Destination: \"\"}}",
        "DestinationConfig: {OnFailure: null, OnSuccess: {}}",
        "ParallelizationFactor:",
        "MaximumRecordAgeInSeconds: -1",
        "MaximumRetryAttempts: -1",
        "BisectBatchOnFunctionError: false",
        "TumblingWindowInSeconds: 0",
        "StartingPositionTimestamp: null",
        "ScalingConfig: {}",
        "ProvisionedPollerConfig: {}",
        "FilterCriteria: {Filters: []}",
        "Extensions: {DiscardOnlyFailing: false, OnFailureIncludePayload: null}",
        "Extensions: {DeaggregateKpl: false}",
        "LastProcessingResult: OK",
    ] {
        for source in [KINESIS, DYNAMODB] {
            assert_eq!(mapping(source, settings), mapping(source, ""), "{settings}");
        }
    }
}

#[test]
fn destinations_are_told_apart() {
    let destination = |arn: &str| {
        let settings = format!("DestinationConfig: {{OnFailure: {{Destination: \"{arn}\"}}}}");
        stream(KINESIS, &settings).on_failure.unwrap()
    };
    let queue = "arn:aws:sqs:eu-west-1:999999999999:failed";
    assert_eq!(destination(queue), Destination::Sqs(queue.parse().unwrap()));
    let topic = "arn:aws:sns:us-east-1:123456789012:failed";
    assert_eq!(destination(topic), Destination::Sns(topic.parse().unwrap()));
    for partition in ["aws", "aws-cn", "aws-us-gov"] {
        let arn = format!("arn:{partition}:s3:::failed.orders-2");
        let bucket = "failed.orders-2".to_owned();
        assert_eq!(destination(&arn), Destination::S3 { arn, bucket });
    }
}

#[test]
fn a_moment_may_be_given_as_aws_prints_it() {
    for moment in [
        "1789650000",
        "1789650000.0",
        "2026-09-17T13:00:00Z",
        "\"2026-09-17T15:00:00.000+02:00\"",
        "${MOMENT}",
    ] {
        let text = text(KINESIS, &format!("StartingPositionTimestamp: {moment}"));
        let env = |_: &str| Some("1789650000".to_owned());
        let config =
            Config::parse("a.yaml", &text.replace("LATEST", "AT_TIMESTAMP"), &env).unwrap();
        assert_eq!(
            config.mappings[0]
                .stream
                .as_ref()
                .unwrap()
                .starting_position,
            StartingPosition::AtTimestamp {
                ms: 1_789_650_000_000
            },
            "{moment}"
        );
    }
}

// spec: 1.3
#[test]
fn streams_of_an_exported_list_are_a_configuration() {
    let config = Config::load(&[PathBuf::from("config/managed-export.json")], &|_| None).unwrap();
    let [_, _, clicks, orders] = config.mappings.as_slice() else {
        panic!("four mappings, not {:?}", config.mappings);
    };
    let failed = "arn:aws:sqs:us-east-1:123456789012:clicks-failed";
    assert_eq!(
        clicks.stream,
        Some(Stream {
            starting_position: StartingPosition::AtTimestamp {
                ms: 1_789_650_000_000
            },
            parallelization_factor: 2,
            bisect: true,
            retries_max: Some(3),
            age_max: Some(Duration::from_secs(604_800)),
            on_failure: Some(Destination::Sqs(failed.parse().unwrap())),
            deaggregate_kpl: true,
            ..plain(kinesis(true))
        })
    );
    assert_eq!(orders.stream, Some(plain(Kind::DynamoDb)));
    assert!(orders.enabled);
    assert_eq!(orders.uuid, "5f2c64d9-2c0e-4f4b-9a39-0d4f7e0b6c18");
}

#[test]
fn a_stream_may_feed_several_functions() {
    let text = several(&[
        (KINESIS, "f"),
        (KINESIS, "g"),
        (KINESIS, "f:live"),
        (CONSUMER, "h"),
    ]);
    assert_eq!(warnings(&text), [""; 0]);
    let config = parse(&several(&[
        (KINESIS, "f"),
        (CONSUMER, "f"),
        (DYNAMODB, "f"),
    ]));
    let names: Vec<&str> = config
        .mappings
        .iter()
        .map(|mapping| mapping.name.as_str())
        .collect();
    let uuid = |index: usize| &config.mappings[index].uuid[..8];
    assert_eq!(
        names,
        [
            &format!("clicks-f-{}", uuid(0)),
            &format!("clicks-f-{}", uuid(1)),
            "orders-f"
        ]
    );
}

#[test]
fn readers_that_come_in_each_others_way_are_pointed_at() {
    let consumer = several(&[(CONSUMER, "f"), (CONSUMER, "g")]);
    let third = several(&[(DYNAMODB, "f"), (DYNAMODB, "g"), (DYNAMODB, "h")]);
    let cases = [
        (
            consumer.as_str(),
            "a.yaml:5: EventSourceMappings[1]: reads as the same consumer as the mapping at a.yaml:2: a consumer has one subscription to a shard, which the two take from each other; register a consumer for each",
        ),
        (
            third.as_str(),
            "a.yaml:8: EventSourceMappings[2]: reads the same stream as 2 mappings before it, the first at a.yaml:2: DynamoDB throttles more than 2 readers of a shard",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(warnings(text), [expected], "{text}");
        // A disabled one reads nothing.
        let disabled = format!("{text}    Enabled: false\n");
        assert_eq!(warnings(&disabled), [""; 0], "{disabled}");
    }
    let two = several(&[(DYNAMODB, "f"), (DYNAMODB, "g")]);
    assert_eq!(warnings(&two), [""; 0]);
}

#[test]
fn what_a_stream_asks_for_in_vain_is_a_warning() {
    let cases = [
        (
            "Extensions: {DiscardOnlyFailing: true}",
            "a.yaml:5: EventSourceMappings[0].Extensions.DiscardOnlyFailing: does nothing while MaximumRetryAttempts is -1: no record is ever discarded for failing",
        ),
        (
            "Extensions: {OnFailureIncludePayload: true}",
            "a.yaml:5: EventSourceMappings[0].Extensions.OnFailureIncludePayload: does nothing without DestinationConfig.OnFailure.Destination",
        ),
        (
            "Extensions: {OnFailureIncludePayload: true}\n    DestinationConfig: {OnFailure: {Destination: \"arn:aws:s3:::failed\"}}",
            "a.yaml:5: EventSourceMappings[0].Extensions.OnFailureIncludePayload: does nothing more: an object in S3 always has the payload",
        ),
        (
            "FilterCriteria: {Filters: [{Pattern: '{\"kinesis\":{\"data\":[\"a\"]}}'}]}",
            "a.yaml:5: EventSourceMappings[0].FilterCriteria.Filters[0].Pattern: key kinesis.data: no Kinesis record has this key when filters run, so that only exists: false can hold",
        ),
        (
            "Tags: {team: a}",
            "a.yaml:5: EventSourceMappings[0].Tags: not kept here: mappings are told apart by Name",
        ),
    ];
    for (settings, expected) in cases {
        assert_eq!(warnings(&text(KINESIS, settings)), [expected], "{settings}");
    }
}

#[test]
fn positions_in_memory_are_forgotten_and_that_is_said() {
    let memory = |rest: &str| format!("Checkpoints:\n  Memory: true\n{rest}");
    assert_eq!(
        warnings(&memory(&text(KINESIS, ""))),
        [
            "a.yaml:2: Checkpoints.Memory: positions are forgotten when the process ends, and every stream begins at its StartingPosition again; File keeps them"
        ]
    );
    assert_eq!(warnings(&memory(&text(KINESIS, "Enabled: false"))), [""; 0]);
    let queue = "EventSourceMappings: [{EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders, FunctionName: f}]\n";
    assert_eq!(warnings(&memory(queue)), [""; 0]);
}

#[test]
fn the_table_shows_where_a_stream_starts_and_what_becomes_of_failures() {
    let queue = "  - {EventSourceArn: arn:aws:sqs:us-east-1:123456789012:jobs, FunctionName: f}\n";
    let settings = "ParallelizationFactor: 4\n    BisectBatchOnFunctionError: true\n    MaximumRetryAttempts: 3\n    MaximumRecordAgeInSeconds: 3600\n    DestinationConfig: {OnFailure: {Destination: \"arn:aws:s3:::failed\"}}";
    let window = "    TumblingWindowInSeconds: 30\n";
    let moment =
        "    StartingPosition: AT_TIMESTAMP\n    StartingPositionTimestamp: 1789650000.5\n";
    let config = parse(&format!(
        "{}{queue}  - EventSourceArn: {CONSUMER}\n    FunctionName: g\n{moment}  - EventSourceArn: {DYNAMODB}\n    FunctionName: f\n    StartingPosition: TRIM_HORIZON\n{window}",
        text(KINESIS, settings),
    ));
    assert_eq!(
        table(&config),
        "\
NAME      STATE    KIND             SOURCE                                                                               FUNCTION  RUNS AT                BATCH  WINDOW  CONCURRENCY  FILTERS  REPLY        STARTS AT                  RETRIES       AGE        TUMBLING  ON FAILURE
clicks-f  Enabled  Kinesis          arn:aws:kinesis:us-east-1:123456789012:stream/clicks                                 f         AWS Lambda, us-east-1  100    0 s     4 a shard    none     whole batch  LATEST                     3, bisecting  3600 s     none      arn:aws:s3:::failed
jobs-f    Enabled  SQS              arn:aws:sqs:us-east-1:123456789012:jobs                                              f         AWS Lambda, us-east-1  10     0 s     automatic    none     whole batch  -                          -             -          -         -
clicks-g  Enabled  Kinesis fan-out  arn:aws:kinesis:us-east-1:123456789012:stream/clicks/consumer/alerts:1789650000      g         AWS Lambda, us-east-1  100    0 s     1 a shard    none     whole batch  AT_TIMESTAMP 1789650000.5  unlimited     unlimited  none      none
orders-f  Enabled  DynamoDB         arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-09-17T12:00:00.000  f         AWS Lambda, us-east-1  100    0 s     1 a shard    none     whole batch  TRIM_HORIZON               unlimited     unlimited  30 s      none
"
    );
    let again = parse(&json(&config).to_string());
    assert_eq!(again, config);
}
