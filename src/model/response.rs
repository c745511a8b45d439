//! What a function's answer says of each record, where the mapping reports item failures, and of its window's state.
//! An answer that cannot be trusted in full is trusted in nothing: its whole batch failed. // spec: 3.1, 3.2, 3.3

use std::collections::BTreeSet;

use super::json::{self, Level};

const FAILURES: &str = "batchItemFailures";
const IDENTIFIER: &str = "itemIdentifier";
const STATE: &str = "state";

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

/// An answer to a batch of a stream, read. // spec: 3.1, 3.3
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamReply {
    /// No failure is listed.
    AllHandled,
    /// Everything before the lowest record that is listed was handled; it and everything behind it comes again.
    Stopped {
        /// The lowest place that is listed, as the caller counts places.
        handled: usize,
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
    /// `batchItemFailures`, `itemIdentifier` or `state` twice in one object: parsers disagree on which one counts.
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
    /// No `state` beside a tumbling window, or null. // spec: 5.8
    #[error("the reply has no state")]
    NoState,
}

/// Reads the answer to a batch, given which ids are in the batch. The caller bounds the length of `body`; depth needs
/// no bound. An empty list as the whole answer is a success, as for streams; for queues AWS's behaviour is unknown.
pub fn items_failed(body: &[u8], in_batch: impl Fn(&str) -> bool) -> Reply {
    let read = || {
        let mut ids = BTreeSet::new();
        for entry in entries(body)? {
            let id = identifier(entry)?;
            if !in_batch(&id) {
                return Err(Malformed::UnknownIdentifier);
            }
            if !ids.insert(id) {
                return Err(Malformed::RepeatedIdentifier);
            }
        }
        Ok(ids)
    };
    match read() {
        Ok(ids) if ids.is_empty() => Reply::AllHandled,
        Ok(ids) => Reply::Failed { ids },
        Err(why) => Reply::Malformed { why },
    }
}

/// Reads the answer to a batch of a stream, given at which place an id (a sequence number, letter for letter) is in the
/// batch; `None` is not in it. Several entries for one place are refused, unless `shared` tells that records share
/// numbers: those of an aggregate that was taken apart do, and each of them may be listed. Bounds as for
/// [`items_failed`].
pub fn lowest_failed(
    body: &[u8],
    shared: bool,
    place: impl Fn(&str) -> Option<usize>,
) -> StreamReply {
    let read = || {
        let mut places = BTreeSet::new();
        for entry in entries(body)? {
            let place = place(&identifier(entry)?).ok_or(Malformed::UnknownIdentifier)?;
            if !places.insert(place) && !shared {
                return Err(Malformed::RepeatedIdentifier);
            }
        }
        Ok(places)
    };
    match read().map(|places| places.first().copied()) {
        Ok(None) => StreamReply::AllHandled,
        Ok(Some(handled)) => StreamReply::Stopped { handled },
        Err(why) => StreamReply::Malformed { why },
    }
}

/// The state that an answer returns for its tumbling window: any JSON text but null, byte for byte as the function
/// wrote it. Needed whether the mapping reports item failures or not; an answer without it is a failure, except that
/// to a final invocation, whose state is dropped. // spec: 3.1, 5.8
pub fn window_state(body: &[u8]) -> Result<&str, Malformed> {
    let members = object(body)?.ok_or(Malformed::NoState)?;
    match member(members, STATE)?.map(json::Raw::get) {
        None | Some("null") => Err(Malformed::NoState),
        Some(state) => Ok(state),
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

/// The answer's members; `None` where it is empty in a way that AWS takes for a success.
fn object(body: &[u8]) -> Result<Option<json::Members<'_>>, Malformed> {
    if body.is_empty() {
        return Ok(None);
    }
    let text = std::str::from_utf8(body).map_err(|_| Malformed::NotJson)?;
    match json::check(text).and_then(json::open) {
        Err(_) => Err(Malformed::NotJson),
        Ok(Level::Object(members)) => Ok(Some(members)),
        Ok(Level::Null) => Ok(None),
        Ok(Level::Text(text)) if text.is_empty() => Ok(None),
        Ok(Level::List(items)) if items.is_empty() => Ok(None),
        Ok(Level::Text(_) | Level::List(_) | Level::Bool(_) | Level::Number(_)) => {
            Err(Malformed::NotAnObject)
        }
    }
}

/// What `batchItemFailures` lists.
fn entries(body: &[u8]) -> Result<Vec<&json::Raw>, Malformed> {
    let Some(members) = object(body)? else {
        return Ok(Vec::new());
    };
    match level(member(members, FAILURES)?)? {
        None | Some(Level::Null) => Ok(Vec::new()),
        Some(Level::List(entries)) => Ok(entries),
        Some(Level::Bool(_) | Level::Number(_) | Level::Text(_) | Level::Object(_)) => {
            Err(Malformed::NotAList)
        }
    }
}

/// The record that an entry names; other keys of the entry do not matter.
fn identifier(entry: &json::Raw) -> Result<String, Malformed> {
    let members = match json::open(entry).map_err(|_| Malformed::NotJson)? {
        Level::Object(members) => members,
        Level::Null | Level::Bool(_) | Level::Number(_) | Level::Text(_) | Level::List(_) => {
            return Err(Malformed::EntryNotAnObject);
        }
    };
    match level(member(members, IDENTIFIER)?)? {
        None => Err(Malformed::EntryWithoutIdentifier),
        Some(Level::Null) => Err(Malformed::NullIdentifier),
        Some(Level::Text(id)) if id.is_empty() => Err(Malformed::EmptyIdentifier),
        Some(Level::Text(id)) => Ok(id.into_owned()),
        Some(Level::Bool(_) | Level::Number(_) | Level::List(_) | Level::Object(_)) => {
            Err(Malformed::IdentifierNotAString)
        }
    }
}

fn member<'a>(members: json::Members<'a>, key: &str) -> Result<Option<&'a json::Raw>, Malformed> {
    let mut values = members
        .into_iter()
        .filter(|(name, _)| name == key)
        .map(|(_, value)| value);
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Malformed::RepeatedKey),
        (value, None) => Ok(value),
    }
}

