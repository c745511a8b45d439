//! What is asked of the service while it lives, and of the whole when it is over.

use std::time::Duration;

use sluicegate::sim::{Entry, Event};
use sluicegate::status::State;
use tokio::time::Instant;

use super::Theatre;
use super::harm::UNDER_WAY;
use crate::engine::FUNCTION;
use crate::streams::simulation::function::Inner;
use crate::streams::simulation::judge::{Evidence, How, Judge, Truth};
use crate::streams::simulation::plan::{Kind, Presence, To, Weather};
use crate::streams::simulation::{FAILED, Outcome, books, sometimes, tell};

/// How long a start takes, with all that goes before it.
const FOLLOWS: Duration = Duration::from_secs(5);
/// Calls a second and shard, besides those that deliver something: reading, listing, opening, and repeats of them.
const CALLS_MAX: u64 = 10;

/// Where a step began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    at: Instant,
    points: u64,
    place: usize,
}

impl Theatre {
    pub(super) fn mark(&self) -> Mark {
        Mark {
            at: Instant::now(),
            points: self.stage.world.crash_points(),
            place: self.stage.world.history_len(),
        }
    }

    /// In fair weather a reload takes no longer than what is in hand.
    pub(super) fn follows(&mut self) {
        let last = self.lives.last().expect("a life has begun");
        let late = last.at + self.plan.timeout() + FOLLOWS < self.began.elapsed();
        let fair = self.plan.weather() == Weather::Fair;
        let state = self.state();
        let there = match (last.settings.presence, state) {
            (Presence::Enabled, Some(state)) => {
                matches!(state, State::Enabled | State::Failing)
            }
            (Presence::Disabled, Some(state)) => state == State::Disabled,
            (Presence::Out, None) => true,
            (Presence::Enabled | Presence::Disabled, None) | (Presence::Out, Some(_)) => false,
        };
        if fair && late && !there && last.how == How::Reloaded {
            let text = format!(
                "reload: since {:?} it is {state:?}: {:?}",
                last.at, last.settings
            );
            self.broken.push(text);
        }
    }

    /// How many lives were cut off.
    pub fn kills(&self) -> u64 {
        let kills = self.lives.iter().filter(|life| life.how == How::AfterKill);
        kills.count() as u64
    }

    /// All series of the mapping's family together.
    pub fn metric(&self, family: &str) -> u64 {
        summed(&self.stage.metrics.encode(), family)
    }

    pub(super) fn subscriptions(&self) -> u64 {
        let text = self.stage.metrics.encode();
        let given = text.lines().find_map(|line| {
            let labels = line.strip_prefix("sluicegate_source_requests_total{mapping=\"m\",")?;
            labels.strip_prefix("operation=\"SubscribeToShard\",outcome=\"success\"} ")
        });
        given.map_or(0, |count| count.parse::<f64>().unwrap() as u64)
    }

    /// I15: calls that bring nothing are bounded.
    pub(super) fn manners(&mut self, since: Mark) {
        self.source.look();
        let world = &self.stage.world;
        let calls = world.crash_points().saturating_sub(since.points) / 3;
        let seconds = since.at.elapsed().as_secs() + 2;
        let shards = (self.source.lines.len() + self.beside.iter().len()) as u64;
        let bound = seconds * shards * CALLS_MAX;
        if calls <= bound {
            return;
        }
        // What was under way when it began counts, too.
        let now = self.began.elapsed();
        let recent = world.history_since(since.place.saturating_sub(1_000));
        let recent = recent
            .iter()
            .filter(|entry| now <= entry.at + since.at.elapsed() + UNDER_WAY);
        let brings = |entry: &&Entry| {
            matches!(
                entry.event,
                Event::Invoked { .. }
                    | Event::Sent { .. }
                    | Event::Published { .. }
                    | Event::Stored { .. }
                    | Event::RecordsRead { .. }
            )
        };
        let useful = recent.filter(brings).count() as u64;
        if calls > useful + bound {
            let text = format!("I15 at {now:?}: {calls} calls in {seconds} s, {useful} useful");
            self.broken.push(text);
        }
    }

    /// Nothing is open, as far as the world tells and the service says.
    pub(super) fn settled(&self) -> bool {
        let on = self.settings().presence == Presence::Enabled;
        let there = matches!(self.state(), Some(State::Enabled | State::Failing));
        let beside = self.beside.as_ref();
        if !on || !there || beside.is_some_and(|beside| !beside.done(&self.plan)) {
            return false;
        }
        let handled = self.known.with(|known| known.unhandled(self.plan.filter));
        let metrics = self.stage.metrics.encode();
        let dropped = self.dropped + summed(&metrics, "events_dropped_total");
        if handled > 0 && dropped == 0 && self.told().is_empty() && !self.plan.loss {
            return false;
        }
        let busy = [
            "invocations_in_flight",
            "shards_waiting",
            "iterator_age_seconds",
        ];
        if !busy.iter().all(|family| summed(&metrics, family) == 0) {
            return false;
        }
        let (broken, _) = self.judge(dropped, &self.stage.world.history());
        let open = |text: &String| text.starts_with("I2") || text.starts_with("I13");
        !broken.iter().any(open)
    }

