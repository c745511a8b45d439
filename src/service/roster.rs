//! What is to run. It may change while the service runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::watch;

use crate::checkpoint::Store;
use crate::config::mapping::Mapping;

/// The list that a service follows. Cheap to clone: all clones are the same list.
#[derive(Clone, Debug)]
pub struct Roster {
    wanted: watch::Sender<Numbered>,
    followed: watch::Sender<Option<Followed>>,
}

/// What is to run. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Enabled or not, each with a UUID and a name of its own.
    pub mappings: Arc<[Arc<Mapping>]>,
    /// Those of them that are disabled for now whatever their settings say, by UUID, and why in words.
    pub held: Arc<BTreeMap<String, &'static str>>,
    /// Where the progress of streams is kept from now on. Mappings of streams that run keep theirs where they began to.
    pub store: Store,
}

/// A list, and how many there were before it.
#[derive(Clone, Debug)]
pub(super) struct Numbered {
    pub number: u64,
    pub wanted: Wanted,
}

/// How far the service is with the list.
#[derive(Debug, PartialEq)]
struct Followed {
    /// The list that it has begun to follow.
    number: u64,
    /// The mappings that it has at work, those among them that are on their way out.
    at_work: BTreeSet<String>,
}

impl Roster {
    /// With this to begin with.
    pub fn new(mappings: Vec<Arc<Mapping>>, store: Store) -> Self {
        let wanted = Wanted {
            mappings: mappings.into(),
            held: Arc::default(),
            store,
        };
        Self {
            wanted: watch::Sender::new(Numbered { number: 0, wanted }),
            followed: watch::Sender::default(),
        }
    }

    /// As it is now.
    pub fn now(&self) -> Wanted {
        self.wanted.borrow().wanted.clone()
    }

    /// From now on this is wanted. Returns at once: the service follows.
    pub fn replace(&self, wanted: Wanted) {
        self.wanted.send_modify(|numbered| {
            numbered.number += 1;
            numbered.wanted = wanted;
        });
    }

    #[allow(
        clippy::disallowed_types,
        reason = "one service watches: there is no order to draw lots for"
    )]
    pub(super) fn watch(&self) -> watch::Receiver<Numbered> {
        self.wanted.subscribe()
    }

    /// Returns when the service has seen what is wanted now, and has nothing of this mapping at work: what it had in hand is
    /// settled. Never, for one that is wanted and runs.
    pub async fn at_rest(&self, uuid: &str) {
        let number = self.wanted.borrow().number;
        let mut followed = self.followed.subscribe();
        let rests = |followed: &Followed| {
            // One that an older list wanted may be begun yet.
            number <= followed.number && !followed.at_work.contains(uuid)
        };
        // The roster is there for as long as we are.
        let _ = followed
            .wait_for(|followed| followed.as_ref().is_some_and(rests))
            .await;
    }

    pub(super) fn is_followed(&self, number: u64, at_work: BTreeSet<String>) {
        let now = Some(Followed { number, at_work });
        self.followed.send_if_modified(|followed| {
            let changed = *followed != now;
            *followed = now;
            changed
        });
    }
}
