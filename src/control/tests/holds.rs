//! The hold of an operator: of files and of the API alike, beside `Enabled`, and through everything that changes meanwhile.

use serde_json::{Value, json};

use super::{MAPPINGS, NOW_MS, QUEUE, STREAM, answered, config, create, empty, request, uuid};
use crate::config::mapping::Mapping;
use crate::control::{Change, Effect, Kept, Last, Registry, Told};
use crate::status::State;

const FILE: &str = "EventSourceMappings:
  - { Name: q, UUID: 0000000f-0000-4000-8000-00000000000F, EventSourceArn: \"arn:aws:sqs:us-east-1:111111111111:orders\", FunctionName: g }";
const OF_FILE: &str = "0000000f-0000-4000-8000-00000000000f";

fn registry() -> Registry {
    let mut registry = Registry::new(&config(FILE), Vec::new(), NOW_MS).0;
    create(&mut registry, &request(STREAM, json!({})), 1);
    registry
}

fn at(state: State) -> impl Fn(&Mapping) -> Option<Told> {
    move |_| {
        let last = Last::Handled;
        Some(Told { state, last })
    }
}

fn shown(registry: &Registry, uuid: &str) -> Value {
    let shown = registry.get(uuid, at(State::Disabled)).unwrap();
    json!([
        shown["State"],
        shown["Paused"],
        shown["StateTransitionReason"]
    ])
}

#[test]
fn a_mapping_is_paused_and_resumed_wherever_it_is_defined() {
    for (uuid, reason) in [
        (uuid(1), "User action"),
        (OF_FILE.to_owned(), "USER_INITIATED"),
    ] {
        let mut registry = registry();
        let cases = [
            (true, State::Enabled, "Disabling"),
            (true, State::Disabling, "Disabling"),
            (true, State::Disabled, "Disabled"),
            (false, State::Disabled, "Enabling"),
            (false, State::Enabled, "Enabled"),
            (false, State::Failing, "Enabled"),
            (true, State::Failing, "Disabling"),
        ];
        for (pause, before, after) in cases {
            let change = match pause {
                true => registry.pause(&uuid, at(before)),
                false => registry.resume(&uuid, at(before)),
            };
            let answer = answered(&mut registry, change.unwrap());
            assert_eq!(
                (&answer["State"], &answer["Paused"]),
                (&json!(after), &json!(pause)),
                "{before:?}"
            );
            assert_eq!(registry.is_paused(&uuid), pause);
            let reason = if pause {
                "Paused by the control API"
            } else {
                reason
            };
            assert_eq!(answer["StateTransitionReason"], reason);
        }
        assert_eq!(
            shown(&registry, &uuid),
            json!(["Disabled", true, "Paused by the control API"])
        );
        let change = registry.resume(&uuid, at(State::Disabled)).unwrap();
        registry.apply(change);
        assert_eq!(shown(&registry, &uuid), json!(["Disabled", null, reason]));
    }
    let (pause, resume) = (
        empty().pause(&uuid(9), |_| None),
        empty().resume(&uuid(9), |_| None),
    );
    assert_eq!(
        (pause.unwrap_err().status, resume.unwrap_err().status),
        (404, 404)
    );
}

#[test]
fn one_that_its_settings_disable_is_not_enabled_by_a_resume() {
    let mut registry = empty();
    create(
        &mut registry,
        &request(QUEUE, json!({ "Enabled": false })),
        1,
    );
    for pause in [true, false] {
        let change = match pause {
            true => registry.pause(&uuid(1), |_| None),
            false => registry.resume(&uuid(1), |_| None),
        };
        let answer = answered(&mut registry, change.unwrap());
        assert_eq!(
            (&answer["State"], &answer["Paused"]),
            (&json!("Disabled"), &json!(pause))
        );
    }
}

/// What the store is to hold, and it held.
fn done(registry: &mut Registry, change: Change) -> (String, Option<Kept>) {
    let kept = (
        change.effect.uuid().to_owned(),
        registry.kept(&change.effect),
    );
    registry.apply(change);
    kept
}

#[test]
fn the_hold_is_kept_with_the_registration_and_no_change_of_that_loses_it() {
    let mut registry = registry();
    let pause = registry.pause(OF_FILE, |_| None).unwrap();
    let alone = Kept {
        registration: None,
        paused: true,
    };
    // Under the very UUID that the file gives it.
    let as_given = "0000000f-0000-4000-8000-00000000000F".to_owned();
    assert_eq!(done(&mut registry, pause), (as_given.clone(), Some(alone)));
    let resume = registry.resume(OF_FILE, |_| None).unwrap();
    assert_eq!(
        done(&mut registry, resume),
        (as_given, Some(Kept::default()))
    );

    let pause = registry.pause(&uuid(1), |_| None).unwrap();
    let (_, kept) = done(&mut registry, pause);
    let kept = kept.unwrap();
    assert!(kept.paused && kept.registration.is_some());
    let body = json!({ "BatchSize": 7, "Enabled": true });
    let update = super::try_update(&registry, 1, &body).unwrap();
    assert_eq!(update.answer.as_ref().unwrap()["State"], "Disabled");
    assert_eq!(update.answer.as_ref().unwrap()["Paused"], true);
    let (_, kept) = done(&mut registry, update);
    assert!(kept.unwrap().paused);
    let delete = registry.delete(&uuid(1), |_| None).unwrap();
    assert_eq!(delete.effect, Effect::Forget { uuid: uuid(1) });
    assert_eq!(done(&mut registry, delete), (uuid(1), None));
    assert!(!registry.is_paused(&uuid(1)));
}

#[test]
fn what_the_store_holds_is_held_again_and_through_reloads() {
    let mut registry = registry();
    registry.hold([OF_FILE.to_ascii_uppercase(), uuid(7)]);
    let without = registry.reloaded(&config("{}"), NOW_MS).0;
    assert!(without.is_paused(OF_FILE));
    assert!(without.get(OF_FILE, |_| None).is_err());
    let again = without.reloaded(&config(FILE), NOW_MS).0;
    let state = again.get(OF_FILE, |_| None).unwrap()["State"].clone();
    assert_eq!(
        state, "Disabled",
        "nobody has heard of it, and it does not begin"
    );
    // It is resumed under the name that the store knows.
    let resume = again.resume(OF_FILE, |_| None).unwrap();
    assert_eq!(resume.effect.uuid(), OF_FILE.to_ascii_uppercase());
    let listed = again.list(&Default::default(), |_| None).unwrap();
    let listed = listed["EventSourceMappings"].as_array().unwrap().iter();
    let paused: Vec<bool> = listed.map(|mapping| mapping["Paused"] == true).collect();
    assert_eq!(paused, [false, true], "{MAPPINGS}");
}
