//! Windows of time with state: where a record belongs, what the function is given, when a window ends. // spec: 5.8, 2.4
//!
//! A shard has at most one window open, and its records go through the windows in order: a record that arrived before
//! the window of the record before it (clocks of a source differ) joins that later window, because its own is closed and
//! its state gone. After a restart that is known of the window that is open and of those that were closed. A window is
//! open once the function has returned a state for it; one in which nothing was handled has nothing to end. A record that a filter drops moves time on like any other.
//!
//! The loop asks [`Tumbling::next`] before each delivery, also between the slices of a batch: a state may outgrow its
//! limit there. What fails leaves the state as it was, so that a repeat is given the state from before.

use std::time::Duration;

use super::delivery::{Delivery, Policy, Slice};
use super::progress::{LastInvocation, WindowProgress};

/// A longer state ends its window early: AWS's 1 MB a shard. // spec: 5.8
pub const STATE_BYTES_MAX: usize = 1024 * 1024;

/// A window that is over ends when for so long no record came. // spec: 5.8
pub const QUIET_MAX: Duration = Duration::from_secs(120);

/// The state that a window begins with. // spec: 5.8
const STATE_FRESH: &str = "{}";

/// The windows of one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tumbling {
    length_ms: u64,
    open: Option<WindowProgress>,
    /// All windows that begin before it are closed.
    from_ms: Option<u64>,
}

/// What lies ahead in the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// A record that is not settled, or that a filter dropped.
    Record {
        /// Its window, as [`Tumbling::assign`] says.
        window_start_ms: u64,
    },
    /// Nothing that was read; the shard is open.
    Nothing {
        /// How long reads have reached the end of what the shard holds and brought nothing; zero while they fail or lag.
        quiet: Duration,
        /// Milliseconds since 1970.
        now_ms: u64,
    },
    /// Everything in the shard is settled, and it is closed.
    End,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Deliver records of the window that is ahead, and of no other.
    Deliver,
    /// Invoke for the last time in the window that is open: [`Tumbling::closing`].
    Close,
    /// The open window may end after this time; ask again then, or when something is ahead.
    Wait {
        /// Longer than zero.
        at_most: Duration,
    },
    /// No window is open, and nothing is ahead.
    Nothing,
}

/// What an invocation is told of its window. // spec: 2.4
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invocation<'a> {
    /// The window's beginning, milliseconds since 1970.
    pub start_ms: u64,
    /// Its end, exclusive.
    pub end_ms: u64,
    /// A JSON text: what the function returned last.
    pub state: &'a str,
    /// `isFinalInvokeForWindow`: without records.
    pub is_final: bool,
    /// `isWindowTerminatedEarly`: the window goes on with a fresh state.
    pub terminated_early: bool,
}

impl Tumbling {
    /// Windows of this length, at least a millisecond; `open` where the checkpoint left one open. One of another length
    /// (the setting was changed) is ended early before anything else. What begins before `from_ms` is closed.
    pub fn new(length: Duration, open: Option<WindowProgress>, from_ms: Option<u64>) -> Self {
        let length_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        Self {
            length_ms: length_ms.max(1),
            open,
            from_ms,
        }
    }

    /// The beginning of the window to which a record belongs: a multiple of the length, and no earlier than that of the
    /// record before it in the shard (`None` for the first that was read, whatever is settled), nor one that is closed.
    pub fn assign(&self, before: Option<u64>, arrived_ms: u64) -> u64 {
        let open = self.open.as_ref().map(|open| self.aligned(open.start_ms));
        let from = self.from_ms.map(|from_ms| self.aligned(from_ms));
        self.aligned(arrived_ms)
            .max(before.or(open).unwrap_or(0))
            .max(from.unwrap_or(0))
    }

    /// The next step. A question: it changes nothing.
    pub fn next(&self, ahead: Ahead) -> Next {
        let Some(open) = &self.open else {
            return match ahead {
                Ahead::Record { .. } => Next::Deliver,
                Ahead::Nothing { .. } | Ahead::End => Next::Nothing,
            };
        };
        // The final invocation may have run although it failed: nothing can join the window any more.
        let is_closing = 0 < open.final_failures;
        if is_closing || self.terminated_early(open) {
            return Next::Close;
        }
        match ahead {
            Ahead::Record { window_start_ms } if window_start_ms <= open.start_ms => Next::Deliver,
            Ahead::Record { .. } | Ahead::End => Next::Close,
            Ahead::Nothing { quiet, now_ms } => {
                let until_over = Duration::from_millis(end_ms(open).saturating_sub(now_ms));
                let at_most = until_over.max(QUIET_MAX.saturating_sub(quiet));
                if at_most.is_zero() {
                    Next::Close
                } else {
                    Next::Wait { at_most }
                }
            }
        }
    }

