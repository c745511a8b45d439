//! Paths as the clients of others write them, and as nobody should. // spec: 1.1

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};

use super::{MAPPINGS, NOW_MS, STREAM, empty, request, uuid};
use crate::control::{Call, Selection, route};

const ARN: &str = "arn:aws:lambda:us-east-1:111111111111:event-source-mapping:00000001-0000-4000-8000-000000000000";

fn name(call: &Call) -> &'static str {
    match call {
        Call::Create(_) => "create",
        Call::Get { .. } => "get",
        Call::List(_) => "list",
        Call::Update { .. } => "update",
        Call::Delete { .. } => "delete",
        Call::Pause { .. } => "pause",
        Call::Resume { .. } => "resume",
        Call::Position { .. } => "position",
        Call::Seek { .. } => "seek",
        Call::ListTags { .. } => "list tags",
        Call::Tag { .. } => "tag",
        Call::Untag { .. } => "untag",
    }
}

#[test]
fn paths_are_read_as_clients_write_them() {
    let one = uuid(1);
    let encoded = ARN.replace(':', "%3A");
    let create = r#"{"FunctionName":"f"}"#;
    let cases = [
        (Method::POST, MAPPINGS.to_owned(), None, create, "create"),
        (Method::POST, format!("{MAPPINGS}/"), None, create, "create"),
        (Method::GET, MAPPINGS.to_owned(), None, "", "list"),
        (
            Method::GET,
            format!("{MAPPINGS}/"),
            Some("MaxItems=1"),
            "",
            "list",
        ),
        (Method::GET, format!("{MAPPINGS}/{one}"), None, "", "get"),
        (Method::GET, format!("{MAPPINGS}/{one}/"), None, "", "get"),
        (
            Method::PUT,
            format!("{MAPPINGS}/{one}"),
            None,
            "{}",
            "update",
        ),
        (Method::PUT, format!("{MAPPINGS}/{one}"), None, "", "update"),
        (
            Method::DELETE,
            format!("{MAPPINGS}/{one}"),
            None,
            "",
            "delete",
        ),
        (
            Method::POST,
            format!("{MAPPINGS}/{one}/pause"),
            None,
            "",
            "pause",
        ),
        (
            Method::POST,
            format!("{MAPPINGS}/{one}/resume/"),
            None,
            "{}",
            "resume",
        ),
        (
            Method::GET,
            format!("{MAPPINGS}/{one}/position"),
            Some("MaxItems=7&Marker=YQ"),
            "",
            "position",
        ),
        (
            Method::PUT,
            format!("{MAPPINGS}/{one}/position"),
            None,
            r#"{"Undo":true}"#,
            "seek",
        ),
        (
            Method::GET,
            format!("/2017-03-31/tags/{ARN}"),
            None,
            "",
            "list tags",
        ),
        (
            Method::GET,
            format!("/2017-03-31/tags/{encoded}"),
            None,
            "",
            "list tags",
        ),
        (
            Method::POST,
            format!("/2017-03-31/tags/{encoded}"),
            None,
            r#"{"Tags":{"a":"b"}}"#,
            "tag",
        ),
        (
            Method::DELETE,
            format!("/2017-03-31/tags/{encoded}"),
            Some("tagKeys=a&tagKeys=b"),
            "",
            "untag",
        ),
    ];
    for (method, path, query, body, expected) in cases {
        let call = route(&method, &path, query, body.as_bytes());
        assert_eq!(call.as_ref().map(name), Ok(expected), "{method} {path}");
    }
    let get = route(
        &Method::GET,
        &format!("{MAPPINGS}/{}", one.replace('-', "%2d")),
        None,
        b"",
    );
    assert_eq!(get, Ok(Call::Get { uuid: one }));
    let tag = route(
        &Method::POST,
        &format!("/2017-03-31/tags/{encoded}"),
        None,
        br#"{"Tags":{"a":"b"}}"#,
    );
    let tags = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    assert_eq!(
        tag,
        Ok(Call::Tag {
            arn: ARN.to_owned(),
            tags
        })
    );
    let untag = route(
        &Method::DELETE,
        &format!("/2017-03-31/tags/{ARN}"),
        Some("tagKeys=a+1&tagKeys=%C3%A9"),
        b"",
    );
    let keys = vec!["a 1".to_owned(), "é".to_owned()];
    assert_eq!(
        untag,
        Ok(Call::Untag {
            arn: ARN.to_owned(),
            keys
        })
    );
    assert_eq!(
        route(&Method::GET, MAPPINGS, None, b"ignored"),
        Ok(Call::List(Selection::default()))
    );
}

