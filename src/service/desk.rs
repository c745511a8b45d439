//! The control API at work: what a request comes to is decided (`control`), looked into, kept, followed, and answered. Files
//! that were changed come here, too: one change of what is to run at a time.

mod existence;
mod moves;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::warn;

use super::aside;
use super::roster::{Roster, Wanted};
use crate::admin::port::Asked;
use crate::aws::clients::Clients;
use crate::checkpoint::{Store, StoreError};
use crate::clock::Clock;
use crate::config::Config;
use crate::config::checkpoints::Checkpoints;
use crate::config::mapping::Mapping;
use crate::control::{Kept, Last, Refusal, Registry, Told};
use crate::model::uuid;
use crate::status::{Processed, Status};

/// Requests that are worked on at once; what they have to wait for is bounded by the calls that they make.
const AT_ONCE: usize = 16;

/// What the desk works with.
#[derive(Debug)]
pub struct Parts {
    /// Asked whether what is named exists.
    pub clients: Clients,
    /// What is known of each mapping.
    pub status: Status,
    /// Of the times that are shown.
    pub clock: Clock,
    /// The seed of fresh UUIDs.
    pub seed: u64,
}

/// The desk. One for a service.
#[derive(Debug)]
pub struct Desk {
    parts: Parts,
    roster: Roster,
    registry: Mutex<Registry>,
    ids: Mutex<fastrand::Rng>,
    /// Held while something changes: from the decision until it is followed.
    changing: tokio::sync::Mutex<Keeping>,
    /// Those whose positions are being set, by UUID in small letters: they rest, and nothing else may change of them.
    moving: Mutex<BTreeSet<String>>,
}

/// Where registrations and progress are kept.
#[derive(Debug)]
struct Keeping {
    /// A file that is not open yet, since nothing was to be kept.
    closed: Option<PathBuf>,
}

/// Why a service does not begin.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store can not be had.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It holds a registration that can not be read.
    #[error("the mapping {uuid}, which was made through the API: {why}")]
    Registration {
        /// Its UUID.
        uuid: String,
        /// In words.
        why: String,
    },
}

/// How many mappings a reload concerns.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Concerned {
    /// New.
    pub added: usize,
    /// With other settings.
    pub changed: usize,
    /// Gone.
    pub removed: usize,
    /// As they were.
    pub unchanged: usize,
}

/// Why a mapping rests whatever its settings say.
const PAUSED: &str = "paused by the control API";
const MOVING: &str = "its positions are being set by the control API";

/// What is kept of a mapping that is being deleted, so that a restart ends it.
fn tombstone() -> Value {
    json!({ "Deleted": true })
}

/// A mapping of a stream is to run: its progress has to be kept.
fn needs_store(mappings: &[Arc<Mapping>]) -> bool {
    let needed = |mapping: &Arc<Mapping>| mapping.enabled && mapping.stream.is_some();
    mappings.iter().any(needed)
}

impl Desk {
    /// With the mappings of the files, and those that were made through the API. A file that is there is opened; where there
    /// is none, it is made when something is to be kept for the first time. Blocks while the file is read.
    ///
    /// # Errors
    /// The store can not be had, or holds what can not be read: nothing runs then.
    pub async fn open(config: &Config, parts: Parts) -> Result<Arc<Self>, OpenError> {
        let (store, closed) = match &config.checkpoints {
            Checkpoints::Memory => (Store::memory(), None),
            Checkpoints::File(path) if needs_store(&config.mappings) || path.is_file() => {
                (Store::open(path)?, None)
            }
            Checkpoints::File(path) => (Store::memory(), Some(path.clone())),
        };
        Self::on(config, (store, closed), parts).await
    }

    /// The same with a store that is open, whatever the configuration says.
    ///
    /// # Errors
    /// It holds what can not be read.
    pub async fn with(config: &Config, store: Store, parts: Parts) -> Result<Arc<Self>, OpenError> {
        Self::on(config, (store, None), parts).await
    }

    async fn on(
        config: &Config,
        (store, closed): (Store, Option<PathBuf>),
        parts: Parts,
    ) -> Result<Arc<Self>, OpenError> {
        let mut registrations = Vec::new();
        let mut paused = Vec::new();
        for (uuid, kept) in store.registered().await? {
            if kept == tombstone() {
                forget(&store, &uuid).await?;
                continue;
            }
            let kept = Kept::decode(kept).map_err(|error| OpenError::Registration {
                uuid: uuid.clone(),
                why: error.to_string(),
            })?;
            registrations.extend(kept.registration);
            paused.extend(kept.paused.then_some(uuid));
        }
        let now_ms = parts.clock.now_ms();
        let (mut registry, troubles) = Registry::new(config, registrations, now_ms);
        registry.hold(paused);
        for trouble in troubles {
            warn!(%trouble, "configuration");
        }
        let mut chance = fastrand::Rng::with_seed(parts.seed);
        let desk = Self {
            roster: Roster::new(Vec::new(), store),
            registry: Mutex::new(registry),
            ids: Mutex::new(chance.fork()),
            changing: tokio::sync::Mutex::new(Keeping { closed }),
            moving: Mutex::default(),
            parts,
        };
        desk.follow();
        desk.tell_paused(&[]);
        Ok(Arc::new(desk))
    }

    /// What was deleted is forgotten now: nothing of it runs any more. What fails here is done at the next start.
    pub async fn close(&self) {
        let store = self.roster.now().store;
        let swept = async {
            for (uuid, kept) in store.registered().await? {
                if kept == tombstone() {
                    forget(&store, &uuid).await?;
                }
            }
            Ok::<(), StoreError>(())
        };
        if let Err(error) = swept.await {
            warn!(%error, "the progress of mappings that were deleted is forgotten at the next start");
        }
    }

