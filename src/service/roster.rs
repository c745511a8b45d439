//! What is to run. It may change while the service runs.

use std::sync::Arc;

use tokio::sync::watch;

use crate::checkpoint::Store;
use crate::config::mapping::Mapping;

/// The list that a service follows. Cheap to clone: all clones are the same list.
#[derive(Clone, Debug)]
pub struct Roster(watch::Sender<Wanted>);

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
        Self(watch::Sender::new(Wanted { mappings, store }))
    }

    /// As it is now.
    pub fn now(&self) -> Wanted {
        self.0.borrow().clone()
    }

    /// From now on this is wanted. Returns at once: the service follows.
    pub fn replace(&self, wanted: Wanted) {
        self.0.send_replace(wanted);
    }

    pub(super) fn watch(&self) -> watch::Receiver<Wanted> {
        self.0.subscribe()
    }
}
