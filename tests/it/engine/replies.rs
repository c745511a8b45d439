//! What the function answers, end to end: which messages are deleted and which come back. One row for each of the
//! behaviour page's table 3.1, and answers that are meant to hurt.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use sluicegate::sim::{Event, FunctionConfig, Reply};

use super::{Stage, of_mapping};

const MINUTE: Duration = Duration::from_secs(60);
const PARTIAL: &str = "FunctionResponseTypes: [ReportBatchItemFailures]";

/// Delivers a, b and c in one batch; the first answer is made of their ids. Says which of them came back.
async fn came_back(
    settings: &[&str],
    answer: impl Fn(&[String]) -> Bytes + Send + Sync + 'static,
) -> (Stage, String) {
    let stage = Stage::new(1);
    stage
        .world
        .create_queue("q", &[("VisibilityTimeout", "20")])
        .unwrap();
    stage.function(FunctionConfig::default(), move |call| {
        if call.number == 1 {
            Reply::ok(answer(&call.message_ids()))
        } else {
            Reply::ok("")
        }
    });
    let ids: Vec<String> = ["a", "b", "c"]
        .into_iter()
        .map(|body| stage.world.send("q", body).unwrap())
        .collect();
    let running = stage.start("q", settings);
    stage.emptied("q", MINUTE).await;
    running.stop().await;
    let again: BTreeSet<String> = stage.calls().into_iter().skip(1).flatten().collect();
    let deleted: BTreeSet<String> = stage
        .world
        .history()
        .into_iter()
        .filter_map(|entry| match entry.event {
            Event::Deleted { id, .. } => Some(id),
            _ => None,
        })
        .collect();
    assert_eq!(deleted.len(), ids.len(), "each is deleted in the end");
    (stage, again.into_iter().collect())
}

fn entry(id: &str) -> String {
    format!("{{\"itemIdentifier\":\"{id}\"}}")
}

fn failures(entries: &[String]) -> String {
    format!("{{\"batchItemFailures\":[{}]}}", entries.join(","))
}

// spec: 3.1, the column of SQS
#[tokio::test(start_paused = true)]
async fn an_answer_deletes_what_it_does_not_name_and_is_a_failure_when_it_can_not_be_read() {
    type Answer = fn(&[String]) -> String;
    let rows: [(&str, Answer, &str); 36] = [
        ("empty", |_| String::new(), ""),
        ("empty string", |_| "\"\"".into(), ""),
        ("null", |_| "null".into(), ""),
        ("empty object", |_| "{}".into(), ""),
        ("other keys", |_| "{\"statusCode\":200}".into(), ""),
        ("empty list", |_| "[]".into(), ""),
        ("no failures", |_| failures(&[]), ""),
        (
            "null failures",
            |_| "{\"batchItemFailures\":null}".into(),
            "",
        ),
        ("white space", |_| " {\n} ".into(), ""),
        ("the first", |ids| failures(&[entry(&ids[0])]), "a"),
        ("the last", |ids| failures(&[entry(&ids[2])]), "c"),
        (
            "two, out of order",
            |ids| failures(&[entry(&ids[2]), entry(&ids[0])]),
            "ac",
        ),
        (
            "all",
            |ids| failures(&[entry(&ids[0]), entry(&ids[1]), entry(&ids[2])]),
            "abc",
        ),
        (
            "further keys",
            |ids| {
                format!(
                    "{{\"batchItemFailures\":[{{\"itemIdentifier\":\"{}\",\"why\":[1]}}],\"x\":{{}}}}",
                    ids[1]
                )
            },
            "b",
        ),
        (
            "an escaped id",
            |ids| failures(&[entry(&ids[1].replacen('-', "\\u002d", 1))]),
            "b",
        ),
        ("an empty id", |_| failures(&[entry("")]), "abc"),
        (
            "a null id",
            |_| failures(&["{\"itemIdentifier\":null}".into()]),
            "abc",
        ),
        ("an unknown id", |_| failures(&[entry("nobody")]), "abc"),
        (
            "a known and an unknown id",
            |ids| failures(&[entry(&ids[0]), entry("nobody")]),
            "abc",
        ),
        (
            "an id twice",
            |ids| failures(&[entry(&ids[0]), entry(&ids[0])]),
            "abc",
        ),
        (
            "an id in capitals",
            |ids| failures(&[entry(&ids[0].to_uppercase())]),
            "abc",
        ),
        (
            "a wrong key",
            |_| failures(&["{\"foo\":\"notvalid\"}".into()]),
            "abc",
        ),
        ("an empty entry", |_| failures(&["{}".into()]), "abc"),
        (
            "an entry that is an id",
            |ids| failures(&[format!("\"{}\"", ids[0])]),
            "abc",
        ),
        ("a null entry", |_| failures(&["null".into()]), "abc"),
        (
            "a numeric id",
            |_| failures(&["{\"itemIdentifier\":1}".into()]),
            "abc",
        ),
        (
            "a list of ids",
            |ids| failures(&[format!("{{\"itemIdentifier\":[\"{}\"]}}", ids[0])]),
            "abc",
        ),
        ("no list", |_| "{\"batchItemFailures\":{}}".into(), "abc"),
        (
            "a text for the list",
            |_| "{\"batchItemFailures\":\"a\"}".into(),
            "abc",
        ),
        (
            "the list twice",
            |ids| {
                format!(
                    "{{\"batchItemFailures\":[],\"batchItemFailures\":[{}]}}",
                    entry(&ids[0])
                )
            },
            "abc",
        ),
        (
            "the id twice in an entry",
            |ids| {
                failures(&[format!(
                    "{{\"itemIdentifier\":\"{}\",\"itemIdentifier\":\"{}\"}}",
                    ids[0], ids[1]
                )])
            },
            "abc",
        ),
        (
            "a list as the answer",
            |ids| format!("[{}]", entry(&ids[0])),
            "abc",
        ),
        ("a number", |_| "200".into(), "abc"),
        ("a text", |_| "\"ok\"".into(), "abc"),
        ("no JSON", |_| "<html>502</html>".into(), "abc"),
        (
            "half a JSON",
            |ids| failures(&[entry(&ids[0])])[..30].into(),
            "abc",
        ),
    ];
    for (name, answer, expected) in rows {
        let (stage, found) = came_back(&[PARTIAL], move |ids| answer(ids).into()).await;
        assert_eq!(found, expected, "{name}");
        let outcome = |outcome| {
            stage.metric(&format!(
                "sluicegate_invocations_total{{mapping=\"m\",outcome=\"{outcome}\"}}"
            ))
        };
        let first = match (expected, name) {
            ("", _) => "success",
            ("abc", "all") => "partial",
            ("abc", _) => "function_error",
            _ => "partial",
        };
        assert_eq!(outcome(first), 1.0, "{name}");
    }
}

