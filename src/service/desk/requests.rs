//! A request, from its path to its answer: what it comes to is decided, looked into, kept, and followed.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tracing::{info, warn};

use super::{Desk, existence, forget, tombstone};
use crate::admin::port::{Answer, Asked};
use crate::config::mapping::Mapping;
use crate::control::{Call, Change, Effect, Refusal, Registry, route};

impl Desk {
    /// Work on it, and answer.
    pub(super) async fn attend(&self, request: Asked) {
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
}

/// A request that was granted.
pub(super) struct Done {
    pub answer: Answer,
    /// The mapping that is to be forgotten when it has ended.
    pub deleted: Option<String>,
}

impl Done {
    pub fn found(value: Value) -> Self {
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
