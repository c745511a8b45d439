//! What each mapping is doing and whether the process is ready: written by the service, read by the admin listener.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Serialize, Serializer};

use crate::metrics::Label as _;
pub use crate::metrics::State;

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}

/// The shared page on which the service writes. Cheap to clone: all clones are the same page.
#[derive(Clone, Debug, Default)]
pub struct Status(Arc<Mutex<Page>>);

#[derive(Debug, Default)]
struct Page {
    draining: bool,
    mappings: BTreeMap<String, Entry>,
    refused: Vec<String>,
}

#[derive(Debug)]
struct Entry {
    enabled: bool,
    started: bool,
    state: State,
    reason: Option<String>,
    processed: Processed,
}

/// How it went last. // spec: 1.5
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Processed {
    /// Nothing was invoked yet.
    Nothing,
    /// The function handled a batch, or told which of its records it did not.
    Handled,
    /// The function failed.
    FunctionFailed,
    /// The source can not be read, for this reason.
    SourceFailed(String),
}

/// What `/readyz` shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Every enabled mapping was started at least once, and the process is not draining.
    pub ready: bool,
    /// The process reads no more and settles what is in hand.
    pub draining: bool,
    /// By name.
    pub mappings: Vec<MappingStatus>,
    /// What is wrong with the configuration that was to take the place of the one in force; empty where nothing is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub configuration_errors: Vec<String>,
}

/// One mapping's part of `Readiness`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MappingStatus {
    /// As in the configuration.
    pub name: String,
    /// What it is doing.
    pub state: State,
    /// Whether it ever was started: its source answered, whatever came later.
    pub started: bool,
    /// Why it is in that state.
    pub reason: Option<String>,
}

impl Status {
    /// A page with these mappings: name, and whether it is enabled. None is started yet.
    pub fn new<'a>(mappings: impl IntoIterator<Item = (&'a str, bool)>) -> Self {
        let status = Self::default();
        for (name, enabled) in mappings {
            let state = match enabled {
                true => State::Creating,
                false => State::Disabled,
            };
            status.add(name, state, None);
        }
        status
    }

    /// A mapping came in, or another in its place: this is what it is doing, and why where there is something to explain. Until
    /// it is started the process is not ready, unless the mapping is disabled; one that was there was started if it ever was.
    ///
    /// All at once: whoever asks sees no mapping that is let be and yet said to begin.
    pub fn add(&self, mapping: &str, state: State, reason: Option<&str>) {
        let mut page = self.page();
        let entry = page.mappings.entry(mapping.to_owned());
        let entry = entry.or_insert_with(|| Entry {
            enabled: true,
            started: false,
            state,
            reason: None,
            processed: Processed::Nothing,
        });
        entry.enabled = state != State::Disabled;
        entry.state = state;
        entry.reason = reason.map(str::to_owned);
    }

    /// How it went last.
    pub fn processed(&self, mapping: &str, processed: Processed) {
        if let Some(entry) = self.page().mappings.get_mut(mapping) {
            entry.processed = processed;
        }
    }

    /// What the mapping is doing, and how it went last; none where it is not known.
    pub fn of(&self, mapping: &str) -> Option<(State, Processed)> {
        let page = self.page();
        let entry = page.mappings.get(mapping)?;
        Some((entry.state, entry.processed.clone()))
    }

    /// A mapping is gone.
    pub fn remove(&self, mapping: &str) {
        self.page().mappings.remove(mapping);
    }

    /// What the mapping is doing from now on, and why. Unknown names are left alone.
    pub fn set_state(&self, mapping: &str, state: State, reason: Option<&str>) {
        if let Some(entry) = self.page().mappings.get_mut(mapping) {
            entry.state = state;
            entry.reason = reason.map(str::to_owned);
        }
    }

    /// The mapping was started. It stays so: one that fails later does not make the process unready.
    pub fn started(&self, mapping: &str) {
        if let Some(entry) = self.page().mappings.get_mut(mapping) {
            entry.started = true;
        }
    }

    /// A configuration was to take the place of the one in force: what is wrong with it, if anything is.
    pub fn reloaded(&self, errors: Vec<String>) {
        self.page().refused = errors;
    }

    /// The process is leaving: not ready any more.
    pub fn draining(&self) {
        self.page().draining = true;
    }

    /// The page as it is now.
    pub fn readiness(&self) -> Readiness {
        let page = self.page();
        let all_started = page
            .mappings
            .values()
            .all(|entry| entry.started || !entry.enabled);
        let shown = |(name, entry): (&String, &Entry)| MappingStatus {
            name: name.clone(),
            state: entry.state,
            started: entry.started,
            reason: entry.reason.clone(),
        };
        Readiness {
            ready: all_started && !page.draining,
            draining: page.draining,
            mappings: page.mappings.iter().map(shown).collect(),
            configuration_errors: page.refused.clone(),
        }
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        // Each change is one assignment: a panic of its holder leaves nothing half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_once_every_enabled_mapping_was_started() {
        let status = Status::new([("a", true), ("b", true), ("off", false)]);
        let ready = || status.readiness().ready;
        assert!(!ready());
        status.started("a");
        assert!(!ready());
        status.started("b");
        assert!(ready());
        status.set_state("b", State::Failing, Some("the queue does not exist"));
        assert!(
            ready(),
            "one broken mapping does not make the process unready"
        );
        status.add("late", State::Creating, None);
        assert!(!ready());
        status.remove("late");
        assert!(ready());
        status.draining();
        assert!(!ready());
    }

    #[test]
    fn one_that_is_held_before_it_was_started_is_never_shown_as_ready_for_another_reason() {
        let status = Status::new([("a", true)]);
        assert!(!status.readiness().ready);
        status.add("a", State::Disabled, Some("paused"));
        let page = status.readiness();
        let shown = MappingStatus {
            name: "a".to_owned(),
            state: State::Disabled,
            started: false,
            reason: Some("paused".to_owned()),
        };
        assert_eq!((page.ready, page.mappings), (true, vec![shown]));
    }

    #[test]
    fn a_service_without_mappings_is_ready() {
        assert!(Status::new([]).readiness().ready);
    }

    #[test]
    fn the_page_names_each_mapping_its_state_and_the_reason() {
        let status = Status::new([("b", false), ("a", true)]);
        status.started("a");
        status.set_state("a", State::Failing, Some("access denied"));
        status.set_state("unknown", State::Enabled, None);
        status.started("unknown");
        let text = serde_json::to_string(&status.readiness()).unwrap();
        assert_eq!(
            text,
            r#"{"ready":true,"draining":false,"mappings":[{"name":"a","state":"Failing","started":true,"reason":"access denied"},{"name":"b","state":"Disabled","started":false,"reason":null}]}"#
        );
    }
}
