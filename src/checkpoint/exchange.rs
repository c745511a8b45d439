//! The checkpoint file as JSON, out of it and into a new one, and whether it is whole: what operators ask of it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::StoreError;
use super::file;
use super::ledger::{Aside, Ledger};
use super::value::FORMAT;
use super::{Owner, Saved};

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Mappings that were ever taken.
    pub mappings: usize,
    /// Their shards.
    pub shards: usize,
    /// Mappings that are registered, whether or not they were ever taken.
    pub registrations: usize,
}

/// All that a file holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exported {
    pub(super) format: u8,
    pub(super) generation: u64,
    pub(super) mappings: BTreeMap<String, ExportedMapping>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) registrations: BTreeMap<String, Value>,
    /// What is missing here because it could not be read, in words.
    pub(super) flaws: Vec<String>,
}

/// A mapping in it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedMapping {
    pub(super) owner: Owner,
    pub(super) generation: u64,
    #[serde(default)]
    pub(super) meta: Option<Value>,
    pub(super) shards: BTreeMap<String, Saved>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) aside: Option<Aside>,
}

/// Whether the file would open. It is not changed.
///
/// # Errors
///
/// As [`super::Store::open`]; a file that is not there is not made.
pub fn verify(path: &Path) -> Result<Verified, StoreError> {
    let mut flaws = Vec::new();
    let ledger = file::read(path, &mut flaws)?;
    file::refuse(&flaws).map_err(|doubt| doubt.about(path))?;
    Ok(ledger.counts())
}

/// Everything in the file as JSON, and under `flaws` what of it could not be read: also a damaged file gives out what
/// is whole in it. It is not changed.
///
/// # Errors
///
/// Nothing at all can be read, or another process has it.
pub fn export(path: &Path) -> Result<Value, StoreError> {
    let mut flaws = Vec::new();
    let read = file::read(path, &mut flaws).map_err(|error| match error {
        StoreError::Damaged { path, what } => StoreError::Unreadable { path, what },
        other => other,
    });
    let mut exported = read?.export();
    exported.flaws = flaws;
    Ok(serde_json::json!(exported))
}

/// Makes a new file of what [`export`] gave.
///
/// # Errors
///
/// There is a file already; the JSON is no export, or one of a newer format, or has `flaws`: whoever wants the rest of
/// it takes them out.
pub fn import(path: &Path, exported: Value) -> Result<Verified, StoreError> {
    // Before anything else: what a newer one holds is unheard of here.
    if let Some(format) = exported["format"].as_u64()
        && format > FORMAT.into()
    {
        let what = format!("it has format {format}, newer than {FORMAT}");
        return Err(StoreError::Import(what));
    }
    let exported: Exported =
        serde_json::from_value(exported).map_err(|error| StoreError::Import(error.to_string()))?;
    if let Some(flaw) = exported.flaws.first() {
        let what = format!(
            "it is not all there ({flaw}); empty `flaws` to go on with what it has: the shards that are missing begin at their mapping's StartingPosition"
        );
        return Err(StoreError::Import(what));
    }
    let mut ledger = Ledger::import(exported).map_err(StoreError::Import)?;
    file::create_new(path, &ledger.writes())?;
    verify(path)
}
