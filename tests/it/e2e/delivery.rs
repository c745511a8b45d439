//! What works: each message is delivered once, as AWS writes it, in batches as configured, and deleted.

use std::time::Duration;

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::MessageAttributeValue;
use serde_json::{Value, json};
use sluicegate::reports::Account;
use tokio::time::Instant;

use crate::e2e::{bodies, count, numbers};
use crate::support::cloud::Cloud;
use crate::support::collector::{Collector, Reply};
use crate::support::gate::Config;
use crate::support::queue::{Counts, EMPTY, QueueShape};

crate::support::scenarios! {
    every_message_is_delivered_once_and_deleted,
    an_event_is_written_as_aws_writes_it,
    a_batch_is_full_at_its_size,
    a_batch_is_due_when_its_window_ends,
    a_batch_stays_below_the_limit_of_an_event,
    messages_that_match_no_filter_are_deleted_and_never_delivered,
    a_function_runs_once_at_a_time_where_the_concurrency_is_one,
    a_slow_function_causes_no_second_delivery,
}

async fn every_message_is_delivered_once_and_deleted(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let queue = cloud.queue("orders", QueueShape::default()).await;
    let function = cloud.function("process", &collector).await;
    let gate = Config::at(&cloud.endpoint)
        .mapping("orders", &queue.arn, &function, "")
        .start()
        .await;
    queue.send_all(&numbers(25)).await;

    let calls = collector
        .wait_for("25 messages", |calls| count(calls) >= 25)
        .await;
    queue.wait_for(EMPTY).await;
    assert_eq!(bodies(&calls), numbers(25));
    assert!(
        calls.iter().all(|call| call.bodies().len() <= 10),
        "10 is the default"
    );
    let handled = Account {
        deleted: 25,
        ..Account::default()
    };
    assert_eq!(gate.stop().await, handled);
    assert_eq!(count(&collector.calls()), 25);
}

fn attribute(data_type: &str, text: Option<&str>, bytes: Option<&[u8]>) -> MessageAttributeValue {
    let attribute = MessageAttributeValue::builder()
        .data_type(data_type)
        .set_string_value(text.map(str::to_owned))
        .set_binary_value(bytes.map(Blob::new));
    attribute.build().expect("an attribute has a type")
}

/// Takes a text out of a record that differs from run to run, and puts a word in its place.
fn replace(record: &mut Value, pointer: &str, right: impl Fn(&str) -> bool) {
    let found = record
        .pointer_mut(pointer)
        .unwrap_or_else(|| panic!("no {pointer}"));
    assert!(found.as_str().is_some_and(right), "{pointer}: {found}");
    *found = json!("PRESENT");
}

