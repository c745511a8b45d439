//! What a load test is made of: the arguments that both of its sides take.

use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

use crate::cli::duration;

/// The name of the queue, stream, table and function.
pub const NAME: &str = "bench";
/// Where it is said to be.
pub const REGION: &str = "us-east-1";
/// The account that it is said to belong to.
pub const ACCOUNT: &str = "000000000000";
/// How long the embedded function may run.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// What the records come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A standard SQS queue
    Queue,
    /// A FIFO queue
    Fifo,
    /// A Kinesis stream
    Kinesis,
    /// The stream of a DynamoDB table
    Dynamodb,
}

impl Source {
    /// Whether it is an SQS queue.
    pub fn is_queue(self) -> bool {
        match self {
            Self::Queue | Self::Fifo => true,
            Self::Kinesis | Self::Dynamodb => false,
        }
    }
}

/// What stands where AWS would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Against {
    /// Answers that were made beforehand: it costs as little as a server can
    Canned,
    /// The embedded AWS, with all its rules
    Embedded,
}

impl std::fmt::Display for Against {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Canned => "canned",
            Self::Embedded => "embedded",
        })
    }
}

/// What the function does with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// It answers at once.
    Fast,
    /// It answers after this time.
    Slow(Duration),
    /// So many of a hundred invocations end in an error; the others at once.
    Failing(u64),
}

impl std::str::FromStr for Function {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hint = "write fast, slow:TIME such as slow:50ms, or failing:PERCENT such as failing:5";
        match text.split_once(':') {
            None if text == "fast" => Ok(Self::Fast),
            Some(("slow", time)) => match duration::parse(time)? {
                time if time < TIMEOUT => Ok(Self::Slow(time)),
                _ => Err(format!("the function may run for {} s", TIMEOUT.as_secs())),
            },
            Some(("failing", percent)) => match percent.parse() {
                Ok(percent @ 1..=100) => Ok(Self::Failing(percent)),
                Ok(_) | Err(_) => Err("a percentage is 1 to 100".to_owned()),
            },
            None | Some(_) => Err(hint.to_owned()),
        }
    }
}

impl std::fmt::Display for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fast => f.write_str("fast"),
            Self::Slow(time) => write!(f, "slow:{}ms", time.as_millis()),
            Self::Failing(percent) => write!(f, "failing:{percent}"),
        }
    }
}

impl Function {
    /// Whether the invocation of this number, counted from 1, ends in an error: as evenly spread as can be.
    pub fn fails(self, number: u64) -> bool {
        match self {
            Self::Fast | Self::Slow(_) => false,
            Self::Failing(percent) => number * percent / 100 != (number - 1) * percent / 100,
        }
    }
}

/// The least that a record can be: it says when it arrived.
pub const RECORD_BYTES_MIN: usize = 64;
/// What an SQS message, and an embedded table's item, may have.
const RECORD_BYTES_MAX: usize = 256 * 1024;

/// What both sides need to know.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Plan {
    /// Where the records come from
    #[arg(long, value_enum, default_value_t = Source::Queue)]
    pub source: Source,
    /// What stands where AWS would; a process of its own
    #[arg(long, value_enum, default_value_t = Against::Canned)]
    pub against: Against,
    /// Bytes of a message's body, a record's data, an item; by default 256 of queues, 1,024 of streams
    #[arg(long, value_name = "BYTES", value_parser = record_bytes)]
    pub record_bytes: Option<usize>,
    /// Message groups of the FIFO queue
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub groups: u32,
    /// Shards of the stream
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub shards: u32,
    /// What the function does: fast, slow:TIME or failing:PERCENT (so many of its invocations)
    #[arg(long, value_name = "HOW", default_value = "fast")]
    pub function: Function,
    /// So many records arrive in a second, evenly; without it there is always a backlog, and no latency to speak of
    #[arg(long, value_name = "PER_SECOND", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub rate: Option<u64>,
}

impl Plan {
    /// Bytes of a record.
    pub fn bytes(&self) -> usize {
        let usual = if self.source.is_queue() { 256 } else { 1024 };
        self.record_bytes.unwrap_or(usual)
    }

    /// What does not go together.
    pub fn refusal(&self) -> Option<&'static str> {
        let forgetful = self.source == Source::Fifo && self.against == Against::Canned;
        let fails = matches!(self.function, Function::Failing(_));
        (forgetful && fails).then_some(
            "canned answers forget what failed, and a FIFO queue must not: --function failing needs --against embedded",
        )
    }

    /// The same as arguments of a command.
    pub fn arguments(&self) -> Vec<String> {
        let name = |value: Option<clap::builder::PossibleValue>| {
            value.map_or_else(String::new, |value| value.get_name().to_owned())
        };
        let mut arguments = vec![
            format!("--source={}", name(self.source.to_possible_value())),
            format!("--against={}", self.against),
            format!("--record-bytes={}", self.bytes()),
            format!("--groups={}", self.groups),
            format!("--shards={}", self.shards),
            format!("--function={}", self.function),
        ];
        arguments.extend(self.rate.map(|rate| format!("--rate={rate}")));
        arguments
    }
}

fn record_bytes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes @ RECORD_BYTES_MIN..=RECORD_BYTES_MAX) => Ok(bytes),
        Ok(_) | Err(_) => Err(format!(
            "write a number from {RECORD_BYTES_MIN} to {RECORD_BYTES_MAX}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        plan: Plan,
    }

    fn plan(arguments: &[&str]) -> Result<Plan, clap::Error> {
        Command::try_parse_from([&["bench"], arguments].concat()).map(|command| command.plan)
    }

    #[test]
    fn a_plan_survives_its_way_to_the_other_process() {
        for arguments in [
            &[][..],
            &["--source=fifo", "--groups=7", "--function=slow:250ms"],
            &["--source=kinesis", "--shards=256", "--rate=5000"],
            &[
                "--source=dynamodb",
                "--against=embedded",
                "--function=failing:5",
                "--record-bytes=2048",
            ],
        ] {
            let here = plan(arguments).unwrap();
            let said = here.arguments();
            let there = plan(&said.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
            assert_eq!(there.bytes(), here.bytes());
            assert_eq!(
                there,
                Plan {
                    record_bytes: Some(here.bytes()),
                    ..here
                }
            );
        }
    }

    #[test]
    fn so_many_of_a_hundred_fail() {
        for percent in [1, 5, 33, 100] {
            let failing = Function::Failing(percent);
            let failed = (1..=1_000).filter(|number| failing.fails(*number)).count();
            assert_eq!(failed as u64, percent * 10);
        }
        assert!((1..=100).all(|number| !Function::Fast.fails(number)));
    }

    #[test]
    fn what_can_not_be_is_refused_in_words() {
        for (argument, words) in [
            (
                "--function=quick",
                "write fast, slow:TIME such as slow:50ms, or failing:PERCENT",
            ),
            ("--function=slow:2m", "the function may run for 60 s"),
            ("--function=failing:0", "a percentage is 1 to 100"),
            ("--record-bytes=63", "write a number from 64 to 262144"),
            ("--rate=0", "0 is not in 1..=10000000"),
        ] {
            let refused = plan(&[argument]).unwrap_err().to_string();
            assert!(refused.contains(words), "{refused}");
        }
        let forgetful = plan(&["--source=fifo", "--function=failing:5"]).unwrap();
        assert!(forgetful.refusal().is_some());
        assert_eq!(
            Plan {
                against: Against::Embedded,
                ..forgetful
            }
            .refusal(),
            None
        );
    }
}
