//! Positions that are set by hand, and the way back: what they were is set aside, and put back once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::error::StoreError;
use super::super::value::{Key, is_mapping};
use super::super::{Owner, Revision, Saved, Standing};
use super::{Account, Ledger, Row};
use crate::model::progress::ShardProgress;

/// Who took the mapping, for those whose claim is void.
const BY_HAND: &str = "whoever set its positions";

/// What a mapping's note and shards were.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aside {
    #[serde(default)]
    pub meta: Option<Value>,
    /// When they were replaced, in milliseconds since 1970.
    #[serde(default)]
    pub replaced_ms: u64,
    pub shards: BTreeMap<String, Saved>,
}

impl Ledger {
    /// Sets note and shards aside, where they replace what was there, and puts this progress in place of the shards'; a
    /// mapping without a note gets this one. One that was never taken has nothing, and that is set aside.
    pub fn set_aside(
        &mut self,
        mapping: &str,
        instead: BTreeMap<String, ShardProgress>,
        note: Option<Value>,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        if !is_mapping(mapping) {
            return Err(StoreError::Mapping(mapping.to_owned()));
        }
        if instead.contains_key("") {
            return Err(StoreError::Shard(mapping.to_owned()));
        }
        let account = self.mappings.entry(mapping.to_owned());
        let account = account.or_insert_with(|| Account {
            row: Row {
                owner: Owner::new(BY_HAND),
                generation: self.generation,
                meta: None,
            },
            shards: BTreeMap::new(),
            aside: None,
        });
        // Also of those that are about to go.
        self.touched.extend(account.keys(mapping));
        account.aside = Some(Aside {
            meta: account.row.meta.clone(),
            replaced_ms: now_ms,
            shards: account.shards.clone(),
        });
        account.row.meta = account.row.meta.take().or(note);
        for (shard, progress) in instead {
            let stored = account.shards.get(&shard).map(|saved| saved.revision);
            let revision = Revision::after(stored);
            account.shards.insert(shard, Saved { revision, progress });
        }
        self.moved(mapping);
        Ok(())
    }

    /// Puts note and shards back as they were set aside, which uses that up. Whether anything was.
    pub fn put_back(&mut self, mapping: &str) -> Result<bool, StoreError> {
        if !is_mapping(mapping) {
            return Err(StoreError::Mapping(mapping.to_owned()));
        }
        let Some(account) = self.mappings.get_mut(mapping) else {
            return Ok(false);
        };
        let before = account.keys(mapping);
        let Some(Aside { meta, shards, .. }) = account.aside.take() else {
            return Ok(false);
        };
        account.row.meta = meta;
        account.shards = shards;
        // Also of those that are gone with it.
        self.touched.extend(before);
        self.moved(mapping);
        Ok(true)
    }

    /// How far the mapping is.
    pub fn standing(&self, mapping: &str) -> Standing {
        let Some(account) = self.mappings.get(mapping) else {
            return Standing::default();
        };
        let shards = account.shards.iter();
        Standing {
            noted: account.row.meta.is_some(),
            shards: shards
                .map(|(shard, saved)| (shard.clone(), saved.progress.clone()))
                .collect(),
            replaced_ms: account.aside.as_ref().map(|aside| aside.replaced_ms),
        }
    }

    /// From now on nobody has the mapping, and everything about it is to be written.
    fn moved(&mut self, mapping: &str) {
        let Some(account) = self.mappings.get_mut(mapping) else {
            return;
        };
        self.generation += 1;
        account.row.generation = self.generation;
        account.row.owner = Owner::new(BY_HAND);
        self.touched.extend([Key::Format, Key::Generation]);
        self.touched.extend(account.keys(mapping));
    }
}

impl Account {
    /// What the file has of the mapping.
    pub(super) fn keys(&self, mapping: &str) -> Vec<Key> {
        let mut keys = vec![Key::Mapping(mapping.to_owned())];
        let shards = self.shards.keys();
        keys.extend(shards.map(|shard| Key::Shard(mapping.to_owned(), shard.clone())));
        if let Some(aside) = &self.aside {
            keys.push(Key::Aside(mapping.to_owned()));
            let shards = aside.shards.keys();
            keys.extend(shards.map(|shard| Key::AsideShard(mapping.to_owned(), shard.clone())));
        }
        keys
    }
}
