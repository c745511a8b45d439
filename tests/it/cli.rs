//! The built binary as a person, a script or an orchestrator drives it: arguments, exit codes, what is said and where.

mod bench;
mod demo;
mod filter;
mod hold;
mod probe;
pub mod program;
mod reload;
mod scripted;
mod seek;
mod service;
mod signals;
mod verbs;

use std::path::{Path, PathBuf};

use self::program::{Ended, run, run_with};

/// A configuration whose queue is behind a port where nobody listens.
const GOOD: &str = "Service: { Listen: '127.0.0.1:0' }
Aws: { Region: us-east-1, EndpointUrl: 'http://127.0.0.1:1' }
EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: process
";

const VERBS: [&str; 15] = [
    "run",
    "validate",
    "import",
    "diff",
    "filter",
    "list",
    "pause",
    "resume",
    "seek",
    "probe",
    "demo",
    "bench",
    "sim",
    "checkpoint",
    "completion",
];

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("the folder is ours");
    path
}

#[test]
fn wrong_usage_is_said_on_stderr_and_ends_with_2() {
    let cases: [(&[&str], &str); 20] = [
        (&[], "Usage: sluicegate <COMMAND>"),
        (&["runn"], "a similar subcommand exists: 'run'"),
        (&["run"], "--config <FILE>"),
        (
            &["run", "--config"],
            "a value is required for '--config <FILE>",
        ),
        (
            &["run", "--conifg", "x"],
            "a similar argument exists: '--config'",
        ),
        (
            &["validate", "--config", "x", "--format", "xml"],
            "[possible values: table, json]",
        ),
        (&["filter", "--event", "e.json"], "--pattern <PATTERN>"),
        (&["filter", "--pattern", "{}"], "--event <FILE>"),
        (
            &["filter", "--config", "c.yaml", "--event", "e.json"],
            "--mapping <NAME>",
        ),
        (
            &["filter", "--mapping", "m", "--event", "e.json"],
            "--config <FILE>",
        ),
        (
            &[
                "filter",
                "--config",
                "c",
                "--mapping",
                "m",
                "--pattern",
                "{}",
                "--event",
                "e",
            ],
            "cannot be used with",
        ),
        (&["sim"], "--listen <ADDR>"),
        (
            &["sim", "--listen", "localhost"],
            "invalid value 'localhost' for '--listen <ADDR>'",
        ),
        (
            &["sim", "--listen", "127.0.0.1:0", "--function", "f"],
            "write NAME=URL",
        ),
        (
            &["sim", "--listen", "127.0.0.1:0", "--function", "f=ftp://x/"],
            "--function: \"ftp://x/\" is no absolute http URL",
        ),
        (
            &[
                "sim",
                "--listen",
                "127.0.0.1:0",
                "--function",
                "f=http://x/",
                "--function",
                "f=http://y/",
            ],
            "--function: f is given twice",
        ),
        (
            &["probe", "--listen", "here"],
            "write an IP address or localhost, and a port, such as 127.0.0.1:9480",
        ),
        (&["demo", "--duration", "20"], "such as 500ms, 20s or 2m"),
        (&["completion"], "<SHELL>"),
        (
            &["completion", "csh"],
            "[possible values: bash, elvish, fish, powershell, zsh]",
        ),
    ];
    for (args, expected) in cases {
        let Ended { code, out, err } = run(args);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{args:?}");
        assert!(err.contains(expected), "{args:?}: {err}");
    }
}

#[test]
fn version_and_help_go_to_stdout() {
    let version = concat!("sluicegate ", env!("CARGO_PKG_VERSION"), "\n");
    for flag in ["--version", "-V"] {
        assert_eq!(
            run(&[flag]),
            Ended {
                code: Some(0),
                out: version.to_owned(),
                err: String::new()
            }
        );
    }
    let help = run(&["--help"]);
    assert_eq!((help.code, help.err.as_str()), (Some(0), ""));
    for verb in VERBS {
        assert!(
            help.out.contains(&format!("\n  {verb} ")),
            "{verb}: {}",
            help.out
        );
        let own = run(&[verb, "--help"]);
        assert_eq!((own.code, own.err.as_str()), (Some(0), ""), "{verb}");
        assert!(
            own.out.contains(&format!("Usage: sluicegate {verb}")),
            "{verb}: {}",
            own.out
        );
    }
}

