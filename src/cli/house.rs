//! The service within another verb, the demo or the load test: it can be drained and started again on the same checkpoint
//! file, as an operator does.
//!
//! Another owner, another store, another admin listener: of the first start nothing is left but the file, and the
//! metrics, so that the figures go on.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::admin::heartbeat::Heartbeat;
use crate::admin::{Admin, ListenError, Server};
use crate::aws::clients::Clients;
use crate::checkpoint::{Owner, Store, StoreError};
use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::reports::Account;
use crate::service::{self, Roster, Surroundings};
use crate::status::Status;

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum HouseError {
    /// The admin port could not be had.
    #[error(transparent)]
    Admin(#[from] ListenError),
    /// The checkpoint file could not be had.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A folder of this process's own among the temporary ones. It goes with this value.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new one, of this name as far as it is free, for nobody else to look into.
    pub fn new(verb: &str, seed: u64) -> io::Result<Self> {
        let mut chance = fastrand::Rng::with_seed(seed);
        loop {
            let name = format!("sluicegate-{verb}-{:016x}", chance.u64(..));
            let path = std::env::temp_dir().join(name);
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The checkpoint file.
    pub fn checkpoints(&self) -> PathBuf {
        self.0.join("checkpoints.db")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What can not be removed is the temporary folder's affair.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What each start of the service has in common.
#[derive(Debug)]
pub struct House {
    /// Who it runs for.
    pub verb: &'static str,
    /// What it runs.
    pub config: Config,
    /// Where it finds AWS.
    pub clients: Clients,
    /// Where it counts.
    pub metrics: Metrics,
    /// All jitter.
    pub seed: u64,
}

/// The service while it runs.
#[derive(Debug)]
pub struct Running {
    server: Server,
    store: Store,
    drain: CancellationToken,
    service: JoinSet<Account>,
    beating: JoinSet<()>,
}

impl House {
    /// Start the service with this checkpoint file and an admin listener here, or where that is taken anywhere.
    pub fn start(&self, file: &Path, listen: SocketAddr) -> Result<Running, HouseError> {
        let store = Store::open(file)?;
        let (status, heartbeat) = (Status::default(), Heartbeat::new());
        let mut beating = JoinSet::new();
        beating.spawn(heartbeat.clone().run(CancellationToken::new()));
        let admin = Admin {
            metrics: self.metrics.clone(),
            status: status.clone(),
            heartbeat,
            api: None,
        };
        let server = serve(listen, admin)?;
        let around = Surroundings {
            clients: self.clients.clone(),
            metrics: self.metrics.clone(),
            status,
            seed: self.seed,
            owner: Owner::new(self.verb),
            clock: Clock::machine(),
            grace: self.config.service.shutdown_grace,
        };
        let drain = CancellationToken::new();
        let roster = Roster::new(self.config.mappings.clone(), store.clone());
        let drained = drain.clone();
        let mut service = JoinSet::new();
        service.spawn(async move { service::run(&roster, around, drained).await });
        Ok(Running {
            server,
            store,
            drain,
            service,
            beating,
        })
    }
}

impl Running {
    /// Where the admin listener is.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Drain it: what became of everything in hand. The file is released.
    pub async fn stop(mut self) -> Account {
        self.drain.cancel();
        let ended = self.service.join_next().await;
        self.store.close().await;
        self.beating.shutdown().await;
        ended.and_then(Result::ok).unwrap_or_default()
    }
}

/// The usual admin address, or where that is taken any other: these run beside a service.
fn serve(usual: SocketAddr, admin: Admin) -> Result<Server, ListenError> {
    Server::start(usual, admin.clone())
        .or_else(|_| Server::start((Ipv4Addr::LOCALHOST, 0).into(), admin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_the_scratch_folder() {
        let (one, other) = (
            Scratch::new("test", 7).unwrap(),
            Scratch::new("test", 7).unwrap(),
        );
        assert_ne!(one.checkpoints(), other.checkpoints());
        fs::write(one.checkpoints(), "x").unwrap();
        let folder = one.0.clone();
        drop(one);
        assert!(!folder.exists());
        assert!(other.0.exists());
    }
}
