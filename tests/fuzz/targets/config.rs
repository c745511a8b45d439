//! Configuration, as YAML and JSON: what is taken is whole, what is refused is named line by line, and the same JSON means the same
//! however it is laid out.
#![no_main]

use std::collections::BTreeSet;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use serde::de::Error;
use serde_json::Value;
use sluicegate_fuzz::config::error::ConfigError;
use sluicegate_fuzz::config::mapping::Mapping;
use sluicegate_fuzz::config::{self, Config, request};

/// What follows the sign are settings of a mapping that is right without them; a file as such begins with none of these.
const MAPPINGS: [(char, &str); 3] = [
    (
        '=',
        "arn:aws:sqs:us-east-1:123456789012:q\n  FunctionName: f",
    ),
    (
        '+',
        "arn:aws:kinesis:us-east-1:123456789012:stream/s\n  FunctionName: f\n  StartingPosition: LATEST",
    ),
    (
        '^',
        "arn:aws:sqs:us-east-1:123456789012:q.fifo\n  FunctionName: f",
    ),
];

fuzz_target!(|input: &str| {
    let with = |(sign, mapping): (char, &str)| {
        let settings = input.strip_prefix(sign)?.replace('\n', "\n  ");
        Some(format!(
            "EventSourceMappings:\n- EventSourceArn: {mapping}\n  {settings}"
        ))
    };
    let text = MAPPINGS.into_iter().find_map(with);
    let text = text.as_deref().unwrap_or(input);
    let parsed = parse(text);
    match &parsed {
        Ok(config) => whole(config, text),
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without a reason");
            legible(errors, text);
        }
    }
    let Some(value) = plain(text) else { return };
    // What JSON allows and a file does not: control characters as they are, and, by the parser of YAML, a tab behind a colon.
    let control = |letter: char| letter.is_control() && !letter.is_whitespace();
    if text.contains(control) || text.contains(":\t") {
        return;
    }
    let other = parse(&laid_out(&value));
    match (&parsed, &other) {
        (Ok(one), Ok(other)) => {
            assert_eq!(one.mappings, other.mappings);
            assert_eq!(config::json(one), config::json(other));
        }
        (Err(one), Err(other)) => assert_eq!(one.len(), other.len(), "{one:?} {other:?}"),
        _ => panic!("laid out otherwise, it means something else: {parsed:?} {other:?}"),
    }
    as_requests(&parsed, &value);
});

/// In lines. JSON may have control characters beyond ASCII as they are, a file of ours has them escaped.
fn laid_out(value: &Value) -> String {
    let escaped = |letter: char| match letter {
        '\n' => letter.to_string(),
        _ if letter.is_control() => format!("\\u{:04x}", u32::from(letter)),
        _ => letter.to_string(),
    };
    format!("{value:#}").chars().map(escaped).collect()
}

fn parse(text: &str) -> Result<Config, Vec<ConfigError>> {
    Config::parse("f.yaml", text, &|name| {
        (name == "SET").then(|| "eu".to_owned())
    })
}

fn whole(config: &Config, text: &str) {
    legible(&config.warnings, text);
    let mappings = &config.mappings;
    let names: BTreeSet<&str> = mappings
        .iter()
        .map(|mapping| mapping.name.as_str())
        .collect();
    assert_eq!(names.len(), mappings.len(), "each has a name of its own");
    let uuids: BTreeSet<&str> = mappings
        .iter()
        .map(|mapping| mapping.uuid.as_str())
        .collect();
    assert_eq!(uuids.len(), mappings.len(), "each has a UUID of its own");
    for mapping in mappings {
        within(mapping);
    }
    let table = config::table(config);
    assert_eq!(table.lines().count(), 1 + mappings.len(), "{table}");
    let shown = config::json(config);
    let listed = shown["EventSourceMappings"].as_array().map(Vec::len);
    assert_eq!(listed, Some(mappings.len()));
}

/// The ranges of AWS. // spec: 1.2
fn within(mapping: &Mapping) {
    assert!((1..=128).contains(&mapping.name.len()) && mapping.uuid.len() == 36);
    let batch_max = if mapping.fifo() { 10 } else { 10_000 };
    assert!((1..=batch_max).contains(&mapping.batch_size));
    assert!(mapping.window.as_secs() <= 300);
    let concurrency = mapping.maximum_concurrency;
    assert!(concurrency.is_none_or(|most| (1..=1000).contains(&most)));
    let Some(stream) = &mapping.stream else {
        return;
    };
    assert!((1..=10).contains(&stream.parallelization_factor));
    assert!(stream.retries_max.is_none_or(|most| most <= 10_000));
    let seconds = |limit: Option<Duration>, least, most| {
        limit.is_none_or(|limit| (least..=most).contains(&limit.as_secs()))
    };
    assert!(seconds(stream.age_max, 60, 604_800));
    assert!(seconds(stream.tumbling_window, 1, 900));
    assert!(concurrency.is_none(), "a stream has shards instead");
}

/// Each is one line, and names one that is there.
fn legible(findings: &[ConfigError], text: &str) {
    let lines = text
        .split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'])
        .count();
    for finding in findings {
        let shown = finding.to_string();
        assert!(!shown.contains(char::is_control), "{shown:?}");
        assert!(finding.line <= lines + 1, "{shown} of {lines} lines");
    }
}

/// JSON that every reader understands alike: no key twice, no fractions, which are laid out in several ways.
fn plain(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text).ok()?;
    let plain = value.is_object() && serde_json::from_str::<Plain>(text).is_ok();
    plain.then_some(value)
}

/// The mappings of a file, each sent as a request, are the same mappings; `${...}` is text in a request.
fn as_requests(parsed: &Result<Config, Vec<ConfigError>>, value: &Value) {
    let (Ok(config), Some(settings)) = (parsed, value["EventSourceMappings"].as_array()) else {
        return;
    };
    for (mapping, settings) in config.mappings.iter().zip(settings) {
        let (Some(entries), false) = (settings.as_object(), settings.to_string().contains("${"))
        else {
            continue;
        };
        let requested = request::mapping(entries, &config.functions);
        let requested = requested.expect("a file may say it");
        assert_eq!(bare(requested), bare((**mapping).clone()));
    }
}

/// Without what depends on the other mappings beside it.
fn bare(mapping: Mapping) -> Mapping {
    Mapping {
        name: String::new(),
        ..mapping
    }
}

/// Any JSON without a key twice in one object, and without fractions.
struct Plain;

impl<'de> serde::Deserialize<'de> for Plain {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Plain)
    }
}

impl<'de> serde::de::Visitor<'de> for Plain {
    type Value = Plain;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Plain, E> {
        Ok(Plain)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Plain, E> {
        Ok(Plain)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Plain, E> {
        Ok(Plain)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Plain, E> {
        match i64::try_from(number) {
            Ok(_) => Ok(Plain),
            Err(_) => Err(E::custom("a large number")),
        }
    }

    fn visit_str<E>(self, _: &str) -> Result<Plain, E> {
        Ok(Plain)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut from: A) -> Result<Plain, A::Error> {
        while from.next_element::<Plain>()?.is_some() {}
        Ok(Plain)
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut from: A) -> Result<Plain, A::Error> {
        let mut keys = BTreeSet::new();
        while let Some(key) = from.next_key::<String>()? {
            from.next_value::<Plain>()?;
            if !keys.insert(key) {
                return Err(A::Error::custom("a key twice"));
            }
        }
        Ok(Plain)
    }
}
