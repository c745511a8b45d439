//! What many shards have in common is told once: that it began, ever more rarely that it lasts, and that it is over.
//!
//! A stream of a thousand shards meets an outage a thousand times, and again with each repeat. How each shard is stands
//! in the mapping's state and in the metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::PoisonError;
use std::time::Duration;

use tracing::{info, warn};

use super::Engine;
use crate::aws::fault::Fault;

/// That something lasts is told first after this, then after twice as long each time, up to the longest.
const SAY_FIRST: Duration = Duration::from_secs(30);
const SAY_LONGEST: Duration = Duration::from_hours(1);
/// It is over when nothing failed for so long: what comes and goes is told as one.
const QUIET: Duration = Duration::from_secs(10);

/// What a shard is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Reading,
    Invoking,
}

/// Why it does not get on. A shard has one of each work at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Matter {
    ReadThrottled,
    Unreadable,
    Denied,
    Refused,
    /// Another subscription of the same consumer.
    Taken,
    FunctionThrottled,
    FunctionUnavailable,
}

impl Matter {
    /// That of a failed read.
    pub fn of_read(fault: Fault) -> Self {
        match fault {
            Fault::Throttled { .. } => Self::ReadThrottled,
            Fault::Transient | Fault::Expired | Fault::Trimmed | Fault::Gone => Self::Unreadable,
            Fault::Denied => Self::Denied,
            Fault::Invalid => Self::Refused,
        }
    }

    fn work(self) -> Work {
        match self {
            Self::ReadThrottled | Self::Unreadable | Self::Denied | Self::Refused | Self::Taken => {
                Work::Reading
            }
            Self::FunctionThrottled | Self::FunctionUnavailable => Work::Invoking,
        }
    }

    /// That it begins, that it lasts, that it is over.
    fn words(self) -> [&'static str; 3] {
        match self {
            Self::ReadThrottled | Self::Unreadable | Self::Denied | Self::Refused => [
                "a shard can not be read",
                "shards can still not be read",
                "the shards can be read again",
            ],
            Self::Taken => [
                "somebody else subscribes to a shard as the same consumer: each has to have its own",
                "somebody else still subscribes as the same consumer: each has to have its own",
                "nobody else subscribes as the same consumer any more",
            ],
            Self::FunctionThrottled => [
                "the function is throttled",
                "the function is still throttled",
                "the function is throttled no more",
            ],
            Self::FunctionUnavailable => [
                "the function can not be invoked",
                "the function can still not be invoked",
                "the function can be invoked again",
            ],
        }
    }
}

/// What a mapping has to say.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    open: BTreeMap<Matter, Complaint>,
}

#[derive(Debug)]
struct Complaint {
    /// Those that it keeps now.
    shards: BTreeSet<String>,
    /// How often something failed.
    failures: u64,
    began: Duration,
    last: Duration,
    say_at: Duration,
    pause: Duration,
}

/// What a failure gives cause to say.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    First,
    Still { shards: usize, failures: u64 },
    Nothing,
}

/// A matter that is over.
#[derive(Debug, PartialEq, Eq)]
struct Over {
    matter: Matter,
    failures: u64,
    lasted: Duration,
}

impl Complaints {
    fn failed(&mut self, matter: Matter, shard: &str, now: Duration) -> Said {
        self.leave(matter.work(), shard);
        let Some(open) = self.open.get_mut(&matter) else {
            let first = Complaint {
                shards: BTreeSet::from([shard.to_owned()]),
                failures: 1,
                began: now,
                last: now,
                say_at: now + SAY_FIRST,
                pause: SAY_FIRST,
            };
            self.open.insert(matter, first);
            return Said::First;
        };
        open.shards.insert(shard.to_owned());
        open.failures += 1;
        open.last = now;
        if now < open.say_at {
            return Said::Nothing;
        }
        open.pause = (open.pause * 2).min(SAY_LONGEST);
        open.say_at = now + open.pause;
        Said::Still {
            shards: open.shards.len(),
            failures: open.failures,
        }
    }

    /// The shard gets on with this work.
    fn well(&mut self, work: Work, shard: &str, now: Duration) -> Vec<Over> {
        self.leave(work, shard);
        let is_over = |matter: &Matter, open: &mut Complaint| {
            matter.work() == work && open.shards.is_empty() && open.last + QUIET <= now
        };
        let over = self.open.extract_if(.., is_over);
        over.map(|(matter, complaint)| Over {
            matter,
            failures: complaint.failures,
            lasted: complaint.last - complaint.began,
        })
        .collect()
    }

