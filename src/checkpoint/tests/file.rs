//! The store in a real file, with its thread.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use futures_util::future::join_all;
use redb::ReadableDatabase as _;
use serde_json::json;
use tokio::task::JoinSet;

use super::super::file::{Access, existing};
use super::super::value::unseal;
use super::super::{CommitError, Owner, Store, StoreError, Verified, export, import, verify};
use super::{MAPPING, at, full, take};

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

// A disk that went read-only, a backup that belongs to another: there, too, one wants to know what is in the file.
#[tokio::test]
async fn looking_into_a_file_asks_for_no_right_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints.db");
    Store::open(&path).unwrap().close().await;
    let mut looked_at = existing(&path, Access::Read).unwrap();
    assert!(looked_at.write_all(b"x").is_err());
    drop(looked_at);
    assert_eq!(
        verify(&path).unwrap(),
        Verified {
            mappings: 0,
            shards: 0,
            registrations: 0
        }
    );
}

fn refusal(path: &Path) -> String {
    Store::open(path).map(drop).unwrap_err().to_string()
}

#[tokio::test]
async fn what_is_committed_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints.db");
    let store = Store::open(&path).unwrap();
    assert_eq!(names(folder.path()), ["checkpoints.db"]);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let claim = take(&store).await.claim;
    store.set_meta(&claim, json!({"a": 1})).await.unwrap();
    store.commit(&claim, "a", None, &full(9)).await.unwrap();
    let back = [("a".to_owned(), full(6))].into();
    store.set_aside(MAPPING, back, None, 7).await.unwrap();
    for (id, entry) in [("never-taken", json!([1])), (MAPPING, json!({"b": -1.5}))] {
        store.register(id, Some(entry)).await.unwrap();
    }
    let taken = take(&store).await;
    let (claim, revision) = (taken.claim, taken.shards["a"].revision);
    let revision = store.commit(&claim, "a", Some(revision), &full(7)).await;
    let revision = revision.unwrap();
    store.close().await;

    let store = Store::open(&path).unwrap();
    let taken = take(&store).await;
    assert_eq!(taken.meta, Some(json!({"a": 1})));
    assert_eq!(taken.shards["a"].progress, full(7));
    assert_eq!(taken.shards["a"].revision, revision);
    // The claim of the process before is void in this one, too.
    let late = store.commit(&claim, "a", Some(revision), &full(8)).await;
    assert!(matches!(late, Err(CommitError::Stale { .. })), "{late:?}");
    let registered = json!(store.registered().await.unwrap());
    let expected = json!({ "never-taken": [1], MAPPING: {"b": -1.5} });
    assert_eq!(registered, expected);
    assert!(store.put_back(MAPPING).await.unwrap());
    assert_eq!(take(&store).await.shards["a"].progress, full(9));
    drop(store);
    assert_eq!(
        verify(&path).unwrap(),
        Verified {
            mappings: 1,
            shards: 1,
            registrations: 2
        }
    );
}

// A shard that is gone with the undo is gone from the file, too: else its position would be ahead after a restart.
#[tokio::test]
async fn what_was_put_back_is_the_same_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints.db");
    let store = Store::open(&path).unwrap();
    let claim = take(&store).await.claim;
    store.commit(&claim, "a", None, &at(1)).await.unwrap();
    store.commit(&claim, "old", None, &at(2)).await.unwrap();
    let nothing = BTreeMap::new();
    store.set_aside(MAPPING, nothing, None, 7).await.unwrap();
    let claim = take(&store).await.claim;
    store.forget(&claim, "old").await.unwrap();
    store.commit(&claim, "new", None, &at(3)).await.unwrap();
    assert!(store.put_back(MAPPING).await.unwrap());
    let shards = take(&store).await.shards;
    assert_eq!(shards.keys().collect::<Vec<_>>(), ["a", "old"]);
    store.close().await;
    let store = Store::open(&path).unwrap();
    assert_eq!(take(&store).await.shards, shards);
    assert!(!store.put_back(MAPPING).await.unwrap());
}

#[tokio::test]
async fn commits_of_many_shards_at_once_are_all_kept() {
    const SHARDS: u64 = 2000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints.db");
    let store = Store::open(&path).unwrap();
    let claim = take(&store).await.claim;
    let commits = (1..=SHARDS).map(|index| {
        let (store, claim) = (store.clone(), claim.clone());
        async move {
            let shard = format!("shardId-{index:012}");
            store.commit(&claim, &shard, None, &at(index)).await
        }
    });
    let revisions: Result<Vec<_>, _> = join_all(commits).await.into_iter().collect();
    assert_eq!(revisions.unwrap().len(), 2000);
    // Without `close`: the last handle gives the file free, and has written all of it.
    drop(store);
    let store = Store::open(&path).unwrap();
    let shards = take(&store).await.shards;
    assert_eq!(shards.len(), 2000);
    for (index, saved) in (1..=SHARDS).zip(shards.values()) {
        assert_eq!(saved.progress, at(index));
    }
}

