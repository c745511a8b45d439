//! What only real sockets do: connections that are reset, stretched, cut short, left silent or refused, names that nobody
//! knows, and TLS that does not come about. An operator is told with whom and why; nothing is lost, nothing is deleted
//! early, and when it is over the mappings go on by themselves.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use sluicegate::sim::{Ending, Event};
use tokio::time::{Instant, sleep};

use crate::e2e::{bodies, numbers};
use crate::support::cloud::Cloud;
use crate::support::collector::{Call, Collector, Reply};
use crate::support::gate::{Config, Gate, Page};
use crate::support::line::{Line, Trouble};
use crate::support::queue::{EMPTY, Queue, QueueShape};
use crate::support::stream::{Stream, texts};
use crate::support::tls::{Certificate, Guard, root};
use crate::support::{PATIENCE, POLL};

/// Messages of each queue and records of the stream in a wave.
const WAVE: usize = 6;
/// The mappings, which are named as their sources and their functions.
const TO_LAMBDA: &str = "to-lambda";
const TO_URL: &str = "to-url";
const CLICKS: &str = "clicks";
/// What is asked on the lines.
const ASKED: [&str; 5] = [
    "ReceiveMessage",
    "DeleteMessageBatch",
    "GetRecords",
    "Invoke",
    "/to-url",
];

/// A queue whose function is in Lambda and a stream likewise, all behind one line, and a queue whose function is behind
/// another.
struct Stage {
    cloud: Cloud,
    collector: Collector,
    aws: Line,
    http: Line,
    to_lambda: Queue,
    to_url: Queue,
    clicks: Stream,
    gate: Gate,
    sent: usize,
}

impl Stage {
    async fn new() -> Self {
        let cloud = Cloud::embedded().await;
        let collector = Collector::start(|_| Reply::success()).await;
        let aws = Line::to(&cloud.endpoint);
        let http = Line::to(&collector.url(""));
        // What a lost answer brought is to be seen again soon.
        let shape = || QueueShape {
            visibility_s: Some(2),
            ..QueueShape::default()
        };
        let to_lambda = cloud.queue(TO_LAMBDA, shape()).await;
        let to_url = cloud.queue(TO_URL, shape()).await;
        let clicks = cloud.stream(CLICKS, 1).await;
        let process = cloud.function_within(TO_LAMBDA, &collector, 1).await;
        let count = cloud.function_within(CLICKS, &collector, 1).await;
        let gate = Config::at(&aws.endpoint())
            .function(TO_URL, &format!("{}/{TO_URL}", http.endpoint()), 1)
            .mapping(TO_LAMBDA, &to_lambda.arn, &process, "BatchSize: 2")
            .mapping(TO_URL, &to_url.arn, TO_URL, "BatchSize: 2")
            .mapping(
                CLICKS,
                &clicks.arn,
                &count,
                "BatchSize: 2, StartingPosition: TRIM_HORIZON",
            )
            .start()
            .await;
        gate.ready().await;
        Self {
            cloud,
            collector,
            aws,
            http,
            to_lambda,
            to_url,
            clicks,
            gate,
            sent: 0,
        }
    }

    async fn send(&mut self) {
        let bodies = &numbers(self.sent + WAVE)[self.sent..];
        self.to_lambda.send_all(bodies).await;
        self.to_url.send_all(bodies).await;
        self.clicks.put("key", bodies).await;
        self.sent += WAVE;
    }

    /// Returns once all that was sent is handled and gone from the queues.
    async fn done(&self) {
        self.to_lambda.wait_for(EMPTY).await;
        self.to_url.wait_for(EMPTY).await;
        let all: BTreeSet<_> = numbers(self.sent).into_iter().collect();
        self.collector
            .wait_for("every record", |calls| handled(calls, CLICKS) == all)
            .await;
        let calls = self.collector.calls();
        for name in [TO_LAMBDA, TO_URL] {
            assert_eq!(handled(&calls, name), all, "{name}");
        }
        assert_eq!(deleted_early(&self.cloud), [""; 0]);
    }

    /// These kinds of requests meet the trouble, so many times, while there is something to do.
    async fn suffer(&mut self, trouble: Trouble, times: usize, asked: &[&str]) {
        for asked in asked {
            let line = if asked.starts_with('/') {
                &self.http
            } else {
                &self.aws
            };
            line.befall(asked, &vec![trouble; times]);
        }
        let deadline = Instant::now() + PATIENCE;
        while self.sent == 0 || self.aws.left() + self.http.left() > 0 {
            assert!(Instant::now() < deadline, "{trouble:?} is not met");
            self.send().await;
            self.done().await;
        }
    }

    /// How often each kind of request failed, as the metrics have it.
    async fn failed(&self) -> [f64; ASKED.len()] {
        let metrics = self.gate.metrics().await;
        let of_invocations = |to_url: bool| {
            let failed = metrics.iter().filter(|(series, _)| {
                series.starts_with("sluicegate_invocations_total")
                    && series.contains("\"to-url\"") == to_url
                    && !series.contains("\"success\"")
            });
            failed.map(|(_, count)| count).sum()
        };
        ASKED.map(|asked| match asked {
            "Invoke" => of_invocations(false),
            "/to-url" => of_invocations(true),
            operation => {
                let operation = format!("operation=\"{operation}\",outcome=\"error\"");
                let failed = metrics
                    .iter()
                    .filter(|(series, _)| series.contains(&operation));
                failed.map(|(_, count)| count).sum()
            }
        })
    }

