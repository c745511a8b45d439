//! Lists: every page size and filter shows every mapping once. // spec: 1.1

use http::Method;
use serde_json::{Value, json};

use super::{FIFO, MAPPINGS, QUEUE, STREAM, TABLE, config, create, empty, request, uuid};
use crate::control::{Call, Refusal, Registry, Selection, route};

const MAPPINGS_THERE: usize = 130;

/// Sources and functions in turn.
fn crowd() -> Registry {
    let mut registry = empty();
    for n in 0..MAPPINGS_THERE {
        let source = [QUEUE, FIFO, STREAM, TABLE][n % 4];
        let qualifier = ["", ":live", ":$LATEST"][n % 3];
        let function = format!("f{}{qualifier}", n / 12);
        create(
            &mut registry,
            &request(source, json!({ "FunctionName": function })),
            n,
        );
    }
    registry
}

fn uuids(page: &Value) -> Vec<String> {
    let mappings = page["EventSourceMappings"].as_array().expect("a list");
    let uuids = mappings
        .iter()
        .map(|mapping| mapping["UUID"].as_str().unwrap().to_owned());
    uuids.collect()
}

/// All pages, and the lengths of them.
fn all(registry: &Registry, selection: &Selection) -> (Vec<String>, Vec<usize>) {
    let mut selection = selection.clone();
    let (mut all, mut lengths) = (Vec::new(), Vec::new());
    loop {
        let page = registry.list(&selection, |_| None).unwrap();
        let uuids = uuids(&page);
        lengths.push(uuids.len());
        all.extend(uuids);
        match &page["NextMarker"] {
            Value::Null => return (all, lengths),
            marker => selection.marker = Some(marker.as_str().unwrap().to_owned()),
        }
    }
}

#[test]
fn every_page_size_and_filter_shows_every_mapping_once() {
    let registry = crowd();
    let sources = [
        None,
        Some(QUEUE),
        Some(STREAM),
        Some("arn:aws:sqs:us-east-1:111111111111:none"),
    ];
    let functions = [
        None,
        Some("f0"),
        Some("f3:live"),
        Some("arn:aws:lambda:us-east-1:111111111111:function:f3:$LATEST"),
        Some("f99"),
    ];
    let sizes = (1..=MAPPINGS_THERE + 2)
        .chain([10_000])
        .map(Some)
        .chain([None]);
    for max_items in sizes {
        for (source, function) in sources
            .iter()
            .flat_map(|source| functions.iter().map(move |function| (source, function)))
        {
            let selection = Selection {
                event_source_arn: source.map(str::to_owned),
                function_name: function.map(str::to_owned),
                marker: None,
                max_items,
            };
            let wanted = |n: &usize| {
                let own = [QUEUE, FIFO, STREAM, TABLE][n % 4];
                let qualifier = ["", ":live", ":$LATEST"][n % 3];
                let name = format!("f{}{qualifier}", n / 12);
                source.is_none_or(|source| source == own)
                    && function
                        .is_none_or(|function| function.rsplit("function:").next() == Some(&name))
            };
            let expected: Vec<String> = (0..MAPPINGS_THERE).filter(wanted).map(uuid).collect();
            let (shown, lengths) = all(&registry, &selection);
            assert_eq!(shown, expected, "{selection:?}");
            let size = max_items.unwrap_or(100).min(100);
            let pages = expected.len().div_ceil(size).max(1);
            assert_eq!(lengths.len(), pages, "{selection:?}");
            assert!(lengths[..pages - 1].iter().all(|length| *length == size));
        }
    }
}

#[test]
fn the_last_page_says_null_and_an_empty_list_is_one() {
    let page = empty().list(&Selection::default(), |_| None).unwrap();
    assert_eq!(
        page.to_string(),
        r#"{"EventSourceMappings":[],"NextMarker":null}"#
    );
}

