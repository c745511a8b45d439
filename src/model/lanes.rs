//! Lanes of a shard: a key's records go down one lane, in order; lanes go on beside each other. // spec: 5.2
//!
//! A shard's checkpoint is the low watermark over its lanes: the last record before which nothing is owed in any of
//! them. What a lane has settled beyond the watermark is kept with it, so that a restart does not repeat it.
//!
//! A *place* stands for one record of the source. Where the Kinesis Producer Library packed several user records into
//! it, the place is settled when the last of them is; how far it is until then is kept, too.

use std::collections::VecDeque;

use super::progress::{Begun, LaneProgress, LastInvocation, Owed, Position, ShardProgress};
use super::record::SequenceNumber;

/// Places that may be read beyond the watermark. A lane that stands still must not let the others run ahead for ever:
/// what they settled is held in memory and in the checkpoint's way.
pub const AHEAD_MAX: usize = 100_000;

/// Which lane a key's records take: FNV-1a, 64 bits, folded. It must never change: checkpoints rely on it.
pub fn lane_of(key: impl AsRef<[u8]>, factor: u32) -> u32 {
    if factor <= 1 {
        return 0;
    }
    let bytes = key.as_ref().iter();
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // The low bits of FNV-1a are its weakest: all of them take part.
    let folded = hash ^ (hash >> 32);
    (folded % u64::from(factor)) as u32
}

/// What becomes of a record that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It waits in this lane; `place` names it when it is settled.
    Lane {
        /// From 0.
        lane: u32,
        /// Counts places from the beginning of this run.
        place: u64,
    },
    /// It was settled before a restart.
    Settled,
    /// Not yet: the lanes must run empty first. Nothing changed.
    Hold,
}

#[derive(Clone, Debug)]
struct Place {
    /// Everything up to here is settled with this place: it, and dropped records behind it.
    through: SequenceNumber,
    /// Its own number.
    own: SequenceNumber,
    lane: u32,
    /// How many of its records are not settled.
    left: u32,
    /// When it arrived at the source, in milliseconds since 1970.
    arrived_ms: u64,
}

#[derive(Clone, Debug, Default)]
struct Lane {
    /// All of the lane's records up to here are settled.
    settled: Option<SequenceNumber>,
    /// Settled in part. Behind `settled`, or long passed.
    begun: Option<Begun>,
    owed: Vec<Owed>,
    last: Option<LastInvocation>,
}

/// The lanes of one shard.
#[derive(Clone, Debug)]
pub struct Lanes {
    factor: u32,
    /// What `ParallelizationFactor` says now; the lanes become so many when they are empty and `old_through` is passed.
    wanted: u32,
    /// The last record that the checkpoint's lanes say anything about.
    old_through: Option<SequenceNumber>,
    position: Position,
    places: VecDeque<Place>,
    /// The number of `places`' first.
    first: u64,
    lanes: Vec<Lane>,
}

impl Lanes {
    /// As the checkpoint left them. With another factor than it had, the old lanes serve until everything that it says
    /// something about is settled: a key's records stay in order, and none is repeated.
    pub fn resume(progress: &ShardProgress, factor: u32) -> Self {
        let wanted = factor.max(1);
        let old = if progress.lanes.is_empty() {
            wanted
        } else {
            let highest = progress.lanes.iter().map(|lane| lane.lane + 1).max();
            progress.factor.max(highest.unwrap_or(1))
        };
        let mut lanes = vec![Lane::default(); old as usize];
        for saved in &progress.lanes {
            let lane = &mut lanes[saved.lane as usize];
            lane.settled.clone_from(&saved.settled);
            lane.begun.clone_from(&saved.begun);
            lane.owed.clone_from(&saved.owed);
            lane.last.clone_from(&saved.last);
        }
        let numbers = progress.lanes.iter().flat_map(|lane| {
            let owed = lane.owed.iter().map(|owed| &owed.through);
            let begun = lane.begun.iter().map(|begun| &begun.sequence_number);
            lane.settled.iter().chain(begun).chain(owed)
        });
        Self {
            factor: old,
            wanted,
            old_through: numbers.max().cloned(),
            position: progress.position.clone(),
            places: VecDeque::new(),
            first: 0,
            lanes,
        }
    }

    /// How many there are.
    pub fn factor(&self) -> u32 {
        self.factor
    }

    /// How many user records of an aggregate with this key were settled before a restart.
    pub fn begun(&self, number: &SequenceNumber, key: impl AsRef<[u8]>) -> u32 {
        if self.outgrown(number) {
            return 0;
        }
        let lane = &self.lanes[lane_of(key, self.factor) as usize];
        let begun = lane.begun.as_ref();
        begun
            .filter(|begun| begun.sequence_number == *number)
            .map_or(0, |begun| begun.records)
    }

