//! Every row of AWS's errors: the request, and status, code and body to the byte. // spec: 1.6

use http::Method;
use serde_json::{Value, json};

use super::{
    FIFO, MAPPINGS, NOW_MS, QUEUE, STREAM, TABLE, called, create, empty, request, try_create,
    try_update, uuid,
};
use crate::control::{Refusal, Registry};

const INVALID: &str = "InvalidParameterValueException";
const SHAPE: &str = "ValidationException";

/// What such a refusal is on the wire.
fn body(code: &str, message: &str) -> String {
    let message = Value::from(message);
    match code {
        SHAPE => format!(r#"{{"message":{message}}}"#),
        _ => format!(r#"{{"Type":"User","message":{message}}}"#),
    }
}

#[track_caller]
fn assert_refused(refusal: &Refusal, code: &str, message: &str, request: &Value) {
    let status = if code == "ResourceConflictException" {
        409
    } else {
        400
    };
    assert_eq!(
        (refusal.status, refusal.code, refusal.body()),
        (status, code, body(code, message)),
        "{request}"
    );
}

fn filter(pattern: &str) -> Value {
    json!({ "FilterCriteria": { "Filters": [{ "Pattern": pattern }] } })
}

#[test]
fn what_aws_refuses_to_create_is_refused_in_its_words() {
    let unserved = |what: &str| {
        format!(
            "Sluicegate does not serve {what}: it serves SQS queues, Kinesis streams and DynamoDB streams."
        )
    };
    let unsupported =
        |key: &str| format!("Unsupported {key} parameter for given event source mapping type.");
    let too_large = "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10";
    let kafka = json!({ "Endpoints": { "KAFKA_BOOTSTRAP_SERVERS": ["k:9092"] } });
    let destination = json!({ "OnFailure": { "Destination": QUEUE } });
    let cases: Vec<(Value, &str, String)> = vec![
        (json!({ "FunctionName": "f" }), INVALID, "Unrecognized event source.".into()),
        (
            json!({ "FunctionName": "f", "EventSourceArn": "arn:aws:s3:::bucket" }),
            INVALID,
            "Unrecognized event source.".into(),
        ),
        (
            request(QUEUE, json!({ "DestinationConfig": destination })),
            INVALID,
            unsupported("DestinationConfig"),
        ),
        (
            request(STREAM, json!({ "DestinationConfig": { "OnSuccess": { "Destination": QUEUE } } })),
            INVALID,
            unsupported("DestinationConfig"),
        ),
        (
            request(STREAM, json!({ "StartingPosition": null })),
            INVALID,
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.".into(),
        ),
        (
            request(TABLE, json!({ "StartingPosition": null })),
            INVALID,
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.".into(),
        ),
        (
            request(STREAM, json!({ "StartingPosition": "invalid" })),
            SHAPE,
            "1 validation error detected: Value 'invalid' at 'startingPosition' failed to satisfy constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]".into(),
        ),
        (
            request(TABLE, json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1 })),
            INVALID,
            format!("Unsupported starting position for arn type: {TABLE}"),
        ),
        (request(QUEUE, json!({ "BatchSize": 11 })), INVALID, too_large.into()),
        (
            request(QUEUE, json!({ "BatchSize": 10_000, "MaximumBatchingWindowInSeconds": 0 })),
            INVALID,
            too_large.into(),
        ),
        (
            json!({ "FunctionName": "f", "SelfManagedEventSource": kafka }),
            INVALID,
            "Required 'sourceAccessConfigurations' parameter is missing.".into(),
        ),
        (
            json!({
                "FunctionName": "f",
                "SelfManagedEventSource": kafka,
                "SourceAccessConfigurations": [{ "Type": "BASIC_AUTH", "URI": "arn:aws:x" }],
            }),
            INVALID,
            unserved("self-managed Kafka clusters"),
        ),
        (
            json!({ "FunctionName": "f", "Topics": ["t"], "EventSourceArn": "arn:aws:kafka:us-east-1:111111111111:cluster/c/1" }),
            INVALID,
            unserved("Amazon MSK clusters"),
        ),
        (
            json!({ "FunctionName": "f", "Queues": ["q"], "EventSourceArn": "arn:aws:mq:us-east-1:111111111111:broker:b:1" }),
            INVALID,
            unserved("Amazon MQ brokers"),
        ),
        (
            json!({ "FunctionName": "f", "EventSourceArn": "arn:aws:rds:us-east-1:111111111111:cluster:c" }),
            INVALID,
            unserved("DocumentDB clusters"),
        ),
        (request(QUEUE, filter("{")), INVALID, "Invalid filter pattern definition.".into()),
        (request(QUEUE, filter("")), INVALID, "Invalid filter pattern definition.".into()),
        (request(QUEUE, filter(r#"{"body":"order"}"#)), INVALID, "Invalid filter pattern definition.".into()),
        (
            request(STREAM, json!({ "FilterCriteria": { "Filters": [{}] } })),
            INVALID,
            "Invalid filter pattern definition.".into(),
        ),
        (
            request(FIFO, json!({ "MaximumBatchingWindowInSeconds": 1 })),
            INVALID,
            "Batching window is not supported for FIFO queues".into(),
        ),
        (
            request(FIFO, json!({ "BatchSize": 11 })),
            INVALID,
            "Batch size must not exceed 10 for FIFO queues".into(),
        ),
        (
            request(QUEUE, json!({
                "ProvisionedPollerConfig": { "MinimumPollers": 2 },
                "ScalingConfig": { "MaximumConcurrency": 5 },
            })),
            INVALID,
            "Provisioned mode for SQS ESM does not support maximum concurrency feature. Use MaximumPollers as the control mechanism and remove maximum concurrency.".into(),
        ),
        (
            request(QUEUE, json!({ "ProvisionedPollerConfig": { "MinimumPollers": 1 } })),
            INVALID,
            "MinimumPollers should be between [2, 200] and MaximumPollers should be between [MinimumPollers, 10000]".into(),
        ),
        (
            request(QUEUE, json!({ "ProvisionedPollerConfig": { "MinimumPollers": 9, "MaximumPollers": 8 } })),
            INVALID,
            "MinimumPollers should be between [2, 200] and MaximumPollers should be between [MinimumPollers, 10000]".into(),
        ),
        (
            request(QUEUE, json!({ "ProvisionedPollerConfig": {} })),
            INVALID,
            "Either MinimumPollers or MaximumPollers are required if ProvisionedPollerConfig is provided.".into(),
        ),
        (
            request(QUEUE, json!({ "ProvisionedPollerConfig": { "MaximumPollers": 10 } })),
            INVALID,
            "Sluicegate does not serve ProvisionedPollerConfig: its pollers follow the backlog, and ScalingConfig.MaximumConcurrency caps them.".into(),
        ),
        (
            request(QUEUE, json!({ "KMSKeyArn": "arn:aws:kms:us-east-1:111111111111:key/k" })),
            INVALID,
            "Sluicegate does not serve KMSKeyArn: filters are kept as plain text.".into(),
        ),
        (
            request(STREAM, json!({ "TumblingWindowInSeconds": 30, "ParallelizationFactor": 2 })),
            INVALID,
            "ParallelizationFactor: not together with TumblingWindowInSeconds, whose state is handed from batch to batch of a shard; set one of the two".into(),
        ),
    ];
    let registry = empty();
    for (request, code, message) in cases {
        let refusal = try_create(&registry, &request, 1).expect_err(&request.to_string());
        assert_refused(&refusal, code, &message, &request);
    }
}

#[test]
fn what_is_not_there_is_refused_in_the_words_of_aws() {
    let registry = empty();
    let mapping = |source| {
        let change = try_create(&registry, &request(source, json!({})), 1).unwrap();
        change.needs.unwrap().mapping
    };
    let cases = [
        (Refusal::function_missing(), "Function does not exist".to_owned()),
        (Refusal::source_missing(&mapping(STREAM)), format!("Stream not found: {STREAM}")),
        (Refusal::source_missing(&mapping(TABLE)), format!("Stream not found: {TABLE}")),
        (
            Refusal::source_missing(&mapping(QUEUE)),
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.".to_owned(),
        ),
        (
            Refusal::visibility(30, 60),
            "Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds".to_owned(),
        ),
    ];
    for (refusal, message) in cases {
        assert_refused(&refusal, INVALID, &message, &Value::Null);
    }
}

#[test]
fn an_unknown_uuid_is_not_found() {
    let registry = empty();
    let refusals = [
        registry.get(&uuid(1), |_| None).unwrap_err(),
        registry.delete(&uuid(1), |_| None).unwrap_err(),
        try_update(&registry, 1, &json!({ "BatchSize": 1 })).unwrap_err(),
    ];
    for refusal in refusals {
        assert_eq!(
            (refusal.status, refusal.code),
            (404, "ResourceNotFoundException")
        );
        assert_eq!(
            refusal.body(),
            r#"{"Type":"User","Message":"The resource you requested does not exist."}"#
        );
    }
}

fn two_queues_and_a_stream() -> Registry {
    let mut registry = empty();
    create(&mut registry, &request(QUEUE, json!({})), 1);
    create(
        &mut registry,
        &request(QUEUE, json!({ "FunctionName": "f:live" })),
        2,
    );
    create(&mut registry, &request(STREAM, json!({})), 3);
    registry
}

/// The key is the source and the function with its qualifier, in whichever form. // spec: 1.6 note (a)
#[test]
fn a_second_mapping_of_source_and_function_is_a_conflict() {
    let registry = two_queues_and_a_stream();
    let queue = |given: &str, n| {
        format!(
            "An event source mapping with SQS arn (\" {QUEUE} \") and function (\" {given} \") already exists. Please update or delete the existing mapping with UUID {}",
            uuid(n)
        )
    };
    let full = "arn:aws:lambda:us-east-1:111111111111:function:f";
    let cases = [
        (QUEUE, "f", queue("f", 1)),
        (QUEUE, full, queue(full, 1)),
        (
            QUEUE,
            "111111111111:function:f:live",
            queue("111111111111:function:f:live", 2),
        ),
        (
            STREAM,
            "f",
            format!(
                "The event source arn (\" {STREAM} \") and function (\" f \") provided mapping already exists. Please update or delete the existing mapping with UUID {}",
                uuid(3)
            ),
        ),
    ];
    for (source, function, message) in cases {
        let request = request(source, json!({ "FunctionName": function }));
        let refusal = try_create(&registry, &request, 9).unwrap_err();
        assert_refused(&refusal, "ResourceConflictException", &message, &request);
    }
    for (source, function) in [
        (QUEUE, "f:$LATEST"),
        (QUEUE, "g"),
        (QUEUE, "222222222222:function:f"),
        (STREAM, "f:live"),
        (CONSUMER_OF_STREAM, "f"),
        (FIFO, "f"),
    ] {
        let request = request(source, json!({ "FunctionName": function }));
        assert!(try_create(&registry, &request, 9).is_ok(), "{request}");
    }
}

const CONSUMER_OF_STREAM: &str = super::CONSUMER;

#[test]
fn an_update_to_the_function_of_another_mapping_is_a_conflict() {
    let registry = two_queues_and_a_stream();
    let change = json!({ "FunctionName": "f:live" });
    let refusal = try_update(&registry, 1, &change).unwrap_err();
    let message = format!(
        "An event source mapping with SQS arn (\" {QUEUE} \") and function (\" f:live \") already exists. Please update or delete the existing mapping with UUID {}",
        uuid(2)
    );
    assert_refused(&refusal, "ResourceConflictException", &message, &change);
    assert!(try_update(&registry, 2, &change).is_ok(), "its own name");
}

#[test]
fn what_aws_refuses_to_update_is_refused_in_its_words() {
    let mut registry = two_queues_and_a_stream();
    create(&mut registry, &request(FIFO, json!({})), 4);
    let large = json!({ "BatchSize": 100, "MaximumBatchingWindowInSeconds": 1 });
    create(
        &mut registry,
        &request(
            QUEUE,
            json!({ "FunctionName": "large", "BatchSize": 100, "MaximumBatchingWindowInSeconds": 1 }),
        ),
        5,
    );
    let too_large = "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10";
    let cases = [
        (1, json!({ "BatchSize": 11 }), INVALID, too_large),
        (
            5,
            json!({ "MaximumBatchingWindowInSeconds": 0 }),
            INVALID,
            too_large,
        ),
        (
            4,
            large,
            INVALID,
            "Batching window is not supported for FIFO queues",
        ),
        (
            4,
            json!({ "BatchSize": 11 }),
            INVALID,
            "Batch size must not exceed 10 for FIFO queues",
        ),
        (
            1,
            filter("no"),
            INVALID,
            "Invalid filter pattern definition.",
        ),
        (
            1,
            json!({ "ParallelizationFactor": 2 }),
            INVALID,
            "Unsupported ParallelizationFactor parameter for given event source mapping type.",
        ),
        (
            3,
            json!({ "ScalingConfig": { "MaximumConcurrency": 2 } }),
            INVALID,
            "Unsupported ScalingConfig parameter for given event source mapping type.",
        ),
        (
            3,
            json!({ "StartingPosition": "LATEST" }),
            INVALID,
            "StartingPosition: cannot be changed; delete the mapping and create another",
        ),
        (
            1,
            json!({ "EventSourceArn": FIFO }),
            INVALID,
            "EventSourceArn: cannot be changed; delete the mapping and create another",
        ),
        (
            1,
            json!({ "Tags": { "a": "b" } }),
            INVALID,
            "Tags: not changed by an update; use TagResource and UntagResource",
        ),
        (
            1,
            json!({ "BatchSize": 0 }),
            SHAPE,
            "1 validation error detected: Value '0' at 'batchSize' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
    ];
    for (n, update, code, message) in cases {
        let refusal = try_update(&registry, n, &update).expect_err(&update.to_string());
        assert_refused(&refusal, code, message, &update);
    }
}

/// Of several faults the first of this row is told: shape, source, what is not served, what the source has not, starting
/// position or batch, filter, another mapping.
#[test]
fn checks_come_in_one_order() {
    let mut registry = empty();
    create(&mut registry, &request(QUEUE, json!({})), 1);
    let mut request = request(QUEUE, json!({}));
    let mut refused = |key: &str, value: Value| {
        request[key] = value;
        try_create(&registry, &request, 9).unwrap_err().message
    };
    let duplicate = refused("Enabled", json!(true));
    assert!(
        duplicate.starts_with("An event source mapping with SQS arn"),
        "{duplicate}"
    );
    let steps = [
        (
            "FilterCriteria",
            json!({ "Filters": [{ "Pattern": "{" }] }),
            "Invalid filter",
        ),
        ("BatchSize", json!(11), "Maximum batch window"),
        (
            "ParallelizationFactor",
            json!(2),
            "Unsupported ParallelizationFactor",
        ),
        (
            "KMSKeyArn",
            json!("arn:aws:kms:us-east-1:1:key"),
            "Sluicegate does not serve KMSKeyArn",
        ),
        ("EventSourceArn", json!(null), "Unrecognized event source."),
        (
            "MaximumRetryAttempts",
            json!(-2),
            "1 validation error detected: Value '-2' at 'maximumRetryAttempts'",
        ),
    ];
    for (key, value, expected) in steps {
        let message = refused(key, value);
        assert!(message.starts_with(expected), "{key}: {message}");
    }
}

#[test]
fn several_shapes_are_told_of_at_once() {
    let body = json!({ "BatchSize": 10_001, "StartingPosition": "x", "Enabled": "yes" });
    let refusal = called(Method::POST, MAPPINGS, &body).unwrap_err();
    let message = "4 validation errors detected: Value null at 'functionName' failed to satisfy constraint: Member must not be null; Value 'yes' at 'enabled' failed to satisfy constraint: Member must be a boolean; Value '10001' at 'batchSize' failed to satisfy constraint: Member must have value less than or equal to 10000; Value 'x' at 'startingPosition' failed to satisfy constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]";
    assert_refused(&refusal, SHAPE, message, &body);
}

#[test]
fn a_timestamp_is_not_in_the_future() {
    let at = |seconds: f64| {
        let position =
            json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": seconds });
        try_create(&empty(), &request(STREAM, position), 1)
    };
    assert!(at(NOW_MS as f64 / 1000.0).is_ok());
    let refusal = at((NOW_MS + 1) as f64 / 1000.0).unwrap_err();
    let message = "StartingPositionTimestamp: it is in the future";
    assert_refused(&refusal, INVALID, message, &Value::Null);
}

/// AWS does not look at keys that it does not know; one that is misspelt would be lost without a word.
#[test]
fn unknown_keys_are_refused_with_the_nearest() {
    let cases = [
        (
            "BatchSise",
            "BatchSise: unknown key; did you mean BatchSize?",
        ),
        (
            "batchSize",
            "batchSize: unknown key; did you mean BatchSize?",
        ),
    ];
    for (key, message) in cases {
        let body = request(QUEUE, json!({ key: 1 }));
        let refusal = try_create(&empty(), &body, 1).unwrap_err();
        assert_refused(&refusal, INVALID, message, &body);
    }
    for key in ["State", "FunctionArn", "LastModified", "UUID"] {
        let body = request(QUEUE, json!({ key: "Disabled" }));
        let refusal = try_create(&empty(), &body, 1).unwrap_err();
        assert_eq!(refusal.code, INVALID, "{key}");
        assert!(
            refusal.message.contains(": unknown key; "),
            "{}",
            refusal.message
        );
    }
}

#[test]
fn what_refers_to_the_environment_is_text() {
    let body = request(QUEUE, json!({ "BatchSize": "${SIZE}" }));
    let refusal = try_create(&empty(), &body, 1).unwrap_err();
    let message = "1 validation error detected: Value '${SIZE}' at 'batchSize' failed to satisfy constraint: Member must be an integer";
    assert_refused(&refusal, SHAPE, message, &body);
    let pattern = r#"{"body":{"kind":["${HOME}"]}}"#;
    let mut registry = empty();
    let answer = create(&mut registry, &request(QUEUE, filter(pattern)), 1);
    assert_eq!(answer["FilterCriteria"]["Filters"][0]["Pattern"], pattern);
}
