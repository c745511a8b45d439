//! What an engine tells the world about itself: its metrics, and its place in `/readyz`.

use std::sync::{Arc, Mutex, PoisonError};

use tracing::info;

use crate::aws::fault::{Failure, Fault};
use crate::metrics::{Malformed, MappingMetrics, Metrics, Operation, RequestOutcome};
use crate::model::response;
use crate::status::{State, Status};

/// One mapping's voice. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reports {
    /// The mapping's counters.
    pub metrics: MappingMetrics,
    status: Status,
    mapping: Arc<str>,
    health: Arc<Mutex<Health>>,
}

/// What keeps a mapping that runs from its work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Health {
    /// The last receive failed, for this reason.
    source: Option<String>,
    /// The last invocation could not be made, for this reason.
    function: Option<String>,
    /// The last invocation was refused because there are too many: nothing is wrong, but the mapping waits.
    throttled: bool,
    /// The mapping drains, and from now on that is its state.
    draining: bool,
}

impl Health {
    /// What is wrong, in words; empty where nothing is.
    fn trouble(&self) -> String {
        let reasons: Vec<&str> = [&self.source, &self.function]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        reasons.join("; ")
    }
}

impl Reports {
    /// The mapping gets a place in both.
    pub fn new(metrics: &Metrics, status: &Status, mapping: &str, enabled: bool) -> Self {
        status.add(mapping, enabled);
        let reports = Self {
            metrics: metrics.mapping(mapping),
            status: status.clone(),
            mapping: Arc::from(mapping),
            health: Arc::default(),
        };
        reports.state(
            if enabled {
                State::Creating
            } else {
                State::Disabled
            },
            None,
        );
        reports
    }

    /// The mapping is in this state now, and why where there is something to explain.
    pub fn state(&self, state: State, reason: Option<&str>) {
        self.status.set_state(&self.mapping, state, reason);
        self.metrics.set_state(state);
    }

    /// The last receive failed for this reason, or succeeded.
    pub(super) fn source(&self, trouble: Option<String>) {
        self.change(|health| health.source = trouble);
    }

    /// The last invocation could not be made for this reason, or the function ran.
    pub(super) fn function(&self, trouble: Option<String>) {
        self.change(|health| health.function = trouble);
    }

    /// The last invocation was refused because there are too many, or was not.
    pub(super) fn throttled(&self, throttled: bool) {
        self.change(|health| health.throttled = throttled);
    }

    /// The mapping drains.
    pub(super) fn draining(&self) {
        self.change(|health| health.draining = true);
    }

    fn change(&self, change: impl FnOnce(&mut Health)) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let before = health.clone();
        change(&mut health);
        if *health == before {
            return;
        }
        let reason = health.trouble();
        match (health.draining, reason.is_empty()) {
            (true, _) => self.state(State::Disabling, None),
            (false, true) => {
                let waits = health.throttled.then_some("the function is throttled");
                self.state(State::Enabled, waits);
                if !before.trouble().is_empty() {
                    info!(mapping = %self.mapping, "at work again");
                }
            }
            (false, false) => self.state(State::Failing, Some(&reason)),
        }
    }

    /// The mapping was started: it counts as ready from now on, whatever comes.
    pub fn started(&self) {
        self.status.started(&self.mapping);
        self.state(State::Enabled, None);
    }

    /// A call to the source ended.
    pub fn request<T>(&self, operation: Operation, answer: &Result<T, Failure>) {
        let outcome = match answer {
            Ok(_) => RequestOutcome::Success,
            Err(failure) => refused(failure),
        };
        self.metrics.record_source_request(operation, outcome);
    }

    /// A batch call to the source ended, with a result for each entry.
    pub fn batch_request(
        &self,
        operation: Operation,
        answer: &Result<Vec<Result<(), Failure>>, Failure>,
    ) {
        let outcome = match answer {
            Ok(entries) if entries.iter().any(Result::is_err) => RequestOutcome::Partial,
            Ok(_) => RequestOutcome::Success,
            Err(failure) => refused(failure),
        };
        self.metrics.record_source_request(operation, outcome);
    }
}

fn refused(failure: &Failure) -> RequestOutcome {
    match failure.fault {
        Fault::Throttled { .. } => RequestOutcome::Throttled,
        Fault::Transient | Fault::Expired | Fault::Denied | Fault::Gone | Fault::Invalid => {
            RequestOutcome::Error
        }
    }
}

/// The label for why an answer can not be read: a few kinds, where the log has the exact reason.
pub(super) fn malformed(why: response::Malformed) -> Malformed {
    match why {
        response::Malformed::NotJson | response::Malformed::RepeatedKey => Malformed::NotJson,
        response::Malformed::NotAnObject
        | response::Malformed::NotAList
        | response::Malformed::EntryNotAnObject
        | response::Malformed::IdentifierNotAString => Malformed::WrongType,
        response::Malformed::EntryWithoutIdentifier
        | response::Malformed::NullIdentifier
        | response::Malformed::EmptyIdentifier => Malformed::NoIdentifier,
        response::Malformed::UnknownIdentifier | response::Malformed::RepeatedIdentifier => {
            Malformed::UnknownIdentifier
        }
    }
}
