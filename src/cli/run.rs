//! `sluicegate run`: the service.

mod reload;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{self, SignalKind};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::reload::Reload;
use super::{Exit, environment, failed, in_runtime, log, refused};
use crate::admin::access::Access;
use crate::admin::api::Gate;
use crate::admin::heartbeat::Heartbeat;
use crate::admin::port::{Asked, Port};
use crate::admin::{Admin, Server};
use crate::aws::clients::Clients;
use crate::checkpoint::{Broken, Owner};
use crate::clock::Clock;
use crate::config::checkpoints::Checkpoints;
use crate::config::{self, Config};
use crate::metrics::Metrics;
use crate::reports::Account;
use crate::service::desk::{Desk, OpenError, Parts};
use crate::service::{self, Surroundings};
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
    let (port, asked) = Port::new();
    let access = Access::new(&config.service.api, config.service.listen);
    let clock = Clock::machine();
    let gate = Gate::new(access, port, clock.clone(), seed(&clock));
    let admin = Admin {
        metrics: Metrics::new(),
        status: Status::new(mappings),
        heartbeat: Heartbeat::new(),
        api: Some(Arc::new(gate)),
    };
    // Before anything is received: an address that is taken must not be found out with messages in hand.
    let server = match Server::start(config.service.listen, admin.clone()) {
        Ok(server) => server,
        Err(error) => return failed(&error),
    };
    let drain = CancellationToken::new();
    let checkpoints = config.checkpoints.clone();
    let work = serve(
        (args, watched),
        config,
        (admin, asked),
        server.address(),
        drain.clone(),
    );
    match in_runtime(Box::pin(work), drain) {
        Ok(Err(error)) => failed(&error),
        Ok(Ok((account, None))) => concluded(account),
        Ok(Ok((account, Some(broken)))) => {
            concluded(account);
            match &checkpoints {
                Checkpoints::File(path) => failed(&format!("{}: {broken}", path.display())),
                Checkpoints::Memory => failed(&broken),
            }
        }
        Err(exit) => exit,
    }
}

async fn serve(
    (args, watched): (&Args, Option<Vec<String>>),
    config: Config,
    (admin, asked): (Admin, mpsc::Receiver<Asked>),
    listen: SocketAddr,
    drain: CancellationToken,
) -> Result<(Account, Option<Broken>), OpenError> {
    let hangups = unix::signal(SignalKind::hangup());
    let clock = Clock::machine();
    let region = config
        .mappings
        .first()
        .map(|mapping| mapping.source.region.clone());
    let clients = Clients::from_environment(&config.aws, region.as_deref(), &clock).await;
    let parts = Parts {
        clients: clients.clone(),
        status: admin.status.clone(),
        clock: clock.clone(),
        seed: seed(&clock),
    };
    let desk = Desk::open(&config, parts).await?;
    // From here on signals are taken: who reads this line may send one.
    let version = env!("CARGO_PKG_VERSION");
    let mappings = desk.roster().now().mappings.len();
    info!(version, %listen, mappings, "started");
    let mut beside = JoinSet::new();
    beside.spawn(admin.heartbeat.run(CancellationToken::new()));
    beside.spawn(desk.clone().serve(asked));
    let around = Surroundings {
        clients,
        metrics: admin.metrics.clone(),
        status: admin.status.clone(),
        seed: seed(&clock),
        owner: Owner::new(format!("process {}", std::process::id())),
        grace: config.service.shutdown_grace,
        clock,
    };
    match hangups {
        Ok(hangups) => {
            let reload = Reload {
                paths: args.config.clone(),
                config,
                desk: desk.clone(),
                status: admin.status,
                metrics: admin.metrics,
            };
            beside.spawn(reload.run(hangups, watched));
        }
        Err(error) => warn!(%error, "no reload: failed to listen for SIGHUP"),
    }
    let account = service::run(desk.roster(), around, drain).await;
    beside.shutdown().await;
    desk.close().await;
    let store = desk.roster().now().store;
    let broken = store.broken();
    store.close().await;
    Ok((account, broken))
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
