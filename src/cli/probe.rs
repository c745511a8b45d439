//! `sluicegate probe`: asks a running service whether it lives, for health checks where there is neither shell nor curl.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::{Exit, failed};
use crate::admin;
use crate::config::service::{Service, address};

/// A service that is alive answers in milliseconds, and a health check must not pile up behind the one before it.
const PATIENCE: Duration = Duration::from_secs(3);
/// More of an answer is not read: the first line decides, one more is the reason.
const ANSWER_BYTES_MAX: u64 = 4 * 1024;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the service listens: its Service.Listen
    #[arg(long, value_name = "ADDR", value_parser = listen, default_value_t = Service::default().listen)]
    listen: SocketAddr,
}

// An address and not the configuration that has it: one that was changed, and is not in force or not valid yet, must not
// make a service that is well look dead.
fn listen(text: &str) -> Result<SocketAddr, String> {
    let hint = "write an IP address or localhost, and a port, such as 127.0.0.1:9480";
    address(text).ok_or_else(|| hint.to_owned())
}

/// Why a service does not count as alive.
#[derive(Debug, thiserror::Error)]
enum ProbeError {
    #[error("failed to ask {0}: {reason}", reason = admin::reason(.1))]
    Connection(SocketAddr, io::Error),
    #[error("{0} does not answer within {limit} s", limit = PATIENCE.as_secs())]
    Silence(SocketAddr),
    #[error("{0} answers {1:?}")]
    Ill(SocketAddr, String),
}

pub fn run(args: &Args) -> Exit {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("failed to start the runtime: {error}")),
    };
    match runtime.block_on(probe(args.listen)) {
        Ok(()) => Exit::Done,
        Err(error) => failed(&error),
    }
}

async fn probe(address: SocketAddr) -> Result<(), ProbeError> {
    let answer = match timeout(PATIENCE, ask(address)).await {
        Ok(answer) => answer.map_err(|error| ProbeError::Connection(address, error))?,
        Err(_) => return Err(ProbeError::Silence(address)),
    };
    match answer.split_once("\r\n\r\n") {
        Some((head, _)) if is_ok(head) => Ok(()),
        Some((_, body)) if !body.trim().is_empty() => {
            Err(ProbeError::Ill(address, body.trim().to_owned()))
        }
        Some(_) | None => {
            let line = answer.lines().next().unwrap_or_default();
            Err(ProbeError::Ill(address, line.to_owned()))
        }
    }
}

async fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /livez HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let read = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await;
    // Who answers and then resets the connection has answered.
    match read {
        Err(error) if answer.is_empty() => Err(error),
        Ok(_) | Err(_) => Ok(String::from_utf8_lossy(&answer).into_owned()),
    }
}

fn is_ok(head: &str) -> bool {
    head.split(' ').nth(1) == Some("200") && head.starts_with("HTTP/1.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_accepts_and_says_nothing_is_ill_after_three_seconds() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let said = probe(address).await.unwrap_err().to_string();
        assert_eq!(said, format!("{address} does not answer within 3 s"));
    }
}
