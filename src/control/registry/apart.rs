//! What tells mappings apart: source and function, and the name. Kept beside the entries, so that nobody is looked for.

use super::{Entry, Home, Registry, key};
use crate::config::mapping::Mapping;
use crate::control::refusal::Refusal;

/// The source, and the function with its qualifier. // spec: 1.6 note (a)
fn pair(mapping: &Mapping) -> (String, String) {
    (mapping.source.to_string(), mapping.function_arn())
}

impl Registry {
    /// Takes an entry in, in place of the one that has its UUID.
    pub(super) fn put(&mut self, key: String, entry: Entry) {
        self.take(&key);
        if let Ok(mapping) = &entry.mapping {
            self.by_pair.insert(pair(mapping), key.clone());
            self.by_name.insert(mapping.name.clone(), key.clone());
        }
        self.entries.insert(key, entry);
        self.invariants();
    }

    /// Takes an entry out.
    pub(super) fn take(&mut self, key: &str) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        if let Ok(mapping) = &entry.mapping {
            self.by_pair.remove(&pair(mapping));
            self.by_name.remove(&mapping.name);
        }
        self.invariants();
        Some(entry)
    }

    /// Each that runs has a pair and a name of its own.
    fn invariants(&self) {
        if cfg!(debug_assertions) {
            let running = self.entries.values().filter(|entry| entry.mapping.is_ok());
            let running = running.count();
            assert_eq!((self.by_pair.len(), self.by_name.len()), (running, running));
        }
    }

    /// No other mapping joins the same source and function.
    pub(super) fn unique(&self, mapping: &Mapping) -> Result<(), Refusal> {
        let other = self.by_pair.get(&pair(mapping));
        let other = other.filter(|other| **other != key(&mapping.uuid));
        let Some(Entry {
            home,
            mapping: Ok(other),
            ..
        }) = other.and_then(|other| self.entries.get(other))
        else {
            return Ok(());
        };
        let (source, given, uuid) = (&mapping.source, &mapping.function_name, &other.uuid);
        // spec: 1.6, AWS's own sentences, and the place of the other where it has one
        let what = match mapping.stream {
            None => format!(
                "An event source mapping with SQS arn (\" {source} \") and function (\" {given} \") already exists."
            ),
            Some(_) => format!(
                "The event source arn (\" {source} \") and function (\" {given} \") provided mapping already exists."
            ),
        };
        let place = match home {
            Home::Api(_) => String::new(),
            Home::File { place, .. } => format!(", which is defined in {place}"),
        };
        Err(Refusal::conflict(format!(
            "{what} Please update or delete the existing mapping with UUID {uuid}{place}"
        )))
    }

    /// With a name that nobody else has.
    pub(super) fn set_apart(&self, mapping: Mapping) -> Mapping {
        if !self.named(&mapping.name, &mapping.uuid) {
            return mapping;
        }
        let apart = mapping.set_apart();
        if !self.named(&apart.name, &apart.uuid) {
            return apart;
        }
        // A UUID alone is unwieldy, and nobody else's.
        let name = apart.uuid.clone();
        Mapping { name, ..apart }
    }

    /// Another mapping than that with this UUID has the name.
    pub(super) fn named(&self, name: &str, uuid: &str) -> bool {
        let other = self.by_name.get(name);
        other.is_some_and(|other| *other != key(uuid))
    }
}
