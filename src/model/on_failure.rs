//! The record of a discard, byte for byte as AWS writes it. // spec: 6.1, 6.2

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::record::SequenceNumber;
use super::utc::Utc;

/// What is told of records that leave our care unhandled. It names one delivery for good: told twice, it is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnFailure {
    /// The id of the last invocation; a random UUID where there was none.
    pub request_id: String,
    /// The function's ARN, with the qualifier as configured.
    pub function_arn: String,
    /// Why they are given up.
    pub condition: Condition,
    /// Invocations with exactly these records; 1 where there was none. // spec: 5.4, 5.7
    pub invoke_count: u32,
    /// What the last invocation made of them; `None` for records that are too old, or too large ever to be sent.
    pub response: Option<Response>,
    /// When they are given up, milliseconds since 1970.
    pub at_ms: u64,
    /// The kind of their stream.
    pub source: Source,
    /// Their shard.
    pub shard: String,
    /// The mapping's `EventSourceArn`: of a consumer, the consumer's. // spec: 2.2
    pub stream_arn: String,
    /// Which records; `None` for the final invocation of a window, which has none.
    pub records: Option<Records>,
    /// The tumbling window they belong to.
    pub window: Option<Window>,
    /// The event that the function was or would have been sent, a JSON text.
    pub event: Option<Event>,
    /// A random UUID: the last part of the object's key in S3.
    pub object_id: String,
}

/// Why records are given up. AWS has no other for streams. // spec: 6.1
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Condition {
    /// The retries are used up.
    RetryAttemptsExhausted,
    /// They are older than the mapping allows.
    RecordAgeExceeded,
}

/// What the last invocation answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// `$LATEST` or a number.
    pub executed_version: String,
    /// `Unhandled` where the function failed; `None` where it answered, and the answer was no success.
    pub function_error: Option<String>,
}

/// The kind of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Times of arrival are known to the millisecond.
    Kinesis,
    /// Times of arrival are known to the second.
    DynamoDb,
}

/// A stretch of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    /// The first record's place.
    pub first: SequenceNumber,
    /// The last record's place.
    pub last: SequenceNumber,
    /// When the first arrived, milliseconds since 1970.
    pub first_arrived_ms: u64,
    /// When the last arrived, likewise.
    pub last_arrived_ms: u64,
    /// How many they are, at least 1: what a filter dropped in between does not count.
    pub count: usize,
}

/// A tumbling window. // spec: 5.8
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its beginning, milliseconds since 1970: whole seconds.
    pub start_ms: u64,
    /// Its end, likewise.
    pub end_ms: u64,
    /// No record of it comes after.
    pub final_invoke: bool,
    /// Its state outgrew the limit.
    pub terminated_early: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    request_context: RequestContext<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_context: Option<ResponseContext<'a>>,
    version: &'static str,
    timestamp: String,
    #[serde(rename = "KinesisBatchInfo", skip_serializing_if = "Option::is_none")]
    kinesis: Option<BatchInfo<'a>>,
    #[serde(rename = "DDBStreamBatchInfo", skip_serializing_if = "Option::is_none")]
    dynamodb: Option<BatchInfo<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_window_info: Option<TimeWindowInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    request_id: &'a str,
    function_arn: &'a str,
    condition: Condition,
    approximate_invoke_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseContext<'a> {
    status_code: u16,
    executed_version: &'a str,
    function_error: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchInfo<'a> {
    shard_id: &'a str,
    #[serde(flatten)]
    stretch: Option<Stretch<'a>>,
    stream_arn: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stretch<'a> {
    start_sequence_number: &'a str,
    end_sequence_number: &'a str,
    approximate_arrival_of_first_record: String,
    approximate_arrival_of_last_record: String,
    batch_size: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TimeWindowInfo {
    window: Bounds,
    is_final_invoke_for_window: bool,
    is_window_terminated_early: bool,
}

#[derive(Serialize)]
struct Bounds {
    start: String,
    end: String,
}

impl OnFailure {
    /// The record as JSON, without the event: what SQS and SNS are sent.
    pub fn text(&self) -> String {
        written(&self.document())
    }

    /// The record with the event as an escaped string, where there is an event: what S3 is sent. // spec: 6.2
    pub fn text_with_event(&self) -> String {
        let event = self.event.as_ref().map(Event::text);
        written(&Document {
            payload: event.as_deref().map(String::from_utf8_lossy),
            ..self.document()
        })
    }

    /// The object's key in S3, for the mapping with this UUID. // spec: 6.2
    pub fn key(&self, mapping: &str) -> String {
        let at = Utc::at(self.at_ms);
        format!(
            "aws/lambda/{mapping}/{}/{:04}/{:02}/{:02}/{}T{:02}.{:02}.{:02}-{}",
            self.shard,
            at.year,
            at.month,
            at.day,
            at.date(),
            at.hour,
            at.minute,
            at.second,
            self.object_id
        )
    }

    fn document(&self) -> Document<'_> {
        let (kinesis, dynamodb) = match self.source {
            Source::Kinesis => (Some(self.batch_info()), None),
            Source::DynamoDb => (None, Some(self.batch_info())),
        };
        Document {
            request_context: RequestContext {
                request_id: &self.request_id,
                function_arn: &self.function_arn,
                condition: self.condition,
                approximate_invoke_count: self.invoke_count,
            },
            response_context: self.response.as_ref().map(|response| ResponseContext {
                status_code: 200,
                executed_version: &response.executed_version,
                function_error: response.function_error.as_deref(),
            }),
            version: "1.0",
            timestamp: Utc::at(self.at_ms).milliseconds(),
            kinesis,
            dynamodb,
            time_window_info: self.window.map(time_window_info),
            payload: None,
        }
    }

    fn batch_info(&self) -> BatchInfo<'_> {
        let arrived = |ms| match self.source {
            Source::Kinesis => Utc::at(ms).milliseconds(),
            Source::DynamoDb => Utc::at(ms).seconds(),
        };
        BatchInfo {
            shard_id: &self.shard,
            stretch: self.records.as_ref().map(|records| Stretch {
                start_sequence_number: records.first.as_str(),
                end_sequence_number: records.last.as_str(),
                approximate_arrival_of_first_record: arrived(records.first_arrived_ms),
                approximate_arrival_of_last_record: arrived(records.last_arrived_ms),
                batch_size: records.count,
            }),
            stream_arn: &self.stream_arn,
        }
    }
}

fn time_window_info(window: Window) -> TimeWindowInfo {
    TimeWindowInfo {
        window: Bounds {
            start: Utc::at(window.start_ms).seconds(),
            end: Utc::at(window.end_ms).seconds(),
        },
        is_final_invoke_for_window: window.final_invoke,
        is_window_terminated_early: window.terminated_early,
    }
}

fn written(document: &Document<'_>) -> String {
    serde_json::to_string(document).expect("texts, numbers and words always make JSON")
}

#[cfg(test)]
mod tests;
