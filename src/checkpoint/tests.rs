//! The store as its callers see it, and attacks on its file: crashes, full disks, flipped bits.

/// A line on the standard error: how much a test tried.
macro_rules! report {
    ($($text:tt)*) => {{
        use std::io::Write;
        writeln!(std::io::stderr(), $($text)*).expect("stderr is open");
    }};
}

mod damage;
mod disk;
mod faults;
mod file;
mod power;
mod rules;
mod work;

use crate::model::on_failure::Response;
use crate::model::progress::{
    Begun, LaneProgress, LastInvocation, Owed, Position, ShardProgress, WindowProgress,
};
use crate::model::record::SequenceNumber;

use super::{Owner, Store, Taken};

const MAPPING: &str = "14e0db71-5d35-4eb5-b481-8945cf9d10c2";

fn number(number: u64) -> SequenceNumber {
    SequenceNumber::try_from(format!("4963829870{number:020}")).unwrap()
}

fn after(sequence: u64) -> Position {
    Position::After {
        sequence_number: number(sequence),
    }
}

/// Settled up to this number.
fn at(sequence: u64) -> ShardProgress {
    ShardProgress::beginning(after(sequence), 1)
}

/// The number that a progress of `at` is settled up to; 0 for the beginning.
fn settled(progress: &ShardProgress) -> u64 {
    let Position::After { sequence_number } = &progress.position else {
        return 0;
    };
    sequence_number.as_str()[10..].parse().unwrap()
}

/// Everything that a checkpoint can hold.
fn full(sequence: u64) -> ShardProgress {
    ShardProgress {
        position: after(sequence),
        factor: 10,
        lanes: vec![LaneProgress {
            lane: 3,
            settled: Some(number(sequence + 1)),
            begun: Some(Begun {
                sequence_number: number(sequence + 2),
                records: 3,
            }),
            owed: vec![Owed {
                through: number(sequence + 2),
                inner: Some(4),
                failures: 7,
                isolating: true,
                first_failed_ms: Some(1_767_225_600_123),
            }],
            last: Some(LastInvocation {
                request_id: Some("5d0c7f52-31ab-4e0e-9a57-2f6c1b8a7710".into()),
                response: Some(Response {
                    executed_version: "$LATEST".into(),
                    function_error: Some("Unhandled".into()),
                }),
            }),
        }],
        window: Some(WindowProgress {
            start_ms: 1_767_225_600_000,
            length_ms: 900_000,
            state: "{\"sum\":\"\\u0000 \u{1f600}\"}".into(),
            terminated_early: true,
            final_failures: 2,
            final_first_failed_ms: None,
            final_last: Some(LastInvocation::default()),
        }),
        windows_from_ms: Some(1_767_224_700_000),
    }
}

async fn take(store: &Store) -> Taken {
    store.take(MAPPING, &Owner::new("test")).await.unwrap()
}
