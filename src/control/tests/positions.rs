//! Positions: what a body asks for, what that means for each shard, and how it is shown.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};

use super::{
    CONSUMER, MAPPINGS, NOW_MS, QUEUE, STREAM, TABLE, called, create, empty, request, uuid,
};
use crate::config::mapping::Mapping;
use crate::control::Call;
use crate::control::position::{Move, Page, Seek, Standing, To, page, stream};
use crate::model::progress::{LaneProgress, Owed, Position, ShardProgress, WindowProgress};
use crate::model::record::SequenceNumber;
use crate::model::shards::Listed;

fn number(text: &str) -> SequenceNumber {
    text.to_owned().try_into().unwrap()
}

fn asked(body: &Value) -> Result<Seek, String> {
    let path = format!("{MAPPINGS}/{}/position", uuid(1));
    match called(Method::PUT, &path, body) {
        Ok(Call::Seek { seek, .. }) => Ok(seek),
        Ok(other) => panic!("{other:?} is no seek"),
        Err(refusal) => Err(format!("{} {}", refusal.code, refusal.message)),
    }
}

#[test]
fn a_body_asks_for_one_thing() {
    let moment = To::Moment {
        ms: 1_700_000_000_500,
    };
    let cases = [
        (
            json!({ "StartingPosition": "TRIM_HORIZON" }),
            Seek::All(To::Horizon),
        ),
        (
            json!({ "StartingPosition": "LATEST", "Shards": null, "Undo": null }),
            Seek::All(To::Latest),
        ),
        (
            json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1_700_000_000.5 }),
            Seek::All(moment.clone()),
        ),
        (
            json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": "2023-11-14T22:13:20.5Z" }),
            Seek::All(moment.clone()),
        ),
        (json!({ "Undo": true }), Seek::Undo),
        (
            json!({ "Shards": [
                { "ShardId": "a", "SequenceNumber": "12" },
                { "ShardId": "b", "AfterSequenceNumber": "0013", "StartingPosition": null },
                { "ShardId": "c", "StartingPosition": "LATEST" },
                { "ShardId": "d", "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1_700_000_000.5 },
            ] }),
            Seek::Shards(BTreeMap::from([
                ("a".to_owned(), To::From(number("12"))),
                ("b".to_owned(), To::After(number("0013"))),
                ("c".to_owned(), To::Latest),
                ("d".to_owned(), moment),
            ])),
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(asked(&body), Ok(expected), "{body}");
    }
}

