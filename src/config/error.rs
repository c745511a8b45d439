//! What is wrong with a configuration, said so that a person can act on it: file, line, field, what was found, what would do.

use std::fmt;
use std::sync::Arc;

/// A line of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file as the user gave it.
    pub file: Arc<str>,
    /// Counted from 1; 0 stands for the file as a whole.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// One finding in the configuration; it displays as one line,
/// `mappings.yaml:14: EventSourceMappings[2].BatchSize: 20000 is more than 10000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file as the user gave it; empty when no file was given.
    pub file: String,
    /// Counted from 1; 0 where the finding concerns the whole file.
    pub line: usize,
    /// The way to the field (`EventSourceMappings[2].BatchSize`); empty where there is none.
    pub path: String,
    /// What was found and what would do.
    pub what: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            f.write_str(&self.file)?;
            if self.line > 0 {
                write!(f, ":{}", self.line)?;
            }
            f.write_str(": ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for ConfigError {}

/// Collects every finding of a run: reading goes on after an error, so that one run shows them all.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub errors: Vec<ConfigError>,
    pub warnings: Vec<ConfigError>,
}

impl Report {
    /// Notes what makes the configuration unusable.
    pub fn error(&mut self, place: &Place, path: &str, what: impl Into<String>) {
        self.errors.push(finding(place, path, what.into()));
    }

    /// Notes what is odd and stops nothing.
    pub fn warn(&mut self, place: &Place, path: &str, what: impl Into<String>) {
        self.warnings.push(finding(place, path, what.into()));
    }

    /// Puts findings in the order in which a person reads the files.
    pub fn sort(&mut self, files: &[&str]) {
        let rank = |finding: &ConfigError| {
            let file = files.iter().position(|file| **file == finding.file);
            (file, finding.line)
        };
        self.errors.sort_by_key(rank);
        self.warnings.sort_by_key(rank);
    }
}

fn finding(place: &Place, path: &str, what: String) -> ConfigError {
    ConfigError {
        file: place.file.to_string(),
        line: place.line,
        path: path.to_owned(),
        what: one_line(&what),
    }
}

/// Escapes control characters: a message stays one line, whatever a file holds.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    line
}

/// Text of a file shown in a message is cut after this many characters.
const SHOWN_CHARS_MAX: usize = 80;

/// Quotes what a file holds for a message: control characters escaped, so that it stays one line, and cut when long.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}...", &text[..end]),
    }
}

/// The same without quotes, for sentences of AWS that have their own; control characters are escaped by the report.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_file_line_path_text() {
        let finding = |file: &str, line, path: &str| {
            ConfigError {
                file: file.to_owned(),
                line,
                path: path.to_owned(),
                what: "20000 is more than 10000".to_owned(),
            }
            .to_string()
        };
        assert_eq!(
            finding("mappings.yaml", 14, "EventSourceMappings[2].BatchSize"),
            "mappings.yaml:14: EventSourceMappings[2].BatchSize: 20000 is more than 10000"
        );
        assert_eq!(
            finding("a.yaml", 3, ""),
            "a.yaml:3: 20000 is more than 10000"
        );
        assert_eq!(finding("a.yaml", 0, ""), "a.yaml: 20000 is more than 10000");
        assert_eq!(finding("", 0, ""), "20000 is more than 10000");
    }

    #[test]
    fn quoted_text_is_one_line_and_bounded() {
        assert_eq!(quoted("a\nb\"\u{1b}"), r#""a\nb\"\u{1b}""#);
        assert_eq!(
            quoted(&"é".repeat(81)),
            format!("\"{}\"...", "é".repeat(80))
        );
    }
}
