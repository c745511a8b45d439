//! The demo, as a newcomer runs it: it shows what moves, ends by itself, and its account adds up.

use super::program::run;

/// The number before this word in a line.
fn before(line: &str, word: &str) -> u64 {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|found| *found == word);
    let number = at.and_then(|at| words[..at].last()?.parse().ok());
    number.unwrap_or_else(|| panic!("no number before {word:?} in {line:?}"))
}

#[test]
fn the_demo_moves_messages_and_accounts_for_every_one() {
    let ended = run(&["demo", "--duration", "4s"]);
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
    // 400 orders in two seconds; the poison ones were received twice and given up by their queue.
    let orders = ended
        .out
        .lines()
        .find(|line| line.starts_with("orders: "))
        .expect("seen above");
    assert!(before(orders, "dead-lettered") > 0, "{orders}");
    assert_eq!(before(orders, "still"), 0, "{orders}");
}
