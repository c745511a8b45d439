//! What the demo shows: tables that are drawn again each second on a terminal, two lines each second elsewhere.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use tokio::time::Instant;

use super::FRAME;
use super::figures::{Figures, Queue, Stream};
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
        }
    }

    /// Print this and a line break. A closed standard output is no reason to stop: the demo is also its metrics.
    pub fn say(&mut self, text: &str) {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
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
        self.say(&format!("{drawn}{}", lines.trim_end()));
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

/// Both tables, with a rate at each row as far as there are some.
fn tables(figures: &Figures, mut rates: impl Iterator<Item = f64>) -> String {
    let mut rate = move || {
        rates
            .next()
            .map_or_else(String::new, |rate| format!(" {rate:>7}/s"))
    };
    let mut text = format!(
        "{:<14} {:>8} {:>8} {:>9} {:>7} {:>6} {:>8} | {:>8} {:>7} {:>7}\n",
        "queue",
        "sent",
        "deleted",
        "in flight",
        "waiting",
        "DLQ",
        "",
        "invoked",
        "in part",
        "failed"
    );
    for of in &figures.queues {
        let invoked = of.invocations;
        let _ = writeln!(
            text,
            "{:<14} {:>8} {:>8} {:>9} {:>7} {:>6} {:>8} | {:>8} {:>7} {:>7}{}",
            of.name,
            of.sent,
            of.deleted,
            of.in_flight,
            of.left.saturating_sub(of.in_flight),
            of.moved,
            "",
            invoked.succeeded + invoked.partly + invoked.failed,
            invoked.partly,
            invoked.failed,
            rate(),
        );
    }
    let _ = writeln!(
        text,
        "{:<14} {:>8} {:>8} {:>9} {:>7} {:>6} {:>8} | {:>8} {:>7} {:>7}",
        "stream",
        "put",
        "handled",
        "discarded",
        "waiting",
        "shards",
        "age",
        "invoked",
        "",
        "failed"
    );
    for of in &figures.streams {
        let invoked = of.invocations;
        let _ = writeln!(
            text,
            "{:<14} {:>8} {:>8} {:>9} {:>7} {:>6} {:>8} | {:>8} {:>7} {:>7}{}",
            of.name,
            of.put,
            of.handled,
            of.discarded,
            of.left(),
            of.shards,
            age(of),
            invoked.succeeded + invoked.partly + invoked.failed,
            "",
            invoked.failed,
            rate(),
        );
    }
    text
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
