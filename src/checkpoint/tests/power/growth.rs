//! The power goes while the file grows, up to several MB: where redb once made files that never opened again.

use fastrand::Rng;

use super::super::disk::{Event, LOSSES, after_crash};
use super::super::work::{Model, fresh};
use super::crash::Life;
use super::table::{Size, Tally};

const GROUPS: usize = 6;
const REGISTRATIONS: usize = 16;
const BYTES: usize = 60_000;

/// Operations around one that changes the length or makes all before it durable.
const AROUND: usize = 2;

/// Groups that are larger than what is free in the file.
pub fn while_it_grows(size: Size, tally: &mut Tally) {
    tally.crash = true;
    let mut rng = Rng::with_seed(5);
    let groups = size.of(2, GROUPS);
    let life = Life::lived(&fresh(), Model::default(), groups, |store| {
        store.swell(REGISTRATIONS, BYTES).unwrap();
    });
    let lengths = life.events.iter().filter_map(|event| match event {
        Event::SetLen(len) => Some(*len),
        Event::Write { .. } | Event::Sync | Event::Note(_) => None,
    });
    let lengths: Vec<usize> = lengths.collect();
    let largest = lengths.iter().max().copied().unwrap_or_default();
    assert!(largest > size.of(1, 4) << 20, "{lengths:?}");
    let turning = |event: &Event| matches!(event, Event::SetLen(_) | Event::Sync);
    for crash in life.crashes() {
        let around = crash.saturating_sub(AROUND)..(crash + AROUND).min(life.events.len());
        if !life.events[around].iter().any(turning) {
            continue;
        }
        let known = life.known(crash);
        for loss in LOSSES {
            let how = format!("growing, operation {crash}, {loss:?}");
            let image = after_crash(&life.start, &life.events, crash, loss, &mut rng);
            known.open(&image, tally, &how);
        }
    }
}
