//! The process is ended at every point of every call, one life after the other, in scenarios of a few messages: killed, or asked to end.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::function::function;
use super::ledger::{Judge, Term};
use super::plan::{Moods, Plan, Settings};
use super::spell::Spell;
use super::{block_on, tell};
use crate::engine::Stage;
use crate::support::bars::Figures;
use crate::support::lives;

/// How long it may take until the queue is empty.
const RECOVERY_MAX: Duration = Duration::from_secs(300);
/// How many points a scenario has at least.
const POINTS_MIN: u64 = 40;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Killed,
    /// By SIGTERM: it finishes what it has in hand.
    Asked,
}

struct Scenario {
    name: &'static str,
    plan: Plan,
    messages: usize,
    end: End,
}

/// A small calm house that reports failures of messages.
fn house(fifo: bool) -> Plan {
    let mut plan = Plan::small();
    (plan.seed, plan.fifo, plan.groups) = (7, fifo, 2);
    plan
}

fn scenarios() -> Vec<Scenario> {
    let scenario = |name, end, plan| Scenario {
        name,
        plan,
        messages: 6,
        end,
    };
    let with = |fifo, change: fn(&mut Plan)| {
        let mut plan = house(fifo);
        change(&mut plan);
        plan
    };
    vec![
        scenario("ordered", End::Killed, house(true)),
        scenario(
            "standard",
            End::Killed,
            with(false, |plan| {
                (plan.partial, plan.receives_max) = (false, None);
                plan.moods = Moods {
                    error: 20,
                    throttled: 20,
                    ..Moods::default()
                };
            }),
        ),
        scenario(
            "failures reported",
            End::Killed,
            with(false, |plan| {
                plan.receives_max = None;
                plan.moods.failed_items = 30;
            }),
        ),
        scenario(
            "a window",
            End::Killed,
            with(false, |plan| {
                plan.settings.window_s = 3;
                plan.settings.batch_size = 25;
            }),
        ),
        scenario(
            "a filter",
            End::Killed,
            with(true, |plan| plan.filter = true),
        ),
        scenario(
            "dead letters",
            End::Killed,
            with(false, |plan| {
                (plan.receives_max, plan.visibility_s) = (Some(2), 3);
            }),
        ),
        scenario(
            "behind a URL",
            End::Killed,
            with(false, |plan| {
                plan.http = true;
                plan.moods.refused = 10;
            }),
        ),
        scenario(
            "slow, with leases to extend",
            End::Killed,
            with(true, |plan| {
                (plan.busy, plan.visibility_s) = (true, 5);
            }),
        ),
        scenario("asked to end, ordered", End::Asked, house(true)),
        scenario(
            "asked to end, standard",
            End::Asked,
            with(false, |plan| plan.settings.window_s = 2),
        ),
    ]
}

