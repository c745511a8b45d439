//! The file is not what was written: bits flipped, pages lost or swapped, an end cut off, another program's, a newer one.

use fastrand::Rng;
use redb::{Builder, TableDefinition};
use serde_json::Value;

use super::super::file::Doubt;
use super::super::value::seal;
use super::super::{Owner, Store};
use super::disk::{Disk, SECTOR_BYTES};
use super::power::{State, Work, assert_varied, fresh, recovered};
use super::{MAPPING, take};

/// Bits that are tried in each of two files.
const FLIPS: usize = 150;

const PAGE_BYTES: usize = 4096;
const TABLE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("sluicegate");

/// A store that was used and closed, and what is in it.
fn used() -> (Vec<u8>, State) {
    let disk = fresh();
    let mut work = Work::begin(&disk);
    let mut rng = Rng::with_seed(2);
    (0..60).for_each(|_| work.group(&mut rng).unwrap());
    drop(work);
    let state = recovered(&disk).unwrap();
    assert!(state.len() > 8, "{state:?}");
    assert_varied(std::slice::from_ref(&state));
    (disk.bytes(), state)
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

#[derive(Debug, Default)]
struct Tally {
    refused: usize,
    by_panic: usize,
    harmless: usize,
}

impl Tally {
    /// Opens what was made of a store: it is refused and left alone, or reads as before.
    fn open(&mut self, bytes: &[u8], expected: &State, how: &str) {
        let disk = Disk::holding(bytes.to_vec());
        match recovered(&disk) {
            Ok(state) => {
                assert!(state == *expected, "{how}: silently wrong: {state:?}");
                self.harmless += 1;
            }
            Err(Doubt::Damaged(what)) => {
                assert!(disk.bytes() == bytes, "{how}: it was changed");
                self.refused += 1;
                self.by_panic += usize::from(what.contains("panic"));
            }
            Err(other) => panic!("{how}: {other:?}"),
        }
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

#[test]
fn a_flipped_bit_is_never_silently_wrong() {
    let (bytes, state) = compact();
    let mut rng = Rng::with_seed(6);
    let in_use = in_use(&bytes);
    let mut tally = Tally::default();
    for _ in 0..FLIPS {
        let at = in_use[rng.usize(0..in_use.len())];
        let mut changed = bytes.clone();
        changed[at] ^= 1 << rng.u32(0..8);
        tally.open(&changed, &state, &format!("byte {at}"));
    }
    report!("{FLIPS} flips: {tally:?}");
    assert!(tally.refused > FLIPS / 2, "{tally:?}");
}

#[test]
fn a_lost_or_misplaced_page_is_never_silently_wrong() {
    let (bytes, state) = used();
    let mut rng = Rng::with_seed(7);
    let pages: Vec<usize> = (0..bytes.len() / PAGE_BYTES)
        .filter(|page| {
            bytes[page * PAGE_BYTES..][..PAGE_BYTES]
                .iter()
                .any(|b| *b != 0)
        })
        .collect();
    let mut tally = Tally::default();
    for page in &pages {
        let other = pages[rng.usize(0..pages.len())];
        let zeros = vec![0; PAGE_BYTES];
        for content in [&zeros[..], &bytes[other * PAGE_BYTES..][..PAGE_BYTES]] {
            let mut changed = bytes.clone();
            changed[page * PAGE_BYTES..][..PAGE_BYTES].copy_from_slice(content);
            tally.open(&changed, &state, &format!("page {page} like {other}"));
        }
    }
    report!("{} pages: {tally:?}", pages.len());
    assert!(tally.refused > 10, "{tally:?}");
}

#[test]
fn a_cut_off_end_is_never_silently_wrong() {
    let (bytes, state) = used();
    let mut rng = Rng::with_seed(8);
    let mut tally = Tally::default();
    let mut lengths: Vec<usize> = vec![0, 1, 64, 511, 512, PAGE_BYTES, bytes.len() - 1];
    lengths.extend((0..40).map(|_| rng.usize(0..bytes.len())));
    for length in &lengths {
        tally.open(&bytes[..*length], &state, &format!("{length} bytes"));
    }
    report!("{} lengths: {tally:?}", lengths.len());
    assert!(tally.refused > 10, "{tally:?}");
}

/// The store after something else wrote these entries into it; none: removed.
fn rewritten(entries: &[(&str, Option<Vec<u8>>)]) -> Disk {
    let disk = Disk::holding(used().0);
    let database = Builder::new().create_with_backend(disk.clone()).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut table = transaction.open_table(TABLE).unwrap();
    for (key, value) in entries {
        match value {
            Some(value) => table.insert(*key, value.as_slice()).unwrap(),
            None => table.remove(*key).unwrap(),
        };
    }
    drop(table);
    transaction.commit().unwrap();
    drop(database);
    disk
}

fn refusal(disk: &Disk) -> String {
    let refused = Store::on(disk.clone()).map(drop);
    refused.unwrap_err().to_string()
}

#[test]
fn a_newer_format_is_refused_by_its_name() {
    let newer = |key: &str| {
        let mut header = seal(key, &serde_json::json!({ "format": 3 }));
        if key != "format" {
            header[0] = 3;
        }
        header
    };
    let text = refusal(&rewritten(&[
        ("format", Some(newer("format"))),
        ("unheard-of", Some(vec![9])),
    ]));
    assert_eq!(
        text,
        "the checkpoint file (in memory) has format 3, and this version reads up to 2; run the version that wrote it, or a later one"
    );
    // Without the checksum that belongs to it, a version is no more than a flipped bit.
    let text = refusal(&rewritten(&[("generation", Some(newer("generation")))]));
    assert!(
        text.contains("generation: its checksum does not fit"),
        "{text}"
    );
}

/// A shard that is whole.
const SAVED: &str = r#"{"revision":1,"progress":{"position":"Horizon","factor":1}}"#;

#[test]
fn what_does_not_belong_together_is_refused() {
    let shard = format!("shard/{MAPPING}/shardId-000000000001");
    let stranger = "shard/other/a";
    let mapping = format!("mapping/{MAPPING}");
    let aside = format!("undo/{MAPPING}");
    let aside_shard = format!("undo/{MAPPING}/shardId-000000000001");
    let cases: [(&str, Option<Vec<u8>>, &str); 17] = [
        ("format", None, "format is missing"),
        ("generation", None, "generation is missing"),
        (&mapping, None, "its mapping is missing, and"),
        (&shard, Some(b"x".to_vec()), "its checksum does not fit"),
        (&shard, Some(Vec::new()), "its checksum does not fit"),
        (
            &shard,
            Some(seal(stranger, &1)),
            "its checksum does not fit",
        ),
        (
            &shard,
            Some(seal(&shard, &1)),
            "it can not be read: invalid type",
        ),
        (
            "generation",
            Some(seal("generation", &0)),
            "its generation was never given away",
        ),
        ("unheard-of", Some(Vec::new()), "\"unheard-of\" is no key"),
        (
            "registration/a",
            Some(b"{}".to_vec()),
            "registration/a: its checksum does not fit",
        ),
        (
            "registration/a",
            Some(seal("registration/b", &1)),
            "registration/a: its checksum does not fit",
        ),
        (&aside, Some(Vec::new()), "its checksum does not fit"),
        (
            &aside,
            Some(seal(&aside, &1)),
            "it can not be read: invalid type",
        ),
        (
            &aside,
            None,
            "the note it was set aside with is missing, and",
        ),
        (
            &aside_shard,
            Some(seal(&aside_shard, &1)),
            "it can not be read: invalid type",
        ),
        (
            "undo/other",
            Some(seal("undo/other", &serde_json::json!({}))),
            "undo/other: its mapping is missing",
        ),
        (
            "undo/other/a",
            Some(seal("undo/other/a", &SAVED.parse::<Value>().unwrap())),
            "undo/other/a: its mapping is missing",
        ),
    ];
    for (key, value, what) in cases {
        let text = refusal(&rewritten(&[(key, value)]));
        assert!(
            text.starts_with("the checkpoint file (in memory) is damaged: "),
            "{text}"
        );
        assert!(text.contains(what), "{key}: {text}");
        assert!(
            text.contains("; `sluicegate checkpoint export` prints what is whole in it; restore it from a backup, or move it away deliberately"),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_store_is_refused_and_left_as_it_is() {
    let foreign = Disk::default();
    drop(Builder::new().create_with_backend(foreign.clone()).unwrap());
    let mut rng = Rng::with_seed(9);
    let noise =
        |length| Disk::holding(std::iter::repeat_with(|| rng.u8(..)).take(length).collect());
    let text = |text: &str| Disk::holding(text.repeat(3000).into_bytes());
    let disks: Vec<Disk> = [7, 4096, 1 << 20].into_iter().map(noise).collect();
    let zeros = Disk::holding(vec![0; 1 << 20]);
    for disk in disks
        .into_iter()
        .chain([foreign, zeros, text("SQLite format 3\0")])
    {
        let before = disk.bytes();
        let text = refusal(&disk);
        assert!(text.contains("is damaged"), "{text}");
        assert!(disk.bytes() == before, "{text}");
    }
}

/// The power goes and a bit flips: redb goes back by one write where the last one is damaged, which is no more than
/// records that come twice. What it must not do is to mix, or to invent.
#[test]
fn a_flipped_bit_after_a_crash_leaves_a_state_that_once_was() {
    let disk = fresh();
    let mut work = Work::begin(&disk);
    let mut rng = Rng::with_seed(17);
    (0..20).for_each(|_| work.group(&mut rng).unwrap());
    let (bytes, states) = (disk.bytes(), work.states.clone());
    assert_varied(&states[19..]);
    drop(work);
    assert_eq!(
        recovered(&Disk::holding(bytes.clone())).unwrap(),
        states[20]
    );
    let in_use = in_use(&bytes);
    let (mut refused, mut back) = (0, 0);
    for _ in 0..FLIPS {
        let mut changed = bytes.clone();
        let at = in_use[rng.usize(0..in_use.len())];
        changed[at] ^= 1 << rng.u32(0..8);
        match recovered(&Disk::holding(changed)) {
            Ok(state) => {
                assert!(states[19..].contains(&state), "byte {at}: {state:?}");
                back += usize::from(state != states[20]);
            }
            Err(_) => refused += 1,
        }
    }
    report!("{FLIPS} flips after a crash: {refused} refused, {back} went back by one");
    assert!(refused > 10);
}

#[tokio::test]
async fn a_storage_that_holds_a_store_is_opened_and_not_made_anew() {
    let disk = Disk::holding(used().0);
    let store = Store::on(disk.clone()).unwrap();
    let shards = take(&store).await.shards;
    store.close().await;
    let again = Store::on(disk).unwrap();
    let taken = again.take(MAPPING, &Owner::new("again")).await.unwrap();
    assert_eq!(taken.shards, shards);
}
