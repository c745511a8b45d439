//! An AWS to test against, whoever wrote it: one endpoint for every service, empty at the start.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, FunctionCode, Runtime};
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use sluicegate::clock::Clock;
use sluicegate::sim::{FunctionConfig, Settings, World, serve};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::collector::Collector;
use crate::support::gate::Config;
use crate::support::kinesis_mock::{KinesisMock, SCRIPT};
use crate::support::ministack::{Ministack, PROGRAM};
use crate::support::queue::{Queue, QueueShape};
use crate::support::stream::{Stream, Table};
use crate::support::zip;

/// The region of everything in a test.
pub const REGION: &str = "us-east-1";

/// The account of everything in a test.
pub const ACCOUNT: &str = "000000000000";

/// A function that outlives this is ended by Lambda.
const FUNCTION_TIMEOUT_S: u16 = 10;

/// The cloud. What runs for it ends when it is dropped.
pub struct Cloud {
    /// `Aws.EndpointUrl` of a configuration, or `AWS_ENDPOINT_URL`. Any credentials will do.
    pub endpoint: String,
    /// Where Kinesis is, if not there.
    kinesis_endpoint: Option<String>,
    pub sqs: aws_sdk_sqs::Client,
    pub lambda: aws_sdk_lambda::Client,
    pub kinesis: aws_sdk_kinesis::Client,
    server: Server,
}

enum Server {
    Ministack {
        _process: Box<Ministack>,
        _kinesis: Option<Box<KinesisMock>>,
    },
    Embedded {
        world: World,
        functions: Mutex<BTreeMap<String, (String, Duration)>>,
        running: JoinSet<()>,
    },
}

impl Cloud {
    /// ministack, started for this test alone; none where the environment does not name its program.
    pub async fn ministack() -> Option<Self> {
        let program = std::env::var_os(PROGRAM)?;
        let server = Ministack::start(program.as_ref()).await;
        let endpoint = server.endpoint.clone();
        let server = Server::Ministack {
            _process: Box::new(server),
            _kinesis: None,
        };
        Some(Self::at(endpoint, None, server))
    }

    /// ministack, with kinesis-mock for Kinesis; none where the environment does not name the first one's program.
    pub async fn others_with_kinesis() -> Option<Self> {
        let program = std::env::var_os(PROGRAM)?;
        let script = std::env::var_os(SCRIPT).expect("whoever names ministack names kinesis-mock");
        let (server, kinesis) = tokio::join!(
            Ministack::start(program.as_ref()),
            KinesisMock::start(script.as_ref())
        );
        let (endpoint, at) = (server.endpoint.clone(), kinesis.endpoint.clone());
        let server = Server::Ministack {
            _process: Box::new(server),
            _kinesis: Some(Box::new(kinesis)),
        };
        Some(Self::at(endpoint, Some(at), server))
    }

    /// A configuration without mappings that finds everything here.
    pub fn config(&self) -> Config {
        let config = Config::at(&self.endpoint);
        match &self.kinesis_endpoint {
            Some(endpoint) => config.kinesis(endpoint),
            None => config,
        }
    }

    /// Where Kinesis is.
    pub fn kinesis_endpoint(&self) -> &str {
        self.kinesis_endpoint.as_ref().unwrap_or(&self.endpoint)
    }

    /// A new stream.
    pub async fn stream(&self, name: &str, shards: i32) -> Stream {
        Stream::create(&self.kinesis, name, shards).await
    }

    /// A new table with a stream, whose key is the text `id`.
    pub async fn table(&self, name: &str) -> Table {
        Table::create(&self.endpoint, name).await
    }

