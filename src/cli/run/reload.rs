//! SIGHUP, or files that were changed: the configuration is read anew. One that is valid is followed mapping by mapping;
//! one that is not changes nothing, and is told of in the log, in `/readyz` and in a metric.

use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use super::needs_store;
use crate::checkpoint::Store;
use crate::cli::environment;
use crate::config::checkpoints::Checkpoints;
use crate::config::{self, Config};
use crate::metrics::Metrics;
use crate::service::{Roster, Wanted};
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
    /// The checkpoint file is open, where there is one.
    pub opened: bool,
    pub roster: Roster,
    pub status: Status,
    pub metrics: Metrics,
}

/// How many mappings a reload concerns.
#[derive(Debug, Default, PartialEq, Eq)]
struct Concerned {
    added: usize,
    changed: usize,
    removed: usize,
    unchanged: usize,
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
        let next = self.next().await;
        // Whoever reads in the log how it ended finds the same elsewhere.
        self.metrics.record_reload(next.is_ok());
        self.status
            .reloaded(next.as_ref().err().cloned().unwrap_or_default());
        let errors = match next {
            Ok((config, store)) => return self.follow(config, store),
            Err(errors) => errors,
        };
        for error in &errors {
            error!(%error, "configuration");
        }
        warn!(
            errors = errors.len(),
            "the configuration is refused: the one in force stays as it is"
        );
    }

    /// The configuration as it is now, and the checkpoint file, where it is needed for the first time.
    async fn next(&self) -> Result<(Config, Option<Store>), Vec<String>> {
        let paths = self.paths.clone();
        let in_texts = |errors: Vec<config::error::ConfigError>| -> Vec<String> {
            errors.iter().map(ToString::to_string).collect()
        };
        let config = aside(move || Config::load(&paths, &environment)).await;
        let config = config.map_err(in_texts)?;
        // Which file it is does not change while we run.
        let path = match &self.config.checkpoints {
            Checkpoints::File(path) if !self.opened && needs_store(&config) => path.clone(),
            Checkpoints::File(_) | Checkpoints::Memory => return Ok((config, None)),
        };
        match aside(move || Store::open(&path)).await {
            Ok(store) => Ok((config, Some(store))),
            Err(error) => Err(vec![error.to_string()]),
        }
    }

    fn follow(&mut self, config: Config, store: Option<Store>) {
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
        let Concerned {
            added,
            changed,
            removed,
            unchanged,
        } = concerned(&self.config, &config);
        info!(added, changed, removed, unchanged, "configuration reloaded");
        self.opened |= store.is_some();
        self.roster.replace(Wanted {
            mappings: config.mappings.clone().into(),
            store: store.unwrap_or_else(|| self.roster.now().store),
        });
        self.config.mappings = config.mappings;
    }
}

fn concerned(before: &Config, after: &Config) -> Concerned {
    let mut concerned = Concerned::default();
    for mapping in &after.mappings {
        let mut same = before.mappings.iter();
        match same.find(|other| other.uuid == mapping.uuid) {
            None => concerned.added += 1,
            Some(other) if other == mapping => concerned.unchanged += 1,
            Some(_) => concerned.changed += 1,
        }
    }
    concerned.removed = before.mappings.len() - concerned.changed - concerned.unchanged;
    concerned
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

/// Files are read where nobody waits for them.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let mut task = JoinSet::new();
    task.spawn_blocking(work);
    match task.join_next().await {
        Some(Ok(done)) => done,
        Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
        None => unreachable!("it was just begun"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(mappings: &[(&str, u32)]) -> Config {
        let mut text = "EventSourceMappings:\n".to_owned();
        for (queue, size) in mappings {
            text += &format!(
                "  - {{ EventSourceArn: \"arn:aws:sqs:us-east-1:123456789012:{queue}\", FunctionName: f, BatchSize: {size} }}\n"
            );
        }
        Config::parse("test.yaml", &text, &|_| None).unwrap()
    }

    #[test]
    fn a_reload_says_how_many_mappings_it_concerns() {
        let before = config(&[("a", 1), ("b", 1), ("c", 1), ("d", 1)]);
        let after = config(&[("a", 1), ("b", 2), ("e", 1)]);
        let expected = Concerned {
            added: 1,
            changed: 1,
            removed: 2,
            unchanged: 1,
        };
        assert_eq!(concerned(&before, &after), expected);
    }
}