    /// What an invocation with records of this window is told.
    pub fn invocation(&self, window_start_ms: u64) -> Invocation<'_> {
        let open = self.open.as_ref();
        Invocation {
            start_ms: window_start_ms,
            end_ms: window_start_ms.saturating_add(self.length_ms),
            state: open
                .filter(|open| open.start_ms == window_start_ms)
                .map_or(STATE_FRESH, |open| open.state.as_str()),
            is_final: false,
            terminated_early: false,
        }
    }

    /// What the final invocation is told, and what the record of its discard says; `None` where no window is open.
    pub fn final_invocation(&self) -> Option<Invocation<'_>> {
        self.open.as_ref().map(|open| Invocation {
            start_ms: open.start_ms,
            end_ms: end_ms(open),
            state: &open.state,
            is_final: true,
            terminated_early: self.terminated_early(open),
        })
    }

    /// Reports the state that came back from an invocation with records of this window, all or some of which it
    /// handled: a partial success is one up to the record that it names.
    pub fn returned(&mut self, window_start_ms: u64, state: String) {
        debug_assert!(
            self.open
                .as_ref()
                .is_none_or(|open| open.start_ms == window_start_ms),
            "the window before is closed first"
        );
        self.open = Some(WindowProgress {
            start_ms: window_start_ms,
            length_ms: self.length_ms,
            terminated_early: STATE_BYTES_MAX < state.len(),
            state,
            final_failures: 0,
            final_first_failed_ms: None,
            final_last: None,
        });
    }

    /// The final invocation as a batch of one: the limits and waits of a record apply to it. Its answer's state is
    /// dropped, and need not be there. After each step, [`Tumbling::closed_so_far`]. // spec: 5.8
    pub fn closing(&self, policy: Policy) -> Delivery {
        let owed = self.open.as_ref().map(|open| Slice {
            failures: open.final_failures,
            first_failed_ms: open.final_first_failed_ms,
            ..Slice::untried(0..1)
        });
        Delivery::resume(policy, owed)
    }

    /// Reports how far the closing is, and the invocation that failed last. Once it is done or discarded no window is
    /// open.
    pub fn closed_so_far(&mut self, closing: &Delivery, last: Option<LastInvocation>) {
        let Some(owed) = closing.owed().next() else {
            if let Some(closed) = self.open.take() {
                // One that ended early may go on with a fresh state.
                let from_ms = match self.terminated_early(&closed) {
                    true => closed.start_ms,
                    false => end_ms(&closed),
                };
                self.from_ms = self.from_ms.max(Some(from_ms));
            }
            return;
        };
        if let Some(open) = &mut self.open {
            open.final_failures = owed.failures;
            open.final_first_failed_ms = owed.first_failed_ms;
            open.final_last = last.filter(|_| 0 < owed.failures);
        }
    }

    /// How old the final invocation is, for `MaximumRecordAgeInSeconds`: it has no record whose age could count, and
    /// may be due only long after the last, so it counts from its first failure.
    pub fn closing_age(&self, now_ms: u64) -> Duration {
        let open = self.open.as_ref();
        let first_failed_ms = open.and_then(|open| open.final_first_failed_ms);
        Duration::from_millis(first_failed_ms.map_or(0, |ms| now_ms.saturating_sub(ms)))
    }

    /// What the checkpoint keeps.
    pub fn progress(&self) -> Option<&WindowProgress> {
        self.open.as_ref()
    }

    /// What the checkpoint keeps beside it: no record belongs to a window that begins before, in milliseconds since 1970.
    pub fn from_ms(&self) -> Option<u64> {
        self.from_ms
    }

    fn aligned(&self, ms: u64) -> u64 {
        ms - ms % self.length_ms
    }

    fn terminated_early(&self, open: &WindowProgress) -> bool {
        open.terminated_early || open.length_ms != self.length_ms
    }
}

fn end_ms(open: &WindowProgress) -> u64 {
    open.start_ms.saturating_add(open.length_ms)
}

#[cfg(test)]
mod tests;
