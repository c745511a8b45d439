//! Sources that several mappings read: two of a queue share its messages, those of a stream each get all of its records.

use std::collections::BTreeMap;

use super::identity::Identity;
use super::source::Family;
use crate::config::arn::Arn;
use crate::config::error::Report;

/// More readers than this of one shard are throttled, whoever they are. // spec: 5.1
const DYNAMODB_READERS_MAX: usize = 2;

/// Points at each mapping that comes in the way of those before it; disabled ones are not among them.
pub(super) fn warn<'a, 'b: 'a>(
    mappings: impl Iterator<Item = &'a Identity<'b>>,
    report: &mut Report,
) {
    let mut readers: BTreeMap<&Arn, Vec<&Identity<'_>>> = BTreeMap::new();
    for mapping in mappings {
        let others = readers.entry(&mapping.source.arn).or_default();
        // Reported already, as one and the same mapping.
        if others.iter().any(|other| other.pair() == mapping.pair()) {
            continue;
        }
        if let Some(first) = others.first() {
            let place = first.at.place();
            let what = match mapping.source.family {
                // AWS allows two mappings on one queue, for two functions: each message goes to one of them alone.
                Family::Queue { .. } => Some(format!(
                    "reads the same queue as the mapping at {place}: each message goes to one of the two, and what its filter drops is deleted"
                )),
                Family::Kinesis => mapping.source.consumed().map(|_| format!(
                    "reads as the same consumer as the mapping at {place}: a consumer has one subscription to a shard, which the two take from each other; register a consumer for each"
                )),
                Family::DynamoDb => (DYNAMODB_READERS_MAX <= others.len()).then(|| format!(
                    "reads the same stream as {} mappings before it, the first at {place}: DynamoDB throttles more than {DYNAMODB_READERS_MAX} readers of a shard",
                    others.len()
                )),
            };
            if let Some(what) = what {
                mapping.at.warn(report, what);
            }
        }
        others.push(mapping);
    }
}
