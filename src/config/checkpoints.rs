//! `Checkpoints`: where the positions of streams are kept. A queue keeps its own progress and needs none.

use std::path::PathBuf;

use super::cursor::{At, one_of};
use super::error::Report;

/// The store of stream positions, retry and window state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checkpoints {
    /// `File`: an embedded store, `./sluicegate.db` by default; relative to the directory in which the process starts.
    File(PathBuf),
    /// `Memory: true`: forgotten when the process ends.
    Memory,
}

const KEYS: [&str; 3] = ["File", "Memory", "DynamoDb"];
const FILE_DEFAULT: &str = "./sluicegate.db";

impl Default for Checkpoints {
    fn default() -> Self {
        Checkpoints::File(PathBuf::from(FILE_DEFAULT))
    }
}

pub(super) fn read(at: &At<'_>, report: &mut Report) -> Option<Checkpoints> {
    let fields = at.fields(&KEYS, report)?;
    let given: Vec<At<'_>> = KEYS.iter().filter_map(|key| fields.get(key)).collect();
    if let [_, second, ..] = given.as_slice() {
        second.error(
            report,
            format!("more than one store; keep one of {}", one_of(&KEYS)),
        );
        return None;
    }
    if let Some(at) = fields.get("File") {
        return match at.text(report)? {
            "" => {
                at.error(report, "expected the path of a file, found \"\"");
                None
            }
            path => Some(Checkpoints::File(PathBuf::from(path))),
        };
    }
    if let Some(at) = fields.get("Memory") {
        return match at.boolean(report)? {
            true => Some(Checkpoints::Memory),
            false => Some(Checkpoints::default()),
        };
    }
    if let Some(at) = fields.get("DynamoDb") {
        at.error(
            report,
            "this version keeps no checkpoints in DynamoDB; use File or Memory",
        );
        return None;
    }
    Some(Checkpoints::default())
}

/// Streams that are read from memory's positions begin anew with every start.
pub(super) fn warn_of_forgetting(at: &At<'_>, report: &mut Report) {
    at.below("Memory").warn(
        report,
        "positions are forgotten when the process ends, and every stream begins at its StartingPosition again; File keeps them",
    );
}
