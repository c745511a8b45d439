//! The care of one mapping: start it, start it again where it fails, and end it in time.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::Surroundings;
use super::engines::{Engine, Engines};
use crate::checkpoint::Store;
use crate::config::mapping::Mapping;
use crate::model::backoff::Backoff;
use crate::model::filter::Filters;
use crate::reports::Reports;
use crate::status::State;
use crate::{queue, stream};

/// Repeats of a failed start: the first delay and the longest.
const START_REPEAT_FIRST: Duration = Duration::from_secs(1);
const START_REPEAT_LONGEST: Duration = Duration::from_secs(60);
/// A mapping that ran this long before it broke starts over with the first delay.
const STEADY: Duration = Duration::from_secs(300);

/// So many mappings start at once: each on its own would open connections for its first calls that the start of another has
/// just done with, twice as many as are needed afterwards, and their memory does not come back.
pub(super) const STARTS_AT_ONCE: usize = 50;
/// Who waited that long for his turn starts all the same: nobody waits for those whose starts hang.
const TURN_WAIT_MAX: Duration = Duration::from_secs(2);

/// A mapping in our care.
#[derive(Debug)]
pub(super) struct Supervised {
    pub mapping: Arc<Mapping>,
    pub around: Arc<Surroundings>,
    /// Where the progress of streams is kept.
    pub store: Store,
    pub reports: Reports,
    pub chance: fastrand::Rng,
    pub engines: Arc<Engines>,
    /// The turns of those that start.
    pub starts: Arc<Semaphore>,
    /// Ends the service.
    pub service: CancellationToken,
}

impl Supervised {
    /// Run it until `drain` is cancelled and what it has in hand is settled, at the longest for the grace period.
    ///
    /// Boxed: a task that takes its argument by value has room for it twice.
    pub async fn run(mut self: Box<Self>, drain: CancellationToken) {
        let mut repeats = Backoff::new(START_REPEAT_FIRST, START_REPEAT_LONGEST);
        loop {
            let started = tokio::select! {
                biased;
                () = drain.cancelled() => return self.stopped(),
                // Large, and soon over: what runs for months is not to keep its place.
                started = Box::pin(self.start()) => started,
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
            if let Some(broken) = self.store.broken().filter(|_| self.needs_store()) {
                error!(mapping = %self.mapping.name, %broken, "progress can not be kept: the service stops");
                self.reports.store(Some(broken.to_string()));
                return self.service.cancel();
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
        let starts = self.starts.clone();
        let _turn = tokio::time::timeout(TURN_WAIT_MAX, starts.acquire()).await;
        let filters = Filters::parse(&self.mapping.filter_patterns, self.mapping.filtered())
            .map_err(|error| error.to_string())?;
        let (mapping, reports, chance) = (
            self.mapping.clone(),
            self.reports.clone(),
            self.chance.fork(),
        );
        if mapping.stream.is_none() {
            let clients = &self.around.clients;
            let grace = self.around.grace;
            return queue::Engine::start(mapping, filters, clients, reports, grace, chance)
                .await
                .map(Engine::Queue)
                .map_err(|error| error.to_string());
        }
        let parts = stream::Parts {
            clients: &self.around.clients,
            store: self.store.clone(),
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
        let ended = tokio::select! {
            biased;
            ended = task.join_next() => ended,
            never = self.ends_with_the_store() => match never {},
            () = self.overdue(drain) => {
                if self.needs_store() {
                    // A queue's messages are in the engine's account.
                    self.engines.cut_off(self.reports.metrics.invocations_running());
                }
                self.engines.ended(&engine);
                task.shutdown().await;
                return "the grace period is over".to_string();
            }
        };
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

    /// What is in hand may run for long: nobody waits for it before the service is told, which is not ready from then on.
    async fn ends_with_the_store(&self) -> Infallible {
        if self.needs_store() {
            self.store.breaks().await;
            if let Some(broken) = self.store.broken() {
                error!(mapping = %self.mapping.name, %broken, "progress can not be kept: the service stops");
                self.reports.store(Some(broken.to_string()));
            }
            self.service.cancel();
        }
        pending().await
    }

    async fn overdue(&self, drain: &CancellationToken) {
        drain.cancelled().await;
        tokio::time::sleep(self.around.grace).await;
        warn!(
            mapping = %self.mapping.name,
            "the grace period is over: running invocations are abandoned"
        );
    }

    fn stopped(&self) {
        self.reports.state(State::Disabled, None);
    }
}
