//! An AWS to test against, whoever wrote it: one endpoint for every service, empty at the start.

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, FunctionCode, Runtime};
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};

use crate::support::collector::Collector;
use crate::support::ministack::{Ministack, PROGRAM};
use crate::support::queue::{Queue, QueueShape};
use crate::support::zip;

/// The region of everything in a test.
pub const REGION: &str = "us-east-1";

/// A function that outlives this is ended by Lambda.
const FUNCTION_TIMEOUT_S: i32 = 10;

/// The cloud. What runs for it ends when it is dropped.
pub struct Cloud {
    /// `Aws.EndpointUrl` of a configuration, or `AWS_ENDPOINT_URL`. Any credentials will do.
    pub endpoint: String,
    pub sqs: aws_sdk_sqs::Client,
    pub lambda: aws_sdk_lambda::Client,
    _server: Ministack,
}

impl Cloud {
    /// ministack, started for this test alone; none where the environment does not name its program.
    pub async fn ministack() -> Option<Self> {
        let program = std::env::var_os(PROGRAM)?;
        let server = Ministack::start(program.as_ref()).await;
        let endpoint = server.endpoint.clone();
        let config = sdk_config(&endpoint);
        Some(Self {
            sqs: aws_sdk_sqs::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
            endpoint,
            _server: server,
        })
    }

    /// A new queue.
    pub async fn queue(&self, name: &str, shape: QueueShape) -> Queue {
        Queue::create(&self.sqs, name, &shape).await
    }

    /// A new function that does what the collector says; its ARN.
    pub async fn function(&self, name: &str, collector: &Collector) -> String {
        let source = include_bytes!("../../support/forwarder.py");
        let code = FunctionCode::builder()
            .zip_file(Blob::new(zip::archive("forwarder.py", source)))
            .build();
        let environment = Environment::builder()
            .variables("COLLECTOR_URL", collector.url(name))
            .build();
        let created = self
            .lambda
            .create_function()
            .function_name(name)
            .runtime(Runtime::Python312)
            .handler("forwarder.handler")
            .role("arn:aws:iam::000000000000:role/function")
            .timeout(FUNCTION_TIMEOUT_S)
            .code(code)
            .environment(environment)
            .send()
            .await;
        created
            .expect("a function is made")
            .function_arn
            .expect("a function has an ARN")
    }

    /// From now on every call of the function is refused with 429, or none is any more.
    pub async fn throttle(&self, function: &str, throttled: bool) {
        if throttled {
            let request = self
                .lambda
                .put_function_concurrency()
                .function_name(function);
            request
                .reserved_concurrent_executions(0)
                .send()
                .await
                .expect("a function is throttled");
        } else {
            let request = self
                .lambda
                .delete_function_concurrency()
                .function_name(function);
            request.send().await.expect("a function is freed");
        }
    }
}

/// What both clients share: no TLS, no retries of their own.
fn sdk_config(endpoint: &str) -> aws_config::SdkConfig {
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
