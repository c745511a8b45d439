//! The shapes of AWS's model, and its sentences about values that have another. // spec: 1.1, 1.2

use serde_json::Value;

use super::refusal::Refusal;
use crate::config::request::names_function;

/// What a value may be.
#[derive(Debug)]
pub(super) enum Shape {
    /// So many characters, and what else AWS's pattern asks for.
    Text {
        min: usize,
        max: usize,
        pattern: Option<&'static Pattern>,
    },
    /// A function's name in any of its forms.
    FunctionName,
    /// One of these texts; in the order in which AWS lists them.
    Choice(&'static [&'static str]),
    Int {
        min: i64,
        max: i64,
    },
    Bool,
    /// Seconds since 1970, or ISO 8601.
    Moment,
    List {
        min: usize,
        max: usize,
        of: &'static Shape,
    },
    /// These members; whoever reads the structure says what is wrong with any other.
    Structure(&'static [(&'static str, Shape)]),
    /// Any texts under any keys.
    Texts,
}

/// A regular expression of AWS's model, and what it comes to here.
#[derive(Debug)]
pub(super) struct Pattern {
    pub text: &'static str,
    pub fits: fn(&str) -> bool,
}

const FUNCTION_NAME_CHARS_MAX: usize = 256;
const BARE_NAME_CHARS_MAX: usize = 64;
const FUNCTION_NAME: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";

/// AWS shows a value whole; no setting that is right is longer than this.
const SHOWN_CHARS_MAX: usize = 8_192;

/// So many are told of; all are counted.
const VIOLATIONS_TOLD_MAX: usize = 50;

/// What is wrong with the shape of a request, in AWS's words.
#[derive(Debug, Default)]
pub(super) struct Violations {
    count: usize,
    told: Vec<String>,
}

impl Violations {
    /// Holds a member against its shape; `path` is AWS's way to it (`scalingConfig.maximumConcurrency`). Null is left to whoever
    /// needs the member.
    pub fn check(&mut self, path: &str, value: &Value, shape: &Shape) {
        match (shape, value) {
            (_, Value::Null) => {}
            (Shape::List { min, max, of }, Value::Array(items)) => {
                for broken in length(items.len(), *min, *max) {
                    self.note(path, value, &broken);
                }
                self.items(path, value, items, of);
            }
            (Shape::Structure(members), Value::Object(entries)) => {
                for (name, shape) in *members {
                    if let Some(value) = entries.get(*name) {
                        self.check(&format!("{path}.{}", member(name)), value, shape);
                    }
                }
            }
            _ => {
                for broken in scalar(shape, value) {
                    self.note(path, value, &broken);
                }
            }
        }
    }

    /// What a request cannot do without.
    pub fn missing(&mut self, path: &str) {
        self.add(|| {
            format!("Value null at '{path}' failed to satisfy constraint: Member must not be null")
        });
    }

    /// All of them, as AWS joins them.
    pub fn result(self) -> Result<(), Refusal> {
        match self.count {
            0 => Ok(()),
            count => {
                let errors = if count == 1 { "error" } else { "errors" };
                let told = self.told.join("; ");
                Err(Refusal::shape(format!(
                    "{count} validation {errors} detected: {told}"
                )))
            }
        }
    }

    /// Of a list of structures AWS names the member, of a list of anything else the whole.
    fn items(&mut self, path: &str, list: &Value, items: &[Value], of: &Shape) {
        if let Shape::Structure(_) = of {
            for (index, item) in items.iter().enumerate() {
                self.check(&format!("{path}.{}.member", index + 1), item, of);
            }
            return;
        }
        let broken = |item: &Value| item.is_null() || !scalar(of, item).is_empty();
        if items.iter().any(broken) {
            let mut asked = constraints(of);
            asked.push("Member must not be null".to_owned());
            let asked = asked.join(", ");
            self.note(
                path,
                list,
                &format!("Member must satisfy constraint: [{asked}]"),
            );
        }
    }

    fn note(&mut self, path: &str, value: &Value, constraint: &str) {
        self.add(|| {
            let shown = cut(shown(value));
            format!("Value '{shown}' at '{path}' failed to satisfy constraint: {constraint}")
        });
    }

    fn add(&mut self, text: impl FnOnce() -> String) {
        self.count += 1;
        if self.told.len() < VIOLATIONS_TOLD_MAX {
            self.told.push(text());
        }
    }
}

