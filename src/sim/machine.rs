//! The machine that the service under test runs on: a clock that may be wrong, and the metadata service that hands it its credentials.

use std::{
    fmt,
    future::pending,
    time::{Duration, SystemTime},
};

use aws_config::{
    SdkConfig,
    identity::IdentityCache,
    imds::{self, credentials::ImdsCredentialsProvider},
    provider_config::ProviderConfig,
};
use aws_sdk_sqs::config::SharedCredentialsProvider;
use aws_smithy_async::{
    rt::sleep::{SharedAsyncSleep, TokioSleep},
    time::{SharedTimeSource, TimeSource},
};
use bytes::Bytes;
use http::Method;
use serde_json::json;

use super::{
    clock::EPOCH,
    faults::Fault,
    mishaps::Issuing,
    wire::{Answer, Request, response, set_header, whole},
    world::World,
};
use crate::model::utc::Utc;

/// Where every EC2 machine finds its metadata.
const ADDRESS: &str = "169.254.169.254";
/// How far a signature's time may be from AWS's own.
// API: IAM User Guide, Troubleshoot Signature Version 4, Signature expired
const SKEW_MAX_MS: u64 = 5 * 60 * 1000;
/// How long credentials last. AWS's last six hours and are exchanged long before; an hour shows more in less time.
const CREDENTIALS_MS: u64 = 60 * 60 * 1000;

/// How the hands of a clock stand and move, beside the right time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hands {
    ahead_ms: i64,
    gains_ms_per_s: i64,
    since: Duration,
}

impl Hands {
    /// How far ahead the clock is.
    fn ahead_ms(self, now: Duration) -> i64 {
        let for_ms = i64::try_from(now.saturating_sub(self.since).as_millis()).unwrap_or(i64::MAX);
        self.ahead_ms + for_ms.saturating_mul(self.gains_ms_per_s) / 1000
    }

    pub(super) fn jump(&mut self, now: Duration, by_ms: i64) {
        *self = Self {
            ahead_ms: self.ahead_ms(now) + by_ms,
            since: now,
            ..*self
        };
    }

    pub(super) fn drift(&mut self, now: Duration, gains_ms_per_s: i64) {
        *self = Self {
            ahead_ms: self.ahead_ms(now),
            gains_ms_per_s,
            since: now,
        };
    }
}

/// The machine's wall clock: the world's, unless it was set wrong.
#[derive(Clone)]
pub struct MachineClock(World);

impl TimeSource for MachineClock {
    fn now(&self) -> SystemTime {
        let clock = self.0.clock();
        let ahead_ms = self.0.lock().mishaps.hands.ahead_ms(clock.elapsed());
        let right = TimeSource::now(&clock);
        let by = Duration::from_millis(ahead_ms.unsigned_abs());
        if ahead_ms < 0 { right - by } else { right + by }
    }
}

impl fmt::Debug for MachineClock {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("MachineClock").finish_non_exhaustive()
    }
}

impl World {
    /// The clock of the machine.
    pub fn machine_clock(&self) -> MachineClock {
        MachineClock(self.clone())
    }

    /// As `sdk_config`, on the machine: by its clock, with the credentials of its metadata service, which expire, and which all clients
    /// share as they do in production.
    pub fn machine_config(&self) -> SdkConfig {
        let clock = SharedTimeSource::new(self.machine_clock());
        let provider = ProviderConfig::without_region()
            .with_http_client(self.connector())
            .with_time_source(clock.clone())
            .with_sleep_impl(TokioSleep::new());
        // Repeats draw on a budget that the SDK keeps for the whole process: what others use up would change this run.
        let client = imds::Client::builder()
            .configure(&provider)
            .max_attempts(1)
            .build();
        let credentials = ImdsCredentialsProvider::builder()
            .configure(&provider)
            .imds_client(client)
            .profile("role")
            .build();
        self.sdk_config()
            .into_builder()
            .time_source(clock.clone())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .identity_cache(
                IdentityCache::lazy()
                    .time_source(clock)
                    .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
                    .build(),
            )
            .build()
    }

