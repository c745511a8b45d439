//! Patterns and bodies that someone made to hurt: bounded in time, memory and stack, whatever they hold.

use super::super::{Filters, Source, Subject};
use super::{keeps, matches, message};

#[test]
fn hostile_bodies_cost_neither_stack_nor_time() {
    const SIZE: usize = 64 * 1024;
    let deep_lists = format!(r#"{{"a":{}{}}}"#, "[".repeat(SIZE), "]".repeat(SIZE));
    let deep_objects = format!("{}1{}", r#"{"a":"#.repeat(SIZE / 5), "}".repeat(SIZE / 5));
    let unclosed = r#"{"a":["#.repeat(SIZE / 6);
    let wide = format!(r#"{{"a":[{}1]}}"#, "1,".repeat(SIZE / 2));
    let digits = format!(r#"{{"a":{}}}"#, "9".repeat(SIZE));
    let exponent = format!(r#"{{"a":1e{}}}"#, "9".repeat(SIZE));
    let keys = format!("{{{}\"b\":1}}", r#""a":0,"#.repeat(SIZE / 6));
    let dots = format!(r#"{{"{}":1}}"#, "a.".repeat(SIZE / 2));
    let bodies = [
        &deep_lists,
        &deep_objects,
        &unclosed,
        &wide,
        &digits,
        &exponent,
        &keys,
        &dots,
    ];
    let kept = |pattern: &str| bodies.map(|body| matches(pattern, body));
    assert_eq!(
        kept(r#"{"a":[0]}"#),
        [false, false, false, false, false, false, true, false]
    );
    assert_eq!(
        kept(r#"{"a":[{"numeric":[">",5e9]}]}"#),
        [false, false, false, false, true, true, false, false]
    );
    assert_eq!(
        kept(r#"{"a":[{"exists":false}]}"#),
        [true, true, false, false, false, false, false, true]
    );
    assert_eq!(
        kept(r#"{"b":[{"exists":false}]}"#),
        [true, true, false, true, true, true, false, true]
    );
    let inward = format!("{}[1]{}", r#"{"a":"#.repeat(90), "}".repeat(90));
    assert_eq!(kept(&inward), [false; 8]);
}

#[test]
fn a_pattern_full_of_wildcards_searches_a_large_body_once() {
    let stars = "*a".repeat(2030);
    let body = "a".repeat(256 * 1024);
    assert!(keeps(
        &format!(r#"{{"body":[{{"wildcard":"{stars}"}}]}}"#),
        &body
    ));
    assert!(!keeps(
        &format!(r#"{{"body":[{{"wildcard":"{stars}b"}}]}}"#),
        &body
    ));
    assert!(!keeps(
        &format!(r#"{{"body":[{{"wildcard":"{stars}*b*"}}]}}"#),
        &body
    ));
    let periodic = "ab".repeat(128 * 1024);
    let long = format!("*{}b*", "ab".repeat(2000));
    assert!(!keeps(
        &format!(r#"{{"body":[{{"wildcard":"{long}"}}]}}"#),
        &periodic
    ));
}

#[test]
fn a_body_of_repeated_keys_offers_every_value_once() {
    const BODY_BYTES: usize = 256 * 1024;
    let repeated = |member: &str| {
        let count = BODY_BYTES / (member.len() + 1);
        let body = format!("{{{}\"z\":1}}", format!("{member},").repeat(count - 1));
        (body, count - 1)
    };
    for (member, pattern) in [
        (r#""a":0"#, r#"{"a":[0]}"#),
        (r#""a":[0]"#, r#"{"a":[0]}"#),
        (r#""a":{"b":0}"#, r#"{"a":{"b":[0]}}"#),
        (r#""a.b":0"#, r#"{"a":{"b":[0]}}"#),
        (r#""a":[{"b":0}]"#, r#"{"a":{"b":[0]}}"#),
    ] {
        let (body, count) = repeated(member);
        let filters = Filters::parse(&[format!(r#"{{"body":{pattern}}}"#)], Source::Sqs).unwrap();
        let message = message(&body);
        assert!(filters.keeps(&message), "{member}");
        // Not one scalar more than there are members: what is united is moved, never copied.
        let view = Subject::from(&message).view(&filters.wanted);
        let shown = format!("{view:?}");
        assert_eq!(shown.matches("Number(\"0\")").count(), count, "{member}");
        assert!(!matches(&pattern.replace("[0]", "[1]"), &body), "{member}");
    }
}

#[test]
fn a_number_as_long_as_a_body_is_compared_with_every_number_of_a_pattern() {
    let digits = "9".repeat(256 * 1024 - 16);
    let many: Vec<String> = (0..600).map(|n| format!("{n}e9")).collect();
    let pattern = format!(r#"{{"a":[{}]}}"#, many.join(","));
    for (number, expected) in [
        (digits.clone(), false),
        (format!("0.{digits}"), false),
        (format!("{digits}e-{digits}"), false),
        (format!("7{}", "0".repeat(9)), true),
        (format!("7{}.{}", "0".repeat(9), "0".repeat(200_000)), true),
    ] {
        let body = format!(r#"{{"a":{number}}}"#);
        assert_eq!(matches(&pattern, &body), expected, "{}", &body[..16]);
    }
}

#[test]
fn mutated_patterns_and_bodies_never_panic_and_refusals_agree_with_keeping() {
    let seeds = [
        r#"{"body":{"a":[1,"x",null,{"prefix":"é"},{"anything-but":["p","q"]}],"b.c":[{"exists":false}]}}"#,
        r#"{"body":{"$or":[{"a":{"b":[{"numeric":[">",-1.5e3,"<=",2]}]}},{"c":[{"wildcard":"a*b\\*"}]}]}}"#,
        r#"{"body":{"a":[{"cidr":"10.0.0.0/8"},{"suffix":{"equals-ignore-case":"Z"}}],"c":{"d":[true]}},"messageId":[{"exists":true}]}"#,
        r#"{"a":[1,[2,{"b":-0.5e-3}],"\ud83d\ude00"],"b.c":null,"c":{"d":true,"e":"x\u0000"}}"#,
    ];
    let splices = [
        "\"",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "$or",
        ".",
        "\\",
        "\\ud800",
        "*",
        "e999999999999",
        "null",
        "é",
        "-",
        "0",
        "",
    ];
    let mut random = fastrand::Rng::with_seed(7);
    let mut mutate = |text: &str| {
        let mut chars: Vec<char> = text.chars().collect();
        for _ in 0..random.usize(0..4) {
            let at = random.usize(0..chars.len());
            let until = (at + random.usize(0..4)).min(chars.len() - 1);
            chars.splice(at..until, splices[random.usize(0..splices.len())].chars());
        }
        chars.into_iter().collect::<String>()
    };
    let (mut parsed, mut kept) = (0, 0);
    for round in 0..20_000 {
        let pattern = mutate(seeds[round % 3]);
        let body = mutate(seeds[(round / 3) % 4]);
        let Ok(filters) = Filters::parse(&[pattern], Source::Sqs) else {
            continue;
        };
        let message = message(&body);
        parsed += 1;
        kept += usize::from(filters.keeps(&message));
        assert_eq!(
            filters.keeps(&message),
            filters.refusals(&message).is_empty()
        );
    }
    // The walk is worth something only if it reaches both sides.
    assert!(1_000 < parsed && 100 < kept, "{parsed} parsed, {kept} kept");
}

#[test]
fn alternatives_within_alternatives_end() {
    let level = |inner: &str| format!(r#"{{"y":{inner},"$or":[{{"a":[1]}},{{"a":[2]}}]}}"#);
    let pattern = (0..60).fold(r#"{"z":["no"]}"#.to_owned(), |inner, _| level(&inner));
    // Lists within lists are seen to a bound; objects within objects are not counted.
    let body = (0..60).fold("{}".to_owned(), |inner, depth| {
        if depth < 8 {
            format!(r#"{{"y":[{inner},{{}}],"a":2}}"#)
        } else {
            format!(r#"{{"y":{inner},"a":2}}"#)
        }
    });
    for body in ["{}", &body] {
        assert!(!matches(&pattern, body), "{body}");
    }
    assert!(matches(
        &pattern.replace(r#"["no"]"#, r#"[{"exists":false}]"#),
        &body
    ));

    let level =
        |inner: &str| format!(r#"{{"x":{inner},"$or":[{{"x":{{"a":[1]}}}},{{"x":{{"a":[2]}}}}]}}"#);
    let pattern = (0..40).fold(r#"{"x":["no"]}"#.to_owned(), |inner, _| level(&inner));
    let refused = Filters::parse(&[pattern], Source::Sqs).unwrap_err();
    assert_eq!(
        refused.reason.to_string(),
        "Rule is too complex - asks more than 20000 questions of one record"
    );
}
