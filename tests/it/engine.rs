//! The queue engine under a paused clock: the real service and the real SDK clients against the embedded AWS in
//! process, in one thread, so that hours pass in milliseconds and a seed repeats a run.

mod batches;
mod drain;
mod failures;
mod fifo;
mod hostile;
mod leases;
mod manners;
mod panics;
mod reload;
mod replies;
mod scaling;
mod simulation;
mod told;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use sluicegate::aws::clients::Clients;
use sluicegate::aws::stream::ReadBounds;
use sluicegate::checkpoint::{Owner, Store};
use sluicegate::clock::Clock;
use sluicegate::config::Config;
use sluicegate::metrics::Metrics;
use sluicegate::reports::Account;
use sluicegate::service::desk::{Desk, Parts};
use sluicegate::service::{self, Roster, Surroundings, Wanted};
use sluicegate::sim::{Entry, Event, FunctionConfig, Invocation, Reply, Settings, World};
use sluicegate::status::Status;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The function that the mappings of a stage name.
pub const FUNCTION: &str = "process";

/// A world with a function whose answers a test scripts, and the service that is to run in it.
pub struct Stage {
    pub world: World,
    pub metrics: Metrics,
    pub status: Status,
    /// Survives the service.
    pub store: Store,
    clock: Clock,
    seed: u64,
    /// The service has the clock and the credentials of a machine, which may go wrong.
    on_machine: bool,
    /// What is kept of a read, where that is not the usual.
    pub reads: Option<ReadBounds>,
    calls: Arc<Mutex<Vec<Invocation>>>,
}

/// A service at work.
pub struct Running {
    tasks: JoinSet<Account>,
    drain: CancellationToken,
    roster: Roster,
}

impl Stage {
    /// Everything empty; all chance comes from the seed.
    pub fn new(seed: u64) -> Self {
        Self::with(Settings {
            seed,
            ..Settings::default()
        })
    }

    /// A stage in a world of these settings.
    pub fn with(settings: Settings) -> Self {
        let seed = settings.seed;
        fastrand::seed(seed);
        let clock = Clock::starting_at(SystemTime::UNIX_EPOCH + settings.epoch);
        Self {
            world: World::with(settings),
            metrics: Metrics::at(clock.clone()),
            store: Store::memory(),
            clock,
            status: Status::default(),
            seed,
            on_machine: false,
            reads: None,
            calls: Arc::default(),
        }
    }

    /// A stage whose service runs on a machine of that world.
    pub fn on_machine(seed: u64) -> Self {
        let mut stage = Self::new(seed);
        stage.clock = Clock::shown_by(stage.world.machine_clock());
        stage.on_machine = true;
        stage.begin_anew();
        stage
    }

    /// The process is gone, with all that it counted.
    pub fn begin_anew(&mut self) {
        self.metrics = Metrics::at(self.clock.clone());
        self.status = Status::default();
    }

    /// From now on the function answers so; the stage keeps each invocation.
    pub fn function(
        &self,
        config: FunctionConfig,
        answer: impl Fn(&Invocation) -> Reply + Send + Sync + 'static,
    ) {
        let calls = self.calls.clone();
        self.world.register(FUNCTION, config, move |invocation| {
            let reply = answer(&invocation);
            calls.lock().unwrap().push(invocation);
            std::future::ready(reply)
        });
    }

    /// The bodies of each invocation so far.
    pub fn calls(&self) -> Vec<Vec<String>> {
        self.calls
            .lock()
            .unwrap()
            .iter()
            .map(Invocation::bodies)
            .collect()
    }

    /// The invocations so far.
    pub fn invocations(&self) -> Vec<Invocation> {
        self.calls.lock().unwrap().clone()
    }

    /// Start the service with one mapping of this queue; `more` are further keys, a line each.
    pub fn start(&self, queue: &str, more: &[&str]) -> Running {
        let mut text = format!(
            "EventSourceMappings:\n  - Name: m\n    EventSourceArn: {}\n    FunctionName: {FUNCTION}\n",
            self.world.queue_arn(queue)
        );
        for line in more {
            text.push_str(&format!("    {line}\n"));
        }
        self.start_with(&text)
    }

    /// Start the service with this configuration.
    pub fn start_with(&self, text: &str) -> Running {
        let config = parsed(text);
        let clients = self.clients(&config);
        self.start_on(config, clients)
    }

