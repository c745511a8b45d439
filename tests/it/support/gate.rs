//! The program itself, as a child process: started with a configuration, watched through its log, its admin listener and
//! its exit code, as an operator would.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use sluicegate::reports::Account;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::support::cloud::REGION;
use crate::support::{PATIENCE, POLL};

/// The program under test: the one that was built with the tests, or the one that `SLUICEGATE_PROGRAM` names, such as what is
/// shipped.
pub fn program() -> String {
    named_program().unwrap_or_else(|| env!("CARGO_BIN_EXE_sluicegate").into())
}

/// The build of the program that was asked for, where one was: what is shipped, say.
pub fn named_program() -> Option<String> {
    std::env::var("SLUICEGATE_PROGRAM").ok()
}

/// A configuration, as text. Long polls end within a second of a drain, since they follow the grace period.
#[derive(Clone, Debug)]
pub struct Config {
    listen: String,
    api: String,
    grace_s: u32,
    endpoint: String,
    kinesis: String,
    checkpoints: String,
    functions: String,
    mappings: String,
}

impl Config {
    /// No mappings yet; AWS is at `endpoint`.
    pub fn at(endpoint: &str) -> Self {
        Self {
            listen: "127.0.0.1:0".to_owned(),
            api: String::new(),
            grace_s: 6,
            endpoint: endpoint.to_owned(),
            kinesis: String::new(),
            checkpoints: String::new(),
            functions: String::new(),
            mappings: String::new(),
        }
    }

    /// AWS is where the environment says.
    pub fn somewhere() -> Self {
        Self::at("")
    }

    /// A function behind a URL.
    pub fn function(mut self, name: &str, url: &str, timeout_s: u32) -> Self {
        writeln!(
            self.functions,
            "  {name}: {{ Http: {{ Url: \"{url}\" }}, TimeoutInSeconds: {timeout_s} }}"
        )
        .expect("a string takes all");
        self
    }

    /// A mapping; `more` are further properties, such as `BatchSize: 1, Enabled: false`.
    pub fn mapping(mut self, name: &str, source: &str, function: &str, more: &str) -> Self {
        writeln!(
            self.mappings,
            "  - {{ Name: {name}, EventSourceArn: \"{source}\", FunctionName: \"{function}\", {more} }}"
        )
        .expect("a string takes all");
        self
    }

    /// `Aws.Endpoints.Kinesis`; where everything else is otherwise.
    pub fn kinesis(self, endpoint: &str) -> Self {
        Self {
            kinesis: endpoint.to_owned(),
            ..self
        }
    }

    /// `Checkpoints.File`; otherwise the usual one, in the folder that goes with the program.
    pub fn checkpoints(self, file: &Path) -> Self {
        let checkpoints = file.to_str().expect("a plain path").to_owned();
        Self {
            checkpoints,
            ..self
        }
    }

    /// `Service.Listen`; any free port otherwise.
    pub fn listen(self, address: &str) -> Self {
        Self {
            listen: address.to_owned(),
            ..self
        }
    }

    /// `Service.Api`, as the keys between its braces.
    pub fn api(self, api: &str) -> Self {
        let api = format!(", Api: {{ {api} }}");
        Self { api, ..self }
    }

    /// `Service.ShutdownGraceInSeconds`.
    pub fn grace_s(self, grace_s: u32) -> Self {
        Self { grace_s, ..self }
    }

    fn text(&self) -> String {
        let Self {
            listen,
            api,
            grace_s,
            endpoint,
            kinesis,
            checkpoints,
            functions,
            mappings,
        } = self;
        let mut text = format!(
            "Service: {{ Listen: \"{listen}\", ShutdownGraceInSeconds: {grace_s}{api} }}\n"
        );
        let endpoints = match kinesis.as_str() {
            "" => String::new(),
            kinesis => format!(", Endpoints: {{ Kinesis: \"{kinesis}\" }}"),
        };
        if !endpoint.is_empty() {
            writeln!(
                text,
                "Aws: {{ Region: {REGION}, EndpointUrl: \"{endpoint}\"{endpoints} }}"
            )
            .expect("a string takes all");
        }
        if !checkpoints.is_empty() {
            writeln!(text, "Checkpoints: {{ File: \"{checkpoints}\" }}")
                .expect("a string takes all");
        }
        for (key, entries) in [("Functions", functions), ("EventSourceMappings", mappings)] {
            if !entries.is_empty() {
                write!(text, "{key}:\n{entries}").expect("a string takes all");
            }
        }
        text
    }

    /// `sluicegate run` with this configuration, not started yet.
    pub fn program(&self) -> Program {
        Program::with(&self.text())
    }

    /// `sluicegate run` with this configuration, started.
    pub async fn start(&self) -> Gate {
        self.program().start().await
    }
}

