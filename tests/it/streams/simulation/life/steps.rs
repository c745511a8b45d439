//! What is done to the service and its stream, step by step.

use std::time::Duration;

use serde_json::json;
use sluicegate::status::{State, Status};
use tokio::time::{Instant, sleep};

use super::{Budget, Theatre};
use crate::engine::Running;
use crate::streams::simulation::FAILED;
use crate::streams::simulation::ear::{Ear, is_secret};
use crate::streams::simulation::judge::{How, Life};
use crate::streams::simulation::plan::{From, Kind, Presence, Quiet, Settings, To, Weather};
use crate::streams::simulation::source::User;

/// A long rest is looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// The calls of a shard that rests, in a second.
const RESTING_MAX: u64 = 2;

impl Theatre {
    /// What was there before the mapping.
    pub(super) async fn begin(&mut self) {
        if self.plan.from != From::Horizon {
            for _ in 0..self.rng.usize(..10) {
                self.put_one(true);
            }
            sleep(Duration::from_secs(3)).await;
            let epoch = self.stage.world.settings().epoch;
            self.moment_s = epoch.as_secs() + self.began.elapsed().as_secs();
        }
        if self.plan.from != From::Latest {
            for _ in 0..self.budget.records / 3 {
                self.budget.records -= 1;
                self.put_one(false);
            }
        }
    }

    /// The share of an act.
    pub(super) fn share(&self) -> Budget {
        let acts = self.plan.acts;
        Budget {
            records: self.plan.records.div_ceil(acts),
            reshards: self.plan.reshards.div_ceil(acts),
            reloads: self.plan.reloads.div_ceil(acts),
            ..self.budget
        }
    }

    /// Something happens to the stream.
    pub(super) fn happens(&mut self) {
        self.traffic();
        if self.budget.reshards > 0 && self.rng.u32(..8) == 0 {
            self.budget.reshards -= 1;
            self.source.reshard(&mut self.rng, &mut self.harm);
        }
        if self.plan.loss && !self.healed && self.rng.u32(..6) == 0 {
            self.source.trim(&mut self.rng, &mut self.harm);
        }
        if self.plan.rival > 0 && !self.healed && self.rng.u32(..self.plan.rival) == 0 {
            self.rival_comes();
        }
    }

    fn traffic(&mut self) {
        for _ in 0..self.rng.usize(..8).min(self.budget.records) {
            self.budget.records -= 1;
            self.put_one(false);
        }
        let busy = self.budget.records + self.budget.reloads > 0;
        if let Some(beside) = self.beside.as_mut().filter(|_| busy && self.rng.bool()) {
            beside.put_one();
        }
    }

    fn rival_comes(&mut self) {
        let lines: Vec<&String> = self.source.lines.keys().collect();
        let shard = lines[self.rng.usize(..lines.len())];
        let keeps = Duration::from_secs(self.rng.u64(1..40));
        let world = &self.stage.world;
        self.rival.take(world, &self.source.arn, shard, keeps);
    }

    pub(super) fn put_one(&mut self, old: bool) {
        let (plan, rng) = (&self.plan, &mut self.rng);
        let name = format!("k{}", rng.usize(..plan.keys));
        let key = match plan.kind {
            Kind::Kinesis | Kind::FanOut => name.clone(),
            Kind::Dynamo => json!({ "id": { "S": name } }).to_string(),
        };
        let count = match plan.kpl && rng.bool() {
            true => rng.usize(1..6),
            false => 1,
        };
        let mut user = || User {
            name: name.clone(),
            key: key.clone(),
            keep: !plan.filter || rng.u32(..3) > 0,
            poison: plan.poison > 0 && rng.u32(..plan.poison) == 0,
            old,
            large: plan.heavy && rng.u32(..6) == 0,
        };
        let users: Vec<User> = (0..count).map(|_| user()).collect();
        let first = self.known.with(|known| known.users.len());
        let number = self.source.put(first, &users);
        self.known.with(|known| {
            let numbers = (first..first + count).collect();
            known.numbers.insert(number, numbers);
            known.users.extend(users);
        });
    }

    pub(super) fn start(&mut self, how: How) -> Running {
        let before = self.lives.last().map(|life| life.settings);
        let settings = match before {
            Some(before) => self.plan.next(&mut self.rng, before),
            None => self.plan.settings,
        };
        self.lives_on(settings, how);
        if let Some(disk) = &self.disk {
            disk.look_at(&self.mapping());
        }
        self.stage.start_with(&self.config(settings))
    }

    pub(super) fn lives_on(&mut self, settings: Settings, how: How) {
        let first = self.lives.is_empty();
        self.lives.push(Life {
            began: if first {
                0
            } else {
                self.stage.world.history_len()
            },
            at: self.began.elapsed(),
            settings,
            how,
        });
    }

    pub(super) fn settings(&self) -> Settings {
        self.lives.last().expect("a life has begun").settings
    }

