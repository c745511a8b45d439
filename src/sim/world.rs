//! The world: everything that the embedded AWS knows, behind one lock, with one clock and one source of chance.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fastrand::Rng;
use tokio::task::JoinSet;

use super::{
    clock::{EPOCH, SimTime},
    connector::Connector,
    crash::Crashes,
    dynamodb::DynamoDb,
    faults::{Faults, Operation},
    history::{Entry, History},
    kinesis::stream::Stream,
    lambda::function::Function,
    mishaps::Mishaps,
    s3::Buckets,
    sns::Topics,
    sqs::queue::Queue,
    trace::Trace,
};

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Seeds every identifier, jitter and fault.
    pub seed: u64,
    /// What the wall clock shows at the start, since 1970.
    pub epoch: Duration,
    /// Appears in ARNs.
    pub region: String,
    /// Appears in ARNs and queue URLs; requests may name any other.
    pub account: String,
    /// Travel time of a request, and again of its answer; in process only.
    pub latency: Duration,
    /// At most so much is added to each travel time, by the seed.
    pub latency_jitter: Duration,
    /// How many messages of one queue may be in flight: 120,000 in AWS.
    pub in_flight_max: usize,
    /// Whether an old receipt handle still deletes on a standard queue. AWS promises nothing and mostly does.
    pub stale_receipt_deletes: bool,
    /// How many entries the ledger keeps; 0 keeps none, for load tests.
    pub history_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            epoch: EPOCH,
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
            latency: Duration::from_millis(1),
            latency_jitter: Duration::ZERO,
            in_flight_max: 120_000,
            stale_receipt_deletes: true,
            history_max: 1_000_000,
        }
    }
}

/// A handle to one embedded AWS; clones share it. Must be made inside a tokio runtime, whose clock it follows.
#[derive(Clone)]
pub struct World {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    clock: SimTime,
    state: Mutex<State>,
    invocations: Mutex<JoinSet<()>>,
}

/// All that changes.
pub(super) struct State {
    pub(super) rng: Rng,
    pub(super) history: History,
    pub(super) faults: Faults,
    pub(super) mishaps: Mishaps,
    pub(super) crashes: Crashes,
    pub(super) trace: Trace,
    /// By clients in process.
    pub(super) called: BTreeSet<Operation>,
    pub(super) queues: BTreeMap<String, Queue>,
    /// Names of deleted queues and when they went, in Unix milliseconds.
    pub(super) deleted: BTreeMap<String, u64>,
    pub(super) functions: BTreeMap<String, Function>,
    /// Kinesis streams by name.
    pub(super) streams: BTreeMap<String, Stream>,
    pub(super) dynamodb: DynamoDb,
    pub(super) topics: Topics,
    pub(super) buckets: Buckets,
    /// Numbers messages and queues; never repeats.
    pub(super) serial: u64,
}

impl World {
    /// A world with the usual settings.
    pub fn new(seed: u64) -> Self {
        Self::with(Settings {
            seed,
            ..Settings::default()
        })
    }

    /// A world with these settings.
    pub fn with(settings: Settings) -> Self {
        let state = State {
            rng: Rng::with_seed(settings.seed),
            history: History::new(settings.history_max),
            faults: Faults::new(settings.seed),
            mishaps: Mishaps::default(),
            crashes: Crashes::default(),
            trace: Trace::default(),
            called: BTreeSet::new(),
            queues: BTreeMap::new(),
            deleted: BTreeMap::new(),
            functions: BTreeMap::new(),
            streams: BTreeMap::new(),
            dynamodb: DynamoDb::default(),
            topics: Topics::new(),
            buckets: Buckets::new(),
            serial: 0,
        };
        let clock = SimTime::starting_at(settings.epoch);
        let invocations = Mutex::new(JoinSet::new());
        Self {
            inner: Arc::new(Inner {
                settings,
                clock,
                state: Mutex::new(state),
                invocations,
            }),
        }
    }

    /// What the world was made of.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The world's clock: give it to SDK clients as their time source.
    pub fn clock(&self) -> SimTime {
        self.inner.clock
    }

    /// A new HTTP client for SDK clients that talks to this world in process. It dies with the next crash.
    pub fn connector(&self) -> Connector {
        Connector::new(self.clone())
    }

    /// The ledger so far, oldest first.
    pub fn history(&self) -> Vec<Entry> {
        self.lock().history.entries()
    }

    /// The ledger since it was last taken: a long life is judged in pieces.
    pub fn take_history(&self) -> Vec<Entry> {
        self.lock().history.take()
    }

    /// How many entries the ledger has.
    pub fn history_len(&self) -> usize {
        self.lock().history.len()
    }

    /// The entries from this one on, oldest first.
    pub fn history_since(&self, first: usize) -> Vec<Entry> {
        self.lock().history.since(first)
    }

    /// How many entries the ledger lost because it was full.
    pub fn history_dropped(&self) -> u64 {
        self.lock().history.dropped()
    }

    /// Waits until no function runs any more, also those whose callers have gone.
    pub async fn idle(&self) {
        while poll_fn(|context| self.invocations().poll_join_next(context))
            .await
            .is_some()
        {}
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The functions that run. They belong to the world and not to their callers, because a Lambda function outlives its caller.
    pub(super) fn invocations(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.inner
            .invocations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The next serial number, from 1.
    pub(super) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}

impl fmt::Debug for World {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("World")
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}

/// A random identifier in the form of a version 4 UUID.
pub(super) fn uuid(rng: &mut Rng) -> String {
    crate::model::uuid::random(rng.u128(..))
}
