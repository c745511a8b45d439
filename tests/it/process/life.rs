//! Killed, ended and paused at random moments, from a seed, while messages keep coming: nothing is lost, and nothing is
//! deleted before a function handled it. The queue and the functions' ledger are outside of the process that suffers.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::sleep;

use crate::support::cloud::Cloud;
use crate::support::collector::{Collector, Reply};
use crate::support::gate::Config;
use crate::support::queue::{EMPTY, QueueShape};

const SEED: u64 = 20_261_121;
const LIVES: usize = 20;
/// A process lives so long at most; starting takes some 50 ms of it.
const LIFE_MS: u64 = 700;
/// Longer than the queue's visibility of a second, now and then.
const PAUSE_MS: u64 = 1_300;

#[tokio::test]
async fn twenty_hard_lives_lose_nothing_and_delete_nothing_early() {
    let cloud = Cloud::embedded().await;
    let mut chance = Rng::with_seed(SEED);
    let mut of_functions = chance.fork();
    let handled = Arc::new(Mutex::new(BTreeSet::new()));
    let ledger = handled.clone();
    let collector = Collector::start(move |call| {
        let failed: BTreeSet<_> = call
            .message_ids()
            .into_iter()
            .filter(|_| of_functions.u8(..8) == 0)
            .collect();
        // Entered before the reply leaves: nobody may delete before that.
        ledger.lock().unwrap().extend(
            call.message_ids()
                .into_iter()
                .filter(|id| !failed.contains(id)),
        );
        let took = Duration::from_millis(of_functions.u64(..60));
        Reply::failures(&failed.into_iter().collect::<Vec<_>>()).after(took)
    })
    .await;
    let queue = cloud
        .queue(
            "orders",
            QueueShape {
                visibility_s: Some(1),
                ..QueueShape::default()
            },
        )
        .await;
    let config = Config::at(&cloud.endpoint)
        .function("process", &collector.url("process"), 1)
        .mapping(
            "orders",
            &queue.arn,
            "process",
            "BatchSize: 3, FunctionResponseTypes: [ReportBatchItemFailures]",
        );

    let mut sent = BTreeSet::new();
    let nothing_early = |sent: &BTreeSet<String>, life: usize| {
        // The queue first: what is gone from it by then must have been handled by then.
        let left: BTreeSet<_> = cloud
            .world()
            .queue("orders")
            .unwrap()
            .messages
            .into_iter()
            .map(|message| message.id)
            .collect();
        let handled = handled.lock().unwrap();
        let lost: Vec<_> = sent
            .iter()
            .filter(|id| !left.contains(*id) && !handled.contains(*id))
            .collect();
        assert!(
            lost.is_empty(),
            "seed {SEED}, life {life}: deleted and never handled: {lost:?}"
        );
    };
    for life in 0..LIVES {
        let bodies: Vec<_> = (0..chance.usize(1..20))
            .map(|number| format!("{life}-{number}"))
            .collect();
        sent.extend(queue.send_all(&bodies).await);
        let mut gate = config.program().launch();
        sleep(Duration::from_millis(chance.u64(..LIFE_MS))).await;
        match chance.u8(..3) {
            0 => gate.kill().await,
            1 => {
                gate.signal("TERM").await;
                let code = gate.ended().await.code();
                // Without a code it was ended before it took signals over, and had received nothing.
                let had_started = gate.log().iter().any(|line| line.contains("\"started\""));
                assert!(
                    code == Some(0) || (code.is_none() && !had_started),
                    "seed {SEED}, life {life}: {code:?}"
                );
            }
            _ => {
                gate.signal("STOP").await;
                sleep(Duration::from_millis(chance.u64(..PAUSE_MS))).await;
                gate.signal("CONT").await;
                sleep(Duration::from_millis(chance.u64(..200))).await;
                gate.kill().await;
            }
        }
        nothing_early(&sent, life);
    }

    let gate = config.start().await;
    queue.wait_for(EMPTY).await;
    nothing_early(&sent, LIVES);
    assert!(sent.len() > LIVES, "only {} were sent", sent.len());
    gate.stop().await;
}
