//! The ledger that a file holds: what is whole and belongs together, and in words what does not.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::super::Saved;
use super::super::value::{FORMAT, Flaw, Key, unseal};
use super::{Account, Aside, AsideRow, Header, Ledger, NewerFormat, Row};

const NO_MAPPING: &str = "its mapping is missing";

impl Ledger {
    /// What these keys and values of a file hold. What is wrong with them is added to `flaws`, each in words, and left
    /// out; a file of a newer format is not read at all.
    pub fn read(
        entries: &BTreeMap<String, Vec<u8>>,
        flaws: &mut Vec<String>,
    ) -> Result<Self, NewerFormat> {
        let mut ledger = Self::default();
        let header: Option<Header> = value(entries, &Key::Format, flaws)?;
        if let Some(Header { format }) = header
            && format > FORMAT
        {
            return Err(NewerFormat(format));
        }
        ledger.generation = value(entries, &Key::Generation, flaws)?.unwrap_or_default();
        // Sorted: each mapping stands before its shards, and before what was set aside.
        for text in entries.keys() {
            let Some(key) = Key::read(text) else {
                flaws.push(format!("{text:?} is no key"));
                continue;
            };
            let placed = match &key {
                Key::Format | Key::Generation => Ok(()),
                Key::Mapping(mapping) => value(entries, &key, flaws)?
                    .map_or(Ok(()), |row| ledger.place_mapping(mapping, row)),
                Key::Shard(mapping, shard) => value(entries, &key, flaws)?
                    .map_or(Ok(()), |saved| ledger.place_shard(mapping, shard, saved)),
                Key::Registration(mapping) => {
                    let entry = value(entries, &key, flaws)?;
                    let entry = entry.map(|entry| (mapping.clone(), entry));
                    ledger.registry.extend(entry);
                    Ok(())
                }
                Key::Aside(mapping) => value(entries, &key, flaws)?
                    .map_or(Ok(()), |row| ledger.place_aside(mapping, row)),
                Key::AsideShard(mapping, shard) => value(entries, &key, flaws)?
                    .map_or(Ok(()), |saved| {
                        ledger.place_aside_shard(mapping, shard, saved)
                    }),
            };
            if let Err(flaw) = placed {
                flaws.push(format!("{key}: {flaw}"));
            }
        }
        Ok(ledger)
    }

    fn place_mapping(&mut self, mapping: &str, row: Row) -> Result<(), &'static str> {
        let given_away = row.generation <= self.generation;
        let account = Account {
            row,
            shards: BTreeMap::new(),
            aside: None,
        };
        self.mappings.insert(mapping.to_owned(), account);
        match given_away {
            true => Ok(()),
            false => Err("its generation was never given away"),
        }
    }

    fn place_shard(
        &mut self,
        mapping: &str,
        shard: &str,
        saved: Saved,
    ) -> Result<(), &'static str> {
        let account = self.mappings.get_mut(mapping).ok_or(NO_MAPPING)?;
        account.shards.insert(shard.to_owned(), saved);
        Ok(())
    }

    fn place_aside(&mut self, mapping: &str, row: AsideRow) -> Result<(), &'static str> {
        let account = self.mappings.get_mut(mapping).ok_or(NO_MAPPING)?;
        account.aside = Some(Aside {
            meta: row.meta,
            replaced_ms: row.replaced_ms,
            shards: BTreeMap::new(),
        });
        Ok(())
    }

    fn place_aside_shard(
        &mut self,
        mapping: &str,
        shard: &str,
        saved: Saved,
    ) -> Result<(), &'static str> {
        let account = self.mappings.get_mut(mapping).ok_or(NO_MAPPING)?;
        let aside = account.aside.as_mut();
        let aside = aside.ok_or("the note it was set aside with is missing")?;
        aside.shards.insert(shard.to_owned(), saved);
        Ok(())
    }
}

/// The value of a key; none, with the reason among the flaws, where it can not be had.
fn value<T: DeserializeOwned>(
    entries: &BTreeMap<String, Vec<u8>>,
    key: &Key,
    flaws: &mut Vec<String>,
) -> Result<Option<T>, NewerFormat> {
    let text = key.to_string();
    let Some(sealed) = entries.get(&text) else {
        flaws.push(format!("{text} is missing"));
        return Ok(None);
    };
    match unseal(&text, sealed) {
        Ok(value) => Ok(Some(value)),
        Err(Flaw::Newer(format)) => Err(NewerFormat(format)),
        Err(flaw @ (Flaw::Checksum | Flaw::Content(_))) => {
            flaws.push(format!("{text}: {flaw}"));
            Ok(None)
        }
    }
}
