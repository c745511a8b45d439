//! What the clients in process called, by the name under which a policy of IAM allows it: the service under test and nobody else,
//! since tests make what they need without a call.

use std::collections::BTreeSet;

use super::{faults::Operation, kinesis::KinesisOperation as Kinesis, world::World};

/// What a policy would have to allow for a call that the embedded AWS does not know: nothing allows it.
const UNKNOWN: &str = "unknown";

impl World {
    /// The actions that were called so far, refused calls included: whoever is refused asked all the same.
    pub fn actions(&self) -> BTreeSet<&'static str> {
        self.lock().called.iter().copied().map(action).collect()
    }

    pub(super) fn called(&self, operation: Operation) {
        self.lock().called.insert(operation);
    }
}

/// One permission is for an operation and for its batches.
// API: Service Authorization Reference, Actions defined by Amazon SQS, AWS Lambda, Amazon DynamoDB, Amazon Kinesis Data Streams,
// Amazon SNS, Amazon S3
fn action(operation: Operation) -> &'static str {
    match operation {
        Operation::ChangeMessageVisibility | Operation::ChangeMessageVisibilityBatch => {
            "sqs:ChangeMessageVisibility"
        }
        Operation::CreateQueue => "sqs:CreateQueue",
        Operation::DeleteMessage | Operation::DeleteMessageBatch => "sqs:DeleteMessage",
        Operation::DeleteQueue => "sqs:DeleteQueue",
        Operation::GetQueueAttributes => "sqs:GetQueueAttributes",
        Operation::GetQueueUrl => "sqs:GetQueueUrl",
        Operation::ListQueues => "sqs:ListQueues",
        Operation::PurgeQueue => "sqs:PurgeQueue",
        Operation::ReceiveMessage => "sqs:ReceiveMessage",
        Operation::SendMessage | Operation::SendMessageBatch => "sqs:SendMessage",
        Operation::SetQueueAttributes => "sqs:SetQueueAttributes",
        Operation::GetFunction => "lambda:GetFunction",
        Operation::GetFunctionConfiguration => "lambda:GetFunctionConfiguration",
        Operation::Invoke => "lambda:InvokeFunction",
        Operation::BatchWriteItem => "dynamodb:BatchWriteItem",
        Operation::CreateTable => "dynamodb:CreateTable",
        Operation::DeleteItem => "dynamodb:DeleteItem",
        Operation::DeleteTable => "dynamodb:DeleteTable",
        Operation::DescribeTable => "dynamodb:DescribeTable",
        Operation::GetItem => "dynamodb:GetItem",
        Operation::PutItem => "dynamodb:PutItem",
        Operation::UpdateItem => "dynamodb:UpdateItem",
        Operation::UpdateTable => "dynamodb:UpdateTable",
        Operation::StreamsDescribeStream => "dynamodb:DescribeStream",
        Operation::StreamsGetRecords => "dynamodb:GetRecords",
        Operation::StreamsGetShardIterator => "dynamodb:GetShardIterator",
        Operation::StreamsListStreams => "dynamodb:ListStreams",
        Operation::CreateTopic => "sns:CreateTopic",
        Operation::Publish => "sns:Publish",
        Operation::CreateBucket => "s3:CreateBucket",
        Operation::GetObject => "s3:GetObject",
        Operation::PutObject => "s3:PutObject",
        Operation::Kinesis(operation) => of_kinesis(operation),
        Operation::Unknown => UNKNOWN,
    }
}

fn of_kinesis(operation: Kinesis) -> &'static str {
    match operation {
        Kinesis::CreateStream => "kinesis:CreateStream",
        Kinesis::DecreaseStreamRetentionPeriod => "kinesis:DecreaseStreamRetentionPeriod",
        Kinesis::DeleteStream => "kinesis:DeleteStream",
        Kinesis::DeregisterStreamConsumer => "kinesis:DeregisterStreamConsumer",
        Kinesis::DescribeStream => "kinesis:DescribeStream",
        Kinesis::DescribeStreamConsumer => "kinesis:DescribeStreamConsumer",
        Kinesis::DescribeStreamSummary => "kinesis:DescribeStreamSummary",
        Kinesis::GetRecords => "kinesis:GetRecords",
        Kinesis::GetShardIterator => "kinesis:GetShardIterator",
        Kinesis::IncreaseStreamRetentionPeriod => "kinesis:IncreaseStreamRetentionPeriod",
        Kinesis::ListShards => "kinesis:ListShards",
        Kinesis::ListStreamConsumers => "kinesis:ListStreamConsumers",
        Kinesis::ListStreams => "kinesis:ListStreams",
        Kinesis::MergeShards => "kinesis:MergeShards",
        Kinesis::PutRecord => "kinesis:PutRecord",
        Kinesis::PutRecords => "kinesis:PutRecords",
        Kinesis::RegisterStreamConsumer => "kinesis:RegisterStreamConsumer",
        Kinesis::SplitShard => "kinesis:SplitShard",
        Kinesis::SubscribeToShard => "kinesis:SubscribeToShard",
        Kinesis::UpdateShardCount => "kinesis:UpdateShardCount",
    }
}
