//! Which shards are read: those whose parents are settled, looked up when one ends, and every so often. // spec: 5.6

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::Engine;
use super::shard::{Shard, ShardEnded};
use crate::checkpoint::{CommitError, Saved, Stale};
use crate::config::mapping::stream::Kind;
use crate::model::backoff::Backoff;
use crate::model::progress::{Position, ShardProgress};

/// How often the shards are listed though none has ended: a Kinesis stream that is split by hand, a DynamoDB stream whose
/// shards roll over. A read tells of most of it sooner.
const LIST_EVERY_KINESIS: Duration = Duration::from_secs(60);
const LIST_EVERY_DYNAMODB: Duration = Duration::from_secs(30);
/// After a shard has ended its children are looked for sooner.
const LIST_SOON_FIRST: Duration = Duration::from_millis(500);
/// A shard that the source does not know is given up when so many listings in a row lack it.
const LISTINGS_WITHOUT_MAX: u32 = 3;

/// The listings to come.
struct Listings {
    every: Duration,
    soon: Backoff,
    next_at: Duration,
}

impl Engine {
    /// Read shards until `drain` is cancelled and every reader has stopped.
    pub(super) async fn read_shards(self: Arc<Self>, drain: &CancellationToken) {
        let every = match self.stream.kind {
            Kind::Kinesis { .. } => LIST_EVERY_KINESIS,
            Kind::DynamoDb => LIST_EVERY_DYNAMODB,
        };
        let mut listings = Listings {
            every,
            soon: Backoff::new(LIST_SOON_FIRST, every),
            next_at: self.now() + every,
        };
        // Readers stop for a drain, and also when progress can not be kept.
        let stop = drain.child_token();
        let mut readers = JoinSet::new();
        loop {
            if !stop.is_cancelled() {
                self.begin_readable(&mut readers, &stop);
            }
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.halt.cancelled() => break,
                Some(ended) = readers.join_next() => Some(ended),
                () = tokio::time::sleep_until(self.at(listings.next_at)) => None,
            };
            match next {
                Some(Ok((id, ended))) => {
                    let went_on = self.ended(&id, ended, &mut listings, &stop).await;
                    if let Err(lost) = went_on {
                        self.lost(&lost);
                        break;
                    }
                }
                Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
                None => {
                    if let Err(lost) = self.look(&mut listings).await {
                        self.lost(&lost);
                        break;
                    }
                }
            }
        }
        if drain.is_cancelled() {
            self.reports.draining();
        }
        stop.cancel();
        while let Some(ended) = readers.join_next().await {
            match ended {
                Ok((_, ShardEnded::Lost(lost))) => self.lost(&lost),
                Ok(_) => {}
                Err(panic) => {
                    error!(mapping = %self.mapping.name, %panic, "a shard ended in a panic");
                }
            }
        }
    }

    fn begin_readable(
        self: &Arc<Self>,
        readers: &mut JoinSet<(String, ShardEnded)>,
        stop: &CancellationToken,
    ) {
        let readable = self.plan(|plan| {
            let readable = plan.lineage.readable();
            for id in &readable {
                plan.lineage.begun(id);
            }
            self.metrics.set_shards_waiting(plan.lineage.waiting());
            readable
        });
        for id in readable {
            let (saved, latest) =
                self.plan(|plan| (plan.saved.remove(&id), plan.latest.remove(&id)));
            let saved = saved.expect("a shard has a checkpoint before it may be read");
            info!(
                mapping = %self.mapping.name, shard = %id, position = ?saved.progress.position,
                "reads a shard"
            );
            let shard = Shard::new(self.clone(), &id, &saved, latest);
            let stop = stop.clone();
            readers.spawn(async move { (id, shard.run(stop).await) });
        }
    }

    async fn ended(
        &self,
        id: &str,
        ended: ShardEnded,
        listings: &mut Listings,
        stop: &CancellationToken,
    ) -> Result<(), CommitError> {
        match ended {
            ShardEnded::Settled => {
                info!(mapping = %self.mapping.name, shard = %id, "a shard is settled to its end");
                self.plan(|plan| plan.lineage.settled(id));
            }
            ShardEnded::Gone(saved) => self.gone(id, saved, stop).await?,
            ShardEnded::Stopped => self.plan(|plan| plan.lineage.paused(id)),
            ShardEnded::Lost(lost) => return Err(lost),
        }
        listings.soon.reset();
        listings.next_at = self.now();
        Ok(())
    }

    /// The source does not know the shard. Where it lists the others, again and again without this one, the shard was
    /// trimmed; where it does not answer, nobody knows.
    async fn gone(
        &self,
        id: &str,
        saved: Saved,
        stop: &CancellationToken,
    ) -> Result<(), CommitError> {
        let mut without = 0;
        let mut repeats = Backoff::new(LIST_SOON_FIRST, LIST_EVERY_KINESIS);
        while without < LISTINGS_WITHOUT_MAX {
            if stop.is_cancelled() {
                self.plan(|plan| plan.lineage.paused(id));
                return Ok(());
            }
            match self.list().await {
                Ok(listed) if listed.iter().any(|shard| shard.id == id) => {
                    // It is there after all, or one of its name.
                    self.reports.source(None);
                    self.look_again().await;
                    self.rest(repeats.delay(self.jitter()), stop).await;
                    self.plan(|plan| {
                        plan.saved.insert(id.to_owned(), saved);
                        plan.lineage.paused(id);
                    });
                    return Ok(());
                }
                Ok(_) => {
                    self.reports.source(None);
                    without += 1;
                }
                Err(failure) => {
                    self.reports
                        .source(Some(format!("failed to list the shards: {failure}")));
                    warn!(mapping = %self.mapping.name, shard = %id, %failure, "failed to list the shards");
                }
            }
            self.rest(repeats.delay(self.jitter()), stop).await;
        }
        self.metrics.record_gap();
        warn!(
            mapping = %self.mapping.name, shard = %id,
            "the source does not know the shard any more: what was not read of it is lost"
        );
        let progress = ShardProgress {
            position: Position::End,
            lanes: Vec::new(),
            window: None,
            ..saved.progress
        };
        self.store
            .commit(&self.claim, id, Some(saved.revision), &progress)
            .await?;
        self.plan(|plan| plan.lineage.settled(id));
        Ok(())
    }

    /// List the shards, welcome those that are new, and forget those that are long gone.
    async fn look(&self, listings: &mut Listings) -> Result<(), CommitError> {
        let listed = match self.list().await {
            Ok(listed) => listed,
            Err(failure) => {
                let delay = listings.soon.delay(self.jitter());
                warn!(
                    mapping = %self.mapping.name, %failure, delay_ms = delay.as_millis() as u64,
                    "failed to list the shards"
                );
                self.reports
                    .source(Some(format!("failed to list the shards: {failure}")));
                listings.next_at = self.now() + delay;
                return Ok(());
            }
        };
        self.reports.source(None);
        if self.plan(|plan| plan.lineage.has_new(&listed)) {
            // They must not be those of another stream of the same name.
            self.look_again().await;
        }
        if self.halt.is_cancelled() {
            return Ok(());
        }
        self.welcome(&listed).await?;
        for id in self.plan(|plan| plan.lineage.forget(self.now())) {
            self.store.forget(&self.claim, &id).await?;
            debug!(mapping = %self.mapping.name, shard = %id, "a shard that the source trimmed is forgotten");
        }
        // A shard that ended may have children that are not listed yet.
        let delay = listings.soon.delay(self.jitter()).min(listings.every);
        listings.next_at = self.now() + delay;
        Ok(())
    }

    /// Progress can not be kept: this engine goes no further.
    fn lost(&self, lost: &CommitError) {
        error!(mapping = %self.mapping.name, %lost, "progress can not be kept");
        self.reports.store(Some(lost.to_string()));
        if let CommitError::Stale {
            reason: Stale::Owner(_) | Stale::Removed,
            ..
        } = lost
        {
            // The first that notices says it for all shards.
            let _ = self.superseded.set(lost.to_string());
        }
    }
}