// spec: 2.1. The digests were computed by hand, with Python's hashlib over what the API's reference describes.
async fn an_event_is_written_as_aws_writes_it(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let queue = cloud.queue("orders", QueueShape::default()).await;
    let function = cloud.function("process", &collector).await;
    let _gate = Config::at(&cloud.endpoint)
        .mapping("orders", &queue.arn, &function, "")
        .start()
        .await;
    let attributes = [
        ("Author", attribute("String", Some("J\u{f6}"), None)),
        ("Weeks", attribute("Number", Some("6"), None)),
        ("Blob", attribute("Binary", None, Some(&[0, 1, 2]))),
    ];
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    let id = queue.send_with("{\"order\":7}", &attributes, trace).await;

    let calls = collector
        .wait_for("the message", |calls| count(calls) == 1)
        .await;
    let mut event = calls[0].event.clone();
    let record = &mut event["Records"][0];
    let milliseconds =
        |text: &str| text.len() == 13 && text.bytes().all(|byte| byte.is_ascii_digit());
    replace(record, "/receiptHandle", |receipt| !receipt.is_empty());
    replace(record, "/attributes/SentTimestamp", milliseconds);
    replace(
        record,
        "/attributes/ApproximateFirstReceiveTimestamp",
        milliseconds,
    );
    replace(record, "/attributes/SenderId", |sender| !sender.is_empty());
    let expected = json!({"Records": [{
        "messageId": id,
        "receiptHandle": "PRESENT",
        "body": "{\"order\":7}",
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "PRESENT",
            "SenderId": "PRESENT",
            "ApproximateFirstReceiveTimestamp": "PRESENT",
            "AWSTraceHeader": trace,
        },
        "messageAttributes": {
            "Author": {"stringValue": "J\u{f6}", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
            "Weeks": {"stringValue": "6", "stringListValues": [], "binaryListValues": [], "dataType": "Number"},
            "Blob": {"binaryValue": "AAEC", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"},
        },
        "md5OfMessageAttributes": "266e5e295494f8ead0575138045dfc83",
        "md5OfBody": "4db405096ca2c297ffb21aeada277352",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:orders",
        "awsRegion": "us-east-1",
    }]});
    assert_eq!(event, expected);
    queue.wait_for(EMPTY).await;
}

async fn a_batch_is_full_at_its_size(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let queue = cloud.queue("orders", QueueShape::default()).await;
    let function = cloud.function("process", &collector).await;
    queue.send_all(&numbers(40)).await;
    // The window is longer than the test's patience: only the count can end it.
    let settings = "BatchSize: 20, MaximumBatchingWindowInSeconds: 300, ScalingConfig: { MaximumConcurrency: 1 }";
    let _gate = Config::at(&cloud.endpoint)
        .mapping("orders", &queue.arn, &function, settings)
        .start()
        .await;

    let calls = collector
        .wait_for("40 messages", |calls| count(calls) == 40)
        .await;
    assert_eq!(
        calls
            .iter()
            .map(|call| call.bodies().len())
            .collect::<Vec<_>>(),
        [20, 20]
    );
    assert_eq!(bodies(&calls), numbers(40));
    queue.wait_for(EMPTY).await;
}

async fn a_batch_is_due_when_its_window_ends(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let queue = cloud.queue("orders", QueueShape::default()).await;
    let function = cloud.function("process", &collector).await;
    let settings = "BatchSize: 100, MaximumBatchingWindowInSeconds: 2";
    let gate = Config::at(&cloud.endpoint)
        .mapping("orders", &queue.arn, &function, settings)
        .start()
        .await;
    gate.ready().await;
    let began = Instant::now();
    queue.send("000").await;
    queue
        .wait_for(Counts {
            visible: 0,
            in_flight: 1,
        })
        .await;
    queue.send("001").await;
    queue.send("002").await;

    let calls = collector
        .wait_for("a call", |calls| !calls.is_empty())
        .await;
    assert_eq!(bodies(&calls), numbers(3));
    let waited = calls[0].arrived - began;
    assert!(
        waited >= Duration::from_secs(2),
        "the window was cut to {waited:?}"
    );
    queue.wait_for(EMPTY).await;
}

// spec: 4.7
async fn a_batch_stays_below_the_limit_of_an_event(cloud: Cloud) {
    const EVENT_BYTES_MAX: usize = 6 << 20;
    let collector = Collector::start(|_| Reply::success()).await;
    let queue = cloud.queue("orders", QueueShape::default()).await;
    let function = cloud.function("process", &collector).await;
    let sent: Vec<_> = numbers(28)
        .into_iter()
        .map(|number| number + &"x".repeat(250_000))
        .collect();
    for body in &sent {
        queue.send(body).await;
    }
    // Neither the count nor the window can end the first batch.
    let settings = "BatchSize: 100, MaximumBatchingWindowInSeconds: 2, ScalingConfig: { MaximumConcurrency: 1 }";
    let _gate = Config::at(&cloud.endpoint)
        .mapping("orders", &queue.arn, &function, settings)
        .start()
        .await;

    queue.wait_for(EMPTY).await;
    let calls = collector.calls();
    assert!(bodies(&calls) == sent, "each was delivered once");
    let bytes: Vec<_> = calls.iter().map(|call| call.body.len()).collect();
    assert!(
        bytes.len() == 2 && bytes[0] > EVENT_BYTES_MAX - 300_000 && bytes[0] <= EVENT_BYTES_MAX,
        "{bytes:?}"
    );
}

async fn messages_that_match_no_filter_are_deleted_and_never_delivered(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let queue = cloud.queue("orders", QueueShape::default()).await;
    let function = cloud.function("process", &collector).await;
    let filter = r#"FilterCriteria: { Filters: [ { Pattern: '{"body":{"kind":["order"],"amount":[{"numeric":[">",5]}]}}' } ] }"#;
    let gate = Config::at(&cloud.endpoint)
        .mapping("orders", &queue.arn, &function, filter)
        .start()
        .await;
    let wanted = [
        r#"{"kind":"order","amount":6}"#,
        r#"{"amount":7.5,"kind":"order"}"#,
    ];
    let unwanted = [
        r#"{"kind":"order","amount":5}"#,
        r#"{"kind":"offer","amount":6}"#,
        "no JSON",
    ];
    for body in wanted.iter().chain(&unwanted) {
        queue.send(body).await;
    }

    queue.wait_for(EMPTY).await;
    let mut delivered = wanted.map(str::to_owned);
    delivered.sort();
    assert_eq!(bodies(&collector.calls()), delivered);
    gate.wait_for_metric("events_filtered_out_total{mapping=\"orders\"}", 3.0)
        .await;
    let handled = Account {
        deleted: 5,
        ..Account::default()
    };
    assert_eq!(gate.stop().await, handled);
}

async fn a_function_runs_once_at_a_time_where_the_concurrency_is_one(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success().after(Duration::from_millis(50))).await;
    let queue = cloud.queue("orders", QueueShape::default()).await;
    let function = cloud.function("process", &collector).await;
    queue.send_all(&numbers(10)).await;
    let settings = "BatchSize: 1, ScalingConfig: { MaximumConcurrency: 1 }";
    let _gate = Config::at(&cloud.endpoint)
        .mapping("orders", &queue.arn, &function, settings)
        .start()
        .await;

    queue.wait_for(EMPTY).await;
    let calls = collector.calls();
    assert_eq!(bodies(&calls), numbers(10));
    for pair in calls.windows(2) {
        let answered = pair[0].answered.expect("each call was answered");
        assert!(answered <= pair[1].arrived, "two at a time: {pair:#?}");
    }
}

// spec: 11.5
async fn a_slow_function_causes_no_second_delivery(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success().after(Duration::from_secs(2))).await;
    let hasty = QueueShape {
        visibility_s: Some(1),
        ..QueueShape::default()
    };
    let queue = cloud.queue("orders", hasty).await;
    let function = cloud.function("process", &collector).await;
    let gate = Config::at(&cloud.endpoint)
        .mapping("orders", &queue.arn, &function, "")
        .start()
        .await;
    queue.send("000").await;

    queue
        .wait_for(Counts {
            visible: 0,
            in_flight: 1,
        })
        .await;
    queue.wait_for(EMPTY).await;
    assert_eq!(bodies(&collector.calls()), numbers(1));
    let handled = Account {
        deleted: 1,
        ..Account::default()
    };
    assert_eq!(gate.stop().await, handled);
}
