//! Those that run, and how they come to be those that are wanted: a mapping at a time, each in its own time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::Surroundings;
use super::engines::Engines;
use super::roster::Wanted;
use super::supervised::{STARTS_AT_ONCE, Supervised};
use crate::checkpoint::Store;
use crate::config::mapping::Mapping;
use crate::metrics::Source;
use crate::reports::{Account, Reports};
use crate::status::State;

/// The mappings that are here, by UUID.
#[derive(Debug)]
pub(super) struct Crew {
    around: Arc<Surroundings>,
    drain: CancellationToken,
    chance: fastrand::Rng,
    engines: Arc<Engines>,
    starts: Arc<Semaphore>,
    members: BTreeMap<String, Member>,
    tasks: JoinSet<()>,
}

/// A mapping that is here.
#[derive(Debug)]
struct Member {
    mapping: Arc<Mapping>,
    reports: Reports,
    work: Work,
    /// Why it is held, where it rests for that.
    held: Option<&'static str>,
}

/// What a mapping's task is at.
#[derive(Debug)]
enum Work {
    /// It was disabled from the beginning, or has ended by itself: somebody else has the mapping.
    None,
    /// It has made way.
    Left,
    Running {
        task: AbortHandle,
        stop: CancellationToken,
    },
    Leaving {
        task: AbortHandle,
    },
}

impl Crew {
    pub fn new(around: Surroundings, drain: CancellationToken) -> Self {
        Self {
            chance: fastrand::Rng::with_seed(around.seed),
            around: Arc::new(around),
            drain,
            engines: Arc::default(),
            starts: Arc::new(Semaphore::new(STARTS_AT_ONCE)),
            members: BTreeMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Begin what is wanted and not here, and let go what is here and not wanted like that. What has to wait for the end of
    /// another is begun when it is called again.
    pub fn follow(&mut self, wanted: &Wanted) {
        self.leave(wanted);
        let mut names: BTreeMap<String, String> = self
            .members
            .iter()
            .map(|(uuid, member)| (member.mapping.name.clone(), uuid.clone()))
            .collect();
        for mapping in wanted.mappings.iter() {
            let held = wanted.held.get(&mapping.uuid).copied();
            let before = match self.members.get_mut(&mapping.uuid) {
                Some(member) if member.stays_for(mapping) => {
                    member.rests_for(held);
                    continue;
                }
                Some(member) => Some(member.mapping.enabled),
                None => None,
            };
            // Nor can two have a name at once.
            let owner = names.get(&mapping.name);
            if owner.is_none_or(|owner| *owner == mapping.uuid) {
                names.insert(mapping.name.clone(), mapping.uuid.clone());
                self.begin(mapping.clone(), before, held, &wanted.store);
            }
        }
    }

    /// Whoever is not wanted as he is.
    fn leave(&mut self, wanted: &Wanted) {
        let wanted = wanted.mappings.iter();
        let wanted: BTreeMap<&str, &Mapping> = wanted
            .map(|mapping| (mapping.uuid.as_str(), &**mapping))
            .collect();
        let mut gone = Vec::new();
        for (uuid, member) in &mut self.members {
            let next = wanted.get(uuid.as_str()).copied();
            if next == Some(&*member.mapping) {
                continue;
            }
            match member.work {
                Work::Running { .. } | Work::Leaving { .. } => member.leave(next),
                Work::None | Work::Left => {
                    if next.is_none_or(|next| next.name != member.mapping.name) {
                        gone.push(uuid.clone());
                    }
                }
            }
        }
        for uuid in gone {
            self.forget(&uuid);
        }
    }

    fn begin(
        &mut self,
        mapping: Arc<Mapping>,
        was_enabled: Option<bool>,
        held: Option<&'static str>,
        store: &Store,
    ) {
        let state = match (mapping.enabled, was_enabled) {
            (false, _) => State::Disabled,
            (true, None) => State::Creating,
            (true, Some(false)) => State::Enabling,
            (true, Some(true)) => State::Updating,
        };
        let held = held.filter(|_| !mapping.enabled);
        let source = match mapping.stream {
            Some(_) => Source::Stream,
            None => Source::Queue,
        };
        let around = &self.around;
        let reports = Reports::new(
            &around.metrics,
            &around.status,
            &mapping.name,
            source,
            state,
            held,
        );
        let work = if mapping.enabled {
            let stop = self.drain.child_token();
            let supervised = Box::new(Supervised {
                mapping: mapping.clone(),
                around: around.clone(),
                store: store.clone(),
                reports: reports.clone(),
                chance: self.chance.fork(),
                engines: self.engines.clone(),
                starts: self.starts.clone(),
                service: self.drain.clone(),
            });
            let task = self.tasks.spawn(supervised.run(stop.clone()));
            Work::Running { task, stop }
        } else {
            Work::None
        };
        let uuid = mapping.uuid.clone();
        let member = Member {
            mapping,
            reports,
            work,
            held,
        };
        self.members.insert(uuid, member);
    }

    /// The UUIDs of those that are at work, or on their way out.
    pub fn at_work(&self) -> BTreeSet<String> {
        let at_work = |member: &Member| match member.work {
            Work::Running { .. } | Work::Leaving { .. } => true,
            Work::None | Work::Left => false,
        };
        let members = self.members.iter();
        members
            .filter(|(_, member)| at_work(member))
            .map(|(uuid, _)| uuid.clone())
            .collect()
    }

    fn forget(&mut self, uuid: &str) {
        if let Some(member) = self.members.remove(uuid) {
            info!(mapping = %member.mapping.name, "gone");
            self.around.status.remove(&member.mapping.name);
            self.around.metrics.remove(&member.mapping.name);
        }
    }

    /// Returns when a task has ended; never where none is there.
    pub async fn someone_ended(&mut self) {
        let Some(ended) = self.tasks.join_next().await else {
            return std::future::pending().await;
        };
        if let Err(panic) = ended {
            error!(%panic, "the care of a mapping ended in a panic");
        }
        for member in self.members.values_mut() {
            member.look();
        }
    }

    /// Everybody has left, and what became of everything.
    pub async fn all_ended(&mut self) -> Account {
        while self.tasks.join_next().await.is_some() {}
        self.engines.account()
    }
}

impl Member {
    /// It is what is wanted, or is not yet out of the way of it.
    fn stays_for(&self, wanted: &Mapping) -> bool {
        match self.work {
            Work::None => *self.mapping == *wanted,
            Work::Running { .. } | Work::Leaving { .. } => true,
            Work::Left => false,
        }
    }

    /// Tell why one that rests does so.
    fn rests_for(&mut self, held: Option<&'static str>) {
        if self.held != held && !self.mapping.enabled {
            self.reports.state(State::Disabled, held);
            self.held = held;
        }
    }

    /// Make way for what comes next.
    fn leave(&mut self, next: Option<&Mapping>) {
        if let Work::Running { task, stop } = &self.work {
            let state = match next {
                Some(next) if next.enabled => State::Updating,
                Some(_) => State::Disabling,
                None => State::Deleting,
            };
            info!(mapping = %self.mapping.name, ?state, "settles what is in hand");
            self.reports.leaving(state);
            stop.cancel();
            self.work = Work::Leaving { task: task.clone() };
        }
    }

    /// Take note if the task has ended.
    fn look(&mut self) {
        match &self.work {
            Work::Running { task, .. } if task.is_finished() => self.work = Work::None,
            Work::Leaving { task } if task.is_finished() => self.work = Work::Left,
            Work::None | Work::Left | Work::Running { .. } | Work::Leaving { .. } => {}
        }
    }
}
