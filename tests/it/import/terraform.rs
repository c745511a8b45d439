//! What `terraform show -json` prints, of a state and of a plan.

use super::{imported, refused, run};
use crate::cli::program::{Ended, run_with};

#[test]
fn a_state_becomes_a_configuration_that_keeps_ids() {
    let (out, config) = imported(&["terraform", "state.json"], &[]);
    assert_eq!(out, STATE);
    assert_eq!(
        config.mappings[0].uuid,
        "14e0db71-5d35-4eb5-b481-8945cf9d10c2"
    );
}

#[test]
fn what_a_plan_does_not_know_yet_is_to_be_given() {
    let values = [
        (
            "ORDERS_EU_EVENT_SOURCE_ARN",
            "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000",
        ),
        ("ORDERS_EU_FUNCTION_NAME", "process"),
        (
            "ORDERS_EU_DESTINATION_CONFIG_ON_FAILURE_DESTINATION_ARN",
            "arn:aws:s3:::failed",
        ),
        ("SIZED_BATCH_SIZE", "5"),
        ("SIZED_SCALING_CONFIG_MAXIMUM_CONCURRENCY", "2"),
    ];
    let (out, _) = imported(&["terraform", "plan.json"], &values);
    assert_eq!(out, PLAN);
    let Ended { code, out, err } = run(&["import", "terraform", "plan.json", "--check"]);
    assert_eq!((code, err.as_str()), (Some(1), ""));
    assert!(
        out.contains("\nnot taken over: aws_lambda_event_source_mapping.orders[\"us\"], plan.json\n    BatchSize: "),
        "{out}"
    );
}

#[test]
fn a_file_may_come_from_stdin() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/import/state.json");
    let state = std::fs::read_to_string(path).unwrap();
    let piped = run_with(&["import", "terraform", "-"], &state);
    assert_eq!((piped.code, piped.err.as_str()), (Some(0), ""));
    let named = STATE.replace("terraform state.json", "terraform -");
    assert_eq!(piped.out, named.replace("state.json", "stdin"));
}

#[test]
fn a_wrong_file_is_refused_in_one_line() {
    let cases = [
        (
            String::new(),
            "file: the file is empty; expected the output of `terraform show -json`",
        ),
        (
            "{\n  \"values\":\n".to_owned(),
            "file:3: not valid JSON: EOF while parsing a value at line 3 column 0",
        ),
        (
            "Resources: {}".to_owned(),
            "file:1: not valid JSON: expected value at line 1 column 1",
        ),
        (
            "[]".to_owned(),
            "file: neither values nor planned_values; expected the output of `terraform show -json`",
        ),
        (
            r#"{"version":4,"lineage":"x","resources":[]}"#.to_owned(),
            "file: a state file itself; expected what `terraform show -json` prints of it",
        ),
        (
            r#"{"format_version":"1.0"}"#.to_owned(),
            "file: no aws_lambda_event_source_mapping",
        ),
        (
            r#"{"values":{"root_module":{"resources":[{"type":"aws_sqs_queue"},{"mode":"data","type":"aws_lambda_event_source_mapping"}]}}}"#.to_owned(),
            "file: no aws_lambda_event_source_mapping",
        ),
        (
            "[".repeat(10 * 1024 * 1024),
            "file:1: not valid JSON: recursion limit exceeded at line 1 column 128",
        ),
    ];
    for (text, line) in cases {
        assert_eq!(refused("terraform", &text), line);
    }
}

const STATE: &str = r##"# Made by `sluicegate import terraform state.json`.
# Mappings taken over: 2; not taken over: 1.
EventSourceMappings:
  # aws_lambda_event_source_mapping.orders, state.json
  #   Tags are left out: mappings are told apart by Name
  - Name: orders
    UUID: 14e0db71-5d35-4eb5-b481-8945cf9d10c2
    EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: arn:aws:lambda:us-east-1:123456789012:function:process-orders:live
    BatchSize: 100
    MaximumBatchingWindowInSeconds: 5
    FunctionResponseTypes: [ReportBatchItemFailures]
    ScalingConfig:
      MaximumConcurrency: 20
    FilterCriteria:
      Filters:
        - Pattern: '{"body":{"kind":["order"]}}'
  # module.workers["eu"].aws_lambda_event_source_mapping.clicks[0], state.json
  - Name: workers-eu.clicks-0
    UUID: 2b733adc-7c1e-4d59-8a44-3b9f4b0c2f61
    Enabled: false
    EventSourceArn: arn:aws:kinesis:us-east-1:123456789012:stream/clicks
    FunctionName: arn:aws:lambda:us-east-1:123456789012:function:count
    StartingPosition: AT_TIMESTAMP
    StartingPositionTimestamp: 2026-09-17T12:00:00Z
    ParallelizationFactor: 4
    BisectBatchOnFunctionError: true
    MaximumRetryAttempts: 0
    DestinationConfig:
      OnFailure:
        Destination: arn:aws:sns:us-east-1:123456789012:failed
  # Not taken over: module.workers["eu"].aws_lambda_event_source_mapping.topics["a b"], state.json
  #   a Kafka cluster of your own is no source here; SQS queues, Kinesis streams and DynamoDB streams are
"##;

const PLAN: &str = r##"# Made by `sluicegate import terraform plan.json`.
# Mappings taken over: 2; not taken over: 2.
# To be set in the environment, or to be written in their place:
#   ORDERS_EU_EVENT_SOURCE_ARN: aws_lambda_event_source_mapping.orders["eu"].event_source_arn, known after apply, plan.json
#   ORDERS_EU_FUNCTION_NAME: aws_lambda_event_source_mapping.orders["eu"].function_name, known after apply, plan.json
#   ORDERS_EU_DESTINATION_CONFIG_ON_FAILURE_DESTINATION_ARN: aws_lambda_event_source_mapping.orders["eu"].destination_config.on_failure.destination_arn, known after apply, plan.json
#   SIZED_BATCH_SIZE: aws_lambda_event_source_mapping.sized.batch_size, known after apply, plan.json
#   SIZED_SCALING_CONFIG_MAXIMUM_CONCURRENCY: aws_lambda_event_source_mapping.sized.scaling_config.maximum_concurrency, known after apply, plan.json
EventSourceMappings:
  # aws_lambda_event_source_mapping.orders["eu"], plan.json
  - Name: orders-eu
    EventSourceArn: ${ORDERS_EU_EVENT_SOURCE_ARN}
    FunctionName: ${ORDERS_EU_FUNCTION_NAME}
    StartingPosition: LATEST
    BatchSize: 50
    DestinationConfig:
      OnFailure:
        Destination: ${ORDERS_EU_DESTINATION_CONFIG_ON_FAILURE_DESTINATION_ARN}
  # Not taken over: aws_lambda_event_source_mapping.orders["us"], plan.json
  #   BatchSize: Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10 (found 50)
  # aws_lambda_event_source_mapping.sized, plan.json
  - Name: sized
    EventSourceArn: arn:aws:sqs:us-east-1:123456789012:sized
    FunctionName: process
    BatchSize: ${SIZED_BATCH_SIZE}
    ScalingConfig:
      MaximumConcurrency: ${SIZED_SCALING_CONFIG_MAXIMUM_CONCURRENCY}
  # Not taken over: aws_lambda_event_source_mapping.filtered, plan.json
  #   its filter is known after apply, and without it the function would get what the filter keeps away
"##;
