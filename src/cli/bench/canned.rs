//! Answers that were made beforehand: the least that a server can cost, over HTTP on loopback. No product of its own, and no AWS:
//! it remembers nothing that a load test does not need.

mod queue;
mod stream;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Body;
use tokio::net::TcpListener;

use self::queue::Queue;
use self::stream::Stream;
use super::gauge::Gauge;
use super::plan::{Function, Plan, Source, TIMEOUT};
use crate::cli::loopback;
use crate::clock::Clock;

/// Everything that is asked.
#[derive(Debug)]
pub struct Canned {
    function: Function,
    gauge: Arc<Gauge>,
    records: Records,
}

#[derive(Debug)]
enum Records {
    Queue(Queue),
    Stream(Stream),
}

/// An answer: status and body.
type Said = (StatusCode, Bytes);

impl Canned {
    /// As the plan has it; records say that they arrived by this clock.
    pub fn new(plan: &Plan, gauge: Arc<Gauge>, clock: Clock) -> Self {
        let counts = gauge.clone();
        let records = match plan.source {
            Source::Queue | Source::Fifo => Records::Queue(Queue::new(plan, counts, &clock)),
            Source::Kinesis | Source::Dynamodb => Records::Stream(Stream::new(plan, counts, clock)),
        };
        Self {
            function: plan.function,
            gauge,
            records,
        }
    }

    /// Where the records come from.
    pub fn source_arn(&self) -> String {
        match &self.records {
            Records::Queue(queue) => queue.arn(),
            Records::Stream(stream) => stream.arn(),
        }
    }

    /// Serve for as long as this is polled.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let answer = move |request| {
            let canned = self.clone();
            async move { canned.answer(request).await }
        };
        loopback::serve(listener, answer).await;
    }

    /// The answer to a request of any service.
    pub async fn answer<B: Body>(&self, request: Request<B>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else {
            return response((StatusCode::BAD_REQUEST, Bytes::new()));
        };
        let body = body.to_bytes();
        let target = head.headers.get("x-amz-target");
        let Some(operation) =
            target.and_then(|target| target.to_str().ok()?.split('.').next_back())
        else {
            return match head.uri.path() {
                path if path.ends_with("/invocations") => self.invoke(&body).await,
                path if path.ends_with("/configuration") => response(configuration()),
                _ => response((StatusCode::NOT_FOUND, Bytes::new())),
            };
        };
        response(match &self.records {
            Records::Queue(queue) => queue.answer(operation, &body).await,
            Records::Stream(stream) => stream.answer(operation, &body),
        })
    }

    async fn invoke(&self, event: &[u8]) -> Response<Full<Bytes>> {
        let number = self.gauge.invoked(event);
        if let Function::Slow(time) = self.function {
            tokio::time::sleep(time).await;
        }
        if self.function.fails(number) {
            let mut failed = response((
                StatusCode::OK,
                Bytes::from_static(b"{\"errorMessage\":\"as asked for\",\"errorType\":\"Bench\"}"),
            ));
            let kind = HeaderValue::from_static("Unhandled");
            failed.headers_mut().insert("x-amz-function-error", kind);
            return failed;
        }
        response((
            StatusCode::OK,
            Bytes::from_static(b"{\"batchItemFailures\":[]}"),
        ))
    }
}

/// GetFunctionConfiguration, as far as anybody reads it.
fn configuration() -> Said {
    let timeout = TIMEOUT.as_secs();
    let body = format!(
        "{{\"FunctionName\":\"bench\",\"Timeout\":{timeout},\"Role\":\"arn:aws:iam::000000000000:role/bench\"}}"
    );
    ok(body)
}

fn ok(body: String) -> Said {
    (StatusCode::OK, Bytes::from(body))
}

/// What nobody has an answer for.
fn unknown(operation: &str) -> Said {
    let body = format!("{{\"__type\":\"UnknownOperationException\",\"message\":\"{operation}\"}}");
    (StatusCode::BAD_REQUEST, Bytes::from(body))
}

fn response((status, body): Said) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/x-amz-json-1.0");
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, json);
    headers.insert(
        "x-amzn-requestid",
        HeaderValue::from_static("00000000-0000-4000-8000-000000000000"),
    );
    response
}
