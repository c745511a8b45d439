//! What a function answers, whatever it is: a failure that it lists is never taken for a success, nor a message for one it did not
//! name. Held against another reading of the same JSON.
#![no_main]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use sluicegate_fuzz::model::response::{
    Malformed, Reply, StreamReply, items_failed, lowest_failed, reports_failures_unasked,
    window_state,
};

/// The batch: what else is named is not in it.
const BATCH: [&str; 6] = ["a", "b", "c", "49", "491", "é\u{1}"];
const FAILURES: &str = "batchItemFailures";

type Members<'a> = BTreeMap<String, &'a RawValue>;

fuzz_target!(|input: &[u8]| {
    // As the whole answer, and where parts of it stand: what is wrong with those is found sooner.
    judge(input);
    for (before, behind) in [
        (r#"{"batchItemFailures":"#, "}"),
        (r#"{"batchItemFailures":[{"itemIdentifier":"a"},"#, "]}"),
        (r#"{"batchItemFailures":[{"itemIdentifier":"#, "}]}"),
        (r#"{"state":"#, "}"),
    ] {
        judge(&[before.as_bytes(), input, behind.as_bytes()].concat());
    }
});

fn judge(body: &[u8]) {
    let place = |id: &str| BATCH.iter().position(|known| *known == id);
    let reply = items_failed(body, |id| place(id).is_some());
    let stream = lowest_failed(body, false, place);
    let shared = lowest_failed(body, true, place);
    let text = paired(body);
    let plain: Option<&RawValue> = match &*text {
        "" => serde_json::from_str("null").ok(),
        text => serde_json::from_str(text).ok(),
    };
    match (&reply, plain) {
        (Reply::AllHandled, plain) => {
            assert!(plain.is_some_and(lists_nothing), "a success that is none");
            assert_eq!(stream, StreamReply::AllHandled);
        }
        (Reply::Failed { ids }, Some(plain)) => {
            let listed = listed(plain).expect("a list of failures");
            let once: BTreeSet<&String> = listed.iter().collect();
            assert!(!ids.is_empty() && ids.iter().eq(once.iter().copied()));
            assert_eq!(listed.len(), once.len(), "one is listed twice");
            let lowest = ids.iter().filter_map(|id| place(id)).min();
            let handled = lowest.expect("each is in the batch");
            assert_eq!(stream, StreamReply::Stopped { handled });
        }
        (Reply::Failed { .. }, None) => panic!("no JSON, and yet it lists something"),
        (Reply::Malformed { why }, _) => {
            assert_eq!(stream, StreamReply::Malformed { why: *why });
        }
    }
    // Records that share a number may each be listed; nothing else changes.
    match stream {
        StreamReply::Malformed {
            why: Malformed::RepeatedIdentifier,
        } => assert_ne!(shared, StreamReply::AllHandled),
        other => assert_eq!(shared, other),
    }
    if let Ok(state) = window_state(body) {
        let body = str::from_utf8(body).expect("it was read as text");
        assert!(
            body.contains(state),
            "the state is as the function wrote it"
        );
        assert_ne!(state, "null");
        let members = plain.and_then(members).expect("an object");
        assert_eq!(members["state"].get(), paired(state.as_bytes()));
    }
    if reports_failures_unasked(body) {
        assert_ne!(reply, Reply::AllHandled);
    }
}

/// Without escapes of surrogates, which are no text for serde and U+FFFD for us where they have no pair: no id has one.
fn paired(body: &[u8]) -> Cow<'_, str> {
    let Ok(text) = str::from_utf8(body) else {
        return Cow::Borrowed("?");
    };
    if !text.contains(r"\ud") && !text.contains(r"\uD") {
        return Cow::Borrowed(text);
    }
    let mut bytes = text.as_bytes().to_vec();
    for at in 0..bytes.len().saturating_sub(5) {
        if let [b'\\', b'u', digits @ ..] = &mut bytes[at..at + 6]
            && digits.iter().all(u8::is_ascii_hexdigit)
            && digits[0].eq_ignore_ascii_case(&b'd')
        {
            digits.copy_from_slice(b"fffd");
        }
    }
    Cow::Owned(String::from_utf8(bytes).expect("ASCII was put in place of ASCII"))
}

fn members(object: &RawValue) -> Option<Members<'_>> {
    serde_json::from_str(object.get()).ok()
}

/// A success, read by someone else.
fn lists_nothing(reply: &RawValue) -> bool {
    let empty = |list: &RawValue| {
        serde_json::from_str::<Vec<&RawValue>>(list.get()).is_ok_and(|items| items.is_empty())
    };
    if let Some(members) = members(reply) {
        let failures = members.get(FAILURES);
        return failures.is_none_or(|failures| failures.get() == "null" || empty(failures));
    }
    ["null", "\"\""].contains(&reply.get()) || empty(reply)
}

/// The ids that it lists, read by someone else.
fn listed(reply: &RawValue) -> Option<Vec<String>> {
    let failures = *members(reply)?.get(FAILURES)?;
    let entries: Vec<Members<'_>> = serde_json::from_str(failures.get()).ok()?;
    let ids = entries
        .iter()
        .map(|entry| serde_json::from_str(entry.get("itemIdentifier")?.get()).ok());
    ids.collect()
}
