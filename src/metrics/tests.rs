//! The text that Prometheus gets, and that every name is in the table.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;

/// Half a minute after 1970 began.
const NOW_MS: u64 = 30_000;

fn fresh() -> Metrics {
    let now = std::time::SystemTime::UNIX_EPOCH + Duration::from_millis(NOW_MS);
    Metrics::without_process(Clock::starting_at(now))
}

/// The lines of a text that are samples and not zero.
fn told(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.ends_with(" 0"))
        .collect()
}

#[test]
fn a_small_scenario_reads_as_it_happened() {
    let metrics = fresh();
    let orders = metrics.mapping("orders", Source::Queue);
    orders.set_state(State::Enabled);
    orders.set_concurrency_limit(5);
    orders.record_source_request(Operation::ReceiveMessage, RequestOutcome::Success);
    orders.record_polled(10);
    orders.record_filtered_out(2);
    orders.set_held(8);
    orders.record_batch(8, 5_000);
    orders.record_invoked(8);
    orders.record_invocation(Outcome::Throttled, Duration::from_millis(3));
    orders.record_invoked(8);
    let running = orders.in_flight();
    orders.record_visibility_extended(8);
    orders.record_invocation(Outcome::Partial, Duration::from_millis(250));
    orders.record_failed_invoke(8);
    orders.record_source_request(Operation::DeleteMessageBatch, RequestOutcome::Partial);
    orders.record_deleted(6);
    orders.record_delete_failed(1);
    orders.record_handed_back(3);
    orders.record_lease_lost(1);
    orders.record_reply_ignored();
    orders.record_malformed_reply(Malformed::UnknownIdentifier);

    let expected = r#"sluicegate_events_polled_total{mapping="orders"} 10
sluicegate_events_filtered_out_total{mapping="orders"} 2
sluicegate_events_invoked_total{mapping="orders"} 16
sluicegate_events_failed_invoke_total{mapping="orders"} 8
sluicegate_events_deleted_total{mapping="orders"} 6
sluicegate_events_delete_failed_total{mapping="orders"} 1
sluicegate_invocations_total{mapping="orders",outcome="partial"} 1
sluicegate_invocations_total{mapping="orders",outcome="throttled"} 1
sluicegate_invocation_duration_seconds_bucket{mapping="orders",le="0.25"} 1
sluicegate_invocation_duration_seconds_bucket{mapping="orders",le="0.5"} 1
sluicegate_invocation_duration_seconds_bucket{mapping="orders",le="1"} 1
sluicegate_invocation_duration_seconds_bucket{mapping="orders",le="2.5"} 1
sluicegate_invocation_duration_seconds_bucket{mapping="orders",le="5"} 1
sluicegate_invocation_duration_seconds_bucket{mapping="orders",le="10"} 1
sluicegate_invocation_duration_seconds_bucket{mapping="orders",le="30"} 1
sluicegate_invocation_duration_seconds_bucket{mapping="orders",le="60"} 1
sluicegate_invocation_duration_seconds_bucket{mapping="orders",le="120"} 1
sluicegate_invocation_duration_seconds_bucket{mapping="orders",le="300"} 1
sluicegate_invocation_duration_seconds_bucket{mapping="orders",le="900"} 1
sluicegate_invocation_duration_seconds_bucket{mapping="orders",le="+Inf"} 1
sluicegate_invocation_duration_seconds_sum{mapping="orders"} 0.25
sluicegate_invocation_duration_seconds_count{mapping="orders"} 1
sluicegate_invocations_in_flight{mapping="orders"} 1
sluicegate_concurrency_limit{mapping="orders"} 5
sluicegate_batch_events_bucket{mapping="orders",le="10"} 1
sluicegate_batch_events_bucket{mapping="orders",le="20"} 1
sluicegate_batch_events_bucket{mapping="orders",le="50"} 1
sluicegate_batch_events_bucket{mapping="orders",le="100"} 1
sluicegate_batch_events_bucket{mapping="orders",le="200"} 1
sluicegate_batch_events_bucket{mapping="orders",le="500"} 1
sluicegate_batch_events_bucket{mapping="orders",le="1000"} 1
sluicegate_batch_events_bucket{mapping="orders",le="2000"} 1
sluicegate_batch_events_bucket{mapping="orders",le="5000"} 1
sluicegate_batch_events_bucket{mapping="orders",le="10000"} 1
sluicegate_batch_events_bucket{mapping="orders",le="+Inf"} 1
sluicegate_batch_events_sum{mapping="orders"} 8
sluicegate_batch_events_count{mapping="orders"} 1
sluicegate_batch_bytes_bucket{mapping="orders",le="16384"} 1
sluicegate_batch_bytes_bucket{mapping="orders",le="65536"} 1
sluicegate_batch_bytes_bucket{mapping="orders",le="262144"} 1
sluicegate_batch_bytes_bucket{mapping="orders",le="1048576"} 1
sluicegate_batch_bytes_bucket{mapping="orders",le="2097152"} 1
sluicegate_batch_bytes_bucket{mapping="orders",le="4194304"} 1
sluicegate_batch_bytes_bucket{mapping="orders",le="6291456"} 1
sluicegate_batch_bytes_bucket{mapping="orders",le="+Inf"} 1
sluicegate_batch_bytes_sum{mapping="orders"} 5000
sluicegate_batch_bytes_count{mapping="orders"} 1
sluicegate_source_requests_total{mapping="orders",operation="ReceiveMessage",outcome="success"} 1
sluicegate_source_requests_total{mapping="orders",operation="DeleteMessageBatch",outcome="partial"} 1
sluicegate_mapping_state{mapping="orders",state="Enabled"} 1
sluicegate_messages_held{mapping="orders"} 8
sluicegate_messages_handed_back_total{mapping="orders"} 3
sluicegate_messages_lease_lost_total{mapping="orders"} 1
sluicegate_messages_visibility_extended_total{mapping="orders"} 8
sluicegate_replies_ignored_total{mapping="orders"} 1
sluicegate_replies_malformed_total{mapping="orders",reason="unknown_identifier"} 1
sluicegate_build_info{version="VERSION"} 1
sluicegate_config_last_reload_successful 1"#
        .replace("VERSION", env!("CARGO_PKG_VERSION"));
    assert_eq!(told(&metrics.encode()).join("\n"), expected);

    drop(running);
    assert!(
        metrics
            .encode()
            .contains("sluicegate_invocations_in_flight{mapping=\"orders\"} 0\n")
    );
}

