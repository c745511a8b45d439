//! From where to where, in words and as the service is asked.

use super::*;
use crate::cli::seek::target::target;

const STREAM: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks";
const TABLE: &str =
    "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-09-17T12:00:00.000";
const NOW_MS: u64 = 1_789_650_000_000;
const RECORD: &str = "49590338271490256608559692538361571095921575989136588898";

fn shard(id: &str, at: At) -> Shard {
    Shard {
        id: id.to_owned(),
        at,
        unsettled: 0,
    }
}

fn two() -> Positions {
    Positions {
        source: STREAM.to_owned(),
        shards: vec![
            shard("shard-0", At::After(RECORD.to_owned())),
            shard("shard-1", At::End),
        ],
        undo: None,
    }
}

fn one(source: &str) -> Positions {
    Positions {
        source: source.to_owned(),
        shards: vec![shard("shard-0", At::After(RECORD.to_owned()))],
        undo: None,
    }
}

fn plan(to: &str, shards: &[&str], positions: &Positions) -> Result<Plan, Impossible> {
    let shards: Vec<String> = shards.iter().map(|id| (*id).to_owned()).collect();
    Plan::of(&target(to).unwrap(), &shards, positions, NOW_MS)
}

#[test]
fn the_service_is_asked_for_the_whole_mapping_or_for_shards() {
    for (to, shards, positions, expected) in [
        (
            "latest",
            &[][..],
            two(),
            json!({ "StartingPosition": "LATEST" }),
        ),
        (
            "1789649999.5",
            &[],
            two(),
            json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1_789_649_999.5 }),
        ),
        (
            "trim-horizon",
            &["shard-1", "shard-0", "shard-1"],
            two(),
            json!({ "Shards": [
                { "ShardId": "shard-1", "StartingPosition": "TRIM_HORIZON" },
                { "ShardId": "shard-0", "StartingPosition": "TRIM_HORIZON" },
            ] }),
        ),
        (
            RECORD,
            &["shard-1"],
            two(),
            json!({ "Shards": [{ "ShardId": "shard-1", "SequenceNumber": RECORD }] }),
        ),
        (
            &format!("after:{RECORD}"),
            &[],
            one(TABLE),
            json!({ "Shards": [{ "ShardId": "shard-0", "AfterSequenceNumber": RECORD }] }),
        ),
    ] {
        let plan = plan(to, shards, &positions).unwrap();
        assert_eq!(plan.request(), expected, "{to} {shards:?}");
    }
}

#[test]
fn what_can_not_be_is_said_before_anything_is_asked() {
    let empty = Positions {
        shards: Vec::new(),
        ..two()
    };
    for (to, shards, positions, expected) in [
        (
            RECORD,
            &[][..],
            two(),
            "a sequence number is that of a record of one shard; say which with --shard ID: shard-0, shard-1",
        ),
        (
            RECORD,
            &["shard-0", "shard-1"],
            two(),
            "a sequence number is that of a record of one shard; say which with --shard ID: shard-0, shard-1",
        ),
        (
            RECORD,
            &[],
            empty,
            "a sequence number is that of a record of one shard; say which with --shard ID: none is begun yet",
        ),
        (
            "1789649999",
            &[],
            one(TABLE),
            "a DynamoDB stream has no positions by time; trim-horizon, latest and sequence numbers are",
        ),
        (
            "1789650001",
            &[],
            two(),
            "the time 2026-09-17T13:00:01Z is yet to come; latest begins now",
        ),
    ] {
        let said = plan(to, shards, &positions).unwrap_err().to_string();
        assert_eq!(said, expected, "{to} {shards:?}");
    }
}

