//! The AWS clients of the process: one connection pool, one credential cache, our time-outs, no retries but ours.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::{Credentials, ProvideCredentials as _, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use tracing::warn;

use super::credentials::wanting;
use super::direct::Direct;
use super::fault::chain;
use super::identities::Identities;
use super::named::Naming;
use super::renewed::Renewed;
use super::resolved::Resolved;
use super::stream::ReadBounds;
use crate::clock::Clock;
use crate::config::aws::Aws;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one call may take, above what it is asked to wait: a server that never answers must not hold a batch.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// A client of a service, with what all have in common and, behind that, a setting of its own; each has its own type of builder.
macro_rules! client {
    ($clients:expr, $sdk:ident, $service:ident, $region:expr, $wait:expr $(, $own:ident($value:expr))?) => {{
        let config = $sdk::config::Builder::from(&$clients.base)
            .region(Region::new($region.to_string()))
            .interceptor($clients.identities.clone())
            .interceptor(Naming)
            .timeout_config(timeouts(CALL_TIMEOUT + $wait))
            $(.$own($value))?;
        let config = match $clients.endpoint($clients.aws.endpoints.$service.as_ref()) {
            Some(url) => config.endpoint_url(url),
            None => config,
        };
        $sdk::Client::from_conf(config.build())
    }};
}

/// Clients by region: a few for any number of mappings, since each takes 10 KB.
#[derive(Debug, Default)]
struct Shared {
    sqs: BTreeMap<String, aws_sdk_sqs::Client>,
    lambda: BTreeMap<String, aws_sdk_lambda::Client>,
    kinesis: BTreeMap<String, aws_sdk_kinesis::Client>,
    /// And by the wait that it allows.
    dynamodb_streams: BTreeMap<(String, Duration), aws_sdk_dynamodbstreams::Client>,
    /// And by operation.
    direct: BTreeMap<(String, &'static str), Direct>,
}

/// The one that was made before, or a new one.
fn made<K: Ord, C: Clone>(made: &mut BTreeMap<K, C>, key: K, new: impl FnOnce() -> C) -> C {
    made.entry(key).or_insert_with(new).clone()
}

/// Makes clients for the regions and services that the mappings name.
#[derive(Clone, Debug)]
pub struct Clients {
    aws: Aws,
    base: SdkConfig,
    identities: Identities,
    connector: SharedHttpConnector,
    /// Whether the connector is one of ours, of which there can be more.
    ours: bool,
    s3_endpoint_in_environment: bool,
    read_bounds: ReadBounds,
    shared: Arc<Mutex<Shared>>,
}

impl Clients {
    /// From the environment, profile and credential chain, as in every AWS tool; `aws` wins over them.
    ///
    /// Nothing is sent: credentials are looked up with the first call, and every ARN names its region. Only where
    /// neither `aws` nor environment nor profile names one, calls without an ARN (of STS) go to `region`; the machine's
    /// metadata service is not asked for it, since elsewhere than on EC2 that costs seconds at every start.
    pub async fn from_environment(aws: &Aws, region: Option<&str>, clock: &Clock) -> Self {
        let connector = connector();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(client_of(connector.clone()))
            .time_source(SharedTimeSource::new(clock.clone()))
            .sleep_impl(TokioSleep::new());
        let named = |name: &String| Region::new(name.clone());
        loader = loader.region(
            RegionProviderChain::first_try(aws.region.as_ref().map(named))
                .or_else(EnvironmentVariableRegionProvider::new())
                .or_else(ProfileFileRegionProvider::new())
                .or_else(region.map(|name| Region::new(name.to_string()))),
        );
        Self {
            s3_endpoint_in_environment: std::env::var_os("AWS_ENDPOINT_URL_S3").is_some(),
            ours: true,
            ..Self::new(aws, loader.load().await, connector)
        }
    }

