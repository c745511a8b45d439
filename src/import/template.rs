//! Templates of CloudFormation and SAM, YAML or JSON -> mappings that were found.

mod conditions;
mod events;
mod functions;
mod resources;
mod scope;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::value::Value;
use super::{Absence, Found, Note};
use crate::config::error::{ConfigError, Place};
use crate::config::tree::{self, Entry, Node};
use crate::config::yaml::{Dialect, Unreadable, document};
use scope::{Scope, Wrong};

/// What a template leaves open and whoever deploys it decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Values of parameters; they win over defaults.
    pub parameters: BTreeMap<String, String>,
    /// `AWS::Region`, from which `AWS::Partition` follows.
    pub region: Option<String>,
    /// `AWS::AccountId`.
    pub account: Option<String>,
    /// `AWS::StackName`.
    pub stack_name: Option<String>,
}

const MAPPING: &str = "AWS::Lambda::EventSourceMapping";
const FUNCTION: &str = "AWS::Serverless::Function";
const NESTED: &str = "AWS::CloudFormation::Stack";
const SAM_NESTED: &str = "AWS::Serverless::Application";
/// The transform of loops makes resources of these before anything is deployed.
const LOOP: &str = "Fn::ForEach";

/// The mappings of a template, in its order. `file` names it in messages.
///
/// # Errors
/// What is no template, has no mapping, or could not be deployed by anybody: all of it, in the order of the lines.
pub fn found(file: &str, text: &str, inputs: &Inputs) -> Result<Vec<Found>, Vec<ConfigError>> {
    let file: Arc<str> = file.into();
    let nowhere = Place {
        file: Arc::clone(&file),
        line: 0,
    };
    let root = match document(&file, text, Dialect::Template) {
        Ok(Some(root)) => root,
        Ok(None) => {
            let what = "the file is empty; expected a template with Resources";
            return Err(vec![error(&nowhere, "", what)]);
        }
        Err(Unreadable { line, what }) => {
            let place = Place { file, line };
            return Err(vec![error(&place, "", &what)]);
        }
    };
    let Some(tree::Value::Map(resources)) = below(&root, "Resources").map(|node| &node.value)
    else {
        let what = "no Resources: is this a template of CloudFormation or SAM?";
        return Err(vec![error(&nowhere, "", what)]);
    };
    let mut scope = Scope::new(&root, inputs);
    let mut errors = unknown_parameters(&root, inputs, &nowhere);
    repeated(resources, "Resources", &mut errors);
    let mut found = Vec::new();
    for Entry { key, node } in resources {
        match below(node, "Type").and_then(plain) {
            Some(MAPPING) => mapping(key, node, &mut scope, &mut errors, &mut found),
            Some(FUNCTION) => events::read(key, node, &mut scope, &mut errors, &mut found),
            Some(NESTED | SAM_NESTED) => found.push(unfollowed(
                key,
                node,
                "a stack of its own, with a template of its own to import",
            )),
            None if key.starts_with(LOOP) => found.push(unfollowed(
                key,
                node,
                "loops are not expanded; import what `aws cloudformation get-template --template-stage Processed` prints",
            )),
            Some(_) | None => {}
        }
    }
    if found.is_empty() && errors.is_empty() {
        let what =
            format!("no {MAPPING}, and no {FUNCTION} with Events of type SQS, Kinesis or DynamoDB");
        errors.push(error(&nowhere, "", &what));
    }
    errors.sort_by_key(|error| error.line);
    match errors.is_empty() {
        true => Ok(found),
        false => Err(errors),
    }
}

/// What may have mappings in it that can not be seen here.
fn unfollowed(key: &str, node: &Node, why: &str) -> Found {
    Found {
        origin: origin(&format!("Resources.{key}"), node),
        absent: Some(Absence::Unknown(why.to_owned())),
        ..Found::default()
    }
}

