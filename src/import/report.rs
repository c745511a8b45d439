//! What `--check` says of a document, a mapping a line with what is to be known of it below.

use super::document::{Document, Outcome};
use crate::config::error::one_line;

impl Document {
    /// What would be taken over, what would not, and why; ends in a line break.
    pub fn report(&self) -> String {
        let mut lines = Vec::new();
        for entry in &self.entries {
            let origin = &entry.origin;
            let (head, below) = match &entry.outcome {
                Outcome::Taken(_) => {
                    let notes = entry.notes.iter().map(|note| note.what.clone());
                    ("taken over", notes.collect())
                }
                Outcome::Refused(reasons) => ("not taken over", reasons.clone()),
                Outcome::Absent(why) => ("not part of it", vec![why.clone()]),
            };
            lines.push(format!("{head}: {origin}"));
            lines.extend(below.iter().map(|what| format!("    {what}")));
        }
        for (name, stands_for) in self.variables() {
            lines.push(format!("to be set: {name}: {stands_for}"));
        }
        lines.push(match self.complete() {
            true => "everything has a counterpart".to_owned(),
            false => "not everything has a counterpart".to_owned(),
        });
        lines.iter().map(|line| one_line(line) + "\n").collect()
    }
}
