//! Killed, ended and paused at random moments, from a seed, on one checkpoint file, while messages and records keep coming:
//! nothing is lost, nothing is deleted before a function handled it, in order nothing overtakes, and each start polls
//! at once. Queues, streams and the functions' ledger are outside of the process that suffers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep};

use crate::support::cloud::Cloud;
use crate::support::collector::{Call, Collector, Reply};
use crate::support::gate::{Config, Gate};
use crate::support::line::Line;
use crate::support::queue::{EMPTY, QueueShape};
use crate::support::stream::texts;
use crate::support::{PATIENCE, POLL};

crate::support::scenarios! {
    on others_with_kinesis:
    thirty_hard_lives_lose_nothing_delete_nothing_early_and_reorder_nothing,
    thirty_more_hard_lives_lose_nothing_delete_nothing_early_and_reorder_nothing,
}

/// Where the environment holds a number by this name, seeds are counted from it.
pub const SEED_VARIABLE: &str = "SLUICEGATE_IT_SEED";
pub const SEED: u64 = 20_261_121;
/// Of each test.
const LIVES: usize = 30;
/// A process lives so long at most; half of them count it from their first polls on.
const LIFE_MS: u64 = 500;
/// Longer than the queues' visibility of a second, now and then.
const PAUSE_MS: u64 = 1_200;
/// How long a function takes at most.
const CALL_MS: u64 = 60;
/// From the start of a process to its first polls, at most.
const FIRST_POLL_MAX: Duration = Duration::from_secs(2);

/// The name of a source, its mapping and its function alike. The last three are in order within a group or a key.
const PLAIN: &str = "plain";
const ORDERED: &str = "ordered";
const CLICKS: &str = "clicks";
const ORDERS: &str = "orders";
const IN_ORDER: [&str; 3] = [ORDERED, CLICKS, ORDERS];
const KEYS: [&str; 3] = ["a", "b", "c"];

/// A text is `KEY NUMBER`, and the number counts within the key.
fn parsed(text: &str) -> (String, u32) {
    let (key, number) = text.split_once(' ').expect("a key and a number");
    (key.to_owned(), number.parse().expect("a number"))
}

/// The functions' mind: one message in eight fails when it comes for the first time.
#[derive(Default)]
struct Mind {
    failed: BTreeSet<(String, String)>,
}

/// What becomes of a call.
struct Judged {
    /// What it brought.
    texts: Vec<String>,
    /// What of that was handled when the reply has arrived.
    handled: Vec<String>,
    reply: Reply,
}

impl Mind {
    /// Whether this one fails. Asked once for each that comes.
    fn fails(&mut self, function: &str, text: &str) -> bool {
        let (_, number) = parsed(text);
        number % 8 == 5 && self.failed.insert((function.to_owned(), text.to_owned()))
    }

    /// A function of a queue names what failed, and in order that is all of the group from there on; that of a stream throws.
    fn judge(&mut self, call: &Call) -> Judged {
        let function = call.function.as_str();
        if [CLICKS, ORDERS].contains(&function) {
            let texts = texts(call);
            let failing: Vec<_> = texts
                .iter()
                .filter(|text| self.fails(function, text))
                .collect();
            let failed = !failing.is_empty();
            return Judged {
                handled: if failed { Vec::new() } else { texts.clone() },
                reply: if failed {
                    Reply::function_error("boom")
                } else {
                    Reply::success()
                },
                texts,
            };
        }
        let texts = call.bodies();
        let mut stopped = BTreeSet::new();
        let mut failed = Vec::new();
        let mut handled = Vec::new();
        for (text, id) in texts.iter().zip(call.message_ids()) {
            let (key, _) = parsed(text);
            if self.fails(function, text) || function == ORDERED && stopped.contains(&key) {
                stopped.insert(key);
                failed.push(id);
            } else {
                handled.push(text.clone());
            }
        }
        Judged {
            texts,
            handled,
            reply: Reply::failures(&failed),
        }
    }
}

/// The ledger, judged: what came when, and what of it was handled when.
struct Entry {
    function: String,
    arrived: Instant,
    answered: Option<Instant>,
    judged: Judged,
}

fn judged(calls: Vec<Call>) -> Vec<Entry> {
    let mut mind = Mind::default();
    let entry = |call: Call| Entry {
        judged: mind.judge(&call),
        function: call.function,
        arrived: call.arrived,
        answered: call.answered,
    };
    calls.into_iter().map(entry).collect()
}

/// What was handled when, of this function.
fn handled(ledger: &[Entry], function: &str) -> BTreeMap<String, Instant> {
    let mut handled = BTreeMap::new();
    for entry in ledger.iter().filter(|entry| entry.function == function) {
        let Some(answered) = entry.answered else {
            continue;
        };
        for text in &entry.judged.handled {
            let at = handled.entry(text.clone()).or_insert(answered);
            *at = answered.min(*at);
        }
    }
    handled
}

