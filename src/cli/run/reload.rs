//! SIGHUP, or files that were changed: the configuration is read anew. One that is valid is followed mapping by mapping;
//! one that is not changes nothing, and is told of in the log, in `/readyz` and in a metric.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tracing::{error, info, warn};

use crate::cli::environment;
use crate::config::{self, Config};
use crate::metrics::Metrics;
use crate::service::aside;
use crate::service::desk::{Concerned, Desk};
use crate::status::Status;

/// Watched files are looked at this often; a change counts when it is the same in two looks, so that nobody is read while
/// he writes.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What a reload works with.
#[derive(Debug)]
pub(super) struct Reload {
    pub paths: Vec<PathBuf>,
    /// The configuration in force.
    pub config: Config,
    pub desk: Arc<Desk>,
    pub status: Status,
    pub metrics: Metrics,
}

impl Reload {
    /// Reload at every hangup, and when the files differ from these texts, where they are watched. Never ends.
    pub async fn run(mut self, mut hangups: Signal, watched: Option<Vec<String>>) {
        let watch = watched.is_some();
        let mut files = Files::new(&self.paths, watched.unwrap_or_default());
        loop {
            tokio::select! {
                biased;
                hangup = hangups.recv() => match hangup {
                    Some(()) => info!("SIGHUP: the configuration is read again"),
                    None => return std::future::pending().await,
                },
                () = files.changed(), if watch => info!("the files have changed: they are read again"),
            }
            self.reload().await;
        }
    }

    async fn reload(&mut self) {
        let taken = self.take().await;
        // Whoever reads in the log how it ended finds the same elsewhere.
        self.metrics.record_reload(taken.is_ok());
        self.status
            .reloaded(taken.as_ref().err().cloned().unwrap_or_default());
        match taken {
            Ok(Concerned {
                added,
                changed,
                removed,
                unchanged,
            }) => info!(added, changed, removed, unchanged, "configuration reloaded"),
            Err(errors) => {
                for error in &errors {
                    error!(%error, "configuration");
                }
                warn!(
                    errors = errors.len(),
                    "the configuration is refused: the one in force stays as it is"
                );
            }
        }
    }

    /// The configuration as it is now takes the place of the one in force, or its errors are returned.
    async fn take(&mut self) -> Result<Concerned, Vec<String>> {
        let paths = self.paths.clone();
        let config = aside(move || Config::load(&paths, &environment)).await;
        let config = config.map_err(|errors| {
            let lines = errors.iter().map(ToString::to_string);
            lines.collect::<Vec<_>>()
        })?;
        let concerned = self.desk.reload(&config).await;
        let concerned = concerned.map_err(|error| vec![error.to_string()])?;
        for warning in &config.warnings {
            warn!(%warning, "configuration");
        }
        let fixed = [
            ("Service", config.service == self.config.service),
            ("Checkpoints", config.checkpoints == self.config.checkpoints),
            ("Aws", config.aws == self.config.aws),
        ];
        for (element, same) in fixed {
            if !same {
                warn!(
                    element,
                    "differs from what is in force, and takes effect at the next start"
                );
            }
        }
        Ok(concerned)
    }
}

/// The watched files.
#[derive(Debug)]
struct Files {
    paths: Vec<PathBuf>,
    /// What the configuration was last read from.
    read: Vec<String>,
    /// What the last look found.
    seen: Vec<String>,
}

impl Files {
    fn new(paths: &[PathBuf], read: Vec<String>) -> Self {
        Self {
            seen: read.clone(),
            paths: paths.to_vec(),
            read,
        }
    }

    /// Returns when the files have changed, and stay so for a look.
    async fn changed(&mut self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = texts(&self.paths).await;
            if now == self.seen && now != self.read {
                self.read = now;
                return;
            }
            self.seen = now;
        }
    }
}

async fn texts(paths: &[PathBuf]) -> Vec<String> {
    let paths = paths.to_vec();
    aside(move || config::texts(&paths)).await
}
