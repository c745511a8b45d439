//! Drains of streams that are not clean: the exit code and the last line say so.

use std::time::Duration;

use crate::support::cloud::Cloud;
use crate::support::collector::{Collector, Reply};
use crate::support::gate::Config;

// contract: 1, 5
#[tokio::test]
async fn a_drain_that_cuts_off_an_invocation_of_a_stream_is_not_clean_and_says_so() {
    let cloud = Cloud::embedded().await;
    let stream = cloud.stream("clicks", 1).await;
    let collector = Collector::start(|_| Reply::success().after(Duration::from_secs(300))).await;
    stream
        .put("a", &["a 000".to_owned(), "a 001".to_owned()])
        .await;
    let mut gate = Config::at(&cloud.endpoint)
        .grace_s(1)
        .function("count", &collector.url("count"), 900)
        .mapping(
            "clicks",
            &stream.arn,
            "count",
            "StartingPosition: TRIM_HORIZON",
        )
        .start()
        .await;
    collector.wait_for("a call", |calls| calls.len() == 1).await;
    gate.signal("TERM").await;
    assert_eq!(gate.ended().await.code(), Some(1), "it was not clean");
    let account = gate.account();
    assert_eq!((account.settled, account.cut_off), (0, 1));
}
