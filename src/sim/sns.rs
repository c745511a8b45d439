//! The embedded SNS, Query protocol: standard topics, and what was published to them.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{
    faults::Operation,
    history::Event,
    percent::fields,
    wire::Request,
    world::{Settings, State, World, uuid},
    xml::{document, escaped},
};

/// The version of the API, which a request names: it tells SNS from other services of this protocol.
pub(super) const VERSION: &str = "2010-03-31";

/// Topics by name, with what was published.
pub(super) type Topics = BTreeMap<String, Vec<Published>>;

/// A message that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The message id.
    pub message_id: String,
    /// The message.
    pub message: String,
    /// The subject.
    pub subject: Option<String>,
    /// The attributes: for each name its data type and its value, binary ones as base64.
    pub attributes: BTreeMap<String, (String, String)>,
}

/// A refusal by SNS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct SnsError {
    /// AWS's code.
    pub code: &'static str,
    /// Says what is wrong.
    pub message: String,
    status: u16,
}

type Fields = BTreeMap<String, String>;

/// Which operation a form asks for; none for another service's.
pub(super) fn operation(request: &Request) -> Option<Operation> {
    let fields = form(request)?;
    let ours = fields
        .get("Version")
        .is_some_and(|version| version == VERSION);
    if !ours {
        return None;
    }
    Some(match fields.get("Action").map(String::as_str) {
        Some("CreateTopic") => Operation::CreateTopic,
        Some("Publish") => Operation::Publish,
        _ => Operation::Unknown,
    })
}

fn form(request: &Request) -> Option<Fields> {
    let content_type = request
        .headers()
        .get(http::header::CONTENT_TYPE)?
        .to_str()
        .ok()?;
    if !content_type.starts_with("application/x-www-form-urlencoded") {
        return None;
    }
    fields(std::str::from_utf8(request.body()).ok()?)
}

/// Serves one call.
pub(super) fn call(
    world: &World,
    operation: Operation,
    request: &Request,
) -> http::Response<Bytes> {
    let fields = form(request).unwrap_or_default();
    let result = match operation {
        Operation::CreateTopic => create(world, &fields),
        Operation::Publish => publish(world, &fields),
        _ => Err(refused(
            400,
            "InvalidAction",
            "The requested operation is not one of the embedded AWS.",
        )),
    };
    match result {
        Ok(result) => {
            let name = fields.get("Action").map_or("", String::as_str);
            let id = uuid(&mut world.lock().rng);
            let root = format!(
                "<{name}Response xmlns=\"http://sns.amazonaws.com/doc/{VERSION}/\"><{name}Result>{result}</{name}Result><ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{name}Response>"
            );
            document(200, "text/xml", &root)
        }
        Err(error) => error.response(),
    }
}

fn refused(status: u16, code: &'static str, message: impl Into<String>) -> SnsError {
    SnsError {
        code,
        message: message.into(),
        status,
    }
}

impl SnsError {
    // API: SNS, Making API requests, the error response
    fn response(&self) -> http::Response<Bytes> {
        let party = if self.status < 500 {
            "Sender"
        } else {
            "Receiver"
        };
        let root = format!(
            "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/{VERSION}/\"><Error><Type>{party}</Type><Code>{}</Code><Message>{}</Message></Error></ErrorResponse>",
            self.code,
            escaped(&self.message)
        );
        document(self.status, "text/xml", &root)
    }
}

/// A refusal that is no business of SNS itself, given by SQS's code: throttles, outages, credentials.
// API: SNS Publish, Errors, and Common errors
pub(super) fn plain(code: &str, message: &str) -> http::Response<Bytes> {
    let error = match code {
        "RequestThrottled" => refused(400, "Throttling", "Rate exceeded"),
        "InternalFailure" => refused(500, "InternalFailure", message),
        "ServiceUnavailable" => refused(503, "ServiceUnavailable", message),
        "AccessDeniedException" => refused(403, "AuthorizationError", message),
        _ => refused(403, "ExpiredToken", message),
    };
    error.response()
}

