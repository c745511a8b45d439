//! The command line: one file per verb, and what an exit code says (contract section 1).

pub mod bench;
mod checkpoint;
mod completion;
pub mod demo;
mod diff;
mod duration;
mod filter;
mod hold;
mod house;
mod import;
mod list;
mod loopback;
mod managed;
mod output;
mod probe;
mod run;
mod seek;
mod service;
mod signals;
mod sim;
mod validate;

use std::fmt::Display;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use crate::config::error::ConfigError;
use crate::logging;
use signals::{Signal, Signals};

/// Self-hosted event source mappings: polls SQS queues, Kinesis streams and DynamoDB Streams, invokes functions, and
/// applies each source's failure semantics.
#[derive(Debug, Parser)]
#[command(
    name = "sluicegate",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the event source mappings of a configuration until SIGTERM or Ctrl-C
    Run(run::Args),
    /// Check a configuration and show what it comes to; nothing is sent
    Validate(validate::Args),
    /// Make a configuration of managed mappings: of AWS, a template, or Terraform
    #[command(after_help = import::ENDS)]
    Import(import::Args),
    /// Show what a configuration differs in from AWS, a running service, or another configuration
    #[command(after_help = diff::ENDS)]
    Diff(diff::Args),
    /// Show which records of an event a filter keeps, and where it refuses the others
    #[command(after_help = filter::NOTES)]
    Filter(filter::Args),
    /// Show the mappings of a running service and what each is doing
    #[command(after_help = service::LIST_ENDS)]
    List(list::Args),
    /// Stop mappings of a running service where they are, until they are resumed
    #[command(after_help = hold::PAUSE_ENDS)]
    Pause(hold::Args),
    /// Let mappings go on that were paused
    #[command(after_help = hold::RESUME_ENDS)]
    Resume(hold::Args),
    /// Show where a stream's mapping is, or put it somewhere else: back to repeat, ahead to pass over
    #[command(after_help = seek::ENDS)]
    Seek(seek::Args),
    /// Ask a running service whether it lives: exit code 0, or 1 and why not
    Probe(probe::Args),
    /// See it work, on this machine alone, with no account and no setup
    Demo(DemoArgs),
    /// Run only the embedded AWS, for the tests of other programs
    #[command(after_help = sim::SERVICES)]
    Sim(sim::Args),
    /// Measure it: events a second, latency, CPU and memory of the real engine under load
    #[command(after_help = bench::ENDS)]
    Bench(bench::Args),
    /// The load's side of a load test
    #[command(hide = true)]
    BenchLoad(bench::plan::Plan),
    /// Look into the file that keeps the progress of streams, copy it out, make one anew
    Checkpoint(checkpoint::Args),
    /// Print the completion script of a shell
    Completion(completion::Args),
}

#[derive(Debug, clap::Args)]
struct DemoArgs {
    /// End by itself after this time, such as 500ms, 20s or 2m; without it, at Ctrl-C
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    duration: Option<Duration>,
}

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked to, or drained cleanly.
    Done,
    /// It did not.
    Failed,
    /// Wrong usage, or an invalid configuration.
    Usage,
    /// A second signal ended a drain.
    Killed(Signal),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Failed => Self::from(1),
            Exit::Usage => Self::from(2),
            Exit::Killed(signal) => Self::from(signal.exit_code()),
        }
    }
}

/// The whole program, from the process's arguments.
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) if answer.use_stderr() => {
            output::complain(&answer);
            return Exit::Usage;
        }
        Err(answer) => return output::print(&answer.to_string()),
    };
    match cli.verb {
        Verb::Run(args) => run::run(&args),
        Verb::Validate(args) => validate::run(&args),
        Verb::Import(args) => import::run(&args),
        Verb::Diff(args) => diff::run(&args),
        Verb::Filter(args) => filter::run(&args),
        Verb::List(args) => list::run(&args),
        Verb::Pause(args) => hold::run(hold::Verb::Pause, &args),
        Verb::Resume(args) => hold::run(hold::Verb::Resume, &args),
        Verb::Seek(args) => seek::run(&args),
        Verb::Probe(args) => probe::run(&args),
        Verb::Demo(args) => show(&args),
        Verb::Sim(args) => sim::run(args),
        Verb::Bench(args) => bench::run(&args),
        Verb::BenchLoad(plan) => bench::load::run(&plan),
        Verb::Checkpoint(args) => checkpoint::run(&args),
        Verb::Completion(args) => completion::run(args),
    }
}

fn show(args: &DemoArgs) -> Exit {
    // The view has the terminal to itself: below it only what went wrong.
    if let Err(exit) = log("error") {
        return exit;
    }
    let stop = CancellationToken::new();
    let demo = demo::run(
        args.duration,
        run::seed(&crate::clock::Clock::machine()),
        stop.clone(),
    );
    match in_runtime(Box::pin(demo), stop) {
        Ok(Ok(())) => Exit::Done,
        Ok(Err(error)) => failed(&error),
        Err(exit) => exit,
    }
}

/// Logs from now on: `default` where `RUST_LOG` says nothing.
fn log(default: &str) -> Result<(), Exit> {
    let asked = std::env::var_os("RUST_LOG").map(|text| text.to_string_lossy().into_owned());
    logging::init(asked.as_deref(), default).map_err(|error| {
        output::complain(&error);
        Exit::Usage
    })
}

/// Runs `work`. The first SIGINT or SIGTERM cancels `stop` and `work` may come to its end; with the second
/// the program ends at once.
fn in_runtime<T>(work: impl Future<Output = T>, stop: CancellationToken) -> Result<T, Exit> {
    in_runtime_of(None, work, stop)
}

/// The same on so many threads, instead of the usual number.
fn in_runtime_of<T>(
    threads: Option<usize>,
    work: impl Future<Output = T>,
    stop: CancellationToken,
) -> Result<T, Exit> {
    let runtime = runtime(threads)
        .map_err(|error| failed(&format!("failed to start the runtime: {error}")))?;
    let ended = runtime.block_on(async {
        let signals = Signals::listen()
            .map_err(|error| failed(&format!("failed to listen for signals: {error}")))?;
        signals.guard(work, stop).await.map_err(Exit::Killed)
    });
    // Nothing that still runs is waited for: what had to be awaited was part of the work.
    runtime.shutdown_background();
    ended
}

/// As many cores as this have a thread between them: what two threads hand to each other costs more than it gains (65 us of CPU for a
/// message against 36 with one, `benches/compare/run` on two cores), and one moves tens of thousands of messages a second.
const CORES_PER_THREAD: usize = 4;

/// On `threads`, or where none are given on as many as `TOKIO_WORKER_THREADS` says, or the machine's cores suggest.
fn runtime(threads: Option<usize>) -> io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    let said = std::env::var_os("TOKIO_WORKER_THREADS").is_some();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let usual = (!said).then(|| cores.div_ceil(CORES_PER_THREAD));
    if let Some(threads) = threads.or(usual) {
        builder.worker_threads(threads);
    }
    builder.enable_all().build()
}

/// Says why on stderr.
fn failed(error: &dyn Display) -> Exit {
    output::complain(error);
    Exit::Failed
}

/// Says each finding on a line of its own on stderr.
fn refused(errors: &[ConfigError]) -> Exit {
    for error in errors {
        output::complain(error);
    }
    Exit::Usage
}

/// What `${VAR}` in a configuration stands for.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
