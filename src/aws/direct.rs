//! The few calls that are made a thousand times a second, without the SDK's machinery between.
//!
//! Most of what the SDK takes for such a call is neither its network nor its signature, but to find out anew what was true for
//! the last one (111 us for a ReceiveMessage of 10 x 256 B, against 24 made by hand). So the SDK is asked once how the call
//! looks: it makes one up to the moment at which it would be sent. Endpoint, path, headers, and whom to sign for are its own answer, with
//! all that environment, profile and configuration say about them; from then on the body and the signature alone are new.
//! Credentials come from the cache that all clients share, connections from the same pool, and a failure is told in the same
//! words, which tests hold against the SDK's.

mod body;
mod signer;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::AuthSchemeId;
use aws_smithy_runtime_api::client::http::{
    HttpClient as _, HttpConnector as _, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::identity::{
    Identity, ResolveCachedIdentity as _, SharedIdentityResolver,
};
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::{
    GetIdentityResolver as _, RuntimeComponents,
};
use aws_smithy_runtime_api::http::Headers;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::{ConfigBag, Layer};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use bytes::Bytes;

use self::body::pour;
use self::signer::{Signable, Signed, Signer};
use super::credentials::wanting;
use super::event;
use super::fault::{Failure, Fault, chain};
use super::identities::Identities;
use super::named::whom;
use crate::model::event::Event;

pub(crate) use self::body::{Taker, Whole};

/// The one signature that these services take, by the SDK's name for it.
const SIGV4: AuthSchemeId = AuthSchemeId::new("sigv4");
/// What the SDK's interrupted call ends with. Nobody sees it.
const LEARNED: &str = "how the call looks is known";

/// One operation as one client makes it. Clones share what is known of it.
#[derive(Clone, Debug)]
pub struct Direct(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    identities: Identities,
    look: Arc<OnceLock<Look>>,
}

/// How a call looks, but for its body, its date and its signature.
struct Look {
    uri: http::Uri,
    whom: String,
    headers: Headers,
    connector: SharedHttpConnector,
    signer: Signer,
    components: RuntimeComponents,
    resolver: SharedIdentityResolver,
    /// How long credentials may take to come.
    patience: ConfigBag,
}

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Look")
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

/// Goes with a call of the SDK and ends it where it would be sent.
#[derive(Clone, Debug)]
pub struct Learning(Arc<OnceLock<Look>>);

/// A success.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Names in lower case.
    pub(crate) headers: Headers,
    /// All of it.
    pub(crate) body: Bytes,
}

impl Answer {
    /// What a header says, where it is there and a text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }
}

impl Direct {
    /// An operation of which nothing is known yet.
    pub(super) fn new(identities: Identities) -> Self {
        Self(Arc::new(Inner {
            identities,
            look: Arc::default(),
        }))
    }

    /// One call with this body. `at_most` covers all of it, credentials and connection too. `ask` makes the same call with the
    /// SDK, and takes [`Learning`] along as its last interceptor; it is used once.
    ///
    /// # Errors
    /// Those of the SDK: no credentials, no connection, no answer in time, a refusal, an answer that broke off.
    pub(crate) async fn send<T, E, F>(
        &self,
        body: impl Into<Event>,
        header: Option<(&'static str, String)>,
        at_most: Duration,
        ask: impl FnOnce(Learning) -> F,
    ) -> Result<Answer, Failure>
    where
        F: Future<Output = Result<T, E>>,
        E: Into<Failure>,
    {
        let mut whole = Whole::default();
        let headers = self.send_to(&mut whole, body, header, at_most, ask).await?;
        Ok(Answer {
            headers,
            body: whole.text(),
        })
    }

    /// The same; `taker` is handed the body of a success as it comes, and has not had all of it where this fails. Returns
    /// the headers.
    ///
    /// # Errors
    /// As of `send`.
    pub(crate) async fn send_to<T, E, F>(
        &self,
        taker: &mut impl Taker,
        body: impl Into<Event>,
        header: Option<(&'static str, String)>,
        at_most: Duration,
        ask: impl FnOnce(Learning) -> F,
    ) -> Result<Headers, Failure>
    where
        F: Future<Output = Result<T, E>>,
        E: Into<Failure>,
    {
        let body = body.into();
        let call = async {
            let look = match self.0.look.get() {
                Some(look) => look,
                // Large, and once: not a part of every call's future.
                None => Box::pin(self.learn(ask)).await?,
            };
            // What is over before the call waits, or begins after, takes no room in it: an idle queue is one that waits.
            let sent = {
                let mut request = self.signed(look, body).await?;
                if let Some((name, value)) = header {
                    request
                        .headers_mut()
                        .try_insert(name, value)
                        .map_err(unsent)?;
                }
                look.connector.call(request)
            };
            let response = sent.await.map_err(Failure::from)?;
            Box::pin(self.answer(look, response, taker)).await
        };
        match tokio::time::timeout(at_most, call).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::unanswered(
                self.0.look.get().map(|look| &*look.whom),
            )),
        }
    }

    async fn learn<T, E, F>(&self, ask: impl FnOnce(Learning) -> F) -> Result<&Look, Failure>
    where
        F: Future<Output = Result<T, E>>,
        E: Into<Failure>,
    {
        let asked = ask(Learning(self.0.look.clone())).await;
        match (self.0.look.get(), asked) {
            (Some(look), _) => Ok(look),
            // It did not come so far: no region, no credentials.
            (None, Err(error)) => Err(error.into()),
            (None, Ok(_)) => Err(unsent("the call was made without its last interceptor")),
        }
    }

