//! ministack as a child process: SQS, and Lambda with real Python processes, written by others.
//!
//! What it is known to do otherwise than AWS, so that no test believes it (version 1.5.33):
//! - It does not hand the trace header to a function.
//! - A receipt of an earlier receive is refused by a delete, also on a standard queue, and so is a second delete.
//! - A message moves to its dead-letter queue in the receive that would exceed the count, which is counted: it arrives
//!   there with one receive more than its source allowed.
//! - An Invoke takes 60 ms, the first one of each worker 200 ms. Events over 6 MB are accepted; what a function returns is
//!   written anew, so a duplicate key in it does not survive.
//!
//! The README has the table of all differences that were found, and who is right.

use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::support::{PATIENCE, POLL};

/// Names ministack's program; `tests/run` sets it.
pub const PROGRAM: &str = "SLUICEGATE_IT_MINISTACK";

const STARTS_MAX: usize = 3;

/// A running server with nothing in it. It is killed when it is dropped, and its functions' processes end with it.
pub struct Ministack {
    pub endpoint: String,
    // Before the folder in which it runs: the process goes first.
    _process: Child,
    _home: TempDir,
}

impl Ministack {
    /// Starts it on a free port. Another process may take the port first, so a start that ends early is repeated.
    pub async fn start(program: &Path) -> Self {
        let mut said = String::new();
        for _ in 0..STARTS_MAX {
            match Self::try_start(program).await {
                Ok(server) => return server,
                Err(log) => said = log,
            }
        }
        panic!("{} does not start: {said}", program.display());
    }

    async fn try_start(program: &Path) -> Result<Self, String> {
        let home = tempfile::tempdir().expect("a temporary folder");
        let log = home.path().join("log");
        let port = free_port().await;
        let address = format!("127.0.0.1:{port}");
        // The health page repeats it: the answer is this server's, not that of another test on a port it lost.
        let token = format!("started-by-{}-on-{port}", std::process::id());
        let stderr = std::fs::File::create(&log).expect("a log file");
        let mut process = Command::new(program)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("LOG_LEVEL", "WARNING")
            .env("MINISTACK_VERSION", &token)
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|e| panic!("failed to start {}: {e}", program.display()));

        let deadline = Instant::now() + PATIENCE;
        loop {
            if health(&address)
                .await
                .is_some_and(|page| page.contains(&token))
            {
                return Ok(Self {
                    endpoint: format!("http://{address}"),
                    _process: process,
                    _home: home,
                });
            }
            let ended = process.try_wait().expect("a child's state");
            if ended.is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(format!("{ended:?} before it was ready\n{log}"));
            }
            sleep(POLL).await;
        }
    }
}

/// A port that was free a moment ago.
pub async fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a free port");
    listener.local_addr().expect("a bound address").port()
}

/// The health page; none while nothing answers.
async fn health(address: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request =
        format!("GET /_ministack/health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).await.ok()?;
    Some(page)
}
