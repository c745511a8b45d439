//! Templates of CloudFormation and SAM, in YAML and JSON.

use super::{imported, refused, run};
use crate::cli::program::{Ended, run_with};

const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:given";

#[test]
fn a_template_of_sam_becomes_a_configuration_with_what_it_leaves_open_named() {
    let values = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCOUNT_ID", "123456789012"),
        ("AWS_STACK_NAME", "shop"),
        ("NAMELESS_QUEUE_ARN", QUEUE),
        (
            "TABLE_STREAM_ARN",
            "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000",
        ),
        ("PROCESS_CHANGES_ON_FAILURE", "arn:aws:s3:::failed"),
        ("SHARED_QUEUE_ARN", QUEUE),
        ("DEV_QUEUE_ARN", QUEUE),
    ];
    let (out, config) = imported(&["template", "sam.yaml"], &values);
    assert_eq!(out, SAM);
    let names: Vec<&str> = config
        .mappings
        .iter()
        .map(|mapping| &*mapping.name)
        .collect();
    assert_eq!(
        names,
        [
            "ProcessOrders",
            "ProcessNameless",
            "ProcessClicks",
            "ProcessChanges",
            "Shared",
            "Imported"
        ]
    );
    assert_eq!(
        config.mappings[0].filter_patterns,
        [r#"{"body":{"stage":["dev"],"text":["${x}"]}}"#]
    );
}

#[test]
fn what_is_given_decides_names_conditions_and_maps() {
    let args = [
        "template",
        "sam.yaml",
        "--parameter",
        "Stage=prod",
        "--parameter",
        "Size=7",
        "--region",
        "eu-west-1",
        "--account",
        "111111111111",
        "--stack-name",
        "shop",
    ];
    let values = [
        ("NAMELESS_QUEUE_ARN", QUEUE),
        (
            "TABLE_STREAM_ARN",
            "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000",
        ),
        ("PROCESS_CHANGES_ON_FAILURE", "arn:aws:s3:::failed"),
        ("SHARED_QUEUE_ARN", QUEUE),
        ("PROD_QUEUE_ARN", QUEUE),
    ];
    let (_, config) = imported(&args, &values);
    let orders = &config.mappings[0];
    assert_eq!(
        orders.source.to_string(),
        "arn:aws:sqs:eu-west-1:111111111111:shop-orders-prod"
    );
    assert_eq!(orders.function_name, "process-prod:live");
    assert_eq!(
        (orders.batch_size, orders.maximum_concurrency),
        (7, Some(20))
    );
    let clicks = config.mappings[2].stream.as_ref().unwrap();
    assert_eq!(clicks.retries_max, Some(5), "the condition IsProd holds");
    assert!(config.mappings.iter().any(|mapping| mapping.name == "Prod"));
}

#[test]
fn a_template_in_json_becomes_a_configuration() {
    let args = [
        "template",
        "stack.json",
        "--region",
        "cn-north-1",
        "--account",
        "123456789012",
    ];
    let (out, _) = imported(&args, &[("KEPT", QUEUE), ("TOKEN", "5")]);
    assert_eq!(out, STACK);
    let json = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/it/import/stack.json"
    ));
    let args = ["import", "template", "-", "--check"];
    let piped = run_with(&args, &json.unwrap());
    assert_eq!((piped.code, piped.err.as_str()), (Some(0), ""));
    assert!(
        piped
            .out
            .starts_with("taken over: Resources.Counting, stdin:16\n"),
        "{}",
        piped.out
    );
}

#[test]
fn a_check_says_what_has_no_counterpart_and_ends_with_1() {
    let Ended { code, out, err } = run(&["import", "template", "sam.yaml", "--check"]);
    assert_eq!((code, err.as_str()), (Some(1), ""));
    assert_eq!(out, CHECKED);
    let args = ["import", "--check", "template", "stack.json"];
    let complete = run(&args);
    assert_eq!(complete.code, Some(0), "{}", complete.out);
    assert!(complete.out.ends_with("everything has a counterpart\n"));
}

#[test]
fn what_is_not_followed_is_named_and_what_can_not_be_known_has_a_name() {
    let (out, _) = imported(
        &["template", "corners.yaml"],
        &[
            ("PATH_2", "process"),
            ("A_EVENT_SOURCE_ARN", QUEUE),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCOUNT_ID", "123456789012"),
            ("C_BATCH_SIZE", "5"),
            ("MADE", "made"),
        ],
    );
    assert_eq!(out, CORNERS);
}

const MAPPING: &str =
    "Resources:\n  A:\n    Type: AWS::Lambda::EventSourceMapping\n    Properties:\n";

