//! `wildcard`: `*` stands for any run of characters. Matching is one search per part, so no pattern backtracks.

use super::error::Reason;

/// The parts between the stars, unescaped.
#[derive(Clone, Debug)]
pub(super) struct Wildcard {
    first: String,
    /// What follows each star; empty where there is no star and `first` is the whole text.
    rest: Vec<String>,
}

impl Wildcard {
    /// `\*` and `\\` are literal; `**` and any other escape are refused, with EventBridge's position. // spec: 7.4
    pub(super) fn parse(text: &str) -> Result<Self, Reason> {
        let mut parts = vec![String::new()];
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let next = chars.peek().map(|(_, c)| *c);
            match (c, next) {
                ('*', Some('*')) => return Err(Reason::DoubleWildcard(at + 1)),
                ('*', _) => parts.push(String::new()),
                ('\\', Some(literal @ ('*' | '\\'))) => {
                    last(&mut parts).push(literal);
                    chars.next();
                }
                ('\\', _) => return Err(Reason::WildcardEscape(at + 1)),
                (c, _) => last(&mut parts).push(c),
            }
        }
        let mut parts = parts.into_iter();
        Ok(Wildcard {
            first: parts.next().unwrap_or_default(),
            rest: parts.collect(),
        })
    }

    /// How many stars it has.
    pub(super) fn stars(&self) -> usize {
        self.rest.len()
    }

    /// Each part in the middle is taken where it first occurs: an earlier place never costs a later part its own.
    pub(super) fn holds(&self, text: &str) -> bool {
        self.holds_by(text, |text, part| text.find(part))
    }

    fn holds_by(&self, text: &str, mut find: impl FnMut(&str, &str) -> Option<usize>) -> bool {
        let Some((end, middle)) = self.rest.split_last() else {
            return text == self.first;
        };
        let Some(text) = text.strip_prefix(self.first.as_str()) else {
            return false;
        };
        let Some(mut text) = text.strip_suffix(end.as_str()) else {
            return false;
        };
        for part in middle {
            let Some(at) = find(text, part) else {
                return false;
            };
            text = &text[at + part.len()..];
        }
        true
    }
}

fn last(parts: &mut [String]) -> &mut String {
    parts
        .last_mut()
        .expect("starts with one part and only grows")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_run_of_characters_and_nothing_else_is_special() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("a*", "a", true),
            ("a*", "ba", false),
            ("*a", "ba", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "axbxbxc", true),
            ("a*b*c", "acb", false),
            ("*ab*ab*", "ab", false),
            ("*ab*ab*", "xabyabz", true),
            ("a?b", "axb", false),
            ("dir/*.png", "dir/sub/x.png", true),
            (r"\*", "*", true),
            (r"\*", "x", false),
            (r"a\\*", r"a\b", true),
            ("é*é", "éxé", true),
            ("A*", "a", false),
        ] {
            assert_eq!(
                Wildcard::parse(pattern).unwrap().holds(text),
                expected,
                "{pattern} on {text}"
            );
        }
    }

    #[test]
    fn no_byte_is_searched_twice_however_many_stars_there_are() {
        let text = "ab".repeat(50_000);
        for (pattern, expected) in [
            ("*a".repeat(2000) + "*", true),
            ("*a".repeat(2000) + "*c*", false),
            ("*aba".repeat(1000) + "b", true),
            ("*b".repeat(2000) + "*a", false),
            ("*c".repeat(2000) + "*", false),
        ] {
            let wildcard = Wildcard::parse(&pattern).unwrap();
            let mut searched = 0;
            let held = wildcard.holds_by(&text, |text, part| {
                let found = text.find(part);
                searched += found.map_or(text.len(), |at| at + part.len());
                found
            });
            assert_eq!(held, expected, "{}", &pattern[pattern.len() - 8..]);
            assert!(searched <= text.len(), "{searched}");
        }
    }

    #[test]
    fn what_eventbridge_refuses_is_refused_with_its_position() {
        for (pattern, reason) in [
            ("abc**def", Reason::DoubleWildcard(4)),
            ("**", Reason::DoubleWildcard(1)),
            (r"a\b", Reason::WildcardEscape(2)),
            (r"a\", Reason::WildcardEscape(2)),
        ] {
            assert_eq!(Wildcard::parse(pattern).unwrap_err(), reason, "{pattern}");
        }
    }
}
