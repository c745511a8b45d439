//! `sluicegate validate`: every error and warning of a configuration, and what it comes to.

use std::path::PathBuf;

use clap::ValueEnum;

use super::{Exit, environment, output, refused};
use crate::config::{self, Config};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A YAML or JSON file, or a directory of them; may be given more than once
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    config: Vec<PathBuf>,
    /// How to show the effective configuration
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// One mapping a line
    Table,
    /// One object, with every default filled in
    Json,
}

pub fn run(args: &Args) -> Exit {
    let config = match Config::load(&args.config, &environment) {
        Ok(config) => config,
        Err(errors) => return refused(&errors),
    };
    for warning in &config.warnings {
        output::complain(&format!("warning: {warning}"));
    }
    output::print(&match args.format {
        Format::Table => config::table(&config),
        Format::Json => format!("{:#}\n", config::json(&config)),
    })
}
