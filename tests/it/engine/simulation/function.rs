//! The function of a plan: it has its moods, notes what it means by each answer, and counts what it did to its caller.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sluicegate::sim::{FunctionConfig, Invocation, Reply, World};
use tokio::time::Instant;

use super::ledger::Meant;
use super::plan::{Moods, Plan};
use crate::engine::{FUNCTION, Stage};

/// Where a redirect points: nobody is to follow it.
pub const DECOY: &str = "decoy";
/// What the function is called behind its URL: it gives up after this.
pub const URL_TIMEOUT_S: u64 = 2;

const HEADER_BYTES: usize = 64 * 1024;
const PAYLOAD_BYTES: usize = 6 * 1024 * 1024 + 101;

/// What came of the function so far.
#[derive(Debug, Default)]
pub struct Notes {
    /// What it meant by each answer of the present spell.
    pub meant: Meant,
    /// How often it did what to its caller, by name.
    pub moods: BTreeMap<&'static str, u64>,
}

/// Every name that `moods` may have.
pub const NAMES: [&str; 17] = [
    "FunctionError",
    "FunctionGarbage",
    "FunctionHugeHeaders",
    "FunctionJammed",
    "FunctionNothing",
    "FunctionOversize",
    "FunctionSlow",
    "FunctionThrottled",
    "FunctionTimeout",
    "FunctionUnavailable",
    "FunctionUnknownIds",
    "HttpRedirect",
    "HttpRefused",
    "HttpServerError",
    "ItemFailures",
    "PoisonMessage",
    "ZombieSuccess",
];

struct Mind {
    rng: fastrand::Rng,
    moods: Moods,
    partial: bool,
    http: bool,
    timeout: Duration,
    work: Duration,
    plan: Plan,
    began: Instant,
}

/// Registers it.
pub fn function(stage: &Stage, plan: &Plan) -> Arc<Mutex<Notes>> {
    let notes = Arc::<Mutex<Notes>>::default();
    let told = notes.clone();
    let mind = Mutex::new(Mind {
        rng: fastrand::Rng::with_seed(plan.seed ^ 0xf00d),
        moods: plan.moods,
        partial: plan.partial,
        http: plan.http,
        timeout: plan.timeout(),
        work: plan.work(),
        plan: plan.clone(),
        began: Instant::now(),
    });
    let timeout = plan.timeout();
    let config = FunctionConfig {
        timeout: if plan.http { timeout * 3 } else { timeout },
        ..FunctionConfig::default()
    };
    let answer = move |call: &Invocation| {
        let (reply, handled, did) = mind.lock().unwrap().answer(call);
        let mut notes = told.lock().unwrap();
        notes.meant.insert(call.request_id.clone(), handled);
        for name in did {
            *notes.moods.entry(name).or_default() += 1;
        }
        reply
    };
    stage.world.register(FUNCTION, config, move |call| {
        std::future::ready(answer(&call))
    });
    if plan.http {
        decoy(&stage.world);
    }
    notes
}

fn decoy(world: &World) {
    let config = FunctionConfig::default();
    world.register(DECOY, config, |_| async { Reply::ok("") });
}

