//! What the demo shows: tables that are drawn again each second on a terminal, two lines each second elsewhere.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::time::Instant;

use super::FRAME;
use super::figures::{Figures, Queue, Stream};
use crate::cli::output::{self, Unwritten};
use crate::reports::Account;

/// The screen.
#[derive(Debug)]
pub struct View {
    terminal: bool,
    drawn_lines: usize,
    /// What was settled of each source when the last picture was drawn.
    before: Vec<u64>,
    drawn: Instant,
    /// The highest age of each stream's iterators so far.
    highest_s: Vec<f64>,
    /// The first time that something could not be written.
    unwritten: Option<Unwritten>,
}

impl View {
    /// `terminal`: lines may be drawn over.
    pub fn new(terminal: bool) -> Self {
        Self {
            terminal,
            drawn_lines: 0,
            before: Vec::new(),
            drawn: Instant::now(),
            highest_s: Vec::new(),
            unwritten: None,
        }
    }

    /// Print this and a line break. A reader that went away is no reason to stop: the demo is also its metrics.
    pub fn say(&mut self, text: &str) {
        if let Err(error) = output::say(&format!("{text}\n")) {
            self.unwritten.get_or_insert(error);
        }
    }

    /// Whether something could not be written.
    pub fn is_broken(&self) -> bool {
        self.unwritten.is_some()
    }

    /// # Errors
    /// Something could not be written: what was the matter when that happened first.
    pub fn close(self) -> Result<(), Unwritten> {
        self.unwritten.map_or(Ok(()), Err)
    }

    /// Something happened: a line that stays above the picture.
    pub fn tell(&mut self, elapsed: Duration, text: &str) {
        let over = self.over();
        self.drawn_lines = 0;
        self.say(&format!("{over}{:>4.0} s  {text}", elapsed.as_secs_f64()));
    }

    /// A second has passed since the last picture.
    pub fn due(&self) -> bool {
        FRAME <= self.drawn.elapsed()
    }

    /// Remember how old iterators became; they are looked at more often than drawn.
    pub fn looked(&mut self, figures: &Figures) {
        self.highest_s.resize(figures.streams.len(), 0.0);
        for (highest_s, stream) in self.highest_s.iter_mut().zip(&figures.streams) {
            *highest_s = highest_s.max(stream.age_s.unwrap_or_default());
        }
    }

    /// Show the present figures, with the rates since the last picture.
    pub fn draw(&mut self, elapsed: Duration, figures: &Figures) {
        self.looked(figures);
        let span = self.drawn.elapsed().as_secs_f64().max(0.001);
        let queues = figures.queues.iter().map(|queue| queue.deleted);
        let streams = figures.streams.iter().map(|stream| stream.handled);
        let settled: Vec<u64> = queues.chain(streams).collect();
        let before = self.before.iter().copied().chain(std::iter::repeat(0));
        let rates = settled.iter().zip(before);
        let rates = rates.map(|(now, before)| (now.saturating_sub(before) as f64 / span).round());
        let (lines, drawn) = if self.terminal {
            (tables(figures, rates), self.over())
        } else {
            (lines(elapsed, figures, rates), String::new())
        };
        self.drawn_lines = lines.lines().count();
        self.before = settled;
        self.drawn = Instant::now();
        let lines = lines.trim_end();
        // What does not fit is cut off: a line that wraps would leave the rest of the picture behind.
        match self.terminal {
            true => self.say(&format!("{drawn}\x1b[?7l{lines}\x1b[?7h")),
            false => self.say(lines),
        }
    }

    /// What takes the last picture from a terminal.
    fn over(&self) -> String {
        match self.drawn_lines {
            lines if self.terminal && lines > 0 => format!("\x1b[{lines}A\x1b[J"),
            _ => String::new(),
        }
    }

    /// The end of it.
    pub fn summary(
        &mut self,
        took: Duration,
        figures: &Figures,
        account: Account,
        payments_disorder: u64,
    ) {
        let mut text = format!("\nAfter {:.1} s:\n", took.as_secs_f64());
        text.push_str(&tables(figures, std::iter::empty()));
        for queue in &figures.queues {
            let Queue {
                name,
                sent,
                deleted,
                moved,
                left,
                ..
            } = queue;
            let _ = writeln!(
                text,
                "{name}: {sent} sent = {deleted} deleted + {moved} dead-lettered + {left} still queued"
            );
        }
        for (stream, highest_s) in figures.streams.iter().zip(&self.highest_s) {
            let Stream {
                name,
                put,
                handled,
                discarded,
                again,
                disorder,
                ..
            } = stream;
            let left = stream.left();
            let _ = writeln!(
                text,
                "{name}: {put} put = {handled} handled + {discarded} discarded + {left} still in the stream"
            );
            let now = stream.age_s.map_or_else(String::new, |age_s| {
                format!(", and is {age_s:.1} s at the end")
            });
            let _ = writeln!(
                text,
                "{name}: {disorder} out of order, {again} handled twice; the iterator age was at most {highest_s:.1} s{now}"
            );
        }
        let _ = writeln!(text, "payments out of order: {payments_disorder}");
        let _ = write!(text, "drained: {account}");
        self.say(&text);
    }
}

