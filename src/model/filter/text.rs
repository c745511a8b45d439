//! What an operator asks of a string.

use super::cidr::Cidr;
use super::wildcard::Wildcard;

/// One question about a string. Strings that ignore case are kept folded; affixes at the end also reversed.
#[derive(Clone, Debug)]
pub(super) enum TextTest {
    Equals(String),
    EqualsIgnoreCase(String),
    Prefix(String),
    PrefixIgnoreCase(String),
    Suffix(String),
    SuffixIgnoreCase(String),
    Wildcard(Wildcard),
    Cidr(Cidr),
}

impl TextTest {
    pub(super) fn equals_ignore_case(text: &str) -> Self {
        TextTest::EqualsIgnoreCase(folded(text).collect())
    }

    pub(super) fn prefix_ignore_case(text: &str) -> Self {
        TextTest::PrefixIgnoreCase(folded(text).collect())
    }

    pub(super) fn suffix_ignore_case(text: &str) -> Self {
        TextTest::SuffixIgnoreCase(folded(text).rev().collect())
    }

    pub(super) fn holds(&self, text: &str) -> bool {
        match self {
            TextTest::Equals(expected) => text == expected,
            TextTest::EqualsIgnoreCase(expected) => folded(text).eq(expected.chars()),
            TextTest::Prefix(prefix) => text.starts_with(prefix.as_str()),
            TextTest::PrefixIgnoreCase(prefix) => starts(folded(text), prefix),
            TextTest::Suffix(suffix) => text.ends_with(suffix.as_str()),
            TextTest::SuffixIgnoreCase(suffix) => starts(folded(text).rev(), suffix),
            TextTest::Wildcard(wildcard) => wildcard.holds(text),
            TextTest::Cidr(cidr) => cidr.holds(text),
        }
    }
}

/// Character by character, unlike `str::to_lowercase`, whose final sigma depends on what follows.
fn folded(text: &str) -> impl DoubleEndedIterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

fn starts(mut text: impl Iterator<Item = char>, prefix: &str) -> bool {
    prefix.chars().all(|c| text.next() == Some(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_ignored_for_every_alphabet_at_either_end() {
        for (test, text, expected) in [
            (TextTest::equals_ignore_case("aBc"), "AbC", true),
            (TextTest::equals_ignore_case("aBc"), "AbCd", false),
            (TextTest::equals_ignore_case("ΟΔΟΣ"), "οδοσ", true),
            (TextTest::equals_ignore_case("É"), "é", true),
            (TextTest::equals_ignore_case(""), "", true),
            (TextTest::equals_ignore_case(""), "a", false),
            (TextTest::prefix_ignore_case("Us-"), "uS-east-1", true),
            (TextTest::prefix_ignore_case("Us-"), "us", false),
            (TextTest::suffix_ignore_case(".PnG"), "X.pNg", true),
            (TextTest::suffix_ignore_case(".PnG"), "png", false),
            (TextTest::suffix_ignore_case("xİ"), "axi̇", true),
        ] {
            assert_eq!(test.holds(text), expected, "{test:?} on {text}");
        }
    }
}
