//! ARNs and names of functions: what is taken reads as it was written, and says the same when it is read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluicegate_fuzz::config::arn::Arn;
use sluicegate_fuzz::config::{pair, request::names_function};

const REGION_CHARS_MAX: usize = 32;
/// `aws-iso-b`, and some room.
const PARTITION_CHARS_MAX: usize = 32;

fuzz_target!(|input: &str| {
    // The first line is the source, the second one the function.
    let (source, function) = input.split_once('\n').unwrap_or((input, "f"));
    for text in [source, function] {
        match text.parse::<Arn>() {
            Ok(arn) => {
                assert_eq!(arn.to_string(), text);
                assert!(arn.partition.starts_with("aws"));
                assert!(arn.account.len() == 12 && !arn.resource.is_empty());
                assert!(text.len() <= 2048 && !text.contains(char::is_whitespace));
            }
            Err(error) => one_line(&error.to_string()),
        }
    }
    // What completes a name with the source's region is never asked about a source that has none, or names that none has.
    let plausible = |arn: Arn| {
        let region = !arn.region.is_empty() && arn.region.len() <= REGION_CHARS_MAX;
        region && arn.partition.len() <= PARTITION_CHARS_MAX
    };
    if !source.parse().is_ok_and(plausible) {
        return;
    }
    match pair(source, function) {
        Some((source, function)) => {
            assert!(names_function(&function), "{function}");
            let again = pair(&source, &function);
            assert_eq!(again, Some((source, function)), "what is complete stays so");
        }
        None => assert!(!names_function(function), "{function}"),
    }
});

/// What is refused is quoted, and cannot break the line or grow without bound.
fn one_line(text: &str) {
    assert!(!text.contains(char::is_control), "{text:?}");
    assert!(text.chars().count() < 2_000, "{text}");
}
