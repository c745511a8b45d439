//! The pure functions that every message and record passes: `cargo bench --bench hot`, `-- window` for some of them. Figures are for a
//! batch, those of `hot/decisions.rs` for a record, and held to a bar; compare runs on one machine only.

#[path = "hot/decisions.rs"]
mod decisions;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use sluicegate::model::custody::Custody;
use sluicegate::model::event::{
    Event, Piece, QueueStamp, Sheets, Spot, StreamStamp, kinesis_record_bytes, queue_record_bytes,
    write_kinesis_record, write_queue_record,
};
use sluicegate::model::record::{KinesisRecord, Message, SequenceNumber};
use sluicegate::model::response;

fn message(bytes: usize) -> Message<'static> {
    let stem = r#"{"kind":"order","number":7,"text":""#;
    let body = format!("{stem}{}\"}}", "x".repeat(bytes - stem.len() - 2));
    let attribute = |name: &'static str, value: &'static str| (name.into(), value.into());
    Message {
        id: "8f0a3c6e-1f2d-4c3b-9a8e-7d6c5b4a3f2e".into(),
        receipt: "AQEB".repeat(80).into(),
        body: body.into(),
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
                    let mut sheets = Sheets::default();
                    let write = |(index, message): (usize, &Message<'_>)| {
                        let bytes = queue_record_bytes(message, &stamp);
                        sheets.write(bytes, messages.len() - index, |out| {
                            write_queue_record(out, message, &stamp);
                        })
                    };
                    let spots: Vec<Spot> = messages.iter().enumerate().map(write).collect();
                    let mut written: Vec<Piece> =
                        spots.into_iter().map(|spot| sheets.piece(spot)).collect();
                    Event::of(&mut written.iter_mut().collect::<Vec<_>>())
                });
            },
        );
    }
    group.finish();
}

fn kinesis(index: usize, bytes: usize) -> KinesisRecord {
    let number = format!("{:056}", 49_701_234_567_890_u64 + index as u64);
    KinesisRecord {
        sequence_number: SequenceNumber::try_from(number).expect("digits"),
        partition_key: format!("user-{index}").into(),
        data: message(bytes).body.into_owned().into(),
        arrived_ms: 1_789_809_023_187,
    }
}

fn write_a_stream_event(criterion: &mut Criterion) {
    let stamp = StreamStamp {
        arn: "arn:aws:kinesis:us-east-1:123456789012:stream/clicks".into(),
        region: "us-east-1".into(),
        identity_arn: Some("arn:aws:iam::123456789012:role/lambda-role".into()),
    };
    let shard = "shardId-000000000003";
    let mut group = criterion.benchmark_group("Kinesis records of 1 KiB");
    let records: Vec<KinesisRecord> = (0..1000).map(|index| kinesis(index, 1024)).collect();
    let mut written = Vec::with_capacity(4096);
    group.throughput(Throughput::Bytes(1024));
    group.bench_function("write one", |bench| {
        bench.iter(|| {
            written.clear();
            write_kinesis_record(&mut written, black_box(&records[0]), shard, &stamp);
        });
    });
    group.throughput(Throughput::Bytes(1000 * 1024));
    group.bench_function("write an event of 1000", |bench| {
        bench.iter(|| {
            let mut sheets = Sheets::default();
            let spots = records.iter().map(|record| {
                let bytes = kinesis_record_bytes(record, shard, &stamp);
                let write = |out: &mut Vec<u8>| write_kinesis_record(out, record, shard, &stamp);
                sheets.write(bytes, records.len(), write)
            });
            let spots: Vec<Spot> = spots.collect();
            let pieces = spots.into_iter().map(|spot| sheets.piece(spot));
            let mut pieces: Vec<Piece> = pieces.collect();
            Event::of(&mut pieces.iter_mut().collect::<Vec<_>>())
        });
    });
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
    write_a_stream_event,
    read_a_reply,
    hold_and_release,
    decisions::gather,
    decisions::put_together,
    decisions::settle_messages,
    decisions::read_an_answer,
    decisions::deliver,
    decisions::take_lanes
);

fn main() -> ExitCode {
    hot();
    Criterion::default().configure_from_args().final_summary();
    match decisions::all_flat() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
