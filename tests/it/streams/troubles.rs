//! What an operator is told of a stream in trouble: at once, in words, and not a thousand times.

use std::time::Duration;

use serde_json::json;
use sluicegate::sim::kinesis::ShardView;
use sluicegate::sim::{Fault, FunctionConfig, Operation, Reply};
use sluicegate::status::State;

use super::reading::make_anew;
use super::{
    GET_RECORDS, LIST_SHARDS, SOON, STREAM, StreamStage, TABLE, fails_on, numbers, seconds,
};
use crate::support::log::Log;

fn stage(seed: u64) -> StreamStage {
    let stage = StreamStage::kinesis(seed, 1);
    stage.answers(|_| Reply::ok("{}"));
    stage
}

fn split(stage: &StreamStage, shard: usize) {
    stage.world().split_shard(STREAM, &name(shard)).unwrap();
}

fn name(shard: usize) -> String {
    format!("shardId-{shard:012}")
}

fn reason(stage: &StreamStage) -> String {
    stage.status().reason.unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_stream_made_anew_with_fewer_shards_is_a_loud_stop_and_no_gap() {
    let log = Log::begin();
    let stage = stage(1);
    stage.put("k", 0..3);
    let running = stage.start("TRIM_HORIZON", &[]);
    stage.until_delivered(3).await;
    split(&stage, 0);
    seconds(30).await;
    make_anew(&stage, 1).await;
    stage.put("k", 50..53);
    let made_anew = || log.has("the stream was deleted and made anew");
    stage.until("noticed", SOON, made_anew).await;
    seconds(1).await;
    assert!(log.has("the mapping does not run"), "it ends at once");
    seconds(600).await;
    assert!(reason(&stage).contains("deleted and made anew"));
    assert_eq!(stage.status().state, State::Failing);
    running.stop().await;
    assert_eq!(log.lines("the stream was deleted and made anew").len(), 1);
    for untrue in ["at work again", "lost"] {
        assert!(!log.has(untrue), "{:?}", log.lines(untrue));
    }
    assert_eq!(stage.counted("stream_gaps_total"), 0.0);
    assert_eq!(stage.delivered(), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_position_is_logged_in_words() {
    let log = Log::begin();
    let stage = stage(2);
    for _ in 0..2 {
        stage.put("k", 0..3);
        let running = stage.start("TRIM_HORIZON", &[]);
        seconds(5).await;
        running.stop().await;
    }
    let lines = log.lines("reads a shard");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("position=the oldest record that is left"));
    assert!(lines[1].contains("position=behind record 4"), "{lines:?}");
    assert!(!log.has("SequenceNumber("));
}

#[tokio::test(start_paused = true)]
async fn a_table_that_was_deleted_is_told_when_its_stream_is_read_to_the_end() {
    let log = Log::begin();
    let stage = StreamStage::dynamodb(3, 2);
    stage.answers(|_| Reply::ok("{}"));
    stage.put("k", 0..3);
    let running = stage.start("TRIM_HORIZON", &[]);
    stage.until_delivered(3).await;
    // Which is all that a deleted table leaves of it, too.
    stage.world().set_table_stream(TABLE, None).unwrap();
    let told = || reason(&stage).contains("the stream is disabled");
    stage.until("told", SOON, told).await;
    assert_eq!(stage.status().state, State::Failing);
    seconds(600).await;
    assert!(told());
    assert_eq!(log.lines("the stream is disabled").len(), 1);
    running.stop().await;
    assert!(!log.has("at work again"));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_switched_off_is_not_said_to_be_read_while_records_of_it_are_left() {
    let stage = StreamStage::dynamodb(21, 1);
    stage.answers(fails_on(0));
    stage.put("k", 0..3);
    let running = stage.start("TRIM_HORIZON", &[]);
    stage.until_delivered(3).await;
    let world = stage.world();
    world.set_table_stream(TABLE, None).unwrap();
    // Behind a look that failed, it is asked what the stream is good for.
    let describe = Operation::StreamsDescribeStream;
    world.fault_next(describe, Fault::Unavailable, 1);
    let began = tokio::time::Instant::now();
    while began.elapsed() < Duration::from_secs(120) {
        assert!(!reason(&stage).contains("the stream is disabled"));
        seconds(1).await;
    }
    assert_eq!(world.fault_counts()[&(describe, Fault::Unavailable)], 1);
    stage.answers(|_| Reply::ok("{}"));
    let told = || reason(&stage).contains("the stream is disabled");
    stage.until("told", 10 * SOON, told).await;
    running.stop().await;
    assert_eq!(stage.delivered().last(), Some(&2));
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_many_shards_is_logged_in_few_lines_and_its_end_once() {
    let log = Log::begin();
    let stage = StreamStage::kinesis(4, 40);
    stage.answers(|_| Reply::ok("{}"));
    let running = stage.start("TRIM_HORIZON", &[]);
    seconds(30).await;
    let world = stage.world();
    world.fault_chance(Some(GET_RECORDS), Fault::Unavailable, 1.0);
    seconds(600).await;
    assert!(reason(&stage).contains("37 more stand still"));
    let first = log.lines("a shard can not be read");
    assert!(
        first.len() == 1 && first[0].contains("delay_ms="),
        "{first:?}"
    );
    let still = log.lines("shards can still not be read");
    assert!((3..=5).contains(&still.len()), "{still:?}");
    assert!(still.iter().all(|line| line.contains("shards=40")));
    world.heal();
    seconds(120).await;
    let ended = log.lines("the shards can be read again");
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(stage.status().state, State::Enabled);
    assert_eq!(log.lines("WARN").len(), 1 + still.len());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_function_that_is_throttled_is_logged_in_few_lines_and_its_end_once() {
    let log = Log::begin();
    let stage = StreamStage::kinesis(5, 5);
    stage.answers(|_| Reply::refused(429, "Rate Exceeded."));
    stage.put_apart(0..50);
    let running = stage.start("TRIM_HORIZON", &[]);
    seconds(300).await;
    let told = log.lines("the function is throttled").len() + log.lines("still throttled").len();
    assert!((3..=5).contains(&told), "{told} lines");
    stage.answers(|_| Reply::ok("{}"));
    seconds(120).await;
    // The next to be invoked notices that it is over.
    stage.put("k", 50..51);
    seconds(5).await;
    assert_eq!(log.lines("the function is throttled no more").len(), 1);
    assert_eq!(log.lines("WARN"), Vec::<String>::new(), "it is usual");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_over_though_what_met_it_in_a_shard_is_given_up_by_then() {
    let log = Log::begin();
    let stage = StreamStage::kinesis(7, 2);
    stage.answers(|_| Reply::refused(429, "Rate Exceeded."));
    stage.put_apart(0..20);
    assert!(stage.shards().iter().all(|shard| !shard.records.is_empty()));
    let running = stage.start("TRIM_HORIZON", &["MaximumRecordAgeInSeconds: 60"]);
    seconds(120).await;
    let dropped = stage.labelled("events_dropped_total", "reason", "record_age_exceeded");
    assert_eq!(dropped, 20.0);
    stage.answers(|_| Reply::ok("{}"));
    seconds(30).await;
    // One of the shards is invoked with no more.
    stage.put("key-0", 50..51);
    stage.until_delivered(1).await;
    let over = || log.has("the function is throttled no more");
    stage.until("over", SOON, over).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_over_though_a_shard_that_met_it_is_gone() {
    let log = Log::begin();
    let stage = StreamStage::kinesis(11, 2);
    stage.answers(|_| Reply::ok("{}"));
    let running = stage.start("TRIM_HORIZON", &[]);
    seconds(5).await;
    split(&stage, 0);
    let world = stage.world();
    world.fault_chance(Some(GET_RECORDS), Fault::Unavailable, 1.0);
    tokio::time::sleep(Duration::from_hours(25)).await;
    assert!(log.lines("shards can still not be read").len() > 20);
    world.heal();
    let given_up = || log.has("the source does not know the shard any more");
    stage.until("given up", 5 * SOON, given_up).await;
    let over = || log.has("the shards can be read again");
    stage.until("over", SOON, over).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_iterator_that_expired_is_no_failed_read() {
    let log = Log::begin();
    let stage = stage(6);
    let running = stage.start("TRIM_HORIZON", &[]);
    seconds(5).await;
    let expired = Fault::IteratorExpired;
    stage.world().fault_next(GET_RECORDS, expired, 1);
    seconds(5).await;
    running.stop().await;
    assert_eq!(stage.world().fault_counts()[&(GET_RECORDS, expired)], 1);
    assert_eq!(log.lines("WARN"), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn the_discard_of_a_windows_end_is_told_as_that_and_counts_no_record() {
    let log = Log::begin();
    let stage = StreamStage::kinesis(8, 1);
    stage.answers(|invocation| match numbers(invocation).is_empty() {
        true => Reply::error("at the end"),
        false => Reply::ok(json!({ "state": {} }).to_string()),
    });
    stage.put("k", 1..3);
    let settings = ["TumblingWindowInSeconds: 10", "MaximumRetryAttempts: 0"];
    let running = stage.start("TRIM_HORIZON", &settings);
    seconds(11).await;
    stage.put("k", 3..4);
    seconds(5).await;
    running.stop().await;
    assert!(!log.has("records are discarded"));
    let told = log.lines("the final invocation of a window is discarded");
    assert_eq!(told.len(), 1);
    assert!(
        told[0].contains("window=\"2026-01-01T00:00:00.000Z\""),
        "{told:?}"
    );
    let dropped = |reason| stage.labelled("events_dropped_total", "reason", reason);
    assert_eq!(dropped("retry_attempts_exhausted"), 0.0);
    assert_eq!(stage.counted("windows_discarded_total"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn the_status_forgets_what_kept_records_that_are_too_old_by_now() {
    for refused in [true, false] {
        let stage = stage(9);
        stage.answers(|_| Reply::refused(429, "Rate Exceeded."));
        if !refused {
            let down = Some(Operation::Invoke);
            stage.world().fault_chance(down, Fault::Unavailable, 1.0);
        }
        stage.put("k", 0..3);
        let running = stage.start("TRIM_HORIZON", &["MaximumRecordAgeInSeconds: 60"]);
        seconds(30).await;
        let told = match refused {
            true => "the function is throttled",
            false => "failed to invoke",
        };
        assert!(reason(&stage).contains(told), "{:?}", stage.status());
        seconds(120).await;
        let status = stage.status();
        assert_eq!((status.state, status.reason), (State::Enabled, None));
        let dropped = stage.labelled("events_dropped_total", "reason", "record_age_exceeded");
        assert_eq!(dropped, 3.0);
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn children_that_are_known_do_not_wait_for_the_listings_of_a_shard_that_is_gone() {
    let stage = StreamStage::kinesis(10, 2);
    stage.put_apart(0..12);
    let children_of = |shard: usize| -> Vec<usize> {
        let shards = stage.shards();
        let is_child = |child: &&ShardView| child.parents.contains(&name(shard));
        let children = shards.iter().filter(is_child);
        let number = |child: &ShardView| child.id["shardId-".len()..].parse().unwrap();
        children.map(number).collect()
    };
    let held = |shard: usize| -> Vec<u32> {
        let shards = stage.shards();
        let held = shards.iter().find(|of| of.id == name(shard));
        let records = &held.unwrap().records;
        let number = |data: &[u8]| std::str::from_utf8(data).unwrap().parse().unwrap();
        records.iter().map(|record| number(&record.data)).collect()
    };
    let (gone, well) = (held(0), held(1));
    stage.answers(fails_on(gone[0]));
    let running = stage.start("TRIM_HORIZON", &["BatchSize: 1"]);
    seconds(10).await;
    running.stop().await;
    assert!(well.iter().all(|number| stage.delivered().contains(number)));
    split(&stage, 0);
    tokio::time::sleep(Duration::from_hours(25)).await;
    stage.put_apart(20..60);
    let late = held(1);
    split(&stage, 1);
    let slow = FunctionConfig {
        timeout: Duration::from_secs(900),
        ..FunctionConfig::default()
    };
    let waits = late.clone();
    stage.stage.function(slow, move |invocation| {
        let waits = numbers(invocation)
            .iter()
            .any(|number| waits.contains(number));
        Reply::ok("{}").after(Duration::from_secs(if waits { 400 } else { 0 }))
    });
    stage.put_apart(60..100);
    // The shard is given up only after listings that do not come.
    let down = std::iter::repeat_n(Some(Fault::Unavailable), 10_000);
    let script = [None, None, None].into_iter().chain(down);
    stage.world().fault_script(LIST_SHARDS, script);
    let running = stage.start("TRIM_HORIZON", &[]);
    seconds(600).await;
    let delivered = stage.delivered();
    assert!(late.iter().all(|number| delivered.contains(number)));
    let children: Vec<u32> = children_of(1).into_iter().flat_map(held).collect();
    assert!(children.len() > 10);
    assert!(children.iter().all(|number| delivered.contains(number)));
    assert!(reason(&stage).contains("failed to list the shards"));
    // The other was away for too long, too.
    assert_eq!(stage.counted("stream_gaps_total"), 1.0);
    stage.world().heal();
    let given_up = || stage.counted("stream_gaps_total") == 2.0;
    stage
        .until("given up", Duration::from_secs(300), given_up)
        .await;
    seconds(60).await;
    assert_eq!(stage.status().state, State::Enabled);
    running.stop().await;
}

/// A function that takes so long, of the time that it may take.
fn takes(stage: &StreamStage, seconds: u64, at_most: u64) {
    let config = FunctionConfig {
        timeout: Duration::from_secs(at_most),
        ..FunctionConfig::default()
    };
    let takes = Duration::from_secs(seconds);
    stage
        .stage
        .function(config, move |_| Reply::ok("{}").after(takes));
}

#[tokio::test(start_paused = true)]
async fn terms_are_told_when_they_change_and_not_when_they_are_looked_at() {
    let log = Log::begin();
    let stage = stage(22);
    takes(&stage, 0, 3);
    let running = stage.start("TRIM_HORIZON", &[]);
    seconds(1_000).await;
    assert!(!log.has("the terms changed"));
    takes(&stage, 0, 60);
    seconds(1_000).await;
    let told = log.lines("the terms changed");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("timeout_s=60"), "{told:?}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_function_whose_time_out_was_raised_since_the_last_look_is_awaited() {
    let stage = stage(23);
    takes(&stage, 0, 3);
    let running = stage.start("TRIM_HORIZON", &[]);
    seconds(1).await;
    takes(&stage, 240, 250);
    stage.put("k", 0..1);
    seconds(280).await;
    running.stop().await;
    assert_eq!(stage.calls(), [[0]]);
}
