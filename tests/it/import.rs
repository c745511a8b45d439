//! Managed mappings taken over: each file that comes out is shown to the letter, and read by the configuration's reader.

mod aws;
mod diff;
mod template;
mod terraform;

use std::path::Path;
use std::process::Command;

use sluicegate::config::Config;

use crate::cli::program::{Ended, command, ended};

/// The program in the folder of these tests, so that files have short names.
fn in_folder(args: &[&str]) -> Command {
    let mut command = command(args);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/import"));
    command
}

fn run(args: &[&str]) -> Ended {
    ended(&mut in_folder(args))
}

/// What `import` prints, which is a configuration where the environment holds these values.
fn imported(args: &[&str], values: &[(&str, &str)]) -> (String, Config) {
    let args: Vec<&str> = ["import"].iter().chain(args).copied().collect();
    let Ended { code, out, err } = run(&args);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{args:?}");
    let config = read(&out, values);
    (out, config)
}

/// The configuration that a text is.
fn read(text: &str, values: &[(&str, &str)]) -> Config {
    let env = |name: &str| {
        let value = values.iter().find(|(key, _)| *key == name);
        value.map(|(_, value)| (*value).to_owned())
    };
    Config::parse("imported.yaml", text, &env)
        .unwrap_or_else(|errors| panic!("{errors:#?} in\n{text}"))
}

/// The one line in which a file is refused.
fn refused(kind: &str, text: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder for the test");
    std::fs::write(folder.path().join("file"), text).expect("the folder is ours");
    let mut command = command(&["import", kind, "file"]);
    let Ended { code, out, err } = ended(command.current_dir(folder.path()));
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    err.trim_end().to_owned()
}
