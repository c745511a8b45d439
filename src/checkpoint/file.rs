//! The checkpoint file: made whole or not at all, examined before it is opened, and refused on any doubt.
//!
//! redb alone notices little: of single flipped bits it reads most as if nothing were wrong, and panics at some. So a
//! file is examined on a copy first (its trees, then each value), with panics caught, and never repaired in passing.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, Durability, ReadableDatabase, ReadableTable, StorageBackend,
    StorageError, TableDefinition,
};

use super::error::StoreError;
use super::guard::guarded;
use super::ledger::{Ledger, NewerFormat};
use super::overlay::{Overlay, Shared};
use super::value::FORMAT;

/// The one table: what a key means is for `value` to say.
const TABLE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("sluicegate");

/// What redb may keep of the file in memory, 16 MiB; the ledger has all of it anyway.
const CACHE_BYTES: usize = 16_777_216;

/// Names that a new file may bear before it is whole: a crash in between leaves one behind.
const UNFINISHED_MAX: u32 = 100;

/// Window state comes from payloads: for the owner alone.
const MODE: u32 = 0o600;

/// A key with its new value; none: it is removed.
pub type Write = (String, Option<Vec<u8>>);

/// What stands against opening a storage.
#[derive(Debug)]
pub enum Doubt {
    /// It can not be read or written.
    Io(io::Error),
    /// Another process has it.
    InUse,
    /// It holds something else, in words.
    Damaged(String),
    /// A later version wrote it.
    Newer(u8),
}

impl Doubt {
    /// The error for people, about this file.
    pub fn about(self, path: &Path) -> StoreError {
        let path = path.to_owned();
        match self {
            Doubt::Io(error) => StoreError::Io {
                path,
                doing: "use",
                error,
            },
            Doubt::InUse => StoreError::InUse { path },
            Doubt::Damaged(what) => StoreError::Damaged { path, what },
            Doubt::Newer(found) => StoreError::Newer {
                path,
                found,
                known: FORMAT,
            },
        }
    }
}

/// Opens the file, after making it where there is none.
pub fn open(path: &Path) -> Result<(Database, Ledger), StoreError> {
    let file = match existing(path, Access::Write) {
        Err(StoreError::Io { error, .. }) if error.kind() == ErrorKind::NotFound => {
            // Where another was quicker, its file is as good.
            create(path, &Ledger::new().writes())?;
            existing(path, Access::Write)?
        }
        other => other?,
    };
    let backend = backend(path, file)?;
    open_backend(backend).map_err(|doubt| doubt.about(path))
}

/// What the file holds, without writing to it or the right to; what is wrong with it, in words, is added to `flaws`
/// where something can be read nonetheless.
pub fn read(path: &Path, flaws: &mut Vec<String>) -> Result<Ledger, StoreError> {
    let backend = backend(path, existing(path, Access::Read)?)?;
    examine(&backend, flaws).map_err(|doubt| doubt.about(path))
}

/// Opens a storage that holds a store already.
pub fn open_backend(backend: Arc<dyn StorageBackend>) -> Result<(Database, Ledger), Doubt> {
    let mut flaws = Vec::new();
    let examined = examine(&backend, &mut flaws)?;
    refuse(&flaws)?;
    guarded(|| {
        let database = builder().create_with_backend(Shared(backend))?;
        let ledger = load(&database, &mut flaws)?;
        if !flaws.is_empty() || ledger != examined {
            let what = "it reads differently each time";
            return Err(Doubt::Damaged(what.to_owned()));
        }
        Ok((database, ledger))
    })
}

/// Any flaw is too much to go on.
pub fn refuse(flaws: &[String]) -> Result<(), Doubt> {
    match flaws {
        [] => Ok(()),
        [flaw] => Err(Doubt::Damaged(flaw.clone())),
        [flaw, others @ ..] => {
            let more = format!("{flaw}, and {} more", others.len());
            Err(Doubt::Damaged(more))
        }
    }
}

/// Makes a store of an empty storage.
pub fn initialise(backend: Arc<dyn StorageBackend>, content: &[Write]) -> Result<(), Doubt> {
    guarded(|| {
        let database = builder().create_with_backend(Shared(backend))?;
        write(&database, content).map_err(doubt)
    })
}

/// Makes a file with this content where there is none.
pub fn create_new(path: &Path, content: &[Write]) -> Result<(), StoreError> {
    match create(path, content)? {
        true => Ok(()),
        false => {
            let what =
                "there is one already, and it is left as it is; name another, or move that away";
            Err(failed(path, "create")(io::Error::other(what)))
        }
    }
}

/// Writes a group: all of it or nothing, and on the disk when this returns.
pub fn write(database: &Database, writes: &[Write]) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    {
        let mut table = transaction.open_table(TABLE)?;
        for (key, value) in writes {
            match value {
                Some(value) => table.insert(key.as_str(), value.as_slice())?,
                None => table.remove(key.as_str())?,
            };
        }
    }
    transaction.commit()?;
    Ok(())
}

