//! Whole answers of HTTP that no service should give, through the clients that the product has to what the engines get: errors of
//! every protocol, pages of proxies, half answers, compressed ones, answers of other services, bits that were turned. However
//! it comes, nothing panics, nothing is taken for a success that is none, a throttle stays a throttle, and nothing that loses
//! data (a position that is trimmed or expired) is made up.
//!
//! `SLUICEGATE_ANSWERS=n` tries n answers, `SLUICEGATE_ANSWERS_SEED=s` others.

mod draw;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use fastrand::Rng;
use sluicegate::aws::clients::Clients;
use sluicegate::aws::dynamodbstreams::DynamoDbStream;
use sluicegate::aws::fault::{Failure, Fault};
use sluicegate::aws::kinesis::Kinesis;
use sluicegate::aws::kinesis::consumer::Consumer;
use sluicegate::aws::sqs::Queue;
use sluicegate::aws::stream::{ShardIterator, Start};
use sluicegate::clock::Clock;
use sluicegate::config::arn::Arn;
use sluicegate::config::aws::Aws;
use sluicegate::config::mapping::stream::Destination as Configured;
use sluicegate::destination::Destination;
use sluicegate::function::http::Http;
use sluicegate::function::lambda::Lambda;
use sluicegate::function::{Answer, Invoked};
use sluicegate::model::custody::Extension;
use sluicegate::model::on_failure::{Condition, OnFailure, Source};
use sluicegate::model::record::Message;

use crate::support::bars::number;
use draw::{Drawn, Kind};

/// The longest text that an error may bring into a log.
const TEXT_MAX: usize = 300;
const USUAL: u64 = 20_000;
/// For a machine that is slower, or busy: it says how many it tried.
const LONGEST: Duration = Duration::from_secs(110);

/// Answers everything with what was drawn last, or well while nothing was.
#[derive(Clone)]
struct Seam(Arc<Mutex<Option<Drawn>>>);

impl fmt::Debug for Seam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seam")
    }
}

impl HttpConnector for Seam {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let drawn = self.0.lock().unwrap();
        let answer = match &*drawn {
            Some(drawn) => drawn.response(),
            None => well(&request),
        };
        let answer = HttpResponse::try_from(answer).expect("names and values are checked");
        HttpConnectorFuture::ready(Ok(answer))
    }
}

/// What the clients need before anything hostile comes.
fn well(request: &HttpRequest) -> http::Response<SdkBody> {
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    let body = match target.rsplit('.').next() {
        Some("GetQueueUrl") => r#"{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/1/q"}"#,
        Some("GetShardIterator") => r#"{"ShardIterator":"i"}"#,
        other => panic!("{other:?} is not needed"),
    };
    http::Response::new(SdkBody::from(body))
}

/// Everything that is called, once.
struct Callers {
    queue: Queue,
    kinesis: (Kinesis, ShardIterator),
    consumer: Consumer,
    dynamodb: (DynamoDbStream, ShardIterator),
    lambda: Lambda,
    http: Http,
    clients: Clients,
}

fn arn(text: &str) -> Arn {
    text.parse().expect("an ARN")
}

fn clients(seam: &Seam) -> Clients {
    let connector = SharedHttpConnector::new(seam.clone());
    let own = connector.clone();
    let start = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let credentials = Credentials::new("anyone", "anything", None, None, "tests");
    let base = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http_client_fn(move |_, _| own.clone()))
        .time_source(SharedTimeSource::new(Clock::starting_at(start)))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    Clients::new(&Aws::default(), base, connector)
}

/// What a call came to, and what a success of it would need.
struct Came {
    what: &'static str,
    failure: Option<Failure>,
}

impl Callers {
    async fn new(seam: &Seam) -> Self {
        let clients = clients(seam);
        let queue = arn("arn:aws:sqs:us-east-1:111111111111:q");
        let stream = arn("arn:aws:kinesis:us-east-1:111111111111:stream/s");
        let consumer = arn("arn:aws:kinesis:us-east-1:111111111111:stream/s/consumer/c:1");
        let table =
            arn("arn:aws:dynamodb:us-east-1:111111111111:table/t/stream/2026-10-03T09:15:44.310");
        let kinesis = Kinesis::new(&clients, &stream);
        let dynamodb = DynamoDbStream::new(&clients, &table);
        let at = kinesis
            .open("s0", &Start::Horizon)
            .await
            .expect("it is well");
        let place = dynamodb
            .open("s0", &Start::Horizon)
            .await
            .expect("it is well");
        Self {
            queue: Queue::find(&clients, &queue).await.expect("it is well"),
            kinesis: (kinesis, at),
            consumer: Consumer::new(&clients, &stream, &consumer),
            dynamodb: (dynamodb, place),
            lambda: Lambda::new(&clients, "f", None, "us-east-1"),
            http: Http::new(&clients, "http://127.0.0.1:9/", Duration::from_secs(60)),
            clients,
        }
    }

