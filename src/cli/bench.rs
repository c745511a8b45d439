//! `sluicegate bench`: the real engine under load, against another process that stands where AWS would.
//!
//! ```text
//! this process: service, engine, AWS SDK     --HTTP on loopback-->     bench-load: canned answers or the embedded AWS; the function
//!   its CPU, memory and counters                                         arrivals, starts of invocations, its own CPU
//! ```
//!
//! A figure is reported only where the engine was what limited it, or the rate that was asked for: a load's side that is at the
//! end of its one thread measures itself.

pub mod canned;
mod elsewhere;
mod embedded;
mod flow;
pub mod gauge;
pub mod load;
pub mod plan;
mod plot;
mod report;
mod side;
mod usage;

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use tokio_util::sync::CancellationToken;

use super::house::{House, HouseError, Scratch};
use super::{Exit, duration, failed, in_runtime_of, log, output, run};
use crate::aws::clients::Clients;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::error::ConfigError;
use crate::metrics::Metrics;
use elsewhere::{Elsewhere, Given};
use gauge::Figures;
use plan::{NAME, Plan, REGION, Source};
use report::{Report, Row};
use side::Side;

/// What there is to know beside the arguments, for the help.
pub const ENDS: &str = "\
The load comes from a process of its own, on one thread. Where that is at its limit and the engine is not, nothing is
reported and the exit code is 1: make records larger or batches smaller, or give the engine less (--threads).

A stream's shards are read as AWS grants it, five times and 2 MB a second each: --shards decides how much there is to do.";

/// The share of its thread from which on the load's side is taken to be the bottleneck.
const LOAD_SHARE_MAX: f64 = 0.93;
/// Below this share of its threads the engine was waiting for something.
const ENGINE_BUSY: f64 = 0.90;

/// What is asked for.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    plan: Plan,
    #[command(flatten)]
    elsewhere: Given,
    /// Records of a batch at most; by default 10 of queues, 1,000 of streams
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch_size: Option<u32>,
    /// MaximumConcurrency of a queue, 8 by default, or ParallelizationFactor of a stream, 1 by default; a line for each
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=1_000))]
    concurrency: Vec<u32>,
    /// Threads of the engine
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
    /// How long each line is measured, such as 10s
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration::parse)]
    duration: Duration,
    /// How long it runs before that
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration::parse)]
    warm_up: Duration,
    /// How to say it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Draw throughput and latency against concurrency into this SVG file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table
    Table,
    /// One JSON object
    Json,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error("failed to set up the load test: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    House(#[from] HouseError),
    #[error("the load test's configuration: {0}")]
    Config(ConfigError),
    #[error("CPU time and memory are not told here: a load test needs Linux's /proc")]
    NoUsage,
    #[error("nothing was handled in {0:?}")]
    Nothing(Duration),
    #[error(
        "the load's side was at {load:.0} % of its thread and the engine at {engine:.0} % of its {threads}: the figures would be those of the load, and are not reported"
    )]
    LoadBound {
        load: f64,
        engine: f64,
        threads: u16,
    },
    #[error("stopped")]
    Stopped,
}

/// The whole of it.
pub fn run(args: &Args) -> Exit {
    if let Some(refusal) = args.plan.refusal() {
        output::complain(&refusal);
        return Exit::Usage;
    }
    let elsewhere = match args.elsewhere.place() {
        Ok(elsewhere) => elsewhere,
        Err(refusal) => {
            output::complain(&refusal);
            return Exit::Usage;
        }
    };
    if let Err(exit) = log("error") {
        return exit;
    }
    let stop = CancellationToken::new();
    let work = measure(args, elsewhere, stop.clone());
    let report = match in_runtime_of(Some(args.threads.into()), Box::pin(work), stop) {
        Ok(Ok(report)) => report,
        Ok(Err(error)) => return failed(&error),
        Err(exit) => return exit,
    };
    if let Some(file) = &args.plot
        && let Err(error) = std::fs::write(file, plot::svg(&report))
    {
        return failed(&format!("failed to write {}: {error}", file.display()));
    }
    output::print(&match args.format {
        Format::Table => report.table(),
        Format::Json => report.json(),
    })
}

/// What both sides had used and done by a moment.
struct Mark {
    handled: f64,
    invocations: f64,
    cpu_s: f64,
    load: Figures,
}

async fn measure(
    args: &Args,
    elsewhere: Option<Elsewhere>,
    stop: CancellationToken,
) -> Result<Report, BenchError> {
    let source = elsewhere
        .as_ref()
        .map_or(args.plan.source, |there| there.source);
    let usual = if source.is_queue() {
        (10, 8)
    } else {
        (1_000, 1)
    };
    let batch_size = args.batch_size.unwrap_or(usual.0);
    let settings = match args.concurrency.as_slice() {
        [] => vec![usual.1],
        several => several.to_vec(),
    };
    let mut report = Report::new(
        &args.plan,
        batch_size as usize,
        args.threads.into(),
        args.duration.as_secs_f64(),
    );
    if let Some(there) = &elsewhere {
        report.is_elsewhere(there);
    }
    for concurrency in settings {
        report
            .rows
            .push(line(args, elsewhere.as_ref(), batch_size, concurrency, &stop).await?);
    }
    Ok(report)
}

