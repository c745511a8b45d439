//! `sluicegate import`: managed mappings as a configuration file, or what would become of them.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use tokio_util::sync::CancellationToken;

use super::{Exit, failed, in_runtime, log, managed, output, refused};
use crate::aws::mappings::Wanted;
use crate::config::aws::{Aws, endpoint_url, region_name};
use crate::config::error::{ConfigError, one_line};
use crate::config::files::bounded;
use crate::config::yaml::Unreadable;
use crate::import::document::Document;
use crate::import::{Found, listed, template, terraform};

/// What the help says at its end.
pub const ENDS: &str = "\
A configuration file goes to stdout: what has no counterpart is left out with a comment that says why, and what
the source does not say is a ${NAME} for the environment, listed at the top of the file.

Ends with 0, with 2 where FILE can not be read or has no mapping, with 1 where AWS did not answer. With --check
also with 1 where not everything has a counterpart; a value that is still to be set has one.";

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    from: From,
    /// Only say what would be taken over, what would not, and why
    #[arg(long, global = true)]
    check: bool,
}

#[derive(Debug, Subcommand)]
enum From {
    /// What AWS Lambda lists, with the credentials of the environment
    Aws(FromAws),
    /// A template of CloudFormation or SAM, in YAML or JSON
    Template(FromTemplate),
    /// The output of `terraform show -json`, of a state or of a plan
    Terraform {
        /// The file; - reads stdin
        file: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct FromAws {
    /// Only the mappings of this function: a name or an ARN, exactly with its version or alias
    #[arg(long, value_name = "FUNCTION")]
    function: Option<String>,
    /// Only the mappings of this source
    #[arg(long, value_name = "ARN")]
    source: Option<String>,
    /// The region; by default that of the environment or the profile
    #[arg(long, value_parser = region_name)]
    region: Option<String>,
    /// Another address than AWS's
    #[arg(long, value_name = "URL", value_parser = endpoint_url)]
    endpoint_url: Option<String>,
}

#[derive(Debug, clap::Args)]
struct FromTemplate {
    /// The template; - reads stdin
    file: PathBuf,
    /// The value of a parameter; may be given more than once
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// What AWS::Region is
    #[arg(long, value_parser = region_name)]
    region: Option<String>,
    /// What AWS::AccountId is
    #[arg(long, value_parser = account)]
    account: Option<String>,
    /// What AWS::StackName is
    #[arg(long, value_name = "NAME")]
    stack_name: Option<String>,
}

/// AWS takes templates of 1 MB.
const TEMPLATE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// A state holds everything of every resource.
const STATE_BYTES_MAX: u64 = 256 * 1024 * 1024;

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("write NAME=VALUE, such as Stage=prod".to_owned()),
    }
}

fn account(text: &str) -> Result<String, String> {
    match text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err("an account is 12 digits".to_owned()),
    }
}

pub fn run(args: &Args) -> Exit {
    let found = match &args.from {
        From::Aws(from) => aws(from),
        From::Template(from) => of_template(from),
        From::Terraform { file } => read(file, STATE_BYTES_MAX)
            .and_then(|(name, text)| terraform::found(&name, &text).map_err(|error| vec![error]))
            .map(|found| (format!("terraform {}", file.display()), found))
            .map_err(|errors| refused(&errors)),
    };
    let (made_by, found) = match found {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let document = Document::of(format!("sluicegate import {made_by}"), &found);
    if !args.check {
        return output::print(&document.yaml());
    }
    match output::print(&document.report()) {
        Exit::Done if !document.complete() => Exit::Failed,
        exit => exit,
    }
}

fn of_template(from: &FromTemplate) -> Result<(String, Vec<Found>), Exit> {
    let inputs = template::Inputs {
        parameters: from.parameters.iter().cloned().collect(),
        region: from.region.clone(),
        account: from.account.clone(),
        stack_name: from.stack_name.clone(),
    };
    let found = read(&from.file, TEMPLATE_BYTES_MAX)
        .and_then(|(name, text)| template::found(&name, &text, &inputs));
    match found {
        Ok(found) => Ok((format!("template {}", from.file.display()), found)),
        Err(errors) => Err(refused(&errors)),
    }
}

fn aws(from: &FromAws) -> Result<(String, Vec<Found>), Exit> {
    log("warn")?;
    let aws = Aws {
        region: from.region.clone(),
        endpoint_url: from.endpoint_url.clone(),
        ..Aws::default()
    };
    let wanted = Wanted {
        function: from.function.clone(),
        source: from.source.clone(),
    };
    let listing = managed::list(&aws, &[], &wanted);
    let listed = in_runtime(Box::pin(listing), CancellationToken::new())?;
    let listed = listed.map_err(|error| failed(&error))?;
    let found = listed::found(&listed.mappings);
    if found.is_empty() {
        let name = &listed.name;
        return Err(failed(&format!(
            "{name} lists no such event source mapping"
        )));
    }
    Ok(("aws".to_owned(), found))
}

/// The name of a file for messages, and its text.
fn read(path: &Path, bytes_max: u64) -> Result<(String, String), Vec<ConfigError>> {
    let stdin = path == Path::new("-");
    let name = match stdin {
        true => "stdin".to_owned(),
        false => one_line(&path.display().to_string()),
    };
    let text = match stdin {
        true => bounded(io::stdin().lock(), bytes_max),
        false => match File::open(path) {
            Ok(file) => bounded(file, bytes_max),
            Err(error) => Err(Unreadable {
                line: 0,
                what: format!("cannot be read: {error}"),
            }),
        },
    };
    match text {
        Ok(text) => Ok((name, text)),
        Err(Unreadable { line, what }) => Err(vec![ConfigError {
            file: name,
            line,
            path: String::new(),
            what,
        }]),
    }
}
