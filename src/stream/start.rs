//! The start of a mapping: find the stream and the function, take the checkpoints, and settle where each shard begins.
//!
//! `StartingPosition` applies once. Before the mapping is called enabled every shard has a checkpoint, so that nothing
//! that arrives from then on can be missed: `LATEST` is an iterator, or a consumer's subscription, that was opened at the
//! tip, and in the checkpoint the time of that, for a restart before the first record came. // spec: 5.6

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::lane::Rule;
use super::reader;
use super::terms::{Terms, describing, other};
use super::{Engine, Plan};
use crate::aws::clients::Clients;
use crate::aws::fault::{Failure, Fault};
use crate::aws::stream::{Start, Status, Stream};
use crate::checkpoint::{CommitError, Owner, Saved, Store, StoreError, Taken};
use crate::clock::Clock;
use crate::config::arn::Arn;
use crate::config::function::Target;
use crate::config::mapping::Mapping;
use crate::config::mapping::stream::{Kind, StartingPosition};
use crate::destination::Destination;
use crate::function::Function;
use crate::metrics::Operation;
use crate::model::delivery::Policy;
use crate::model::event::EVENT_BYTES_MAX;
use crate::model::filter::Filters;
use crate::model::progress::{Position, ShardProgress};
use crate::model::shards::{Lineage, Listed};
use crate::model::tumbling::STATE_BYTES_MAX;
use crate::reports::Reports;

/// Our clock and the source's differ by no more than this; a restart before the first record looks so far back.
const CLOCKS_DIFFER_MAX_MS: u64 = 30_000;
/// What an event of a tumbling window holds beside records and state: ids, an ARN, times.
const ENVELOPE_BYTES: usize = 4 * 1024;
/// So many iterators are opened, and checkpoints written, beside each other.
const BESIDE: usize = 64;

/// Why a mapping does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The stream can not be had.
    #[error("the stream {0}: {1}")]
    Stream(Arn, Failure),
    /// The function can not be found.
    #[error("the function {0}: {1}")]
    Function(String, Failure),
    /// The checkpoints can not be had.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The first checkpoints can not be written.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// `StartingPositionTimestamp` is not there yet.
    #[error("StartingPositionTimestamp lies in the future")]
    Future,
    /// What the store says of the mapping can not be read.
    #[error("the checkpoint store's note about the mapping can not be read: {0}")]
    Meta(serde_json::Error),
    /// The checkpoints are those of another stream: going on from them would mean nothing.
    #[error(
        "the checkpoints of this mapping are those of another stream ({0}); give the mapping another UUID to begin at its StartingPosition"
    )]
    OtherStream(String),
}

/// What is noted of a mapping that was started.
#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    source: String,
    started_ms: u64,
    /// When the stream was made, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_ms: Option<u64>,
    /// When it was last known to be read, to some minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen_ms: Option<u64>,
}

/// The note of a mapping that was never started, and all of whose shards get a checkpoint now: those that come later are
/// read from their beginning.
pub fn first_note(mapping: &Mapping, now_ms: u64) -> Value {
    serde_json::json!({
        "source": mapping.source.to_string(),
        "started_ms": now_ms,
        "seen_ms": now_ms,
    })
}

/// How long the event of a batch may be, apart from what a tumbling window adds to it. A longer state ends its window, whose
/// final invocation has no records.
fn bytes_max(windowed: bool) -> usize {
    match windowed {
        false => EVENT_BYTES_MAX,
        true => EVENT_BYTES_MAX - STATE_BYTES_MAX - ENVELOPE_BYTES,
    }
}

/// What an engine is made of, beside its mapping.
#[derive(Debug)]
pub struct Parts<'a> {
    /// AWS.
    pub clients: &'a Clients,
    /// The mapping's filters, compiled.
    pub filters: Filters,
    /// Where progress is kept.
    pub store: Store,
    /// Who keeps it.
    pub owner: Owner,
    /// What it tells.
    pub reports: Reports,
    /// Ages are those of this clock.
    pub clock: Clock,
    /// Jitter.
    pub chance: fastrand::Rng,
}

