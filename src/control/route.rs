//! A request of HTTP -> what it asks for. // spec: 1.1

use std::collections::BTreeMap;

use http::Method;
use serde_json::Value;

use super::body;
use super::fields::{MAX_ITEMS, SOURCE, TAGGABLE};
use super::position::{Page, Seek};
use super::properties::Properties;
use super::refusal::Refusal;
use super::registry::Selection;
use super::shape::{Shape, Violations, cut};
use super::uri;

/// What a request asks for, its shape checked.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// CreateEventSourceMapping.
    Create(Properties),
    /// GetEventSourceMapping.
    Get {
        /// 36 characters.
        uuid: String,
    },
    /// ListEventSourceMappings.
    List(Selection),
    /// UpdateEventSourceMapping.
    Update {
        /// 36 characters.
        uuid: String,
        /// What is to be otherwise.
        properties: Properties,
    },
    /// DeleteEventSourceMapping.
    Delete {
        /// 36 characters.
        uuid: String,
    },
    /// Beyond AWS: an operator holds the mapping.
    Pause {
        /// 36 characters.
        uuid: String,
    },
    /// Beyond AWS: lets it go on.
    Resume {
        /// 36 characters.
        uuid: String,
    },
    /// Beyond AWS: where a stream's mapping is.
    Position {
        /// 36 characters.
        uuid: String,
        /// Which of its shards.
        page: Page,
    },
    /// Beyond AWS: sets where a stream's mapping goes on.
    Seek {
        /// 36 characters.
        uuid: String,
        /// Where.
        seek: Seek,
    },
    /// ListTags.
    ListTags {
        /// Of a mapping, or of another resource of Lambda.
        arn: String,
    },
    /// TagResource.
    Tag {
        /// Of a mapping, or of another resource of Lambda.
        arn: String,
        /// By key.
        tags: BTreeMap<String, String>,
    },
    /// UntagResource.
    Untag {
        /// Of a mapping, or of another resource of Lambda.
        arn: String,
        /// The keys of the tags.
        keys: Vec<String>,
    },
}

pub(super) const UUID_CHARS: usize = 36;

/// Takes a request apart: the path still percent-encoded, the query without its `?`.
///
/// # Errors
/// No operation has this path and method; or the request has not the shape of the operation.
pub fn route(
    method: &Method,
    path: &str,
    query: Option<&str>,
    body: &[u8],
) -> Result<Call, Refusal> {
    let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    // Clients of some ages end paths in a slash.
    let segments = match segments.as_slice() {
        [segments @ .., ""] => segments,
        segments => segments,
    };
    match segments {
        ["2015-03-31", "event-source-mappings"] => match *method {
            Method::GET => list(query.unwrap_or_default()),
            Method::POST => Ok(Call::Create(Properties::of_create(body::object(body)?)?)),
            _ => Err(no_method(method)),
        },
        ["2015-03-31", "event-source-mappings", uuid] => {
            let uuid = checked_uuid(uuid)?;
            match *method {
                Method::GET => Ok(Call::Get { uuid }),
                Method::DELETE => Ok(Call::Delete { uuid }),
                Method::PUT => {
                    let properties = Properties::of_update(body::object(body)?)?;
                    Ok(Call::Update { uuid, properties })
                }
                _ => Err(no_method(method)),
            }
        }
        [
            "2015-03-31",
            "event-source-mappings",
            uuid,
            verb @ ("pause" | "resume"),
        ] => {
            let uuid = checked_uuid(uuid)?;
            if *method != Method::POST {
                return Err(no_method(method));
            }
            if let Some(key) = body::object(body)?.keys().next() {
                let key = cut(key.clone());
                let what = format!("{key}: there is nothing to set: a {verb} has no body");
                return Err(Refusal::invalid(what));
            }
            Ok(match *verb {
                "pause" => Call::Pause { uuid },
                _ => Call::Resume { uuid },
            })
        }
        ["2015-03-31", "event-source-mappings", uuid, "position"] => {
            let uuid = checked_uuid(uuid)?;
            match *method {
                Method::GET => Ok(Call::Position {
                    uuid,
                    page: page(query.unwrap_or_default())?,
                }),
                Method::PUT => {
                    let seek = Seek::of(body::object(body)?)?;
                    Ok(Call::Seek { uuid, seek })
                }
                _ => Err(no_method(method)),
            }
        }
        ["2017-03-31", "tags", arn] => {
            let arn = checked_arn(arn)?;
            match *method {
                Method::GET => Ok(Call::ListTags { arn }),
                Method::POST => tag(arn, body),
                Method::DELETE => untag(arn, query.unwrap_or_default()),
                _ => Err(no_method(method)),
            }
        }
        _ => Err(Refusal::new(
            404,
            "UnknownOperationException",
            "No operation of event source mappings has this path.",
        )),
    }
}

