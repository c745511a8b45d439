//! Reload: what is wanted changes while the service works. A mapping that stays the same notices nothing; one that is gone
//! or differs settles what it has in hand, and goes on where it was.

use std::time::Duration;

use sluicegate::sim::{Entry, Event, FunctionConfig, Reply};
use sluicegate::status::State;
use tokio::time::{Instant, sleep};

use super::{Running, Stage};

const SECOND: Duration = Duration::from_secs(1);
const ARN: &str = "arn:aws:sqs:us-east-1:000000000000";

/// A mapping of the queue of its name.
fn mapping(name: &str, more: &str) -> String {
    format!(
        "  - {{ Name: {name}, EventSourceArn: \"{ARN}:{name}\", FunctionName: process{more} }}\n"
    )
}

fn config(mappings: &[String]) -> String {
    match mappings {
        [] => "EventSourceMappings: []\n".to_owned(),
        _ => format!("EventSourceMappings:\n{}", mappings.concat()),
    }
}

fn stage(queues: &[&str], answer: Reply) -> Stage {
    let stage = Stage::new(1);
    for queue in queues {
        stage.world.create_queue(queue, &[]).unwrap();
    }
    let patient = FunctionConfig {
        timeout: 120 * SECOND,
        ..FunctionConfig::default()
    };
    stage.function(patient, move |_| answer.clone());
    stage
}

fn send(stage: &Stage, queue: &str, count: usize) {
    for number in 0..count {
        stage.world.send(queue, &number.to_string()).unwrap();
    }
}

/// The state of each mapping by name.
fn states(stage: &Stage) -> Vec<(String, State)> {
    let mappings = stage.status.readiness().mappings.into_iter();
    mappings
        .map(|mapping| (mapping.name, mapping.state))
        .collect()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < 300 * SECOND, "never {what}");
        sleep(SECOND / 20).await;
    }
}

/// The moments at which a queue was received from.
fn receives(stage: &Stage, of: &str) -> Vec<Duration> {
    let history = stage.world.history().into_iter();
    let received = |Entry { at, event }| match event {
        Event::Received { queue, .. } if queue == of => Some(at),
        _ => None,
    };
    history.filter_map(received).collect()
}

async fn emptied(stage: &Stage, running: Running, queues: &[&str]) {
    for queue in queues {
        stage.emptied(queue, 300 * SECOND).await;
    }
    let account = running.stop().await;
    assert_eq!(account.abandoned, 0);
    // Each was received once: none was lost on the way from one life of its mapping to the next.
    assert!(stage.receives().values().all(|count| *count == 1));
}

#[tokio::test(start_paused = true)]
async fn a_mapping_that_stays_the_same_notices_nothing() {
    let queues = ["a", "b", "c"];
    let stage = stage(&queues, Reply::ok("{}").after(2 * SECOND));
    for queue in queues {
        send(&stage, queue, 200);
    }
    let began = Instant::now();
    let (a, c) = (mapping("a", ""), mapping("c", ""));
    let running = stage.start_with(&config(&[a.clone(), mapping("b", ""), c]));
    sleep(SECOND).await;
    let at = began.elapsed();
    running.reload(&config(&[a, mapping("b", ", BatchSize: 3")]));
    until("two", || states(&stage).len() == 2).await;
    stage.emptied("a", 300 * SECOND).await;
    stage.emptied("b", 300 * SECOND).await;
    // Between two calls of a function that takes two seconds nobody waits any longer.
    let moments = receives(&stage, "a");
    let longest = moments.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(longest <= Some(3 * SECOND), "{longest:?}");
    // What c had in hand it has settled, and it took no more.
    assert!(receives(&stage, "c").iter().all(|moment| *moment <= at));
    let left = stage.left("c");
    assert!((1..200).contains(&left), "{left}");
    let text = stage.metrics.encode();
    assert!(!text.contains("mapping=\"c\""), "{text}");
    let account = running.stop().await;
    assert_eq!((account.deleted, account.abandoned), (600 - left as u64, 0));
    assert!(stage.receives().values().all(|count| *count == 1));
}

