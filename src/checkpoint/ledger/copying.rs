//! The ledger as an export has it, and one made of an export.

use super::super::exchange::{Exported, ExportedMapping};
use super::super::value::is_mapping;
use super::{Account, Ledger, Row};

impl Ledger {
    /// Everything, with no flaw.
    pub fn export(self) -> Exported {
        let format = self.format();
        let mappings = self.mappings.into_iter().map(|(mapping, account)| {
            let exported = ExportedMapping {
                owner: account.row.owner,
                generation: account.row.generation,
                meta: account.row.meta,
                shards: account.shards,
                aside: account.aside,
            };
            (mapping, exported)
        });
        Exported {
            format,
            generation: self.generation,
            mappings: mappings.collect(),
            registrations: self.registry,
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
            let aside = exported.aside.as_ref();
            if exported.shards.contains_key("")
                || aside.is_some_and(|aside| aside.shards.contains_key(""))
            {
                return Err(format!("{mapping}: a shard has no name"));
            }
            let account = Account {
                row: Row {
                    owner: exported.owner,
                    generation: exported.generation,
                    meta: exported.meta,
                },
                shards: exported.shards,
                aside: exported.aside,
            };
            ledger.touched.extend(account.keys(&mapping));
            ledger.mappings.insert(mapping, account);
        }
        for (mapping, entry) in exported.registrations {
            let registered = ledger.register(&mapping, Some(entry));
            registered.map_err(|error| error.to_string())?;
        }
        Ok(ledger)
    }
}
