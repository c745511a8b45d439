//! Wrong settings of a stream's mapping that is sound otherwise, each with the exact lines that the user sees.

use sluicegate::config::Config;

/// The lines that follow a mapping's stream and function (from line 4 on), and its errors behind
/// `a.yaml:<line>: EventSourceMappings[0]`.
type Case = (&'static str, &'static [&'static str]);

const KINESIS: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks";
const DYNAMODB: &str =
    "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000";

fn check(source: &str, settings: &str, expected: &[&str]) {
    let text = format!(
        "EventSourceMappings:\n  - EventSourceArn: {source}\n    FunctionName: f\n    {settings}\n"
    );
    let env = |name: &str| (name == "WORD").then(|| "soon".to_owned());
    let errors = Config::parse("a.yaml", &text, &env).expect_err(settings);
    let lines: Vec<String> = errors
        .iter()
        .map(|error| {
            error
                .to_string()
                .replacen("EventSourceMappings[0]", "", 1)
                .replacen("a.yaml:", "", 1)
        })
        .collect();
    assert_eq!(lines, expected, "{settings}");
}

/// Of a Kinesis stream read from LATEST on (so that settings begin at line 5), and of a DynamoDB stream alike.
fn check_both(cases: &[Case]) {
    for (settings, expected) in cases {
        for source in [KINESIS, DYNAMODB] {
            let settings = format!("StartingPosition: LATEST\n    {settings}");
            check(source, &settings, expected);
        }
    }
}

#[test]
fn a_stream_needs_a_place_to_begin() {
    let position = "TRIM_HORIZON, LATEST or AT_TIMESTAMP";
    let missing = |names: &str| {
        format!(
            "2: : 1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null. StartingPosition is missing: {names}"
        )
    };
    check(KINESIS, "Enabled: true", &[&missing(position)]);
    check(KINESIS, "StartingPosition:", &[&missing(position)]);
    check(
        DYNAMODB,
        "Enabled: false",
        &[&missing("TRIM_HORIZON or LATEST")],
    );
    for source in [KINESIS, DYNAMODB] {
        for (found, shown) in [
            ("invalid", "invalid"),
            ("latest", "latest"),
            ("\"\"", ""),
            ("${WORD}", "soon"),
            ("\"a\\tb\"", "a\\tb"),
        ] {
            let expected = format!(
                "4: .StartingPosition: 1 validation error detected: Value '{shown}' at 'startingPosition' failed to satisfy constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]"
            );
            check(source, &format!("StartingPosition: {found}"), &[&expected]);
        }
        check(
            source,
            "StartingPosition: 1",
            &["4: .StartingPosition: expected text, found 1; put it in quotes"],
        );
        check(
            source,
            "StartingPosition: TRIM_HORIZON\n    StartingPositionTimestamp: 1789650000",
            &[
                "5: .StartingPositionTimestamp: for StartingPosition AT_TIMESTAMP only, and this mapping's is TRIM_HORIZON; remove it",
            ],
        );
    }
}

#[test]
fn a_timestamp_is_for_kinesis_and_a_moment() {
    check(
        DYNAMODB,
        "StartingPosition: AT_TIMESTAMP\n    StartingPositionTimestamp: 1789650000",
        &[
            "4: .StartingPosition: Unsupported starting position for arn type: arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000 (found AT_TIMESTAMP; expected TRIM_HORIZON or LATEST)",
        ],
    );
    check(
        KINESIS,
        "StartingPosition: AT_TIMESTAMP",
        &[
            "4: .StartingPosition: AT_TIMESTAMP needs StartingPositionTimestamp, which is missing: seconds since 1970 such as 1789650000, or 2026-09-17T12:00:00Z with its offset",
        ],
    );
    for (found, shown) in [
        ("-1", "-1"),
        ("yesterday", r#""yesterday""#),
        ("${WORD}", r#""soon""#),
        ("2026-09-17", r#""2026-09-17""#),
        ("2026-09-17T12:00:00", r#""2026-09-17T12:00:00""#),
        ("\"1789650000\"", r#""1789650000""#),
        ("1789650000000", "1789650000000"),
        (".inf", ".inf"),
        ("true", "true"),
        ("[1]", "a list"),
    ] {
        let expected = format!(
            "5: .StartingPositionTimestamp: expected seconds since 1970 such as 1789650000, or 2026-09-17T12:00:00Z with its offset, found {shown}"
        );
        let settings =
            format!("StartingPosition: AT_TIMESTAMP\n    StartingPositionTimestamp: {found}");
        check(KINESIS, &settings, &[&expected]);
    }
}

// spec: 1.2
#[test]
fn numbers_and_switches_of_a_stream_are_checked() {
    check_both(&[
        ("BatchSize: 0", &["5: .BatchSize: 0 is less than 1"]),
        (
            "BatchSize: 10001",
            &["5: .BatchSize: 10001 is more than 10000"],
        ),
        (
            "MaximumBatchingWindowInSeconds: 301",
            &["5: .MaximumBatchingWindowInSeconds: 301 is more than 300"],
        ),
        (
            "ParallelizationFactor: 0",
            &["5: .ParallelizationFactor: 0 is less than 1"],
        ),
        (
            "ParallelizationFactor: 11",
            &["5: .ParallelizationFactor: 11 is more than 10"],
        ),
        (
            "ParallelizationFactor: two",
            &[r#"5: .ParallelizationFactor: expected a whole number from 1 to 10, found "two""#],
        ),
        (
            "MaximumRetryAttempts: -2",
            &["5: .MaximumRetryAttempts: -2 is less than -1"],
        ),
        (
            "MaximumRetryAttempts: 10001",
            &["5: .MaximumRetryAttempts: 10001 is more than 10000"],
        ),
        (
            "MaximumRetryAttempts: 1.5",
            &["5: .MaximumRetryAttempts: expected a whole number from -1 to 10000, found 1.5"],
        ),
        (
            "MaximumRecordAgeInSeconds: -2",
            &["5: .MaximumRecordAgeInSeconds: -2 is less than -1"],
        ),
        (
            "MaximumRecordAgeInSeconds: 0",
            &[
                "5: .MaximumRecordAgeInSeconds: 0 is less than 60; expected 60 to 604800, or -1 for no limit",
            ],
        ),
        (
            "MaximumRecordAgeInSeconds: 59",
            &[
                "5: .MaximumRecordAgeInSeconds: 59 is less than 60; expected 60 to 604800, or -1 for no limit",
            ],
        ),
        (
            "MaximumRecordAgeInSeconds: 604801",
            &["5: .MaximumRecordAgeInSeconds: 604801 is more than 604800"],
        ),
        (
            "TumblingWindowInSeconds: -1",
            &["5: .TumblingWindowInSeconds: -1 is less than 0"],
        ),
        (
            "TumblingWindowInSeconds: 901",
            &["5: .TumblingWindowInSeconds: 901 is more than 900"],
        ),
        (
            "TumblingWindowInSeconds: 30\n    ParallelizationFactor: 2",
            &[
                "6: .ParallelizationFactor: not together with TumblingWindowInSeconds, whose state is handed from batch to batch of a shard; set one of the two",
            ],
        ),
        (
            "BisectBatchOnFunctionError: yes",
            &[r#"5: .BisectBatchOnFunctionError: expected true or false, found "yes""#],
        ),
        (
            "FunctionResponseTypes: [ReportItemFailures]",
            &[
                r#"5: .FunctionResponseTypes[0]: "ReportItemFailures" is unknown; expected ReportBatchItemFailures"#,
            ],
        ),
        (
            "BisectBatchOnFunctionErrors: true",
            &[
                "5: .BisectBatchOnFunctionErrors: unknown key; did you mean BisectBatchOnFunctionError?",
            ],
        ),
        (
            "Foo: true",
            &[
                "5: .Foo: unknown key; expected Name, EventSourceArn, FunctionName, Enabled, BatchSize, MaximumBatchingWindowInSeconds, FilterCriteria, FunctionResponseTypes, ScalingConfig or Extensions",
            ],
        ),
    ]);
}

// spec: 1.2, 6
#[test]
fn a_destination_is_a_standard_queue_a_standard_topic_or_a_bucket() {
    const EXPECTED: &str = "expected the ARN of a standard queue, a standard topic or a bucket, such as arn:aws:sqs:us-east-1:123456789012:failed";
    const BUCKET: &str = "is no ARN of a bucket; expected arn:aws:s3::: and 3 to 63 lowercase letters, digits, - and ., without a key";
    let long = "a".repeat(351);
    let account = "us-east-1:123456789012";
    let cases = [
        ("failed".to_owned(), format!("is no ARN; {EXPECTED}")),
        (
            format!("arn:aws:sqs:{account}:failed.fifo"),
            "is a FIFO queue, which is no destination of failures; use a standard queue".to_owned(),
        ),
        (
            format!("arn:aws:sns:{account}:failed.fifo"),
            "is a FIFO topic, which is no destination of failures; use a standard topic".to_owned(),
        ),
        (
            format!("arn:aws:sqs:{account}:my.queue"),
            format!("is no ARN of a queue; {EXPECTED}"),
        ),
        (
            format!("arn:aws:sns:{account}:failed:1f0c"),
            format!("is no ARN of a topic; {EXPECTED}"),
        ),
        (
            "arn:aws:sqs::123456789012:failed".to_owned(),
            format!("names no region; {EXPECTED}"),
        ),
        (
            format!("arn:aws:lambda:{account}:function:f"),
            format!("is no destination; {EXPECTED}"),
        ),
        (
            format!("arn:aws:kinesis:{account}:stream/clicks"),
            format!("is no destination; {EXPECTED}"),
        ),
        (
            "kafka://failed".to_owned(),
            format!("is a topic of Kafka, for sources of Kafka only; {EXPECTED}"),
        ),
        ("arn:aws:s3:::b".to_owned(), BUCKET.to_owned()),
        ("arn:aws:s3:::Failed".to_owned(), BUCKET.to_owned()),
        ("arn:aws:s3:::failed/key".to_owned(), BUCKET.to_owned()),
        ("arn:aws:s3:::-failed".to_owned(), BUCKET.to_owned()),
        (format!("arn:aws:s3:{account}:failed"), BUCKET.to_owned()),
        ("arn:aws:s3:failed".to_owned(), BUCKET.to_owned()),
    ];
    for source in [KINESIS, DYNAMODB] {
        let settings = |destination: &str| {
            format!(
                "StartingPosition: LATEST\n    DestinationConfig: {{OnFailure: {{Destination: \"{destination}\"}}}}"
            )
        };
        for (destination, what) in &cases {
            let expected =
                format!("5: .DestinationConfig.OnFailure.Destination: \"{destination}\" {what}");
            check(source, &settings(destination), &[&expected]);
        }
        check(
            source,
            &settings(&long),
            &[
                "5: .DestinationConfig.OnFailure.Destination: 351 characters; a destination has at most 350",
            ],
        );
    }
}

#[test]
fn the_shape_of_a_destination_config_is_checked() {
    check_both(&[
        (
            "DestinationConfig: {OnSuccess: {Destination: arn:aws:sqs:us-east-1:123456789012:done}}",
            &[
                "5: .DestinationConfig.OnSuccess: Unsupported DestinationConfig parameter for given event source mapping type. A stream's mapping has OnFailure only; remove it",
            ],
        ),
        (
            "DestinationConfig: {OnFail: {Destination: x}}",
            &["5: .DestinationConfig.OnFail: unknown key; did you mean OnFailure?"],
        ),
        (
            "DestinationConfig: {OnFailure: {Destinations: x}}",
            &[
                "5: .DestinationConfig.OnFailure.Destinations: unknown key; did you mean Destination?",
            ],
        ),
        (
            "DestinationConfig: {OnFailure: arn:aws:sqs:us-east-1:123456789012:failed}",
            &[
                r#"5: .DestinationConfig.OnFailure: expected a mapping, found "arn:aws:sqs:us-east-1:123456789012:failed""#,
            ],
        ),
        (
            "DestinationConfig: [x]",
            &["5: .DestinationConfig: expected a mapping, found a list"],
        ),
        (
            "DestinationConfig: {OnFailure: {Destination: 7}}",
            &[
                "5: .DestinationConfig.OnFailure.Destination: expected text, found 7; put it in quotes",
            ],
        ),
    ]);
}

#[test]
fn extensions_of_a_stream_are_checked() {
    check_both(&[
        (
            "Extensions: {DiscardOnlyFailed: true}",
            &["5: .Extensions.DiscardOnlyFailed: unknown key; did you mean DiscardOnlyFailing?"],
        ),
        (
            "Extensions: {onFailureIncludePayload: true}",
            &[
                "5: .Extensions.onFailureIncludePayload: unknown key; did you mean OnFailureIncludePayload?",
            ],
        ),
        (
            "Extensions: {DiscardOnlyFailing: 1, OnFailureIncludePayload: [x]}",
            &[
                "5: .Extensions.DiscardOnlyFailing: expected true or false, found 1",
                "5: .Extensions.OnFailureIncludePayload: expected true or false, found a list",
            ],
        ),
        (
            "Extensions: {MaximumRetryAttempts: 3}",
            &[
                "5: .Extensions.MaximumRetryAttempts: unknown key; did you mean MaximumRetryAttempts, which stands outside of Extensions?",
            ],
        ),
        (
            "Extensions: true",
            &["5: .Extensions: expected a mapping, found true"],
        ),
    ]);
    let settings = "StartingPosition: LATEST\n    Extensions: {DeaggregateKPL: true, Foo: 1}";
    check(
        KINESIS,
        settings,
        &[
            "5: .Extensions.DeaggregateKPL: unknown key; did you mean DeaggregateKpl?",
            "5: .Extensions.Foo: unknown key; expected DiscardOnlyFailing, OnFailureIncludePayload or DeaggregateKpl",
        ],
    );
    let settings = "StartingPosition: LATEST\n    Extensions: {DeaggregateKpl: true, Foo: 1}";
    check(
        DYNAMODB,
        settings,
        &[
            "5: .Extensions.DeaggregateKpl: for Kinesis streams only, and this source is a DynamoDB stream; remove it",
            "5: .Extensions.Foo: unknown key; expected DiscardOnlyFailing or OnFailureIncludePayload",
        ],
    );
}

#[test]
fn what_belongs_to_other_sources_is_refused_with_the_reason() {
    const SCALING: &str = "5: .ScalingConfig: Unsupported ScalingConfig parameter for given event source mapping type. A stream runs as many batches at once as it has shards, times ParallelizationFactor; remove it";
    check_both(&[
        ("ScalingConfig: {MaximumConcurrency: 2}", &[SCALING]),
        ("ScalingConfig: {MaximumConcurrency: 0}", &[SCALING]),
        (
            "ProvisionedPollerConfig: {MinimumPollers: 2}",
            &[
                "5: .ProvisionedPollerConfig: no pollers are provisioned here, each shard has its own; remove it",
            ],
        ),
        (
            "KMSKeyArn: arn:aws:kms:us-east-1:123456789012:key/1",
            &[
                "5: .KMSKeyArn: filters stand in this file as plain text; write FilterCriteria and remove the key",
            ],
        ),
    ]);
    for (source, kind) in [
        (KINESIS, "a Kinesis stream"),
        (DYNAMODB, "a DynamoDB stream"),
    ] {
        for (setting, key, others) in [
            ("Topics: [t]", "Topics", "Kafka"),
            ("Queues: [q]", "Queues", "message brokers"),
            (
                "SourceAccessConfigurations: [{Type: BASIC_AUTH, URI: x}]",
                "SourceAccessConfigurations",
                "message brokers",
            ),
            (
                "AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: g}",
                "AmazonManagedKafkaEventSourceConfig",
                "Kafka",
            ),
            (
                "DocumentDBEventSourceConfig: {DatabaseName: d}",
                "DocumentDBEventSourceConfig",
                "DocumentDB",
            ),
        ] {
            let expected =
                format!("5: .{key}: for {others} only, and this source is {kind}; remove it");
            let settings = format!("StartingPosition: LATEST\n    {setting}");
            check(source, &settings, &[&expected]);
        }
    }
}

// spec: 7.3
#[test]
fn filters_are_those_of_the_source() {
    let filters = |patterns: &str| {
        format!("StartingPosition: LATEST\n    FilterCriteria: {{Filters: [{patterns}]}}")
    };
    let at = "5: .FilterCriteria.Filters[0]";
    let cases = [
        (
            KINESIS,
            "{}",
            ": Pattern is missing: the filter as JSON text, such as '{\"data\":{\"kind\":[\"order\"]}}'",
        ),
        (
            DYNAMODB,
            "{}",
            ": Pattern is missing: the filter as JSON text, such as '{\"dynamodb\":{\"NewImage\":{\"kind\":{\"S\":[\"order\"]}}}}'",
        ),
        (
            KINESIS,
            "{Pattern: '{\"data\":[]}'}",
            ".Pattern: Invalid filter pattern definition. Key data: Empty arrays are not allowed",
        ),
    ];
    for (source, patterns, expected) in cases {
        check(source, &filters(patterns), &[&format!("{at}{expected}")]);
    }
}
