//! Who may commit, and what: the same for every kind of store.

use serde_json::json;

use super::super::value::is_mapping;
use super::super::{CommitError, Owner, Revision, Stale, Store, StoreError};
use super::disk::Disk;
use super::{MAPPING, after, at, full, take};
use crate::model::progress::{Position, ShardProgress};

fn stores() -> [Store; 2] {
    [Store::memory(), Store::on(Disk::default()).unwrap()]
}

#[tokio::test]
async fn what_is_committed_is_taken_again() {
    for store in stores() {
        let first = take(&store).await;
        assert!(first.shards.is_empty() && first.meta.is_none());
        let one = store.commit(&first.claim, "a", None, &at(1)).await.unwrap();
        let two = store.commit(&first.claim, "a", Some(one), &full(2)).await;
        store.commit(&first.claim, "b", None, &at(9)).await.unwrap();
        let second = take(&store).await;
        assert_eq!(second.shards.len(), 2);
        assert_eq!(second.shards["a"].revision, two.unwrap());
        assert_eq!(second.shards["a"].progress, full(2));
        assert_eq!(second.shards["b"].progress, at(9));
    }
}

#[tokio::test]
async fn only_the_last_who_took_a_mapping_may_change_it() {
    for store in stores() {
        let old = take(&store).await.claim;
        let revision = store.commit(&old, "a", None, &at(1)).await.unwrap();
        let new = store.take(MAPPING, &Owner::new("new")).await.unwrap().claim;
        let stale = |shard: &str| CommitError::Stale {
            mapping: MAPPING.into(),
            shard: shard.into(),
            reason: Stale::Owner(Owner::new("new")),
        };
        let late = store.commit(&old, "a", Some(revision), &at(2)).await;
        assert_eq!(late, Err(stale("a")));
        // Also for a shard of which nobody has committed anything.
        assert_eq!(store.commit(&old, "b", None, &at(1)).await, Err(stale("b")));
        assert_eq!(store.forget(&old, "a").await, Err(stale("a")));
        assert_eq!(store.set_meta(&old, json!(1)).await, Err(stale("")));
        store
            .commit(&new, "a", Some(revision), &at(2))
            .await
            .unwrap();
        let taken = take(&store).await;
        assert_eq!(taken.shards["a"].progress, at(2));
        assert_eq!((taken.shards.len(), taken.meta), (1, None));
    }
}

#[tokio::test]
async fn a_commit_builds_on_the_one_before_it() {
    for store in stores() {
        let claim = take(&store).await.claim;
        let one = store.commit(&claim, "a", None, &at(1)).await.unwrap();
        let two = store.commit(&claim, "a", Some(one), &at(2)).await.unwrap();
        let cases = [
            ("a", None, Some(two)),
            ("a", Some(one), Some(two)),
            ("b", Some(one), None),
        ];
        for (shard, expected, stored) in cases {
            let refused = store.commit(&claim, shard, expected, &at(3)).await;
            let reason = Stale::Revision { expected, stored };
            assert!(
                matches!(&refused, Err(CommitError::Stale { reason: found, .. }) if *found == reason),
                "{refused:?}"
            );
        }
        assert_eq!(take(&store).await.shards["a"].progress, at(2));
    }
}

#[tokio::test]
async fn a_position_never_moves_back() {
    let at_time = |ms| Position::At { ms };
    let ascending = [
        Position::Horizon,
        at_time(1),
        at_time(2),
        after(9),
        after(10),
        Position::End,
    ];
    for store in stores() {
        let claim = take(&store).await.claim;
        for (from, stored) in ascending.iter().enumerate() {
            for (to, offered) in ascending.iter().enumerate() {
                let shard = format!("{from} to {to}");
                let progress = |position: &Position| ShardProgress::beginning(position.clone(), 1);
                let first = store.commit(&claim, &shard, None, &progress(stored)).await;
                let revision = Some(first.unwrap());
                let next = store
                    .commit(&claim, &shard, revision, &progress(offered))
                    .await;
                let refusal = CommitError::Backwards {
                    mapping: MAPPING.into(),
                    shard: shard.clone(),
                    stored: stored.clone(),
                    offered: offered.clone(),
                };
                match to < from {
                    true => assert_eq!(next, Err(refusal)),
                    false => assert!(next.is_ok(), "{shard}: {next:?}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn a_forgotten_mapping_begins_anew_and_its_claims_are_void() {
    for store in stores() {
        let claim = take(&store).await.claim;
        store.set_meta(&claim, json!({"started": 1})).await.unwrap();
        store.commit(&claim, "a", None, &at(1)).await.unwrap();
        store.commit(&claim, "b", None, &at(1)).await.unwrap();
        store.forget(&claim, "a").await.unwrap();
        store.forget(&claim, "a").await.unwrap();
        assert_eq!(take(&store).await.shards.len(), 1);

        let claim = take(&store).await.claim;
        store.forget_mapping(MAPPING).await.unwrap();
        let refused = store.commit(&claim, "c", None, &at(1)).await;
        assert!(
            matches!(
                &refused,
                Err(CommitError::Stale {
                    reason: Stale::Removed,
                    ..
                })
            ),
            "{refused:?}"
        );
        let anew = take(&store).await;
        assert!(anew.shards.is_empty() && anew.meta.is_none());
        // A generation is never given away twice.
        assert!(store.commit(&claim, "c", None, &at(1)).await.is_err());
        store.forget_mapping("unknown").await.unwrap();
    }
}

#[tokio::test]
async fn a_mapping_keeps_its_note() {
    for store in stores() {
        assert_eq!(store.meta(MAPPING).await, Ok(None));
        let claim = take(&store).await.claim;
        let note = json!({"StartedAt": 1_767_225_600_123_u64, "at": ["LATEST", null, -1.5]});
        store.set_meta(&claim, note.clone()).await.unwrap();
        assert_eq!(store.meta(MAPPING).await, Ok(Some(note.clone())));
        assert_eq!(take(&store).await.meta, Some(note));
        assert_eq!(store.meta("other").await, Ok(None));
    }
}

#[tokio::test]
async fn mappings_do_not_meet() {
    for store in stores() {
        let ours = take(&store).await.claim;
        let theirs = store
            .take("other", &Owner::new("test"))
            .await
            .unwrap()
            .claim;
        assert_eq!((ours.mapping(), theirs.mapping()), (MAPPING, "other"));
        store.commit(&ours, "a", None, &at(1)).await.unwrap();
        store.commit(&theirs, "a", None, &at(5)).await.unwrap();
        store.forget_mapping("other").await.unwrap();
        assert_eq!(take(&store).await.shards["a"].progress, at(1));
    }
}

#[tokio::test]
async fn an_id_that_could_be_mistaken_is_refused() {
    for store in stores() {
        for id in ["", "a/b", "/"] {
            assert!(!is_mapping(id));
            let refused = store.take(id, &Owner::new("test")).await;
            assert!(matches!(refused, Err(StoreError::Mapping(_))), "{id:?}");
        }
    }
}

#[tokio::test]
async fn a_closed_store_says_so_to_every_clone() {
    for store in stores() {
        let claim = take(&store).await.claim;
        assert_eq!(store.broken(), None);
        store.clone().close().await;
        let refused = store.commit(&claim, "a", None, &at(1)).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the checkpoint store is out of use: it is closed"
        );
        assert!(store.meta(MAPPING).await.is_err() && store.broken().is_some());
        store.close().await;
    }
}

#[test]
fn a_revision_reads_as_its_number() {
    assert_eq!(Revision(7).to_string(), "7");
}