#[test]
fn completion_scripts_know_the_verbs() {
    for shell in ["bash", "zsh", "fish"] {
        let Ended { code, out, err } = run(&["completion", shell]);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{shell}");
        for verb in VERBS {
            assert!(out.contains(verb), "{shell}: {verb}");
        }
    }
}

#[test]
fn a_checkpoint_file_is_verified_copied_out_and_made_anew() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (old, new, torn) = (path("old.db"), path("new.db"), path("torn.db"));
    let missing = run(&["checkpoint", "verify", &old]);
    assert_eq!(missing.code, Some(1));
    assert!(missing.err.contains("old.db"), "{}", missing.err);
    drop(sluicegate::checkpoint::Store::open(old.as_ref()).expect("a new file"));

    let verified = run(&["checkpoint", "verify", &old]);
    let good = format!("{old}: good, 0 mappings, 0 shards, 0 registrations\n");
    assert_eq!((verified.code, verified.out), (Some(0), good));
    let exported = run(&["checkpoint", "export", &old]);
    assert_eq!(exported.code, Some(0), "{}", exported.err);
    let import = |text: &str, file: &str| run_with(&["checkpoint", "import", file], text);
    let made = import(&exported.out, &new);
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert_eq!(
        made.out,
        format!("{new}: made, 0 mappings, 0 shards, 0 registrations\n")
    );
    let refused = import(&exported.out, &new);
    assert_eq!(
        (refused.code, refused.err),
        (
            Some(1),
            format!(
                "failed to create the checkpoint file {new}: there is one already, and it is left as it is; \
                 name another, or move that away\n"
            )
        )
    );
    assert_eq!(import("{", &path("no.db")).code, Some(1));
    assert!(!folder.path().join("no.db").exists());

    std::fs::write(&torn, b"torn").unwrap();
    let refused = run(&["checkpoint", "verify", &torn]);
    assert_eq!(refused.code, Some(1));
    let told =
        refused.err.contains("is damaged") && refused.err.contains("restore it from a backup");
    assert!(told, "{}", refused.err);
    let empty = run(&["checkpoint", "export", &torn]);
    assert_eq!(empty.code, Some(1));
    let told = empty.err.contains("nothing in it can be read")
        && empty.err.contains("restore it from a backup");
    assert!(told && !empty.err.contains("export"), "{}", empty.err);
}

#[test]
fn damage_that_ends_in_a_panic_is_one_line_for_an_operator() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("flipped.db");
    drop(sluicegate::checkpoint::Store::open(&path).expect("a new file"));
    let whole = std::fs::read(&path).unwrap();
    let places: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    let mut rng = fastrand::Rng::with_seed(5);
    let mut flipped = || {
        let mut bytes = whole.clone();
        bytes[places[rng.usize(..places.len())]] ^= 1 << rng.u8(..8);
        std::fs::write(&path, bytes).unwrap();
        let refused = sluicegate::checkpoint::verify(&path).err();
        refused.is_some_and(|error| error.to_string().contains("reading it ends in a panic: "))
    };
    assert!((0..4_000).any(|_| flipped()), "no such damage");
    let path = path.to_str().unwrap();
    let refused = run(&["checkpoint", "verify", path]);
    assert_eq!(refused.code, Some(1));
    let start = format!("the checkpoint file {path} is damaged: reading it ends in a panic: ");
    assert!(refused.err.starts_with(&start), "{}", refused.err);
    assert_eq!(refused.err.lines().count(), 1, "{}", refused.err);
}

#[test]
fn a_configuration_may_come_through_a_pipe() {
    let checked = run_with(&["validate", "--config", "/dev/stdin"], GOOD);
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    assert!(checked.out.contains("orders-process"), "{}", checked.out);
}

