//! A store at work on a disk that can be attacked, with a model of what it has to hold after each group.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use serde_json::json;

use super::super::book::{Answer, Book, Fuse, Job};
use super::super::error::Broken;
use super::super::file;
use super::super::ledger::Ledger;
use super::super::{Claim, Owner, Revision};
use super::disk::Disk;
use super::{MAPPING, at, full, settled};
use crate::model::progress::{ShardProgress, WindowProgress};

/// What one job does.
type Change = Box<dyn FnOnce(&mut Ledger) + Send>;

/// All that a store holds, by a name for each: how far it is, or a number for it.
pub type State = BTreeMap<String, u64>;

/// Of a mapping: what is set aside when its positions are set.
#[derive(Clone, Debug, Default)]
struct Standing {
    note: Option<u64>,
    /// How far each is, and what its next commit builds on.
    shards: BTreeMap<String, (u64, Revision)>,
}

/// What a store has to hold.
#[derive(Clone, Debug, Default)]
pub struct Model {
    standing: Standing,
    aside: Option<Standing>,
    registered: State,
}

impl Model {
    pub fn state(&self) -> State {
        let aside = self.aside.as_ref().map(Standing::state);
        state(self.standing.state(), aside, self.registered.clone())
    }
}

/// A store at work: every group that it was given, and what it holds after each.
pub struct Work {
    book: Book,
    claim: Claim,
    model: Model,
    /// After each group, the one under way last; before them all, what it began with.
    pub models: Vec<Model>,
    /// How many of the groups were acknowledged.
    pub acknowledged: usize,
}

impl Work {
    /// On a disk that holds a store without any shard.
    pub fn begin(disk: &Disk) -> Self {
        Self::resume(disk, Model::default())
    }

    /// On a disk that holds this.
    pub fn resume(disk: &Disk, model: Model) -> Self {
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
            models: vec![model.clone()],
            model,
            acknowledged: 0,
        }
    }

    /// What it holds after each group; before them all, what it began with.
    pub fn states(&self) -> Vec<State> {
        self.models.iter().map(Model::state).collect()
    }

    /// One group of first commits, of which half are set aside, and of registrations.
    pub fn fill(&mut self, shards: u64) {
        let claim = self.claim.clone();
        let fill: Job = Box::new(move |ledger: &mut Ledger| -> Answer {
            for number in 1..=shards {
                if number == shards / 2 {
                    let nothing = BTreeMap::new();
                    ledger.set_aside(MAPPING, nothing, None, 7).unwrap();
                }
                let claim = match number < shards / 2 {
                    true => claim.clone(),
                    false => ledger.take(MAPPING, Owner::new("test")).unwrap().claim,
                };
                let shard = format!("shardId-{number:012}");
                ledger.commit(&claim, &shard, None, at(number)).unwrap();
                let mapping = format!("mapping-{number}");
                ledger.register(&mapping, Some(number.into())).unwrap();
            }
            Box::new(|saved| saved.unwrap())
        });
        self.book.group([fill]);
    }

    /// One group, of commits and now and then of something else; what became of it.
    pub fn group(&mut self, rng: &mut Rng) -> Result<(), Broken> {
        let works = (0..rng.usize(1..5)).map(|_| self.work(rng)).collect();
        self.hand_in(works)
    }

    /// One group of new registrations, each of so many bytes; what became of it.
    pub fn swell(&mut self, registrations: usize, bytes: usize) -> Result<(), Broken> {
        let first = self.model.registered.len();
        let works = (first..first + registrations).map(|number| -> Change {
            let mapping = format!("large-{number}");
            let number = number as u64;
            self.model.registered.insert(mapping.clone(), number);
            let entry = json!({ "number": number, "more": "x".repeat(bytes) });
            Box::new(move |ledger| ledger.register(&mapping, Some(entry)).unwrap())
        });
        let works = works.collect();
        self.hand_in(works)
    }

    fn hand_in(&mut self, works: Vec<Change>) -> Result<(), Broken> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let jobs = works.into_iter().map(|work| -> Job {
            let sender = sender.clone();
            Box::new(move |ledger: &mut Ledger| -> Answer {
                work(ledger);
                Box::new(move |saved| drop(sender.try_send(saved)))
            })
        });
        let jobs: Vec<Job> = jobs.collect();
        self.models.push(self.model.clone());
        self.book.group(jobs);
        let saved = receiver.recv().unwrap();
        if saved.is_ok() {
            self.acknowledged += 1;
        }
        saved
    }

    fn work(&mut self, rng: &mut Rng) -> Change {
        let shard = format!("shardId-{:012}", rng.u32(0..12));
        let claim = self.claim.clone();
        let standing = &mut self.model.standing;
        match rng.u32(0..16) {
            0 => {
                standing.shards.remove(&shard);
                Box::new(move |ledger| ledger.forget(&claim, &shard).unwrap())
            }
            1 => {
                let note = standing.note.map_or(1, |note| note + 1);
                standing.note = Some(note);
                Box::new(move |ledger| ledger.set_meta(&claim, note.into()).unwrap())
            }
            2 | 3 => self.register(rng),
            4 => {
                self.model.aside = Some(standing.clone());
                standing.commit(&shard, 1);
                let instead = [(shard, at(1))].into();
                let set = |ledger: &mut Ledger| {
                    ledger.set_aside(MAPPING, instead, None, 7).unwrap();
                    true
                };
                self.moved(set, true)
            }
            5 => {
                let back = self.model.aside.take();
                let there = back.map(|aside| *standing = aside).is_some();
                self.moved(|ledger| ledger.put_back(MAPPING).unwrap(), there)
            }
            _ => {
                let stored = standing.shards.get(&shard);
                let next = stored.map_or(1, |(number, _)| number + 1);
                let previous = standing.commit(&shard, next);
                let progress = progress(next, rng);
                Box::new(move |ledger| {
                    let committed = ledger.commit(&claim, &shard, previous, progress);
                    assert_eq!(committed.unwrap(), Revision::after(previous));
                })
            }
        }
    }

    /// Something registered anew, or no longer.
    fn register(&mut self, rng: &mut Rng) -> Change {
        let mapping = format!("mapping-{}", rng.u32(0..3));
        let next = self
            .model
            .registered
            .get(&mapping)
            .map_or(1, |number| number + 1);
        let entry = (rng.u32(0..3) > 0).then(|| {
            let more = "x".repeat(rng.usize(0..10_000));
            json!({ "number": next, "more": more })
        });
        match &entry {
            Some(_) => drop(self.model.registered.insert(mapping.clone(), next)),
            None => drop(self.model.registered.remove(&mapping)),
        }
        Box::new(move |ledger| ledger.register(&mapping, entry).unwrap())
    }

    /// The mapping is taken again after `work`, if that takes it away.
    fn moved(
        &mut self,
        work: impl FnOnce(&mut Ledger) -> bool + Send + 'static,
        expected: bool,
    ) -> Change {
        self.claim.generation += 1 + u64::from(expected);
        let claim = self.claim.clone();
        Box::new(move |ledger| {
            assert_eq!(work(ledger), expected);
            let taken = ledger.take(MAPPING, Owner::new("test")).unwrap();
            assert_eq!(taken.claim, claim);
        })
    }
}

