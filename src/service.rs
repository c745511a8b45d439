//! One supervised task per mapping; readiness; drain within the grace period.
//!
//! A mapping that can not start, or that ends in a panic, is tried again with growing delays and hurts no other. What is
//! shipped aborts at a panic (`dist` in Cargo.toml): there whoever started the process starts it anew, and the queue has
//! kept everything.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::aws::clients::Clients;
use crate::config::Config;
use crate::config::mapping::Mapping;
use crate::metrics::Metrics;
use crate::model::backoff::Backoff;
use crate::model::filter::Filters;
use crate::queue::reports::Reports;
use crate::queue::{Account, Engine};
use crate::status::{State, Status};

/// Repeats of a failed start: the first delay and the longest.
const START_REPEAT_FIRST: Duration = Duration::from_secs(1);
const START_REPEAT_LONGEST: Duration = Duration::from_secs(60);
/// A mapping that ran this long before it broke starts over with the first delay.
const STEADY: Duration = Duration::from_secs(300);

/// Everything outside that a service works with.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// AWS, and the connections of functions behind a URL.
    pub clients: Clients,
    /// Where it counts.
    pub metrics: Metrics,
    /// What `/readyz` shows.
    pub status: Status,
    /// The seed of all jitter.
    pub seed: u64,
}

/// Run every mapping until `drain` is cancelled, settle what is in hand within the grace period, and say what became
/// of it. Messages still in hand when the period ends are counted as abandoned: the queue delivers them again.
pub async fn run(config: &Config, around: Surroundings, drain: CancellationToken) -> Account {
    let grace = config.service.shutdown_grace;
    let mut tasks = JoinSet::new();
    let mut chance = fastrand::Rng::with_seed(around.seed);
    let engines = Arc::new(Engines::default());
    for mapping in &config.mappings {
        let reports = Reports::new(
            &around.metrics,
            &around.status,
            &mapping.name,
            mapping.enabled,
        );
        if !mapping.enabled {
            continue;
        }
        let supervised = Supervised {
            mapping: mapping.clone(),
            clients: around.clients.clone(),
            reports,
            grace,
            chance: chance.fork(),
            engines: engines.clone(),
        };
        tasks.spawn(supervised.run(drain.clone()));
    }
    let ended = async { while tasks.join_next().await.is_some() {} };
    let graceful = async {
        drain.cancelled().await;
        around.status.draining();
        info!(grace_s = grace.as_secs(), "draining");
        tokio::time::sleep(grace).await;
    };
    // Without an enabled mapping there is nothing to run, but there is to wait: the service is up until it is told.
    let stopped = async {
        ended.await;
        drain.cancelled().await;
        around.status.draining();
    };
    tokio::select! {
        biased;
        () = stopped => {}
        () = graceful => warn!("the grace period is over: running invocations are abandoned"),
    }
    let account = engines.account();
    tasks.shutdown().await;
    account
}

/// The engines that were started, for the final account.
#[derive(Debug, Default)]
struct Engines {
    running: Mutex<Vec<Arc<Engine>>>,
    past: Mutex<Account>,
}

impl Engines {
    fn started(&self, engine: &Arc<Engine>) {
        self.running
            .lock()
            .expect("nothing panics while it holds the list")
            .push(engine.clone());
    }

    fn ended(&self, engine: &Arc<Engine>) {
        self.running
            .lock()
            .expect("nothing panics while it holds the list")
            .retain(|other| !Arc::ptr_eq(other, engine));
        let mut past = self
            .past
            .lock()
            .expect("nothing panics while it holds the account");
        *past = past.and(engine.account_now());
    }

    fn account(&self) -> Account {
        let running = self
            .running
            .lock()
            .expect("nothing panics while it holds the list");
        let past = *self
            .past
            .lock()
            .expect("nothing panics while it holds the account");
        running
            .iter()
            .fold(past, |sum, engine| sum.and(engine.account_now()))
    }
}

struct Supervised {
    mapping: Mapping,
    clients: Clients,
    reports: Reports,
    grace: Duration,
    chance: fastrand::Rng,
    engines: Arc<Engines>,
}

impl Supervised {
    async fn run(mut self, drain: CancellationToken) {
        let mut repeats = Backoff::new(START_REPEAT_FIRST, START_REPEAT_LONGEST);
        loop {
            let started = tokio::select! {
                biased;
                () = drain.cancelled() => return self.stopped(),
                started = self.start() => started,
            };
            let reason = match started {
                Ok(engine) => {
                    info!(mapping = %self.mapping.name, source = %self.mapping.source, "enabled");
                    self.reports.started();
                    let began = tokio::time::Instant::now();
                    if self.watch(engine, &drain).await {
                        return self.stopped();
                    }
                    if STEADY <= began.elapsed() {
                        repeats.reset();
                    }
                    "the engine ended in a panic".to_string()
                }
                Err(error) => format!("failed to start: {error}"),
            };
            let delay = repeats.delay(self.chance.f64());
            warn!(mapping = %self.mapping.name, reason, delay_ms = delay.as_millis() as u64, "the mapping does not run");
            self.reports.state(State::Failing, Some(&reason));
            tokio::select! {
                biased;
                () = drain.cancelled() => return self.stopped(),
                () = tokio::time::sleep(delay) => {}
            }
        }
    }

    async fn start(&mut self) -> Result<Arc<Engine>, String> {
        let filters = Filters::parse(&self.mapping.filter_patterns, self.mapping.filtered())
            .map_err(|error| error.to_string())?;
        let reports = self.reports.clone();
        let chance = self.chance.fork();
        Engine::start(
            self.mapping.clone(),
            filters,
            &self.clients,
            reports,
            self.grace,
            chance,
        )
        .await
        .map_err(|error| error.to_string())
    }

    /// Run the engine in a task of its own, so that its panic is an event. True when it ended as it should.
    async fn watch(&self, engine: Arc<Engine>, drain: &CancellationToken) -> bool {
        self.engines.started(&engine);
        let mut task = JoinSet::new();
        task.spawn(engine.clone().run(drain.clone()));
        let ended = task.join_next().await;
        self.engines.ended(&engine);
        match ended {
            Some(Ok(account)) => {
                info!(mapping = %self.mapping.name, %account, "drained");
                true
            }
            Some(Err(panic)) => {
                error!(mapping = %self.mapping.name, %panic, "the engine broke");
                false
            }
            None => true,
        }
    }

    fn stopped(&self) {
        self.reports.state(State::Disabled, None);
    }
}
