//! A pattern compiled: a tree of alternatives in which `$or` is already resolved, object by object.
//! Under one object everything must hold of the same element of a list, as EventBridge demands; keys that do not
//! share an object never multiply, so a pattern of many `$or` stays as small as its text.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::Reason;
use super::matcher::{Matcher, OPERATORS};
use super::warning::Trap;
use super::{NESTING_MAX, OR_COMBINATIONS_MAX, PATTERN_CHARS_MAX};
use crate::model::json::{self, Level, Members, Raw};

/// Entries that resolving `$or` may make before the pattern is refused: 4096 characters hold under 500 keys.
const ENTRIES_MAX: usize = 50_000;

/// Keys that must all hold, in the order in which they were written.
pub(super) type Branch = Vec<(Arc<str>, Node)>;

/// What must hold of the value of a key.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// Some scalar satisfies some alternative.
    Leaf(Arc<[Matcher]>),
    /// Some object satisfies some branch.
    Inner(Arc<[Branch]>),
}

impl Node {
    /// Tells apart what was written apart: branches share what they have in common.
    pub(super) fn address(&self) -> usize {
        match self {
            Node::Leaf(alternatives) => Arc::as_ptr(alternatives).addr(),
            Node::Inner(branches) => Arc::as_ptr(branches).addr(),
        }
    }

    fn is_leaf(&self) -> bool {
        match self {
            Node::Leaf(_) => true,
            Node::Inner(_) => false,
        }
    }
}

/// A pattern that was read, and what looked odd on the way.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) branches: Arc<[Branch]>,
    pub(super) traps: Vec<(String, Trap)>,
}

/// What was wrong, and at which key.
type Refused = (String, Reason);

/// Compiles one pattern.
pub(super) fn compile(text: &str) -> Result<Pattern, Refused> {
    let refuse = |reason| Err((String::new(), reason));
    if PATTERN_CHARS_MAX < text.chars().count() {
        return refuse(Reason::TooLong);
    }
    let raw = match json::check(text) {
        Ok(raw) => raw,
        Err(error) => return refuse(Reason::NotJson(error.to_string())),
    };
    let mut compiler = Compiler {
        traps: Vec::new(),
        entries: 0,
    };
    match compiler.open(raw, "")? {
        Level::Object(members) => {
            let branches = compiler.object(&members, "", 1)?.into();
            Ok(Pattern {
                branches,
                traps: compiler.traps,
            })
        }
        Level::Null | Level::Bool(_) | Level::Number(_) | Level::Text(_) | Level::List(_) => {
            refuse(Reason::NotAnObject)
        }
    }
}

struct Compiler {
    traps: Vec<(String, Trap)>,
    entries: usize,
}

impl Compiler {
    fn object(
        &mut self,
        members: &[(Cow<'_, str>, &Raw)],
        path: &str,
        depth: usize,
    ) -> Result<Vec<Branch>, Refused> {
        let refuse = |reason| Err((path.to_owned(), reason));
        if members.is_empty() {
            return refuse(Reason::EmptyObject);
        }
        let last: BTreeMap<&str, usize> = members
            .iter()
            .enumerate()
            .map(|(i, (key, _))| (key.as_ref(), i))
            .collect();
        let mut branches = vec![Branch::new()];
        for (i, (key, raw)) in members.iter().enumerate() {
            let at = join(path, key);
            // spec: 7.4 duplicate keys in a pattern, last value wins
            if last[key.as_ref()] != i {
                self.traps.push((at, Trap::RepeatedKey));
                continue;
            }
            let alternatives = if key == "$or" {
                self.alternatives(raw, &at)?
            } else {
                None
            };
            branches = match alternatives {
                Some(alternatives) => {
                    let mut all = Vec::new();
                    for members in &alternatives {
                        all.extend(self.object(members, path, self.deeper(depth, &at)?)?);
                    }
                    self.both(branches, &all, path)?
                }
                None => {
                    let node = self.node(raw, key, &at, depth)?;
                    let branch = vec![nested(key, node)];
                    self.both(branches, &[branch], path)?
                }
            };
        }
        Ok(branches)
    }

    /// The alternatives of `$or`: two objects or more, none of them an operator. Anything else is a key of that name.
    fn alternatives<'t>(
        &mut self,
        raw: &'t Raw,
        at: &str,
    ) -> Result<Option<Vec<Members<'t>>>, Refused> {
        let mut alternatives = Vec::new();
        if let Level::List(items) = self.open(raw, at)? {
            for item in items {
                match self.open(item, at)? {
                    Level::Object(members) => alternatives.push(members),
                    Level::Null
                    | Level::Bool(_)
                    | Level::Number(_)
                    | Level::Text(_)
                    | Level::List(_) => {
                        alternatives.push(Vec::new());
                    }
                }
            }
        }
        let operator = |key: &str| OPERATORS.contains(&key);
        let relation = 2 <= alternatives.len()
            && alternatives.iter().all(|members| {
                !members.is_empty() && !members.iter().any(|(key, _)| operator(key))
            });
        if !relation {
            self.traps.push((at.to_owned(), Trap::OrIsAKey));
        }
        Ok(relation.then_some(alternatives))
    }

