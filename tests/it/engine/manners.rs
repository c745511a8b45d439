//! Servers that speak the language of AWS and lack its manners: polls that do not wait, answers that do not end.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};

use http_body_util::StreamBody;
use sluicegate::aws::clients::Clients;
use sluicegate::config::Config;
use sluicegate::sim::{Connector, Fault, FunctionConfig, Operation, Reply};
use tokio::time::sleep;

use super::{Running, Stage};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A connection whose requests are changed on the way.
#[derive(Clone)]
struct Bent {
    inner: Connector,
    bend: Arc<dyn Fn(&str) -> String + Send + Sync>,
}

impl fmt::Debug for Bent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bent")
    }
}

impl HttpConnector for Bent {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        if let Some(body) = request
            .body()
            .bytes()
            .and_then(|body| str::from_utf8(body).ok())
        {
            let bent = (self.bend)(body);
            *request.body_mut() = SdkBody::from(bent);
        }
        self.inner.call(request)
    }
}

/// The stage's service with this configuration on such a connection.
fn bent(
    stage: &Stage,
    text: &str,
    bend: impl Fn(&str) -> String + Send + Sync + 'static,
) -> Running {
    let connector = SharedHttpConnector::new(Bent {
        inner: stage.world.connector(),
        bend: Arc::new(bend),
    });
    on(stage, text, connector)
}

fn on(stage: &Stage, text: &str, connector: SharedHttpConnector) -> Running {
    let shared = connector.clone();
    let config = Config::parse("test.yaml", text, &|_| None).expect("it is valid");
    let base = stage
        .world
        .sdk_config()
        .into_builder()
        .http_client(http_client_fn(move |_, _| shared.clone()))
        .build();
    let clients = Clients::new(&config.aws, base, connector);
    stage.start_on(config, clients)
}

/// The function's URL, which is answered by `reply` in place of the world, the first time; later all is well.
#[derive(Clone)]
struct Odd {
    inner: Connector,
    reply: Arc<dyn Fn() -> HttpResponse + Send + Sync>,
    asked: Arc<AtomicU64>,
}

impl fmt::Debug for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Odd")
    }
}

impl HttpConnector for Odd {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if request.uri() != URL {
            return self.inner.call(request);
        }
        let reply = match self.asked.fetch_add(1, Relaxed) {
            0 => (self.reply)(),
            _ => HttpResponse::new(StatusCode::try_from(200).unwrap(), SdkBody::from("{}")),
        };
        HttpConnectorFuture::ready(Ok(reply))
    }
}

const URL: &str = "http://function/";

/// An answer of the function's URL.
fn reply(status: u16, error: Option<&'static str>, body: SdkBody) -> HttpResponse {
    let mut reply = HttpResponse::new(StatusCode::try_from(status).unwrap(), body);
    if let Some(error) = error {
        reply.headers_mut().insert("x-amz-function-error", error);
    }
    reply
}

/// A body that begins and neither goes on nor ends.
fn endless() -> SdkBody {
    let begun = stream::iter([Ok::<_, Infallible>(hyper::body::Frame::data(
        Bytes::from_static(b"{"),
    ))]);
    SdkBody::from_body_1_x(StreamBody::new(begun.chain(stream::pending())))
}

/// A body that is longer than any answer may be.
fn long() -> SdkBody {
    SdkBody::from(vec![b' '; 7 << 20])
}

// spec: 1.7, 3.1: where the status or the header decides, the body can not change it, whatever becomes of it
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_decided_by_its_head_is_not_undone_by_its_body() {
    for (status, error, outcome, kept) in [
        (429, None, "throttled", true),
        (503, None, "throttled", true),
        (500, None, "service_error", true),
        (404, None, "service_error", true),
        (413, None, "service_error", false),
        (200, Some("Unhandled"), "function_error", false),
    ] {
        for body in [endless, long] {
            let stage = Stage::new(2);
            let visibility = [("VisibilityTimeout", "100")];
            stage.world.create_queue("q", &visibility).unwrap();
            stage.world.send("q", "a").unwrap();
            let text = format!(
                "Functions:\n  process:\n    Http: {{ Url: \"{URL}\" }}\n    TimeoutInSeconds: 50\n\
                 EventSourceMappings:\n  - Name: m\n    EventSourceArn: {}\n    FunctionName: process\n",
                stage.world.queue_arn("q")
            );
            let odd = Odd {
                inner: stage.world.connector(),
                reply: Arc::new(move || reply(status, error, body())),
                asked: Arc::default(),
            };
            let running = on(&stage, &text, SharedHttpConnector::new(odd));
            let expected =
                format!("sluicegate_invocations_total{{mapping=\"m\",outcome=\"{outcome}\"}}");
            sleep(5 * SECOND).await;
            assert_eq!(stage.metric(&expected), 1.0, "{status} {outcome}");
            stage.emptied("q", 200 * SECOND).await;
            let receives: Vec<u32> = stage.receives().into_values().collect();
            let expected = if kept { 1 } else { 2 };
            assert_eq!(receives, [expected], "{status} {outcome}");
            running.stop().await;
        }
    }
}

/// All receives so far.
fn receives(stage: &Stage) -> f64 {
    stage.metric(
        "sluicegate_source_requests_total{mapping=\"m\",operation=\"ReceiveMessage\",outcome=\"success\"}",
    )
}

