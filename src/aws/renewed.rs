//! Connections that are made anew when a host stops answering, and errors that name it.
//!
//! Over HTTP/2 all calls to a host share one connection. One that died unnoticed takes every new call as well, and
//! nothing but TCP's own patience of a quarter of an hour ends it. So calls are counted that were given up before their
//! answer began: several in a row, and the pool is left to those that still use it, and a new one begun.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use futures_util::FutureExt as _;
use tokio::time::Instant;
use tracing::warn;

use super::named::{named, whom};

/// So many calls in a row were given up without an answer: one may be the service's fault, three are the connection's.
const UNANSWERED_MAX: u32 = 3;

/// A host that never answers (a function of one's own, say) must not cost all others their connections again and again.
const RENEWED_AT_MOST_EVERY: Duration = Duration::from_secs(60);

/// A connector, and how to make another.
#[derive(Clone)]
pub(super) struct Renewed(Arc<Inner>);

struct Inner {
    make: fn() -> SharedHttpConnector,
    state: Mutex<State>,
}

struct State {
    current: SharedHttpConnector,
    /// Counts the connectors.
    generation: u64,
    renewed: Option<Instant>,
    /// By host: calls to it that were given up since the last answer.
    unanswered: BTreeMap<String, u32>,
}

impl Renewed {
    pub fn new(make: fn() -> SharedHttpConnector) -> Self {
        Self(Arc::new(Inner {
            make,
            state: Mutex::new(State {
                current: make(),
                generation: 0,
                renewed: None,
                unanswered: BTreeMap::new(),
            }),
        }))
    }
}

impl fmt::Debug for Renewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewed").finish_non_exhaustive()
    }
}

impl HttpConnector for Renewed {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (connector, generation) = {
            let state = self.0.state();
            (state.current.clone(), state.generation)
        };
        let Some(host) = whom(request.uri()) else {
            return connector.call(request);
        };
        let watch = Watch {
            inner: self.0.clone(),
            host,
            generation,
            answered: false,
        };
        // Not a block with an await in it, which would have room for the call twice: an idle queue waits here.
        HttpConnectorFuture::new(connector.call(request).map(move |answer| {
            // All of it: its end is what it is for.
            let mut watch = watch;
            // An error is an answer, too: what fails is not silent, and a broken connection is not used again.
            watch.answered = true;
            answer.map_err(|error| named(error, watch.host.clone()))
        }))
    }
}

/// A call on its way. Dropped before its answer it was given up.
struct Watch {
    inner: Arc<Inner>,
    host: String,
    generation: u64,
    answered: bool,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = self.inner.state();
        if state.generation != self.generation {
            return;
        }
        if self.answered {
            state.unanswered.remove(&self.host);
            return;
        }
        let unanswered = state.unanswered.entry(self.host.clone()).or_insert(0);
        *unanswered = unanswered.saturating_add(1);
        let unanswered = *unanswered;
        let lately = state
            .renewed
            .is_some_and(|renewed| renewed.elapsed() < RENEWED_AT_MOST_EVERY);
        if unanswered < UNANSWERED_MAX || lately {
            return;
        }
        warn!(
            host = self.host,
            calls = unanswered,
            "a host does not answer: its connections are made anew"
        );
        state.current = (self.inner.make)();
        state.generation += 1;
        state.renewed = Some(Instant::now());
        state.unanswered.clear();
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is whole when a panic of its holder could come.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    static MADE: AtomicU32 = AtomicU32::new(0);

    /// Answers at once, but not at the host `silent`.
    #[derive(Debug)]
    struct Fake;

    impl HttpConnector for Fake {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let silent = request.uri().contains("silent");
            HttpConnectorFuture::new(async move {
                if silent {
                    std::future::pending::<()>().await;
                }
                let ok = StatusCode::try_from(200).expect("a status");
                Ok(HttpResponse::new(ok, SdkBody::empty()))
            })
        }
    }

    fn make() -> SharedHttpConnector {
        MADE.fetch_add(1, Relaxed);
        SharedHttpConnector::new(Fake)
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_is_silent_again_and_again_gets_new_connections() {
        let connector = Renewed::new(make);
        let call = |host: &str| {
            let request = HttpRequest::get(format!("http://{host}/")).unwrap();
            tokio::time::timeout(Duration::from_secs(10), connector.call(request))
        };
        assert_eq!(MADE.load(Relaxed), 1);
        for _ in 0..2 {
            assert!(call("silent").await.is_err());
        }
        // Another host's answers say nothing of this one.
        assert!(call("other").await.is_ok());
        assert_eq!(MADE.load(Relaxed), 1);
        assert!(call("silent").await.is_err());
        assert_eq!(MADE.load(Relaxed), 2);
        // Calls that began on the connections of before do not count against the new ones.
        let mut old: Vec<_> = (0..3).map(|_| Box::pin(call("silent:1"))).collect();
        for call in &mut old {
            assert!(call.now_or_never().is_none());
        }
        for _ in 0..5 {
            assert!(call("silent").await.is_err());
        }
        assert_eq!(MADE.load(Relaxed), 2, "not twice in a minute");
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(call("silent").await.is_err());
        assert_eq!(MADE.load(Relaxed), 3);
        drop(old);
        assert_eq!(MADE.load(Relaxed), 3);
        assert!(call("silent").await.is_err());
        assert!(call("silent").await.is_err());
        assert_eq!(MADE.load(Relaxed), 3, "two are not enough");
    }
}
