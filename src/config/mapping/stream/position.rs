//! `StartingPosition` and the `StartingPositionTimestamp` that one of its values needs.

use super::StartingPosition;
use crate::config::cursor::{At, Fields};
use crate::config::error::{Report, shortened};
use crate::config::mapping::source::Family;
use crate::config::timestamp::{self, FORMS};
use crate::config::tree::{Text, Value};

const TIMESTAMP: &str = "StartingPositionTimestamp";

/// That a timestamp is not in the future is asked when the mapping starts: nothing here knows the time.
pub(super) fn read(
    fields: &Fields<'_>,
    family: Family,
    report: &mut Report,
) -> Option<StartingPosition> {
    let given = fields.get(TIMESTAMP);
    let timestamp = given.as_ref().and_then(|at| moment(at, report));
    let Some(at) = fields.get("StartingPosition") else {
        let names = match family {
            Family::DynamoDb => "TRIM_HORIZON or LATEST",
            Family::Kinesis | Family::Queue { .. } => "TRIM_HORIZON, LATEST or AT_TIMESTAMP",
        };
        // spec: 1.6, AWS's own sentence
        let what = format!(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null. StartingPosition is missing: {names}"
        );
        fields.at.error(report, what);
        return None;
    };
    let position = match at.text(report)? {
        "TRIM_HORIZON" => StartingPosition::TrimHorizon,
        "LATEST" => StartingPosition::Latest,
        "AT_TIMESTAMP" => return at_timestamp(fields, family, &at, timestamp, report),
        other => {
            // spec: 1.6, AWS's own sentence
            let what = format!(
                "1 validation error detected: Value '{}' at 'startingPosition' failed to satisfy constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
                shortened(other)
            );
            at.error(report, what);
            return None;
        }
    };
    if let Some(given) = given {
        let what = format!(
            "for StartingPosition AT_TIMESTAMP only, and this mapping's is {}; remove it",
            position.name()
        );
        given.error(report, what);
    }
    Some(position)
}

fn at_timestamp(
    fields: &Fields<'_>,
    family: Family,
    at: &At<'_>,
    timestamp: Option<u64>,
    report: &mut Report,
) -> Option<StartingPosition> {
    if family == Family::DynamoDb {
        let arn = fields.get("EventSourceArn");
        let arn = arn.map_or_else(String::new, |at| match &at.node.value {
            Value::Text(text) => shortened(&text.text),
            other => other.describe(),
        });
        // spec: 1.6, AWS's own sentence
        let what = format!(
            "Unsupported starting position for arn type: {arn} (found AT_TIMESTAMP; expected TRIM_HORIZON or LATEST)"
        );
        at.error(report, what);
        return None;
    }
    if fields.get(TIMESTAMP).is_none() {
        at.error(
            report,
            format!("AT_TIMESTAMP needs {TIMESTAMP}, which is missing: {FORMS}"),
        );
    }
    Some(StartingPosition::AtTimestamp { ms: timestamp? })
}

fn moment(at: &At<'_>, report: &mut Report) -> Option<u64> {
    let ms = match &at.node.value {
        Value::Int(seconds) => timestamp::from_seconds(&seconds.to_string()),
        Value::Float(seconds) => timestamp::from_seconds(seconds),
        Value::Text(Text { text, expanded }) => timestamp::from_iso(text).or_else(|| {
            // The environment holds nothing but text.
            expanded.then(|| timestamp::from_seconds(text)).flatten()
        }),
        Value::Broken => return None,
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => None,
    };
    if ms.is_none() {
        let found = at.node.value.describe();
        at.error(report, format!("expected {FORMS}, found {found}"));
    }
    ms
}
