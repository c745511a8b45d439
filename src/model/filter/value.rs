//! A record as patterns see it: only the keys that some pattern names, everything else is never built.
//! Whatever the source, a record becomes [`Fields`]; a file of each source makes them (`message.rs`, `kinesis.rs`, ...).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;

use crate::model::json;

/// Arrays within arrays are one list to a pattern (spec: 7.4, any element); elements deeper than this are not seen.
/// Each level is scanned again when it is opened, so this also bounds the work on a hostile body.
const LISTS_MAX: usize = 16;

/// The keys that patterns look for, dotted keys taken apart: `{"a.b": ..}` and `{"a": {"b": ..}}` are one path.
/// Each key of an object has a place, its slot, in the [`Fields`] of a record.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    slots: BTreeMap<String, usize>,
    children: Vec<Wanted>,
}

impl Wanted {
    /// The slot of a key and what is wanted below it.
    pub(super) fn child_mut(&mut self, name: &str) -> (usize, &mut Wanted) {
        let slot = match self.slots.get(name) {
            Some(slot) => *slot,
            None => {
                self.slots.insert(name.to_owned(), self.children.len());
                self.children.push(Wanted::default());
                self.children.len() - 1
            }
        };
        (slot, &mut self.children[slot])
    }

    fn child(&self, name: &str) -> Option<(usize, &Wanted)> {
        let slot = *self.slots.get(name)?;
        Some((slot, &self.children[slot]))
    }

    fn is_empty(&self) -> bool {
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

/// An object, its keys taken apart at their dots; by slot, and empty as long as it has no wanted key.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fields<'a>(Vec<Option<Value<'a>>>);

impl<'a> Value<'a> {
    pub(super) fn text(text: &'a str) -> Self {
        Value::Text(text.into())
    }
}

impl<'a> Fields<'a> {
    pub(super) fn get(&self, slot: usize) -> Option<&Value<'a>> {
        self.0.get(slot)?.as_ref()
    }

    /// Adds a record's member, if any pattern names its key; only then the value is made.
    /// Recursion is bounded by the depth of the patterns.
    pub(super) fn put<E>(
        &mut self,
        wanted: &Wanted,
        key: &str,
        value: impl FnOnce(&Wanted) -> Result<Value<'a>, E>,
    ) -> Result<(), E> {
        let (name, rest) = match key.split_once('.') {
            Some((name, rest)) => (name, Some(rest)),
            None => (key, None),
        };
        let Some((slot, child)) = wanted.child(name) else {
            return Ok(());
        };
        match rest {
            None => self.merge(slot, value(child)?),
            Some(rest) => {
                let mut inner = Fields::default();
                inner.put(child, rest, value)?;
                if !inner.0.is_empty() {
                    self.merge(slot, Value::Object(inner));
                }
            }
        }
        Ok(())
    }

    /// As [`Fields::put`], of a value that is made without fail.
    pub(super) fn set(
        &mut self,
        wanted: &Wanted,
        key: &str,
        value: impl FnOnce(&Wanted) -> Value<'a>,
    ) {
        let Ok(()) = self.put(wanted, key, |wanted| Ok::<_, Infallible>(value(wanted)));
    }

    /// Values that share a path, by a repeated key or by `{"a": 1, "a.b": 2}`, stand side by side; objects unite.
    fn merge(&mut self, slot: usize, value: Value<'a>) {
        if self.0.len() <= slot {
            self.0.resize_with(slot + 1, || None);
        }
        let Some(present) = &mut self.0[slot] else {
            self.0[slot] = Some(value);
            return;
        };
        match (present, value) {
            (Value::Object(fields), Value::Object(more)) => {
                for (slot, value) in more.0.into_iter().enumerate() {
                    if let Some(value) = value {
                        fields.merge(slot, value);
                    }
                }
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

/// Reads what patterns want to know of a text, which is checked on the way; an error where it is no JSON.
pub(super) fn project<'a>(text: &'a str, wanted: &Wanted) -> Result<Value<'a>, serde_json::Error> {
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    let unasked = wanted.is_empty() && text.starts_with('{');
    if unasked || !text.starts_with(['{', '[']) {
        json::check(text)?;
    }
    within(text, wanted, LISTS_MAX)
}

/// Recursion is bounded by the depth of the patterns plus `lists`, not by the text.
fn within<'a>(
    text: &'a str,
    wanted: &Wanted,
    lists: usize,
) -> Result<Value<'a>, serde_json::Error> {
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let mut fields = Fields::default();
            if !wanted.is_empty() {
                json::each_member(text, |key, raw| {
                    fields.put(wanted, key, |wanted| within(raw.get(), wanted, lists))
                })?;
            }
            Value::Object(fields)
        }
        Some(b'[') => {
            let mut flat = Vec::new();
            json::each_item(text, |raw| {
                if let Some(lists) = lists.checked_sub(1) {
                    match within(raw.get(), wanted, lists)? {
                        Value::List(inner) => flat.extend(inner),
                        single => flat.push(single),
                    }
                }
                Ok(())
            })?;
            Value::List(flat)
        }
        Some(b'"') => Value::Text(json::string(text)?),
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'n') | None => Value::Null,
        Some(_) => Value::Number(text.into()),
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
                .fold(&mut wanted, |at, name| at.child_mut(name).1);
        }
        shown(&project(text, &wanted).unwrap(), &wanted)
    }

    fn shown(value: &Value, wanted: &Wanted) -> String {
        match value {
            Value::Null => "null".into(),
            Value::Bool(value) => value.to_string(),
            Value::Number(text) => text.to_string(),
            Value::Text(text) => format!("'{text}'"),
            Value::Plain(text) => format!("plain '{text}'"),
            Value::List(items) => format!(
                "[{}]",
                items
                    .iter()
                    .map(|item| shown(item, wanted))
                    .collect::<Vec<_>>()
                    .join(" ")
            ),
            Value::Object(fields) => {
                let member = |(name, slot): (&String, &usize)| {
                    let value = fields.get(*slot)?;
                    let below = &wanted.children[*slot];
                    Some(format!("{name}:{}", shown(value, below)))
                };
                let members: Vec<_> = wanted.slots.iter().filter_map(member).collect();
                format!("{{{}}}", members.join(" "))
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
