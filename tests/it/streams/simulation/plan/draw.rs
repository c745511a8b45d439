//! What a seed stands for, drawn from it.

use sluicegate::aws::stream::ReadBounds;
use sluicegate::sim::{Fault, KinesisOperation, Operation};

use super::{Ending, From, Kind, Moods, Plan, Quiet, Settings, To};

impl Plan {
    /// The plan of a seed for a kind of stream.
    pub fn draw(seed: u64, kind: Kind) -> Self {
        let kinesis = kind != Kind::Dynamo;
        let mut rng = fastrand::Rng::with_seed(match kind {
            Kind::Dynamo => seed.wrapping_mul(2),
            Kind::Kinesis => seed.wrapping_mul(2).wrapping_add(1),
            Kind::FanOut => !seed,
        });
        let rng = &mut rng;
        let chance = |rng: &mut fastrand::Rng, of: u32| rng.u32(..of) == 0;
        let weather = rng.u32(..4);
        let loss = weather > 0 && chance(rng, 5);
        let faults = match weather {
            0 => Vec::new(),
            _ => faults(rng, kind, loss),
        };
        let stormy = weather > 1;
        let calm = chance(rng, 6);
        let upto = |rng: &mut fastrand::Rng, most: u64| if calm { 0 } else { rng.u64(..=most) };
        let moods = Moods {
            error: upto(rng, 20),
            slow: upto(rng, 10),
            late: upto(rng, 4),
            throttled: upto(rng, 15),
            unavailable: upto(rng, 8),
            garbage: upto(rng, 5),
            stops: upto(rng, 30),
        };
        let tumbling_s = chance(rng, 5).then(|| rng.u64(5..60));
        let retries = [None, Some(0), Some(1), Some(2), Some(5)][rng.usize(..5)];
        let age_s = chance(rng, 5).then(|| rng.u64(60..120));
        let limited = retries.is_some() || age_s.is_some();
        let kpl = kinesis && chance(rng, 6);
        let heavy = kinesis && !kpl && limited && chance(rng, 16);
        let to = [
            To::Nowhere,
            To::Nowhere,
            To::Queue,
            To::NarrowQueue,
            To::Topic,
            To::Bucket,
        ][rng.usize(..6)];
        // What an aggregate lost is told by its event alone.
        let to = if kpl && to == To::NarrowQueue {
            To::Queue
        } else {
            to
        };
        let destination = to != To::Nowhere;
        let faults = match stormy && destination {
            true => [faults, unhappy(rng, to)].concat(),
            false => faults,
        };
        let from = match rng.u32(..6) {
            0 => From::Latest,
            1 if kinesis => From::Moment,
            _ => From::Horizon,
        };
        let file = chance(rng, 3) != stormy;
        Self {
            seed,
            kind,
            from,
            shards: rng.u32(1..4),
            keys: rng.usize(1..12),
            records: if heavy { 20 } else { rng.usize(10..140) },
            // A subscription lasts 5 minutes: some runs are longer.
            pace_ms: match kind {
                Kind::FanOut if chance(rng, 3) => 20_000,
                Kind::FanOut | Kind::Kinesis | Kind::Dynamo => 3_000,
            },
            settings: Settings::draw(rng, tumbling_s.is_some()),
            changes: chance(rng, 2),
            retries,
            age_s,
            only_failing: chance(rng, 5),
            tumbling_s,
            partial: rng.bool(),
            filter: chance(rng, 3),
            kpl,
            heavy,
            poison: if limited && rng.bool() { 10 } else { 0 },
            to,
            payload: destination && (kpl || to == To::NarrowQueue || rng.bool()),
            timeout_s: [1, 3, 10][rng.usize(..3)],
            concurrency: chance(rng, 8).then(|| rng.u32(1..3)),
            moods,
            faults,
            loss,
            rival: if kind == Kind::FanOut && weather > 0 && !loss && rng.bool() {
                6
            } else {
                0
            },
            reshards: if chance(rng, 3) { 0 } else { rng.usize(1..6) },
            crashes: if weather == 3 { rng.usize(1..8) } else { 0 },
            restarts: if rng.bool() { 0 } else { rng.usize(1..6) },
            // In fair weather more can be told.
            reloads: if rng.u32(..if weather == 0 { 4 } else { 2 }) == 0 {
                0
            } else {
                rng.usize(1..6)
            },
            file,
            acts: rng.usize(1..5).min(3),
            quiet: quiet(rng, kind, weather > 0),
            pauses: if stormy { rng.usize(..4) } else { 0 },
            disk_faults: if stormy && file { rng.usize(1..6) } else { 0 },
            outages: if stormy { rng.usize(..3) } else { 0 },
            ending: match kind {
                _ if chance(rng, 2) => Ending::Calm,
                Kind::Kinesis | Kind::FanOut => Ending::MadeAnew,
                Kind::Dynamo => Ending::Switched,
            },
            overheard: chance(rng, 4),
            reads: (kind == Kind::Kinesis && rng.bool()).then(|| ReadBounds {
                // A small record takes 600 bytes.
                keep_bytes_max: rng.usize(..5_000),
            }),
        }
    }
}

