//! What is in the file does not belong there, or not together: each is refused by its name.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use fastrand::Rng;
use redb::{Builder, StorageBackend, TableDefinition};
use serde_json::Value;

use super::super::value::seal;
use super::super::{Owner, Store};
use super::disk::Disk;
use super::work::{Work, assert_varied, fresh, recovered};
use super::{MAPPING, at, take};

const TABLE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("sluicegate");

/// A store that was used and closed.
fn used() -> Vec<u8> {
    let disk = fresh();
    let mut work = Work::begin(&disk);
    let mut rng = Rng::with_seed(2);
    (0..60).for_each(|_| work.group(&mut rng).unwrap());
    drop(work);
    let state = recovered(&disk).unwrap();
    assert!(state.len() > 8, "{state:?}");
    assert_varied(std::slice::from_ref(&state));
    disk.bytes()
}

/// The store after something else wrote these entries into it; none: removed.
pub fn rewritten(entries: &[(&str, Option<Vec<u8>>)]) -> Disk {
    let disk = Disk::holding(used());
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
            text.contains("; `sluicegate checkpoint export` prints what is whole in it, and `sluicegate checkpoint import` makes a new file of that; or restore it from a backup, or move it away deliberately"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_storage_that_holds_a_store_is_opened_and_not_made_anew() {
    let disk = Disk::holding(used());
    let store = Store::on(disk.clone()).unwrap();
    let shards = take(&store).await.shards;
    store.close().await;
    let again = Store::on(disk).unwrap();
    let taken = again.take(MAPPING, &Owner::new("again")).await.unwrap();
    assert_eq!(taken.shards, shards);
}

/// A disk that answers as another one does, from the moment on at which its length was asked for so many times.
#[derive(Debug)]
struct Turning {
    asked: AtomicUsize,
    turns: usize,
    before: Disk,
    after: Disk,
}

impl Turning {
    fn now(&self) -> &Disk {
        match self.asked.load(Ordering::Relaxed) < self.turns {
            true => &self.before,
            false => &self.after,
        }
    }
}

impl StorageBackend for Turning {
    fn len(&self) -> io::Result<u64> {
        let len = self.now().len();
        self.asked.fetch_add(1, Ordering::Relaxed);
        len
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.now().read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.now().set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.now().sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.now().write(offset, data)
    }
}

#[tokio::test]
async fn a_disk_that_answers_differently_each_time_is_refused() {
    let mut disks = Vec::new();
    for number in [1, 2] {
        let disk = fresh();
        let store = Store::on(disk.clone()).unwrap();
        let claim = take(&store).await.claim;
        store.commit(&claim, "a", None, &at(number)).await.unwrap();
        store.close().await;
        disks.push(disk.bytes());
    }
    let mut told = 0;
    for turns in 0..8 {
        let [before, after] = [0, 1].map(|disk| Disk::holding(disks[disk].clone()));
        let asked = AtomicUsize::new(0);
        let opened = Store::on(Turning {
            asked,
            turns,
            before,
            after,
        });
        match opened.map_err(|error| error.to_string()) {
            // One of the two, whole.
            Ok(store) => {
                let progress = take(&store).await.shards["a"].progress.clone();
                assert!([at(1), at(2)].contains(&progress), "{turns}: {progress:?}");
            }
            Err(error) => told += usize::from(error.contains("it reads differently each time")),
        }
    }
    assert!(told > 0, "the disk never turned between two looks at it");
}
