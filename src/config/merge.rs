//! Several files -> one tree. Every setting has one home: what two files define is an error that names both places.

use std::collections::BTreeMap;

use super::cursor::key_path;
use super::environment::{Lookup, expand};
use super::error::Report;
use super::tree::{Entry, Node, Text, Value};

/// Keys whose mappings merge key by key (and those below them); an entry of any other mapping is one thing with one home.
const MERGED: [&str; 5] = [
    "Service",
    "Checkpoints",
    "Aws",
    "Aws.Endpoints",
    "Functions",
];

/// The list that each file adds to.
const APPENDED: &str = "EventSourceMappings";

/// Keys that every exported list may carry.
pub(super) const REPEATABLE: [&str; 2] = ["NextMarker", "NextToken"];

/// Replaces references to the environment, and reports and drops every key that its mapping holds already.
pub(super) fn settle(node: &mut Node, path: &str, env: Lookup<'_>, report: &mut Report) {
    match &mut node.value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Broken => {}
        Value::Text(Text { text, expanded }) => match expand(text, env) {
            Ok(None) => {}
            Ok(Some(value)) => {
                *text = value;
                *expanded = true;
            }
            Err(what) => {
                report.error(&node.place, path, what);
                node.value = Value::Broken;
            }
        },
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                settle(item, &format!("{path}[{index}]"), env, report);
            }
        }
        Value::Map(entries) => {
            let mut lines = BTreeMap::new();
            entries.retain_mut(|Entry { key, node }| {
                let path = key_path(path, key);
                if let Some(line) = lines.get(key) {
                    report.error(
                        &node.place,
                        &path,
                        format!("set twice; first at line {line}"),
                    );
                    return false;
                }
                lines.insert(key.clone(), node.place.line);
                settle(node, &path, env, report);
                true
            });
        }
    }
}

/// Adds a file's tree to what the files before it gave.
pub(super) fn merge(into: &mut Vec<Entry>, from: Vec<Entry>, path: &str, report: &mut Report) {
    for entry in from {
        let Some(present) = into.iter_mut().find(|present| present.key == entry.key) else {
            into.push(entry);
            continue;
        };
        let path = key_path(path, &entry.key);
        match (&mut present.node.value, entry.node.value) {
            (_, Value::Null) => {}
            (Value::Null, value) => {
                present.node = Node {
                    place: entry.node.place,
                    value,
                }
            }
            (Value::Map(into), Value::Map(from)) if MERGED.contains(&path.as_str()) => {
                merge(into, from, &path, report);
            }
            (Value::List(into), Value::List(from)) if path == APPENDED => into.extend(from),
            _ if REPEATABLE.contains(&path.as_str()) => {}
            _ => {
                let what = format!("set twice; first at {}", present.node.place);
                report.error(&entry.node.place, &path, what);
            }
        }
    }
}