#[test]
fn a_wrong_template_is_refused_with_its_line() {
    let with = |properties: &str| MAPPING.to_owned() + properties;
    let cases = [
        (
            "# nothing\n".to_owned(),
            "file: the file is empty; expected a template with Resources",
        ),
        (
            "Resources:\n  A: [1\n  B: 2\n".to_owned(),
            "file:3: not valid YAML or JSON: illegal placement of ':' indicator",
        ),
        (
            "{".to_owned(),
            "file:2: not valid YAML or JSON: while parsing a node, did not find expected node content",
        ),
        (
            "EventSourceMappings: []\n".to_owned(),
            "file: no Resources: is this a template of CloudFormation or SAM?",
        ),
        (
            "Resources:\n  A: { Type: AWS::SQS::Queue }\n".to_owned(),
            "file: no AWS::Lambda::EventSourceMapping, and no AWS::Serverless::Function with Events of type SQS, Kinesis or DynamoDB",
        ),
        (
            with("      BatchSize: !Foo 5\n"),
            "file:5: Resources.A.Properties.BatchSize: \"Fn::Foo\" is no function of a template; expected one such as Ref, Fn::GetAtt or Fn::Sub",
        ),
        (
            with("      BatchSize: { Ref: [x] }\n"),
            "file:5: Resources.A.Properties.BatchSize: Ref takes a name",
        ),
        (
            with("      EventSourceArn: !Join [x]\n"),
            "file:5: Resources.A.Properties.EventSourceArn: Fn::Join takes [delimiter, [values]]",
        ),
        (
            with("      FunctionName: !Sub \"${F\"\n"),
            "file:5: Resources.A.Properties.FunctionName: a \"${\" without its \"}\"",
        ),
        (
            with("      FunctionName: !If [Prod, a, b]\n"),
            "file:5: Resources.A.Properties.FunctionName: the template has no condition \"Prod\"",
        ),
        (
            with("      BatchSize: 1\n      BatchSize: 2\n"),
            "file:6: Resources.A.Properties.BatchSize: set twice",
        ),
        (
            with(
                "      FunctionName: !Ref F\n  F:\n    Type: AWS::Lambda::Function\n    Properties: { FunctionName: !Sub \"${G}-x\" }\n  G:\n    Type: AWS::Lambda::Function\n    Properties: { FunctionName: !Ref F }\n",
            ),
            "file:11: Resources.A.Properties.FunctionName: refers to itself: F -> G -> F",
        ),
        (
            doubling("x"),
            "file:77: Resources.A.Properties.FunctionName: comes to more than 65536 bytes",
        ),
        (
            doubling("\"\""),
            "file:122: Resources.A.Properties.FunctionName: more than 1000000 values to evaluate",
        ),
        (
            "[".repeat(10 * 1024 * 1024),
            "file:1: not valid YAML or JSON: recursion limit exceeded",
        ),
        (
            (0..200)
                .map(|depth| format!("{}a:\n", " ".repeat(depth)))
                .collect(),
            "file:101: nested more than 100 levels deep",
        ),
    ];
    for (text, line) in cases {
        assert_eq!(refused("template", &text), line);
    }
    let missing = run(&["import", "template", "missing.yaml"]);
    assert_eq!(missing.code, Some(2));
    assert_eq!(
        missing.err,
        "missing.yaml: cannot be read: No such file or directory (os error 2)\n"
    );
    let unknown = run(&["import", "template", "sam.yaml", "--parameter", "Stge=x"]);
    assert_eq!(unknown.code, Some(2));
    assert_eq!(
        unknown.err,
        "sam.yaml: --parameter Stge: the template has no such parameter\n"
    );
}

/// Each name is twice the one after it.
fn doubling(last: &str) -> String {
    let function = |index: usize, name: &str| {
        format!(
            "  F{index}:\n    Type: AWS::Lambda::Function\n    Properties: {{ FunctionName: {name} }}\n"
        )
    };
    let doubled = (0..40).map(|index| {
        let next = index + 1;
        function(index, &format!("!Sub \"${{F{next}}}${{F{next}}}\""))
    });
    let head = format!("{MAPPING}      FunctionName: !Ref F0\n");
    head + &doubled.collect::<String>() + &function(40, last)
}

