//! A record that was read becomes the event records that the function sees: none, where a filter drops it. // spec: 2, 7

use crate::aws::stream::Records;
use crate::model::event::{
    Sheets, Spot, dynamodb_record_bytes, kinesis_record_bytes, write_dynamodb_record,
    write_kinesis_record,
};
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
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Kinesis(record) => record.partition_key.as_bytes(),
            Self::Dynamo(record) => record.keys.as_bytes(),
        }
    }
}

/// What is left of a record behind the filters.
#[derive(Debug)]
pub(super) enum Wanted {
    Nothing,
    /// The record is one event record.
    Whole,
    /// Of an aggregate, these user records, each with its number from 0.
    Inner(Vec<(u32, KinesisRecord)>),
}

impl Wanted {
    /// How many event records.
    pub fn count(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Whole => 1,
            Self::Inner(records) => records.len(),
        }
    }

    fn whole(kept: bool) -> Self {
        if kept { Self::Whole } else { Self::Nothing }
    }
}

/// An event record.
#[derive(Debug)]
pub(super) struct Written {
    /// Which of an aggregate's user records it is, from 0.
    pub inner: Option<u32>,
    pub record: Spot,
}

impl Engine {
    /// What a record brings: several event records, where the Kinesis Producer Library packed user records into it, of which the
    /// first `begun` are settled already.
    pub(super) fn wanted(&self, raw: &Raw, begun: u32) -> Wanted {
        let keep = |kept: bool| {
            if !kept {
                self.metrics.record_filtered_out(1);
            }
            kept
        };
        match raw {
            Raw::Dynamo(record) => Wanted::whole(keep(self.filters.keeps(record))),
            Raw::Kinesis(record) => match self.packed(record) {
                Some(packed) => {
                    let packed = (0..).zip(&packed).skip(begun as usize);
                    let inner = packed.map(|(index, inner)| (index, inner.record(record)));
                    Wanted::Inner(
                        inner
                            .filter(|(_, inner)| keep(self.filters.keeps(inner)))
                            .collect(),
                    )
                }
                None => Wanted::whole(keep(self.filters.keeps(record))),
            },
        }
    }

    /// Write it as event records, and add where they stand to `written`. It is the first of about so many `records`.
    pub(super) fn write(
        &self,
        shard: &str,
        raw: &Raw,
        wanted: &Wanted,
        (sheets, records): (&mut Sheets, usize),
        written: &mut Vec<Written>,
    ) {
        let stamp = self.stamp();
        let mut kinesis = |inner, record: &KinesisRecord, records| {
            let bytes = kinesis_record_bytes(record, shard, &stamp);
            let write = |out: &mut Vec<u8>| write_kinesis_record(out, record, shard, &stamp);
            let record = sheets.write(bytes, records, write);
            written.push(Written { inner, record });
        };
        match (wanted, raw) {
            (Wanted::Nothing, _) => {}
            (Wanted::Inner(inner), _) => {
                let left = (1..=inner.len()).rev();
                for ((index, inner), left) in inner.iter().zip(left) {
                    kinesis(Some(*index), inner, left);
                }
            }
            (Wanted::Whole, Raw::Kinesis(record)) => kinesis(None, record, records),
            (Wanted::Whole, Raw::Dynamo(record)) => {
                let write = |out: &mut Vec<u8>| write_dynamodb_record(out, record, &stamp);
                let record = sheets.write(dynamodb_record_bytes(record), records, write);
                let inner = None;
                written.push(Written { inner, record });
            }
        }
    }

    /// The user records of an aggregate.
    fn packed<'r>(&self, record: &'r KinesisRecord) -> Option<Vec<kpl::Inner<'r>>> {
        let deaggregate = self.stream.deaggregate_kpl;
        deaggregate.then(|| kpl::deaggregate(record)).flatten()
    }
}
