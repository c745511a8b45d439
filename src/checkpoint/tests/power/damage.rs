//! The file is not what was written: bits flipped, pages lost, misplaced or stale, an end cut off or added.

use fastrand::Rng;

use super::super::disk::{Disk, SECTOR_BYTES};
use super::super::work::{Model, State, Work, assert_varied, fresh, recovered};
use super::image::Known;
use super::table::{Size, Tally};

const PAGE_BYTES: usize = 4096;

/// Where redb says which of two states is the last one.
const HEADER_BYTES: usize = 320;

/// A store that was used and closed, what it was before its close, and all that it ever held.
struct Used {
    closed: Vec<u8>,
    crashed: Vec<u8>,
    /// Of some groups before.
    stale: Vec<u8>,
    models: Vec<Model>,
    states: Vec<State>,
}

fn used(groups: usize) -> Used {
    let disk = fresh();
    let mut work = Work::begin(&disk);
    let mut rng = Rng::with_seed(2);
    let mut stale = Vec::new();
    for group in 0..groups {
        if group + 5 == groups {
            stale = disk.bytes();
        }
        work.group(&mut rng).unwrap();
    }
    let (models, states) = (work.models.clone(), work.states());
    assert_varied(&states[groups..]);
    let crashed = disk.bytes();
    drop(work);
    Used {
        closed: disk.bytes(),
        crashed,
        stale,
        models,
        states,
    }
}

impl Used {
    fn known(&self, back: usize) -> Known<'_> {
        Known::damaged(&self.models, &self.states, back)
    }
}

/// A store of which hardly a byte is left over from what was there before.
fn compact() -> (Vec<u8>, State) {
    let disk = fresh();
    let mut work = Work::begin(&disk);
    work.fill(400);
    drop(work);
    (disk.bytes(), recovered(&disk).unwrap())
}

/// Places that are read when the store is opened, and not just to find zeros there.
fn in_use(bytes: &[u8]) -> Vec<usize> {
    let disk = Disk::holding(bytes.to_vec());
    recovered(&disk).unwrap();
    let sectors = disk.sectors_read();
    let places = sectors
        .into_iter()
        .flat_map(|sector| sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES);
    let places: Vec<usize> = places.filter(|at| bytes[*at] != 0).collect();
    assert!(places.len() > 1000);
    places
}

fn flipped(bytes: &[u8], bits: impl IntoIterator<Item = usize>) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    for bit in bits {
        changed[bit / 8] ^= 1 << (bit % 8);
    }
    changed
}

/// Every bit of the header, and some of everything that is read.
pub fn one_bit(size: Size, tally: &mut Tally) {
    let mut rng = Rng::with_seed(6);
    let (bytes, state) = compact();
    let (models, states) = ([Model::default()], [state]);
    let compact = (bytes, Known::damaged(&models, &states, 0));
    let used = used(60);
    for (bytes, known) in [compact, (used.closed.clone(), used.known(0))] {
        let in_use = in_use(&bytes);
        let random = (0..size.of(150, 3000))
            .map(|_| in_use[rng.usize(0..in_use.len())] * 8 + rng.usize(0..8));
        let header = (0..HEADER_BYTES * 8).step_by(size.of(19, 1));
        for bit in header.chain(random) {
            known.open(&flipped(&bytes, [bit]), tally, &format!("bit {bit}"));
        }
    }
    assert!(tally.refused > tally.images() / 4, "{tally:?}");
}

/// Anywhere that is read, the header more often than its share.
pub fn several_bits(size: Size, tally: &mut Tally) {
    let mut rng = Rng::with_seed(16);
    let used = used(60);
    let in_use = in_use(&used.closed);
    for _ in 0..size.of(100, 3000) {
        let bits = (0..rng.usize(2..12)).map(|_| {
            let at = match rng.u32(0..4) {
                0 => rng.usize(0..HEADER_BYTES),
                _ => in_use[rng.usize(0..in_use.len())],
            };
            at * 8 + rng.usize(0..8)
        });
        let bits: Vec<usize> = bits.collect();
        let how = format!("bits {bits:?}");
        used.known(0)
            .open(&flipped(&used.closed, bits), tally, &how);
    }
    assert!(tally.refused > tally.images() / 2, "{tally:?}");
}

