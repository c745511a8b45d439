//! Positions, seen and set. To be set, the mapping comes to rest as when it is disabled, its positions are replaced in one
//! write while nobody reads, and it is taken up again if it is to run. A crash in between finds the old ones or the new
//! ones, and an engine that comes late finds that its claim is void.
//!
//! Nothing waits for this but the request itself. Meanwhile nothing else may change of the mapping, which is where
//! ResourceInUseException has its place here: other changes wait for nobody, since they are followed one after the other.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use tokio::time::timeout;
use tracing::info;

use super::requests::Done;
use super::{Desk, existence, small};
use crate::aws::fault::{Failure, Fault};
use crate::aws::stream::{Start, Stream};
use crate::checkpoint::Store;
use crate::config::mapping::Mapping;
use crate::config::mapping::stream::Kind;
use crate::control::Refusal;
use crate::control::position::{self, Move, Page, Seek, Standing, To};
use crate::model::progress::ShardProgress;
use crate::model::shards::Listed;
use crate::stream::first_note;

/// How long the source may take to say what shards it has, and whether it knows the numbers.
const LOOK_TIME_MAX: Duration = Duration::from_secs(8);
/// How long a mapping may take to settle what it has in hand. With the look it stays within the time of an answer.
const REST_TIME_MAX: Duration = Duration::from_secs(15);
/// Mappings whose positions are set at once: each takes a place at the desk until it rests, and others must find one.
const MOVES_AT_ONCE: usize = 8;
/// So many numbers are asked about beside each other.
const BESIDE: usize = 16;
/// Whoever finds no place comes again after this.
const RETRY_AFTER_S: u64 = 5;

const VERB: &str = "set the positions of";

impl Desk {
    /// Where the mapping is.
    pub(super) async fn position(&self, uuid: &str, page: &Page) -> Result<Done, Refusal> {
        let mapping = self.registry().mapping(uuid)?.clone();
        position::stream(&mapping)?;
        self.shown(&mapping, &self.roster().now().store, page).await
    }

    /// Set where it goes on.
    pub(super) async fn seek(&self, uuid: &str, seek: &Seek, who: &str) -> Result<Done, Refusal> {
        let mapping = self.registry().mapping(uuid)?.clone();
        // Whatever can be refused is, before anybody is disturbed.
        let kind = &position::stream(&mapping)?.kind;
        let source = Stream::new(&self.parts.clients, &mapping.source, kind);
        let store = self.roster().now().store;
        let (standing, _) = standing(&store, &mapping).await?;
        let look = async {
            let listed = match seek.needs_listing() {
                true => listed(&source, &mapping).await?,
                false => Vec::new(),
            };
            seek.decide(&mapping, &standing, &listed, self.parts.clock.now_ms())?;
            placed(&source, kind, seek).await?;
            Ok(listed)
        };
        let looked = timeout(LOOK_TIME_MAX, look).await;
        let listed = looked.unwrap_or_else(|_| Err(unanswered()))?;
        let store = self.taken_out(&mapping).await?;
        let moved = self.moved(&mapping, seek, &listed, &store, who).await;
        self.back_in(&mapping).await;
        moved?;
        self.shown(&mapping, &store, &Page::default()).await
    }

    /// From now on it is to rest.
    async fn taken_out(&self, mapping: &Mapping) -> Result<Store, Refusal> {
        let mut keeping = self.changing.lock().await;
        self.free(&mapping.uuid, VERB)?;
        let is_same = {
            let registry = self.registry();
            let now = registry.mapping(&mapping.uuid)?;
            (&now.source, &now.stream) == (&mapping.source, &mapping.stream)
        };
        if !is_same {
            return Err(Refusal::in_use(VERB));
        }
        if self.moving().len() >= MOVES_AT_ONCE {
            return Err(Refusal::throttled(RETRY_AFTER_S));
        }
        let store = self.opened(&mut keeping).await;
        let store = store.map_err(|error| Refusal::internal(error.to_string()))?;
        self.moving().insert(small(&mapping.uuid));
        self.follow();
        Ok(store)
    }

    /// It goes on as its settings, and whoever holds it, say.
    async fn back_in(&self, mapping: &Mapping) {
        let _changing = self.changing.lock().await;
        self.moving().remove(&small(&mapping.uuid));
        self.follow();
    }

