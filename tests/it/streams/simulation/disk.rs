//! A disk that outlives the process. A kill in the middle of a write leaves what was synced, and of the rest all, nothing,
//! some writes or some sectors of them; a disk that fails says so, and goes on failing until it is mended.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use redb::StorageBackend;
use sluicegate::checkpoint::{Owner, Store};
use sluicegate::model::progress::ShardProgress;
use sluicegate::sim::World;
use tokio::sync::Notify;

use super::judge::Kept;

/// The unit that a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;
/// One sync of so many is looked at: what a crash right behind it would leave.
const LOOKED_AT: u32 = 3;

/// A disk. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    bytes: Vec<u8>,
    /// What survives a loss of power, whatever happens.
    synced: Vec<u8>,
    /// What was written since.
    unsynced: Vec<Write>,
    rng: fastrand::Rng,
    world: World,
    /// Whose checkpoints are looked at behind syncs; none: they are not.
    mapping: Option<String>,
    /// Writes and syncs.
    done: u64,
    armed: Option<Armed>,
    failing: Option<Failing>,
    /// As the kill left it.
    frozen: Option<Vec<u8>>,
    seen: Seen,
}

/// What came of a disk.
#[derive(Debug, Default)]
pub struct Seen {
    /// What a crash behind a sync would have left.
    pub kept: Vec<Kept>,
    /// Images that were opened.
    pub images: u64,
    pub harm: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Debug)]
enum Write {
    At(usize, Vec<u8>),
    Len(usize),
}

#[derive(Debug)]
struct Armed {
    /// Counts writes and syncs from now on, from 1.
    number: u64,
    loss: Loss,
    notice: Arc<Notify>,
}

#[derive(Clone, Copy, Debug)]
struct Failing {
    /// Counts down the writes and syncs until then.
    until: u64,
    how: Failure,
    /// When it first did.
    since: Option<Duration>,
}

/// What becomes of what was written and not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The process is killed, and nothing else happens.
    Nothing,
    /// The power goes, too: nothing of it is kept,
    All,
    /// some of the writes are,
    Some,
    /// or some of their sectors.
    Torn,
}

pub const LOSSES: [Loss; 4] = [Loss::Nothing, Loss::All, Loss::Some, Loss::Torn];

/// How a disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Full,
    Write,
    Sync,
}

pub const FAILURES: [Failure; 3] = [Failure::Full, Failure::Write, Failure::Sync];

impl Loss {
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::All => Some("WritesLost"),
            Self::Some => Some("WritesReordered"),
            Self::Torn => Some("WritesTorn"),
        }
    }
}

impl Failure {
    fn name(self) -> &'static str {
        match self {
            Self::Full => "DiskFull",
            Self::Write => "DiskWriteFails",
            Self::Sync => "DiskSyncFails",
        }
    }

    fn error(self) -> io::Error {
        match self {
            Self::Full => io::ErrorKind::StorageFull.into(),
            Self::Write | Self::Sync => io::Error::other("input/output error"),
        }
    }
}

/// The kinds of harm that come to a disk.
pub fn harms() -> impl Iterator<Item = &'static str> {
    let losses = LOSSES.into_iter().filter_map(Loss::name);
    losses.chain(FAILURES.map(Failure::name))
}

impl Disk {
    /// An empty one.
    pub fn new(world: &World, seed: u64) -> Self {
        Self::holding(Vec::new(), world, fastrand::Rng::with_seed(seed))
    }