    /// Returns once the log names this and says why.
    async fn told(&mut self, whom: &str, why: &str) {
        let what = format!("{whom}: {why}");
        let named = |line: &serde_json::Value| {
            let line = line.to_string();
            line.contains(whom) && line.contains(why)
        };
        self.gate.wait_for_log(&what, named).await;
    }
}

/// What calls of this function that were answered brought.
fn handled(calls: &[Call], function: &str) -> BTreeSet<String> {
    let answered = calls
        .iter()
        .filter(|call| call.function == function && call.answered.is_some());
    answered
        .flat_map(|call| match function {
            CLICKS => texts(call),
            _ => call.bodies(),
        })
        .collect()
}

/// Messages for Lambda that were deleted before their function had handled them.
fn deleted_early(cloud: &Cloud) -> Vec<String> {
    let mut handled = BTreeSet::new();
    let mut early = Vec::new();
    for entry in cloud.world().history() {
        match entry.event {
            Event::Replied {
                message_ids,
                ending: Ending::Succeeded { .. },
                ..
            } => handled.extend(message_ids),
            Event::Deleted { queue, id } if queue == TO_LAMBDA && !handled.contains(&id) => {
                early.push(id)
            }
            _ => {}
        }
    }
    early
}

/// Connections that break, and what is told of it besides with whom.
const BREAKS: [(Trouble, &str); 5] = [
    (Trouble::ResetBefore, "Connection reset by peer"),
    (Trouble::ResetAfter, "Connection reset by peer"),
    (Trouble::ResetInBody, "Connection reset by peer"),
    (
        Trouble::HangUp,
        "connection closed before message completed",
    ),
    (Trouble::Short, "end of file before message length reached"),
];

#[tokio::test]
async fn a_connection_that_breaks_is_told_with_whom_and_why_and_costs_nothing() {
    let breaks = BREAKS.map(|(trouble, why)| async move {
        let mut stage = Stage::new().await;
        stage.suffer(trouble, 2, &ASKED).await;
        assert_eq!(stage.failed().await, [2.0; ASKED.len()], "{trouble:?}");
        for line in [stage.aws.address(), stage.http.address()] {
            stage.told(&line.to_string(), why).await;
        }
        stage.gate.stop().await;
    });
    join_all(breaks).await;
}

#[tokio::test]
async fn an_answer_that_is_odd_and_whole_is_taken() {
    let oddities = [Trouble::Trickle, Trouble::Long].map(|trouble| async move {
        let mut stage = Stage::new().await;
        stage.suffer(trouble, 2, &ASKED).await;
        assert_eq!(stage.failed().await, [0.0; ASKED.len()], "{trouble:?}");
        stage.gate.stop().await;
    });
    join_all(oddities).await;
}

// The next request may be on its way on that connection before the end of it is seen.
#[tokio::test]
async fn a_connection_that_ends_behind_an_answer_costs_nothing() {
    let mut stage = Stage::new().await;
    stage.suffer(Trouble::Closing, 5, &ASKED).await;
    stage.gate.stop().await;
}

#[tokio::test]
async fn a_peer_that_falls_silent_is_given_up_and_asked_again() {
    let mut stage = Stage::new().await;
    let but_invoke = ASKED.map(|asked| match asked {
        // Any function of Lambda may take a quarter of an hour, whatever it was allowed when the mapping began.
        "Invoke" => "ReceiveMessage",
        asked => asked,
    });
    stage.suffer(Trouble::Silence, 1, &but_invoke).await;
    let [receives, deletes, reads, invokes, posts] = stage.failed().await;
    assert!(
        receives >= 2.0 && deletes >= 1.0 && reads >= 1.0 && posts >= 1.0,
        "{:?}",
        [receives, deletes, reads, posts]
    );
    assert_eq!(invokes, 0.0);
    let aws = stage.aws.address().to_string();
    stage.told(&aws, "timed out").await;

    // It is asked again once its connection ends.
    stage.aws.befall("Invoke", &[Trouble::Silence]);
    stage.send().await;
    let deadline = Instant::now() + PATIENCE;
    while stage.aws.left() > 0 {
        assert!(Instant::now() < deadline, "nothing is invoked");
        sleep(POLL).await;
    }
    stage.aws.shut().await;
    stage.aws.open();
    stage.done().await;
    stage.gate.stop().await;
}

#[tokio::test]
async fn a_connection_that_is_refused_is_told_and_tried_again() {
    let mut stage = Stage::new().await;
    stage.aws.shut().await;
    stage.http.shut().await;
    stage.send().await;
    let aws = stage.aws.address().to_string();
    stage.told(&aws, "Connection refused").await;
    stage.aws.open();
    let http = stage.http.address().to_string();
    stage.told(&http, "Connection refused").await;
    assert_ne!(
        stage.to_url.counts().await,
        EMPTY,
        "deleted, and nobody had it"
    );
    stage.http.open();
    stage.done().await;
    stage.gate.stop().await;
}

