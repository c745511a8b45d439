//! What an update keeps, changes and clears, setting by setting. // spec: 1.2, 1.4

use serde_json::{Value, json};

use super::{
    QUEUE, STREAM, answered, create, empty, request, try_create, try_update, update, uuid,
};
use crate::control::{Effect, Registration, Registry};

fn full(source: &str) -> Value {
    let pattern = match source {
        QUEUE => r#"{"body":{"kind":["order"]}}"#,
        _ => r#"{"data":{"kind":["order"]}}"#,
    };
    let mut settings = json!({
        "BatchSize": 50,
        "MaximumBatchingWindowInSeconds": 5,
        "FilterCriteria": { "Filters": [{ "Pattern": pattern }] },
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "MetricsConfig": { "Metrics": ["EventCount"] },
    });
    let own = match source {
        QUEUE => json!({ "ScalingConfig": { "MaximumConcurrency": 7 } }),
        _ => json!({
            "ParallelizationFactor": 2,
            "DestinationConfig": { "OnFailure": { "Destination": QUEUE } },
            "MaximumRecordAgeInSeconds": 60,
            "BisectBatchOnFunctionError": true,
            "MaximumRetryAttempts": 3,
            "Extensions": { "DiscardOnlyFailing": true },
        }),
    };
    for (key, value) in own.as_object().unwrap() {
        settings[key] = value.clone();
    }
    request(source, settings)
}

fn created(source: &str) -> (Registry, Value) {
    let mut registry = empty();
    let mut answer = create(&mut registry, &full(source), 1);
    answer["State"] = json!("Updating");
    answer["LastModified"] = json!(1_789_650_060.123);
    (registry, answer)
}

