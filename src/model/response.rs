//! What a function's answer says of each message, where the mapping reports item failures. // spec: 3.1, 3.2
//! An answer that cannot be trusted in full is trusted in nothing: its whole batch failed.

use std::collections::BTreeSet;

use super::json::{self, Level};

const FAILURES: &str = "batchItemFailures";
const IDENTIFIER: &str = "itemIdentifier";

/// An answer, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// No failure is listed.
    AllHandled,
    /// These messages failed, at least one, each of them in the batch; the others were handled.
    Failed {
        /// Message ids.
        ids: BTreeSet<String>,
    },
    /// The whole batch failed, though the function did run without an error.
    Malformed {
        /// For the log; holds nothing of the answer.
        why: Malformed,
    },
}

/// Why an answer counts as the failure of its whole batch. // spec: 3.1
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not one JSON text in UTF-8.
    #[error("the reply is no JSON")]
    NotJson,
    /// A scalar other than null and the empty string, or a list that is not empty.
    #[error("the reply is no object")]
    NotAnObject,
    /// `batchItemFailures` or `itemIdentifier` twice in one object: parsers disagree on which one counts.
    #[error("the reply repeats a key")]
    RepeatedKey,
    /// `batchItemFailures` is neither a list nor null.
    #[error("batchItemFailures is no list")]
    NotAList,
    /// An entry is no object.
    #[error("an entry of batchItemFailures is no object")]
    EntryNotAnObject,
    /// An entry lacks `itemIdentifier`; AWS was seen to take `[{}]` of an SQS batch as success, against its own pages.
    #[error("an entry of batchItemFailures has no itemIdentifier")]
    EntryWithoutIdentifier,
    /// `itemIdentifier` is null.
    #[error("an itemIdentifier is null")]
    NullIdentifier,
    /// `itemIdentifier` is a number, a boolean, a list or an object.
    #[error("an itemIdentifier is no string")]
    IdentifierNotAString,
    /// `itemIdentifier` is `""`.
    #[error("an itemIdentifier is empty")]
    EmptyIdentifier,
    /// No message of the batch has this id.
    #[error("an itemIdentifier names no message of the batch")]
    UnknownIdentifier,
    /// Two entries for one message. // reliability: I9
    #[error("two entries of batchItemFailures name the same message")]
    RepeatedIdentifier,
}

/// Reads the answer to a batch, given which ids are in the batch. The caller bounds the length of `body`; depth needs
/// no bound. An empty list as the whole answer is a success, as for streams; for queues AWS's behaviour is unknown.
pub fn items_failed(body: &[u8], in_batch: impl Fn(&str) -> bool) -> Reply {
    match read(body, in_batch) {
        Ok(ids) if ids.is_empty() => Reply::AllHandled,
        Ok(ids) => Reply::Failed { ids },
        Err(why) => Reply::Malformed { why },
    }
}

/// Whether an answer lists failures that nobody reads, because the mapping lacks `ReportBatchItemFailures`: AWS, and
/// we, delete those messages, which is hardly what the function's author wants. // spec: pitfall 11.6
pub fn reports_failures_unasked(body: &[u8]) -> bool {
    // A plain search first: most answers do not contain the word, and need no parser.
    let Ok(text) = std::str::from_utf8(body) else {
        return false;
    };
    text.contains(FAILURES)
        && json::check(text).and_then(json::open).is_ok_and(|reply| match reply {
            Level::Object(members) => members
                .iter()
                .filter(|(key, _)| key == FAILURES)
                .any(|(_, value)| matches!(json::open(value), Ok(Level::List(items)) if !items.is_empty())),
            Level::Null | Level::Bool(_) | Level::Number(_) | Level::Text(_) | Level::List(_) => false,
        })
}

