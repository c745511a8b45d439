//! The control API at work: what a request comes to is decided (`control`), looked into, kept, followed, and answered. Files
//! that were changed come here, too: one change of what is to run at a time.

mod existence;
mod moves;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::aside;
use super::roster::{Roster, Wanted};
use crate::admin::port::{Answer, Asked};
use crate::aws::clients::Clients;
use crate::checkpoint::{Store, StoreError};
use crate::clock::Clock;
use crate::config::Config;
use crate::config::checkpoints::Checkpoints;
use crate::config::mapping::Mapping;
use crate::control::{Call, Change, Effect, Kept, Last, Refusal, Registry, Told, route};
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
fn needs_store(mappings: &[Mapping]) -> bool {
    let needed = |mapping: &Mapping| mapping.enabled && mapping.stream.is_some();
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

    async fn attend(&self, request: Asked) {
        let Asked {
            who,
            method,
            path,
            query,
            body,
            answer,
        } = request;
        let call = route(&method, &path, query.as_deref(), &body);
        let done = match call {
            Ok(call) => self.perform(call, &who).await,
            Err(refusal) => Err(refusal),
        };
        let (answered, deleted) = match done {
            Ok(Done { answer, deleted }) => (answer, deleted),
            Err(refusal) => (refusal.into(), None),
        };
        // Who asked may have gone.
        let _ = answer.send(answered);
        if let Some(uuid) = deleted {
            self.roster.at_rest(&uuid).await;
            if let Err(error) = forget(&self.roster.now().store, &uuid).await {
                warn!(uuid, %error, "the progress of a mapping that was deleted is forgotten at the next start");
            }
        }
    }

    async fn perform(&self, call: Call, who: &str) -> Result<Done, Refusal> {
        let told = |mapping: &Mapping| self.told(mapping);
        match call {
            Call::Get { uuid } => Ok(Done::found(self.registry().get(&uuid, told)?)),
            Call::List(selection) => Ok(Done::found(self.registry().list(&selection, told)?)),
            Call::ListTags { arn } => Ok(Done::found(self.registry().tags(&arn)?)),
            Call::Position { uuid, page } => self.position(&uuid, &page).await,
            Call::Seek { uuid, seek } => self.seek(&uuid, &seek, who).await,
            Call::Create(properties) => {
                let uuid = self.fresh();
                let create =
                    |registry: &Registry, now_ms| registry.create(&properties, &uuid, now_ms);
                self.change("create", None, who, create).await
            }
            Call::Update { uuid, properties } => {
                let update =
                    |registry: &Registry, now_ms| registry.update(&uuid, &properties, now_ms, told);
                self.change("update", Some(&uuid), who, update).await
            }
            Call::Delete { uuid } => {
                let delete = |registry: &Registry, _| registry.delete(&uuid, told);
                self.change("delete", Some(&uuid), who, delete).await
            }
            Call::Pause { uuid } => {
                let pause = |registry: &Registry, _| registry.pause(&uuid, told);
                self.change("pause", Some(&uuid), who, pause).await
            }
            Call::Resume { uuid } => {
                let resume = |registry: &Registry, _| registry.resume(&uuid, told);
                self.change("resume", Some(&uuid), who, resume).await
            }
            Call::Tag { arn, tags } => {
                let tag = |registry: &Registry, _| registry.tag(&arn, &tags);
                self.change("tag", None, who, tag).await
            }
            Call::Untag { arn, keys } => {
                let untag = |registry: &Registry, _| registry.untag(&arn, &keys);
                self.change("untag", None, who, untag).await
            }
        }
    }

    /// Decide, look, keep, follow. `of`: the mapping that must be in nobody else's hands.
    async fn change(
        &self,
        verb: &'static str,
        of: Option<&str>,
        who: &str,
        decide: impl FnOnce(&Registry, u64) -> Result<Change, Refusal>,
    ) -> Result<Done, Refusal> {
        let mut keeping = self.changing.lock().await;
        of.map_or(Ok(()), |uuid| self.free(uuid, verb))?;
        let change = decide(&self.registry(), self.parts.clock.now_ms())?;
        if let Some(needs) = &change.needs {
            existence::check(&self.parts.clients, needs).await?;
        }
        let unkept = |error: &dyn std::fmt::Display| Refusal::internal(error.to_string());
        let store = self.opened(&mut keeping).await;
        let store = store.map_err(|error| unkept(&error))?;
        let kept = self.registry().kept(&change.effect);
        let kept = match &kept {
            Some(kept) => kept.encode().map_err(|error| unkept(&error))?,
            None => Some(tombstone()),
        };
        let uuid = change.effect.uuid().to_owned();
        let stored = store.register(&uuid, kept).await;
        stored.map_err(|error| unkept(&error))?;
        let deleted = matches!(change.effect, Effect::Forget { .. });
        let answer = match &change.answer {
            Some(value) => json_answer(StatusCode::ACCEPTED, value),
            None => Answer {
                status: StatusCode::NO_CONTENT,
                headers: HeaderMap::new(),
                body: Bytes::new(),
            },
        };
        self.registry().apply(change);
        self.follow();
        info!(uuid, verb, who, "changed through the API");
        Ok(Done {
            answer,
            deleted: deleted.then_some(uuid),
        })
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
            mapping.enabled = false;
            held.insert(mapping.uuid.clone(), why);
        }
        self.roster.replace(Wanted {
            mappings: mappings.into(),
            held: held.into(),
            ..self.roster.now()
        });
    }

    /// Whoever wonders why nothing comes finds it in the log.
    fn tell_paused(&self, known: &[Mapping]) {
        let registry = self.registry();
        let was_known = |uuid: &str| known.iter().any(|mapping| mapping.uuid == uuid);
        for Mapping { name, uuid, .. } in registry.mappings() {
            if registry.is_paused(&uuid) && !was_known(&uuid) {
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

/// A request that was granted.
struct Done {
    answer: Answer,
    /// The mapping that is to be forgotten when it has ended.
    deleted: Option<String>,
}

impl Done {
    fn found(value: Value) -> Self {
        Self {
            answer: json_answer(StatusCode::OK, &value),
            deleted: None,
        }
    }
}

fn json_answer(status: StatusCode, value: &Value) -> Answer {
    Answer {
        status,
        headers: HeaderMap::new(),
        body: Bytes::from(value.to_string()),
    }
}

/// Nothing of the mapping is kept any more.
async fn forget(store: &Store, uuid: &str) -> Result<(), StoreError> {
    store.forget_mapping(uuid).await?;
    store.register(uuid, None).await
}

fn concerned(before: &[Mapping], after: &[Mapping]) -> Concerned {
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