// API: SNS CreateTopic: a topic that is there already is found
fn create(world: &World, fields: &Fields) -> Result<String, SnsError> {
    let name = fields.get("Name").map_or("", String::as_str);
    let arn = make(world.settings(), &mut world.lock(), name)?;
    Ok(format!("<TopicArn>{}</TopicArn>", escaped(&arn)))
}

fn make(settings: &Settings, state: &mut State, name: &str) -> Result<String, SnsError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !(1..=256).contains(&name.len()) || !name.bytes().all(fits) {
        return Err(refused(
            400,
            "InvalidParameter",
            "Invalid parameter: Topic Name",
        ));
    }
    state.topics.entry(name.to_owned()).or_default();
    Ok(arn(settings, name))
}

fn arn(settings: &Settings, name: &str) -> String {
    format!(
        "arn:aws:sns:{}:{}:{name}",
        settings.region, settings.account
    )
}

// API: SNS Publish, Request parameters and Errors
fn publish(world: &World, fields: &Fields) -> Result<String, SnsError> {
    let invalid = |why: &str| refused(400, "InvalidParameter", format!("Invalid parameter: {why}"));
    let field = |name: &str| fields.get(name).filter(|value| !value.is_empty());
    let target = field("TopicArn").or_else(|| field("TargetArn"));
    let target = target
        .ok_or_else(|| invalid("TopicArn or TargetArn Reason: no value for required parameter"))?;
    let name = target
        .strip_prefix("arn:aws:sns:")
        .and_then(|rest| rest.rsplit(':').next())
        .ok_or_else(|| invalid("TopicArn"))?;
    let message = field("Message").ok_or_else(|| invalid("Empty message"))?;
    let attributes = attributes(fields).ok_or_else(|| invalid("MessageAttributes"))?;
    let carried: usize = attributes
        .iter()
        .map(|(name, (kind, value))| name.len() + kind.len() + value.len())
        .sum();
    // API: SNS Publish, Message: at most 262,144 bytes, with the attributes
    if message.len() + carried > 262_144 {
        return Err(invalid("Message too long"));
    }
    let subject = field("Subject");
    if subject.is_some_and(|subject| subject.chars().count() >= 100 || subject.contains('\n')) {
        return Err(invalid("Subject"));
    }
    let mut state = world.lock();
    let state = &mut *state;
    let message_id = uuid(&mut state.rng);
    let topic = state.topics.get_mut(name);
    let topic = topic.ok_or_else(|| refused(404, "NotFound", "Topic does not exist"))?;
    topic.push(Published {
        message_id: message_id.clone(),
        message: message.clone(),
        subject: subject.cloned(),
        attributes,
    });
    state
        .history
        .record(world.clock().elapsed(), || Event::Published {
            topic: name.to_owned(),
            message_id: message_id.clone(),
        });
    Ok(format!("<MessageId>{message_id}</MessageId>"))
}

/// `MessageAttributes.entry.N.Name` and `.Value.DataType`, `.Value.StringValue` or `.Value.BinaryValue`; none if a part is missing.
fn attributes(fields: &Fields) -> Option<BTreeMap<String, (String, String)>> {
    let mut attributes = BTreeMap::new();
    for n in 1.. {
        let part = |part: &str| fields.get(&format!("MessageAttributes.entry.{n}.{part}"));
        let Some(name) = part("Name") else {
            break;
        };
        let value = part("Value.StringValue").or_else(|| part("Value.BinaryValue"))?;
        attributes.insert(
            name.clone(),
            (part("Value.DataType")?.clone(), value.clone()),
        );
    }
    Some(attributes)
}

impl World {
    /// Creates a topic, or finds it, and returns its ARN.
    ///
    /// # Errors
    /// As CreateTopic.
    pub fn create_topic(&self, name: &str) -> Result<String, SnsError> {
        make(self.settings(), &mut self.lock(), name)
    }

    /// What was published to a topic, given by name or ARN, in order; nothing for a topic that is not there.
    pub fn published(&self, topic: &str) -> Vec<Published> {
        let name = topic.rsplit(':').next().unwrap_or(topic);
        self.lock().topics.get(name).cloned().unwrap_or_default()
    }
}
