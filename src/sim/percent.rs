//! Percent-encoding, undone: of paths, and of forms, where a plus is a space.

use std::collections::BTreeMap;

/// Undoes percent-encoding; none for what is not UTF-8 or not encoded right.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// The fields of a form or a query string; none if one of them is not encoded right.
pub(super) fn fields(text: &str) -> Option<BTreeMap<String, String>> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let field = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let plain = |text: &str| decoded(&text.replace('+', " "));
        Some((plain(name)?, plain(value)?))
    };
    pairs.map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::{decoded, fields};

    #[test]
    fn the_fields_of_a_form_are_decoded() {
        let found = fields("Action=Publish&Message=a+b%2Bc%26%C3%A4&Subject=&flag").unwrap();
        let expected = [
            ("Action", "Publish"),
            ("Message", "a b+c&ä"),
            ("Subject", ""),
            ("flag", ""),
        ];
        assert_eq!(
            found,
            expected
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into()
        );
    }

    #[test]
    fn what_is_encoded_wrong_is_refused() {
        for text in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(decoded(text), None, "{text}");
            assert_eq!(fields(&format!("a={text}")), None, "{text}");
        }
    }
}