/// What lies between two times of trouble. Polling costs: a shard is read each second.
fn quiet(rng: &mut fastrand::Rng, kind: Kind, may_grow_old: bool) -> Quiet {
    const HOUR: u64 = 3_600;
    match rng.u32(..5) {
        0 if may_grow_old => Quiet::Away {
            s: rng.u64(25 * HOUR..30 * HOUR),
        },
        0 | 1 => Quiet::Away {
            s: rng.u64(60..4 * HOUR),
        },
        2 | 3 if kind == Kind::FanOut => Quiet::Idle {
            s: rng.u64(HOUR..6 * HOUR),
        },
        // Its shards roll over while they are read.
        2 if kind == Kind::Dynamo && rng.u32(..4) == 0 => Quiet::Idle {
            s: rng.u64(4 * HOUR..5 * HOUR),
        },
        _ => Quiet::Idle {
            s: rng.u64(60..HOUR / 4),
        },
    }
}

/// What may happen at the place of on-failure records, which is seldom asked: it must be likely.
fn unhappy(rng: &mut fastrand::Rng, to: To) -> Vec<(Option<Operation>, Fault, f64)> {
    let operation = match to {
        To::Topic => Operation::Publish,
        To::Bucket => Operation::PutObject,
        To::Nowhere | To::Queue | To::NarrowQueue => Operation::SendMessage,
    };
    let some = |rng: &mut fastrand::Rng, faults: &[Fault]| {
        let fault = faults[rng.usize(..faults.len())];
        (Some(operation), fault, 0.1 + 0.3 * rng.f64())
    };
    let down = [
        Fault::Unavailable,
        Fault::InternalError,
        Fault::ConnectHangs,
        Fault::ResetBefore,
        Fault::ProxyHtml,
    ];
    let lost = [Fault::ResetAfter, Fault::AnswerLost, Fault::TruncatedBody];
    let kinds: [&[Fault]; 5] = [
        &down,
        &[Fault::Throttled],
        &[Fault::AccessDenied, Fault::ExpiredToken],
        &[Fault::Slow],
        &lost,
    ];
    let first = rng.usize(..kinds.len());
    let second = rng.usize(..kinds.len());
    vec![some(rng, kinds[first]), some(rng, kinds[second])]
}

/// Some faults at some of the calls that the engine makes, or at all of them.
fn faults(rng: &mut fastrand::Rng, kind: Kind, loss: bool) -> Vec<(Option<Operation>, Fault, f64)> {
    let operations = operations(kind);
    let mut faults = Vec::new();
    for _ in 0..rng.usize(1..7) {
        let fault = Fault::ALL[rng.usize(..Fault::ALL.len())];
        let fits: Vec<Operation> = operations
            .iter()
            .copied()
            .filter(|operation| fault.fits(*operation))
            .collect();
        if fits.is_empty() || fault == Fault::TrimmedPosition && !loss {
            continue;
        }
        let operation = fits[rng.usize(..fits.len())];
        let everywhere = rng.u32(..4) == 0 && operation != Operation::Invoke;
        faults.push((
            (!everywhere).then_some(operation),
            fault,
            0.01 + 0.15 * rng.f64(),
        ));
    }
    // A subscription is seldom begun: what may happen to it must be likely.
    if kind == Kind::FanOut {
        for fault in [Fault::SilentEventStream, Fault::BrokenEventStream] {
            if rng.bool() {
                faults.push((Some(operations[2]), fault, 0.3 * rng.f64()));
            }
        }
    }
    let read = operations[2];
    if loss && Fault::TrimmedPosition.fits(read) && rng.bool() {
        faults.push((Some(read), Fault::TrimmedPosition, 0.02));
    }
    faults
}

/// The calls that the engine makes; reading is the third.
fn operations(kind: Kind) -> Vec<Operation> {
    let mut operations = match kind {
        Kind::Kinesis => vec![
            Operation::Kinesis(KinesisOperation::ListShards),
            Operation::Kinesis(KinesisOperation::GetShardIterator),
            Operation::Kinesis(KinesisOperation::GetRecords),
            Operation::Kinesis(KinesisOperation::DescribeStreamSummary),
        ],
        Kind::FanOut => vec![
            Operation::Kinesis(KinesisOperation::ListShards),
            Operation::Kinesis(KinesisOperation::DescribeStreamConsumer),
            Operation::Kinesis(KinesisOperation::SubscribeToShard),
            Operation::Kinesis(KinesisOperation::SubscribeToShard),
            Operation::Kinesis(KinesisOperation::SubscribeToShard),
            Operation::Kinesis(KinesisOperation::DescribeStreamSummary),
        ],
        Kind::Dynamo => vec![
            Operation::StreamsDescribeStream,
            Operation::StreamsGetShardIterator,
            Operation::StreamsGetRecords,
        ],
    };
    operations.extend([
        Operation::Invoke,
        Operation::Invoke,
        Operation::GetFunctionConfiguration,
        Operation::SendMessage,
        Operation::GetQueueUrl,
    ]);
    operations
}

/// The calls at which something may go wrong in any run of this kind.
pub fn calls(kind: Kind) -> Vec<Operation> {
    let more = [Operation::Publish, Operation::PutObject];
    [operations(kind), more.to_vec()].concat()
}
