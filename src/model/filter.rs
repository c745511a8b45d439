//! `FilterCriteria`: which records a function sees at all. The pattern language of EventBridge, as mappings use it.
//! What no filter keeps is settled unseen (a queue's message is deleted), so each doubt is decided for keeping.
//!
//! A pattern is compiled once (`pattern.rs`) and made ready to be asked (`plan.rs`); a record becomes a view of the keys
//! that patterns name (`value.rs`), made once for all of them, and the view is asked. Each source adds such a view (`message.rs`, `kinesis.rs`, `dynamodb.rs`) and what is known of its
//! keys beforehand (`source.rs`). A payload is scanned as JSON only when a pattern looks at it; what no pattern names is
//! skipped, at whatever depth.
//!
//! Where AWS is silent: numbers compare exactly as decimals of any size; `wildcard` has no limit of complexity; a
//! repeated key of a *record* offers all its values; lists nested deeper than 16 offer nothing.

mod cidr;
mod dynamodb;
mod error;
mod kinesis;
mod matcher;
mod message;
mod number;
mod pattern;
mod plan;
mod range;
mod refusal;
mod source;
mod text;
mod value;
mod warning;
mod wildcard;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::plan::{Check, Plan};
use self::value::{Fields, Wanted};

pub use self::error::{FilterError, Reason};
pub use self::refusal::{Refusal, Why};
pub use self::source::{Source, Subject};
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
    filters: Vec<Arc<Plan>>,
    wanted: Wanted,
    warnings: Vec<Warning>,
}

impl Filters {
    /// Compiles patterns for records of a source; none at all keep everything. How many there may be is the
    /// configuration's question.
    ///
    /// # Errors
    /// The first pattern that EventBridge would refuse, or that asks this source's payload for strings, with its reason.
    pub fn parse(patterns: &[impl AsRef<str>], source: Source) -> Result<Self, FilterError> {
        let mut filters = Filters::default();
        for (filter, text) in patterns.iter().enumerate() {
            let pattern = pattern::compile(text.as_ref()).map_err(|(key, reason)| FilterError {
                filter,
                key,
                reason,
            })?;
            let plan = Plan::of(&pattern.branches, &mut filters.wanted);
            if plan.too_complex() {
                return Err(FilterError {
                    filter,
                    key: String::new(),
                    reason: Reason::TooManyQuestions,
                });
            }
            if let Some(payload) = source.json_only()
                && asks_strings(&plan, payload)
            {
                return Err(FilterError {
                    filter,
                    key: payload.into(),
                    reason: Reason::JsonOnly(payload),
                });
            }
            let mut traps = warning::traps(&plan, source);
            traps.extend(pattern.traps);
            filters
                .warnings
                .extend(
                    traps
                        .into_iter()
                        .map(|(key, trap)| Warning { filter, key, trap }),
                );
            filters.filters.push(Arc::new(plan));
        }
        Ok(filters)
    }

    /// Traps in the patterns, in the order of the patterns and then of the keys; each once.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Whether any filter matches a record of the source that the filters were compiled for. // spec: 7.1
    pub fn keeps<'a>(&'a self, record: impl Into<Subject<'a>>) -> bool {
        if self.filters.is_empty() {
            return true;
        }
        self.any_holds(&record.into().view(&self.wanted))
    }

    /// Where each filter refused a record that none keeps, in the order of the filters; nothing for one that is kept.
    pub fn refusals<'a>(&'a self, record: impl Into<Subject<'a>>) -> Vec<Refusal> {
        let fields = record.into().view(&self.wanted);
        if self.any_holds(&fields) {
            return Vec::new();
        }
        let refused = self.filters.iter().enumerate().map(|(filter, plan)| {
            let (key, why) = refusal::find(plan, Some(&fields), "");
            Refusal { filter, key, why }
        });
        refused.collect()
    }

    fn any_holds(&self, fields: &Fields<'_>) -> bool {
        self.filters.iter().any(|plan| plan.holds(Some(fields)))
    }
}

/// Whether the root key is given a list of values, in any branch. // spec: 7.3
fn asks_strings(plan: &Plan, key: &str) -> bool {
    plan.tests()
        .iter()
        .any(|test| &*test.name == key && matches!(test.check, Check::Leaf(_)))
}
