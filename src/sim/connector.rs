//! The in-process way in: an HTTP client for the AWS SDK that is the embedded AWS itself.

use std::{fmt, future::pending, io, time::Duration};

use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings,
            SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::Response,
};
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;
use tokio::time::{sleep, timeout};

use super::{
    wire::{Answer, Request, answer},
    world::World,
};

/// An HTTP client (and connector) that serves every request from a world, whatever host it names. It honours the connect and read
/// time-outs of the SDK, really reads the request's body, and takes the world's latency each way.
#[derive(Clone)]
pub struct Connector {
    world: World,
    /// The life of the process under test that this connector belongs to; see `crash`.
    life: u64,
    connect_timeout: Option<Duration>,
    read_timeout: Option<Duration>,
}

impl Connector {
    pub(super) fn new(world: World) -> Self {
        let life = world.life();
        Self {
            world,
            life,
            connect_timeout: None,
            read_timeout: None,
        }
    }

    async fn serve(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request
            .try_into_http1x()
            .map_err(|error| ConnectorError::user(error.into()))?;
        match limited(self.read_timeout, "read", self.exchange(request)).await?? {
            Answer::Response(response) => Response::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::user(error.into())),
            Answer::Reset => Err(ConnectorError::io(
                io::Error::from(io::ErrorKind::ConnectionReset).into(),
            )),
            Answer::Unconnected => limited(self.connect_timeout, "connect", pending())
                .await
                .map_err(ConnectorError::never_connected),
        }
    }

    async fn exchange(&self, request: http::Request<SdkBody>) -> Result<Answer, ConnectorError> {
        let (parts, body) = request.into_parts();
        // Polled to its end: the SDK's stalled-stream protection counts what is polled, not what is peeked at.
        let body = body.collect().await.map_err(ConnectorError::io)?.to_bytes();
        sleep(self.travel_time()).await;
        let answer = answer(
            &self.world,
            Some(self.life),
            Request::from_parts(parts, body),
        )
        .await;
        sleep(self.travel_time()).await;
        Ok(answer)
    }

    fn travel_time(&self) -> Duration {
        let settings = self.world.settings();
        if settings.latency_jitter.is_zero() {
            return settings.latency;
        }
        settings.latency + settings.latency_jitter.mul_f64(self.world.lock().rng.f64())
    }
}

/// `work`, unless it takes longer than the time-out, if there is one.
async fn limited<T>(
    at_most: Option<Duration>,
    what: &str,
    work: impl Future<Output = T>,
) -> Result<T, ConnectorError> {
    let Some(at_most) = at_most else {
        return Ok(work.await);
    };
    let late = |_| ConnectorError::timeout(format!("{what} timed out after {at_most:?}").into());
    timeout(at_most, work).await.map_err(late)
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().serve(request))
    }
}

impl HttpClient for Connector {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let (connect_timeout, read_timeout) = (settings.connect_timeout(), settings.read_timeout());
        SharedHttpConnector::new(Self {
            connect_timeout,
            read_timeout,
            ..self.clone()
        })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Connector")
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}
