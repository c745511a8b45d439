//! The disk refuses: it is full, or broken, for some operations or for all from one on.

use std::io::ErrorKind;
use std::sync::Arc;

use fastrand::Rng;

use super::super::super::file::{self, Doubt};
use super::super::disk::{Disk, LOSSES, Window, after_crash};
use super::super::work::{Model, Work, assert_varied, fresh, recovered};
use super::image::{Known, refused};
use super::table::{Size, Tally};

const GROUPS: usize = 4;

/// Of groups that differ.
const SEED: u64 = 96;

/// How long the disk refuses, in operations.
const WIDTHS: [usize; 3] = [1, 3, usize::MAX / 2];

const KINDS: [ErrorKind; 2] = [ErrorKind::StorageFull, ErrorKind::Other];

/// After a failed write nothing is saved any more, and nothing that was acknowledged is lost; with the power going then, too.
pub fn at_work(size: Size, tally: &mut Tally) {
    tally.crash = true;
    for seed in SEED..SEED + size.of(1, 6) {
        let operations = {
            let disk = fresh();
            let mut work = Work::begin(&disk);
            disk.fail(None);
            let mut rng = Rng::with_seed(seed);
            (0..GROUPS).for_each(|_| work.group(&mut rng).unwrap());
            if seed == SEED {
                assert_varied(&work.states());
            }
            disk.done()
        };
        let mut failed = 0;
        let mut choice = Rng::with_seed(seed + 4);
        for from in 0..operations {
            for (run, width) in WIDTHS.into_iter().enumerate() {
                let window = Window {
                    from,
                    to: from + width,
                    kind: KINDS[(from + run) % KINDS.len()],
                    half: choice.bool(),
                    reads: false,
                };
                failed += usize::from(met(seed, window, &mut choice, tally));
            }
        }
        let runs = operations * WIDTHS.len();
        assert!(failed * 10 > runs * 9, "{failed} of {runs}");
    }
}

/// Groups on a disk that fails so; whether one of them met it.
fn met(seed: u64, window: Window, choice: &mut Rng, tally: &mut Tally) -> bool {
    let how = format!("seed {seed}, {window:?}");
    let disk = fresh();
    let mut work = Work::begin(&disk);
    let start = disk.bytes();
    disk.record();
    disk.fail(Some(window));
    let mut rng = Rng::with_seed(seed);
    let groups = (0..GROUPS).map(|_| work.group(&mut rng));
    let reasons: Vec<String> = groups
        .filter_map(|saved| saved.err().map(|broken| broken.to_string()))
        .collect();
    let (models, states) = (work.models.clone(), work.states());
    let acknowledged = work.acknowledged;
    // The first that failed may be there; whatever came later was not even begun.
    let under_way = (acknowledged + 1).min(states.len() - 1);
    drop(work);
    if let [first, later @ ..] = reasons.as_slice() {
        assert_eq!(acknowledged + reasons.len(), GROUPS, "{how}");
        assert!(
            later.iter().all(|reason| reason == first),
            "{how}: {reasons:?}"
        );
        assert!(first.contains("failed to write"), "{how}: {first}");
    }
    disk.fail(None);
    let events = disk.history();
    let known = Known::crashed(&models, &states, acknowledged, under_way);
    known.open_on(&disk, tally, &how);
    for loss in LOSSES {
        let image = after_crash(&start, &events, events.len(), loss, choice);
        known.open(&image, tally, &format!("{how}, {loss:?}"));
    }
    !reasons.is_empty()
}

/// A start that meets a broken disk says that, and not that the file is damaged, and leaves it as good as it was.
pub fn at_the_start(size: Size, tally: &mut Tally) {
    tally.crash = true;
    let disk = fresh();
    let mut work = Work::resume(&disk, Model::default());
    let mut rng = Rng::with_seed(SEED);
    (0..GROUPS).for_each(|_| work.group(&mut rng).unwrap());
    let crashed = disk.bytes();
    let (models, states) = (work.models.clone(), work.states());
    drop(work);
    let known = Known::crashed(&models, &states, GROUPS, GROUPS);
    for (image, which) in [(crashed, "after a crash"), (disk.bytes(), "after a close")] {
        let none = Window {
            from: usize::MAX,
            to: usize::MAX,
            kind: ErrorKind::Other,
            half: false,
            reads: true,
        };
        let disk = Disk::holding(image.clone());
        disk.fail(Some(none));
        recovered(&disk).unwrap();
        let operations = disk.done();
        for from in (0..operations).step_by(size.of(5, 1)) {
            for (run, width) in WIDTHS.into_iter().enumerate() {
                let window = Window {
                    from,
                    to: from + width,
                    kind: KINDS[(from + run) % KINDS.len()],
                    half: rng.bool(),
                    reads: true,
                };
                let how = format!("{which}, {window:?}");
                let disk = Disk::holding(image.clone());
                disk.record();
                disk.fail(Some(window));
                match file::open_backend(Arc::new(disk.clone())) {
                    // It met only the close.
                    Ok((database, _)) => drop(database),
                    Err(doubt @ Doubt::Io(_)) => refused(doubt, &mut Tally::default(), &how),
                    Err(doubt) => panic!("{how}: {doubt:?}"),
                }
                disk.fail(None);
                let events = disk.history();
                known.open_on(&disk, tally, &how);
                let loss = LOSSES[rng.usize(0..LOSSES.len())];
                let torn = after_crash(&image, &events, events.len(), loss, &mut rng);
                known.open(&torn, tally, &format!("{how}, {loss:?}"));
            }
        }
    }
}
