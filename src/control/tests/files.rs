//! Mappings of files beside those of the API: listed, not changed, and first where the two meet.

use serde_json::json;

use super::{
    NOW_MS, QUEUE, STREAM, config, create, empty, request, try_create, try_update, update, uuid,
};
use crate::config::Config;
use crate::control::{Registration, Registry, Selection};

const FILE: &str = "
Functions:
  f: { Http: { Url: 'http://127.0.0.1:8080/' } }
EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:111111111111:orders
    FunctionName: f
    UUID: 0000000A-0000-4000-8000-000000000000
";

fn of_file(text: &str) -> Registry {
    let (registry, troubles) = Registry::new(&config(text), Vec::new(), NOW_MS);
    assert_eq!(troubles, []);
    registry
}

fn registrations(registry: &Registry) -> Vec<Registration> {
    registry.registrations().cloned().collect()
}

#[test]
fn a_mapping_of_a_file_is_shown_and_changed_there() {
    let mut registry = of_file(FILE);
    let shown = registry.get(&uuid(10), |_| None).unwrap();
    assert_eq!(shown["UUID"], "0000000A-0000-4000-8000-000000000000");
    assert_eq!(shown["LastModified"], json!(1_789_650_000.123));
    let page = registry.list(&Selection::default(), |_| None).unwrap();
    assert_eq!(page["EventSourceMappings"], json!([shown]));
    let arn = shown["EventSourceMappingArn"].as_str().unwrap();
    assert_eq!(registry.tags(arn), Ok(json!({ "Tags": {} })));
    let refusals = [
        try_update(&registry, 10, &json!({ "BatchSize": 1 })).unwrap_err(),
        registry.delete(&uuid(10), |_| None).unwrap_err(),
    ];
    for refusal in refusals {
        assert_eq!(
            (refusal.status, refusal.code),
            (409, "ResourceConflictException")
        );
        let message = "The event source mapping with UUID 0000000a-0000-4000-8000-000000000000 is defined in mappings.yaml:5. Please change it there.";
        assert_eq!(refusal.message, message);
    }
    assert_eq!(
        registry.tag(arn, &Default::default()).unwrap_err().status,
        409
    );
    assert_eq!(registry.untag(arn, &[]).unwrap_err().status, 409);
    let refusal = try_create(&registry, &request(QUEUE, json!({})), 1).unwrap_err();
    assert_eq!(refusal.status, 409);
    assert_eq!(
        refusal.message,
        format!(
            "An event source mapping with SQS arn (\" {QUEUE} \") and function (\" f \") already exists. Please update or delete the existing mapping with UUID 0000000A-0000-4000-8000-000000000000, which is defined in mappings.yaml:5"
        )
    );
    create(&mut registry, &request(STREAM, json!({})), 1);
    let names: Vec<String> = registry
        .mappings()
        .into_iter()
        .map(|mapping| mapping.name.clone())
        .collect();
    assert_eq!(names, ["orders-f", "clicks-f"], "those of files come first");
    let targets = registry.mappings();
    assert_eq!(
        targets[0].target, targets[1].target,
        "functions of the file serve both"
    );
}

