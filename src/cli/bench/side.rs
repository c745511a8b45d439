//! The other process, as the test sees it: started, asked, and gone with this value.

use std::io::{self, BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader as Buffered};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::elsewhere::Elsewhere;
use super::gauge::Figures;
use super::load::Address;
use super::plan::{NAME, Plan};

/// The load's side.
#[derive(Debug)]
pub enum Side {
    /// A process of ours.
    Load {
        /// Where it is asked.
        asking: Buffered<TcpStream>,
        // Behind the connection: when that is closed, the process ends by itself.
        #[allow(dead_code, reason = "it is there to be dropped")]
        process: Process,
    },
    /// Somebody else's: nobody tells what it does.
    Elsewhere {
        /// The last look.
        since: Instant,
    },
}

/// A process that does not outlive this value.
#[derive(Debug)]
pub struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Side {
    /// Of an endpoint that is given.
    pub fn elsewhere() -> Self {
        Self::Elsewhere {
            since: Instant::now(),
        }
    }

    /// Start it with this plan. Returns where it is as well.
    ///
    /// # Errors
    /// It can not be started, or says something else than where it listens.
    pub async fn start(plan: &Plan) -> io::Result<(Self, Elsewhere)> {
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
        let there = Elsewhere {
            endpoint: format!("http://{}", address.aws),
            source_arn: address.source_arn,
            function: NAME.to_owned(),
            source: plan.source,
        };
        Ok((Self::Load { asking, process }, there))
    }

    /// Its figures since the last look.
    ///
    /// # Errors
    /// It is not there any more.
    pub async fn look(&mut self) -> io::Result<Figures> {
        let asking = match self {
            Self::Load { asking, .. } => asking,
            Self::Elsewhere { since } => {
                let now = Instant::now();
                let figures = Figures::unseen(now - *since);
                *since = now;
                return Ok(figures);
            }
        };
        asking.write_all(b"look\n").await?;
        let mut line = String::new();
        asking.read_line(&mut line).await?;
        serde_json::from_str(&line).map_err(|_| io::Error::other("the load's side ended"))
    }
}
