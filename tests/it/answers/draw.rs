//! Answers, drawn: a status, headers and a body of a kind, and then perhaps some damage.

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use fastrand::Rng;
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;

/// What an answer was made of, before any damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An error of a JSON protocol, of XML, of a header alone.
    Error,
    /// A good answer of some service, to whatever call.
    Success,
    /// Neither.
    Foreign,
}

/// An answer. Its kind is `Success` where damage may have made one.
#[derive(Clone)]
pub struct Drawn {
    pub status: u16,
    pub kind: Kind,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// The connection ends after so much of the body.
    cut: Option<usize>,
    /// The code that the answer names, where it is whole.
    code: Option<&'static str>,
}

impl std::fmt::Debug for Drawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = &self.body[..self.body.len().min(400)];
        f.debug_struct("Drawn")
            .field("status", &self.status)
            .field("kind", &self.kind)
            .field("headers", &self.headers)
            .field("body", &String::from_utf8_lossy(shown))
            .field("bytes", &self.body.len())
            .field("cut", &self.cut)
            .field("code", &self.code)
            .finish()
    }
}

const STATUSES: [u16; 34] = [
    200, 200, 200, 201, 202, 204, 206, 301, 302, 304, 307, 308, 400, 400, 400, 401, 403, 403, 404,
    405, 408, 409, 410, 413, 415, 429, 431, 500, 500, 502, 503, 503, 504, 599,
];

const THROTTLES: [&str; 9] = [
    "ThrottlingException",
    "Throttling",
    "RequestThrottled",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "SlowDown",
    "KMSThrottlingException",
];

const CODES: [&str; 22] = [
    "AccessDenied",
    "AccessDeniedException",
    "AWS.SimpleQueueService.NonExistentQueue",
    "ExpiredIteratorException",
    "ExpiredNextTokenException",
    "ExpiredTokenException",
    "InternalFailure",
    "InternalServerError",
    "InvalidArgumentException",
    "InvalidParameterValue",
    "InvalidSignatureException",
    "NoSuchBucket",
    "NotFound",
    "QueueDoesNotExist",
    "ReceiptHandleIsInvalid",
    "RequestTimeTooSkewed",
    "ResourceInUseException",
    "ResourceNotFoundException",
    "ServiceUnavailable",
    "SomethingNew",
    "TrimmedDataAccessException",
    "ValidationException",
];

const SUCCESSES: [&str; 16] = [
    "{}",
    "",
    r#"{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/1/q"}"#,
    r#"{"Attributes":{"VisibilityTimeout":"30","ApproximateNumberOfMessages":"3"}}"#,
    r#"{"Messages":[{"MessageId":"a","ReceiptHandle":"r","Body":"b","MD5OfBody":"92eb5ffee6ae2fec3ad71c777531578f","Attributes":{"SentTimestamp":"1790000000000","ApproximateReceiveCount":"1","SenderId":"s","ApproximateFirstReceiveTimestamp":"1790000000001"}}]}"#,
    r#"{"Successful":[{"Id":"0"}],"Failed":[]}"#,
    r#"{"Successful":[],"Failed":[{"Id":"0","Code":"InternalError","Message":"no","SenderFault":false}]}"#,
    r#"{"MessageId":"a","MD5OfMessageBody":"92eb5ffee6ae2fec3ad71c777531578f"}"#,
    r#"{"StreamDescriptionSummary":{"StreamName":"s","StreamARN":"arn:aws:kinesis:us-east-1:111111111111:stream/s","StreamStatus":"ACTIVE","RetentionPeriodHours":24,"StreamCreationTimestamp":1.79E9,"EnhancedMonitoring":[],"OpenShardCount":1}}"#,
    r#"{"Shards":[{"ShardId":"s0","HashKeyRange":{"StartingHashKey":"0","EndingHashKey":"1"},"SequenceNumberRange":{"StartingSequenceNumber":"1"}}],"NextToken":"t"}"#,
    r#"{"ShardIterator":"i"}"#,
    r#"{"Records":[{"SequenceNumber":"1","ApproximateArrivalTimestamp":1.79E9,"Data":"aGVsbG8=","PartitionKey":"k"}],"NextShardIterator":"i","MillisBehindLatest":0}"#,
    r#"{"ConsumerDescription":{"ConsumerName":"c","ConsumerARN":"arn","ConsumerStatus":"ACTIVE","ConsumerCreationTimestamp":1.79E9,"StreamARN":"arn"}}"#,
    r#"{"StreamDescription":{"StreamArn":"a","StreamLabel":"l","StreamStatus":"ENABLED","StreamViewType":"NEW_IMAGE","CreationRequestDateTime":1.79E9,"TableName":"t","KeySchema":[],"Shards":[{"ShardId":"s0","SequenceNumberRange":{"StartingSequenceNumber":"1"}}]}}"#,
    r#"{"Records":[{"eventID":"e","eventName":"INSERT","dynamodb":{"Keys":{"id":{"S":"a"}},"NewImage":{"id":{"S":"a"},"l":{"L":[{"M":{"n":{"N":"1"}}}]}},"SequenceNumber":"1","SizeBytes":3,"StreamViewType":"NEW_IMAGE"}}],"NextShardIterator":"i"}"#,
    r#"<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>a</MessageId></PublishResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishResponse>"#,
];

