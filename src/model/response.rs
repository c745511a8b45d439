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
mod tests;
