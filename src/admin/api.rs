//! The control API at the door: who asks, how often, how much; and how an answer looks. What it says is `port`'s affair.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::access::{Access, Denied, Granted};
use super::port::{Answer, Port, Silent};
use crate::aws::sigv4;
use crate::clock::Clock;

/// The longest body of a request: five filters of 4,096 characters, each of them escaped, are a tenth of it.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// How long a body may take to arrive.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(20);
/// Requests a second, and how many may come at once after a pause.
pub const RATE_PER_SECOND: f64 = 20.0;
/// See [`RATE_PER_SECOND`].
pub const BURST: f64 = 100.0;

/// What AWS calls the kind of an error.
pub const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Paths of AWS's APIs for mappings and for their tags.
pub fn is_of_api(path: &str) -> bool {
    ["/2015-03-31/", "/2017-03-31/"]
        .iter()
        .any(|prefix| path.starts_with(prefix))
}

/// The door.
#[derive(Debug)]
pub struct Gate {
    access: Access,
    port: Port,
    clock: Clock,
    bucket: Mutex<Bucket>,
    ids: Mutex<fastrand::Rng>,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Gate {
    /// Those who have access may ask at this port; the seed is that of the requests' ids. To be called inside a runtime.
    pub fn new(access: Access, port: Port, clock: Clock, seed: u64) -> Self {
        Self {
            access,
            port,
            clock,
            bucket: Mutex::new(Bucket {
                left: BURST,
                at: Instant::now(),
            }),
            ids: Mutex::new(fastrand::Rng::with_seed(seed)),
        }
    }

    /// The answer to a request of the API.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let answer = match self.ask(request).await {
            Ok(answer) => answer,
            Err(refusal) => refusal.answer(),
        };
        let mut response = Response::new(Full::new(answer.body));
        *response.status_mut() = answer.status;
        let headers = response.headers_mut();
        headers.extend(answer.headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(id) = HeaderValue::from_str(&self.request_id()) {
            headers.insert(REQUEST_ID, id);
        }
        response
    }

    async fn ask(&self, request: Request<Incoming>) -> Result<Answer, Refusal> {
        if !self.admitted() {
            return Err(Refusal::often());
        }
        let (head, body) = request.into_parts();
        let body = timeout(BODY_TIME_MAX, Limited::new(body, BODY_BYTES_MAX).collect());
        let body = match body.await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(Refusal::large()),
            Ok(Err(_)) | Err(_) => return Err(Refusal::cut()),
        };
        let target = head.uri.path_and_query();
        let target = target.map_or("/", |target| target.as_str());
        let headers: Vec<(&str, &str)> = head
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        let signed = sigv4::Request {
            method: head.method.as_str(),
            target,
            headers: &headers,
            body: &body,
        };
        let granted = self.access.granted(&signed, self.clock.now())?;
        if granted == Granted::Reading && head.method != Method::GET {
            return Err(Refusal::reading());
        }
        let (path, query) = (head.uri.path().to_owned(), head.uri.query());
        let asked = self
            .port
            .ask(head.method, path, query.map(str::to_owned), body);
        asked.await.map_err(Refusal::from)
    }

    /// For people who compare logs: nothing depends on it.
    fn request_id(&self) -> String {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let digits = format!("{:032x}", ids.u128(..));
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
        parts.map(|part| &digits[part]).join("-")
    }

    fn admitted(&self) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let since = now.duration_since(bucket.at).as_secs_f64();
        bucket.left = (bucket.left + since * RATE_PER_SECOND).min(BURST);
        bucket.at = now;
        let admitted = bucket.left >= 1.0;
        if admitted {
            bucket.left -= 1.0;
        }
        admitted
    }
}

/// A request that was turned away at the door.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// In seconds.
    retry_after: Option<&'static str>,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: &str) -> Self {
        Self {
            status,
            code,
            message: message.to_owned(),
            retry_after: None,
        }
    }

    // spec: 1.1
    fn often() -> Self {
        Self {
            retry_after: Some("1"),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "TooManyRequestsException",
                "Rate exceeded",
            )
        }
    }

    fn large() -> Self {
        let text = format!("a request has {BODY_BYTES_MAX} bytes at most");
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Self::new(status, "RequestTooLargeException", &text)
    }

    fn cut() -> Self {
        let code = "InvalidRequestContentException";
        Self::new(StatusCode::BAD_REQUEST, code, "the body did not come whole")
    }

    fn reading() -> Self {
        let text = "this key or token may look, and change nothing";
        Self::new(StatusCode::FORBIDDEN, "AccessDeniedException", text)
    }

    fn answer(self) -> Answer {
        let mut body = json!({ "Type": "User", "message": self.message });
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            body["Reason"] = json!("CallerRateLimitExceeded");
        }
        if self.status.is_server_error() {
            body["Type"] = json!("Service");
        }
        let mut headers = http::HeaderMap::new();
        headers.insert(ERROR_TYPE, HeaderValue::from_static(self.code));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        Answer {
            status: self.status,
            headers,
            body: Bytes::from(body.to_string()),
        }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::new(StatusCode::FORBIDDEN, denied.code, &denied.message)
    }
}

impl From<Silent> for Refusal {
    fn from(silent: Silent) -> Self {
        let (status, text) = match silent {
            Silent::Busy => return Self::often(),
            Silent::Gone => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the service is starting or ending",
            ),
            Silent::Late => (
                StatusCode::GATEWAY_TIMEOUT,
                "no answer in time; what was asked for may be done all the same",
            ),
        };
        Self::new(status, "ServiceException", text)
    }
}

#[cfg(test)]
mod tests;
