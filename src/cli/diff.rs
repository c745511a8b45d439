//! `sluicegate diff`: what a configuration and another list of mappings differ in.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::ValueEnum;
use tokio_util::sync::CancellationToken;

use super::{Exit, environment, failed, in_runtime, log, managed, output, refused};
use crate::aws::mappings::Wanted;
use crate::config::Config;
use crate::import::diff::{Diff, Side};

/// What the help says at its end.
pub const ENDS: &str = "\
Mappings with the same UUID are held against each other, else those with the same source and function. Every
default is filled in. Against AWS what it has not is not compared: Name, Extensions, Functions.

Ends with 0 where all mappings are the same, and with 1 where they are not or AWS did not answer; then nothing
is on stdout. An invalid configuration ends with 2.";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A YAML or JSON file, or a directory of them; may be given more than once
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    config: Vec<PathBuf>,
    /// What to hold against it: aws, or another configuration (write ./aws for a file of that name)
    #[arg(long, value_name = "aws|FILE")]
    against: PathBuf,
    /// How to show the differences
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A mapping a line, its settings below
    Text,
    /// One object
    Json,
}

pub fn run(args: &Args) -> Exit {
    let config = match Config::load(&args.config, &environment) {
        Ok(config) => config,
        Err(errors) => return refused(&errors),
    };
    let names: Vec<String> = args
        .config
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let there = match args.against.to_str() {
        Some("aws") => in_aws(&config),
        Some(_) | None => in_file(&args.against),
    };
    let there = match there {
        Ok(there) => there,
        Err(exit) => return exit,
    };
    let diff = Diff::of(&Side::configured(names.join(", "), &config), &there);
    let printed = output::print(&match args.format {
        Format::Text => diff.text(),
        Format::Json => format!("{:#}\n", diff.json()),
    });
    match printed {
        Exit::Done if !diff.is_empty() => Exit::Failed,
        exit => exit,
    }
}

fn in_file(path: &PathBuf) -> Result<Side, Exit> {
    let config = Config::load(std::slice::from_ref(path), &environment);
    let config = config.map_err(|errors| refused(&errors))?;
    Ok(Side::configured(path.display().to_string(), &config))
}

/// A mapping is in the region of its source, so those regions are asked that the configuration names.
fn in_aws(config: &Config) -> Result<Side, Exit> {
    log("warn")?;
    let regions: BTreeSet<String> = config
        .mappings
        .iter()
        .map(|mapping| mapping.source.region.clone())
        .collect();
    let regions: Vec<String> = regions.into_iter().collect();
    let wanted = Wanted::default();
    let listing = managed::list(&config.aws, &regions, &wanted);
    let listed = in_runtime(Box::pin(listing), CancellationToken::new())?;
    let listed = listed.map_err(|error| failed(&error))?;
    Side::listed(listed.name, &listed.mappings).map_err(|errors| refused(&errors))
}
