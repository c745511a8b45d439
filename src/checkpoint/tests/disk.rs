//! A disk in memory that can fail, and that remembers each operation, so that every crash of it can be drawn up.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use redb::StorageBackend;

/// The unit that a disk writes whole or not at all.
pub const SECTOR_BYTES: usize = 512;

/// A disk. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    history: Option<Vec<Event>>,
    failing: Option<Window>,
    done: usize,
    read: BTreeSet<usize>,
}

/// What was done to a disk, or by its user.
#[derive(Clone, Debug)]
pub enum Event {
    Write {
        offset: usize,
        data: Vec<u8>,
    },
    SetLen(usize),
    Sync,
    /// A note of the test: something happened between two operations.
    Note(usize),
}

/// The operations from one to another, not including it, fail.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub from: usize,
    pub to: usize,
    pub kind: ErrorKind,
    /// A write that fails has written its first half.
    pub half: bool,
    /// Reading, too, is an operation that is counted and fails.
    pub reads: bool,
}

impl Disk {
    pub fn holding(bytes: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.state(|state| state.bytes = bytes);
        disk
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.state(|state| state.bytes.clone())
    }

    pub fn record(&self) {
        self.state(|state| state.history = Some(Vec::new()));
    }

    pub fn history(&self) -> Vec<Event> {
        self.state(|state| state.history.take().unwrap_or_default())
    }

    pub fn note(&self, number: usize) {
        self.log(Event::Note(number));
    }

    pub fn fail(&self, window: Option<Window>) {
        self.state(|state| {
            state.failing = window;
            state.done = 0;
        });
    }

    /// Operations since `fail`.
    pub fn done(&self) -> usize {
        self.state(|state| state.done)
    }

    /// The sectors that were read: what is in use.
    pub fn sectors_read(&self) -> BTreeSet<usize> {
        self.state(|state| state.read.clone())
    }

