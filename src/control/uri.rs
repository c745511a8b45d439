//! Paths and queries as clients write them: percent-encoded, some with more than needs it, some with less.

use super::refusal::Refusal;

/// A segment of a path, decoded; `None` where an escape is broken or its bytes are no UTF-8.
pub(super) fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                bytes.push(hex(*high)? << 4 | hex(*low)?);
                rest = after;
            }
            (b'%', _) => return None,
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

/// The keys and values of a query, in its order; `+` is a space.
pub(super) fn query(query: &str) -> Result<Vec<(String, String)>, Refusal> {
    let text = |part: &str| {
        decoded(&part.replace('+', " "))
            .ok_or_else(|| Refusal::invalid("The query string is not valid percent-encoded UTF-8."))
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((text(key)?, text(value)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_decoded_and_broken_ones_are_not() {
        let cases = [
            ("arn%3Aaws%3alambda", Some("arn:aws:lambda")),
            ("a+b", Some("a+b")),
            ("%C3%A9", Some("é")),
            ("", Some("")),
            ("%", None),
            ("%4", None),
            ("%zz", None),
            ("%+1", None),
            ("%ff", None),
            ("é%", None),
        ];
        for (segment, expected) in cases {
            assert_eq!(decoded(segment).as_deref(), expected, "{segment}");
        }
    }

    #[test]
    fn queries_are_taken_apart() {
        let pairs = query("&tagKeys=a+b&tagKeys=c%26d&x=1=2&Marker&").unwrap();
        let expected = [
            ("tagKeys", "a b"),
            ("tagKeys", "c&d"),
            ("x", "1=2"),
            ("Marker", ""),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(pairs, expected);
        assert_eq!(query("a=%ff").unwrap_err().status, 400);
    }
}