#[tokio::test]
async fn what_was_handed_in_before_the_close_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints.db");
    let store = Store::open(&path).unwrap();
    let claim = take(&store).await.claim;
    let (first, second) = (at(1), at(1));
    let (one, two, ()) = tokio::join!(
        biased;
        store.commit(&claim, "a", None, &first),
        store.commit(&claim, "b", None, &second),
        store.close(),
    );
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(take(&Store::open(&path).unwrap()).await.shards.len(), 2);
}

#[tokio::test]
async fn a_file_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints.db");
    let store = Store::open(&path).unwrap();
    let in_use = format!(
        "the checkpoint file {} is in use by another process; stop that one, or give this one a file of its own",
        path.display()
    );
    assert_eq!(refusal(&path), in_use);
    assert!(matches!(verify(&path), Err(StoreError::InUse { .. })));
    assert!(matches!(export(&path), Err(StoreError::InUse { .. })));
    // The refused ones did no harm.
    let claim = take(&store).await.claim;
    store.commit(&claim, "a", None, &at(1)).await.unwrap();
    assert_eq!(refusal(&path), in_use);
    store.close().await;
    assert!(Store::open(&path).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_start_at_once_one_gets_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints.db");
    let mut starts = JoinSet::new();
    for _ in 0..8 {
        let path = path.clone();
        starts.spawn(async move { Store::open(&path) });
    }
    let stores: Vec<_> = starts.join_all().await;
    let (opened, refused): (Vec<_>, Vec<_>) = stores.into_iter().partition(Result::is_ok);
    assert_eq!(opened.len(), 1, "{refused:?}");
    for refusal in refused {
        assert!(
            matches!(refusal, Err(StoreError::InUse { .. })),
            "{refusal:?}"
        );
    }
    let store = opened.into_iter().next().unwrap().unwrap();
    let claim = take(&store).await.claim;
    store.commit(&claim, "a", None, &at(1)).await.unwrap();
    store.close().await;
    assert_eq!(names(folder.path()), ["checkpoints.db"]);
    assert_eq!(take(&Store::open(&path).unwrap()).await.shards.len(), 1);
}

#[test]
fn what_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("empty"), "").unwrap();
    fs::write(path("text"), "checkpoints: none\n".repeat(1000)).unwrap();
    fs::create_dir(path("folder")).unwrap();
    let cases = [
        (
            "empty",
            "is damaged: it is empty; `sluicegate checkpoint export` prints what is whole in it, and `sluicegate checkpoint import` makes a new file of that; or restore it from a backup, or move it away deliberately",
        ),
        ("text", "is damaged: "),
        ("folder", "Is a directory"),
        ("missing/file", "failed to create the checkpoint file"),
        ("text/file", "failed to open the checkpoint file"),
    ];
    for (name, what) in cases {
        let text = refusal(&path(name));
        assert!(text.contains(what) && text.contains(name), "{text}");
    }
    assert_eq!(fs::read(path("empty")).unwrap(), b"");
    assert_eq!(names(folder.path()), ["empty", "folder", "text"]);
}

#[tokio::test]
async fn a_start_that_was_killed_half_way_does_not_stand_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints.db");
    let left = folder.path().join("checkpoints.db.new-0");
    fs::write(&left, "half").unwrap();
    let store = Store::open(&path).unwrap();
    assert!(take(&store).await.shards.is_empty());
    assert_eq!(fs::read(&left).unwrap(), b"half");
}

#[test]
fn of_starts_that_were_killed_half_way_a_hundred_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints.db");
    for (left, starts) in [(0..=99, true), (0..=100, false)] {
        for number in left {
            let left = folder.path().join(format!("checkpoints.db.new-{number}"));
            fs::write(left, "half").unwrap();
        }
        match starts {
            true => drop(Store::open(&path).unwrap()),
            false => assert!(refusal(&path).contains("failed to create"), "{path:?}"),
        }
        let _ = fs::remove_file(&path);
    }
}