#[test]
fn what_asks_for_nothing_or_for_two_things_or_in_no_known_way_is_refused() {
    let invalid = |what: &str| format!("InvalidParameterValueException {what}");
    let shape =
        |what: &str| format!("ValidationException 1 validation error detected: Value {what}");
    let enumerated = "failed to satisfy constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]";
    let of = |shard: Value| json!({ "Shards": [shard] });
    let cases = [
        (
            json!({}),
            invalid("One of StartingPosition, Shards and Undo is needed, and none is given."),
        ),
        (
            json!({ "StartingPosition": "LATEST", "Undo": true }),
            invalid("Only one of StartingPosition, Shards and Undo may be given."),
        ),
        (
            json!({ "Undo": false }),
            invalid("Undo: false: leave it out, or set it to true"),
        ),
        (
            json!({ "Undo": true, "StartingPositionTimestamp": 1 }),
            invalid("StartingPositionTimestamp: 1: for StartingPosition AT_TIMESTAMP only"),
        ),
        (
            json!({ "StartingPosition": "LATEST", "StartingPositionTimestamp": 1 }),
            invalid("StartingPositionTimestamp: 1: for StartingPosition AT_TIMESTAMP only"),
        ),
        (
            json!({ "StartingPosition": "AT_TIMESTAMP" }),
            invalid("StartingPositionTimestamp: AT_TIMESTAMP needs it"),
        ),
        (
            json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": -1 }),
            invalid(
                "StartingPositionTimestamp: expected seconds since 1970 such as 1789650000, or 2026-09-17T12:00:00Z with its offset, found -1",
            ),
        ),
        (
            json!({ "StartingPosition": "latest" }),
            shape(&format!("'latest' at 'startingPosition' {enumerated}")),
        ),
        (
            json!({ "Undo": "yes" }),
            shape("'yes' at 'undo' failed to satisfy constraint: Member must be a boolean"),
        ),
        (
            json!({ "Shards": [] }),
            shape(
                "'[]' at 'shards' failed to satisfy constraint: Member must have length greater than or equal to 1",
            ),
        ),
        (
            of(json!(7)),
            shape(
                "'7' at 'shards.1.member' failed to satisfy constraint: Member must be a structure",
            ),
        ),
        (
            json!({ "StartingPositions": "LATEST" }),
            invalid("StartingPositions: unknown key; did you mean StartingPosition?"),
        ),
        (
            of(json!({ "ShardId": "a", "Sequence": "1" })),
            invalid(
                "Shards[0].Sequence: unknown key; expected ShardId, SequenceNumber, AfterSequenceNumber, StartingPosition or StartingPositionTimestamp",
            ),
        ),
        (
            of(json!({ "StartingPosition": "LATEST" })),
            invalid("Shards[0].ShardId: it is missing"),
        ),
        (of(Value::Null), invalid("Shards[0].ShardId: it is missing")),
        (
            of(json!({ "ShardId": "a" })),
            invalid(
                "Shards[0].SequenceNumber: it, AfterSequenceNumber or StartingPosition is needed",
            ),
        ),
        (
            of(json!({ "ShardId": "a", "SequenceNumber": "1", "AfterSequenceNumber": "1" })),
            invalid("Shards[0].AfterSequenceNumber: not together with SequenceNumber"),
        ),
        (
            of(json!({ "ShardId": "a", "SequenceNumber": "-1" })),
            invalid(
                "Shards[0].SequenceNumber: \"-1\" is no sequence number: expected 1 to 129 digits",
            ),
        ),
        (
            of(json!({ "ShardId": "a", "SequenceNumber": "1", "StartingPositionTimestamp": 1 })),
            invalid(
                "Shards[0].StartingPositionTimestamp: 1: for StartingPosition AT_TIMESTAMP only",
            ),
        ),
        (
            json!({ "Shards": [{ "ShardId": "a", "SequenceNumber": "1" }, { "ShardId": "a", "SequenceNumber": "1" }] }),
            invalid("Shards[1].ShardId: a: it is given twice"),
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(asked(&body), Err(expected), "{body}");
    }
    let long = "9".repeat(200_000);
    for body in [
        json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": long }),
        of(json!({ "ShardId": long, "SequenceNumber": long })),
        json!({ long: 1 }),
    ] {
        let told = asked(&body).unwrap_err();
        assert!(told.len() < 20_000, "{}", told.len());
    }
}

fn mapping(source: &str, settings: Value) -> Mapping {
    let mut registry = empty();
    create(&mut registry, &request(source, settings), 1);
    registry.mapping(&uuid(1)).unwrap().clone()
}

fn at(position: Position) -> ShardProgress {
    ShardProgress::beginning(position, 4)
}

fn after(text: &str) -> Position {
    Position::After {
        sequence_number: number(text),
    }
}

/// A shard at 5 with a lane that failed, and a window.
fn busy() -> ShardProgress {
    let owed = |through: &str| Owed {
        through: number(through),
        inner: Some(1),
        failures: 2,
        isolating: false,
        first_failed_ms: Some(1),
    };
    let lane = |lane, owed| LaneProgress {
        lane,
        settled: Some(number("9")),
        begun: None,
        owed,
        last: None,
    };
    ShardProgress {
        lanes: vec![lane(1, vec![owed("6"), owed("8")]), lane(3, Vec::new())],
        window: Some(WindowProgress {
            start_ms: 0,
            length_ms: 60_000,
            state: "{}".to_owned(),
            terminated_early: false,
            final_failures: 0,
            final_first_failed_ms: None,
            final_last: None,
        }),
        ..at(after("5"))
    }
}

fn listed(id: &str, closed: bool) -> Listed {
    Listed {
        id: id.to_owned(),
        parents: Vec::new(),
        closed,
    }
}

/// Read to its end and trimmed; read to its end; in the middle; begun, and missing from the listing.
fn standing() -> Standing {
    let shards = [
        ("1-trimmed", at(Position::End)),
        ("2-parent", at(Position::End)),
        ("3-child", busy()),
        ("4-unlisted", at(after("7"))),
    ];
    Standing {
        shards: shards
            .map(|(id, progress)| (id.to_owned(), progress))
            .into(),
        replaced_ms: None,
    }
}

#[test]
fn a_request_means_a_position_for_each_shard_that_can_be_read() {
    let source = [
        listed("2-parent", true),
        listed("3-child", false),
        listed("5-new", false),
        listed("6-closed", true),
    ];
    let moment = Position::At { ms: 1_000 };
    let latest = Position::At {
        ms: NOW_MS - 30_000,
    };
    let all = |to: To| Seek::All(to);
    let one = |id: &str, to: To| Seek::Shards(BTreeMap::from([(id.to_owned(), to)]));
    let of = |positions: [&Position; 5]| {
        let ids = ["2-parent", "3-child", "4-unlisted", "5-new", "6-closed"];
        ids.into_iter()
            .zip(positions.map(Clone::clone))
            .collect::<Vec<_>>()
    };
    let (horizon, end) = (Position::Horizon, Position::End);
    let from = Position::From {
        sequence_number: number("3"),
    };
    let cases = [
        (all(To::Horizon), of([&horizon; 5])),
        (all(To::Moment { ms: 1_000 }), of([&moment; 5])),
        (all(To::Latest), of([&end, &latest, &latest, &latest, &end])),
        (
            one("3-child", To::From(number("3"))),
            vec![("3-child", from)],
        ),
        (
            one("3-child", To::After(number("3"))),
            vec![("3-child", after("3"))],
        ),
        (one("5-new", To::Latest), vec![("5-new", latest.clone())]),
        (one("2-parent", To::Latest), vec![("2-parent", end.clone())]),
        (
            one("2-parent", To::Horizon),
            vec![("2-parent", horizon.clone())],
        ),
    ];
    let mapping = mapping(STREAM, json!({ "ParallelizationFactor": 4 }));
    for (seek, expected) in cases {
        // Nothing of what was tried goes with a position that it does not belong to.
        let expected = expected
            .into_iter()
            .map(|(id, position)| (id.to_owned(), at(position)));
        let decided = seek.decide(&mapping, &standing(), &source, NOW_MS);
        assert_eq!(decided, Ok(Move::Set(expected.collect())), "{seek:?}");
    }
}

#[test]
fn what_a_stream_does_not_have_is_refused() {
    let source = [listed("2-parent", true)];
    let one = |id: &str| Seek::Shards(BTreeMap::from([(id.to_owned(), To::Horizon)]));
    let (early, late) = (To::Moment { ms: 1 }, To::Moment { ms: NOW_MS + 1 });
    let refused = |of: &str, seek: &Seek| {
        let mapping = mapping(of, json!({}));
        let decided = seek.decide(&mapping, &standing(), &source, NOW_MS);
        decided.err().map(|refusal| (refusal.code, refusal.message))
    };
    let cases = [
        (STREAM, one("7"), Some("ShardId: 7: the stream has no such shard".to_owned())),
        (STREAM, one("1-trimmed"), Some("ShardId: 1-trimmed: the stream has no such shard any more".to_owned())),
        (CONSUMER, Seek::All(late), Some("StartingPositionTimestamp: 1789650000.124: it is in the future".to_owned())),
        (CONSUMER, Seek::All(early.clone()), None),
        (
            TABLE,
            Seek::All(early),
            Some(format!("Unsupported starting position for arn type: {TABLE} (StartingPosition: AT_TIMESTAMP; TRIM_HORIZON, LATEST and sequence numbers are supported)")),
        ),
        (TABLE, Seek::All(To::Latest), None),
        (
            STREAM,
            Seek::Undo,
            Some("Undo: true: there is nothing to undo; what was undone, and what was set before what was set last, is not kept".to_owned()),
        ),
    ];
    for (of, seek, expected) in cases {
        let expected = expected.map(|message| ("InvalidParameterValueException", message));
        assert_eq!(refused(of, &seek), expected, "{seek:?}");
    }
    let moved = Standing {
        replaced_ms: Some(1),
        ..standing()
    };
    let back = Seek::Undo.decide(&mapping(STREAM, json!({})), &moved, &[], NOW_MS);
    assert_eq!(back, Ok(Move::Back));
    let queue = mapping(QUEUE, json!({}));
    let refusal = stream(&queue).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.message),
        (
            "InvalidParameterValueException",
            format!(
                "The event source mapping with UUID {} is of a queue ({QUEUE}), which has no positions: the queue knows what was not handled yet.",
                uuid(1)
            )
        )
    );
}

