//! The text of a file -> a tree. JSON is read as the YAML that it is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde::de::IgnoredAny;

use super::error::{Place, quoted};
use super::tree::{Entry, Node, Value};

/// How deep lists and mappings may nest; the grammar itself needs seven levels.
const DEPTH_MAX: usize = 32;

/// A template has definitions of other services in it, state machines for one, that nest deeper.
const TEMPLATE_DEPTH_MAX: usize = 100;

/// How many values a file may hold after its aliases are replaced by what they stand for.
const NODES_MAX: usize = 500_000;

/// The line and the reason why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// Counted from 1; 0 stands for the file as a whole.
    pub line: usize,
    /// What was found and what would do.
    pub what: String,
}

/// What a text is read as, which says what a tag such as `!Sub` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Plain YAML or JSON: such a tag is refused.
    Plain,
    /// A CloudFormation template: `!Sub x` is `{"Fn::Sub": "x"}`, `!Ref x` is `{"Ref": "x"}`.
    Template,
}

fn unreadable<T>(line: usize, what: impl Into<String>) -> Result<T, Unreadable> {
    let what = what.into();
    Err(Unreadable { line, what })
}

/// Reads a configuration file.
pub(super) fn parse(file: &Arc<str>, text: &str) -> Result<Node, Unreadable> {
    match document(file, text, Dialect::Plain)? {
        Some(root) => Ok(root),
        None => unreadable(
            0,
            "the file is empty; expected keys such as EventSourceMappings",
        ),
    }
}

/// Reads one document; `None` where there is nothing in it. Keys that occur twice are kept: whoever walks the tree with its
/// paths reports them.
pub(crate) fn document(
    file: &Arc<str>,
    text: &str,
    dialect: Dialect,
) -> Result<Option<Node>, Unreadable> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    refuse_control_characters(text)?;
    let text = join_surrogates(text);
    let mut builder = Builder::new(file, dialect);
    for event in Parser::new_from_str(&text) {
        match event {
            Ok((event, span)) => builder.event(event, span.start.line())?,
            Err(error) => {
                let what = format!("not valid YAML or JSON: {}", error.info());
                return unreadable(error.marker().line(), what);
            }
        }
    }
    Ok(builder.root.filter(|root| root.value != Value::Null))
}

/// The parser takes a NUL for the end of the text; all that follows would be lost without a word.
fn refuse_control_characters(text: &str) -> Result<(), Unreadable> {
    let forbidden = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let Some(at) = text.find(forbidden) else {
        return Ok(());
    };
    let line = 1 + text[..at].matches('\n').count();
    let shown: String = text[at..]
        .chars()
        .take(1)
        .flat_map(char::escape_unicode)
        .collect();
    unreadable(
        line,
        format!("a control character ({shown}); is this a text file?"),
    )
}

/// JSON writes a character beyond U+FFFF as two escapes, YAML as one: `\ud83d\ude00` becomes `\U0001F600`.
fn join_surrogates(text: &str) -> Cow<'_, str> {
    let escapes = text.contains("\\ud") || text.contains("\\uD");
    if !escapes || serde_json::from_str::<IgnoredAny>(text).is_err() {
        return Cow::Borrowed(text);
    }
    let mut joined = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        joined.push_str(before);
        let pair =
            surrogate(escape, 0xd800).zip(escape.get(6..).and_then(|low| surrogate(low, 0xdc00)));
        let length = match pair {
            Some((high, low)) => {
                joined.push_str(&format!("\\U{:08X}", 0x1_0000 + (high << 10) + low));
                12
            }
            // The escaped character goes along: the second half of `\\` starts no escape. Valid JSON escapes ASCII only.
            None => {
                joined.push_str(&escape[..2]);
                2
            }
        };
        rest = &escape[length..];
    }
    joined.push_str(rest);
    Cow::Owned(joined)
}

/// The ten bits of a `\uXXXX` that opens `escape` and lies in the block of 1,024 at `base`.
fn surrogate(escape: &str, base: u32) -> Option<u32> {
    let digits = escape.strip_prefix("\\u")?.get(..4)?;
    let unit = u32::from_str_radix(digits, 16).ok()?;
    unit.checked_sub(base).filter(|bits| *bits < 1024)
}

/// A list or mapping whose end has not come yet.
struct Open {
    line: usize,
    anchor: usize,
    /// The function of a template that it is the argument of.
    function: Option<String>,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        /// A key that waits for its value, and its line.
        key: Option<(String, usize)>,
    },
}