    /// One call, by its number.
    async fn call(&self, number: usize) -> Came {
        let (stream, at) = &self.kinesis;
        let (table, place) = &self.dynamodb;
        let start = Start::Horizon;
        match number {
            0 => came("GetQueueAttributes", self.queue.attributes().await),
            1 => {
                let minute = Duration::from_secs(60);
                let read = |message: Message<'_>| message.body.len();
                came(
                    "ReceiveMessage",
                    self.queue.receive(10, 0, minute, read).await,
                )
            }
            2 => came(
                "DeleteMessageBatch",
                one(self.queue.delete(&["r".into()]).await),
            ),
            3 => {
                let extension = Extension {
                    id: "m".into(),
                    receipt: "r".into(),
                    seconds: 60,
                };
                came(
                    "ChangeMessageVisibilityBatch",
                    one(self.queue.extend(&[extension]).await),
                )
            }
            4 => came("DescribeStreamSummary", stream.describe().await),
            5 => came("ListShards", stream.list_shards().await),
            6 => came("GetShardIterator", stream.open("s0", &start).await),
            7 => came("GetRecords", stream.read(at, 100).await),
            8 => came("DescribeStreamConsumer", self.consumer.active().await),
            9 => came("SubscribeToShard", self.subscribed(&start).await),
            10 => came("DescribeStream", table.describe().await),
            11 => came("DescribeStream of shards", table.list_shards().await),
            12 => came(
                "GetShardIterator of a table",
                table.open("s0", &start).await,
            ),
            13 => came("GetRecords of a table", table.read(place, 100).await),
            14 => came("GetFunctionConfiguration", self.lambda.settings().await),
            15 => invoked(
                "Invoke",
                self.lambda
                    .invoke(Bytes::from_static(b"{}").into(), None)
                    .await,
            ),
            16 => invoked(
                "POST",
                self.http
                    .invoke(Bytes::from_static(b"{}").into(), None)
                    .await,
            ),
            17 => {
                self.delivered(
                    "SendMessage",
                    Configured::Sqs(arn("arn:aws:sqs:us-east-1:111111111111:d")),
                )
                .await
            }
            18 => {
                self.delivered(
                    "Publish",
                    Configured::Sns(arn("arn:aws:sns:us-east-1:111111111111:d")),
                )
                .await
            }
            _ => {
                let bucket = Configured::S3 {
                    arn: "arn:aws:s3:::d".into(),
                    bucket: "d".into(),
                };
                self.delivered("PutObject", bucket).await
            }
        }
    }

    /// The first event of a subscription, or the error that came instead.
    async fn subscribed(&self, start: &Start) -> Result<(), Failure> {
        let mut subscription = self.consumer.subscribe("s0", start).await?;
        match subscription.next().await? {
            Some(_) => Ok(()),
            // It has ended, and nothing came of it.
            None => Err(Failure::unanswered(None)),
        }
    }

    async fn delivered(&self, what: &'static str, to: Configured) -> Came {
        let destination = Destination::new(&self.clients, &to, "us-east-1", "m", false);
        came(what, destination.deliver(&record()).await)
    }
}

const CALLS: usize = 20;

fn came<T>(what: &'static str, result: Result<T, Failure>) -> Came {
    Came {
        what,
        failure: result.err(),
    }
}

/// The one entry of a batch.
fn one(result: Result<Vec<Result<(), Failure>>, Failure>) -> Result<(), Failure> {
    let mut entries = result?;
    assert_eq!(entries.len(), 1, "each entry has its fate");
    entries.remove(0)
}

fn invoked(what: &'static str, invoked: Invoked) -> Came {
    let failure = match invoked.answer {
        Answer::Replied(_) => None,
        Answer::Errored { kind, .. } => Some(Failure::new(Fault::Invalid, "Errored", &kind)),
        Answer::Throttled { after } => {
            Some(Failure::new(Fault::Throttled { after }, "Throttled", ""))
        }
        Answer::Unavailable(failure) | Answer::Refused(failure) => Some(failure),
    };
    Came { what, failure }
}

