//! Patterns that are valid and yet hardly mean what their author wants: a refused record is settled for good.

use std::collections::BTreeSet;

use super::matcher::{Matcher, Scalar};
use super::pattern::join;
use super::plan::{Check, Plan};
use super::source::{Holds, Source};

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
    #[error("no {0} has this key when filters run, so that only exists: false can hold")]
    NeverThere(Source),
    /// Pitfall 11.20 once more: the type of the attribute is missing between it and the values. // spec: 7.4
    #[error(
        "an attribute's value lies under its type (such as S, N, BOOL): without it nothing but exists: false holds, and that always does"
    )]
    NoType,
    /// Numbers, booleans and null where a record only ever has strings.
    #[error("always a string, and nothing listed here accepts one")]
    StringsOnly,
    /// Strings, booleans and null where a record only ever has a number.
    #[error("always a number, and nothing listed here accepts one")]
    NumbersOnly,
    /// Strings, numbers and null where a record only ever has true or false.
    #[error("always true or false, and nothing listed here accepts one of them")]
    BooleansOnly,
    /// A value in the wrong case, such as `insert`, or of another source.
    #[error("always one of {}, of which nothing listed here accepts one", .0.join(", "))]
    NoneOf(&'static [&'static str]),
    /// Pitfall 11.17: text that is JSON is compared as JSON only. // spec: 7.3
    #[error(
        "a body that is JSON is never compared as a string: ask for its keys, as in {{\"body\":{{\"key\":[..]}}}}"
    )]
    JsonAsText,
    /// Pitfalls 11.17 and 11.20: whether there is a body is not what this asks. // spec: 7.3
    #[error(
        "exists tells a body of plain text from a JSON object or array, which is no leaf: every message has a body"
    )]
    BodyExists,
    /// Pitfall 11.18: `{"N": [{"numeric": [">", 100]}]}` holds of no item.
    #[error(
        "DynamoDB's numbers are strings of digits, which no number and no numeric ever matches"
    )]
    NumberIsText,
    /// A portability trap: we take such patterns, AWS may not.
    #[error("so many wildcards that AWS may refuse the pattern as too complex")]
    ManyWildcards,
}

/// Looks for traps in a pattern.
pub(super) fn traps(plan: &Plan, source: Source) -> BTreeSet<(String, Trap)> {
    let mut paths = BTreeSet::new();
    each_leaf(plan, "", &mut |path, _| {
        paths.insert(path.to_owned());
    });
    let mut traps = BTreeSet::new();
    each_leaf(plan, "", &mut |path, alternatives| {
        let below = format!("{path}.");
        let above_another = paths
            .range(below.clone()..)
            .next()
            .is_some_and(|next| next.starts_with(&below));
        let trap = match source.holds(path) {
            Holds::Nothing => Some(Trap::NeverThere(source)),
            Holds::Untyped => Some(Trap::NoType),
            Holds::Object => Some(Trap::NotALeaf),
            scalar @ (Holds::Text
            | Holds::OneOf(_)
            | Holds::Body
            | Holds::NumberText
            | Holds::Number
            | Holds::Bool
            | Holds::Anything) => {
                if above_another {
                    Some(Trap::NotALeaf)
                } else {
                    never_accepted(scalar, alternatives)
                }
            }
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

/// Alternatives that ask for another kind of scalar than the one that is always there.
fn never_accepted(holds: Holds, alternatives: &[Matcher]) -> Option<Trap> {
    let none = |accepts: fn(&Matcher) -> bool| !alternatives.iter().any(accepts);
    let (trapped, trap) = match holds {
        Holds::Body if alternatives.iter().any(Matcher::asks_existence) => (true, Trap::BodyExists),
        Holds::Body if alternatives.iter().any(Matcher::spells_json) => (true, Trap::JsonAsText),
        Holds::Text | Holds::Body => (none(Matcher::accepts_strings), Trap::StringsOnly),
        Holds::OneOf(_) if none(Matcher::accepts_strings) => (true, Trap::StringsOnly),
        Holds::OneOf(texts) => {
            let accepted = texts.iter().any(|text| {
                let scalar = Scalar::Text(text);
                alternatives
                    .iter()
                    .any(|one| one.accepts(&scalar) || one.asks_existence())
            });
            (!accepted, Trap::NoneOf(texts))
        }
        Holds::Number => (none(Matcher::accepts_numbers), Trap::NumbersOnly),
        Holds::Bool => (none(Matcher::accepts_booleans), Trap::BooleansOnly),
        Holds::NumberText if !none(Matcher::names_a_number) => (true, Trap::NumberIsText),
        Holds::NumberText => (none(Matcher::accepts_strings), Trap::StringsOnly),
        Holds::Nothing | Holds::Object | Holds::Untyped | Holds::Anything => return None,
    };
    trapped.then_some(trap)
}

fn each_leaf(plan: &Plan, path: &str, visit: &mut impl FnMut(&str, &[Matcher])) {
    for test in plan.tests() {
        let path = join(path, &test.name);
        match &test.check {
            Check::Leaf(alternatives) => visit(&path, alternatives),
            Check::Inner(plan) => each_leaf(plan, &path, visit),
        }
    }
}