#[test]
fn a_plan_shows_where_each_shard_goes_and_what_becomes_of_records() {
    let text = plan("latest", &[], &two()).unwrap().text();
    let expected = format!(
        "SHARD    FROM{gap}  TO\nshard-0  after {RECORD}  LATEST\nshard-1  read to its end{rest}  LATEST\n\
         what is in the stream now and was not delivered is passed over\n",
        gap = " ".repeat(58),
        rest = " ".repeat(47),
    );
    assert_eq!(text, expected);
    let empty = Positions {
        shards: Vec::new(),
        ..two()
    };
    let plan_of_none = plan("trim-horizon", &[], &empty).unwrap();
    assert_eq!(
        plan_of_none.text(),
        "no shard is begun yet; all will begin at TRIM_HORIZON\n\
         everything that the stream still has is delivered, again where it was delivered before\n"
    );
    let begun = plan("latest", &["shard-2"], &two()).unwrap().text();
    let expected = "SHARD    FROM       TO\nshard-2  not begun  LATEST\n";
    assert!(begun.starts_with(expected), "{begun}");
    let mut owing = one(STREAM);
    owing.shards[0].unsettled = 7;
    let text = plan("latest", &[], &owing).unwrap().text();
    assert!(
        text.contains(
            "failed batches that are owed beyond these positions: 7; they are set aside with them\n"
        ),
        "{text}"
    );
}

#[test]
fn a_record_lies_ahead_or_behind_by_its_number() {
    let ahead = "49590338271490256608559692538361571095921575989136588899";
    let behind = "9590338271490256608559692538361571095921575989136588898";
    for (to, expected) in [
        (ahead, "it lies ahead"),
        (behind, "it lies behind"),
        (RECORD, "that is the record"),
    ] {
        let text = plan(to, &["shard-0"], &two()).unwrap().text();
        assert!(text.contains(expected), "{text}");
        let text = plan(to, &["shard-1"], &two()).unwrap().text();
        assert!(text.contains("records before it are passed over"), "{text}");
    }
}

#[test]
fn a_plan_is_bounded() {
    let many = Positions {
        shards: (0..10_000)
            .map(|index| shard(&format!("shard-{index:05}"), At::Start(Start::Latest)))
            .collect(),
        ..two()
    };
    let all = plan("trim-horizon", &[], &many).unwrap();
    assert_eq!(all.count(), "all 10000 shards");
    let text = all.text();
    assert_eq!(text.lines().count(), 1 + 20 + 1 + 1);
    assert!(
        text.contains("and 9980 more shards, to TRIM_HORIZON as well\n"),
        "{text}"
    );
    let said = plan(RECORD, &[], &many).unwrap_err().to_string();
    assert!(said.ends_with("shard-00009 and 9990 more"), "{said}");
    for (shards, expected) in [
        (&["shard-00007"][..], "shard shard-00007"),
        (&["shard-00007", "shard-00001"], "2 shards"),
    ] {
        assert_eq!(plan("latest", shards, &many).unwrap().count(), expected);
    }
    assert_eq!(
        plan("latest", &[], &one(STREAM)).unwrap().count(),
        "the one shard"
    );
}

#[test]
fn an_undo_is_told_from_where_to_where_and_bounded() {
    let before = one(STREAM);
    let mut after = two();
    after.shards[0].at = At::Start(Start::TrimHorizon);
    after.shards.remove(1);
    after.shards.push(shard("shard-9", At::End));
    let expected = format!(
        "SHARD    FROM{gap}  TO\nshard-0  after {RECORD}  TRIM_HORIZON\nshard-9  not begun{rest}  read to its end\n",
        gap = " ".repeat(58),
        rest = " ".repeat(53),
    );
    assert_eq!(put_back(&before, &after), expected);
    let many = Positions {
        shards: (0..30)
            .map(|index| shard(&format!("shard-{index:02}"), At::End))
            .collect(),
        ..two()
    };
    let text = put_back(&many, &many);
    assert_eq!(text.lines().count(), 22);
    assert!(text.ends_with("\nand 10 more shards\n"), "{text}");
    assert_eq!(many.rows(SHOWN_MAX).lines().count(), 22);
    assert_eq!(many.text().lines().count(), 31);
}
