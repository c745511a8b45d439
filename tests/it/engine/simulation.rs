//! Whole lives of the service, drawn from seeds: any queue, any mapping, a moody function, faults of every kind, kills
//! and restarts; then the world heals, and the ledger is judged. `SLUICEGATE_SEED=n` replays one, `SLUICEGATE_SEEDS=n`
//! runs more of them.

mod ledger;
mod plan;

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use sluicegate::metrics::Metrics;
use sluicegate::reports::Account;
use sluicegate::sim::{Entry, Event, FunctionConfig, Invocation, Reply};
use tokio::time::{Instant, sleep};

use super::{Stage, of_mapping};
use ledger::{Judge, Meant, Truth};
use plan::{Plan, Weather};

/// How many seeds each kind of queue gets, unless told otherwise.
const SEEDS: u64 = 25;
/// When the world heals, and how long it may then take until the queue is empty.
const TROUBLE: Duration = Duration::from_secs(600);
const RECOVERY_MAX: Duration = Duration::from_secs(3600);

/// What a run came to.
#[derive(Debug)]
struct Run {
    broken: Vec<String>,
    lasted: Duration,
    faults: u64,
    hash: u64,
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

/// The function of a plan, which notes what it means.
fn function(stage: &Stage, plan: &Plan, meant: Arc<Mutex<Meant>>) {
    let rng = Mutex::new(fastrand::Rng::with_seed(plan.seed ^ 0xf00d));
    let (moods, partial, timeout) = (plan.moods, plan.partial, plan.timeout());
    let answer = move |call: &Invocation| {
        let rng = &mut *rng.lock().unwrap();
        let ids = call.message_ids();
        let poison: Vec<bool> = call
            .bodies()
            .iter()
            .map(|body| body.contains("\"poison\":true"))
            .collect();
        let mut handled: BTreeSet<String> = ids.iter().cloned().collect();
        let failed: BTreeSet<String> = ids
            .iter()
            .zip(&poison)
            .filter(|(_, poison)| **poison || partial && rng.u64(..100) < moods.failed_items)
            .map(|(id, _)| id.clone())
            .collect();
        let mut mood = rng.u64(..100);
        let mut is = |share: u64| {
            let hit = mood < share;
            mood = mood.saturating_sub(share);
            hit
        };
        let good = |failed: &BTreeSet<String>| {
            if partial {
                Reply::batch_item_failures(failed)
            } else {
                Reply::ok("{\"batchItemFailures\":[{\"itemIdentifier\":\"x\"}]}")
            }
        };
        let reply = if poison.contains(&true) && !partial || is(moods.error) {
            handled.clear();
            Reply::error("mood")
        } else if is(moods.throttled) {
            handled.clear();
            Reply::refused(429, "Rate Exceeded.")
        } else if is(moods.unavailable) {
            handled.clear();
            Reply::refused([500, 502, 503][rng.usize(..3)], "down")
        } else if is(moods.late) {
            good(&failed).after(timeout * 2)
        } else if is(moods.garbage) {
            if partial {
                handled.clear();
            }
            Reply::ok("{\"batchItemFailures\":[{\"itemIdentifier\":\"nobody\"}]}")
        } else if is(moods.slow) {
            good(&failed).after(timeout.mul_f64(0.9 * rng.f64()))
        } else {
            good(&failed).after(Duration::from_millis(rng.u64(..50)))
        };
        if partial {
            handled.retain(|id| !failed.contains(id));
        }
        meant
            .lock()
            .unwrap()
            .insert(call.request_id.clone(), handled);
        reply
    };
    let config = FunctionConfig {
        timeout: if plan.http { timeout * 3 } else { timeout },
        ..FunctionConfig::default()
    };
    stage.function(config, answer);
}

/// Sends the next message of a plan; true when the filter drops it.
fn send(stage: &Stage, plan: &Plan, rng: &mut fastrand::Rng, number: usize) -> (String, bool) {
    let keep = !plan.filter || rng.u32(..3) > 0;
    let poison = plan.receives_max.is_some() && rng.u32(..8) == 0;
    let body = json!({ "keep": keep, "poison": poison, "number": number }).to_string();
    let group = format!("g{}", rng.usize(..plan.groups));
    let id = if plan.fifo {
        stage.world.send_to_group(plan.queue(), &group, &body)
    } else {
        stage.world.send(plan.queue(), &body)
    };
    (id.expect("the queue exists"), !keep)
}

async fn run(plan: &Plan) -> Run {
    let mut stage = Stage::new(plan.seed);
    let world = stage.world.clone();
    let attributes = plan.attributes();
    let attributes: Vec<(&str, &str)> = attributes.iter().map(|(k, v)| (*k, v.as_str())).collect();
    match plan.receives_max {
        Some(most) => world.create_queue_with_dlq(plan.queue(), most, &attributes),
        None => world.create_queue(plan.queue(), &attributes),
    }
    .unwrap();
    let meant = Arc::new(Mutex::new(Meant::new()));
    function(&stage, plan, meant.clone());
    for (operation, fault, probability) in &plan.faults {
        world.fault_chance(*operation, *fault, *probability);
    }
    let rng = &mut fastrand::Rng::with_seed(plan.seed ^ 0xcafe);
    let config = plan.config(&world.queue_arn(plan.queue()));
    let began = Instant::now();
    let mut dropped = BTreeSet::new();
    let mut sent = 0;
    let mut crashes = plan.crashes;
    let mut restarts = plan.restarts;
    let mut account = Account::default();
    let mut running = stage.start_with(&config);
    let mut crash = world.crash_at(if crashes > 0 {
        rng.u64(1..150)
    } else {
        u64::MAX
    });
    let mut healed = false;
    loop {
        let batch = if sent == 0 {
            plan.messages / 3
        } else {
            rng.usize(..3)
        };
        for _ in 0..batch.min(plan.messages - sent) {
            let (id, drop) = send(&stage, plan, rng, sent);
            if drop {
                dropped.insert(id);
            }
            sent += 1;
        }
        let pause = Duration::from_millis(rng.u64(1..8_000));
        tokio::select! {
            biased;
            () = crash.notified() => {
                drop(running);
                crashes -= 1;
                sleep(Duration::from_millis(rng.u64(1..5_000))).await;
                crash = world.crash_at(if crashes > 0 && !healed { rng.u64(1..150) } else { u64::MAX });
                stage.metrics = Metrics::new();
                account = Account::default();
                running = stage.start_with(&config);
            }
            () = sleep(pause) => {}
        }
        let lasted = began.elapsed();
        if restarts > 0 && lasted > TROUBLE / 20 {
            restarts -= 1;
            account = account.and(running.stop().await);
            running = stage.start_with(&config);
        }
        if !healed && TROUBLE <= lasted {
            healed = true;
            world.heal();
            crash = world.crash_at(u64::MAX);
        }
        let done = sent == plan.messages && stage.left(plan.queue()) == 0;
        if done && (healed || crashes == 0) || TROUBLE + RECOVERY_MAX < lasted {
            break;
        }
    }
    let lasted = began.elapsed();
    if !healed {
        world.heal();
    }
    account = account.and(running.stop().await);
    world.idle().await;
    let meant = meant.lock().unwrap().clone();
    let history = world.history();
    let (mut broken, truth) = Judge::new(plan, &meant, &dropped).judge(&history);
    if TROUBLE + RECOVERY_MAX < lasted {
        broken.push("I13: the queue is not empty".into());
    }
    books(&stage, plan, account, truth, &mut broken);
    let mut hasher = DefaultHasher::new();
    for Entry { at, event } in &history {
        match event {
            // The bytes themselves: their debug form takes longer than the run.
            Event::Invoked { event, .. } => (at, event).hash(&mut hasher),
            other => (at, format!("{other:?}")).hash(&mut hasher),
        }
    }
    Run {
        broken,
        lasted,
        faults: world.fault_counts().values().sum(),
        hash: hasher.finish(),
    }
}

// I16: what was counted adds up, and in fair weather it is what the world saw.
fn books(stage: &Stage, plan: &Plan, account: Account, truth: Truth, broken: &mut Vec<String>) {
    let metric = |family: &str| stage.metric(&of_mapping(family)) as u64;
    let passed_over = ["duplicate", "group_busy", "unusable"]
        .iter()
        .map(|reason| {
            let series = format!(
                "sluicegate_messages_passed_over_total{{mapping=\"m\",reason=\"{reason}\"}}"
            );
            stage.metric(&series) as u64
        })
        .sum::<u64>();
    let mut equal = |what: &str, counted: u64, true_: u64| {
        if counted != true_ {
            broken.push(format!(
                "I16: {what}: {counted} is not {true_} ({account}, {truth:?})"
            ));
        }
    };
    let Account {
        deleted,
        left,
        handed_back,
        abandoned,
        settled,
        discarded,
        cut_off,
    } = account;
    equal("of streams", settled + discarded + cut_off, 0);
    let polled = metric("events_polled_total");
    equal(
        "polled",
        polled,
        deleted + left + handed_back + abandoned + passed_over,
    );
    equal("deleted", metric("events_deleted_total"), deleted);
    equal(
        "handed back",
        metric("messages_handed_back_total"),
        handed_back,
    );
    equal("held", metric("messages_held"), 0);
    equal("in flight", metric("invocations_in_flight"), 0);
    if plan.weather() == Weather::Fair {
        equal("abandoned", abandoned, 0);
        equal("truly polled", polled, truth.received);
        equal("truly deleted", deleted, truth.deleted);
        equal("truly handed back", handed_back, truth.handed_back);
        equal(
            "truly invoked",
            metric("events_invoked_total"),
            truth.events_invoked,
        );
    }
}

/// A line on stderr, past the capture of the test's output.
fn tell(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr is open");
}

/// Runs these seeds and says what came of all of them.
fn seeds(fifo: bool) {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let replay = number("SLUICEGATE_SEED");
    let seeds = replay.map_or(0..number("SLUICEGATE_SEEDS").unwrap_or(SEEDS), |seed| {
        seed..seed + 1
    });
    let mut failures = Vec::new();
    let (mut lasted, mut faults, mut longest) = (Duration::ZERO, 0, (Duration::ZERO, 0));
    for seed in seeds {
        let plan = Plan::draw(seed, fifo);
        let outcome = catch_unwind(AssertUnwindSafe(|| block_on(run(&plan))));
        let broken = match outcome {
            Ok(run) => {
                lasted += run.lasted;
                longest = longest.max((run.lasted, seed));
                faults += run.faults;
                run.broken
            }
            Err(_) => vec!["panicked".to_owned()],
        };
        if !broken.is_empty() {
            let shown = broken[..broken.len().min(6)].join("\n  ");
            failures.push(format!("seed {seed}: {plan:?}\n  {shown}"));
        }
    }
    let name = if fifo { "ordered" } else { "standard" };
    tell(&format!(
        "{name}: {:.1} simulated hours, {faults} faults, the longest run was {longest:?}",
        lasted.as_secs_f64() / 3600.0
    ));
    assert!(
        failures.is_empty(),
        "{} of the seeds failed; to replay one: SLUICEGATE_SEED=n cargo test --test it engine::simulation::{name}\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(
        replay.is_some() || faults > 100,
        "hardly anything went wrong: {faults}"
    );
}

#[test]
fn standard_queues_keep_every_promise_in_any_weather() {
    seeds(false);
}

#[test]
fn ordered_queues_keep_every_promise_in_any_weather() {
    seeds(true);
}

/// A small ordered scenario with a failure, in which a crash fires at this crash point; none for `u64::MAX`.
async fn crashed_at(number: u64) -> (Run, u64) {
    let plan = Plan {
        seed: 7,
        messages: 6,
        groups: 2,
        crashes: usize::from(number < u64::MAX),
        ..Plan::small()
    };
    let stage = Stage::new(plan.seed);
    let world = stage.world.clone();
    world
        .create_queue_with_dlq(
            plan.queue(),
            3,
            &[("FifoQueue", "true"), ("VisibilityTimeout", "10")],
        )
        .unwrap();
    let meant = Arc::new(Mutex::new(Meant::new()));
    function(&stage, &plan, meant.clone());
    let rng = &mut fastrand::Rng::with_seed(plan.seed);
    for number in 0..plan.messages {
        send(&stage, &plan, rng, number);
    }
    let config = plan.config(&world.queue_arn(plan.queue()));
    let began = Instant::now();
    let crash = world.crash_at(number);
    let mut running = stage.start_with(&config);
    while stage.left(plan.queue()) > 0 && began.elapsed() < RECOVERY_MAX {
        tokio::select! {
            biased;
            () = crash.notified() => {
                drop(running);
                running = stage.start_with(&config);
            }
            () = sleep(Duration::from_millis(500)) => {}
        }
    }
    let lasted = began.elapsed();
    let points = world.crash_points();
    running.stop().await;
    world.idle().await;
    let meant = meant.lock().unwrap().clone();
    let (broken, _) = Judge::new(&plan, &meant, &BTreeSet::new()).judge(&world.history());
    let run = Run {
        broken,
        lasted,
        faults: 0,
        hash: 0,
    };
    (run, points)
}

#[test]
fn a_kill_at_every_point_of_every_call_loses_nothing_and_breaks_no_order() {
    let (whole, points) = block_on(crashed_at(u64::MAX));
    assert_eq!(whole.broken, Vec::<String>::new());
    assert!(points > 40, "{points}");
    for number in 1..=points {
        let (run, _) = block_on(crashed_at(number));
        assert!(
            run.broken.is_empty(),
            "killed at {number}: {:?}",
            run.broken
        );
        assert!(
            run.lasted < Duration::from_secs(300),
            "killed at {number}: {:?}",
            run.lasted
        );
    }
}

/// The hash of a stormy run.
fn stormy_hash(fifo: bool) -> u64 {
    let storm = |seed: &u64| Plan::draw(*seed, fifo).weather() == Weather::Storm;
    let seed = (0..).find(storm).expect("some seed is stormy");
    block_on(run(&Plan::draw(seed, fifo))).hash
}

// reliability: I18
#[test]
fn the_same_seed_gives_the_same_run_to_the_byte() {
    for fifo in [false, true] {
        assert_eq!(stormy_hash(fifo), stormy_hash(fifo));
    }
}

// reliability: I18: another process has other hash seeds, other addresses, another clock.
#[test]
fn the_same_seed_gives_the_same_run_in_another_process() {
    const CHILD: &str = "SLUICEGATE_TEST_HASH";
    let mine = format!("hash {:x} {:x}", stormy_hash(false), stormy_hash(true));
    if std::env::var_os(CHILD).is_some() {
        tell(&mine);
        return;
    }
    let name = "engine::simulation::the_same_seed_gives_the_same_run_in_another_process";
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr);
    assert!(
        said.lines().any(|line| line.ends_with(&mine)),
        "{mine} is not in {said}"
    );
}
