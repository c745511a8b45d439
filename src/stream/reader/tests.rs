//! When a shard is read again, where, and for how much.

use super::*;
use crate::model::record::{Data, KinesisRecord};

fn kinesis() -> Kind {
    let arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks";
    Kind::Kinesis {
        stream: arn.parse().unwrap(),
        consumer: false,
    }
}

fn came(records: usize, key: usize, bytes: usize, behind_ms: Option<u64>) -> Came {
    let record = KinesisRecord {
        sequence_number: SequenceNumber::try_from("1".to_owned()).unwrap(),
        partition_key: "k".repeat(key).into(),
        data: Data::from(vec![0; bytes]),
        arrived_ms: 0,
    };
    Came {
        records: Records::Kinesis(vec![record; records]),
        behind_ms,
        ended: false,
        amount: Amount::Little,
    }
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

// spec: 5.1
#[test]
fn a_shard_is_read_continuously_while_it_brings_something_and_ever_more_rarely_when_idle() {
    for (kind, first) in [(kinesis(), 200), (Kind::DynamoDb, 250)] {
        let mut reader = Reader::new(&Position::Horizon, &kind, LIMIT_MIN, None);
        let began = ms(10_000);
        // What came, and after how long it is read again.
        for (what, came, gap) in [
            ("idle", came(0, 0, 0, Some(0)), first * 2),
            ("idle", came(0, 0, 0, None), first * 4),
            ("idle", came(0, 0, 0, Some(0)), 1_000),
            ("lags", came(0, 0, 0, Some(1)), first),
            ("idle", came(0, 0, 0, Some(0)), first * 2),
            ("a record", came(1, 1, 1, Some(0)), first),
        ] {
            reader.pace(&came, began, ms(10_050));
            assert_eq!(reader.next_at(), ms(10_000 + gap), "{what} {kind:?}");
        }
        reader.pace(&came(1, 1, 1, None), began, ms(17_000));
        assert_eq!(reader.next_at(), ms(17_000), "the read took its time");
    }
}

// spec: 5.1
#[test]
fn a_large_read_is_followed_by_as_long_a_pause_as_the_shard_needs_for_its_bytes() {
    for (kind, gap) in [(kinesis(), 1_500), (Kind::DynamoDb, 250)] {
        let mut reader = Reader::new(&Position::Horizon, &kind, LIMIT_MIN, None);
        // Three MiB, a half of them keys.
        reader.pace(&came(6_144, 256, 256, None), ms(1_000), ms(1_100));
        assert_eq!(reader.next_at(), ms(1_000 + gap), "{kind:?}");
    }
}

fn fetched(came: Came, next: Next) -> Fetched {
    let brought = Brought {
        records: came.records,
        next,
        behind_ms: came.behind_ms,
        continuation: None,
        amount: came.amount,
    };
    Fetched {
        began: ms(1_000),
        subscribed: None,
        opened: None,
        read: Ok(brought),
    }
}

// spec: 5.1
#[test]
fn what_a_read_brought_beyond_what_is_kept_is_paid_for_and_opened_anew() {
    let mut reader = Reader::new(&Position::Horizon, &kinesis(), LIMIT_MIN, None);
    let last = SequenceNumber::try_from("1".to_owned()).unwrap();
    let mut beyond = came(6, 0, 1 << 19, Some(7));
    beyond.amount = Amount::Beyond {
        dropped_bytes: 1 << 22,
        oversized: false,
    };
    let fetched = fetched(beyond, Next::Behind);
    let came = reader.answered(fetched, Some(&last), ms(1_100));
    let came = came.unwrap();
    assert!(!came.ended);
    assert_eq!((came.records.len(), came.behind_ms), (6, Some(7)));
    // Three MiB that are kept, four that are not.
    assert_eq!(reader.next_at(), ms(1_000 + 3_500));
    let (opened, start, limit) = reader.place();
    assert!(opened.is_none());
    assert_eq!((start, limit), (Start::After(last), 6));
}

#[test]
fn reads_ask_for_no_more_than_is_kept_and_for_more_again_while_it_is_little() {
    const BEYOND: Amount = Amount::Beyond {
        dropped_bytes: 1,
        oversized: false,
    };
    const OVERSIZED: Amount = Amount::Beyond {
        dropped_bytes: 1,
        oversized: true,
    };
    let mut reader = Reader::new(&Position::Horizon, &kinesis(), LIMIT_MIN, None);
    for (records, amount, asked) in [
        (1_000, Amount::Little, 1_000),
        (300, BEYOND, 300),
        (300, Amount::Much, 300),
        (1, OVERSIZED, 300),
        (299, Amount::Little, 300),
        (0, Amount::Little, 300),
        (1, BEYOND, 1),
        (1, Amount::Much, 1),
        (1, Amount::Little, 2),
        (1, Amount::Little, 2),
        (2, Amount::Little, 4),
        (4, Amount::Much, 4),
        (4, Amount::Little, 8),
        (400, Amount::Little, 16),
        (600, BEYOND, 600),
        (600, Amount::Little, 1_000),
    ] {
        let mut came = came(records, 0, 0, None);
        came.amount = amount;
        reader.adapt(&came);
        assert_eq!(reader.limit, asked, "{records} {amount:?}");
    }
}

// spec: 5.1
#[test]
fn a_shard_is_subscribed_to_again_no_sooner_than_five_seconds_after_the_last_time() {
    let mut reader = Reader::new(&Position::Horizon, &kinesis(), LIMIT_MIN, None);
    let over = Brought {
        records: Records::Kinesis(Vec::new()),
        next: Next::Open,
        behind_ms: None,
        continuation: None,
        amount: Amount::Little,
    };
    let fetched = Fetched {
        began: ms(900),
        subscribed: Some(ms(1_000)),
        opened: None,
        read: Ok(over),
    };
    assert!(reader.answered(fetched, None, ms(1_200)).is_ok());
    assert_eq!(reader.next_at(), ms(6_000));
}

#[test]
fn a_shard_is_quiet_since_a_read_to_its_end_brought_nothing() {
    let mut reader = Reader::new(&Position::Horizon, &kinesis(), LIMIT_MIN, None);
    for (came, now, quiet) in [
        (came(0, 0, 0, Some(0)), 1_000, 0),
        (came(0, 0, 0, Some(0)), 3_500, 2_500),
        (came(0, 0, 0, Some(1)), 4_000, 0),
        (came(0, 0, 0, Some(0)), 5_000, 0),
        (came(1, 1, 1, Some(0)), 6_000, 0),
    ] {
        reader.pace(&came, ms(now), ms(now));
        assert_eq!(reader.quiet(ms(now)), ms(quiet), "{now}");
    }
}

// spec: 2.3
#[test]
fn records_of_a_table_count_as_new_from_the_second_on_in_which_the_mapping_was_made() {
    let position = Position::At { ms: 5_999 };
    let reader = Reader::new(&position, &Kind::DynamoDb, LIMIT_MIN, None);
    assert!(reader.too_old(4_999) && !reader.too_old(5_000));
    let reader = Reader::new(&position, &kinesis(), LIMIT_MIN, None);
    assert!(!reader.too_old(0), "Kinesis is asked for that moment");
}

#[test]
fn a_read_asks_for_what_all_lanes_take_at_once_within_bounds() {
    for (batch_size, factor, asked) in [
        (100, 1, 1_000),
        (1_500, 2, 3_000),
        (10_000, 10, 10_000),
        (usize::MAX, 2, 10_000),
    ] {
        assert_eq!(limit(batch_size, factor), asked);
    }
}

#[test]
fn what_stood_still_for_longer_than_records_are_kept_has_a_gap_unless_they_are_there() {
    const KEPT: u64 = 100;
    // Since when unread, when read, now, the first that came; whether there is a gap.
    for (since_ms, read_ms, now_ms, first_ms, gap) in [
        (1_000, 1_000, 1_100, None, false),
        (1_000, 1_000, 1_101, None, true),
        (1_000, 1_000, 1_101, Some(1_001), true),
        (1_000, 1_000, 1_101, Some(1_000), false),
        (1_000, 1_050, 1_150, Some(1_060), true),
        // A backlog that is older than what the source says it keeps is read to its end.
        (500, 1_000, 1_010, Some(510), false),
        (890, 1_000, 1_010, Some(950), false),
    ] {
        let unread = Unread { since_ms, read_ms };
        assert_eq!(
            unread.was_trimmed(now_ms, KEPT, first_ms),
            gap,
            "{unread:?} {now_ms} {first_ms:?}"
        );
    }
}