/// AWS's name of a member in its sentences: `BatchSize` is `batchSize`.
pub(super) fn member(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

fn length(length: usize, min: usize, max: usize) -> Vec<String> {
    let mut broken = Vec::new();
    if length > max {
        broken.push(at_most(max));
    }
    if length < min {
        broken.push(at_least(min));
    }
    broken
}

fn at_most(max: usize) -> String {
    format!("Member must have length less than or equal to {max}")
}

fn at_least(min: usize) -> String {
    format!("Member must have length greater than or equal to {min}")
}

fn one_of(choices: &[&str]) -> String {
    let choices = choices.join(", ");
    format!("Member must satisfy enum value set: [{choices}]")
}

fn matching(pattern: &str) -> String {
    format!("Member must satisfy regular expression pattern: {pattern}")
}

/// The constraints of a shape that a value of its type breaks, or the one that it has not the type.
fn scalar(shape: &Shape, value: &Value) -> Vec<String> {
    match (shape, value) {
        (Shape::Text { min, max, pattern }, Value::String(text)) => {
            let mut broken = length(text.chars().count(), *min, *max);
            if let Some(pattern) = pattern
                && !(pattern.fits)(text)
            {
                broken.push(matching(pattern.text));
            }
            broken
        }
        (Shape::FunctionName, Value::String(text)) => function_name(text),
        (Shape::Choice(choices), Value::String(text)) => {
            let known = choices.contains(&text.as_str());
            if known {
                Vec::new()
            } else {
                vec![one_of(choices)]
            }
        }
        (Shape::Int { min, max }, Value::Number(number)) => match number.as_i64() {
            Some(number) if number > *max => {
                vec![format!(
                    "Member must have value less than or equal to {max}"
                )]
            }
            Some(number) if number < *min => {
                vec![format!(
                    "Member must have value greater than or equal to {min}"
                )]
            }
            Some(_) => Vec::new(),
            None => vec!["Member must be an integer".to_owned()],
        },
        (Shape::Bool, Value::Bool(_)) => Vec::new(),
        (Shape::Moment, Value::Number(_) | Value::String(_)) => Vec::new(),
        (Shape::Texts, Value::Object(entries)) => {
            let texts = entries.values().all(Value::is_string);
            let asked = "Map value must satisfy constraint: [Member must be a string, Member must not be null]";
            if texts {
                Vec::new()
            } else {
                vec![asked.to_owned()]
            }
        }
        (shape, _) => vec![format!("Member must be {}", kind(shape))],
    }
}

fn function_name(text: &str) -> Vec<String> {
    let chars = text.chars().count();
    let bare = !text.contains(':');
    if text.is_empty() {
        vec![at_least(1)]
    } else if chars > FUNCTION_NAME_CHARS_MAX {
        vec![at_most(FUNCTION_NAME_CHARS_MAX)]
    } else if bare && chars > BARE_NAME_CHARS_MAX {
        vec![at_most(BARE_NAME_CHARS_MAX)]
    } else if !names_function(text) {
        vec![matching(FUNCTION_NAME)]
    } else {
        Vec::new()
    }
}

/// All constraints of the items of a list, as AWS lists them whichever of them is broken.
fn constraints(shape: &Shape) -> Vec<String> {
    match shape {
        Shape::Text { min, max, pattern } => {
            let pattern = pattern.map(|pattern| matching(pattern.text));
            [at_most(*max), at_least(*min)]
                .into_iter()
                .chain(pattern)
                .collect()
        }
        Shape::Choice(choices) => vec![one_of(choices)],
        Shape::FunctionName
        | Shape::Int { .. }
        | Shape::Bool
        | Shape::Moment
        | Shape::List { .. }
        | Shape::Structure(_)
        | Shape::Texts => vec![format!("Member must be {}", kind(shape))],
    }
}

fn kind(shape: &Shape) -> &'static str {
    match shape {
        Shape::Text { .. } | Shape::FunctionName | Shape::Choice(_) => "a string",
        Shape::Int { .. } => "an integer",
        Shape::Bool => "a boolean",
        Shape::Moment => "a timestamp",
        Shape::List { .. } => "a list",
        Shape::Structure(_) => "a structure",
        Shape::Texts => "a map",
    }
}

/// As AWS's servers print a value: lists and structures without quotes.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(shown).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| format!("{key}={}", shown(value));
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

pub(super) fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(SHOWN_CHARS_MAX) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}
