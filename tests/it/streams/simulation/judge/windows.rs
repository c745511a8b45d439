//! Tumbling windows: the state that an invocation is given is that of exactly the records that were handled before, and
//! each window is ended before the next one begins. // spec: 5.8

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::Judge;
use crate::streams::simulation::function::{Call, Window};

/// Moments are texts of one form, which compare like moments.
#[derive(Debug, Default)]
pub(super) struct Windows {
    /// By shard: the window of each record that was handled.
    handled: BTreeMap<String, BTreeMap<usize, String>>,
    /// By shard: the last window in which something was handled, and whether it was ended.
    open: BTreeMap<String, (String, bool)>,
}

impl Judge<'_> {
    pub(super) fn window_offered(&mut self, at: Duration, window: &Window, users: &[usize]) {
        let Window {
            shard, start, seen, ..
        } = window;
        let order = |user: &usize| self.shards[shard].iter().position(|other| other == user);
        let first = users.first().and_then(order);
        // Handled before these, in the same window: the state has it, unless it was discarded after all.
        let expected: Vec<usize> = self
            .windows
            .handled
            .get(shard)
            .into_iter()
            .flatten()
            .filter(|(_, of)| *of == start)
            .map(|(user, _)| *user)
            .filter(|user| first.is_none_or(|first| order(user) < Some(first)))
            .collect();
        let foreign: Vec<&usize> = seen
            .iter()
            .filter(|user| !expected.contains(user))
            .collect();
        let missing: Vec<&usize> = expected
            .iter()
            .filter(|user| !seen.contains(user) && !self.may_be_out(**user, at))
            .collect();
        if !foreign.is_empty() || !missing.is_empty() {
            let text = format!(
                "{users:?} in {start} of {shard}: its state lacks {missing:?}, and has {foreign:?}"
            );
            self.breach(at, "5.8", text);
        }
        let Some((open, ended)) = self.windows.open.get(shard).cloned() else {
            return;
        };
        if *start < open {
            let text = format!("{shard} went back from {open} to {start}");
            self.breach(at, "5.8", text);
        }
        if open < *start && !ended && self.has_to_end(shard, &open, at) {
            let text = format!("{open} of {shard} was not ended before {start}");
            self.breach(at, "5.8", text);
        }
        if open == *start && ended && self.fair() {
            let text = format!("{start} of {shard} was ended before {users:?}");
            self.breach(at, "5.8", text);
        }
    }

    pub(super) fn window_handled(&mut self, call: &Call, handled: usize) {
        let Some(window) = call.window.as_ref().filter(|_| handled > 0) else {
            return;
        };
        let shard = window.shard.clone();
        let of_shard = self.windows.handled.entry(shard.clone()).or_default();
        for user in &call.users[..handled] {
            of_shard.insert(*user, window.start.clone());
        }
        self.windows
            .open
            .insert(shard, (window.start.clone(), false));
    }

    pub(super) fn window_ended(&mut self, window: &Window) {
        if let Some((start, ended)) = self.windows.open.get_mut(&window.shard) {
            *ended |= *start == window.start;
        }
    }

    /// The final invocation was given up.
    pub(super) fn window_discarded(&mut self, at: Duration, told: &Value, info: &Value) {
        let shard = info["shardId"].as_str().unwrap();
        let start = told["timeWindowInfo"]["window"]["start"].as_str();
        match (self.windows.open.get_mut(shard), start) {
            (Some((open, ended)), Some(start)) if open == start => *ended = true,
            (open, start) => {
                let text = format!("{start:?} of {shard} was given up, and {open:?} was open");
                self.breach(at, "5.8", text);
            }
        }
    }

    /// In the end every window is ended; where nobody is told, it may have been given up.
    pub(super) fn windows_left_open(&self, at: Duration) -> Vec<String> {
        let limited = self.evidence.plan.retries.is_some() || self.evidence.plan.age_s.is_some();
        let silent = !self.evidence.plan.tells() && limited;
        let open = self.windows.open.iter().filter(|(shard, (start, ended))| {
            !ended && !silent && self.has_to_end(shard, start, at)
        });
        open.map(|(shard, (start, _))| format!("{start} of {shard}"))
            .collect()
    }

    /// The engine may have given up what was handled unheard, or have found it trimmed.
    fn may_be_out(&self, user: usize, at: Duration) -> bool {
        let plan = self.evidence.plan;
        let fate = &self.fates[user];
        fate.discarded > 0
            || plan.deaf() && fate.trimmed
            || plan.deaf() && !plan.tells() && self.may_be_dropped(user, at)
    }

    fn has_to_end(&self, shard: &str, start: &str, at: Duration) -> bool {
        let limited = self.evidence.plan.retries.is_some() || self.evidence.plan.age_s.is_some();
        let silent = !self.evidence.plan.tells() && limited;
        let mut handled = self.windows.handled[shard].iter();
        !silent && handled.any(|(user, of)| of == start && !self.may_be_out(*user, at))
    }
}