impl Engine {
    /// Find the stream and the function, and settle where each shard begins. Nothing is read yet.
    ///
    /// # Errors
    /// The stream, the function or the checkpoints can not be had; whatever was settled stays so.
    ///
    /// # Panics
    /// For a mapping of a queue.
    pub async fn start(mapping: Arc<Mapping>, parts: Parts<'_>) -> Result<Arc<Self>, StartError> {
        let stream = mapping
            .stream
            .clone()
            .expect("the service starts this engine for streams alone");
        let source = Stream::new(parts.clients, &mapping.source, &stream.kind);
        let function = Function::new(parts.clients, &mapping.target);
        let looked = Terms::look(&source, &mapping, &stream.kind, &function, &parts.reports);
        let (terms, status) = looked.await?;
        match status {
            Status::Active => {}
            Status::Disabled => warn!(
                mapping = %mapping.name,
                "the stream is switched off: what it still holds is read; if it was switched on again, it has another ARN"
            ),
            Status::Starting | Status::Deleting => {
                let text = format!("it is {status}");
                let failure = Failure::new(Fault::Transient, "not active", &text);
                return Err(StartError::Stream(mapping.source.clone(), failure));
            }
        }
        if let Some(consumer) = source.consumer() {
            let active = consumer.active().await;
            parts
                .reports
                .request(Operation::DescribeStreamConsumer, &active);
            active.map_err(|failure| StartError::Stream(mapping.source.clone(), failure))?;
        }
        let taken = parts.store.take(&mapping.uuid, &parts.owner).await?;
        let destination = stream.on_failure.as_ref().map(|destination| {
            Destination::new(
                parts.clients,
                destination,
                &mapping.source.region,
                &mapping.uuid,
                stream.on_failure_include_payload,
            )
        });
        let rule = Rule {
            count_max: mapping.batch_size,
            window: mapping.window,
            bytes_max: bytes_max(stream.tumbling_window.is_some()),
        };
        let policy = Policy {
            bisect: stream.bisect,
            retries_max: stream.retries_max,
            discard_only_failing: stream.discard_only_failing,
        };
        let version = match &mapping.target {
            Target::Lambda {
                qualifier: Some(qualifier),
                ..
            } => qualifier.clone(),
            Target::Lambda {
                qualifier: None, ..
            }
            | Target::Http { .. } => "$LATEST".to_owned(),
        };
        let lineage = Lineage::resume(
            taken
                .shards
                .iter()
                .map(|(id, saved)| (id.as_str(), &saved.progress.position)),
        );
        let plan = Plan {
            lineage,
            saved: taken.shards.clone(),
            latest: BTreeMap::new(),
        };
        let engine = Self {
            read_limit: reader::limit(mapping.batch_size, stream.parallelization_factor),
            claim: taken.claim.clone(),
            metrics: parts.reports.metrics.clone(),
            chance: Mutex::new(parts.chance),
            account: Mutex::default(),
            complaints: Mutex::default(),
            waiting: AtomicUsize::default(),
            plan: Mutex::new(plan),
            terms: watch::Sender::new(terms),
            began: Instant::now(),
            halt: CancellationToken::new(),
            superseded: OnceLock::new(),
            started_ms: OnceLock::new(),
            filters: parts.filters,
            store: parts.store,
            reports: parts.reports,
            clock: parts.clock,
            mapping,
            stream,
            source,
            function,
            policy,
            rule,
            destination,
            version,
        };
        engine.begin(&taken).await?;
        Ok(Arc::new(engine))
    }

    /// Every shard gets a checkpoint.
    async fn begin(&self, taken: &Taken) -> Result<(), StartError> {
        if let Some(meta) = &taken.meta {
            let meta: Meta = serde_json::from_value(meta.clone()).map_err(StartError::Meta)?;
            if meta.source != self.mapping.source.to_string() {
                return Err(StartError::OtherStream(meta.source));
            }
            let created_ms = self.terms.borrow().created_ms;
            if other(meta.created_ms, created_ms) {
                let text = format!("{}, before it was deleted and made anew", meta.source);
                return Err(StartError::OtherStream(text));
            }
            info!(
                mapping = %self.mapping.name, shards = taken.shards.len(), started_ms = meta.started_ms,
                "goes on from its checkpoints"
            );
            let listed = self
                .list()
                .await
                .map_err(|failure| self.no_stream(failure))?;
            self.welcome(&listed).await?;
            self.tell_gap(meta.seen_ms, taken, &listed);
            return self.note(meta.started_ms).await;
        }
        let now_ms = self.clock.now_ms();
        // spec: 1.2
        if let StartingPosition::AtTimestamp { ms } = self.stream.starting_position
            && ms > now_ms
        {
            return Err(StartError::Future);
        }
        let listed = self
            .list()
            .await
            .map_err(|failure| self.no_stream(failure))?;
        // A start that was interrupted before has written some already.
        let fresh = self.plan(|plan| plan.lineage.update(&listed, self.now()));
        let fresh: BTreeSet<String> = fresh.into_iter().collect();
        let new: Vec<Listed> = listed
            .into_iter()
            .filter(|shard| fresh.contains(&shard.id))
            .collect();
        let positions: Vec<Result<(String, Position), Failure>> = stream::iter(new)
            .map(|shard| async move {
                let position = self.first_position(&shard, now_ms).await?;
                Ok((shard.id, position))
            })
            .buffered(BESIDE)
            .collect()
            .await;
        let positions: Result<Vec<(String, Position)>, Failure> = positions.into_iter().collect();
        self.keep_first(positions.map_err(|failure| self.no_stream(failure))?)
            .await?;
        info!(
            mapping = %self.mapping.name, position = self.stream.starting_position.name(),
            "has no checkpoints: begins at its StartingPosition"
        );
        self.note(now_ms).await
    }

