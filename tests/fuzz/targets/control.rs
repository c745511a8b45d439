//! Requests to the control API, one behind the other: none is answered with less than a sentence, and what was taken is taken again at
//! the next start, and is what a file with the same settings would say.
#![no_main]

use std::sync::LazyLock;

use http::Method;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use sluicegate_fuzz::config::Config;
use sluicegate_fuzz::control::{
    Call, Change, Effect, Kept, Refusal, Registration, Registry, position, route,
};

const NOW_MS: u64 = 1_789_650_001_123;
/// Between two requests.
const SEPARATOR: &[u8] = b"\n%\n";
const REQUESTS_MAX: usize = 6;
/// A list that is asked for.
const PAGE_MAX: usize = 100;

/// With one mapping, and a function that is not Lambda's.
static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let text = r#"
Functions: { local: { Http: { Url: "http://127.0.0.1:1/" } } }
EventSourceMappings:
  - { EventSourceArn: "arn:aws:sqs:us-east-1:123456789012:q", FunctionName: f, UUID: 00000000-0000-4000-8000-00000000000f }
"#;
    Config::parse("", text, &|_| None).expect("it is valid")
});

fuzz_target!(|input: &[u8]| {
    let mut registry = Registry::new(&CONFIG, Vec::new(), NOW_MS).0;
    let mut rest = Some(input);
    let mut number = 0;
    while let Some(input) = rest
        && number < REQUESTS_MAX
    {
        let (request, after) = split(input, SEPARATOR);
        rest = after;
        if let Err(refusal) = asked(&mut registry, request, number) {
            legible(&refusal);
        }
        number += 1;
    }
});

fn split<'a>(bytes: &'a [u8], by: &[u8]) -> (&'a [u8], Option<&'a [u8]>) {
    match bytes.windows(by.len()).position(|window| window == by) {
        Some(at) => (&bytes[..at], Some(&bytes[at + by.len()..])),
        None => (bytes, None),
    }
}

/// `METHOD path?query`, a line feed, and the body.
fn asked(registry: &mut Registry, request: &[u8], number: usize) -> Result<(), Refusal> {
    let (head, body) = split(request, b"\n");
    let head = String::from_utf8_lossy(head);
    let Some((method, target)) = head.split_once(' ') else {
        return Ok(());
    };
    let Ok(method) = Method::from_bytes(method.as_bytes()) else {
        return Ok(());
    };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let uuid = format!("00000000-0000-4000-8000-{number:012}");
    match route(&method, path, query, body.unwrap_or_default())? {
        Call::Create(properties) => {
            let change = registry.create(&properties, &uuid, NOW_MS)?;
            applied(registry, change);
            let shown = registry.get(&uuid, |_| None)?;
            assert_eq!(shown["UUID"], uuid.as_str());
            assert_eq!(
                shown["EventSourceArn"],
                properties.settings()["EventSourceArn"]
            );
        }
        Call::Get { uuid } => {
            assert_eq!(uuid.chars().count(), 36);
            let shown = registry.get(&uuid, |_| None)?;
            let found = shown["UUID"].as_str().unwrap_or_default();
            assert!(found.eq_ignore_ascii_case(&uuid));
        }
        Call::List(selection) => {
            let most = selection.max_items.unwrap_or(PAGE_MAX).min(PAGE_MAX);
            let page = registry.list(&selection, |_| None)?;
            let listed = page["EventSourceMappings"].as_array().map(Vec::len);
            assert!(listed.is_some_and(|listed| listed <= most), "{page}");
        }
        Call::Update { uuid, properties } => {
            let change = registry.update(&uuid, &properties, NOW_MS, |_| None)?;
            applied(registry, change);
            registry.get(&uuid, |_| None)?;
        }
        Call::Delete { uuid } => {
            let change = registry.delete(&uuid, |_| None)?;
            assert!(matches!(change.effect, Effect::Forget { .. }));
            applied(registry, change);
            assert!(registry.get(&uuid, |_| None).is_err(), "it is gone");
        }
        Call::Pause { uuid } => {
            let change = registry.pause(&uuid, |_| None)?;
            applied(registry, change);
            assert!(registry.is_paused(&uuid));
        }
        Call::Resume { uuid } => {
            let change = registry.resume(&uuid, |_| None)?;
            applied(registry, change);
            assert!(!registry.is_paused(&uuid));
        }
        Call::Position { uuid, .. } => {
            position::stream(registry.mapping(&uuid)?)?;
        }
        Call::Seek { uuid, seek } => {
            position::stream(registry.mapping(&uuid)?)?;
            assert!(seek.numbers().is_empty() || seek.needs_listing());
        }
        Call::ListTags { arn } => {
            let tags = registry.tags(&arn)?;
            assert!(tags["Tags"].is_object());
        }
        Call::Tag { arn, tags } => {
            let change = registry.tag(&arn, &tags)?;
            applied(registry, change);
            let there = registry.tags(&arn)?;
            for (key, value) in tags {
                assert_eq!(there["Tags"][key], Value::from(value));
            }
        }
        Call::Untag { arn, keys } => {
            let change = registry.untag(&arn, &keys)?;
            applied(registry, change);
            let there = registry.tags(&arn)?;
            assert!(keys.iter().all(|key| there["Tags"].get(key).is_none()));
        }
    }
    Ok(())
}

