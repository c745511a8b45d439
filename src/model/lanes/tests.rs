//! Lives of lanes: crashes, other factors, and a ledger of every record.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

fn number(n: u64) -> SequenceNumber {
    SequenceNumber::try_from(n.to_string()).unwrap()
}

fn after(n: u64) -> Position {
    Position::After {
        sequence_number: number(n),
    }
}

fn fresh(factor: u32) -> Lanes {
    Lanes::resume(&ShardProgress::beginning(Position::Horizon, factor), factor)
}

fn place(lanes: &mut Lanes, n: u64, key: &str) -> (u32, u64) {
    match lanes.admit(&number(n), key, 1, 0) {
        Admitted::Lane { lane, place } => (lane, place),
        other => panic!("{n}: {other:?}"),
    }
}

/// Checkpoints hold what these hashes said: a change would reorder keys over an upgrade.
#[test]
fn a_keys_lane_is_the_same_for_ever() {
    let lanes = |factor| {
        ["", "a", "user-1", "user-2", "{\"id\":{\"S\":\"a\"}}"].map(|key| lane_of(key, factor))
    };
    assert_eq!(lanes(1), [0, 0, 0, 0, 0]);
    assert_eq!(lanes(0), [0, 0, 0, 0, 0]);
    assert_eq!(lanes(4), [1, 0, 2, 3, 1]);
    assert_eq!(lanes(10), [5, 4, 6, 1, 7]);
}

#[test]
fn keys_spread_evenly_over_lanes() {
    for factor in 2..=10 {
        let mut counts = BTreeMap::new();
        for key in 0..10_000 {
            *counts
                .entry(lane_of(format!("user-{key}"), factor))
                .or_insert(0) += 1;
        }
        let fair = 10_000 / factor;
        assert_eq!(counts.len(), factor as usize);
        assert!(
            counts
                .values()
                .all(|count| fair * 9 / 10 < *count && *count < fair * 11 / 10),
            "{counts:?}"
        );
    }
}

#[test]
fn the_watermark_stands_before_the_first_that_is_owed() {
    let mut lanes = fresh(1);
    let places: Vec<u64> = (1..=3).map(|n| place(&mut lanes, n, "k").1).collect();
    assert_eq!(lanes.position(), &Position::Horizon);
    lanes.settled(places[0], None);
    assert_eq!(lanes.position(), &after(1));
    lanes.settled(places[1], None);
    lanes.settled(places[2], None);
    assert_eq!(lanes.position(), &after(3));
    assert!(lanes.empty());
    lanes.end();
    assert_eq!(lanes.progress().position, Position::End);
}

#[test]
fn a_dropped_record_is_settled_with_what_is_before_it() {
    let mut lanes = fresh(1);
    lanes.pass(&number(1));
    assert_eq!(lanes.position(), &after(1));
    let (_, two) = place(&mut lanes, 2, "k");
    lanes.pass(&number(3));
    lanes.pass(&number(4));
    assert_eq!(lanes.position(), &after(1));
    lanes.settled(two, None);
    assert_eq!(lanes.position(), &after(4));
}

#[test]
fn a_packed_record_is_settled_with_its_last() {
    let mut lanes = fresh(1);
    let Admitted::Lane { place, .. } = lanes.admit(&number(1), "k", 3, 0) else {
        panic!("not admitted");
    };
    lanes.settled(place, Some(0));
    lanes.settled(place, Some(2));
    assert_eq!(lanes.position(), &Position::Horizon);
    lanes.settled(place, Some(3));
    assert_eq!(lanes.position(), &after(1));
    assert!(lanes.progress().lanes.is_empty());
    assert_eq!(lanes.admit(&number(2), "k", 0, 0), Admitted::Settled);
    assert_eq!(lanes.position(), &after(2));
}

#[test]
fn what_is_settled_of_a_packed_record_is_not_repeated_after_a_restart() {
    let mut lanes = fresh(1);
    let Admitted::Lane { place, .. } = lanes.admit(&number(1), "k", 3, 0) else {
        panic!("not admitted");
    };
    lanes.settled(place, Some(0));
    // A filter drops the second.
    lanes.settled(place, Some(2));
    let progress = lanes.progress();
    assert_eq!(
        progress.lanes,
        [LaneProgress {
            lane: 0,
            settled: None,
            begun: Some(Begun {
                sequence_number: number(1),
                records: 3,
            }),
            owed: Vec::new(),
            last: None,
        }]
    );
    // With more lanes than there were: the old one serves first.
    let mut lanes = Lanes::resume(&progress, 2);
    assert_eq!(lanes.begun(&number(1), "k"), 3);
    assert_eq!(lanes.begun(&number(2), "k"), 0);
    let Admitted::Lane { place, .. } = lanes.admit(&number(1), "k", 1, 0) else {
        panic!("not admitted");
    };
    assert_eq!(lanes.progress(), progress);
    assert_eq!(lanes.admit(&number(2), "k", 1, 0), Admitted::Hold);
    lanes.settled(place, Some(3));
    assert_eq!(lanes.position(), &after(1));
    assert!(lanes.progress().lanes.is_empty());
    assert!(matches!(
        lanes.admit(&number(2), "k", 1, 0),
        Admitted::Lane { .. }
    ));
}

