//! What the store may hold: never ahead of what is settled, and never back. I3, I11.

use sluicegate::model::lanes::lane_of;
use sluicegate::model::progress::{LaneProgress, Position, ShardProgress};
use sluicegate::model::record::SequenceNumber;

use super::{Judge, Kept};

pub fn number(text: &str) -> SequenceNumber {
    SequenceNumber::try_from(text.to_owned()).expect("a sequence number")
}

impl Judge<'_> {
    pub(super) fn kept_so(&mut self, kept: &Kept) {
        let at = kept.at;
        for (shard, progress) in &kept.shards {
            let before = match kept.goes_on {
                true => self
                    .positions
                    .insert(shard.clone(), progress.position.clone()),
                false => None,
            };
            if before
                .as_ref()
                .is_some_and(|before| progress.position < *before)
            {
                let text = format!("{shard} went back from {before:?}");
                self.breach(at, "I3", text);
            }
            let covered = self.covered(shard, progress);
            for user in covered {
                if !self.settled(user, at) {
                    let text = format!("{shard} is kept as {progress:?}, and {user} is open");
                    self.breach(at, "I3", text);
                }
            }
            let open = self.evidence.lines.get(shard).is_some_and(|line| line.open);
            if progress.ended() && open {
                self.breach(at, "I3", format!("{shard} is open, and kept as ended"));
            }
        }
    }

    /// The records that the store says are settled.
    fn covered(&self, shard: &str, progress: &ShardProgress) -> Vec<usize> {
        let users = self.shards.get(shard).into_iter().flatten().copied();
        let says = |user: &usize| {
            let own = number(&self.sequence[user]);
            let passed = match &progress.position {
                Position::Horizon | Position::At { .. } => false,
                Position::From { sequence_number } => own < *sequence_number,
                Position::After { sequence_number } => own <= *sequence_number,
                Position::End => true,
            };
            let key = &self.evidence.known.users[*user].key;
            let lane = lane_of(key, progress.factor);
            let packed = &self.evidence.known.numbers[&self.sequence[user]];
            let inner = packed.iter().position(|other| other == user).unwrap();
            let of_lane = |kept: &LaneProgress| {
                let settled = kept.settled.as_ref();
                let begun = kept
                    .begun
                    .as_ref()
                    .filter(|begun| begun.sequence_number == own);
                settled.is_some_and(|settled| own <= *settled)
                    || begun.is_some_and(|begun| inner < begun.records as usize)
            };
            let mut lanes = progress.lanes.iter();
            passed || lanes.any(|kept| kept.lane == lane && of_lane(kept))
        };
        users.filter(says).collect()
    }

    /// What the store does not cover in the end, though it is settled: it would be repeated.
    pub(super) fn repeated(&self) -> Vec<usize> {
        let Some(kept) = self.evidence.kept.last().map(|kept| &kept.shards) else {
            return Vec::new();
        };
        let mut users: Vec<usize> = Vec::new();
        for (shard, of_shard) in &self.shards {
            let covered = kept
                .get(shard)
                .map(|progress| self.covered(shard, progress))
                .unwrap_or_default();
            let plan = self.evidence.plan;
            users.extend(of_shard.iter().copied().filter(|user| {
                let known = &self.evidence.known.users[*user];
                let wanted = !known.old && (known.keep || !plan.filter);
                // A shard that is long settled is forgotten with its checkpoint.
                let there = kept.contains_key(shard);
                wanted && there && !self.fates[*user].trimmed && !covered.contains(user)
            }));
        }
        users
    }
}