#[test]
fn whoever_looks_is_told_names_and_the_lines_of_files() {
    let mut registry = of_file(FILE);
    create(&mut registry, &request(STREAM, json!({})), 1);
    let page = registry.list(&Selection::default(), |_| None).unwrap();
    let labels: Vec<_> = page["EventSourceMappings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|shown| (shown["Name"].as_str(), shown["DefinedIn"].as_str()))
        .collect();
    assert_eq!(
        labels,
        [
            (Some("clicks-f"), None),
            (Some("orders-f"), Some("mappings.yaml:5"))
        ]
    );
    let again = config(&page.to_string());
    assert_eq!(again.mappings.len(), 2, "the list is a configuration file");
}

#[test]
fn what_was_registered_survives_a_restart() {
    let mut registry = empty();
    create(
        &mut registry,
        &request(QUEUE, json!({ "BatchSize": 7, "Tags": { "a": "b" } })),
        1,
    );
    create(
        &mut registry,
        &request(STREAM, json!({ "Name": "clicks", "Enabled": false })),
        2,
    );
    update(
        &mut registry,
        1,
        &json!({ "FunctionResponseTypes": ["ReportBatchItemFailures"] }),
    );
    let stored = registrations(&registry).into_iter().map(|registration| {
        let stored = registration.encode().unwrap();
        Registration::decode(&stored).unwrap()
    });
    let (after, troubles) = Registry::new(&config("{}"), stored.collect(), NOW_MS + 999_999);
    assert_eq!(troubles, []);
    assert_eq!(after.mappings(), registry.mappings());
    let list = |registry: &Registry| registry.list(&Selection::default(), |_| None);
    assert_eq!(list(&after), list(&registry));
}

fn reloaded(before: &Registry, text: &str) -> (Registry, Vec<String>) {
    let (registry, troubles) = before.reloaded(&config(text), NOW_MS + 60_000);
    (registry, troubles.iter().map(ToString::to_string).collect())
}

#[test]
fn a_reload_replaces_what_files_define_and_nothing_else() {
    let mut registry = of_file(FILE);
    create(&mut registry, &request(STREAM, json!({})), 1);
    let moved = FILE.replace("Functions:", "# a line more\nFunctions:");
    let (same, troubles) = reloaded(&registry, &moved);
    assert_eq!(troubles, [""; 0]);
    assert_eq!(same.mappings(), registry.mappings());
    let modified =
        |registry: &Registry, n| registry.get(&uuid(n), |_| None).unwrap()["LastModified"].clone();
    assert_eq!(
        modified(&same, 10),
        json!(1_789_650_000.123),
        "it only moved"
    );
    assert_eq!(modified(&same, 1), json!(1_789_650_000.123));
    let refusal = same.delete(&uuid(10), |_| None).unwrap_err();
    assert!(
        refusal.message.contains("mappings.yaml:6"),
        "{}",
        refusal.message
    );
    let (changed, _) = reloaded(&registry, &format!("{FILE}    BatchSize: 5\n"));
    assert_eq!(modified(&changed, 10), json!(1_789_650_060.123));
    let (gone, _) = reloaded(&registry, "{}");
    assert_eq!(gone.get(&uuid(10), |_| None).unwrap_err().status, 404);
    assert_eq!(gone.mappings().len(), 1);
}

#[test]
fn a_registration_that_a_file_repeats_is_kept_and_not_run() {
    let mut registry = empty();
    create(&mut registry, &request(QUEUE, json!({})), 1);
    let (mut held, troubles) = reloaded(&registry, FILE);
    let why = format!(
        "cannot run: An event source mapping with SQS arn (\" {QUEUE} \") and function (\" f \") already exists. Please update or delete the existing mapping with UUID 0000000A-0000-4000-8000-000000000000, which is defined in mappings.yaml:5"
    );
    assert_eq!(
        troubles,
        [format!(
            "orders-f ({}, made through the API): {why}",
            uuid(1)
        )]
    );
    let running: Vec<String> = held
        .mappings()
        .into_iter()
        .map(|mapping| mapping.uuid.clone())
        .collect();
    assert_eq!(running, ["0000000A-0000-4000-8000-000000000000"]);
    let expected = json!({
        "EventSourceArn": QUEUE,
        "FunctionName": "f",
        "LastModified": 1_789_650_000.123,
        "State": "Disabled",
        "StateTransitionReason": why,
        "UUID": uuid(1),
    });
    assert_eq!(held.get(&uuid(1), |_| None), Ok(expected));
    assert_eq!(held.mapping(&uuid(1)).unwrap_err().message, why);
    assert_eq!(held.mapping(&uuid(10)), Ok(&*held.mappings()[0]));
    assert_eq!(held.mapping(&uuid(2)).unwrap_err().status, 404);
    let (back, troubles) = reloaded(&held, "{}");
    assert_eq!(troubles, [""; 0]);
    assert_eq!(
        back.mappings(),
        registry.mappings(),
        "the file let go of it"
    );
    assert_eq!(
        update(&mut held, 1, &json!({ "FunctionName": "g" }))["State"],
        "Enabling"
    );
    assert_eq!(held.mappings().len(), 2);
    let (mut held, _) = reloaded(&registry, FILE);
    let change = held.delete(&uuid(1), |_| None).unwrap();
    assert_eq!(change.answer.as_ref().unwrap()["State"], "Deleting");
    held.apply(change);
    assert_eq!(registrations(&held), []);
}

/// The list of the API, saved as a file, has the UUIDs of the API.
#[test]
fn a_registration_waits_behind_the_file_that_has_its_uuid() {
    let mut registry = empty();
    create(
        &mut registry,
        &request(QUEUE, json!({ "BatchSize": 7 })),
        10,
    );
    let (behind, troubles) = reloaded(&registry, FILE);
    let why = "mappings.yaml:5 defines it now, and counts";
    assert_eq!(
        troubles,
        [format!(
            "orders-f ({}, made through the API): {why}",
            uuid(10)
        )]
    );
    assert_eq!(behind.mappings(), config(FILE).mappings);
    assert_eq!(behind.delete(&uuid(10), |_| None).unwrap_err().status, 409);
    assert_eq!(registrations(&behind), registrations(&registry));
    let (back, _) = reloaded(&behind, "{}");
    assert_eq!(back.mappings(), registry.mappings());
}

#[test]
fn a_name_that_a_file_takes_is_the_files() {
    let mut registry = empty();
    create(
        &mut registry,
        &request(STREAM, json!({ "Name": "shared" })),
        1,
    );
    let file = format!("{FILE}    Name: shared\n");
    let (apart, troubles) = reloaded(&registry, &file);
    let expected = format!(
        "shared ({}, made through the API): another has this name; called shared-00000001 now",
        uuid(1)
    );
    assert_eq!(troubles, [expected]);
    let names = |registry: &Registry| -> Vec<String> {
        registry
            .mappings()
            .into_iter()
            .map(|mapping| mapping.name.clone())
            .collect()
    };
    assert_eq!(names(&apart), ["shared", "shared-00000001"]);
    let mut updated = apart;
    update(&mut updated, 1, &json!({ "BatchSize": 5 }));
    assert_eq!(names(&updated), ["shared", "shared-00000001"]);
    let (back, _) = reloaded(&updated, "{}");
    assert_eq!(names(&back), ["shared"]);
}

#[test]
fn a_registration_that_the_files_make_ambiguous_is_held_with_the_reason() {
    let mut registry = empty();
    create(&mut registry, &request(QUEUE, json!({})), 1);
    let two = "
Functions:
  111111111111:function:f: { Http: { Url: 'http://127.0.0.1:1/' } }
  arn:aws:lambda:us-east-1:111111111111:function:f: { Http: { Url: 'http://127.0.0.1:2/' } }
";
    let (held, troubles) = reloaded(&registry, two);
    assert_eq!(held.mappings(), []);
    assert!(
        troubles[0].contains("cannot run: FunctionName: \"f\" could be"),
        "{troubles:?}"
    );
    let functions = Config::parse("mappings.yaml", two, &|_| None)
        .unwrap()
        .functions;
    assert_eq!(functions.len(), 2);
}
