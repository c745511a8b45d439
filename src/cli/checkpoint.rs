//! `sluicegate checkpoint`: look into the file that keeps the progress of streams, copy it out, make one anew.

use std::io::{self, Read as _};
use std::path::PathBuf;

use clap::Subcommand;

use super::{Exit, failed, output};
use crate::checkpoint::{Verified, export, import, verify};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Whether the service would start with it; it is not changed
    Verify {
        /// The checkpoint file; no service may have it open
        file: PathBuf,
    },
    /// Print everything in it as JSON; of a damaged one what is whole, and what is missing under "flaws"
    Export {
        /// The checkpoint file; no service may have it open
        file: PathBuf,
    },
    /// Make a new file of an export, read from stdin
    Import {
        /// The file to make; there must be none
        file: PathBuf,
    },
}

pub fn run(args: &Args) -> Exit {
    match &args.action {
        Action::Verify { file } => match verify(file) {
            Ok(found) => output::print(&format!("{}: good, {}\n", file.display(), counts(found))),
            Err(error) => failed(&error),
        },
        Action::Export { file } => match export(file) {
            Ok(exported) => output::print(&format!("{exported:#}\n")),
            Err(error) => failed(&error),
        },
        Action::Import { file } => {
            let mut text = String::new();
            if let Err(error) = io::stdin().read_to_string(&mut text) {
                return failed(&format!("failed to read stdin: {error}"));
            }
            let exported = match serde_json::from_str(&text) {
                Ok(exported) => exported,
                Err(error) => return failed(&format!("stdin holds no export: {error}")),
            };
            match import(file, exported) {
                Ok(found) => {
                    output::print(&format!("{}: made, {}\n", file.display(), counts(found)))
                }
                Err(error) => failed(&error),
            }
        }
    }
}

fn counts(found: Verified) -> String {
    let Verified {
        mappings,
        shards,
        registrations,
    } = found;
    format!("{mappings} mappings, {shards} shards, {registrations} registrations")
}
