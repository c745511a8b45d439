//! One shard: read, admit, deliver, keep, until it is settled to its end or the mapping drains.
//!
//! An actor: it alone owns what waits, and starts a read when a lane could use more, a delivery when a lane's batch is
//! due, and a commit when only dropped records moved the position. Each is a task that it waits for.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Engine;
use super::admit::{Raw, Wanted, Written};
use super::book::{Book, Page};
use super::complaints::Work;
use super::deliver::{Ended, Line, told_of_resumption};
use super::fetch::Fetched;
use super::lane::{Due, Item, Lane, Reading};
use super::reader::{Reader, Trouble};
use crate::aws::stream::Opened;
use crate::checkpoint::{CommitError, Saved};
use crate::config::mapping::stream::Kind;
use crate::model::event::EVENT_BYTES_MAX;
use crate::model::lanes::{Admitted, Lanes};
use crate::model::record::SequenceNumber;
use crate::model::tumbling::{Ahead, Next};

/// What may wait in all lanes of a shard, in bytes of event records, beyond which nothing more is read, nor written: two events.
const WAITING_BYTES_MAX: usize = 2 * EVENT_BYTES_MAX;
/// While every lane has a batch on its way, what is on its way and what waits may be so much for each of them before
/// nothing more is read: a large event is alone in memory, a small one has the next beside it.
const BESIDE_BYTES_MAX: usize = EVENT_BYTES_MAX / 6;
/// A subscription brings what comes, whether a batch needs it or not, and is given up when that much waits. It is taken up
/// again below this: what was on its way and is paid for is lost each time.
const SUBSCRIBE_BYTES_MAX: usize = WAITING_BYTES_MAX / 2;
/// How often a position is kept that only dropped records have moved.
const KEEP_EVERY: Duration = Duration::from_secs(1);

/// How the work on a shard ended.
#[derive(Debug)]
pub(super) enum ShardEnded {
    /// It is closed, and everything in it is settled and kept so.
    Settled,
    /// The mapping drains.
    Stopped,
    /// The source does not know it any more. Everything that was read is settled, and kept so.
    Gone(Saved),
    /// Its progress can not be kept.
    Lost(CommitError),
}

enum Event {
    Read(Fetched),
    /// A batch, or the final invocation of a window.
    Delivered {
        lane: u32,
        ended: Ended,
    },
    Kept(Result<(), CommitError>),
}

/// The work on one shard.
pub(super) struct Shard {
    line: Arc<Line>,
    reader: Reader,
    reading: bool,
    /// Read and not yet admitted.
    pending: VecDeque<Raw>,
    through: Option<SequenceNumber>,
    /// The tumbling window of the last record that was read.
    window: Option<u64>,
    /// It was read to its end.
    ended: bool,
    gone: bool,
    lanes: Vec<Lane>,
    keeping: bool,
    keep_at: Option<Duration>,
    tasks: JoinSet<Event>,
}

impl Shard {
    pub fn new(engine: Arc<Engine>, id: &str, saved: &Saved, latest: Option<Opened>) -> Self {
        let book = Book::open(&engine, id, saved);
        let reader = Reader::new(
            &saved.progress.position,
            &engine.stream.kind,
            engine.read_limit,
            latest,
        );
        let metrics = engine.metrics.shard(id);
        let lanes = book.read(|page| {
            (0..page.lanes.factor())
                .map(|lane| Lane::resume(page.lanes.owed(lane), page.lanes.last(lane)))
                .collect()
        });
        let line = Line {
            id: id.to_owned(),
            book,
            metrics,
            engine,
            troubles: Mutex::default(),
        };
        Self {
            line: Arc::new(line),
            reader,
            reading: false,
            pending: VecDeque::new(),
            through: None,
            window: None,
            ended: false,
            gone: false,
            lanes,
            keeping: false,
            keep_at: None,
            tasks: JoinSet::new(),
        }
    }

