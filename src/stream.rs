//! Engine 2: one stream, one function. Kinesis and DynamoDB Streams alike.
//!
//! The shards are discovered and read in the order of their lineage (`model/shards`), each by one actor (`shard`): it
//! reads at a pace that the source grants (`reader`, `fetch`), writes each record as its event record (`admit`), lays it
//! into its key's lane (`lane`), and has batches delivered (`deliver`), one at a time and lane, until the policy says that
//! nothing of them is owed. Progress is kept after each step (`book`), under a claim that nobody else has.
//!
//! An invocation that a crash interrupts does not count as a failure: whether it ran to an end is not known. What was
//! counted before survives, and so do the slices into which a batch was taken apart.

mod admit;
mod book;
mod complaints;
mod deliver;
mod discard;
mod discover;
mod fetch;
mod judge;
mod lane;
mod reader;
mod shard;
mod start;
mod terms;
mod window;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::aws::stream::{Opened, Stream};
use crate::checkpoint::{Claim, Saved, Store};
use crate::clock::Clock;
use crate::config::mapping::Mapping;
use crate::config::mapping::stream::Stream as Settings;
use crate::destination::Destination;
use crate::function::Function;
use crate::metrics::MappingMetrics;
use crate::model::delivery::Policy;
use crate::model::event::StreamStamp;
use crate::model::filter::Filters;
use crate::model::shards::Lineage;
use crate::model::uuid;
use crate::reports::{Account, Reports};

use complaints::Complaints;
use lane::Rule;
use terms::Terms;

pub use start::{Parts, StartError, first_note};

/// One mapping's engine.
#[derive(Debug)]
pub struct Engine {
    mapping: Arc<Mapping>,
    stream: Settings,
    source: Stream,
    function: Function,
    filters: Filters,
    policy: Policy,
    rule: Rule,
    read_limit: usize,
    destination: Option<Destination>,
    /// What `executedVersion` is where an answer does not say.
    version: String,
    terms: watch::Sender<Terms>,
    store: Store,
    claim: Claim,
    metrics: MappingMetrics,
    reports: Reports,
    clock: Clock,
    chance: Mutex<fastrand::Rng>,
    account: Mutex<Account>,
    complaints: Mutex<Complaints>,
    /// So many batches wait to be invoked again, because their invocation did not run.
    waiting: AtomicUsize,
    plan: Mutex<Plan>,
    began: Instant,
    /// Cancelled when nothing may be read any more though nobody asked for a drain.
    halt: CancellationToken,
    superseded: OnceLock<String>,
    /// When the mapping was first started, in milliseconds since 1970.
    started_ms: OnceLock<u64>,
}

/// The shards, and where each goes on.
#[derive(Debug)]
struct Plan {
    lineage: Lineage,
    saved: BTreeMap<String, Saved>,
    /// Ways in at `LATEST`, opened before the mapping was called enabled.
    latest: BTreeMap<String, Opened>,
}

impl Engine {
    /// Run until `drain` is cancelled and everything in hand is settled or left to the stream.
    pub async fn run(self: Arc<Self>, drain: CancellationToken) -> Account {
        let stop = CancellationToken::new();
        let mut keepers = JoinSet::new();
        let (engine, stopped) = (self.clone(), stop.clone());
        keepers.spawn(async move { engine.watch_terms(&stopped).await });
        self.clone().read_shards(&drain).await;
        stop.cancel();
        while let Some(ended) = keepers.join_next().await {
            if let Err(panic) = ended {
                error!(mapping = %self.mapping.name, %panic, "a task ended in a panic");
            }
        }
        info!(mapping = %self.mapping.name, "no shard is read any more");
        self.account_now()
    }

    /// What became of the records so far.
    pub fn account_now(&self) -> Account {
        *self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who else goes on with the mapping, in words: it is not to be started again here.
    pub fn superseded(&self) -> Option<&str> {
        self.superseded.get().map(String::as_str)
    }

    /// Sleep, unless the mapping drains.
    async fn rest(&self, delay: Duration, drain: &CancellationToken) {
        tokio::select! {
            biased;
            () = drain.cancelled() => {}
            () = tokio::time::sleep(delay) => {}
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// The instant of a moment since the engine began.
    fn at(&self, moment: Duration) -> Instant {
        self.began + moment
    }

    fn jitter(&self) -> f64 {
        self.chance
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .f64()
    }

    /// A random UUID, version 4.
    fn uuid(&self) -> String {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        uuid::random(chance.u128(..))
    }

    fn account(&self, change: impl FnOnce(&mut Account)) {
        change(&mut self.account.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn plan<T>(&self, act: impl FnOnce(&mut Plan) -> T) -> T {
        act(&mut self
            .plan
            .lock()
            .expect("nothing panics while it holds the plan"))
    }

    /// What is the same in every record.
    fn stamp(&self) -> Arc<StreamStamp> {
        self.terms.borrow().stamp.clone()
    }

    /// How long the source keeps a record.
    fn retention(&self) -> Duration {
        self.terms.borrow().retention
    }
}
