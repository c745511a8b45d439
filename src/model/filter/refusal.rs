//! Why a record was refused, for people: which key of which filter, never what the record holds.

use super::pattern::{Branch, Node, join};
use super::value::{Fields, Value};

/// The first key at which a filter refused a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("filter {filter} refused it at {key}: {why}")]
pub struct Refusal {
    /// Which pattern, from 0.
    pub filter: usize,
    /// The key, dotted from the root; `$or` for the alternatives of one.
    pub key: String,
    /// What was found there.
    pub why: Why,
}

/// What a refused record holds at the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Nothing.
    #[error("the key is not there")]
    Missing,
    /// Pitfall 11.17: the pattern looks into a payload that is plain text.
    #[error("the payload is no JSON object")]
    PayloadIsNotJson,
    /// An object, or no scalar at all, where the pattern lists values.
    #[error("it holds no plain value")]
    NotALeaf,
    /// Something that no alternative accepts; of a list of objects: no single one satisfies all keys.
    #[error("nothing that the pattern lists accepts its value")]
    NoMatch,
}

/// Where the branches, which do not hold of the object, fail first.
pub(super) fn find(branches: &[Branch], fields: Option<&Fields<'_>>, path: &str) -> (String, Why) {
    let [branch] = branches else {
        return (join(path, "$or"), Why::NoMatch);
    };
    let value = |name: &str| fields.and_then(|fields| fields.get(name));
    let Some((name, node)) = branch.iter().find(|(name, node)| !node.holds(value(name))) else {
        return (path.to_owned(), Why::NoMatch);
    };
    let path = join(path, name);
    match (node, value(name)) {
        (Node::Inner(_), Some(Value::Plain(_))) => (path, Why::PayloadIsNotJson),
        (Node::Inner(branches), Some(Value::Object(fields))) => find(branches, Some(fields), &path),
        (Node::Inner(branches), None) => find(branches, None, &path),
        (Node::Leaf(_), None) => (path, Why::Missing),
        (Node::Leaf(_), Some(Value::Object(_))) => (path, Why::NotALeaf),
        (_, Some(_)) => (path, Why::NoMatch),
    }
}