    /// For a server that takes any credentials: nothing is read from the environment.
    pub fn without_account(aws: &Aws, clock: &Clock) -> Self {
        let connector = connector();
        let credentials = Credentials::new("anyone", "anything", None, None, "none needed");
        let base = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(client_of(connector.clone()))
            .time_source(SharedTimeSource::new(clock.clone()))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        Self {
            ours: true,
            ..Self::new(aws, base, connector)
        }
    }

    /// On a given configuration and connector: the tests and the demo bring their own.
    pub fn new(aws: &Aws, base: SdkConfig, connector: SharedHttpConnector) -> Self {
        let identities = Identities::new();
        let base = base
            .into_builder()
            .identity_cache(identities.clone())
            // One retry layer, ours: a repeat inside the SDK would be invisible to the policy and to the metrics.
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts(CALL_TIMEOUT))
            // An upload can not stall usefully here: requests are small, and the check would wake us twice a second.
            .stalled_stream_protection(
                StalledStreamProtectionConfig::enabled()
                    .upload_enabled(false)
                    .build(),
            )
            .build();
        Self {
            aws: aws.clone(),
            base,
            identities,
            connector,
            ours: false,
            s3_endpoint_in_environment: false,
            read_bounds: ReadBounds::default(),
            shared: Arc::default(),
        }
    }

    /// The same whose reads of streams are bounded so: simulations have small records.
    pub fn with_read_bounds(self, read_bounds: ReadBounds) -> Self {
        Self {
            read_bounds,
            ..self
        }
    }

    /// How much of what a stream gives at once is in memory.
    pub(super) fn read_bounds(&self) -> ReadBounds {
        self.read_bounds
    }

    /// The same with connections of its own. Over HTTP/2, clients that share connections share one to each host, with
    /// its limits and its end. A connector that was given serves all.
    pub fn apart(&self) -> Self {
        if !self.ours {
            return self.clone();
        }
        let connector = connector();
        let client = client_of(connector.clone());
        Self {
            base: self.base.to_builder().http_client(client).build(),
            connector,
            shared: Arc::default(),
            ..self.clone()
        }
    }

    /// The region of calls that name nothing which has one, where configuration, environment or profile say.
    pub fn region(&self) -> Option<&str> {
        self.base.region().map(Region::as_ref)
    }

    /// For calls that answer at once, as those of the next two.
    pub fn sqs(&self, region: &str) -> aws_sdk_sqs::Client {
        let new = || client!(self, aws_sdk_sqs, sqs, region, Duration::ZERO);
        self.shared(|shared| made(&mut shared.sqs, region.to_owned(), new))
    }

    /// For all but invocations, which go without it.
    pub fn lambda(&self, region: &str) -> aws_sdk_lambda::Client {
        let new = || client!(self, aws_sdk_lambda, lambda, region, Duration::ZERO);
        self.shared(|shared| made(&mut shared.lambda, region.to_owned(), new))
    }

    /// For all but reads, which go without it.
    pub fn kinesis(&self, region: &str) -> aws_sdk_kinesis::Client {
        let new = || client!(self, aws_sdk_kinesis, kinesis, region, Duration::ZERO);
        self.shared(|shared| made(&mut shared.kinesis, region.to_owned(), new))
    }

    /// For calls that answer at once (`wait` zero), or for reads, whose answers may be large. `Aws.Endpoints.DynamoDb` is no stand-in for `DynamoDbStreams`: in AWS they are two services at two addresses, and
    /// every AWS tool tells them apart.
    pub fn dynamodb_streams(
        &self,
        region: &str,
        wait: Duration,
    ) -> aws_sdk_dynamodbstreams::Client {
        let new = || {
            client!(
                self,
                aws_sdk_dynamodbstreams,
                dynamodb_streams,
                region,
                wait
            )
        };
        let key = (region.to_owned(), wait);
        self.shared(|shared| made(&mut shared.dynamodb_streams, key, new))
    }

