//! A record of GetRecords' answer in the spelling that all of them have but the odd one: texts without an escape, one number. It is
//! read in one pass over it. Whatever else there may be is not for here to judge: who reads all of JSON is asked.

use crate::aws::split::{blanks, mark};
use crate::model::record::Base64;

/// The members of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Plain<'a> {
    pub(super) sequence_number: Option<&'a str>,
    pub(super) partition_key: Option<&'a str>,
    pub(super) data: Option<Base64<'a>>,
    pub(super) arrived_s: Option<f64>,
}

impl<'a> Plain<'a> {
    /// The record that is all of `text`, where it is as plain as that.
    pub(super) fn read(text: &'a [u8]) -> Option<Self> {
        let (record, length) = Self::begins(text)?;
        let mut left = Left(&text[length..]);
        left.blanks();
        left.0.is_empty().then_some(record)
    }

    /// The record that `text` begins with, and how long it is.
    pub(super) fn begins(text: &'a [u8]) -> Option<(Self, usize)> {
        let mut record = Self::default();
        let mut left = Left(text);
        left.take(b'{')?;
        loop {
            let name = left.string()?;
            left.take(b':')?;
            match name {
                b"Data" => once(&mut record.data, left.base64()?)?,
                b"SequenceNumber" => once(&mut record.sequence_number, words(left.string()?)?)?,
                b"PartitionKey" => once(&mut record.partition_key, words(left.string()?)?)?,
                b"ApproximateArrivalTimestamp" => once(&mut record.arrived_s, left.number()?)?,
                // `EncryptionType`.
                _ => drop(words(name).and(words(left.string()?))?),
            }
            if left.take(b',').is_none() {
                break;
            }
        }
        left.take(b'}')?;
        Some((record, text.len() - left.0.len()))
    }
}

/// Of a member that is there twice, one is wrong.
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

/// A text as it may stand in a string.
fn words(text: &[u8]) -> Option<&str> {
    // Without a way out in the middle, so that many are looked at together.
    let whole = text
        .iter()
        .fold(true, |whole, byte| whole & (0x20 <= *byte));
    whole.then(|| str::from_utf8(text).ok()).flatten()
}

/// What is left of a text.
struct Left<'a>(&'a [u8]);

impl<'a> Left<'a> {
    fn blanks(&mut self) {
        self.0 = &self.0[blanks(self.0)..];
    }

    /// The mark, with the blanks before it; nothing where something else is next.
    fn take(&mut self, mark: u8) -> Option<()> {
        self.blanks();
        let (first, rest) = self.0.split_first()?;
        (*first == mark).then(|| self.0 = rest)
    }

    /// What is between two quotes, where nothing in it is escaped.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.take(b'"')?;
        let end = mark(self.0)?;
        let (string, rest) = self.0.split_at(end);
        let (last, rest) = rest.split_first()?;
        self.0 = rest;
        (*last == b'"').then_some(string)
    }

    /// The same of data.
    fn base64(&mut self) -> Option<Base64<'a>> {
        self.take(b'"')?;
        let found = Base64::begins(self.0)?;
        self.0 = self.0[found.text().len()..].strip_prefix(b"\"")?;
        Some(found)
    }

    fn number(&mut self) -> Option<f64> {
        self.blanks();
        let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
        let end = self.0.iter().position(|byte| !is_part(byte))?;
        let (number, rest) = self.0.split_at(end);
        self.0 = rest;
        serde_json::from_slice(number).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_in_its_usual_spelling_is_read() {
        let all = Plain {
            sequence_number: Some("4970"),
            partition_key: Some("käy"),
            data: Base64::begins(b"AAEC"),
            arrived_s: Some(1_789_809_023.187),
        };
        for text in [
            r#"{"ApproximateArrivalTimestamp":1789809023.187,"Data":"AAEC","PartitionKey":"käy","SequenceNumber":"4970"}"#,
            r#"{"SequenceNumber":"4970","PartitionKey":"käy","Data":"AAEC","EncryptionType":"KMS","ApproximateArrivalTimestamp":1.789809023187E9}"#,
            " { \"Data\" : \"AAEC\" ,\n\"SequenceNumber\":\t\"4970\", \"PartitionKey\":\r\"käy\",\"ApproximateArrivalTimestamp\": 1789809023.187 } ",
        ] {
            assert_eq!(Plain::read(text.as_bytes()), Some(all), "{text}");
        }
        let few = Plain {
            data: Base64::begins(b""),
            ..Plain::default()
        };
        assert_eq!(Plain::read(br#"{"Data":""}"#), Some(few));
    }

    #[test]
    fn what_is_less_plain_is_left_to_others() {
        for text in [
            "",
            "{",
            "{}",
            "null",
            r#"{"Data":"AA\u0045C"}"#,
            r#"{"D\u0061ta":"AAEC"}"#,
            r#"{"Data":null}"#,
            r#"{"Data":"AAE"}"#,
            r#"{"Data":"AAE==="}"#,
            r#"{"Data":"AA EC"}"#,
            r#"{"Data":"AAEC","Data":"AAEC"}"#,
            r#"{"Data":"AAEC"} x"#,
            r#"{"Data":"AAEC",}"#,
            r#"{"Data":"AAEC""PartitionKey":"a"}"#,
            r#"{"Data":"AAEC"#,
            r#"{"Data" "AAEC"}"#,
            r#"{"Other":{"a":1}}"#,
            r#"{"ApproximateArrivalTimestamp":"1"}"#,
            r#"{"ApproximateArrivalTimestamp":1-2}"#,
            r#"{"ApproximateArrivalTimestamp":}"#,
            r#"{"ApproximateArrivalTimestamp":1"#,
            "{\"PartitionKey\":\"a\u{1}\"}",
            "{\"Other\":\"a\n\"}",
            "{\"Ot\ther\":\"a\"}",
        ] {
            assert_eq!(Plain::read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Plain::read(b"{\"PartitionKey\":\"\xff\"}"), None);
    }
}
