//! What the runs of a kind came to, for the table of the bars.

use std::collections::BTreeMap;

use sluicegate::sim::{Fault, Operation};

use super::Outcome;
use super::disk::harms as disk_harms;
use super::plan::{Kind, calls};
use crate::support::bars::Figures;

/// What befalls the process.
const PROCESS: [&str; 4] = [
    "ProcessKilled",
    "ProcessPaused",
    "RegionOutage",
    "StoppedInACall",
];
/// What befalls a stream of Kinesis,
const KINESIS: [&str; 4] = [
    "LaggingReshard",
    "NestedReshard",
    "RetentionCut",
    "StreamMadeAnew",
];
/// or of DynamoDB.
const DYNAMO: [&str; 5] = [
    "NestedReshard",
    "ParentMissing",
    "RecordsOutOfDate",
    "ShardsRollOver",
    "StreamSwitchedOffAndOn",
];
/// What befalls the place of on-failure records.
const DESTINATION: [&str; 6] = [
    "DestinationAnswerLost",
    "DestinationDenied",
    "DestinationDown",
    "DestinationRefusesSize",
    "DestinationSlow",
    "DestinationThrottled",
];

/// The runs of a kind, added up.
pub struct Sum {
    pub figures: Figures,
}

impl Sum {
    /// With every kind of fault that such a stream can meet.
    pub fn new(kind: Kind) -> Self {
        let calls = calls(kind);
        let fits = |fault: &Fault| calls.iter().any(|call| fault.fits(*call));
        let mut figures = Figures::default();
        figures.count(Fault::ALL.into_iter().filter(fits).map(|fault| (fault, 0)));
        let own: &[&str] = match kind {
            Kind::Kinesis | Kind::FanOut => &KINESIS,
            Kind::Dynamo => &DYNAMO,
        };
        let harms = PROCESS.iter().chain(&DESTINATION).chain(own).copied();
        let zero = |name: &str| (name.to_owned(), 0);
        figures.faults.extend(harms.chain(disk_harms()).map(zero));
        if kind == Kind::Dynamo {
            figures.faults.insert(LIMIT_EXCEEDED.to_owned(), 0);
        }
        Self { figures }
    }

    pub fn add(&mut self, run: Outcome) {
        let figures = &mut self.figures;
        figures.seeds += 1;
        figures.hours += run.lasted.as_secs_f64() / 3600.0;
        figures.crash_images += run.images;
        for ((operation, fault), count) in run.faults {
            if let Some(name) = also(operation, fault) {
                *figures.faults.entry(name.to_owned()).or_default() += count;
            }
            figures.count([(fault, count)]);
        }
        add(&mut figures.faults, run.harm);
        add(&mut figures.reached, run.sometimes);
    }
}

fn add(to: &mut BTreeMap<String, u64>, more: BTreeMap<&'static str, u64>) {
    for (what, count) in more {
        *to.entry(what.to_owned()).or_default() += count;
    }
}

const LIMIT_EXCEEDED: &str = "StreamsLimitExceeded";

/// What else the fault of a call is called: where it happens tells.
fn also(operation: Operation, fault: Fault) -> Option<&'static str> {
    match operation {
        Operation::StreamsGetRecords if fault == Fault::ReadThrottled => Some(LIMIT_EXCEEDED),
        Operation::SendMessage | Operation::Publish | Operation::PutObject => Some(match fault {
            Fault::Throttled => "DestinationThrottled",
            Fault::AccessDenied | Fault::ExpiredToken => "DestinationDenied",
            Fault::Slow => "DestinationSlow",
            Fault::ResetAfter
            | Fault::AnswerLost
            | Fault::StalledBody
            | Fault::TruncatedBody
            | Fault::MalformedJson
            | Fault::InvalidUtf8
            | Fault::WrongContentType => "DestinationAnswerLost",
            _ => "DestinationDown",
        }),
        _ => None,
    }
}
