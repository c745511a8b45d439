//! How much was attacked, and what came of it.

use std::fmt;
use std::path::Path;

use serde_json::json;

/// How much is to be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Quick,
    Bar,
}

impl Size {
    /// As the environment has it.
    pub fn asked() -> Self {
        match std::env::var_os("SLUICEGATE_BARS") {
            Some(_) => Self::Bar,
            None => Self::Quick,
        }
    }

    pub fn of<T>(self, quick: T, bar: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Bar => bar,
        }
    }
}

/// What an image of the file came to. Anything else is a panic: silently wrong, ahead, or older than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All that was acknowledged, no more.
    Acknowledged,
    /// With the group that was under way.
    UnderWay,
    /// With a whole group less, where damage comes on top of a crash.
    Earlier,
    /// In words.
    Refused,
}

/// Of one attack.
#[derive(Debug, Default)]
pub struct Tally {
    pub acknowledged: usize,
    pub under_way: usize,
    pub earlier: usize,
    pub refused: usize,
    /// Of which redb met with a panic that was caught.
    pub by_panic: usize,
    /// Whether a crash leaves such images.
    pub crash: bool,
}

impl Tally {
    pub fn count(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Acknowledged => &mut self.acknowledged,
            Outcome::UnderWay => &mut self.under_way,
            Outcome::Earlier => &mut self.earlier,
            Outcome::Refused => &mut self.refused,
        } += 1;
    }

    pub fn images(&self) -> usize {
        self.acknowledged + self.under_way + self.earlier + self.refused
    }
}

/// Of all.
#[derive(Debug, Default)]
pub struct Table(Vec<(&'static str, Tally)>);

impl Table {
    /// Runs an attack, and keeps what came of it.
    pub fn fill(&mut self, name: &'static str, attack: impl FnOnce(&mut Tally)) {
        let mut tally = Tally::default();
        attack(&mut tally);
        assert!(tally.images() > 0, "{name}: nothing was tried");
        self.0.push((name, tally));
    }

    pub fn crash_images(&self) -> usize {
        let crashes = self.0.iter().filter(|(_, tally)| tally.crash);
        crashes.map(|(_, tally)| tally.images()).sum()
    }

    /// For the table of the bars, where they are asked for.
    pub fn leave(&self) {
        let Ok(folder) = std::env::var("SLUICEGATE_BARS") else {
            return;
        };
        let told = json!({
            "seeds": 0,
            "hours": 0.0,
            "crash_points": 0,
            "crash_scenarios": 0,
            "crash_images": self.crash_images(),
            "faults": {},
            "reached": {},
            // Each is a panic, and then nothing is told.
            "violations": 0,
        });
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(Path::new(&folder).join("store.json"), told.to_string()).unwrap();
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<36}{:>8}{:>14}{:>12}{:>10}{:>10}{:>9}",
            "attack on the checkpoint file",
            "images",
            "acknowledged",
            "+under way",
            "one less",
            "refused",
            "wrong"
        )?;
        for (name, tally) in &self.0 {
            writeln!(
                f,
                "{name:<36}{:>8}{:>14}{:>12}{:>10}{:>10}{:>9}",
                tally.images(),
                tally.acknowledged,
                tally.under_way,
                tally.earlier,
                tally.refused,
                0
            )?;
        }
        let by_panic: usize = self.0.iter().map(|(_, tally)| tally.by_panic).sum();
        write!(
            f,
            "{} of them left by a crash; of those refused, redb met {by_panic} with a panic, which was caught",
            self.crash_images()
        )
    }
}

#[test]
fn a_table_tells_images_of_crashes_apart() {
    let mut table = Table::default();
    table.fill("a", |tally| {
        tally.crash = true;
        tally.count(Outcome::Acknowledged);
        tally.count(Outcome::UnderWay);
    });
    table.fill("b", |tally| tally.count(Outcome::Refused));
    assert_eq!(table.crash_images(), 2);
    let shown = table.to_string();
    let rows: Vec<Vec<&str>> = shown
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[1], ["a", "2", "1", "1", "0", "0", "0"]);
    assert_eq!(rows[2], ["b", "1", "0", "0", "0", "1", "0"]);
}
