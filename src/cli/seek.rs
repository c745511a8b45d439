//! `sluicegate seek`: where a stream's mapping is, and putting it somewhere else.

mod plan;
mod position;
mod target;

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use clap::ValueEnum;
use serde_json::{Value, json};

use self::plan::{Plan, SHOWN_MAX};
use self::position::Positions;
use self::target::{Target, target};
use super::service::{Args as ServiceArgs, Named, Service, ServiceError, named, table, who_asks};
use super::{Exit, failed, output};
use crate::clock::Clock;
use crate::config::error::one_line;

/// What the help says at its end.
pub const ENDS: &str = concat!(
    "WHERE is trim-horizon (the oldest record there is), latest (behind the newest), a time (2026-09-17T12:00:00Z, or\n\
     seconds since 1970), or a record's sequence number; after:NUMBER begins behind that record. A sequence number needs\n\
     --shard where the stream has more than one; the others are of all shards, or of those that are named.\n\n\
     It says what it will do, shard by shard, and asks; where there is no terminal it wants --yes. The positions that it\n\
     replaces are kept for one --undo, with what was in retry. Running invocations settle first.\n\n",
    who_asks!(),
    "\n\nEnds with 0, with 2 where the usage or the configuration is wrong, with 1 where anything else is, a no to the\n\
     question included."
);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The mapping, by its name, its UUID or its ARN
    #[arg(value_name = "NAME")]
    name: String,
    /// Where it is to go on; without it the positions are shown
    #[arg(long, value_name = "WHERE", value_parser = target)]
    to: Option<Target>,
    /// Only this shard; may be given more than once
    #[arg(long = "shard", value_name = "ID", requires = "to")]
    shards: Vec<String>,
    /// Put back the positions that the last seek replaced
    #[arg(long, conflicts_with = "to")]
    undo: bool,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    service: ServiceArgs,
    /// How to show the positions
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One shard a line
    Table,
    /// One object, as the service has it
    Json,
}

/// An answer to a question is short.
const REPLY_BYTES_MAX: u64 = 64;

pub fn run(args: &Args) -> Exit {
    match seek(args) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn seek(args: &Args) -> Result<Exit, Exit> {
    let mut service = Service::of(&args.service)?;
    let mappings = service.list().map_err(|error| failed(&error))?;
    let found = named(&args.name, &mappings).map_err(|uncertain| failed(&uncertain))?;
    let name = one_line(found.name);
    let (shown, positions) = look(&mut service, &found)?;
    let (request, what, done) = match (&args.to, args.undo) {
        (None, false) => return Ok(show(args.format, &shown, &positions)),
        (Some(target), _) => {
            let now_ms = Clock::machine().now_ms();
            let plan = Plan::of(target, &args.shards, &positions, now_ms)
                .map_err(|impossible| failed(&impossible))?;
            tell(args.format, &plan.text())?;
            let count = plan.count();
            let undo = format!("`sluicegate seek {name} --undo` puts it back");
            (
                plan.request(),
                format!("seek {count} of {name} to {target}"),
                format!("{name}: {count} sought to {target}; {undo}"),
            )
        }
        (None, true) => {
            let Some(replaced) = positions.undo else {
                return Err(failed(&format!(
                    "{name}: there is nothing to undo: no seek replaced its positions since the last undo"
                )));
            };
            let when = table::moment(replaced);
            tell(args.format, &positions.rows(SHOWN_MAX))?;
            (
                json!({ "Undo": true }),
                format!(
                    "put back the positions of {name} as they were at {when}, in place of these"
                ),
                format!("{name}: the positions are those of {when} again"),
            )
        }
    };
    if !args.yes {
        agree(&what)?;
    }
    let sought = service.seek(found.uuid, &request);
    sought.map_err(|error| failed(&format!("{name}: not sought: {error}")))?;
    // Another page may have to be asked for: what is shown is what is there afterwards.
    let (shown, after) = look(&mut service, &found)?;
    if args.format == Format::Json {
        return Ok(show(args.format, &shown, &after));
    }
    let moved = match args.undo {
        true => plan::put_back(&positions, &after),
        false => String::new(),
    };
    let rests = match found.mapping["Paused"] == true {
        true => format!("; it is paused, and goes on there after `sluicegate resume {name}`"),
        false => String::new(),
    };
    Ok(output::print(&format!("{moved}{done}{rests}\n")))
}

/// The positions of a mapping, as they came and as they are.
fn look(service: &mut Service, found: &Named<'_>) -> Result<(Value, Positions), Exit> {
    let name = one_line(found.name);
    let shown = service.positions(found.uuid);
    let shown = shown.map_err(|error| failed(&format!("{name}: {error}")))?;
    match Positions::read(&shown) {
        Some(positions) => Ok((shown, positions)),
        None => {
            let strange = ServiceError::Stranger {
                address: service.address().to_owned(),
                found: "JSON of another kind".to_owned(),
                expected: "positions of shards",
            };
            Err(failed(&strange))
        }
    }
}

fn show(format: Format, shown: &Value, positions: &Positions) -> Exit {
    output::print(&match format {
        Format::Table => positions.text(),
        Format::Json => format!("{shown:#}\n"),
    })
}

/// What is about to happen, for people: beside the one object it is not for stdout.
fn tell(format: Format, text: &str) -> Result<(), Exit> {
    match format {
        Format::Json => output::complain(&text),
        Format::Table => match output::print(text) {
            Exit::Done => {}
            exit => return Err(exit),
        },
    }
    Ok(())
}

/// Asks a person; nobody else is asked.
fn agree(what: &str) -> Result<(), Exit> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        output::complain(&format!(
            "nothing was changed: --yes is needed to {what} where nobody can be asked"
        ));
        return Err(Exit::Usage);
    }
    // Whoever can not be shown the question can not have answered it.
    let mut err = io::stderr().lock();
    let asked = write!(err, "{what}? [y/N] ").and_then(|()| err.flush());
    drop(err);
    let mut reply = String::new();
    let read = io::stdin()
        .lock()
        .take(REPLY_BYTES_MAX)
        .read_line(&mut reply);
    let agreed = matches!(reply.trim().to_ascii_lowercase().as_str(), "y" | "yes");
    match asked.and(read) {
        Ok(_) if agreed => Ok(()),
        Ok(_) | Err(_) => Err(failed(&"nothing was changed")),
    }
}