    /// The shard is not at this work any more.
    fn leave(&mut self, work: Work, shard: &str) {
        for (matter, open) in &mut self.open {
            if matter.work() == work {
                open.shards.remove(shard);
            }
        }
    }
}

impl Engine {
    /// A shard does not get on, for a reason that others may share; it tries again after the delay, where that is known.
    pub(super) fn complain(
        &self,
        matter: Matter,
        shard: &str,
        failure: &dyn fmt::Display,
        delay: Option<Duration>,
    ) {
        let mapping = self.mapping.name.as_str();
        let now = self.now();
        let said = self.complaints(|complaints| complaints.failed(matter, shard, now));
        let [begins, lasts, _] = matter.words();
        let delay_ms = delay.map(|delay| delay.as_millis() as u64);
        // Too many at once is how a function says that it has enough.
        let is_usual = matter == Matter::FunctionThrottled;
        match said {
            Said::First if is_usual => info!(mapping, shard, %failure, delay_ms, "{begins}"),
            Said::First => warn!(mapping, shard, %failure, delay_ms, "{begins}"),
            Said::Still { shards, failures } if is_usual => {
                info!(mapping, shards, failures, %failure, "{lasts}");
            }
            Said::Still { shards, failures } => {
                warn!(mapping, shards, failures, %failure, "{lasts}");
            }
            Said::Nothing => {}
        }
    }

    /// A shard gets on with this work.
    pub(super) fn gets_on(&self, work: Work, shard: &str) {
        let now = self.now();
        for over in self.complaints(|complaints| complaints.well(work, shard, now)) {
            let [.., ended] = over.matter.words();
            info!(
                mapping = %self.mapping.name, failures = over.failures, lasted_s = over.lasted.as_secs(),
                "{ended}"
            );
        }
    }

    /// A shard is not at this work any more: how it would get on is not known.
    pub(super) fn leaves(&self, work: Work, shard: &str) {
        self.complaints(|complaints| complaints.leave(work, shard));
    }

    fn complaints<T>(&self, act: impl FnOnce(&mut Complaints) -> T) -> T {
        let mut complaints = self
            .complaints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        act(&mut complaints)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A moment of an engine that began long before.
    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(100_000 + seconds)
    }

    #[test]
    fn what_lasts_is_told_ever_more_rarely_and_its_end_once() {
        let mut complaints = Complaints::default();
        let mut said = Vec::new();
        for second in 0..=1_000 {
            for shard in ["a", "b", "c"] {
                match complaints.failed(Matter::Unreadable, shard, at(second)) {
                    Said::Nothing => {}
                    Said::First => said.push((second, 1)),
                    Said::Still { shards, .. } => said.push((second, shards)),
                }
            }
        }
        assert_eq!(
            said,
            [(0, 1), (30, 3), (90, 3), (210, 3), (450, 3), (930, 3)]
        );
        let mut well = |shard, second| complaints.well(Work::Reading, shard, at(second));
        assert_eq!(well("a", 1_001), []);
        assert_eq!(well("b", 1_020), [], "the third still waits");
        assert_eq!(well("c", 1_005), [], "it may come again");
        let over = Over {
            matter: Matter::Unreadable,
            failures: 3_003,
            lasted: Duration::from_secs(1_000),
        };
        assert_eq!(well("a", 1_010), [over]);
        assert_eq!(well("a", 1_011), []);
    }

    #[test]
    fn each_matter_is_told_and_one_work_says_nothing_of_the_other() {
        let mut complaints = Complaints::default();
        let mut failed = |matter, second| complaints.failed(matter, "a", at(second));
        assert_eq!(failed(Matter::Unreadable, 0), Said::First);
        assert_eq!(failed(Matter::Denied, 1), Said::First);
        assert_eq!(failed(Matter::FunctionThrottled, 1), Said::First);
        assert_eq!(failed(Matter::Denied, 2), Said::Nothing);
        let mut ended = |work, second| {
            let over = complaints.well(work, "a", at(second));
            over.iter().map(|over| over.matter).collect::<Vec<_>>()
        };
        assert_eq!(ended(Work::Reading, 11), [Matter::Unreadable]);
        assert_eq!(ended(Work::Reading, 12), [Matter::Denied]);
        assert_eq!(ended(Work::Invoking, 12), [Matter::FunctionThrottled]);
    }
}
