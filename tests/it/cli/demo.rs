//! The demo, as a newcomer runs it: it shows what moves, ends by itself, and its account adds up.

use super::program::{command, ended};

/// The number before this word in a line.
fn before(line: &str, word: &str) -> u64 {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|found| *found == word);
    let number = at.and_then(|at| words[..at].last()?.parse().ok());
    number.unwrap_or_else(|| panic!("no number before {word:?} in {line:?}"))
}

#[test]
fn the_demo_moves_messages_and_accounts_for_every_one() {
    let [home, temporary] = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
    let mut demo = command(&["demo", "--duration", "4s"]);
    let ended = ended(
        demo.current_dir(home.path())
            .env("TMPDIR", temporary.path()),
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for shown in [
        "embedded AWS",
        "dashboard",
        "/metrics",
        "payments out of order: 0",
        "drained:",
    ] {
        assert!(ended.out.contains(shown), "{shown}: {}", ended.out);
    }
    for queue in ["orders: ", "payments.fifo: "] {
        let account = ended.out.lines().find(|line| line.starts_with(queue));
        let account = account.unwrap_or_else(|| panic!("no account of {queue}: {}", ended.out));
        let [sent, deleted, moved, left] =
            ["sent", "deleted", "dead-lettered", "still"].map(|word| before(account, word));
        assert_eq!(sent, deleted + moved + left, "{account}");
        assert!(deleted > 0, "{account}");
    }
    // The poison orders were received as often as their queue allows, and given up by it.
    let orders = ended
        .out
        .lines()
        .find(|line| line.starts_with("orders: "))
        .expect("seen above");
    assert!(before(orders, "dead-lettered") > 0, "{orders}");
    assert_eq!(before(orders, "still"), 0, "{orders}");
    streams(&ended.out);
    for folder in [home, temporary] {
        let left = std::fs::read_dir(folder.path()).expect("its folder");
        assert_eq!(left.count(), 0, "a file is left");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_demo_that_nobody_can_see_ends_and_says_why() {
    let full = std::fs::File::options().write(true).open("/dev/full");
    let mut demo = tokio::process::Command::from(command(&["demo"]));
    demo.stdout(full.expect("Linux has it"))
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true);
    let ended = demo.spawn().expect("the program starts");
    let ended = tokio::time::timeout(crate::support::PATIENCE, ended.wait_with_output()).await;
    let ended = ended.expect("an end in time").expect("a pipe can be read");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("failed to write to stdout: "), "{said}");
}

/// A backlog is worked off, poison isolated, a shard split, the service restarted; and nothing is missing.
fn streams(out: &str) {
    let line = |wished: &dyn Fn(&&str) -> bool| {
        let line = out.lines().find(wished);
        line.unwrap_or_else(|| panic!("a line is missing: {out}"))
    };
    for (stream, discards) in [("clicks: ", true), ("customers: ", false)] {
        let account = line(&|line| line.starts_with(stream) && line.contains(" put = "));
        let [put, handled, discarded, left] =
            ["put", "handled", "discarded", "still"].map(|word| before(account, word));
        assert_eq!((put, left), (handled + discarded, 0), "{account}");
        assert_eq!(discarded > 0, discards, "{account}");
        let order = line(&|line| line.starts_with(stream) && line.contains(" out of order"));
        assert_eq!(before(order, "out"), 0, "{order}");
        assert!(order.contains("and is 0.0 s at the end"), "{order}");
    }
    for event in ["is split into", "is drained", "from its checkpoint file"] {
        line(&|line| line.contains(event));
    }
}
