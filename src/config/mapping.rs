//! `EventSourceMappings[]`: one mapping, its ranges, defaults and cross-field rules.

mod batch;
mod extensions;
mod filter;
mod foreign;
mod identity;
mod lesser;
mod readers;
mod source;
pub mod stream;

use std::time::Duration;

use super::arn::Arn;
use super::cursor::{At, Fields};
use super::error::{Place, Report};
use super::function::{Functions, Target};
use super::function_name::FunctionName;
use crate::model::filter::Source as Filtered;
use batch::Batch;
use extensions::Extensions;
use identity::Identity;
use source::{Family, Found};
use stream::{Kind, Stream};

/// One event source mapping, checked: what the engine runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// `Name`: label in logs and metrics, unique; by default derived from source and function. 1 to 128 letters, digits, `.`,
    /// `_` and `-`.
    pub name: String,
    /// `UUID`: kept from an exported list, else derived from source and function so that it stays the same over restarts.
    /// 36 characters.
    pub uuid: String,
    /// `Enabled`: a disabled mapping is listed and does nothing.
    pub enabled: bool,
    /// `EventSourceArn`.
    pub source: Arn,
    /// `FunctionName`, exactly as given; where only `FunctionArn` is given, that.
    pub function_name: String,
    /// Where that function runs.
    pub target: Target,
    /// `BatchSize`: 1-10,000; 1-10 for a FIFO queue; by default 10 for a queue and 100 for a stream. // spec: 1.2
    pub batch_size: usize,
    /// `MaximumBatchingWindowInSeconds`: 0-300 s; 0 for a FIFO queue, and by default. // spec: 1.2
    pub window: Duration,
    /// `FunctionResponseTypes` contains `ReportBatchItemFailures`.
    pub reports_item_failures: bool,
    /// `ScalingConfig.MaximumConcurrency`: 1-1,000 (AWS: 2-1,000).
    pub maximum_concurrency: Option<usize>,
    /// `FilterCriteria.Filters[].Pattern`, as given: checked, and compiled by the engine.
    pub filter_patterns: Vec<String>,
    /// What only a stream's mapping has; `None` for a queue.
    pub stream: Option<Stream>,
}

impl Mapping {
    /// A queue whose name ends in `.fifo` keeps order by message group.
    pub fn fifo(&self) -> bool {
        self.stream.is_none() && self.source.resource.ends_with(".fifo")
    }

    /// Whose records the filters are asked about.
    pub fn filtered(&self) -> Filtered {
        match self.stream.as_ref().map(|stream| &stream.kind) {
            None => Filtered::Sqs,
            Some(Kind::Kinesis { .. }) => Filtered::Kinesis,
            Some(Kind::DynamoDb) => Filtered::DynamoDb,
        }
    }

    /// The function with its qualifier, as AWS shows it; what `FunctionName` leaves open is as in the source.
    pub fn function_arn(&self) -> String {
        match FunctionName::parse(&self.function_name) {
            Ok(name) => name.completed(&self.source).qualified(),
            Err(_) => self.function_name.clone(),
        }
    }

    /// Whether a function's name in any of its forms is that of this mapping's function, exact on the qualifier; what it leaves
    /// open is any. // spec: 1.1
    ///
    /// # Errors
    /// The text is no name of a function.
    pub fn invokes(&self, function_name: &str) -> Result<bool, String> {
        let wanted = FunctionName::parse(function_name)?;
        let own = FunctionName::parse(&self.function_name)?.completed(&self.source);
        Ok(wanted.covers(&own) && wanted.qualifier == own.qualifier)
    }

    /// Under the same name with a part of its UUID behind: nobody else's, where two would have one name.
    pub fn set_apart(self) -> Mapping {
        let name = identity::suffixed(&self.name, &self.uuid);
        Mapping { name, ..self }
    }
}

/// What a mapping says apart from which source and function it joins.
struct Settings {
    enabled: bool,
    batch: Batch,
    reports_item_failures: bool,
    maximum_concurrency: Option<usize>,
    filter_patterns: Vec<String>,
    extensions: Extensions,
    /// `None` for a queue.
    stream: Option<stream::Settings>,
}

