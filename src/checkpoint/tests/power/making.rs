//! The power goes while a file is made of an export: under its own name there is nothing, or all of it.

use std::fs;
use std::sync::Arc;

use fastrand::Rng;

use super::super::super::file;
use super::super::super::ledger::Ledger;
use super::super::super::{export, import, verify};
use super::super::disk::{Disk, Event, LOSSES, after_crash};
use super::super::work::{Model, State, Work, fresh, held, recovered};
use super::image::{Known, examined};
use super::table::{Size, Tally};

/// A store to export, and what it holds.
fn exporting() -> (Disk, State) {
    let disk = fresh();
    let mut work = Work::resume(&disk, Model::default());
    let mut rng = Rng::with_seed(12);
    (0..8).for_each(|_| work.group(&mut rng).unwrap());
    let state = work.states().pop().unwrap();
    drop(work);
    (disk, state)
}

pub fn in_an_import(size: Size, tally: &mut Tally) {
    tally.crash = true;
    let (exported, state) = exporting();
    let content = {
        let (ledger, flaws) = examined(&exported).unwrap();
        assert_eq!(flaws, [""; 0]);
        let text = serde_json::to_string(&ledger.export()).unwrap();
        Ledger::import(serde_json::from_str(&text).unwrap())
            .unwrap()
            .writes()
    };
    let disk = Disk::default();
    disk.record();
    file::initialise(Arc::new(disk.clone()), &content).unwrap();
    let mut events = disk.history();
    // As `create` does before it gives the file its name.
    events.push(Event::Sync);

    let mut rng = Rng::with_seed(13);
    let folder = tempfile::tempdir().unwrap();
    for crash in 0..=events.len() {
        for (number, loss) in LOSSES.into_iter().enumerate() {
            let how = format!("import, operation {crash}, {loss:?}");
            let image = after_crash(&[], &events, crash, loss, &mut rng);
            let whole = [state.clone()];
            let model = [Model::default()];
            let mut known = Known::damaged(&model, &whole, 0);
            // From here on it may bear its name.
            known.may_refuse = crash < events.len();
            known.open(&image, tally, &how);
            if size.of(crash == events.len() / 2, number == crash % LOSSES.len()) {
                beside(folder.path(), &image, &exported.bytes(), &state, &how);
            }
        }
    }
    assert!(tally.acknowledged >= LOSSES.len() && tally.refused > 0);
}

/// An unfinished file that was left behind is in nobody's way, and is never taken for the store.
fn beside(folder: &std::path::Path, left: &[u8], exported: &[u8], state: &State, how: &str) {
    let (from, to) = (folder.join("from.db"), folder.join("to.db"));
    let unfinished = folder.join("to.db.new-0");
    fs::write(&from, exported).unwrap();
    fs::write(&unfinished, left).unwrap();
    assert!(verify(&to).is_err(), "{how}: there is no file yet");
    let made = import(&to, export(&from).unwrap()).unwrap();
    assert_eq!(made, verify(&from).unwrap(), "{how}");
    assert!(
        fs::read(&from).unwrap() == exported,
        "{how}: looking changed it"
    );
    assert!(fs::read(&unfinished).unwrap() == left, "{how}");
    let disk = Disk::holding(fs::read(&to).unwrap());
    assert!(recovered(&disk).unwrap() == *state, "{how}");
    let (ledger, _) = examined(&disk).unwrap();
    assert!(held(ledger) == *state, "{how}");
    fs::remove_file(&to).unwrap();
}
