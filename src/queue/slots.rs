//! The right to have a batch in hand. It comes before the receive: a throttled function must never cost a message a
//! receive, so nothing is taken from the queue that could not be invoked.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use crate::model::scaling::{Ended, Scaling};

/// The slots of one mapping. One task waits for them, any number gives them back.
#[derive(Debug)]
pub struct Slots {
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    scaling: Scaling,
    in_hand: usize,
    polling: usize,
}

/// A slot: free again when it is dropped, also by a panic.
#[derive(Debug)]
pub struct Slot {
    slots: Arc<Slots>,
    polling: bool,
}

impl Slots {
    /// As many as `scaling` allows, now and later.
    pub fn new(scaling: Scaling) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                scaling,
                in_hand: 0,
                polling: 0,
            }),
            freed: Notify::new(),
        })
    }

    /// Wait until one more batch may be gathered; `now` tells the time.
    pub async fn slot(self: &Arc<Self>, now: impl Fn() -> Duration) -> Slot {
        loop {
            let growth = {
                let mut state = self.state();
                if state.in_hand < state.scaling.limit() && state.polling < state.scaling.polls() {
                    state.in_hand += 1;
                    state.polling += 1;
                    return Slot {
                        slots: self.clone(),
                        polling: true,
                    };
                }
                let in_hand = state.in_hand;
                state.scaling.waited(in_hand, now())
            };
            let freed = self.freed.notified();
            match growth {
                // Either way the state is asked again.
                Some(delay) => drop(tokio::time::timeout(delay, freed).await),
                None => freed.await,
            }
        }
    }

    /// A receive that asked for `asked` messages brought `got`.
    pub fn received(&self, asked: usize, got: usize, now: Duration) {
        let mut state = self.state();
        let in_hand = state.in_hand;
        state.scaling.received(asked, got, in_hand, now);
        drop(state);
        self.freed.notify_one();
    }

    /// An invocation ended.
    pub fn ended(&self, how: Ended, now: Duration) {
        self.state().scaling.ended(how, now);
    }

    /// The present limit of batches in hand.
    pub fn limit(&self) -> usize {
        self.state().scaling.limit()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("nothing panics while it holds the slots")
    }
}

impl Slot {
    /// The batch is complete: somebody else may wait on the queue.
    pub fn complete(&mut self) {
        if self.polling {
            self.polling = false;
            self.slots.state().polling -= 1;
            self.slots.freed.notify_one();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.complete();
        self.slots.state().in_hand -= 1;
        self.slots.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn one_waits_on_the_queue_and_five_may_be_in_hand() {
        let slots = Slots::new(Scaling::new(None, false));
        let mut taken = Vec::new();
        for _ in 0..5 {
            let mut slot = slots
                .slot(Duration::default)
                .now_or_never()
                .expect("a slot is free");
            assert!(
                slots.slot(Duration::default).now_or_never().is_none(),
                "only one polls"
            );
            slot.complete();
            taken.push(slot);
        }
        assert!(
            slots.slot(Duration::default).now_or_never().is_none(),
            "five are in hand"
        );
        taken.pop();
        assert!(slots.slot(Duration::default).now_or_never().is_some());
    }

    #[test]
    fn a_full_receive_lets_another_poll() {
        let slots = Slots::new(Scaling::new(None, false));
        let first = slots
            .slot(Duration::default)
            .now_or_never()
            .expect("a slot is free");
        slots.received(10, 10, Duration::ZERO);
        let second = slots
            .slot(Duration::default)
            .now_or_never()
            .expect("two may poll");
        assert!(slots.slot(Duration::default).now_or_never().is_none());
        drop((first, second));
        assert_eq!(slots.state().in_hand, 0);
        assert_eq!(slots.state().polling, 0);
    }
}
