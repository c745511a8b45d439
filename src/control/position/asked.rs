//! The body of a request to set positions -> what it asks for. Exactly one thing, said in one way.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Seek, To};
use crate::config::request::{moment, unknown_key};
use crate::control::refusal::Refusal;
use crate::control::shape::{Shape, Violations, cut, member};
use crate::model::record::SequenceNumber;

const TEXT: Shape = Shape::Text {
    min: 1,
    max: 256,
    pattern: None,
};
const POSITION: Shape = Shape::Choice(&["LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"]);

const OF_SHARD: [(&str, Shape); 5] = [
    ("ShardId", TEXT),
    ("SequenceNumber", TEXT),
    ("AfterSequenceNumber", TEXT),
    ("StartingPosition", POSITION),
    ("StartingPositionTimestamp", Shape::Moment),
];

const OF_ALL: [(&str, Shape); 4] = [
    ("StartingPosition", POSITION),
    ("StartingPositionTimestamp", Shape::Moment),
    (
        "Shards",
        Shape::List {
            min: 1,
            max: 10_000,
            of: &Shape::Structure(&OF_SHARD),
        },
    ),
    ("Undo", Shape::Bool),
];

impl Seek {
    /// What a body asks for.
    ///
    /// # Errors
    /// It has not the shape, or asks for nothing, or for two things at once.
    pub(in super::super) fn of(mut body: Map<String, Value>) -> Result<Self, Refusal> {
        let mut violations = Violations::default();
        for (name, shape) in &OF_ALL {
            if let Some(value) = body.get(*name) {
                violations.check(&member(name), value, shape);
            }
        }
        violations.result()?;
        only(&body, "", &OF_ALL)?;
        body.retain(|_, value| !value.is_null());
        let given = |key: &str| body.contains_key(key);
        match (given("StartingPosition"), given("Shards"), given("Undo")) {
            (true, false, false) => target(&body, "").map(Self::All),
            (false, true, false) | (false, false, true) if given("StartingPositionTimestamp") => {
                Err(alone("", &body["StartingPositionTimestamp"]))
            }
            (false, true, false) => shards(&body["Shards"]).map(Self::Shards),
            (false, false, true) if body["Undo"] == true => Ok(Self::Undo),
            (false, false, true) => Err(Refusal::invalid(
                "Undo: false: leave it out, or set it to true",
            )),
            (false, false, false) => Err(Refusal::invalid(
                "One of StartingPosition, Shards and Undo is needed, and none is given.",
            )),
            _ => Err(Refusal::invalid(
                "Only one of StartingPosition, Shards and Undo may be given.",
            )),
        }
    }
}

fn shards(list: &Value) -> Result<BTreeMap<String, To>, Refusal> {
    let mut shards = BTreeMap::new();
    for (index, item) in list.as_array().into_iter().flatten().enumerate() {
        let path = format!("Shards[{index}]");
        let mut item = item.as_object().cloned().unwrap_or_default();
        only(&item, &path, &OF_SHARD)?;
        item.retain(|_, value| !value.is_null());
        let Some(id) = item.get("ShardId").and_then(Value::as_str) else {
            return Err(Refusal::invalid(format!("{path}.ShardId: it is missing")));
        };
        let to = target(&item, &format!("{path}."))?;
        if shards.insert(id.to_owned(), to).is_some() {
            return Err(Refusal::invalid(format!(
                "{path}.ShardId: {id}: it is given twice"
            )));
        }
    }
    Ok(shards)
}

/// The one position that is given.
fn target(given: &Map<String, Value>, path: &str) -> Result<To, Refusal> {
    const WAYS: [&str; 3] = ["SequenceNumber", "AfterSequenceNumber", "StartingPosition"];
    let timestamp = given.get("StartingPositionTimestamp");
    let mut ways = WAYS
        .iter()
        .filter_map(|way| Some((*way, given.get(*way)?.as_str()?)));
    let (way, text) = ways.next().ok_or_else(|| {
        Refusal::invalid(format!(
            "{path}SequenceNumber: it, AfterSequenceNumber or StartingPosition is needed"
        ))
    })?;
    if let Some((other, _)) = ways.next() {
        return Err(Refusal::invalid(format!(
            "{path}{other}: not together with {way}"
        )));
    }
    let number = || {
        SequenceNumber::try_from(text.to_owned())
            .map_err(|error| Refusal::invalid(format!("{path}{way}: {error}")))
    };
    let to = match (way, text) {
        ("SequenceNumber", _) => To::From(number()?),
        ("AfterSequenceNumber", _) => To::After(number()?),
        (_, "TRIM_HORIZON") => To::Horizon,
        (_, "LATEST") => To::Latest,
        _ => {
            let timestamp = timestamp.ok_or_else(|| {
                Refusal::invalid(format!(
                    "{path}StartingPositionTimestamp: AT_TIMESTAMP needs it"
                ))
            })?;
            let ms = moment(timestamp).map_err(|expected| {
                let found = cut(timestamp.to_string());
                Refusal::invalid(format!(
                    "{path}StartingPositionTimestamp: expected {expected}, found {found}"
                ))
            })?;
            return Ok(To::Moment { ms });
        }
    };
    match timestamp {
        Some(timestamp) => Err(alone(path, timestamp)),
        None => Ok(to),
    }
}

fn alone(path: &str, timestamp: &Value) -> Refusal {
    let found = cut(timestamp.to_string());
    Refusal::invalid(format!(
        "{path}StartingPositionTimestamp: {found}: for StartingPosition AT_TIMESTAMP only"
    ))
}

/// No key that nobody knows.
fn only(given: &Map<String, Value>, path: &str, known: &[(&str, Shape)]) -> Result<(), Refusal> {
    let known: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    match given.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => {
            let dot = if path.is_empty() { "" } else { "." };
            let what = unknown_key(key, &known);
            Err(Refusal::invalid(format!("{path}{dot}{what}")))
        }
        None => Ok(()),
    }
}
