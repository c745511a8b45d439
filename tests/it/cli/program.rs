//! The program as a child process: run to its end, or started, listened to and sent signals.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::time::timeout;

use crate::support::PATIENCE;

/// What a finished run left behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// The program with these arguments, and nothing of this machine's settings.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(crate::support::gate::program());
    command.args(args).stdin(Stdio::null()).env_clear();
    command
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    command
}

/// Runs it to its end.
pub fn run(args: &[&str]) -> Ended {
    ended(&mut command(args))
}

/// Runs the program to its end with this on its stdin.
pub fn run_with(args: &[&str], input: &str) -> Ended {
    let file = tempfile::NamedTempFile::new().expect("a file for stdin");
    std::fs::write(file.path(), input).expect("room for it");
    let stdin = std::fs::File::open(file.path()).expect("it is there");
    ended(command(args).stdin(stdin))
}

/// Runs this command to its end.
pub fn ended(command: &mut Command) -> Ended {
    let output = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes text");
    Ended {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// A running program; killed when dropped.
pub struct Running {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    err: Lines<BufReader<ChildStderr>>,
}

impl Running {
    /// Starts it. To be called inside a runtime.
    pub fn start(args: &[&str]) -> Self {
        let mut command = tokio::process::Command::from(command(args));
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("the program starts");
        let out = child.stdout.take().expect("stdout is a pipe");
        let err = child.stderr.take().expect("stderr is a pipe");
        Self {
            child,
            out: BufReader::new(out).lines(),
            err: BufReader::new(err).lines(),
        }
    }

    /// The next line on stdout.
    pub async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.out.next_line())
            .await
            .expect("a line in time")
            .expect("a pipe can be read");
        line.expect("a line before the end")
    }

    /// The next event in the log with this message.
    pub async fn event(&mut self, message: &str) -> serde_json::Value {
        let mut seen = Vec::new();
        let search = async {
            while let Some(line) = self.err.next_line().await.expect("a pipe can be read") {
                let event: serde_json::Value =
                    serde_json::from_str(&line).expect("where there is no terminal, logs are JSON");
                if event["message"] == message {
                    return Some(event);
                }
                seen.push(line);
            }
            None
        };
        let found = timeout(PATIENCE, search).await.ok().flatten();
        found.unwrap_or_else(|| panic!("{message:?} is not in the log: {seen:#?}"))
    }

    /// The next events in the log with these messages, whichever comes first.
    pub async fn events(&mut self, messages: [&str; 2]) -> [serde_json::Value; 2] {
        let mut found = messages.map(|_| serde_json::Value::Null);
        let search = async {
            while found.iter().any(serde_json::Value::is_null) {
                let line = self.err.next_line().await.expect("a pipe can be read");
                let line = line.expect("an event before the end");
                let event: serde_json::Value =
                    serde_json::from_str(&line).expect("where there is no terminal, logs are JSON");
                let place = messages
                    .iter()
                    .position(|wanted| event["message"] == **wanted);
                if let Some(place) = place {
                    found[place] = event;
                }
            }
        };
        let all = timeout(PATIENCE, search).await.is_ok();
        assert!(all, "{messages:?} are not in the log: {found:?}");
        found
    }

    /// Sends `TERM` or `INT`.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().expect("it still runs").to_string();
        let sent = Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .expect("every Unix has kill");
        assert!(sent.success(), "kill -s {name} {id}");
    }

    /// Waits for its end: the exit code, and none where a signal killed it.
    pub async fn end(mut self) -> Option<i32> {
        timeout(PATIENCE, self.child.wait())
            .await
            .expect("it ends in time")
            .expect("a child can be waited for")
            .code()
    }
}

/// One request over HTTP/1.1, the answer's status and body.
pub fn request(address: &str, head: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    let length = body.len();
    write!(
        stream,
        "{head}\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .expect("it reads");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("it answers with text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    (status.expect("a status"), body.to_owned())
}

/// A GET, the answer's status and body.
pub fn get(address: &str, path: &str) -> (u16, String) {
    request(address, &format!("GET {path} HTTP/1.1"), "")
}

/// A call to the SQS of an embedded AWS.
pub fn sqs(address: &str, operation: &str, input: &serde_json::Value) -> serde_json::Value {
    let head = format!(
        "POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.{operation}\r\nContent-Type: application/x-amz-json-1.0"
    );
    let (status, body) = request(address, &head, &input.to_string());
    assert_eq!(status, 200, "{operation}: {body}");
    serde_json::from_str(&body).unwrap_or_default()
}