/// The setting, what it is updated to, and what is shown then; null where the key is absent.
#[test]
fn an_update_changes_what_it_names_and_nothing_else() {
    let pattern = json!({ "Filters": [{ "Pattern": r#"{"eventSourceARN":["a"]}"# }] });
    let cases: Vec<(&str, &str, Value, Value)> = vec![
        (QUEUE, "BatchSize", json!(10), json!(10)),
        (
            QUEUE,
            "MaximumBatchingWindowInSeconds",
            json!(300),
            json!(300),
        ),
        (QUEUE, "FilterCriteria", pattern.clone(), pattern),
        (QUEUE, "FilterCriteria", json!({}), json!(null)),
        (
            QUEUE,
            "FilterCriteria",
            json!({ "Filters": [] }),
            json!(null),
        ),
        (QUEUE, "FunctionResponseTypes", json!([]), json!([])),
        (
            QUEUE,
            "ScalingConfig",
            json!({ "MaximumConcurrency": 2 }),
            json!({ "MaximumConcurrency": 2 }),
        ),
        (QUEUE, "ScalingConfig", json!({}), json!(null)),
        (QUEUE, "MetricsConfig", json!({}), json!(null)),
        (
            QUEUE,
            "MetricsConfig",
            json!({ "Metrics": [] }),
            json!(null),
        ),
        (QUEUE, "KMSKeyArn", json!(""), json!(null)),
        (QUEUE, "ProvisionedPollerConfig", json!({}), json!(null)),
        (QUEUE, "EventSourceArn", json!(QUEUE), json!(QUEUE)),
        (STREAM, "BatchSize", json!(10_000), json!(10_000)),
        (STREAM, "ParallelizationFactor", json!(10), json!(10)),
        (
            STREAM,
            "DestinationConfig",
            json!({ "OnFailure": { "Destination": "" } }),
            json!({ "OnFailure": {} }),
        ),
        (
            STREAM,
            "DestinationConfig",
            json!({ "OnFailure": {} }),
            json!({ "OnFailure": {} }),
        ),
        (
            STREAM,
            "DestinationConfig",
            json!({}),
            json!({ "OnFailure": {} }),
        ),
        (
            STREAM,
            "DestinationConfig",
            json!({ "OnFailure": { "Destination": "arn:aws:s3:::failed" } }),
            json!({ "OnFailure": { "Destination": "arn:aws:s3:::failed" } }),
        ),
        (STREAM, "MaximumRecordAgeInSeconds", json!(-1), json!(-1)),
        (STREAM, "MaximumRetryAttempts", json!(-1), json!(-1)),
        (
            STREAM,
            "BisectBatchOnFunctionError",
            json!(false),
            json!(false),
        ),
        (STREAM, "FunctionResponseTypes", json!([]), json!([])),
        (STREAM, "Extensions", json!({}), json!(null)),
        (
            STREAM,
            "StartingPosition",
            json!("TRIM_HORIZON"),
            json!("TRIM_HORIZON"),
        ),
    ];
    for (source, key, value, shown) in cases {
        let (mut registry, mut expected) = created(source);
        match shown {
            Value::Null => drop(expected.as_object_mut().unwrap().remove(key)),
            shown => expected[key] = shown,
        }
        let answer = update(&mut registry, 1, &json!({ key: value }));
        assert_eq!(answer, expected, "{source}: {key}");
    }
}

#[test]
fn what_is_omitted_or_null_is_kept() {
    for source in [QUEUE, STREAM] {
        let (mut registry, expected) = created(source);
        assert_eq!(update(&mut registry, 1, &json!({})), expected);
        let mut nulls = full(source);
        for value in nulls.as_object_mut().unwrap().values_mut() {
            *value = Value::Null;
        }
        assert_eq!(update(&mut registry, 1, &nulls), expected, "{source}");
    }
}

#[test]
fn an_update_says_what_becomes_of_the_state() {
    let mut registry = empty();
    create(&mut registry, &request(QUEUE, json!({})), 1);
    let steps = [
        (json!({ "Enabled": true }), "Updating"),
        (json!({ "Enabled": false }), "Disabling"),
        (json!({ "BatchSize": 5 }), "Updating"),
        (json!({ "Enabled": false }), "Updating"),
        (json!({ "Enabled": null }), "Updating"),
        (json!({ "Enabled": true, "BatchSize": 6 }), "Enabling"),
        (json!({ "FunctionName": "g" }), "Updating"),
    ];
    for (change, state) in steps {
        assert_eq!(
            update(&mut registry, 1, &change)["State"],
            state,
            "{change}"
        );
    }
}

#[test]
fn the_function_is_looked_for_when_it_is_named_and_the_source_once() {
    let mut registry = empty();
    let change = try_create(&registry, &request(QUEUE, json!({})), 1).unwrap();
    assert!(change.needs.as_ref().unwrap().source);
    answered(&mut registry, change);
    let change = try_update(&registry, 1, &json!({ "BatchSize": 5 })).unwrap();
    assert_eq!(change.needs, None);
    let change = try_update(&registry, 1, &json!({ "FunctionName": "g:live" })).unwrap();
    let needs = change.needs.as_ref().unwrap();
    assert_eq!(
        (needs.mapping.function_name.as_str(), needs.source),
        ("g:live", false)
    );
    let answer = answered(&mut registry, change);
    assert_eq!(
        answer["FunctionArn"],
        "arn:aws:lambda:us-east-1:111111111111:function:g:live"
    );
}

#[test]
fn the_store_is_told_what_was_asked_for() {
    let mut registry = empty();
    create(
        &mut registry,
        &request(QUEUE, json!({ "Tags": { "a": "b" }, "KMSKeyArn": "" })),
        1,
    );
    let change = try_update(&registry, 1, &json!({ "BatchSize": 5, "Enabled": null })).unwrap();
    let Effect::Keep(registration) = change.effect else {
        panic!("{change:?}");
    };
    let text = String::from_utf8(registration.encode().unwrap()).unwrap();
    let expected = format!(
        r#"{{"Version":1,"UUID":"{}","Name":"orders-f","LastModifiedMs":1789650060123,"Properties":{{"BatchSize":5,"EventSourceArn":"{QUEUE}","FunctionName":"f"}},"Tags":{{"a":"b"}}}}"#,
        uuid(1)
    );
    assert_eq!(text, expected);
    assert_eq!(Registration::decode(text.as_bytes()).unwrap(), registration);
    let change = registry.delete(&uuid(1), |_| None).unwrap();
    assert_eq!(change.effect, Effect::Forget { uuid: uuid(1) });
}

#[test]
fn names_are_unique_and_stay() {
    let mut registry = empty();
    create(&mut registry, &request(QUEUE, json!({})), 1);
    let other_region = QUEUE.replace("us-east-1", "eu-west-1");
    create(
        &mut registry,
        &json!({ "EventSourceArn": other_region, "FunctionName": "f" }),
        2,
    );
    let names = |registry: &Registry| -> Vec<String> {
        let mappings = registry.mappings().into_iter();
        mappings.map(|mapping| mapping.name.clone()).collect()
    };
    assert_eq!(names(&registry), ["orders-f", "orders-f-00000002"]);
    let taken = request(STREAM, json!({ "Name": "orders-f" }));
    let refusal = try_create(&registry, &taken, 3).unwrap_err();
    assert_eq!(
        refusal.message,
        "Name: \"orders-f\" is already the name of another mapping"
    );
    let refusal = try_update(&registry, 2, &json!({ "Name": "orders-f" })).unwrap_err();
    assert_eq!(
        refusal.message,
        "Name: \"orders-f\" is already the name of another mapping"
    );
    update(&mut registry, 1, &json!({ "FunctionName": "g" }));
    assert_eq!(names(&registry), ["orders-f", "orders-f-00000002"]);
    update(&mut registry, 1, &json!({ "Name": "first" }));
    assert_eq!(names(&registry), ["first", "orders-f-00000002"]);
}
