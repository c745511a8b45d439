//! What the process takes of the machine while it has nothing to do, and while everything that it does fails. The numbers of
//! sources are small here; `SLUICEGATE_BOUNDS=1000` has as many as the figures of the README are of, and prints them.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use md5::{Digest as _, Md5};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::bars::number;
use crate::support::cloud::{ACCOUNT, Cloud, REGION};
use crate::support::gate::{Config, Gate, named_program};
use crate::support::usage::Usage;

const MB: u64 = 1024;
/// With nothing to do. The program of a test is larger than what is shipped.
const BASE_KB: u64 = 30 * MB;
/// What an idle queue or shard may take, its connection among it. Measured: see the README.
const OF_A_SOURCE_KB: u64 = 80;
/// How long idling is watched, where its CPU is a figure: longer than a long poll takes.
const WATCHED: Duration = Duration::from_secs(25);
/// Elsewhere memory alone is looked at, which is there when every source was asked once.
const GLANCED: Duration = Duration::from_secs(4);
/// How long a start or a drain of many may take here.
const MANY_PATIENCE: Duration = Duration::from_secs(300);

/// A line past the capture of the test's output.
fn tell(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr is open");
}

/// How many sources: few, or as many as one asks for.
fn asked(usual: u32) -> u32 {
    number("SLUICEGATE_BOUNDS").map_or(usual, |count| u32::try_from(count).expect("a count"))
}

/// What a start, an idle time and a drain came to.
#[derive(Debug)]
struct Idle {
    ready: Duration,
    at_rest: Usage,
    cpu_a_second: Duration,
    drain: Duration,
}

/// Waits until it is ready, watches it idle, and drains it.
async fn idle(mut gate: Gate, began: Instant) -> Idle {
    while gate.get("/readyz").await.status != 200 {
        assert!(began.elapsed() < MANY_PATIENCE, "it is not ready");
        sleep(Duration::from_millis(50)).await;
    }
    let ready = began.elapsed();
    let watched = match number("SLUICEGATE_BOUNDS") {
        Some(_) => WATCHED,
        None => GLANCED,
    };
    // What was begun at once comes to rest.
    sleep(watched / 2).await;
    let before = Usage::of(gate.pid());
    sleep(watched).await;
    let after = Usage::of(gate.pid());
    let stopping = Instant::now();
    gate.signal("TERM").await;
    assert_eq!(gate.ended_within(MANY_PATIENCE).await.code(), Some(0));
    Idle {
        ready,
        at_rest: after,
        cpu_a_second: (after.cpu - before.cpu).div_f64(watched.as_secs_f64()),
        drain: stopping.elapsed(),
    }
}

/// One line of the table.
fn report(what: &str, idle: &Idle) {
    let Usage {
        resident_kb,
        peak_kb,
        files,
        threads,
        ..
    } = idle.at_rest;
    tell(&format!(
        "bounds: {what}: ready in {:.1} s, {} MB at rest, {} MB at most, {:.1} ms of CPU a second, {files} files, {threads} threads, drained in {:.1} s",
        idle.ready.as_secs_f64(),
        resident_kb / MB,
        peak_kb / MB,
        idle.cpu_a_second.as_secs_f64() * 1000.0,
        idle.drain.as_secs_f64(),
    ));
}

/// performance: bars: 20 MB with nothing to do.
#[tokio::test]
async fn a_service_without_mappings_is_small() {
    let began = Instant::now();
    let gate = Config::at("http://127.0.0.1:9").start().await;
    let idle = idle(gate, began).await;
    report("no mapping", &idle);
    assert!(idle.at_rest.peak_kb < BASE_KB, "{idle:?}");
}

#[tokio::test]
async fn many_idle_queues_fit() {
    let count = asked(200);
    let cloud = Cloud::embedded().await;
    let mut config = Config::at(&cloud.endpoint).function("process", "http://127.0.0.1:9", 10);
    for index in 0..count {
        let name = format!("queue-{index}");
        cloud.world().create_queue(&name, &[]).unwrap();
        let arn = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}");
        config = config.mapping(&name, &arn, "process", "");
    }
    let began = Instant::now();
    let idle = idle(config.start().await, began).await;
    report(&format!("{count} queues"), &idle);
    let bound_kb = BASE_KB + u64::from(count) * OF_A_SOURCE_KB;
    assert!(idle.at_rest.peak_kb < bound_kb, "{idle:?}");
}

/// As many shards, a hundred to a stream.
#[tokio::test]
async fn many_idle_shards_fit() {
    const OF_A_STREAM: u32 = 100;
    let count = asked(200);
    let cloud = Cloud::embedded().await;
    let mut config = Config::at(&cloud.endpoint).function("process", "http://127.0.0.1:9", 10);
    for index in 0..count.div_ceil(OF_A_STREAM) {
        let name = format!("stream-{index}");
        let shards = OF_A_STREAM.min(count - index * OF_A_STREAM);
        let arn = cloud.world().create_stream(&name, shards).unwrap();
        config = config.mapping(&name, &arn, "process", "StartingPosition: LATEST");
    }
    let began = Instant::now();
    let idle = idle(config.start().await, began).await;
    report(&format!("{count} shards"), &idle);
    let bound_kb = BASE_KB + u64::from(count) * OF_A_SOURCE_KB;
    assert!(idle.at_rest.peak_kb < bound_kb, "{idle:?}");
}

