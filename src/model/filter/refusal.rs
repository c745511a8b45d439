//! Why a record was refused, for people: which key of which filter, never what the record holds.

use super::pattern::join;
use super::plan::{Check, Plan};
use super::value::{Fields, Value};

/// The first key at which one filter refused a record.
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

impl Why {
    /// A word for programs, which stays when the sentence is improved.
    pub fn name(self) -> &'static str {
        match self {
            Why::Missing => "missing",
            Why::PayloadIsNotJson => "payload_is_not_json",
            Why::NotALeaf => "not_a_leaf",
            Why::NoMatch => "no_match",
        }
    }
}

/// Where the plan, which does not hold of the object, fails first.
pub(super) fn find(plan: &Plan, fields: Option<&Fields<'_>>, path: &str) -> (String, Why) {
    let Some(test) = plan.refuses(fields) else {
        return (join(path, "$or"), Why::NoMatch);
    };
    let path = join(path, &test.name);
    match (&test.check, test.value(fields)) {
        (Check::Inner(_), Some(Value::Plain(_))) => (path, Why::PayloadIsNotJson),
        (Check::Inner(plan), Some(Value::Object(fields))) => find(plan, Some(fields), &path),
        (Check::Inner(plan), None) => find(plan, None, &path),
        (Check::Leaf(_), None) => (path, Why::Missing),
        (Check::Leaf(_), Some(Value::Object(_))) => (path, Why::NotALeaf),
        (Check::Inner(_) | Check::Leaf(_), Some(_)) => (path, Why::NoMatch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_a_word_for_programs() {
        for (why, name) in [
            (Why::Missing, "missing"),
            (Why::PayloadIsNotJson, "payload_is_not_json"),
            (Why::NotALeaf, "not_a_leaf"),
            (Why::NoMatch, "no_match"),
        ] {
            assert_eq!(why.name(), name);
        }
    }
}
