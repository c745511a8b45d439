//! The kinds of sources whose records patterns are asked about, and what a record of each has at which key.

use std::fmt;

use super::value::{Fields, Wanted};
use super::{dynamodb, kinesis, message};
use crate::model::record::{DynamoRecord, KinesisRecord, Message};

/// Decides what a record looks like to patterns, and which patterns are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A queue.
    Sqs,
    /// A Kinesis stream.
    Kinesis,
    /// A DynamoDB stream.
    DynamoDb,
}

/// What filters are asked about.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A message of a queue.
    Message(&'a Message<'a>),
    /// A record of a Kinesis stream, or a record that was packed into one.
    Kinesis(&'a KinesisRecord),
    /// A record of a DynamoDB stream.
    DynamoDb(&'a DynamoRecord),
}

/// What a record has at a path, as far as it is known beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// No record has it while filters run.
    Nothing,
    /// An object, in which only the keys are leaves.
    Object,
    /// The value of an attribute without its type, where only an object can be.
    Untyped,
    Text,
    /// A string that only ever is one of these.
    OneOf(&'static [&'static str]),
    /// A queue's body: a string if it is no JSON object or array.
    Body,
    /// Digits in a string: DynamoDB's `N`.
    NumberText,
    Number,
    Bool,
    /// The sender decides.
    Anything,
}

impl Source {
    /// The key whose value is always matched as JSON: a pattern may only name keys inside it. // spec: 7.3
    pub(super) fn json_only(self) -> Option<&'static str> {
        match self {
            Source::Sqs => None,
            Source::Kinesis => Some("data"),
            Source::DynamoDb => Some("dynamodb"),
        }
    }

    pub(super) fn holds(self, path: &str) -> Holds {
        match self {
            Source::Sqs => message::holds(path),
            Source::Kinesis => kinesis::holds(path),
            Source::DynamoDb => dynamodb::holds(path),
        }
    }
}

/// One of its records, as people call it.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Sqs => "SQS message",
            Source::Kinesis => "Kinesis record",
            Source::DynamoDb => "DynamoDB record",
        })
    }
}

impl<'a> Subject<'a> {
    /// What the wanted keys hold.
    pub(super) fn view(self, wanted: &Wanted) -> Fields<'a> {
        match self {
            Subject::Message(message) => message::view(wanted, message),
            Subject::Kinesis(record) => kinesis::view(wanted, record),
            Subject::DynamoDb(record) => dynamodb::view(wanted, record),
        }
    }
}

impl<'a> From<&'a Message<'a>> for Subject<'a> {
    fn from(message: &'a Message<'a>) -> Self {
        Subject::Message(message)
    }
}

impl<'a> From<&'a KinesisRecord> for Subject<'a> {
    fn from(record: &'a KinesisRecord) -> Self {
        Subject::Kinesis(record)
    }
}

impl<'a> From<&'a DynamoRecord> for Subject<'a> {
    fn from(record: &'a DynamoRecord) -> Self {
        Subject::DynamoDb(record)
    }
}
