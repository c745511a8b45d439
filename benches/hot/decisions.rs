//! Decisions, with 10 to 10,000 records in hand: figures are for a record, and must not grow with their number. That is held to a bar.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use sluicegate::model::delivery::{Delivery, Outcome, Policy, Step};
use sluicegate::model::event::{Event, Piece};
use sluicegate::model::lanes::{Admitted, Lanes};
use sluicegate::model::progress::{Position, ShardProgress};
use sluicegate::model::record::SequenceNumber;
use sluicegate::model::response::{Reply, StreamReply, items_failed, lowest_failed};
use sluicegate::model::settlement::{Fate, Member, Outcome as Answer, settle};
use sluicegate::model::window::{Gathering, Next, Window};

const COUNTS: [usize; 4] = [10, 100, 1_000, 10_000];
/// One record of so many fails, where some do.
const FAILING_EACH: usize = 100;
/// What a record may take among the most of them, in times of what it takes among the fewest: caches get slower, a call is spread over
/// more of them, and nothing looks at the others.
const FLAT: f64 = 2.0;
/// The best of so many stretches of this time is what it takes.
const STRETCHES: usize = 5;
const STRETCH: Duration = Duration::from_millis(20);

/// A decision was above its bar.
static GREW: AtomicBool = AtomicBool::new(false);

/// Whether all decisions so far held their bar.
pub fn all_flat() -> bool {
    !GREW.load(Relaxed)
}

/// Nanoseconds that one record takes.
#[expect(
    clippy::disallowed_methods,
    reason = "the machine's time is what is measured"
)]
fn each_ns(mut decide: impl FnMut() -> usize) -> f64 {
    let stretch = |_| {
        let (begun, mut records) = (Instant::now(), 0);
        while begun.elapsed() < STRETCH {
            records += decide();
        }
        begun.elapsed().as_secs_f64() * 1e9 / records as f64
    };
    (0..STRETCHES).map(stretch).fold(f64::INFINITY, f64::min)
}

/// Whether a record takes as long among the most as among the fewest.
#[expect(
    clippy::disallowed_macros,
    reason = "for who runs it to read, as criterion's lines are"
)]
fn hold_flat<D: FnMut() -> usize>(name: &str, prepare: impl Fn(usize) -> D) {
    let [fewest, .., most] = COUNTS;
    let (among_few, among_many) = (each_ns(prepare(fewest)), each_ns(prepare(most)));
    let flat = among_many <= FLAT * among_few;
    let verdict = if flat { "pass" } else { "FAIL" };
    println!(
        "{verdict}  {name}: {among_few:.1} ns of {fewest}, {among_many:.1} ns of {most}, bar {FLAT} times\n"
    );
    GREW.fetch_or(!flat, Relaxed);
}

/// `decide` for each number of records; it says how many it has decided about.
fn by_count<D: FnMut() -> usize>(
    criterion: &mut Criterion,
    name: &str,
    prepare: impl Fn(usize) -> D,
) {
    let mut group: BenchmarkGroup<'_, WallTime> = criterion.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    // As many as the longest of them has time for.
    group.sample_size(50);
    for count in COUNTS {
        let mut decide = prepare(count);
        assert_eq!(decide(), count, "each is decided about");
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |bench| {
            bench.iter(&mut decide);
        });
    }
    group.finish();
    hold_flat(name, prepare);
}

fn ids(count: usize) -> Vec<String> {
    (0..count)
        .map(|index| format!("8f0a3c6e-1f2d-4c3b-9a8e-{index:012}"))
        .collect()
}

fn number(index: usize) -> SequenceNumber {
    let digits = format!("{:056}", 49_701_234_567_890_u64 + index as u64);
    SequenceNumber::try_from(digits).expect("digits are a number")
}

