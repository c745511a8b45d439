//! The event of a tumbling window: records, and beside them the window and its state. // spec: 2.4

use super::{Event, OPEN, Piece, PushStr as _, list_bytes, text};
use crate::model::utc::Utc;

/// What stands beside the records and is not the state: about 320 bytes with an ARN of usual length.
const REST_BYTES: usize = 512;

/// What stands beside the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowEnvelope<'a> {
    /// The shard whose window it is.
    pub shard_id: &'a str,
    /// The mapping's `EventSourceArn`.
    pub arn: &'a str,
    /// The window's beginning, milliseconds since 1970: a whole second, as windows are multiples of seconds.
    pub start_ms: u64,
    /// The window's end, likewise: the first moment that is not in it.
    pub end_ms: u64,
    /// What the function returned last, a JSON text that goes in as it is; `{}` at the beginning.
    pub state: &'a str,
    /// No record of this window comes after.
    pub final_invoke: bool,
    /// The state outgrew its limit, so that the window ends before its time.
    pub terminated_early: bool,
}

/// The event of these records, none on a final invocation, in their order.
pub fn window_event(records: &mut [&mut Piece], envelope: &WindowEnvelope<'_>) -> Event {
    let mut rest = Vec::with_capacity(envelope.state.len() + REST_BYTES);
    close(&mut rest, envelope);
    Event::closed_by(records, &rest)
}

/// How long the event of records of these lengths is.
pub fn window_event_bytes(
    lengths: impl Iterator<Item = usize>,
    envelope: &WindowEnvelope<'_>,
) -> usize {
    // The state may be large and is not copied to be measured; the rest is short.
    let mut stateless = Vec::new();
    close(
        &mut stateless,
        &WindowEnvelope {
            state: "",
            ..*envelope
        },
    );
    OPEN.len() + list_bytes(lengths) + stateless.len() + envelope.state.len()
}

fn close(out: &mut Vec<u8>, envelope: &WindowEnvelope<'_>) {
    out.push_str("],\"shardId\":");
    text(out, envelope.shard_id);
    out.push_str(",\"eventSourceARN\":");
    text(out, envelope.arn);
    out.push_str(",\"window\":{\"start\":");
    text(out, &Utc::at(envelope.start_ms).seconds());
    out.push_str(",\"end\":");
    text(out, &Utc::at(envelope.end_ms).seconds());
    out.push_str("},\"state\":");
    out.push_str(envelope.state);
    out.push_str(",\"isFinalInvokeForWindow\":");
    out.push_str(word(envelope.final_invoke));
    out.push_str(",\"isWindowTerminatedEarly\":");
    out.push_str(word(envelope.terminated_early));
    out.push(b'}');
}

fn word(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const ENVELOPE: WindowEnvelope<'_> = WindowEnvelope {
        shard_id: "shardId-000000000003",
        arn: "arn:aws:kinesis:us-east-1:111111111111:stream/clicks",
        start_ms: 1_789_654_270_000,
        end_ms: 1_789_654_280_000,
        state: r#"{"count":41}"#,
        final_invoke: false,
        terminated_early: false,
    };

    fn written(records: &[&str], envelope: &WindowEnvelope<'_>) -> Bytes {
        let pieces = records
            .iter()
            .map(|record| Piece::from(record.as_bytes().to_vec()));
        let mut pieces: Vec<Piece> = pieces.collect();
        window_event(&mut pieces.iter_mut().collect::<Vec<_>>(), envelope).text()
    }

    // spec: 2.4
    #[test]
    fn window_and_state_stand_beside_the_records() {
        assert_eq!(
            written(&[r#"{"a":1}"#, r#"{"b":2}"#], &ENVELOPE),
            r#"{"Records":[{"a":1},{"b":2}],"shardId":"shardId-000000000003","eventSourceARN":"arn:aws:kinesis:us-east-1:111111111111:stream/clicks","window":{"start":"2026-09-17T14:11:10Z","end":"2026-09-17T14:11:20Z"},"state":{"count":41},"isFinalInvokeForWindow":false,"isWindowTerminatedEarly":false}"#
        );
    }

    // spec: 5.8 the final invocation has no records
    #[test]
    fn a_final_invocation_has_the_state_and_no_records() {
        let last = WindowEnvelope {
            shard_id: "shardId-00000001789650000000-abcdef12",
            final_invoke: true,
            terminated_early: true,
            ..ENVELOPE
        };
        assert_eq!(
            written(&[], &last),
            r#"{"Records":[],"shardId":"shardId-00000001789650000000-abcdef12","eventSourceARN":"arn:aws:kinesis:us-east-1:111111111111:stream/clicks","window":{"start":"2026-09-17T14:11:10Z","end":"2026-09-17T14:11:20Z"},"state":{"count":41},"isFinalInvokeForWindow":true,"isWindowTerminatedEarly":true}"#
        );
    }

    #[test]
    fn a_window_event_is_as_long_as_foretold() {
        let large = format!(r#"{{"s":"{}"}}"#, "é".repeat(1000));
        for state in ["{}", &large] {
            for (final_invoke, terminated_early) in
                [(false, false), (true, false), (false, true), (true, true)]
            {
                let envelope = WindowEnvelope {
                    arn: "needs \"escapes\"\n",
                    state,
                    final_invoke,
                    terminated_early,
                    ..ENVELOPE
                };
                for records in [&[][..], &["{}"], &["{}", "{\"a\":1}", "{\"b\":22}"]] {
                    let event = written(records, &envelope);
                    let lengths = records.iter().map(|record| record.len());
                    assert_eq!(event.len(), window_event_bytes(lengths, &envelope));
                }
            }
        }
    }
}
