//! DynamoDB's numbers: decimal, of 38 digits, in one way of writing, so that equal numbers are equal texts.

use serde::{Deserialize, Serialize};

// API: DynamoDB, Supported data types, Number: 38 digits, magnitudes from 1E-130 to 9.99...E+125
const DIGITS_MAX: usize = 38;
const LOWEST_POWER: i64 = -130;
const HIGHEST_POWER: i64 = 125;

/// A number as DynamoDB gives it back: no leading or trailing zeros, no exponent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Number(String);

/// A text that is no number, or none that DynamoDB can hold.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot be converted to a numeric value")]
pub(super) struct NoNumber(String);

impl Number {
    /// How many digits count for its size.
    pub(super) fn digits(&self) -> usize {
        let digits: String = self.0.chars().filter(char::is_ascii_digit).collect();
        digits.trim_matches('0').len()
    }
}

impl TryFrom<String> for Number {
    type Error = NoNumber;

    fn try_from(text: String) -> Result<Self, NoNumber> {
        normal(&text).map(Self).ok_or(NoNumber(text))
    }
}

impl From<Number> for String {
    fn from(number: Number) -> String {
        number.0
    }
}

fn normal(text: &str) -> Option<String> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let written = format!("{whole}{fraction}");
    if written.is_empty() || !written.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = written.trim_start_matches('0');
    let digits = significant.trim_end_matches('0');
    if digits.is_empty() {
        return Some("0".to_owned());
    }
    // The place of the point, counted from the first digit that is not zero.
    let leading = i64::try_from(written.len() - significant.len()).ok()?;
    let point = exponent.checked_add(i64::try_from(whole.len()).ok()? - leading)?;
    let power = point - 1;
    if digits.len() > DIGITS_MAX || !(LOWEST_POWER..=HIGHEST_POWER).contains(&power) {
        return None;
    }
    let body = match usize::try_from(point) {
        Ok(point) if point >= digits.len() => format!("{digits:0<point$}"),
        Ok(point) if point > 0 => format!("{}.{}", &digits[..point], &digits[point..]),
        _ => {
            let zeros = usize::try_from(-point).ok()?;
            format!("0.{}{digits}", "0".repeat(zeros))
        }
    };
    Some(format!("{sign}{body}"))
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn equal_numbers_are_written_the_same_way() {
        for (written, read) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("007", "7"),
            ("+1.50", "1.5"),
            ("1E3", "1000"),
            ("12.5e-1", "1.25"),
            ("100", "100"),
            ("-.5", "-0.5"),
            ("0.00120", "0.0012"),
            ("1e-3", "0.001"),
        ] {
            let number = Number::try_from(written.to_owned()).unwrap();
            assert_eq!(String::from(number), read, "{written}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "-",
            ".",
            "x",
            "1e",
            "1 ",
            "1e126",
            "1e-131",
            "NaN",
            &"1".repeat(39),
        ] {
            assert!(Number::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
