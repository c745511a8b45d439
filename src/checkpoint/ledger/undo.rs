//! Positions that are set by hand, and the way back: what they were is set aside, and put back by an exchange.

use std::collections::BTreeMap;
use std::mem::swap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::error::StoreError;
use super::super::value::{Key, is_mapping};
use super::super::{Owner, Revision, Saved};
use super::{Account, Ledger};
use crate::model::progress::ShardProgress;

/// Who took the mapping, for those whose claim is void.
const BY_HAND: &str = "whoever set its positions";

/// What a mapping's note and shards were.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aside {
    #[serde(default)]
    pub meta: Option<Value>,
    pub shards: BTreeMap<String, Saved>,
}

impl Ledger {
    /// Sets note and shards aside, where they replace what was there, and puts this progress in place of the shards'.
    /// Whether there was anything: of a mapping that was never taken nothing is known.
    pub fn set_aside(
        &mut self,
        mapping: &str,
        instead: BTreeMap<String, ShardProgress>,
    ) -> Result<bool, StoreError> {
        if !is_mapping(mapping) {
            return Err(StoreError::Mapping(mapping.to_owned()));
        }
        if instead.contains_key("") {
            return Err(StoreError::Shard(mapping.to_owned()));
        }
        let Some(account) = self.mappings.get_mut(mapping) else {
            return Ok(false);
        };
        // Also of those that are about to go.
        self.touched.extend(account.keys(mapping));
        account.aside = Some(Aside {
            meta: account.row.meta.clone(),
            shards: account.shards.clone(),
        });
        for (shard, progress) in instead {
            let stored = account.shards.get(&shard).map(|saved| saved.revision);
            let revision = Revision::after(stored);
            account.shards.insert(shard, Saved { revision, progress });
        }
        self.moved(mapping);
        Ok(true)
    }

    /// Exchanges note and shards with what was set aside. Whether anything was.
    pub fn put_back(&mut self, mapping: &str) -> Result<bool, StoreError> {
        if !is_mapping(mapping) {
            return Err(StoreError::Mapping(mapping.to_owned()));
        }
        let Some(account) = self.mappings.get_mut(mapping) else {
            return Ok(false);
        };
        let before = account.keys(mapping);
        let Some(aside) = &mut account.aside else {
            return Ok(false);
        };
        swap(&mut account.row.meta, &mut aside.meta);
        swap(&mut account.shards, &mut aside.shards);
        // A shard that is on one side only leaves it.
        self.touched.extend(before);
        self.moved(mapping);
        Ok(true)
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
