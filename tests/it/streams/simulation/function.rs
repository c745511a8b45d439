//! The moody function of a run, and what it means by each answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use sluicegate::sim::{FunctionConfig, Invocation, Reply};

use super::plan::Plan;
use super::source::User;
use crate::engine::Stage;

/// What is known of the records, and of what the function was asked and meant. Shared by the run and the function.
#[derive(Clone, Debug, Default)]
pub struct Known(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
pub struct Inner {
    /// By number.
    pub users: Vec<User>,
    /// The numbers of the user records of a sequence number.
    pub numbers: BTreeMap<String, Vec<usize>>,
    /// By request id.
    pub calls: BTreeMap<String, Call>,
    /// Bad moods are over.
    pub healed: bool,
    /// Invocations with records of a stream that is not the mapping's.
    pub foreign: u64,
}

/// One invocation.
#[derive(Clone, Debug)]
pub struct Call {
    /// The numbers of its records.
    pub users: Vec<usize>,
    /// How many of them, from the first on, it handled.
    pub handled: usize,
    pub window: Option<Window>,
}

/// What it was told of its tumbling window.
#[derive(Clone, Debug)]
pub struct Window {
    pub shard: String,
    pub start: String,
    /// The records of the window that it has seen, by the state.
    pub seen: Vec<usize>,
    pub is_final: bool,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<Record<'a>>,
    state: Option<Value>,
    window: Option<BTreeMap<String, String>>,
    #[serde(rename = "shardId")]
    shard: Option<String>,
    #[serde(rename = "isFinalInvokeForWindow", default)]
    is_final: bool,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    kinesis: Option<Data<'a>>,
    #[serde(borrow)]
    dynamodb: Option<Data<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(alias = "sequenceNumber", alias = "SequenceNumber")]
    number: &'a str,
    data: Option<&'a str>,
}

impl<'a> Record<'a> {
    fn data(&self) -> &Data<'a> {
        let data = self.kinesis.as_ref().or(self.dynamodb.as_ref());
        data.expect("a record of a stream")
    }
}

impl Known {
    pub fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }
}

impl Inner {
    /// The numbers and sequence numbers of an event's records.
    pub fn users_of(&self, event: &[u8]) -> Vec<(usize, String)> {
        let event: Event<'_> = serde_json::from_slice(event).expect("an event is JSON");
        self.users_in(&event)
    }

    /// How many records nobody has handled that somebody should.
    pub fn unhandled(&self, filter: bool) -> usize {
        let calls = self.calls.values();
        let handled: BTreeSet<usize> = calls
            .flat_map(|call| call.users[..call.handled].iter().copied())
            .collect();
        let wanted = |(number, user): (usize, &User)| {
            !user.old && (user.keep || !filter) && !handled.contains(&number)
        };
        self.users
            .iter()
            .enumerate()
            .filter(|user| wanted(*user))
            .count()
    }

    fn has(&self, record: &Record<'_>) -> bool {
        self.numbers.contains_key(record.data().number)
    }

    fn users_in(&self, event: &Event<'_>) -> Vec<(usize, String)> {
        let user = |record: &Record<'_>| {
            let data = record.data();
            let number = match &self.numbers[data.number][..] {
                [number] => *number,
                _ => inner_number(data.data.expect("data of an aggregate")),
            };
            (number, data.number.to_owned())
        };
        event.records.iter().map(user).collect()
    }
}

fn inner_number(data: &str) -> usize {
    let data: Value = serde_json::from_slice(&STANDARD.decode(data).unwrap()).unwrap();
    data["number"].as_u64().unwrap() as usize
}

/// Gives the stage the function of a plan.
pub fn register(stage: &Stage, plan: &Plan, known: Known) {
    let config = FunctionConfig {
        timeout: plan.timeout(),
        concurrency: plan.concurrency,
        ..FunctionConfig::default()
    };
    let rng = Mutex::new(fastrand::Rng::with_seed(plan.seed ^ 0xf00d));
    let plan = plan.clone();
    stage.function(config, move |invocation| {
        let rng = &mut *rng.lock().unwrap();
        known.with(|known| answer(&plan, rng, known, invocation))
    });
}

