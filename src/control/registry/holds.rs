//! The hold of an operator on a mapping, beside `Enabled`: of files and of the API alike.

use serde_json::Value;

use super::changes::{Change, Effect};
use super::{Entry, Registry, key, unheard_of};
use crate::config::mapping::Mapping;
use crate::control::kept::Kept;
use crate::control::refusal::Refusal;
use crate::control::shown::Told;
use crate::status::State;

impl Registry {
    /// The store has it that these are held. One that no file has any more stays held: it may come back.
    pub fn hold(&mut self, uuids: impl IntoIterator<Item = String>) {
        let uuids = uuids.into_iter();
        self.paused.extend(uuids.map(|uuid| (key(&uuid), uuid)));
    }

    /// Whether an operator holds the mapping.
    pub fn is_paused(&self, uuid: &str) -> bool {
        self.paused.contains_key(&key(uuid))
    }

    /// The mapping reads nothing more until it is resumed. One that is held already stays so.
    ///
    /// # Errors
    /// No such mapping.
    pub fn pause(
        &self,
        uuid: &str,
        told: impl Fn(&Mapping) -> Option<Told>,
    ) -> Result<Change, Refusal> {
        let entry = self.entry(uuid)?;
        let told = |mapping: &Mapping| {
            let told = told(mapping)?;
            let state = match told.state {
                State::Disabled => State::Disabled,
                State::Creating
                | State::Enabling
                | State::Enabled
                | State::Failing
                | State::Updating
                | State::Disabling
                | State::Deleting => State::Disabling,
            };
            Some(Told { state, ..told })
        };
        Ok(self.turned(uuid, entry, told, true))
    }

    /// The mapping goes on where it is, if its settings have it run. One that nobody holds stays as it is.
    ///
    /// # Errors
    /// No such mapping.
    pub fn resume(
        &self,
        uuid: &str,
        told: impl Fn(&Mapping) -> Option<Told>,
    ) -> Result<Change, Refusal> {
        let entry = self.entry(uuid)?;
        let held = self.is_paused(uuid);
        let told = |mapping: &Mapping| {
            let told = told(mapping).unwrap_or_else(|| unheard_of(mapping, false));
            let state = match (held, mapping.enabled) {
                (false, _) => told.state,
                (true, true) => State::Enabling,
                (true, false) => State::Disabled,
            };
            Some(Told { state, ..told })
        };
        Ok(self.turned(uuid, entry, told, false))
    }

    fn turned(
        &self,
        uuid: &str,
        entry: &Entry,
        told: impl Fn(&Mapping) -> Option<Told>,
        paused: bool,
    ) -> Change {
        let mut answer = entry.shown(told, paused);
        answer["Paused"] = Value::Bool(paused);
        let uuid = match (self.paused.get(&key(uuid)), entry.registration()) {
            (Some(kept), _) => kept.clone(),
            (None, Some(registration)) => registration.uuid.clone(),
            (None, None) => match &entry.mapping {
                Ok(mapping) => mapping.uuid.clone(),
                // The mappings of files are checked before they come here.
                Err(_) => uuid.to_owned(),
            },
        };
        Change {
            effect: Effect::Hold { uuid, paused },
            needs: None,
            answer: Some(answer),
            mapping: None,
        }
    }

    /// What the store is to hold under the UUID of an effect; none where that is a grave.
    pub fn kept(&self, effect: &Effect) -> Option<Kept> {
        match effect {
            Effect::Keep(registration) => Some(Kept {
                registration: Some(registration.clone()),
                paused: self.is_paused(&registration.uuid),
            }),
            Effect::Hold { uuid, paused } => {
                let entry = self.entries.get(&key(uuid));
                Some(Kept {
                    registration: entry.and_then(Entry::registration).cloned(),
                    paused: *paused,
                })
            }
            Effect::Forget { .. } => None,
        }
    }
}

impl Effect {
    /// Whose.
    pub fn uuid(&self) -> &str {
        match self {
            Self::Keep(registration) => &registration.uuid,
            Self::Hold { uuid, .. } | Self::Forget { uuid } => uuid,
        }
    }
}
