//! A mapping that comes in a request and not in a file: held against the same checks, so that one that is taken is exactly one
//! that a file could hold. `${...}` in it is text: whoever sends requests does not read our environment.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::cursor::{At, key_path, unknown};
use super::error::{ConfigError, Place, Report, shortened};
use super::function::{FunctionEntry, Functions};
use super::function_name::FunctionName;
use super::mapping::{self, Mapping};
use super::timestamp;
use super::tree::{Entry, Node, Value};

/// The mapping of settings under AWS's names, its function looked up among those of the files. The paths of findings begin at the
/// settings (`FilterCriteria.Filters[0].Pattern`), and they name no file.
///
/// # Errors
/// Everything that is wrong with the settings, in their order.
pub fn mapping(
    settings: &Map<String, Json>,
    functions: &[FunctionEntry],
) -> Result<Mapping, Vec<ConfigError>> {
    let nowhere = Place {
        file: Arc::from(""),
        line: 0,
    };
    let node = |value| Node {
        place: nowhere.clone(),
        value,
    };
    let list = node(Value::List(vec![node(object(settings, &nowhere))]));
    let mut report = Report::default();
    let mut functions = Functions::of(functions);
    let read = mapping::read_all(&At::top(&list), &mut functions, &mut report);
    match read.into_iter().next() {
        Some((mapping, _)) if report.errors.is_empty() => Ok(mapping),
        Some(_) | None => Err(report.errors.into_iter().map(from_settings).collect()),
    }
}

/// Whether a text is the name of a function in any of its forms.
pub fn names_function(text: &str) -> bool {
    FunctionName::parse(text).is_ok()
}

/// A point in time, in milliseconds since 1970: seconds since 1970, or ISO 8601 with its offset.
///
/// # Errors
/// It is none; what would do.
pub fn moment(value: &Json) -> Result<u64, &'static str> {
    let ms = match value {
        Json::Number(seconds) => timestamp::from_seconds(&seconds.to_string()),
        Json::String(text) => timestamp::from_iso(text),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    };
    ms.ok_or(timestamp::FORMS)
}

/// What to say of a key that is none of these.
pub fn unknown_key(key: &str, known: &[&str]) -> String {
    // Whoever sends requests may make it as long as a body.
    let key = &shortened(key);
    format!("{}: {}", key_path("", key), unknown(key, known))
}

/// The list that the settings stood in was ours.
fn from_settings(finding: ConfigError) -> ConfigError {
    let path = finding.path.strip_prefix("[0]").unwrap_or(&finding.path);
    ConfigError {
        path: path.trim_start_matches('.').to_owned(),
        ..finding
    }
}

fn object(entries: &Map<String, Json>, place: &Place) -> Value {
    let entry = |(key, value): (&String, &Json)| Entry {
        key: key.clone(),
        node: node(value, place),
    };
    Value::Map(entries.iter().map(entry).collect())
}

fn node(value: &Json, place: &Place) -> Node {
    let value = match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(value) => Value::Int(value),
            None => Value::Float(number.to_string()),
        },
        Json::String(text) => Value::text(text),
        Json::Array(items) => Value::List(items.iter().map(|item| node(item, place)).collect()),
        Json::Object(entries) => object(entries, place),
    };
    Node {
        place: place.clone(),
        value,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::config::Config;
    use crate::config::function::Target;

    const ARN: &str = "arn:aws:sqs:us-east-1:123456789012:orders";

    fn checked(settings: Json, functions: &[FunctionEntry]) -> Result<Mapping, Vec<String>> {
        let settings = settings.as_object().expect("an object").clone();
        let texts = |errors: Vec<ConfigError>| errors.iter().map(ToString::to_string).collect();
        mapping(&settings, functions).map_err(texts)
    }

    #[test]
    fn a_request_gives_the_mapping_that_a_file_gives() {
        let settings = json!({
            "EventSourceArn": ARN,
            "FunctionName": "f:live",
            "BatchSize": 100,
            "MaximumBatchingWindowInSeconds": 1,
            "FilterCriteria": { "Filters": [{ "Pattern": r#"{"body":{"kind":["order"]}}"# }] },
            "Enabled": null,
        });
        let file = json!({ "EventSourceMappings": [settings] }).to_string();
        let config = Config::parse("file", &file, &|_| None).unwrap();
        assert_eq!(checked(settings, &[]), Ok((*config.mappings[0]).clone()));
    }

    #[test]
    fn the_functions_of_the_files_serve_requests_too() {
        let entry = FunctionEntry {
            key: "f".to_owned(),
            url: "http://127.0.0.1:8080/".to_owned(),
            timeout: Duration::from_secs(7),
            role: None,
        };
        let settings = json!({ "EventSourceArn": ARN, "FunctionName": "f:live" });
        let target = checked(settings, std::slice::from_ref(&entry))
            .unwrap()
            .target;
        let expected = Target::Http {
            url: entry.url,
            timeout: entry.timeout,
            role: None,
        };
        assert_eq!(target, expected);
    }

    #[test]
    fn findings_begin_at_the_settings_and_the_environment_is_not_read() {
        let settings = json!({
            "EventSourceArn": ARN,
            "FunctionName": "${HOME}",
            "BatchSize": 0,
            "FilterCriteria": { "Filters": [{ "Pattern": "{" }] },
            "Bath": 1,
        });
        let errors = checked(settings, &[]).unwrap_err();
        let starts: Vec<&str> = errors
            .iter()
            .map(|error| error.split(": ").next().unwrap())
            .collect();
        assert_eq!(
            starts,
            [
                "Bath",
                "BatchSize",
                "FilterCriteria.Filters[0].Pattern",
                "FunctionName"
            ]
        );
        assert!(errors[3].starts_with("FunctionName: \"${HOME}\" is no function name"));
        let missing = checked(json!({}), &[]).unwrap_err();
        assert!(
            missing[0].starts_with("Unrecognized event source."),
            "{missing:?}"
        );
    }

    #[test]
    fn a_mapping_knows_the_names_of_its_function() {
        let settings =
            json!({ "EventSourceArn": ARN, "FunctionName": "123456789012:function:f:live" });
        let mapping = checked(settings, &[]).unwrap();
        let cases = [
            ("f:live", Ok(true)),
            ("123456789012:function:f:live", Ok(true)),
            (
                "arn:aws:lambda:us-east-1:123456789012:function:f:live",
                Ok(true),
            ),
            ("f", Ok(false)),
            ("f:$LATEST", Ok(false)),
            ("g:live", Ok(false)),
            ("999999999999:function:f:live", Ok(false)),
            (
                "arn:aws:lambda:eu-west-1:123456789012:function:f:live",
                Ok(false),
            ),
        ];
        for (name, expected) in cases {
            assert_eq!(mapping.invokes(name), expected, "{name}");
        }
        assert!(mapping.invokes("f f").is_err());
    }
}