fn record() -> OnFailure {
    OnFailure {
        request_id: "5d0c7f52".into(),
        function_arn: "arn:aws:lambda:us-east-1:111111111111:function:f".into(),
        condition: Condition::RetryAttemptsExhausted,
        invoke_count: 2,
        response: None,
        at_ms: 1_791_018_944_310,
        source: Source::Kinesis,
        shard: "s0".into(),
        stream_arn: "arn:aws:kinesis:us-east-1:111111111111:stream/clicks".into(),
        records: None,
        window: None,
        event: None,
        object_id: "0d7e2c44".into(),
    }
}

/// What is broken by this outcome of this answer.
fn broken(drawn: &Drawn, came: &Came) -> Option<String> {
    let Some(failure) = &came.failure else {
        // S3 has nothing in the body of its success, and an Http function may answer anything.
        let bodiless = matches!(came.what, "PutObject" | "POST" | "Invoke");
        let success = (200..300).contains(&drawn.status);
        // Who may not look is told so in a way that is no failure: nothing is known of the function then.
        let unknowable = came.what == "GetFunctionConfiguration" && !success;
        // Whatever lacks all that could be in it: no message came, and nothing is known of the function.
        let empty = matches!(came.what, "ReceiveMessage" | "GetFunctionConfiguration");
        let fits = drawn.kind == Kind::Success || bodiless || empty;
        return (!(unknowable || success && fits)).then(|| "taken for a success".to_owned());
    };
    let text = failure.to_string();
    let pieces = [&failure.code, &failure.message];
    if failure.code.is_empty() || pieces.iter().any(|piece| piece.len() > TEXT_MAX) {
        return Some(format!("its text has no bounds: {text}"));
    }
    if text.contains(char::is_control) {
        return Some(format!("its text is not legible: {text:?}"));
    }
    let said = |codes: &[&str]| codes.iter().any(|code| drawn.says(code));
    match failure.fault {
        Fault::Trimmed if !said(&["TrimmedDataAccess"]) => Some("a loss was made up".to_owned()),
        Fault::Expired
            if !said(&["Expired", "ReceiptHandle", "NotInflight", "InvalidIdFormat"]) =>
        {
            Some("an end was made up".to_owned())
        }
        fault if drawn.throttles() && !matches!(fault, Fault::Throttled { .. }) => {
            Some(format!("a throttle became {fault:?}"))
        }
        _ => None,
    }
}

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "the clock of the runtime stands still"
)]
fn whatever_is_answered_becomes_a_fault_that_is_true() {
    let seed = number("SLUICEGATE_ANSWERS_SEED").unwrap_or(1);
    let count = number("SLUICEGATE_ANSWERS").unwrap_or(USUAL);
    let mut rng = Rng::with_seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let (mut tried, mut failures, mut throttles) = (0, 0, 0);
    let began = std::time::Instant::now();
    runtime.block_on(async {
        let seam = Seam(Arc::default());
        let callers = Callers::new(&seam).await;
        for nth in 0..count {
            if began.elapsed() > LONGEST {
                break;
            }
            tried += 1;
            let drawn = draw::drawn(&mut rng);
            *seam.0.lock().unwrap() = Some(drawn.clone());
            let number = rng.usize(..CALLS);
            // A day on the clock of the test takes no time.
            let call = tokio::time::timeout(Duration::from_secs(86_400), callers.call(number));
            let Ok(came) = call.await else {
                panic!("seed {seed}, answer {nth}, call {number}: no end: {drawn:?}");
            };
            if let Some(broken) = broken(&drawn, &came) {
                let what = came.what;
                let failure = came.failure;
                panic!("seed {seed}, answer {nth}, {what}: {broken}: {failure:?} of {drawn:?}");
            }
            failures += u64::from(came.failure.is_some());
            throttles += u64::from(drawn.throttles());
        }
    });
    let spent = began.elapsed();
    use std::io::Write as _;
    writeln!(
        std::io::stderr(),
        "answers: {tried} of {count} in {:.1} s, {failures} of them failures, {throttles} throttles",
        spent.as_secs_f64()
    )
    .unwrap();
    assert!(
        failures > tried / 2 && throttles > tried / 100,
        "{failures}, {throttles}"
    );
}
