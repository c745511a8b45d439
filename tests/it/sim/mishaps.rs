//! What befalls the region, the machine or a queue: each knob does what it says, ends when it is told to, and is counted.

use std::time::Duration;

use sluicegate::sim::mishaps::Issuing;
use sluicegate::sim::{Event, Fault, FunctionConfig, Mishap, Reply, World};
use tokio::time::{Instant, sleep};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR_MS: i64 = 3_600_000;

/// A world with a queue, and a client that lives on its machine.
fn machine() -> (World, aws_sdk_sqs::Client, String) {
    fastrand::seed(1);
    let world = World::new(1);
    let url = world.create_queue("q", &[]).unwrap();
    let client = aws_sdk_sqs::Client::new(&world.machine_config());
    (world, client, url)
}

/// The code of a refusal of a call; none for a success.
async fn refusal(client: &aws_sdk_sqs::Client, url: &str) -> Option<String> {
    use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
    let answer = client.get_queue_attributes().queue_url(url).send().await;
    let refused = answer.err()?;
    let code = refused.as_service_error().and_then(|error| error.code());
    Some(code.unwrap_or("not sent").to_owned())
}

fn count(world: &World, fault: Fault) -> u64 {
    let counts = world.fault_counts();
    let of = counts.iter().filter(|((_, kind), _)| *kind == fault);
    of.map(|(_, count)| count).sum()
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_out_answers_nobody_until_it_is_back() {
    let (world, client, url) = machine();
    assert_eq!(refusal(&client, &url).await, None);
    let began = Instant::now();
    world.outage(10 * MINUTE);
    for _ in 0..20 {
        assert!(refusal(&client, &url).await.is_some());
    }
    sleep((began + 10 * MINUTE).saturating_duration_since(Instant::now())).await;
    assert_eq!(refusal(&client, &url).await, None);
    assert_eq!(world.mishap_counts()[&Mishap::RegionOutage], 1);
    assert_eq!(world.fault_counts().values().sum::<u64>(), 20);
}

// API: IAM User Guide, Troubleshoot Signature Version 4: five minutes
#[tokio::test(start_paused = true)]
async fn a_machine_whose_clock_is_wrong_is_refused_until_it_is_right() {
    let (world, client, url) = machine();
    let skewed = Some("RequestTimeTooSkewed".to_owned());
    for (by_ms, answer) in [
        (4 * 60_000, None),
        (6 * 60_000, skewed.clone()),
        (HOUR_MS, skewed.clone()),
        (-4 * 60_000, None),
        (-HOUR_MS, skewed.clone()),
    ] {
        world.clock_jump(by_ms);
        assert_eq!(refusal(&client, &url).await, answer, "{by_ms}");
        world.clock_right();
        assert_eq!(refusal(&client, &url).await, None, "{by_ms}");
    }
    assert_eq!(count(&world, Fault::RequestTimeTooSkewed), 3);
    assert_eq!(world.mishap_counts()[&Mishap::ClockJump], 5);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_drifts_is_wrong_some_day() {
    let (world, client, url) = machine();
    world.clock_drift(100);
    sleep(40 * MINUTE).await;
    assert_eq!(refusal(&client, &url).await, None);
    sleep(20 * MINUTE).await;
    assert!(refusal(&client, &url).await.is_some());
    world.heal();
    assert_eq!(refusal(&client, &url).await, None);
    assert_eq!(world.mishap_counts()[&Mishap::ClockDrift], 1);
}

#[tokio::test(start_paused = true)]
async fn credentials_are_exchanged_before_they_end_and_missed_where_they_cannot_be() {
    let (world, client, url) = machine();
    for _ in 0..5 {
        assert_eq!(refusal(&client, &url).await, None);
        sleep(45 * MINUTE).await;
    }
    assert_eq!(count(&world, Fault::ExpiredToken), 0);
    for (issuing, mishap, answer) in [
        (Issuing::Down, Mishap::CredentialsDown, "not sent"),
        (Issuing::Silent, Mishap::CredentialsDown, "not sent"),
        (
            Issuing::Expired,
            Mishap::CredentialsExpired,
            "ExpiredTokenException",
        ),
    ] {
        // A client that has none yet: the SDK goes on with old ones as long as it can.
        let fresh = aws_sdk_sqs::Client::new(&world.machine_config());
        let before = world.mishap_counts().get(&mishap).copied().unwrap_or(0);
        world.credentials(issuing);
        assert_eq!(
            refusal(&fresh, &url).await.as_deref(),
            Some(answer),
            "{issuing:?}"
        );
        assert_eq!(world.mishap_counts()[&mishap], before + 1);
        world.credentials(Issuing::Well);
        sleep(20 * MINUTE).await;
        assert_eq!(refusal(&fresh, &url).await, None, "{issuing:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_was_deleted_takes_its_messages_along_and_its_name_is_free_a_minute_later() {
    let (world, client, url) = machine();
    world.send("q", "a").unwrap();
    world.delete_queue("q").unwrap();
    let gone = Some("AWS.SimpleQueueService.NonExistentQueue".to_owned());
    assert_eq!(refusal(&client, &url).await, gone);
    assert!(world.create_queue("q", &[]).is_err());
    sleep(MINUTE).await;
    assert_eq!(world.create_queue("q", &[]), Ok(url.clone()));
    assert_eq!(refusal(&client, &url).await, None);
    assert_eq!(world.queue("q").unwrap().messages, []);
    let purged = |entry: &sluicegate::sim::Entry| matches!(&entry.event, Event::Purged { queue } if queue == "q");
    assert!(world.history().iter().any(purged));
    world.send("q", "b").unwrap();
    world.purge_queue("q").unwrap();
    assert_eq!(world.queue("q").unwrap().messages, []);
    let counts = world.mishap_counts();
    assert_eq!(
        (counts[&Mishap::QueueDeleted], counts[&Mishap::QueuePurged]),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_redrive_moves_what_is_visible_and_leaves_what_is_in_flight() {
    let (world, client, url) = machine();
    world.create_queue("away", &[]).unwrap();
    for body in ["a", "b", "c"] {
        world.send("q", body).unwrap();
    }
    client
        .receive_message()
        .queue_url(&url)
        .send()
        .await
        .unwrap();
    assert_eq!(world.move_messages("q", "away", 10), Ok(2));
    let bodies = |queue| -> Vec<String> {
        let messages = world.queue(queue).unwrap().messages;
        messages.into_iter().map(|message| message.body).collect()
    };
    assert_eq!(
        (bodies("q"), bodies("away")),
        (vec!["a".into()], vec!["b".into(), "c".into()])
    );
    assert_eq!(world.mishap_counts()[&Mishap::MessagesMoved], 1);
    assert_eq!(world.move_messages("q", "away", 10), Ok(0));
    assert_eq!(world.mishap_counts()[&Mishap::MessagesMoved], 1);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_was_deleted_is_not_found_until_it_is_made_anew() {
    let (world, ..) = machine();
    world.register("f", FunctionConfig::default(), |_| async {
        Reply::ok("{}")
    });
    let client = world.lambda_client();
    let found = async || client.invoke().function_name("f").send().await.is_ok();
    assert!(found().await);
    world.function_away("f", MINUTE);
    assert!(!found().await);
    sleep(MINUTE).await;
    assert!(found().await);
    world.function_away("f", MINUTE);
    world.heal();
    assert!(found().await);
    assert_eq!(world.mishap_counts()[&Mishap::FunctionDeleted], 2);
}

#[tokio::test(start_paused = true)]
async fn a_notice_is_given_in_the_middle_of_a_call_and_harms_nobody() {
    let (world, client, url) = machine();
    let notice = world.notice_at(2);
    assert_eq!(refusal(&client, &url).await, None);
    tokio::time::timeout(Duration::ZERO, notice.notified())
        .await
        .unwrap();
    assert_eq!(refusal(&client, &url).await, None);
    assert_eq!(world.last_crash(), None);
}