    /// Note which stream the checkpoints are of, and that it is read now.
    pub(super) async fn note(&self, started_ms: u64) -> Result<(), StartError> {
        let meta = Meta {
            source: self.mapping.source.to_string(),
            started_ms,
            created_ms: self.terms.borrow().created_ms,
            seen_ms: Some(self.clock.now_ms()),
        };
        // The first that is noted stays.
        let _ = self.started_ms.set(started_ms);
        let meta = serde_json::to_value(meta).map_err(StartError::Meta)?;
        Ok(self.store.set_meta(&self.claim, meta).await?)
    }

    /// Kinesis goes on silently where a position was trimmed: what was not read for longer than it keeps records has a
    /// gap, if anything came then. A DynamoDB stream says so itself, and what is not listed any more is told when it is
    /// not found. // spec: 5.1
    fn tell_gap(&self, seen_ms: Option<u64>, taken: &Taken, listed: &[Listed]) {
        let now_ms = self.clock.now_ms();
        let away = Duration::from_millis(now_ms.saturating_sub(seen_ms.unwrap_or(now_ms)));
        if self.stream.kind == Kind::DynamoDb || away <= self.retention() {
            return;
        }
        let saved = listed
            .iter()
            .filter_map(|shard| taken.shards.get(&shard.id));
        let shards = saved.filter(|saved| !saved.progress.ended()).count();
        warn!(
            mapping = %self.mapping.name, shards, away_s = away.as_secs(),
            "nothing was read for longer than the stream keeps records: what came and went meanwhile is lost"
        );
        for _ in 0..shards {
            self.metrics.record_gap();
        }
    }

    fn no_stream(&self, failure: Failure) -> StartError {
        StartError::Stream(self.mapping.source.clone(), failure)
    }

    async fn first_position(&self, shard: &Listed, now_ms: u64) -> Result<Position, Failure> {
        match self.stream.starting_position {
            StartingPosition::TrimHorizon => Ok(Position::Horizon),
            StartingPosition::AtTimestamp { ms } => Ok(Position::At { ms }),
            // What a closed shard holds was there before.
            StartingPosition::Latest if shard.closed => {
                self.plan(|plan| plan.lineage.settled(&shard.id));
                Ok(Position::End)
            }
            StartingPosition::Latest => {
                let opened = self.open(&shard.id, &Start::Latest).await?;
                self.plan(|plan| plan.latest.insert(shard.id.clone(), opened));
                Ok(Position::At {
                    ms: now_ms.saturating_sub(CLOCKS_DIFFER_MAX_MS),
                })
            }
        }
    }

    /// All shards of the stream, as the source lists them now.
    pub(super) async fn list(&self) -> Result<Vec<Listed>, Failure> {
        let listed = self.source.list_shards().await;
        let operation = match self.stream.kind {
            Kind::Kinesis { .. } => Operation::ListShards,
            Kind::DynamoDb => describing(&self.stream.kind),
        };
        self.reports.request(operation, &listed);
        Ok(listed?.into_iter().map(Listed::from).collect())
    }

    /// Shards that came after the mapping was started are read from their beginning. // spec: 5.6
    pub(super) async fn welcome(&self, listed: &[Listed]) -> Result<(), CommitError> {
        let fresh = self.plan(|plan| plan.lineage.update(listed, self.now()));
        let horizon = |id| (id, Position::Horizon);
        self.keep_first(fresh.into_iter().map(horizon).collect())
            .await
    }

    /// The first checkpoints of these shards.
    async fn keep_first(&self, positions: Vec<(String, Position)>) -> Result<(), CommitError> {
        let factor = self.stream.parallelization_factor;
        let mut kept = stream::iter(positions)
            .map(|(id, position)| async move {
                let progress = ShardProgress::beginning(position, factor);
                let committed = self.store.commit(&self.claim, &id, None, &progress).await;
                committed.map(|revision| (id, Saved { revision, progress }))
            })
            .buffer_unordered(BESIDE);
        while let Some(kept) = kept.next().await {
            let (id, saved) = kept?;
            self.plan(|plan| plan.saved.insert(id, saved));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{WindowEnvelope, event_bytes, window_event_bytes};

    // spec: 1.7, 5.8
    #[test]
    fn a_full_batch_fits_into_an_event_beside_the_longest_state_and_wastes_little_of_it() {
        assert_eq!(bytes_max(false), EVENT_BYTES_MAX);
        let (arn, state) = ("a".repeat(400), "1".repeat(STATE_BYTES_MAX));
        let envelope = WindowEnvelope {
            shard_id: &"s".repeat(128),
            arn: &arn,
            start_ms: 1_767_225_600_000,
            end_ms: 1_767_226_500_000,
            state: &state,
            final_invoke: false,
            terminated_early: false,
        };
        let records = [bytes_max(true) - event_bytes([0].into_iter())];
        let whole = window_event_bytes(records.into_iter(), &envelope);
        let least = EVENT_BYTES_MAX - 4 * 1024;
        assert!((least..=EVENT_BYTES_MAX).contains(&whole), "{whole}");
    }
}
