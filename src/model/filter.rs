//! `FilterCriteria`: which records a function sees at all. The pattern language of EventBridge, as mappings use it.
//! What no filter keeps is settled unseen (a queue's message is deleted), so each doubt is decided for keeping.
//!
//! A pattern is compiled once (`pattern.rs`); a record becomes a view of the keys that patterns name (`value.rs`,
//! `message.rs`), and the view is asked. A further source adds a view, nothing else. A body is scanned as JSON only
//! when a pattern looks at it; what no pattern names is skipped, at whatever depth.
//!
//! Where AWS is silent: numbers compare exactly as decimals of any size; `wildcard` has no limit of complexity; a
//! repeated key of a *record* offers all its values; lists nested deeper than 16 offer nothing.

mod cidr;
mod error;
mod matcher;
mod message;
mod number;
mod pattern;
mod range;
mod refusal;
mod text;
mod value;
mod warning;
mod wildcard;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::pattern::Branch;
use self::value::Wanted;
use super::record::Message;

pub use self::error::{FilterError, Reason};
pub use self::refusal::{Refusal, Why};
pub use self::warning::{Trap, Warning};

/// Characters of a pattern. // spec: 1.2
pub const PATTERN_CHARS_MAX: usize = 4096;

/// Objects within objects in a pattern, `$or` and the dots of keys counted; ours, to bound recursion.
pub const NESTING_MAX: usize = 100;

/// Branches that one object of a pattern may have after `$or` is resolved; ours. Keys side by side do not multiply.
pub const OR_COMBINATIONS_MAX: usize = 1000;

/// What AWS answers to every pattern that it refuses, whatever the reason. // spec: 1.6
pub const REFUSED_BY_AWS: &str = "Invalid filter pattern definition.";

/// The filters of one mapping, compiled.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    filters: Vec<Arc<[Branch]>>,
    wanted: Wanted,
    warnings: Vec<Warning>,
}

impl Filters {
    /// Compiles patterns; none at all keep everything. How many there may be is the configuration's question.
    ///
    /// # Errors
    /// The first pattern that EventBridge would refuse, with its reason.
    pub fn parse(patterns: &[impl AsRef<str>]) -> Result<Self, FilterError> {
        let mut filters = Filters::default();
        for (filter, text) in patterns.iter().enumerate() {
            let pattern = pattern::compile(text.as_ref()).map_err(|(key, reason)| FilterError {
                filter,
                key,
                reason,
            })?;
            let mut traps = warning::traps(&pattern.branches);
            traps.extend(pattern.traps);
            filters
                .warnings
                .extend(
                    traps
                        .into_iter()
                        .map(|(key, trap)| Warning { filter, key, trap }),
                );
            pattern::note(&pattern.branches, &mut filters.wanted);
            filters.filters.push(pattern.branches);
        }
        Ok(filters)
    }

    /// Traps in the patterns, in the order of the patterns and then of the keys; each once.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Whether any filter matches the message. // spec: 7.1
    pub fn keeps(&self, message: &Message) -> bool {
        if self.filters.is_empty() {
            return true;
        }
        let fields = message::view(&self.wanted, message);
        self.filters
            .iter()
            .any(|branches| pattern::any_holds(branches, Some(&fields)))
    }

    /// Where the first filter refused a message that none keeps; nothing for one that is kept.
    pub fn refusal(&self, message: &Message) -> Option<Refusal> {
        if self.keeps(message) {
            return None;
        }
        let fields = message::view(&self.wanted, message);
        let (key, why) = refusal::find(self.filters.first()?, Some(&fields), "");
        Some(Refusal {
            filter: 0,
            key,
            why,
        })
    }
}
