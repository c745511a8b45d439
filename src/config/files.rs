//! Paths -> the texts of configuration files. A directory stands for its `*.yaml`, `*.yml` and `*.json` files, sorted by name.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::one_line;
use super::yaml::Unreadable;

/// The largest file that is read: an exported list of 10,000 mappings is near 8 MB.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How many files one directory may hold.
const FILES_MAX: usize = 1_000;

/// A file's name as the user gave it, and what it holds.
pub(super) struct Source {
    pub name: Arc<str>,
    pub text: Result<String, Unreadable>,
}

/// Reads every file that the paths name, in their order. What cannot be read takes its place in the order, with the reason.
pub(super) fn read(paths: &[PathBuf]) -> Vec<Source> {
    let mut seen = BTreeSet::new();
    let mut sources = Vec::new();
    for path in paths {
        let files = match path.is_dir() {
            true => directory(path),
            false => Ok(vec![path.clone()]),
        };
        match files {
            Ok(files) => {
                sources.extend(files.iter().map(|file| source(file, text(file, &mut seen))));
            }
            Err(what) => sources.push(source(path, Err(Unreadable { line: 0, what }))),
        }
    }
    sources
}

fn source(path: &Path, text: Result<String, Unreadable>) -> Source {
    let name = one_line(&path.display().to_string()).into();
    Source { name, text }
}

/// Names that begin with a dot are left out: editors and mounted config maps keep files of their own there.
fn directory(path: &Path) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error: io::Error| format!("the directory cannot be read: {error}");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let name = PathBuf::from(entry.map_err(unreadable)?.file_name());
        let hidden = name.to_string_lossy().starts_with('.');
        let extension = name.extension().and_then(|extension| extension.to_str());
        if !hidden && matches!(extension, Some("yaml" | "yml" | "json")) {
            names.insert(name);
        }
        if names.len() > FILES_MAX {
            return Err(format!("more than {FILES_MAX} files in one directory"));
        }
    }
    match names.is_empty() {
        true => Err("no *.yaml, *.yml or *.json file in this directory".to_owned()),
        false => Ok(names.into_iter().map(|name| path.join(name)).collect()),
    }
}

/// The text of a file that was not read before: the same file by two names would conflict with itself in every line.
fn text(path: &Path, seen: &mut BTreeSet<PathBuf>) -> Result<String, Unreadable> {
    let unreadable = |line, what| Unreadable { line, what };
    let failed = |error: io::Error| unreadable(0, format!("cannot be read: {error}"));
    let file = File::open(path).map_err(failed)?;
    // A pipe, such as `<(aws lambda list-event-source-mappings)`, opens and has no other name.
    let name = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if !seen.insert(name) {
        return Err(unreadable(0, "this file is given twice".to_owned()));
    }
    bounded(file, FILE_BYTES_MAX)
}

/// All that there is to read, as text of at most `bytes_max` bytes.
pub(crate) fn bounded(from: impl Read, bytes_max: u64) -> Result<String, Unreadable> {
    let unreadable = |line, what| Unreadable { line, what };
    let mut bytes = Vec::new();
    from.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(0, format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > bytes_max {
        let mib = bytes_max / 1024 / 1024;
        return Err(unreadable(0, format!("larger than {mib} MiB")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
        unreadable(line, "not UTF-8 text; save the file as UTF-8".to_owned())
    })
}
