//! `sluicegate pause` and `resume`: an operator's hold on mappings of a running service.

use std::collections::BTreeSet;

use serde_json::Value;

use super::service::{Args as ServiceArgs, Named, Service, named, who_asks};
use super::{Exit, failed, output};
use crate::config::error::one_line;

macro_rules! ends {
    () => {
        concat!(
            "Where a name is not known nothing is changed. Else each mapping has its line, on stderr where it could not be done,\n\
             and the exit code is 0 only if all could.\n\n",
            who_asks!()
        )
    };
}

/// What the help of `pause` says at its end.
pub const PAUSE_ENDS: &str = concat!(
    "What a mapping has in hand is finished, nothing more is read, and it keeps its place: in the queue, or its positions\n\
     in the stream. It stays paused, over restarts and reloads too, until `sluicegate resume`. A stream forgets its oldest\n\
     records meanwhile as it always does.\n\n",
    ends!()
);

/// What the help of `resume` says at its end.
pub const RESUME_ENDS: &str = concat!(
    "A mapping goes on where it was. One that is disabled in its file or by the API stays so.\n\n",
    ends!()
);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The mappings, each by its name, its UUID or its ARN
    #[arg(
        value_name = "NAME",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    names: Vec<String>,
    /// All mappings of the service
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    service: ServiceArgs,
}

/// What is done to the mappings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Pause,
    Resume,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }
}

pub fn run(verb: Verb, args: &Args) -> Exit {
    let mut service = match Service::of(&args.service) {
        Ok(service) => service,
        Err(exit) => return exit,
    };
    let mappings = match service.list() {
        Ok(mappings) => mappings,
        Err(error) => return failed(&error),
    };
    let chosen = match chosen(args, &mappings) {
        Ok(chosen) => chosen,
        Err(exit) => return exit,
    };
    let mut exit = Exit::Done;
    for (index, named) in chosen.iter().enumerate() {
        let name = one_line(named.name);
        match service.hold(named.uuid, verb.name()) {
            Ok(now) => {
                match output::print(&format!("{name}: {}\n", told(verb, named.mapping, &now))) {
                    Exit::Done => {}
                    failed => exit = failed,
                }
            }
            Err(error) => {
                exit = failed(&format!("{name}: not {}d: {error}", verb.name()));
                if !error.is_of_one_mapping() {
                    not_asked(&chosen[index + 1..]);
                    return exit;
                }
            }
        }
    }
    exit
}

/// Whoever can not be asked about one mapping is not asked about the others.
fn not_asked(rest: &[Named<'_>]) {
    for named in rest {
        output::complain(&format!("{}: not asked for", one_line(named.name)));
    }
}

/// Each mapping once, in the order of the command line. All names are looked at before anything is done.
fn chosen<'a>(args: &Args, mappings: &'a [Value]) -> Result<Vec<Named<'a>>, Exit> {
    if args.all {
        let mut all: Vec<Named<'a>> = mappings.iter().filter_map(Named::of).collect();
        all.sort_by_key(|named| named.name);
        return match all.is_empty() {
            true => Err(failed(&"the service has no mapping")),
            false => Ok(all),
        };
    }
    let mut seen = BTreeSet::new();
    let mut chosen = Vec::new();
    let mut unknown = false;
    for given in &args.names {
        match named(given, mappings) {
            Ok(named) if seen.insert(named.uuid) => chosen.push(named),
            Ok(_) => {}
            Err(uncertain) => {
                output::complain(&uncertain);
                unknown = true;
            }
        }
    }
    match unknown {
        false => Ok(chosen),
        true if chosen.is_empty() => Err(Exit::Failed),
        true => Err(failed(&"nothing was changed")),
    }
}

/// What was done, from what the mapping was and what it is now.
fn told(verb: Verb, before: &Value, now: &Value) -> &'static str {
    let was_paused = before["Paused"] == true;
    let state = now["State"].as_str().unwrap_or_default();
    match (verb, was_paused, state) {
        (Verb::Pause, true, _) => "was paused already",
        (Verb::Pause, false, "Disabling") => "paused; what it has in hand is finished first",
        (Verb::Pause, false, _) => "paused",
        (Verb::Resume, false, "Disabled" | "Disabling") => {
            "was not paused; it is disabled by its own settings"
        }
        (Verb::Resume, false, _) => "was not paused",
        (Verb::Resume, true, "Disabled" | "Disabling") => {
            "resumed, and still disabled by its own settings"
        }
        (Verb::Resume, true, _) => "resumed",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_what_was_done() {
        for (verb, before, now, expected) in [
            (Verb::Pause, false, "Disabled", "paused"),
            (
                Verb::Pause,
                false,
                "Disabling",
                "paused; what it has in hand is finished first",
            ),
            (Verb::Pause, true, "Disabled", "was paused already"),
            (Verb::Resume, true, "Enabling", "resumed"),
            (Verb::Resume, true, "Enabled", "resumed"),
            (
                Verb::Resume,
                true,
                "Disabled",
                "resumed, and still disabled by its own settings",
            ),
            (Verb::Resume, false, "Enabled", "was not paused"),
            (
                Verb::Resume,
                false,
                "Disabled",
                "was not paused; it is disabled by its own settings",
            ),
        ] {
            let before = match before {
                true => json!({ "Paused": true }),
                false => json!({}),
            };
            assert_eq!(told(verb, &before, &json!({ "State": now })), expected);
        }
    }
}