/// What arrived before its predecessor in the group or the key was handled, and not behind it in one call.
fn overtaking(ledger: &[Entry], function: &str) -> Vec<String> {
    let handled = handled(ledger, function);
    let mut overtaking = Vec::new();
    for entry in ledger.iter().filter(|entry| entry.function == function) {
        let mut before = BTreeMap::<String, u32>::new();
        for text in &entry.judged.texts {
            let (key, number) = parsed(text);
            let in_turn = number.checked_sub(1).is_none_or(|previous| {
                let at = handled.get(&format!("{key} {previous}"));
                before.get(&key) == Some(&previous) || at.is_some_and(|at| *at <= entry.arrived)
            });
            before.insert(key, number);
            if !in_turn {
                overtaking.push(format!("{function}: {text}"));
            }
        }
    }
    overtaking
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    Kill,
    Term,
    StopAndKill,
    StopAndTerm,
}

const ENDINGS: [Ending; 4] = [
    Ending::Kill,
    Ending::Term,
    Ending::StopAndKill,
    Ending::StopAndTerm,
];

async fn suffer(mut gate: Gate, ending: Ending, chance: &mut Rng) {
    if [Ending::StopAndKill, Ending::StopAndTerm].contains(&ending) {
        gate.signal("STOP").await;
        sleep(Duration::from_millis(chance.u64(..PAUSE_MS))).await;
        gate.signal("CONT").await;
        sleep(Duration::from_millis(chance.u64(..200))).await;
    }
    if [Ending::Kill, Ending::StopAndKill].contains(&ending) {
        gate.kill().await;
        return;
    }
    gate.signal("TERM").await;
    let code = gate.ended().await.code();
    let started = gate.log().iter().any(|line| line.contains("\"started\""));
    // Without a code it was ended before it took signals over, with nothing in hand.
    assert!(code == Some(0) || (code.is_none() && !started), "{code:?}");
}

/// How long it took from then to the first polls of a queue and of a stream.
async fn first_polls(sqs: &Line, kinesis: &Line, since: Instant) -> Duration {
    let deadline = since + PATIENCE;
    loop {
        let queue = sqs.asked_since("ReceiveMessage", since);
        let stream = kinesis.asked_since("GetRecords", since);
        if let (Some(queue), Some(stream)) = (queue, stream) {
            return queue.max(stream) - since;
        }
        assert!(Instant::now() < deadline, "it polls: {queue:?} {stream:?}");
        sleep(POLL).await;
    }
}

async fn thirty_hard_lives_lose_nothing_delete_nothing_early_and_reorder_nothing(cloud: Cloud) {
    live(cloud, 0).await;
}

// Beside the first, not after them: they wait more than they work.
async fn thirty_more_hard_lives_lose_nothing_delete_nothing_early_and_reorder_nothing(
    cloud: Cloud,
) {
    live(cloud, 1).await;
}

/// What was sent, by source.
type Sent = BTreeMap<&'static str, BTreeSet<String>>;

#[derive(Default)]
struct Producer {
    sent: Sent,
    next: BTreeMap<(&'static str, &'static str), u32>,
}

impl Producer {
    /// The next so many texts of a key.
    fn texts(&mut self, source: &'static str, key: &'static str, count: usize) -> Vec<String> {
        let next = self.next.entry((source, key)).or_default();
        let numbers = *next..*next + u32::try_from(count).expect("a small number");
        *next = numbers.end;
        let texts: Vec<_> = numbers.map(|number| format!("{key} {number}")).collect();
        let sent = self.sent.entry(source).or_default();
        sent.extend(texts.iter().cloned());
        texts
    }

    fn of(&self, sources: &[&str]) -> Sent {
        let mut sent = self.sent.clone();
        sent.retain(|source, _| sources.contains(source));
        sent
    }
}

/// What was sent and not handled, and is in no queue either.
fn lost(cloud: &Cloud, collector: &Collector, sent: &Sent) -> Vec<String> {
    // The queues first: what is gone from them by then must have been handled by then.
    let left = |name: &str| -> BTreeSet<String> {
        let queue = match (cloud.own_world(), name) {
            (Some(world), PLAIN) => world.queue(PLAIN),
            (Some(world), ORDERED) => world.queue("ordered.fifo"),
            _ => return BTreeSet::new(),
        };
        let messages = queue.expect("a queue").messages;
        messages.into_iter().map(|message| message.body).collect()
    };
    let left: BTreeMap<_, _> = sent.keys().map(|name| (*name, left(name))).collect();
    let ledger = judged(collector.calls());
    let lost = sent.iter().flat_map(|(name, sent)| {
        let handled = handled(&ledger, name);
        let lost = sent
            .iter()
            .filter(|text| !handled.contains_key(*text) && !left[name].contains(*text));
        lost.map(|text| format!("{name}: {text}"))
            .collect::<Vec<_>>()
    });
    lost.collect()
}

