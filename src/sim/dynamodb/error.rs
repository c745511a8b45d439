//! What DynamoDB and DynamoDB Streams answer when they refuse.

use bytes::Bytes;

use crate::sim::wire::response;

/// The content type of the AWS JSON 1.0 protocol.
pub(super) const JSON: &str = "application/x-amz-json-1.0";

/// A refusal by DynamoDB or its streams.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code:?}: {message}")]
pub struct DynamoError {
    /// Which one.
    pub code: Code,
    /// Says what is wrong.
    pub message: String,
}

/// The refusals that the embedded DynamoDB knows, by AWS's name without `Exception`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // AWS's own names.
pub enum Code {
    ExpiredIterator,
    InternalServerError,
    LimitExceeded,
    ResourceInUse,
    ResourceNotFound,
    Serialization,
    TrimmedDataAccess,
    UnknownOperation,
    Validation,
}

impl Code {
    /// The name of the shape.
    // API: DynamoDB and DynamoDB Streams, Errors of each operation and Common Errors
    fn shape(self) -> &'static str {
        match self {
            Self::ExpiredIterator => "com.amazonaws.dynamodb.v20120810#ExpiredIteratorException",
            Self::InternalServerError => "com.amazonaws.dynamodb.v20120810#InternalServerError",
            Self::LimitExceeded => "com.amazonaws.dynamodb.v20120810#LimitExceededException",
            Self::ResourceInUse => "com.amazonaws.dynamodb.v20120810#ResourceInUseException",
            Self::ResourceNotFound => "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
            Self::Serialization => "com.amazon.coral.service#SerializationException",
            Self::TrimmedDataAccess => {
                "com.amazonaws.dynamodb.v20120810#TrimmedDataAccessException"
            }
            Self::UnknownOperation => "com.amazon.coral.service#UnknownOperationException",
            Self::Validation => "com.amazon.coral.validate#ValidationException",
        }
    }

    /// This code with a message.
    pub(super) fn because(self, message: impl Into<String>) -> DynamoError {
        DynamoError {
            code: self,
            message: message.into(),
        }
    }
}

impl DynamoError {
    pub(super) fn response(&self) -> http::Response<Bytes> {
        let status = match self.code {
            Code::InternalServerError => 500,
            _ => 400,
        };
        refusal(status, self.code.shape(), &self.message)
    }
}

/// A refusal that is no business of DynamoDB itself, given by SQS's code: throttles, outages, credentials.
// API: DynamoDB, Error handling: credentials too are refused with 400
pub(in crate::sim) fn plain(code: &str, message: &str) -> http::Response<Bytes> {
    let (status, shape) = match code {
        "RequestThrottled" => (400, "com.amazon.coral.availability#ThrottlingException"),
        "InternalFailure" => (500, Code::InternalServerError.shape()),
        "ServiceUnavailable" => (503, "com.amazon.coral.service#ServiceUnavailable"),
        "AccessDeniedException" => (400, "com.amazon.coral.service#AccessDeniedException"),
        _ => (400, "com.amazon.coral.service#ExpiredTokenException"),
    };
    refusal(status, shape, message)
}

fn refusal(status: u16, shape: &str, message: &str) -> http::Response<Bytes> {
    let body = serde_json::json!({ "__type": shape, "message": message }).to_string();
    response(status, JSON, body.into())
}