fn read(body: &[u8], in_batch: impl Fn(&str) -> bool) -> Result<BTreeSet<String>, Malformed> {
    let mut ids = BTreeSet::new();
    if body.is_empty() {
        return Ok(ids);
    }
    let text = std::str::from_utf8(body).map_err(|_| Malformed::NotJson)?;
    let reply = json::check(text)
        .and_then(json::open)
        .map_err(|_| Malformed::NotJson)?;
    let members = match reply {
        Level::Object(members) => members,
        Level::Null => return Ok(ids),
        Level::Text(text) if text.is_empty() => return Ok(ids),
        Level::List(items) if items.is_empty() => return Ok(ids),
        Level::Text(_) | Level::List(_) | Level::Bool(_) | Level::Number(_) => {
            return Err(Malformed::NotAnObject);
        }
    };
    let entries = match member(members, FAILURES)? {
        None | Some(Level::Null) => return Ok(ids),
        Some(Level::List(entries)) => entries,
        Some(Level::Bool(_) | Level::Number(_) | Level::Text(_) | Level::Object(_)) => {
            return Err(Malformed::NotAList);
        }
    };
    for entry in entries {
        let id = identifier(entry)?;
        if !in_batch(&id) {
            return Err(Malformed::UnknownIdentifier);
        }
        if !ids.insert(id) {
            return Err(Malformed::RepeatedIdentifier);
        }
    }
    Ok(ids)
}

/// The message that an entry names; other keys of the entry do not matter.
fn identifier(entry: &json::Raw) -> Result<String, Malformed> {
    let members = match json::open(entry).map_err(|_| Malformed::NotJson)? {
        Level::Object(members) => members,
        Level::Null | Level::Bool(_) | Level::Number(_) | Level::Text(_) | Level::List(_) => {
            return Err(Malformed::EntryNotAnObject);
        }
    };
    match member(members, IDENTIFIER)? {
        None => Err(Malformed::EntryWithoutIdentifier),
        Some(Level::Null) => Err(Malformed::NullIdentifier),
        Some(Level::Text(id)) if id.is_empty() => Err(Malformed::EmptyIdentifier),
        Some(Level::Text(id)) => Ok(id.into_owned()),
        Some(Level::Bool(_) | Level::Number(_) | Level::List(_) | Level::Object(_)) => {
            Err(Malformed::IdentifierNotAString)
        }
    }
}

