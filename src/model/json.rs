//! JSON text opened one level at a time: what lies below a level stays text until someone looks.
//! Numbers stay text for good, so that they compare as the decimals they are.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// One level of a JSON text.
pub(in crate::model) enum Level<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    Text(Cow<'a, str>),
    List(Vec<&'a Raw>),
    /// As written: in order, repeated keys included.
    Object(Members<'a>),
}

/// A checked text that was not opened yet.
pub(in crate::model) type Raw = RawValue;

/// Keys and the texts of their values.
pub(in crate::model) type Members<'a> = Vec<(Cow<'a, str>, &'a Raw)>;

/// Checks a whole text without building anything; serde_json does so without recursion, so no nesting is too deep.
pub(in crate::model) fn check(text: &str) -> Result<&Raw, serde_json::Error> {
    serde_json::from_str(text)
}

/// Opens the outermost level of a checked text.
pub(in crate::model) fn open(raw: &Raw) -> Result<Level<'_>, serde_json::Error> {
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'{') => Level::Object(serde_json::from_str::<Ordered>(text)?.0),
        Some(b'[') => Level::List(serde_json::from_str(text)?),
        Some(b'"') => Level::Text(string(text)?),
        Some(b't') => Level::Bool(true),
        Some(b'f') => Level::Bool(false),
        Some(b'n') | None => Level::Null,
        Some(_) => Level::Number(text),
    })
}

/// Reads a checked string: read as bytes, serde_json would let control characters pass.
pub(in crate::model) fn string(text: &str) -> Result<Cow<'_, str>, serde_json::Error> {
    match text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
    {
        Some(plain) if !plain.contains('\\') => Ok(Cow::Borrowed(plain)),
        Some(_) | None => Ok(serde_json::from_str::<Lossy>(text)?.0),
    }
}

/// Hands each member of an object to `visit`, in order and repeated keys included, without a list of them: the whole
/// text is checked on the way, so that what was visited counts only if this succeeds.
pub(in crate::model) fn each_member<'a>(
    text: &'a str,
    visit: impl FnMut(&str, &'a Raw) -> Result<(), serde_json::Error>,
) -> Result<(), serde_json::Error> {
    struct Each<F>(F);
    impl<'de, F: FnMut(&str, &'de Raw) -> Result<(), serde_json::Error>> Visitor<'de> for Each<F> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some((key, value)) = map.next_entry::<&'de Raw, &'de Raw>()? {
                let key = string(key.get()).map_err(A::Error::custom)?;
                (self.0)(&key, value).map_err(A::Error::custom)?;
            }
            Ok(())
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_map(Each(visit))?;
    deserializer.end()
}

/// As [`each_member`], of the elements of a list.
pub(in crate::model) fn each_item<'a>(
    text: &'a str,
    visit: impl FnMut(&'a Raw) -> Result<(), serde_json::Error>,
) -> Result<(), serde_json::Error> {
    struct Each<F>(F);
    impl<'de, F: FnMut(&'de Raw) -> Result<(), serde_json::Error>> Visitor<'de> for Each<F> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }
        fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
            while let Some(item) = items.next_element()? {
                (self.0)(item).map_err(A::Error::custom)?;
            }
            Ok(())
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_seq(Each(visit))?;
    deserializer.end()
}

/// A string in which an unpaired surrogate escape becomes U+FFFD: one odd character must not make a body "no JSON".
struct Lossy<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Lossy<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Lossy<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Lossy(String::from_utf8_lossy(bytes)))
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Lossy(Cow::Owned(
                    String::from_utf8_lossy(bytes).into_owned(),
                )))
            }
        }
        // As bytes, because serde_json refuses unpaired surrogates in what it hands out as str.
        deserializer.deserialize_bytes(Bytes)
    }
}

struct Ordered<'a>(Members<'a>);

impl<'de> Deserialize<'de> for Ordered<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Ordered<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<Lossy<'de>, &'de Raw>()? {
                    members.push((key.0, value));
                }
                Ok(Ordered(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match open(check(text).unwrap()).unwrap() {
            Level::Null => "null".into(),
            Level::Bool(value) => format!("bool {value}"),
            Level::Number(text) => format!("number {text}"),
            Level::Text(text) => format!("text {text}"),
            Level::List(items) => format!(
                "list {:?}",
                items.iter().map(|i| i.get()).collect::<Vec<_>>()
            ),
            Level::Object(members) => {
                format!(
                    "object {:?}",
                    members
                        .iter()
                        .map(|(k, v)| (k.as_ref(), v.get()))
                        .collect::<Vec<_>>()
                )
            }
        }
    }

    #[test]
    fn a_level_is_opened_and_what_lies_below_stays_text() {
        for (text, expected) in [
            (" null ", "null"),
            ("true", "bool true"),
            ("false", "bool false"),
            ("-3.0E+2", "number -3.0E+2"),
            ("1e999999", "number 1e999999"),
            (r#""plain""#, "text plain"),
            (r#""\u00e9\n\ud83d\ude00""#, "text é\n😀"),
            (r#""a\ud800b""#, "text a\u{fffd}\u{fffd}\u{fffd}b"),
            (r#"[1, [2,{}], "x"]"#, r#"list ["1", "[2,{}]", "\"x\""]"#),
            (
                r#"{"a": {"b":1}, "a":2, "\udc00":3}"#,
                "object [(\"a\", \"{\\\"b\\\":1}\"), (\"a\", \"2\"), (\"\u{fffd}\u{fffd}\u{fffd}\", \"3\")]",
            ),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_visited_is_all_there_is_and_a_text_with_a_flaw_is_refused() {
        let members = |text: &str| {
            let mut seen = Vec::new();
            let whole = each_member(text, |key, value| {
                seen.push(format!("{key}={}", value.get()));
                Ok(())
            });
            whole.map(|()| seen.join(" ")).ok()
        };
        for (text, expected) in [
            ("{}", Some("")),
            (
                r#"{"a": {"b":1}, "a":2, "":[] }"#,
                Some(r#"a={"b":1} a=2 =[]"#),
            ),
            (r#"{"\u0061\n":1}"#, Some("a\n=1")),
            (r#"{"\ud800":1}"#, Some("\u{fffd}\u{fffd}\u{fffd}=1")),
            ("{\"a\u{1f}\":1}", None),
            (r#"{"a":1,}"#, None),
            (r#"{"a":1} x"#, None),
            (r#"{"a":[1}"#, None),
            ("[]", None),
        ] {
            assert_eq!(members(text).as_deref(), expected, "{text}");
        }
        let items = |text: &str| {
            let mut seen = Vec::new();
            let whole = each_item(text, |value| {
                seen.push(value.get().to_owned());
                Ok(())
            });
            whole.map(|()| seen.join(" ")).ok()
        };
        for (text, expected) in [
            ("[]", Some("")),
            (r#"[1, [2,{}] ,"x"]"#, Some(r#"1 [2,{}] "x""#)),
            ("[1,]", None),
            ("[1] 2", None),
            ("[\"\u{1f}\"]", None),
            ("{}", None),
        ] {
            assert_eq!(items(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_text_nested_beyond_any_stack_is_still_only_text() {
        let deep = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
        let Level::List(items) = open(check(&deep).unwrap()).unwrap() else {
            panic!("not a list")
        };
        assert_eq!(items[0].get().len(), deep.len() - 2);
    }
}