/// The unit that is shipped: what it sets is a part of how the program behaves.
const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/sluicegate.service");

/// `sluicegate run`, not started yet: in a folder of its own, with some credentials and what the shipped unit sets for its
/// environment, and nothing else.
pub struct Program {
    home: TempDir,
    command: Command,
}

impl Program {
    /// With this text as its configuration, `gate.yaml`.
    pub fn with(config: &str) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(home.path().join("gate.yaml"), config).expect("a configuration file");
        let mut command = Command::new(program());
        command
            .args(["run", "--config", "gate.yaml"])
            .env_clear()
            .envs(environment())
            .env("HOME", home.path())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Self { home, command }
    }

    /// A file in the folder that is its home.
    pub fn file(self, path: &str, text: &str) -> Self {
        let path = self.home.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder in its home");
        std::fs::write(path, text).expect("a file in its home");
        self
    }

    /// Changes what it is started with.
    pub fn but(mut self, change: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        change(&mut self.command);
        self
    }

    /// Starts it, and returns once it listens; fails where it ends instead.
    pub async fn start(self) -> Gate {
        let mut gate = self.launch();
        gate.wait_for_log("started", |line| line["message"] == "started")
            .await;
        gate
    }

    /// Starts it.
    pub fn launch(mut self) -> Gate {
        let mut child = self.command.spawn().expect("the program starts");
        let log = watch::Sender::default();
        let mut reader = JoinSet::new();
        if let Some(stderr) = child.stderr.take() {
            let log = log.clone();
            reader.spawn(async move {
                let mut lines = BufReader::new(stderr).lines();
                while let Some(line) = lines.next_line().await.expect("text on stderr") {
                    log.send_modify(|lines: &mut Vec<String>| lines.push(line));
                }
            });
        }
        Gate {
            child,
            log,
            reader,
            _home: self.home,
        }
    }

    /// Starts it, and returns once it ended: its exit code and what it said on stderr.
    pub async fn end(self) -> (Option<i32>, Vec<String>) {
        let mut gate = self.launch();
        let code = gate.ended().await.code();
        (code, gate.log())
    }
}

/// What the unit sets.
fn environment() -> Vec<(String, String)> {
    let unit = std::fs::read_to_string(UNIT).expect("the unit that is shipped");
    let set = unit
        .lines()
        .filter_map(|line| line.strip_prefix("Environment=")?.split_once('='));
    let set: Vec<_> = set
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert!(!set.is_empty(), "{UNIT} sets nothing");
    set
}

/// The running program. It is killed when it is dropped; its log is shown where a test fails.
pub struct Gate {
    child: Child,
    log: watch::Sender<Vec<String>>,
    reader: JoinSet<()>,
    _home: TempDir,
}

/// An answer of the admin listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub status: u16,
    pub body: String,
}

impl Page {
    /// The body, parsed; null if it is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// What `/readyz` says of a mapping.
    pub fn mapping(&self, name: &str) -> Value {
        let page = self.json();
        let mappings = page["mappings"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        mappings
            .iter()
            .find(|mapping| mapping["name"] == name)
            .cloned()
            .unwrap_or_default()
    }
}

impl Gate {
    /// Its lines on stderr so far.
    pub fn log(&self) -> Vec<String> {
        self.log.borrow().clone()
    }

    /// The first line on stderr that is as wished, once it is there.
    pub async fn wait_for_log(&mut self, what: &str, wished: impl Fn(&Value) -> bool) -> Value {
        let mut log = self.log.subscribe();
        let found = |lines: &Vec<String>| {
            lines
                .iter()
                .filter_map(|line| serde_json::from_str(line).ok())
                .find(|line| wished(line))
        };
        let reached = async {
            log.wait_for(|lines| found(lines).is_some())
                .await
                .expect("the log lives as long as the program")
                .clone()
        };
        let ended = async { while self.reader.join_next().await.is_some() {} };
        tokio::select! {
            biased;
            lines = timeout(PATIENCE, reached) => {
                lines.ok().and_then(|lines| found(&lines)).unwrap_or_else(|| panic!("no line with {what}"))
            }
            () = ended => {
                let lines = self.log();
                found(&lines).unwrap_or_else(|| panic!("it ended without {what}"))
            }
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Where it listens.
    pub fn admin(&self) -> SocketAddr {
        let log = self.log.borrow();
        let started = log
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|line| line["message"] == "started")
            .expect("it was started");
        started["listen"]
            .as_str()
            .and_then(|text| text.parse().ok())
            .expect("the log says where it listens")
    }

    /// One page of the admin listener; none where nobody answers.
    pub async fn try_get(address: SocketAddr, path: &str) -> Option<Page> {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        let (page, _) = Self::exchange(address, &request).await?;
        Some(page)
    }

    /// The answer, and its head.
    async fn exchange(address: SocketAddr, request: &str) -> Option<(Page, String)> {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let body = body.to_owned();
        Some((Page { status, body }, head.to_owned()))
    }

    /// One request of its control API, with these lines in its head: the answer, and AWS's name of an error.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        head: &str,
        body: &str,
    ) -> (Page, Option<String>) {
        let address = self.admin();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        let answer = Self::exchange(address, &request).await;
        let (page, head) = answer.expect("the admin listener answers");
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let code = lines.find(|(key, _)| key.eq_ignore_ascii_case("x-amzn-errortype"));
        (page, code.map(|(_, code)| code.to_owned()))
    }

