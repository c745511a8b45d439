//! What must hold of every pattern and every record, on thousands that a seed draws.

use fastrand::Rng;
use serde_json::{Value, json};

use super::super::{Filters, Source, Subject};
use super::streams::{dynamodb, kinesis};
use super::{matches, message};

/// Texts that are close to each other, so that operators meet both answers.
const TEXTS: [&str; 12] = [
    "",
    "a",
    "A",
    "ab",
    "aB",
    "abc",
    "b",
    "ba",
    "é",
    "É",
    "a*b",
    "\\\u{0}\"",
];
const NUMBERS: [&str; 10] = [
    "0",
    "-0.0",
    "1",
    "1.0",
    "10e-1",
    "-1",
    "100",
    "1e2",
    "0.1",
    "9007199254740993",
];
const KEYS: [&str; 6] = ["a", "b", "c.d", "c", "é", ""];

fn pick<'t>(random: &mut Rng, from: &[&'t str]) -> &'t str {
    from[random.usize(0..from.len())]
}

/// A scalar as JSON text: numbers keep the way in which they are written.
fn scalar(random: &mut Rng) -> String {
    match random.u8(0..10) {
        0 => "null".into(),
        1 => random.bool().to_string(),
        2..6 => pick(random, &NUMBERS).into(),
        _ => Value::from(pick(random, &TEXTS)).to_string(),
    }
}

