//! A mapping beside the one that is reloaded: it has a queue and a function of its own, never changes, and is to notice
//! nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use sluicegate::sim::{Entry, Event, FunctionConfig, Reply, World};

use super::spell::{Spell, Weather};

const NAME: &str = "beside";
/// How long its function takes; the messages that are sent at once are no more than those that run at once.
const WORK: Duration = Duration::from_millis(300);
/// How long a message may wait where nothing is in its way.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// Sent at once at most.
pub const SENT_MAX: usize = 2;

#[derive(Debug, Default)]
struct Fate {
    sent: Duration,
    received: usize,
    invoked: Option<Duration>,
    deleted: bool,
}

/// Makes its queue and its function.
pub fn prepare(world: &World) {
    world.create_queue(NAME, &[]).unwrap();
    world.register(NAME, FunctionConfig::default(), |_| async {
        Reply::ok("{}").after(WORK)
    });
}

pub fn send(world: &World) {
    world.send(NAME, "{}").unwrap();
}

pub fn done(world: &World) -> bool {
    world.queue(NAME).unwrap().messages.is_empty()
}

/// Its part of the configuration.
pub fn config(world: &World) -> String {
    format!(
        "  - Name: {NAME}\n    EventSourceArn: {}\n    FunctionName: {NAME}\n    BatchSize: 1\n    ScalingConfig: {{ MaximumConcurrency: {SENT_MAX} }}\n",
        world.queue_arn(NAME)
    )
}

/// How often it was begun.
pub fn begun(metrics: &str) -> u64 {
    let series = format!(
        "sluicegate_source_requests_total{{mapping=\"{NAME}\",operation=\"GetQueueUrl\",outcome=\"success\"}} "
    );
    let count = metrics.lines().find_map(|line| line.strip_prefix(&series));
    count.map_or(0, |count| count.parse().unwrap())
}

/// What it noticed in a spell. `starts` are those of the process, from the one that was under way when the spell began; `anew` is how
/// often the mapping was begun since.
pub fn judge(
    spell: &Spell,
    history: &[Entry],
    starts: &[Duration],
    anew: u64,
    broken: &mut Vec<String>,
) {
    let mut fates = BTreeMap::<&str, Fate>::new();
    for Entry { at, event } in history {
        match event {
            Event::Sent { queue, id, .. } if queue == NAME => {
                fates.entry(id).or_default().sent = *at;
            }
            Event::Received { queue, id, .. } if queue == NAME => {
                fates.entry(id).or_default().received += 1;
            }
            Event::Invoked {
                function,
                message_ids,
                ..
            } if function == NAME => {
                for id in message_ids {
                    fates.entry(id).or_default().invoked.get_or_insert(*at);
                }
            }
            Event::Deleted { queue, id } if queue == NAME => {
                fates.entry(id).or_default().deleted = true;
            }
            _ => {}
        }
    }
    let fair = spell.weather() == Weather::Fair;
    if fair && anew > starts.len() as u64 {
        broken.push("beside: it was begun anew".to_owned());
    }
    for (id, fate) in fates {
        let start = starts
            .iter()
            .rev()
            .find(|start| fate.invoked > Some(**start));
        let ready = fate.sent.max(start.copied().unwrap_or_default());
        let late = fate
            .invoked
            .is_none_or(|invoked| ready + WAIT_MAX < invoked);
        // A process that ends hands back what it has not begun.
        let again = fate.received > starts.len();
        if !fate.deleted || fair && (late || again) {
            broken.push(format!("beside: {id} of {starts:?}: {fate:?}"));
        }
    }
}