#[test]
fn every_series_of_a_mapping_is_there_from_its_start() {
    let metrics = fresh();
    metrics.mapping("quiet", Source::Queue);
    let text = metrics.encode();
    let streams_only = |family: &&Family| family.source == Some(Source::Stream);
    for family in FAMILIES.iter().filter(streams_only) {
        assert!(!text.contains(family.name), "{}", family.name);
    }
    for family in FAMILIES.iter().filter(|family| !streams_only(family)) {
        assert!(
            text.contains(&format!("# HELP {} {}\n", family.name, family.help)),
            "{}",
            family.name
        );
        let suffix = if family.kind == Kind::Histogram {
            "_count"
        } else {
            ""
        };
        let first = format!("\n{}{suffix}{{mapping=\"quiet\"", family.name);
        assert!(text.contains(&first), "{}", family.name);
    }
    let series = |prefix: &str| text.lines().filter(|line| line.starts_with(prefix)).count();
    assert_eq!(series("sluicegate_invocations_total{"), 6);
    assert_eq!(series("sluicegate_source_requests_total{"), 20);
    assert_eq!(series("sluicegate_mapping_state{"), 8);
    assert_eq!(series("sluicegate_replies_malformed_total{"), 4);
    assert_eq!(
        told(&text),
        [
            "sluicegate_mapping_state{mapping=\"quiet\",state=\"Creating\"} 1",
            &format!(
                "sluicegate_build_info{{version=\"{}\"}} 1",
                env!("CARGO_PKG_VERSION")
            ),
            "sluicegate_config_last_reload_successful 1",
        ]
    );
}

