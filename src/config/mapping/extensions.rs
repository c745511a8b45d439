//! `Extensions`: what AWS does not have.

use super::source::Family;
use crate::config::cursor::{At, Fields, one_of};
use crate::config::error::Report;
use crate::config::suggest::nearest;
use crate::config::tree::Value;

/// What a stream's mapping may ask for beyond AWS; all off, where nothing is said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    pub discard_only_failing: bool,
    pub on_failure_include_payload: bool,
    /// `None`: as AWS does it for this source.
    pub deaggregate_kpl: Option<bool>,
}

const DISCARD_ONLY_FAILING: &str = "DiscardOnlyFailing";
const ON_FAILURE_INCLUDE_PAYLOAD: &str = "OnFailureIncludePayload";
const DEAGGREGATE_KPL: &str = "DeaggregateKpl";

const KEYS: [&str; 3] = [
    DISCARD_ONLY_FAILING,
    ON_FAILURE_INCLUDE_PAYLOAD,
    DEAGGREGATE_KPL,
];

/// Those of a family; a queue has none so far.
fn own(family: Family) -> &'static [&'static str] {
    match family {
        Family::Queue { .. } => &[],
        Family::Kinesis => &KEYS,
        Family::DynamoDb => &KEYS[..2],
    }
}

/// `outside` are the keys beside `Extensions`, which may have slipped in.
pub(super) fn read(
    fields: &Fields<'_>,
    family: Family,
    outside: &[&str],
    report: &mut Report,
) -> Option<Extensions> {
    let mut extensions = Extensions::default();
    let Some(at) = fields.get("Extensions") else {
        return Some(extensions);
    };
    let mut sound = true;
    for (key, at) in at.entries(report)? {
        // Null is the same as not set; a misspelt key is worth a word even so.
        let unset = at.node.value == Value::Null;
        if !KEYS.contains(&key) {
            at.error(report, unknown(key, family, outside));
            sound = false;
        } else if !unset {
            match at.boolean(report) {
                Some(value) => set(&mut extensions, key, value, &at, family, report),
                None => sound = false,
            }
        }
    }
    sound.then_some(extensions)
}

fn set(
    extensions: &mut Extensions,
    key: &str,
    value: bool,
    at: &At<'_>,
    family: Family,
    report: &mut Report,
) {
    if !own(family).contains(&key) {
        let kind = match key {
            DEAGGREGATE_KPL => "Kinesis streams",
            _ => "streams",
        };
        if value {
            at.error(
                report,
                format!("for {kind} only, and this source is {family}; remove it"),
            );
        }
        return;
    }
    match key {
        DISCARD_ONLY_FAILING => extensions.discard_only_failing = value,
        ON_FAILURE_INCLUDE_PAYLOAD => extensions.on_failure_include_payload = value,
        _ => extensions.deaggregate_kpl = Some(value),
    }
}

fn unknown(key: &str, family: Family, outside: &[&str]) -> String {
    let own = own(family);
    if let Some(nearest) = nearest(key, own) {
        return format!("unknown key; did you mean {nearest}?");
    }
    if let Some(nearest) = nearest(key, outside) {
        return format!("unknown key; did you mean {nearest}, which stands outside of Extensions?");
    }
    match own {
        [] => "unknown key; an SQS mapping has no extensions in this version".to_owned(),
        own => format!("unknown key; expected {}", one_of(own)),
    }
}
