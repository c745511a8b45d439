//! What the expressions of a template come to, as far as the template and its parameters say.

use super::functions;
use super::{Inputs, below, plain};
use crate::config::error::{ConfigError, Place, one_line, quoted};
use crate::config::tree::{self, Entry, Node};
use crate::import::text::{Names, Text, Variable};
use crate::import::value::Value;

/// Why an expression is none.
#[derive(Debug)]
pub(super) struct Wrong {
    pub place: Place,
    pub what: String,
}

impl Wrong {
    pub fn new<T>(node: &Node, what: impl Into<String>) -> Result<T, Wrong> {
        Err(Wrong {
            place: node.place.clone(),
            what: what.into(),
        })
    }

    /// As the user is told.
    pub fn at(self, path: &str) -> ConfigError {
        ConfigError {
            file: self.place.file.to_string(),
            line: self.place.line,
            path: one_line(path),
            what: one_line(&self.what),
        }
    }
}

/// `None` where the property is not there: `AWS::NoValue`.
pub(super) type Evaluated = Result<Option<Value>, Wrong>;

/// A template under evaluation.
pub(super) struct Scope<'a> {
    root: &'a Node,
    pub inputs: &'a Inputs,
    names: Names,
    /// Resources and conditions whose names or values are being found out.
    visiting: Vec<String>,
    steps: usize,
    /// `Orders.BatchSize`: names in variables what has no name of its own.
    near: String,
}

/// References to references: AWS's own templates have some three.
const CHAIN_MAX: usize = 50;
/// A template has at most 1 MB; whoever needs more steps multiplies references on purpose.
const STEPS_MAX: usize = 1_000_000;
/// What references may be put together to.
const TEXT_BYTES_MAX: usize = 64 * 1024;

impl<'a> Scope<'a> {
    pub fn new(root: &'a Node, inputs: &'a Inputs) -> Self {
        Scope {
            root,
            inputs,
            names: Names::default(),
            visiting: Vec::new(),
            steps: 0,
            near: String::new(),
        }
    }

    /// An entry of a section: a resource, a parameter, a condition.
    pub fn declared(&self, section: &str, name: &str) -> Option<&'a Node> {
        below(below(self.root, section)?, name)
    }

    /// The value of a property; `near` names what has no name of its own.
    pub fn property(&mut self, node: &'a Node, near: &str) -> Evaluated {
        near.clone_into(&mut self.near);
        self.value(node)
    }

    pub fn value(&mut self, node: &'a Node) -> Evaluated {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Wrong::new(node, format!("more than {STEPS_MAX} values to evaluate"));
        }
        Ok(Some(match &node.value {
            tree::Value::Null | tree::Value::Broken => return Ok(None),
            tree::Value::Bool(value) => Value::Bool(*value),
            tree::Value::Int(value) => Value::Int(*value),
            tree::Value::Float(raw) => Value::Float(raw.clone()),
            tree::Value::Text(text) => Value::text(&text.text),
            tree::Value::List(items) => {
                let mut values = Vec::new();
                for item in items {
                    values.extend(self.value(item)?);
                }
                Value::List(values)
            }
            tree::Value::Map(entries) => {
                if let Some((name, argument)) = function(entries) {
                    return functions::call(self, name, argument, node);
                }
                let mut values = Vec::new();
                for Entry { key, node } in entries {
                    if let Some(value) = self.value(node)? {
                        values.push((key.clone(), value));
                    }
                }
                Value::Map(values)
            }
        }))
    }

    /// The value as text, where it is one: numbers and switches are.
    pub fn text(&mut self, node: &'a Node) -> Result<Option<Text>, Wrong> {
        let text = self.value(node)?.and_then(as_text);
        match &text {
            Some(text) if text.len() > TEXT_BYTES_MAX => {
                Wrong::new(node, format!("comes to more than {TEXT_BYTES_MAX} bytes"))
            }
            Some(_) | None => Ok(text),
        }
    }

    /// What a reference stands for.
    pub fn reference(&mut self, name: &str, whole: &'a Node) -> Evaluated {
        if let Some(found) = self.pseudo(name, whole) {
            return Ok(found);
        }
        if let Some(parameter) = self.declared("Parameters", name) {
            return Ok(Some(self.parameter(name, parameter, whole)));
        }
        match self.declared("Resources", name) {
            Some(resource) => self.attribute(name, None, resource, whole),
            // What SAM makes of a function, a role for one, has a name that the template does not hold.
            None => Ok(Some(self.unknown(whole, Some(name), None))),
        }
    }

    fn pseudo(&mut self, name: &str, whole: &Node) -> Option<Option<Value>> {
        let given = |value: &Option<String>| value.as_deref().map(Value::text);
        let (value, sample) = match name {
            "AWS::NoValue" => return Some(None),
            "AWS::Region" => (given(&self.inputs.region), Some("us-east-1")),
            "AWS::AccountId" => (given(&self.inputs.account), Some("123456789012")),
            "AWS::StackName" => (given(&self.inputs.stack_name), Some("stack")),
            "AWS::Partition" => (Some(Value::text(self.partition())), None),
            "AWS::URLSuffix" => {
                let suffix = match self.partition() {
                    "aws-cn" => "amazonaws.com.cn",
                    _ => "amazonaws.com",
                };
                (Some(Value::text(suffix)), None)
            }
            name if name.starts_with("AWS::") => (None, None),
            _ => return None,
        };
        let sample = sample.map(str::to_owned);
        Some(Some(value.unwrap_or_else(|| {
            self.variable(name, &format!("!Ref {name}"), whole, sample)
        })))
    }

    /// Follows from the region; a template of which that is not known is for the first of them.
    pub fn partition(&self) -> &'static str {
        match self.inputs.region.as_deref() {
            Some(region) if region.starts_with("cn-") => "aws-cn",
            Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
            Some(_) | None => "aws",
        }
    }

    fn parameter(&mut self, name: &str, parameter: &'a Node, whole: &'a Node) -> Value {
        let kind = below(parameter, "Type").and_then(plain).unwrap_or("String");
        let list = kind == "CommaDelimitedList" || kind.starts_with("List<");
        // The default of such a one is the name under which the value is kept; and one of NoEcho is nobody's to print.
        let kept = kind.starts_with("AWS::SSM::Parameter::Value");
        let secret = below(parameter, "NoEcho").is_some_and(|node| match &node.value {
            tree::Value::Bool(secret) => *secret,
            _ => plain(node).is_some_and(|text| text.eq_ignore_ascii_case("true")),
        });
        let default = || match below(parameter, "Default").map(|node| &node.value) {
            _ if kept || secret => None,
            Some(tree::Value::Text(text)) => Some(text.text.clone()),
            Some(tree::Value::Bool(value)) => Some(value.to_string()),
            Some(tree::Value::Int(value)) => Some(value.to_string()),
            Some(tree::Value::Float(raw)) => Some(raw.clone()),
            Some(_) | None => None,
        };
        let given = self.inputs.parameters.get(name).cloned();
        match given.or_else(default) {
            Some(value) if list => {
                Value::List(value.split(',').map(str::trim).map(Value::text).collect())
            }
            Some(value) => Value::text(&value),
            None => self.unknown(whole, Some(name), None),
        }
    }

    /// Stands for an expression that the template does not say the value of.
    pub fn unknown(
        &mut self,
        whole: &Node,
        suggested: Option<&str>,
        sample: Option<String>,
    ) -> Value {
        let suggested = suggested.map_or_else(|| self.near.clone(), str::to_owned);
        self.variable(&suggested, &expression(whole), whole, sample)
    }

    /// Stands for what the template does not say: `expression`.
    pub fn variable(
        &mut self,
        suggested: &str,
        expression: &str,
        at: &Node,
        sample: Option<String>,
    ) -> Value {
        Value::Text(Text::variable(Variable {
            name: self.names.of(suggested, expression),
            stands_for: format!("{expression}, {}", at.place),
            sample,
        }))
    }

    /// Runs `work` while `name` is being found out; one that needs itself for that is wrong.
    pub fn within<T>(
        &mut self,
        name: &str,
        whole: &Node,
        work: impl FnOnce(&mut Self) -> Result<T, Wrong>,
    ) -> Result<T, Wrong> {
        if let Some(at) = self.visiting.iter().position(|visited| visited == name) {
            let way = self.visiting[at..].join(" -> ");
            return Wrong::new(whole, format!("refers to itself: {way} -> {name}"));
        }
        if self.visiting.len() == CHAIN_MAX {
            return Wrong::new(
                whole,
                format!("more than {CHAIN_MAX} references in a chain"),
            );
        }
        self.visiting.push(name.to_owned());
        let result = work(self);
        self.visiting.pop();
        result
    }
}

