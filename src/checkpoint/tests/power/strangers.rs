//! Another program's file in the place of the store, a newer one, or someone else who has it.

use std::sync::Arc;

use fastrand::Rng;
use redb::Builder;
use serde_json::json;

use super::super::super::file::{self, Doubt};
use super::super::super::value::{FORMAT, seal};
use super::super::super::{Store, StoreError, export, verify};
use super::super::damage::rewritten;
use super::super::disk::Disk;
use super::super::{at, settled, take};
use super::image::refused;
use super::table::{Outcome, Tally};

/// None of these is ever begun anew, or changed.
pub fn in_its_place(tally: &mut Tally) {
    let foreign = Disk::default();
    drop(Builder::new().create_with_backend(foreign.clone()).unwrap());
    let mut rng = Rng::with_seed(9);
    let mut noise =
        |length| Disk::holding(std::iter::repeat_with(|| rng.u8(..)).take(length).collect());
    let mut disks: Vec<Disk> = [1, 7, 511, 4096, 5000, 1 << 20].map(&mut noise).into();
    let texts = ["SQLite format 3\0", "{}", "Mappings: []\n", "\0"];
    disks.extend(texts.map(|text| Disk::holding(text.repeat(100_000).into_bytes())));
    let newer = seal("format", &json!({ "format": FORMAT + 1 }));
    disks.extend([
        Disk::default(),
        foreign,
        rewritten(&[("format", Some(newer)), ("unheard-of", Some(vec![9]))]),
    ]);
    for (number, disk) in disks.into_iter().enumerate() {
        let how = format!("stranger {number}");
        let before = disk.bytes();
        let doubt = file::open_backend(Arc::new(disk.clone())).map(drop);
        let doubt = doubt.expect_err(&how);
        assert!(
            matches!(doubt, Doubt::Damaged(_) | Doubt::Newer(3)),
            "{how}: {doubt:?}"
        );
        refused(doubt, tally, &how);
        assert!(disk.bytes() == before, "{how}: it was changed");
    }
}

/// Whoever comes second is told so, whatever he wants with it, and does no harm.
pub fn at_the_same_time(tally: &mut Tally) {
    const COMMITS: u64 = 20;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints.db");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = Store::open(&path).unwrap();
        let claim = take(&store).await.claim;
        let mut revision = None;
        for number in 1..=COMMITS {
            let committed = store.commit(&claim, "a", revision, &at(number)).await;
            revision = Some(committed.unwrap());
            let tried = [
                Store::open(&path).map(drop),
                verify(&path).map(drop),
                export(&path).map(drop),
            ];
            for tried in tried {
                let in_use = matches!(&tried, Err(StoreError::InUse { .. }));
                assert!(in_use, "{tried:?}");
                tally.count(Outcome::Refused);
            }
        }
        store.close().await;
        let shards = take(&Store::open(&path).unwrap()).await.shards;
        assert_eq!(settled(&shards["a"].progress), COMMITS);
        tally.count(Outcome::Acknowledged);
    });
}
