//! Patterns that are valid and yet hardly mean what their author wants: a refused message is deleted for good.

use std::collections::BTreeSet;

use super::matcher::Matcher;
use super::message;
use super::pattern::{Branch, Node, join};

/// From this many on, AWS may call a `wildcard` too complex (spec: 7.4); to us their number makes no difference.
const STARS_MANY: usize = 6;

/// A trap in a pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("filter {filter}, key {key}: {trap}")]
pub struct Warning {
    /// Which of the given patterns, from 0.
    pub filter: usize,
    /// The key, dotted from the root.
    pub key: String,
    /// What is odd there.
    pub trap: Trap,
}

/// What is odd about a key of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Trap {
    /// Pitfall 11.19: AWS takes the last and says nothing.
    #[error("given more than once: only the last one counts")]
    RepeatedKey,
    /// `$or` without at least two objects of keys.
    #[error("taken as the name of a key: as an operator, $or needs two or more objects of keys")]
    OrIsAKey,
    /// Pitfall 11.20: only `exists: false` can hold of an object, and it always does.
    #[error("names an object: values and exists work on the keys inside it only")]
    NotALeaf,
    /// No record of this source has the key while filters run (eventSource and its like are added later).
    #[error("no SQS message has this key when filters run, so that only exists: false can hold")]
    NeverThere,
    /// Numbers, booleans and null where a message only ever has strings.
    #[error("always a string in an SQS message, and nothing listed here accepts one")]
    StringsOnly,
    /// A portability trap: we take such patterns, AWS may not.
    #[error("so many wildcards that AWS may refuse the pattern as too complex")]
    ManyWildcards,
}

/// Looks for traps in a compiled pattern.
pub(super) fn traps(branches: &[Branch]) -> BTreeSet<(String, Trap)> {
    let mut paths = BTreeSet::new();
    each_leaf(branches, "", &mut |path, _| {
        paths.insert(path.to_owned());
    });
    let mut traps = BTreeSet::new();
    each_leaf(branches, "", &mut |path, alternatives| {
        let below = format!("{path}.");
        let above_another = paths
            .range(below.clone()..)
            .next()
            .is_some_and(|next| next.starts_with(&below));
        let trap = if !message::KEYS.contains(&top(path)) {
            Some(Trap::NeverThere)
        } else if above_another || message::is_object(path) {
            Some(Trap::NotALeaf)
        } else if !path.starts_with("body.") && !alternatives.iter().any(Matcher::accepts_strings) {
            Some(Trap::StringsOnly)
        } else {
            None
        };
        let many = alternatives
            .iter()
            .any(|alternative| STARS_MANY <= alternative.stars());
        let many = many.then_some(Trap::ManyWildcards);
        traps.extend(
            trap.into_iter()
                .chain(many)
                .map(|trap| (path.to_owned(), trap)),
        );
    });
    traps
}

fn top(path: &str) -> &str {
    path.split_once('.').map_or(path, |(top, _)| top)
}

fn each_leaf(branches: &[Branch], path: &str, visit: &mut impl FnMut(&str, &[Matcher])) {
    for (name, node) in branches.iter().flatten() {
        let path = join(path, name);
        match node {
            Node::Leaf(alternatives) => visit(&path, alternatives),
            Node::Inner(branches) => each_leaf(branches, &path, visit),
        }
    }
}
