//! Which shards are read: those whose parents are settled, looked up when one ends, and every so often. // spec: 5.6

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::Engine;
use super::shard::{READING, Shard, ShardEnded};
use crate::aws::fault::Failure;
use crate::aws::stream::Status;
use crate::checkpoint::{CommitError, Saved, Stale};
use crate::config::mapping::stream::Kind;
use crate::model::backoff::Backoff;
use crate::model::progress::{Position, ShardProgress};
use crate::model::shards::Listed;

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
    /// The last one failed: the stream may be another one since.
    failed: bool,
    /// The shards that their readers found unknown to the source.
    gone: BTreeMap<String, Gone>,
    /// When a listing had one of these all the same.
    returned: BTreeMap<String, Duration>,
    /// What the log says of the stream as a whole.
    told: Option<&'static str>,
}

/// A shard that the source does not know.
struct Gone {
    saved: Saved,
    /// So many listings of the same stream lack it.
    without: u32,
}

/// One look at the stream.
struct Found {
    listed: Vec<Listed>,
    /// What the stream was good for after the listing, where that was asked: then it is the one that the positions are of.
    status: Option<Status>,
}

/// A look that failed, and at what.
type NotFound = (&'static str, Failure);

impl Listings {
    fn new(kind: &Kind, now: Duration) -> Self {
        let every = match kind {
            Kind::Kinesis { .. } => LIST_EVERY_KINESIS,
            Kind::DynamoDb => LIST_EVERY_DYNAMODB,
        };
        Self {
            every,
            soon: Backoff::new(LIST_SOON_FIRST, every),
            next_at: now + every,
            failed: false,
            gone: BTreeMap::new(),
            returned: BTreeMap::new(),
            told: None,
        }
    }

    fn at_once(&mut self, now: Duration) {
        self.soon.reset();
        self.next_at = now;
    }

    /// The source does not know the shard: a look at once tells whether it knows the stream. One that was listed all the
    /// same a moment ago waits its turn.
    fn gone(&mut self, id: &str, saved: Saved, now: Duration) {
        let returned = self.returned.get(id);
        if returned.is_none_or(|at| *at + self.every <= now) {
            self.at_once(now);
        }
        self.gone.insert(id.to_owned(), Gone { saved, without: 0 });
    }
}

impl Engine {
    /// Read shards until `drain` is cancelled and every reader has stopped.
    pub(super) async fn read_shards(self: Arc<Self>, drain: &CancellationToken) {
        let mut listings = Listings::new(&self.stream.kind, self.now());
        // Readers stop for a drain, and also when progress can not be kept.
        let stop = drain.child_token();
        let mut readers = JoinSet::new();
        // One at a time, beside everything else: known shards do not wait for it.
        let mut looks = JoinSet::new();
        loop {
            if !stop.is_cancelled() {
                self.begin_readable(&mut readers, &stop);
            }
            let kept = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.halt.cancelled() => break,
                Some(ended) = readers.join_next() => {
                    let (id, ended) = unless_panicked(ended);
                    self.ended(&id, ended, &mut listings)
                }
                Some(found) = looks.join_next() => {
                    self.looked(unless_panicked(found), &mut listings).await
                }
                () = tokio::time::sleep_until(self.at(listings.next_at)), if looks.is_empty() => {
                    let engine = self.clone();
                    let doubted = listings.failed || !listings.gone.is_empty();
                    looks.spawn(async move { engine.look(doubted).await });
                    Ok(())
                }
            };
            if let Err(lost) = kept {
                self.lost(&lost);
                break;
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
                mapping = %self.mapping.name, shard = %id, position = %saved.progress.position,
                "reads a shard"
            );
            let shard = Shard::new(self.clone(), &id, &saved, latest);
            let stop = stop.clone();
            readers.spawn(async move { (id, shard.run(stop).await) });
        }
    }

    fn ended(
        &self,
        id: &str,
        ended: ShardEnded,
        listings: &mut Listings,
    ) -> Result<(), CommitError> {
        match ended {
            ShardEnded::Settled => {
                info!(mapping = %self.mapping.name, shard = %id, "a shard is settled to its end");
                self.plan(|plan| plan.lineage.settled(id));
                listings.returned.remove(id);
                listings.at_once(self.now());
            }
            ShardEnded::Gone(saved) => listings.gone(id, saved, self.now()),
            ShardEnded::Stopped => self.plan(|plan| plan.lineage.paused(id)),
            ShardEnded::Lost(lost) => return Err(lost),
        }
        Ok(())
    }

    /// List the shards. Where that may be of another stream of the same name, ask which it is: behind the listing, for a
    /// stream that was made anew never becomes the old one again.
    async fn look(&self, doubted: bool) -> Result<Found, NotFound> {
        let listed = self.list().await;
        let listed = listed.map_err(|failure| ("failed to list the shards", failure))?;
        let (is_new, is_over) =
            self.plan(|plan| (plan.lineage.has_new(&listed), plan.lineage.all_settled()));
        let status = if doubted || is_new || is_over {
            let described = self.described().await;
            let described = described.map_err(|failure| ("failed to describe the stream", failure));
            Some(described?.status)
        } else {
            None
        };
        Ok(Found { listed, status })
    }

    /// Welcome the shards that are new, give up those that are gone, and forget those that are long gone.
    async fn looked(
        &self,
        found: Result<Found, NotFound>,
        listings: &mut Listings,
    ) -> Result<(), CommitError> {
        if self.halt.is_cancelled() {
            return Ok(());
        }
        let delay = listings.soon.delay(self.jitter()).min(listings.every);
        listings.next_at = self.now() + delay;
        let Found { listed, status } = match found {
            Ok(found) => found,
            Err((doing, failure)) => {
                warn!(mapping = %self.mapping.name, %failure, delay_ms = delay.as_millis() as u64, "{doing}");
                self.reports.source(Some(format!("{doing}: {failure}")));
                listings.failed = true;
                return Ok(());
            }
        };
        listings.failed = false;
        self.welcome(&listed).await?;
        self.tell(status, listings);
        self.missing(&listed, status, listings).await?;
        for id in self.plan(|plan| plan.lineage.forget(self.now())) {
            self.store.forget(&self.claim, &id).await?;
            debug!(mapping = %self.mapping.name, shard = %id, "a shard that the source trimmed is forgotten");
        }
        Ok(())
    }

    /// Say that nothing more will come, once in the log.
    fn tell(&self, status: Option<Status>, listings: &mut Listings) {
        let is_over = self.plan(|plan| plan.lineage.all_settled());
        let told = match status {
            Some(Status::Disabled) if is_over => Some(
                "the stream is disabled and read to its end: nothing more comes; a table whose stream is switched on again, or that is made anew, has one with another ARN",
            ),
            Some(Status::Deleting) => Some("the stream is being deleted"),
            Some(Status::Disabled | Status::Starting | Status::Active) | None => None,
        };
        if let Some(told) = told.filter(|_| listings.told != told) {
            warn!(mapping = %self.mapping.name, "{told}");
        }
        listings.told = told;
        self.reports.source(told.map(str::to_owned));
    }

    /// What becomes of the shards that the source did not know. Where it lists the others, again and again without this
    /// one, the shard was trimmed; where it does not answer, or the stream is on its way out, nobody knows.
    async fn missing(
        &self,
        listed: &[Listed],
        status: Option<Status>,
        listings: &mut Listings,
    ) -> Result<(), CommitError> {
        let is_there = match status {
            Some(Status::Active | Status::Disabled) => true,
            Some(Status::Starting | Status::Deleting) | None => false,
        };
        for (id, gone) in std::mem::take(&mut listings.gone) {
            if listed.iter().any(|shard| shard.id == id) {
                listings.returned.insert(id.clone(), self.now());
                self.plan(|plan| {
                    plan.lineage.paused(&id);
                    plan.saved.insert(id, gone.saved);
                });
                continue;
            }
            let without = gone.without + u32::from(is_there);
            if without < LISTINGS_WITHOUT_MAX {
                listings.gone.insert(id, Gone { without, ..gone });
                continue;
            }
            listings.returned.remove(&id);
            self.give_up(&id, gone.saved).await?;
            listings.at_once(self.now());
        }
        Ok(())
    }

    async fn give_up(&self, id: &str, saved: Saved) -> Result<(), CommitError> {
        self.metrics.record_gap();
        warn!(
            mapping = %self.mapping.name, shard = %id,
            "the source does not know the shard any more: what was not read of it is lost"
        );
        let progress = ShardProgress::beginning(Position::End, saved.progress.factor);
        self.store
            .commit(&self.claim, id, Some(saved.revision), &progress)
            .await?;
        self.plan(|plan| plan.lineage.settled(id));
        self.reports.shard(id, READING, None);
        Ok(())
    }

    /// Progress can not be kept: this engine goes no further.
    pub(super) fn lost(&self, lost: &CommitError) {
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

/// A panic of a task is the engine's.
fn unless_panicked<T>(ended: Result<T, JoinError>) -> T {
    ended.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(error) => panic!("nobody aborts a task that is waited for: {error}"),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_that_is_gone_is_looked_for_at_once_unless_it_was_listed_a_moment_ago() {
        let at = Duration::from_secs;
        let gone = |listings: &mut Listings, now| {
            let saved = Saved {
                revision: serde_json::from_str("1").unwrap(),
                progress: ShardProgress::beginning(Position::Horizon, 1),
            };
            listings.gone("a", saved, at(now));
            assert_eq!(listings.gone["a"].without, 0);
            listings.next_at
        };
        let mut listings = Listings::new(&Kind::DynamoDb, at(100));
        assert_eq!(listings.next_at, at(130));
        assert_eq!(gone(&mut listings, 105), at(105));
        listings.next_at = at(140);
        listings.returned.insert("a".to_owned(), at(110));
        assert_eq!(gone(&mut listings, 139), at(140));
        listings.next_at = at(170);
        assert_eq!(gone(&mut listings, 140), at(140));
    }
}
