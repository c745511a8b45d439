//! The other process, as the test sees it: started, asked, and gone with this value.

use std::io::{self, BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader as Buffered};
use tokio::net::TcpStream;

use super::gauge::Figures;
use super::load::Address;
use super::plan::Plan;

/// The load's side.
#[derive(Debug)]
pub struct Side {
    /// Where it is.
    pub address: Address,
    asking: Buffered<TcpStream>,
    // Behind the connection: when that is closed, the process ends by itself.
    _process: Process,
}

/// A process that does not outlive this value.
#[derive(Debug)]
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Side {
    /// Start it with this plan.
    ///
    /// # Errors
    /// It can not be started, or says something else than where it listens.
    pub async fn start(plan: &Plan) -> io::Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .arg("bench-load")
            .args(plan.arguments())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut process = Process(child);
        let mut line = String::new();
        if let Some(said) = process.0.stdout.as_mut() {
            // One short line, which is there within milliseconds, before anything else runs.
            BufReader::new(said).read_line(&mut line)?;
        }
        let address: Address = serde_json::from_str(&line)
            .map_err(|_| io::Error::other("the load's side does not say where it listens"))?;
        let asking = Buffered::new(TcpStream::connect(address.figures).await?);
        Ok(Self {
            address,
            asking,
            _process: process,
        })
    }

    /// Its figures since the last look.
    ///
    /// # Errors
    /// It is not there any more.
    pub async fn look(&mut self) -> io::Result<Figures> {
        self.asking.write_all(b"look\n").await?;
        let mut line = String::new();
        self.asking.read_line(&mut line).await?;
        serde_json::from_str(&line).map_err(|_| io::Error::other("the load's side ended"))
    }
}
