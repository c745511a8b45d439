//! Where `seek --to` goes: the beginning, the end, a time, a record.

use std::fmt;

use crate::config::timestamp::{from_iso, from_seconds};
use crate::model::utc::Utc;

/// A place in a stream, or in one of its shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Of every shard.
    Start(Start),
    /// This record of a shard, and those behind it.
    From(String),
    /// Those behind this record of a shard.
    After(String),
}

/// Where a shard begins of which nothing is settled yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record that there is.
    TrimHorizon,
    /// Behind the newest.
    Latest,
    /// At the first record of this time, in milliseconds since 1970, or of a later one.
    Time(u64),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(start) => start.fmt(f),
            Self::From(number) => write!(f, "from {number} on"),
            Self::After(number) => write!(f, "after {number}"),
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrimHorizon => f.write_str("TRIM_HORIZON"),
            Self::Latest => f.write_str("LATEST"),
            Self::Time(ms) => {
                let utc = Utc::at(*ms);
                let time = match utc.millisecond {
                    0 => utc.seconds(),
                    _ => utc.milliseconds(),
                };
                write!(f, "AT_TIMESTAMP {time}")
            }
        }
    }
}

/// What would do, for messages.
const FORMS: &str = "trim-horizon, latest, a time such as 2026-09-17T12:00:00Z or 1789650000 (seconds), or the sequence number \
                     of a record, with after: before it for the next one";
/// Numbers of so many digits are seconds up to the year 9999, with or without a fraction.
const SECONDS_DIGITS_MAX: usize = 12;
/// Sequence numbers have as many digits as these: 21 to 40 in DynamoDB, 56 in Kinesis, up to 128 by its model.
const SEQUENCE_DIGITS: std::ops::RangeInclusive<usize> = 21..=128;

/// Reads what stands behind `--to`.
///
/// # Errors
/// What is wrong with it, and what would do.
pub fn target(text: &str) -> Result<Target, String> {
    let text = text.trim();
    let plain = text.to_ascii_lowercase().replace('_', "-");
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(number) = plain.strip_prefix("after:") {
        return match digits(number) && SEQUENCE_DIGITS.contains(&number.len()) {
            true => Ok(Target::After(number.to_owned())),
            false => Err(format!(
                "after: takes the sequence number of a record, {} to {} digits",
                SEQUENCE_DIGITS.start(),
                SEQUENCE_DIGITS.end()
            )),
        };
    }
    match plain.as_str() {
        "trim-horizon" => return Ok(Target::Start(Start::TrimHorizon)),
        "latest" => return Ok(Target::Start(Start::Latest)),
        "at-timestamp" => {
            return Err("give the time itself, such as 2026-09-17T12:00:00Z".to_owned());
        }
        _ => {}
    }
    if digits(text) {
        return match text.len() {
            ..=SECONDS_DIGITS_MAX => time(from_seconds(text)),
            length if SEQUENCE_DIGITS.contains(&length) => Ok(Target::From(text.to_owned())),
            13 => {
                Err("13 digits are milliseconds; write seconds, such as 1789650000.250".to_owned())
            }
            length => Err(format!(
                "{length} digits are neither a time in seconds nor a sequence number"
            )),
        };
    }
    let decimal = text
        .split_once('.')
        .is_some_and(|(whole, part)| digits(whole) && digits(part));
    match decimal {
        true => time(from_seconds(text)),
        false => time(from_iso(text)),
    }
}

fn time(ms: Option<u64>) -> Result<Target, String> {
    let ms = ms.ok_or_else(|| format!("expected {FORMS}"))?;
    Ok(Target::Start(Start::Time(ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINESIS: &str = "49590338271490256608559692538361571095921575989136588898";
    const DYNAMODB: &str = "300000000000000499659";

    #[test]
    fn a_place_is_a_word_a_time_or_a_record() {
        let start = |start| Ok(Target::Start(start));
        for (text, expected) in [
            ("trim-horizon", start(Start::TrimHorizon)),
            ("TRIM_HORIZON", start(Start::TrimHorizon)),
            ("latest", start(Start::Latest)),
            ("LATEST", start(Start::Latest)),
            ("1789650000", start(Start::Time(1_789_650_000_000))),
            ("1789650000.25", start(Start::Time(1_789_650_000_250))),
            ("0", start(Start::Time(0))),
            (
                "2026-09-17T13:00:00Z",
                start(Start::Time(1_789_650_000_000)),
            ),
            (
                " 2026-09-17T15:00:00.250+02:00 ",
                start(Start::Time(1_789_650_000_250)),
            ),
            (KINESIS, Ok(Target::From(KINESIS.to_owned()))),
            (DYNAMODB, Ok(Target::From(DYNAMODB.to_owned()))),
            (
                &format!("after:{KINESIS}"),
                Ok(Target::After(KINESIS.to_owned())),
            ),
        ] {
            assert_eq!(target(text), expected, "{text}");
        }
    }

    #[test]
    fn whatever_is_none_of_these_is_refused_with_what_would_do() {
        for (text, expected) in [
            ("", "expected trim-horizon, latest, a time"),
            ("yesterday", "expected trim-horizon, latest, a time"),
            ("-1", "expected trim-horizon"),
            ("1e9", "expected trim-horizon"),
            ("nan", "expected trim-horizon"),
            ("2026-09-17", "expected trim-horizon"),
            ("2026-09-17T12:00:00", "expected trim-horizon"),
            ("2026-13-17T12:00:00Z", "expected trim-horizon"),
            ("999999999999", "expected trim-horizon"),
            ("1789650000000", "13 digits are milliseconds"),
            ("17896500000000000", "17 digits are neither"),
            ("at-timestamp", "give the time itself"),
            (
                "after:",
                "after: takes the sequence number of a record, 21 to 128 digits",
            ),
            ("after:latest", "after: takes"),
            (&"1".repeat(129), "129 digits are neither"),
        ] {
            let said = target(text).unwrap_err();
            assert!(said.starts_with(expected), "{text}: {said}");
        }
    }

    #[test]
    fn a_place_is_shown_as_the_service_calls_it() {
        for (text, expected) in [
            ("latest", "LATEST"),
            ("trim-horizon", "TRIM_HORIZON"),
            ("1789650000.25", "AT_TIMESTAMP 2026-09-17T13:00:00.250Z"),
            (DYNAMODB, "from 300000000000000499659 on"),
            ("after:300000000000000499659", "after 300000000000000499659"),
        ] {
            assert_eq!(target(text).unwrap().to_string(), expected);
        }
    }
}
