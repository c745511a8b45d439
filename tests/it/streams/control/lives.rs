//! Lives under restless hands, drawn from seeds: pauses, seeks, undos, reloads, reshards, a moody function and kills at any
//! moment; then all is let go, and the ledger is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use http::Method;
use sluicegate::sim::{Invocation, Reply};

use super::{Attended, to, undo};
use crate::streams::{STREAM, StreamStage, event, numbers, pass, seconds};

const SEEDS: u64 = 10;
const STEPS: usize = 40;
const KEYS: usize = 6;

type Record = (String, u32);

/// What the function handled of each key, in its order.
type Handled = Arc<Mutex<BTreeMap<String, Vec<u32>>>>;

struct Life {
    stage: StreamStage,
    chance: Rng,
    handled: Handled,
    well: Arc<Mutex<bool>>,
    put: BTreeSet<Record>,
    /// What nobody has to see, since somebody went past it; and what that was before the last seek.
    skipped: BTreeSet<Record>,
    skipped_before: Option<BTreeSet<Record>>,
    /// How often the order of a key may begin anew.
    breaks: usize,
    splits: usize,
    /// Seeks that were answered, and that were cut off by the end of the process.
    seeks: [usize; 2],
}

fn keys(invocation: &Invocation) -> Vec<String> {
    let event = event(invocation);
    let records = event["Records"].as_array().unwrap().iter();
    let key = |record: &serde_json::Value| {
        record["kinesis"]["partitionKey"]
            .as_str()
            .map(str::to_owned)
    };
    records.map(|record| key(record).unwrap()).collect()
}

impl Life {
    fn new(seed: u64) -> Self {
        let stage = StreamStage::kinesis(seed, 2);
        let mut chance = Rng::with_seed(seed);
        let (handled, well) = (Handled::default(), Arc::new(Mutex::new(false)));
        let (noted, moods, calm) = (handled.clone(), Mutex::new(chance.fork()), well.clone());
        stage.answers(move |invocation| {
            let mut moods = moods.lock().unwrap();
            if !*calm.lock().unwrap() && moods.u8(..4) == 0 {
                return Reply::error("moody");
            }
            let mut noted = noted.lock().unwrap();
            for (key, number) in keys(invocation).into_iter().zip(numbers(invocation)) {
                noted.entry(key).or_default().push(number);
            }
            Reply::ok("{}").after(Duration::from_millis(moods.u64(..800)))
        });
        Self {
            stage,
            chance,
            handled,
            well,
            put: BTreeSet::new(),
            skipped: BTreeSet::new(),
            skipped_before: None,
            breaks: 0,
            splits: 0,
            seeks: [0, 0],
        }
    }

    fn text(&mut self) -> String {
        let factor = format!("ParallelizationFactor: {}", self.chance.u8(1..4));
        let batch = format!("BatchSize: {}", self.chance.u8(1..9));
        let more = [
            factor.as_str(),
            batch.as_str(),
            "BisectBatchOnFunctionError: true",
        ];
        self.stage.configuration("TRIM_HORIZON", &more)
    }

    fn puts(&mut self) {
        for _ in 0..self.chance.usize(1..12) {
            let key = format!("key-{}", self.chance.usize(..KEYS));
            let number = self.put.iter().filter(|(of, _)| *of == key).count() as u32;
            self.stage.put(&key, number..number + 1);
            self.put.insert((key, number));
        }
    }

    fn split(&mut self) {
        let shards = self.stage.shards();
        let open = shards.iter().filter(|shard| shard.open);
        if let Some(shard) = self.chance.choice(open.collect::<Vec<_>>())
            && self.splits < 3
            && self.stage.world().split_shard(STREAM, &shard.id).is_ok()
        {
            self.splits += 1;
        }
    }

