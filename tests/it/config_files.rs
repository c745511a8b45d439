//! Several files as one configuration, and bytes that nobody meant as one.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sluicegate::config::Config;

const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:orders";

fn no_env(_: &str) -> Option<String> {
    None
}

fn lines<T: ToString>(findings: &[T]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

/// Mappings of `orders` to each of these functions.
fn mappings(functions: &[&str]) -> String {
    let mut text = "EventSourceMappings:\n".to_owned();
    for function in functions {
        text.push_str(&format!(
            "  - EventSourceArn: {QUEUE}\n    FunctionName: {function}\n"
        ));
    }
    text
}

/// Files in a directory of their own; errors and warnings name them relative to it.
fn load(files: &[(&str, &[u8])], paths: &[&str]) -> Result<Config, Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(directory.path().join(name), bytes).unwrap();
    }
    let paths: Vec<PathBuf> = paths
        .iter()
        .map(|path| directory.path().join(path))
        .collect();
    let prefix = format!("{}/", directory.path().display());
    Config::load(&paths, &no_env).map_err(|errors| {
        let lines = lines(&errors).into_iter();
        lines.map(|line| line.replace(&prefix, "")).collect()
    })
}

#[test]
fn files_of_a_directory_merge_in_the_order_of_their_names() {
    let config = load(
        &[
            ("b.json", mappings(&["b"]).as_bytes()),
            ("a.yaml", mappings(&["a"]).as_bytes()),
            ("c.yml", b"Service: {Listen: 127.0.0.1:1}\nFunctions: {a: {Http: {Url: 'http://a/'}}}\nAws: {Endpoints: {Sqs: 'http://s'}}\n"),
            ("d.yaml", b"Service: {ShutdownGraceInSeconds: 1}\nFunctions: {b: {Http: {Url: 'http://b/'}}}\nAws: {Endpoints: {Sns: 'http://n'}}\nEventSourceMappings:\n"),
            (".hidden.yaml", b"nonsense: ["),
            ("README.md", b"nonsense: ["),
        ],
        &[""],
    )
    .unwrap();
    let functions: Vec<&str> = config
        .mappings
        .iter()
        .map(|mapping| mapping.function_name.as_str())
        .collect();
    assert_eq!(functions, ["a", "b"]);
    assert_eq!(config.service.listen.port(), 1);
    assert_eq!(config.service.shutdown_grace, Duration::from_secs(1));
    assert_eq!(config.functions.len(), 2);
    assert_eq!(config.aws.endpoints.sqs.as_deref(), Some("http://s"));
    assert_eq!(config.aws.endpoints.sns.as_deref(), Some("http://n"));
}

#[test]
fn what_two_files_define_is_an_error_that_names_both() {
    let a = "Service:\n  Listen: 127.0.0.1:1\nFunctions:\n  f: {Http: {Url: 'http://a/'}}\nCheckpoints: {File: a}\n".to_owned()
        + &mappings(&["f"])
        + "    Name: orders\n";
    let b = "Functions:\n  f: {TimeoutInSeconds: 3}\nService:\n  Listen: 127.0.0.1:1\nCheckpoints: {Memory: true}\n".to_owned()
        + &mappings(&["g", "f"]).replace("g\n", "g\n    Name: orders\n    BatchSize: 0\n");
    let errors = load(
        &[("a.yaml", a.as_bytes()), ("b.yaml", b.as_bytes())],
        &["a.yaml", "b.yaml"],
    )
    .unwrap_err();
    assert_eq!(
        errors,
        [
            "b.yaml:2: Functions.f: set twice; first at a.yaml:4",
            "b.yaml:4: Service.Listen: set twice; first at a.yaml:2",
            "b.yaml:5: Checkpoints.Memory: more than one store; keep one of File, Memory or DynamoDb",
            "b.yaml:9: EventSourceMappings[0].Name: \"orders\" is already the name of the mapping at a.yaml:7",
            "b.yaml:10: EventSourceMappings[0].BatchSize: 0 is less than 1",
            "b.yaml:11: EventSourceMappings[1]: An event source mapping with SQS arn (\" arn:aws:sqs:us-east-1:123456789012:orders \") and function (\" f \") already exists. Please update or delete the existing mapping with UUID 0d14060f-a336-3580-b8ad-939b1a5e498b (a.yaml:7)",
        ]
    );
}