/// `{"__type":"ThrottlingException"}` as gzip has it.
const GZIPPED: [u8; 52] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0xff, 0xab, 0x56, 0x8a, 0x8f, 0x2f, 0xa9,
    0x2c, 0x48, 0x55, 0xb2, 0x52, 0x0a, 0xc9, 0x28, 0xca, 0x2f, 0x29, 0xc9, 0xc9, 0xcc, 0x4b, 0x77,
    0xad, 0x48, 0x4e, 0x2d, 0x28, 0xc9, 0xcc, 0xcf, 0x53, 0xaa, 0x05, 0x00, 0x0e, 0x1d, 0x30, 0x2b,
    0x21, 0x00, 0x00, 0x00,
];

/// The next answer.
pub fn drawn(rng: &mut Rng) -> Drawn {
    let mut drawn = Drawn {
        status: STATUSES[rng.usize(..STATUSES.len())],
        kind: Kind::Foreign,
        headers: Vec::new(),
        body: Vec::new(),
        cut: None,
        code: None,
    };
    match rng.u32(..8) {
        0..4 => error(&mut drawn, rng),
        4..6 => {
            drawn.kind = Kind::Success;
            drawn.body = SUCCESSES[rng.usize(..SUCCESSES.len())].into();
        }
        _ => foreign(&mut drawn, rng),
    }
    headers(&mut drawn, rng);
    if rng.u32(..3) == 0 {
        damage(&mut drawn, rng);
    }
    // As good as `{}`, in every protocol.
    if drawn.body.is_empty() {
        drawn.kind = Kind::Success;
    }
    drawn
}

fn words(rng: &mut Rng) -> String {
    match rng.u32(..6) {
        0 => String::new(),
        1 => "x".repeat(rng.usize(..100_000)),
        2 => "é\u{202e}\\n\\u0000\\u001b[31m".repeat(rng.usize(1..50)),
        3 => "TrimmedDataAccess of nothing".to_owned(),
        _ => "Rate exceeded".to_owned(),
    }
}

