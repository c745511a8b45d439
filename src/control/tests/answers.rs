//! The answers of AWS, key by key, and the states of each operation. // spec: 1.3, 1.4, 1.5

use serde_json::{Value, json};

use super::{CONSUMER, FIFO, NOW_MS, QUEUE, STREAM, TABLE, answered, create, empty, request, uuid};
use crate::control::{Last, Told};
use crate::status::State;

fn queue(n: usize, source: &str) -> Value {
    json!({
        "BatchSize": 10,
        "EventSourceArn": source,
        "EventSourceMappingArn": format!("arn:aws:lambda:us-east-1:111111111111:event-source-mapping:{}", uuid(n)),
        "FunctionArn": "arn:aws:lambda:us-east-1:111111111111:function:f",
        "FunctionResponseTypes": [],
        "LastModified": 1_789_650_000.123,
        "MaximumBatchingWindowInSeconds": 0,
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
        "UUID": uuid(n),
    })
}

fn stream(n: usize, source: &str) -> Value {
    let mut stream = queue(n, source);
    let own = json!({
        "BatchSize": 100,
        "BisectBatchOnFunctionError": false,
        "DestinationConfig": { "OnFailure": {} },
        "LastProcessingResult": "No records processed",
        "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1,
        "ParallelizationFactor": 1,
        "StartingPosition": "TRIM_HORIZON",
        "StateTransitionReason": "User action",
        "TumblingWindowInSeconds": 0,
    });
    for (key, value) in own.as_object().unwrap() {
        stream[key] = value.clone();
    }
    stream
}

#[test]
fn a_fresh_mapping_has_exactly_the_keys_of_its_source() {
    let mut registry = empty();
    let cases = [
        (QUEUE, queue(1, QUEUE)),
        (FIFO, queue(2, FIFO)),
        (STREAM, stream(3, STREAM)),
        (CONSUMER, stream(4, CONSUMER)),
        (TABLE, stream(5, TABLE)),
    ];
    for (index, (source, expected)) in cases.into_iter().enumerate() {
        let answer = create(&mut registry, &request(source, json!({})), index + 1);
        assert_eq!(answer, expected, "{source}");
    }
}

#[test]
fn what_is_set_is_shown() {
    let mut registry = empty();
    let pattern = r#"{"body":{"kind":["order"]}}"#;
    let settings = json!({
        "BatchSize": 500,
        "MaximumBatchingWindowInSeconds": 5,
        "FilterCriteria": { "Filters": [{ "Pattern": pattern }] },
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": { "MaximumConcurrency": 7 },
        "MetricsConfig": { "Metrics": ["EventCount"] },
        "Tags": { "team": "a" },
        "Name": "orders",
    });
    let answer = create(&mut registry, &request(QUEUE, settings.clone()), 1);
    let mut expected = queue(1, QUEUE);
    for (key, value) in settings.as_object().unwrap() {
        if key != "Tags" {
            expected[key] = value.clone();
        }
    }
    assert_eq!(answer, expected);

    let destination = json!({ "OnFailure": { "Destination": "arn:aws:s3:::failed" } });
    let settings = json!({
        "StartingPosition": "AT_TIMESTAMP",
        "StartingPositionTimestamp": 1_789_000_000.25,
        "BisectBatchOnFunctionError": true,
        "DestinationConfig": destination,
        "MaximumRecordAgeInSeconds": 3_600,
        "MaximumRetryAttempts": 0,
        "ParallelizationFactor": 10,
        "Extensions": { "DiscardOnlyFailing": true },
    });
    let answer = create(&mut registry, &request(STREAM, settings.clone()), 2);
    let mut expected = stream(2, STREAM);
    for (key, value) in settings.as_object().unwrap() {
        expected[key] = value.clone();
    }
    assert_eq!(answer, expected);

    let empty_filters =
        json!({ "FilterCriteria": { "Filters": [] }, "KMSKeyArn": "", "ScalingConfig": {} });
    let answer = create(&mut registry, &request(FIFO, empty_filters), 3);
    assert_eq!(answer, queue(3, FIFO));
}

