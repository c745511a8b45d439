//! Filters, and records that the Kinesis Producer Library packed into one. // spec: 7, 2.2

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use sluicegate::sim::{FunctionConfig, Invocation, Reply};

use super::{SOON, STREAM, StreamStage, event, names, numbers, seconds, sequence_number};

const KEEP: &str = r#"FilterCriteria: { Filters: [ { Pattern: '{"partitionKey":["keep"]}' } ] }"#;
const KPL: &str = "Extensions: { DeaggregateKpl: true }";
const REPORTS: &str = "FunctionResponseTypes: [ReportBatchItemFailures]";

#[tokio::test(start_paused = true)]
async fn what_matches_no_filter_joins_no_batch() {
    let stage = StreamStage::kinesis(1, 1);
    stage.answers(|_| Reply::ok("{}"));
    for number in 0..20 {
        let key = if number % 3 == 0 { "keep" } else { "drop" };
        stage.put(key, number..number + 1);
    }
    let running = stage.start("TRIM_HORIZON", &[KEEP, "BatchSize: 4"]);
    stage.until_delivered(7).await;
    running.stop().await;
    let calls: [&[u32]; 2] = [&[0, 3, 6, 9], &[12, 15, 18]];
    assert_eq!(stage.calls(), calls);
    assert_eq!(stage.counted("events_polled_total"), 20.0);
    assert_eq!(stage.counted("events_filtered_out_total"), 13.0);
    assert_eq!(stage.counted("events_invoked_total"), 7.0);
}