#[test]
fn positions_are_shown_as_they_can_be_set() {
    let mapping = mapping(STREAM, json!({}));
    let from = Position::From {
        sequence_number: number("3"),
    };
    let mut standing = standing();
    standing
        .shards
        .insert("5".to_owned(), at(Position::Horizon));
    standing
        .shards
        .insert("6".to_owned(), at(Position::At { ms: 1_500 }));
    standing.shards.insert("7".to_owned(), at(from));
    standing.replaced_ms = Some(2_500);
    let shown = page(&mapping, &standing, &Page::default()).unwrap();
    assert_eq!(
        shown,
        json!({
            "UUID": uuid(1),
            "EventSourceArn": STREAM,
            "Shards": [
                { "ShardId": "1-trimmed", "Completed": true },
                { "ShardId": "2-parent", "Completed": true },
                { "ShardId": "3-child", "AfterSequenceNumber": "5", "Unsettled": 2 },
                { "ShardId": "4-unlisted", "AfterSequenceNumber": "7" },
                { "ShardId": "5", "StartingPosition": "TRIM_HORIZON" },
                { "ShardId": "6", "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1.5 },
                { "ShardId": "7", "SequenceNumber": "3" },
            ],
            "Undo": { "Replaced": 2.5 },
            "NextMarker": null,
        })
    );
    let nothing = page(&mapping, &Standing::default(), &Page::default()).unwrap();
    assert_eq!(
        (&nothing["Shards"], &nothing["Undo"]),
        (&json!([]), &Value::Null)
    );
}

#[test]
fn ten_thousand_shards_come_in_pages_each_once() {
    let mapping = mapping(STREAM, json!({}));
    let shards = (0..10_000).map(|n| (format!("shardId-{n:012}"), at(after("7"))));
    let standing = Standing {
        shards: shards.collect(),
        replaced_ms: None,
    };
    for (max_items, pages) in [(None, 10), (Some(10_000), 10), (Some(999), 11)] {
        let (mut marker, mut seen, mut count) = (None, Vec::new(), 0);
        loop {
            let shown = page(&mapping, &standing, &Page { marker, max_items }).unwrap();
            let shards = shown["Shards"].as_array().unwrap().iter();
            seen.extend(shards.map(|shard| shard["ShardId"].as_str().unwrap().to_owned()));
            count += 1;
            match shown["NextMarker"].as_str() {
                Some(next) => marker = Some(next.to_owned()),
                None => break,
            }
        }
        assert_eq!(count, pages);
        assert!(seen.iter().eq(standing.shards.keys()));
    }
    let wrong = Page {
        marker: Some("%".to_owned()),
        max_items: None,
    };
    assert_eq!(page(&mapping, &standing, &wrong).unwrap_err().status, 400);
}
