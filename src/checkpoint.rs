//! Where the positions of streams are kept, with retry and window state: in memory, or in a file that survives anything.
//!
//! Losing the last checkpoints means that records come twice; a checkpoint that is ahead, or a store that begins anew
//! because it could not be read, means that records are lost. So a commit is durable before it is answered, only the
//! owner's next one replaces it, and on any doubt about the file nothing starts ([`StoreError`]).
//!
//! Before a mapping is read it is *taken*: the [`Claim`] that this gives is the only one that may commit, until someone
//! takes the mapping again. Each commit names the revision that it builds on; whoever is refused stops.
//!
//! Two more things are kept beside the checkpoints: what was registered under a mapping's id, and for each mapping the
//! positions that were set aside when others were put in their place.
//!
//! The file belongs to one thread (`writer`), which makes one write of all the commits that wait. Not on NFS: its locks
//! and its fsync are not to be relied on.

mod book;
mod crc32c;
mod error;
mod exchange;
mod file;
mod guard;
mod ledger;
mod overlay;
mod value;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use redb::StorageBackend;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::model::progress::ShardProgress;
use book::{Answer, Book, Fuse};
use ledger::Ledger;
use writer::Writer;

pub use error::{Broken, CommitError, Stale, StoreError};
pub use exchange::{Verified, export, import, verify};
pub use ledger::{REGISTRATION_BYTES_MAX, REGISTRATION_DEPTH_MAX};

/// What stands for the file of a store that has none, in errors.
const NO_FILE: &str = "(in memory)";

/// Who commits, for people: a host and a process, say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(String);

impl Owner {
    /// By this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The right to commit to a mapping, until it is taken again. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    mapping: Arc<str>,
    /// Of all that the store ever gave away, this one alone has it.
    generation: u64,
}

impl Claim {
    /// The mapping's UUID.
    pub fn mapping(&self) -> &str {
        &self.mapping
    }
}

/// Which commit to a shard: the next one has to name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(u64);

impl Revision {
    /// Of the commit that builds on this one; none: of a shard's first.
    fn after(previous: Option<Self>) -> Self {
        Self(previous.map_or(1, |Self(number)| number + 1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// What the next commit builds on.
    pub revision: Revision,
    /// How far the shard is.
    pub progress: ShardProgress,
}

/// A mapping with everything that is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// What to commit with.
    pub claim: Claim,
    /// The note of [`Store::set_meta`]; none where there never was one.
    pub meta: Option<Value>,
    /// By the shard's id.
    pub shards: BTreeMap<String, Saved>,
}

/// How far a mapping is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// It has a note: it was started once, to the end of that.
    pub noted: bool,
    /// By the shard's id; none of a mapping that was never taken.
    pub shards: BTreeMap<String, ShardProgress>,
    /// Others were set aside for an undo then, in milliseconds since 1970.
    pub replaced_ms: Option<u64>,
}

/// The store. Cheap to clone. At [`Store::close`], or when the last clone goes, which waits for that, what was handed in
/// is saved and the file released.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    place: Place,
    fuse: Fuse,
}

/// Who does the work.
enum Place {
    /// The caller: for what never blocks, and for simulations, where a thread would come at any time.
    Here(Mutex<Option<Book>>),
    /// A thread, since a disk blocks.
    Thread(Writer),
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Place::Here(_) => "Here",
            Place::Thread(_) => "Thread",
        })
    }
}

impl Store {
    /// Forgotten when the last clone goes. Never blocks, takes no time.
    pub fn memory() -> Self {
        Self::here(Ledger::default(), None)
    }

