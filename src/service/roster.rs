//! What is to run. It may change while the service runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;

use crate::checkpoint::Store;
use crate::config::mapping::Mapping;

/// The list that a service follows. Cheap to clone: all clones are the same list.
#[derive(Clone, Debug)]
pub struct Roster {
    wanted: watch::Sender<Wanted>,
    here: watch::Sender<BTreeSet<String>>,
}

/// What is to run. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Enabled or not, each with a UUID and a name of its own.
    pub mappings: Arc<[Mapping]>,
    /// Where the progress of streams is kept from now on. Mappings of streams that run keep theirs where they began to.
    pub store: Store,
}

impl Roster {
    /// With this to begin with.
    pub fn new(mappings: Vec<Mapping>, store: Store) -> Self {
        let mappings = mappings.into();
        Self {
            wanted: watch::Sender::new(Wanted { mappings, store }),
            here: watch::Sender::default(),
        }
    }

    /// As it is now.
    pub fn now(&self) -> Wanted {
        self.wanted.borrow().clone()
    }

    /// From now on this is wanted. Returns at once: the service follows.
    pub fn replace(&self, wanted: Wanted) {
        self.wanted.send_replace(wanted);
    }

    #[allow(
        clippy::disallowed_types,
        reason = "one service watches: there is no order to draw lots for"
    )]
    pub(super) fn watch(&self) -> watch::Receiver<Wanted> {
        self.wanted.subscribe()
    }

    /// Returns when the service has nothing of this mapping any more: what it had in hand is settled.
    pub async fn gone(&self, uuid: &str) {
        let mut here = self.here.subscribe();
        // The roster is there for as long as we are.
        let _ = here.wait_for(|here| !here.contains(uuid)).await;
    }

    pub(super) fn are_here(&self, uuids: BTreeSet<String>) {
        self.here.send_if_modified(|here| {
            let changed = *here != uuids;
            *here = uuids;
            changed
        });
    }
}
