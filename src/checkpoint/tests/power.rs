//! The power goes, at every operation on the disk, and once more while the store recovers from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;

use super::super::book::{Answer, Book, Fuse, Job};
use super::super::error::Broken;
use super::super::file;
use super::super::ledger::Ledger;
use super::super::{Claim, Owner, Revision};
use super::disk::{Disk, Event, LOSSES, after_crash};
use super::{MAPPING, at, full, settled};
use crate::model::progress::{ShardProgress, WindowProgress};

/// By shard: how far it is.
pub type State = BTreeMap<String, u64>;

/// A store at work: every group that it was given, and what it holds after each.
pub struct Work {
    book: Book,
    claim: Claim,
    revisions: BTreeMap<String, Revision>,
    /// After each group, the one under way last; before them all, nothing.
    pub states: Vec<State>,
    /// How many of the groups were acknowledged.
    pub acknowledged: usize,
}

impl Work {
    /// On a disk that holds a store without any shard.
    pub fn begin(disk: &Disk) -> Self {
        let (database, ledger) = file::open_backend(Arc::new(disk.clone())).unwrap();
        let mut book = Book::new(ledger, Some(database), Fuse::default());
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let take: Job = Box::new(move |ledger: &mut Ledger| -> Answer {
            let taken = ledger.take(MAPPING, Owner::new("test"));
            Box::new(move |saved| sender.send(saved.map(|()| taken)).unwrap())
        });
        book.group([take]);
        let taken = receiver.recv().unwrap().unwrap().unwrap();
        Self {
            book,
            claim: taken.claim,
            revisions: BTreeMap::new(),
            states: vec![State::new()],
            acknowledged: 0,
        }
    }

    /// One group of first commits.
    pub fn fill(&mut self, shards: u64) {
        let jobs = (1..=shards).map(|number| -> Job {
            let claim = self.claim.clone();
            Box::new(move |ledger: &mut Ledger| -> Answer {
                let shard = format!("shardId-{number:012}");
                ledger.commit(&claim, &shard, None, at(number)).unwrap();
                Box::new(|saved| saved.unwrap())
            })
        });
        self.book.group(jobs);
    }

    /// One group, of commits and now and then of a removal; what became of it.
    pub fn group(&mut self, rng: &mut Rng) -> Result<(), Broken> {
        let mut state = self.states.last().cloned().unwrap();
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let mut jobs: Vec<Job> = Vec::new();
        for _ in 0..rng.usize(1..5) {
            let (claim, sender) = (self.claim.clone(), sender.clone());
            let shard = format!("shardId-{:012}", rng.u32(0..12));
            if rng.u32(0..10) == 0 {
                state.remove(&shard);
                self.revisions.remove(&shard);
                jobs.push(Box::new(move |ledger: &mut Ledger| -> Answer {
                    ledger.forget(&claim, &shard).unwrap();
                    Box::new(move |saved| drop(sender.try_send(saved)))
                }));
                continue;
            }
            let next = state.get(&shard).map_or(1, |number| number + 1);
            state.insert(shard.clone(), next);
            let previous = self.revisions.get(&shard).copied();
            let progress = progress(next, rng);
            let number = previous.map_or(1, |revision| revision.0 + 1);
            self.revisions.insert(shard.clone(), Revision(number));
            jobs.push(Box::new(move |ledger: &mut Ledger| -> Answer {
                ledger.commit(&claim, &shard, previous, progress).unwrap();
                Box::new(move |saved| drop(sender.try_send(saved)))
            }));
        }
        self.states.push(state);
        self.book.group(jobs);
        let saved = receiver.recv().unwrap();
        if saved.is_ok() {
            self.acknowledged += 1;
        }
        saved
    }
}

/// Small, or with the state of a window, up to several pages.
fn progress(number: u64, rng: &mut Rng) -> ShardProgress {
    match rng.u32(0..6) {
        0 => full(number),
        1 => {
            let mut progress = at(number);
            progress.window = Some(WindowProgress {
                start_ms: 0,
                length_ms: 60_000,
                state: "x".repeat(rng.usize(0..20_000)),
                terminated_early: false,
                final_failures: 0,
                final_first_failed_ms: None,
                final_last: None,
            });
            progress
        }
        _ => at(number),
    }
}