const SAM: &str = r##"# Made by `sluicegate import template sam.yaml`.
# Mappings taken over: 6; not taken over: 4.
# To be set in the environment, or to be written in their place:
#   AWS_REGION: !Ref AWS::Region, sam.yaml:44
#   AWS_ACCOUNT_ID: !Ref AWS::AccountId, sam.yaml:44
#   AWS_STACK_NAME: !Ref AWS::StackName, sam.yaml:25
#   NAMELESS_QUEUE_ARN: !GetAtt NamelessQueue.Arn, sam.yaml:58
#   TABLE_STREAM_ARN: !GetAtt Table.StreamArn, sam.yaml:73
#   PROCESS_CHANGES_ON_FAILURE: the destination that SAM makes for ProcessChanges, sam.yaml:70
#   SHARED_QUEUE_ARN: !Ref SharedQueueArn, sam.yaml:93
#   DEV_QUEUE_ARN: !ImportValue !Sub ${Stage}-QueueArn, sam.yaml:102
EventSourceMappings:
  # Resources.Process.Properties.Events.Orders, sam.yaml:41
  - Name: ProcessOrders
    EventSourceArn: arn:aws:sqs:${AWS_REGION}:${AWS_ACCOUNT_ID}:${AWS_STACK_NAME}-orders-dev
    FunctionName: process-dev:live
    BatchSize: 50
    MaximumBatchingWindowInSeconds: 5
    FunctionResponseTypes: [ReportBatchItemFailures]
    ScalingConfig:
      MaximumConcurrency: 2
    FilterCriteria:
      Filters:
        - Pattern: '{"body":{"stage":["dev"],"text":["$${x}"]}}'
  # Resources.Process.Properties.Events.Nameless, sam.yaml:55
  - Name: ProcessNameless
    EventSourceArn: ${NAMELESS_QUEUE_ARN}
    FunctionName: process-dev:live
  # Resources.Process.Properties.Events.Clicks, sam.yaml:60
  - Name: ProcessClicks
    EventSourceArn: arn:aws:kinesis:${AWS_REGION}:${AWS_ACCOUNT_ID}:stream/clicks
    FunctionName: process-dev:live
    StartingPosition: LATEST
    BisectBatchOnFunctionError: true
    DestinationConfig:
      OnFailure:
        Destination: arn:aws:sns:${AWS_REGION}:${AWS_ACCOUNT_ID}:failed
  # Resources.Process.Properties.Events.Changes, sam.yaml:70
  - Name: ProcessChanges
    EventSourceArn: ${TABLE_STREAM_ARN}
    FunctionName: process-dev:live
    StartingPosition: TRIM_HORIZON
    DestinationConfig:
      OnFailure:
        Destination: ${PROCESS_CHANGES_ON_FAILURE}
  # Not taken over: Resources.Process.Properties.Events.Kafka, sam.yaml:77
  #   an Amazon MSK cluster is no source here; SQS queues, Kinesis streams and DynamoDB streams are
  # Resources.Shared, sam.yaml:89
  #   only where the condition Open holds, which is not known
  #   Tags are left out: mappings are told apart by Name
  #   MetricsConfig is left out: every metric is always exported
  #   ProvisionedPollerConfig is left out: no pollers are provisioned here, they follow the backlog; ScalingConfig.MaximumConcurrency caps them
  - Name: Shared
    EventSourceArn: ${SHARED_QUEUE_ARN}
    FunctionName: arn:aws:lambda:${AWS_REGION}:${AWS_ACCOUNT_ID}:function:index:live
    BatchSize: 10
  # Resources.Imported, sam.yaml:99
  #   KMSKeyArn is left out: filters stand in this file as plain text
  - Name: Imported
    Enabled: false
    EventSourceArn: ${DEV_QUEUE_ARN}
    FunctionName: index
  # Not taken over: Resources.Twice, sam.yaml:107
  #   the same source and function as Resources.Imported, sam.yaml:99
  # Not part of it: Resources.Prod, sam.yaml:112
  #   the condition IsProd does not hold with these parameters
  # Not taken over: Resources.Hidden, sam.yaml:118
  #   FilterCriteria can not be known: !Ref SharedFilter, sam.yaml:123
  # Not taken over: Resources.TooMuch, sam.yaml:124
  #   BatchSize: 20000 is more than 10000
"##;

const STACK: &str = r##"# Made by `sluicegate import template stack.json`.
# Mappings taken over: 2.
# To be set in the environment, or to be written in their place:
#   KEPT: !Ref Kept, stack.json:43
#   TOKEN: !Ref Token, stack.json:45
EventSourceMappings:
  # Resources.Counting, stack.json:16
  - Name: Counting
    EventSourceArn: arn:aws-cn:kinesis:cn-north-1:123456789012:stream/clicks
    FunctionName: arn:aws-cn:lambda:cn-north-1:123456789012:function:count
    StartingPosition: AT_TIMESTAMP
    StartingPositionTimestamp: 1789650000
    BatchSize: 500
    MaximumRecordAgeInSeconds: 3600
    DestinationConfig:
      OnFailure:
        Destination: arn:aws-cn:s3:::clicks-failed
    FilterCriteria:
      Filters:
        - Pattern: '{"data":{"kind":["refund"],"it''s":["$5"]}}'
  # Resources.Secret, stack.json:40
  - Name: Secret
    EventSourceArn: ${KEPT}
    FunctionName: count
    BatchSize: ${TOKEN}
    ScalingConfig:
      MaximumConcurrency: 20