fn member<'a>(members: json::Members<'a>, key: &str) -> Result<Option<Level<'a>>, Malformed> {
    let mut values = members
        .into_iter()
        .filter(|(name, _)| name == key)
        .map(|(_, value)| value);
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Malformed::RepeatedKey),
        (None, None) => Ok(None),
        (Some(value), None) => json::open(value).map(Some).map_err(|_| Malformed::NotJson),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: impl AsRef<[u8]>) -> Reply {
        items_failed(body.as_ref(), |id| ["a", "b", "c"].contains(&id))
    }

    fn failed(ids: &[&str]) -> Reply {
        Reply::Failed {
            ids: ids.iter().map(|id| id.to_string()).collect(),
        }
    }

    // spec: 3.1, the column of SQS
    #[test]
    fn an_answer_that_lists_no_failure_handled_everything() {
        for body in [
            "",
            r#""""#,
            "null",
            "{}",
            "[]",
            " { } \n",
            r#"{"batchItemFailures":[]}"#,
            r#"{"batchItemFailures":null}"#,
            r#"{"statusCode":200,"body":"ok"}"#,
            r#"{"BatchItemFailures":[{"itemIdentifier":"a"}]}"#,
        ] {
            assert_eq!(read(body), Reply::AllHandled, "{body}");
        }
    }

    // spec: 3.1 valid ids, partial
    #[test]
    fn listed_messages_failed_and_no_others() {
        for (body, ids) in [
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#,
                &["b"] as &[_],
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"c"},{"itemIdentifier":"a"}]}"#,
                &["a", "c"],
            ),
            (
                r#"{"x":[1],"batchItemFailures":[{"y":{},"itemIdentifier":"\u0061","z":null}],"x":2}"#,
                &["a"],
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"b"},{"itemIdentifier":"c"}]}"#,
                &["a", "b", "c"],
            ),
        ] {
            assert_eq!(read(body), failed(ids), "{body}");
        }
    }

    // spec: 3.1 complete failure; reliability: I9
    #[test]
    fn anything_doubtful_fails_the_whole_batch() {
        for (body, why) in [
            (
                r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
                Malformed::EmptyIdentifier,
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
                Malformed::NullIdentifier,
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"z"}]}"#,
                Malformed::UnknownIdentifier,
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"A"}]}"#,
                Malformed::UnknownIdentifier,
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":" a"}]}"#,
                Malformed::UnknownIdentifier,
            ),
            (
                r#"{"batchItemFailures":[{"foo":123}]}"#,
                Malformed::EntryWithoutIdentifier,
            ),
            (
                r#"{"batchItemFailures":[{"foo":null}]}"#,
                Malformed::EntryWithoutIdentifier,
            ),
            (
                r#"{"batchItemFailures":[{"foo":"notvalid"}]}"#,
                Malformed::EntryWithoutIdentifier,
            ),
            (
                r#"{"batchItemFailures":[{"ItemIdentifier":"a"}]}"#,
                Malformed::EntryWithoutIdentifier,
            ),
            (
                r#"{"batchItemFailures":[{}]}"#,
                Malformed::EntryWithoutIdentifier,
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":1}]}"#,
                Malformed::IdentifierNotAString,
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":["a"]}]}"#,
                Malformed::IdentifierNotAString,
            ),
            (
                r#"{"batchItemFailures":["a"]}"#,
                Malformed::EntryNotAnObject,
            ),
            (
                r#"{"batchItemFailures":[null]}"#,
                Malformed::EntryNotAnObject,
            ),
            (
                r#"{"batchItemFailures":[["a"]]}"#,
                Malformed::EntryNotAnObject,
            ),
            (r#"{"batchItemFailures":"a"}"#, Malformed::NotAList),
            (r#"{"batchItemFailures":""}"#, Malformed::NotAList),
            (
                r#"{"batchItemFailures":{"itemIdentifier":"a"}}"#,
                Malformed::NotAList,
            ),
            (r#"{"batchItemFailures":false}"#, Malformed::NotAList),
            // A mixture of valid and invalid ids, in either order.
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"z"}]}"#,
                Malformed::UnknownIdentifier,
            ),
            (
                r#"{"batchItemFailures":[{},{"itemIdentifier":"a"}]}"#,
                Malformed::EntryWithoutIdentifier,
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"a"}]}"#,
                Malformed::RepeatedIdentifier,
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"a","itemIdentifier":"b"}]}"#,
                Malformed::RepeatedKey,
            ),
            (
                r#"{"batchItemFailures":[],"batchItemFailures":[{"itemIdentifier":"a"}]}"#,
                Malformed::RepeatedKey,
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"a"}],"batchItemFailures":[]}"#,
                Malformed::RepeatedKey,
            ),
            (
                r#"{"batchItemFailures":null,"\u0062atchItemFailures":null}"#,
                Malformed::RepeatedKey,
            ),
            (r#"[{"itemIdentifier":"a"}]"#, Malformed::NotAnObject),
            (r#""ok""#, Malformed::NotAnObject),
            (r#""{}""#, Malformed::NotAnObject),
            ("true", Malformed::NotAnObject),
            ("0", Malformed::NotAnObject),
            ("OK", Malformed::NotJson),
            (" ", Malformed::NotJson),
            ("{", Malformed::NotJson),
            ("{} {}", Malformed::NotJson),
            ("null,", Malformed::NotJson),
            ("\u{feff}{}", Malformed::NotJson),
            (r#"{"batchItemFailures":[]"#, Malformed::NotJson),
            (r#"{"batchItemFailures":[],}"#, Malformed::NotJson),
            (r#"{"batchItemFailures":[]}garbage"#, Malformed::NotJson),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"a\ud800"}]}"#,
                Malformed::UnknownIdentifier,
            ),
        ] {
            assert_eq!(read(body), Reply::Malformed { why }, "{body}");
        }
        for body in [
            b"\xff".as_slice(),
            b"{\"x\":\"\xff\"}",
            b"{\"batchItemFailures\":[{\"itemIdentifier\":\"a\xc3\"}]}",
        ] {
            assert_eq!(
                read(body),
                Reply::Malformed {
                    why: Malformed::NotJson
                }
            );
        }
    }

    #[test]
    fn a_large_or_deep_answer_is_read_in_one_go() {
        let entries = |count: usize| {
            (0..count)
                .map(|i| format!(r#"{{"itemIdentifier":"{i}"}}"#))
                .collect::<Vec<_>>()
                .join(",")
        };
        let large = format!(r#"{{"batchItemFailures":[{}]}}"#, entries(100_000));
        let Reply::Failed { ids } = items_failed(large.as_bytes(), |id| id.len() < 6) else {
            panic!("not read")
        };
        assert_eq!(ids.len(), 100_000);
        assert_eq!(
            read(&large),
            Reply::Malformed {
                why: Malformed::UnknownIdentifier
            }
        );

        let deep =
            |open: &str, close: &str| format!("{}{}", open.repeat(200_000), close.repeat(200_000));
        for (body, expected) in [
            (deep("[", "]"), Malformed::NotAnObject),
            (deep("[", ""), Malformed::NotJson),
            (
                format!(r#"{{"batchItemFailures":{}}}"#, deep("[", "]")),
                Malformed::EntryNotAnObject,
            ),
            (
                format!(
                    r#"{{"batchItemFailures":[{{"itemIdentifier":{}1{}}}]}}"#,
                    r#"{"a":"#.repeat(90_000),
                    "}".repeat(90_000)
                ),
                Malformed::IdentifierNotAString,
            ),
        ] {
            assert_eq!(read(&body), Reply::Malformed { why: expected });
        }
        assert_eq!(
            read(format!(r#"{{"note":{}}}"#, deep("[", "]"))),
            Reply::AllHandled
        );
    }

    #[test]
    fn mutated_answers_never_panic_and_never_name_a_stranger() {
        let seed = br#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"b"}],"x":[null,1e5,"\u00e9"]}"#;
        let mut random = fastrand::Rng::with_seed(11);
        let mut malformed = 0;
        for _ in 0..20_000 {
            let mut body = seed.to_vec();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(0..body.len());
                match random.u8(0..3) {
                    0 => body[at] = random.u8(..),
                    1 => body.truncate(at.max(1)),
                    _ => body.insert(at, b"{}[]\",:\\\xff"[random.usize(0..9)]),
                }
            }
            match read(&body) {
                Reply::Failed { ids } => {
                    assert!(ids.iter().all(|id| ["a", "b", "c"].contains(&id.as_str())))
                }
                Reply::Malformed { .. } => malformed += 1,
                Reply::AllHandled => {
                    assert!(!String::from_utf8_lossy(&body).contains(r#""batchItemFailures":[{"#))
                }
            }
        }
        assert!(10_000 < malformed, "{malformed}");
    }

    // spec: pitfall 11.6
    #[test]
    fn failures_that_nobody_asked_for_are_noticed() {
        for (body, expected) in [
            (r#"{"batchItemFailures":[{"itemIdentifier":"a"}]}"#, true),
            (r#"{"batchItemFailures":[{}]}"#, true),
            (r#"{"batchItemFailures":[]}"#, false),
            (r#"{"batchItemFailures":null}"#, false),
            (r#"{"x":{"batchItemFailures":[1]}}"#, false),
            (r#""batchItemFailures""#, false),
            (r#"{"batchItemFailures":[1]"#, false),
            ("{}", false),
            ("", false),
        ] {
            assert_eq!(
                reports_failures_unasked(body.as_bytes()),
                expected,
                "{body}"
            );
        }
        assert!(!reports_failures_unasked(b"\xff"));
    }

    #[test]
    fn a_log_line_says_why_in_constant_words() {
        let Reply::Malformed { why } =
            read(r#"{"batchItemFailures":[{"itemIdentifier":"canary"}]}"#)
        else {
            panic!("taken for well-formed");
        };
        assert_eq!(
            why.to_string(),
            "an itemIdentifier names no message of the batch"
        );
    }
}
