//! The body of a request -> JSON. A key that occurs twice is refused: which of the two was meant, nobody knows.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::refusal::Refusal;

/// The object that a body is; an empty body is an empty object. Nesting beyond 128 levels is refused by the parser.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    // Named here, since the parser would not say more than that something is wrong.
    let text = std::str::from_utf8(body)
        .map_err(|_| Refusal::unreadable("the text is not valid UTF-8"))?;
    let mut parser = serde_json::Deserializer::from_str(text);
    let value = Strict
        .deserialize(&mut parser)
        .and_then(|value| parser.end().map(|()| value))
        .map_err(Refusal::unreadable)?;
    match value {
        Value::Object(object) => Ok(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Refusal::unreadable("expected an object"))
        }
    }
}

/// Reads a value as it is, and refuses objects with a key twice.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number out of range"))?;
        Ok(number.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element_seed(Strict)? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut entries = Map::new();
        while let Some(key) = from.next_key::<String>()? {
            let value = from.next_value_seed(Strict)?;
            if entries.contains_key(&key) {
                return Err(A::Error::custom(format!("the key {key:?} occurs twice")));
            }
            entries.insert(key, value);
        }
        Ok(entries.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_is_read_as_it_is() {
        let text = r#" {"a":[1,-2,1.5,null,true,"x\u00e9\ud83d\ude00"],"b":{"c":{}}} "#;
        let expected = json!({"a":[1,-2,1.5,null,true,"xé😀"],"b":{"c":{}}});
        assert_eq!(Value::Object(object(text.as_bytes()).unwrap()), expected);
        assert_eq!(object(b"").unwrap(), Map::new());
        assert_eq!(object(b" \n").unwrap(), Map::new());
    }

    #[test]
    fn a_body_that_cannot_be_one_thing_is_refused() {
        let deep = "[".repeat(10 * 1024 * 1024);
        let deep_objects = r#"{"a":"#.repeat(2 * 1024 * 1024);
        let cases: [(&[u8], &str); 12] = [
            (b"{", "EOF while parsing an object at line 1 column 1"),
            (b"[]", "expected an object"),
            (b"null", "expected an object"),
            (b"{} {}", "trailing characters at line 1 column 4"),
            (
                br#"{"a":1,"a":1}"#,
                r#"the key "a" occurs twice at line 1 column 13"#,
            ),
            (
                br#"{"a":{"b":1,"\u0062":2}}"#,
                r#"the key "b" occurs twice at line 1 column 23"#,
            ),
            (b"{\"a\":\"\xff\"}", "the text is not valid UTF-8"),
            (b"\xff\xfe{\x00}\x00", "the text is not valid UTF-8"),
            (
                br#"{"a":"\ud800"}"#,
                "unexpected end of hex escape at line 1 column 13",
            ),
            (br#"{"a":1e999}"#, "number out of range at line 1 column 10"),
            (
                deep.as_bytes(),
                "recursion limit exceeded at line 1 column 128",
            ),
            (
                deep_objects.as_bytes(),
                "recursion limit exceeded at line 1 column 636",
            ),
        ];
        for (body, why) in cases {
            let refusal = object(body).unwrap_err();
            let shown = String::from_utf8_lossy(&body[..body.len().min(40)]);
            assert_eq!(
                (refusal.status, refusal.code, refusal.message.as_str()),
                (
                    400,
                    "InvalidRequestContentException",
                    format!("Could not parse request body into json: {why}").as_str()
                ),
                "{shown}"
            );
        }
    }
}
