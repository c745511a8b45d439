//! Tags of mappings, by the mappings' ARNs. // spec: 1.1

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::changes::{Change, Effect};
use super::{Entry, Home, Registry, key};
use crate::control::properties::Properties;
use crate::control::refusal::Refusal;
use crate::control::registration::Registration;
use crate::control::shown;

/// AWS's quotas of a resource's tags.
const TAGS_MAX: usize = 50;
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;

/// Takes the tags out of the settings of a request.
pub(super) fn of_create(properties: &mut Properties) -> Result<BTreeMap<String, String>, Refusal> {
    let tags = properties.remove("Tags");
    let tags = tags.as_ref().and_then(Value::as_object);
    let texts = tags.into_iter().flatten();
    let texts = texts.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    checked(texts.collect())
}

fn checked(tags: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Refusal> {
    let long = |text: &str, chars_max: usize| text.chars().count() > chars_max;
    for (key, value) in &tags {
        let wrong = if key.is_empty() || long(key, KEY_CHARS_MAX) {
            format!("The key of a tag has 1 to {KEY_CHARS_MAX} characters.")
        } else if long(value, VALUE_CHARS_MAX) {
            format!("The value of a tag has at most {VALUE_CHARS_MAX} characters.")
        } else if key.starts_with("aws:") {
            "Keys of tags that begin with aws: are AWS's own.".to_owned()
        } else {
            continue;
        };
        return Err(Refusal::invalid(wrong));
    }
    match tags.len() > TAGS_MAX {
        false => Ok(tags),
        true => Err(Refusal::invalid(format!(
            "{} tags are more than {TAGS_MAX}.",
            tags.len()
        ))),
    }
}

impl Registry {
    /// ListTags: the body of the answer. A mapping of a file has none.
    ///
    /// # Errors
    /// No mapping has this ARN.
    pub fn tags(&self, arn: &str) -> Result<Value, Refusal> {
        let (_, entry) = self.by_arn(arn)?;
        Ok(match &entry.home {
            Home::Api(registration) => json!({ "Tags": registration.tags }),
            Home::File { .. } => json!({ "Tags": {} }),
        })
    }

    /// TagResource: tags with these keys have these values from now on.
    ///
    /// # Errors
    /// No mapping has this ARN, or one of a file; too many tags, or too long ones.
    pub fn tag(&self, arn: &str, tags: &BTreeMap<String, String>) -> Result<Change, Refusal> {
        let registration = self.tagged(arn)?;
        let before = registration.tags.iter().chain(tags);
        let tags = before.map(|(key, value)| (key.clone(), value.clone()));
        Ok(retagged(registration, checked(tags.collect())?))
    }

    /// UntagResource: no tag has one of these keys from now on.
    ///
    /// # Errors
    /// No mapping has this ARN, or one of a file.
    pub fn untag(&self, arn: &str, keys: &[String]) -> Result<Change, Refusal> {
        let registration = self.tagged(arn)?;
        let kept = registration
            .tags
            .iter()
            .filter(|(key, _)| !keys.contains(key));
        let tags = kept.map(|(key, value)| (key.clone(), value.clone()));
        Ok(retagged(registration, tags.collect()))
    }

    fn tagged(&self, arn: &str) -> Result<&Registration, Refusal> {
        let (uuid, _) = self.by_arn(arn)?;
        self.registered(uuid).map(|(_, registration)| registration)
    }

    fn by_arn<'a>(&self, arn: &'a str) -> Result<(&'a str, &Entry), Refusal> {
        let Some((_, uuid)) = arn.split_once(":event-source-mapping:") else {
            return Err(Refusal::invalid(
                "Sluicegate keeps tags of event source mappings only.",
            ));
        };
        let own = |entry: &&Entry| match &entry.mapping {
            Ok(mapping) => shown::arn(mapping).eq_ignore_ascii_case(arn),
            // What it comes to is not known, and so is its function's home.
            Err(_) => true,
        };
        let entry = self.entries.get(&key(uuid)).filter(own);
        let entry = entry.map(|entry| (uuid, entry));
        entry.ok_or_else(|| Refusal::not_found(format!("Event source mapping not found: {arn}")))
    }
}

/// The tags are no part of what runs, nor of what AWS calls a modification.
fn retagged(registration: &Registration, tags: BTreeMap<String, String>) -> Change {
    let registration = Registration {
        tags,
        ..registration.clone()
    };
    Change {
        effect: Effect::Keep(registration),
        needs: None,
        answer: None,
        mapping: None,
    }
}