    fn state<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap())
    }

    fn log(&self, event: Event) {
        self.state(|state| {
            if let Some(history) = &mut state.history {
                history.push(event);
            }
        });
    }

    /// Whether this look at it fails.
    fn look(&self) -> io::Result<()> {
        let counted = self.state(|state| state.failing.is_some_and(|window| window.reads));
        match counted.then(|| self.fails()).flatten() {
            Some(window) => Err(window.kind.into()),
            None => Ok(()),
        }
    }

    /// Whether the next operation fails.
    fn fails(&self) -> Option<Window> {
        self.state(|state| {
            let number = state.done;
            state.done += 1;
            let window = state.failing?;
            (window.from..window.to).contains(&number).then_some(window)
        })
    }

    fn change(&self, event: Event) -> io::Result<()> {
        if let Some(window) = self.fails() {
            if let (true, Event::Write { offset, data }) = (window.half, &event) {
                let half = Event::Write {
                    offset: *offset,
                    data: data[..data.len() / 2].to_vec(),
                };
                self.state(|state| apply(&mut state.bytes, &half));
                self.log(half);
            }
            return Err(window.kind.into());
        }
        self.state(|state| apply(&mut state.bytes, &event));
        self.log(event);
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.look()?;
        Ok(self.state(|state| state.bytes.len()) as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.look()?;
        let offset = usize::try_from(offset).unwrap();
        self.state(|state| {
            let sectors = offset / SECTOR_BYTES..(offset + out.len()).div_ceil(SECTOR_BYTES);
            state.read.extend(sectors);
            let there = state.bytes.get(offset..offset + out.len());
            out.copy_from_slice(there.ok_or(ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Event::SetLen(usize::try_from(len).unwrap()))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(Event::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Event::Write {
            offset: usize::try_from(offset).unwrap(),
            data: data.to_vec(),
        })
    }
}

fn apply(bytes: &mut Vec<u8>, event: &Event) {
    match event {
        Event::Write { offset, data } => {
            let end = offset + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*offset..end].copy_from_slice(data);
        }
        Event::SetLen(len) => bytes.resize(*len, 0),
        Event::Sync | Event::Note(_) => {}
    }
}

/// What becomes, when the power goes, of what was not yet on the disk for certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    All,
    Nothing,
    /// Each write by itself.
    Some,
    /// As `Some`, and of each write that is kept only some sectors.
    Torn,
    /// As `Some`, and in another order; what changes the length keeps its own.
    Reordered,
}

pub const LOSSES: [Loss; 5] = [
    Loss::All,
    Loss::Nothing,
    Loss::Some,
    Loss::Torn,
    Loss::Reordered,
];

/// What the disk holds when the power goes after the first `crash` of these events, which began on `start`.
pub fn after_crash(
    start: &[u8],
    events: &[Event],
    crash: usize,
    loss: Loss,
    rng: &mut Rng,
) -> Vec<u8> {
    let mut bytes = start.to_vec();
    let mut waiting = VecDeque::new();
    for event in &events[..crash] {
        match event {
            Event::Sync => waiting.drain(..).for_each(|event| apply(&mut bytes, event)),
            Event::Write { .. } | Event::SetLen(_) => waiting.push_back(event),
            Event::Note(_) => {}
        }
    }
    if loss == Loss::Reordered {
        shuffle(waiting.make_contiguous(), rng);
    }
    for event in waiting {
        match (loss, event) {
            (Loss::All, _) => {}
            (Loss::Nothing, event) => apply(&mut bytes, event),
            (Loss::Torn, Event::Write { offset, data }) => {
                for (index, sector) in data.chunks(SECTOR_BYTES).enumerate() {
                    if rng.bool() {
                        let offset = offset + index * SECTOR_BYTES;
                        let data = sector.to_vec();
                        apply(&mut bytes, &Event::Write { offset, data });
                    }
                }
            }
            (Loss::Some | Loss::Torn | Loss::Reordered, event) => {
                if rng.bool() {
                    apply(&mut bytes, event);
                }
            }
        }
    }
    bytes
}

/// The writes in another order, in the places that they have among the rest.
fn shuffle(events: &mut [&Event], rng: &mut Rng) {
    let is_write = |event: &Event| matches!(event, Event::Write { .. });
    let places = events.iter().enumerate();
    let places = places.filter_map(|(at, event)| is_write(event).then_some(at));
    let places: Vec<usize> = places.collect();
    for last in (1..places.len()).rev() {
        events.swap(places[last], places[rng.usize(0..=last)]);
    }
}

#[test]
fn what_was_synced_survives_and_the_rest_as_the_loss_says() {
    let write = |offset, byte| Event::Write {
        offset,
        data: vec![byte; SECTOR_BYTES],
    };
    let events = [
        write(0, 1),
        Event::Sync,
        write(0, 2),
        write(SECTOR_BYTES, 3),
    ];
    let mut rng = Rng::with_seed(1);
    let mut first = |crash, loss| {
        let bytes = after_crash(&[], &events, crash, loss, &mut rng);
        (bytes.len(), bytes.first().copied())
    };
    assert_eq!(first(1, Loss::All), (0, None));
    assert_eq!(first(1, Loss::Nothing), (SECTOR_BYTES, Some(1)));
    assert_eq!(first(4, Loss::All), (SECTOR_BYTES, Some(1)));
    assert_eq!(first(4, Loss::Nothing), (2 * SECTOR_BYTES, Some(2)));
    let some: std::collections::BTreeSet<_> = (0..64).map(|_| first(4, Loss::Some)).collect();
    assert_eq!(
        some.len(),
        4,
        "each of two writes is kept or lost: {some:?}"
    );
}

#[test]
fn writes_to_one_place_come_in_any_order() {
    let write = |byte| Event::Write {
        offset: 0,
        data: vec![byte],
    };
    let events = [write(1), write(2), Event::SetLen(1), write(3)];
    let mut rng = Rng::with_seed(1);
    let last = (0..64).map(|_| after_crash(&[9], &events, 4, Loss::Reordered, &mut rng));
    let last: BTreeSet<_> = last.collect();
    assert_eq!(last, [[1], [2], [3], [9]].map(Vec::from).into());
}
