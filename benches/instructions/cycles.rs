//! Whole cycles of the real engine and the real SDK clients, in one process and one thread, on a clock that waits for nobody: what
//! `benches/instructions/run` counts instructions and allocations of.
//!
//! ```text
//! instructions CASE CYCLES CYCLES_MAX     lives so many; prints what was allocated
//! instructions --list | --processor       the cases; what libraries choose their code by
//! ```
//!
//! Answers are made before the first cycle, for the most cycles that anybody asks for, so that two runs which differ in CYCLES alone
//! differ by the engine's work alone.

use std::alloc::System;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use sluicegate::aws::clients::Clients;
use sluicegate::checkpoint::{Owner, Store};
use sluicegate::cli::bench::canned::Canned;
use sluicegate::cli::bench::gauge::Gauge;
use sluicegate::cli::bench::plan::{Against, Function, Plan, Source};
use sluicegate::clock::Clock;
use sluicegate::config::Config;
use sluicegate::metrics::Metrics;
use sluicegate::service::{self, Roster, Surroundings};
use sluicegate::status::Status;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The wall clock at the beginning of every run, in seconds since 1970.
const BEGINNING_S: u64 = 1_790_000_000;
/// What is under way when the last invocation has been answered is done after this time.
const SETTLING: Duration = Duration::from_secs(1);

/// What a cycle is.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    source: Source,
    /// Of an answer of the source, which makes a batch.
    records: usize,
    bytes: usize,
}

const CASES: [Case; 6] = [
    Case::new("queue-1", Source::Queue, 1, 256),
    Case::new("queue-10", Source::Queue, 10, 256),
    Case::new("queue-10-of-10KB", Source::Queue, 10, 10_240),
    Case::new("kinesis-100", Source::Kinesis, 100, 1_024),
    Case::new("kinesis-1000", Source::Kinesis, 1_000, 1_024),
    Case::new("dynamodb-100", Source::Dynamodb, 100, 1_024),
];

impl Case {
    const fn new(name: &'static str, source: Source, records: usize, bytes: usize) -> Self {
        Self {
            name,
            source,
            records,
            bytes,
        }
    }

    fn plan(self) -> Plan {
        Plan {
            source: self.source,
            against: Against::Canned,
            record_bytes: Some(self.bytes),
            groups: 1,
            shards: 1,
            function: Function::Fast,
            rate: None,
        }
    }

    /// The call that brings records.
    fn read(self) -> &'static str {
        match self.source {
            Source::Queue | Source::Fifo => "ReceiveMessage",
            Source::Kinesis | Source::Dynamodb => "GetRecords",
        }
    }

    /// The request of the cycle of this number.
    fn asked(self, cycle: usize) -> String {
        match self.source {
            Source::Queue | Source::Fifo => {
                format!("{{\"MaxNumberOfMessages\":{}}}", self.records)
            }
            Source::Kinesis | Source::Dynamodb => format!(
                "{{\"ShardIterator\":\"shardId-000000000000:{}\",\"Limit\":{}}}",
                cycle * self.records,
                self.records
            ),
        }
    }

    fn configuration(self, arn: &str) -> String {
        let own = match self.source {
            Source::Queue | Source::Fifo => "    ScalingConfig: { MaximumConcurrency: 1 }\n",
            Source::Kinesis | Source::Dynamodb => {
                "    StartingPosition: TRIM_HORIZON\n    BisectBatchOnFunctionError: true\n"
            }
        };
        format!(
            "Aws: {{ Region: us-east-1, EndpointUrl: \"http://127.0.0.1:9\" }}
EventSourceMappings:
  - Name: bench
    EventSourceArn: {arn}
    FunctionName: bench
    BatchSize: {}
    FunctionResponseTypes: [ReportBatchItemFailures]
{own}",
            self.records
        )
    }
}

/// What stands where AWS would.
#[derive(Debug)]
struct Server {
    canned: Canned,
    read: &'static str,
    /// Answers to that call; when there are none left, it is never answered again.
    made: Mutex<VecDeque<Bytes>>,
    /// So many invocations are to come.
    left: AtomicU64,
    done: Notify,
}

impl Server {
    async fn new(case: Case, cycles: usize, cycles_max: usize, clock: Clock) -> Self {
        let gauge = Arc::new(Gauge::new(case.source, false));
        let canned = Canned::new(&case.plan(), gauge, clock);
        let mut made = VecDeque::new();
        for cycle in 0..cycles_max {
            let request = Request::builder()
                .header("x-amz-target", format!("Any.{}", case.read()))
                .body(Full::new(Bytes::from(case.asked(cycle))))
                .expect("a request without an address can be made");
            made.push_back(canned.answer(request).await.into_body());
        }
        let mut answers = VecDeque::with_capacity(cycles_max);
        for body in made {
            let body = body.collect().await.expect("it is there already");
            answers.push_back(body.to_bytes());
        }
        answers.truncate(cycles);
        Self {
            canned,
            read: case.read(),
            made: Mutex::new(answers),
            left: AtomicU64::new(cycles as u64),
            done: Notify::new(),
        }
    }

