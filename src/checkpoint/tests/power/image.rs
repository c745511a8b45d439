//! What a file holds after an attack, against what it may hold.

use std::sync::Arc;

use super::super::super::error::StoreError;
use super::super::super::file::{self, Doubt};
use super::super::super::ledger::Ledger;
use super::super::disk::Disk;
use super::super::work::{Model, State, Work, held, recovered};
use super::table::{Outcome, Tally};
use fastrand::Rng;
use std::path::Path;

/// What was committed, and how much of it has to be there.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// After each group, from the beginning on.
    pub models: &'a [Model],
    pub states: &'a [State],
    /// The last that was acknowledged.
    pub acknowledged: usize,
    /// The last that was begun.
    pub under_way: usize,
    /// The oldest that may be there.
    pub oldest: usize,
    /// Whether it may be refused.
    pub may_refuse: bool,
}

impl<'a> Known<'a> {
    /// After a crash: nothing is forgiven.
    pub fn crashed(
        models: &'a [Model],
        states: &'a [State],
        acknowledged: usize,
        under_way: usize,
    ) -> Self {
        Self {
            models,
            states,
            acknowledged,
            under_way,
            oldest: acknowledged,
            may_refuse: false,
        }
    }

    /// Of a store that stands still, all of it acknowledged, under damage: it may be refused, and `back` groups may be missing.
    pub fn damaged(models: &'a [Model], states: &'a [State], back: usize) -> Self {
        let last = states.len() - 1;
        Self {
            models,
            states,
            acknowledged: last,
            under_way: last,
            oldest: last - back,
            may_refuse: true,
        }
    }

    /// Which of the states this is.
    fn place(&self, state: &State) -> Option<(usize, Outcome)> {
        let found = |at: usize, outcome| (self.states[at] == *state).then_some((at, outcome));
        found(self.acknowledged, Outcome::Acknowledged)
            .or_else(|| found(self.under_way, Outcome::UnderWay))
            .or_else(|| {
                let earlier = self.oldest..self.acknowledged;
                earlier.rev().find_map(|at| found(at, Outcome::Earlier))
            })
    }

    /// Opens this image as a start does, and counts what came of it. Where it opens, the place in the history that it is at.
    pub fn open(&self, bytes: &[u8], tally: &mut Tally, how: &str) -> Option<usize> {
        let disk = Disk::holding(bytes.to_vec());
        self.open_on(&disk, tally, how)
    }

    /// Likewise, on this disk.
    pub fn open_on(&self, disk: &Disk, tally: &mut Tally, how: &str) -> Option<usize> {
        let before = self.may_refuse.then(|| disk.bytes());
        match recovered(disk) {
            Ok(state) => {
                let place = self.place(&state);
                let (at, outcome) =
                    place.unwrap_or_else(|| panic!("{how}: silently wrong: {state:?}"));
                tally.count(outcome);
                Some(at)
            }
            Err(doubt) => {
                assert!(self.may_refuse, "{how}: refused: {doubt:?}");
                assert!(
                    before.is_some_and(|before| before == disk.bytes()),
                    "{how}: it was changed"
                );
                refused(doubt, tally, how);
                self.salvage(disk, how);
                None
            }
        }
    }

    /// What an export of a refused file gives out was committed once, each entry of it.
    fn salvage(&self, disk: &Disk, how: &str) {
        let Ok((ledger, _)) = examined(disk) else {
            return;
        };
        for (name, value) in held(ledger) {
            let once = self.states.iter();
            let mut once = once.map(|state| state.get(&name));
            assert!(
                once.any(|committed| committed == Some(&value)),
                "{how}: exported, and never committed: {name} {value}"
            );
        }
    }

    /// What people do with a file that opens: look into it, which changes nothing, and go on with it.
    pub fn use_on(&self, bytes: &[u8], at: usize, rng: &mut Rng, how: &str) {
        let disk = Disk::holding(bytes.to_vec());
        disk.record();
        let (ledger, flaws) = examined(&disk).unwrap_or_else(|doubt| panic!("{how}: {doubt:?}"));
        assert!(disk.history().is_empty(), "{how}: looking changed it");
        assert_eq!(flaws, [""; 0], "{how}");
        assert!(
            held(ledger) == self.states[at],
            "{how}: it reads differently"
        );

        let mut work = Work::resume(&disk, self.models[at].clone());
        work.group(rng).unwrap();
        let states = work.states();
        drop(work);
        let state = recovered(&disk).unwrap_or_else(|doubt| panic!("{how}, used: {doubt:?}"));
        assert_eq!(state, states[1], "{how}, used");
    }
}

/// What `verify` and `export` read, and what they find wrong.
pub fn examined(disk: &Disk) -> Result<(Ledger, Vec<String>), Doubt> {
    let mut flaws = Vec::new();
    let ledger = file::examine(&(Arc::new(disk.clone()) as _), &mut flaws)?;
    Ok((ledger, flaws))
}

/// A refusal says what is wrong and what to do.
pub fn refused(doubt: Doubt, tally: &mut Tally, how: &str) {
    let error = doubt.about(Path::new("checkpoints.db"));
    let text = error.to_string();
    let way_out = match &error {
        StoreError::Damaged { .. } => "`sluicegate checkpoint export` prints what is whole",
        StoreError::Newer { .. } => "run the version that wrote it",
        StoreError::Io { .. } => "failed to use the checkpoint file checkpoints.db: ",
        other => panic!("{how}: {other}"),
    };
    assert!(
        text.contains(way_out) && !text.contains('\n'),
        "{how}: {text}"
    );
    tally.by_panic += usize::from(text.contains("ends in a panic"));
    tally.count(Outcome::Refused);
}
