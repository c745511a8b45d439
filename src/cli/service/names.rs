//! Which mapping somebody means: by its name, its UUID, or an ARN, of the mapping itself or of what it joins.

use std::fmt;

use serde_json::Value;

use crate::config::error::{one_line, quoted};
use crate::config::suggest::nearest;

/// A mapping that was named.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Named<'a> {
    /// What the service knows it by.
    pub uuid: &'a str,
    /// What people know it by.
    pub name: &'a str,
    /// As the service lists it.
    pub mapping: &'a Value,
}

/// Why nobody knows which mapping is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uncertain {
    /// None.
    Unknown {
        /// What was said.
        given: String,
        /// What was probably meant.
        nearest: Option<String>,
        /// The names that there are.
        known: Vec<String>,
    },
    /// An ARN that several have in common.
    Several {
        /// What was said.
        given: String,
        /// Their names.
        known: Vec<String>,
    },
}

/// A message lists so many names.
const LISTED_MAX: usize = 10;

impl fmt::Display for Uncertain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown {
                given,
                nearest: Some(nearest),
                ..
            } => write!(f, "there is no mapping {given}; did you mean {nearest}?"),
            Self::Unknown { given, known, .. } if known.is_empty() => {
                write!(f, "there is no mapping {given}; the service has none")
            }
            Self::Unknown { given, known, .. } => {
                let known = listed(known);
                write!(f, "there is no mapping {given}; there are: {known}")
            }
            Self::Several { given, known } => {
                let known = listed(known);
                write!(f, "{given} is of several mappings; name one of: {known}")
            }
        }
    }
}

fn listed(names: &[String]) -> String {
    let shown = names[..names.len().min(LISTED_MAX)].join(", ");
    match names.len().saturating_sub(LISTED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

impl<'a> Named<'a> {
    /// What a mapping is called; `None` where it is none. Of one without a name its UUID.
    pub fn of(mapping: &'a Value) -> Option<Self> {
        let uuid = mapping["UUID"].as_str()?;
        // It becomes a part of a path.
        let plain = uuid
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let name = mapping["Name"].as_str().filter(|name| !name.is_empty());
        plain.then_some(Self {
            uuid,
            name: name.unwrap_or(uuid),
            mapping,
        })
    }

    fn is(&self, given: &str) -> bool {
        let arn = self.mapping["EventSourceMappingArn"].as_str();
        self.name == given
            || self.uuid.eq_ignore_ascii_case(given)
            || arn.is_some_and(|arn| arn.eq_ignore_ascii_case(given))
    }

    fn joins(&self, given: &str) -> bool {
        ["EventSourceArn", "FunctionArn"]
            .iter()
            .any(|key| self.mapping[*key].as_str() == Some(given))
    }
}

/// The one mapping of a list that somebody means. A name counts before a UUID: names are what people see.
///
/// # Errors
/// There is none, or more than one.
pub fn named<'a>(given: &str, mappings: &'a [Value]) -> Result<Named<'a>, Uncertain> {
    let all: Vec<Named<'a>> = mappings.iter().filter_map(Named::of).collect();
    if let Some(named) = all.iter().find(|named| named.name == given) {
        return Ok(*named);
    }
    if let Some(named) = all.iter().find(|named| named.is(given)) {
        return Ok(*named);
    }
    let joining: Vec<&Named<'a>> = all.iter().filter(|named| named.joins(given)).collect();
    let names = |named: &[&Named<'a>]| {
        let mut names: Vec<String> = named.iter().map(|named| one_line(named.name)).collect();
        names.sort_unstable();
        names
    };
    match joining.as_slice() {
        [one] => Ok(**one),
        [] => {
            let known: Vec<&Named<'a>> = all.iter().collect();
            let known = names(&known);
            let words: Vec<&str> = known.iter().map(String::as_str).collect();
            Err(Uncertain::Unknown {
                given: quoted(given),
                nearest: nearest(given, &words).map(str::to_owned),
                known,
            })
        }
        several => Err(Uncertain::Several {
            given: quoted(given),
            known: names(several),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const UUID: [&str; 3] = [
        "14e0db71-5d35-4eb5-b481-8945cf9d10c2",
        "24e0db71-5d35-4eb5-b481-8945cf9d10c2",
        "34e0db71-5d35-4eb5-b481-8945cf9d10c2",
    ];

    fn mappings() -> Vec<Value> {
        let mapping = |uuid: &str, name: &str, source: &str| {
            json!({
                "UUID": uuid,
                "Name": name,
                "EventSourceArn": source,
                "FunctionArn": "arn:f",
                "EventSourceMappingArn": format!("arn:aws:lambda:us-east-1:1:event-source-mapping:{uuid}"),
            })
        };
        vec![
            mapping(UUID[0], "orders", "arn:orders"),
            mapping(UUID[1], "clicks-live", "arn:clicks"),
            json!({ "UUID": UUID[2], "EventSourceArn": "arn:clicks" }),
            json!({ "UUID": "../tags", "Name": "evil" }),
            json!(7),
        ]
    }

    #[test]
    fn a_mapping_is_found_by_its_name_its_uuid_and_what_only_it_joins() {
        let mappings = mappings();
        let arn = format!(
            "arn:aws:lambda:us-east-1:1:event-source-mapping:{}",
            UUID[1]
        );
        for (given, uuid) in [
            ("orders", UUID[0]),
            (UUID[0], UUID[0]),
            ("14E0DB71-5D35-4EB5-B481-8945CF9D10C2", UUID[0]),
            ("arn:orders", UUID[0]),
            (arn.as_str(), UUID[1]),
            (UUID[2], UUID[2]),
        ] {
            assert_eq!(named(given, &mappings).unwrap().uuid, uuid, "{given}");
        }
        assert_eq!(named(UUID[2], &mappings).unwrap().name, UUID[2]);
    }

    #[test]
    fn whoever_means_none_or_several_is_shown_what_there_is() {
        let mappings = mappings();
        let said = |given: &str| named(given, &mappings).unwrap_err().to_string();
        let all = format!("{}, clicks-live, orders", UUID[2]);
        for (given, expected) in [
            (
                "ordres",
                "there is no mapping \"ordres\"; did you mean orders?".to_owned(),
            ),
            (
                "Orders",
                "there is no mapping \"Orders\"; did you mean orders?".to_owned(),
            ),
            (
                "x\n",
                format!("there is no mapping \"x\\n\"; there are: {all}"),
            ),
            ("", format!("there is no mapping \"\"; there are: {all}")),
            (
                "evil",
                format!("there is no mapping \"evil\"; there are: {all}"),
            ),
            (
                "arn:f",
                "\"arn:f\" is of several mappings; name one of: clicks-live, orders".to_owned(),
            ),
            (
                "arn:clicks",
                format!(
                    "\"arn:clicks\" is of several mappings; name one of: {}, clicks-live",
                    UUID[2]
                ),
            ),
        ] {
            assert_eq!(said(given), expected);
        }
        assert_eq!(
            named("a", &[]).unwrap_err().to_string(),
            "there is no mapping \"a\"; the service has none"
        );
        let many: Vec<Value> = (0..12)
            .map(|index| json!({ "UUID": format!("{index:02}") }))
            .collect();
        assert_eq!(
            named("what", &many).unwrap_err().to_string(),
            "there is no mapping \"what\"; there are: 00, 01, 02, 03, 04, 05, 06, 07, 08, 09 and 2 more"
        );
    }
}