    /// One page of its admin listener.
    pub async fn get(&self, path: &str) -> Page {
        Self::try_get(self.admin(), path)
            .await
            .expect("the admin listener answers")
    }

    /// A page of its admin listener, once it is as wished.
    pub async fn wait_for(&self, path: &str, what: &str, wished: impl Fn(&Page) -> bool) -> Page {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let page = self.get(path).await;
            if wished(&page) {
                return page;
            }
            assert!(
                Instant::now() < deadline,
                "waited in vain for {what}; {path} says {page:#?}"
            );
            sleep(POLL).await;
        }
    }

    /// Returns once it is ready.
    pub async fn ready(&self) -> Page {
        self.wait_for("/readyz", "readiness", |page| page.status == 200)
            .await
    }

    /// Its metrics, as they are told.
    pub async fn metrics_text(&self) -> String {
        self.get("/metrics").await.body
    }

    /// Every series of its metrics.
    pub async fn metrics(&self) -> BTreeMap<String, f64> {
        series(&self.metrics_text().await)
    }

    /// Returns once the series `sluicegate_SERIES` is at least so much.
    pub async fn wait_for_metric(&self, name: &str, at_least: f64) {
        let name = format!("sluicegate_{name}");
        let reached = |page: &Page| {
            series(&page.body)
                .get(&name)
                .is_some_and(|value| at_least <= *value)
        };
        self.wait_for("/metrics", &format!("{name} of {at_least}"), reached)
            .await;
    }

    /// Sends it a signal, by its name without `SIG`.
    pub async fn signal(&self, name: &str) {
        let pid = self.pid();
        // The shell's own `kill`: the program of that name is not on every machine.
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {pid}")])
            .status()
            .await;
        assert!(sent.expect("a shell").success(), "SIG{name} is sent");
    }

    /// Whether it did not end yet.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("a child's state").is_none()
    }

    /// How it ended, once it did and all that it said was read; fails where it panicked.
    pub async fn ended(&mut self) -> ExitStatus {
        self.ended_within(PATIENCE).await
    }

    /// The same, where that may take longer than usual.
    pub async fn ended_within(&mut self, patience: Duration) -> ExitStatus {
        let status = timeout(patience, self.child.wait())
            .await
            .expect("it ends")
            .expect("a child's state");
        while let Some(read) = self.reader.join_next().await {
            read.expect("its log is read");
        }
        let log = self.log();
        assert!(
            !log.iter().any(|line| line.contains("panick")),
            "it panicked"
        );
        status
    }

    /// How it ended, once one more signal of these made it do so. Two that come as an echo of each other count as one.
    pub async fn ended_by(&mut self, name: &str) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            self.signal(name).await;
            if timeout(5 * POLL, self.child.wait()).await.is_ok() {
                return self.ended().await;
            }
        }
        panic!("SIG{name} does not end it");
    }

    /// As `kill -9` does.
    pub async fn kill(mut self) {
        self.child.start_kill().expect("it runs");
        self.ended().await;
    }

    /// Drains it by SIGTERM; fails where that is not clean. What became of the messages.
    pub async fn stop(mut self) -> Account {
        self.signal("TERM").await;
        let status = self.ended().await;
        assert_eq!(status.code(), Some(0), "a clean drain");
        self.account()
    }

    /// The last line's account of the messages.
    pub fn account(&self) -> Account {
        let log = self.log();
        let last: Value = log
            .last()
            .and_then(|line| serde_json::from_str(line).ok())
            .expect("a last line");
        let count = |name: &str| {
            last[name]
                .as_u64()
                .unwrap_or_else(|| panic!("no {name} in {last}"))
        };
        Account {
            deleted: count("deleted"),
            left: count("left"),
            handed_back: count("handed_back"),
            abandoned: count("abandoned"),
            settled: count("settled"),
            discarded: count("discarded"),
            cut_off: count("cut_off"),
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if std::thread::panicking() {
            #[allow(
                clippy::disallowed_macros,
                reason = "what is printed so is shown with the test that failed"
            )]
            {
                println!("the program said:\n{}", self.log().join("\n"));
            }
        }
    }
}

fn series(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}