    /// The on-failure records, by message id or key.
    fn told(&self) -> std::collections::BTreeMap<String, String> {
        let world = &self.stage.world;
        match self.plan.to {
            To::Nowhere => Default::default(),
            To::Queue | To::NarrowQueue => {
                let queue = world.queue(FAILED).expect("it is there").messages;
                let told = queue.into_iter();
                told.map(|message| (message.id, message.body)).collect()
            }
            To::Topic => {
                let told = world.published(FAILED).into_iter();
                told.map(|told| (told.message_id, told.message)).collect()
            }
            To::Bucket => {
                let text = |body: &[u8]| String::from_utf8(body.to_vec()).expect("JSON is text");
                let told = world.objects(FAILED).into_iter();
                told.map(|(key, object)| (key, text(&object.body)))
                    .collect()
            }
        }
    }

    fn judge(&self, dropped: u64, history: &[Entry]) -> (Vec<String>, Truth) {
        let told = self.told();
        self.known.with(|known| {
            let evidence = Evidence {
                plan: &self.plan,
                known,
                streams: &self.source.names,
                lines: &self.source.lines,
                told: &told,
                lives: &self.lives,
                kept: &self.kept,
                stood_still: &self.stood_still,
                dropped,
            };
            Judge::new(evidence).judge(history, self.began.elapsed())
        })
    }

    /// `judged`: what came later in the history is no business of the judge.
    pub(super) fn ended(mut self, lasted: Duration, judged: usize) -> Outcome {
        let history = self.stage.world.history();
        let (broken, truth) = self.judge(self.dropped, &history[..judged]);
        let mut broken = [std::mem::take(&mut self.broken), broken].concat();
        books::compare(&self, truth, &mut broken);
        if let Some(beside) = &self.beside {
            beside.judge(&self.plan, &self.lives, &mut broken);
        }
        if std::env::var_os("SLUICEGATE_STORY").is_some() {
            self.known.with(|known| story(known, &history));
        }
        let mut sometimes = sometimes::seen(&self.plan, &history, &self.lives, truth);
        if self.plan.kind == Kind::FanOut {
            sometimes::pushed(&self, &history, lasted, &mut sometimes);
        }
        let mut harm = std::mem::take(&mut self.harm);
        let told = self.told();
        let short = told.values().filter(|told| !told.contains("\"payload\""));
        if self.plan.payload {
            harm.insert("DestinationRefusesSize", short.count() as u64);
        }
        sometimes::befell(&history, self.plan.kind, &mut harm);
        Outcome {
            broken,
            lasted,
            faults: self.stage.world.fault_counts(),
            harm,
            images: self.images,
            actions: self.stage.world.actions(),
            hash: crate::streams::simulation::hash(&history, self.stage.world.trace()),
            sometimes,
            truth,
            points: self.points,
            writes: self.writes,
        }
    }
}

/// All series of the mapping's family together, in the exported text.
fn summed(metrics: &str, family: &str) -> u64 {
    let series = format!("sluicegate_{family}{{mapping=\"m\"");
    let of_family = metrics.lines().filter(|line| line.starts_with(&series));
    let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
    of_family.map(value).sum::<f64>() as u64
}

/// What happened, for people: each invocation by the numbers of its records and by how many of them it handled.
fn story(known: &mut Inner, history: &[Entry]) {
    for Entry { at, event } in history {
        let call = |id: &String| {
            let Some(call) = known.calls.get(id) else {
                return "what is not the mapping's".to_owned();
            };
            format!(
                "{:?} handles {}, {:?}",
                call.users, call.handled, call.window
            )
        };
        let line = match event {
            Event::Invoked {
                request_id,
                function,
                ..
            } if function == FUNCTION => format!("invoked {}", call(request_id)),
            Event::Replied {
                request_id,
                ending,
                function,
                ..
            } if function == FUNCTION => format!("replied {} {ending:?}", call(request_id)),
            Event::RecordPut {
                sequence_number, ..
            }
            | Event::Streamed {
                sequence_number, ..
            } => format!("{:?}: {event:?}", known.numbers.get(sequence_number)),
            event => format!("{event:?}"),
        };
        tell(&format!("{at:?} {line}"));
    }
}
