//! The values of a mapping's settings, whatever they were read from.

use super::text::{Text, Variable};

/// A setting's value. Mappings keep the order in which they were written.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number, as written.
    Float(String),
    /// Text, perhaps with parts that are not known.
    Text(Text),
    /// A list.
    List(Vec<Value>),
    /// A mapping.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// Text that is known.
    pub fn text(text: &str) -> Self {
        Self::Text(Text::literal(text))
    }

    /// As JSON has it; `None` of null.
    pub fn from_json(json: &serde_json::Value) -> Option<Self> {
        use serde_json::Value as Json;
        Some(match json {
            Json::Null => return None,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => {
                let raw = number.to_string();
                // AWS prints the seconds of a time as `1789650000.0`.
                match raw.strip_suffix(".0").unwrap_or(&raw).parse() {
                    Ok(value) => Self::Int(value),
                    Err(_) => Self::Float(raw),
                }
            }
            Json::String(text) => Self::text(text),
            Json::Array(items) => Self::List(items.iter().filter_map(Self::from_json).collect()),
            Json::Object(entries) => {
                let entry = |(key, value)| Some((String::clone(key), Self::from_json(value)?));
                Self::Map(entries.iter().filter_map(entry).collect())
            }
        })
    }

    /// Says nothing: empty text, an empty list, or a mapping whose values all say nothing.
    pub fn hollow(&self) -> bool {
        match self {
            Self::Bool(_) | Self::Int(_) | Self::Float(_) => false,
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Map(entries) => entries.iter().all(|(_, value)| value.hollow()),
        }
    }

    /// The text, where it is all known.
    pub fn known(&self) -> Option<&str> {
        match self {
            Self::Text(text) => text.known(),
            Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// The value of a key, where this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Map(entries) => {
                let found = entries.iter().find(|(name, _)| name == key);
                found.map(|(_, value)| value)
            }
            Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    /// What of it is not known.
    pub fn variables(&self) -> Vec<&Variable> {
        match self {
            Self::Bool(_) | Self::Int(_) | Self::Float(_) => Vec::new(),
            Self::Text(text) => text.variables().collect(),
            Self::List(items) => items.iter().flat_map(Self::variables).collect(),
            Self::Map(entries) => entries
                .iter()
                .flat_map(|(_, value)| value.variables())
                .collect(),
        }
    }

    /// A number where text holds one: parameters of a template are always text.
    #[must_use]
    pub fn as_number(self) -> Self {
        let number = self.known().map(str::trim).and_then(|text| {
            let float = || text.parse::<f64>().ok().map(|_| text.to_owned());
            let whole = text.parse().ok().map(Self::Int);
            whole.or_else(|| float().map(Self::Float))
        });
        number.unwrap_or(self)
    }

    /// True or false where text says so: templates are YAML 1.1, where `yes` does.
    #[must_use]
    pub fn as_boolean(self) -> Self {
        let value = self.known().map(str::to_ascii_lowercase);
        match value.as_deref() {
            Some("true" | "yes" | "on") => Self::Bool(true),
            Some("false" | "no" | "off") => Self::Bool(false),
            Some(_) | None => self,
        }
    }
}
