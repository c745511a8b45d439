//! Reads that bring more than an event takes, and what is read beside a large one. // spec: 5.1, 5.2

use std::time::Duration;

use serde_json::json;
use sluicegate::aws::stream::ReadBounds;
use sluicegate::sim::{Event, Fault, FunctionConfig, Reply};
use tokio::time::Instant;

use super::{GET_RECORDS, GET_SHARD_ITERATOR, STREAM, StreamStage, TABLE, fails_on, seconds};

/// The counts of records that reads brought, empty ones aside.
fn reads(stage: &StreamStage) -> Vec<usize> {
    let history = stage.world().history();
    let brought = history.iter().filter_map(|entry| match &entry.event {
        Event::RecordsRead { count, .. } if *count > 0 => Some(*count),
        _ => None,
    });
    brought.collect()
}

/// Puts records of so many bytes that begin with their numbers.
fn put(stage: &StreamStage, key: &str, numbers: std::ops::Range<u32>, bytes: usize) {
    for number in numbers {
        let data = format!("{number} {}", "x".repeat(bytes - 4));
        stage.world().put_record(STREAM, key, data).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn records_beyond_an_event_are_read_once_more_and_then_no_more_than_fit() {
    let stage = StreamStage::kinesis(1, 1);
    stage.answers(|_| Reply::ok("{}"));
    // Six make an event, fourteen an answer.
    put(&stage, "k", 0..40, 700_000);
    let running = stage.start("TRIM_HORIZON", &[]);
    stage.until_delivered(40).await;
    put(&stage, "k", 40..400, 10);
    stage.until_delivered(400).await;
    let account = running.stop().await;
    assert_eq!(stage.delivered(), (0..400).collect::<Vec<_>>());
    assert_eq!((account.settled, account.discarded), (400, 0));
    assert_eq!(stage.counted("events_polled_total"), 400.0);
    assert_eq!(stage.counted("stream_gaps_total"), 0.0);
    let reads = reads(&stage);
    assert_eq!(reads[..7], [14, 6, 6, 6, 6, 6, 4]);
    // It asks for more again, each time twice as many.
    assert_eq!(reads[7..], [6, 12, 24, 48, 96, 174]);
    // What was dropped is paid for: the source has refused nothing.
    let told = stage.stage.metrics.encode();
    let of_reads = "sluicegate_source_requests_total{mapping=\"m\",operation=\"GetRecords\"";
    let failed = told
        .lines()
        .filter(|line| line.starts_with(of_reads) && !line.contains("success"));
    for line in failed {
        assert!(line.ends_with(" 0"), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_read_dropped_is_as_old_as_the_last_that_it_kept() {
    let stage = StreamStage::kinesis(11, 1);
    stage.answers(|_| Reply::ok("{}"));
    put(&stage, "k", 0..8, 700_000);
    seconds(100).await;
    let running = stage.start("TRIM_HORIZON", &[]);
    stage.until_delivered(6).await;
    let shard = stage.shards()[0].id.clone();
    let age = || stage.labelled("iterator_age_seconds", "shard", &shard);
    // What was delivered is settled, and the shard is not asked again so soon after so much.
    seconds(1).await;
    assert_eq!(reads(&stage), [8]);
    assert!((100.0..110.0).contains(&age()), "{}", age());
    stage.until_delivered(8).await;
    seconds(1).await;
    assert_eq!(age(), 0.0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_shard_is_reached_when_its_last_record_is_kept() {
    let mut stage = StreamStage::kinesis(2, 1);
    stage.stage.reads = Some(ReadBounds {
        keep_bytes_max: 1_500,
    });
    stage.answers(|_| Reply::ok(r#"{"state":{}}"#));
    stage.put("k", 0..25);
    let shard = stage.shards()[0].id.clone();
    stage.world().split_shard(STREAM, &shard).unwrap();
    stage.put("k", 25..50);
    let running = stage.start("TRIM_HORIZON", &["TumblingWindowInSeconds: 900"]);
    seconds(120).await;
    // Nothing but the shard's end ends its window so soon.
    let ends = |invocation: &sluicegate::sim::Invocation| {
        super::event(invocation)["isFinalInvokeForWindow"] == true
    };
    let ended = stage
        .stage
        .invocations()
        .iter()
        .filter(|call| ends(call))
        .count();
    let account = running.stop().await;
    assert_eq!(stage.delivered().len(), account.settled as usize);
    assert_eq!(stage.delivered(), (0..50).collect::<Vec<_>>());
    assert_eq!(ended, 1);
    assert_eq!(stage.counted("stream_gaps_total"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn no_fault_loses_repeats_or_reorders_what_is_read_in_pieces() {
    for fault in [
        Fault::IteratorExpired,
        Fault::ReadThrottled,
        Fault::EmptyRead,
        Fault::InternalError,
        Fault::ResetAfter,
        Fault::TruncatedBody,
        Fault::StalledBody,
        Fault::MalformedJson,
        Fault::InvalidUtf8,
    ] {
        for call in [GET_RECORDS, GET_SHARD_ITERATOR] {
            if !fault.fits(call) {
                continue;
            }
            let mut stage = StreamStage::kinesis(3, 1);
            stage.stage.reads = Some(ReadBounds {
                keep_bytes_max: 2_000,
            });
            stage.answers(|_| Reply::ok("{}"));
            stage.world().fault_chance(Some(call), fault, 0.4);
            stage.put("k", 0..40);
            let running = stage.start("TRIM_HORIZON", &[]);
            let all = || stage.delivered().len() >= 40;
            stage.until("all", Duration::from_secs(900), all).await;
            seconds(5).await;
            running.stop().await;
            assert_eq!(stage.delivered(), (0..40).collect::<Vec<_>>(), "{fault:?}");
            assert_eq!(stage.counted("stream_gaps_total"), 0.0, "{fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_event_is_alone_and_a_small_one_has_the_next_beside_it() {
    for (bytes, beside) in [(700_000, false), (1_000, true)] {
        let stage = StreamStage::kinesis(4, 1);
        let long = Duration::from_secs(60);
        let config = FunctionConfig {
            timeout: long * 2,
            ..FunctionConfig::default()
        };
        stage
            .stage
            .function(config, move |_| Reply::ok("{}").after(long));
        put(&stage, "k", 0..6, bytes);
        let running = stage.start("TRIM_HORIZON", &[]);
        seconds(10).await;
        put(&stage, "k", 6..12, bytes);
        seconds(30).await;
        assert_eq!(stage.calls().len(), 1, "{bytes}");
        assert_eq!(reads(&stage).len() > 1, beside, "{bytes}");
        let began = Instant::now();
        let all = || stage.calls().len() == 2;
        stage.until("the next", long, all).await;
        // The next read is due at once.
        assert!(began.elapsed() < Duration::from_secs(22), "{bytes}");
        seconds(70).await;
        running.stop().await;
        assert_eq!(stage.calls(), [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]);
    }
}

/// A read of a table's stream brings a mebibyte at most.
#[tokio::test(start_paused = true)]
async fn a_tables_stream_is_read_beside_a_large_event() {
    let stage = StreamStage::dynamodb(12, 1);
    stage.takes_at_first(Duration::from_secs(60));
    let put = |numbers: std::ops::Range<u32>| {
        for number in numbers {
            let item = json!({
                "id": { "S": format!("key {number}") },
                "n": { "N": number.to_string() },
                "more": { "S": "x".repeat(390_000) },
            });
            stage.world().put_item(TABLE, &item).unwrap();
        }
    };
    put(0..6);
    let settings = ["BatchSize: 3", "MaximumBatchingWindowInSeconds: 5"];
    let running = stage.start("TRIM_HORIZON", &settings);
    seconds(20).await;
    put(6..9);
    seconds(20).await;
    assert_eq!(stage.calls(), [[0, 1, 2]]);
    assert_eq!(stage.counted("events_polled_total"), 6.0);
    stage.until_delivered(9).await;
    seconds(5).await;
    running.stop().await;
    assert_eq!(stage.delivered(), (0..9).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_large_event_that_fails_for_ever_does_not_hold_up_the_lanes_beside_it() {
    let stage = StreamStage::kinesis(5, 1);
    stage.answers(fails_on(0));
    put(&stage, "k0", 0..6, 700_000);
    let running = stage.start("TRIM_HORIZON", &["ParallelizationFactor: 2"]);
    seconds(30).await;
    // Some of these keys are in the other lane, whatever comes of those that are not.
    for number in 6..26 {
        put(
            &stage,
            &format!("key {number}"),
            number..number + 1,
            100_000,
        );
        seconds(2).await;
    }
    let delivered = stage.delivered();
    let others = (6..26).filter(|number| delivered.contains(number)).count();
    assert!(others > 3, "{others}");
    // Nor do those that wait behind it: two lanes may have two events' worth.
    assert_eq!(stage.counted("events_polled_total"), 26.0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_batching_window_is_filled_by_several_large_reads() {
    let stage = StreamStage::kinesis(6, 1);
    stage.answers(|_| Reply::ok("{}"));
    put(&stage, "k", 0..3, 700_000);
    let running = stage.start("TRIM_HORIZON", &["MaximumBatchingWindowInSeconds: 30"]);
    seconds(10).await;
    put(&stage, "k", 3..8, 700_000);
    stage.until_delivered(6).await;
    assert_eq!(stage.calls(), [[0, 1, 2, 3, 4, 5]]);
    stage.until_delivered(8).await;
    running.stop().await;
    assert_eq!(stage.calls().concat(), (0..8).collect::<Vec<_>>());
}