struct Builder<'a> {
    file: &'a Arc<str>,
    dialect: Dialect,
    open: Vec<Open>,
    /// Finished nodes with an anchor, and how many values each holds.
    anchors: BTreeMap<usize, (Node, usize)>,
    nodes: usize,
    root: Option<Node>,
}

impl<'a> Builder<'a> {
    fn new(file: &'a Arc<str>, dialect: Dialect) -> Self {
        Builder {
            file,
            dialect,
            open: Vec::new(),
            anchors: BTreeMap::new(),
            nodes: 0,
            root: None,
        }
    }

    fn event(&mut self, event: Event<'_>, line: usize) -> Result<(), Unreadable> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => match self.root {
                None => Ok(()),
                Some(_) => unreadable(line, "a second document begins here; a file holds one"),
            },
            Event::Scalar(raw, style, anchor, tag) => {
                self.scalar(&raw, style, anchor, tag.as_deref(), line)
            }
            Event::Alias(anchor) => self.alias(anchor, line),
            Event::SequenceStart(anchor, tag) => {
                let function = self.collection_tag(tag.as_deref(), "seq", line)?;
                self.begin(Content::List(Vec::new()), function, anchor, line)
            }
            Event::MappingStart(anchor, tag) => {
                let function = self.collection_tag(tag.as_deref(), "map", line)?;
                let entries = Vec::new();
                let content = Content::Map { entries, key: None };
                self.begin(content, function, anchor, line)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                None => Ok(()),
                Some(open) => {
                    let value = match open.content {
                        Content::List(items) => Value::List(items),
                        Content::Map { entries, .. } => Value::Map(entries),
                    };
                    let value = self.call(open.function, value, open.line);
                    self.value(value, open.anchor, open.line)
                }
            },
        }
    }

    fn begin(
        &mut self,
        content: Content,
        function: Option<String>,
        anchor: usize,
        line: usize,
    ) -> Result<(), Unreadable> {
        self.refuse_as_key(line)?;
        if self.open.len() == self.depth_max() {
            return self.too_deep(line);
        }
        self.open.push(Open {
            line,
            anchor,
            function,
            content,
        });
        Ok(())
    }

    fn depth_max(&self) -> usize {
        match self.dialect {
            Dialect::Plain => DEPTH_MAX,
            Dialect::Template => TEMPLATE_DEPTH_MAX,
        }
    }

    fn too_deep<T>(&self, line: usize) -> Result<T, Unreadable> {
        let depth_max = self.depth_max();
        unreadable(line, format!("nested more than {depth_max} levels deep"))
    }

    /// The function of a template that a tag stands for, under its long name.
    fn function(&self, tag: &Tag) -> Option<String> {
        let local = tag.handle == "!" && !tag.suffix.is_empty();
        match (self.dialect, tag.suffix.as_str()) {
            (Dialect::Template, name @ ("Ref" | "Condition")) if local => Some(name.to_owned()),
            (Dialect::Template, name) if local => Some(format!("Fn::{name}")),
            (Dialect::Template | Dialect::Plain, _) => None,
        }
    }

    fn collection_tag(
        &self,
        tag: Option<&Tag>,
        kind: &str,
        line: usize,
    ) -> Result<Option<String>, Unreadable> {
        let function = tag.and_then(|tag| self.function(tag));
        if function.is_none() {
            check_tag(tag, kind, line)?;
        }
        Ok(function)
    }

    /// `value`, or the call of a function with it as the argument.
    fn call(&self, function: Option<String>, value: Value, line: usize) -> Value {
        let Some(key) = function else {
            return value;
        };
        let node = self.node(value, line);
        Value::Map(vec![Entry { key, node }])
    }

    fn scalar(
        &mut self,
        raw: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        line: usize,
    ) -> Result<(), Unreadable> {
        if let Some(Open {
            content: Content::Map {
                key: key @ None, ..
            },
            ..
        }) = self.open.last_mut()
        {
            if raw == "<<" && style == ScalarStyle::Plain {
                return unreadable(
                    line,
                    "merge keys (<<) are not part of YAML 1.2; write the keys out",
                );
            }
            *key = Some((raw.to_owned(), line));
            return Ok(());
        }
        let plain = style == ScalarStyle::Plain;
        let value = match tag {
            None if plain => Value::from_plain(raw),
            None => Value::text(raw),
            Some(tag) => match self.function(tag) {
                Some(name) => self.call(Some(name), Value::text(raw), line),
                None => typed(raw, tag, line)?,
            },
        };
        self.value(value, anchor, line)
    }

    /// An alias becomes a copy: bounded by `NODES_MAX`, however often aliases of aliases multiply.
    fn alias(&mut self, anchor: usize, line: usize) -> Result<(), Unreadable> {
        self.refuse_as_key(line)?;
        let Some((node, size)) = self.anchors.get(&anchor) else {
            return unreadable(line, "an alias inside the very value that it stands for");
        };
        // Counted before it is copied, so that what is too much is never made.
        self.nodes = self.nodes.saturating_add(*size);
        if self.nodes > NODES_MAX {
            return too_many(line);
        }
        if self.open.len() + depth(&node.value) > self.depth_max() {
            return self.too_deep(line);
        }
        let value = node.value.clone();
        self.attach(value, line);
        Ok(())
    }

    fn value(&mut self, value: Value, anchor: usize, line: usize) -> Result<(), Unreadable> {
        self.count(1, line)?;
        if anchor != 0 {
            let size = size(&value);
            let node = self.node(value.clone(), line);
            self.anchors.insert(anchor, (node, size));
            // The copy that waits for its aliases counts too.
            self.count(size, line)?;
        }
        self.attach(value, line);
        Ok(())
    }

    fn attach(&mut self, value: Value, line: usize) {
        let node = self.node(value, line);
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, key }) => {
                let (key, key_line) = key.take().expect("a mapping's value comes after its key");
                let place = Place {
                    line: key_line,
                    ..node.place
                };
                let value = node.value;
                entries.push(Entry {
                    key,
                    node: Node { place, value },
                });
            }
        }
    }

    fn node(&self, value: Value, line: usize) -> Node {
        let file = Arc::clone(self.file);
        Node {
            place: Place { file, line },
            value,
        }
    }

    fn count(&mut self, nodes: usize, line: usize) -> Result<(), Unreadable> {
        self.nodes = self.nodes.saturating_add(nodes);
        match self.nodes > NODES_MAX {
            false => Ok(()),
            true => too_many(line),
        }
    }

    fn refuse_as_key(&self, line: usize) -> Result<(), Unreadable> {
        let waits_for_key = matches!(
            self.open.last().map(|open| &open.content),
            Some(Content::Map { key: None, .. })
        );
        match waits_for_key {
            false => Ok(()),
            true => unreadable(
                line,
                "a key must be plain text, not a list, a mapping or an alias",
            ),
        }
    }
}

