//! The disk refuses: it is full, or broken, for some operations or for all from one on.

use std::io::ErrorKind;

use fastrand::Rng;

use super::disk::{Disk, LOSSES, Window, after_crash};
use super::power::{Work, fresh, recovered};

const GROUPS: usize = 6;

/// How long the disk refuses, in operations.
const WIDTHS: [usize; 3] = [1, 3, usize::MAX / 2];

const KINDS: [ErrorKind; 2] = [ErrorKind::StorageFull, ErrorKind::Other];

#[test]
fn after_a_failed_write_nothing_is_saved_any_more_and_nothing_acknowledged_is_lost() {
    let operations = {
        let disk = fresh();
        let mut work = Work::begin(&disk);
        disk.fail(None);
        let mut rng = Rng::with_seed(3);
        (0..GROUPS).for_each(|_| work.group(&mut rng).unwrap());
        disk.done()
    };
    let (mut runs, mut failed) = (0, 0);
    let mut choice = Rng::with_seed(4);
    for from in 0..operations {
        for width in WIDTHS {
            let kind = KINDS[runs % KINDS.len()];
            let disk = fresh();
            let mut work = Work::begin(&disk);
            let start = disk.bytes();
            disk.record();
            disk.fail(Some(Window {
                from,
                to: from + width,
                kind,
                half: choice.bool(),
            }));
            let at = format!("{kind:?} from operation {from} for {width}");
            let reasons = run(&mut work);
            let states = std::mem::take(&mut work.states);
            let acknowledged = work.acknowledged;
            // The first that failed may be there; whatever came later was not even begun.
            let under_way = (acknowledged + 1).min(states.len() - 1);
            drop(work);
            runs += 1;
            if let [first, later @ ..] = reasons.as_slice() {
                failed += 1;
                assert_eq!(acknowledged + reasons.len(), GROUPS, "{at}");
                assert!(
                    later.iter().all(|reason| reason == first),
                    "{at}: {reasons:?}"
                );
                assert!(first.contains("failed to write"), "{at}: {first}");
            }
            disk.fail(None);
            let events = disk.history();
            let loss = LOSSES[runs % LOSSES.len()];
            let image = after_crash(&start, &events, events.len(), loss, &mut choice);
            for disk in [disk, Disk::holding(image)] {
                let state = recovered(&disk);
                let state = state.unwrap_or_else(|doubt| panic!("{at}: {doubt:?}"));
                assert!(
                    state == states[acknowledged] || state == states[under_way],
                    "{at}: {state:?}"
                );
            }
        }
    }
    eprintln!(
        "{runs} windows of failure, {failed} of which met a group: nothing acknowledged lost"
    );
    assert!(failed * 10 > runs * 9, "{failed} of {runs}");
}

/// The reasons of the groups that failed.
fn run(work: &mut Work) -> Vec<String> {
    let mut rng = Rng::with_seed(3);
    let groups = (0..GROUPS).map(|_| work.group(&mut rng));
    groups
        .filter_map(|saved| saved.err().map(|broken| broken.to_string()))
        .collect()
}
