//! Tables and items by their JSON protocol: what each change leaves in the table's stream.

use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sluicegate::sim::{Event, Fault, Operation, World, dynamodb::ViewType};

use super::SECOND;

/// Calls an operation of DynamoDB: the status and the body.
async fn call(world: &World, operation: &str, input: &Value) -> (u16, Value) {
    let request = http::Request::post("https://dynamodb.us-east-1.amazonaws.com/")
        .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
        .header("content-type", "application/x-amz-json-1.0")
        .body(SdkBody::from(input.to_string()))
        .unwrap();
    let request = HttpRequest::try_from(request).unwrap();
    let response = world.connector().call(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

async fn good(world: &World, operation: &str, input: Value) -> Value {
    let (status, body) = call(world, operation, &input).await;
    assert_eq!(status, 200, "{operation} {input} {body}");
    body
}

/// The error of a call: `ValidationException: ...`, without the namespace.
async fn bad(world: &World, operation: &str, input: Value) -> String {
    let (status, body) = call(world, operation, &input).await;
    assert_eq!(status, 400, "{operation} {input} {body}");
    let shape = body["__type"].as_str().unwrap();
    shape.rsplit('#').next().unwrap().to_owned()
}

/// What the ledger says of the stream: event and key.
fn streamed(world: &World) -> Vec<String> {
    let entries = world.history().into_iter();
    let shown = entries.filter_map(|entry| match entry.event {
        Event::Streamed {
            event_name, keys, ..
        } => Some(format!("{event_name} {keys}")),
        _ => None,
    });
    shown.collect()
}

fn with_table() -> World {
    let world = World::new(1);
    world
        .create_table("orders", "id", ViewType::NewAndOldImages)
        .unwrap();
    world
}

fn item(id: &str, n: &str) -> Value {
    json!({ "id": { "S": id }, "n": { "N": n } })
}

#[tokio::test(start_paused = true)]
async fn each_change_of_an_item_leaves_one_record_and_no_change_leaves_none() {
    let world = with_table();
    let put = |n: &str| json!({ "TableName": "orders", "Item": item("a", n) });
    let key = json!({ "TableName": "orders", "Key": { "id": { "S": "a" } } });
    good(&world, "DeleteItem", key.clone()).await;
    good(&world, "PutItem", put("1")).await;
    good(&world, "PutItem", put("2")).await;
    // spec: 2.3, an identical overwrite, however its number is written
    good(&world, "PutItem", put("2.0")).await;
    let found = good(&world, "GetItem", key.clone()).await;
    assert_eq!(found, json!({ "Item": item("a", "2") }));
    good(&world, "DeleteItem", key.clone()).await;
    assert_eq!(good(&world, "GetItem", key).await, json!({}));
    let a = r#"{"id":{"S":"a"}}"#;
    assert_eq!(
        streamed(&world),
        [
            format!("INSERT {a}"),
            format!("MODIFY {a}"),
            format!("REMOVE {a}")
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_update_sets_and_removes_attributes() {
    let world = with_table();
    let update = |expression: &str| {
        json!({
            "TableName": "orders",
            "Key": { "id": { "S": "a" } },
            "UpdateExpression": expression,
            "ExpressionAttributeNames": { "#s": "state" },
            "ExpressionAttributeValues": { ":v": { "S": "new" } },
            "ReturnValues": "ALL_NEW",
        })
    };
    let made = good(&world, "UpdateItem", update("SET #s = :v")).await;
    assert_eq!(
        made["Attributes"],
        json!({ "id": { "S": "a" }, "state": { "S": "new" } })
    );
    good(&world, "UpdateItem", update("SET #s = :v")).await;
    let left = good(&world, "UpdateItem", update("REMOVE #s")).await;
    assert_eq!(left["Attributes"], json!({ "id": { "S": "a" } }));
    let a = r#"{"id":{"S":"a"}}"#;
    assert_eq!(
        streamed(&world),
        [format!("INSERT {a}"), format!("MODIFY {a}")]
    );
    let refused = bad(&world, "UpdateItem", update("SET id = :v")).await;
    assert_eq!(refused, "ValidationException");
}

#[tokio::test(start_paused = true)]
async fn a_batch_writes_all_or_is_refused_whole() {
    let world = with_table();
    let put = |id: &str| json!({ "PutRequest": { "Item": item(id, "1") } });
    let delete = |id: &str| json!({ "DeleteRequest": { "Key": { "id": { "S": id } } } });
    let batch = |requests: Vec<Value>| json!({ "RequestItems": { "orders": requests } });
    let written = good(&world, "BatchWriteItem", batch(vec![put("a"), put("b")])).await;
    assert_eq!(written, json!({ "UnprocessedItems": {} }));
    good(&world, "BatchWriteItem", batch(vec![delete("a"), put("c")])).await;
    for wrong in [
        vec![],
        vec![put("d"), delete("d")],
        vec![put("d"), json!({ "PutRequest": { "Item": {} } })],
        (0..26).map(|n| put(&n.to_string())).collect(),
    ] {
        let refused = bad(&world, "BatchWriteItem", batch(wrong)).await;
        assert_eq!(refused, "ValidationException");
    }
    assert_eq!(streamed(&world).len(), 4);
    assert_eq!(world.table("orders").unwrap().items, 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_refused_with_the_code_of_aws() {
    let world = with_table();
    let table = |name: &str| {
        json!({
            "TableName": name,
            "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
            "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
        })
    };
    let large = json!({ "id": { "S": "a" }, "b": { "S": "x".repeat(400 * 1024) } });
    for (operation, input, code) in [
        ("CreateTable", table("orders"), "ResourceInUseException"),
        ("CreateTable", table("x"), "ValidationException"),
        (
            "DescribeTable",
            json!({ "TableName": "none" }),
            "ResourceNotFoundException",
        ),
        (
            "PutItem",
            json!({ "TableName": "none", "Item": item("a", "1") }),
            "ResourceNotFoundException",
        ),
        (
            "PutItem",
            json!({ "TableName": "orders", "Item": { "n": { "N": "1" } } }),
            "ValidationException",
        ),
        (
            "PutItem",
            json!({ "TableName": "orders", "Item": { "id": { "N": "1" } } }),
            "ValidationException",
        ),
        (
            "PutItem",
            json!({ "TableName": "orders", "Item": { "id": { "S": "" } } }),
            "ValidationException",
        ),
        (
            "PutItem",
            json!({ "TableName": "orders", "Item": large }),
            "ValidationException",
        ),
        (
            "GetItem",
            json!({ "TableName": "orders", "Key": item("a", "1") }),
            "ValidationException",
        ),
        (
            "PutItem",
            json!({ "TableName": "orders", "Item": item("a", "1"), "ConditionExpression": "x" }),
            "SerializationException",
        ),
        ("Scan", json!({}), "UnknownOperationException"),
    ] {
        assert_eq!(
            bad(&world, operation, input.clone()).await,
            code,
            "{operation} {input}"
        );
    }
    assert_eq!(streamed(&world), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_switched_on_again_is_another() {
    let world = World::new(1);
    let create = json!({
        "TableName": "orders",
        "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }, { "AttributeName": "at", "KeyType": "RANGE" }],
        "AttributeDefinitions": [
            { "AttributeName": "id", "AttributeType": "S" },
            { "AttributeName": "at", "AttributeType": "N" },
        ],
        "BillingMode": "PAY_PER_REQUEST",
    });
    let made = good(&world, "CreateTable", create).await;
    assert_eq!(made["TableDescription"].get("LatestStreamArn"), None);
    let stream = |enabled: bool| {
        let mut specification = json!({ "StreamEnabled": enabled });
        if enabled {
            specification["StreamViewType"] = "KEYS_ONLY".into();
        }
        json!({ "TableName": "orders", "StreamSpecification": specification })
    };
    let arn = |described: &Value| described["LatestStreamArn"].as_str().unwrap().to_owned();
    let first = arn(&good(&world, "UpdateTable", stream(true)).await["TableDescription"]);
    let stem = "arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2026-01-01T00:00:00.";
    assert!(first.starts_with(stem), "{first}");
    assert_eq!(
        bad(&world, "UpdateTable", stream(true)).await,
        "ValidationException"
    );
    good(&world, "UpdateTable", stream(false)).await;
    let described = good(&world, "DescribeTable", json!({ "TableName": "orders" })).await;
    assert_eq!(arn(&described["Table"]), first);
    assert_eq!(described["Table"].get("StreamSpecification"), None);
    assert_eq!(
        bad(&world, "UpdateTable", stream(false)).await,
        "ValidationException"
    );
    let second = arn(&good(&world, "UpdateTable", stream(true)).await["TableDescription"]);
    assert_ne!(second, first);
    let put = json!({ "TableName": "orders", "Item": { "id": { "S": "a" }, "at": { "N": "1" } } });
    good(&world, "PutItem", put).await;
    let into = world
        .history()
        .into_iter()
        .find_map(|entry| match entry.event {
            Event::Streamed { stream, .. } => Some(stream),
            _ => None,
        });
    assert_eq!(into, Some(second));
    good(&world, "DeleteTable", json!({ "TableName": "orders" })).await;
    assert_eq!(world.table("orders"), None);
}

#[tokio::test(start_paused = true)]
async fn faults_have_the_form_of_dynamodb() {
    let world = with_table();
    let put = json!({ "TableName": "orders", "Item": item("a", "1") });
    for (fault, status, code) in [
        (Fault::Throttled, 400, "ThrottlingException"),
        (Fault::InternalError, 500, "InternalServerError"),
        (Fault::Unavailable, 503, "ServiceUnavailable"),
        (Fault::AccessDenied, 400, "AccessDeniedException"),
        (Fault::ExpiredToken, 400, "ExpiredTokenException"),
    ] {
        world.fault_next(Operation::PutItem, fault, 1);
        let (came, body) = call(&world, "PutItem", &put).await;
        let shape = body["__type"].as_str().unwrap().rsplit('#').next().unwrap();
        assert_eq!((came, shape), (status, code), "{fault:?}");
    }
    assert_eq!(streamed(&world), [""; 0]);
    world.fault_next(Operation::PutItem, Fault::Slow, 1);
    world.fault_slowness(SECOND);
    good(&world, "PutItem", put).await;
    assert_eq!(streamed(&world).len(), 1);
}