    pub async fn run(mut self, drain: CancellationToken) -> ShardEnded {
        loop {
            let stopping = drain.is_cancelled();
            if !stopping {
                self.admit();
                self.start_windows(&drain);
                self.start_deliveries(&drain);
                self.start_read();
            }
            self.start_keeping(stopping);
            if let Some(ended) = self.over(stopping).await {
                self.tell(&ended);
                return ended;
            }
            let wake = self.wake();
            let event = tokio::select! {
                biased;
                () = drain.cancelled(), if !stopping => continue,
                Some(event) = self.tasks.join_next() => event,
                () = tokio::time::sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() && !stopping => continue,
            };
            match event {
                Ok(event) => {
                    if let Some(lost) = self.happened(event) {
                        return ShardEnded::Lost(lost);
                    }
                }
                // A panic of a task is the shard's, and the mapping's.
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        }
    }

    /// What is left to tell of the shard. One that was stopped is no better than it was.
    fn tell(&self, ended: &ShardEnded) {
        let reports = &self.line.engine.reports;
        let reading = match ended {
            ShardEnded::Settled => None,
            ShardEnded::Gone(_) => Some("the source does not know it any more".to_owned()),
            ShardEnded::Stopped | ShardEnded::Lost(_) => return,
        };
        reports.shard(&self.line.id, READING, reading);
        reports.shard(&self.line.id, DELIVERY, None);
        self.line.engine.leaves(Work::Reading, &self.line.id);
    }

    /// Whether nothing is left to do.
    async fn over(&mut self, stopping: bool) -> Option<ShardEnded> {
        let busy = self.keeping || self.lanes.iter().any(Lane::busy);
        if busy {
            return None;
        }
        if stopping {
            // What only dropped records moved is kept, too.
            return Some(match self.line.book.commit().await {
                Ok(()) => ShardEnded::Stopped,
                Err(lost) => ShardEnded::Lost(lost),
            });
        }
        let empty = self.pending.is_empty() && self.lanes.iter().all(Lane::idle);
        if !empty || self.reading {
            return None;
        }
        if !self.ended && !self.gone {
            return None;
        }
        if self.ended {
            self.line.book.write(|page| page.lanes.end());
        }
        Some(match self.line.book.commit().await {
            Ok(()) if self.ended => ShardEnded::Settled,
            Ok(()) => ShardEnded::Gone(self.line.book.saved().await),
            Err(lost) => ShardEnded::Lost(lost),
        })
    }

    fn happened(&mut self, event: Event) -> Option<CommitError> {
        match event {
            Event::Read(fetched) => {
                self.reading = false;
                self.read(fetched);
            }
            Event::Delivered { lane, ended } => {
                let now = self.line.engine.now();
                self.lanes[lane as usize].freed(now);
                match ended {
                    Ended::Settled | Ended::Stopped => {}
                    Ended::Lost(lost) => return Some(lost),
                }
            }
            Event::Kept(kept) => {
                self.keeping = false;
                return kept.err();
            }
        }
        None
    }

    fn read(&mut self, fetched: Fetched) {
        let engine = self.line.engine.clone();
        let now = engine.now();
        self.reader.tell_gap(&engine, &self.line.id, &fetched);
        let last = fetched.last().or(self.through.as_ref()).cloned();
        match self.reader.answered(fetched, last.as_ref(), now) {
            Ok(read) => {
                engine.reports.shard(&self.line.id, READING, None);
                engine.gets_on(Work::Reading, &self.line.id);
                self.line.metrics.set_unreadable(None);
                engine.metrics.record_polled(read.records.len());
                if let Some(behind_ms) = read.behind_ms {
                    self.line.metrics.set_behind(behind_ms);
                }
                self.ended = read.ended;
                let records = Raw::all(read.records);
                // Most often nothing is left of the read before, and nothing has to be moved.
                if self.pending.is_empty() {
                    self.pending = records.into();
                } else {
                    self.pending.extend(records);
                }
            }
            Err((failure, opened)) => {
                let now_ms = engine.clock.now_ms();
                self.line.metrics.set_unreadable(Some(now_ms));
                match self.reader.failed(&engine, &self.line.id, &failure, opened) {
                    Trouble::Wait { told } => {
                        engine.reports.shard(&self.line.id, READING, told);
                    }
                    Trouble::Gone => self.gone = true,
                }
            }
        }
    }

    /// What was read goes into its lanes, as far as they take it.
    fn admit(&mut self) {
        let engine = self.line.engine.clone();
        let now = engine.now();
        let mut written = Vec::new();
        while let Some(raw) = self.pending.front() {
            // What a read brought may be a multiple of that when it is written: aggregates are.
            if !self.has_room() {
                return;
            }
            let number = raw.number();
            // A position that was opened anew may repeat what is in hand already.
            if self
                .through
                .as_ref()
                .is_some_and(|through| number <= through)
            {
                self.pending.pop_front();
                continue;
            }
            // A lane whose batch is settled may not have said so yet.
            let busy = self.lanes.iter().any(Lane::busy);
            let waits = |lanes: &Lanes| lanes.holds(number) || busy && lanes.outgrown(number);
            if self.line.book.read(|page| waits(&page.lanes)) {
                return;
            }
            let wanted = if self.reader.too_old(raw.arrived_ms()) {
                Wanted::Nothing
            } else {
                let begun = |page: &Page| page.lanes.begun(number, raw.key());
                engine.wanted(raw, self.line.book.read(begun))
            };
            let count = u32::try_from(wanted.count()).unwrap_or(u32::MAX);
            let window = self.window;
            let windowed = engine.stream.tumbling_window.is_some();
            let (admitted, factor, oldest, window) = self.line.book.write(|page| {
                let admitted = page.lanes.admit(number, raw.key(), count, raw.arrived_ms());
                let windows = page.windows.as_ref().filter(|_| windowed);
                let window = windows.map(|windows| windows.assign(window, raw.arrived_ms()));
                let (factor, oldest) = (page.lanes.factor(), page.lanes.oldest_ms());
                (admitted, factor, oldest, window)
            });
            if factor as usize != self.lanes.len() {
                // The old ones have run empty.
                self.lanes = (0..factor).map(|_| Lane::default()).collect();
            }
            let (number, arrived_ms) = (number.clone(), raw.arrived_ms());
            match admitted {
                Admitted::Hold => return,
                Admitted::Settled => {
                    self.keep_at.get_or_insert(now + KEEP_EVERY);
                }
                Admitted::Lane { lane, place } => {
                    let lane = &mut self.lanes[lane as usize];
                    let sheets = (lane.sheets(), self.pending.len().div_ceil(factor as usize));
                    engine.write(&self.line.id, raw, &wanted, sheets, &mut written);
                    for Written { inner, record } in written.drain(..) {
                        let item = Item {
                            place,
                            number: number.clone(),
                            inner,
                            arrived_ms,
                            window_start_ms: window.unwrap_or_default(),
                            record,
                        };
                        lane.push(item, now);
                    }
                }
            }
            self.line.metrics.set_oldest(oldest);
            self.window = window;
            self.through = Some(number);
            self.pending.pop_front();
        }
    }

    /// A window that is over is closed before what comes behind it. Windows exclude lanes beside each other.
    fn start_windows(&mut self, drain: &CancellationToken) {
        let ahead = self.ahead();
        if self.lanes.iter().any(Lane::busy) {
            return;
        }
        let Some(lane) = self.lanes.first_mut() else {
            return;
        };
        if self.line.window_next(ahead) != Next::Close {
            return;
        }
        lane.begin_other();
        let (line, drain) = (self.line.clone(), drain.clone());
        self.tasks.spawn(async move {
            let ended = line.close_window(&drain).await;
            Event::Delivered { lane: 0, ended }
        });
    }

    /// What lies ahead of the window that is open.
    fn ahead(&self) -> Ahead {
        let first = self.lanes.iter().filter_map(Lane::ahead).min();
        // A record that a filter dropped moves time on, too.
        if let Some(window_start_ms) = first.or(self.window.filter(|_| !self.ended)) {
            let open = self.line.open_window();
            if first.is_some() || open.is_none_or(|open| open < window_start_ms) {
                return Ahead::Record { window_start_ms };
            }
        }
        if (self.ended || self.gone) && self.pending.is_empty() {
            return Ahead::End;
        }
        Ahead::Nothing {
            quiet: self.reader.quiet(self.line.engine.now()),
            now_ms: self.line.engine.clock.now_ms(),
        }
    }

    fn start_deliveries(&mut self, drain: &CancellationToken) {
        if self.line.winds_up() {
            return;
        }
        let engine = self.line.engine.clone();
        let now = engine.now();
        let reading = Reading {
            through: self.through.as_ref(),
            ended: (self.ended || self.gone) && self.pending.is_empty(),
        };
        // Each invocation of a window is handed the state of the one before. Lanes that a setting before has left go one
        // at a time, the earliest window first.
        let windowed = engine.stream.tumbling_window.is_some();
        let mut busy = self.lanes.iter().any(Lane::busy);
        let earliest = self.lanes.iter().filter_map(Lane::ahead).min();
        for (lane, number) in self.lanes.iter_mut().zip(0..) {
            let ahead = lane.ahead();
            if windowed && ahead.is_some() && (busy || ahead != earliest) {
                continue;
            }
            // Until everything that one read brought is admitted, a batch without a window is not due: it would be
            // smaller than it can be.
            let Due::Now(count) = lane.due(&engine.rule, reading, now) else {
                continue;
            };
            let (mut items, slices, last) = lane.take(count, &engine.rule);
            if items.is_empty() {
                self.line
                    .book
                    .write(|page| page.lanes.owes(number, Vec::new(), None));
                self.keep_at.get_or_insert(now + KEEP_EVERY);
                continue;
            }
            busy = true;
            told_of_resumption(&engine.mapping.name, &self.line.id, &slices);
            let (line, drain) = (self.line.clone(), drain.clone());
            self.tasks.spawn(async move {
                let ended = line.deliver(number, &mut items, slices, last, &drain).await;
                Event::Delivered {
                    lane: number,
                    ended,
                }
            });
        }
    }

    fn start_read(&mut self) {
        if self.ended || self.gone || self.reading {
            return;
        }
        if !self.pending.is_empty() || !self.wants_more() {
            self.reader.pause();
            return;
        }
        if self.line.engine.now() < self.reader.next_at() {
            return;
        }
        self.reading = true;
        let (opened, start, limit) = self.reader.place();
        let line = self.line.clone();
        self.tasks.spawn(async move {
            let fetched = line.engine.fetch(&line.id, opened, start, limit);
            Event::Read(fetched.await)
        });
    }

    /// A lane's next batch is not full, and there is room for more.
    fn wants_more(&self) -> bool {
        let rule = &self.line.engine.rule;
        let bytes = self.waiting();
        if let Some(open) = self.reader.subscription() {
            let owes = |lane: &Lane| lane.resuming() && !lane.full(rule);
            let bytes_max = if open {
                WAITING_BYTES_MAX
            } else {
                SUBSCRIBE_BYTES_MAX
            };
            return bytes < bytes_max || self.lanes.iter().any(owes);
        }
        let resuming = self.lanes.iter().any(Lane::resuming);
        let room = resuming || bytes < WAITING_BYTES_MAX && self.may_read_beside(bytes);
        room && self.lanes.iter().any(|lane| !lane.full(rule))
    }

    /// The bytes of what waits in all lanes.
    fn waiting(&self) -> usize {
        self.lanes.iter().map(Lane::bytes).sum()
    }

    /// More may wait. A batch from before a restart is put together whatever waits beside it.
    fn has_room(&self) -> bool {
        self.waiting() < WAITING_BYTES_MAX || self.lanes.iter().any(Lane::resuming)
    }

    /// Whether more may be read beside what is on its way, while so much waits. Where nothing is on its way it may: a window
    /// of whatever kind may end by what is read. And one batch that is repeated for ever does not hold up the lanes beside
    /// it before each has an event's worth.
    fn may_read_beside(&self, waiting: usize) -> bool {
        let in_hand: usize = self.lanes.iter().map(Lane::in_hand).sum();
        // What one read of a table's stream brings is bounded by the source: a mebibyte.
        if in_hand == 0 || self.line.engine.stream.kind == Kind::DynamoDb {
            return true;
        }
        let of_a_lane = match self.lanes.iter().all(Lane::busy) {
            true => BESIDE_BYTES_MAX,
            false => EVENT_BYTES_MAX,
        };
        waiting + in_hand < self.lanes.len() * of_a_lane
    }

    /// A position that dropped records have moved is kept now and then, and all of it in the end.
    fn start_keeping(&mut self, stopping: bool) {
        if self.keeping || stopping {
            return;
        }
        let now = self.line.engine.now();
        if self.keep_at.is_none_or(|at| now < at) {
            return;
        }
        self.keep_at = None;
        self.keeping = true;
        let line = self.line.clone();
        self.tasks
            .spawn(async move { Event::Kept(line.book.commit().await) });
    }

    /// When there is something to do though nothing happened.
    fn wake(&self) -> Option<Instant> {
        let engine = &self.line.engine;
        let reading = Reading {
            through: self.through.as_ref(),
            ended: false,
        };
        let due = self.lanes.iter().filter_map(|lane| {
            match lane.due(&engine.rule, reading, engine.now()) {
                Due::At(at) => Some(at),
                Due::Now(_) | Due::Not => None,
            }
        });
        let reads = !self.ended && !self.gone && !self.reading && self.pending.is_empty();
        let read = (reads && self.wants_more()).then(|| self.reader.next_at());
        let keep = self.keep_at.filter(|_| !self.keeping);
        let window = match self.line.window_next(self.ahead()) {
            Next::Wait { at_most } => Some(engine.now() + at_most),
            Next::Deliver | Next::Close | Next::Nothing => None,
        };
        due.chain(read)
            .chain(keep)
            .chain(window)
            .min()
            .map(|at| engine.at(at))
    }
}

/// What of a shard may stand still: its reading, apart from its delivery.
pub(super) const READING: &str = "reading";
pub(super) const DELIVERY: &str = "delivery";
