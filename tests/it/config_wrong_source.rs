//! Streams and tables that are named wrongly, or twice, each with the exact lines that the user sees.

use sluicegate::config::Config;

/// A text and the lines of its errors.
type Case = (&'static str, &'static [&'static str]);

fn check(cases: &[Case]) {
    for (text, expected) in cases {
        let errors = Config::parse("a.yaml", text, &|_| None).expect_err(text);
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(lines, *expected, "{text}");
    }
}

/// The source, and the line of its error.
fn check_source(cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        let text = format!(
            "EventSourceMappings:\n  - EventSourceArn: \"{source}\"\n    FunctionName: f\n    StartingPosition: LATEST\n"
        );
        let errors = Config::parse("a.yaml", &text, &|_| None).expect_err(source);
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let expected = format!("a.yaml:2: EventSourceMappings[0].EventSourceArn: {expected}");
        assert_eq!(lines, [expected], "{source}");
    }
}

#[test]
fn a_kinesis_stream_or_its_consumer_is_named_by_its_arn() {
    let no_stream = |resource: &str| {
        format!(
            "\"{resource}\" is no stream; expected stream/NAME, or stream/NAME/consumer/NAME:NUMBER for a registered consumer of it"
        )
    };
    for resource in [
        "clicks",
        "stream/",
        "stream/clicks/",
        "stream/clicks/consumer/",
        "stream/clicks/consumer/alerts",
        "stream/clicks/consumer/alerts:",
        "stream/clicks/consumer/alerts:live",
        "stream/clicks/consumer/:1789650000",
        "stream/clicks/consumers/alerts:1789650000",
    ] {
        let source = format!("arn:aws:kinesis:us-east-1:123456789012:{resource}");
        check_source(&[(&source, &no_stream(resource))]);
    }
    let long = format!("stream/{}", "a".repeat(129));
    let source = format!("arn:aws:kinesis:us-east-1:123456789012:{long}");
    let cut = format!(
        "\"{}\"... is no stream; expected stream/NAME, or stream/NAME/consumer/NAME:NUMBER for a registered consumer of it",
        &long[..80]
    );
    check_source(&[
        (&source, &cut),
        (
            "arn:aws:kinesis::123456789012:stream/clicks",
            r#""arn:aws:kinesis::123456789012:stream/clicks" names no region; expected such as arn:aws:kinesis:us-east-1:123456789012:stream/clicks"#,
        ),
        (
            "arn:aws:kinesis:us-east-1:1234:stream/clicks",
            r#""arn:aws:kinesis:us-east-1:1234:stream/clicks" is no ARN: "1234" is no account of 12 digits; expected such as arn:aws:kinesis:us-east-1:123456789012:stream/clicks"#,
        ),
    ]);
}

#[test]
fn a_dynamodb_stream_is_named_by_its_own_arn_not_by_its_tables() {
    check_source(&[
        (
            "arn:aws:dynamodb:us-east-1:123456789012:table/orders",
            r#""table/orders" is a table; expected its stream, table/NAME/stream/LABEL, which is the table's LatestStreamArn"#,
        ),
        (
            "arn:aws:dynamodb:us-east-1:123456789012:orders",
            r#""orders" is no stream of a table; expected table/NAME/stream/LABEL"#,
        ),
        (
            "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/",
            r#""table/orders/stream/" is no stream of a table; expected table/NAME/stream/LABEL"#,
        ),
        (
            "arn:aws:dynamodb:us-east-1:123456789012:table/orders/index/by-date",
            r#""table/orders/index/by-date" is no stream of a table; expected table/NAME/stream/LABEL"#,
        ),
        (
            "arn:aws:dynamodb::123456789012:table/orders/stream/2026-09-17T12:00:00.000",
            r#""arn:aws:dynamodb::123456789012:table/orders/stream/2026-09-17T12:00:00.000" names no region; expected such as arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-09-17T12:00:00.000"#,
        ),
    ]);
}

#[test]
fn the_settings_of_a_wrong_stream_are_judged_as_those_of_a_stream() {
    check(&[
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:kinesis:us-east-1:123456789012:clicks
    FunctionName: f
    BatchSize: 20000
    ParallelizationFactor: 11
    ScalingConfig: {MaximumConcurrency: 2}
",
            &[
                r#"a.yaml:2: EventSourceMappings[0].EventSourceArn: "clicks" is no stream; expected stream/NAME, or stream/NAME/consumer/NAME:NUMBER for a registered consumer of it"#,
                "a.yaml:2: EventSourceMappings[0]: 1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null. StartingPosition is missing: TRIM_HORIZON, LATEST or AT_TIMESTAMP",
                "a.yaml:4: EventSourceMappings[0].BatchSize: 20000 is more than 10000",
                "a.yaml:5: EventSourceMappings[0].ParallelizationFactor: 11 is more than 10",
                "a.yaml:6: EventSourceMappings[0].ScalingConfig: Unsupported ScalingConfig parameter for given event source mapping type. A stream runs as many batches at once as it has shards, times ParallelizationFactor; remove it",
            ],
        ),
        (
            "EventSourceMappings:
  - EventSourceArn: clicks
    FunctionName: f
    StartingPosition: LATEST
    BatchSize: 0
    Enabled: 1
",
            &[
                r#"a.yaml:2: EventSourceMappings[0].EventSourceArn: "clicks" is no ARN; expected such as arn:aws:sqs:us-east-1:123456789012:orders"#,
                "a.yaml:5: EventSourceMappings[0].BatchSize: 0 is less than 1",
                "a.yaml:6: EventSourceMappings[0].Enabled: expected true or false, found 1",
            ],
        ),
    ]);
}

// spec: 1.6
#[test]
fn a_stream_feeds_a_function_once() {
    check(&[
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:kinesis:us-east-1:123456789012:stream/clicks
    FunctionName: f:live
    StartingPosition: LATEST
    UUID: 14e0db71-5d35-4eb5-b481-8945cf9d10c2
  - EventSourceArn: arn:aws:kinesis:us-east-1:123456789012:stream/clicks
    FunctionName: 123456789012:function:f:live
    StartingPosition: TRIM_HORIZON
",
            &[
                r#"a.yaml:6: EventSourceMappings[1]: The event source arn (" arn:aws:kinesis:us-east-1:123456789012:stream/clicks ") and function (" 123456789012:function:f:live ") provided mapping already exists. Please update or delete the existing mapping with UUID 14e0db71-5d35-4eb5-b481-8945cf9d10c2 (a.yaml:2)"#,
            ],
        ),
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000
    FunctionName: f
    StartingPosition: LATEST
    UUID: 14e0db71-5d35-4eb5-b481-8945cf9d10c2
  - EventSourceArn: arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000
    FunctionName: f
    StartingPosition: LATEST
",
            &[
                r#"a.yaml:6: EventSourceMappings[1]: The event source arn (" arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000 ") and function (" f ") provided mapping already exists. Please update or delete the existing mapping with UUID 14e0db71-5d35-4eb5-b481-8945cf9d10c2 (a.yaml:2)"#,
            ],
        ),
    ]);
}
