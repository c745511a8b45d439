//! The disk refuses while many wait for it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;

use futures_util::future::join_all;

use super::super::{CommitError, Owner, Store, StoreError, file};
use super::disk::Window;
use super::work::{fresh, recovered};
use super::{MAPPING, at, take};

#[tokio::test]
async fn a_failed_write_reaches_everyone_who_waits_and_whoever_comes_later() {
    const SHARDS: u64 = 700;
    let disk = fresh();
    let (database, ledger) = file::open_backend(Arc::new(disk.clone())).unwrap();
    let store = Store::on_a_thread(ledger, database).unwrap();
    let claim = take(&store).await.claim;
    disk.fail(Some(Window {
        from: 12,
        to: usize::MAX,
        kind: ErrorKind::StorageFull,
        half: false,
        reads: false,
    }));
    let commits = (1..=SHARDS).map(|number| {
        let (store, claim) = (store.clone(), claim.clone());
        async move {
            let shard = format!("shardId-{number:012}");
            let committed = store.commit(&claim, &shard, None, &at(number)).await;
            (shard, committed)
        }
    });
    let (saved, refused): (Vec<_>, Vec<_>) = join_all(commits)
        .await
        .into_iter()
        .partition(|(_, committed)| committed.is_ok());
    let broken = store.broken().unwrap();
    assert!(
        broken.to_string().contains("failed to write: I/O error"),
        "{broken}"
    );
    assert!(!refused.is_empty());
    for (shard, refusal) in refused {
        assert_eq!(refusal, Err(CommitError::Broken(broken.clone())), "{shard}");
    }
    disk.fail(None);
    let late = store.commit(&claim, "late", None, &at(1)).await;
    assert_eq!(late, Err(CommitError::Broken(broken.clone())));
    let taken = store.take(MAPPING, &Owner::new("late")).await;
    assert!(matches!(taken, Err(StoreError::Broken(reason)) if reason == broken));
    let refused = [
        store.register(MAPPING, Some(1.into())).await,
        store.registered().await.map(drop),
        store.set_aside(MAPPING, BTreeMap::new(), None, 7).await,
        store.put_back(MAPPING).await.map(drop),
    ];
    for refused in refused {
        assert!(matches!(refused, Err(StoreError::Broken(reason)) if reason == broken));
    }
    assert_eq!(store.meta(MAPPING).await, Err(broken));
    store.close().await;
    let state = recovered(&disk).unwrap();
    assert!(saved.iter().all(|(shard, _)| state.contains_key(shard)));
    assert!(!state.contains_key("late"));
}
