//! The operations of the embedded Kinesis. A kind of its own, because DynamoDB Streams has operations of the same names.

/// An operation of Kinesis, by AWS's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // AWS's own names.
pub enum KinesisOperation {
    CreateStream,
    DecreaseStreamRetentionPeriod,
    DeleteStream,
    DeregisterStreamConsumer,
    DescribeStream,
    DescribeStreamConsumer,
    DescribeStreamSummary,
    GetRecords,
    GetShardIterator,
    IncreaseStreamRetentionPeriod,
    ListShards,
    ListStreamConsumers,
    ListStreams,
    MergeShards,
    PutRecord,
    PutRecords,
    RegisterStreamConsumer,
    SplitShard,
    SubscribeToShard,
    UpdateShardCount,
}

impl KinesisOperation {
    const ALL: [Self; 20] = [
        Self::CreateStream,
        Self::DecreaseStreamRetentionPeriod,
        Self::DeleteStream,
        Self::DeregisterStreamConsumer,
        Self::DescribeStream,
        Self::DescribeStreamConsumer,
        Self::DescribeStreamSummary,
        Self::GetRecords,
        Self::GetShardIterator,
        Self::IncreaseStreamRetentionPeriod,
        Self::ListShards,
        Self::ListStreamConsumers,
        Self::ListStreams,
        Self::MergeShards,
        Self::PutRecord,
        Self::PutRecords,
        Self::RegisterStreamConsumer,
        Self::SplitShard,
        Self::SubscribeToShard,
        Self::UpdateShardCount,
    ];

    /// The operation of this name; none for what the embedded Kinesis does not have.
    pub(in crate::sim) fn named(name: &str) -> Option<Self> {
        // The variants are AWS's names, so their Debug text is too.
        Self::ALL
            .into_iter()
            .find(|operation| format!("{operation:?}") == name)
    }

    /// Whether records go through it, so that it is refused for throughput and not for its own rate.
    pub(super) fn moves_records(self) -> bool {
        matches!(
            self,
            Self::GetRecords | Self::GetShardIterator | Self::PutRecord | Self::PutRecords
        )
    }
}
