//! Whom calls are signed as: what the credential chain gave last, until it ends, or until AWS says that it has ended. The
//! SDK alone would believe this machine's clock, and sign for as long with what is refused.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::identity::{
    IdentityFuture, ResolveCachedIdentity, SharedIdentityCache, SharedIdentityResolver,
};
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::ErrorMetadata;
use tokio::time::Instant;
use tracing::warn;

use super::fault::expired_token;

/// How often the chain is asked because of a refusal, at most: it may hand out what has expired again and again, and many
/// calls are refused at once.
const ASKED_ANEW_AT_MOST_EVERY: Duration = Duration::from_secs(10);

/// The credential cache of all clients, which is told how their calls fare.
#[derive(Clone, Debug)]
pub(super) struct Identities(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    cache: SharedIdentityCache,
    asked_anew: Option<Instant>,
}

impl Identities {
    /// Nothing was asked for yet.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            cache: IdentityCache::lazy().build(),
            asked_anew: None,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is whole when a panic of its holder could come.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// AWS said that what a call was signed with has expired.
    pub(super) fn refused(&self) {
        let mut state = self.state();
        let lately = state
            .asked_anew
            .is_some_and(|asked| asked.elapsed() < ASKED_ANEW_AT_MOST_EVERY);
        if lately {
            return;
        }
        warn!("AWS says that the credentials have expired: they are asked for anew");
        state.cache = IdentityCache::lazy().build();
        state.asked_anew = Some(Instant::now());
    }
}

impl ResolveCachedIdentity for Identities {
    fn resolve_cached_identity<'a>(
        &'a self,
        resolver: SharedIdentityResolver,
        components: &'a RuntimeComponents,
        config: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        let cache = self.state().cache.clone();
        IdentityFuture::new(async move {
            cache
                .resolve_cached_identity(resolver, components, config)
                .await
        })
    }
}

impl Intercept for Identities {
    fn name(&self) -> &'static str {
        "Identities"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Err(error) = context.output_or_error()
            && let Some(error) = error.as_operation_error()
            && says_expired(error)
        {
            self.refused();
        }
        Ok(())
    }
}

/// No operation has such an error of its own: its code is with what is common to all.
fn says_expired(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(meta) = error.downcast_ref::<ErrorMetadata>() {
            return meta.code().is_some_and(expired_token);
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::time::sleep;

    use super::*;
    use crate::aws::canned::{answer, refusal, serve};
    use crate::config::aws::Aws;

    const REGION: &str = "us-east-1";

    fn xml(code: &str) -> http::Response<aws_smithy_types::body::SdkBody> {
        let error = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
        answer(403, &format!("<ErrorResponse>{error}</ErrorResponse>"))
    }

    /// An S3 error has nothing around it.
    fn bare_xml(code: &str) -> http::Response<aws_smithy_types::body::SdkBody> {
        answer(400, &format!("<Error><Code>{code}</Code></Error>"))
    }

    // Every service says it in its protocol, which each client reads in its own way.
    #[tokio::test(start_paused = true)]
    async fn a_client_of_each_service_tells_that_its_credentials_have_expired_and_nothing_else() {
        for expired in [true, false] {
            let code = |code: &'static str| if expired { code } else { "AccessDenied" };
            let answers = [
                refusal(code("ExpiredToken")),
                refusal(code("ExpiredToken")),
                refusal(code("ExpiredTokenException")),
                refusal(code(
                    "com.amazonaws.dynamodb.v20120810#ExpiredTokenException",
                )),
                refusal(code("ExpiredTokenException")),
                xml(code("ExpiredToken")),
                bare_xml(code("ExpiredToken")),
            ];
            let (clients, server) = serve(answers, &Aws::default());
            let told = || {
                let before = clients.identities().state().asked_anew.take();
                assert_eq!(before.is_some(), expired, "{:?}", server.seen().last());
            };
            let sqs = clients.sqs(REGION);
            sqs.get_queue_url()
                .queue_name("q")
                .send()
                .await
                .unwrap_err();
            told();
            let receiving = clients.direct("sqs ReceiveMessage", REGION);
            let ask = |learning| {
                let call = sqs.receive_message().queue_url("http://q/1/q");
                call.customize().interceptor(learning).send()
            };
            let wait = Duration::from_secs(1);
            let asked = receiving.send(Bytes::new(), None, wait, ask).await;
            asked.unwrap_err();
            told();
            let kinesis = clients.kinesis(REGION);
            let asked = kinesis.get_records().shard_iterator("i").send().await;
            asked.unwrap_err();
            told();
            let streams = clients.dynamodb_streams(REGION, Duration::ZERO);
            let asked = streams.get_records().shard_iterator("i").send().await;
            asked.unwrap_err();
            told();
            let lambda = clients.lambda(REGION);
            lambda.invoke().function_name("f").send().await.unwrap_err();
            told();
            let sns = clients.sns(REGION);
            sns.publish().message("m").send().await.unwrap_err();
            told();
            let s3 = clients.s3(REGION, Duration::ZERO);
            let put = s3.put_object().bucket("b").key("k").send().await;
            put.unwrap_err();
            told();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_refusals_at_once_are_one_reason_to_ask() {
        let identities = Identities::new();
        let asked = || identities.state().asked_anew;
        identities.refused();
        let first = asked().unwrap();
        sleep(ASKED_ANEW_AT_MOST_EVERY - Duration::from_millis(1)).await;
        identities.refused();
        assert_eq!(asked(), Some(first));
        sleep(Duration::from_millis(1)).await;
        identities.refused();
        assert_eq!(asked(), Some(first + ASKED_ANEW_AT_MOST_EVERY));
    }
}
