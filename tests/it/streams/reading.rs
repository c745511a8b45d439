//! Reads that go wrong: expired, throttled, trimmed, empty, gone. // spec: 5.1

use std::time::Duration;

use sluicegate::sim::{Event, Fault, FunctionConfig, KinesisOperation, Operation, Reply};
use sluicegate::status::State;

use super::{
    GET_RECORDS, GET_SHARD_ITERATOR, LIST_SHARDS, SOON, STREAM, StreamStage, fails_on, seconds,
};
use crate::support::log::Log;

const DESCRIBE_STREAM_SUMMARY: Operation =
    Operation::Kinesis(KinesisOperation::DescribeStreamSummary);

fn stage(seed: u64) -> StreamStage {
    let stage = StreamStage::kinesis(seed, 1);
    stage.answers(|_| Reply::ok("{}"));
    stage
}

/// Puts a record a second, and waits until all have come.
async fn trickle(stage: &StreamStage, count: u32) {
    for number in 0..count {
        stage.put("k", number..number + 1);
        seconds(1).await;
    }
    let all = || stage.delivered().len() >= count as usize;
    stage.until("all", Duration::from_secs(300), all).await;
    seconds(5).await;
}

#[tokio::test(start_paused = true)]
async fn no_fault_of_a_read_loses_repeats_or_reorders_a_record() {
    let faults = [
        Fault::IteratorExpired,
        Fault::ReadThrottled,
        Fault::EmptyRead,
        Fault::Throttled,
        Fault::InternalError,
        Fault::BareUnavailable,
        Fault::ExpiredToken,
        Fault::ProxyHtml,
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::NeverAnswers,
        Fault::TruncatedBody,
        Fault::MalformedJson,
        Fault::InvalidUtf8,
    ];
    for fault in faults {
        let stage = stage(1);
        stage.world().fault_chance(Some(GET_RECORDS), fault, 0.4);
        let running = stage.start("TRIM_HORIZON", &[]);
        trickle(&stage, 30).await;
        let account = running.stop().await;
        assert_eq!(stage.delivered(), (0..30).collect::<Vec<_>>(), "{fault:?}");
        assert_eq!((account.settled, account.discarded), (30, 0), "{fault:?}");
        assert_eq!(stage.counted("stream_gaps_total"), 0.0, "{fault:?}");
        let faults = stage.world().fault_counts();
        assert!(faults[&(GET_RECORDS, fault)] > 0, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_holds_for_dynamodb_and_for_every_call() {
    for seed in 0..3 {
        let stages = [
            StreamStage::kinesis(seed, 2),
            StreamStage::dynamodb(seed, 2),
        ];
        for stage in stages {
            stage.answers(|_| Reply::ok("{}"));
            let world = stage.world();
            world.fault_chance(None, Fault::ReadThrottled, 0.1);
            world.fault_chance(None, Fault::IteratorExpired, 0.1);
            world.fault_chance(None, Fault::EmptyRead, 0.1);
            world.fault_chance(None, Fault::IncompleteListing, 0.3);
            for operation in [
                GET_RECORDS,
                GET_SHARD_ITERATOR,
                LIST_SHARDS,
                Operation::StreamsGetRecords,
                Operation::StreamsGetShardIterator,
                Operation::StreamsDescribeStream,
            ] {
                world.fault_chance(Some(operation), Fault::ResetAfter, 0.1);
                world.fault_chance(Some(operation), Fault::Unavailable, 0.1);
            }
            let running = stage.start("TRIM_HORIZON", &[]);
            for number in 0..60 {
                stage.put(&format!("key-{}", number % 8), number..number + 1);
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            let all = || stage.delivered().len() >= 60;
            stage.until("all", Duration::from_secs(600), all).await;
            seconds(30).await;
            running.stop().await;
            let mut delivered = stage.delivered();
            for key in 0..8 {
                let of_key: Vec<_> = delivered
                    .iter()
                    .filter(|number| *number % 8 == key)
                    .collect();
                assert!(of_key.is_sorted(), "{of_key:?}");
            }
            delivered.sort_unstable();
            assert_eq!(delivered, (0..60).collect::<Vec<_>>());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttled_read_now_and_then_is_no_trouble_and_many_in_a_row_are_told() {
    let stage = stage(2);
    let running = stage.start("TRIM_HORIZON", &[]);
    seconds(5).await;
    stage
        .world()
        .fault_next(GET_RECORDS, Fault::ReadThrottled, 1);
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(stage.status().state, State::Enabled);
    }
    stage
        .world()
        .fault_chance(Some(GET_RECORDS), Fault::ReadThrottled, 1.0);
    seconds(30).await;
    let status = stage.status();
    assert_eq!(status.state, State::Failing);
    let reason = status.reason.unwrap();
    assert!(
        reason.contains("shardId-000000000000 stands still (reading)"),
        "{reason}"
    );
    stage.world().heal();
    stage.put("k", 0..1);
    stage.until_delivered(1).await;
    assert_eq!(stage.status().state, State::Enabled);
    running.stop().await;
}

// reliability: I11
#[tokio::test(start_paused = true)]
async fn a_position_that_is_refused_is_kept_while_nobody_says_which_stream_it_is() {
    let stage = stage(33);
    stage.put("k", 0..3);
    let running = stage.start("TRIM_HORIZON", &[]);
    stage.until_delivered(3).await;
    let (world, describe) = (stage.world(), DESCRIBE_STREAM_SUMMARY);
    world.fault_next(GET_SHARD_ITERATOR, Fault::TrimmedPosition, 1);
    world.fault_next(describe, Fault::Unavailable, 1);
    world.fault_next(GET_RECORDS, Fault::IteratorExpired, 1);
    seconds(120).await;
    stage.put("k", 3..6);
    stage.until_delivered(6).await;
    running.stop().await;
    let faults = world.fault_counts();
    assert_eq!(faults[&(GET_SHARD_ITERATOR, Fault::TrimmedPosition)], 1);
    assert_eq!(faults[&(describe, Fault::Unavailable)], 1);
    assert_eq!(stage.delivered(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(stage.counted("events_polled_total"), 6.0);
    assert_eq!(stage.counted("stream_gaps_total"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_position_that_was_trimmed_is_a_gap_that_is_counted_and_reading_goes_on() {
    let stage = stage(3);
    stage.put("k", 0..3);
    let running = stage.start("TRIM_HORIZON", &[]);
    stage.until_delivered(3).await;
    running.stop().await;
    stage.put("k", 3..10);
    let shard = stage.shards()[0].id.clone();
    stage
        .world()
        .fault_next(GET_SHARD_ITERATOR, Fault::TrimmedPosition, 1);
    let running = stage.start("TRIM_HORIZON", &[]);
    seconds(20).await;
    stage.put("k", 10..12);
    let last = || stage.delivered().contains(&11);
    stage.until("the last", SOON, last).await;
    running.stop().await;
    assert_eq!(stage.counted("stream_gaps_total"), 1.0);
    let trimmed: usize = stage
        .world()
        .history()
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::RecordsTrimmed {
                shard: of, count, ..
            } if *of == shard => Some(*count),
            _ => None,
        })
        .sum();
    let delivered = stage.delivered();
    assert!(
        delivered.is_sorted() && trimmed > 3,
        "{trimmed} {delivered:?}"
    );
    // What was read before is trimmed with the rest.
    let left = 12 - trimmed as u32;
    assert_eq!(delivered.len(), 3 + left as usize);
}

/// Three records are not delivered before the engine stops, and when it is started again their shard is split, and gone with them.
async fn outlive_a_shard(stage: &StreamStage) {
    stage.answers(fails_on(0));
    stage.put("k", 0..3);
    let running = stage.start("TRIM_HORIZON", &[]);
    seconds(10).await;
    running.stop().await;
    let shard = stage.shards()[0].id.clone();
    stage.world().split_shard(STREAM, &shard).unwrap();
    tokio::time::sleep(Duration::from_hours(25)).await;
}

#[tokio::test(start_paused = true)]
async fn a_position_that_is_opened_anew_is_behind_what_was_read() {
    let stage = stage(31);
    let expired = [None, Some(Fault::IteratorExpired)];
    stage.world().fault_script(GET_RECORDS, expired);
    stage.put("k", 0..3);
    let running = stage.start("TRIM_HORIZON", &[]);
    stage.until_delivered(3).await;
    seconds(5).await;
    stage.put("k", 3..6);
    stage.until_delivered(6).await;
    running.stop().await;
    assert_eq!(stage.delivered(), [0, 1, 2, 3, 4, 5]);
    let faults = stage.world().fault_counts();
    assert_eq!(faults[&(GET_RECORDS, Fault::IteratorExpired)], 1);
    assert_eq!(stage.counted("events_polled_total"), 6.0);
}

#[tokio::test(start_paused = true)]
async fn what_was_read_of_a_stream_is_delivered_at_once_when_nothing_more_can_come() {
    for deleted in [false, true] {
        let stage = stage(32);
        stage.put("k", 0..3);
        let window = ["MaximumBatchingWindowInSeconds: 300", "BatchSize: 100"];
        let running = stage.start("TRIM_HORIZON", &window);
        seconds(10).await;
        assert_eq!(stage.calls(), [[0; 0]; 0], "the window is open");
        if deleted {
            delete(&stage).await;
        } else {
            let shard = stage.shards()[0].id.clone();
            stage.world().split_shard(STREAM, &shard).unwrap();
        }
        stage.until_delivered(3).await;
        running.stop().await;
        assert_eq!(stage.calls(), [[0, 1, 2]], "{deleted}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_shard_that_outlived_the_retention_is_a_gap_and_its_children_are_read() {
    let stage = stage(4);
    outlive_a_shard(&stage).await;
    stage.put("k", 3..6);
    stage.answers(|_| Reply::ok("{}"));
    let before = stage.delivered().len();
    let running = stage.start("TRIM_HORIZON", &[]);
    let children = || stage.delivered()[before..] == [3, 4, 5];
    stage
        .until("children", Duration::from_secs(600), children)
        .await;
    running.stop().await;
    assert_eq!(stage.counted("stream_gaps_total"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_is_gone_is_given_up_when_three_listings_lack_it() {
    // Two more than that of the start until it is read although no listing has it, and then these.
    for (listings, gaps) in [(2, 0.0), (3, 1.0)] {
        let stage = stage(15);
        outlive_a_shard(&stage).await;
        let listed = std::iter::repeat_n(None, 3 + listings);
        let down = std::iter::repeat_n(Some(Fault::Unavailable), 1_000);
        stage.world().fault_script(LIST_SHARDS, listed.chain(down));
        let running = stage.start("TRIM_HORIZON", &[]);
        seconds(600).await;
        running.stop().await;
        assert_eq!(stage.counted("stream_gaps_total"), gaps, "{listings}");
        // That is kept: the next process counts it once where this one did not.
        stage.world().heal();
        let running = stage.start("TRIM_HORIZON", &[]);
        seconds(600).await;
        running.stop().await;
        assert_eq!(stage.counted("stream_gaps_total"), 1.0, "{listings}");
    }
}

#[tokio::test(start_paused = true)]
async fn being_away_for_longer_than_records_are_kept_is_a_gap_that_is_counted() {
    for (hours, gaps) in [(23, 0.0), (25, 1.0)] {
        let stage = stage(11);
        stage.put("k", 0..3);
        let running = stage.start("TRIM_HORIZON", &[]);
        stage.until_delivered(3).await;
        running.stop().await;
        stage.put("k", 3..6);
        tokio::time::sleep(Duration::from_hours(hours)).await;
        stage.put("k", 6..9);
        let running = stage.start("TRIM_HORIZON", &[]);
        let last = || stage.delivered().ends_with(&[6, 7, 8]);
        stage.until("the last", SOON, last).await;
        running.stop().await;
        assert_eq!(stage.counted("stream_gaps_total"), gaps, "{hours} h");
        assert_eq!(stage.delivered().len() == 9, gaps == 0.0);
        // Told once.
        let running = stage.start("TRIM_HORIZON", &[]);
        seconds(5).await;
        running.stop().await;
        assert_eq!(stage.counted("stream_gaps_total"), gaps, "{hours} h");
    }
}

#[tokio::test(start_paused = true)]
async fn being_away_for_that_long_before_the_first_record_was_read_is_a_gap_too() {
    let stage = stage(14);
    let running = stage.start("LATEST", &[]);
    seconds(5).await;
    running.stop().await;
    stage.put("k", 3..6);
    tokio::time::sleep(Duration::from_hours(25)).await;
    stage.put("k", 6..9);
    let running = stage.start("LATEST", &[]);
    stage.until_delivered(3).await;
    running.stop().await;
    assert_eq!(stage.delivered(), [6, 7, 8]);
    assert_eq!(stage.counted("stream_gaps_total"), 1.0);
}

async fn delete(stage: &StreamStage) {
    let client = stage.world().kinesis_client();
    let call = client.delete_stream().stream_name(STREAM);
    call.send().await.unwrap();
}

pub async fn make_anew(stage: &StreamStage, shards: u32) {
    delete(stage).await;
    let began = tokio::time::Instant::now();
    while stage.world().stream(STREAM).is_some() {
        seconds(1).await;
        assert!(began.elapsed() < SOON);
    }
    seconds(5).await;
    stage.world().create_stream(STREAM, shards).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_was_made_anew_stops_the_mapping_in_words_while_it_runs() {
    for (seed, resharded) in [(5, false), (6, true)] {
        let stage = stage(seed);
        stage.put("k", 0..3);
        let running = stage.start("TRIM_HORIZON", &[]);
        stage.until_delivered(3).await;
        if resharded {
            let shard = stage.shards()[0].id.clone();
            stage.world().split_shard(STREAM, &shard).unwrap();
            seconds(30).await;
        }
        make_anew(&stage, 2).await;
        stage.put_apart(50..60);
        let told = || {
            let reason = stage.status().reason.unwrap_or_default();
            reason.contains("deleted and made anew")
        };
        stage.until("told", Duration::from_secs(600), told).await;
        seconds(600).await;
        assert!(told());
        assert_eq!(stage.status().state, State::Failing);
        running.stop().await;
        assert_eq!(
            stage.delivered(),
            [0, 1, 2],
            "nothing of the other is delivered"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_was_made_anew_while_nobody_read_is_not_begun_silently() {
    let stage = stage(7);
    stage.put("k", 0..3);
    let running = stage.start("LATEST", &[]);
    seconds(5).await;
    stage.put("k", 3..6);
    stage.until_delivered(3).await;
    running.stop().await;
    make_anew(&stage, 1).await;
    stage.put("k", 6..9);
    let running = stage.start("LATEST", &[]);
    seconds(600).await;
    let status = stage.status();
    assert_eq!(status.state, State::Failing);
    let reason = status.reason.unwrap();
    assert!(reason.contains("give the mapping another UUID"), "{reason}");
    running.stop().await;
    assert_eq!(stage.delivered(), [3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_stream_is_told_and_waited_for() {
    let stage = stage(8);
    stage.put("k", 0..3);
    let running = stage.start("TRIM_HORIZON", &[]);
    stage.until_delivered(3).await;
    let client = stage.world().kinesis_client();
    client
        .delete_stream()
        .stream_name(STREAM)
        .send()
        .await
        .unwrap();
    seconds(120).await;
    let status = stage.status();
    assert_eq!(status.state, State::Failing);
    assert!(
        status
            .reason
            .is_some_and(|reason| reason.contains("failed to"))
    );
    let account = running.stop().await;
    assert_eq!(account.settled, 3);
}

#[tokio::test(start_paused = true)]
async fn rights_that_are_taken_away_are_told_and_their_return_is_noticed() {
    let stage = stage(9);
    let running = stage.start("TRIM_HORIZON", &[]);
    seconds(5).await;
    stage
        .world()
        .fault_chance(Some(GET_RECORDS), Fault::AccessDenied, 1.0);
    stage.put("k", 0..3);
    seconds(600).await;
    let reason = stage.status().reason.unwrap();
    assert!(reason.contains("failed to read"), "{reason}");
    stage.world().heal();
    stage.until_delivered(3).await;
    assert_eq!(stage.status().state, State::Enabled);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_age_of_the_oldest_record_rises_while_it_fails_and_falls_to_zero() {
    let stage = stage(10);
    stage.answers(fails_on(0));
    stage.put("k", 0..3);
    let running = stage.start("TRIM_HORIZON", &[]);
    let shard = stage.shards()[0].id.clone();
    let age = || stage.labelled("iterator_age_seconds", "shard", &shard);
    for minute in 1..=10 {
        seconds(60).await;
        let age = age();
        assert!(
            (age - f64::from(minute) * 60.0).abs() < 2.0,
            "{age} in minute {minute}"
        );
    }
    assert!(stage.labelled("shard_failures", "shard", &shard) > 5.0);
    stage.answers(|_| Reply::ok("{}"));
    seconds(65).await;
    assert_eq!(age(), 0.0);
    assert_eq!(stage.labelled("shard_failures", "shard", &shard), 0.0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_stands_still_for_longer_than_records_are_kept_counts_the_gap() {
    for (hours, gaps) in [(22, 0.0), (26, 1.0)] {
        let log = Log::begin();
        let stage = stage(12);
        let slow = FunctionConfig {
            timeout: Duration::from_secs(900),
            ..FunctionConfig::default()
        };
        stage.stage.function(slow, |_| {
            Reply::refused(429, "Rate Exceeded.").after(Duration::from_secs(850))
        });
        stage.put("k", 0..6);
        let running = stage.start("TRIM_HORIZON", &["BatchSize: 3"]);
        seconds(600).await;
        stage.put("k", 6..9);
        tokio::time::sleep(Duration::from_hours(hours)).await;
        stage.put("k", 9..12);
        stage.answers(|_| Reply::ok("{}"));
        seconds(960).await;
        running.stop().await;
        let delivered = stage.delivered();
        assert!(delivered.ends_with(&[9, 10, 11]), "{hours} h");
        assert_eq!(delivered.contains(&6), gaps == 0.0, "{hours} h");
        assert_eq!(stage.counted("stream_gaps_total"), gaps, "{hours} h");
        let told = log.lines("the shard was not read for longer");
        assert_eq!(told.len(), gaps as usize, "{told:?}");
        for told in told {
            let (_, still) = told.split_once("still_s=").expect("for how long");
            let hours = still.trim().parse::<f64>().expect("seconds") / 3_600.0;
            assert!((26.0..26.5).contains(&hours), "{told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_age_rises_while_the_shard_can_not_be_read() {
    for stage in StreamStage::both(13) {
        stage.answers(|_| Reply::ok("{}"));
        let (shard, read) = match stage.is_kinesis() {
            true => (stage.shards()[0].id.clone(), GET_RECORDS),
            false => (
                stage.world().table(super::TABLE).unwrap().shards[0]
                    .id
                    .clone(),
                Operation::StreamsGetRecords,
            ),
        };
        let age = || stage.labelled("iterator_age_seconds", "shard", &shard);
        let running = stage.start("TRIM_HORIZON", &[]);
        seconds(60).await;
        assert_eq!(age(), 0.0);
        stage
            .world()
            .fault_chance(Some(read), Fault::AccessDenied, 1.0);
        stage.put("k", 0..3);
        for minute in 1..=10 {
            seconds(60).await;
            let age = age();
            assert!(
                (age - f64::from(minute) * 60.0).abs() < 3.0,
                "{age} in minute {minute}"
            );
        }
        stage.world().heal();
        stage.until_delivered(3).await;
        seconds(2).await;
        assert_eq!(age(), 0.0);
        running.stop().await;
    }
}
