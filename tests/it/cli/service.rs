//! `run` and `sim`: that they start, answer, and say what keeps them from it.

use std::net::TcpListener;

use serde_json::json;

use super::program::{Running, get, request, run, sqs};
use super::{GOOD, written};

#[tokio::test]
async fn the_service_answers_operators_although_its_queue_is_out_of_reach() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = written(folder.path(), "good.yaml", GOOD);
    let mut service = Running::start(&["run", "--config", path.to_str().expect("a plain name")]);
    let started = service.event("started").await;
    assert_eq!(
        (&started["version"], &started["mappings"]),
        (&json!(env!("CARGO_PKG_VERSION")), &json!(1))
    );
    let address = started["listen"].as_str().expect("an address").to_owned();
    service.event("the mapping does not run").await;

    assert_eq!(get(&address, "/livez"), (200, "ok\n".to_owned()));
    let (status, body) = get(&address, "/readyz");
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(
        (status, &body["ready"], &body["draining"]),
        (503, &json!(false), &json!(false))
    );
    assert_eq!(
        (
            &body["mappings"][0]["name"],
            &body["mappings"][0]["started"]
        ),
        (&json!("orders-process"), &json!(false))
    );
    let (status, metrics) = get(&address, "/metrics");
    assert_eq!(status, 200);
    assert!(
        metrics.contains("sluicegate_events_polled_total{mapping=\"orders-process\"} 0\n"),
        "{metrics}"
    );

    service.signal("TERM");
    let account = service.event("stopped").await;
    assert_eq!(
        (&account["deleted"], &account["abandoned"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(service.end().await, Some(0));
}

#[test]
fn an_occupied_address_is_said_before_anything_starts() {
    let occupied = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = occupied.local_addr().expect("it is bound").to_string();
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = written(
        folder.path(),
        "taken.yaml",
        &GOOD.replace("127.0.0.1:0", &address),
    );
    let service = run(&["run", "--config", path.to_str().expect("a plain name")]);
    let expected = format!("failed to listen on {address}: address in use; set Service.Listen\n");
    assert_eq!((service.code, service.err), (Some(1), expected));
    let sim = run(&["sim", "--listen", &address]);
    assert_eq!(
        (sim.code, sim.err),
        (
            Some(1),
            format!("failed to listen on {address}: address in use\n")
        )
    );
}

#[tokio::test]
async fn the_embedded_aws_answers_until_it_is_told_to_stop() {
    let mut sim = Running::start(&["sim", "--listen", "127.0.0.1:0"]);
    let line = sim.line().await;
    let address = line
        .strip_prefix("listening on http://")
        .expect("the address")
        .to_owned();
    let queue = sqs(&address, "CreateQueue", &json!({ "QueueName": "orders" }));
    sqs(
        &address,
        "SendMessage",
        &json!({ "QueueUrl": queue["QueueUrl"], "MessageBody": "hello" }),
    );
    let received = sqs(
        &address,
        "ReceiveMessage",
        &json!({ "QueueUrl": queue["QueueUrl"] }),
    );
    assert_eq!(received["Messages"][0]["Body"], "hello");
    // What the help promises beside queues, each service by one call.
    for (target, input, answered) in [
        (
            "Kinesis_20131202.CreateStream",
            json!({ "StreamName": "clicks", "ShardCount": 1 }),
            "",
        ),
        (
            "Kinesis_20131202.ListShards",
            json!({ "StreamName": "clicks" }),
            "shardId-000000000000",
        ),
        (
            "DynamoDB_20120810.CreateTable",
            json!({
                "TableName": "orders",
                "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
                "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
                "BillingMode": "PAY_PER_REQUEST",
                "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" },
            }),
            "LatestStreamArn",
        ),
        (
            "DynamoDBStreams_20120810.ListStreams",
            json!({}),
            "table/orders/stream/",
        ),
    ] {
        let head = format!(
            "POST / HTTP/1.1\r\nX-Amz-Target: {target}\r\nContent-Type: application/x-amz-json-1.1"
        );
        let (status, body) = request(&address, &head, &input.to_string());
        assert_eq!(status, 200, "{target}: {body}");
        assert!(body.contains(answered), "{target}: {body}");
    }
    let head = "POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded";
    let topic = "Action=CreateTopic&Version=2010-03-31&Name=failed";
    let (status, body) = request(&address, head, topic);
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("<TopicArn>"), "{body}");
    for (path, body) in [("/bucket", ""), ("/bucket/key", "hello")] {
        let scope = "Credential=test/20261121/us-east-1/s3/aws4_request";
        let head = format!("PUT {path} HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 {scope}");
        let (status, said) = request(&address, &head, body);
        assert_eq!(status, 200, "{path}: {said}");
    }
    sim.signal("TERM");
    assert_eq!(sim.end().await, Some(0));
}
