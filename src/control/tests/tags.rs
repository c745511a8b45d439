//! Tags of mappings. // spec: 1.1

use std::collections::BTreeMap;

use serde_json::json;

use super::{QUEUE, create, empty, request, try_create, uuid};
use crate::control::{Effect, Registry};

fn arn(n: usize) -> String {
    format!(
        "arn:aws:lambda:us-east-1:111111111111:event-source-mapping:{}",
        uuid(n)
    )
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    pairs.collect()
}

fn tagged() -> Registry {
    let mut registry = empty();
    create(
        &mut registry,
        &request(QUEUE, json!({ "Tags": { "a": "1", "b": "2" } })),
        1,
    );
    registry
}

#[test]
fn tags_are_set_replaced_and_removed() {
    let mut registry = tagged();
    assert_eq!(
        registry.tags(&arn(1)),
        Ok(json!({ "Tags": { "a": "1", "b": "2" } }))
    );
    let before = registry.get(&uuid(1), |_| None).unwrap();
    let change = registry
        .tag(&arn(1), &tags(&[("b", "3"), ("c", "")]))
        .unwrap();
    assert_eq!((&change.needs, &change.answer), (&None, &None));
    assert!(
        matches!(&change.effect, Effect::Keep(kept) if kept.tags == tags(&[("a", "1"), ("b", "3"), ("c", "")]))
    );
    registry.apply(change);
    let change = registry
        .untag(&arn(1), &["a".to_owned(), "none".to_owned()])
        .unwrap();
    registry.apply(change);
    assert_eq!(
        registry.tags(&arn(1)),
        Ok(json!({ "Tags": { "b": "3", "c": "" } }))
    );
    assert_eq!(
        registry.get(&uuid(1), |_| None).unwrap(),
        before,
        "the mapping is as it was"
    );
    assert_eq!(registry.mappings().len(), 1);
}

#[test]
fn tags_of_what_is_not_there_are_refused() {
    let registry = tagged();
    let other_home = arn(1).replace("us-east-1", "eu-west-1");
    for arn in [arn(2), other_home] {
        let refusal = registry.tags(&arn).unwrap_err();
        assert_eq!(
            (refusal.status, refusal.code),
            (404, "ResourceNotFoundException")
        );
        let body =
            format!(r#"{{"Type":"User","Message":"Event source mapping not found: {arn}"}}"#);
        assert_eq!(refusal.body(), body);
        assert_eq!(
            registry.tag(&arn, &BTreeMap::new()).unwrap_err().status,
            404
        );
        assert_eq!(registry.untag(&arn, &[]).unwrap_err().status, 404);
    }
    let function = "arn:aws:lambda:us-east-1:111111111111:function:f";
    let refusal = registry.tags(function).unwrap_err();
    assert_eq!(
        refusal.message,
        "Sluicegate keeps tags of event source mappings only."
    );
}

#[test]
fn tags_are_bounded() {
    let registry = tagged();
    let many = |count: usize| {
        (0..count)
            .map(|n| (format!("key{n}"), String::new()))
            .collect()
    };
    assert!(registry.tag(&arn(1), &many(48)).is_ok());
    let cases = [
        (many(49), "51 tags are more than 50."),
        (
            tags(&[("", "x")]),
            "The key of a tag has 1 to 128 characters.",
        ),
        (
            tags(&[(&"k".repeat(129), "x")]),
            "The key of a tag has 1 to 128 characters.",
        ),
        (
            tags(&[("k", &"v".repeat(257))]),
            "The value of a tag has at most 256 characters.",
        ),
        (
            tags(&[("aws:k", "v")]),
            "Keys of tags that begin with aws: are AWS's own.",
        ),
    ];
    for (tags, message) in cases {
        assert_eq!(registry.tag(&arn(1), &tags).unwrap_err().message, message);
    }
    assert!(
        registry
            .tag(&arn(1), &tags(&[(&"k".repeat(128), &"v".repeat(256))]))
            .is_ok()
    );
    let body = request(QUEUE, json!({ "FunctionName": "g", "Tags": { "": "x" } }));
    let refusal = try_create(&registry, &body, 2).unwrap_err();
    assert_eq!(refusal.message, "The key of a tag has 1 to 128 characters.");
}