    fn holding(bytes: Vec<u8>, world: &World, rng: fastrand::Rng) -> Self {
        Self(Arc::new(Mutex::new(State {
            synced: bytes.clone(),
            bytes,
            unsynced: Vec::new(),
            rng,
            world: world.clone(),
            mapping: None,
            done: 0,
            armed: None,
            failing: None,
            frozen: None,
            seen: Seen::default(),
        })))
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    /// From now on it is looked at what a crash would leave of this mapping.
    pub fn look_at(&self, mapping: &str) {
        self.with(|state| state.mapping = Some(mapping.to_owned()));
    }

    /// The world ends for the service at this write or sync: no call of it has an effect any more. The notice is given
    /// then.
    pub fn kill_at(&self, number: u64, loss: Loss) -> Arc<Notify> {
        let notice = Arc::new(Notify::new());
        let armed = Armed {
            number,
            loss,
            notice: notice.clone(),
        };
        self.with(|state| state.armed = Some(armed));
        notice
    }

    /// It fails at this write or sync, and from then on.
    pub fn fail_at(&self, number: u64, how: Failure) {
        let failing = Failing {
            until: number,
            how,
            since: None,
        };
        self.with(|state| state.failing = Some(failing));
    }

    /// Neither a kill nor a failure is to come. A disk that has failed goes on failing.
    pub fn disarm(&self) {
        self.with(|state| {
            state.armed = None;
            state.failing.take_if(|failing| failing.since.is_none());
        });
    }

    /// Since when it fails.
    pub fn failed(&self) -> Option<Duration> {
        self.with(|state| state.failing?.since)
    }

    /// How often it was written or synced.
    pub fn done(&self) -> u64 {
        self.with(|state| state.done)
    }

    /// What was seen until now.
    pub fn seen(&self) -> Seen {
        self.with(|state| std::mem::take(&mut state.seen))
    }

    /// What the next life finds, on a disk that is well.
    pub fn left(&self, loss: Loss) -> Self {
        self.with(|state| {
            let frozen = state.frozen.take();
            let bytes = frozen.unwrap_or_else(|| state.crashed(loss));
            Self::holding(bytes, &state.world, state.rng.fork())
        })
    }

    /// What other ends of this moment would have left of a mapping, each opened.
    pub fn ends(&self, mapping: &str) -> Vec<BTreeMap<String, ShardProgress>> {
        let images: Vec<Vec<u8>> = self.with(|state| LOSSES.map(|loss| state.crashed(loss)).into());
        let world = self.with(|state| state.world.clone());
        let open = |image| shards(image, mapping, &world);
        images.into_iter().map(open).collect()
    }
}

/// What an image holds of a mapping.
fn shards(image: Vec<u8>, mapping: &str, world: &World) -> BTreeMap<String, ShardProgress> {
    let disk = Disk::holding(image, world, fastrand::Rng::with_seed(0));
    let store = Store::on(disk).expect("what a crash leaves is opened");
    let judge = Owner::new("judge");
    let taken = store.take(mapping, &judge).now_or_never();
    let taken = taken.expect("a store in memory does not wait");
    let shards = taken.expect("it is not broken").shards.into_iter();
    shards.map(|(id, saved)| (id, saved.progress)).collect()
}

impl State {
    /// One more write or sync: whether it may be done.
    fn next(&mut self, write: Option<Write>) -> io::Result<()> {
        self.done += 1;
        if let Some(failing) = &mut self.failing {
            failing.until = failing.until.saturating_sub(1);
            let is_sync = write.is_none();
            if failing.until == 0 && is_sync == (failing.how == Failure::Sync) {
                if failing.since.is_none() {
                    failing.since = Some(self.world.clock().elapsed());
                    *self.seen.harm.entry(failing.how.name()).or_default() += 1;
                }
                let error = failing.how.error();
                // The first half of it is there all the same.
                if let Some(Write::At(offset, data)) = write {
                    let half = data[..data.len() / 2].to_vec();
                    self.note(Write::At(offset, half));
                }
                return Err(error);
            }
        }
        if let Some(write) = write {
            self.note(write);
        }
        if let Some(armed) = &mut self.armed {
            armed.number -= 1;
        }
        if let Some(armed) = self.armed.take_if(|armed| armed.number == 0) {
            let unsynced = !self.unsynced.is_empty();
            if let Some(name) = armed.loss.name().filter(|_| unsynced) {
                *self.seen.harm.entry(name).or_default() += 1;
            }
            self.frozen = Some(self.crashed(armed.loss));
            // The process runs on to its next call, which has no effect.
            self.world.crash_at(1);
            armed.notice.notify_one();
        }
        Ok(())
    }

    fn note(&mut self, write: Write) {
        apply(&mut self.bytes, &write);
        self.unsynced.push(write);
    }

    fn crashed(&mut self, loss: Loss) -> Vec<u8> {
        let mut image = match loss {
            Loss::Nothing => return self.bytes.clone(),
            Loss::All => return self.synced.clone(),
            Loss::Some | Loss::Torn => self.synced.clone(),
        };
        for write in &self.unsynced {
            match write {
                Write::At(offset, data) if loss == Loss::Torn => {
                    let sectors = data
                        .chunks(SECTOR_BYTES)
                        .zip((*offset..).step_by(SECTOR_BYTES));
                    for (sector, offset) in sectors.filter(|_| self.rng.bool()) {
                        apply(&mut image, &Write::At(offset, sector.to_vec()));
                    }
                }
                write if self.rng.bool() => apply(&mut image, write),
                Write::At(..) | Write::Len(_) => {}
            }
        }
        image
    }

    fn look(&mut self) {
        let Some(mapping) = self.mapping.clone().filter(|_| self.frozen.is_none()) else {
            return;
        };
        if self.rng.u32(..LOOKED_AT) > 0 {
            return;
        }
        self.seen.images += 1;
        self.seen.kept.push(Kept {
            place: self.world.history_len(),
            at: self.world.clock().elapsed(),
            shards: shards(self.synced.clone(), &mapping, &self.world),
            goes_on: true,
        });
    }
}

fn apply(bytes: &mut Vec<u8>, write: &Write) {
    match write {
        Write::At(offset, data) => {
            let end = offset + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*offset..end].copy_from_slice(data);
        }
        Write::Len(len) => bytes.resize(*len, 0),
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.with(|state| state.bytes.len()) as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.with(|state| {
            let there = state.bytes.get(offset..offset + out.len());
            out.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).unwrap();
        self.with(|state| state.next(Some(Write::Len(len))))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|state| {
            state.next(None)?;
            let unsynced = std::mem::take(&mut state.unsynced);
            for write in &unsynced {
                apply(&mut state.synced, write);
            }
            state.look();
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.with(|state| state.next(Some(Write::At(offset, data.to_vec()))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_fails_while_nothing_comes_ends_the_service() {
    let mut stage = crate::streams::StreamStage::kinesis(1, 1);
    stage.answers(|_| sluicegate::sim::Reply::ok("{}"));
    let disk = Disk::new(stage.world(), 1);
    stage.stage.store = Store::on(disk.clone()).unwrap();
    let mut running = stage.start("TRIM_HORIZON", &[]);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(stage.stage.status.readiness().ready);
    disk.fail_at(1, Failure::Sync);
    // The note about the mapping is renewed so often.
    let soon = Duration::from_secs(400);
    let ended = tokio::time::timeout(soon, running.ended()).await;
    assert!(ended.is_ok(), "it goes on");
    assert!(stage.stage.store.broken().is_some());
    assert!(!stage.stage.status.readiness().ready);
}
