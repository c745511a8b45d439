//! What the suites of the simulation came to, for the table that `tests/run` prints: where `SLUICEGATE_BARS` names a folder, each
//! suite leaves its figures there, and tests/support/bars.py adds them up and holds them against the bars.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use sluicegate::sim::Fault;

/// The figures of one suite. What it cannot do stays zero.
#[derive(Debug, Default)]
pub struct Figures {
    /// Whole lives that were drawn from seeds.
    pub seeds: u64,
    /// Simulated time of those lives.
    pub hours: f64,
    /// Calls or moments in a life at which the process was killed, one after the other until there were no more.
    pub crash_points: u64,
    /// Whole such sweeps.
    pub crash_scenarios: u64,
    /// States of the checkpoint file that a crash could leave, each opened.
    pub crash_images: u64,
    /// How often what went wrong, kinds that never did included.
    pub faults: BTreeMap<String, u64>,
    /// Places that a run of all seeds has to reach, those that it did not reach included.
    pub reached: BTreeMap<String, u64>,
    /// Promises broken.
    pub violations: u64,
}

impl Figures {
    /// Counts faults of the embedded AWS.
    pub fn count(&mut self, faults: impl IntoIterator<Item = (Fault, u64)>) {
        for (fault, count) in faults {
            *self.faults.entry(format!("{fault:?}")).or_default() += count;
        }
    }

    /// Leaves the figures where they are asked for.
    pub fn leave(&self, suite: &str) {
        if let Ok(folder) = std::env::var("SLUICEGATE_BARS") {
            self.leave_in(Path::new(&folder), suite);
        }
    }

    fn leave_in(&self, folder: &Path, suite: &str) {
        let told = json!({
            "seeds": self.seeds,
            "hours": self.hours,
            "crash_points": self.crash_points,
            "crash_scenarios": self.crash_scenarios,
            "crash_images": self.crash_images,
            "faults": self.faults,
            "reached": self.reached,
            "violations": self.violations,
        });
        std::fs::create_dir_all(folder).expect("the folder of SLUICEGATE_BARS can be made");
        std::fs::write(folder.join(format!("{suite}.json")), told.to_string())
            .expect("the figures can be written");
    }
}

/// How many seeds a suite is to run: as told, or the usual number, or what its share of the bars takes.
pub fn seeds(usual: u64, bar: u64) -> u64 {
    let measured = std::env::var_os("SLUICEGATE_BARS").is_some();
    number("SLUICEGATE_SEEDS").unwrap_or(if measured { bar } else { usual })
}

/// A number of the environment.
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