#[test]
fn a_packed_record_of_which_nothing_is_left_is_passed() {
    let mut lanes = fresh(1);
    let Admitted::Lane { place, .. } = lanes.admit(&number(1), "k", 2, 0) else {
        panic!("not admitted");
    };
    lanes.settled(place, Some(0));
    let mut lanes = Lanes::resume(&lanes.progress(), 1);
    // A filter that is new drops the rest.
    assert_eq!(lanes.admit(&number(1), "k", 0, 0), Admitted::Settled);
    assert_eq!(lanes.position(), &after(1));
    assert!(lanes.progress().lanes.is_empty());
}

#[test]
fn a_lane_that_stands_still_lets_the_others_run_ahead_only_so_far() {
    let mut lanes = fresh(2);
    let stuck = (0..)
        .map(|n| n.to_string())
        .find(|key| lane_of(key, 2) == 0)
        .unwrap();
    let free = (0..)
        .map(|n| n.to_string())
        .find(|key| lane_of(key, 2) == 1)
        .unwrap();
    place(&mut lanes, 1, &stuck);
    for n in 0..AHEAD_MAX as u64 - 1 {
        let (_, place) = place(&mut lanes, n + 2, &free);
        lanes.settled(place, None);
    }
    assert_eq!(lanes.admit(&number(1_000_000), &free, 1, 0), Admitted::Hold);
    assert_eq!(lanes.position(), &Position::Horizon);
    lanes.settled(0, None);
    assert!(matches!(
        lanes.admit(&number(1_000_000), &free, 1, 0),
        Admitted::Lane { .. }
    ));
}

#[test]
fn with_another_factor_the_old_lanes_serve_until_nothing_is_left_of_them() {
    let saved = ShardProgress {
        position: after(1),
        factor: 2,
        lanes: vec![LaneProgress {
            lane: 1,
            settled: Some(number(4)),
            begun: None,
            owed: vec![Owed {
                through: number(6),
                inner: None,
                failures: 2,
                isolating: false,
                first_failed_ms: None,
            }],
            last: None,
        }],
        window: None,
        windows_from_ms: None,
    };
    let mut lanes = Lanes::resume(&saved, 7);
    assert_eq!(lanes.factor(), 2);
    let zero = (0..)
        .map(|n| n.to_string())
        .find(|key| lane_of(key, 2) == 0)
        .unwrap();
    let one = (0..)
        .map(|n| n.to_string())
        .find(|key| lane_of(key, 2) == 1)
        .unwrap();
    let (lane, two) = place(&mut lanes, 2, &zero);
    assert_eq!(lane, 0);
    assert_eq!(lanes.admit(&number(4), &one, 1, 0), Admitted::Settled);
    let (lane, six) = place(&mut lanes, 6, &one);
    assert_eq!(lane, 1);
    assert_eq!(lanes.owed(1).len(), 1);
    assert_eq!(lanes.admit(&number(7), &one, 1, 0), Admitted::Hold);
    lanes.settled(six, None);
    assert_eq!(lanes.admit(&number(7), &one, 1, 0), Admitted::Hold);
    lanes.settled(two, None);
    assert_eq!(place(&mut lanes, 7, &one).0, lane_of(&one, 7));
    assert_eq!(lanes.factor(), 7);
    assert!(lanes.owed(1).is_empty());
}

