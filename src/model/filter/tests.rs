//! The pattern language against its specification: one table a rule, each expectation literal.
#![allow(clippy::unwrap_used)]

mod hostile;
mod properties;
mod streams;
mod structure;

use std::collections::BTreeMap;

use super::*;
use crate::model::record::{AttributeValue, Message, MessageAttribute};

fn message(body: &str) -> Message<'_> {
    let attribute = |data_type: &'static str, value| MessageAttribute {
        data_type: data_type.into(),
        value,
    };
    Message {
        id: "8f0a3c6e".into(),
        receipt: "AQEB".into(),
        body: body.into(),
        attributes: BTreeMap::from([
            ("ApproximateReceiveCount".into(), "1".into()),
            ("SentTimestamp".into(), "1789650001123".into()),
        ]),
        message_attributes: BTreeMap::from([
            (
                "Author".into(),
                attribute("String", AttributeValue::Text("jo".into())),
            ),
            (
                "Weeks".into(),
                attribute("Number.int", AttributeValue::Text("6".into())),
            ),
            (
                "Blob".into(),
                attribute("Binary", AttributeValue::Binary("AAEC".into())),
            ),
            (
                "trace.id".into(),
                attribute("String", AttributeValue::Text("t-1".into())),
            ),
        ]),
        md5_of_body: "0cc1".into(),
        md5_of_message_attributes: None,
    }
}

fn keeps(pattern: &str, body: &str) -> bool {
    Filters::parse(&[pattern], Source::Sqs)
        .unwrap_or_else(|error| panic!("{pattern}: {error}"))
        .keeps(&message(body))
}