/// The mappings of all files, in their order, and where each stands. A wrong mapping is reported and left out.
pub(super) fn read_all(
    list: &At<'_>,
    functions: &mut Functions<'_>,
    report: &mut Report,
) -> Vec<(Mapping, Place)> {
    let keys = known_keys();
    let mut read = Vec::new();
    for at in list.list(report).unwrap_or_default() {
        let Some(fields) = at.fields(&keys, report) else {
            continue;
        };
        let (source, family) = match source::read(&fields, report) {
            Found::Served(source) => {
                let family = source.family;
                (Some(source), Some(family))
            }
            Found::Wrong(family) => (None, family),
            // Its other settings are those of another kind of source: nothing here can judge them.
            Found::Unserved => continue,
        };
        let settings = read_settings(&fields, family, report);
        if let Some(identity) = identity::read(&fields, source, report) {
            read.push((identity, settings));
        }
    }
    let identities: Vec<&Identity<'_>> = read.iter().map(|(identity, _)| identity).collect();
    let labels = identity::labels(&identities, report);
    let running = read.iter().filter(|(_, settings)| {
        // One that is wrong is reported as such, and meant to run.
        settings.as_ref().is_none_or(|settings| settings.enabled)
    });
    readers::warn(running.map(|(identity, _)| identity), report);
    let mut mappings = Vec::new();
    for ((identity, settings), label) in read.into_iter().zip(labels) {
        let target =
            match functions.resolve(identity.given, &identity.function, &identity.source.arn) {
                Ok(target) => target,
                Err(what) => {
                    identity.function_at.error(report, what);
                    None
                }
            };
        let (Some(settings), Some(target)) = (settings, target) else {
            continue;
        };
        let stream = settings
            .stream
            .and_then(|stream| stream.of(&identity.source, settings.extensions));
        let place = identity.at.place().clone();
        let mapping = Mapping {
            name: label.name,
            uuid: label.uuid,
            enabled: settings.enabled,
            source: identity.source.arn,
            function_name: identity.given.to_owned(),
            target,
            batch_size: settings.batch.size,
            window: settings.batch.window,
            reports_item_failures: settings.reports_item_failures,
            maximum_concurrency: settings.maximum_concurrency,
            filter_patterns: settings.filter_patterns,
            stream,
        };
        mappings.push((mapping, place));
    }
    mappings
}

/// Every setting is read, also after a wrong one: a run shows all errors.
fn read_settings(
    fields: &Fields<'_>,
    family: Option<Family>,
    report: &mut Report,
) -> Option<Settings> {
    let enabled = lesser::enabled(fields, report);
    let batch = batch::read(fields, family, report);
    let reports_item_failures = lesser::reports_item_failures(fields, report);
    // Which of the others there are, and what they may say, is another question for each kind of source.
    let family = family?;
    let maximum_concurrency = match family {
        Family::Queue { .. } => lesser::maximum_concurrency(fields, report),
        Family::Kinesis | Family::DynamoDb => Some(None),
    };
    let filter_patterns = filter::read(fields, family.filtered(), report);
    let stream = match family {
        Family::Queue { .. } => Some(None),
        Family::Kinesis | Family::DynamoDb => stream::read(fields, family, report).map(Some),
    };
    let outside: Vec<&str> = COMMON.into_iter().chain(foreign::served(family)).collect();
    let extensions = extensions::read(fields, family, &outside, report);
    foreign::check(fields, family, report);
    if let (Some(Some(stream)), Some(extensions)) = (&stream, &extensions) {
        stream.warn_of_idle(extensions, fields, report);
    }
    Some(Settings {
        enabled: enabled?,
        batch: batch?,
        reports_item_failures: reports_item_failures?,
        maximum_concurrency: maximum_concurrency?,
        filter_patterns: filter_patterns?,
        extensions: extensions?,
        stream: stream?,
    })
}

/// What every kind of source has, beside `Extensions`.
const COMMON: [&str; 8] = [
    "Name",
    "EventSourceArn",
    "FunctionName",
    "Enabled",
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "FilterCriteria",
    "FunctionResponseTypes",
];

/// The keys that AWS prints and nobody sets, and those that a running service prints beside them. // spec: 1.3
const READ_ONLY: [&str; 10] = [
    "UUID",
    "FunctionArn",
    "EventSourceMappingArn",
    "State",
    "StateTransitionReason",
    "LastModified",
    "LastProcessingResult",
    "FilterCriteriaError",
    "Paused",
    "DefinedIn",
];

/// In the order in which a message lists the first of them.
fn known_keys() -> Vec<&'static str> {
    let own = COMMON.into_iter().chain(["ScalingConfig", "Extensions"]);
    own.chain(foreign::names()).chain(READ_ONLY).collect()
}