    /// The store in this file, which is made where there is none; its folder has to be there. Blocks for as long as it
    /// takes to read all of it twice: a tenth of a second for 10,000 shards. Its thread knows nothing of a paused clock:
    /// simulations have [`Store::on`].
    ///
    /// # Errors
    ///
    /// Whatever leaves a doubt about what is in the file. It was not changed then; see [`StoreError`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let (database, ledger) = file::open(path)?;
        Self::on_a_thread(ledger, database).map_err(|error| StoreError::Io {
            path: path.to_owned(),
            doing: "start the thread for",
            error,
        })
    }

    /// The store in any storage, without a thread: each call is done when it returns. For simulations, and for attacks
    /// on the file. An empty storage is made a store.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    pub fn on(backend: impl StorageBackend) -> Result<Self, StoreError> {
        let backend: Arc<dyn StorageBackend> = Arc::new(backend);
        let about = |doubt: file::Doubt| doubt.about(Path::new(NO_FILE));
        if backend.len().is_ok_and(|len| len == 0) {
            file::initialise(backend.clone(), &Ledger::new().writes()).map_err(about)?;
        }
        let (database, ledger) = file::open_backend(backend).map_err(about)?;
        Ok(Self::here(ledger, Some(database)))
    }

    fn on_a_thread(ledger: Ledger, database: redb::Database) -> io::Result<Self> {
        let fuse = Fuse::default();
        let book = Book::new(ledger, Some(database), fuse.clone());
        let place = Place::Thread(Writer::start(book)?);
        Ok(Self(Arc::new(Inner { place, fuse })))
    }

    fn here(ledger: Ledger, database: Option<redb::Database>) -> Self {
        let fuse = Fuse::default();
        let book = Book::new(ledger, database, fuse.clone());
        let place = Place::Here(Mutex::new(Some(book)));
        Self(Arc::new(Inner { place, fuse }))
    }

    /// All shards of a mapping. Whoever had it before may commit no more; what it had handed in is in the answer.
    ///
    /// # Errors
    ///
    /// [`StoreError::Broken`]; [`StoreError::Mapping`] for an id that is empty or has a slash.
    pub async fn take(&self, mapping: &str, owner: &Owner) -> Result<Taken, StoreError> {
        let (mapping, owner) = (mapping.to_owned(), owner.clone());
        self.run(move |ledger| ledger.take(&mapping, owner)).await?
    }

    /// Saves the progress of a shard, and returns when it is on the disk. `previous`: what was returned for the commit
    /// before, or came with [`Store::take`]; none for a shard's first one.
    ///
    /// Not to be dropped half-way: then it is not known whether it was saved, and the next is refused.
    ///
    /// # Errors
    ///
    /// Then nothing is saved; each asks to stop reading the shard. [`CommitError::Broken`] concerns them all.
    pub async fn commit(
        &self,
        claim: &Claim,
        shard: &str,
        previous: Option<Revision>,
        progress: &ShardProgress,
    ) -> Result<Revision, CommitError> {
        let (claim, shard, progress) = (claim.clone(), shard.to_owned(), progress.clone());
        self.run(move |ledger| ledger.commit(&claim, &shard, previous, progress))
            .await?
    }

    /// Removes the checkpoint of a shard that is no more. A shard without one is fine.
    ///
    /// # Errors
    ///
    /// As [`Store::commit`].
    pub async fn forget(&self, claim: &Claim, shard: &str) -> Result<(), CommitError> {
        let (claim, shard) = (claim.clone(), shard.to_owned());
        self.run(move |ledger| ledger.forget(&claim, &shard))
            .await?
    }

    /// Removes everything about a mapping but its registration: owner, note, shards, and what was set aside. Whoever has
    /// taken it may commit no more, and whoever takes it next begins at its `StartingPosition`.
    ///
    /// # Errors
    ///
    /// The store is out of use.
    pub async fn forget_mapping(&self, mapping: &str) -> Result<(), Broken> {
        let mapping = mapping.to_owned();
        self.run(move |ledger| ledger.forget_mapping(&mapping))
            .await
    }

    /// Sets the mapping's note and all its shards aside for one undo, where they replace what was there, and puts this
    /// progress in place of the shards', which may go back here: all as one write, at this time in milliseconds since
    /// 1970. Shards that are not named stay as they are, which with none named is all of them; a mapping that has no note
    /// gets this one. Whoever has taken the mapping may commit no more: stop him before.
    ///
    /// A mapping that was never taken has neither, and an undo brings it back to that.
    ///
    /// # Errors
    ///
    /// [`StoreError::Broken`]; [`StoreError::Mapping`] for an id that is empty or has a slash; [`StoreError::Shard`] for
    /// a shard whose name is empty.
    pub async fn set_aside(
        &self,
        mapping: &str,
        instead: BTreeMap<String, ShardProgress>,
        note: Option<Value>,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let mapping = mapping.to_owned();
        self.run(move |ledger| ledger.set_aside(&mapping, instead, note, now_ms))
            .await?
    }

    /// Puts the mapping's note and all its shards back as they were set aside, which is forgotten then: done twice, the
    /// second changes nothing. Whoever has taken the mapping may commit no more.
    ///
    /// False, and nothing is changed, where nothing was set aside.
    ///
    /// # Errors
    ///
    /// [`StoreError::Broken`]; [`StoreError::Mapping`] for an id that is empty or has a slash.
    pub async fn put_back(&self, mapping: &str) -> Result<bool, StoreError> {
        let mapping = mapping.to_owned();
        self.run(move |ledger| ledger.put_back(&mapping)).await?
    }

    /// How far the mapping is, for whoever only looks: nobody's claim is touched.
    ///
    /// # Errors
    ///
    /// The store is out of use.
    pub async fn standing(&self, mapping: &str) -> Result<Standing, Broken> {
        let mapping = mapping.to_owned();
        self.run(move |ledger| ledger.standing(&mapping)).await
    }

    /// A note about the mapping as a whole, such as when it was first started; none where there never was one.
    ///
    /// # Errors
    ///
    /// The store is out of use.
    pub async fn meta(&self, mapping: &str) -> Result<Option<Value>, Broken> {
        let mapping = mapping.to_owned();
        self.run(move |ledger| ledger.meta(&mapping)).await
    }

    /// Replaces the note about the mapping, and returns when it is on the disk.
    ///
    /// # Errors
    ///
    /// As [`Store::commit`], with no shard.
    pub async fn set_meta(&self, claim: &Claim, meta: Value) -> Result<(), CommitError> {
        let claim = claim.clone();
        self.run(move |ledger| ledger.set_meta(&claim, meta))
            .await?
    }

    /// Keeps this under the mapping's id until it is replaced, or with none forgets it, and returns when that is on the
    /// disk. It asks for no claim, and is neither in the way of one nor taken away with the checkpoints.
    ///
    /// # Errors
    ///
    /// [`StoreError::Broken`]; and what leaves all as it was: [`StoreError::Mapping`] for an id that is empty or has a
    /// slash, [`StoreError::RegistrationSize`] beyond [`REGISTRATION_BYTES_MAX`], [`StoreError::RegistrationDepth`]
    /// beyond [`REGISTRATION_DEPTH_MAX`].
    pub async fn register(&self, mapping: &str, entry: Option<Value>) -> Result<(), StoreError> {
        let mapping = mapping.to_owned();
        self.run(move |ledger| ledger.register(&mapping, entry))
            .await?
    }

    /// Everything that is registered, by the mapping's id.
    ///
    /// # Errors
    ///
    /// [`StoreError::Broken`].
    pub async fn registered(&self) -> Result<BTreeMap<String, Value>, StoreError> {
        Ok(self.run(|ledger| ledger.registered()).await?)
    }

    /// Why nothing is saved any more; none while all is well. It never gets well again.
    pub fn broken(&self) -> Option<Broken> {
        self.0.fuse.broken()
    }

    /// Returns when nothing is saved any more.
    pub async fn breaks(&self) {
        self.0.fuse.blows().await;
    }

    /// Saves what was handed in, releases the file, and returns when that is done. Whoever comes later, through
    /// whichever clone, is told that the store is closed.
    pub async fn close(&self) {
        match &self.0.place {
            Place::Here(book) => drop(book.lock().unwrap_or_else(PoisonError::into_inner).take()),
            Place::Thread(writer) => writer.close().await,
        }
        self.0.fuse.blow("it is closed");
    }

    /// Does `work`, and answers when what it changed is durable.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger) -> T + Send + 'static,
    ) -> Result<T, Broken> {
        if let Some(broken) = self.broken() {
            return Err(broken);
        }
        let (sender, answer) = oneshot::channel();
        let job = Box::new(move |ledger: &mut Ledger| -> Answer {
            let result = work(ledger);
            // Nobody waits any more: it is saved all the same.
            Box::new(move |saved| drop(sender.send(saved.map(|()| result))))
        });
        let handed_in = match &self.0.place {
            Place::Here(book) => {
                let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
                book.as_mut().map(|book| book.group([job as book::Job]))
            }
            .is_some(),
            Place::Thread(writer) => writer.hand_in(job).await,
        };
        if !handed_in {
            return Err(self.0.fuse.blow("it is closed"));
        }
        answer
            .await
            .unwrap_or_else(|_| Err(self.0.fuse.blow("its thread has ended")))
    }
}