fn answer(
    plan: &Plan,
    rng: &mut fastrand::Rng,
    known: &mut Inner,
    invocation: &Invocation,
) -> Reply {
    let event: Event<'_> = serde_json::from_slice(&invocation.event).expect("an event is JSON");
    if event.records.iter().any(|record| !known.has(record)) {
        known.foreign += 1;
        return Reply::ok("{}");
    }
    let users = known.users_in(&event);
    let window = event.shard.map(|shard| Window {
        shard,
        start: event.window.unwrap()["start"].clone(),
        seen: serde_json::from_value(event.state.unwrap()["seen"].take()).unwrap_or_default(),
        is_final: event.is_final,
    });
    let poison = users
        .iter()
        .position(|(number, _)| known.users[*number].poison);
    let moods = if known.healed {
        super::plan::Moods::default()
    } else {
        plan.moods
    };
    let mut mood = rng.u64(..100);
    let mut is = |share: u64| {
        let hit = mood < share;
        mood = mood.saturating_sub(share);
        hit
    };
    // Where it stops, if it may say so.
    let mut stops = plan.partial.then_some(poison).flatten();
    if plan.partial && !users.is_empty() && rng.u64(..100) < moods.stops {
        let at = rng.usize(..users.len());
        stops = Some(stops.map_or(at, |stops| stops.min(at)));
    }
    let good = |handled: &mut usize| {
        let failed = stops.map(|at| users[at].1.clone());
        // A position can not lie between the records of an aggregate.
        *handled = match &failed {
            Some(failed) => users.iter().position(|(_, id)| id == failed).unwrap(),
            None => users.len(),
        };
        let mut reply = json!({});
        if let Some(window) = &window {
            let mut seen = window.seen.clone();
            // It may have counted all of what it then reports from the first record on: nobody is to believe it.
            let counted = if *handled == 0 { users.len() } else { *handled };
            seen.extend(users[..counted].iter().map(|(number, _)| number));
            reply["state"] = json!({ "seen": seen });
        }
        if let Some(failed) = failed {
            // Whatever else is named, the first of them counts. Naming one twice is no answer. // spec: 3.1
            let last = users.last().map(|(_, id)| id.clone());
            let ids = last.into_iter().filter(|id| *id != failed);
            let ids = ids.chain([failed.clone()]);
            reply["batchItemFailures"] = ids.map(|id| json!({ "itemIdentifier": id })).collect();
        }
        Reply::ok(reply.to_string())
    };
    let mut handled = 0;
    let reply = if poison.is_some() && !plan.partial || is(moods.error) {
        Reply::error("mood")
    } else if is(moods.throttled) {
        Reply::refused(429, "Rate Exceeded.")
    } else if is(moods.unavailable) {
        Reply::refused([500, 502, 503][rng.usize(..3)], "down")
    } else if is(moods.late) {
        // It runs into its time-out.
        good(&mut 0).after(plan.timeout() * 2)
    } else if is(moods.garbage) {
        // Without a state it is a failure, and so it is where failures are read.
        let believed = plan.partial || window.as_ref().is_some_and(|window| !window.is_final);
        if !believed {
            handled = users.len();
        }
        Reply::ok(r#"{"batchItemFailures":[{"itemIdentifier":"nobody"}]}"#)
    } else if is(moods.slow) {
        good(&mut handled).after(plan.timeout().mul_f64(0.9 * rng.f64()))
    } else {
        good(&mut handled).after(std::time::Duration::from_millis(rng.u64(..50)))
    };
    let call = Call {
        users: users.into_iter().map(|(number, _)| number).collect(),
        handled,
        window,
    };
    known.calls.insert(invocation.request_id.clone(), call);
    reply
}