/// An unqualified name does not list mappings of an alias, nor an alias those of the function itself.
#[test]
fn the_filter_by_function_is_exact_on_the_qualifier() {
    let mut registry = empty();
    for (n, function) in ["f", "f:live", "f:$LATEST", "222222222222:function:f"]
        .into_iter()
        .enumerate()
    {
        create(
            &mut registry,
            &request(QUEUE, json!({ "FunctionName": function })),
            n,
        );
    }
    let cases: [(&str, &[usize]); 7] = [
        ("f", &[0, 3]),
        ("f:live", &[1]),
        ("f:$LATEST", &[2]),
        ("111111111111:function:f", &[0]),
        ("arn:aws:lambda:us-east-1:222222222222:function:f", &[3]),
        ("arn:aws:lambda:eu-west-1:111111111111:function:f", &[]),
        ("g", &[]),
    ];
    for (function, expected) in cases {
        let function_name = Some(function.to_owned());
        let selection = Selection {
            function_name,
            ..Selection::default()
        };
        let page = registry.list(&selection, |_| None).unwrap();
        let expected: Vec<String> = expected.iter().copied().map(uuid).collect();
        assert_eq!(uuids(&page), expected, "{function}");
    }
}

#[test]
fn a_mapping_that_goes_between_two_pages_moves_no_other() {
    let mut registry = crowd();
    let max_items = Some(10);
    let first = registry
        .list(
            &Selection {
                max_items,
                ..Selection::default()
            },
            |_| None,
        )
        .unwrap();
    for n in [0, 9] {
        let change = registry.delete(&uuid(n), |_| None).unwrap();
        registry.apply(change);
    }
    let marker = first["NextMarker"].as_str().map(str::to_owned);
    let next = registry
        .list(
            &Selection {
                max_items,
                marker,
                ..Selection::default()
            },
            |_| None,
        )
        .unwrap();
    assert_eq!(uuids(&next), (10..20).map(uuid).collect::<Vec<_>>());
}

fn listed(query: &str) -> Result<Selection, Refusal> {
    match route(&Method::GET, MAPPINGS, Some(query), b"")? {
        Call::List(selection) => Ok(selection),
        other => panic!("{other:?} is no list"),
    }
}

#[test]
fn a_list_is_asked_for_by_query() {
    assert_eq!(listed("").unwrap(), Selection::default());
    let query = "EventSourceArn=arn%3Aaws%3Asqs%3Aus-east-1%3A111111111111%3Aorders&FunctionName=f%3Alive&Marker=abc&MaxItems=7&X-Amz-Date=1";
    let expected = Selection {
        event_source_arn: Some(QUEUE.to_owned()),
        function_name: Some("f:live".to_owned()),
        marker: Some("abc".to_owned()),
        max_items: Some(7),
    };
    assert_eq!(listed(query).unwrap(), expected);
    assert_eq!(
        listed("Marker=&MaxItems=10000").unwrap().max_items,
        Some(10_000)
    );
    let cases = [
        (
            "MaxItems=0",
            "Value '0' at 'maxItems' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            "MaxItems=10001",
            "Value '10001' at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 10000",
        ),
        (
            "MaxItems=ten",
            "Value 'ten' at 'maxItems' failed to satisfy constraint: Member must be an integer",
        ),
        (
            "FunctionName=f+f",
            r"Value 'f f' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?",
        ),
        (
            "EventSourceArn=orders",
            r"Value 'orders' at 'eventSourceArn' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:([a-z]{2}(-gov)?-[a-z]+-\d{1})?:(\d{12})?:(.*)",
        ),
    ];
    for (query, what) in cases {
        let refusal = listed(query).unwrap_err();
        assert_eq!(refusal.code, "ValidationException", "{query}");
        assert_eq!(
            refusal.message,
            format!("1 validation error detected: {what}")
        );
    }
    for marker in ["x", "%00", "AAAA", "é"] {
        let selection = listed(&format!("Marker={marker}")).unwrap();
        let refusal = empty().list(&selection, |_| None).unwrap_err();
        assert_eq!(
            refusal.message, "Marker: none that a list has given",
            "{marker}"
        );
    }
}

/// What the API lists, saved as a file, is the same mappings.
#[test]
fn a_list_is_a_configuration_file() {
    let registry = crowd();
    let page = registry.list(&Selection::default(), |_| None).unwrap();
    let file = config(&page.to_string());
    assert_eq!(file.mappings.len(), 100);
    for mapping in file.mappings {
        let same = registry
            .mappings()
            .into_iter()
            .find(|same| same.uuid == mapping.uuid)
            .unwrap();
        assert_eq!(mapping.function_arn(), same.function_arn());
        assert_eq!(
            (&mapping.source, &mapping.stream),
            (&same.source, &same.stream)
        );
    }
}
