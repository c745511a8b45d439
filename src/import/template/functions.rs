//! The functions of templates that can be answered from the template; of the others the name is known.

use super::plain;
use super::scope::{Evaluated, Scope, Wrong, as_text};
use crate::config::error::quoted;
use crate::config::tree::{self, Node};
use crate::import::text::Text;
use crate::import::value::Value;

/// Functions whose values are known only when a stack is made, or that say nothing of a mapping.
const OTHERS: [&str; 15] = [
    "Fn::And",
    "Fn::Base64",
    "Fn::Cidr",
    "Fn::Contains",
    "Fn::EachMemberEquals",
    "Fn::EachMemberIn",
    "Fn::Equals",
    "Fn::GetAZs",
    "Fn::GetStackOutput",
    "Fn::ImportValue",
    "Fn::Length",
    "Fn::Not",
    "Fn::Or",
    "Fn::ToJsonString",
    "Fn::Transform",
];

/// The value of `name` of `argument`; `whole` is the call.
pub(super) fn call<'a>(
    scope: &mut Scope<'a>,
    name: &str,
    argument: &'a Node,
    whole: &'a Node,
) -> Evaluated {
    match name {
        "Ref" => match plain(argument) {
            Some(name) => scope.reference(name, whole),
            None => takes(argument, "Ref takes a name"),
        },
        "Fn::GetAtt" => get_att(scope, argument, whole),
        "Fn::Sub" => sub(scope, argument, whole),
        "Fn::Join" => join(scope, argument, whole),
        "Fn::Select" => select(scope, argument, whole),
        "Fn::Split" => split(scope, argument, whole),
        "Fn::FindInMap" => find_in_map(scope, argument, whole),
        "Fn::If" => conditional(scope, argument, whole),
        "Fn::ImportValue" => {
            let exported = scope.text(argument)?;
            let name = exported.as_ref().and_then(Text::known);
            Ok(Some(scope.unknown(whole, name, None)))
        }
        name if OTHERS.contains(&name) => Ok(Some(scope.unknown(whole, None, None))),
        name => takes(
            whole,
            &format!(
                "{} is no function of a template; expected one such as Ref, Fn::GetAtt or Fn::Sub",
                quoted(name)
            ),
        ),
    }
}

fn takes<T>(node: &Node, what: &str) -> Result<T, Wrong> {
    Wrong::new(node, what)
}

fn list<'a, const N: usize>(argument: &'a Node, what: &str) -> Result<[&'a Node; N], Wrong> {
    let items = match &argument.value {
        tree::Value::List(items) => items.iter().collect::<Vec<_>>().try_into().ok(),
        _ => None,
    };
    match items {
        Some(items) => Ok(items),
        None => takes(argument, what),
    }
}

fn get_att<'a>(scope: &mut Scope<'a>, argument: &'a Node, whole: &'a Node) -> Evaluated {
    const TAKES: &str = "Fn::GetAtt takes RESOURCE.ATTRIBUTE or [RESOURCE, ATTRIBUTE]";
    let (logical, attribute) = match plain(argument) {
        Some(text) => match text.split_once('.') {
            Some((logical, attribute)) => (logical, attribute.to_owned()),
            None => return takes(argument, TAKES),
        },
        None => {
            let [logical, attribute] = list(argument, TAKES)?;
            let Some(logical) = plain(logical) else {
                return takes(argument, TAKES);
            };
            let attribute = scope.text(attribute)?;
            match attribute.as_ref().and_then(Text::known) {
                Some(attribute) => (logical, attribute.to_owned()),
                None => return Ok(Some(scope.unknown(whole, None, None))),
            }
        }
    };
    attribute_of(scope, logical, &attribute, whole)
}

fn attribute_of<'a>(
    scope: &mut Scope<'a>,
    logical: &str,
    attribute: &str,
    whole: &'a Node,
) -> Evaluated {
    match scope.declared("Resources", logical) {
        Some(resource) => scope.attribute(logical, Some(attribute), resource, whole),
        None => {
            let name = format!("{logical}.{attribute}");
            Ok(Some(scope.unknown(whole, Some(&name), None)))
        }
    }
}