#[test]
fn every_unreadable_file_is_named_and_the_others_are_checked_all_the_same() {
    let errors = load(
        &[
            ("bytes.yaml", b"Service:\n  Listen: \xff\n"),
            ("empty.yaml", b""),
            ("broken.yaml", b"a: [\n"),
            ("wrong.yaml", b"Service: {Listen: x}\n"),
            ("large.yaml", &vec![b'#'; 16 * 1024 * 1024 + 1]),
        ],
        &[
            "bytes.yaml",
            "empty.yaml",
            "missing.yaml",
            "broken.yaml",
            "wrong.yaml",
            "large.yaml",
            "./wrong.yaml",
        ],
    )
    .unwrap_err();
    assert_eq!(
        errors,
        [
            "bytes.yaml:2: not UTF-8 text; save the file as UTF-8",
            "empty.yaml: the file is empty; expected keys such as EventSourceMappings",
            "missing.yaml: cannot be read: No such file or directory (os error 2)",
            "broken.yaml:2: not valid YAML or JSON: while parsing a node, did not find expected node content",
            "wrong.yaml:1: Service.Listen: \"x\" is no address to listen on; expected an IP address or localhost, and a port: 127.0.0.1:9480",
            "large.yaml: larger than 16 MiB",
            "./wrong.yaml: this file is given twice",
        ]
    );
    let directory = load(&[("notes.txt", b"")], &[""]).unwrap_err();
    assert_eq!(
        directory,
        [": no *.yaml, *.yml or *.json file in this directory"]
    );
    let none = Config::load(&[], &no_env).unwrap_err();
    assert_eq!(lines(&none), ["no configuration file is given"]);
}

/// Whatever the bytes, the answer is a configuration or errors of one line each; nothing panics and nothing hangs.
fn survives(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Err(errors) = Config::parse("a.yaml", &text, &no_env) {
        assert!(!errors.is_empty(), "{text:?}");
        for error in errors {
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}

#[test]
fn every_truncation_of_an_example_is_answered() {
    for name in ["http-function.yaml", "managed-export.json"] {
        let bytes = fs::read(Path::new("config").join(name)).unwrap();
        for end in 0..bytes.len() {
            survives(&bytes[..end]);
        }
    }
}

#[test]
fn random_bytes_and_random_edits_of_examples_are_answered() {
    const PIECES: [&[u8]; 24] = [
        b"&a ",
        b"*a",
        b"- ",
        b"? ",
        b": ",
        b"[",
        b"]",
        b"{",
        b"}",
        b",",
        b"'",
        b"\"",
        b"|2\n",
        b">-\n",
        b"\n",
        b"\t",
        b"#",
        b"!!str ",
        b"!x ",
        b"%TAG ! x\n",
        b"---\n",
        b"${",
        b"\\ud83d",
        b"\0",
    ];
    let mut random = fastrand::Rng::with_seed(1);
    let examples: Vec<Vec<u8>> = ["everything.yaml", "managed-export.json", "kinesis.yaml"]
        .iter()
        .map(|name| fs::read(Path::new("config").join(name)).unwrap())
        .collect();
    for _ in 0..3_000 {
        let noise: Vec<u8> = (0..random.usize(..60)).map(|_| random.u8(..)).collect();
        survives(&noise);
        let pieces: Vec<u8> = (0..random.usize(..40))
            .flat_map(|_| PIECES[random.usize(..PIECES.len())].to_vec())
            .collect();
        survives(&pieces);
        let mut edited = examples[random.usize(..examples.len())].clone();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..edited.len());
            match random.u8(..3) {
                0 => edited[at] = random.u8(..),
                1 => drop(edited.remove(at)),
                _ => drop(
                    edited.splice(at..at, PIECES[random.usize(..PIECES.len())].iter().copied()),
                ),
            }
        }
        survives(&edited);
    }
}
