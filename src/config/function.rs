//! `Functions`: functions that run elsewhere than in AWS Lambda, and how a mapping names its function.

use std::collections::BTreeSet;
use std::time::Duration;

use super::arn::Arn;
use super::cursor::{At, one_of};
use super::error::{Report, quoted};
use super::function_name::FunctionName;
use super::service::seconds;
use super::url::{Rest, check};

/// An entry of `Functions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionEntry {
    /// The key: a function name or ARN.
    pub key: String,
    /// `Http.Url`: where the event is posted.
    pub url: String,
    /// `TimeoutInSeconds`, 1 to 900, 60 by default: after that the invocation counts as a function error.
    pub timeout: Duration,
    /// `RoleArn`: the identity that events of a stream name as their invoker; no role is assumed.
    pub role: Option<Arn>,
}

/// Where a mapping's function runs, resolved against `Functions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// AWS Lambda's Invoke API.
    Lambda {
        /// Name or ARN without qualifier, as Invoke takes it.
        function: String,
        /// Version or alias.
        qualifier: Option<String>,
        /// The function's region: that of its ARN, else that of the source.
        region: String,
    },
    /// The event is posted to a URL; the reply is read as Lambda's Invoke API is read.
    Http {
        /// `http` or `https`, without credentials.
        url: String,
        /// 1 to 900 s: after that the invocation counts as a function error.
        timeout: Duration,
        /// `RoleArn` of its entry.
        role: Option<Arn>,
    },
}

const KEYS: [&str; 3] = ["Http", "TimeoutInSeconds", "RoleArn"];
const TIMEOUT_S_DEFAULT: i64 = 60;
const TIMEOUT_S_MAX: i64 = 900;

/// The entries of `Functions` while mappings are resolved against them.
#[derive(Debug, Default)]
pub(super) struct Functions<'a> {
    known: Vec<Known<'a>>,
    used: BTreeSet<usize>,
}

#[derive(Debug)]
struct Known<'a> {
    /// Where it stands; `None`: it was read before.
    at: Option<At<'a>>,
    key: &'a str,
    name: FunctionName,
    /// `None`: the entry is wrong and was reported.
    entry: Option<FunctionEntry>,
}

impl<'a> Functions<'a> {
    pub fn read(at: &At<'a>, report: &mut Report) -> Functions<'a> {
        let mut functions = Functions::default();
        for (key, at) in at.entries(report).unwrap_or_default() {
            match FunctionName::parse(key) {
                Ok(name) => {
                    let entry = read_entry(key, &at, report);
                    functions.known.push(Known {
                        at: Some(at),
                        key,
                        name,
                        entry,
                    });
                }
                Err(what) => at.error(report, what),
            }
        }
        functions
    }

    /// Entries that were read and checked before.
    pub fn of(entries: &'a [FunctionEntry]) -> Functions<'a> {
        let known = entries.iter().filter_map(|entry| {
            Some(Known {
                at: None,
                key: &entry.key,
                name: FunctionName::parse(&entry.key).ok()?,
                entry: Some(entry.clone()),
            })
        });
        Functions {
            known: known.collect(),
            used: BTreeSet::new(),
        }
    }

    /// Where the function of a mapping runs. An entry of `Functions` is chosen in three steps, the first that has one counts:
    /// 1. its key is the mapping's `FunctionName` to the letter;
    /// 2. its key names the same function with the same qualifier in another form (`orders` and its ARN);
    /// 3. its key names the same function without a qualifier: it serves every version and alias.
    ///
    /// What a key leaves open (account, region) is any; what a mapping leaves open is as in its source. A key with a qualifier
    /// serves that qualifier alone. No entry: the function runs in AWS Lambda. Two in one step: an error.
    pub fn resolve(
        &mut self,
        given: &str,
        wanted: &FunctionName,
        source: &Arn,
    ) -> Result<Option<Target>, String> {
        let complete = wanted.completed(source);
        let exact = |known: &Known<'_>| known.key == given;
        let same = |known: &Known<'_>| {
            known.name.covers(&complete) && known.name.qualifier == complete.qualifier
        };
        let any_version =
            |known: &Known<'_>| known.name.covers(&complete) && known.name.qualifier.is_none();
        let steps: [&dyn Fn(&Known<'_>) -> bool; 3] = [&exact, &same, &any_version];
        for step in steps {
            let matching: Vec<usize> = (0..self.known.len())
                .filter(|index| step(&self.known[*index]))
                .collect();
            match matching.as_slice() {
                [] => {}
                [index] => {
                    self.used.insert(*index);
                    return Ok(self.known[*index].target());
                }
                several => {
                    let keys: Vec<&str> =
                        several.iter().map(|index| self.known[*index].key).collect();
                    return Err(format!(
                        "{} could be {} of Functions; name it as one of them does",
                        quoted(given),
                        one_of(&keys)
                    ));
                }
            }
        }
        Ok(Some(Target::Lambda {
            function: wanted.unqualified(),
            qualifier: wanted.qualifier.clone(),
            region: complete.region.unwrap_or_else(|| source.region.clone()),
        }))
    }

    /// The entries, and a warning for each that no mapping uses: its key may be misspelt, and the function run in AWS Lambda.
    pub fn finish(self, report: &mut Report) -> Vec<FunctionEntry> {
        for (index, known) in self.known.iter().enumerate() {
            if let Some(at) = &known.at
                && !self.used.contains(&index)
            {
                at.warn(report, "no mapping uses this function");
            }
        }
        self.known
            .into_iter()
            .filter_map(|known| known.entry)
            .collect()
    }
}

impl Known<'_> {
    fn target(&self) -> Option<Target> {
        self.entry.as_ref().map(|entry| Target::Http {
            url: entry.url.clone(),
            timeout: entry.timeout,
            role: entry.role.clone(),
        })
    }
}

fn read_entry(key: &str, at: &At<'_>, report: &mut Report) -> Option<FunctionEntry> {
    let fields = at.fields(&KEYS, report)?;
    let timeout = fields.integer(
        "TimeoutInSeconds",
        1..=TIMEOUT_S_MAX,
        TIMEOUT_S_DEFAULT,
        report,
    );
    let role = fields.get("RoleArn").and_then(|at| role(&at, report));
    let url = match fields.get("Http") {
        Some(at) => url(&at, report),
        None => {
            at.error(
                report,
                "Http is missing: where does the function run? A function in AWS Lambda needs no entry here",
            );
            None
        }
    };
    Some(FunctionEntry {
        key: key.to_owned(),
        url: url?,
        timeout: seconds(timeout?),
        role,
    })
}

fn url(at: &At<'_>, report: &mut Report) -> Option<String> {
    let fields = at.fields(&["Url"], report)?;
    let Some(at) = fields.get("Url") else {
        at.error(
            report,
            "Url is missing: where the event is posted, such as http://127.0.0.1:8080/",
        );
        return None;
    };
    let text = at.text(report)?;
    match check(text, Rest::Any) {
        Ok(()) => Some(text.to_owned()),
        Err(what) => {
            at.error(report, what);
            None
        }
    }
}

fn role(at: &At<'_>, report: &mut Report) -> Option<Arn> {
    let text = at.text(report)?;
    let role = text.parse::<Arn>().ok();
    let role = role.filter(|arn| arn.service == "iam" && arn.resource.starts_with("role/"));
    if role.is_none() {
        let found = quoted(text);
        at.error(
            report,
            format!(
                "{found} is no ARN of a role; expected such as arn:aws:iam::123456789012:role/name"
            ),
        );
    }
    role
}
