//! The thread that owns the checkpoint file: an fsync takes milliseconds, in which a worker of the runtime would stand.

use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::{mpsc, oneshot};

use super::book::{Book, Job};

/// Jobs that become one write. What has come while the last one was under way is the next: nobody waits for company,
/// and a slow disk finds more in each.
const GROUP_MAX: usize = 100;

/// Jobs that wait for their turn; beyond it those who have one wait to hand it in.
const WAITING_MAX: usize = 1024;

/// A book on a thread of its own. Dropping it writes what was handed in, ends the thread and waits for that.
#[derive(Debug)]
pub struct Writer {
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    jobs: mpsc::Sender<Job>,
    /// Closes when the file is released.
    released: oneshot::Receiver<()>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread.
    pub fn start(book: Book) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        let (releasing, released) = oneshot::channel();
        let work = move || serve(book, waiting, releasing);
        // The storage calls block, and their number is one: a thread of their own, joined in `close` and in Drop.
        #[allow(clippy::disallowed_methods, reason = "see above")]
        let thread = thread::Builder::new()
            .name("checkpoints".to_owned())
            .spawn(work)?;
        let running = Running {
            jobs,
            released,
            thread,
        };
        Ok(Self {
            running: Mutex::new(Some(running)),
        })
    }

    /// Hands a job in; whether there is still someone to do it.
    pub async fn hand_in(&self, job: Job) -> bool {
        let jobs = {
            let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.as_ref().map(|running| running.jobs.clone())
        };
        match jobs {
            Some(jobs) => jobs.send(job).await.is_ok(),
            None => false,
        }
    }

    /// Returns when everything handed in is done and the file is released.
    pub async fn close(&self) {
        let Some(running) = self.take() else {
            return;
        };
        drop(running.jobs);
        // An error is how it closes, too: nothing is ever sent.
        let _ = running.released.await;
        join(running.thread);
    }

    fn take(&self) -> Option<Running> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.take()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(running) = self.take() {
            drop(running.jobs);
            join(running.thread);
        }
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("the thread of the checkpoint file had ended by a panic");
    }
}

fn serve(mut book: Book, mut waiting: mpsc::Receiver<Job>, releasing: oneshot::Sender<()>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while waiting.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        book.group(group.drain(..));
    }
    drop(book);
    drop(releasing);
}