#[test]
fn a_stream_has_the_series_of_a_stream() {
    let metrics = fresh();
    let clicks = metrics.mapping("clicks", Source::Stream);
    let text = metrics.encode();
    for family in FAMILIES {
        let per_shard = family.labels.contains(&"shard");
        let has = family.source != Some(Source::Queue) && !per_shard;
        assert_eq!(text.contains(family.name), has, "{}", family.name);
    }
    let series = |prefix: &str| text.lines().filter(|line| line.starts_with(prefix)).count();
    assert_eq!(series("sluicegate_source_requests_total{"), 28);
    assert_eq!(series("sluicegate_events_dropped_total{"), 3);

    clicks.record_dropped(Dropped::RecordAgeExceeded, 4);
    clicks.record_on_failure_delivered(2);
    clicks.record_window_discarded();
    clicks.record_destination_delivery(DeliveryOutcome::Failure);
    clicks.record_checkpoint_commit(CommitOutcome::Success);
    clicks.record_gap();
    clicks.set_shards_waiting(3);
    clicks.set_state(State::Enabled);
    let text = metrics.encode();
    let of_clicks: Vec<&str> = told(&text)
        .into_iter()
        .filter(|line| line.contains("mapping=") && !line.contains("mapping_state"))
        .collect();
    assert_eq!(
        of_clicks,
        [
            "sluicegate_events_dropped_total{mapping=\"clicks\",reason=\"record_age_exceeded\"} 4",
            "sluicegate_events_on_failure_delivered_total{mapping=\"clicks\"} 2",
            "sluicegate_windows_discarded_total{mapping=\"clicks\"} 1",
            "sluicegate_destination_deliveries_total{mapping=\"clicks\",outcome=\"failure\"} 1",
            "sluicegate_shards_waiting{mapping=\"clicks\"} 3",
            "sluicegate_stream_gaps_total{mapping=\"clicks\"} 1",
            "sluicegate_checkpoint_commits_total{mapping=\"clicks\",outcome=\"success\"} 1",
        ]
    );
}

/// The age is that at the time of the scrape: it rises while the shard stands still.
#[tokio::test(start_paused = true)]
async fn a_shards_age_rises_while_it_stands_still_and_ends_with_it() {
    let metrics = fresh();
    let clicks = metrics.mapping("clicks", Source::Stream);
    let age = |metrics: &Metrics| {
        let text = metrics.encode();
        let line = text
            .lines()
            .find(|line| line.starts_with("sluicegate_iterator_age_seconds"));
        line.map(str::to_owned)
    };
    let of = |age: &str| {
        Some(format!(
            "sluicegate_iterator_age_seconds{{mapping=\"clicks\",shard=\"s-0\"}} {age}"
        ))
    };
    assert_eq!(age(&metrics), None);
    let shard = clicks.shard("s-0");
    assert_eq!(age(&metrics), of("0"));
    shard.set_behind(1_500);
    assert_eq!(age(&metrics), of("1.5"));
    // The first of several failed reads says since when.
    shard.set_unreadable(Some(NOW_MS - 3_000));
    shard.set_unreadable(Some(NOW_MS - 1_000));
    assert_eq!(age(&metrics), of("4.5"));
    shard.set_unreadable(None);
    assert_eq!(age(&metrics), of("1.5"));
    shard.set_oldest(Some(NOW_MS - 250));
    assert_eq!(age(&metrics), of("0.25"));
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(age(&metrics), of("60.25"));
    // A clock that lags behind that of the source makes no negative age.
    shard.set_oldest(Some(NOW_MS + 3_600_000));
    assert_eq!(age(&metrics), of("0"));
    shard.set_failures(7);
    assert!(
        metrics
            .encode()
            .contains("sluicegate_shard_failures{mapping=\"clicks\",shard=\"s-0\"} 7\n")
    );
    // A newer reader of the same shard has its own series, and keeps it.
    let newer = clicks.shard("s-0");
    drop(shard);
    assert_eq!(age(&metrics), of("0"));
    drop(newer);
    assert_eq!(age(&metrics), None);
}