#[test]
fn a_good_configuration_is_shown_as_a_table_or_as_json() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = written(folder.path(), "good.yaml", GOOD);
    let path = path.to_str().expect("a plain name");
    let table = run(&["validate", "--config", path]);
    assert_eq!((table.code, table.err.as_str()), (Some(0), ""));
    let lines: Vec<&str> = table.out.lines().collect();
    assert_eq!(lines.len(), 2, "{}", table.out);
    assert!(
        lines[0].starts_with("NAME ") && lines[1].starts_with("orders-process "),
        "{}",
        table.out
    );

    let json = run(&["validate", "--format", "json", "--config", path]);
    assert_eq!((json.code, json.err.as_str()), (Some(0), ""));
    let value: serde_json::Value = serde_json::from_str(&json.out).expect("one JSON value");
    assert_eq!(value["EventSourceMappings"][0]["BatchSize"], 10);
    let again = written(folder.path(), "again.json", &json.out);
    let again = run(&[
        "validate",
        "--config",
        again.to_str().expect("a plain name"),
    ]);
    assert_eq!(again, table, "what it prints is a configuration itself");
}

#[test]
fn every_error_is_one_line_and_nothing_is_shown() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let bad = GOOD.to_owned() + "    BatchSise: 1\n    MaximumBatchingWindowInSeconds: 301\n";
    let path = written(folder.path(), "bad.yaml", &bad);
    let path = path.to_str().expect("a plain name");
    let missing = folder.path().join("missing.yaml");
    let missing = missing.to_str().expect("a plain name");
    for verb in ["validate", "run"] {
        let Ended { code, out, err } = run(&[verb, "--config", path]);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{verb}");
        let expected = format!(
            "{path}:6: EventSourceMappings[0].BatchSise: unknown key; did you mean BatchSize?\n\
             {path}:7: EventSourceMappings[0].MaximumBatchingWindowInSeconds: 301 is more than 300\n"
        );
        assert_eq!(err, expected, "{verb}");

        let Ended { code, out, err } = run(&[verb, "--config", missing]);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{verb}");
        assert!(
            err.starts_with(&format!("{missing}: ")) && err.lines().count() == 1,
            "{err}"
        );
    }
}

#[test]
fn a_warning_is_said_and_stops_nothing() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = written(folder.path(), "empty.yaml", "Aws: { Region: us-east-1 }\n");
    let Ended { code, err, .. } =
        run(&["validate", "--config", path.to_str().expect("a plain name")]);
    assert_eq!(code, Some(0));
    assert!(
        err.starts_with("warning: ") && err.contains("nothing runs") && err.lines().count() == 1,
        "{err}"
    );
}

#[test]
fn several_files_are_one_configuration() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let first = written(folder.path(), "a.yaml", GOOD);
    let second = "EventSourceMappings:\n  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:payments\n    FunctionName: pay\n";
    let second = written(folder.path(), "b.yaml", second);
    let [first, second] = [&first, &second].map(|path| path.to_str().expect("a plain name"));
    let both = run(&["validate", "--config", first, "--config", second]);
    assert_eq!(
        (both.code, both.out.lines().count()),
        (Some(0), 3),
        "{both:?}"
    );
    assert_eq!(run(&["validate", "--config", first, second]), both);
    assert_eq!(
        run(&[
            "validate",
            "--config",
            folder.path().to_str().expect("a plain name")
        ]),
        both
    );
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = written(folder.path(), "good.yaml", GOOD);
    let path = path.to_str().expect("a plain name");
    let cases: [&[&str]; 5] = [
        &["--help"],
        &["--version"],
        &["completion", "bash"],
        &["validate", "--config", path],
        &["validate", "--help"],
    ];
    for args in cases {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = program::command(args)
            .stdout(writer)
            .output()
            .expect("the program starts");
        assert_eq!(
            (output.status.code(), output.stderr.as_slice()),
            (Some(0), &b""[..]),
            "{args:?}"
        );
    }
}

#[test]
fn a_stderr_that_nobody_reads_changes_no_exit_code() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = program::command(&["run", "--config", "missing.yaml"])
        .stderr(writer)
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(2));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("Linux has it");
    let output = program::command(&["completion", "zsh"])
        .stdout(full)
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        err.starts_with("failed to write to stdout: ") && err.lines().count() == 1,
        "{err}"
    );
}

#[test]
fn a_log_filter_that_cannot_be_read_is_wrong_usage() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = written(folder.path(), "good.yaml", GOOD);
    let mut command = program::command(&["run", "--config", path.to_str().expect("a plain name")]);
    let ended = program::ended(command.env("RUST_LOG", "sluicegate=loud"));
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""));
    assert!(
        ended.err.starts_with("RUST_LOG: ") && ended.err.lines().count() == 1,
        "{}",
        ended.err
    );
}