    /// A seek or an undo; killed before the answer now and then, when nobody knows what became of it.
    async fn seeks(&mut self, attended: &Attended) -> bool {
        self.breaks += 1;
        let uuid = self.stage.uuid();
        let (body, then) = match self.chance.u8(..3) {
            0 => (to("LATEST"), Some(self.put.clone())),
            1 => (to("TRIM_HORIZON"), Some(BTreeSet::new())),
            _ => (undo(), self.skipped_before.clone()),
        };
        let is_undo = body == undo();
        let asked = attended.ask(Method::PUT, &uuid, "/position", &body);
        let patience = match self.chance.u8(..3) {
            0 => Duration::from_millis(self.chance.u64(..8)),
            _ => Duration::from_secs(60),
        };
        let before = std::mem::take(&mut self.skipped);
        match tokio::time::timeout(patience, asked).await {
            Ok((200, _)) => {
                self.seeks[0] += 1;
                self.skipped = then.expect("nothing is undone where nothing was set");
                self.skipped_before = (!is_undo).then_some(before);
                true
            }
            Ok((400, told)) => {
                let nothing = is_undo && self.skipped_before.is_none();
                assert!(nothing, "{body}: {told}");
                self.skipped = before;
                true
            }
            Ok(other) => panic!("{body}: {other:?}"),
            // Done, or not: then whatever follows from either.
            Err(_) => {
                self.seeks[1] += 1;
                self.breaks += 1;
                let then = then.unwrap_or_default();
                let aside = self.skipped_before.take().unwrap_or_default();
                self.skipped = before.union(&then).cloned().collect();
                self.skipped_before = Some(self.skipped.union(&aside).cloned().collect());
                false
            }
        }
    }

    /// How many seeks it saw, as `seeks` has them.
    async fn live(mut self) -> [usize; 2] {
        let mut text = self.text();
        let mut attended = Attended::start(&self.stage, &text).await;
        let uuid = self.stage.uuid();
        for _ in 0..STEPS {
            pass(Duration::from_millis(self.chance.u64(..4_000))).await;
            match self.chance.u8(..12) {
                0..=4 => self.puts(),
                5 => {
                    attended.pause(&uuid).await;
                }
                6 | 7 => {
                    attended.resume(&uuid).await;
                }
                8 => {
                    text = self.text();
                    attended.reload(&text).await;
                }
                9 => self.split(),
                10 => {
                    self.breaks += 1;
                    drop(attended);
                    attended = Attended::start(&self.stage, &text).await;
                }
                _ => {
                    if !self.seeks(&attended).await {
                        drop(attended);
                        attended = Attended::start(&self.stage, &text).await;
                        // Which of the two it was decides what can be undone.
                        let at = attended.position(&uuid).await;
                        if at["Undo"].is_null() {
                            self.skipped_before = None;
                        }
                    }
                }
            }
        }
        *self.well.lock().unwrap() = true;
        attended.resume(&uuid).await;
        seconds(400).await;
        let state = self.stage.status();
        attended.stop().await;
        assert_eq!(state.reason, None, "{state:?}");
        self.judge();
        self.seeks
    }

    fn judge(&self) {
        let handled = self.handled.lock().unwrap();
        let mut seen = BTreeSet::new();
        for (key, numbers) in &*handled {
            let breaks = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1);
            let breaks = breaks.count();
            assert!(breaks <= self.breaks, "{key}: {breaks} breaks: {numbers:?}");
            seen.extend(numbers.iter().map(|number| (key.clone(), *number)));
        }
        let owed = self.put.difference(&self.skipped);
        let lost: Vec<&Record> = owed.filter(|record| !seen.contains(*record)).collect();
        assert!(lost.is_empty(), "{lost:?}");
    }
}

#[test]
fn whatever_hands_do_nothing_is_lost_and_keys_keep_their_order() {
    let mut seeks = [0, 0];
    for seed in 0..SEEDS {
        let life = std::panic::AssertUnwindSafe(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap()
                .block_on(async { Life::new(seed).live().await })
        });
        let lived = std::panic::catch_unwind(life);
        let [done, cut] = lived.unwrap_or_else(|_| panic!("seed {seed}"));
        seeks = [seeks[0] + done, seeks[1] + cut];
    }
    let many = usize::try_from(SEEDS).unwrap();
    assert!(seeks[0] >= many && seeks[1] > 1, "{seeks:?}");
}