/// AWS and a function, both behind TLS that does not come about: why, and on they go when it is put right.
async fn behind(guard: Guard, why: &str) {
    let cloud = Cloud::embedded().await;
    let collector = Collector::start(|_| Reply::success()).await;
    let aws = Line::guarded(&cloud.endpoint, guard);
    let http = Line::guarded(&collector.url(""), guard);
    let queue = cloud.queue("orders", QueueShape::default()).await;
    queue.send("000").await;
    let gate = Config::at(&aws.endpoint())
        .function("process", &format!("{}/process", http.endpoint()), 10)
        .mapping("orders", &queue.arn, "process", "")
        .program()
        .but(|command| command.env("SSL_CERT_FILE", root()))
        .start()
        .await;
    let failing = |page: &Page| page.mapping("orders")["state"] == "Failing";
    let page = gate.wait_for("/readyz", "a reason", failing).await;
    let reason = page.mapping("orders")["reason"].to_string();
    let named =
        |text: &str, line: &Line| text.contains(&line.address().to_string()) && text.contains(why);
    assert!(named(&reason, &aws), "{guard:?}: {reason}");

    aws.guard(Guard::Shows(Certificate::Good));
    gate.wait_for_metric(
        "invocations_total{mapping=\"orders\",outcome=\"service_error\"}",
        1.0,
    )
    .await;
    let log = gate.log();
    assert!(
        log.iter().any(|line| named(line, &http)),
        "{guard:?}: {log:#?}"
    );
    assert_ne!(queue.counts().await, EMPTY, "deleted, and nobody had it");

    http.guard(Guard::Shows(Certificate::Good));
    queue.wait_for(EMPTY).await;
    assert_eq!(bodies(&collector.calls()), numbers(1));
    gate.stop().await;
}

#[tokio::test]
async fn tls_that_does_not_come_about_is_told_with_whom_and_why_until_it_does() {
    let cases = [
        (Guard::Shows(Certificate::Unknown), "UnknownIssuer"),
        (Guard::Shows(Certificate::Other), "other.test"),
        (Guard::Shows(Certificate::Expired), "expired"),
        (Guard::Plain, "InvalidContentType"),
        (Guard::Stalled, "timeout occurred after 5s"),
    ];
    join_all(cases.map(|(guard, why)| behind(guard, why))).await;
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_told_and_holds_up_nobody_else() {
    const NOWHERE: &str = "https://nowhere.invalid:9";
    let cloud = Cloud::embedded().await;
    let collector = Collector::start(|_| Reply::success()).await;
    let lost = cloud.queue("lost", QueueShape::default()).await;
    let found = cloud.queue("found", QueueShape::default()).await;
    let clicks = cloud.stream(CLICKS, 1).await;
    let gate = Config::at(&cloud.endpoint)
        .kinesis(NOWHERE)
        .function("nowhere", &format!("{NOWHERE}/f"), 5)
        .function("process", &collector.url("process"), 5)
        .mapping("lost", &lost.arn, "nowhere", "")
        .mapping("found", &found.arn, "process", "")
        .mapping(CLICKS, &clicks.arn, "process", "StartingPosition: LATEST")
        .start()
        .await;
    lost.send("000").await;
    found.send("000").await;
    found.wait_for(EMPTY).await;
    assert_eq!(bodies(&collector.calls()), numbers(1));
    let failing = |page: &Page| page.mapping(CLICKS)["state"] == "Failing";
    let page = gate.wait_for("/readyz", "a reason", failing).await;
    let reason = page.mapping(CLICKS)["reason"].to_string();
    let why = "nowhere.invalid:9: ";
    assert!(
        reason.contains(why) && reason.contains("failed to lookup address"),
        "{reason}"
    );
    gate.wait_for_metric(
        "invocations_total{mapping=\"lost\",outcome=\"service_error\"}",
        1.0,
    )
    .await;
    assert_ne!(lost.counts().await, EMPTY, "deleted, and nobody had it");
    gate.stop().await;
}

// reliability: B16
#[tokio::test]
async fn a_function_that_says_nothing_for_long_is_not_cut_off() {
    // Longer than five seconds, after which the SDK would call an answer stalled.
    const SILENT: Duration = Duration::from_secs(9);
    let cloud = Cloud::embedded().await;
    let collector = Collector::start(|_| Reply::success().after(SILENT)).await;
    let line = Line::to(&cloud.endpoint);
    let function = cloud.function_within("process", &collector, 60).await;
    let queue = cloud.queue("orders", QueueShape::default()).await;
    let gate = Config::at(&line.endpoint())
        .grace_s(30)
        .mapping("orders", &queue.arn, &function, "")
        .start()
        .await;
    queue.send("000").await;
    queue.wait_for(EMPTY).await;
    assert_eq!(bodies(&collector.calls()), numbers(1));
    gate.wait_for_metric(
        "invocations_total{mapping=\"orders\",outcome=\"success\"}",
        1.0,
    )
    .await;
}