/// The ledger that a storage holds, read on a copy with everything checked.
pub fn examine(
    backend: &Arc<dyn StorageBackend>,
    flaws: &mut Vec<String>,
) -> Result<Ledger, Doubt> {
    if backend.len().map_err(io_doubt)? == 0 {
        return Err(Doubt::Damaged("it is empty".to_owned()));
    }
    guarded(|| {
        let overlay = Overlay::new(backend.clone()).map_err(io_doubt)?;
        let mut database = builder().create_with_backend(overlay)?;
        if !database.check_integrity()? {
            flaws.push("its pages contradict each other".to_owned());
        }
        load(&database, flaws)
    })
}

fn load(database: &Database, flaws: &mut Vec<String>) -> Result<Ledger, Doubt> {
    let entries = entries(database).map_err(doubt)?;
    Ledger::read(&entries, flaws).map_err(|NewerFormat(found)| Doubt::Newer(found))
}

fn entries(database: &Database) -> Result<BTreeMap<String, Vec<u8>>, redb::Error> {
    let transaction = database.begin_read()?;
    let table = transaction.open_table(TABLE)?;
    let mut entries = BTreeMap::new();
    for entry in table.iter()? {
        let (key, value) = entry?;
        entries.insert(key.value().to_owned(), value.value().to_vec());
    }
    Ok(entries)
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To look at it: also on a disk that takes no writes, and without the right to write.
    Read,
    /// To keep progress in it.
    Write,
}

/// The file, locked: nobody else has it, and nobody gets it meanwhile.
pub fn existing(path: &Path, access: Access) -> Result<File, StoreError> {
    let opened = OpenOptions::new()
        .read(true)
        .write(access == Access::Write)
        .open(path);
    let file = opened.map_err(failed(path, "open"))?;
    // Ours, before anything is read; redb finds itself in its place.
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Doubt::InUse.about(path)),
        Err(TryLockError::Error(error)) => Err(failed(path, "lock")(error)),
    }
}

fn backend(path: &Path, file: File) -> Result<Arc<dyn StorageBackend>, StoreError> {
    let backend = FileBackend::new(file).map_err(|error| Doubt::from(error).about(path))?;
    Ok(Arc::new(backend))
}

/// Makes the file under another name and gives it its own when it is whole and on the disk. It never replaces one that
/// is there, and says so: two processes that start at once end up with the same file, and one of them is refused.
fn create(path: &Path, content: &[Write]) -> Result<bool, StoreError> {
    let (unfinished, file) = unfinished(path)?;
    let made = make(path, content, &unfinished, file);
    // In vain where the disk is gone, and then nothing to add to what is reported.
    let _ = fs::remove_file(&unfinished);
    made
}

fn make(path: &Path, content: &[Write], unfinished: &Path, file: File) -> Result<bool, StoreError> {
    let failed = failed(path, "create");
    let synced = file.try_clone().map_err(&failed)?;
    initialise(backend(path, file)?, content).map_err(|doubt| doubt.about(path))?;
    synced.sync_all().map_err(&failed)?;
    match fs::hard_link(unfinished, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        linked => linked.map_err(&failed)?,
    }
    File::open(folder(path))
        .and_then(|folder| folder.sync_all())
        .map_err(&failed)?;
    tracing::info!(path = %path.display(), "checkpoint file created");
    Ok(true)
}

/// Where the file is.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A new file of our own beside the one to come.
fn unfinished(path: &Path) -> Result<(PathBuf, File), StoreError> {
    let mut number = 0;
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".new-{number}"));
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(MODE)
            .open(&name);
        match opened {
            Ok(file) => return Ok((name.into(), file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && number < UNFINISHED_MAX => {
                number += 1;
            }
            Err(error) => return Err(failed(path, "create")(error)),
        }
    }
}

fn failed(path: &Path, doing: &'static str) -> impl Fn(io::Error) -> StoreError {
    move |error| StoreError::Io {
        path: path.to_owned(),
        doing,
        error,
    }
}

fn io_doubt(error: io::Error) -> Doubt {
    match error.kind() {
        // How redb, and a file that is too short, say that the content is wrong.
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof => Doubt::Damaged(error.to_string()),
        _ => Doubt::Io(error),
    }
}

fn doubt(error: redb::Error) -> Doubt {
    match error {
        redb::Error::Io(error) => io_doubt(error),
        redb::Error::DatabaseAlreadyOpen => Doubt::InUse,
        other => Doubt::Damaged(other.to_string()),
    }
}

impl From<DatabaseError> for Doubt {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Storage(StorageError::Io(error)) => io_doubt(error),
            DatabaseError::DatabaseAlreadyOpen => Doubt::InUse,
            other => Doubt::Damaged(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_that_of_a_file_in_the_working_directory() {
        for (path, expected) in [
            ("checkpoints.db", "."),
            ("./checkpoints.db", "."),
            ("data/checkpoints.db", "data"),
            ("/var/lib/sluicegate/checkpoints.db", "/var/lib/sluicegate"),
        ] {
            assert_eq!(folder(Path::new(path)), Path::new(expected), "{path}");
        }
    }
}
