//! ListEventSourceMappings: filters and pages. // spec: 1.1

use serde_json::{Value, json};

use super::{Entry, Registry};
use crate::config::mapping::Mapping;
use crate::control::page::{self, marker};
use crate::control::refusal::Refusal;
use crate::control::route::UUID_CHARS;
use crate::control::shown::Told;

/// A page never holds more, whatever is asked for.
const PAGE_MAX: usize = 100;

/// What a list is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those of this source.
    pub event_source_arn: Option<String>,
    /// Those of this function, exact on the qualifier.
    pub function_name: Option<String>,
    /// What the page before gave as `NextMarker`.
    pub marker: Option<String>,
    /// 1 to 10,000; a page has at most 100.
    pub max_items: Option<usize>,
}

impl Registry {
    /// ListEventSourceMappings: a page of mappings in the order of their UUIDs, and where the next begins, null after the last.
    /// A mapping that comes or goes between two pages moves no other from one to the other.
    ///
    /// # Errors
    /// The marker is none of ours.
    pub fn list(
        &self,
        selection: &Selection,
        told: impl Fn(&Mapping) -> Option<Told>,
    ) -> Result<Value, Refusal> {
        let after = selection.marker.as_deref().map(unmarked).transpose()?;
        let count = selection.max_items.unwrap_or(PAGE_MAX).min(PAGE_MAX);
        let entries = self.entries.iter();
        let mut rest = entries
            .filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after))
            .filter(|(_, entry)| selection.takes(entry));
        let page: Vec<_> = rest.by_ref().take(count).collect();
        let last = page.last().map(|(key, _)| marker(key));
        let next = rest.next().and(last);
        let paused = |key: &str| self.paused.contains_key(key);
        let shown = page.iter();
        let shown: Vec<Value> = shown
            .map(|(key, entry)| entry.labelled(entry.shown(&told, paused(key))))
            .collect();
        Ok(json!({ "EventSourceMappings": shown, "NextMarker": next }))
    }
}

impl Selection {
    /// A registration that cannot run is shown where nothing is selected.
    fn takes(&self, entry: &Entry) -> bool {
        let Ok(mapping) = &entry.mapping else {
            return self.event_source_arn.is_none() && self.function_name.is_none();
        };
        let source = self.event_source_arn.as_ref();
        let function = self.function_name.as_ref();
        source.is_none_or(|arn| mapping.source.to_string() == *arn)
            && function.is_none_or(|name| mapping.invokes(name).unwrap_or_default())
    }
}

/// The key in a marker.
fn unmarked(marker: &str) -> Result<String, Refusal> {
    let key = page::unmarked(marker)?;
    match key.len() {
        UUID_CHARS => Ok(key),
        _ => Err(page::no_marker()),
    }
}
