//! A disk that outlives the process: what was written to it before the kill is there afterwards, and nothing else is.

use std::io;
use std::sync::{Arc, Mutex};

use redb::StorageBackend;
use sluicegate::sim::World;
use tokio::sync::Notify;

/// A disk. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    bytes: Vec<u8>,
    /// What survives a loss of power.
    synced: Vec<u8>,
    syncs: u64,
    armed: Option<Armed>,
    /// As the kill left it.
    frozen: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Armed {
    world: World,
    /// Counts syncs from now on, from 1.
    number: u64,
    when: When,
    notice: Arc<Notify>,
}

/// Where in a sync the process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Nothing of what was written since the last one is kept.
    Lost,
    /// Everything is written, and nobody was told.
    Kept,
}

impl Disk {
    /// One that holds these bytes.
    pub fn holding(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State {
            synced: bytes.clone(),
            bytes,
            syncs: 0,
            armed: None,
            frozen: None,
        })))
    }

    /// The world ends for the service at this sync: no call of it has an effect any more. The notice is given then.
    pub fn kill_at(&self, world: &World, number: u64, when: When) -> Arc<Notify> {
        let notice = Arc::new(Notify::new());
        self.0.lock().unwrap().armed = Some(Armed {
            world: world.clone(),
            number,
            when,
            notice: notice.clone(),
        });
        notice
    }

    /// No kill is to come.
    pub fn disarm(&self) {
        self.0.lock().unwrap().armed = None;
    }

    /// How often it was synced.
    pub fn syncs(&self) -> u64 {
        self.0.lock().unwrap().syncs
    }

    /// What the next life finds.
    pub fn left(&self) -> Self {
        let state = self.0.lock().unwrap();
        Self::holding(state.frozen.clone().unwrap_or_else(|| state.bytes.clone()))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        let state = self.0.lock().unwrap();
        let there = state.bytes.get(offset..offset + out.len());
        out.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).unwrap();
        self.0.lock().unwrap().bytes.resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let state = &mut *state;
        state.syncs += 1;
        if let Some(armed) = &mut state.armed {
            armed.number -= 1;
        }
        if let Some(armed) = state.armed.take_if(|armed| armed.number == 0) {
            state.frozen = Some(match armed.when {
                When::Lost => state.synced.clone(),
                When::Kept => state.bytes.clone(),
            });
            // The process runs on to its next call, which has no effect.
            armed.world.crash_at(1);
            armed.notice.notify_one();
        }
        state.synced.clone_from(&state.bytes);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        let mut state = self.0.lock().unwrap();
        let there = state.bytes.get_mut(offset..offset + data.len());
        there
            .ok_or(io::ErrorKind::UnexpectedEof)?
            .copy_from_slice(data);
        Ok(())
    }
}
