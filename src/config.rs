//! Files to a checked configuration: what comes out of here cannot be wrong.
//!
//! The way of a file: `files` reads it, `yaml` makes a tree with a line for each value, `merge` puts the environment in and joins
//! the trees, and one file per element (`service`, `function`, `mapping`, ...) reads its part through `cursor`. Nothing stops at
//! the first error: a run reports all of them.

pub mod arn;
pub mod aws;
pub mod checkpoints;
mod cursor;
mod environment;
pub mod error;
pub(crate) mod files;
pub mod function;
mod function_name;
pub mod mapping;
mod merge;
pub mod origins;
pub mod request;
pub mod service;
mod show;
pub(crate) mod suggest;
pub(crate) mod timestamp;
pub(crate) mod tree;
pub mod url;
pub(crate) mod yaml;

use std::path::PathBuf;
use std::sync::Arc;

use aws::Aws;
use checkpoints::Checkpoints;
use cursor::At;
use environment::Lookup;
use error::{ConfigError, Place, Report};
use files::Source;
use function::{FunctionEntry, Functions};
use function_name::FunctionName;
use mapping::Mapping;
use origins::Origins;
use service::Service;
pub use show::{json, table};
use tree::{Node, Value};
use yaml::Unreadable;

/// The whole configuration, merged from every file and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the admin API listens, and how long a drain may take.
    pub service: Service,
    /// Where positions of streams are kept; queues need none.
    pub checkpoints: Checkpoints,
    /// Region and endpoints; what is not named here comes from the usual environment of AWS tools.
    pub aws: Aws,
    /// Functions that run elsewhere than in AWS Lambda.
    pub functions: Vec<FunctionEntry>,
    /// The event source mappings, in the order of the files. Whoever keeps one shares it: a thousand idle ones are a thousand
    /// in memory, not four.
    pub mappings: Vec<Arc<Mapping>>,
    /// Where each mapping stands. Apart from the mapping: one that moved to another line is still the same.
    pub origins: Origins,
    /// What is odd and stops nothing; each displays as one line, like an error.
    pub warnings: Vec<ConfigError>,
}

/// The keys of a file; the last two are what AWS prints below a list.
const KEYS: [&str; 7] = [
    "Service",
    "Checkpoints",
    "Aws",
    "Functions",
    "EventSourceMappings",
    "NextMarker",
    "NextToken",
];

impl Config {
    /// Reads and merges files. A path may be a directory: its `*.yaml`, `*.yml` and `*.json` files, sorted by name. `env` looks
    /// up what `${VAR}` stands for.
    ///
    /// # Errors
    /// Everything that is wrong in any of the files, in the order of files and lines.
    pub fn load(
        paths: &[PathBuf],
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, Vec<ConfigError>> {
        read_sources(&files::read(paths), env)
    }

    /// Reads one text as `load` reads a file; `file` names it in errors.
    ///
    /// # Errors
    /// Everything that is wrong in it, in the order of its lines.
    pub fn parse(
        file: &str,
        text: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, Vec<ConfigError>> {
        let source = Source {
            name: file.into(),
            text: Ok(text.to_owned()),
        };
        read_sources(&[source], env)
    }
}

/// AWS's key of a mapping: the source and the function with its qualifier, completed from the source; `None` where one of
/// the two is no name. // spec: 1.6 note (a)
pub fn pair(source: &str, function: &str) -> Option<(String, String)> {
    let arn: arn::Arn = source.parse().ok()?;
    let function = FunctionName::parse(function).ok()?.completed(&arn);
    Some((arn.to_string(), function.qualified()))
}

/// The texts of the files that [`Config::load`] reads, and what is wrong with those that cannot be read: whoever compares
/// them sees a change.
pub fn texts(paths: &[PathBuf]) -> Vec<String> {
    let sources = files::read(paths);
    let text = |source: Source| match source.text {
        Ok(text) => text,
        Err(error) => format!("{error:?}"),
    };
    sources.into_iter().map(text).collect()
}

fn read_sources(sources: &[Source], env: Lookup<'_>) -> Result<Config, Vec<ConfigError>> {
    let mut report = Report::default();
    let nowhere = Place {
        file: sources
            .first()
            .map_or_else(|| "".into(), |source| Arc::clone(&source.name)),
        line: 0,
    };
    if sources.is_empty() {
        report.error(&nowhere, "", "no configuration file is given");
    }
    let mut top = Vec::new();
    for source in sources {
        if let Value::Map(entries) = read_tree(source, env, &mut report) {
            merge::merge(&mut top, entries, "", &mut report);
        }
    }
    let top = Node {
        place: nowhere,
        value: Value::Map(top),
    };
    let read = read_elements(&At::top(&top), &mut report);
    let order: Vec<&str> = sources.iter().map(|source| &*source.name).collect();
    report.sort(&order);
    match read {
        Some(config) if report.errors.is_empty() => Ok(Config {
            warnings: report.warnings,
            ..config
        }),
        Some(_) | None => Err(report.errors),
    }
}

fn read_tree(source: &Source, env: Lookup<'_>, report: &mut Report) -> Value {
    let text = source.text.as_ref().map_err(Unreadable::clone);
    match text.and_then(|text| yaml::parse(&source.name, text)) {
        Ok(mut root) => {
            merge::settle(&mut root, "", env, report);
            if !matches!(root.value, Value::Map(_)) {
                let found = root.value.describe();
                let what = format!(
                    "expected a mapping with keys such as EventSourceMappings, found {found}"
                );
                report.error(&root.place, "", what);
            }
            root.value
        }
        Err(Unreadable { line, what }) => {
            let file = Arc::clone(&source.name);
            report.error(&Place { file, line }, "", what);
            Value::Null
        }
    }
}

fn read_elements(top: &At<'_>, report: &mut Report) -> Option<Config> {
    let fields = top.fields(&KEYS, report)?;
    let service = match fields.get("Service") {
        Some(at) => service::read(&at, report),
        None => Some(Service::default()),
    };
    let checkpoints = match fields.get("Checkpoints") {
        Some(at) => checkpoints::read(&at, report),
        None => Some(Checkpoints::default()),
    };
    let aws = match fields.get("Aws") {
        Some(at) => aws::read(&at, report),
        None => Some(Aws::default()),
    };
    let mut functions = match fields.get("Functions") {
        Some(at) => Functions::read(&at, report),
        None => Functions::default(),
    };
    let mappings = match fields.get("EventSourceMappings") {
        Some(at) => mapping::read_all(&at, &mut functions, report),
        None => Vec::new(),
    };
    let origins = Origins::new(&mappings);
    let mappings = mappings.into_iter().map(|(mapping, _)| Arc::new(mapping));
    let mappings: Vec<Arc<Mapping>> = mappings.collect();
    let streams = mappings
        .iter()
        .any(|mapping| mapping.enabled && mapping.stream.is_some());
    if streams
        && checkpoints == Some(Checkpoints::Memory)
        && let Some(at) = fields.get("Checkpoints")
    {
        checkpoints::warn_of_forgetting(&at, report);
    }
    for key in merge::REPEATABLE {
        if let Some(at) = fields.get(key) {
            at.warn(
                report,
                "the exported list goes on: this file holds a part of it",
            );
        }
    }
    if mappings.is_empty() {
        top.warn(report, "no EventSourceMappings: nothing runs until one is made through the control API, or comes with a reload");
    }
    Some(Config {
        service: service?,
        checkpoints: checkpoints?,
        aws: aws?,
        functions: functions.finish(report),
        mappings,
        origins,
        warnings: Vec::new(),
    })
}