/// An answer that names one of so many.
fn reply(names: impl Iterator<Item = String>) -> String {
    let entries: Vec<String> = names
        .step_by(FAILING_EACH)
        .map(|name| format!(r#"{{"itemIdentifier":"{name}"}}"#))
        .collect();
    format!(r#"{{"batchItemFailures":[{}]}}"#, entries.join(","))
}

/// Of queues: is the batch due, asked after each message.
pub fn gather(criterion: &mut Criterion) {
    const RECORD_BYTES: usize = 500;
    by_count(criterion, "window, for a message", |count| {
        let window = Window {
            count_max: count,
            length: Duration::from_secs(1),
        };
        move || {
            let (mut gathering, mut joined) = (Gathering::default(), 0);
            while gathering.next(window, 20, false, Duration::ZERO) != Next::Due {
                if black_box(gathering.fits(RECORD_BYTES)) {
                    gathering.joined(RECORD_BYTES, Duration::ZERO);
                    joined += 1;
                }
            }
            joined
        }
    });
}

/// Records that are written already, put together.
pub fn put_together(criterion: &mut Criterion) {
    by_count(criterion, "event, for a record of 500 B", |count| {
        let mut records = vec![Piece::from(vec![b'x'; 500]); count];
        move || {
            let mut records: Vec<_> = black_box(&mut records).iter_mut().collect();
            let event = Event::of(&mut records);
            assert!(500 * records.len() < event.len());
            records.len()
        }
    });
}

/// Of queues: an answer read, and what becomes of each message.
pub fn settle_messages(criterion: &mut Criterion) {
    by_count(
        criterion,
        "response and settlement, for a message",
        |count| {
            let ids = ids(count);
            let reply = reply(ids.iter().cloned());
            let known: BTreeSet<String> = ids.iter().cloned().collect();
            move || {
                let read = items_failed(black_box(reply.as_bytes()), |id| known.contains(id));
                let Reply::Failed { ids: failed } = read else {
                    return 0;
                };
                let members = ids.iter().map(|id| Member { id, group: None });
                let fates = settle(members, &Answer::Partly { failed });
                let left = fates.iter().filter(|fate| **fate == Fate::Leave).count();
                assert_eq!(left, fates.len().div_ceil(FAILING_EACH));
                fates.len()
            }
        },
    );
}

/// Of streams: an answer read, which names records by their numbers.
pub fn read_an_answer(criterion: &mut Criterion) {
    by_count(criterion, "response, for a record", |count| {
        let numbers: Vec<SequenceNumber> = (0..count).map(number).collect();
        let names = numbers.iter().map(|number| number.as_str().to_owned());
        let reply = reply(names);
        move || {
            let place = |id: &str| {
                numbers
                    .binary_search_by(|number| number.as_str().cmp(id))
                    .ok()
            };
            let read = lowest_failed(black_box(reply.as_bytes()), false, place);
            assert_eq!(read, StreamReply::Stopped { handled: 0 });
            numbers.len()
        }
    });
}

/// The failure policy at its worst: the function handles one record at a time.
pub fn deliver(criterion: &mut Criterion) {
    let policy = Policy {
        bisect: true,
        retries_max: Some(3),
        discard_only_failing: false,
    };
    by_count(
        criterion,
        "delivery, one record handled at a time",
        |count| {
            move || {
                let (mut delivery, mut steps) = (Delivery::new(policy, count), 0);
                while let Step::Deliver { records, .. } = delivery.next(|_| None) {
                    let handled = records.start + 1;
                    let outcome = match records.len() {
                        1 => Outcome::Delivered,
                        _ => Outcome::Stopped { handled },
                    };
                    delivery.delivered(black_box(outcome), 0);
                    steps += 1;
                }
                steps
            }
        },
    );
}

/// Down the lanes of their keys, settled in order, with the position asked for after each.
pub fn take_lanes(criterion: &mut Criterion) {
    const LANES: u32 = 10;
    by_count(criterion, "lanes, for a record", |count| {
        let records: Vec<(SequenceNumber, String)> = (0..count)
            .map(|index| (number(index), format!("user-{index}")))
            .collect();
        move || {
            let beginning = ShardProgress::beginning(Position::Horizon, LANES);
            let mut lanes = Lanes::resume(&beginning, LANES);
            let mut places = Vec::with_capacity(records.len());
            for (number, key) in &records {
                if let Admitted::Lane { place, .. } = lanes.admit(number, black_box(key), 1, 0) {
                    places.push(place);
                }
            }
            for place in &places {
                lanes.settled(*place, None);
                black_box(lanes.position());
            }
            assert!(lanes.empty());
            places.len()
        }
    });
}
