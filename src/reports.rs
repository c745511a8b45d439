//! What an engine tells the world about itself: its metrics, and its place in `/readyz`.

mod account;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::info;

use crate::aws::fault::{Failure, Fault};
use crate::metrics::{Malformed, MappingMetrics, Metrics, Operation, RequestOutcome, Source};
use crate::model::response;
use crate::status::{Processed, State, Status};

pub use account::Account;

/// So many shards that stand still are named; the others are counted.
const SHARDS_NAMED_MAX: usize = 3;

/// So many failures in a row are no accident of one batch.
const FAILURES_NOTED: u32 = 5;

impl Health {
    /// What is worth knowing of a mapping that is healthy.
    fn note(&self) -> Option<String> {
        if self.throttled {
            return Some("the function is throttled".to_owned());
        }
        let failures = self.failures;
        (FAILURES_NOTED <= failures)
            .then(|| format!("the function failed {failures} times in a row"))
    }

    /// How it went last. // spec: 1.5
    fn processed(&self) -> Processed {
        match (&self.source, self.ran) {
            (Some(trouble), _) => Processed::SourceFailed(trouble.clone()),
            (None, None) => Processed::Nothing,
            (None, Some(true)) => Processed::Handled,
            (None, Some(false)) => Processed::FunctionFailed,
        }
    }

    /// Empty where nothing is wrong.
    fn reason(&self) -> String {
        let whole = [&self.store, &self.source, &self.function];
        let mut reasons: Vec<String> = whole.into_iter().flatten().cloned().collect();
        let named = self.shards.iter().take(SHARDS_NAMED_MAX);
        reasons.extend(named.map(|((id, does), why)| format!("{id} stands still ({does}): {why}")));
        let others = self.shards.len().saturating_sub(SHARDS_NAMED_MAX);
        if others > 0 {
            reasons.push(format!("{others} more stand still"));
        }
        reasons.join("; ")
    }
}

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
    /// The last call to the source failed, for this reason.
    source: Option<String>,
    /// The last invocation could not be made, for this reason.
    function: Option<String>,
    /// Checkpoints can not be written, for this reason.
    store: Option<String>,
    /// The shards that stand still: their reading or their delivery, and why.
    shards: BTreeMap<(String, &'static str), String>,
    /// The last invocation was refused because there are too many: nothing is wrong, but the mapping waits.
    throttled: bool,
    /// How often in a row the function ran and failed: the mapping works, and its work does not get done.
    failures: u32,
    /// The last invocation was handled, or not.
    ran: Option<bool>,
    /// The mapping drains, and from now on this is its state.
    draining: Option<State>,
}

impl Reports {
    /// The mapping gets a place in both, in this state, and why where there is something to explain.
    pub fn new(
        metrics: &Metrics,
        status: &Status,
        mapping: &str,
        source: Source,
        state: State,
        reason: Option<&str>,
    ) -> Self {
        let metrics = metrics.mapping(mapping, source);
        metrics.set_state(state);
        status.add(mapping, state, reason);
        Self {
            metrics,
            status: status.clone(),
            mapping: Arc::from(mapping),
            health: Arc::default(),
        }
    }

    /// The mapping is in this state now, and why where there is something to explain.
    pub fn state(&self, state: State, reason: Option<&str>) {
        self.status.set_state(&self.mapping, state, reason);
        self.metrics.set_state(state);
    }

    /// The last receive failed for this reason, or succeeded.
    pub fn source(&self, trouble: Option<String>) {
        self.change(|health| health.source = trouble);
    }

    /// The last invocation could not be made for this reason, or the function ran.
    pub fn function(&self, trouble: Option<String>) {
        self.change(|health| health.function = trouble);
    }

    /// Checkpoints can not be written for this reason, or can again.
    pub fn store(&self, trouble: Option<String>) {
        self.change(|health| health.store = trouble);
    }

    /// What the shard does (`reading`, `delivery`) stands still for this reason, or goes on.
    pub fn shard(&self, id: &str, does: &'static str, trouble: Option<String>) {
        let key = (id.to_owned(), does);
        self.change(|health| match trouble {
            Some(trouble) => {
                health.shards.insert(key, trouble);
            }
            None => {
                health.shards.remove(&key);
            }
        });
    }

    /// The last invocation was refused because there are too many, or was not.
    pub fn throttled(&self, throttled: bool) {
        self.change(|health| health.throttled = throttled);
    }

    /// The function ran, and handled what it was given or not.
    pub fn ran(&self, well: bool) {
        self.change(|health| {
            health.ran = Some(well);
            health.failures = match well {
                true => 0,
                false => health.failures.saturating_add(1),
            }
        });
    }

    /// The mapping drains.
    pub fn draining(&self) {
        self.leaving(State::Disabling);
    }