fn unknown_parameters(root: &Node, inputs: &Inputs, nowhere: &Place) -> Vec<ConfigError> {
    let parameters = below(root, "Parameters");
    let declared = |name: &str| parameters.is_some_and(|node| below(node, name).is_some());
    let unknown = inputs.parameters.keys().filter(|name| !declared(name));
    let what = |name| format!("--parameter {name}: the template has no such parameter");
    unknown
        .map(|name| error(nowhere, "", &what(name)))
        .collect()
}

fn mapping<'a>(
    logical: &'a str,
    node: &'a Node,
    scope: &mut Scope<'a>,
    errors: &mut Vec<ConfigError>,
    found: &mut Vec<Found>,
) {
    let path = format!("Resources.{logical}");
    let (notes, absent) = made(&path, node, scope, errors);
    let settings = match below(node, "Properties") {
        Some(properties) => {
            let path = format!("{path}.Properties");
            settings(logical, &path, properties, scope, errors)
        }
        None => Vec::new(),
    };
    found.push(Found {
        origin: origin(&path, node),
        name: Some(logical.to_owned()),
        kind: None,
        settings,
        notes,
        absent,
    });
}

/// Whether a resource with a condition is part of the stack, as far as that is known.
fn made<'a>(
    path: &str,
    node: &'a Node,
    scope: &mut Scope<'a>,
    errors: &mut Vec<ConfigError>,
) -> (Vec<Note>, Option<Absence>) {
    let Some(condition) = below(node, "Condition").and_then(plain) else {
        return (Vec::new(), None);
    };
    match scope.condition(condition, node) {
        Ok(Some(true)) => (Vec::new(), None),
        Ok(Some(false)) => {
            let why = format!("the condition {condition} does not hold with these parameters");
            (Vec::new(), Some(Absence::NotMade(why)))
        }
        Ok(None) => {
            let what = format!("only where the condition {condition} holds, which is not known");
            (vec![Note::remark(what)], None)
        }
        Err(wrong) => {
            errors.push(wrong.at(path));
            (Vec::new(), None)
        }
    }
}

/// The values of properties, each evaluated; `near` names in variables what has no name of its own.
fn settings<'a>(
    near: &str,
    path: &str,
    properties: &'a Node,
    scope: &mut Scope<'a>,
    errors: &mut Vec<ConfigError>,
) -> Vec<(String, Value)> {
    let tree::Value::Map(entries) = &properties.value else {
        let found = properties.value.describe();
        let what = format!("expected a mapping, found {found}");
        errors.push(error(&properties.place, path, &what));
        return Vec::new();
    };
    repeated(entries, path, errors);
    let mut settings = Vec::new();
    for Entry { key, node } in entries {
        match scope.property(node, &format!("{near}.{key}")) {
            Ok(Some(value)) => settings.push((api_name(key).to_owned(), value)),
            Ok(None) => {}
            Err(wrong) => errors.push(wrong.at(&format!("{path}.{key}"))),
        }
    }
    settings
}

/// Where a template calls a setting otherwise than the API does.
fn api_name(key: &str) -> &str {
    match key {
        "KmsKeyArn" => "KMSKeyArn",
        key => key,
    }
}

fn repeated(entries: &[Entry], path: &str, errors: &mut Vec<ConfigError>) {
    let mut seen = BTreeSet::new();
    for Entry { key, node } in entries {
        if !seen.insert(key) {
            errors.push(error(&node.place, &format!("{path}.{key}"), "set twice"));
        }
    }
}

fn origin(path: &str, node: &Node) -> String {
    format!("{path}, {}", node.place)
}

/// The value of a key, where this is a mapping that has it.
fn below<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    let tree::Value::Map(entries) = &node.value else {
        return None;
    };
    let found = entries.iter().find(|entry| entry.key == key);
    found.map(|entry| &entry.node)
}

/// Text that stands there as such.
fn plain(node: &Node) -> Option<&str> {
    match &node.value {
        tree::Value::Text(text) => Some(&text.text),
        _ => None,
    }
}

fn error(place: &Place, path: &str, what: &str) -> ConfigError {
    Wrong {
        place: place.clone(),
        what: what.to_owned(),
    }
    .at(path)
}
