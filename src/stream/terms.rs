//! What the source and the function promise: how long records stay, how long an invocation may take, as whom it runs.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::Engine;
use super::StartError;
use crate::aws::fault::Failure;
use crate::aws::stream::{Description, Status, Stream};
use crate::config::mapping::Mapping;
use crate::config::mapping::stream::Kind;
use crate::function::{Answer, Function, Invoked};
use crate::metrics::Operation;
use crate::model::event::{Event, StreamStamp};
use crate::reports::Reports;

/// How often it is looked whether something changed: twelve times an hour.
const LOOK_EVERY: Duration = Duration::from_secs(300);
/// How much later than its time-out a function's answer may come: it may have started cold, and the answer travels.
const ANSWER_MARGIN: Duration = Duration::from_secs(60);

/// What the source and the function promise at present.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// How long the source keeps a record.
    pub retention: Duration,
    /// `None` when we may not ask.
    pub timeout: Option<Duration>,
    /// What is the same in every record, the function's role among it.
    pub stamp: Arc<StreamStamp>,
    /// When the stream was made, where it says so.
    pub created_ms: Option<u64>,
}

/// The call that says what a stream is.
pub(super) fn describing(kind: &Kind) -> Operation {
    match kind {
        Kind::Kinesis { .. } => Operation::DescribeStreamSummary,
        Kind::DynamoDb => Operation::DescribeStream,
    }
}

/// Whether these are the times of two streams.
pub(super) fn other(one_ms: Option<u64>, other_ms: Option<u64>) -> bool {
    one_ms
        .zip(other_ms)
        .is_some_and(|(one, other)| one != other)
}

impl Terms {
    /// Look at both.
    pub(super) async fn look(
        source: &Stream,
        mapping: &Mapping,
        kind: &Kind,
        function: &Function,
        reports: &Reports,
    ) -> Result<(Self, Status), StartError> {
        let described = source.describe().await;
        reports.request(describing(kind), &described);
        let described =
            described.map_err(|failure| StartError::Stream(mapping.source.clone(), failure))?;
        let settings = function
            .settings()
            .await
            .map_err(|failure| StartError::Function(mapping.function_name.clone(), failure))?;
        let terms = Self {
            retention: described.retention,
            timeout: settings.timeout,
            stamp: Arc::new(StreamStamp {
                arn: mapping.source.to_string(),
                region: mapping.source.region.clone(),
                // spec: 2.2
                identity_arn: settings.role,
            }),
            created_ms: described.created_ms,
        };
        Ok((terms, described.status))
    }
}

impl Engine {
    /// Keep the terms as they are.
    pub(super) async fn watch_terms(&self, stop: &CancellationToken) {
        loop {
            self.rest(LOOK_EVERY, stop).await;
            if stop.is_cancelled() {
                return;
            }
            self.look_again().await;
            let started_ms = self.started_ms.get().copied().unwrap_or_default();
            match self.note(started_ms).await {
                Ok(()) => {}
                // Where nothing comes, nobody else would notice.
                Err(StartError::Commit(lost)) => {
                    self.lost(&lost);
                    return self.halt.cancel();
                }
                Err(error) => {
                    debug!(mapping = %self.mapping.name, %error, "the note about the mapping was not renewed");
                }
            }
        }
    }

    /// Look whether anything changed.
    pub(super) async fn look_again(&self) {
        let looked = Terms::look(
            &self.source,
            &self.mapping,
            &self.stream.kind,
            &self.function,
            &self.reports,
        );
        match looked.await {
            Ok((terms, _)) => {
                if self.is_another(terms.created_ms) {
                    return;
                }
                let said = |terms: &Terms| {
                    let role = terms.stamp.identity_arn.clone();
                    (terms.retention, terms.timeout, role)
                };
                let (now, before) = (said(&terms), said(&self.terms.send_replace(terms)));
                if now != before {
                    let (retention, timeout, role) = now;
                    info!(
                        mapping = %self.mapping.name, retention_s = retention.as_secs(),
                        timeout_s = timeout.map(|timeout| timeout.as_secs()), role, "the terms changed"
                    );
                }
            }
            Err(error) => {
                warn!(mapping = %self.mapping.name, %error, "the terms could not be looked at: the old ones hold");
            }
        }
    }

    /// What the stream is good for at present; the engine ends where it is another one than that of the positions.
    pub(super) async fn described(&self) -> Result<Description, Failure> {
        let described = self.source.describe().await;
        self.reports
            .request(describing(&self.stream.kind), &described);
        if let Ok(description) = &described {
            self.is_another(description.created_ms);
        }
        described
    }

    /// Whether the source says that the stream is the one that the positions are of.
    pub(super) async fn is_same(&self) -> bool {
        let before = self.terms.borrow().created_ms;
        let now = self.described().await;
        before.is_some() && before == now.ok().and_then(|now| now.created_ms)
    }

    /// Whether a stream that was made then is another one. In one that was made anew under the old name our positions mean
    /// nothing: the engine ends, and its next start says so. // reliability: I11
    fn is_another(&self, created_ms: Option<u64>) -> bool {
        let is_another = other(self.terms.borrow().created_ms, created_ms);
        if is_another && !self.halt.is_cancelled() {
            let told = "the stream was deleted and made anew";
            error!(mapping = %self.mapping.name, "{told}");
            self.reports.source(Some(told.to_owned()));
            self.halt.cancel();
        }
        is_another
    }

    /// What the function answers, or that it can not answer any more: Lambda ends it at its time-out, so what has not
    /// come long after that got lost. The time-out may have been raised since it was last looked at.
    pub(super) async fn answer(&self, event: Event) -> Invoked {
        let mut answer = pin!(self.function.invoke(event, None));
        let sent = Instant::now();
        loop {
            let Some(timeout) = self.terms.borrow().timeout else {
                return answer.await;
            };
            let until = sent + timeout + ANSWER_MARGIN;
            if let Ok(answer) = tokio::time::timeout_at(until, &mut answer).await {
                return answer;
            }
            self.look_again().await;
            if self.terms.borrow().timeout.is_none_or(|now| now > timeout) {
                continue;
            }
            let lost = || Invoked {
                answer: Answer::Errored {
                    kind: "no answer long after the function's time-out".into(),
                    timeout: true,
                },
                request_id: None,
                executed_version: None,
            };
            return answer.now_or_never().unwrap_or_else(lost);
        }
    }
}