    /// Start the service with this configuration on these clients.
    pub fn start_on(&self, config: Config, clients: Clients) -> Running {
        let grace = config.service.shutdown_grace;
        let roster = Roster::new(config.mappings, self.store.clone());
        self.follow(roster, clients, grace)
    }

    /// Start the service with a desk at which it is asked, on the stage's store.
    pub async fn attended(&self, text: &str) -> (Running, Arc<Desk>) {
        let config = parsed(text);
        let clients = self.clients(&config);
        let parts = Parts {
            clients: clients.clone(),
            status: self.status.clone(),
            clock: self.clock.clone(),
            seed: self.seed,
        };
        let desk = Desk::with(&config, self.store.clone(), parts).await;
        let desk = desk.expect("what the stage keeps can be read");
        let grace = config.service.shutdown_grace;
        (self.follow(desk.roster().clone(), clients, grace), desk)
    }

    fn clients(&self, config: &Config) -> Clients {
        let connector = SharedHttpConnector::new(self.world.connector());
        let base = match self.on_machine {
            true => self.world.machine_config(),
            false => self.world.sdk_config(),
        };
        let clients = Clients::new(&config.aws, base, connector);
        clients.with_read_bounds(self.reads.unwrap_or_default())
    }

    fn follow(&self, roster: Roster, clients: Clients, grace: Duration) -> Running {
        let around = Surroundings {
            clients,
            metrics: self.metrics.clone(),
            status: self.status.clone(),
            seed: self.seed,
            owner: Owner::new("stage"),
            clock: self.clock.clone(),
            grace,
        };
        let drain = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let (stop, list) = (drain.clone(), roster.clone());
        tasks.spawn(async move { service::run(&list, around, stop).await });
        Running {
            tasks,
            drain,
            roster,
        }
    }

    /// Let time pass until the queue is empty, at most this long.
    pub async fn emptied(&self, queue: &str, at_most: Duration) {
        let began = tokio::time::Instant::now();
        while self.left(queue) > 0 {
            assert!(
                began.elapsed() < at_most,
                "{queue} still holds {} messages: {:?}",
                self.left(queue),
                self.calls()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// How many messages a queue holds, in whatever state.
    pub fn left(&self, queue: &str) -> usize {
        let view = self.world.queue(queue).expect("the queue exists");
        view.messages.len()
    }

    /// How often each message was received, by its id.
    pub fn receives(&self) -> BTreeMap<String, u32> {
        let mut receives = BTreeMap::new();
        for Entry { event, .. } in self.world.history() {
            if let Event::Received { id, count, .. } = event {
                receives.insert(id, count);
            }
        }
        receives
    }

    /// The value of a metric's series.
    pub fn metric(&self, series: &str) -> f64 {
        let text = self.metrics.encode();
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value
            .unwrap_or_else(|| panic!("no series {series} in\n{text}"))
            .parse()
            .unwrap()
    }
}

impl Running {
    /// From now on the mappings are those of this configuration.
    pub fn reload(&self, text: &str) {
        self.roster.replace(Wanted {
            mappings: parsed(text).mappings.into(),
            ..self.roster.now()
        });
    }

    /// Drain and say what became of the messages.
    pub async fn stop(mut self) -> Account {
        self.drain.cancel();
        self.ended().await
    }

    /// What became of the messages, once the service has ended by itself.
    pub async fn ended(&mut self) -> Account {
        self.tasks
            .join_next()
            .await
            .expect("the service runs")
            .expect("the service ends by itself")
    }
}

/// A configuration that is right.
pub fn parsed(text: &str) -> Config {
    match Config::parse("test.yaml", text, &|_| None) {
        Ok(config) => config,
        Err(errors) => panic!("{errors:?}"),
    }
}

/// The bodies of the messages that an invocation was given.
pub fn bodies(invocation: &Invocation) -> Vec<String> {
    let event: serde_json::Value = serde_json::from_slice(&invocation.event).expect("JSON");
    let records = event["Records"].as_array().expect("an event has records");
    let body = |record: &serde_json::Value| record["body"].as_str().unwrap().to_owned();
    records.iter().map(body).collect()
}

/// The mapping's series of a family without further labels.
pub fn of_mapping(family: &str) -> String {
    format!("sluicegate_{family}{{mapping=\"m\"}}")
}