    async fn signed(&self, look: &Look, body: Event) -> Result<HttpRequest, Failure> {
        let identity = look.identity(&self.0.identities).await?;
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_method("POST").map_err(unsent)?;
        request.set_uri(look.uri.clone()).map_err(unsent)?;
        *request.headers_mut() = look.headers.clone();
        request
            .headers_mut()
            .insert("content-length", body.len().to_string());
        for (name, value) in look.signature(&identity, request.headers(), &body)? {
            request
                .headers_mut()
                .try_insert(name, value)
                .map_err(unsent)?;
        }
        *request.body_mut() = event::body(body);
        Ok(request)
    }

    async fn answer(
        &self,
        look: &Look,
        response: HttpResponse,
        taker: &mut impl Taker,
    ) -> Result<Headers, Failure> {
        let status = response.status().as_u16();
        let (success, headers) = (response.status().is_success(), response.headers().clone());
        let mut refusal = Whole::default();
        let poured = match success {
            true => pour(response.into_body(), taker).await,
            false => pour(response.into_body(), &mut refusal).await,
        };
        let length = poured
            .map_err(|error| Failure::broken_off(status, &format!("{}: {error}", look.whom)))?;
        tracing::trace!(
            whom = look.whom,
            service = look.signer.service(),
            status,
            request = headers.get("x-amzn-requestid").unwrap_or_default(),
            bytes = length,
            "answered"
        );
        if success {
            return Ok(headers);
        }
        let failure = Failure::refusal(status, &headers, &refusal.text());
        if failure.expired_token() {
            self.0.identities.refused();
        }
        Err(failure)
    }
}

impl Look {
    async fn identity(&self, identities: &Identities) -> Result<Identity, Failure> {
        identities
            .resolve_cached_identity(self.resolver.clone(), &self.components, &self.patience)
            .await
            .map_err(|error| match wanting(error.as_ref()) {
                Some(why) => Failure::new(Fault::Denied, "no credentials", &why),
                None => Failure::new(Fault::Transient, "no answer", &chain(error.as_ref())),
            })
    }

    /// The headers that make it signed.
    fn signature(
        &self,
        identity: &Identity,
        headers: &Headers,
        body: &Event,
    ) -> Result<Signed, Failure> {
        let call = Signable {
            headers,
            digest: &event::digest(body),
            moment: self.components.time_source().unwrap_or_default().now(),
        };
        self.signer.sign(identity, call).map_err(unsent)
    }
}

/// It can not be sent at all: the next one can not either.
fn unsent(why: impl fmt::Display) -> Failure {
    Failure::new(Fault::Denied, "not sent", &why.to_string())
}

#[dyn_dispatch_hint]
impl Intercept for Learning {
    fn name(&self) -> &'static str {
        "Learning"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let look = Look::of(context.request(), components, config)?;
        // Of several that learn at once, all see the same.
        let _ = self.0.set(look);
        Err(LEARNED.into())
    }
}

impl Look {
    fn of(
        request: &HttpRequest,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<Self, BoxError> {
        let address = request.uri().to_owned();
        let headers = request.headers();
        let (region, service) = headers
            .get("authorization")
            .and_then(scope)
            .ok_or("the SDK did not sign the call")?;
        let mut own = Headers::new();
        for (name, value) in headers.iter().filter(|(name, _)| kept(name)) {
            own.try_insert(name.to_owned(), value.to_owned())?;
        }
        let timeouts = config.load::<TimeoutConfig>();
        let timeouts = timeouts.ok_or("the SDK has no time-outs")?.clone();
        let mut settings = HttpConnectorSettings::builder();
        settings.set_connect_timeout(timeouts.connect_timeout());
        let client = components
            .http_client()
            .ok_or("the SDK has no connections")?;
        let mut patience = Layer::new("patience for credentials");
        patience.store_put(timeouts);
        patience.store_put(RetryConfig::disabled());
        Ok(Self {
            uri: address.parse()?,
            whom: whom(&address).unwrap_or_default(),
            signer: Signer::new(&address, region, service),
            resolver: components
                .identity_resolver(SIGV4)
                .ok_or("the SDK has no one to sign as")?,
            connector: client.http_connector(&settings.build(), components),
            components: components.clone(),
            patience: ConfigBag::of_layers([patience]),
            headers: own,
        })
    }
}

/// Whether a header of the SDK's is a header of every call. What it says of its own attempt, of its signature, and of itself a
/// second time is not.
fn kept(name: &str) -> bool {
    !matches!(
        name,
        "authorization"
            | "x-amz-date"
            | "x-amz-security-token"
            | "content-length"
            | "amz-sdk-invocation-id"
            | "amz-sdk-request"
            | "x-amz-user-agent"
    )
}

/// The region and the service of a signature: `... Credential=KEY/20261122/us-east-1/sqs/aws4_request, ...`.
fn scope(authorization: &str) -> Option<(&str, &str)> {
    let (_, rest) = authorization.split_once("Credential=")?;
    let mut parts = rest.split(',').next()?.rsplit('/');
    let (_aws4_request, service, region) = (parts.next()?, parts.next()?, parts.next()?);
    Some((region, service))
}

#[cfg(test)]
mod tests;