/// A pattern inside `body` against a JSON body.
fn matches(pattern: &str, body: &str) -> bool {
    keeps(&format!(r#"{{"body":{pattern}}}"#), body)
}

#[test]
fn no_filter_keeps_everything() {
    let none: [&str; 0] = [];
    let filters = Filters::parse(&none, Source::Sqs).unwrap();
    assert!(filters.keeps(&message("anything")));
    assert_eq!(filters.refusals(&message("anything")), []);
}

// spec: 7.1 any filter, all keys, any value
#[test]
fn filters_are_alternatives_keys_are_demands_and_values_are_alternatives() {
    let filters = Filters::parse(
        &[
            r#"{"body":{"a":[1,2],"b":["x"]}}"#,
            r#"{"body":{"c":[true]}}"#,
        ],
        Source::Sqs,
    )
    .unwrap();
    for (body, expected) in [
        (r#"{"a":1,"b":"x"}"#, true),
        (r#"{"a":2,"b":"x"}"#, true),
        (r#"{"a":3,"b":"x"}"#, false),
        (r#"{"a":1}"#, false),
        (r#"{"c":true}"#, true),
        (r#"{"a":1,"c":true}"#, true),
        (r#"{"a":1,"c":false}"#, false),
        ("{}", false),
    ] {
        assert_eq!(filters.keeps(&message(body)), expected, "{body}");
    }
}

// spec: 7.3, the rows of SQS
#[test]
fn a_string_pattern_asks_string_bodies_and_an_object_pattern_json_bodies() {
    for (pattern, body, expected) in [
        // string, string list: compare
        (r#"{"body":["abc"]}"#, "abc", true),
        (r#"{"body":["abc"]}"#, "abd", false),
        (r#"{"body":[{"prefix":"a"}]}"#, "abc", true),
        (r#"{"body":[""]}"#, "", true),
        // string, none: metadata
        (r#"{"messageId":["8f0a3c6e"]}"#, "abc", true),
        (r#"{"messageId":["other"]}"#, "abc", false),
        // string, JSON object: drop, whatever the object asks
        (r#"{"body":{"a":[1]}}"#, "abc", false),
        (r#"{"body":{"a":[{"exists":false}]}}"#, "abc", false),
        (r#"{"body":{"a":[1]}}"#, r#"{"a":1"#, false),
        (r#"{"body":{"a":[{"exists":false}]}}"#, r#"{"a":1"#, false),
        (
            r#"{"body":{"a":[{"exists":false}]}}"#,
            r#"{"b":1} x"#,
            false,
        ),
        (r#"{"body":{"a":[{"exists":false}]}}"#, "", false),
        // JSON, string list: drop
        (r#"{"body":["abc"]}"#, r#"{"abc":1}"#, false),
        (r#"{"body":["abc"]}"#, r#"["abc"]"#, false),
        (r#"{"body":[{"prefix":""}]}"#, r#"{"abc":1}"#, false),
        (r#"{"body":[{"anything-but":"x"}]}"#, r#"{"abc":1}"#, false),
        (r#"{"body":[{"exists":true}]}"#, r#"{"abc":1}"#, false),
        // an object is no leaf, so that exists: false holds of it wherever it stands
        (r#"{"body":[{"exists":false}]}"#, r#"{"abc":1}"#, true),
        (r#"{"body":[{"exists":false}]}"#, "abc", false),
        // JSON, none: metadata
        (r#"{"messageId":["8f0a3c6e"]}"#, r#"{"abc":1}"#, true),
        // JSON, JSON object: compare
        (r#"{"body":{"a":[1]}}"#, r#"{"a":1}"#, true),
        (r#"{"body":{"a":[1]}}"#, " \r\n\t{\"a\":1} ", true),
        (r#"{"body":{"a":[1]}}"#, r#"{"a":2}"#, false),
        (r#"{"body":{"a":[1]}}"#, r#"[{"a":2},{"a":1}]"#, true),
        (r#"{"body":{"a":[{"exists":false}]}}"#, "{}", true),
        (r#"{"body":{"a":[{"exists":false}]}}"#, "[]", true),
        // A lone scalar is the string that it is (unknown in 7.3; decided).
        (r#"{"body":["5"]}"#, "5", true),
        (r#"{"body":["true"]}"#, "true", true),
        (r#"{"body":["\"x\""]}"#, r#""x""#, true),
        (r#"{"body":[5]}"#, "5", false),
        (r#"{"body":[true]}"#, "true", false),
        (r#"{"body":[null]}"#, "null", false),
        (r#"{"body":{"a":[{"exists":false}]}}"#, "5", false),
        // A bare word in braces is no JSON, hence a string.
        (r#"{"body":["{abc"]}"#, "{abc", true),
    ] {
        assert_eq!(keeps(pattern, body), expected, "{pattern} on {body}");
    }
}

// spec: 7.2 and 2.1
#[test]
fn metadata_has_the_shape_of_the_event_without_what_is_added_later() {
    for (pattern, expected) in [
        (r#"{"receiptHandle":["AQEB"]}"#, true),
        (r#"{"messageId":["8f0a3c6e"]}"#, true),
        (r#"{"messageId":["8F0A3C6E"]}"#, false),
        (r#"{"messageid":["8f0a3c6e"]}"#, false),
        (r#"{"body":["text"]}"#, true),
        (r#"{"md5OfBody":["0CC1"]}"#, false),
        (r#"{"md5OfBody":["0cc1"]}"#, true),
        (r#"{"md5OfMessageAttributes":[{"exists":false}]}"#, true),
        (r#"{"attributes":{"ApproximateReceiveCount":["1"]}}"#, true),
        (r#"{"attributes":{"ApproximateReceiveCount":[1]}}"#, false),
        (
            r#"{"attributes":{"ApproximateReceiveCount":[{"numeric":["=",1]}]}}"#,
            false,
        ),
        (
            r#"{"attributes":{"MessageGroupId":[{"exists":false}]}}"#,
            true,
        ),
        (r#"{"attributes.SentTimestamp":[{"prefix":"17896"}]}"#, true),
        (
            r#"{"messageAttributes":{"Author":{"stringValue":["jo"],"dataType":["String"]}}}"#,
            true,
        ),
        (
            r#"{"messageAttributes":{"Author":{"binaryValue":[{"exists":false}]}}}"#,
            true,
        ),
        (r#"{"messageAttributes":{"Author":["jo"]}}"#, false),
        (
            r#"{"messageAttributes":{"Author":[{"exists":true}]}}"#,
            false,
        ),
        (
            r#"{"messageAttributes":{"author":{"stringValue":["jo"]}}}"#,
            false,
        ),
        (
            r#"{"messageAttributes":{"Weeks":{"stringValue":["6"],"dataType":[{"prefix":"Number"}]}}}"#,
            true,
        ),
        (
            r#"{"messageAttributes":{"Blob":{"binaryValue":["AAEC"]}}}"#,
            true,
        ),
        (
            r#"{"messageAttributes":{"Blob":{"stringValue":[{"exists":true}]}}}"#,
            false,
        ),
        (
            r#"{"messageAttributes":{"Author":{"stringListValues":[{"exists":true}]}}}"#,
            false,
        ),
        (
            r#"{"messageAttributes":{"trace":{"id":{"stringValue":["t-1"]}}}}"#,
            true,
        ),
        (
            r#"{"messageAttributes":{"trace.id":{"stringValue":["t-1"]}}}"#,
            true,
        ),
        (
            r#"{"messageAttributes":{"Missing":{"stringValue":[{"anything-but":"x"}]}}}"#,
            false,
        ),
        (r#"{"eventSource":["aws:sqs"]}"#, false),
        (r#"{"eventSource":[{"exists":false}]}"#, true),
        (r#"{"eventSourceARN":[{"prefix":"arn"}]}"#, false),
        (r#"{"awsRegion":["us-east-1"]}"#, false),
        (r#"{"awsRegion":[{"exists":false}]}"#, true),
        (r#"{"Records":{"body":["text"]}}"#, false),
    ] {
        assert_eq!(keeps(pattern, "text"), expected, "{pattern}");
    }
}

#[test]
fn a_digest_of_attributes_is_seen_when_the_queue_gave_one() {
    let mut message = message("text");
    message.md5_of_message_attributes = Some("d25a".into());
    assert!(
        Filters::parse(&[r#"{"md5OfMessageAttributes":["d25a"]}"#], Source::Sqs)
            .unwrap()
            .keeps(&message)
    );
}

// spec: 7.4 operators
#[test]
fn every_operator_matches_as_documented() {
    for (alternatives, value, expected) in [
        (r#"["a"]"#, r#""a""#, true),
        (r#"["a"]"#, r#""A""#, false),
        (r#"["a"]"#, r#""\u0061""#, true),
        (r#"["\u00e9"]"#, r#""é""#, true),
        ("[5]", "5", true),
        ("[5]", "5.00", true),
        ("[5.5]", "55e-1", true),
        ("[0]", "-0.0", true),
        ("[-5]", "5", false),
        ("[5]", "true", false),
        ("[5]", "null", false),
        ("[5]", r#""5""#, false),
        (r#"["5"]"#, "5", false),
        ("[true]", "true", true),
        ("[true]", "false", false),
        ("[true]", r#""true""#, false),
        ("[false]", "0", false),
        ("[null]", "null", true),
        ("[null]", r#""""#, false),
        ("[null]", "{}", false),
        (r#"[""]"#, r#""""#, true),
        (r#"[""]"#, "null", false),
        (r#"["a","b"]"#, r#""b""#, true),
        (r#"["a","b"]"#, r#""c""#, false),
        (r#"["a",5,null]"#, "null", true),
        (r#"["a",5,null]"#, "5", true),
        (r#"["a",5,null]"#, "6", false),
        (
            r#"[{"numeric":[">",100]},{"anything-but":"101"}]"#,
            r#""42""#,
            true,
        ),
        (
            r#"[{"numeric":[">",100]},{"anything-but":"101"}]"#,
            r#""101""#,
            false,
        ),
        // numeric
        (r#"[{"numeric":["=",5]}]"#, "5.0", true),
        (r#"[{"numeric":["=",5]}]"#, "5.1", false),
        (r#"[{"numeric":[">",0,"<=",10]}]"#, "0", false),
        (r#"[{"numeric":[">",0,"<=",10]}]"#, "1e-9", true),
        (r#"[{"numeric":[">",0,"<=",10]}]"#, "10", true),
        (r#"[{"numeric":[">",0,"<=",10]}]"#, "10.000001", false),
        (r#"[{"numeric":[">=",0,"<",10]}]"#, "0", true),
        (r#"[{"numeric":[">=",0,"<",10]}]"#, "10", false),
        (r#"[{"numeric":["<",-1]}]"#, "-1.5", true),
        (r#"[{"numeric":["<=",-1]}]"#, "-1", true),
        (r#"[{"numeric":["<",-1]}]"#, "-1", false),
        (r#"[{"numeric":["<=",-1]}]"#, "-0.999", false),
        (r#"[{"numeric":[">",2]}]"#, "2", false),
        (r#"[{"numeric":[">",2]}]"#, "2.000001", true),
        (r#"[{"numeric":[">=",2]}]"#, "2.0", true),
        (r#"[{"numeric":[">=",2]}]"#, "1.999999", false),
        (r#"[{"numeric":[">",1e2]}]"#, "101", true),
        (r#"[{"numeric":["=",3.0e2]}]"#, "300", true),
        (r#"[{"numeric":[">",0]}]"#, "[-1,1]", true),
        (r#"[{"numeric":[">",0]}]"#, "[-1,\"1\"]", false),
        (r#"[{"numeric":["=",5]}]"#, r#""5""#, false),
        (r#"[{"numeric":[">",-1]}]"#, "null", false),
        (r#"[{"numeric":[">",-1]}]"#, "true", false),
        ("[300]", "300.0", true),
        ("[300]", "3.0e2", true),
        ("[9007199254740993]", "9007199254740992", false),
        (r#"[{"numeric":[">",5e9]}]"#, "1e999999", true),
        // exists
        (r#"[{"exists":true}]"#, "null", true),
        (r#"[{"exists":true}]"#, r#""""#, true),
        (r#"[{"exists":true}]"#, "false", true),
        (r#"[{"exists":true}]"#, "[{}]", false),
        (r#"[{"exists":true}]"#, "[{},0]", true),
        (r#"[{"exists":false}]"#, "null", false),
        (r#"[{"exists":false}]"#, "1", false),
        (r#"[{"exists":true}]"#, r#"{"b":1}"#, false),
        (r#"[{"exists":false}]"#, r#"{"b":1}"#, true),
        // prefix, suffix
        (r#"[{"prefix":"us-"}]"#, r#""us-east""#, true),
        (r#"[{"prefix":"us-"}]"#, r#""US-east""#, false),
        (r#"[{"prefix":"1"}]"#, "12", false),
        (r#"[{"prefix":""}]"#, r#""x""#, true),
        (r#"[{"prefix":""}]"#, "5", false),
        (r#"[{"suffix":""}]"#, r#""x""#, true),
        (r#"[{"suffix":""}]"#, "null", false),
        (r#"[{"suffix":"1"}]"#, "11", false),
        (r#"[{"suffix":".png"}]"#, r#""x.png""#, true),
        (r#"[{"suffix":".png"}]"#, r#""x.jpg""#, false),
        (
            r#"[{"prefix":{"equals-ignore-case":"Ab"}}]"#,
            r#""aBc""#,
            true,
        ),
        (
            r#"[{"suffix":{"equals-ignore-case":".PNG"}}]"#,
            r#""x.png""#,
            true,
        ),
        (r#"[{"equals-ignore-case":"aB"}]"#, r#""Ab""#, true),
        (r#"[{"equals-ignore-case":"aB"}]"#, r#""Abc""#, false),
        (r#"[{"equals-ignore-case":"1"}]"#, "1", false),
        (r#"[{"equals-ignore-case":""}]"#, r#""""#, true),
        (
            r#"[{"prefix":{"equals-ignore-case":"Ab"}}]"#,
            r#""xab""#,
            false,
        ),
        (
            r#"[{"suffix":{"equals-ignore-case":".PNG"}}]"#,
            r#""x.png.gz""#,
            false,
        ),
        // wildcard, cidr
        (r#"[{"wildcard":"a*c"}]"#, r#""abbbc""#, true),
        (r#"[{"wildcard":"a*c"}]"#, r#""abd""#, false),
        (r#"[{"wildcard":""}]"#, r#""x""#, false),
        (r#"[{"wildcard":""}]"#, r#""""#, true),
        (r#"[{"wildcard":"*"}]"#, r#""""#, true),
        (r#"[{"wildcard":"*"}]"#, "5", false),
        (r#"[{"wildcard":"*/x/*"}]"#, r#""a/x/b""#, true),
        (r#"[{"wildcard":"*/x/*"}]"#, r#""a/b/x""#, false),
        (r#"[{"wildcard":"a\\*c"}]"#, r#""a*c""#, true),
        (r#"[{"wildcard":"a\\*c"}]"#, r#""abc""#, false),
        (r#"[{"wildcard":"a\\\\*"}]"#, r#""a\\b""#, true),
        (r#"[{"cidr":"10.0.0.0/24"}]"#, r#""10.0.0.9""#, true),
        (r#"[{"cidr":"10.0.0.0/24"}]"#, r#""10.0.1.9""#, false),
        (r#"[{"cidr":"2001:db8::/32"}]"#, r#""2001:db8::1""#, true),
        (r#"[{"cidr":"2001:db8::/32"}]"#, r#""2001:db9::1""#, false),
        (r#"[{"cidr":"2001:db8::/32"}]"#, r#""10.0.0.9""#, false),
        (r#"[{"cidr":"10.0.0.0/24"}]"#, r#""2001:db8::1""#, false),
        (r#"[{"cidr":"10.0.0.0/24"}]"#, r#""10.0.0.9/32""#, false),
        (r#"[{"cidr":"10.0.0.0/24"}]"#, "10", false),
        // anything-but
        (r#"[{"anything-but":"a"}]"#, r#""b""#, true),
        (r#"[{"anything-but":"a"}]"#, r#""a""#, false),
        (r#"[{"anything-but":"a"}]"#, "null", true),
        (r#"[{"anything-but":"a"}]"#, "true", true),
        (r#"[{"anything-but":"a"}]"#, "1", true),
        (r#"[{"anything-but":""}]"#, r#""""#, false),
        (r#"[{"anything-but":0}]"#, r#""0""#, true),
        (r#"[{"anything-but":0}]"#, "null", true),
        (r#"[{"anything-but":[100,200]}]"#, "2e2", false),
        (r#"[{"anything-but":["5"]}]"#, "5", true),
        (r#"[{"anything-but":["a","b"]}]"#, r#""b""#, false),
        (r#"[{"anything-but":["a","b"]}]"#, r#""c""#, true),
        (r#"[{"anything-but":0}]"#, "0.0", false),
        (r#"[{"anything-but":0}]"#, "1", true),
        (r#"[{"anything-but":[100,200]}]"#, "200", false),
        (r#"[{"anything-but":[100,200]}]"#, r#""200""#, true),
        (
            r#"[{"anything-but":{"prefix":"init"}}]"#,
            r#""initial""#,
            false,
        ),
        (r#"[{"anything-but":{"prefix":"init"}}]"#, "12", true),
        (r#"[{"anything-but":{"prefix":"init"}}]"#, "null", true),
        (
            r#"[{"anything-but":{"prefix":["a","b"]}}]"#,
            r#""bc""#,
            false,
        ),
        (
            r#"[{"anything-but":{"suffix":".png"}}]"#,
            r#""x.png""#,
            false,
        ),
        (
            r#"[{"anything-but":{"suffix":[".png",".gif"]}}]"#,
            r#""x.jpg""#,
            true,
        ),
        (
            r#"[{"anything-but":{"wildcard":"*/x"}}]"#,
            r#""a/x""#,
            false,
        ),
        (r#"[{"anything-but":{"wildcard":""}}]"#, r#""a""#, true),
        (r#"[{"anything-but":{"wildcard":"*"}}]"#, "5", true),
        (r#"[{"anything-but":{"wildcard":"*"}}]"#, "null", true),
        (
            r#"[{"anything-but":{"wildcard":["a*","b*"]}}]"#,
            r#""bc""#,
            false,
        ),
        (r#"[{"anything-but":{"suffix":".png"}}]"#, "12", true),
        (
            r#"[{"anything-but":{"suffix":[".png",".gif"]}}]"#,
            r#""x.gif""#,
            false,
        ),
        (
            r#"[{"anything-but":{"prefix":["a","b"]}}]"#,
            r#""ca""#,
            true,
        ),
        (
            r#"[{"anything-but":{"equals-ignore-case":"AB"}}]"#,
            "null",
            true,
        ),
        (
            r#"[{"anything-but":{"wildcard":["a*","b*"]}}]"#,
            r#""c""#,
            true,
        ),
        (
            r#"[{"anything-but":{"equals-ignore-case":"AB"}}]"#,
            r#""ab""#,
            false,
        ),
        (
            r#"[{"anything-but":{"equals-ignore-case":["AB","cd"]}}]"#,
            r#""CD""#,
            false,
        ),
        (
            r#"[{"anything-but":{"equals-ignore-case":["AB","cd"]}}]"#,
            r#""x""#,
            true,
        ),
        (r#"[{"anything-but":"a"}]"#, r#"{"b":1}"#, false),
    ] {
        let pattern = format!(r#"{{"k":{alternatives}}}"#);
        assert_eq!(
            matches(&pattern, &format!(r#"{{"k":{value}}}"#)),
            expected,
            "{alternatives} on {value}"
        );
    }
}

// spec: 7.4 matching rules
#[test]
fn every_matching_rule_holds() {
    for (pattern, body, expected) in [
        // record arrays: any element; an empty one holds nothing
        (r#"{"a":[2]}"#, r#"{"a":[1,2]}"#, true),
        (r#"{"a":[3]}"#, r#"{"a":[1,2]}"#, false),
        (r#"{"a":[2]}"#, r#"{"a":[[1,[2]]]}"#, true),
        (r#"{"a":[null]}"#, r#"{"a":[]}"#, false),
        (r#"{"a":[{"exists":true}]}"#, r#"{"a":[]}"#, false),
        (r#"{"a":[{"exists":false}]}"#, r#"{"a":[]}"#, true),
        (
            r#"{"a":[{"anything-but":"x"}]}"#,
            r#"{"a":["x","y"]}"#,
            true,
        ),
        (r#"{"a":[{"anything-but":"x"}]}"#, r#"{"a":["x"]}"#, false),
        (r#"{"a":[{"anything-but":"x"}]}"#, r#"{"a":[]}"#, false),
        // a list of objects: one object must satisfy the whole sub-pattern
        (
            r#"{"a":{"b":[1],"c":[2]}}"#,
            r#"{"a":[{"b":9,"c":2},{"b":1,"c":2}]}"#,
            true,
        ),
        (
            r#"{"a":{"b":[1],"c":[2]}}"#,
            r#"{"a":[{"b":1,"c":9},{"b":9,"c":2}]}"#,
            false,
        ),
        (r#"{"a":{"b":[1]}}"#, r#"{"a":[7,{"b":1}]}"#, true),
        (
            r#"{"a.b":[1],"a.c":[2]}"#,
            r#"{"a":[{"b":1,"c":9},{"b":9,"c":2}]}"#,
            false,
        ),
        (
            r#"{"a":{"b":[1]},"$or":[{"a":{"c":[2]}},{"a":{"c":[3]}}]}"#,
            r#"{"a":[{"b":1},{"c":2}]}"#,
            false,
        ),
        (
            r#"{"a":{"b":[1]},"$or":[{"a":{"c":[2]}},{"a":{"c":[3]}}]}"#,
            r#"{"a":[{"b":1,"c":3}]}"#,
            true,
        ),
        // missing field: nothing but exists:false
        (r#"{"a":[{"exists":false}]}"#, r#"{"b":1}"#, true),
        (r#"{"a":[{"anything-but":"x"}]}"#, r#"{"b":1}"#, false),
        (
            r#"{"a":[{"anything-but":{"prefix":"x"}}]}"#,
            r#"{"b":1}"#,
            false,
        ),
        (
            r#"{"a":[{"anything-but":{"wildcard":"x"}}]}"#,
            r#"{"b":1}"#,
            false,
        ),
        (r#"{"a":[null]}"#, r#"{"b":1}"#, false),
        (
            r#"{"a":[{"anything-but":"x"},{"exists":false}]}"#,
            r#"{"b":1}"#,
            true,
        ),
        // exists:false holds when the parent is missing, or is no object
        (r#"{"a":{"b":[{"exists":false}]}}"#, r#"{"c":1}"#, true),
        (r#"{"a":{"b":[{"exists":false}]}}"#, r#"{"a":1}"#, true),
        (r#"{"a":{"b":[{"exists":false}]}}"#, r#"{"a":[]}"#, true),
        (
            r#"{"a":{"b":[{"exists":false}]}}"#,
            r#"{"a":{"b":1}}"#,
            false,
        ),
        (r#"{"a":{"b":[{"exists":true}]}}"#, r#"{"a":null}"#, false),
        // JSON in a string is a string
        (r#"{"a":{"b":[1]}}"#, r#"{"a":"{\"b\":1}"}"#, false),
        // keys are case-sensitive; dots and nesting are the same both ways
        (r#"{"a":[1]}"#, r#"{"A":1}"#, false),
        (r#"{"a.b":[1]}"#, r#"{"a":{"b":1}}"#, true),
        (r#"{"a":{"b":[1]}}"#, r#"{"a.b":1}"#, true),
        (r#"{"a.b.c":[1]}"#, r#"{"a":{"b.c":1}}"#, true),
        (r#"{"a":{"b.c":[1]}}"#, r#"{"a.b":{"c":1}}"#, true),
        (
            r#"{"a":{"b":[1],"c":[2]}}"#,
            r#"{"a.b":1,"a":{"c":2}}"#,
            true,
        ),
        (r#"{"a":[1],"a.b":[2]}"#, r#"{"a":1,"a.b":2}"#, true),
        (
            r#"{"a":{"b":[1]},"a.c":[2]}"#,
            r#"{"a":{"b":1,"c":3}}"#,
            false,
        ),
        // duplicate keys in a pattern: the last one
        (r#"{"a":[1],"a":[2]}"#, r#"{"a":1}"#, false),
        (r#"{"a":[1],"a":[2]}"#, r#"{"a":2}"#, true),
        (r#"{"a":{"b":[1]},"a":{"c":[2]}}"#, r#"{"a":{"c":2}}"#, true),
        // $or
        (r#"{"$or":[{"a":[1]},{"b":[2]}]}"#, r#"{"b":2}"#, true),
        (
            r#"{"$or":[{"a":[1]},{"b":[2]}]}"#,
            r#"{"a":2,"b":1}"#,
            false,
        ),
        (
            r#"{"c":[3],"$or":[{"a":[1]},{"b":[2]}]}"#,
            r#"{"a":1}"#,
            false,
        ),
        (
            r#"{"c":[3],"$or":[{"a":[1]},{"b":[2]}]}"#,
            r#"{"a":1,"c":3}"#,
            true,
        ),
        (
            r#"{"x":{"$or":[{"a":[1]},{"b":[2]}]}}"#,
            r#"{"x":{"b":2}}"#,
            true,
        ),
        (
            r#"{"$or":[{"a":[1]},{"$or":[{"b":[2]},{"c":[3]}]}]}"#,
            r#"{"c":3}"#,
            true,
        ),
        (
            r#"{"$or":[{"a":[1],"b":[2]},{"c":[{"exists":false}],"d":[4]}]}"#,
            r#"{"d":4}"#,
            true,
        ),
        (r#"{"$or":[1,2]}"#, r#"{"$or":2}"#, true),
        (
            r#"{"$or":[{"prefix":"x"},{"prefix":"y"}]}"#,
            r#"{"$or":"yz"}"#,
            true,
        ),
        (
            r#"{"$or":[{"prefix":"x"},{"prefix":"y"}]}"#,
            r#"{"a":"yz"}"#,
            false,
        ),
        // a repeated key of a body offers all its values
        (r#"{"a":[1]}"#, r#"{"a":1,"a":2}"#, true),
        (r#"{"a":[2]}"#, r#"{"a":1,"a":2}"#, true),
    ] {
        assert_eq!(matches(pattern, body), expected, "{pattern} on {body}");
    }
}

// pitfalls 11.17, 11.19, 11.20
#[test]
fn traps_are_told() {
    let warnings = |pattern: &str| -> Vec<(String, Trap)> {
        let filters = Filters::parse(&[pattern], Source::Sqs).unwrap();
        filters
            .warnings()
            .iter()
            .map(|warning| (warning.key.clone(), warning.trap))
            .collect()
    };
    for (pattern, expected) in [
        (r#"{"body":{"a":[1]}}"#, vec![]),
        (r#"{"body":["text"],"messageId":[{"exists":true}]}"#, vec![]),
        (
            r#"{"body":{"a":[1],"a":[2]}}"#,
            vec![("body.a", Trap::RepeatedKey)],
        ),
        (
            r#"{"body":{"a":{"b":[1]}},"body.a.b":[2]}"#,
            vec![("body.a.b", Trap::RepeatedKey)],
        ),
        (
            r#"{"body":{"a":[1],"$or":[{"a":[2]},{"b":[3]}]}}"#,
            vec![("body.a", Trap::RepeatedKey)],
        ),
        (
            r#"{"body":{"$or":["x"]}}"#,
            vec![("body.$or", Trap::OrIsAKey)],
        ),
        (
            r#"{"messageAttributes":{"A":[{"exists":true}]}}"#,
            vec![("messageAttributes.A", Trap::NotALeaf)],
        ),
        (
            r#"{"messageAttributes":{"A":{"dataType":[1]}}}"#,
            vec![("messageAttributes.A.dataType", Trap::StringsOnly)],
        ),
        (
            r#"{"attributes":[{"exists":false}]}"#,
            vec![("attributes", Trap::NotALeaf)],
        ),
        (
            r#"{"body":{"a":[{"exists":true}],"a.b":[1]}}"#,
            vec![("body.a", Trap::NotALeaf)],
        ),
        (
            r#"{"eventSource":["aws:sqs"]}"#,
            vec![("eventSource", Trap::NeverThere(Source::Sqs))],
        ),
        (
            r#"{"Body":{"a":[1]}}"#,
            vec![("Body.a", Trap::NeverThere(Source::Sqs))],
        ),
        (
            r#"{"data":{"a":[1]}}"#,
            vec![("data.a", Trap::NeverThere(Source::Sqs))],
        ),
        (r#"{"body":[5,null]}"#, vec![("body", Trap::StringsOnly)]),
        // a queue of strings and a queue of JSON
        (r#"{"body":["ping",{"prefix":"order "}]}"#, vec![]),
        (r#"{"body":["{not json"]}"#, vec![]),
        (
            r#"{"body":["{\"kind\":\"order\"}"]}"#,
            vec![("body", Trap::JsonAsText)],
        ),
        (
            r#"{"body":[{"prefix":"{\"kind\":"}]}"#,
            vec![("body", Trap::JsonAsText)],
        ),
        (
            r#"{"body":[{"anything-but":"[]"}]}"#,
            vec![("body", Trap::JsonAsText)],
        ),
        (
            r#"{"body":[{"exists":true}]}"#,
            vec![("body", Trap::BodyExists)],
        ),
        (
            r#"{"body":["x",{"exists":false}]}"#,
            vec![("body", Trap::BodyExists)],
        ),
        (
            r#"{"body":["x"],"body.a":[1]}"#,
            vec![("body", Trap::NotALeaf)],
        ),
        (
            r#"{"attributes":{"SentTimestamp":[{"numeric":[">",1]}]}}"#,
            vec![("attributes.SentTimestamp", Trap::StringsOnly)],
        ),
        (
            r#"{"body":{"a":[{"anything-but":{"wildcard":"*a*a*a*a*a*"}}]}}"#,
            vec![("body.a", Trap::ManyWildcards)],
        ),
    ] {
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(key, trap)| (key.to_owned(), trap))
            .collect();
        assert_eq!(warnings(pattern), expected, "{pattern}");
    }
    let filters = Filters::parse(
        &[r#"{"body":{"a":[1]}}"#, r#"{"body":{"a":[1],"a":[2]}}"#],
        Source::Sqs,
    )
    .unwrap();
    assert_eq!(
        filters.warnings()[0].to_string(),
        "filter 1, key body.a: given more than once: only the last one counts"
    );
}

#[test]
fn a_refusal_names_the_first_key_that_refused_and_never_its_value() {
    let refusal = |pattern: &str, body: &str| {
        Filters::parse(&[pattern], Source::Sqs)
            .unwrap()
            .refusals(&message(body))
            .pop()
            .map(|refusal| (refusal.key, refusal.why))
    };
    for (pattern, body, expected) in [
        (r#"{"body":{"a":[1]}}"#, r#"{"a":1}"#, None),
        (
            r#"{"body":{"a":[1],"b":[2]}}"#,
            r#"{"a":1,"b":3}"#,
            Some(("body.b", Why::NoMatch)),
        ),
        (
            r#"{"body":{"z":[1],"b":[2]}}"#,
            r#"{"b":3}"#,
            Some(("body.z", Why::Missing)),
        ),
        (
            r#"{"body":{"a":{"b":[1]}}}"#,
            r#"{"c":1}"#,
            Some(("body.a.b", Why::Missing)),
        ),
        (
            r#"{"body":{"a":{"b":[1]}}}"#,
            r#"{"a":[{"b":2},{"b":3}]}"#,
            Some(("body.a", Why::NoMatch)),
        ),
        (
            r#"{"body":{"a":[1]}}"#,
            "plain",
            Some(("body", Why::PayloadIsNotJson)),
        ),
        (
            r#"{"body":["plain"]}"#,
            r#"{"a":1}"#,
            Some(("body", Why::NotALeaf)),
        ),
        (
            r#"{"messageId":["x"],"body":{"a":[1]}}"#,
            "plain",
            Some(("messageId", Why::NoMatch)),
        ),
        (
            r#"{"body":{"$or":[{"a":[1]},{"b":[1]}]}}"#,
            "{}",
            Some(("body.$or", Why::NoMatch)),
        ),
        (
            r#"{"eventSource":["aws:sqs"]}"#,
            "plain",
            Some(("eventSource", Why::Missing)),
        ),
    ] {
        let expected = expected.map(|(key, why)| (key.to_owned(), why));
        assert_eq!(refusal(pattern, body), expected, "{pattern} on {body}");
    }
    let filters = Filters::parse(&[r#"{"body":{"a":["canary"]}}"#], Source::Sqs).unwrap();
    let shown = filters.refusals(&message(r#"{"a":"secret"}"#))[0].to_string();
    assert_eq!(
        shown,
        "filter 0 refused it at body.a: nothing that the pattern lists accepts its value"
    );
}
