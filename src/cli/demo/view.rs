//! What the demo shows: a table that is drawn again each second on a terminal, a line each second elsewhere.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use tokio::time::Instant;

use super::FRAME;
use crate::metrics::Metrics;
use crate::reports::Account;
use crate::sim::World;

/// One queue's figures at a moment: its own counts from the embedded AWS, the invocations from the service's metrics.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    /// Its name.
    pub queue: &'static str,
    /// Accepted from the producer.
    pub sent: u64,
    /// Deleted by the service.
    pub deleted: u64,
    /// Gone to the dead-letter queue.
    pub moved: u64,
    /// Still in the queue, waiting or in flight.
    pub left: u64,
    /// Received and not settled.
    in_flight: u64,
    /// Invocations that were handled whole, in part, and not.
    succeeded: u64,
    partly: u64,
    failed: u64,
}

impl Numbers {
    /// The present figures of this queue.
    pub fn of(world: &World, metrics: &Metrics, queue: &'static str) -> Self {
        let view = world
            .queue(queue)
            .expect("the demo made its queues and deletes none");
        let mapping = queue.trim_end_matches(".fifo");
        let text = metrics.encode();
        let invocations = |outcome: &str| {
            let series = format!(
                "sluicegate_invocations_total{{mapping=\"{mapping}\",outcome=\"{outcome}\"}} "
            );
            text.lines()
                .find_map(|line| line.strip_prefix(&series)?.parse().ok())
                .unwrap_or(0)
        };
        Self {
            queue,
            sent: view.counts.sent,
            deleted: view.counts.deleted,
            moved: view.counts.moved,
            left: view.messages.len() as u64,
            in_flight: view.in_flight as u64,
            succeeded: invocations("success"),
            partly: invocations("partial"),
            failed: ["function_error", "timeout", "throttled", "service_error"]
                .map(invocations)
                .iter()
                .sum(),
        }
    }
}

/// The screen.
#[derive(Debug)]
pub struct View {
    terminal: bool,
    drawn_lines: usize,
    before: Vec<u64>,
    drawn: Instant,
}

impl View {
    /// `terminal`: lines may be drawn over.
    pub fn new(terminal: bool) -> Self {
        Self {
            terminal,
            drawn_lines: 0,
            before: Vec::new(),
            drawn: Instant::now(),
        }
    }

    /// Print this and a line break. A closed standard output is no reason to stop: the demo is also its metrics.
    pub fn say(&mut self, text: &str) {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }

    /// A second has passed since the last picture.
    pub fn due(&self) -> bool {
        FRAME <= self.drawn.elapsed()
    }

    /// Show the present figures, with the rates since the last picture.
    pub fn draw(&mut self, elapsed: Duration, numbers: &[Numbers]) {
        let span = self.drawn.elapsed().as_secs_f64().max(0.001);
        let rate = |index: usize, deleted: u64| {
            let before = self.before.get(index).copied().unwrap_or(0);
            ((deleted - before) as f64 / span).round()
        };
        let mut text = String::new();
        if self.terminal {
            let _ = writeln!(text, "{}", heading());
            for (index, queue) in numbers.iter().enumerate() {
                let _ = writeln!(text, "{} {:>9}/s", row(queue), rate(index, queue.deleted));
            }
        } else {
            let _ = write!(text, "{:>4.0} s", elapsed.as_secs_f64());
            for (index, queue) in numbers.iter().enumerate() {
                let _ = write!(
                    text,
                    "  {}: sent {}, deleted {} ({}/s), in flight {}, failed in part {}, failed {}, dead-lettered {}",
                    queue.queue,
                    queue.sent,
                    queue.deleted,
                    rate(index, queue.deleted),
                    queue.in_flight,
                    queue.partly,
                    queue.failed,
                    queue.moved
                );
            }
            text.push('\n');
        }
        let lines = text.lines().count();
        if self.terminal && self.drawn_lines > 0 {
            text = format!("\x1b[{}A\x1b[J{text}", self.drawn_lines);
        }
        self.drawn_lines = lines;
        self.before = numbers.iter().map(|queue| queue.deleted).collect();
        self.drawn = Instant::now();
        self.say(text.trim_end());
    }

    /// The end of it.
    pub fn summary(
        &mut self,
        took: Duration,
        numbers: &[Numbers],
        account: Account,
        disorder: u64,
    ) {
        let mut text = format!("\nAfter {:.1} s:\n{}\n", took.as_secs_f64(), heading());
        for queue in numbers {
            let _ = writeln!(text, "{}", row(queue));
        }
        for queue in numbers {
            let Numbers {
                queue,
                sent,
                deleted,
                moved,
                left,
                ..
            } = queue;
            let _ = writeln!(
                text,
                "{queue}: {sent} sent = {deleted} deleted + {moved} dead-lettered + {left} still queued"
            );
        }
        let _ = writeln!(text, "payments out of order: {disorder}");
        let _ = write!(text, "drained: {account}");
        self.say(&text);
    }
}

fn heading() -> String {
    format!(
        "{:<14} {:>8} {:>8} {:>9} {:>7} {:>6} | {:>8} {:>7} {:>7}",
        "queue", "sent", "deleted", "in flight", "waiting", "DLQ", "invoked", "in part", "failed"
    )
}

fn row(of: &Numbers) -> String {
    format!(
        "{:<14} {:>8} {:>8} {:>9} {:>7} {:>6} | {:>8} {:>7} {:>7}",
        of.queue,
        of.sent,
        of.deleted,
        of.in_flight,
        of.left.saturating_sub(of.in_flight),
        of.moved,
        of.succeeded + of.partly + of.failed,
        of.partly,
        of.failed
    )
}
