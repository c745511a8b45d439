//! One request in, one answer out: the way of every call, whether it came over TCP or in process.

use std::{
    fmt,
    future::pending,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use hyper::body::{Frame, SizeHint};

use super::{
    crash::Moment,
    dynamodb,
    faults::{Fault, Operation},
    kinesis::{self, KinesisOperation},
    lambda,
    machine::{self, Metadata},
    s3, sns, sqs,
    world::{World, uuid},
};

/// A request whose body has arrived.
pub(super) type Request = http::Request<Bytes>;

/// What comes back.
#[derive(Debug)]
pub(super) enum Answer {
    /// An HTTP response, perhaps with a broken body.
    Response(http::Response<Body>),
    /// The connection is reset.
    Reset,
    /// The connection was never opened.
    Unconnected,
}

/// A body that may end badly.
#[derive(Debug)]
pub(super) struct Body {
    /// What is still to be sent.
    rest: Bytes,
    /// How many bytes the head promised and will not come.
    missing: usize,
    ending: BodyEnd,
    /// What comes after `rest` if it ends whole.
    feed: Option<Feed>,
}

/// The frames of an answer that goes on for as long as its service likes.
pub(super) struct Feed(Pin<Box<dyn Stream<Item = Bytes> + Send + Sync>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyEnd {
    Whole,
    /// What was sent is still to be flushed.
    Cutting,
    Cut,
    Stalled,
}

/// Whom a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    Sqs,
    Lambda,
    Kinesis(KinesisOperation),
    DynamoDb,
    Sns,
    S3,
    /// The machine's own metadata service: no part of the region.
    Metadata(Metadata),
}

/// Answers one request. `life` is that of the connector which sent it; a crash in between leaves it without answer for ever.
pub(super) async fn answer(world: &World, life: Option<u64>, request: Request) -> Answer {
    let (service, operation) = route(&request);
    if life.is_some() {
        world.trace_request(&request);
    }
    if let Service::Metadata(asked) = service {
        return machine::answer(world, asked).await;
    }
    if life.is_some() {
        world.called(operation);
    }
    world.pass(life, operation, Moment::BeforeEffect).await;
    let fault = match life.and_then(|_| world.unfit(&request)) {
        Some(unfit) => Some(world.happened(operation, unfit)),
        None => world.draw_fault(operation),
    };
    if let Some(answer) = refuse(world, service, fault).await {
        return answer;
    }
    let (response, feed) = match service {
        Service::Sqs => (sqs::call(world, operation, request, fault).await, None),
        Service::Lambda => (lambda::call(world, operation, request).await, None),
        Service::Kinesis(operation) => kinesis::call(world, life, operation, &request, fault),
        Service::DynamoDb => (dynamodb::call(world, operation, &request, fault), None),
        Service::Sns => (sns::call(world, operation, &request), None),
        Service::S3 => (s3::call(world, operation, &request), None),
        Service::Metadata(_) => return Answer::Reset,
    };
    if life.is_some() {
        world.trace_response(&response);
    }
    world.pass(life, operation, Moment::AfterEffect).await;
    let answer = distort(world, response, fault).await.fed(feed);
    world.pass(life, operation, Moment::Delivered).await;
    answer
}

/// The JSON services name their operation in a header, SNS in a form, Lambda in the path, S3 by the method. What nobody knows is
/// answered as by SQS.
fn route(request: &Request) -> (Service, Operation) {
    let target = request
        .headers()
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    if let Some((prefix, name)) = target.and_then(|target| target.split_once('.')) {
        return match prefix {
            "DynamoDB_20120810" => (Service::DynamoDb, Operation::of_dynamodb(name)),
            "DynamoDBStreams_20120810" => (Service::DynamoDb, Operation::of_dynamodb_streams(name)),
            "Kinesis_20131202" => KinesisOperation::named(name)
                .map_or((Service::Sqs, Operation::Unknown), |operation| {
                    (Service::Kinesis(operation), Operation::Kinesis(operation))
                }),
            "AmazonSQS" => (Service::Sqs, Operation::of_sqs(name)),
            _ => (Service::Sqs, Operation::Unknown),
        };
    }
    if let Some(asked) = machine::asked(request) {
        return (Service::Metadata(asked), Operation::Unknown);
    }
    if let Some(operation) = sns::operation(request) {
        return (Service::Sns, operation);
    }
    if s3::is_ours(request) {
        return (Service::S3, s3::operation(request));
    }
    match lambda::operation(request) {
        Operation::Unknown => (Service::Sqs, Operation::Unknown),
        operation => (Service::Lambda, operation),
    }
}

/// The faults that keep a request from its effect.
async fn refuse(world: &World, service: Service, fault: Option<Fault>) -> Option<Answer> {
    let (status, code, message) = match fault? {
        Fault::Throttled if service == Service::Lambda => {
            return Some(Answer::Response(whole(lambda::throttled(
                "CallerRateLimitExceeded",
            ))));
        }
        Fault::Throttled if let Service::Kinesis(operation) = service => {
            return Some(Answer::Response(whole(kinesis::error::throttled(
                operation,
            ))));
        }
        Fault::Throttled => (
            400,
            "RequestThrottled",
            "The request was denied due to request throttling.",
        ),
        Fault::InternalError => (
            500,
            "InternalFailure",
            "We encountered an internal error. Please try again.",
        ),
        Fault::Unavailable => (
            503,
            "ServiceUnavailable",
            "The service is unavailable. Please try again.",
        ),
        Fault::AccessDenied => (
            403,
            "AccessDeniedException",
            "User is not authorized to perform this action.",
        ),
        Fault::ExpiredToken => (
            403,
            "ExpiredTokenException",
            "The security token included in the request is expired",
        ),
        // API: IAM User Guide, Troubleshoot Signature Version 4: within 5 minutes, in S3 within 15
        Fault::RequestTimeTooSkewed => (
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        ),
        Fault::BareUnavailable => {
            return Some(Answer::Response(whole(response(
                503,
                "text/plain",
                Bytes::new(),
            ))));
        }
        Fault::ProxyHtml => {
            let page = "<html><body><h1>502 Bad Gateway</h1></body></html>";
            return Some(Answer::Response(whole(response(
                502,
                "text/html",
                page.into(),
            ))));
        }
        Fault::ResetBefore => return Some(Answer::Reset),
        Fault::ConnectHangs => return Some(Answer::Unconnected),
        Fault::NeverAnswers => pending().await,
        // The rest happens with the effect or after it.
        Fault::ResetAfter
        | Fault::AnswerLost
        | Fault::Slow
        | Fault::StalledBody
        | Fault::TruncatedBody
        | Fault::MalformedJson
        | Fault::InvalidUtf8
        | Fault::WrongContentType
        | Fault::DuplicateDelivery
        | Fault::EarlyVisibility
        | Fault::EmptyReceive
        | Fault::WrongMd5
        | Fault::MissingBody
        | Fault::MissingReceipt
        | Fault::OverLimit
        | Fault::PartialRetryable
        | Fault::PartialFinal
        | Fault::ReceiptHandleInvalid
        | Fault::VisibilityCap
        | Fault::IteratorExpired
        | Fault::TrimmedPosition
        | Fault::ReadThrottled
        | Fault::EmptyRead
        | Fault::IncompleteListing
        | Fault::BrokenEventStream
        | Fault::SilentEventStream
        | Fault::NextTokenExpired
        | Fault::ReadsSpent
        | Fault::BytesSpent => return None,
    };
    let mut refusal = match service {
        Service::Sqs => sqs::error::plain(status, code, message),
        Service::Lambda => lambda::error(status, code, message),
        Service::Kinesis(_) => kinesis::error::plain(status, code, message),
        Service::DynamoDb => dynamodb::error::plain(code, message),
        Service::Sns => sns::plain(code, message),
        Service::S3 => s3::plain(code, message),
        Service::Metadata(_) => return None,
    };
    stamp(world, &mut refusal);
    Some(Answer::Response(whole(refusal)))
}

/// The faults that spoil an answer after the effect.
async fn distort(
    world: &World,
    mut response: http::Response<Bytes>,
    fault: Option<Fault>,
) -> Answer {
    stamp(world, &mut response);
    match fault {
        Some(Fault::ResetAfter) => return Answer::Reset,
        Some(Fault::AnswerLost) => pending().await,
        Some(Fault::Slow) => tokio::time::sleep(world.draw_slowness()).await,
        Some(Fault::WrongContentType) => {
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        }
        Some(Fault::MalformedJson) => response = response.map(|body| body.slice(..body.len() / 2)),
        Some(Fault::InvalidUtf8) => {
            response = response.map(|_| Bytes::from_static(b"{\"\xff\":\"\xc3\x28\"}"))
        }
        Some(Fault::TruncatedBody) => {
            return Answer::Response(response.map(|body| Body::half(&body, BodyEnd::Cutting)));
        }
        Some(Fault::StalledBody) => {
            return Answer::Response(response.map(|body| Body::half(&body, BodyEnd::Stalled)));
        }
        _ => {}
    }
    Answer::Response(whole(response))
}

/// A response that arrives unharmed.
pub(super) fn whole(response: http::Response<Bytes>) -> http::Response<Body> {
    response.map(|rest| Body {
        rest,
        missing: 0,
        ending: BodyEnd::Whole,
        feed: None,
    })
}

/// Every answer of AWS carries the id of its request; an invocation has its own already.
fn stamp(world: &World, response: &mut http::Response<Bytes>) {
    if response.headers().contains_key("x-amzn-requestid") {
        return;
    }
    let id = uuid(&mut world.lock().rng);
    set_header(response, HeaderName::from_static("x-amzn-requestid"), &id);
}

/// A response with a content type and a body.
pub(super) fn response(
    status: u16,
    content_type: &'static str,
    body: Bytes,
) -> http::Response<Bytes> {
    let mut response = http::Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Sets a header; characters that a header cannot hold become `?`.
pub(super) fn set_header(response: &mut http::Response<Bytes>, name: HeaderName, value: &str) {
    let clean: String = value
        .chars()
        .map(|c| if matches!(c, ' '..='~') { c } else { '?' })
        .collect();
    if let Ok(value) = HeaderValue::try_from(clean) {
        response.headers_mut().insert(name, value);
    }
}

impl Body {
    fn half(body: &Bytes, ending: BodyEnd) -> Self {
        let rest = body.slice(..body.len() / 2);
        // An empty body cannot break off: it promises one byte that never comes.
        Self {
            missing: (body.len() - rest.len()).max(1),
            rest,
            ending,
            feed: None,
        }
    }
}

impl Answer {
    /// The same answer, with what follows its body.
    fn fed(self, feed: Option<Feed>) -> Self {
        match self {
            Self::Response(response) => Self::Response(response.map(|body| Body { feed, ..body })),
            Self::Reset | Self::Unconnected => self,
        }
    }
}

impl Feed {
    pub(super) fn new(frames: impl Stream<Item = Bytes> + Send + Sync + 'static) -> Self {
        // A reader may ask once more after the end.
        Self(Box::pin(frames.fuse()))
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Feed").finish_non_exhaustive()
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.rest)))));
        }
        match self.ending {
            BodyEnd::Whole => match &mut self.feed {
                None => Poll::Ready(None),
                Some(feed) => feed
                    .0
                    .poll_next_unpin(context)
                    .map(|frame| frame.map(|bytes| Ok(Frame::data(bytes)))),
            },
            // An error drops what is not flushed yet; waiting once lets the first half out.
            BodyEnd::Cutting => {
                self.ending = BodyEnd::Cut;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            BodyEnd::Cut => Poll::Ready(Some(Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "connection closed inside the body",
            )))),
            // Nobody will wake the reader: its own time-out or the end of the connection must.
            BodyEnd::Stalled => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.ending == BodyEnd::Whole && self.feed.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.ending == BodyEnd::Whole && self.feed.is_some() {
            return SizeHint::new();
        }
        SizeHint::with_exact((self.rest.len() + self.missing) as u64)
    }
}