    fn node(&mut self, raw: &Raw, key: &str, at: &str, depth: usize) -> Result<Node, Refused> {
        let refuse = |reason| Err((at.to_owned(), reason));
        match self.open(raw, at)? {
            Level::Object(members) => {
                let depth = self.deeper(depth + key.matches('.').count(), at)?;
                Ok(Node::Inner(self.object(&members, at, depth)?.into()))
            }
            Level::List(items) if items.is_empty() => refuse(Reason::EmptyArray),
            Level::List(items) => {
                self.deeper(depth + key.matches('.').count(), at)?;
                let alternatives: Result<Vec<_>, _> =
                    items.iter().map(|item| Matcher::parse(item)).collect();
                Ok(Node::Leaf(
                    alternatives
                        .map_err(|reason| (at.to_owned(), reason))?
                        .into(),
                ))
            }
            Level::Null | Level::Bool(_) | Level::Number(_) | Level::Text(_) => {
                refuse(Reason::NeitherObjectNorArray(key.to_owned()))
            }
        }
    }

    fn deeper(&self, depth: usize, at: &str) -> Result<usize, Refused> {
        if depth < NESTING_MAX {
            Ok(depth + 1)
        } else {
            Err((at.to_owned(), Reason::TooDeep))
        }
    }

    fn open<'t>(&self, raw: &'t Raw, at: &str) -> Result<Level<'t>, Refused> {
        json::open(raw).map_err(|error| (at.to_owned(), Reason::NotJson(error.to_string())))
    }

    /// The branches under which a branch of `left` and a branch of `right` hold of one object.
    fn both(
        &mut self,
        left: Vec<Branch>,
        right: &[Branch],
        path: &str,
    ) -> Result<Vec<Branch>, Refused> {
        let too_complex = || (path.to_owned(), Reason::TooComplex);
        if OR_COMBINATIONS_MAX < left.len() * right.len() {
            return Err(too_complex());
        }
        let copied: usize = if right.len() < 2 {
            0
        } else {
            left.iter().map(Vec::len).sum::<usize>() * right.len()
        };
        self.entries += copied + right.iter().map(Vec::len).sum::<usize>() * left.len();
        if ENTRIES_MAX < self.entries {
            return Err(too_complex());
        }
        let [single] = right else {
            let mut merged = Vec::with_capacity(left.len() * right.len());
            for more in right {
                for branch in left.clone() {
                    merged.push(self.merged(branch, more, path)?);
                }
            }
            return Ok(merged);
        };
        left.into_iter()
            .map(|branch| self.merged(branch, single, path))
            .collect()
    }

    fn merged(
        &mut self,
        mut branch: Branch,
        more: &[(Arc<str>, Node)],
        path: &str,
    ) -> Result<Branch, Refused> {
        for (name, node) in more {
            let present = branch
                .iter_mut()
                .find(|(present, old)| present == name && old.is_leaf() == node.is_leaf());
            match (present.map(|(_, node)| node), node) {
                (None, node) => branch.push((name.clone(), node.clone())),
                (Some(Node::Inner(present)), Node::Inner(more)) => {
                    *present = self.both(present.to_vec(), more, &join(path, name))?.into();
                }
                // Two lists for one path, spelled `a.b` and nested, or beside and inside `$or`: the last one counts.
                (Some(present), node) => {
                    self.traps.push((join(path, name), Trap::RepeatedKey));
                    *present = node.clone();
                }
            }
        }
        Ok(branch)
    }
}

/// `a.b` with a node is `a` with an object of `b`. // spec: 7.4 dotted keys
fn nested(key: &str, node: Node) -> (Arc<str>, Node) {
    let mut names = key.rsplit('.');
    let innermost = names.next().unwrap_or_default();
    names.fold((innermost.into(), node), |inner, name| {
        (name.into(), Node::Inner([vec![inner]].into()))
    })
}

/// The dotted path of a key under a path.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}
