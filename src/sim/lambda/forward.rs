//! Functions that run behind a URL: the event is posted, the answer is read as Lambda's Invoke API is read.

use std::time::Duration;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::HttpRequest,
    },
    http::HttpError,
};
use aws_smithy_types::body::SdkBody;
use http::Uri;
use http_body_util::{BodyExt, Limited};

use super::function::{Invocation, Reply};

/// How long a connection to the function may take to open.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

// API: Lambda quotas, Invocation payload: 6 MB each for request and response
/// The largest answer that is read; what is over Lambda's own limit, and less than this, becomes a function error.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A URL that functions cannot run behind.
#[derive(Debug, thiserror::Error)]
#[error("{url:?} is no absolute http URL")]
pub struct BadUrl {
    url: String,
}

/// The way to one URL.
#[derive(Clone, Debug)]
pub(super) struct Forward {
    url: String,
    connector: SharedHttpConnector,
}

impl Forward {
    pub(super) fn to(url: &str, timeout: Duration) -> Result<Self, BadUrl> {
        let absolute = url
            .parse::<Uri>()
            .is_ok_and(|uri| uri.scheme_str() == Some("http") && uri.host().is_some());
        if !absolute {
            return Err(BadUrl {
                url: url.to_owned(),
            });
        }
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(CONNECT_TIME_MAX)
            .read_timeout(timeout)
            .build();
        let connector = Connector::builder()
            .connector_settings(settings)
            .sleep_impl(TokioSleep::new())
            .build_http();
        Ok(Self {
            url: url.to_owned(),
            connector: SharedHttpConnector::new(connector),
        })
    }

    /// Runs one invocation. What goes wrong on the way is Lambda's fault, not the function's.
    pub(super) async fn run(self, invocation: Invocation) -> Reply {
        self.post(invocation)
            .await
            .unwrap_or_else(|error| Reply::refused(502, &error.to_string()))
    }

    async fn post(
        self,
        invocation: Invocation,
    ) -> Result<Reply, Box<dyn std::error::Error + Send + Sync>> {
        let request = self.request(invocation)?;
        let response = self.connector.call(request).await?;
        let function_error = response
            .headers()
            .get("x-amz-function-error")
            .map(str::to_owned);
        let status = response.status().as_u16();
        let payload = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await?
            .to_bytes();
        // Web handlers answer 201 or 204 as well.
        let status = if (200..300).contains(&status) {
            200
        } else {
            status
        };
        Ok(Reply {
            status,
            function_error,
            ..Reply::ok(payload)
        })
    }

    fn request(&self, invocation: Invocation) -> Result<HttpRequest, HttpError> {
        let mut request = HttpRequest::new(SdkBody::from(invocation.event));
        request.set_method("POST")?;
        request.set_uri(self.url.as_str())?;
        let headers = request.headers_mut();
        headers.try_insert("content-type", "application/json")?;
        headers.try_insert("x-amzn-requestid", invocation.request_id)?;
        if let Some(trace) = invocation.trace {
            headers.try_insert("x-amzn-trace-id", trace)?;
        }
        Ok(request)
    }
}