#[test]
fn a_mapping_is_in_one_state_at_a_time() {
    let metrics = fresh();
    let mapping = metrics.mapping("m", Source::Queue);
    for &state in State::ALL {
        mapping.set_state(state);
        let text = metrics.encode();
        let ones: Vec<&str> = told(&text)
            .into_iter()
            .filter(|line| line.contains("mapping_state"))
            .collect();
        assert_eq!(
            ones,
            [format!(
                "sluicegate_mapping_state{{mapping=\"m\",state=\"{}\"}} 1",
                state.label()
            )]
        );
    }
}

#[test]
fn a_removed_mapping_leaves_no_series_and_starts_again_at_zero() {
    let metrics = fresh();
    let old = metrics.mapping("m", Source::Queue);
    metrics.mapping("m", Source::Queue).record_polled(1);
    old.record_polled(1);
    assert!(
        metrics
            .encode()
            .contains("sluicegate_events_polled_total{mapping=\"m\"} 2\n")
    );
    metrics.remove("m");
    old.record_polled(1);
    assert!(!metrics.encode().contains("mapping="));
    metrics.mapping("m", Source::Queue);
    assert!(
        metrics
            .encode()
            .contains("sluicegate_events_polled_total{mapping=\"m\"} 0\n")
    );
}

#[test]
fn a_name_with_quotes_and_line_breaks_cannot_forge_a_series() {
    let metrics = fresh();
    metrics.mapping("a\"} 1\nforged{x=\"\\", Source::Queue);
    let text = metrics.encode();
    assert!(text.contains(r#"sluicegate_messages_held{mapping="a\"} 1\nforged{x=\"\\"} 0"#));
    assert!(!text.lines().any(|line| line.starts_with("forged")));
}

#[test]
fn names_keep_the_conventions_of_prometheus() {
    let mut seen = BTreeSet::new();
    for Family {
        name,
        kind,
        labels,
        help,
        ..
    } in FAMILIES
    {
        assert!(seen.insert(*name), "{name} is there twice");
        assert!(
            name.starts_with("sluicegate_")
                && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
            "{name}"
        );
        assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
        assert!(
            labels
                .iter()
                .all(|label| !["mapping", "le"].contains(label)),
            "{name}"
        );
        // It is written as it is.
        assert!(
            help.ends_with('.') && !help.contains(['\\', '\n']),
            "{name}"
        );
    }
}

#[test]
fn the_table_of_the_documentation_is_the_table_of_the_code() {
    let documented: Vec<&str> = include_str!("../metrics.rs")
        .lines()
        .filter(|line| line.starts_with("//! | `sluicegate_"))
        .collect();
    let expected: Vec<String> = FAMILIES
        .iter()
        .map(|family| {
            let cell = |text: String| {
                if text.is_empty() {
                    " ".to_owned()
                } else {
                    format!(" {text} ")
                }
            };
            let (labels, aws) = (cell(family.labels.join(", ")), cell(family.aws.to_owned()));
            format!("//! | `{}` |{labels}|{aws}| {} |", family.name, family.help)
        })
        .collect();
    assert_eq!(documented, expected);
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_tells_about_itself() {
    let text = Metrics::new().encode();
    for name in [
        "process_cpu_seconds_total",
        "process_open_fds",
        "process_resident_memory_bytes",
    ] {
        assert!(text.contains(&format!("# TYPE {name} ")), "{name}");
    }
    assert!(text.contains("# TYPE sluicegate_build_info gauge\n"));
}
