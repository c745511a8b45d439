//! Event-stream framing: what SubscribeToShard answers in.
// API: Smithy, Amazon Event Stream Specification: prelude, headers, payload, and a checksum over all

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use serde_json::{Value, json};

use super::error::KinesisError;

/// The content type of a stream of frames.
pub(super) const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

/// The frame before the first event.
pub(super) fn initial() -> Bytes {
    frame("event", ":event-type", "initial-response", &json!({}))
}

/// An event.
pub(super) fn event(event: &Value) -> Bytes {
    frame("event", ":event-type", "SubscribeToShardEvent", event)
}

/// The refusal that ends a stream of events.
pub(super) fn exception(error: &KinesisError) -> Bytes {
    let body = json!({ "message": error.message });
    frame("exception", ":exception-type", error.code.name(), &body)
}

/// The same frame with a checksum that does not fit.
pub(super) fn broken(frame: &Bytes) -> Bytes {
    let mut bytes = frame.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 0xff;
    }
    bytes.into()
}

fn frame(message_type: &'static str, key: &'static str, kind: &'static str, body: &Value) -> Bytes {
    let text = |value: &'static str| HeaderValue::String(value.into());
    let message = Message::new(body.to_string())
        .add_header(Header::new(":message-type", text(message_type)))
        .add_header(Header::new(key, text(kind)))
        .add_header(Header::new(":content-type", text("application/json")));
    let mut bytes = Vec::new();
    // Three short headers and a payload below 16 MiB are within every bound of the format.
    write_message_to(&message, &mut bytes).expect("the message fits into a frame");
    bytes.into()
}