impl Mind {
    /// What it answers, what it handled, and what that is called.
    fn answer(&mut self, call: &Invocation) -> (Reply, BTreeSet<String>, Vec<&'static str>) {
        let Self { moods, partial, .. } = *self;
        if self.plan.jammed(self.began.elapsed()) {
            let reply = Reply::refused(429, "Rate Exceeded.");
            return (reply, BTreeSet::new(), vec!["FunctionJammed"]);
        }
        let ids = call.message_ids();
        let poison: Vec<bool> = call
            .bodies()
            .iter()
            .map(|body| body.contains("\"poison\":true"))
            .collect();
        let mut did = Vec::new();
        if poison.contains(&true) {
            did.push("PoisonMessage");
        }
        let failed: BTreeSet<String> = ids
            .iter()
            .zip(&poison)
            .filter(|(_, poison)| **poison || partial && self.rng.u64(..100) < moods.failed_items)
            .map(|(id, _)| id.clone())
            .collect();
        let none = BTreeSet::new;
        let handled: BTreeSet<String> = ids
            .iter()
            .filter(|id| !partial || !failed.contains(*id))
            .cloned()
            .collect();
        let mut mood = self.rng.u64(..100);
        let mut is = |share: u64| {
            let hit = mood < share;
            mood = mood.saturating_sub(share);
            hit
        };
        if poison.contains(&true) && !partial || is(moods.error) {
            did.push("FunctionError");
            return (Reply::error("mood"), none(), did);
        }
        if is(moods.throttled) {
            did.push("FunctionThrottled");
            return (Reply::refused(429, "Rate Exceeded."), none(), did);
        }
        if is(moods.unavailable) {
            let statuses = [500, 502, 503, 504];
            let status = statuses[self.rng.usize(..if self.http { 4 } else { 3 })];
            did.push(if self.http {
                "HttpServerError"
            } else {
                "FunctionUnavailable"
            });
            return (Reply::refused(status, "down"), none(), did);
        }
        if self.http && is(moods.refused * 2) {
            if self.rng.bool() {
                did.push("HttpRedirect");
                let status = [301, 302, 307, 308][self.rng.usize(..4)];
                let elsewhere = format!("http://lambda/2015-03-31/functions/{DECOY}/invocations");
                let reply = Reply::refused(status, "moved").with("location", elsewhere);
                return (reply, none(), did);
            }
            did.push("HttpRefused");
            let status = [400, 401, 403, 404, 409, 413, 415, 418][self.rng.usize(..8)];
            return (Reply::refused(status, "no"), none(), did);
        }
        if is(moods.oversize) {
            did.push("FunctionOversize");
            return (Reply::ok(vec![b' '; PAYLOAD_BYTES]), none(), did);
        }
        if partial && is(moods.garbage) {
            let (name, payload) = self.garbage();
            did.push(name);
            return (Reply::ok(payload), none(), did);
        }
        if failed.is_empty() && is(moods.nothing) {
            did.push("FunctionNothing");
            let payload = [
                "null",
                "{}",
                "",
                "{\"batchItemFailures\":null}",
                "{\"batchItemFailures\":[]}",
            ];
            return (
                Reply::ok(payload[self.rng.usize(..payload.len())]),
                handled,
                did,
            );
        }
        let mut good = if partial {
            Reply::batch_item_failures(&failed)
        } else {
            Reply::ok("{\"batchItemFailures\":[{\"itemIdentifier\":\"x\"}]}")
        };
        if partial && !failed.is_empty() {
            did.push("ItemFailures");
        }
        if self.http && is(moods.headers * 2) {
            did.push("FunctionHugeHeaders");
            good = good.with("x-huge", "h".repeat(HEADER_BYTES));
        }
        let delay = if is(moods.late) {
            did.push(
                if self.http && self.timeout > Duration::from_secs(URL_TIMEOUT_S) {
                    "ZombieSuccess"
                } else {
                    "FunctionTimeout"
                },
            );
            self.timeout * 2
        } else if is(moods.slow) {
            did.push("FunctionSlow");
            self.timeout.mul_f64(0.9 * self.rng.f64())
        } else {
            self.work.mul_f64(self.rng.f64())
        };
        (good.after(delay), handled, did)
    }

    /// Answers of which no message is known to be handled. // reliability: I9
    fn garbage(&mut self) -> (&'static str, &'static str) {
        let all = [
            (
                "FunctionUnknownIds",
                "{\"batchItemFailures\":[{\"itemIdentifier\":\"nobody\"}]}",
            ),
            (
                "FunctionUnknownIds",
                "{\"batchItemFailures\":[{\"itemIdentifier\":\"\"}]}",
            ),
            (
                "FunctionUnknownIds",
                "{\"batchItemFailures\":[{\"itemIdentifier\":null}]}",
            ),
            (
                "FunctionGarbage",
                "{\"batchItemFailures\":[{\"itemIdentifier\":",
            ),
            (
                "FunctionGarbage",
                "{\"batchItemFailures\":[{\"id\":\"x\"}]}",
            ),
            ("FunctionGarbage", "{\"batchItemFailures\":[7]}"),
        ];
        all[self.rng.usize(..all.len())]
    }
}