fn error(drawn: &mut Drawn, rng: &mut Rng) {
    drawn.kind = Kind::Error;
    let code = match rng.bool() {
        true => THROTTLES[rng.usize(..THROTTLES.len())],
        false => CODES[rng.usize(..CODES.len())],
    };
    drawn.code = Some(code);
    let words = words(rng);
    let spaced = match rng.u32(..3) {
        0 => format!("com.amazonaws.sqs#{code}"),
        _ => code.to_owned(),
    };
    // Every protocol's own form: a JSON service does not read XML, nor the other way.
    let json = format!(r#"{{"__type":"{spaced}","message":"{words}"}}"#);
    match rng.u32(..7) {
        0 => {
            drawn.headers.push(("x-amzn-errortype", spaced));
            drawn.body = format!(r#"{{"Message":"{words}"}}"#).into();
        }
        1 => {
            drawn.headers.push(("x-amzn-errortype", format!("{code}:http://internal.amazon.com/coral/")));
            drawn.body = json.into();
        }
        2 => {
            drawn.headers.push(("x-amzn-query-error", format!("{code};Sender")));
            drawn.body = json.into();
        }
        3 => drawn.body = format!("<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{words}</Message></Error><RequestId>r</RequestId></ErrorResponse>").into(),
        4 => drawn.body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{words}</Message></Error>").into(),
        _ => drawn.body = json.into(),
    }
}

fn foreign(drawn: &mut Drawn, rng: &mut Rng) {
    drawn.body = match rng.u32(..9) {
        0 => b"<html><body><h1>502 Bad Gateway</h1></body></html>".to_vec(),
        1 => GZIPPED.to_vec(),
        2 => (0..rng.usize(..4096)).map(|_| rng.u8(..)).collect(),
        3 => "[".repeat(rng.usize(..20_000)).into(),
        4 => r#"{"a":"#.repeat(rng.usize(..20_000)).into(),
        5 => "<a>".repeat(rng.usize(..20_000)).into(),
        6 => b"null".to_vec(),
        7 => b"\"\\ud800\"".to_vec(),
        _ => b"upstream connect error or disconnect/reset before headers".to_vec(),
    };
}

fn headers(drawn: &mut Drawn, rng: &mut Rng) {
    let types = [
        "application/x-amz-json-1.0",
        "application/x-amz-json-1.1",
        "application/json",
        "text/xml",
        "text/html; charset=utf-8",
        "application/vnd.amazon.eventstream",
        "",
    ];
    let content_type = types[rng.usize(..types.len())];
    drawn
        .headers
        .push(("content-type", content_type.to_owned()));
    let afters = [
        "1",
        "0",
        "99999999999999999999",
        "-1",
        "soon",
        "Wed, 21 Oct 2026 07:28:00 GMT",
    ];
    for (name, value) in [
        ("retry-after", afters[rng.usize(..afters.len())]),
        ("content-encoding", "gzip"),
        ("x-amz-function-error", "Unhandled"),
        ("x-amzn-requestid", "\u{7f}"),
        ("date", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("location", "http://169.254.169.254/"),
        ("x-amz-log-result", "????"),
        ("transfer-encoding", "chunked"),
        ("content-length", "3"),
    ] {
        if rng.u32(..6) == 0 {
            drawn.headers.push((name, value.to_owned()));
        }
    }
}

/// A body that was spoilt on the way. What it says then is not known.
fn damage(drawn: &mut Drawn, rng: &mut Rng) {
    let length = drawn.body.len();
    match rng.u32(..4) {
        0 => drawn.cut = Some(rng.usize(..=length)),
        1 => drawn.body.truncate(rng.usize(..=length)),
        2 => {
            for _ in 0..rng.usize(1..8) {
                if let Some(byte) = rng.choice(0..length).and_then(|at| drawn.body.get_mut(at)) {
                    *byte ^= 1 << rng.u8(..8);
                }
            }
        }
        _ => {
            let again = drawn.body.clone();
            drawn.body.extend(again);
        }
    }
    drawn.code = None;
}

impl Drawn {
    pub fn response(&self) -> http::Response<SdkBody> {
        let mut response = http::Response::builder().status(self.status);
        for (name, value) in &self.headers {
            if let Ok(value) = http::HeaderValue::from_bytes(value.as_bytes()) {
                response = response.header(*name, value);
            }
        }
        let body = match self.cut {
            None => SdkBody::from(self.body.clone()),
            Some(at) => {
                let part = Bytes::copy_from_slice(&self.body[..at]);
                let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
                let frames = [Ok(Frame::data(part)), Err(reset)];
                SdkBody::from_body_1_x(StreamBody::new(stream::iter(frames)))
            }
        };
        response.body(body).expect("a status, and headers that fit")
    }

    /// Whether this stands anywhere in it.
    pub fn says(&self, text: &str) -> bool {
        let in_body = self
            .body
            .windows(text.len())
            .any(|part| part == text.as_bytes());
        in_body || self.headers.iter().any(|(_, value)| value.contains(text))
    }

    /// Every protocol reads a throttle from it: by the status alone, where no code says anything else.
    pub fn throttles(&self) -> bool {
        let named = self
            .headers
            .iter()
            .any(|(name, _)| name.starts_with("x-amzn-err"));
        self.status == 429 && self.kind == Kind::Foreign && !named && self.cut.is_none()
            || self.status == 429 && self.code.is_some_and(|code| THROTTLES.contains(&code))
    }
}
