//! Functions behind a URL that do everything but answer as agreed: nothing is lost, and only what ran and failed costs a
//! message a receive.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::e2e::receives;
use crate::support::cloud::Cloud;
use crate::support::collector::{Call, Collector, Reply};
use crate::support::gate::Config;
use crate::support::queue::{EMPTY, QueueShape};

crate::support::scenarios! { whatever_a_function_answers_nothing_is_lost }

type Hostility = fn(&Call) -> Reply;

/// What a function does when a message comes first, and the receive with which the message is handled at last: `1`
/// where the function did not run for all we know, `2` where it ran and failed.
const HOSTILITIES: &[(&str, Hostility, &str)] = &[
    ("500", |_| Reply::status(500, "oops"), "1"),
    (
        "502 with HTML",
        |_| Reply::status(502, "<html>Bad Gateway</html>"),
        "1",
    ),
    ("503", |_| Reply::status(503, ""), "1"),
    ("429", |_| Reply::status(429, ""), "1"),
    ("404", |_| Reply::status(404, ""), "1"),
    ("redirect", |_| Reply::status(302, ""), "1"),
    ("413", |_| Reply::status(413, ""), "2"),
    ("no answer", |_| Reply::refused(), "1"),
    (
        "half an answer",
        |_| Reply::cut(r#"{"batchItemFailures":[]}"#),
        "1",
    ),
    ("function error", |_| Reply::function_error("boom"), "2"),
    ("garbage", |_| Reply::text("{]\u{0}"), "2"),
    ("true", |_| Reply::text("true"), "2"),
    ("deep", |_| Reply::text(&"[".repeat(100_000)), "2"),
    (
        "seven megabytes",
        |_| Reply::text(&" ".repeat(7 << 20)),
        "2",
    ),
    (
        "trickle",
        |_| Reply::trickle("{}                    ", Duration::from_millis(100)),
        "2",
    ),
    (
        "unknown identifier",
        |_| Reply::failures(&["b".to_owned()]),
        "2",
    ),
    (
        "repeated identifier",
        |call| Reply::failures(&[call.message_ids(), call.message_ids()].concat()),
        "2",
    ),
    (
        "repeated key",
        |call| {
            Reply::text(&format!(
                r#"{{"batchItemFailures":[{{"itemIdentifier":"{}"}}],"batchItemFailures":[]}}"#,
                call.message_ids()[0]
            ))
        },
        "2",
    ),
    (
        "empty entry",
        |_| Reply::text(r#"{"batchItemFailures":[{}]}"#),
        "2",
    ),
];

async fn whatever_a_function_answers_nothing_is_lost(cloud: Cloud) {
    let mut seen = BTreeMap::<String, u32>::new();
    let collector = Collector::start(move |call| {
        let body = call.bodies().concat();
        let times = seen.entry(body.clone()).or_default();
        *times += 1;
        let hostile = HOSTILITIES.iter().find(|(name, ..)| *name == body);
        let (_, hostility, _) = hostile.expect("each message names a hostility");
        if *times == 1 {
            hostility(call)
        } else {
            Reply::success()
        }
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
    let gate = Config::at(&cloud.endpoint)
        .function("process", &collector.url("process"), 1)
        .mapping(
            "orders",
            &queue.arn,
            "process",
            "BatchSize: 1, FunctionResponseTypes: [ReportBatchItemFailures]",
        )
        .start()
        .await;
    let names: Vec<_> = HOSTILITIES
        .iter()
        .map(|(name, ..)| (*name).to_owned())
        .collect();
    queue.send_all(&names).await;

    queue.wait_for(EMPTY).await;
    let calls = collector.calls();
    let handled = |name: &str| {
        let last = calls.iter().rfind(|call| call.bodies() == [name]);
        last.map(|call| receives(call).concat()).unwrap_or_default()
    };
    let found: Vec<_> = HOSTILITIES
        .iter()
        .map(|(name, ..)| (*name, handled(name)))
        .collect();
    let expected: Vec<_> = HOSTILITIES
        .iter()
        .map(|(name, _, receives)| (*name, (*receives).to_owned()))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(
        calls.len(),
        2 * HOSTILITIES.len(),
        "each once with hostility and once without"
    );
    let account = gate.stop().await;
    assert_eq!(account.deleted, HOSTILITIES.len() as u64);
}
