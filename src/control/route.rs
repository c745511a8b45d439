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

/// A path and a method that the API answers to.
#[derive(Clone, Debug)]
pub struct Route {
    /// `GET` changes nothing; every other method does.
    pub method: Method,
    /// With `{UUID}` or `{ARN}` where a mapping or a resource is named.
    pub path: &'static str,
    operation: Operation,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Create,
    Get,
    List,
    Update,
    Delete,
    Pause,
    Resume,
    Position,
    Seek,
    ListTags,
    Tag,
    Untag,
}

const MAPPINGS: &str = "/2015-03-31/event-source-mappings";
const MAPPING: &str = "/2015-03-31/event-source-mappings/{UUID}";
const PAUSE: &str = "/2015-03-31/event-source-mappings/{UUID}/pause";
const RESUME: &str = "/2015-03-31/event-source-mappings/{UUID}/resume";
const POSITION: &str = "/2015-03-31/event-source-mappings/{UUID}/position";
const TAGS: &str = "/2017-03-31/tags/{ARN}";

/// All there are: nothing else is answered.
pub static ROUTES: [Route; 12] = [
    on(Method::POST, MAPPINGS, Operation::Create),
    on(Method::GET, MAPPINGS, Operation::List),
    on(Method::GET, MAPPING, Operation::Get),
    on(Method::PUT, MAPPING, Operation::Update),
    on(Method::DELETE, MAPPING, Operation::Delete),
    on(Method::POST, PAUSE, Operation::Pause),
    on(Method::POST, RESUME, Operation::Resume),
    on(Method::GET, POSITION, Operation::Position),
    on(Method::PUT, POSITION, Operation::Seek),
    on(Method::GET, TAGS, Operation::ListTags),
    on(Method::POST, TAGS, Operation::Tag),
    on(Method::DELETE, TAGS, Operation::Untag),
];

const fn on(method: Method, path: &'static str, operation: Operation) -> Route {
    Route {
        method,
        path,
        operation,
    }
}

impl Route {
    /// What stands in the path where this route has a name in braces, `""` where it has none; `None`: it is another path.
    fn named<'a>(&self, segments: &[&'a str]) -> Option<&'a str> {
        let wanted = self.path.split('/').skip(1);
        if wanted.clone().count() != segments.len() {
            return None;
        }
        let mut named = "";
        for (wanted, segment) in wanted.zip(segments) {
            match wanted {
                UUID | ARN => named = segment,
                wanted if wanted != *segment => return None,
                _ => {}
            }
        }
        Some(named)
    }
}

const UUID: &str = "{UUID}";
const ARN: &str = "{ARN}";

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
    let query = query.unwrap_or_default();
    let mut on_path = ROUTES
        .iter()
        .filter_map(|route| Some((route, route.named(segments)?)))
        .peekable();
    let Some(&(any, named)) = on_path.peek() else {
        return Err(no_operation());
    };
    // Before the method: whoever misspells both is told of the name.
    let named = match any.path {
        MAPPINGS => String::new(),
        TAGS => checked_arn(named)?,
        _ => checked_uuid(named)?,
    };
    let route = on_path.find(|(route, _)| route.method == *method);
    let Some((Route { operation, .. }, _)) = route else {
        return Err(no_method(method));
    };
    Ok(match operation {
        Operation::Create => Call::Create(Properties::of_create(body::object(body)?)?),
        Operation::Get => Call::Get { uuid: named },
        Operation::List => return list(query),
        Operation::Update => {
            let properties = Properties::of_update(body::object(body)?)?;
            Call::Update {
                uuid: named,
                properties,
            }
        }
        Operation::Delete => Call::Delete { uuid: named },
        Operation::Pause => {
            nothing_to_set("pause", body)?;
            Call::Pause { uuid: named }
        }
        Operation::Resume => {
            nothing_to_set("resume", body)?;
            Call::Resume { uuid: named }
        }
        Operation::Position => {
            let page = page(query)?;
            Call::Position { uuid: named, page }
        }
        Operation::Seek => {
            let seek = Seek::of(body::object(body)?)?;
            Call::Seek { uuid: named, seek }
        }
        Operation::ListTags => Call::ListTags { arn: named },
        Operation::Tag => return tag(named, body),
        Operation::Untag => return untag(named, query),
    })
}

fn nothing_to_set(verb: &str, body: &[u8]) -> Result<(), Refusal> {
    let Some(key) = body::object(body)?.keys().next().cloned() else {
        return Ok(());
    };
    let key = cut(key);
    let what = format!("{key}: there is nothing to set: a {verb} has no body");
    Err(Refusal::invalid(what))
}

fn no_operation() -> Refusal {
    Refusal::new(
        404,
        "UnknownOperationException",
        "No operation of event source mappings has this path.",
    )
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
