//! What happens to subscriptions: silence, broken frames, others who take over, crashes, a consumer that is gone.

use std::collections::BTreeSet;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::Error as Refused;
use aws_sdk_kinesis::operation::subscribe_to_shard::SubscribeToShardOutput;
use aws_sdk_kinesis::types::{ShardIteratorType, StartingPosition};
use sluicegate::sim::Fault;

use super::*;

const SHARD: &str = "shardId-000000000000";
const MILLISECOND: Duration = Duration::from_millis(1);

impl FanOut {
    /// Somebody else subscribes as the same consumer.
    async fn taken_by(&self, client: &Client) -> Result<SubscribeToShardOutput, Refused> {
        let from = StartingPosition::builder().r#type(ShardIteratorType::Latest);
        let call = client
            .subscribe_to_shard()
            .consumer_arn(&self.consumer)
            .shard_id(SHARD)
            .starting_position(from.build().unwrap());
        call.send().await.map_err(Refused::from)
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_falls_silent_is_replaced() {
    let fan = FanOut::new(11, 1);
    fan.stage
        .world()
        .fault_next(SUBSCRIBE, Fault::SilentEventStream, 1);
    let running = fan.start("TRIM_HORIZON", &[]);
    fan.enabled().await;
    sleep(SECOND).await;
    for number in 0..20 {
        fan.put(number);
    }
    let began = Instant::now();
    fan.delivered(20, MINUTE).await;
    let lasted = began.elapsed();
    assert!((30 * SECOND..40 * SECOND).contains(&lasted), "{lasted:?}");
    running.stop().await;
    fan.came_once_in_order(0..20);
}

#[tokio::test(start_paused = true)]
async fn what_breaks_is_begun_anew_without_loss() {
    for fault in [
        Fault::BrokenEventStream,
        Fault::MalformedJson,
        Fault::InvalidUtf8,
        Fault::TruncatedBody,
        Fault::StalledBody,
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::AnswerLost,
        Fault::NeverAnswers,
        Fault::Throttled,
        Fault::InternalError,
        Fault::BareUnavailable,
        Fault::Slow,
    ] {
        let fan = FanOut::new(12, 1);
        let world = fan.stage.world();
        world.fault_next(SUBSCRIBE, fault, 2);
        for number in 0..10 {
            fan.put(number);
        }
        let running = fan.start("TRIM_HORIZON", &[]);
        fan.delivered(10, MINUTE).await;
        fan.put(10);
        fan.delivered(11, 2 * SECOND).await;
        assert_eq!(fan.state().0, State::Enabled, "{fault:?}");
        // Never so soon that it is refused for that.
        let refused = fan.requests("SubscribeToShard", "error");
        assert!(refused <= 2.0, "{fault:?}: {refused}");
        running.stop().await;
        fan.came_once_in_order(0..11);
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_starts_anew_at_once_waits_for_its_own_subscription_in_silence() {
    let fan = FanOut::new(13, 1);
    let running = fan.start("TRIM_HORIZON", &[]);
    for number in 0..10 {
        fan.put(number);
    }
    fan.delivered(10, MINUTE).await;
    running.stop().await;
    for number in 10..20 {
        fan.put(number);
    }
    let running = fan.start("TRIM_HORIZON", &[]);
    let began = Instant::now();
    while began.elapsed() < 15 * SECOND {
        let (state, reason) = fan.state();
        assert_ne!(state, State::Failing);
        assert_eq!(reason, "");
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(fan.state().0, State::Enabled);
    assert_eq!(fan.requests("SubscribeToShard", "error"), 1.0);
    running.stop().await;
    fan.came_once_in_order(0..20);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_can_not_be_read_is_not_taken_for_a_position_that_was_trimmed() {
    for fault in [
        Fault::InvalidUtf8,
        Fault::MalformedJson,
        Fault::TruncatedBody,
        Fault::WrongContentType,
    ] {
        let fan = FanOut::new(17, 1);
        let running = fan.start("TRIM_HORIZON", &[]);
        for number in 0..10 {
            fan.put(number);
        }
        fan.delivered(10, MINUTE).await;
        running.stop().await;
        // So soon after the last one the next subscription is refused, and the words of that are lost on the way.
        fan.stage.world().fault_next(SUBSCRIBE, fault, 1);
        let running = fan.start("TRIM_HORIZON", &[]);
        fan.put(10);
        fan.delivered(11, MINUTE).await;
        running.stop().await;
        fan.came_once_in_order(0..11);
    }
}

#[tokio::test(start_paused = true)]
async fn somebody_else_with_the_same_consumer_is_told_of_and_not_fought_hard() {
    let fan = FanOut::new(14, 1);
    let running = fan.start("TRIM_HORIZON", &[]);
    fan.put(0);
    fan.delivered(1, MINUTE).await;
    sleep(6 * SECOND).await;
    // Takes the shard back as often as the service allows.
    let client = fan.stage.world().kinesis_client();
    let began = Instant::now();
    let before = fan.requests("SubscribeToShard", "success");
    let mut next = 1;
    while began.elapsed() < 5 * MINUTE {
        if let Ok(mut theirs) = fan.taken_by(&client).await {
            sleep(SECOND).await;
            let (state, reason) = fan.state();
            assert_eq!(state, State::Failing);
            assert!(
                reason.contains("somebody else subscribes as the same consumer"),
                "{reason}"
            );
            while let Ok(Some(_)) = theirs.event_stream.recv().await {}
        }
        fan.put(next);
        next += 1;
        sleep(5 * SECOND).await;
    }
    let calls = fan.requests("SubscribeToShard", "success") - before;
    assert!((5.0..=21.0).contains(&calls), "{calls}");
    // They leave.
    fan.delivered(next as usize, MINUTE).await;
    assert_eq!(fan.state(), (State::Enabled, String::new()));
    running.stop().await;
    fan.came_once_in_order(0..next);
}

#[tokio::test(start_paused = true)]
async fn somebody_else_who_was_there_first_is_told_of_at_the_third_refusal() {
    let fan = FanOut::new(22, 1);
    fan.put(0);
    let client = fan.stage.world().kinesis_client();
    let mut theirs = fan.taken_by(&client).await.unwrap();
    let (began, mut taken) = (Instant::now(), Instant::now());
    let running = fan.start("TRIM_HORIZON", &[]);
    fan.enabled().await;
    let mut refused_before = 0.0;
    while fan.state().0 != State::Failing {
        assert!(began.elapsed() < MINUTE);
        refused_before = fan.requests("SubscribeToShard", "error");
        sleep(10 * MILLISECOND).await;
        // As soon as the service lets them: there is hardly a gap for us.
        if 5 * SECOND < taken.elapsed() {
            theirs = fan.taken_by(&client).await.unwrap();
            taken = Instant::now();
        }
    }
    drop(theirs);
    assert_eq!(refused_before, 2.0);
    let (_, reason) = fan.state();
    assert!(reason.contains("somebody else subscribes as the same consumer"));
    fan.delivered(1, MINUTE).await;
    running.stop().await;
    fan.came_once_in_order(0..1);
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_call_loses_nothing() {
    for point in (1..60).step_by(4) {
        let fan = FanOut::new(15, 2);
        let world = fan.stage.world();
        let crash = world.crash_at(point);
        let mut running = fan.start("TRIM_HORIZON", &["BatchSize: 5"]);
        let (began, mut next) = (Instant::now(), 0);
        while began.elapsed() < 20 * SECOND {
            tokio::select! {
                biased;
                () = crash.notified() => {
                    drop(running);
                    running = fan.start("TRIM_HORIZON", &["BatchSize: 5"]);
                }
                () = sleep(SECOND) => {
                    fan.put(next);
                    next += 1;
                }
            }
        }
        let unlike = || {
            fan.come
                .lock()
                .unwrap()
                .iter()
                .collect::<BTreeSet<_>>()
                .len()
        };
        fan.until("all", MINUTE, || unlike() == next as usize).await;
        running.stop().await;
        // What was in hand may come twice: nothing is missing, and each key's first copies are in order.
        let mut come = fan.come();
        for numbers in come.values_mut() {
            let mut seen = BTreeSet::new();
            numbers.retain(|number| seen.insert(*number));
            assert!(numbers.is_sorted(), "at point {point}: {numbers:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_not_registered_is_told_by_name() {
    let mut fan = FanOut::new(16, 1);
    let known = std::mem::replace(
        &mut fan.consumer,
        format!("{}/consumer/other:1", fan.stage.world().stream_arn(STREAM)),
    );
    let running = fan.start("TRIM_HORIZON", &[]);
    sleep(MINUTE).await;
    let (state, reason) = fan.state();
    assert_ne!(state, State::Enabled);
    assert!(
        reason.contains("/consumer/other:1: no such consumer: Consumer other not found."),
        "{reason}"
    );
    running.stop().await;

    // And one that goes while it is read.
    fan.consumer = known;
    let running = fan.start("TRIM_HORIZON", &[]);
    fan.put(0);
    fan.delivered(1, MINUTE).await;
    let client = fan.stage.world().kinesis_client();
    let before = fan.requests("ListShards", "success");
    client
        .deregister_stream_consumer()
        .consumer_arn(&fan.consumer)
        .send()
        .await
        .unwrap();
    sleep(10 * MINUTE).await;
    let (state, reason) = fan.state();
    assert_eq!(state, State::Failing);
    assert!(
        reason.contains("failed to read: no such consumer: Consumer c not found."),
        "{reason}"
    );
    // At the pace of a shard that is well, and of a call that fails.
    let listed = fan.requests("ListShards", "success") - before;
    assert!(listed <= 25.0, "{listed}");
    let refused = fan.requests("SubscribeToShard", "error");
    assert!((10.0..=60.0).contains(&refused), "{refused}");
    running.stop().await;
}
