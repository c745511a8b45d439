//! All mappings there are: those of files, and those that were registered through the API. Decides what a request comes to.

mod apart;
mod changes;
mod holds;
mod pages;
mod tags;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::refusal::Refusal;
use super::registration::Registration;
use super::rules;
use super::shown::{self, Last, Shown, Told};
use crate::config::Config;
use crate::config::error::Place;
use crate::config::function::FunctionEntry;
use crate::config::mapping::Mapping;
use crate::status::State;
pub use changes::{Change, Effect, Needs};
pub use pages::Selection;

/// Every mapping by its UUID. Changes are decided first and applied later: whoever does both lets no other change between.
#[derive(Clone, Debug)]
pub struct Registry {
    functions: Vec<FunctionEntry>,
    /// By UUID in small letters.
    entries: BTreeMap<String, Entry>,
    /// The UUIDs of those that run: by source and function with its qualifier, and by name.
    by_pair: BTreeMap<(String, String), String>,
    by_name: BTreeMap<String, String>,
    /// Those that an operator holds, there or not: by UUID in small letters, the UUID under which the store keeps it.
    paused: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
struct Entry {
    home: Home,
    mapping: Result<Arc<Mapping>, Held>,
    last_modified_ms: u64,
}

/// Why a registration cannot run.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held(String);

/// Where a mapping is defined.
#[derive(Clone, Debug)]
enum Home {
    /// The number in the order of the files, and the line. A registration with the same UUID waits behind it: the list of the
    /// API, saved as a file, has the UUIDs of the API.
    File {
        number: usize,
        place: Place,
        behind: Option<Registration>,
    },
    Api(Registration),
}

/// A registration that cannot be run as it was made, since the files have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Its UUID.
    pub uuid: String,
    /// Its name.
    pub name: String,
    /// Why, and what becomes of it.
    pub why: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Trouble { uuid, name, why } = self;
        write!(f, "{name} ({uuid}, made through the API): {why}")
    }
}

fn key(uuid: &str) -> String {
    uuid.to_ascii_lowercase()
}

impl Registry {
    /// With the mappings of the files, and what was registered. Files come first: a registration that they stand in the way of is
    /// kept, listed as disabled and not run.
    pub fn new(
        config: &Config,
        registrations: Vec<Registration>,
        now_ms: u64,
    ) -> (Registry, Vec<Trouble>) {
        let mut registry = Registry {
            functions: config.functions.clone(),
            entries: BTreeMap::new(),
            by_pair: BTreeMap::new(),
            by_name: BTreeMap::new(),
            paused: BTreeMap::new(),
        };
        for (number, mapping) in config.mappings.iter().enumerate() {
            let nowhere = || Place {
                file: "".into(),
                line: 0,
            };
            let place = config.origins.of(mapping);
            let home = Home::File {
                number,
                place: place.cloned().unwrap_or_else(nowhere),
                behind: None,
            };
            let entry = Entry {
                home,
                mapping: Ok(mapping.clone()),
                last_modified_ms: now_ms,
            };
            registry.put(key(&mapping.uuid), entry);
        }
        let troubles = registrations
            .into_iter()
            .filter_map(|registration| registry.admit(registration, now_ms))
            .collect();
        (registry, troubles)
    }

    /// The same with other files. A mapping of a file that stays as it was keeps the time of its last change.
    pub fn reloaded(&self, config: &Config, now_ms: u64) -> (Registry, Vec<Trouble>) {
        let registrations = self.registrations().cloned().collect();
        let (mut next, troubles) = Registry::new(config, registrations, now_ms);
        next.paused.clone_from(&self.paused);
        for (key, entry) in &mut next.entries {
            if let (Home::File { .. }, Some(before)) = (&entry.home, self.entries.get(key))
                && let Home::File { .. } = before.home
                && before.mapping == entry.mapping
            {
                entry.last_modified_ms = before.last_modified_ms;
            }
        }
        (next, troubles)
    }

    /// Everything that was registered: what the store holds.
    pub fn registrations(&self) -> impl Iterator<Item = &Registration> {
        self.entries.values().filter_map(Entry::registration)
    }

    /// All that can run: the mappings of the files in their order, then those of the API.
    pub fn mappings(&self) -> Vec<Arc<Mapping>> {
        let mut entries: Vec<&Entry> = self.entries.values().collect();
        entries.sort_by_key(|entry| match &entry.home {
            Home::File { number, .. } => *number,
            Home::Api(_) => usize::MAX,
        });
        let mappings = entries.into_iter().map(|entry| entry.mapping.as_ref());
        mappings.filter_map(Result::ok).cloned().collect()
    }