#[tokio::test(start_paused = true)]
async fn an_update_takes_effect_between_two_batches_and_at_once() {
    let stage = stage(&["a"], Reply::ok("{}").after(2 * SECOND));
    send(&stage, "a", 100);
    let running = stage.start_with(&config(&[mapping("a", ", BatchSize: 1")]));
    sleep(3 * SECOND).await;
    running.reload(&config(&[mapping("a", ", BatchSize: 7")]));
    sleep(SECOND / 100).await;
    assert_eq!(states(&stage), [("a".to_owned(), State::Updating)]);
    until("enabled", || {
        states(&stage) == [("a".to_owned(), State::Enabled)]
    })
    .await;
    // It had been ready, and a reload does not make it less so.
    assert!(stage.status.readiness().ready);
    emptied(&stage, running, &["a"]).await;
    let invocations = stage.invocations();
    let sizes = invocations.iter().map(|one| super::bodies(one).len());
    let sizes: Vec<usize> = sizes.skip_while(|size| *size == 1).collect();
    assert!(!sizes.is_empty() && sizes.len() < invocations.len());
    assert_eq!(sizes.iter().max(), Some(&7), "{sizes:?}");
    // The last ones may be fewer; none is left of the old ones.
    let single = sizes.iter().filter(|size| **size == 1).count();
    assert!(single <= 5, "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_disabled_mapping_rests_and_goes_on_when_it_is_enabled() {
    let stage = stage(&["a"], Reply::ok("{}").after(SECOND));
    let running = stage.start_with(&config(&[mapping("a", "")]));
    until("enabled", || {
        states(&stage) == [("a".to_owned(), State::Enabled)]
    })
    .await;
    running.reload(&config(&[mapping("a", ", Enabled: false")]));
    until("disabled", || {
        states(&stage) == [("a".to_owned(), State::Disabled)]
    })
    .await;
    send(&stage, "a", 5);
    sleep(60 * SECOND).await;
    assert_eq!(stage.left("a"), 5);
    running.reload(&config(&[mapping("a", "")]));
    emptied(&stage, running, &["a"]).await;
}

#[tokio::test(start_paused = true)]
async fn the_last_of_many_reloads_holds() {
    let stage = stage(&["a", "b"], Reply::ok("{}").after(5 * SECOND));
    send(&stage, "a", 60);
    let running = stage.start_with(&config(&[mapping("a", ", BatchSize: 1")]));
    sleep(SECOND).await;
    for size in 2..9 {
        running.reload(&config(&[mapping("a", &format!(", BatchSize: {size}"))]));
        sleep(SECOND / 10).await;
    }
    // And back to what is still on its way out.
    running.reload(&config(&[]));
    running.reload(&config(&[mapping("a", ", BatchSize: 1")]));
    until("enabled", || {
        states(&stage) == [("a".to_owned(), State::Enabled)]
    })
    .await;
    let before = stage.invocations().len();
    emptied(&stage, running, &["a"]).await;
    let sizes = stage.invocations();
    let mut sizes = sizes[before..].iter().map(super::bodies);
    assert!(sizes.all(|bodies| bodies.len() == 1));
}

#[tokio::test(start_paused = true)]
async fn two_mappings_may_change_their_names() {
    let stage = stage(&["a", "b"], Reply::ok("{}").after(SECOND));
    send(&stage, "a", 40);
    send(&stage, "b", 50);
    let named = |queue: &str, name: &str| {
        mapping(queue, "").replace(&format!("Name: {queue}"), &format!("Name: {name}"))
    };
    let running = stage.start_with(&config(&[named("a", "x"), named("b", "y")]));
    sleep(SECOND / 2).await;
    running.reload(&config(&[named("a", "y"), named("b", "x")]));
    emptied(&stage, running, &["a", "b"]).await;
    let names: Vec<String> = states(&stage).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["x", "y"]);
}

#[tokio::test(start_paused = true)]
async fn a_mapping_that_does_not_end_in_time_is_cut_off_and_its_messages_come_again() {
    let stage = stage(&["a", "b"], Reply::ok("{}").after(100 * SECOND));
    send(&stage, "a", 1);
    let text = config(&[mapping("a", ""), mapping("b", "")]);
    let running = stage.start_with(&text);
    sleep(5 * SECOND).await;
    running.reload(&config(&[mapping("b", "")]));
    sleep(29 * SECOND).await;
    assert_eq!(states(&stage)[0], ("a".to_owned(), State::Deleting));
    sleep(2 * SECOND).await;
    assert_eq!(states(&stage), [("b".to_owned(), State::Enabled)]);
    running.reload(&text);
    stage.emptied("a", 300 * SECOND).await;
    let account = running.stop().await;
    assert_eq!((account.deleted, account.abandoned), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_mapping_that_does_not_start_can_be_taken_out_at_once() {
    let stage = stage(&["a"], Reply::ok("{}"));
    let running = stage.start_with(&config(&[mapping("a", ""), mapping("missing", "")]));
    sleep(10 * SECOND).await;
    assert_eq!(states(&stage)[1], ("missing".to_owned(), State::Failing));
    assert!(!stage.status.readiness().ready);
    running.reload(&config(&[mapping("a", "")]));
    sleep(SECOND / 100).await;
    assert_eq!(states(&stage), [("a".to_owned(), State::Enabled)]);
    assert!(stage.status.readiness().ready);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_service_may_begin_and_end_with_nothing_to_do() {
    let stage = stage(&["a"], Reply::ok("{}"));
    let running = stage.start_with(&config(&[]));
    sleep(SECOND).await;
    assert!(stage.status.readiness().ready);
    send(&stage, "a", 3);
    running.reload(&config(&[mapping("a", "")]));
    stage.emptied("a", 60 * SECOND).await;
    running.reload(&config(&[]));
    until("empty", || states(&stage).is_empty()).await;
    assert_eq!(running.stop().await.deleted, 3);
}
