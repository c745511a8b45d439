//! Mappings that say wrongly what they join or are called, each with the exact lines that the user sees.

use sluicegate::config::Config;

/// A text and the lines of its errors.
type Case = (&'static str, &'static [&'static str]);

fn check(cases: &[Case]) {
    for (text, expected) in cases {
        let env = |name: &str| (name == "WORD").then(|| "ten".to_owned());
        let errors = Config::parse("a.yaml", text, &env).expect_err(text);
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(lines, *expected, "{text}");
    }
}

#[test]
fn a_mapping_names_its_queue_and_its_function() {
    check(&[
        (
            "EventSourceMappings:
  - {}
",
            &[
                "a.yaml:2: EventSourceMappings[0]: Unrecognized event source. EventSourceArn is missing: the ARN of a queue or a stream, such as arn:aws:sqs:us-east-1:123456789012:orders",
                "a.yaml:2: EventSourceMappings[0]: FunctionName is missing: a function's name or ARN, such as process-orders",
            ],
        ),
        (
            "EventSourceMappings:
  - orders
",
            &[r#"a.yaml:2: EventSourceMappings[0]: expected a mapping, found "orders""#],
        ),
        (
            "EventSourceMappings:
  - EventSourceArn: orders
    FunctionName: f
",
            &[
                r#"a.yaml:2: EventSourceMappings[0].EventSourceArn: "orders" is no ARN; expected such as arn:aws:sqs:us-east-1:123456789012:orders"#,
            ],
        ),
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:12345:orders
    FunctionName: f
    BatchSize: 0
",
            &[
                r#"a.yaml:2: EventSourceMappings[0].EventSourceArn: "arn:aws:sqs:us-east-1:12345:orders" is no ARN: "12345" is no account of 12 digits; expected such as arn:aws:sqs:us-east-1:123456789012:orders"#,
                "a.yaml:4: EventSourceMappings[0].BatchSize: 0 is less than 1",
            ],
        ),
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:my.queue
    FunctionName: f
",
            &[
                r#"a.yaml:2: EventSourceMappings[0].EventSourceArn: "my.queue" is no name of a queue; expected 1 to 80 letters, digits, - and _, with .fifo at the end of a FIFO queue's"#,
            ],
        ),
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:sqs::123456789012:orders
    FunctionName: f
",
            &[
                r#"a.yaml:2: EventSourceMappings[0].EventSourceArn: "arn:aws:sqs::123456789012:orders" names no region; expected such as arn:aws:sqs:us-east-1:123456789012:orders"#,
            ],
        ),
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
",
            &[
                "a.yaml:2: EventSourceMappings[0]: FunctionName is missing: a function's name or ARN, such as process-orders",
            ],
        ),
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:kafka:us-east-1:123456789012:cluster/c/1
  - EventSourceArn: arn:aws:mq:us-east-1:123456789012:broker:b:1
  - EventSourceArn: arn:aws:s3:::bucket
  - EventSourceArn: arn:aws:sns:us-east-1:123456789012:topic
",
            &[
                r#"a.yaml:2: EventSourceMappings[0].EventSourceArn: "arn:aws:kafka:us-east-1:123456789012:cluster/c/1" is an Amazon MSK cluster; served are SQS queues, Kinesis streams and DynamoDB streams"#,
                r#"a.yaml:3: EventSourceMappings[1].EventSourceArn: "arn:aws:mq:us-east-1:123456789012:broker:b:1" is an Amazon MQ broker; served are SQS queues, Kinesis streams and DynamoDB streams"#,
                r#"a.yaml:4: EventSourceMappings[2].EventSourceArn: "arn:aws:s3:::bucket" is no ARN: "" is no account of 12 digits; expected such as arn:aws:sqs:us-east-1:123456789012:orders"#,
                "a.yaml:4: EventSourceMappings[2]: FunctionName is missing: a function's name or ARN, such as process-orders",
                r#"a.yaml:5: EventSourceMappings[3].EventSourceArn: "arn:aws:sns:us-east-1:123456789012:topic" is no source of events; served are SQS queues, Kinesis streams and DynamoDB streams"#,
            ],
        ),
        (
            r#"EventSourceMappings:
  - SelfManagedEventSource: {Endpoints: {KAFKA_BOOTSTRAP_SERVERS: ["h:9092"]}}
    FunctionName: f
    Topics: [t]
"#,
            &[
                "a.yaml:2: EventSourceMappings[0].SelfManagedEventSource: a self-managed Kafka cluster; served are SQS queues, Kinesis streams and DynamoDB streams",
            ],
        ),
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: 123
",
            &[
                "a.yaml:3: EventSourceMappings[0].FunctionName: expected text, found 123; put it in quotes",
            ],
        ),
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: my function
",
            &[
                r#"a.yaml:3: EventSourceMappings[0].FunctionName: "my function" is no function name; expected name, name:alias, 123456789012:function:name or arn:aws:lambda:us-east-1:123456789012:function:name"#,
            ],
        ),
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: f:not valid
",
            &[
                r#"a.yaml:3: EventSourceMappings[0].FunctionName: "not valid" in "f:not valid" is no version or alias; expected $LATEST, or letters, digits, - and _"#,
            ],
        ),
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
",
            &[
                "a.yaml:3: EventSourceMappings[0].FunctionName: 65 characters; the bare name of a function has at most 64",
            ],
        ),
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionArn: arn:aws:sqs:us-east-1:123456789012:f
",
            &[
                r#"a.yaml:3: EventSourceMappings[0].FunctionArn: "arn:aws:sqs:us-east-1:123456789012:f" is no ARN of a function; expected name, name:alias, 123456789012:function:name or arn:aws:lambda:us-east-1:123456789012:function:name"#,
            ],
        ),
    ]);
}

