//! `Service.Api`: who may use the control API. Where nobody is named it is served on a loopback address alone.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use super::super::cursor::At;
use super::super::error::Report;
use super::super::tree::Value;

/// Who may use the control API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Api {
    /// `AccessKeys`: whose signatures count (AWS Signature Version 4).
    pub keys: Vec<AccessKey>,
    /// `TokenFile`: a bearer token that may do everything.
    pub token_file: Option<PathBuf>,
    /// `ReadOnlyTokenFile`: one that may look.
    pub read_only_token_file: Option<PathBuf>,
}

/// A key that requests may be signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// `AccessKeyId`: 16 to 128 letters and digits, as AWS has them.
    pub id: String,
    /// `SecretAccessKey`.
    pub secret: Secret,
    /// `ReadOnly`: it may look, and change nothing.
    pub read_only: bool,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// To be compared with, and not to be kept.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Api {
    /// Somebody is named: everybody else is refused, on a loopback address too.
    pub fn asks(&self) -> bool {
        !self.keys.is_empty() || self.token_file.is_some() || self.read_only_token_file.is_some()
    }
}

const KEYS: [&str; 3] = ["AccessKeys", "TokenFile", "ReadOnlyTokenFile"];
const KEYS_OF_A_KEY: [&str; 3] = ["AccessKeyId", "SecretAccessKey", "ReadOnly"];
/// As AWS has them.
const ID_CHARS: std::ops::RangeInclusive<usize> = 16..=128;
/// A secret that is shorter is guessed.
const SECRET_CHARS_MIN: usize = 16;

pub(super) fn read(at: &At<'_>, report: &mut Report) -> Option<Api> {
    let fields = at.fields(&KEYS, report)?;
    let keys = match fields.get("AccessKeys") {
        Some(at) => keys(&at, report),
        None => Some(Vec::new()),
    };
    let mut file = |key: &str| match fields.get(key) {
        Some(at) => path(&at, report).map(Some),
        None => Some(None),
    };
    let (token_file, read_only_token_file) = (file("TokenFile"), file("ReadOnlyTokenFile"));
    Some(Api {
        keys: keys?,
        token_file: token_file?,
        read_only_token_file: read_only_token_file?,
    })
}

fn path(at: &At<'_>, report: &mut Report) -> Option<PathBuf> {
    match at.text(report)? {
        "" => {
            at.error(report, "expected the path of a file, found \"\"");
            None
        }
        path => Some(PathBuf::from(path)),
    }
}

fn keys(at: &At<'_>, report: &mut Report) -> Option<Vec<AccessKey>> {
    let mut known = BTreeSet::new();
    let mut keys = Vec::new();
    let list = at.list(report)?;
    let count = list.len();
    for at in list {
        let Some(key) = key(&at, report) else {
            continue;
        };
        if !known.insert(key.id.clone()) {
            let what = format!("{} is there already", key.id);
            at.below("AccessKeyId").error(report, what);
            continue;
        }
        keys.push(key);
    }
    (keys.len() == count).then_some(keys)
}

/// Text; what is there instead of it is not shown, since it may be a secret all the same.
fn unshown<'a>(at: &At<'a>, report: &mut Report) -> Option<&'a str> {
    match &at.node.value {
        Value::Text(text) => Some(&text.text),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::List(_)
        | Value::Map(_) => {
            at.error(report, "expected text, in quotes");
            None
        }
        Value::Broken => None,
    }
}

fn key(at: &At<'_>, report: &mut Report) -> Option<AccessKey> {
    let fields = at.fields(&KEYS_OF_A_KEY, report)?;
    let mut needed = |key: &str| match fields.get(key) {
        Some(at) => unshown(&at, report).map(|text| (text, at)),
        None => {
            at.error(report, format!("{key} is missing"));
            None
        }
    };
    let (id, secret) = (needed("AccessKeyId"), needed("SecretAccessKey"));
    let read_only = match fields.get("ReadOnly") {
        Some(at) => at.boolean(report),
        None => Some(false),
    };
    let ((id, id_at), (secret, secret_at)) = (id?, secret?);
    let readable = id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !readable || !ID_CHARS.contains(&id.len()) {
        let (least, most) = (ID_CHARS.start(), ID_CHARS.end());
        let what = format!(
            "an access key's id has {least} to {most} letters and digits, such as AKIAIOSFODNN7EXAMPLE"
        );
        id_at.error(report, what);
        return None;
    }
    if secret.chars().count() < SECRET_CHARS_MIN {
        // It is not shown, short as it is.
        let what = format!("a secret of fewer than {SECRET_CHARS_MIN} characters is guessed");
        secret_at.error(report, what);
        return None;
    }
    Some(AccessKey {
        id: id.to_owned(),
        secret: Secret(secret.to_owned()),
        read_only: read_only?,
    })
}