/// An object as JSON text, with a pattern that it must satisfy; none where it has nothing to ask for.
fn object(random: &mut Rng, depth: usize) -> (String, Option<String>) {
    let (mut members, mut asked) = (Vec::new(), Vec::new());
    let mut keys: Vec<&str> = KEYS.to_vec();
    random.shuffle(&mut keys);
    // Not both `c` and `c.d`: an object for the one and a value for the other are two ways to say one path.
    keys.truncate(random.usize(0..4));
    if keys.contains(&"c") {
        keys.retain(|key| *key != "c.d");
    }
    for key in keys {
        let name = Value::from(key);
        let (value, demand) = match random.u8(0..8) {
            0 | 1 if 0 < depth => object(random, depth - 1),
            2 if 0 < depth => {
                let (one, demand) = object(random, depth - 1);
                (format!("[{},{one}]", scalar(random)), demand)
            }
            3 => {
                let mut items: Vec<String> = (0..3).map(|_| scalar(random)).collect();
                let at = random.usize(0..3);
                let demand = alternatives(random, &items[at]);
                let other = (at + 1) % 3;
                items[other] = format!("[{}]", items[other]);
                (format!("[{}]", items.join(",")), Some(demand))
            }
            _ => {
                let value = scalar(random);
                let demand = alternatives(random, &value);
                (value, Some(demand))
            }
        };
        members.push(format!("{name}:{value}"));
        if let Some(demand) = demand {
            asked.push(format!("{name}:{demand}"));
        }
    }
    if random.u8(0..4) == 0 {
        asked.push(r#""absent":[{"exists":false}]"#.into());
    }
    random.shuffle(&mut asked);
    let pattern = match asked.len() {
        0 => None,
        1 | 2 => Some(format!("{{{}}}", asked.join(","))),
        // One demand goes into `$or`, beside one that nothing satisfies.
        _ => {
            let last = asked.pop().unwrap();
            let other = format!(r#"{{"absent":["x"]}},{{{last}}}"#);
            Some(format!(r#"{{{},"$or":[{other}]}}"#, asked.join(",")))
        }
    };
    (format!("{{{}}}", members.join(",")), pattern)
}

/// A list of alternatives of which one accepts the scalar.
fn alternatives(random: &mut Rng, value: &str) -> String {
    let parsed: Value = serde_json::from_str(value).unwrap();
    let right = match &parsed {
        Value::String(text) => match random.u8(0..7) {
            0 => json!({"prefix": start(random, text)}).to_string(),
            1 => json!({"suffix": end(random, text)}).to_string(),
            2 => json!({"equals-ignore-case": text.to_uppercase()}).to_string(),
            3 => {
                let literal = text.replace('\\', r"\\").replace('*', r"\*");
                json!({"wildcard": format!("*{literal}")}).to_string()
            }
            4 => json!({"anything-but": format!("{text}x")}).to_string(),
            5 => json!({"prefix": {"equals-ignore-case": start(random, text)}}).to_string(),
            _ => value.to_owned(),
        },
        Value::Number(_) => match random.u8(0..4) {
            0 => format!(r#"{{"numeric":["=",{value}]}}"#),
            1 => r#"{"numeric":[">=",-1,"<=",1e99]}"#.to_owned(),
            2 => r#"{"anything-but":[7,8]}"#.to_owned(),
            _ => value.to_owned(),
        },
        Value::Null | Value::Bool(_) => match random.u8(0..3) {
            0 => r#"{"exists":true}"#.to_owned(),
            1 => r#"{"anything-but":"x"}"#.to_owned(),
            _ => value.to_owned(),
        },
        Value::Array(_) | Value::Object(_) => unreachable!("a scalar was asked for"),
    };
    match random.u8(0..3) {
        0 => format!(r#"["nothing like it",{right}]"#),
        1 => format!(r#"[{right},{{"cidr":"10.0.0.0/8"}},-5e-5]"#),
        _ => format!("[{right}]"),
    }
}

fn start(random: &mut Rng, text: &str) -> String {
    let chars = random.usize(0..=text.chars().count());
    text.chars().take(chars).collect()
}

fn end(random: &mut Rng, text: &str) -> String {
    let chars = random.usize(0..=text.chars().count());
    text.chars().skip(chars).collect()
}

#[test]
fn a_pattern_made_from_a_record_keeps_it_in_every_source() {
    let mut random = Rng::with_seed(11);
    let mut asked = 0;
    for _ in 0..4_000 {
        let (record, Some(pattern)) = object(&mut random, 3) else {
            continue;
        };
        asked += 1;
        let spaced = format!(" {}\n", record.replace("\":", "\" :\t"));
        let keeps = |pattern: String, source, subject: Subject<'_>| {
            Filters::parse(&[&pattern], source)
                .unwrap_or_else(|error| panic!("{pattern}: {error}"))
                .keeps(subject)
        };
        let body = format!(r#"{{"body":{pattern}}}"#);
        assert!(
            keeps(body, Source::Sqs, (&message(&spaced)).into()),
            "{pattern} on {record}"
        );
        let data = format!(r#"{{"data":{pattern}}}"#);
        let subject = kinesis(spaced.as_bytes());
        assert!(
            keeps(data, Source::Kinesis, (&subject).into()),
            "{pattern} on {record}"
        );
        let image = format!(r#"{{"dynamodb":{{"NewImage":{pattern}}}}}"#);
        let subject = dynamodb("INSERT", "{}", Some(&record), None);
        assert!(
            keeps(image, Source::DynamoDb, (&subject).into()),
            "{pattern} on {record}"
        );
    }
    assert!(2_000 < asked, "{asked}");
}

// spec: 7.4 anything-but: whatever is there and not refused, of any type; never what is missing
#[test]
fn anything_but_is_the_complement_among_what_is_there() {
    let operators = |text: &str| {
        [
            (json!(text), json!({"anything-but": text})),
            (
                json!({"prefix": text}),
                json!({"anything-but": {"prefix": text}}),
            ),
            (
                json!({"suffix": text}),
                json!({"anything-but": {"suffix": text}}),
            ),
            (
                json!({"wildcard": text}),
                json!({"anything-but": {"wildcard": text}}),
            ),
            (
                json!({"equals-ignore-case": text}),
                json!({"anything-but": {"equals-ignore-case": text}}),
            ),
        ]
        .map(|(of, but)| (of.to_string(), but.to_string()))
    };
    let mut pairs: Vec<(String, String)> = TEXTS
        .iter()
        // An empty affix is refused around anything-but, a lone backslash in every wildcard.
        .filter(|text| !text.is_empty() && !text.contains('\\'))
        .flat_map(|text| operators(text))
        .collect();
    pairs.extend(NUMBERS.iter().map(|number| {
        let but = format!(r#"{{"anything-but":{number}}}"#);
        ((*number).to_owned(), but)
    }));
    let values = TEXTS
        .iter()
        .map(|text| Value::from(*text).to_string())
        .chain(NUMBERS.iter().map(|number| (*number).to_owned()))
        .chain(["null", "true", "false"].map(str::to_owned));
    let body = |value: &str| format!(r#"{{"k":{value}}}"#);
    let mut both = [0, 0];
    for value in values {
        for (of, but) in &pairs {
            let [of, but] = [of, but].map(|one| format!(r#"{{"k":[{one}]}}"#));
            let accepted = matches(&of, &body(&value));
            both[usize::from(accepted)] += 1;
            assert_eq!(matches(&but, &body(&value)), !accepted, "{but} on {value}");
            assert!(!matches(&but, r#"{"j":1}"#), "{but} on nothing");
            assert!(!matches(&but, &body("[]")), "{but} on an empty list");
            assert!(!matches(&but, &body(r#"{"j":1}"#)), "{but} on an object");
            // Of a list any element will do, so that both may hold.
            let listed = body(&format!(r#"[{value},{{"j":1}}]"#));
            assert_eq!(matches(&but, &listed), !accepted, "{but} on [{value}]");
        }
    }
    assert!(both.iter().all(|count| 50 < *count), "{both:?}");
}

#[test]
fn a_pattern_compiled_twice_is_the_same() {
    let mut random = Rng::with_seed(12);
    for _ in 0..500 {
        let (_, Some(pattern)) = object(&mut random, 3) else {
            continue;
        };
        let text = format!(r#"{{"body":{pattern}}}"#);
        let compiled = || format!("{:?}", Filters::parse(&[&text], Source::Sqs));
        assert_eq!(compiled(), compiled(), "{text}");
    }
}

#[test]
fn keys_values_and_filters_may_stand_in_any_order() {
    let mut random = Rng::with_seed(13);
    let mut kept = [0, 0];
    for _ in 0..2_000 {
        let patterns: Vec<String> = (0..3)
            .filter_map(|_| object(&mut random, 2).1)
            .map(|pattern| format!(r#"{{"body":{pattern}}}"#))
            .collect();
        if patterns.is_empty() {
            continue;
        }
        let body = object(&mut random, 2).0;
        let message = message(&body);
        let keeps = |patterns: &[String]| {
            Filters::parse(patterns, Source::Sqs)
                .unwrap()
                .keeps(&message)
        };
        let any = patterns
            .iter()
            .any(|pattern| keeps(std::slice::from_ref(pattern)));
        let backwards: Vec<String> = patterns.iter().rev().cloned().collect();
        assert_eq!(keeps(&patterns), any, "{patterns:?} on {}", message.body);
        assert_eq!(keeps(&backwards), any, "{patterns:?} on {}", message.body);
        kept[usize::from(any)] += 1;
    }
    assert!(kept.iter().all(|count| 100 < *count), "{kept:?}");
}

/// A body is opened while it is checked: what is wrong behind the last wanted key must be seen, too.
#[test]
fn a_body_counts_as_json_just_when_all_of_it_is() {
    let wanted = r#"{"body":{"absent":[{"exists":false}]}}"#;
    let filters = Filters::parse(&[wanted], Source::Sqs).unwrap();
    let strings = Filters::parse(&[r#"{"body":[{"prefix":""}]}"#], Source::Sqs).unwrap();
    let mut random = Rng::with_seed(14);
    let mut valid = [0, 0];
    for _ in 0..6_000 {
        let mut body: Vec<char> = object(&mut random, 2).0.chars().collect();
        if random.bool() {
            body.splice(0..0, "[1,".chars());
            body.push(']');
        }
        if random.bool() {
            let at = random.usize(0..body.len());
            let wrong = [
                '{', '}', '[', ']', '"', ',', ':', '\\', '0', 'e', '.', '\u{1f}', ' ',
            ];
            body[at] = random.choice(wrong).unwrap();
        }
        let body: String = body.into_iter().collect();
        if !body.trim_start().starts_with(['{', '[']) {
            continue;
        }
        let expected = serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok();
        valid[usize::from(expected)] += 1;
        assert_eq!(filters.keeps(&message(&body)), expected, "{body:?}");
        assert_eq!(strings.keeps(&message(&body)), !expected, "{body:?}");
    }
    assert!(valid.iter().all(|count| 500 < *count), "{valid:?}");
}

#[test]
fn random_bytes_are_refused_or_matched_and_never_panic() {
    let mut random = Rng::with_seed(15);
    let alphabet = br#"{}[]":,.\*0123e-+ truefalsnul$or"abkS"#;
    let (mut parsed, mut kept) = (0, 0);
    let mut filters = vec![
        Filters::parse(
            &[r#"{"data":{"a":[{"anything-but":"x"}],"b.c":[{"exists":false}]}}"#],
            Source::Kinesis,
        )
        .unwrap(),
    ];
    for round in 0..30_000 {
        let bytes: Vec<u8> = (0..random.usize(0..30))
            .map(|_| match random.u8(0..8) {
                0 => random.u8(..),
                _ => alphabet[random.usize(0..alphabet.len())],
            })
            .collect();
        let text = String::from_utf8_lossy(&bytes);
        let few: String = text.chars().take(round % 8).collect();
        let pattern = match round % 3 {
            0 => text.to_string(),
            1 => format!(r#"{{"data":{{"a":[{few}]}}}}"#),
            _ => format!(r#"{{"data":{{"a":[{{"wildcard":"{few}"}}]}}}}"#),
        };
        if let Ok(one) = Filters::parse(&[pattern], Source::Kinesis) {
            parsed += 1;
            filters.push(one);
        }
        let mut record = kinesis(&bytes);
        if round % 2 == 0 {
            record.data = [b"{\"a\":", &bytes[..bytes.len().min(round % 5)], b"}"]
                .concat()
                .into();
        }
        let one = match random.u8(0..4) {
            0 => &filters[random.usize(0..filters.len())],
            _ => &filters[0],
        };
        let keeps = one.keeps(&record);
        assert_eq!(keeps, one.refusals(&record).is_empty());
        kept += usize::from(keeps);
    }
    assert!(50 < parsed && 50 < kept, "{parsed} parsed, {kept} kept");
}