#[allow(
    clippy::disallowed_macros,
    reason = "what is printed so is shown with the test that failed, and where it is asked for"
)]
async fn live(cloud: Cloud, nth: u64) {
    let seed = std::env::var(SEED_VARIABLE).map_or(SEED, |seed| seed.parse().expect("a number"));
    println!("{SEED_VARIABLE}={seed}");
    let mut chance = Rng::with_seed(seed + nth);
    let mut of_functions = chance.fork();
    let mut mind = Mind::default();
    let collector = Collector::start(move |call| {
        let reply = mind.judge(call).reply;
        reply.after(Duration::from_millis(of_functions.u64(..CALL_MS)))
    })
    .await;
    let shape = |fifo| QueueShape {
        fifo,
        visibility_s: Some(1),
        ..QueueShape::default()
    };
    let plain = cloud.queue(PLAIN, shape(false)).await;
    let ordered = cloud.queue("ordered.fifo", shape(true)).await;
    let clicks = cloud.stream(CLICKS, 2).await;
    let orders = cloud.table(ORDERS).await;
    let (sqs, kinesis) = (
        Line::to(&cloud.endpoint),
        Line::to(cloud.kinesis_endpoint()),
    );
    let home = tempfile::tempdir().unwrap();
    let of_queue = "BatchSize: 3, FunctionResponseTypes: [ReportBatchItemFailures]";
    let of_stream = "BatchSize: 3, StartingPosition: TRIM_HORIZON, ParallelizationFactor: 2";
    let mut config = Config::at(&sqs.endpoint())
        .kinesis(&kinesis.endpoint())
        .checkpoints(&home.path().join("checkpoints.db"));
    for (name, arn, settings) in [
        (PLAIN, &plain.arn, of_queue),
        (ORDERED, &ordered.arn, of_queue),
        (CLICKS, &clicks.arn, of_stream),
        (ORDERS, &orders.arn, of_stream),
    ] {
        config = config
            .function(name, &collector.url(name), 1)
            .mapping(name, arn, name, settings);
    }

    let mut producer = Producer::default();
    let mut endings = BTreeMap::<Ending, usize>::new();
    let mut starts = Vec::new();
    for _ in 0..LIVES {
        plain
            .send_all(&producer.texts(PLAIN, "plain", chance.usize(1..15)))
            .await;
        for key in KEYS {
            for text in producer.texts(ORDERED, key, chance.usize(..3)) {
                ordered.send_grouped(key, &text).await;
            }
            clicks
                .put(key, &producer.texts(CLICKS, key, chance.usize(..3)))
                .await;
            orders
                .put(key, &producer.texts(ORDERS, key, chance.usize(..3)))
                .await;
        }
        let since = Instant::now();
        let gate = config.program().launch();
        if chance.bool() {
            starts.push(first_polls(&sqs, &kinesis, since).await);
        }
        sleep(Duration::from_millis(chance.u64(..LIFE_MS))).await;
        let ending = ENDINGS[chance.usize(..ENDINGS.len())];
        *endings.entry(ending).or_default() += 1;
        suffer(gate, ending, &mut chance).await;
        if cloud.own_world().is_some() {
            let early = lost(&cloud, &collector, &producer.of(&[PLAIN, ORDERED]));
            assert_eq!(early, [""; 0], "deleted and never handled");
        }
    }

    let since = Instant::now();
    let gate = config.start().await;
    starts.push(first_polls(&sqs, &kinesis, since).await);
    for queue in [&plain, &ordered] {
        queue.wait_for(EMPTY).await;
    }
    let sent = producer.of(&[PLAIN, ORDERED, CLICKS, ORDERS]);
    let deadline = Instant::now() + PATIENCE;
    while !lost(&cloud, &collector, &sent).is_empty() {
        let lost = lost(&cloud, &collector, &sent);
        assert!(Instant::now() < deadline, "lost: {lost:?}");
        sleep(POLL).await;
    }
    gate.stop().await;
    let ledger = judged(collector.calls());
    for function in IN_ORDER {
        assert_eq!(overtaking(&ledger, function), [""; 0]);
    }
    starts.sort();
    let (median, slowest) = (starts[starts.len() / 2], starts[starts.len() - 1]);
    println!(
        "ends: {endings:?}; {} starts, to the first polls {median:?} at the median, {slowest:?} at the slowest",
        starts.len()
    );
    assert!(
        ENDINGS.iter().all(|ending| endings.contains_key(ending)),
        "{endings:?}"
    );
    // Others take their own time for each answer, a busy machine more of it than we do.
    let ours = cloud.own_world().map_or(median, |_| slowest);
    assert!(ours <= FIRST_POLL_MAX, "{starts:?}");
}
