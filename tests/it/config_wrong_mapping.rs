//! Wrong settings of a mapping that is sound otherwise, each with the exact lines that the user sees.

use sluicegate::config::Config;

/// The lines that follow a mapping's queue and function (from line 4 on), and the lines of its errors.
type Case = (&'static str, &'static [&'static str]);

const MAPPING: &str = "EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: f
    ";

fn check(cases: &[Case]) {
    for (settings, expected) in cases {
        let text = format!("{MAPPING}{settings}\n");
        let errors = Config::parse("a.yaml", &text, &|_| None).expect_err(settings);
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(lines, *expected, "{settings}");
    }
}

#[test]
fn batch_and_window_are_checked() {
    check(&[
        (
            "BatchSize: 0",
            &["a.yaml:4: EventSourceMappings[0].BatchSize: 0 is less than 1"],
        ),
        (
            "BatchSize: 10001",
            &["a.yaml:4: EventSourceMappings[0].BatchSize: 10001 is more than 10000"],
        ),
        (
            "BatchSize: -1",
            &["a.yaml:4: EventSourceMappings[0].BatchSize: -1 is less than 1"],
        ),
        (
            "BatchSize: ten",
            &[
                r#"a.yaml:4: EventSourceMappings[0].BatchSize: expected a whole number from 1 to 10000, found "ten""#,
            ],
        ),
        (
            r#"BatchSize: "10""#,
            &[
                r#"a.yaml:4: EventSourceMappings[0].BatchSize: expected a whole number from 1 to 10000, found "10""#,
            ],
        ),
        (
            "BatchSize: 10.0",
            &[
                "a.yaml:4: EventSourceMappings[0].BatchSize: expected a whole number from 1 to 10000, found 10.0",
            ],
        ),
        (
            "BatchSize: [10]",
            &[
                "a.yaml:4: EventSourceMappings[0].BatchSize: expected a whole number from 1 to 10000, found a list",
            ],
        ),
        (
            "BatchSize: 99999999999999999999",
            &[
                "a.yaml:4: EventSourceMappings[0].BatchSize: expected a whole number from 1 to 10000, found 99999999999999999999",
            ],
        ),
        (
            "BatchSize: 11",
            &[
                "a.yaml:4: EventSourceMappings[0].BatchSize: Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10 (found 11)",
            ],
        ),
        (
            "BatchSize: 100
    MaximumBatchingWindowInSeconds: 0",
            &[
                "a.yaml:4: EventSourceMappings[0].BatchSize: Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10 (found 100)",
            ],
        ),
        (
            "MaximumBatchingWindowInSeconds: 301",
            &[
                "a.yaml:4: EventSourceMappings[0].MaximumBatchingWindowInSeconds: 301 is more than 300",
            ],
        ),
        (
            "MaximumBatchingWindowInSeconds: -1",
            &["a.yaml:4: EventSourceMappings[0].MaximumBatchingWindowInSeconds: -1 is less than 0"],
        ),
        (
            "MaximumBatchingWindowInSeconds: true",
            &[
                "a.yaml:4: EventSourceMappings[0].MaximumBatchingWindowInSeconds: expected a whole number from 0 to 300, found true",
            ],
        ),
    ]);
}

#[test]
fn keys_and_switches_are_checked() {
    check(&[
        (
            "BatchSise: 10",
            &["a.yaml:4: EventSourceMappings[0].BatchSise: unknown key; did you mean BatchSize?"],
        ),
        (
            "batch_size: 10",
            &["a.yaml:4: EventSourceMappings[0].batch_size: unknown key; did you mean BatchSize?"],
        ),
        (
            "Foo: 1",
            &[
                "a.yaml:4: EventSourceMappings[0].Foo: unknown key; expected Name, EventSourceArn, FunctionName, Enabled, BatchSize, MaximumBatchingWindowInSeconds, FilterCriteria, FunctionResponseTypes, ScalingConfig or Extensions",
            ],
        ),
        (
            "Enabled: yes",
            &[r#"a.yaml:4: EventSourceMappings[0].Enabled: expected true or false, found "yes""#],
        ),
        (
            "Enabled: 1",
            &["a.yaml:4: EventSourceMappings[0].Enabled: expected true or false, found 1"],
        ),
        (
            "State: Running",
            &[
                r#"a.yaml:4: EventSourceMappings[0].State: "Running" is no state; expected Creating, Enabling, Enabled, Disabling, Disabled, Updating or Deleting"#,
            ],
        ),
        (
            "FunctionResponseTypes: ReportBatchItemFailures",
            &[
                r#"a.yaml:4: EventSourceMappings[0].FunctionResponseTypes: expected a list, found "ReportBatchItemFailures""#,
            ],
        ),
        (
            "FunctionResponseTypes: [ReportBatchItemFailure]",
            &[
                r#"a.yaml:4: EventSourceMappings[0].FunctionResponseTypes[0]: "ReportBatchItemFailure" is unknown; expected ReportBatchItemFailures"#,
            ],
        ),
        (
            "FunctionResponseTypes: [ReportBatchItemFailures, ReportBatchItemFailures]",
            &[
                "a.yaml:4: EventSourceMappings[0].FunctionResponseTypes: 2 entries; at most 1 is allowed",
            ],
        ),
        (
            "FunctionResponseTypes: [1]",
            &[
                "a.yaml:4: EventSourceMappings[0].FunctionResponseTypes[0]: expected text, found 1; put it in quotes",
            ],
        ),
        (
            "ScalingConfig: {MaximumConcurrency: 0}",
            &[
                "a.yaml:4: EventSourceMappings[0].ScalingConfig.MaximumConcurrency: 0 is less than 1",
            ],
        ),
        (
            "ScalingConfig: {MaximumConcurrency: 1001}",
            &[
                "a.yaml:4: EventSourceMappings[0].ScalingConfig.MaximumConcurrency: 1001 is more than 1000",
            ],
        ),
        (
            "ScalingConfig: {MaxConcurrency: 5}",
            &[
                "a.yaml:4: EventSourceMappings[0].ScalingConfig.MaxConcurrency: unknown key; did you mean MaximumConcurrency?",
            ],
        ),
        (
            "ScalingConfig: 5",
            &["a.yaml:4: EventSourceMappings[0].ScalingConfig: expected a mapping, found 5"],
        ),
    ]);
}

#[test]
fn filters_are_checked() {
    check(&[
        (
            "FilterCriteria: []",
            &["a.yaml:4: EventSourceMappings[0].FilterCriteria: expected a mapping, found a list"],
        ),
        (
            "FilterCriteria: {Filter: []}",
            &[
                "a.yaml:4: EventSourceMappings[0].FilterCriteria.Filter: unknown key; did you mean Filters?",
            ],
        ),
        (
            "FilterCriteria: {Filters: {}}",
            &[
                "a.yaml:4: EventSourceMappings[0].FilterCriteria.Filters: expected a list, found a mapping",
            ],
        ),
        (
            "FilterCriteria: {Filters: [{}]}",
            &[
                r#"a.yaml:4: EventSourceMappings[0].FilterCriteria.Filters[0]: Pattern is missing: the filter as JSON text, such as '{"body":{"kind":["order"]}}'"#,
            ],
        ),
        (
            "FilterCriteria: {Filters: [{Pattern: {body: [1]}}]}",
            &[
                "a.yaml:4: EventSourceMappings[0].FilterCriteria.Filters[0].Pattern: expected JSON text, found a mapping; put the pattern in single quotes",
            ],
        ),
        (
            r#"FilterCriteria: {Filters: [{Pattern: "{"}]}"#,
            &[
                "a.yaml:4: EventSourceMappings[0].FilterCriteria.Filters[0].Pattern: Invalid filter pattern definition. Filter is not valid JSON: EOF while parsing an object at line 1 column 1",
            ],
        ),
        (
            r#"FilterCriteria: {Filters: [{Pattern: "[]"}, {Pattern: ""}]}"#,
            &[
                "a.yaml:4: EventSourceMappings[0].FilterCriteria.Filters[0].Pattern: Invalid filter pattern definition. Filter is not an object",
                "a.yaml:4: EventSourceMappings[0].FilterCriteria.Filters[1].Pattern: Invalid filter pattern definition. Filter is not valid JSON: EOF while parsing a value at line 1 column 0",
            ],
        ),
        (
            r#"FilterCriteria: {Filters: [{Pattern: '{"body":["a"]}'}, {Pattern: '{"body":["a"]}'}, {Pattern: '{"body":["a"]}'}, {Pattern: '{"body":["a"]}'}, {Pattern: '{"body":["a"]}'}, {Pattern: '{"body":["a"]}'}, {Pattern: '{"body":["a"]}'}, {Pattern: '{"body":["a"]}'}, {Pattern: '{"body":["a"]}'}, {Pattern: '{"body":["a"]}'}, {Pattern: '{"body":["a"]}'}]}"#,
            &[
                "a.yaml:4: EventSourceMappings[0].FilterCriteria.Filters: 11 filters; at most 10 are allowed",
            ],
        ),
        (
            "FilterCriteriaError: {ErrorCode: KMSAccessDenied, Message: denied}",
            &[
                "a.yaml:4: EventSourceMappings[0].FilterCriteriaError: AWS could not show this mapping's filter; write it as FilterCriteria and remove this key",
            ],
        ),
        (
            r#"FilterCriteria: {Filters: [{Pattern: '{"body":{"kind":"order"}}'}]}"#,
            &[
                r#"a.yaml:4: EventSourceMappings[0].FilterCriteria.Filters[0].Pattern: Invalid filter pattern definition. Key body.kind: "kind" must be an object or an array"#,
            ],
        ),
        (
            r#"FilterCriteria: {Filters: [{Pattern: '{"body":{"a\nb":[]}}'}]}"#,
            &[
                r#"a.yaml:4: EventSourceMappings[0].FilterCriteria.Filters[0].Pattern: Invalid filter pattern definition. Key body.a\nb: Empty arrays are not allowed"#,
            ],
        ),
    ]);
}

#[test]
fn names_and_identifiers_are_checked() {
    check(&[
        (
            "Name: my mapping",
            &[
                r#"a.yaml:4: EventSourceMappings[0].Name: "my mapping" is no name of a mapping; expected 1 to 128 letters, digits, ., _ and -, a letter or digit first"#,
            ],
        ),
        (
            "Name: -a",
            &[
                r#"a.yaml:4: EventSourceMappings[0].Name: "-a" is no name of a mapping; expected 1 to 128 letters, digits, ., _ and -, a letter or digit first"#,
            ],
        ),
        (
            r#"Name: """#,
            &[
                r#"a.yaml:4: EventSourceMappings[0].Name: "" is no name of a mapping; expected 1 to 128 letters, digits, ., _ and -, a letter or digit first"#,
            ],
        ),
        (
            "Name: 7",
            &["a.yaml:4: EventSourceMappings[0].Name: expected text, found 7; put it in quotes"],
        ),
        (
            "UUID: 1234",
            &["a.yaml:4: EventSourceMappings[0].UUID: expected text, found 1234; put it in quotes"],
        ),
        (
            "UUID: 14e0db71-5d35-4eb5-b481-8945cf9d10cX",
            &[
                r#"a.yaml:4: EventSourceMappings[0].UUID: "14e0db71-5d35-4eb5-b481-8945cf9d10cX" is no UUID; expected 36 characters such as 14e0db71-5d35-4eb5-b481-8945cf9d10c2, or leave it out"#,
            ],
        ),
    ]);
}

#[test]
fn extensions_are_checked() {
    check(&[
        (
            "Extensions: {Retries: 3}",
            &[
                "a.yaml:4: EventSourceMappings[0].Extensions.Retries: unknown key; an SQS mapping has no extensions in this version",
            ],
        ),
        (
            "Extensions: {BatchSize: 3}",
            &[
                "a.yaml:4: EventSourceMappings[0].Extensions.BatchSize: unknown key; did you mean BatchSize, which stands outside of Extensions?",
            ],
        ),
        (
            "Extensions: {DiscardOnlyFailing: true, DeaggregateKpl: true}",
            &[
                "a.yaml:4: EventSourceMappings[0].Extensions.DiscardOnlyFailing: for streams only, and this source is an SQS queue; remove it",
                "a.yaml:4: EventSourceMappings[0].Extensions.DeaggregateKpl: for Kinesis streams only, and this source is an SQS queue; remove it",
            ],
        ),
        (
            "Extensions: [1]",
            &["a.yaml:4: EventSourceMappings[0].Extensions: expected a mapping, found a list"],
        ),
    ]);
}

#[test]
fn what_belongs_to_other_sources_is_refused_with_the_reason() {
    check(&[
        (
            "DestinationConfig: {OnFailure: {Destination: arn:aws:sqs:us-east-1:123456789012:failed}}",
            &[
                "a.yaml:4: EventSourceMappings[0].DestinationConfig: Unsupported DestinationConfig parameter for given event source mapping type. Failed messages go where the queue's redrive policy says; remove it",
            ],
        ),
        (
            "DestinationConfig: {OnSuccess: {Destination: x}}",
            &[
                "a.yaml:4: EventSourceMappings[0].DestinationConfig: Unsupported DestinationConfig parameter for given event source mapping type. Failed messages go where the queue's redrive policy says; remove it",
            ],
        ),
        (
            "StartingPosition: LATEST",
            &[
                "a.yaml:4: EventSourceMappings[0].StartingPosition: for streams only, and this source is an SQS queue; remove it",
            ],
        ),
        (
            "StartingPositionTimestamp: 1789650000",
            &[
                "a.yaml:4: EventSourceMappings[0].StartingPositionTimestamp: for streams only, and this source is an SQS queue; remove it",
            ],
        ),
        (
            "ParallelizationFactor: 2",
            &[
                "a.yaml:4: EventSourceMappings[0].ParallelizationFactor: for streams only, and this source is an SQS queue; remove it",
            ],
        ),
        (
            "MaximumRecordAgeInSeconds: 60",
            &[
                "a.yaml:4: EventSourceMappings[0].MaximumRecordAgeInSeconds: for streams only; how long a queue keeps a message is the queue's MessageRetentionPeriod; remove it",
            ],
        ),
        (
            "MaximumRetryAttempts: 3",
            &[
                "a.yaml:4: EventSourceMappings[0].MaximumRetryAttempts: for streams only; how often a queue's message is tried is the maxReceiveCount of the queue's redrive policy; remove it",
            ],
        ),
        (
            "BisectBatchOnFunctionError: true",
            &[
                "a.yaml:4: EventSourceMappings[0].BisectBatchOnFunctionError: for streams only, and this source is an SQS queue; remove it",
            ],
        ),
        (
            "TumblingWindowInSeconds: 30",
            &[
                "a.yaml:4: EventSourceMappings[0].TumblingWindowInSeconds: for streams only, and this source is an SQS queue; remove it",
            ],
        ),
        (
            "Topics: [t]",
            &[
                "a.yaml:4: EventSourceMappings[0].Topics: for Kafka only, and this source is an SQS queue; remove it",
            ],
        ),
        (
            "Queues: [q]",
            &[
                "a.yaml:4: EventSourceMappings[0].Queues: for message brokers only, and this source is an SQS queue; remove it",
            ],
        ),
        (
            "SourceAccessConfigurations: [{Type: BASIC_AUTH, URI: x}]",
            &[
                "a.yaml:4: EventSourceMappings[0].SourceAccessConfigurations: for message brokers only, and this source is an SQS queue; remove it",
            ],
        ),
        (
            "SelfManagedEventSource: {Endpoints: {a: b}}",
            &[
                "a.yaml:4: EventSourceMappings[0].SelfManagedEventSource: for Kafka only, and this source is an SQS queue; remove it",
            ],
        ),
        (
            "AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: g}",
            &[
                "a.yaml:4: EventSourceMappings[0].AmazonManagedKafkaEventSourceConfig: for Kafka only, and this source is an SQS queue; remove it",
            ],
        ),
        (
            "SelfManagedKafkaEventSourceConfig: {ConsumerGroupId: g}",
            &[
                "a.yaml:4: EventSourceMappings[0].SelfManagedKafkaEventSourceConfig: for Kafka only, and this source is an SQS queue; remove it",
            ],
        ),
        (
            "DocumentDBEventSourceConfig: {DatabaseName: d}",
            &[
                "a.yaml:4: EventSourceMappings[0].DocumentDBEventSourceConfig: for DocumentDB only, and this source is an SQS queue; remove it",
            ],
        ),
        (
            "ProvisionedPollerConfig: {MinimumPollers: 2}",
            &[
                "a.yaml:4: EventSourceMappings[0].ProvisionedPollerConfig: no pollers are provisioned here, they follow the backlog; remove it, and cap them by ScalingConfig.MaximumConcurrency",
            ],
        ),
        (
            "KMSKeyArn: arn:aws:kms:us-east-1:123456789012:key/1",
            &[
                "a.yaml:4: EventSourceMappings[0].KMSKeyArn: filters stand in this file as plain text; write FilterCriteria and remove the key",
            ],
        ),
    ]);
}

#[test]
fn all_errors_of_a_mapping_are_shown_in_one_run() {
    check(&[(
        "BatchSize: 20000
    MaximumBatchingWindowInSeconds: 400
    Enabled: maybe
    Bogus: 1",
        &[
            "a.yaml:4: EventSourceMappings[0].BatchSize: 20000 is more than 10000",
            "a.yaml:5: EventSourceMappings[0].MaximumBatchingWindowInSeconds: 400 is more than 300",
            r#"a.yaml:6: EventSourceMappings[0].Enabled: expected true or false, found "maybe""#,
            "a.yaml:7: EventSourceMappings[0].Bogus: unknown key; expected Name, EventSourceArn, FunctionName, Enabled, BatchSize, MaximumBatchingWindowInSeconds, FilterCriteria, FunctionResponseTypes, ScalingConfig or Extensions",
        ],
    )]);
}
