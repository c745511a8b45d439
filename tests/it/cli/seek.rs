//! `seek`: what is shown, what is asked for, and that nothing is done that nobody agreed to.

use std::sync::Mutex;

use serde_json::{Value, json};

use super::program::{Ended, run, run_with};
use super::scripted::{Scripted, answer, ok, refusal};

const LIST: &str = "/2015-03-31/event-source-mappings";
const CLICKS: &str = "14e0db71-5d35-4eb5-b481-8945cf9d10c2";
const ORDERS: &str = "24e0db71-5d35-4eb5-b481-8945cf9d10c2";
const RECORD: &str = "49590338271490256608559692538361571095921575989136588898";

fn mappings() -> Value {
    json!([
        { "UUID": CLICKS, "Name": "clicks", "EventSourceArn": "arn:aws:kinesis:us-east-1:123456789012:stream/clicks" },
        { "UUID": ORDERS, "Name": "orders", "EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:orders" },
    ])
}

fn positions(shards: Value, undo: Value) -> Value {
    json!({
        "UUID": CLICKS,
        "EventSourceArn": "arn:aws:kinesis:us-east-1:123456789012:stream/clicks",
        "Shards": shards,
        "Undo": undo,
    })
}

fn before() -> Value {
    let shards = json!([
        { "ShardId": "shard-0", "AfterSequenceNumber": RECORD, "Unsettled": 3 },
        { "ShardId": "shard-1", "StartingPosition": "LATEST" },
    ]);
    positions(shards, Value::Null)
}

fn after() -> Value {
    let shards = json!([
        { "ShardId": "shard-0", "StartingPosition": "TRIM_HORIZON" },
        { "ShardId": "shard-1", "StartingPosition": "TRIM_HORIZON" },
    ]);
    positions(shards, json!({ "Replaced": 1_789_650_000 }))
}

/// Positions as they are until something is put, and afterwards.
fn service(before: Value, after: Value) -> Scripted {
    let now = Mutex::new(before);
    Scripted::start(move |line, _| {
        let (method, target) = line.split_once(' ').expect("a request line");
        match (method, target.strip_prefix(LIST)) {
            ("GET", Some("")) => ok(&json!({ "EventSourceMappings": mappings() })),
            (_, Some(rest)) if rest == format!("/{ORDERS}/position") => refusal(
                "400 Bad Request",
                "InvalidParameterValueException",
                "a queue has no positions",
            ),
            ("GET", Some(rest)) if rest == format!("/{CLICKS}/position") => {
                ok(&now.lock().unwrap())
            }
            ("PUT", Some(rest)) if rest == format!("/{CLICKS}/position") => {
                now.lock().unwrap().clone_from(&after);
                ok(&after)
            }
            _ => answer("404 Not Found", "", ""),
        }
    })
}

/// What was to be changed.
fn put(server: &Scripted) -> Vec<Value> {
    let asked = server.asked().into_iter();
    let changes = asked.filter(|(line, _)| line.starts_with("PUT "));
    changes
        .map(|(_, body)| serde_json::from_str(&body).expect("JSON"))
        .collect()
}

const PLAN: &str = "\
SHARD    FROM                                                            TO
shard-0  after 49590338271490256608559692538361571095921575989136588898  TRIM_HORIZON
shard-1  LATEST                                                          TRIM_HORIZON
failed batches that are owed beyond these positions: 3; they are set aside with them
everything that the stream still has is delivered, again where it was delivered before
";

