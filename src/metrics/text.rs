//! Prometheus' text format. A thousand mappings are a hundred thousand samples: each is written where it belongs, and
//! none is held in another form before.

use std::fmt::{Display, Write as _};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::histogram::Histogram;
use super::label::Label;

/// What a family's samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Rises, or begins again.
    Counter,
    /// As it is now.
    Gauge,
    /// Counts by size.
    Histogram,
}

impl Kind {
    fn text(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Takes the samples of a family, one mapping after the other.
pub(super) struct Series<'a> {
    text: &'a mut String,
    family: &'static str,
    /// As every sample of the mapping begins behind the family's name.
    mapping: String,
    /// The time of the scrape, in milliseconds since 1970.
    pub(super) now_ms: u64,
}

impl<'a> Series<'a> {
    /// Behind the family's head.
    pub(super) fn begin(
        text: &'a mut String,
        (family, help, kind): (&'static str, &str, Kind),
        now_ms: u64,
    ) -> Self {
        let kind = kind.text();
        write_to(
            text,
            format_args!("# HELP {family} {help}\n# TYPE {family} {kind}\n"),
        );
        Self {
            text,
            family,
            mapping: String::new(),
            now_ms,
        }
    }

    /// What comes now is of this mapping.
    pub(super) fn of(&mut self, mapping: &str) {
        self.mapping.clear();
        self.mapping.push_str("{mapping=\"");
        escape(mapping, &mut self.mapping);
        self.mapping.push('"');
    }

    /// How long the text is.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn counter(&mut self, labels: &[(&str, &str)], value: &AtomicU64) {
        self.sample("", labels, value.load(Relaxed));
    }

    pub(super) fn gauge(&mut self, labels: &[(&str, &str)], value: usize) {
        self.sample("", labels, value);
    }

    pub(super) fn gauge_of(&mut self, labels: &[(&str, &str)], value: f64) {
        self.sample("", labels, value);
    }

    pub(super) fn by<L: Label>(&mut self, label: &str, counters: &[AtomicU64]) {
        for value in L::ALL {
            self.counter(&[(label, value.label())], &counters[value.index()]);
        }
    }

    pub(super) fn histogram<const N: usize>(&mut self, histogram: &Histogram<N>) {
        let (buckets, count, sum) = histogram.read();
        for (bound, at_most) in buckets {
            self.up_to(bound, at_most);
        }
        self.up_to("+Inf", count);
        self.sample("_sum", &[], sum);
        self.sample("_count", &[], count);
    }

    fn up_to(&mut self, bound: impl Display, count: u64) {
        self.name("_bucket");
        write_to(self.text, format_args!(",le=\"{bound}\"}} {count}\n"));
    }

    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        self.name(suffix);
        for (name, value) in labels {
            self.text.push(',');
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape(value, self.text);
            self.text.push('"');
        }
        write_to(self.text, format_args!("}} {value}\n"));
    }

    fn name(&mut self, suffix: &str) {
        self.text.push_str(self.family);
        self.text.push_str(suffix);
        self.text.push_str(&self.mapping);
    }
}

/// What a label's value may not hold as it is.
fn escape(value: &str, text: &mut String) {
    let mut rest = value;
    while let Some(at) = rest.find(['\\', '"', '\n']) {
        text.push_str(&rest[..at]);
        text.push_str(match rest.as_bytes()[at] {
            b'\n' => "\\n",
            b'"' => "\\\"",
            _ => "\\\\",
        });
        rest = &rest[at + 1..];
    }
    text.push_str(rest);
}

fn write_to(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what)
        .expect("writing to a string cannot fail, nor can numbers and texts");
}
