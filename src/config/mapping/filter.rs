//! `FilterCriteria`: the patterns of which a record must match one.

use crate::config::cursor::{At, Fields};
use crate::config::error::Report;
use crate::config::tree::Value;
use crate::model::filter::{
    FilterError, Filters, PATTERN_CHARS_MAX, REFUSED_BY_AWS, Source, Warning,
};

/// AWS's quota of 5, raised as far as AWS raises it. // spec: 1.2
const FILTERS_MAX: usize = 10;

/// The patterns as given. No `FilterCriteria`, `{}` and `Filters: []` are the same: every record passes.
pub(super) fn read(
    fields: &Fields<'_>,
    source: Source,
    report: &mut Report,
) -> Option<Vec<String>> {
    let Some(at) = fields.get("FilterCriteria") else {
        refuse_hidden(fields, report);
        return Some(Vec::new());
    };
    let Some(filters) = at.fields(&["Filters"], report)?.get("Filters") else {
        return Some(Vec::new());
    };
    let items = filters.list(report)?;
    if items.len() > FILTERS_MAX {
        let count = items.len();
        filters.error(
            report,
            format!("{count} filters; at most {FILTERS_MAX} are allowed"),
        );
    }
    let patterns: Vec<_> = items
        .iter()
        .map(|item| pattern(item, source, report))
        .collect();
    patterns.into_iter().collect()
}

/// Where AWS hides an encrypted filter, a mapping without it would feed the function what the filter was to keep away.
fn refuse_hidden(fields: &Fields<'_>, report: &mut Report) {
    let hidden = fields
        .get("FilterCriteriaError")
        .filter(|at| !at.node.value.hollow());
    if let Some(at) = hidden {
        at.error(
            report,
            "AWS could not show this mapping's filter; write it as FilterCriteria and remove this key",
        );
    }
}

fn pattern(item: &At<'_>, source: Source, report: &mut Report) -> Option<String> {
    let Some(at) = item.fields(&["Pattern"], report)?.get("Pattern") else {
        let example = match source {
            Source::Sqs => r#"{"body":{"kind":["order"]}}"#,
            Source::Kinesis => r#"{"data":{"kind":["order"]}}"#,
            Source::DynamoDb => r#"{"dynamodb":{"NewImage":{"kind":{"S":["order"]}}}}"#,
        };
        item.error(
            report,
            format!("Pattern is missing: the filter as JSON text, such as '{example}'"),
        );
        return None;
    };
    if matches!(at.node.value, Value::Map(_) | Value::List(_)) {
        let found = at.node.value.describe();
        at.error(
            report,
            format!("expected JSON text, found {found}; put the pattern in single quotes"),
        );
        return None;
    }
    let text = at.text(report)?;
    let length = text.chars().count();
    if length > PATTERN_CHARS_MAX {
        at.error(
            report,
            format!("{length} characters; a pattern has at most {PATTERN_CHARS_MAX}"),
        );
        return None;
    }
    match Filters::parse(&[text], source) {
        Ok(filters) => {
            for Warning { key, trap, .. } in filters.warnings() {
                at.warn(report, format!("key {key}: {trap}"));
            }
            Some(text.to_owned())
        }
        Err(FilterError { key, reason, .. }) => {
            let what = match key.as_str() {
                "" => format!("{REFUSED_BY_AWS} {reason}"),
                key => format!("{REFUSED_BY_AWS} Key {key}: {reason}"),
            };
            at.error(report, what);
            None
        }
    }
}