"##;

const CHECKED: &str = r##"taken over: Resources.Process.Properties.Events.Orders, sam.yaml:41
taken over: Resources.Process.Properties.Events.Nameless, sam.yaml:55
taken over: Resources.Process.Properties.Events.Clicks, sam.yaml:60
taken over: Resources.Process.Properties.Events.Changes, sam.yaml:70
not taken over: Resources.Process.Properties.Events.Kafka, sam.yaml:77
    an Amazon MSK cluster is no source here; SQS queues, Kinesis streams and DynamoDB streams are
taken over: Resources.Shared, sam.yaml:89
    only where the condition Open holds, which is not known
    Tags are left out: mappings are told apart by Name
    MetricsConfig is left out: every metric is always exported
    ProvisionedPollerConfig is left out: no pollers are provisioned here, they follow the backlog; ScalingConfig.MaximumConcurrency caps them
taken over: Resources.Imported, sam.yaml:99
    KMSKeyArn is left out: filters stand in this file as plain text
not taken over: Resources.Twice, sam.yaml:107
    the same source and function as Resources.Imported, sam.yaml:99
not part of it: Resources.Prod, sam.yaml:112
    the condition IsProd does not hold with these parameters
not taken over: Resources.Hidden, sam.yaml:118
    FilterCriteria can not be known: !Ref SharedFilter, sam.yaml:123
not taken over: Resources.TooMuch, sam.yaml:124
    BatchSize: 20000 is more than 10000
to be set: AWS_REGION: !Ref AWS::Region, sam.yaml:44
to be set: AWS_ACCOUNT_ID: !Ref AWS::AccountId, sam.yaml:44
to be set: AWS_STACK_NAME: !Ref AWS::StackName, sam.yaml:25
to be set: NAMELESS_QUEUE_ARN: !GetAtt NamelessQueue.Arn, sam.yaml:58
to be set: TABLE_STREAM_ARN: !GetAtt Table.StreamArn, sam.yaml:73
to be set: PROCESS_CHANGES_ON_FAILURE: the destination that SAM makes for ProcessChanges, sam.yaml:70
to be set: SHARED_QUEUE_ARN: !Ref SharedQueueArn, sam.yaml:93
to be set: DEV_QUEUE_ARN: !ImportValue !Sub ${Stage}-QueueArn, sam.yaml:102
not everything has a counterpart
"##;

const CORNERS: &str = r##"# Made by `sluicegate import template corners.yaml`.
# Mappings taken over: 3; not taken over: 3.
# To be set in the environment, or to be written in their place:
#   A_EVENT_SOURCE_ARN: !Cidr [10.0.0.0/8, 1, 8], corners.yaml:10
#   PATH_2: !Ref Path, corners.yaml:11
#   AWS_REGION: !Ref AWS::Region, corners.yaml:24
#   AWS_ACCOUNT_ID: !Ref AWS::AccountId, corners.yaml:24
#   MADE: !Ref Made, corners.yaml:17
#   C_BATCH_SIZE: !FindInMap [Names, eu, size, {DefaultValue: 3}], corners.yaml:36
EventSourceMappings:
  # Resources.A, corners.yaml:7
  - Name: A
    EventSourceArn: ${A_EVENT_SOURCE_ARN}
    FunctionName: ${PATH_2}
    BatchSize: 7
  # Resources.B, corners.yaml:21
  - Name: B
    EventSourceArn: arn:aws:sqs:${AWS_REGION}:${AWS_ACCOUNT_ID}:orders
    FunctionName: ${MADE}:live
    FilterCriteria:
      Filters:
        - Pattern: '{"body":{"price":["$orders","line\n"]}}'
  # Resources.C, corners.yaml:31
  - Name: C
    EventSourceArn: arn:aws:sqs:us-east-1:123456789012:c
    FunctionName: process
    BatchSize: ${C_BATCH_SIZE}
  # Not taken over: Resources.D, corners.yaml:40
  #   Unrecognized event source. EventSourceArn is missing: the ARN of a queue or a stream, such as arn:aws:sqs:us-east-1:123456789012:orders
  # Not taken over: Resources.Nested, corners.yaml:44
  #   a stack of its own, with a template of its own to import
  # Not taken over: Resources.Fn::ForEach::Queues, corners.yaml:47
  #   loops are not expanded; import what `aws cloudformation get-template --template-stage Processed` prints
"##;
