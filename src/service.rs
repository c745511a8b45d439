//! One supervised task per mapping; readiness; drain within the grace period.
//!
//! A mapping that can not start, or that ends in a panic, is tried again with growing delays and hurts no other.

mod engines;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::aws::clients::Clients;
use crate::checkpoint::{Owner, Store};
use crate::clock::Clock;
use crate::config::Config;
use crate::config::mapping::Mapping;
use crate::metrics::{MappingMetrics, Metrics, Source};
use crate::model::backoff::Backoff;
use crate::model::filter::Filters;
use crate::reports::{Account, Reports};
use crate::status::{State, Status};
use crate::{queue, stream};

use engines::{Engine, Engines};

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
    /// Where the progress of streams is kept.
    pub store: Store,
    /// Who keeps it.
    pub owner: Owner,
    /// Ages of records are those of this clock.
    pub clock: Clock,
    /// The seed of all jitter.
    pub seed: u64,
}

/// Run every mapping until `drain` is cancelled, settle what is in hand within the grace period, and say what became
/// of it. Messages still in hand when the period ends are counted as abandoned, invocations of streams as cut off: the
/// sources deliver them again.
///
/// When the store breaks the service drains by itself, since nothing that a stream settles from then on would be kept:
/// [`Store::broken`] tells.
pub async fn run(config: &Config, around: Surroundings, drain: CancellationToken) -> Account {
    let grace = config.service.shutdown_grace;
    let mut tasks = JoinSet::new();
    let mut chance = fastrand::Rng::with_seed(around.seed);
    let engines = Arc::new(Engines::default());
    let mut streams = Vec::new();
    for mapping in &config.mappings {
        let reports = Reports::new(
            &around.metrics,
            &around.status,
            &mapping.name,
            match mapping.stream {
                Some(_) => Source::Stream,
                None => Source::Queue,
            },
            mapping.enabled,
        );
        if !mapping.enabled {
            continue;
        }
        if mapping.stream.is_some() {
            streams.push(reports.metrics.clone());
        }
        let supervised = Supervised {
            mapping: mapping.clone(),
            around: around.clone(),
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
    let cut_off = tokio::select! {
        biased;
        () = stopped => 0,
        () = graceful => {
            warn!("the grace period is over: running invocations are abandoned");
            streams.iter().map(MappingMetrics::invocations_running).sum::<usize>()
        }
    };
    let account = Account {
        cut_off: cut_off as u64,
        ..engines.account()
    };
    tasks.shutdown().await;
    account
}

struct Supervised {
    mapping: Mapping,
    around: Surroundings,
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
                    let broke = self.watch(engine.clone(), &drain).await;
                    if drain.is_cancelled() {
                        return self.stopped();
                    }
                    if let Some(superseded) = engine.superseded() {
                        // Taking it back would only make two of us fight over it.
                        error!(mapping = %self.mapping.name, superseded, "the mapping is left to whoever has it now");
                        return self.reports.state(State::Failing, Some(superseded));
                    }
                    if STEADY <= began.elapsed() {
                        repeats.reset();
                    }
                    broke
                }
                Err(error) => format!("failed to start: {error}"),
            };
            if let Some(broken) = self.around.store.broken().filter(|_| self.needs_store()) {
                error!(mapping = %self.mapping.name, %broken, "progress can not be kept: the service stops");
                self.reports.store(Some(broken.to_string()));
                return drain.cancel();
            }
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

    fn needs_store(&self) -> bool {
        self.mapping.stream.is_some()
    }

    async fn start(&mut self) -> Result<Engine, String> {
        let filters = Filters::parse(&self.mapping.filter_patterns, self.mapping.filtered())
            .map_err(|error| error.to_string())?;
        let (mapping, reports, chance) = (
            self.mapping.clone(),
            self.reports.clone(),
            self.chance.fork(),
        );
        if mapping.stream.is_none() {
            let clients = &self.around.clients;
            return queue::Engine::start(mapping, filters, clients, reports, self.grace, chance)
                .await
                .map(Engine::Queue)
                .map_err(|error| error.to_string());
        }
        let parts = stream::Parts {
            clients: &self.around.clients,
            store: self.around.store.clone(),
            owner: self.around.owner.clone(),
            clock: self.around.clock.clone(),
            filters,
            reports,
            chance,
        };
        stream::Engine::start(mapping, parts)
            .await
            .map(Engine::Stream)
            .map_err(|error| error.to_string())
    }

    /// Run the engine in a task of its own, so that its panic is an event. Returns why it ended where nobody asked it to.
    async fn watch(&self, engine: Engine, drain: &CancellationToken) -> String {
        self.engines.started(&engine);
        let mut task = JoinSet::new();
        task.spawn(engine.clone().run(drain.clone()));
        let ended = task.join_next().await;
        self.engines.ended(&engine);
        match ended {
            Some(Ok(account)) => {
                info!(mapping = %self.mapping.name, %account, "drained");
                "the engine could not go on".to_string()
            }
            Some(Err(panic)) => {
                error!(mapping = %self.mapping.name, %panic, "the engine broke");
                "the engine ended in a panic".to_string()
            }
            None => "the engine did not run".to_string(),
        }
    }

    fn stopped(&self) {
        self.reports.state(State::Disabled, None);
    }
}
