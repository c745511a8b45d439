//! Answers by table: queues, streams, states of windows; then large, deep and mutated ones.

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
    let Reply::Malformed { why } = read(r#"{"batchItemFailures":[{"itemIdentifier":"canary"}]}"#)
    else {
        panic!("taken for well-formed");
    };
    assert_eq!(
        why.to_string(),
        "an itemIdentifier names no message of the batch"
    );
}