fn no_method(method: &Method) -> Refusal {
    Refusal::new(
        405,
        "MethodNotAllowedException",
        format!("No operation has the method {method} on this path."),
    )
}

fn list(query: &str) -> Result<Call, Refusal> {
    let mut selection = Selection::default();
    let mut violations = Violations::default();
    for (key, value) in uri::query(query)? {
        let (place, path, shape) = match key.as_str() {
            "EventSourceArn" => (&mut selection.event_source_arn, "eventSourceArn", SOURCE),
            "FunctionName" => (
                &mut selection.function_name,
                "functionName",
                Shape::FunctionName,
            ),
            "Marker" => {
                // Some clients send what they do not have.
                selection.marker = Some(value).filter(|marker| !marker.is_empty());
                continue;
            }
            "MaxItems" => {
                selection.max_items = max_items(value, &mut violations);
                continue;
            }
            // What signs a request stands there, too.
            _ => continue,
        };
        violations.check(path, &Value::from(value.as_str()), &shape);
        *place = Some(value);
    }
    violations.result()?;
    Ok(Call::List(selection))
}

fn page(query: &str) -> Result<Page, Refusal> {
    let mut page = Page::default();
    let mut violations = Violations::default();
    for (key, value) in uri::query(query)? {
        match key.as_str() {
            "Marker" => page.marker = Some(value).filter(|marker| !marker.is_empty()),
            "MaxItems" => page.max_items = max_items(value, &mut violations),
            _ => {}
        }
    }
    violations.result()?;
    Ok(page)
}

fn max_items(value: String, violations: &mut Violations) -> Option<usize> {
    let value = match value.parse::<i64>() {
        Ok(count) => Value::from(count),
        Err(_) => Value::from(value),
    };
    violations.check("maxItems", &value, &MAX_ITEMS);
    value.as_u64().and_then(|count| usize::try_from(count).ok())
}

fn checked_uuid(segment: &str) -> Result<String, Refusal> {
    let shape = Shape::Text {
        min: UUID_CHARS,
        max: UUID_CHARS,
        pattern: None,
    };
    checked(segment, "uUID", &shape)
}

fn checked_arn(segment: &str) -> Result<String, Refusal> {
    checked(segment, "resource", &TAGGABLE)
}

fn checked(segment: &str, path: &str, shape: &Shape) -> Result<String, Refusal> {
    let text = uri::decoded(segment)
        .ok_or_else(|| Refusal::invalid("The path is not valid percent-encoded UTF-8."))?;
    let mut violations = Violations::default();
    violations.check(path, &Value::from(text.as_str()), shape);
    violations.result()?;
    Ok(text)
}

fn tag(arn: String, body: &[u8]) -> Result<Call, Refusal> {
    let mut body = body::object(body)?;
    let tags = body.remove("Tags").unwrap_or_default();
    let mut violations = Violations::default();
    if tags.is_null() {
        violations.missing("tags");
    }
    violations.check("tags", &tags, &Shape::Texts);
    violations.result()?;
    let entries = tags.as_object().into_iter().flatten();
    let texts = entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    let tags = texts.collect();
    Ok(Call::Tag { arn, tags })
}

fn untag(arn: String, query: &str) -> Result<Call, Refusal> {
    let pairs = uri::query(query)?.into_iter();
    let keys: Vec<String> = pairs
        .filter(|(key, _)| key == "tagKeys")
        .map(|(_, value)| value)
        .collect();
    if keys.is_empty() {
        let mut violations = Violations::default();
        violations.missing("tagKeys");
        violations.result()?;
    }
    Ok(Call::Untag { arn, keys })
}
