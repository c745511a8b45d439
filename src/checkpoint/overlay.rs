//! Two ways to hand one storage to redb: as it is, and as a copy on which nothing that is written reaches the original.
//!
//! A file is examined on such a copy. redb repairs what it opens; a repair that went back to an earlier state would
//! pass for whole at the next start, and the damage that was there would never be heard of.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

/// What is written is kept in pieces of so many bytes: redb's page.
const PIECE_BYTES: usize = 4096;
const PIECE: u64 = PIECE_BYTES as u64;

/// The storage itself, which redb wants to own and we go on to use.
#[derive(Clone, Debug)]
pub struct Shared(pub Arc<dyn StorageBackend>);

impl StorageBackend for Shared {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.0.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.query_lock_range(start, end)
    }
}

/// A copy in memory of what is written, over a storage that stays as it is. It takes no lock: its owner has it.
#[derive(Debug)]
pub struct Overlay {
    base: Arc<dyn StorageBackend>,
    over: Mutex<Over>,
}

#[derive(Debug)]
struct Over {
    len: u64,
    /// How much of the original still shows: what was cut off stays away when the storage grows again.
    base_len: u64,
    /// By their number.
    pieces: BTreeMap<u64, Vec<u8>>,
}

impl Overlay {
    /// Over this storage.
    pub fn new(base: Arc<dyn StorageBackend>) -> io::Result<Self> {
        let len = base.len()?;
        let over = Mutex::new(Over {
            len,
            base_len: len,
            pieces: BTreeMap::new(),
        });
        Ok(Self { base, over })
    }

    fn over(&self) -> MutexGuard<'_, Over> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes of the original at this place, zeros where it has none.
    fn original(&self, over: &Over, number: u64) -> io::Result<Vec<u8>> {
        let mut piece = vec![0; PIECE_BYTES];
        let offset = number * PIECE;
        let there = over.base_len.saturating_sub(offset).min(PIECE);
        let there = usize::try_from(there).map_or(PIECE_BYTES, |there| there.min(PIECE_BYTES));
        if there > 0 {
            self.base.read(offset, &mut piece[..there])?;
        }
        Ok(piece)
    }
}

/// The parts of a range in each piece that it touches: the piece's number, where in it, and where in the range.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset + done as u64;
        let within = usize::try_from(at % PIECE).unwrap_or(0);
        let end = len.min(done + PIECE_BYTES - within);
        let part = (at / PIECE, within, done..end);
        done = end;
        Some(part)
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.over().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let over = self.over();
        let end = offset.checked_add(out.len() as u64);
        if end.is_none_or(|end| end > over.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (number, within, range) in parts(offset, out.len()) {
            let out = &mut out[range];
            match over.pieces.get(&number) {
                Some(piece) => out.copy_from_slice(&piece[within..within + out.len()]),
                None => {
                    let piece = self.original(&over, number)?;
                    out.copy_from_slice(&piece[within..within + out.len()]);
                }
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut over = self.over();
        over.base_len = over.base_len.min(len);
        over.len = len;
        // What is cut off comes back as zeros.
        let kept = len.div_ceil(PIECE);
        over.pieces.split_off(&kept);
        if let Some(last) = over.pieces.get_mut(&(len / PIECE)) {
            let within = usize::try_from(len % PIECE).unwrap_or(0);
            last[within..].fill(0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut over = self.over();
        for (number, within, range) in parts(offset, data.len()) {
            let mut piece = match over.pieces.remove(&number) {
                Some(piece) => piece,
                None => self.original(&over, number)?,
            };
            let data = &data[range];
            piece[within..within + data.len()].copy_from_slice(data);
            over.pieces.insert(number, piece);
        }
        over.len = over.len.max(offset + data.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redb::backends::InMemoryBackend;

    const LEN: usize = 3 * PIECE_BYTES - 100;

    #[test]
    fn an_overlay_reads_like_the_storage_that_was_written_and_leaves_the_original_alone() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let start: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(LEN).collect();
            let base = Arc::new(InMemoryBackend::new());
            base.set_len(LEN as u64).unwrap();
            base.write(0, &start).unwrap();
            let overlay = Overlay::new(base.clone()).unwrap();
            let mut expected = start.clone();
            for _ in 0..rng.usize(1..8) {
                if rng.bool() {
                    let len = rng.usize(0..4 * PIECE_BYTES);
                    expected.resize(len, 0);
                    overlay.set_len(len as u64).unwrap();
                } else if !expected.is_empty() {
                    let at = rng.usize(0..expected.len());
                    let end = rng.usize(at..=expected.len());
                    let byte = rng.u8(..);
                    expected[at..end].fill(byte);
                    overlay.write(at as u64, &vec![byte; end - at]).unwrap();
                }
                let mut all = vec![0; expected.len()];
                overlay.read(0, &mut all).unwrap();
                assert_eq!(overlay.len().unwrap(), expected.len() as u64);
                assert!(all == expected, "it reads as it was written");
            }
            assert!(overlay.read(expected.len() as u64, &mut [0]).is_err());
            let mut original = vec![0; LEN];
            base.read(0, &mut original).unwrap();
            assert!(original == start, "the original is untouched");
        }
    }
}
