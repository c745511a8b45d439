//! Create, update, delete: what a request comes to, decided before anything is done.

use std::sync::Arc;

use serde_json::Value;

use super::{Entry, Home, Registry, key, tags, unheard_of};
use crate::config::mapping::Mapping;
use crate::control::properties::Properties;
use crate::control::refusal::Refusal;
use crate::control::registration::Registration;
use crate::control::rules;
use crate::control::shown::{Last, Shown, Told};
use crate::status::State;

/// How many mappings may be registered: each costs memory and, while it polls, money.
const REGISTRATIONS_MAX: usize = 10_000;

/// A change that was decided on. Nothing has happened yet: look whether what it needs exists, store its effect, apply it, answer.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Change {
    /// What the store is to hold.
    pub effect: Effect,
    /// What has to exist before it is applied; `None` where nothing new is named.
    pub needs: Option<Needs>,
    /// The body of the answer, whose status is 202; `None` where there is none and the status is 204.
    pub answer: Option<Value>,
    /// What is to run afterwards.
    pub(super) mapping: Option<Mapping>,
}

/// A change of the store.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// This registration, under its UUID.
    Keep(Registration),
    /// The mapping is held, or let go on.
    Hold {
        /// The UUID under which that is kept.
        uuid: String,
        /// Held.
        paused: bool,
    },
    /// None of this UUID, nor a position of its mapping.
    Forget {
        /// The UUID.
        uuid: String,
    },
}

/// What has to exist. The function always, and of a queue its visibility timeout is at least the function's. // spec: 1.6 note (d)
#[derive(Clone, Debug, PartialEq)]
pub struct Needs {
    /// The mapping that names them.
    pub mapping: Mapping,
    /// The source, too: it is named for the first time.
    pub source: bool,
}

/// States of a mapping's transition. // spec: 1.4
fn of_create(mapping: &Mapping) -> State {
    match (&mapping.stream, mapping.enabled) {
        (None, false) => State::Disabled,
        (None, true) | (Some(_), _) => State::Creating,
    }
}

fn of_update(before: bool, after: bool) -> State {
    match (before, after) {
        (false, true) => State::Enabling,
        (true, false) => State::Disabling,
        (false, false) | (true, true) => State::Updating,
    }
}

impl Registry {
    /// CreateEventSourceMapping. `uuid` is a fresh one.
    ///
    /// # Errors
    /// What is wrong with the settings, or a mapping that joins the same source and function.
    pub fn create(
        &self,
        properties: &Properties,
        uuid: &str,
        now_ms: u64,
    ) -> Result<Change, Refusal> {
        rules::of_create(properties)?;
        let mut properties = properties.clone();
        let tags = tags::of_create(&mut properties)?;
        let properties = properties.spoken();
        let mapping = rules::mapping(&properties, &self.functions, now_ms)?;
        let mapping = Mapping {
            uuid: uuid.to_owned(),
            ..mapping
        };
        self.unique(&mapping)?;
        if self.entries.contains_key(&key(uuid)) {
            return Err(Refusal::internal("The UUID is taken."));
        }
        if self.registrations().count() >= REGISTRATIONS_MAX {
            return Err(Refusal::invalid(format!(
                "{REGISTRATIONS_MAX} event source mappings are registered, and no more are kept. Delete some first."
            )));
        }
        let mapping = self.called(mapping, &properties)?;
        let name = mapping.name.clone();
        let mut registration = Registration::new(uuid.to_owned(), name, now_ms, properties);
        registration.tags = tags;
        let state = of_create(&mapping);
        let needs = Needs {
            mapping: mapping.clone(),
            source: true,
        };
        Ok(changed(
            registration,
            mapping,
            (state, false),
            &Last::Nothing,
            Some(needs),
        ))
    }

