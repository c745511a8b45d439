//! Drains, crashes, other owners, a store that breaks: what is half done is gone on with exactly. // reliability: 3

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use sluicegate::checkpoint::{Owner, Store};
use sluicegate::sim::{Fault, FunctionConfig, Operation, Reply};
use sluicegate::status::State;

use super::{FAILED, SOON, StreamStage, fails_on, names, numbers, seconds};
use crate::support::log::Log;

const REPORTS: &str = "FunctionResponseTypes: [ReportBatchItemFailures]";
const BISECT: &str = "BisectBatchOnFunctionError: true";

fn stage(seed: u64) -> StreamStage {
    let stage = StreamStage::kinesis(seed, 1);
    stage.answers(|_| Reply::ok("{}"));
    stage
}

#[tokio::test(start_paused = true)]
async fn a_drain_while_an_invocation_runs_waits_for_it_and_nothing_is_repeated() {
    let stage = StreamStage::kinesis(1, 1);
    let config = FunctionConfig {
        timeout: Duration::from_secs(60),
        ..FunctionConfig::default()
    };
    stage
        .stage
        .function(config, |_| Reply::ok("{}").after(Duration::from_secs(10)));
    stage.put("k", 0..20);
    let running = stage.start("TRIM_HORIZON", &["BatchSize: 10"]);
    seconds(3).await;
    let began = tokio::time::Instant::now();
    let account = running.stop().await;
    assert!(
        began.elapsed() > Duration::from_secs(6),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(account.settled, 10);
    let running = stage.start("TRIM_HORIZON", &["BatchSize: 10"]);
    stage.until_delivered(20).await;
    running.stop().await;
    assert_eq!(stage.delivered(), (0..20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_drain_during_a_backoff_ends_at_once_and_the_counts_survive() {
    let stage = StreamStage::kinesis(2, 1);
    stage.answers(fails_on(0));
    stage.put("k", 0..2);
    let running = stage.start_failing_to_queue(&["MaximumRetryAttempts: 8"]);
    stage
        .until("six", Duration::from_secs(200), || stage.calls().len() == 6)
        .await;
    seconds(1).await;
    let began = tokio::time::Instant::now();
    running.stop().await;
    assert!(began.elapsed() < Duration::from_secs(1));
    let running = stage.start_failing_to_queue(&["MaximumRetryAttempts: 8"]);
    let gone = || !stage.failed().is_empty();
    stage
        .until("discarded", Duration::from_secs(600), gone)
        .await;
    running.stop().await;
    assert_eq!(stage.calls(), [[0, 1]; 9]);
    assert_eq!(
        stage.failed()[0]["requestContext"]["approximateInvokeCount"],
        9
    );
}

// What an operator reads of the restart above: that a batch goes on which failed before it.
#[tokio::test(start_paused = true)]
async fn a_batch_that_failed_before_a_restart_is_told_of_and_no_other() {
    const TOLD: &str = "goes on with a batch that failed before the restart";
    let stage = StreamStage::kinesis(6, 1);
    stage.answers(fails_on(0));
    stage.put("k", 0..2);
    let log = Log::begin();
    let running = stage.start("TRIM_HORIZON", &[]);
    stage.until("two", SOON, || stage.calls().len() == 2).await;
    seconds(1).await;
    running.stop().await;
    assert!(!log.has(TOLD), "{:?}", log.lines(TOLD));
    let running = stage.start("TRIM_HORIZON", &[]);
    stage
        .until("a third", SOON, || 2 < stage.calls().len())
        .await;
    running.stop().await;
    let told = log.lines(TOLD);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("slices=1 failures=2"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_drain_while_a_batching_window_is_open_leaves_its_records_to_the_stream() {
    let stage = stage(3);
    let window = ["MaximumBatchingWindowInSeconds: 60"];
    let running = stage.start("TRIM_HORIZON", &window);
    stage.put("k", 0..5);
    seconds(20).await;
    let began = tokio::time::Instant::now();
    let account = running.stop().await;
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(account.settled, 0);
    let running = stage.start("TRIM_HORIZON", &window);
    seconds(70).await;
    running.stop().await;
    assert_eq!(stage.calls(), [[0, 1, 2, 3, 4]]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_while_the_destination_is_down_ends_at_once_and_the_discard_is_told_later() {
    let stage = StreamStage::kinesis(4, 1);
    stage.answers(fails_on(0));
    stage.put("k", 0..2);
    let down = Some(Operation::SendMessage);
    stage.world().fault_chance(down, Fault::Unavailable, 1.0);
    let settings = ["MaximumRetryAttempts: 1"];
    let running = stage.start_failing_to_queue(&settings);
    seconds(60).await;
    let began = tokio::time::Instant::now();
    let account = running.stop().await;
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!((account.settled, account.discarded), (0, 0));
    stage.world().heal();
    let running = stage.start_failing_to_queue(&settings);
    stage
        .until("told", SOON, || !stage.failed().is_empty())
        .await;
    seconds(5).await;
    let account = running.stop().await;
    assert_eq!(stage.calls().len(), 2, "it is not invoked again");
    assert_eq!(
        stage.failed()[0]["requestContext"]["approximateInvokeCount"],
        2
    );
    // It says what the last invocation was, though another process made it.
    let last = stage.stage.invocations().remove(1);
    assert_eq!(
        stage.failed()[0]["requestContext"]["requestId"],
        last.request_id
    );
    assert_eq!(
        stage.failed()[0]["responseContext"]["functionError"],
        "Unhandled"
    );
    assert_eq!((account.settled, account.discarded), (2, 2));
    assert_eq!(stage.stage.left(FAILED), 1);
}

#[tokio::test(start_paused = true)]
async fn a_drain_while_the_function_is_throttled_ends_at_once() {
    let stage = StreamStage::kinesis(5, 1);
    stage.answers(|_| Reply::refused(429, "Rate Exceeded."));
    stage.put("k", 0..2);
    let running = stage.start("TRIM_HORIZON", &[]);
    seconds(100).await;
    let began = tokio::time::Instant::now();
    running.stop().await;
    assert!(began.elapsed() < Duration::from_secs(1));
    stage.answers(|_| Reply::ok("{}"));
    let before = stage.calls().len();
    let running = stage.start("TRIM_HORIZON", &[]);
    seconds(5).await;
    running.stop().await;
    assert_eq!(stage.calls()[before..], [[0, 1]]);
}

/// However often the service dies in the midst of a bisection, the calls are those of an undisturbed run, but for the one
/// that ran at that moment.
#[tokio::test(start_paused = true)]
async fn a_bisection_goes_on_where_a_crash_left_it() {
    let settings = [BISECT, "MaximumRetryAttempts: 2"];
    let undisturbed = {
        let stage = StreamStage::kinesis(6, 1);
        stage.answers(fails_on(11));
        stage.put("k", 0..16);
        let running = stage.start_failing_to_queue(&settings);
        seconds(60).await;
        running.stop().await;
        stage.calls()
    };
    for moment in (200..6_000).step_by(370) {
        let stage = StreamStage::kinesis(6, 1);
        let slow = |invocation: &_| fails_on(11)(invocation).after(Duration::from_millis(200));
        stage.answers(slow);
        stage.put("k", 0..16);
        let running = stage.start_failing_to_queue(&settings);
        tokio::time::sleep(Duration::from_millis(moment)).await;
        drop(running);
        seconds(1).await;
        let running = stage.start_failing_to_queue(&settings);
        seconds(60).await;
        running.stop().await;
        let mut calls = stage.calls();
        calls.dedup();
        let mut expected = undisturbed.clone();
        expected.dedup();
        assert_eq!(calls, expected, "a crash after {moment} ms");
        let extra = stage.calls().len() - undisturbed.len();
        assert!(extra <= 1, "{extra} calls more, after {moment} ms");
        assert_eq!(stage.stage.left(FAILED), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn progress_of_a_partial_answer_survives_a_crash() {
    let stage = StreamStage::kinesis(7, 1);
    stage.answers(names(3));
    stage.put("k", 0..6);
    let settings = [REPORTS, "MaximumRetryAttempts: 5"];
    let running = stage.start("TRIM_HORIZON", &settings);
    stage
        .until("three", SOON, || stage.calls().len() == 3)
        .await;
    drop(running);
    seconds(1).await;
    let running = stage.start("TRIM_HORIZON", &settings);
    seconds(120).await;
    running.stop().await;
    let calls = stage.calls();
    assert_eq!(calls[0], [0, 1, 2, 3, 4, 5]);
    // Six with the failing record at the head, and one more if the crash came before the third was kept.
    assert!((7..=8).contains(&calls.len()), "{calls:?}");
    assert!(
        calls[1..].iter().all(|call| *call == [3, 4, 5]),
        "{calls:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_dies_at_any_moment_loses_nothing_and_keeps_the_order() {
    for seed in 0..8 {
        let stage = StreamStage::kinesis(20 + seed, 2);
        let mut chance = fastrand::Rng::with_seed(seed);
        stage.answers(|invocation| {
            let number = numbers(invocation)[0];
            Reply::ok("{}").after(Duration::from_millis(u64::from(number * 13 % 400)))
        });
        let factor = format!("ParallelizationFactor: {}", seed % 3 * 2 + 1);
        let settings = ["BatchSize: 3", factor.as_str()];
        for number in 0..120 {
            stage.put(&format!("key-{}", number % 9), number..number + 1);
        }
        for _ in 0..12 {
            let running = stage.start("TRIM_HORIZON", &settings);
            tokio::time::sleep(Duration::from_millis(chance.u64(1..900))).await;
            drop(running);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let running = stage.start("TRIM_HORIZON", &settings);
        let all = || (0..120).all(|number| stage.delivered().contains(&number));
        stage.until("all", SOON, all).await;
        running.stop().await;
        let delivered = stage.delivered();
        for key in 0..9 {
            // A record may come twice, but none before one that precedes it.
            let mut seen = Vec::new();
            for number in delivered.iter().filter(|number| *number % 9 == key) {
                if !seen.contains(number) {
                    seen.push(*number);
                }
            }
            assert!(seen.is_sorted(), "{seen:?}");
        }
        // At most what was in flight at each crash: two shards, their lanes, three records each.
        let twice = delivered.len() - 120;
        assert!(twice <= 12 * 2 * 5 * 3, "{twice}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_mapping_that_someone_else_takes_is_left_to_him() {
    let stage = stage(8);
    stage.put("k", 0..3);
    let first = stage.start("TRIM_HORIZON", &[]);
    stage.until_delivered(3).await;
    let taken = stage
        .stage
        .store
        .take(&stage.uuid(), &Owner::new("another"))
        .await;
    let generation = taken.unwrap();
    stage.put("k", 3..6);
    seconds(600).await;
    // It learns so by its next commit: what it delivered until then may come again.
    assert_eq!(stage.delivered(), (0..6).collect::<Vec<_>>());
    let status = stage.status();
    assert_eq!(status.state, State::Failing);
    let reason = status.reason.unwrap();
    assert!(reason.contains("another has taken it over"), "{reason}");
    stage.put("k", 6..9);
    seconds(600).await;
    assert_eq!(stage.delivered().len(), 6, "it reads no more");
    assert_eq!(
        stage.labelled("checkpoint_commits_total", "outcome", "stale"),
        1.0
    );
    first.stop().await;
    // The other's right still holds.
    let shard = generation.shards.iter().next().unwrap();
    let (id, saved) = shard;
    let commit =
        stage
            .stage
            .store
            .commit(&generation.claim, id, Some(saved.revision), &saved.progress);
    commit.await.expect("nobody took it back");
}

/// A disk that fails from a moment on.
#[derive(Debug)]
struct Failing {
    disk: InMemoryBackend,
    broken: Arc<AtomicBool>,
}

impl Failing {
    fn check(&self) -> io::Result<()> {
        match self.broken.load(Relaxed) {
            true => Err(io::Error::other("the disk is gone")),
            false => Ok(()),
        }
    }
}

impl StorageBackend for Failing {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check()?;
        self.disk.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()?;
        self.disk.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        self.disk.write(offset, data)
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_breaks_ends_the_service_and_says_so() {
    let mut stage = stage(9);
    let broken = Arc::new(AtomicBool::new(false));
    let disk = Failing {
        disk: InMemoryBackend::new(),
        broken: broken.clone(),
    };
    stage.stage.store = Store::on(disk).unwrap();
    stage.put("k", 0..3);
    let mut running = stage.start("TRIM_HORIZON", &[]);
    stage.until_delivered(3).await;
    seconds(2).await;
    broken.store(true, Relaxed);
    stage.put("k", 3..6);
    // Nobody cancels it: it drains by itself.
    let account = tokio::time::timeout(SOON, running.ended())
        .await
        .expect("it ends");
    assert!(account.settled >= 3);
    let why = stage.stage.store.broken().expect("it is broken");
    assert!(why.to_string().contains("the disk is gone"), "{why}");
    assert_eq!(
        stage.labelled("checkpoint_commits_total", "outcome", "failure"),
        1.0
    );
}

#[tokio::test(start_paused = true)]
async fn metrics_equal_what_became_of_the_records() {
    let stage = StreamStage::kinesis(10, 3);
    stage.answers(|invocation| {
        let held = numbers(invocation);
        match held.iter().any(|number| number % 17 == 0) {
            true => Reply::error("every seventeenth"),
            false => Reply::ok("{}"),
        }
    });
    for number in 0..200 {
        let key = if number % 5 == 0 {
            "drop".to_owned()
        } else {
            format!("key-{}", number % 12)
        };
        stage.put(&key, number..number + 1);
    }
    let filter =
        r#"FilterCriteria: { Filters: [ { Pattern: '{"partitionKey":[{"prefix":"key-"}]}' } ] }"#;
    let settings = [filter, BISECT, "MaximumRetryAttempts: 1", "BatchSize: 20"];
    let running = stage.start_failing_to_queue(&settings);
    let bad = (0..200)
        .filter(|number| number % 17 == 0 && number % 5 != 0)
        .count();
    stage
        .until("all", Duration::from_secs(300), || {
            stage.failed().len() == bad
        })
        .await;
    seconds(60).await;
    let account = running.stop().await;
    let invoked: usize = stage.calls().iter().map(Vec::len).sum();
    assert_eq!(stage.counted("events_polled_total"), 200.0);
    assert_eq!(stage.counted("events_filtered_out_total"), 40.0);
    assert_eq!(stage.counted("events_invoked_total"), invoked as f64);
    assert_eq!(
        stage.counted("events_on_failure_delivered_total"),
        bad as f64
    );
    assert_eq!(stage.counted("invocations_in_flight"), 0.0);
    assert_eq!((account.settled, account.discarded), (160, bad as u64));
    let handled =
        stage.counted("events_invoked_total") - stage.counted("events_failed_invoke_total");
    assert_eq!(handled, (160 - bad) as f64);
    let calls = stage.calls().len() as f64;
    let outcomes = ["success", "function_error"]
        .map(|outcome| stage.labelled("invocations_total", "outcome", outcome));
    assert_eq!(outcomes.iter().sum::<f64>(), calls);
    assert!(stage.stage.left(FAILED) == bad);
}
