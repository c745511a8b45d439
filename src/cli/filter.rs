//! `sluicegate filter`: which records of an event a filter keeps, and where it refuses the others. Nothing is sent.

mod event;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::{ArgGroup, ValueEnum};
use serde_json::{Value, json};

use self::event::{Event, Record};
use super::{Exit, environment, output, refused};
use crate::config::Config;
use crate::model::event::EVENT_BYTES_MAX;
use crate::model::filter::{FilterError, Filters, Refusal, Source};

/// What the help says below the arguments.
pub const NOTES: &str = "\
The event is what a function gets, {\"Records\":[...]}, of SQS, Kinesis or a DynamoDB stream. Keys that its records lack
count as empty, but for body, kinesis and dynamodb. A record is kept when any filter matches it; filters count from 0.

  sluicegate filter --pattern '{\"body\":{\"kind\":[\"order\"]}}' --event event.json
  sluicegate filter --config mappings.yaml --mapping orders --event - < event.json";

/// Names listed where one was not found.
const NAMES_MAX: usize = 10;

#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("filters").required(true).args(["patterns", "config"])))]
pub struct Args {
    /// A filter pattern as JSON; may be given more than once
    #[arg(long = "pattern", value_name = "PATTERN", conflicts_with = "mapping")]
    patterns: Vec<String>,
    /// Instead of patterns, the configuration of a mapping: a file, or a directory of them; may be given more than once
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "mapping")]
    config: Vec<PathBuf>,
    /// The mapping whose filters are asked
    #[arg(long, value_name = "NAME", requires = "config")]
    mapping: Option<String>,
    /// The event as JSON; - is stdin
    #[arg(long, value_name = "FILE")]
    event: PathBuf,
    /// How to show what becomes of the records
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// One record a line
    Text,
    /// One object
    Json,
}

pub fn run(args: &Args) -> Exit {
    match judged(args) {
        Ok(verdicts) => output::print(&match args.format {
            Format::Text => text(&verdicts),
            Format::Json => format!("{:#}\n", object(&verdicts)),
        }),
        Err(exit) => exit,
    }
}

/// A record and where each filter refused it; nowhere means that it is kept.
struct Verdict {
    id: String,
    refusals: Vec<Refusal>,
}

fn judged(args: &Args) -> Result<Vec<Verdict>, Exit> {
    let mapped = match &args.mapping {
        Some(name) => Some(from_mapping(&args.config, name)?),
        None => None,
    };
    let name = shown(&args.event);
    let event = read(&args.event)
        .map_err(|what| wrong(&format!("{name}: {what}")))
        .and_then(|text| {
            Event::parse(&text).map_err(|errors| {
                for error in &errors {
                    output::complain(&error.in_file(&name));
                }
                Exit::Usage
            })
        })?;
    let filters = match mapped {
        Some((source, _)) if source != event.source => {
            let (found, mapping) = (event.source, args.mapping.as_deref().unwrap_or_default());
            return Err(wrong(&format!(
                "{name}: holds {found}s; mapping {mapping} filters {source}s"
            )));
        }
        Some((_, filters)) => filters,
        None => from_patterns(&args.patterns, event.source)?,
    };
    let verdict = |record: Record| Verdict {
        refusals: filters.refusals(record.subject()),
        id: record.id,
    };
    Ok(event.records.into_iter().map(verdict).collect())
}

/// The filters of a mapping that is configured; a configuration that is wrong anywhere is refused.
fn from_mapping(config: &[PathBuf], name: &str) -> Result<(Source, Filters), Exit> {
    let config = Config::load(config, &environment).map_err(|errors| refused(&errors))?;
    let Some(mapping) = config.mappings.iter().find(|mapping| mapping.name == name) else {
        let names: Vec<_> = config
            .mappings
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        let listed = names[..names.len().min(NAMES_MAX)].join(", ");
        return Err(wrong(&format!(
            "--mapping: there is no {name:?}; there are: {listed}"
        )));
    };
    let source = mapping.filtered();
    let filters = Filters::parse(&mapping.filter_patterns, source)
        .map_err(|error| wrong(&format!("--mapping: {error}")))?;
    warn(&filters);
    Ok((source, filters))
}

/// Every pattern that is wrong is told, not only the first.
fn from_patterns(patterns: &[String], source: Source) -> Result<Filters, Exit> {
    let errors = patterns.iter().enumerate().filter_map(|(filter, pattern)| {
        let error = Filters::parse(&[pattern], source).err()?;
        Some(FilterError { filter, ..error })
    });
    for error in errors {
        output::complain(&format!("--pattern: {error}"));
    }
    let filters = Filters::parse(patterns, source).map_err(|_| Exit::Usage)?;
    warn(&filters);
    Ok(filters)
}

fn warn(filters: &Filters) {
    for warning in filters.warnings() {
        output::complain(&format!("warning: {warning}"));
    }
}

fn wrong(what: &str) -> Exit {
    output::complain(&what);
    Exit::Usage
}

fn shown(path: &Path) -> String {
    match is_stdin(path) {
        true => "stdin".to_owned(),
        false => path.display().to_string(),
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn read(path: &Path) -> Result<String, String> {
    let unreadable = |error: io::Error| format!("cannot be read: {error}");
    let input: Box<dyn Read> = match is_stdin(path) {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(path).map_err(unreadable)?),
    };
    let mut bytes = Vec::new();
    let limit = EVENT_BYTES_MAX as u64 + 1;
    input
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if EVENT_BYTES_MAX < bytes.len() {
        return Err(format!(
            "more than the {EVENT_BYTES_MAX} bytes that an event may have"
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("is no text: byte {at} is no UTF-8")
    })
}

/// Identifiers and keys are written by others: they must not move a terminal's cursor.
fn text(verdicts: &[Verdict]) -> String {
    let mut out = String::new();
    for (index, Verdict { id, refusals }) in verdicts.iter().enumerate() {
        let id = id.escape_debug();
        let what = match refusals.as_slice() {
            [] => "kept".to_owned(),
            [Refusal { key, why, .. }] => format!("refused at {}: {why}", key.escape_debug()),
            several => {
                let each = several.iter().map(|Refusal { filter, key, why }| {
                    format!("filter {filter} at {}: {why}", key.escape_debug())
                });
                format!("refused, {}", each.collect::<Vec<_>>().join("; "))
            }
        };
        out.push_str(&format!("Records[{index}] {id}: {what}\n"));
    }
    let kept = kept(verdicts);
    let refused = verdicts.len() - kept;
    out.push_str(&format!("{kept} kept, {refused} refused\n"));
    out
}

fn object(verdicts: &[Verdict]) -> Value {
    let records = verdicts.iter().enumerate().map(|(index, verdict)| {
        let refusals = verdict.refusals.iter().map(|Refusal { filter, key, why }| {
            json!({ "filter": filter, "key": key, "reason": why.name(), "text": why.to_string() })
        });
        json!({
            "index": index,
            "id": verdict.id,
            "kept": verdict.refusals.is_empty(),
            "refusals": refusals.collect::<Vec<_>>(),
        })
    });
    let kept = kept(verdicts);
    json!({
        "records": records.collect::<Vec<_>>(),
        "kept": kept,
        "refused": verdicts.len() - kept,
    })
}

fn kept(verdicts: &[Verdict]) -> usize {
    let kept = verdicts
        .iter()
        .filter(|verdict| verdict.refusals.is_empty());
    kept.count()
}