    /// UpdateEventSourceMapping.
    ///
    /// # Errors
    /// No such mapping, one of a file, or what is wrong with what it would be.
    pub fn update(
        &self,
        uuid: &str,
        update: &Properties,
        now_ms: u64,
        told: impl Fn(&Mapping) -> Option<Told>,
    ) -> Result<Change, Refusal> {
        let (entry, registration) = self.registered(uuid)?;
        refuse_fixed(update, registration)?;
        let properties = registration.properties.updated(update);
        let mut registration = Registration {
            properties,
            last_modified_ms: now_ms,
            ..registration.clone()
        };
        let mapping = self.checked(&registration, now_ms)?;
        self.unique(&mapping)?;
        let mapping = match update.get("Name") {
            Some(_) => {
                let mapping = self.called(mapping, update)?;
                registration.name.clone_from(&mapping.name);
                mapping
            }
            // A name that it has for as long as another has its own is not kept.
            None => self.set_apart(mapping),
        };
        let before = entry.mapping.as_deref().ok();
        let paused = self.is_paused(uuid);
        let state = match paused {
            true => State::Disabled,
            false => of_update(before.is_some_and(|before| before.enabled), mapping.enabled),
        };
        let last = before.and_then(told).map(|told| told.last);
        let needs = update.get("FunctionName").map(|_| Needs {
            mapping: mapping.clone(),
            source: false,
        });
        Ok(changed(
            registration,
            mapping,
            (state, paused),
            &last.unwrap_or_default(),
            needs,
        ))
    }

    /// DeleteEventSourceMapping.
    ///
    /// # Errors
    /// No such mapping, or one of a file.
    pub fn delete(
        &self,
        uuid: &str,
        told: impl Fn(&Mapping) -> Option<Told>,
    ) -> Result<Change, Refusal> {
        let (entry, registration) = self.registered(uuid)?;
        let paused = self.is_paused(uuid);
        let deleting = |mapping: &Mapping| {
            let told = told(mapping).unwrap_or_else(|| unheard_of(mapping, paused));
            Some(Told {
                state: State::Deleting,
                ..told
            })
        };
        let mut answer = entry.shown(deleting, paused);
        answer["State"] = "Deleting".into();
        Ok(Change {
            effect: Effect::Forget {
                uuid: registration.uuid.clone(),
            },
            needs: None,
            answer: Some(answer),
            mapping: None,
        })
    }

    /// What was decided has happened: from now on the registry shows it.
    pub fn apply(&mut self, change: Change) {
        match change.effect {
            Effect::Forget { uuid } => {
                self.take(&key(&uuid));
                self.paused.remove(&key(&uuid));
            }
            Effect::Hold { uuid, paused: true } => {
                self.paused.insert(key(&uuid), uuid);
            }
            Effect::Hold {
                uuid,
                paused: false,
            } => {
                self.paused.remove(&key(&uuid));
            }
            Effect::Keep(registration) => {
                let key = key(&registration.uuid);
                let before = self.take(&key);
                let mapping = match (change.mapping, before) {
                    (Some(mapping), _) => Ok(Arc::new(mapping)),
                    (None, Some(before)) => before.mapping,
                    (None, None) => return,
                };
                let entry = Entry {
                    last_modified_ms: registration.last_modified_ms,
                    home: Home::Api(registration),
                    mapping,
                };
                self.put(key, entry);
            }
        }
    }

    /// Under the name that is given, which nobody else may have, or under one of its own.
    fn called(&self, mapping: Mapping, given: &Properties) -> Result<Mapping, Refusal> {
        let Some(name) = given.text("Name") else {
            return Ok(self.set_apart(mapping));
        };
        match self.named(name, &mapping.uuid) {
            false => Ok(Mapping {
                name: name.to_owned(),
                ..mapping
            }),
            true => Err(Refusal::invalid(format!(
                "Name: \"{name}\" is already the name of another mapping"
            ))),
        }
    }
}

/// What an update does not take. The source as it is says nothing new, as in AWS, which does not look at it.
fn refuse_fixed(update: &Properties, registration: &Registration) -> Result<(), Refusal> {
    match update.fixed(&registration.properties) {
        None => Ok(()),
        Some("Tags") => Err(Refusal::invalid(
            "Tags: not changed by an update; use TagResource and UntagResource",
        )),
        Some(key) => Err(Refusal::invalid(format!(
            "{key}: cannot be changed; delete the mapping and create another"
        ))),
    }
}

fn changed(
    registration: Registration,
    mapping: Mapping,
    (state, paused): (State, bool),
    last: &Last,
    needs: Option<Needs>,
) -> Change {
    let shown = Shown {
        mapping: &mapping,
        state,
        last,
        last_modified_ms: registration.last_modified_ms,
        registration: Some(&registration),
        paused,
    };
    Change {
        answer: Some(shown.json()),
        effect: Effect::Keep(registration),
        needs,
        mapping: Some(mapping),
    }
}
