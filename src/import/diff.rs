//! What two lists of mappings differ in, setting by setting, each with every default filled in.

mod shown;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::document::{Document, Entry, Outcome};
use super::listed;
use crate::config::error::ConfigError;
use crate::config::function::Target;
use crate::config::mapping::Mapping;
use crate::config::{Config, json};

/// One of two lists: a configuration, or what an API lists.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// How it is called: `mappings.yaml`.
    pub name: String,
    /// What it does not tell of its mappings.
    untold: &'static [&'static str],
    /// Effective settings under AWS's names.
    mappings: Vec<Json>,
    /// What is in it and has no counterpart in the other, with the reasons.
    refused: Vec<Entry>,
}

/// What two lists differ in.
#[derive(Clone, Debug, PartialEq)]
pub struct Diff {
    /// What the two are called.
    pub names: [String; 2],
    /// How many mappings are the same.
    pub same: usize,
    /// What is in one of the two only, in the order of the list.
    pub only: [Vec<Json>; 2],
    /// What the second has that the first can not have, with the reasons.
    pub refused: Vec<(String, Vec<String>)>,
    /// What is in both and not the same, with the settings of the two.
    pub different: Vec<(Json, Vec<Setting>)>,
}

/// A setting with its two values; null where there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// AWS's key.
    pub key: String,
    /// Here and there.
    pub values: [Json; 2],
}

impl Side {
    /// The mappings of a configuration.
    pub fn configured(name: String, config: &Config) -> Self {
        let shown = json(config);
        let shown = shown["EventSourceMappings"].as_array();
        let mappings = config.mappings.iter().zip(shown.into_iter().flatten());
        Side {
            name,
            untold: &[],
            mappings: mappings.map(with_target).collect(),
            refused: Vec::new(),
        }
    }

    /// The mappings that an API lists, in AWS's own shape.
    ///
    /// # Errors
    /// What the configuration's reader says of what was made of them.
    pub fn listed(name: String, mappings: &[Json]) -> Result<Self, Vec<ConfigError>> {
        let document = Document::of(name.clone(), &listed::found(mappings));
        let config = Config::parse(&name, &document.yaml(), &|_| None)?;
        let refused = |entry: &Entry| matches!(entry.outcome, Outcome::Refused(_));
        Ok(Side {
            untold: &UNTOLD_BY_AWS,
            refused: document.entries.into_iter().filter(refused).collect(),
            ..Side::configured(name, &config)
        })
    }

    /// The mappings that a running service lists: where each is defined, and whether it is paused, is told with them.
    ///
    /// # Errors
    /// What the configuration's reader says of what was made of them.
    pub fn served(name: String, mappings: &[Json]) -> Result<Self, Vec<ConfigError>> {
        let mut side = Self::listed(name, mappings)?;
        side.untold = &UNTOLD_BY_A_SERVICE;
        let uuid = |mapping: &Json| text(mapping, "UUID").to_ascii_lowercase();
        let listed = mappings.iter().map(|mapping| (uuid(mapping), mapping));
        let listed: BTreeMap<String, &Json> = listed.collect();
        for mapping in &mut side.mappings {
            let Some(own) = listed.get(&uuid(mapping)) else {
                continue;
            };
            mapping["DefinedIn"] = match own["DefinedIn"].as_str() {
                Some(place) => Json::from(place),
                None => Json::from("the API"),
            };
            if own["Paused"] == true {
                mapping["Paused"] = Json::from(true);
            }
        }
        Ok(side)
    }
}

/// With where the function runs, if that is not AWS Lambda; without queries, which may be keys.
fn with_target((mapping, shown): (&Arc<Mapping>, &Json)) -> Json {
    let mut shown = shown.clone();
    shown["Function"] = match &mapping.target {
        Target::Lambda { .. } => Json::Null,
        Target::Http { url, timeout, .. } => {
            let url = url.split('?').next();
            json!({ "Http": { "Url": url }, "TimeoutInSeconds": timeout.as_secs() })
        }
    };
    shown
}

/// What follows from others, stands for the same in two ways, or is said of a mapping and is no setting.
const DERIVED: [&str; 3] = ["State", "FunctionName", "DefinedIn"];
/// What AWS has not, or gives by itself.
const UNTOLD_BY_AWS: [&str; 4] = ["Name", "UUID", "Extensions", "Function"];
/// What AWS's API has no words for, or the service gives by itself.
const UNTOLD_BY_A_SERVICE: [&str; 3] = ["UUID", "Extensions", "Function"];