#[tokio::test]
async fn an_export_tells_what_is_whole_in_a_damaged_file_and_leaves_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints.db");
    assert!(matches!(export(&path), Err(StoreError::Io { .. })));
    assert!(!path.exists());
    let store = Store::open(&path).unwrap();
    let claim = store.take(MAPPING, &Owner::new("me")).await.unwrap().claim;
    store.commit(&claim, "a", None, &at(1)).await.unwrap();
    store.commit(&claim, "b", None, &at(2)).await.unwrap();
    store.close().await;
    let shard = |number: u64| {
        json!({
            "revision": 1,
            "progress": {
                "position": { "After": { "sequence_number": format!("4963829870{number:020}") } },
                "factor": 1,
            },
        })
    };
    let expected = json!({
        "format": 1,
        "generation": 1,
        "mappings": { MAPPING: {
            "owner": "me",
            "generation": 1,
            "meta": null,
            "shards": { "a": shard(1), "b": shard(2) },
        } },
        "flaws": [],
    });
    assert_eq!(export(&path).unwrap(), expected);

    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(10).rposition(|text| text == b"4963829870");
    bytes[at.unwrap()] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(refusal(&path).contains("is damaged"));
    assert!(verify(&path).is_err());
    match export(&path) {
        Ok(exported) => assert_ne!(exported["flaws"], json!([])),
        Err(error) => assert!(matches!(error, StoreError::Unreadable { .. }), "{error}"),
    }
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn an_import_makes_the_file_that_was_exported_and_replaces_none() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from.db"), folder.path().join("to.db"));
    let store = Store::open(&from).unwrap();
    let claim = take(&store).await.claim;
    store.set_meta(&claim, json!({"a": [1]})).await.unwrap();
    store.commit(&claim, "a", None, &full(1)).await.unwrap();
    store.commit(&claim, "b", None, &at(2)).await.unwrap();
    let instead = [("b".to_owned(), at(1)), ("c".to_owned(), at(1))].into();
    store.set_aside(MAPPING, instead, None, 7).await.unwrap();
    store.register("r", Some(json!({"a": 1}))).await.unwrap();
    store.close().await;
    let exported = export(&from).unwrap();
    assert_eq!(exported["format"], 2);
    assert_eq!(exported["registrations"], json!({"r": {"a": 1}}));
    let aside = &exported["mappings"][MAPPING]["aside"];
    assert_eq!(aside["meta"], json!({"a": [1]}));
    assert_eq!(aside["replaced_ms"], 7);
    assert_eq!(aside["shards"]["b"]["progress"], json!(at(2)));
    let counts = Verified {
        mappings: 1,
        shards: 3,
        registrations: 1,
    };
    assert_eq!(import(&to, exported.clone()).unwrap(), counts);
    assert_eq!(export(&to).unwrap(), exported);
    let again = import(&to, exported.clone()).unwrap_err().to_string();
    assert!(
        again.contains("failed to create the checkpoint file"),
        "{again}"
    );
    let store = Store::open(&to).unwrap();
    let taken = take(&store).await;
    assert_eq!(taken.shards["a"].progress, full(1));
    assert!(store.put_back(MAPPING).await.unwrap());
    assert_eq!(take(&store).await.shards["b"].progress, at(2));
    store.close().await;
    assert_eq!(names(folder.path()), ["from.db", "to.db"]);

    let third = folder.path().join("third.db");
    let cases = [
        ("format", json!(3), "it has format 3, newer than 2"),
        (
            "flaws",
            json!(["x is missing"]),
            "it is not all there (x is missing)",
        ),
        (
            "generation",
            json!(0),
            "its generation was never given away",
        ),
        (
            "mappings",
            json!({"a/b": exported["mappings"][MAPPING]}),
            "is no id of a mapping",
        ),
        ("mappings", json!([]), "invalid type"),
        (
            "registrations",
            json!({"a/b": 1}),
            "\"a/b\" is no id of a mapping",
        ),
        (
            "registrations",
            json!({"r": "x".repeat(65_535)}),
            "takes 65537 bytes",
        ),
        ("unheard-of", json!(1), "unknown field"),
    ];
    for (key, value, what) in cases {
        let mut changed = exported.clone();
        changed[key] = value;
        let text = import(&third, changed).unwrap_err().to_string();
        assert!(text.contains(what), "{text}");
        assert!(!third.exists(), "{text}");
    }
    let mut newer = exported.clone();
    newer["format"] = json!(3);
    newer["unheard-of"] = json!(1);
    let text = import(&third, newer).unwrap_err().to_string();
    assert!(text.contains("it has format 3, newer than 2"), "{text}");
    let mut nameless = exported.clone();
    let aside = &mut nameless["mappings"][MAPPING]["aside"]["shards"];
    aside[""] = aside["b"].clone();
    let text = import(&third, nameless).unwrap_err().to_string();
    assert!(text.contains("a shard has no name"), "{text}");
    assert!(!third.exists());
}

// So that one may go back to an older version until the new is used, and is told the version and not of damage then.
#[tokio::test]
async fn a_file_has_the_oldest_format_that_knows_everything_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints.db");
    let mut formats = Vec::new();
    for step in 0..6 {
        let store = Store::open(&path).unwrap();
        match step {
            0 => drop(take(&store).await),
            1 => store.register("r", Some(json!(1))).await.unwrap(),
            2 => store
                .set_aside(MAPPING, BTreeMap::new(), None, 7)
                .await
                .unwrap(),
            3 => store.register("r", None).await.unwrap(),
            4 => store.forget_mapping(MAPPING).await.unwrap(),
            _ => drop(take(&store).await),
        }
        store.close().await;
        formats.push(header(&path));
        assert_eq!(export(&path).unwrap()["format"], formats[step]);
    }
    assert_eq!(formats, [1, 2, 2, 2, 1, 1]);
}

/// The format by which another version knows whether it may read the file.
fn header(path: &Path) -> u64 {
    let database = redb::Database::open(path).unwrap();
    let transaction = database.begin_read().unwrap();
    let table = redb::TableDefinition::<&str, &[u8]>::new("sluicegate");
    let table = transaction.open_table(table).unwrap();
    let sealed = table.get("format").unwrap().unwrap();
    let header: serde_json::Value = unseal("format", sealed.value()).unwrap();
    header["format"].as_u64().unwrap()
}