#[test]
fn without_a_place_to_go_it_shows_where_the_mapping_is() {
    let server = service(before(), after());
    let Ended { code, out, err } = run(&["seek", "clicks", "--service", &server.url]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let expected = format!(
        "SHARD    POSITION{}  UNSETTLED\nshard-0  after {RECORD}  3\nshard-1  LATEST{}  0\n",
        " ".repeat(54),
        " ".repeat(56),
    );
    assert_eq!(out, expected);
    let args = ["seek", CLICKS, "--service", &server.url, "--format", "json"];
    let Ended { code, out, err } = run(&args);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let shown: Value = serde_json::from_str(&out).expect("one object");
    assert_eq!(shown, before());
    assert_eq!(put(&server), [] as [Value; 0]);
}

#[test]
fn shards_come_in_pages() {
    let target = format!("{LIST}/{CLICKS}/position");
    let server = Scripted::start(move |line, _| {
        let shard =
            |index: u32| json!([{ "ShardId": format!("shard-{index}"), "Completed": true }]);
        let asked = line.trim_start_matches("GET ");
        if asked == LIST {
            return ok(&json!({ "EventSourceMappings": mappings() }));
        }
        let (index, next) = match asked.strip_prefix(&target) {
            Some("") => (0, json!("one")),
            Some("?Marker=one") => (1, json!("two")),
            Some("?Marker=two") => (2, Value::Null),
            _ => return answer("404 Not Found", "", ""),
        };
        let mut page = positions(shard(index), Value::Null);
        page["NextMarker"] = next;
        ok(&page)
    });
    let Ended { code, out, err } = run(&["seek", "clicks", "--service", &server.url]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let expected = "SHARD    POSITION\nshard-0  read to its end\nshard-1  read to its end\nshard-2  read to its end\n";
    assert_eq!(out, expected);
}

#[test]
fn nothing_is_done_that_nobody_agreed_to() {
    for reply in ["", "y\n", "yes\n"] {
        let server = service(before(), after());
        let args = [
            "seek",
            "clicks",
            "--to",
            "trim-horizon",
            "--service",
            &server.url,
        ];
        let Ended { code, out, err } = run_with(&args, reply);
        assert_eq!((code, out.as_str()), (Some(2), PLAN));
        let expected = "nothing was changed: --yes is needed to seek all 2 shards of clicks to TRIM_HORIZON where nobody can be asked\n";
        assert_eq!(err, expected);
        assert_eq!(put(&server), [] as [Value; 0]);
    }
}

#[test]
fn a_seek_says_what_it_does_and_what_it_did() {
    let server = service(before(), after());
    let args = [
        "seek",
        "clicks",
        "--to",
        "trim-horizon",
        "--yes",
        "--service",
        &server.url,
    ];
    let Ended { code, out, err } = run(&args);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let done = "clicks: all 2 shards sought to TRIM_HORIZON; `sluicegate seek clicks --undo` puts it back\n";
    assert_eq!(out, format!("{PLAN}{done}"));
    assert_eq!(
        put(&server),
        [json!({ "StartingPosition": "TRIM_HORIZON" })]
    );

    let server = service(before(), after());
    let args = [
        "seek",
        "clicks",
        "--to",
        RECORD,
        "--shard",
        "shard-1",
        "--yes",
        "--format",
        "json",
        "--service",
        &server.url,
    ];
    let Ended { code, out, err } = run(&args);
    assert_eq!(code, Some(0));
    assert!(
        err.starts_with("SHARD ") && err.contains("records before it are passed over"),
        "{err}"
    );
    let shown: Value = serde_json::from_str(&out).expect("one object alone");
    assert_eq!(shown, after());
    let wanted = json!({ "Shards": [{ "ShardId": "shard-1", "SequenceNumber": RECORD }] });
    assert_eq!(put(&server), [wanted]);
}

#[test]
fn an_undo_shows_what_it_put_back() {
    let server = service(after(), before());
    let args = [
        "seek",
        "clicks",
        "--undo",
        "--yes",
        "--service",
        &server.url,
    ];
    let Ended { code, out, err } = run(&args);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let expected = format!(
        "SHARD    POSITION\nshard-0  TRIM_HORIZON\nshard-1  TRIM_HORIZON\n\
         SHARD    FROM          TO\nshard-0  TRIM_HORIZON  after {RECORD}\nshard-1  TRIM_HORIZON  LATEST\n\
         clicks: the positions are those of 2026-09-17T13:00:00Z again\n",
    );
    assert_eq!(out, expected);
    assert_eq!(put(&server), [json!({ "Undo": true })]);

    let server = service(before(), after());
    let args = [
        "seek",
        "clicks",
        "--undo",
        "--yes",
        "--service",
        &server.url,
    ];
    let Ended { code, out, err } = run(&args);
    let expected =
        "clicks: there is nothing to undo: no seek replaced its positions since the last undo\n";
    assert_eq!((code, out.as_str(), err.as_str()), (Some(1), "", expected));
    assert_eq!(put(&server), [] as [Value; 0]);
}

#[test]
fn what_can_not_be_sought_is_said_and_left_alone() {
    let server = service(before(), after());
    let url = server.url.as_str();
    let queue = format!("orders: {url} refuses: a queue has no positions");
    for (args, expected) in [
        (&["orders"][..], queue.as_str()),
        (&["orders", "--to", "latest", "--yes"], &queue),
        (
            &["clikcs", "--to", "latest", "--yes"],
            "there is no mapping \"clikcs\"; did you mean clicks?",
        ),
        (
            &["clicks", "--to", RECORD, "--yes"],
            "a sequence number is that of a record of one shard; say which with --shard ID: shard-0, shard-1",
        ),
        (
            &["clicks", "--to", "9999-12-31T00:00:00Z", "--yes"],
            "the time 9999-12-31T00:00:00Z is yet to come; latest begins now",
        ),
    ] {
        let all: Vec<&str> = [&["seek", "--service", url], args].concat();
        let Ended { code, out, err } = run(&all);
        assert_eq!(
            (code, out.as_str(), err.trim_end()),
            (Some(1), "", expected),
            "{args:?}"
        );
    }
    assert_eq!(put(&server), [] as [Value; 0]);

    let strange = service(
        json!({ "Shards": [{ "ShardId": "a" }], "EventSourceArn": "arn" }),
        after(),
    );
    let Ended { code, err, .. } = run(&["seek", "clicks", "--service", &strange.url]);
    let expected = format!(
        "{} is no Sluicegate, or stands behind something else: it answers JSON of another kind, not positions of shards\n",
        strange.url
    );
    assert_eq!((code, err), (Some(1), expected));
}

#[test]
fn a_refusal_of_the_service_is_its_own_words() {
    let server = Scripted::start(|line, _| match line.split_once(' ') {
        Some(("GET", LIST)) => ok(&json!({ "EventSourceMappings": mappings() })),
        Some(("GET", _)) => ok(&before()),
        _ => refusal(
            "400 Bad Request",
            "ResourceInUseException",
            "the mapping is in transition",
        ),
    });
    let args = [
        "seek",
        "clicks",
        "--to",
        "latest",
        "--yes",
        "--service",
        &server.url,
    ];
    let Ended { code, out, err } = run(&args);
    let expected = format!(
        "clicks: not sought: {} refuses: the mapping is in transition\n",
        server.url
    );
    assert_eq!((code, err), (Some(1), expected));
    assert!(
        out.ends_with("what is in the stream now and was not delivered is passed over\n"),
        "{out}"
    );
}

#[test]
fn wrong_usage_asks_nobody() {
    for (args, expected) in [
        (&["seek"][..], "<NAME>"),
        (
            &["seek", "clicks", "--to", "yesterday"],
            "expected trim-horizon, latest, a time such as",
        ),
        (
            &["seek", "clicks", "--to", "1789650000000"],
            "13 digits are milliseconds",
        ),
        (
            &["seek", "clicks", "--to", "after:1"],
            "after: takes the sequence number of a record",
        ),
        (&["seek", "clicks", "--shard", "shard-0"], "--to <WHERE>"),
        (
            &["seek", "clicks", "--to", "latest", "--undo"],
            "cannot be used with",
        ),
        (&["pause"], "<NAME>"),
        (&["pause", "clicks", "--all"], "cannot be used with"),
        (&["resume"], "<NAME>"),
        (
            &["list", "--service", "here"],
            "does not begin with http:// or https://",
        ),
        (&["list", "--config", "missing.yaml"], "missing.yaml: "),
    ] {
        let Ended { code, out, err } = run(args);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{args:?}: {err}");
        assert!(err.contains(expected), "{args:?}: {err}");
    }
}
