//! Paths -> the texts of configuration files. A directory stands for its `*.yaml`, `*.yml` and `*.json` files, sorted by name.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{Place, Report};

/// The largest file that is read: an exported list of 10,000 mappings is near 8 MB.
pub(super) const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How many files one directory may hold.
const FILES_MAX: usize = 1_000;

/// A file's name as the user gave it, and what it holds.
pub(super) struct Source {
    pub name: Arc<str>,
    pub text: String,
}

/// Reads every file that the paths name, in their order; each problem is reported and the other files are read all the same.
pub(super) fn read(paths: &[PathBuf], report: &mut Report) -> Vec<Source> {
    let mut files = Vec::new();
    for path in paths {
        match path.is_dir() {
            false => files.push(path.clone()),
            true => match directory(path) {
                Ok(found) => files.extend(found),
                Err(what) => report.error(&whole(path), "", what),
            },
        }
    }
    let mut seen = BTreeSet::new();
    let mut sources = Vec::new();
    for file in files {
        let mut place = whole(&file);
        // The same file by two names would be reported as a conflict of every line with itself.
        if fs::canonicalize(&file).is_ok_and(|path| !seen.insert(path)) {
            report.error(&place, "", "this file is given twice");
            continue;
        }
        match text(&file) {
            Ok(text) => sources.push(Source {
                name: place.file,
                text,
            }),
            Err((line, what)) => {
                place.line = line;
                report.error(&place, "", what);
            }
        }
    }
    sources
}

fn whole(path: &Path) -> Place {
    let file = path.display().to_string().into();
    Place { file, line: 0 }
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

/// The text of a file, or the line and the reason why there is none.
fn text(path: &Path) -> Result<String, (usize, String)> {
    let unreadable = |error: io::Error| (0, format!("cannot be read: {error}"));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let mib = FILE_BYTES_MAX / 1024 / 1024;
        return Err((0, format!("larger than {mib} MiB")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
        (line, "not UTF-8 text; save the file as UTF-8".to_owned())
    })
}