/// One setting, from the start of both sides to their end.
async fn line(
    args: &Args,
    elsewhere: Option<&Elsewhere>,
    batch_size: u32,
    concurrency: u32,
    stop: &CancellationToken,
) -> Result<Row, BenchError> {
    let (mut side, there) = match elsewhere {
        Some(there) => (Side::elsewhere(), there.clone()),
        None => Side::start(&args.plan).await?,
    };
    let text = configuration(&there, batch_size, concurrency);
    let config = Config::parse("bench.yaml", &text, &|_| None).map_err(|errors| {
        BenchError::Config(errors.into_iter().next().expect("a refusal has an error"))
    })?;
    let seed = run::seed(&Clock::machine());
    let scratch = Scratch::new("bench", seed)?;
    let metrics = Metrics::new();
    let clock = Clock::machine();
    let clients = match elsewhere {
        Some(_) => Clients::from_environment(&config.aws, Some(REGION), &clock).await,
        None => Clients::without_account(&config.aws, &clock),
    };
    let house = House {
        verb: "bench",
        clients,
        metrics: metrics.clone(),
        config,
        seed,
    };
    usage::forget_peak();
    let running = house.start(&scratch.checkpoints(), (Ipv4Addr::LOCALHOST, 0).into())?;
    let measured = async {
        wait(args.warm_up, stop).await?;
        let before = mark(&mut side, &metrics).await?;
        wait(args.duration, stop).await?;
        let after = mark(&mut side, &metrics).await?;
        Ok::<_, BenchError>((before, after))
    }
    .await;
    let peak_bytes = usage::peak_bytes().ok_or(BenchError::NoUsage)?;
    running.stop().await;
    let (before, after) = measured?;
    let bytes = elsewhere.is_none().then(|| args.plan.bytes());
    row(args, bytes, concurrency, &before, after, peak_bytes)
}

fn row(
    args: &Args,
    bytes: Option<usize>,
    concurrency: u32,
    before: &Mark,
    after: Mark,
    peak_bytes: u64,
) -> Result<Row, BenchError> {
    let seconds = after.load.seconds;
    let events = after.handled - before.handled;
    if events < 1.0 {
        return Err(BenchError::Nothing(args.duration));
    }
    let cpu_s = after.cpu_s - before.cpu_s;
    let cpu_share = cpu_s / seconds;
    let load_cpu_share = after.load.cpu_s.map(|cpu_s| cpu_s / seconds);
    if let Some(load) = load_cpu_share.filter(|share| LOAD_SHARE_MAX <= *share)
        && cpu_share < ENGINE_BUSY * f64::from(args.threads)
    {
        return Err(BenchError::LoadBound {
            load: load * 100.0,
            engine: cpu_share * 100.0 / f64::from(args.threads),
            threads: args.threads,
        });
    }
    Ok(Row {
        concurrency,
        events_per_s: events / seconds,
        mb_per_s: bytes.map(|bytes| events * bytes as f64 / 1e6 / seconds),
        invocations_per_s: (after.invocations - before.invocations) / seconds,
        latency: after.load.latency,
        cpu_s_per_million: cpu_s * 1e6 / events,
        cpu_share,
        load_cpu_share,
        peak_bytes,
    })
}

async fn mark(side: &mut Side, metrics: &Metrics) -> Result<Mark, BenchError> {
    let load = side.look().await?;
    let text = metrics.encode();
    let sum = |family: &str| -> f64 {
        let of_family = |line: &&str| {
            line.strip_prefix(family)
                .is_some_and(|rest| rest.starts_with('{'))
        };
        text.lines()
            .filter(of_family)
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum()
    };
    Ok(Mark {
        handled: sum("sluicegate_events_invoked_total")
            - sum("sluicegate_events_failed_invoke_total"),
        invocations: sum("sluicegate_invocations_total"),
        cpu_s: usage::cpu_s().ok_or(BenchError::NoUsage)?,
        load,
    })
}

async fn wait(time: Duration, stop: &CancellationToken) -> Result<(), BenchError> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(BenchError::Stopped),
        () = tokio::time::sleep(time) => Ok(()),
    }
}

/// What a user would write, with every guarantee on.
fn configuration(there: &Elsewhere, batch_size: u32, concurrency: u32) -> String {
    let own = match there.source {
        Source::Queue | Source::Fifo => {
            let window = if batch_size > 10 { 1 } else { 0 };
            format!(
                "    ScalingConfig: {{ MaximumConcurrency: {concurrency} }}\n    MaximumBatchingWindowInSeconds: {window}\n"
            )
        }
        Source::Kinesis | Source::Dynamodb => format!(
            "    StartingPosition: TRIM_HORIZON\n    ParallelizationFactor: {concurrency}\n    BisectBatchOnFunctionError: true\n"
        ),
    };
    format!(
        "Service:
  ShutdownGraceInSeconds: 6
Aws:
  Region: {REGION}
  EndpointUrl: {endpoint}
EventSourceMappings:
  - Name: {NAME}
    EventSourceArn: {arn}
    FunctionName: {function}
    BatchSize: {batch_size}
    FunctionResponseTypes: [ReportBatchItemFailures]
{own}",
        endpoint = there.endpoint,
        arn = there.source_arn,
        function = there.function,
    )
}
