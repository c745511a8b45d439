//! The clouds that the end-to-end suite stands on do what a scenario relies on: queues, the forwarding function, and the
//! collector behind it, the same in our embedded AWS as in a server that others wrote.

use std::time::Duration;

use aws_sdk_lambda::operation::invoke::InvokeOutput;
use aws_sdk_lambda::primitives::Blob;
use serde_json::json;

use crate::support::cloud::Cloud;
use crate::support::collector::{Collector, Reply};
use crate::support::queue::{Counts, EMPTY, QueueShape};

crate::support::scenarios! {
    a_message_is_received_with_its_attributes_until_it_is_deleted,
    many_messages_keep_the_order_of_their_ids,
    a_message_that_came_back_too_often_goes_to_the_dead_letter_queue,
    a_group_with_a_message_in_flight_is_locked,
    the_function_hands_over_its_event_and_gives_back_the_reply,
    the_function_fails_as_it_is_told,
    a_throttled_function_is_refused_and_never_called,
}

async fn a_message_is_received_with_its_attributes_until_it_is_deleted(cloud: Cloud) {
    let queue = cloud
        .queue(
            "orders",
            QueueShape {
                visibility_s: Some(60),
                ..QueueShape::default()
            },
        )
        .await;
    assert_eq!(queue.arn, "arn:aws:sqs:us-east-1:000000000000:orders");
    assert_eq!(queue.url, format!("{}/000000000000/orders", cloud.endpoint));
    let id = queue.send("{\"a\":1}").await;
    assert_eq!(
        queue.counts().await,
        Counts {
            visible: 1,
            in_flight: 0
        }
    );

    let received = queue.receive(1).await;
    let [message] = received.as_slice() else {
        panic!("one message was sent, {received:?} came")
    };
    assert_eq!(
        (message.message_id(), message.body()),
        (Some(id.as_str()), Some("{\"a\":1}"))
    );
    let attributes = message
        .attributes()
        .expect("system attributes were asked for");
    let count = aws_sdk_sqs::types::MessageSystemAttributeName::ApproximateReceiveCount;
    assert_eq!(attributes.get(&count).map(String::as_str), Some("1"));
    assert_eq!(
        queue.counts().await,
        Counts {
            visible: 0,
            in_flight: 1
        }
    );

    queue.delete(message).await;
    queue.wait_for(EMPTY).await;
}

async fn many_messages_keep_the_order_of_their_ids(cloud: Cloud) {
    let queue = cloud.queue("orders", QueueShape::default()).await;
    let bodies: Vec<_> = (0..25).map(|n| n.to_string()).collect();
    let ids = queue.send_all(&bodies).await;

    let mut received = Vec::new();
    while received.len() < bodies.len() {
        let messages = queue.receive(0).await;
        assert!(
            !messages.is_empty(),
            "the queue holds more than {} messages",
            received.len()
        );
        received.extend(
            messages
                .into_iter()
                .map(|m| (m.message_id.expect("an id"), m.body.expect("a body"))),
        );
    }
    received.sort();
    let mut sent: Vec<_> = ids.into_iter().zip(bodies).collect();
    sent.sort();
    assert_eq!(received, sent);
}

async fn a_message_that_came_back_too_often_goes_to_the_dead_letter_queue(cloud: Cloud) {
    let dead = cloud.queue("dead", QueueShape::default()).await;
    let shape = QueueShape {
        visibility_s: Some(0),
        dead_letters: Some((dead.arn.clone(), 1)),
        ..QueueShape::default()
    };
    let queue = cloud.queue("orders", shape).await;
    let id = queue.send("poison").await;

    assert_eq!(queue.receive(0).await.len(), 1);
    assert_eq!(
        queue.receive(0).await.len(),
        0,
        "its one receive is used up"
    );
    queue.wait_for(EMPTY).await;
    let letters = dead.receive(1).await;
    assert_eq!(
        letters.iter().map(|m| m.message_id()).collect::<Vec<_>>(),
        [Some(id.as_str())]
    );
}

