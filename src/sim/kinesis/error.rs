//! What Kinesis answers when it refuses.

use bytes::Bytes;

use super::KinesisOperation;
use crate::sim::wire::response;

/// The content type of the AWS JSON 1.1 protocol.
pub(super) const JSON: &str = "application/x-amz-json-1.1";

/// A refusal by Kinesis.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code:?}: {message}")]
pub struct KinesisError {
    /// Which one.
    pub code: Code,
    /// AWS's text.
    pub message: String,
}

/// The refusals that the embedded Kinesis knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // AWS's own names.
pub enum Code {
    ExpiredIteratorException,
    ExpiredNextTokenException,
    InternalFailure,
    InvalidArgumentException,
    LimitExceededException,
    ProvisionedThroughputExceededException,
    ResourceInUseException,
    ResourceNotFoundException,
    SerializationException,
    UnknownOperationException,
    ValidationException,
}

impl Code {
    /// AWS's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ExpiredIteratorException => "ExpiredIteratorException",
            Self::ExpiredNextTokenException => "ExpiredNextTokenException",
            Self::InternalFailure => "InternalFailure",
            Self::InvalidArgumentException => "InvalidArgumentException",
            Self::LimitExceededException => "LimitExceededException",
            Self::ProvisionedThroughputExceededException => {
                "ProvisionedThroughputExceededException"
            }
            Self::ResourceInUseException => "ResourceInUseException",
            Self::ResourceNotFoundException => "ResourceNotFoundException",
            Self::SerializationException => "SerializationException",
            Self::UnknownOperationException => "UnknownOperationException",
            Self::ValidationException => "ValidationException",
        }
    }

    /// This code with a message.
    pub(super) fn because(self, message: impl Into<String>) -> KinesisError {
        KinesisError {
            code: self,
            message: message.into(),
        }
    }
}

impl KinesisError {
    /// A request that the service's model forbids.
    pub(super) fn missing(name: &str) -> Self {
        Code::ValidationException.because(format!(
            "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must not be null"
        ))
    }

    pub(super) fn response(&self) -> http::Response<Bytes> {
        refusal(400, self.code.name(), &self.message)
    }
}

/// A refusal that is no business of Kinesis itself: outages, credentials.
pub(in crate::sim) fn plain(status: u16, code: &str, message: &str) -> http::Response<Bytes> {
    refusal(status, code, message)
}

/// A refusal for the rate: of the records, or of the operation as such.
// API: GetRecords, ProvisionedThroughputExceededException; ListShards, LimitExceededException
pub(in crate::sim) fn throttled(operation: KinesisOperation) -> http::Response<Bytes> {
    if operation.moves_records() {
        Code::ProvisionedThroughputExceededException
            .because("Rate exceeded for shard.")
            .response()
    } else {
        Code::LimitExceededException
            .because("Rate exceeded for stream.")
            .response()
    }
}

fn refusal(status: u16, code: &str, message: &str) -> http::Response<Bytes> {
    let body = serde_json::json!({ "__type": code, "message": message }).to_string();
    response(status, JSON, body.into())
}
