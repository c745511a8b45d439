//! Why a checkpoint was not loaded or not saved. Never a reason to begin anew: whoever meets one of these stops.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::model::progress::Position;

use super::ledger::{REGISTRATION_BYTES_MAX, REGISTRATION_DEPTH_MAX};
use super::{Owner, Revision};

/// What to do about a file in doubt.
const WAY_OUT: &str = "`sluicegate checkpoint export` prints what is whole in it, and `sluicegate checkpoint import` makes a new file of that; or restore it from a backup, or move it away deliberately: every mapping then begins at its StartingPosition again";
/// And about one of which that prints nothing.
const LAST_WAY_OUT: &str = "restore it from a backup, or move it away deliberately: every mapping then begins at its StartingPosition again";

/// Why there is no store, or no answer from it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file can not be had: rights, space, the disk.
    #[error("failed to {doing} the checkpoint file {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `open`, `create`, ...
        doing: &'static str,
        /// As the system said it.
        error: io::Error,
    },
    /// Another process has it open; it would write over what this one writes.
    #[error("the checkpoint file {} is in use by another process; stop that one, or give this one a file of its own", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// Written by a later version of the program, which keeps things this one does not know of.
    #[error("the checkpoint file {} has format {found}, and this version reads up to {known}; run the version that wrote it, or a later one", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The format that it has.
        found: u8,
        /// The format that this version writes.
        known: u8,
    },
    /// What it holds can not be trusted. It was left as it is.
    #[error("the checkpoint file {} is damaged: {what}; {WAY_OUT}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Nothing in it can be told apart: there is nothing to export. It was left as it is.
    #[error("the checkpoint file {} is damaged, and nothing in it can be read: {what}; {LAST_WAY_OUT}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// What is no export can not become a file.
    #[error("failed to import checkpoints: {0}")]
    Import(String),
    /// An id that no mapping has.
    #[error("{0:?} is no id of a mapping: expected a UUID")]
    Mapping(String),
    /// A shard of this mapping without a name.
    #[error("a shard of mapping {0} has no name")]
    Shard(String),
    /// More than is kept for a mapping.
    #[error(
        "the registration of mapping {mapping} takes {bytes} bytes as JSON, and {REGISTRATION_BYTES_MAX} are the most that is kept"
    )]
    RegistrationSize {
        /// The mapping.
        mapping: String,
        /// What it takes.
        bytes: usize,
    },
    /// What could be written, and not be read again.
    #[error(
        "the registration of mapping {mapping} is nested more than {REGISTRATION_DEPTH_MAX} levels deep"
    )]
    RegistrationDepth {
        /// The mapping.
        mapping: String,
    },
    /// It failed earlier, or was closed.
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// The store saves nothing any more: a write failed, and what is on the disk since then is not known; or it was closed.
/// Open it anew to find out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the checkpoint store is out of use: {0}")]
pub struct Broken(pub(super) Arc<str>);

/// Why a checkpoint was not saved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Someone else goes on with the shard: whoever reads this has to stop without another word.
    #[error("the checkpoint of {shard} of mapping {mapping} is no longer ours: {reason}")]
    Stale {
        /// The mapping.
        mapping: String,
        /// The shard; empty where it is about the whole mapping.
        shard: String,
        /// Who or what came in between.
        reason: Stale,
    },
    /// The position is before the stored one: a bug of the caller.
    #[error(
        "the checkpoint of {shard} of mapping {mapping} would move back from {stored} to {offered}"
    )]
    Backwards {
        /// The mapping.
        mapping: String,
        /// The shard.
        shard: String,
        /// What the store holds, and keeps.
        stored: Box<Position>,
        /// What was to replace it.
        offered: Box<Position>,
    },
    /// Nothing is saved any more.
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// What a stale commit met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// The mapping was taken again.
    #[error("{0} has taken it over")]
    Owner(Owner),
    /// The mapping's checkpoints were removed.
    #[error("it was removed")]
    Removed,
    /// The shard is at another revision than the one that the commit builds on.
    #[error("it builds on {}, and the store has {}", shown(.expected), shown(.stored))]
    Revision {
        /// What the commit builds on.
        expected: Option<Revision>,
        /// What the store has.
        stored: Option<Revision>,
    },
}

fn shown(revision: &Option<Revision>) -> String {
    match revision {
        Some(revision) => format!("revision {revision}"),
        None => "none".to_owned(),
    }
}