/// The change happens, and the program starts anew with what it stored.
fn applied(registry: &mut Registry, change: Change) {
    if let Some(kept) = registry.kept(&change.effect) {
        let stored = kept.encode().expect("it can be written");
        let read = stored.map(|stored| Kept::decode(stored).expect("and read"));
        assert_eq!(read.unwrap_or_default(), kept);
    }
    let kept = match &change.effect {
        Effect::Keep(registration) => Some(registration.clone()),
        Effect::Hold { .. } | Effect::Forget { .. } => None,
    };
    registry.apply(change);
    let stored = registry.registrations().map(|registration| {
        let stored = registration.encode().expect("it can be written");
        let read = Registration::decode(&stored).expect("and read");
        assert_eq!(&read, registration);
        read
    });
    let (again, troubles) = Registry::new(&CONFIG, stored.collect(), NOW_MS);
    assert_eq!(troubles, [], "what was taken is refused at the next start");
    assert_eq!(again.mappings(), registry.mappings());
    if let Some(kept) = kept {
        as_a_file(registry, &kept);
    }
}

/// A file with the settings of a request says the same.
fn as_a_file(registry: &Registry, kept: &Registration) {
    let mut settings = kept.properties.settings().clone();
    settings.remove("Tags");
    settings.insert("UUID".to_owned(), kept.uuid.clone().into());
    let text = json!({
        "Functions": { "local": { "Http": { "Url": "http://127.0.0.1:1/" } } },
        "EventSourceMappings": [settings],
    });
    // `${...}` is text in a request, and so is what it stands for in a file.
    let text = text.to_string().replace("${", "$${");
    let config = Config::parse("", &text, &|_| None);
    let config = config.unwrap_or_else(|errors| panic!("no file could say it: {errors:?} {text}"));
    let mapping = registry.mapping(&kept.uuid).expect("it runs");
    let mut read = (*config.mappings[0]).clone();
    read.name.clone_from(&mapping.name);
    assert_eq!(&read, mapping);
}

fn legible(refusal: &Refusal) {
    assert!((400..500).contains(&refusal.status), "{refusal}");
    assert!(!refusal.message.is_empty() && !refusal.code.is_empty());
    let body: Value = serde_json::from_str(&refusal.body()).expect("the body is JSON");
    let said = body.get("message").or(body.get("Message"));
    assert_eq!(said.and_then(Value::as_str), Some(refusal.message.as_str()));
}