    /// GetEventSourceMapping: the mapping as it is now. `told` is asked what the service knows of it, `None` where it has not
    /// heard of it yet.
    ///
    /// # Errors
    /// No mapping has this UUID.
    pub fn get(
        &self,
        uuid: &str,
        told: impl Fn(&Mapping) -> Option<Told>,
    ) -> Result<Value, Refusal> {
        let entry = self.entry(uuid)?;
        Ok(entry.labelled(entry.shown(told, self.is_paused(uuid))))
    }

    /// The mapping with this UUID, wherever it is defined.
    ///
    /// # Errors
    /// There is none, or it is one that cannot run.
    pub fn mapping(&self, uuid: &str) -> Result<&Mapping, Refusal> {
        let mapping = self.entry(uuid)?.mapping.as_deref();
        mapping.map_err(|Held(why)| Refusal::conflict(why))
    }

    fn entry(&self, uuid: &str) -> Result<&Entry, Refusal> {
        let entry = self.entries.get(&key(uuid));
        entry.ok_or_else(Refusal::unknown_mapping)
    }

    /// The registration with this UUID, and what it comes to.
    fn registered(&self, uuid: &str) -> Result<(&Entry, &Registration), Refusal> {
        let entry = self.entry(uuid)?;
        match &entry.home {
            Home::Api(registration) => Ok((entry, registration)),
            Home::File { place, .. } => Err(Refusal::conflict(format!(
                "The event source mapping with UUID {uuid} is defined in {place}. Please change it there."
            ))),
        }
    }

    /// Takes a registration that was stored. What stands in its way is told.
    fn admit(&mut self, registration: Registration, now_ms: u64) -> Option<Trouble> {
        let key = key(&registration.uuid);
        let (uuid, name) = (registration.uuid.clone(), registration.name.clone());
        let trouble = |why: String| Trouble { uuid, name, why };
        if let Some(Entry {
            home: Home::File { place, behind, .. },
            ..
        }) = self.entries.get_mut(&key)
        {
            let why = format!("{place} defines it now, and counts");
            *behind = Some(registration);
            return Some(trouble(why));
        }
        let checked = self.checked(&registration, now_ms);
        let mapping = checked.and_then(|mapping| {
            self.unique(&mapping)?;
            Ok(mapping)
        });
        let (mapping, why) = match mapping {
            Ok(mapping) => {
                let given = mapping.name.clone();
                let mapping = self.set_apart(mapping);
                let why = (mapping.name != given)
                    .then(|| format!("another has this name; called {} now", mapping.name));
                (Ok(Arc::new(mapping)), why)
            }
            Err(refusal) => {
                let why = format!("cannot run: {}", refusal.message);
                (Err(Held(why.clone())), Some(why))
            }
        };
        let entry = Entry {
            last_modified_ms: registration.last_modified_ms,
            home: Home::Api(registration),
            mapping,
        };
        self.put(key, entry);
        why.map(trouble)
    }

    /// What a registration comes to with the functions of the files.
    fn checked(&self, registration: &Registration, now_ms: u64) -> Result<Mapping, Refusal> {
        let mapping = rules::mapping(&registration.properties, &self.functions, now_ms)?;
        Ok(Mapping {
            uuid: registration.uuid.clone(),
            name: registration.name.clone(),
            ..mapping
        })
    }
}

impl Entry {
    /// What is shown of it, and what nobody asks AWS for: how it is called, and where it is defined if that is a file. The name of
    /// one that can not run may be another's by now.
    fn labelled(&self, mut shown: Value) -> Value {
        if let Ok(mapping) = &self.mapping {
            shown["Name"] = Value::from(mapping.name.as_str());
        }
        if let Home::File { place, .. } = &self.home {
            shown["DefinedIn"] = Value::from(place.to_string());
        }
        shown
    }

    /// What was registered, in force or behind a file.
    fn registration(&self) -> Option<&Registration> {
        match &self.home {
            Home::File { behind, .. } => behind.as_ref(),
            Home::Api(registration) => Some(registration),
        }
    }

    fn shown(&self, told: impl Fn(&Mapping) -> Option<Told>, paused: bool) -> Value {
        let registration = match &self.home {
            Home::Api(registration) => Some(registration),
            Home::File { .. } => None,
        };
        match (&self.mapping, registration) {
            (Ok(mapping), registration) => {
                let told = told(mapping).unwrap_or_else(|| unheard_of(mapping, paused));
                let shown = Shown {
                    mapping,
                    state: told.state,
                    last: &told.last,
                    last_modified_ms: self.last_modified_ms,
                    registration,
                    paused,
                };
                shown.json()
            }
            (Err(Held(why)), Some(registration)) => shown::held(registration, why, paused),
            // The mappings of files are checked before they come here.
            (Err(_), None) => Value::Null,
        }
    }
}

/// A mapping that the service has not looked at yet.
fn unheard_of(mapping: &Mapping, paused: bool) -> Told {
    Told {
        state: match mapping.enabled && !paused {
            true => State::Creating,
            false => State::Disabled,
        },
        last: Last::Nothing,
    }
}
