//! The data of a Kinesis record in either of its two forms: bytes, or base64, in which it comes and in which the function gets it.
//!
//! A record that nobody looks into passes as the text that it came as. Bytes are made where a filter, or an aggregate, asks for them.

use std::fmt;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

/// Characters that encode three bytes.
const QUAD: usize = 4;
/// So many bytes are looked at together.
const ALPHABET_BLOCK: usize = 64;
/// The longest beginning that `starts_with` is asked for.
const PREFIX_BYTES_MAX: usize = 12;

/// Data of a record.
#[derive(Clone)]
pub struct Data(Form);

/// The form that it came in.
#[derive(Clone)]
enum Form {
    Plain(Bytes),
    Base64 {
        /// Valid, with padding: letters, digits, `+`, `/` and `=`, no others.
        text: Bytes,
        /// Made when it is asked for.
        plain: OnceLock<Bytes>,
    },
}

/// It is not base64 with padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the data is not base64")]
pub struct NotBase64;

/// A text that is base64: the standard alphabet, padded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Base64<'a>(&'a [u8]);

impl<'a> Base64<'a> {
    /// What of the text may be base64, from its beginning on; nothing where that is none.
    pub fn begins(text: &'a [u8]) -> Option<Self> {
        let letters = alphabet_len(text);
        let is_padding = |byte: &&u8| **byte == b'=';
        let padding = text[letters..].iter().take_while(is_padding).count();
        let text = &text[..letters + padding];
        if !text.len().is_multiple_of(QUAD) {
            return None;
        }
        // Padding, and bits that would be lost, can only be in the last four.
        let last = text.len().saturating_sub(QUAD);
        let ends_well =
            letters >= last && STANDARD.decode_slice(&text[last..], &mut [0; 3]).is_ok();
        ends_well.then_some(Self(text))
    }

    /// The text.
    pub fn text(self) -> &'a [u8] {
        self.0
    }
}

impl Data {
    /// Data that came as base64: the standard alphabet, padded.
    ///
    /// # Errors
    /// It is anything else. What a decoder would refuse is not passed on.
    pub fn from_base64(text: Bytes) -> Result<Self, NotBase64> {
        let all = Base64::begins(&text).filter(|found| found.text().len() == text.len());
        all.ok_or(NotBase64)?;
        Ok(Self::from_checked(text))
    }

    /// The same of a copy of what [`Base64`] was found to be.
    pub fn from_checked(text: Bytes) -> Self {
        // To look at all of it again would be most of what a record costs in tests that count.
        debug_assert!(text.len().is_multiple_of(QUAD));
        Self(Form::Base64 {
            text,
            plain: OnceLock::new(),
        })
    }

    /// The bytes.
    pub fn plain(&self) -> &Bytes {
        match &self.0 {
            Form::Plain(plain) => plain,
            Form::Base64 { text, plain } => plain.get_or_init(|| {
                let decoded = STANDARD.decode(text);
                Bytes::from(decoded.expect("it was looked through when it came"))
            }),
        }
    }

    /// The text, while nobody has asked for the bytes.
    fn only_base64(&self) -> Option<&Bytes> {
        match &self.0 {
            Form::Base64 { text, plain } if plain.get().is_none() => Some(text),
            Form::Base64 { .. } | Form::Plain(_) => None,
        }
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        let Some(text) = self.only_base64() else {
            return self.plain().len();
        };
        let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
        text.len() / QUAD * 3 - padding
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it begins with these bytes, twelve at most.
    pub fn starts_with(&self, prefix: &[u8]) -> bool {
        debug_assert!(prefix.len() <= PREFIX_BYTES_MAX);
        let Some(text) = self.only_base64() else {
            return self.plain().starts_with(prefix);
        };
        let quads = prefix.len().div_ceil(3) * QUAD;
        let mut begins = [0; PREFIX_BYTES_MAX];
        let decoded = STANDARD.decode_slice(&text[..quads.min(text.len())], &mut begins);
        decoded.is_ok_and(|count| begins[..count].starts_with(prefix))
    }

    /// Write it as base64.
    pub fn write_base64(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Form::Base64 { text, .. } => out.extend_from_slice(text),
            Form::Plain(plain) => {
                let (start, length) = (out.len(), plain.len().div_ceil(3) * QUAD);
                out.resize(start + length, 0);
                let written = STANDARD.encode_slice(plain, &mut out[start..]);
                written.expect("there is room for it");
            }
        }
    }

    /// How long it is as base64.
    pub fn base64_len(&self) -> usize {
        self.len().div_ceil(3) * QUAD
    }
}

impl<T: Into<Bytes>> From<T> for Data {
    fn from(plain: T) -> Self {
        Self(Form::Plain(plain.into()))
    }
}

