//! What the store holds, in memory, and the rules of who may change it: the file is no more than its copy.

mod copying;
mod reading;
mod registry;
mod undo;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::{CommitError, Stale, StoreError};
use super::exchange::Verified;
use super::file::Write;
use super::value::{FORMAT, FORMAT_FIRST, Key, is_mapping, seal};
use super::{Claim, Owner, Revision, Saved, Taken};
use crate::model::progress::{Position, ShardProgress};

pub use registry::{REGISTRATION_BYTES_MAX, REGISTRATION_DEPTH_MAX};
pub use undo::Aside;

/// Everything that is saved.
#[derive(Debug, Default, PartialEq)]
pub struct Ledger {
    /// The last that was given away; never used twice, also not after a mapping was forgotten.
    generation: u64,
    mappings: BTreeMap<String, Account>,
    /// By the mapping's id; there may be nothing else about it.
    registry: BTreeMap<String, Value>,
    /// What differs from the file.
    touched: BTreeSet<Key>,
}

/// What is saved about a mapping.
#[derive(Debug, PartialEq)]
struct Account {
    row: Row,
    shards: BTreeMap<String, Saved>,
    /// For one undo.
    aside: Option<Aside>,
}

/// A mapping's own value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    owner: Owner,
    generation: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    meta: Option<Value>,
}

/// The value of what was set aside, its shards apart.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AsideRow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    meta: Option<Value>,
    #[serde(default)]
    replaced_ms: u64,
}

/// The file's own value.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: u8,
}

/// The file has this format, which is newer than what is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewerFormat(pub u8);

impl Ledger {
    /// Of a store that was never used: what the file is created with.
    pub fn new() -> Self {
        Self {
            touched: BTreeSet::from([Key::Format, Key::Generation]),
            ..Self::default()
        }
    }

    /// All shards of the mapping; from now on nobody may commit but who has this claim.
    pub fn take(&mut self, mapping: &str, owner: Owner) -> Result<Taken, StoreError> {
        if !is_mapping(mapping) {
            return Err(StoreError::Mapping(mapping.to_owned()));
        }
        self.generation += 1;
        let generation = self.generation;
        let account = self.mappings.entry(mapping.to_owned());
        let account = account
            .and_modify(|account| {
                account.row.owner = owner.clone();
                account.row.generation = generation;
            })
            .or_insert_with(|| Account {
                row: Row {
                    owner,
                    generation,
                    meta: None,
                },
                shards: BTreeMap::new(),
                aside: None,
            });
        self.touched.insert(Key::Generation);
        self.touched.insert(Key::Mapping(mapping.to_owned()));
        Ok(Taken {
            claim: Claim {
                mapping: mapping.into(),
                generation,
            },
            meta: account.row.meta.clone(),
            shards: account.shards.clone(),
        })
    }

    /// Replaces the progress of a shard, if it is still as the caller knows it.
    pub fn commit(
        &mut self,
        claim: &Claim,
        shard: &str,
        previous: Option<Revision>,
        progress: ShardProgress,
    ) -> Result<Revision, CommitError> {
        let account = self.owned(claim, shard)?;
        let stored = account.shards.get(shard);
        let revision = stored.map(|saved| saved.revision);
        if revision != previous {
            let reason = Stale::Revision {
                expected: previous,
                stored: revision,
            };
            return Err(stale(claim, shard, reason));
        }
        if let Some(stored) = stored.map(|saved| &saved.progress.position)
            && progress.position < *stored
        {
            return Err(CommitError::Backwards {
                mapping: claim.mapping.to_string(),
                shard: shard.to_owned(),
                stored: stored.clone().into(),
                offered: progress.position.into(),
            });
        }
        let revision = Revision::after(previous);
        let saved = Saved { revision, progress };
        account.shards.insert(shard.to_owned(), saved);
        let key = Key::Shard(claim.mapping.to_string(), shard.to_owned());
        self.touched.insert(key);
        Ok(revision)
    }

    /// Removes a shard; one that is not there is removed already.
    pub fn forget(&mut self, claim: &Claim, shard: &str) -> Result<(), CommitError> {
        let account = self.owned(claim, shard)?;
        if account.shards.remove(shard).is_some() {
            let key = Key::Shard(claim.mapping.to_string(), shard.to_owned());
            self.touched.insert(key);
        }
        Ok(())
    }

