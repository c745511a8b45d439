//! The ledger with its file: what a group of jobs changes is written at once, and answered when it is on the disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use redb::Database;
use tokio_util::sync::CancellationToken;

use super::error::Broken;
use super::file;
use super::ledger::Ledger;

/// Reads or changes the ledger; what it returns is called when the change is durable, or can not be.
pub type Job = Box<dyn FnOnce(&mut Ledger) -> Answer + Send>;
/// Tells the one who waits.
pub type Answer = Box<dyn FnOnce(Result<(), Broken>) + Send>;

/// Why the store is out of use, once it is; all handles share it.
#[derive(Clone, Debug, Default)]
pub struct Fuse(Arc<Wire>);

#[derive(Debug, Default)]
struct Wire {
    reason: OnceLock<Broken>,
    blown: CancellationToken,
}

impl Fuse {
    /// The reason.
    pub fn broken(&self) -> Option<Broken> {
        self.0.reason.get().cloned()
    }

    /// For ever, and for the first reason that is given.
    pub fn blow(&self, reason: &str) -> Broken {
        let broken = self.0.reason.get_or_init(|| Broken(reason.into())).clone();
        self.0.blown.cancel();
        broken
    }

    /// Returns when there is a reason.
    pub async fn blows(&self) {
        self.0.blown.cancelled().await;
    }
}

/// A ledger and, where it is kept, its file.
pub struct Book {
    ledger: Ledger,
    file: Option<Database>,
    fuse: Fuse,
}

impl Book {
    /// With a file that holds what the ledger holds; without one, everything is forgotten with the process.
    pub fn new(ledger: Ledger, file: Option<Database>, fuse: Fuse) -> Self {
        Self { ledger, file, fuse }
    }

    /// Does these jobs in their order, as one write to the file, and answers them.
    pub fn group(&mut self, jobs: impl IntoIterator<Item = Job>) {
        let ledger = &mut self.ledger;
        let work = || jobs.into_iter().map(|job| job(ledger)).collect::<Vec<_>>();
        // A bug in there: what it left undone is not known. The jobs that had no turn lose their way to answer, which
        // their callers notice.
        let Ok(answers) = catch_unwind(AssertUnwindSafe(work)) else {
            self.fuse.blow("a change to it ended in a panic");
            return;
        };
        let saved = self.save();
        for answer in answers {
            answer(saved.clone());
        }
    }

    /// After the first failure the ledger is ahead of the file: nothing is answered from it, and nothing written.
    fn save(&mut self) -> Result<(), Broken> {
        if let Some(broken) = self.fuse.broken() {
            return Err(broken);
        }
        let Some(database) = &self.file else {
            self.ledger.saved();
            return Ok(());
        };
        let writes = self.ledger.writes();
        if writes.is_empty() {
            return Ok(());
        }
        match catch_unwind(AssertUnwindSafe(|| file::write(database, &writes))) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.fuse.blow(&format!("failed to write: {error}"))),
            Err(_) => Err(self.fuse.blow("writing ended in a panic")),
        }
    }
}

impl Drop for Book {
    fn drop(&mut self) {
        let file = self.file.take();
        // Closing writes what speeds up the next start; all commits are on the disk already.
        if catch_unwind(AssertUnwindSafe(|| drop(file))).is_err() {
            tracing::error!("closing the checkpoint file ended in a panic");
        }
    }
}
