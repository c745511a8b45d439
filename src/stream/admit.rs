//! A record that was read becomes the event records that the function sees: none, where a filter drops it. // spec: 2, 7

use crate::aws::stream::Records;
use crate::model::event::{Piece, Sheets, write_dynamodb_record, write_kinesis_record};
use crate::model::kpl;
use crate::model::record::{DynamoRecord, KinesisRecord, SequenceNumber};

use super::Engine;

/// A record as the source gave it.
#[derive(Debug)]
pub(super) enum Raw {
    Kinesis(KinesisRecord),
    Dynamo(DynamoRecord),
}

impl Raw {
    /// Those of one read, in order.
    pub fn all(records: Records) -> Vec<Self> {
        match records {
            Records::Kinesis(records) => records.into_iter().map(Self::Kinesis).collect(),
            Records::Dynamo(records) => records.into_iter().map(Self::Dynamo).collect(),
        }
    }

    pub fn number(&self) -> &SequenceNumber {
        match self {
            Self::Kinesis(record) => &record.sequence_number,
            Self::Dynamo(record) => &record.sequence_number,
        }
    }

    pub fn arrived_ms(&self) -> u64 {
        match self {
            Self::Kinesis(record) => record.arrived_ms,
            Self::Dynamo(record) => record.arrived_ms,
        }
    }

    /// What decides the lane: the partition key, or the keys of the item. // spec: 5.2
    pub fn key(&self) -> &str {
        match self {
            Self::Kinesis(record) => &record.partition_key,
            Self::Dynamo(record) => &record.keys,
        }
    }
}

/// An event record.
#[derive(Debug)]
pub(super) struct Written {
    /// Which of an aggregate's user records it is, from 0.
    pub inner: Option<u32>,
    pub record: Piece,
}

impl Written {
    fn whole(record: Piece) -> Self {
        Self {
            inner: None,
            record,
        }
    }
}

impl Engine {
    /// Add the event records of a record to `written`; several, where the Kinesis Producer Library packed user records into
    /// it, of which the first `begun` are settled already. It is the first of about so many `records`.
    pub(super) fn write(
        &self,
        shard: &str,
        raw: &Raw,
        begun: u32,
        (sheets, records): (&mut Sheets, usize),
        written: &mut Vec<Written>,
    ) {
        let stamp = self.stamp();
        let keep = |kept: bool| {
            if !kept {
                self.metrics.record_filtered_out(1);
            }
            kept
        };
        match raw {
            Raw::Dynamo(record) => {
                if keep(self.filters.keeps(record)) {
                    let write = |out: &mut String| write_dynamodb_record(out, record, &stamp);
                    written.push(Written::whole(sheets.write(records, write)));
                }
            }
            Raw::Kinesis(record) => match self.packed(record) {
                Some(packed) => {
                    let left = (1..=packed.len()).rev();
                    let packed = (0..).zip(&packed).zip(left);
                    for ((index, inner), left) in packed.skip(begun as usize) {
                        let inner = inner.record(record);
                        if !keep(self.filters.keeps(&inner)) {
                            continue;
                        }
                        let write =
                            |out: &mut String| write_kinesis_record(out, &inner, shard, &stamp);
                        written.push(Written {
                            inner: Some(index),
                            record: sheets.write(left, write),
                        });
                    }
                }
                None => {
                    if keep(self.filters.keeps(record)) {
                        let write =
                            |out: &mut String| write_kinesis_record(out, record, shard, &stamp);
                        written.push(Written::whole(sheets.write(records, write)));
                    }
                }
            },
        }
    }

    /// The user records of an aggregate.
    fn packed<'r>(&self, record: &'r KinesisRecord) -> Option<Vec<kpl::Inner<'r>>> {
        let deaggregate = self.stream.deaggregate_kpl;
        deaggregate.then(|| kpl::deaggregate(record)).flatten()
    }
}