    async fn moved(
        &self,
        mapping: &Mapping,
        seek: &Seek,
        listed: &[Listed],
        store: &Store,
        who: &str,
    ) -> Result<(), Refusal> {
        let rests = timeout(REST_TIME_MAX, self.roster().at_rest(&mapping.uuid));
        rests
            .await
            .map_err(|_| Refusal::still_in_use(VERB, REST_TIME_MAX.as_secs()))?;
        let now_ms = self.parts.clock.now_ms();
        let (standing, noted) = standing(store, mapping).await?;
        let decided = seek.decide(mapping, &standing, listed, now_ms)?;
        let uuid = &mapping.uuid;
        let (done, shards) = match decided {
            Move::Set(instead) => {
                let (from, count) = (before(&standing, &instead), instead.len());
                // Without, those that come meanwhile would begin at StartingPosition.
                let note = (seek.concerns_all() && !noted).then(|| first_note(mapping, now_ms));
                let set = store.set_aside(uuid, instead, note, now_ms).await;
                (set.map(|()| from), count)
            }
            Move::Back => {
                let back = store.put_back(uuid).await;
                let from = "what was set last".to_owned();
                (back.map(|_| from), standing.shards.len())
            }
        };
        let from = done.map_err(|error| Refusal::internal(error.to_string()))?;
        info!(
            mapping = %mapping.name, uuid, who, from, to = seek.told(), shards,
            "positions were set by the control API; what they were is kept for one undo"
        );
        Ok(())
    }

    async fn shown(&self, mapping: &Mapping, store: &Store, page: &Page) -> Result<Done, Refusal> {
        let (standing, _) = standing(store, mapping).await?;
        Ok(Done::found(position::page(mapping, &standing, page)?))
    }
}

/// How far the mapping is, and whether it was ever started.
async fn standing(store: &Store, mapping: &Mapping) -> Result<(Standing, bool), Refusal> {
    let found = store.standing(&mapping.uuid).await;
    let found = found.map_err(|error| Refusal::internal(error.to_string()))?;
    let standing = Standing {
        shards: found.shards,
        replaced_ms: found.replaced_ms,
    };
    Ok((standing, found.noted))
}

/// The shards that the source has.
async fn listed(source: &Stream, mapping: &Mapping) -> Result<Vec<Listed>, Refusal> {
    let shards = source.list_shards().await;
    let shards = shards.map_err(|failure| existence::missing(mapping, failure))?;
    Ok(shards.into_iter().map(Listed::from).collect())
}

/// A number that the source can not place is refused here: a reader would take it for one that was trimmed, and begin at the
/// oldest record.
async fn placed(source: &Stream, kind: &Kind, seek: &Seek) -> Result<(), Refusal> {
    let mut asked = Vec::new();
    for (shard, to) in seek.numbers() {
        let (key, start) = match to {
            To::From(number) => ("SequenceNumber", Start::From(number.clone())),
            To::After(number) => ("AfterSequenceNumber", Start::After(number.clone())),
            To::Horizon | To::Latest | To::Moment { .. } => continue,
        };
        asked.push(place(
            source.clone(),
            kind.clone(),
            shard.to_owned(),
            key,
            start,
        ));
    }
    let mut answers = stream::iter(asked).buffered(BESIDE);
    while let Some(answer) = answers.next().await {
        answer?;
    }
    Ok(())
}

async fn place(
    source: Stream,
    kind: Kind,
    shard: String,
    key: &'static str,
    start: Start,
) -> Result<(), Refusal> {
    let placed = source.places(&shard, &start).await;
    placed.or_else(|failure| misplaced(&failure, &kind, &shard, key, &start))
}

fn misplaced(
    failure: &Failure,
    kind: &Kind,
    shard: &str,
    key: &str,
    start: &Start,
) -> Result<(), Refusal> {
    let refused = format!("{key}: {start} of {shard}: the stream refuses it: {failure}");
    match (failure.fault, kind) {
        // Who may subscribe may not be allowed to ask.
        (Fault::Denied, Kind::Kinesis { consumer: true, .. }) => Ok(()),
        (Fault::Invalid | Fault::Trimmed | Fault::Gone | Fault::Expired | Fault::Denied, _) => {
            Err(Refusal::invalid(refused))
        }
        (Fault::Throttled { .. }, _) => Err(Refusal::throttled(RETRY_AFTER_S)),
        (Fault::Transient, _) => Err(Refusal::internal(refused)),
    }
}

fn unanswered() -> Refusal {
    let seconds = LOOK_TIME_MAX.as_secs();
    Refusal::internal(format!(
        "The source does not say within {seconds} seconds what it has. Nothing was changed."
    ))
}

/// Where those that are set were before, in words.
fn before(standing: &Standing, instead: &BTreeMap<String, ShardProgress>) -> String {
    let Some((shard, _)) = instead.first_key_value() else {
        return "nothing".to_owned();
    };
    let position = match standing.shards.get(shard) {
        Some(progress) => progress.position.to_string(),
        None => "not begun".to_owned(),
    };
    let others = if instead.len() > 1 {
        ", and others"
    } else {
        ""
    };
    format!("{shard}: {position}{others}")
}