impl Standing {
    /// The shard is there from now on; what that builds on.
    fn commit(&mut self, shard: &str, number: u64) -> Option<Revision> {
        let stored = self.shards.get(shard);
        let previous = stored.map(|(_, revision)| *revision);
        let committed = (number, Revision::after(previous));
        self.shards.insert(shard.to_owned(), committed);
        previous
    }

    fn state(&self) -> State {
        let shards = self.shards.iter();
        let shards =
            shards.flat_map(|(shard, (number, revision))| named(shard, *number, *revision));
        shards.chain(named_note(self.note)).collect()
    }
}

fn named(shard: &str, number: u64, Revision(revision): Revision) -> [(String, u64); 2] {
    let of_it = format!("{shard}, revision");
    [(shard.to_owned(), number), (of_it, revision)]
}

fn named_note(note: Option<u64>) -> Option<(String, u64)> {
    note.map(|note| ("note".to_owned(), note))
}

/// Everything under a name of its own.
fn state(standing: State, aside: Option<State>, registered: State) -> State {
    let under = |room: &str, state: State| -> Vec<(String, u64)> {
        let state = state.into_iter();
        state
            .map(|(name, number)| (format!("{room}{name}"), number))
            .collect()
    };
    let mut all = standing;
    all.extend(under("registered ", registered));
    if let Some(aside) = aside {
        all.insert("aside".to_owned(), 1);
        all.extend(under("aside ", aside));
    }
    all
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
    let (database, ledger) = file::open_backend(Arc::new(disk.clone()))?;
    drop(database);
    Ok(held(ledger))
}

/// What a ledger holds.
pub fn held(mut ledger: Ledger) -> State {
    let now = standing(&mut ledger);
    let aside = ledger.put_back(MAPPING).unwrap();
    let aside = aside.then(|| standing(&mut ledger));
    let registered = ledger.registered().into_iter().map(|(mapping, entry)| {
        let number = entry.as_u64().or_else(|| entry["number"].as_u64());
        (mapping, number.unwrap())
    });
    state(now, aside, registered.collect())
}

fn standing(ledger: &mut Ledger) -> State {
    let taken = ledger.take(MAPPING, Owner::new("recovery")).unwrap();
    let note = taken.meta.map(|meta| meta.as_u64().unwrap());
    let shards = taken.shards.iter();
    let shards =
        shards.flat_map(|(shard, saved)| named(shard, settled(&saved.progress), saved.revision));
    shards.chain(named_note(note)).collect()
}

/// What these states have more than shards.
pub fn assert_varied(states: &[State]) {
    for name in [
        "note",
        "registered mapping-1",
        "aside",
        "aside note",
        "aside shardId-",
    ] {
        let mut names = states.iter().flat_map(State::keys);
        assert!(
            names.any(|found| found.starts_with(name)),
            "{name}: {states:?}"
        );
    }
}

/// A disk with a store in it that nobody has used.
pub fn fresh() -> Disk {
    let disk = Disk::default();
    file::initialise(Arc::new(disk.clone()), &Ledger::new().writes()).unwrap();
    disk
}