// spec: 3.1 rule 3, pitfall 11.6
#[tokio::test(start_paused = true)]
async fn without_the_setting_no_answer_keeps_a_message_and_ignored_failures_are_counted() {
    let (stage, found) = came_back(&[], |ids| failures(&[entry(&ids[0])]).into()).await;
    assert_eq!(found, "");
    assert_eq!(stage.metric(&of_mapping("replies_ignored_total")), 1.0);
    let (stage, found) = came_back(&[], |_| Bytes::from_static(b"\xff\xfe garbage")).await;
    assert_eq!(found, "");
    assert_eq!(stage.metric(&of_mapping("replies_ignored_total")), 0.0);
}

// Answers that are meant to hurt: long, deep, binary. Each fails its batch and nothing else.
#[tokio::test(start_paused = true)]
async fn a_hostile_answer_fails_its_batch_and_nothing_else() {
    type Answer = fn() -> Bytes;
    let rows: [(&str, Answer); 7] = [
        ("seven megabytes", || vec![b' '; 7 << 20].into()),
        ("six megabytes of brackets", || {
            vec![b'['; (6 << 20) - 1].into()
        }),
        ("six megabytes of objects", || {
            "{\"a\":".repeat(1 << 20).into()
        }),
        ("no UTF-8", || {
            Bytes::from_static(b"{\"batchItemFailures\":[{\"itemIdentifier\":\"\xc3\x28\"}]}")
        }),
        ("a lone surrogate", || {
            Bytes::from_static(b"{\"batchItemFailures\":[{\"itemIdentifier\":\"\\ud800\"}]}")
        }),
        ("a NUL", || Bytes::from_static(b"\0")),
        ("two hundred thousand entries", || {
            let entries = vec!["{\"itemIdentifier\":\"x\"}"; 200_000].join(",");
            format!("{{\"batchItemFailures\":[{entries}]}}").into()
        }),
    ];
    for (name, answer) in rows {
        let (_, found) = came_back(&[PARTIAL], move |_| answer()).await;
        assert_eq!(found, "abc", "{name}");
    }
}

// spec: 3.1 rule 2: with X-Amz-Function-Error the payload is never looked at
#[tokio::test(start_paused = true)]
async fn a_function_error_fails_the_whole_batch_whatever_it_says() {
    let stage = Stage::new(2);
    stage
        .world
        .create_queue("q", &[("VisibilityTimeout", "20")])
        .unwrap();
    stage.function(FunctionConfig::default(), |call| {
        let ids = call.message_ids();
        if call.number == 1 {
            Reply {
                function_error: Some("Handled".to_owned()),
                ..Reply::batch_item_failures(&ids[..1])
            }
        } else {
            Reply::ok("")
        }
    });
    for body in ["a", "b"] {
        stage.world.send("q", body).unwrap();
    }
    let running = stage.start("q", &[PARTIAL]);
    stage.emptied("q", MINUTE).await;
    let account = running.stop().await;
    assert_eq!((account.deleted, account.left), (2, 2));
}
