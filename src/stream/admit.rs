//! A record that was read becomes the event records that the function sees: none, where a filter drops it. // spec: 2, 7

use crate::aws::stream::Records;
use crate::model::event::{dynamodb_record, kinesis_record};
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
    pub record: String,
}

impl Written {
    fn whole(record: String) -> Self {
        Self {
            inner: None,
            record,
        }
    }
}

impl Engine {
    /// The event records of a record; several, where the Kinesis Producer Library packed user records into it, of which
    /// the first `begun` are settled already.
    pub(super) fn written(&self, shard: &str, raw: &Raw, begun: u32) -> Vec<Written> {
        let stamp = self.stamp();
        let mut dropped = 0;
        let mut keep = |kept: bool| {
            dropped += usize::from(!kept);
            kept
        };
        let records: Vec<Written> = match raw {
            Raw::Dynamo(record) => keep(self.filters.keeps(record))
                .then(|| Written::whole(dynamodb_record(record, &stamp)))
                .into_iter()
                .collect(),
            Raw::Kinesis(record) => {
                let packed = self
                    .stream
                    .deaggregate_kpl
                    .then(|| kpl::deaggregate(record))
                    .flatten();
                match packed {
                    Some(packed) => (0..)
                        .zip(&packed)
                        .skip(begun as usize)
                        .map(|(index, inner)| (index, inner.record(record)))
                        .filter(|(_, inner)| keep(self.filters.keeps(inner)))
                        .map(|(index, inner)| Written {
                            inner: Some(index),
                            record: kinesis_record(&inner, shard, &stamp),
                        })
                        .collect(),
                    None => keep(self.filters.keeps(record))
                        .then(|| Written::whole(kinesis_record(record, shard, &stamp)))
                        .into_iter()
                        .collect(),
                }
            }
        };
        if dropped > 0 {
            self.metrics.record_filtered_out(dropped);
        }
        records
    }
}
