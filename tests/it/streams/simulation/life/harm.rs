//! What befalls the process and its disk: kills, stops, standstills, failing disks, and a world in which nothing answers.

use std::time::Duration;

use sluicegate::checkpoint::Store;
use sluicegate::metrics::Metrics;
use sluicegate::reports::Account;
use sluicegate::sim::{Event, Fault};
use tokio::time::{Instant, advance, sleep};

use super::Theatre;
use crate::engine::Running;
use crate::streams::simulation::beside::Beside;
use crate::streams::simulation::books;
use crate::streams::simulation::disk::{FAILURES, LOSSES, Loss};
use crate::streams::simulation::judge::{How, Kept, Pause};
use crate::streams::simulation::plan::Weather;

/// The grace of a drain, and how long a call that was under way may still have an effect.
const GRACE: Duration = Duration::from_secs(30);
pub(super) const UNDER_WAY: Duration = Duration::from_secs(1);
/// After so long in vain everybody asks seldom.
const BACKED_OFF: Duration = Duration::from_secs(60);

/// An outage, in which every call is refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outage {
    pub since: Duration,
    pub until: Duration,
}

impl Theatre {
    /// All that is planned to go wrong may from now on.
    pub(super) fn trouble_comes(&mut self) {
        self.trouble_since = self.began.elapsed();
        self.healed = false;
        self.known.with(|known| known.healed = false);
        self.budget = self.share();
        for (operation, fault, probability) in &self.plan.faults {
            self.stage
                .world
                .fault_chance(*operation, *fault, *probability);
        }
    }

    pub(super) fn heal(&mut self) {
        self.healed = true;
        self.outage = None;
        self.stage.world.heal();
        self.rival.leave();
        self.known.with(|known| known.healed = true);
        // A kill that is armed at the disk has its notice, too.
        self.disarm();
    }

    /// The next kill, somewhere in the next minutes; and the next stop.
    pub(super) fn arm(&mut self) {
        let world = self.stage.world.clone();
        let number = (1 << self.rng.u32(..12)) + self.rng.u64(..100);
        let wanted = self.budget.kills > 0 && !self.healed;
        self.kill = match &self.disk {
            _ if !wanted => world.crash_at(u64::MAX),
            Some(disk) if self.rng.bool() => {
                world.crash_at(u64::MAX);
                let loss = LOSSES[self.rng.usize(..LOSSES.len())];
                disk.kill_at(number / 4 + 1, loss)
            }
            _ => world.crash_at(number),
        };
        if self.budget.restarts > 0 && self.rng.bool() {
            self.ask = world.notice_at(1 + self.rng.u64(..2_000));
        }
        if let Some(disk) = &self.disk
            && self.budget.disk_faults > 0
            && !self.healed
            && disk.failed().is_none()
        {
            let how = FAILURES[self.rng.usize(..FAILURES.len())];
            disk.fail_at(5 + self.rng.u64(..200), how);
        }
    }

    fn disarm(&mut self) {
        self.stage.world.crash_at(u64::MAX);
        if let Some(disk) = &self.disk {
            disk.disarm();
        }
    }

    pub(super) fn has_more_trouble(&self) -> bool {
        let budget = &self.budget;
        budget.kills + budget.pauses + budget.disk_faults + budget.outages > 0
    }

    fn harmed(&mut self, by: &'static str) {
        *self.harm.entry(by).or_default() += 1;
    }

    pub(super) async fn killed(&mut self, running: Running) -> Running {
        drop(running);
        self.harmed("ProcessKilled");
        self.budget.kills = self.budget.kills.saturating_sub(1);
        let loss = LOSSES[self.rng.usize(..LOSSES.len())];
        self.buried(loss).await;
        sleep(Duration::from_millis(
            self.rng.u64(1..self.plan.pace_ms * 2),
        ))
        .await;
        self.arm();
        self.start(How::AfterKill)
    }

    /// SIGTERM, in the middle of a call.
    pub(super) async fn asked(&mut self, running: Running) -> Running {
        self.harmed("StoppedInACall");
        self.budget.restarts = self.budget.restarts.saturating_sub(1);
        self.restart(running).await
    }

    pub(super) async fn restart(&mut self, running: Running) -> Running {
        let cut = self.stop(running).await;
        self.arm();
        self.start(if cut { How::AfterKill } else { How::Started })
    }

    /// Progress can not be kept any more: the only reason to end. Whoever started it again finds a disk that is well.
    pub(super) async fn ended_by_itself(&mut self, account: Account) -> Running {
        let now = self.began.elapsed();
        self.account = self.account.and(account);
        let failed = self.disk.as_ref().and_then(|disk| disk.failed());
        let broken = self.stage.store.broken().is_some();
        match failed.filter(|_| broken) {
            None => self
                .broken
                .push(format!("at {now:?} the service ended by itself")),
            Some(failed) => {
                // Whoever learned of it a moment later had begun one more.
                let late = self.plan.timeout() + UNDER_WAY * 2;
                if failed + late < now && failed + GRACE + UNDER_WAY < now {
                    let text = format!("the disk failed at {failed:?}, it ended at {now:?}");
                    self.broken.push(text);
                }
                if self.stage.status.readiness().ready {
                    let text = format!("at {now:?} nothing is kept, and it is ready");
                    self.broken.push(text);
                }
                self.begins_nothing(failed, "the disk failed");
            }
        }
        self.budget.disk_faults = self.budget.disk_faults.saturating_sub(1);
        books::close(self, true);
        let loss = LOSSES[self.rng.usize(..LOSSES.len())];
        self.buried(loss).await;
        sleep(Duration::from_millis(self.rng.u64(1..5_000))).await;
        self.arm();
        self.start(How::AfterKill)
    }

