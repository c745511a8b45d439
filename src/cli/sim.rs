//! `sluicegate sim`: only the embedded AWS, for the tests of other programs.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Exit, failed, in_runtime, log, output};
use crate::admin;
use crate::clock::Clock;
use crate::config::service::address;
use crate::sim::{self, FunctionConfig, Settings, World};

/// What it offers, for the help.
pub const SERVICES: &str = "\
One address for all of them, with any region, account and credentials; everything is in memory:
  SQS               standard and FIFO queues, dead-letter queues, visibility, long polling
  Kinesis           shards, split and merge, iterators, consumers with SubscribeToShard
  DynamoDB          the item operations that feed a table's stream
  DynamoDB Streams  DescribeStream, GetShardIterator, GetRecords
  Lambda            Invoke, GetFunction and GetFunctionConfiguration of what --function names
  SNS, S3           topics and Publish, buckets and PutObject: for on-failure destinations";

/// How long a function behind a URL may take.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to listen, such as 127.0.0.1:4566; port 0 takes any free one
    #[arg(long, value_name = "ADDR", value_parser = listen)]
    listen: SocketAddr,
    /// A function of the embedded Lambda that runs behind a URL; may be given more than once
    #[arg(long = "function", value_name = "NAME=URL", value_parser = function)]
    functions: Vec<FunctionAt>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct FunctionAt {
    name: String,
    url: String,
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    let hint = "write an IP address or localhost, and a port, such as 127.0.0.1:4566";
    address(text).ok_or_else(|| hint.to_owned())
}

fn function(text: &str) -> Result<FunctionAt, String> {
    match text.split_once('=') {
        Some((name, url)) if !name.is_empty() && !url.is_empty() => Ok(FunctionAt {
            name: name.to_owned(),
            url: url.to_owned(),
        }),
        Some(_) | None => Err("write NAME=URL, such as resize=http://127.0.0.1:8080/".to_owned()),
    }
}

/// Why there is no embedded AWS.
#[derive(Debug, thiserror::Error)]
enum SimError {
    #[error("failed to listen on {0}: {reason}", reason = admin::reason(.1))]
    Bind(SocketAddr, io::Error),
    #[error("--function: {0}")]
    Function(#[from] sim::lambda::BadUrl),
    #[error("--function: {0} is given twice")]
    Twice(String),
}

pub fn run(args: Args) -> Exit {
    if let Err(exit) = log("info") {
        return exit;
    }
    let stop = CancellationToken::new();
    match in_runtime(serve(args, stop.clone()), stop) {
        Ok(Ok(exit)) => exit,
        Ok(Err(error @ SimError::Bind(..))) => failed(&error),
        Ok(Err(error @ (SimError::Function(_) | SimError::Twice(_)))) => {
            output::complain(&error);
            Exit::Usage
        }
        Err(exit) => exit,
    }
}

async fn serve(args: Args, stop: CancellationToken) -> Result<Exit, SimError> {
    let epoch = Duration::from_millis(Clock::machine().now_ms());
    let world = World::with(Settings {
        epoch,
        history_max: 0,
        ..Settings::default()
    });
    let mut names = BTreeSet::new();
    for FunctionAt { name, url } in &args.functions {
        if !names.insert(name) {
            return Err(SimError::Twice(name.clone()));
        }
        let config = FunctionConfig {
            timeout: FUNCTION_TIMEOUT,
            ..FunctionConfig::default()
        };
        world.register_http(name, config, url)?;
    }
    let bind = |error| SimError::Bind(args.listen, error);
    let listener = TcpListener::bind(args.listen).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    // Whoever started it may read no further than this line.
    let said = output::print(&format!("listening on http://{address}\n"));
    if said == Exit::Done {
        sim::serve(listener, world, stop).await;
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_numeric_or_localhost() {
        for text in ["127.0.0.1:4566", "localhost:4566"] {
            assert_eq!(
                listen(text),
                Ok("127.0.0.1:4566".parse().unwrap()),
                "{text}"
            );
        }
        for text in ["4566", "localhost", "host:1", ":4566"] {
            assert!(listen(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_function_is_a_name_and_a_url() {
        let expected = FunctionAt {
            name: "f".to_owned(),
            url: "http://h/?a=b".to_owned(),
        };
        assert_eq!(function("f=http://h/?a=b"), Ok(expected));
        for text in ["", "f", "f=", "=http://h/"] {
            assert!(function(text).is_err(), "{text}");
        }
    }
}
