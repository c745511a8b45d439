//! A record as patterns see it: only the keys that some pattern names, everything else is never built.
//! Whatever the source, a record becomes [`Fields`]; a file of each source makes them (`message.rs`, `kinesis.rs`, ...).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;

use crate::model::json::{self, Level, Raw};

/// Arrays within arrays are one list to a pattern (spec: 7.4, any element); elements deeper than this are not seen.
/// Each level is scanned again when it is opened, so this also bounds the work on a hostile body.
const LISTS_MAX: usize = 16;

/// The keys that patterns look for, dotted keys taken apart: `{"a.b": ..}` and `{"a": {"b": ..}}` are one path.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    children: BTreeMap<String, Wanted>,
}

impl Wanted {
    pub(super) fn child_mut(&mut self, name: &str) -> &mut Wanted {
        self.children.entry(name.to_owned()).or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.children.is_empty()
    }
}

/// A value of a record.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
    /// A payload that is no JSON: a text which no object pattern matches, not even by `exists: false`. // spec: 7.3
    Plain(&'a str),
    /// No element is itself a list.
    List(Vec<Value<'a>>),
    Object(Fields<'a>),
}

/// An object, its keys taken apart at their dots.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fields<'a>(BTreeMap<&'a str, Value<'a>>);

impl<'a> Value<'a> {
    pub(super) fn text(text: &'a str) -> Self {
        Value::Text(text.into())
    }
}

impl<'a> Fields<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0.get(name)
    }

    /// Adds a record's member, if any pattern names its key; only then the value is made.
    pub(super) fn put<E>(
        &mut self,
        wanted: &'a Wanted,
        key: &str,
        value: impl FnOnce(&'a Wanted) -> Result<Value<'a>, E>,
    ) -> Result<(), E> {
        let mut path = Vec::new();
        let mut at = wanted;
        for part in key.split('.') {
            let Some((name, child)) = at.children.get_key_value(part) else {
                return Ok(());
            };
            path.push(name.as_str());
            at = child;
        }
        let nest = |inner, name: &&'a str| Value::Object(Fields(BTreeMap::from([(*name, inner)])));
        let (name, below) = path.split_first().expect("split yields at least one part");
        let value = below.iter().rev().fold(value(at)?, nest);
        self.merge(name, value);
        Ok(())
    }

    /// As [`Fields::put`], of a value that is made without fail.
    pub(super) fn set(
        &mut self,
        wanted: &'a Wanted,
        key: &str,
        value: impl FnOnce(&'a Wanted) -> Value<'a>,
    ) {
        let Ok(()) = self.put(wanted, key, |wanted| Ok::<_, Infallible>(value(wanted)));
    }

    /// Values that share a path, by a repeated key or by `{"a": 1, "a.b": 2}`, stand side by side; objects unite.
    fn merge(&mut self, name: &'a str, value: Value<'a>) {
        let Some(present) = self.0.get_mut(name) else {
            self.0.insert(name, value);
            return;
        };
        match (present, value) {
            (Value::Object(fields), Value::Object(more)) => {
                more.0
                    .into_iter()
                    .for_each(|(name, value)| fields.merge(name, value));
            }
            (Value::List(items), Value::List(more)) => items.extend(more),
            (Value::List(items), single) => items.push(single),
            (present, Value::List(mut items)) => {
                items.push(std::mem::replace(present, Value::Null));
                *present = Value::List(items);
            }
            (present, single) => {
                let first = std::mem::replace(present, Value::Null);
                *present = Value::List(vec![first, single]);
            }
        }
    }
}

/// Reads what patterns want to know of a JSON value.
pub(super) fn project<'a>(
    raw: &'a Raw,
    wanted: &'a Wanted,
) -> Result<Value<'a>, serde_json::Error> {
    within(raw, wanted, LISTS_MAX)
}

