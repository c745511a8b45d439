//! What the queue and the function promise each other: how long messages are hidden, how long an invocation may take.

use std::time::Duration;

use tracing::{info, warn};

use super::StartError;
use super::reports::Reports;
use crate::aws::sqs::Queue;
use crate::config::mapping::Mapping;
use crate::function::Function;
use crate::metrics::Operation;
use crate::model::lease::lease;

/// What the queue and the function promise each other at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// How long a receive hides its messages, and each extension again.
    pub(super) lease: Duration,
    /// The queue's own.
    pub(super) visibility: Duration,
    /// `None` when we may not ask.
    pub(super) timeout: Option<Duration>,
}

impl Terms {
    /// Look at both.
    pub(super) async fn look(
        queue: &Queue,
        function: &Function,
        mapping: &Mapping,
        reports: &Reports,
    ) -> Result<Self, StartError> {
        let attributes = queue.attributes().await;
        reports.request(Operation::GetQueueAttributes, &attributes);
        let visibility = attributes
            .map_err(|failure| StartError::Queue(mapping.source.clone(), failure))?
            .visibility;
        let timeout = function
            .timeout()
            .await
            .map_err(|failure| StartError::Function(mapping.function_name.clone(), failure))?;
        let lease = lease(visibility, mapping.window, timeout.unwrap_or_default());
        Ok(Self {
            lease,
            visibility,
            timeout,
        })
    }

    /// AWS refuses to create such a mapping; we lease for longer instead and say so. // spec: 1.6
    pub(super) fn warn_if_too_short(&self, mapping: &Mapping) {
        let Some(timeout) = self.timeout else {
            info!(mapping = %mapping.name, "the function's time-out may not be read: the queue's visibility is used as it is");
            return;
        };
        if self.visibility < timeout {
            warn!(
                mapping = %mapping.name, lease_s = self.lease.as_secs(),
                "Queue visibility timeout: {} seconds is less than Function timeout: {} seconds; messages are hidden for longer",
                self.visibility.as_secs(), timeout.as_secs()
            );
        }
    }
}
