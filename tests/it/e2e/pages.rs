//! What the admin listener says is true of what the function and the queue saw.

use crate::e2e::{numbers, receives};
use crate::support::cloud::Cloud;
use crate::support::collector::{Collector, Reply};
use crate::support::gate::{Config, Page};
use crate::support::queue::{EMPTY, QueueShape};

crate::support::scenarios! { the_pages_say_what_happened }

async fn the_pages_say_what_happened(cloud: Cloud) {
    let collector = Collector::start(|call| match receives(call)[0].as_str() {
        "1" => Reply::failures(&call.message_ids()[..1]),
        "2" => Reply::function_error("boom"),
        _ => Reply::success(),
    })
    .await;
    let queue = cloud
        .queue(
            "orders",
            QueueShape {
                visibility_s: Some(1),
                ..QueueShape::default()
            },
        )
        .await;
    // All in one batch, so that the ledger has one call for each receive.
    queue.send_all(&numbers(3)).await;
    let gate = Config::at(&cloud.endpoint)
        .function("process", &collector.url("process"), 1)
        .mapping(
            "orders",
            &queue.arn,
            "process",
            "FunctionResponseTypes: [ReportBatchItemFailures]",
        )
        .start()
        .await;
    queue.wait_for(EMPTY).await;
    // The queue is empty before the program knows.
    gate.wait_for_metric("events_deleted_total{mapping=\"orders\"}", 3.0)
        .await;
    gate.wait_for("/metrics", "empty hands", |page| {
        page.body
            .contains("sluicegate_messages_held{mapping=\"orders\"} 0\n")
    })
    .await;

    let text = |status, body: &str| Page {
        status,
        body: body.to_owned(),
    };
    assert_eq!(gate.get("/livez").await, text(200, "ok\n"));
    assert_eq!(gate.get("/healthz").await, text(200, "ok\n"));
    assert_eq!(
        gate.get("/version").await,
        text(
            200,
            concat!("{\"version\":\"", env!("CARGO_PKG_VERSION"), "\"}")
        )
    );
    let ready = r#"{"ready":true,"draining":false,"mappings":[{"name":"orders","state":"Enabled","started":true,"reason":null}]}"#;
    assert_eq!(gate.get("/readyz").await, text(200, ready));

    let calls = collector.calls();
    let events: usize = calls.iter().map(|call| call.bodies().len()).sum();
    let failed: usize = calls
        .iter()
        .filter(|call| receives(call)[0] != "3")
        .map(|call| call.bodies().len())
        .sum();
    let bytes: usize = calls.iter().map(|call| call.body.len()).sum();
    let first = calls.iter().filter(|call| receives(call)[0] == "1").count();
    let second = calls.iter().filter(|call| receives(call)[0] == "2").count();
    let expected = [
        ("events_polled_total", "", events),
        ("events_filtered_out_total", "", 0),
        ("events_invoked_total", "", events),
        ("events_failed_invoke_total", "", failed),
        ("events_deleted_total", "", 3),
        (
            "invocations_total",
            ",outcome=\"success\"",
            calls.len() - first - second,
        ),
        ("invocations_total", ",outcome=\"partial\"", first),
        ("invocations_total", ",outcome=\"function_error\"", second),
        ("invocations_total", ",outcome=\"throttled\"", 0),
        ("invocations_total", ",outcome=\"service_error\"", 0),
        ("invocations_total", ",outcome=\"timeout\"", 0),
        ("invocation_duration_seconds_count", "", calls.len()),
        ("invocations_in_flight", "", 0),
        ("batch_events_count", "", calls.len()),
        ("batch_events_sum", "", events),
        ("batch_bytes_sum", "", bytes),
        ("messages_held", "", 0),
        ("messages_lease_lost_total", "", 0),
        ("mapping_state", ",state=\"Enabled\"", 1),
        ("mapping_state", ",state=\"Failing\"", 0),
        (
            "source_requests_total",
            ",operation=\"GetQueueUrl\",outcome=\"success\"",
            1,
        ),
        (
            "source_requests_total",
            ",operation=\"DeleteMessageBatch\",outcome=\"error\"",
            0,
        ),
    ];
    let metrics = gate.metrics().await;
    for (family, labels, value) in expected {
        let series = format!("sluicegate_{family}{{mapping=\"orders\"{labels}}}");
        assert_eq!(metrics.get(&series), Some(&(value as f64)), "{series}");
    }
    assert!(
        calls.len() >= 3 && first >= 1 && second >= 1,
        "each kind of call was there: {calls:#?}"
    );
}