    /// A record was read: `records` user records with this key, in one place.
    pub fn admit(
        &mut self,
        number: &SequenceNumber,
        key: impl AsRef<[u8]>,
        records: u32,
        arrived_ms: u64,
    ) -> Admitted {
        if self.holds(number) {
            return Admitted::Hold;
        }
        if self.outgrown(number) {
            self.factor = self.wanted;
            self.lanes = vec![Lane::default(); self.wanted as usize];
        }
        let lane = lane_of(key, self.factor);
        let settled = &self.lanes[lane as usize].settled;
        if settled.as_ref().is_some_and(|settled| number <= settled) {
            self.pass(number);
            return Admitted::Settled;
        }
        if records == 0 {
            self.pass(number);
            return Admitted::Settled;
        }
        self.places.push_back(Place {
            through: number.clone(),
            own: number.clone(),
            lane,
            left: records,
            arrived_ms,
        });
        let place = self.first + self.places.len() as u64 - 1;
        Admitted::Lane { lane, place }
    }

    /// Whether this record must wait until lanes run empty, or the watermark moves.
    pub fn holds(&self, number: &SequenceNumber) -> bool {
        (self.outgrown(number) && !self.places.is_empty()) || AHEAD_MAX <= self.places.len()
    }

    /// The lanes of the checkpoint have served: from this record on there are as many as are wanted.
    pub fn outgrown(&self, number: &SequenceNumber) -> bool {
        let beyond = self.old_through.as_ref().is_none_or(|old| old < number);
        beyond && self.factor != self.wanted
    }

    /// A record was read that nobody is to see: it is settled as soon as everything before it is.
    pub fn pass(&mut self, number: &SequenceNumber) {
        match self.places.back_mut() {
            Some(last) => last.through = number.clone(),
            None => self.reach(number.clone()),
        }
    }

    /// One of the records of this place is settled: of an aggregate, that one. Those of a lane are settled in order.
    pub fn settled(&mut self, place: u64, inner: Option<u32>) {
        let index = place
            .checked_sub(self.first)
            .and_then(|index| usize::try_from(index).ok())
            .filter(|index| *index < self.places.len());
        let Some(index) = index else {
            debug_assert!(false, "place {place} was settled before");
            return;
        };
        let place = &mut self.places[index];
        debug_assert!(place.left > 0, "a record was settled twice");
        place.left = place.left.saturating_sub(1);
        let lane = &mut self.lanes[place.lane as usize];
        lane.begun = inner.filter(|_| place.left > 0).map(|inner| Begun {
            sequence_number: place.own.clone(),
            records: inner + 1,
        });
        if place.left == 0 {
            debug_assert!(
                lane.settled
                    .as_ref()
                    .is_none_or(|before| *before < place.own),
                "a lane settles in order"
            );
            lane.settled = Some(place.own.clone());
        }
        while let Some(place) = self.places.pop_front_if(|place| place.left == 0) {
            self.first += 1;
            self.reach(place.through);
        }
    }

    /// What of the lane's batch in hand is owed, for the checkpoint; empty where nothing of it failed. `last` is the
    /// invocation with the first of it, where that failed.
    pub fn owes(&mut self, lane: u32, owed: Vec<Owed>, last: Option<LastInvocation>) {
        let lane = &mut self.lanes[lane as usize];
        (lane.owed, lane.last) = (owed, last);
    }

    /// What the checkpoint said that the lane owes, or `owes` since.
    pub fn owed(&self, lane: u32) -> &[Owed] {
        &self.lanes[lane as usize].owed
    }

    /// Which invocation failed last with the first of that, likewise.
    pub fn last(&self, lane: u32) -> Option<&LastInvocation> {
        self.lanes[lane as usize].last.as_ref()
    }

    /// The shard is closed and was read to its end. Everything must be settled.
    pub fn end(&mut self) {
        debug_assert!(self.places.is_empty(), "something is owed");
        self.position = Position::End;
    }

    /// Everything before it is settled.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Nothing that was read is owed.
    pub fn empty(&self) -> bool {
        self.places.is_empty()
    }

    /// When the oldest record that is owed arrived, in milliseconds since 1970.
    pub fn oldest_ms(&self) -> Option<u64> {
        self.places.front().map(|place| place.arrived_ms)
    }

    /// What is to be kept, apart from an open window.
    pub fn progress(&self) -> ShardProgress {
        let beyond = |number: &SequenceNumber| match &self.position {
            Position::After { sequence_number } => sequence_number < number,
            Position::Horizon | Position::At { .. } | Position::From { .. } => true,
            Position::End => false,
        };
        let lanes = self.lanes.iter().zip(0..).filter_map(|(lane, number)| {
            let settled = lane.settled.clone().filter(beyond);
            let ahead = |begun: &Begun| beyond(&begun.sequence_number);
            let begun = lane.begun.clone().filter(ahead);
            let kept = settled.is_some() || begun.is_some() || !lane.owed.is_empty();
            kept.then(|| LaneProgress {
                lane: number,
                settled,
                begun,
                owed: lane.owed.clone(),
                last: lane.last.clone(),
            })
        });
        ShardProgress {
            position: self.position.clone(),
            factor: self.factor,
            lanes: lanes.collect(),
            window: None,
            windows_from_ms: None,
        }
    }

    fn reach(&mut self, number: SequenceNumber) {
        let next = Position::After {
            sequence_number: number,
        };
        debug_assert!(self.position < next, "the position never moves back");
        self.position = next;
    }
}

#[cfg(test)]
mod tests;