/// Lives with crashes, changes of the factor and records settled in any order that lanes allow: each record is settled
/// exactly once over all lives, a key's records in their order, and the position is never ahead of what is settled.
#[test]
fn over_all_lives_every_record_is_settled_once_and_in_order() {
    let (mut crashes, mut ahead) = (0, 0);
    for seed in 0..400 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let count = chance.u64(1..60);
        let keys: Vec<String> = (0..count).map(|_| chance.u32(0..6).to_string()).collect();
        let dropped: BTreeSet<u64> = (0..count).filter(|_| chance.u8(0..5) == 0).collect();
        let mut settled: Vec<u64> = Vec::new();
        let mut saved = ShardProgress::beginning(Position::Horizon, chance.u32(1..5));
        while saved.position != after(count - 1) {
            let mut lanes = Lanes::resume(&saved, chance.u32(1..5));
            let mut read = match &saved.position {
                Position::After { sequence_number } => {
                    sequence_number.as_str().parse::<u64>().unwrap() + 1
                }
                _ => 0,
            };
            let mut waiting: BTreeMap<u32, VecDeque<(u64, u64)>> = BTreeMap::new();
            loop {
                let more = read < count;
                let mut held = false;
                if more && chance.bool() {
                    if dropped.contains(&read) {
                        lanes.pass(&number(read));
                        read += 1;
                    } else {
                        match lanes.admit(&number(read), &keys[read as usize], 1, 0) {
                            Admitted::Lane { lane, place } => {
                                waiting.entry(lane).or_default().push_back((read, place));
                                read += 1;
                            }
                            Admitted::Settled => {
                                assert!(
                                    settled.contains(&read),
                                    "seed {seed}: {read} is taken for settled"
                                );
                                read += 1;
                            }
                            Admitted::Hold => held = true,
                        }
                    }
                }
                if held || chance.bool() || !more {
                    let lane = chance.u32(0..lanes.factor());
                    if let Some((record, place)) =
                        waiting.get_mut(&lane).and_then(VecDeque::pop_front)
                    {
                        lanes.settled(place, None);
                        settled.push(record);
                        saved = lanes.progress();
                        // A round trip through the file's form.
                        saved =
                            serde_json::from_str(&serde_json::to_string(&saved).unwrap()).unwrap();
                        ahead += usize::from(!saved.lanes.is_empty());
                    }
                }
                if let Position::After { sequence_number } = lanes.position() {
                    let through: u64 = sequence_number.as_str().parse().unwrap();
                    for record in 0..=through {
                        assert!(
                            dropped.contains(&record) || settled.contains(&record),
                            "seed {seed}: ahead of {record}"
                        );
                    }
                }
                if read == count && lanes.empty() {
                    saved = lanes.progress();
                    break;
                }
                if chance.u8(0..20) == 0 {
                    crashes += 1;
                    break;
                }
            }
        }
        let mut once = settled.clone();
        once.sort_unstable();
        let all: Vec<u64> = (0..count)
            .filter(|record| !dropped.contains(record))
            .collect();
        assert_eq!(once, all, "seed {seed}");
        for key in 0..6 {
            let of_key: Vec<u64> = settled
                .iter()
                .copied()
                .filter(|record| keys[*record as usize] == key.to_string())
                .collect();
            assert!(
                of_key.is_sorted(),
                "seed {seed}: key {key} in the order {of_key:?}"
            );
        }
    }
    assert!(
        crashes > 200 && ahead > 1_000,
        "{crashes} crashes, {ahead} checkpoints with lanes ahead"
    );
}

/// Whoever lowers the factor by hand in an exported checkpoint leaves lanes beyond it.
#[test]
fn a_checkpoint_has_as_many_lanes_as_it_says_something_about() {
    let mut progress = ShardProgress::beginning(Position::Horizon, 1);
    progress.lanes.push(LaneProgress {
        lane: 2,
        settled: Some(number(5)),
        begun: None,
        owed: Vec::new(),
        last: None,
    });
    assert_eq!(Lanes::resume(&progress, 1).factor(), 3);
}

#[test]
fn a_packed_record_that_is_settled_is_not_begun() {
    let mut lanes = fresh(2);
    // The first record's lane stands still, so that the second is ahead of the watermark.
    assert_eq!((lane_of("a", 2), lane_of("d", 2)), (0, 1));
    place(&mut lanes, 1, "a");
    let Admitted::Lane { place, .. } = lanes.admit(&number(2), "d", 2, 0) else {
        panic!("not admitted");
    };
    lanes.settled(place, Some(0));
    lanes.settled(place, Some(1));
    let ahead = LaneProgress {
        lane: 1,
        settled: Some(number(2)),
        begun: None,
        owed: Vec::new(),
        last: None,
    };
    assert_eq!(lanes.progress().lanes, [ahead]);
}

#[test]
fn what_a_lane_owes_and_why_goes_over_a_restart() {
    let owed = Owed {
        through: number(2),
        inner: None,
        failures: 3,
        isolating: false,
        first_failed_ms: Some(7),
    };
    let last = LastInvocation {
        request_id: Some("9e0a".into()),
        response: None,
    };
    let mut lanes = fresh(1);
    place(&mut lanes, 2, "k");
    assert_eq!((lanes.owed(0), lanes.last(0)), (&[][..], None));
    lanes.owes(0, vec![owed.clone()], Some(last.clone()));
    let resumed = Lanes::resume(&lanes.progress(), 1);
    for lanes in [lanes, resumed] {
        assert_eq!(lanes.owed(0), std::slice::from_ref(&owed));
        assert_eq!(lanes.last(0), Some(&last));
    }
}

#[test]
fn the_oldest_record_that_is_owed_is_the_first_that_was_read() {
    let mut lanes = fresh(1);
    assert!(lanes.empty());
    assert_eq!(lanes.oldest_ms(), None);
    for (n, arrived_ms) in [(1, 500), (2, 900)] {
        lanes.admit(&number(n), "k", 1, arrived_ms);
    }
    for oldest_ms in [500, 900] {
        assert!(!lanes.empty());
        assert_eq!(lanes.oldest_ms(), Some(oldest_ms));
        lanes.settled(if oldest_ms == 500 { 0 } else { 1 }, None);
    }
    assert!(lanes.empty());
}
