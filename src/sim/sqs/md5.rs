//! The digests that SQS returns so that clients can check what arrived.

use std::collections::BTreeMap;

use ::md5::{Digest, Md5};

use super::message::{Attribute, Value};
use crate::model::hex::hex;

/// The lower-case hexadecimal MD5 of `text`.
pub(super) fn of_text(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

/// The MD5 of message attributes; none when there are none.
///
/// API: SQS Developer Guide, Calculating the MD5 message digest for message attributes: by name, each as length-prefixed name and
/// data type, one byte for the kind of value, and the length-prefixed value; lengths are big-endian and 4 bytes wide.
pub(super) fn of_attributes<'a>(
    attributes: impl IntoIterator<Item = (&'a String, &'a Attribute)>,
) -> Option<String> {
    let sorted: BTreeMap<&String, &Attribute> = attributes.into_iter().collect();
    if sorted.is_empty() {
        return None;
    }
    let mut digest = Md5::new();
    for (name, attribute) in sorted {
        sized(&mut digest, name.as_bytes());
        sized(&mut digest, attribute.data_type.as_bytes());
        match &attribute.value {
            Value::Text(text) => {
                digest.update([1]);
                sized(&mut digest, text.as_bytes());
            }
            Value::Binary(bytes) => {
                digest.update([2]);
                sized(&mut digest, bytes);
            }
        }
    }
    Some(hex(&digest.finalize()))
}

fn sized(digest: &mut Md5, bytes: &[u8]) {
    // A message is at most 1 MiB, so its parts fit.
    digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    digest.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::{Attribute, BTreeMap, Value, of_attributes, of_text};

    fn text(data_type: &str, value: &str) -> Attribute {
        Attribute {
            data_type: data_type.to_owned(),
            value: Value::Text(value.to_owned()),
        }
    }

    #[test]
    fn the_digest_of_a_body_is_plain_md5() {
        assert_eq!(of_text("hello"), "5d41402abc4b2a76b9719d911017c592");
    }

    #[test]
    fn the_digest_of_attributes_covers_names_types_kinds_and_values_in_the_order_of_names() {
        // Computed with an independent implementation of the published algorithm.
        let attributes = BTreeMap::from([
            ("b".to_owned(), text("Number.int", "6")),
            ("a".to_owned(), text("String", "jo")),
            (
                "c".to_owned(),
                Attribute {
                    data_type: "Binary".to_owned(),
                    value: Value::Binary(vec![0, 1, 2]),
                },
            ),
        ]);
        assert_eq!(
            of_attributes(&attributes).as_deref(),
            Some("b1c621420eecd673646cf02e53df3601")
        );
        assert_eq!(of_attributes(&BTreeMap::new()), None);
    }
}
