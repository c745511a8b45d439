//! The pure functions that every message passes: `cargo bench`. Figures are per batch; compare runs on one machine only.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sluicegate::model::custody::Custody;
use sluicegate::model::event::{QueueStamp, event, queue_record};
use sluicegate::model::filter::Filters;
use sluicegate::model::record::Message;
use sluicegate::model::response;

fn message(bytes: usize) -> Message {
    let stem = r#"{"kind":"order","number":7,"text":""#;
    let body = format!("{stem}{}\"}}", "x".repeat(bytes - stem.len() - 2));
    let attribute = |name: &str, value: &str| (name.to_string(), value.to_string());
    Message {
        id: "8f0a3c6e-1f2d-4c3b-9a8e-7d6c5b4a3f2e".into(),
        receipt: "AQEB".repeat(80),
        body,
        attributes: BTreeMap::from([
            attribute("ApproximateReceiveCount", "1"),
            attribute("SentTimestamp", "1789650001123"),
            attribute("SenderId", "AIDAEXAMPLE:session"),
            attribute("ApproximateFirstReceiveTimestamp", "1789650001130"),
        ]),
        message_attributes: BTreeMap::new(),
        md5_of_body: "5d41402abc4b2a76b9719d911017c592".into(),
        md5_of_message_attributes: None,
    }
}

fn write_an_event(criterion: &mut Criterion) {
    let stamp = QueueStamp {
        arn: "arn:aws:sqs:us-east-1:123456789012:orders".into(),
        region: "us-east-1".into(),
        null_attributes_digest: false,
    };
    let mut group = criterion.benchmark_group("event of 10 messages");
    for bytes in [256, 10_240, 262_144] {
        let messages: Vec<Message> = (0..10).map(|_| message(bytes)).collect();
        group.throughput(Throughput::Bytes(10 * bytes as u64));
        group.bench_with_input(
            BenchmarkId::from_parameter(bytes),
            &messages,
            |bench, messages| {
                bench.iter(|| {
                    let records: Vec<String> = messages
                        .iter()
                        .map(|message| queue_record(message, &stamp))
                        .collect();
                    event(black_box(&records).iter().map(String::as_str))
                });
            },
        );
    }
    group.finish();
}

fn match_filters(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("filter one message");
    for patterns in [1, 5, 10] {
        let texts: Vec<String> = (0..patterns)
            .map(|index| format!(r#"{{"body":{{"kind":["other-{index}"],"number":[{{"numeric":[">",{index}]}}]}}}}"#))
            .collect();
        let filters = Filters::parse(&texts).expect("the patterns are valid");
        for bytes in [256, 10_240, 262_144] {
            let message = message(bytes);
            let id = BenchmarkId::new(format!("{patterns} patterns"), bytes);
            group.bench_with_input(id, &message, |bench, message| {
                bench.iter(|| filters.keeps(black_box(message)))
            });
        }
    }
    group.finish();
}

fn read_a_reply(criterion: &mut Criterion) {
    let ids: Vec<String> = (0..10)
        .map(|index| format!("8f0a3c6e-1f2d-4c3b-9a8e-{index:012}"))
        .collect();
    let reply = format!(
        r#"{{"batchItemFailures":[{{"itemIdentifier":"{}"}},{{"itemIdentifier":"{}"}}]}}"#,
        ids[3], ids[7]
    );
    criterion.bench_function("reply with 2 failures of 10", |bench| {
        bench.iter(|| {
            response::items_failed(black_box(reply.as_bytes()), |id| {
                ids.iter().any(|known| known == id)
            })
        });
    });
}

fn hold_and_release(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("custody of 10 messages beside");
    for held in [0_u64, 1_000, 10_000] {
        let mut custody = Custody::new(false);
        custody.set_lease(Duration::from_secs(30));
        let receipt: Arc<str> = Arc::from("receipt");
        for index in 0..held {
            custody.take(
                0,
                &Arc::from(format!("held-{index}")),
                receipt.clone(),
                None,
                Duration::from_secs(30),
                Duration::ZERO,
            );
        }
        let ids: Vec<Arc<str>> = (0..10)
            .map(|index| Arc::from(format!("new-{index}")))
            .collect();
        group.bench_function(BenchmarkId::from_parameter(held), |bench| {
            bench.iter(|| {
                for id in &ids {
                    custody.take(
                        1,
                        black_box(id),
                        receipt.clone(),
                        None,
                        Duration::from_secs(30),
                        Duration::from_secs(1),
                    );
                }
                ids.iter().for_each(|id| custody.release(id));
            });
        });
    }
    group.finish();
}

criterion_group!(
    hot,
    write_an_event,
    match_filters,
    read_a_reply,
    hold_and_release
);
criterion_main!(hot);
