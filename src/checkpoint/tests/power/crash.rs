//! The power goes, at every operation on the disk, and once more while the store recovers from it.

use fastrand::Rng;

use super::super::disk::{Disk, Event, LOSSES, after_crash};
use super::super::work::{Model, State, Work, assert_varied, fresh};
use super::image::Known;
use super::table::{Size, Tally};

/// The first of the seeds: one whose lives have something of everything.
const SEED: u64 = 6;
/// Starts of a process, each on what the crash before it left.
const LIVES: usize = 3;
/// Groups in a life.
const GROUPS: usize = 4;
/// Of so many images one is also looked into and gone on with.
const USED: usize = 8;

/// What a life did to its disk.
pub struct Life {
    pub start: Vec<u8>,
    pub events: Vec<Event>,
    pub models: Vec<Model>,
    pub states: Vec<State>,
}

impl Life {
    /// On what this disk holds: what `work` does to the store, with `groups` of it, and the close.
    pub fn lived(
        disk: &Disk,
        model: Model,
        groups: usize,
        mut work: impl FnMut(&mut Work),
    ) -> Self {
        let mut store = Work::resume(disk, model);
        let start = disk.bytes();
        disk.record();
        for group in 1..=groups {
            disk.note(2 * group);
            work(&mut store);
            disk.note(2 * group + 1);
        }
        let (models, states) = (store.models.clone(), store.states());
        drop(store);
        let events = disk.history();
        Self {
            start,
            events,
            models,
            states,
        }
    }

    /// After how many operations a crash makes a difference.
    pub fn crashes(&self) -> impl Iterator<Item = usize> {
        let noted = |crash: &usize| matches!(self.events.get(*crash), Some(Event::Note(_)));
        (0..=self.events.len()).filter(move |crash| !noted(crash))
    }

    pub fn known(&self, crash: usize) -> Known<'_> {
        let (acknowledged, under_way) = known(&self.events[..crash]);
        Known::crashed(&self.models, &self.states, acknowledged, under_way)
    }
}

/// A seed's lives.
fn lives(seed: u64, rng: &mut Rng) -> Vec<Life> {
    let (mut disk, mut model) = (fresh(), Model::default());
    let mut lives = Vec::new();
    for life in 1..=LIVES {
        let lived = Life::lived(&disk, model.clone(), GROUPS, |store| {
            store.group(rng).unwrap();
        });
        let crash = rng.usize(0..=lived.events.len());
        let loss = LOSSES[rng.usize(0..LOSSES.len())];
        let image = after_crash(&lived.start, &lived.events, crash, loss, rng);
        let at = lived.known(crash).open(
            &image,
            &mut Tally::default(),
            &format!("seed {seed}, life {life}"),
        );
        model = lived.models[at.expect("it is not refused")].clone();
        disk = Disk::holding(image);
        lives.push(lived);
    }
    lives
}

/// Each operation of each life, with each kind of loss.
pub fn at_each_operation(size: Size, tally: &mut Tally) {
    tally.crash = true;
    let mut states = Vec::new();
    for seed in SEED..SEED + size.of(1, 20) {
        let mut rng = Rng::with_seed(seed);
        for (number, life) in lives(seed, &mut rng).into_iter().enumerate() {
            for crash in life.crashes() {
                let known = life.known(crash);
                for loss in LOSSES {
                    let how = format!("seed {seed}, life {number}, operation {crash}, {loss:?}");
                    let image = after_crash(&life.start, &life.events, crash, loss, &mut rng);
                    let at = known.open(&image, tally, &how);
                    if let (true, Some(at)) = (tally.images().is_multiple_of(USED), at) {
                        known.use_on(&image, at, &mut rng, &how);
                    }
                }
            }
            states.extend(life.states);
        }
    }
    assert_varied(&states);
    assert!(tally.under_way > 0, "{tally:?}");
}

/// Some crashes, and after each of them another at every operation of the recovery, and a third in the recovery from that.
pub fn in_the_recovery(size: Size, tally: &mut Tally) {
    tally.crash = true;
    for seed in SEED..SEED + size.of(1, 15) {
        let mut rng = Rng::with_seed(1000 + seed);
        for (number, life) in lives(seed, &mut rng).into_iter().enumerate() {
            for _ in 0..size.of(2, 12) {
                let crash = rng.usize(0..=life.events.len());
                let loss = LOSSES[rng.usize(0..LOSSES.len())];
                let how = format!("seed {seed}, life {number}, operation {crash}, {loss:?}");
                let first = after_crash(&life.start, &life.events, crash, loss, &mut rng);
                let known = life.known(crash);
                let recovery = recovery(&known, &first, &how);
                for second in 0..=recovery.len() {
                    let loss = LOSSES[rng.usize(0..LOSSES.len())];
                    let how = format!("{how}, then operation {second} of the recovery, {loss:?}");
                    let image = after_crash(&first, &recovery, second, loss, &mut rng);
                    known.open(&image, tally, &how);
                }
            }
        }
    }
    assert!(tally.under_way > 0, "{tally:?}");
}

/// What opening this does to the disk.
fn recovery(known: &Known<'_>, image: &[u8], how: &str) -> Vec<Event> {
    let disk = Disk::holding(image.to_vec());
    disk.record();
    known.open_on(&disk, &mut Tally::default(), how);
    disk.history()
}

/// The last group that was acknowledged by then, and the last that was begun.
fn known(events: &[Event]) -> (usize, usize) {
    let notes = events.iter().filter_map(|event| match event {
        Event::Note(number) => Some(*number),
        Event::Write { .. } | Event::SetLen(_) | Event::Sync => None,
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