/// A function that fails at everything and keeps nothing of it.
struct Refuser {
    url: String,
    calls: Arc<AtomicUsize>,
    largest: Arc<AtomicUsize>,
    _server: JoinSet<()>,
}

impl Refuser {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let (calls, largest) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let mut server = JoinSet::new();
        let (count, length) = (calls.clone(), largest.clone());
        server.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("it accepts");
                connections.spawn(refuse(stream, count.clone(), length.clone()));
            }
        });
        Self {
            url,
            calls,
            largest,
            _server: server,
        }
    }
}

/// One connection: takes each request whole, and answers as Lambda does for a function that failed.
async fn refuse(
    stream: TcpStream,
    calls: Arc<AtomicUsize>,
    largest: Arc<AtomicUsize>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            stream
                .read_line(&mut line)
                .await
                .ok()
                .filter(|read| *read > 0)?;
            let (name, value) = line.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = (&mut stream).take(length);
        tokio::io::copy(&mut body, &mut tokio::io::sink())
            .await
            .ok()?;
        largest.fetch_max(usize::try_from(length).ok()?, Relaxed);
        sleep(Duration::from_millis(200)).await;
        calls.fetch_add(1, Relaxed);
        let answer =
            "HTTP/1.1 200 OK\r\nX-Amz-Function-Error: Unhandled\r\nContent-Length: 2\r\n\r\n{}";
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

/// How long poison is watched; each batch is repeated several times in it.
const POISONED: Duration = Duration::from_secs(8);

/// What is on its way in, and what the allocator keeps of it, beside the events.
const UNDER_WAY_KB: u64 = 10 * MB;

/// performance: bars: under load no more than permits x event + 25 MB. Each event is in memory once.
async fn poisoned(what: &str, config: Config, refuser: &Refuser, permits: u64) {
    let gate = config.start().await;
    let began = Instant::now();
    while refuser.calls.load(Relaxed) as u64 <= 2 * permits {
        assert!(began.elapsed() < MANY_PATIENCE, "there is no poison");
        sleep(Duration::from_millis(50)).await;
    }
    sleep(POISONED).await;
    let usage = Usage::of(gate.pid());
    let calls = refuser.calls.load(Relaxed);
    let largest = refuser.largest.load(Relaxed) as u64;
    assert!(largest > 5_000_000, "the events are large: {largest}");
    let bound_kb = permits * largest / 1024 + 25 * MB;
    tell(&format!(
        "bounds: {what}: {permits} permits, events of {:.1} MB, {calls} invocations, {} MB now, {} MB at most, by the bar {} MB",
        largest as f64 / 1e6,
        usage.resident_kb / MB,
        usage.peak_kb / MB,
        bound_kb / MB
    ));
    gate.kill().await;
    // A build that is named is one that somebody ships.
    let held_kb = match named_program() {
        Some(_) => bound_kb,
        None => permits * largest / 1024 + BASE_KB + UNDER_WAY_KB,
    };
    assert!(usage.peak_kb < held_kb, "{usage:?}, {held_kb}");
}

#[tokio::test]
async fn poison_of_a_queue_is_bounded_by_its_permits() {
    const PERMITS: u64 = 5;
    let cloud = Cloud::embedded().await;
    let refuser = Refuser::start().await;
    let world = cloud.world();
    let attributes = [
        ("VisibilityTimeout", "10"),
        ("MaximumMessageSize", "1048576"),
    ];
    world.create_queue("poison", &attributes).unwrap();
    let body = "x".repeat(1_000_000);
    for _ in 0..6 * PERMITS {
        world.send("poison", &body).unwrap();
    }
    let settings = format!(
        "BatchSize: 10, MaximumBatchingWindowInSeconds: 2, ScalingConfig: {{ MaximumConcurrency: {PERMITS} }}"
    );
    let config = Config::at(&cloud.endpoint)
        .function("process", &refuser.url, 10)
        .mapping("poison", &world.queue_arn("poison"), "process", &settings);
    poisoned("a queue of poison", config, &refuser, PERMITS).await;
}

/// A partition key whose records go to this one of so many shards.
fn key_of(shard: u32, shards: u32) -> String {
    let range = u128::MAX / u128::from(shards);
    let is_its = |key: &String| {
        let hash = u128::from_be_bytes(Md5::digest(key.as_bytes()).into());
        hash / range == u128::from(shard)
    };
    let mut keys = (0..).map(|number: u32| format!("key-{number}"));
    keys.find(is_its).expect("each shard has keys")
}

#[tokio::test]
async fn poison_of_a_stream_is_bounded_by_its_shards() {
    const SHARDS: u32 = 8;
    let cloud = Cloud::embedded().await;
    let refuser = Refuser::start().await;
    let world = cloud.world();
    let arn = world.create_stream("poison", SHARDS).unwrap();
    let data = "x".repeat(700_000);
    // Six to an event, twice as many as that in each shard.
    for shard in 0..SHARDS {
        let key = key_of(shard, SHARDS);
        for _ in 0..12 {
            world.put_record("poison", &key, data.clone()).unwrap();
        }
    }
    let config = Config::at(&cloud.endpoint)
        .function("process", &refuser.url, 10)
        .mapping("poison", &arn, "process", "StartingPosition: TRIM_HORIZON");
    // Nothing is read beside an event of this size.
    poisoned("a stream of poison", config, &refuser, SHARDS.into()).await;
}
