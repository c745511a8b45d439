//! Mappings that were found -> a configuration file of which it is known that it will be accepted.

use std::collections::{BTreeMap, BTreeSet};

use super::settings::{self, Settings};
use super::value::Value;
use super::{Absence, Found, Kind, Note, write};
use crate::config::error::ConfigError;
use crate::config::{Config, pair};

/// What came of everything that was found, in its order.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What made it, for its first line: `sluicegate import aws`.
    pub made_by: String,
    /// One for each mapping that was found.
    pub entries: Vec<Entry>,
}

/// A mapping that was found, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where it was found.
    pub origin: String,
    /// What is to be said of it.
    pub notes: Vec<Note>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a mapping that was found.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is in the file, with these keys.
    Taken(Vec<(&'static str, Value)>),
    /// It has no counterpart, for these reasons.
    Refused(Vec<String>),
    /// There is no such mapping, for this reason.
    Absent(String),
}

/// How many characters the name of a mapping may have.
const NAME_CHARS_MAX: usize = 128;

impl Document {
    /// Sorts and names what was found, and has the configuration's reader check it.
    pub fn of(made_by: String, found: &[Found]) -> Self {
        let mut kinds = Vec::new();
        let mut entries: Vec<Entry> = Vec::new();
        let mut names = BTreeSet::new();
        for found in found {
            let (kind, notes, outcome) = match settings::sort(found) {
                Ok(Settings {
                    kind,
                    mut settings,
                    notes,
                }) => {
                    if let Some(name) = found.name.as_deref().and_then(fit) {
                        settings.insert(0, ("Name", Value::text(&unique(name, &mut names))));
                    }
                    (kind, notes, Outcome::Taken(settings))
                }
                Err(Absence::Unknown(why)) => (None, Vec::new(), Outcome::Refused(vec![why])),
                Err(Absence::NotMade(why)) => (None, Vec::new(), Outcome::Absent(why)),
            };
            kinds.push(kind);
            entries.push(Entry {
                origin: found.origin.clone(),
                notes,
                outcome,
            });
        }
        let mut document = Document { made_by, entries };
        let samples = document.samples(&kinds);
        document.refuse_repeated(&samples);
        while document.refuse_invalid(&samples) {}
        document
    }

    /// The configuration file.
    pub fn yaml(&self) -> String {
        write::document(self)
    }

    /// Whether everything that was found is in the file, and nothing of it was left out that has no counterpart.
    pub fn complete(&self) -> bool {
        self.entries.iter().all(|entry| match entry.outcome {
            Outcome::Taken(_) => !entry.notes.iter().any(|note| note.lost),
            Outcome::Refused(_) => false,
            Outcome::Absent(_) => true,
        })
    }

    /// The names and meanings of what is not known, in the order of their first use.
    pub fn variables(&self) -> Vec<(&str, &str)> {
        let mut seen = BTreeSet::new();
        let all = self.taken().flat_map(|(_, settings)| settings);
        all.flat_map(|(_, value)| value.variables())
            .filter(|variable| seen.insert(variable.name.as_str()))
            .map(|variable| (variable.name.as_str(), variable.stands_for.as_str()))
            .collect()
    }

    /// What is in the file, with its place among the entries.
    pub(super) fn taken(&self) -> impl Iterator<Item = (usize, &[(&'static str, Value)])> {
        self.entries.iter().enumerate().filter_map(taken_of)
    }

    /// A value for each variable with which the rest of the file can be checked.
    fn samples(&self, kinds: &[Option<Kind>]) -> BTreeMap<String, String> {
        let mut samples = BTreeMap::new();
        for (index, settings) in self.taken() {
            for (key, value) in settings {
                let stream = settings.iter().any(|(key, _)| *key == "StartingPosition");
                for variable in value.variables() {
                    samples.entry(variable.name.clone()).or_insert_with(|| {
                        let own = variable.sample.clone();
                        own.unwrap_or_else(|| sample(key, kinds[index], stream, &variable.name))
                    });
                }
            }
        }
        samples
    }

    /// AWS knows one mapping of a source and a function; a template that has two is not one stack. // spec: 1.6 note (a)
    fn refuse_repeated(&mut self, samples: &BTreeMap<String, String>) {
        let mut first: BTreeMap<(String, String), String> = BTreeMap::new();
        for entry in &mut self.entries {
            let Outcome::Taken(settings) = &entry.outcome else {
                continue;
            };
            let filled = |wanted: &str| match settings.iter().find(|(key, _)| *key == wanted) {
                Some((_, Value::Text(text))) => text.filled(&|variable| {
                    let sample = samples.get(&variable.name);
                    sample.cloned().unwrap_or_default()
                }),
                Some(_) | None => String::new(),
            };
            let Some(pair) = pair(&filled("EventSourceArn"), &filled("FunctionName")) else {
                continue;
            };
            if let Some(other) = first.get(&pair) {
                let why = format!("the same source and function as {other}");
                entry.outcome = Outcome::Refused(vec![why]);
            } else {
                first.insert(pair, entry.origin.clone());
            }
        }
    }

    /// Refuses what the configuration's reader would refuse; whether there was anything.
    fn refuse_invalid(&mut self, samples: &BTreeMap<String, String>) -> bool {
        let places: Vec<usize> = self.taken().map(|(index, _)| index).collect();
        let env = |name: &str| samples.get(name).cloned();
        let Err(errors) = Config::parse("", &self.yaml(), &env) else {
            return false;
        };
        let mut reasons: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for ConfigError { path, what, .. } in errors {
            let Some((place, field)) = mapping_of(&path) else {
                // Nothing that is written here leads to it; if it does, no mapping may be called good.
                for index in &places {
                    reasons.entry(*index).or_default().push(what.clone());
                }
                continue;
            };
            let Some(index) = places.get(place) else {
                continue;
            };
            let Outcome::Taken(settings) = &self.entries[*index].outcome else {
                continue;
            };
            let key = field.split(['.', '[']).next().unwrap_or_default();
            let guessed = settings
                .iter()
                .any(|(name, value)| *name == key && !value.variables().is_empty());
            if !guessed {
                let reason = match field {
                    "" => what,
                    field => format!("{field}: {what}"),
                };
                reasons.entry(*index).or_default().push(reason);
            }
        }
        let refused = !reasons.is_empty();
        for (index, reasons) in reasons {
            self.entries[index].outcome = Outcome::Refused(reasons);
        }
        refused
    }
}

fn taken_of((index, entry): (usize, &Entry)) -> Option<(usize, &[(&'static str, Value)])> {
    match &entry.outcome {
        Outcome::Taken(settings) => Some((index, settings)),
        Outcome::Refused(_) | Outcome::Absent(_) => None,
    }
}

/// `EventSourceMappings[2].BatchSize` -> 2 and `BatchSize`.
fn mapping_of(path: &str) -> Option<(usize, &str)> {
    let (index, field) = path.strip_prefix("EventSourceMappings[")?.split_once(']')?;
    let field = field.strip_prefix('.').unwrap_or(field);
    Some((index.parse().ok()?, field))
}

fn sample(key: &str, kind: Option<Kind>, stream: bool, variable: &str) -> String {
    let text = match (key, kind) {
        ("EventSourceArn", Some(Kind::Kinesis)) => SAMPLE_KINESIS,
        ("EventSourceArn", Some(Kind::DynamoDb)) => SAMPLE_DYNAMODB,
        ("EventSourceArn", None) if stream => SAMPLE_KINESIS,
        ("EventSourceArn" | "DestinationConfig", _) => SAMPLE_QUEUE,
        ("FunctionName", _) => {
            let name: String = variable.chars().take(64).collect();
            return name;
        }
        ("StartingPosition", _) => "TRIM_HORIZON",
        ("Enabled" | "BisectBatchOnFunctionError", _) => "true",
        ("MaximumRecordAgeInSeconds", _) => "60",
        _ => "1",
    };
    text.to_owned()
}

/// What a queue's ARN looks like.
pub(super) const SAMPLE_QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:sample";
/// What a Kinesis stream's ARN looks like.
pub(super) const SAMPLE_KINESIS: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/sample";
/// What a DynamoDB stream's ARN looks like.
pub(super) const SAMPLE_DYNAMODB: &str =
    "arn:aws:dynamodb:us-east-1:123456789012:table/sample/stream/2026-01-01T00:00:00.000";

/// As the name of a mapping may be; `None` where nothing of it may.
fn fit(name: &str) -> Option<String> {
    let fit = |c: char| match c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
        true => c,
        false => '-',
    };
    let name: String = name.chars().map(fit).take(NAME_CHARS_MAX).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let name = name.trim_end_matches('-');
    (!name.is_empty()).then(|| name.to_owned())
}

/// The name, with a number behind it where another mapping has it.
fn unique(name: String, taken: &mut BTreeSet<String>) -> String {
    let mut candidate = name.clone();
    let mut number = 2;
    while !taken.insert(candidate.clone()) {
        let suffix = format!("-{number}");
        let kept = name.len().min(NAME_CHARS_MAX - suffix.len());
        candidate = format!("{}{suffix}", &name[..kept]);
        number += 1;
    }
    candidate
}
