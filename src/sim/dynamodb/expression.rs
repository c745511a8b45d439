//! Update expressions: SET and REMOVE of plain attributes, with placeholders. Paths, functions, ADD and DELETE are refused.

use std::collections::BTreeMap;

use super::{
    attribute::{Attribute, Item},
    error::{Code, DynamoError},
};

/// What an expression's placeholders stand for.
pub(super) struct Placeholders<'a> {
    pub(super) names: &'a BTreeMap<String, String>,
    pub(super) values: &'a Item,
}

/// One change of an attribute: its new value, or none to remove it.
pub(super) type Change = (String, Option<Attribute>);

// API: DynamoDB, Update expressions
pub(super) fn changes(
    expression: &str,
    placeholders: &Placeholders<'_>,
) -> Result<Vec<Change>, DynamoError> {
    let spaced = expression.replace(',', " , ").replace('=', " = ");
    let mut words = spaced.split_whitespace().peekable();
    let mut changes: Vec<Change> = Vec::new();
    while let Some(clause) = words.next() {
        let set = match clause.to_ascii_uppercase().as_str() {
            "SET" => true,
            "REMOVE" => false,
            _ => return Err(invalid(format!("Syntax error; token: {clause:?}"))),
        };
        loop {
            let name = placeholders.name(next(&mut words)?)?;
            let value = if set {
                let sign = next(&mut words)?;
                if sign != "=" {
                    return Err(invalid(format!("Syntax error; token: {sign:?}")));
                }
                Some(placeholders.value(next(&mut words)?)?)
            } else {
                None
            };
            if changes.iter().any(|(other, _)| *other == name) {
                return Err(invalid(format!(
                    "Two document paths overlap with each other; path: [{name}]"
                )));
            }
            changes.push((name, value));
            if words.next_if_eq(&",").is_none() {
                break;
            }
        }
    }
    if changes.is_empty() {
        return Err(invalid("The expression can not be empty;"));
    }
    Ok(changes)
}

fn next<'w>(words: &mut impl Iterator<Item = &'w str>) -> Result<&'w str, DynamoError> {
    words
        .next()
        .ok_or_else(|| invalid("Syntax error; token: <EOF>"))
}

impl Placeholders<'_> {
    fn name(&self, word: &str) -> Result<String, DynamoError> {
        if word.starts_with('#') {
            let found = self.names.get(word).cloned();
            return found.ok_or_else(|| {
                invalid(format!(
                    "An expression attribute name used in the document path is not defined; attribute name: {word}"
                ))
            });
        }
        let plain = word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !plain {
            return Err(invalid(format!("Syntax error; token: {word:?}")));
        }
        Ok(word.to_owned())
    }

    fn value(&self, word: &str) -> Result<Attribute, DynamoError> {
        if !word.starts_with(':') {
            return Err(invalid(format!("Syntax error; token: {word:?}")));
        }
        let found = self.values.get(word).cloned();
        found.ok_or_else(|| {
            invalid(format!(
                "An expression attribute value used in expression is not defined; attribute value: {word}"
            ))
        })
    }
}

fn invalid(why: impl std::fmt::Display) -> DynamoError {
    Code::Validation.because(format!("Invalid UpdateExpression: {why}"))
}

#[cfg(test)]
mod tests {
    use super::{Placeholders, changes};

    fn read(expression: &str) -> Result<String, String> {
        let names = [("#n".to_owned(), "name".to_owned())].into();
        let values = serde_json::from_str(r#"{":v":{"S":"x"}}"#).unwrap();
        let placeholders = Placeholders {
            names: &names,
            values: &values,
        };
        let found = changes(expression, &placeholders).map_err(|error| error.message)?;
        let shown = found.iter().map(|(name, value)| match value {
            Some(value) => format!("{name}={}", serde_json::to_string(value).unwrap()),
            None => format!("-{name}"),
        });
        Ok(shown.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn attributes_are_set_and_removed() {
        for (expression, shown) in [
            ("SET a = :v", r#"a={"S":"x"}"#),
            (
                "set #n=:v,b=:v remove c",
                r#"name={"S":"x"} b={"S":"x"} -c"#,
            ),
            ("REMOVE a, #n", "-a -name"),
        ] {
            assert_eq!(read(expression).unwrap(), shown, "{expression}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for expression in [
            "",
            "SET",
            "SET a",
            "SET a = ",
            "SET a = b",
            "SET a = :w",
            "SET a = :v,",
            "SET a :v",
            "SET a.b = :v",
            "SET a = :v + :v",
            "SET #m = :v",
            "SET a = :v REMOVE a",
            "ADD a :v",
        ] {
            assert!(read(expression).is_err(), "{expression}");
        }
    }
}