#[tokio::test(start_paused = true)]
async fn dropped_records_move_the_position_and_a_crash_does_not_move_it_back() {
    for stage in StreamStage::both(2) {
        stage.answers(|_| Reply::ok("{}"));
        stage.put("drop", 0..500);
        let pattern = match stage.is_kinesis() {
            true => KEEP,
            false => r#"FilterCriteria: { Filters: [ { Pattern: '{"eventName":["REMOVE"]}' } ] }"#,
        };
        let running = stage.start("TRIM_HORIZON", &[pattern]);
        seconds(5).await;
        drop(running);
        seconds(1).await;
        let running = stage.start("TRIM_HORIZON", &[pattern]);
        seconds(5).await;
        running.stop().await;
        assert_eq!(stage.counted("events_polled_total"), 500.0);
        assert_eq!(stage.counted("events_filtered_out_total"), 500.0);
        assert_eq!(stage.calls(), Vec::<Vec<u32>>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_position_that_dropped_records_move_is_kept_once_a_second_and_no_more() {
    let stage = StreamStage::kinesis(41, 1);
    stage.answers(|_| Reply::ok("{}"));
    let running = stage.start("TRIM_HORIZON", &[KEEP]);
    seconds(5).await;
    let kept = || stage.labelled("checkpoint_commits_total", "outcome", "success");
    stage.put("drop", 0..1);
    seconds(3).await;
    let before = kept();
    for number in 1..301 {
        stage.put("drop", number..number + 1);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let kept = kept() - before;
    assert!((40.0..=61.0).contains(&kept), "{kept}");
    running.stop().await;
    assert_eq!(stage.counted("events_filtered_out_total"), 301.0);
}

/// A record as the library packs it.
fn packed(inner: &[(&str, Vec<u8>)]) -> Vec<u8> {
    fn field(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
        out.push(tag << 3 | 2);
        let mut length = bytes.len();
        while length >= 128 {
            out.push((length % 128) as u8 | 128);
            length /= 128;
        }
        out.push(length as u8);
        out.extend(bytes);
    }
    let mut keys: Vec<&str> = inner.iter().map(|(key, _)| *key).collect();
    keys.dedup();
    let mut message = Vec::new();
    for key in &keys {
        field(&mut message, 1, key.as_bytes());
    }
    for (key, data) in inner {
        let index = keys.iter().position(|other| other == key).unwrap();
        let mut record = vec![1 << 3, index as u8];
        field(&mut record, 3, data);
        field(&mut message, 3, &record);
    }
    let digest = Md5::digest(&message);
    [&[0xf3, 0x89, 0x9a, 0xc2][..], &message, &digest[..]].concat()
}

fn put_packed(stage: &StreamStage, numbers: std::ops::Range<u32>) {
    let inner: Vec<(&str, Vec<u8>)> = numbers
        .map(|number| ("k", number.to_string().into_bytes()))
        .collect();
    stage
        .world()
        .put_record(STREAM, "k", packed(&inner))
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_aggregate_is_delivered_as_its_records() {
    let stage = StreamStage::kinesis(3, 1);
    stage.answers(|_| Reply::ok("{}"));
    stage.put("k", 0..1);
    put_packed(&stage, 1..6);
    stage.put("k", 6..7);
    let running = stage.start("TRIM_HORIZON", &[KPL, "BatchSize: 2"]);
    stage.until_delivered(7).await;
    let account = running.stop().await;
    let calls: [&[u32]; 4] = [&[0, 1], &[2, 3], &[4, 5], &[6]];
    assert_eq!(stage.calls(), calls);
    assert_eq!(account.settled, 7);
    // They share the place of their aggregate.
    let invocations = stage.stage.invocations();
    assert_eq!(
        sequence_number(&invocations[0], 1),
        sequence_number(&invocations[2], 1)
    );
}

#[tokio::test(start_paused = true)]
async fn without_the_setting_an_aggregate_is_one_record_as_on_aws() {
    let stage = StreamStage::kinesis(4, 1);
    stage
        .stage
        .function(Default::default(), |_| Reply::ok("{}"));
    let data = packed(&[("k", b"1".to_vec()), ("k", b"2".to_vec())]);
    stage.world().put_record(STREAM, "k", data.clone()).unwrap();
    let running = stage.start("TRIM_HORIZON", &[]);
    let invoked = || !stage.stage.invocations().is_empty();
    stage.until("invoked", SOON, invoked).await;
    running.stop().await;
    let record = &event(&stage.stage.invocations()[0])["Records"][0];
    assert_eq!(record["kinesis"]["data"], STANDARD.encode(&data).as_str());
}

#[tokio::test(start_paused = true)]
async fn a_partial_failure_inside_of_an_aggregate_repeats_it_from_its_first_record() {
    let stage = StreamStage::kinesis(5, 1);
    stage.answers(|invocation: &Invocation| match invocation.number {
        1 => names(3)(invocation),
        _ => Reply::ok("{}"),
    });
    stage.put("k", 0..1);
    put_packed(&stage, 1..5);
    stage.put("k", 5..6);
    let running = stage.start("TRIM_HORIZON", &[KPL, REPORTS]);
    stage.until_delivered(11).await;
    let account = running.stop().await;
    let calls: [&[u32]; 2] = [&[0, 1, 2, 3, 4, 5], &[1, 2, 3, 4, 5]];
    assert_eq!(stage.calls(), calls);
    assert_eq!(account.settled, 6);
}

#[tokio::test(start_paused = true)]
async fn an_aggregate_that_expands_beyond_an_event_makes_several() {
    let stage = StreamStage::kinesis(6, 1);
    stage.answers(|_| Reply::ok("{}"));
    put_packed(&stage, 0..20_000);
    let running = stage.start("TRIM_HORIZON", &[KPL, "BatchSize: 10000"]);
    stage.until_delivered(20_000).await;
    running.stop().await;
    assert_eq!(stage.delivered(), (0..20_000).collect::<Vec<_>>());
    for invocation in stage.stage.invocations() {
        assert!(invocation.event.len() <= 6 * 1024 * 1024);
        assert!(numbers(&invocation).len() <= 10_000);
    }
}

// They are a small part of what they are written as: two events' worth waits, beside the one that is on its way.
#[tokio::test(start_paused = true)]
async fn what_aggregates_expand_to_is_written_when_there_is_room_for_it() {
    const MINUTE: Duration = Duration::from_secs(60);
    let stage = StreamStage::kinesis(43, 1);
    stage.takes_at_first(MINUTE);
    for from in [0, 15_000, 30_000] {
        put_packed(&stage, from..from + 15_000);
    }
    // That one was looked at shows by its being dropped.
    stage.put("drop", 45_000..45_001);
    let pattern = KEEP.replace("keep", "k");
    let running = stage.start("TRIM_HORIZON", &[KPL, "BatchSize: 10000", &pattern]);
    let dropped = || stage.counted("events_filtered_out_total");
    seconds(30).await;
    assert_eq!((stage.stage.invocations().len(), dropped()), (1, 0.0));
    stage
        .until("dropped", 2 * MINUTE, || dropped() == 1.0)
        .await;
    seconds(5).await;
    running.stop().await;
    assert_eq!(stage.delivered(), (0..45_000).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn one_bad_record_of_an_aggregate_is_found_by_bisection() {
    let stage = StreamStage::kinesis(7, 1);
    stage.answers(super::fails_on(3));
    put_packed(&stage, 0..8);
    let settings = [
        KPL,
        "BisectBatchOnFunctionError: true",
        "MaximumRetryAttempts: 1",
    ];
    let running = stage.start_failing_to_queue(&settings);
    stage
        .until("discarded", SOON, || !stage.failed().is_empty())
        .await;
    seconds(5).await;
    let account = running.stop().await;
    assert_eq!((account.settled, account.discarded), (8, 1));
    assert_eq!(stage.failed()[0]["KinesisBatchInfo"]["batchSize"], 1);
    let calls = stage.calls();
    assert_eq!(calls.iter().filter(|call| **call == [3]).count(), 2);
    assert_eq!(calls.last().unwrap(), &[4, 5, 6, 7]);
}

#[tokio::test(start_paused = true)]
async fn an_aggregate_goes_on_after_a_restart_and_loses_nothing() {
    let stage = StreamStage::kinesis(8, 1);
    stage.answers(super::fails_on(5));
    put_packed(&stage, 0..4);
    put_packed(&stage, 4..8);
    put_packed(&stage, 8..12);
    let settings = [KPL, "BatchSize: 2"];
    let running = stage.start("TRIM_HORIZON", &settings);
    seconds(20).await;
    running.stop().await;
    let before = stage.calls().len();
    stage.answers(|_| Reply::ok("{}"));
    let running = stage.start("TRIM_HORIZON", &settings);
    let last = || stage.calls().last().is_some_and(|call| call.contains(&11));
    stage.until("the last record", SOON, last).await;
    running.stop().await;
    let after = stage.calls()[before..].concat();
    assert_eq!(after, (4..12).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_restart_within_an_aggregate_repeats_nothing_and_resets_no_limit() {
    let stage = StreamStage::kinesis(9, 1);
    stage.answers(super::fails_on(2));
    put_packed(&stage, 0..5);
    let settings = [
        KPL,
        "BatchSize: 2",
        "BisectBatchOnFunctionError: true",
        "MaximumRetryAttempts: 4",
    ];
    let mut running = stage.start_failing_to_queue(&settings);
    let failed = |count: usize| {
        let calls = stage.calls();
        calls.iter().filter(|call| **call == [2]).count() == count
    };
    stage.until("two failures", SOON, || failed(2)).await;
    running.stop().await;
    running = stage.start_failing_to_queue(&settings);
    stage.until("three failures", SOON, || failed(3)).await;
    // Killed in a wait, and started again.
    seconds(1).await;
    drop(running);
    running = stage.start_failing_to_queue(&settings);
    let last = || stage.calls().last().is_some_and(|call| *call == [4]);
    stage.until("the last record", SOON, last).await;
    running.stop().await;
    let calls: [&[u32]; 9] = [&[0, 1], &[2, 3], &[2], &[2], &[2], &[2], &[2], &[3], &[4]];
    assert_eq!(stage.calls(), calls);
    assert_eq!(stage.failed().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_aggregate_that_is_taken_apart_no_longer_is_repeated_whole() {
    let stage = StreamStage::kinesis(10, 1);
    stage.answers(super::fails_on(2));
    put_packed(&stage, 0..4);
    let running = stage.start("TRIM_HORIZON", &[KPL, "BatchSize: 2"]);
    let failed = || stage.calls().contains(&vec![2, 3]);
    stage.until("a failure", SOON, failed).await;
    running.stop().await;
    let before = stage.stage.invocations().len();
    stage.answers(|_| Reply::ok("{}"));
    let running = stage.start("TRIM_HORIZON", &["BatchSize: 2"]);
    let whole = || stage.stage.invocations().len() > before;
    stage.until("the whole aggregate", SOON, whole).await;
    running.stop().await;
    let invocations = stage.stage.invocations();
    assert_eq!(invocations.len(), before + 1);
    let records = &event(&invocations[before])["Records"];
    assert_eq!(records.as_array().unwrap().len(), 1);
    let data = records[0]["kinesis"]["data"].as_str().unwrap();
    let data = STANDARD.decode(data).unwrap();
    assert!(data.starts_with(&[0xF3, 0x89, 0x9A, 0xC2]), "{data:?}");
}

#[tokio::test(start_paused = true)]
async fn aggregates_that_are_longer_than_two_events_when_taken_apart_are_delivered_whole_and_in_order()
 {
    let stage = StreamStage::kinesis(9, 1);
    stage.stage.function(FunctionConfig::default(), |_| {
        Reply::ok("{}").after(Duration::from_secs(2))
    });
    // Each is 100 KB, and 3 MB when it is written.
    for first in (0..30_000).step_by(5_000) {
        let inner: Vec<(&str, Vec<u8>)> = (first..first + 5_000_u32)
            .map(|number| ("k", number.to_string().into_bytes()))
            .collect();
        let data = packed(&inner);
        stage.world().put_record(STREAM, "k", data).unwrap();
    }
    let running = stage.start("TRIM_HORIZON", &[KPL, "BatchSize: 10000"]);
    seconds(60).await;
    let account = running.stop().await;
    assert_eq!(stage.delivered(), (0..30_000).collect::<Vec<_>>());
    assert_eq!((account.settled, account.discarded), (30_000, 0));
}
