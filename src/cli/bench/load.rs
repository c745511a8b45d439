//! The load's side of a test, in a process of its own, so that its CPU is not taken for the engine's: what stands where AWS would,
//! and the function.
//!
//! It says where it listens in one line of JSON on stdout. To one connection it answers each line with its figures since the
//! line before; when that connection is closed, it ends.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::canned::Canned;
use super::embedded::Embedded;
use super::gauge::Gauge;
use super::plan::{Against, Plan};
use crate::cli::{Exit, failed, output};
use crate::clock::Clock;
use crate::sim;

/// Where it is to be found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Address {
    /// The endpoint of every service.
    pub aws: SocketAddr,
    /// Where figures are asked for.
    pub figures: SocketAddr,
    /// The `EventSourceArn`.
    pub source_arn: String,
}

/// `sluicegate bench-load`.
pub fn run(plan: &Plan) -> Exit {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(serve(plan)),
        Err(error) => Err(format!("failed to start the runtime: {error}")),
    };
    match ended {
        Ok(()) => Exit::Done,
        Err(why) => failed(&why),
    }
}

async fn serve(plan: &Plan) -> Result<(), String> {
    let local = (Ipv4Addr::LOCALHOST, 0);
    let listen = |error| format!("failed to listen: {error}");
    let aws = TcpListener::bind(local).await.map_err(listen)?;
    let figures = TcpListener::bind(local).await.map_err(listen)?;
    let mut address = Address {
        aws: aws.local_addr().map_err(listen)?,
        figures: figures.local_addr().map_err(listen)?,
        source_arn: String::new(),
    };
    let mut work: JoinSet<Result<(), String>> = JoinSet::new();
    let embedded = plan.against == Against::Embedded;
    let gauge = Arc::new(Gauge::new(plan.source, embedded || plan.rate.is_some()));
    match plan.against {
        Against::Canned => {
            let canned = Arc::new(Canned::new(plan, gauge.clone(), Clock::machine()));
            address.source_arn = canned.source_arn();
            work.spawn(async move {
                canned.serve(aws).await;
                Err("the server ended".to_owned())
            });
        }
        Against::Embedded => {
            let embedded = Embedded::new(plan, gauge.clone())?;
            address.source_arn = embedded.source_arn().to_owned();
            let world = embedded.world();
            work.spawn(async move {
                sim::serve(aws, world, CancellationToken::new()).await;
                Err("the embedded AWS ended".to_owned())
            });
            work.spawn(async move {
                Err(format!(
                    "the embedded AWS takes no more: {}",
                    embedded.fill().await
                ))
            });
        }
    }
    let line = serde_json::to_string(&address).map_err(|error| error.to_string())?;
    if output::print(&format!("{line}\n")) != Exit::Done {
        return Ok(());
    }
    let paced = plan.rate.is_some();
    work.spawn(async move {
        let (asking, _) = figures.accept().await.map_err(listen)?;
        tell(asking, &gauge, paced).await;
        Ok(())
    });
    // The first of them that ends, ends all.
    match work.join_next().await {
        Some(Ok(ended)) => ended,
        Some(Err(_)) | None => Err("the load's side broke".to_owned()),
    }
}

/// A line for each line, until there are none any more.
async fn tell(asking: TcpStream, gauge: &Gauge, paced: bool) {
    let (lines, mut answers) = asking.into_split();
    let mut lines = BufReader::new(lines).lines();
    while let Ok(Some(_)) = lines.next_line().await {
        let Ok(mut line) = serde_json::to_string(&gauge.look(paced)) else {
            return;
        };
        line.push('\n');
        if answers.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}
