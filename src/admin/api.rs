//! The control API at the door: who asks, how often, how much; and how an answer looks. What it says is `port`'s affair.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};

use super::access::{Access, Denied, Granted};
use super::port::{Answer, Port, Silent};
use crate::aws::sigv4;
use crate::clock::Clock;
use crate::control::Refusal;
use crate::model::uuid;

/// The longest body of a request: five filters of 4,096 characters, each of them escaped, are a tenth of it.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// How long a body may take to arrive.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(20);
/// Requests a second, and how many may come at once after a pause.
pub const RATE_PER_SECOND: f64 = 20.0;
/// See [`RATE_PER_SECOND`].
pub const BURST: f64 = 100.0;

/// Whoever asks too often comes again after this.
const RETRY_AFTER_S: u64 = 1;
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
            Err(refusal) => refusal.into(),
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
            return Err(Refusal::throttled(RETRY_AFTER_S));
        }
        let (head, body) = request.into_parts();
        let body = timeout(BODY_TIME_MAX, Limited::new(body, BODY_BYTES_MAX).collect());
        let body = match body.await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(large()),
            Ok(Err(_)) | Err(_) => return Err(cut()),
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
        let granted = self.access.granted(&signed, self.clock.now());
        let granted = granted.map_err(denied)?;
        if granted == Granted::Reading && head.method != Method::GET {
            return Err(reading());
        }
        let (path, query) = (head.uri.path().to_owned(), head.uri.query());
        let who = self.access.who(&signed);
        let query = query.map(str::to_owned);
        let asked = self.port.ask(who, head.method, path, query, body);
        asked.await.map_err(unanswered)
    }

    /// For people who compare logs: nothing depends on it.
    fn request_id(&self) -> String {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        uuid::random(ids.u128(..))
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

fn large() -> Refusal {
    let text = format!("a request has {BODY_BYTES_MAX} bytes at most");
    Refusal::new(413, "RequestTooLargeException", text)
}

fn cut() -> Refusal {
    Refusal::new(
        400,
        "InvalidRequestContentException",
        "the body did not come whole",
    )
}

fn reading() -> Refusal {
    let text = "this key or token may look, and change nothing";
    Refusal::new(403, "AccessDeniedException", text)
}

fn denied(denied: Denied) -> Refusal {
    Refusal::new(403, denied.code, denied.message)
}

fn unanswered(silent: Silent) -> Refusal {
    let (status, text) = match silent {
        Silent::Busy => return Refusal::throttled(RETRY_AFTER_S),
        Silent::Gone => (503, "the service is starting or ending"),
        Silent::Late => (
            504,
            "no answer in time; what was asked for may be done all the same",
        ),
    };
    Refusal::new(status, "ServiceException", text)
}

#[cfg(test)]
mod tests;
