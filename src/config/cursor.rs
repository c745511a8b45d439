//! Reading a tree: a node, the way to it, and the questions that every element asks. Wrong answers are reported here.

use std::ops::RangeInclusive;

use super::error::{Place, Report, quoted};
use super::suggest::nearest;
use super::tree::{Entry, Node, Text, Value};

/// Below this a text may be a key or a token, wherever it was put by mistake: it is not shown.
const SECRETS: &str = "Service.Api";

/// A node and the way to it from the top of its file.
#[derive(Clone, Debug)]
pub(super) struct At<'a> {
    pub node: &'a Node,
    pub path: String,
}

/// The way to `key` below `path`; a key with more than letters, digits, `_` and `-` stands in brackets.
pub(super) fn key_path(path: &str, key: &str) -> String {
    let plain = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    match (path, plain) {
        ("", true) => key.to_owned(),
        (_, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{}]", quoted(key)),
    }
}

impl<'a> At<'a> {
    /// The top of a file.
    pub fn top(node: &'a Node) -> Self {
        let path = String::new();
        At { node, path }
    }

    pub fn place(&self) -> &'a Place {
        &self.node.place
    }

    pub fn error(&self, report: &mut Report, what: impl Into<String>) {
        report.error(self.place(), &self.path, what);
    }

    pub fn warn(&self, report: &mut Report, what: impl Into<String>) {
        report.warn(self.place(), &self.path, what);
    }

    /// The value of a key below that was found before; where there is none, this one.
    pub fn below(&self, key: &str) -> At<'a> {
        let Value::Map(entries) = &self.node.value else {
            return self.clone();
        };
        let found = entries.iter().find(|entry| entry.key == key);
        found.map_or_else(
            || self.clone(),
            |Entry { node, .. }| At {
                node,
                path: key_path(&self.path, key),
            },
        )
    }

    fn expected<T>(&self, report: &mut Report, expected: &str) -> Option<T> {
        if self.node.value != Value::Broken {
            let found = self.found();
            self.error(report, format!("expected {expected}, found {found}"));
        }
        None
    }

    /// What was found here, for a message.
    fn found(&self) -> String {
        match &self.node.value {
            Value::Text(_) if self.path.starts_with(SECRETS) => "text".to_owned(),
            value => value.describe(),
        }
    }

    /// Text; a number needs quotes to be text.
    pub fn text(&self, report: &mut Report) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) => Some(&text.text),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
                let found = self.found();
                self.error(
                    report,
                    format!("expected text, found {found}; put it in quotes"),
                );
                None
            }
            Value::Null | Value::List(_) | Value::Map(_) | Value::Broken => {
                self.expected(report, "text")
            }
        }
    }

    /// A whole number within bounds.
    pub fn integer(&self, bounds: RangeInclusive<i64>, report: &mut Report) -> Option<i64> {
        let (min, max) = (*bounds.start(), *bounds.end());
        let value = match &self.node.value {
            Value::Int(value) => Some(*value),
            Value::Text(Text {
                text,
                expanded: true,
            }) => text.trim().parse().ok(),
            Value::Null
            | Value::Bool(_)
            | Value::Float(_)
            | Value::Text(Text {
                expanded: false, ..
            })
            | Value::List(_)
            | Value::Map(_)
            | Value::Broken => None,
        };
        match value {
            None => self.expected(report, &format!("a whole number from {min} to {max}")),
            Some(value) if value > max => {
                self.error(report, format!("{value} is more than {max}"));
                None
            }
            Some(value) if value < min => {
                self.error(report, format!("{value} is less than {min}"));
                None
            }
            Some(value) => Some(value),
        }
    }

    pub fn boolean(&self, report: &mut Report) -> Option<bool> {
        match &self.node.value {
            Value::Bool(value) => Some(*value),
            Value::Text(Text {
                text,
                expanded: true,
            }) if text == "true" => Some(true),
            Value::Text(Text {
                text,
                expanded: true,
            }) if text == "false" => Some(false),
            Value::Null
            | Value::Int(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::List(_)
            | Value::Map(_)
            | Value::Broken => self.expected(report, "true or false"),
        }
    }

    /// The items of a list. An item of a list that several files fill is counted from the start of its own file's part.
    pub fn list(&self, report: &mut Report) -> Option<Vec<At<'a>>> {
        let Value::List(items) = &self.node.value else {
            return self.expected(report, "a list");
        };
        let (mut file, mut index) = (None, 0);
        let items = items.iter().map(|node| {
            index = match file.replace(&node.place.file) == Some(&node.place.file) {
                true => index + 1,
                false => 0,
            };
            let path = format!("{}[{index}]", self.path);
            At { node, path }
        });
        Some(items.collect())
    }

    /// Every key of a mapping, whatever its name, in the order of the file; keys without a value too.
    pub fn entries(&self, report: &mut Report) -> Option<Vec<(&'a str, At<'a>)>> {
        let Value::Map(entries) = &self.node.value else {
            return self.expected(report, "a mapping");
        };
        let entries = entries.iter().map(|Entry { key, node }| {
            let path = key_path(&self.path, key);
            (key.as_str(), At { node, path })
        });
        Some(entries.collect())
    }

    /// A mapping of which only these keys may be set; each other one is reported.
    pub fn fields(&self, known: &[&str], report: &mut Report) -> Option<Fields<'a>> {
        let entries = self.entries(report)?;
        for (key, at) in &entries {
            if !known.contains(key) {
                at.error(report, unknown(key, known));
            }
        }
        Some(Fields {
            at: self.clone(),
            entries,
        })
    }
}

/// A message lists so many known keys, the first ones: what AWS only prints comes last.
const KEYS_LISTED_MAX: usize = 10;

/// What to say of a key that is none of these.
pub(super) fn unknown(key: &str, known: &[&str]) -> String {
    match nearest(key, known) {
        Some(nearest) => format!("unknown key; did you mean {nearest}?"),
        None => {
            let listed = &known[..known.len().min(KEYS_LISTED_MAX)];
            format!("unknown key; expected {}", one_of(listed))
        }
    }
}

/// `A`, `A or B`, `A, B or C`.
pub(super) fn one_of(words: &[&str]) -> String {
    match words.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
    }
}

/// The keys of one mapping.
pub(super) struct Fields<'a> {
    pub at: At<'a>,
    entries: Vec<(&'a str, At<'a>)>,
}

impl<'a> Fields<'a> {
    /// What a key is set to; null is the same as not set.
    pub fn get(&self, key: &str) -> Option<At<'a>> {
        let (_, at) = self.entries.iter().find(|(name, _)| *name == key)?;
        (at.node.value != Value::Null).then(|| at.clone())
    }

    /// A whole number; `None` where what is set is wrong and was reported.
    pub fn integer(
        &self,
        key: &str,
        bounds: RangeInclusive<i64>,
        default: i64,
        report: &mut Report,
    ) -> Option<i64> {
        match self.get(key) {
            Some(at) => at.integer(bounds, report),
            None => Some(default),
        }
    }

    /// A switch, off where it is not set; `None` where what is set is wrong and was reported.
    pub fn boolean(&self, key: &str, report: &mut Report) -> Option<bool> {
        match self.get(key) {
            Some(at) => at.boolean(report),
            None => Some(false),
        }
    }
}
