//! What a filter costs each record: `cargo bench --bench filter`. Patterns share keys; what differs is how many there are.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sluicegate::model::filter::{Filters, Source};
use sluicegate::model::record::Message;

const PATTERNS: [usize; 3] = [1, 5, 10];
const BODY_BYTES: [usize; 3] = [256, 10 * 1024, 256 * 1024];

fn message(body: String) -> Message<'static> {
    Message {
        id: "8f0a3c6e-1f2d-4c3b-9a8e-7d6c5b4a3f2e".into(),
        receipt: "AQEB".into(),
        body: body.into(),
        attributes: BTreeMap::from([("SentTimestamp".into(), "1789650001123".into())]),
        message_attributes: BTreeMap::new(),
        md5_of_body: "5d41402abc4b2a76b9719d911017c592".into(),
        md5_of_message_attributes: None,
    }
}

/// The keys that patterns look for, and a field of text that fills the rest: a document, an image.
fn one_text(bytes: usize) -> String {
    let stem = r#"{"detail":{"kind":"order","number":7},"text":""#;
    format!("{stem}{}\"}}", "x".repeat(bytes - stem.len() - 2))
}

/// The same keys before many small members and lists: what a JSON parser is slowest at.
fn many_members(bytes: usize) -> String {
    let mut body = r#"{"detail":{"kind":"order","number":7}"#.to_owned();
    for index in 0.. {
        let member = format!(r#","member-{index}":{{"id":{index},"tags":["a","b"],"ok":true}}"#);
        if bytes < body.len() + member.len() + 1 {
            break;
        }
        body.push_str(&member);
    }
    body.push('}');
    body
}

/// No pattern accepts the kind, so that each of them is asked.
fn filters(count: usize) -> Filters {
    let pattern = |index| {
        format!(
            r#"{{"body":{{"detail":{{"number":[{{"numeric":[">",0,"<",1{index}0]}}],"kind":["other-{index}",{{"prefix":"x-"}}]}}}}}}"#
        )
    };
    let patterns: Vec<String> = (0..count).map(pattern).collect();
    Filters::parse(&patterns, Source::Sqs).expect("the patterns are valid")
}

fn refuse_one_message(criterion: &mut Criterion) {
    type Body = fn(usize) -> String;
    let bodies = [
        ("one text", one_text as Body),
        ("many members", many_members as Body),
    ];
    for (name, body) in bodies {
        let mut group = criterion.benchmark_group(format!("filter a body of {name}"));
        group.warm_up_time(Duration::from_millis(500));
        group.measurement_time(Duration::from_secs(1));
        // As many as the longest of them has time for.
        group.sample_size(50);
        for bytes in BODY_BYTES {
            let message = message(body(bytes));
            group.throughput(Throughput::Bytes(message.body.len() as u64));
            for count in PATTERNS {
                let filters = filters(count);
                assert!(!filters.keeps(&message), "every pattern is asked");
                let id = BenchmarkId::new(format!("{bytes} bytes"), count);
                group.bench_with_input(id, &message, |bench, message| {
                    bench.iter(|| filters.keeps(black_box(message)))
                });
            }
        }
        group.finish();
    }
}

criterion_group!(filter, refuse_one_message);
criterion_main!(filter);
