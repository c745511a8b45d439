//! What a panic says: where, and never what somebody sent.

use super::{canary, heard};

/// What is panicked with in the child: ways in which the words of a panic come to hold what was at hand.
const WAYS: [&str; 4] = ["cut", "expect", "formatted", "constant"];

fn panics(way: &str) {
    let payload = format!("é{}", canary('K'));
    match way {
        // The standard library quotes the whole text.
        "cut" => drop(payload[1..].to_owned()),
        "expect" => {
            let number: Result<u8, String> = payload.parse().map_err(|_| payload);
            number.expect("it is a number");
        }
        "formatted" => panic!("what is {payload}?"),
        "constant" => panic!("a constant text"),
        other => unreachable!("{other}"),
    }
}

// reliability: I17
#[test]
fn a_panic_says_where_and_not_what() {
    const CHILD: &str = "SLUICEGATE_TEST_PANIC";
    if let Ok(way) = std::env::var(CHILD) {
        sluicegate::logging::init(None, "info").expect("no filter is asked for");
        panics(&way);
    }
    let name = "process::canaries::panics::a_panic_says_where_and_not_what";
    for way in WAYS {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env(CHILD, way)
            .env("RUST_BACKTRACE", "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stderr);
        let line = said.lines().find(|line| line.contains("this is a bug"));
        let line = line.unwrap_or_else(|| panic!("{way}: {said}"));
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let at = line["at"].as_str().unwrap();
        assert!(at.contains("process/canaries/panics.rs:"), "{way}: {at}");
        let why = line["why"].as_str().unwrap();
        assert_eq!(why == "a constant text", way == "constant", "{why}");
        assert!(line["trace"].as_str().unwrap().contains("panics"), "{line}");
        assert_eq!(heard(&said), [""; 0], "{way}: {said}");
        // The way of the test's own harness to tell of it would say all.
        let told = String::from_utf8_lossy(&child.stdout);
        assert!(told.contains("1 failed") || told.is_empty(), "{told}");
    }
}
