//! `sluicegate run`: the service.

mod reload;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{self, SignalKind};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::reload::Reload;
use super::{Exit, environment, failed, in_runtime, log, refused};
use crate::admin::heartbeat::Heartbeat;
use crate::admin::{Admin, Server};
use crate::aws::clients::Clients;
use crate::checkpoint::{Broken, Owner, Store, StoreError};
use crate::clock::Clock;
use crate::config::checkpoints::Checkpoints;
use crate::config::mapping::Mapping;
use crate::config::{self, Config};
use crate::metrics::Metrics;
use crate::reports::Account;
use crate::service::{self, Roster, Surroundings};
use crate::status::Status;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A YAML or JSON file, or a directory of them; may be given more than once
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    config: Vec<PathBuf>,

    /// Reload when the files change, and not at SIGHUP alone
    #[arg(long)]
    watch: bool,
}

pub fn run(args: &Args) -> Exit {
    // Before they are read: a change in between is one more reload, and none is missed.
    let watched = args.watch.then(|| config::texts(&args.config));
    let config = match Config::load(&args.config, &environment) {
        Ok(config) => config,
        Err(errors) => return refused(&errors),
    };
    if let Err(exit) = log("info") {
        return exit;
    }
    for warning in &config.warnings {
        warn!(%warning, "configuration");
    }
    let mappings = config
        .mappings
        .iter()
        .map(|mapping| (mapping.name.as_str(), mapping.enabled));
    let admin = Admin {
        metrics: Metrics::new(),
        status: Status::new(mappings),
        heartbeat: Heartbeat::new(),
    };
    // Before anything is received: an address that is taken must not be found out with messages in hand.
    let server = match Server::start(config.service.listen, admin.clone()) {
        Ok(server) => server,
        Err(error) => return failed(&error),
    };
    let store = match store(&config) {
        Ok(store) => store,
        Err(error) => return failed(&error),
    };
    let drain = CancellationToken::new();
    let checkpoints = config.checkpoints.clone();
    let work = serve(
        (args, watched),
        config,
        admin,
        server.address(),
        store,
        drain.clone(),
    );
    match in_runtime(Box::pin(work), drain) {
        Ok((account, None)) => concluded(account),
        Ok((account, Some(broken))) => {
            concluded(account);
            match &checkpoints {
                Checkpoints::File(path) => failed(&format!("{}: {broken}", path.display())),
                Checkpoints::Memory => failed(&broken),
            }
        }
        Err(exit) => exit,
    }
}

/// Where the progress of streams is kept; who reads queues alone needs no file.
fn store(config: &Config) -> Result<Store, StoreError> {
    match &config.checkpoints {
        Checkpoints::File(path) if needs_store(config) => Store::open(path),
        Checkpoints::File(_) | Checkpoints::Memory => Ok(Store::memory()),
    }
}

fn needs_store(config: &Config) -> bool {
    let needed = |mapping: &Mapping| mapping.enabled && mapping.stream.is_some();
    config.mappings.iter().any(needed)
}

async fn serve(
    (args, watched): (&Args, Option<Vec<String>>),
    config: Config,
    admin: Admin,
    listen: SocketAddr,
    store: Store,
    drain: CancellationToken,
) -> (Account, Option<Broken>) {
    let hangups = unix::signal(SignalKind::hangup());
    // From here on signals are taken: who reads this line may send one.
    let version = env!("CARGO_PKG_VERSION");
    info!(version, %listen, mappings = config.mappings.len(), "started");
    let mut beside = JoinSet::new();
    beside.spawn(admin.heartbeat.run(CancellationToken::new()));
    let clock = Clock::machine();
    let region = config
        .mappings
        .first()
        .map(|mapping| mapping.source.region.clone());
    let around = Surroundings {
        clients: Clients::from_environment(&config.aws, region.as_deref(), &clock).await,
        metrics: admin.metrics.clone(),
        status: admin.status.clone(),
        seed: seed(&clock),
        owner: Owner::new(format!("process {}", std::process::id())),
        grace: config.service.shutdown_grace,
        clock,
    };
    let roster = Roster::new(config.mappings.clone(), store);
    match hangups {
        Ok(hangups) => {
            let reload = Reload {
                paths: args.config.clone(),
                opened: needs_store(&config),
                config,
                roster: roster.clone(),
                status: admin.status,
                metrics: admin.metrics,
            };
            beside.spawn(reload.run(hangups, watched));
        }
        Err(error) => warn!(%error, "no reload: failed to listen for SIGHUP"),
    }
    let account = service::run(&roster, around, drain).await;
    beside.shutdown().await;
    let store = roster.now().store;
    let broken = store.broken();
    store.close().await;
    (account, broken)
}

/// What became of the events. A drain that had to abandon some was not clean, though none of them is lost.
fn concluded(account: Account) -> Exit {
    let Account {
        deleted,
        left,
        handed_back,
        abandoned,
        settled,
        discarded,
        cut_off,
    } = account;
    if abandoned > 0 || cut_off > 0 {
        warn!(
            deleted,
            left,
            handed_back,
            abandoned,
            settled,
            discarded,
            cut_off,
            "stopped with events in hand: their sources deliver them again"
        );
        return Exit::Failed;
    }
    info!(
        deleted,
        left, handed_back, abandoned, settled, discarded, cut_off, "stopped"
    );
    Exit::Done
}

/// Differs from start to start and from process to process, so that two of them do not retry in step.
pub(super) fn seed(clock: &Clock) -> u64 {
    let since = clock
        .now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    u64::from(since.subsec_nanos())
        ^ since.as_secs().rotate_left(32)
        ^ u64::from(std::process::id()).rotate_left(48)
}
