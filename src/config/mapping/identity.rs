//! What tells mappings apart: source and function, `Name`, `UUID`.

use std::collections::{BTreeMap, BTreeSet};

use md5::{Digest, Md5};

use super::source::{Family, Source};
use crate::config::cursor::{At, Fields};
use crate::config::error::{Report, quoted};
use crate::config::function_name::FunctionName;
use crate::model::uuid;

/// A mapping before it has its labels.
pub(super) struct Identity<'a> {
    pub at: At<'a>,
    pub source: Source,
    pub function: FunctionName,
    /// `FunctionName`, or the `FunctionArn` that serves in its place.
    pub given: &'a str,
    pub function_at: At<'a>,
    name: Option<(&'a str, At<'a>)>,
    uuid: Option<(&'a str, At<'a>)>,
}

/// How a mapping is called.
pub(super) struct Label {
    pub name: String,
    pub uuid: String,
}

/// Reads what identifies a mapping; every part is checked, also after a wrong one.
pub(super) fn read<'a>(
    fields: &Fields<'a>,
    source: Option<Source>,
    report: &mut Report,
) -> Option<Identity<'a>> {
    let name = fields.get("Name").map(|at| (name(&at, report), at));
    let uuid = fields.get("UUID").map(|at| (uuid(&at, report), at));
    let function = function(fields, report);
    let holds = |(text, at): (Option<&'a str>, At<'a>)| text.map(|text| (text, at));
    let (given, function, function_at) = function?;
    Some(Identity {
        at: fields.at.clone(),
        source: source?,
        function,
        given,
        function_at,
        name: name.and_then(holds),
        uuid: uuid.and_then(holds),
    })
}

fn function<'a>(
    fields: &Fields<'a>,
    report: &mut Report,
) -> Option<(&'a str, FunctionName, At<'a>)> {
    let Some(at) = fields
        .get("FunctionName")
        .or_else(|| fields.get("FunctionArn"))
    else {
        let what = "FunctionName is missing: a function's name or ARN, such as process-orders";
        fields.at.error(report, what);
        return None;
    };
    let text = at.text(report)?;
    match FunctionName::parse(text) {
        Ok(function) => Some((text, function, at)),
        Err(what) => {
            at.error(report, what);
            None
        }
    }
}

/// A name labels metrics and log lines, and is typed on command lines.
const NAME_CHARS_MAX: usize = 128;

fn name<'a>(at: &At<'a>, report: &mut Report) -> Option<&'a str> {
    let text = at.text(report)?;
    let letters = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !begins || !letters || text.len() > NAME_CHARS_MAX {
        at.error(
            report,
            format!(
                "{} is no name of a mapping; expected 1 to {NAME_CHARS_MAX} letters, digits, ., _ and -, a letter or digit first",
                quoted(text)
            ),
        );
        return None;
    }
    Some(text)
}

fn uuid<'a>(at: &At<'a>, report: &mut Report) -> Option<&'a str> {
    let text = at.text(report)?;
    let groups: Vec<&str> = text.split('-').collect();
    let hex = |group: &str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    if lengths != [8, 4, 4, 4, 12] || !groups.into_iter().all(hex) {
        let found = quoted(text);
        at.error(
            report,
            format!("{found} is no UUID; expected 36 characters such as 14e0db71-5d35-4eb5-b481-8945cf9d10c2, or leave it out"),
        );
        return None;
    }
    Some(text)
}