/// The function of a mapping that is the call of one.
pub(super) fn function(entries: &[Entry]) -> Option<(&str, &Node)> {
    match entries {
        [Entry { key, node }] if key == "Ref" || key.starts_with("Fn::") => {
            Some((key.as_str(), node))
        }
        _ => None,
    }
}

pub(super) fn as_text(value: Value) -> Option<Text> {
    match value {
        Value::Bool(value) => Some(Text::literal(&value.to_string())),
        Value::Int(value) => Some(Text::literal(&value.to_string())),
        Value::Float(raw) => Some(Text::literal(&raw)),
        Value::Text(text) => Some(text),
        Value::List(_) | Value::Map(_) => None,
    }
}

/// An expression as people write it: `!GetAtt Orders.Arn`.
fn expression(node: &Node) -> String {
    let mut shown = String::new();
    show(node, &mut shown);
    match shown.char_indices().nth(EXPRESSION_CHARS_MAX) {
        None => shown,
        Some((end, _)) => format!("{}...", &shown[..end]),
    }
}

const EXPRESSION_CHARS_MAX: usize = 120;

fn show(node: &Node, out: &mut String) {
    if out.len() > 4 * EXPRESSION_CHARS_MAX {
        return;
    }
    let list = |out: &mut String, items: Vec<(Option<&str>, &Node)>| {
        for (index, (key, item)) in items.into_iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            if let Some(key) = key {
                out.push_str(&format!("{key}: "));
            }
            show(item, out);
        }
    };
    match &node.value {
        tree::Value::Map(entries) => match function(entries) {
            Some((name, argument)) => {
                out.push_str(&format!("!{} ", name.trim_start_matches("Fn::")));
                show(argument, out);
            }
            None => {
                out.push('{');
                let entries = entries.iter().map(|entry| (Some(&*entry.key), &entry.node));
                list(out, entries.collect());
                out.push('}');
            }
        },
        tree::Value::List(items) => {
            out.push('[');
            list(out, items.iter().map(|item| (None, item)).collect());
            out.push(']');
        }
        tree::Value::Text(text) => {
            let simple = |c: char| c.is_ascii_graphic() && !matches!(c, ',' | '"' | '\'');
            match !text.text.is_empty() && text.text.chars().all(simple) {
                true => out.push_str(&text.text),
                false => out.push_str(&quoted(&text.text)),
            }
        }
        other => out.push_str(&other.describe()),
    }
}
