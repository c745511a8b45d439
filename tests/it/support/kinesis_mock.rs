//! kinesis-mock as a child process: Kinesis with the lineage of split and merge, written by others.
//!
//! What it is known to do otherwise than AWS, so that no test believes it (version 0.6.2):
//! - Nothing is ever throttled, trimmed or expired.
//! - A bogus iterator is answered with 500, and a record that is too large not at all.
//!
//! The README has the table of all differences that were found, and who is right.

use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::support::ministack::free_port;
use crate::support::{PATIENCE, POLL};

/// Names kinesis-mock's script, for node; `tests/run` sets it.
pub const SCRIPT: &str = "SLUICEGATE_IT_KINESIS";

const STARTS_MAX: usize = 3;

/// A running server with nothing in it. It is killed when it is dropped.
pub struct KinesisMock {
    pub endpoint: String,
    // Before the folder in which it runs: the process goes first.
    _process: Child,
    _home: TempDir,
}

impl KinesisMock {
    /// Starts it on a free port. Another process may take the port first, so a start that ends early is repeated.
    pub async fn start(script: &Path) -> Self {
        let mut said = String::new();
        for _ in 0..STARTS_MAX {
            match Self::try_start(script).await {
                Ok(server) => return server,
                Err(log) => said = log,
            }
        }
        panic!("{} does not start: {said}", script.display());
    }

    async fn try_start(script: &Path) -> Result<Self, String> {
        let home = tempfile::tempdir().expect("a temporary folder");
        let log = home.path().join("log");
        let (port, tls_port) = (free_port().await, free_port().await);
        let output = std::fs::File::create(&log).expect("a log file");
        // It has no setting for its address; without this it would listen to the whole network.
        let loopback = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/loopback.js");
        let mut command = Command::new("node");
        command
            .arg("--require")
            .arg(loopback)
            .arg(script)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .env("KINESIS_MOCK_PLAIN_PORT", port.to_string())
            .env("KINESIS_MOCK_TLS_PORT", tls_port.to_string())
            .env("LOG_LEVEL", "WARN");
        for operation in ["CREATE_STREAM", "SPLIT_SHARD", "MERGE_SHARDS"] {
            command.env(format!("{operation}_DURATION"), "20ms");
        }
        // Its certificate lies beside it.
        let mut process = command
            .current_dir(script.parent().expect("a folder of its own"))
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("another handle"))
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|e| panic!("failed to start node {}: {e}", script.display()));

        let address = format!("127.0.0.1:{port}");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = process.try_wait().expect("a child's state");
            if ended.is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(format!("{ended:?} before it was ready\n{log}"));
            }
            if healthy(&address).await {
                return Ok(Self {
                    endpoint: format!("http://{address}"),
                    _process: process,
                    _home: home,
                });
            }
            sleep(POLL).await;
        }
    }
}

async fn healthy(address: &str) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request =
            format!("GET /healthcheck HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut page = String::new();
        stream.read_to_string(&mut page).await.ok()?;
        Some(page)
    };
    ask.await
        .is_some_and(|page| page.starts_with("HTTP/1.1 200"))
}
