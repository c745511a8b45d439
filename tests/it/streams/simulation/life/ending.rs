//! What becomes of the stream when everything is settled: it is deleted and made anew, or switched off and on again.

use std::time::Duration;

use sluicegate::status::State;
use tokio::time::sleep;

use super::{Budget, Theatre};
use crate::engine::Running;
use crate::streams::simulation::judge::How;
use crate::streams::simulation::plan::Ending;

/// By then a mapping has noticed, whatever it was doing.
const NOTICED: Duration = Duration::from_secs(900);
/// So many records come behind the end.
const MORE: usize = 8;

impl Theatre {
    /// The end of the service, and before it perhaps of its stream.
    pub(super) async fn ends(&mut self, running: Running) {
        if self.plan.ending == Ending::MadeAnew && self.all_settled() {
            return self.made_anew(running).await;
        }
        self.stop(running).await;
    }

    fn all_settled(&self) -> bool {
        !self.broken.iter().any(|text| text.starts_with("I13"))
    }

    /// What came shortly before the table's stream was switched off is read all the same. Switched on again it is another
    /// stream, which the mapping is told to read.
    pub(super) async fn switched(&mut self, running: Running) -> Running {
        if self.plan.ending != Ending::Switched || !self.all_settled() {
            return running;
        }
        *self.harm.entry("StreamSwitchedOffAndOn").or_default() += 1;
        for _ in 0..MORE {
            self.put_one(false);
        }
        self.source.switch_off();
        self.budget = Budget::default();
        let running = self.act(running).await;
        let cut = self.stop(running).await;
        self.source.switch_on();
        self.budget.records = MORE;
        self.started = false;
        let running = self.start(if cut { How::AfterKill } else { How::Started });
        self.act(running).await
    }

    /// I11: nothing of another stream is read, whether that came while somebody read or while nobody did, and it is told.
    async fn made_anew(&mut self, running: Running) {
        *self.harm.entry("StreamMadeAnew").or_default() += 1;
        let running = if self.rng.bool() {
            self.source.make_anew(MORE);
            running
        } else {
            let cut = self.stop(running).await;
            self.source.make_anew(MORE);
            self.start(if cut { How::AfterKill } else { How::Started })
        };
        sleep(NOTICED).await;
        let (state, foreign) = (self.state(), self.known.with(|known| known.foreign));
        if foreign > 0 || state != Some(State::Failing) {
            let text = format!("I11: the stream was made anew: {foreign} invocations, {state:?}");
            self.broken.push(text);
        }
        self.stop(running).await;
    }
}