    /// The mapping drains, for this; what was said of it first holds.
    pub fn leaving(&self, state: State) {
        self.change(|health| {
            health.draining.get_or_insert(state);
        });
    }

    fn change(&self, change: impl FnOnce(&mut Health)) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let before = health.clone();
        change(&mut health);
        if *health == before {
            return;
        }
        self.status.processed(&self.mapping, health.processed());
        let reason = health.reason();
        match (health.draining, reason.is_empty()) {
            (Some(state), _) => self.state(state, None),
            (None, true) => {
                self.state(State::Enabled, health.note().as_deref());
                if !before.reason().is_empty() {
                    info!(mapping = %self.mapping, "at work again");
                }
            }
            (None, false) => self.state(State::Failing, Some(&reason)),
        }
    }

    /// The mapping was started: it counts as ready from now on, whatever comes. What kept an engine before this one
    /// from its work is forgotten, lest the same trouble be taken for told.
    pub fn started(&self) {
        let processed = {
            let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
            *health = Health {
                ran: health.ran,
                ..Health::default()
            };
            health.processed()
        };
        self.status.processed(&self.mapping, processed);
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
        Fault::Transient
        | Fault::Expired
        | Fault::Trimmed
        | Fault::Denied
        | Fault::Gone
        | Fault::Invalid => RequestOutcome::Error,
    }
}

/// The label for why an answer can not be read: a few kinds, where the log has the exact reason.
pub fn malformed(why: response::Malformed) -> Malformed {
    match why {
        response::Malformed::NotJson | response::Malformed::RepeatedKey => Malformed::NotJson,
        response::Malformed::NotAnObject
        | response::Malformed::NotAList
        | response::Malformed::EntryNotAnObject
        | response::Malformed::IdentifierNotAString
        | response::Malformed::NoState => Malformed::WrongType,
        response::Malformed::EntryWithoutIdentifier
        | response::Malformed::NullIdentifier
        | response::Malformed::EmptyIdentifier => Malformed::NoIdentifier,
        response::Malformed::UnknownIdentifier | response::Malformed::RepeatedIdentifier => {
            Malformed::UnknownIdentifier
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn creating(status: &Status, source: Source) -> Reports {
        let metrics = Metrics::new();
        Reports::new(&metrics, status, "m", source, State::Creating, None)
    }

    #[test]
    fn the_same_trouble_is_told_again_after_a_new_start() {
        let status = Status::default();
        let reports = creating(&status, Source::Queue);
        let state = || status.readiness().mappings.remove(0).state;
        for _ in 0..2 {
            reports.started();
            assert_eq!(state(), State::Enabled);
            reports.source(Some("no answer".into()));
            assert_eq!(state(), State::Failing);
        }
        reports.source(None);
        assert_eq!(state(), State::Enabled);
        reports.draining();
        reports.function(Some("no answer".into()));
        assert_eq!(state(), State::Disabling);
    }

    #[test]
    fn a_function_that_keeps_failing_is_told_of_and_the_mapping_is_healthy() {
        let status = Status::default();
        let reports = creating(&status, Source::Queue);
        let told = || {
            let mapping = status.readiness().mappings.remove(0);
            (mapping.state, mapping.reason)
        };
        reports.started();
        for _ in 0..4 {
            reports.ran(false);
        }
        assert_eq!(told(), (State::Enabled, None));
        reports.ran(false);
        let five = "the function failed 5 times in a row".to_owned();
        assert_eq!(told(), (State::Enabled, Some(five)));
        reports.ran(true);
        assert_eq!(told(), (State::Enabled, None));
    }

    #[test]
    fn shards_that_stand_still_are_named_and_where_they_are_many_counted() {
        let status = Status::default();
        let reports = creating(&status, Source::Stream);
        let told = || {
            let mapping = status.readiness().mappings.remove(0);
            (mapping.state, mapping.reason.unwrap_or_default())
        };
        reports.started();
        for shard in ["a", "b", "c", "d", "e"] {
            reports.shard(shard, "delivery", Some("no".into()));
        }
        reports.shard("a", "reading", Some("denied".into()));
        let (state, reason) = told();
        assert_eq!(state, State::Failing);
        assert_eq!(
            reason,
            "a stands still (delivery): no; a stands still (reading): denied; b stands still (delivery): no; 3 more stand still"
        );
        for shard in ["b", "c", "d", "e"] {
            reports.shard(shard, "delivery", None);
        }
        reports.shard("a", "delivery", None);
        assert_eq!(
            told(),
            (
                State::Failing,
                "a stands still (reading): denied".to_owned()
            )
        );
        reports.shard("a", "reading", None);
        assert_eq!(told(), (State::Enabled, String::new()));
    }
}
