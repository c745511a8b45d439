//! A bug that panics ends a batch, or at worst restarts one mapping after a pause; it ends no other, and spins nowhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use sluicegate::aws::clients::Clients;
use sluicegate::config::Config;
use sluicegate::sim::{Connector, FunctionConfig, Reply};
use sluicegate::status::State;
use tokio::time::{Instant, sleep};

use super::{Running, Stage};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A connection that panics at the calls of one operation, so many times, and counts them.
#[derive(Clone, Debug)]
struct Mine {
    inner: Connector,
    operation: &'static str,
    left: Arc<AtomicU64>,
    went_off: Arc<AtomicU64>,
}

impl HttpConnector for Mine {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        if target.ends_with(self.operation) && self.left.load(Relaxed) > 0 {
            self.left.fetch_sub(1, Relaxed);
            self.went_off.fetch_add(1, Relaxed);
            panic!("planted in {}", self.operation);
        }
        self.inner.call(request)
    }
}

/// The stage's service on such a connection.
fn mined(stage: &Stage, operation: &'static str, times: u64) -> (Running, Mine) {
    mined_with(stage, operation, times, "")
}

/// The same, with a line of settings.
fn mined_with(
    stage: &Stage,
    operation: &'static str,
    times: u64,
    settings: &str,
) -> (Running, Mine) {
    let mine = Mine {
        inner: stage.world.connector(),
        operation,
        left: Arc::new(AtomicU64::new(times)),
        went_off: Arc::default(),
    };
    let text = format!(
        "EventSourceMappings:\n  - Name: m\n    EventSourceArn: {}\n    FunctionName: process\n    {settings}\n",
        stage.world.queue_arn("q")
    );
    let config = Config::parse("test.yaml", &text, &|_| None).expect("it is valid");
    let connector = SharedHttpConnector::new(mine.clone());
    let shared = connector.clone();
    let base = stage
        .world
        .sdk_config()
        .into_builder()
        .http_client(http_client_fn(move |_, _| shared.clone()))
        .build();
    let clients = Clients::new(&config.aws, base, connector);
    (stage.start_on(config, clients), mine)
}

fn stage(seed: u64, visibility: &str) -> Stage {
    let stage = Stage::new(seed);
    stage
        .world
        .create_queue("q", &[("VisibilityTimeout", visibility)])
        .unwrap();
    stage.function(FunctionConfig::default(), |_| Reply::ok(""));
    stage.world.send("q", "a").unwrap();
    stage
}

#[tokio::test(start_paused = true)]
async fn batches_that_panic_are_not_begun_in_a_hot_loop() {
    let stage = stage(1, "30");
    let (running, mine) = mined(&stage, "ReceiveMessage", 1_000_000);
    sleep(MINUTE).await;
    let panics = mine.went_off.load(Relaxed);
    assert!((10..=61).contains(&panics), "{panics} in a minute");
    mine.left.store(0, Relaxed);
    stage.emptied("q", 10 * SECOND).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_panics_leaves_its_messages_to_the_queue() {
    let stage = stage(2, "20");
    let (running, _) = mined(&stage, "DeleteMessageBatch", 1);
    stage.emptied("q", MINUTE).await;
    assert_eq!(stage.calls(), [["a"], ["a"]]);
    let account = running.stop().await;
    assert_eq!(
        (account.deleted, account.left, account.abandoned),
        (1, 1, 0)
    );
}

// What is handed back waits for the receives that are under way, and that one is not.
#[tokio::test(start_paused = true)]
async fn a_receive_that_panicked_is_not_waited_for_by_a_drain() {
    let stage = stage(4, "60");
    stage.function(FunctionConfig::default(), |_| {
        Reply::refused(429, "Rate Exceeded.")
    });
    let one = "ScalingConfig: { MaximumConcurrency: 1 }";
    let (running, mine) = mined_with(&stage, "ReceiveMessage", 1, one);
    sleep(10 * SECOND).await;
    let began = Instant::now();
    let account = running.stop().await;
    assert_eq!((mine.went_off.load(Relaxed), account.handed_back), (1, 1));
    assert!(began.elapsed() < 2 * SECOND, "{:?}", began.elapsed());
}

// Without its heartbeat a mapping would lose every lease from then on.
#[tokio::test(start_paused = true)]
async fn a_mapping_whose_heartbeat_panics_is_started_anew() {
    let stage = stage(3, "10");
    stage.function(FunctionConfig::default(), |call| {
        if call.number < 10 {
            Reply::refused(429, "Rate Exceeded.").after(SECOND)
        } else {
            Reply::ok("")
        }
    });
    let (running, mine) = mined(&stage, "ChangeMessageVisibilityBatch", 1);
    stage.emptied("q", 3 * MINUTE).await;
    assert_eq!(mine.went_off.load(Relaxed), 1);
    assert_eq!(stage.receives().into_values().collect::<Vec<_>>(), [2]);
    assert_eq!(stage.status.readiness().mappings[0].state, State::Enabled);
    running.stop().await;
}
