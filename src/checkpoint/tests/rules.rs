//! Who may commit, and what: the same for every kind of store.

use std::collections::BTreeMap;
use std::pin::pin;

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::super::ledger::Ledger;
use super::super::value::is_mapping;
use super::super::{
    CommitError, Owner, REGISTRATION_BYTES_MAX, REGISTRATION_DEPTH_MAX, Revision, Stale, Standing,
    Store, StoreError,
};
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
        let reason = Stale::Revision {
            expected: None,
            stored: Some(one),
        };
        assert_eq!(
            reason.to_string(),
            format!("it builds on none, and the store has revision {one}")
        );
    }
}

#[tokio::test]
async fn a_position_never_moves_back() {
    let at_time = |ms| Position::At { ms };
    let from = |number: u64| Position::From {
        sequence_number: number.to_string().try_into().unwrap(),
    };
    let ascending = [
        Position::Horizon,
        at_time(1),
        at_time(2),
        // The first record from here on is the first that is owed.
        from(9),
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
                    stored: stored.clone().into(),
                    offered: offered.clone().into(),
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
            let refused = [
                store.take(id, &Owner::new("test")).await.map(drop),
                store.register(id, Some(json!(1))).await,
                store.register(id, None).await,
                store.set_aside(id, BTreeMap::new(), None, 7).await,
                store.put_back(id).await.map(drop),
            ];
            for refused in refused {
                assert!(matches!(refused, Err(StoreError::Mapping(_))), "{id:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_closed_store_says_so_to_every_clone() {
    for store in stores() {
        let claim = take(&store).await.claim;
        assert_eq!(store.broken(), None);
        let told = store.clone();
        let mut told = pin!(told.breaks());
        assert_eq!(told.as_mut().now_or_never(), None, "nothing is wrong yet");
        store.clone().close().await;
        assert_eq!(told.now_or_never(), Some(()));
        let refused = store.commit(&claim, "a", None, &at(1)).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the checkpoint store is out of use: it is closed"
        );
        assert!(store.meta(MAPPING).await.is_err() && store.broken().is_some());
        let refused = [
            store.register(MAPPING, Some(json!(1))).await,
            store.registered().await.map(drop),
            store.set_aside(MAPPING, BTreeMap::new(), None, 7).await,
            store.put_back(MAPPING).await.map(drop),
        ];
        for refused in refused {
            assert!(matches!(refused, Err(StoreError::Broken(_))), "{refused:?}");
        }
        store.close().await;
    }
}

#[test]
fn a_revision_reads_as_its_number() {
    assert_eq!(Revision(7).to_string(), "7");
}

#[tokio::test]
async fn what_is_registered_is_kept_until_it_is_replaced_or_forgotten() {
    let steps = [
        (
            "b",
            Some(json!({"BatchSize": 10})),
            json!({"b": {"BatchSize": 10}}),
        ),
        (
            "a",
            Some(json!(null)),
            json!({"a": null, "b": {"BatchSize": 10}}),
        ),
        ("b", Some(json!([])), json!({"a": null, "b": []})),
        ("a", None, json!({"b": []})),
        ("a", None, json!({"b": []})),
        ("b", None, json!({})),
    ];
    for store in stores() {
        for (id, entry, expected) in &steps {
            store.register(id, entry.clone()).await.unwrap();
            assert_eq!(json!(store.registered().await.unwrap()), *expected);
        }
    }
}

#[tokio::test]
async fn a_registration_and_the_checkpoints_of_its_mapping_do_not_meet() {
    for store in stores() {
        let claim = take(&store).await.claim;
        store.register(MAPPING, Some(json!(1))).await.unwrap();
        store.commit(&claim, "a", None, &at(1)).await.unwrap();
        store.forget_mapping(MAPPING).await.unwrap();
        let registered = json!(store.registered().await.unwrap());
        assert_eq!(registered, json!({ MAPPING: 1 }));

        let claim = take(&store).await.claim;
        store.register(MAPPING, None).await.unwrap();
        store.commit(&claim, "a", None, &at(2)).await.unwrap();
        assert_eq!(take(&store).await.shards["a"].progress, at(2));
    }
}

#[tokio::test]
async fn a_registration_beyond_its_bounds_is_refused_and_the_one_before_stays() {
    let long = |bytes: usize| Value::from("x".repeat(bytes - 2));
    let deep = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let deep_object = |levels| (0..levels).fold(json!(1), |inner, _| json!({ "a": inner }));
    let cases = [
        (long(REGISTRATION_BYTES_MAX), None),
        (deep(REGISTRATION_DEPTH_MAX), None),
        (deep_object(REGISTRATION_DEPTH_MAX), None),
        (
            long(REGISTRATION_BYTES_MAX + 1),
            Some("takes 65537 bytes as JSON, and 65536 are the most that is kept"),
        ),
        (
            deep(REGISTRATION_DEPTH_MAX + 1),
            Some("is nested more than 32 levels deep"),
        ),
        (
            deep_object(REGISTRATION_DEPTH_MAX + 1),
            Some("is nested more than 32 levels deep"),
        ),
    ];
    for store in stores() {
        for (entry, refusal) in &cases {
            store
                .register(MAPPING, Some(json!("before")))
                .await
                .unwrap();
            let registered = store.register(MAPPING, Some(entry.clone())).await;
            let told = registered.err().map(|error| error.to_string());
            let expected =
                refusal.map(|refusal| format!("the registration of mapping {MAPPING} {refusal}"));
            assert_eq!(told, expected);
            let kept = match refusal {
                Some(_) => &json!("before"),
                None => entry,
            };
            assert_eq!(store.registered().await.unwrap()[MAPPING], *kept);
        }
        assert_eq!(store.broken(), None);
    }
}

fn named(shards: &[(&str, u64)]) -> BTreeMap<String, ShardProgress> {
    let shards = shards.iter();
    shards
        .map(|(shard, number)| ((*shard).to_owned(), at(*number)))
        .collect()
}

/// Note and shards, without a claim that would be void afterwards.
async fn standing(store: &Store) -> (Option<Value>, BTreeMap<String, ShardProgress>) {
    let taken = take(store).await;
    let shards = taken.shards.into_iter();
    (
        taken.meta,
        shards
            .map(|(shard, saved)| (shard, saved.progress))
            .collect(),
    )
}

async fn set_aside(store: &Store, instead: &[(&str, u64)]) {
    let done = store.set_aside(MAPPING, named(instead), None, 7).await;
    done.unwrap();
}

#[tokio::test]
async fn positions_that_are_set_may_go_back_and_are_put_back_once() {
    for store in stores() {
        let claim = take(&store).await.claim;
        store.set_meta(&claim, json!("old")).await.unwrap();
        store.commit(&claim, "a", None, &at(5)).await.unwrap();
        store.commit(&claim, "b", None, &full(6)).await.unwrap();
        let mut old = named(&[("a", 5)]);
        old.insert("b".into(), full(6));
        let mut new = named(&[("a", 1), ("c", 2)]);
        let note = Some(json!("of no use here"));
        let done = store.set_aside(MAPPING, new.clone(), note, 7).await;
        done.unwrap();
        new.insert("b".into(), full(6));
        assert_eq!(standing(&store).await, (Some(json!("old")), new.clone()));

        let taken = take(&store).await;
        let revision = taken.shards["a"].revision;
        store.set_meta(&taken.claim, json!("new")).await.unwrap();
        store
            .commit(&taken.claim, "a", Some(revision), &at(3))
            .await
            .unwrap();
        store.forget(&taken.claim, "c").await.unwrap();
        store.commit(&taken.claim, "d", None, &at(4)).await.unwrap();
        assert!(store.put_back(MAPPING).await.unwrap());
        assert_eq!(standing(&store).await, (Some(json!("old")), old.clone()));
        // Whoever asks twice, because he heard no answer, asks for one undo.
        assert!(!store.put_back(MAPPING).await.unwrap());
        assert_eq!(standing(&store).await, (Some(json!("old")), old));
    }
}

#[tokio::test]
async fn a_mapping_that_was_never_taken_is_set_and_brought_back_to_that() {
    for store in stores() {
        assert_eq!(store.standing(MAPPING).await.unwrap(), Standing::default());
        for note in [None, Some(json!("begun"))] {
            let noted = note.is_some();
            let done = store.set_aside(MAPPING, named(&[("a", 1)]), note.clone(), 7);
            done.await.unwrap();
            let expected = Standing {
                noted,
                shards: named(&[("a", 1)]),
                replaced_ms: Some(7),
            };
            assert_eq!(store.standing(MAPPING).await.unwrap(), expected);
            assert_eq!(standing(&store).await, (note, named(&[("a", 1)])));
            assert!(store.put_back(MAPPING).await.unwrap());
            assert_eq!(store.standing(MAPPING).await.unwrap(), Standing::default());
        }
    }
}

#[tokio::test]
async fn whoever_looks_takes_nothing_away() {
    for store in stores() {
        let claim = take(&store).await.claim;
        let revision = store.commit(&claim, "a", None, &at(5)).await.unwrap();
        let seen = store.standing(MAPPING).await.unwrap();
        assert_eq!(seen.shards, named(&[("a", 5)]));
        assert_eq!((seen.noted, seen.replaced_ms), (false, None));
        store
            .commit(&claim, "a", Some(revision), &at(6))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn only_what_was_set_aside_last_is_put_back() {
    for store in stores() {
        let claim = take(&store).await.claim;
        store.commit(&claim, "a", None, &at(9)).await.unwrap();
        store.commit(&claim, "b", None, &at(9)).await.unwrap();
        set_aside(&store, &[("a", 1)]).await;
        let claim = take(&store).await.claim;
        store.forget(&claim, "b").await.unwrap();
        set_aside(&store, &[("a", 2)]).await;
        store.put_back(MAPPING).await.unwrap();
        assert_eq!(standing(&store).await, (None, named(&[("a", 1)])));
    }
}

#[tokio::test]
async fn setting_aside_with_nothing_instead_changes_no_position() {
    for store in stores() {
        let claim = take(&store).await.claim;
        store.commit(&claim, "a", None, &at(5)).await.unwrap();
        let revision = take(&store).await.shards["a"].revision;
        set_aside(&store, &[]).await;
        let taken = take(&store).await;
        assert_eq!(taken.shards["a"].revision, revision);
        assert_eq!(taken.shards["a"].progress, at(5));
    }
}

#[tokio::test]
async fn whoever_had_a_mapping_that_was_moved_may_commit_no_more() {
    for store in stores() {
        let stale = |shard: &str| CommitError::Stale {
            mapping: MAPPING.into(),
            shard: shard.into(),
            reason: Stale::Owner(Owner::new("whoever set its positions")),
        };
        let claim = take(&store).await.claim;
        let revision = store.commit(&claim, "a", None, &at(5)).await.unwrap();
        set_aside(&store, &[]).await;
        let late = store.commit(&claim, "a", Some(revision), &at(6)).await;
        assert_eq!(late, Err(stale("a")));
        assert_eq!(
            late.unwrap_err().to_string(),
            format!(
                "the checkpoint of a of mapping {MAPPING} is no longer ours: whoever set its positions has taken it over"
            )
        );
        let claim = take(&store).await.claim;
        store.put_back(MAPPING).await.unwrap();
        let late = store.commit(&claim, "a", Some(revision), &at(6)).await;
        assert_eq!(late, Err(stale("a")));
        let claim = take(&store).await.claim;
        store
            .commit(&claim, "a", Some(revision), &at(6))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn where_nothing_is_set_aside_nothing_is_moved() {
    for store in stores() {
        assert!(!store.put_back("unknown").await.unwrap());
        let unknown = store.take("unknown", &Owner::new("test")).await.unwrap();
        assert!(unknown.shards.is_empty());

        // A claim outlives what was refused, or came to nothing.
        let claim = take(&store).await.claim;
        assert!(!store.put_back(MAPPING).await.unwrap());
        let nameless = named(&[("a", 1), ("", 1)]);
        let nameless = store.set_aside(MAPPING, nameless, None, 7).await;
        assert_eq!(
            nameless.unwrap_err().to_string(),
            format!("a shard of mapping {MAPPING} has no name")
        );
        store.commit(&claim, "a", None, &at(1)).await.unwrap();

        set_aside(&store, &[]).await;
        store.forget_mapping(MAPPING).await.unwrap();
        assert!(!store.put_back(MAPPING).await.unwrap());
        assert!(take(&store).await.shards.is_empty());
        assert!(!store.put_back(MAPPING).await.unwrap());
    }
}

#[test]
fn what_has_no_file_leaves_nothing_to_write() {
    let mut ledger = Ledger::default();
    ledger.take(MAPPING, Owner::new("me")).unwrap();
    ledger.saved();
    assert_eq!(ledger.writes(), []);
}
