//! The ledger as an export has it, and one made of an export.

use super::super::exchange::{Exported, ExportedMapping};
use super::super::value::{FORMAT, Key, is_mapping};
use super::{Account, Ledger, Row};

impl Ledger {
    /// Everything, with no flaw.
    pub fn export(self) -> Exported {
        let mappings = self.mappings.into_iter().map(|(mapping, account)| {
            let exported = ExportedMapping {
                owner: account.row.owner,
                generation: account.row.generation,
                meta: account.row.meta,
                shards: account.shards,
            };
            (mapping, exported)
        });
        Exported {
            format: FORMAT,
            generation: self.generation,
            mappings: mappings.collect(),
            flaws: Vec::new(),
        }
    }

    /// What was exported, for a file that is to be made; else what is wrong with it.
    pub fn import(exported: Exported) -> Result<Self, String> {
        let mut ledger = Self::new();
        ledger.generation = exported.generation;
        for (mapping, exported) in exported.mappings {
            if !is_mapping(&mapping) {
                return Err(format!("{mapping:?} is no id of a mapping"));
            }
            if exported.generation > ledger.generation {
                return Err(format!("{mapping}: its generation was never given away"));
            }
            if exported.shards.contains_key("") {
                return Err(format!("{mapping}: a shard has no name"));
            }
            let shards = exported.shards.keys();
            let keys = shards.map(|shard| Key::Shard(mapping.clone(), shard.clone()));
            ledger.touched.extend(keys);
            ledger.touched.insert(Key::Mapping(mapping.clone()));
            let account = Account {
                row: Row {
                    owner: exported.owner,
                    generation: exported.generation,
                    meta: exported.meta,
                },
                shards: exported.shards,
            };
            ledger.mappings.insert(mapping, account);
        }
        Ok(ledger)
    }
}
