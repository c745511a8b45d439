//! The disk refuses: it is full, or broken, for some operations or for all from one on.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;

use fastrand::Rng;
use futures_util::future::join_all;

use super::super::{CommitError, Owner, Store, StoreError, file};
use super::disk::{Disk, LOSSES, Window, after_crash};
use super::power::{Work, assert_varied, fresh, recovered};
use super::{MAPPING, at, take};

const GROUPS: usize = 4;

/// Of groups that differ.
const SEED: u64 = 96;

/// How long the disk refuses, in operations.
const WIDTHS: [usize; 3] = [1, 3, usize::MAX / 2];

const KINDS: [ErrorKind; 2] = [ErrorKind::StorageFull, ErrorKind::Other];

#[test]
fn after_a_failed_write_nothing_is_saved_any_more_and_nothing_acknowledged_is_lost() {
    let operations = {
        let disk = fresh();
        let mut work = Work::begin(&disk);
        disk.fail(None);
        let mut rng = Rng::with_seed(SEED);
        (0..GROUPS).for_each(|_| work.group(&mut rng).unwrap());
        assert_varied(&work.states);
        disk.done()
    };
    let (mut runs, mut failed) = (0, 0);
    let mut choice = Rng::with_seed(4);
    for from in 0..operations {
        for width in WIDTHS {
            let kind = KINDS[runs % KINDS.len()];
            let disk = fresh();
            let mut work = Work::begin(&disk);
            let start = disk.bytes();
            disk.record();
            disk.fail(Some(Window {
                from,
                to: from + width,
                kind,
                half: choice.bool(),
            }));
            let at = format!("{kind:?} from operation {from} for {width}");
            let reasons = run(&mut work);
            let states = std::mem::take(&mut work.states);
            let acknowledged = work.acknowledged;
            // The first that failed may be there; whatever came later was not even begun.
            let under_way = (acknowledged + 1).min(states.len() - 1);
            drop(work);
            runs += 1;
            if let [first, later @ ..] = reasons.as_slice() {
                failed += 1;
                assert_eq!(acknowledged + reasons.len(), GROUPS, "{at}");
                assert!(
                    later.iter().all(|reason| reason == first),
                    "{at}: {reasons:?}"
                );
                assert!(first.contains("failed to write"), "{at}: {first}");
            }
            disk.fail(None);
            let events = disk.history();
            let loss = LOSSES[runs % LOSSES.len()];
            let image = after_crash(&start, &events, events.len(), loss, &mut choice);
            for disk in [disk, Disk::holding(image)] {
                let state = recovered(&disk);
                let state = state.unwrap_or_else(|doubt| panic!("{at}: {doubt:?}"));
                assert!(
                    state == states[acknowledged] || state == states[under_way],
                    "{at}: {state:?}"
                );
            }
        }
    }
    report!("{runs} windows of failure, {failed} of which met a group: nothing acknowledged lost");
    assert!(failed * 10 > runs * 9, "{failed} of {runs}");
}

/// The reasons of the groups that failed.
fn run(work: &mut Work) -> Vec<String> {
    let mut rng = Rng::with_seed(SEED);
    let groups = (0..GROUPS).map(|_| work.group(&mut rng));
    groups
        .filter_map(|saved| saved.err().map(|broken| broken.to_string()))
        .collect()
}

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