/// AWS keeps the qualifier exactly as it was passed; the mapping's own ARN is at home where its function is.
#[test]
fn the_function_is_shown_with_its_qualifier_as_passed() {
    let home = "arn:aws:lambda:us-east-1:111111111111:function:f";
    let other = "arn:aws:lambda:eu-west-1:222222222222:function:f:7";
    let cases = [
        ("f", home.to_owned(), "us-east-1:111111111111"),
        (
            "f:$LATEST",
            format!("{home}:$LATEST"),
            "us-east-1:111111111111",
        ),
        ("f:live", format!("{home}:live"), "us-east-1:111111111111"),
        (
            "222222222222:function:f",
            "arn:aws:lambda:us-east-1:222222222222:function:f".to_owned(),
            "us-east-1:222222222222",
        ),
        (other, other.to_owned(), "eu-west-1:222222222222"),
    ];
    for (function, arn, place) in cases {
        let mut registry = empty();
        let request = request(QUEUE, json!({ "FunctionName": function }));
        let answer = create(&mut registry, &request, 1);
        assert_eq!(answer["FunctionArn"], arn);
        let own = format!("arn:aws:lambda:{place}:event-source-mapping:{}", uuid(1));
        assert_eq!(answer["EventSourceMappingArn"], own);
    }
}

#[test]
fn a_disabled_queue_is_disabled_at_once_and_a_stream_is_created_first() {
    let mut registry = empty();
    let off = json!({ "Enabled": false });
    let queue = create(&mut registry, &request(QUEUE, off.clone()), 1);
    assert_eq!(queue["State"], "Disabled");
    let stream = create(&mut registry, &request(STREAM, off), 2);
    assert_eq!(stream["State"], "Creating");
    assert_eq!(
        registry.get(&uuid(2), |_| None).unwrap()["State"],
        "Disabled"
    );
}

#[test]
fn a_get_shows_what_the_service_tells_in_the_words_of_aws() {
    let mut registry = empty();
    create(&mut registry, &request(QUEUE, json!({})), 1);
    create(&mut registry, &request(STREAM, json!({})), 2);
    let states = [
        (State::Creating, "Creating"),
        (State::Enabling, "Enabling"),
        (State::Enabled, "Enabled"),
        (State::Failing, "Enabled"),
        (State::Updating, "Updating"),
        (State::Disabling, "Disabling"),
        (State::Disabled, "Disabled"),
        (State::Deleting, "Deleting"),
    ];
    for (state, word) in states {
        let told = |_: &_| {
            let last = Last::Handled;
            Some(Told { state, last })
        };
        for n in [1, 2] {
            assert_eq!(registry.get(&uuid(n), told).unwrap()["State"], word);
        }
    }
    let denied = "PROBLEM: access denied";
    let results = [
        (Last::Nothing, "No records processed"),
        (Last::Handled, "OK"),
        (Last::FunctionFailed, "PROBLEM: Function call failed"),
        (Last::SourceFailed(denied.to_owned()), denied),
    ];
    for (last, words) in results {
        let told = |_: &_| {
            let last = last.clone();
            Some(Told {
                state: State::Enabled,
                last,
            })
        };
        assert_eq!(
            registry.get(&uuid(2), told).unwrap()["LastProcessingResult"],
            words
        );
        let queue = registry.get(&uuid(1), told).unwrap();
        assert_eq!(queue.get("LastProcessingResult"), None);
    }
}

/// Of a stream's mapping AWS shows the minute, once it has settled. // spec: 1.3
#[test]
fn the_last_modification_is_in_epoch_seconds() {
    let mut registry = empty();
    create(&mut registry, &request(QUEUE, json!({})), 1);
    create(&mut registry, &request(STREAM, json!({})), 2);
    let modified = |n, state| {
        let last = Last::Nothing;
        let told = |_: &_| {
            Some(Told {
                state,
                last: last.clone(),
            })
        };
        registry.get(&uuid(n), told).unwrap()["LastModified"].clone()
    };
    let exact = json!(NOW_MS as f64 / 1000.0);
    assert_eq!(modified(1, State::Enabled), exact);
    assert_eq!(modified(2, State::Updating), exact);
    assert_eq!(modified(2, State::Enabled), json!(1_789_650_000.0));
    assert!(modified(2, State::Disabled).is_f64());
}

#[test]
fn a_delete_answers_with_the_mapping_and_leaves_nothing() {
    let mut registry = empty();
    create(&mut registry, &request(QUEUE, json!({})), 1);
    let change = registry.delete(&uuid(1), |_| None).unwrap();
    let mut expected = queue(1, QUEUE);
    expected["State"] = json!("Deleting");
    assert_eq!(answered(&mut registry, change), expected);
    assert_eq!(registry.get(&uuid(1), |_| None).unwrap_err().status, 404);
    assert_eq!(registry.mappings(), []);
    create(&mut registry, &request(QUEUE, json!({})), 2);
}
