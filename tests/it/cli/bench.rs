//! The load test, as anyone runs it: the real engine against a process of its own, for moments.

use sluicegate::sim::{FunctionConfig, Reply};

use super::program::{Ended, command, ended, run};
use crate::support::cloud::Cloud;

/// Runs a short load test with these arguments.
fn bench(arguments: &[&str]) -> Ended {
    let short = ["bench", "--duration=1s", "--warm-up=200ms"];
    // Its folder for the checkpoint file.
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let ended = ended(command(&[&short, arguments].concat()).env("TMPDIR", temporary.path()));
    let left = std::fs::read_dir(temporary.path()).expect("its folder");
    assert_eq!(left.count(), 0, "a file is left");
    ended
}

/// The one row of a report.
fn row(ended: &Ended) -> serde_json::Value {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report: serde_json::Value = serde_json::from_str(&ended.out).expect("a JSON object");
    let rows = report["rows"].as_array().expect("rows").clone();
    assert_eq!(rows.len(), 1, "{report}");
    rows[0].clone()
}

// Paced, far below what either side can do: every record that arrives is invoked, and says how long that took.
#[test]
fn every_source_is_measured_at_a_pace_against_both_servers() {
    for source in ["queue", "fifo", "kinesis", "dynamodb"] {
        for against in ["canned", "embedded"] {
            let ended = bench(&[
                "--source",
                source,
                "--against",
                against,
                "--rate=200",
                "--shards=2",
                "--groups=4",
                "--format=json",
            ]);
            let row = row(&ended);
            let number = |name: &str| row[name].as_f64().expect(name);
            // Streams come in reads, five a second, and a busy machine is late: about as many as arrive, never many more.
            let expected = 40.0..=400.0;
            assert!(
                expected.contains(&number("events_per_s")),
                "{source} {against}: {row}"
            );
            assert!(number("peak_bytes") > 1e6, "{row}");
            let latency = &row["latency"];
            let [p50, p99, max] = ["p50_ms", "p99_ms", "max_ms"]
                .map(|name| latency[name].as_f64().expect("a latency"));
            assert!(
                0.0 < p50 && p50 <= p99 && p99 <= max,
                "{source} {against}: {latency}"
            );
        }
    }
}

#[test]
fn a_backlog_has_throughput_and_no_latency_and_a_line_and_a_point_for_each_concurrency() {
    let drawn = tempfile::NamedTempFile::new().expect("a file");
    let plot = drawn.path().to_str().expect("a name").to_owned();
    let ended = bench(&["--concurrency=1,4", "--plot", &plot]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", ended.out);
    assert!(
        lines[0].trim_start().starts_with("concurrency"),
        "{}",
        ended.out
    );
    for (line, concurrency) in lines[1..].iter().zip(["1", "4"]) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(fields[0], concurrency, "{line}");
        assert!(fields[1].parse::<f64>().expect("events/s") > 0.0, "{line}");
        assert_eq!(fields[4..7], ["-", "-", "-"], "{line}");
        // At a pace it may be less than a tick of the operating system's clock; here it is not.
        assert!(fields[7].parse::<f64>().expect("CPU s") > 0.0, "{line}");
    }
    let svg = std::fs::read_to_string(drawn.path()).expect("the plot");
    assert_eq!(svg.matches("<circle").count(), 2, "{svg}");
    assert!(svg.trim_end().ends_with("</svg>"), "{svg}");
}

#[test]
fn a_function_that_fails_is_repeated_and_a_slow_one_holds_its_place() {
    let failing = row(&bench(&[
        "--against=embedded",
        "--rate=100",
        "--function=failing:50",
        "--format=json",
    ]));
    let [events, invocations] =
        ["events_per_s", "invocations_per_s"].map(|name| failing[name].as_f64().expect(name));
    assert!(0.0 < events && events < 90.0, "{failing}");
    assert!(events < 10.0 * invocations, "{failing}");
    // One at a time, each 100 ms: ten invocations a second at most.
    let slow = row(&bench(&[
        "--concurrency=1",
        "--function=slow:100ms",
        "--format=json",
    ]));
    let invocations = slow["invocations_per_s"].as_f64().expect("invocations");
    assert!((1.0..=11.0).contains(&invocations), "{slow}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_given_is_measured_and_nothing_is_said_of_its_side() {
    let cloud = Cloud::embedded().await;
    cloud.world().create_queue("given", &[]).unwrap();
    for number in 0..20_000 {
        let sent = cloud.world().send("given", &format!("message {number}"));
        sent.unwrap();
    }
    cloud
        .world()
        .register("taker", FunctionConfig::default(), |_| {
            std::future::ready(Reply::batch_item_failures([""; 0]))
        });
    let (endpoint, arn) = (cloud.endpoint.clone(), cloud.world().queue_arn("given"));
    let measured = command(&[
        "bench",
        "--duration=1s",
        "--warm-up=200ms",
        "--endpoint",
        &endpoint,
        "--source-arn",
        &arn,
        "--function-name=taker",
        "--format=json",
    ]);
    let output = tokio::process::Command::from(measured).output().await;
    let output = output.expect("the program starts");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a JSON object");
    assert_eq!(report["against"], endpoint);
    let row = &report["rows"][0];
    assert!(
        0.0 < row["events_per_s"].as_f64().expect("events"),
        "{report}"
    );
    for unknown in ["mb_per_s", "latency", "load_cpu_share"] {
        assert!(row[unknown].is_null(), "{report}");
    }
    assert!(report["record_bytes"].is_null(), "{report}");
}

#[test]
fn what_can_not_be_measured_is_refused_in_words() {
    for (arguments, words) in [
        (
            &["bench", "--source=fifo", "--function=failing:5"][..],
            "canned answers forget what failed",
        ),
        (
            &["bench", "--source=topic"],
            "possible values: queue, fifo, kinesis, dynamodb",
        ),
        (&["bench", "--concurrency=0"], "0 is not in 1..=1000"),
        (&["bench", "--duration=0s"], "it is no time at all"),
        (
            &["bench", "--endpoint=http://127.0.0.1:9"],
            "--source-arn <ARN>",
        ),
        (
            &[
                "bench",
                "--endpoint=http://127.0.0.1:9",
                "--source-arn=arn:aws:s3:::a",
                "--function-name=f",
            ],
            "is no ARN of an SQS queue",
        ),
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.contains(words), "{}", ended.err);
    }
    let ended = bench(&["--plot=/nowhere/at/all.svg"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.err.contains("failed to write /nowhere/at/all.svg"),
        "{}",
        ended.err
    );
}