// A queue that answers an empty long poll at once must not be asked as fast as it answers, with or without a batch in hand.
#[tokio::test(start_paused = true)]
async fn a_queue_that_does_not_wait_is_asked_ever_more_slowly_and_read_at_full_speed() {
    for window_s in [0, 60] {
        let stage = Stage::new(1);
        stage.world.create_queue("q", &[]).unwrap();
        stage.function(FunctionConfig::default(), |_| Reply::ok(""));
        let text = format!(
            "EventSourceMappings:\n  - Name: m\n    EventSourceArn: {}\n    FunctionName: process\n    \
             BatchSize: 10\n    MaximumBatchingWindowInSeconds: {window_s}\n",
            stage.world.queue_arn("q")
        );
        let running = bent(&stage, &text, |body| {
            let mut request: serde_json::Value =
                serde_json::from_str(body).unwrap_or(serde_json::Value::Null);
            match request.get_mut("WaitTimeSeconds") {
                Some(wait) => {
                    *wait = 0.into();
                    request.to_string()
                }
                None => body.to_owned(),
            }
        });
        sleep(MINUTE).await;
        assert!(receives(&stage) < 40.0, "{window_s}: {}", receives(&stage));
        stage.world.send("q", "a").unwrap();
        let before = receives(&stage);
        sleep(MINUTE).await;
        let while_held = receives(&stage) - before;
        assert!(while_held < 60.0, "{window_s}: {while_held}");
        for number in 0..500 {
            stage.world.send("q", &number.to_string()).unwrap();
        }
        stage.emptied("q", 70 * SECOND).await;
        let delivered = stage.calls().concat().len();
        assert_eq!(delivered, 501, "{window_s}");
        running.stop().await;
    }
}

// What a message is worth: the polls of an idle queue that does not wait are seconds apart, and close to each other again after one.
#[tokio::test(start_paused = true)]
async fn after_a_message_a_queue_that_does_not_wait_is_asked_as_often_as_at_first() {
    let stage = Stage::new(2);
    stage.world.create_queue("q", &[]).unwrap();
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    let text = format!(
        "EventSourceMappings:\n  - Name: m\n    EventSourceArn: {}\n    FunctionName: process\n",
        stage.world.queue_arn("q")
    );
    let running = bent(&stage, &text, |body| {
        body.replace("\"WaitTimeSeconds\":20", "\"WaitTimeSeconds\":0")
    });
    sleep(MINUTE).await;
    let before = receives(&stage);
    sleep(MINUTE).await;
    let idle = receives(&stage) - before;
    assert!((8.0..=24.0).contains(&idle), "{idle} in a minute");
    stage.world.send("q", "a").unwrap();
    stage.emptied("q", 10 * SECOND).await;
    let before = receives(&stage);
    sleep(SECOND).await;
    let after = receives(&stage) - before;
    assert!(
        (2.0..=10.0).contains(&after),
        "{after} in the second after it"
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_backlog_is_read_without_a_pause() {
    let stage = Stage::new(3);
    stage.world.create_queue("q", &[]).unwrap();
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    for number in 0..500 {
        stage.world.send("q", &number.to_string()).unwrap();
    }
    let running = stage.start("q", &["ScalingConfig: { MaximumConcurrency: 1 }"]);
    // Fifty batches of three calls, 2 ms of travel each.
    stage.emptied("q", 2 * SECOND).await;
    assert_eq!(stage.calls().len(), 50);
    running.stop().await;
}

// Fifty start at once, lest each open connections that the next could have had; of fifty whose starts hang nobody is the prisoner.
#[tokio::test(start_paused = true)]
async fn a_start_waits_for_those_before_it_but_not_for_long() {
    let stage = Stage::new(4);
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    let mut text = String::from("EventSourceMappings:\n");
    for index in 0..51 {
        let name = format!("q{index:02}");
        stage.world.create_queue(&name, &[]).unwrap();
        stage.world.send(&name, &name).unwrap();
        let arn = stage.world.queue_arn(&name);
        text += &format!("  - {{ EventSourceArn: {arn}, FunctionName: process }}\n");
    }
    let looks = Operation::GetQueueUrl;
    stage.world.fault_next(looks, Fault::NeverAnswers, 50);
    let running = stage.start_with(&text);
    sleep(SECOND).await;
    assert_eq!(stage.calls().len(), 0);
    sleep(2 * SECOND).await;
    assert_eq!(stage.calls().len(), 1, "the one whose queue is found");
    sleep(MINUTE).await;
    assert_eq!(stage.calls().len(), 51);
    running.stop().await;
}

/// A connection on which receives are half a second longer on their way than anything else.
#[derive(Clone, Debug)]
struct Detour(Connector);

impl HttpConnector for Detour {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        if !target.ends_with("ReceiveMessage") {
            return self.0.call(request);
        }
        let inner = self.0.clone();
        HttpConnectorFuture::new(async move {
            sleep(SECOND / 2).await;
            inner.call(request).await
        })
    }
}

// A poll that is still on the queue would take what is handed back, and cost it a receive.
#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_a_poll_that_was_long_on_its_way() {
    let stage = Stage::new(5);
    stage.world.create_queue("q", &[]).unwrap();
    stage.function(FunctionConfig::default(), |_| Reply::refused(429, "no"));
    stage.world.send("q", "a").unwrap();
    let text = format!(
        "EventSourceMappings:\n  - Name: m\n    EventSourceArn: {}\n    FunctionName: process\n",
        stage.world.queue_arn("q")
    );
    let detour = SharedHttpConnector::new(Detour(stage.world.connector()));
    let running = on(&stage, &text, detour);
    sleep(SECOND * 3 / 5).await;
    assert_eq!(stage.calls().len(), 1, "and another poll is on its way");
    assert_eq!(running.stop().await.handed_back, 1);
    let receives: Vec<u32> = stage.receives().into_values().collect();
    assert_eq!(receives, [1]);
}