/// Both tables, with what is settled in a second at each row as far as there is something. As wide as a terminal usually
/// is: 80 columns.
fn tables(figures: &Figures, rates: impl Iterator<Item = f64>) -> String {
    let mut rates = rates.peekable();
    let a_second = rates.peek().map_or("", |_| "/s");
    let mut rate = move || {
        rates
            .next()
            .map_or_else(String::new, |rate| format!("{rate}"))
    };
    let mut text = row([
        "queue",
        "sent",
        "deleted",
        "in flight",
        "waiting",
        "DLQ",
        "calls",
        "in part",
        "failed",
        a_second,
    ]);
    for of in &figures.queues {
        let calls = of.invocations;
        text.push_str(&row([
            of.name,
            &of.sent.to_string(),
            &of.deleted.to_string(),
            &of.in_flight.to_string(),
            &of.left.saturating_sub(of.in_flight).to_string(),
            &of.moved.to_string(),
            &(calls.succeeded + calls.partly + calls.failed).to_string(),
            &calls.partly.to_string(),
            &calls.failed.to_string(),
            &rate(),
        ]));
    }
    text.push_str(&row([
        "stream",
        "put",
        "handled",
        "discarded",
        "waiting",
        "shards",
        "calls",
        "age",
        "failed",
        a_second,
    ]));
    for of in &figures.streams {
        let calls = of.invocations;
        text.push_str(&row([
            of.name,
            &of.put.to_string(),
            &of.handled.to_string(),
            &of.discarded.to_string(),
            &of.left().to_string(),
            &of.shards.to_string(),
            &(calls.succeeded + calls.partly + calls.failed).to_string(),
            &age(of),
            &calls.failed.to_string(),
            &rate(),
        ]));
    }
    text
}

fn row(cells: [&str; 10]) -> String {
    let [name, a, b, c, d, e, f, g, h, rate] = cells;
    let row =
        format!("{name:<13} {a:>6} {b:>7} {c:>9} {d:>7} {e:>6} {f:>6} {g:>7} {h:>6} {rate:>4}");
    format!("{}\n", row.trim_end())
}

fn age(of: &Stream) -> String {
    of.age_s
        .map_or_else(|| "-".to_owned(), |age_s| format!("{age_s:.1} s"))
}

/// A line for the queues and one for the streams.
fn lines(elapsed: Duration, figures: &Figures, mut rates: impl Iterator<Item = f64>) -> String {
    let mut rate = || rates.next().unwrap_or_default();
    let mut text = format!("{:>4.0} s", elapsed.as_secs_f64());
    for queue in &figures.queues {
        let _ = write!(
            text,
            "  {}: sent {}, deleted {} ({}/s), in flight {}, failed in part {}, failed {}, dead-lettered {}",
            queue.name,
            queue.sent,
            queue.deleted,
            rate(),
            queue.in_flight,
            queue.invocations.partly,
            queue.invocations.failed,
            queue.moved
        );
    }
    let _ = write!(text, "\n{:6}", "");
    for stream in &figures.streams {
        let _ = write!(
            text,
            "  {}: put {}, handled {} ({}/s), waiting {}, iterator age {}, {} shards, failed {}, discarded {}",
            stream.name,
            stream.put,
            stream.handled,
            rate(),
            stream.left(),
            age(stream),
            stream.shards,
            stream.invocations.failed,
            stream.discarded
        );
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::super::figures::Invocations;
    use super::*;

    #[test]
    fn the_picture_fits_in_80_columns() {
        let invocations = Invocations {
            succeeded: 90_000,
            partly: 5_000,
            failed: 4_999,
        };
        let queue = Queue {
            name: "payments.fifo",
            sent: 999_999,
            deleted: 999_999,
            in_flight: 1_000,
            left: 9_999_999,
            moved: 99_999,
            invocations,
        };
        let stream = Stream {
            name: "customers",
            put: 999_999,
            handled: 999_999,
            discarded: 99_999,
            again: 0,
            disorder: 0,
            shards: 4,
            age_s: Some(119.94),
            invocations,
        };
        let figures = Figures {
            queues: vec![queue],
            streams: vec![stream],
        };
        let text = tables(&figures, [9_999.0, 9_999.0].into_iter());
        let widths: Vec<usize> = text.lines().map(str::len).collect();
        assert_eq!(widths, [80; 4], "{text}");
    }
}