    /// Removes a mapping with all its shards and what was set aside, whoever owns it; not its registration.
    pub fn forget_mapping(&mut self, mapping: &str) {
        let Some(account) = self.mappings.remove(mapping) else {
            return;
        };
        self.touched.insert(Key::Format);
        self.touched.extend(account.keys(mapping));
    }

    /// The mapping's note.
    pub fn meta(&self, mapping: &str) -> Option<Value> {
        self.mappings.get(mapping)?.row.meta.clone()
    }

    /// Replaces the mapping's note.
    pub fn set_meta(&mut self, claim: &Claim, meta: Value) -> Result<(), CommitError> {
        self.owned(claim, "")?.row.meta = Some(meta);
        self.touched.insert(Key::Mapping(claim.mapping.to_string()));
        Ok(())
    }

    fn owned(&mut self, claim: &Claim, shard: &str) -> Result<&mut Account, CommitError> {
        match self.mappings.get_mut(&*claim.mapping) {
            Some(account) if account.row.generation == claim.generation => Ok(account),
            Some(account) => {
                let owner = account.row.owner.clone();
                Err(stale(claim, shard, Stale::Owner(owner)))
            }
            None => Err(stale(claim, shard, Stale::Removed)),
        }
    }

    /// What the file needs to be its copy again, and from now on counts as written. None: the key is removed.
    pub fn writes(&mut self) -> Vec<Write> {
        let touched = std::mem::take(&mut self.touched);
        let written = touched.into_iter().map(|key| {
            let text = key.to_string();
            let sealed = match &key {
                Key::Format => Some(seal(
                    &text,
                    &Header {
                        format: self.format(),
                    },
                )),
                Key::Generation => Some(seal(&text, &self.generation)),
                Key::Mapping(mapping) => {
                    let account = self.mappings.get(mapping);
                    account.map(|account| seal(&text, &account.row))
                }
                Key::Shard(mapping, shard) => {
                    let account = self.mappings.get(mapping);
                    let saved = account.and_then(|account| account.shards.get(shard));
                    saved.map(|saved| seal(&text, saved))
                }
                Key::Registration(mapping) => {
                    let entry = self.registry.get(mapping);
                    entry.map(|entry| seal(&text, entry))
                }
                Key::Aside(mapping) => self.aside(mapping).map(|aside| {
                    let row = AsideRow {
                        meta: aside.meta.clone(),
                        replaced_ms: aside.replaced_ms,
                    };
                    seal(&text, &row)
                }),
                Key::AsideShard(mapping, shard) => {
                    let saved = self
                        .aside(mapping)
                        .and_then(|aside| aside.shards.get(shard));
                    saved.map(|saved| seal(&text, saved))
                }
            };
            (text, sealed)
        });
        written.collect()
    }

    /// The oldest that knows everything in it: so long as nothing newer is used, an older version reads the file too.
    fn format(&self) -> u8 {
        let mut accounts = self.mappings.values();
        let moved = accounts.any(|account| {
            // Put back, and not gone on with yet.
            let mut shards = account.shards.values();
            account.aside.is_some()
                || shards.any(|saved| matches!(saved.progress.position, Position::From { .. }))
        });
        match moved || !self.registry.is_empty() {
            true => FORMAT,
            false => FORMAT_FIRST,
        }
    }

    fn aside(&self, mapping: &str) -> Option<&Aside> {
        self.mappings.get(mapping)?.aside.as_ref()
    }

    /// For a ledger without a file: nothing has to be written.
    pub fn saved(&mut self) {
        self.touched.clear();
    }

    /// How much there is of everything.
    pub fn counts(&self) -> Verified {
        let shards = self.mappings.values().map(|account| account.shards.len());
        Verified {
            mappings: self.mappings.len(),
            shards: shards.sum(),
            registrations: self.registry.len(),
        }
    }
}

fn stale(claim: &Claim, shard: &str, reason: Stale) -> CommitError {
    CommitError::Stale {
        mapping: claim.mapping.to_string(),
        shard: shard.to_owned(),
        reason,
    }
}