/// What came of a life that ended at this point; at none for `u64::MAX`.
async fn ended_at(scenario: &Scenario, number: u64) -> (Vec<String>, u64) {
    let plan = &scenario.plan;
    let stage = Stage::new(plan.seed);
    let world = stage.world.clone();
    let attributes = plan.attributes();
    let attributes: Vec<(&str, &str)> = attributes
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    match plan.receives_max {
        Some(most) => world.create_queue_with_dlq(plan.queue(), most, &attributes),
        None => world.create_queue(plan.queue(), &attributes),
    }
    .unwrap();
    let notes = function(&stage, plan);
    let rng = &mut fastrand::Rng::with_seed(plan.seed);
    let mut dropped = BTreeSet::new();
    for number in 0..scenario.messages {
        let keep = !plan.filter || rng.bool();
        let poison = plan.receives_max.is_some() && number == 2;
        let body = json!({ "keep": keep, "poison": poison, "number": number }).to_string();
        let group = format!("g{}", rng.usize(..plan.groups));
        let id = match plan.fifo {
            true => world.send_to_group(plan.queue(), &group, &body),
            false => world.send(plan.queue(), &body),
        };
        dropped.extend(id.ok().filter(|_| !keep));
    }
    let arn = world.queue_arn(plan.queue());
    let at = Duration::ZERO;
    let settings = plan.settings;
    let mut terms = vec![Term { at, settings }];
    let mut config = plan.config(&arn, settings, "");
    let began = Instant::now();
    let never = u64::MAX;
    let (kill, ask) = match scenario.end {
        End::Killed => (number, never),
        End::Asked => (never, number),
    };
    let (crash, notice) = (world.crash_at(kill), world.notice_at(ask));
    let mut drains = Vec::new();
    let mut running = stage.start_with(&config);
    while stage.left(plan.queue()) > 0 && began.elapsed() < RECOVERY_MAX {
        tokio::select! {
            biased;
            () = crash.notified() => {
                drop(running);
                running = stage.start_with(&config);
            }
            () = notice.notified() => {
                let from = began.elapsed();
                running.stop().await;
                drains.push((from, began.elapsed()));
                running = stage.start_with(&config);
            }
            () = sleep(Duration::from_millis(500)) => {}
        }
        // It is given other settings when some of it is done.
        if terms.len() < 3 && began.elapsed() >= Duration::from_secs(1) {
            let settings = Settings {
                batch_size: plan.settings.batch_size - terms.len(),
                ..plan.settings
            };
            let at = began.elapsed();
            terms.push(Term { at, settings });
            config = plan.config(&arn, settings, "");
            running.reload(&config);
        }
    }
    let lasted = began.elapsed();
    let points = world.crash_points();
    running.stop().await;
    world.idle().await;
    let meant = notes.lock().unwrap().meant.clone();
    let spell = Spell {
        crashes: usize::from(kill < never),
        drains: usize::from(ask < never),
        ..Spell::quiet(RECOVERY_MAX)
    };
    let judge = Judge::new((plan, &spell), &meant, &dropped, &terms, &drains);
    let (mut broken, _) = judge.judge(&world.history());
    if lasted >= RECOVERY_MAX {
        broken.push(format!("I13: it took {lasted:?}"));
    }
    (broken, points)
}

/// Every point of the scenario, or one in so many.
fn sweep(scenario: &Scenario, stride: u64, figures: &mut Figures) {
    let (broken, points) = block_on(ended_at(scenario, u64::MAX));
    assert_eq!(
        broken,
        Vec::<String>::new(),
        "{}: left alone",
        scenario.name
    );
    assert!(points > POINTS_MIN, "{}: {points}", scenario.name);
    let numbers = 0..points.div_ceil(stride);
    let ended = lives::live(numbers, |number| {
        let number = number * stride + 1;
        (number, block_on(ended_at(scenario, number)).0)
    });
    figures.crash_points += ended.len() as u64;
    for (_, came) in ended {
        let (number, broken) = came.expect("nothing panics");
        assert!(
            broken.is_empty(),
            "{}: {:?} at {number}: {broken:?}",
            scenario.name,
            scenario.end
        );
    }
    // A scenario that was looked at here and there was not swept.
    figures.crash_scenarios += u64::from(stride == 1);
}

#[test]
fn an_end_at_every_point_of_every_call_loses_nothing_and_breaks_no_order() {
    let all = scenarios();
    let measured = std::env::var_os("SLUICEGATE_BARS").is_some();
    let mut figures = Figures::default();
    for (index, scenario) in all.iter().enumerate() {
        // Usually the first is swept, and the rest are looked at here and there: together they take as long as one.
        let stride = if measured || index == 0 {
            1
        } else {
            all.len() as u64
        };
        sweep(scenario, stride, &mut figures);
    }
    tell(&format!(
        "ends at every point: {} in {} of {} scenarios",
        figures.crash_points,
        figures.crash_scenarios,
        all.len()
    ));
    figures.leave("queues-sweeps");
}
