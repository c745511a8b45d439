//! The settings of a mapping under AWS's names: each of the shape that AWS's model gives it, and none that it does not know.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fields::{FIELDS, Field};
use super::refusal::Refusal;
use super::shape::{Violations, member};
use crate::config::request::unknown_key;

/// Settings that a request gives. What it does not give, or gives as null, is not among them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Properties(Map<String, Value>);

impl Properties {
    /// Those of a request that creates a mapping.
    pub(super) fn of_create(body: Map<String, Value>) -> Result<Self, Refusal> {
        let mut violations = Violations::default();
        if body.get("FunctionName").is_none_or(Value::is_null) {
            violations.missing("functionName");
        }
        Self::checked(body, violations)
    }

    /// Those of a request that updates one.
    pub(super) fn of_update(body: Map<String, Value>) -> Result<Self, Refusal> {
        Self::checked(body, Violations::default())
    }

    /// Shapes before keys that nobody knows: AWS has no word for those, it does not look at them.
    fn checked(body: Map<String, Value>, mut violations: Violations) -> Result<Self, Refusal> {
        for Field { name, shape, .. } in &FIELDS {
            if let Some(value) = body.get(*name) {
                violations.check(&member(name), value, shape);
            }
        }
        violations.result()?;
        let known: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
        if let Some(key) = body.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(Refusal::invalid(unknown_key(key, &known)));
        }
        let given = body.into_iter().filter(|(_, value)| !value.is_null());
        Ok(Properties(given.collect()))
    }

    /// What a key is set to.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }

    pub(super) fn int(&self, key: &str) -> Option<i64> {
        self.get(key).and_then(Value::as_i64)
    }

    pub(super) fn remove(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key)
    }

    /// Under AWS's names, in no order that means anything.
    pub fn settings(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Without what says nothing: `{}`, `[]`, "" and all that holds no more than those.
    pub(super) fn spoken(self) -> Self {
        let spoken = self.0.into_iter().filter(|(_, value)| !hollow(value));
        Properties(spoken.collect())
    }

    /// With what an update gives in place of what was there; what it gives as `{}`, `[]` or "" is cleared. // spec: 1.2
    pub(super) fn updated(&self, update: &Properties) -> Self {
        let mut settings = self.0.clone();
        for (key, value) in &update.0 {
            settings.insert(key.clone(), value.clone());
        }
        Properties(settings).spoken()
    }

    /// The first of these keys that no update takes, and that is not as it was anyway.
    pub(super) fn fixed(&self, before: &Properties) -> Option<&'static str> {
        let fixed = FIELDS.iter().filter(|field| !field.updatable);
        let mut names = fixed.map(|field| field.name);
        names.find(|name| {
            let value = self.get(name);
            value.is_some() && value != before.get(name)
        })
    }
}

pub(super) fn hollow(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.values().all(hollow),
    }
}