#[test]
fn what_is_no_operation_is_refused() {
    let one = uuid(1);
    let unknown = (404, "UnknownOperationException");
    let method = (405, "MethodNotAllowedException");
    let shape = (400, "ValidationException");
    let invalid = (400, "InvalidParameterValueException");
    let cases = [
        (Method::GET, "", unknown),
        (Method::GET, "/", unknown),
        (Method::GET, "//", unknown),
        (Method::GET, "/2015-03-31", unknown),
        (Method::GET, "/2015-03-31/functions", unknown),
        (Method::GET, "/2015-03-31/event-source-mappings//", shape),
        (Method::GET, &format!("{MAPPINGS}/{one}/pause"), method),
        (Method::PUT, &format!("{MAPPINGS}/{one}/resume"), method),
        (Method::POST, &format!("{MAPPINGS}/{one}/position"), method),
        (
            Method::DELETE,
            &format!("{MAPPINGS}/{one}/position"),
            method,
        ),
        (Method::PUT, &format!("{MAPPINGS}/{one}/position"), invalid),
        (Method::POST, &format!("{MAPPINGS}/{one}/Pause"), unknown),
        (
            Method::POST,
            &format!("{MAPPINGS}/{one}/pause/now"),
            unknown,
        ),
        (Method::POST, &format!("{MAPPINGS}/x/pause"), shape),
        (Method::GET, &format!("{MAPPINGS}/x/position"), shape),
        (Method::GET, &format!("{MAPPINGS}/{one}//"), unknown),
        (Method::GET, &format!("/{MAPPINGS}"), unknown),
        (Method::GET, "/2015-03-31/Event-Source-Mappings", unknown),
        (Method::GET, "/2017-03-31/tags", unknown),
        (Method::DELETE, MAPPINGS, method),
        (Method::PUT, MAPPINGS, method),
        (Method::HEAD, MAPPINGS, method),
        (Method::POST, &format!("{MAPPINGS}/{one}"), method),
        (Method::PATCH, &format!("{MAPPINGS}/{one}"), method),
        (Method::PUT, &format!("/2017-03-31/tags/{ARN}"), method),
        (Method::GET, &format!("{MAPPINGS}/{}", &one[1..]), shape),
        (Method::GET, &format!("{MAPPINGS}/{one}0"), shape),
        (Method::GET, &format!("{MAPPINGS}/..%2F..%2Fetc"), shape),
        (Method::GET, &format!("{MAPPINGS}/%"), invalid),
        (Method::GET, &format!("{MAPPINGS}/%ff"), invalid),
        (Method::GET, &format!("{MAPPINGS}/%zz"), invalid),
        (Method::GET, "/2017-03-31/tags/orders", shape),
        (
            Method::GET,
            "/2017-03-31/tags/arn:aws:sqs:us-east-1:111111111111:orders",
            shape,
        ),
        (Method::DELETE, &format!("/2017-03-31/tags/{ARN}"), shape),
        (Method::POST, &format!("/2017-03-31/tags/{ARN}"), shape),
    ];
    for (method, path, expected) in cases {
        let refusal = route(&method, path, None, b"").expect_err(path);
        assert_eq!(
            (refusal.status, refusal.code),
            expected,
            "{method} {path}: {}",
            refusal.message
        );
    }
    let long = format!("{MAPPINGS}/{}", "%41".repeat(1_000_000));
    let refusal = route(&Method::GET, &long, None, b"").unwrap_err();
    assert_eq!(refusal.code, "ValidationException");
    assert!(
        refusal.message.len() < 10_000,
        "{} bytes",
        refusal.message.len()
    );
}

#[test]
fn hostile_bodies_are_refused_and_short_to_tell_of() {
    let deep = "[".repeat(10 * 1024 * 1024);
    let many = format!(
        r#"{{"FunctionName":"f","FilterCriteria":{{"Filters":[{}1]}}}}"#,
        "1,".repeat(1_000_000)
    );
    let long = json!({ "FunctionName": "f".repeat(5_000_000) }).to_string();
    let nested = format!(
        r#"{{"FunctionName":{}1{}}}"#,
        "[".repeat(120),
        "]".repeat(120)
    );
    let cases: [(&[u8], &str); 8] = [
        (deep.as_bytes(), "InvalidRequestContentException"),
        (
            b"{\"FunctionName\":\"f\",\"FunctionName\":\"f\"}",
            "InvalidRequestContentException",
        ),
        (b"\xc3\x28", "InvalidRequestContentException"),
        (b"\"text\"", "InvalidRequestContentException"),
        (b"", "ValidationException"),
        (many.as_bytes(), "ValidationException"),
        (long.as_bytes(), "ValidationException"),
        (nested.as_bytes(), "ValidationException"),
    ];
    for (body, code) in cases {
        let refusal = route(&Method::POST, MAPPINGS, None, body).unwrap_err();
        assert_eq!(
            (refusal.status, refusal.code),
            (400, code),
            "{}",
            refusal.message
        );
        assert!(
            refusal.body().len() < 20_000,
            "{} bytes",
            refusal.body().len()
        );
    }
}

/// Whatever the bytes are: a change that was decided on, or a refusal whose body is JSON.
#[test]
fn damaged_requests_are_answered() {
    let mut chance = fastrand::Rng::with_seed(7);
    let body = request(
        STREAM,
        json!({
            "BatchSize": 7,
            "FilterCriteria": { "Filters": [{ "Pattern": r#"{"data":{"a":[{"numeric":[">",1]}]}}"# }] },
            "DestinationConfig": { "OnFailure": { "Destination": "arn:aws:s3:::failed" } },
            "Tags": { "a": "b" },
        }),
    );
    let body = body.to_string().into_bytes();
    let registry = empty();
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let mut damaged = body.clone();
        for _ in 0..chance.usize(1..4) {
            let at = chance.usize(..damaged.len());
            match chance.u8(..3) {
                0 => damaged[at] = chance.u8(..),
                1 => drop(damaged.remove(at)),
                _ => damaged.insert(at, b"{}[],:0-9e\\"[chance.usize(..11)]),
            }
        }
        let answer = match route(&Method::POST, MAPPINGS, None, &damaged) {
            Ok(Call::Create(properties)) => registry.create(&properties, &uuid(1), NOW_MS),
            Ok(other) => panic!("{other:?} is no create"),
            Err(refusal) => Err(refusal),
        };
        match answer {
            Ok(change) => {
                taken += 1;
                assert_eq!(change.needs.map(|needs| needs.mapping.uuid), Some(uuid(1)));
            }
            Err(refusal) => {
                refused += 1;
                assert_eq!(refusal.status, 400, "{}", String::from_utf8_lossy(&damaged));
                let body: Value = serde_json::from_str(&refusal.body()).unwrap();
                assert_eq!(body["message"], refusal.message.as_str());
            }
        }
    }
    assert!(taken > 100 && refused > 1_000, "{taken} and {refused}");
}
