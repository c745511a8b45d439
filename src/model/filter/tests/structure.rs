//! Patterns that are refused, each with the reason that it is given.

use super::super::{Filters, NESTING_MAX, PATTERN_CHARS_MAX, Source};

fn reason(pattern: &str) -> String {
    match Filters::parse(&[pattern], Source::Sqs) {
        Ok(_) => "accepted".into(),
        Err(error) => error.reason.to_string(),
    }
}

// spec: 7.4 structural rules, and what an ESM was seen to refuse
#[test]
fn every_structural_rule_refuses_with_eventbridges_reason() {
    for (pattern, expected) in [
        ("[]", "Filter is not an object"),
        (r#"[{"a":[1]}]"#, "Filter is not an object"),
        ("null", "Filter is not an object"),
        (r#""text""#, "Filter is not an object"),
        (r#"{"a": 42}"#, r#""a" must be an object or an array"#),
        (r#"{"a": "text"}"#, r#""a" must be an object or an array"#),
        (r#"{"a": true}"#, r#""a" must be an object or an array"#),
        (r#"{"a": null}"#, r#""a" must be an object or an array"#),
        ("42", "Filter is not an object"),
        ("true", "Filter is not an object"),
        (r#"{"a":{"b":[]}}"#, "Empty arrays are not allowed"),
        (
            r#"{"body":"abc"}"#,
            r#""body" must be an object or an array"#,
        ),
        (
            r#"{"a":{"b":null}}"#,
            r#""b" must be an object or an array"#,
        ),
        (r#"{"a":[]}"#, "Empty arrays are not allowed"),
        ("{}", "Empty objects are not allowed"),
        (r#"{"a":{}}"#, "Empty objects are not allowed"),
        (
            r#"{"a":[["b"]]}"#,
            "Match value must be String, number, true, false, or null",
        ),
        (r#"{"a":[{}]}"#, "Match expression name not found"),
        (
            r#"{"a":[{"EXISTS":true}]}"#,
            "Unrecognized match type EXISTS",
        ),
        (r#"{"a":[{"b":[1]}]}"#, "Unrecognized match type b"),
        (
            r#"{"a":[{"exists":true,"prefix":"x"}]}"#,
            "Only one key allowed in match expression",
        ),
        (
            r#"{"a":[{"exists":"true"}]}"#,
            "exists match pattern must be either true or false.",
        ),
        (
            r#"{"a":[{"exists":null}]}"#,
            "exists match pattern must be either true or false.",
        ),
        (
            r#"{"a":[{"exists":true,"exists":false}]}"#,
            "Only one key allowed in match expression",
        ),
        (
            r#"{"a":[{"Prefix":"x"}]}"#,
            "Unrecognized match type Prefix",
        ),
        (
            r#"{"a":[{"equals-ignore-Case":"x"}]}"#,
            "Unrecognized match type equals-ignore-Case",
        ),
        (
            r#"{"a":[{"numeric":{">":1}}]}"#,
            "Value of numeric must be an array.",
        ),
        (
            r#"{"a":[{"numeric":["<=",null]}]}"#,
            "Value of <= must be numeric",
        ),
        (
            r#"{"a":[{"numeric":[">=",[1]]}]}"#,
            "Value of >= must be numeric",
        ),
        (
            r#"{"a":[{"numeric":[">",0,5]}]}"#,
            "Invalid member in numeric match",
        ),
        (
            r#"{"a":[{"numeric":[">",0,"=",5]}]}"#,
            "Bad numeric range operator: =",
        ),
        (
            r#"{"a":[{"numeric":[">",5,"<=",3.0]}]}"#,
            "Bottom must be less than top",
        ),
        (
            r#"{"a":[{"numeric":10}]}"#,
            "Value of numeric must be an array.",
        ),
        (
            r#"{"a":[{"numeric":[]}]}"#,
            "Invalid member in numeric match",
        ),
        (
            r#"{"a":[{"numeric":[5]}]}"#,
            "Invalid member in numeric match",
        ),
        (r#"{"a":[{"numeric":[">"]}]}"#, "Value of > must be numeric"),
        (
            r#"{"a":[{"numeric":["=","5"]}]}"#,
            "Value of equals must be numeric",
        ),
        (
            r#"{"a":[{"numeric":[">",0,"<"]}]}"#,
            "Value of < must be numeric",
        ),
        (
            r#"{"a":[{"numeric":[">",0,">",0]}]}"#,
            "Bad numeric range operator: >",
        ),
        (
            r#"{"a":[{"numeric":["!=",0]}]}"#,
            "Unrecognized numeric range operator: !=",
        ),
        (
            r#"{"a":[{"numeric":["<",0,">",5]}]}"#,
            "Too many elements in numeric expression",
        ),
        (
            r#"{"a":[{"numeric":["=",0,"=",5]}]}"#,
            "Too many elements in numeric expression",
        ),
        (
            r#"{"a":[{"numeric":[">",0,"<",5,6]}]}"#,
            "Too many elements in numeric expression",
        ),
        (
            r#"{"a":[{"numeric":[">",5,"<",5]}]}"#,
            "Bottom must be less than top",
        ),
        (
            r#"{"a":[{"prefix":5}]}"#,
            "prefix match pattern must be a string",
        ),
        (
            r#"{"a":[{"prefix":["x"]}]}"#,
            "prefix match pattern must be a string",
        ),
        (
            r#"{"a":[{"prefix":{"suffix":"x"}}]}"#,
            "prefix match pattern must be a string",
        ),
        (
            r#"{"a":[{"suffix":null}]}"#,
            "suffix match pattern must be a string",
        ),
        (
            r#"{"a":[{"suffix":["x"]}]}"#,
            "suffix match pattern must be a string",
        ),
        (
            r#"{"a":[{"suffix":{"equals-ignore-case":1}}]}"#,
            "equals-ignore-case match pattern must be a string",
        ),
        (
            r#"{"a":[{"wildcard":["x"]}]}"#,
            "wildcard match pattern must be a string",
        ),
        (
            r#"{"a":[{"wildcard":5}]}"#,
            "wildcard match pattern must be a string",
        ),
        (
            r#"{"a":[{"wildcard":{"equals-ignore-case":"x"}}]}"#,
            "wildcard match pattern must be a string",
        ),
        (
            r#"{"a":[{"prefix":{}}]}"#,
            "Match expression name not found",
        ),
        (
            r#"{"a":[{"prefix":true}]}"#,
            "prefix match pattern must be a string",
        ),
        (
            r#"{"a":[{"suffix":5}]}"#,
            "suffix match pattern must be a string",
        ),
        (
            r#"{"a":[{"equals-ignore-case":5}]}"#,
            "equals-ignore-case match pattern must be a string",
        ),
        (
            r#"{"a":[{"equals-ignore-case":["x"]}]}"#,
            "equals-ignore-case match pattern must be a string",
        ),
        (
            r#"{"a":[{"equals-ignore-case":{"prefix":"x"}}]}"#,
            "equals-ignore-case match pattern must be a string",
        ),
        (
            r#"{"a":[{"cidr":5}]}"#,
            "cidr match pattern must be a string",
        ),
        (
            r#"{"a":[{"anything-but":null}]}"#,
            "Value of anything-but must be an array or single string/number value.",
        ),
        (
            r#"{"a":[{"anything-but":true}]}"#,
            "Value of anything-but must be an array or single string/number value.",
        ),
        (
            r#"{"a":[{"anything-but":{"suffix":{"equals-ignore-case":"x"}}}]}"#,
            "Value of anything-but must be an array or single string/number value.",
        ),
        (
            r#"{"a":[{"anything-but":{"prefix":5}}]}"#,
            "Value of anything-but must be an array or single string/number value.",
        ),
        (
            r#"{"a":[{"anything-but":{"wildcard":null}}]}"#,
            "Value of anything-but must be an array or single string/number value.",
        ),
        (
            r#"{"a":[{"anything-but":{}}]}"#,
            "Match expression name not found",
        ),
        (
            r#"{"a":[{"anything-but":{"prefix":"x","suffix":"y"}}]}"#,
            "Only one key allowed in match expression",
        ),
        (
            r#"{"a":[{"anything-but":[["x"]]}]}"#,
            "Inside anything but list, start|null|boolean is not supported.",
        ),
        (
            r#"{"a":[{"anything-but":[{"prefix":"x"}]}]}"#,
            "Inside anything but list, start|null|boolean is not supported.",
        ),
        (
            r#"{"a":[{"anything-but":{"prefix":{"equals-ignore-case":"x"}}}]}"#,
            "Value of anything-but must be an array or single string/number value.",
        ),
        (
            r#"{"a":[{"anything-but":["x",null]}]}"#,
            "Inside anything but list, start|null|boolean is not supported.",
        ),
        (
            r#"{"a":[{"anything-but":[1,true]}]}"#,
            "Inside anything but list, start|null|boolean is not supported.",
        ),
        (
            r#"{"a":[{"anything-but":{"suffix":["x",1]}}]}"#,
            "Inside anything but list, start|null|boolean is not supported.",
        ),
        (
            r#"{"a":[{"anything-but":["x",1]}]}"#,
            "Inside anything but list, either all values are number or string, mixed type is not supported",
        ),
        (
            r#"{"a":[{"anything-but":[]}]}"#,
            "Empty arrays are not allowed",
        ),
        (
            r#"{"a":[{"anything-but":{"prefix":""}}]}"#,
            "Null prefix/suffix not allowed",
        ),
        (
            r#"{"a":[{"anything-but":{"suffix":""}}]}"#,
            "Null prefix/suffix not allowed",
        ),
        (
            r#"{"a":[{"anything-but":{"prefix":[]}}]}"#,
            "Empty arrays are not allowed",
        ),
        (
            r#"{"a":[{"anything-but":{"wildcard":"a**"}}]}"#,
            "Consecutive wildcard characters at pos 2",
        ),
        (
            r#"{"a":[{"anything-but":{"suffix":["x",""]}}]}"#,
            "Null prefix/suffix not allowed",
        ),
        (
            r#"{"a":[{"anything-but":{"cidr":"10.0.0.0/8"}}]}"#,
            "Unsupported anything-but pattern: cidr",
        ),
        (
            r#"{"a":[{"wildcard":"abc**def"}]}"#,
            "Consecutive wildcard characters at pos 4",
        ),
        (
            r#"{"a":[{"wildcard":"a\\b"}]}"#,
            "Invalid escape character at pos 2",
        ),
        (
            r#"{"a":[{"cidr":"10.0.0.0"}]}"#,
            "Malformed CIDR, one '/' required",
        ),
        (
            r#"{"a":[{"cidr":"10.0.0.0/x"}]}"#,
            "Malformed CIDR, mask bits must be an integer",
        ),
        (
            r#"{"a":[{"cidr":"10.0.0.0/8/8"}]}"#,
            "Malformed CIDR, one '/' required",
        ),
        (
            r#"{"a":[{"cidr":"10.0.0.0/33"}]}"#,
            "Malformed CIDR, mask bits must not be more than 32",
        ),
        (
            r#"{"a":[{"cidr":"2001:db8::/129"}]}"#,
            "Malformed CIDR, mask bits must not be more than 128",
        ),
        (
            r#"{"a":[{"cidr":"2001:db8::g/32"}]}"#,
            "Nonstandard IP address: 2001:db8::g",
        ),
        // $or: one alternative alone is no relation, and what is no relation is the name of a key
        (r#"{"$or":[]}"#, "Empty arrays are not allowed"),
        (r#"{"$or":[{"a":[1]}]}"#, "Unrecognized match type a"),
        (r#"{"$or":[{"a":[1]},{}]}"#, "Unrecognized match type a"),
        (
            r#"{"$or":[{"a":[1]},{"b":2}]}"#,
            r#""b" must be an object or an array"#,
        ),
        (
            r#"{"$or":[{"a":[1]},{"b":[]}]}"#,
            "Empty arrays are not allowed",
        ),
        (r#"{"$or":5}"#, r#""$or" must be an object or an array"#),
        (
            r#"{"a":[{"cidr":"10.0.0/8"}]}"#,
            "Nonstandard IP address: 10.0.0",
        ),
        (
            r#"{"eventSource":"aws:sqs"}"#,
            r#""eventSource" must be an object or an array"#,
        ),
        (r#"{"eventSource":[]}"#, "Empty arrays are not allowed"),
        (
            "simple string",
            "Filter is not valid JSON: expected value at line 1 column 1",
        ),
        (
            r#"[{"eventName": ["INSERT"=123}]"#,
            "Filter is not valid JSON: expected `,` or `]` at line 1 column 25",
        ),
        (
            "",
            "Filter is not valid JSON: EOF while parsing a value at line 1 column 0",
        ),
        (
            r#"{"a":[01]}"#,
            "Filter is not valid JSON: invalid number at line 1 column 8",
        ),
        // AWS calls this one too complex; to us it costs nothing, so it is taken, with a warning.
        (r#"{"a":[{"wildcard":"*:*:*:*:*:x/*"}]}"#, "accepted"),
    ] {
        assert_eq!(reason(pattern), expected, "{pattern}");
    }
}

#[test]
fn an_error_names_the_filter_the_key_and_the_reason() {
    let patterns = [
        r#"{"a":[1]}"#,
        r#"{"body":{"kind":{"x.y":[{"prefiks":"o"}]}}}"#,
    ];
    let error = Filters::parse(&patterns, Source::Sqs).unwrap_err();
    assert_eq!(
        error.to_string(),
        "filter 1, key body.kind.x.y: Unrecognized match type prefiks"
    );
    let error = Filters::parse(&["[]"], Source::Sqs).unwrap_err();
    assert_eq!(error.to_string(), "filter 0: Filter is not an object");
}

#[test]
fn a_pattern_is_bounded_in_length_depth_and_combinations() {
    let padded = |length: usize| {
        format!(
            r#"{{"a":["{}"]}}"#,
            "é".repeat(length - r#"{"a":[""]}"#.len())
        )
    };
    assert_eq!(reason(&padded(PATTERN_CHARS_MAX)), "accepted");
    assert_eq!(
        reason(&padded(PATTERN_CHARS_MAX + 1)),
        "Pattern is longer than 4096 characters"
    );

    let too_deep = "Pattern is nested deeper than 100 levels";
    let nested = |depth: usize| format!("{}[1]{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    assert_eq!(reason(&nested(NESTING_MAX - 1)), "accepted");
    assert_eq!(reason(&nested(NESTING_MAX)), too_deep);
    assert_eq!(reason(&nested(500)), too_deep);
    assert_eq!(
        reason(&format!(r#"{{"{}":[1]}}"#, ".".repeat(4000))),
        too_deep
    );
    let or = |depth: usize| {
        format!(
            "{}{}{}",
            r#"{"$or":[{"a":[1]},"#.repeat(depth),
            r#"{"b":[1]}"#,
            "]}".repeat(depth)
        )
    };
    assert_eq!(reason(&or(90)), "accepted");
    assert_eq!(reason(&or(150)), too_deep);

    // Ten alternatives under each of three keys stay thirty; under one and the same key they are a thousand.
    let tens = |key: &str| {
        format!(
            r#""$or":[{}]"#,
            (0..10)
                .map(|i| format!(r#"{{"{key}":[{i}]}}"#))
                .collect::<Vec<_>>()
                .join(",")
        )
    };
    let apart = format!(
        r#"{{"x":{{{}}},"y":{{{}}},"z":{{{}}}}}"#,
        tens("a"),
        tens("b"),
        tens("c")
    );
    assert_eq!(reason(&apart), "accepted");
    let together = format!(
        r#"{{"x":{{{}}},"$or":[{{"x":{{{}}},"$or":[{{"x":{{{}}}}},{{"x":{{{}}}}}]}},{{"q":[1]}}]}}"#,
        tens("a"),
        tens("b"),
        tens("c"),
        tens("d"),
    );
    assert_eq!(reason(&together), "accepted");
    let more = together.replacen(r#"{"b":[0]},"#, r#"{"b":[0]},{"b":[11]},"#, 1);
    assert_eq!(
        reason(&more),
        "Rule is too complex - $or makes more than 1000 combinations"
    );
}

// Keys of one letter, so that 4096 characters hold enough of them.
#[test]
fn what_an_or_would_copy_is_bounded_before_it_is_copied() {
    let keys = |count: u32| -> String {
        let keys = (0..count).map(|i| format!(r#""{}":[1],"#, char::from_u32(0x4e00 + i).unwrap()));
        keys.collect()
    };
    let alternatives = vec![r#"{"b":[1]}"#; 205].join(",");
    assert_eq!(
        reason(&format!(r#"{{{}"$or":[{alternatives}]}}"#, keys(250))),
        "Rule is too complex - $or makes more than 1000 combinations"
    );
    assert_eq!(reason(&format!(r#"{{{}"b":[1]}}"#, keys(400))), "accepted");
}

#[test]
fn dots_count_as_levels_beside_what_is_nested() {
    for shape in [r#"{"x":{"DOTTED":[1]}}"#, r#"{"DOTTED":{"x":[1]}}"#] {
        let pattern = |levels: usize| shape.replace("DOTTED", &vec!["a"; levels].join("."));
        assert_eq!(reason(&pattern(NESTING_MAX - 2)), "accepted");
        assert_eq!(
            reason(&pattern(NESTING_MAX - 1)),
            "Pattern is nested deeper than 100 levels"
        );
    }
}