/// By its bytes, whatever form it came in.
impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.plain() == other.plain()
    }
}

impl Eq for Data {}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plain().fmt(f)
    }
}

/// How many bytes from the beginning are of the alphabet.
fn alphabet_len(text: &[u8]) -> usize {
    let (blocks, _) = text.as_chunks::<ALPHABET_BLOCK>();
    let is_whole = |block: &&[u8; ALPHABET_BLOCK]| {
        // Without a way out in the middle, so that many bytes are compared at once.
        let count = |found: u8, byte: &u8| found | u8::from(is_strange(*byte));
        block.iter().fold(0, count) == 0
    };
    let whole = blocks.iter().take_while(is_whole).count() * ALPHABET_BLOCK;
    let rest = text[whole..].iter().position(|byte| is_strange(*byte));
    rest.map_or(text.len(), |rest| whole + rest)
}

/// Whether it is not of the alphabet.
fn is_strange(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    let digit = byte.wrapping_sub(b'0') < 10;
    !(letter | digit | (byte == b'+') | (byte == b'/'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn encoded(bytes: &[u8]) -> Data {
        Data::from_base64(Bytes::from(STANDARD.encode(bytes))).unwrap()
    }

    #[test]
    fn both_forms_are_the_same_data() {
        let all: Vec<u8> = (0..=255).collect();
        for length in [0, 1, 2, 3, 4, 5, 255, 256] {
            let bytes = &all[..length];
            let (coded, plain) = (encoded(bytes), Data::from(bytes.to_vec()));
            assert_eq!((coded.len(), plain.len()), (length, length));
            assert_eq!(coded.is_empty(), length == 0);
            let mut texts = [Vec::new(), Vec::new()];
            coded.write_base64(&mut texts[0]);
            plain.write_base64(&mut texts[1]);
            assert_eq!(texts[0], texts[1]);
            assert_eq!(coded.base64_len(), texts[0].len());
            assert_eq!(plain.base64_len(), texts[0].len());
            assert_eq!(coded.plain(), bytes);
            assert_eq!(coded.len(), length);
            assert_eq!(coded, plain);
        }
        assert_ne!(encoded(b"a"), encoded(b"b"));
    }

    #[test]
    fn what_a_decoder_refuses_is_no_data() {
        for text in [
            "A", "AA", "AAA", "A===", "AA=A", "====", "AAAA=", "AA A", "AAAA\n", "AA-_",
            "AA==AAAA", "AB==", "ääää", "AAA\0",
        ] {
            assert_eq!(
                Data::from_base64(Bytes::from(text.to_owned())),
                Err(NotBase64),
                "{text}"
            );
            assert!(STANDARD.decode(text).is_err(), "{text}");
        }
        for byte in 0..=255_u8 {
            let text = [byte, b'A', b'A', b'A', b'A', b'A', b'A', b'A'];
            let taken = Data::from_base64(Bytes::copy_from_slice(&text)).is_ok();
            assert_eq!(taken, STANDARD.decode(text).is_ok(), "{byte}");
        }
    }

    #[test]
    fn base64_ends_where_something_else_begins_wherever_that_is() {
        for length in [0, 4, 60, 64, 68, 124, 128, 132, 200] {
            let letters = STANDARD.encode(vec![0xff; length / QUAD * 3]);
            for strange in ["", "\"", "\" and more", "-"] {
                let text = format!("{letters}{strange}");
                let found = Base64::begins(text.as_bytes()).map(Base64::text);
                assert_eq!(found, Some(letters.as_bytes()), "{length} {strange}");
            }
            for at in 0..length {
                let mut text = letters.clone().into_bytes();
                text[at] = b'"';
                let found = Base64::begins(&text).map(Base64::text);
                let whole = at.is_multiple_of(QUAD).then(|| &letters.as_bytes()[..at]);
                assert_eq!(found, whole, "{length} {at}");
                assert!(Data::from_base64(Bytes::from(text)).is_err());
            }
        }
    }

    #[test]
    fn a_beginning_is_found_in_either_form() {
        let bytes = [0xf3, 0x89, 0x9a, 0xc2, 1, 2];
        for data in [encoded(&bytes), Data::from(bytes.to_vec())] {
            for length in 0..=6 {
                assert!(data.starts_with(&bytes[..length]), "{length}");
            }
            assert!(!data.starts_with(&[0xf3, 0x89, 0x9a, 0xc3]));
            assert!(!data.starts_with(&[0xf3, 0x89, 0x9a, 0xc2, 1, 2, 3]));
        }
        assert!(!encoded(b"").starts_with(b"a"));
    }
}