    pub(super) fn config(&self, settings: Settings) -> String {
        let mut text = "EventSourceMappings:\n".to_owned();
        if settings.presence != Presence::Out {
            let world = &self.stage.world;
            let region = &world.settings().region;
            let account = &world.settings().account;
            let destination = match self.plan.to {
                To::Nowhere | To::Queue | To::NarrowQueue => world.queue_arn(FAILED),
                To::Topic => format!("arn:aws:sns:{region}:{account}:{FAILED}"),
                To::Bucket => format!("arn:aws:s3:::{FAILED}"),
            };
            let arn = &self.source.arn;
            text += &self.plan.config(arn, &destination, settings, self.moment_s);
        }
        if let Some(beside) = &self.beside {
            text += &beside.config();
        }
        text
    }

    /// The mapping's UUID.
    pub(super) fn mapping(&self) -> String {
        let text = self.config(self.plan.settings);
        crate::engine::parsed(&text).mappings[0].uuid.clone()
    }

    /// Now and then the service is given other settings, or several in a row.
    pub(super) async fn reload(&mut self, running: &Running) {
        let away = self.settings().presence != Presence::Enabled;
        if away && self.rng.u32(..3) == 0 {
            self.replace(running, Presence::Enabled);
        } else if self.budget.reloads > 0 && self.rng.u32(..6) == 0 {
            self.budget.reloads -= 1;
            let more = if self.rng.u32(..4) == 0 { 3 } else { 0 };
            for _ in 0..more {
                let presence = self.presence();
                self.replace(running, presence);
                let pause = [0, 10, 1_000][self.rng.usize(..3)];
                sleep(Duration::from_millis(self.rng.u64(..=pause))).await;
            }
            let presence = self.presence();
            self.replace(running, presence);
        }
    }

    fn presence(&mut self) -> Presence {
        match self.rng.u32(..6) {
            0 => Presence::Disabled,
            1 if self.plan.may_go() => Presence::Out,
            _ => Presence::Enabled,
        }
    }

    fn replace(&mut self, running: &Running, presence: Presence) {
        let settings = Settings {
            presence,
            ..self.plan.other(&mut self.rng)
        };
        self.lives_on(settings, How::Reloaded);
        running.reload(&self.config(settings));
    }

    /// What the mapping is said to be doing.
    pub(super) fn state(&self) -> Option<State> {
        let mappings = self.stage.status.readiness().mappings;
        let ours = mappings.into_iter().find(|mapping| mapping.name == "m");
        ours.map(|mapping| mapping.state)
    }

    pub(super) fn ready(&self) -> bool {
        let mappings = self.stage.status.readiness().mappings;
        let mut ours = mappings.iter().filter(|mapping| mapping.name == "m");
        ours.any(|mapping| mapping.started)
    }

    /// A time in which all is well, and nothing comes, or nobody is there.
    pub(super) async fn quiet(&mut self, running: Running) -> Running {
        let cut = self.plan.kind != Kind::Dynamo
            && self.plan.weather() != Weather::Fair
            && self.rng.bool();
        let lines = self.source.lines.len();
        let running = match self.plan.quiet {
            Quiet::Idle { s } => {
                if cut {
                    self.keep_less();
                }
                self.idle(Duration::from_secs(s)).await;
                running
            }
            Quiet::Away { s } => {
                let was_cut = self.stop(running).await;
                let short = cut || self.source.keeps_a_day();
                let lost = short && self.plan.grows_old() && !self.plan.loss;
                if self.plan.comes_while_away() && !lost && self.budget.records == 0 {
                    for _ in 0..self.rng.usize(..10) {
                        self.put_one(false);
                    }
                }
                sleep(Duration::from_secs(s)).await;
                if cut {
                    self.keep_less();
                }
                self.source.look();
                self.start(if was_cut {
                    How::AfterKill
                } else {
                    How::Started
                })
            }
        };
        // Nobody else does that in the meantime.
        let rolled = (self.source.lines.len() - lines) as u64;
        if rolled > 0 {
            *self.harm.entry("ShardsRollOver").or_default() += rolled;
        }
        running
    }

    fn keep_less(&mut self) {
        if self.source.keep_less() {
            *self.harm.entry("RetentionCut").or_default() += 1;
        }
    }

    /// I15: what rests asks for little, for however long.
    async fn idle(&mut self, long: Duration) {
        let until = Instant::now() + long;
        while Instant::now() < until {
            let (points, since) = (self.stage.world.crash_points(), Instant::now());
            sleep(LOOK_EVERY.min(until - since)).await;
            self.source.look();
            let calls = (self.stage.world.crash_points() - points) / 3;
            let open = self.source.lines.values().filter(|line| line.open);
            let shards = (open.count() + self.beside.iter().len() + 1) as u64;
            let most = (since.elapsed().as_secs() + 60) * shards * RESTING_MAX;
            if most < calls {
                let text = format!("I15: {calls} calls in {:?} of rest", since.elapsed());
                self.broken.push(text);
            }
        }
    }

    /// I17: nobody hears of what records hold.
    pub(super) fn overhears(&mut self) {
        let metrics = self.stage.metrics.encode();
        let status = format!("{:?}", self.stage.status.readiness());
        let logged = self.ear.as_ref().is_some_and(Ear::heard);
        for (what, told) in [
            ("the metrics tell", is_secret(metrics.as_bytes())),
            ("the status tells", is_secret(status.as_bytes())),
            ("the log tells", logged),
        ] {
            if told {
                self.broken.push(format!("I17: {what} of a secret"));
            }
        }
        self.stage.status = Status::default();
    }
}