impl Diff {
    /// Holds two lists against each other: mappings with the same UUID, else with the same source and function.
    pub fn of(here: &Side, there: &Side) -> Self {
        let pairs = pairs(here, there);
        let (left, right): (BTreeSet<usize>, BTreeSet<usize>) = pairs.iter().copied().unzip();
        let alone = |side: &Side, matched: &BTreeSet<usize>| {
            let all = side.mappings.iter().enumerate();
            all.filter(|(index, _)| !matched.contains(index))
                .map(|(_, mapping)| mapping.clone())
                .collect()
        };
        let mut different = Vec::new();
        for (left, right) in &pairs {
            let (left, right) = (&here.mappings[*left], &there.mappings[*right]);
            let untold = [here.untold, there.untold].concat();
            let settings = settings(left, right, &untold);
            if !settings.is_empty() {
                let mut shown = left.clone();
                if let Some(place) = right.get("DefinedIn") {
                    shown["DefinedIn"] = place.clone();
                }
                different.push((shown, settings));
            }
        }
        Diff {
            names: [here.name.clone(), there.name.clone()],
            same: pairs.len() - different.len(),
            only: [alone(here, &left), alone(there, &right)],
            refused: there.refused.iter().map(refused).collect(),
            different,
        }
    }

    /// Whether the two say the same.
    pub fn is_empty(&self) -> bool {
        let alone = self.only.iter().all(Vec::is_empty);
        alone && self.refused.is_empty() && self.different.is_empty()
    }
}

fn refused(entry: &Entry) -> (String, Vec<String>) {
    let reasons = match &entry.outcome {
        Outcome::Refused(reasons) => reasons.clone(),
        Outcome::Taken(_) | Outcome::Absent(_) => Vec::new(),
    };
    (entry.origin.clone(), reasons)
}

/// What tells a mapping from others.
type Key<'a> = &'a dyn Fn(&Json) -> Vec<String>;

/// The places of mappings that are one and the same, in the order of the first list.
fn pairs(here: &Side, there: &Side) -> BTreeSet<(usize, usize)> {
    let by_uuid = |mapping: &Json| vec![text(mapping, "UUID").to_ascii_lowercase()];
    let by_pair = |mapping: &Json| {
        let keys = ["EventSourceArn", "FunctionArn"];
        keys.map(|key| text(mapping, key).to_owned()).to_vec()
    };
    let ways: [Key<'_>; 2] = [&by_uuid, &by_pair];
    let mut pairs = BTreeSet::new();
    for key in ways {
        let (left, right): (BTreeSet<usize>, BTreeSet<usize>) = pairs.iter().copied().unzip();
        let others = there.mappings.iter().enumerate();
        let others: BTreeMap<Vec<String>, usize> = others
            .filter(|(index, _)| !right.contains(index))
            .map(|(index, mapping)| (key(mapping), index))
            .collect();
        for (index, mapping) in here.mappings.iter().enumerate() {
            if left.contains(&index) {
                continue;
            }
            if let Some(other) = others.get(&key(mapping)) {
                pairs.insert((index, *other));
            }
        }
    }
    pairs
}

fn text<'a>(mapping: &'a Json, key: &str) -> &'a str {
    mapping[key].as_str().unwrap_or_default()
}

fn settings(left: &Json, right: &Json, untold: &[&str]) -> Vec<Setting> {
    let nothing = Map::new();
    let keys = |mapping: &Json| -> Vec<String> {
        let entries = mapping.as_object().unwrap_or(&nothing);
        entries.keys().cloned().collect()
    };
    let keys: BTreeSet<String> = keys(left).into_iter().chain(keys(right)).collect();
    // Whether one that is paused is enabled beneath nobody tells.
    let paused = [left, right]
        .iter()
        .any(|mapping| mapping["Paused"] == true);
    let mut settings = Vec::new();
    for key in keys {
        let skipped =
            DERIVED.contains(&&*key) || untold.contains(&&*key) || (paused && key == "Enabled");
        let values = [left[&key].clone(), right[&key].clone()];
        if !skipped && meaning(&key, &values[0]) != meaning(&key, &values[1]) {
            settings.push(Setting { key, values });
        }
    }
    settings
}

/// Filters are the same in any order and with any spaces: a record has to match one of them.
fn meaning(key: &str, value: &Json) -> Json {
    let filters = value["Filters"].as_array();
    let ("FilterCriteria", Some(filters)) = (key, filters) else {
        return value.clone();
    };
    let pattern = |filter: &Json| {
        let pattern = text(filter, "Pattern");
        let parsed: Result<Json, _> = serde_json::from_str(pattern);
        parsed.map_or_else(|_| pattern.to_owned(), |parsed| parsed.to_string())
    };
    let patterns: BTreeSet<String> = filters.iter().map(pattern).collect();
    json!(patterns)
}