/// `"arn:${AWS::Partition}:..."`, or that with values for names of its own; `${!x}` is `${x}` itself.
fn sub<'a>(scope: &mut Scope<'a>, argument: &'a Node, whole: &'a Node) -> Evaluated {
    const TAKES: &str = "Fn::Sub takes a text, or [text, {NAME: value}]";
    let (text, own) = match plain(argument) {
        Some(text) => (text, None),
        None => {
            let [text, own] = list(argument, TAKES)?;
            match (plain(text), &own.value) {
                (Some(text), tree::Value::Map(own)) => (text, Some(own)),
                _ => return takes(argument, TAKES),
            }
        }
    };
    let mut put = Text::default();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once("${") {
        put.push(Text::literal(before));
        let Some((name, after)) = inside.split_once('}') else {
            return takes(argument, "a \"${\" without its \"}\"");
        };
        rest = after;
        if let Some(literal) = name.strip_prefix('!') {
            put.push(Text::literal(&format!("${{{literal}}}")));
            continue;
        }
        let name = name.trim();
        let own = own.and_then(|own| own.iter().find(|entry| entry.key == name));
        let value = match (own, name.split_once('.')) {
            (Some(own), _) => scope.value(&own.node)?,
            (None, None) => scope.reference(name, whole)?,
            (None, Some((logical, attribute))) => attribute_of(scope, logical, attribute, whole)?,
        };
        match value.map(as_text) {
            Some(Some(text)) => put.push(text),
            // A list has no place in a text.
            Some(None) => return Ok(Some(scope.unknown(whole, None, None))),
            None => {}
        }
    }
    put.push(Text::literal(rest));
    Ok(Some(Value::Text(put)))
}

fn join<'a>(scope: &mut Scope<'a>, argument: &'a Node, whole: &'a Node) -> Evaluated {
    const TAKES: &str = "Fn::Join takes [delimiter, [values]]";
    let [delimiter, values] = list(argument, TAKES)?;
    let Some(delimiter) = plain(delimiter) else {
        return takes(argument, TAKES);
    };
    let Some(Value::List(values)) = scope.value(values)? else {
        return Ok(Some(scope.unknown(whole, None, None)));
    };
    let mut joined = Text::default();
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            joined.push(Text::literal(delimiter));
        }
        match as_text(value) {
            Some(text) => joined.push(text),
            None => return Ok(Some(scope.unknown(whole, None, None))),
        }
    }
    Ok(Some(Value::Text(joined)))
}

fn select<'a>(scope: &mut Scope<'a>, argument: &'a Node, whole: &'a Node) -> Evaluated {
    let [index, values] = list(argument, "Fn::Select takes [index, [values]]")?;
    let index = scope.text(index)?;
    let index: Option<usize> = index
        .as_ref()
        .and_then(Text::known)
        .and_then(|text| text.trim().parse().ok());
    let values = scope.value(values)?;
    match (index, values) {
        (Some(index), Some(Value::List(values))) => match values.into_iter().nth(index) {
            Some(value) => Ok(Some(value)),
            None => takes(argument, &format!("the list has no value {index}")),
        },
        _ => Ok(Some(scope.unknown(whole, None, None))),
    }
}

fn split<'a>(scope: &mut Scope<'a>, argument: &'a Node, whole: &'a Node) -> Evaluated {
    const TAKES: &str = "Fn::Split takes [delimiter, text]";
    let [delimiter, text] = list(argument, TAKES)?;
    let Some(delimiter) = plain(delimiter).filter(|delimiter| !delimiter.is_empty()) else {
        return takes(argument, TAKES);
    };
    let text = scope.text(text)?;
    match text.as_ref().and_then(Text::known) {
        Some(text) => {
            let parts = text.split(delimiter).map(Value::text);
            Ok(Some(Value::List(parts.collect())))
        }
        None => Ok(Some(scope.unknown(whole, None, None))),
    }
}

fn find_in_map<'a>(scope: &mut Scope<'a>, argument: &'a Node, whole: &'a Node) -> Evaluated {
    // A fourth element holds a default, which a transform puts in.
    if matches!(&argument.value, tree::Value::List(items) if items.len() == 4) {
        return Ok(Some(scope.unknown(whole, None, None)));
    }
    let [map, first, second] = list(argument, "Fn::FindInMap takes [map, key, second key]")?;
    let mut keys = Vec::new();
    for node in [map, first, second] {
        let text = scope.text(node)?;
        match text.as_ref().and_then(Text::known) {
            Some(key) => keys.push(key.to_owned()),
            None => return Ok(Some(scope.unknown(whole, None, None))),
        }
    }
    let found = scope
        .declared("Mappings", &keys[0])
        .and_then(|map| super::below(map, &keys[1]))
        .and_then(|first| super::below(first, &keys[2]));
    match found {
        Some(node) => scope.value(node),
        None => takes(
            whole,
            &format!("Mappings has no {}", quoted(&keys.join("."))),
        ),
    }
}

fn conditional<'a>(scope: &mut Scope<'a>, argument: &'a Node, whole: &'a Node) -> Evaluated {
    const TAKES: &str = "Fn::If takes [condition, value, other value]";
    let [condition, holds, else_] = list(argument, TAKES)?;
    let Some(name) = plain(condition) else {
        return takes(argument, TAKES);
    };
    match scope.condition(name, whole)? {
        Some(true) => scope.value(holds),
        Some(false) => scope.value(else_),
        None => Ok(Some(scope.unknown(whole, None, None))),
    }
}
