//! Crash points: three in every external call, so that a test may kill its service at each of them.
//! A crash leaves the world as it is; only connectors that were made before it never answer again.

use std::{future::pending, sync::Arc};

use tokio::sync::Notify;

use super::{faults::Operation, history::Event, world::World};

/// Where in a call a crash point lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// The request arrived and changed nothing yet.
    BeforeEffect,
    /// The world changed, the answer is not on its way.
    AfterEffect,
    /// The caller has the answer and dies at its next wait.
    Delivered,
}

/// One crash point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashPoint {
    /// Counts from 1 since the last `World::crash_at` or the world's start.
    pub number: u64,
    /// The call.
    pub operation: Operation,
    /// Where in the call.
    pub moment: Moment,
}

/// The counter of crash points and the one that is armed.
#[derive(Debug, Default)]
pub(super) struct Crashes {
    passed: u64,
    armed: Option<(u64, Arc<Notify>)>,
    /// How many points are left until the next notice, and whom it goes to.
    told: Option<(u64, Arc<Notify>)>,
    last: Option<CrashPoint>,
    /// Grows with each crash; a connector of an earlier life is dead.
    life: u64,
}

impl World {
    /// Arms a crash at the `number`-th crash point from now (from 1), and restarts the count. The notice is given when it fires: the
    /// test drops its service then, and starts another on a new connector.
    pub fn crash_at(&self, number: u64) -> Arc<Notify> {
        let notice = Arc::new(Notify::new());
        let mut state = self.lock();
        state.crashes.passed = 0;
        state.crashes.armed = Some((number, notice.clone()));
        notice
    }

    /// The notice is given at the `number`-th crash point from now (from 1), where nothing else happens: a test that stops its service
    /// then stops it in the middle of that call.
    pub fn notice_at(&self, number: u64) -> Arc<Notify> {
        let notice = Arc::new(Notify::new());
        self.lock().crashes.told = Some((number, notice.clone()));
        notice
    }

    /// How many crash points were passed since the count was last restarted.
    pub fn crash_points(&self) -> u64 {
        self.lock().crashes.passed
    }

    /// The crash point that fired last.
    pub fn last_crash(&self) -> Option<CrashPoint> {
        self.lock().crashes.last.clone()
    }

    pub(super) fn life(&self) -> u64 {
        self.lock().crashes.life
    }

    /// Passes a crash point on behalf of a caller; never returns to a dead one.
    pub(super) async fn pass(&self, life: Option<u64>, operation: Operation, moment: Moment) {
        if !self.survives(life, operation, moment) {
            pending::<()>().await;
        }
    }

    fn survives(&self, life: Option<u64>, operation: Operation, moment: Moment) -> bool {
        let at = self.clock().elapsed();
        let mut state = self.lock();
        let state = &mut *state;
        if life.is_some_and(|life| life < state.crashes.life) {
            return false;
        }
        let crashes = &mut state.crashes;
        crashes.passed += 1;
        if let Some((left, _)) = &mut crashes.told {
            *left = left.saturating_sub(1);
        }
        if let Some((_, notice)) = crashes.told.take_if(|(left, _)| *left == 0) {
            notice.notify_one();
        }
        let Some((_, notice)) = crashes
            .armed
            .take_if(|(number, _)| *number == crashes.passed)
        else {
            return true;
        };
        let point = CrashPoint {
            number: crashes.passed,
            operation,
            moment,
        };
        crashes.life += 1;
        crashes.last = Some(point.clone());
        state.history.record(at, || Event::Crashed { point });
        notice.notify_one();
        // An answer that was delivered is in the caller's hands: it goes on until it next waits.
        moment == Moment::Delivered
    }
}
