//! Which room of `src/` may know which: the direction of imports, the purity of the model, the edge of the SDK.

use crate::tidy::text::{code, is_test_file, without_tests};

/// Each room with the rooms below it that it may name. What is not listed here is refused: a new room gets its place
/// in this table together with its place in the architecture page.
const ROOMS: &[(&str, &[&str])] = &[
    ("main", &["cli", "logging"]),
    ("lib", &[]),
    (
        "cli",
        &[
            "service",
            "admin",
            "sim",
            "queue",
            "stream",
            "reports",
            "checkpoint",
            "function",
            "aws",
            "status",
            "metrics",
            "control",
            "import",
            "config",
            "logging",
            "clock",
            "model",
        ],
    ),
    (
        "service",
        &[
            "queue",
            "stream",
            "reports",
            "checkpoint",
            "admin",
            "function",
            "aws",
            "status",
            "metrics",
            "control",
            "config",
            "clock",
            "model",
        ],
    ),
    (
        "admin",
        &[
            "aws", "status", "metrics", "control", "config", "clock", "model",
        ],
    ),
    (
        "queue",
        &[
            "reports", "function", "aws", "status", "metrics", "config", "clock", "model",
        ],
    ),
    (
        "stream",
        &[
            "reports",
            "destination",
            "checkpoint",
            "function",
            "aws",
            "metrics",
            "config",
            "clock",
            "model",
        ],
    ),
    ("reports", &["aws", "status", "metrics", "model"]),
    ("function", &["aws", "metrics", "config", "clock", "model"]),
    ("destination", &["aws", "config", "clock", "model"]),
    ("aws", &["metrics", "config", "clock", "model"]),
    ("checkpoint", &["config", "model"]),
    // A mapping's state is a label of a metric, and every label's values are written out by one macro.
    ("status", &["metrics"]),
    ("metrics", &["status", "config", "clock", "model"]),
    ("control", &["status", "config", "model"]),
    ("import", &["config"]),
    ("config", &["model"]),
    ("sim", &["clock", "model"]),
    ("logging", &[]),
    ("clock", &[]),
    ("logging", &[]),
    ("model", &[]),
];

/// Tests may start the embedded AWS, whatever room they test.
const FOR_TESTS: &str = "sim";

const NOT_IN_THE_MODEL: &[&str] = &[
    "async ",
    ".await",
    "tokio",
    "aws_",
    "tracing",
    "fastrand",
    "SystemTime",
    "Instant::now",
    "std::thread",
    "TcpStream",
    "UdpSocket",
    "ToSocketAddrs",
    "std::fs",
    "std::env",
    "println!",
];

const SDK: &[&str] = &[
    "aws_sdk_",
    "aws_config",
    "aws_types",
    "aws_smithy_",
    "aws_credential_types",
];
/// The clock is one that the SDK can be given.
const EDGE: &[&str] = &[
    "aws",
    "function",
    "destination",
    "checkpoint",
    "sim",
    "clock",
];

/// `src/queue/settle.rs` and `src/queue.rs` are both in the room `queue`.
fn room(path: &str) -> &str {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    inside
        .split('/')
        .next()
        .unwrap_or(inside)
        .trim_end_matches(".rs")
}

/// An import, or a path in the code, that names a room which is not below its own.
pub fn imports(path: &str, text: &str) -> Vec<String> {
    let own = room(path);
    let Some((_, below)) = ROOMS.iter().find(|(name, _)| *name == own) else {
        return vec![format!(
            "{path}: {own} has no place in the table of rooms (tests/it/tidy/rooms.rs)"
        )];
    };
    let tested = without_tests(text).lines().count();
    let root = if own == "main" {
        "sluicegate::"
    } else {
        "crate::"
    };
    named_rooms(text, root)
        .into_iter()
        .filter(|(line, named)| {
            let for_tests = is_test_file(path) || *line > tested;
            named != own && !below.contains(&named.as_str()) && !(for_tests && named == FOR_TESTS)
        })
        .map(|(line, named)| format!("{path}:{line}: {own} must not know {named}"))
        .collect()
}

/// The first segments after `root`, also of a group (`crate::{model::record, config}`), with their lines.
fn named_rooms(text: &str, root: &str) -> Vec<(usize, String)> {
    let lines: Vec<_> = code(text).collect();
    let mut named = Vec::new();
    for (index, (number, line)) in lines.iter().enumerate() {
        for (at, _) in line.match_indices(root) {
            let qualified =
                line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            if qualified {
                continue;
            }
            let rest = &line[at + root.len()..];
            match rest.strip_prefix('{') {
                None => named.push((*number, identifier(rest))),
                Some(group) => {
                    let following: String = lines[index + 1..]
                        .iter()
                        .flat_map(|(_, line)| [*line, " "])
                        .collect();
                    named.extend(
                        group_members(&format!("{group} {following}"))
                            .into_iter()
                            .map(|name| (*number, name)),
                    );
                }
            }
        }
    }
    // A type or function of the crate's root is no room.
    named.retain(|(_, name)| name.starts_with(|c: char| c.is_ascii_lowercase()));
    named
}

