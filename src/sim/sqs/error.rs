//! What SQS answers when it refuses: the shape's name for JSON clients, and the older query code in a header, which SDKs match on.

use bytes::Bytes;
use http::HeaderName;

use crate::sim::wire::{response, set_header};

/// The content type of the AWS JSON 1.0 protocol.
pub(super) const JSON: &str = "application/x-amz-json-1.0";

/// A refusal by SQS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code:?}: {message}")]
pub struct SqsError {
    /// Which one.
    pub code: Code,
    /// AWS's text.
    pub message: String,
}

/// The refusals that the embedded SQS knows, by the name of their shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // AWS's own names.
pub enum Code {
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    EmptyBatchRequest,
    InternalFailure,
    InvalidAction,
    InvalidAttributeName,
    InvalidAttributeValue,
    InvalidBatchEntryId,
    InvalidMessageContents,
    InvalidParameterValue,
    MessageNotInflight,
    MissingParameter,
    OverLimit,
    PurgeQueueInProgress,
    QueueDeletedRecently,
    QueueDoesNotExist,
    QueueNameExists,
    ReceiptHandleIsInvalid,
    Serialization,
    TooManyEntriesInBatchRequest,
}

impl Code {
    /// The name of the shape and the query code.
    // API: SQS, Common errors, and the awsQueryError traits of the service model
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::BatchEntryIdsNotDistinct => (
                "com.amazonaws.sqs#BatchEntryIdsNotDistinct",
                "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            ),
            Self::BatchRequestTooLong => (
                "com.amazonaws.sqs#BatchRequestTooLong",
                "AWS.SimpleQueueService.BatchRequestTooLong",
            ),
            Self::EmptyBatchRequest => (
                "com.amazonaws.sqs#EmptyBatchRequest",
                "AWS.SimpleQueueService.EmptyBatchRequest",
            ),
            Self::InternalFailure => (
                "com.amazon.coral.service#InternalFailure",
                "InternalFailure",
            ),
            Self::InvalidAction => (
                "com.amazon.coral.service#UnknownOperationException",
                "InvalidAction",
            ),
            Self::InvalidAttributeName => (
                "com.amazonaws.sqs#InvalidAttributeName",
                "InvalidAttributeName",
            ),
            Self::InvalidAttributeValue => (
                "com.amazonaws.sqs#InvalidAttributeValue",
                "InvalidAttributeValue",
            ),
            Self::InvalidBatchEntryId => (
                "com.amazonaws.sqs#InvalidBatchEntryId",
                "AWS.SimpleQueueService.InvalidBatchEntryId",
            ),
            Self::InvalidMessageContents => (
                "com.amazonaws.sqs#InvalidMessageContents",
                "InvalidMessageContents",
            ),
            Self::InvalidParameterValue => (
                "com.amazon.coral.service#InvalidParameterValueException",
                "InvalidParameterValue",
            ),
            Self::MessageNotInflight => (
                "com.amazonaws.sqs#MessageNotInflight",
                "AWS.SimpleQueueService.MessageNotInflight",
            ),
            Self::MissingParameter => (
                "com.amazon.coral.service#MissingRequiredParameterException",
                "MissingParameter",
            ),
            Self::OverLimit => ("com.amazonaws.sqs#OverLimit", "OverLimit"),
            Self::PurgeQueueInProgress => (
                "com.amazonaws.sqs#PurgeQueueInProgress",
                "AWS.SimpleQueueService.PurgeQueueInProgress",
            ),
            Self::QueueDeletedRecently => (
                "com.amazonaws.sqs#QueueDeletedRecently",
                "AWS.SimpleQueueService.QueueDeletedRecently",
            ),
            Self::QueueDoesNotExist => (
                "com.amazonaws.sqs#QueueDoesNotExist",
                "AWS.SimpleQueueService.NonExistentQueue",
            ),
            Self::QueueNameExists => ("com.amazonaws.sqs#QueueNameExists", "QueueAlreadyExists"),
            Self::ReceiptHandleIsInvalid => (
                "com.amazonaws.sqs#ReceiptHandleIsInvalid",
                "ReceiptHandleIsInvalid",
            ),
            Self::Serialization => (
                "com.amazon.coral.service#SerializationException",
                "MalformedInput",
            ),
            Self::TooManyEntriesInBatchRequest => (
                "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            ),
        }
    }

    /// The code that a failed entry of a batch carries.
    pub(super) fn entry_code(self) -> &'static str {
        self.names().1
    }

    /// This code with a message.
    pub(super) fn because(self, message: impl Into<String>) -> SqsError {
        SqsError {
            code: self,
            message: message.into(),
        }
    }
}

impl SqsError {
    /// `Value <value> for parameter <name> is invalid. Reason: <reason>`, as SQS words it.
    pub(super) fn value(value: impl std::fmt::Display, name: &str, reason: &str) -> Self {
        Code::InvalidParameterValue.because(format!(
            "Value {value} for parameter {name} is invalid. Reason: {reason}"
        ))
    }

    /// A required parameter is absent.
    pub(super) fn missing(name: &str) -> Self {
        Code::MissingParameter.because(format!("The request must contain the parameter {name}."))
    }

    pub(super) fn response(&self) -> http::Response<Bytes> {
        let (shape, code) = self.code.names();
        refusal(400, shape, code, &self.message)
    }
}

/// A refusal that is no business of SQS itself: throttles, outages, credentials.
pub(in crate::sim) fn plain(status: u16, code: &str, message: &str) -> http::Response<Bytes> {
    let shape = match code {
        "RequestThrottled" => "com.amazonaws.sqs#RequestThrottled".to_owned(),
        _ => format!("com.amazon.coral.service#{code}"),
    };
    refusal(status, &shape, code, message)
}

fn refusal(status: u16, shape: &str, code: &str, message: &str) -> http::Response<Bytes> {
    let body = serde_json::json!({ "__type": shape, "message": message }).to_string();
    let mut refusal = response(status, JSON, body.into());
    let party = if status < 500 { "Sender" } else { "Receiver" };
    set_header(
        &mut refusal,
        HeaderName::from_static("x-amzn-query-error"),
        &format!("{code};{party}"),
    );
    refusal
}
