//! `sluicegate completion SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Exit, output};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell that will read the script
    shell: Shell,
}

pub fn run(args: Args) -> Exit {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    // Into memory first: the generator panics where it cannot write.
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    output::print(&String::from_utf8_lossy(&script))
}