    /// For on-failure records.
    pub fn sns(&self, region: &str) -> aws_sdk_sns::Client {
        client!(self, aws_sdk_sns, sns, region, Duration::ZERO)
    }

    /// For objects that may take `wait` to send. A server of one's own has the bucket in the path: it seldom has a name
    /// in the DNS for every bucket.
    pub fn s3(&self, region: &str, wait: Duration) -> aws_sdk_s3::Client {
        let own_server = self.endpoint(self.aws.endpoints.s3.as_ref()).is_some()
            || self.base.endpoint_url().is_some()
            || self.s3_endpoint_in_environment;
        client!(
            self,
            aws_sdk_s3,
            s3,
            region,
            wait,
            force_path_style(own_server)
        )
    }

    /// One operation that is called without the SDK, and whose call looks the same for everybody in a region.
    pub(super) fn direct(&self, operation: &'static str, region: &str) -> Direct {
        let key = (region.to_owned(), operation);
        self.shared(|shared| made(&mut shared.direct, key, || self.direct_of_its_own()))
    }

    /// The same for an operation that has an address of its own for what it is about.
    pub fn direct_of_its_own(&self) -> Direct {
        Direct::new(self.identities.clone())
    }

    fn shared<C>(&self, get: impl FnOnce(&mut Shared) -> C) -> C {
        get(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The address of a service as the configuration file has it.
    fn endpoint<'a>(&'a self, own: Option<&'a String>) -> Option<&'a String> {
        own.or(self.aws.endpoint_url.as_ref())
    }

    /// The id and the secret of the key that calls are signed with.
    ///
    /// # Errors
    /// Nothing in the environment, the profile or the machine's role has one: why, in one line.
    pub(super) async fn key(&self) -> Result<(String, String), String> {
        let Some(provider) = self.base.credentials_provider() else {
            return Err("there is no credential chain".to_owned());
        };
        match provider.provide_credentials().await {
            Ok(key) => Ok((
                key.access_key_id().to_owned(),
                key.secret_access_key().to_owned(),
            )),
            Err(error) => Err(wanting(&error).unwrap_or_else(|| chain(&error))),
        }
    }

    /// Whom calls are signed as.
    #[cfg(test)]
    pub(super) fn identities(&self) -> &Identities {
        &self.identities
    }

    /// The connections underneath, for functions behind a plain URL.
    pub fn connector(&self) -> SharedHttpConnector {
        self.connector.clone()
    }
}

fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .build()
}

fn connector() -> SharedHttpConnector {
    SharedHttpConnector::new(Renewed::new(connections))
}

/// A pool of connections.
fn connections() -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .build();
    let connector = Connector::builder()
        .connector_settings(settings)
        .sleep_impl(TokioSleep::new())
        .tls_provider(tls::Provider::Rustls(
            tls::rustls_provider::CryptoMode::Ring,
        ))
        .tls_context(trust())
        .build_with_resolver(Resolved);
    SharedHttpConnector::new(connector)
}

/// What the machine trusts. Nothing, where it has no certificates: plain HTTP works as ever, and HTTPS says why it
/// does not. The client's own way to the machine's certificates takes their absence for a bug.
fn trust() -> tls::TlsContext {
    let found = rustls_native_certs::load_native_certs();
    let store = if found.certs.is_empty() {
        let why: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        warn!(
            why = why.join("; "),
            "this machine has no TLS root certificates: no https endpoint will be trusted; SSL_CERT_FILE names a file of them"
        );
        tls::TrustStore::empty()
    } else {
        tls::TrustStore::default()
    };
    tls::TlsContext::builder()
        .with_trust_store(store)
        .build()
        .expect("every trust store makes a context")
}

/// One pool for all clients: left alone, the SDK would make one for each.
fn client_of(connector: SharedHttpConnector) -> SharedHttpClient {
    http_client_fn(move |_, _| connector.clone())
}
