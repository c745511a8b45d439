//! Records to the JSON that the function receives, byte for byte as AWS writes it: one file a kind of source.
//!
//! A record is written once, when it arrives: its length is then known exactly, and an event is its records put together.

mod chunks;
mod dynamodb;
mod kinesis;
mod piece;
mod queue;
mod window;

pub use self::chunks::Event;
pub(in crate::model) use self::dynamodb::whole_seconds;
pub use self::dynamodb::{dynamodb_record, dynamodb_record_bytes, write_dynamodb_record};
pub(in crate::model) use self::kinesis::seconds;
pub use self::kinesis::{kinesis_record, kinesis_record_bytes, write_kinesis_record};
pub use self::piece::{Piece, Sheets, Spot};
pub use self::queue::{QueueStamp, queue_record, queue_record_bytes, write_queue_record};
pub use self::window::{WindowEnvelope, window_event, window_event_bytes};

/// What one invocation may carry: AWS's synchronous payload limit, 6 MiB. // spec: 1.7, 10
pub const EVENT_BYTES_MAX: usize = 6 * 1024 * 1024;

const OPEN: &str = "{\"Records\":[";
const CLOSE: &str = "]}";

/// What is the same in every record of a stream's mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamStamp {
    /// The mapping's `EventSourceArn` as given: a consumer's where the mapping names one.
    pub arn: String,
    /// The stream's region.
    pub region: String,
    /// The role of the function, which only Kinesis records tell. Where it is not known (a function outside of AWS, or
    /// no right to ask) they carry an empty string: common parsers refuse a record without one, or with null.
    pub identity_arn: Option<String>,
}

/// How long the event of records of these lengths is.
pub fn event_bytes(lengths: impl Iterator<Item = usize>) -> usize {
    OPEN.len() + CLOSE.len() + list_bytes(lengths)
}

fn list_bytes(lengths: impl Iterator<Item = usize>) -> usize {
    let (count, sum) = lengths.fold((0, 0), |(count, sum), length| (count + 1, sum + length));
    sum + usize::saturating_sub(count, 1)
}

/// Texts at the end of bytes that are UTF-8.
trait PushStr {
    fn push_str(&mut self, text: &str);
}

impl PushStr for Vec<u8> {
    fn push_str(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }
}

/// What was written of texts alone.
fn utf8(written: Vec<u8>) -> String {
    String::from_utf8(written).expect("it was written of texts")
}

/// A JSON string: the two marks that must be escaped, and control characters; everything else goes as it is.
fn text(out: &mut Vec<u8>, value: &str) {
    text_of(out, value.as_bytes());
}

/// The same of the bytes of a text, for who has those.
fn text_of(out: &mut Vec<u8>, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let (mut plain, mut at) = (0, 0);
    while let Some(found) = escaped(&bytes[at..]) {
        at += found;
        out.extend_from_slice(&bytes[plain..at]);
        match bytes[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            control => {
                out.push_str("\\u00");
                out.push(HEX[usize::from(control >> 4)]);
                out.push(HEX[usize::from(control & 15)]);
            }
        }
        at += 1;
        plain = at;
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}

/// How many bytes of a text can not stand in a JSON string as they are. As many are looked at together as a byte can count.
fn escapes(value: &str) -> usize {
    const TOGETHER: usize = 128;
    let count = |chunk: &[u8]| chunk.iter().map(|byte| u8::from(is_odd(*byte))).sum::<u8>();
    let chunks = value.as_bytes().chunks(TOGETHER);
    chunks.map(|chunk| usize::from(count(chunk))).sum()
}

fn is_odd(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The first byte that can not stand in a JSON string as it is. Sixteen are looked at together: most texts have long stretches
/// without one.
fn escaped(bytes: &[u8]) -> Option<usize> {
    const TOGETHER: usize = 16;
    let any = |chunk: &[u8]| chunk.iter().fold(false, |any, byte| any | is_odd(*byte));
    let skipped = bytes.chunks_exact(TOGETHER).take_while(|chunk| !any(chunk));
    let start = skipped.count() * TOGETHER;
    let found = bytes[start..].iter().position(|byte| is_odd(*byte));
    found.map(|found| start + found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_serde_json_escapes_them() {
        for value in [
            "",
            "a",
            "\"",
            "\\",
            "\n\r\t\u{8}\u{c}",
            "\u{0}\u{1f}\u{7f}",
            "é😀",
            "a\"b\\c\nd",
            "sixteen bytes at once, and then \" one of them, and many \u{1} more, to the very last one\\",
            "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"",
        ] {
            let mut out = Vec::new();
            text(&mut out, value);
            assert_eq!(utf8(out), serde_json::to_string(value).unwrap());
        }
    }
}
