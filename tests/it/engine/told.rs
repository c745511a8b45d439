//! What the log says of the queue's and the function's terms, and how often.

use std::time::Duration;

use sluicegate::sim::{Fault, FunctionConfig, Operation, Reply};
use tokio::time::sleep;

use super::Stage;
use crate::support::log::Log;

const SECOND: Duration = Duration::from_secs(1);
/// Longer than between two looks at the terms.
const LOOKED_AGAIN: Duration = Duration::from_secs(330);
const CHANGED: &str = "the terms changed";
const TOO_SHORT: &str = "is less than Function timeout";
const UNREAD: &str = "the function's time-out may not be read";

/// A queue that hides messages for so long, and a function that may take so long.
fn stage(seed: u64, visibility_s: u32, timeout_s: u64) -> Stage {
    let stage = Stage::new(seed);
    let visibility = visibility_s.to_string();
    let attributes = [("VisibilityTimeout", visibility.as_str())];
    stage.world.create_queue("q", &attributes).unwrap();
    let config = FunctionConfig {
        timeout: Duration::from_secs(timeout_s),
        ..FunctionConfig::default()
    };
    stage.function(config, |_| Reply::ok(""));
    stage
}

#[tokio::test(start_paused = true)]
async fn terms_are_told_when_they_change_and_not_when_they_are_looked_at() {
    let stage = stage(1, 30, 3);
    let log = Log::begin();
    let running = stage.start("q", &[]);
    sleep(LOOKED_AGAIN).await;
    assert!(!log.has(CHANGED), "{:?}", log.lines(CHANGED));
    let longer = [("VisibilityTimeout", "60")];
    stage.world.set_queue("q", &longer).unwrap();
    sleep(2 * LOOKED_AGAIN).await;
    let told = log.lines(CHANGED);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("lease_s=60"), "{told:?}");
    running.stop().await;
}

// spec: 1.6: AWS refuses such a mapping
#[tokio::test(start_paused = true)]
async fn a_visibility_that_is_shorter_than_the_function_may_take_is_told_at_the_start() {
    for (visibility_s, told) in [(9, 1), (10, 0), (11, 0)] {
        let stage = stage(2, visibility_s, 10);
        let log = Log::begin();
        let running = stage.start("q", &[]);
        sleep(LOOKED_AGAIN).await;
        assert_eq!(log.lines(TOO_SHORT).len(), told, "{visibility_s}");
        assert!(!log.has(UNREAD), "{visibility_s}");
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_that_may_not_be_looked_at_is_told() {
    let stage = stage(3, 30, 10);
    let looks = Some(Operation::GetFunctionConfiguration);
    stage.world.fault_chance(looks, Fault::AccessDenied, 1.0);
    let log = Log::begin();
    let running = stage.start("q", &[]);
    sleep(SECOND).await;
    assert_eq!(log.lines(UNREAD).len(), 1);
    assert!(!log.has(TOO_SHORT));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_extension_is_told_once_and_once_more_after_one_that_was_granted() {
    const DENIED: &str = "visibility can not be extended";
    let stage = stage(4, 30, 3);
    // The batch is kept, and its lease extended each 15 s.
    stage.function(FunctionConfig::default(), |_| Reply::refused(429, "no"));
    stage.world.send("q", "a").unwrap();
    let log = Log::begin();
    let running = stage.start("q", &[]);
    sleep(SECOND).await;
    assert!(!log.has(DENIED));
    let extensions = Operation::ChangeMessageVisibilityBatch;
    for told in [1, 2] {
        stage.world.fault_next(extensions, Fault::AccessDenied, 3);
        sleep(100 * SECOND).await;
        assert_eq!(log.lines(DENIED).len(), told);
    }
    // Whoever is in the way says nothing of what we may do.
    stage.world.fault_next(extensions, Fault::Unavailable, 3);
    sleep(100 * SECOND).await;
    assert_eq!(log.lines(DENIED).len(), 2);
    running.stop().await;
}