/// Recursion is bounded by the depth of the patterns plus `lists`, not by the text.
fn within<'a>(
    raw: &'a Raw,
    wanted: &'a Wanted,
    lists: usize,
) -> Result<Value<'a>, serde_json::Error> {
    let unasked = wanted.is_empty() && raw.get().starts_with('{');
    if unasked {
        return Ok(Value::Object(Fields::default()));
    }
    Ok(match json::open(raw)? {
        Level::Null => Value::Null,
        Level::Bool(value) => Value::Bool(value),
        Level::Number(text) => Value::Number(text.into()),
        Level::Text(text) => Value::Text(text),
        Level::List(items) => {
            let mut flat = Vec::with_capacity(items.len());
            for item in items {
                match lists.checked_sub(1) {
                    None => break,
                    Some(lists) => match within(item, wanted, lists)? {
                        Value::List(inner) => flat.extend(inner),
                        single => flat.push(single),
                    },
                }
            }
            Value::List(flat)
        }
        Level::Object(members) => {
            let mut fields = Fields::default();
            for (key, value) in members {
                fields.put(wanted, &key, |wanted| within(value, wanted, lists))?;
            }
            Value::Object(fields)
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Projects `text` by dotted paths, and writes the outcome as JSON-like text.
    fn seen(text: &str, paths: &[&str]) -> String {
        let mut wanted = Wanted::default();
        for path in paths {
            path.split('.')
                .fold(&mut wanted, |at, name| at.child_mut(name));
        }
        shown(&project(json::check(text).unwrap(), &wanted).unwrap())
    }

    fn shown(value: &Value) -> String {
        match value {
            Value::Null => "null".into(),
            Value::Bool(value) => value.to_string(),
            Value::Number(text) => text.to_string(),
            Value::Text(text) => format!("'{text}'"),
            Value::Plain(text) => format!("plain '{text}'"),
            Value::List(items) => format!(
                "[{}]",
                items.iter().map(shown).collect::<Vec<_>>().join(" ")
            ),
            Value::Object(fields) => {
                format!(
                    "{{{}}}",
                    fields
                        .0
                        .iter()
                        .map(|(k, v)| format!("{k}:{}", shown(v)))
                        .collect::<Vec<_>>()
                        .join(" ")
                )
            }
        }
    }

    #[test]
    fn only_what_patterns_name_is_seen() {
        for (text, paths, expected) in [
            (
                r#"{"a":1,"b":"x","c":{"d":true}}"#,
                vec!["a", "c.d"],
                "{a:1 c:{d:true}}",
            ),
            (r#"{"a":{"b":1}}"#, vec!["a"], "{a:{}}"),
            (r#"{"a":{"b":1},"c":2}"#, vec![], "{}"),
            (
                r#"{"a":[1,[2,[[3]],{"b":4}],[]]}"#,
                vec!["a.b"],
                "{a:[1 2 3 {b:4}]}",
            ),
            (r#"{"a.b":1}"#, vec!["a.b"], "{a:{b:1}}"),
            (
                r#"{"a.b":1,"a":{"c":2}}"#,
                vec!["a.b", "a.c"],
                "{a:{b:1 c:2}}",
            ),
            (
                r#"{"error":true,"error.text":"x"}"#,
                vec!["error.text"],
                "{error:[true {text:'x'}]}",
            ),
            (r#"{"a":1,"a":2,"a":[3]}"#, vec!["a"], "{a:[1 2 3]}"),
            (r#"{"a":[1],"a":2}"#, vec!["a"], "{a:[1 2]}"),
            (r#"{"a..b":1}"#, vec!["a..b"], "{a:{:{b:1}}}"),
        ] {
            assert_eq!(seen(text, &paths), expected, "{text} by {paths:?}");
        }
    }

    #[test]
    fn lists_are_seen_to_their_bound_and_no_deeper() {
        let nested =
            |depth: usize| format!("{{\"a\":{}7{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(seen(&nested(LISTS_MAX), &["a"]), "{a:[7]}");
        assert_eq!(seen(&nested(LISTS_MAX + 1), &["a"]), "{a:[]}");
    }
}
