//! Which mutant is on: the one that `SLUICEGATE_MUTANT` names by its number, or none. Added to a copy of the tree.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// More than an area has.
const NUMBERS: usize = 1 << 14;

struct Switches {
    on: Option<u32>,
    /// Where each number that was asked for is written once.
    reached: Option<Mutex<File>>,
}

/// Whether this one is on. Where `SLUICEGATE_REACHED` names a file, it tells which were asked for.
pub fn on(number: u32) -> bool {
    static SWITCHES: OnceLock<Switches> = OnceLock::new();
    static REACHED: [AtomicBool; NUMBERS] = [const { AtomicBool::new(false) }; NUMBERS];
    let switches = SWITCHES.get_or_init(|| Switches {
        on: std::env::var("SLUICEGATE_MUTANT")
            .ok()
            .and_then(|number| number.parse().ok()),
        reached: std::env::var_os("SLUICEGATE_REACHED")
            .map(|path| Mutex::new(File::create(path).expect("it can be written"))),
    });
    if let Some(file) = &switches.reached {
        let reached = &REACHED[number as usize];
        if !reached.load(Ordering::Relaxed) && !reached.swap(true, Ordering::Relaxed) {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            writeln!(file, "{number}").expect("it can be written");
        }
    }
    switches.on == Some(number)
}

/// Whether none of these is on.
pub fn plain(numbers: &[u32]) -> bool {
    // Each is asked, so that it counts as reached.
    !numbers.iter().fold(false, |any, number| on(*number) || any)
}
