//! Servers that speak the language of AWS and lack its manners: polls that do not wait, answers that do not end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use sluicegate::aws::clients::Clients;
use sluicegate::config::Config;
use sluicegate::sim::{Connector, FunctionConfig, Reply};
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
