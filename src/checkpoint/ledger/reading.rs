//! The ledger that a file holds: what is whole and belongs together, and in words what does not.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::super::Saved;
use super::super::value::{FORMAT, Flaw, Key, unseal};
use super::{Account, Header, Ledger, NewerFormat, Row};

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
        // Sorted: each mapping stands before the shards.
        for text in entries.keys() {
            match Key::read(text) {
                Some(Key::Format | Key::Generation) => {}
                Some(key @ Key::Mapping(_)) => ledger.read_mapping(entries, &key, flaws)?,
                Some(key @ Key::Shard(_, _)) => ledger.read_shard(entries, &key, flaws)?,
                None => flaws.push(format!("{text:?} is no key")),
            }
        }
        Ok(ledger)
    }

    fn read_mapping(
        &mut self,
        entries: &BTreeMap<String, Vec<u8>>,
        key: &Key,
        flaws: &mut Vec<String>,
    ) -> Result<(), NewerFormat> {
        let Key::Mapping(mapping) = key else {
            return Ok(());
        };
        let Some(row) = value::<Row>(entries, key, flaws)? else {
            return Ok(());
        };
        if row.generation > self.generation {
            flaws.push(format!("{key}: its generation was never given away"));
        }
        let account = Account {
            row,
            shards: BTreeMap::new(),
        };
        self.mappings.insert(mapping.clone(), account);
        Ok(())
    }

    fn read_shard(
        &mut self,
        entries: &BTreeMap<String, Vec<u8>>,
        key: &Key,
        flaws: &mut Vec<String>,
    ) -> Result<(), NewerFormat> {
        let Key::Shard(mapping, shard) = key else {
            return Ok(());
        };
        let Some(saved) = value::<Saved>(entries, key, flaws)? else {
            return Ok(());
        };
        match self.mappings.get_mut(mapping) {
            Some(account) => {
                account.shards.insert(shard.clone(), saved);
            }
            None => flaws.push(format!("{key}: its mapping is missing")),
        }
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
