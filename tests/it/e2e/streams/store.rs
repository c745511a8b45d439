//! The checkpoint file in bad surroundings: the program refuses what is in doubt, and stops where it can keep nothing.
//! On our embedded AWS alone, since nothing of this is about AWS.

use std::path::Path;
use std::process::Command;

use super::{delivered, of, settled};
use crate::support::cloud::Cloud;
use crate::support::collector::{Collector, Reply};
use crate::support::gate::Config;
use crate::support::stream::Stream;

/// A stream with a record, and a configuration that keeps its progress in this file.
async fn one(cloud: &Cloud, collector: &Collector, file: &Path) -> (Stream, Config) {
    let stream = cloud.stream("clicks", 1).await;
    stream.put("a", &of("a", 0..1)).await;
    let config = cloud
        .config()
        .checkpoints(file)
        .function("count", &collector.url("count"), 10)
        .mapping(
            "clicks",
            &stream.arn,
            "count",
            "StartingPosition: TRIM_HORIZON",
        );
    (stream, config)
}

/// What a program says that does not start: its last line, without what a time stamp makes different.
fn last(said: &[String]) -> &str {
    said.last().map_or("", String::as_str)
}

#[tokio::test]
async fn a_second_process_on_the_same_file_is_refused_and_the_first_goes_on() {
    let cloud = Cloud::embedded().await;
    let collector = Collector::start(|_| Reply::success()).await;
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("checkpoints.db");
    let (stream, config) = one(&cloud, &collector, &file).await;
    let gate = config.start().await;
    collector.wait_for("a call", |calls| calls.len() == 1).await;
    let (code, said) = config.program().end().await;
    assert_eq!(code, Some(1));
    assert_eq!(
        last(&said),
        format!(
            "the checkpoint file {} is in use by another process; stop that one, or give this one a file of its own",
            file.display()
        )
    );
    stream.put("a", &of("a", 1..2)).await;
    collector
        .wait_for("another", |calls| calls.len() == 2)
        .await;
    assert_eq!(gate.stop().await, settled(2, 0));
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_as_it_is() {
    let cloud = Cloud::embedded().await;
    let collector = Collector::start(|_| Reply::success()).await;
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("checkpoints.db");
    let (_stream, config) = one(&cloud, &collector, &file).await;
    let gate = config.start().await;
    collector.wait_for("a call", |calls| calls.len() == 1).await;
    assert_eq!(gate.stop().await, settled(1, 0));

    let sound = std::fs::read(&file).unwrap();
    let torn = sound[..sound.len() / 2].to_vec();
    let foreign = b"this is no checkpoint file".to_vec();
    let mut scribbled = sound.clone();
    scribbled[..8192].fill(0x5a);
    for damaged in [torn, foreign, scribbled] {
        std::fs::write(&file, &damaged).unwrap();
        let (code, said) = config.program().end().await;
        assert_eq!(code, Some(1), "{said:?}");
        let expected = format!("the checkpoint file {} is damaged: ", file.display());
        assert!(last(&said).starts_with(&expected), "{said:?}");
        assert!(last(&said).contains("restore it from a backup"), "{said:?}");
        assert_eq!(std::fs::read(&file).unwrap(), damaged, "it was changed");
    }
    // What was right before is right again.
    std::fs::write(&file, sound).unwrap();
    assert_eq!(config.start().await.stop().await, settled(0, 0));
    assert_eq!(delivered(&collector.calls()), of("a", 0..1));
}

/// Whether this process may mount, and then a small disk at this place.
fn small_disk(at: &Path) -> bool {
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=2m", "sluicegate-test"])
        .arg(at)
        .output();
    mounted.is_ok_and(|mounted| mounted.status.success())
}

/// The disk, which goes with this value.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "unmounted");
    }
}

#[tokio::test]
async fn a_disk_without_room_for_the_file_is_named() {
    let cloud = Cloud::embedded().await;
    let collector = Collector::start(|_| Reply::success()).await;
    let (_stream, config) = one(&cloud, &collector, Path::new("/dev/full")).await;
    let (code, said) = config.program().end().await;
    assert_eq!(code, Some(1));
    assert!(last(&said).contains("/dev/full"), "{said:?}");
}

#[tokio::test]
async fn a_disk_that_fills_up_stops_the_service_and_nothing_is_lost() {
    let home = tempfile::tempdir().unwrap();
    let (disk, spare) = (home.path().join("disk"), home.path().join("checkpoints.db"));
    std::fs::create_dir(&disk).unwrap();
    if !small_disk(&disk) {
        // Without the right to mount there is no disk to fill: /dev/full, above, is all that can be had.
        return;
    }
    let mounted = Mounted(&disk);
    let cloud = Cloud::embedded().await;
    let collector = Collector::start(|_| Reply::success()).await;
    let file = disk.join("checkpoints.db");
    let (stream, config) = one(&cloud, &collector, &file).await;
    let mut gate = config.start().await;
    collector.wait_for("a call", |calls| calls.len() == 1).await;
    // Everything that is left is taken, and holes of the file itself can not be filled any more.
    let filled = std::fs::write(disk.join("filler"), vec![1; 4 << 20]);
    assert!(filled.is_err(), "the disk is full");
    let mut number = 1;
    while gate.runs() && number < 2_000 {
        stream.put("a", &of("a", number..number + 1)).await;
        number += 1;
    }
    assert_eq!(gate.ended().await.code(), Some(1));
    let said = gate.log();
    assert!(
        last(&said).starts_with(&format!(
            "{}: the checkpoint store is out of use: ",
            file.display()
        )),
        "{said:?}"
    );
    let told = said
        .iter()
        .any(|line| line.contains("progress can not be kept"));
    assert!(told, "{said:?}");

    // With room again it goes on behind what was kept.
    std::fs::remove_file(disk.join("filler")).unwrap();
    std::fs::copy(&file, &spare).unwrap();
    drop(mounted);
    let gate = config.checkpoints(&spare).start().await;
    let last = of("a", number - 1..number).remove(0);
    let calls = collector
        .wait_for("the last", |calls| delivered(calls).contains(&last))
        .await;
    // As texts they are in another order from a thousand on.
    let (mut all, mut put) = (delivered(&calls), of("a", 0..number));
    all.sort();
    all.dedup();
    put.sort();
    assert_eq!(all, put);
    gate.stop().await;
}
