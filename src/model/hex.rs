//! Digests as AWS writes them.

/// Two digits a byte, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(2 * bytes.len());
    out.extend(digits(bytes).map(char::from));
    out
}

/// Whether a text says these bytes, in either case.
pub fn is_hex_of(text: &str, bytes: &[u8]) -> bool {
    let lower = text.bytes().map(|digit| digit.to_ascii_lowercase());
    lower.eq(digits(bytes))
}

fn digits(bytes: &[u8]) -> impl Iterator<Item = u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    halves.map(|half| DIGITS[usize::from(half)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_two_digits() {
        assert_eq!(hex(&[0x00, 0x0f, 0xf0, 0xa5, 0xff]), "000ff0a5ff");
        assert_eq!(hex(&[]), "");
    }

    #[test]
    fn a_text_says_bytes_in_either_case() {
        for (text, says) in [
            ("000ff0", true),
            ("000Ff0", true),
            ("000ff1", false),
            ("000ff", false),
            ("000ff00", false),
            ("", false),
        ] {
            assert_eq!(is_hex_of(text, &[0x00, 0x0f, 0xf0]), says, "{text}");
        }
        assert!(is_hex_of("", &[]));
    }
}
