//! The engines that were started, of both kinds, for the final account.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::reports::Account;
use crate::{queue, stream};

/// A mapping's engine.
#[derive(Clone, Debug)]
pub(super) enum Engine {
    Queue(Arc<queue::Engine>),
    Stream(Arc<stream::Engine>),
}

impl Engine {
    /// Run until `drain` is cancelled and everything in hand is settled.
    pub async fn run(self, drain: CancellationToken) -> Account {
        // Boxed: neither takes the room of the larger.
        match self {
            Self::Queue(engine) => Box::pin(engine.run(drain)).await,
            Self::Stream(engine) => Box::pin(engine.run(drain)).await,
        }
    }

    /// Who else goes on with the mapping, in words.
    pub fn superseded(&self) -> Option<&str> {
        match self {
            Self::Queue(_) => None,
            Self::Stream(engine) => engine.superseded(),
        }
    }

    fn account_now(&self) -> Account {
        match self {
            Self::Queue(engine) => engine.account_now(),
            Self::Stream(engine) => engine.account_now(),
        }
    }

    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Queue(one), Self::Queue(other)) => Arc::ptr_eq(one, other),
            (Self::Stream(one), Self::Stream(other)) => Arc::ptr_eq(one, other),
            (Self::Queue(_), Self::Stream(_)) | (Self::Stream(_), Self::Queue(_)) => false,
        }
    }
}

/// Those that run, and what those that ended have settled.
#[derive(Debug, Default)]
pub(super) struct Engines(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    running: Vec<Engine>,
    past: Account,
}

impl Engines {
    pub fn started(&self, engine: &Engine) {
        self.book().running.push(engine.clone());
    }

    pub fn ended(&self, engine: &Engine) {
        let mut book = self.book();
        book.running.retain(|other| !other.is(engine));
        book.past = book.past.and(engine.account_now());
    }

    /// So many invocations of streams did not end in time.
    pub fn cut_off(&self, count: usize) {
        self.book().past.cut_off += count as u64;
    }

    pub fn account(&self) -> Account {
        let book = self.book();
        let sum = |sum: Account, engine: &Engine| sum.and(engine.account_now());
        book.running.iter().fold(book.past, sum)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Each change is whole when a panic of its holder could come.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