fn identifier(text: &str) -> String {
    text.trim_start()
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

fn group_members(text: &str) -> Vec<String> {
    let mut depth = 0;
    let mut members = vec![identifier(text)];
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => members.push(identifier(&text[at + 1..])),
            _ => {}
        }
    }
    members.retain(|name| !name.is_empty());
    members
}

/// The demo's producer uses AWS as any other program does, with nothing of the engine in between.
const PRODUCER: &str = "src/cli/demo/";

/// Anything in the model that waits, logs, draws a number, reads a clock or knows AWS's SDK.
pub fn pure_model(path: &str, text: &str) -> Vec<String> {
    if room(path) != "model" || is_test_file(path) {
        return Vec::new();
    }
    found(
        path,
        without_tests(text),
        NOT_IN_THE_MODEL,
        "has no place in the model",
    )
}

/// A type of the SDK outside the rooms that speak to AWS.
pub fn sdk_at_the_edge(path: &str, text: &str) -> Vec<String> {
    if EDGE.contains(&room(path)) || path.starts_with(PRODUCER) || is_test_file(path) {
        return Vec::new();
    }
    found(
        path,
        without_tests(text),
        SDK,
        "is the SDK's, which ends in src/aws and src/function",
    )
}

fn found(path: &str, text: &str, words: &[&str], why: &str) -> Vec<String> {
    code(text)
        .flat_map(|(number, line)| {
            words
                .iter()
                .filter(move |word| line.contains(**word))
                .map(move |word| {
                    let word = word.trim();
                    format!("{path}:{number}: `{word}` {why}")
                })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{imports, pure_model, sdk_at_the_edge};

    #[test]
    fn an_import_upwards_is_caught_in_every_form() {
        let cases = [
            ("src/model/window.rs", "use crate::queue::Queue;", 1),
            (
                "src/model/window.rs",
                "use crate::model::record::Message;",
                0,
            ),
            (
                "src/config.rs",
                "use crate::{model::record, service::Service};",
                1,
            ),
            (
                "src/config.rs",
                "use crate::{\n    model::{record, event},\n    aws,\n    sim,\n};",
                2,
            ),
            (
                "src/function/http.rs",
                "fn f() { crate::service::run() }",
                1,
            ),
            (
                "src/function/http.rs",
                "pub(crate) fn f() { crate::aws::call() }",
                0,
            ),
            (
                "src/queue.rs",
                "/// See [`crate::service`].\n// use crate::service;",
                0,
            ),
            ("src/queue.rs", "use crate::sim::Sim;\n", 1),
            (
                "src/queue.rs",
                "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::sim::Sim;\n}\n",
                0,
            ),
            ("src/queue/tests.rs", "use crate::sim::Sim;\n", 0),
            ("src/queue/tests.rs", "use crate::service::Service;\n", 1),
            ("src/cli/demo.rs", "use crate::sim::Sim;\n", 0),
            ("src/main.rs", "use sluicegate::queue;", 1),
            ("src/main.rs", "use sluicegate::cli;", 0),
            ("src/attic.rs", "", 1),
        ];
        for (path, text, offences) in cases {
            assert_eq!(imports(path, text).len(), offences, "{path}: {text}");
        }
        assert_eq!(
            imports("src/model/window.rs", "//! Job.\nuse crate::queue::Queue;"),
            ["src/model/window.rs:2: model must not know queue"]
        );
    }

    #[test]
    fn an_effect_in_the_model_is_caught() {
        for effect in [
            "async fn f() {}",
            "tokio::time::sleep(x)",
            "use tracing::warn;",
            "Instant::now()",
            "fastrand::f64()",
        ] {
            assert_eq!(
                pure_model("src/model/window.rs", effect).len(),
                1,
                "{effect}"
            );
            assert_eq!(pure_model("src/queue.rs", effect), [""; 0], "{effect}");
        }
        assert_eq!(
            pure_model(
                "src/model/window.rs",
                "//! Never async, never tokio.\nfn due(now: Duration) {}"
            ),
            [""; 0]
        );
    }

    #[test]
    fn the_sdk_away_from_the_edge_is_caught() {
        let line = "use aws_sdk_sqs::types::Message;";
        for (path, offences) in [
            ("src/queue.rs", 1),
            ("src/model.rs", 1),
            ("src/cli/run.rs", 1),
            ("src/cli/demo/traffic.rs", 0),
            ("src/aws/sqs.rs", 0),
            ("src/function/lambda.rs", 0),
        ] {
            assert_eq!(sdk_at_the_edge(path, line).len(), offences, "{path}");
        }
    }
}
