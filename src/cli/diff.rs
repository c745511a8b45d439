//! `sluicegate diff`: what a configuration and another list of mappings differ in: AWS's, a running service's, a file's.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::ValueEnum;
use tokio_util::sync::CancellationToken;

use super::service::{Service, TokenArgs};
use super::{Exit, environment, failed, in_runtime, log, managed, output, refused};
use crate::aws::mappings::Wanted;
use crate::config::Config;
use crate::config::aws::endpoint_url;
use crate::import::diff::{Diff, Side};

/// What the help says at its end.
pub const ENDS: &str = "\
Mappings with the same UUID are held against each other, else those with the same source and function. Every
default is filled in. Against AWS what it has not is not compared: Name, Extensions, Functions; against a service
what its API does not tell: Extensions, Functions. Of a service's mapping it says where it comes from, the file and
line or the API, and whether it is paused, which is a difference.

Ends with 0 where all mappings are the same, and with 1 where they are not or nobody answered; then nothing
is on stdout. An invalid configuration ends with 2.";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A YAML or JSON file, or a directory of them; may be given more than once
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    config: Vec<PathBuf>,
    /// What to hold against it: aws, the service at the configuration's Service.Listen, the one at a URL, or another configuration (write ./aws for a file of that name)
    #[arg(long, value_name = "aws|service|URL|FILE")]
    against: PathBuf,
    #[command(flatten)]
    token: TokenArgs,
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
        Some("service") => in_service(None, args, &config),
        Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
            in_service(Some(url), args, &config)
        }
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

fn in_service(url: Option<&str>, args: &Args, config: &Config) -> Result<Side, Exit> {
    if let Some(Err(what)) = url.map(endpoint_url) {
        output::complain(&format!("--against: {what}"));
        return Err(Exit::Usage);
    }
    let mut service = Service::reach(url, &args.token, Some(&config.service))?;
    let mappings = service.list().map_err(|error| failed(&error))?;
    let side = Side::served(service.address().to_owned(), &mappings);
    side.map_err(|errors| refused(&errors))
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