    /// What is to run.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// From now on the files hold this configuration. Which of its mappings differ from those of the one before.
    ///
    /// # Errors
    /// The checkpoint file is needed for the first time, and can not be had: nothing changes.
    pub async fn reload(&self, config: &Config) -> Result<Concerned, StoreError> {
        let mut keeping = self.changing.lock().await;
        let now_ms = self.parts.clock.now_ms();
        let before = self.registry().mappings();
        let (next, troubles) = self.registry().reloaded(config, now_ms);
        let after = next.mappings();
        if needs_store(&after) {
            self.opened(&mut keeping).await?;
        }
        for trouble in troubles {
            warn!(%trouble, "configuration");
        }
        *self.registry() = next;
        self.follow();
        self.tell_paused(&before);
        Ok(concerned(&before, &after))
    }

    /// Answer whoever asks, until nobody can ask any more.
    pub async fn serve(self: Arc<Self>, mut requests: mpsc::Receiver<Asked>) {
        let mut work = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                Some(_) = work.join_next() => {}
                request = requests.recv(), if work.len() < AT_ONCE => match request {
                    Some(request) => {
                        let desk = self.clone();
                        work.spawn(async move { desk.attend(request).await });
                    }
                    None => return,
                },
            }
        }
    }

    /// The store of the file, which is opened now if it was not.
    async fn opened(&self, keeping: &mut Keeping) -> Result<Store, StoreError> {
        let Some(path) = keeping.closed.clone() else {
            return Ok(self.roster.now().store);
        };
        let store = aside(move || Store::open(&path)).await?;
        keeping.closed = None;
        self.roster.replace(Wanted {
            store: store.clone(),
            ..self.roster.now()
        });
        Ok(store)
    }

    fn follow(&self) {
        let registry = self.registry();
        let moving = self.moving();
        let mut held = BTreeMap::new();
        let mut mappings = registry.mappings();
        for mapping in &mut mappings {
            let why = match registry.is_paused(&mapping.uuid) {
                true => PAUSED,
                false if moving.contains(&small(&mapping.uuid)) => MOVING,
                false => continue,
            };
            Arc::make_mut(mapping).enabled = false;
            held.insert(mapping.uuid.clone(), why);
        }
        self.roster.replace(Wanted {
            mappings: mappings.into(),
            held: held.into(),
            ..self.roster.now()
        });
    }

    /// Whoever wonders why nothing comes finds it in the log.
    fn tell_paused(&self, known: &[Arc<Mapping>]) {
        let registry = self.registry();
        let was_known = |uuid: &str| known.iter().any(|mapping| mapping.uuid == uuid);
        for mapping in registry.mappings() {
            let Mapping { name, uuid, .. } = &*mapping;
            if registry.is_paused(uuid) && !was_known(uuid) {
                warn!(
                    mapping = name,
                    uuid,
                    "the mapping is paused, and nothing of it runs: `sluicegate resume`, or POST .../event-source-mappings/{uuid}/resume, lets it go on"
                );
            }
        }
    }

    /// Nobody sets the mapping's positions at the moment.
    fn free(&self, uuid: &str, verb: &str) -> Result<(), Refusal> {
        match self.moving().contains(&small(uuid)) {
            true => Err(Refusal::in_use(verb)),
            false => Ok(()),
        }
    }

    fn moving(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self, mapping: &Mapping) -> Option<Told> {
        let (state, processed) = self.parts.status.of(&mapping.name)?;
        let last = match processed {
            Processed::Nothing => Last::Nothing,
            Processed::Handled => Last::Handled,
            Processed::FunctionFailed => Last::FunctionFailed,
            Processed::SourceFailed(why) => Last::SourceFailed(why),
        };
        Some(Told { state, last })
    }

    /// A random UUID, version 4.
    fn fresh(&self) -> String {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        uuid::random(ids.u128(..))
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        // Each change is one assignment, or checked before.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn small(uuid: &str) -> String {
    uuid.to_ascii_lowercase()
}

/// Nothing of the mapping is kept any more.
async fn forget(store: &Store, uuid: &str) -> Result<(), StoreError> {
    store.forget_mapping(uuid).await?;
    store.register(uuid, None).await
}

fn concerned(before: &[Arc<Mapping>], after: &[Arc<Mapping>]) -> Concerned {
    let mut concerned = Concerned::default();
    for mapping in after {
        let mut same = before.iter();
        match same.find(|other| other.uuid == mapping.uuid) {
            None => concerned.added += 1,
            Some(other) if other == mapping => concerned.unchanged += 1,
            Some(_) => concerned.changed += 1,
        }
    }
    concerned.removed = before.len() - concerned.changed - concerned.unchanged;
    concerned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_says_how_many_mappings_it_concerns() {
        let config = |mappings: &[(&str, u32)]| {
            let mut text = "EventSourceMappings:\n".to_owned();
            for (queue, size) in mappings {
                text += &format!(
                    "  - {{ EventSourceArn: \"arn:aws:sqs:us-east-1:123456789012:{queue}\", FunctionName: f, BatchSize: {size} }}\n"
                );
            }
            Config::parse("test.yaml", &text, &|_| None)
                .unwrap()
                .mappings
        };
        let before = config(&[("a", 1), ("b", 1), ("c", 1), ("d", 1)]);
        let after = config(&[("a", 1), ("b", 2), ("e", 1)]);
        let expected = Concerned {
            added: 1,
            changed: 1,
            removed: 2,
            unchanged: 1,
        };
        assert_eq!(concerned(&before, &after), expected);
    }
}
