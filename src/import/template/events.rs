//! SAM: the `Events` of a function that are event source mappings.

use super::scope::{Scope, Wrong};
use super::{below, error, made, origin, plain, settings};
use crate::config::error::ConfigError;
use crate::config::tree::{self, Entry, Node};
use crate::import::document::SAMPLE_QUEUE;
use crate::import::text::Text;
use crate::import::value::Value;
use crate::import::{Found, Kind};

/// Adds the mappings that SAM makes of a function's events.
pub(super) fn read<'a>(
    logical: &'a str,
    function: &'a Node,
    scope: &mut Scope<'a>,
    errors: &mut Vec<ConfigError>,
    found: &mut Vec<Found>,
) {
    let events = below(function, "Properties").and_then(|node| below(node, "Events"));
    let Some(tree::Value::Map(events)) = events.map(|node| &node.value) else {
        return;
    };
    for Entry { key: event, node } in events {
        let kind = below(node, "Type").and_then(plain).and_then(kind);
        let Some(kind) = kind else {
            continue;
        };
        let path = format!("Resources.{logical}.Properties.Events.{event}");
        // As SAM calls the mapping.
        let name = format!("{logical}{event}");
        let (notes, absent) = made(&path, function, scope, errors);
        let properties = match below(node, "Properties") {
            Some(properties) => {
                let path = format!("{path}.Properties");
                settings(&name, &path, properties, scope, errors)
            }
            None => Vec::new(),
        };
        let mut settings: Vec<(String, Value)> = properties.into_iter().map(renamed).collect();
        made_destination(&mut settings, &name, node, scope);
        match called(logical, function, scope) {
            Ok(called) => settings.push(("FunctionName".to_owned(), called)),
            Err(wrong) => errors.push(wrong.at(&format!("Resources.{logical}"))),
        }
        if below(node, "Properties").is_none() {
            errors.push(error(&node.place, &path, "Properties are missing"));
        }
        found.push(Found {
            origin: origin(&path, node),
            name: Some(name),
            kind: Some(kind),
            settings,
            notes,
            absent,
        });
    }
}

/// The events that are mappings; those of others (`Api`, `Schedule`, ...) are none.
fn kind(event: &str) -> Option<Kind> {
    Some(match event {
        "SQS" => Kind::Queue,
        "Kinesis" => Kind::Kinesis,
        "DynamoDB" => Kind::DynamoDb,
        "MSK" => Kind::Foreign("an Amazon MSK cluster"),
        "SelfManagedKafka" => Kind::Foreign("a Kafka cluster of your own"),
        "MQ" => Kind::Foreign("an Amazon MQ broker"),
        "DocumentDB" => Kind::Foreign("a DocumentDB cluster"),
        _ => return None,
    })
}

/// SAM's own names of the source.
fn renamed((key, value): (String, Value)) -> (String, Value) {
    match key.as_str() {
        "Queue" | "Stream" => ("EventSourceArn".to_owned(), value),
        _ => (key, value),
    }
}

/// `OnFailure: { Type: SQS }` without a destination has SAM make one.
fn made_destination(
    settings: &mut [(String, Value)],
    name: &str,
    event: &Node,
    scope: &mut Scope<'_>,
) {
    let config = settings
        .iter_mut()
        .find(|(key, _)| key == "DestinationConfig");
    let Some((_, Value::Map(config))) = config else {
        return;
    };
    let on_failure = config.iter_mut().find(|(key, _)| key == "OnFailure");
    let Some((_, Value::Map(on_failure))) = on_failure else {
        return;
    };
    let before = on_failure.len();
    on_failure.retain(|(key, _)| key != "Type");
    if on_failure.len() < before && on_failure.is_empty() {
        let expression = format!("the destination that SAM makes for {name}");
        let suggested = format!("{name}.OnFailure");
        let sample = Some(SAMPLE_QUEUE.to_owned());
        let made = scope.variable(&suggested, &expression, event, sample);
        on_failure.push(("Destination".to_owned(), made));
    }
}

/// How the mapping names the function: with the alias that SAM publishes, where it does.
fn called<'a>(logical: &'a str, function: &'a Node, scope: &mut Scope<'a>) -> Result<Value, Wrong> {
    let mut called = match scope.reference(logical, function)? {
        Some(Value::Text(text)) => text,
        Some(_) | None => Text::default(),
    };
    let own = below(function, "Properties").and_then(|node| below(node, "AutoPublishAlias"));
    let alias = own.or_else(|| below(scope.declared("Globals", "Function")?, "AutoPublishAlias"));
    if let Some(alias) = alias
        && let Some(alias) = scope.text(alias)?
    {
        called.push(Text::literal(":"));
        called.push(alias);
    }
    Ok(Value::Text(called))
}