/// Gives each mapping its UUID and its name, and reports what two of them share.
pub(super) fn labels(identities: &[&Identity<'_>], report: &mut Report) -> Vec<Label> {
    let uuids: Vec<String> = identities.iter().map(|identity| identity.uuid()).collect();
    refuse_shared(identities, &uuids, report);
    let names = names(identities, &uuids);
    let labels = names.into_iter().zip(uuids);
    labels.map(|(name, uuid)| Label { name, uuid }).collect()
}

fn refuse_shared(identities: &[&Identity<'_>], uuids: &[String], report: &mut Report) {
    let mut by_pair = BTreeMap::new();
    let mut by_name = BTreeMap::new();
    let mut by_uuid = BTreeMap::new();
    for (index, identity) in identities.iter().enumerate() {
        let first = *by_pair.entry(identity.pair()).or_insert(index);
        if first != index {
            let (place, uuid) = (identities[first].at.place(), &uuids[first]);
            let (source, given) = (&identity.source.arn, identity.given);
            // spec: 1.6, AWS's own sentences, and the place of the other
            let what = match identity.source.family {
                Family::Queue { .. } => format!(
                    "An event source mapping with SQS arn (\" {source} \") and function (\" {given} \") already exists."
                ),
                Family::Kinesis | Family::DynamoDb => format!(
                    "The event source arn (\" {source} \") and function (\" {given} \") provided mapping already exists."
                ),
            };
            identity.at.error(
                report,
                format!(
                    "{what} Please update or delete the existing mapping with UUID {uuid} ({place})"
                ),
            );
        }
        if let Some((name, at)) = &identity.name {
            let first = *by_name.entry(*name).or_insert(index);
            if first != index {
                let first = identities[first].at.place();
                at.error(
                    report,
                    format!(
                        "{} is already the name of the mapping at {first}",
                        quoted(name)
                    ),
                );
            }
        }
        if let Some((uuid, at)) = &identity.uuid {
            let first = *by_uuid.entry(uuid.to_ascii_lowercase()).or_insert(index);
            if first != index {
                let first = identities[first].at.place();
                at.error(
                    report,
                    format!(
                        "{} is already the UUID of the mapping at {first}",
                        quoted(uuid)
                    ),
                );
            }
        }
    }
}

/// Given names stay. The others are `<queue, stream or table>-<function>`, with the qualifier if there is one; where two mappings would have the
/// same name, the derived ones end in the beginning of their UUID. So no name depends on the order of the mappings.
fn names(identities: &[&Identity<'_>], uuids: &[String]) -> Vec<String> {
    let mut names: Vec<String> = identities
        .iter()
        .map(|identity| identity.plain_name())
        .collect();
    let derived = |index: usize| identities[index].name.is_none();
    let unfit = |name: &String| name.is_empty() || name.len() > NAME_CHARS_MAX;
    let long = (0..names.len()).filter(|index| unfit(&names[*index]));
    let clashing: BTreeSet<usize> = shared(&names).into_iter().chain(long).collect();
    for index in clashing {
        if derived(index) {
            names[index] = suffixed(&names[index], &uuids[index]);
        }
    }
    // Should even those meet: a UUID alone is unwieldy, and nobody else's.
    for index in shared(&names) {
        if derived(index) {
            names[index].clone_from(&uuids[index]);
        }
    }
    names
}

/// The places of names that occur more than once.
fn shared(names: &[String]) -> Vec<usize> {
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, name) in names.iter().enumerate() {
        places.entry(name).or_default().push(index);
    }
    places
        .into_values()
        .filter(|indexes| indexes.len() > 1)
        .flatten()
        .collect()
}

/// So many characters of a UUID tell mappings of one name apart.
const SUFFIX_CHARS: usize = 8;

/// A name that only the mapping with this UUID has.
pub(super) fn suffixed(name: &str, uuid: &str) -> String {
    let kept = name.len().min(NAME_CHARS_MAX - SUFFIX_CHARS - 1);
    let suffixed = format!("{}-{}", &name[..kept], &uuid[..SUFFIX_CHARS]);
    suffixed.trim_start_matches('-').to_owned()
}

impl Identity<'_> {
    /// AWS's key of a mapping: the source and the function with its qualifier. // spec: 1.6 note (a)
    pub fn pair(&self) -> (String, String) {
        let function = self.function.completed(&self.source.arn);
        (self.source.arn.to_string(), function.qualified())
    }

    fn plain_name(&self) -> String {
        if let Some((name, _)) = self.name {
            return name.to_owned();
        }
        let source = self.source.name();
        let function = &self.function.name;
        let name = match &self.function.qualifier {
            Some(qualifier) => format!("{source}-{function}-{}", qualifier.trim_start_matches('$')),
            None => format!("{source}-{function}"),
        };
        // A source's name may begin with what no name of a mapping begins with.
        name.trim_start_matches(['-', '_', '.']).to_owned()
    }

    /// The given UUID, or one by name (RFC 9562, version 3): the MD5 of source and function. The same pair has the same UUID
    /// in every run and on every machine.
    fn uuid(&self) -> String {
        if let Some((uuid, _)) = self.uuid {
            return uuid.to_owned();
        }
        let (source, function) = self.pair();
        uuid::named(Md5::digest(format!("{source}\n{function}")).into())
    }
}