async fn a_group_with_a_message_in_flight_is_locked(cloud: Cloud) {
    let queue = cloud
        .queue(
            "orders.fifo",
            QueueShape {
                fifo: true,
                ..QueueShape::default()
            },
        )
        .await;
    for body in ["1", "2", "3"] {
        queue.send_grouped("a", body).await;
    }
    let first = queue.receive(0).await;
    assert_eq!(
        first.iter().filter_map(|m| m.body()).collect::<Vec<_>>(),
        ["1", "2", "3"]
    );
    queue.send_grouped("a", "4").await;
    queue.send_grouped("b", "5").await;
    let second = queue.receive(0).await;
    assert_eq!(
        second.iter().filter_map(|m| m.body()).collect::<Vec<_>>(),
        ["5"]
    );
}

async fn invoke(cloud: &Cloud, function: &str, event: serde_json::Value) -> InvokeOutput {
    let request = cloud
        .lambda
        .invoke()
        .function_name(function)
        .payload(Blob::new(event.to_string()));
    request.send().await.expect("the function is called")
}

fn payload(output: &InvokeOutput) -> &str {
    std::str::from_utf8(output.payload().expect("a payload").as_ref()).expect("UTF-8")
}

async fn the_function_hands_over_its_event_and_gives_back_the_reply(cloud: Cloud) {
    let collector = Collector::start(|call| Reply::failures(&call.message_ids()[1..])).await;
    let function = cloud.function("process", &collector).await;
    assert_eq!(
        function,
        "arn:aws:lambda:us-east-1:000000000000:function:process"
    );

    let records =
        json!([{"messageId": "m1", "body": "eins"}, {"messageId": "m2", "body": "zw\u{f6}lf"}]);
    let output = invoke(&cloud, &function, json!({"Records": records})).await;
    assert_eq!((output.status_code(), output.function_error()), (200, None));
    let reply: serde_json::Value = serde_json::from_str(payload(&output)).expect("JSON");
    assert_eq!(
        reply,
        json!({"batchItemFailures": [{"itemIdentifier": "m2"}]})
    );

    let calls = collector
        .wait_for("one call", |calls| calls.len() == 1)
        .await;
    assert_eq!(calls[0].function, "process");
    assert_eq!(calls[0].bodies(), ["eins", "zw\u{f6}lf"]);
}

async fn the_function_fails_as_it_is_told(cloud: Cloud) {
    let mut replies = vec![Reply::text("garbage"), Reply::function_error("boom")];
    let collector = Collector::start(move |_| replies.pop().expect("two calls")).await;
    let function = cloud.function("process", &collector).await;

    let raised = invoke(&cloud, &function, json!({})).await;
    assert_eq!(raised.function_error(), Some("Unhandled"));
    assert!(payload(&raised).contains("boom"), "{}", payload(&raised));
    let unreadable = invoke(&cloud, &function, json!({})).await;
    assert_eq!(unreadable.function_error(), None);
    // A function in Python can only return it as a string.
    assert_eq!(payload(&unreadable).trim_matches('"'), "garbage");
}

async fn a_throttled_function_is_refused_and_never_called(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success().after(Duration::from_millis(1))).await;
    let function = cloud.function("process", &collector).await;

    cloud.throttle("process", true).await;
    let request = cloud
        .lambda
        .invoke()
        .function_name(&function)
        .payload(Blob::new("{}"));
    let refused = request.send().await.expect_err("it is throttled");
    assert_eq!(
        refused
            .raw_response()
            .map(|response| response.status().as_u16()),
        Some(429)
    );
    assert!(collector.calls().is_empty());

    cloud.throttle("process", false).await;
    assert_eq!(payload(&invoke(&cloud, &function, json!({})).await), "null");
    assert_eq!(collector.calls().len(), 1);
}
