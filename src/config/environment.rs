//! `${VAR}` and `${VAR:-default}` in text, read from the environment; `$${` stands for `${` itself.

/// Looks a variable up; an argument, so that tests do not touch the environment of the process.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Replaces every reference. `None`: the text has none. The default also serves where the variable is set and empty, as in a
/// shell; it ends at the first `}`. What a variable holds is taken as it is: a `${` in it is no reference.
pub(super) fn expand(text: &str, env: Lookup<'_>) -> Result<Option<String>, String> {
    if !text.contains("${") {
        return Ok(None);
    }
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, reference) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = &reference[2..];
            continue;
        }
        expanded.push_str(before);
        let Some((inside, after)) = reference[2..].split_once('}') else {
            return Err(
                "a \"${\" without its \"}\"; write $${ for the two characters themselves"
                    .to_owned(),
            );
        };
        expanded.push_str(&value(inside, env)?);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(Some(expanded))
}

fn value(inside: &str, env: Lookup<'_>) -> Result<String, String> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let well_formed = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !well_formed {
        return Err(format!(
            "{} is no name of an environment variable; write ${{NAME}}, ${{NAME:-default}}, or $${{ for the two characters themselves",
            super::error::quoted(name)
        ));
    }
    match (env(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (Some(_) | None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(format!(
            "the environment variable {name} is not set; set it, or write ${{{name}:-default}}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "REGION" => Some("us-east-1".to_owned()),
            "EMPTY" => Some(String::new()),
            "TRICKY" => Some("${REGION}".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn references_are_replaced_by_what_the_environment_holds() {
        let cases = [
            ("plain $REGION $ {x}", None),
            ("${REGION}", Some("us-east-1")),
            ("a ${REGION}/${REGION} z", Some("a us-east-1/us-east-1 z")),
            ("${REGION:-eu-west-1}", Some("us-east-1")),
            ("${UNSET:-eu-west-1}", Some("eu-west-1")),
            ("${UNSET:-}", Some("")),
            ("${UNSET:-a:-b}", Some("a:-b")),
            ("${EMPTY}", Some("")),
            ("${EMPTY:-full}", Some("full")),
            ("$${REGION}", Some("${REGION}")),
            ("$$${REGION}", Some("$${REGION}")),
            ("$5 ${REGION}", Some("$5 us-east-1")),
            ("${TRICKY}", Some("${REGION}")),
        ];
        for (text, expected) in cases {
            assert_eq!(expand(text, &env).unwrap().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_reference_that_cannot_be_replaced_is_an_error() {
        let cases = [
            (
                "${UNSET}",
                "the environment variable UNSET is not set; set it, or write ${UNSET:-default}",
            ),
            (
                "a ${REGION",
                "a \"${\" without its \"}\"; write $${ for the two characters themselves",
            ),
            (
                "${}",
                "\"\" is no name of an environment variable; write ${NAME}, ${NAME:-default}, or $${ for the two characters themselves",
            ),
            (
                "${1A}",
                "\"1A\" is no name of an environment variable; write ${NAME}, ${NAME:-default}, or $${ for the two characters themselves",
            ),
            (
                "${REGION-x}",
                "\"REGION-x\" is no name of an environment variable; write ${NAME}, ${NAME:-default}, or $${ for the two characters themselves",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(expand(text, &env).unwrap_err(), expected, "{text}");
        }
    }
}
