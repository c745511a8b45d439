//! A configuration file as a tree of plain values, each with the place where it stands.

use super::error::{Place, quoted};
use super::url::may_hold_a_secret;

/// A value and where it stands; the value of a key stands at the line of its key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub place: Place,
    pub value: Value,
}

/// YAML 1.2's core types.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Absent and null mean the same everywhere: AWS prints null for what is not set.
    Null,
    Bool(bool),
    Int(i64),
    /// As written: no setting is a fraction, so that it is shown in messages only.
    Float(String),
    Text(Text),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Cannot be known and was reported: nobody reports it a second time.
    Broken,
}

/// Text of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub text: String,
    /// Part of it came from the environment, which holds nothing but text: `BatchSize: ${SIZE}` may still be a number.
    pub expanded: bool,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub key: String,
    pub node: Node,
}

impl Value {
    /// How a message names what was found.
    pub fn describe(&self) -> String {
        match self {
            Value::Null => "nothing".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => value.to_string(),
            Value::Float(raw) => raw.clone(),
            Value::Text(text) if may_hold_a_secret(&text.text) => {
                "text that may hold a secret".to_owned()
            }
            Value::Text(text) => quoted(&text.text),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
            Value::Broken => "what was refused above".to_owned(),
        }
    }

    /// Says nothing: null, empty text, an empty list, or a mapping whose values all say nothing (`{"OnFailure": {}}`).
    pub fn hollow(&self) -> bool {
        match self {
            Value::Null | Value::Broken => true,
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => false,
            Value::Text(text) => text.text.is_empty(),
            Value::List(items) => items.is_empty(),
            Value::Map(entries) => entries.iter().all(|entry| entry.node.value.hollow()),
        }
    }

    /// The type of an unquoted scalar by the core schema of YAML 1.2: `yes` and `0777` are no booleans and no octals.
    pub fn from_plain(raw: &str) -> Value {
        match raw {
            "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
            "true" | "True" | "TRUE" => return Value::Bool(true),
            "false" | "False" | "FALSE" => return Value::Bool(false),
            _ => {}
        }
        if let Some(number) = Value::number(raw) {
            return number;
        }
        Value::text(raw)
    }

    /// Text that was written as such.
    pub fn text(raw: &str) -> Value {
        Value::Text(Text {
            text: raw.to_owned(),
            expanded: false,
        })
    }

    fn number(raw: &str) -> Option<Value> {
        let based = raw
            .strip_prefix("0x")
            .map(|digits| (digits, 16))
            .or_else(|| raw.strip_prefix("0o").map(|digits| (digits, 8)));
        if let Some((digits, base)) = based {
            let all_digits = !digits.is_empty() && digits.chars().all(|c| c.is_digit(base));
            return all_digits.then(|| match i64::from_str_radix(digits, base) {
                Ok(value) => Value::Int(value),
                Err(_) => Value::Float(raw.to_owned()),
            });
        }
        if let Ok(value) = raw.parse::<i64>() {
            return Some(Value::Int(value));
        }
        is_float(raw).then(|| Value::Float(raw.to_owned()))
    }
}

/// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`, or an infinity, or not a number.
fn is_float(raw: &str) -> bool {
    let unsigned = raw.strip_prefix(['-', '+']).unwrap_or(raw);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(raw, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let some_digits = !whole.is_empty() || !fraction.is_empty();
    let exponent_holds = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    some_digits && digits(whole) && digits(fraction) && exponent_holds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unquoted_scalars_have_the_types_of_yaml_1_2() {
        let float = |raw: &str| Value::Float(raw.to_owned());
        let cases = [
            ("", Value::Null),
            ("~", Value::Null),
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("FALSE", Value::Bool(false)),
            ("yes", Value::text("yes")),
            ("on", Value::text("on")),
            ("10", Value::Int(10)),
            ("-7", Value::Int(-7)),
            ("+7", Value::Int(7)),
            ("0777", Value::Int(777)),
            ("0o17", Value::Int(15)),
            ("0x1F", Value::Int(31)),
            ("0x", Value::text("0x")),
            ("0x-1", Value::text("0x-1")),
            ("99999999999999999999", float("99999999999999999999")),
            ("1.5", float("1.5")),
            ("1.", float("1.")),
            (".5", float(".5")),
            ("1e3", float("1e3")),
            ("-.inf", float("-.inf")),
            (".nan", float(".nan")),
            (".", Value::text(".")),
            ("1e", Value::text("1e")),
            ("1.2.3", Value::text("1.2.3")),
            ("12:30:45", Value::text("12:30:45")),
            ("orders", Value::text("orders")),
        ];
        for (raw, expected) in cases {
            assert_eq!(Value::from_plain(raw), expected, "{raw:?}");
        }
    }
}