    /// Nothing of the service moves for a while, the function and the source do; or every call is refused for a while.
    pub(super) async fn misfortune(&mut self) {
        if self.budget.pauses > 0 && self.rng.u32(..10) == 0 {
            self.budget.pauses -= 1;
            self.harmed("ProcessPaused");
            let most = 1 << self.rng.u32(10..20);
            let length = Duration::from_millis(self.rng.u64(1_000..=most.clamp(1_000, 600_000)));
            self.stood_still.push(Pause {
                place: self.stage.world.history_len(),
                at: self.began.elapsed(),
                length,
            });
            advance(length).await;
            self.trouble_since += length;
        }
        if self.outage.is_none() && self.budget.outages > 0 && self.rng.u32(..15) == 0 {
            self.budget.outages -= 1;
            self.harmed("RegionOutage");
            let length = Duration::from_secs(self.rng.u64(60..900));
            let since = self.began.elapsed();
            self.outage = Some(Outage {
                since,
                until: since + length,
            });
            self.trouble_since += length;
            let world = &self.stage.world;
            world.fault_chance(None, Fault::Unavailable, 1.0);
        }
    }

    /// I15: while nothing answers, everybody asks ever more seldom.
    pub(super) fn outage_ends(&mut self) {
        let now = self.began.elapsed();
        let Some(outage) = self.outage.take_if(|outage| outage.until <= now) else {
            return;
        };
        let world = &self.stage.world;
        world.fault_chance(None, Fault::Unavailable, 0.0);
        for (operation, fault, probability) in &self.plan.faults {
            world.fault_chance(*operation, *fault, *probability);
        }
        let from = self
            .lives
            .last()
            .expect("a life has begun")
            .at
            .max(outage.since)
            + BACKED_OFF;
        let refused = |event: &Event| matches!(event, Event::Faulted { .. });
        let history = world.history();
        let late = history.iter().rev().take_while(|entry| from <= entry.at);
        let late = late.filter(|entry| entry.at < outage.until && refused(&entry.event));
        let refused = late.count() as u64;
        let lanes = self.source.lines.len() as u64 * u64::from(self.settings().factor) + 2;
        let seconds = outage.until.saturating_sub(from).as_secs();
        if seconds * lanes < refused {
            let text = format!("I15: {refused} calls in {seconds} s of an outage, {lanes} lanes");
            self.broken.push(text);
        }
    }

    fn begins_nothing(&mut self, since: Duration, why: &str) {
        let world = self.stage.world.clone();
        let late = |event: &Event| matches!(event, Event::Invoked { function, .. } if function == crate::engine::FUNCTION);
        let history = world.history();
        let mut recent = history.iter().rev();
        let recent = recent
            .by_ref()
            .take_while(|entry| since + UNDER_WAY < entry.at);
        if let Some(entry) = recent.filter(|entry| late(&entry.event)).last() {
            let text = format!("I14: {why} at {since:?}: begun at {:?}", entry.at);
            self.broken.push(text);
        }
    }

    /// I14: a drain ends in time, and begins nothing. True when it was cut off by the end of the grace.
    pub(super) async fn stop(&mut self, running: Running) -> bool {
        let asked = Instant::now();
        let at = self.began.elapsed();
        self.account = self.account.and(running.stop().await);
        let cut = GRACE <= asked.elapsed();
        if asked.elapsed() > GRACE + UNDER_WAY {
            let text = format!("I14 at {at:?}: the drain took {:?}", asked.elapsed());
            self.broken.push(text);
        }
        self.begins_nothing(at, "it was asked to stop");
        let failed = self
            .disk
            .as_ref()
            .is_some_and(|disk| disk.failed().is_some());
        books::close(self, cut || failed);
        self.buried(Loss::Nothing).await;
        cut || failed
    }

    /// The process is gone, or has ended. Takes note of what it left, and of what it counted.
    pub(super) async fn buried(&mut self, loss: Loss) {
        self.dropped += self.metric("events_dropped_total");
        self.gaps += self.metric("stream_gaps_total");
        self.subscribed += self.subscriptions();
        let text = self.stage.metrics.encode();
        let undisturbed = |beside: &Beside| beside.undisturbed(&self.plan, &text);
        let fair = self.plan.weather() == Weather::Fair;
        if fair && !self.beside.as_ref().is_none_or(undisturbed) {
            self.broken.push("beside: it was begun anew".to_owned());
        }
        self.overhears();
        self.stage.metrics = Metrics::new();
        let mapping = self.mapping();
        let (place, at) = (self.stage.world.history_len(), self.began.elapsed());
        if let Some(disk) = &mut self.disk {
            let ends = disk.ends(&mapping);
            let seen = disk.seen();
            self.images += seen.images + ends.len() as u64 + 1;
            self.kept.extend(seen.kept);
            self.kept.extend(ends.into_iter().map(|shards| Kept {
                place,
                at,
                shards,
                goes_on: false,
            }));
            for (name, count) in seen.harm {
                *self.harm.entry(name).or_default() += count;
            }
            *disk = disk.left(loss);
            self.stage.store = Store::on(disk.clone()).unwrap();
        }
        let judge = sluicegate::checkpoint::Owner::new("judge");
        let taken = self.stage.store.take(&mapping, &judge).await.unwrap();
        let shards = taken.shards.into_iter();
        self.kept.push(Kept {
            place,
            at,
            shards: shards.map(|(id, saved)| (id, saved.progress)).collect(),
            goes_on: true,
        });
    }
}
