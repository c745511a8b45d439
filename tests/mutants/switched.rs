//! Which mutant is on: the one that `SLUICEGATE_MUTANT` names by its number, or none. Appended to a copy of the tree.

use std::io::Write;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Whether this one is on. Where `SLUICEGATE_REACHED` names a file, each number that was asked for is written there once.
pub fn on(number: u32) -> bool {
    static ON: OnceLock<Option<u32>> = OnceLock::new();
    static REACHED: OnceLock<Option<Mutex<(Vec<bool>, std::fs::File)>>> = OnceLock::new();
    let reached = REACHED.get_or_init(|| {
        let path = std::env::var_os("SLUICEGATE_REACHED")?;
        Some(Mutex::new((Vec::new(), std::fs::File::create(path).expect("it can be written"))))
    });
    if let Some(reached) = reached {
        let mut reached = reached.lock().unwrap_or_else(PoisonError::into_inner);
        let at = number as usize;
        if reached.0.len() <= at {
            reached.0.resize(at + 1, false);
        }
        if !std::mem::replace(&mut reached.0[at], true) {
            writeln!(reached.1, "{number}").expect("it can be written");
        }
    }
    *ON.get_or_init(|| std::env::var("SLUICEGATE_MUTANT").ok()?.parse().ok()) == Some(number)
}

/// Whether none of these is on.
pub fn plain(numbers: &[u32]) -> bool {
    !numbers.iter().fold(false, |any, number| any | on(*number))
}