#[test]
fn no_two_mappings_are_the_same() {
    check(&[
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: f
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: f
",
            &[
                r#"a.yaml:4: EventSourceMappings[1]: An event source mapping with SQS arn (" arn:aws:sqs:us-east-1:123456789012:orders ") and function (" f ") already exists. Please update or delete the existing mapping with UUID 0d14060f-a336-3580-b8ad-939b1a5e498b (a.yaml:2)"#,
            ],
        ),
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: f
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: arn:aws:lambda:us-east-1:123456789012:function:f
",
            &[
                r#"a.yaml:4: EventSourceMappings[1]: An event source mapping with SQS arn (" arn:aws:sqs:us-east-1:123456789012:orders ") and function (" arn:aws:lambda:us-east-1:123456789012:function:f ") already exists. Please update or delete the existing mapping with UUID 0d14060f-a336-3580-b8ad-939b1a5e498b (a.yaml:2)"#,
            ],
        ),
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: f
    Name: a
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: g
    Name: a
",
            &[
                r#"a.yaml:7: EventSourceMappings[1].Name: "a" is already the name of the mapping at a.yaml:2"#,
            ],
        ),
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: f
    UUID: 14e0db71-5d35-4eb5-b481-8945cf9d10c2
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: g
    UUID: 14E0DB71-5d35-4eb5-b481-8945cf9d10c2
",
            &[
                r#"a.yaml:7: EventSourceMappings[1].UUID: "14E0DB71-5d35-4eb5-b481-8945cf9d10c2" is already the UUID of the mapping at a.yaml:2"#,
            ],
        ),
        (
            r#"Functions:
  f: {Http: {Url: "http://a/"}}
  123456789012:function:f: {Http: {Url: "http://b/"}}
EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: f:live
"#,
            &[
                r#"a.yaml:6: EventSourceMappings[0].FunctionName: "f:live" could be f or 123456789012:function:f of Functions; name it as one of them does"#,
            ],
        ),
    ]);
}

#[test]
fn the_limits_of_a_fifo_queue_are_checked() {
    check(&[
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders.fifo
    FunctionName: f
    BatchSize: 11
",
            &[
                "a.yaml:4: EventSourceMappings[0].BatchSize: Batch size must not exceed 10 for FIFO queues (found 11)",
            ],
        ),
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders.fifo
    FunctionName: f
    MaximumBatchingWindowInSeconds: 1
",
            &[
                "a.yaml:4: EventSourceMappings[0].MaximumBatchingWindowInSeconds: Batching window is not supported for FIFO queues (found 1)",
            ],
        ),
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders.fifo
    FunctionName: f
    BatchSize: 100
    MaximumBatchingWindowInSeconds: 1
",
            &[
                "a.yaml:4: EventSourceMappings[0].BatchSize: Batch size must not exceed 10 for FIFO queues (found 100)",
                "a.yaml:5: EventSourceMappings[0].MaximumBatchingWindowInSeconds: Batching window is not supported for FIFO queues (found 1)",
            ],
        ),
    ]);
}
