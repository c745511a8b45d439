//! What is to happen now and then: a simulation in which it never does proves nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use sluicegate::sim::{Ending, Entry, Event};

use super::ledger::Truth;
use super::plan::Plan;
use super::spell::{Spell, Weather};
use crate::engine::FUNCTION;

/// As long as a message may be hidden, but for a moment.
const HALF_A_DAY: Duration = Duration::from_secs(12 * 3600 - 60);

/// Adds up how often each happened in a spell.
pub fn seen(
    plan: &Plan,
    spell: &Spell,
    history: &[Entry],
    truth: Truth,
    seen: &mut BTreeMap<&'static str, u64>,
) {
    let mut add = |what, count: u64| *seen.entry(what).or_default() += count;
    let weather = spell.weather();
    add("fair spells", u64::from(weather == Weather::Fair));
    add("spells of faults", u64::from(weather == Weather::Faults));
    add("storms", u64::from(weather == Weather::Storm));
    add("behind a URL", u64::from(plan.http));
    add("with a filter", u64::from(plan.filter));
    add(
        "with a dead-letter queue",
        u64::from(plan.receives_max.is_some()),
    );
    add("with item failures reported", u64::from(plan.partial));
    add("messages received", truth.received);
    add("messages deleted", truth.deleted);
    add("messages handed back", truth.handed_back);
    for what in [
        "function errors",
        "time-outs",
        "refusals",
        "leases that ran out",
        "leases extended",
        "dead letters",
        "full batches",
        "several invocations at once",
        "held for half a day",
        match plan.fifo {
            true => "several groups in a batch",
            false => "batches of more than ten",
        },
    ] {
        // Some take a long life.
        if plan.spells.len() > 1 {
            add(what, 0);
        }
    }
    let mut groups = BTreeMap::new();
    let mut received = BTreeMap::new();
    let mut running = 0_u32;
    for Entry { at, event } in history {
        match event {
            Event::Sent { id, group, .. } => {
                groups.insert(id, group);
            }
            Event::Received { id, .. } => {
                received.insert(id, *at);
            }
            Event::Reappeared { id, .. } => {
                add("leases that ran out", 1);
                let half = received
                    .get(id)
                    .is_some_and(|from| *from + HALF_A_DAY < *at);
                add("held for half a day", u64::from(half));
            }
            Event::VisibilityChanged { visibility, .. } if !visibility.is_zero() => {
                add("leases extended", 1);
            }
            Event::MovedToDlq { .. } => add("dead letters", 1),
            Event::Invoked {
                function,
                message_ids,
                ..
            } if function == FUNCTION => {
                running += 1;
                add("several invocations at once", u64::from(running > 1));
                let count = message_ids.len();
                add("full batches", u64::from(count == plan.settings.batch_size));
                let first = message_ids.first().and_then(|id| groups.get(id));
                let mixed = message_ids.iter().any(|id| groups.get(id) != first);
                if plan.fifo {
                    add("several groups in a batch", u64::from(mixed));
                } else {
                    add("batches of more than ten", u64::from(count > 10));
                }
            }
            Event::Replied {
                function, ending, ..
            } if function == FUNCTION => {
                running = running.saturating_sub(1);
                match ending {
                    Ending::Succeeded { .. } => {}
                    Ending::Failed { .. } => add("function errors", 1),
                    Ending::TimedOut => add("time-outs", 1),
                    Ending::Refused { .. } => add("refusals", 1),
                }
            }
            _ => {}
        }
    }
}