/// What a disk holds, or why it is refused; opened as at a start, recovery and all.
pub fn recovered(disk: &Disk) -> Result<State, file::Doubt> {
    let (database, mut ledger) = file::open_backend(Arc::new(disk.clone()))?;
    let taken = ledger.take(MAPPING, Owner::new("recovery")).unwrap();
    drop(database);
    let shards = taken.shards.into_iter();
    Ok(shards
        .map(|(shard, saved)| (shard, settled(&saved.progress)))
        .collect())
}

/// A disk with a store in it that nobody has used.
pub fn fresh() -> Disk {
    let disk = Disk::default();
    file::initialise(Arc::new(disk.clone()), &Ledger::new().writes()).unwrap();
    disk
}

/// Groups of which every crash is drawn up, each in four ways.
const GROUPS: usize = 7;
const SEEDS: std::ops::Range<u64> = 0..1;

#[test]
fn a_power_failure_loses_nothing_acknowledged_and_leaves_no_group_half_written() {
    let (mut images, mut twice, mut kept_unacknowledged) = (0, 0, 0);
    for seed in SEEDS {
        let mut rng = Rng::with_seed(seed);
        let disk = fresh();
        let mut work = Work::begin(&disk);
        let start = disk.bytes();
        disk.record();
        for group in 1..=GROUPS {
            disk.note(2 * group);
            work.group(&mut rng).unwrap();
            disk.note(2 * group + 1);
        }
        let states = std::mem::take(&mut work.states);
        drop(work);
        let events = disk.history();
        for crash in 0..=events.len() {
            if matches!(events.get(crash), Some(Event::Note(_))) {
                continue;
            }
            let (acknowledged, under_way) = known(&events[..crash]);
            let allowed =
                |state: &State| *state == states[acknowledged] || *state == states[under_way];
            for loss in LOSSES {
                let image = after_crash(&start, &events, crash, loss, &mut rng);
                let disk = Disk::holding(image.clone());
                disk.record();
                let state = recovered(&disk);
                let at = format!("seed {seed}, operation {crash}, {loss:?}");
                let state = state.unwrap_or_else(|doubt| panic!("{at}: {doubt:?}"));
                assert!(allowed(&state), "{at}: {state:?}");
                images += 1;
                kept_unacknowledged += usize::from(state != states[acknowledged]);

                let recovery = disk.history();
                let second = rng.usize(0..=recovery.len());
                let loss = LOSSES[rng.usize(0..LOSSES.len())];
                let image = after_crash(&image, &recovery, second, loss, &mut rng);
                let state = recovered(&Disk::holding(image));
                let at = format!("{at}, then operation {second} of the recovery, {loss:?}");
                let state = state.unwrap_or_else(|doubt| panic!("{at}: {doubt:?}"));
                assert!(allowed(&state), "{at}: {state:?}");
                twice += 1;
            }
        }
    }
    report!(
        "{images} images and {twice} of a crash in the recovery from one: none refused, none lost or ahead; \
         {kept_unacknowledged} held the group that was under way"
    );
    assert!(images > 200 && kept_unacknowledged > 0);
}

/// The last group that was acknowledged by then, and the last that was begun.
fn known(events: &[Event]) -> (usize, usize) {
    let notes = events.iter().filter_map(|event| match event {
        Event::Note(number) => Some(*number),
        _ => None,
    });
    let last = notes.max().unwrap_or(1);
    ((last - last % 2) / 2 - usize::from(last % 2 == 0), last / 2)
}

#[test]
fn notes_tell_what_was_acknowledged_and_what_was_under_way() {
    let notes = |numbers: &[usize]| {
        let events: Vec<Event> = numbers.iter().map(|number| Event::Note(*number)).collect();
        known(&events)
    };
    assert_eq!(notes(&[]), (0, 0));
    assert_eq!(notes(&[2]), (0, 1));
    assert_eq!(notes(&[2, 3]), (1, 1));
    assert_eq!(notes(&[2, 3, 4]), (1, 2));
}