    async fn serve(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request
            .try_into_http1x()
            .map_err(|error| ConnectorError::user(error.into()))?;
        let target = request.headers().get("x-amz-target");
        let reads = target.is_some_and(|target| target.as_bytes().ends_with(self.read.as_bytes()));
        let response = if reads {
            let next = self.made.lock().expect("nothing panics here").pop_front();
            let Some(body) = next else {
                return std::future::pending().await;
            };
            http::Response::new(SdkBody::from(body))
        } else {
            let invoked = request.uri().path().ends_with("/invocations");
            let answer = self.canned.answer(request).await;
            if invoked && self.left.fetch_sub(1, Relaxed) == 1 {
                self.done.notify_one();
            }
            let (head, body) = answer.into_parts();
            let body = body.collect().await.expect("it is there already");
            http::Response::from_parts(head, SdkBody::from(body.to_bytes()))
        };
        HttpResponse::try_from(response).map_err(|error| ConnectorError::user(error.into()))
    }
}

#[derive(Clone, Debug)]
struct Connector(Arc<Server>);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let server = self.0.clone();
        HttpConnectorFuture::new(async move { server.serve(request).await })
    }
}

fn clients(config: &Config, server: &Arc<Server>, clock: &Clock) -> Clients {
    let connector = SharedHttpConnector::new(Connector(server.clone()));
    let own = connector.clone();
    let credentials = Credentials::new("anyone", "anything", None, None, "canned");
    let base = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http_client_fn(move |_, _| own.clone()))
        .time_source(SharedTimeSource::new(clock.clone()))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    Clients::new(&config.aws, base, connector)
}

/// What so many cycles allocate, the engine's start and end among it.
struct Allocated {
    times: usize,
    bytes: usize,
}

async fn live(case: Case, cycles: usize, cycles_max: usize) -> Allocated {
    let clock = Clock::starting_at(SystemTime::UNIX_EPOCH + Duration::from_secs(BEGINNING_S));
    let server = Arc::new(Server::new(case, cycles, cycles_max, clock.clone()).await);
    let text = case.configuration(&server.canned.source_arn());
    let config = Config::parse("bench.yaml", &text, &|_| None).expect("it is valid");
    let roster = Roster::new(config.mappings.clone(), Store::memory());
    let around = Surroundings {
        clients: clients(&config, &server, &clock),
        metrics: Metrics::at(clock.clone()),
        status: Status::default(),
        seed: 7,
        owner: Owner::new("bench"),
        clock,
        grace: Duration::from_secs(6),
    };
    let drain = CancellationToken::new();
    let counted = Region::new(COUNTING);
    let moved = async {
        server.done.notified().await;
        tokio::time::sleep(SETTLING).await;
    };
    tokio::select! {
        biased;
        _ = Box::pin(service::run(&roster, around, drain.clone())) => {}
        () = moved => {}
    }
    let change = counted.change();
    Allocated {
        times: change.allocations + change.reallocations,
        bytes: change.bytes_allocated,
    }
}

fn run(case: Case, cycles: usize, cycles_max: usize) -> Allocated {
    fastrand::seed(7);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without a driver can be had");
    runtime.block_on(live(case, cycles, cycles_max))
}

/// As a bench of its own: what a cycle allocates, by the difference of two runs.
fn table() -> String {
    const FEW: usize = 10;
    const MANY: usize = 30;
    let mut out = format!(
        "{:20} {:>16} {:>16}\n",
        "cycle", "allocations", "of these bytes"
    );
    for case in CASES {
        let (few, many) = (run(case, FEW, MANY), run(case, MANY, MANY));
        let each =
            |few: usize, many: usize| (many as f64 - few as f64) / (MANY as f64 - FEW as f64);
        // Writing into a text does not fail.
        let _ = writeln!(
            out,
            "{:20} {:>16.1} {:>16.0}",
            case.name,
            each(few.times, many.times),
            each(few.bytes, many.bytes)
        );
    }
    out
}

/// What this processor, or the one that valgrind makes up, can do, of that by which libraries choose between their codes.
fn processor() -> String {
    #[cfg(target_arch = "x86_64")]
    let features = [
        ("ssse3", std::arch::is_x86_feature_detected!("ssse3")),
        ("sse4.2", std::arch::is_x86_feature_detected!("sse4.2")),
        (
            "pclmulqdq",
            std::arch::is_x86_feature_detected!("pclmulqdq"),
        ),
        ("avx", std::arch::is_x86_feature_detected!("avx")),
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("bmi2", std::arch::is_x86_feature_detected!("bmi2")),
        ("adx", std::arch::is_x86_feature_detected!("adx")),
        ("sha", std::arch::is_x86_feature_detected!("sha")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let features: [(&str, bool); 0] = [];
    let there = features.iter().filter(|(_, there)| *there);
    let names: Vec<&str> = there.map(|(name, _)| *name).collect();
    format!("{} {}", std::env::consts::ARCH, names.join(" "))
}

/// What is to be said to these arguments; none to wrong ones.
fn said(arguments: &[&str]) -> Option<String> {
    match arguments {
        [] | ["--bench"] => Some(table()),
        ["--list"] => Some(CASES.map(|case| format!("{}\n", case.name)).concat()),
        ["--processor"] => Some(processor() + "\n"),
        [name, cycles, cycles_max] => {
            let case = CASES.iter().find(|case| case.name == *name)?;
            let allocated = run(*case, cycles.parse().ok()?, cycles_max.parse().ok()?);
            let Allocated { times, bytes } = allocated;
            Some(format!("{{\"allocations\":{times},\"bytes\":{bytes}}}\n"))
        }
        _ => None,
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let written = match said(&words) {
        Some(text) => std::io::stdout().write_all(text.as_bytes()),
        None => Err(std::io::ErrorKind::InvalidInput.into()),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