    /// Our embedded AWS on a free port of the loopback address.
    pub async fn embedded() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let mut cloud = Self::behind(listener.local_addr().expect("a bound address"));
        cloud.open(listener);
        cloud
    }

    /// Our embedded AWS at this address, where nobody listens yet.
    pub fn behind(address: SocketAddr) -> Self {
        // Records have ages, and the program has the machine's clock.
        let world = World::with(Settings {
            seed: 1,
            epoch: Duration::from_millis(Clock::machine().now_ms()),
            ..Settings::default()
        });
        Self::at(
            format!("http://{address}"),
            None,
            Server::Embedded {
                world,
                functions: Mutex::default(),
                running: JoinSet::new(),
            },
        )
    }

    /// Our embedded AWS answers here from now on.
    pub fn open(&mut self, listener: TcpListener) {
        let world = self.world().clone();
        if let Server::Embedded { running, .. } = &mut self.server {
            running.spawn(serve(listener, world, CancellationToken::new()));
        }
    }

    /// Our embedded AWS answers nowhere from now on, and what it was asked is answered no more. It forgets nothing.
    pub async fn shut(&mut self) {
        if let Server::Embedded { running, .. } = &mut self.server {
            running.shutdown().await;
        }
    }

    /// What is in our embedded AWS.
    pub fn world(&self) -> &World {
        self.own_world()
            .expect("the world of others cannot be looked into")
    }

    /// What is in our embedded AWS, if this is it.
    pub fn own_world(&self) -> Option<&World> {
        match &self.server {
            Server::Embedded { world, .. } => Some(world),
            Server::Ministack { .. } => None,
        }
    }

    fn at(endpoint: String, kinesis_endpoint: Option<String>, server: Server) -> Self {
        let config = sdk_config(&endpoint);
        let kinesis = sdk_config(kinesis_endpoint.as_ref().unwrap_or(&endpoint));
        Self {
            kinesis: aws_sdk_kinesis::Client::new(&kinesis),
            kinesis_endpoint,
            sqs: aws_sdk_sqs::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
            endpoint,
            server,
        }
    }

    /// A new queue.
    pub async fn queue(&self, name: &str, shape: QueueShape) -> Queue {
        Queue::create(&self.sqs, name, &shape).await
    }

    /// A new function that does what the collector says within 10 s; its ARN.
    pub async fn function(&self, name: &str, collector: &Collector) -> String {
        self.function_within(name, collector, FUNCTION_TIMEOUT_S)
            .await
    }

    /// A new function that does what the collector says within so many seconds; its ARN.
    pub async fn function_within(
        &self,
        name: &str,
        collector: &Collector,
        timeout_s: u16,
    ) -> String {
        let url = collector.url(name);
        match &self.server {
            Server::Ministack { .. } => self.forwarder(name, url, timeout_s).await,
            Server::Embedded {
                world, functions, ..
            } => {
                let timeout = Duration::from_secs(timeout_s.into());
                register(world, name, &url, timeout, None);
                functions
                    .lock()
                    .expect("no test panics while it holds this")
                    .insert(name.to_owned(), (url, timeout));
                format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
            }
        }
    }

    /// From now on every call of the function is refused with 429, or none is any more.
    pub async fn throttle(&self, name: &str, throttled: bool) {
        match (&self.server, throttled) {
            (Server::Ministack { .. }, true) => {
                let request = self.lambda.put_function_concurrency().function_name(name);
                request
                    .reserved_concurrent_executions(0)
                    .send()
                    .await
                    .expect("a function is throttled");
            }
            (Server::Ministack { .. }, false) => {
                let request = self
                    .lambda
                    .delete_function_concurrency()
                    .function_name(name);
                request.send().await.expect("a function is freed");
            }
            (
                Server::Embedded {
                    world, functions, ..
                },
                throttled,
            ) => {
                let functions = functions
                    .lock()
                    .expect("no test panics while it holds this");
                let (url, timeout) = &functions[name];
                register(world, name, url, *timeout, throttled.then_some(0));
            }
        }
    }

    /// A Lambda function whose code hands its events on.
    async fn forwarder(&self, name: &str, url: String, timeout_s: u16) -> String {
        let source = include_bytes!("../../support/forwarder.py");
        let code = FunctionCode::builder()
            .zip_file(Blob::new(zip::archive("forwarder.py", source)))
            .build();
        let environment = Environment::builder()
            .variables("COLLECTOR_URL", url)
            .build();
        let created = self
            .lambda
            .create_function()
            .function_name(name)
            .runtime(Runtime::Python312)
            .handler("forwarder.handler")
            .role(format!("arn:aws:iam::{ACCOUNT}:role/function"))
            .timeout(timeout_s.into())
            .code(code)
            .environment(environment)
            .send()
            .await;
        created
            .expect("a function is made")
            .function_arn
            .expect("a function has an ARN")
    }
}

fn register(world: &World, name: &str, url: &str, timeout: Duration, concurrency: Option<u32>) {
    let config = FunctionConfig {
        timeout,
        concurrency,
        ..FunctionConfig::default()
    };
    world
        .register_http(name, config, url)
        .expect("a collector's URL is absolute");
}

/// What all clients share: no TLS, no retries of their own.
pub fn sdk_config(endpoint: &str) -> aws_config::SdkConfig {
    aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "test", "test", None, None, "tests",
        )))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .build()
}