fn level(value: Option<&json::Raw>) -> Result<Option<Level<'_>>, Malformed> {
    value
        .map(json::open)
        .transpose()
        .map_err(|_| Malformed::NotJson)
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

    fn read_stream(body: impl AsRef<[u8]>) -> StreamReply {
        lowest_failed(body.as_ref(), false, |id| {
            ["100", "101", "102"].iter().position(|known| *known == id)
        })
    }

    // spec: 3.1, the column of Kinesis and DynamoDB, row by row
    #[test]
    fn an_answer_of_a_stream_is_read_as_aws_reads_it() {
        let stopped = |handled| StreamReply::Stopped { handled };
        let malformed = |why| StreamReply::Malformed { why };
        for (body, expected) in [
            ("", StreamReply::AllHandled), // spec: 14
            (r#""""#, StreamReply::AllHandled),
            ("[]", StreamReply::AllHandled),
            ("null", StreamReply::AllHandled),
            ("{}", StreamReply::AllHandled),
            (r#"{"batchItemFailures":[]}"#, StreamReply::AllHandled),
            (r#"{"batchItemFailures":null}"#, StreamReply::AllHandled),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"101"}]}"#,
                stopped(1),
            ),
            (
                r#"{"state":{},"batchItemFailures":[{"itemIdentifier":"101"}]}"#,
                stopped(1),
            ),
            // No progress: that is Delivery's to say.
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"100"}]}"#,
                stopped(0),
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
                malformed(Malformed::EmptyIdentifier),
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
                malformed(Malformed::NullIdentifier),
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"103"}]}"#,
                malformed(Malformed::UnknownIdentifier),
            ),
            (
                r#"{"batchItemFailures":[{"foo":123}]}"#,
                malformed(Malformed::EntryWithoutIdentifier),
            ),
            (
                r#"{"batchItemFailures":[{"foo":null}]}"#,
                malformed(Malformed::EntryWithoutIdentifier),
            ),
            (
                r#"{"batchItemFailures":[{}]}"#,
                malformed(Malformed::EntryWithoutIdentifier),
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":101}]}"#,
                malformed(Malformed::IdentifierNotAString),
            ),
            (
                r#"{"batchItemFailures":"101"}"#,
                malformed(Malformed::NotAList),
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"101"},{"itemIdentifier":"x"}]}"#,
                malformed(Malformed::UnknownIdentifier),
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"101"},{"itemIdentifier":""}]}"#,
                malformed(Malformed::EmptyIdentifier),
            ),
            ("OK", malformed(Malformed::NotJson)),
            (r#""OK""#, malformed(Malformed::NotAnObject)),
        ] {
            assert_eq!(read_stream(body), expected, "{body}");
        }
    }

    // spec: 3.3
    #[test]
    fn the_lowest_place_that_is_listed_decides_in_whatever_order_they_are_listed() {
        for (ids, handled) in [
            (["100", "102"], 0),
            (["102", "100"], 0),
            (["102", "101"], 1),
        ] {
            let body = format!(
                r#"{{"batchItemFailures":[{{"itemIdentifier":"{}"}},{{"itemIdentifier":"{}"}}]}}"#,
                ids[0], ids[1]
            );
            assert_eq!(read_stream(body), StreamReply::Stopped { handled });
        }
    }

    // reliability: I9
    #[test]
    fn a_place_may_be_listed_twice_only_where_records_share_their_number() {
        let body = r#"{"batchItemFailures":[{"itemIdentifier":"102"},{"itemIdentifier":"102"}]}"#;
        let place = |id: &str| (id == "102").then_some(2);
        for (shared, expected) in [
            (true, StreamReply::Stopped { handled: 2 }),
            (
                false,
                StreamReply::Malformed {
                    why: Malformed::RepeatedIdentifier,
                },
            ),
        ] {
            assert_eq!(lowest_failed(body.as_bytes(), shared, place), expected);
        }
    }

    // spec: 5.8, 3.1
    #[test]
    fn the_state_of_a_window_is_kept_as_it_was_written() {
        for (body, expected) in [
            (r#"{"state":{}}"#, Ok("{}")),
            (
                r#" { "x" : 1, "state" : { "b" : 1.50, "a":[ ],"a":"\u00e9\ud800" } , "batchItemFailures":[]} "#,
                Ok(r#"{ "b" : 1.50, "a":[ ],"a":"\u00e9\ud800" }"#),
            ),
            (r#"{"st\u0061te":{"n":1}}"#, Ok(r#"{"n":1}"#)),
            (r#"{"state":0}"#, Ok("0")),
            (r#"{"state":"null"}"#, Ok(r#""null""#)),
            (r#"{"state":null}"#, Err(Malformed::NoState)),
            (r#"{"State":{}}"#, Err(Malformed::NoState)),
            (r#"{"x":{"state":{}}}"#, Err(Malformed::NoState)),
            ("{}", Err(Malformed::NoState)),
            ("", Err(Malformed::NoState)),
            (r#""""#, Err(Malformed::NoState)),
            ("null", Err(Malformed::NoState)),
            ("[]", Err(Malformed::NoState)),
            (r#"[{"state":{}}]"#, Err(Malformed::NotAnObject)),
            ("1", Err(Malformed::NotAnObject)),
            (r#"{"state":{},"state":{}}"#, Err(Malformed::RepeatedKey)),
            (r#"{"state":{}"#, Err(Malformed::NotJson)),
            (r#"{"state":}"#, Err(Malformed::NotJson)),
        ] {
            assert_eq!(window_state(body.as_bytes()), expected, "{body}");
        }
        assert_eq!(
            window_state(b"{\"state\":\"\xff\"}"),
            Err(Malformed::NotJson)
        );
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