/// The power goes and bits flip: redb goes back by one write where the last one is damaged, which is no more than
/// records that come twice. What it must not do is to mix, or to invent.
pub fn after_a_crash(size: Size, tally: &mut Tally) {
    let mut rng = Rng::with_seed(17);
    let used = used(60);
    let in_use = in_use(&used.crashed);
    let header = (0..HEADER_BYTES * 8).step_by(size.of(19, 1));
    let random =
        (0..size.of(150, 3000)).map(|_| in_use[rng.usize(0..in_use.len())] * 8 + rng.usize(0..8));
    for bit in header.chain(random) {
        let how = format!("after a crash, bit {bit}");
        used.known(1)
            .open(&flipped(&used.crashed, [bit]), tally, &how);
    }
    assert!(tally.refused > 10, "{tally:?}");
}

/// Each page like nothing, like another, and as it once was: a write that the disk had claimed to have done.
pub fn pages(size: Size, tally: &mut Tally) {
    let mut rng = Rng::with_seed(7);
    let used = used(60);
    for (bytes, back) in [(&used.closed, 0), (&used.crashed, 1)] {
        let page = |bytes: &[u8], page: usize| -> Option<Vec<u8>> {
            bytes
                .get(page * PAGE_BYTES..(page + 1) * PAGE_BYTES)
                .map(<[u8]>::to_vec)
        };
        let pages: Vec<usize> = (0..bytes.len() / PAGE_BYTES)
            .filter(|number| {
                page(bytes, *number).is_some_and(|page| page.iter().any(|byte| *byte != 0))
            })
            .collect();
        for number in pages.iter().copied().step_by(size.of(4, 1)) {
            let other = pages[rng.usize(0..pages.len())];
            let contents = [
                Some(vec![0; PAGE_BYTES]),
                page(bytes, other),
                page(&used.stale, number),
            ];
            for (kind, content) in contents.into_iter().enumerate() {
                let Some(content) = content else { continue };
                let mut changed = bytes.clone();
                let torn = rng.usize(1..=PAGE_BYTES / SECTOR_BYTES) * SECTOR_BYTES;
                for bytes in [torn, PAGE_BYTES] {
                    changed[number * PAGE_BYTES..][..bytes].copy_from_slice(&content[..bytes]);
                    let how = format!("{bytes} bytes of page {number}, {kind}, like {other}");
                    used.known(back).open(&changed, tally, &how);
                }
            }
        }
    }
    assert!(tally.refused > 10, "{tally:?}");
}

/// Cut off at each page and in between, and with something behind the end.
pub fn ends(size: Size, tally: &mut Tally) {
    let mut rng = Rng::with_seed(8);
    let used = used(60);
    for (bytes, back) in [(&used.closed, 0), (&used.crashed, 1)] {
        let len = bytes.len();
        let mut lengths: Vec<usize> = vec![0, 1, 64, 319, 320, 511, 512, len - 1];
        lengths.extend((0..len).step_by(PAGE_BYTES * size.of(8, 1)));
        lengths.extend((0..size.of(20, 400)).map(|_| rng.usize(0..len)));
        for length in lengths {
            let how = format!("{length} bytes of {len}");
            used.known(back).open(&bytes[..length], tally, &how);
        }
        for added in [1, 511, 512, PAGE_BYTES, 10 * PAGE_BYTES, 1 << 20] {
            for byte in [0, 0xff] {
                let mut longer = bytes.clone();
                longer.resize(len + added, byte);
                let how = format!("{added} bytes of {byte} behind the end");
                used.known(back).open(&longer, tally, &how);
            }
        }
    }
    assert!(tally.refused > 10, "{tally:?}");
}
