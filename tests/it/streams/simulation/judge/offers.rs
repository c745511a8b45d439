//! What may be offered to the function, and how often: I4 to I8, I10, I15.

use std::time::Duration;

use super::{Judge, RELOAD_MAX, Run};
use crate::streams::simulation::function::Call;
use crate::streams::simulation::plan::From;

/// The shortest wait before a repeat, with the least jitter.
const REPEAT_MIN: Duration = Duration::from_millis(240);
/// The largest event of a synchronous invocation.
const EVENT_BYTES_MAX: usize = 6 * 1024 * 1024;
/// What lies between a decision and its effect.
const TRAVEL: Duration = Duration::from_secs(1);

impl Judge<'_> {
    pub(super) fn invoked(&mut self, at: Duration, request_id: &str, call: &Call, bytes: usize) {
        if bytes > EVENT_BYTES_MAX {
            self.breach(at, "I7", format!("an event of {bytes} bytes"));
        }
        if let Some(window) = &call.window {
            self.window_offered(at, window, &call.users);
        }
        let is_final = call.window.as_ref().is_some_and(|window| window.is_final);
        let shard = match (&call.window, call.users.first()) {
            (Some(window), _) => window.shard.clone(),
            (None, Some(first)) => self.shard_of[first].clone(),
            (None, None) => return self.breach(at, "I7", "an event of nothing".to_owned()),
        };
        self.size(at, &call.users, is_final);
        self.beside(at, &shard, &call.users);
        self.between_settings(at);
        self.parents(at, &shard);
        for (index, user) in call.users.iter().enumerate() {
            self.offered(at, &shard, *user, &call.users[..index]);
        }
        self.attempts(at, &call.users);
        self.truth.invoked += call.users.len() as u64;
        self.running.push(Run {
            request_id: request_id.to_owned(),
            shard,
            users: call.users.clone(),
            is_final,
            life: self.life,
        });
    }

    fn size(&mut self, at: Duration, users: &[usize], is_final: bool) {
        let sizes = self.in_force(at).map(|settings| settings.batch_size);
        let Some(most) = sizes.max() else {
            return self.breach(
                at,
                "I14",
                format!("{users:?} are offered, and it is not to work"),
            );
        };
        if users.len() > most || users.is_empty() != is_final {
            self.breach(at, "I7", format!("a batch of {} records", users.len()));
        }
    }

    // I6
    fn beside(&mut self, at: Duration, shard: &str, users: &[usize]) {
        let whole = self.whole_shards();
        let known = &self.evidence.known.users;
        let beside: Vec<&Run> = self
            .running
            .iter()
            .filter(|run| run.shard == shard)
            .collect();
        let key = |user: &usize| known[*user].key.clone();
        let shared = beside.iter().any(|run| {
            whole
                || run.is_final
                || run
                    .users
                    .iter()
                    .any(|other| users.iter().any(|user| key(user) == key(other)))
        });
        if shared || beside.len() >= self.factor_max() as usize {
            let text = format!("{users:?} runs beside {beside:?}");
            self.breach(at, "I6", text);
        }
    }

    // I6: whoever has other settings begins when the one before has ended.
    fn between_settings(&mut self, at: Duration) {
        let lives = self.evidence.lives;
        let now = lives[self.life];
        let other = self
            .running
            .iter()
            .find(|run| lives[run.life].settings != now.settings && now.at + RELOAD_MAX < at);
        if let Some(run) = other.filter(|_| !self.evidence.plan.deaf()) {
            let text = format!("{run:?} was begun under other settings, and still runs");
            self.breach(at, "I6", text);
        }
    }

    // I5
    fn parents(&mut self, at: Duration, shard: &str) {
        let open: Vec<(String, usize)> = self
            .ancestors(shard)
            .into_iter()
            .flat_map(|parent| {
                let users = self.shards.get(&parent).cloned().unwrap_or_default();
                users.into_iter().map(move |user| (parent.clone(), user))
            })
            .filter(|(_, user)| !self.settled(*user, at))
            .collect();
        if let Some((parent, user)) = open.first() {
            let text = format!("{shard} is read, and {user} of its parent {parent} is open");
            self.breach(at, "I5", text);
        }
    }

    fn offered(&mut self, at: Duration, shard: &str, user: usize, before: &[usize]) {
        let plan = self.evidence.plan;
        let known = &self.evidence.known.users[user];
        if plan.filter && !known.keep {
            self.breach(at, "filter", format!("{user} was offered"));
        }
        // A shard that the first listing lacked is taken for one that came later, and read from its beginning: nobody
        // knows better, and the other way something could be lost.
        if known.old && plan.from == From::Moment && !plan.lists_badly() {
            self.breach(at, "I2", format!("{user} was there before"));
        }
        if self.shard_of[&user] != shard || before.contains(&user) {
            self.breach(
                at,
                "I7",
                format!("{user} is twice in a batch, or of another shard"),
            );
        }
        // I4
        for earlier in self.earlier(user) {
            if !before.contains(&earlier) && !self.settled(earlier, at) {
                let text = format!("{user} was offered before {earlier} was settled");
                self.breach(at, "I4", text);
            }
        }
        // I10
        let fate = &self.fates[user];
        if self.fair() && (fate.handled || fate.discarded > 0) {
            self.breach(at, "I10", format!("{user} was settled before"));
        }
        // I8
        let age = at.saturating_sub(self.fates[user].arrived);
        if let Some(age_s) = plan.age_s
            && age > Duration::from_secs(age_s) + TRAVEL + self.stood_still(at)
        {
            self.breach(at, "I8", format!("{user} is {age:?} old"));
        }
    }

    // I8, I15
    fn attempts(&mut self, at: Duration, users: &[usize]) {
        let (failures, last) = match self.batches.get(users) {
            Some(batch) => *batch,
            None => return,
        };
        if let Some(retries) = self.evidence.plan.retries
            && failures > retries + self.unheard
        {
            let text = format!("{users:?} failed {failures} times, and is tried again");
            self.breach(at, "I8", text);
        }
        let heard = self.unheard == 0 && self.evidence.lives[self.life].began == 0;
        if heard && at.saturating_sub(last) < REPEAT_MIN {
            let text = format!("{users:?} is repeated at once");
            self.breach(at, "I15", text);
        }
    }
}
