//! The control API at work: what a request comes to is decided (`control`), looked into, kept, followed, and answered. Files
//! that were changed come here, too: one change of what is to run at a time.

mod existence;

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
use crate::control::{Call, Change, Effect, Last, Refusal, Registration, Registry, Told, route};
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
        let mut registrations = Vec::new();
        for (uuid, kept) in store.registered().await? {
            if kept == tombstone() {
                forget(&store, &uuid).await?;
                continue;
            }
            let registration = Registration::decode(kept.to_string().as_bytes());
            let registration = registration.map_err(|error| OpenError::Registration {
                uuid,
                why: error.to_string(),
            })?;
            registrations.push(registration);
        }
        let now_ms = parts.clock.now_ms();
        let (registry, troubles) = Registry::new(config, registrations, now_ms);
        for trouble in troubles {
            warn!(%trouble, "configuration");
        }
        let mut chance = fastrand::Rng::with_seed(parts.seed);
        Ok(Arc::new(Self {
            roster: Roster::new(registry.mappings(), store),
            registry: Mutex::new(registry),
            ids: Mutex::new(chance.fork()),
            changing: tokio::sync::Mutex::new(Keeping { closed }),
            parts,
        }))
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
            method,
            path,
            query,
            body,
            answer,
        } = request;
        let call = route(&method, &path, query.as_deref(), &body);
        let done = match call {
            Ok(call) => self.perform(call).await,
            Err(refusal) => Err(refusal),
        };
        let (answered, deleted) = match done {
            Ok(Done { answer, deleted }) => (answer, deleted),
            Err(refusal) => (refusal.into(), None),
        };
        // Who asked may have gone.
        let _ = answer.send(answered);
        if let Some(uuid) = deleted {
            self.roster.gone(&uuid).await;
            if let Err(error) = forget(&self.roster.now().store, &uuid).await {
                warn!(uuid, %error, "the progress of a mapping that was deleted is forgotten at the next start");
            }
        }
    }

    async fn perform(&self, call: Call) -> Result<Done, Refusal> {
        match call {
            Call::Get { uuid } => {
                let value = self.registry().get(&uuid, |mapping| self.told(mapping))?;
                Ok(Done::found(value))
            }
            Call::List(selection) => {
                let told = |mapping: &Mapping| self.told(mapping);
                Ok(Done::found(self.registry().list(&selection, told)?))
            }
            Call::ListTags { arn } => Ok(Done::found(self.registry().tags(&arn)?)),
            Call::Create(properties) => {
                let uuid = self.fresh();
                self.change(|registry, now_ms| registry.create(&properties, &uuid, now_ms))
                    .await
            }
            Call::Update { uuid, properties } => {
                let told = |mapping: &Mapping| self.told(mapping);
                self.change(|registry, now_ms| registry.update(&uuid, &properties, now_ms, told))
                    .await
            }
            Call::Delete { uuid } => {
                let told = |mapping: &Mapping| self.told(mapping);
                self.change(|registry, _| registry.delete(&uuid, told))
                    .await
            }
            Call::Tag { arn, tags } => self.change(|registry, _| registry.tag(&arn, &tags)).await,
            Call::Untag { arn, keys } => {
                self.change(|registry, _| registry.untag(&arn, &keys)).await
            }
        }
    }

    /// Decide, look, keep, follow.
    async fn change(
        &self,
        decide: impl FnOnce(&Registry, u64) -> Result<Change, Refusal>,
    ) -> Result<Done, Refusal> {
        let mut keeping = self.changing.lock().await;
        let change = decide(&self.registry(), self.parts.clock.now_ms())?;
        if let Some(needs) = &change.needs {
            existence::check(&self.parts.clients, needs).await?;
        }
        let unkept = |error: &dyn std::fmt::Display| Refusal::internal(error.to_string());
        let store = self.opened(&mut keeping).await;
        let store = store.map_err(|error| unkept(&error))?;
        let (uuid, kept, deleted) = match &change.effect {
            Effect::Keep(registration) => {
                let encoded = registration.encode().map_err(|error| unkept(&error))?;
                let value = serde_json::from_slice(&encoded).map_err(|error| unkept(&error))?;
                (registration.uuid.clone(), value, false)
            }
            Effect::Forget { uuid } => (uuid.clone(), tombstone(), true),
        };
        let stored = store.register(&uuid, Some(kept)).await;
        stored.map_err(|error| unkept(&error))?;
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
        info!(uuid, deleted, "changed through the API");
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
        let mappings = self.registry().mappings().into();
        self.roster.replace(Wanted {
            mappings,
            ..self.roster.now()
        });
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