    /// Why AWS would not take a request as it is signed.
    pub(super) fn unfit(&self, request: &Request) -> Option<Fault> {
        let state = self.lock();
        let now_ms = self.clock().now_ms();
        let header = |name: &str| request.headers().get(name)?.to_str().ok();
        if state.mishaps.hands != Hands::default()
            && let Some(signed) = header("x-amz-date")
            && (*signed < *basic(now_ms.saturating_sub(SKEW_MAX_MS))
                || *basic(now_ms + SKEW_MAX_MS) < *signed)
        {
            return Some(Fault::RequestTimeTooSkewed);
        }
        let ends_ms = header("x-amz-security-token")?
            .strip_prefix(TOKEN)?
            .parse::<u64>();
        (ends_ms.ok()? <= now_ms).then_some(Fault::ExpiredToken)
    }
}

/// Before the end, in Unix milliseconds, of the credentials that a token is of.
const TOKEN: &str = "until-";

/// A moment as a signature has it, whose order is that of time: `20261003T091544Z`.
fn basic(ms: u64) -> String {
    Utc::at(ms).seconds().replace(['-', ':'], "")
}

/// What is asked of the metadata service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metadata {
    Token,
    Credentials,
    Other,
}

/// Whether a request is for the metadata service.
// API: EC2 User Guide, Use the Instance Metadata Service: IMDSv2, and security credentials of a role
pub(super) fn asked(request: &Request) -> Option<Metadata> {
    if request.uri().host() != Some(ADDRESS) {
        return None;
    }
    let credentials = "/latest/meta-data/iam/security-credentials";
    Some(match (request.method(), request.uri().path()) {
        (&Method::PUT, "/latest/api/token") => Metadata::Token,
        (&Method::GET, path) if path.starts_with(credentials) => Metadata::Credentials,
        _ => Metadata::Other,
    })
}

pub(super) async fn answer(world: &World, asked: Metadata) -> Answer {
    let issuing = {
        let mishaps = &mut world.lock().mishaps;
        mishaps.asked += u64::from(asked == Metadata::Credentials);
        mishaps.issuing
    };
    let (status, body) = match (issuing, asked) {
        (Issuing::Silent, _) => pending().await,
        (Issuing::Down, _) => (503, Bytes::new()),
        (Issuing::Well | Issuing::Expired, Metadata::Token) => (200, Bytes::from("token")),
        (Issuing::Well | Issuing::Expired, Metadata::Credentials) => {
            (200, credentials(world, issuing))
        }
        (Issuing::Well | Issuing::Expired, Metadata::Other) => (404, Bytes::new()),
    };
    let mut response = response(status, "text/plain", body);
    let lives = http::HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
    set_header(&mut response, lives, "21600");
    Answer::Response(whole(response))
}

fn credentials(world: &World, issuing: Issuing) -> Bytes {
    let now_ms = world.clock().now_ms();
    let began_ms = u64::try_from(EPOCH.as_millis()).unwrap_or(u64::MAX);
    let ends_ms = match issuing {
        Issuing::Well | Issuing::Down | Issuing::Silent => now_ms + CREDENTIALS_MS,
        // A minute ago, or when the world began.
        Issuing::Expired => now_ms.saturating_sub(60_000).max(began_ms),
    };
    let document = json!({
        "Code": "Success",
        "LastUpdated": Utc::at(now_ms).seconds(),
        "Type": "AWS-HMAC",
        "AccessKeyId": "AKIDEXAMPLE",
        "SecretAccessKey": "secret",
        "Token": format!("{TOKEN}{ends_ms}"),
        "Expiration": Utc::at(ends_ms).seconds(),
    });
    document.to_string().into()
}
