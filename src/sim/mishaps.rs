//! What befalls the region, the machine or a queue for a while, rather than one call: each has a knob here, and is counted.

use std::{collections::BTreeMap, time::Duration};

use super::{
    machine::Hands,
    sqs::error::SqsError,
    world::{State, World},
};

/// A kind of mishap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mishap {
    /// Every call of every service fails: `World::outage`.
    RegionOutage,
    /// The machine's credentials cannot be had: `World::credentials`.
    CredentialsDown,
    /// The machine is handed credentials that have expired: `World::credentials`.
    CredentialsExpired,
    /// The machine's clock is set wrong at once: `World::clock_jump`.
    ClockJump,
    /// The machine's clock runs too fast or too slow: `World::clock_drift`.
    ClockDrift,
    /// A queue is deleted, with what is in it: `World::delete_queue`.
    QueueDeleted,
    /// A queue is emptied: `World::purge_queue`.
    QueuePurged,
    /// Messages of a queue are moved to another: `World::move_messages`.
    MessagesMoved,
    /// A function is deleted, and made anew later: `World::function_away`.
    FunctionDeleted,
}

impl Mishap {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::RegionOutage,
        Self::CredentialsDown,
        Self::CredentialsExpired,
        Self::ClockJump,
        Self::ClockDrift,
        Self::QueueDeleted,
        Self::QueuePurged,
        Self::MessagesMoved,
        Self::FunctionDeleted,
    ];
}

/// How the machine's credential service fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Issuing {
    /// It hands out credentials that last an hour.
    #[default]
    Well,
    /// It answers 503.
    Down,
    /// It does not answer.
    Silent,
    /// What it hands out has expired.
    Expired,
}

/// What lasts now, and what there was. Times are since the world began.
#[derive(Debug, Default)]
pub(super) struct Mishaps {
    counts: BTreeMap<Mishap, u64>,
    out_until: Duration,
    pub(super) issuing: Issuing,
    pub(super) asked: u64,
    pub(super) hands: Hands,
    away: Vec<String>,
}

impl Mishaps {
    pub(super) fn count(&mut self, mishap: Mishap) {
        *self.counts.entry(mishap).or_default() += 1;
    }

    /// Whether the region is out.
    pub(super) fn out(&self, now: Duration) -> bool {
        now < self.out_until
    }

    pub(super) fn heal(&mut self) {
        self.out_until = Duration::ZERO;
        self.issuing = Issuing::Well;
        self.hands = Hands::default();
    }
}

impl World {
    /// From now on, for so long, every call of every service fails: answered 500 or 503, reset, or not connected.
    // API: SQS, Common error types, ServiceUnavailable and InternalFailure
    pub fn outage(&self, length: Duration) {
        let until = self.clock().elapsed() + length;
        let mut state = self.lock();
        state.mishaps.out_until = until;
        state.mishaps.count(Mishap::RegionOutage);
    }

    /// How the machine's credential service fares from now on.
    pub fn credentials(&self, issuing: Issuing) {
        let mut state = self.lock();
        state.mishaps.issuing = issuing;
        match issuing {
            Issuing::Well => {}
            Issuing::Down | Issuing::Silent => state.mishaps.count(Mishap::CredentialsDown),
            Issuing::Expired => state.mishaps.count(Mishap::CredentialsExpired),
        }
    }

    /// How often the machine's credentials were asked for.
    pub fn credentials_asked(&self) -> u64 {
        self.lock().mishaps.asked
    }

    /// The machine's clock is set forward by so many milliseconds, or back where they are negative.
    pub fn clock_jump(&self, by_ms: i64) {
        let now = self.clock().elapsed();
        let mut state = self.lock();
        state.mishaps.hands.jump(now, by_ms);
        state.mishaps.count(Mishap::ClockJump);
    }

    /// From now on the machine's clock gains so many milliseconds a second, or loses them where they are negative.
    pub fn clock_drift(&self, ms_per_s: i64) {
        let now = self.clock().elapsed();
        let mut state = self.lock();
        state.mishaps.hands.drift(now, ms_per_s);
        state.mishaps.count(Mishap::ClockDrift);
    }

    /// The machine's clock is right again.
    pub fn clock_right(&self) {
        self.lock().mishaps.hands = Hands::default();
    }

    /// Deletes a queue with all its messages. Its name is free again a minute later.
    ///
    /// # Errors
    /// As DeleteQueue.
    pub fn delete_queue(&self, name: &str) -> Result<(), SqsError> {
        self.drop_queue(name)?;
        self.lock().mishaps.count(Mishap::QueueDeleted);
        Ok(())
    }

    /// Empties a queue at once: AWS takes up to a minute for it.
    ///
    /// # Errors
    /// As PurgeQueue.
    pub fn purge_queue(&self, name: &str) -> Result<(), SqsError> {
        self.empty_queue(name)?;
        self.lock().mishaps.count(Mishap::QueuePurged);
        Ok(())
    }

    /// Moves up to `most` visible messages to another queue, as an operator's redrive does, and says how many went.
    ///
    /// # Errors
    /// When one of the queues does not exist.
    // API: SQS StartMessageMoveTask: moved messages leave the source; those in flight stay
    pub fn move_messages(&self, from: &str, to: &str, most: usize) -> Result<usize, SqsError> {
        let moved = self.shift(from, to, most)?;
        if moved > 0 {
            self.lock().mishaps.count(Mishap::MessagesMoved);
        }
        Ok(moved)
    }

    /// A function is deleted now and made anew after so long: until then nobody finds it. Invocations under way go on.
    // API: Lambda Invoke, ResourceNotFoundException
    pub fn function_away(&self, name: &str, length: Duration) {
        let until = self.clock().elapsed() + length;
        let mut state = self.lock();
        let State {
            functions, mishaps, ..
        } = &mut *state;
        if let Some(function) = functions.get_mut(name) {
            function.away_until = until;
            mishaps.away.push(name.to_owned());
            mishaps.count(Mishap::FunctionDeleted);
        }
    }

    /// Each function that was deleted is there again.
    pub(super) fn functions_back(&self) {
        let mut state = self.lock();
        let State {
            functions, mishaps, ..
        } = &mut *state;
        for name in mishaps.away.drain(..) {
            if let Some(function) = functions.get_mut(&name) {
                function.away_until = Duration::ZERO;
            }
        }
    }

    /// How often each mishap happened.
    pub fn mishap_counts(&self) -> BTreeMap<Mishap, u64> {
        self.lock().mishaps.counts.clone()
    }
}
