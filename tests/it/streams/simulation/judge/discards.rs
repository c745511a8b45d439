//! What may be discarded, and what is told of it: I1, I2, I8.

use std::time::Duration;

use serde_json::Value;
use sluicegate::model::lanes::lane_of;

use super::{Judge, positions};

/// The arrival times of DynamoDB streams are whole seconds: a record seems older by that.
const AGE_ROUNDED: Duration = Duration::from_secs(1);

impl Judge<'_> {
    /// An on-failure record arrived.
    pub(super) fn told(&mut self, at: Duration, text: &str) {
        let told: Value = serde_json::from_str(text).expect("an on-failure record is JSON");
        let info = ["KinesisBatchInfo", "DDBStreamBatchInfo"]
            .iter()
            .find_map(|name| told.get(*name))
            .expect("an on-failure record tells of a batch");
        if info.get("startSequenceNumber").is_none() {
            return self.window_discarded(at, &told, info);
        }
        let Some(users) = self.users_told(&told, info) else {
            return self.breach(at, "6.1", format!("nobody knows what {text} tells of"));
        };
        let condition = told["requestContext"]["condition"].as_str().unwrap();
        let count = told["requestContext"]["approximateInvokeCount"]
            .as_u64()
            .unwrap();
        for user in &users {
            self.discarded(at, condition, *user);
        }
        let numbers: std::collections::BTreeSet<_> =
            users.iter().map(|user| &self.sequence[user]).collect();
        let exhausted = condition == "RetryAttemptsExhausted";
        if exhausted && self.evidence.plan.only_failing && numbers.len() > 1 {
            let text = format!("{users:?} are discarded together");
            self.breach(at, "only failing", text);
        }
        let retries = self.evidence.plan.retries.map(u64::from);
        if exhausted && retries.is_none_or(|retries| count != retries + 1) {
            self.breach(at, "I8", format!("{users:?} were discarded after {count}"));
        }
    }

    fn discarded(&mut self, at: Duration, condition: &str, user: usize) {
        let plan = self.evidence.plan;
        let (fate, known) = (&self.fates[user], &self.evidence.known.users[user]);
        let just = match condition {
            "RetryAttemptsExhausted" => {
                let enough = plan
                    .retries
                    .is_some_and(|retries| retries < fate.failures + self.unheard);
                known.large && plan.retries.is_some() || enough
            }
            "RecordAgeExceeded" => plan.age_s.is_some_and(|age_s| {
                Duration::from_secs(age_s) <= at.saturating_sub(fate.arrived) + AGE_ROUNDED
            }),
            _ => false,
        };
        if !just {
            let text = format!("{user} was discarded for {condition}: {fate:?}");
            return self.breach(at, "I8", text);
        }
        if fate.handled && !plan.deaf() {
            self.breach(at, "I1", format!("{user} was handled, and discarded"));
        }
        let again = self.fates[user].discarded > 0;
        if again && self.fair() {
            self.breach(at, "I10", format!("{user} was discarded twice"));
        }
        self.fates[user].discarded += 1;
    }

    /// The records of an on-failure record: those of its event, or those of its range that were read and in one lane.
    fn users_told(&self, told: &Value, info: &Value) -> Option<Vec<usize>> {
        let count = info["batchSize"].as_u64()? as usize;
        if let Some(payload) = told.get("payload") {
            let event = payload.as_str()?.as_bytes();
            let users = self.evidence.known.users_of(event);
            let users: Vec<usize> = users.into_iter().map(|(user, _)| user).collect();
            return (users.len() == count).then_some(users);
        }
        let first = positions::number(info["startSequenceNumber"].as_str()?);
        let last = positions::number(info["endSequenceNumber"].as_str()?);
        let plan = self.evidence.plan;
        let range: Vec<usize> = self.shards[info["shardId"].as_str()?]
            .iter()
            .copied()
            .filter(|user| {
                let number = positions::number(&self.sequence[user]);
                let kept = !plan.filter || self.evidence.known.users[*user].keep;
                kept && self.fates[*user].read && first <= number && number <= last
            })
            .collect();
        let key = |user: &usize| self.evidence.known.users[*user].key.as_str();
        let lives = self.evidence.lives[..=self.life].iter().rev();
        let of_factor = |factor| {
            let lane = lane_of(key(range.first()?), factor);
            let of_lane = |user: &usize| lane_of(key(user), factor) == lane;
            let same: Vec<usize> = range.iter().copied().filter(of_lane).collect();
            (same.len() == count && same.last() == range.last()).then_some(same)
        };
        let mut fits = lives.filter_map(|life| of_factor(life.settings.factor));
        // Several factors may fit; what failed is what was told of.
        let first = fits.next()?;
        let failed = |users: &Vec<usize>| self.batches.contains_key(users);
        if failed(&first) {
            return Some(first);
        }
        Some(fits.find(failed).unwrap_or(first))
    }

    /// Where nobody is told, a limit is reason enough.
    pub(super) fn may_be_dropped(&self, user: usize, at: Duration) -> bool {
        let plan = self.evidence.plan;
        let (fate, known) = (&self.fates[user], &self.evidence.known.users[user]);
        let exhausted = plan
            .retries
            .is_some_and(|retries| known.large || retries < fate.failures + self.unheard);
        let aged = plan.age_s.is_some_and(|age_s| {
            Duration::from_secs(age_s) <= at.saturating_sub(fate.arrived) + AGE_ROUNDED
        });
        exhausted || aged
    }
}