fn too_many<T>(line: usize) -> Result<T, Unreadable> {
    unreadable(
        line,
        format!("more than {NODES_MAX} values, aliases counted"),
    )
}

fn size(value: &Value) -> usize {
    match value {
        Value::List(items) => 1 + items.iter().map(|item| size(&item.value)).sum::<usize>(),
        Value::Map(entries) => {
            1 + entries
                .iter()
                .map(|entry| size(&entry.node.value))
                .sum::<usize>()
        }
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Broken => 1,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::List(items) => {
            1 + items
                .iter()
                .map(|item| depth(&item.value))
                .max()
                .unwrap_or(0)
        }
        Value::Map(entries) => {
            let depths = entries.iter().map(|entry| depth(&entry.node.value));
            1 + depths.max().unwrap_or(0)
        }
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Broken => 0,
    }
}

/// A scalar with a tag of the core schema (`!!str 12`), or with the non-specific `!`, which means text.
fn typed(raw: &str, tag: &Tag, line: usize) -> Result<Value, Unreadable> {
    let non_specific = tag.handle.is_empty() && tag.suffix == "!";
    let kind = match tag.is_yaml_core_schema() {
        _ if non_specific => "str",
        true => tag.suffix.as_str(),
        false => return unknown_tag(tag, line),
    };
    let value = Value::from_plain(raw);
    match (kind, value) {
        ("str", _) => Ok(Value::text(raw)),
        ("int", value @ Value::Int(_))
        | ("float", value @ (Value::Int(_) | Value::Float(_)))
        | ("bool", value @ Value::Bool(_))
        | ("null", value @ Value::Null) => Ok(value),
        ("int" | "float" | "bool" | "null", _) => {
            unreadable(line, format!("{} is no !!{kind}", quoted(raw)))
        }
        _ => unknown_tag(tag, line),
    }
}

fn check_tag(tag: Option<&Tag>, kind: &str, line: usize) -> Result<(), Unreadable> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == kind) => unknown_tag(tag, line),
        Some(_) | None => Ok(()),
    }
}

fn unknown_tag<T>(tag: &Tag, line: usize) -> Result<T, Unreadable> {
    let tag = quoted(&format!("{}{}", tag.handle, tag.suffix));
    unreadable(
        line,
        format!("the tag {tag} is not supported; values are plain YAML or JSON"),
    )
}
