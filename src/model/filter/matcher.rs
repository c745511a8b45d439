//! One alternative of a key: a literal or an operator, and whether a scalar of a record satisfies it.

use std::borrow::Cow;

use super::cidr::Cidr;
use super::error::Reason;
use super::number::{Decimal, OwnedDecimal};
use super::range::Range;
use super::text::TextTest;
use super::value::Value;
use super::wildcard::Wildcard;
use crate::model::json::{self, Level, Raw};

/// Names that operators take: an object that holds one as a key is no alternative of `$or`.
pub(super) const OPERATORS: [&str; 8] = [
    "anything-but",
    "cidr",
    "equals-ignore-case",
    "exists",
    "numeric",
    "prefix",
    "suffix",
    "wildcard",
];

/// What a pattern accepts for a key.
#[derive(Clone, Debug)]
pub(super) enum Matcher {
    Null,
    Bool(bool),
    Number(OwnedDecimal),
    Range(Range),
    Text(TextTest),
    /// Asks whether there is a scalar at all.
    Exists(bool),
    /// Any scalar that none of these accepts.
    AnythingBut(Vec<Matcher>),
}

/// A value that alternatives are compared with: no list, which is taken apart before, and no object, which none accepts.
/// A number is read here, once for all of them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar<'v> {
    Null,
    Bool(bool),
    Number(Decimal<'v>),
    Text(&'v str),
}

impl<'v> Scalar<'v> {
    pub(super) fn of(value: &'v Value<'_>) -> Option<Self> {
        match value {
            Value::Null => Some(Scalar::Null),
            Value::Bool(value) => Some(Scalar::Bool(*value)),
            Value::Number(text) => Some(Scalar::Number(Decimal::of(text))),
            Value::Text(text) => Some(Scalar::Text(text)),
            Value::Plain(text) => Some(Scalar::Text(text)),
            Value::List(_) | Value::Object(_) => None,
        }
    }
}

impl Matcher {
    /// Whether a scalar satisfies it.
    pub(super) fn accepts(&self, scalar: &Scalar<'_>) -> bool {
        match (self, scalar) {
            (Matcher::AnythingBut(refused), scalar) => {
                !refused.iter().any(|matcher| matcher.accepts(scalar))
            }
            (Matcher::Exists(wanted), _) => *wanted,
            (Matcher::Null, Scalar::Null) => true,
            (Matcher::Bool(expected), Scalar::Bool(value)) => expected == value,
            (Matcher::Number(expected), Scalar::Number(number)) => {
                expected.get().compare(*number).is_eq()
            }
            (Matcher::Range(range), Scalar::Number(number)) => range.holds(*number),
            (Matcher::Text(test), Scalar::Text(text)) => test.holds(text),
            (
                Matcher::Null
                | Matcher::Bool(_)
                | Matcher::Number(_)
                | Matcher::Range(_)
                | Matcher::Text(_),
                Scalar::Null | Scalar::Bool(_) | Scalar::Number(_) | Scalar::Text(_),
            ) => false,
        }
    }

    /// Whether it asks that there is no scalar.
    pub(super) fn accepts_absence(&self) -> bool {
        match self {
            Matcher::Exists(wanted) => !wanted,
            Matcher::Null | Matcher::Bool(_) | Matcher::Number(_) => false,
            Matcher::Range(_) | Matcher::Text(_) | Matcher::AnythingBut(_) => false,
        }
    }

    /// Whether it is `exists`.
    pub(super) fn asks_existence(&self) -> bool {
        matches!(self, Matcher::Exists(_))
    }

    /// Whether it compares with the text of a JSON object or array, or with how one begins.
    pub(super) fn spells_json(&self) -> bool {
        match self {
            Matcher::Text(TextTest::Equals(text)) => {
                text.trim_start().starts_with(['{', '[']) && json::check(text).is_ok()
            }
            Matcher::Text(TextTest::Prefix(text)) => text.trim_start().starts_with(['{', '[']),
            Matcher::AnythingBut(refused) => refused.iter().any(Matcher::spells_json),
            Matcher::Text(_) | Matcher::Null | Matcher::Bool(_) => false,
            Matcher::Number(_) | Matcher::Range(_) | Matcher::Exists(_) => false,
        }
    }

    /// Whether some string could satisfy it.
    pub(super) fn accepts_strings(&self) -> bool {
        match self {
            Matcher::Text(_) | Matcher::Exists(_) | Matcher::AnythingBut(_) => true,
            Matcher::Null | Matcher::Bool(_) | Matcher::Number(_) | Matcher::Range(_) => false,
        }
    }

    /// Whether some number could satisfy it.
    pub(super) fn accepts_numbers(&self) -> bool {
        match self {
            Matcher::Number(_) | Matcher::Range(_) => true,
            Matcher::Exists(_) | Matcher::AnythingBut(_) => true,
            Matcher::Null | Matcher::Bool(_) | Matcher::Text(_) => false,
        }
    }

    /// Whether `true` or `false` could satisfy it.
    pub(super) fn accepts_booleans(&self) -> bool {
        match self {
            Matcher::Bool(_) | Matcher::Exists(_) | Matcher::AnythingBut(_) => true,
            Matcher::Null | Matcher::Number(_) | Matcher::Range(_) | Matcher::Text(_) => false,
        }
    }

    /// Whether it is about a number, accepted or refused.
    pub(super) fn names_a_number(&self) -> bool {
        match self {
            Matcher::Number(_) | Matcher::Range(_) => true,
            Matcher::AnythingBut(refused) => refused.iter().any(Matcher::names_a_number),
            Matcher::Null | Matcher::Bool(_) | Matcher::Text(_) | Matcher::Exists(_) => false,
        }
    }

    /// The stars of its `wildcard`, of the longest one in an `anything-but`.
    pub(super) fn stars(&self) -> usize {
        match self {
            Matcher::Text(TextTest::Wildcard(wildcard)) => wildcard.stars(),
            Matcher::AnythingBut(refused) => refused.iter().map(Matcher::stars).max().unwrap_or(0),
            Matcher::Null | Matcher::Bool(_) | Matcher::Number(_) => 0,
            Matcher::Range(_) | Matcher::Text(_) | Matcher::Exists(_) => 0,
        }
    }

    /// Reads one alternative. // spec: 7.4 operators
    pub(super) fn parse(raw: &Raw) -> Result<Self, Reason> {
        Ok(match open(raw)? {
            Level::Null => Matcher::Null,
            Level::Bool(value) => Matcher::Bool(value),
            Level::Number(text) => Matcher::Number(Decimal::of(text).into()),
            Level::Text(text) => Matcher::Text(TextTest::Equals(text.into())),
            Level::List(_) => return Err(Reason::NotAValue),
            Level::Object(members) => {
                let (name, operand) = only(&members)?;
                Matcher::operator(name, operand)?
            }
        })
    }

    fn operator(name: &str, operand: &Raw) -> Result<Self, Reason> {
        let operand = open(operand)?;
        Ok(match (name, operand) {
            ("exists", Level::Bool(wanted)) => Matcher::Exists(wanted),
            ("exists", _) => return Err(Reason::NotABoolean),
            ("numeric", Level::List(items)) => Matcher::Range(Range::parse(&items)?),
            ("numeric", _) => return Err(Reason::NumericNotAList),
            ("anything-but", operand) => anything_but(operand)?,
            ("prefix", Level::Text(text)) => Matcher::Text(TextTest::Prefix(text.into())),
            ("prefix", operand) => {
                Matcher::Text(TextTest::prefix_ignore_case(&inner(operand, "prefix")?))
            }
            ("suffix", Level::Text(text)) => Matcher::Text(TextTest::Suffix(text.into())),
            ("suffix", operand) => {
                Matcher::Text(TextTest::suffix_ignore_case(&inner(operand, "suffix")?))
            }
            ("equals-ignore-case", Level::Text(text)) => {
                Matcher::Text(TextTest::equals_ignore_case(&text))
            }
            ("equals-ignore-case", _) => return Err(Reason::NotAString("equals-ignore-case")),
            ("wildcard", Level::Text(text)) => {
                Matcher::Text(TextTest::Wildcard(Wildcard::parse(&text)?))
            }
            ("wildcard", _) => return Err(Reason::NotAString("wildcard")),
            ("cidr", Level::Text(text)) => Matcher::Text(TextTest::Cidr(Cidr::parse(&text)?)),
            ("cidr", _) => return Err(Reason::NotAString("cidr")),
            (name, _) => return Err(Reason::UnknownOperator(name.into())),
        })
    }
}

/// `anything-but`: a scalar, a list of one kind, or one of four operators around a string or a list of strings.
fn anything_but(operand: Level<'_>) -> Result<Matcher, Reason> {
    let refused = match operand {
        Level::Text(text) => vec![Matcher::Text(TextTest::Equals(text.into()))],
        Level::Number(text) => vec![Matcher::Number(Decimal::of(text).into())],
        Level::Null | Level::Bool(_) => return Err(Reason::AnythingBut),
        Level::List(items) => {
            let refused = items
                .iter()
                .map(|item| scalar(item))
                .collect::<Result<Vec<_>, _>>()?;
            let strings = refused
                .iter()
                .filter(|matcher| matcher.accepts_strings())
                .count();
            match strings {
                _ if refused.is_empty() => return Err(Reason::EmptyArray),
                0 => refused,
                all if all == refused.len() => refused,
                _ => return Err(Reason::AnythingButMixed),
            }
        }
        Level::Object(members) => {
            let (name, operand) = only(&members)?;
            let test: fn(&str) -> Result<TextTest, Reason> = match name {
                "prefix" => |text| affix(text).map(|text| TextTest::Prefix(text.into())),
                "suffix" => |text| affix(text).map(|text| TextTest::Suffix(text.into())),
                "equals-ignore-case" => |text| Ok(TextTest::equals_ignore_case(text)),
                "wildcard" => |text| Wildcard::parse(text).map(TextTest::Wildcard),
                other => return Err(Reason::AnythingButOperator(other.into())),
            };
            let texts = strings(operand)?;
            texts
                .iter()
                .map(|text| test(text).map(Matcher::Text))
                .collect::<Result<_, _>>()?
        }
    };
    Ok(Matcher::AnythingBut(refused))
}

fn scalar(raw: &Raw) -> Result<Matcher, Reason> {
    match open(raw)? {
        Level::Text(text) => Ok(Matcher::Text(TextTest::Equals(text.into()))),
        Level::Number(text) => Ok(Matcher::Number(Decimal::of(text).into())),
        Level::Null | Level::Bool(_) | Level::List(_) | Level::Object(_) => {
            Err(Reason::AnythingButMember)
        }
    }
}

fn strings(operand: &Raw) -> Result<Vec<String>, Reason> {
    match open(operand)? {
        Level::Text(text) => Ok(vec![text.into()]),
        Level::List(items) if items.is_empty() => Err(Reason::EmptyArray),
        Level::List(items) => items
            .iter()
            .map(|item| match open(item)? {
                Level::Text(text) => Ok(text.into()),
                Level::Null
                | Level::Bool(_)
                | Level::Number(_)
                | Level::List(_)
                | Level::Object(_) => Err(Reason::AnythingButMember),
            })
            .collect(),
        Level::Null | Level::Bool(_) | Level::Number(_) | Level::Object(_) => {
            Err(Reason::AnythingBut)
        }
    }
}

fn affix(text: &str) -> Result<&str, Reason> {
    if text.is_empty() {
        Err(Reason::EmptyAffix)
    } else {
        Ok(text)
    }
}

/// The string of `{"equals-ignore-case": "..."}`, the one operator that `prefix` and `suffix` take.
fn inner(operand: Level<'_>, operator: &'static str) -> Result<String, Reason> {
    let Level::Object(members) = operand else {
        return Err(Reason::NotAString(operator));
    };
    match only(&members)? {
        ("equals-ignore-case", operand) => match open(operand)? {
            Level::Text(text) => Ok(text.into()),
            Level::Null | Level::Bool(_) | Level::Number(_) | Level::List(_) | Level::Object(_) => {
                Err(Reason::NotAString("equals-ignore-case"))
            }
        },
        _ => Err(Reason::NotAString(operator)),
    }
}

fn only<'m>(members: &'m [(Cow<'_, str>, &'m Raw)]) -> Result<(&'m str, &'m Raw), Reason> {
    match members {
        [] => Err(Reason::NoOperator),
        [(name, operand)] => Ok((name, operand)),
        [_, _, ..] => Err(Reason::TwoOperators),
    }
}

pub(super) fn open(raw: &Raw) -> Result<Level<'_>, Reason> {
    json::open(raw).map_err(|error| Reason::NotJson(error.to_string()))
}
